"""When a line was written, and how long that is after the first line that says so.

clock = Clock(first_lines)
clock.elapsed("[task 2025-02-12T02:47:51.737Z] 02:47:51     INFO - ...")    31.133 seconds
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

_LOOKED_AT = 160  # characters; a time further inside belongs to the message
_DAY = 86_400.0
_HALF_DAY = _DAY / 2
_DATE = r"(?P<year>\d{4})[-/](?P<month>\d\d)[-/](?P<day>\d\d)"
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,](?P<part>\d{1,9}))?"
_ZONE = r"(?P<zone>Z|[+-]\d\d:?\d\d)?"
_FORMS = tuple(
    re.compile(form, re.ASCII)
    for form in (
        # Taskcluster, with the time that mozharness repeats: both go
        rf"\[(?:task|taskcluster|vcs|fetches|cache|setup|mounts|taskcluster:\w+) {_DATE}T{_TIME}{_ZONE}\]"
        r"(?: \d\d:\d\d:\d\d(?= ))?",
        rf"\[?{_DATE}[T ]{_TIME}{_ZONE}\]?",  # ISO; also Go's log package, "2021/03/18 14:29:22"
        rf"\[?{_TIME}\]?(?=\s)",  # mozharness alone
        rf"[IWEF](?P<month>\d\d)(?P<day>\d\d) {_TIME}",  # klog: no year
    )
)
_INSIDE = re.compile(rf"{_DATE}T{_TIME}{_ZONE}", re.ASCII)  # logrus: time="2021-..." or INFO[2021-...]


@dataclass(frozen=True)
class Timestamp:
    """`seconds` since the epoch, since the year began or since midnight, as `scale` says; `end`: characters that it
    takes at the line's start, 0 if it stands further inside."""

    seconds: float
    scale: str
    end: int


def parse_timestamp(text: str) -> Timestamp | None:
    """The time at (or soon after) the start of a line, None if there is none or it is no time that can be."""
    head = text[:_LOOKED_AT]
    for form in _FORMS:
        if found := form.match(head):
            return _make_timestamp(found, found.end())
    inside = _INSIDE.search(head)
    return _make_timestamp(inside, 0) if inside else None


class LogClock:
    """Measures from the first line that has a time. Each scale has its own zero, since they cannot be compared."""

    def __init__(self) -> None:
        self._zero: dict[str, float] = {}

    @property
    def is_set(self) -> bool:
        return bool(self._zero)

    def start(self, lines: Iterable[str]) -> None:
        """From the first lines of the log, in order."""
        for line in lines:
            if found := parse_timestamp(line):
                self._zero.setdefault(found.scale, found.seconds)

    def elapsed(self, found: Timestamp) -> float | None:
        """Seconds; None on a scale that the first lines did not have. A time of day is right for a log of a day."""
        zero = self._zero.get(found.scale)
        if zero is None:
            return None
        seconds = found.seconds - zero
        return seconds + _DAY if found.scale == "day" and seconds < -_HALF_DAY else seconds


def format_elapsed(seconds: float) -> str:
    """ "+0.000", "+1:02.345", "+1:02:03.456"; always with milliseconds, so that columns of them line up."""
    sign = "-" if seconds < -0.0005 else "+"
    milliseconds = round(abs(seconds) * 1000)
    minutes, left = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, part = divmod(left, 1000)
    if hours:
        return f"{sign}{hours}:{minutes:02d}:{whole:02d}.{part:03d}"
    return f"{sign}{minutes}:{whole:02d}.{part:03d}" if minutes else f"{sign}{whole}.{part:03d}"


def _make_timestamp(found: re.Match[str], end: int) -> Timestamp | None:
    groups = found.groupdict()
    hour, minute, second = int(groups["hour"]), int(groups["minute"]), int(groups["second"])
    if hour > 23 or minute > 59 or second > 60:
        return None
    seconds = hour * 3600 + minute * 60 + second + float(f"0.{groups['part'] or 0}")
    if groups.get("month") is None:
        return Timestamp(seconds, "day", end)
    try:
        # klog has no year: any leap year will do, for a log that does not cross New Year.
        day = datetime(int(groups.get("year") or 2000), int(groups["month"]), int(groups["day"]), tzinfo=UTC)
    except ValueError:
        return None
    zone = groups.get("zone") or "Z"
    if zone != "Z":
        seconds -= (1 if zone[0] == "+" else -1) * (int(zone[1:3]) * 3600 + int(zone[-2:]) * 60)
    return Timestamp(day.timestamp() + seconds, "date" if groups.get("year") else "year", end)
