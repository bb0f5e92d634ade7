"""The pushes of a repository: who pushed what when, and how its jobs fare."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl

from backends.archives.locators import SourceRevision
from backends.archives.urls import of_project, of_repository
from backends.cancel import CancelToken
from backends.errors import AppError, UsageError
from backends.failure_links import failure_entries
from backends.frames.getters import epoch_seconds
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import HttpError
from backends.http.response import Freshness
from backends.listings import RowCompleter, refine
from backends.resources import LIST, ROW, Entry, Link, Page, Row
from backends.taskcluster.locators import PushGroup
from backends.treeherder.api import Result, UnknownItemError
from backends.treeherder.base import (
    Context,
    TreeherderList,
    as_number,
    epoch_of,
    id_column,
    map_in_parallel,
    require_marked,
)
from backends.treeherder.client import LATE, PUSHES_A_PAGE
from backends.treeherder.locators import Compare, Pushes, PushJobs
from backends.treeherder.models import PushCommit, TreeherderPush
from backends.treeherder.web_urls import push_url, pushes_url

DEFAULT_COUNT = 100
MOST_IN_RANGE = 20_000  # of a range of revisions, all of which is listed
WEEK = 7 * 86400


def _tip(push: TreeherderPush) -> PushCommit:
    """The commit that the push is named for; of a long push only the newest 20 are listed."""
    for commit in push.revisions:
        if commit.revision == push.revision:
            return commit
    return push.revisions[0] if push.revisions else PushCommit()


def _message(push: TreeherderPush) -> str | None:
    comments = _tip(push).comments
    return None if comments is None else comments.partition("\n")[0]


def _commits(push: TreeherderPush) -> int:
    return push.revision_count if push.revision_count is not None else len(push.revisions)


PUSHES = Schema(
    (
        Column("push_time", Kind.TIME, "Pushed", section="Push", get=epoch_seconds("push_timestamp")),
        Column("revision", Kind.ID, "Revision", width=12, section="Push", get="revision"),
        Column("author", Kind.TEXT, "Author", width=18, section="Push", get="author"),
        Column("failed", Kind.COUNT, "Failed", section="Jobs"),  # the counts come from another endpoint, push by push
        Column("running", Kind.COUNT, "Running", section="Jobs"),
        Column("message", Kind.TEXT, "Tip's message", width=50, is_name=True, section="Push", get=_message),
        Column("commits", Kind.COUNT, "Commits", section="Push", get=_commits),
        Column("success", Kind.COUNT, "OK", section="Jobs"),
        Column("pending", Kind.COUNT, "Pending", section="Jobs"),
        Column("total", Kind.COUNT, "Jobs done", section="Jobs"),
        id_column("push_id", "Push", section="Push", get="id"),
        Column("exception", Kind.COUNT, "Exceptions", hidden=True, section="Jobs"),
        Column("other", Kind.COUNT, "Other results", hidden=True, section="Jobs"),
        id_column("repository_id", "Repository id", hidden=True, get="repository_id"),
    ),
    key="key",
    key_get="id",
)
COUNTS = tuple(column.name for column in PUSHES.sections()["Jobs"])


def push_frame(pushes: Sequence[TreeherderPush]) -> pl.DataFrame:
    """Newest first; the counts of jobs are null."""
    frame = PUSHES.build([push for push in pushes if push.id is not None])
    return frame.sort("push_time", as_number("push_id"), descending=True, nulls_last=True)


def count_results(status: Mapping[str, int]) -> dict[str, int]:
    """The columns `COUNTS` of the counts that the server has by result and state. `completed` there is the total of the
    results, not one of them."""
    results = {name: count for name, count in status.items() if name not in ("completed", "pending", "running")}
    failed = results.pop("testfailed", 0) + results.pop("busted", 0)
    counts = {"success": results.pop("success", 0), "failed": failed, "exception": results.pop("exception", 0)}
    counts["other"] = sum(results.values())
    counts["total"] = status.get("completed", sum(counts.values()))
    return {**counts, "running": status.get("running", 0), "pending": status.get("pending", 0)}


class PushList(TreeherderList):
    """One row a push, newest first; the counts of its jobs come after, those on the screen first. Enter: its jobs."""

    schema = PUSHES
    noun = ("push", "pushes")
    empty_text = "No matching pushes."
    locator: Pushes

    def __init__(self, locator: Pushes, context: Context) -> None:
        super().__init__(locator, context)
        self.with_counts = True  # one request a push; off where nobody asks for those columns
        self._counts = RowCompleter(PUSHES, self._count, map_in_parallel, "Some jobs could not be counted")
        self._repository_url = ""  # where its source is; known once the first pushes are there

    @property
    def title(self) -> str:
        at = self.locator
        words = [
            f"by {at.author}" if at.author else "",
            at.words and f"“{at.words[:20]}”",
            at.start and f"from {at.start}",
            f"{at.from_revision[:12]}..{at.to_revision[:12]}" if at.from_revision or at.to_revision else "",
        ]
        return " ".join(["pushes to", at.repository, *filter(None, words)])

    def prefer(self, keys: Sequence[str]) -> None:
        self._counts.preferred = keys

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """The pushes; then, if wanted, every row again with its counts: a push whose jobs cannot be counted keeps its
        row, so the order stays that of the pushes, whatever fails."""
        frames = [PUSHES.empty()]
        freshness, at = Freshness(), self.locator.repository
        for found in self._pages_of_pushes(cancel):
            frames.append(push_frame(found.items))
            freshness = found.freshness
            yield Page(frames[-1], freshness, note=found.note)
            self._repository_url = self._repository_url or self.client.find_repository_url(at, cancel)
        if self.with_counts:
            yield from self._counts.pages(pl.concat(frames), freshness, cancel)

    def _pages_of_pushes(self, cancel: CancelToken) -> Iterator[Result[TreeherderPush]]:
        """There is no offset: each page asks for what was pushed until the second of the oldest push so far.

        The ends of a range are looked up first: the server crashes on a revision that it does not know, takes only the
        tips of pushes, and does not page a range by its own parameters.
        """
        at = self.locator
        wanted = at.count or (MOST_IN_RANGE if at.from_revision else DEFAULT_COUNT)
        since, before = (self._push_time(revision, cancel) for revision in (at.from_revision, at.to_revision))
        if since is not None and before is not None and since > before:
            raise UsageError(
                f"{at.from_revision[:12]} was pushed after {at.to_revision[:12]}, so no push is between them.",
                "Swap fromchange and tochange: fromchange is the older one.",
            )
        start = at.start
        if since is not None and start:  # of the two the server would heed the day alone
            since, start = max(since, int(datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp())), ""
        search = {"author": at.author, "search": at.words, "startdate": start, "enddate": at.end}
        search = {name: value for name, value in search.items() if value}
        seen: set[int] = set()
        while len(seen) < wanted:
            count = min(wanted - len(seen) + bool(seen), PUSHES_A_PAGE)
            page = self.client.fetch_pushes(
                at.repository, count=count, before=before, since=since, search=search, cancel=cancel
            )
            pushes = {push.id: push for push in page.items if push.id is not None}
            fresh = [push for number, push in pushes.items() if number not in seen]
            seen.update(pushes)
            yield replace(page, items=fresh)
            times = [push.push_timestamp for push in pushes.values() if push.push_timestamp]
            if not fresh or len(pushes) < count or not times:
                return
            before = min(times)

    def _push_time(self, revision: str, cancel: CancelToken) -> int | None:
        """When a revision was pushed, in epoch seconds; None of none."""
        return self.client.find_push(self.locator.repository, revision, cancel).push_timestamp if revision else None

    def _count(self, row: Row, cancel: CancelToken) -> Mapping[str, int] | AppError:
        old = (epoch_of(row["push_time"]) or 0) < time.time() - LATE
        try:
            status = self.client.count_jobs(self.locator.repository, int(row["push_id"]), old=old, cancel=cancel)
        except (HttpError, UnknownItemError) as error:
            return error
        return count_results(status)

    def open(self, row: Row) -> PushJobs:
        revision = str(row.get("revision") or "")
        return PushJobs(self.locator.repository, int(row["push_id"]), self.server, revision)

    def compare(self, rows: pl.DataFrame) -> Compare:
        """What the older and the newer of two pushes measured, in all frameworks."""
        require_marked(rows, 2, "pushes")
        base, new = rows.sort("push_time", as_number("push_id"))["revision"].to_list()
        if not base or not new:
            raise UsageError("One of the pushes has no revision.")
        return Compare(self.locator.repository, base, self.locator.repository, new, server=self.server)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        at = self.locator
        entries: list[Entry] = []
        if row is not None:
            revision, author = str(row.get("revision") or ""), str(row.get("author") or "")
            if revision:
                history = Compare(at.repository, "", at.repository, revision, interval=WEEK, server=self.server)
                entries += [
                    Link("Its task group", PushGroup(at.repository, revision), letter="g"),
                    *failure_entries(self.open(row), ROW),
                    Link("Archives of its source", self._source_of(revision), letter="s"),
                    Link("Compare what it measured with the week before", history, letter="v"),
                ]
            if author:
                pushes = Pushes(at.repository, author, server=self.server)
                entries.append(Link(f"Pushes by {author[:40]}", pushes, letter="a"))
        if not at.start and not at.from_revision and (at.count or DEFAULT_COUNT) < PUSHES_A_PAGE:
            more = replace(at, count=PUSHES_A_PAGE)
            entries.append(Link(f"The newest {PUSHES_A_PAGE:,} pushes", more, letter="n", group=LIST))
        return [
            *entries,
            refine(at, "author", "By an author", "An e-mail; -EMAIL excludes it (blank for any)", letter="b"),
            refine(at, "words", "With words in a message", "Words of a commit's message (blank for any)", letter="w"),
            refine(at, "start", "Since a day", "e.g. 2026-11-20 (blank for any)", letter="d"),
        ]

    def _source_of(self, revision: str) -> SourceRevision:
        return of_repository(self._repository_url, revision) or of_project(self.locator.repository, revision)

    def row_title(self, row: Row) -> str:
        return f"Push {str(row.get('revision') or '')[:12]}"

    def web_url(self, row: Row | None = None) -> str:
        if row is None:
            return pushes_url(self.client.base, self.locator)
        return push_url(self.client.base, self.open(row))

    def summary(self, frame: pl.DataFrame) -> str:
        known = frame.filter(pl.col("total").is_not_null())
        bad = int((known["failed"] > 0).sum())
        busy = int((known["running"] + known["pending"] > 0).sum())
        parts = [f"{bad:,} with failures"] if bad else []
        return " · ".join([*parts, *([f"{busy:,} still running"] if busy else [])])
