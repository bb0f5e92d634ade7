"""What to export: the format, which rows and columns, and where to; asked once, on one screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, RadioSet, Static
from textual.widgets.selection_list import Selection

from backends.frames.formats import safe_text
from backends.frames.schema import Schema
from tui.widgets.ticked import Dot, Tick, TickList

Format = Literal["csv", "jsonl", "json", "parquet"]
Rows = Literal["marked", "shown", "all"]
_FORMATS: tuple[Format, ...] = get_args(Format)
_ROWS: tuple[Rows, ...] = get_args(Rows)
_WORDS = {"csv": "CSV", "jsonl": "JSON lines", "json": "JSON", "parquet": "Parquet"}


@dataclass(frozen=True)
class ExportChoice:
    """What was chosen. `columns` in the order of the schema; `path` as typed, `~` and the like not yet expanded."""

    format: Format
    rows: Rows
    columns: tuple[str, ...]
    path: Path
    spreadsheet_safe: bool
    overwrite: bool


class ExportDialog(ModalScreen[ExportChoice | None]):
    """Gives an `ExportChoice`, or None when it was left. Writes nothing itself."""

    DEFAULT_CSS = """
    ExportDialog { align: center middle; }
    ExportDialog > Vertical { width: 96%; max-width: 100; height: 22; max-height: 98%; border: round $primary;
        background: $surface; padding: 0 1; }
    ExportDialog #export-title { text-style: bold; color: $primary; height: 1; }
    ExportDialog .field { height: 1; }
    ExportDialog .field Label { width: 10; color: $text-muted; }
    ExportDialog Input, ExportDialog Input:focus { border: none; height: 1; padding: 0 1; background: $boost;
        width: 1fr; }
    ExportDialog Input:focus { background: $primary 30%; }
    ExportDialog Tick, ExportDialog Tick:focus { border: none; padding: 0; background: transparent; }
    ExportDialog #export-options { height: 1fr; margin: 1 0; }
    ExportDialog .group { height: 100%; margin-right: 1; }
    ExportDialog .group > Label { color: $text-muted; }
    ExportDialog #export-formats { width: 16; }
    ExportDialog #export-scope { width: 22; }
    ExportDialog #export-pick { width: 1fr; margin-right: 0; }
    ExportDialog RadioSet, ExportDialog RadioSet:focus { border: none; padding: 0; width: 100%;
        background: transparent; }
    ExportDialog TickList, ExportDialog TickList:focus { border: none; padding: 0; height: 1fr;
        background: $boost; }
    ExportDialog #export-note { height: 1; color: $warning; }
    ExportDialog .buttons { height: 1; }
    ExportDialog Button { margin-right: 2; height: 1; border: none; min-width: 12; }
    """
    BINDINGS = [
        Binding("escape", "give_up", "Cancel"),
        Binding("ctrl+j,f2", "go", "Export", show=False),
    ]

    def __init__(
        self,
        schema: Schema,
        *,
        marked: int,
        shown: int,
        total: int,
        path: Path,
        columns: Sequence[str] | None = None,
        format: Format = "csv",
    ) -> None:
        """`columns`: those ticked at first, by default all that are not hidden. `path`: offered, with any ending."""
        super().__init__()
        self._schema = schema
        self._counts: dict[Rows, int] = {"marked": marked, "shown": shown, "all": total}
        self._path = path
        self._format = format
        ticked = columns if columns is not None else [column.name for column in schema if not column.hidden]
        self._ticked = set(ticked)

    def compose(self) -> ComposeResult:
        first = next((rows for rows in _ROWS if self._counts[rows]), "all")
        with Vertical():
            yield Static("Export", id="export-title")
            with Horizontal(classes="field"):
                yield Label("To")
                yield Input(str(_with_ending(self._path, self._format)), id="export-path")
            with Horizontal(id="export-options"):
                with Vertical(id="export-formats", classes="group"):
                    yield Label("Format")
                    with RadioSet(id="export-format"):
                        for name in _FORMATS:
                            yield Dot(_WORDS[name], value=name == self._format, id=f"format-{name}")
                with Vertical(id="export-scope", classes="group"):
                    yield Label("Rows")
                    with RadioSet(id="export-rows"):
                        for rows in _ROWS:
                            label = Text(f"{self._counts[rows]:,} {rows}")
                            empty = rows == "marked" and not self._counts[rows]
                            yield Dot(label, value=rows == first, id=f"rows-{rows}", disabled=empty)
                with Vertical(id="export-pick", classes="group"):
                    yield Label("Columns")
                    yield TickList(
                        *(
                            Selection(Text(safe_text(column.label)), column.name, column.name in self._ticked)
                            for column in self._schema
                        ),
                        id="export-columns",
                    )
            yield Tick("Replace the file if it exists", id="export-overwrite")
            yield Tick("For a spreadsheet: defuse text that begins with = + - @ (CSV)", id="export-safe")
            yield Static("", id="export-note")
            with Horizontal(classes="buttons"):
                yield Button("Export", id="export-go", variant="primary", compact=True)
                yield Button("Cancel (Esc)", id="export-no", compact=True)

    def on_mount(self) -> None:
        self.query_one("#export-path", Input).focus()

    # ---- what was chosen -------------------------------------------------------------------------------------
    @property
    def choice(self) -> ExportChoice | None:
        """What Export would give now; None while something is missing, which the note then says."""
        ticked = set(self.query_one("#export-columns", TickList).selected)
        columns = tuple(name for name in self._schema.names if name in ticked)
        path = self.query_one("#export-path", Input).value.strip()
        if not columns or not path:
            return None
        form = _FORMATS[self.query_one("#export-format", RadioSet).pressed_index]
        return ExportChoice(
            form,
            _ROWS[self.query_one("#export-rows", RadioSet).pressed_index],
            columns,
            Path(path),
            self.query_one("#export-safe", Tick).value and form == "csv",
            self.query_one("#export-overwrite", Tick).value,
        )

    @on(RadioSet.Changed, "#export-format")
    def _format_chosen(self, event: RadioSet.Changed) -> None:
        event.stop()
        chosen = _FORMATS[event.index]
        line = self.query_one("#export-path", Input)
        line.value = str(_with_ending(Path(line.value), chosen)) if line.value.strip() else ""
        self.query_one("#export-safe", Tick).disabled = chosen != "csv"

    @on(TickList.SelectedChanged)
    @on(Input.Changed)
    def _check(self) -> None:
        note = ""
        if not self.query_one("#export-columns", TickList).selected:
            note = "Tick at least one column."
        elif not self.query_one("#export-path", Input).value.strip():
            note = "Name a file."
        self.query_one("#export-note", Static).update(note)
        self.query_one("#export-go", Button).disabled = bool(note)

    # ---- leaving ---------------------------------------------------------------------------------------------
    @on(Input.Submitted)
    @on(Button.Pressed, "#export-go")
    def action_go(self) -> None:
        if (chosen := self.choice) is not None:
            self.dismiss(chosen)

    @on(Button.Pressed, "#export-no")
    def action_give_up(self) -> None:
        self.dismiss(None)


def _with_ending(path: Path, form: Format) -> Path:
    """The path with the ending of the format, if it had none or that of another one; another ending is meant so."""
    if path.suffix.lstrip(".").lower() not in {*_FORMATS, "ndjson", ""} or not path.name:
        return path
    return path.with_suffix(f".{form}")
