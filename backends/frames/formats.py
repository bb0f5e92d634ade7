"""How values read and are written: units, durations, sizes and times in both directions; glyph and color of a state."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

import polars as pl

from backends.errors import UsageError
from backends.frames.schema import Column, Kind, Schema

_SECONDS = {
    "ms": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "m": 60.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hr": 3600.0,
    "hour": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "w": 604800.0,
    "week": 604800.0,
}
# "k" alone is a thousand (1k jobs, 1 kB); only the -i- forms are powers of 1024 (IEC 80000-13).
_POWERS = {prefix: power for power, prefix in enumerate(("", "k", "m", "g", "t", "p", "e"))}

_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)"
_DURATION = re.compile(rf"(?:{_NUMBER}\s*[a-z]+\s*)+")
_DURATION_PART = re.compile(rf"({_NUMBER})\s*([a-z]+)\s*")
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,3}):(\d{2}(?:\.\d*)?)")
_BYTES = re.compile(rf"({_NUMBER}(?:e[+-]?\d+)?)\s*([kmgtpe]?)(i?)(?:b|bytes?)?")
_COUNT = re.compile(rf"({_NUMBER}(?:e[+-]?\d+)?)\s*([kmgtpe]?)")
_LONGEST = 64  # a quantity is short; anything longer is a mistake not worth matching


class QuantityError(UsageError):
    """The text is not a quantity of the wanted kind."""


_EXAMPLES = {
    Kind.TIME: "2026-11-20, 2026-11-20 22:07, today, 2h ago",
    Kind.DURATION: "30m, 1h30m, 12.5s, 1:02:03",
    Kind.BYTES: "500, 1MB, 2GiB",
    Kind.COUNT: "1234, 1,234, 10k",
    Kind.NUMBER: "12.5, 1,234, 1e6",
}


def parse_quantity(text: str, kind: Kind, now: datetime | None = None) -> float:
    """The number that `text` means in a column of `kind`, in the unit of that column.

    Seconds for DURATION, bytes for BYTES, POSIX seconds (UTC) for TIME, the number itself for COUNT and NUMBER.
    A time without zone is UTC, a date is its first moment, "2h" and "2h ago" count back from `now`. Always finite.
    Raises `QuantityError` with examples of what would be understood.
    """
    word = " ".join(text[: _LONGEST + 1].lower().split())
    value = _READERS[kind](word, now) if kind in _READERS and 0 < len(word) <= _LONGEST else None
    if value is None or not math.isfinite(value):
        shown = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
        raise QuantityError(f"{shown!r} is not a {kind.value}.", f"Write it like {_EXAMPLES.get(kind, 'text')}.")
    return value


def _signed(word: str) -> tuple[float, str]:
    return (-1.0, word[1:].lstrip()) if word.startswith("-") else (1.0, word.removeprefix("+").lstrip())


def _duration(word: str, _now: datetime | None = None) -> float | None:
    sign, word = _signed(word)
    if clock := _CLOCK.fullmatch(word):
        hours, minutes, seconds = (float(part or 0) for part in clock.groups())
        return sign * (hours * 3600 + minutes * 60 + seconds)
    if not _DURATION.fullmatch(word):
        plain = _plain(word)
        return None if plain is None else sign * plain
    total = 0.0
    for number, unit in _DURATION_PART.findall(word):
        scale = _SECONDS.get(unit) or _SECONDS.get(unit.removesuffix("s"))
        if scale is None:
            return None
        total += float(number) * scale
    return sign * total


def _plain(word: str) -> float | None:
    """A number with or without thousands separators, exponents allowed; never "nan", "inf" or "1_000"."""
    if not re.fullmatch(rf"(?:{_NUMBER}|\d{{1,3}}(?:,\d{{3}})+(?:\.\d*)?)(?:e[+-]?\d+)?", word):
        return None
    return float(word.replace(",", ""))


def _number(word: str, _now: datetime | None = None) -> float | None:
    sign, word = _signed(word)
    value = _plain(word)
    if value is None and (found := _COUNT.fullmatch(word)):
        value = float(found[1]) * 1000.0 ** _POWERS[found[2]]
    return None if value is None else sign * value


def _bytes(word: str, _now: datetime | None = None) -> float | None:
    sign, word = _signed(word)
    value = _plain(word)
    if value is None and (found := _BYTES.fullmatch(word)) and (found[2] or not found[3]):
        value = float(found[1]) * (1024.0 if found[3] else 1000.0) ** _POWERS[found[2]]
    return None if value is None else sign * value


def _time(word: str, now: datetime | None) -> float | None:
    now = now if now is not None else datetime.now(UTC)
    now = now if now.tzinfo is not None else now.replace(tzinfo=UTC)
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    if word in named:
        return named[word].timestamp()
    if any(unit.isalpha() for unit in word) and not word.startswith(("-", "+")):
        back = _duration(word.removesuffix("ago").rstrip())
        if back is not None:
            return now.timestamp() - back
    try:
        moment = datetime.fromisoformat(word.upper())
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


_READERS: dict[Kind, Callable[[str, datetime | None], float | None]] = {
    Kind.DURATION: _duration,
    Kind.BYTES: _bytes,
    Kind.COUNT: _number,
    Kind.NUMBER: _number,
    Kind.TIME: _time,
}


class Tone(StrEnum):
    """What a state means to its reader; the interface maps each tone to a colour of the theme."""

    GOOD = "good"
    BAD = "bad"
    EXCEPTION = "exception"  # the infrastructure failed, not the code under test
    WARNING = "warning"
    ACTIVE = "active"
    QUIET = "quiet"
    PLAIN = "plain"


class StateStyle(NamedTuple):
    """One sign of exactly one cell, and a tone. No two tones share a sign: colour is never the only difference."""

    glyph: str
    tone: Tone


_GOOD = StateStyle("✔", Tone.GOOD)
_BAD = StateStyle("✖", Tone.BAD)
_BROKEN = StateStyle("⚠", Tone.EXCEPTION)
_STOPPED = StateStyle("⊘", Tone.EXCEPTION)
_DOUBTFUL = StateStyle("!", Tone.WARNING)
_AGAIN = StateStyle("↻", Tone.WARNING)
_RUNNING = StateStyle("▶", Tone.ACTIVE)
_PENDING = StateStyle("◌", Tone.QUIET)
_WAITING = StateStyle("○", Tone.QUIET)
_SKIPPED = StateStyle("–", Tone.QUIET)
_UNKNOWN = StateStyle("?", Tone.PLAIN)
_OTHER = StateStyle("·", Tone.PLAIN)

_WORDS: dict[StateStyle, str] = {
    _GOOD: "completed success succeeded passed pass ok verified fixed improvement finished green acknowledged",
    _BAD: "failed failure fail new-failure testfailed busted regression rejected red crash critical",
    _BROKEN: "exception error errored broken infra unreadable",
    _DOUBTFUL: "warning unchecked incomplete backedout downstream",
    _STOPPED: "aborted cancelled canceled usercancel superseded deadline-exceeded timeout timedout",
    _AGAIN: "retry retriggered intermittent flaky rerun reassigned returned",
    _RUNNING: "running stored active started investigating confirming downloading sending in-progress",
    _PENDING: "pending loading triggered scheduling queued untriaged requested accepted",
    _WAITING: "unscheduled scheduled waiting planned coalesced",
    _SKIPPED: "skipped unchanged neutral invalid wontfix expired disabled",
    _UNKNOWN: "unknown",
}
# Sign of a state: its rank, the worst first; what is still missing comes last.
_RANKS = {"✖": 0, "⚠": 1, "⊘": 2, "!": 3, "↻": 3, "▶": 4, "✔": 5, "·": 6, "?": 7, "–": 8, "◌": 9, "○": 9}
_LOOKS: dict[str, StateStyle] = {word: look for look, words in _WORDS.items() for word in words.split()}


def state_style(state: str) -> StateStyle:
    """The look of a state word; spelling variants ("Timed Out", "timed_out", "TIMEDOUT") are the same word."""
    found = _LOOKS.get(state)
    if found is not None:
        return found
    word = state[:40].strip().lower().replace("_", "-").replace(" ", "-")
    return _LOOKS.get(word) or _LOOKS.get(word.replace("-", "")) or (_OTHER if word else _UNKNOWN)


def state_glyph(state: str) -> str:
    """One sign, one cell wide."""
    return state_style(state).glyph


def state_rank(state: str) -> int:
    """0 for the worst states, 9 for what has not begun."""
    return _RANKS[state_glyph(state)]


def state_tone(state: str) -> Tone:
    return state_style(state).tone


def has_failed(state: str) -> bool:
    """Whether it failed, the infrastructure did, or somebody stopped it. What is run again has not ended."""
    return state_style(state).tone in (Tone.BAD, Tone.EXCEPTION)


def has_not_ended(state: str) -> bool:
    """Whether it runs or waits."""
    return state_style(state) in (_RUNNING, _PENDING, _WAITING)


def is_waiting(state: str) -> bool:
    """Whether it waits for something else to end before it can be run at all."""
    return state_style(state) == _WAITING


MISSING = "·"
LIMIT = 512  # characters of a cell that are ever looked at; no column is wider
_SMALL = 1 << 18  # bytes of texts that are copied whole
_MIDNIGHT = " 00:00:00"
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


def format_single(value: object, column: Column) -> str:
    """As `format_value`, where no header says the zone: a time with " UTC", midnight as its day. A state is a
    `StateText`."""
    text = format_value(value, column)
    if (column.kind is Kind.STATE or column.counts_states) and text != MISSING:
        return StateText(text)
    if column.kind is not Kind.TIME or text in (MISSING, "?"):
        return text
    return text.removesuffix(_MIDNIGHT) if text.endswith(_MIDNIGHT) else f"{text} UTC"


class StateText(str):
    """The word of a state in a panel that shows one row, where it is drawn with its sign and colour."""

    __slots__ = ()


def add_unit(text: str, unit: str) -> str:
    """The text itself, a `StateText` too, where there is no unit."""
    return f"{text} {unit}" if unit else text


def describe_row(schema: Schema, row: Mapping[str, Any]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """The sections of the detail panel for one row: (section, ((label, text), ...)); empty cells are left out."""
    sections = (
        (name, tuple((c.label, format_single(row[c.name], c)) for c in columns if row.get(c.name) not in (None, "")))
        for name, columns in schema.sections().items()
    )
    return tuple(section for section in sections if section[1])


def with_unit(row: Mapping[str, object], columns: Iterable[Column]) -> tuple[tuple[str, str], ...]:
    """(label, text) of what a row has, for a panel that shows one row: there a number carries its unit itself."""
    told = ((column, row.get(column.name)) for column in columns)
    return tuple(
        (
            column.label,
            add_unit(format_single(value, column), column.unit if column.kind is Kind.NUMBER else ""),
        )
        for column, value in told
        if value is not None
    )


def format_series(values: pl.Series, column: Column) -> list[str]:
    """Every value as text, as `format_value` has it; meant for blocks of some hundred rows."""
    if values.dtype == pl.String:
        # Huge cells are cut in polars: to_list() would copy them whole into Python first.
        is_small = values.estimated_size() <= _SMALL
        heads = values.to_list() if is_small else values.str.slice(0, LIMIT + 1).to_list()
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
        return format_not_finite(seconds)
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
        return format_not_finite(size)
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
        return format_not_finite(count)
    return f"{count:,}" if isinstance(count, int) or not count.is_integer() else f"{count:,.0f}"


def _format_number(number: float) -> str:
    """Enough digits to tell two measurements apart, few enough to compare down a column."""
    if not math.isfinite(number):
        return format_not_finite(number)
    size = abs(number)
    if size >= 1e12 or 0 < size < 0.001:
        return f"{number:.3e}"
    if size >= 1000:
        return f"{number:,.1f}"
    if size >= 1 or not number:
        return f"{number:.3f}" if not float(number).is_integer() else f"{number:.0f}"
    return f"{number:.4f}"


def format_not_finite(number: float) -> str:
    """NaN or an infinity."""
    return "NaN" if math.isnan(number) else "∞" if number > 0 else "-∞"


_NUMBER_FORMATS: dict[Kind, Callable[[float], str]] = {
    Kind.DURATION: _format_duration,
    Kind.BYTES: format_bytes,
    Kind.COUNT: _format_count,
    Kind.NUMBER: _format_number,
    Kind.TIME: lambda tick: _format_epoch(tick * 1000),
}
