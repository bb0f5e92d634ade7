"""Is the child process the same CI, and does it end whenever it should?"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from backends.demo import DemoOptions, DemoProcess, DemoServer, locators
from backends.demo.process import DemoStartError
from backends.demo.taskcluster.fixtures import Fixtures
from backends.demo.treeherder import service
from backends.demo.treeherder.service import TreeherderData
from backends.errors import UsageError
from tui.commands.demo import demo as demo_command

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def listing(root_url: str, options: DemoOptions) -> bytes:
    group_id = locators(options)["taskcluster.finished-group"].rsplit("/", 1)[1]
    return httpx.get(f"{root_url}/api/queue/v1/task-group/{group_id}/list?limit=200").content


def test_two_processes_serve_the_same_bytes_and_another_seed_others() -> None:
    options = DemoOptions(tasks=300)
    with DemoProcess(options) as child, DemoServer(options) as here:
        assert listing(child.root_url, options) == listing(here.root_url, options)
        graph = "/api/queue/v1/task/{}/runs/0/artifacts/public/task-graph.json"
        decision = locators(options)["taskcluster.finished-group"].rsplit("/", 1)[1]
        answers = [
            httpx.get(server.root_url + graph.format(decision), follow_redirects=True) for server in (child, here)
        ]
        assert answers[0].content == answers[1].content
        assert answers[0].headers["etag"] == answers[1].headers["etag"]
    assert locators(options) != locators(DemoOptions(tasks=300, seed=1))


def test_the_child_ends_when_its_parent_is_killed() -> None:
    script = (
        "import time\nfrom backends.demo import DemoOptions, DemoProcess\n"
        "child = DemoProcess(DemoOptions(tasks=20))\nchild.start()\n"
        "print(child.root_url, flush=True)\ntime.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as parent:
        assert parent.stdout is not None
        root_url = parent.stdout.readline().strip()
        assert httpx.get(root_url).status_code == 200
        host, port = root_url.removeprefix("http://").split(":")
        # An open connection ends with the process at its other end: no pid to watch, no waiting by the clock.
        with socket.create_connection((host, int(port)), timeout=20) as held:
            parent.kill()
            parent.wait()
            assert held.recv(1) == b"", "the demo outlived its parent"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_ends_well(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "ciexplore", "demo", "--serve", "--tasks", "20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as demo:
        assert demo.stdout is not None
        line = demo.stdout.readline()
        found = re.fullmatch(r"export TASKCLUSTER_ROOT_URL=(http://127\.0\.0\.1:\d+)\n", line)
        assert found, line
        assert httpx.get(found[1]).status_code == 200
        demo.send_signal(number)
        assert demo.wait(20) == 0


def test_a_taken_port_is_said_in_words() -> None:
    with DemoServer(DemoOptions(tasks=20)) as server:
        port = int(server.root_url.rsplit(":", 1)[1])
        child = DemoProcess(DemoOptions(tasks=20, port=port))
        with pytest.raises(DemoStartError, match=f"Port {port} cannot be used"):
            child.start()


def test_locators_are_one_json_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TASKCLUSTER_ROOT_URL", raising=False)
    groups = [json.loads(CliRunner().invoke(demo_command, ["--locators"]).stdout)["taskcluster.finished-group"]]
    monkeypatch.setenv("TASKCLUSTER_ROOT_URL", "http://127.0.0.1:4321")
    groups.append(json.loads(CliRunner().invoke(demo_command, ["--locators"]).stdout)["taskcluster.finished-group"])
    assert groups[0].startswith("taskcluster:group/")
    assert groups[1].startswith("http://127.0.0.1:4321/tasks/groups/")


@pytest.mark.parametrize("wrong", [{"tasks": 3}, {"fault": 2.0}, {"latency_ms": -1.0}, {"port": 70000}])
def test_impossible_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        DemoOptions(**wrong)


def test_a_warm_server_has_made_what_the_app_asks_treeherder_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Benchmarks of the app run beside it: making Treeherder's jobs takes a second of processor time."""
    made: list[object] = []

    class Counted(TreeherderData):
        def __init__(self, fixtures: Fixtures) -> None:
            made.append(fixtures)
            super().__init__(fixtures)

    monkeypatch.setattr(service, "TreeherderData", Counted)
    with DemoServer(DemoOptions(tasks=300)) as server:
        server.warm()
        assert len(made) == 1
        url = f"{server.settings['CIEXPLORE_TREEHERDER_URL']}/api/project/autoland/push/?count=1"
        assert httpx.get(url).json()["results"]
    assert len(made) == 1
