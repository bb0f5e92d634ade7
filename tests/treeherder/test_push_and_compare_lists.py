"""The lists of pushes, jobs and comparisons, on the embedded CI: where Enter leads, what x, A and = offer."""

from __future__ import annotations

import polars as pl
import pytest

from backends.cancel import CancelToken
from backends.resources import LogAddress, Resource
from backends.systems import parse_locator
from backends.taskcluster.locators import PushGroup, Task
from backends.treeherder.locators import (
    AlertSummaries,
    AlertSummary,
    Compare,
    ComparedValues,
    Frameworks,
    JobFailures,
    Pushes,
    PushJobs,
    PushOf,
    Series,
    SeriesRef,
    SimilarJobs,
)
from tests.treeherder.listing import Lists, entry


def test_pushes_have_the_results_of_their_jobs(open_list: Lists) -> None:
    pushes, frame = open_list(Pushes("autoland", count=30))
    assert len(frame) == 30 and frame["push_time"].is_sorted(descending=True)
    assert not frame["total"].null_count() and frame["total"].sum() > 0
    row = frame.filter(pl.col("failed") > 0).row(0, named=True)
    assert pushes.open(row) == PushJobs("autoland", int(row["push_id"]))
    compared = pushes.compare(frame.slice(2, 2))
    assert (compared.base_revision, compared.new_revision) == (frame["revision"][3], frame["revision"][2])
    assert entry(pushes, row, frame, "task group") == PushGroup("autoland", row["revision"])
    assert "with failures" in pushes.summary(frame)


def test_more_pushes_than_a_page_are_listed_once_each(open_list: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.treeherder.pushes.PUSHES_A_PAGE", 25)
    _, frame = open_list(Pushes("autoland", count=120))
    assert len(frame) == 120 == frame["push_id"].n_unique()


def test_failures_come_first_and_lead_to_task_log_lines_and_jobs_alike(open_list: Lists) -> None:
    jobs, frame = open_list(PushOf("autoland", open_list("perf.alert-summary")[0]._summary["revision"]))
    failed = frame["result"].is_in(["busted", "testfailed", "exception"])
    assert failed[0] and failed.sum() > 1
    open_failures = failed & frame["classified"].is_null()
    assert open_failures.head(int(open_failures.sum())).all()
    row = frame.filter((pl.col("result") == "testfailed") & pl.col("task_id").is_not_null()).row(0, named=True)
    assert isinstance(jobs.open(row), Task)
    assert isinstance(jobs.log(row), LogAddress)
    both = frame.filter(pl.col("task_id").is_not_null()).head(2)
    assert jobs.open_marked(both).task_ids == jobs.measurements(both).task_ids == tuple(both["task_id"])
    failures, lines = open_list(entry(jobs, row, frame, "failure lines"))
    assert len(lines) >= 1 and lines["line"].str.len_chars().min() > 5
    assert isinstance(failures.shows(lines.row(0, named=True)), LogAddress)
    similar, alike = open_list(entry(jobs, row, frame, "Similar jobs"))
    assert set(alike["name"]) == {row["name"]}
    assert isinstance(similar, Resource) and "%" in similar.summary(alike)


def test_a_push_whose_jobs_have_ended_is_not_asked_about_again(open_list: Lists) -> None:
    newest, oldest = open_list(Pushes("autoland", count=2))[1], open_list(Pushes("autoland", count=40))[1]
    quiet = oldest.filter((pl.col("running") == 0) & (pl.col("pending") == 0)).row(0, named=True)
    jobs, frame = open_list(PushJobs("autoland", int(quiet["push_id"])))
    if frame["state"].is_in(["running", "pending"]).any():  # tier 3 is not counted in a push's status
        pytest.skip("every push of this demo has a job that runs")
    assert jobs.updates(frame, CancelToken()) is None
    busy, frame = open_list(PushJobs("autoland", int(newest["push_id"][0])))
    page = busy.updates(frame, CancelToken())
    assert page is not None and set(page.frame["key"]) <= set(frame["key"])
    older = frame.with_columns(pl.lit("pending").alias("result"))
    page = busy.updates(older, CancelToken())
    assert page is not None and len(page.frame) == frame.filter(pl.col("result") != "pending").height


def test_two_revisions_are_compared_and_lead_to_subtests_and_values(open_list: Lists) -> None:
    compare, frame = open_list("perf.compare")
    assert {"regression", "improvement", "no change"} <= set(frame["verdict"].drop_nulls())
    row = frame.filter((pl.col("subtests") == "yes") & (pl.col("n_base") > 0) & (pl.col("n_new") > 0)).row(
        0, named=True
    )
    deeper = compare.shows(row)
    assert isinstance(deeper, Compare) and str(deeper.base_parent) == row["base_signature"]
    subtests, below = open_list(deeper)
    assert not below["test"].null_count() and set(below["suite"]) == {row["suite"]}
    values = subtests.shows(below.filter(pl.col("n_base") > 0, pl.col("n_new") > 0).row(0, named=True))
    assert isinstance(values, ComparedValues)
    resource, both = open_list(values)
    assert set(both["side"]) == {"base", "new"} and resource.chart is not None
    assert "regression" in compare.summary(frame)


def test_the_values_behind_a_row_give_the_rows_numbers(open_list: Lists) -> None:
    compare, frame = open_list("perf.compare")
    for row in frame.filter((pl.col("n_base") > 0) & (pl.col("n_new") > 0)).head(4).iter_rows(named=True):
        resource, values = open_list(compare.open(row))
        found = resource.compare_sides(values)
        assert (found.n_base, found.n_new, found.verdict) == (row["n_base"], row["n_new"], row["verdict"])
        assert found.median_base == pytest.approx(row["median_base"], abs=0.0051)
        assert found.delta == pytest.approx(row["delta"], abs=0.0101)


def test_small_values_are_compared_in_full(open_list: Lists) -> None:
    _, frame = open_list("perf.compare")
    rows = frame.filter((pl.col("n_base") > 0) & (pl.col("n_new") > 0))
    small = rows.filter(pl.min_horizontal(pl.col("median_base").abs(), pl.col("median_new").abs()) * 0.001 < 0.01)
    assert set(small["precision"]) <= {"in full"}
    assert set(rows.join(small, on="key", how="anti")["precision"]) == {"2 decimals"}


def test_a_revision_is_compared_with_the_time_before_it(open_list: Lists, demo: dict[str, str]) -> None:
    both = parse_locator(demo["perf.compare"])
    assert isinstance(both, Compare)
    history = Compare("autoland", "", both.new_repository, both.new_revision, "13", interval=30 * 86400)
    compare, frame = open_list(history)
    known = frame.filter((pl.col("n_base") > 0) & (pl.col("n_new") > 0))
    assert len(known) and known["n_base"].max() > known["n_new"].max()
    values, rows = open_list(compare.open(known.row(0, named=True)))
    assert set(rows["side"]) == {"base", "new"} and values.title


def test_every_performance_locator_of_the_demo_opens(open_list: Lists, demo: dict[str, str]) -> None:
    opened = {name: parse_locator(text) for name, text in demo.items() if name.startswith("perf.")}
    ours = {name: locator for name, locator in opened.items() if locator.system == "treeherder"}
    assert len(ours) > 6
    for name, locator in ours.items():
        assert len(open_list(locator)[1]), name


def test_frameworks_and_similar_jobs_of_nothing_say_so(open_list: Lists) -> None:
    frameworks, frame = open_list(Frameworks())
    assert isinstance(frameworks.open(frame.row(0, named=True)), AlertSummaries)
    for missing in (SimilarJobs("autoland", 1), JobFailures("autoland", 1), AlertSummary(1)):
        with pytest.raises(Exception, match="Treeherder has no"):
            open_list(missing)
    with pytest.raises(Exception, match="has no signature 1"):
        open_list(Series((SeriesRef("autoland", "1"),)))
