"""Unpacking killed before each of its steps on the disk: never half a tree, never the older data for good."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from backends.cancel import CancelToken
from backends.extraction.extractor import extract_downloads
from tests.crash_injection import KilledRuns
from tests.extraction.test_unpacked_downloads import downloaded, zipped

CODE = """
from pathlib import Path
from backends.cancel import CancelToken
from backends.extraction.extractor import extract_downloads
def run(output):
    told = extract_downloads(Path(output), None, CancelToken())
    assert not told.problems, told.problems
"""


@pytest.fixture(scope="module")
def run_killed() -> Iterator[KilledRuns]:
    with KilledRuns(CODE) as runs:
        yield runs


OLD, NEW = zipped(name="old", only_old="1"), zipped(name="new", only_new="1")


def tree(output: Path, name: str) -> dict[str, str]:
    return {path.name: path.read_text() for path in (output / name).glob("*")}


def hidden(output: Path) -> list[str]:
    return [path.name for path in output.iterdir() if path.name.startswith(".") and path.name != ".ciexplore"]


@pytest.mark.parametrize("has_older", [False, True])
def test_unpacking_killed_at_any_step_is_completed_by_the_next_run_with_the_newer_content(
    tmp_path: Path, run_killed: KilledRuns, has_older: bool
) -> None:
    steps, old, new = 0, {"name": "old", "only_old": "1"}, {"name": "new", "only_new": "1"}
    for step in count(1):
        output = tmp_path / str(step)
        output.mkdir()
        names = ("a.zip", "b.zip")
        if has_older:
            downloaded(output, dict.fromkeys(names, OLD), digest="old")
            assert extract_downloads(output, None, CancelToken()).unpacked == 2
        downloaded(output, dict.fromkeys(names, NEW), digest="new")
        killed = run_killed(str(output), step=step)
        for name in names:
            assert tree(output, f"{name}.unpacked") in ([old, new, {}] if has_older else [new, {}]), step
        told = extract_downloads(output, None, CancelToken())
        assert told.problems == [] and told.unpacked + told.kept == 2, (step, told)
        assert [tree(output, f"{name}.unpacked") for name in names] == [new, new], step
        assert hidden(output) == [], step
        if not killed:
            break
        steps += 1
    assert steps >= 10


def test_a_tree_of_the_user_is_not_taken_for_the_one_that_was_about_to_be_named(
    tmp_path: Path, run_killed: KilledRuns
) -> None:
    """Killed just before the name was given; then the user put something of their own under that name."""
    downloaded(tmp_path, {"a.zip": NEW}, digest="new")
    for step in count(1):
        assert run_killed(str(tmp_path), step=step)
        record = tmp_path / ".ciexplore" / "unpacked.json"
        if record.exists() and "next" in record.read_text():
            break
    (tmp_path / "a.zip.unpacked").mkdir()
    (tmp_path / "a.zip.unpacked" / "mine").write_text("mine")
    told = extract_downloads(tmp_path, None, CancelToken())
    assert told.unpacked == 0 and "not created by ciexplore" in told.problems[0][1]
    assert tree(tmp_path, "a.zip.unpacked") == {"mine": "mine"}
