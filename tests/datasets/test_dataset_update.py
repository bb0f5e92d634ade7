"""Filling a store: few requests, none for what is known, empty told from failed, nothing known lost to an expiry."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.http.errors import AccessDeniedError
from backends.treeherder.asking import NoSuchRepository
from backends.treeherder.datasets import update_plan
from backends.treeherder.datasets.dataset import Dataset, PushWindow, ViewOptions
from backends.treeherder.datasets.fetch_log import now
from backends.treeherder.datasets.legacy_export import export
from backends.treeherder.datasets.store import DatasetStore
from backends.treeherder.datasets.update import DatasetUpdate, UpdateReport
from backends.treeherder.datasets.update_plan import UpdateOptions, planned_steps
from backends.treeherder.datasets.views import VIEWS
from tests.datasets.fake_treeherder import DAY, FakeTreeherder

NOW = now()
OPTIONS = UpdateOptions("autoland", NOW - 60 * DAY, NOW)
LATER = replace(OPTIONS, until=NOW + 3600)  # as if the next run began an hour later


def _world() -> FakeTreeherder:
    """50 pushes in 50 days, every fifth measured by three jobs of two signatures; the oldest jobs have expired."""
    found = FakeTreeherder({number: NOW - number * DAY for number in range(1, 51)})
    for push in range(5, 51, 5):
        for job in range(3):
            for signature in (2 * job, 2 * job + 1):
                found.measure(signature + 1, 100 * push + job, push, after=60 + 1000 * job, expired=push > 40)
    found.summaries = [{"id": number, "status": 0, "alerts": [{"id": number}]} for number in range(1, 251)]
    return found


def _fill(
    store: DatasetStore, world: FakeTreeherder, wanted: UpdateOptions = OPTIONS, cancel: CancelToken | None = None
) -> UpdateReport:
    return DatasetUpdate(store, world.server(), wanted, cancel=cancel or CancelToken(), concurrency=2).run()


def _counts(world: FakeTreeherder) -> Counter[str]:
    return Counter(path for path, _ in world.asked)


def _pairs(store: DatasetStore) -> list[tuple[Any, ...]]:
    columns = ["datum_id", "signature_id", "job_id", "push_id", "submit_ts"]
    return store.read("pairs", "autoland").select(columns).sort("datum_id").rows()


def _expected(world: FakeTreeherder) -> list[tuple[Any, ...]]:
    return sorted(
        (row["id"], row["signature_id"], row["job_id"], row["push_id"], row["submit"] if row["job_id"] else None)
        for row in world.data
    )


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of submission come from lists: as if a request took one job."""
    monkeypatch.setattr(update_plan, "JOBS_PER_REQUEST", 1)


def test_a_fill_takes_few_requests_and_the_next_one_none(tmp_path: Path) -> None:
    world = _world()
    with DatasetStore(tmp_path, create=True) as store:
        report = _fill(store, world)
        assert not report.failures
        assert _pairs(store) == _expected(world)
        assert _counts(world) == {
            "repository": 1, "performance/signatures": 1, "push": 1, "performance/data": 3, "jobs": 1,
            "performance/alertsummary": 3,
        }  # fmt: skip
        assert store.count("alert_summaries") == 250
        world.asked.clear()
        again = _fill(store, world)
        assert (again.requests, world.asked) == (0, [])


def test_all_jobs_need_no_times_of_submission(tmp_path: Path) -> None:
    world = _world()
    with DatasetStore(tmp_path, create=True) as store:
        _fill(store, world, replace(OPTIONS, jobs="all"))
        assert _pairs(store) == _expected(world)
        assert _counts(world)["performance/summary"] == 0
        assert store.count("jobs") == len(world.jobs)


def test_lists_tell_the_times_of_submission_where_they_are_fewer_requests(tmp_path: Path, lists: None) -> None:
    world = _world()
    with DatasetStore(tmp_path, create=True) as store:
        _fill(store, world, replace(OPTIONS, jobs="none"))
        assert _pairs(store) == _expected(world)
        assert _counts(world)["jobs"] == 0
        assert 0 < _counts(world)["performance/summary"] <= 2 * 10


def test_times_of_submission_come_from_the_jobs_where_that_is_fewer_requests(tmp_path: Path) -> None:
    """24 jobs are one request; their lists are one for each day and framework: 16."""
    world = _world()
    with DatasetStore(tmp_path, create=True) as store:
        assert not _fill(store, world, replace(OPTIONS, jobs="none")).failures
        assert _pairs(store) == _expected(world)
        assert (_counts(world)["jobs"], _counts(world)["performance/summary"]) == (1, 0)
        world.asked.clear()
        _fill(store, world, replace(OPTIONS, jobs="none"))
        assert world.asked == []


@pytest.mark.parametrize("jobs", ["sample", "none"])
def test_a_job_with_values_of_subtests_alone_is_no_expired_one(tmp_path: Path, jobs: Any, lists: None) -> None:
    """No list tells when it was submitted: its values would count as if nobody could know."""
    world = _world()
    world.only_subtests = {1002, 2001, 2002}
    wanted = replace(OPTIONS, jobs=jobs)
    with DatasetStore(tmp_path, create=True) as store:
        _fill(store, world, wanted)
        assert _pairs(store) == _expected(world)
        assert _counts(world)["jobs"] == 1
        world.asked.clear()
        _fill(store, world, wanted)
        assert world.asked == []


def test_lists_of_times_that_failed_are_not_asked_for_job_by_job(tmp_path: Path, lists: None) -> None:
    world = _world()
    world.fails = lambda path, query: 500 if path == "performance/summary" else 0
    with DatasetStore(tmp_path, create=True) as store:
        assert _fill(store, world, replace(OPTIONS, jobs="none")).failures
        assert _counts(world)["jobs"] == 0


def test_what_has_settled_is_not_asked_again_and_what_is_young_is(tmp_path: Path) -> None:
    world = _world()
    with DatasetStore(tmp_path, create=True) as store:
        _fill(store, world)
        world.asked.clear()
        world.measure(1, 9999, 3)  # a backfill on a push of three days ago
        _fill(store, world, replace(LATER, min_refetch_interval=0))
        asked = {int(one) for path, query in world.asked if path == "performance/data" for one in query["push_id"]}
        assert asked == set(range(1, 7))  # the seventh was a week old when it was asked for
        assert _pairs(store) == _expected(world)


def test_a_job_that_expires_later_stays_known(tmp_path: Path) -> None:
    world = _world()
    with DatasetStore(tmp_path, create=True) as store:
        _fill(store, world)
        before = _pairs(store)
        world.expire(500)
        _fill(store, world, replace(LATER, min_refetch_interval=0, final_after=400 * DAY))
        assert _pairs(store) == before
        known = store.read("jobs").filter(pl.col("job_id") == 500)
        assert known["state"].to_list() == ["completed"]


def test_a_job_that_was_not_listed_for_once_is_asked_for_again(tmp_path: Path) -> None:
    world = _world()
    hidden, world.jobs = world.jobs, {}
    with DatasetStore(tmp_path, create=True) as store:
        _fill(store, world, replace(OPTIONS, jobs="all"))
        assert set(store.read("jobs")["state"].to_list()) == {"expired"}
        world.jobs = hidden
        _fill(store, world, replace(LATER, jobs="all", min_refetch_interval=0))
        assert set(store.read("jobs")["state"].to_list()) == {"completed"}
        assert _pairs(store) == _expected(world)
        world.jobs = {}
        world.asked.clear()
        _fill(store, world, replace(OPTIONS, jobs="all", until=NOW + 200 * DAY, min_refetch_interval=0, alerts=False))
        assert _counts(world)["jobs"] == 0


def test_failed_pushes_are_noted_and_asked_for_again(tmp_path: Path) -> None:
    world = _world()
    world.fails = lambda path, query: 504 if path == "performance/data" and "10" in query["push_id"] else 0
    with DatasetStore(tmp_path, create=True) as store:
        report = _fill(store, world)
        assert [what for what, _ in report.failures] == ["pairs 10"]
        known = store.log.outcomes("autoland", "pairs")
        assert (known["10"].status, known["10"].fetched_at, known["10"].reason) == ("error", None, "http-504")
        assert (known["5"].status, known["6"].status) == ("ok", "empty")
        shown = VIEWS["revisions"].build(Dataset(store, "autoland"))
        states = dict(shown.select("push", "state").rows())
        assert (states["10"], states["5"], states["6"], states["45"]) == (
            "failed", "scheduled", "not scheduled", "job expired",
        )  # fmt: skip
        totals = dict(shown.select("push", "total").rows())
        assert (totals["10"], totals["6"]) == (None, 0)
        world.fails = lambda path, query: 0
        world.asked.clear()
        _fill(store, world)
        assert [query["push_id"] for path, query in world.asked if path == "performance/data"] == [["10"]]
        assert _pairs(store) == _expected(world)


def test_answers_that_take_too_long_are_asked_for_in_halves(tmp_path: Path) -> None:
    world = _world()
    world.fails = lambda path, query: 502 if path == "performance/data" and len(query["push_id"]) > 6 else 0
    with DatasetStore(tmp_path, create=True) as store:
        assert not _fill(store, world).failures
        assert _pairs(store) == _expected(world)


def test_a_fill_that_was_stopped_goes_on_where_it_was(tmp_path: Path, lists: None) -> None:
    world, cancel = _world(), CancelToken()

    def stop(path: str, query: dict[str, list[str]]) -> int:
        if path == "performance/summary":
            cancel.cancel()
        return 0

    world.fails = stop
    with DatasetStore(tmp_path, create=True) as store:
        with pytest.raises(OperationCancelledError):
            _fill(store, world, replace(OPTIONS, jobs="none"), cancel=cancel)
        world.fails = lambda path, query: 0
        world.asked.clear()
        _fill(store, world)
        assert _counts(world)["performance/data"] == 0
        assert _pairs(store) == _expected(world)


@pytest.mark.parametrize("path", ["repository", "performance/signatures", "push", "jobs", "performance/alertsummary"])
def test_a_refusal_ends_the_run_and_keeps_what_there_is(tmp_path: Path, path: str) -> None:
    world = _world()
    world.fails = lambda asked, query: 403 if asked == path else 0
    with DatasetStore(tmp_path, create=True) as store:
        with pytest.raises(AccessDeniedError):
            _fill(store, world)
        world.fails = lambda asked, query: 0
        _fill(store, world)
        assert _pairs(store) == _expected(world)
        assert store.count("alert_summaries") == 250


def test_a_page_of_alerts_that_failed_leaves_the_list_unfinished(tmp_path: Path) -> None:
    world = _world()
    world.fails = lambda path, query: 500 if query.get("page") == ["2"] else 0
    with DatasetStore(tmp_path, create=True) as store:
        assert _fill(store, world).failures
        assert store.count("alert_summaries") == 150
        world.fails = lambda path, query: 0
        assert not _fill(store, world).failures
        assert store.count("alert_summaries") == 250


def test_an_older_beginning_adds_only_what_lies_before(tmp_path: Path) -> None:
    world = _world()
    with DatasetStore(tmp_path, create=True) as store:
        _fill(store, world, replace(OPTIONS, since=NOW - 20 * DAY - 5))
        assert store.count("pushes") == 20
        world.asked.clear()
        _fill(store, world)
        asked = {int(one) for path, query in world.asked if path == "performance/data" for one in query["push_id"]}
        assert asked == set(range(21, 51))
        assert _pairs(store) == _expected(world)
        assert store.log.outcomes("autoland", "pushes")[""].covers_from == OPTIONS.since


def test_more_pushes_than_a_page_are_all_listed(tmp_path: Path) -> None:
    world = FakeTreeherder({number: NOW - number // 2 * 60 - 60 for number in range(1, 2501)})  # two at each moment
    with DatasetStore(tmp_path, create=True) as store:
        _fill(store, world, replace(OPTIONS, jobs="none", alerts=False))
        assert store.count("pushes") == 2500
        assert _counts(world)["push"] == 3


def test_an_unknown_repository_is_said_before_the_server_seems_ill(tmp_path: Path) -> None:
    world = _world()
    with DatasetStore(tmp_path, create=True) as store, pytest.raises(NoSuchRepository):
        DatasetUpdate(
            store, world.server("autolnd"), replace(OPTIONS, repository="autolnd"), cancel=CancelToken()
        ).run()


@pytest.mark.parametrize("answer", [b"<html>", b'{"a": [{"id": "x"}]}', b'{"a": [{"id": -1}]}', b"[]", b"{"])
def test_an_answer_of_another_shape_is_a_failure_and_no_row(tmp_path: Path, answer: bytes) -> None:
    import httpx

    world = _world()
    before = world._answer

    def odd(request: httpx.Request) -> httpx.Response:
        if "performance/data" in str(request.url):
            return httpx.Response(200, content=answer)
        return before(request)

    world._answer = odd  # type: ignore[method-assign]
    with DatasetStore(tmp_path, create=True) as store:
        report = _fill(store, world)
        assert len(report.failures) == 50
        assert store.count("pairs") == 0
        assert {one.status for one in store.log.outcomes("autoland", "pairs").values()} == {"error"}


def test_frameworks_asked_for_alone_do_not_count_as_all(tmp_path: Path) -> None:
    world = _world()
    with DatasetStore(tmp_path, create=True) as store:
        _fill(store, world, replace(OPTIONS, frameworks=(1,)))
        world.asked.clear()
        _fill(store, world)
        assert _counts(world)["performance/data"] == 3
        world.asked.clear()
        _fill(store, world, replace(OPTIONS, frameworks=(2,)))
        assert _counts(world)["performance/data"] == 0


def test_a_dry_run_counts_what_a_run_then_asks(tmp_path: Path) -> None:
    world = _world()
    with DatasetStore(tmp_path, create=True) as store:
        steps = {step.name: step.requests for step in planned_steps(store, world.server(), OPTIONS, CancelToken())}
        assert not store.repositories()
        world.asked.clear()
        _fill(store, world)
        made = _counts(world)
        assert steps["repository"] == made["repository"] == 1
        assert (steps["signatures"], steps["pushes"], steps["values"], steps["alerts"]) == (
            made["performance/signatures"], made["push"], made["performance/data"], made["performance/alertsummary"],
        )  # fmt: skip
        assert made["performance/summary"] <= steps["submit times"]
        again = planned_steps(store, world.server(), OPTIONS, CancelToken())
        assert sum(step.requests for step in again) == 0


def _small(world: FakeTreeherder, least: float = 0.0037) -> dict[int, float]:
    """The values of signature 1 that small, as a server has them."""
    exact = {}
    for row in world.data:
        row["value"] = least + row["job_id"] / 1e7 if row["signature_id"] == 1 and row["job_id"] else 1234.5678
        exact[row["id"]] = row["value"]
    return exact


@pytest.mark.parametrize("least", [0.0037, 0.9849])
def test_a_value_of_0_0037_is_not_stored_as_0(tmp_path: Path, least: float) -> None:
    """The lists of whole pushes round to two decimals: where that may be half a percent, the series is asked for."""
    world = _world()
    exact = _small(world, least)
    with DatasetStore(tmp_path, create=True) as store:
        _fill(store, world)
        asked = [query["signature"] for path, query in world.asked if "signature" in query]
        assert asked == [["1"]]
        rows = store.read("pairs").filter(pl.col("signature_id") == 1, pl.col("job_id").is_not_null())
        assert dict(rows.select("datum_id", "value").rows()) == {
            number: exact[number] for number in rows["datum_id"].to_list()
        }
        assert rows["exact"].all() and set(rows["machine_name"].to_list()) == {"machine-1"}
        others = store.read("pairs").filter(pl.col("signature_id") != 1)
        assert set(others["value"].to_list()) == {1234.57} and not others["exact"].any()
        world.asked.clear()
        _fill(store, world)
        assert world.asked == []


def test_all_digits_stay_when_the_rounded_values_come_again(tmp_path: Path) -> None:
    world = _world()
    exact = _small(world)
    with DatasetStore(tmp_path, create=True) as store:
        _fill(store, world, replace(OPTIONS, digits="all"))
        _fill(store, world, replace(LATER, digits="none", min_refetch_interval=0, final_after=400 * DAY))
        rows = store.read("pairs")
        assert dict(rows.select("datum_id", "value").rows()) == exact
        assert rows["exact"].all()
        changed = world.data[0]
        changed["value"] = 77.777  # a value that the server corrects is another one, and not the same rounded
        _fill(store, world, replace(LATER, digits="none", min_refetch_interval=0, final_after=400 * DAY))
        row = store.read("pairs").filter(pl.col("datum_id") == changed["id"])
        assert row.select("value", "exact").rows() == [(77.78, False)]


def test_a_push_that_failed_does_not_look_measured_by_one_signature(tmp_path: Path) -> None:
    """A series has the values of every push, of those that could not be asked for, too."""
    world = _world()
    _small(world)
    world.fails = lambda path, query: 504 if path == "performance/data" and "10" in query["push_id"] else 0
    with DatasetStore(tmp_path, create=True) as store:
        _fill(store, world)
        row = VIEWS["revisions"].build(Dataset(store, "autoland")).filter(pl.col("push") == "10")
        assert row.select("state", "total").rows() == [("failed", None)]


def test_a_series_that_failed_is_asked_for_again(tmp_path: Path) -> None:
    world = _world()
    exact = _small(world)
    world.fails = lambda path, query: 500 if "signature" in query else 0
    with DatasetStore(tmp_path, create=True) as store:
        assert [what for what, _ in _fill(store, world).failures] == ["digits 1"]
        world.fails = lambda path, query: 0
        steps = {step.name: step.requests for step in planned_steps(store, world.server(), OPTIONS, CancelToken())}
        assert steps["digits"] == 1
        assert not _fill(store, world).failures
        rows = store.read("pairs").filter(pl.col("exact"))
        assert dict(rows.select("datum_id", "value").rows()).items() <= exact.items()
        assert len(rows) == 10


def _measured_late(world: FakeTreeherder) -> None:
    """Push 7 has most signatures only with what was retriggered weeks later, push 5 has most within ten minutes."""
    for signature in range(20, 40):
        world.measure(signature, 7000 + signature, 7, after=20 * DAY)
        for place, push in enumerate((31, 28, 25, 2)):  # so that no sample of first, middle and last has those of 7
            world.measure(signature, 100_000 + 10 * signature + place, push + signature % 3)
    for signature in range(20, 30):
        world.measure(signature, 5000 + signature, 5)


@pytest.mark.usefixtures("no_plots")
@pytest.mark.parametrize("by_lists", [True, False])
@pytest.mark.parametrize(("within", "push"), [(600, 5), (None, 7)])
def test_the_busiest_push_whose_jobs_are_fetched_is_the_one_that_is_exported(
    tmp_path: Path, within: int | None, push: int, by_lists: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the files are there, with 0 bytes and all null. 10 jobs of push 5 and the 3 of every fifth push; 20 of 7."""
    if by_lists:
        monkeypatch.setattr(update_plan, "JOBS_PER_REQUEST", 1)
    world = _world()
    _measured_late(world)
    with DatasetStore(tmp_path / "store", create=True) as store:
        _fill(store, world)
        dataset = Dataset(store, "autoland", ViewOptions(PushWindow(within=within)))
        done = export(dataset, tmp_path / "out", cancel=CancelToken())
    stats = json.loads((tmp_path / "out" / "job_wait_time_stats.json").read_text())
    jobs = (tmp_path / "out" / "max_revision_jobs.jsonl").read_text().splitlines()
    meant = {row["job_id"] for row in world.data if row["push_id"] == push}
    assert stats["revision"] == f"{push:040x}"
    assert {json.loads(line)["id"] for line in jobs} == meant
    assert stats["observations"] == stats["unique_job_ids_in_cache"] == len(meant)
    assert stats["seconds"]["median"] == 30
    assert not any("lacks the details" in note for note in done.notes)


@pytest.mark.usefixtures("no_plots")
def test_an_export_of_another_window_says_that_the_jobs_of_its_busiest_push_are_not_there(
    tmp_path: Path, lists: None
) -> None:
    world = _world()
    _measured_late(world)
    for signature in range(50, 58):
        for push in (46, 45, 44, 43, 42, 9):
            world.measure(signature, 1000 * push + signature, push)
        for job in range(3):
            world.measure(signature, 2910 + job, 29)
    with DatasetStore(tmp_path / "store", create=True) as store:
        _fill(store, world)
        window = PushWindow(since=NOW - 40 * DAY, until=NOW - 20 * DAY)
        done = export(Dataset(store, "autoland", ViewOptions(window)), tmp_path / "out", cancel=CancelToken())
    stats = json.loads((tmp_path / "out" / "job_wait_time_stats.json").read_text())
    missing = stats["unique_job_ids_in_cache"] - stats["detailed_jobs_in_jsonl"]
    assert stats["revision"] == f"{29:040x}" and missing == 9
    total = stats["unique_job_ids_in_cache"]
    assert any(f"lacks the details of {missing} of the {total} jobs" in note for note in done.notes)


def test_700_jobs_are_three_requests_whose_addresses_gunicorn_takes(tmp_path: Path) -> None:
    """It refuses a request line above 4,094 characters; an id takes twelve, so that 300 fit."""
    world = FakeTreeherder({1: NOW - DAY})
    for number in range(700):
        world.measure(1 + number % 7, 533_007_041 + number, 1)
    with DatasetStore(tmp_path, create=True) as store:
        assert not _fill(store, world, replace(OPTIONS, jobs="all")).failures
        assert store.count("jobs") == 700
    sizes = [len(query["id__in"][0].split(",")) for path, query in world.asked if path == "jobs"]
    assert sorted(sizes) == [100, 300, 300]
