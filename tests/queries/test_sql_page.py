"""The commands of docs/sql.md give rows on the embedded CI."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.commands.calling import Caller

PAGE = (Path(__file__).parents[2] / "docs" / "sql.md").read_text("utf-8")
COMMANDS = [
    shlex.split(command)
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for command in re.split(r"\n(?=ciexplore )", block.strip())
]
PLACES = {
    "GROUP": "taskcluster.finished-group",
    "OTHER": "taskcluster.running-group",
    "PUSH": "perf.push",
    "JOB": "prow.job-openshift",
    "ALERTS": "perf.alerts",
    "PUSHES": "perf.pushes",
}


def test_the_page_has_ten_queries() -> None:
    assert sum(command[1] == "sql" for command in COMMANDS) == 10


@pytest.mark.parametrize("command", COMMANDS, ids=[command[2][:40] for command in COMMANDS])
def test_each_command_of_the_page_gives_rows(command: list[str], ciexplore: Caller, demo: dict[str, str]) -> None:
    arguments = []
    for word in command[1:]:
        name, equals, place = word.rpartition("=")
        arguments.append(name + equals + demo[PLACES[place]] if place in PLACES and " " not in name else word)
    done = ciexplore(*arguments)
    assert done.code == 0, done.err
    assert done.rows, done.err
