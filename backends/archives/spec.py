"""Which archive is meant, and its names: key and task id of the original Archiver, and a file name.

The names have 12 digits of the resolved revision, so that a branch that moves never finds an old archive.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace

from backends.archives.locators import SUFFIXES, SourceRevision
from backends.errors import UsageError
from backends.transfers.names import safe_name

SHORT_DIGITS = 12  # of a revision in names and URLs


@dataclass(frozen=True)
class ArchiveRequest:
    """What a user asks for. `root`: of the server, "" for the configured one; `revision`: any name for it.

    Raises `UsageError` for names that no server can have.
    """

    repository: str
    revision: str
    subdirectory: str = ""
    suffix: str = "zip"
    root: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "repository", _normalize_path("repository", self.repository))
        object.__setattr__(self, "subdirectory", _normalize_path("subdirectory", self.subdirectory, may_be_empty=True))
        if not self.revision.strip() or not self.revision.isprintable() or self.revision in (".", ".."):
            raise UsageError("The revision is missing.", "Give a changeset, a branch, a tag or a bookmark.")
        if self.suffix not in SUFFIXES:
            raise UsageError(f"There are no {self.suffix[:40]!r} archives.", f"Choose one of {', '.join(SUFFIXES)}.")


@dataclass(frozen=True)
class ArchiveSpec:
    """One archive, for ever the same. `root` is the server's URL, `node` has all 40 digits."""

    root: str
    repository: str
    node: str
    subdirectory: str
    suffix: str

    @property
    def digest(self) -> str:
        """Safe as a file name and different for every archive, which the original's names are not."""
        parts = [self.root, self.repository, self.node, self.subdirectory, self.suffix]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def key(self) -> str:
        """The original's name in a bucket."""
        return bucket_key(self.repository, self.node, self.suffix, self.subdirectory)

    @property
    def base(self) -> str:
        """The last part of the repository's name, with which its archives begin."""
        return self.repository.rpartition("/")[2]

    @property
    def file_name(self) -> str:
        directory = f"-{self.subdirectory.replace('/', '-')}" if self.subdirectory else ""
        return safe_name(f"{self.base}-{self.node[:SHORT_DIGITS]}{directory}.{self.suffix}")

    @property
    def description(self) -> str:
        """For a sentence: "testing/mozharness of projects/ash 42bf8560b395 as zip"."""
        directory = f"{self.subdirectory} of " if self.subdirectory else ""
        return f"{directory}{self.repository} {self.node[:SHORT_DIGITS]} as {self.suffix}"

    @property
    def request(self) -> ArchiveRequest:
        return ArchiveRequest(self.repository, self.node, self.subdirectory, self.suffix, self.root)

    @property
    def locator(self) -> SourceRevision:
        """The revision, or the directory in it."""
        return SourceRevision(self.repository, self.node, self.subdirectory, root=self.root)

    def with_suffix(self, suffix: str) -> ArchiveSpec:
        return replace(self, suffix=suffix)


def bucket_key(repository: str, revision: str, suffix: str, subdirectory: str) -> str:
    return f"{repository}-{revision[:SHORT_DIGITS]}.{suffix}" + (f"/{subdirectory}" if subdirectory else "")


def task_id(key: str) -> str:
    """The original's; two keys may have the same."""
    return key.replace("/", "_")


def _normalize_path(kind: str, text: str, *, may_be_empty: bool = False) -> str:
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if not parts and not may_be_empty:
        raise UsageError(f"The {kind} is missing.")
    if ".." in parts or not text.isprintable():
        raise UsageError(f"The name of a {kind} cannot contain .. or unprintable characters.")
    return "/".join(parts)
