"""The lint says what a server would refuse, lose or show otherwise, and what to write instead."""

from __future__ import annotations

import calendar
import json
import math
import warnings
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dateutil.parser  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.demo.submit import EXAMPLES
from backends.errors import OperationCancelledError
from backends.submit.entries import EARLIEST, LATEST, JobEntry, JobForm, guess_form, parse_time, treeherder_time
from backends.submit.lint import (
    FINDINGS,
    as_validated,
    check_message,
    findings_frame,
    is_ordinary_message,
    lint,
)
from backends.submit.lists import jobs_frame
from backends.submit.posting_rules import posting_rule, posting_rules_frame
from backends.submit.preview import preview_frame
from backends.submit.read import read_files, read_text
from backends.submit.validation import Level, LintFinding, quick_check_of
from tests.submit.jobs import MESSAGE, message

NAMES = [
    *MESSAGE,
    *MESSAGE["origin"],
    *MESSAGE["display"],
    *MESSAGE["runMachine"],
    "job",
    "job_guid",
    "log_references",
    "artifacts",
    "blob",
    "job_details",
    "option_collection",
    "build_platform",
    "submit_timestamp",
    "jobInfo",
    "links",
    "steps",
    "extra",
    "treeherder",
    "routes",
    "metadata",
    "suites",
    "framework",
    "step_data",
    "name",
    "url",
    "coalesced",
    "superseded",
]


def lint_one(body: Any, form: JobForm | None = None) -> list[LintFinding]:
    (report,) = lint([JobEntry("f", "line 1", 0, form or guess_form(body), body)])
    return list(report.findings)


def rules(body: Any, level: Level, form: JobForm | None = None) -> set[tuple[str, str]]:
    return {(one.path, one.rule) for one in lint_one(body, form) if one.level is level}


def entry(**job: Any) -> dict[str, Any]:
    start = json.loads((EXAMPLES / "collection.json").read_text())[0]
    return {**start, "job": {**start["job"], **job}}


def summary(logname: str | None = None, **changes: Any) -> dict[str, Any]:
    step = {"name": "s", "result": "success", "started_linenumber": 0, "finished_linenumber": 1, **changes}
    blob: dict[str, Any] = {"step_data": {"steps": [{k: v for k, v in step.items() if v is not None}]}}
    return {"type": "json", "name": "text_log_summary", "blob": {**blob, **({"logname": logname} if logname else {})}}


def log(name: str = "buildbot_text", state: str | None = None) -> dict[str, Any]:
    return {"url": "https://e/log", "name": name, **({"parse_status": state} if state else {})}


BUGS = {"type": "json", "name": "Bug suggestions", "blob": []}


def test_a_good_job_gets_no_complaint() -> None:
    assert lint_one(message()) == []


def test_a_job_without_owner_would_be_lost_although_the_schema_takes_it() -> None:
    assert rules(message(owner=None), Level.ERROR) == {("$", "owner")}


@pytest.mark.parametrize(
    ("changes", "instead"),
    [
        ({"result": "testfailed"}, "fail; one of"),
        ({"result": "cancelled"}, "canceled; one of"),
        ({"state": "done"}, "completed; one of"),
        ({"jobKind": "Build"}, "build; one of"),
        ({"tier": "2"}, "2 without quotes"),
        ({"isRetried": "false"}, "false without quotes"),
        ({"reason": 5}, '"5" in quotes'),
        ({"coalesced": "a"}, 'a list, e.g. ["a"]'),
        ({"buildSystem": "my system"}, "my-system; only letters"),
        ({"job_guid": "x"}, "taskId instead of job_guid"),
        ({"job_kind": "x"}, "jobKind instead of job_kind"),
        ({"ownr": "x"}, "owner instead of ownr"),
        ({"extra": {}}, "--form pulse-2018"),
        ({"timeStarted": "2026-11-21 09:01:00"}, "2026-11-21T09:01:00Z, if that is UTC"),
        ({"origin": {"project": "autoland", "revision": "ABC"}}, "abc; hexadecimal"),
        ({"version": 2}, "1"),
        ({"jobKind": None}, 'add "jobKind": one of build, test, other'),
    ],
)
def test_what_to_write_instead(changes: dict[str, Any], instead: str) -> None:
    assert any(instead in one.suggestion for one in lint_one(message(**changes))), [
        one.suggestion for one in lint_one(message(**changes))
    ]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"taskId": "abc"}, "taskId"),
        ({"result": None}, "result"),
        ({"state": "running", "result": "success"}, "result"),
        ({"result": "retry"}, "result"),
        ({"timeCompleted": None}, "times"),
        ({"timeCompleted": "2026-11-21T08:00:00Z"}, "times"),
        ({"runMachine": None}, "platform"),
    ],
)
def test_what_would_be_shown_otherwise_is_a_warning(changes: dict[str, Any], rule: str) -> None:
    assert rule in {one.rule for one in lint_one(message(**changes)) if one.level is Level.WARNING}


LOST_TIMES = [
    "yesterday", "", "2026-02-30T00:00:00Z", "2026-11-20T10:00:60Z", "2026-13-01", "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-01:00", "soon", "T", "2026-11-20T25:00:00Z", "99999999999999999999",
    "2026-11-20T10:00:00+99:00",
]  # fmt: skip


@pytest.mark.parametrize("name", ["timeScheduled", "timeStarted", "timeCompleted"])
@pytest.mark.parametrize("value", LOST_TIMES)
def test_a_time_that_dateutil_cannot_parse_loses_the_job(name: str, value: str) -> None:
    """5 of 7 such jobs were acknowledged by the broker and never seen again; lint had but warned."""
    assert (f"$.{name}", "times") in rules(message(**{name: value}), Level.ERROR)
    assert not any(one.rule == "format" for one in lint_one(message(**{name: value})))


@pytest.mark.parametrize(
    "value",
    ["1969-12-31T23:59:59Z", "1900-01-01T00:00:00Z", "Nov 20 2026 10:00", "2026-11-20 10:00:00 XYZ", "20261120T100000",
     "2026-11-20T10:00:00.123456789+05:30", "2026-11-20T10:00:00z", "Fri, 20 Nov 2026 10:00:00 GMT"],
)  # fmt: skip
def test_a_time_that_dateutil_reads_is_stored_however_odd_it_looks(value: str) -> None:
    assert rules(message(timeScheduled=value), Level.ERROR) == set()


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31)), st.integers(-1439, 1439))
def test_what_lint_takes_for_plain_the_loader_reads_as_the_same_moment(moment: datetime, minutes: int) -> None:
    # To the millisecond: a float of seconds cannot hold the microseconds of the year 3059.
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    text = whole.replace(tzinfo=timezone(timedelta(minutes=minutes))).isoformat()
    seconds = treeherder_time(text)
    assert seconds is not None and seconds == math.floor(parse_time(text) or 0)


@given(st.text(alphabet="0123456789-:TZ+. /,aApPmMNovUTC", max_size=30) | st.text(max_size=20))
def test_lint_and_the_loaders_own_call_agree_about_every_text(text: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected: int | None = calendar.timegm(dateutil.parser.parse(text).utctimetuple())
            datetime.fromtimestamp(expected, UTC)
    except (ValueError, OverflowError, TypeError, AttributeError, LookupError):
        expected = None
    errors = rules(message(timeScheduled=text, timeStarted=None, timeCompleted=None), Level.ERROR)
    assert (("$.timeScheduled", "times") in errors) == (expected is None)


USUAL_TIME = (
    r"(0001|0002|1969|2024|2026|9998|9999|[0-9]{4})-(0[0-9]|1[0-3])-([0-2][0-9]|3[0-2])"
    r"[Tt ]([01][0-9]|2[0-4]):[0-5][0-9](:[0-6][0-9](\\.[0-9]{1,9})?)?([Zz]|[+-][0-2][0-9]:?[0-5][0-9])?"
)


@given(st.from_regex(USUAL_TIME, fullmatch=True))
def test_usual_times_are_the_moments_that_dateutil_reads(text: str) -> None:
    try:
        expected: float | None = calendar.timegm(dateutil.parser.parse(text).utctimetuple())
        datetime.fromtimestamp(expected or 0, UTC)
    except (ValueError, OverflowError):
        expected = None
    if expected is None or EARLIEST <= expected <= LATEST:
        assert treeherder_time(text) == expected


@pytest.mark.parametrize("text", ["1" * 1_000_000, "1 " * 500_000, "2026-11-20T" * 50_000])
def test_a_time_of_a_million_characters_is_an_error_and_not_a_wait(text: str) -> None:
    assert ("$.timeStarted", "times") in rules(message(timeStarted=text), Level.ERROR)


def test_blanks_around_a_time_are_no_part_of_it() -> None:
    assert rules(message(timeStarted="2026-11-20T10:00:00Z" + " " * 20_000), Level.ERROR) == set()


@pytest.mark.parametrize("name", ["buildSystem", "owner", "reason", "productName", "taskId"])
def test_a_line_break_that_the_pattern_overlooks_is_found_and_stored(name: str) -> None:
    """Treeherder stores the job, line break and all: it was called an error."""
    body = message(**{name: f"{MESSAGE.get(name) or 'firefox'}\n"})
    assert (f"$.{name}", "line-break") in rules(body, Level.WARNING)
    assert rules(body, Level.ERROR) == set()


@pytest.mark.parametrize(("name", "value"), [("project", "autoland\n"), ("revision", "a" * 39 + "\n")])
def test_a_line_break_in_what_is_looked_up_loses_the_job(name: str, value: str) -> None:
    body = message(origin={**MESSAGE["origin"], name: value})
    assert rules(body, Level.ERROR) == {(f"$.origin.{name}", "line-break")}


@pytest.mark.parametrize("body", ['{"taskId": "x"}', 5, None, [], True, {"payload": {}, "_meta": {}}])
def test_what_is_no_job_at_all_is_an_error_and_no_crash(body: Any) -> None:
    assert any(one.level is Level.ERROR for one in lint_one(body))


def test_an_owner_that_treeherder_cuts_is_mentioned() -> None:
    """It is cut to 49 before the schema is checked: it was called refused."""
    for length in (51, 5000):
        (one,) = lint_one(message(owner="x" * length))
        assert (one.level, one.rule) == (Level.INFO, "owner") and "first 49 characters" in one.message
    assert len(as_validated({"owner": "x" * 51})["owner"]) == 49
    assert lint_one(message(owner="x" * 50)) == []
    assert rules(message(owner=""), Level.ERROR) == {("$.owner", "minLength")}


def _links(**changes: str) -> dict[str, Any]:
    return {"jobInfo": {"links": [{"url": "https://e/", "linkText": "words", "label": "artifact"} | changes]}}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"productName": "p" * 101}, "$.productName"),
        ({"productName": "p" * 125}, "$.productName"),
        ({"display": {**MESSAGE["display"], "jobSymbol": "s" * 24, "chunkId": 12}}, "$.display.chunkId"),
        ({"display": {**MESSAGE["display"], "jobName": "a\0b"}}, "$.display.jobName"),
        ({"reason": "a\0b"}, "$.reason"),
        ({"logs": [{"name": "live_backing_log", "url": "https://e/\0"}]}, "$.logs[0].url"),
        ({"taskId": MESSAGE["taskId"].partition("/")[0] + "/2147483648"}, "$.taskId"),
        ({"taskId": MESSAGE["taskId"].partition("/")[0] + "/+2147483648"}, "$.taskId"),
        ({"owner": "a\ud800"}, "$.owner"),
        ({"reason": "\udfff"}, "$.reason"),
        ({"productName": "\ud83d"}, "$.productName"),
        ({"display": {**MESSAGE["display"], "groupSymbol": "\ud800"}}, "$.display.groupSymbol"),
        ({"logs": [{"name": "a\ud800", "url": "https://e/l"}]}, "$.logs[0].name"),
        (_links(url="https://e/\0", linkText="a_errorsummary.log"), "$.jobInfo.links[0].url"),
        (_links(url="https://e/\ud800/perfherder-data.json"), "$.jobInfo.links[0].url"),
        (_links(url="https://e/perfherder-data.json", linkText="a\0"), "$.jobInfo.links[0].linkText"),
    ],
)
def test_what_the_schema_takes_and_the_database_refuses_is_an_error(changes: dict[str, Any], path: str) -> None:
    assert path in {one.path for one in lint_one(message(**changes)) if one.level is Level.ERROR}


@pytest.mark.parametrize(
    "changes",
    [
        {"productName": "p" * 100},
        {"display": {**MESSAGE["display"], "jobSymbol": "s" * 23, "chunkId": 12}},
        {"display": {**MESSAGE["display"], "jobSymbol": ""}},
        {"display": {name: value for name, value in MESSAGE["display"].items() if name != "groupName"}},
        {"state": "unscheduled", "result": "unknown", "timeStarted": None, "timeCompleted": None},
        {"reason": None, "productName": None, "tier": None},
        {"productName": " "},
        {"taskId": MESSAGE["taskId"].partition("/")[0] + "/2147483647"},
        {"productName": " " * 101},
        {"owner": "x" * 50 + "\0"},
        _links(linkText="a\0"),
        {"reason": "\U0001f600" * 125},
    ],
)
def test_what_treeherder_stores_is_no_error(changes: dict[str, Any]) -> None:
    assert {one.level for one in lint_one(message(**changes))} <= {Level.INFO}


# Field -> characters that the schema lets pass, that Treeherder's column holds, what becomes of a longer text, and
# whether it may be left out. Sources: treeherder/model/models.py and etl/job_loader.py at dc3080dd (2026-08-21).
STORED = {
    "buildSystem": (25, 25, "refused", False),
    "origin.project": (50, 50, "refused", False),
    "display.jobName": (140, 140, "refused", False),
    "display.jobSymbol": (25, 25, "lost", False),  # followed by chunkId
    "display.groupSymbol": (25, 25, "refused", False),
    "display.groupName": (255, 255, "refused", True),
    "owner": (50, 50, "cut", False),
    "reason": (125, 125, "refused", True),
    "productName": (125, 100, "lost", True),
    "labels[]": (50, 100, "refused", False),
    "runMachine.name": (50, 100, "refused", False),
    "runMachine.platform": (100, 100, "refused", False),
    "runMachine.os": (25, 25, "refused", False),
    "runMachine.architecture": (25, 25, "refused", False),
    "buildMachine.name": (50, 100, "refused", False),
    "buildMachine.platform": (100, 100, "refused", False),
    "buildMachine.os": (25, 25, "refused", False),
    "buildMachine.architecture": (25, 25, "refused", False),
    "logs[].name": (50, 50, "refused", False),
    "logs[].url": (255, 255, "refused", False),
    # Of links only those that become logs are stored: errorsummary logs and perfherder-data*.json.
    "jobInfo.links[].url": (512, 255, "cut", False),
}


@pytest.mark.parametrize("field", STORED)
def test_every_limit_of_treeherders_database_is_what_lint_says(field: str) -> None:
    """At the column's length no error; one beyond: refused by the schema, lost in the database, or cut."""
    schema, column, beyond, may_be_missing = STORED[field]
    longest = min(schema, column)
    for length in (longest, longest + 1):
        body = _with(field, length)
        errors = rules(body, Level.ERROR)
        assert bool(errors) == (length > longest and beyond in ("refused", "lost")), (length, errors)
        if length > longest and beyond == "cut":
            assert {one.rule for one in lint_one(body)} & {"owner", "maxLength"}
    if may_be_missing:
        assert rules(_without(field), Level.ERROR) == set()


def _with(field: str, length: int) -> dict[str, Any]:
    text = "https://e/perfherder-data-" if field.endswith("links[].url") else "https://e/" if "url" in field else ""
    end = ".json" if field.endswith("links[].url") else ""
    value = text + "x" * (length - len(text) - len(end)) + end
    holder, _, name = field.rpartition(".")
    if field == "labels[]":
        return message(labels=[value])
    if holder == "logs[]":
        return message(logs=[{"name": "live_backing_log", "url": "https://e/l", name: value}])
    if holder == "jobInfo.links[]":
        return message(jobInfo={"links": [{"url": value, "linkText": "perf", "label": "perf"}]})
    if "Machine" in holder:
        return message(**{holder: {"platform": "p", "os": "o", "architecture": "a", name: value}})
    return message(**({holder: {**MESSAGE[holder], name: value}} if holder else {name: value}))


def _without(field: str) -> dict[str, Any]:
    holder, _, name = field.rpartition(".")
    if not holder:
        return message(**{name: None})
    rest = {key: value for key, value in (MESSAGE.get(holder) or {}).items() if key != name}
    return message(**{holder: rest})


def test_the_preview_shows_what_is_stored_for_nothing() -> None:
    display = {"jobName": "build", "jobSymbol": "", "groupSymbol": "B"}
    (row,) = preview_frame([JobEntry("f", "", 0, JobForm.PULSE, message(display=display))]).to_dicts()
    assert (row["symbol"], row["group"]) == ("B(unknown)", "unknown")
    display = {"jobName": "build", "jobSymbol": "", "chunkId": 3, "groupSymbol": "B", "groupName": "Builds"}
    (row,) = preview_frame([JobEntry("f", "", 0, JobForm.PULSE, message(display=display))]).to_dicts()
    assert (row["symbol"], row["group"]) == ("B(3)", "Builds")


@pytest.mark.parametrize("field", ["version", "tier", "retryId", "chunkId", "chunkCount", "id"])
def test_true_is_no_1(field: str) -> None:
    """In Python True == 1: a loader that asks its validator refuses it, and so must lint."""
    body = message(**{field: True}) if field in ("version", "tier", "retryId") else message(
        **{holder: {**MESSAGE[holder], field: True} for holder in (["origin"] if field == "id" else ["display"])}
    )  # fmt: skip
    assert {one.path.rpartition(".")[2] for one in lint_one(body) if one.level is Level.ERROR} == {field}
    (row,) = preview_frame([JobEntry("f", "", 0, JobForm.PULSE, body)]).to_dicts()
    assert row["tier"] != 1 or field != "tier"


def test_the_same_job_twice_is_noticed_across_files() -> None:
    first, second = lint(
        [JobEntry("a", "", 0, JobForm.PULSE, message()), JobEntry("b", "line 3", 1, JobForm.PULSE, message())]
    )
    assert first.verdict == "ok"
    assert [one.rule for one in second.findings] == ["twice"] and "a" in second.findings[0].message


@pytest.mark.parametrize(
    ("logs", "artifacts", "rule", "generates"),
    [
        ([log()], [], 1, ("text_log_summary", "Bug suggestions")),
        ([log(state="pending")], [], 1, ("text_log_summary", "Bug suggestions")),
        ([log(state="error")], [], 1, ("text_log_summary", "Bug suggestions")),
        ([log(state="parsed")], [summary()], 2, ("Bug suggestions",)),
        ([log(state="pending")], [summary()], 2, ("Bug suggestions",)),
        ([log(state="parsed")], [summary(), BUGS], 3, ()),
        ([], [summary()], 4, ("Bug suggestions (if the job has none yet)",)),
        ([], [summary(), BUGS], 5, ()),
        ([log(state="parsed")], [], 0, ()),
        ([], [], 0, ()),
        ([log("my_log")], [], 1, ()),
    ],
)
def test_the_posting_rules(logs: list[Any], artifacts: list[Any], rule: int, generates: tuple[str, ...]) -> None:
    result = posting_rule({"log_references": logs, "artifacts": artifacts})
    assert (result.rule, result.generates) == (rule, generates)


def test_the_examples_fall_under_the_expected_rules(examples: Path) -> None:
    for case in json.loads((examples / "examples/collection/expected-generation.json").read_text()):
        frame = posting_rules_frame(read_files([str(examples / "examples" / case["file"])]))
        (row,) = frame.to_dicts()
        assert row["rule"] == str(case["seed_rule"])
        assert row["generates"] == (", ".join(case["treeherder_will_generate"]) or "nothing")


@pytest.mark.parametrize(
    ("name", "errors"),
    [
        ("custom-log-ok", set()),
        ("seed-sm-e", set()),
        ("invalid-custom-log-mismatch", {"custom-log-name"}),
        ("invalid-guid51", {"maxLength"}),
        ("invalid-no-revision", {"required"}),
    ],
)
def test_the_example_collections(examples: Path, name: str, errors: set[str]) -> None:
    (report,) = lint(read_files([str(examples / f"examples/collection/{name}.json")]))
    assert {one.rule for one in report.findings if one.level is Level.ERROR} == errors


def test_the_documentations_own_example_is_no_error() -> None:
    """Its artifact has the name '': the server skips it and stores the job."""
    body = entry(artifacts=[{"type": "json", "name": "", "blob": {"my": "json content here"}}])
    assert rules(body, Level.ERROR) == set()


def test_a_custom_log_name_must_stand_in_both_places() -> None:
    right = entry(log_references=[log("my_log", "parsed")], artifacts=[summary("my_log")])
    wrong = entry(log_references=[log("my_log", "parsed")], artifacts=[summary()])
    other = entry(log_references=[log("my_log", "parsed")], artifacts=[summary("your_log")])
    assert rules(right, Level.ERROR) == set()
    for body in (wrong, other):
        assert ("$.job.log_references[0].name", "custom-log-name") in rules(body, Level.ERROR)


@pytest.mark.parametrize(
    ("job", "level", "rule"),
    [
        ({"log_references": [log("x")], "artifacts": []}, Level.WARNING, "log-name"),
        ({"log_references": [log(state="error")]}, Level.WARNING, "parse-status"),
        ({"log_references": [log(state="parsed")], "artifacts": []}, Level.WARNING, "generation"),
        ({"artifacts": [summary(started_linenumber=None)]}, Level.ERROR, "text_log_summary"),
        ({"artifacts": [{"type": "json", "name": "text_log_summary", "blob": {}}]}, Level.ERROR, "text_log_summary"),
        ({"artifacts": [{"type": "json", "name": "mine", "blob": {}}]}, Level.INFO, "artifact"),
        ({"artifacts": [{"type": "json", "name": "mine"}]}, Level.ERROR, "required"),
        ({"artifacts": [{"type": "json", "name": "", "blob": {"my": "json content"}}]}, Level.WARNING, "minLength"),
        ({"artifacts": [{"type": "json", "blob": {"my": "json content"}}]}, Level.WARNING, "required"),
        ({"who": "x" * 51}, Level.WARNING, "maxLength"),
        ({"submit_timestamp": "yesterday"}, Level.WARNING, "oneOf"),
        ({"end_timestamp": 1795252200000}, Level.WARNING, "times"),
        ({"state": "running", "result": "success"}, Level.WARNING, "result"),
    ],
)
def test_what_the_server_of_2018_did_in_silence(job: dict[str, Any], level: Level, rule: str) -> None:
    assert rule in {one.rule for one in lint_one(entry(**job)) if one.level is level}


@pytest.mark.parametrize(
    ("detail", "level"),
    [
        ({"value": "x", "content_type": "text"}, Level.ERROR),
        ({"title": "t", "value": "x", "content_type": "link"}, Level.ERROR),
        ({"title": "t", "value": "x"}, Level.INFO),
        ({"title": "t", "value": "x", "content_type": "html"}, Level.INFO),
        ({"title": "t", "value": "<b>", "content_type": "raw_html"}, Level.INFO),
        ({"title": "t" * 71, "value": "x", "content_type": "text"}, Level.WARNING),
        ("text", Level.ERROR),
    ],
)
def test_job_info_elements(detail: Any, level: Level) -> None:
    artifact = {"type": "json", "name": "Job Info", "blob": {"job_details": [detail]}}
    assert level in {one.level for one in lint_one(entry(artifacts=[artifact])) if one.rule == "job-info"}


def test_a_blob_that_is_a_text_of_json_is_looked_into() -> None:
    blob = json.dumps({"job_details": [{"value": "x"}]})
    artifact = {"type": "json", "name": "Job Info", "blob": blob}
    assert any("title" in one.message for one in lint_one(entry(artifacts=[artifact])))


def test_only_superseded_counts_in_a_collection() -> None:
    assert ("$.coalesced", "coalesced") in rules({**entry(), "coalesced": ["a"]}, Level.WARNING)


def test_a_short_revision_passes_the_client_and_is_warned_of() -> None:
    assert ("$.revision", "revision") in rules({**entry(), "revision": "5f3c9a1be07d"}, Level.WARNING)
    assert ("$.revision", "revision") in rules({**entry(), "revision": "tip"}, Level.ERROR)


def test_a_performance_artifact_in_a_collection_is_validated() -> None:
    artifact = {"type": "json", "name": "performance_data", "blob": {"framework": {"name": "talos"}, "suites": [{}]}}
    paths = {one.path for one in lint_one(entry(artifacts=[artifact])) if one.level is Level.ERROR}
    assert "$.job.artifacts[0].blob.suites[0]" in paths


def task(**changes: Any) -> dict[str, Any]:
    return {**json.loads((EXAMPLES / "tasks.json").read_text())[0], **changes}


ROUTE = task()["routes"][1]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"routes": []}, "$.routes"),
        ({"routes": [ROUTE, ROUTE]}, "$.routes"),
        ({"routes": ["tc-treeherder.v1.autoland.abc"]}, "$.routes[0]"),
        ({"routes": ["tc-treeherder.v2.autoland.abc.1"]}, "$.routes[0]"),
        ({"routes": [ROUTE + "x"]}, "$.routes[0]"),
        ({"extra": {}}, "$.extra"),
        ({"extra": {"treeherder": {"symbol": 5}}}, "$.extra.treeherder.symbol"),
        ({"metadata": {"name": "n", "description": "d"}}, "$.metadata"),
        ({"metadata": {"name": "n", "description": "d", "owner": ""}}, "$.metadata.owner"),
        ({"metadata": {"name": "", "description": "d", "owner": "o"}}, "$.metadata.name"),
        ({"created": "yesterday"}, "$.created"),
        (
            {"extra": {"treeherder": {**task()["extra"]["treeherder"], "productName": "p" * 101}}},
            "$.extra.treeherder.productName",
        ),
    ],
)
def test_a_task_that_treeherder_would_pass_over(changes: dict[str, Any], path: str) -> None:
    assert path in {one.path for one in lint_one(task(**changes), JobForm.TASK) if one.level is Level.ERROR}


def test_a_good_task_gets_no_complaint_also_with_its_status_around_it() -> None:
    assert lint_one(task()) == []
    assert lint_one({"task": task(), "status": {}}) == []
    assert lint_one(task(routes=[f"tc-treeherder.v2.me/repo.{'a' * 40}"]), JobForm.TASK) == []


def test_the_demos_good_examples_are_good() -> None:
    for name in ("jobs.json", "jobs.csv", "jobs.yml"):
        for report in lint(read_files([str(EXAMPLES / name)])):
            assert report.verdict == "ok", [str(one) for one in report.findings]


def test_the_demos_broken_examples_are_all_broken() -> None:
    assert {report.verdict for report in lint(read_files([str(EXAMPLES / "broken.json")]))} == {"failed"}


def test_the_frame_holds_every_finding_once() -> None:
    reports = lint(read_files([str(EXAMPLES / "broken.json")]))
    frame = findings_frame(reports)
    assert frame.schema == FINDINGS.polars()
    assert len(frame) == sum(len(report.findings) for report in reports)
    assert frame["finding"].is_unique().all()


_CHANGES: dict[str, list[Any]] = {
    "taskId": ["x", "0d0c7a1e-5a3b-4f7e-8d61-2b8f6f0c1a11/9999999999", "0d0c7a1e-5a3b-4f7e-8d61-2b8f6f0c1a11/1\n"],
    "state": ["pending", "running", "unscheduled"],
    "result": [None, "retry", "unknown", "fail"],
    "isRetried": [None, True],
    "labels": [None, []],
    "owner": [None, "o" * 50, "o\0", "o\n"],
    "productName": [None, "p" * 101, "\0", "p\n", " "],
    "reason": [None, "\ud800", "r\n"],
    "timeScheduled": [
        None,
        "2026-11-21T09:05:00Z",
        "2026-11-21T09:00:60Z",
        "2026-11-21t09:00:00Z",
        "0001-01-01T00:00:00Z",
    ],
    "timeStarted": [None, "2026-11-21T09:01:00.5Z", "2026-11-21T09:01:00z", "2026-11-21T12:01:00+02:00"],
    "timeCompleted": [None, "2026-11-21T09:00:30Z", "2026-11-21T08:11:00-01:00", "9999-12-31T23:59:59Z"],
    "runMachine": [None],
    "display": [
        {"jobSymbol": "", "groupSymbol": "SM", "jobName": "n"},
        {"jobSymbol": "", "groupSymbol": "SM", "jobName": "n", "chunkId": 1},
        {"jobSymbol": "s" * 25, "groupSymbol": "SM", "jobName": "n", "chunkId": 1},
        {"jobSymbol": "s", "groupSymbol": "SM", "jobName": "n\0"},
    ],
    "logs": [None, [], [{"url": "https://example.com/x", "name": "other"}]],
    "jobInfo": [
        {},
        {
            "links": [
                {"url": "https://example.com/" + "x" * 250 + "perfherder-data.json", "linkText": "t", "label": "l"}
            ]
        },
    ],
}


@given(
    st.lists(st.sampled_from(sorted(_CHANGES)), unique=True, max_size=4).flatmap(
        lambda names: st.fixed_dictionaries({name: st.sampled_from(_CHANGES[name]) for name in names})
    )
)
@settings(max_examples=500)
def test_what_is_called_ordinary_has_no_findings(changes: dict[str, Any]) -> None:
    body = message(**changes)
    if quick_check_of(JobForm.PULSE)(body) and is_ordinary_message(body):
        assert list(check_message(body, JobForm.PULSE)) == []


def test_a_usual_job_is_ordinary() -> None:
    assert is_ordinary_message(MESSAGE)
    assert is_ordinary_message(message(display={**MESSAGE["display"], "chunkId": 3}, reason=None, version=1))


def test_linting_stops_when_it_is_told_to() -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(OperationCancelledError):
        lint([JobEntry("f", "", 0, JobForm.PULSE, message())], cancel)


def test_a_hostile_name_does_not_reach_the_terminal_raw() -> None:
    for one in lint_one(message(**{"\x1b[31mred\x9b": 1})):
        assert all(character.isprintable() for character in one.path + one.message + one.suggestion)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=9), inner, max_size=9)
    ),
    max_leaves=25,
)


@given(st.lists(ANYTHING, min_size=1, max_size=3), st.sampled_from([None, *JobForm]))
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_a_file_holds_is_linted_drawn_and_listed(values: list[Any], form: JobForm | None) -> None:
    entries = read_text("x.json", json.dumps(values), form)
    reports = lint(entries)
    assert len(reports) == len(entries) == len(jobs_frame(reports)) == len(values)
    for frame in (findings_frame(reports), preview_frame(entries), posting_rules_frame(entries)):
        assert frame.height >= 0


def test_half_a_character_and_a_huge_number_break_no_table() -> None:
    text = '[{"taskId": "a\\ud800", "tier": 1' + "0" * 40 + ', "display": {"jobSymbol": "\\udfff"}, "\\ud801": 1}]'
    (report,) = lint(read_text("x.json", text))
    assert any("half a character" in one.message for one in report.findings)
    assert jobs_frame([report])["job"].to_list() == ["a?"]
    assert len(findings_frame([report])) == len(report.findings)
