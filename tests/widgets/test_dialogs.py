"""Dialogs: everything that can be pressed lies on the screen, the main button has the focus, one habit for all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.app import App
from textual.geometry import Region
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Input, OptionList

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.frames.schema import Column, Kind, Schema
from backends.queries.locators import Source
from backends.queries.sources import OpenSource
from backends.resources import DownloadWay, Field, Link, Prepared, Question, digit_key
from backends.transfers.files import RemoteFile
from tests.driving import screen_text, until
from tests.snapshots.painted_text import paint_as_text
from tui import theme
from tui.history import Visit
from tui.list_settings import ColumnArrangement, ListSettings
from tui.theme import ThemedApp
from tui.widgets.capsule_dialog import CapsuleDialog
from tui.widgets.column_chooser import ColumnChooser
from tui.widgets.copy_dialog import CopyChoice, CopyDialog
from tui.widgets.dialogs import ConfirmDialog, HelpDialog, MenuDialog, QuestionDialog
from tui.widgets.download_dialog import DownloadDialog, DownloadOptionsDialog
from tui.widgets.export_dialog import ExportDialog
from tui.widgets.inputs import ChoiceList, TickBox, TickList
from tui.widgets.palette import Command, PaletteDialog
from tui.widgets.query_dialogs import PivotDialog
from tui.widgets.start_screen import LocateDialog, StartRows, entries_of
from tui.widgets.views_dialog import ViewsDialog

FORMS = {"download": "Start", "options": "Show the plan", "export": "Export", "capsule": "Save", "pivot": "Group"}
DOES = {"download": "starts", "options": "shows it", "export": "exports", "capsule": "saves", "pivot": "groups"}
COLUMNS = Schema(tuple(Column(f"column_{n}", Kind.TEXT, f"Column {n}") for n in range(40)), key="column_0")
ARRANGED = ColumnArrangement(COLUMNS.names, frozenset())
LONG = "test-windows11-64-24h2-asan/opt-mochitest-browser-chrome-a11y-checks-10 " * 3


def files(cancel: CancelToken) -> Iterator[list[RemoteFile]]:
    yield [RemoteFile(f"a/{n}.log", f"http://127.0.0.1:1/{n}", ("a", f"{n}.log"), size=1000) for n in range(500)]


def files_in_folders(cancel: CancelToken) -> Iterator[list[RemoteFile]]:
    """Their plan has hundreds of lines."""
    yield [RemoteFile(f"a/{n}.log", f"http://127.0.0.1:1/{n}", ("a", str(n % 7), f"{n}.log")) for n in range(500)]


def prepare(values: Any, output: Path) -> Prepared:
    raise NotImplementedError


def make_dialogs(output: Path) -> dict[str, Callable[[], ModalScreen[Any]]]:
    way = DownloadWay(LONG, tuple(Field(f"f{n}", f"Field {n}") for n in range(12)), prepare, letter="d")
    entries = [("This list", [Link(f"{n} {LONG}", f"https://ci.example/{n}", letter=digit_key(n)) for n in range(40)])]
    visits = entries_of([Visit(f"taskcluster:group/{n}", LONG, n) for n in range(40)], [])
    return {
        "download": lambda: DownloadDialog(LONG, files, output),
        "long plan": lambda: DownloadDialog(LONG, files_in_folders, output),
        "capsule": lambda: CapsuleDialog(3, 40, 2, output / "x.capsule", queries=True),
        "pivot": lambda: PivotDialog(OpenSource(Source("shown", ""), ColumnsOnly(), COLUMNS.empty())),  # type: ignore
        "copy": lambda: CopyDialog([CopyChoice("row", "text", f"{n} {LONG}") for n in range(40)]),
        "views": lambda: ViewsDialog(LONG, {f"{n} {LONG}": ListSettings() for n in range(40)}, lambda name: None),
        "columns": lambda: ColumnChooser(COLUMNS, ARRANGED, ARRANGED, lambda arranged: arranged),
        "palette": lambda: PaletteDialog([Command(f"{n} {LONG}", "list", "x", lambda: None) for n in range(40)]),
        "options": lambda: DownloadOptionsDialog(way, output),
        "export": lambda: ExportDialog(COLUMNS, marked=3, shown=1_000_000, total=10_000_000, path=output / "x.csv"),
        "confirm": lambda: ConfirmDialog(LONG * 10, LONG),
        "menu": lambda: MenuDialog(LONG, entries),
        "question": lambda: QuestionDialog(Question(LONG, LONG * 3, lambda text: None, LONG, letter="q")),  # type: ignore
        "help": lambda: HelpDialog({}, ["table", "view"], [(f"name_{n}", "text") for n in range(40)]),
        "locate": lambda: LocateDialog(lambda text: None, visits),  # type: ignore[arg-type, return-value]
    }


class ColumnsOnly:
    """A list of which only the columns are asked for."""

    schema = COLUMNS


class Host(ThemedApp):
    def __init__(self, dialog: ModalScreen[Any]) -> None:
        super().__init__()
        self.dialog = dialog
        self.result: list[Any] = []

    def on_mount(self) -> None:
        self.push_screen(self.dialog, self.result.append)


NAMES = tuple(make_dialogs(Path()))
LISTS = ("menu", "locate", "help", "copy", "views", "columns", "palette")


def outside(app: Host) -> list[str]:
    """What can be pressed or is highlighted and is not seen as a whole."""
    found = []
    for button in app.dialog.query(Button):
        visible = visible_part(app, button)
        if visible != button.region or not visible.area or button.region.width < len(str(button.label)):
            found.append(f"{button.id} at {button.region}")
    focused = app.focused
    if isinstance(focused, Input) and visible_part(app, focused) != focused.region:
        found.append(f"the input at {focused.region}")
    for choices in app.dialog.query(OptionList):
        if choices.highlighted is not None and not choices.disabled:
            seen = visible_part(app, choices)
            top = choices.region.y + choices._index_to_line[choices.highlighted] - choices.scroll_offset.y  # type: ignore
            if choices.has_focus and not seen.y <= top < seen.bottom:
                found.append(f"the highlighted row at line {top}")
    for rows in app.dialog.query(StartRows):
        line = rows.region.y + rows.cursor - rows.scroll_offset.y
        if not rows.region.y <= line < min(rows.region.bottom, app.size.height):
            found.append(f"the chosen row at line {line}")
    return found


def visible_part(app: Host, widget: Widget) -> Region:
    """What neither the edge of the screen nor that of a box around it cuts off."""
    return app.dialog.find_widget(widget).visible_region


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
            await pilot.press("down" if name in LISTS else "tab")
        await pilot.pause()
        assert not outside(app), screen_text(app)


@pytest.mark.parametrize(("name", "button"), [*((name, "go") for name in FORMS), ("confirm", "no")])
async def test_the_main_button_has_the_focus_and_asking_dialogs_focus_the_safe_one(
    tmp_path: Path, name: str, button: str
) -> None:
    app = Host(make_dialogs(tmp_path)[name]())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.focused is not None)
        assert app.focused.id == button


def keys_line(app: Host) -> str:
    """The bottom border of the dialog."""
    return next(line for line in reversed(screen_text(app).splitlines()) if "╯" in line)


@pytest.mark.parametrize("size", [(60, 15), (80, 24)])
@pytest.mark.parametrize("name", FORMS)
async def test_enter_in_a_text_field_only_goes_to_the_button_and_the_border_says_so(
    tmp_path: Path, name: str, size: tuple[int, int]
) -> None:
    """One habit in all dialogs with a button: Enter on the button goes ahead, and nowhere else."""
    app = Host(make_dialogs(tmp_path)[name]())
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.focused is not None and app.focused.id == "go")
        await until(pilot, lambda: f"⏎ {DOES[name]} · esc cancels" in keys_line(app))
        while not isinstance(app.focused, Input):
            await pilot.press("tab")
        await until(pilot, lambda: f"⏎ goes to {FORMS[name]} · esc cancels" in keys_line(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.focused is not None and app.focused.id == "go")
        assert not app.result
        await until(pilot, lambda: f"⏎ {DOES[name]} · esc cancels" in keys_line(app))


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("pasted", [False, True])
async def test_what_is_typed_or_pasted_at_once_goes_to_the_first_field(tmp_path: Path, name: str, pasted: bool) -> None:
    app = Host(make_dialogs(tmp_path)[name]())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.dialog.is_mounted and bool(app.dialog.query(Input)))
        field = app.dialog.query(Input).first()
        if pasted:
            app.post_message(events.Paste("*live_backing.log"))
        else:
            await pilot.press(*"*live_backing.log")
        await until(pilot, lambda: field.value == "*live_backing.log")
        assert field.has_focus and app.result == []


@pytest.mark.parametrize("name", ["download", "export", "capsule"])
async def test_enter_in_a_tick_box_ticks_and_the_border_says_so(tmp_path: Path, name: str) -> None:
    app = Host(make_dialogs(tmp_path)[name]())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.focused is not None)
        while not isinstance(app.focused, TickBox):
            await pilot.press("tab")
        box = app.focused
        await until(pilot, lambda: "⏎ ticks" in keys_line(app))
        await pilot.press("enter")
        await until(pilot, lambda: box.value)
        assert not app.result


async def test_a_question_says_what_enter_does_where_the_focus_is(tmp_path: Path) -> None:
    app = Host(ConfirmDialog("Delete it?", "Delete"))
    async with app.run_test(size=(60, 15)) as pilot:
        await until(pilot, lambda: "⏎ or esc stays" in keys_line(app))
        await pilot.press("tab")
        await until(pilot, lambda: "⏎ or y goes ahead" in keys_line(app))


async def test_a_long_plan_is_paged_while_its_button_stays_in_sight(tmp_path: Path) -> None:
    app = Host(make_dialogs(tmp_path)["long plan"]())
    async with app.run_test(size=(60, 15)) as pilot:
        await until(pilot, lambda: "PgDn more" in keys_line(app))
        before = screen_text(app)
        await pilot.press("pagedown")
        await until(pilot, lambda: screen_text(app) != before)
        assert "Start" in screen_text(app) and not outside(app)


async def test_enter_before_the_plan_is_there_starts_it_when_it_is(tmp_path: Path) -> None:
    app = Host(make_dialogs(tmp_path)["download"]())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: app.result)
        assert app.result[0].plan.to_fetch == 500


async def test_enter_before_the_plan_is_there_says_that_it_was_taken(tmp_path: Path) -> None:
    listed = threading.Event()

    def wait(cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        listed.wait()
        yield from files(cancel)

    app = Host(DownloadDialog("all", wait, tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Listing files…" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: "Starts as soon as that is known. Esc cancels." in screen_text(app))
        assert not app.result
        listed.set()
        await until(pilot, lambda: app.result)


async def test_files_that_cannot_be_listed_promise_no_start(tmp_path: Path) -> None:
    def fail(cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        raise AppError("The server is away.", "Wait.")

    app = Host(DownloadDialog("all", fail, tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "The server is away." in screen_text(app))
        await pilot.press("f2")
        await pilot.pause()
        assert "Starts as soon" not in screen_text(app) and not app.result


async def test_globs_that_no_file_matches_are_said_and_start_nothing(tmp_path: Path) -> None:
    def named(cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        yield [replace(file, name=f"public/{number}.json") for number, file in enumerate(next(files(cancel)))]

    app = Host(DownloadDialog("all", named, tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "500 files to fetch" in screen_text(app))
        app.screen.query_one("#download-globs", Input).value = "*.jsn"
        await until(pilot, lambda: "None of the 500 files matches *.jsn." in screen_text(app))
        await pilot.press("f2")
        await pilot.pause()
        assert not app.result and app.screen.query_one("#go", Button).disabled
        app.screen.query_one("#download-globs", Input).value = ""
        await until(pilot, lambda: "500 files to fetch" in screen_text(app))
        await pilot.press("f2")
        await until(pilot, lambda: app.result)


@pytest.mark.parametrize(
    ("name", "words"),
    [("x" * 300, "file name too long"), ("~nobody-of-this-name/x", "there is no such home directory")],
)
@pytest.mark.parametrize(
    ("dialog", "box"),
    [("download", "#download-output"), ("options", "#way--output"), ("export", "#export-path"),
     ("capsule", "#capsule-path")],
)  # fmt: skip
async def test_what_no_file_can_be_called_is_said_in_the_dialog(
    tmp_path: Path, dialog: str, box: str, name: str, words: str
) -> None:
    app = Host(make_dialogs(tmp_path)[dialog]())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.screen is app.dialog and app.screen.query(box))
        if dialog == "download":
            await until(pilot, lambda: "500 files to fetch" in screen_text(app))
        app.screen.query_one(box, Input).value = name
        await pilot.press("f2")
        await until(pilot, lambda: words in " ".join(screen_text(app).replace("│", " ").split()))
        assert not app.result


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


@pytest.mark.parametrize("name", ["export", "views"])
async def test_a_dialog_that_is_closed_part_by_part_does_not_end_the_app(tmp_path: Path, name: str) -> None:
    """Its parts end before it does; the focus that is lost with one of them redraws the border."""
    app = ThemedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        dialog = make_dialogs(tmp_path)[name]()
        await app.push_screen(dialog)
        await pilot.pause()
        for part in dialog.query(".body, OptionList"):
            await part.remove()
        dialog.set_focus(None)
        dialog.draw_keys()  # type: ignore[attr-defined]
        await pilot.pause()
        assert app.is_running


@pytest.mark.parametrize("name", LISTS)
async def test_the_keys_in_the_border_are_left_out_whole(name: str, tmp_path: Path) -> None:
    app = Host(make_dialogs(tmp_path)[name]())
    async with app.run_test(size=(60, 15)) as pilot:
        await until(pilot, lambda: " · " in keys_line(app))
        assert "…" not in keys_line(app)


async def test_a_line_of_the_plan_that_is_cut_says_so(tmp_path: Path) -> None:
    app = Host(make_dialogs(tmp_path / ("long" * 20))["long plan"]())
    async with app.run_test(size=(60, 24)) as pilot:
        await until(
            pilot, lambda: any("/pytest-" in line and "… " in line for line in screen_text(app).splitlines()[8:])
        )


async def test_left_and_right_go_from_one_button_to_the_other() -> None:
    app = Host(ConfirmDialog("A download runs. Quit?", "Quit"))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.focused, Button))
        seen = []
        for key in ("left", "left", "right", "right", "left"):
            await pilot.press(key)
            seen.append(app.focused.id if app.focused else "")
        assert seen == ["yes", "yes", "no", "no", "yes"]
        assert "⏎ or y goes ahead" in keys_line(app)
        await pilot.press("enter")
        await until(pilot, lambda: app.result)
        assert app.result == [True]


async def test_left_and_right_stay_those_of_a_text_box(tmp_path: Path) -> None:
    app = Host(make_dialogs(tmp_path)["export"]())
    async with app.run_test(size=(80, 24)) as pilot:
        box = app.dialog.query(Input).first()
        box.focus()
        await pilot.press("end", "left", "Z")
        assert app.focused is box and box.value.endswith("cs" + "Zv")


@pytest.mark.parametrize("pasted", [False, True], ids=["typed", "pasted"])
async def test_what_is_written_in_the_column_chooser_looks_for_columns(tmp_path: Path, pasted: bool) -> None:
    app = Host(make_dialogs(tmp_path)["columns"]())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.focused, OptionList))
        if pasted:
            app.post_message(events.Paste("mn 37"))
            await until(pilot, lambda: "Column 37" in screen_text(app))
        else:
            await pilot.press(*"mn 37")
        await until(pilot, lambda: app.dialog.query_one(Input).value == "mn 37")
        assert app.dialog.query_one(OptionList).option_count == 1


@pytest.fixture
def truecolor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")


@pytest.mark.parametrize("name", [*FORMS, "confirm"])
async def test_the_button_that_has_the_focus_is_one_filled_block(name: str, tmp_path: Path, truecolor: None) -> None:
    app = Host(make_dialogs(tmp_path)[name]())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.focused, Button))
        drawn = paint_as_text(app, light=False).splitlines()
        runs = [run for line in drawn for run in line.strip().split("  ") if ":on-fill" in run]
        assert [run.partition(" ")[2] for run in runs] == ["fill-accent:on-fill bold"]
        other = next(button for button in app.dialog.query(Button) if not button.has_focus)
        assert (other.rich_style.bgcolor.name, other.rich_style.bold) == (theme.SURFACES["field"][0], None)  # type: ignore


async def test_ticks_and_dots_of_the_export_are_accents_without_a_ground(tmp_path: Path, truecolor: None) -> None:
    app = Host(make_dialogs(tmp_path)["export"]())
    async with app.run_test(size=(80, 24)):
        styles = {
            (widget.__class__.__name__, "-on" in widget.classes): widget.get_visual_style("toggle--button")
            for widget in app.dialog.query("RadioDot, TickBox")
        }
        inks = {key: theme.INKS["accent" if key[1] else "muted"][0] for key in styles}
        assert {key: style.foreground.hex.lower() for key, style in styles.items()} == inks  # type: ignore[union-attr]
        assert ("RadioDot", True) in styles
        columns = app.dialog.query_one("#export-columns")
        on = columns.get_component_rich_style("selection-list--button-selected")
        assert on.color is not None and on.color.name == theme.INKS["accent"][0]
        field = columns.get_component_rich_style("selection-list--button").bgcolor
        assert field is not None and field.name == theme.SURFACES["field"][0]


async def test_places_and_keys_of_the_palette_stand_in_columns() -> None:
    texts = (("Open", "this task", "x t"), ("Theme: dark", "app", ""), (LONG, "1,200 shown", "x U"),
             ("Page", "app", "PgDn, Ctrl+F, Space"))  # fmt: skip
    commands = [Command(*words, lambda: None) for words in texts]
    for size in ((60, 15), (80, 24)):
        app = Host(PaletteDialog(commands))
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda app=app: "4 of 4" in screen_text(app))
            shown = [line for line in screen_text(app).splitlines() if any(one.label[:8] in line for one in commands)]
            pairs = list(zip(shown, commands, strict=True))
            assert len({line.index(one.where) for line, one in pairs}) == 1, shown
            keys = [key for _, _, key in texts]
            assert len({line.index(key[:3]) for line, key in zip(shown, keys, strict=True) if key}) == 1, shown
            assert "PgDn" in shown[-1] and "Ctrl+F" not in shown[-1], "the first of several keys is enough here"


@pytest.mark.parametrize("make", [ChoiceList, TickList])
async def test_a_page_key_right_after_a_list_has_choices_again_does_not_end_the_app(
    make: type[ChoiceList] | type[TickList],
) -> None:
    """It had none, so it has no line on the screen yet."""
    app: App[None] = App()
    async with app.run_test() as pilot:
        choices = make()
        choices.styles.height, choices.styles.border = "auto", ("none", "red")
        await app.screen.mount(choices)
        await pilot.pause()
        assert choices.size.height == 0
        names = [(name, name) for name in "abcd"] if isinstance(choices, TickList) else [*"abcd"]
        choices.add_options(names)  # type: ignore[arg-type]
        choices.action_page_down()
        choices.action_page_up()
        await pilot.pause()
        choices.action_page_down()
        assert choices.size.height == 4 and choices.highlighted == 3
