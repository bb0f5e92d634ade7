"""Which archive is meant, and what it is called: the original Archiver's key and task id, and a file name.

The names have 12 digits of the resolved revision, so that a branch that moves never finds an old archive.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace

from backends.errors import UsageError
from backends.locators.archives import SUFFIXES
from backends.transfers.names import safe_name

SHORT = 12  # digits of a revision in names and addresses


@dataclass(frozen=True)
class Request:
    """What somebody asks for. `root`: of the server, "" the configured one; `revision`: any name for it.

    Raises `UsageError` for what no server can have.
    """

    repository: str
    revision: str
    subdirectory: str = ""
    suffix: str = "zip"
    root: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "repository", _path("repository", self.repository))
        object.__setattr__(self, "subdirectory", _path("subdirectory", self.subdirectory, may_be_empty=True))
        if not self.revision.strip() or not self.revision.isprintable() or self.revision in (".", ".."):
            raise UsageError("No revision is named.", "Name a changeset, a branch, a tag or a bookmark.")
        if self.suffix not in SUFFIXES:
            raise UsageError(f"There are no {self.suffix[:40]!r} archives.", f"Choose one of {', '.join(SUFFIXES)}.")


@dataclass(frozen=True)
class Wanted:
    """One archive for ever: `node` has all 40 digits, `root` is the server's address."""

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
        return key_of(self.repository, self.node, self.suffix, self.subdirectory)

    @property
    def base(self) -> str:
        """The last part of the repository's name, with which its archives begin."""
        return self.repository.rpartition("/")[2]

    @property
    def file_name(self) -> str:
        part = f"-{self.subdirectory.replace('/', '-')}" if self.subdirectory else ""
        return safe_name(f"{self.base}-{self.node[:SHORT]}{part}.{self.suffix}")

    @property
    def words(self) -> str:
        """For a sentence: "testing/mozharness of projects/ash 42bf8560b395 as zip"."""
        part = f"{self.subdirectory} of " if self.subdirectory else ""
        return f"{part}{self.repository} {self.node[:SHORT]} as {self.suffix}"

    def as_suffix(self, suffix: str) -> Wanted:
        return replace(self, suffix=suffix)


def key_of(repository: str, revision: str, suffix: str, subdirectory: str) -> str:
    return f"{repository}-{revision[:SHORT]}.{suffix}" + (f"/{subdirectory}" if subdirectory else "")


def task_id_of(key: str) -> str:
    """The original's; two keys may have the same."""
    return key.replace("/", "_")


def _path(what: str, text: str, *, may_be_empty: bool = False) -> str:
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if not parts and not may_be_empty:
        raise UsageError(f"No {what} is named.")
    if ".." in parts or not text.isprintable():
        raise UsageError(f"A {what} cannot be named with .. or unprintable characters.")
    return "/".join(parts)
