"""How a headless command shows a frame and its progress: a table for a person, a format for a program."""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backends.atomic import disk_words
from backends.errors import FileError, UsageError
from backends.frames.export_formats import ROW_FORMATS
from backends.progress_line import Progress as Progress
from tui.commands.options import FAILURES, NOTES

if TYPE_CHECKING:
    import polars as pl

    from backends.frames.figures import Figure
    from backends.frames.reports import ReportHeading
    from backends.frames.schema import Schema
    from backends.resources import Resource

FORMATS = ("table", *ROW_FORMATS)
# The names of the values of `output_options`.
OUTPUT_NAMES = ("fmt", "target", "columns", "spreadsheet_safe", "overwrite", "plot", "plot_column", "report")


def output_options(command: Any) -> Any:
    """--format, --columns, -o, --plot, --report and --overwrite, the same on every command that prints a frame."""
    for option in (
        click.option(
            "--report", metavar="FILE.html", help="Write table, statistics and charts as an HTML page; print nothing."
        ),
        click.option("--plot-column", metavar="COLUMN", help="What --plot draws: the distribution of this column."),
        click.option(
            "--plot", metavar="FILE", help="Draw the chart or a histogram into FILE (.svg, .png) and print nothing."
        ),
        click.option("--overwrite", is_flag=True, help="Replace FILE if it exists."),
        click.option(
            "--spreadsheet-safe", is_flag=True, help="Defuse CSV cells that a spreadsheet would run as formulas."
        ),
        click.option("--columns", metavar="A,B,...", help="Only these columns."),
        click.option("-o", "--to", "target", metavar="FILE", help="Write to FILE; - is stdout."),
        click.option(
            "--format", "fmt", type=click.Choice(FORMATS), help="Default: table on a terminal, CSV in a pipe."
        ),
    ):
        command = option(command)
    return command


def chosen_format(fmt: str | None, target: str | None) -> str:
    """The format asked for; else by the file's ending; else a table for a terminal and CSV for a pipe."""
    if fmt:
        return fmt
    if target and target != "-":
        ending = Path(target).suffix.lstrip(".").lower()
        return {"ndjson": "jsonl", "txt": "table"}.get(ending, ending if ending in FORMATS else "csv")
    return "table" if sys.stdout.isatty() else "csv"


def check_output(schema: Schema, output: Mapping[str, Any]) -> None:
    """Refuses what `emit` would refuse, before anything is asked of a server. `output`: the values of its options.

    Raises `UsageError` for a column that the schema lacks, and for a plot or a report that cannot be written.
    """
    from backends.frames.export import select_columns

    _check_pairs(output)
    _check_targets(output)
    select_columns(schema, output_columns(output))
    if output.get("plot_column") is not None:
        if output.get("plot") is None and output.get("report") is None:
            raise UsageError("--plot-column without --plot draws nothing.", "Add --plot FILE.")
        select_columns(schema, [output["plot_column"]])
    if output.get("plot") is not None:
        from backends.frames.figures import figure_format

        figure_format(Path(output["plot"]))
    if output.get("report") is not None:
        from backends.frames.reports import check_report_name

        check_report_name(Path(output["report"]))


def _check_targets(output: Mapping[str, Any]) -> None:
    """Raises the `FileError` of a file that cannot be written, before 10,000 rows are read for it."""
    from backends.atomic import check_target

    for name in ("target", "plot", "report"):
        if (text := output.get(name)) is not None and text != "-":
            check_target(Path(text), overwrite=bool(output.get("overwrite")))


def _check_distinct(output: Mapping[str, Any]) -> None:
    """Raises `UsageError` where two outputs are one file, however it is spelled: the second would replace the first."""
    named: dict[Path, str] = {}
    for name, option in (("plot", "--plot"), ("report", "--report"), ("target", "-o")):
        text = output.get(name)
        if not text or text == "-":
            continue
        with contextlib.suppress(OSError, RuntimeError, ValueError):  # no such home, a loop of links: refused later
            found = Path(text).expanduser().resolve()
            if found in named:
                raise UsageError(f"{text} is named twice: by {named[found]} and by {option}.", "Name two files.")
            named[found] = option


def _check_pairs(output: Mapping[str, Any]) -> None:
    """Raises `UsageError` for options of which one would have no effect."""
    _check_distinct(output)
    fmt, target = output.get("fmt"), output.get("target")
    if output.get("spreadsheet_safe") and (form := chosen_format(fmt, target)) != "csv":
        raise UsageError(f"--spreadsheet-safe is for CSV, and this is {form}.", "Add --format csv, or leave it out.")
    prints = fmt is not None or target is not None or output.get("report") is not None
    if output.get("plot") is not None and output.get("columns") is not None and not prints:
        raise UsageError(
            "--columns chooses what is printed, and with --plot nothing is.",
            "Name what is drawn with --plot-column, or add --format or -o.",
        )


def output_columns(output: Mapping[str, Any]) -> list[str] | None:
    """The names in --columns; None where all columns are meant."""
    columns = output["columns"]
    return [name.strip() for name in columns.split(",") if name.strip()] if columns is not None else None


def emit(
    frame: pl.DataFrame,
    schema: Schema,
    *,
    fmt: str | None,
    target: str | None,
    columns: str | None = None,
    spreadsheet_safe: bool = False,
    overwrite: bool = False,
    plot: str | None = None,
    plot_column: str | None = None,
    report: str | None = None,
    resource: Resource | None = None,
    figure: Callable[[], Figure] | None = None,
) -> None:
    """Writes the frame where and how the options say. `resource`: whose rows they are; it knows how they are drawn.

    `figure`: what --plot draws without --plot-column, where that is not the frame.
    """
    from backends.frames import export, text_tables

    check_output(
        schema,
        {
            "columns": columns, "plot": plot, "plot_column": plot_column, "report": report, "fmt": fmt,
            "target": target, "spreadsheet_safe": spreadsheet_safe, "overwrite": overwrite,
        },
    )  # fmt: skip
    if plot is not None:
        from backends.frames.figures import write_figure
        from backends.frames.plots import explain_empty_plot, plot_rows

        chart, title = (resource.chart, resource.title) if resource is not None else (None, "")
        if figure is not None and plot_column is None:
            drawn, empty = figure(), ""
        else:
            drawn = plot_rows(frame, schema, chart=chart, column=plot_column, title=title)
            empty = explain_empty_plot(frame, schema, chart=chart, column=plot_column)
        write_figure(drawn, Path(plot), overwrite=overwrite)
        if empty:
            say(empty)
    names = output_columns({"columns": columns})
    if report is not None:
        from backends.frames.reports import write_report

        heading = _report_heading(resource, plot_column)
        write_report(frame, schema, Path(report), heading, columns=names, overwrite=overwrite)
    if (plot is not None or report is not None) and fmt is None and target is None:
        return
    form: Any = chosen_format(fmt, target)
    to_stdout = target is None or target == "-"
    if form == "table":
        width = shutil.get_terminal_size((200, 24)).columns if sys.stdout.isatty() and to_stdout else 10_000
        text = text_tables.render_table(frame, schema, width, columns=names)
        if to_stdout:
            _print(text)
        else:
            export.write_text(text + "\n", Path(str(target)), overwrite=overwrite)
        return
    if to_stdout and form == "parquet" and sys.stdout.isatty():
        raise UsageError("Parquet is not for a terminal.", "Name a file with -o FILE, or send it into a pipe.")
    on_terminal = to_stdout and sys.stdout.isatty()
    shown = io.BytesIO()
    destination: Any = shown if on_terminal else sys.stdout.buffer if to_stdout else Path(str(target))
    export.write(
        frame, destination, form, schema=schema, columns=names, spreadsheet_safe=spreadsheet_safe, overwrite=overwrite
    )
    if on_terminal:
        _print(_harmless(shown.getvalue().decode()))
    elif to_stdout:
        sys.stdout.buffer.flush()
    for words in export.explain_nulls(frame, form, export.select_columns(schema, names)):
        say(words)


def _report_heading(resource: Resource | None, column: str | None) -> ReportHeading:
    """What the command line was about: the list that it read, or else what it was called with."""
    from backends.frames.reports import ReportHeading
    from backends.http.errors import redact_url
    from backends.resources import describe_list

    context = click.get_current_context(silent=True)
    given = context.params if context is not None else {}
    filters = [resource.first_filter if resource is not None else "", given.get("filter_text"), given.get("where")]
    words = redact_url(" ".join(text for text in filters if text))
    notes = tuple(sorted(context.find_root().meta.get(NOTES, ()))) if context is not None else ()
    if resource is not None:
        return describe_list(resource, filter=words, notes=notes, column=column)
    title = " ".join(context.command_path.split()[1:]) if context is not None else ""
    return ReportHeading(title, redact_url(str(given.get("locator") or "")), filter=words, notes=notes, column=column)


def _harmless(text: str) -> str:
    """What a server named may hold escape sequences: a program must get them, a terminal must not."""
    from backends.frames.formats import safe_text

    return "\n".join(safe_text(line, len(line) + 1) for line in text.rstrip("\n").split("\n"))


def _print(text: str) -> None:
    try:
        click.echo(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileError(
            f"Writing the output failed: {disk_words(error)}.", "Make room, or write to another place."
        ) from error


def say(words: str) -> None:
    """A sentence for the person, on stderr, so that stdout stays for programs."""
    click.echo(words, err=True)


def say_wait(text: str) -> None:
    """Says that a server is waited for; on a terminal in place of the progress, which is drawn again afterwards."""
    if not text:
        return
    if sys.stderr.isatty():
        columns = shutil.get_terminal_size((80, 24)).columns
        sys.stderr.write("\r" + " " * (columns - 1) + "\r")
        sys.stderr.flush()
    say(f"note: {text}")


def done_with_failures() -> None:
    """Something of what was asked for could not be had: the command will end with 1, whatever else it gives."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.find_root().meta[FAILURES] = True
