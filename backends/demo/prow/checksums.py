"""CRC-32C (Castagnoli) of the stored objects, joined from the checksums of their pieces.

The standard library has none, and 40 MB in a Python loop take five seconds; a log is a string of shared pieces, so each
is summed once and joined by advancing the sum over the next one's length (the method of zlib's crc32_combine).
"""

from __future__ import annotations

from functools import lru_cache

_POLYNOMIAL = 0x82F63B78  # reversed, as RFC 3720 appendix B.4 has it


def _table() -> tuple[int, ...]:
    found = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        found.append(byte)
    return tuple(found)


_TABLE = _table()


def crc32c(content: bytes) -> int:
    """The checksum of some bytes; 0 for none."""
    table, crc = _TABLE, 0xFFFFFFFF
    for byte in content:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def joined(first: int, second: int, length: int) -> int:
    """The checksum of two texts, one after the other, from theirs; `length` is the second's, in bytes."""
    return _times(_advance(length), first) ^ second


def _times(operator: tuple[int, ...], vector: int) -> int:
    product, column = 0, 0
    while vector:
        if vector & 1:
            product ^= operator[column]
        vector >>= 1
        column += 1
    return product


@lru_cache(maxsize=512)
def _advance(length: int) -> tuple[int, ...]:
    """What `length` zero bytes do to a checksum, as the columns of a matrix over GF(2)."""
    power = (_POLYNOMIAL, *(1 << bit for bit in range(31)))  # one zero bit
    for _ in range(3):
        power = tuple(_times(power, column) for column in power)  # one zero byte
    found = tuple(1 << bit for bit in range(32))
    while length:
        if length & 1:
            found = tuple(_times(power, column) for column in found)
        power = tuple(_times(power, column) for column in power)
        length >>= 1
    return found
