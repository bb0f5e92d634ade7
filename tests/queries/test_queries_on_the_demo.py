"""Queries as a user asks them, on the embedded CI: by the command line, and as locators that are reopened."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends import config
from backends.cancel import CancelToken
from backends.queries.locators import AGGREGATES, ChosenRows, Condition, PivotTable, Source, SqlQuery
from backends.resources import read_list
from backends.session import Session
from backends.systems import parse_locator
from tests.commands.calling import Caller

TEXT = st.text(min_size=1, max_size=20)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
SOURCES = st.lists(
    st.builds(Source, NAMES, TEXT, st.text(max_size=8), st.lists(TEXT, max_size=3).map(tuple)), min_size=1, max_size=3
)
CONDITIONS = st.lists(
    st.builds(Condition, NAMES, st.lists(st.text(max_size=8), min_size=1, max_size=3).map(tuple), st.booleans()),
    min_size=1,
    max_size=3,
)


@given(TEXT, SOURCES.map(tuple))
def test_a_query_parses_as_itself(query: str, sources: tuple[Source, ...]) -> None:
    locator = SqlQuery(query, sources)
    assert parse_locator(locator.text()) == locator


@given(st.lists(NAMES, min_size=1, max_size=3).map(tuple), NAMES, st.sampled_from(AGGREGATES), SOURCES.map(tuple))
def test_a_pivot_table_parses_as_itself(
    rows: tuple[str, ...], columns: str, aggregate: str, sources: tuple[Source, ...]
) -> None:
    locator = PivotTable(rows, columns, "", aggregate, sources)
    assert parse_locator(locator.text()) == locator


@given(CONDITIONS.map(tuple), SOURCES.map(tuple))
def test_chosen_rows_parse_as_themselves(conditions: tuple[Condition, ...], sources: tuple[Source, ...]) -> None:
    locator = ChosenRows(conditions, sources)
    assert parse_locator(locator.text()) == locator


def test_failures_by_suite(ciexplore: Caller, demo: dict[str, str]) -> None:
    group = demo["taskcluster.finished-group"]
    query = "SELECT suite, count(*) AS n FROM t WHERE state = 'failed' GROUP BY suite ORDER BY n DESC"
    done = ciexplore("sql", query, "--from", f"t={group}")
    assert (done.code, done.err) == (0, "")
    tasks = ciexplore("taskcluster", "tasks", group, "--filter", "state:failed").rows
    assert sum(int(row["n"]) for row in done.rows) == len(tasks) > 0
    assert done.out == ciexplore("sql", query, "--from", f"t={group}").out


def test_lists_of_two_systems_are_joined(ciexplore: Caller, demo: dict[str, str]) -> None:
    query = (
        f"SELECT j.name, j.result, t.state FROM list('{demo['perf.push']}') j"
        f" JOIN list('{demo['taskcluster.finished-group']}') t ON j.task_id = t.task_id"
    )
    done = ciexplore("sql", query)
    assert (done.code, done.err) == (0, "")
    assert {(row["result"], row["state"]) for row in done.rows} >= {("success", "completed"), ("testfailed", "failed")}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("SELECT * FROM t", "--from", "t"), "is not NAME=LOCATOR"),
        (("SELECT * FROM t", "--from", "9=x"), "is not NAME=LOCATOR"),
        (("SELECT nope FROM t", "--from", "t=GROUP"), "There is no column 'nope'"),
        (("SELECT 1 FROM t", "--from", "t=not a locator"), "Unrecognized"),
        (("SELECT 1 FROM T", "--from", "t=GROUP", "--from", "T=GROUP"), "Two lists have the name t"),
        (("SELECT * FROM t", "--from", "t=GROUP", "--columns", "nope"), "There is no column 'nope'"),
    ],
)
def test_what_is_wrong_is_said(ciexplore: Caller, demo: dict[str, str], arguments: tuple[str, ...], said: str) -> None:
    done = ciexplore("sql", *(one.replace("GROUP", demo["taskcluster.finished-group"]) for one in arguments))
    assert done.code == 2 and said in done.err and done.out == b""


def test_a_pivot_table_and_the_rows_behind_its_cells(ciexplore: Caller, demo: dict[str, str]) -> None:
    group = demo["taskcluster.finished-group"]
    done = ciexplore("pivot", group, "--rows", "kind", "--columns-of", "state", "--filter", "-kind:build")
    assert (done.code, done.err) == (0, "")
    tasks = ciexplore("taskcluster", "tasks", group, "--filter", "-kind:build").rows
    assert sum(int(row["rows"]) for row in done.rows) == len(tasks)
    session = Session(config.load())
    try:
        locator = PivotTable(("kind",), "state", "", "count", (Source("rows", group, "-kind:build"),))
        table: Any = session.resource(locator, CancelToken())
        for row in read_list(table, CancelToken()).frame.iter_rows(named=True):
            behind = parse_locator(table.open_cell(row, "completed").text())
            inner = read_list(session.resource(behind, CancelToken()), CancelToken()).frame
            assert inner.height == (row["completed"] or 0)
            assert set(inner["state"]) <= {"completed"} and set(inner["kind"]) <= {row["kind"]}
    finally:
        session.close()


def test_what_a_row_of_a_query_stands_for_is_opened(demo: dict[str, str]) -> None:
    session = Session(config.load())
    try:
        query = SqlQuery("SELECT task_id, name FROM t LIMIT 3", (Source("t", demo["taskcluster.finished-group"]),))
        opened = session.resource(query, CancelToken())
        row = read_list(opened, CancelToken()).frame.row(0, named=True)
        found = opened.open(row)
        assert found is not None and row["task_id"] in found.text()
        assert opened.log(row) is not None
        assert opened.open({**row, "task_id": "nobody"}) is None
    finally:
        session.close()


def test_the_pages_of_rows_are_found_without_a_search_for_each(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report asks for the page of each of its rows."""
    query = SqlQuery("SELECT name, task_id FROM t ORDER BY name", (Source("t", demo["taskcluster.finished-group"]),))
    session, cancel = Session(config.load()), CancelToken()
    try:
        resource = session.resource(query, cancel)
        rows = read_list(resource, cancel).frame
        monkeypatch.setattr(pl.DataFrame, "filter", lambda *_: pytest.fail("the list was searched"))
        pages = [resource.web_url(row) for row in rows.iter_rows(named=True)]
        assert pages == [f"{demo['taskcluster.task'].rpartition('/')[0]}/{task}" for task in rows["task_id"]]
        assert resource.web_url({**rows.row(0, named=True), "task_id": None}) is None
        assert resource.web_url({**rows.row(0, named=True), "task_id": "nowhere"}) is None
    finally:
        session.close()
