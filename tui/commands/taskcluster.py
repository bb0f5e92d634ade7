"""`ciexplore taskcluster VERB`: what the Tasks pane does, without the app."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backends.cancel import CancelToken
from backends.errors import UsageError
from tui.commands.layout_options import layout_choices, layout_options
from tui.commands.listing import listed, session_of
from tui.commands.measuring import breakdown, compare, measurements
from tui.commands.options import connection_options
from tui.commands.output import Progress, check_output, emit, output_options
from tui.commands.reading import listing, log, runs, show

if TYPE_CHECKING:
    import polars as pl

    from backends.resources import Resource
    from backends.session import Session
    from backends.transfers.files import RemoteFile


@click.group()
def taskcluster() -> None:
    """Tasks, artifacts, downloads and statistics of task groups."""


for _command in (listing, show, runs, log, measurements, compare, breakdown):
    taskcluster.add_command(_command)


def _common(command: Any) -> Any:
    for option in (
        click.option(
            "--filter", "text", metavar="F", default="", help="Only these rows of what LOCATOR lists; as in the app."
        ),
        click.option("--root-url", metavar="URL", help="Deployment: a root URL, or firefox, or community."),
        connection_options,
        click.argument("locator"),
    ):
        command = option(command)
    return command


def _matching(command: Any) -> Any:
    return click.option(
        "--match",
        "globs",
        metavar="GLOB",
        multiple=True,
        help="Only artifacts whose path matches; repeatable. Without / it also matches the last part; !GLOB excludes.",
    )(command)


def _one_kind(resource: Resource, noun: str, verb: str) -> None:
    if resource.noun[0] != noun:
        raise UsageError(
            f"`{verb}` lists {noun}s; this locator lists {resource.noun[1]}.",
            "Use `ciexplore taskcluster list` for it.",
        )


@taskcluster.command()
@_common
@output_options
def tasks(locator: str, mode: str | None, root_url: str | None, text: str, **output: Any) -> None:
    """List the tasks of a group, one row a task."""
    with session_of(root_url, mode) as (session, cancel):
        resource, gathered = listed(session, cancel, locator, text, lambda found: check_output(found.schema, output))
        _one_kind(resource, "task", "tasks")
        emit(gathered.frame, resource.schema, **output)


@taskcluster.command()
@_common
@_matching
@output_options
def artifacts(
    locator: str, mode: str | None, root_url: str | None, text: str, globs: tuple[str, ...], **output: Any
) -> None:
    """List the artifacts of a task, or of the tasks of a group that --filter leaves; of all runs."""
    with session_of(root_url, mode) as (session, cancel):
        resource, frame = _artifacts(session, cancel, locator, text, output)
        emit(_matched(frame, globs), resource.schema, **output)


def _artifacts(
    session: Session, cancel: CancelToken, locator: str, text: str, output: dict[str, Any]
) -> tuple[Resource, pl.DataFrame]:
    from backends.taskcluster.artifacts import ARTIFACTS

    def check(found: Resource) -> None:
        check_output(ARTIFACTS if found.noun[0] == "task" else found.schema, output)

    resource, gathered = listed(session, cancel, locator, text, check)
    frame = gathered.frame
    if resource.noun[0] != "task":
        return resource, frame
    if frame.is_empty():
        raise UsageError("No task is left to list artifacts of.", "Loosen --filter, or check the locator.")
    several = resource.open_marked(frame)
    assert several is not None
    listing, found = listed(session, cancel, several.text())
    return listing, found.frame


def _matched(frame: pl.DataFrame, globs: tuple[str, ...]) -> pl.DataFrame:
    from backends.transfers.files import matches_globs

    if not globs:
        return frame
    return frame.filter([matches_globs(name, globs) for name in frame["name"].to_list()])


@taskcluster.command()
@_common
@click.option("--column", "names", metavar="NAME", multiple=True, help="Only this numeric column; repeatable.")
@click.option("--by", metavar="NAME", help="One row per value of this text column, such as suite or platform.")
@output_options
def stats(
    locator: str,
    mode: str | None,
    root_url: str | None,
    text: str,
    names: tuple[str, ...],
    by: str | None,
    **output: Any,
) -> None:
    """Statistics of the numeric columns: n, missing, min, mean, median, p90, p95, p99, max, standard deviation."""
    from backends.frames import statistics

    def check(found: Resource) -> None:
        check_output(statistics.report(found.schema.empty(), found.schema, columns=names or None, by=by)[1], output)

    with session_of(root_url, mode) as (session, cancel):
        resource, gathered = listed(session, cancel, locator, text, check)
        table, schema = statistics.report(gathered.frame, resource.schema, columns=names or None, by=by)
        emit(table, schema, **output)


@taskcluster.command()
@_common
@_matching
@click.option("--output", metavar="DIR", required=True, help="Where to; made if it is missing.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Files at the same time [default: by itself].")
@click.option("--overwrite", is_flag=True, help="Replace files in DIR that ciexplore did not put there.")
@click.option("--rehash", is_flag=True, help="Read files that are already there and compare their SHA-256.")
@click.option("--dry-run", is_flag=True, help="Show what would be done; fetch and write nothing.")
@click.option("--unpack", "unpacking", is_flag=True, help="Unpack each archive beside itself, as NAME.unpacked.")
@layout_options
def download(
    locator: str,
    mode: str | None,
    root_url: str | None,
    text: str,
    globs: tuple[str, ...],
    output: str,
    jobs: int | None,
    overwrite: bool,
    rehash: bool,
    dry_run: bool,
    unpacking: bool,
    layout: str | None,
    resume: str | None,
    **chosen: Any,
) -> int:
    """Download artifacts of a task, or of the tasks of a group that --filter leaves; of all runs, resumable.

    Each file is checked and recorded in DIR/.ciexplore; the same command again fetches only what is missing. With
    --layout artifact-downloader the files go where that tool would put them.
    """
    from tui.commands.download import extract_archives, run_download
    from tui.commands.original_layout import carry_out_original

    choices = layout_choices(layout, resume, globs, chosen)
    if choices is not None and unpacking:
        raise UsageError("--unpack does not go with --layout.", "Use --unzip, which puts them where that tool does.")
    place = Path(output).expanduser().absolute()
    with session_of(root_url, mode, jobs=jobs) as (session, cancel):
        if choices is not None:
            return carry_out_original(
                session, locator, choices, place, cancel=cancel, resume=resume, filter_text=text, overwrite=overwrite,
                rehash=rehash, dry=dry_run,
            )  # fmt: skip
        files = _files(session, cancel, locator, text, globs)
        code = run_download(session, files, place, cancel=cancel, overwrite=overwrite, rehash=rehash, dry=dry_run)
        if not unpacking or dry_run or code == 130:
            return code
        return extract_archives(files, place, cancel) or code


def _files(session: Session, cancel: CancelToken, locator: str, text: str, globs: tuple[str, ...]) -> list[RemoteFile]:
    from backends.transfers.files import select_files

    resource, gathered = listed(session, cancel, locator, text)
    progress = Progress()
    files: list[RemoteFile] = []
    try:
        for batch in resource.files(gathered.frame, cancel):
            files += select_files(batch, globs)
            progress.show(f"{len(files):,} files found")
    finally:
        progress.clear()
    if not files:
        raise UsageError("There is nothing to download.", "Check --filter and --match against what `artifacts` lists.")
    return files
