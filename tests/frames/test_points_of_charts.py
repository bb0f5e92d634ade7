"""A chart's series keep their signs whatever part of the axis is in sight, and no part of it breaks the drawing."""

from __future__ import annotations

import polars as pl

from backends.frames.charts import chart_points

# Over all of x there is more of "a"; between 8 and 10 there is more of "b", and none of "c".
FRAME = pl.DataFrame(
    {
        "x": [0.0, 1, 2, 3, 9, 8, 8.5, 10, 5],
        "y": [1.0, 2, 3, 4, 5, 6, 7, 8, 9],
        "by": ["a", "a", "a", "a", "a", "b", "b", "b", "c"],
    }
)


def test_looking_closer_does_not_exchange_the_signs_of_two_series() -> None:
    whole, closer = chart_points(FRAME, "x", "y", by="by"), chart_points(FRAME, "x", "y", by="by", zoom=(8, 10))
    assert whole.names == closer.names == ("a", "b", "c")
    assert closer.outside == 5


def test_a_series_without_points_in_sight_has_no_cells() -> None:
    drawn = chart_points(FRAME, "x", "y", by="by", zoom=(8, 10)).draw(60, 10)
    assert {name: len(cells) for name, cells in drawn.series} == {"a": 1, "b": 3, "c": 0}
