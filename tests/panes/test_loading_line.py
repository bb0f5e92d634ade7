"""While a list loads, its status line says how far the work behind it is and how long it will take."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from backends.cancel import CancelToken
from backends.http.response import Freshness
from backends.loading import LoadingPace, LoadingWork
from backends.resources import Page
from tests.driving import loaded, running, screen_text, shown_view, status, until, view
from tests.panes import made_up
from tests.panes.made_up import Place, Things, rows
from tui.widgets import list_loading
from tui.widgets.status_line import ListStatus, StatusLine, format_status


def test_work_and_time_left_stand_with_the_rows() -> None:
    work = LoadingWork(340, 1000, "failed tasks read")
    shown = ListStatus(("failure", "failures"), total=12, shown=12, loading=True, work=work, left="40 s left")
    assert format_status(shown, 0).plain == (
        "◌ loading: 12 failures · 340 of 1,000 failed tasks read · 40 s left · Ctrl+X stops"
    )
    waiting = ListStatus(("cluster", "clusters"), loading=True, work=work)
    assert format_status(waiting, 0).plain == "◌ loading: 340 of 1,000 failed tasks read · Ctrl+X stops"


async def test_offline_the_key_is_named_that_helps(demo: dict[str, str]) -> None:
    async with running(demo["perf.alerts"], mode="offline") as (app, pilot):
        assert "failed, O goes online" in status(app)
        await until(pilot, lambda: "O goes online · Esc goes back" in screen_text(app))
        await pilot.press("O")
        await until(pilot, lambda: loaded(app) and shown_view(app).table.total_count)


async def test_a_list_that_loads_says_what_it_does_until_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    made_up.install(monkeypatch)
    now, steps = [0.0], [threading.Event() for _ in range(3)]
    monkeypatch.setattr(list_loading, "LoadingPace", lambda: LoadingPace(lambda: now[0]))

    def pages(self: Things, cancel: CancelToken) -> Iterator[Page]:
        yield Page(rows(range(3)), Freshness())
        for number, step in enumerate(steps):
            self._work = LoadingWork(10 * number, 100, "tasks read")
            while not step.wait(0.01):
                cancel.check()

    monkeypatch.setattr(Things, "pages", pages)
    monkeypatch.setattr(Things, "updates", lambda *_: None)
    async with running(None) as (app, pilot):
        app.open_locator(Place())
        await until(pilot, lambda: view(app) is not None and shown_view(app).query(StatusLine))
        await until(pilot, lambda: "3 things · 0 of 100 tasks read · Ctrl+X stops" in status(app))
        now[0] = 5.0
        steps[0].set()
        await until(pilot, lambda: "10 of 100 tasks read · 45 s left" in status(app))
        now[0] = 10.0
        steps[1].set()
        await until(pilot, lambda: "20 of 100 tasks read · 40 s left" in status(app))
        steps[2].set()
        await until(pilot, lambda: loaded(app))
        assert "read" not in status(app) and "left" not in status(app)
        assert shown_view(app).table.total_count == 3


async def test_what_was_searched_counts_also_what_gave_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    made_up.install(monkeypatch)
    searched, rest = [5], threading.Event()

    def pages(self: Things, cancel: CancelToken) -> Iterator[Page]:
        yield Page(rows(range(3)), Freshness())
        while not rest.wait(0.01):
            cancel.check()
        searched[0] = 12
        yield Page(rows(()), Freshness())

    monkeypatch.setattr(Things, "pages", pages)
    monkeypatch.setattr(Things, "updates", lambda *_: None)
    monkeypatch.setattr(Things, "summary", lambda *_: f"{searched[0]} files searched")
    async with running(None) as (app, pilot):
        app.open_locator(Place())
        await until(pilot, lambda: view(app) is not None and shown_view(app).query(StatusLine))
        await until(pilot, lambda: "5 files searched" in status(app))
        rest.set()
        await until(pilot, lambda: loaded(app))
        assert "12 files searched" in status(app)


async def test_a_key_of_the_table_pressed_before_there_are_rows_does_not_advise_to_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made_up.install(monkeypatch)
    never = threading.Event()

    def pages(self: Things, cancel: CancelToken) -> Iterator[Page]:
        while not never.wait(0.01):
            cancel.check()
        yield Page(rows(()), Freshness())

    monkeypatch.setattr(Things, "pages", pages)
    async with running(None) as (app, pilot):
        app.open_locator(Place())
        await until(pilot, lambda: view(app) is not None and shown_view(app).table is not None)
        await pilot.resize_terminal(100, 30)
        await until(pilot, lambda: shown_view(app).size.width == 100)
        await pilot.press("down", "enter")
        assert [one.message for one in app._notifications] == []


def test_a_count_that_does_not_fit_is_left_out_whole() -> None:
    counts = "31 need more runs · t-test: 25 worse, 23 better"
    shown = ListStatus(
        ("test", "tests"), 226, 226, summary=counts, order="worst first", note="a note that is longer than the line"
    )
    whole = f"226 tests · {counts}"
    note = " · a note that is longer than the line"
    assert format_status(shown, 0).plain == f"{whole}{note} · worst first"
    assert format_status(shown, 0, width=len(whole)).plain == whole + note, "what is missing is cut, not left out"
    assert format_status(shown, 0, width=len(whole) - 1).plain == f"226 tests · 31 need more runs{note}"
