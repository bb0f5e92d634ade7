"""What holds for every list of the performance pane, and what its menu opens."""

from __future__ import annotations

from typing import Any

import polars as pl

from backends.locators import Locator
from backends.resources import Question, Resource, Row
from backends.systems import parse_locator

Lists = Any


def check_list(resource: Resource, frame: pl.DataFrame) -> None:
    """What holds for every list: the schema, unique keys, words and addresses for each row, locators that paste."""
    schema = resource.schema
    assert frame.schema == pl.Schema(schema.polars())
    assert frame[schema.key].is_unique().all() and not frame[schema.key].null_count()
    assert resource.title and isinstance(resource.summary(frame), str)
    assert str(resource.web_url(None)).startswith("http")
    if resource.chart is not None:
        assert {resource.chart.x, resource.chart.y, resource.chart.by} <= set(schema.names)
        assert resource.chart.marks == "" or resource.chart.marks in schema.names
    for row in frame.head(3).iter_rows(named=True):
        detail = resource.detail(row)
        assert detail is not None and detail.title and any(lines for _, lines in detail.sections)
        for found in (resource.open(row), resource.shows(row)):
            if isinstance(found, Locator):
                assert parse_locator(found.text()) == found
        for entry in resource.menu(row, frame.head(2)):
            opens = getattr(entry, "opens", None)
            assert entry.label
            if isinstance(opens, Locator):
                assert parse_locator(opens.text()) == opens
            elif isinstance(opens, str):
                assert opens.startswith("http")
        assert str(resource.web_url(row)).startswith("http")
    resource.menu(None, frame.head(0))


def entry(resource: Resource, row: Row | None, frame: pl.DataFrame, words: str) -> Any:
    """What the menu's entry with these words opens."""
    found = [one for one in resource.menu(row, frame) if words in one.label]
    assert found, [one.label for one in resource.menu(row, frame)]
    return found[0].opens  # type: ignore[union-attr]


def answer_question(resource: Resource, frame: pl.DataFrame, words: str, text: str) -> Any:
    """What the menu's question with these words makes of an answer."""
    [question] = [one for one in resource.menu(None, frame) if isinstance(one, Question) and words in one.label]
    return question.opens(text)
