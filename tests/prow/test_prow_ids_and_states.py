"""What a user would lose: the right order and date of builds, and the right word for how one ended."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.prow import build_reader
from backends.prow.build_reader import parse_object, state_of

NOW = 1_700_000_000_000.0
HOUR = 3600


def test_a_real_id_has_its_date() -> None:
    assert build_reader.created_ms("1378441280396201984", NOW) == 1_617_480_986_104


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "42",
        "189489678293716582",
        "9999999999999999999",
        "99999999999999999999",
        "1378441280396197888",
        "",
        "1e5",
        "²",
    ],
)
def test_counters_truncated_ids_and_other_nodes_have_no_date(text: str) -> None:
    """189489678293716582 stood in a real latest-build.txt: 18 digits of a truncated id, months away."""
    at = build_reader.created_ms(text, time.time() * 1000)
    assert at is None or (text == "189489678293716582" and at < 1_400_000_000_000)


def test_counters_sort_by_number_and_snowflakes_above_them() -> None:
    ids = ["2", "10", "9", "1378441280396201984", "999999999999999999"]
    assert sorted(ids, key=build_reader.sort_key) == ["2", "9", "10", "999999999999999999", "1378441280396201984"]


@given(st.text("0123456789", min_size=1, max_size=20), st.floats(1.6e12, 1.9e12))
def test_every_id_lies_in_exactly_one_window(build: str, now: float) -> None:
    inside = [
        (low, high)
        for low, high in build_reader.id_windows(None, now)
        if (not low or build >= low) and (not high or build < high)
    ]
    assert len(inside) == 1


@given(st.integers(1_500_000_000_000, 1_900_000_000_000), st.integers(0, 4095))
def test_a_moment_s_first_id_is_not_above_the_ids_of_that_moment(ms: int, step: int) -> None:
    number = (ms - build_reader.EPOCH_MS) << 22 | 1 << 12 | step
    assert int(build_reader.first_id_at(ms)) <= number < int(build_reader.first_id_at(ms + 1))
    assert build_reader.created_ms(str(number), 1_900_000_000_000) == ms


STARTED = {"timestamp": NOW / 1000 - HOUR}
OLD = {"timestamp": NOW / 1000 - 30 * HOUR}
CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("success", STARTED, {"timestamp": 1, "passed": True, "result": "SUCCESS"}, {}),
    ("failure", STARTED, {"timestamp": 1, "passed": False, "result": "FAILURE"}, {}),
    ("aborted", STARTED, {"timestamp": 1, "passed": False, "result": "ABORTED"}, {}),
    # crier writes the ProwJob's word in lower case, and only it knows "error"
    ("error", STARTED, {"timestamp": 1, "passed": False, "result": "error"}, {}),
    ("success", STARTED, {"timestamp": 1, "passed": None, "result": "SUCCESS"}, {}),
    ("success", STARTED, {"timestamp": 1, "result": "success"}, {}),
    ("failure", STARTED, {"timestamp": 1, "passed": False, "result": "SUCCESS"}, {}),
    ("success", STARTED, {"timestamp": 1, "passed": True, "result": "FAILURE"}, {}),
    ("aborted", STARTED, {"timestamp": 1, "passed": False}, {"status": {"state": "aborted"}}),
    ("failure", STARTED, {"timestamp": 1, "passed": False}, {}),
    ("error", STARTED, {}, {"status": {"state": "error"}}),
    ("aborted", {}, {}, {"status": {"state": "aborted", "completionTime": "2026-11-20T10:00:00Z"}}),
    ("running", STARTED, {}, {"status": {"state": "pending"}}),
    ("running", STARTED, {}, {}),
    ("incomplete", OLD, {}, {"status": {"state": "pending"}}),
    ("incomplete", OLD, {}, {}),
    ("triggered", {}, {}, {"status": {"state": "triggered"}}),
    ("scheduling", {}, {}, {"status": {"state": "scheduling"}}),
    ("unknown", {}, {}, {}),
    # finished.json without a time is "incomplete" upstream: the other files decide
    ("running", STARTED, {"timestamp": None, "passed": True}, {}),
    ("failure", STARTED, {"timestamp": None, "passed": True}, {"status": {"state": "failure"}}),
    ("running", {"timestamp": NOW / 1000 - HOUR, "Pending": True}, {"timestamp": "soon"}, {}),
]


@pytest.mark.parametrize(("state", "started", "finished", "prowjob"), CASES)
def test_state_follows_the_rules_of_prow_s_own_readers(
    state: str, started: dict[str, Any], finished: dict[str, Any], prowjob: dict[str, Any]
) -> None:
    names = ["started.json"] if started else []
    assert state_of(started, finished, prowjob, names, NOW)[0] == state


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
members = st.dictionaries(
    st.sampled_from(["timestamp", "passed", "result", "status", "state", "completionTime"]), json_values, max_size=4
)


@given(members, members, members)
def test_whatever_the_files_hold_there_is_a_word_for_it(
    started: dict[str, Any], finished: dict[str, Any], prowjob: dict[str, Any]
) -> None:
    state, _ = state_of(started, finished, prowjob, ["finished.json"], NOW)
    assert state and state == state.lower()


@given(st.binary(max_size=40))
def test_bytes_that_are_no_object_are_an_empty_one(content: bytes) -> None:
    assert isinstance(parse_object(content), dict)
    assert parse_object(b"[" * 100_000) == {} and parse_object(b"[1]") == {} and parse_object(None) == {}
