"""Two revisions side by side: what their performance tests measured, test by test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import reduce
from typing import Any

import polars as pl

from backends.cancel import CancelToken
from backends.http.response import Freshness
from backends.locators.perfherder import Compare, ComparedValues, PerfherderLocator, PushOf, Series, SeriesRef, Side
from backends.locators.perfherder_pages import compare_url
from backends.resources import Detail, Entry, Link, Page, Row
from backends.treeherder.answers import Rows
from backends.treeherder.asking import NoSuchThing
from backends.treeherder.columns import VALUES
from backends.treeherder.compare_rows import (
    COMPARED_SEVERAL,
    COMPARED_SUBTESTS,
    COMPARED_TESTS,
    coarse,
    compare_values,
    constant,
    in_order,
)
from backends.treeherder.listed import INTERVAL, TreeherderList, Where, counts, told
from backends.treeherder.parallel import answers
from backends.treeherder.signatures import framework_id, unlisted

# What makes a suite the same in another repository, where its hash does not: all that its hash is made of, spelled out.
SAME_SUITE = ("framework_id", "suite", "test", "platform", "option", "options", "application")
MOST_REFINED = 60  # tests whose values are asked for in full, two requests each


@dataclass(frozen=True)
class _Push:
    """One side of a comparison.

    `parent`: the id, in the push's own repository, of the suite whose subtests are compared; "" where the suite is not
    measured there at all, None where suites are compared.
    """

    repository: str
    revision: str
    time: datetime | None = None
    parent: int | str | None = None

    @property
    def name(self) -> str:
        return f"{self.repository} {self.revision[:12]}"


@dataclass(frozen=True)
class _Pair:
    base: _Push
    new: _Push


class CompareList(TreeherderList):
    """One row a test (schema `COMPARED_TESTS`). Enter: the subtests of a suite, else the values of both sides."""

    schema = COMPARED_TESTS
    noun = ("test", "tests")
    empty_text = "Neither side has performance results; their jobs may still run."
    locator: Compare

    def __init__(self, locator: Compare, where: Where) -> None:
        super().__init__(locator, where)
        self._base = _Push(locator.base_repository, locator.base_revision)
        self._news = tuple(_Push(*new) for new in locator.news)
        self._suite = ""
        self._frameworks: dict[str, int] = {}  # number by name; known once read
        self._constant = 0  # tests whose values are all the same; known once read
        self._framework = locator.framework  # for its page: the only one that has values, where none is named

    @property
    def title(self) -> str:
        at = self.locator
        base = at.base_revision[:12] or "history"
        if self._suite:  # in a trail behind the comparison of suites, which names the revisions
            return f"subtests of {self._suite}"
        subtests = " subtests" if self._subtests_only else ""
        if at.base_only:
            return f"{at.base_repository} {base} alone{subtests}"
        news = ", ".join(push.name for push in self._news)
        return f"{at.base_repository} {base} → {news}{subtests}"

    @property
    def _subtests_only(self) -> bool:
        return self.locator.base_parent is not None or self.locator.new_parent is not None

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """From values of two decimals; then again, from values in full, the tests for which those are too coarse."""
        framework = framework_id(self.treeherder, self.locator.framework, cancel)
        if framework is not None:
            self._frameworks = {self.locator.framework.lower(): framework}
        self._news = tuple(self._found(push, cancel) for push in self._news)
        if self._base.revision:
            self._base = self._found(self._base, cancel)
        absent = self._find_parents(framework, cancel) if self._subtests_only else ""
        pairs = [_Pair(self._base, new) for new in self._news]
        values = self._read(pairs, framework, cancel)
        compared = [(pair, self._compared(pair, *self._sides(pair, values))) for pair in pairs]
        frame = self._joined([self._named(pair, one) for pair, one in compared])
        if self._subtests_only:
            suites = frame["suite"].drop_nulls().unique()
            self._suite = str(suites[0]) if len(suites) == 1 else ""
        self._constant = 0 if self.locator.base_only else constant(frame)
        measured = frame["framework_id"].drop_nulls().unique()
        if not self._framework and len(measured) == 1:
            self._framework = str(measured[0])
        origin = reduce(Freshness.worse, (rows.origin for rows in values.values()))
        unknown = unlisted(self.treeherder, framework, frame, cancel)
        note = " ".join(part for part in (absent, unknown, self._note(pairs, values)) if part)
        yield Page(frame, origin, total=len(frame), note=f"{note} {self._rank_note()}".strip())
        small = [] if self.locator.base_only else [(pair, coarse(one)) for pair, one in compared]
        if any(len(one) for _, one in small):
            yield self._refined(frame, small, values, origin, note, cancel)

    def _found(self, push: _Push, cancel: CancelToken) -> _Push:
        """The push in full: values are found by all 40 digits only, and of an unknown revision the server lists
        every signature without a value instead of saying so."""
        found = self.treeherder.push_of(push.repository, push.revision, cancel)
        return replace(push, revision=str(found["revision"]), time=found["push_time"])

    def _find_parents(self, framework: int | None, cancel: CancelToken) -> str:
        """Finds the suite in each repository: the same one has another id in each. A sentence where one lacks it.

        Two different ids are each side's own. One id is looked up in the repository that it belongs to; the others find
        the same suite by its hash or, where that differs, by its name, platform and options.
        """
        at = self.locator
        given = {number for number in (at.base_parent, at.new_parent) if number is not None}
        pushes = (self._base, *self._news)
        repositories = list(dict.fromkeys(push.repository for push in pushes))
        if len(repositories) == 1:
            known: dict[str, int | str] = {repositories[0]: min(given)} if len(given) == 1 else {}
        elif len(given) == 2 and len(self._news) == 1:
            known = {}
        else:
            known = self._parents_by_hash(min(given), repositories, framework, cancel)
        numbers = [at.base_parent, at.new_parent, *(at.new_parent for _ in self._news[1:])]
        found = [
            replace(push, parent=known.get(push.repository, number))
            for push, number in zip(pushes, numbers, strict=True)
        ]
        self._base, self._news = found[0], tuple(found[1:])
        lacking = [name for name in repositories if known.get(name) == ""]
        return f"{' and '.join(lacking)} does not measure this suite." if lacking else ""

    def _parents_by_hash(
        self, number: int, repositories: list[str], framework: int | None, cancel: CancelToken
    ) -> dict[str, int | str]:
        home, suite = "", pl.DataFrame()
        for home in repositories:
            suite = self.treeherder.signatures(home, ids=(number,), cancel=cancel).frame
            if not suite.is_empty():
                break
        else:
            raise NoSuchThing(
                f"Neither {' nor '.join(repositories)} has a signature {number}.",
                "Give the id of the suite in one of the two repositories, as `perf compare` lists it.",
            )
        found: dict[str, int | str] = {home: number}
        row = suite.row(0, named=True)
        for repository in repositories:
            if repository not in found:
                found[repository] = self._same_signature(row, repository, framework, cancel)
        return found

    def _same_signature(self, row: Row, repository: str, framework: int | None, cancel: CancelToken) -> int | str:
        """The id of the same suite in another repository, "" if it has none."""
        same = [pl.col(name).eq_missing(pl.lit(row[name], pl.String)) for name in SAME_SUITE]
        by_hash = self.treeherder.signatures(repository, hashes=(str(row["signature_hash"]),), cancel=cancel).frame
        found = by_hash.filter(pl.col("framework_id") == row["framework_id"])
        if len(found) > 1:
            found = found.filter(pl.col("application").eq_missing(pl.lit(row["application"], pl.String)))
        if found.is_empty():
            numbers = (int(row["framework_id"]),) if row["framework_id"] else () if framework is None else (framework,)
            suites = self.treeherder.signatures(repository, frameworks=numbers, subtests=False, cancel=cancel)
            found = suites.frame.filter(*same)
        return "" if found.is_empty() else max(map(int, found["signature_id"]))

    def _read(
        self, pairs: list[_Pair], framework: int | None, cancel: CancelToken
    ) -> dict[tuple[_Push, _Push | None], Rows]:
        """The values of every side, each asked for once. The key of a base without a revision has its new push, too."""
        questions = list(dict.fromkeys(self._key(pair, is_base) for pair in pairs for is_base in (True, False)))
        if self.locator.base_only:
            questions = questions[:1]
        found = dict(answers(lambda key, own: self._values(*key, framework, own), questions, cancel))
        return {key: found[key] for key in questions}

    def _key(self, pair: _Pair, is_base: bool) -> tuple[_Push, _Push | None]:
        push = pair.base if is_base else pair.new
        return push, None if push.revision else pair.new

    def _sides(self, pair: _Pair, values: dict[tuple[_Push, _Push | None], Rows]) -> tuple[pl.DataFrame, pl.DataFrame]:
        base = values[self._key(pair, True)].frame
        return base, VALUES.empty() if self.locator.base_only else values[self._key(pair, False)].frame

    def _values(self, push: _Push, before: _Push | None, framework: int | None, cancel: CancelToken) -> Rows:
        if isinstance(push.parent, str):
            return Rows(VALUES.empty())
        return self.treeherder.values(
            push.repository,
            frameworks=() if framework is None else (framework,),
            parent=push.parent,
            subtests=self._subtests_only,
            replicates=self.locator.replicates,
            cancel=cancel,
            **self._when(push, before),
        )

    def _when(self, push: _Push, before: _Push | None) -> dict[str, Any]:
        """A revision, or without one the time before the new push."""
        if push.revision:
            return {"revision": push.revision}
        length = self.locator.interval or INTERVAL
        if before is None or before.time is None:
            return {"interval": length}
        return {"start": before.time - timedelta(seconds=length), "end": before.time - timedelta(seconds=1)}

    def _compared(self, pair: _Pair, base: pl.DataFrame, new: pl.DataFrame, *, precision: str = "") -> pl.DataFrame:
        return compare_values(base, new, precision=precision) if precision else compare_values(base, new)

    def _named(self, pair: _Pair, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows of one new side, in a list of several with its name."""
        return frame

    def _joined(self, frames: list[pl.DataFrame]) -> pl.DataFrame:
        return frames[0]

    def _pair_of(self, row: Row) -> _Pair:
        return _Pair(self._base, self._news[0])

    def _refined(
        self,
        frame: pl.DataFrame,
        small: list[tuple[_Pair, pl.DataFrame]],
        values: dict[tuple[_Push, _Push | None], Rows],
        origin: Freshness,
        note: str,
        cancel: CancelToken,
    ) -> Page:
        """The whole list again, in order, with the tests of small values compared in full."""
        most = MOST_REFINED // len(small)  # of each new side
        wanted = list(
            dict.fromkeys(
                (*self._key(pair, is_base), int(signature))
                for pair, rows in small
                for row in rows.head(most).iter_rows(named=True)
                for is_base, signature in ((True, row["base_signature"]), (False, row["new_signature"]))
            )
        )
        read = dict(answers(self._in_full, wanted, cancel))
        better: list[pl.DataFrame] = []
        for pair, rows in small:
            sides: list[pl.DataFrame] = []
            for is_base, name in ((True, "base_signature"), (False, "new_signature")):
                key = self._key(pair, is_base)
                numbers = [int(number) for number in rows.head(most)[name]]
                parts = [_with_values(values[key].frame, number, read[(*key, number)]) for number in numbers]
                sides.append(pl.concat([VALUES.empty(), *parts]))
            better.append(self._named(pair, self._compared(pair, sides[0], sides[1], precision="in full")))
        left = sum(max(len(rows) - most, 0) for _, rows in small)
        if left > 0:
            more = f"{left:,} tests with small values are compared from values of two decimals."
            note = f"{note} {more}".strip()
        every = pl.concat([*better, frame]).unique("key", keep="first", maintain_order=True)
        self._constant = constant(every)
        note = f"{note} {self._rank_note()}".strip()
        return Page(in_order(every), origin, total=len(every), replace=True, note=note)

    def _in_full(self, question: tuple[_Push, _Push | None, int], cancel: CancelToken) -> pl.DataFrame:
        push, before, signature = question
        replicates, when = self.locator.replicates, self._when(push, before)
        _, rows = self.treeherder.series(push.repository, signature, replicates=replicates, cancel=cancel, **when)
        return rows.frame

    def _rank_note(self) -> str:
        """perf.compare's default view asks the server for rank tests, which are a 500 where values do not differ."""
        if not self._constant or not self.locator.replicates:
            return ""
        tests = "1 test has" if self._constant == 1 else f"{self._constant:,} tests have"
        return (
            f"{tests} the same value everywhere on both sides: Treeherder's own Mann-Whitney U comparison fails on "
            "that (error 500). It is computed here instead; perf.compare opens in its Student's t view."
        )

    def _note(self, pairs: list[_Pair], values: dict[tuple[_Push, _Push | None], Rows]) -> str:
        notes = [rows.note for rows in values.values() if rows.note][:1]
        if self.locator.base_only:
            return " ".join(notes)
        sides = [("base", values[self._key(pairs[0], True)])]
        for pair in pairs:
            name = "new" if len(pairs) == 1 else f"new {pair.new.name}"
            sides.append((name, values[self._key(pair, False)]))
        lacking = [name for name, side in sides if side.frame.is_empty()]
        if len(lacking) < len(sides):
            notes += [f"The {name} side has no results (yet)." for name in lacking]
        return " ".join(notes)

    def open(self, row: Row) -> ComparedValues | None:
        pair = self._pair_of(row)
        if row.get("base_signature") is None or (row.get("new_signature") is None and not self.locator.base_only):
            return None
        base = self._side(pair, True, row)
        new = base if self.locator.base_only else self._side(pair, False, row)
        return ComparedValues(base, new, self.locator.replicates, self.server)

    def _ref(self, pair: _Pair, is_base: bool, row: Row) -> SeriesRef | None:
        signature = row.get("base_signature" if is_base else "new_signature")
        if signature is None:
            return None
        push = pair.base if is_base else pair.new
        return SeriesRef(push.repository, str(signature), str(row.get("framework_id") or ""))

    def _side(self, pair: _Pair, is_base: bool, row: Row) -> Side:
        push, before = self._key(pair, is_base)
        ref, when = self._ref(pair, is_base, row), self._when(push, before)
        assert ref is not None
        if "revision" in when:
            return Side(ref, push.revision)
        start, end = when.get("start"), when.get("end")
        return Side(ref, start=int(start.timestamp()) if start else None, end=int(end.timestamp()) if end else None)

    def shows(self, row: Row) -> PerfherderLocator | None:
        return self._subtests(row) or self.open(row)

    def _subtests(self, row: Row) -> Compare | None:
        if row.get("subtests") != "yes":
            return None
        pair = self._pair_of(row)
        if self.locator.base_only:
            pair = replace(pair, new=pair.base)
        base, new = _number(row.get("base_signature")), _number(row.get("new_signature"))
        return replace(
            self.locator, base_revision=pair.base.revision, new_repository=pair.new.repository,
            new_revision=pair.new.revision, framework=str(row.get("framework_id") or self.locator.framework),
            base_parent=base, new_parent=base if self.locator.base_only else new, others=(),
        )  # fmt: skip

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        found: list[Entry] = []
        if row is not None:
            pair = self._pair_of(row)
            subtests, values = self._subtests(row), self.open(row)
            found += [Link("Its subtests", subtests)] if subtests is not None else []
            found += [Link("The values of both sides", values)] if values is not None else []
            sides = (self._ref(pair, is_base, row) for is_base in (True, False))
            refs = dict.fromkeys(ref for ref in sides if ref is not None)
            found.append(Link("Its series", Series(tuple(refs), server=self.server)))
        words = "One value a run, without replicates" if self.locator.replicates else "With all replicates"
        found.append(Link(words, replace(self.locator, replicates=not self.locator.replicates)))
        if len(self._news) > 1:
            for push in self._news:
                alone = replace(self.locator, new_repository=push.repository, new_revision=push.revision, others=())
                found.append(Link(f"Only {push.name}", alone))
        news = [("new", push) for push in self._news] if not self.locator.base_only else []
        for name, push in (*news, ("base", self._base)):
            if push.revision:
                which = f"the {name} push" if len(self._news) == 1 else f"the {name} push {push.name}"
                found.append(Link(f"The jobs of {which}", PushOf(push.repository, push.revision, self.server)))
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
        title = " ".join(str(row[name]) for name in ("new", "suite", "test", "platform") if row.get(name))
        named = (("Medians and ranks", ranks), ("Means and t", means), ("Runs", runs), ("Test", test))
        return Detail(title, tuple((words, told(row, COMPARED_TESTS, names)) for words, names in named))

    def web_url(self, row: Row | None = None) -> str:
        """The comparison; of a row, its subtests or its test, in its framework."""
        news = tuple((push.repository, push.revision) for push in self._news)
        at = replace(
            self.locator, base_revision=self._base.revision, new_repository=news[0][0], new_revision=news[0][1],
            others=news[1:], framework=self._framework,
        )  # fmt: skip
        found = (self._base.parent, self._news[0].parent)
        if any(found):  # the ids that the suite has in each repository, whichever one was given
            base, new = (parent if isinstance(parent, int) else None for parent in found)
            at = replace(at, base_parent=base, new_parent=new)
        search = ""
        if row is not None:
            search = " ".join(str(row[name]) for name in ("suite", "test") if row.get(name))
            subtests = self._subtests(row)
            if subtests is not None:
                at, search = subtests, ""
            elif row.get("framework_id"):
                at = replace(at, framework=str(row["framework_id"]))
        return compare_url(self.treeherder.base, at, self._frameworks, student_t=self._constant > 0, search=search)

    def summary(self, frame: pl.DataFrame) -> str:
        needs = int((frame["more_runs"] == "yes").sum())
        by_t = counts(frame.filter(pl.col("t_verdict") != "no change"), "t_verdict")
        words = [f"by t {', '.join(by_t)}"] if by_t else []
        return " · ".join([*counts(frame, "verdict"), *words, *([f"{needs:,} need more runs"] if needs else [])])


class SubtestCompareList(CompareList):
    """One row a subtest of one suite."""

    schema = COMPARED_SUBTESTS


class SeveralCompareList(CompareList):
    """One base and several new revisions: one row a test and new revision, which the column `new` names."""

    schema = COMPARED_SEVERAL
    noun = ("comparison", "comparisons")

    def _named(self, pair: _Pair, frame: pl.DataFrame) -> pl.DataFrame:
        name = self._name_of(pair.new)
        named = frame.with_columns(
            pl.lit(name, pl.String).alias("new"),
            pl.concat_str(pl.lit(f"{pair.new.repository}:{pair.new.revision}\x1f"), "key").alias("key"),
        )
        return named.select(pl.col(column).cast(dtype) for column, dtype in COMPARED_SEVERAL.polars().items())

    def _joined(self, frames: list[pl.DataFrame]) -> pl.DataFrame:
        return in_order(pl.concat(frames))

    def _name_of(self, push: _Push) -> str:
        return f"{push.repository}:{push.revision[:12]}"

    def _pair_of(self, row: Row) -> _Pair:
        new = next((push for push in self._news if self._name_of(push) == row.get("new")), self._news[0])
        return _Pair(self._base, new)


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _with_values(listed: pl.DataFrame, signature: int, data: pl.DataFrame) -> pl.DataFrame:
    """What `listed` (schema `VALUES`) says of a signature, with the values of `data` (schema `DATA`)."""
    what = listed.filter(pl.col("signature_id") == str(signature)).head(1).drop("key", "value", "job_id", "submit_time")
    values = data.select("key", "value", "job_id", "submit_time")
    joined = values.join(what, how="cross")
    return joined.select(pl.col(name).cast(dtype) for name, dtype in VALUES.polars().items())
