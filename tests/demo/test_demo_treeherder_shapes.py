"""Does the synthetic Treeherder answer in the shapes of the real one, as far as answers of it are recorded?"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.demo.perfherder import Perfherder
from tests.demo.shapes import departures, shape

# The real one's ids, and what stands for them here: each is filled in from what the demo says of itself.
AUTOLAND = "/api/project/autoland"
SIGNATURES = f"{AUTOLAND}/performance/signatures/"
DATA = f"{AUTOLAND}/performance/data/"
SUMMARY = "/api/performance/summary/?repository=autoland"
MONTH, WEEK = "interval=2592000&all_data=true", "interval=604800&all_data=true"
ON_TRY = f"/api/performance/summary/?repository=try&signature={{on_try}}&{WEEK}"
MAC = "macosx1470-64-shippable-qr"
ALERTS = "/api/performance/alertsummary/"
ANSWERS = {
    "repository.json": "/api/repository/",
    "performance-framework.json": "/api/performance/framework/",
    "optioncollectionhash.json": "/api/optioncollectionhash/",
    "failureclassification.json": "/api/failureclassification/",
    "performance-issue-tracker.json": "/api/performance/issue-tracker/",
    "signatures-autoland-framework1.json": f"{SIGNATURES}?framework=1",
    "signatures-autoland-framework2.json": f"{SIGNATURES}?framework=2",
    "signatures-autoland-framework4.json": f"{SIGNATURES}?framework=4",
    "signatures-autoland-framework11.json": f"{SIGNATURES}?framework=11",
    "signatures-autoland-framework13-subtests0.json": f"{SIGNATURES}?framework=13&subtests=0&platform={MAC}",
    "signatures-autoland-framework15.json": f"{SIGNATURES}?framework=15",
    "signatures-autoland-parent.json": f"{SIGNATURES}?parent_signature={{parent_hash}}",
    "signatures-autoland-id.json": f"{SIGNATURES}?id={{favourite}}&id={{subtest}}",
    "data-autoland-push.json": f"{DATA}?push_id={{push}}",
    "summary-autoland-framework13-2days.json": f"{SUMMARY}&framework=13&interval=172800&no_subtests=true",
    "summary-autoland-revision.json": f"{SUMMARY}&framework=1&revision={{revision}}&no_subtests=true",
    "summary-autoland-signature-values.json": f"{SUMMARY}&signature={{favourite}}&interval=604800",
    "summary-autoland-signature-all_data.json": f"{SUMMARY}&signature={{favourite}}&{MONTH}",
    "summary-autoland-alerted-signature-all_data.json": f"{SUMMARY}&signature={{subtest}}&{MONTH}",
    "summary-autoland-subtests-of-parent.json": (
        f"{SUMMARY}&parent_signature={{favourite}}&framework=13&interval=604800"
    ),
    "summary-try-signature-all_data.json": ON_TRY,
    "summary-try-signature-all_data-replicates.json": f"{ON_TRY}&replicates=true",
    "alertsummary-limit100-page1.json": f"{ALERTS}?limit=100",
    "alertsummary-limit100-page2.json": f"{ALERTS}?limit=100&page=2",
    "alertsummary-limit100-page3.json": f"{ALERTS}?limit=100&page=4",
    "alertsummary-status0-framework13.json": f"{ALERTS}?status=0&framework=13&repository=77&limit=5",
    "alertsummary-timerange.json": f"{ALERTS}?timerange=259200&limit=2",
    "alertsummary-one.json": f"{ALERTS}{{summary}}/",
    "push-autoland-count100.json": f"{AUTOLAND}/push/?count=100",
    "push-autoland-revision.json": f"{AUTOLAND}/push/?revision={{revision}}",
    "push-autoland-one.json": f"{AUTOLAND}/push/{{push}}/",
    "push-autoland-status.json": f"{AUTOLAND}/push/{{plain_push}}/status/",
    "push-try-count40.json": "/api/project/try/push/?count=40",
    "jobs-project-autoland-push.json": f"{AUTOLAND}/jobs/?push_id={{push}}&count=2000",
    "jobs-push.json": "/api/jobs/?push_id={push}",
    "jobs-page2-count5.json": "/api/jobs/?push_id={push}&count=5&page=2",
    "job-autoland-one.json": f"{AUTOLAND}/jobs/{{build_job}}/",
    "similar_jobs-autoland.json": f"{AUTOLAND}/jobs/{{build_job}}/similar_jobs/?count=5",
    "text_log_errors-autoland.json": f"{AUTOLAND}/jobs/{{failed_job}}/text_log_errors/",
    "bug_suggestions-autoland.json": f"{AUTOLAND}/jobs/{{failed_job}}/bug_suggestions/",
    "taskclustermetadata.json": "/api/taskclustermetadata/?job_ids={build_job},{failed_job}",
}  # fmt: skip
# Recorded answers of one endpoint, which together show what it can answer; all others stand alone.
TOGETHER = ("signatures-", "data-", "summary-", "alertsummary-", "push-try", "jobs-")
# What no recorded answer shows, and can be all the same.
ALLOWED = {
    # Results appear only where there are any, so the keys differ from push to push.
    "push-autoland-status.json": ("$.",),
    # A unit may be null, as the recorded signatures say.
    "summary-": ("measurement_unit: NoneType",),
}


@pytest.fixture(scope="module")
def names(session_perf: Perfherder) -> dict[str, Any]:
    perf = session_perf
    favourite, push = perf.favourite, perf.push
    signatures = perf.json(f"{SIGNATURES}?framework=13")
    parent_hash = signatures[str(favourite)]["signature_hash"]
    subtest = next(int(id_) for id_, one in signatures.items() if one.get("parent_signature") == parent_hash)
    jobs = perf.json(f"{AUTOLAND}/jobs/?count=2000")["results"]
    failed = next(job for job in jobs if (job["result"], job["failure_classification_id"]) == ("testfailed", 4))
    plain = next(one for one in perf.json(f"{AUTOLAND}/push/?count=40")["results"][20:] if one["id"] != push["id"])
    built = next(found for one in perf.json(f"{AUTOLAND}/push/?count=40")["results"][10:]
                 if (found := perf.json(f"{DATA}?push_id={one['id']}&framework=2")))  # fmt: skip
    on_try = next(
        id_ for id_, one in perf.json("/api/project/try/performance/signatures/?framework=13").items()
        if one["signature_hash"] == parent_hash
    )  # fmt: skip
    return {
        "favourite": favourite,
        "subtest": subtest,
        "parent_hash": parent_hash,
        "push": push["id"],
        "revision": push["revision"],
        "plain_push": plain["id"],
        "summary": perf.summary,
        "build_job": next(iter(built.values()))[0]["job_id"],
        "failed_job": failed["id"],
        "on_try": on_try,
    }


@cache
def recorded(path: Path) -> Any:
    return json.loads(path.read_bytes())


def as_objects(answer: Any) -> Any:
    """Rows that are arrays become objects with the names that come with them."""
    if isinstance(answer, dict) and "job_property_names" in answer:
        rows = [dict(zip(answer["job_property_names"], row, strict=True)) for row in answer["results"]]
        return {**answer, "results": rows}
    return answer


def group_of(name: str) -> str:
    if name in ("jobs-push.json", "jobs-page2-count5.json"):
        return name
    return next((start for start in TOGETHER if name.startswith(start)), name)


@pytest.mark.parametrize("group", dict.fromkeys(map(group_of, ANSWERS)))
def test_an_answer_has_the_shape_of_the_real_one(
    group: str, perf: Perfherder, names: dict[str, Any], samples: Path
) -> None:
    files = [name for name in ANSWERS if group_of(name) == group]
    paths = [path for path in (samples / "treeherder" / name for name in files) if path.exists()]
    if not paths:
        pytest.skip(f"nothing of {group} is among the recorded answers")
    answers = [as_objects(perf.json(ANSWERS[path.name].format(**names))) for path in paths]
    assert all(answers), "an empty answer has every shape"
    real = shape(*(as_objects(recorded(path)) for path in paths))
    kept = [one for one in departures(real, shape(*answers)) if not any(word in one for word in ALLOWED.get(group, ()))]
    assert not kept


REFUSED = (
    "/api/project/nosuch/jobs/",
    "/api/project/nosuch/push/",
    "/api/project/autoland/performance/data/",
    "/api/project/autoland/performance/signatures/?interval=abc",
    "/api/project/autoland/performance/signatures/?framework=talos",
    "/api/project/autoland/performance/signatures/?subtests=false",
    "/api/project/autoland/performance/signatures/?framework=999",
    "/api/performance/summary/",
    "/api/performance/summary/?repository=autoland",
    "/api/performance/summary/?repository=nosuch&interval=10",
    "/api/performance/summary/?repository=autoland&interval=10&signature=abc",
    "/api/performance/alertsummary/?status=abc",
    "/api/performance/alertsummary/?page=9999",
    "/api/performance/alertsummary/999999/",
    "/api/performance/alertsummary/?repository=autoland",
    "/api/project/autoland/jobs/?count=2001",
    "/api/project/autoland/jobs/?count=abc",
    "/api/project/autoland/jobs/99999999/",
    "/api/project/autoland/push/?count=1001",
    "/api/project/autoland/push/?count=0",
    "/api/project/autoland/push/?revision=ffffffff",
    "/api/project/autoland/push/?fromchange=ffffffff",
    "/api/project/autoland/push/?startdate=nodate",
    "/api/project/autoland/push/99999999/",
    "/api/repository",
    "/api/nosuch/",
)


def test_wrong_requests_are_refused_as_by_the_real_server(perf: Perfherder, samples: Path) -> None:
    path = samples / "treeherder" / "_errors.json"
    if not path.exists():
        pytest.skip("no recorded errors")
    entries = {entry["request"]: entry for entry in recorded(path) if not entry["extra_curl_args"]}
    wrong = []
    for url in REFUSED:
        entry, answer = entries[f"GET {url}"], perf.get(url)
        if (answer.status_code, answer.headers["content-type"]) != (entry["status"], entry["content_type"]):
            wrong.append((url, answer.status_code, entry["status"]))
        elif answer.headers["content-type"] == "application/json" and answer.text != entry["body"]:
            wrong.append((url, answer.text, entry["body"]))
    assert not wrong


def test_the_headers_are_the_real_ones(perf: Perfherder, samples: Path) -> None:
    path = samples / "treeherder" / "_headers.json"
    if not path.exists():
        pytest.skip("no recorded headers")
    real = recorded(path)["repository.json"]["headers"]
    ours = perf.get("/api/repository/", headers={"accept-encoding": "identity"}).headers
    server = {"server", "date", "connection", "content-length"}
    expected = {name.lower(): value for name, value in real.items() if name.lower() not in server}
    assert {name: ours.get(name) for name in expected} == expected
    assert "etag" not in ours and "cache-control" not in ours
