"""`download --layout artifact-downloader`: its options, and the download in that tool's directory tree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backends.cancel import CancelToken
from backends.errors import UsageError
from tui.commands.output import Progress, say

if TYPE_CHECKING:
    import polars as pl

    from backends.session import Session
    from backends.taskcluster.artifact_downloader import Choices
    from backends.taskcluster.artifact_downloader.placement import PlacementResult
    from backends.taskcluster.tasks import GroupTaskList
    from backends.transfers.files import RemoteFile


def layout_options(command: Any) -> Any:
    for option in (
        click.option(
            "--continue", "resume", is_flag=False, flag_value="last", metavar="[RUN]",
            help="Resume the last run, or the given one.",
        ),
        click.option(
            "--separator", type=click.Choice(["_", "+-+"]), help="Between task id and file name [default: _]."
        ),
        click.option("--chunks-together", is_flag=True, help="All chunks of a suite in one directory."),
        click.option("--include-failed", is_flag=True, help="Also the artifacts of failed tasks."),
        click.option("--unzip", is_flag=True, help="Unpack archives."),
        click.option(
            "--artifact", "artifacts", multiple=True, metavar="P",
            help="Part of the artifact's name; repeatable, the first that matches takes it [default: grcov].",
        ),
        click.option("--platform", metavar="P", help="Part of the task's name, or /regex/."),
        click.option("--all-suites", is_flag=True, help="Every suite."),
        click.option(
            "--suite", "suites", multiple=True, metavar="S", help="A suite: its name, a glob or /regex/; repeatable."
        ),
        click.option(
            "--layout", type=click.Choice(["artifact-downloader"]),
            help="That tool's directory tree; the options below go with it.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def layout_choices(
    layout: str | None, resume: str | None, globs: Sequence[str], chosen: Mapping[str, Any]
) -> Choices | None:
    """The options as choices; None without --layout. Raises `UsageError` for options that do not go together."""
    from backends.taskcluster.artifact_downloader import Choices

    if layout is None:
        if resume or any(chosen.values()):
            raise UsageError(
                "These options go with --layout artifact-downloader.", "Add it, or use --filter and --match."
            )
        return None
    if globs:
        raise UsageError("--match does not go with --layout.", "Use --artifact.")
    if not chosen["suites"] and not chosen["all_suites"]:
        raise UsageError("No suite is chosen.", "Name some with --suite S, or take --all-suites.")
    return Choices(
        suites=tuple(chosen["suites"]),
        all_suites=chosen["all_suites"],
        platform=chosen["platform"] or "",
        artifacts=tuple(chosen["artifacts"]) or ("grcov",),
        unzip=chosen["unzip"],
        include_failed=chosen["include_failed"],
        chunks_together=chosen["chunks_together"],
        separator=chosen["separator"] or "_",
    )


def download_in_layout(
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
    """Lists, plans, fetches, then numbers, links or unpacks. Returns the exit code: 0 complete, 1 something is missing,
    130 interrupted.

    `resume` is None for a new run, "last" or a run's number. Raises `AppError`s.
    """
    from backends.frames import filters
    from backends.taskcluster.artifact_downloader.download import LayoutDownload
    from backends.taskcluster.task_rows import TASKS, filter_ids
    from tui.commands.download import run_download

    resource = _open_group(session, locator, cancel)
    condition = filters.parse(filter_text, TASKS)

    def keep(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.filter(condition.mask(frame))

    work = LayoutDownload(
        resource.client, resource.group_id, choices, output, resume,
        lambda frame: keep(filter_ids(frame, resource.task_ids)),
    )  # fmt: skip
    files = collect_files(work.files(cancel))
    for note in work.notes:
        _say_note(note)
    code = run_download(session, files, output, cancel=cancel, overwrite=overwrite, rehash=rehash, dry=dry)
    if dry:
        return code
    if code == 130:
        say(f"With --continue it resumes run {work.number}; without, a new run begins.")
        return code
    return _report(work.place(cancel), code, work.number)


def _open_group(session: Session, locator: str, cancel: CancelToken) -> GroupTaskList:
    from backends.taskcluster.tasks import GroupTaskList

    resource = session.resource(session.parse(locator), cancel)
    if not isinstance(resource, GroupTaskList):
        raise UsageError(
            f"ArtifactDownloader's layout is for task groups; this locator lists {resource.noun[1]}.",
            "Give the locator of a group or a push, or leave --layout out.",
        )
    return resource


def collect_files(batches: Iterable[list[RemoteFile]]) -> list[RemoteFile]:
    """All files of the batches, with progress on stderr."""
    progress = Progress()
    files: list[RemoteFile] = []
    try:
        for batch in batches:
            files += batch
            progress.show(f"{len(files):,} files found")
    finally:
        progress.clear()
    return files


def _report(placed: PlacementResult, code: int, number: int) -> int:
    from backends.frames.formats import safe_text
    from backends.taskcluster.artifact_downloader.download import describe_placed
    from tui.commands.download import MAX_LISTED

    say(describe_placed(placed, number))
    for note in placed.notes[:MAX_LISTED]:
        _say_note(note)
    for what, why in placed.problems[:MAX_LISTED]:
        say(f"failed: {safe_text(what)}: {safe_text(why)}")
    for left in (placed.notes[MAX_LISTED:], placed.problems[MAX_LISTED:]):
        if left:
            say(f"… and {len(left):,} more")
    return code or (1 if placed.problems else 0)


def _say_note(note: str) -> None:
    from backends.frames.formats import safe_text

    say(f"note: {safe_text(note)}")
