"""ArtifactDownloader's layout killed before each step on the disk: no half of a directory, no older data for good."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from backends.cancel import CancelToken
from backends.taskcluster.artifact_downloader import Choices, GroupInformation, PlannedFile, SelectedTask
from backends.taskcluster.artifact_downloader.placement import PlacementResult, place_files
from backends.taskcluster.task_rows import TASKS
from backends.transfers.files import RemoteFile
from backends.transfers.manifest import Manifest
from backends.transfers.states import FileResult, ManifestEntry, PendingFile, TransferState
from tests.crash_injection import KilledRuns

TASK_IDS = ("AAAAAAAAQAAAAAAAAAAAAA", "BBBBBBBBQAAAAAAAAAAAAA")
CODE = """
from pathlib import Path
from tests.taskcluster.test_artifact_downloader_killed import placed
def run(output, how):
    done = placed(Path(output), how == "unzip")
    assert not done.problems, done.problems
"""


@pytest.fixture(scope="module")
def run_killed() -> Iterator[KilledRuns]:
    with KilledRuns(CODE) as runs:
        yield runs


@functools.cache  # a zip holds the time
def archive(word: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        made.writestr("value", word)
        made.writestr(f"only_{word}", word)
    return target.getvalue()


def wanted() -> list[PlannedFile]:
    found = []
    for number, task_id in enumerate(TASK_IDS):
        created = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=number)
        task = SelectedTask(task_id, "test/opt-suite", "suite", "completed", 1, created)
        parts = ("group", "1", "suite", "downloads", f"{task_id}_results.zip")
        found.append(PlannedFile(task, "results", RemoteFile(task_id, "https://tc.example/x", parts)))
    return found


def downloaded(output: Path, word: str) -> None:
    """As a transfer leaves it that fetched these archives, and was the last thing that happened."""
    with Manifest.open(output) as manifest:
        manifest.begin_run(
            ManifestEntry(one.file.key, one.file.url, "/".join(one.file.parts), TransferState.PLANNED)
            for one in wanted()
        )
        for one in wanted():
            path, content = output.joinpath(*one.file.parts), archive(word)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name("part").write_bytes(content)
            mtime = path.with_name("part").stat().st_mtime_ns
            path.with_name("part").rename(path)
            digest = hashlib.sha256(content).hexdigest()
            manifest.record_pending([PendingFile(one.file.key, len(content), len(content), digest, mtime, 1)])
            manifest.record_results([FileResult(one.file.key, TransferState.VERIFIED)])


def seen_again(output: Path) -> None:
    """As the next transfer leaves it, which finds all files there: nothing in them says that they are newer."""
    with Manifest.open(output) as manifest:
        manifest.record_results([FileResult(one.file.key, TransferState.UNCHANGED) for one in wanted()])


def placed(output: Path, unzip: bool) -> PlacementResult:
    group = GroupInformation("group", TASKS.empty(), b"[]\n", ())
    choices = Choices(all_suites=True, artifacts=("results",), unzip=unzip)
    return place_files(output, group, 1, wanted(), choices, CancelToken())


def content(output: Path, number: int, unzip: bool) -> dict[str, bytes]:
    directory = output / "group" / "1" / "suite" / "results_data" / str(number)
    return {path.name: path.read_bytes() for path in directory.glob("*") if not path.name.startswith(".")}


def expected(word: str, number: int, unzip: bool) -> dict[str, bytes]:
    if unzip:
        return {"value": word.encode(), f"only_{word}": word.encode()}
    return {f"{TASK_IDS[number]}_results.zip": archive(word)}


@pytest.mark.parametrize("unzip", [True, False])
@pytest.mark.parametrize("has_older", [True, False])
def test_layout_killed_at_any_step_is_completed_by_the_next_run_with_the_newer_content(
    tmp_path: Path, run_killed: KilledRuns, has_older: bool, unzip: bool
) -> None:
    stride = {(True, False): 1, (True, True): 2}.get((has_older, unzip), 3)  # what replaces older data is the hard part
    for step in count(1, stride):
        output = tmp_path / str(step)
        output.mkdir()
        if has_older:
            downloaded(output, "old")
            assert placed(output, unzip).folders == 2
        downloaded(output, "new")
        killed = run_killed(str(output), "unzip" if unzip else "link", step=step)
        for number in (0, 1):
            allowed = [expected("new", number, unzip), {}, *([expected("old", number, unzip)] if has_older else [])]
            assert content(output, number, unzip) in allowed, step
        seen_again(output)
        again = placed(output, unzip)
        assert again.problems == [] and again.folders == 2, (step, again)
        run = output / "group" / "1"
        for number in (0, 1):
            assert content(output, number, unzip) == expected("new", number, unzip), step
        assert not list(run.rglob(".*")), step
        places = json.loads((run / "taskid_to_file_map.json").read_text())
        assert {task: Path(at).name for task, at in places.items()} == {TASK_IDS[0]: "0", TASK_IDS[1]: "1"}
        origins = json.loads((run / "file_to_taskid_map.json").read_text())
        assert origins.keys() == {str(path.relative_to(run)) for path in run.glob("*/**/*") if path.is_file()}, step
        if not killed:
            break
    assert step > 15


def test_data_that_the_user_changed_is_neither_replaced_nor_taken_for_an_older_download(tmp_path: Path) -> None:
    downloaded(tmp_path, "old")
    placed(tmp_path, False)
    data = tmp_path / "group" / "1" / "suite" / "results_data" / "0" / f"{TASK_IDS[0]}_results.zip"
    data.unlink()
    data.write_bytes(b"mine")
    downloaded(tmp_path, "new")
    seen_again(tmp_path)
    assert [what for what, _ in placed(tmp_path, False).problems] == ["suite/results_data/0"]
    assert data.read_bytes() == b"mine"
