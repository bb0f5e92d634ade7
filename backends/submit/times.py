"""What moment a time in job data means: ISO 8601 in messages, seconds since 1970 in collections."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

from dateutil import parser

EARLIEST = -62_135_510_400  # the second day of year 1: what is earlier no clock west of Greenwich can tell
LATEST = 253_402_300_799  # the end of year 9999
_LONGEST = 10_000  # characters; dateutil takes hours over a million digits, and no time is that long


def stored_time(text: str) -> float | None:
    """Seconds since 1970 that Treeherder's loader makes of a time in a message; None where it fails on it.

    It parses with dateutil, takes a time without a zone for UTC and drops parts of a second. Then it makes a datetime
    of the number again, for which the year must be one from 1 to 9999.
    """
    text = text.strip()
    if len(text) > _LONGEST:
        return None
    try:
        seconds = calendar.timegm(parser.parse(text, tzinfos=_zone).utctimetuple())
    except (ValueError, OverflowError, TypeError, AttributeError, LookupError, ArithmeticError):
        return None
    return float(seconds) if EARLIEST <= seconds <= LATEST else None


def _zone(name: str | None, offset: int | None) -> tzinfo | None:
    """As on a server whose clock is UTC: another zone's name without its offset says nothing."""
    return None if offset is None else timezone(timedelta(seconds=offset))


def epoch_of(value: Any) -> float | None:
    """Seconds since 1970 (UTC), None for what is no time. A time without a zone counts as UTC, as Treeherder does; what
    is no ISO 8601 is read as Treeherder's loader reads it."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return float(value) if 0 <= value <= LATEST else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]{1,12}", text):
        return float(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return stored_time(text)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def iso_of(seconds: float) -> str:
    """As messages write it, UTC, with milliseconds only where there are any."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{moment.microsecond // 1000:03d}" if seconds % 1 else "") + "Z"


def milliseconds(value: Any) -> int | None:
    """For a TIME column."""
    seconds = epoch_of(value)
    return None if seconds is None else round(seconds * 1000)
