"""A run killed at any moment: what the next one finds and does, with real processes and kill -9."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from itertools import count
from pathlib import Path

import pytest

from backends.transfers import recorder
from backends.transfers.manifest import Manifest
from backends.transfers.output_directory import OutputDirectory
from backends.transfers.recorder import WORTH_RESUMING
from backends.transfers.states import PRESENT_STATES, PlanAction
from tests.crash_injection import KilledRuns
from tests.transfers.conftest import Runner, ends, file
from tests.transfers.site import Site, stall

RUN = """
import json, sys
from pathlib import Path
from backends.http import Http
from backends.transfers import recorder
from backends.transfers.transfer import Transfer
from backends.transfers.files import RemoteFile
from backends.transfers.plan import make_plan
recorder.BATCH_SIZE = 20
base, paths, output, engine = json.load(sys.stdin)
files = [RemoteFile(path, base + path, ("group", path.strip("/"))) for path in paths]
http = Http()
settings = http.downloader_settings() if engine == "libcurl" else None
transfer = Transfer(make_plan(files, Path(output)), open_downloader=http.downloader, settings=settings, jobs=4)
transfer.start()
transfer.wait()
print(transfer.snapshot().failed)
"""


def launch(site: Site, runner: Runner, paths: list[str]) -> subprocess.Popen[str]:
    running = subprocess.Popen([sys.executable, "-c", RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert running.stdin is not None
    running.stdin.write(json.dumps([site.base, paths, str(runner.output), runner.engine]))
    running.stdin.close()
    running.stdin = None
    return running


def kill(running: subprocess.Popen[str]) -> None:
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert running.stdout is not None
    running.stdout.close()


def verified(runner: Runner) -> set[str]:
    with Manifest.read(runner.output) as manifest:
        return {key for key, entry in manifest.entries().items() if entry.state in ("verified", "unchanged")}


def test_killed_twice_then_finished_every_file_is_right_and_nothing_verified_came_twice(
    site: Site, runner: Runner
) -> None:
    paths = [f"/{number:03}" for number in range(500)]
    for number, path in enumerate(paths):
        site.add(path, hashlib.sha512(path.encode()).digest() * (1 + number % 40))
    done: set[str] = set()
    for _ in range(2):
        before = len(site.requests)
        running = launch(site, runner, paths)
        site.wait_for(lambda before=before: len(site.requests) >= before + 150)  # type: ignore[misc]
        waited = 0
        while not done < verified(runner):
            assert (waited := waited + 1) < 5000
            threading.Event().wait(0.002)
        kill(running)
        for name in runner.everything():
            path = "/" + Path(name).name
            assert runner.read(name) == site.bodies[path], "a final name with the wrong bytes"
        assert not set(site.counts()) & done, "fetched again although it was verified"
        assert done < verified(runner), "the kill came before anything was recorded"
        done = verified(runner)
        site.requests.clear()
        rows = runner.plan(*(file(site, path) for path in paths)).rows
        rest = {row.file.key for row in rows if row.action is not PlanAction.UNCHANGED}
        assert rest and rest.isdisjoint(done)
    finished = launch(site, runner, paths)
    said, _ = finished.communicate(timeout=60)
    assert said == "0\n" and finished.returncode == 0
    assert not set(site.counts()) & done, "fetched again although it was verified"
    assert verified(runner) == set(paths)
    assert {name: hashlib.sha256(runner.read(name)).digest() for name in runner.everything()} == {
        f"group{path}": hashlib.sha256(site.bodies[path]).digest() for path in paths
    }
    assert runner.parts() == []


def test_big_file_goes_on_where_the_kill_stopped_it(site: Site, runner: Runner) -> None:
    release = threading.Event()
    body = os.urandom(WORTH_RESUMING) * 3
    site.add("/a", body, stall(2 * WORTH_RESUMING, release))
    running = launch(site, runner, ["/a"])
    waited = 0
    while runner.plan(file(site, "/a")).rows[0].have < 2 * WORTH_RESUMING:
        assert (waited := waited + 1) < 5000
        threading.Event().wait(0.002)
    kill(running)
    release.set()
    assert runner.run(file(site, "/a")) == {"/a": ("verified", "")}
    assert site.last("/a")["range"] == f"bytes={2 * WORTH_RESUMING}-" and runner.read("group/a") == body


class Killed(BaseException):
    """Stands for the end of the process: nothing after it runs."""


@pytest.mark.parametrize("moment", ["sync", "record_pending", "first put", "last put", "directories", "record_results"])
def test_kill_between_any_two_steps_of_a_commit_costs_no_second_fetch(
    site: Site, runner: Runner, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    paths = [f"/{number}" for number in range(6)]
    for path in paths:
        site.add(path, path.encode() * 1000)
    files = [file(site, path) for path in paths]
    puts = 0

    def die(*_: object) -> None:
        raise Killed

    put = OutputDirectory.rename_part

    def dying_put(self: OutputDirectory, *wanted: object) -> None:
        nonlocal puts
        put(self, *wanted)  # type: ignore[arg-type]
        puts += 1
        if puts == (1 if moment == "first put" else len(paths)):
            raise Killed

    with monkeypatch.context() as patched:
        # One batch, so that "the last put" is one; the recorder's thread dies as the process would.
        patched.setattr(recorder, "BATCH_DELAY", 30.0)
        patched.setattr("threading.excepthook", lambda *_: None)
        if moment == "sync":
            patched.setattr(recorder, "sync_files", die)
        elif moment == "directories":
            patched.setattr(recorder, "sync_directories", die)
        elif "put" in moment:
            patched.setattr(OutputDirectory, "rename_part", dying_put)
        else:
            patched.setattr(Manifest, moment, die)
        transfer = runner.start(*files)
        assert transfer.wait(20)
        runner.transfers.clear()
    for name in runner.everything():
        assert runner.read(name) == site.bodies["/" + Path(name).name]
    site.requests.clear()
    again = runner.start(*files)
    assert again.wait(20)
    assert {state for state, _ in ends(again).values()} <= {"verified", "unchanged"}
    assert {runner.read(name) for name in runner.everything()} == set(site.bodies.values())
    if moment not in ("sync", "record_pending"):
        assert site.requests == [], "recorded as whole, and fetched again"


STEPS = """
from pathlib import Path
import backends.http.httpx_loader
from backends.http import Http
from backends.transfers.transfer import Transfer
from backends.transfers.files import RemoteFile
from backends.transfers.plan import make_plan
def run(base, output, size, engine):
    files = [RemoteFile(path, base + path, ("group", path.strip("/")), size=int(size)) for path in ("/a", "/b")]
    with Http() as http:
        settings = http.downloader_settings() if engine == "libcurl" else None
        transfer = Transfer(make_plan(files, Path(output)), open_downloader=http.downloader, settings=settings, jobs=1)
        transfer.start()
        transfer.wait()
        assert not transfer.snapshot().failed, transfer.frame()
"""


@pytest.mark.parametrize("has_older", [False, True])
def test_killed_before_any_step_on_the_disk_the_next_run_ends_with_the_newer_files(
    site: Site, tmp_path: Path, has_older: bool, engine: str
) -> None:
    steps, old, new = 0, b"the older content", b"new"
    with KilledRuns(STEPS) as run_killed:
        for step in count(1):
            output = tmp_path / str(step)
            if has_older:
                site.add("/a", old)
                site.add("/b", old)
                run_killed(site.base, str(output), str(len(old)), engine)
            site.add("/a", new)
            site.add("/b", new)
            killed = run_killed(site.base, str(output), str(len(new)), engine, step=step)
            there = {path.name: path.read_bytes() for path in output.glob("group/*")}
            assert set(there.values()) <= {old, new}, (step, there)
            run_killed(site.base, str(output), str(len(new)), engine)
            assert {path.name: path.read_bytes() for path in output.glob("group/*")} == {"a": new, "b": new}, step
            assert list((output / ".ciexplore" / "parts").iterdir()) == [], step
            with Manifest.read(output) as manifest:
                entries = manifest.entries().values()
            digest = hashlib.sha256(new).hexdigest()
            assert {(one.state in PRESENT_STATES, one.sha256) for one in entries} == {(True, digest)}, step
            if not killed:
                break
            steps += 1
    assert steps >= 8
