"""How compressed bytes become plain ones, piece by piece, with bounded memory whatever the input says.

Every decoder gives at most `PIECE` bytes a step (zstd's: what 2 KiB of input can make, 64 MB at worst), and a stream
that ends before its own end mark is an error and not an end.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, Protocol

from backends.extraction.kinds import ArchiveKind
from backends.extraction.limits import DamagedArchiveError

PIECE = 1 << 18
_FEED = 1 << 16
_ZSTD_FEED = 1 << 11  # a block of 4 bytes may stand for 128 KiB, and its decoder has no limit for one step
_XZ_MEMORY = 256 << 20  # bytes; xz -9 needs 65 MB, a hostile header asks for 4 GB
_ZSTD_WINDOW = 1 << 27  # bytes, what `zstd -d` takes unless it is told otherwise


class _Decoder(Protocol):
    """One compressed stream. `step` takes input and gives some output; call it with b"" while not `hungry`."""

    eof: bool
    unused: bytes
    hungry: bool

    def step(self, raw: bytes) -> bytes: ...


class _Zlib:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(31)  # with gzip's header and checksum
        self.eof, self.unused, self.hungry = False, b"", True

    def step(self, raw: bytes) -> bytes:
        out = self._inner.decompress(self._inner.unconsumed_tail + raw, PIECE)
        self.eof, self.unused = self._inner.eof, self._inner.unused_data
        self.hungry = not self._inner.unconsumed_tail and len(out) < PIECE
        return out


class _Standard:
    """bz2 and lzma, which speak alike."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.eof, self.unused, self.hungry = False, b"", True

    def step(self, raw: bytes) -> bytes:
        out: bytes = self._inner.decompress(raw, PIECE)
        self.eof = self._inner.eof
        self.unused = self._inner.unused_data if self.eof else b""
        self.hungry = self._inner.needs_input and not self.eof
        return out


class _Zstd:
    def __init__(self) -> None:
        import zstandard

        self._inner = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
        self._held = b""
        self.eof, self.unused, self.hungry = False, b"", True

    def step(self, raw: bytes) -> bytes:
        fed = self._held + raw
        now, self._held = fed[:_ZSTD_FEED], fed[_ZSTD_FEED:]
        out = self._inner.decompress(now)
        if self._inner.eof:
            self.eof, self.unused = True, self._inner.unused_data + self._held
        self.hungry = not self._held
        return out


_DECODERS: dict[ArchiveKind, Callable[[], _Decoder]] = {
    ArchiveKind.TAR_GZ: _Zlib,
    ArchiveKind.TAR_BZ2: lambda: _Standard(bz2.BZ2Decompressor()),
    ArchiveKind.TAR_XZ: lambda: _Standard(lzma.LZMADecompressor(memlimit=_XZ_MEMORY)),
    ArchiveKind.TAR_ZST: _Zstd,
}


def decoded(raw: IO[bytes], kind: ArchiveKind, name: str) -> Iterator[bytes]:
    """The plain bytes of a file of that kind; of several streams one after the other, as `cat a.gz b.gz` makes them.

    Raises `DamagedArchiveError` where a stream is cut off or wrong. Zeros after the last one are padding.
    """
    make = _DECODERS.get(kind)
    if make is None:
        while piece := raw.read(PIECE):
            yield piece
        return
    try:
        yield from _streams(raw, make, name)
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
        raise damaged(name, str(error)) from error
    except Exception as error:
        if type(error).__name__ != "ZstdError":
            raise
        raise damaged(name, str(error)) from error


def _streams(raw: IO[bytes], make: Callable[[], _Decoder], name: str) -> Iterator[bytes]:
    decoder, waiting, fresh, first = make(), b"", True, True
    while True:
        if not waiting and decoder.hungry:
            waiting = raw.read(_FEED)
            if not waiting:
                if fresh and not first:
                    return
                raise damaged(name, "it ends too early")
        if fresh and not first:
            waiting = waiting.lstrip(b"\0")
            if not waiting:
                continue
        out = decoder.step(waiting)
        waiting, fresh, first = b"", False, False
        if decoder.eof:
            waiting, decoder, fresh = decoder.unused, make(), True
        if out:
            yield out


def damaged(name: str, why: str) -> DamagedArchiveError:
    return DamagedArchiveError(f"{name} is damaged: {why[:200]}.", "Download it again; nothing of it was unpacked.")
