"""The SQL views in DuckDB have the rows of ours, on random stores; nothing but the store can be read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from backends.cancel import CancelToken
from backends.errors import AppError, UsageError
from backends.treeherder.datasets import decode, spark_engine
from backends.treeherder.datasets.dataset import Dataset, PushWindow, ViewOptions
from backends.treeherder.datasets.duckdb_engine import open_duckdb
from backends.treeherder.datasets.fetch_log import FetchRecord
from backends.treeherder.datasets.mirror import mirror
from backends.treeherder.datasets.sql_views import DERIVED, SQL_VIEWS, WINDOWED, ignored_options, read_sql, run_view
from backends.treeherder.datasets.store import DamagedDatasetError, DatasetStore
from backends.treeherder.datasets.store_files import open_store_files
from backends.treeherder.datasets.tables import PUSHES
from backends.treeherder.datasets.views import VIEWS
from tests.datasets.conftest import Call
from tests.datasets.random_data import JOB_TABLE, MEASURED, METADATA, START, SUMMARIES, MeasuredData, jobs, signatures

duckdb = pytest.importorskip("duckdb")

PUSH = st.tuples(st.sampled_from(["rev0", "rev1", "rev2", "rev3", None]), st.integers(0, 4000))
STATUS = st.dictionaries(st.integers(0, 6), st.sampled_from(["ok", "empty", "error"]), max_size=6)
EDGE = st.one_of(st.none(), st.integers(START - 100, START + 5000))
WINDOWS = st.builds(PushWindow, EDGE, EDGE, st.sampled_from([None, 600, 0, 100_000]), st.booleans())
OPTIONS = st.builds(ViewOptions, WINDOWS, st.none(), st.none(), st.lists(st.sampled_from([1, 2, 6, 13, 18])).map(tuple))


def pushes(found: list[tuple[str | None, int]]) -> pl.DataFrame:
    rows = [(number, name, START + after, "me", 1, []) for number, (name, after) in enumerate(found)]
    return pl.DataFrame(rows, schema=PUSHES.columns, orient="row")


def calculate(store: str | Path, name: str, options: ViewOptions) -> pl.DataFrame:
    with open_store_files(store, None, options.window) as files, open_duckdb(files) as engine:
        return run_view(VIEWS[name], engine, files, options)


def assert_same(ours: pl.DataFrame, theirs: pl.DataFrame) -> None:
    assert_frame_equal(ours, theirs, check_exact=False, rel_tol=1e-12)


@pytest.fixture
def fresh_store(tmp_path: Path) -> Callable[[], Path]:
    numbers = iter(range(10_000))
    return lambda: tmp_path / f"it's store {next(numbers)}"


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(MEASURED, METADATA, st.lists(PUSH, max_size=7), JOB_TABLE, SUMMARIES, STATUS, OPTIONS)
def test_duckdb_has_the_rows_of_our_views(
    fresh_store: Callable[[], Path], measured: MeasuredData, metadata: dict[int, dict[str, Any]],
    found: list[tuple[str | None, int]], job_table: dict[int, dict[str, Any]], summaries: list[dict[str, Any]],
    status: dict[int, Any], options: ViewOptions,
) -> None:  # fmt: skip
    path = fresh_store()
    listed, alerts = decode.alert_rows(summaries, monitored=False)
    frames = {
        "pairs": measured.pairs.collect(), "signatures": signatures(metadata).collect(), "pushes": pushes(found),
        "jobs": jobs(job_table).collect(), "alert_summaries": listed, "alerts": alerts,
    }  # fmt: skip
    fetches = [FetchRecord("autoland", "pairs", str(push), how, START) for push, how in status.items()]
    fetches.append(FetchRecord("autoland", "signatures", "", "ok", START))
    with DatasetStore(path, create=True) as store:
        store.commit("autoland", frames, fetches, cancel=CancelToken())
        for name in SQL_VIEWS:
            assert_same(VIEWS[name].build(Dataset(store, "autoland", options)), calculate(path, name, options))


def test_the_demo_s_data_give_the_same_rows(filled: Path) -> None:
    with DatasetStore(filled) as store:
        for name in SQL_VIEWS:
            ours = VIEWS[name].build(Dataset(store, "autoland"))
            assert len(ours) > 0
            assert_same(ours, calculate(filled, name, ViewOptions()))


def test_the_command_prints_the_same_table(call: Call, filled: Path) -> None:
    command = ("treeherder", "dataset", "show", "revisions", "--store", str(filled), "--format", "csv")
    ours = call(*command, "--filter", "state:scheduled")
    theirs = call(*command, "--filter", "state:scheduled", "--engine", "duckdb")
    assert (theirs.code, theirs.out) == (0, ours.out) and ours.out.count(b"\n") > 2


def test_every_sql_file_is_read() -> None:
    home = Path(decode.__file__).parent / "sql"
    files = {path.relative_to(home).with_suffix("").as_posix() for path in home.glob("**/*.sql")}
    views, tables, window = (
        {f"{folder}/{name}" for name in names}
        for folder, names in (("views", SQL_VIEWS), ("tables", DERIVED), ("window", WINDOWED))
    )
    assert files == views | tables | window | {"duckdb"}
    assert all(read_sql(name).startswith("-- ") for name in files)


def _fill(path: Path) -> None:
    measured = MeasuredData([(1, 500 + job, 9000 + job, 0, START + job * 90_000, None) for job in range(5)])
    frames = {"pairs": measured.pairs.collect(), "pushes": pushes([("rev0", 0)])}
    fetches = [FetchRecord("autoland", "pushes", "", "ok", START, rows=1)]
    with DatasetStore(path, create=True) as store:
        store.commit("autoland", frames, fetches, cancel=CancelToken())


def test_a_file_of_an_older_version_lacks_columns(tmp_path: Path) -> None:
    _fill(tmp_path / "store")
    file = tmp_path / "store" / "pushes" / "repository=autoland" / "rows.parquet"
    pl.read_parquet(file).drop("author", "commits").write_parquet(file)
    rows = calculate(tmp_path / "store", "revisions", ViewOptions())
    assert rows["author"].to_list() == [None] and rows["revision"].to_list() == ["rev0"]


def test_nothing_outside_the_store_can_be_read(tmp_path: Path) -> None:
    _fill(tmp_path / "store")
    _fill(tmp_path / "store2")
    (tmp_path / "secret.csv").write_text("a\n1\n")
    elsewhere = next((tmp_path / "store2").glob("pairs/**/*.parquet"))
    with open_store_files(tmp_path / "store", None, PushWindow()) as files, open_duckdb(files) as engine:
        assert len(run_view(VIEWS["groups"], engine, files, ViewOptions())) == 1
        for query in (
            f"SELECT * FROM read_csv('{tmp_path}/secret.csv')",
            f"SELECT * FROM read_text('{tmp_path}/store/../secret.csv')",
            f"SELECT * FROM '{elsewhere}'",
            "SELECT * FROM read_text('/etc/passwd')",
            "SELECT * FROM read_csv('https://127.0.0.1/x.csv')",
        ):
            with pytest.raises(AppError):
                engine.run(query)
        for statement in ("SET enable_external_access = true", "LOAD httpfs", f"ATTACH '{tmp_path}/x.db'"):
            with pytest.raises(AppError):
                engine._execute(statement)


@pytest.mark.parametrize("name", ["a[b]", "what?", "all*", "{a,b}", "back\\slash"])
def test_a_name_that_would_be_a_pattern_is_refused(tmp_path: Path, name: str) -> None:
    _fill(tmp_path / name)
    with pytest.raises(UsageError, match="pattern"):
        calculate(tmp_path / name, "groups", ViewOptions())


def test_a_name_with_a_quote_is_data(tmp_path: Path) -> None:
    path = tmp_path / "x'), union_by_name = true); DROP VIEW pairs; --"
    _fill(path)
    assert len(calculate(path, "groups", ViewOptions())) == 1


def test_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    _fill(tmp_path / "store")
    file = next((tmp_path / "store").glob("pairs/**/*.parquet"))
    file.write_bytes(b"PAR1 damaged")
    with pytest.raises(DamagedDatasetError) as damaged:
        calculate(tmp_path / "store", "groups", ViewOptions())
    assert damaged.value.files == (file,)
    (tmp_path / "store" / "pushes" / "repository=autoland" / "rows.parquet").unlink()
    with pytest.raises(DamagedDatasetError, match="missing"):
        calculate(tmp_path / "store", "revisions", ViewOptions())


@pytest.mark.parametrize("name", SQL_VIEWS)
def test_all_engines_ignore_the_same_options_of_a_view(tmp_path: Path, name: str) -> None:
    _fill(tmp_path / "store")
    with DatasetStore(tmp_path / "store") as store:
        opened = Dataset(store, "autoland", ViewOptions(PushWindow(START, START + 90_000)))
        VIEWS[name].build(opened)
    ours = set(opened.ignored_options())
    assert ours - {"commits", "tolerance"} == set(ignored_options(VIEWS[name]))
    assert ("excluded" in ours) is (name != "rectified") and "since" not in ours
    assert ("within" in ours) is (name not in ("rectified", "revisions"))
    assert ("tolerance" in ours) is (name not in ("rectified", "revisions", "groups", "durations"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["signatures", "--tolerance", "0.9"], "--tolerance has no effect on the view signatures."),
        (["groups", "--exclude-framework-ids", "2"], "--exclude-framework-ids has no effect on the view groups."),
        (["coverage", "--since", "30d"], "--since has no effect on the view coverage."),
        (["alerts", "--within", "5m", "--engine", "duckdb"], "--within has no effect on the view alerts."),
        (["jobs", "--engine", "duckdb"], "The view 'jobs' needs the engine polars."),
        (["coverage", "--engine", "spark"], "The view 'coverage' needs the engine polars."),
        (["nonsense' --", "--engine", "duckdb"], "There is no view"),
        (["--engine", "duckdb"], "--engine duckdb calculates a view."),
        (["groups", "--engine", "duckdb", "--tolerance", "0.9"], "--tolerance needs the engine polars."),
        (["revisions", "--engine", "duckdb", "--commits", "x.jsonl"], "--commits needs the engine polars."),
        (["groups", "--engine", "spark"], "needs SPARK_REMOTE"),
        (["groups", "--engine", "duckdb", "--repository", "x' OR 1=1"], "has no data of"),
    ],
)
def test_what_an_engine_cannot_do_is_a_sentence(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.delenv("SPARK_REMOTE", raising=False)
    _fill(tmp_path / "store")
    done = call("treeherder", "dataset", "show", *arguments, "--store", f"{tmp_path}/store")
    assert done.code == 2 and words in done.err


@pytest.mark.parametrize(
    "url", ["http://example.org/x", "s3://", "s3://user:pass@bucket/x", "s3://bucket/x?a=b", "ftp://a"]
)
def test_a_url_that_is_not_a_bucket_is_refused(call: Call, url: str) -> None:
    done = call("treeherder", "dataset", "show", "groups", "--engine", "duckdb", "--store", url)
    assert done.code == 2 and "is not a" in done.err and "pass" not in done.err


def test_polars_reads_no_bucket(call: Call) -> None:
    done = call("treeherder", "dataset", "show", "groups", "--store", "s3://bucket/perf")
    assert done.code == 2 and "--engine duckdb" in done.err


@pytest.mark.parametrize(
    ("engine", "module", "remote"), [("duckdb", "duckdb", ""), ("spark", "pyspark", "sc://localhost")]
)
def test_a_missing_extra_is_a_sentence(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, module: str, remote: str
) -> None:
    import sys

    monkeypatch.setenv("SPARK_REMOTE", remote)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, f"{module}.sql.connect.session", None)
    _fill(tmp_path / "store")
    done = call("treeherder", "dataset", "show", "groups", "--store", f"{tmp_path}/store", "--engine", engine)
    assert done.code == 2 and f"pip install 'ciexplore[{engine}]'" in done.err


class FakeSpark:
    """A session and its reader that record what they are given."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.read = self

    def schema(self, columns: str) -> FakeSpark:
        self.calls.append(("schema", columns))
        return self

    def parquet(self, *paths: str) -> FakeSpark:
        self.calls.append(("parquet", *paths))
        return self

    def createOrReplaceTempView(self, name: str) -> None:
        self.calls.append(("view", name))


@pytest.mark.parametrize(
    ("scheme", "path", "full"),
    [("", "/x y/it's.parquet", "file:///x y/it's.parquet"), ("s3", "s3://b/x.parquet", "s3a://b/x.parquet"),
     ("gs", "gs://b/x.parquet", "gs://b/x.parquet")],
)  # fmt: skip
def test_spark_gets_names_as_data(monkeypatch: pytest.MonkeyPatch, scheme: str, path: str, full: str) -> None:
    monkeypatch.setattr(spark_engine, "_translate_errors", contextlib.nullcontext)
    session = FakeSpark()
    spark_engine.SparkEngine(session, scheme).add_files("stored_pushes", PUSHES.columns, [path])
    assert session.calls[1:] == [("parquet", full), ("view", "stored_pushes")]
    assert session.calls[0][1].startswith("push_id BIGINT, revision STRING, push_ts BIGINT")


@pytest.mark.parametrize("remote", ["", "local", "sc://", "http://host:1", "sc:host"])
def test_a_remote_that_is_not_spark_connect_is_refused(monkeypatch: pytest.MonkeyPatch, remote: str) -> None:
    monkeypatch.setenv("SPARK_REMOTE", remote)
    with pytest.raises(UsageError, match="SPARK_REMOTE"):
        spark_engine.find_remote()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket of S3, with credentials in the environment."""
    httpx = pytest.importorskip("httpx")
    module = pytest.importorskip("moto.server")
    pytest.importorskip("obstore")
    pytest.importorskip("fsspec")
    server = module.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in {
            "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true", "AWS_ENDPOINT": f"http://{host}:{port}",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        httpx.put(f"http://{host}:{port}/bucket").raise_for_status()
        yield "s3://bucket"
    finally:
        server.stop()


def test_a_store_in_a_bucket_gives_the_same_rows(call: Call, tmp_path: Path, bucket: str) -> None:
    url = f"{bucket}/some-team/perf"
    _fill(tmp_path / "store")
    with DatasetStore(tmp_path / "store") as opened:
        mirror(opened, url, cancel=CancelToken())
        options = ViewOptions(PushWindow(START + 80_000, START + 200_000))
        for name in ("groups", "revisions"):
            assert_same(VIEWS[name].build(Dataset(opened, "autoland", options)), calculate(url, name, options))
        with open_store_files(url, None, options.window) as files:
            assert [name.split("/")[-2] for name in files.files["pairs"]] == ["day=2026-09-22", "day=2026-09-23"]
    command = ("treeherder", "dataset", "show", "groups", "--format", "csv", "--store")
    ours = call(*command, str(tmp_path / "store"))
    assert call(*command, url, "--engine", "duckdb").out == ours.out and ours.out.count(b"\n") == 2


def test_a_bucket_can_read_only_below_its_prefix(tmp_path: Path, bucket: str) -> None:
    _fill(tmp_path / "store")
    with DatasetStore(tmp_path / "store") as opened:
        for prefix in ("perf", "perf2"):
            mirror(opened, f"{bucket}/{prefix}", cancel=CancelToken())
    with open_store_files(f"{bucket}/perf", None, PushWindow()) as files, open_duckdb(files) as engine:
        assert len(run_view(VIEWS["groups"], engine, files, ViewOptions())) == 1
        other = files.files["pushes"][0].replace("/perf/", "/perf2/")
        for name in (other, str(tmp_path / "store" / "pushes" / "repository=autoland" / "rows.parquet")):
            with pytest.raises(AppError):
                engine.run(f"SELECT * FROM read_parquet('{name}')")


def test_names_in_a_bucket_are_not_trusted(tmp_path: Path, bucket: str) -> None:
    from obstore.store import from_url

    _fill(tmp_path / "store")
    with DatasetStore(tmp_path / "store") as opened:
        mirror(opened, f"{bucket}/perf", cancel=CancelToken())
    objects = from_url(f"{bucket}/perf")
    for name in ("day=x' OR 1/rows.parquet", "day=2026-01-01/other.parquet", "day=*/rows.parquet", "rows.parquet.bak"):
        objects.put(f"pairs/repository=autoland/{name}", b"no Parquet")
    assert len(calculate(f"{bucket}/perf", "groups", ViewOptions())) == 1


def test_a_bucket_without_a_dataset_is_a_sentence(call: Call, bucket: str) -> None:
    done = call("treeherder", "dataset", "show", "groups", "--engine", "duckdb", "--store", f"{bucket}/nothing")
    assert done.code == 2 and f"There is no dataset in {bucket}/nothing" in done.err
