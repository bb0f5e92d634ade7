"""Capsules of an embedded CI that is gone, and what the commands said while it was there."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from backends.demo import DemoOptions, DemoServer, locators
from backends.demo.submit import KEY
from backends.demo.taskcluster.service import ACCESS_TOKEN, Storage
from tests.commands.calling import as_process
from tests.commands.conftest import ciexplore, elsewhere

__all__ = ["ciexplore", "elsewhere"]

TASKS = 40
GROUP = ("taskcluster.finished-group",)
ENDED = ("--filter", "state:success")  # how long others run is counted from now on the servers
OTHERS = ("prow.job-openshift", "prow.build", "perf.push", "perf.alerts", "perf.series", "archive.repository")


@dataclass(frozen=True)
class SavedDemo:
    """`group`: a capsule of the finished group with its logs and JSON artifacts; `others`: of lists of all systems.
    `before`: stdout of each command while the servers were there. `secrets`: what must be in no capsule."""

    group: Path
    others: Path
    names: dict[str, str]
    before: dict[tuple[str, ...], bytes]
    secrets: tuple[bytes, ...]


def group_commands(names: dict[str, str]) -> list[tuple[str, ...]]:
    group, task = names["taskcluster.finished-group"], names["taskcluster.failed-task"]
    by_state = "SELECT state, count(*) AS n, sum(duration) AS seconds FROM t GROUP BY state ORDER BY state"
    return [
        ("taskcluster", "tasks", group, "--format", "csv"),
        ("taskcluster", "tasks", group, "--format", "jsonl", "--filter", "state:failed"),
        ("taskcluster", "tasks", group, "--format", "parquet", "-o", "-"),
        ("taskcluster", "list", group, "--format", "json", "--columns", "name,state,duration"),
        ("sql", by_state, "--from", f"t={group}", "--format", "csv"),
        ("pivot", group, "--rows", "suite", "--columns-of", "state", "--format", "csv"),
        ("taskcluster", "log", task),
        ("taskcluster", "log", task, "--errors"),
        ("taskcluster", "artifacts", task, "--format", "csv"),
        ("taskcluster", "measurements", group, "--format", "csv"),
        ("taskcluster", "show", names["taskcluster.artifact"]),
    ]


def other_commands(names: dict[str, str]) -> list[tuple[str, ...]]:
    return [
        ("prow", "list", names["prow.job-openshift"], "--format", "csv", *ENDED),
        ("prow", "list", names["prow.build"], "--format", "csv"),
        ("prow", "builds", names["prow.job-openshift"], "--format", "csv", *ENDED),
        ("treeherder", "list", names["perf.push"], "--format", "csv"),
        ("treeherder", "list", names["perf.alerts"], "--format", "csv"),
        ("treeherder", "list", names["perf.series"], "--format", "csv"),
        ("archives", "revisions", names["archive.repository"], "--format", "csv"),
    ]


@pytest.fixture(scope="session")
def saved_demo(tmp_path_factory: pytest.TempPathFactory) -> SavedDemo:
    """Made once; the servers have ended, and their ports may be another's."""
    directory = tmp_path_factory.mktemp("capsules")
    signatures = set[bytes]()
    sign = Storage._signature

    def remember(self: Storage, path: str, stamp: str) -> str:
        signature = sign(self, path, stamp)
        signatures.add(signature.encode())
        return signature

    with pytest.MonkeyPatch.context() as patch, DemoServer(DemoOptions(tasks=TASKS)) as server:
        patch.setattr(Storage, "_signature", remember)
        names = locators(server.options, server.settings["TASKCLUSTER_ROOT_URL"])
        home = {"CIEXPLORE_CACHE_DIR": str(directory / "cache"), "CIEXPLORE_STATE_DIR": str(directory / "state")}
        environment = {**home, "CIEXPLORE_CONFIG": str(directory / "none.toml"), **server.settings}
        group, others = directory / "group.capsule", directory / "others.capsule"
        for capsule, chosen, options in (
            (group, GROUP, ("--logs", "--artifacts", "*.json", "--note", "of the demo")),
            (others, OTHERS, ()),
        ):
            arguments = ("capsule", "create", str(capsule), *(names[name] for name in chosen), *options)
            made = as_process(*arguments, cwd=directory, extra=environment)
            assert made.code == 0, made.err
        before = {
            command: as_process(*command, cwd=directory, extra=environment).out
            for command in (*group_commands(names), *other_commands(names))
        }
    assert len(signatures) > 50
    return SavedDemo(group, others, names, before, (*sorted(signatures), ACCESS_TOKEN.encode(), KEY.encode()))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No connection is made, not even to this machine."""

    def refuse(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple):
            raise AssertionError(f"a capsule tried to reach {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert not os.environ.get("TASKCLUSTER_ROOT_URL")
    yield
