"""The export dialog gives exactly what was chosen, by keyboard alone, and nothing when it is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Button, Input, RadioSet

from backends.frames.schema import Column, Kind, Schema
from tui.theme import ThemedApp
from tui.widgets.export_dialog import ExportChoice, ExportDialog
from tui.widgets.inputs import TickList

SCHEMA = Schema(
    (
        Column("name", Kind.TEXT, "Name"),
        Column("state", Kind.STATE, "[red]\x1b[31mState"),
        Column("hash", Kind.ID, "Hash", hidden=True),
        Column("size", Kind.BYTES, "Size"),
    ),
    key="id",
)
NOTHING = "nothing yet"


class DialogApp(ThemedApp):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        counts = {"marked": 2, "shown": 10, "total": 20, "path": Path("out/tasks")}
        self.dialog = ExportDialog(SCHEMA, **(counts | options))
        self.result: ExportChoice | str | None = NOTHING

    def on_mount(self) -> None:
        self.push_screen(self.dialog, self._keep_choice)

    def _keep_choice(self, choice: ExportChoice | None) -> None:
        self.result = choice


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a directory `out`."""
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)


async def test_enter_at_once_exports_the_marked_rows_as_csv() -> None:
    app = DialogApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert app.result == ExportChoice(
            "csv", "marked", ("name", "state", "size"), Path("out/tasks.csv"), spreadsheet_safe=False, overwrite=False
        )


async def test_everything_can_be_chosen_with_the_keyboard() -> None:
    app = DialogApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("tab")  # from the button to the file
        await pilot.press("tab", "down", "enter")  # format: JSON lines
        await pilot.press("tab", "down", "down", "enter")  # rows: all
        await pilot.press("tab", "space", "down", "down", "space")  # columns: not the name, but the hash
        await pilot.press("tab", "space")  # overwrite
        for _ in range(8):
            if app.focused is not None and app.focused.id == "go":
                break
            await pilot.press("tab")
        await pilot.press("enter")
        await pilot.pause()
        assert app.result == ExportChoice(
            "jsonl", "all", ("state", "hash", "size"), Path("out/tasks.jsonl"), spreadsheet_safe=False, overwrite=True
        )


async def test_escape_leaves_without_a_choice() -> None:
    app = DialogApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("tab", "escape")
        await pilot.pause()
        assert app.result is None


@pytest.mark.parametrize(("marked", "rows"), [(0, "shown"), (3, "marked")])
async def test_marked_rows_are_offered_first_if_there_are_any(marked: int, rows: str) -> None:
    app = DialogApp(marked=marked)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert app.dialog.choice is not None and app.dialog.choice.rows == rows
        assert app.dialog.query_one("#rows-marked").disabled == (not marked)


async def test_the_ending_follows_the_format_unless_it_was_meant_otherwise() -> None:
    app = DialogApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        line = app.dialog.query_one(Input)
        await pilot.click("#format-parquet")
        assert line.value == "out/tasks.parquet"
        line.value = "rows.dat"
        await pilot.click("#format-json")
        assert line.value == "rows.dat"


async def test_defusing_formulas_is_only_for_csv() -> None:
    app = DialogApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.click("#export-safe")
        assert app.dialog.choice is not None and app.dialog.choice.spreadsheet_safe
        await pilot.click("#format-parquet")
        assert app.dialog.query_one("#export-safe").disabled
        assert app.dialog.choice is not None and not app.dialog.choice.spreadsheet_safe


@pytest.mark.parametrize("missing", ["columns", "path"])
async def test_what_is_missing_is_said_and_nothing_is_given(missing: str) -> None:
    app = DialogApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        if missing == "columns":
            app.dialog.query_one(TickList).deselect_all()
        else:
            app.dialog.query_one(Input).value = " "
        await pilot.pause()
        assert app.dialog.query_one("#go", Button).disabled
        app.dialog.query_one(Input).focus()
        await pilot.press("enter")
        await pilot.pause()
        assert app.result == NOTHING
        assert app.dialog.query_one("#export-note").render_line(0).text.strip()


async def test_every_control_is_on_the_screen_at_80x24() -> None:
    app = DialogApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        for selector in ("#export-path", "#export-columns", "#export-overwrite", "#export-safe", "#go"):
            region = app.dialog.query_one(selector).region
            assert region.height > 0 and region in app.dialog.region
        assert all(
            app.dialog.query_one(f"#format-{name}").region.height
            for name in ("csv", "jsonl", "json", "parquet", "svg", "png", "html")
        )
        assert app.dialog.query_one(RadioSet).region.width > 10


async def test_what_is_off_looks_empty_even_without_colour() -> None:
    app = DialogApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        columns = app.dialog.query_one(TickList)
        lines = [columns.render_line(y).text for y in range(4)]
        assert [line.strip()[:3] for line in lines] == ["[x]", "[x]", "[ ]", "[x]"]
        assert "[red]" in lines[1] and "\x1b" not in lines[1]
        assert "[ ]" in app.dialog.query_one("#export-safe").render_line(0).text
        assert "●" in app.dialog.query_one("#format-csv").render_line(0).text
        assert "●" not in app.dialog.query_one("#format-json").render_line(0).text
