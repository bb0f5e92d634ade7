"""Locators of source archives: a server's repositories, a repository, a revision, and the archives cached here.

`root` is "" where the text names no server: the configured hgweb is meant. Where a browser can show the same thing,
`text()` is that URL; otherwise `archives:REPOSITORY@REVISION/SUBDIRECTORY?suffix=...&root=...`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlsplit

from backends.locators.base import Locator
from backends.locators.pasted import escape
from backends.net import is_loopback

SUFFIXES = ("zip", "tar.gz", "tar.bz2")
GITHUB = "https://github.com"
HG_MOZILLA = "https://hg.mozilla.org"
RESERVED = frozenset({"repositories", "held"})
# hgweb's commands (mercurial/hgweb/webcommands.py) and those that Mozilla's extensions add: a repository's name ends
# where one of them stands.
COMMANDS = frozenset({
    "rev", "changeset", "raw-rev", "json-rev", "archive", "file", "raw-file", "json-file", "annotate", "log",
    "shortlog", "changelog", "graph", "filelog", "diff", "comparison", "tags", "branches", "bookmarks", "summary",
    "files", "manifest", "pushlog", "pushloghtml", "json-log", "json-pushes", "json-tags", "json-branches",
    "json-bookmarks", "json-automationrelevance", "json-info", "json-graph", "json-shortlog",
})  # fmt: skip
HEX = re.compile(r"[0-9a-f]{12,40}", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*[A-Za-z0-9_+-]|[A-Za-z0-9_]", re.ASCII)
_LISTS = "backends.archives.lists"


@dataclass(frozen=True)
class ArchiveLocator(Locator):
    system: ClassVar[str] = "archives"


@dataclass(frozen=True)
class SourceRepositories(ArchiveLocator):
    """All repositories of a server."""

    root: str = ""

    def text(self) -> str:
        return _short_text("repositories", root=self.root)

    def web_url(self) -> str:
        return self.root

    def listing(self) -> str:
        return f"{_LISTS}:SourceRepositoryList"


@dataclass(frozen=True)
class CachedArchives(ArchiveLocator):
    """The archives that are cached on this machine."""

    @property
    def is_local(self) -> bool:
        return True

    def text(self) -> str:
        return "archives:held"

    def listing(self) -> str:
        return f"{_LISTS}:CachedArchiveList"


@dataclass(frozen=True)
class SourceRepository(ArchiveLocator):
    """One repository: its revisions."""

    repository: str
    root: str = ""

    def web_url(self) -> str:
        """The page that shows it, on the server `root`."""
        return _repository_url(self.root, self.repository) + ("" if self.root == GITHUB else "/shortlog")

    def text(self) -> str:
        if _has_page(self.root, self.repository):
            return self.web_url()
        return _short_text(_guard(self.repository), root=self.root)

    def listing(self) -> str:
        return f"{_LISTS}:RevisionList"


@dataclass(frozen=True)
class SourceRevision(ArchiveLocator):
    """A revision, by any name of it: its archives. `subdirectory`: archives of this directory only."""

    repository: str
    revision: str
    subdirectory: str = ""
    suffix: str = ""
    root: str = ""

    def web_url(self) -> str:
        """The page that shows it on the server `root`, or its archive if it has a suffix.

        Encoded so that parsing it gives this locator again, on a host that is recognized.
        """
        base, revision = _repository_url(self.root, self.repository), escape(self.revision)
        below = f"/{escape(self.subdirectory, safe='/+')}" if self.subdirectory else ""
        if self.root == GITHUB:
            if self.suffix in ("zip", "tar.gz") and not below:
                return f"{base}/archive/{revision}.{self.suffix}"
            return f"{base}/tree/{revision}{below}" if below else f"{base}/commit/{revision}"
        if self.suffix:
            return f"{base}/archive/{revision}.{self.suffix}{below}"
        return f"{base}/file/{revision}{below}" if below else f"{base}/rev/{revision}"

    def text(self) -> str:
        if self._web_url_says_all():
            return self.web_url()
        path = f"{escape(self.repository, safe='/')}@{escape(self.revision)}"
        if self.subdirectory:
            path += f"/{escape(self.subdirectory, safe='/')}"
        return _short_text(path, suffix=self.suffix, root=self.root)

    def _web_url_says_all(self) -> bool:
        if self.root == GITHUB and self.suffix and (self.subdirectory or self.suffix == "tar.bz2"):
            return False
        parts = self.subdirectory.split("/") if self.subdirectory else []
        return (
            _has_page(self.root, self.repository)
            and HEX.fullmatch(self.revision) is not None
            and all(_PLAIN.fullmatch(part) for part in parts)
        )

    def listing(self) -> str:
        return f"{_LISTS}:RevisionArchiveList"


def _repository_url(root: str, repository: str) -> str:
    """A path segment that reads as a command of hgweb is encoded: to the server it is the same."""
    escaped = escape(repository, safe="/+")
    if root == GITHUB:
        return f"{root}/{escaped}"
    first, *rest = escaped.split("/")
    guarded = [f"%{ord(part[0]):02X}{part[1:]}" if part in COMMANDS else part for part in rest]
    return "/".join([root, first, *guarded])


def _short_text(path: str, *, suffix: str = "", root: str = "") -> str:
    pairs = [f"{name}={escape(value, safe=':/')}" for name, value in (("suffix", suffix), ("root", root)) if value]
    return f"archives:{path}" + (f"?{'&'.join(pairs)}" if pairs else "")


def _guard(repository: str) -> str:
    """The escaped name, its last part escaped further where it would read as a reserved word or as a revision."""
    escaped = escape(repository, safe="/")
    above, slash, last = escaped.rpartition("/")
    if escaped in RESERVED or (above and HEX.fullmatch(last)):
        last = f"%{ord(last[0]):02X}{last[1:]}"
    return f"{above}{slash}{last}"


def _has_page(root: str, repository: str) -> bool:
    """Whether the URL of a page on this server names the repository completely and is parsed to the same locator."""
    try:
        split = urlsplit(root)
    except ValueError:
        return False
    parts = repository.split("/")
    if split.path or not all(_PLAIN.fullmatch(part) for part in parts) or COMMANDS.intersection(parts):
        return False
    if root == GITHUB:
        return len(parts) == 2
    host = split.hostname or ""
    return split.scheme in ("http", "https") and (host.startswith("hg.") or (is_loopback(host) and len(parts[0]) < 20))
