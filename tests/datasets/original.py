"""The original's scripts as their facts describe them, in plain Python: what the views must agree with.

Written for reading: loops, dicts and sets, from rows as Python values. A datum is (signature, job or None, datum id,
push id, push time, submit time or None).
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Datum = tuple[int, int | None, int, int, int, int | None]


def series(data: Iterable[Datum]) -> dict[int, list[Datum]]:
    """perf_jobs_by_signature: in Perfherder's order, an expired job last among equals."""
    found: dict[int, list[Datum]] = {}
    for datum in sorted(data, key=lambda one: (one[4], one[3], one[1] is None, one[1] or 0, one[2])):
        found.setdefault(datum[0], []).append(datum)
    return found


def signatures_per_commit(
    data: Iterable[Datum], revision_of: Mapping[int, str], commits: Sequence[tuple[str, int]],
    since: int | None, until: int | None, within: int | None,
) -> list[tuple[str, int, list[int]]]:  # fmt: skip
    """get_num_perf_tests: (revision, time, signature ids), every revision of the window."""
    window = {
        revision: at for revision, at in commits
        if (since is None or at >= since) and (until is None or at <= until)
    }  # fmt: skip
    found: dict[str, set[int]] = {revision: set() for revision in window}
    for signature, values in series(data).items():
        for _, _, _, push, pushed, submitted in values:
            revision = revision_of.get(push)
            if revision not in window:
                continue
            if submitted is not None and within is not None and not 0 <= submitted - pushed <= within:
                continue
            found[revision].add(signature)
    return [(revision, at, sorted(found[revision])) for revision, at in sorted(window.items(), key=lambda one: one[1])]


def signatures_by_job(data: Iterable[Datum]) -> dict[int, list[int]]:
    """get_sigs_per_job, step 1: a value whose job is null is dropped."""
    found: dict[int, set[int]] = {}
    for signature, job, *_ in data:
        if job is not None:
            found.setdefault(job, set()).add(signature)
    return {job: sorted(ids) for job, ids in sorted(found.items())}


def common_features(ids: Sequence[int], metadata: Mapping[int, Mapping[str, Any]], excluded: set[str]) -> list[str]:
    """get_sigs_per_job, step 2: keys that all have, with equal values; missing metadata is an empty object."""
    several = [metadata.get(one, {}) for one in ids]
    return sorted(
        key
        for key in several[0]
        if key not in excluded and all(key in other and other[key] == several[0][key] for other in several)
    )


def groups(by_job: Mapping[int, Sequence[int]]) -> list[list[int]]:
    """create_sig_groups: equal sets of jobs; the largest first, then the lowest signature."""
    jobs_of: dict[int, set[int]] = {}
    for job, ids in by_job.items():
        for one in ids:
            jobs_of.setdefault(one, set()).add(job)
    by_set: dict[frozenset[int], list[int]] = {}
    for one, jobs in jobs_of.items():
        by_set.setdefault(frozenset(jobs), []).append(one)
    return sorted((sorted(ids) for ids in by_set.values()), key=lambda ids: (-len(ids), ids[0]))


def rectified(
    counted: Sequence[tuple[str, int, list[int]]], found: Sequence[Sequence[int]],
    framework_of: Mapping[int, int | None], excluded: set[int],
) -> list[tuple[str, list[int]]]:  # fmt: skip
    """rectify_job_count_per_revision: a group goes if the frameworks of all its members are known and excluded."""
    group_of = {one: number for number, ids in enumerate(found) for one in ids}
    gone = {
        number for number, ids in enumerate(found)
        if all(framework_of.get(one) is not None and framework_of[one] in excluded for one in ids)
    }  # fmt: skip
    rows = []
    for revision, _, ids in counted:
        several: list[int] = []
        for one in ids:
            group = group_of.get(one)
            if group is not None and group not in gone and group not in several:
                several.append(group)
        rows.append((revision, several))
    return rows


def durations(data: Iterable[Datum], jobs: Mapping[int, Mapping[str, Any]]) -> dict[int, float]:
    """get_job_duration: minutes, the mean over first, middle and last of a signature's jobs."""
    found = {}
    for signature, values in series(data).items():
        minutes = []
        for place in (0, len(values) // 2, len(values) - 1):
            job = jobs.get(values[place][1] or 0)
            if job is not None and job["start_timestamp"] and job["end_timestamp"]:
                minutes.append((job["end_timestamp"] - job["start_timestamp"]) / 60)
        if minutes:
            found[signature] = statistics.fmean(minutes)
    return found


def group_durations(means: Mapping[int, float], found: Sequence[Sequence[int]]) -> dict[int, str]:
    """From the file of the signatures' durations, which has two decimals, as this one then has."""
    written = {one: float(f"{minutes:.2f}") for one, minutes in means.items()}
    several = {number: [written[one] for one in ids if one in written] for number, ids in enumerate(found)}
    return {number: f"{sum(values) / len(values):.2f}" for number, values in several.items() if values}


def waits(data: Iterable[Datum], push: int, jobs: Mapping[int, Mapping[str, Any]]) -> list[int]:
    """get_job_wait_times: of all jobs of a push, in order of their ids; negative and missing ones dropped."""
    ids = sorted({job for _, job, _, at, *_ in data if at == push and job is not None})
    known = [jobs[one] for one in ids if one in jobs]
    spans = [
        one["start_timestamp"] - one["submit_timestamp"]
        for one in known
        if one["start_timestamp"] and one["submit_timestamp"]
    ]
    return [span for span in spans if span >= 0]


def join_table(summaries: Iterable[Mapping[str, Any]]) -> list[tuple[Any, set[tuple[str, str]], int, str, str]]:
    """get_perf_alerts: bug, (test, platform), summary, revision, created."""
    rows = []
    for one in summaries:
        if one["status"] not in (6, 7, 8) or one["bug_number"] is None:
            continue
        tests = set()
        for alert in (*one["alerts"], *one["related_alerts"]):
            signature = alert["series_signature"]
            pair = (signature["test"] or "", signature["machine_platform"] or "")
            if alert["is_regression"] is True and any(pair):
                tests.add(pair)
        rows.append((one["bug_number"], tests, one["id"], one["revision"], one["created"]))
    return rows


def failing(summaries: Iterable[Mapping[str, Any]], meant: Iterable[int]) -> list[tuple[int, str, list[int]]]:
    """get_failing_perf_sigs: of their own alerts alone."""
    by_id = {one["id"]: one for one in summaries}
    return [
        (
            number,
            by_id[number]["revision"],
            sorted({one["series_signature"]["id"] for one in by_id[number]["alerts"] if one["is_regression"]}),
        )
        for number in sorted(meant)
    ]


def culprit_hours(summaries: Iterable[Mapping[str, Any]]) -> list[float]:
    """get_ttc_stats: created is naive and UTC."""
    found = []
    for one in summaries:
        if one["created"] and isinstance(one["push_timestamp"], int):
            created = datetime.fromisoformat(one["created"]).replace(tzinfo=UTC)
            found.append((created.timestamp() - one["push_timestamp"]) / 3600)
    return found
