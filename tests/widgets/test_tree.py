"""The tree of a document: where the cursor is can be seen from edge to edge, and without colour."""

from __future__ import annotations

import pytest
from textual.app import ComposeResult
from textual.pilot import Pilot

from tests.driving import screen_text, until
from tui.theme import SURFACES, ThemedApp
from tui.widgets.tree import TreeView

DOCUMENT = {"first": "a", "second": {"inner": "x" * 100 + "END"}, "third": "c"}


class TreeApp(ThemedApp):
    def compose(self) -> ComposeResult:
        yield TreeView(DOCUMENT, "a task")


def grounds(view: TreeView, y: int) -> set[str]:
    return {segment.style.bgcolor.get_truecolor().hex for segment in view.render_line(y)
            if segment.style and segment.style.bgcolor}  # fmt: skip


async def on_line(pilot: Pilot[None], view: TreeView, line: int) -> None:
    await until(pilot, lambda: view.cursor_line == line)


async def test_the_line_of_the_cursor_stands_out_from_edge_to_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    app = TreeApp()
    async with app.run_test(size=(60, 10)) as pilot:
        view = app.query_one(TreeView)
        view.focus()
        await on_line(pilot, view, 1)
        for key, line in (("j", 2), ("k", 1)):
            await pilot.press(key)
            await on_line(pilot, view, line)
            strip = view.render_line(line)
            assert strip.cell_length == view.size.width and strip.text.startswith("▌")
            assert grounds(view, line) == {SURFACES["select"][0]}
            others = [other for other in range(5) if other != line]
            assert [view.render_line(other).text[0] for other in others] == [" "] * len(others)
            assert all(SURFACES["select"][0] not in grounds(view, other) for other in others)
        app.set_focus(None)
        await pilot.pause()
        assert grounds(view, 1) == {SURFACES["select-off"][0]}


async def test_a_long_line_can_be_scrolled_to_its_end() -> None:
    app = TreeApp()
    async with app.run_test(size=(60, 10)) as pilot:
        view = app.query_one(TreeView)
        await until(pilot, lambda: "inner" in screen_text(app))
        view.scroll_to(x=1000, animate=False)
        await until(pilot, lambda: "END" in screen_text(app))
