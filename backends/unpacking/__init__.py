"""Archives unpacked safely: zip and tar, plain or compressed with gzip, bzip2, xz or zstd.

>>> from backends.unpacking import is_archive, unpack
>>> if is_archive(path.name):
...     unpacked = unpack(path, path.with_suffix(""))
"""

from __future__ import annotations

from backends.unpacking.kinds import ArchiveKind, is_archive
from backends.unpacking.limits import AlreadyThere, DamagedArchive, Limits, NotAnArchive, TooMuch
from backends.unpacking.listing import LISTING, listing
from backends.unpacking.unpack import Unpacked, unpack

__all__ = [
    "LISTING",
    "AlreadyThere",
    "ArchiveKind",
    "DamagedArchive",
    "Limits",
    "NotAnArchive",
    "TooMuch",
    "Unpacked",
    "is_archive",
    "listing",
    "unpack",
]
