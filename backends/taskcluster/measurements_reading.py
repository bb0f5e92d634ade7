"""What one perfherder-data file measured, as rows: whatever in it is a named number, however the rest looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import polars as pl

from backends.frames.schema import Column, Kind, Schema
from backends.taskcluster import tolerant
from backends.taskcluster.measurements_rules import LARGEST_VALUE, first_violation
from backends.taskcluster.task_rows import LONGEST

ANY = msgspec.json.Decoder(Any)
_SAID = {True: "yes", False: "no", None: None}

MEASUREMENTS = Schema(
    (
        Column("suite", Kind.TEXT, "Suite", width=24),
        Column("subtest", Kind.TEXT, "Subtest", width=24),  # null: the value of the whole suite
        Column("value", Kind.NUMBER, "Value"),
        Column("unit", Kind.TEXT, "Unit"),
        Column("platform", Kind.TEXT, "Platform"),
        Column("build_type", Kind.TEXT, "Build"),
        Column("options", Kind.TEXT, "Options"),
        Column("lower_is_better", Kind.TEXT, "Lower is better"),  # yes, no
        Column("replicate_count", Kind.COUNT, "Replicates"),
        Column("framework", Kind.TEXT, "Framework"),
        Column("application", Kind.TEXT, "Application"),
        Column("run", Kind.COUNT, "Run"),
        Column("run_state", Kind.STATE, "Run state"),
        Column("task_name", Kind.TEXT, "Task name", keeps_end=True),
        Column("task_id", Kind.ID, "Task"),
        Column("should_alert", Kind.TEXT, "Should alert", hidden=True, searched=False),  # yes, no, or not said
        Column("alert_threshold", Kind.NUMBER, "Alert threshold", hidden=True),
        Column("tags", Kind.TEXT, "Tags", hidden=True),
        Column("artifact", Kind.TEXT, "Artifact", hidden=True, searched=False),
        Column("replicates", Kind.TEXT, "Replicate values", hidden=True, searched=False),  # see `by_replicate`
    ),
    key="key",
)


@dataclass(frozen=True)
class Measured:
    """Whose measurements a file holds."""

    task_id: str
    task_name: str
    platform: str | None
    build_type: str | None
    run: int
    run_state: str
    artifact: str


@dataclass(frozen=True)
class Reading:
    """One file. `rows`: cells in the order of `MEASUREMENTS.polars()`. `unusable`: why it has none, "" if it has some.

    `left_out`: values without a name, or that are no finite number within 10^12. `violation`: for what Perfherder
    would refuse it.
    """

    rows: tuple[tuple[object, ...], ...] = ()
    unusable: str = ""
    left_out: int = 0
    violation: str = ""


def decode(body: bytes) -> Any:
    """Any JSON value; None for what is none. NaN, which Python's writers put into JSON, is read."""
    return tolerant.read(body, ANY, lambda value: value)


def read(body: bytes, source: Measured) -> Reading:
    """The rows of one file. Raises nothing, whatever the file holds.

    A list of such objects is taken as Treeherder takes it: as several files in one.
    """
    value = decode(body)
    if value is None:
        return Reading(unusable="it is cut off or no JSON")
    parts = value if isinstance(value, list) else [value]
    if not any(isinstance(part, dict) and isinstance(part.get("suites"), list) for part in parts):
        return Reading(unusable="it has no list of suites")
    rows: list[tuple[object, ...]] = []
    left_out = 0
    for number, part in enumerate(parts):
        for cells in _cells_of(tolerant.members(part), source, number):
            if cells is None:
                left_out += 1
            else:
                rows.append(cells)
    violation = next((found for part in parts if (found := first_violation(part))), "")
    unusable = "" if rows else "none of its suites has a value" if not left_out else "none of its values is a number"
    return Reading(tuple(rows), unusable, left_out, violation)


def _cells_of(part: dict[str, Any], source: Measured, number: int) -> Iterator[tuple[object, ...] | None]:
    """The suite's own value where it has one, then its subtests'; None for a value that cannot be a row."""
    framework = _short(tolerant.members(part.get("framework")).get("name"))
    application = _short(tolerant.members(part.get("application")).get("name"))
    for place, suite in enumerate(map(tolerant.members, tolerant.items(part.get("suites")))):
        name = _short(suite.get("name"))
        options, tags = _joined(suite.get("extraOptions")), _joined(suite.get("tags"))
        subtests = [tolerant.members(one) for one in tolerant.items(suite.get("subtests"))]
        for index, one in enumerate([*([suite] if suite.get("value") is not None else []), *subtests]):
            subtest = None if one is suite else _short(one.get("name"))
            value = _number(one.get("value"))
            if not name or value is None or (one is not suite and not subtest):
                yield None
                continue
            replicates = [
                shown for item in tolerant.items(one.get("replicates")) if (shown := _number(item)) is not None
            ]
            yield (
                f"{source.task_id}/{source.run}/{source.artifact}#{number}.{place}.{index}",
                name,
                subtest,
                value,
                _short(one.get("unit")),
                source.platform,
                source.build_type,
                options,
                "no" if one.get("lowerIsBetter") is False else "yes",  # the schema's readers take absent for true
                len(replicates),
                framework,
                application,
                source.run,
                source.run_state,
                source.task_name or None,
                source.task_id,
                _SAID[_flag(one.get("shouldAlert"))],
                _number(one.get("alertThreshold")),
                tags,
                source.artifact,
                " ".join(map(repr, replicates)) or None,
            )


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= LARGEST_VALUE else None  # NaN is not


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _short(value: Any) -> str | None:
    found = tolerant.text(value)
    return found[:LONGEST] if found else None


def _joined(value: Any) -> str | None:
    """Sorted: two files that list the same options in another order measured the same thing."""
    return " ".join(sorted(shown for one in tolerant.items(value) if (shown := _short(one))))[:LONGEST] or None


def measurement_frame(readings: Iterable[Reading]) -> pl.DataFrame:
    """The rows of several files, of the schema `MEASUREMENTS`."""
    rows = [row for reading in readings for row in reading.rows]
    if not rows:
        return MEASUREMENTS.empty()
    return pl.DataFrame(rows, schema=MEASUREMENTS.polars(), orient="row")


def by_replicate(frame: pl.DataFrame) -> pl.DataFrame:
    """One row a replicate, its number in `value`; a value without replicates stays as it is.

    `key` and `replicates` are gone. (A frame has no lists, so that every table, filter and export can hold it: the
    column `replicates` is the numbers as text, a space between two, which reads back to the same floats.)
    """
    numbers = pl.col("replicates").str.split(" ").cast(pl.List(pl.Float64))
    every = pl.when(pl.col("replicates").is_null()).then(pl.concat_list("value")).otherwise(numbers)
    return frame.with_columns(every.alias("value")).drop("key", "replicates").explode("value")
