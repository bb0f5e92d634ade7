"""The panel beside a table: long values are seen to their last sign."""

from __future__ import annotations

from textual.app import ComposeResult

from backends.resources import Detail
from tests.driving import screen_text
from tui.theme import ThemedApp
from tui.widgets.detail_panel import DetailPanel


class PanelApp(ThemedApp):
    def compose(self) -> ComposeResult:
        panel = DetailPanel()
        panel.add_class("-shown")
        yield panel


async def test_between_the_text_and_the_scrollbar_is_a_free_cell() -> None:
    app = PanelApp()
    async with app.run_test(size=(60, 10)) as pilot:
        panel = app.query_one(DetailPanel)
        panel.show(Detail("a task", (("Task", tuple((f"Label {n}", "v" * 80) for n in range(20))),)))
        await pilot.pause()
        assert panel.show_vertical_scrollbar
        values = [line[:46] for line in screen_text(app).splitlines() if "vvv" in line]
        assert values and {line[44] for line in values} == {" "}
        assert {line[43] for line in values} == {"v", " "}
