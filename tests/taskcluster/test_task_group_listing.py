"""Listing a task group: every task once, whatever the paging does, and the last known list when nothing answers."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import httpx
import polars as pl
import pytest

from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.http import Http, Identity, Mode
from backends.http.errors import AccessDeniedError, HttpError, NotFoundError
from backends.http.response import ResponseSource
from backends.taskcluster.locators import Task, TaskArtifacts, TaskGroup
from backends.taskcluster.tasks import GroupTaskList
from tests.taskcluster.fake_queue import (
    GROUP,
    ROOT,
    FakeQueue,
    entry,
    listed,
    not_found,
    open_list,
    reply,
    shown,
    task_id,
)

PAST = "2026-01-01T00:00:00.000Z"
FUTURE = "2999-01-01T00:00:00.000Z"


def tasks_of(http: Http) -> GroupTaskList:
    return open_list(TaskGroup(GROUP, ROOT), http, ROOT)


def test_all_pages_are_shown_and_the_first_before_the_second_is_read(queue: FakeQueue) -> None:
    queue.group([[entry(1), entry(2)], [], [entry(3)]])
    pages = tasks_of(queue.http()).pages(CancelToken())
    first = next(pages)
    assert first.frame["task_id"].to_list() == [task_id(1), task_id(2)]
    assert not first.replace
    assert shown([first, *pages]).keys() == {task_id(1), task_id(2), task_id(3)}
    assert "limit=1000" in queue.asked[0]


def test_a_full_looking_answer_without_a_token_is_the_end_and_an_empty_one_with_a_token_is_not(
    queue: FakeQueue,
) -> None:
    queue.group([[], [], [entry(1)]])
    assert shown(listed(tasks_of(queue.http()))).keys() == {task_id(1)}
    assert len(queue.asked) == 3


def test_an_empty_group_is_an_empty_list_that_is_soon_looked_at_again(queue: FakeQueue) -> None:
    queue.group([[]])
    resource = tasks_of(queue.http())
    assert shown(listed(resource)) == {}
    assert resource.resting_seconds == 0  # it is new: its first tasks may come any moment


def test_a_token_that_comes_again_ends_the_listing_and_is_told(queue: FakeQueue, tmp_path: Path) -> None:
    page = {"taskGroupId": GROUP, "tasks": [entry(1)], "continuationToken": "same"}
    queue.answers[f"/api/queue/v1/task-group/{GROUP}/list"] = page
    pages = listed(tasks_of(queue.http(tmp_path)))
    assert shown(pages).keys() == {task_id(1)}
    assert "repeated a page token" in pages[-1].note and pages[-1].partial  # a command that lists it ends with 1
    assert len(queue.asked) == 2
    queue.down = True
    with pytest.raises(HttpError):  # half a listing is not kept as the group's last known one
        listed(tasks_of(queue.http(tmp_path)))


def test_the_page_that_a_body_only_seems_to_name_is_dropped_for_the_one_that_it_names(queue: FakeQueue) -> None:
    pages = {
        "": b'{"tasks": [%s], "continuationToken": "1", "x": {"continuationToken": "2"}}',
        "1": b'{"tasks": [%s], "x": {"continuationToken": "2"}}',
        "2": b'{"tasks": [%s]}',
    }

    def page(request: httpx.Request) -> httpx.Response:
        token = request.url.params.get("continuationToken", "")
        return httpx.Response(200, content=pages[token] % json.dumps(entry(int(token or 0))).encode())

    queue.answers[f"/api/queue/v1/task-group/{GROUP}/list"] = page
    assert shown(listed(tasks_of(queue.http()))).keys() == {task_id(0), task_id(1)}


def test_pages_before_one_that_fails_are_shown(queue: FakeQueue) -> None:
    queue.group([[entry(1)], [entry(2)], []])
    good = queue.answers[f"/api/queue/v1/task-group/{GROUP}/list"]

    def page(request: httpx.Request) -> httpx.Response:
        return not_found() if request.url.params.get("continuationToken") == "2" else good(request)

    queue.answers[f"/api/queue/v1/task-group/{GROUP}/list"] = page
    pages = tasks_of(queue.http()).pages(CancelToken())
    assert [next(pages).frame["task_id"].to_list() for _ in range(2)] == [[task_id(1)], [task_id(2)]]
    with pytest.raises(NotFoundError):
        next(pages)


def test_never_more_than_one_page_is_fetched_ahead(queue: FakeQueue) -> None:
    queue.group([[entry(number)] for number in range(5)])
    pages = tasks_of(queue.http()).pages(CancelToken())
    for shown_pages in range(1, 4):
        next(pages)
        time.sleep(0.05)
        assert len(queue.asked) <= shown_pages + 1


def test_a_page_too_large_is_asked_for_in_parts(queue: FakeQueue) -> None:
    large = entry(1, payload={"x": " " * (9 << 20)})

    def page(request: httpx.Request) -> httpx.Response:
        start, limit = int(request.url.params.get("continuationToken", "0")), int(request.url.params["limit"])
        token = {"continuationToken": str(start + 50)} if limit == 50 and start < 50 else {}
        body = {"tasks": [large if limit == 1000 else entry(start)], **token}
        packed = gzip.compress(json.dumps(body).encode(), 1 if limit == 50 else 9)
        return httpx.Response(200, content=packed, headers={"content-encoding": "gzip"})

    queue.answers[f"/api/queue/v1/task-group/{GROUP}/list"] = page
    assert shown(listed(tasks_of(queue.http()))).keys() == {task_id(0), task_id(50)}
    assert ["limit=1000" in one for one in queue.asked] == [True, False, False]


def test_a_server_that_sends_empty_pages_for_ever_is_left(queue: FakeQueue) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params.get("continuationToken", "0"))
        return reply({"taskGroupId": GROUP, "tasks": [] if number else [entry(1)], "continuationToken": number + 1})

    queue.answers[f"/api/queue/v1/task-group/{GROUP}/list"] = page
    pages = listed(tasks_of(queue.http()))
    assert shown(pages).keys() == {task_id(1)}
    assert "empty pages" in pages[-1].note and pages[-1].partial


def test_a_token_too_long_to_be_sent_back_ends_the_listing_with_a_note(queue: FakeQueue) -> None:
    page = {"taskGroupId": GROUP, "tasks": [entry(1)], "continuationToken": "x" * 1_000_000}
    queue.answers[f"/api/queue/v1/task-group/{GROUP}/list"] = page
    pages = listed(tasks_of(queue.http()))
    assert shown(pages).keys() == {task_id(1)}
    assert "incomplete" in pages[-1].note


def test_a_task_that_comes_on_two_pages_is_one_row_and_the_user_hears_of_it(queue: FakeQueue) -> None:
    queue.group([[entry(1, state="running"), entry(2)], [entry(1), entry(3)]])
    pages = listed(tasks_of(queue.http()))
    rows = shown(pages)
    assert len(rows) == 3
    assert rows[task_id(1)]["state"] == "completed"
    assert "1 task came twice" in pages[-1].note


def test_a_group_that_can_still_grow_says_so_when_it_took_two_pages(queue: FakeQueue) -> None:
    queue.group([[entry(1)], [entry(2, state="pending")]])
    assert "still open" in listed(tasks_of(queue.http()))[-1].note
    queue.group([[entry(1)], [entry(2, state="pending")]], sealed=PAST)
    assert listed(tasks_of(queue.http()))[-1].note == ""


def test_retriggers_are_counted_over_all_pages_and_numbered_by_creation(queue: FakeQueue) -> None:
    again = {"tags": {"label": "same"}}
    queue.group([[entry(9, **again), entry(2, **again)], [entry(5, **again), entry(1)]])
    rows = shown(listed(tasks_of(queue.http())))
    assert {key: (row["copy"], row["copies"]) for key, row in rows.items()} == {
        task_id(2): (1, 3),
        task_id(5): (2, 3),
        task_id(9): (3, 3),
        task_id(1): (1, 1),
    }


def test_a_finished_group_opens_without_asking_the_server(queue: FakeQueue, tmp_path: Path) -> None:
    queue.group([[entry(1)], [entry(2, state="failed")]], sealed=PAST)
    fresh = shown(listed(tasks_of(queue.http(tmp_path))))
    queue.down = True
    pages = listed(tasks_of(queue.http(tmp_path)))
    assert shown(pages) == fresh
    assert [page.freshness.source for page in pages] == [ResponseSource.CACHE]


@pytest.mark.parametrize(
    ("last", "members"),
    [
        (entry(2), {}),  # a retrigger may be added
        (entry(2, state="running"), {"sealed": PAST}),
        (entry(2, state="some-new-state"), {"sealed": PAST}),
        (entry(2, deadline=FUTURE), {"sealed": PAST}),  # it may be run again
        (entry(2, deadline=None), {"sealed": PAST}),
    ],
)
def test_a_group_that_can_still_change_is_shown_at_once_and_asked_for_again(
    queue: FakeQueue, tmp_path: Path, last: dict[str, object], members: dict[str, str]
) -> None:
    queue.group([[entry(1), last]], **members)
    listed(tasks_of(queue.http(tmp_path)))
    queue.group([[entry(1), entry(3)]], **members)
    pages = tasks_of(queue.http(tmp_path)).pages(CancelToken())
    first = next(pages)
    assert first.replace and first.freshness.source is ResponseSource.CACHE and first.frame.height == 2
    assert shown([first, *pages]).keys() == {task_id(1), task_id(3)}


def test_ten_thousand_stored_rows_never_shrink_to_the_first_page_while_it_is_refreshed(
    queue: FakeQueue, tmp_path: Path
) -> None:
    queue.group([[entry(number)] for number in range(4)])
    listed(tasks_of(queue.http(tmp_path)))
    counts, rows = [], {}
    for page in tasks_of(queue.http(tmp_path)).pages(CancelToken()):
        rows = shown([page]) if page.replace else {**rows, **shown([page])}
        counts.append(len(rows))
    assert counts == [4] * 6


@pytest.mark.parametrize("mode", [Mode.NORMAL, Mode.OFFLINE])
def test_without_the_server_the_last_known_list_stays_and_says_why_it_is_old(
    queue: FakeQueue, tmp_path: Path, mode: Mode
) -> None:
    queue.group([[entry(1, state="running")], [entry(2)]])
    before = shown(listed(tasks_of(queue.http(tmp_path))))
    queue.down = True
    pages = listed(tasks_of(queue.http(tmp_path, mode)))
    assert shown(pages) == before
    assert pages[-1].freshness.source is ResponseSource.STALE
    assert pages[-1].freshness.reason and not pages[-1].note  # it is said once


def test_a_listing_that_breaks_off_keeps_the_stored_rows(queue: FakeQueue, tmp_path: Path) -> None:
    queue.group([[entry(1, state="running")], [entry(2)]])
    before = shown(listed(tasks_of(queue.http(tmp_path))))

    def broken(request: httpx.Request) -> httpx.Response:
        if "continuationToken" in request.url.params:
            return reply({"message": "down"}, 500)
        return reply({"taskGroupId": GROUP, "tasks": [entry(1)], "continuationToken": "1"})

    queue.answers[f"/api/queue/v1/task-group/{GROUP}/list"] = broken
    pages = listed(tasks_of(queue.http(tmp_path)))
    assert shown(pages) == before
    assert pages[-1].freshness.source is ResponseSource.STALE


def test_a_hotel_network_in_the_way_does_not_take_the_list_away(queue: FakeQueue, tmp_path: Path) -> None:
    queue.group([[entry(1, state="running")]])
    listed(tasks_of(queue.http(tmp_path)))
    queue.answers[f"/api/queue/v1/task-group/{GROUP}/list"] = httpx.Response(200, html="<html>Please log in</html>")
    assert listed(tasks_of(queue.http(tmp_path)))[-1].freshness.source is ResponseSource.STALE


def test_an_unknown_group_is_a_sentence(queue: FakeQueue) -> None:
    with pytest.raises(NotFoundError, match="404"):
        listed(tasks_of(queue.http()))


def test_whoever_may_no_longer_look_is_told_so(queue: FakeQueue, tmp_path: Path) -> None:
    queue.group([[entry(1, state="running")]])
    listed(tasks_of(queue.http(tmp_path)))
    queue.answers[f"/api/queue/v1/task-group/{GROUP}/list"] = reply({"code": "InsufficientScopes"}, 403)
    with pytest.raises(AccessDeniedError):
        listed(tasks_of(queue.http(tmp_path)))


def test_what_one_client_id_was_shown_is_not_shown_to_another(queue: FakeQueue, tmp_path: Path) -> None:
    queue.group([[entry(1)]], sealed=PAST)
    identity = Identity(ROOT, "sheriff", lambda method, url: {})
    listed(tasks_of(Http(cache_dir=tmp_path, identities=[identity], transport=httpx.MockTransport(queue))))
    queue.down = True
    with pytest.raises(HttpError):
        listed(tasks_of(queue.http(tmp_path)))


def test_damaged_stored_bytes_are_listed_anew(queue: FakeQueue, tmp_path: Path) -> None:
    queue.group([[entry(1)]], sealed=PAST)
    http = queue.http(tmp_path)
    listed(tasks_of(http))
    store = http.blob_cache()
    assert store is not None
    key = f"taskcluster-group-v2|{ROOT}||{GROUP}"
    kept = store.get(key)
    assert kept is not None, "the key of this test is not the one in use"
    for damaged in (b"", kept.body[:-40], b"ARROW1" + kept.body[:100], kept.body[:200] + b"\xff" * 200):
        store.put(key, damaged, {"sealed": True})
        asked = len(queue.asked)
        assert shown(listed(tasks_of(queue.http(tmp_path)))).keys() == {task_id(1)}
        assert len(queue.asked) > asked


def test_refresh_asks_the_server_even_for_a_finished_group(queue: FakeQueue, tmp_path: Path) -> None:
    queue.group([[entry(1)]], sealed=PAST)
    http = queue.http(tmp_path)
    listed(tasks_of(http))
    queue.group([[entry(1), entry(2)]], sealed=PAST)
    assert len(shown(listed(tasks_of(http.with_mode(Mode.REFRESH))))) == 2


def test_a_stopped_listing_stops(queue: FakeQueue) -> None:
    queue.group([[entry(1)], [entry(2)], [entry(3)]])
    cancel = CancelToken()
    pages = tasks_of(queue.http()).pages(cancel)
    next(pages)
    cancel.cancel()
    with pytest.raises(OperationCancelledError):
        list(pages)


def test_enter_opens_the_task_and_with_marks_the_artifacts_of_all(queue: FakeQueue) -> None:
    queue.group([[entry(1), entry(2)]])
    resource = tasks_of(queue.http())
    frame = listed(resource)[-1].frame
    assert resource.open(frame.row(0, named=True)) == Task(task_id(1), None, ROOT)
    assert resource.open_marked(frame) == TaskArtifacts((task_id(1), task_id(2)), ROOT)
    assert resource.open({"task_id": "../../evil"}) is None
    assert resource.web_url() == f"{ROOT}/tasks/groups/{GROUP}"
    assert resource.web_url(frame.row(0, named=True)) == f"{ROOT}/tasks/{task_id(1)}"


def test_the_status_line_counts_every_state_also_those_nobody_knows() -> None:
    resource = tasks_of(FakeQueue().http())
    frame = pl.DataFrame({"state": ["failed"] * 22 + ["completed"] * 1162 + ["odd", "running"]})
    assert resource.summary(frame) == "22 failed · 1 running · 1,162 completed · 1 odd"


def test_the_detail_of_a_row_says_its_ids_and_times(queue: FakeQueue) -> None:
    queue.group([[entry(1)]])
    resource = tasks_of(queue.http())
    detail = resource.detail(listed(resource)[-1].frame.row(0, named=True))
    sections = {title: dict(lines) for title, lines in detail.sections}
    assert list(sections) == ["Task", "Times", "Runs", "Ids"]
    assert sections["Ids"]["Task"] == task_id(1)
    assert sections["Times"]["Duration"] == "30m 00s"
