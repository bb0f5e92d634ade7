"""What is copied is what is seen, without anything that a terminal or a page would take for a command."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tests.widgets.table_app import SCHEMA, frame
from tui.widgets.copy_dialog import cell_texts, copy_choices, rows_as_markdown, rows_as_text, rows_as_tsv

COLUMNS = [SCHEMA["label"], SCHEMA["runs"]]


def test_rows_as_text_tsv_and_markdown() -> None:
    rows = frame(2, start=1)
    assert rows_as_text(rows.head(1), SCHEMA, COLUMNS) == "Label: task 1\nRuns: 1,000"
    assert rows_as_text(rows, SCHEMA, COLUMNS).splitlines()[1].split() == ["task", "1", "1,000"]
    assert rows_as_tsv(rows, COLUMNS) == "Label\tRuns\ntask 1\t1,000\ntask 2\t2,000"
    assert rows_as_markdown(rows, COLUMNS) == (
        "| Label | Runs |\n| --- | ---: |\n| task 1 | 1,000 |\n| task 2 | 2,000 |"
    )


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_cell_never_ends_its_cell_line_or_table(text: str) -> None:
    rows = frame(1).with_columns(label=pl.lit(text))
    for copied in (rows_as_tsv(rows, COLUMNS), rows_as_markdown(rows, COLUMNS), rows_as_text(rows, SCHEMA, COLUMNS)):
        assert all(line.replace("\t", "").isprintable() for line in copied.split("\n"))
    assert rows_as_tsv(rows, COLUMNS).split("\n")[1].count("\t") == 1
    line = rows_as_markdown(rows, COLUMNS).split("\n")[2].replace("\\\\", "").replace("\\|", "")
    assert line.count("|") == 3


def test_missing_cells_are_empty_and_long_ones_are_whole() -> None:
    rows = frame(1).with_columns(label=pl.lit("x" * 2_000), runs=pl.lit(None, pl.Int64))
    assert rows_as_tsv(rows, COLUMNS).split("\n")[1] == "x" * 2_000 + "\t"
    assert cell_texts(rows["runs"], SCHEMA["runs"]) == [""]


def test_the_choices_name_how_many_rows_are_marked() -> None:
    labels = [one.label for one in copy_choices("Name", 2, ("task", "tasks"), (5, 5))]
    assert labels[:2] == ["This cell: Name", "2 marked tasks as text"] and len(labels) == 7
    assert len(copy_choices("Name", 0, ("task", "tasks"), (5, 5))) == 4


def test_the_choices_say_how_many_columns_are_copied_those_on_the_screen_first() -> None:
    choices = [one for one in copy_choices("Name", 0, ("task", "tasks"), (4, 25)) if one.form == "markdown"]
    assert [(one.label, one.note, one.all_columns) for one in choices] == [
        ("This task as Markdown", "4 columns on screen (for a bug)", False),
        ("This task as Markdown", "all 25 columns (for a bug)", True),
    ]
    assert copy_choices("", 0, ("task", "tasks"), (1, 1))[0].note == "1 column in all"
