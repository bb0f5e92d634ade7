"""Servers that archives come from: an hgweb or GitHub resolves revisions and provides archives of them.

hgweb is Mercurial's own web server, with or without hg.mozilla.org's pushlog; the shapes are those of the JSON
templates of Mercurial 7.2 and of version-control-tools' pushlog. All requests are for JSON, because only then a wrong
revision differs from a wrong repository: the latter is a web page with 404. GitHub provides archives of complete
repositories only.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import msgspec

from backends.archives.locators import GITHUB
from backends.archives.spec import SHORT_DIGITS, ArchiveSpec
from backends.errors import AppError, UsageError
from backends.http.errors import BadRequestError, HttpError, NotFoundError, UnexpectedResponseError, sanitize, short_url
from backends.http.policies import CachePolicy
from backends.http.response import Freshness

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.config import Settings
    from backends.http import Http

TEMPLATE = "{root}/{repo}/archive/{rev}.{suffix}/{subdir}"


class SourceNotFoundError(AppError):
    """The server has no such repository, revision, subdirectory or kind of archive."""

    exit_code = 3


class UnsupportedSuffixError(SourceNotFoundError):
    """The server provides archives, but not of that kind."""


@dataclass(frozen=True)
class Changeset:
    """One revision. Times in epoch milliseconds; `push_id`, `pushed_ms`, `pusher` if the server has pushes."""

    node: str
    author: str = ""
    time_ms: int | None = None
    description: str = ""
    branch: str = ""
    names: tuple[str, ...] = ()
    push_id: int | None = None
    pushed_ms: int | None = None
    pusher: str = ""


@dataclass(frozen=True)
class RepositoryEntry:
    name: str
    description: str = ""
    contact: str = ""
    changed_ms: int | None = None


class SourceHost(Protocol):
    """One server. All methods raise `AppError`s and may be called from any thread."""

    root: str
    has_subdirectories: bool  # whether it provides archives of single directories

    def resolve(self, repository: str, revision: str, cancel: CancelToken | None = None) -> Changeset:
        """The revision with its full node. Raises `SourceNotFoundError`."""
        ...

    def archive_url(self, spec: ArchiveSpec) -> str: ...

    def refusal(self, spec: ArchiveSpec, status: int | None) -> SourceNotFoundError | None:
        """What this status of the archive's URL means (None: before the request); None if it has no special meaning."""
        ...

    def repositories(self, cancel: CancelToken | None = None) -> tuple[list[RepositoryEntry], Freshness]: ...

    def log(self, repository: str, cancel: CancelToken) -> Iterator[tuple[list[Changeset], Freshness, str]]:
        """The newest revisions, page by page, each page with a note ("" for none)."""
        ...


def host_for(root: str, http: Http, settings: Settings) -> SourceHost:
    """The server at `root`; "" is the configured hgweb."""
    configured = settings.hg_url.rstrip("/")
    if (root or configured) == GITHUB:
        return GitHubHost(http)
    template = settings.archive_url_template if root in ("", configured) else ""
    return HgwebHost(http, root or configured, template or TEMPLATE)


def fill_template(template: str, root: str, spec: ArchiveSpec) -> str:
    """The URL of an archive. The names are replaced, not formatted: format strings can access attributes."""
    values = {
        "root": root, "repo": quote(spec.repository, safe="/"), "rev": spec.node[:SHORT_DIGITS], "suffix": spec.suffix,
        "subdir": quote(spec.subdirectory, safe="/"),
    }  # fmt: skip
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", value)
    return template


NODE = re.compile(r"[0-9a-f]{40}", re.ASCII)
HG_PAGE = 200  # revisions a request; 600 bytes each
MOST_REVISIONS = 1000  # revisions listed: mozilla-central has 900,000
_NAMES = (("branches", "branch"), ("tags", "tag"), ("bookmarks", "bookmark"))
_NULL_NODE = "0" * 40
_WORKING_DIRECTORY = re.compile(r"f{12,40}")  # Mercurial's working directory; json-log fails with 500 for it (7.2)


class _LogEntry(msgspec.Struct):
    node: str
    user: Any = ""
    date: Any = None
    desc: Any = ""
    branch: Any = ""
    tags: Any = ()
    bookmarks: Any = ()
    pushid: Any = None
    pushdate: Any = None
    pushuser: Any = ""


class _Log(msgspec.Struct):
    changesets: list[_LogEntry]


class _Index(msgspec.Struct):
    entries: list[dict[str, Any]]


class HgwebHost:
    """One hgweb. `root`: its URL without a slash at the end."""

    has_subdirectories = True

    def __init__(self, http: Http, root: str, template: str = TEMPLATE) -> None:
        self.http = http
        self.root = root.rstrip("/")
        self._template = template

    def resolve(self, repository: str, revision: str, cancel: CancelToken | None = None) -> Changeset:
        """One request of json-log, which unlike json-rev does not contain the diff. Names with a slash are looked up
        among branches, tags and bookmarks: hgweb does not find them in a URL, not even as %2F."""
        if _WORKING_DIRECTORY.fullmatch(revision):
            raise self._no_revision(repository, revision)
        node = self._find_name(repository, revision, cancel) if "/" in revision else revision
        policy = CachePolicy.immutable() if NODE.fullmatch(node) else CachePolicy.short(30)
        found = self._log(repository, node, 1, policy, cancel)[0]
        if not found or not NODE.fullmatch(found[0].node) or found[0].node == _NULL_NODE:
            raise self._no_revision(repository, revision)
        if NODE.fullmatch(revision) and found[0].node != revision:
            raise UnexpectedResponseError(
                f"{short_url(self.root)} returned another revision than {revision} of {sanitize(repository, 80)}."
            )
        return found[0]

    def _find_name(self, repository: str, name: str, cancel: CancelToken | None) -> str:
        for kind, field in _NAMES:
            body, _ = self._json(repository, f"json-{kind}", CachePolicy.short(30), cancel, dict[str, Any])
            for entry in body.get(kind) or ():
                if isinstance(entry, dict) and entry.get(field) == name and NODE.fullmatch(str(entry.get("node"))):
                    return str(entry["node"])
        raise self._no_revision(repository, name)

    def _no_revision(self, repository: str, revision: str, words: str = "") -> SourceNotFoundError:
        says = f' It says: "{words}"' if words else ""
        return SourceNotFoundError(
            f"{sanitize(repository, 120)} on {short_url(self.root).rstrip('/')} has no revision "
            f"{sanitize(revision, 60)}.{says}",
            "Check the revision, and whether it is of this repository: a push to try is not in mozilla-central.",
        )

    def _log(
        self, repository: str, start: str, count: int, policy: CachePolicy, cancel: CancelToken | None
    ) -> tuple[list[Changeset], Freshness]:
        where = f"json-log/{quote(start, safe='')}?revcount={count}"
        try:
            log, freshness = self._json(repository, where, policy, cancel, _Log)
        except NotFoundError as error:
            said = error.sentence.partition(" It says: ")[2].strip('"')
            raise self._no_revision(repository, start, said) if said else self._no_repository(repository) from None
        return [_hg_changeset(one) for one in log.changesets], freshness

    def _no_repository(self, repository: str) -> SourceNotFoundError:
        return SourceNotFoundError(
            f"{short_url(self.root).rstrip('/')} has no repository {sanitize(repository, 120)}.",
            "Names include their folder, e.g. integration/autoland; archives:repositories lists them.",
        )

    def _json(
        self, repository: str, where: str, policy: CachePolicy, cancel: CancelToken | None, kind: Any
    ) -> tuple[Any, Freshness]:
        url = f"{self.root}/{quote(repository, safe='/')}/{where}"
        value, answer = self.http.json(url, policy=policy, cancel=cancel, type=kind)
        return value, answer.freshness

    def archive_url(self, spec: ArchiveSpec) -> str:
        return fill_template(self._template, self.root, spec)

    def refusal(self, spec: ArchiveSpec, status: int | None) -> SourceNotFoundError | None:
        """The revision is known by then, so that 404 leaves the subdirectory (hgweb: "file(s) not found")."""
        host = short_url(self.root).rstrip("/")
        if status == 403:
            return UnsupportedSuffixError(
                f"{host} provides no {spec.suffix} archives.", "Choose another suffix, e.g. zip."
            )
        if status != 404:
            return None
        if spec.subdirectory:
            where = f"{sanitize(spec.repository, 80)} {spec.node[:12]}"
            return SourceNotFoundError(
                f"{where} has nothing at {sanitize(spec.subdirectory, 120)}.", "Check the subdirectory."
            )
        return SourceNotFoundError(
            f"{host} has no archives of {sanitize(spec.repository, 80)}.", "It may not serve archives at all."
        )

    def repositories(self, cancel: CancelToken | None = None) -> tuple[list[RepositoryEntry], Freshness]:
        try:
            index, answer = self.http.json(
                f"{self.root}/?style=json", policy=CachePolicy.short(3600), cancel=cancel, type=_Index, cap=256 << 20
            )
        except UnexpectedResponseError as error:
            raise SourceNotFoundError(
                f"{short_url(self.root).rstrip('/')} has no list of its repositories that a program can read.",
                "Open one by its name, e.g. archives:mozilla-central.",
            ) from error
        found = []
        for entry in index.entries:
            name = str(entry.get("name") or "").strip("/")
            if name:
                described = _text(entry.get("description"))
                found.append(
                    RepositoryEntry(
                        name, "" if described == "unknown" else described, _text(entry.get("contact")),
                        _hg_time(entry.get("lastchange")),
                    )
                )  # fmt: skip
        return found, answer.freshness

    def log(self, repository: str, cancel: CancelToken) -> Iterator[tuple[list[Changeset], Freshness, str]]:
        """The newest `MOST_REVISIONS` by number. A page begins with the last of the page before, which is left out."""
        start, seen = "tip", set[str]()
        while True:
            policy = CachePolicy.short(30) if start == "tip" else CachePolicy.short(300)
            page, freshness = self._log(repository, start, HG_PAGE, policy, cancel)
            fresh = [
                one for one in page if NODE.fullmatch(one.node) and one.node not in seen and one.node != _NULL_NODE
            ]
            seen.update(one.node for one in fresh)
            more = len(page) >= HG_PAGE and bool(fresh)
            cut = more and len(seen) >= MOST_REVISIONS
            fresh = self._with_pushers(repository, fresh, cancel)
            yield fresh, freshness, f"The newest {len(seen):,} revisions; older ones by their id." if cut else ""
            if not more or cut:
                return
            start = page[-1].node

    def _with_pushers(self, repository: str, page: list[Changeset], cancel: CancelToken) -> list[Changeset]:
        """Adds who pushed them, which only json-pushes has. A plain hgweb has no pushes: then nothing is added."""
        pushes = [one.push_id for one in page if one.push_id is not None]
        if not pushes or all(one.pusher for one in page):
            return page
        where = f"json-pushes?version=2&startID={max(min(pushes) - 1, 0)}&endID={max(pushes)}"
        with contextlib.suppress(HttpError):
            body, _ = self._json(repository, where, CachePolicy.short(300), cancel, dict[str, Any])
            pushes_by_id = body.get("pushes")
            users = (
                {key: _text(one.get("user")) for key, one in pushes_by_id.items() if isinstance(one, dict)}
                if pushes_by_id
                else {}
            )
            return [replace(one, pusher=users.get(str(one.push_id), one.pusher)) for one in page]
        return page


def _hg_changeset(one: _LogEntry) -> Changeset:
    names = [_text(name) for many in (one.tags, one.bookmarks) if isinstance(many, (list, tuple)) for name in many]
    return Changeset(
        one.node, _text(one.user), _hg_time(one.date), _text(one.desc), _text(one.branch), tuple(names),
        one.pushid if isinstance(one.pushid, int) else None, _hg_time(one.pushdate), _text(one.pushuser),
    )  # fmt: skip


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _hg_time(date: Any) -> int | None:
    """hgweb's [seconds since 1970, offset of the author's zone]: the seconds are UTC already."""
    seconds = date[0] if isinstance(date, (list, tuple)) and date else date
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < 250_000_000_000:
        return None
    return int(seconds * 1000)


GITHUB_PAGE = 100  # its maximum; without an account it allows 60 requests an hour
GITHUB_SUFFIXES = ("zip", "tar.gz")


class GitHubHost:
    """github.com, or with `root` and `api` a server with the same API."""

    has_subdirectories = False

    def __init__(self, http: Http, root: str = GITHUB, api: str = "https://api.github.com") -> None:
        self.http, self.root, self._api = http, root, api

    def resolve(self, repository: str, revision: str, cancel: CancelToken | None = None) -> Changeset:
        policy = CachePolicy.immutable() if NODE.fullmatch(revision) else CachePolicy.short(60)
        where = f"commits/{quote(revision, safe='')}?per_page=1"
        try:
            value, _ = self._json(repository, where, policy, cancel)
        except (NotFoundError, BadRequestError) as error:
            raise SourceNotFoundError(
                f"GitHub has no {sanitize(revision, 60)} in {sanitize(repository, 120)}.",
                "Check both; repositories that are private cannot be read here.",
            ) from error
        found = _github_changeset(value)
        if found is None:
            raise SourceNotFoundError(f"GitHub has no commit {sanitize(revision, 60)} of {sanitize(repository, 120)}.")
        return found

    def _json(
        self, repository: str, where: str, policy: CachePolicy, cancel: CancelToken | None
    ) -> tuple[Any, Freshness]:
        url = f"{self._api}/repos/{quote(repository, safe='/')}/{where}"
        value, answer = self.http.json(url, policy=policy, cancel=cancel)
        return value, answer.freshness

    def archive_url(self, spec: ArchiveSpec) -> str:
        if spec.subdirectory:
            raise UsageError("GitHub provides archives of complete repositories only.", "Leave out the subdirectory.")
        return f"{self.root}/{quote(spec.repository, safe='/')}/archive/{spec.node}.{spec.suffix}"

    def refusal(self, spec: ArchiveSpec, status: int | None) -> SourceNotFoundError | None:
        if spec.suffix not in GITHUB_SUFFIXES:
            return UnsupportedSuffixError(f"GitHub provides no {spec.suffix} archives.", "Choose zip or tar.gz.")
        if status == 404:
            return SourceNotFoundError(f"GitHub has no archive of {sanitize(spec.repository, 80)} {spec.node[:12]}.")
        return None

    def repositories(self, cancel: CancelToken | None = None) -> tuple[list[RepositoryEntry], Freshness]:
        raise UsageError("GitHub has no list of all its repositories.", "Name one: https://github.com/OWNER/NAME")

    def log(self, repository: str, cancel: CancelToken) -> Iterator[tuple[list[Changeset], Freshness, str]]:
        try:
            value, freshness = self._json(repository, f"commits?per_page={GITHUB_PAGE}", CachePolicy.short(60), cancel)
        except NotFoundError:
            raise SourceNotFoundError(f"GitHub has no repository {sanitize(repository, 120)} that is public.") from None
        found = [_github_changeset(one) for one in value] if isinstance(value, list) else []
        known = [one for one in found if one is not None]
        yield (
            known,
            freshness,
            f"The newest {len(known)} commits; older ones by their id." if len(known) >= GITHUB_PAGE else "",
        )


def _github_changeset(value: Any) -> Changeset | None:
    if not isinstance(value, dict) or not NODE.fullmatch(str(value.get("sha"))):
        return None
    commit = value.get("commit")
    commit = commit if isinstance(commit, dict) else {}
    author = commit.get("committer")
    author = author if isinstance(author, dict) else {}
    message = commit.get("message")
    return Changeset(
        str(value["sha"]), str(author.get("name") or ""), _github_time(author.get("date")),
        message if isinstance(message, str) else "",
    )  # fmt: skip


def _github_time(text: Any) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return int(moment.timestamp() * 1000) if moment.tzinfo is not None else None
