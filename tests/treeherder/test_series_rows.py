"""What a series says of its points: names that tell series apart, changes, noise, alerts, tasks."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.treeherder.models import SeriesSummary, SeriesValue
from backends.treeherder.series import (
    SERIES,
    AlertMark,
    data_frame,
    label_series,
    noise_percent,
    point_frame,
    with_alerts,
    with_candidates,
    with_tasks,
)

START = datetime(2026, 11, 1, tzinfo=UTC)
DAMP = SeriesSummary(signature_id=5, suite="damp", platform="linux", name="damp opt e10s", measurement_unit="ms")


def points(*pushes: list[float], summary: SeriesSummary = DAMP) -> pl.DataFrame:
    """The rows of a series that measured these values on consecutive pushes."""
    rows = [
        SeriesValue(
            id=100 * push + place, job_id=1000 * push + place, push_id=push, value=value, revision=f"{push:040x}",
            push_timestamp=(START + timedelta(hours=push)).strftime("%Y-%m-%dT%H:%M:%S"),
        )
        for push, values in enumerate(pushes)
        for place, value in enumerate(values)
    ]  # fmt: skip
    return point_frame(data_frame(rows, 5), summary, "autoland", "damp linux")


def test_the_rows_have_the_schema_and_their_series() -> None:
    frame = points([1.0], [2.0])
    assert frame.schema == pl.Schema(SERIES.polars())
    assert frame.select("series", "unit", "better", "signature_id").row(0) == ("damp linux", "ms", "lower", "5")
    assert points(summary=DAMP).is_empty()


def test_retriggers_are_compared_with_the_push_before_and_not_with_each_other() -> None:
    frame = points([10.0, 30.0], [22.0, 18.0], [25.0])
    assert frame["delta"].to_list() == [None, None, 2.0, -2.0, 5.0]
    assert frame["delta_percent"].to_list() == [None, None, 10.0, -10.0, 25.0]
    assert frame["retrigger"].to_list() == [1, 2, 1, 2, 1]


def test_a_change_from_zero_has_no_percentage_and_one_from_below_has_its_sign() -> None:
    assert points([0.0], [5.0])["delta_percent"].to_list() == [None, None]
    assert points([-10.0], [-5.0])["delta_percent"].to_list() == [None, 50.0]


def test_alerts_and_tasks_are_on_every_value_of_their_push() -> None:
    frame = with_alerts(points([1.0], [2.0, 2.1], [3.0]), [AlertMark("1", "288", "288 regression +31.8 %")])
    assert frame["alert"].to_list() == [None, *["288 regression +31.8 %"] * 2, None]
    assert frame["alert_summary"].to_list() == [None, "288", "288", None]
    frame = with_tasks(frame, {1000: ("T1", 2)})
    assert frame["task_id"].to_list() == [None, "T1", None, None] and frame["run"].to_list() == [None, 2, None, None]
    assert frame.schema == pl.Schema(SERIES.polars())


def test_candidates_follow_the_signatures_own_threshold() -> None:
    draw = random.Random(1)
    step = [[draw.gauss(level, 0.2)] for level in [100] * 30 + [103] * 30]
    usual = with_candidates(points(*step), DAMP)
    [push] = usual.filter(pl.col("candidate").is_not_null())["push_id"].to_list()
    assert push == "30"
    assert usual["candidate"].drop_nulls()[0].endswith("+3.0 %")
    stricter = SeriesSummary(signature_id=5, alert_threshold=5.0)
    assert with_candidates(points(*step), stricter)["candidate"].null_count() == 60
    absolute = SeriesSummary(signature_id=5, alert_threshold=2.0, alert_change_type=1)
    assert with_candidates(points(*step), absolute)["candidate"].null_count() == 59


@settings(deadline=None)
@given(st.integers(0, 10**6), st.floats(0.5, 5))
def test_noise_is_the_spread_from_push_to_push_whatever_the_steps(seed: int, spread: float) -> None:
    draw = random.Random(seed)
    values = [draw.gauss(0, spread) for _ in range(400)]
    flat = noise_percent(points(*([100 + value] for value in values)))
    stepped = noise_percent(points(*([100 + value + (40 if at > 200 else 0)] for at, value in enumerate(values))))
    assert flat == pytest.approx(spread, rel=0.25)
    assert stepped == pytest.approx(flat * 100 / 120, rel=0.35)


def test_too_short_a_series_has_no_noise() -> None:
    assert noise_percent(points([1.0], [2.0], [3.0], [4.0])) is None
    assert noise_percent(points(*[[0.0]] * 9)) is None


def summary(number: int, **members: str) -> SeriesSummary:
    return SeriesSummary(signature_id=number, **{"suite": "damp", "platform": "linux", "name": "damp opt", **members})  # type: ignore[arg-type]


def test_series_are_named_by_what_tells_them_apart() -> None:
    assert label_series([("autoland", summary(1))]) == ["damp linux"]
    assert label_series([("autoland", summary(1)), ("autoland", summary(2, suite="tp5", name="tp5 opt"))]) == [
        "damp",
        "tp5",
    ]
    warm = summary(2, name="damp opt warm")
    assert label_series([("autoland", summary(1, name="damp opt cold")), ("autoland", warm)]) == [
        "damp cold",
        "damp warm",
    ]
    assert label_series([("autoland", summary(1)), ("try", summary(1))]) == ["damp autoland", "damp try"]
    assert label_series([("try", summary(1, platform="mac", test="a")), ("try", summary(2))]) == [
        "damp a mac",
        "damp linux",
    ]
    assert label_series([("try", summary(1)), ("try", summary(2))]) == ["damp 1", "damp 2"]
    assert label_series([]) == []


texts = st.sampled_from(["", "damp", "linux", "opt cold", "mac"])
summaries = st.builds(SeriesSummary, st.integers(1, 5), suite=texts, test=texts, platform=texts, name=texts)


@given(
    st.lists(
        st.tuples(st.sampled_from(["autoland", "try"]), summaries),
        max_size=6,
        unique_by=lambda one: one[1].signature_id,
    )
)
def test_no_two_series_have_the_same_name(given_summaries: list[tuple[str, SeriesSummary]]) -> None:
    found = label_series(given_summaries)
    assert len(found) == len(given_summaries) == len(set(found))
    assert all(found)
