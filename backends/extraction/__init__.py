"""Archives unpacked safely: zip and tar, plain or compressed with gzip, bzip2, xz or zstd.

>>> from backends.extraction import is_archive, unpack
>>> if is_archive(path.name):
...     unpacked = unpack(path, path.with_suffix(""))
"""

from __future__ import annotations

from backends.extraction.extractor import ExtractionResult, extract
from backends.extraction.limits import (
    ArchiveKind,
    DamagedArchiveError,
    ExtractionLimitError,
    ExtractionLimits,
    NotAnArchiveError,
    TargetExistsError,
    is_archive,
)
from backends.extraction.members import MEMBER_SCHEMA, list_members

__all__ = [
    "MEMBER_SCHEMA",
    "ArchiveKind",
    "DamagedArchiveError",
    "ExtractionLimitError",
    "ExtractionLimits",
    "ExtractionResult",
    "NotAnArchiveError",
    "TargetExistsError",
    "extract",
    "is_archive",
    "list_members",
]
