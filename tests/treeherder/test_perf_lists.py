"""Every list of the performance pane, on the embedded CI: what it shows, where Enter leads, what x and = offer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

from backends.cancel import Cancel
from backends.config import load
from backends.frames import filters
from backends.http import Http
from backends.locators import Locator, parse
from backends.locators.perfherder import (
    AlertSummaries,
    AlertSummary,
    Compare,
    ComparedValues,
    Frameworks,
    JobFailures,
    Pushes,
    PushJobs,
    PushOf,
    Repositories,
    Series,
    SeriesRef,
    Signatures,
    SimilarJobs,
)
from backends.locators.taskcluster import Push, Task
from backends.problems import UsageProblem
from backends.resources import LogAddress, Question, Resource, Row, gather
from backends.treeherder import resolve, resource_for
from backends.treeherder.compared_values import ValueList

Lists = Any


@pytest.fixture(scope="module")
def http() -> Iterator[Http]:
    with Http() as client:
        yield client


@pytest.fixture
def listed(demo: dict[str, str], http: Http) -> Lists:
    """Lists a locator or a name of the demo: the resource and all its rows."""

    def lists(what: Locator | str) -> tuple[Any, pl.DataFrame]:
        locator = parse(demo.get(what, what)) if isinstance(what, str) else what
        settings = load()
        resource = resource_for(resolve(locator, http, settings, Cancel()), http, settings)
        frame = gather(resource, Cancel()).frame
        check_list(resource, frame)
        return resource, frame

    return lists


def check_list(resource: Resource, frame: pl.DataFrame) -> None:
    """What holds for every list: the schema, unique keys, words and addresses for each row, locators that paste."""
    schema = resource.schema
    assert frame.schema == pl.Schema(schema.polars())
    assert frame[schema.key].is_unique().all() and not frame[schema.key].null_count()
    assert resource.title and isinstance(resource.summary(frame), str)
    assert str(resource.web_url(None)).startswith("http")
    if resource.chart is not None:
        assert {resource.chart.x, resource.chart.y, resource.chart.by} <= set(schema.names)
        assert resource.chart.marks == "" or resource.chart.marks in schema.names
    for row in frame.head(3).iter_rows(named=True):
        detail = resource.detail(row)
        assert detail is not None and detail.title and any(lines for _, lines in detail.sections)
        for found in (resource.open(row), resource.shows(row)):
            if isinstance(found, Locator):
                assert parse(found.text()) == found
        for entry in resource.menu(row, frame.head(2)):
            opens = getattr(entry, "opens", None)
            assert entry.label
            if isinstance(opens, Locator):
                assert parse(opens.text()) == opens
            elif isinstance(opens, str):
                assert opens.startswith("http")
        assert str(resource.web_url(row)).startswith("http")
    resource.menu(None, frame.head(0))


def entry(resource: Resource, row: Row | None, frame: pl.DataFrame, words: str) -> Any:
    """What the menu's entry with these words opens."""
    found = [one for one in resource.menu(row, frame) if words in one.label]
    assert found, [one.label for one in resource.menu(row, frame)]
    return found[0].opens  # type: ignore[union-attr]


def test_from_the_repositories_to_the_series_of_three_suites(listed: Lists) -> None:
    repositories, frame = listed(Repositories())
    assert frame["name"][0] == "autoland"
    frameworks, frame = listed(repositories.open(frame.row(0, named=True)))
    row = frame.row(by_predicate=pl.col("name") == "browsertime", named=True)
    signatures, frame = listed(frameworks.open(row))
    assert len(frame) > 300 and set(frame["framework"].unique()) == {"browsertime"}
    assert set(frame["option"].drop_nulls()) <= {"opt", "debug", "pgo", "asan"}
    marked = frame.filter(pl.col("suite") == "amazon").head(3)
    _, points = listed(signatures.open_marked(marked))
    assert points["series"].n_unique() == len(marked) == 3
    assert points["task_id"].null_count() < len(points)
    assert points["unit"].n_unique() == 1


def test_enter_on_a_suite_lists_its_subtests_and_on_a_subtest_its_series(listed: Lists) -> None:
    signatures, frame = listed(Signatures("autoland", "browsertime"))
    suite = frame.filter(pl.col("subtests") == "yes").row(0, named=True)
    opened = signatures.shows(suite)
    assert isinstance(opened, Signatures) and opened.parent == suite["signature_hash"]
    subtests, frame = listed(opened)
    assert not frame["test"].null_count() and set(frame["suite"]) == {suite["suite"]}
    assert isinstance(subtests.shows(frame.row(0, named=True)), Series)
    assert isinstance(signatures.open(suite), Series)


def test_of_more_than_six_series_six_are_read_and_that_is_said(listed: Lists) -> None:
    signatures, frame = listed(Signatures("autoland", "browsertime"))
    resource, points = listed(signatures.open_marked(frame.slice(5, 8)))
    assert points["signature_id"].n_unique() <= 6
    assert "Only the first 6 series are read; 2 more" in gather(resource, Cancel()).notes[0]


def test_two_signatures_are_compared_by_what_they_measured(listed: Lists) -> None:
    signatures, frame = listed(Signatures("autoland", "browsertime"))
    with pytest.raises(UsageProblem, match="3 rows are marked"):
        signatures.compare(frame.head(3))
    compared = signatures.compare(frame.filter(pl.col("suite") == "amazon").head(2))
    assert isinstance(compared, ComparedValues)
    _, values = listed(compared)
    assert set(values["side"]) == {"base", "new"}


def test_a_word_and_a_column_find_a_suite_among_all_signatures(listed: Lists) -> None:
    resource, frame = listed(Signatures("autoland", "", subtests=True, interval=365 * 86400))
    assert len(frame) > 3000
    found = frame.filter(filters.parse("speedo suite:speedometer", resource.schema).mask(frame))
    assert 0 < len(found) < 200 and found["suite"].str.contains("speedometer").all()


def test_a_series_marks_its_alerts_and_leads_to_task_jobs_and_summary(listed: Lists) -> None:
    series, frame = listed("perf.series")
    row = frame.filter(pl.col("alert").is_not_null()).row(0, named=True)
    assert "regression" in row["alert"]
    task = series.open(row)
    assert isinstance(task, Task) and task.root_url.startswith("http://127.0.0.1")
    assert isinstance(series.log(row), LogAddress)
    summary = entry(series, row, frame, "Alert summary")
    assert isinstance(summary, AlertSummary)
    assert isinstance(entry(series, row, frame, "jobs of its push"), PushJobs)
    assert entry(series, row, frame, "task group") == Push("autoland", row["revision"])
    assert row["delta_percent"] > 5
    assert "median" in series.summary(frame) and "alert" in series.summary(frame)


def test_a_step_of_a_series_is_a_candidate_where_it_happened(listed: Lists) -> None:
    """Among the series that were alerted on some have a step that Perfherder's rule finds in what is shown."""
    summaries, frame = listed(AlertSummaries("autoland", "browsertime"))
    found = 0
    for row in frame.filter(pl.col("regressions") > 0).slice(4, 6).iter_rows(named=True):
        alerts, alerted = listed(summaries.open(row))
        series = alerts.open(alerted.row(0, named=True))
        if series is None:
            continue
        _, points = listed(series)
        found += points.filter(pl.col("candidate").is_not_null() & pl.col("alert").is_not_null()).height > 0
    assert found


def test_replicates_are_switched_on_and_are_more_rows_of_the_same_runs(listed: Lists) -> None:
    series, frame = listed("perf.series")
    with_replicates = entry(series, frame.row(0, named=True), frame, "All replicates")
    assert with_replicates.replicates
    _, more = listed(with_replicates)
    assert len(more) >= len(frame)
    assert set(more["datum_id"]) == set(frame["datum_id"])


def test_two_points_compare_their_pushes_and_points_of_two_series_their_windows(listed: Lists) -> None:
    series, frame = listed("perf.three-series")
    names = frame["series"].unique(maintain_order=True).to_list()
    one = frame.filter(pl.col("series") == names[0]).unique("push_id", maintain_order=True)
    compared = series.compare(pl.concat([one.slice(3, 1), one.slice(1, 1)]))
    assert isinstance(compared, Compare) and compared.framework == "13"
    assert (compared.base_revision, compared.new_revision) == (one["revision"][1], one["revision"][3])
    windows = series.compare(frame.filter(pl.col("series").is_in(names[:2])))
    assert isinstance(windows, ComparedValues)
    resource, values = listed(windows)
    assert len(values) == frame.filter(pl.col("series").is_in(names[:2])).height
    assert "p " in resource.summary(values)
    with pytest.raises(UsageProblem):
        series.compare(frame.head(1))


def test_before_and_after_a_point_are_two_windows(listed: Lists) -> None:
    series, frame = listed("perf.series")
    row = frame.filter(pl.col("alert").is_not_null()).row(0, named=True)
    resource, values = listed(entry(series, row, frame, "two weeks before"))
    assert set(values["side"]) == {"base", "new"}
    assert isinstance(resource, ValueList)
    before = values.filter(pl.col("side") == "base")["push_time"].max()
    assert before < row["push_time"] <= values.filter(pl.col("side") == "new")["push_time"].min()
    assert "regression" in resource.summary(values) or "too few" in resource.summary(values)


def asked(resource: Resource, frame: pl.DataFrame, words: str, text: str) -> Any:
    """What the menu's question with these words makes of an answer."""
    [question] = [one for one in resource.menu(None, frame) if isinstance(one, Question) and words in one.label]
    return question.opens(text)


def test_the_menu_asks_for_another_framework_time_status_or_author(listed: Lists) -> None:
    signatures, frame = listed(Signatures("autoland", "browsertime"))
    assert asked(signatures, frame, "framework", "talos") == Signatures("autoland", "talos")
    assert asked(signatures, frame, "another time", "2d") == Signatures("autoland", "browsertime", 2 * 86400)
    summaries, frame = listed(AlertSummaries("autoland"))
    assert asked(summaries, frame, "status", "fixed") == AlertSummaries("autoland", status="fixed")
    assert asked(summaries, frame, "pushes of a time", "3d").timerange == 3 * 86400
    pushes, frame = listed(Pushes("autoland", count=5))
    assert asked(pushes, frame, "author", "a@example.org").author == "a@example.org"
    assert asked(pushes, frame, "Since", "2026-11-20").start == "2026-11-20"
    none = frame.head(0)
    for resource, words, text in (
        (signatures, "another time", "soon"),
        (signatures, "another time", "0d"),
        (summaries, "status", "open"),
        (pushes, "Since", "yesterday"),
    ):
        with pytest.raises(UsageProblem):
            asked(resource, none, words, text)
    hidden = entry(summaries, None, none, "Without improvements")
    assert hidden.flags == ("hide-improvements",)
    again, frame = listed(hidden)
    assert entry(again, None, frame, "Not: without improvements") == AlertSummaries("autoland")


def test_summaries_by_the_servers_filters(listed: Lists) -> None:
    _, every = listed(AlertSummaries())
    assert set(every["status"]) >= {"untriaged", "investigating", "fixed", "wontfix", "invalid"}
    assert len(every) > 250
    _, untriaged = listed(AlertSummaries("autoland", "browsertime", "untriaged"))
    assert set(untriaged["status"]) == {"untriaged"} and set(untriaged["framework"]) == {"browsertime"}
    _, visible = listed(AlertSummaries(flags=("hide-related",)))
    assert not set(visible["status"]) & {"downstream", "reassigned", "invalid"}
    _, words = listed(AlertSummaries(words="amazon"))
    assert 0 < len(words) < len(every)
    for problem in (AlertSummaries(status="broken"), AlertSummaries(framework="nosuch")):
        with pytest.raises(UsageProblem, match="Known"):
            listed(problem)


def test_an_alert_leads_to_its_series_task_bug_and_both_pushes(listed: Lists) -> None:
    alerts, frame = listed("perf.alert-summary")
    row = frame.filter(pl.col("task_id").is_not_null()).row(0, named=True)
    series = alerts.open(row)
    assert isinstance(series, Series) and series.start is not None
    _, points = listed(series)
    assert points.filter(pl.col("alert").is_not_null()).height
    assert isinstance(entry(alerts, row, frame, "The task"), Task)
    assert isinstance(entry(alerts, row, frame, "The jobs of its push"), PushOf)
    compared = alerts.compare(frame)
    assert isinstance(compared, Compare) and compared.base_repository == "autoland"
    assert isinstance(alerts.log(row), LogAddress)
    assert len(alerts.open_marked(frame.head(2)).series) == 2
    assert "regression" in alerts.summary(frame)


def test_a_summary_with_a_bug_leads_to_it(listed: Lists) -> None:
    summaries, frame = listed(AlertSummaries(status="fixed"))
    row = frame.filter(pl.col("bug").is_not_null()).row(0, named=True)
    assert entry(summaries, row, frame, f"Bug {row['bug']}").endswith(row["bug"])
    assert frame["detect"].null_count() < len(frame) and frame["bug_after"].null_count() < len(frame)


def test_alerts_that_another_summary_handed_over_know_their_repository(listed: Lists) -> None:
    _, every = listed(AlertSummaries())
    row = every.filter(pl.col("related") > 0).row(0, named=True)
    _, alerts = listed(AlertSummary(int(row["summary_id"])))
    foreign = alerts.filter(~pl.col("relation").str.starts_with("own") & ~pl.col("relation").str.starts_with("handed"))
    assert len(foreign) == row["related"]
    assert not foreign["repository"].null_count()


def test_pushes_have_the_results_of_their_jobs(listed: Lists) -> None:
    pushes, frame = listed(Pushes("autoland", count=30))
    assert len(frame) == 30 and frame["push_time"].is_sorted(descending=True)
    assert not frame["total"].null_count() and frame["total"].sum() > 0
    row = frame.filter(pl.col("failed") > 0).row(0, named=True)
    assert pushes.open(row) == PushJobs("autoland", int(row["push_id"]))
    compared = pushes.compare(frame.slice(2, 2))
    assert (compared.base_revision, compared.new_revision) == (frame["revision"][3], frame["revision"][2])
    assert entry(pushes, row, frame, "task group") == Push("autoland", row["revision"])
    assert "with failures" in pushes.summary(frame)


def test_more_pushes_than_a_page_are_listed_once_each(listed: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.treeherder.pushes.PUSHES_A_PAGE", 25)
    _, frame = listed(Pushes("autoland", count=120))
    assert len(frame) == 120 == frame["push_id"].n_unique()


def test_failures_come_first_and_lead_to_task_log_lines_and_jobs_alike(listed: Lists) -> None:
    jobs, frame = listed(PushOf("autoland", listed("perf.alert-summary")[0]._summary["revision"]))
    failed = frame["result"].is_in(["busted", "testfailed", "exception"])
    assert failed[0] and failed.sum() > 1
    open_failures = failed & frame["classified"].is_null()
    assert open_failures.head(int(open_failures.sum())).all()
    row = frame.filter((pl.col("result") == "testfailed") & pl.col("task_id").is_not_null()).row(0, named=True)
    assert isinstance(jobs.open(row), Task)
    assert isinstance(jobs.log(row), LogAddress)
    both = frame.filter(pl.col("task_id").is_not_null()).head(2)
    assert jobs.open_marked(both).task_ids == jobs.measurements(both).task_ids == tuple(both["task_id"])
    failures, lines = listed(entry(jobs, row, frame, "failure lines"))
    assert len(lines) >= 1 and lines["line"].str.len_chars().min() > 5
    assert isinstance(failures.shows(lines.row(0, named=True)), LogAddress)
    similar, alike = listed(entry(jobs, row, frame, "Jobs like it"))
    assert set(alike["name"]) == {row["name"]}
    assert isinstance(similar, Resource) and "%" in similar.summary(alike)


def test_a_push_whose_jobs_have_ended_is_not_asked_about_again(listed: Lists) -> None:
    newest, oldest = listed(Pushes("autoland", count=2))[1], listed(Pushes("autoland", count=40))[1]
    quiet = oldest.filter((pl.col("running") == 0) & (pl.col("pending") == 0)).row(0, named=True)
    jobs, frame = listed(PushJobs("autoland", int(quiet["push_id"])))
    if frame["state"].is_in(["running", "pending"]).any():  # tier 3 is not counted in a push's status
        pytest.skip("every push of this demo has a job that runs")
    assert jobs.updates(frame, Cancel()) is None
    busy, frame = listed(PushJobs("autoland", int(newest["push_id"][0])))
    page = busy.updates(frame, Cancel())
    assert page is not None and set(page.frame["key"]) <= set(frame["key"])
    older = frame.with_columns(pl.lit("pending").alias("result"))
    page = busy.updates(older, Cancel())
    assert page is not None and len(page.frame) == frame.filter(pl.col("result") != "pending").height


def test_two_revisions_are_compared_and_lead_to_subtests_and_values(listed: Lists) -> None:
    compare, frame = listed("perf.compare")
    assert {"regression", "improvement", "no change"} <= set(frame["verdict"].drop_nulls())
    row = frame.filter((pl.col("subtests") == "yes") & (pl.col("n_base") > 0) & (pl.col("n_new") > 0)).row(
        0, named=True
    )
    deeper = compare.shows(row)
    assert isinstance(deeper, Compare) and str(deeper.base_parent) == row["base_signature"]
    subtests, below = listed(deeper)
    assert not below["test"].null_count() and set(below["suite"]) == {row["suite"]}
    values = subtests.shows(below.filter(pl.col("n_base") > 0, pl.col("n_new") > 0).row(0, named=True))
    assert isinstance(values, ComparedValues)
    resource, both = listed(values)
    assert set(both["side"]) == {"base", "new"} and resource.chart is not None
    assert "regression" in compare.summary(frame)


def test_the_values_behind_a_row_give_the_rows_numbers(listed: Lists) -> None:
    compare, frame = listed("perf.compare")
    for row in frame.filter((pl.col("n_base") > 0) & (pl.col("n_new") > 0)).head(4).iter_rows(named=True):
        resource, values = listed(compare.open(row))
        found = resource.compared(values)
        assert (found.n_base, found.n_new, found.verdict) == (row["n_base"], row["n_new"], row["verdict"])
        assert found.median_base == pytest.approx(row["median_base"], abs=0.0051)
        assert found.delta == pytest.approx(row["delta"], abs=0.0101)


def test_small_values_are_compared_in_full(listed: Lists) -> None:
    _, frame = listed("perf.compare")
    rows = frame.filter((pl.col("n_base") > 0) & (pl.col("n_new") > 0))
    small = rows.filter(pl.min_horizontal(pl.col("median_base").abs(), pl.col("median_new").abs()) * 0.001 < 0.01)
    assert set(small["precision"]) <= {"in full"}
    assert set(rows.join(small, on="key", how="anti")["precision"]) == {"2 decimals"}


def test_a_revision_is_compared_with_the_time_before_it(listed: Lists, demo: dict[str, str]) -> None:
    both = parse(demo["perf.compare"])
    assert isinstance(both, Compare)
    history = Compare("autoland", "", both.new_repository, both.new_revision, "13", interval=30 * 86400)
    compare, frame = listed(history)
    known = frame.filter((pl.col("n_base") > 0) & (pl.col("n_new") > 0))
    assert len(known) and known["n_base"].max() > known["n_new"].max()
    values, rows = listed(compare.open(known.row(0, named=True)))
    assert set(rows["side"]) == {"base", "new"} and values.title


def test_frameworks_and_similar_jobs_of_nothing_say_so(listed: Lists) -> None:
    frameworks, frame = listed(Frameworks())
    assert isinstance(frameworks.open(frame.row(0, named=True)), AlertSummaries)
    for missing in (SimilarJobs("autoland", 1), JobFailures("autoland", 1), AlertSummary(1)):
        with pytest.raises(Exception, match="Treeherder has no"):
            listed(missing)
    with pytest.raises(Exception, match="has no signature 1"):
        listed(Series((SeriesRef("autoland", "1"),)))
