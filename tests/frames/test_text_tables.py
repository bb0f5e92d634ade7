"""A table for a terminal fits it, lines up, and holds nothing that the terminal would obey."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from backends.frames import text_tables
from backends.frames.schema import Column, Kind, Schema
from backends.frames.text_tables import cell_width, cut_text, pad_text
from tests.frame_rows import frame_from_rows

SCHEMA = Schema(
    (
        Column("name", Kind.TEXT, "Name"),
        Column("state", Kind.STATE, "State"),
        Column("size", Kind.BYTES, "Size"),
        Column("hash", Kind.ID, "Hash", hidden=True),
    ),
    key="id",
)
cells = st.none() | st.text(max_size=12) | st.text("漢🦊\u0301\x1b\n\u202ea", max_size=6)
rows = st.lists(st.tuples(st.just("k"), cells, cells, st.none() | st.integers(0, 2**62), cells), max_size=5)


@settings(deadline=None)
@given(rows, st.integers(1, 60))
def test_no_line_is_wider_than_the_terminal_nor_holds_a_control(table: list[tuple[Any, ...]], width: int) -> None:
    text = text_tables.render_table(frame_from_rows(SCHEMA, table), SCHEMA, width)
    lines = text.split("\n")
    assert 0 <= len(lines) - len(table) - 1 <= 1
    for line in lines:
        assert cell_width(line) <= width
        assert line.isprintable()


@given(st.text("a漢\u0301é", max_size=10), st.integers(0, 12))
def test_padding_gives_exactly_the_cells_asked_for(text: str, width: int) -> None:
    assert cell_width(pad_text(text, width)) == width == cell_width(pad_text(text, width, right=True))
    assert cut_text(text, width) == text if cell_width(text) <= width else cell_width(cut_text(text, width)) <= width


FRAME = frame_from_rows(SCHEMA, [("k", "test-linux/opt", "failed", 1_200_000, "x"), ("l", "漢字", None, 7, "y")])


def test_columns_line_up_with_numbers_at_the_right() -> None:
    assert text_tables.render_table(FRAME, SCHEMA, 80) == (
        "Name            State     Size\n"
        "test-linux/opt  failed  1.2 MB\n"
        "漢字            ·          7 B"
    )  # fmt: skip


def test_the_widest_column_is_cut_first() -> None:
    assert text_tables.render_table(FRAME, SCHEMA, 24).splitlines()[1] == "test-li…  failed  1.2 MB"


def test_what_does_not_fit_is_named() -> None:
    assert text_tables.render_table(FRAME, SCHEMA, 20).splitlines() == [
        "Name          State",
        "test-linux/…  failed",
        "漢字          ·",
        "(not shown: size)",
    ]


def test_columns_can_be_chosen_hidden_ones_too_in_any_order() -> None:
    assert (
        text_tables.render_table(FRAME, SCHEMA, 0, columns=["hash", "name"]).splitlines()[1] == "x     test-linux/opt"
    )
