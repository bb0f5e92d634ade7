from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from backends.http.decoding import EncodingBroken, EncodingCutShort, accepted, decode

ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "identity": bytes,
    "": bytes,
}


def cut(wire: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(wire[:size])
        wire = wire[size:]
    return [*pieces, wire]


@given(st.binary(max_size=5000), st.sampled_from(list(ENCODERS)), st.lists(st.integers(0, 300), max_size=20))
def test_every_encoding_comes_back_however_the_network_cuts_it(body: bytes, name: str, sizes: list[int]) -> None:
    assert b"".join(decode(cut(ENCODERS[name](body), sizes), name)) == body


@given(st.binary(min_size=1, max_size=3000), st.sampled_from(["gzip", "br", "zstd"]), st.data())
def test_a_missing_end_is_noticed_wherever_it_is_missing(body: bytes, name: str, draw: st.DataObject) -> None:
    wire = ENCODERS[name](body)
    kept = draw.draw(st.integers(1, len(wire) - 1))
    with pytest.raises(EncodingCutShort):
        b"".join(decode([wire[:kept]], name))


@given(st.lists(st.binary(max_size=500), min_size=1, max_size=4), st.lists(st.integers(0, 60), max_size=20))
def test_all_members_of_a_gzip_stream_are_read(bodies: list[bytes], sizes: list[int]) -> None:
    wire = b"".join(gzip.compress(body) for body in bodies)
    assert b"".join(decode(cut(wire, sizes), "gzip")) == b"".join(bodies)
    assert b"".join(decode(cut(wire + bytes(512), sizes), "gzip")) == b"".join(bodies)


def bomb(name: str, size: int = 160 << 20) -> bytes:
    block = bytes(1 << 20)
    if name == "gzip":
        packer = zlib.compressobj(9, wbits=31)
        return b"".join([*(packer.compress(block) for _ in range(size >> 20)), packer.flush()])
    if name == "br":
        squeezer = brotli.Compressor(quality=4, lgwin=22)
        return b"".join([*(squeezer.process(block) for _ in range(size >> 20)), squeezer.finish()])
    frame = zstandard.ZstdCompressor(level=3).compressobj()
    return b"".join([*(frame.compress(block) for _ in range(size >> 20)), frame.flush()])


@pytest.mark.parametrize("name", ["gzip", "br", "zstd"])
def test_a_bomb_goes_off_in_small_pieces(name: str) -> None:
    wire = bomb(name)
    assert len(wire) < 1 << 20
    largest = total = 0
    for piece in decode([wire], name):
        largest, total = max(largest, len(piece)), total + len(piece)
        if total > 64 << 20:
            break
    assert total > 64 << 20 and largest <= 8 << 20


def test_a_bomb_in_a_bomb_goes_off_in_small_pieces() -> None:
    wire = gzip.compress(bomb("gzip", 128 << 20))
    assert max(len(piece) for piece, _ in zip(decode([wire], "gzip, gzip"), range(64), strict=False)) <= 1 << 20


@pytest.mark.parametrize("name", ["deflate", "compress", "gzip, br, zstd", "gzip,\x00"])
def test_what_was_not_asked_for_is_refused(name: str) -> None:
    with pytest.raises(EncodingBroken):
        b"".join(decode([b"x"], name))


@pytest.mark.parametrize("name", ["gzip", "br", "zstd"])
def test_garbage_is_told_from_a_missing_end(name: str) -> None:
    with pytest.raises(EncodingBroken):
        b"".join(decode([b"\x7f\xfe no such thing" * 50], name))
    assert b"".join(decode([], name)) == b"" == b"".join(decode([b""], name))


def test_only_what_can_be_read_is_asked_for() -> None:
    assert accepted().split(", ") == ["gzip", "br", "zstd"]
