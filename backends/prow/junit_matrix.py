"""How each test fared over many builds: a letter a build, pass rate, first failure, and whether it becomes slower."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from backends.frames.schema import Column, Kind, Schema

LETTERS = {"failed": "F", "flaky": "~", "passed": "P", "skipped": "S"}
ABSENT = "·"
_LEAST = 3  # durations in each half, for a trend
_KEY = ("suite", "classname", "test")

JUNIT_MATRIX = Schema(
    (
        Column("state", Kind.STATE, "Last", width=9),
        Column("test", Kind.TEXT, "Test", width=50, keeps_end=True),
        Column("history", Kind.TEXT, "Builds, newest first", width=40, searched=False),
        Column("pass_rate", Kind.NUMBER, "Passed", "%"),
        Column("runs", Kind.COUNT, "Runs"),
        Column("failures", Kind.COUNT, "Failures"),
        Column("flakes", Kind.COUNT, "Flakes"),
        Column("skips", Kind.COUNT, "Skips"),
        Column("failing_since", Kind.ID, "Failing since"),
        Column("first_failure", Kind.ID, "First failure"),
        Column("last_failure", Kind.ID, "Last failure", hidden=True),
        Column("median_duration", Kind.DURATION, "Median", "s"),
        Column("trend", Kind.NUMBER, "Trend", "%"),
        Column("message", Kind.TEXT, "Last message", width=60),
        Column("suite", Kind.TEXT, "Suite"),
        Column("classname", Kind.TEXT, "Class", hidden=True),
        Column("working_rate", Kind.NUMBER, "Passed or flaked", "%", hidden=True),
    ),
    key="key",
)


def junit_matrix(rows: pl.DataFrame, builds: Sequence[str]) -> pl.DataFrame:
    """One row a test (schema JUNIT_MATRIX) of rows of the schema JUNIT_TESTS; `builds` newest first, without doubles.

    Rows of other builds are left out. A test is one suite, class and name; where a build has it in several folders the
    worst state counts: failed, flaky, passed, skipped. `history` has a letter for every one of `builds`: P, F, S, `~`
    for flaky, `·` where the test was not reported.

    `runs`: builds in which it ran (skips do not count). `pass_rate`: those in which it passed at once, `working_rate`
    also those in which it flaked (Sippy's current pass and working percentage), both in percent of `runs`, null without
    any. `state`: of the newest build that has the test. `first_failure`, `last_failure`: the oldest and newest build in
    which it failed. `failing_since`: the oldest build of the failures that lead up to now, skips and absences left
    aside; null if it did not fail when it ran last. `median_duration`: seconds, of the builds where it passed.
    `trend`: by how many percent the median duration of the newer half of those builds exceeds that of the older half
    (the middle one of an odd number belongs to neither); null with fewer than three in a half or a median of 0.

    Failing tests come first, then flaky ones, each by pass rate; equal ones in the order of their names.
    """
    if rows.is_empty() or not builds:
        return JUNIT_MATRIX.empty()
    cells = _cells(rows, builds)
    if cells.is_empty():
        return JUNIT_MATRIX.empty()
    found = cells.group_by(_KEY, maintain_order=True).agg(
        pl.col("state").first(),
        pl.col("message").filter(pl.col("state").is_in(["failed", "flaky"])).first(),
        *(
            (pl.col("state") == state).sum().cast(pl.Int64).alias(name)
            for state, name in (("failed", "failures"), ("flaky", "flakes"), ("passed", "passes"), ("skipped", "skips"))
        ),
        _failing("build").last().alias("first_failure"),
        _failing("build").first().alias("last_failure"),
        pl.struct("state", "build").alias("_states"),
        pl.struct("_place", "_letter").alias("_letters"),
        _passing().median().alias("median_duration"),
        _trend(),
    )
    return _fitted(_told(found, len(builds)))


def _cells(rows: pl.DataFrame, builds: Sequence[str]) -> pl.DataFrame:
    """One row a test and build, newest build first, with the worst state and what belongs to it."""
    places = pl.DataFrame({"build": list(builds), "_place": range(len(builds))}, schema_overrides={"_place": pl.Int64})
    worst = {state: place for place, state in enumerate(("failed", "flaky", "passed", "skipped"))}
    return (
        rows.select(*_KEY, "build", "state", "duration", "message")
        .join(places, on="build", how="inner", maintain_order="left")
        .with_columns(
            _worst=pl.col("state").replace_strict(worst, default=4, return_dtype=pl.Int8),
            _letter=pl.col("state").replace_strict(LETTERS, default="?", return_dtype=pl.String),
        )
        .sort("_place", "_worst", maintain_order=True)
        .unique([*_KEY, "build"], keep="first", maintain_order=True)
    )


def _failing(column: str) -> pl.Expr:
    return pl.col(column).filter(pl.col("state") == "failed")


def _passing() -> pl.Expr:
    """Finite durations of passes, newest first."""
    return pl.col("duration").filter((pl.col("state") == "passed") & pl.col("duration").is_finite())


def _trend() -> pl.Expr:
    values = _passing()
    half = values.len() // 2
    newer, older = values.head(half).median(), values.tail(half).median()
    told = (half >= _LEAST) & (older > 0)
    return pl.when(told).then((newer / older - 1) * 100).alias("trend")


def _told(found: pl.DataFrame, count: int) -> pl.DataFrame:
    ran = pl.col("failures") + pl.col("flakes") + pl.col("passes")
    histories = [_history(letters, count) for letters in found["_letters"].to_list()]
    since = [_since(states) for states in found["_states"].to_list()]
    rank = pl.col("state").replace_strict({"failed": 0, "flaky": 1}, default=2, return_dtype=pl.Int8)
    return found.with_columns(
        pl.Series("history", histories, pl.String),
        pl.Series("failing_since", since, pl.String),
        runs=ran,
        pass_rate=pl.when(ran > 0).then(100 * pl.col("passes") / ran),
        working_rate=pl.when(ran > 0).then(100 * (pl.col("passes") + pl.col("flakes")) / ran),
        key=pl.concat_str(_KEY, separator="\x1f"),
    ).sort(rank, "pass_rate", *_KEY, nulls_last=True, maintain_order=True)


def _history(letters: Sequence[dict[str, object]], count: int) -> str:
    line = [ABSENT] * count
    for cell in letters:
        line[int(str(cell["_place"]))] = str(cell["_letter"])
    return "".join(line)


def _since(states: Sequence[dict[str, str]]) -> str | None:
    """The oldest build of the unbroken failures at the newest end."""
    since = None
    for cell in states:
        if cell["state"] == "failed":
            since = cell["build"]
        elif cell["state"] != "skipped":
            break
    return since


def _fitted(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(dtype) for name, dtype in JUNIT_MATRIX.polars().items())
