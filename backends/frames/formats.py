"""How a value reads to a person: one line of text, nothing in it that a terminal would obey.

    format_value(3723.4, column)   "1h 02m 03s"     durations; "4m 05s" and "12.3s" when shorter
    format_value(1_234_567, ...)   "1.2 MB"         bytes, SI
    format_value(None, ...)        "·"              missing, whatever the kind

The glyph of a state is not part of its text: see `state_glyph`.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from backends.frames.schema import Column, Kind, Schema
from backends.frames.state_styles import Tone, state_glyph, state_tone
from backends.frames.units import parse_quantity

__all__ = [
    "LIMIT",
    "MISSING",
    "Tone",
    "describe_row",
    "format_bytes",
    "format_series",
    "format_value",
    "labelled",
    "parse_quantity",
    "safe_text",
    "state_glyph",
    "state_tone",
]

MISSING = "·"
LIMIT = 512  # characters of a cell that are ever looked at; no column is wider
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"


class _Visible(dict[int, str]):
    """Code point -> what is shown of it, worked out the first time that it is met."""

    def __missing__(self, point: int) -> str:
        shown = self[point] = _visible(point)
        return shown


def _visible(point: int) -> str:
    if point == 0x0A:
        return "⏎"
    if point < 0x20:
        return chr(0x2400 + point)  # the Control Pictures block has one sign per C0 code
    if point == 0x7F:
        return "␡"
    if 0xFE00 <= point <= 0xFE0F or 0xE0100 <= point <= 0xE01EF:
        return ""  # variation selectors only change how wide a terminal thinks the sign before them is
    category = unicodedata.category(chr(point))
    if category == "Zs":
        return " "
    # Cc: C1 controls; Cf: bidi, zero width, tags; Co, Cn: nobody knows how wide; Zl, Zp: line breaks to some.
    return _UNPRINTABLE if category[0] == "C" or category in {"Zl", "Zp"} else chr(point)


_VISIBLE = _Visible()


def safe_text(text: str, limit: int = LIMIT) -> str:
    """`text` on one line with every control, escape, bidi and zero-width character replaced by one visible sign.

    At most `limit` characters, the last one "…" if there were more; what lies behind is not looked at, so a cell of
    10 MB costs as much as one of `limit` characters.
    """
    if len(text) > limit:
        text = text[: max(limit - 1, 0)] + "…"
    if text.isascii() and text.isprintable():
        return text
    return text.translate(_VISIBLE)


def format_value(value: object, column: Column) -> str:
    """One value as text. A value of another type than the column's kind has is shown as it is, never an error."""
    if value is None:
        return MISSING
    if isinstance(value, datetime):
        return _format_datetime(value)
    number_format = _NUMBER_FORMATS.get(column.kind)
    if number_format is not None and isinstance(value, int | float) and not isinstance(value, bool):
        return number_format(value)
    return safe_text(value) if isinstance(value, str) else safe_text(str(value))


def describe_row(schema: Schema, row: Mapping[str, Any]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """The sections of the detail panel for one row: (section, ((label, text), ...)); empty cells are left out."""
    sections = (
        (name, tuple((c.label, format_value(row[c.name], c)) for c in columns if row.get(c.name) not in (None, "")))
        for name, columns in schema.sections().items()
    )
    return tuple(section for section in sections if section[1])


def labelled(row: Mapping[str, object], columns: Iterable[Column]) -> tuple[tuple[str, str], ...]:
    """(label, text) of what a row has, for a panel that shows one row: there a number carries its unit itself."""
    told = ((column, row.get(column.name)) for column in columns)
    return tuple(
        (
            column.label,
            format_value(value, column) + (f" {column.unit}" if column.unit and column.kind is Kind.NUMBER else ""),
        )
        for column, value in told
        if value is not None
    )


def format_series(values: pl.Series, column: Column) -> list[str]:
    """Every value as text, as `format_value` has it; meant for blocks of some hundred rows."""
    if values.dtype == pl.String:
        # Cut in polars: to_list() would copy the whole of a huge cell into Python first.
        heads = values.str.slice(0, LIMIT + 1).to_list()
        return [MISSING if text is None else safe_text(text) for text in heads]
    if isinstance(values.dtype, pl.Datetime):
        # polars panics (not an Exception) when it formats a year that no calendar has; servers send such numbers.
        ticks = {"ms": 1000, "us": 1, "ns": 0.001}[values.dtype.time_unit]
        return [MISSING if tick is None else _format_epoch(tick * ticks) for tick in values.to_physical().to_list()]
    return [format_value(value, column) for value in values.to_list()]


def _format_datetime(moment: datetime) -> str:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    try:
        return aware.astimezone(UTC).isoformat(" ", "seconds")[:19]
    except OverflowError:
        return "?"


def _format_epoch(microseconds: float) -> str:
    try:
        return (_EPOCH + timedelta(microseconds=microseconds)).isoformat(" ", "seconds")[:19]
    except (OverflowError, ValueError):
        return "?"


def _format_duration(seconds: float) -> str:
    if not math.isfinite(seconds):
        return _not_finite(seconds)
    if seconds < 0:
        return "-" + _format_duration(-seconds)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms" if seconds else "0s"
    if seconds < 59.95:  # what would round up to 60.0s is a minute
        return f"{seconds:.1f}s"
    minutes, left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {left:02d}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 100:
        return f"{hours}h {minutes:02d}m {left:02d}s"
    days, hours = divmod(hours, 24)
    return f"{days:,}d {hours:02d}h {minutes:02d}m"


def format_bytes(size: float) -> str:
    """Bytes in SI units: "512 B", "1.2 MB"."""
    if not math.isfinite(size):
        return _not_finite(size)
    if size < 0:
        return "-" + format_bytes(-size)
    if size < 1000:
        return f"{size:.0f} B"
    amount = float(size)
    for unit in ("kB", "MB", "GB", "TB", "PB", "EB"):
        amount /= 1000
        if amount < 99.95:
            return f"{amount:.1f} {unit}"
        if amount < 999.5:
            return f"{amount:.0f} {unit}"
    return f"{amount:,.0f} EB"


def _format_count(count: float) -> str:
    if not math.isfinite(count):
        return _not_finite(count)
    return f"{count:,}" if isinstance(count, int) or not count.is_integer() else f"{count:,.0f}"


def _format_number(number: float) -> str:
    """Enough digits to tell two measurements apart, few enough to compare down a column."""
    if not math.isfinite(number):
        return _not_finite(number)
    size = abs(number)
    if size >= 1e12 or 0 < size < 0.001:
        return f"{number:.3e}"
    if size >= 1000:
        return f"{number:,.1f}"
    if size >= 1 or not number:
        return f"{number:.3f}" if not float(number).is_integer() else f"{number:.0f}"
    return f"{number:.4f}"


def _not_finite(number: float) -> str:
    return "NaN" if math.isnan(number) else "∞" if number > 0 else "-∞"


_NUMBER_FORMATS: dict[Kind, Callable[[float], str]] = {
    Kind.DURATION: _format_duration,
    Kind.BYTES: format_bytes,
    Kind.COUNT: _format_count,
    Kind.NUMBER: _format_number,
    Kind.TIME: lambda tick: _format_epoch(tick * 1000),
}
