"""Two revisions side by side: what their performance tests measured, test by test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from backends.cancel import Cancel
from backends.http.answers import Origin
from backends.locators.perfherder import Compare, ComparedValues, PerfherderLocator, PushOf, Series, SeriesRef, Side
from backends.resources import Detail, Entry, Link, Page, Row
from backends.treeherder.answers import Rows
from backends.treeherder.columns import VALUES
from backends.treeherder.compare_rows import COMPARED_SUBTESTS, COMPARED_TESTS, coarse, compare_values
from backends.treeherder.listed import INTERVAL, TreeherderList, Where, counts, told
from backends.treeherder.parallel import answers
from backends.treeherder.signatures import framework_id

MOST_REFINED = 60  # tests whose values are asked for in full, two requests each
PUBLIC = "https://treeherder.mozilla.org"


@dataclass(frozen=True)
class _Push:
    repository: str
    revision: str
    time: datetime | None
    parent: int | None


class CompareList(TreeherderList):
    """One row a test (schema `COMPARED_TESTS`). Enter: the subtests of a suite, else the values of both sides."""

    schema = COMPARED_TESTS
    noun = ("test", "tests")
    empty_text = "Neither side has performance results; their jobs may still run."
    locator: Compare

    def __init__(self, locator: Compare, where: Where) -> None:
        super().__init__(locator, where)
        self._base = _Push(locator.base_repository, locator.base_revision, None, locator.base_parent)
        self._new = _Push(locator.new_repository, locator.new_revision, None, locator.new_parent)
        self._suite = ""

    @property
    def title(self) -> str:
        at = self.locator
        base = at.base_revision[:12] or "history"
        if self._suite:  # in a trail behind the comparison of suites, which names the revisions
            return f"subtests of {self._suite}"
        subtests = " subtests" if self._subtests_only else ""
        return f"{at.base_repository} {base} → {at.new_repository} {at.new_revision[:12]}{subtests}"

    @property
    def _subtests_only(self) -> bool:
        return self.locator.base_parent is not None or self.locator.new_parent is not None

    def pages(self, cancel: Cancel) -> Iterator[Page]:
        """From values of two decimals; then again, from values in full, the tests for which those are too coarse."""
        framework = framework_id(self.treeherder, self.locator.framework, cancel)
        self._new = self._found(self._new, cancel)
        if self._base.revision:
            self._base = self._found(self._base, cancel)
        sides: dict[bool, Rows] = dict(
            answers(lambda is_base, own: self._values(is_base, framework, own), (True, False), cancel)
        )
        base, new = sides[True], sides[False]
        frame = compare_values(base.frame, new.frame)
        if self._subtests_only:
            suites = frame["suite"].unique()
            self._suite = str(suites[0]) if len(suites) == 1 else ""
        origin, note = base.origin.worse(new.origin), self._note(base, new)
        yield Page(frame, origin, total=len(frame), note=note)
        small = coarse(frame)
        if not small.is_empty():
            yield self._refined(small, base.frame, new.frame, origin, note, cancel)

    def _found(self, push: _Push, cancel: Cancel) -> _Push:
        """The push in full: values are found by all 40 digits only, and of an unknown revision the server lists
        every signature without a value instead of saying so."""
        found = self.treeherder.push_of(push.repository, push.revision, cancel)
        return replace(push, revision=str(found["revision"]), time=found["push_time"])

    def _values(self, is_base: bool, framework: int | None, cancel: Cancel) -> Rows:
        push = self._base if is_base else self._new
        parent = push.parent if push.parent is not None else self._other(push).parent
        return self.treeherder.values(
            push.repository,
            frameworks=() if framework is None else (framework,),
            parent=parent,
            replicates=self.locator.replicates,
            cancel=cancel,
            **self._when(push),
        )

    def _other(self, push: _Push) -> _Push:
        return self._new if push is self._base else self._base

    def _when(self, push: _Push) -> dict[str, Any]:
        """A revision, or without one the time before the new push."""
        if push.revision:
            return {"revision": push.revision}
        length = self.locator.interval or INTERVAL
        if self._new.time is None:
            return {"interval": length}
        return {"start": self._new.time - timedelta(seconds=length), "end": self._new.time - timedelta(seconds=1)}

    def _refined(
        self, small: pl.DataFrame, base: pl.DataFrame, new: pl.DataFrame, origin: Origin, note: str, cancel: Cancel
    ) -> Page:
        wanted = [
            (is_base, int(signature))
            for row in small.head(MOST_REFINED).iter_rows(named=True)
            for is_base, signature in ((True, row["base_signature"]), (False, row["new_signature"]))
        ]
        parts: dict[bool, list[pl.DataFrame]] = {True: [VALUES.empty()], False: [VALUES.empty()]}
        for (is_base, signature), frame in answers(self._in_full, wanted, cancel):
            parts[is_base].append(_with_values(base if is_base else new, signature, frame))
        left = len(small) - MOST_REFINED
        if left > 0:
            more = f"{left:,} tests with small values are compared from values of two decimals."
            note = f"{note} {more}".strip()
        frame = compare_values(pl.concat(parts[True]), pl.concat(parts[False]), precision="in full")
        return Page(frame, origin, note=note)

    def _in_full(self, question: tuple[bool, int], cancel: Cancel) -> pl.DataFrame:
        is_base, signature = question
        push = self._base if is_base else self._new
        replicates = self.locator.replicates
        when = self._when(push)
        _, rows = self.treeherder.series(push.repository, signature, replicates=replicates, cancel=cancel, **when)
        return rows.frame

    def _note(self, base: Rows, new: Rows) -> str:
        lacking = [name for name, side in (("base", base), ("new", new)) if side.frame.is_empty()]
        notes = [side.note for side in (base, new) if side.note][:1]
        if len(lacking) == 1:
            notes.append(f"The {lacking[0]} side has no results (yet).")
        return " ".join(notes)

    def open(self, row: Row) -> ComparedValues | None:
        if row.get("base_signature") is None or row.get("new_signature") is None:
            return None
        return ComparedValues(
            self._side(self._base, row["base_signature"]), self._side(self._new, row["new_signature"]),
            self.locator.replicates, self.server,
        )  # fmt: skip

    def _side(self, push: _Push, signature: str) -> Side:
        ref, when = SeriesRef(push.repository, signature), self._when(push)
        if "revision" in when:
            return Side(ref, push.revision)
        start, end = when.get("start"), when.get("end")
        return Side(ref, start=int(start.timestamp()) if start else None, end=int(end.timestamp()) if end else None)

    def shows(self, row: Row) -> PerfherderLocator | None:
        return self._subtests(row) or self.open(row)

    def _subtests(self, row: Row) -> Compare | None:
        if row.get("subtests") != "yes":
            return None
        return replace(
            self.locator, base_revision=self._base.revision, new_revision=self._new.revision,
            framework=str(row.get("framework_id") or self.locator.framework),
            base_parent=_number(row.get("base_signature")), new_parent=_number(row.get("new_signature")),
        )  # fmt: skip

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        found: list[Entry] = []
        if row is not None:
            subtests, values = self._subtests(row), self.open(row)
            found += [Link("Its subtests", subtests)] if subtests is not None else []
            found += [Link("The values of both sides", values)] if values is not None else []
            refs = dict.fromkeys(
                SeriesRef(push.repository, str(row[name]))
                for push, name in ((self._base, "base_signature"), (self._new, "new_signature"))
                if row.get(name) is not None
            )
            found.append(Link("Its series", Series(tuple(refs), server=self.server)))
        words = "One value a run, without replicates" if self.locator.replicates else "With all replicates"
        found.append(Link(words, replace(self.locator, replicates=not self.locator.replicates)))
        for name, push in (("new", self._new), ("base", self._base)):
            if push.revision:
                found.append(Link(f"The jobs of the {name} push", PushOf(push.repository, push.revision, self.server)))
        return found

    def detail(self, row: Row) -> Detail:
        ranks = (
            "verdict", "median_base", "median_new", "delta", "delta_percent", "shift_low", "shift_high", "p",
            "cliffs_delta", "effect", "cles",
        )  # fmt: skip
        means = (
            "t_verdict", "mean_base", "mean_new", "mean_delta_percent", "std_base", "std_new", "t", "confidence",
            "welch_p",
        )  # fmt: skip
        runs = ("runs_base", "runs_new", "n_base", "n_new", "more_runs", "precision")
        test = ("unit", "better", "direction", "name", "application", "base_signature", "new_signature")
        title = " ".join(str(row[name]) for name in ("suite", "test", "platform") if row.get(name))
        named = (("Medians and ranks", ranks), ("Means and t", means), ("Runs", runs), ("Test", test))
        return Detail(title, tuple((words, told(row, COMPARED_TESTS, names)) for words, names in named))

    def web_url(self, row: Row | None = None) -> str:
        at = self.locator
        if self.treeherder.base == PUBLIC:
            kind = "compare-results" if at.base_revision else "compare-over-time-results"
            pairs = {
                "baseRev": self._base.revision, "baseRepo": at.base_repository, "newRev": self._new.revision,
                "newRepo": at.new_repository, "framework": at.framework or 1, "selectedTimeRange": at.interval,
            }  # fmt: skip
            return self.page_url(kind, pairs).replace(PUBLIC, "https://perf.compare", 1)
        pairs = {
            "originalProject": at.base_repository, "originalRevision": self._base.revision,
            "newProject": at.new_repository, "newRevision": self._new.revision, "framework": at.framework or 1,
            "selectedTimeRange": at.interval,
        }  # fmt: skip
        return self.page_url("perfherder/compare", pairs)

    def summary(self, frame: pl.DataFrame) -> str:
        needs = int((frame["more_runs"] == "yes").sum())
        by_t = counts(frame.filter(pl.col("t_verdict") != "no change"), "t_verdict")
        words = [f"by t {', '.join(by_t)}"] if by_t else []
        return " · ".join([*counts(frame, "verdict"), *words, *([f"{needs:,} need more runs"] if needs else [])])


class SubtestCompareList(CompareList):
    """One row a subtest of one suite."""

    schema = COMPARED_SUBTESTS


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _with_values(listed: pl.DataFrame, signature: int, data: pl.DataFrame) -> pl.DataFrame:
    """What `listed` (schema `VALUES`) says of a signature, with the values of `data` (schema `DATA`)."""
    what = listed.filter(pl.col("signature_id") == str(signature)).head(1).drop("key", "value", "job_id", "submit_time")
    values = data.select("key", "value", "job_id", "submit_time")
    joined = values.join(what, how="cross")
    return joined.select(pl.col(name).cast(dtype) for name, dtype in VALUES.polars().items())
