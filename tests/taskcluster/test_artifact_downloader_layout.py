"""ArtifactDownloader's tree, made against a whole server: the files it would give, and none of its faults."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from backends import config
from backends.cancel import CancelToken
from backends.demo import DemoOptions, DemoServer, expected_bytes, locators
from backends.errors import UsageError
from backends.session import Session
from backends.taskcluster.artifact_downloader import Choices, placement, results
from backends.taskcluster.artifact_downloader.download import _TaskLister
from backends.transfers.manifest import Manifest
from tui.commands.artifact_downloader import download_in_layout

EVERY = Choices(all_suites=True, artifacts=("perfherder-data",))


@contextmanager
def session() -> Iterator[Session]:
    opened = Session(config.load())
    try:
        yield opened
    finally:
        opened.close()


Download = Callable[..., int]


@pytest.fixture
def download(demo: dict[str, str], tmp_path: Path) -> Download:
    def run(choices: Choices = EVERY, *, name: str = "finished-group", **options: Any) -> int:
        with session() as opened:
            locator = demo[f"taskcluster.{name}"]
            return download_in_layout(opened, locator, choices, tmp_path, cancel=CancelToken(), **options)

    return run


def group_of(demo: dict[str, str], name: str = "finished-group") -> str:
    return demo[f"taskcluster.{name}"].rpartition("/")[2]


def tree(run: Path) -> set[str]:
    return {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}


def states(output: Path) -> dict[str, int]:
    with Manifest.read(output) as manifest:
        return dict(Counter(entry.state for entry in manifest.entries().values()))


def reasons(output: Path, state: str = "skipped") -> list[str]:
    with Manifest.read(output) as manifest:
        entries = sorted(manifest.entries().values(), key=lambda entry: entry.target)
    return [entry.reason for entry in entries if entry.state == state]


# What the original would do, as the facts describe it, with nothing of ours.


def listed(root: str, group: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        url = f"{root}/api/queue/v1/task-group/{group}/list?limit=200&continuationToken={token}"
        page = httpx.get(url.removesuffix("&continuationToken=")).json()
        found += page["tasks"]
        token = page.get("continuationToken", "")
        if not token:
            return found


def originals(root: str, group: str, platform: str, suites: set[str], pattern: str) -> dict[str, str]:
    """`<suite>/downloads/<task>+-+<name>` -> task, of the latest run, failed tasks included."""
    files = {}
    for entry in listed(root, group):
        name, task = entry["task"]["metadata"]["name"], entry["status"]["taskId"]
        suite = "-".join(name.split("/")[-1].split("-")[1:])
        if platform in name and suite in suites:
            for artifact in httpx.get(f"{root}/api/queue/v1/task/{task}/artifacts").json()["artifacts"]:
                if pattern in artifact["name"]:
                    files[f"{suite}/downloads/{task}+-+{artifact['name'].rpartition('/')[2]}"] = task
    return files


def test_the_same_selection_gives_the_originals_files(
    download: Download, demo: dict[str, str], demo_server: DemoServer, tmp_path: Path
) -> None:
    group, root = group_of(demo), demo_server.root_url
    names = [entry["task"]["metadata"]["name"] for entry in listed(root, group)]
    suites = {
        "-".join(name.split("/")[-1].split("-")[1:]) for name in names if "browsertime" in name and "linux" in name
    }
    wanted = originals(root, group, "linux", suites, "perfherder-data")
    assert len(wanted) > 3
    choices = Choices(
        suites=tuple(suites), platform="linux", artifacts=("perfherder-data",), include_failed=True, separator="+-+"
    )
    assert download(choices) == 0
    run = tmp_path / group / "1"
    ours = tree(run)
    assert {name for name in ours if "/downloads/" in name} == wanted.keys()
    in_data = {(name.split("/")[0], name.split("/")[-1]) for name in ours if "/perfherder-data_data/" in name}
    assert in_data == {(name.split("/")[0], name.split("/")[-1]) for name in wanted}
    assert {name for name in ours if "/" not in name} == {
        "task-group-information.json", "taskid_to_file_map.json", "file_to_taskid_map.json", "config.json"
    }  # fmt: skip
    for name, task in wanted.items():
        artifact = "public/test_info/perfherder-data.json"
        assert (run / name).read_bytes() == expected_bytes(demo_server.options, task, 0, artifact)
    places = json.loads((run / "taskid_to_file_map.json").read_text())
    assert places.keys() == set(wanted.values())
    assert all(len(list(Path(place).iterdir())) == 1 for place in places.values())
    entries = json.loads((tmp_path / group / "task-group-information.json").read_text())
    assert {entry["status"]["taskId"] for entry in entries} == {one["status"]["taskId"] for one in listed(root, group)}
    read = results.get_task_data(group, tmp_path, artifact="perfherder-data", run_number="1")
    assert sum(len(files) for files in read.values()) == len(wanted)
    assert all(one["data"]["framework"]["name"] for files in read.values() for one in files)
    settings = json.loads((run / "config.json").read_text())
    assert settings["task_group_id"] == group and settings["artifact"] == ["perfherder-data"]


def test_the_answer_to_an_error_is_not_saved_as_the_artifact_nor_counted_as_success(
    download: Download, demo: dict[str, str], tmp_path: Path
) -> None:
    assert download(Choices(all_suites=True, artifacts=("public/kinds/",))) == 1
    files = [path for path in (tmp_path / group_of(demo)).rglob("downloads/*") if path.is_file()]
    assert files
    assert not any("error-" in path.name or "expired" in path.name or "unfinished" in path.name for path in files)
    assert not any(b'"reason"' in path.read_bytes() or b"ResourceNotFound" in path.read_bytes() for path in files)
    assert states(tmp_path)["failed"] >= 3
    assert sum("error artifact" in reason for reason in reasons(tmp_path)) == 3


def test_a_task_with_more_than_a_thousand_artifacts_is_whole(
    download: Download, demo: dict[str, str], tmp_path: Path
) -> None:
    assert download(Choices(all_suites=True, artifacts=("screenshots/frame-0000", "screenshots/frame-0120"))) == 0
    names = {path.name.rpartition("_")[2] for path in (tmp_path / group_of(demo)).rglob("downloads/*")}
    assert names == {f"frame-{number:05d}.png" for number in [*range(10), *range(1200, 1210)]}


def test_after_an_automatic_retry_the_run_that_has_the_artifact_is_taken(
    download: Download, demo: dict[str, str], tmp_path: Path
) -> None:
    task = demo["taskcluster.retried-empty-task"].rpartition("/")[2]
    assert download(Choices(all_suites=True, artifacts=("system-info.log",))) == 0
    assert list((tmp_path / group_of(demo)).rglob(f"downloads/{task}_system-info.log"))


def test_no_task_is_left_out_silently(download: Download, demo: dict[str, str], tmp_path: Path) -> None:
    assert download() == 0
    entries = json.loads((tmp_path / group_of(demo) / "task-group-information.json").read_text())
    with Manifest.read(tmp_path) as manifest:
        text = "\n".join(manifest.entries())
    assert all(entry["status"]["taskId"] in text for entry in entries)
    failed = sum(entry["status"]["state"] == "failed" for entry in entries)
    assert failed and sum("failed tasks were not asked for" in reason for reason in reasons(tmp_path)) == failed
    assert any("no artifact like perfherder-data" in reason for reason in reasons(tmp_path))


def test_failed_tasks_are_taken_when_asked_for(download: Download, demo: dict[str, str], tmp_path: Path) -> None:
    task = demo["taskcluster.failed-task"].rpartition("/")[2]
    assert download(Choices(all_suites=True, artifacts=("live_backing",), include_failed=True)) == 0
    assert list((tmp_path / group_of(demo)).rglob(f"downloads/{task}_live_backing.log"))
    assert not any("failed tasks were not" in reason for reason in reasons(tmp_path))


def test_continuing_goes_on_in_the_last_run_and_fetches_only_what_is_missing(
    download: Download, demo: dict[str, str], demo_server: DemoServer, tmp_path: Path
) -> None:
    group = tmp_path / group_of(demo)
    for foreign in ("notes", "0x1", "٣", "+7", ".hidden"):
        (group / foreign).mkdir(parents=True)
    (group / "99").write_text("a file, not a run")
    assert download() == 0
    assert download() == 0
    before = {run: tree(group / run) for run in ("1", "2")}
    assert {name for name in before["1"] if "/" in name} == {name for name in before["2"] if "/" in name}
    lost = sorted(group.glob("2/*/downloads/*"))[:3]
    for path in lost:
        path.unlink()
    linked = next(iter((group / "2").rglob("perfherder-data_data/0/*")))
    linked.unlink()
    demo_server.requests.clear()
    assert download(resume="last") == 0
    assert {run: tree(group / run) for run in ("1", "2")} == before
    asked = [one for one in demo_server.requests if "/artifacts/public/" in one.path]
    assert len(asked) == len(lost)
    assert download(resume="1") == 0
    with pytest.raises(UsageError, match="no run 5"):
        download(resume="5")


def test_continuing_when_nothing_is_there_begins_the_first_run(
    download: Download, demo: dict[str, str], tmp_path: Path
) -> None:
    assert download(resume="last") == 0
    assert (tmp_path / group_of(demo) / "1" / "config.json").is_file()


def test_a_running_groups_information_is_that_of_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    with DemoServer(DemoOptions(tasks=40), elapsed=lambda: clock[0]) as server:
        monkeypatch.setenv("TASKCLUSTER_ROOT_URL", server.root_url)
        locator = locators(server.options, server.root_url)["taskcluster.running-group"]
        group = tmp_path / locator.rpartition("/")[2]

        def states_now(resume: str | None) -> tuple[list[str], int]:
            with session() as opened:
                choices = Choices(all_suites=True, artifacts=("system-info.log",))
                assert download_in_layout(opened, locator, choices, tmp_path, cancel=CancelToken(), resume=resume) == 0
            entries = json.loads((group / "1" / "task-group-information.json").read_text())
            return [entry["status"]["state"] for entry in entries], len(list(group.glob("1/*/downloads/*")))

        first = states_now(None)
        assert any("has not run (unscheduled)" in reason for reason in reasons(tmp_path))
        numbers = json.loads((group / "1" / "taskid_to_file_map.json").read_text())
        clock[0] = 36_000.0
        second = states_now("last")
    assert second[1] > first[1]
    assert second[0].count("completed") > first[0].count("completed")
    after = json.loads((group / "1" / "taskid_to_file_map.json").read_text())
    assert {task: after[task] for task in numbers} == numbers, "a task keeps its directory"
    with Manifest.read(tmp_path) as manifest:
        told = {one.target: one.reason for one in manifest.entries().values()}
    for path in group.glob("1/*/downloads/*"):
        stand_in = str(path.relative_to(tmp_path)).removesuffix("_system-info.log")
        assert told.get(stand_in) in (None, "the task has files now")


def test_a_task_that_ran_again_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two rounds of a run the queue retried a task: readers must not see both of its runs."""
    with DemoServer(DemoOptions(tasks=30)) as server:
        monkeypatch.setenv("TASKCLUSTER_ROOT_URL", server.root_url)
        locator = locators(server.options, server.root_url)["taskcluster.finished-group"]
        task = locators(server.options, server.root_url)["taskcluster.retried-task"].rpartition("/")[2]
        choices = Choices(all_suites=True, artifacts=("live_backing",))
        with session() as opened, monkeypatch.context() as earlier:
            earlier.setattr(_TaskLister, "_run_states", lambda self: ["exception"])
            download_in_layout(opened, locator, choices, tmp_path, cancel=CancelToken())
        with session() as opened:
            assert download_in_layout(opened, locator, choices, tmp_path, cancel=CancelToken(), resume="last") == 0
        run = tmp_path / locator.rpartition("/")[2] / "1"
        assert len(list(run.glob(f"*/downloads/{task}_*"))) == 2
        (left,) = run.glob(f"*/live_backing_data/*/{task}_*")
        artifact = "public/logs/live_backing.log"
        assert left.read_bytes() == expected_bytes(server.options, task, 1, artifact)
        origins = json.loads((run / "file_to_taskid_map.json").read_text())
        assert origins.keys() == {name for name in tree(run) if "/" in name}


def test_with_unzip_the_content_takes_the_place_of_the_archive(
    download: Download, demo: dict[str, str], tmp_path: Path
) -> None:
    choices = Choices(suites=("browsertime-*",), artifacts=("browsertime-results",), unzip=True)
    assert download(choices) == 0
    run = tmp_path / group_of(demo) / "1"
    tops = list(run.glob("*/browsertime-results_data/*"))
    assert tops and all((top / "browsertime-results" / "site-1" / "browsertime.json").is_file() for top in tops)
    origins = json.loads((run / "file_to_taskid_map.json").read_text())
    assert origins.keys() == {name for name in tree(run) if "/" in name}
    removed = tops[0] / "browsertime-results" / "screenshot.png"
    removed.unlink()
    assert download(choices, resume="last") == 0
    assert not removed.exists(), "what is there is not unpacked again"


def test_hostile_archives_and_names_stay_in_their_directory(
    download: Download, demo: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "escaped.txt").write_text("mine")
    everything = Choices(all_suites=True, artifacts=(".zip", ".gz", "public", "/"), unzip=True, include_failed=True)
    assert download(everything, name="hostile-group") in (0, 1)
    group = group_of(demo, "hostile-group")
    assert {path.name for path in tmp_path.iterdir()} == {"escaped.txt", ".ciexplore", group}
    assert (tmp_path / "escaped.txt").read_text() == "mine"
    assert not [path for path in tmp_path.rglob("*") if path.is_symlink()]
    assert not Path("/tmp/ciexplore-absolute.txt").exists()


def test_a_dry_run_writes_nothing(download: Download, tmp_path: Path) -> None:
    assert download(dry=True) == 0
    assert list(tmp_path.iterdir()) == []


def test_data_files_are_copies_where_links_cannot_be(
    download: Download, demo: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(1, "Operation not permitted")

    assert download(Choices(suites=("browsertime-*",), artifacts=("perfherder-data",))) == 0
    monkeypatch.setattr(placement.os, "link", refuse)
    assert download(Choices(suites=("browsertime-*",), artifacts=("perfherder-data",))) == 0
    group = tmp_path / group_of(demo)
    for path in (group / "2").rglob("perfherder-data_data/*/*"):
        same = group / "1" / path.relative_to(group / "2")
        assert path.read_bytes() == same.read_bytes()
        assert path.stat().st_nlink == 1 and same.stat().st_nlink == 2


def test_a_data_file_that_someone_changed_is_not_overwritten(
    download: Download, demo: dict[str, str], tmp_path: Path
) -> None:
    assert download() == 0
    changed = next(iter((tmp_path / group_of(demo) / "1").rglob("perfherder-data_data/0/*")))
    changed.unlink()
    changed.write_text("mine")
    assert download(resume="last") == 1
    assert changed.read_text() == "mine"


def test_a_link_planted_in_the_tree_is_not_followed(
    download: Download, demo: dict[str, str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert download() == 0
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    data = next(iter((tmp_path / group_of(demo) / "1").rglob("perfherder-data_data")))
    data.rename(elsewhere / "kept")
    data.symlink_to(elsewhere)
    assert download(resume="last") == 1
    assert {path.name for path in elsewhere.iterdir()} == {"kept"}


def test_with_faults_every_file_is_accounted_for_and_a_second_run_gets_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DemoServer(DemoOptions(tasks=40, fault=0.05), stall_seconds=0.05) as server:
        monkeypatch.setenv("TASKCLUSTER_ROOT_URL", server.root_url)
        locator = locators(server.options, server.root_url)["taskcluster.finished-group"]
        choices = Choices(all_suites=True, artifacts=("system-info", "resource-usage"))
        codes = []
        for resume in (None, "last", "last"):
            with session() as opened:
                codes.append(
                    download_in_layout(opened, locator, choices, tmp_path, cancel=CancelToken(), resume=resume)
                )
            told = states(tmp_path)
            assert told.keys() <= {"verified", "unchanged", "failed", "skipped"}
        assert codes[-1] == 0
        assert told.keys() == {"unchanged", "skipped"}
        assert all(path.stat().st_nlink == 2 for path in tmp_path.rglob("downloads/*"))


def test_a_locator_of_a_task_and_a_suite_that_is_not_there_are_said(download: Download) -> None:
    with pytest.raises(UsageError, match="for task groups"):
        download(name="task")
    with pytest.raises(UsageError) as caught:
        download(Choices(suites=("no-such-suite",), artifacts=("x",)))
    assert "suites, e.g." in caught.value.hint
