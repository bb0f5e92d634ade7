"""A system that another package brings has a pane: its key, home screen, list with chart and detail, footer."""

from __future__ import annotations

import functools
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.calling import ROOT, environment

TOY = ROOT / "tests" / "core" / "toy"
# In a process of its own: which panes there are is decided when the app is imported.
WALK = """
import asyncio, json, sys
from backends import config
from backends.session import Session
from tests.driving import loaded, screen_text, shown_view, status, until, view
from tui.app import Explorer

async def walk(locator):
    screens = []
    session = Session(config.load())
    app = Explorer(session)
    async with app.run_test(size=(200, 50), notifications=True) as pilot:
        await pilot.press("f8")
        await until(pilot, lambda: app.query("#toy"))
        screens.append(screen_text(app))
        app.focused.value = locator
        await pilot.press("enter")
        await until(pilot, lambda: view(app) is not None and loaded(app))
        await until(pilot, lambda: "⣤" in screen_text(app))
        screens.append(screen_text(app))
        await pilot.press("G", "enter")
        await until(pilot, lambda: loaded(app) and shown_view(app).resource.noun[0] == "log")
        screens.append(screen_text(app))
        await pilot.press("question_mark", "slash", *"toy")
        await pilot.pause()
        screens.append(screen_text(app))
        app.leave()
    session.close()
    print(json.dumps(screens))

asyncio.run(walk(sys.argv[1]))
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    root = tmp_path / "served"
    root.mkdir()
    builds = [
        {"number": n, "state": "failed" if n == 7 else "passed", "began": 1795115238 + n, "ended": 1795115300 + 3 * n}
        for n in (5, 6, 7)
    ]
    (root / "builds-main.json").write_text(json.dumps(builds))
    (root / "logs-7.json").write_text(json.dumps([{"name": "a.log", "size": 6}]))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=root)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()


def test_its_pane_works_as_those_of_the_built_in_systems(server: str, tmp_path: Path) -> None:
    info = tmp_path / "site" / "ciexplore_toy-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ciexplore-toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ciexplore.systems]\ntoy = toy_ci:SYSTEM\n")
    done = subprocess.run(
        [sys.executable, "-c", WALK, f"toy:builds/main?server={server}"],
        capture_output=True,
        text=True,
        env=environment({"PYTHONPATH": f"{ROOT}:{TOY}:{info.parent}"}),
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    home, builds, logs, help_ = json.loads(done.stdout.splitlines()[-1])
    assert "F8 Toy" in home.splitlines()[0] and "Builds of the toy CI." in home
    assert "toy:builds/main" in home and "toy:builds/BRANCH" in home
    assert "main builds" in builds.splitlines()[1]
    assert all(sign in builds for sign in ("✖ failed", "✔ passed", "3 builds", "⣤ passed", "Took", "Began", "▌"))
    assert builds.count("Times") == 1, "the detail panel has the schema's sections"
    footer = builds.splitlines()[-1]
    assert "/ Filter" in footer and "h Stats" in footer and "d Download" not in footer
    assert (
        "main builds › logs of 7" in logs.splitlines()[1] and "a.log" in logs and "d Download" in logs.splitlines()[-1]
    )
    assert "Toy: Builds of the toy CI." in help_
