"""Does the synthetic Treeherder answer in the shapes of the real one, as far as answers of it are recorded?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from backends.demo import DemoOptions, DemoServer
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
DAYS = "startday=2026-11-10&endday=2026-11-20"
COMPARED = "/api/perfcompare/results/?{compared}"
ANSWERS = {
    "repository.json": "/api/repository/",
    "performance-framework.json": "/api/performance/framework/",
    "optioncollectionhash.json": "/api/optioncollectionhash/",
    "machineplatforms.json": "/api/machineplatforms/",
    "failureclassification.json": "/api/failureclassification/",
    "performance-issue-tracker.json": "/api/performance/issue-tracker/",
    "performance-tag.json": "/api/performance/tag/",
    "changelog.json": "/api/changelog/",
    "signatures-autoland-framework1.json": f"{SIGNATURES}?framework=1",
    "signatures-autoland-framework2.json": f"{SIGNATURES}?framework=2",
    "signatures-autoland-framework4.json": f"{SIGNATURES}?framework=4",
    "signatures-autoland-framework11.json": f"{SIGNATURES}?framework=11",
    "signatures-autoland-framework13-subtests0.json": f"{SIGNATURES}?framework=13&subtests=0&platform={MAC}",
    "signatures-autoland-framework15.json": f"{SIGNATURES}?framework=15",
    "signatures-autoland-parent.json": f"{SIGNATURES}?parent_signature={{parent_hash}}",
    "signatures-autoland-id.json": f"{SIGNATURES}?id={{favourite}}&id={{subtest}}",
    "performance-platforms-autoland.json": f"{AUTOLAND}/performance/platforms/",
    "data-autoland-signature-sparse-and-dense.json": (
        f"{DATA}?signature_id={{favourite}}&signature_id={{subtest}}&interval=2592000"
    ),
    "data-autoland-alerted-signature.json": f"{DATA}?signature_id={{favourite}}&interval=2592000",
    "data-autoland-push.json": f"{DATA}?push_id={{push}}",
    "data-autoland-dates.json": (
        f"{DATA}?signature_id={{favourite}}&start_date=2026-11-01T00:00:00&end_date=2026-11-19T00:00:00"
    ),
    "job-data-autoland.json": f"{AUTOLAND}/performance/job-data/?job_id={{build_job}}",
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
    "alertsummary-by-id.json": f"{ALERTS}?id={{summary}}",
    "alertsummary-tasks.json": "/api/performance/alertsummary-tasks/?id={summary}",
    "alert-cursor-page1.json": "/api/performance/alert/",
    "alert-cursor-page2.json": "{next_alerts}",
    "perfcompare-student-t.json": COMPARED,
    "perfcompare-mann-whitney-u.json": f"{COMPARED}&test_version=mann-whitney-u&framework=1",
    "push-autoland-count100.json": f"{AUTOLAND}/push/?count=100",
    "push-autoland-revision.json": f"{AUTOLAND}/push/?revision={{revision}}",
    "push-autoland-one.json": f"{AUTOLAND}/push/{{push}}/",
    "push-autoland-status.json": f"{AUTOLAND}/push/{{plain_push}}/status/",
    "push-autoland-health_summary.json": f"{AUTOLAND}/push/health_summary/?revision={{plain_revision}}",
    "push-all_repos.json": f"{AUTOLAND}/push/?all_repos=true&count=3",
    "push-try-count40.json": "/api/project/try/push/?count=40",
    "jobs-project-autoland-push.json": f"{AUTOLAND}/jobs/?push_id={{push}}&count=2000",
    "jobs-project-autoland-list.json": f"{AUTOLAND}/jobs/?push_id={{push}}&count=20&return_type=list",
    "jobs-project-autoland-starttime-6h.json": (
        f"{AUTOLAND}/jobs/?start_time__gte=2026-11-20T08:00:00&start_time__lt=2026-11-20T14:00:00&count=2000"
    ),
    "jobs-project-autoland-running.json": f"{AUTOLAND}/jobs/?state=running&count=10",
    "jobs-push.json": "/api/jobs/?push_id={push}",
    "jobs-page2-count5.json": "/api/jobs/?push_id={push}&count=5&page=2",
    "job-autoland-one.json": f"{AUTOLAND}/jobs/{{build_job}}/",
    "similar_jobs-autoland.json": f"{AUTOLAND}/jobs/{{build_job}}/similar_jobs/?count=5",
    "text_log_errors-autoland.json": f"{AUTOLAND}/jobs/{{failed_job}}/text_log_errors/",
    "bug_suggestions-autoland.json": f"{AUTOLAND}/jobs/{{failed_job}}/bug_suggestions/",
    "job-log-url-autoland.json": f"{AUTOLAND}/job-log-url/?job_id={{build_job}}&job_id={{failed_job}}",
    "taskclustermetadata.json": "/api/taskclustermetadata/?job_ids={build_job},{failed_job}",
    "failures-autoland.json": f"/api/failures/?{DAYS}&tree=autoland",
    "failuresbybug.json": f"/api/failuresbybug/?{DAYS}&tree=all&bug={{bug}}",
    "failurecount-autoland.json": f"/api/failurecount/?{DAYS}&tree=autoland",
    "bug-job-map-autoland.json": f"{AUTOLAND}/bug-job-map/?job_id={{failed_job}}",
}  # fmt: skip
# Recorded answers of one endpoint, which together show what it can answer; all others stand alone.
TOGETHER = ("signatures-", "data-", "summary-", "alertsummary-", "alert-cursor-", "push-try", "jobs-", "perfcompare-m")
# What no recorded answer shows, and can be all the same.
ALLOWED = {
    # Results appear only where there are any, so the keys differ from push to push.
    "push-autoland-status.json": ("$.",),
    # A unit may be null, as the recorded signatures say; and either side may have too few runs.
    "job-data-autoland.json": ("measurement_unit: NoneType",),
    "perfcompare-student-t.json": ("measurement_unit: NoneType",),
    "perfcompare-m": ("measurement_unit: NoneType", "shapiro_wilk_test_new"),
    "summary-": ("measurement_unit: NoneType",),
}


@pytest.fixture(scope="module")
def perf() -> Iterator[Perfherder]:
    with DemoServer(DemoOptions()) as server:
        found = Perfherder(server)
        yield found
        found.client.close()


@pytest.fixture(scope="module")
def names(perf: Perfherder) -> dict[str, Any]:
    favourite, push = perf.favourite, perf.push
    signatures = perf.json(f"{SIGNATURES}?framework=13")
    parent_hash = signatures[str(favourite)]["signature_hash"]
    subtest = next(int(id_) for id_, one in signatures.items() if one.get("parent_signature") == parent_hash)
    failed = perf.json(f"{AUTOLAND}/jobs/?result=testfailed&failure_classification_id=4&count=1")["results"][0]
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
        "plain_revision": plain["revision"],
        "summary": perf.summary,
        "build_job": next(iter(built.values()))[0]["job_id"],
        "failed_job": failed["id"],
        "bug": perf.json(f"{AUTOLAND}/bug-job-map/?job_id={failed['id']}")[0]["bug_id"],
        "on_try": on_try,
        "next_alerts": perf.json("/api/performance/alert/")["next"],
        "compared": "&".join(f"{name}={value}" for name, value in perf.compared().items()),
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
    if name in ("alertsummary-tasks.json", "jobs-push.json", "jobs-page2-count5.json"):
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


# Ids in the recorded requests that mean something else, or nothing, here.
SWAPPED = {"push_id=280": "push_id={push}"}
# These bodies carry what is in the database; only that they are successful JSON is asked.
ANY_BODY = ("(200, ",)


def test_wrong_requests_are_refused_as_by_the_real_server(
    perf: Perfherder, names: dict[str, Any], samples: Path
) -> None:
    path = samples / "treeherder" / "_errors.json"
    if not path.exists():
        pytest.skip("no recorded errors")
    wrong = []
    for entry in recorded(path):
        method, url = entry["request"].split(" ", 1)
        for theirs, mine in SWAPPED.items():
            url = url.replace(theirs, mine.format(**names))
        arguments = entry["extra_curl_args"]
        headers = {"user-agent": "curl/8.5"}
        for flag, value in pairwise(arguments):
            if flag == "-A":
                headers["user-agent"] = value
            elif flag == "-H" and value.split(":", 1)[1]:
                headers[value.split(":", 1)[0].lower()] = value.split(":", 1)[1].strip()
        answer = perf.client.request(method, url, headers=headers)
        seen = (answer.status_code, answer.headers["content-type"])
        if seen != (entry["status"], entry["content_type"]):
            wrong.append((entry["request"], arguments, seen, entry["status"]))
        elif "json" in seen[1] and not entry["body"].startswith(ANY_BODY) and answer.text != entry["body"]:
            wrong.append((entry["request"], arguments, answer.text, entry["body"]))
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
