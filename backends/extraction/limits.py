"""How much an archive may hold before it counts as a bomb, and what is said when it cannot be unpacked."""

from __future__ import annotations

from dataclasses import dataclass

from backends.errors import FileError
from backends.frames.formats import format_bytes


@dataclass(frozen=True)
class Limits:
    """`file_bytes` of one member, `total_bytes` of all, `entries` of any kind.

    `ratio`: decoded bytes for each byte of the archive, looked at beyond `ratio_floor` only. Real artifacts stay below
    60 (crash reports, coverage); a deflate bomb has 1,030, and small files may well compress better than any limit.
    """

    file_bytes: int = 8 << 30
    total_bytes: int = 32 << 30
    entries: int = 200_000
    ratio: float = 250.0
    ratio_floor: int = 256 << 20


class NotAnArchiveError(FileError):
    """Its bytes are none of the kinds that can be unpacked."""


class DamagedArchiveError(FileError):
    """It ends early, or does not say what an archive says."""


class ExtractionLimitError(FileError):
    """It would unpack to more than the limits allow."""


class TargetExistsError(FileError):
    """Something stands where the unpacked tree should go."""


class Budget:
    """What one archive has used of its limits. `decoded` counts what the decompressor gives, `wrote` what is kept:
    a sparse member of a tar writes more than it holds, a skipped one decodes more than is written.
    """

    def __init__(self, limits: Limits, archive_bytes: int, name: str) -> None:
        self._limits, self._name = limits, name
        self._by_ratio = max(limits.ratio_floor, int(limits.ratio * archive_bytes))
        self._decoded = self._wrote = self._entries = 0

    def entry(self) -> None:
        self._entries += 1
        if self._entries > self._limits.entries:
            raise self._too_much(f"it has more than {self._limits.entries:,} entries")

    def decoded(self, count: int) -> None:
        self._decoded += count
        self._check(self._decoded)

    def wrote(self, count: int, of_file: int) -> None:
        """`of_file`: how many bytes of the same member that makes."""
        self._wrote += count
        if of_file > self._limits.file_bytes:
            raise self._too_much(f"one of its files is larger than {format_bytes(self._limits.file_bytes)}")
        self._check(self._wrote)

    def _check(self, count: int) -> None:
        if count > self._limits.total_bytes:
            raise self._too_much(f"it holds more than {format_bytes(self._limits.total_bytes)}")
        if count > self._by_ratio:
            raise self._too_much(f"it grows to more than {format_bytes(self._by_ratio)}, as only a bomb does")

    def _too_much(self, why: str) -> ExtractionLimitError:
        return ExtractionLimitError(
            f"{self._name} was not unpacked: {why}.", "Look at it with a tool of its own if you trust it."
        )
