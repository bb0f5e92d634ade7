"""The options of the other layout choose what they say, and are refused where they would choose nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tui.cli import run


def download(locator: str, output: Path, *options: str) -> int:
    return run(["taskcluster", "download", locator, "--output", str(output), *options])


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--suite", "x"], "--layout"),
        (["--unzip"], "--layout"),
        (["--layout", "artifact-downloader"], "--suite"),
        (["--layout", "artifact-downloader", "--all-suites", "--match", "*"], "--artifact"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    demo: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], word: str
) -> None:
    assert download(demo["taskcluster.finished-group"], tmp_path / "out", *options) == 2
    assert word in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_original_tree_is_made_and_continued(demo: dict[str, str], tmp_path: Path) -> None:
    group = demo["taskcluster.finished-group"]
    options = [
        "--layout",
        "artifact-downloader",
        "--suite",
        "browsertime-tp6-firefox-amazon*",
        "--artifact",
        "perfherder-data",
    ]
    assert download(group, tmp_path, *options) == 0
    (run_directory,) = [path for path in tmp_path.glob("*/1") if path.is_dir()]
    before = {path for path in run_directory.rglob("*") if path.is_file()}
    mapped = json.loads((run_directory / "taskid_to_file_map.json").read_text("utf-8"))
    assert len(mapped) == 3
    assert download(group, tmp_path, *options, "--continue") == 0
    assert {path for path in run_directory.rglob("*") if path.is_file()} == before
    assert not (run_directory.parent / "2").exists()


def test_one_of_a_thing_is_not_called_by_its_plural(tmp_path: Path) -> None:
    from backends.taskcluster.artifact_downloader.download import describe_placed
    from backends.taskcluster.artifact_downloader.placement import PlacementResult

    assert (
        describe_placed(PlacementResult(tmp_path, 1, 1), 3)
        == f"run 3: 1 data directory, 1 archive unpacked in {tmp_path}"
    )
    assert describe_placed(PlacementResult(tmp_path, 2), 3) == f"run 3: 2 data directories in {tmp_path}"
