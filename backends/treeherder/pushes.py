"""The pushes of a repository: who pushed what when, and how its jobs fare."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import polars as pl

from backends.cancel import Cancel
from backends.http.answers import Origin
from backends.http.errors import HttpProblem
from backends.locators.perfherder import Compare, Pushes, PushJobs
from backends.problems import UsageProblem
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
BATCH = 24  # pushes whose counts are asked for before those on the screen are looked at again


class PushList(TreeherderList):
    """One row a push, newest first; the counts of its jobs come after, those on the screen first. Enter: its jobs."""

    schema = PUSHES
    noun = ("push", "pushes")
    empty_text = "No push is like this."
    locator: Pushes

    def __init__(self, locator: Pushes, where: Where) -> None:
        super().__init__(locator, where)
        self._preferred: Sequence[str] = ()

    @property
    def title(self) -> str:
        at = self.locator
        words = [
            f"by {at.author}" if at.author else "",
            at.words and f"“{at.words[:20]}”",
            at.start and f"from {at.start}",
        ]
        return " ".join([at.repository, "pushes", *(word for word in words if word)])

    def prefer(self, keys: Sequence[str]) -> None:
        self._preferred = keys

    def pages(self, cancel: Cancel) -> Iterator[Page]:
        found: list[pl.DataFrame] = []
        origin = Origin()
        for page in self._pushes(cancel):
            found.append(page.frame)
            origin = page.origin
            yield page
        every = pl.concat(found) if found else PUSHES.empty()
        yield from self._counted(every.unique("key", keep="last", maintain_order=True), origin, cancel)

    def _pushes(self, cancel: Cancel) -> Iterator[Page]:
        """There is no offset: each page asks for what was pushed until the second of the oldest push so far."""
        at, wanted = self.locator, self.locator.count or USUAL
        search = {
            name: value
            for name, value in (
                ("author", at.author), ("search", at.words), ("startdate", at.start), ("enddate", at.end),
            )
            if value
        }  # fmt: skip
        seen: set[str] = set()
        before: int | None = None
        while len(seen) < wanted:
            count = min(wanted - len(seen) + (before is not None), PUSHES_A_PAGE)
            rows = self.treeherder.pushes(at.repository, count=count, before=before, search=search, cancel=cancel)
            fresh = rows.frame.filter(~pl.col("key").is_in(list(seen)))
            seen |= set(fresh["key"].to_list())
            yield Page(fresh, rows.origin, note=rows.note)
            oldest = epoch(rows.frame["push_time"].min())
            if fresh.is_empty() or len(rows.frame) < count or oldest is None:
                return
            before = oldest

    def _counted(self, frame: pl.DataFrame, origin: Origin, cancel: Cancel) -> Iterator[Page]:
        """A push that cannot be asked about keeps its row without counts; the first failure is told once."""
        left = {str(row["key"]): row for row in frame.iter_rows(named=True)}
        note = ""
        while left:
            first = [key for key in self._preferred if key in left]
            batch = [*first, *(key for key in left if key not in set(first))][:BATCH]
            counts: dict[str, dict[str, int]] = {}
            for key, found in answers(lambda key, own: self._ask(left[key], own), batch, cancel):
                if isinstance(found, dict):
                    counts[key] = found
                else:
                    note = note or f"Some jobs could not be counted: {found.sentence}"
            rows = [{**left.pop(key), **counts.get(key, {})} for key in batch]
            if counts or not left:
                yield Page(pl.DataFrame(rows, schema=PUSHES.polars()), origin, note=note)

    def _ask(self, row: Row, cancel: Cancel) -> dict[str, int] | HttpProblem | NoSuchThing:
        old = (epoch(row["push_time"]) or 0) < time.time() - LATE
        try:
            return self.treeherder.push_counts(self.locator.repository, int(row["push_id"]), old=old, cancel=cancel)
        except (HttpProblem, NoSuchThing) as problem:
            return problem

    def open(self, row: Row) -> PushJobs:
        return PushJobs(self.locator.repository, int(row["push_id"]), self.server)

    def compare(self, rows: pl.DataFrame) -> Compare:
        """What the older and the newer of two pushes measured, in all frameworks."""
        need(rows, 2, "pushes")
        base, new = rows.sort("push_time", as_number("push_id"))["revision"].to_list()
        if not base or not new:
            raise UsageProblem("One of the pushes has no revision.")
        return Compare(self.locator.repository, base, self.locator.repository, new, server=self.server)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        at = self.locator
        found: list[Entry] = []
        if row is not None:
            revision, author = str(row.get("revision") or ""), str(row.get("author") or "")
            if revision:
                found.append(Link("Its task group", group_of(at.repository, revision)))
                history = Compare(at.repository, "", at.repository, revision, interval=7 * 86400, server=self.server)
                found.append(Link("Compare what it measured with the week before", history))
            if author:
                found.append(Link(f"Pushes by {author[:40]}", Pushes(at.repository, author, server=self.server)))
        if not at.start and (at.count or USUAL) < PUSHES_A_PAGE:
            more = Pushes(at.repository, at.author, at.words, at.start, at.end, PUSHES_A_PAGE, self.server)
            found.append(Link(f"The newest {PUSHES_A_PAGE:,} pushes", more))
        return [*found, *other_pushes(at)]

    def detail(self, row: Row) -> Detail:
        names = ("push_time", "author", "revision", "commits", "message", "push_id")
        return Detail(
            f"Push {str(row.get('revision') or '')[:12]}",
            (("Push", told(row, PUSHES, names)), ("Jobs", told(row, PUSHES, COUNTS))),
        )

    def web_url(self, row: Row | None = None) -> str:
        return self.jobs_url(self.locator.repository, str(row["revision"] or "") if row is not None else "")

    def summary(self, frame: pl.DataFrame) -> str:
        known = frame.filter(pl.col("total").is_not_null())
        bad = int((known["failed"] > 0).sum())
        busy = int((known["running"] + known["pending"] > 0).sum())
        parts = [f"{bad:,} with failures"] if bad else []
        return " · ".join([*parts, *([f"{busy:,} still running"] if busy else [])])
