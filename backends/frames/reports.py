"""Some rows as one HTML page that needs nothing else: a heading, charts as SVG, statistics, and a table.

The page holds no script, loads nothing, and its Content-Security-Policy forbids both. Whatever a server named is text:
it is escaped, and becomes a link only if all of it is one http or https URL. The same rows and the same time always
become the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import polars as pl

from backends.atomic import atomic_file
from backends.errors import UsageError
from backends.frames.charts import Chart
from backends.frames.column_formats import choose_format, format_cells, measure_values
from backends.frames.export import select_columns
from backends.frames.figures import COLOURS, Figure, to_svg
from backends.frames.formats import MISSING, format_value, safe_text, state_style
from backends.frames.heat import HEAT_COLORS, HEAT_NAMES, heat_name
from backends.frames.plots import plot_histogram, plot_points, plot_rows, plot_values
from backends.frames.schema import Column, Kind, Schema
from backends.frames.statistics import NUMBERS, describe, first_choice, measurable, numbers
from backends.paths import expand_home

MOST_ROWS = 2_000  # of the table; the rest is said
_LONGEST = 2_000  # characters of a heading, a filter or a link
_DARK = {
    "bg": "#14181d",
    "text": "#dfe5ec",
    "muted": "#9aa5b1",
    "rule": "#3d4650",
    "data": "#6f9fd2",
    "failed": "#ff8078",
    "ok": "#6cc187",
    "warning": "#dcae4a",
    "exception": "#c39af0",
    "running": "#5fc3d3",
}
_TONES = {
    "good": "ok", "bad": "failed", "exception": "exception", "warning": "warning", "active": "running",
    "quiet": "muted", "plain": "text",
}  # fmt: skip
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light dark; %s }
@media (prefers-color-scheme: dark) { :root { %s } }
body { margin: 2rem; background: var(--bg); color: var(--text); font: 14px/1.45 sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .75rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
dt, .missing, .note { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
a { color: var(--data); }
figure { margin: 0 0 1.5rem; }
svg { max-width: 100%%; height: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: .15rem .75rem .15rem 0; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--rule); }
.n { text-align: right; font-variant-numeric: tabular-nums; }
%s
"""


@dataclass(frozen=True)
class ReportHeading:
    """What the page says of its rows. `locator` is shown as it is given: without secrets. `chart`: how the list draws
    its rows; `column`: the one whose distribution is drawn instead. `row_url`: where a browser shows a row."""

    title: str
    locator: str = ""
    url: str = ""
    filter: str = ""
    notes: tuple[str, ...] = ()
    chart: Chart | None = None
    column: str | None = None
    row_url: Callable[[Mapping[str, Any]], str | None] | None = None


def check_report_name(target: Path) -> None:
    """Raises `UsageError` for a name that no browser would take for a page."""
    if target.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{safe_text(str(target))} is not the name of a report.", "End it with .html.")


def write_report(
    frame: pl.DataFrame,
    schema: Schema,
    target: Path,
    heading: ReportHeading,
    *,
    columns: Sequence[str] | None = None,
    made: datetime | None = None,
    overwrite: bool = False,
) -> None:
    """Writes the page of `render_report`, complete or not at all. `made`: the time that it says (now).

    Raises `UsageError` for another ending than .html and for an unknown column, `FileError` where the file exists (and
    not `overwrite`), is a symbolic link, or cannot be written.
    """
    check_report_name(target)
    page = render_report(frame, schema, heading, columns=columns, made=made or datetime.now(UTC))
    named = expand_home(target)
    with atomic_file(named, overwrite=overwrite, below=named.parent) as stream:
        stream.write(page.encode("utf-8", "replace"))


def render_report(
    frame: pl.DataFrame,
    schema: Schema,
    heading: ReportHeading,
    *,
    made: datetime,
    columns: Sequence[str] | None = None,
    most_rows: int = MOST_ROWS,
) -> str:
    """The page. `columns`: those of the table and of the statistics; by default those that are drawn and have a value.

    Raises `UsageError` for a column that does not exist.
    """
    if columns is None:
        shown = [c for c in schema if not c.hidden and (frame.is_empty() or frame[c.name].null_count() < len(frame))]
    else:
        shown = [schema[name] for name in select_columns(schema, columns)]
    title = _text(heading.title or "Report")
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="referrer" content="no-referrer">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>\n<style>{_style()}</style>\n</head>\n<body>",
            f"<h1>{title}</h1>",
            *_facts(heading, len(frame), made),
            *_figures(frame, schema, heading),
            *_statistics(frame, shown),
            *_table(frame.head(most_rows), shown, schema.name_column, heading, len(frame)),
            "</body>\n</html>\n",
        ]
    )


def _style() -> str:
    light, dark = (" ".join(f"--{name}: {colour};" for name, colour in found.items()) for found in (COLOURS, _DARK))
    light, dark = (f"{found} {_heat_variables(side)}" for found, side in ((light, 1), (dark, 0)))
    tones = [f".{tone} {{ color: var(--{role}); }}" for tone, role in _TONES.items()]
    heats = [f"td.{name} {{ background: var(--{name}); color: var(--on-{name}); }}" for name in HEAT_NAMES]
    return _STYLE % (light, dark, "\n".join((*tones, *heats)))


def _heat_variables(side: int) -> str:
    fills = [
        (heat_name(role, step), *fill)
        for role, sides in HEAT_COLORS.items()
        for step, fill in enumerate(sides[side], 1)
    ]
    return " ".join(f"--{name}: {ground}; --on-{name}: {ink};" for name, ground, ink in fills)


def _text(text: str, limit: int = _LONGEST) -> str:
    """As HTML shows it, in an element or in an attribute: one line, nothing that reorders it, no markup."""
    return escape(safe_text(text, limit), quote=True)


def _link(text: str, url: str | None) -> str:
    """The text, as a link if `url` is one that a browser may follow."""
    shown = _text(text)
    return f'<a href="{escape(url, quote=True)}" rel="noreferrer">{shown}</a>' if url and is_web_url(url) else shown


def is_web_url(text: str) -> bool:
    """Whether all of the text is one http or https URL, in ASCII, without a user or a password."""
    if not text.startswith(("http://", "https://")) or len(text) > _LONGEST:
        return False
    if not (text.isascii() and text.isprintable()):
        return False
    if any(sign in text for sign in " \"'<>\\^`{|}"):
        return False
    try:
        split = urlsplit(text)
        return bool(split.hostname) and "@" not in split.netloc
    except ValueError:
        return False


# ---- the parts of the page ------------------------------------------------------------------------------------------


def _facts(heading: ReportHeading, count: int, made: datetime) -> Iterator[str]:
    facts = [
        ("Locator", _text(heading.locator)),
        ("Web page", _link(heading.url, heading.url)),
        ("Filter", _text(heading.filter)),
        ("Rows", f"{count:,}"),
        ("Made", _text(made.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"))),
        *(("Note", _text(note)) for note in heading.notes),
    ]
    yield "<dl>"
    yield from (f"<dt>{name}</dt><dd>{words}</dd>" for name, words in facts if words)
    yield "</dl>"


def _figures(frame: pl.DataFrame, schema: Schema, heading: ReportHeading) -> Iterator[str]:
    """The list's chart (or the column that was named), the distribution of its first number, its states."""
    if frame.is_empty():
        return
    found: list[tuple[str, Figure]] = []
    if heading.column is not None:
        found.append((heading.column, plot_rows(frame, schema, column=heading.column)))
    elif heading.chart is not None:
        found.append((heading.chart.y, plot_points(frame, schema, heading.chart)))
    measured = first_choice([column for column in measurable(schema) if column.is_numeric])
    if measured is not None and measured.name != heading.column and frame[measured.name].null_count() < len(frame):
        found.append((measured.name, plot_histogram(frame, schema, measured)))
    state = schema.state_column
    if state is not None and state != heading.column:
        found.append((state, plot_values(frame, schema, schema[state])))
    if found:
        yield "<h2>Charts</h2>"
    colours = {role: f"var(--{role})" for role in COLOURS}
    for name, figure in found:
        label = _text(schema[name].label)
        svg = to_svg(figure, colours).replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
        yield f"<figure>{svg}</figure>"


def _statistics(frame: pl.DataFrame, columns: Sequence[Column]) -> Iterator[str]:
    """One row a column of numbers or times, over all rows, also those that the table leaves out."""
    described = [(column, describe(frame[column.name], column)) for column in columns if column.is_numeric]
    odd = any(found.not_finite for _, found in described)
    rows = []
    for column, found in described:
        if found.n or found.not_finite:
            counts = (found.n, found.missing, *([found.not_finite] if odd else []))
            cells = [_number(value, column) for _, value in numbers(found)]
            rows.append([_label(column), *(f"{count:,}" for count in counts), *cells])
    if rows:
        names = ("Column", "n", "missing", *(["not finite"] if odd else []), *NUMBERS)
        yield '<h2>Statistics</h2>\n<div class="wide">\n<table>'
        yield _row("th", names, [False] + [True] * (len(names) - 1))
        yield from (_row("td", row, [False] + [True] * (len(row) - 1)) for row in rows)
        yield "</table>\n</div>"


def _number(value: float | None, column: Column) -> str:
    kind = Kind.NUMBER if column.kind is Kind.COUNT else column.kind  # a mean of counts has decimals
    return _text(format_value(value, Column(column.name, kind, column.label)))


def _table(
    frame: pl.DataFrame, columns: Sequence[Column], name: str, heading: ReportHeading, total: int
) -> Iterator[str]:
    yield "<h2>Rows</h2>"
    if not total:
        yield '<p class="note">There are no rows.</p>'
        return
    if len(frame) < total:
        yield f'<p class="note">The first {len(frame):,} of {total:,} rows; statistics and charts are of all.</p>'
    links = [heading.row_url(row) for row in frame.iter_rows(named=True)] if heading.row_url is not None else None
    cells = [_cells(frame[column.name], column, links if column.name == name else None) for column in columns]
    right = [column.is_numeric for column in columns]
    heats = [_heat_classes(frame[column.name], column) for column in columns]
    yield '<div class="wide">\n<table>'
    yield _row("th", map(_label, columns), right)
    for row, names in zip(zip(*cells, strict=True), zip(*heats, strict=True), strict=True):
        yield _row("td", row, right, names)
    yield "</table>\n</div>"


def _label(column: Column) -> str:
    unit = "UTC" if column.kind is Kind.TIME else column.unit if column.kind is Kind.NUMBER else ""
    return _text(column.label + (f" ({unit})" if unit and unit not in column.label else ""))


def _cells(values: pl.Series, column: Column, links: Sequence[str | None] | None) -> list[str]:
    """What stands in the cells of a column, as HTML. `links`: where each leads, if it is what the rows are called."""
    texts = format_cells(values, column, choose_format(column, measure_values(values, column)))
    if column.kind is Kind.STATE:
        return [_missing() if text == MISSING else _state(text) for text in texts]
    if links is not None:
        return [_link(text, url) for text, url in zip(texts, links, strict=True)]
    if column.is_text:
        return [_missing() if text == MISSING else _link(text, text) for text in texts]
    return [_missing() if text == MISSING else _text(text) for text in texts]


def _heat_classes(values: pl.Series, column: Column) -> list[str]:
    return [""] * len(values) if column.heat is None else list(map(column.heat.name, values.to_list()))


def _missing() -> str:
    return f'<span class="missing">{MISSING}</span>'


def _state(text: str) -> str:
    style = state_style(text)
    return f'<span class="{style.tone.value}">{style.glyph} {_text(text)}</span>'


def _row(tag: str, cells: Iterable[str], right: Sequence[bool], names: Sequence[str] | None = None) -> str:
    """`names`: of further classes, one a cell or ""."""
    numeric = ["n" * one for one in right]
    classes = (" ".join(filter(None, both)) for both in zip(numeric, names or [""] * len(right), strict=True))
    marks = (f' class="{one}"' if one else "" for one in classes)
    return "<tr>" + "".join(f"<{tag}{mark}>{cell}</{tag}>" for cell, mark in zip(cells, marks, strict=True)) + "</tr>"
