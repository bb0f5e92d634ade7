"""The export for the original's readers: every file by name, column and key, with the original's numbers in it."""

from __future__ import annotations

import ast
import csv
import json
import statistics
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.errors import FileError
from backends.treeherder.datasets.dataset import Dataset, PushWindow, ViewOptions
from backends.treeherder.datasets.legacy_export import BUG_COLUMNS, FAILING_COLUMNS, SUMMARY_COLUMNS, export
from backends.treeherder.datasets.store import DatasetStore
from tests.datasets import original
from tests.datasets.random_data import (
    JOB_TABLE,
    MEASURED,
    METADATA,
    START,
    SUMMARIES,
    MeasuredData,
    alert_frames,
    jobs,
    pushes,
    signatures,
)

csv.field_size_limit(sys.maxsize)
COMMITS = [("rev0", START + 10), ("rev1", START + 1010), ("other", START + 1020), ("rev3", START + 3000)]
REVISION_OF = {number: f"rev{number}" for number in range(5)}
SHAPE = {
    "deadline": None,
    "max_examples": 20,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
}


def _store(
    path: Path, measured: MeasuredData, metadata: dict[int, Any], known: dict[int, Any], summaries: list[Any]
) -> DatasetStore:
    store = DatasetStore(path, create=True)
    found, alerts = alert_frames(summaries)
    frames = {
        "pairs": measured.pairs.collect(), "pushes": pushes().collect(), "signatures": signatures(metadata).collect(),
        "jobs": jobs(known).collect(), "alert_summaries": found.collect().drop("repository"),
        "alerts": alerts.collect(),
    }  # fmt: skip
    store.commit("autoland", frames, cancel=CancelToken())
    return store


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.usefixtures("no_plots")
@settings(**SHAPE)
@given(MEASURED, METADATA, JOB_TABLE, SUMMARIES)
def test_every_file_says_what_the_original_would(
    tmp_path_factory: pytest.TempPathFactory, measured: MeasuredData, metadata: dict[int, Any], known: dict[int, Any],
    summaries: list[Any],
) -> None:  # fmt: skip
    base = tmp_path_factory.mktemp("export")
    commits = base / "all_commits.jsonl"
    commits.write_text("".join(json.dumps({"node": node, "desc": "", "date": [at, 0], "parents": []}) + "\n"
                               for node, at in COMMITS))  # fmt: skip
    with _store(base / "store", measured, metadata, known, summaries) as store:
        done = export(
            Dataset(store, "autoland", ViewOptions(PushWindow(until=START + 2999), commits)),
            base / "out",
            cancel=CancelToken(),
        )
    assert {name for name, _ in done.files} == {path.name for path in (base / "out").iterdir()}
    shown = MeasuredData([datum for datum in measured.data if datum[4] <= START + 2999])
    kept = [one for one in summaries if (one["push_timestamp"] or _seconds(one["created"])) <= START + 2999]
    ids = {datum[0] for datum in shown.data} | {
        alert["series_signature"]["id"] for one in kept for alert in (*one["alerts"], *one["related_alerts"])
    }
    _check_counts(base / "out", shown, {number: fields for number, fields in metadata.items() if number in ids})
    _check_jobs(base / "out", shown, known)
    _check_alerts(base / "out", kept)


def _seconds(said: str) -> float:
    return datetime.fromisoformat(said).replace(tzinfo=UTC).timestamp()


def _check_counts(out: Path, measured: MeasuredData, metadata: dict[int, Any]) -> None:
    by_job = original.signatures_by_job(measured.data)
    full = {number: {"id": number, **fields} for number, fields in metadata.items()}
    assert _lines(out / "sigs_by_job_id.jsonl") == [
        {"job_id": job, "signature_ids": ids} for job, ids in by_job.items()
    ]
    assert _lines(out / "sigs_by_job_id_detailed.jsonl") == [
        {"job_id": job, "signature_ids": ids, "common_sig_features": original.common_features(ids, full, {"id"})}
        for job, ids in by_job.items()
    ]
    groups = original.groups(by_job)
    assert _lines(out / "sig_groups.jsonl") == [
        {"Sig_group_id": number, "signatures": ids} for number, ids in enumerate(groups)
    ]
    counted = original.signatures_per_commit(measured.data, REVISION_OF, COMMITS, None, START + 2999, 600)
    details = _lines(out / "perf_jobs_per_revision_details.jsonl")
    assert [(row["revision"], row["signature_ids"], row["total_jobs"]) for row in details] == [
        (revision, ids, len(ids)) for revision, _, ids in counted
    ]
    assert [(row["revision"], int(row["total_jobs"])) for row in _rows(out / "perf_jobs_per_revision.csv")] == [
        (revision, len(ids)) for revision, _, ids in counted
    ]
    assert all(row["submit_time_iso"].endswith("+00:00") for row in details)
    totals = [len(ids) for _, _, ids in counted]
    stats = json.loads((out / "perf_jobs_stats.json").read_text())
    assert (stats["observations"], stats["mean_jobs"]) == (len(totals), round(statistics.fmean(totals), 2))
    frameworks = {number: fields["framework_id"] for number, fields in metadata.items()}
    assert [
        (row["revision"], row["signature_group_ids"], row["total_jobs"])
        for row in _lines(out / "perf_jobs_per_revision_details_rectified.jsonl")
    ] == [(revision, ids, len(ids)) for revision, ids in original.rectified(counted, groups, frameworks, {2, 6, 18})]
    assert {row["id"]: row for row in _lines(out / "all_signatures.jsonl")} == full
    series = original.series(measured.data)
    cached = {row["signature_id"]: row["jobs"] for row in _lines(out / "perf_jobs_by_signature.jsonl")}
    assert cached.keys() == series.keys() | metadata.keys()
    for signature, values in cached.items():
        expected = series.get(signature, [])
        assert [(one["id"], one["job_id"], one["push_id"], one["revision"]) for one in values] == [
            (one[2], one[1], one[3], REVISION_OF[one[3]]) for one in expected
        ]
        assert [one["submit_time"] is None for one in values] == [one[5] is None for one in expected]
        for one in values:
            assert list(one) == [
                "job_id", "id", "value", "push_timestamp", "push_id", "revision", "submit_time", "machine_name",
            ]  # fmt: skip


def _check_jobs(out: Path, measured: MeasuredData, known: dict[int, Any]) -> None:
    means = original.durations(measured.data, known)
    assert {int(row["signature_id"]): row["duration_minutes"] for row in _rows(out / "job_durations.csv")} == {
        one: f"{minutes:.2f}" for one, minutes in means.items()
    }
    groups = original.group_durations(means, original.groups(original.signatures_by_job(measured.data)))
    assert {int(row["signature_group_id"]): row["duration_minutes"]
            for row in _rows(out / "sig_group_job_durations.csv")} == groups  # fmt: skip
    stats = json.loads((out / "sig_group_job_duration_stats.json").read_text())
    assert stats["observations"] == len(groups)
    counted = original.signatures_per_commit(measured.data, REVISION_OF, COMMITS, None, START + 2999, 600)
    push_of = {name: number for number, name in REVISION_OF.items()}
    living = {push for _, job, _, push, *_ in measured.data if job is not None}
    found = [row for row in counted if push_of.get(row[0]) in living]
    busiest, _, ids = max(found, key=lambda row: len(row[2]), default=("", 0, []))
    push = push_of.get(busiest, -1)
    waits = original.waits(measured.data, push, known)
    told = json.loads((out / "job_wait_time_stats.json").read_text())
    assert (told["revision"], told["total_jobs_from_csv"], told["observations"]) == (busiest, len(ids), len(waits))
    if waits:
        assert told["seconds"]["median"] == statistics.median(waits)
        assert told["minutes"]["max"] == max(waits) / 60
    jobs_there = _lines(out / "max_revision_jobs.jsonl")
    assert told["detailed_jobs_in_jsonl"] == len(jobs_there)
    for one in jobs_there:
        assert one["submit_timestamp"] == known[one["id"]]["submit_timestamp"]


def _check_alerts(out: Path, summaries: list[Any]) -> None:
    kept = [one for one in summaries if one["status"] not in (1, 2, 3)]
    rows = _rows(out / "alert_summaries.csv")
    assert {int(row["id"]) for row in rows} == {one["id"] for one in kept}
    by_id = {one["id"]: one for one in kept}
    for row in rows:
        one = by_id[int(row["id"])]
        assert tuple(row) == SUMMARY_COLUMNS
        assert ast.literal_eval(row["alerts"]) == one["alerts"]
        assert ast.literal_eval(row["related_alerts"]) == one["related_alerts"]
        assert row["notes"] == (one["notes"] or "")
        assert row["push_timestamp"] == ("" if one["push_timestamp"] is None else str(one["push_timestamp"]))
    table = original.join_table(kept)
    found = _rows(out / "alerts_with_bug_and_test_info.csv")
    assert sorted(
        (int(row["regression_bug_id"]), int(row["perf_reg_alert_summary_id"]), row["alert_creation_date"])
        for row in found
    ) == sorted((bug, number, created) for bug, _, number, _, created in table)
    tests = {number: several for _, several, number, _, _ in table}
    for row in found:
        assert tuple(row) == BUG_COLUMNS
        several = ast.literal_eval(row["reg_perf_tests_list"])
        assert {(one["test"], one["platform"]) for one in several} == tests[int(row["perf_reg_alert_summary_id"])]
    assert [
        (int(row["alert_summary_id"]), row["revision"], json.loads(row["fail_perf_sig_ids"]),
         int(row["num_fail_perf_sig_ids"]))
        for row in _rows(out / "alert_summary_fail_perf_sigs.csv")
    ] == [(*row, len(row[2])) for row in original.failing(kept, tests)]  # fmt: skip
    assert (out / "alert_summary_fail_perf_sigs.csv").read_text().splitlines()[0] == ",".join(FAILING_COLUMNS)
    stats = json.loads((out / "time_to_culprit_stats.json").read_text())["stats"]
    hours = original.culprit_hours(kept)
    assert (stats["count"], stats["total_rows"]) == (len(hours), len(kept))
    if hours:
        assert stats["mean_hours"] == pytest.approx(statistics.fmean(hours))


WORLD = st.tuples(MEASURED, METADATA, JOB_TABLE, SUMMARIES)


@settings(**{**SHAPE, "max_examples": 3})
@given(WORLD)
def test_the_same_store_gives_the_same_bytes(tmp_path_factory: pytest.TempPathFactory, world: Any) -> None:
    base = tmp_path_factory.mktemp("twice")
    with _store(base / "store", *world) as store:
        first = export(Dataset(store, "autoland"), base / "out", cancel=CancelToken())
        before = {path.name: path.read_bytes() for path in (base / "out").iterdir()}
        again = export(Dataset(store, "autoland"), base / "out", cancel=CancelToken())
    assert {what for _, what in first.files} == {"written"}
    assert {what for _, what in again.files} == {"unchanged"}
    assert {path.name: path.read_bytes() for path in (base / "out").iterdir()} == before
    assert before["job_durations.png"][:8] == before["perf_jobs_per_revision_dist.png"][:8] == b"\x89PNG\r\n\x1a\n"


def test_a_crawl_that_took_hours_is_not_overwritten(tmp_path: Path) -> None:
    with _store(tmp_path / "store", MeasuredData([]), {}, {}, []) as store:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "alert_summaries.csv").write_text("precious")
        with pytest.raises(FileError):
            export(Dataset(store, "autoland"), tmp_path / "out", cancel=CancelToken())
        assert (tmp_path / "out" / "alert_summaries.csv").read_text() == "precious"
        export(Dataset(store, "autoland"), tmp_path / "out", overwrite=True, cancel=CancelToken())
        assert (tmp_path / "out" / "alert_summaries.csv").read_text() == ",".join(SUMMARY_COLUMNS) + "\n"


def test_lists_may_be_json_and_old_names_hold_what_the_server_now_calls_otherwise(tmp_path: Path) -> None:
    summary = {"id": 1, "status": 7, "duplicated_summaries": [{"id": 5, "status": 1}], "alerts": [], "bug_status": 0}
    with _store(tmp_path / "store", MeasuredData([]), {}, {}, [summary]) as store:
        export(Dataset(store, "autoland"), tmp_path / "out", lists="json", cancel=CancelToken())
    row = _rows(tmp_path / "out" / "alert_summaries.csv")[0]
    assert json.loads(row["duplicated_summaries_ids"]) == [5]
    assert row["alerts"] == "[]"
    assert "bug_status" not in row


def test_relabelling_comes_with_its_report(tmp_path: Path) -> None:
    alert = {"id": 9, "is_regression": True, "series_signature": {"id": 3, "test": "t", "machine_platform": "p"}}
    summary = {"id": 1, "status": 7, "bug_number": 5, "revision": "abc", "alerts": [alert]}
    structure = tmp_path / "perf_llm_struc.jsonl"
    structure.write_text(
        '{"commit_id":"abc","prompt":"p","response":"1"}\n{"commit_id":"d","prompt":"","response":"1"}\n'
    )
    with _store(tmp_path / "store", MeasuredData([]), {3: {"framework_id": 2}}, {}, [summary]) as store:
        export(Dataset(store, "autoland"), tmp_path / "out", structure=structure, cancel=CancelToken())
    labels = [row["response"] for row in _lines(tmp_path / "out" / "perf_llm_struc_no_fw_2_6_18.jsonl")]
    report = json.loads((tmp_path / "out" / "perf_llm_struc_no_fw_2_6_18_report.json").read_text())
    assert labels == ["0", "1"]
    assert report["relabel"]["regressor_flipped_to_clean"] == 1
    assert report["failing_signatures"]["excluded"] == 1


def test_a_store_without_anything_exports_headers_and_zeros(tmp_path: Path) -> None:
    with _store(tmp_path / "store", MeasuredData([]), {}, {}, []) as store:
        export(Dataset(store, "autoland"), tmp_path / "out", cancel=CancelToken())
    assert (tmp_path / "out" / "sig_groups.jsonl").read_text() == ""
    assert pl.read_csv(tmp_path / "out" / "perf_jobs_per_revision.csv")["total_jobs"].to_list() == [0] * 5
