"""Reads the central directory of a zip entry by entry: `zipfile` keeps an object of 700 bytes for each entry, and
Firefox's source has 400,000. Contents are still read, and verified by their checksums, by `zipfile`.

Formats: PKWARE's APPNOTE 6.3.10, sections 4.3.12 (central directory), 4.3.14-16 (its end), 4.5.3 (zip64).
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from backends.extraction.limits import ExtractionLimitError, ExtractionLimits, damaged_error

_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = 30  # bytes of a local header before its name
_END, _END64, _LOCATOR64 = 22, 56, 20
_LONGEST_COMMENT = 1 << 16
_ENTRY_BYTES = 160  # per entry of the directory: 46, the name, and room for extra fields
_PIECE = 1 << 18
_IN_ZIP64 = 0xFFFFFFFF  # the number is in the zip64 extra field
_UTF8 = 0x800


@dataclass(frozen=True)
class _DirectoryPosition:
    """Position of the central directory; `before`: bytes before the zip (in a self-extracting one)."""

    start: int
    size: int
    before: int


class ZipDirectory:
    """The entries of the zip `raw`, in the order of its central directory.

    Raises `ExtractionLimitError`, `BadZipFile` and other `FileError`s.
    """

    def __init__(self, raw: IO[bytes], name: str, limits: ExtractionLimits) -> None:
        self._raw = raw
        self._place = _find_directory(raw, name)
        if self._place.size > max(1 << 16, limits.entries * _ENTRY_BYTES):
            raise ExtractionLimitError(
                f"{name} was not extracted: its central directory is too large.", "It has too many entries."
            )
        # All that is kept of each entry is its offset, to find entries that overlap the next one.
        self._starts = array("Q", sorted(info.header_offset for info in self._entries()))
        empty = io.BytesIO(b"PK\x05\x06" + bytes(18))
        self._reader = zipfile.ZipFile(empty)
        self._reader.fp = raw

    def __iter__(self) -> Iterator[zipfile.ZipInfo]:
        return self._entries()

    def open(self, info: zipfile.ZipInfo) -> IO[bytes]:
        """Its contents. Raises `BadZipFile` if it overlaps the next one, as in zip bombs."""
        following = bisect_right(self._starts, info.header_offset)
        alone = following - bisect_left(self._starts, info.header_offset) == 1
        most = self._starts[following] if following < len(self._starts) else self._place.start
        if not alone or info.header_offset + _LOCAL + info.compress_size > most:
            raise zipfile.BadZipFile(f"Overlapped entries: {info.orig_filename[:80]!r}")
        return self._reader.open(info)

    def _entries(self) -> Iterator[zipfile.ZipInfo]:
        at, end, held = self._place.start, self._place.start + self._place.size, b""
        while at < end:
            if len(held) < _ENTRY.size + 3 * 0xFFFF:  # the longest entry
                self._raw.seek(at)
                held = self._raw.read(min(_PIECE, end - at))
            here = 0
            while at + here < end and (len(held) - here >= _ENTRY.size + 3 * 0xFFFF or at + len(held) == end):
                info, here = _read_entry(held, here, self._place.before)
                yield info
            if here == 0:
                raise zipfile.BadZipFile("Truncated central directory")
            at, held = at + here, b""


def _read_entry(held: bytes, at: int, before: int) -> tuple[zipfile.ZipInfo, int]:
    """The entry at `at`, and the position of the next one."""
    if len(held) - at < _ENTRY.size:
        raise zipfile.BadZipFile("Truncated central directory")
    fields = _ENTRY.unpack_from(held, at)
    if fields[0] != b"PK\x01\x02":
        raise zipfile.BadZipFile("Bad magic number for central directory")
    flags, method, crc, packed, size = fields[3], fields[4], *fields[7:10]
    name_end = at + _ENTRY.size + fields[10]
    extra_end = name_end + fields[11]
    end = extra_end + fields[12]
    if end > len(held):
        raise zipfile.BadZipFile("Truncated central directory")
    info = zipfile.ZipInfo(held[at + _ENTRY.size : name_end].decode("utf-8" if flags & _UTF8 else "cp437"))
    info.flag_bits, info.compress_type, info.CRC = flags, method, crc
    info.external_attr = fields[15]
    info.file_size, info.compress_size, offset = _zip64_sizes(held[name_end:extra_end], size, packed, fields[16])
    info.header_offset = offset + before
    return info, end


def _zip64_sizes(extra: bytes, *numbers: int) -> list[int]:
    """The numbers; those that exceed 32 bits come from the zip64 extra field, where they have the same order."""
    found = list(numbers)
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if length + 4 > len(extra):
            raise zipfile.BadZipFile(f"Corrupt extra field {kind:04x} (size={length})")
        if kind == 1:
            wide = extra[4 : 4 + length]
            for place, number in enumerate(found):
                if number == _IN_ZIP64:
                    if len(wide) < 8:
                        raise zipfile.BadZipFile("Corrupt zip64 extra field")
                    found[place], wide = int.from_bytes(wide[:8], "little"), wide[8:]
        extra = extra[4 + length :]
    return found


def _find_directory(raw: IO[bytes], name: str) -> _DirectoryPosition:
    length = raw.seek(0, os.SEEK_END)
    first = max(0, length - _LONGEST_COMMENT - _END - _LOCATOR64 - _END64)
    raw.seek(first)
    tail = raw.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + _END:
        raise damaged_error(name, "it has no central directory, so it is probably truncated")
    size, offset = struct.unpack_from("<LL", tail, at + 12)
    end = first + at
    if tail[max(at - _LOCATOR64, 0) : at].startswith(b"PK\x06\x07"):
        wide = at - _LOCATOR64 - _END64
        if wide < 0 or tail[wide : wide + 4] != b"PK\x06\x06":
            raise zipfile.BadZipFile("Corrupt zip64 end of central directory")
        size, offset = struct.unpack_from("<QQ", tail, wide + 40)
        end = first + wide
    start = end - size
    if start < 0 or start < offset:
        raise zipfile.BadZipFile("Bad offset for central directory")
    return _DirectoryPosition(start, size, start - offset)
