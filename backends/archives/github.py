"""What GitHub is asked: which commit a name is, and the address of its archive. It gives whole trees only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from backends.archives.hgweb import NODE
from backends.archives.sources import Changeset, NotThere, RepositoryEntry, SuffixRefused
from backends.archives.wanted import Wanted
from backends.errors import UsageError
from backends.http.errors import BadRequestError, NotFoundError, sanitize
from backends.http.policies import CachePolicy
from backends.http.response import Freshness
from backends.locators.archives import GITHUB

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.http import Http

PAGE = 100  # the most that it gives at a time; without an account it answers 60 requests an hour
SUFFIXES = ("zip", "tar.gz")


class GitHub:
    """github.com, or with `root` and `api` something that speaks like it."""

    has_parts = False

    def __init__(self, http: Http, root: str = GITHUB, api: str = "https://api.github.com") -> None:
        self.http, self.root, self._api = http, root, api

    def resolve(self, repository: str, revision: str, cancel: CancelToken | None = None) -> Changeset:
        policy = CachePolicy.immutable() if NODE.fullmatch(revision) else CachePolicy.short(60)
        where = f"commits/{quote(revision, safe='')}?per_page=1"
        try:
            value, _ = self._json(repository, where, policy, cancel)
        except (NotFoundError, BadRequestError) as problem:
            raise NotThere(
                f"GitHub has no {sanitize(revision, 60)} in {sanitize(repository, 120)}.",
                "Check both; repositories that are private cannot be read here.",
            ) from problem
        found = _changeset(value)
        if found is None:
            raise NotThere(f"GitHub describes no commit at {sanitize(revision, 60)} of {sanitize(repository, 120)}.")
        return found

    def _json(
        self, repository: str, where: str, policy: CachePolicy, cancel: CancelToken | None
    ) -> tuple[Any, Freshness]:
        url = f"{self._api}/repos/{quote(repository, safe='/')}/{where}"
        value, answer = self.http.json(url, policy=policy, cancel=cancel)
        return value, answer.freshness

    def archive_url(self, wanted: Wanted) -> str:
        if wanted.subdirectory:
            raise UsageError("GitHub gives archives of whole repositories only.", "Ask without a subdirectory.")
        return f"{self.root}/{quote(wanted.repository, safe='/')}/archive/{wanted.node}.{wanted.suffix}"

    def refusal(self, wanted: Wanted, status: int | None) -> NotThere | None:
        if wanted.suffix not in SUFFIXES:
            return SuffixRefused(f"GitHub makes no {wanted.suffix} archives.", "Ask for zip or tar.gz.")
        if status == 404:
            return NotThere(f"GitHub has no archive of {sanitize(wanted.repository, 80)} {wanted.node[:12]}.")
        return None

    def repositories(self, cancel: CancelToken | None = None) -> tuple[list[RepositoryEntry], Freshness]:
        raise UsageError("GitHub has no list of all its repositories.", "Name one: https://github.com/OWNER/NAME")

    def log(self, repository: str, cancel: CancelToken) -> Iterator[tuple[list[Changeset], Freshness, str]]:
        try:
            value, freshness = self._json(repository, f"commits?per_page={PAGE}", CachePolicy.short(60), cancel)
        except NotFoundError:
            raise NotThere(f"GitHub has no repository {sanitize(repository, 120)} that all may read.") from None
        found = [_changeset(one) for one in value] if isinstance(value, list) else []
        known = [one for one in found if one is not None]
        yield (
            known,
            freshness,
            f"The newest {len(known)} commits; older ones by their id." if len(known) >= PAGE else "",
        )


def _changeset(value: Any) -> Changeset | None:
    if not isinstance(value, dict) or not NODE.fullmatch(str(value.get("sha"))):
        return None
    commit = value.get("commit")
    commit = commit if isinstance(commit, dict) else {}
    author = commit.get("committer")
    author = author if isinstance(author, dict) else {}
    message = commit.get("message")
    return Changeset(
        str(value["sha"]), str(author.get("name") or ""), _milliseconds(author.get("date")),
        message if isinstance(message, str) else "",
    )  # fmt: skip


def _milliseconds(text: Any) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return int(moment.timestamp() * 1000) if moment.tzinfo is not None else None
