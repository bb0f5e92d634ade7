"""Contents of tens of megabytes as sequences of chunks that many objects share.

A chunk's checksum and deflated form are computed once, so an object's size, hashes and any range of it cost
milliseconds and nothing large is in memory. CRC-32C (Castagnoli) is not in the standard library and 40 MB in a Python
loop take five seconds: checksums of chunks are combined with the method of zlib's crc32_combine.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate

_LEVEL = 6
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST_BLOCK = b"\x03\x00"
_POLYNOMIAL = 0x82F63B78  # reversed, as RFC 3720 appendix B.4 has it


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_TABLE = _table()


def crc32c(content: bytes) -> int:
    """The checksum of some bytes; 0 for none."""
    table, crc = _TABLE, 0xFFFFFFFF
    for byte in content:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def combine_crc32c(first: int, second: int, length: int) -> int:
    """The checksum of two byte strings in a row from their checksums; `length` of the second."""
    return _multiply(_zeros_operator(length), first) ^ second


def _multiply(operator: tuple[int, ...], vector: int) -> int:
    product, column = 0, 0
    while vector:
        if vector & 1:
            product ^= operator[column]
        vector >>= 1
        column += 1
    return product


@lru_cache(maxsize=512)
def _zeros_operator(length: int) -> tuple[int, ...]:
    """What `length` zero bytes do to a checksum, as the columns of a matrix over GF(2)."""
    power = (_POLYNOMIAL, *(1 << bit for bit in range(31)))  # one zero bit
    for _ in range(3):
        power = tuple(_multiply(power, column) for column in power)  # one zero byte
    operator = tuple(1 << bit for bit in range(32))
    while length:
        if length & 1:
            operator = tuple(_multiply(power, column) for column in operator)
        power = tuple(_multiply(power, column) for column in power)
        length >>= 1
    return operator


class Chunk:
    """Some bytes. `deflated` is a raw deflate stream that ends on a byte boundary and refers to nothing before it."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    @cached_property
    def crc32c(self) -> int:
        return crc32c(self.content)

    @cached_property
    def deflated(self) -> Chunk:
        deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
        return Chunk(deflate.compress(self.content) + deflate.flush(zlib.Z_FULL_FLUSH))


class ChunkedBytes:
    """A sequence of chunks."""

    def __init__(self, sequence: Sequence[Chunk]) -> None:
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
        """Base64 of the big-endian checksum."""
        total = 0
        for chunk in self.sequence:
            total = combine_crc32c(total, chunk.crc32c, len(chunk.content))
        return b64encode(struct.pack(">I", total)).decode()

    def gzip(self) -> ChunkedBytes:
        """One gzip member of the same content."""
        crc = 0
        for chunk in self.sequence:
            crc = zlib.crc32(chunk.content, crc)
        trailer = struct.pack("<II", crc, self.size & 0xFFFFFFFF)
        body = [chunk.deflated for chunk in self.sequence]
        return ChunkedBytes([Chunk(_HEADER), *body, Chunk(_LAST_BLOCK + trailer)])


def single_chunk(content: bytes) -> ChunkedBytes:
    return ChunkedBytes([Chunk(content)])
