"""The pushes of a repository: who pushed what when, and how its jobs fare."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl

from backends.archives.locators import SourceRevision
from backends.archives.urls import of_project, of_repository
from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.http.errors import HttpError
from backends.http.response import Freshness
from backends.locators.perfherder import Compare, Pushes, PushJobs
from backends.locators.perfherder_pages import push_url, pushes_url
from backends.resources import Detail, Entry, Link, Page, Row
from backends.treeherder.asking import NoSuchThing
from backends.treeherder.client import LATE, PUSHES_A_PAGE
from backends.treeherder.columns import PUSHES
from backends.treeherder.job_rows import COUNTS
from backends.treeherder.listed import TreeherderList, Where, epoch, group_of, need, told
from backends.treeherder.narrowing import other_pushes
from backends.treeherder.parallel import answers
from backends.treeherder.signature_rows import as_number

USUAL = 100
MOST_IN_RANGE = 20_000  # of a range of revisions, which is listed whole
BATCH = 24  # pushes whose counts are asked for before those on the screen are looked at again


class PushList(TreeherderList):
    """One row a push, newest first; the counts of its jobs come after, those on the screen first. Enter: its jobs."""

    schema = PUSHES
    noun = ("push", "pushes")
    empty_text = "No push is like this."
    locator: Pushes

    def __init__(self, locator: Pushes, where: Where) -> None:
        super().__init__(locator, where)
        self.with_counts = True  # one request a push; off where nobody asks for those columns
        self._preferred: Sequence[str] = ()
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
        return " ".join([at.repository, "pushes", *(word for word in words if word)])

    def prefer(self, keys: Sequence[str]) -> None:
        self._preferred = keys

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        found: list[pl.DataFrame] = []
        origin, at = Freshness(), self.locator.repository
        for page in self._pushes(cancel):
            found.append(page.frame)
            origin = page.origin
            yield page
            self._repository_url = self._repository_url or self.treeherder.repository_url(at, cancel)
        if not self.with_counts:
            return
        every = pl.concat(found) if found else PUSHES.empty()
        yield from self._counted(every.unique("key", keep="last", maintain_order=True), origin, cancel)

    def _pushes(self, cancel: CancelToken) -> Iterator[Page]:
        """There is no offset: each page asks for what was pushed until the second of the oldest push so far.

        The ends of a range are looked up first: the server crashes on a revision that it does not know, takes only the
        tips of pushes, and does not page a range by its own parameters.
        """
        at = self.locator
        wanted = at.count or (MOST_IN_RANGE if at.from_revision else USUAL)
        since, before = (self._time_of(revision, cancel) for revision in (at.from_revision, at.to_revision))
        if since is not None and before is not None and since > before:
            raise UsageError(
                f"{at.from_revision[:12]} was pushed after {at.to_revision[:12]}, so no push is between them.",
                "Swap fromchange and tochange: fromchange is the older one.",
            )
        start = at.start
        if since is not None and start:  # of the two the server would heed the day alone
            since, start = max(since, int(datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp())), ""
        search = {
            name: value
            for name, value in (
                ("author", at.author), ("search", at.words), ("startdate", start), ("enddate", at.end),
            )
            if value
        }  # fmt: skip
        seen: set[str] = set()
        while len(seen) < wanted:
            count = min(wanted - len(seen) + bool(seen), PUSHES_A_PAGE)
            rows = self.treeherder.pushes(
                at.repository, count=count, before=before, since=since, search=search, cancel=cancel
            )
            fresh = rows.frame.filter(~pl.col("key").is_in(list(seen)))
            seen |= set(fresh["key"].to_list())
            yield Page(fresh, rows.origin, note=rows.note)
            oldest = epoch(rows.frame["push_time"].min())
            if fresh.is_empty() or len(rows.frame) < count or oldest is None:
                return
            before = oldest

    def _time_of(self, revision: str, cancel: CancelToken) -> int | None:
        """When a revision was pushed, in seconds; None of none."""
        if not revision:
            return None
        return epoch(self.treeherder.push_of(self.locator.repository, revision, cancel)["push_time"])

    def _counted(self, frame: pl.DataFrame, origin: Freshness, cancel: CancelToken) -> Iterator[Page]:
        """A push that cannot be asked about keeps its row without counts; the first failure is told once.

        Every row is given again, counted or not: so the order stays that of the pushes, whatever fails.
        """
        left = {str(row["key"]): row for row in frame.iter_rows(named=True)}
        note = ""
        while left:
            first = [key for key in self._preferred if key in left]
            batch = [*first, *(key for key in left if key not in set(first))][:BATCH]
            asked = dict(answers(lambda key, own: self._ask(left[key], own), batch, cancel))
            rows = []
            for key in batch:
                found = asked[key]
                counts = found if isinstance(found, dict) else {}
                if not isinstance(found, dict):
                    note = note or f"Some jobs could not be counted: {found.sentence}"
                rows.append({**left.pop(key), **counts})
            yield Page(pl.DataFrame(rows, schema=PUSHES.polars()), origin, note=note)

    def _ask(self, row: Row, cancel: CancelToken) -> dict[str, int] | HttpError | NoSuchThing:
        old = (epoch(row["push_time"]) or 0) < time.time() - LATE
        try:
            return self.treeherder.push_counts(self.locator.repository, int(row["push_id"]), old=old, cancel=cancel)
        except (HttpError, NoSuchThing) as problem:
            return problem

    def open(self, row: Row) -> PushJobs:
        revision = str(row.get("revision") or "")
        return PushJobs(self.locator.repository, int(row["push_id"]), self.server, revision)

    def compare(self, rows: pl.DataFrame) -> Compare:
        """What the older and the newer of two pushes measured, in all frameworks."""
        need(rows, 2, "pushes")
        base, new = rows.sort("push_time", as_number("push_id"))["revision"].to_list()
        if not base or not new:
            raise UsageError("One of the pushes has no revision.")
        return Compare(self.locator.repository, base, self.locator.repository, new, server=self.server)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        at = self.locator
        found: list[Entry] = []
        if row is not None:
            revision, author = str(row.get("revision") or ""), str(row.get("author") or "")
            if revision:
                found.append(Link("Its task group", group_of(at.repository, revision)))
                found.append(Link("Archives of its source", self._source_of(revision)))
                history = Compare(at.repository, "", at.repository, revision, interval=7 * 86400, server=self.server)
                found.append(Link("Compare what it measured with the week before", history))
            if author:
                found.append(Link(f"Pushes by {author[:40]}", Pushes(at.repository, author, server=self.server)))
        if not at.start and not at.from_revision and (at.count or USUAL) < PUSHES_A_PAGE:
            more = replace(at, count=PUSHES_A_PAGE)
            found.append(Link(f"The newest {PUSHES_A_PAGE:,} pushes", more))
        return [*found, *other_pushes(at)]

    def _source_of(self, revision: str) -> SourceRevision:
        known = of_repository(self._repository_url, revision)
        return known or of_project(self.locator.repository, revision)

    def detail(self, row: Row) -> Detail:
        names = ("push_time", "author", "revision", "commits", "message", "push_id")
        return Detail(
            f"Push {str(row.get('revision') or '')[:12]}",
            (("Push", told(row, PUSHES, names)), ("Jobs", told(row, PUSHES, COUNTS))),
        )

    def web_url(self, row: Row | None = None) -> str:
        if row is None:
            return pushes_url(self.treeherder.base, self.locator)
        return push_url(self.treeherder.base, self.open(row))

    def summary(self, frame: pl.DataFrame) -> str:
        known = frame.filter(pl.col("total").is_not_null())
        bad = int((known["failed"] > 0).sum())
        busy = int((known["running"] + known["pending"] > 0).sum())
        parts = [f"{bad:,} with failures"] if bad else []
        return " · ".join([*parts, *([f"{busy:,} still running"] if busy else [])])
