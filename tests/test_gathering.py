"""A list that arrives in parts becomes one: each row once, where it came first, as it came last."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.frames.schema import Column, Kind, Schema
from backends.http.response import Freshness
from backends.resources import Page, Resource, read_list
from tests.frame_rows import frame_from_rows

SCHEMA = Schema((Column("name", Kind.TEXT, "Name"), Column("count", Kind.COUNT, "Count")), key="name")
Rows = list[tuple[str, int]]


class Parts(Resource):
    schema = SCHEMA
    noun = ("row", "rows")
    title = "Parts"

    def __init__(self, parts: list[Rows]) -> None:
        self.parts = parts

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        for rows in self.parts:
            yield Page(frame_from_rows(SCHEMA, rows), Freshness())


@given(
    st.lists(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 9)).map(lambda d: list(d.items())), max_size=6)
)
def test_rows_that_are_completed_later_are_counted_once_and_keep_their_place(parts: list[Rows]) -> None:
    told: list[int] = []
    found = read_list(Parts(parts), CancelToken(), lambda rows, _: told.append(rows)).frame
    expected: dict[str, int] = {}
    for rows in parts:
        expected.update(rows)  # keeps the place of the first, the value of the last
    assert list(zip(found["name"], found["count"], strict=True)) == list(expected.items())
    assert told[-1:] == [len(expected)][: len(told)]
    assert found.schema == SCHEMA.empty().schema
