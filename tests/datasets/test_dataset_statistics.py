"""The exported statistics have the definitions that downstream scripts know, each file its own."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.treeherder.datasets import legacy_export_files as module

VALUES = st.lists(st.one_of(st.integers(0, 500), st.floats(-50, 500)), min_size=2, max_size=40)


@given(VALUES)
def test_percentiles_are_those_of_the_standard_library(values: list[float]) -> None:
    expected = statistics.quantiles(values, n=100, method="inclusive")
    found = module.distribution(values)
    for percent in module.PERCENTILES:
        assert found["percentiles"][str(percent)] == pytest.approx(expected[percent - 1])
    assert found["mean"] == pytest.approx(statistics.fmean(values))
    assert found["median"] == pytest.approx(statistics.median(values))
    assert (found["min"], found["max"], found["observations"]) == (min(values), max(values), len(values))
    cut = int(len(values) * 0.1)
    assert found["trimmed_mean_10pct"] == pytest.approx(statistics.fmean(sorted(values)[cut : len(values) - cut]))
    positive = [value for value in values if value > 0]
    assert (found["geometric_mean"] is None) == (not positive)
    if positive:
        assert found["geometric_mean"] == pytest.approx(statistics.geometric_mean(positive))


@given(VALUES)
def test_the_time_to_culprit_has_nearest_ranks_and_a_populations_deviation(values: list[float]) -> None:
    found = module.culprit_statistics(values, rows=len(values) + 3, invalid=3)
    ordered = sorted(values)
    assert found["p90_hours"] == ordered[round((len(values) - 1) * 0.9)] / 3600
    assert found["stdev_hours"] == pytest.approx(statistics.pstdev(values) / 3600)
    assert found["negative_delta_rows"] == sum(value < 0 for value in values)
    assert (found["count"], found["total_rows"], found["missing_or_invalid_rows"]) == (len(values), len(values) + 3, 3)


def test_one_value_is_all_of_its_percentiles_and_none_has_none() -> None:
    assert set(module.distribution([7])["percentiles"].values()) == {7}
    assert module.distribution([])["observations"] == 0
    assert set(module.wait_statistics([]).values()) == {None}
    assert module.culprit_statistics([], rows=0, invalid=0)["mean_hours"] is None


def test_keys_are_the_originals() -> None:
    assert list(module.distribution([1, 2], suffix="jobs", digits=2)) == [
        "observations", "mean_jobs", "median_jobs", "min_jobs", "max_jobs", "percentiles", "trimmed_mean_10pct",
        "geometric_mean",
    ]  # fmt: skip
    assert list(module.wait_statistics([1])) == ["mean", "median", "min", "max", "p25", "p75", "p90", "p95", "p99"]
    assert list(module.culprit_statistics([1.0], rows=1, invalid=0)) == [
        "count", "mean_hours", "median_hours", "min_hours", "max_hours", "stdev_hours", "p90_hours", "p95_hours",
        "p99_hours", "total_rows", "missing_or_invalid_rows", "negative_delta_rows",
    ]  # fmt: skip
    assert module.distribution([1, 2, 2], digits=2)["geometric_mean"] == round(math.pow(4, 1 / 3), 2)
