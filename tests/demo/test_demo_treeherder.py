"""Does the synthetic Treeherder hold what the panes, the comparison and the eleven data set views need?"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from backends.demo import locators
from tests.demo.asking import OPTIONS, Demo
from tests.demo.perfherder import Perfherder

AUTOLAND = "/api/project/autoland"
DATA = f"{AUTOLAND}/performance/data/"


@pytest.fixture(scope="module")
def signatures(session_perf: Perfherder) -> dict[str, dict[str, Any]]:
    return session_perf.json(f"{AUTOLAND}/performance/signatures/")  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def pushes(session_perf: Perfherder) -> list[dict[str, Any]]:
    return session_perf.json(f"{AUTOLAND}/push/?count=1000")["results"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def summaries(session_perf: Perfherder) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    url = "/api/performance/alertsummary/?limit=100"
    while url:
        page = session_perf.json(url)
        found += page["results"]
        url = page["next"]
    assert len(found) == page["count"]
    return found


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_four_thousand_signatures_of_every_kind(signatures: dict[str, dict[str, Any]]) -> None:
    assert len(signatures) == 4000
    assert {one["framework_id"] for one in signatures.values()} >= {1, 2, 4, 6, 11, 12, 13, 15}
    assert all("lower_is_better" not in one or one["lower_is_better"] is False for one in signatures.values())
    parents = {one["signature_hash"] for one in signatures.values() if one.get("has_subtests")}
    children = [one for one in signatures.values() if "parent_signature" in one]
    assert children and {one["parent_signature"] for one in children} == parents
    assert any("test" in one and "parent_signature" not in one for one in signatures.values()), "tests without a suite"
    hashes = Counter(one["signature_hash"] for one in signatures.values())
    assert any(count > 1 for count in hashes.values()), "Firefox and Chrome share a hash"
    texts = " ".join(f"{one['suite']} {one.get('test', '')}" for one in signatures.values())
    for awkward in ("[red]", "\x1b[31m", "=HYPERLINK", "<script>", "\u202e", "../"):
        assert awkward in texts


def data_of(perf: Perfherder, pushes: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The values of these pushes by signature hash."""
    return perf.json(DATA + "?" + "&".join(f"push_id={push['id']}" for push in pushes))  # type: ignore[no-any-return]


def test_performance_data_of_pushes(
    perf: Perfherder, pushes: list[dict[str, Any]], signatures: dict[str, dict[str, Any]]
) -> None:
    assert len(pushes) == len({push["revision"] for push in pushes}) == 300
    assert any(push["revision_count"] > 20 and len(push["revisions"]) == 20 for push in pushes)
    data = data_of(perf, pushes[:40])
    rows = [row for of_hash in data.values() for row in of_hash]
    measured = {row["push_id"] for row in rows if signatures[str(row["signature_id"])]["framework_id"] in (1, 13)}
    assert 8 < len(measured) < 25, "most pushes run no performance job"
    shared = [of_hash for of_hash in data.values() if len({row["signature_id"] for row in of_hash}) > 1]
    assert shared, "Firefox and Chrome share a hash"
    times = [[row["push_timestamp"] for row in of_hash] for of_hash in shared]
    assert all(of_hash == sorted(of_hash) for of_hash in times)
    jobs: dict[int, set[int]] = {}
    for row in rows:
        jobs.setdefault(row["signature_id"], set()).add(row["job_id"])
    groups = Counter(map(frozenset, jobs.values()))
    assert max(groups.values()) > 30 and 1 in groups.values(), "signatures of one job form a group"
    assert len(groups) < len(jobs) / 4
    assert perf.get(DATA).status_code == 400


def test_small_values_are_complete_in_the_summary_only(perf: Perfherder, signatures: dict[str, dict[str, Any]]) -> None:
    tiny = next(int(id_) for id_, one in signatures.items() if one["suite"] == "tiny")
    full = perf.series(tiny)[-3:]
    rows = [row for of_hash in data_of(perf, [{"id": row["push_id"]} for row in full]).values() for row in of_hash]
    rounded = {row["id"]: row["value"] for row in rows if row["signature_id"] == tiny}
    assert all(rounded[row["id"]] == 0.0 and 0 < row["value"] < 1e-4 for row in full)


def test_the_compared_pushes_have_missing_single_and_changed_sides(perf: Perfherder) -> None:
    sides = perf.of("perf.compare")
    asked = "/api/performance/summary/?repository=try&framework=13&no_subtests=true&revision="
    base, new = (
        {row["signature_id"]: row["values"] for row in perf.json(asked + sides[name])} for name in ("baseRev", "newRev")
    )
    present = Counter((bool(values), bool(new[one])) for one, values in base.items())
    assert present[True, False] > 3 and present[False, True] > 3 and present[True, True] > 50
    assert any(len(values) == len(new[one]) == 1 for one, values in base.items())
    assert any(values and values == new[one] for one, values in base.items())
    both = [(statistics.mean(values), statistics.mean(new[one])) for one, values in base.items() if values and new[one]]
    changes = [after / before for before, after in both if before]
    assert min(changes) < 0.8 and max(changes) > 1.2
    subtests = perf.json(asked.replace("true", f"false&parent_signature={perf.compared_suite}") + sides["newRev"])
    assert subtests and {row["parent_signature"] for row in subtests} == {perf.compared_suite}


def test_jobs_that_are_forgotten_leave_null_ids_and_are_nowhere(perf: Perfherder) -> None:
    series = perf.series(perf.favourite)
    forgotten, known = [row for row in series if row["job_id"] is None], [row for row in series if row["job_id"]]
    assert forgotten and known
    assert all(row["submit_time"] is None and row["machine_name"] is None for row in forgotten)
    assert max(row["push_timestamp"] for row in forgotten) < min(row["push_timestamp"] for row in known)
    assert perf.json(f"{AUTOLAND}/jobs/?push_id={forgotten[0]['push_id']}&count=2000")["results"] == []


def test_retriggers_come_within_and_after_the_ten_minutes(perf: Perfherder) -> None:
    late = Counter()  # type: ignore[var-annotated]
    for row in perf.series(perf.favourite):
        if row["submit_time"]:
            late[moment(row["submit_time"]) - moment(row["push_timestamp"]) > 600] += 1
    assert late[True] and late[False]


def test_replicates_share_the_id_of_their_datum(perf: Perfherder) -> None:
    one, many = perf.series(perf.favourite), perf.series(perf.favourite, replicates="true")
    assert len(many) == 5 * len(one)
    by_datum: dict[int, list[float]] = {}
    for row in many:
        by_datum.setdefault(row["id"], []).append(row["value"])
    assert all(abs(statistics.mean(by_datum[row["id"]]) - row["value"]) < 1e-6 * row["value"] for row in one)


def test_no_subtests_is_either_or(perf: Perfherder) -> None:
    asked = "/api/performance/summary/?repository=autoland&framework=4&interval=1209600"
    top, rest = perf.json(f"{asked}&no_subtests=true"), perf.json(asked)
    assert top and all(row["parent_signature"] is None for row in top)
    assert rest and all(row["parent_signature"] for row in rest)


def test_a_job_of_the_finished_group_is_a_task_of_the_synthetic_taskcluster(perf: Perfherder, demo: Demo) -> None:
    jobs = perf.jobs(perf.push["id"])
    group = locators(perf.server.options)["taskcluster.finished-group"].rsplit("/", 1)[1]
    listed = {entry["status"]["taskId"]: entry["status"] for entry in demo.tasks(group)}
    assert len(listed) == OPTIONS.tasks
    words = {"completed": "success", "failed": ("testfailed", "busted")}
    for job in jobs:
        run = listed[job["task_id"]]["runs"][job["retry_id"]]
        assert job["result"] in words.get(run["state"], ("retry", "exception", "usercancel"))
        if "started" in run:
            assert abs(moment(run["started"][:-1]) - job["start_timestamp"]) <= 1
    assert len(jobs) == sum(len(status["runs"]) for status in listed.values())
    assert {job["retry_id"] for job in jobs} > {0}


def test_an_alert_leads_to_a_task_that_opens_and_to_its_step(perf: Perfherder) -> None:
    summary = perf.json(f"/api/performance/alertsummary/{perf.summary}/")
    assert summary["revision"] == perf.revision and summary["status"] == 0
    alert = next(one for one in summary["alerts"] if one["series_signature"]["id"] == perf.favourite)
    task = alert["taskcluster_metadata"]["task_id"]
    assert httpx.get(f"{perf.server.root_url}/api/queue/v1/task/{task}/status").status_code == 200
    series = perf.series(perf.favourite)
    before = [row["value"] for row in series if row["push_id"] < summary["push_id"]][-24:]
    after = [row["value"] for row in series if row["push_id"] >= summary["push_id"]]
    assert statistics.mean(after) / statistics.mean(before) > 1.08
    assert alert["is_regression"] and 8 < alert["amount_pct"] < 16


def test_the_running_group_is_a_push_whose_jobs_go_on(perf: Perfherder) -> None:
    revision = perf.locators["perf.running-push"].rsplit("/", 1)[1]
    push = perf.json(f"/api/project/try/push/?revision={revision}")["results"][0]
    jobs = perf.json(f"/api/project/try/jobs/?push_id={push['id']}&count=2000")["results"]
    assert {job["state"] for job in jobs} >= {"completed", "running"}
    job = next(job for job in jobs if job["state"] == "running")
    assert perf.json(f"/api/project/try/jobs/{job['id']}/")["task_id"] == job["task_id"]
    status = httpx.get(f"{perf.server.root_url}/api/queue/v1/task/{job['task_id']}/status").json()["status"]
    assert status["runs"][job["retry_id"]]["runId"] == job["retry_id"]
    assert job["id"] in {row[1] for row in perf.json(f"/api/jobs/?push_id={push['id']}")["results"]}


def test_alert_summaries_in_every_status(summaries: list[dict[str, Any]]) -> None:
    assert len(summaries) >= 300
    statuses = Counter(one["status"] for one in summaries)
    assert set(statuses) == set(range(10)) and min(statuses.values()) >= 10
    by_id = {one["id"]: one for one in summaries}
    for one in summaries:
        kinds = {alert["status"] for alert in one["alerts"]}
        assert (0 in kinds) == (one["status"] == 0), "any untriaged alert makes its summary untriaged"
        assert one["status"] != 3 or kinds == {3}
        assert one["status"] != 9 or kinds == {5}
        for alert in one["alerts"]:
            if alert["related_summary_id"] is not None:
                related = by_id[alert["related_summary_id"]]["related_alerts"]
                assert alert["id"] in {other["id"] for other in related}
    assert any(one["revision"] != one["original_revision"] for one in summaries)
    assert any(moment(one["created"]) < one["push_timestamp"] for one in summaries)
    assert any(one["bug_number"] for one in summaries) and any(one["assignee_username"] for one in summaries)
    assert [one["created"] for one in summaries] == sorted((one["created"] for one in summaries), reverse=True)


def test_the_filters_of_alert_summaries(perf: Perfherder, summaries: list[dict[str, Any]]) -> None:
    def ids(query: str) -> set[int]:
        return {one["id"] for one in perf.json(f"/api/performance/alertsummary/?limit=100&{query}")["results"]}

    assert ids("status=9") == {one["id"] for one in summaries if one["status"] == 9}
    assert ids("framework=4&status=7") == {
        one["id"] for one in summaries if (one["framework"], one["status"]) == (4, 7)
    }
    assert ids("repository=1") == set()
    assert not ids("hide_related_and_invalid=true&framework=12") & {
        one["id"] for one in summaries if one["status"] < 4
    } - {one["id"] for one in summaries if one["status"] == 0}
    some = next(one for one in summaries if one["bug_number"])
    assert some["id"] in ids(f"filter_text={some['bug_number']}")
    assert some["id"] in ids(f"with_assignee={some['assignee_username']}")
    series = some["alerts"][0]["series_signature"]["id"]
    assert some["id"] in ids(f"alerts__series_signature={series}")
    monitored = ids("monitored_alerts=1")
    assert monitored and not monitored & {one["id"] for one in summaries}
    assert ids("filter_text=Amazon nowhere") == set()


def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).replace(tzinfo=None).isoformat()


def test_ids_in_batches_and_filters_that_are_ignored(perf: Perfherder, pushes: list[dict[str, Any]]) -> None:
    jobs = perf.jobs(pushes[30]["id"])
    wanted = ",".join(str(job["id"]) for job in jobs[:7])
    found = perf.json(f"{AUTOLAND}/jobs/?id__in={wanted}&count=2000")["results"]
    assert {job["id"] for job in found} == {job["id"] for job in jobs[:7]}
    assert len(perf.json(f"{AUTOLAND}/jobs/?push_id=abc&count=20")["results"]) == 20
    by_id = perf.json(f"/api/jobs/?push_id={pushes[30]['id']}")
    assert [row[1] for row in by_id["results"]] == sorted(job["id"] for job in jobs)
    some = perf.json(f"{AUTOLAND}/jobs/?push_id={pushes[30]['id']}&id__gte={jobs[0]['id']}&id__lte={jobs[0]['id']}")
    assert [job["id"] for job in some["results"]] == [jobs[0]["id"]]


def test_what_has_not_begun_began_at_the_epoch(perf: Perfherder, pushes: list[dict[str, Any]]) -> None:
    jobs = [job for push in pushes[:4] for job in perf.jobs(push["id"])]
    pending = [job for job in jobs if job["state"] == "pending"]
    running = [job for job in jobs if job["state"] == "running"]
    assert pending and all(job["start_timestamp"] == job["end_timestamp"] == 0 for job in pending)
    assert running and all(job["start_timestamp"] and not job["end_timestamp"] for job in running)
    assert {job["result"] for job in (*pending, *running)} == {"unknown"}


def test_pushes_are_found_by_range_revision_and_words(perf: Perfherder, pushes: list[dict[str, Any]]) -> None:
    def ids(query: str) -> list[int]:
        return [push["id"] for push in perf.json(f"{AUTOLAND}/push/?count=1000&{query}")["results"]]

    every = [push["id"] for push in pushes]
    oldest_seen = pushes[99]
    assert ids(f"push_timestamp__lte={oldest_seen['push_timestamp']}") == every[99:]
    assert ids(f"fromchange={pushes[20]['revision']}&tochange={pushes[10]['revision'][:12]}") == every[10:21]
    assert ids(
        f"commit_revision={next(push for push in pushes if push['revision_count'] > 2)['revisions'][1]['revision']}"
    )
    author = pushes[0]["author"]
    assert ids(f"author={author}") == [push["id"] for push in pushes if push["author"] == author]
    assert ids(f"search={author.partition('@')[0]}") == ids(f"author={author}")
    assert ids("startdate=2026-11-20&enddate=2026-11-20") == [
        push["id"] for push in pushes if _iso(push["push_timestamp"]).startswith("2026-11-20")
    ]


def test_locators_name_what_is_there(perf: Perfherder, signatures: dict[str, dict[str, Any]]) -> None:
    mine = {name: text for name, text in perf.locators.items() if name.startswith("perf.")}
    assert len(mine) >= 10
    named = {id_ for text in mine.values() for id_ in re.findall(r"series=autoland,(\d+),", text)}
    assert len(named) >= 8 and named <= signatures.keys()
    revisions = {text for one in mine.values() for text in re.findall(r"[0-9a-f]{40}", one)}
    assert len(revisions) == 4
    for revision in revisions:
        project = "autoland" if revision == perf.revision else "try"
        assert perf.json(f"/api/project/{project}/push/?revision={revision}")["meta"]["count"] == 1
