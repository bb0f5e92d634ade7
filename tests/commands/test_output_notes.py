"""What a file cannot show is said on stderr, and in the app's message."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from backends.frames.charts import Chart
from backends.frames.plots import explain_empty_plot
from backends.frames.reports import ReportHeading
from backends.frames.schema import Column, Kind, Schema
from tui.commands.output import emit
from tui.widgets.export_dialog import ExportChoice, _write

SCHEMA = Schema(
    (Column("name", Kind.TEXT, "Name"), Column("score", Kind.NUMBER, "Score"), Column("size", Kind.BYTES, "Size")),
    key="id",
)
FRAME = pl.DataFrame(
    {
        "id": list("abcd"),
        "name": list("abcd"),
        "score": [float("inf"), float("nan"), None, 1.0],
        "size": [1, 2, 3, None],
    },
    schema=SCHEMA.polars(),
)
SENTENCE = "2 values of score are not finite; JSON has null for them."


@pytest.mark.parametrize("fmt", ["json", "jsonl"])
def test_json_says_what_it_has_null_for(fmt: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "rows"
    emit(FRAME, SCHEMA, fmt=fmt, target=str(target))
    assert capsys.readouterr().err == f"{SENTENCE}\n"
    text = target.read_text()
    rows = json.loads(text) if fmt == "json" else [json.loads(line) for line in text.splitlines()]
    assert [row["score"] for row in rows] == [None, None, None, 1.0]


def test_one_value_is_spoken_of_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emit(FRAME.head(1), SCHEMA, fmt="json", target=str(tmp_path / "rows"))
    assert capsys.readouterr().err == "1 value of score is not finite; JSON has null for it.\n"


@pytest.mark.parametrize(("fmt", "columns"), [("csv", None), ("parquet", None), ("table", None), ("json", "name,size")])
def test_nothing_is_said_where_nothing_is_lost(
    fmt: str, columns: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    emit(FRAME, SCHEMA, fmt=fmt, target=str(tmp_path / "rows"), columns=columns)
    assert capsys.readouterr().err == ""


def test_the_app_says_it_too(tmp_path: Path) -> None:
    choice = ExportChoice("jsonl", "all", ("name", "score"), tmp_path / "a.jsonl", False, False)
    assert _write(FRAME, SCHEMA, choice, ReportHeading("List")) == [SENTENCE]
    choice = ExportChoice("csv", "all", ("name", "score"), tmp_path / "a.csv", False, False)
    assert _write(FRAME, SCHEMA, choice, ReportHeading("List")) == []


@pytest.mark.parametrize(
    ("rows", "column", "sentence"),
    [
        (FRAME, "score", ""),
        (FRAME, "name", ""),
        (FRAME.tail(1), "size", "size has no values here; the plot is empty.\n"),
        (FRAME.head(2), "score", "score has no finite values here; the plot is empty.\n"),
        (FRAME.clear(), "name", "name has no values here; the plot is empty.\n"),
    ],
    ids=["numbers", "text", "null", "not finite", "no rows"],
)
def test_an_empty_plot_says_so(
    rows: pl.DataFrame, column: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "a.svg"
    emit(rows, SCHEMA, fmt=None, target=None, plot=str(target), plot_column=column)
    assert capsys.readouterr().err == sentence and target.exists()
    choice = ExportChoice("svg", "all", ("name",), tmp_path / "b.svg", False, False)
    assert _write(rows, SCHEMA, choice, ReportHeading("List", column=column)) == sentence.splitlines()


def test_an_empty_chart_names_what_it_lacks() -> None:
    chart = Chart("size", "score")
    assert explain_empty_plot(FRAME.tail(1), SCHEMA, chart=chart).startswith("size has no values here")
    assert explain_empty_plot(FRAME[2:], SCHEMA, chart=chart) == "No row has both size and score; the plot is empty."
    odd = FRAME.with_columns(pl.lit(2.0).alias("score"))
    assert explain_empty_plot(odd, SCHEMA, chart=chart) == ""
