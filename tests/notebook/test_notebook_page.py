"""The blocks of docs/notebook.md run in order on the embedded CI, and give what the page says that they give."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from backends.frames.figures import Figure

PAGE = (Path(__file__).parents[2] / "docs" / "notebook.md").read_text("utf-8")
BLOCKS = re.findall(r"```(python|sh)\n(.*?)```", PAGE, re.DOTALL)
# The same in less time, and the days that the embedded CI has, whenever this runs.
FASTER = {"--interval 30d": "--since 2026-11-10 --rate 0 --digits none"}


def run_block(kind: str, block: str, names: dict[str, Any], group: str) -> Any:
    """The value of the last line, if it is an expression, as a notebook shows it."""
    if kind == "sh":
        from tui.cli import run

        for slow, fast in FASTER.items():
            block = block.replace(slow, fast)
        lines = [line.replace("GROUP", group) for line in block.splitlines()]
        return [run(line.split()[1:]) for line in lines if line.startswith("ciexplore ")]
    *head, last = block.replace('"GROUP"', repr(group)).rstrip().splitlines()
    try:
        value = compile(last, "docs/notebook.md", "eval")
    except SyntaxError:
        exec(compile("\n".join([*head, last]), "docs/notebook.md", "exec"), names)
        return None
    exec(compile("\n".join(head), "docs/notebook.md", "exec"), names)
    return eval(value, names)


def test_the_first_ten_cells_lead_from_pip_to_a_histogram() -> None:
    cells = re.findall(r"```(?:python|sh)\n", PAGE[PAGE.index("## Ten cells") : PAGE.index("## What a list can do")])
    assert len(cells) == 10 and BLOCKS[0] == ("sh", "pip install .\n") and "plot" in BLOCKS[9][1]
    assert all(len(block.splitlines()) <= 12 for _, block in BLOCKS)


@pytest.mark.timeout(300)
def test_the_page_runs_as_it_is_written(demo: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    shown = [run_block(kind, block, names, demo["taskcluster.finished-group"]) for kind, block in BLOCKS]
    assert [code for (kind, _), code in zip(BLOCKS, shown, strict=True) if kind == "sh"] == [[], [0], [0]]

    assert shown[3] == names["frame"].shape and names["frame"].height == 150
    assert set(shown[4]["state"]) == {"completed", "failed", "exception"}
    assert 0 < names["failed"].height < 150 and shown[6] and shown[7][0].number > 0
    assert shown[8] and all(path.stat().st_size for path in shown[8])
    assert isinstance(shown[9], Figure) and "Duration" in shown[9]._repr_svg_()
    assert names["causes"].height and names["causes"]["message"].is_not_null().any()
    assert "Unrecognized" in names["sentence"] and names["hint"]

    assert names["saved_frame"].equals(names["frame"]) and names["saved_errors"]
    assert names["saved_states"]["n"].sum() == 150

    first = names["first"]
    assert first["builds"].to_list() == [135, 2, 1, 1, 1] and round(first["share"][0], 2) == 96.43
    assert names["artifacts"]["builds"].sum() == 140
    by_entries = names["counts"].filter(level="/").sort("builds", descending=True)
    assert by_entries["builds"].to_list()[0] == 135 and by_entries["builds"].sum() == 140
    assert set(names["missing"]["name"]) >= {"started.json", "prowjob.json"}
    assert len(names["build_log"]) > 1 and names["per_day"]["builds"].sum() == 140
    assert names["lines"].height and names["tests"].height

    for name in ("alerts", "bugs", "failing", "revisions", "signatures", "jobs", "groups", "rectified", "durations"):
        assert isinstance(names[name], pl.DataFrame) and names[name].height, name
    for name in ("culprit", "waits"):
        assert names[name].filter(pl.col("statistic") == "count")["value"][0] > 0
    assert Path("signatures-per-push.svg").stat().st_size and names["slow"].height
    assert sorted(os.listdir()) == ["failures.capsule", "logs", "perf", "signatures-per-push.svg"]
