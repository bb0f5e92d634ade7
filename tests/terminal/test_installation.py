"""The wheel, installed as the README says, shows its version and the guided demo."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.terminal.terminal import ROOT, Terminal

# What installers say where no package index can be reached, or where it lacks something.
_UNREACHABLE = re.compile(r"No matching distribution|connect|network|timed out", re.IGNORECASE)
_EXEC = "import os,sys;os.execv(sys.argv[1],sys.argv[1:])"


def run(*command: str, **environment: str) -> str:
    """What it printed. A test is skipped where no index can be reached, and fails where the command does."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, env={**inherited, **environment}, capture_output=True, text=True, timeout=300)
    said = done.stdout + done.stderr
    if done.returncode and _UNREACHABLE.search(said):
        pytest.skip(f"no package index can be reached: {said.strip().splitlines()[-1]}")
    assert done.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(directory), str(ROOT))
    return next(directory.glob("*.whl"))


@pytest.mark.parametrize("installer", ["pipx", "uv"])
def test_the_installed_wheel_shows_its_version_and_the_guided_demo(installer: str, wheel: Path, tmp_path: Path) -> None:
    program = shutil.which(installer)
    if program is None:
        pytest.skip(f"{installer} is not installed")
    tools, commands = tmp_path / "tools", tmp_path / "commands"
    if installer == "pipx":
        run(program, "install", f"{wheel}[fast]", PIPX_HOME=str(tools), PIPX_BIN_DIR=str(commands))
    else:
        run(program, "tool", "install", f"{wheel}[fast]", UV_TOOL_DIR=str(tools), UV_TOOL_BIN_DIR=str(commands))
    ciexplore = str(commands / "ciexplore")
    assert run(ciexplore, "--version").startswith("ciexplore ")
    assert "taskcluster.finished-group" in run(ciexplore, "demo", "--locators")
    assert not list(tools.rglob("pytest")), "what only tests need"
    with Terminal("-c", _EXEC, ciexplore, "demo", extra={"PYTHONPATH": ""}, cwd=tmp_path) as terminal:
        terminal.wait_for("A finished task group")
        terminal.press("enter")
        terminal.wait_for("1,200 tasks · fetched")
        terminal.press("q")
        assert terminal.wait_until_ended() == 0
