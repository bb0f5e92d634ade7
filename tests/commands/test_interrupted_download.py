"""A download on the command line that is interrupted or killed: what it says, and what the next run finds and does."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path

from backends.demo import expected_sha256
from backends.transfers.manifest import Manifest
from backends.transfers.states import TransferState
from tests.commands.calling import Caller, as_process, ended, started
from tests.commands.holding import HoldingServer, until


def digests(output: Path) -> dict[str, str]:
    """Artifact file name -> SHA-256 of all that has a final name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in output.rglob("*")
        if path.is_file() and ".ciexplore" not in path.relative_to(output).parts
    }


def verified(output: Path) -> set[str]:
    """Targets that the manifest calls verified."""
    with Manifest.read(output) as manifest:
        return {
            Path(entry.target).name
            for entry in manifest.entries().values()
            if entry.state in (TransferState.VERIFIED, TransferState.UNCHANGED)
        }


def fetched(server: HoldingServer) -> list[str]:
    return [Path(path).name for path, _ in server.stored_paths()]


def test_ctrl_c_in_a_big_file_keeps_its_part_and_the_same_command_finishes_it(
    holding: HoldingServer, tmp_path: Path
) -> None:
    task = holding.locators["taskcluster.big-artifact"]
    call = ("taskcluster", "download", task, "--output", str(tmp_path / "out"))
    holding.hold(piece=4 << 20)
    running = started(*call)
    assert holding.held.wait(60)
    parts = tmp_path / "out" / ".ciexplore" / "parts"
    until(lambda: [path for path in parts.glob("*") if path.stat().st_size >= 2 << 20])
    running.send_signal(signal.SIGINT)
    stopped = ended(running)
    assert stopped.code == 130
    assert "Interrupted" in stopped.err and "1 cancelled" in stopped.err
    assert digests(tmp_path / "out") == {}, "something partial has a final name"
    kept = sum(path.stat().st_size for path in parts.iterdir())
    assert kept >= 2 << 20
    holding.let_go()
    holding.requests.clear()
    assert as_process(*call).code == 0
    assert [status for _, status in holding.stored_paths()] == [206], "fetched from its beginning again"
    task_id, run, name = task.split("/tasks/")[1].replace("/runs/", "/").split("/", 2)
    assert digests(tmp_path / "out") == {
        "target.installer.exe": expected_sha256(holding.options, task_id, int(run), name)
    }
    assert list(parts.iterdir()) == []


def test_sigterm_ends_a_download_in_order(holding: HoldingServer, tmp_path: Path) -> None:
    holding.hold(files=0)
    running = started(
        "taskcluster", "download", holding.locators["taskcluster.task"], "--output", str(tmp_path / "out")
    )
    assert holding.held.wait(60)
    running.send_signal(signal.SIGTERM)
    assert ended(running).code == 130


def test_ctrl_c_while_listing_ends_at_once_and_quietly(holding: HoldingServer) -> None:
    group = holding.locators["taskcluster.finished-group"]
    holding.stalled = True
    running = started("taskcluster", "tasks", group)
    until(lambda: holding.stalling)
    running.send_signal(signal.SIGINT)
    stopped = ended(running)
    holding.stalled = False
    assert stopped.code == 130
    assert stopped.out == b""


def test_killed_twice_every_file_is_right_and_nothing_verified_is_fetched_again(
    holding: HoldingServer, ciexplore: Caller, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    task = holding.locators["taskcluster.many-artifacts-task"]
    call = ("taskcluster", "download", task, "--match", "frame-00[0-4]??.png", "--output", str(output), "--jobs", "8")
    done: set[str] = set()
    for _ in range(2):
        holding.requests.clear()
        holding.hold(files=150)
        running = started(*call)
        assert holding.held.wait(60)
        wanted = len(done) + 100
        until(lambda wanted=wanted: output.is_dir() and len(verified(output)) >= wanted)  # type: ignore[misc]
        os.kill(running.pid, signal.SIGKILL)
        assert ended(running).code == -signal.SIGKILL
        holding.let_go()
        assert done.isdisjoint(fetched(holding)), "fetched again although it was verified"
        assert done < verified(output)
        done = verified(output)
        assert done <= set(digests(output)), "verified, and not there"
        assert len(done) < 500, "the kill came too late to mean anything"
    holding.requests.clear()
    assert ciexplore(*call).code == 0
    assert done.isdisjoint(fetched(holding)), "fetched again although it was verified"
    task_id = task.rsplit("/", 1)[1]
    assert digests(output) == {
        f"frame-{number:05}.png": expected_sha256(
            holding.options, task_id, 0, f"public/test_info/screenshots/frame-{number:05}.png"
        )
        for number in range(500)
    }
    holding.requests.clear()
    again = ciexplore(*call)
    assert again.code == 0 and "500 unchanged" in again.err
    assert fetched(holding) == []
