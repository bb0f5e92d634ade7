"""`--new` on the embedded CI, whose failing tasks have planted causes: every one is found, hardly anything else."""

from __future__ import annotations

import re

import pytest

from backends.demo.options import DemoOptions
from backends.demo.server import DemoServer
from backends.demo.taskcluster.artifacts import artifacts_by_name
from backends.demo.taskcluster.failure_causes import planted_log_lines
from backends.demo.taskcluster.fixtures import Fixtures
from backends.demo.taskcluster.model import DemoGroup, DemoTask
from backends.demo.taskcluster.payloads import log_text
from backends.failures.new_lines import ERROR_WORDS, NewLineFinder, PassingLines, index_log, split_pieces
from tests.commands.calling import Caller
from tests.failures.test_failures_command import ciexplore

__all__ = ["ciexplore"]
_LOG = "public/logs/live_backing.log"


def text_of(fixtures: Fixtures, group: DemoGroup, task: DemoTask) -> bytes:
    run = len(task.history) - 1
    size = artifacts_by_name(fixtures.seed, task, run)[_LOG].size or 0
    return log_text(fixtures.seed, group, task, run, _LOG, size)


@pytest.fixture(scope="module")
def fixtures() -> Fixtures:
    return Fixtures(DemoOptions(tasks=1200))


def test_every_planted_line_is_found_and_at_most_2_percent_of_the_others(fixtures: Fixtures) -> None:
    groups = (fixtures.finished, *fixtures.before.values())
    looked_at = quiet = 0
    for task in fixtures.finished.tasks:
        if task.history[-1:] == () or task.history[-1].state != "failed":
            continue
        passing = [
            text_of(fixtures, group, other)
            for group in groups
            for other in group.tasks
            if other.label.name == task.label.name and other.history and other.history[-1].state == "completed"
        ][:3]
        log = text_of(fixtures, fixtures.finished, task)
        lines = log.decode().split("\n")
        if not passing or len(lines) < 1_000:
            continue
        finder = NewLineFinder(PassingLines(index_log(split_pieces([one])) for one in passing))
        found = {number for piece in split_pieces([log]) for number in finder.add(piece)}
        for words in planted_log_lines(fixtures.seed, task, len(task.history) - 1):
            planted = [number for number, line in enumerate(lines) if line.endswith(words)]
            assert planted, words
            # A line that only ids tell from one before it is a repeat of that one.
            assert found & set(planted) or any(finder.times.get(number) for number in found), words
            quiet += not re.search(ERROR_WORDS, words)
        assert finder.new <= 0.02 * len(lines), task.label.name
        looked_at += 1
    assert looked_at >= 10
    assert quiet >= 3  # causes that no error word tells


def test_runs_touch_different_paths(fixtures: Fixtures) -> None:
    groups = (fixtures.finished, fixtures.before[1])
    one, two = (set(re.findall(rb"\S+\.html", text_of(fixtures, group, group.tasks[5]))) for group in groups)
    assert one - two and two - one


def failed_task(server: DemoServer) -> tuple[str, str]:
    """(task id, a planted line of its log) of a task whose cause is told by the log alone."""
    found = Fixtures(server.options)
    for task in found.finished.tasks:
        if task.history and task.history[-1].state == "failed":
            run = len(task.history) - 1
            lines = planted_log_lines(found.seed, task, run)
            if lines and text_of(found, found.finished, task).count(b"\n") > 1_000:
                return task.id, lines[0]
    raise AssertionError


def test_the_command_for_a_task(ciexplore: Caller, demo: dict[str, str], demo_server: DemoServer) -> None:
    task_id, planted = failed_task(demo_server)
    done = ciexplore("taskcluster", "log", task_id, "--new")
    assert done.code == 0
    new = [line for line in done.text.splitlines() if re.match(r"\d+:", line)]
    assert any(line.endswith(planted) for line in new)
    assert "that passed (" in done.err and re.search(r"[\d,]+ of [\d,]+ lines are new, \d+\.\d %", done.err)
    # Line numbers are those of the log.
    whole = ciexplore("taskcluster", "log", task_id).text.split("\n")
    for line in new:
        number, _, text = line.partition(":")
        assert whole[int(number) - 1] == text
    # Kept indexes say the same.
    assert ciexplore("taskcluster", "log", task_id, "--new").out == done.out
    one = ciexplore("taskcluster", "log", task_id, "--new", "--runs", "1")
    assert "1 run of" in one.err
    itself = ciexplore("taskcluster", "log", task_id, "--new", "--against", task_id)
    assert (itself.code, itself.out) == (0, b"")


def test_the_command_for_a_build(ciexplore: Caller, demo: dict[str, str]) -> None:
    done = ciexplore("prow", "log", demo["prow.build-failed"], "--new")
    assert done.code == 0 and "error: some steps failed:" in done.text and "builds" not in done.text
    assert "that passed: build " in done.err
    own = int(demo["prow.build-failed"].rstrip("/").rpartition("/")[2])
    earlier = [int(build) for build in re.findall(r"build (\d{19}) of", done.err)]
    assert earlier and max(earlier) < own  # it began before
    pull = ciexplore("prow", "log", demo["prow.build-pull"], "--new")
    assert pull.code == 0 and "that passed: build " in pull.err


def test_what_does_not_go_together_and_what_has_nothing_to_compare_with(
    ciexplore: Caller, demo: dict[str, str]
) -> None:
    task = demo["taskcluster.failed-task"]
    for wrong in (("--against", task), ("--new", "--errors"), ("--new", "--follow"), ("--runs", "2")):
        assert ciexplore("taskcluster", "log", task, *wrong).code == 2
    assert ciexplore("prow", "log", demo["prow.build-failed"], "--new", "--tail", "3").code == 2
    counter = ciexplore(
        "prow", "log", demo["prow.build-counter"], "--new", "--against", demo["prow.build-only-artifacts"]
    )
    assert counter.code != 0
