"""Whatever has been done to a table, it looks exactly as one that was never drawn before: no line shows what was there.

Rows of one table are kept as strips and as lines of the screen; this is what notices one that is kept too long.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from textual.geometry import Region
from textual.pilot import Pilot
from textual.strip import Strip

from backends.frames.heat import Heat
from backends.frames.schema import Column, Effect, Kind, Schema
from tests.driving import until
from tests.widgets.table_app import TableApp
from tui import theme
from tui.input_queue import OrderedInputApp
from tui.widgets.row_painting import RowPainter
from tui.widgets.table import FrameTable
from tui.widgets.table_drawing import CellTexts
from tui.widgets.table_model import FrameModel

WIDE_SCHEMA = Schema(
    (
        Column("state", Kind.STATE, "State"),
        Column("label", Kind.TEXT, "Label", is_name=True),
        Column("took", Kind.DURATION, "Took"),
        Column("change", Kind.NUMBER, "Δ %", effect=Effect("verdict")),
        Column("verdict", Kind.STATE, "Verdict"),
        Column("size", Kind.BYTES, "Size"),
        Column("at", Kind.TIME, "At"),
        Column("share", Kind.NUMBER, "Share", heat=Heat((0, 10, 25, 50))),
        Column("results", Kind.TEXT, "Results", results=True),
        Column("note", Kind.TEXT, "Note", hidden=True),
    ),
    "key",
)
SIZES = ((80, 12), (60, 9), (200, 30), (110, 15), (30, 5), (80, 12))
FILTERS = ("", "a", "state:failed", "took>30m", "label:x", "verdict:worse", "nothing-has-this")
KEYS = (
    "up", "down", "down", "pagedown", "pageup", "G", "g", "space", "space", "v", "a", "i", "A", "left", "right",
    "right", "1", "2", "3", "s", "S", "minus", "plus", "less_than_sign", "greater_than_sign", "u",
)  # fmt: skip


def make_rows(chance: random.Random, keys: list[int]) -> pl.DataFrame:
    """Rows of these keys with values that differ each time, some of them missing."""

    def some(value: Any) -> Any:
        return None if chance.random() < 0.15 else value

    rows = [
        {
            "key": f"k{number}",
            "state": some(chance.choice(["completed", "failed", "running", "exception"])),
            "label": chance.choice("x測a-/") * chance.choice((1, 4, 30, 90)) + str(number),
            "took": some(chance.choice((0.5, 61.0, 4000.0, 90_000.0)) * chance.random()),
            "change": some(chance.uniform(-80, 80)),
            "verdict": some(chance.choice(["better", "worse", "unsure"])),
            "size": some(chance.choice((1, 10**4, 10**10))),
            "at": some(1_790_000_000_000 + chance.randrange(10**9)),
            "share": some(chance.uniform(0, 100)),
            "results": "".join(chance.choice("PF~S·") for _ in range(chance.choice((0, 3, 40)))),
            "note": some("n" * chance.randrange(20)),
        }
        for number in keys
    ]
    frame = pl.DataFrame(rows, schema=dict(WIDE_SCHEMA.polars()) | {"at": pl.Int64}, orient="row")
    return frame.with_columns(pl.col("at").cast(pl.Datetime("ms", "UTC"))).select(WIDE_SCHEMA.polars().keys())


class OrderedTableApp(OrderedInputApp, TableApp):
    """As the app itself, in which rows that arrive wait for keys."""

    def __init__(self) -> None:
        OrderedInputApp.__init__(self)
        self.table = FrameTable(WIDE_SCHEMA)
        self.seen = []

    @property
    def is_settled(self) -> bool:
        return not (self._after_input or self._input or self._rounds or self.table.busy)


def draw(table: FrameTable) -> list[list[tuple[str, Any]]]:
    """The lines of the screen, as text and style of each run of cells."""
    width, height = table.size
    strips: list[Strip] = table.render_lines(Region(0, 0, width, height))
    return [[(segment.text, segment.style) for segment in strip.simplify()] for strip in strips]


def draw_anew(table: FrameTable) -> list[list[tuple[str, Any]]]:
    """The same by a model and a painter that know nothing of earlier, and without what was drawn before."""
    model, known = FrameModel(table.schema), table._model
    model.replace(table.frame)
    model.set_filter(known.filter_text, table._filter_is_typed)
    model.set_sort(known.sort_keys)
    request = model.view_request()
    assert model.apply(request, request.compute())
    model.marks = known.marks.clone()
    painter, ages = table._painter, table._painter.ages
    table._styles.clear()
    table._strips.clear()
    table._styles_cache.clear()
    table._model, table._painter = model, RowPainter(CellTexts(model), table.style_of)
    table._painter.ages = ages
    try:
        return draw(table)
    finally:
        table._model, table._painter = known, painter


async def check(app: OrderedTableApp, pilot: Pilot[None], done: list[str]) -> None:
    table = app.table
    await until(pilot, lambda: app.is_settled)
    seen = draw(table)
    strips, version = dict(table._strips), table._strips_version
    fresh = draw_anew(table)
    table._strips, table._strips_version = strips, version  # the next step finds what this one had
    assert seen == fresh, done
    top, rows = table.scroll_offset.y, table.row_count
    assert 0 <= top <= max(0, rows - table.page_rows), done
    assert not rows or top <= table.cursor < top + table.page_rows, done
    assert table.virtual_size.height == rows + 1, done


def steps_of(app: OrderedTableApp, pilot: Pilot[None], chance: random.Random) -> dict[str, Callable[[], Any]]:
    """What can happen to a table, each of which chooses by itself how."""
    table = app.table

    def known_keys(most: int) -> list[int]:
        keys = [int(key[1:]) for key in table.frame["key"].to_list()]
        return chance.sample(keys, min(most, len(keys)))

    def new_keys(most: int) -> list[int]:
        start = chance.randrange(10**6)
        return list(range(start, start + chance.randrange(most + 1)))

    def append() -> None:
        table.append(*(make_rows(chance, new_keys(40)) for _ in range(chance.randrange(1, 4))))

    def append_known() -> None:
        table.append(make_rows(chance, known_keys(chance.choice((1, 5, 60))) + new_keys(3)))

    def replace() -> None:
        keys = known_keys(chance.choice((0, 5, 500))) + new_keys(5)
        chance.shuffle(keys)
        table.replace(make_rows(chance, keys))

    def flash() -> None:
        table.flash([f"k{key}" for key in known_keys(5)])

    async def press() -> None:
        await pilot.press(*chance.choices(KEYS, k=chance.randrange(1, 6)))

    async def press_while_rows_arrive() -> None:
        append_known()
        await pilot.press(*chance.choices(KEYS, k=2))
        append()

    def scroll() -> None:
        table.scroll_to(x=chance.randrange(200), animate=False, force=True)

    def choose_filter() -> None:
        table.set_filter(chance.choice(FILTERS), typing=chance.random() < 0.3)

    async def click() -> None:
        offset = chance.randrange(table.size.width), chance.randrange(table.size.height)
        await pilot.click(table, offset=offset)

    async def resize() -> None:
        await pilot.resize_terminal(*chance.choice(SIZES))

    def change_theme() -> None:
        app.theme = chance.choice((theme.DARK, theme.LIGHT))

    def change_focus() -> None:
        app.screen.set_focus(None if table.has_focus else table)

    def set_ages() -> None:
        table.set_result_ages([60.0 * number for number in range(chance.randrange(50))])

    return {
        "append": append, "append known": append_known, "replace": replace, "flash": flash, "press": press,
        "press more": press, "press while rows arrive": press_while_rows_arrive, "scroll": scroll,
        "filter": choose_filter, "click": click, "resize": resize, "theme": change_theme, "focus": change_focus,
        "ages": set_ages, "undo": table.undo, "unmark": table.unmark, "show columns": table.action_show_columns,
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
async def test_a_table_looks_as_one_that_was_never_drawn_before(seed: int) -> None:
    chance = random.Random(seed)
    app = OrderedTableApp()
    async with app.run_test(size=SIZES[0]) as pilot:
        app.table.focus()
        app.table.replace(make_rows(chance, list(range(chance.choice((0, 3, 300))))))
        steps, done = steps_of(app, pilot, chance), [str(seed)]
        for _ in range(40):
            name = chance.choice(list(steps))
            done.append(name)
            found = steps[name]()
            if hasattr(found, "__await__"):
                await found
            if chance.random() < 0.6:
                await check(app, pilot, done)
        await check(app, pilot, done)
