"""A system that another package brings is listed, filtered, exported and downloaded with no change anywhere else."""

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

from tests.commands.calling import ROOT, as_process, environment

TOY = Path(__file__).parent / "toy"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    root = tmp_path / "served"
    (root / "7").mkdir(parents=True)
    builds = [
        {"number": n, "state": "failed" if n == 7 else "passed", "began": 1795115238, "ended": 1795115238 + n}
        for n in (5, 6, 7)
    ]
    (root / "builds-main.json").write_text(json.dumps(builds))
    (root / "logs-7.json").write_text(json.dumps([{"name": "a.log", "size": 6}, {"name": "b.txt", "size": 3}]))
    (root / "7" / "a.log").write_text("hello\n")
    (root / "7" / "b.txt").write_text("bye")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=root)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The toy package, installed: its module and its entry point on the path."""
    info = tmp_path / "site" / "ciexplore_toy-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ciexplore-toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[ciexplore.systems]\ntoy = toy_ci:SYSTEM\nbroken = no_such_module:SYSTEM\ntreeherder = toy_ci:SYSTEM\n"
    )
    return {"PYTHONPATH": f"{ROOT}:{TOY}:{info.parent}"}


def test_list_filter_and_export(server: str, installed: dict[str, str], tmp_path: Path) -> None:
    ended = as_process(
        "toy", "list", f"toy:builds/main?server={server}", "--filter", "state:failed took>6s", extra=installed
    )
    assert ended.code == 0, ended.err
    assert [(row["number"], row["state"], row["took"]) for row in ended.rows] == [("7", "failed", "7.0")]
    ended = as_process(
        "toy", "builds", f"toy:builds/main?server={server}", "-o", str(tmp_path / "b.parquet"), extra=installed
    )
    assert ended.code == 0 and (tmp_path / "b.parquet").read_bytes()[:4] == b"PAR1", ended.err
    both = as_process("toy", "builds", f"toy:builds/main?server={server}", "--state", "failed", extra=installed)
    assert [row["state"] for row in both.rows] == ["failed"], both.err  # what is pasted, and the options besides
    assert "Builds of the toy CI." in as_process("--help", extra=installed).out.decode()
    shown = as_process("toy", "builds", "--help", extra=installed).out.decode()
    assert "List the builds of a branch." in shown and "--state" in shown and "toy:builds/BRANCH" in shown


def test_download(server: str, installed: dict[str, str], tmp_path: Path) -> None:
    locator = f"toy:logs/7?server={server}"
    ended = as_process(
        "toy", "download", locator, "--output", str(tmp_path / "out"), "--match", "*.log", extra=installed
    )
    assert ended.code == 0, ended.err
    assert (tmp_path / "out" / "7" / "a.log").read_text() == "hello\n" and not (
        tmp_path / "out" / "7" / "b.txt"
    ).exists()
    refused = as_process(
        "toy", "download", f"toy:builds/main?server={server}", "--output", str(tmp_path / "x"), extra=installed
    )
    assert refused.code == 2 and "no files to download" in refused.err


def test_the_library_opens_it_and_a_broken_package_harms_nobody(
    server: str, installed: dict[str, str], tmp_path: Path
) -> None:
    script = f"""
import ciexplore, sys
from backends.systems import broken_systems, systems
with ciexplore.open("toy:builds/main?server={server}") as builds:
    print(builds.frame("state:failed")["number"].to_list(), builds.schema.names, builds.title)
with ciexplore.open("toy:logs/7?server={server}") as logs:
    print([path.name for path in logs.download("{tmp_path}/lib")])
print(sorted(systems()), sorted(broken_systems()))
print("textual" in sys.modules, "rich" in sys.modules, "click" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment(installed), timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "['7'] ('number', 'state', 'took', 'began', 'ended') main builds",
        "['a.log', 'b.txt']",
        "['archives', 'failures', 'prow', 'query', 'submit', 'taskcluster', 'toy', 'treeherder'] "
        "['broken (no_such_module:SYSTEM)', 'treeherder (toy_ci:SYSTEM)']",
        "False False False",
    ]


def test_a_headless_verb_loads_no_interface(server: str, installed: dict[str, str]) -> None:
    script = f"""
import sys
from tui.cli import run
code = run(["toy", "list", "toy:builds/main?server={server}", "--format", "csv"])
print(code, sorted(m for m in sys.modules if m.split(".")[0] in ("textual", "rich") or m.startswith("tui.widgets")))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment(installed), timeout=60
    )
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr
