"""Ticks of a time axis: at round moments, and no label says less than where its tick is."""

from __future__ import annotations

from datetime import UTC, datetime

import hypothesis.strategies as st
import pytest
from hypothesis import given

from backends.frames.axis_ticks import axis_label
from backends.frames.schema import Column, Kind
from backends.frames.time_ticks import time_ticks

DAY = 86_400_000


def ms(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000


@pytest.mark.parametrize(
    ("low", "high", "labels", "axis"),
    [
        ("2026-11-20T08:00", "2026-11-20T13:50", ["08:00", "09:00", "10:00", "11:00", "12:00", "13:00"],
         "Pushed on 2026-11-20 (UTC)"),
        ("2026-11-20T08:00:03", "2026-11-20T08:00:33", ["08:00:05", "08:00:10", "08:00:15", "08:00:20", "08:00:25",
                                                        "08:00:30"], "Pushed on 2026-11-20 (UTC)"),
        ("2026-11-20T20:00", "2026-11-22T03:00", ["11-21 00:00", "11-21 12:00", "11-22 00:00"],
         "Pushed, 2026 (UTC)"),
        ("2026-11-01T05:00", "2026-11-08T05:00", ["11-02", "11-03", "11-04", "11-05", "11-06", "11-07", "11-08"],
         "Pushed, 2026 (UTC)"),
        ("2026-12-28T05:00", "2027-01-03T05:00", ["2026-12-29", "2026-12-31", "2027-01-02"], "Pushed (UTC)"),
        ("2026-01-20T05:00", "2026-09-08T05:00", ["02-01", "03-01", "04-01", "05-01", "06-01", "07-01",
                                                  "08-01", "09-01"], "Pushed, 2026 (UTC)"),
        ("2019-01-20T05:00", "2026-09-08T05:00", ["2020", "2021", "2022", "2023", "2024", "2025", "2026"],
         "Pushed (UTC)"),
    ],
)  # fmt: skip
def test_labels_say_day_time_or_both_by_the_range(low: str, high: str, labels: list[str], axis: str) -> None:
    assert [label for _, label in time_ticks(ms(low), ms(high), 60)] == labels
    assert axis_label(Column("p", Kind.TIME, "Pushed"), ms(low), ms(high)) == axis


def test_other_axes_have_their_unit_where_the_labels_lack_it() -> None:
    assert axis_label(Column("v", Kind.NUMBER, "Value", "ms"), 0, 1) == "Value (ms)"
    assert axis_label(Column("v", Kind.NUMBER, "Value"), 0, 1, "score") == "Value (score)"
    assert axis_label(Column("v", Kind.DURATION, "Duration", "s"), 0, 1) == "Duration"  # labels are 5m, 1h


READ = {16: "%Y-%m-%d %H:%M", 10: "%Y-%m-%d", 4: "%Y"}


@given(
    st.floats(-60_000_000_000_000, 250_000_000_000_000),
    st.one_of(st.floats(1, 1e6), st.floats(1e6, 1e9), st.floats(1e9, 1e13)),
    st.integers(24, 200),
)
def test_a_label_is_exactly_its_place_and_they_do_not_touch(low: float, span: float, cells: int) -> None:
    ticks = time_ticks(low, low + span, cells)
    assert ticks
    places = [place for place, _ in ticks]
    assert places == sorted(set(places)) and low <= places[0] and places[-1] <= low + span
    assert len(ticks) == 1 or sum(len(label) + 2 for _, label in ticks) <= cells
    if all(len(label) in READ and label[:4].isdigit() for _, label in ticks) and len(ticks) > 1 and low > 0:
        assert [datetime.strptime(label, READ[len(label)]).replace(tzinfo=UTC).timestamp() * 1000
                for _, label in ticks] == places  # fmt: skip


def test_a_day_is_never_the_label_of_an_hour() -> None:
    for span in (2.5, 6, 9.3, 20, 59):
        for place, label in time_ticks(ms("2026-11-04T17:30"), ms("2026-11-04T17:30") + span * DAY, 80):
            assert (len(label) > 5) or place % DAY == 0


def test_what_no_calendar_has_is_written_as_it_is() -> None:
    assert time_ticks(1e16, 2e16, 80)
