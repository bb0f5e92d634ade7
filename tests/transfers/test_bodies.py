from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.transfers import bodies
from backends.transfers.bodies import BadBodyError, make_decoder, starts_like_html


def decode(encoding: str, wire: bytes, step: int = 7) -> bytes:
    undo = make_decoder(encoding, "file")
    assert undo is not None
    got = b"".join(piece for at in range(0, len(wire), step) for piece in undo.feed(wire[at : at + step]))
    undo.finish()
    return got


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 50), st.integers(0, 5))
def test_gzip_of_several_members_and_padding_comes_out_whole(members: list[bytes], step: int, padding: int) -> None:
    wire = b"".join(map(gzip.compress, members)) + b"\0" * padding
    assert decode("gzip", wire, step) == b"".join(members)


@given(st.binary(min_size=1, max_size=300), st.data())
def test_gzip_cut_anywhere_is_never_taken_for_whole(content: bytes, data: st.DataObject) -> None:
    wire = gzip.compress(content)
    with pytest.raises(BadBodyError) as raised:
        decode("gzip", wire[: data.draw(st.integers(1, len(wire) - 1))])
    assert raised.value.reason == "incomplete" and raised.value.retryable


@pytest.mark.parametrize("rest", [b"x", b"\0\0x", b"<html>", b"\x1f"])
def test_garbage_after_gzip_is_not_a_success(rest: bytes) -> None:
    with pytest.raises(BadBodyError):
        decode("gzip", gzip.compress(b"hello") + rest)


@pytest.mark.parametrize(
    "wire",
    [b"plain text", b"\x1f\x8b\x00garbage", gzip.compress(b"x" * 50)[:-8] + b"badcrc!!"],
    ids=["plain", "garbage", "crc"],  # the bytes hold the time
)
def test_what_is_not_gzip_is_not_a_success(wire: bytes) -> None:
    with pytest.raises(BadBodyError) as raised:
        decode("gzip", wire)
    assert raised.value.reason == "bad-encoding"


def test_empty_file_stored_with_an_encoding_is_an_empty_file() -> None:
    assert decode("gzip", b"") == b""


@pytest.mark.parametrize("wbits", [31, 15, -15], ids=["gzip", "deflate", "bare deflate"])
def test_a_body_that_ends_just_beyond_a_piece_is_whole(wbits: int) -> None:
    for size in range(bodies.PIECE - 2, bodies.PIECE + 300, 3):
        packer = zlib.compressobj(wbits=wbits)
        wire = packer.compress(bytes(size)) + packer.flush()
        assert len(decode("gzip" if wbits == 31 else "deflate", wire, len(wire))) == size


def test_both_kinds_of_deflate_are_undone() -> None:
    bare = zlib.compressobj(wbits=-15)
    assert decode("deflate", zlib.compress(b"hello")) == b"hello"
    assert decode("deflate", bare.compress(b"hello") + bare.flush()) == b"hello"


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "compress", "made-up"])
def test_encoding_that_cannot_be_undone_is_not_stored_as_the_file(encoding: str) -> None:
    with pytest.raises(BadBodyError) as raised:
        make_decoder(encoding, "file")
    assert raised.value.reason == "bad-encoding" and not raised.value.retryable


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_plain_body_needs_nothing(encoding: str) -> None:
    assert make_decoder(encoding, "file") is None


def test_bomb_is_stopped_and_never_held_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BOMB_RATIO", 10)
    monkeypatch.setattr(bodies, "BOMB_SLACK", 4 << 20)
    undo = make_decoder("gzip", "file")
    assert undo is not None
    sizes = []
    with pytest.raises(BadBodyError) as raised:
        for piece in undo.feed(gzip.compress(bytes(64 << 20))):
            sizes.append(len(piece))
    assert raised.value.reason == "too-large" and max(sizes) <= bodies.PIECE and sum(sizes) <= 6 << 20


@pytest.mark.parametrize("begin", [b"<!---->", b"<?xml?>", b" \n", b"<!-- --> <?x?>"])
def test_what_begins_like_a_page_for_ever_is_read_at_once(begin: bytes) -> None:
    """A server may send 40 comments in a row to keep the program busy for days."""
    assert not starts_like_html(begin * 10_000)
    assert starts_like_html(begin.replace(b"<?x?>", b"") * 100 + b"<html>")
