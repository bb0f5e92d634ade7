"""How `download --layout artifact-downloader` is carried out: list, plan, fetch, then number, link or unpack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.frames.formats import safe_text
from backends.taskcluster.original_download import OriginalDownload, placed_words
from backends.taskcluster.original_layout import Choices
from backends.taskcluster.original_layout_data import Placed
from backends.taskcluster.selections import only
from tui.commands.download import MAX_LISTED, run_download
from tui.commands.output import Progress, say

if TYPE_CHECKING:
    import polars as pl

    from backends.session import Session
    from backends.taskcluster.tasks import TaskGroupTasks
    from backends.transfers.files import RemoteFile


def carry_out_original(
    session: Session,
    locator: str,
    choices: Choices,
    output: Path,
    *,
    cancel: CancelToken,
    resume: str | None = None,
    filter_text: str = "",
    overwrite: bool = False,
    rehash: bool = False,
    dry: bool = False,
) -> int:
    """Does all of it and returns the exit code: 0 all is there, 1 something is not, 130 interrupted.

    `resume` is None for a new run, "last" or a run's number to go on in it. Raises `AppError`s.
    """
    resource = _group(session, locator, cancel)
    work = OriginalDownload(
        resource.deployment, resource.group_id, choices, output, resume,
        lambda frame: _filtered(only(frame, resource.task_ids), filter_text),
    )  # fmt: skip
    files = _listed(work, cancel)
    for note in work.notes:
        say(f"note: {safe_text(note)}")
    code = run_download(session, files, output, cancel=cancel, overwrite=overwrite, rehash=rehash, dry=dry)
    if dry:
        return code
    if code == 130:
        say(f"With --continue it goes on in run {work.number}; without, a new run begins.")
        return code
    return _told(work.place(cancel), code, work.number)


def _group(session: Session, locator: str, cancel: CancelToken) -> TaskGroupTasks:
    from backends.systems import parse_locator
    from backends.taskcluster.tasks import TaskGroupTasks

    resource = session.resource(parse_locator(locator), cancel)
    if not isinstance(resource, TaskGroupTasks):
        raise UsageError(
            f"ArtifactDownloader's layout is for task groups; this locator lists {resource.noun[1]}.",
            "Give the locator of a group or a push, or leave --layout away.",
        )
    return resource


def _filtered(frame: pl.DataFrame, text: str) -> pl.DataFrame:
    from backends.frames import filters
    from backends.taskcluster.task_columns import TASKS

    wanted = filters.parse(text, TASKS)
    return frame if wanted.is_empty else frame.filter(wanted.mask(frame))


def _listed(work: OriginalDownload, cancel: CancelToken) -> list[RemoteFile]:
    progress = Progress()
    files: list[RemoteFile] = []
    try:
        for batch in work.files(cancel):
            files += batch
            progress.show(f"{len(files):,} files found")
    finally:
        progress.clear()
    return files


def _told(placed: Placed, code: int, number: int) -> int:
    say(placed_words(placed, number))
    for note in placed.notes[:MAX_LISTED]:
        say(f"note: {safe_text(note)}")
    for what, why in placed.problems[:MAX_LISTED]:
        say(f"failed: {safe_text(what)}: {safe_text(why)}")
    for left in (placed.notes[MAX_LISTED:], placed.problems[MAX_LISTED:]):
        if left:
            say(f"… and {len(left):,} more")
    return code or (1 if placed.problems else 0)
