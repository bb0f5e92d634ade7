"""The lists of what was measured and of alerts, on the embedded CI: where Enter leads, what x, A and = offer."""

from __future__ import annotations

import polars as pl
import pytest

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.frames import filters
from backends.resources import LogAddress, read_list
from backends.taskcluster.locators import PushGroup, Task
from backends.treeherder.locators import (
    AlertSummaries,
    AlertSummary,
    Compare,
    ComparedValues,
    Pushes,
    PushJobs,
    PushOf,
    Repositories,
    Series,
    Signatures,
)
from backends.treeherder.value_comparison import ValueList
from tests.treeherder.listing import Lists, answer_question, entry
from tui.widgets.table_drawing import Columns, header_label


def test_from_the_repositories_to_the_series_of_three_suites(open_list: Lists) -> None:
    repositories, frame = open_list(Repositories())
    assert frame["name"][0] == "autoland"
    frameworks, frame = open_list(repositories.open(frame.row(0, named=True)))
    row = frame.row(by_predicate=pl.col("name") == "browsertime", named=True)
    signatures, frame = open_list(frameworks.open(row))
    assert len(frame) > 300 and set(frame["framework"].unique()) == {"browsertime"}
    assert set(frame["option"].drop_nulls()) <= {"opt", "debug", "pgo", "asan"}
    marked = frame.filter(pl.col("suite") == "amazon").head(3)
    _, points = open_list(signatures.open_marked(marked))
    assert points["series"].n_unique() == len(marked) == 3
    assert points["task_id"].null_count() < len(points)
    assert points["unit"].n_unique() == 1


def test_enter_on_a_suite_lists_its_subtests_and_on_a_subtest_its_series(open_list: Lists) -> None:
    signatures, frame = open_list(Signatures("autoland", "browsertime"))
    suite = frame.filter(pl.col("subtests") == "yes").row(0, named=True)
    opened = signatures.shows(suite)
    assert isinstance(opened, Signatures) and opened.parent == suite["signature_hash"]
    subtests, frame = open_list(opened)
    assert not frame["test"].null_count() and set(frame["suite"]) == {suite["suite"]}
    assert isinstance(subtests.shows(frame.row(0, named=True)), Series)
    assert isinstance(signatures.open(suite), Series)


def test_of_more_than_six_series_six_are_read_and_that_is_said(open_list: Lists) -> None:
    signatures, frame = open_list(Signatures("autoland", "browsertime"))
    resource, points = open_list(signatures.open_marked(frame.slice(5, 8)))
    assert points["signature_id"].n_unique() <= 6
    assert "Only the first 6 series are read; 2 more" in read_list(resource, CancelToken()).notes[0]


def test_two_signatures_are_compared_by_what_they_measured(open_list: Lists) -> None:
    signatures, frame = open_list(Signatures("autoland", "browsertime"))
    with pytest.raises(UsageError, match="3 rows are marked"):
        signatures.compare(frame.head(3))
    compared = signatures.compare(frame.filter(pl.col("suite") == "amazon").head(2))
    assert isinstance(compared, ComparedValues)
    _, values = open_list(compared)
    assert set(values["side"]) == {"base", "new"}


def test_a_word_and_a_column_find_a_suite_among_all_signatures(open_list: Lists) -> None:
    resource, frame = open_list(Signatures("autoland", "", subtests=True, interval=365 * 86400))
    assert len(frame) > 3000
    found = frame.filter(filters.parse("speedo suite:speedometer", resource.schema).mask(frame))
    assert 0 < len(found) < 200 and found["suite"].str.contains("speedometer").all()


def test_a_series_marks_its_alerts_and_leads_to_task_jobs_and_summary(open_list: Lists) -> None:
    series, frame = open_list("perf.series")
    row = frame.filter(pl.col("alert").is_not_null()).row(0, named=True)
    assert "regression" in row["alert"]
    task = series.open(row)
    assert isinstance(task, Task) and task.root_url.startswith("http://127.0.0.1")
    assert isinstance(series.log(row), LogAddress)
    summary = entry(series, row, frame, "Alert summary")
    assert isinstance(summary, AlertSummary)
    assert isinstance(entry(series, row, frame, "jobs of its push"), PushJobs)
    assert entry(series, row, frame, "task group") == PushGroup("autoland", row["revision"])
    assert row["delta_percent"] > 5
    assert "median" in series.summary(frame) and "alert" in series.summary(frame)
    labels = [one.label for one in series.menu(row, frame)]
    assert "The last day" in labels and "The last 7 days" in labels and not any("1 day" in one for one in labels)


def test_a_step_of_a_series_is_a_candidate_where_it_happened(open_list: Lists) -> None:
    """Among the series that were alerted on some have a step that Perfherder's rule finds in what is shown."""
    summaries, frame = open_list(AlertSummaries("autoland", "browsertime"))
    found = 0
    for row in frame.filter(pl.col("regressions") > 0).slice(4, 6).iter_rows(named=True):
        alerts, alerted = open_list(summaries.open(row))
        series = alerts.open(alerted.row(0, named=True))
        if series is None:
            continue
        _, points = open_list(series)
        found += points.filter(pl.col("candidate").is_not_null() & pl.col("alert").is_not_null()).height > 0
    assert found


def test_replicates_are_switched_on_and_are_more_rows_of_the_same_runs(open_list: Lists) -> None:
    series, frame = open_list("perf.series")
    with_replicates = entry(series, frame.row(0, named=True), frame, "All replicates")
    assert with_replicates.replicates
    _, more = open_list(with_replicates)
    assert len(more) >= len(frame)
    assert set(more["datum_id"]) == set(frame["datum_id"])


def test_two_points_compare_their_pushes_and_points_of_two_series_their_windows(open_list: Lists) -> None:
    series, frame = open_list("perf.three-series")
    names = frame["series"].unique(maintain_order=True).to_list()
    one = frame.filter(pl.col("series") == names[0]).unique("push_id", maintain_order=True)
    compared = series.compare(pl.concat([one.slice(3, 1), one.slice(1, 1)]))
    assert isinstance(compared, Compare) and compared.framework == "13"
    assert (compared.base_revision, compared.new_revision) == (one["revision"][1], one["revision"][3])
    windows = series.compare(frame.filter(pl.col("series").is_in(names[:2])))
    assert isinstance(windows, ComparedValues)
    resource, values = open_list(windows)
    assert len(values) == frame.filter(pl.col("series").is_in(names[:2])).height
    assert "p " in resource.summary(values)
    with pytest.raises(UsageError):
        series.compare(frame.head(1))


def test_before_and_after_a_point_are_two_windows(open_list: Lists) -> None:
    series, frame = open_list("perf.series")
    row = frame.filter(pl.col("alert").is_not_null()).row(0, named=True)
    resource, values = open_list(entry(series, row, frame, "two weeks before"))
    assert set(values["side"]) == {"base", "new"}
    assert isinstance(resource, ValueList)
    before = values.filter(pl.col("side") == "base")["push_time"].max()
    assert before < row["push_time"] <= values.filter(pl.col("side") == "new")["push_time"].min()
    assert "regression" in resource.summary(values) or "too few" in resource.summary(values)


def test_the_menu_asks_for_another_framework_time_status_or_author(open_list: Lists) -> None:
    signatures, frame = open_list(Signatures("autoland", "browsertime"))
    assert answer_question(signatures, frame, "framework", "talos") == Signatures("autoland", "talos")
    assert answer_question(signatures, frame, "time range", "2d") == Signatures("autoland", "browsertime", 2 * 86400)
    summaries, frame = open_list(AlertSummaries("autoland"))
    assert answer_question(summaries, frame, "Status", "fixed") == AlertSummaries("autoland", status="fixed")
    assert answer_question(summaries, frame, "Push date", "3d").timerange == 3 * 86400
    pushes, frame = open_list(Pushes("autoland", count=5))
    assert answer_question(pushes, frame, "author", "a@example.org").author == "a@example.org"
    assert answer_question(pushes, frame, "Since", "2026-11-20").start == "2026-11-20"
    none = frame.head(0)
    for resource, words, text in (
        (signatures, "time range", "soon"),
        (signatures, "time range", "0d"),
        (summaries, "Status", "open"),
        (pushes, "Since", "yesterday"),
    ):
        with pytest.raises(UsageError):
            answer_question(resource, none, words, text)
    hidden = entry(summaries, None, none, "Hide improvements")
    assert hidden.flags == ("hide-improvements",)
    again, frame = open_list(hidden)
    assert entry(again, None, frame, "Show improvements") == AlertSummaries("autoland")


def test_summaries_by_the_servers_filters(open_list: Lists) -> None:
    _, every = open_list(AlertSummaries())
    assert set(every["status"]) >= {"untriaged", "investigating", "fixed", "wontfix", "invalid"}
    assert len(every) > 250
    _, untriaged = open_list(AlertSummaries("autoland", "browsertime", "untriaged"))
    assert set(untriaged["status"]) == {"untriaged"} and set(untriaged["framework"]) == {"browsertime"}
    _, visible = open_list(AlertSummaries(flags=("hide-related",)))
    assert not set(visible["status"]) & {"downstream", "reassigned", "invalid"}
    _, words = open_list(AlertSummaries(words="amazon"))
    assert 0 < len(words) < len(every)
    for problem in (AlertSummaries(status="broken"), AlertSummaries(framework="nosuch")):
        with pytest.raises(UsageError, match="Known"):
            open_list(problem)


def test_an_alert_leads_to_its_series_task_bug_and_both_pushes(open_list: Lists) -> None:
    alerts, frame = open_list("perf.alert-summary")
    row = frame.filter(pl.col("task_id").is_not_null()).row(0, named=True)
    series = alerts.open(row)
    assert isinstance(series, Series) and series.start is not None
    _, points = open_list(series)
    assert points.filter(pl.col("alert").is_not_null()).height
    assert isinstance(entry(alerts, row, frame, "The task"), Task)
    assert isinstance(entry(alerts, row, frame, "The jobs of its push"), PushOf)
    compared = alerts.compare(frame)
    assert isinstance(compared, Compare) and compared.base_repository == "autoland"
    assert isinstance(alerts.log(row), LogAddress)
    assert len(alerts.open_marked(frame.head(2)).series) == 2
    assert "regression" in alerts.summary(frame)


def test_a_summary_with_a_bug_leads_to_it(open_list: Lists) -> None:
    summaries, frame = open_list(AlertSummaries(status="fixed"))
    row = frame.filter(pl.col("bug").is_not_null()).row(0, named=True)
    assert entry(summaries, row, frame, f"Bug {row['bug']}").endswith(row["bug"])
    assert frame["detect"].null_count() < len(frame) and frame["bug_after"].null_count() < len(frame)


def test_alerts_that_another_summary_handed_over_know_their_repository(open_list: Lists) -> None:
    _, every = open_list(AlertSummaries())
    row = every.filter(pl.col("related") > 0).row(0, named=True)
    _, alerts = open_list(AlertSummary(int(row["summary_id"])))
    foreign = alerts.filter(~pl.col("relation").str.starts_with("own") & ~pl.col("relation").str.starts_with("handed"))
    assert len(foreign) == row["related"]
    assert not foreign["repository"].null_count()


def test_eighty_cells_show_what_rows_are_judged_and_told_apart_by(open_list: Lists) -> None:
    """What stands further to the right is only found by those who know that it is there."""
    wanted = {
        "perf.signatures": {"suite", "platform", "options"},
        "perf.series": {"push_time", "value", "delta_percent", "alert"},
        "perf.three-series": {"push_time", "series", "value", "delta_percent"},
        "perf.alerts": {"status", "worst_percent", "title", "framework"},
        "perf.alert-summary": {"change", "percent", "suite", "test", "platform"},
        "perf.compare": {"verdict", "delta_percent", "suite", "test", "platform"},
        "perf.compare-subtests": {"verdict", "delta_percent", "test", "platform"},
        "perf.pushes": {"revision", "author", "failed", "running"},
        "perf.push": {"result", "symbol", "name", "duration"},
    }
    for name, columns in wanted.items():
        resource, frame = open_list(name)
        layout = Columns(resource.schema, 0)
        layout.observe(frame)
        seen = {slot.column.name for slot in layout.place(80).slots if slot.start + min(slot.width, 6) <= 80}
        assert columns <= seen, (name, columns - seen)


def test_no_unit_is_given_twice(open_list: Lists) -> None:
    for name in ("perf.compare", "perf.series", "perf.alerts", "perf.alert-summary"):
        resource, frame = open_list(name)
        for column in resource.schema:
            assert header_label(column).count("%") <= 1
        lines = [line for _, section in resource.detail(frame.row(0, named=True)).sections for line in section]
        assert not [line for line in lines if "%" in line[0] and "%" in line[1]]


def test_rows_of_one_suite_and_platform_are_told_apart_by_their_options(open_list: Lists) -> None:
    compare, frame = open_list("perf.compare")
    alike = frame.filter(pl.col("suite") == "amazon")
    assert not frame["options"].null_count() and not alike["options"].str.contains("amazon").any()
    shown = ["suite", "test", "platform", "options", "application"]
    assert not alike.select(shown).is_duplicated().any()
    row = frame.filter(pl.col("subtests") == "yes").row(0, named=True)
    subtests, _ = open_list(compare.shows(row))
    assert subtests.title == f"subtests of {row['suite']}"


def test_the_series_of_an_alert_begins_at_the_alerted_push(open_list: Lists) -> None:
    alerts, frame = open_list("perf.alert-summary")
    opened = alerts.open(frame.row(0, named=True))
    assert isinstance(opened, Series)
    series, points = open_list(opened)
    [first] = points.filter(pl.col("key") == series.first_key).iter_rows(named=True)
    assert first["alert"] and first["push_time"].timestamp() == opened.at


def test_80_columns_have_the_repository_of_an_alert_whole(open_list: Lists) -> None:
    alerts, found = open_list(AlertSummaries("autoland", "browsertime", "untriaged"))
    columns = Columns(alerts.schema, 1)
    columns.observe(found)
    slots = {slot.column.name: slot for slot in columns.place(80).slots}
    assert slots["status"].only_sign and slots["repository"].end <= 80
    assert slots["repository"].width >= len("Repository")
