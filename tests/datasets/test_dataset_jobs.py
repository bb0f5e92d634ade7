"""How long jobs run and wait: the original's samples exactly, and of all jobs the statistics that they have."""

from __future__ import annotations

import statistics
from typing import Any

import polars as pl
from hypothesis import given

from backends.treeherder.datasets import legacy_export_files, views
from backends.treeherder.datasets.update_plan import sample_jobs
from tests.datasets import original
from tests.datasets.random_data import (
    JOB_TABLE,
    MEASURED,
    METADATA,
    FakeDataset,
    MeasuredData,
    jobs,
    pushes,
    signatures,
)


@given(MEASURED)
def test_the_sampled_jobs_are_the_originals_first_middle_and_last(measured: MeasuredData) -> None:
    found: dict[int, list[int | None]] = {}
    for signature, job in sample_jobs(measured.pairs).collect().rows():
        found.setdefault(signature, []).append(job)
    expected = {
        one: [values[0][1], values[len(values) // 2][1], values[-1][1]]
        for one, values in original.series(measured.data).items()
    }
    assert found == expected


def _dataset(measured: MeasuredData, known: dict[int, Any], metadata: dict[int, Any] | None = None) -> Any:
    tables = {"jobs": jobs(known), "pushes": pushes(), "signatures": signatures(metadata or {})}
    return FakeDataset(pairs=measured.pairs, **tables)


def _span(job: dict[str, Any], first: str, second: str) -> int | None:
    a, b = job[first], job[second]
    return b - a if a and b and b >= a else None


@given(MEASURED, JOB_TABLE, METADATA)
def test_durations_of_a_group_are_those_of_its_jobs_by_result(
    measured: MeasuredData, known: dict[int, dict[str, Any]], metadata: dict[int, dict[str, Any]]
) -> None:
    found = views.durations(_dataset(measured, known, metadata))
    assert dict(found.schema) == views.DURATIONS.polars()
    assert found["key"].is_unique().all()
    by_job = original.signatures_by_job(measured.data)
    expected: dict[tuple[int, str], list[int]] = {}
    for number, ids in enumerate(original.groups(by_job)):
        for job, signatures_of in by_job.items():
            span = _span(known[job], "start_timestamp", "end_timestamp") if job in known else None
            if span is not None and set(ids) & set(signatures_of):
                for result in ("all", known[job]["result"] or "unknown"):
                    expected.setdefault((number, result), []).append(span)
    told = {(row["position"], row["result"]): row for row in found.iter_rows(named=True)}
    assert told.keys() == expected.keys()
    for key, spans in expected.items():
        assert told[key]["jobs"] == len(spans)
        assert told[key]["median"] == statistics.median(spans)
        assert abs(told[key]["mean"] - statistics.fmean(spans)) < 1e-6


@given(MEASURED, JOB_TABLE, METADATA)
def test_durations_of_a_signature_are_those_of_its_jobs(
    measured: MeasuredData, known: dict[int, dict[str, Any]], metadata: dict[int, dict[str, Any]]
) -> None:
    found = views.durations_by_signature(_dataset(measured, known, metadata))
    assert dict(found.schema) == views.DURATIONS_BY_SIGNATURE.polars()
    expected: dict[str, int] = {}
    for signature, job, *_ in measured.data:
        if job in known and _span(known[job], "start_timestamp", "end_timestamp") is not None:
            expected[str(signature)] = expected.get(str(signature), 0) + 1
    every = found.filter(pl.col("result") == "all")
    assert dict(every.select("signature", "jobs").rows()) == expected


@given(MEASURED, JOB_TABLE)
def test_waits_by_push_platform_and_hour_are_those_of_the_jobs(
    measured: MeasuredData, known: dict[int, dict[str, Any]]
) -> None:
    dataset = _dataset(measured, known)
    by_push = {int(row["push"]): row for row in
               views.waits_by_push(dataset).iter_rows(named=True)}  # fmt: skip
    for push in range(5):
        expected = original.waits(measured.data, push, known)
        assert (push in by_push) == bool(expected)
        if expected:
            assert by_push[push]["jobs"] == len(expected)
            assert by_push[push]["median"] == statistics.median(expected)
    here = {job for _, job, *_ in measured.data if job is not None} & known.keys()
    spans = {job: _span(known[job], "submit_timestamp", "start_timestamp") for job in here}
    platforms: dict[str, int] = {}
    hours: dict[int, int] = {}
    for job, span in spans.items():
        if span is not None:
            platforms[known[job]["platform"]] = platforms.get(known[job]["platform"], 0) + 1
            hour = known[job]["submit_timestamp"] // 3600 % 24
            hours[hour] = hours.get(hour, 0) + 1
    platform = views.waits_by_platform(dataset)
    assert dict(platform.select("platform", "jobs").rows()) == platforms
    assert dict(views.waits_by_hour(dataset).select("hour", "jobs").rows()) == hours
    each = views.waits(dataset)
    assert dict(each.schema) == views.WAITS.polars()
    assert {int(job): wait for job, wait in each.select("job", "wait").rows()} == {
        job: None if span is None else float(span) for job, span in spans.items() if known[job]["submit_timestamp"]
    }


def test_the_hour_of_a_wait_is_the_hour_of_the_day() -> None:
    """13:59:59 and 14:00:00 UTC of two days: hours 13 and 14, not minutes of the hour and not hours since 1970."""
    day = 1_790_035_200  # 2026-09-22 00:00 UTC
    known = {
        500: {"submit_timestamp": day + 13 * 3600 + 59 * 60 + 59, "start_timestamp": day + 14 * 3600 + 29},
        501: {"submit_timestamp": day + 14 * 3600, "start_timestamp": day + 14 * 3600 + 90},
        502: {"submit_timestamp": day + 86_400 + 13 * 3600, "start_timestamp": day + 86_400 + 13 * 3600 + 60},
    }
    measured = MeasuredData([(1, job, 9000 + job, 0, day, None) for job in known])
    each = views.waits(_dataset(measured, known))
    assert dict(each.select("job", "hour").rows()) == {"500": 13, "501": 14, "502": 13}
    found = views.waits_by_hour(_dataset(measured, known))
    assert found.select("hour", "jobs", "median").rows() == [(13, 2, 45.0), (14, 1, 90.0)]


def test_the_exported_minutes_are_sixty_seconds() -> None:
    stats = legacy_export_files.wait_statistics([90, 30])
    assert (stats["mean"], stats["max"]) == (60, 90)
    assert legacy_export_files.culprit_statistics([7200.0], rows=1, invalid=0)["mean_hours"] == 2.0
