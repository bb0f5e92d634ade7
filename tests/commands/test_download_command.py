"""`taskcluster download`: what arrives, what is said of what does not, and what nobody may find afterwards."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.demo import DemoOptions, DemoServer, expected_sha256, locators
from tests.commands.calling import Caller, has_signature
from tests.transfers.conftest import Runner, engine, file, runner, site
from tests.transfers.site import Site

__all__ = ["engine", "runner", "site"]  # fixtures


def files(output: Path) -> dict[str, Path]:
    """Artifact name below `public/` (or its like) -> file; the four levels above are group, task, id and run."""
    return {
        "/".join(path.relative_to(output).parts[4:]): path
        for path in output.rglob("*")
        if path.is_file() and ".ciexplore" not in path.parts
    }


def test_a_dry_run_shows_the_plan_and_writes_nothing(ciexplore: Caller, demo: dict[str, str], tmp_path: Path) -> None:
    done = ciexplore(
        "taskcluster", "download", demo["taskcluster.task"], "--match", "*.json", "--output", "out", "--dry-run"
    )
    assert done.code == 0
    assert "perfherder-data.json" in done.text and "files to fetch" in done.err
    assert list(tmp_path.iterdir()) == []


def test_files_arrive_whole_and_a_second_run_fetches_none(
    ciexplore: Caller, demo: dict[str, str], demo_server: DemoServer, tmp_path: Path
) -> None:
    task = demo["taskcluster.task"]
    call = ("taskcluster", "download", task, "--match", "*.json", "--match", "!resource*", "--output", "out")
    assert ciexplore(*call).code == 0
    found = files(tmp_path / "out")
    assert found and not any("/resource" in name for name in found)
    for name, path in found.items():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert digest == expected_sha256(demo_server.options, task.rsplit("/", 1)[1], 0, name)
    before = len(demo_server.requests)
    again = ciexplore(*call)
    assert again.code == 0 and f"{len(found)} unchanged" in again.err
    assert not [one for one in list(demo_server.requests)[before:] if one.path.startswith("/pub/")]


def test_one_artifact_s_locator_downloads_that_one(ciexplore: Caller, demo: dict[str, str], tmp_path: Path) -> None:
    assert ciexplore("taskcluster", "download", demo["taskcluster.artifact"], "--output", "out").code == 0
    assert list(files(tmp_path / "out")) == ["public/test_info/perfherder-data.json"]


def test_the_filter_chooses_the_tasks_of_a_group(ciexplore: Caller, demo: dict[str, str], tmp_path: Path) -> None:
    group, chosen = demo["taskcluster.finished-group"], ("--filter", "suite:talos-tp5o")
    tasks = {row["task_id"] for row in ciexplore("taskcluster", "tasks", group, *chosen).rows}
    done = ciexplore("taskcluster", "download", group, *chosen, "--match", "*.json", "--output", "out")
    assert done.code == 0
    assert {path.relative_to(tmp_path / "out").parts[2] for path in files(tmp_path / "out").values()} == tasks


def test_what_cannot_be_had_is_listed_with_its_reason_and_nothing_secret_stays(
    ciexplore: Caller, demo: dict[str, str], own_directories: Path, tmp_path: Path
) -> None:
    call = ("taskcluster", "download", demo["taskcluster.artifact-kinds-task"], "--output", "out")
    done = ciexplore(*call)
    assert done.code == 1
    for name, reason in (
        ("secret.txt", "http-403"),
        ("gone-from-storage.bin", "http-404"),
        ("expired.bin", "http-410"),
    ):
        assert [line for line in done.err.splitlines() if name in line and reason in line], name
    got = files(tmp_path / "out")
    assert {"public/kinds/link.log", "public/kinds/empty.txt", "public/kinds/object.bin"} <= set(got)
    assert not any("expired" in name or "error-" in name for name in got)
    for directory in (tmp_path, own_directories):
        for path in directory.rglob("*"):
            if path.is_file() and path not in got.values():
                assert not has_signature(path.read_bytes()), path


def test_hostile_names_stay_inside_the_directory(ciexplore: Caller, demo: dict[str, str], tmp_path: Path) -> None:
    done = ciexplore(
        "taskcluster", "download", demo["taskcluster.hostile-group"], "--filter", "artifact-names", "--output", "out"
    )
    assert done.code in (0, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert "\x1b" not in done.err and "\u202e" not in done.err
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_symlink()]
    plan = ciexplore("taskcluster", "download", demo["taskcluster.hostile-group"], "--output", "other", "--dry-run")
    assert not any(sign in plan.text for sign in ("\x1b", "\x00", "\u202e"))


def test_a_file_of_the_user_s_own_is_not_replaced_unasked(
    ciexplore: Caller, demo: dict[str, str], tmp_path: Path
) -> None:
    call = ("taskcluster", "download", demo["taskcluster.artifact"], "--output", "out")
    assert ciexplore(*call).code == 0
    mine = next(iter(files(tmp_path / "out").values()))
    wanted = mine.read_bytes()
    subprocess.run(["rm", "-r", str(tmp_path / "out" / ".ciexplore")], check=True)
    mine.write_text("mine")
    refused = ciexplore(*call)
    assert refused.code == 1 and "exists" in refused.err
    assert mine.read_text() == "mine"
    assert ciexplore(*call, "--overwrite").code == 0
    assert mine.read_bytes() == wanted


def test_a_damaged_file_is_found_by_rehash_and_fetched_again(
    ciexplore: Caller, demo: dict[str, str], tmp_path: Path
) -> None:
    call = ("taskcluster", "download", demo["taskcluster.artifact"], "--output", "out")
    ciexplore(*call)
    mine = next(iter(files(tmp_path / "out").values()))
    whole, times = mine.read_bytes(), mine.stat()
    mine.write_bytes(bytes(len(whole)))
    os.utime(mine, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert ciexplore(*call, "--rehash").code == 0
    assert mine.read_bytes() == whole


def test_nothing_to_download_is_wrong_usage(ciexplore: Caller, demo: dict[str, str], tmp_path: Path) -> None:
    done = ciexplore("taskcluster", "download", demo["taskcluster.task"], "--match", "nosuch", "--output", "out")
    assert done.code == 2 and "--match" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("output", ["taken", "taken/deeper"])
def test_a_file_where_the_directory_should_be_is_one_sentence(
    ciexplore: Caller, demo: dict[str, str], tmp_path: Path, output: str
) -> None:
    (tmp_path / "taken").write_text("mine")
    done = ciexplore("taskcluster", "download", demo["taskcluster.task"], "--output", output)
    assert done.code == 1
    assert "Cannot write into" in done.err
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False
    ) if os.geteuid() == 0 else None  # fmt: skip
    if mounted is None or mounted.returncode:
        pytest.skip("needs root and the right to mount a small file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_said_once_and_the_run_goes_on_when_there_is_room(
    ciexplore: Caller, demo: dict[str, str], small_disk: Path
) -> None:
    frames = ("--match", "frame-00[0-3]??.png", "--output", str(small_disk / "out"))
    call = ("taskcluster", "download", demo["taskcluster.many-artifacts-task"], *frames)
    done = ciexplore(*call)
    assert done.code == 1
    assert done.err.count("is full") == 1 and len(done.err.splitlines()) < 10, done.err
    for path in files(small_disk / "out").values():
        assert path.stat().st_size > 0
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert ciexplore(*call).code == 0


def test_a_server_that_often_fails_is_asked_until_all_is_there(
    ciexplore: Caller, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = DemoOptions(tasks=20, fault=0.1)
    with DemoServer(options, stall_seconds=0.1) as server:
        monkeypatch.setenv("TASKCLUSTER_ROOT_URL", server.root_url)
        names = locators(options, server.root_url)
        assert len(ciexplore("taskcluster", "tasks", names["taskcluster.finished-group"]).rows) == 20
        call = ("taskcluster", "download", names["taskcluster.task"], "--match", "*.json", "--output", "out")
        assert ciexplore(*call).code == 0
    task_id = names["taskcluster.task"].rsplit("/", 1)[1]
    for name, path in files(tmp_path / "out").items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == expected_sha256(options, task_id, 0, name)


def test_two_runs_into_one_directory_are_kept_apart(ciexplore: Caller, demo: dict[str, str], tmp_path: Path) -> None:
    from backends.transfers.manifest import Manifest

    with Manifest.open(tmp_path / "out"):
        done = ciexplore("taskcluster", "download", demo["taskcluster.task"], "--output", "out")
    assert done.code == 1 and f"process {os.getpid()}" in done.err


def test_a_listing_can_be_downloaded_as_json_lines_of_locators(ciexplore: Caller, demo: dict[str, str]) -> None:
    """What one command prints the next one takes."""
    rows = ciexplore("taskcluster", "tasks", demo["taskcluster.finished-group"], "--format", "jsonl").out.splitlines()
    task_id = json.loads(rows[0])["task_id"]
    assert ciexplore("taskcluster", "artifacts", task_id).code == 0


def test_no_note_about_a_file_is_left_out_in_silence(
    site: Site, runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 27 files whose digests are not the ones that the server named, 20 are listed and 7 counted."""
    from tui.commands.download import _print_result

    files = [file(site, f"/{number}") for number in range(27)]
    for one in files:
        site.add(one.key, b"content", digest=f"sha-256={base64.b64encode(bytes(32)).decode()}")
    transfer = runner.start(*files)
    assert transfer.wait(30)
    assert _print_result(transfer, runner.output, interrupted=False) == 0
    told = capsys.readouterr().err
    assert told.count("note: ") == 20 and "7 more such notes" in told
