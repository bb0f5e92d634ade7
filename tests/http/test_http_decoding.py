from __future__ import annotations

import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backends.http.content_encoding import EncodingError, TruncatedEncodingError, accepted, decode

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


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Up to 5 MB: runs, JSON of a listing, noise, and mixtures; what a decoder holds back depends on all of them."""
    unit = draw(st.binary(min_size=1, max_size=200))
    parts = [
        draw(st.sampled_from([unit, b'{"taskId": "%d", "state": "completed"},\n' % len(unit), b"\0"]))
        * draw(st.integers(0, 40_000)),
        random.Random(draw(st.integers(0, 99))).randbytes(draw(st.integers(0, 1 << 21))),
        unit * draw(st.integers(0, 10_000)),
    ]
    return b"".join(draw(st.permutations(parts)))


def chunked(wire: bytes, sizes: list[int]) -> list[bytes]:
    """`wire` in chunks of these sizes, over and over, to its end."""
    chunks, start, number = [], 0, 0
    while start < len(wire):
        size = sizes[number % len(sizes)]
        chunks.append(wire[start : start + size])
        start, number = start + size, number + 1
    return chunks


SIZES = st.lists(st.sampled_from([0, 1, 2, 17, 255, 4096, 65_536, 100_000, 1 << 20, 1 << 24]), min_size=1, max_size=5)
LAYERS = st.lists(st.sampled_from(["gzip", "br", "zstd"]), min_size=1, max_size=2)
LISTING = b'{"taskId": "Y33uXZQ5QSKxvFBXHDlpqQ", "state": "completed"},\n' * 50_000


@settings(max_examples=60)
@given(bodies(), LAYERS, SIZES)
@example(LISTING, ["br"], [1 << 24])
@example(LISTING, ["br"], [1])
@example(LISTING, ["gzip", "br"], [1])
@example(bytes(5 << 20), ["br"], [0, 1])
@example(bytes(5 << 20), ["zstd"], [0, 1])
@example(bytes(5 << 20), ["gzip"], [0, 1])
@example(bytes(1 << 20), ["gzip"], [1 << 24])
@example(bytes(2 << 20), ["br"], [1 << 24])
def test_a_listing_of_any_size_is_read_to_its_end(body: bytes, layers: list[str], sizes: list[int]) -> None:
    wire = body
    for name in layers:
        wire = ENCODERS[name](wire)
    if len(wire) > 1 << 18 and max(sizes) < 4096:
        sizes = [*sizes, 1 << 16]
    if not any(sizes):
        sizes = [*sizes, 1]
    assert b"".join(decode(chunked(wire, sizes), ", ".join(layers))) == body


@pytest.mark.parametrize("layers", [["gzip"], ["br"], ["zstd"], ["gzip", "br"], ["br", "zstd"], ["zstd", "gzip"]])
def test_a_cut_listing_is_noticed_at_every_byte(layers: list[str]) -> None:
    wire = b"".join(b'{"taskId": "%d"},\n' % number for number in range(40))
    for name in layers:
        wire = ENCODERS[name](wire)
    for kept in range(1, len(wire)):
        with pytest.raises(TruncatedEncodingError):
            b"".join(decode([wire[:kept]], ", ".join(layers)))
        with pytest.raises(TruncatedEncodingError):
            b"".join(decode([wire[number : number + 1] for number in range(kept)], ", ".join(layers)))


@settings(max_examples=30)
@given(bodies(), st.sampled_from(["gzip", "br", "zstd"]), st.integers(1, 64), SIZES)
def test_a_large_body_without_its_last_bytes_is_noticed(body: bytes, name: str, missing: int, sizes: list[int]) -> None:
    wire = ENCODERS[name](body)
    wire = wire[: max(1, len(wire) - missing)]
    with pytest.raises(TruncatedEncodingError):
        for _ in decode(chunked(wire, [*sizes, 1 << 16]), name):
            pass


@pytest.mark.parametrize("chunks", [1, 4])
def test_what_follows_a_brotli_stream_is_refused_however_it_arrives(chunks: int) -> None:
    wire = brotli.compress(b"x" * 100)
    with pytest.raises(EncodingError):
        b"".join(decode([wire + b"junk"] if chunks == 1 else [wire, b"", b"ju", b"nk"], "br"))


@pytest.mark.parametrize("name", ["gzip", "br", "zstd"])
def test_a_bomb_never_takes_more_than_48_mb_of_memory(name: str) -> None:
    wire = bomb(name)
    tracemalloc.start()
    try:
        for _ in decode([wire], name):
            pass
        assert tracemalloc.get_traced_memory()[1] < 48 << 20
    finally:
        tracemalloc.stop()


@given(st.binary(min_size=1, max_size=3000), st.sampled_from(["gzip", "br", "zstd"]), st.data())
def test_a_missing_end_is_noticed_wherever_it_is_missing(body: bytes, name: str, draw: st.DataObject) -> None:
    wire = ENCODERS[name](body)
    kept = draw.draw(st.integers(1, len(wire) - 1))
    with pytest.raises(TruncatedEncodingError):
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
    with pytest.raises(EncodingError):
        b"".join(decode([b"x"], name))


@pytest.mark.parametrize("name", ["gzip", "br", "zstd"])
def test_garbage_is_told_from_a_missing_end(name: str) -> None:
    with pytest.raises(EncodingError):
        b"".join(decode([b"\x7f\xfe no such thing" * 50], name))
    assert b"".join(decode([], name)) == b"" == b"".join(decode([b""], name))


def test_only_what_can_be_read_is_asked_for() -> None:
    assert accepted().split(", ") == ["gzip", "br", "zstd"]
