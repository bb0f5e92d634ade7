"""What an hgweb is asked (Mercurial's own web server, with or without hg.mozilla.org's pushlog), and what it means.

The shapes are those of Mercurial 7.2's json templates and of version-control-tools' pushlog. Everything is asked as
JSON, because only then a wrong revision is told apart from a wrong repository: the latter is a web page with 404.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from backends.archives.sources import TEMPLATE, Changeset, NotThere, RepositoryEntry, SuffixRefused, filled
from backends.archives.wanted import Wanted
from backends.http.errors import HttpError, NotFoundError, UnexpectedResponseError, sanitize, short_url
from backends.http.policies import CachePolicy
from backends.http.response import Freshness

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.http import Http

NODE = re.compile(r"[0-9a-f]{40}", re.ASCII)
PAGE = 200  # revisions a request; 600 bytes each
MOST = 1000  # revisions listed: mozilla-central has 900,000
_NAMES = (("branches", "branch"), ("tags", "tag"), ("bookmarks", "bookmark"))
_NEVER = "0" * 40
_NOWHERE = re.compile(r"f{12,40}")  # Mercurial's working directory; json-log answers it with 500 (7.2)


class _Logged(msgspec.Struct):
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
    changesets: list[_Logged]


class _Index(msgspec.Struct):
    entries: list[dict[str, Any]]


class Hgweb:
    """One hgweb. `root`: its address without a slash at the end."""

    has_parts = True

    def __init__(self, http: Http, root: str, template: str = TEMPLATE) -> None:
        self.http = http
        self.root = root.rstrip("/")
        self._template = template

    def resolve(self, repository: str, revision: str, cancel: CancelToken | None = None) -> Changeset:
        """One request by json-log, which unlike json-rev does not bring the whole diff. Names with a slash are looked
        up among branches, tags and bookmarks: in an address hgweb never finds them, not even as %2F."""
        if _NOWHERE.fullmatch(revision):
            raise self._no_revision(repository, revision)
        node = self._named(repository, revision, cancel) if "/" in revision else revision
        policy = CachePolicy.immutable() if NODE.fullmatch(node) else CachePolicy.short(30)
        found = self._log(repository, node, 1, policy, cancel)[0]
        if not found or not NODE.fullmatch(found[0].node) or found[0].node == _NEVER:
            raise self._no_revision(repository, revision)
        if NODE.fullmatch(revision) and found[0].node != revision:
            raise UnexpectedResponseError(
                f"{short_url(self.root)} gave another revision than {revision} of {sanitize(repository, 80)}."
            )
        return found[0]

    def _named(self, repository: str, name: str, cancel: CancelToken | None) -> str:
        for kind, field in _NAMES:
            body, _ = self._json(repository, f"json-{kind}", CachePolicy.short(30), cancel, dict[str, Any])
            for entry in body.get(kind) or ():
                if isinstance(entry, dict) and entry.get(field) == name and NODE.fullmatch(str(entry.get("node"))):
                    return str(entry["node"])
        raise self._no_revision(repository, name)

    def _no_revision(self, repository: str, revision: str, words: str = "") -> NotThere:
        says = f' It says: "{words}"' if words else ""
        return NotThere(
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
        except NotFoundError as problem:
            said = problem.sentence.partition(" It says: ")[2].strip('"')
            raise self._no_revision(repository, start, said) if said else self._no_repository(repository) from None
        return [_changeset(one) for one in log.changesets], freshness

    def _no_repository(self, repository: str) -> NotThere:
        return NotThere(
            f"{short_url(self.root).rstrip('/')} has no repository {sanitize(repository, 120)}.",
            "Names have their folder, such as integration/autoland; archive:repositories lists them.",
        )

    def _json(
        self, repository: str, where: str, policy: CachePolicy, cancel: CancelToken | None, kind: Any
    ) -> tuple[Any, Freshness]:
        url = f"{self.root}/{quote(repository, safe='/')}/{where}"
        value, answer = self.http.json(url, policy=policy, cancel=cancel, type=kind)
        return value, answer.freshness

    def archive_url(self, wanted: Wanted) -> str:
        return filled(self._template, self.root, wanted)

    def refusal(self, wanted: Wanted, status: int | None) -> NotThere | None:
        """The revision is known by then, so that 404 leaves the subdirectory (hgweb: "file(s) not found")."""
        host = short_url(self.root).rstrip("/")
        if status == 403:
            return SuffixRefused(f"{host} makes no {wanted.suffix} archives.", "Ask for another suffix, such as zip.")
        if status != 404:
            return None
        if wanted.subdirectory:
            where = f"{sanitize(wanted.repository, 80)} {wanted.node[:12]}"
            return NotThere(f"{where} has nothing at {sanitize(wanted.subdirectory, 120)}.", "Check the subdirectory.")
        return NotThere(
            f"{host} has no archives of {sanitize(wanted.repository, 80)}.", "It may not serve archives at all."
        )

    def repositories(self, cancel: CancelToken | None = None) -> tuple[list[RepositoryEntry], Freshness]:
        try:
            index, answer = self.http.json(
                f"{self.root}/?style=json", policy=CachePolicy.short(3600), cancel=cancel, type=_Index, cap=256 << 20
            )
        except UnexpectedResponseError as problem:
            raise NotThere(
                f"{short_url(self.root).rstrip('/')} has no list of its repositories that a program can read.",
                "Open one by its name, such as archive:mozilla-central.",
            ) from problem
        found = []
        for entry in index.entries:
            name = str(entry.get("name") or "").strip("/")
            if name:
                described = _text(entry.get("description"))
                found.append(
                    RepositoryEntry(
                        name, "" if described == "unknown" else described, _text(entry.get("contact")),
                        _milliseconds(entry.get("lastchange")),
                    )
                )  # fmt: skip
        return found, answer.freshness

    def log(self, repository: str, cancel: CancelToken) -> Iterator[tuple[list[Changeset], Freshness, str]]:
        """The newest `MOST` by number. A page begins with the last of the page before, which is left out."""
        start, seen = "tip", set[str]()
        while True:
            policy = CachePolicy.short(30) if start == "tip" else CachePolicy.short(300)
            page, freshness = self._log(repository, start, PAGE, policy, cancel)
            fresh = [one for one in page if NODE.fullmatch(one.node) and one.node not in seen and one.node != _NEVER]
            seen.update(one.node for one in fresh)
            more = len(page) >= PAGE and bool(fresh)
            cut = more and len(seen) >= MOST
            fresh = self._with_pushers(repository, fresh, cancel)
            yield fresh, freshness, f"The newest {len(seen):,} revisions; older ones by their id." if cut else ""
            if not more or cut:
                return
            start = page[-1].node

    def _with_pushers(self, repository: str, page: list[Changeset], cancel: CancelToken) -> list[Changeset]:
        """Who pushed them: only json-pushes knows. A plain hgweb has no pushes, and a list without it is a list."""
        pushes = [one.push_id for one in page if one.push_id is not None]
        if not pushes or all(one.pusher for one in page):
            return page
        where = f"json-pushes?version=2&startID={max(min(pushes) - 1, 0)}&endID={max(pushes)}"
        with contextlib.suppress(HttpError):
            body, _ = self._json(repository, where, CachePolicy.short(300), cancel, dict[str, Any])
            told = body.get("pushes")
            users = {key: _text(one.get("user")) for key, one in told.items() if isinstance(one, dict)} if told else {}
            return [replace(one, pusher=users.get(str(one.push_id), one.pusher)) for one in page]
        return page


def _changeset(one: _Logged) -> Changeset:
    names = [_text(name) for many in (one.tags, one.bookmarks) if isinstance(many, (list, tuple)) for name in many]
    return Changeset(
        one.node, _text(one.user), _milliseconds(one.date), _text(one.desc), _text(one.branch), tuple(names),
        one.pushid if isinstance(one.pushid, int) else None, _milliseconds(one.pushdate), _text(one.pushuser),
    )  # fmt: skip


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _milliseconds(date: Any) -> int | None:
    """hgweb's [seconds since 1970, offset of the author's zone]: the seconds are UTC already."""
    seconds = date[0] if isinstance(date, (list, tuple)) and date else date
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < 250_000_000_000:
        return None
    return int(seconds * 1000)
