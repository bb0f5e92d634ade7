"""In whatever order, from however many processes, however often killed: each row is there once, nothing known lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.treeherder.datasets.ledger import Fetch
from backends.treeherder.datasets.store import Store
from backends.treeherder.datasets.tables import JOBS, PAIRS

ROOT = Path(__file__).parents[2]
START = 1_790_000_000
DAY = 86_400

# A datum's push, signature and day follow from its id, as they do on a server; what is known of its job comes and goes.
DATUM = st.tuples(
    st.integers(1, 30),
    st.booleans(),  # the job is still known
    st.booleans(),  # the time of submission, too
    st.one_of(st.none(), st.floats(-10, 10).map(lambda value: round(value, 2))),
    st.integers(1, 5),  # seen at
)
BATCHES = st.lists(st.lists(DATUM, max_size=12), max_size=6)


def row(datum: tuple[int, bool, bool, float | None, int]) -> dict[str, Any]:
    number, with_job, with_submit, value, seen = datum
    push = number // 4
    return {
        "signature_id": number % 4,
        "job_id": 1000 + push * 2 + number % 2 if with_job else None,
        "datum_id": number,
        "push_id": push,
        "push_ts": START + push * DAY // 2,
        "submit_ts": START + number if with_job and with_submit else None,
        "value": value,
        "seen_at": seen,
        "machine_name": f"machine-{number % 3}" if with_job and with_submit else None,
        "exact": False,
    }


def frame(batch: list[Any]) -> pl.DataFrame:
    return pl.DataFrame([row(datum) for datum in batch], schema=PAIRS.columns)


def model(batches: list[list[Any]]) -> dict[int, dict[str, Any]]:
    known: dict[int, dict[str, Any]] = {}
    for batch in batches:
        for datum in map(row, batch):
            old = known.setdefault(datum["datum_id"], dict(datum))
            for name, value in datum.items():
                if name == "seen_at":
                    old[name] = min(old[name], value)
                elif value is not None:
                    old[name] = value
    return known


def stored(store: Store) -> list[dict[str, Any]]:
    return store.read("pairs", "autoland").select(list(PAIRS.columns)).sort("datum_id").to_dicts()


@settings(max_examples=60, deadline=None)
@given(BATCHES)
def test_a_value_is_there_once_and_a_known_job_is_never_forgotten(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Any]]
) -> None:
    with Store(tmp_path_factory.mktemp("store"), create=True) as store:
        for batch in batches:
            store.commit("autoland", {"pairs": frame(batch)}, cancel=CancelToken())
        expected = model(batches)
        assert stored(store) == [expected[number] for number in sorted(expected)]


def test_two_values_of_one_job_for_one_signature_count_once(tmp_path: Path) -> None:
    one = {**row((8, True, True, 1.0, 1)), "datum_id": 100}
    two = {**one, "datum_id": 99}
    with Store(tmp_path, create=True) as store:
        for datum in (one, two, one):
            store.commit("autoland", {"pairs": pl.DataFrame([datum], schema=PAIRS.columns)}, cancel=CancelToken())
        assert [datum["datum_id"] for datum in stored(store)] == [99]


STATES = st.sampled_from(["pending", "running", "completed", "expired"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(1, 3), STATES, st.integers(0, 9)), max_size=5), max_size=6))
def test_a_job_that_ended_stays_ended(tmp_path_factory: pytest.TempPathFactory, batches: list[Any]) -> None:
    with Store(tmp_path_factory.mktemp("store"), create=True) as store:
        best: dict[int, int] = {}
        for batch in batches:
            rows = [
                {"job_id": number, "state": state, "seen_at": at, "end_timestamp": at if state == "completed" else None}
                for number, state, at in batch
            ]
            jobs = pl.DataFrame(rows, schema=JOBS.columns)
            store.commit("autoland", {"jobs": jobs}, cancel=CancelToken())
            for number, state, _ in batch:
                best[number] = max(best.get(number, 0), {"expired": 0, "completed": 2}.get(state, 1))
        found = dict(store.read("jobs").select("job_id", "state").rows())
        assert {number: {"expired": 0, "completed": 2}.get(state, 1) for number, state in found.items()} == best
        ended = store.read("jobs").filter(pl.col("state") == "completed")
        assert ended["end_timestamp"].null_count() == 0


def test_an_alert_that_moved_to_another_summary_leaves_the_first(tmp_path: Path) -> None:
    from backends.treeherder.datasets.answers import alert_summaries

    def summary(number: int, *alerts: int) -> dict[str, Any]:
        return {"id": number, "status": 0, "alerts": [{"id": alert, "summary_id": number} for alert in alerts]}

    with Store(tmp_path, create=True) as store:
        for found in ([summary(1, 10, 11), summary(2)], [summary(1, 10), summary(2, 11)]):
            summaries, alerts = alert_summaries(found, monitored=False)
            store.commit("autoland", {"alert_summaries": summaries, "alerts": alerts}, cancel=CancelToken())
        rows = store.read("alerts").select("listed_in", "alert_id").rows()
        assert sorted(rows) == [(1, 10), (2, 11)]


def test_a_summary_whose_last_alert_left_has_none(tmp_path: Path) -> None:
    from backends.treeherder.datasets.answers import alert_summaries

    with Store(tmp_path, create=True) as store:
        for alerts_of in ([{"id": 10, "summary_id": 1}], []):
            summaries, alerts = alert_summaries([{"id": 1, "status": 0, "alerts": alerts_of}], monitored=False)
            store.commit("autoland", {"alert_summaries": summaries, "alerts": alerts}, cancel=CancelToken())
        assert store.count("alerts") == 0


def test_the_ledger_tells_empty_from_failed_and_keeps_what_had_been_covered(tmp_path: Path) -> None:
    def note(key: str, status: Any, at: int, rows: int = 0) -> Fetch:
        return Fetch("autoland", "pairs", key, status, at, rows, 5, 9, reason="timeout" if status == "error" else "")

    with Store(tmp_path, create=True) as store:
        notes = [note("1", "ok", 100, 7), note("2", "empty", 100), note("3", "error", 100), note("1", "error", 200)]
        store.commit("autoland", {}, notes, cancel=CancelToken())
        known = store.ledger.known("autoland", "pairs")
        assert (known["1"].status, known["1"].fetched_at, known["1"].rows) == ("error", 100, 7)
        assert (known["2"].status, known["2"].fetched_at) == ("empty", 100)
        assert (known["3"].status, known["3"].fetched_at) == ("error", None)
        assert store.ledger.failures() == [
            ("autoland", "pairs", "1", 200, "timeout"), ("autoland", "pairs", "3", 100, "timeout"),
        ]  # fmt: skip


@pytest.mark.parametrize("name", ["", "..", "a/b", "../up", ".hidden", "x" * 200, "a\x1bb"])
def test_a_repository_name_never_leads_out_of_the_store(tmp_path: Path, name: str) -> None:
    with Store(tmp_path, create=True) as store, pytest.raises(UsageError):
        store.commit(name, {}, cancel=CancelToken())


def test_a_directory_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("x")
    with pytest.raises(UsageError):
        Store(tmp_path, create=True)
    with pytest.raises(UsageError):
        Store(tmp_path / "nothing")


WRITER = """
import sys
from pathlib import Path
from tests.datasets.writing import write_all
write_all(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
"""


def _writer(path: Path, seed: int, batches: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(seed), str(batches)],
                            env=environment, cwd=ROOT, stdout=subprocess.PIPE)  # fmt: skip


def _check(path: Path, batches: dict[int, list[Any]], finished: bool) -> None:
    """What the ledger says is in is in; no row twice; nothing that no batch held."""
    with Store(path, create=True) as store:
        noted = {int(key) for key in store.ledger.known("autoland", "batch")}
        found = {datum["datum_id"]: datum for datum in stored(store)}
        assert len(found) == len(stored(store))
        sure = model([batches[number] for number in sorted(noted)])
        every = model([batches[number] for number in sorted(batches)])
        assert sure.keys() <= found.keys() <= every.keys()
        for number, datum in sure.items():
            for name in ("job_id", "submit_ts"):
                assert datum[name] is None or found[number][name] is not None
        if finished:
            assert noted == batches.keys()
            assert found.keys() == every.keys()


@pytest.mark.timeout(300)
def test_writers_that_are_killed_at_any_moment_lose_and_double_nothing(tmp_path: Path) -> None:
    """Kill -9 after a random number of reported steps and a random part of the next, again and again, then finish."""
    from tests.datasets.writing import batches_of

    seed, count = 7, 40
    batches = dict(enumerate(batches_of(seed, count)))
    chance = random.Random(11)
    path = tmp_path / "store"
    for _ in range(12):
        writer = _writer(path, seed, count)
        assert writer.stdout is not None
        for _ in range(chance.randrange(1, 9)):
            if not writer.stdout.readline():
                break
        for _ in range(chance.randrange(0, 4000)):  # some part of a step, without a clock
            pass
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        _check(path, batches, finished=False)
    writer = _writer(path, seed, count)
    writer.communicate()
    assert writer.returncode == 0
    _check(path, batches, finished=True)
    assert not list(path.rglob("*.part"))


@pytest.mark.timeout(300)
def test_three_processes_fill_one_store_at_once(tmp_path: Path) -> None:
    from tests.datasets.writing import batches_of

    path = tmp_path / "store"
    Store(path, create=True).close()
    writers = [_writer(path, 7, 30) for _ in range(3)]
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    _check(path, dict(enumerate(batches_of(7, 30))), finished=True)


def test_duckdb_reads_the_store_as_it_is(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    batch = [(number, number % 3 > 0, True, 1.0, 1) for number in range(30)]
    with Store(tmp_path, create=True) as store:
        store.commit("autoland", {"pairs": frame(batch)}, cancel=CancelToken())
        ours = store.scan("pairs").filter(pl.col("job_id").is_not_null()).group_by("repository", "day").agg(
            pl.col("signature_id").n_unique().alias("n")).sort("day").collect()  # fmt: skip
    theirs = duckdb.sql(
        f"SELECT repository, day, count(DISTINCT signature_id) AS n FROM read_parquet('{tmp_path}/pairs/**/*.parquet', "
        "hive_partitioning = true) WHERE job_id IS NOT NULL GROUP BY ALL ORDER BY day"
    ).fetchall()
    assert [(repository, str(day), n) for repository, day, n in theirs] == [
        (repository, str(day), n) for repository, day, n in ours.rows()
    ]
    plain = pl.scan_parquet(f"{tmp_path}/pairs/**/*.parquet", hive_partitioning=True).collect()
    assert len(plain) == 30
