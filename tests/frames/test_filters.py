"""The filter language, term by term, and what is said about text that is none."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from backends.errors import UsageError
from backends.frames import filters
from backends.frames.filter_ast import FilterSyntaxError
from backends.frames.schema import Column, Kind, Schema
from tests.frame_rows import frame_from_rows

SCHEMA = Schema(
    (
        Column("name", Kind.TEXT, "Name"),
        Column("state", Kind.STATE, "State"),
        Column("worker", Kind.ID, "Worker", searched=False),
        Column("duration", Kind.DURATION, "Duration"),
        Column("size", Kind.BYTES, "Size"),
        Column("tasks", Kind.COUNT, "Tasks"),
        Column("score", Kind.NUMBER, "Score"),
        Column("started", Kind.TIME, "Started"),
    ),
    key="name",
)
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def ms(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type,misc]


ROWS = [
    ("test-linux/opt", "failed", "w-1", 1800.0, 1_000_000, 1, 0.5, ms(2026, 11, 21, 11, 0)),
    ("build-Windows", "completed", "w-2", 1799.9, 2_000_000, 1234, 2.0, ms(2026, 11, 20, 10, 0, 30)),
    ("-abc a  b", "exception", None, None, None, None, None, None),
    ('quote " and \\', None, "", float("nan"), 0, 0, float("nan"), ms(2026, 11, 19)),
    ("https://a.b/c=1", "Failed", "W-10", 7200.0, 2**53 + 1, 2**53 + 1, -1.0, ms(2026, 11, 21)),
]
FRAME = frame_from_rows(SCHEMA, ROWS)


def kept(text: str) -> list[int]:
    mask = filters.parse(text, SCHEMA, now=NOW).mask(FRAME)
    assert mask.null_count() == 0 and len(mask) == len(FRAME)
    return mask.arg_true().to_list()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("   ", [0, 1, 2, 3, 4]),
        ("WINDOWS", [1]),
        ("linux opt", [0]),
        ("test failed", [0]),  # one word in each of two columns
        ("w-1", []),  # not among the searched columns
        ("-linux", [1, 2, 3, 4]),
        ('"-abc"', [2]),
        ('-"-abc"', [0, 1, 3, 4]),
        ('"a  b"', [2]),
        ('"\\" and \\\\"', [3]),
        ('"https://a.b"', [4]),
        ("state:failed", [0, 4]),
        ("STATE:FAILED,exception", [0, 2, 4]),
        ("state:fail", []),  # a state is a whole word
        ("-state:failed", [1, 2, 3]),
        ("state:", [3]),
        ("-state:", [0, 1, 2, 4]),
        ('state:failed,""', [0, 3, 4]),
        ("state:failed,", [0, 4]),
        ("worker:", [2, 3]),
        ("worker:w-1", [0, 4]),
        ("worker=W-1", [0]),
        ("worker!=w-1", [1, 3, 4]),
        ("-worker=w-1", [1, 2, 3, 4]),
        ('name:"a  b",linux', [0, 2]),
        ("name:/^(test|build)-/", [0, 1]),
        ("name:/a b/,windows", [1]),
        ("state:/fail.*/", [0, 4]),
        ("/^exc/", [2]),
        ("-/linux|windows/", [2, 3, 4]),
        (r"/:\/\/a/", [4]),
        ("/test-linux/opt/", [0]),  # a slash inside does not end it
        ("duration>=30m", [0, 4]),
        ("duration>30m", [4]),
        ("duration<30m", [1]),
        ("-duration<30m", [0, 2, 3, 4]),
        ("duration:30m", [0]),
        ("duration:", [2, 3]),  # NaN is no duration
        ("duration!=30m", [1, 4]),
        ("size<=1MB", [0, 3]),
        ("size:2000000", [1]),
        ("size>1MiB", [1, 4]),
        ("tasks>1,233", [1, 4]),
        ("tasks:1,234", [1]),
        ("tasks:1,0", [0, 3]),
        (f"tasks={2**53}", []),  # a float would take it for the next one
        ("score>-2", [0, 1, 4]),
        ("score=-1,2", [1, 4]),
        ("started>2h", [0]),
        ('started>"2h ago"', [0]),
        ("started<2h", [1, 3, 4]),
        ("started:today", [0, 4]),
        ("started:yesterday", [1]),
        ("started:1d", [0, 4]),
        ("started>=2026-11-20", [0, 1, 4]),
        ("started<2026-11-20", [3]),
        ("started<=2026-11-20", [1, 3]),
        ("started:2026-11-20", [1]),
        ("started=2026-11-20T10:00", [1]),
        ("started=2026-11-20T10", [1]),
        ("started=2026-11-20T10:00:30", [1]),
        ("started=2026-11-20T10:01", []),
        ("started:2026-11-20T11:00+01:00", [1]),
        ("started>2026-11-20T10:00", [0, 1, 4]),
        ("started!=today", [1, 3]),
        ("started:today,2026-11-19", [0, 3, 4]),
        ("started:", [2]),
    ],
)
def test_a_filter_keeps_the_rows_that_it_says(text: str, rows: list[int]) -> None:
    assert kept(text) == rows


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("linux stat:failed", 6, ["'stat'", "state", '"stat:failed"']),
        ("test-linux:x", 0, ["'test-linux'", '"test-linux:x"']),
        ("https://a.b/c", 0, ["'https'", '"https://a.b/c"']),
        ("a=b", 0, ["'a'", '"a=b"']),
        ("size > 5", 5, ["no column name", "without spaces"]),
        ("name>3", 0, ["text", "name:value"]),
        ("size:abc", 0, ["size", "abc", "1MB"]),
        ("started>soon", 0, ["soon", "2026-11-20"]),
        ("/(/", 0, ["unclosed group"]),
        ("name:/x(?=y)/", 0, ["look-around"]),
        ('""', 0, ["nothing"]),
        ('a "b"c', 2, ["'c'", "space"]),
    ],
)
def test_a_wrong_filter_says_what_is_wrong_where_and_what_to_write(text: str, position: int, words: list[str]) -> None:
    with pytest.raises(FilterSyntaxError) as caught:
        filters.parse(text, SCHEMA)
    problem = caught.value
    assert isinstance(problem, UsageError) and problem.exit_code == 2
    assert problem.position == position
    assert not problem.incomplete
    for word in words:
        assert word in str(problem)


ONLY_THE_END_IS_MISSING = [
    *("size>", "size>=", "-size<", "size=", "size>-", "score>1.5.", "duration>1h3"),
    *("-", "a -", "/", "/abc", "//", "-/a b", "name:/a", 'name:"', '"two wor', "started>2026-1", "started>yest"),
]


@pytest.mark.parametrize("text", ONLY_THE_END_IS_MISSING)
def test_a_filter_that_only_lacks_its_end_is_told_from_a_wrong_one(text: str) -> None:
    with pytest.raises(FilterSyntaxError) as caught:
        filters.parse(text, SCHEMA)
    assert caught.value.incomplete


@pytest.mark.parametrize("text", ["size> more", "- more", "duration>1h3 more", "started>yest more", "size= more"])
def test_what_is_missing_in_the_middle_is_wrong(text: str) -> None:
    with pytest.raises(FilterSyntaxError) as caught:
        filters.parse(text, SCHEMA)
    assert not caught.value.incomplete


def test_typing_a_condition_key_by_key_is_never_called_wrong() -> None:
    for text in ("state:failed,exception", "duration>=1h30m", "size<10.5MiB", "started>2026-11-20T10:00", 'name:"a b"'):
        for end in range(1, len(text) + 1):
            try:
                filters.parse(text[:end], SCHEMA)
            except FilterSyntaxError as problem:
                assert problem.incomplete, text[:end]


def test_a_bare_column_at_the_end_is_marked_as_perhaps_unfinished() -> None:
    assert filters.parse("linux state:", SCHEMA).unfinished
    assert not filters.parse("state: ", SCHEMA).unfinished
    assert not filters.parse("state: linux", SCHEMA).unfinished
    assert filters.parse("state:", SCHEMA) == filters.parse("state: ", SCHEMA)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("  a   b ", "a b"),
        ('"a"', "a"),
        ("SIZE>1MB", "size>1MB"),
        ('name:"x"', "name:x"),
        ("name:a,,b,", "name:a,b"),
        ('state:""', "state:"),
        ('"-a"', '"-a"'),
        ("-/a/", "-/a/"),
        ("/test-linux/opt/", r"/test-linux\/opt/"),
        ('name:"=a"', 'name:"=a"'),
    ],
)
def test_a_filter_has_one_canonical_text(text: str, canonical: str) -> None:
    parsed = filters.parse(text, SCHEMA)
    assert str(parsed) == canonical
    assert filters.parse(canonical, SCHEMA) == parsed


def test_relative_times_move_with_the_clock_unless_now_is_fixed() -> None:
    moving = filters.parse("started>2h", SCHEMA)
    assert moving == filters.parse("started>2h", SCHEMA, now=NOW)
    assert moving.mask(FRAME).sum() == 0  # the rows are of another day than that of this test run


def test_a_prebuilt_haystack_gives_the_same_rows() -> None:
    hay = filters.search_text(FRAME, SCHEMA)
    assert hay.null_count() == 0
    for text in ("linux", "-linux", "a /b/ -state:failed"):
        parsed = filters.parse(text, SCHEMA)
        assert parsed.mask(FRAME, hay).equals(parsed.mask(FRAME))


def test_a_word_never_reaches_from_one_column_into_the_next() -> None:
    frame = frame_from_rows(SCHEMA, [("a", "b", None, None, None, None, None, None), ("a\0b", "x", *[None] * 6)])
    assert filters.parse('"a\0b"', SCHEMA).mask(frame).to_list() == [False, True]
    assert filters.parse("ab", SCHEMA).mask(frame).to_list() == [False, False]


@pytest.mark.parametrize("text", ["a", "-a", "/a/", "-/a/", "state:", "size>1", "started>2h", "name:a -name:b"])
def test_no_rows_stay_no_rows(text: str) -> None:
    assert len(filters.parse(text, SCHEMA).mask(SCHEMA.empty())) == 0


def test_words_match_nothing_where_no_column_is_searched_and_their_negation_everything() -> None:
    schema = Schema((Column("size", Kind.BYTES, "Size"),), key="id")
    frame = frame_from_rows(schema, [("k", 1), ("l", None)])
    for text, rows in (("a", 0), ("-a", 2), ("/a/", 0), ("-/a/", 2), ("size:1", 1)):
        mask = filters.parse(text, schema).mask(frame)
        assert len(mask) == 2 and mask.sum() == rows


def test_one_that_keeps_everything_is_empty() -> None:
    assert filters.parse(" ", SCHEMA).is_empty
    assert not filters.parse("a", SCHEMA).is_empty


def test_a_mask_is_boolean_for_filtering_a_frame() -> None:
    assert FRAME.filter(filters.parse("state:failed", SCHEMA).mask(FRAME)).height == 2
    assert filters.parse("", SCHEMA).mask(FRAME).dtype == pl.Boolean


def test_ten_thousand_pasted_words_are_looked_for_each() -> None:
    """In one expression polars needs minutes for so many, and the interface waits meanwhile."""
    words = [f"w{number}" for number in range(10_000)]
    both = [" ".join(words), " ".join(words[:-1])]
    frame = frame_from_rows(SCHEMA, [(name, *[None] * 7) for name in both])
    assert filters.parse(" ".join(words), SCHEMA).mask(frame).to_list() == [True, False]
    assert filters.parse("a " * 5_000, SCHEMA).mask(frame).to_list() == [False, False]
