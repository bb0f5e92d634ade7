"""All cells of a column are of one make, so that digits of the same weight stand below each other."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from backends.frames.column_formats import (
    choose_format,
    draw_ages,
    draw_bar,
    format_cells,
    measure_values,
    measure_width,
)
from backends.frames.formats import MISSING
from backends.frames.schema import DTYPES, Column, Kind


def column(kind: Kind, **more: object) -> Column:
    return Column("c", kind, "C", **more)  # type: ignore[arg-type]


def texts(values: list[object], shown: Column) -> list[str]:
    series = pl.Series(values, dtype=shown.dtype)
    return format_cells(series, shown, choose_format(shown, measure_values(series, shown)))


def day(text: str) -> int:
    return int(pl.Series([text]).str.to_datetime().dt.epoch("ms")[0])


@pytest.mark.parametrize(
    ("kind", "values", "written"),
    [
        (Kind.NUMBER, [1497.0, 12.5], ["1,497.0", "12.5"]),
        (Kind.NUMBER, [7.0, 12.0], ["7", "12"]),
        (Kind.NUMBER, [7.0, 12.125, None], ["7.000", "12.125", MISSING]),
        (Kind.NUMBER, [0.0123, 0.5], ["0.0123", "0.5000"]),
        (Kind.NUMBER, [9.19e15, 12.5], ["9.19e+15", "12.5"]),
        (Kind.NUMBER, [0.5, 2.448e-10], ["0.5000", "2.4e-10"]),
        (Kind.NUMBER, [float("nan"), -0.001, 12.0, 3000.04], ["NaN", "-0.001", "12.000", "3,000.040"]),
        (Kind.DURATION, [0.45, 0.0], ["450ms", "0ms"]),
        (Kind.DURATION, [0.45, 12.34], ["0.5s", "12.3s"]),
        (Kind.DURATION, [0.45, 45.4, 1463, 4560, 59.7], ["<1s", "45s", "24m 23s", "1h 16m", "1m 00s"]),
        (Kind.DURATION, [400_000, 3599.6, -90], ["4d 15h", "1h 00m", "-1m 30s"]),
        (Kind.BYTES, [512, 24], ["512 B", "24 B"]),
        (Kind.BYTES, [512, 1_234_567, 118_000_000, 999_960], ["512    B", "1.2 MB", "118.0 MB", "1.0 MB"]),
        (Kind.COUNT, [1234, None], ["1,234", MISSING]),
        (Kind.TIME, [day("2026-11-20 08:00:05"), None], ["2026-11-20 08:00", MISSING]),
        (Kind.TIME, [day("2026-11-20 00:00:00"), day("2026-11-21 00:00:00")], ["2026-11-20", "2026-11-21"]),
    ],
)
def test_a_column_has_one_format(kind: Kind, values: list[object], written: list[str]) -> None:
    assert texts(values, column(kind)) == written


def test_seconds_and_percent_are_as_the_column_says() -> None:
    assert texts([day("2026-11-20 08:00:05")], column(Kind.TIME, seconds=True)) == ["2026-11-20 08:00:05"]
    assert texts([33.3333, 100.0], column(Kind.NUMBER, unit="%")) == ["33.3", "100.0"]


@given(
    st.sampled_from([Kind.NUMBER, Kind.DURATION, Kind.BYTES, Kind.COUNT]).flatmap(
        lambda kind: st.tuples(
            st.just(kind),
            st.lists(
                st.none()
                | (st.floats() if DTYPES[kind] == pl.Float64() else st.integers(-(2**63), 2**63 - 1))
                | (st.floats(-1e6, 1e6) if DTYPES[kind] == pl.Float64() else st.integers(-5000, 5_000_000)),
                max_size=8,
            ),
        )
    )
)
def test_every_value_is_written_within_the_width_of_its_column(case: tuple[Kind, list[object]]) -> None:
    kind, values = case
    shown = column(kind)
    series = pl.Series(values, dtype=shown.dtype)
    found = measure_values(series, shown)
    chosen = choose_format(shown, found)
    width = max(3, measure_width(shown, found, chosen))  # "NaN" takes three cells
    assert all(len(text) <= width for text in format_cells(series, shown, chosen))


@given(st.lists(st.floats(-1e5, 1e5), min_size=1, max_size=8))
def test_points_are_below_each_other(values: list[float]) -> None:
    behind = {len(text.partition(".")[2]) for text in texts(list(values), column(Kind.NUMBER)) if "e" not in text}
    assert len(behind) <= 1


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=8), st.integers(1, 12))
def test_a_longer_bar_is_a_larger_value(values: list[float], cells: int) -> None:
    series = pl.Series(sorted(values))
    shown = column(Kind.DURATION)
    chosen = choose_format(shown, measure_values(series, shown))
    bars = [draw_bar(value, chosen, cells) for value in series]
    halves = [2 * bar.count("━") + bar.count("╸") for bar in bars]
    assert all(cell_len(bar) == cells for bar in bars)
    assert halves == sorted(halves)
    assert all(count for count, value in zip(halves, series, strict=True) if value)


def test_a_ruler_of_ages_says_where_each_age_is_reached() -> None:
    days = [float(n // 2 * 86400) for n in range(60)]  # two results a day
    assert draw_ages(days, 60) == "newest    5 d       10 d      15 d      20 d      25 d      "
    assert draw_ages(days, 26) == "newest    5 d       10 d   "[:26]
    assert draw_ages([0.0, 60.0, 120.0], 20) == "newest".ljust(20)
    assert draw_ages([], 10) == "newest    "
    hours = [600.0 * n for n in range(60)]
    assert draw_ages(hours, 60) == "newest      2 h         4 h         6 h         8 h         "


@given(st.lists(st.floats(0, 1e8), max_size=120).map(sorted), st.integers(0, 120))
def test_a_ruler_of_ages_fits_and_its_labels_are_apart(ages: list[float], width: int) -> None:
    line = draw_ages(ages, width)
    assert len(line) == width
    for match in re.finditer(r"(\d+) ([dh])", line):
        age = int(match[1]) * (86400 if match[2] == "d" else 3600)
        assert ages[match.start()] >= age and (match.start() == 0 or ages[match.start() - 1] < age)
