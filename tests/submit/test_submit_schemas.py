"""Our schemas give the verdicts of Treeherder's own, on examples and on what mutation makes of them."""

from __future__ import annotations

import copy
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft6Validator, Draft7Validator

from backends.demo.submit import EXAMPLES
from backends.json_schema import is_time, is_uri, iter_violations, validator
from backends.submit.convert import convert
from backends.submit.entries import JobEntry, JobForm
from backends.submit.lint import lint
from backends.submit.lists import jobs_frame
from backends.submit.posting_rules import posting_rules_frame
from backends.submit.preview import preview_frame
from backends.submit.validation import Level, quick_check_of, schema_of, violations
from tests.submit.jobs import MESSAGE, message

FILES = {
    JobForm.PULSE: "pulse-job.yml",
    JobForm.PULSE_2018: "pulse-job-2018.yml",
    JobForm.COLLECTION: "job-collection.schema.json",
    JobForm.TASK: "task-treeherder-config.yml",
    JobForm.PERFORMANCE: "performance-artifact.json",
}
STEP = {
    "name": "s",
    "timeStarted": "2026-01-01T00:00:00Z",
    "timeFinished": "2026-01-01T00:00:00Z",
    "lineStarted": 0,
    "lineFinished": 3,
    "result": "success",
    "errors": [{"line": "x", "linenumber": 1}],
}
FULL = message(
    coalesced=["a/0"],
    buildMachine=MESSAGE["runMachine"],
    jobInfo={"summary": "s", "links": [{"url": "https://e/x", "linkText": "t", "label": "l"}]},
    display={**MESSAGE["display"], "chunkId": 1, "chunkCount": 2},
)
OF_2018 = {
    **FULL,
    "origin": {"kind": "hg.mozilla.org", **MESSAGE["origin"], "pushLogID": 3},
    "logs": [{"url": "https://e/log", "name": "buildbot_text", "steps": [STEP], "errorsTruncated": False}],
    "extra": {},
}
GITHUB = {**OF_2018, "origin": {"kind": "github.com", **MESSAGE["origin"], "owner": "o", "pullRequestID": 7}}
SUITE = {
    "name": "s",
    "value": 1.5,
    "subtests": [{"name": "t", "value": 2, "alertSeverity": "normal"}],
    "tags": ["a"],
    "extraOptions": ["o"],
    "replicates": [1.0],
    "lowerIsBetter": True,
    "minBackWindow": 3,
}
STARTS: dict[JobForm, list[Any]] = {
    JobForm.PULSE: [FULL, message()],
    JobForm.PULSE_2018: [OF_2018, GITHUB],
    JobForm.COLLECTION: json.loads((EXAMPLES / "collection.json").read_text()),
    JobForm.TASK: [
        {"symbol": "x", "machine": {"platform": "p", "os": "o"}, "labels": ["opt"], "tier": 1, "jobKind": "test"}
    ],
    JobForm.PERFORMANCE: [
        {"framework": {"name": "talos"}, "application": {"name": "firefox"}, "os": {"name": "linux"}, "suites": [SUITE]}
    ],
}


def theirs(form: JobForm, directory: Path) -> Any:
    text = (directory / FILES[form]).read_text()
    schema = json.loads(text) if FILES[form].endswith(".json") else yaml.safe_load(text)
    if form is JobForm.COLLECTION:  # theirs describes the list, ours an entry
        schema = {**schema["items"], "definitions": schema["definitions"]}
        return Draft7Validator(schema)
    return Draft6Validator(schema)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at]
    if isinstance(value, dict):
        for key, one in value.items():
            found += paths(one, (*at, key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            found += paths(one, (*at, number))
    return found


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 300),
    st.floats(allow_nan=False, width=32),
    st.just(1.0),
    st.just([]),
    st.just({}),
    st.text(max_size=60),
    st.sampled_from(
        [
            "",
            "a" * 26,
            "b" * 51,
            "c" * 140,
            "d" * 256,
            "é",
            "a\n",
            "A" * 40,
            "0" * 40,
            "fail",
            "retry",
            "busted",
            "completed",
            "build",
            "error",
            "2026-01-01T00:00:00Z",
            "https://e/x",
            "x y",
        ]
    ),
)


@st.composite
def mutated(draw: st.DrawFn, form: JobForm) -> Any:
    body = copy.deepcopy(draw(st.sampled_from(STARTS[form])))
    for _ in range(draw(st.integers(0, 3))):
        places = [path for path in paths(body) if path]
        if not places:
            break
        path = draw(st.sampled_from(places))
        holder = body
        for step in path[:-1]:
            holder = holder[step]
        what = draw(st.sampled_from(["set", "delete", "add", "twice"]))
        if what == "set":
            holder[path[-1]] = draw(VALUES)
        elif what == "delete":
            del holder[path[-1]]
        elif what == "add" and isinstance(holder, dict):
            holder[draw(st.sampled_from(["extra", "kind", "id", "owner", "result", "unknown", "os", "labels"]))] = draw(
                VALUES
            )
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(holder[path[-1]]))
    return body


def verdict(validator: Any, body: Any) -> set[tuple[str, str]]:
    return {(error.json_path, error.validator) for error in validator.iter_errors(body)}


@pytest.mark.parametrize("form", list(JobForm))
def test_the_starting_points_are_valid(form: JobForm) -> None:
    for body in STARTS[form]:
        assert list(Draft6Validator(schema_of(form)).iter_errors(body)) == []


@pytest.mark.parametrize("form", list(JobForm))
def test_our_schema_judges_as_treeherders(form: JobForm, examples: Path) -> None:
    reference = theirs(form, examples)
    ours = type(reference)(schema_of(form))

    @settings(deadline=None, suppress_health_check=list(HealthCheck))
    @given(mutated(form))
    def judged(body: Any) -> None:
        assert verdict(ours, body) == verdict(reference, body)

    judged()


@pytest.mark.parametrize("form", list(JobForm))
def test_the_quick_answer_never_overlooks_an_error(form: JobForm) -> None:
    @settings(deadline=None, suppress_health_check=list(HealthCheck))
    @given(mutated(form))
    def judged(body: Any) -> None:
        if quick_check_of(form)(body):
            assert list(violations(body, form)) == []

    judged()


@pytest.mark.parametrize("form", list(JobForm))
def test_what_is_certainly_valid_hides_no_error_beside_it(form: JobForm) -> None:
    """All errors, in jsonschema's order and words."""
    where = ("performance-artifact", "backends") if form is JobForm.PERFORMANCE else (str(form), "backends.submit")

    @settings(deadline=None, suppress_health_check=list(HealthCheck))
    @given(mutated(form))
    def judged(body: Any) -> None:
        found, expected = (
            [(one.json_path, one.validator, one.message, one.instance) for one in errors]
            for errors in (iter_violations(body, *where), validator(*where).iter_errors(body))
        )
        assert found == expected

    judged()


@given(st.from_regex(r"([0-9]{4}|0000|1900|2000|2024)-(0[0-9]|1[0-3]|02)-([0-2][0-9]|29|3[0-2])", fullmatch=True))
def test_a_day_is_one_of_the_calendar(day: str) -> None:
    try:
        date.fromisoformat(day)
    except ValueError:
        assert not is_time(f"{day}T00:00:00Z")
    else:
        assert is_time(f"{day}T00:00:00Z")


@given(st.text(alphabet="a:/%2Fg .é\n", max_size=12))
def test_an_address_is_a_scheme_and_what_addresses_hold(text: str) -> None:
    parts = r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+"
    assert is_uri(text) == (re.fullmatch(parts, text, re.ASCII) is not None)


@pytest.mark.parametrize("form", [JobForm.PULSE, JobForm.PULSE_2018, JobForm.COLLECTION])
def test_the_quick_answer_knows_valid_jobs(form: JobForm) -> None:
    """Else linting 10,000 jobs would take as long as the validator."""
    for body in STARTS[form]:
        assert quick_check_of(form)(body)


def test_the_examples_have_the_expected_errors(examples: Path) -> None:
    expected = json.loads((examples / "examples/pulse/expected-errors.json").read_text())
    assert expected
    for case in expected:
        body = json.loads((examples / "examples" / case["file"]).read_text())
        found = list(violations(body, JobForm.PULSE))
        errors = {(one.path, one.rule, one.message) for one in found if one.level is Level.ERROR}
        assert errors == {(one["path"], one["rule"], one["message"]) for one in case["errors"]}, case["file"]
        # The list knows times only; ours checks addresses, too.
        warnings = {
            (one.path, one.message) for one in found if one.level is Level.WARNING and "'uri'" not in one.message
        }
        assert warnings == {(one["path"], one["message"]) for one in case["format_warnings"]}, case["file"]


def test_each_dialect_refuses_the_others_origin() -> None:
    assert [one.path for one in violations(OF_2018, JobForm.PULSE) if "origin" in one.path] == ["$.origin"]
    (finding,) = violations(message(), JobForm.PULSE_2018)
    assert (finding.path, finding.rule) == ("$.origin", "required"), "not only that no alternative fits"


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("2026-11-21T09:30:00Z", True),
        ("2026-11-21t09:30:00.123+01:00", True),
        ("2016-12-31T23:59:60Z", True),
        ("2026-11-21 09:30:00", False),
        ("2026-02-30T00:00:00Z", False),
        ("2026-11-21T09:30:00", False),
        ("2026-11-21", False),
        ("yesterday", False),
        ("2026-11-21T24:00:00Z", False),
        ("٢026-11-21T09:30:00Z", False),
    ],
)
def test_what_counts_as_a_time(text: str, right: bool) -> None:
    assert (list(violations(message(timeStarted=text), JobForm.PULSE)) == []) is right


@pytest.mark.parametrize("form", list(JobForm))
def test_a_mutated_job_is_linted_drawn_and_converted(form: JobForm) -> None:
    @settings(deadline=None, suppress_health_check=list(HealthCheck))
    @given(mutated(form))
    def carried(body: Any) -> None:
        body = {"routes": [], "metadata": {}, "extra": {"treeherder": body}} if form is JobForm.TASK else body
        entry = JobEntry("f", "", 0, form, body)
        (report,) = lint([entry])
        assert len(jobs_frame([report])) == 1
        preview_frame([entry])
        posting_rules_frame([entry])
        if form.is_job and isinstance(body, dict):
            for target in (JobForm.PULSE, JobForm.PULSE_2018, JobForm.COLLECTION):
                json.dumps(convert(entry, target).body)

    carried()
