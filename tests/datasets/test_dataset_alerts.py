"""The bugs, tests and signatures of regressions, and how long each step took, are what the summaries say."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given

from backends.treeherder.datasets import views
from tests.datasets import original
from tests.datasets.random_data import START, SUMMARIES, FakeDataset, alert_frames, pushes


def _dataset(summaries: pl.LazyFrame, alerts: pl.LazyFrame) -> Any:
    return FakeDataset(alert_summaries=summaries, alerts=alerts, pushes=pushes())


def _same(found: list[dict[str, Any]]) -> None:
    summaries, alerts = alert_frames(found)
    expected = original.join_table(found)
    rows = views.regressed_tests(summaries, alerts)
    told = [
        (row["bug_number"], {(one["test"], one["platform"]) for one in row["tests"] or []}, row["summary_id"])
        for row in rows.iter_rows(named=True)
    ]
    assert sorted(told, key=lambda row: row[2]) == sorted((row[:3] for row in expected), key=lambda row: row[2])
    failing = views.failing_signatures(summaries, alerts)
    assert failing.rows() == original.failing(found, [row[2] for row in expected])
    shown = views.bugs(_dataset(summaries, alerts))
    assert shown["count"].to_list() == [
        len(row["tests"] or [])
        for row in rows.sort(["created_ts", "summary_id"], descending=True, nulls_last=True).iter_rows(named=True)
    ]


@given(SUMMARIES)
def test_bugs_and_failing_signatures_are_the_originals(found: list[dict[str, Any]]) -> None:
    _same(found)


def test_recorded_summaries_give_the_originals_tables(samples: Path) -> None:
    found = [
        one
        for page in (1, 2, 3)
        for one in json.loads((samples / f"treeherder/alertsummary-limit100-page{page}.json").read_text())["results"]
    ]
    assert len(found) == 296
    _same(found)
    summaries, alerts = alert_frames(found)
    assert len(alerts.collect()) == sum(len(one["alerts"]) + len(one["related_alerts"]) for one in found)
    times = views.time_to_culprit(_dataset(summaries, alerts))
    whole = [math.floor(round(hours * 3600, 6)) for hours in original.culprit_hours(found)]  # ours are whole seconds
    assert sorted(times["culprit"].drop_nulls().to_list()) == sorted(whole)


@given(SUMMARIES)
def test_each_step_is_counted_from_the_one_that_it_says(found: list[dict[str, Any]]) -> None:
    summaries, alerts = alert_frames(found)
    times = views.time_to_culprit(_dataset(summaries, alerts))
    assert dict(times.schema) == views.CULPRIT.polars()
    by_id = {str(one["id"]): one for one in found}
    pushed = {f"rev{number}": START + number * 1000 for number in range(5)}

    def seconds(text: str | None) -> int | None:
        return None if text is None else int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())

    def span(later: int | None, earlier: int | None) -> float | None:
        return None if later is None or earlier is None else float(later - earlier)

    for row in times.iter_rows(named=True):
        one = by_id[row["summary"]]
        moved = one["original_revision"] != one["revision"]
        first = pushed.get(one["original_revision"]) if moved else one["push_timestamp"]
        assert row["culprit"] == span(seconds(one["created"]), one["push_timestamp"])
        assert row["detect"] == span(seconds(one["created"]), first)
        assert row["triage"] == span(seconds(one["first_triaged"]), seconds(one["created"]))
        assert row["bug"] == span(seconds(one["bug_updated"]), seconds(one["created"]))
        assert row["landed_to_bug"] == span(seconds(one["bug_updated"]), one["push_timestamp"])
        assert row["moved"] == ("yes" if moved else "no")
        assert row["regression"] == ("yes" if any(alert["is_regression"] for alert in one["alerts"]) else "no")


@given(SUMMARIES)
def test_a_status_or_framework_that_is_newer_than_us_is_shown_as_its_number(found: list[dict[str, Any]]) -> None:
    summaries, alerts = alert_frames(found)
    shown = views.alerts(_dataset(summaries, alerts))
    assert dict(shown.schema) == views.ALERTS.polars()
    by_id = {str(one["id"]): one for one in found}
    for row in shown.iter_rows(named=True):
        one = by_id[row["summary"]]
        assert (row["status"] == "10") == (one["status"] == 10)
        assert (row["framework"] == "99") == (one["framework"] == 99)
        assert row["regressions"] == sum(alert["is_regression"] for alert in one["alerts"])
        assert row["related"] == len(one["related_alerts"])


def test_an_answer_without_its_usual_fields_still_gives_rows() -> None:
    summaries, alerts = alert_frames([{"id": 1}, {"id": 2, "alerts": [{"id": 3}], "status": "x"}, {"no": "id"}])
    assert views.alerts(_dataset(summaries, alerts))["summary"].to_list() == ["2", "1"]
    assert views.bugs(_dataset(summaries, alerts)).is_empty()
    assert alerts.select(pl.len()).collect().item() == 1
