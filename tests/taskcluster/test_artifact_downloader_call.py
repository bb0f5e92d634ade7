"""ArtifactDownloader's function, called by other programs as they call the original's."""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path

import httpx
import pytest

from backends.demo import DemoServer, expected_bytes
from backends.errors import UsageError
from backends.taskcluster.artifact_downloader.results import artifact_downloader, get_task_data, get_task_data_paths


def group_of(demo: dict[str, str]) -> str:
    return demo["taskcluster.finished-group"].rpartition("/")[2]


def test_parameters_are_the_originals() -> None:
    found = inspect.signature(artifact_downloader).parameters
    assert list(found) == [
        "task_group_id", "output_dir", "test_suites", "download_failures", "artifact_to_get", "unzip_artifact",
        "platform", "ingest_continue",
    ]  # fmt: skip
    defaults = {name: one.default for name, one in found.items() if name not in ("task_group_id", "output_dir")}
    assert defaults == {
        "test_suites": (), "download_failures": False, "artifact_to_get": "grcov", "unzip_artifact": True,
        "platform": "test-linux64-ccov", "ingest_continue": False,
    }  # fmt: skip


def test_it_downloads_and_returns_the_runs_directory_and_the_revision(
    demo: dict[str, str], demo_server: DemoServer, tmp_path: Path
) -> None:
    group = group_of(demo)
    run, revision = artifact_downloader(
        group,
        output_dir=str(tmp_path),
        test_suites=["all"],
        artifact_to_get=["perfherder-data"],
        unzip_artifact=False,
        platform="linux",
    )
    assert run == os.path.join(str(tmp_path), group, "1")
    entries = json.loads((Path(run) / "task-group-information.json").read_text())
    known = {entry["task"]["payload"].get("env", {}).get("GECKO_HEAD_REV") for entry in entries}
    assert revision in known - {None}
    files = list(Path(run).glob("*/perfherder-data_data/*/*+-+perfherder-data.json"))
    assert files
    for file in files:
        task = file.name.partition("+-+")[0]
        artifact = "public/test_info/perfherder-data.json"
        assert file.read_bytes() == expected_bytes(demo_server.options, task, 0, artifact)
    data = get_task_data(group, tmp_path, artifact="perfherder-data")
    assert sum(map(len, data.values())) == len(list(Path(run).glob("*/perfherder-data_data/*/*")))
    assert [] in data.values(), "suites of the platform without the artifact are there, and empty"


def test_it_unpacks_into_directories_that_begin_with_the_task_and_continues_the_last_run(
    demo: dict[str, str], demo_server: DemoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    group = group_of(demo)
    names = [
        entry["task"]["metadata"]["name"]
        for entry in httpx.get(f"{demo_server.root_url}/api/queue/v1/task-group/{group}/list").json()["tasks"]
    ]
    suites = ["-".join(name.split("/")[-1].split("-")[1:]) for name in names if "browsertime" in name]
    for _ in range(2):
        run, _ = artifact_downloader(
            group, test_suites=suites, artifact_to_get="browsertime-results", platform="", ingest_continue=True
        )
        assert Path(run) == tmp_path / group / "1"
    paths = get_task_data_paths(group, tmp_path, artifact="browsertime-results")
    found = [Path(path) for suite in paths.values() for path in suite]
    assert found
    for path in found:
        task, name = path.name.split("+-+")
        assert (name, path.is_dir()) == ("browsertime-results", True)
        assert list(path.parent.parent.parent.glob(f"downloads/{task}+-+browsertime-results.tgz"))
        assert list(path.rglob("browsertime.json"))


def test_what_could_not_be_had_is_named_in_a_warning(demo: dict[str, str], tmp_path: Path) -> None:
    with pytest.warns(RuntimeWarning, match="could not be downloaded"):
        artifact_downloader(group_of(demo), tmp_path, ["all"], artifact_to_get="public/kinds/", platform="")


def test_no_suites_are_said_to_be_none(demo: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No suite is chosen"):
        artifact_downloader(group_of(demo), tmp_path)
