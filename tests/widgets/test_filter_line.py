"""The filter line: what it suggests, how many rows it leaves, what it recalls."""

from __future__ import annotations

import gc
import weakref

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.frames import filters
from backends.frames.filter_ast import FilterSyntaxError
from backends.frames.schema import Column, Kind, Schema
from tests.driving import running, shown_view, until
from tui.widgets.filter_line import FilterInput, FilterLine, FilterSuggester
from tui.widgets.reader_pane import PromptLine

SCHEMA = Schema(
    (Column("id", Kind.ID, "Id"), Column("state", Kind.STATE, "State"), Column("size", Kind.BYTES, "Size")), key="id"
)
FRAME = pl.DataFrame(
    {
        "id": [str(n) for n in range(6)],
        "state": ["completed", "completed", "failed", "exception", "exception", None],
        "size": [1, 2, 3, 4, 5, 6],
    }
)


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("st", "state:"),
        ("linux -st", "linux -state:"),
        ("state:", "state:completed"),  # as frequent as exception, and before it
        ("state:e", "state:exception"),
        ("state:F", "state:Failed"),
        ("state:failed,", "state:failed,completed"),
        ("state:completed,e", "state:completed,exception"),
        ("state:completed", None),
        ("size:", None),
        ("nothing", None),
        ("nothing:x", None),
        ("", None),
    ],
)
def test_columns_and_values_are_completed(text: str, completed: str | None) -> None:
    suggester = FilterSuggester(lambda: None)
    word = text.rpartition(" ")[2].lstrip("-")
    assert (suggester.complete(text, word, SCHEMA, FRAME) if word else None) == completed


def is_filter(text: str) -> bool:
    try:
        filters.parse(text, SCHEMA)
    except FilterSyntaxError:
        return False
    return True


@given(st.text(alphabet="stae:lfd,-ic ", max_size=12))
def test_what_is_suggested_continues_the_text_and_can_be_parsed(text: str) -> None:
    suggester = FilterSuggester(lambda: None)
    word = text.rpartition(" ")[2].lstrip("-")
    found = suggester.complete(text, word, SCHEMA, FRAME) if word else None
    if found is not None:
        assert found.startswith(text) and len(found) > len(text)
        if is_filter(text.rpartition(" ")[0]):
            assert is_filter(found)


async def test_hits_are_counted_a_suggestion_is_accepted_and_filters_are_recalled(demo: dict[str, str]) -> None:
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        box = shown_view(app).query_one(FilterInput)
        await pilot.press("slash", *"state:fai")
        await until(pilot, lambda: box._suggestion == "state:failed")
        await pilot.press("right")
        assert box.value == "state:failed"
        shown = shown_view(app).table
        await until(pilot, lambda: 0 < shown.row_count < shown.total_count)
        hits = f"{shown.row_count} of {shown.total_count}"
        await until(pilot, lambda: hits in str(shown_view(app).query_one("#filter-hits").render()))
        await pilot.press("enter", "escape", "slash", *"linux", "enter", "slash", *[*["backspace"] * 5], "up", "up")
        assert box.value == "state:failed"
        await pilot.press("down")
        assert box.value == "linux"
    async with running(demo["taskcluster.finished-group"]) as (app, pilot):
        await pilot.press("slash", "up")
        assert shown_view(app).query_one(FilterInput).value == "linux"


async def test_text_boxes_of_lists_and_readers_that_were_left_are_given_back() -> None:
    """The screen kept them, and with them all that was listed: a megabyte a list. A few are in Textual's caches."""
    async with running(None) as (app, pilot):
        left = []
        for _ in range(6):
            for box in (FilterLine(lambda: None, lambda: None), PromptLine()):
                await app.screen.mount(box)
                await pilot.pause()
                left.append(weakref.ref(box))
                await box.remove()
        del box
        await until(pilot, lambda: gc.collect() >= 0 and sum(one() is not None for one in left) <= 4)
