"""Random performance data for property tests: few signatures, jobs and pushes, so that everything collides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
from hypothesis import strategies as st

from backends.treeherder.datasets import decode
from backends.treeherder.datasets.signature_groups import SharedRows, share_rows, signature_groups
from backends.treeherder.datasets.store import DatasetStore
from backends.treeherder.datasets.tables import MEASUREMENTS, PUSHES
from tests.datasets.original import Datum

START = 1_790_000_000


@dataclass(frozen=True)
class MeasuredData:
    """Values as plain rows, and the same as the store's frame (unique, as ingest guarantees)."""

    data: list[Datum]

    @property
    def pairs(self) -> pl.LazyFrame:
        rows = [
            (signature, job, datum, push, pushed, submitted, 1.0, START, None, False)
            for signature, job, datum, push, pushed, submitted in self.data
        ]
        return pl.DataFrame(rows, schema=MEASUREMENTS.columns, orient="row").lazy()


def _data(rows: list[tuple[int, int, bool, int | None]]) -> MeasuredData:
    """A job belongs to one push and measures a signature once; expired ones leave only their values."""
    found: dict[tuple[int, int], Datum] = {}
    for signature, job, expired, after in rows:
        push = job // 3
        pushed = START + push * 1000
        submitted = None if expired or after is None else pushed + after
        number = 10_000 + signature * 100 + job
        known = (signature, None if expired else 500 + job, number, push, pushed, submitted)
        found.setdefault((signature, job), known)
    return MeasuredData(list(found.values()))


AFTER = st.one_of(st.none(), st.sampled_from([-1, 0, 599, 600, 601, 90_000]))
ROWS = st.tuples(st.integers(1, 6), st.integers(0, 11), st.booleans(), AFTER)
SUITE = st.sets(st.integers(1, 6), min_size=1)
RUNS = st.tuples(SUITE, st.integers(0, 11), st.booleans(), AFTER)


def _suites(runs: list[tuple[set[int], int, bool, int | None]]) -> MeasuredData:
    """Jobs that measured several signatures at once, as suites do, so that many have the very same rows."""
    return _data([(one, job, expired, after) for ids, job, expired, after in runs for one in sorted(ids)])


MEASURED = st.one_of(st.lists(ROWS, max_size=60).map(_data), st.lists(RUNS, max_size=12).map(_suites))

FIELDS = st.fixed_dictionaries(
    {
        "framework_id": st.sampled_from([1, 2, 6, 13, 18, None]),
        "machine_platform": st.sampled_from(["linux", "windows"]),
        "suite": st.sampled_from(["amazon", "cnn"]),
    },
    optional={
        "test": st.sampled_from(["fcp", "loadtime"]),
        "lower_is_better": st.just(False),
        "extra_options": st.lists(st.sampled_from(["cold", "fission"]), max_size=2, unique=True),
        "should_alert": st.sampled_from([True, False, None]),
    },
)
METADATA = st.dictionaries(st.integers(1, 6), FIELDS, max_size=6)


def signatures(metadata: dict[int, dict[str, Any]]) -> pl.LazyFrame:
    return decode.signature_rows({str(number): {"id": number, **fields} for number, fields in metadata.items()}).lazy()


def pushes(count: int = 5) -> pl.LazyFrame:
    rows = [(number, f"rev{number}", START + number * 1000, "me", 1, []) for number in range(count)]
    return pl.DataFrame(rows, schema=PUSHES.columns, orient="row").lazy()


TIMES = st.one_of(st.none(), st.just(0), st.integers(START, START + 5000))
JOB = st.fixed_dictionaries(
    {
        "submit_timestamp": TIMES, "start_timestamp": TIMES, "end_timestamp": TIMES,
        "result": st.sampled_from(["success", "testfailed", None]), "platform": st.sampled_from(["linux", "windows"]),
    }
)  # fmt: skip
JOB_TABLE = st.dictionaries(st.integers(500, 511), JOB, max_size=12)


def jobs(known: dict[int, dict[str, Any]]) -> pl.LazyFrame:
    found = [
        {"id": number, "state": "completed", "push_id": (number - 500) // 3, **job} for number, job in known.items()
    ]
    return decode.job_rows(found, [], START).lazy()


# Alerts as the API lists them: an alert belongs to one summary and may be related to another.
TEXT = st.sampled_from(["", "fcp", "loadtime"])
MOMENT = st.integers(START, START + 900_000)


def iso(seconds: int | None, micros: int = 0) -> str | None:
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None, microsecond=micros)
    return moment.isoformat()


ALERT = st.fixed_dictionaries(
    {
        "is_regression": st.sampled_from([True, True, False]),
        "status": st.integers(0, 5),
        "amount_pct": st.floats(0, 100).map(lambda value: round(value, 2)),
        "series_signature": st.fixed_dictionaries(
            {
                "id": st.integers(1, 6), "suite": st.sampled_from(["amazon", "cnn"]), "test": TEXT,
                "machine_platform": st.sampled_from(["", "linux", "windows"]), "tags": st.just([""]),
            }
        ),
    }
)  # fmt: skip
SUMMARY = st.fixed_dictionaries(
    {
        "status": st.integers(0, 10),
        "framework": st.sampled_from([1, 2, 13, 99]),
        "bug_number": st.one_of(st.none(), st.integers(1_900_000, 1_900_009)),
        "revision": st.sampled_from(["rev0", "rev1", "rev2"]),
        "original_revision": st.sampled_from(["rev0", "rev1", "rev9"]),
        "push_timestamp": st.one_of(st.none(), MOMENT),
        "created": st.builds(iso, MOMENT, st.sampled_from([0, 250_000])),
        "first_triaged": st.builds(iso, st.one_of(st.none(), MOMENT)),
        "bug_updated": st.builds(iso, st.one_of(st.none(), MOMENT)),
        "notes": st.one_of(st.none(), st.sampled_from(["", 'it\'s a "note"\nin two lines', "=cmd"])),
        "performance_tags": st.lists(st.sampled_from(["harness", "regression"]), max_size=2),
        "alerts": st.lists(ALERT, max_size=4),
        "related_alerts": st.lists(ALERT, max_size=2),
    }
)


def _with_ids(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    alert = 0
    rows = []
    for number, one in enumerate(found, 1):
        row = {"id": number, "repository": "autoland", **one}
        for name in ("alerts", "related_alerts"):
            row[name] = [{"id": (alert := alert + 1), "summary_id": number, **each} for each in one[name]]
        rows.append(row)
    return rows


SUMMARIES = st.lists(SUMMARY, max_size=6).map(_with_ids)


def alert_frames(found: list[dict[str, Any]]) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    summaries, alerts = decode.alert_rows(found, monitored=False)
    return summaries.with_columns(repository=pl.lit("autoland")).lazy(), alerts.lazy()


class FakeDataset:
    """A `Dataset` without a store: tables by name, and what views calculate from them."""

    def __init__(self, **tables: pl.LazyFrame) -> None:
        self._tables = tables

    def table(self, name: str) -> pl.LazyFrame:
        return self._tables[name]

    @property
    def shared(self) -> SharedRows:
        return share(self._tables["pairs"])

    @property
    def groups(self) -> pl.DataFrame:
        return signature_groups(self._tables["pairs"])


def share(rows: pl.LazyFrame) -> SharedRows:
    return share_rows(rows, [rows])


def measurement_row(datum: tuple[int, bool, bool, float | None, int]) -> dict[str, Any]:
    number, with_job, with_submit, value, seen = datum
    push = number // 4
    return {
        "signature_id": number % 4,
        "job_id": 1000 + push * 2 + number % 2 if with_job else None,
        "datum_id": number,
        "push_id": push,
        "push_ts": START + push * 86_400 // 2,
        "submit_ts": START + number if with_job and with_submit else None,
        "value": value,
        "seen_at": seen,
        "machine_name": f"machine-{number % 3}" if with_job and with_submit else None,
        "exact": False,
    }


def measurement_frame(batch: list[Any]) -> pl.DataFrame:
    return pl.DataFrame([measurement_row(datum) for datum in batch], schema=MEASUREMENTS.columns)


def merge_model(batches: Iterable[list[Any]]) -> dict[int, dict[str, Any]]:
    known: dict[int, dict[str, Any]] = {}
    for batch in batches:
        for datum in map(measurement_row, batch):
            old = known.setdefault(datum["datum_id"], dict(datum))
            for name, value in datum.items():
                if name == "seen_at":
                    old[name] = min(old[name], value)
                elif value is not None:
                    old[name] = value
    return known


def stored_rows(store: DatasetStore) -> list[dict[str, Any]]:
    return store.read("pairs", "autoland").select(list(MEASUREMENTS.columns)).sort("datum_id").to_dicts()
