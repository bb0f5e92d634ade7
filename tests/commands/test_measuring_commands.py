"""Measuring from the command line: the numbers reach a script as the app shows them, wrong questions are answered."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import click
import pytest

from backends.errors import UsageError
from tui.cli import cli
from tui.commands.taskcluster import breakdown
from tui.commands.taskcluster import compare_groups as compare
from tui.commands.taskcluster import list_measurements as measurements


def called(command: click.Command, *arguments: str) -> None:
    """By way of the whole command line: a command that is called alone would remember to know --help without -h."""
    cli.main(["taskcluster", str(command.name), *arguments], standalone_mode=False)


def rows(capsysbinary: pytest.CaptureFixture[bytes], command: click.Command, *arguments: str) -> list[dict[str, Any]]:
    """What the command prints as CSV, the format of a pipe."""
    capsysbinary.readouterr()
    called(command, *arguments)
    return list(csv.DictReader(io.StringIO(capsysbinary.readouterr().out.decode())))


def test_the_measurements_of_a_task_are_listed_by_value_and_by_replicate(
    demo: dict[str, str], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    task = demo["taskcluster.task"]
    found = rows(capsysbinary, measurements, task, "--where", "subtest:fcp")
    assert len(found) == 2 and {row["unit"] for row in found} == {"ms"}
    every = rows(capsysbinary, measurements, task, "--where", "subtest:fcp", "--replicates")
    assert len(every) == 50 and "replicates" not in every[0]
    assert rows(capsysbinary, measurements, demo["taskcluster.artifact"], "--where", "subtest:fcp") == found


def test_the_tasks_of_a_group_are_chosen_before_their_files_are_read(
    demo: dict[str, str], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    found = rows(capsysbinary, measurements, demo["taskcluster.finished-group"], "--filter", "suite:amazon")
    assert len({row["task_id"] for row in found}) >= 3 and {row["suite"] for row in found} == {"amazon"}


def test_what_has_no_measurements_says_so_on_stderr_and_prints_the_header(
    demo: dict[str, str], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    called(measurements, demo["taskcluster.big-artifact"])
    shown = capsysbinary.readouterr()
    assert shown.out.startswith(b"suite,subtest,value,unit")
    called(measurements, demo["taskcluster.failed-task"])
    shown = capsysbinary.readouterr()
    assert shown.out.count(b"\n") == 1 and b"no perfherder data" in shown.err


def test_a_group_compared_with_itself_is_the_same(
    demo: dict[str, str], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    group = demo["taskcluster.finished-group"]
    found = rows(capsysbinary, compare, group, group)
    assert {row["change"] for row in found} == {"same"} and len(found) > 100
    series = rows(capsysbinary, compare, group, group, "--measurements", "--filter", "suite:amazon")
    assert {row["t_verdict"] for row in series} == {"no change"} and {row["n_base"] for row in series} == {"3"}
    replicates = rows(
        capsysbinary,
        compare,
        group,
        group,
        "--measurements",
        "--replicates",
        "--filter",
        "suite:amazon",
        "--where",
        "fcp",
    )
    assert {row["n_base"] for row in replicates} == {"75"}


def test_the_differences_of_two_groups_can_be_filtered(
    demo: dict[str, str], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    groups = demo["taskcluster.finished-group"], demo["taskcluster.running-group"]
    found = rows(capsysbinary, compare, *groups, "--where", "change:new,missing")
    assert {row["change"] for row in found} == {"new", "missing"}


def test_a_group_is_broken_down_over_names_over_time_and_along_its_chain(
    demo: dict[str, str], capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    group = demo["taskcluster.finished-group"]
    by_kind = rows(capsysbinary, breakdown, group, "--by", "kind")
    hours = sum(float(row["machine_hours"]) for row in by_kind)
    by_suite = rows(capsysbinary, breakdown, group)
    assert sum(float(row["machine_hours"]) for row in by_suite) == pytest.approx(hours)
    over_time = rows(capsysbinary, breakdown, group, "--timeline", "--bins", "10")
    assert 2 <= len(over_time) <= 11
    called(breakdown, group, "--timeline", "--plot", str(tmp_path / "timeline.svg"))
    drawn = (tmp_path / "timeline.svg").read_text()
    assert ">running<" in drawn and ">pending<" in drawn and "(UTC)<" in drawn  # both over time
    chain = rows(capsysbinary, breakdown, group, "--critical-path")
    assert len(chain) >= 2 and chain[0]["step"] == "1"
    capsysbinary.readouterr()
    called(breakdown, group, "--by", "state", "--format", "json")
    assert {row["group"] for row in json.loads(capsysbinary.readouterr().out)} >= {"completed", "failed"}


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        (breakdown, ["GROUP", "--timeline", "--critical-path"], "three different tables"),
        (breakdown, ["GROUP", "--by", "duration"], "cannot be grouped"),
        (breakdown, ["TASK"], "not tasks"),
        (compare, ["GROUP", "GROUP", "--replicates"], "belongs to --measurements"),
        (compare, ["GROUP", "TASK"], "not tasks"),
        (measurements, ["GROUP", "--filter", "suite:nosuch"], "No task is left"),
        (measurements, ["TASK", "--filter", "suite:amazon"], "not a group"),
        (measurements, ["TASK", "--where", "valu>3"], "valu"),
    ],
)
def test_a_question_that_has_no_answer_says_what_to_ask(
    demo: dict[str, str], command: click.Command, arguments: list[str], said: str
) -> None:
    locators = {"GROUP": demo["taskcluster.finished-group"], "TASK": demo["taskcluster.task"]}
    with pytest.raises(UsageError, match=said):
        called(command, *(locators.get(word, word) for word in arguments))
