"""Our comparison says what the server's own says, but for the differences that docs/perfherder-compare.md lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from backends.frames.significance import compare_samples
from backends.treeherder.compare import VALUES, compare_values
from tests.treeherder.fake_treeherder import RecordedTreeherder

ROUNDED = 0.005 + 1e-9  # their numbers have two decimals, and so have the values that ours are of
DOCUMENT = Path(__file__).parents[2] / "docs" / "perfherder-compare.md"


def rows(recorded: RecordedTreeherder, method: str) -> list[dict[str, Any]]:
    found = json.loads((recorded.directory / f"perfcompare-{method}.json").read_bytes())
    assert len(found) == 19
    return found  # type: ignore[no-any-return]


def both(row: dict[str, Any]) -> bool:
    return bool(row["base_runs"] and row["new_runs"])


def near(value: float | None, theirs: float, slack: float = ROUNDED) -> bool:
    return value is not None and abs(value - theirs) <= slack + 2e-3 * abs(theirs)


def test_means_spreads_and_t_are_the_servers(recorded: RecordedTreeherder) -> None:
    for row in filter(both, rows(recorded, "student-t")):
        ours = compare_samples(row["base_runs"], row["new_runs"], lower_is_better=row["lower_is_better"])
        assert near(ours.mean_base, row["base_avg_value"]) and near(ours.mean_new, row["new_avg_value"])
        assert near(ours.median_base, row["base_median_value"]) and near(ours.median_new, row["new_median_value"])
        assert near(ours.std_base, row["base_stddev"]) and near(ours.std_new, row["new_stddev"])
        assert near(ours.mean_delta, row["delta_value"], 0.011)
        assert near(ours.mean_delta_percent, row["delta_percentage"], 0.011)
        assert near(ours.t, row["confidence"])
        assert (ours.confidence or "") == row["confidence_text"]
        assert (ours.more_runs == "yes") == row["more_runs_are_needed"]
        assert (ours.t_verdict == "improvement") == row["is_improvement"]
        assert (ours.t_verdict == "regression") == row["is_regression"]
        better = (ours.mean_delta or 0) < 0 if row["lower_is_better"] else (ours.mean_delta or 0) > 0
        assert better == row["new_is_better"]


def test_the_rank_tests_numbers_are_the_servers(recorded: RecordedTreeherder) -> None:
    for row in filter(both, rows(recorded, "mann-whitney-u")):
        ours = compare_samples(row["base_runs"], row["new_runs"], lower_is_better=row["lower_is_better"])
        assert near(ours.p, row["mann_whitney_test"]["pvalue"])
        assert ours.u == row["mann_whitney_test"]["stat"]
        assert near(ours.cliffs_delta, row["cliffs_delta"]) and near(ours.cles, row["cles"]["cles"])
        assert ours.effect == row["cliffs_interpretation"]
        assert near(ours.delta, row["delta_value"], 0.011)
        assert near(ours.delta_percent, row["delta_percentage"], 0.011)
        assert ours.verdict == row["direction_of_change"]
        assert (ours.effect != "negligible") == row["is_meaningful"]
        assert near(ours.std_base, row["base_standard_stats"]["stddev"])


# Each difference, as a test of what the server says and we do not; the document names all of them.


def test_their_variance_is_not_the_square_of_their_standard_deviation(recorded: RecordedTreeherder) -> None:
    for row in filter(both, rows(recorded, "mann-whitney-u")):
        told = row["base_standard_stats"]
        population = told["stddev"] ** 2 * (told["count"] - 1) / told["count"]
        assert told["variance"] == pytest.approx(population, rel=0.02, abs=0.05)
    assert "variance" in DOCUMENT.read_text()


def test_their_t_view_calls_small_changes_meaningful(recorded: RecordedTreeherder) -> None:
    for row in filter(both, rows(recorded, "student-t")):
        ours = compare_samples(row["base_runs"], row["new_runs"], lower_is_better=row["lower_is_better"])
        assert row["is_meaningful"] == (ours.t_verdict == "no change")
    assert "is_meaningful" in DOCUMENT.read_text()


def test_their_rank_view_never_asks_for_more_runs(recorded: RecordedTreeherder) -> None:
    found = [row for row in rows(recorded, "mann-whitney-u") if both(row)]
    assert not any(row["more_runs_are_needed"] for row in found)
    assert all(compare_samples(row["base_runs"], row["new_runs"]).more_runs == "yes" for row in found)
    assert "more runs" in DOCUMENT.read_text()


def test_their_change_from_a_side_without_values_is_not_a_change(recorded: RecordedTreeherder) -> None:
    [row] = [row for row in rows(recorded, "student-t") if not both(row)]
    assert (row["base_avg_value"], row["delta_value"]) == (0.0, row["new_avg_value"])
    ours = compare_samples(row["base_runs"], row["new_runs"])
    assert (ours.verdict, ours.delta, ours.mean_base, ours.t) == (None, None, None, None)
    assert "without values" in DOCUMENT.read_text()


# The table that is made of two answers of values


def side(*tests: tuple[str, list[float]], repository: str = "try", lower: str = "yes", jobs: int = 100) -> pl.DataFrame:
    """Rows of the schema `VALUES`: each value of a job of its own."""
    made = []
    for number, (suite, values) in enumerate(tests):
        for place, value in enumerate(values):
            row = dict.fromkeys(VALUES.polars())
            row |= {
                "key": f"{number}/{place}", "suite": suite, "platform": "linux", "name": f"{suite} opt", "unit": "ms",
                "lower_is_better": lower, "value": value, "job_id": str(jobs + place), "framework_id": "13",
                "signature_id": str(500 + number), "repository": repository, "subtests": "yes",
            }  # fmt: skip
            made.append(row)
    return pl.DataFrame(made, schema=VALUES.polars())


SLOW = [101.0, 102.0, 103.0, 104.0, 105.0, 106.0]
FAST = [90.0, 91.0, 92.0, 93.0, 94.0, 95.0]


def test_the_same_test_of_two_repositories_is_one_row_and_changes_come_first() -> None:
    base = side(("same", SLOW), ("changed", FAST), ("gone", SLOW))
    new = side(("changed", SLOW), ("same", SLOW), ("new", FAST), repository="autoland")
    frame = compare_values(base, new)
    assert frame["suite"].to_list()[:2] == ["changed", "same"]
    assert set(frame["suite"].to_list()[2:]) == {"gone", "new"}
    row = frame.row(0, named=True)
    assert (row["verdict"], row["t_verdict"], row["delta"], row["direction"]) == (
        "regression", "regression", 11.0, "worse",
    )  # fmt: skip
    assert (row["base_signature"], row["new_signature"]) == ("501", "500")
    assert row["shift_low"] <= 11.0 <= row["shift_high"]
    assert frame["verdict"].to_list()[2:] == [None, None]


def test_higher_may_be_better() -> None:
    frame = compare_values(side(("score", FAST), lower="no"), side(("score", SLOW), lower="no"))
    assert (frame["verdict"][0], frame["t_verdict"][0], frame["better"][0]) == ("improvement", "improvement", "higher")


def test_the_replicates_of_one_job_are_no_runs() -> None:
    base = side(("suite", SLOW)).with_columns(job_id=pl.lit("7"))
    new = side(("suite", FAST)).with_columns(job_id=pl.lit("8"))
    row = compare_values(base, new).row(0, named=True)
    assert (row["n_base"], row["runs_base"], row["runs_new"], row["more_runs"]) == (6, 1, 1, "yes")


def test_nothing_on_either_side_is_an_empty_table() -> None:
    assert compare_values(VALUES.empty(), VALUES.empty()).is_empty()


def test_a_mean_of_nothing_or_of_the_other_sign_has_a_verdict_that_the_server_does_not_give() -> None:
    """docs/perfherder-compare.md: the server's t view is silent there, however sure the change is."""
    up, down = [10.0, 11.0, 12.0, 10.0, 11.0, 12.0], [-10.0, -11.0, -12.0, -10.0, -11.0, -12.0]
    for base, new, verdict in (([0.0] * 6, up, "regression"), (up, [0.0] * 6, "improvement"), (down, up, "regression")):
        found = compare_samples(base, new)
        assert (found.t_verdict, found.verdict) == (verdict, verdict)
    assert compare_samples([0.0] * 6, up).mean_delta_percent is None
