"""Plots to files: what is in them, the same bytes every time, no text that becomes markup, complete or not at all."""

from __future__ import annotations

import itertools
import sys
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given

from backends.errors import FileError, UsageError
from backends.frames.figures import SHAPES, Box, Dot, Figure, Label, Line, figure_format, to_png, to_svg, write_figure
from backends.frames.plots import plot_rows
from backends.frames.schema import Column, Kind, Schema
from backends.resources import Chart

SCHEMA = Schema(
    (
        Column("key", Kind.ID, "Key"),
        Column("state", Kind.STATE, "State"),
        Column("took", Kind.DURATION, "Took"),
        Column("at", Kind.TIME, "At"),
        Column("series", Kind.TEXT, "Series"),
        Column("alert", Kind.TEXT, "Alert"),
    ),
    key="key",
)
START = datetime(2026, 11, 1, tzinfo=UTC)
FRAME = pl.DataFrame(
    [
        (str(n), "failed" if n % 5 == 0 else "completed", float(n), START + timedelta(hours=n), "ab"[n % 2], None)
        for n in range(60)
    ],
    schema=SCHEMA.polars(),
    orient="row",
)
SVG = "{http://www.w3.org/2000/svg}"
RED = "#a51710"


def elements(figure: Figure) -> list[ET.Element]:
    return list(ET.fromstring(to_svg(figure)))


def count(figure: Figure, tag: str) -> int:
    return sum(element.tag == f"{SVG}{tag}" for element in elements(figure))


def test_each_point_is_drawn_once_and_points_are_not_joined() -> None:
    chart = Chart(x="at", y="took", by="series")
    figure = plot_rows(FRAME, SCHEMA, chart=chart, title="Two series")
    assert count(figure, "circle") == 30 and count(figure, "polygon") == 30  # a shape each
    texts = [element.text for element in elements(figure) if element.tag == f"{SVG}text"]
    assert "Two series" in texts and {"a", "b"} <= set(texts)
    rules = count(figure, "polyline")
    joined = plot_rows(FRAME, SCHEMA, chart=Chart(x="at", y="took", by="series", joined=True))
    assert count(joined, "polyline") == rules + 2


def labels(figure: Figure) -> list[str]:
    return [mark.text for mark in figure.marks if isinstance(mark, Label)]


def test_axes_say_their_unit_and_their_zone_once() -> None:
    """Ticks of hours have times, and the axis says of which day."""
    hours = FRAME.filter(pl.col("at") < START + timedelta(hours=8))
    found = labels(plot_rows(hours, SCHEMA, chart=Chart(x="at", y="took"), title="Hours"))
    assert "At on 2026-11-01 (UTC)" in found and "Took" in found  # its labels are 5s, 1m
    assert {"01:00", "05:00"} <= set(found) and not any(text.startswith("11-01") for text in found)
    found = labels(plot_rows(FRAME, SCHEMA, column="at"))
    assert "At, 2026 (UTC)" in found and {"11-02 00:00", "11-02 12:00"} <= set(found) and "rows" in found
    measured = Schema(
        (*SCHEMA.columns, Column("value", Kind.NUMBER, "Value"), Column("unit", Kind.TEXT, "Unit")), "key"
    )
    values = FRAME.with_columns(pl.col("took").alias("value"), pl.lit("ms").alias("unit"))
    assert "Value (ms)" in labels(plot_rows(values, measured, chart=Chart(x="at", y="value")))
    assert "Value (ms)" in labels(plot_rows(values, measured, column="value"))
    mixed = values.with_columns(pl.when(pl.col("took") > 5).then(pl.lit("ms")).otherwise(pl.lit("MB")).alias("unit"))
    assert "Value" in labels(plot_rows(mixed, measured, chart=Chart(x="at", y="value")))


def test_the_names_of_series_that_end_alike_do_not_overlap() -> None:
    frame = FRAME.with_columns(
        pl.lit(3.0).alias("took"), pl.col("key").cast(pl.Int64).mod(6).cast(pl.String).alias("series")
    )
    figure = plot_rows(frame, SCHEMA, chart=Chart(x="at", y="took", by="series"))
    lines = sorted(mark.y for mark in figure.marks if isinstance(mark, Label) and mark.bold and mark.anchor == "end")
    assert len(lines) == 6 and all(second - first >= 12 for first, second in itertools.pairwise(lines))


def test_every_mark_is_inside_the_figure() -> None:
    for figure in (plot_rows(FRAME, SCHEMA, chart=Chart(x="at", y="took")), plot_rows(FRAME, SCHEMA, column="at")):
        for mark in figure.marks:
            if isinstance(mark, Label):
                width = len(mark.text) * 7
                left = mark.x - {"start": 0, "middle": width / 2, "end": width}[mark.anchor]
                assert left >= 0 and left + width <= figure.width and 12 <= mark.y <= figure.height - 4, mark


def test_an_alert_has_its_words_and_the_medians_around_it() -> None:
    alerted = FRAME.with_columns(pl.when(pl.col("key") == "30").then(pl.lit("46331 regression")).alias("alert"))
    figure = plot_rows(alerted, SCHEMA, chart=Chart(x="at", y="took", marks="alert"))
    assert [mark.text for mark in figure.marks if isinstance(mark, Label)].count("46331 regression") == 1
    assert sum(isinstance(mark, Line) and mark.dashed for mark in figure.marks) == 3  # the alert, before, after


def test_the_heights_of_bars_are_their_counts() -> None:
    figure = plot_rows(FRAME, SCHEMA, column="took")
    bars = [mark for mark in figure.marks if isinstance(mark, Box)]
    failed = sum(bar.height for bar in bars if bar.role == "failed")
    assert failed / sum(bar.height for bar in bars if bar.role == "data") == pytest.approx(12 / 60)


def test_text_is_drawn_as_its_commonest_values() -> None:
    figure = plot_rows(FRAME, SCHEMA, column="state")
    assert [mark.text for mark in figure.marks if isinstance(mark, Label)][2:] == [
        *("completed", "48", "failed", "12 (12 failed)")
    ]


def test_without_a_chart_or_a_column_the_first_number_is_drawn() -> None:
    assert to_svg(plot_rows(FRAME, SCHEMA)) == to_svg(plot_rows(FRAME, SCHEMA, column="took"))
    with pytest.raises(UsageError, match="no column"):
        plot_rows(FRAME, SCHEMA, column="nosuch")
    with pytest.raises(UsageError, match="nothing to plot"):
        plot_rows(pl.DataFrame({"key": ["a"]}), Schema((Column("key", Kind.ID, "Key"),), key="key"))


@pytest.mark.parametrize("column", [None, "took", "at", "state"])
def test_rows_without_values_make_a_plot_too(column: str | None) -> None:
    chart = Chart(x="at", y="took") if column is None else None
    assert len(elements(plot_rows(FRAME.clear(), SCHEMA, chart=chart, column=column))) >= 2


marks = st.one_of(
    st.builds(Label, st.floats(0, 400), st.floats(0, 400), st.text(max_size=20)),
    st.builds(Dot, st.floats(0, 400), st.floats(0, 400), st.integers(0, SHAPES)),
    st.builds(Box, *[st.floats(0, 400)] * 4),
    st.builds(
        Line, st.lists(st.tuples(st.floats(0, 400), st.floats(0, 400)), max_size=4).map(tuple), dashed=st.booleans()
    ),
)


@given(st.lists(marks, max_size=8))
def test_any_figure_is_well_formed_and_always_the_same_bytes(drawn: list[Box | Line | Dot | Label]) -> None:
    figure = Figure(400, 400, tuple(drawn))
    root = ET.fromstring(to_svg(figure))
    assert len(root) == len(drawn) + 1 and all(not len(element) for element in root)
    assert to_svg(figure) == to_svg(figure)
    image = to_png(figure)
    assert image.startswith(b"\x89PNG") and image == to_png(figure)


def test_hostile_text_is_text() -> None:
    hostile = '</text><script>alert(1)</script>&"\x1b[31m\x00'
    svg = to_svg(Figure(10, 10, (Label(0, 0, hostile),)))
    assert "<script" not in svg and "\x1b" not in svg and "\x00" not in svg
    assert "<script>" in (ET.fromstring(svg)[1].text or "")


def test_a_file_is_written_as_its_name_ends_and_none_is_replaced(tmp_path: Path) -> None:
    figure = plot_rows(FRAME, SCHEMA, column="took")
    for name, start in (("a.svg", b"<svg"), ("b.PNG", b"\x89PNG")):
        write_figure(figure, tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
        with pytest.raises(FileError, match="exists"):
            write_figure(figure, tmp_path / name)
        write_figure(figure, tmp_path / name, overwrite=True)
    with pytest.raises(UsageError, match=r"\.svg or \.png"):
        write_figure(figure, tmp_path / "c.pdf")
    (tmp_path / "link.svg").symlink_to(tmp_path / "nowhere.svg")
    with pytest.raises(FileError, match="symbolic link"):
        write_figure(figure, tmp_path / "link.svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "b.PNG", "link.svg"]


def test_without_pillow_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(UsageError, match=r"ciexplore\[png\]"):
        figure_format(Path("a.png"))
    assert figure_format(Path("a.svg")) == "svg"
