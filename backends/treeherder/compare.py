"""Two revisions side by side: what their performance tests measured, test by test, by Perfherder's two methods.

The methods are computed here; how that differs from the server's own results, and why, is in
docs/perfherder-compare.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import reduce
from typing import Any

import msgspec
import polars as pl

from backends.cancel import CancelToken
from backends.frames.getters import optional, yes_if
from backends.frames.schema import Column, Kind, Schema
from backends.frames.significance import COMPARED, compare, median_shift
from backends.http.response import Freshness
from backends.resources import LIST, Entry, Link, Page, Row, digit_key
from backends.treeherder.api import UnknownItemError
from backends.treeherder.base import (
    Context,
    TreeherderList,
    as_number,
    count_values,
    id_column,
    join_words,
    map_in_parallel,
    row_words,
    select_schema,
    time_of,
    with_layout,
    with_sections,
)
from backends.treeherder.locators import (
    INTERVAL,
    Compare,
    ComparedValues,
    PushOf,
    Series,
    SeriesRef,
    Side,
    TreeherderLocator,
)
from backends.treeherder.models import PerformanceSignature, SeriesSummary
from backends.treeherder.series import data_frame, replicates_link
from backends.treeherder.web_urls import compare_url

# What makes a test the same on both sides: the server's header (suite, test, build, options, application) and platform.
SAME = ("framework_id", "platform", "suite", "test", "name", "application")
STEP = 0.01  # values come rounded to two decimals
COARSE = 0.001  # a rounding step of more than this share of a value can make up or hide a change
MOST_REFINED = 60  # tests whose values are fetched in full, two requests each


class _TestValue(msgspec.Struct, gc=False):
    summary: SeriesSummary
    number: int
    value: float
    job_id: int | None

    def key(self) -> str:
        return f"{self.summary.signature_id}/{self.number}"


# Values of one side, one row a value (or a replicate).
VALUES = Schema(
    (
        Column("suite", Kind.TEXT, "Suite", get="summary.suite"),
        Column("test", Kind.TEXT, "Test", get=optional("summary.test")),
        Column("platform", Kind.TEXT, "Platform", keeps_end=True, get="summary.platform"),
        Column("name", Kind.TEXT, "Name", get="summary.name"),
        Column("unit", Kind.TEXT, "Unit", get=optional("summary.measurement_unit")),
        Column("application", Kind.TEXT, "Application", get=optional("summary.application")),
        Column(
            "lower_is_better", Kind.TEXT, "Lower is better",
            get=lambda row: "no" if row.summary.lower_is_better is False else "yes",
        ),
        Column("subtests", Kind.TEXT, "Subtests", get=yes_if("summary.has_subtests")),
        Column("value", Kind.NUMBER, "Value", get="value"),
        id_column("job_id", "Job", get="job_id"),
        id_column("framework_id", "Framework id", get="summary.framework_id"),
        id_column("signature_id", "Signature", get="summary.signature_id"),
    ),
    key="key",
    key_get=_TestValue.key,
)  # fmt: skip

_BY_NAME = {column.name: column for column in COMPARED}
_FIRST = ("verdict", "delta_percent")
_MEDIANS = ("median_base", "median_new", "delta")

COMPARED_TESTS = with_sections(
    Schema(
        (
            replace(_BY_NAME["verdict"], width=13),  # a sign and "improvement"
            _BY_NAME["delta_percent"],
            Column("suite", Kind.TEXT, "Suite", width=18),
            Column("test", Kind.TEXT, "Test", width=8),
            Column("platform", Kind.TEXT, "Platform", width=19, keeps_end=True),
            Column("options", Kind.TEXT, "Options", width=24),
            *(_BY_NAME[name] for name in _MEDIANS),
            Column("shift_low", Kind.NUMBER, "Δ at least"),
            Column("shift_high", Kind.NUMBER, "Δ at most"),
            *(column for column in COMPARED if column.name not in (*_FIRST, *_MEDIANS)),
            Column("unit", Kind.TEXT, "Unit"),
            Column("better", Kind.TEXT, "Better"),
            Column("subtests", Kind.TEXT, "Subtests"),
            Column("name", Kind.TEXT, "Name", hidden=True),
            Column("application", Kind.TEXT, "Application"),
            Column("precision", Kind.TEXT, "Values", hidden=True),
            id_column("base_signature", "Signature base", hidden=True),
            id_column("new_signature", "Signature new", hidden=True),
            id_column("framework_id", "Framework id", hidden=True),
        ),
        key="key",
    ),
    {
        "Medians and ranks": (
            *_FIRST, *_MEDIANS, "shift_low", "shift_high", "p", "cliffs_delta", "effect", "cles",
        ),
        "Means and t": (
            "t_verdict", "mean_base", "mean_new", "mean_delta_percent", "std_base", "std_new", "t", "confidence",
            "welch_p",
        ),
        "Runs": ("runs_base", "runs_new", "n_base", "n_new", "more_runs", "precision"),
        "Test": ("unit", "better", "direction", "name", "application", "base_signature", "new_signature"),
    },
)  # fmt: skip
COMPARED_SEVERAL = replace(  # of one base with several new revisions
    COMPARED_TESTS,
    columns=(*COMPARED_TESTS.columns[:2], Column("new", Kind.TEXT, "New", width=16), *COMPARED_TESTS.columns[2:]),
)
COMPARED_SUBTESTS = with_layout(COMPARED_TESTS, hidden=("suite",), test=24)  # of one suite, which the title names


def value_frame(summaries: Sequence[SeriesSummary]) -> pl.DataFrame:
    """Rows of `VALUES`, rounded to 2 decimals; a signature without values gives none.

    `values` and `job_ids` are parallel; where there are fewer jobs, they are null for the rest.
    """
    return VALUES.build(
        [
            _TestValue(summary, number, value, summary.job_ids[number] if number < len(summary.job_ids) else None)
            for summary in summaries
            for number, value in enumerate(summary.values)
            if value is not None and math.isfinite(value)
        ]
    )


def compare_values(base: pl.DataFrame, new: pl.DataFrame, *, precision: str = "2 decimals") -> pl.DataFrame:
    """One row a test (of `COMPARED_TESTS`) of two frames of `VALUES`; what changed most comes first.

    A run is a job, so the replicates of one job do not count as runs. `shift_low`, `shift_high`: the bootstrap's 95 %
    bounds of the difference of the medians. A test that only one side has is listed without a verdict.
    """
    sides = [
        side.with_columns(_lower=pl.col("lower_is_better") != "no", _run=pl.coalesce("job_id", "key"))
        for side in (base, new)
    ]
    tests = compare(sides[0], sides[1], SAME, lower_is_better="_lower", run="_run")
    words = pl.concat(sides).group_by(SAME).agg(pl.col("unit", "lower_is_better", "subtests").drop_nulls().first())
    tests = tests.join(words, on=SAME, how="left", nulls_equal=True, maintain_order="left")
    for name, side in (("base", sides[0]), ("new", sides[1])):
        values = side.group_by(SAME).agg(
            as_number("signature_id").max().cast(pl.String).alias(f"{name}_signature"),
            pl.col("value").alias(f"_{name}"),
        )
        tests = tests.join(values, on=SAME, how="left", nulls_equal=True, maintain_order="left")
    bounds = [_bounds(before, after) for before, after in tests.select("_base", "_new").iter_rows()]
    tests = tests.with_columns(
        pl.Series("shift_low", [low for low, _ in bounds], pl.Float64),
        pl.Series("shift_high", [high for _, high in bounds], pl.Float64),
        pl.when(pl.col("lower_is_better") == "no").then(pl.lit("higher")).otherwise(pl.lit("lower")).alias("better"),
        _options().alias("options"),
        pl.lit(precision).alias("precision"),
        key=pl.concat_str([pl.col(name).cast(pl.String).fill_null("\0") for name in SAME], separator="\x1f"),
    )
    return sort_tests(select_schema(tests, COMPARED_TESTS))


def _options() -> pl.Expr:
    """Of the server's header "amazon fcp opt cold webrender" what tells two rows of a suite and test apart."""
    rest = pl.col("name")
    for name in ("suite", "test"):
        rest = rest.str.strip_prefix(pl.col(name).fill_null("")).str.strip_chars_start(" ")
    return rest


def _bounds(base: list[float] | None, new: list[float] | None) -> tuple[float | None, float | None]:
    return (median_shift(base, new) if base and new else None) or (None, None)


def sort_tests(frame: pl.DataFrame) -> pl.DataFrame:
    """Changes by either verdict first, then by the size of the effect; tests of one side last; equals by their names,
    in whatever order the server listed them."""
    changed = pl.any_horizontal(
        pl.col(name).is_in(["regression", "improvement", "warning"]).fill_null(False)
        for name in ("verdict", "t_verdict")
    )
    return frame.sort(
        changed,
        pl.col("cliffs_delta").is_not_null(),
        pl.col("cliffs_delta").abs(),
        pl.col("delta_percent").abs(),
        "suite",
        "test",
        "platform",
        "key",
        descending=[True, True, True, True, False, False, False, False],
        nulls_last=True,
    )


def coarse_tests(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows whose values are so small that two decimals are too few, and that both sides have."""
    return frame.filter(_is_coarse())


def _is_coarse() -> pl.Expr:
    smallest = pl.min_horizontal(pl.col("median_base").abs(), pl.col("median_new").abs())
    small = (smallest * COARSE < STEP) & (pl.col("n_base") > 0) & (pl.col("n_new") > 0)
    return small.fill_null(False)


def count_constant(frame: pl.DataFrame) -> int:
    """How many tests have one and the same value everywhere on both sides: the server's rank tests fail on those.

    Values of two decimals do not tell where that step is coarse; then only values in full count.
    """
    frame = frame.filter(~(_is_coarse() & (pl.col("precision") != "in full")))
    flat = (pl.col("n_base") > 0) & (pl.col("n_new") > 0) & (pl.col("std_base").fill_null(0) == 0)
    same = (pl.col("std_new").fill_null(0) == 0) & (pl.col("median_base") == pl.col("median_new"))
    return frame.filter(flat & same).height


@dataclass(frozen=True)
class _PushSide:
    """One side of a comparison.

    `parent`: the id, in the push's own repository, of the suite whose subtests are compared; "" where the suite is not
    measured there at all, None where suites are compared. `before`: of a base without a revision, which is what was
    measured until then: the time of the new push.
    """

    repository: str
    revision: str
    time: datetime | None = None
    parent: int | str | None = None
    before: datetime | None = None

    @property
    def name(self) -> str:
        return f"{self.repository} {self.revision[:12]}"


_Pair = tuple[_PushSide, _PushSide]  # base, new


@dataclass(frozen=True)
class _SideValues:
    """The values of one side (of `VALUES`)."""

    frame: pl.DataFrame
    freshness: Freshness
    note: str


# Of the verdicts by t, those that say that something changed, in words that fit beside the others.
_BY_T = (("regression", "worse"), ("improvement", "better"), ("warning", "perhaps worse"))


class CompareList(TreeherderList):
    """One row a test (of `COMPARED_TESTS`). Enter: the subtests of a suite, else the values of both sides."""

    schema = COMPARED_TESTS
    noun = ("test", "tests")
    empty_text = "Neither side has performance results; their jobs may still run."
    locator: Compare

    def __init__(self, locator: Compare, context: Context) -> None:
        super().__init__(locator, context)
        self._base = _PushSide(locator.base_repository, locator.base_revision)
        self._news = tuple(_PushSide(*new) for new in locator.news)
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
        subtests = " subtests" if at.of_subtests else ""
        if at.base_only:
            return f"{at.base_repository} {base} alone{subtests}"
        news = ", ".join(push.name for push in self._news)
        return f"{at.base_repository} {base} → {news}{subtests}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """From values of two decimals; then again, from values in full, the tests for which those are too coarse."""
        at = self.locator
        framework = self.client.find_framework_id(at.framework, cancel)
        if framework is not None:
            self._frameworks = {at.framework.lower(): framework}
        self._news = tuple(self._look_up(push, cancel) for push in self._news)
        if self._base.revision:
            self._base = self._look_up(self._base, cancel)
        absent = self._find_parents(framework, cancel) if at.of_subtests else ""
        pairs = [self._pair(new) for new in self._news]
        values = self._fetch_values(pairs, framework, cancel)
        compared = [(pair, self._compare_pair(pair, values)) for pair in pairs]
        frame = self._combine([self._with_new_name(pair, one) for pair, one in compared])
        if at.of_subtests:
            suites = frame["suite"].drop_nulls().unique()
            self._suite = str(suites[0]) if len(suites) == 1 else ""
        self._constant = 0 if at.base_only else count_constant(frame)
        frameworks = frame["framework_id"].drop_nulls().unique()
        if not self._framework and len(frameworks) == 1:
            self._framework = str(frameworks[0])
        freshness = reduce(Freshness.worse, (one.freshness for one in values.values()))
        unknown = self.client.describe_unknown_framework(framework, cancel) if frame.is_empty() else ""
        note = " ".join(filter(None, (absent, unknown, self._note(pairs, values))))
        yield Page(frame, freshness, total=len(frame), note=f"{note} {self._rank_note()}".strip())
        coarse = [] if at.base_only else [(pair, coarse_tests(one)) for pair, one in compared]
        if any(len(one) for _, one in coarse):
            yield self._refine(frame, coarse, values, freshness, note, cancel)

    def _look_up(self, push: _PushSide, cancel: CancelToken) -> _PushSide:
        """The push in full: values are found by all 40 digits only, and of an unknown revision the server lists
        every signature without a value instead of saying so."""
        found = self.client.find_push(push.repository, push.revision, cancel)
        return replace(push, revision=str(found.revision), time=time_of(found.push_timestamp or None))

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
            parents: dict[str, int | str] = {repositories[0]: min(given)} if len(given) == 1 else {}
        elif len(given) == 2 and len(self._news) == 1:
            parents = {}
        else:
            parents = self._find_parents_of(min(given), repositories, framework, cancel)
        numbers = [at.base_parent, at.new_parent, *(at.new_parent for _ in self._news[1:])]
        self._base, *news = (
            replace(push, parent=parents.get(push.repository, number))
            for push, number in zip(pushes, numbers, strict=True)
        )
        self._news = tuple(news)
        lacking = [name for name in repositories if parents.get(name) == ""]
        return f"{' and '.join(lacking)} does not measure this suite." if lacking else ""

    def _find_parents_of(
        self, number: int, repositories: list[str], framework: int | None, cancel: CancelToken
    ) -> dict[str, int | str]:
        for home in repositories:
            found = self.client.fetch_signatures(home, ids=(number,), cancel=cancel).items
            if found:
                break
        else:
            raise UnknownItemError(
                f"Neither {' nor '.join(repositories)} has a signature {number}.",
                "Give the id of the suite in one of the two repositories, as `treeherder compare` lists it.",
            )
        return {
            name: number if name == home else self._find_same(found[0], name, framework, cancel)
            for name in repositories
        }

    def _find_same(
        self, suite: PerformanceSignature, repository: str, framework: int | None, cancel: CancelToken
    ) -> int | str:
        """The id of the same suite in another repository, "" if it has none."""
        hashes = (suite.signature_hash or "",)
        found = self.client.fetch_signatures(repository, hashes=hashes, cancel=cancel).items
        found = [one for one in found if one.framework_id == suite.framework_id]
        if len(found) > 1:
            found = [one for one in found if (one.application or None) == (suite.application or None)]
        if not found:
            number = suite.framework_id or framework
            frameworks = () if number is None else (number,)
            suites = self.client.fetch_signatures(repository, frameworks=frameworks, subtests=False, cancel=cancel)
            found = [one for one in suites.items if _identity(one) == _identity(suite)]
        return max((one.id for one in found if one.id is not None), default="")

    def _pair(self, new: _PushSide) -> _Pair:
        base = self._base if self._base.revision else replace(self._base, before=new.time)
        return base, new

    def _fetch_values(
        self, pairs: list[_Pair], framework: int | None, cancel: CancelToken
    ) -> dict[_PushSide, _SideValues]:
        """The values of every side, each fetched once."""
        pushes = list(dict.fromkeys(push for pair in pairs for push in pair))
        if self.locator.base_only:
            pushes = pushes[:1]

        def fetch(push: _PushSide, own: CancelToken) -> _SideValues:
            if isinstance(push.parent, str):
                return _SideValues(VALUES.empty(), Freshness(), "")
            found = self.client.fetch_values(
                push.repository,
                frameworks=() if framework is None else (framework,),
                parent=push.parent,
                subtests=self.locator.of_subtests,
                replicates=self.locator.replicates,
                cancel=own,
                **self._period(push),
            )
            return _SideValues(value_frame(found.items), found.freshness, found.note)

        values = dict(map_in_parallel(fetch, pushes, cancel))
        return {push: values[push] for push in pushes}

    def _period(self, push: _PushSide) -> dict[str, Any]:
        """A revision, or without one the time before the new push."""
        if push.revision:
            return {"revision": push.revision}
        length = self.locator.interval or INTERVAL
        if push.before is None:
            return {"interval": length}
        return {"start": push.before - timedelta(seconds=length), "end": push.before - timedelta(seconds=1)}

    def _compare_pair(self, pair: _Pair, values: dict[_PushSide, _SideValues]) -> pl.DataFrame:
        new = VALUES.empty() if self.locator.base_only else values[pair[1]].frame
        return compare_values(values[pair[0]].frame, new)

    def _with_new_name(self, pair: _Pair, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows of one new side, in a list of several with its name."""
        return frame

    def _combine(self, frames: list[pl.DataFrame]) -> pl.DataFrame:
        return frames[0]

    def _pair_of(self, row: Row) -> _Pair:
        return self._pair(self._news[0])

    def _refine(
        self,
        frame: pl.DataFrame,
        coarse: list[tuple[_Pair, pl.DataFrame]],
        values: dict[_PushSide, _SideValues],
        freshness: Freshness,
        note: str,
        cancel: CancelToken,
    ) -> Page:
        """All rows again, in order, with the tests of small values compared in full."""
        most = MOST_REFINED // len(coarse)  # of each new side
        names = ("base_signature", "new_signature")
        wanted = dict.fromkeys(
            (push, int(signature))
            for pair, rows in coarse
            for push, name in zip(pair, names, strict=True)
            for signature in rows.head(most)[name]
        )

        def fetch(question: tuple[_PushSide, int], own: CancelToken) -> pl.DataFrame:
            push, signature = question
            replicates = self.locator.replicates
            found = self.client.fetch_series(
                push.repository, signature, replicates=replicates, cancel=own, **self._period(push)
            )
            data = [value for summary in found.items for value in summary.data]
            return data_frame(data, signature, replicates=replicates)

        data = dict(map_in_parallel(fetch, list(wanted), cancel))
        refined: list[pl.DataFrame] = []
        for pair, rows in coarse:
            full: list[pl.DataFrame] = []
            for push, name in zip(pair, names, strict=True):
                numbers = [int(number) for number in rows.head(most)[name]]
                parts = [_with_values(values[push].frame, number, data[push, number]) for number in numbers]
                full.append(pl.concat([VALUES.empty(), *parts]))
            refined.append(self._with_new_name(pair, compare_values(full[0], full[1], precision="in full")))
        left = sum(max(len(rows) - most, 0) for _, rows in coarse)
        if left > 0:
            note = f"{note} {left:,} tests with small values are compared from values of two decimals.".strip()
        every = pl.concat([*refined, frame]).unique("key", keep="first", maintain_order=True)
        self._constant = count_constant(every)
        note = f"{note} {self._rank_note()}".strip()
        return Page(sort_tests(every), freshness, total=len(every), replace=True, note=note)

    def _rank_note(self) -> str:
        """perf.compare's default view asks the server for rank tests, which are a 500 where values do not differ."""
        if not self._constant or not self.locator.replicates:
            return ""
        tests = "1 test has" if self._constant == 1 else f"{self._constant:,} tests have"
        return (
            f"{tests} the same value everywhere on both sides: Treeherder's own Mann-Whitney U comparison fails on "
            "that (error 500). It is computed here instead; perf.compare opens in its Student's t view."
        )

    def _note(self, pairs: list[_Pair], values: dict[_PushSide, _SideValues]) -> str:
        notes = [side.note for side in values.values() if side.note][:1]
        if self.locator.base_only:
            return " ".join(notes)
        sides = [("base", values[pairs[0][0]])]
        for _, new in pairs:
            sides.append(("new" if len(pairs) == 1 else f"new {new.name}", values[new]))
        lacking = [name for name, side in sides if side.frame.is_empty()]
        if len(lacking) < len(sides):
            notes += [f"The {name} side has no results (yet)." for name in lacking]
        return " ".join(notes)

    def open(self, row: Row) -> ComparedValues | None:
        sides = [self._side(push, ref) for push, ref in self._refs(row) if ref is not None]
        if len(sides) < (1 if self.locator.base_only else 2):
            return None
        return ComparedValues(sides[0], sides[-1], self.locator.replicates, self.server)

    def _refs(self, row: Row) -> list[tuple[_PushSide, SeriesRef | None]]:
        """Each push with the signature that the row compares there, None where it lacks the test."""
        refs: list[tuple[_PushSide, SeriesRef | None]] = []
        for push, name in zip(self._pair_of(row), ("base_signature", "new_signature"), strict=True):
            framework = str(row.get("framework_id") or "")
            refs.append((push, SeriesRef(push.repository, str(row[name]), framework) if row.get(name) else None))
        return refs[: 1 if self.locator.base_only else 2]

    def _side(self, push: _PushSide, ref: SeriesRef) -> Side:
        period = self._period(push)
        start, end = period.get("start"), period.get("end")
        return Side(ref, push.revision, *(int(time.timestamp()) if time else None for time in (start, end)))

    def shows(self, row: Row) -> TreeherderLocator | None:
        return self._subtests(row) or self.open(row)

    def _subtests(self, row: Row) -> Compare | None:
        if row.get("subtests") != "yes":
            return None
        base_push, new_push = self._pair_of(row)
        if self.locator.base_only:
            new_push = base_push
        base, new = (_number(row.get(f"{side}_signature")) for side in ("base", "new"))
        return replace(
            self.locator, base_revision=base_push.revision, new_repository=new_push.repository,
            new_revision=new_push.revision, framework=str(row.get("framework_id") or self.locator.framework),
            base_parent=base, new_parent=base if self.locator.base_only else new, others=(),
        )  # fmt: skip

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        entries: list[Entry] = []
        if row is not None:
            subtests, values = self._subtests(row), self.open(row)
            entries += [Link("Its subtests", subtests, letter="s")] if subtests is not None else []
            entries += [Link("The values of both sides", values, letter="v")] if values is not None else []
            refs = dict.fromkeys(ref for _, ref in self._refs(row) if ref is not None)
            if refs:
                entries.append(Link("Its series", Series(tuple(refs), server=self.server), letter="e"))
        entries.append(replicates_link(self.locator))
        if len(self._news) > 1:
            for number, push in enumerate(self._news):
                alone = replace(self.locator, new_repository=push.repository, new_revision=push.revision, others=())
                entries.append(Link(f"Only {push.name}", alone, letter=digit_key(number), group=LIST))
        news = [("new", push) for push in self._news] if not self.locator.base_only else []
        for number, (name, push) in enumerate((*news, ("base", self._base))):
            letter = "b" if name == "base" else "ncdfghilmop"[number : number + 1]
            if push.revision:
                which = f"the {name} push" if len(self._news) == 1 else f"the {name} push {push.name}"
                jobs = PushOf(push.repository, push.revision, self.server)
                entries.append(Link(f"The jobs of {which}", jobs, letter=letter, group="Its pushes"))
        return entries

    def row_title(self, row: Row) -> str:
        return row_words(row, "new", "suite", "test", "platform")

    def web_url(self, row: Row | None = None) -> str:
        """The comparison; of a row, its subtests or its test, in its framework."""
        news = tuple((push.repository, push.revision) for push in self._news)
        at = replace(
            self.locator, base_revision=self._base.revision, new_repository=news[0][0], new_revision=news[0][1],
            others=news[1:], framework=self._framework,
        )  # fmt: skip
        parents = (self._base.parent, self._news[0].parent)
        if any(parents):  # the ids that the suite has in each repository, whichever one was given
            base, new = (parent if isinstance(parent, int) else None for parent in parents)
            at = replace(at, base_parent=base, new_parent=new)
        search = ""
        if row is not None:
            subtests = self._subtests(row)
            if subtests is not None:
                at = subtests
            else:
                search = row_words(row, "suite", "test")
                at = replace(at, framework=str(row.get("framework_id") or at.framework))
        return compare_url(self.client.base, at, self._frameworks, student_t=self._constant > 0, search=search)

    def summary(self, frame: pl.DataFrame) -> str:
        needs = int((frame["more_runs"] == "yes").sum())
        by_t = dict(frame["t_verdict"].drop_nulls().value_counts().iter_rows())
        told = [f"{by_t[word]:,} {shown}" for word, shown in _BY_T if word in by_t]
        words = [f"t-test: {', '.join(told)}"] if told else []
        return " · ".join([*count_values(frame, "verdict"), *([f"{needs:,} need more runs"] if needs else []), *words])


class SubtestCompareList(CompareList):
    """One row a subtest of one suite."""

    schema = COMPARED_SUBTESTS


class SeveralCompareList(CompareList):
    """One base and several new revisions: one row a test and new revision, which the column `new` names."""

    schema = COMPARED_SEVERAL
    noun = ("comparison", "comparisons")

    def _with_new_name(self, pair: _Pair, frame: pl.DataFrame) -> pl.DataFrame:
        named = frame.with_columns(
            pl.lit(self._format_name(pair[1]), pl.String).alias("new"),
            pl.concat_str(pl.lit(f"{pair[1].repository}:{pair[1].revision}\x1f"), "key").alias("key"),
        )
        return select_schema(named, COMPARED_SEVERAL)

    def _combine(self, frames: list[pl.DataFrame]) -> pl.DataFrame:
        return sort_tests(pl.concat(frames))

    def _format_name(self, push: _PushSide) -> str:
        return f"{push.repository}:{push.revision[:12]}"

    def _pair_of(self, row: Row) -> _Pair:
        new = next((push for push in self._news if self._format_name(push) == row.get("new")), self._news[0])
        return self._pair(new)


def _identity(signature: PerformanceSignature) -> tuple[object, ...]:
    """What makes a suite the same in another repository, where its hash does not: all that its hash is made of."""
    return (
        signature.framework_id, signature.suite, signature.test or "", signature.machine_platform,
        signature.option_collection_hash, join_words(signature.extra_options), signature.application or "",
    )  # fmt: skip


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _with_values(listed: pl.DataFrame, signature: int, data: pl.DataFrame) -> pl.DataFrame:
    """What `listed` (of `VALUES`) says of a signature, with the values of `data` (of `DATA`)."""
    what = listed.filter(pl.col("signature_id") == str(signature)).head(1).drop("key", "value", "job_id")
    return select_schema(data.select("key", "value", "job_id").join(what, how="cross"), VALUES)
