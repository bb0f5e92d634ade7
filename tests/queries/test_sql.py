"""SQL over frames: what comes out, in which order, what is refused, and that every mistake gets a sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backends.frames.schema import Column, Kind, Schema
from backends.queries.locators import find_lists
from backends.queries.sql import QueryError, Table, result_schema, run_query, with_order

SCHEMA = Schema(
    (
        Column("state", Kind.STATE, "State"),
        Column("name", Kind.TEXT, "Name"),
        Column("duration", Kind.DURATION, "Duration", "s"),
        Column("started", Kind.TIME, "Started"),
        Column("runs", Kind.COUNT, "Runs"),
        Column("task_id", Kind.ID, "Task"),
    ),
    key="task_id",
)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ROWS = pl.DataFrame(
    {
        "state": ["failed", "completed", "completed"],
        "name": ["a", "b", "o'c"],
        "duration": [1.5, None, 4.0],
        "started": [NOON, None, NOON],
        "runs": [1, 2, 3],
        "task_id": ["x", "y", "z"],
    },
    schema=SCHEMA.polars(),
)
TABLES = {"rows": Table(SCHEMA, ROWS)}


def rows(query: str) -> list[tuple[object, ...]]:
    result = run_query(query, TABLES)
    return result.frame.drop(result.schema.key).rows()


def test_a_query_gives_rows_and_columns_keep_what_they_mean() -> None:
    assert rows("SELECT name, runs FROM rows WHERE state = 'completed' ORDER BY runs DESC") == [("o'c", 3), ("b", 2)]
    schema = run_query("SELECT duration, started, count(*) OVER () AS n, runs > 1 AS many FROM rows", TABLES).schema
    assert [(one.name, one.kind, one.unit) for one in schema] == [
        ("duration", Kind.DURATION, "s"), ("started", Kind.TIME, ""), ("n", Kind.COUNT, ""), ("many", Kind.TEXT, ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("runs > 1", "true"),
        ("CAST(started AS DATE)", datetime(2026, 11, 20, tzinfo=UTC)),
        ("started - started", 0.0),
        ("[1, 2]", "1, 2"),
        ("NULL", None),
        ("CAST(1.5 AS DECIMAL(10, 2))", 1.5),
        ("'text'", "text"),
        ("CAST(1 AS TINYINT)", 1),
    ],
)
def test_every_type_becomes_what_a_list_can_hold(expression: str, value: object) -> None:
    assert rows(f"SELECT {expression} AS v FROM rows ORDER BY runs DESC LIMIT 1") == [(value,)]


def test_the_schema_is_known_without_rows() -> None:
    query = "SELECT state, median(duration) AS middle FROM rows GROUP BY state"
    assert result_schema(query, {"rows": SCHEMA}) == run_query(query, TABLES).schema


def test_rows_come_in_the_same_order_each_time() -> None:
    many = pl.DataFrame({"name": [f"n{number * 7919 % 997}" for number in range(20_000)], "runs": [1] * 20_000})
    table = {"rows": Table(SCHEMA, many.with_columns(pl.lit("").alias("task_id")))}
    for query in (
        "SELECT name, count(*) AS n FROM rows GROUP BY name",
        "SELECT name, count(*) AS n FROM rows GROUP BY name ORDER BY n DESC -- ties",
        "SELECT DISTINCT name FROM rows UNION SELECT name FROM rows",
        "SELECT name FROM rows GROUP BY name LIMIT 20",
        "SELECT name FROM rows ORDER BY runs LIMIT 20",
        "SELECT a.name FROM rows a JOIN (SELECT DISTINCT name FROM rows LIMIT 50) b ON a.name = b.name",
    ):
        found = [run_query(query, table).frame.rows() for _ in range(4)]
        assert all(one == found[0] for one in found), query


def test_the_order_that_is_added_stands_where_the_query_has_its_own() -> None:
    def ordered(query: str, *places: int) -> str:
        return " ".join(with_order(query, places).split())

    assert ordered("SELECT a FROM r GROUP BY a LIMIT 3;", 1) == "SELECT a FROM r GROUP BY a ORDER BY 1 LIMIT 3;"
    inner = "SELECT * FROM (SELECT a FROM r ORDER BY a LIMIT 1)"
    assert ordered(f"{inner} ORDER BY 'limit 2', a OFFSET 2", 1, 2) == f"{inner} ORDER BY 'limit 2', a , 1, 2 OFFSET 2"


def test_lists_that_a_query_names_become_tables() -> None:
    query, lists = find_lists(
        "SELECT * FROM list('gs://a/b') x JOIN LIST ( 'it''s' ) y ON x.k=y.k JOIN list('gs://a/b')"
    )
    assert lists == (("list_1", "gs://a/b"), ("list_2", "it's"))
    assert query == "SELECT * FROM list_1 x JOIN list_2 y ON x.k=y.k JOIN list_1"


MISTAKES = [
    ("", "empty"),
    ("-- nothing", "empty"),
    ("selec", "begins no query"),
    ("SELECT", "cannot be run"),
    ("SELECT * form rows", "cannot be read"),
    ("SELECT * FROM nope", "no table 'nope'"),
    ("SELECT nmae FROM rows", "no column 'nmae'"),
    ("SELECT rows.nope FROM rows", "no column 'nope'"),
    ("WITH q AS (SELECT nope FROM rows) SELECT * FROM q", "no column 'nope'"),
    ("DROP TABLE rows", "begins no query"),
    ("CREATE TABLE x AS SELECT 1", "begins no query"),
    ("DELETE FROM rows", "begins no query"),
    ("INSERT INTO rows VALUES (1)", "begins no query"),
    ("UPDATE rows SET runs = 1", "begins no query"),
    ("COPY rows TO 'x'", "begins no query"),
    ("SHOW TABLES", "begins no query"),
    ("EXPLAIN SELECT * FROM rows", "begins no query"),
    ("SELECT 1; SELECT 2", "One query"),
    ("SELECT state + 1 FROM rows", "cannot be run"),
    ("SELECT sum(state) FROM rows", "cannot be run"),
    ("SELECT frobnicate(state) FROM rows", "no function frobnicate()"),
    ("SELECT * FROM rows WHERE state", "cannot be run"),
    ("SELECT state, name FROM rows GROUP BY state", "cannot be run"),
    ("SELECT * FROM rows ORDER BY 99", "cannot be run"),
    ("SELECT * FROM rows r JOIN other o ON r.state = o.state", "no table 'other'"),
    ("SELECT count(* FROM rows", "at character 16"),
    ("SELECT 'abc FROM rows", "unterminated"),
    ('SELECT "abc FROM rows', "cannot be read"),
    ("SELECT CAST(name AS INT) FROM rows", "cannot be run"),
    ("SELECT CAST(name AS nope) FROM rows", "cannot be run"),
    ("SELECT * FROM rows LIMIT 'x'", "cannot be run"),
    ("SELECT 1 a, 2 a", "cannot be run"),
    ("SELECT date_part('nope', started) FROM rows", "cannot be run"),
    ("SELECT regexp_like(name, '(') FROM rows", "cannot be run"),
    ("SELECT * FROM rows UNION SELECT state FROM rows", "cannot be run"),
    ("SELECT " + "(" * 300 + "1" + ")" * 300, "cannot be run"),
    ("SELECT * FROM rows WHERE duration > 'x'", "cannot be run"),
    ("SELECT * FROM rows WHERE name IN (SELECT name, state FROM rows)", "cannot be run"),
    ("SELECT lpad(name, 1000000000, 'x') FROM rows", "LPAD would make texts of more than 9,999"),
    ("SELECT rpad(upper(name), 0010000) FROM rows", "RPAD would make"),
    ("SELECT STRUCT(1, 2) FROM rows", "an expression of it is not supported"),
    ("SELECT " + "x" * 30_000, "30,007 characters"),
    ("SELECT 1" + "+1" * 4_900, "more than 500 operators"),
]


def test_a_misspelt_column_that_is_not_grouped_is_called_misspelt() -> None:
    with pytest.raises(QueryError) as error:
        run_query("SELECT durationn, count(*) AS n FROM rows", TABLES)
    assert str(error.value) == "There is no column 'durationn'. Did you mean duration?"


@pytest.mark.parametrize(("query", "said"), MISTAKES, ids=[query[:30] for query, _ in MISTAKES])
def test_every_mistake_gets_a_sentence(query: str, said: str) -> None:
    with pytest.raises(QueryError) as error:
        run_query(query, TABLES)
    assert said in error.value.sentence
    assert error.value.sentence.endswith(".") and "\n" not in error.value.sentence and "{" not in error.value.sentence
    assert len(error.value.sentence) < 400


@pytest.mark.parametrize(
    "form",
    [
        "SELECT * FROM read_csv('{0}')",
        "SELECT * FROM READ_CSV ('{0}')",
        "SELECT * FROM \"read_csv\"('{0}')",
        "SELECT * FROM read_csv/* (x) */('{0}')",
        "SELECT * FROM read_csv -- (\n('{0}')",
        "SELECT E'\\'' AS a FROM read_csv('{0}') --'",
        "SELECT $$'$$ AS a FROM read_csv('{0}') --'",
        "SELECT name FROM rows WHERE name IN (SELECT secret FROM read_csv('{0}'))",
        "WITH q AS (SELECT * FROM read_ndjson('{0}')) SELECT * FROM q",
        "SELECT * FROM read_parquet('{0}')",
        "SELECT * FROM scan_csv('{0}')",
    ],
)
def test_no_query_reads_a_file(form: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("secret\nhunter2\n")
    with pytest.raises(QueryError, match="would read a file"):
        run_query(form.format(secret), TABLES)


def test_a_column_that_has_the_name_of_such_a_function_opens_no_file(tmp_path: Path) -> None:
    """A pivot table turns values into names of columns, so a server may choose them."""
    secret = tmp_path / "secret.csv"
    secret.write_text("secret\nhunter2\n")
    schema = Schema((Column("read_csv", Kind.COUNT, "Read"),), key="k")
    table = {"rows": Table(schema, pl.DataFrame({"k": ["a"], "read_csv": [5]}))}
    assert run_query("SELECT * FROM rows", table).frame["read_csv"].to_list() == [5]
    with pytest.raises(QueryError, match="would read a file"):
        run_query(f"SELECT * FROM read_csv('{secret}')", table)


WORDS = st.sampled_from(
    """select from rows where group by order limit union join on ( ) , * ; ' " -- /* */ = < state name duration nope
    count(*) sum(duration) 1 'x' null over partition as x with case when then end in exists not cast int \\' $$ E'
    list('x')""".split()  # noqa: SIM905 - the words of a language read best as a text
)


@given(st.lists(WORDS, max_size=12).map(lambda words: "select " + " ".join(words)))
@example("select * from rows limit 99999999999999999999")
@example("select \0 from rows")
def test_whatever_is_written_gives_rows_or_a_sentence(query: str) -> None:
    try:
        result = run_query(query, TABLES)
    except QueryError:
        return
    assert list(result.frame.schema.items()) == list(result.schema.polars().items())
