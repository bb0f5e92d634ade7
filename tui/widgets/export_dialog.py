"""Exporting a table, a plot or a report of it: a dialog for format, rows, columns and file; a thread that writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, cast, get_args

import polars as pl
from rich.text import Text
from textual import on
from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Label, RadioSet, Static
from textual.widgets.selection_list import Selection

from backends.frames.export_formats import EXPORT_FORMATS
from backends.frames.formats import safe_text
from backends.frames.reports import ReportHeading, write_report
from backends.frames.schema import Schema
from tui import crash_log
from tui.widgets.dialogs import REPLACE, FormDialog, explain_blocked, explain_write_error
from tui.widgets.inputs import RadioDot, TickBox, TickList
from tui.widgets.table import FrameTable

Rows = Literal["marked", "shown", "all"]
WriteRows = Callable[[pl.DataFrame, str], None]  # all rows, and what they lack, in words
_ROWS: tuple[Rows, ...] = get_args(Rows)


@dataclass(frozen=True)
class ExportChoice:
    """What was chosen. `format`: a name of `EXPORT_FORMATS`. `columns` in the order of the schema; `path` as typed, `~`
    and the like not yet expanded."""

    format: str
    rows: Rows
    columns: tuple[str, ...]
    path: Path
    spreadsheet_safe: bool
    overwrite: bool


class ExportDialog(FormDialog[ExportChoice]):
    """Gives an `ExportChoice`, or None when it was left. Writes nothing itself."""

    DEFAULT_CSS = """
    ExportDialog > .box { max-width: 100; }
    ExportDialog #export-options { height: 9; margin: 1 0; }
    ExportDialog .group { height: 100%; margin-right: 1; }
    ExportDialog .group > Label { color: $ci-muted; }
    ExportDialog #export-formats { width: 16; }
    ExportDialog #export-scope { width: auto; min-width: 14; max-width: 22; }
    ExportDialog #export-pick { width: 1fr; margin-right: 0; }
    ExportDialog RadioSet, ExportDialog RadioSet:focus { border: none; padding: 0; width: 100%;
        background: transparent; }
    ExportDialog #export-rows { width: auto; }
    ExportDialog TickList, ExportDialog TickList:focus { border: none; padding: 0; height: 1fr;
        background: $ci-field; }
    ExportDialog #export-note { height: auto; color: $ci-warning; }
    """
    button = "Export"
    does = "exports"

    def __init__(self, schema: Schema, *, marked: int, shown: int, total: int, path: Path) -> None:
        """`path`: the file to suggest."""
        super().__init__("Export")
        self._schema = schema
        self._counts: dict[Rows, int] = {"marked": marked, "shown": shown, "all": total}
        self._path = path

    def compose_body(self) -> ComposeResult:
        first = next((rows for rows in _ROWS if self._counts[rows]), "all")
        with Horizontal(classes="field"):
            yield Label("To")
            yield Input(str(_with_suffix(self._path, "csv")), id="export-path")
        with Horizontal(id="export-options"):
            with Vertical(id="export-formats", classes="group"):
                yield Label("Format")
                with RadioSet(id="export-format"):
                    for form in EXPORT_FORMATS:
                        yield RadioDot(form.label, value=form.name == "csv", id=f"format-{form.name}")
            with Vertical(id="export-scope", classes="group"):
                yield Label("Rows")
                with RadioSet(id="export-rows"):
                    for rows in _ROWS:
                        label = Text(f"{self._counts[rows]:,} {rows}")
                        empty = rows == "marked" and not self._counts[rows]
                        yield RadioDot(label, value=rows == first, id=f"rows-{rows}", disabled=empty)
            with Vertical(id="export-pick", classes="group"):
                yield Label("Columns")
                yield TickList(
                    *(
                        Selection(Text(safe_text(column.label)), column.name, not column.hidden)
                        for column in self._schema
                    ),
                    id="export-columns",
                )
        yield TickBox(REPLACE, id="export-overwrite")
        yield TickBox("For a spreadsheet: escape text that begins with = + - @ (CSV)", id="export-safe")
        yield Static("", id="export-note")

    # ---- what was chosen -------------------------------------------------------------------------------------
    @property
    def choice(self) -> ExportChoice | None:
        """What Export would give now; None while something is missing; the note says what."""
        names = set(self.query_one("#export-columns", TickList).selected)
        columns = tuple(name for name in self._schema.names if name in names)
        path = self.query_one("#export-path", Input).value.strip()
        if not columns or not path:
            return None
        form = EXPORT_FORMATS[self.query_one("#export-format", RadioSet).pressed_index].name
        return ExportChoice(
            form,
            _ROWS[self.query_one("#export-rows", RadioSet).pressed_index],
            columns,
            Path(path),
            self.query_one("#export-safe", TickBox).value and form == "csv",
            self.query_one("#export-overwrite", TickBox).value,
        )

    @on(RadioSet.Changed, "#export-format")
    def _format_changed(self, event: RadioSet.Changed) -> None:
        event.stop()
        form, shows = EXPORT_FORMATS[event.index].name, EXPORT_FORMATS[event.index].shows
        line = self.query_one("#export-path", Input)
        line.value = str(_with_suffix(Path(line.value), form)) if line.value.strip() else ""
        self.query_one("#export-safe", TickBox).disabled = form != "csv"
        self.query_one("#export-columns", TickList).disabled = shows == "plot"  # which has its own

    @on(TickList.SelectedChanged)
    @on(Input.Changed)
    def _check(self) -> None:
        note = ""
        if not self.query_one("#export-columns", TickList).selected:
            note = "Select at least one column."
        elif not self.query_one("#export-path", Input).value.strip():
            note = "Enter a file name."
        self.query_one("#export-note", Static).update(note)
        self.query_one("#go", Button).disabled = bool(note)

    # ---- leaving ---------------------------------------------------------------------------------------------
    def action_go(self) -> None:
        if (choice := self.choice) is None:
            return
        if note := explain_blocked(choice.path, choice.overwrite):
            self.query_one("#export-note", Static).update(note)
        else:
            self.dismiss(choice)


def _with_suffix(path: Path, form: str) -> Path:
    """The path with the suffix of the format, if it had none or that of another format; any other suffix stays."""
    known = {one.name for one in EXPORT_FORMATS}
    if path.suffix.lstrip(".").lower() not in {*known, "ndjson", ""} or not path.name:
        return path
    return path.with_suffix(f".{form}")


def export_table(
    app: App[None],
    table: FrameTable,
    schema: Schema,
    stem: str,
    heading: ReportHeading | None = None,
    lack: str = "",
    complete: Callable[[WriteRows], None] | None = None,
) -> None:
    """Opens the dialog for a table; `stem` begins the suggested file name. `heading`: what a plot or a report says.

    `lack`: what is to be said of the rows afterwards. `complete`: where rows lack cells that are still to be read. It
    gets what writes the file, to be called with the whole table once all cells have come: the dialog opens at once, and
    nothing opens by itself later.
    """
    path = Path.cwd() / f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}.csv"
    dialog = ExportDialog(schema, path=path, marked=table.marked_count, shown=table.row_count, total=table.total_count)

    def start(choice: ExportChoice | None) -> None:
        if choice is None:
            return
        rows = table.marked_rows_as_shown if choice.rows == "marked" else table.frame
        rows = table.shown_rows if choice.rows == "shown" else rows
        described = heading or ReportHeading(stem)
        if choice.rows != "shown":
            described = replace(described, filter="" if choice.rows == "all" else "the marked rows")

        def write(rows: pl.DataFrame, lack: str) -> None:
            work = partial(_export, app, rows, schema, choice, described, lack)
            app.run_worker(work, thread=True, group="export", exit_on_error=False)

        if complete is None:
            write(rows, lack)
        else:
            keys = rows.select(schema.key)
            complete(lambda frame, lack: write(keys.join(frame, schema.key, how="left", maintain_order="left"), lack))

    app.push_screen(dialog, start)


def _export(
    app: App[None], rows: pl.DataFrame, schema: Schema, choice: ExportChoice, heading: ReportHeading, lack: str
) -> None:
    """In a worker thread."""
    notes, error = crash_log.attempt(_write, rows, schema, choice, heading)
    if error is not None:
        app.call_from_thread(
            partial(app.notify, explain_write_error(error), title="Export failed", severity="error", timeout=10)
        )
    else:
        shows = next(form.shows for form in EXPORT_FORMATS if form.name == choice.format)
        kind = {"plot": "A plot of ", "report": "A report of "}.get(shows, "")
        message = "\n".join([f"{kind}{len(rows):,} rows in {choice.path}", *(notes or ()), *([lack] if lack else ())])
        app.call_from_thread(partial(app.notify, message, title="Exported", markup=False))


def _write(rows: pl.DataFrame, schema: Schema, choice: ExportChoice, heading: ReportHeading) -> list[str]:
    """Gives what is to be said about what the file does not show."""
    if choice.format == "html":
        write_report(rows, schema, choice.path, heading, columns=choice.columns, overwrite=choice.overwrite)
        return []
    if choice.format == "svg" or choice.format == "png":
        from backends.frames.figures import write_figure
        from backends.frames.plots import explain_empty_plot, plot_rows

        figure = plot_rows(rows, schema, chart=heading.chart, column=heading.column, title=heading.title)
        write_figure(figure, choice.path, overwrite=choice.overwrite)
        empty = explain_empty_plot(rows, schema, chart=heading.chart, column=heading.column)
        return [empty] if empty else []
    from backends.frames import export

    export.write(
        rows,
        choice.path,
        cast("export.Format", choice.format),
        schema=schema,
        columns=choice.columns,
        spreadsheet_safe=choice.spreadsheet_safe,
        overwrite=choice.overwrite,
    )
    return export.explain_nulls(rows, choice.format, choice.columns)
