"""Dialogs: everything that can be pressed lies on the screen, the main button has the focus, one habit for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.geometry import Region
from textual.screen import ModalScreen
from textual.widgets import Button, Input, OptionList

from backends.cancel import CancelToken
from backends.frames.schema import Column, Kind, Schema
from backends.resources import DownloadWay, Field, Link, Prepared, Question, digit_key
from backends.transfers.files import RemoteFile
from tests.driving import screen_text, until
from tui.history import Visit
from tui.theme import ThemedApp
from tui.widgets.dialogs import ConfirmDialog, HelpDialog, MenuDialog, QuestionDialog
from tui.widgets.download_dialog import DownloadDialog, DownloadOptionsDialog
from tui.widgets.export_dialog import ExportDialog
from tui.widgets.start_screen import LocateDialog, StartRows, entries_of

COLUMNS = Schema(tuple(Column(f"column_{n}", Kind.TEXT, f"Column {n}") for n in range(40)), key="column_0")
LONG = "test-windows11-64-24h2-asan/opt-mochitest-browser-chrome-a11y-checks-10 " * 3


def files(cancel: CancelToken) -> Iterator[list[RemoteFile]]:
    yield [RemoteFile(f"a/{n}.log", f"http://127.0.0.1:1/{n}", ("a", f"{n}.log"), size=1000) for n in range(500)]


def prepare(values: Any, output: Path) -> Prepared:
    raise NotImplementedError


def make_dialogs(output: Path) -> dict[str, Callable[[], ModalScreen[Any]]]:
    way = DownloadWay(LONG, tuple(Field(f"f{n}", f"Field {n}") for n in range(12)), prepare, letter="d")
    entries = [("This list", [Link(f"{n} {LONG}", f"https://ci.example/{n}", letter=digit_key(n)) for n in range(40)])]
    visits = entries_of([Visit(f"taskcluster:group/{n}", LONG, n) for n in range(40)], [])
    return {
        "download": lambda: DownloadDialog(LONG, files, output),
        "options": lambda: DownloadOptionsDialog(way, output),
        "export": lambda: ExportDialog(COLUMNS, marked=3, shown=1_000_000, total=10_000_000, path=output / "x.csv"),
        "confirm": lambda: ConfirmDialog(LONG * 10, LONG),
        "menu": lambda: MenuDialog(LONG, entries),
        "question": lambda: QuestionDialog(Question(LONG, LONG * 3, lambda text: None, LONG, letter="q")),  # type: ignore
        "help": lambda: HelpDialog({}, ["table", "view"], [(f"name_{n}", "text") for n in range(40)]),
        "locate": lambda: LocateDialog(lambda text: None, visits),  # type: ignore[arg-type, return-value]
    }


class Host(ThemedApp):
    def __init__(self, dialog: ModalScreen[Any]) -> None:
        super().__init__()
        self.dialog = dialog
        self.result: list[Any] = []

    def on_mount(self) -> None:
        self.push_screen(self.dialog, self.result.append)


NAMES = ("download", "options", "export", "confirm", "menu", "question", "help", "locate")


def outside(app: Host) -> list[str]:
    """What can be pressed or is highlighted and is not on the screen as a whole."""
    screen = Region(0, 0, *app.size)
    found = []
    for button in app.dialog.query(Button):
        visible = button.region.intersection(screen)
        if visible != button.region or not visible.area or button.region.width < len(str(button.label)):
            found.append(f"{button.id} at {button.region}")
    focused = app.focused
    if isinstance(focused, Input) and focused.region.intersection(screen) != focused.region:
        found.append(f"the input at {focused.region}")
    for choices in app.dialog.query(OptionList):
        if choices.highlighted is not None:
            top = choices.region.y + choices._index_to_line[choices.highlighted] - choices.scroll_offset.y  # type: ignore
            if not choices.region.y <= top < choices.region.bottom or top >= app.size.height:
                found.append(f"the highlighted row at line {top}")
    for rows in app.dialog.query(StartRows):
        line = rows.region.y + rows.cursor - rows.scroll_offset.y
        if not rows.region.y <= line < min(rows.region.bottom, app.size.height):
            found.append(f"the chosen row at line {line}")
    return found


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (200, 60)])
@pytest.mark.parametrize("name", NAMES)
async def test_everything_that_can_be_pressed_lies_on_the_screen(
    tmp_path: Path, name: str, size: tuple[int, int]
) -> None:
    app = Host(make_dialogs(tmp_path)[name]())
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.screen is app.dialog)
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert not outside(app), screen_text(app)
        for _ in range(50):
            await pilot.press("down" if name in ("menu", "locate", "help") else "tab")
        await pilot.pause()
        assert not outside(app), screen_text(app)


@pytest.mark.parametrize(
    ("name", "button"), [("download", "go"), ("options", "go"), ("export", "go"), ("confirm", "no")]
)
async def test_the_main_button_has_the_focus_and_asking_dialogs_focus_the_safe_one(
    tmp_path: Path, name: str, button: str
) -> None:
    app = Host(make_dialogs(tmp_path)[name]())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.focused is not None)
        assert app.focused.id == button


async def test_enter_before_the_plan_is_there_starts_it_when_it_is(tmp_path: Path) -> None:
    app = Host(make_dialogs(tmp_path)["download"]())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: app.result)
        assert app.result[0].plan.to_fetch == 500


def links(letters: str, group: str = "row") -> list[Link]:
    return [
        Link(f"{name} {group}", f"https://ci.example/{name}", letter=letter)
        for letter, name in zip(letters, ("artifacts", "breakdown", "log"), strict=False)
    ]


SECTIONS = [("This task", links("aB")), ("2 marked", links("=", "marked")), ("This group", links("xy", "group"))]


@pytest.mark.parametrize(("key", "label"), [("a", "artifacts row"), ("B", "breakdown row"),
                                            ("equals_sign", "artifacts marked"), ("x", "artifacts group")])  # fmt: skip
async def test_the_letter_of_an_entry_runs_it(key: str, label: str) -> None:
    app = Host(MenuDialog("x", SECTIONS))
    async with app.run_test(size=(60, 15)) as pilot:
        await until(pilot, lambda: app.screen is app.dialog)
        await pilot.press("z", "b", key)  # the first two are no entry's
        await until(pilot, lambda: app.result)
        assert app.result[0].label == label


async def test_headings_stand_above_their_entries_and_are_never_chosen() -> None:
    app = Host(MenuDialog("x", SECTIONS))
    async with app.run_test(size=(60, 15)) as pilot:
        await until(pilot, lambda: "This group" in screen_text(app))
        shown = screen_text(app)
        places = [shown.index(words) for words in ("This task", "a  artifacts row", "2 marked", "=  art", "This group")]
        assert places == sorted(places)
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: app.result)
        assert app.result[0].label == "artifacts marked"


async def test_in_the_box_of_the_menu_letters_are_text_until_tab_leads_back() -> None:
    app = Host(MenuDialog("x", SECTIONS))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.screen is app.dialog)
        await pilot.press("tab", *"marked")
        await until(pilot, lambda: "This task" not in screen_text(app))
        assert "2 marked" in screen_text(app) and not app.result
        await pilot.press("tab", "y")
        await until(pilot, lambda: app.result)
        assert app.result[0].label == "breakdown group"


async def test_the_menu_narrows_as_one_types_and_enter_takes_what_is_left(tmp_path: Path) -> None:
    app = Host(MenuDialog("x", SECTIONS))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.screen is app.dialog)
        await pilot.press("slash", *"break", "enter")
        await until(pilot, lambda: app.result)
        assert app.result[0].label == "breakdown row"


async def test_help_begins_with_the_keys_of_the_place_and_can_be_searched(tmp_path: Path) -> None:
    app = Host(HelpDialog({}, ["log"], [("state", "State (state)")]))
    async with app.run_test(size=(100, 40)) as pilot:
        await until(pilot, lambda: "A log" in screen_text(app))
        shown = screen_text(app)
        assert shown.index("A log") < shown.index("Columns to filter by")
        await pilot.press("slash", *"histogram grouped")
        await until(pilot, lambda: "A log" not in screen_text(app))
        assert "Histogram grouped by the next text column" in screen_text(app)
