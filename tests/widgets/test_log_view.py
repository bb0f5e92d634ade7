"""What a person who reads a log would lose: the line, the place, the match, or the screen itself."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from rich.cells import cell_len
from textual.app import ComposeResult
from textual.pilot import Pilot

from backends.cancel import CancelToken
from backends.errors import AppError, UsageError
from backends.logs import sources
from backends.logs.reader import LogReader
from backends.logs.spool import Source
from tests.driving import screen_text, until
from tui.keymap import KEYS
from tui.theme import ThemedApp
from tui.widgets.log_view import LogView

HEAD = b"[task 2025-02-12T02:47:20.000Z] 02:47:20     INFO - "


def number_lines(count: int, errors: tuple[int, ...] = ()) -> bytes:
    """Lines "line 1" and so on, some of them errors."""
    return b"".join(b"%s%d\n" % (b"error: " if n in errors else b"line ", n) for n in range(1, count + 1))


class LogApp(ThemedApp):
    def __init__(self, source: Source, **options: Any) -> None:
        super().__init__()
        self.reading = LogReader(source)
        self.view = LogView(self.reading, **options)
        self.asked: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.view

    def on_log_view_requested(self, event: LogView.Requested) -> None:
        self.asked.append(event.what)


@asynccontextmanager
async def show_log(
    source: Source, *, size: tuple[int, int] = (60, 12), wait: bool = True, **options: Any
) -> AsyncIterator[tuple[LogView, Pilot[None]]]:
    app = LogApp(source, **options)
    async with app.run_test(size=size) as pilot:
        app.view.focus()
        if wait:
            await until(pilot, lambda: settled(app.view))
        yield app.view, pilot
    app.reading.close()


def settled(view: LogView) -> bool:
    """The whole log is in, looked through and on the screen."""
    spool = view.reading.spool
    return spool.complete and view.reading.findings.complete and view.row_count == _rows(view)


def _rows(view: LogView) -> int:
    return view._folding.row_count if view._folding is not None else view.reading.spool.line_count


def rows(view: LogView) -> list[str]:
    """The screen as text, without spaces at the ends."""
    return [view.render_line(y).text.rstrip() for y in range(view.size.height)]


class Gate:
    """A source that gives a chunk each time it is told to."""

    def __init__(self) -> None:
        self._chunks: list[bytes | Exception] = []
        self._ready = threading.Semaphore(0)

    def give(self, chunk: bytes | Exception) -> None:
        self._chunks.append(chunk)
        self._ready.release()

    def __call__(self, cancel: CancelToken) -> Iterator[bytes]:
        while True:
            while not self._ready.acquire(timeout=0.05):
                cancel.check()
            chunk = self._chunks.pop(0)
            if isinstance(chunk, Exception):
                raise chunk
            if not chunk:
                return
            yield chunk


async def test_the_first_lines_are_there_with_their_numbers() -> None:
    async with show_log(sources.from_bytes(number_lines(100))) as (view, _):
        assert rows(view)[:2] == ["▌     1 line 1", "      2 line 2"]
        assert "line 1 of 100" in view.status_text


async def test_keys_move_by_lines_pages_and_ends() -> None:
    async with show_log(sources.from_bytes(number_lines(100))) as (view, pilot):
        seen = []
        for key in ("j", "down", "k", "pagedown", "G", "pageup", "g"):
            await pilot.press(key)
            seen.append(view.cursor + 1)
        assert seen == [2, 3, 2, 13, 100, 89, 1]
        assert rows(view)[0].startswith("▌     1")


async def test_an_error_has_a_sign_and_a_key_that_goes_to_it() -> None:
    async with show_log(sources.from_bytes(number_lines(200, (50, 120)) + b"warning: x\n")) as (view, pilot):
        seen = []
        for key in ("]", "]", "]", "[", "{", "}"):
            await pilot.press({"]": "right_square_bracket", "[": "left_square_bracket", "{": "left_curly_bracket"}.get(
                key, "right_curly_bracket"))  # fmt: skip
            seen.append(view.cursor + 1)
        assert seen == [50, 120, 50, 120, 50, 120]
        assert any(row == "▌✖  120 error: 120" for row in rows(view))
        assert "✖ 2 ⚠ 1" in view.status_text


async def test_the_log_of_a_failure_begins_at_its_first_error_as_soon_as_that_has_come() -> None:
    gate = Gate()
    async with show_log(gate, wait=False, failed=True) as (view, pilot):
        gate.give(number_lines(60))
        await until(pilot, lambda: "looking for the first error" in view.status_text)
        gate.give(number_lines(200, (50, 120)))
        await until(pilot, lambda: view.cursor == 109)
        gate.give(b"")
        await until(pilot, lambda: settled(view))
        assert view.cursor == 109


async def test_the_log_of_a_failure_without_errors_begins_at_its_end() -> None:
    async with show_log(sources.from_bytes(number_lines(100)), failed=True) as (view, pilot):
        await until(pilot, lambda: view.cursor == 99)
        assert "no error" in view.status_text


async def test_who_moves_meanwhile_is_not_moved_on() -> None:
    gate = Gate()
    async with show_log(gate, wait=False, failed=True) as (view, pilot):
        gate.give(number_lines(60))
        await until(pilot, lambda: view.row_count == 60)
        await pilot.press("j")
        gate.give(number_lines(200, (50,)))
        gate.give(b"")
        await until(pilot, lambda: settled(view))
        assert view.cursor == 1


async def test_no_error_is_said_and_not_jumped_to() -> None:
    async with show_log(sources.from_bytes(number_lines(30))) as (view, pilot):
        await pilot.press("right_square_bracket")
        assert view.cursor == 0 and "no error" in view.status_text


async def test_folding_keeps_errors_and_shows_what_one_asks_for() -> None:
    async with show_log(sources.from_bytes(number_lines(300, (150,)))) as (view, pilot):
        view.go_to_line(150)
        await pilot.press("z")
        screen = rows(view)
        assert "  150 error: 150" in "\n".join(screen) and view.row_count < 60 and "folded" in view.status_text
        await pilot.press("g", *["j"] * 5)
        assert "lines folded ┈ Enter shows them" in rows(view)[5]
        before = view.row_count
        await pilot.press("enter")
        assert view.row_count > before and view.cursor == 5 and rows(view)[5] == "▌     6 line 6"
        await pilot.press("z")
        assert view.row_count == 300 and view.cursor == 5


async def test_a_match_in_a_fold_is_shown_with_its_surroundings() -> None:
    async with show_log(sources.from_bytes(number_lines(1000))) as (view, pilot):
        await pilot.press("z")
        view.search("line 500")
        await until(pilot, lambda: view.cursor == 499)
        assert [row.strip("▌ ") for row in rows(view)].count("500 line 500") == 1
        assert view.row_count < 100


async def test_n_and_N_walk_the_matches_and_the_status_counts_them() -> None:
    async with show_log(sources.from_bytes(number_lines(1000))) as (view, pilot):
        view.search("line .*99$")
        await until(pilot, lambda: view.cursor == 98)
        seen = []
        for key in ("n", "n", "N", "N", "N"):
            await pilot.press(key)
            seen.append(view.cursor + 1)
        assert seen == [199, 299, 199, 99, 999]
        assert "/line .*99$/ 10 of 10" in view.status_text and "from the end again" in view.status_text


async def test_a_search_that_finds_as_much_as_the_one_before_comes_to_its_end_as_well() -> None:
    async with show_log(sources.from_bytes(number_lines(100))) as (view, pilot):
        for word in ("zebra", "giraffe"):
            view.search(word)
            search = view.current_search
            while search is not None and not search.complete:  # without the app: it is done before anybody looks
                threading.Event().wait(0.001)
            await until(pilot, lambda: "no match" in view.status_text)


async def test_matches_stand_out_without_colour() -> None:
    async with show_log(sources.from_bytes(b"a needle b\na needle b\n")) as (view, pilot):
        view.search("needle")
        await until(pilot, lambda: view.current_search is not None and view.current_search.complete)
        await pilot.pause()
        styles = [
            {segment.text: segment.style for segment in view.render_line(y) if segment.text == "needle"} for y in (0, 1)
        ]
        assert styles[0]["needle"] is not None and styles[0]["needle"].reverse
        assert styles[1]["needle"] is not None and styles[1]["needle"].underline and not styles[1]["needle"].reverse


async def test_a_wrong_pattern_leaves_everything_as_it_was() -> None:
    async with show_log(sources.from_bytes(number_lines(30))) as (view, _):
        view.search("line 2")
        before = view.current_search
        with pytest.raises(UsageError):
            view.search("line (")
        assert view.current_search is before


async def test_a_line_from_a_link_is_opened_even_if_it_has_not_come_yet() -> None:
    gate = Gate()
    async with show_log(gate, wait=False, line=150) as (view, pilot):
        gate.give(number_lines(100))
        await until(pilot, lambda: view.row_count == 100)
        assert view.cursor == 0 and "waiting for line 150" in view.status_text
        gate.give(number_lines(100))
        await until(pilot, lambda: view.cursor == 149)
        assert any(row.startswith("▌   150") for row in rows(view))
        gate.give(b"")


async def test_a_range_from_a_link_is_marked_and_the_cursor_is_on_its_first_line() -> None:
    async with show_log(sources.from_bytes(number_lines(300)), line=101, last=103) as (view, pilot):
        await until(pilot, lambda: view.cursor == 100)
        seen = rows(view)
        assert any(row.startswith("▌   101") for row in seen)
        assert [row.split()[1] for row in seen if row.startswith("│")] == ["102", "103"]


async def test_a_line_behind_the_end_is_said_to_be_none() -> None:
    async with show_log(sources.from_bytes(number_lines(30)), line=500) as (view, pilot):
        await until(pilot, lambda: view.cursor == 29)
        assert "the log has 30 lines" in view.status_text


async def test_following_stays_at_the_end_until_one_moves() -> None:
    gate = Gate()
    async with show_log(gate, wait=False, follow=True) as (view, pilot):
        gate.give(number_lines(50))
        await until(pilot, lambda: view.cursor == 49)
        gate.give(b"partial")
        await until(pilot, lambda: view.cursor == 50 and "partial" in rows(view)[11])
        gate.give(b" whole\n")
        await until(pilot, lambda: "partial whole" in rows(view)[11])
        await pilot.press("k")
        gate.give(number_lines(50))
        await until(pilot, lambda: view.row_count == 101)
        assert view.cursor == 49 and not view.following
        await pilot.press("f")
        assert view.cursor == 100 and "following" in view.status_text
        gate.give(b"")
        await until(pilot, lambda: "coming in" not in view.status_text)


async def test_errors_found_while_a_folded_log_grows_are_unfolded() -> None:
    gate = Gate()
    async with show_log(gate, wait=False) as (view, pilot):
        gate.give(number_lines(300))
        await until(pilot, lambda: view.row_count == 300)
        await pilot.press("z")
        folded = view.row_count
        gate.give(number_lines(300, (150,)))
        gate.give(b"")
        await until(pilot, lambda: settled(view) and view.row_count > folded)
        await pilot.press("right_square_bracket")
        assert view.cursor == 449 and "▌✖  450 error: 150" in rows(view)


@pytest.mark.parametrize(
    ("chunks", "words"),
    [
        ([b""], "This log is empty."),
        ([AppError("The log is gone.", "Look for a newer run.")], "✖ The log is gone."),
        ([], "Waiting for the first bytes"),
    ],
)
async def test_a_log_without_lines_says_why(chunks: list[bytes | Exception], words: str) -> None:
    gate = Gate()
    for chunk in chunks:
        gate.give(chunk)
    async with show_log(gate, wait=False) as (view, pilot):
        await until(pilot, lambda: words in "\n".join(rows(view)))
        await pilot.press("j", "G", "n", "right_square_bracket", "z", "enter", "t", "f")
        assert words in "\n".join(rows(view))


async def test_a_long_reason_why_there_is_no_log_is_seen_to_its_end() -> None:
    gate = Gate()
    gate.give(AppError(f"Offline, and no stored answer of 127.0.0.1/{'task/' * 30}status.", "Go online."))
    async with show_log(gate, wait=False) as (view, pilot):
        await until(pilot, lambda: "Go online." in "\n".join(rows(view)))
        assert "task/status." in "".join(row.strip() for row in rows(view))


async def test_a_log_that_never_came_is_not_waited_for_on_the_screen() -> None:
    gate = Gate()
    async with show_log(gate, wait=False) as (view, pilot):
        await until(pilot, lambda: "Waiting for the first bytes" in screen_text(view.app))
        gate.give(AppError("Nothing listens there.", "Start the server."))
        await until(pilot, lambda: "✖ Nothing listens there." in screen_text(view.app))


async def test_a_log_that_ends_early_says_so_beside_what_came() -> None:
    gate = Gate()
    gate.give(number_lines(5))
    gate.give(AppError("The server went away.", "Try again."))
    async with show_log(gate) as (view, _):
        assert "cut short: The server went away." in view.status_text and rows(view)[0] == "▌     1 line 1"


async def test_times_become_time_since_the_first_line() -> None:
    log = HEAD + b"a\n" + HEAD.replace(b"47:20.000", b"48:51.500") + b"b\nno time\n"
    for width, info in ((60, ""), (120, "INFO - ")):
        async with show_log(sources.from_bytes(log), size=(width, 12)) as (view, pilot):
            await pilot.press("t", "number_sign")
            found = [row.strip("▌ ") for row in rows(view)[:3]]
            assert found == [f"+0.000 {info}a", f"+1:31.500 {info}b", "no time"]


async def test_a_narrow_log_keeps_the_time_of_day_and_a_wide_one_all() -> None:
    log = HEAD + b"TEST-START | a\n" + HEAD.replace(b"INFO", b"WARNING") + b"b\n[vcs 2025-02-12T02:47:21.5Z] c\nplain\n"
    async with show_log(sources.from_bytes(log), size=(80, 12)) as (view, pilot):
        await pilot.press("number_sign")
        assert [row.strip("▌⚠ ") for row in rows(view)[:4]] == [
            "02:47:20 TEST-START | a", "02:47:20 WARNING b", "02:47:21 [vcs] c", "plain"
        ]  # fmt: skip
        whole = "".join(segment.text for segment in view.draw_long_line(0, 4096))
        assert whole == (HEAD + b"TEST-START | a").decode(), "w shows the whole line"
        await pilot.resize_terminal(100, 12)
        await until(pilot, lambda: rows(view)[0].strip("▌ ") == (HEAD + b"TEST-START | a").decode())
        await pilot.resize_terminal(80, 12)
        await until(pilot, lambda: rows(view)[0].strip("▌ ") == "02:47:20 TEST-START | a")
        view.search("2025-02")
        await until(pilot, lambda: "[task 2025-02-12T02:47:20.000Z]" in rows(view)[0])


async def test_errors_and_warnings_have_their_colour_and_information_is_muted() -> None:
    log = HEAD + b"quiet\nerror: loud\nwarning: less\nplain\n" + HEAD + b"last\n"
    async with show_log(sources.from_bytes(log), size=(80, 12)) as (view, pilot):
        await pilot.press("G")
        colours = view.app.theme_variables
        for focused, role in ((view, "select"), (None, "select-off")):
            view.app.set_focus(focused)
            await pilot.pause()
            grounds = {segment.style.bgcolor.get_truecolor().hex for segment in view.render_line(4)
                       if segment.style and segment.style.bgcolor}  # fmt: skip
            assert colours[f"ci-{role}"] in grounds, "the cursor's row is that of a table"
        for y, text, role in ((0, "quiet", "muted"), (1, "error: loud", "failed"), (2, "warning: less", "warning"),
                              (3, "plain", "text")):  # fmt: skip
            style = next(segment.style for segment in view.render_line(y) if text in segment.text)
            assert style is not None and style.color is not None, text
            assert style.color.get_truecolor().hex == colours[f"ci-{role}"], text
            assert bool(style.bold) == (role == "failed"), text


async def test_only_what_can_be_read_further_right_has_an_arrow() -> None:
    log = b"blank" + b" " * 100 + b"\n" + b"x" * 100 + b"\n"
    async with show_log(sources.from_bytes(log), size=(60, 12)) as (view, _):
        assert rows(view)[0] == "▌     1 blank"
        assert rows(view)[1].endswith("x›")


HOSTILE = (
    b"\x1b[2J\x1b]0;owned\x07title\n\x1b[31mred\x1b[0m plain\nnul\0bell\x07\n[bold]markup[/]\n\xff\xfe\n"
    b"tab\there\n10%\r50%\r99%\r\n\xe2\x80\xaebidi\n\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7\n"
    + b"\x1b]" * 9000
    + b"\n"
)


async def test_nothing_in_a_log_reaches_the_terminal_raw() -> None:
    async with show_log(sources.from_bytes(HOSTILE), size=(60, 14)) as (view, pilot):
        text = rows(view)
        assert text[:4] == ["▌     1 title", "      2 red plain", "      3 nul␀bell␇", "      4 [bold]markup[/]"]
        assert text[5:7] == ["      6 tab     here", "      7 99%"]
        assert all(character.isprintable() for row in text for character in row)
        assert all(view.render_line(y).cell_length == 60 for y in range(14))
        view.search("b")
        await pilot.press("G", "t", "z", "w", "right", "right")
        assert all(view.render_line(y).cell_length == 60 for y in range(14))


@pytest.mark.parametrize("size", [(80, 24), (20, 3), (8, 1), (200, 60)])
async def test_wide_signs_and_long_lines_fit_every_terminal(size: tuple[int, int]) -> None:
    log = ("漢字" * 400 + "\n" + "x" * 300_000 + "\nend\n").encode()
    async with show_log(sources.from_bytes(log), size=size) as (view, pilot):
        for key in ("right", "right", "right", "left", "t", "z", "number_sign"):
            await pilot.press(key)
            widths = {cell_len(view.render_line(y).text) for y in range(view.size.height)}
            assert widths == {view.line_width}


async def test_a_long_line_can_be_read_sideways_and_says_that_it_goes_on() -> None:
    line = b"".join(b"%05d " % number for number in range(200))
    async with show_log(sources.from_bytes(line + b"\n")) as (view, pilot):
        assert rows(view)[0].endswith("›")
        await pilot.press("right")
        assert "00004" in rows(view)[0] and "00000" not in rows(view)[0]
        await pilot.press(*["right"] * 80)
        assert "00199" in rows(view)[0] and not rows(view)[0].endswith("›")
        await pilot.press(*["left"] * 80)
        assert "00000" in rows(view)[0]


async def test_a_click_puts_the_cursor_there_and_opens_a_fold() -> None:
    async with show_log(sources.from_bytes(number_lines(300))) as (view, pilot):
        await pilot.click(view, offset=(10, 3))
        assert view.cursor == 3
        await pilot.press("z")
        await pilot.click(view, offset=(10, 5))
        assert view.row_count == 300


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "dracula", "ansi-dark"])
async def test_colours_asked_for_by_the_log_are_legible_in_every_theme(theme: str) -> None:
    log = b"\x1b[30mblack \x1b[38;5;16mdark \x1b[38;2;250;250;250mlight \x1b[31;41mred on red \x1b[7mreversed\n"
    async with show_log(sources.from_bytes(b"first\n" + log)) as (view, pilot):
        pilot.app.theme = theme
        await pilot.pause()
        for segment in view.render_line(1):
            style = segment.style
            if style is None or style.color is None or style.bgcolor is None or style.color.is_default:
                continue
            assert style.color.get_truecolor() != style.bgcolor.get_truecolor()


async def test_every_key_does_something_that_exists() -> None:
    for key in KEYS:
        if key.where == "log":
            assert hasattr(LogView, f"action_{key.action.partition('(')[0]}")
