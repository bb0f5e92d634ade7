"""The screens of the app as they are drawn, and that nothing on them is outside of the terminal.

`RECORD_SNAPSHOTS=1 pytest tests/snapshots` writes them again; look at what has changed before it is committed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.widgets import Button

from backends import config
from backends.demo import DemoOptions, DemoServer, locators
from backends.demo.demo_locators import examples
from backends.http.response import Freshness, describe_freshness
from backends.session import Session
from tests.driving import screen_text
from tests.snapshots.painted_text import paint_as_text
from tests.snapshots.screens import SCREENS, Screen, settle, show
from tui import theme
from tui.app import Explorer
from tui.widgets import status_line
from tui.widgets.key_bar import KeyBar

FOLDER = Path(__file__).parent / "screens"
RECORD = bool(os.environ.get("RECORD_SNAPSHOTS"))
NOW = 1_795_968_000.0  # 2026-11-29 16:00 UTC
NO_SNAPSHOT = {"download", "archives"}  # say how much is free on the disk, and the port of the server
# Keys that draw again what has the colours of the theme that it was drawn in.
DRAWN_AGAIN = {"menu": ("escape", "x"), "palette": ("escape", "ctrl+p"), "statistics": ("right", "left")}
SIZES = ((60, 15), (160, 48))


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    """One embedded CI at a fixed time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: NOW)
        with DemoServer(DemoOptions()) as running:
            yield running


@pytest.fixture
def names(server: DemoServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    # A picture's own colours are no roles: the view of an image is recorded with its facts.
    truecolor = {"COLORTERM": "truecolor", "TERM": "xterm-256color", "CIEXPLORE_IMAGES": "off"}
    for name, value in (server.settings | truecolor).items():
        monkeypatch.setenv(name, value)

    def no_age(freshness: Freshness, since: float = 0.0) -> str:
        return describe_freshness(replace(freshness, age=0.0))

    monkeypatch.setattr(status_line, "describe_freshness", no_age)
    return {"": "", **locators(server.options, server.settings["TASKCLUSTER_ROOT_URL"])}


def explorer(start: str, names: dict[str, str], mode: str = "normal") -> Explorer:
    return Explorer(Session(config.load(), demo=True, mode=mode, examples=examples(names)), start or None)


def fixed(text: str, server: DemoServer) -> str:
    """Without what differs from run to run: the server's port."""
    root = server.settings["TASKCLUSTER_ROOT_URL"]
    return text.replace(root.rpartition(":")[2], "PORT ")


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
async def test_a_screen_is_as_recorded_and_fits(screen: Screen, server: DemoServer, names: dict[str, str]) -> None:
    app = explorer(names.get(screen.start, screen.start), names)
    try:
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await show(app, pilot, screen)
            dark = fixed(paint_as_text(app, light=False), server)
            check_fit(app)
            if screen.name not in NO_SNAPSHOT:
                compare(screen.name, dark)
                app.theme = theme.LIGHT
                await pilot.press(*DRAWN_AGAIN.get(screen.name, ()))
                await settle(app, pilot, screen.ready)
                assert fixed(paint_as_text(app, light=True), server) == dark, "other roles in the light theme"
            for size in SIZES:
                await pilot.resize_terminal(*size)
                await settle(app, pilot)
                check_fit(app)
            app.leave()
    finally:
        app.session.close()


def compare(name: str, drawn: str) -> None:
    path = FOLDER / f"{name}.txt"
    if RECORD:
        FOLDER.mkdir(exist_ok=True)
        path.write_text(drawn, "utf-8")
    assert path.read_text("utf-8").splitlines() == drawn.splitlines(), "look at it, then record it again"


def check_fit(app: Explorer) -> None:
    """Buttons, the keys of the footer and the status are inside of the screen."""
    width, height = app.size
    for button in app.screen.query(Button):
        if button.display and button.region.area:
            region = button.region
            inside = region.x >= 0 and region.right <= width and region.y >= 0 and region.bottom <= height
            assert inside and region.height, f"{button.label} is at {region} of {width}x{height}"
    lines = screen_text(app).splitlines()
    assert len(lines) == height and all(cell_len(line) == width for line in lines)
    if len(app.screen_stack) == 1:
        footer = app.query_one(KeyBar).render().plain.rstrip()
        assert footer and cell_len(footer) <= width, footer
        assert lines[-1].rstrip() == footer, "the footer is cut"


async def test_without_colour_each_state_of_a_list_reads_differently(
    names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    group = names["taskcluster.finished-group"]
    texts: dict[str, str] = {}
    for state, start, mode in (
        ("missing", group, "offline"),
        ("failed", group.rpartition("/")[0] + "/AAAAAAAAQACAAAAAAAAAAA", "normal"),
        ("empty", names["taskcluster.empty-group"], "normal"),
        ("loaded", group, "normal"),
        ("stored", group, "offline"),
    ):
        app = explorer(start, names, mode)
        async with app.run_test(size=(80, 24)) as pilot:
            texts[state] = await settle(app, pilot, "Help")
            if state == "loaded":
                for then, keys in (
                    ("moved", ("j",)), ("marked", ("space",)), ("unmatched", ("slash", *"nothing", "enter"))
                ):  # fmt: skip
                    await pilot.press(*keys)
                    texts[then] = await settle(app, pilot)
            app.leave()
        app.session.close()
    assert len(set(texts.values())) == len(texts)
    body = {state: text.split("\n", 1)[1] for state, text in texts.items()}  # the top bar says offline, too
    assert len(set(body.values())) == len(body), body
    for sign in ("✖", "⚠", "✔", "▌"):
        assert sign in texts["loaded"]
