"""Pivot tables: the rows of a list grouped by some columns, a value of theirs aggregated, one column for each value of
another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from backends.errors import UsageError
from backends.frames.formats import has_failed, state_rank
from backends.frames.heat import Heat, heat_by_rank, heat_by_size, heat_of_shares
from backends.frames.schema import Column, Kind, Schema
from backends.queries.locators import AGGREGATES, Condition

MOST_COLUMNS = 60  # values of the column that becomes columns; the rest is counted together
OTHERS, MISSING = "(other)", "(none)"
_COLUMN, _VALUE = "\0column", "\0value"  # names that no list has
_OF_NUMBERS = ("sum", "mean", "median", "p95", "min", "max")
_ADDITIVE = ("count", "sum")
_QUANTILE = 0.95  # linear between the two nearest values


def check_pivot(schema: Schema, rows: Sequence[str], columns: str, value: str, aggregate: str) -> None:
    """Raises `UsageError` for columns that the list lacks, and for an aggregate that the value cannot have."""
    from backends.frames.export import select_columns

    if aggregate not in AGGREGATES:
        raise UsageError(f"There is no aggregate {aggregate[:40]!r}.", f"Aggregates: {', '.join(AGGREGATES)}.")
    select_columns(schema, [*rows, *([columns] if columns else []), *([value] if value else [])])
    if len(set(rows)) < len(rows):
        raise UsageError("A column is named twice.", "Name each column once.")
    if columns in rows:
        raise UsageError(f"{columns} cannot be both rows and columns.", "Choose another column.")
    if aggregate in _OF_NUMBERS:
        if not value:
            raise UsageError(f"{aggregate} of what?", "Choose a column of numbers as the value.")
        if not schema[value].is_numeric:
            raise UsageError(f"{value} has no numbers.", "Choose a column of numbers, or count.")
    if aggregate == "failed" and _state(schema, value) is None:
        raise UsageError("This list has no states.", "Choose another aggregate.")


def _state(schema: Schema, value: str) -> str | None:
    if value and schema[value].kind is Kind.STATE:
        return value
    return schema.state_column


def _pivot_schema(
    schema: Schema, rows: Sequence[str], columns: str, names: Sequence[str], value: str, aggregate: str
) -> Schema:
    """`names`: the values of `columns` that become columns, in their order; none where there is only the total."""
    told = schema[value] if value else None
    kind = Kind.COUNT if aggregate == "count" else Kind.NUMBER
    if aggregate in _OF_NUMBERS and told is not None:
        kind = told.kind if told.kind in (Kind.DURATION, Kind.BYTES) else Kind.NUMBER
        kind = Kind.NUMBER if kind is Kind.BYTES and aggregate not in ("min", "max", "sum") else kind
    unit = "%" if aggregate == "failed" else told.unit if told is not None and aggregate != "count" else ""
    if columns:
        of_all = "All" if aggregate == "count" or not value else f"{aggregate} of all"
    else:
        of_all = f"{aggregate} of {told.label}" if told is not None else aggregate
    cells = [Column(name, kind, label, unit) for name, label in zip(cell_names(rows, names), names, strict=True)]
    keys = tuple(
        Column(
            name,
            schema[name].kind if schema[name].is_text else Kind.TEXT,
            schema[name].label,
            keeps_end=True,
            is_own=False,
        )
        for name in rows
    )
    count, total, key = own_names(rows)
    totals = [Column(count, Kind.COUNT, "Rows")]
    if not _is_number_of_rows(columns, value, aggregate):
        totals.append(Column(total, kind, of_all, unit))
    return Schema((*keys, *totals, *cells), key=key)


def _is_number_of_rows(columns: str, value: str, aggregate: str) -> bool:
    """Whether the aggregate is all that the table shows, and says what the number of rows says."""
    return aggregate == "count" and not value and not columns


def own_names(rows: Sequence[str]) -> list[str]:
    """The names of the number of rows, the total and the key: "rows", "all", "key", unless a column has that name."""
    return _distinct_names(("rows", "all", "key"), rows)


def cell_names(rows: Sequence[str], values: Sequence[str]) -> list[str]:
    """The names of the columns that values become: the values, unless another column has that name."""
    return _distinct_names([value[:200] or "(empty)" for value in values], (*rows, *own_names(rows)))


def _distinct_names(wanted: Sequence[str], others: Sequence[str]) -> list[str]:
    taken, names = set(others), []
    for name in wanted:
        while name in taken:
            name += "_"
        taken.add(name)
        names.append(name)
    return names


def column_values(frame: pl.DataFrame, columns: str, schema: Schema) -> tuple[str, ...]:
    """The values of a column that become columns: the most frequent ones, in the order of their texts, of states failed
    first, then what is left.

    Values of numbers and times are written as text; a missing one is "(none)".
    """
    if not columns:
        return ()
    counts = frame.select(_as_text(pl.col(columns)).alias("value"))["value"].value_counts(name="n")
    counts = counts.sort("n", "value", descending=[True, False])
    found = counts["value"].to_list()
    is_state = schema[columns].kind is Kind.STATE
    shown = sorted(found[:MOST_COLUMNS], key=lambda one: (_rank(one) if is_state else one == MISSING, one))
    others = _distinct_names([OTHERS], shown) if len(found) > MOST_COLUMNS else ()
    return (*shown, *others)


def pivot(
    frame: pl.DataFrame, schema: Schema, rows: Sequence[str], columns: str, value: str, aggregate: str
) -> tuple[Schema, pl.DataFrame]:
    """The pivot table (columns: those of `rows`, the number of rows, the aggregate of all of them unless it is that
    number, and of each value of `columns`), in the order of its rows' texts, of states failed first. A cell without
    rows is null. Raises `UsageError`s.

    `count`: rows with a value (of any, if none is chosen). `failed`: the percentage of rows whose state says that they
    failed. `p95`: linear between the two nearest values. Values that are not finite are left out. The cells have a
    heat: `failed` of fixed bounds, `count` and `sum` by rank, the others by size; of what adds up, totals have none.
    """
    check_pivot(schema, rows, columns, value, aggregate)
    names = column_values(frame, columns, schema)
    shown = _pivot_schema(schema, rows, columns, names, value, aggregate)
    kept = frame.select(
        *(_as_text(pl.col(name)).alias(name) for name in rows),
        (_as_text(pl.col(columns)) if columns else pl.lit("")).alias(_COLUMN),
        _value(frame, schema, value, aggregate).alias(_VALUE),
    )
    combine, (count, total, key_name) = _aggregate(aggregate), own_names(rows)
    totals = kept.group_by(list(rows)).agg(pl.len().cast(pl.Int64).alias(count), combine.alias(total))
    shown_values = list(names[:MOST_COLUMNS])
    if names:
        own_column = pl.when(pl.col(_COLUMN).is_in(shown_values)).then(pl.col(_COLUMN))  # null: one of the others
        cells = kept.with_columns(own_column.alias(_COLUMN)).group_by([*rows, _COLUMN]).agg(combine.alias(_VALUE))
        for place, name in enumerate(cell_names(rows, names)):
            wanted = pl.col(_COLUMN).eq_missing(pl.lit(names[place] if place < MOST_COLUMNS else None, pl.String))
            part = cells.filter(wanted).select(*rows, pl.col(_VALUE).alias(name))
            totals = totals.join(part, on=list(rows), how="left", nulls_equal=True)
    key = pl.concat_str([pl.col(name) for name in rows], separator="\x1f").alias(key_name)
    dtypes = shown.polars()
    found = totals.with_columns(key).select(pl.col(name).cast(dtype) for name, dtype in dtypes.items())
    coloured = cell_names(rows, names)
    if not names or aggregate not in _ADDITIVE:
        coloured.append(count if _is_number_of_rows(columns, value, aggregate) else total)
    heat = _choose_heat(found, coloured, aggregate)
    schema = Schema(tuple(replace(one, heat=heat) if one.name in coloured else one for one in shown), shown.key)
    ranks = [[_rank_of(found[name])] if schema[name].kind is Kind.STATE else [] for name in rows]
    return schema, found.sort([by for rank, name in zip(ranks, rows, strict=True) for by in (*rank, pl.col(name))])


def _rank(state: str) -> int:
    """The worst state first, no state last."""
    return 99 if state == MISSING else state_rank(state)


def _rank_of(states: pl.Series) -> pl.Series:
    return pl.Series([_rank(state) for state in states.to_list()], dtype=pl.Int64)


def _choose_heat(table: pl.DataFrame, names: Sequence[str], aggregate: str) -> Heat | None:
    """One heat for the cells of these columns."""
    if aggregate == "failed":
        return heat_of_shares()
    values = pl.concat([table[name].cast(pl.Float64).rename("value") for name in names])
    return heat_by_rank(values) if aggregate in _ADDITIVE else heat_by_size(values)


def _as_text(cell: pl.Expr) -> pl.Expr:
    return cell.cast(pl.String).fill_null(MISSING)


def _value(frame: pl.DataFrame, schema: Schema, value: str, aggregate: str) -> pl.Expr:
    if aggregate == "failed":
        state = _state(schema, value) or ""
        words = [word for word in frame[state].unique().to_list() if word and has_failed(word)]
        return pl.col(state).is_in(words)
    if aggregate == "count":
        return pl.col(value).is_not_null() if value else pl.lit(True)
    cell = pl.col(value).cast(pl.Float64)
    return pl.when(cell.is_finite()).then(cell)


def _aggregate(aggregate: str) -> pl.Expr:
    cell = pl.col(_VALUE)
    if aggregate == "count":
        return cell.sum().cast(pl.Int64)
    if aggregate == "failed":
        return cell.mean() * 100
    if aggregate == "sum":
        return pl.when(cell.count() > 0).then(cell.sum())
    if aggregate == "p95":
        return cell.quantile(_QUANTILE, "linear")
    found: pl.Expr = getattr(cell, aggregate)()
    return found


def rows_behind(
    row: Mapping[str, object], rows: Sequence[str], columns: str, names: Sequence[str], cell: str = ""
) -> tuple[Condition, ...]:
    """What the rows behind a row of the table have, or those behind one of its cells (`cell`: the column's name)."""
    found = [Condition(name, (str(row[name]),)) for name in rows]
    cells = cell_names(rows, names)
    if cell in cells:
        others = cells.index(cell) == MOST_COLUMNS
        values = names[:MOST_COLUMNS] if others else (names[cells.index(cell)],)
        found.append(Condition(columns, tuple(values), negated=others))
    return tuple(found)


def rows_that(frame: pl.DataFrame, conditions: Sequence[Condition]) -> pl.DataFrame:
    """The rows that meet all conditions."""
    for one in conditions:
        met = _as_text(pl.col(one.column)).is_in(list(one.values))
        frame = frame.filter(~met if one.negated else met)
    return frame
