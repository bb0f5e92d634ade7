"""From `e` to a file: asks what and where, writes off the interface's loop, says how it went."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from backends.errors import AppError
from tui import crash_log

if TYPE_CHECKING:
    import polars as pl
    from textual.app import App

    from backends.frames.schema import Schema
    from tui.screens.export_dialog import ExportChoice
    from tui.widgets.frame_table import FrameTable


def export_table(app: App[None], table: FrameTable, schema: Schema, stem: str) -> None:
    """Opens the export dialog for a table; `stem` begins the file name it offers."""
    from tui.screens.export_dialog import ExportDialog

    path = Path.cwd() / f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}.csv"
    dialog = ExportDialog(schema, path=path, marked=table.marked_count, shown=table.row_count, total=table.total_count)
    app.push_screen(dialog, partial(_chosen, app, table, schema))


def _chosen(app: App[None], table: FrameTable, schema: Schema, choice: ExportChoice | None) -> None:
    if choice is None:
        return
    rows = {"marked": lambda: table.marked, "shown": lambda: table.shown, "all": lambda: table.frame}[choice.rows]()
    work = partial(_write, app, rows, schema, choice)
    app.run_worker(work, thread=True, group="export", exit_on_error=False)


def _write(app: App[None], rows: pl.DataFrame, schema: Schema, choice: ExportChoice) -> None:
    from backends.frames import export

    try:
        export.write(
            rows,
            choice.path,
            choice.format,
            schema=schema,
            columns=choice.columns,
            spreadsheet_safe=choice.spreadsheet_safe,
            overwrite=choice.overwrite,
        )
    except AppError as problem:
        app.call_from_thread(_failed, app, problem)
    except Exception as error:
        app.call_from_thread(_failed, app, crash_log.as_problem(error))
    else:
        words = f"{len(rows):,} rows in {choice.path}"
        app.call_from_thread(partial(app.notify, words, title="Exported", markup=False))


def _failed(app: App[None], problem: AppError) -> None:
    app.notify(str(problem), title="Not exported", severity="error", timeout=10, markup=False)
