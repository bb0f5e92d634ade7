"""Runs the SQL views in DuckDB, within this process (extra `duckdb`; stores in a bucket also need the extra `s3`).

Before the first query DuckDB is limited to the files of the store: no other file, no network, no extension, and no way
to lift that. A bucket is read through obstore, whose credentials come from the environment, by ranges: only the columns
that a view needs.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from backends.errors import UsageError
from backends.http.errors import sanitize
from backends.treeherder.datasets.sql_views import EngineError, read_sql
from backends.treeherder.datasets.store_files import StoreFiles

if TYPE_CHECKING:
    from types import ModuleType

_TYPES: dict[pl.DataType, str] = {
    pl.UInt32(): "BIGINT", pl.Int64(): "BIGINT", pl.Float64(): "DOUBLE", pl.String(): "VARCHAR",
    pl.Boolean(): "BOOLEAN", pl.List(pl.String()): "VARCHAR[]",
}  # fmt: skip


def _quote(text: str) -> str:
    """A string literal: in DuckDB a quote is doubled, and nothing else has a meaning."""
    return "'" + text.replace("'", "''") + "'"


class DuckDBEngine:
    """A `SqlEngine` for the files of one store; `directory` is private and holds what does not fit into memory."""

    def __init__(self, duckdb: ModuleType, store: StoreFiles, directory: Path) -> None:
        self._errors, self._store, self._directory, self._locked = duckdb.Error, store, directory, False
        settings = {
            "autoinstall_known_extensions": "false", "autoload_known_extensions": "false",
            "temp_directory": str(directory / "spill"),
        }  # fmt: skip
        self._db = duckdb.connect(config=settings)
        if store.scheme:
            self._db.register_filesystem(_bucket_filesystem(store.scheme))
        self._execute("SET parquet_metadata_cache = true")  # a query may name a table of many files more than once
        self._execute(read_sql("duckdb"))

    def add_files(self, name: str, columns: dict[str, pl.DataType], paths: Sequence[str]) -> None:
        if not paths:
            self.add_rows(name, pl.DataFrame(schema=columns))
            return
        # In SQL, not through the relational API: that holds Python's lock while it waits for Python to read a bucket.
        source = f"read_parquet([{', '.join(map(_quote, paths))}], union_by_name = true, hive_partitioning = false)"
        present = {row[0] for row in self._execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}  # noqa: S608
        cells = (f"CAST({column if column in present else 'NULL'} AS {_TYPES[dtype]}) AS {column}"
                 for column, dtype in columns.items())  # fmt: skip
        self.add_query(name, f"SELECT {', '.join(cells)} FROM {source}")  # noqa: S608

    def add_rows(self, name: str, rows: pl.DataFrame) -> None:
        path = self._directory / f"{name}.parquet"
        rows.write_parquet(path)
        self._execute(f"CREATE TEMP TABLE {name} AS SELECT * FROM read_parquet({_quote(str(path))})")  # noqa: S608
        path.unlink()

    def add_query(self, name: str, query: str) -> None:
        self._execute(f"CREATE TEMP VIEW {name} AS {query}")

    def run(self, query: str) -> pl.DataFrame:
        self._lock()
        self._execute(f"CREATE TEMP TABLE result AS {query}")
        try:
            return pl.DataFrame(self._db.table("result"))
        finally:
            self._execute("DROP TABLE result")

    def _lock(self) -> None:
        if self._locked:
            return
        self._execute(f"SET allowed_directories = [{_quote(self._store.root + '/')}]")
        self._execute("SET enable_external_access = false")
        self._execute("SET lock_configuration = true")
        self._locked = True

    def _execute(self, statement: str) -> Any:
        try:
            return self._db.execute(statement)
        except self._errors as error:
            local = self._store.local
            if local is not None:
                with local.reading():  # damaged files are named
                    if local.damaged_files():
                        raise OSError("damaged") from error
            reason = sanitize(next(iter(str(error).splitlines()), ""), 200)
            hint = "Leave out --engine." if local else "Check the credentials in the environment (AWS_..., GOOGLE_...)."
            raise EngineError(f"DuckDB cannot calculate the view: {reason.rstrip('.')}.", hint) from error

    def close(self) -> None:
        self._db.close()


@contextlib.contextmanager
def open_duckdb(store: StoreFiles) -> Iterator[DuckDBEngine]:
    """Raises `UsageError` without the extra."""
    try:
        import duckdb
    except ImportError:
        raise UsageError(
            "The engine duckdb needs the extra duckdb.", "Install it with: pip install 'ciexplore[duckdb]'."
        ) from None
    with tempfile.TemporaryDirectory(prefix="ciexplore-duckdb-") as directory:
        engine = DuckDBEngine(duckdb, store, Path(directory))
        try:
            yield engine
        finally:
            engine.close()


def _bucket_filesystem(scheme: str) -> Any:
    try:
        from obstore.fsspec import FsspecStore
    except ImportError:
        raise UsageError(
            "DuckDB reads buckets with the extras duckdb and s3.",
            "Install them with: pip install 'ciexplore[duckdb,s3]'.",
        ) from None
    return FsspecStore(scheme, skip_instance_cache=True)  # one of before has the credentials of before
