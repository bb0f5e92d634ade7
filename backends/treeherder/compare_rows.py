"""Two sides' values joined test by test: Perfherder's comparison with its two methods, computed here.

What differs from the server's own answers, and why, is in docs/perfherder-compare.md.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from backends.frames.comparison import COMPARED, compare, median_shift
from backends.frames.schema import Column, Kind, Schema
from backends.treeherder.columns import numbered, redrawn
from backends.treeherder.signature_rows import as_number

# What makes a test the same on both sides: the server's header (suite, test, build, options, application) and platform.
SAME = ("framework_id", "platform", "suite", "test", "name", "application")
STEP = 0.01  # values come rounded to two decimals
COARSE = 0.001  # a rounding step of more than this share of a value can make up or hide a change

_BY_NAME = {column.name: column for column in COMPARED}
_FIRST = ("verdict", "delta_percent")
_MEDIANS = ("median_base", "median_new", "delta")

COMPARED_TESTS = Schema(
    (
        replace(_BY_NAME["verdict"], width=13),  # a sign and "improvement"
        _BY_NAME["delta_percent"],
        Column("suite", Kind.TEXT, "Suite", width=18),
        Column("test", Kind.TEXT, "Test", width=8),
        Column("platform", Kind.TEXT, "Platform", width=19),
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
        numbered("base_signature", "Signature base", hidden=True),
        numbered("new_signature", "Signature new", hidden=True),
        numbered("framework_id", "Framework id", hidden=True),
    ),
    key="key",
)


COMPARED_SEVERAL = Schema(  # of one base with several new revisions
    (
        *COMPARED_TESTS.columns[:2],
        Column("new", Kind.TEXT, "New", width=16),
        *COMPARED_TESTS.columns[2:],
    ),
    key="key",
)

COMPARED_SUBTESTS = redrawn(COMPARED_TESTS, hidden=("suite",), test=24)  # of one suite, which the title names


def compare_values(base: pl.DataFrame, new: pl.DataFrame, *, precision: str = "2 decimals") -> pl.DataFrame:
    """One row a test (schema `COMPARED_TESTS`) of two frames of the schema `VALUES`; what changed most comes first.

    A run is a job, so the replicates of one job do not count as runs. `shift_low`, `shift_high`: the bootstrap's 95 %
    bounds of the difference of the medians. A test that only one side has is listed without a verdict.
    """
    sides = [
        side.with_columns(
            _lower=pl.col("lower_is_better") != "no",
            _run=pl.coalesce("job_id", "key"),
        )
        for side in (base, new)
    ]
    found = compare(sides[0], sides[1], SAME, lower_is_better="_lower", run="_run")
    told = pl.concat(sides).group_by(SAME).agg(pl.col("unit", "lower_is_better", "subtests").drop_nulls().first())
    joined = found.join(told, on=SAME, how="left", nulls_equal=True, maintain_order="left")
    for name, side in (("base", sides[0]), ("new", sides[1])):
        values = side.group_by(SAME).agg(
            as_number("signature_id").max().cast(pl.String).alias(f"{name}_signature"),
            pl.col("value").alias(f"_{name}"),
        )
        joined = joined.join(values, on=SAME, how="left", nulls_equal=True, maintain_order="left")
    bounds = [_bounds(before, after) for before, after in joined.select("_base", "_new").iter_rows()]
    whole = joined.with_columns(
        pl.Series("shift_low", [low for low, _ in bounds], pl.Float64),
        pl.Series("shift_high", [high for _, high in bounds], pl.Float64),
        pl.when(pl.col("lower_is_better") == "no").then(pl.lit("higher")).otherwise(pl.lit("lower")).alias("better"),
        _options().alias("options"),
        pl.lit(precision).alias("precision"),
        key=pl.concat_str([pl.col(name).cast(pl.String).fill_null("\0") for name in SAME], separator="\x1f"),
    )
    return in_order(whole.select(pl.col(name).cast(dtype) for name, dtype in COMPARED_TESTS.polars().items()))


def _options() -> pl.Expr:
    """Of the server's header "amazon fcp opt cold webrender" what tells two rows of a suite and test apart."""
    rest = pl.col("name")
    for name in ("suite", "test"):
        rest = rest.str.strip_prefix(pl.col(name).fill_null("")).str.strip_chars_start(" ")
    return rest


def _bounds(base: list[float] | None, new: list[float] | None) -> tuple[float | None, float | None]:
    return (median_shift(base, new) if base and new else None) or (None, None)


def in_order(frame: pl.DataFrame) -> pl.DataFrame:
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


def coarse(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows whose values are so small that two decimals are too few, and that both sides have."""
    return frame.filter(_is_coarse())


def _is_coarse() -> pl.Expr:
    smallest = pl.min_horizontal(pl.col("median_base").abs(), pl.col("median_new").abs())
    small = (smallest * COARSE < STEP) & (pl.col("n_base") > 0) & (pl.col("n_new") > 0)
    return small.fill_null(False)


def constant(frame: pl.DataFrame) -> int:
    """How many tests have one and the same value everywhere on both sides: the server's rank tests fail on those.

    Values of two decimals do not tell where that step is coarse; then only values in full count.
    """
    frame = frame.filter(~(_is_coarse() & (pl.col("precision") != "in full")))
    flat = (pl.col("n_base") > 0) & (pl.col("n_new") > 0) & (pl.col("std_base").fill_null(0) == 0)
    same = (pl.col("std_new").fill_null(0) == 0) & (pl.col("median_base") == pl.col("median_new"))
    return frame.filter(flat & same).height
