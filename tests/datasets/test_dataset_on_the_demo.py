"""As a user: fill a dataset from the embedded CI, look at all views, export, and ask for nothing twice."""

from __future__ import annotations

import ast
import json
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from backends.cancel import CancelToken
from backends.config import load
from backends.demo import DemoServer
from backends.errors import OperationCancelledError, UsageError
from backends.http import Http, Mode
from backends.resources import Action, Question, read_list
from backends.systems import parse_locator, systems
from backends.treeherder.datasets import lists
from backends.treeherder.datasets.fetch_log import now
from backends.treeherder.datasets.legacy_export import SUMMARY_COLUMNS
from backends.treeherder.datasets.lists import DatasetRows, last_dataset
from backends.treeherder.datasets.locators import DatasetView, DatasetViews
from backends.treeherder.datasets.store import DAY, DatasetStore
from backends.treeherder.datasets.views import VIEWS
from backends.treeherder.locators import Repositories
from tests.datasets.conftest import Call

LAST_DAY = int(datetime(2026, 11, 21, tzinfo=UTC).timestamp())  # of the demo's pushes


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("demo")
def test_one_command_fills_the_store_and_the_next_has_nothing_to_ask(call: Call, tmp_path: Path) -> None:
    where = (
        "--store",
        str(tmp_path / "new"),
        "--interval",
        "15d",
        "--rate",
        "0",
        "--digits",
        "none",
        "--frameworks",
        "1",
    )
    plan = call("treeherder", "dataset", "update", *where, "--dry-run", "--format", "csv")
    assert plan.code == 0
    assert not (tmp_path / "new").exists()
    planned = {row["step"]: int(row["requests"]) for row in plan.rows}
    first = call("treeherder", "dataset", "update", *where)
    assert first.code == 0, first.err
    made = int(first.err.split(" requests")[0].replace(",", ""))
    assert 0 < made <= sum(planned.values()) + 10
    again = call("treeherder", "dataset", "update", *where)
    assert again.err.strip() == "0 requests: nothing new."


@pytest.mark.usefixtures("demo")
def test_an_update_that_finds_nothing_says_what_is_not_there(call: Call, tmp_path: Path) -> None:
    """Days without a push and a framework that nobody measures ended as "nothing new"."""
    where = ("treeherder", "dataset", "update", "--rate", "0", "--no-alerts", "--jobs", "none", "--store")
    quiet = call(*where, str(tmp_path / "a"), "--interval", "1h", "--frameworks", "15")
    assert quiet.code == 0 and "note: autoland has no pushes since " in quiet.err
    unknown = call(*where, str(tmp_path / "b"), "--interval", "90d", "--frameworks", "15,99")
    assert unknown.code == 0 and "has no signatures of framework 99." in unknown.err
    assert "framework 15" not in unknown.err and "no pushes" not in unknown.err
    future = call(*where, str(tmp_path / "c"), "--since", "2999-01-01")
    assert future.code == 2 and "in the future" in future.err and not (tmp_path / "c").exists()


def test_days_that_a_dataset_does_not_cover_are_said_to_be_none_of_it(call: Call, filled: Path) -> None:
    where = ("treeherder", "dataset", "show", "revisions", "--store", str(filled))
    early = call(*where, "--until", "2001-01-01")
    assert early.code == 0 and not early.rows and "no pushes and no pairs of these days" in early.err
    wrong = call(*where, "--since", "2026-11-21", "--until", "2026-11-20")
    assert wrong.code == 2 and "--since is after --until" in wrong.err


@pytest.mark.parametrize("name", [name for name in VIEWS if name != "commits"])
def test_every_view_shows_something(call: Call, filled: Path, name: str) -> None:
    shown = call("treeherder", "dataset", "show", name, "--store", str(filled), "--format", "csv")
    assert shown.code == 0
    assert shown.rows
    assert list(shown.rows[0]) == list(VIEWS[name].schema.names)
    table = call("treeherder", "dataset", "show", name, "--store", str(filled), "--format", "table")
    assert "\x1b" not in table.text


def test_of_every_known_job_it_is_known_when_it_was_submitted(filled: Path) -> None:
    """Without, its values would count as if it had expired, however late it was asked for."""
    with DatasetStore(filled) as store:
        known = store.read("pairs").filter(pl.col("job_id").is_not_null())
    assert len(known) > 10_000
    assert known["submit_ts"].null_count() == 0


def test_a_filter_leaves_what_it_says(call: Call, filled: Path) -> None:
    states = ("treeherder", "dataset", "show", "revisions", "--store", str(filled), "--format", "csv", "--filter")
    expired = call(*states, 'state:"job expired"').rows
    assert expired and {row["state"] for row in expired} == {"job expired"}
    assert call(*states, "nothing:here").code == 2
    none = call(*states, "state:running")
    assert none.code == 0 and not none.rows and "filter" in none.err


def test_windows_and_the_ten_minutes_change_the_counts(call: Call, filled: Path) -> None:
    base = ("treeherder", "dataset", "show", "revisions", "--store", str(filled), "--format", "csv")
    usual, every, strict = (
        call(*base, *more).rows for more in ((), ("--within", "any"), ("--without-expired",))
    )  # fmt: skip
    totals = [sum(int(row["total"]) for row in rows) for rows in (every, usual, strict)]
    assert totals[0] > totals[1] > totals[2]
    some = call(*base, "--since", "2026-11-10", "--until", "2026-11-12").rows
    assert some and all("2026-11-10" <= row["pushed"] < "2026-11-12" for row in some)


def test_the_list_of_views_tells_what_each_rests_on(call: Call, filled: Path) -> None:
    shown = call("treeherder", "dataset", "show", "--store", str(filled), "--format", "csv")
    rows = {row["view"]: row for row in shown.rows}
    assert rows.keys() == VIEWS.keys()
    assert int(rows["groups"]["rows"]) > 10_000
    assert "only values are known" in shown.err
    whole = call("treeherder", "dataset", "show", "durations", "--store", str(filled), "--format", "csv")
    assert "--jobs all" not in whole.err


def test_a_view_of_a_sample_of_jobs_says_so(call: Call, store: Path) -> None:
    for path in store.glob("jobs/**/rows.parquet"):
        pl.read_parquet(path, hive_partitioning=False).gather_every(2).write_parquet(path)
    sampled = call("treeherder", "dataset", "show", "durations", "--store", str(store), "--format", "csv")
    assert "--jobs all" in sampled.err


def test_the_window_narrows_every_file_of_an_export(call: Call, filled: Path, tmp_path: Path) -> None:
    """Before, it narrowed the counts per revision alone: the groups, jobs and alerts beside them were of all times."""
    since, until = "2026-11-10", "2026-11-12"
    arguments = ("treeherder", "dataset", "export", "--store", str(filled), "--compat", str(tmp_path / "out"))
    assert call(*arguments, "--since", since, "--until", until).code == 0

    def lines(name: str) -> list[Any]:
        return [json.loads(line) for line in (tmp_path / "out" / name).read_text().splitlines()]

    values = [one for row in lines("perf_jobs_by_signature.jsonl") for one in row["jobs"]]
    assert values and all(since <= one["push_timestamp"] <= until for one in values)
    jobs = {one["job_id"] for one in values}
    assert {row["job_id"] for row in lines("sigs_by_job_id.jsonl")} == jobs - {None}
    assert {one["id"] for one in lines("max_revision_jobs.jsonl")} <= jobs
    summaries = pl.read_csv(tmp_path / "out" / "alert_summaries.csv")
    low, high = (int(datetime.fromisoformat(one).replace(tzinfo=UTC).timestamp()) for one in (since, until))
    assert all(low <= at <= high for at in summaries["push_timestamp"])
    alerted = {
        alert["series_signature"]["id"]
        for row in summaries.iter_rows(named=True)
        for name in ("alerts", "related_alerts")
        for alert in ast.literal_eval(row[name])
    }
    measured = {row["signature_id"] for row in lines("perf_jobs_by_signature.jsonl") if row["jobs"]}
    with DatasetStore(filled) as store:
        known = set(store.read("signatures")["signature_id"])
    assert {row["id"] for row in lines("all_signatures.jsonl")} == measured | (alerted & known)
    assert {one for row in lines("sig_groups.jsonl") for one in row["signatures"]} <= measured
    durations = pl.read_csv(tmp_path / "out" / "job_durations.csv")
    assert set(durations["signature_id"]) <= measured
    stats = json.loads((tmp_path / "out" / "time_to_culprit_stats.json").read_text())["stats"]
    assert stats["total_rows"] == len(summaries)
    shown = call("treeherder", "dataset", "show", "groups", "--store", str(filled), "--format", "csv", "--since", since,
                 "--until", until).rows  # fmt: skip
    assert sum(int(row["size"]) for row in shown) == len(measured & {
        one for row in lines("sig_groups.jsonl") for one in row["signatures"]
    })  # fmt: skip


def test_the_files_end_their_lines_as_the_originals(call: Call, filled: Path, tmp_path: Path) -> None:
    """csv.writer wrote CR LF, pandas LF; json.dump no line break, but where the scripts add one."""
    assert call("treeherder", "dataset", "export", "--store", str(filled), "--compat", str(tmp_path / "out")).code == 0
    out = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    for name in ("perf_jobs_per_revision.csv", "job_durations.csv", "sig_group_job_durations.csv",
                 "alert_summary_fail_perf_sigs.csv"):  # fmt: skip
        assert out[name].count(b"\r\n") == out[name].count(b"\n") > 1, name
    for name in ("alert_summaries.csv", "alerts_with_bug_and_test_info.csv"):
        assert out[name].endswith(b"\n") and b"\r" not in out[name]
    for name in ("perf_jobs_stats.json", "sig_group_job_duration_stats.json", "job_wait_time_stats.json"):
        assert out[name].endswith(b"}")
    assert out["sig_group_job_duration_stats.json"].startswith(b'{\n    "observations"')
    assert out["time_to_culprit_stats.json"].startswith(b'{\n  "definition"')
    assert out["time_to_culprit_stats.json"].endswith(b"}\n")
    job = json.loads(out["max_revision_jobs.jsonl"].splitlines()[0])
    assert list(job) == [*sorted(job.keys() - {"task_id", "retry_id", "platform_option"}), "task_id", "retry_id",
                         "platform_option"]  # fmt: skip
    value = json.loads(out["perf_jobs_by_signature.jsonl"].splitlines()[0])["jobs"][-1]
    assert value["machine_name"] and list(value)[:3] == ["job_id", "id", "value"]


def test_commits_need_their_list(call: Call, filled: Path, tmp_path: Path) -> None:
    base = ("treeherder", "dataset", "show", "commits", "--store", str(filled), "--format", "csv")
    refused = call(*base)
    assert refused.code == 2 and "--commits" in refused.err
    pushes = call("treeherder", "dataset", "show", "revisions", "--store", str(filled), "--format", "csv").rows[:5]
    commits = tmp_path / "all_commits.jsonl"
    listed = [{"node": row["revision"], "date": [1_790_000_000 + place, 0]} for place, row in enumerate(pushes)]
    commits.write_text("".join(json.dumps(one) + "\n" for one in [*listed, {"node": "f" * 40, "date": [1, 0]}]))
    found = {row["revision"]: row["total"] for row in call(*base, "--commits", str(commits)).rows}
    assert found == {"f" * 40: "0", **{row["revision"]: row["total"] for row in pushes}}
    commits.write_text('{"node": 5}\n')
    assert call(*base, "--commits", str(commits)).code == 2


def test_the_export_is_the_same_twice_and_readable_as_before(call: Call, filled: Path, tmp_path: Path) -> None:
    arguments = ("treeherder", "dataset", "export", "--store", str(filled), "--compat", str(tmp_path / "out"))
    first = call(*arguments)
    assert first.code == 0 and first.text.count("written") == 20
    assert call(*arguments).text.count("unchanged") == 20
    heading = (tmp_path / "out" / "alert_summaries.csv").open().readline().strip()
    assert heading == ",".join(SUMMARY_COLUMNS)
    alone = tmp_path / "groups.parquet"
    assert (
        call("treeherder", "dataset", "export", "--store", str(filled), "--view", "groups", "-o", str(alone)).code == 0
    )
    assert alone.read_bytes()[:4] == b"PAR1"
    assert call("treeherder", "dataset", "export", "--store", str(filled)).code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "nothing"), ("show", "groups", "--repository", "try"), ("show", "groups", "--within", "soon"),
        ("show", "rectified", "--exclude-framework-ids", "2;6"), ("update", "--frameworks", "nothing"),
        ("update", "--since", "1d", "--interval", "2d"), ("update", "--repository", "../up"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_said_before_anything_is_done(call: Call, store: Path, arguments: tuple[str, ...]) -> None:
    ended = call("treeherder", "dataset", *arguments, "--store", str(store))
    assert ended.code == 2 and ended.err.startswith("ciexplore: ")


def test_a_directory_without_dataset_is_no_empty_dataset(call: Call, tmp_path: Path) -> None:
    ended = call("treeherder", "dataset", "show", "groups", "--store", str(tmp_path))
    assert ended.code == 2 and "update" in ended.err
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_named(call: Call, store: Path) -> None:
    damaged = next(store.glob("jobs/**/rows.parquet"))
    damaged.write_bytes(b"PAR1 no")
    ended = call("treeherder", "dataset", "show", "waits", "--store", str(store))
    assert ended.code == 1 and "rows.parquet" in ended.err


def test_what_follows_from_the_pairs_heals_when_it_is_damaged(call: Call, store: Path) -> None:
    show = ("treeherder", "dataset", "show", "groups", "--store", str(store), "--format", "csv")
    whole = call(*show).rows
    rows = max(store.glob(".shared/**/*-rows.parquet"), key=lambda path: path.stat().st_mtime_ns)  # not the copied one
    with rows.open("r+b") as stream:  # the end is whole, the middle is not
        stream.seek(4)
        stream.write(b"\xff" * 5000)
    ended = call(*show)
    assert ended.code == 1 and "try again" in ended.err
    assert call(*show).rows == whole


def test_the_app_opens_the_list_and_each_view_from_it(filled: Path) -> None:
    with Http(mode=Mode.OFFLINE) as http:
        found = systems()["treeherder"]
        listing = found.resource(DatasetViews(str(filled)), http, load(), CancelToken())
        gathered = read_list(listing, CancelToken())
        assert len(gathered.frame) == len(VIEWS)
        assert gathered.frame["key"].is_unique().all()
        row = gathered.frame.row(by_predicate=pl.col("view") == "groups", named=True)
        inner = found.resource(listing.open(row), http, load(), CancelToken())  # type: ignore[arg-type]
        assert (inner.noun, inner.title) == (("group", "groups"), VIEWS["groups"].about)
        rows = read_list(inner, CancelToken())
        assert dict(rows.frame.schema) == inner.schema.polars()
        assert rows.frame["group_id"].is_unique().all()


@pytest.mark.usefixtures("demo")
def test_the_app_fetches_into_a_new_store_and_says_what_came(
    demo_server: DemoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the menus: repositories, a directory that does not exist yet, its list, and one more time."""
    monkeypatch.setattr(lists, "MENU_RATE", 0.0)
    monkeypatch.setattr(lists, "MENU_DAYS", ((now() - LAST_DAY) // DAY + 1,))
    settings = replace(load(), treeherder_url=demo_server.settings["CIEXPLORE_TREEHERDER_URL"], state_dir=str(tmp_path))
    found = systems()["treeherder"]
    with Http(mode=Mode.NO_CACHE) as http:
        repositories = found.resource(Repositories(), http, settings, CancelToken())
        asked = [one for one in repositories.menu({"name": "autoland"}, pl.DataFrame()) if isinstance(one, Question)]
        with pytest.raises(UsageError):
            asked[-1].opens(" ")
        locator = asked[-1].opens(str(tmp_path / "new"))
        listing = found.resource(locator, http, settings, CancelToken())
        assert read_list(listing, CancelToken()).frame.is_empty()
        assert not (tmp_path / "new").exists(), "looking makes nothing"
        fetch = listing.menu(None, pl.DataFrame())[0]
        assert isinstance(fetch, Action) and "autoland" in fetch.label and "autoland" not in fetch.confirm
        stopped = CancelToken()
        with pytest.raises(OperationCancelledError):
            fetch.run(stopped, lambda words: stopped.cancel())
        said: list[str] = []
        assert "pairs" in fetch.run(CancelToken(), said.append)
        assert any(words.endswith("pushes") for words in said)
        assert fetch.run(CancelToken(), said.append) == "0 requests: nothing new."
        assert len(read_list(listing, CancelToken()).frame) == len(VIEWS)


def test_the_directory_of_last_time_is_suggested(tmp_path: Path) -> None:
    assert last_dataset(tmp_path) == ""
    visits = [
        {"at": 1, "text": DatasetViews("/old").text()}, {"at": 3, "text": "perf:repositories"},
        {"at": 2, "text": DatasetView("/data/perf", "groups").text()}, {"at": 4, "text": "perf:dataset/"},
    ]  # fmt: skip
    (tmp_path / "history.json").write_text(json.dumps(visits))
    assert last_dataset(tmp_path) == "/data/perf"
    (tmp_path / "history.json").write_text('{"at": 1}')
    assert last_dataset(tmp_path) == ""


def test_numbers_of_pushes_that_were_not_asked_for_are_missing_and_not_zero(call: Call, store: Path) -> None:
    gone = "1700290"
    with sqlite3.connect(store / "ledger.sqlite") as log:
        log.execute("DELETE FROM fetches WHERE endpoint LIKE 'pairs%' AND key = ?", (gone,))
    for path in store.glob("pairs/**/rows.parquet"):
        pl.read_parquet(path, hive_partitioning=False).filter(pl.col("push_id") != int(gone)).write_parquet(path)
    base = ("--store", str(store), "--format", "csv")
    pushes = {row["push"]: row for row in call("treeherder", "dataset", "show", "revisions", *base).rows}
    assert pushes[gone]["state"] == "not asked"
    rows = {row["revision"]: row for row in call("treeherder", "dataset", "show", "rectified", *base).rows}
    assert rows[pushes[gone]["revision"]]["total"] == ""
    others = [row for revision, row in rows.items() if revision != pushes[gone]["revision"]]
    assert all(row["total"] for row in others)


SOURCES = {
    "alerts": "AlertSummary", "bugs": "AlertSummary", "failing": "AlertSummary", "culprit": "AlertSummary",
    "revisions": "PushJobs", "signatures": "Series", "groups": "Series", "durations-by-signature": "Series",
    "waits": "Task", "waits-by-push": "PushJobs", "rectified": "PushOf", "jobs": "NoneType", "coverage": "NoneType",
    "durations": "NoneType",
}  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_enter_leads_to_what_a_row_came_from(filled: Path, name: str) -> None:
    resource = DatasetRows(DatasetView(str(filled), name))
    frame = read_list(resource, CancelToken()).frame
    for row in frame.head(20).iter_rows(named=True):
        found = resource.open(row)
        assert type(found).__name__ == SOURCES[name]
        detail = resource.detail(row)
        assert detail is not None and len(detail.sections[0][1]) > 1
        if found is not None:
            assert parse_locator(found.text()) == found
