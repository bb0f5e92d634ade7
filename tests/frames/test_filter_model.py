"""The filter against a naive model in plain Python, over random rows and random terms."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import polars as pl
from hypothesis import given, settings

from backends.frames import filters
from backends.frames.filter_ast import FilterSyntaxError
from backends.frames.schema import Column, Kind, Schema

SCHEMA = Schema(
    (
        Column("name", Kind.TEXT, "Name"),
        Column("state", Kind.STATE, "State"),
        Column("note", Kind.TEXT, "Note", searched=False),
        Column("size", Kind.BYTES, "Size"),
        Column("score", Kind.NUMBER, "Score"),
    ),
    key="id",
)
TEXTS = ("name", "state", "note")
SEARCHED = ("name", "state")
# Few signs, so that needles are found: metacharacters of the language and of regexes, white space, wide, combining.
SIGNS = 'aAbB-:/"\\.*+()[{^$|,=<>!# \t\n0é漢🦊ßİ\u0301\0'
texts = st.text(SIGNS, max_size=5)
Row = dict[str, Any]
Test = Callable[[Row], bool]
rows = st.fixed_dictionaries(
    {
        "id": st.just("k"),
        "name": st.none() | texts,
        "state": st.none() | texts,
        "note": st.none() | texts,
        "size": st.none() | st.integers(-3, 3),
        "score": st.none() | st.sampled_from([-1.5, 0.0, 1.0, 2.0, math.nan, math.inf, -math.inf]),
    }
)


def quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# Pieces of a regular expression that Rust's and Python's engine read alike (once $ is the very end).
pieces = st.sampled_from(
    ["a", "B", ".", "[ab]", "^", "$", "|", r"\.", r"\(", r"\/", "/", " ", "(a|-)", "0*", "漢", ","]
)


@st.composite
def pattern_texts(draw: st.DrawFn) -> str:
    found = "".join(draw(st.lists(pieces, min_size=1, max_size=4)))
    return re.sub(r"(?<!\\)/([ ,])", r"a\1", found) + "b?"  # a bare slash before these would end it


def model_pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("$", r"\Z").replace(r"\/", "/"), re.IGNORECASE)


@st.composite
def terms(draw: st.DrawFn) -> tuple[str, Test]:
    text, test = draw(st.one_of(words(), searches(), text_conditions(), number_conditions(), missing()))
    if draw(st.booleans()):
        return f"-{text}", lambda row: not test(row)
    return text, test


@st.composite
def words(draw: st.DrawFn) -> tuple[str, Test]:
    word = draw(st.text(SIGNS, min_size=1, max_size=3))
    return quote(word), lambda row: any(word.lower() in (row[name] or "").lower() for name in SEARCHED)


@st.composite
def searches(draw: st.DrawFn) -> tuple[str, Test]:
    pattern = draw(pattern_texts())
    model = model_pattern(pattern)
    return f"/{pattern}/", lambda row: any(row[name] is not None and bool(model.search(row[name])) for name in SEARCHED)


@st.composite
def text_conditions(draw: st.DrawFn) -> tuple[str, Test]:
    name = draw(st.sampled_from(TEXTS))
    operator = draw(st.sampled_from([":", "=", "!="]))
    choices = draw(st.lists(texts, min_size=1, max_size=3))

    def one(cell: str | None, choice: str) -> bool:
        if not choice:
            return not cell
        if cell is None:
            return False
        whole = operator != ":" or name == "state"
        return cell.lower() == choice.lower() if whole else choice.lower() in cell.lower()

    def test(row: Row) -> bool:
        found = any(one(row[name], choice) for choice in choices)
        return row[name] is not None and not found if operator == "!=" else found

    return f"{name}{operator}{','.join(map(quote, choices))}", test


@st.composite
def number_conditions(draw: st.DrawFn) -> tuple[str, Test]:
    name = draw(st.sampled_from(["size", "score"]))
    operator = draw(st.sampled_from([":", "=", "!=", ">", ">=", "<", "<="]))
    value = draw(st.sampled_from([-2.0, 0.0, 0.5, 1.0, 2.0]))

    def test(row: Row) -> bool:
        cell = row[name]
        if cell is None or math.isnan(cell):
            return False
        results = {":": cell == value, "=": cell == value, "!=": cell != value, ">": cell > value}
        return {**results, ">=": cell >= value, "<": cell < value, "<=": cell <= value}[operator]

    return f"{name}{operator}{value:g}", test


@st.composite
def missing(draw: st.DrawFn) -> tuple[str, Test]:
    name = draw(st.sampled_from(SCHEMA.names))

    def test(row: Row) -> bool:
        cell = row[name]
        return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))

    return f"{name}:", test


@settings(max_examples=300, deadline=None)
@given(st.lists(rows, max_size=8), st.lists(terms(), max_size=3))
def test_exactly_the_rows_of_the_naive_model_are_kept(table: list[Row], wanted: list[tuple[str, Test]]) -> None:
    text = " ".join(term for term, _ in wanted)
    frame = pl.DataFrame(table, schema=SCHEMA.polars())
    parsed = filters.parse(text, SCHEMA)
    expected = [all(test(row) for _, test in wanted) for row in table]
    assert parsed.mask(frame).to_list() == expected
    assert parsed.mask(frame, filters.search_text(frame, SCHEMA)).to_list() == expected
    again = filters.parse(str(parsed), SCHEMA)
    assert again == parsed and str(again) == str(parsed)


@settings(max_examples=500, deadline=None)
@given(st.text(SIGNS + "nmestizcor1>", max_size=24))
def test_whatever_is_typed_is_a_filter_that_prints_and_reads_alike_or_a_problem_in_words(text: str) -> None:
    try:
        parsed = filters.parse(text, SCHEMA)
    except FilterSyntaxError as problem:
        assert problem.sentence and 0 <= problem.position <= len(text)
        assert problem.sentence.isprintable() and problem.hint.isprintable()
    else:
        assert filters.parse(str(parsed), SCHEMA) == parsed


@settings(max_examples=200, deadline=None)
@given(texts.filter(bool), st.sampled_from(["{}", "-{}", "name:{}", "name={}", "-note!={}"]))
def test_any_text_can_be_looked_for_in_quotes(text: str, form: str) -> None:
    parsed = filters.parse(form.format(quote(text)), SCHEMA)
    assert len(parsed.terms) == 1
    assert filters.parse(str(parsed), SCHEMA) == parsed
