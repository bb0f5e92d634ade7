"""How `download --layout artifact-downloader` is carried out: list, plan, fetch, then number, link or unpack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from backends.cancel import Cancel
from backends.frames.formats import safe_text
from backends.problems import UsageProblem
from backends.taskcluster.original_layout import Choices, chosen, suites
from backends.taskcluster.original_layout_data import Placed, place
from backends.taskcluster.original_layout_files import Wanted, group_information, wanted_files
from backends.taskcluster.original_layout_runs import choose_run
from tui.commands.download import LISTED, carry_out
from tui.commands.output import Progress, say

if TYPE_CHECKING:
    import polars as pl

    from backends.taskcluster.tasks import TaskGroupTasks
    from tui.session import Session


def carry_out_original(
    session: Session,
    locator: str,
    choices: Choices,
    output: Path,
    *,
    cancel: Cancel,
    resume: str | None = None,
    filter_text: str = "",
    overwrite: bool = False,
    rehash: bool = False,
    dry: bool = False,
) -> int:
    """Does all of it and returns the exit code: 0 all is there, 1 something is not, 130 interrupted.

    `resume` is None for a new run, "last" or a run's number to go on in it. Raises `Problem`s.
    """
    resource = _group(session, locator, cancel)
    number = choose_run(output, resource.group_id, resume)  # a wrong one is said before 10,000 tasks are listed
    group = group_information(resource.deployment, resource.group_id, cancel)
    for note in group.notes:
        say(f"note: {safe_text(note)}")
    wanted = _wanted(resource, _filtered(group.frame, filter_text), number, choices, cancel)
    files = [one.file for one in wanted]
    code = carry_out(session, files, output, cancel=cancel, overwrite=overwrite, rehash=rehash, dry=dry)
    if dry:
        return code
    if code == 130:
        say(f"With --continue it goes on in run {number}; without, a new run begins.")
        return code
    return _told(place(output, group, number, wanted, choices, cancel), code, number)


def _group(session: Session, locator: str, cancel: Cancel) -> TaskGroupTasks:
    from backends.locators import parse
    from backends.taskcluster.tasks import TaskGroupTasks

    resource = session.resource(parse(locator), cancel)
    if not isinstance(resource, TaskGroupTasks):
        raise UsageProblem(
            f"ArtifactDownloader's layout is for task groups; this locator lists {resource.noun[1]}.",
            "Give the locator of a group or a push, or leave --layout away.",
        )
    return resource


def _filtered(frame: pl.DataFrame, text: str) -> pl.DataFrame:
    from backends.frames import filters
    from backends.taskcluster.task_columns import TASKS

    wanted = filters.parse(text, TASKS)
    return frame if wanted.is_empty else frame.filter(wanted.mask(frame))


def _wanted(
    resource: TaskGroupTasks, frame: pl.DataFrame, number: int, choices: Choices, cancel: Cancel
) -> list[Wanted]:
    tasks = chosen(frame, choices)
    if not tasks:
        there = suites(frame, choices)
        raise UsageProblem(
            "No task of this group is of these suites and this platform.",
            f"There are {len(there):,} suites, such as {safe_text(', '.join(there[:5]))}." if there else
            "No task's name has this platform in it.",
        )  # fmt: skip
    progress = Progress()
    wanted: list[Wanted] = []
    try:
        for batch in wanted_files(resource.deployment, resource.group_id, number, tasks, choices, cancel):
            wanted += batch
            progress.show(f"{len(wanted):,} files found")
    finally:
        progress.clear()
    # In the order of the tasks, whichever was listed first: the manifest and the tree are the same each time.
    return sorted(wanted, key=lambda one: (one.task.created, one.task.task_id, one.file.name))


def _told(placed: Placed, code: int, number: int) -> int:
    unpacked = f", {placed.unpacked:,} archives unpacked" if placed.unpacked else ""
    say(f"run {number}: {placed.folders:,} data directories{unpacked} in {placed.run}")
    for note in placed.notes[:LISTED]:
        say(f"note: {safe_text(note)}")
    for what, why in placed.problems[:LISTED]:
        say(f"failed: {safe_text(what)}: {safe_text(why)}")
    for left in (placed.notes[LISTED:], placed.problems[LISTED:]):
        if left:
            say(f"… and {len(left):,} more")
    return code or (1 if placed.problems else 0)
