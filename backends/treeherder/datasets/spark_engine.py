"""Runs the SQL views on the Spark cluster that SPARK_REMOTE names, through Spark Connect (extra `spark`).

The cluster reads the store itself: a directory must have the same path on its machines, and for s3:// it needs
hadoop-aws with credentials of its own. Only the rows of the view come back.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import polars as pl

from backends.errors import UsageError
from backends.http.errors import sanitize
from backends.treeherder.datasets.sql_views import EngineError
from backends.treeherder.datasets.store_files import StoreFiles

REMOTE = "SPARK_REMOTE"
_TYPES: dict[pl.DataType, str] = {
    pl.UInt32(): "BIGINT", pl.Int64(): "BIGINT", pl.Float64(): "DOUBLE", pl.String(): "STRING",
    pl.Boolean(): "BOOLEAN", pl.List(pl.String()): "ARRAY<STRING>",
}  # fmt: skip
_SCHEMES = {"": "file://", "s3": "s3a://", "gs": "gs://"}  # of Hadoop's file systems


class SparkEngine:
    """A `SqlEngine`. `session`: a Spark Connect session whose temporary views are its own."""

    def __init__(self, session: Any, scheme: str) -> None:
        self._session, self._scheme = session, scheme

    def add_files(self, name: str, columns: dict[str, pl.DataType], paths: Sequence[str]) -> None:
        if not paths:
            self.add_rows(name, pl.DataFrame(schema=columns))
            return
        # The plan has the names as data, not as SQL. Columns that a file lacks are null.
        full = [_SCHEMES[self._scheme] + path.removeprefix(f"{self._scheme}://") for path in paths]
        with _translate_errors():
            self._session.read.schema(_ddl(columns)).parquet(*full).createOrReplaceTempView(name)

    def add_rows(self, name: str, rows: pl.DataFrame) -> None:
        with _translate_errors():
            columns = dict(rows.schema.items())
            self._session.createDataFrame(rows.rows(), _ddl(columns)).createOrReplaceTempView(name)

    def add_query(self, name: str, query: str) -> None:
        with _translate_errors():
            self._session.sql(query).createOrReplaceTempView(name)

    def run(self, query: str) -> pl.DataFrame:
        with _translate_errors():
            return pl.DataFrame(self._session.sql(query).toArrow())

    def close(self) -> None:
        with contextlib.suppress(Exception):  # the view is there, or its error has been raised
            self._session.stop()


def _ddl(columns: dict[str, pl.DataType]) -> str:
    return ", ".join(f"{name} {_TYPES[dtype]}" for name, dtype in columns.items())


@contextlib.contextmanager
def _translate_errors() -> Iterator[None]:
    from grpc import RpcError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, RpcError, OSError) as error:
        reason = sanitize(next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__), 200)
        raise EngineError(
            f"Spark cannot calculate the view: {reason.rstrip('.')}.",
            f"Check that {REMOTE} names a running Spark Connect server, and that its machines can read the store.",
        ) from error


def find_remote() -> str:
    """The URL in SPARK_REMOTE. Raises `UsageError`; it may hold a token and is never printed."""
    remote = os.environ.get(REMOTE, "")
    if urlsplit(remote).scheme != "sc" or not urlsplit(remote).hostname:
        raise UsageError(
            f"The engine spark needs {REMOTE}, the URL of a Spark Connect server.",
            f"Set it: {REMOTE}=sc://HOST:15002.",
        )
    return remote


@contextlib.contextmanager
def open_spark(store: StoreFiles) -> Iterator[SparkEngine]:
    """A session of its own. Raises `UsageError` without the extra or SPARK_REMOTE, `EngineError`."""
    remote = find_remote()
    try:
        from pyspark.sql.connect.session import SparkSession
    except ImportError:
        raise UsageError(
            "The engine spark needs the extra spark.", "Install it with: pip install 'ciexplore[spark]'."
        ) from None
    with _translate_errors():
        session = SparkSession.builder.remote(remote).create()
    engine = SparkEngine(session, store.scheme)
    try:
        yield engine
    finally:
        engine.close()
