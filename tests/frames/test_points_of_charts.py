"""A chart's series keep their signs whatever part of the axis is in sight, and no part of it breaks the drawing."""

from __future__ import annotations

import polars as pl

from backends.frames.charts import AxisWindow, ChartData, Event, Level, nearest_row

# Over all of x there is more of "a"; between 8 and 10 there is more of "b", and none of "c".
FRAME = pl.DataFrame(
    {
        "x": [0.0, 1, 2, 3, 9, 8, 8.5, 10, 5],
        "y": [1.0, 2, 3, 4, 5, 6, 7, 8, 9],
        "by": ["a", "a", "a", "a", "a", "b", "b", "b", "c"],
    }
)


def test_looking_closer_does_not_exchange_the_signs_of_two_series() -> None:
    data = ChartData(FRAME, "x", "y", by="by")
    whole, closer = data.points(), data.points((8, 10))
    assert whole.names == closer.names == ("a", "b", "c")
    assert closer.outside == 5


def test_a_series_without_points_in_sight_has_no_places() -> None:
    drawn = ChartData(FRAME, "x", "y", by="by").points((8, 10)).draw(60, 10)
    assert {name: len(places) for name, places in drawn} == {"a": 1, "b": 3, "c": 0}


def test_medians_are_those_before_and_after_an_event() -> None:
    frame = pl.DataFrame(
        {"x": [0.0, 1, 2, 3, 4, None], "y": [1.0, 3, 2, 9, 11, 5], "e": [None, "", None, "7 regression", "b", "c"]}
    )
    data = ChartData(frame, "x", "y", marks="e")
    assert data.missing == 1 and data.span == (0, 4)
    assert data.events == (Event(3, "7 regression"), Event(4, "b"))
    assert data.levels == (Level(0, 2, 2), Level(3, 3, 9), Level(4, 4, 11))
    closer = data.points((1, 3))
    assert closer.window == AxisWindow(1, 3, 2, 9) and closer.events == (Event(3, "7 regression"),)
    assert closer.levels == (Level(1, 2, 2), Level(3, 3, 9))


def test_points_that_are_not_finite_are_counted_apart_from_missing_ones() -> None:
    frame = pl.DataFrame({"x": [0.0, 1, 2, None, 4], "y": [1.0, float("inf"), float("nan"), float("inf"), None]})
    found = ChartData(frame, "x", "y").points()
    assert (len(found.frame), found.missing, found.not_finite) == (1, 2, 2)
    empty = ChartData(frame[1:], "x", "y").points()
    assert (empty.window, empty.missing, empty.not_finite) == (None, 2, 2)


def test_of_two_rows_at_one_place_of_the_axis_the_nearer_one_is_found() -> None:
    frame = pl.DataFrame({"key": ["a", "b", "c", "d"], "x": [1.0, 1, 2, None], "y": [5.0, 9, 9, 8]})
    assert nearest_row(frame, ("x", 1.1), ("y", 8.0), "key") == "b"
    assert nearest_row(frame, ("x", 1.1), ("y", 6.0), "key") == "a"
    assert nearest_row(frame.clear(), ("x", 1.0), ("y", 6.0), "key") is None
