"""Signatures, data points and values as frames: column by column, since there may be 100,000 of them.

Reading 100,000 signatures (45 MB) costs 0.7 s of CPU (benchmarks/perfherder.py); with lists for tags and options, which
unlike tuples of texts the garbage collector goes on walking, it was 1.0 s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from backends.treeherder.answers import epochs, iso_times
from backends.treeherder.columns import DATA, NUMBERED, SIGNATURES, VALUES
from backends.treeherder.structs import Datum, FullDatum, Signature, Summary

_BETTER = {True: "lower", False: "higher"}
_YES_NO = {True: "yes", False: "no"}


def words(parts: Iterable[str]) -> str | None:
    """Tags or options on one line; an alert's lack of tags is `[""]`."""
    return " ".join(part for part in parts if part) or None


def fitted(columns: Mapping[str, Any], wanted: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """A frame of these dtypes, in their order."""
    return pl.DataFrame([_column(name, columns[name], dtype) for name, dtype in wanted.items()])


def _column(name: str, cells: Any, dtype: pl.DataType) -> pl.Series:
    if isinstance(cells, pl.Series):
        return cells.rename(name)
    if name in NUMBERED:
        return pl.Series(name, cells, dtype=pl.Int64).cast(dtype)
    return pl.Series(name, cells, dtype=dtype)


def as_number(name: str) -> pl.Expr:
    """A column of the server's numbers, to sort by."""
    return pl.col(name).cast(pl.Int64, strict=False)


def signature_frame(
    found: Sequence[Signature], repository: str, options: Mapping[str, str], frameworks: Mapping[int, str]
) -> pl.DataFrame:
    """Rows of the schema `SIGNATURES`, one an id, sorted by suite, test and platform.

    `better`: lower or higher; `should_alert`: yes, no, or null for no preference (then a suite alerts, and a subtest
    only if its suite has no value of its own); `subtests`: yes where it is a suite with some. `options`: name by hash.
    """
    rows = [row for row in found if row.id is not None]
    joined: dict[tuple[str, ...], str | None] = {}

    def one_text(parts: tuple[str, ...]) -> str | None:
        if parts not in joined:
            joined[parts] = words(parts)
        return joined[parts]

    frame = fitted(
        {
            "key": [str(row.id) for row in rows],
            "suite": [row.suite for row in rows],
            "test": [row.test or None for row in rows],
            "platform": [row.machine_platform for row in rows],
            "option": [options.get(row.option_collection_hash or "") for row in rows],
            "options": [one_text(row.extra_options) for row in rows],
            "unit": [row.measurement_unit or None for row in rows],
            "better": [_BETTER[row.lower_is_better] for row in rows],
            "should_alert": [None if row.should_alert is None else _YES_NO[row.should_alert] for row in rows],
            "application": [row.application or None for row in rows],
            "tags": [one_text(row.tags) for row in rows],
            "subtests": ["yes" if row.has_subtests else None for row in rows],
            "framework": [frameworks.get(row.framework_id or 0) for row in rows],
            "signature_id": [row.id for row in rows],
            "signature_hash": [row.signature_hash for row in rows],
            "parent_hash": [row.parent_signature for row in rows],
            "framework_id": [row.framework_id for row in rows],
            "option_hash": [row.option_collection_hash for row in rows],
            "repository": [repository] * len(rows),
        },
        SIGNATURES.polars(),
    )
    return frame.unique("key", keep="last").sort(
        "suite", "test", "platform", as_number("signature_id"), nulls_last=False
    )


def datum_frame(found: Sequence[Datum]) -> pl.DataFrame:
    """Rows of the schema `DATA` from performance/data: values rounded to two decimals, no submit time, no machine."""
    rows = [row for row in found if row.id is not None and row.value is not None]
    return _ordered(
        fitted(
            {
                **_shared(rows),
                "key": [f"{row.signature_id}/{row.id}" for row in rows],
                "push_time": epochs("push_time", [row.push_timestamp for row in rows]),
                "signature_id": [row.signature_id for row in rows],
                "submit_time": pl.Series([None] * len(rows), dtype=DATA["submit_time"].dtype),
                "machine": [None] * len(rows),
                "replicate": [None] * len(rows),
            },
            DATA.polars(),
        ).unique("key", keep="last")
    )


def series_frame(found: Sequence[FullDatum], signature_id: int, *, replicates: bool = False) -> pl.DataFrame:
    """Rows of the schema `DATA` from performance/summary with all_data: values in full.

    With `replicates` the rows of one datum share its id; `replicate` numbers them from 1 in the order of arrival.
    """
    rows = [row for row in found if row.id is not None and row.value is not None]
    count: dict[int, int] = {}
    numbers: list[int | None] = []
    for row in rows:
        count[row.id or 0] = number = count.get(row.id or 0, 0) + 1
        numbers.append(number if replicates else None)
    return _ordered(
        fitted(
            {
                **_shared(rows),
                "key": [
                    f"{signature_id}/{row.id}" + (f"/{number}" if number is not None else "")
                    for row, number in zip(rows, numbers, strict=True)
                ],
                "push_time": iso_times("push_time", [row.push_timestamp for row in rows]),
                "signature_id": [signature_id] * len(rows),
                "submit_time": iso_times("submit_time", [row.submit_time for row in rows]),
                "machine": [row.machine_name for row in rows],
                "replicate": numbers,
            },
            DATA.polars(),
        ).unique("key", keep="last")
    )


def _shared(rows: Sequence[Datum] | Sequence[FullDatum]) -> dict[str, list[Any]]:
    return {
        "value": [row.value for row in rows],
        "revision": [row.revision for row in rows],
        "push_id": [row.push_id for row in rows],
        "job_id": [row.job_id for row in rows],
        "datum_id": [row.id for row in rows],
    }


def _ordered(frame: pl.DataFrame) -> pl.DataFrame:
    """The query has no ORDER BY in one of the two endpoints."""
    return frame.sort("push_time", as_number("push_id"), as_number("datum_id"), "replicate", nulls_last=False)


def value_frame(found: Sequence[Summary]) -> pl.DataFrame:
    """Rows of the schema `VALUES`, one a value (or a replicate) of each summary, rounded to 2 decimals.

    A signature without values gives no row. `values`, `job_ids` and `submit_times` are parallel; where they are not
    equally long, what lies beyond a list's end is null.
    """
    columns: dict[str, list[Any]] = {name: [] for name in VALUES.polars()}
    times: list[str | None] = []
    for row in found:
        told = {
            "suite": row.suite,
            "test": row.test or None,
            "platform": row.platform,
            "name": row.name,
            "unit": row.measurement_unit or None,
            "application": row.application or None,
            "lower_is_better": "no" if row.lower_is_better is False else "yes",
            "subtests": "yes" if row.has_subtests else None,
            "framework_id": row.framework_id,
            "signature_id": row.signature_id,
            "parent_id": row.parent_signature,
            "signature_hash": row.signature_hash,
            "alert_threshold": row.alert_threshold,
            "alert_change_type": {0: "percent", 1: "absolute"}.get(row.alert_change_type or 0),
            "repository": row.repository_name,
        }
        count = len(row.values)
        for name, cell in told.items():
            columns[name] += [cell] * count
        columns["key"] += [f"{row.signature_id}/{number}" for number in range(count)]
        columns["value"] += row.values
        columns["job_id"] += _as_long(row.job_ids, count)
        times += _as_long(row.submit_times, count)
    frame = fitted({**columns, "submit_time": iso_times("submit_time", times)}, VALUES.polars())
    return frame.filter(pl.col("value").is_finite())


def _as_long(cells: list[Any], count: int) -> list[Any]:
    return [*cells[:count], *([None] * (count - len(cells)))]
