"""Locators of sources: an hgweb's repositories, one of them, a revision in it, and the archives that are kept here.

`root` is "" when the text named no server: then the configured hgweb is meant. Where a browser shows the same thing
`text()` is its address; otherwise `archive:REPOSITORY@REVISION/SUBDIRECTORY?suffix=…&root=…`.
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
# Where Treeherder's names of Mozilla's repositories are on hg.mozilla.org (treeherder model/fixtures/repository.json).
_PROJECTS = {
    "autoland": "integration/autoland",
    "mozilla-inbound": "integration/mozilla-inbound",
    "mozilla-beta": "releases/mozilla-beta",
    "mozilla-release": "releases/mozilla-release",
    "comm-beta": "releases/comm-beta",
    "comm-release": "releases/comm-release",
    "ash": "projects/ash", "birch": "projects/birch", "cedar": "projects/cedar", "cypress": "projects/cypress",
    "elm": "projects/elm", "holly": "projects/holly", "jamun": "projects/jamun", "larch": "projects/larch",
    "maple": "projects/maple", "nss": "projects/nss", "nss-try": "projects/nss-try", "oak": "projects/oak",
    "pine": "projects/pine", "toolchains": "projects/toolchains",
}  # fmt: skip
# And those of its active ones that are on GitHub.
_ON_GITHUB = {
    "application-services": "mozilla/application-services",
    "enterprise-beta": "mozilla/enterprise-firefox",
    "enterprise-firefox-pr": "mozilla/enterprise-firefox",
    "enterprise-firefox-try": "mozilla/enterprise-firefox-try",
    "enterprise-main": "mozilla/enterprise-firefox",
    "enterprise-release": "mozilla/enterprise-firefox",
    "fenix": "mozilla-mobile/fenix",
    "firefox-dev": "mozilla/firefox-dev",
    "firefox-ios": "mozilla-mobile/firefox-ios",
    "firefox-translations-training": "mozilla/firefox-translations-training",
    "mozilla-vpn-client": "mozilla-mobile/mozilla-vpn-client",
    "mozilla-vpn-client-release": "mozilla-mobile/mozilla-vpn-client",
    "reference-browser": "mozilla-mobile/reference-browser",
    "servo-auto": "servo/servo",
    "servo-master": "servo/servo",
    "servo-try": "servo/servo",
    "staging-firefox": "mozilla-releng/staging-firefox",
    "staging-firefox-ios": "mozilla-mobile/staging-firefox-ios",
    "staging-firefox-translations-training": "mozilla-releng/staging-firefox-translations-training",
    "taskgraph": "taskcluster/taskgraph",
    "webrender": "servo/webrender",
    "worker-images": "mozilla-platform-ops/worker-images",
}
_ESR = re.compile(r"(mozilla|comm)-esr[0-9]+", re.ASCII)


@dataclass(frozen=True)
class ArchiveLocator(Locator):
    system: ClassVar[str] = "archives"


@dataclass(frozen=True)
class Repositories(ArchiveLocator):
    """All repositories of a server."""

    root: str = ""

    def text(self) -> str:
        return _short("repositories", root=self.root)

    def page(self) -> str:
        return self.root


@dataclass(frozen=True)
class HeldArchives(ArchiveLocator):
    """The archives that are kept on this machine."""

    def text(self) -> str:
        return "archive:held"


@dataclass(frozen=True)
class Repository(ArchiveLocator):
    """One repository: its revisions."""

    repository: str
    root: str = ""

    def page(self) -> str:
        """Where a browser shows it, on the server that `root` names."""
        return _base(self.root, self.repository) + ("" if self.root == GITHUB else "/shortlog")

    def text(self) -> str:
        if _has_page(self.root, self.repository):
            return f"{self.root}/{self.repository}" + ("" if self.root == GITHUB else "/shortlog")
        return _short(_guarded(self.repository), root=self.root)


@dataclass(frozen=True)
class Revision(ArchiveLocator):
    """One revision, by whatever names it: what archives there can be of it. `subdirectory`: of a part only."""

    repository: str
    revision: str
    subdirectory: str = ""
    suffix: str = ""
    root: str = ""

    def page(self) -> str:
        """Where a browser shows it, or the archive of a kind that it names, on the server that `root` names. Everything
        is encoded so that `parse` reads it back, on a host that it knows."""
        base, revision = _base(self.root, self.repository), escape(self.revision)
        below = f"/{escape(self.subdirectory, safe='/')}" if self.subdirectory else ""
        if self.root == GITHUB:
            if self.suffix in ("zip", "tar.gz") and not below:
                return f"{base}/archive/{revision}.{self.suffix}"
            return f"{base}/tree/{revision}{below}" if below else f"{base}/commit/{revision}"
        if self.suffix:
            return f"{base}/archive/{revision}.{self.suffix}{below}"
        return f"{base}/file/{revision}{below}" if below else f"{base}/rev/{revision}"

    def text(self) -> str:
        plain_subdirectory = all(_PLAIN.fullmatch(part) for part in self.subdirectory.split("/") if self.subdirectory)
        if _has_page(self.root, self.repository) and HEX.fullmatch(self.revision) and plain_subdirectory:
            return self._page()
        where = f"{escape(self.repository, safe='/')}@{escape(self.revision)}"
        if self.subdirectory:
            where += f"/{escape(self.subdirectory, safe='/')}"
        return _short(where, suffix=self.suffix, root=self.root)

    def _page(self) -> str:
        base, below = f"{self.root}/{self.repository}", f"/{self.subdirectory}" if self.subdirectory else ""
        if self.root == GITHUB:
            if self.suffix in ("zip", "tar.gz") and not below:
                return f"{base}/archive/{self.revision}.{self.suffix}"
            if not self.suffix:
                return f"{base}/tree/{self.revision}{below}" if below else f"{base}/commit/{self.revision}"
        elif self.suffix:
            return f"{base}/archive/{self.revision}.{self.suffix}{below}"
        elif below:
            return f"{base}/file/{self.revision}{below}"
        else:
            return f"{base}/rev/{self.revision}"
        return _short(f"{self.repository}@{self.revision}{below}", suffix=self.suffix, root=self.root)


def _base(root: str, repository: str) -> str:
    """A segment that reads as an hgweb's command is encoded: to the server it is the same."""
    if root == GITHUB:
        return f"{root}/{escape(repository, safe='/')}"
    first, *rest = escape(repository, safe="/").split("/")
    guarded = [f"%{ord(part[0]):02X}{part[1:]}" if part in COMMANDS else part for part in rest]
    return "/".join([root, first, *guarded])


def of_project(project: str, revision: str, root: str = "") -> Revision:
    """The source of a push, by the name that Taskcluster and Treeherder have for its repository."""
    if not root and project in _ON_GITHUB:
        return Revision(_ON_GITHUB[project], revision, root=GITHUB)
    path = _PROJECTS.get(project) or (f"releases/{project}" if _ESR.fullmatch(project) else project)
    return Revision(path, revision, root=root)


def of_repository(url: str, revision: str) -> Revision | None:
    """The source of a push whose repository is at that address, None if that is none of a repository.

    Mozilla's own hgweb is the configured one then, as it is for names without an address.
    """
    from backends.locators.archives_forms import recognise
    from backends.locators.base import InvalidLocatorError
    from backends.locators.pasted import PastedText

    try:
        found = recognise(PastedText(url)) if "://" in url else None
    except InvalidLocatorError:
        return None
    if not isinstance(found, Repository):
        return None
    return Revision(found.repository, revision, root="" if found.root == HG_MOZILLA else found.root)


def _short(where: str, *, suffix: str = "", root: str = "") -> str:
    pairs = [f"{name}={escape(value, safe=':/')}" for name, value in (("suffix", suffix), ("root", root)) if value]
    return f"archive:{where}" + (f"?{'&'.join(pairs)}" if pairs else "")


def _guarded(repository: str) -> str:
    """The escaped name, with one more escape where it would read as a word of ours or as ending in a revision."""
    escaped = escape(repository, safe="/")
    above, slash, last = escaped.rpartition("/")
    if escaped in RESERVED or (above and HEX.fullmatch(last)):
        last = f"%{ord(last[0]):02X}{last[1:]}"
    return f"{above}{slash}{last}"


def _has_page(root: str, repository: str) -> bool:
    """Whether the address of a page says all and is read back as it was meant."""
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
