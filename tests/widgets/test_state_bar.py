"""The bar of states: widths, order, and that no state that occurs is left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from backends.frames.formats import state_rank
from tui.theme import ThemedApp
from tui.widgets.state_bar import (
    PENDING,
    StateBar,
    layout_bar,
    layout_legend,
    order_states,
    state_role,
)

STATES = st.sampled_from(
    [
        "failed",
        "exception",
        "running",
        "pending",
        "completed",
        "aborted",
        "flaky",
        "skipped",
        "unknown",
        "odd",
        "loading",
    ]
)
COUNTS = st.dictionaries(STATES, st.integers(0, 100_000))


@given(COUNTS, st.integers(1, 300))
def test_segments_and_gaps_fill_the_width_and_each_state_has_a_cell(counts: dict[str, int], width: int) -> None:
    segments = layout_bar(counts, width)
    states = [state for state, _ in order_states(counts)]
    if not states:
        assert segments == []
        return
    assert sum(segment.cells for segment in segments) + len(segments) - 1 == width
    assert all(segment.cells >= 1 for segment in segments)
    assert [segment.state for segment in segments] == states[: (width + 1) // 2]
    assert sorted(state_rank(state) for state in states) == [state_rank(state) for state in states]


@given(COUNTS, st.integers(30, 300))
def test_more_rows_never_have_fewer_cells(counts: dict[str, int], width: int) -> None:
    segments = layout_bar(counts, width)
    for one in segments:
        for other in segments:
            assert one.rows <= other.rows or one.cells >= other.cells


@given(COUNTS, st.integers(0, 200))
def test_the_legend_fits_and_has_the_order_of_the_bar(counts: dict[str, int], width: int) -> None:
    legend = layout_legend(counts, width)
    assert [entry.state for entry in legend] == [state for state, _ in order_states(counts)][: len(legend)]
    assert all(entry.start + len(entry.text) <= width for entry in legend)


def test_what_is_missing_is_dashed_and_comes_last() -> None:
    failed, done, pending = layout_bar({"pending": 600, "completed": 599, "failed": 1}, 40)
    assert (failed.state, failed.text, state_role("failed")) == ("failed", "━", "failed")
    assert set(done.text) == {"━"} and set(pending.text) == {PENDING}


def test_one_failure_of_a_million_is_seen() -> None:
    assert [segment.cells for segment in layout_bar({"verified": 999_999, "failed": 1}, 20)] == [1, 18]


def test_the_legend_loses_its_words_before_its_counts() -> None:
    counts = {"failed": 35, "completed": 1142}
    assert [entry.text for entry in layout_legend(counts, 40)] == ["✖ 35 failed", "✔ 1,142 completed"]
    assert [entry.text for entry in layout_legend(counts, 20)] == ["✖ 35", "✔ 1,142"]
    assert [entry.text for entry in layout_legend(counts, 6)] == ["✖ 35"]


class BarApp(ThemedApp):
    def compose(self) -> ComposeResult:
        yield StateBar()

    def on_state_bar_selected(self, event: StateBar.Selected) -> None:
        self.title = event.state


async def test_the_line_has_bar_and_legend_and_a_click_names_the_state() -> None:
    app: App[None] = BarApp()
    async with app.run_test(size=(60, 3)) as pilot:
        bar = app.query_one(StateBar)
        bar.show({"completed": 90, "failed": 10})
        await pilot.pause()
        line = bar.render().plain
        assert line.endswith("✖ 10 failed  ✔ 90 completed") and len(line) == 58
        await pilot.click(StateBar, offset=(1 + line.index("10"), 0))
        await pilot.pause()
        assert app.title == "failed"
