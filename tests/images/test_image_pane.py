"""The view of an image: its facts, the image where the terminal can show it, its keys, and getting out of it."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.app import ComposeResult
from textual.pilot import Pilot
from textual.screen import ModalScreen

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.resources import ImageFile
from backends.transfers.files import RemoteFile
from tests.driving import screen_text, until
from tests.images.making import encode, picture, png_of_size
from tui.terminal_graphics import Graphics
from tui.theme import ThemedApp
from tui.widgets.image_pane import ImagePane, ImageView

PNG = encode(picture(320, 200), "PNG")


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of 24-bit colours that is not known for more."""
    for name in ("TMUX", "STY", "ZELLIJ", "KITTY_WINDOW_ID", "TERM_PROGRAM", "KONSOLE_VERSION", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")


class PaneApp(ThemedApp):
    """`written`: the escape sequences beside what Textual writes."""

    def __init__(self, image: ImageFile, setting: str) -> None:
        super().__init__()
        self.pane = ImagePane(image, setting)
        self.left = 0
        self.written: list[str] = []
        self.downloads: list[tuple[str, Any]] = []
        self.urls: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        assert self._driver is not None
        self._driver.write = self.written.append  # type: ignore[method-assign]

    def on_reader_pane_closed(self) -> None:
        self.left += 1

    def download(self, title: str, collect: Any) -> None:
        self.downloads.append((title, collect))

    def open_url(self, url: str, *, new_tab: bool = True) -> None:
        self.urls.append(url)

    @property
    def view(self) -> ImageView:
        return self.pane.query_one(ImageView)


def image_file(read: bytes | Callable[[CancelToken], bytes], **given: Any) -> ImageFile:
    fetch = read if callable(read) else lambda cancel: read
    return ImageFile("shot.png of [b]a task[/b]", None, fetch, "image/png", **given)


@asynccontextmanager
async def open_pane(
    image: ImageFile, setting: str = "auto", size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[PaneApp, Pilot[None]]]:
    app = PaneApp(image, setting)
    async with app.run_test(size=size, notifications=True) as pilot:
        app.pane.focus_view()
        yield app, pilot


async def shown(app: PaneApp, pilot: Pilot[None], text: str) -> str:
    await until(pilot, lambda: text in screen_text(app))
    return screen_text(app)


async def drawn(app: PaneApp, pilot: Pilot[None]) -> None:
    def is_current() -> bool:
        return app.view.drawing is not None and app.view._drawn_for == app.view.size

    await until(pilot, is_current)


async def test_it_shows_title_facts_and_the_image_in_half_blocks() -> None:
    async with open_pane(image_file(PNG)) as (app, pilot):
        await drawn(app, pilot)
        screen = (await shown(app, pilot, "half blocks")).splitlines()
        assert screen[0].strip() == "shot.png of [b]a task[/b]"
        assert screen[1].strip() == f"PNG image · 320 × 200 pixels · {len(PNG)} B · image/png"
        image = [line for line in screen if "▀" in line]
        assert len(image) == 21  # all lines but those of the title, the facts and the status
        assert len(image[0].strip()) == 67  # as wide as 320 × 200 pixels are at that height
        assert screen[-1].strip() == "67 × 21 cells · half blocks"
        assert app.written == []


async def test_it_is_fitted_again_when_the_window_changes() -> None:
    async with open_pane(image_file(PNG)) as (app, pilot):
        await shown(app, pilot, "67 × 21 cells")
        await pilot.resize_terminal(40, 30)
        screen = await shown(app, pilot, "40 × 12 cells")
        assert f"200 pixels · {len(PNG)} B …" in screen
        await pilot.resize_terminal(200, 60)
        await shown(app, pilot, "182 × 57 cells")
        assert sum("▀" in line for line in screen_text(app).splitlines()) == 57


async def test_a_window_without_room_for_it_is_no_error() -> None:
    async with open_pane(image_file(PNG), size=(10, 4)) as (app, pilot):
        await drawn(app, pilot)
        await pilot.resize_terminal(3, 2)
        await pilot.resize_terminal(80, 24)
        await shown(app, pilot, "67 × 21 cells")


async def test_without_the_extra_the_facts_are_shown_and_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    async with open_pane(image_file(PNG)) as (app, pilot):
        screen = await shown(app, pilot, "ciexplore[images]")
        assert "320 × 200 pixels" in screen and "Pillow, which decodes images, is not installed." in screen


@pytest.mark.parametrize(
    ("name", "value", "setting", "words"),
    [
        ("NO_COLOR", "1", "auto", "NO_COLOR is set"),
        ("COLORTERM", "", "auto", "24-bit colours"),
        ("COLORTERM", "", "blocks", "24-bit colours"),
        ("COLORTERM", "truecolor", "off", "switched off by the setting look.images"),
    ],
)
async def test_where_nothing_can_be_drawn_the_facts_and_the_reason_are_shown(
    name: str, value: str, setting: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "PIL", None)  # nothing is decoded
    async with open_pane(image_file(PNG), setting) as (app, pilot):
        screen = await shown(app, pilot, words)
        assert "PNG image · 320 × 200 pixels" in screen and "▀" not in screen


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!doctype html><title>Sign in</title>", "This is not a PNG, JPEG, GIF or WebP image."),
        (b"", "The file is empty."),
        (PNG[: len(PNG) // 2], "The image cannot be decoded"),
        (png_of_size(60_000, 60_000), "more than 40 million pixels"),
    ],
)
async def test_what_cannot_be_shown_is_said_in_one_sentence_with_what_is_known(content: bytes, words: str) -> None:
    async with open_pane(image_file(content)) as (app, pilot):
        screen = await shown(app, pilot, words)
        assert f"{len(content)} B" in screen or "kB" in screen
        await pilot.press("escape")
        await until(pilot, lambda: app.left == 1)


async def test_an_image_that_cannot_be_fetched_says_why_and_what_the_server_listed() -> None:
    def read(cancel: CancelToken) -> bytes:
        raise AppError("The server returned 404.", "It may have expired.")

    async with open_pane(image_file(read, size=12_345)) as (app, pilot):
        screen = await shown(app, pilot, "The server returned 404.")
        assert "12.3 kB · image/png" in screen and "It may have expired." in screen


async def test_leaving_stops_fetching() -> None:
    begun, ended = threading.Event(), threading.Event()

    def read(cancel: CancelToken) -> bytes:
        begun.set()
        try:
            cancel.sleep(60)
        finally:
            ended.set()
        return b""

    async with open_pane(image_file(read)) as (app, pilot):
        await until(pilot, begun.is_set)
        await app.pane.remove()
        await until(pilot, ended.is_set)


async def test_keys_act_while_it_is_fetched_and_decoded() -> None:
    go = threading.Event()

    def read(cancel: CancelToken) -> bytes:
        go.wait(60)
        return PNG

    async with open_pane(image_file(read, web_url="https://ci.example/shot.png")) as (app, pilot):
        await shown(app, pilot, "Loading…")
        await pilot.press("o")
        await until(pilot, lambda: app.urls == ["https://ci.example/shot.png"])
        go.set()
        await drawn(app, pilot)


async def test_its_keys_download_it_open_it_in_the_browser_and_go_back() -> None:
    def files(cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        yield []

    given = {"files": files, "web_url": "https://ci.example/shot.png"}
    async with open_pane(image_file(PNG, **given)) as (app, pilot):
        await drawn(app, pilot)
        await pilot.press("d", "o", "backspace")
        await until(pilot, lambda: app.left == 1)
        assert app.downloads == [("shot.png of [b]a task[/b]", files)] and app.urls == ["https://ci.example/shot.png"]


async def test_keys_that_can_do_nothing_are_not_offered() -> None:
    async with open_pane(image_file(PNG)) as (app, pilot):
        await pilot.press("d", "o", "y")
        assert not app.downloads and not app.urls
        assert {binding.action for _, binding, *_ in app.active_bindings.values() if binding.id} >= {"back"}
        assert "download" not in {binding.action for _, binding, *_ in app.active_bindings.values()}


# ---- pixels ------------------------------------------------------------------------------------------------------


async def test_kitty_is_told_the_image_once_for_each_size_and_to_forget_it_in_the_end() -> None:
    async with open_pane(image_file(PNG), "kitty") as (app, pilot):
        await until(pilot, lambda: app.written and "c=67,r=21," in app.written[-1])
        sent, placed = app.written[-2:]
        assert "Kitty graphics" in screen_text(app) and "▀" not in screen_text(app)
        assert sent.startswith("\x1b_Ga=t,f=100,i=") and sent.endswith("\x1b\\")
        number = re.search(r"i=(\d+)", sent)
        assert number is not None
        # The third line; 67 of 80 cells in the middle.
        assert placed.startswith(f"\x1b7\x1b[3;7H\x1b_Ga=p,i={number[1]},p=1,") and "c=67,r=21," in placed
        app.written.clear()
        app.view.refresh()
        await until(pilot, lambda: app.written)
        assert set(app.written) == {placed}  # the image is not sent again
        app.written.clear()
        app.app_resume_signal.publish(app)  # Ctrl+Z and fg: another program had the terminal
        await until(pilot, lambda: sent in app.written and placed in app.written)
        app.written.clear()
        await pilot.resize_terminal(40, 30)
        await shown(app, pilot, "40 × 12 cells")
        await until(pilot, lambda: "c=40,r=12," in app.written[-1])
        assert f"\x1b_Ga=d,d=I,i={number[1]},q=2\x1b\\\x1b_Ga=t," in "".join(app.written)
        app.written.clear()
        await app.pane.remove()
        assert re.search(r"\x1b_Ga=d,d=I,i=\d+,q=2\x1b\\$", "".join(app.written))
        assert number[1] not in "".join(app.written)


async def test_an_image_of_kitty_leaves_the_screen_under_dialogs_and_in_another_pane() -> None:
    async with open_pane(image_file(PNG), "kitty") as (app, pilot):
        await until(pilot, lambda: len(app.written) >= 2)
        hidden = re.compile(r"\x1b_Ga=d,d=i,i=\d+,q=2\x1b\\")
        app.written.clear()
        await app.push_screen(ModalScreen())
        await until(pilot, lambda: hidden.search("".join(app.written)))
        app.written.clear()
        app.pop_screen()
        await until(pilot, lambda: "\x1b_Ga=p," in "".join(app.written))
        app.written.clear()
        app.pane.display = False
        await until(pilot, lambda: hidden.search("".join(app.written)))
        app.pane.display = True
        await until(pilot, lambda: "\x1b_Ga=p," in app.written[-1])


async def test_sixel_is_written_at_its_place_after_the_cells_and_again_when_these_are_drawn_again() -> None:
    async with open_pane(image_file(PNG), "sixel") as (app, pilot):
        await until(pilot, lambda: app.written)
        place = "\x1b7\x1b[3;7H\x1bP"
        await until(pilot, lambda: app.written[-1].startswith(place))  # on a busy machine not at the first size
        assert app.written[-1].endswith("\x1b\\\x1b8")
        app.written.clear()
        app.view.refresh()
        await until(pilot, lambda: app.written and app.written[-1].startswith(place))


@pytest.mark.parametrize(("setting", "complete"), [("sixel", "\x1bP"), ("kitty", "c=67,r=21,")])
async def test_a_toast_is_not_covered_by_pixels_and_they_come_back_after_it(setting: str, complete: str) -> None:
    async with open_pane(image_file(PNG), setting) as (app, pilot):
        await until(pilot, lambda: complete in "".join(app.written))
        app.notify("Over the image")
        await until(pilot, lambda: "Over the image" in screen_text(app))
        await pilot.pause()
        app.written.clear()
        app.view.refresh()
        if setting == "kitty":  # only what is above the toast
            await until(pilot, lambda: re.search(r"c=67,r=1?\d,", "".join(app.written)))
        await pilot.pause()
        assert complete not in "".join(app.written)
        app.clear_notifications()
        await until(pilot, lambda: complete in "".join(app.written))


async def test_no_name_of_a_server_gets_into_an_escape_sequence() -> None:
    image = ImageFile("EVIL\x1b]52;c;EVIL\x07", None, lambda cancel: PNG, "image/EVIL\x1b_GEVIL")
    for setting in ("kitty", "sixel"):
        async with open_pane(image, setting) as (app, pilot):
            await until(pilot, lambda app=app: app.written)  # type: ignore[misc]
            assert "EVIL" not in "".join(app.written)
            assert "\x1b" not in screen_text(app) and "\x07" not in screen_text(app)


def test_the_names_of_the_ways_are_those_of_the_setting() -> None:
    from backends.config import IMAGE_SETTINGS

    assert set(IMAGE_SETTINGS) == {"auto", *Graphics}
