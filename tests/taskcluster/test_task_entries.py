"""Reading tasks of any shape: an odd task costs at most itself."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from backends.http.response import Response
from backends.lenient_json import lenient
from backends.taskcluster.client import TASKS_ENVELOPE as ENVELOPE
from backends.taskcluster.client import NotTaskclusterError, decode_page, split_entries, token_text
from backends.taskcluster.models import ArtifactEntry, TaskEntry
from backends.taskcluster.task_rows import LISTED_TASKS, TASKS, count_retriggers, decode_rows
from tests.taskcluster.fake_queue import entry, task_id

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(["2026-11-20T10:00:00Z", "2026-11-20T10:00:00+02:00", "99999-01-01T00:00:00.000Z", "1", "\ud800"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(path for key, one in inner for path in paths(one, (*here, key)))]


def whole_entry(number: int) -> dict[str, Any]:
    """An entry with every member that is read."""
    one = entry(
        number,
        extra={
            "suite": {"name": "mochitest", "flavor": "plain"},
            "chunks": {"current": 3, "total": 16},
            "treeherder": {
                "tier": 1, "symbol": "3", "groupSymbol": "M", "machine": {"platform": "linux"},
                "collection": {"opt": True},
            },
            "treeherder-platform": "linux/opt",
        },
        tags={"kind": "test", "label": "x"},
        routes=["tc-treeherder.v2.try.abc.1"],
        dependencies=["x"],
    )  # fmt: skip
    one["status"] |= {"taskQueueId": "gecko-t/t-linux", "priority": "low", "expires": "2027-01-01T00:00:00.000Z"}
    return one


PATHS = paths(whole_entry(1))


def mutated(path: tuple[Any, ...], value: Any) -> Any:
    one: Any = whole_entry(1)
    if not path:
        return value
    parent = one
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return one


def frame(entries: list[Any], text: bytes | None = None) -> Any:
    content = text if text is not None else json.dumps({"taskGroupId": "g", "tasks": entries}).encode()
    response = Response("https://tc.example/x", 200, {}, content)
    found, unread = decode_rows(split_entries(response, ENVELOPE, "tasks").tasks, "g")
    at_once, unread_at_once = decode_rows(decode_page(response, LISTED_TASKS).tasks, "g")
    assert_frame_equal(at_once, found)  # whether a page is decoded as a whole or entry by entry
    assert unread_at_once == unread
    return found


@settings(deadline=None)
@given(st.sampled_from(PATHS), values)
def test_a_task_of_any_shape_loses_no_other_task(path: tuple[Any, ...], value: Any) -> None:
    found = frame([whole_entry(0), mutated(path, value), whole_entry(2)])
    assert dict(found.schema) == TASKS.polars()
    rows = {row["task_id"]: row for row in found.iter_rows(named=True)}
    expected = {row["task_id"]: row for row in frame([whole_entry(0), whole_entry(2)]).iter_rows(named=True)}
    assert {key: rows[key] for key in expected} == expected
    if path[:1] == ("task",):
        assert task_id(1) in rows
        assert rows[task_id(1)]["duration"] == 1800.5


@settings(deadline=None)
@given(st.sampled_from([path for path in PATHS if path not in ((), ("status",), ("status", "taskId"))]), values)
def test_a_wrong_member_costs_no_more_than_what_is_made_of_it(path: tuple[Any, ...], value: Any) -> None:
    row = frame([mutated(path, value)]).row(0, named=True)
    assert row["task_id"] == task_id(1)
    if path != ("status", "state"):
        assert row["state"] == "completed"
    if path[:2] != ("task", "metadata") and path != ("task",):
        assert row["name"] == "test-linux/opt-suite-1"


def test_the_slow_reading_of_a_right_task_is_the_fast_one() -> None:
    from backends.lenient_json import lenient

    for number in range(3):
        one = whole_entry(number)
        fast = msgspec.json.decode(json.dumps(one).encode(), type=TaskEntry)
        assert lenient(TaskEntry, one) == fast


def test_numbers_in_strings_and_strings_in_numbers_are_still_shown() -> None:
    one = whole_entry(1)
    one["task"]["extra"]["chunks"] = {"current": "3", "total": "16"}
    one["task"]["extra"]["treeherder"]["tier"] = "2"
    one["task"]["tags"]["number"] = 7
    one["status"]["workerType"] = 12
    row = frame([one]).row(0, named=True)
    assert (row["chunk"], row["tier"]) == ("3/16", 2)
    assert "number=7" in row["tags"]


def test_null_runs_tags_extra_and_metadata_are_an_unscheduled_task() -> None:
    one = entry(1, tags=None, extra=None, metadata=None, routes=None, dependencies=None)
    one["status"] |= {"runs": None, "state": "unscheduled"}
    row = frame([one]).row(0, named=True)
    assert (row["state"], row["runs"], row["name"], row["duration"]) == ("unscheduled", 0, "", None)


def test_a_task_twice_on_one_page_is_one_row_with_its_later_state() -> None:
    found = frame([entry(1, state="running"), entry(2), entry(1)])
    assert dict(found.select("task_id", "state").iter_rows()) == {task_id(1): "completed", task_id(2): "completed"}


def test_a_name_of_ten_megabytes_is_cut_and_its_neighbours_stay() -> None:
    found = frame([entry(1), entry(2, metadata={"name": "x" * 10_000_000}), entry(3)])
    assert found.height == 3
    assert found["name"].str.len_chars().max() == 2000
    assert found.estimated_size() < 100_000


@pytest.mark.parametrize(
    "payload",
    [b'"\\ud800"', b"NaN", b"1e999", b"9" * 5000, b'"\xff\xfe"', b"[" * 3000 + b"]" * 3000, b'{"a": "],}[{\\""}'],
    ids=["lone-surrogate", "nan", "infinite", "huge", "not-utf8", "deep", "brackets-in-text"],
)
def test_a_payload_that_no_strict_parser_takes_loses_no_other_task(payload: bytes) -> None:
    odd = json.dumps(entry(2, payload="HERE")).encode().replace(b'"HERE"', payload)
    others = [json.dumps(entry(number)).encode() for number in (1, 3)]
    text = b'{"taskGroupId": "g", "tasks": [%s, %s , %s], "continuationToken": "next"}' % (others[0], odd, others[1])
    envelope = split_entries(Response("https://tc.example/x", 200, {}, text), ENVELOPE, "tasks")
    assert envelope.continuationToken == "next"
    assert {task_id(1), task_id(3)} <= set(decode_rows(envelope.tasks, "g")[0]["task_id"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"<!doctype html><html>", "a web page"),
        (b'{"tasks": [{"status": {"taskId": "x"', "damaged or cut off"),
        (b"", "damaged or cut off"),
        (b'{"tasks": null}', "no list of tasks"),
        (b'{"tasks": {}}', "no list of tasks"),
        (b'{"tasks": 5}', "no list of tasks"),
        (b"{}", "no “tasks”"),
        (b"[]", "no list of tasks"),
        (b"null", "no list of tasks"),
        (b"[" * 5000, "damaged or cut off"),
    ],
)
def test_what_is_no_listing_is_named_and_not_taken_for_an_empty_group(text: bytes, said: str) -> None:
    with pytest.raises(NotTaskclusterError, match=said) as raised:
        frame([], text)
    assert "root URL" in raised.value.hint


def test_times_in_other_spellings_are_read_and_impossible_ones_are_absent() -> None:
    one = entry(1)
    one["status"]["runs"][0] |= {
        "scheduled": "2026-11-20T10:00:00+00:00",
        "started": "2026-11-20T12:01:00.5+02:00",
        "resolved": "2026-11-20 10:31",
    }
    row = frame([one]).row(0, named=True)
    assert (row["queue_time"], row["duration"]) == (60.5, 1799.5)
    one["status"]["runs"][0]["resolved"] = "soon"
    assert frame([one]).row(0, named=True)["resolved"] is None


def test_clocks_that_disagree_make_no_negative_duration() -> None:
    one = entry(1)
    one["status"]["runs"][0] |= {"started": "2026-11-20T11:00:00.000Z", "scheduled": "2026-11-20T12:00:00.000Z"}
    row = frame([one]).row(0, named=True)
    assert (row["queue_time"], row["duration"]) == (None, None)


def test_an_automatically_retried_task_shows_the_run_that_ran() -> None:
    one = entry(1, state="pending")
    lost = {"state": "exception", "reasonCreated": "scheduled", "reasonResolved": "worker-shutdown"}
    lost |= {"scheduled": "2026-11-20T10:00:00.000Z", "started": "2026-11-20T10:00:10.000Z"}
    lost |= {"resolved": "2026-11-20T10:05:10.000Z"}
    one["status"]["runs"] = [
        lost,
        {"state": "pending", "reasonCreated": "retry", "scheduled": "2026-11-20T10:05:11.000Z"},
    ]
    row = frame([one]).row(0, named=True)
    assert (row["state"], row["runs"], row["retries"], row["reason"]) == ("pending", 2, 1, None)
    assert (row["queue_time"], row["duration"]) == (10.0, 300.0)
    assert row["run_states"] == "run 0: exception (worker-shutdown) · run 1: pending"


def test_true_is_not_taken_for_the_number_1() -> None:
    odd = entry(1, extra={"chunks": {"current": True, "total": True}, "treeherder": {"tier": True}})
    rows, unreadable = decode_rows([msgspec.Raw(json.dumps(odd).encode())], "")
    row = rows.row(0, named=True)
    assert unreadable == 0 and row["tier"] is None and row["chunk"] is None
    assert lenient(ArtifactEntry, {"name": "x", "contentLength": True}) == ArtifactEntry("x")
    assert lenient(ArtifactEntry, {"name": "x", "contentLength": 1}) == ArtifactEntry("x", contentLength=1)
    assert token_text(True) == token_text(None) == "" and token_text(1) == "1"


def test_retriggers_are_counted_by_label_and_numbered_by_creation() -> None:
    chance = random.Random(3)
    for size in (0, 1, 2, 40, 300):
        made = [None, *(datetime(2026, 11, day, tzinfo=UTC) for day in range(1, 20))]
        cells = {
            "task_id": chance.sample([task_id(number) for number in range(1000)], size),
            "label": [chance.choice([None, "a", "b", "c", f"alone {number}"]) for number in range(size)],
            "created": [chance.choice(made) for _ in range(size)],
        }
        frame = pl.concat([TASKS.empty(), pl.DataFrame(cells, schema_overrides=TASKS.polars())], how="diagonal")
        counted = count_retriggers(frame).rows_by_key("task_id", named=True, unique=True)
        for label in set(cells["label"]) - {None}:
            rows = [row for row in frame.iter_rows(named=True) if row["label"] == label]
            rows.sort(key=lambda row: (row["created"] is not None, row["created"], row["task_id"]))
            for number, row in enumerate(rows, 1):
                found = counted[row["task_id"]]
                assert (found["copy"], found["copies"]) == (number, len(rows))
        alone = [row for row in counted.values() if row["label"] is None]
        assert all((row["copy"], row["copies"]) == (1, 1) for row in alone)
