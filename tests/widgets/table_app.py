"""An app that is nothing but a table, and what its tests ask of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import polars as pl
from textual.app import ComposeResult
from textual.message import Message
from textual.pilot import Pilot

from backends.frames.schema import Column, Kind, Schema
from tui.theme import ThemedApp
from tui.widgets.table import FrameTable

SCHEMA = Schema(
    (
        Column("state", Kind.STATE, "State"),
        Column("label", Kind.TEXT, "Label"),
        Column("runs", Kind.COUNT, "Runs"),
        Column("note", Kind.TEXT, "Note", hidden=True),
    ),
    "key",
)
STATES = ["completed", "failed", "running"]


def frame(count: int, start: int = 0, word: str = "task") -> pl.DataFrame:
    numbers = range(start, start + count)
    return pl.DataFrame(
        {
            "key": [f"k{n}" for n in numbers],
            "state": [STATES[n % 3] for n in numbers],
            "label": [f"{word} {n}" for n in numbers],
            "runs": [n * 1000 for n in numbers],
            "note": [f"note {n}" for n in numbers],
        },
        schema=SCHEMA.polars(),
    )


class TableApp(ThemedApp):
    def __init__(self, schema: Schema = SCHEMA) -> None:
        super().__init__()
        self.table = FrameTable(schema)
        self.seen: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def on_event_seen(self, message: Message) -> None:
        self.seen.append(message)

    on_frame_table_row_highlighted = on_event_seen
    on_frame_table_row_selected = on_event_seen
    on_frame_table_marks_changed = on_event_seen
    on_frame_table_view_changed = on_event_seen
    on_frame_table_menu_requested = on_event_seen

    def last(self, kind: type[Message]) -> Any:
        return next((message for message in reversed(self.seen) if type(message) is kind), None)


@asynccontextmanager
async def running(
    rows: pl.DataFrame | None = None, size: tuple[int, int] = (60, 12), schema: Schema = SCHEMA
) -> AsyncIterator[tuple[TableApp, FrameTable, Pilot[None]]]:
    app = TableApp(schema)
    async with app.run_test(size=size) as pilot:
        app.table.focus()
        if rows is not None:
            app.table.replace(rows)
        await pilot.pause()
        yield app, app.table, pilot


def lines(table: FrameTable) -> list[str]:
    return [table.render_line(y).text for y in range(table.size.height)]


def line_of(table: FrameTable, text: str) -> str:
    return next(line for line in lines(table) if text in line)


async def settled(app: TableApp, pilot: Pilot[None]) -> None:
    await app.workers.wait_for_complete()
    await pilot.pause()
