"""What moment a time in job data means: ISO 8601 in messages, seconds since 1970 in collections."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

LATEST = 253_402_300_799  # the end of year 9999


def epoch_of(value: Any) -> float | None:
    """Seconds since 1970 (UTC), None for what is no time. A time without a zone counts as UTC, as Treeherder does."""
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
        return None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def iso_of(seconds: float) -> str:
    """As messages write it, UTC, with milliseconds only where there are any."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{moment.microsecond // 1000:03d}" if seconds % 1 else "") + "Z"


def milliseconds(value: Any) -> int | None:
    """For a TIME column."""
    seconds = epoch_of(value)
    return None if seconds is None else round(seconds * 1000)
