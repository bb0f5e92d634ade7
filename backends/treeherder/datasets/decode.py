"""Treeherder's responses as rows of the store's tables.

Shapes and units are those of Treeherder's REST API of 2026 (see docs/perfherder-datasets.md): times are naive UTC, in
some places epoch seconds and in others ISO 8601; 0 is a time that is not known yet. Unknown fields are ignored, missing
ones are null; a row without its ids, or with impossible ones, makes the response invalid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import polars as pl

from backends.treeherder.datasets.tables import (
    ALERT_SUMMARIES,
    ALERTS,
    EXPIRED,
    ID,
    JOBS,
    MEASUREMENTS,
    PUSHES,
    SIGNATURES,
    DatasetTable,
)

Result = TypeVar("Result")
LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59
Id = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
LongId = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Epoch = Annotated[int, msgspec.Meta(ge=0, le=LAST_SECOND)]


class PushDatum(msgspec.Struct):
    """performance/data: one value of one job for one signature."""

    id: LongId
    signature_id: Id
    push_id: Id
    push_timestamp: Epoch
    job_id: Id | None = None
    value: float | None = None


class SeriesDatum(msgspec.Struct):
    """performance/summary of one signature with all_data: a value with all its digits, and the job that produced it."""

    id: LongId
    push_id: Id
    push_timestamp: str
    value: float | None = None
    job_id: Id | None = None
    submit_time: str | None = None
    machine_name: str | None = None


class SeriesReply(msgspec.Struct):
    """performance/summary of one signature."""

    signature_id: Id
    data: list[SeriesDatum] = []


class SubmitTimesReply(msgspec.Struct):
    """performance/summary without a signature: two parallel arrays; a job that has expired is null in both."""

    job_ids: list[Id | None] = []
    submit_times: list[str | None] = []


class DatasetCommit(msgspec.Struct):
    """push: one of the newest 20 commits of a push."""

    revision: str = ""


class DatasetPush(msgspec.Struct):
    """push: one push."""

    id: Id
    revision: str
    push_timestamp: Epoch
    author: str | None = None
    revision_count: int | None = None
    revisions: list[DatasetCommit] = []


class RepositoryId(msgspec.Struct):
    """repository: one repository."""

    id: int
    name: str


class ResultPage(msgspec.Struct, Generic[Result]):
    """A page of a list. `count`: of all pages, if the endpoint tells it."""

    results: list[Result]
    count: int | None = None


JsonPage = ResultPage[dict[str, Any]]  # of objects whose unknown fields are kept: jobs, alert summaries


def measurement_rows(reply: Mapping[str, Sequence[PushDatum]], seen_at: int) -> pl.DataFrame:
    """Rows of `MEASUREMENTS`, unordered; `submit_ts` and `machine_name` are null, which this endpoint lacks, and values
    have two decimals."""
    data = [datum for series in reply.values() for datum in series]
    columns: dict[str, Any] = {
        "signature_id": [datum.signature_id for datum in data],
        "job_id": [datum.job_id for datum in data],
        "datum_id": [datum.id for datum in data],
        "push_id": [datum.push_id for datum in data],
        "push_ts": [datum.push_timestamp for datum in data],
        "submit_ts": [None] * len(data),
        "value": [datum.value for datum in data],
        "seen_at": [seen_at] * len(data),
        "machine_name": [None] * len(data),
        "exact": [False] * len(data),
    }
    return pl.DataFrame(columns, schema=MEASUREMENTS.columns)


def exact_rows(reply: Iterable[SeriesReply], seen_at: int) -> pl.DataFrame:
    """Rows of `MEASUREMENTS` of one signature, with all digits; a value whose push time is invalid is left out."""
    rows = [
        {
            "signature_id": series.signature_id,
            "job_id": datum.job_id,
            "datum_id": datum.id,
            "push_id": datum.push_id,
            "push_ts": pushed,
            "submit_ts": parse_epoch(datum.submit_time),
            "value": datum.value,
            "seen_at": seen_at,
            "machine_name": datum.machine_name,
            "exact": datum.value is not None,
        }
        for series in reply
        for datum in series.data
        if (pushed := parse_epoch(datum.push_timestamp)) is not None
    ]
    return pl.DataFrame(rows, schema=MEASUREMENTS.columns)


def push_rows(pushes: Iterable[DatasetPush]) -> pl.DataFrame:
    """Rows of `PUSHES`."""
    rows = [
        {
            "push_id": push.id,
            "revision": push.revision,
            "push_ts": push.push_timestamp,
            "author": push.author,
            "commits": push.revision_count,
            "commit_revisions": [commit.revision for commit in push.revisions],
        }
        for push in pushes
    ]
    return pl.DataFrame(rows, schema=PUSHES.columns)


def signature_rows(reply: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of `SIGNATURES`, sorted by id. Absent fields have their default: lower is better, no test, ..."""
    rows = []
    for key, fields in reply.items():
        if (number := _as_id(fields.get("id", key))) is not None:
            rows.append(
                {
                    **_cells(SIGNATURES, fields),
                    "signature_id": number,
                    "test": as_text(fields.get("test")) or "",
                    "application": as_text(fields.get("application")) or "",
                    "lower_is_better": fields.get("lower_is_better") is not False,
                    "has_subtests": fields.get("has_subtests") is True,
                    "raw": msgspec.json.encode({**fields, "id": number}).decode(),
                }
            )
    return pl.DataFrame(rows, schema=SIGNATURES.columns).sort("signature_id")


def alert_rows(results: Iterable[Mapping[str, Any]], *, monitored: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of `ALERT_SUMMARIES` and of `ALERTS`; a summary without an id is left out."""
    summaries, alerts = [], list[dict[str, Any]]()
    for summary in results:
        number = as_int(summary.get("id"))
        if number is None:
            continue
        own = {name: value for name, value in summary.items() if name not in ("alerts", "related_alerts")}
        summaries.append(
            {
                **_cells(ALERT_SUMMARIES, summary, _SUMMARY_FIELDS),
                "summary_id": number,
                "monitored": monitored,
                "raw": msgspec.json.encode(own).decode(),
            }
        )
        alerts += _alerts_of(number, summary.get("alerts"), related=False)
        alerts += _alerts_of(number, summary.get("related_alerts"), related=True)
    return pl.DataFrame(summaries, schema=ALERT_SUMMARIES.columns), pl.DataFrame(alerts, schema=ALERTS.columns)


_SUMMARY_FIELDS = {
    "framework_id": "framework",
    "push_ts": "push_timestamp",
    "created_ts": "created",
    "first_triaged_ts": "first_triaged",
    "bug_updated_ts": "bug_updated",
    "assignee": "assignee_username",
}


def _alerts_of(summary: int, alerts: Any, *, related: bool) -> Iterator[dict[str, Any]]:
    for position, alert in enumerate(alerts if isinstance(alerts, list) else []):
        number = as_int(alert.get("id")) if isinstance(alert, dict) else None
        if number is not None:
            series = alert.get("series_signature")
            series = series if isinstance(series, dict) else {}
            yield {
                **_cells(ALERTS, alert),
                "listed_in": summary,
                "related": related,
                "position": position,
                "alert_id": number,
                "signature_id": _as_id(series.get("id")),
                **{name: as_text(series.get(name)) for name in ("suite", "test", "machine_platform")},
                "raw": msgspec.json.encode(alert).decode(),
            }


def job_rows(results: Iterable[Mapping[str, Any]], requested: Iterable[int], seen_at: int) -> pl.DataFrame:
    """Rows of `JOBS`; those that were requested and are not in the results have the state expired."""
    rows, missing = [], dict.fromkeys(requested)
    for job in results:
        if (number := _as_id(job.get("id"))) is not None:
            missing.pop(number, None)
            rows.append({**_cells(JOBS, job), "job_id": number, "seen_at": seen_at})
    rows += [{"job_id": number, "seen_at": seen_at, "state": EXPIRED} for number in missing]
    return pl.DataFrame(rows, schema=JOBS.columns)


def submit_time_rows(replies: Iterable[SubmitTimesReply]) -> pl.DataFrame:
    """job_id (UInt32), submit_ts (Int64, epoch seconds), one row per job."""
    known = {
        job: seconds
        for series in replies
        for job, time in zip(series.job_ids, series.submit_times, strict=False)
        if job is not None and (seconds := parse_epoch(time)) is not None
    }
    columns = {"job_id": list(known), "submit_ts": list(known.values())}
    return pl.DataFrame(columns, schema={"job_id": ID, "submit_ts": pl.Int64()})


def parse_epoch(value: Any) -> int | None:
    """Epoch seconds from a naive UTC time in ISO 8601 or from epoch seconds; None for 0 and what is not a time."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return int(value) if 0 < value <= LAST_SECOND else None
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def as_int(value: Any) -> int | None:
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def _as_id(value: Any) -> int | None:
    number = as_int(value)
    return number if number is not None and 0 <= number < 2**32 else None


def as_float(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def as_bool(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def as_text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def as_texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str) and text] if isinstance(value, list) else []


_READ: dict[pl.DataType, Callable[[Any], Any]] = {
    ID: _as_id,
    pl.Int64(): as_int,
    pl.Float64(): as_float,
    pl.Boolean(): as_bool,
    pl.String(): as_text,
    pl.List(pl.String()): as_texts,
}


_READERS = {
    table.name: [(name, parse_epoch if name.endswith("_ts") else _READ[dtype]) for name, dtype in table.columns.items()]
    for table in (SIGNATURES, ALERT_SUMMARIES, ALERTS, JOBS)
}


def _cells(table: DatasetTable, fields: Mapping[str, Any], names: Mapping[str, str] = {}) -> dict[str, Any]:
    """The table's columns from the fields of the same name, or of that in `names`; null if one has another type."""
    return {column: read(fields.get(names.get(column, column))) for column, read in _READERS[table.name]}
