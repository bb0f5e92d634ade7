"""The start: what the first screen needs, and nothing else before it."""

from __future__ import annotations

import subprocess
import sys

from textual import events

from backends import config
from backends.session import Session
from tests.driving import loaded, running, screen_text, showing, shown_view, until, view
from tui.history import Visit
from tui.widgets.start_screen import StartEntry, StartInput, StartRows, entries_of

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


async def test_of_the_rows_with_the_words_those_with_them_in_the_title_come_first() -> None:
    """The word series means the row called so, not the one above it whose note mentions series."""
    examples = (
        ("Alerts to triage", "treeherder:alerts/all/all", "from an alert to its series"),
        ("A performance series", "treeherder:series/autoland:1", "chart"),
    )
    async with showing(Session(config.load(), examples=examples), None, (80, 24)) as (app, pilot):
        rows = app.screen.query_one(StartRows)
        assert rows.entry is not None and rows.entry.title == "Alerts to triage"
        await pilot.press(*"series")
        await until(pilot, lambda: rows.entry is not None and rows.entry.title == "A performance series")
        text = screen_text(app)
        assert text.index("A performance series") < text.index("Alerts to triage")
        await pilot.press(*" triage")
        await until(pilot, lambda: rows.entry is not None and rows.entry.title == "Alerts to triage")


REVISION = "16982c3917d48705cec95cd128fe1639072bb844"
GROUPS = ("Y33uyQ0GR_eMGr1zdJzLAQ", "nBz65hUrS3GW2oHxG1DUIw")


async def test_a_revision_offers_its_push_first_and_its_archives_and_a_word_beside_it_narrows(
    demo: dict[str, str],
) -> None:
    async with running(None, size=(80, 30)) as (app, pilot):
        await pilot.press(*REVISION)
        await until(
            pilot, lambda: "The tasks of the push" in screen_text(app) and "Source archives" in screen_text(app)
        )
        rows = app.screen.query_one(StartRows)
        assert rows.entry is not None and rows.entry.text == f"taskcluster:push/autoland/{REVISION}"
        await pilot.press(*" mozilla-central")
        await until(pilot, lambda: rows.entry is not None and "/mozilla-central/" in rows.entry.text)
        await pilot.press("home", *"autoland ", "end", *["backspace"] * len(" mozilla-central"), "enter")
        await until(pilot, lambda: view(app) is not None and loaded(app))
        assert GROUPS[0] in shown_view(app).locator.text()  # the group of that push


async def test_of_several_pasted_urls_or_ids_one_is_chosen(demo: dict[str, str]) -> None:
    async with running(None, size=(80, 24)) as (app, pilot):
        rows = app.screen.query_one(StartRows)
        app.post_message(events.Paste("\n".join(GROUPS)))
        await until(pilot, lambda: rows.entry is not None and rows.entry.text == GROUPS[0])
        assert "2 ids of tasks or task groups" in screen_text(app)
        assert "The two task groups compared" in screen_text(app)
        await pilot.press("down")
        await until(pilot, lambda: rows.entry is not None and rows.entry.text == GROUPS[1])


async def test_pasted_prose_says_how_many_lines_it_has_and_what_is_accepted() -> None:
    prose = "\n".join(f"This is sentence {number} of a mail." for number in range(20))
    async with running(None, size=(80, 24)) as (app, pilot):
        app.post_message(events.Paste(prose))
        await until(pilot, lambda: "sentence 19" in app.screen.query_one(StartInput).value)
        await pilot.press("enter")
        await until(pilot, lambda: "20 lines were pasted" in screen_text(app) and "Accepted" in screen_text(app))
        await pilot.press("end", "x", "enter")  # it is one line now
        await until(pilot, lambda: "Unrecognized" in screen_text(app))
        assert "lines were pasted" not in screen_text(app)
        await pilot.press("x")
        await until(pilot, lambda: not app.screen.query_one("#locator-error").display)  # nor is its line left empty


async def test_lines_pasted_over_a_list_are_counted_too(demo: dict[str, str]) -> None:
    async with running(demo["submit.example-broken"], size=(80, 24)) as (app, pilot):
        app.post_message(events.Paste("one line\nand another\n"))
        await until(pilot, lambda: "one line and another" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: "2 lines were pasted" in screen_text(app))


async def test_a_url_of_a_real_server_in_the_demo_says_where_it_can_be_opened(demo: dict[str, str]) -> None:
    async with showing(Session(config.load(), demo=True, mode="offline"), None, (100, 30)) as (app, pilot):
        app.post_message(events.Paste(f"https://ci.example/tasks/groups/{GROUPS[0]}"))
        await until(pilot, lambda: "ci.example" in app.screen.query_one(StartInput).value)
        await pilot.press("enter")
        await until(pilot, lambda: "ci.example is not a server of the demo" in screen_text(app))
        assert "without `demo`" in " ".join(screen_text(app).split())


async def test_what_the_demo_has_opens_without_a_word_about_servers(demo: dict[str, str]) -> None:
    async with showing(Session(config.load(), demo=True), demo["taskcluster.finished-group"]) as (app, _):
        assert not app.screen.query("Toast")
