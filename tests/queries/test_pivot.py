"""Pivot tables: counts that add up, the rows behind each cell, and what is refused."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.errors import UsageError
from backends.frames.heat import heat_of_shares
from backends.frames.schema import Column, Kind, Schema
from backends.queries.locators import AGGREGATES
from backends.queries.pivot import MOST_COLUMNS, column_values, pivot, rows_behind, rows_that

SCHEMA = Schema(
    (
        Column("state", Kind.STATE, "State"),
        Column("suite", Kind.TEXT, "Suite"),
        Column("platform", Kind.TEXT, "Platform"),
        Column("duration", Kind.DURATION, "Duration", "s"),
        Column("task_id", Kind.ID, "Task"),
    ),
    key="task_id",
)


def table_of(rows: list[tuple[str, str | None, str | None, float | None]]) -> pl.DataFrame:
    cells = [(*row, str(number)) for number, row in enumerate(rows)]
    return pl.DataFrame(cells, schema=SCHEMA.polars(), orient="row")


FEW = table_of(
    [
        ("failed", "a", "linux", 10.0),
        ("completed", "a", "linux", 30.0),
        ("completed", "a", "mac", None),
        ("exception", "b", None, 5.0),
        ("running", None, "linux", math.nan),
    ]
)


def test_counts_by_rows_and_columns() -> None:
    schema, found = pivot(FEW, SCHEMA, ["suite"], "platform", "", "count")
    assert [column.label for column in schema] == ["Suite", "Rows", "All", "linux", "mac", "(none)"]
    assert found.drop("key").rows() == [
        ("(none)", 1, 1, 1, None, None), ("a", 3, 3, 2, 1, None), ("b", 1, 1, None, None, 1),
    ]  # fmt: skip


def test_a_count_without_columns_is_said_once() -> None:
    """The number of rows of each group and the count of all of them are the same numbers."""
    schema, found = pivot(FEW, SCHEMA, ["suite"], "", "", "count")
    assert [column.label for column in schema if column.name != "key"] == ["Suite", "Rows"]
    assert found.select("suite", "rows").rows() == [("(none)", 1), ("a", 3), ("b", 1)]


def test_without_columns_the_aggregate_is_named_by_what_it_is() -> None:
    schema, _ = pivot(FEW, SCHEMA, ["suite"], "", "duration", "median")
    assert [column.label for column in schema if column.name != "key"] == ["Suite", "Rows", "median of Duration"]
    schema, _ = pivot(FEW, SCHEMA, ["suite"], "", "", "failed")
    assert [column.label for column in schema if column.name != "key"] == ["Suite", "Rows", "failed"]
    schema, _ = pivot(FEW.clear(), SCHEMA, ["suite"], "platform", "", "count")  # no value became a column
    assert [column.label for column in schema if column.name != "key"] == ["Suite", "Rows", "All"]


def test_states_stand_as_everywhere_else_failed_first() -> None:
    frame = pl.concat([FEW, table_of([("pending", "a", "linux", None)]).with_columns(task_id=pl.lit("x")),
                       FEW.head(1).with_columns(state=pl.lit(None, pl.String), task_id=pl.lit("y"))])  # fmt: skip
    wanted = ["failed", "exception", "running", "completed", "pending", "(none)"]
    schema, found = pivot(frame, SCHEMA, ["state"], "", "", "count")
    assert found["state"].to_list() == wanted
    schema, found = pivot(frame, SCHEMA, ["suite", "state"], "", "", "count")
    assert found.filter(pl.col("suite") == "a")["state"].to_list() == ["failed", "completed", "pending", "(none)"]
    schema, _ = pivot(frame, SCHEMA, ["suite"], "state", "", "count")
    assert [column.label for column in schema][3:] == wanted


def test_values_are_aggregated_without_what_is_missing() -> None:
    _, found = pivot(FEW, SCHEMA, ["suite"], "", "duration", "median")
    assert found.drop("key").rows() == [("(none)", 1, None), ("a", 3, 20.0), ("b", 1, 5.0)]
    _, found = pivot(FEW, SCHEMA, ["suite"], "", "duration", "p95")
    assert found.filter(pl.col("suite") == "a")["all"].item() == pytest.approx(29.0)
    _, found = pivot(FEW, SCHEMA, ["suite"], "", "duration", "count")
    assert dict(found.select("suite", "all").iter_rows())["a"] == 2


def test_the_share_of_failed_rows() -> None:
    _, found = pivot(FEW, SCHEMA, ["suite"], "platform", "", "failed")
    assert found.filter(pl.col("suite") == "a").row(0, named=True)["linux"] == 50.0
    assert dict(found.select("suite", "all").iter_rows()) == {"(none)": 0.0, "a": pytest.approx(100 / 3), "b": 100.0}


def steps_of(aggregate: str, value: str = "", columns: str = "platform") -> dict[str, list[int]]:
    schema, found = pivot(FEW, SCHEMA, ["suite"], columns, value, aggregate)
    coloured = [column for column in schema if column.heat is not None]
    return {one.name: [one.heat.step(cell) for cell in found[one.name].to_list()] for one in coloured if one.heat}


def test_cells_are_coloured_by_value() -> None:
    """Suites: (none), a, b. The number of rows, and totals of counts, are of another size and stay plain."""
    assert steps_of("count") == {"linux": [0, 4, 0], "mac": [0, 0, 0], "(none)": [0, 0, 0]}
    assert steps_of("median", "duration") == {"all": [0, 4, 0], "linux": [0, 4, 0], "mac": [0, 0, 0],
                                              "(none)": [0, 0, 0]}  # fmt: skip
    assert steps_of("failed") == {"all": [0, 3, 4], "linux": [0, 3, 0], "mac": [0, 0, 0], "(none)": [0, 0, 4]}
    assert steps_of("count", columns="") == {"rows": [0, 4, 0]}
    assert pivot(FEW, SCHEMA, ["suite"], "", "", "failed")[0]["all"].heat == heat_of_shares()


@pytest.mark.parametrize(
    ("rows", "columns", "value", "aggregate"),
    [
        (["nope"], "", "", "count"),
        (["suite"], "suite", "", "count"),
        (["suite", "suite"], "", "", "count"),
        (["suite"], "", "", "sum"),
        (["suite"], "", "platform", "median"),
        (["suite"], "", "", "variance"),
    ],
)
def test_what_cannot_be_is_said(rows: list[str], columns: str, value: str, aggregate: str) -> None:
    with pytest.raises(UsageError):
        pivot(FEW, SCHEMA, rows, columns, value, aggregate)


def test_many_values_become_one_column_and_its_rows_are_found() -> None:
    frame = table_of([("failed", "a", f"p{number:03d}", 1.0) for number in range(MOST_COLUMNS + 15)])
    names = column_values(frame, "platform", SCHEMA)
    _, found = pivot(frame, SCHEMA, ["suite"], "platform", "", "count")
    row = found.row(0, named=True)
    assert len(names) == MOST_COLUMNS + 1 and row["(other)"] == 15
    assert rows_that(frame, rows_behind(row, ["suite"], "platform", names, "(other)")).height == 15


def test_columns_may_have_the_names_of_the_table_itself_and_values_that_of_the_others() -> None:
    schema = Schema(
        (Column("rows", Kind.TEXT, "Rows"), Column("all", Kind.TEXT, "All"), Column("k", Kind.ID, "K")), key="k"
    )
    values = ["(other)", *(f"v{number}" for number in range(MOST_COLUMNS + 5))]
    frame = pl.DataFrame({"rows": ["x"] * len(values), "all": values, "k": [str(n) for n in range(len(values))]})
    frame = pl.concat([frame, frame.head(1).with_columns(k=pl.lit("more"))])
    names = column_values(frame, "all", schema)
    shown, found = pivot(frame, schema, ["rows"], "all", "", "count")
    row = found.row(0, named=True)
    assert row["rows_"] == len(values) + 1 and shown.key == "key"
    assert row["(other)"] == 2 and sum(row[name] or 0 for name in shown.names[3:]) == len(values) + 1
    assert rows_that(frame, rows_behind(row, ["rows"], "all", names, "(other)_")).height == row["(other)_"] == 6


TEXTS = st.none() | st.sampled_from(
    ["a", "A", "b c", "o'x", "(none)", "(other)", "rows", "all", "key", "", "ä", "suite"]
)


@given(
    st.lists(
        st.tuples(st.sampled_from(["failed", "completed"]), TEXTS, TEXTS, st.none() | st.floats(0, 1e6)), max_size=40
    )
)
def test_every_cell_counts_the_rows_that_open_behind_it(
    rows: list[tuple[str, str | None, str | None, float | None]],
) -> None:
    frame = table_of(rows)
    names = column_values(frame, "platform", SCHEMA)
    schema, found = pivot(frame, SCHEMA, ["suite"], "platform", "", "count")
    cells = schema.names[3:]
    assert found["rows"].sum() == frame.height
    for row in found.iter_rows(named=True):
        assert rows_that(frame, rows_behind(row, ["suite"], "platform", names)).height == row["rows"]
        assert sum(row[name] or 0 for name in cells) == row["rows"]
        for name in cells:
            assert rows_that(frame, rows_behind(row, ["suite"], "platform", names, name)).height == (row[name] or 0)


@given(
    st.lists(st.tuples(st.sampled_from(["failed", "completed"]), TEXTS, TEXTS, st.none() | st.floats()), max_size=30),
    st.sampled_from(AGGREGATES),
)
def test_every_aggregate_of_anything_fits_its_schema(
    rows: list[tuple[str, str | None, str | None, float | None]], aggregate: str
) -> None:
    schema, found = pivot(table_of(rows), SCHEMA, ["suite", "state"], "platform", "duration", aggregate)
    assert dict(found.schema) == schema.polars()
    assert found["key"].n_unique() == found.height
