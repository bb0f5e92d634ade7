"""A law: whatever a server sends and however the table is scrolled, every line has exactly the cells of the widget."""

from __future__ import annotations

import unicodedata

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from backends.frames.column_formats import draw_effect
from backends.frames.formats import safe_text
from backends.frames.heat import Heat, HeatRole
from backends.frames.schema import Column, Effect, Kind, Schema
from tests.frame_rows import frame_from_rows
from tui.widgets.row_painting import RowPainter, RowState, Viewport
from tui.widgets.table_drawing import CellTexts, Columns, fit, fit_ends, fit_number
from tui.widgets.table_model import FrameModel, SortKey

SCHEMA = Schema(
    (
        Column("state", Kind.STATE, "State"),
        Column("label", Kind.TEXT, "Label テスト"),
        Column("size", Kind.BYTES, "Size"),
        Column("took", Kind.DURATION, "Took", width=6),
        Column("score", Kind.NUMBER, "Score", unit="ms"),
        Column("at", Kind.TIME, "Started"),
        Column("message", Kind.TEXT, "Message", counts_states=True),
    ),
    "label",
)
# What breaks alignment in practice: two-cell signs, joined emoji, combining marks, controls, escapes, bidi, unassigned.
hostile = st.text(
    st.one_of(
        st.sampled_from(
            "aé日本語ｶ️👩‍🚀🇩🇪e\u0301\u0301\u202e\u2067\u200b\x1b\x00\t\n\r\x7f\x9b\ufe0f\U000e0041\u3000\u00ad…⚠✔"
        ),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=60,
)
rows = st.tuples(
    st.one_of(st.none(), hostile, st.sampled_from(["completed", "failed"])),
    hostile,
    st.one_of(st.none(), st.integers(-(2**62), 2**62)),
    st.one_of(st.none(), st.floats()),
    st.one_of(st.none(), st.floats()),
    st.one_of(st.none(), st.integers(-(2**62), 2**62)),
    st.one_of(st.none(), hostile),
)


@given(
    content=st.lists(rows, min_size=1, max_size=4),
    width=st.integers(1, 220),
    scrolled=st.integers(0, 200),
    fixed=st.integers(0, 3),
    narrowed=st.integers(-40, 40),
)
def test_every_line_has_exactly_the_width_of_the_widget(
    content: list[tuple[object, ...]], width: int, scrolled: int, fixed: int, narrowed: int
) -> None:
    frame = frame_from_rows(SCHEMA, content)
    model, columns = FrameModel(SCHEMA), Columns(SCHEMA, fixed)
    model.append(frame)
    columns.observe(frame)
    columns.widen("message", narrowed, width)
    painter = RowPainter(CellTexts(model), lambda name: Style())
    layout = columns.place(width)
    view = Viewport(layout, min(scrolled, max(layout.width - width, 0)), width)
    lines = [painter.header(view, (SortKey("size", True), SortKey("label")), "label"), painter.message((), width)]
    lines += [painter.row(view, RowState(at, at, at == 0, at == 1, at == 2)) for at in range(model.row_count)]
    for line in lines:
        assert cell_len(line.text) == width
        assert line.cell_length == width
        assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs"} for character in line.text)


def test_the_fill_of_a_cell_is_the_step_of_its_value_and_its_number_stays() -> None:
    heat = Heat((0, 10, 25, 50), HeatRole.FAILED)
    schema = Schema(
        (Column("suite", Kind.TEXT, "Suite"), Column("share", Kind.NUMBER, "Share", unit="%", heat=heat)), "suite"
    )
    frame = frame_from_rows(schema, [("a", 0.0), ("b", 5.0), ("c", 60.0), ("d", None)])
    model, columns = FrameModel(schema), Columns(schema, 1)
    model.append(frame)
    columns.observe(frame)
    painter = RowPainter(CellTexts(model), lambda name: Style(meta={"name": name}))
    view = Viewport(columns.place(60), 0, 60)
    fills = []
    for at in range(4):
        strip = painter.row(view, RowState(at, at, at == 2, False, False))
        filled = [s for s in strip if s.style and s.style.meta.get("name", "").startswith("heat")]
        fills.append([(s.style.meta["name"], s.text.strip()) for s in filled if s.style])
    assert fills == [[], [("heat-failed-1", "5")], [("heat-failed-4", "60")], []]


def test_a_change_for_the_worse_has_its_bar_at_the_right_whatever_its_sign() -> None:
    """Less of a score is worse; what may be noise is thin."""
    effect = Effect("verdict", "direction")
    schema = Schema(
        (
            Column("verdict", Kind.STATE, "Verdict"), Column("name", Kind.TEXT, "Name"),
            Column("change", Kind.NUMBER, "Δ %", effect=effect), Column("direction", Kind.TEXT, "Direction"),
        ),
        "name",
    )  # fmt: skip
    frame = frame_from_rows(
        schema,
        [
            ("regression", "score", -20.0, "worse"), ("improvement", "time", -40.0, "better"),
            ("improvement", "huge", 900.0, "better"), ("no change", "noise", -3.4, "better"),
            ("no change", "more noise", 3.4, "worse"), (None, "new", None, None),
        ],
    )  # fmt: skip
    model, columns = FrameModel(schema), Columns(schema, 1)
    model.append(frame)
    columns.observe(frame)
    painter = RowPainter(CellTexts(model), lambda name: Style(meta={"name": name}))
    view = Viewport(columns.place(90), 0, 90)
    assert "Δ % better│worse " in painter.header(view, (), None).text
    drawn, colours = [], []
    for at in range(6):
        strip = painter.row(view, RowState(at, at, False, False, False))
        middle = strip.text.index("│")
        drawn.append(strip.text[middle - 6 : middle + 7])
        lines = [s for s in strip if s.style and set(s.text) & set("━─╸╺╴╶")]
        colours.append([s.style.meta["name"] for s in lines if s.style])
    assert drawn == [
        "      │━━━   ",
        "━━━━━━│      ",
        "━━━━━━│      ",
        "     ╶│      ",
        "      │╴     ",
        "      │      ",
    ]
    assert colours == [["bad"], ["good"], ["good"], ["data"], ["data"], []]
    assert "━" in painter.row(view, RowState(0, 0, True, False, False)).text
    assert "│" not in painter.row(Viewport(columns.place(60), 0, 60), RowState(0, 0, False, False, False)).text


@given(st.one_of(st.none(), st.floats()), st.booleans(), st.booleans(), st.integers(1, 12))
def test_a_bar_of_a_change_has_its_cells_and_only_one_side(
    percent: float | None, worse: bool, certain: bool, half: int
) -> None:
    bar = draw_effect(percent, worse, certain, half)
    assert len(bar) == 2 * half + 1 and bar[half] == "│"
    empty = bar[:half] if worse else bar[half + 1 :]
    assert not empty.strip()
    has_line = percent is not None and percent == percent and percent != 0
    assert bool(bar.replace("│", "").strip()) == has_line


@given(text=hostile, width=st.integers(0, 40), right=st.booleans())
def test_a_cell_has_exactly_the_width_of_its_column(text: str, width: int, right: bool) -> None:
    assert cell_len(fit(safe_text(text), width, right)) == width


@given(number=st.integers(), width=st.integers(1, 12))
def test_a_number_is_shown_whole_or_not_at_all(number: int, width: int) -> None:
    shown = fit_number(f"{number:,}", width)
    assert shown.strip() == f"{number:,}" or shown == "#" * width


@given(length=st.integers(1, 400))
def test_a_long_text_does_not_push_the_next_columns_out_of_an_80_column_screen(length: int) -> None:
    columns = Columns(SCHEMA, 1)
    columns.observe(frame_from_rows(SCHEMA, [("completed", "x" * length, 99_900_000, 59.9, 1.0, 0, "")]))
    slots = {slot.column.name: slot for slot in columns.place(79).slots}
    assert slots["took"].end <= 79
    assert slots["label"].width >= min(length, 28)


@given(length=st.integers(1, 400), width=st.integers(90, 600))
def test_spare_cells_go_to_cut_texts_and_never_make_the_line_longer_than_the_screen(length: int, width: int) -> None:
    columns = Columns(SCHEMA, 1)
    columns.observe(frame_from_rows(SCHEMA, [("completed", "x" * length, 99_900_000, 59.9, 1.0, 0, "y" * 30)]))
    layout = columns.place(width)
    slots = {slot.column.name: slot for slot in layout.slots}
    if slots["label"].width < length and layout.width <= width:
        assert layout.width == width
    if layout.width > width:
        assert layout.fixed < width
        columns.focus(3)
        assert columns.place(width).fixed <= width * 3 // 5, "beside it the name leaves room to scroll in"


def test_texts_give_up_some_cells_if_that_brings_the_last_column_into_sight() -> None:
    columns = Columns(SCHEMA, 1)
    columns.observe(frame_from_rows(SCHEMA, [("completed", "x" * 60, 99_900_000, 59.9, 1.0, 0, "y" * 60)]))
    assert columns.place(120).width > 120
    layout = columns.place(140)
    assert layout.width == 140
    assert all(32 <= slot.width < 48 for slot in layout.slots if slot.column.kind is Kind.TEXT)


def test_the_widest_number_of_all_rows_fits_even_if_it_is_far_down() -> None:
    sizes = [1] * 5000
    sizes[2500] = 123_456_789_012
    columns = Columns(Schema((Column("runs", Kind.COUNT, "Runs"),), "key"), 1)
    columns.observe(pl.DataFrame({"runs": sizes}))
    assert columns.place(80).slots[0].width == len("123,456,789,012")


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc", "Cf", "Mn", "Me")), max_size=60), st.integers(1, 40))
def test_a_text_that_keeps_its_end_fills_its_cells_exactly(text: str, width: int) -> None:
    assert cell_len(fit_ends(text, width)) == width


def test_what_tells_two_long_names_apart_stays_in_sight() -> None:
    names = [f"test-windows11-64-24h2-shippable/opt-browsertime-tp6-firefox-{site}" for site in ("amazon", "reddit")]
    shown = [fit_ends(name, 32) for name in names]
    assert shown[0] == "test-windo…me-tp6-firefox-amazon"
    assert shown[0] != shown[1]


def test_what_failed_among_counted_states_is_loud_and_the_rest_quiet() -> None:
    states = Column("states", Kind.TEXT, "Base", counts_states=True)
    schema = Schema((Column("label", Kind.TEXT, "Label"), states), "label")
    model, columns = FrameModel(schema), Columns(schema, 0)
    texts = ["failed", "1 failed, 5 completed", "completed", "exception", "2 running"]
    frame = frame_from_rows(schema, [(f"l{number}", text) for number, text in enumerate(texts)])
    model.append(frame)
    columns.observe(frame)
    colours = {"bad": "red", "exception": "magenta", "quiet": "white"}
    painter = RowPainter(CellTexts(model), lambda name: Style(color=colours.get(name, "blue")))
    view = Viewport(columns.place(80), 0, 80)
    drawn = []
    for row in range(len(texts)):
        strip = painter.row(view, RowState(row, row, False, False, False))
        drawn.append([(segment.text.strip(), segment.style.color.name, bool(segment.style.bold)) for segment in strip
                      if segment.style and segment.style.color and segment.text.strip()][1:])  # fmt: skip
    assert drawn == [
        [("failed", "red", True)],
        [("1 failed", "red", True), (", 5 completed", "white", False)],
        [("completed", "white", False)],
        [("exception", "magenta", True)],
        [],
    ]


def test_an_empty_text_is_drawn_as_a_missing_one() -> None:
    schema = Schema((Column("label", Kind.TEXT, "Label"), Column("test", Kind.TEXT, "Test")), "label")
    model, columns = FrameModel(schema), Columns(schema, 0)
    frame = frame_from_rows(schema, [("a", "long test"), ("b", ""), ("c", None)])
    model.append(frame)
    columns.observe(frame)
    painter = RowPainter(CellTexts(model), lambda name: Style())
    view = Viewport(columns.place(40), 0, 40)
    shown = [painter.row(view, RowState(row, row, False, False, False)).text.split() for row in range(3)]
    assert shown == [["a", "long", "test"], ["b", "·"], ["c", "·"]]
