"""The numbers under a table, against NumPy and SciPy."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
import scipy.stats
from hypothesis import given, settings

from backends.errors import UsageError
from backends.frames import statistics
from backends.frames.schema import Column, Kind, Schema
from backends.frames.statistics import ColumnStatistics
from tests.frame_rows import frame_from_rows

NUMBER = Column("v", Kind.NUMBER, "V")
cells = st.none() | st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf])


def assert_like_numpy(described: ColumnStatistics, values: np.ndarray, scale: float) -> None:
    assert described.n == len(values)
    if not len(values):
        assert described == ColumnStatistics(0, described.missing, not_finite=described.not_finite)
        return
    quantiles = np.quantile(values, [0, 0.5, 0.9, 0.95, 0.99, 1], method="linear")
    found = [described.min, described.median, described.p90, described.p95, described.p99, described.max]
    assert found == pytest.approx(list(quantiles), rel=1e-12, abs=1e-9 * scale)
    assert described.mean == pytest.approx(math.fsum(values) / len(values), rel=1e-14, abs=1e-12 * scale)
    if len(values) == 1:
        assert described.std is None
    else:
        # SciPy takes the mean off before it squares, as is right near 10^9.
        assert described.std == pytest.approx(scipy.stats.tstd(values - values[0]), rel=1e-6, abs=1e-9 * scale)


@settings(deadline=None)
@given(st.lists(cells, max_size=30), st.sampled_from([0.0, 1e9, -1e9]))
def test_numbers_are_those_of_numpy_without_what_is_not_finite(values: list[float | None], offset: float) -> None:
    shifted = [value if value is None or not math.isfinite(value) else value * 1e-3 + offset for value in values]
    described = statistics.describe(pl.Series("v", shifted, dtype=pl.Float64), NUMBER)
    usable = np.array([value for value in shifted if value is not None and math.isfinite(value)])
    assert (described.missing, described.not_finite) == (
        values.count(None),
        len(values) - len(usable) - values.count(None),
    )
    assert_like_numpy(described, usable, scale=1.0)


@settings(deadline=None)
@given(st.lists(st.none() | st.integers(-(2**53), 2**53), max_size=30))
def test_whole_numbers_are_described_like_floats(values: list[int | None]) -> None:
    described = statistics.describe(pl.Series("v", values, dtype=pl.Int64), Column("v", Kind.BYTES, "V"))
    usable = np.array([value for value in values if value is not None], dtype=float)
    assert_like_numpy(described, usable, scale=2.0**53)


def test_the_spread_of_large_values_is_not_lost() -> None:
    described = statistics.describe(pl.Series([1e9 + 1, 1e9 + 2, 1e9 + 4] * 1000), NUMBER)
    assert described.std == pytest.approx(math.sqrt(14 / 9 * 3000 / 2999), rel=1e-12)


def test_equal_values_have_no_spread() -> None:
    assert statistics.describe(pl.Series([0.1] * 1000), NUMBER).std == 0


def test_times_are_described_in_epoch_milliseconds() -> None:
    values = pl.Series([1000, None, 3000], dtype=pl.Int64).cast(pl.Datetime("ms", "UTC"))
    described = statistics.describe(values, Column("t", Kind.TIME, "T"))
    assert (described.n, described.missing, described.min, described.mean, described.max) == (2, 1, 1000, 2000, 3000)


def test_text_has_a_count_and_no_numbers() -> None:
    values = pl.Series(["a", "", None, "b"])
    assert statistics.describe(values, Column("s", Kind.STATE, "S")) == ColumnStatistics(2, 2)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), cells), max_size=30))
def test_each_group_is_described_as_if_it_were_alone(rows: list[tuple[str | None, float | None]]) -> None:
    frame = pl.DataFrame(rows, schema={"g": pl.String, "v": pl.Float64}, orient="row")
    table = statistics.describe_by(frame, "v", "g")
    assert set(table["group"]) == set(frame["g"])
    assert table["n"].to_list() == sorted(table["n"], reverse=True)
    for row in table.iter_rows(named=True):
        alone = statistics.describe(frame.filter(pl.col("g").eq_missing(row["group"]))["v"], NUMBER)
        for name in ("n", "missing", "not_finite", *statistics.NUMBERS):
            value, expected = row[name], getattr(alone, name)
            assert value == expected or value == pytest.approx(expected, rel=1e-9, abs=1e-9), name


def test_a_description_reads_in_the_order_of_its_numbers() -> None:
    described = statistics.describe(pl.Series([1.0, 2.0]), NUMBER)
    assert [name for name, _ in statistics.numbers(described)] == list(statistics.NUMBERS)
    assert dict(statistics.numbers(described))["median"] == 1.5


SCHEMA = Schema(
    (
        Column("state", Kind.STATE, "State"),
        Column("duration", Kind.DURATION, "Duration"),
        Column("tasks", Kind.COUNT, "Tasks", unit="tasks"),
    ),
    key="id",
)
FRAME = frame_from_rows(SCHEMA, [("1", "failed", 2.0, 1), ("2", "failed", 4.0, None), ("3", None, None, 5)])


def test_a_report_has_a_row_for_each_column_of_numbers_with_its_unit() -> None:
    table, schema = statistics.report(FRAME, SCHEMA)
    assert table.columns == list(schema.names) and "group" not in schema
    assert table.select("column", "unit", "n", "missing", "mean").rows() == [
        ("duration", "s", 2, 1, 3.0),
        ("tasks", "tasks", 2, 1, 3.0),
    ]


def test_what_is_not_finite_is_counted_apart_from_what_is_missing() -> None:
    rows = [("1", "failed", 2.0, 1), ("2", "failed", math.inf, 2), ("3", None, math.nan, 3), ("4", None, None, 4)]
    table, schema = statistics.report(frame_from_rows(SCHEMA, rows), SCHEMA)
    assert table.select("n", "missing", "not_finite", "max").rows() == [(1, 1, 2, 2.0), (4, 0, 0, 4.0)]
    assert not schema["not_finite"].hidden
    assert statistics.report(FRAME, SCHEMA)[1]["not_finite"].hidden
    table, _ = statistics.report(frame_from_rows(SCHEMA, rows), SCHEMA, columns=["duration"], by="state")
    assert table.select("group", "n", "missing", "not_finite").rows() == [("failed", 1, 0, 1), (None, 0, 1, 1)]


def test_a_report_by_group_has_a_row_for_each_group() -> None:
    table, _ = statistics.report(FRAME, SCHEMA, columns=["duration"], by="state")
    assert table.select("group", "n", "median").rows() == [("failed", 2, 3.0), (None, 0, None)]


def test_a_report_of_no_rows_has_its_columns() -> None:
    table, schema = statistics.report(SCHEMA.empty(), SCHEMA, by="state")
    assert table.is_empty() and table.columns == list(schema.names)
    assert statistics.report(SCHEMA.empty(), SCHEMA)[0]["n"].to_list() == [0, 0]


@pytest.mark.parametrize(("columns", "by", "words"), [(["state"], None, "no numbers"), (["x"], None, "no column")])
def test_a_report_of_something_else_is_explained(columns: list[str], by: str | None, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        statistics.report(FRAME, SCHEMA, columns=columns, by=by)
    with pytest.raises(UsageError, match="no column 'y'"):
        statistics.report(FRAME, SCHEMA, by="y")
