"""The answers of a real Treeherder become rows, every one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backends.treeherder.datasets import decode
from backends.treeherder.datasets.tables import ALERT_SUMMARIES, ALERTS, JOBS, MEASUREMENTS, PUSHES, SIGNATURES


@pytest.fixture
def recorded(samples: Path) -> Any:
    return lambda name: (samples / "treeherder" / f"{name}.json").read_bytes()


@pytest.mark.parametrize("name", ["data-autoland-push", "data-autoland-signature-sparse-and-dense"])
def test_values(recorded: Any, name: str) -> None:
    found = msgspec.json.decode(recorded(name), type=dict[str, list[decode.PushDatum]])
    rows = decode.measurement_rows(found, 5)
    plain = json.loads(recorded(name))
    assert dict(rows.schema) == MEASUREMENTS.columns
    assert sorted(rows["datum_id"].to_list()) == sorted(one["id"] for series in plain.values() for one in series)
    assert set(rows["push_ts"].to_list()) == {one["push_timestamp"] for series in plain.values() for one in series}


@pytest.mark.parametrize("name", ["push-autoland-count100", "push-try-count40"])
def test_pushes(recorded: Any, name: str) -> None:
    rows = decode.push_rows(msgspec.json.decode(recorded(name), type=decode.ResultPage[decode.DatasetPush]).results)
    plain = json.loads(recorded(name))["results"]
    assert dict(rows.schema) == PUSHES.columns
    assert rows.select("push_id", "revision", "push_ts").rows() == [
        (one["id"], one["revision"], one["push_timestamp"]) for one in plain
    ]


@pytest.mark.parametrize("name", ["signatures-autoland-framework1", "signatures-autoland-framework15"])
def test_signatures_keep_which_fields_they_have(recorded: Any, name: str) -> None:
    rows = decode.signature_rows(msgspec.json.decode(recorded(name), type=dict[str, dict[str, Any]]))
    plain = json.loads(recorded(name))
    assert dict(rows.schema) == SIGNATURES.columns
    assert {row["signature_id"]: json.loads(row["raw"]) for row in rows.iter_rows(named=True)} == {
        int(key): value for key, value in plain.items()
    }
    worse = rows.filter(~rows["lower_is_better"])["signature_id"].to_list()
    assert worse == sorted(int(key) for key, value in plain.items() if value.get("lower_is_better") is False)


def test_jobs_and_those_that_are_gone(recorded: Any) -> None:
    found = msgspec.json.decode(recorded("jobs-project-autoland-push"), type=decode.JsonPage).results
    rows = decode.job_rows(found, [*(one["id"] for one in found), 999_999], 5)
    assert dict(rows.schema) == JOBS.columns
    assert rows.filter(rows["state"] == "expired")["job_id"].to_list() == [999_999]
    by_id = {row["job_id"]: row for row in rows.iter_rows(named=True)}
    for one in found:
        assert {name: by_id[one["id"]][name] for name in one if name != "id"} == {
            name: value for name, value in one.items() if name != "id"
        }


def test_alert_summaries_come_back_as_they_were(recorded: Any) -> None:
    page = msgspec.json.decode(recorded("alertsummary-limit100-page1"), type=decode.JsonPage)
    summaries, alerts = decode.alert_rows(page.results, monitored=False)
    assert (dict(summaries.schema), dict(alerts.schema)) == (ALERT_SUMMARIES.columns, ALERTS.columns)
    own = {row["summary_id"]: json.loads(row["raw"]) for row in summaries.iter_rows(named=True)}
    for one in json.loads(recorded("alertsummary-limit100-page1"))["results"]:
        listed = alerts.filter((alerts["listed_in"] == one["id"]) & ~alerts["related"]).sort("position")
        assert [json.loads(raw) for raw in listed["raw"].to_list()] == one.pop("alerts")
        one.pop("related_alerts")
        assert own[one["id"]] == one


def test_times_of_submission_by_job(recorded: Any) -> None:
    found = msgspec.json.decode(recorded("summary-autoland-framework13-2days"), type=list[decode.SubmitTimesReply])
    rows = dict(decode.submit_time_rows(found).rows())
    plain = json.loads(recorded("summary-autoland-framework13-2days"))
    expected = {
        job: decode.parse_epoch(said)
        for series in plain
        for job, said in zip(series["job_ids"], series["submit_times"], strict=True)
        if job is not None and said is not None
    }
    assert rows == expected and rows


@pytest.mark.parametrize("said", [0, -1, "", "soon", None, True, 1e300, [], "2026-13-01T00:00:00"])
def test_no_time_is_none(said: Any) -> None:
    assert decode.parse_epoch(said) is None


@pytest.mark.parametrize("name", ["id", "signature_id", "push_id", "push_timestamp", "job_id", "value"])
def test_true_is_no_1_among_values(name: str) -> None:
    """JSON's true is 1 in Python: a value of 1.0, or one of push 1, that nobody measured."""
    datum = {"id": 5, "signature_id": 2, "push_id": 3, "push_timestamp": 4, "job_id": 6, "value": 7.0}
    assert len(decode.measurement_rows(msgspec.convert({"a": [datum]}, dict[str, list[decode.PushDatum]]), 1)) == 1
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(json.dumps({"a": [{**datum, name: True}]}), type=dict[str, list[decode.PushDatum]])
    point = {"id": 5, "push_id": 3, "push_timestamp": "2026-11-20T10:00:00", "job_id": 6, "value": 7.0}
    if name in point:
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(
                json.dumps([{"signature_id": 1, "data": [{**point, name: True}]}]), type=list[decode.SeriesReply]
            )


def test_true_is_no_1_among_jobs_and_alerts() -> None:
    job = decode.job_rows([{"id": 7, "tier": True, "submit_timestamp": True}, {"id": True}], [7, 1], 9)
    assert job.select("job_id", "tier", "submit_timestamp", "state").rows() == [
        (7, None, None, None), (1, None, None, "expired"),
    ]  # fmt: skip
    alert = {"id": 3, "prev_value": True, "amount_pct": True, "series_signature": {"id": True}, "status": True}
    found, alerts = decode.alert_rows(
        [{"id": True}, {"id": 2, "bug_number": True, "status": True, "push_timestamp": True, "alerts": [alert]}],
        monitored=False,
    )
    assert found.select("summary_id", "bug_number", "status", "push_ts").rows() == [(2, None, None, None)]
    assert alerts.select("alert_id", "signature_id", "status", "prev_value", "amount_pct").rows() == [
        (3, None, None, None, None)
    ]
    assert decode.signature_rows({"x": {"id": True}}).is_empty()
    assert (decode.as_int(True), decode.as_float(True), decode.parse_epoch(True)) == (None, None, None)
    assert decode.as_bool(1) is None
