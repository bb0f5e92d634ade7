"""What a user would lose: matching lines, true numbers about logs and results, and events of any shape."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError, UsageError
from backends.http import Http
from backends.prow.build_reader import BUILDS, place_of, row_from_id
from backends.prow.events import parse_events
from backends.prow.failure_reasons import count_reasons, describe_exit_codes, explain_pod
from backends.prow.locators import (
    CompletenessView,
    EventsView,
    FailureReasonsView,
    JUnitMatrixView,
    JUnitView,
    LogSearchView,
    LogStatisticsView,
    MissingFilesView,
    ProwPath,
    ProwView,
    TrendsView,
)
from backends.prow.logs import measure_text, split_windows
from backends.prow.trends import summarize_periods
from backends.resources import read_list
from tests.prow.bucket_server import Bucket
from tests.prow.making import JOB, NAME, build, opened, rows, snowflake

DAY = 86400


def view(bucket: Bucket, http: Http, kind: type[ProwView], path: str = JOB, **options: Any) -> Any:
    return opened(bucket, http, kind(NAME, path, **options).text())


# ---- search


def test_a_line_is_found_wherever_it_stands_with_its_neighbours(bucket: Bucket, http: Http) -> None:
    log = "\n".join(f"line {number}" for number in range(1, 100_001))
    folder = build(bucket, snowflake(1000), log=log, packed=True)
    resource = view(bucket, http, LogSearchView, pattern=r"^line (1|54321|100000)$")
    found = rows(resource)
    assert [(row["line"], row["text"]) for row in found] == [
        (1, "line 1"),
        (54321, "line 54321"),
        (100000, "line 100000"),
    ]
    assert (found[1]["before"], found[1]["after"]) == ("line 54319\nline 54320", "line 54322\nline 54323")
    assert found[0]["before"] is None and found[2]["after"] is None
    assert resource.open(found[1]) == ProwPath(NAME, f"{folder}build-log.txt", "", (54321,))
    address = resource.shows(found[1])
    assert address.line == 54321 and address.url.startswith(bucket.url)


def test_colours_do_not_hide_a_line(bucket: Bucket, http: Http) -> None:
    build(bucket, snowflake(1000), log="\x1b[31mERRO\x1b[0m[2021] failed\r\nok\n")
    assert [row["text"] for row in rows(view(bucket, http, LogSearchView, pattern=r"^ERRO\[2021\] failed$"))] == [
        "ERRO[2021] failed"
    ]


def test_any_files_can_be_searched_and_binary_ones_are_left_out(bucket: Bucket, http: Http) -> None:
    folder = build(bucket, snowflake(1000), log="needle")
    bucket.put(f"{folder}artifacts/e2e/step/build-log.txt", "a needle")
    bucket.put(f"{folder}artifacts/x.png", "needle", content_type="image/png")
    bucket.put(f"{folder}artifacts/x.json", '{"a": "needle"}', packed=True)
    assert [row["file"] for row in rows(view(bucket, http, LogSearchView, pattern="needle"))] == ["build-log.txt"]
    every = rows(view(bucket, http, LogSearchView, pattern="needle", match="artifacts/*"))
    assert sorted(row["file"] for row in every) == ["artifacts/e2e/step/build-log.txt", "artifacts/x.json"]


def test_a_search_that_finds_too_much_says_so(bucket: Bucket, http: Http) -> None:
    build(bucket, snowflake(1000), log="x\n" * 5000)
    resource = view(bucket, http, LogSearchView, pattern="x")
    pages = list(resource.pages(CancelToken()))
    assert sum(page.frame.height for page in pages) == 500 and "more than 500" in pages[-1].note


def test_a_wrong_expression_is_said_before_anything_is_read(bucket: Bucket, http: Http) -> None:
    build(bucket, snowflake(1000))
    resource = view(bucket, http, LogSearchView, pattern="(")
    bucket.asked.clear()
    with pytest.raises(UsageError):
        rows(resource)
    assert not bucket.asked


def test_a_file_that_fails_is_told_and_the_others_are_searched(bucket: Bucket, http: Http) -> None:
    good, bad = snowflake(1000), snowflake(2000)
    build(bucket, good, log="needle")
    build(bucket, bad, log="needle")
    bucket.faults += [(f"{bad}%2Fbuild-log.txt?", 500)] * 20
    pages = list(view(bucket, http, LogSearchView, pattern="needle").pages(CancelToken()))
    assert [row for page in pages for row in page.frame["build"]] == [good]
    assert any("could not be searched" in page.note for page in pages)


texts = st.binary(max_size=300) | st.text("ab\n\r\x1bé", max_size=200).map(str.encode)


@given(st.lists(texts, max_size=6))
def test_windows_are_the_lines_of_the_log_whatever_the_pieces(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    found = [line for window in split_windows(pieces) for line in window.raw.removesuffix(b"\n").split(b"\n")]
    wanted = whole[:-1].split(b"\n") if whole.endswith(b"\n") else whole.split(b"\n") if whole else []
    assert found == wanted


def test_numbers_go_on_over_windows_and_through_a_line_without_end() -> None:
    pieces = [b"a\n" * 300_000, b"x" * (3 << 20), b"\nlast\n"]
    made = list(split_windows(iter(pieces)))
    assert made[-1].raw.endswith(b"\nlast\n")
    assert made[-1].first + made[-1].raw.count(b"\n") - 1 == 300_002


# ---- logs


@given(st.lists(st.text(" \n\tab\u00e9", max_size=40).map(str.encode), max_size=8))
def test_counts_do_not_depend_on_the_pieces(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    found = measure_text(pieces)
    lines = whole.split(b"\n")
    assert found.bytes == len(whole) and found.words == len(whole.split())
    assert found.lines == len(lines) - (lines[-1] == b"") and found.longest == max(map(len, lines))


def test_counts_are_those_of_wc(tmp_path: Path) -> None:
    text = b"one two\n\n three\tfour  \nfive six seven\n" * 1000
    (tmp_path / "log").write_bytes(text)
    told = subprocess.run(["wc", "-lwc", str(tmp_path / "log")], capture_output=True, text=True, check=True).stdout
    found = measure_text([text[:777], text[777:]])
    assert [found.lines, found.words, found.bytes] == [int(one) for one in told.split()[:3]]


def test_log_statistics_have_a_row_for_builds_without_a_log(bucket: Bucket, http: Http) -> None:
    with_log, without = snowflake(2 * DAY), snowflake(3 * DAY)
    build(bucket, with_log, log="a b\nc\n", packed=True)
    build(bucket, without, leave_out=("build-log.txt",))
    by = {row["build"]: row for row in rows(view(bucket, http, LogStatisticsView))}
    assert [by[with_log][name] for name in ("bytes", "lines", "words", "longest")] == [6, 2, 3, 3]
    assert by[without]["note"] == "has no log" and by[without]["bytes"] is None


def test_logs_and_builds_that_cannot_be_read_are_said_and_not_only_left_empty(bucket: Bucket, http: Http) -> None:
    folder = build(bucket, snowflake(2 * DAY), result="FAILURE")
    build(bucket, snowflake(3 * DAY), result="FAILURE")
    bucket.faults += [(f"{folder.split('/')[-2]}%2Ffinished.json", 403)] * 20
    found = read_list(view(bucket, http, FailureReasonsView), CancelToken())
    assert found.partial
    assert found.notes[0].startswith("1 of 2 builds cannot be read and is left out because: 127.0.0.1")
    bucket.faults.clear()
    bucket.faults += [(f"{folder.split('/')[-2]}%2Fbuild-log.txt", 403)] * 20
    found = read_list(view(bucket, http, LogStatisticsView), CancelToken())
    assert found.partial
    assert found.notes[0].startswith(f"1 log cannot be read, e.g. of build {folder.split('/')[-2]}: 127.0.0.1")


@pytest.mark.parametrize("file", ["podinfo.json", "artifacts%2Fjunit_1.xml", "build-log.txt"])
def test_a_reason_that_was_found_without_all_files_says_so(bucket: Bucket, http: Http, file: str) -> None:
    folder = build(bucket, snowflake(2 * DAY), result="FAILURE", log="ERROR: boom\n", artifacts=())
    bucket.put(f"{folder}artifacts/junit_1.xml", '<testsuite><testcase name="t"><failure/></testcase></testsuite>')
    number = folder.split("/")[-2]
    bucket.faults += [(f"{number}%2F{file}", 403)] * 20
    found = read_list(view(bucket, http, FailureReasonsView), CancelToken())
    assert found.partial and len(found.frame) == 1
    (note,) = found.notes
    assert note.startswith(
        f"Not all files of 1 build could be read, so the reason may be another one, e.g. of {number}:"
    )
    assert f"{number}/{file.replace('%2F', '/')} in bucket ci-logs (403)" in note


# ---- over time


def made(*builds: tuple[str, str | None, float | None, str]) -> Any:
    found = []
    for number, (state, reason, duration, day) in enumerate(builds):
        row = row_from_id(place_of(JOB, str(number + 1)))
        at = int(datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC).timestamp() * 1000)
        row.state, row.reason, row.duration, row.started = state, reason, duration, at
        found.append(row)
    return BUILDS.build(found)


def test_a_day_s_pass_rate_leaves_out_what_was_aborted_or_runs() -> None:
    table = summarize_periods(
        made(
            ("success", None, 60.0, "2026-11-19"), ("failure", None, 9.0, "2026-11-19"),
            ("aborted", None, 1.0, "2026-11-19"), ("running", None, 5.0, "2026-11-20"),
            ("success", None, 100.0, "2026-11-17"), ("error", None, None, "2026-11-17"),
            ("success", None, 200.0, "2026-11-17"),
        ),
        "day",
    )  # fmt: skip
    told = table.select("key", "builds", "pass_rate", "duration_median", "unfinished").rows()
    assert told == [
        ("2026-11-20", 1, None, None, 1),
        ("2026-11-19", 3, 50.0, 60.0, 0),
        ("2026-11-17", 3, 200 / 3, 150.0, 0),
    ]


def test_weeks_begin_on_monday_and_nothing_is_an_empty_table() -> None:
    table = summarize_periods(made(("success", None, 1.0, "2026-11-16"), ("failure", None, 1.0, "2026-11-22")), "week")
    assert table["key"].to_list() == ["2026-11-16"] and table["pass_rate"].to_list() == [50.0]
    assert summarize_periods(BUILDS.build([]), "day").is_empty() and count_reasons(BUILDS.build([])).is_empty()


def test_reasons_that_differ_in_numbers_are_one() -> None:
    table = count_reasons(
        made(
            ("error", "Pod 0f3c8a9b1d2e not scheduled after 30m.", None, "2026-11-19"),
            ("error", "Pod 1f3c8a9b1d2e not scheduled after 45m.", None, "2026-11-20"),
            ("failure", None, None, "2026-11-20"), ("success", None, None, "2026-11-20"),
        )
    )  # fmt: skip
    assert table["builds"].to_list() == [2, 1] and table["build_ids"].to_list()[0] == "2,1"
    assert table["reason"][0] == "Pod N not scheduled after Nm."


@pytest.mark.parametrize("packed", [True, False])
def test_ci_operator_s_own_reason_is_taken_from_the_end_of_its_log(bucket: Bucket, http: Http, packed: bool) -> None:
    log = "x\n" * 200_000 + "Reporting job state 'failed' with reason 'executing_graph:step_failed'\n"
    build(bucket, snowflake(2 * DAY), result="FAILURE", log=log, packed=packed, description="Job failed.")
    found = rows(view(bucket, http, FailureReasonsView))
    assert [(row["reason"], row["builds"]) for row in found] == [("executing_graph:step_failed", 1)]
    # Only of a plain log can the end be had without the rest.
    assert any("range" in headers for headers in bucket.headers) is not packed


# ---- pods


def ended(code: int, reason: str = "Error") -> dict[str, Any]:
    return {"state": {"terminated": {"exitCode": code, "reason": reason}}}


def pod(container: dict[str, Any]) -> dict[str, Any]:
    return {"podinfo.json": {"pod": {"status": {"phase": "Failed", "containerStatuses": [container]}}}}


OOM = {"name": "test", **ended(137, "OOMKilled")}
PULL = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such tag"}}, "name": "test"}


@pytest.mark.parametrize(
    ("pod", "events", "words"),
    [
        ({"phase": "Succeeded", "containerStatuses": [PULL]}, [], ""),
        ({"phase": "Pending", "containerStatuses": [PULL]}, [], "The image of test could not be pulled: no such tag"),
        (
            {"phase": "Pending"},
            [{"reason": "FailedMount", "message": "m"}],
            "A volume of the pod could not be mounted: m",
        ),
        ({"phase": "Failed"}, [{"reason": "FailedMount"}], ""),
        (
            {"phase": "Pending"},
            [{"reason": "FailedScheduling", "message": "0/5"}],
            "The pod could not be scheduled: 0/5",
        ),
        ({"phase": "Failed"}, [{"reason": "FailedSync"}], "The pod could not be synchronised."),
        (
            {"phase": "Failed", "initContainerStatuses": [{"name": "clone", "ready": False}]},
            [],
            "The init container clone did not get ready.",
        ),
        ({"phase": "Running", "containerStatuses": 3}, "x", ""),
        (
            {"phase": "Failed", "containerStatuses": [OOM, {"name": "sidecar", **ended(1)}]},
            [],
            "Out of memory: test was killed (OOMKilled).",
        ),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."},
            [],
            "The pod was evicted: The node was low on resource: memory.",
        ),
        ({"phase": "Failed", "reason": "DeadlineExceeded"}, [], "The pod ran longer than it may."),
        ({"phase": "Failed", "reason": "Odd"}, [], "The pod failed (Odd)."),
        (
            {
                "phase": "Pending",
                "containerStatuses": [{"name": "a", "state": {"waiting": {"reason": "InvalidImageName"}}}],
            },
            [],
            "The image of a could not be pulled.",
        ),
        ({"phase": "Failed", "containerStatuses": [{"name": "test", **ended(1)}]}, [], ""),
    ],
)
def test_what_became_of_the_pod_is_said_as_spyglass_says_it(pod: Any, events: Any, words: str) -> None:
    assert explain_pod({"pod": {"status": pod}, "events": events}) == words


@pytest.mark.parametrize(
    ("containers", "words"),
    [
        ([{"name": "test", **ended(1)}, {"name": "sidecar", **ended(1)}], "Container test ended with exit code 1."),
        ([{"name": "sidecar", **ended(2)}], "Container sidecar ended with exit code 2."),
        ([{"name": "a", **ended(137)}, {"name": "b", **ended(3)}, {"name": "c", **ended(0)}],
         "Container a ended with exit code 137 (killed); b ended with exit code 3."),
        ([{"name": "a", "state": {"terminated": {"exitCode": True}}}, 3, {}], ""),
    ],
)  # fmt: skip
def test_exit_codes_are_said_by_container(containers: Any, words: str) -> None:
    assert describe_exit_codes({"pod": {"status": {"containerStatuses": containers}}}) == words


OPERATOR = """<testsuites><testsuite name="step graph"><testcase name="Find the input image"/>
<testcase name="Run multi-stage test e2e - ipi-install container test"><failure message="">x</failure></testcase>
<testcase name="Run multi-stage test test phase"><failure message="">x</failure></testcase></testsuite></testsuites>"""
SUITE = """<testsuite><testcase name="one"><failure/></testcase><testcase name="two"><failure/></testcase>
<testcase name="flaky"><failure/></testcase><testcase name="flaky"/></testsuite>"""


@pytest.mark.parametrize(
    ("files", "log", "reason"),
    [
        (pod(OOM), "error: x\n", "Out of memory: test was killed (OOMKilled)."),
        (pod({"name": "test", **ended(2)}), "all is well\n", "Container test ended with exit code 2."),
        ({"artifacts/junit_operator.xml": OPERATOR}, "no words\n", "step e2e/ipi-install failed"),
        ({"artifacts/junit_operator.xml": OPERATOR}, "Reporting job state 'failed' with reason 'executing_graph'\n",
         "step e2e/ipi-install failed (executing_graph)"),
        ({"artifacts/junit_01.xml": SUITE}, "\n", "N tests failed, the first: one"),
        ({}, "fine\nerror: no such host\nend\n", "in the log: error: no such host"),
        ({}, "fine\n", "Job failed."),
    ],
    ids=["oom", "exit code", "step", "reason and step", "tests", "log", "nothing"],
)  # fmt: skip
@pytest.mark.parametrize("packed", [True, False])
def test_a_reason_is_taken_from_whatever_file_has_one(
    bucket: Bucket, http: Http, files: dict[str, Any], log: str, reason: str, packed: bool
) -> None:
    folder = build(bucket, snowflake(2 * DAY), result="FAILURE", description="Job failed.", log=log, packed=packed)
    for name, content in files.items():
        bucket.put(folder + name, content)
    assert [row["reason"] for row in rows(view(bucket, http, FailureReasonsView))] == [reason]


def test_a_reason_is_found_in_the_log_of_any_container(bucket: Bucket, http: Http) -> None:
    folder = build(bucket, snowflake(2 * DAY), result="FAILURE", description="", leave_out=("build-log.txt",))
    bucket.put(f"{folder}test-build-log.txt", "fine\n")
    bucket.put(f"{folder}other-build-log.txt", "Reporting job state 'failed' with reason 'other'\n")
    assert [row["reason"] for row in rows(view(bucket, http, FailureReasonsView))] == ["other"]


def test_a_build_without_a_log_is_explained_by_its_pod(bucket: Bucket, http: Http) -> None:
    folder = build(
        bucket, snowflake(2 * DAY), result="FAILURE", description="Job failed.", leave_out=("build-log.txt",)
    )
    bucket.put(f"{folder}podinfo.json", {"pod": {"status": {"phase": "Pending", "containerStatuses": [PULL]}}})
    (row,) = rows(view(bucket, http, FailureReasonsView))
    assert row["reason"] == "The image of test could not be pulled: no such tag"


# ---- events


EVENT = {
    "reason": "FailedMount", "type": "Warning", "message": "no volume", "count": 3,
    "involvedObject": {"kind": "Pod", "name": "p", "namespace": "n"},
    "firstTimestamp": "2026-11-20T10:00:00Z", "lastTimestamp": "2026-11-20T10:05:00Z",
    "source": {"component": "kubelet"},
}  # fmt: skip


@pytest.mark.parametrize("around", ['{{"items": [{}]}}', '{{"pod": {{}}, "events": [{}], "node": null}}', "[{}]"])
def test_events_of_every_file_that_has_them(around: str) -> None:
    import json

    frame = parse_events(around.format(json.dumps(EVENT)).encode())
    told = frame.select("type", "reason", "object", "message", "count", "source", "namespace").row(0)
    assert told == ("Warning", "FailedMount", "Pod p", "no volume", 3, "kubelet", "n")
    assert frame["last"][0] == datetime(2026, 11, 20, 10, 5, tzinfo=UTC)


@pytest.mark.parametrize("content", [b"", b"{", b"3", b"{}", b'{"items": 3}', b"\xff"])
def test_what_holds_no_events_says_so(content: bytes) -> None:
    with pytest.raises(AppError):
        parse_events(content)


def test_damaged_events_keep_what_can_be_read() -> None:
    content = (
        b'[null, 3, {"reason": 5, "count": "x", "lastTimestamp": "soon"}, {"eventTime": "2026-11-20T10:00:00.5Z"}]'
    )
    frame = parse_events(content)
    assert frame.height == 4 and frame["last"].null_count() == 3


# ---- many questions at once


def test_stopping_ends_a_hundred_questions(bucket: Bucket, http: Http) -> None:
    for number in range(300):
        bucket.put(f"{JOB}{snowflake(number * 1000 + 100)}/artifacts/x", "")
    bucket.latency = 0.02
    cancel = CancelToken()
    resource = view(bucket, http, CompletenessView)
    pages = resource.pages(cancel)
    next(pages)
    cancel.cancel()
    with pytest.raises(OperationCancelledError):
        list(pages)
    assert len(bucket.asked) < 500


def test_numbers_in_reasons() -> None:
    from backends.prow.failure_reasons import replace_numbers

    assert replace_numbers("exit code 137 after 12s in 0f3c8a9b1d2e") == "exit code 137 after Ns in N"


@pytest.mark.parametrize("kind", [LogSearchView, TrendsView, FailureReasonsView, JUnitView, JUnitMatrixView])
def test_a_server_that_fails_is_not_an_empty_list(bucket: Bucket, http: Http, kind: type[ProwView]) -> None:
    builds = tuple(snowflake(number * 1000 + 100) for number in range(3))
    resource = opened(bucket, http, kind(NAME, JOB, builds).text())
    bucket.private = True
    with pytest.raises(AppError):
        rows(resource)


def test_a_part_of_a_list_does_not_stand_for_all_of_it(bucket: Bucket, http: Http) -> None:
    from backends.prow.builds import BuildList
    from tests.prow.making import archive

    for number in range(6):
        build(bucket, snowflake((number + 1) * 30 * DAY))
    place = archive(bucket, http)
    assert len(rows(BuildList(ProwPath(NAME, JOB), place, complete=False))) == 6
    assert len(rows(BuildList(ProwPath(NAME, JOB), place, count=1, complete=False))) == 1
    bucket.faults += [("/o?", 500)] * 50
    assert len(rows(BuildList(ProwPath(NAME, JOB), place, complete=False))) == 6


def test_a_found_line_is_shown_with_what_stands_around_it(bucket: Bucket, http: Http) -> None:
    build(bucket, snowflake(1000), log="one\ntwo\nneedle here\nfour\nfive\nsix\n")
    resource = view(bucket, http, LogSearchView, pattern="needle")
    (row,) = rows(resource)
    sections = {title: [text for _, text in lines] for title, lines in resource.detail(row).sections}
    assert (sections["Before"], sections["Text"], sections["After"]) == (
        ["one", "two"], ["needle here"], ["four", "five"],
    )  # fmt: skip


def test_every_list_says_all_of_a_row_beside_it(bucket: Bucket, http: Http) -> None:
    build(bucket, snowflake(1000), result="FAILURE", description="Pod scheduling timeout. " * 9)
    for kind in (CompletenessView, MissingFilesView, TrendsView, FailureReasonsView, LogStatisticsView):
        resource = view(bucket, http, kind)
        (_, told), *_ = resource.detail(rows(resource)[0]).sections
        assert len(told) > 3, kind
    count_reasons = view(bucket, http, FailureReasonsView)
    assert "timeout. Pod" in dict(count_reasons.detail(rows(count_reasons)[0]).sections[0][1])["Reason"]


def test_builds_that_never_ended_are_told_with_their_hours(bucket: Bucket, http: Http) -> None:
    build(bucket, snowflake(3 * 86400), result=None, leave_out=("prowjob.json",))
    assert [row["reason"] for row in rows(view(bucket, http, FailureReasonsView))] == [
        "did not complete within 24 hours"
    ]


def test_what_stands_around_a_found_line_does_not_end_with_a_piece_of_the_log(
    bucket: Bucket, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backends.prow.logs.MAX_FILE_MATCHES", 10_000)
    monkeypatch.setattr("backends.prow.logs.WINDOW_BYTES", 1000)
    lines = [f"line {number} {'.' * 90}" for number in range(4000)]
    build(bucket, snowflake(1000), log="\n".join(lines))
    found = rows(view(bucket, http, LogSearchView, pattern="line"))
    assert len(found) == 4000
    for at, row in enumerate(found):
        assert (row["before"] or "").split("\n") == (lines[max(at - 2, 0) : at] or [""])
        assert (row["after"] or "").split("\n") == (lines[at + 1 : at + 3] or [""])


def test_the_events_of_a_build_are_found_wherever_its_files_are(bucket: Bucket, http: Http) -> None:
    one = snowflake(DAY)
    folder = build(bucket, one)
    bucket.put(f"{folder}podinfo.json", {"pod": {}, "events": [EVENT]})
    later = {**EVENT, "reason": "Later", "lastTimestamp": "2026-11-20T11:00:00Z"}
    bucket.put(f"{folder}artifacts/build-resources/events.json", {"items": [later]}, packed=True)
    seen = {"level": "Info", "locator": "ns/a pod/b", "message": "m", "from": "2026-11-20T10:06:00Z", "to": None}
    parts = {
        "level": "Error", "locator": {"type": "Pod", "keys": {"pod": "b", "namespace": "n"}}, "source": "PodMonitor",
        "message": {"reason": "Killing", "humanMessage": "stopped"}, "from": "2026-11-20T10:07:00Z",
        "to": "2026-11-20T10:08:00Z",
    }  # fmt: skip
    bucket.put(f"{folder}artifacts/e2e/gather-extra/artifacts/events.json", {"items": [EVENT]})
    bucket.put(
        f"{folder}artifacts/e2e/openshift-e2e-test/artifacts/junit/e2e-events_2026.json", {"items": [seen, parts]}
    )
    found = rows(opened(bucket, http, EventsView(NAME, JOB, (one,)).text()))
    by_time = sorted(found, key=lambda row: row["order"])
    assert [row["reason"] for row in by_time] == ["FailedMount", "FailedMount", None, "Killing", "Later"]
    assert [row["object"] for row in by_time[2:4]] == ["ns/a pod/b", "namespace/n pod/b"]
    assert {row["file"].rpartition("/")[2] for row in found} == {"podinfo.json", "events.json", "e2e-events_2026.json"}
    assert {row["build"] for row in found} == {one}


def test_events_of_all_builds_of_a_job_say_whose_they_are_and_a_damaged_file_is_told(
    bucket: Bucket, http: Http
) -> None:
    builds = [snowflake((number + 1) * DAY) for number in range(3)]
    for number, one in enumerate(builds):
        bucket.put(f"{build(bucket, one)}artifacts/build-resources/events.json", {"items": [EVENT]} if number else "{")
    resource = opened(bucket, http, EventsView(NAME, JOB).text())
    assert next(iter(resource.schema)).name == "build"
    pages = list(resource.pages(CancelToken()))
    shown = [row for page in pages for row in page.frame.sort("order").iter_rows(named=True)]
    assert sorted(row["build"] for row in shown) == sorted(builds[1:])
    assert pages[-1].note.startswith("1 file or build cannot be read, e.g. artifacts/build-resources/events.json")
    assert pages[-1].partial
