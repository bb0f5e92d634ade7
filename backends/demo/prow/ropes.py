"""How contents of tens of megabytes are held: as a string of pieces that many objects share.

A piece knows its checksum and its deflated form, both made once, so an object's size, hashes and any range of it cost
milliseconds, and nothing large is ever in memory.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate

from backends.demo.prow.checksums import crc32c, joined

_LEVEL = 6
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST_BLOCK = b"\x03\x00"


class Piece:
    """Some bytes. `deflated` is a raw deflate stream that ends on a byte boundary and refers to nothing before it."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    @cached_property
    def crc32c(self) -> int:
        return crc32c(self.content)

    @cached_property
    def deflated(self) -> Piece:
        deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
        return Piece(deflate.compress(self.content) + deflate.flush(zlib.Z_FULL_FLUSH))


class Rope:
    """Pieces in a row."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = [piece for piece in pieces if piece.content]
        self._ends = list(accumulate(len(piece.content) for piece in self.pieces))

    @property
    def size(self) -> int:
        return self._ends[-1] if self._ends else 0

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` to `stop`, piece by piece."""
        at = bisect_right(self._ends, start)
        while start < min(stop, self.size):
            content = self.pieces[at].content
            begin = self._ends[at] - len(content)
            yield content[start - begin : stop - begin]
            start, at = self._ends[at], at + 1

    def whole(self) -> bytes:
        return b"".join(piece.content for piece in self.pieces)

    def md5(self) -> str:
        """Base64, as the storage's JSON has it."""
        found = hashlib.md5(usedforsecurity=False)
        for piece in self.pieces:
            found.update(piece.content)
        return b64encode(found.digest()).decode()

    def crc32c(self) -> str:
        """Base64 of the big-endian checksum."""
        total = 0
        for piece in self.pieces:
            total = joined(total, piece.crc32c, len(piece.content))
        return b64encode(struct.pack(">I", total)).decode()

    def gzipped(self) -> Rope:
        """One gzip member of the same content."""
        crc = 0
        for piece in self.pieces:
            crc = zlib.crc32(piece.content, crc)
        trailer = struct.pack("<II", crc, self.size & 0xFFFFFFFF)
        body = [piece.deflated for piece in self.pieces]
        return Rope([Piece(_HEADER), *body, Piece(_LAST_BLOCK + trailer)])


def rope(content: bytes) -> Rope:
    return Rope([Piece(content)])
