"""What rows can be exported as: the one declaration behind the export dialog, help and the command line.

Imported by the table of keys, before the first paint: nothing heavy here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExportFormat:
    """`name`: also the ending of its files. `shows`: "rows" (one record each), "plot" or "report"."""

    name: str
    label: str
    shows: str = "rows"


EXPORT_FORMATS = (
    ExportFormat("csv", "CSV"),
    ExportFormat("jsonl", "JSON lines"),
    ExportFormat("json", "JSON"),
    ExportFormat("parquet", "Parquet"),
    ExportFormat("svg", "SVG plot", "plot"),
    ExportFormat("png", "PNG plot", "plot"),
    ExportFormat("html", "HTML report", "report"),
)
ROW_FORMATS = tuple(form.name for form in EXPORT_FORMATS if form.shows == "rows")


def list_export_formats() -> str:
    """ "CSV, JSON lines, ... or HTML report"."""
    *first, last = (form.label for form in EXPORT_FORMATS)
    return f"{', '.join(first)} or {last}"
