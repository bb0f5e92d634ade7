"""A symbolic link planted at any path that a run writes: refused in words, never followed, never a crash."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from backends.cancel import CancelToken
from backends.errors import FileError
from backends.extraction.extractor import extract_downloads
from backends.transfers.output_directory import part_name
from tests.extraction.test_unpacked_downloads import zipped
from tests.taskcluster import test_artifact_downloader_killed as layout
from tests.transfers.conftest import Runner, ends, file
from tests.transfers.site import Site

CONTENT = zipped(name="content")
OWN = [
    ".ciexplore",
    ".ciexplore/manifest.sqlite",
    ".ciexplore/manifest.sqlite-wal",
    ".ciexplore/manifest.sqlite-shm",
    ".ciexplore/manifest.sqlite-journal",
    ".ciexplore/lock",
    ".ciexplore/parts",
]
WRITTEN = [*OWN, ".ciexplore/parts/" + part_name("/a.zip"), "group", "group/a.zip"]


class Victim:
    """What links lead to: a directory with a file in it, a file, or nothing. Nothing of it may change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "directory").mkdir(parents=True)
        (path / "directory" / "a.zip").write_bytes(b"theirs")
        (path / "file").write_bytes(b"theirs")
        self.before = self._look()

    def _look(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() if path.is_file() else b"" for path in sorted(self.path.rglob("*"))}

    def check(self) -> None:
        assert self._look() == self.before


@pytest.fixture
def victim(tmp_path: Path) -> Victim:
    return Victim(tmp_path / "victim")


def plant(path: Path, leads_to: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(leads_to)


@pytest.mark.parametrize("leads_to", ["directory", "file", "nothing"])
@pytest.mark.parametrize("planted", WRITTEN)
def test_a_download_writes_through_no_planted_link_and_says_so(
    site: Site, runner: Runner, victim: Victim, planted: str, leads_to: str
) -> None:
    site.add("/a.zip", CONTENT)
    plant(runner.output / planted, victim.path / leads_to)
    try:
        transfer = runner.start(file(site, "/a.zip"))
    except FileError as problem:
        assert planted in OWN and "symbolic link" in str(problem)
    else:
        assert transfer.wait(20)
        assert ends(transfer)["/a.zip"][0] == "failed"
        assert "symbolic link" in transfer.frame()["detail"][0]
    victim.check()
    if "parts/" not in planted:  # a part is ours: the link by its name goes, and the next run succeeds
        assert (runner.output / planted).is_symlink()


UNPACKED = [".ciexplore/unpacked.json", "group/a.zip.unpacked"]


@pytest.mark.parametrize("leads_to", ["directory", "file", "nothing"])
@pytest.mark.parametrize("planted", [*OWN, "group", *UNPACKED])
def test_unpacking_writes_through_no_planted_link_and_says_so(
    site: Site, runner: Runner, victim: Victim, planted: str, leads_to: str
) -> None:
    site.add("/a.zip", CONTENT)
    assert runner.run(file(site, "/a.zip")) == {"/a.zip": ("verified", "")}
    moved = runner.output / planted
    if moved.exists():
        moved.rename(runner.output.parent / "was")
    plant(moved, victim.path / leads_to)
    try:
        told = extract_downloads(runner.output, None, CancelToken())
    except FileError as problem:
        assert "symbolic link" in str(problem)
    else:
        assert told.unpacked == 0
        assert len(told.problems) == 1
    victim.check()
    assert moved.is_symlink()
    assert not (runner.output / "group" / "a.zip.unpacked").is_dir() or leads_to == "directory"


RUN = "group/1"
LAYOUT = [
    ".ciexplore/unpacked.json",
    "group/task-group-information.json",
    f"{RUN}/task-group-information.json",
    f"{RUN}/taskid_to_file_map.json",
    f"{RUN}/file_to_taskid_map.json",
    f"{RUN}/config.json",
    "group",
    RUN,
    f"{RUN}/suite",
    f"{RUN}/suite/results_data",
    f"{RUN}/suite/results_data/0",
    f"{RUN}/suite/results_data/0/{layout.TASK_IDS[0]}_results.zip",
]


@pytest.mark.parametrize("unzip", [True, False])
@pytest.mark.parametrize("leads_to", ["directory", "file", "nothing"])
@pytest.mark.parametrize("planted", LAYOUT)
def test_the_layout_writes_through_no_planted_link_and_says_so(
    tmp_path: Path, victim: Victim, planted: str, leads_to: str, unzip: bool
) -> None:
    output = tmp_path / "out"
    output.mkdir()
    layout.downloaded(output, "new")
    moved = output / planted
    if moved.exists():
        moved.rename(tmp_path / "was")
    if unzip and planted.endswith(".zip"):
        pytest.skip("unpacked, there is no such file")
    plant(moved, victim.path / leads_to)
    try:
        placed = layout.placed(output, unzip)
    except FileError as problem:
        assert "symbolic link" in str(problem)
    else:
        assert placed.problems
        assert all("symbolic link" in why for _, why in placed.problems)
    victim.check()
    assert moved.is_symlink()


def test_reading_a_manifest_follows_no_planted_link(site: Site, runner: Runner, tmp_path: Path) -> None:
    site.add("/a.zip", CONTENT)
    runner.run(file(site, "/a.zip"))
    own = runner.output / ".ciexplore"
    (own / "manifest.sqlite").rename(tmp_path / "elsewhere.sqlite")
    (own / "manifest.sqlite").symlink_to(tmp_path / "elsewhere.sqlite")
    before = hashlib.sha256((tmp_path / "elsewhere.sqlite").read_bytes()).digest()
    with pytest.raises(FileError, match="symbolic link"):
        runner.plan(file(site, "/a.zip"))
    assert hashlib.sha256((tmp_path / "elsewhere.sqlite").read_bytes()).digest() == before
    assert sorted(os.listdir(tmp_path)) == ["elsewhere.sqlite", "out"]
