"""Undoing a content-encoding piece by piece, so that a compressed bomb is noticed after 8 MB and not after 8 GB."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

PIECE = 1 << 20  # decoded bytes handed on at once
# A zstd block of 4 bytes may stand for 128 KB, and this decoder cannot be told to stop: 256 bytes in, 8 MB out.
_ZSTD_STEP = 256
_STEP = 64 << 10  # of the other codings: they stop at `PIECE`
_ZSTD_WINDOW = 8 << 20  # what RFC 9659 allows for the web
_MOST_LAYERS = 2
Buffer = bytes | memoryview


class EncodingError(Exception):
    """The bytes are not what their content-encoding says."""


class TruncatedEncodingError(EncodingError):
    """They are, but their end is missing."""


def accepted() -> str:
    """The Accept-Encoding to send: what is installed and can be stopped half-way."""
    return ", ".join(name for name in _DECODERS if name != "x-gzip" and _is_usable(name))


def decode(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The decoded bytes of `chunks`, in bounded pieces. `encoding` is the header: "", "gzip", "br", "gzip, br" ...

    Raises `EncodingError` for an encoding that is not known or not kept, `TruncatedEncodingError` for a missing end.
    """
    names = _names(encoding)
    if len(names) > _MOST_LAYERS:
        raise EncodingError("too many encodings")
    decoded: Iterator[bytes] = iter(chunks)
    for name in reversed(names):
        if name not in _DECODERS or not _is_usable(name):
            raise EncodingError("an encoding that was not asked for")
        decoded = _DECODERS[name](decoded)
    return decoded


def is_known(encoding: str) -> bool:
    """Whether `decode` can undo it here."""
    names = _names(encoding)
    return len(names) <= _MOST_LAYERS and all(name in _DECODERS and _is_usable(name) for name in names)


def _names(encoding: str) -> list[str]:
    return [name for name in (part.strip().lower() for part in encoding.split(",")) if name not in ("", "identity")]


def _gunzip(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """All members of a gzip stream; whatever follows the last one (zero padding of tapes) is passed over."""
    member = zlib.decompressobj(wbits=31)
    started = False
    try:
        for step in _steps(chunks, _STEP):
            rest: Buffer = step
            while rest:
                if member.eof:
                    if rest[:1] != b"\x1f":
                        return
                    member = zlib.decompressobj(wbits=31)
                started = True
                if piece := member.decompress(rest, PIECE):
                    yield piece
                rest = member.unused_data if member.eof else member.unconsumed_tail
        while started and not member.eof:
            piece = member.decompress(b"", PIECE)
            if piece:
                yield piece
            elif not member.eof:
                raise TruncatedEncodingError("gzip")
    except zlib.error as error:
        raise EncodingError("gzip") from error


def _unbrotli(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """One brotli stream, which nothing may follow.

    The decoder keeps output beyond the limit to itself, also when it "can accept more data" and also when it has
    taken the last byte of the input: only an empty piece says that there is no more.
    """
    brotli = importlib.import_module("brotli")
    decoder = brotli.Decompressor()
    started = False
    try:
        for step in _steps(chunks, _STEP):
            if decoder.is_finished():
                raise EncodingError("br")
            started = True
            piece = decoder.process(step, output_buffer_limit=PIECE)
            while piece:
                yield piece
                piece = b"" if decoder.is_finished() else decoder.process(b"", output_buffer_limit=PIECE)
        if started and not decoder.is_finished():
            raise TruncatedEncodingError("br")
    except brotli.error as error:
        raise EncodingError("br") from error


def _unzstd(chunks: Iterator[bytes]) -> Iterator[bytes]:
    zstandard = importlib.import_module("zstandard")
    fresh: Callable[[], Any] = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj
    frame: Any = None
    try:
        for step in _steps(chunks, _ZSTD_STEP):
            rest: Buffer = step
            while rest:
                if frame is None or frame.eof:
                    frame = fresh()
                if piece := frame.decompress(rest):
                    yield piece
                rest = frame.unused_data if frame.eof else b""
        if frame is not None and not frame.eof:
            raise TruncatedEncodingError("zstd")
    except zstandard.ZstdError as error:
        raise EncodingError("zstd") from error


def _steps(chunks: Iterator[bytes], size: int) -> Iterator[memoryview]:
    """The chunks in parts of at most `size` bytes: decoders copy what they have not taken yet at each call."""
    for chunk in chunks:
        view = memoryview(chunk)
        for start in range(0, len(view), size):
            yield view[start : start + size]


_DECODERS: dict[str, Callable[[Iterator[bytes]], Iterator[bytes]]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "br": _unbrotli,
    "zstd": _unzstd,
}
_MODULES = {"br": "brotli", "zstd": "zstandard"}
_usable: dict[str, bool] = {}


def _is_usable(name: str) -> bool:
    if name not in _usable:
        _usable[name] = _probe(name)
    return _usable[name]


def _probe(name: str) -> bool:
    if name not in _MODULES:
        return True
    try:
        module = importlib.import_module(_MODULES[name])
    except ImportError:
        return False
    # brotli before 1.2 gives out all that a chunk holds, whatever its size.
    return name != "br" or hasattr(module.Decompressor, "can_accept_more_data")
