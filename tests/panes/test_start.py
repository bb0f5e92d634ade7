"""The start: what the first screen needs, and nothing else before it."""

from __future__ import annotations

import subprocess
import sys

from textual import events

from tests.driving import running, screen_text, until
from tui.history import Visit
from tui.widgets.start_screen import StartEntry, StartInput, entries_of

SCRIPT = """
import sys
from tui import quick_start
quick_start.begin()
import asyncio, gc
assert asyncio.sslproto.ssl is None and not gc.isenabled()
from tui.app import Explorer
assert "ssl" not in sys.modules and "polars" not in sys.modules and "importlib.metadata" not in sys.modules
quick_start.finish()
import ssl
assert asyncio.sslproto.ssl is asyncio.base_events.ssl is asyncio.selector_events.ssl is ssl and gc.isenabled()
assert asyncio.sslproto.SSLAgainErrors == (ssl.SSLWantReadError, ssl.SSLSyscallError)
"""


def test_what_is_put_off_at_the_start_is_made_up_for() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, timeout=60)


async def test_the_last_line_says_which_keys_there_are_and_a_click_presses_one() -> None:
    async with running(None, size=(80, 24)) as (app, pilot):
        bar = app.query_one("KeyBar")
        text = bar.render().plain
        assert all(words in text for words in ("⏎ Open", "↓ Choose", "^p Commands", "^q Quit", "? Help"))
        await pilot.click("KeyBar", offset=(text.index("Commands"), 0))
        await pilot.pause()
        assert type(app.screen).__name__ == "PaletteDialog"


async def test_an_enter_pressed_before_the_app_had_the_terminal_opens_too() -> None:
    """Until then the terminal turns Enter into a line feed, which arrives as Ctrl+J."""
    async with running(None, size=(80, 24)) as (app, pilot):
        await pilot.press(*"nothing of the kind/", "ctrl+j")
        await until(pilot, lambda: "Unrecognized" in screen_text(app))


async def test_what_is_pasted_after_an_error_takes_the_place_of_the_wrong_text_and_escape_clears_it() -> None:
    async with running(None, size=(80, 24)) as (app, pilot):
        box = app.screen.query_one(StartInput)
        await pilot.press(*"nothing of the kind/")
        await until(pilot, lambda: "No row has these words" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: "Unrecognized" in screen_text(app) and "esc Clear" in screen_text(app))
        await until(pilot, lambda: "No row has these words" not in screen_text(app))  # nor does it open
        app.post_message(events.Paste("https://another.example/"))
        await until(pilot, lambda: box.value == "https://another.example/" and "Unrecognized" not in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: not box.value)
        await until(pilot, lambda: "esc Clear" not in screen_text(app))
        await pilot.press("escape")
        assert app.focused is box
        await pilot.press("ctrl+o", *"word", "escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)


def test_an_example_stays_where_it_was_after_it_was_opened() -> None:
    """A guided list that loses what was looked at is not a guide; the visit is offered above it."""
    example = StartEntry("To begin with", "A flaky Prow job", "gs://bucket/logs/job/", "its builds")
    found = entries_of([Visit("gs://bucket/logs/job/", "job", 1.0)], [example])
    assert [(entry.section, entry.title) for entry in found] == [
        ("Recent", "job"), ("To begin with", "A flaky Prow job"),
    ]  # fmt: skip
    assert [entry.section for entry in found if entry.matches(["flaky"])] == ["To begin with"]
