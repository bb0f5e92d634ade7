"""The panel beside a table: long values are seen to their last sign."""

from __future__ import annotations

from textual.app import ComposeResult

from backends.frames.formats import StateText, describe_row
from backends.frames.schema import Column, Kind, Schema
from backends.resources import Detail
from tests.driving import screen_text
from tui.theme import LIGHT, ThemedApp
from tui.widgets.detail_panel import DetailPanel

SCHEMA = Schema(
    (Column("state", Kind.STATE, "State", section="A"), Column("name", Kind.TEXT, "Name", section="A")), key="name"
)


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


async def test_a_state_has_its_sign_and_colour_in_every_theme_and_other_words_have_none() -> None:
    app = PanelApp()
    async with app.run_test(size=(60, 10)) as pilot:
        panel = app.query_one(DetailPanel)
        for state, sign, role in (("failed", "✖", "failed"), ("completed", "✔", "ok"), ("exception", "⚠", "exception")):
            sections = describe_row(SCHEMA, {"state": state, "name": "completed"})
            panel.show(Detail("a task", sections))
            for theme in (app.theme, LIGHT):
                app.theme = theme
                await pilot.pause()
                assert (
                    f"{sign} {state}" in screen_text(app) and "✔ completed\n" not in screen_text(app).split("Name")[1]
                )
                colours = app.theme_variables
                line = next(strip for strip in panel.app.screen._compositor.render_strips() if f"{sign} " in strip.text)
                found = {segment.text.strip(): segment.style for segment in line if segment.style}
                assert found[sign].color.get_truecolor().hex == colours[f"ci-{role}"]
                word = found[state]
                assert word.color.get_truecolor().hex == colours["ci-muted" if role == "ok" else f"ci-{role}"]
                assert bool(word.bold) == (role != "ok")


def test_a_state_of_a_row_is_known_as_one() -> None:
    ((_, lines),) = describe_row(SCHEMA, {"state": "failed", "name": "failed"})
    assert [isinstance(text, StateText) for _, text in lines] == [True, False]
