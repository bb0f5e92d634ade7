"""Jobs survive the way into another form and back, and what does not is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.demo.submit import EXAMPLES
from backends.errors import UsageError
from backends.submit.convert import convert, from_collection, to_collection, to_dialect_2018, to_dialect_today
from backends.submit.entries import JobEntry, JobForm
from backends.submit.lint import lint
from backends.submit.preview import preview_job
from tests.submit.jobs import MESSAGE, message
from tests.submit.test_submit_schemas import GITHUB, OF_2018

WORD = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)
SECONDS = st.integers(1, 4_000_000_000)
MACHINES = st.fixed_dictionaries({"name": st.just("m"), "platform": WORD, "os": WORD, "architecture": WORD})


@st.composite
def jobs(draw: st.DrawFn) -> dict[str, Any]:
    """Messages of which a collection can hold everything."""
    from backends.submit.entries import format_time

    kind, result = draw(
        st.sampled_from(
            [
                ("build", "fail"),
                ("test", "fail"),
                ("other", "success"),
                ("other", "canceled"),
                ("other", "exception"),
                ("other", "superseded"),
            ]
        )
    )
    machine = draw(MACHINES)
    info: dict[str, Any] = {}
    if draw(st.booleans()):
        info["summary"] = draw(st.text(min_size=1, max_size=20))
    if draw(st.booleans()):
        info["links"] = [{"url": "https://e/x", "linkText": draw(WORD), "label": draw(WORD)}]
    return message(
        jobKind=kind,
        result=result,
        buildSystem="ciexplore",
        retryId=None,
        isRetried=None,
        owner=draw(WORD),
        reason=draw(WORD),
        productName=draw(WORD),
        tier=draw(st.integers(1, 3)),
        labels=draw(st.lists(WORD, min_size=1, max_size=3, unique=True)),
        display={"jobName": draw(WORD), "jobSymbol": draw(WORD), "groupSymbol": draw(WORD), "groupName": draw(WORD)},
        timeScheduled=format_time(draw(SECONDS)),
        timeStarted=format_time(draw(SECONDS)),
        timeCompleted=format_time(draw(SECONDS)),
        buildMachine=machine,
        runMachine={**draw(MACHINES), "name": machine["name"]},
        coalesced=draw(st.lists(WORD, min_size=1, max_size=2)),
        jobInfo=info or None,
    )


@given(jobs())
@settings(deadline=None)
def test_a_message_comes_back_from_a_collection_as_it_was(job: dict[str, Any]) -> None:
    there = to_collection(job)
    assert from_collection(there.body, JobForm.PULSE).body == job
    told = {path for path, _ in there.lost}
    assert told <= {"$.buildSystem", "$.jobKind"}


@given(jobs())
@settings(deadline=None)
def test_a_converted_job_is_drawn_the_same(job: dict[str, Any]) -> None:
    one = preview_job(JobEntry("", "", 0, JobForm.PULSE, job))
    other = preview_job(JobEntry("", "", 0, JobForm.COLLECTION, to_collection(job).body))
    assert one == other


@given(jobs())
@settings(deadline=None)
def test_what_is_converted_has_no_errors(job: dict[str, Any]) -> None:
    (collection, old) = lint(
        [
            JobEntry("", "", 0, JobForm.COLLECTION, to_collection(job).body),
            JobEntry("", "", 1, JobForm.PULSE_2018, to_dialect_2018(job).body),
        ]
    )
    assert collection.verdict != "failed" and old.verdict != "failed", [*collection.findings, *old.findings]


def test_todays_dialect_comes_back_from_2018() -> None:
    job = message(origin={**MESSAGE["origin"], "id": 7})
    there = to_dialect_2018(job)
    assert there.body["origin"] == {**MESSAGE["origin"], "kind": "hg.mozilla.org", "pushLogID": 7}
    assert to_dialect_today(there.body).body == job


@pytest.mark.parametrize(
    ("body", "lost"),
    [
        (OF_2018, {"$.extra", "$.origin.kind", "$.logs[0].steps", "$.logs[0].errorsTruncated"}),
        (GITHUB, {"$.extra", "$.origin.kind", "$.origin.owner", "$.logs[0].steps", "$.logs[0].errorsTruncated"}),
    ],
)
def test_what_today_refuses_is_named(body: dict[str, Any], lost: set[str]) -> None:
    there = to_dialect_today(body)
    assert {path for path, _ in there.lost} == lost
    assert lint([JobEntry("", "", 0, JobForm.PULSE, there.body)])[0].verdict != "failed"


def test_steps_of_a_log_become_its_summary_and_steps_again() -> None:
    there = to_collection(OF_2018).body
    (log,) = there["job"]["log_references"]
    assert log["parse_status"] == "parsed"
    back = from_collection(there, JobForm.PULSE_2018).body
    assert back["logs"][0]["steps"] == OF_2018["logs"][0]["steps"]


@pytest.mark.parametrize(
    ("kind", "result", "shown"),
    [
        ("test", "fail", "testfailed"),
        ("build", "fail", "busted"),
        ("other", "fail", "busted"),
        ("test", "canceled", "usercancel"),
        ("test", "success", "success"),
        ("test", "retry", "retry"),
    ],
)
def test_results_are_treeherders_words(kind: str, result: str, shown: str) -> None:
    assert to_collection(message(jobKind=kind, result=result)).body["job"]["result"] == shown


def test_what_a_message_has_no_place_for_is_named() -> None:
    job = json.loads((EXAMPLES / "collection.json").read_text())[2]
    there = from_collection(job, JobForm.PULSE)
    assert {path for path, _ in there.lost} == {
        "$.job.artifacts[0]",
        "$.job.artifacts[1]",
        "$.job.log_references[0].parse_status",
    }
    assert dict(there.made_up) == {"$.buildSystem": "ciexplore", "$.jobKind": "other"}


def test_zero_is_how_a_collection_says_not_yet() -> None:
    job = json.loads((EXAMPLES / "collection.json").read_text())[0]
    job["job"]["end_timestamp"] = 0
    assert "timeCompleted" not in from_collection(job, JobForm.PULSE).body


@pytest.mark.parametrize(
    "body", [None, [], "x", {}, {"job": 5}, {"logs": "x", "jobInfo": []}, {"labels": {}, "display": 1}]
)
def test_odd_jobs_convert_or_are_refused_with_words(body: Any) -> None:
    for form in (JobForm.PULSE, JobForm.PULSE_2018, JobForm.COLLECTION):
        for target in (JobForm.PULSE, JobForm.PULSE_2018, JobForm.COLLECTION):
            try:
                convert(JobEntry("f", "", 0, form, body), target)
            except UsageError:
                assert not isinstance(body, dict)


def test_a_task_cannot_become_a_job_without_its_status() -> None:
    with pytest.raises(UsageError):
        convert(JobEntry("f", "", 0, JobForm.TASK, {}), JobForm.PULSE)
