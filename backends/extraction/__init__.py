"""Archives unpacked safely: zip and tar, plain or compressed with gzip, bzip2, xz or zstd.

>>> from backends.extraction import is_archive, unpack
>>> if is_archive(path.name):
...     unpacked = unpack(path, path.with_suffix(""))
"""

from __future__ import annotations

from backends.extraction.kinds import ArchiveKind, is_archive
from backends.extraction.limits import (
    DamagedArchiveError,
    ExtractionLimitError,
    Limits,
    NotAnArchiveError,
    TargetExistsError,
)
from backends.extraction.listing import LISTING, listing
from backends.extraction.unpack import Unpacked, unpack

__all__ = [
    "LISTING",
    "ArchiveKind",
    "DamagedArchiveError",
    "ExtractionLimitError",
    "Limits",
    "NotAnArchiveError",
    "TargetExistsError",
    "Unpacked",
    "is_archive",
    "listing",
    "unpack",
]
