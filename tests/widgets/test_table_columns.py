"""Which columns a table draws, what stays in sight, and how bars, matrices, states and links are drawn."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
from rich.cells import cell_len
from rich.style import Style

from backends.frames.schema import Column, Kind, Schema
from backends.taskcluster.task_rows import TASKS
from backends.treeherder.alerts import ALERTS
from backends.treeherder.compare import COMPARED_TESTS
from backends.treeherder.signatures import SIGNATURES
from tests.frame_rows import frame_from_rows
from tui.widgets.hyperlinks import find_link, terminal_has_links
from tui.widgets.row_painting import RowPainter, RowState, Viewport
from tui.widgets.table_drawing import CellTexts, Columns, LineLayout, Slot
from tui.widgets.table_model import FrameModel

SCHEMA = Schema(
    (
        Column("state", Kind.STATE, "State"),
        Column("name", Kind.TEXT, "Name", keeps_end=True),
        Column("took", Kind.DURATION, "Took"),
        Column("history", Kind.TEXT, "Builds", results=True),
        Column("note", Kind.TEXT, "Note"),
        Column("url", Kind.TEXT, "URL"),
    ),
    "name",
)
URL = "https://example.org/1"
ROWS = [
    ("completed", "x" * 60, 600.0, "FP~·S", "", URL),
    ("failed", "y" * 60, 300.0, "P", None, "https://a\x1b]8;;"),
]


def drawn(width: int, rows: list[tuple[object, ...]] = ROWS) -> tuple[Columns, LineLayout, RowPainter]:
    model, columns = FrameModel(SCHEMA), Columns(SCHEMA, 1)
    frame = frame_from_rows(SCHEMA, rows)
    model.append(frame)
    columns.observe(frame)
    # The style of a component says its name by its link, which nothing else has here.
    return columns, columns.place(width), RowPainter(CellTexts(model), lambda name: Style(meta={"role": name}))


def slots(layout: LineLayout) -> dict[str, Slot]:
    return {slot.column.name: slot for slot in layout.slots}


def test_a_column_without_values_is_not_drawn_and_comes_back_with_the_first() -> None:
    columns, layout, _ = drawn(120)
    assert "note" not in slots(layout)
    assert [column.name for column in columns.empty] == ["note"]
    columns.observe(frame_from_rows(SCHEMA, [("failed", "z", 1.0, "", "seen", "")]))
    assert "note" in slots(columns.place(120))
    assert not columns.empty


def test_a_table_of_nothing_but_empty_columns_keeps_one() -> None:
    columns = Columns(SCHEMA, 1)
    columns.observe(frame_from_rows(SCHEMA, [(None, None, None, None, None, None)]))
    assert [column.name for column in columns.visible] == ["state"]


@pytest.mark.parametrize("width", [60, 70])
def test_the_name_stays_when_one_scrolls_sideways(width: int) -> None:
    columns, home, _ = drawn(width)
    assert home.width > width
    assert slots(home)["name"].end < home.fixed < width
    columns.focus(2)
    layout = columns.place(width)
    assert slots(layout)["name"].end < layout.fixed <= width * 3 // 5
    assert slots(home)["name"].width >= slots(layout)["name"].width


def test_bars_are_in_proportion_and_missing_where_all_are_equal() -> None:
    _, layout, painter = drawn(160)
    texts = [painter.row(Viewport(layout, 0, 160), RowState(at, at, False, False, False)).text for at in (0, 1)]
    assert [text.count("━") for text in texts] == [10, 5]
    assert slots(drawn(60)[1])["took"].bar == 6
    equal = [(*row[:2], 5.0, *row[3:]) for row in ROWS]
    assert slots(drawn(160, equal)[1])["took"].bar == 0


def test_the_cells_of_a_matrix_are_signs_each_with_its_role() -> None:
    _, layout, painter = drawn(160)
    strip = painter.row(Viewport(layout, 0, 160), RowState(0, 0, False, False, False))
    roles = {segment.text: segment.style.meta.get("role") for segment in strip if segment.style}
    assert (roles["F"], roles["~"], roles["▪"], roles["–"]) == ("fill-failed", "fill-warning", "ok-quiet", "quiet")
    at_cursor = painter.row(Viewport(layout, 0, 160), RowState(0, 0, True, False, False))
    assert {"F", "~"} <= {segment.text for segment in at_cursor}


def test_the_usual_state_is_quiet_and_the_unusual_bold() -> None:
    _, layout, painter = drawn(160)
    usual, unusual = (painter.row(Viewport(layout, 0, 160), RowState(at, at, False, False, False)) for at in (0, 1))
    assert [segment.style.meta["role"] for segment in usual if segment.style and segment.text.strip()][:2] == [
        "good",
        "quiet",
    ]
    loud = next(segment for segment in unusual if "failed" in segment.text)
    assert loud.style is not None and loud.style.bold and loud.text.startswith("✖")


def test_only_safe_urls_become_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("TERM_PROGRAM", raising=False)
    _, layout, painter = drawn(200)
    links = [
        [segment.style.link for segment in painter.row(Viewport(layout, 0, 200), RowState(at, at, False, False, False))
         if segment.style and segment.style.link]
        for at in (0, 1)
    ]  # fmt: skip
    assert links == [[URL, URL], []], "the name and the URL itself"
    assert not find_link("javascript:alert(1)") and not find_link("https://a b") and not find_link(None)


@pytest.mark.parametrize(
    ("environment", "has"),
    [({"TERM": "xterm"}, True), ({"TERM": "linux"}, False), ({"TERM_PROGRAM": "Apple_Terminal"}, False)],
)
def test_terminals_that_lack_links_get_none(environment: dict[str, str], has: bool) -> None:
    assert terminal_has_links(environment) is has


def test_lines_have_the_width_of_the_screen_at_every_size() -> None:
    for width in (20, 60, 80, 100, 160):
        _, layout, painter = drawn(width)
        for state in (RowState(0, 0, False, False, False), RowState(1, 1, True, True, False)):
            assert cell_len(painter.row(Viewport(layout, 0, width), state).text) == width
        assert cell_len(painter.header(Viewport(layout, 0, width), (), "history").text) == width


def test_what_the_edge_of_the_screen_cuts_says_so_and_no_number_reads_as_another() -> None:
    numbered = (Column("name", Kind.TEXT, "Name"), Column("old", Kind.NUMBER, "Old"))
    schema = Schema((*numbered, Column("note", Kind.TEXT, "Note")), "name")
    model, columns = FrameModel(schema), Columns(schema, 1)
    frame = frame_from_rows(schema, [("t", 1246.785, "regression")])
    model.append(frame)
    columns.observe(frame)
    painter = RowPainter(CellTexts(model), lambda name: Style())
    layout = columns.place(40)
    number, note = layout.slots[1:]
    seen = {"1,246.8"}
    for width in range(layout.fixed + 1, layout.width + 1):
        view = Viewport(layout, 0, width)
        row = painter.row(view, RowState(0, 0, False, False, False)).text
        header = painter.header(view, (), None).text
        assert cell_len(row) == cell_len(header) == width
        assert row[number.start : number.end].strip() in ("", "…", "1,246.8"), row
        text = row[note.start : width].strip()
        assert text in ("", "regression") or (text.endswith("…") and len(text) >= 3), row
        assert header[note.start : width].strip() not in ("N", "N›"), header
        seen |= {row[number.start : number.end].strip(), text}
    assert seen >= {"1,246.8", "…", "", "regr…", "regression"}


def test_a_declared_name_is_the_name() -> None:
    named = Schema((*SCHEMA.columns[:4], replace(SCHEMA["note"], is_name=True)), "name")
    assert (SCHEMA.name_column, named.name_column) == ("name", "note")


def test_a_wide_table_shows_names_whole_that_a_narrow_one_cuts() -> None:
    schema = Schema(
        (
            Column("name", Kind.TEXT, "Name", width=40, keeps_end=True),
            *(Column(f"other{n}", Kind.TEXT, f"Other {n}", width=30) for n in range(8)),
        ),
        "name",
    )
    frame = pl.DataFrame({"name": ["n" * 58], **{f"other{n}": ["o" * 30] for n in range(8)}})
    columns = Columns(schema, 1)
    columns.observe(frame)
    assert [columns.place(width).slots[0].width for width in (80, 100, 130, 150)] == [40, 40, 52, 58]


@pytest.mark.parametrize("schema", [SIGNATURES, COMPARED_TESTS, ALERTS, TASKS])
def test_platforms_differ_in_their_ends_which_stay(schema: Schema) -> None:
    assert schema["platform"].keeps_end


def test_results_have_a_ruler_of_their_ages_or_else_their_legend() -> None:
    schema = Schema((Column("name", Kind.TEXT, "Name"), Column("past", Kind.TEXT, "Past", results=True)), "name")
    frame = pl.DataFrame({"name": ["a"], "past": ["FP" * 20]})
    model, columns = FrameModel(schema), Columns(schema, 1)
    model.append(frame)
    columns.observe(frame)
    painter = RowPainter(CellTexts(model), lambda name: Style())
    view = Viewport(columns.place(80), 0, 80)
    assert "F failed ~ flaky" in painter.header(view, (), None).text
    painter.ages = [86400.0 * n for n in range(40)]
    header, row = (
        line.text for line in (painter.header(view, (), None), painter.row(view, RowState(0, 0, False, False, False)))
    )
    assert header.index("10 d") == row.index("F") + 10  # above the result that is ten days older
