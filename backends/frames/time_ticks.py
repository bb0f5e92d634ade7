"""Ticks of a time axis: at round moments of UTC, labelled as exactly as the moment and as shortly as the range allows.

A range within a day has times, one of days has dates, what is between has both; what all labels leave out (the day,
the year) is for the axis to say, with the zone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum

GAP = 2  # cells between two labels
_SHORTEST = 4  # cells of a label
_DAY = 86_400_000
_MONDAY = 4 * _DAY  # 1970-01-05
_SECONDS_MATTER = 300_000  # in ranges shorter than this
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CALENDAR = (-62_135_596_800_000, 253_402_300_799_999)  # the years 1 to 9999
_MILLISECONDS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200)
_DAYS = (1, 2, 7, 14)
_MONTHS = (1, 2, 3, 6)
_YEARS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
TimeTicks = list[tuple[float, str]]  # (ms since 1970, label)


def is_in_calendar(low: float, high: float) -> bool:
    """Whether both moments (ms since 1970) have a date."""
    return _CALENDAR[0] <= low <= high <= _CALENDAR[1]


def time_ticks(low: float, high: float, cells: int) -> TimeTicks:
    """As many ticks from `low` to `high` (ms since 1970) as have room in `cells`; at least one, rising.

    A single tick that is not round is the beginning of the range. Outside of the calendar labels are numbers.
    """
    if not is_in_calendar(low, high):
        return [(low, f"{low:.3g}")]
    extent, ticks = _extent(low, high), TimeTicks()
    for unit, places in _candidates(low, high, cells // (_SHORTEST + GAP) + 1):
        found = [(place, _label(place, extent, unit)) for place in places]
        if found and sum(len(label) + GAP for _, label in found) <= cells:
            return found
        ticks = found[:1] or ticks
    return ticks or [(low, _label(low, extent, Unit.MILLISECONDS))]


def time_labels(places: Sequence[float]) -> list[str]:
    """Labels of given moments, all of the same make; a date alone only where all are midnights."""
    low, high = min(places), max(places)
    extent = _extent(low, high)
    unit = Unit.SECONDS if high - low < _SECONDS_MATTER else Unit.MINUTES
    if extent is not Extent.DAY and all(place % _DAY == 0 for place in places):
        unit = Unit.DAYS
    return [_label(place, extent, unit) for place in places]


def describe_left_out(low: float, high: float) -> str:
    """What the labels of a range do not say: " on 2026-11-20", ", 2026", or nothing."""
    if not is_in_calendar(low, high):
        return ""
    extent, first = _extent(low, high), _moment(low)
    if extent is Extent.DAY:
        return f" on {first.year:04d}-{first:%m-%d}"
    return f", {first.year:04d}" if extent is Extent.YEAR else ""


class Extent(Enum):
    """What a range lies within."""

    DAY, YEAR, CALENDAR = range(3)


class Unit(Enum):
    """What the distances of ticks are multiples of."""

    MILLISECONDS, SECONDS, MINUTES, DAYS, YEARS = range(5)


def _extent(low: float, high: float) -> Extent:
    first, last = _moment(low), _moment(high)
    if first.date() == last.date():
        return Extent.DAY
    return Extent.YEAR if first.year == last.year else Extent.CALENDAR


def _moment(place: float) -> datetime:
    return _EPOCH + timedelta(milliseconds=math.floor(place))


def _label(place: float, extent: Extent, unit: Unit) -> str:
    moment = _moment(place)
    year = f"{moment.year:04d}"
    if unit is Unit.YEARS:
        return year
    date = f"{moment:%m-%d}" if extent is Extent.YEAR else f"{year}-{moment:%m-%d}"
    if unit is Unit.DAYS:
        return date
    time = moment.time().isoformat(unit.name.lower())
    return time if extent is Extent.DAY else f"{date} {time}"


def _candidates(low: float, high: float, most: int) -> Iterator[tuple[Unit, list[float]]]:
    """The round moments in the range by distance, closest first; those sets that have at most `most`."""
    steps = [(Unit.MILLISECONDS, one, 0) for one in _MILLISECONDS]
    steps += [(Unit.SECONDS if one < 60 else Unit.MINUTES, one * 1000, 0) for one in _SECONDS]
    steps += [(Unit.DAYS, one * _DAY, 0 if one < 7 else _MONDAY) for one in _DAYS]
    for unit, step, offset in steps:
        first, last = math.ceil((low - offset) / step), math.floor((high - offset) / step)
        if last - first < most:
            yield unit, [float(number * step + offset) for number in range(first, last + 1)]
    months = [(Unit.DAYS, one) for one in _MONTHS] + [(Unit.YEARS, 12 * one) for one in _YEARS]
    start, end = (moment.year * 12 + moment.month - 1 for moment in (_moment(low), _moment(high)))
    for unit, step in months:
        if (end - start) // step < most:
            numbers = range(-(-start // step) * step, end + 1, step)
            places = [_start_of_month(number) for number in numbers]
            yield unit, [place for place in places if low <= place <= high]


def _start_of_month(number: int) -> float:
    """Ms since 1970. `number`: of months since the year 0."""
    year, month = divmod(number, 12)
    return float((datetime(year, month + 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1))
