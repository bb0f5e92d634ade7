"""What the harnesses' summaries hold is listed, all of it, whatever is broken beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.failures.junit_failures import junit_failures
from backends.failures.records import MAX_TEXT, Failure
from backends.failures.summaries import (
    is_errorsummary,
    is_test_summary,
    read_errorsummary,
    read_test_summary,
    split_lines,
)


def lines(*events: object) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def summary(*events: object) -> list[Failure]:
    return read_test_summary([lines(*events)], "summary.jsonl").failures


def start(test: str, **more: object) -> dict[str, object]:
    return {"action": "test_start", "test": test, "time": 1_795_160_000_000, **more}


def end(test: str, status: str = "OK", **more: object) -> dict[str, object]:
    return {"action": "test_end", "test": test, "status": status, **more}


def sub(test: str, subtest: str, **more: object) -> dict[str, object]:
    return {"action": "test_status", "test": test, "subtest": subtest, "status": "FAIL", **more}


# ---- the recorded files ----------------------------------------------------------------------------------------------


def read_plainly(path: Path) -> list[tuple[str, str, str, str]]:
    """(test, status, subtest, message) by the rules in words, line by line."""
    found, groups, listed = [], [], set()
    for line in path.read_text("utf-8").splitlines():
        event = json.loads(line)
        if event["action"] in ("test_result", "test_status", "test_end"):
            if event.get("expected") not in (None, "", event["status"]):
                row = (event["test"], event["status"], event.get("subtest") or "", event.get("message") or "")
                found.append(row)
                listed.add(event.get("group") or "")
        elif event["action"] == "crash":
            found.append((event["test"] or "", "CRASH", "", event["signature"]))
        elif event["action"] == "log" and event["level"] in ("ERROR", "CRITICAL"):
            found.append(("", event["level"], "", event["message"]))
        elif event["action"] == "group_result" and event["status"] in ("ERROR", "TIMEOUT", "CRASH"):
            groups.append((event["group"], event["status"]))
    return [
        *found,
        *(("", status, "", f"The group ended with {status}.") for group, status in groups if group not in listed),
    ]


def test_every_failure_of_the_recorded_summaries_is_listed(samples: Path) -> None:
    count = 0
    paths = sorted((samples / "failures").glob("*errorsummary*.log"))
    assert paths
    for path in paths:
        result = read_errorsummary([path.read_bytes()], path.name)
        found = [(one.test, one.status, one.subtest, one.message) for one in result.failures]
        assert sorted(found) == sorted(read_plainly(path)), path.name
        assert not result.broken
        count += len(found)
    assert count >= 18


def test_every_failure_of_the_recorded_junit_files_is_listed(samples: Path) -> None:
    from xml.etree import ElementTree

    compared = 0
    for path in sorted((samples / "prow" / "junit").rglob("*.xml")):
        try:
            root = ElementTree.parse(path).getroot()
        except ElementTree.ParseError:
            continue
        expected = sorted(
            case.get("name") or ""
            for case in root.iter("testcase")
            if any(case.find(tag) is not None for tag in ("failure", "error")) and case.find("skipped") is None
        )
        found = junit_failures([path.read_bytes()], path.name).failures
        assert sorted(one.test for one in found) == expected, path.name
        compared += len(expected)
    assert compared


# ---- errorsummary ----------------------------------------------------------------------------------------------------


def test_names_of_the_files() -> None:
    assert is_errorsummary("public/test_info/mochitest_errorsummary.log") and not is_errorsummary("public/error.log")
    assert is_test_summary("public/test_info/summary.jsonl") and is_test_summary("a/reftest_testsummary.jsonl")
    assert not is_test_summary("public/other-summary.jsonl")


def test_what_is_expected_or_known_is_told_apart() -> None:
    base = {"action": "test_result", "test": "a.js", "group": "g", "message": "m", "subtest": None}
    found = read_errorsummary(
        [
            lines(
                {**base, "status": "FAIL", "expected": "FAIL"},
                {**base, "status": "FAIL"},
                {**base, "status": "FAIL", "expected": "PASS", "known_intermittent": ["FAIL"]},
                {**base, "status": "PASS", "expected": "FAIL", "known_intermittent": None},
                {"action": "of tomorrow", "status": "FAIL", "expected": "PASS"},
            )
        ],
        "x",
    ).failures
    assert [(one.status, one.known) for one in found] == [("FAIL", True), ("PASS", False)]


def test_a_crash_and_a_harness_error_are_failures() -> None:
    result = read_errorsummary(
        [
            lines(
                {"action": "crash", "signature": "@ mozilla::Foo", "test": None},
                {"action": "log", "level": "CRITICAL", "message": "no tests"},
                {"action": "log", "level": "INFO", "message": "fine"},
            )
        ],
        "x",
    )
    assert [(one.status, one.message) for one in result.failures] == [
        ("CRASH", "@ mozilla::Foo"),
        ("CRITICAL", "no tests"),
    ]


def test_a_group_that_failed_is_listed_where_nothing_of_it_is() -> None:
    failure = {"action": "test_result", "test": "a", "group": "g1", "status": "FAIL", "expected": "PASS"}
    groups = [{"action": "group_result", "group": group, "status": "ERROR"} for group in ("g1", "g2")]
    found = read_errorsummary([lines(failure, *groups)], "x").failures
    assert [(one.test, one.group) for one in found] == [("a", "g1"), ("", "g2")]


def test_broken_lines_are_counted_and_the_others_count() -> None:
    good = lines({"action": "test_result", "test": "a", "status": "FAIL", "expected": "PASS"})
    result = read_errorsummary([b'{"action": "test_re\n' + good + b'[1]\n"x"\n\x00\xff\n{}\n' + good], "x")
    assert len(result.failures) == 2 and result.broken == 5
    assert result.first_broken == "line 1: it is not JSON"
    assert not result.is_other_kind
    assert read_errorsummary([b"02:47:22 INFO - hello\n" * 3], "x").is_other_kind
    assert not read_errorsummary([b""], "x").is_other_kind


# ---- summary.jsonl ---------------------------------------------------------------------------------------------------


def test_a_failing_test_shows_its_unexpected_subtests_else_its_own_message() -> None:
    found = summary(
        {"action": "group_start", "name": "g"},
        start("a"),
        sub("a", "one", message="m1", expected="PASS"),
        sub("a", "two", message="known"),
        end("a", "ERROR", expected="OK", message="own"),
        start("b"),
        end("b", "TIMEOUT", expected="OK", message="own of b"),
        start("c"),
        end("c"),
    )
    assert [(one.test, one.subtest, one.message, one.group) for one in found] == [
        ("a", "one", "m1", "g"),
        ("b", "", "own of b", "g"),
    ]


def test_a_test_without_an_end_crashed() -> None:
    found = summary(start("a", group="g"), start("b"), end("b"))
    assert [(one.test, one.status, one.message, one.group) for one in found] == [("a", "CRASH", "never finished", "g")]


def test_runs_of_a_test_pair_up_and_the_last_one_decides() -> None:
    fail = {"expected": "OK", "message": "m"}
    found = summary(start("a"), end("a", "FAIL", **fail), start("a"), end("a"))
    assert [one.retried for one in found] == ["passed"]
    found = summary(start("a"), end("a", "FAIL", **fail), start("a"), end("a", "FAIL", **fail))
    assert [one.retried for one in found] == ["failed again", "failed again"]
    found = summary(start("a"), start("a"), end("a", "FAIL", **fail), end("a"))  # in parallel: first in, first out
    assert len(found) == 1


def test_a_crash_belongs_to_the_test_that_runs() -> None:
    crash = {"action": "crash", "test": "a", "signature": "@ f"}
    found = summary(start("a", group="g"), crash, end("a", "CRASH", expected="OK"))
    assert [(one.status, one.message, one.group) for one in found] == [("CRASH", "@ f", "g")]
    assert [one.message for one in summary(crash)] == ["@ f"]


def test_an_event_without_a_group_belongs_to_the_group_opened_last() -> None:
    found = summary(
        {"action": "group_start", "name": "outer"},
        {"action": "group_start", "name": "inner"},
        {"action": "group_end", "name": "inner"},
        start("a"),
        end("a", "FAIL", expected="OK"),
    )
    assert [one.group for one in found] == ["outer"]


# ---- hostile files ---------------------------------------------------------------------------------------------------

_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_EVENT = st.dictionaries(
    st.sampled_from([
        "action", "test", "status", "expected", "message", "subtest", "group", "name", "time", "known_intermittent",
        "signature", "level",
    ]),
    st.sampled_from(["test_start", "test_end", "test_status", "crash", "log", "group_start", "FAIL", "a"]) | _VALUE,
)  # fmt: skip


@given(st.lists(_EVENT, max_size=12), st.binary(max_size=50))
def test_no_content_breaks_a_reader(events: list[dict[str, object]], rubbish: bytes) -> None:
    content = lines(*events) + rubbish
    for read in (read_errorsummary, read_test_summary):
        for one in read([content], "x").failures:
            assert len(one.message) <= MAX_TEXT + 100
            "".join((one.test, one.status, one.message, one.subtest, one.group)).encode()


@given(st.binary(max_size=300), st.integers(1, 50))
def test_lines_are_the_same_in_whatever_pieces_they_come(content: bytes, size: int) -> None:
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    expected = content.split(b"\n")
    assert list(split_lines(pieces)) == (expected if expected[-1] else expected[:-1])


def test_a_line_longer_than_the_limit_is_passed_over_and_never_held() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"a\n"
        for _ in range(100):
            yield b"x" * 50
        yield b"\nb\n"

    assert list(split_lines(pieces(), limit=1_000)) == [b"a", None, b"b"]


def test_control_characters_and_lone_surrogates_are_kept_as_far_as_a_frame_can_hold_them() -> None:
    import polars as pl

    raw = b'{"action":"test_result","test":"a\\u0000b","status":"F","expected":"P","message":"\\u001b[31m \\ud800"}\n'
    [failure] = read_errorsummary([raw], "x").failures
    assert failure.test == "a\x00b" and failure.message.startswith("\x1b[31m ")
    assert pl.Series([failure.message]).str.len_bytes().item() > 0


def test_a_message_of_ten_megabytes_is_cut_and_says_so() -> None:
    [failure] = read_errorsummary(
        [lines({"action": "test_result", "test": "a", "status": "F", "expected": "P", "message": "x" * (10 << 20)})],
        "x",
    ).failures
    assert len(failure.message) < MAX_TEXT + 100 and failure.message.endswith("characters more)")


def test_two_hundred_thousand_failures_of_one_task_are_all_listed() -> None:
    line = lines({"action": "test_result", "test": "a", "status": "FAIL", "expected": "PASS", "message": "m"})
    assert len(read_errorsummary((line for _ in range(200_000)), "x").failures) == 200_000


def test_a_summary_of_100_mb_is_read_without_being_held() -> None:
    import tracemalloc

    passed = lines(start("a" * 200), end("a" * 200)) * 500

    def pieces() -> Iterator[bytes]:
        for _ in range((100 << 20) // len(passed)):
            yield passed
        yield lines(start("b"), end("b", "FAIL", expected="OK", message="the last"))

    tracemalloc.start()
    try:
        failures = read_test_summary(pieces(), "x").failures
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [one.message for one in failures] == ["the last"]
    assert peak < 20 << 20


@pytest.mark.parametrize("text", ["", "\n\n\n", "{}\n"])
def test_an_empty_summary_has_no_failures(text: str) -> None:
    assert read_test_summary([text.encode()], "x").failures == []
