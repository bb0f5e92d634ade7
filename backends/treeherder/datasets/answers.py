"""What Treeherder's answers look like as rows of the store's tables.

Shapes and units are those of Treeherder's REST API of 2026 (facts in docs/perfherder-datasets.md): times are naive UTC,
in some places epoch seconds and in others ISO 8601; 0 stands for a time that is not yet known. Unknown fields are
ignored, missing ones are null; a row without its ids, or with ids that cannot be, makes the answer a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import polars as pl

from backends.treeherder.datasets.tables import (
    ALERT_SUMMARIES,
    ALERTS,
    EXPIRED,
    JOB_NUMBERS,
    JOB_TEXTS,
    JOBS,
    PAIRS,
    PUSHES,
    SIGNATURES,
)

Id = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
LongId = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Epoch = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]


class Datum(msgspec.Struct):
    """performance/data: one value of one job for one signature."""

    id: LongId
    signature_id: Id
    push_id: Id
    push_timestamp: Epoch
    job_id: Id | None = None
    revision: str | None = None
    value: float | None = None


class Point(msgspec.Struct):
    """performance/summary of one signature with all_data: a value with all its digits, and the job that gave it."""

    id: LongId
    push_id: Id
    push_timestamp: str
    value: float | None = None
    job_id: Id | None = None
    submit_time: str | None = None
    machine_name: str | None = None


class SeriesData(msgspec.Struct):
    signature_id: Id
    data: list[Point] = []


class Commit(msgspec.Struct):
    revision: str = ""


class Push(msgspec.Struct):
    id: Id
    revision: str
    push_timestamp: Epoch
    author: str | None = None
    revision_count: int | None = None
    revisions: list[Commit] = []


class Pushes(msgspec.Struct):
    results: list[Push]


class Repository(msgspec.Struct):
    id: int
    name: str


class SubmitTimes(msgspec.Struct):
    """performance/summary without a signature: two parallel arrays; a job that has expired is null in both."""

    job_ids: list[Id | None] = []
    submit_times: list[str | None] = []


class JobPage(msgspec.Struct):
    results: list[dict[str, Any]]


class SummaryPage(msgspec.Struct):
    results: list[dict[str, Any]]
    count: int | None = None
    next: str | None = None


def pairs(answer: Mapping[str, Sequence[Datum]], seen_at: int) -> pl.DataFrame:
    """Rows of `PAIRS`, in no order; `submit_ts` and `machine_name` are null, which this endpoint does not give, and
    values have two decimals."""
    found = [datum for series in answer.values() for datum in series]
    columns: dict[str, Any] = {
        "signature_id": [datum.signature_id for datum in found],
        "job_id": [datum.job_id for datum in found],
        "datum_id": [datum.id for datum in found],
        "push_id": [datum.push_id for datum in found],
        "push_ts": [datum.push_timestamp for datum in found],
        "submit_ts": [None] * len(found),
        "value": [datum.value for datum in found],
        "seen_at": [seen_at] * len(found),
        "machine_name": [None] * len(found),
        "exact": [False] * len(found),
    }
    return pl.DataFrame(columns, schema=PAIRS.columns)


def exact_pairs(answer: Iterable[SeriesData], seen_at: int) -> pl.DataFrame:
    """Rows of `PAIRS` with all digits of their values, of one signature; a time that is none leaves its row out."""
    rows = [
        (
            series.signature_id,
            point.job_id,
            point.id,
            point.push_id,
            pushed,
            epoch(point.submit_time),
            point.value,
            seen_at,
            point.machine_name,
            point.value is not None,
        )
        for series in answer
        for point in series.data
        if (pushed := epoch(point.push_timestamp)) is not None
    ]
    return pl.DataFrame(rows, schema=PAIRS.columns, orient="row")


def pushes(found: Iterable[Push]) -> pl.DataFrame:
    """Rows of `PUSHES`."""
    rows = [
        (
            push.id,
            push.revision,
            push.push_timestamp,
            push.author,
            push.revision_count,
            [commit.revision for commit in push.revisions],
        )
        for push in found
    ]
    return pl.DataFrame(rows, schema=PUSHES.columns, orient="row")


def signatures(answer: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of `SIGNATURES`, sorted by id. Fields that are absent have their default: lower is better, no test, ..."""
    rows = []
    for key, fields in answer.items():
        number = whole(fields.get("id", key))
        if number is None or not 0 <= number < 2**32:
            continue
        rows.append(
            (
                number,
                text(fields.get("signature_hash")),
                whole(fields.get("framework_id")),
                text(fields.get("option_collection_hash")),
                text(fields.get("machine_platform")),
                text(fields.get("suite")),
                text(fields.get("test")) or "",
                text(fields.get("application")) or "",
                fields.get("lower_is_better") is not False,
                fields.get("has_subtests") is True,
                truth(fields.get("should_alert")),
                text(fields.get("parent_signature")),
                text(fields.get("measurement_unit")),
                texts(fields.get("extra_options")),
                texts(fields.get("tags")),
                msgspec.json.encode({**fields, "id": number}).decode(),
            )
        )
    return pl.DataFrame(rows, schema=SIGNATURES.columns, orient="row").sort("signature_id")


def alert_summaries(found: Iterable[Mapping[str, Any]], *, monitored: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of `ALERT_SUMMARIES` and of `ALERTS`; one without an id is left out."""
    rows, alerts = [], list[tuple[Any, ...]]()
    for one in found:
        number = whole(one.get("id"))
        if number is None:
            continue
        own = {name: value for name, value in one.items() if name not in ("alerts", "related_alerts")}
        rows.append(
            (
                number,
                whole(one.get("framework")),
                whole(one.get("status")),
                whole(one.get("push_id")),
                text(one.get("revision")),
                text(one.get("original_revision")),
                text(one.get("prev_push_revision")),
                epoch(one.get("push_timestamp")),
                epoch(one.get("created")),
                epoch(one.get("first_triaged")),
                epoch(one.get("bug_updated")),
                whole(one.get("bug_number")),
                monitored,
                text(one.get("assignee_username")),
                text(one.get("notes")),
                msgspec.json.encode(own).decode(),
            )
        )
        alerts += _alerts(number, one.get("alerts"), related=False)
        alerts += _alerts(number, one.get("related_alerts"), related=True)
    return (
        pl.DataFrame(rows, schema=ALERT_SUMMARIES.columns, orient="row"),
        pl.DataFrame(alerts, schema=ALERTS.columns, orient="row"),
    )


def _alerts(listed_in: int, found: Any, *, related: bool) -> Iterable[tuple[Any, ...]]:
    for position, one in enumerate(found if isinstance(found, list) else []):
        number = whole(one.get("id")) if isinstance(one, dict) else None
        if number is None:
            continue
        series = one.get("series_signature")
        series = series if isinstance(series, dict) else {}
        signature = whole(series.get("id"))
        yield (
            listed_in,
            related,
            position,
            number,
            whole(one.get("summary_id")),
            whole(one.get("related_summary_id")),
            signature if signature is not None and 0 <= signature < 2**32 else None,
            whole(one.get("status")),
            truth(one.get("is_regression")),
            text(series.get("suite")),
            text(series.get("test")),
            text(series.get("machine_platform")),
            number_of(one.get("prev_value")),
            number_of(one.get("new_value")),
            number_of(one.get("amount_pct")),
            number_of(one.get("t_value")),
            msgspec.json.encode(one).decode(),
        )


def jobs(found: Iterable[Mapping[str, Any]], asked: Iterable[int], seen_at: int) -> pl.DataFrame:
    """Rows of `JOBS`; those that were asked for and are not among `found` have the state expired."""
    rows, missing = [], dict.fromkeys(asked)
    for one in found:
        number = whole(one.get("id"))
        if number is None or not 0 <= number < 2**32:
            continue
        missing.pop(number, None)
        rows.append(
            (
                number,
                seen_at,
                *(_long(one.get(name)) for name in JOB_NUMBERS),
                *(text(one.get(name)) for name in JOB_TEXTS),
            )
        )
    known = pl.DataFrame(rows, schema=JOBS.columns, orient="row")
    gone = pl.DataFrame({"job_id": list(missing)}, schema={"job_id": JOBS.columns["job_id"]}).with_columns(
        seen_at=pl.lit(seen_at, pl.Int64), state=pl.lit(EXPIRED)
    )
    return pl.concat([known, gone], how="diagonal").select(list(JOBS.columns))


def submit_times(found: Iterable[SubmitTimes]) -> pl.DataFrame:
    """job_id (UInt32), submit_ts (Int64, epoch seconds), one row a job."""
    known = {
        job: moment
        for series in found
        for job, said in zip(series.job_ids, series.submit_times, strict=False)
        if job is not None and (moment := epoch(said)) is not None
    }
    columns = {"job_id": list(known), "submit_ts": list(known.values())}
    return pl.DataFrame(columns, schema={"job_id": PAIRS.columns["job_id"], "submit_ts": pl.Int64()})


def epoch(said: Any) -> int | None:
    """Epoch seconds of a naive UTC time in ISO 8601 or of epoch seconds; None for nothing, 0 and nonsense."""
    if isinstance(said, bool):
        return None
    if isinstance(said, int | float):
        return int(said) if 0 < said <= 253_402_300_799 else None
    if not isinstance(said, str):
        return None
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def whole(said: Any) -> int | None:
    if isinstance(said, str):
        return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else None
    return _long(said)


def _long(said: Any) -> int | None:
    return said if isinstance(said, int) and not isinstance(said, bool) and abs(said) < 2**63 else None


def number_of(said: Any) -> float | None:
    return float(said) if isinstance(said, int | float) and not isinstance(said, bool) else None


def truth(said: Any) -> bool | None:
    return said if isinstance(said, bool) else None


def text(said: Any) -> str | None:
    return said if isinstance(said, str) else None


def texts(said: Any) -> list[str]:
    return [one for one in said if isinstance(one, str) and one] if isinstance(said, list) else []
