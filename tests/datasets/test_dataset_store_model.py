"""In whatever order rows come: each is stored once, and nothing known is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.treeherder.datasets.fetch_log import FetchRecord
from backends.treeherder.datasets.store import DatasetStore
from backends.treeherder.datasets.tables import JOBS, MEASUREMENTS
from tests.datasets.random_data import measurement_frame, measurement_row, merge_model, stored_rows

# A datum's push, signature and day follow from its id, as they do on a server; what is known of its job comes and goes.
DATUM = st.tuples(
    st.integers(1, 30),
    st.booleans(),  # the job is still known
    st.booleans(),  # the time of submission, too
    st.one_of(st.none(), st.floats(-10, 10).map(lambda value: round(value, 2))),
    st.integers(1, 5),  # seen at
)
BATCHES = st.lists(st.lists(DATUM, max_size=12), max_size=6)


@given(BATCHES)
def test_a_value_is_there_once_and_a_known_job_is_never_forgotten(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Any]]
) -> None:
    with DatasetStore(tmp_path_factory.mktemp("store"), create=True) as store:
        for batch in batches:
            store.commit("autoland", {"pairs": measurement_frame(batch)}, cancel=CancelToken())
        expected = merge_model(batches)
        assert stored_rows(store) == [expected[number] for number in sorted(expected)]


def test_two_values_of_one_job_for_one_signature_count_once(tmp_path: Path) -> None:
    one = {**measurement_row((8, True, True, 1.0, 1)), "datum_id": 100}
    two = {**one, "datum_id": 99}
    with DatasetStore(tmp_path, create=True) as store:
        for datum in (one, two, one):
            store.commit(
                "autoland", {"pairs": pl.DataFrame([datum], schema=MEASUREMENTS.columns)}, cancel=CancelToken()
            )
        assert [datum["datum_id"] for datum in stored_rows(store)] == [99]


STATES = st.sampled_from(["pending", "running", "completed", "expired"])


@given(st.lists(st.lists(st.tuples(st.integers(1, 3), STATES, st.integers(0, 9)), max_size=5), max_size=6))
def test_a_job_that_ended_stays_ended(tmp_path_factory: pytest.TempPathFactory, batches: list[Any]) -> None:
    with DatasetStore(tmp_path_factory.mktemp("store"), create=True) as store:
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
    from backends.treeherder.datasets.decode import alert_rows

    def summary(number: int, *alerts: int) -> dict[str, Any]:
        return {"id": number, "status": 0, "alerts": [{"id": alert, "summary_id": number} for alert in alerts]}

    with DatasetStore(tmp_path, create=True) as store:
        for found in ([summary(1, 10, 11), summary(2)], [summary(1, 10), summary(2, 11)]):
            summaries, alerts = alert_rows(found, monitored=False)
            store.commit("autoland", {"alert_summaries": summaries, "alerts": alerts}, cancel=CancelToken())
        rows = store.read("alerts").select("listed_in", "alert_id").rows()
        assert sorted(rows) == [(1, 10), (2, 11)]


def test_a_summary_whose_last_alert_left_has_none(tmp_path: Path) -> None:
    from backends.treeherder.datasets.decode import alert_rows

    with DatasetStore(tmp_path, create=True) as store:
        for alerts_of in ([{"id": 10, "summary_id": 1}], []):
            summaries, alerts = alert_rows([{"id": 1, "status": 0, "alerts": alerts_of}], monitored=False)
            store.commit("autoland", {"alert_summaries": summaries, "alerts": alerts}, cancel=CancelToken())
        assert store.count("alerts") == 0


def test_the_fetch_log_tells_empty_from_failed_and_keeps_what_had_been_covered(tmp_path: Path) -> None:
    def note(key: str, status: Any, at: int, rows: int = 0) -> FetchRecord:
        return FetchRecord(
            "autoland", "pairs", key, status, at, rows, 5, 9, reason="timeout" if status == "error" else ""
        )

    with DatasetStore(tmp_path, create=True) as store:
        notes = [note("1", "ok", 100, 7), note("2", "empty", 100), note("3", "error", 100), note("1", "error", 200)]
        store.commit("autoland", {}, notes, cancel=CancelToken())
        known = store.log.outcomes("autoland", "pairs")
        assert (known["1"].status, known["1"].fetched_at, known["1"].rows) == ("error", 100, 7)
        assert (known["2"].status, known["2"].fetched_at) == ("empty", 100)
        assert (known["3"].status, known["3"].fetched_at) == ("error", None)
        assert store.log.failures() == [
            ("autoland", "pairs", "1", 200, "timeout"), ("autoland", "pairs", "3", 100, "timeout"),
        ]  # fmt: skip


@pytest.mark.parametrize("name", ["", "..", "a/b", "../up", ".hidden", "x" * 200, "a\x1bb"])
def test_a_repository_name_never_leads_out_of_the_store(tmp_path: Path, name: str) -> None:
    with DatasetStore(tmp_path, create=True) as store, pytest.raises(UsageError):
        store.commit(name, {}, cancel=CancelToken())


def test_a_directory_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("x")
    with pytest.raises(UsageError):
        DatasetStore(tmp_path, create=True)
    with pytest.raises(UsageError):
        DatasetStore(tmp_path / "nothing")


def test_duckdb_reads_the_store_as_it_is(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    batch = [(number, number % 3 > 0, True, 1.0, 1) for number in range(30)]
    with DatasetStore(tmp_path, create=True) as store:
        store.commit("autoland", {"pairs": measurement_frame(batch)}, cancel=CancelToken())
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
