"""Which tasks and artifacts ArtifactDownloader's choices mean, and which number each task gets."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.errors import FileError, UsageError
from backends.extraction.trees import ExtractedTrees
from backends.taskcluster.artifact_downloader import Choices, PlannedFile, SelectedTask, select_tasks, suite_of
from backends.taskcluster.artifact_downloader.download import fetch_group_information, plan_files
from backends.taskcluster.artifact_downloader.placement import (
    DataFolder,
    FilledFolder,
    SourceFile,
    assign_numbers,
    fill_folder,
    read_numbers,
)
from backends.taskcluster.client import Client
from backends.transfers.files import RemoteFile
from backends.transfers.manifest import Manifest
from backends.transfers.output_directory import OutputDirectory
from backends.transfers.plan import make_plan
from backends.transfers.states import ManifestEntry
from tests.extraction.making import make_archive
from tests.taskcluster.fake_queue import GROUP, ROOT, FakeQueue, entry, task_id

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "chunk", "suite"),
    [
        ("test-linux1804-64-qr/opt-browsertime-tp6-amazon-e10s-2", None, "browsertime-tp6-amazon-e10s-2"),
        ("test-linux1804-64-qr/opt-mochitest-3", "3/16", "mochitest"),
        ("test-linux1804-64-qr/opt-raptor-tp6-7", "3/16", "raptor-tp6-7"),
        ("source-test-mozlint-yaml", None, "test-mozlint-yaml"),
        ("Gecko Decision Task", None, "Gecko Decision Task"),
        ("build-linux64/opt", None, "build-linux64/opt"),
        ("", None, ""),
    ],
)  # fmt: skip
def test_the_suite_is_what_the_original_calls_it(name: str, chunk: str | None, suite: str) -> None:
    assert suite_of(name, chunk) == suite


def listed(queue: FakeQueue, choices: Choices) -> list[PlannedFile]:
    with queue.http() as http:
        deployment = Client(http, ROOT)
        group = fetch_group_information(deployment, GROUP, CancelToken())
        tasks = select_tasks(group.frame, choices)
        return [one for batch in plan_files(deployment, GROUP, 1, tasks, choices, CancelToken()) for one in batch]


def names(queue: FakeQueue, **choices: object) -> set[str]:
    with queue.http() as http:
        group = fetch_group_information(Client(http, ROOT), GROUP, CancelToken())
    return {one.suite for one in select_tasks(group.frame, Choices(**choices))}  # type: ignore[arg-type]


@pytest.fixture
def mochitests(queue: FakeQueue) -> FakeQueue:
    def test(number: int, name: str, current: int) -> dict[str, object]:
        return entry(number, metadata={"name": name}, extra={"chunks": {"current": current, "total": 12}})

    queue.group([[
        test(1, "test-linux64/opt-mochitest-1", 1), test(2, "test-linux64/opt-mochitest-12", 12),
        test(3, "test-windows11/debug-mochitest-1", 1), test(4, "test-linux64/opt-mochitest-gpu", 0),
        entry(5, metadata={"name": "test-linux64/opt-all[1]"}), entry(6, metadata={}),
    ]])  # fmt: skip
    return queue


def test_suites_are_chosen_by_name_glob_or_regex(mochitests: FakeQueue) -> None:
    assert names(mochitests, suites=("mochitest-1",)) == {"mochitest-1"}
    assert names(mochitests, suites=("mochitest-?",)) == {"mochitest-1"}
    assert names(mochitests, suites=("mochitest-*",)) == {"mochitest-1", "mochitest-12", "mochitest-gpu"}
    assert names(mochitests, suites=("/-[0-9]+$/", "nothing")) == {"mochitest-1", "mochitest-12"}
    assert names(mochitests, suites=("all[1]",)) == {"all[1]"}
    assert len(names(mochitests, suites=("all",))) == len(names(mochitests, all_suites=True)) == 5


def test_chunks_come_together_only_when_asked(mochitests: FakeQueue) -> None:
    assert names(mochitests, suites=("mochitest",)) == set()
    assert names(mochitests, suites=("mochitest",), chunks_together=True) == {"mochitest"}
    assert names(mochitests, suites=("mochitest-12",), chunks_together=True) == {"mochitest"}


def test_a_platform_is_a_part_of_the_name_or_a_regex(mochitests: FakeQueue) -> None:
    assert names(mochitests, suites=("mochitest*",), platform="windows") == {"mochitest-1"}
    assert names(mochitests, suites=("*",), platform="/^test-(linux|mac).*opt-mochi/") == {
        "mochitest-1", "mochitest-12", "mochitest-gpu"
    }  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [{}, {"suites": ("/(/",)}, {"all_suites": True, "platform": "/[/"}, {"all_suites": True, "artifacts": ()},
     {"all_suites": True, "artifacts": ("",)}, {"all_suites": True, "separator": "|"}],
)  # fmt: skip
def test_choices_that_mean_nothing_are_refused_with_words(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Choices(**wrong)  # type: ignore[arg-type]


def artifact(name: str, **members: object) -> dict[str, object]:
    return {"name": name, "storageType": "s3", "contentType": "text/plain", "contentLength": 3, **members}


def test_two_artifacts_with_one_file_name_are_two_files(queue: FakeQueue, tmp_path: Path) -> None:
    queue.group([[entry(1)]])
    queue.task(1, [[artifact("public/a/x.json"), artifact("public/b/x.json"), artifact("public/c/y.json")]])
    wanted = listed(queue, Choices(all_suites=True, artifacts=("public",)))
    targets = [row.target for row in make_plan([one.file for one in wanted], tmp_path).rows]
    assert len(set(targets)) == 3
    assert f"{GROUP}/1/suite-1/downloads/{task_id(1)}_y.json" in targets


def test_the_first_pattern_takes_an_artifact_and_tasks_without_environment_are_no_trouble(queue: FakeQueue) -> None:
    queue.group([[entry(1), {**entry(2), "task": {}}, {"status": entry(3)["status"]}]])
    queue.task(1, [[artifact("public/perfherder-data.json"), artifact("public/data.txt")]])
    queue.task(2, [[artifact("public/data.txt")]])
    wanted = listed(queue, Choices(all_suites=True, artifacts=("perfherder", "data")))
    took = {(one.task.task_id, one.pattern, one.file.name) for one in wanted}
    assert took == {
        (task_id(1), "perfherder", "public/perfherder-data.json"), (task_id(1), "data", "public/data.txt"),
        (task_id(2), "data", "public/data.txt"), (task_id(3), "", ""),
    }  # fmt: skip


def test_artifacts_beyond_the_first_page_are_listed(queue: FakeQueue) -> None:
    import httpx

    queue.group([[entry(1)]])
    queue.task(1, [[]])

    def page(request: httpx.Request) -> httpx.Response:
        token = request.url.params.get("continuationToken")
        if token is None:
            return httpx.Response(200, json={"artifacts": [artifact("public/a")], "continuationToken": "2"})
        return httpx.Response(200, json={"artifacts": [artifact("public/b")]})

    queue.answers[f"/api/queue/v1/task/{task_id(1)}/runs/0/artifacts"] = page
    assert {one.file.name for one in listed(queue, Choices(all_suites=True, artifacts=("public",)))} == {
        "public/a", "public/b"
    }  # fmt: skip


def test_the_newest_run_with_the_artifact_is_taken_and_only_that(queue: FakeQueue) -> None:
    runs = [{"state": "exception"}, {"state": "completed"}, {"state": "exception"}]
    first = entry(1)
    first["status"]["runs"] = runs
    queue.group([[first]])
    queue.task(1, [[artifact("public/x")], [artifact("public/x")], [artifact("public/x", storageType="error")]])
    wanted = listed(queue, Choices(all_suites=True, artifacts=("x",)))
    assert [one.file.url.split("/runs/")[1][0] for one in wanted] == ["1"]


def test_a_group_whose_listing_changes_has_each_task_once(queue: FakeQueue) -> None:
    queue.group([[entry(1, state="running"), entry(2)], [entry(1)]])
    with queue.http() as http:
        group = fetch_group_information(Client(http, ROOT), GROUP, CancelToken())
    import json

    told = {one["status"]["taskId"]: one["status"]["state"] for one in json.loads(group.entries)}
    assert told == {task_id(1): "completed", task_id(2): "completed"}
    assert group.frame.height == 2


def numbers(order: list[int], known: dict[int, int], *, without: set[int] = frozenset()) -> dict[str, int]:  # type: ignore[assignment]
    files = []
    for number in order:
        task = SelectedTask(task_id(number), "", "suite", "completed", 1, NOON + timedelta(seconds=number))
        key = task.task_id
        file = RemoteFile(key=key, url="", parts=(), skip="error artifact" if number in without else "")
        files.append(
            (PlannedFile(task, "grcov", file), ManifestEntry(key, "", f"g/1/suite/downloads/{key}", "verified"))
        )
    before = {("suite", "grcov_data"): {task_id(number): place for number, place in known.items()}}
    return assign_numbers(files, Choices(all_suites=True), before if known else {}).get(("suite", "grcov_data"), {})


def test_numbers_follow_creation_and_leave_no_gap_for_tasks_without_the_artifact() -> None:
    assert numbers([3, 1, 2, 4], {}, without={2}) == {task_id(1): 0, task_id(3): 1, task_id(4): 2}


@given(st.permutations(range(8)), st.sets(st.integers(0, 7)))
def test_numbers_do_not_depend_on_the_order_and_stay(order: list[int], first: set[int]) -> None:
    early = {int(task[1:8]): place for task, place in numbers(sorted(first), {}).items()}
    late = numbers(order, early)
    assert sorted(late.values()) == list(range(8))
    assert late == numbers(sorted(order), early)
    assert {task_id(number): place for number, place in early.items()}.items() <= late.items()


def test_what_an_earlier_run_told_is_read_and_nonsense_is_not() -> None:
    found = read_numbers({
        "a": "/out/g/1/suite/grcov_data/4", "b": ["x/suite/grcov_data/0", "x/suite/other_data/1"], "c": 7, "d": [None],
        "e": "/out/g/1/suite/grcov_data/4", "f": "/../../x", "g": "a/b_data/-1", "h": "../grcov_data/2", "i": "",
    })  # fmt: skip
    assert found == {("suite", "grcov_data"): {"a": 4, "b": 0}, ("suite", "other_data"): {"b": 1}}


def fill(output: OutputDirectory, folder: DataFolder, sources: list[SourceFile]) -> FilledFolder:
    results = ExtractedTrees(output)
    filled = fill_folder(output, results, folder, sources, CancelToken())
    if filled.staged is not None:
        assert list(results.rename_into_place([filled.staged])) == []
    return filled


def test_a_damaged_archive_leaves_no_directory_and_what_was_there(tmp_path: Path) -> None:
    content = defaultdict(
        bytes, {"whole": make_archive("zip", ("a", b"1")), "cut": make_archive("zip", ("a", b"2"))[:-9]}
    )
    target = ("g", "1", "suite", "downloads", "T_x.zip")
    folder = DataFolder(("g", "1"), "suite", "x_data", 0, "T")
    path = tmp_path.joinpath(*target)
    path.parent.mkdir(parents=True)
    Manifest.open(tmp_path).close()
    data = tmp_path / "g" / "1" / "suite" / "x_data"
    with OutputDirectory(tmp_path) as output:
        source = SourceFile(target, unpacked=True, new=True, here=True)
        path.write_bytes(content["cut"])
        with pytest.raises(FileError):
            fill(output, folder, [source])
        assert list(data.iterdir()) == []
        path.write_bytes(content["whole"])
        assert fill(output, folder, [source]).names == ["a"]
        path.write_bytes(content["cut"])
        with pytest.raises(FileError):
            fill(output, folder, [source])
        assert [one.name for one in data.iterdir()] == ["0"]
        assert (data / "0" / "a").read_bytes() == b"1"


def test_several_archives_of_a_task_do_not_mix(tmp_path: Path) -> None:
    targets = [("g", "1", "s", "downloads", name) for name in ("T_a.zip", "T_b.tgz", "T_c.json")]
    Manifest.open(tmp_path).close()
    for target, content in zip(
        targets, (make_archive("zip", ("x", b"1")), make_archive("tar.gz", ("x", b"2")), b"{}"), strict=True
    ):
        path = tmp_path.joinpath(*target)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with OutputDirectory(tmp_path) as output:
        sources = [SourceFile(target, unpacked=True, new=True, here=True) for target in targets]
        filled = fill(output, DataFolder(("g", "1"), "s", "x_data", 3, "T"), sources)
    assert filled.names == ["T_a.zip/x", "T_b.tgz/x", "T_c.json"]
