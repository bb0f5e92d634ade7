"""--plot: a list is drawn into a file instead of printed, and a wrong name is refused before anything is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.calling import Caller


def test_the_histogram_of_a_group_and_the_chart_of_a_series(
    ciexplore: Caller, demo: dict[str, str], tmp_path: Path
) -> None:
    durations, states, chart = (tmp_path / name for name in ("d.svg", "s.svg", "c.png"))
    group = demo["taskcluster.finished-group"]
    for plot, more in ((durations, ()), (states, ("--plot-column", "state"))):
        done = ciexplore("taskcluster", "list", group, "--plot", str(plot), *more)
        assert (done.code, done.out) == (0, b""), done.err
    assert "Duration" in durations.read_text() and "failed" in states.read_text()
    done = ciexplore("treeherder", "list", demo["perf.series"], "--plot", str(chart), "--format", "csv")
    assert done.code == 0 and "push_time" in done.text
    assert chart.read_bytes().startswith(b"\x89PNG")
    for option in ("--plot", "--to", "--report"):
        there = tmp_path / f"there{'.html' if option == '--report' else '.svg' if option == '--plot' else '.csv'}"
        there.write_text("mine")
        done = ciexplore("taskcluster", "list", group, option, str(there))
        assert done.code == 1 and f"{there} exists." in done.err and "--overwrite" in done.err
        assert there.read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--plot", "a.pdf"], ".svg or .png"),
        (["--plot", "a.svg", "--plot-column", "nosuch"], "no column"),
        (["--plot-column", "state"], "Add --plot FILE"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    ciexplore: Caller, demo: dict[str, str], options: list[str], words: str
) -> None:
    done = ciexplore("taskcluster", "list", demo["taskcluster.finished-group"], *options)
    assert done.code == 2 and words in done.err
