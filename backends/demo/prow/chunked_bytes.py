"""Contents of tens of megabytes as sequences of chunks that many objects share.

A chunk's deflated form is computed once, so any range of an object costs milliseconds and nothing large is in memory.
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

_LEVEL = 6
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST_BLOCK = b"\x03\x00"


class ByteChunk:
    """Some bytes. `deflated` is a raw deflate stream that ends on a byte boundary and refers to nothing before it."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    @cached_property
    def deflated(self) -> ByteChunk:
        deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
        return ByteChunk(deflate.compress(self.content) + deflate.flush(zlib.Z_FULL_FLUSH))


class ChunkedBytes:
    """A sequence of chunks."""

    def __init__(self, sequence: Sequence[ByteChunk]) -> None:
        self.sequence = [chunk for chunk in sequence if chunk.content]
        self._ends = list(accumulate(len(chunk.content) for chunk in self.sequence))

    @property
    def size(self) -> int:
        return self._ends[-1] if self._ends else 0

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` to `stop`, chunk by chunk."""
        at = bisect_right(self._ends, start)
        while start < min(stop, self.size):
            content = self.sequence[at].content
            begin = self._ends[at] - len(content)
            yield content[start - begin : stop - begin]
            start, at = self._ends[at], at + 1

    def to_bytes(self) -> bytes:
        return b"".join(chunk.content for chunk in self.sequence)

    def md5(self) -> str:
        """Base64, as the storage's JSON has it."""
        checksum = hashlib.md5(usedforsecurity=False)
        for chunk in self.sequence:
            checksum.update(chunk.content)
        return b64encode(checksum.digest()).decode()

    def crc32c(self) -> str:
        """Base64 of the big-endian checksum; "" without google-crc32c, which readers need to check it, too."""
        try:
            import google_crc32c
        except ImportError:
            return ""
        checksum = 0
        for chunk in self.sequence:
            checksum = google_crc32c.extend(checksum, chunk.content)
        return b64encode(struct.pack(">I", checksum)).decode()

    def gzip(self) -> ChunkedBytes:
        """One gzip member of the same content."""
        crc = 0
        for chunk in self.sequence:
            crc = zlib.crc32(chunk.content, crc)
        trailer = struct.pack("<II", crc, self.size & 0xFFFFFFFF)
        body = [chunk.deflated for chunk in self.sequence]
        return ChunkedBytes([ByteChunk(_HEADER), *body, ByteChunk(_LAST_BLOCK + trailer)])


def single_chunk(content: bytes) -> ChunkedBytes:
    return ChunkedBytes([ByteChunk(content)])
