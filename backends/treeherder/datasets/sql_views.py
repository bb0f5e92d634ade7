"""Views of a dataset as SQL, for engines other than polars: the files below `sql/`, and what they are run on.

    sql/views/VIEW.sql      one query, the rows of the view in order; times are epoch seconds, durations seconds
    sql/tables/NAME.sql     one query, a table that several views read
    sql/window/TABLE.sql    one query, the rows of a stored table within --since and --until
    sql/duckdb.sql          what DuckDB must define first

The same text runs in DuckDB and in Spark. It reads the tables of the store (`tables.TABLES`) and:

    stored_TABLE                        the same without --since and --until
    view_options                        one row: repository, since_ts, until_ts, within_s, keep_expired
    fetch_status                        push_id, status: how fetching its values ended
    framework_names, status_names       a number and its name
    excluded_frameworks                 framework_id

`signature_ids`, a list, becomes the columns of text that our views have (`signatures`, `group_id`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Protocol

import polars as pl

from backends.errors import AppError, UsageError
from backends.frames.schema import Kind, Schema
from backends.treeherder.datasets.dataset import ViewOptions
from backends.treeherder.datasets.signature_groups import group_name
from backends.treeherder.datasets.store_files import StoreFiles
from backends.treeherder.datasets.tables import FRAMEWORK, SUMMARY_STATUS, TABLES
from backends.treeherder.datasets.views import VIEWS, ViewSpec, find_view, fit, time_of

ENGINES = ("polars", "duckdb", "spark")
SQL_VIEWS = (
    "alerts", "bugs", "failing", "culprit", "revisions", "signatures", "groups", "durations",
    "durations-by-signature", "waits", "waits-by-push", "waits-by-platform", "waits-by-hour", "rectified",
)  # fmt: skip
DERIVED = (  # in this order: each reads only those before it
    "judged_pairs", "signature_groups", "timed_jobs", "measured_jobs", "alert_counts", "named_summaries",
)  # fmt: skip
WINDOWED = ("pairs", "pushes", "alert_summaries", "alerts", "jobs", "signatures")  # likewise


class EngineError(AppError):
    """DuckDB or Spark is not there, or could not run a view."""


# What stands in the SQL of what an option counts for.
_OPTION_WORDS = {
    "since": "since_ts",
    "until": "until_ts",
    "within": "within_s",
    "without_expired": "keep_expired",
    "excluded": "excluded_frameworks",
}


class SqlEngine(Protocol):
    """Names of tables and texts of queries come from this package alone, never from data. Every method raises
    `EngineError`."""

    def add_files(self, name: str, columns: dict[str, pl.DataType], paths: Sequence[str]) -> None:
        """A table of Parquet files that may lack columns; without files it is empty."""

    def add_rows(self, name: str, rows: pl.DataFrame) -> None:
        """A small table."""

    def add_query(self, name: str, query: str) -> None:
        """A table that a query calculates."""

    def run(self, query: str) -> pl.DataFrame:
        """The rows, in order. No table is added after the first call."""


def find_sql_view(name: str) -> ViewSpec:
    """Raises `UsageError`."""
    view = find_view(name)
    if name not in SQL_VIEWS:
        others = ", ".join(other for other in VIEWS if other in SQL_VIEWS)
        raise UsageError(f"The view {name!r} needs the engine polars.", f"Views of other engines: {others}.")
    return view


@cache
def read_sql(name: str) -> str:
    """A file below `sql/`, by its name without the suffix."""
    return (files(__package__) / "sql" / f"{name}.sql").read_text("utf-8")


def check_options(options: ViewOptions) -> None:
    """Raises `UsageError` for options that SQL does not have."""
    for option, value in (("--commits", options.commits), ("--tolerance", options.tolerance)):
        if value is not None:
            raise UsageError(f"{option} needs the engine polars.", "Leave out --engine.")


def ignored_options(view: ViewSpec) -> list[str]:
    """The options, as the command line names them, that the view does not depend on."""
    query, queries = read_sql(f"views/{view.name}"), _read_queries(is_open=False)
    text = "\n".join([query, *(queries[name] for name in _find_needed(query, queries) if name in queries)])
    return [option for option, word in _OPTION_WORDS.items() if word not in re.sub(r"--.*", "", text)]


def run_view(view: ViewSpec, engine: SqlEngine, store: StoreFiles, options: ViewOptions) -> pl.DataFrame:
    """The rows of a view as `ViewSpec.build` returns them. Raises `EngineError`, `UsageError`."""
    check_options(options)
    query, queries = read_sql(f"views/{view.name}"), _read_queries(options.window.is_open)
    needed = _find_needed(query, queries)
    for name, table in TABLES.items():
        if f"stored_{name}" in needed:
            engine.add_files(f"stored_{name}", table.columns, store.files[name])
    for name, rows in _small_tables(store, options).items():
        if name in needed:
            engine.add_rows(name, rows)
    for name in (*WINDOWED, *DERIVED):
        if name in needed:
            engine.add_query(name, queries[name])
    return _finish(engine.run(query), view.schema)


def _read_queries(is_open: bool) -> dict[str, str]:
    """The queries of the tables that views name. `is_open`: whether rows of any time are among those of a window."""
    queries = {name: _select_all(f"stored_{name}") if is_open else read_sql(f"window/{name}") for name in WINDOWED}
    return queries | {name: read_sql(f"tables/{name}") for name in DERIVED}


def _select_all(table: str) -> str:
    return f"SELECT * FROM {table}"  # noqa: S608 (a name of this module)


def _find_needed(query: str, queries: dict[str, str]) -> set[str]:
    """The names of tables in a query, and in those of the tables it names (other words are among them)."""
    needed: set[str] = set()
    todo = [query]
    while todo:
        code = re.sub(r"--.*", "", todo.pop())
        found = set(re.findall(r"(?:FROM|JOIN)\s+(\w+)", code)) - needed
        needed |= found
        todo += [queries[name] for name in found if name in queries]
    return needed


def _small_tables(store: StoreFiles, options: ViewOptions) -> dict[str, pl.DataFrame]:
    window = options.window
    settings = {
        "repository": pl.Series([store.repository], dtype=pl.String),
        "since_ts": pl.Series([window.since], dtype=pl.Int64),
        "until_ts": pl.Series([window.until], dtype=pl.Int64),
        "within_s": pl.Series([window.within], dtype=pl.Int64),
        "keep_expired": pl.Series([window.expired], dtype=pl.Boolean),
    }
    return {
        "view_options": pl.DataFrame(settings),
        "fetch_status": store.fetch_status.cast({"push_id": pl.Int64}),
        "framework_names": _names("framework_id", FRAMEWORK),
        "status_names": _names("status", SUMMARY_STATUS),
        "excluded_frameworks": pl.DataFrame(
            {"framework_id": sorted(set(options.excluded))}, {"framework_id": pl.Int64}
        ),
    }


def _names(column: str, names: dict[int, str]) -> pl.DataFrame:
    return pl.DataFrame({column: list(names), "name": list(names.values())}, {column: pl.Int64, "name": pl.String})


def _finish(rows: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    if "signature_ids" in rows.columns:
        ids = rows["signature_ids"].cast(pl.List(pl.Int64)).fill_null([])
        text = ids.cast(pl.List(pl.String)).list.join(" ").alias("signatures")
        rows = rows.with_columns(text)
        if "group_id" in schema:
            # 16 digits for each distinct list: `durations` has one row per group and result.
            named = {members: group_name(members) for members in map(tuple, ids.unique().to_list())}
            digits = [named[tuple(members)] for members in ids.to_list()]
            rows = rows.with_columns(pl.Series("group_id", digits, dtype=pl.String))
    times = [column.name for column in schema if column.kind is Kind.TIME]
    return fit(rows.with_columns(time_of(name) for name in times), schema)
