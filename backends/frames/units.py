"""What number a person means who types a duration, a size, a count or a time: `30m`, `2GiB`, `1,234`, `2h ago`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from backends.errors import UsageError
from backends.frames.schema import Kind

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
