"""Two groups side by side: what failed newly, what is missing, what got slower, what it measured."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.demo import DemoOptions, DemoServer
from backends.demo import locators as demo_locators
from backends.http import Http
from backends.resources import read_list
from backends.systems import parse_locator
from backends.taskcluster.client import Client
from backends.taskcluster.compare import SERIES_CHANGES, TASK_CHANGES, compare_measurements, compare_tasks
from backends.taskcluster.measurements import MEASUREMENTS, MeasurementList
from backends.taskcluster.task_rows import STATES, TASKS
from tests.taskcluster.fake_queue import open_list


def tasks(*rows: tuple[str | None, str, float | None], prefix: str = "T") -> pl.DataFrame:
    """(label, state, duration)."""
    cells = [
        {
            **dict.fromkeys(TASKS.names),
            "task_id": f"{prefix}{number}",
            "label": label,
            "name": f"name {label}",
            "state": state,
            "duration": duration,
        }
        for number, (label, state, duration) in enumerate(rows)
    ]
    return pl.DataFrame(cells, schema=TASKS.polars())


def changes(base: pl.DataFrame, new: pl.DataFrame) -> dict[str, dict[str, Any]]:
    found = compare_tasks(base, new)
    assert found.schema == pl.Schema(TASK_CHANGES.polars())
    return {row["label"]: row for row in found.iter_rows(named=True)}


@pytest.mark.parametrize(
    ("base", "new", "change"),
    [
        (["completed"], ["failed"], "new failure"),
        (["completed"], ["completed", "exception"], "new failure"),
        (["pending"], ["failed"], "new failure"),
        (["failed"], ["completed"], "fixed"),
        (["failed", "completed"], ["completed"], "fixed"),
        (["failed"], ["pending"], "other states"),
        (["failed"], ["completed", "running"], "other states"),
        (["completed"], ["running"], "other states"),
        (["failed"], ["exception"], "other states"),
        (["completed", "completed"], ["completed"], "same"),
        (["failed"], ["failed"], "same"),
        (["completed"], [], "missing"),
        ([], ["failed"], "new"),
    ],
)
def test_a_task_that_fails_newly_is_told_from_one_that_is_not_done(
    base: list[str], new: list[str], change: str
) -> None:
    sides = [tasks(*(("x", state, None) for state in states)) for states in (base, new)]
    assert changes(*sides)["x"]["change"] == change


def test_failures_come_first_then_what_is_missing_then_the_rest() -> None:
    base = tasks(("same", "completed", 1), ("gone", "completed", 1), ("broke", "completed", 1), ("mended", "failed", 1))
    new = tasks(("same", "completed", 1), ("added", "completed", 1), ("broke", "failed", 1), ("mended", "completed", 1))
    assert compare_tasks(base, new)["label"].to_list() == ["broke", "gone", "mended", "added", "same"]


def test_retriggers_are_one_row_with_their_states_and_their_times() -> None:
    base = tasks(*(("x", "completed", 100.0 + n) for n in range(5)), ("x", "failed", 3.0))
    new = tasks(*(("x", "completed", 200.0 + n) for n in range(5)), prefix="N")
    row = changes(base, new)["x"]
    assert (row["states_base"], row["states_new"]) == ("1 failed, 5 completed", "5 completed")
    assert (row["duration_base"], row["duration_new"], row["delta"]) == (102.0, 202.0, 100.0)
    assert (row["shift"], row["effect"], row["n_base"], row["tasks_base"]) == ("regression", "large", 5, 6)
    assert row["p"] == pytest.approx(2 / 252) and row["task_new"] == "N4"


def test_one_run_a_side_is_not_called_unchanged() -> None:
    row = changes(tasks(("x", "completed", 10)), tasks(("x", "completed", 50)))["x"]
    assert (row["shift"], row["states_base"], row["delta_percent"]) == ("too few", "completed", 400.0)
    assert changes(tasks(("x", "failed", 10)), tasks(("x", "failed", 50)))["x"]["shift"] is None


def test_a_task_without_a_label_is_compared_by_its_name() -> None:
    assert list(changes(tasks((None, "completed", 1)), tasks((None, "completed", 1)))) == ["name None"]


LABELS, WORDS = st.sampled_from(["a", "b", "c", None]), st.sampled_from([*STATES, "odd"])
SIDE = st.lists(st.tuples(LABELS, WORDS, st.none() | st.floats(0, 1e6)), max_size=12).map(lambda rows: tasks(*rows))


@settings(deadline=None)
@given(SIDE, SIDE)
def test_no_task_of_either_side_is_passed_over(base: pl.DataFrame, new: pl.DataFrame) -> None:
    found = changes(base, new)
    assert set(found) == {label or "name None" for side in (base, new) for label in side["label"].to_list()}
    assert sum(row["tasks_base"] for row in found.values()) == len(base)
    assert sum(row["tasks_new"] for row in found.values()) == len(new)
    again = changes(new, base)
    opposite = {"new": "missing", "missing": "new", "same": "same"}
    assert all(
        again[label]["change"] == opposite.get(row["change"], again[label]["change"]) for label, row in found.items()
    )


def measured(*rows: dict[str, Any]) -> pl.DataFrame:
    cells = [
        {**dict.fromkeys(MEASUREMENTS.polars()), "key": str(number), "framework": "browsertime", "suite": "amazon",
         "lower_is_better": "yes", "task_id": f"T{number}", "run": 0, **row}
        for number, row in enumerate(rows)
    ]  # fmt: skip
    return pl.DataFrame(cells, schema=MEASUREMENTS.polars())


def test_series_are_told_apart_by_all_that_perfherder_tells_them_apart_by() -> None:
    parts = ("framework", "suite", "subtest", "platform", "build_type", "options", "application")
    base = measured({"value": 1.0}, *({part: "other", "value": 1.0} for part in parts))
    found = compare_measurements(base, base)
    assert len(found) == len(parts) + 1 and found["key"].is_unique().all()
    assert found.schema == pl.Schema(SERIES_CHANGES.polars())


def test_a_regression_comes_first_and_a_score_that_fell_is_one() -> None:
    levels = [100.0, 101, 102, 103, 104]
    times = [{"subtest": name, "value": level} for name in ("same", "fcp") for level in levels]
    scores = [{"subtest": "score", "value": level, "lower_is_better": "no", "unit": "pt"} for level in levels]
    base = measured(*times, *scores)
    after = {"fcp": pl.col("value") + 10, "score": pl.col("value") / 2, "same": pl.col("value")}
    new = pl.concat(base.filter(subtest=name).with_columns(value=value) for name, value in after.items())
    found = compare_measurements(base, new)
    assert found.select("subtest", "verdict", "direction", "unit").rows() == [
        ("score", "regression", "worse", "pt"),
        ("fcp", "regression", "worse", None),
        ("same", "no change", None, None),
    ]


def test_what_only_one_side_measured_is_listed_last_without_a_verdict() -> None:
    found = compare_measurements(measured({"subtest": "old", "value": 1.0}), measured({"subtest": "new", "value": 1.0}))
    assert found.select("subtest", "n_base", "n_new", "verdict").rows() == [("old", 1, 0, None), ("new", 0, 1, None)]
    assert compare_measurements(MEASUREMENTS.empty(), MEASUREMENTS.empty()).is_empty()


def test_many_replicates_of_one_run_do_not_pass_for_many_runs() -> None:
    base = measured({"value": 5.0, "replicates": " ".join(str(float(n)) for n in range(30))})
    found = compare_measurements(base, base, replicates=True).row(0, named=True)
    assert (found["n_base"], found["runs_base"], found["more_runs"]) == (30, 1, "yes")


def test_the_retriggers_of_the_demo_differ_by_noise_only_and_a_shift_is_found() -> None:
    options = DemoOptions(tasks=60)
    with DemoServer(options) as server, Http() as http:
        group = open_list(
            parse_locator(demo_locators(options, server.root_url)["taskcluster.finished-group"]), http, server.root_url
        )
        tasks = read_list(group, CancelToken()).frame
        assert set(compare_tasks(tasks, tasks)["change"]) == {"same"}
        amazon = tasks.filter(pl.col("suite").str.contains("amazon"))
        base = read_list(MeasurementList.of_rows(amazon, Client(http, server.root_url)), CancelToken()).frame
    same = compare_measurements(base, base)
    assert set(same["t_verdict"]) == {"no change"} and set(same["verdict"]) == {"too few"}
    slower = base.with_columns(pl.when(subtest="fcp").then(pl.col("value") * 1.5).otherwise("value").alias("value"))
    found = compare_measurements(base, slower)
    assert set(found.filter(t_verdict="regression")["subtest"]) == {"fcp"}
    assert set(found["subtest"].head(2)) == {"fcp"} and found["n_base"].min() == len(amazon)
