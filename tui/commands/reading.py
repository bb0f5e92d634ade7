"""`ciexplore taskcluster list | show | runs | log`: what a locator opens, what a task is, became and said."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from backends.cancel import CancelToken
from backends.errors import AppError, UsageError
from tui.commands.listing import listed, session_of
from tui.commands.log_output import write_log
from tui.commands.options import connection_options
from tui.commands.output import check_output, emit, output_options, say

if TYPE_CHECKING:
    import polars as pl

    from backends.resources import Document, LogAddress
    from backends.session import Session


def _common(command: Any) -> Any:
    for option in (
        click.option("--root-url", metavar="URL", help="Deployment: a root URL, or firefox, or community."),
        connection_options,
        click.argument("locator"),
    ):
        command = option(command)
    return command


@click.command()
@click.option("--filter", "text", metavar="F", default="", help="Only these tasks of a group.")
@_common
@output_options
def runs(locator: str, mode: str | None, root_url: str | None, text: str, columns: str | None, **output: Any) -> None:
    """List the runs of a task, or of the tasks of a group that --filter leaves: worker, reasons, times."""
    from backends.taskcluster.runs import RUNS

    check_output(RUNS, {"columns": columns})
    with session_of(root_url, mode) as (session, cancel):
        several, frame = _runs(session, cancel, locator, text)
        if several and columns is None:
            columns = ",".join(["task_id", *(column.name for column in RUNS if not column.hidden)])
        emit(frame, RUNS, columns=columns, **output)


def _runs(session: Session, cancel: CancelToken, locator: str, text: str) -> tuple[bool, pl.DataFrame]:
    """(whether they are of several tasks, the rows)."""
    from backends.locators.taskcluster_views import TaskRelation
    from backends.systems import parse_locator
    from backends.taskcluster.runs import runs_of

    resource: Any = session.resource(parse_locator(locator), cancel)
    if resource.noun[0] == "task":
        _, gathered = listed(session, cancel, locator, text)
        return True, runs_of(resource.deployment, gathered.frame["task_id"].to_list(), cancel)
    if text:
        raise UsageError("--filter chooses tasks of a group; this locator is no group.", "Leave --filter away.")
    task_id = getattr(resource.locator, "task_id", "")
    if not task_id:
        raise UsageError(f"This locator lists {resource.noun[1]}, which have no runs.", "Name a task or a group.")
    own = TaskRelation("runs", task_id, resource.deployment.root)
    frame = listed(session, cancel, own.text())[1].frame
    number = getattr(resource.locator, "run", None)
    return False, frame if number is None else frame.filter(frame["run"] == number)


@click.command("list")
@click.option("--filter", "text", metavar="F", default="", help="Only these rows; as in the app.")
@_common
@output_options
def listing(locator: str, mode: str | None, root_url: str | None, text: str, **output: Any) -> None:
    """List whatever LOCATOR opens: an index namespace, an archive, a table, a comparison, copies of a task, ..."""
    with session_of(root_url, mode) as (session, cancel):
        resource, gathered = listed(session, cancel, locator, text, lambda found: check_output(found.schema, output))
        emit(gathered.frame, resource.schema, **output)


@click.command()
@_common
def show(locator: str, mode: str | None, root_url: str | None) -> None:
    """Print a task's definition and runs, or a JSON artifact, as indented JSON."""
    with session_of(root_url, mode) as (session, cancel):
        document = _document(session, cancel, locator)
        try:
            # ASCII: nothing in it reaches the terminal as anything else than text.
            text = json.dumps(document.read(cancel), indent=2).replace("\x7f", "\\u007f")
        except RecursionError:
            raise AppError("This is nested too deeply to be printed.", "Open it in the app.") from None
        click.echo(text)


def _document(session: Session, cancel: CancelToken, locator: str) -> Document:
    from backends.locators.taskcluster import Artifact
    from backends.systems import parse_locator
    from backends.taskcluster.documents import artifact_document, task_document
    from backends.taskcluster.queue import Deployment
    from backends.taskcluster.resolve import resolve_task

    settings = session.settings
    found = resolve_task(
        parse_locator(locator), session.http, settings.taskcluster_root_url, cancel, settings.treeherder_url
    )
    row = {"task_id": getattr(found, "task_id", "")}
    deployment = Deployment(session.http, found.root_url) if row["task_id"] else None  # type: ignore[attr-defined]
    document = None
    if deployment is not None and isinstance(found, Artifact):
        document = artifact_document(deployment, {**row, "name": found.name, "run": found.run})
    elif deployment is not None:
        document = task_document(deployment, row)
    if document is None:
        raise UsageError("This locator is no task and no JSON artifact.", "`list` lists it, `log` prints texts.")
    return document


@click.command()
@click.option("--follow", is_flag=True, help="Go on while the task runs and writes.")
@click.option("--errors", is_flag=True, help="Only error lines, with five lines around each.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@click.option("-o", "--to", "target", metavar="FILE", help="Write the bytes as they are to FILE; - is stdout.")
@_common
def log(
    locator: str, mode: str | None, root_url: str | None, target: str | None, overwrite: bool, errors: bool,
    follow: bool,
) -> None:  # fmt: skip
    """Print the log of a task's last run that began, of a run, or any artifact that is a text.

    An address that ends in #L120 is printed from that line on, one that ends in #L120-L130 up to that line.
    With --errors only lines that the app marks as errors, with five around each.
    Escape sequences and what else could reach into a terminal are taken out; with -o the bytes stay as they are.
    """
    with session_of(root_url, mode) as (session, cancel):
        address = _address(session, cancel, locator)
        pieces: Iterable[bytes] = _read(session, address, cancel, follow)
        if errors:
            from backends.logs.rules import error_lines

            write_log(error_lines(pieces), target, overwrite=overwrite)
        else:
            write_log(pieces, target, overwrite=overwrite, line=address.line, last=address.last)


def _address(session: Session, cancel: CancelToken, locator: str) -> LogAddress:
    from backends.locators.taskcluster import Artifact, Task
    from backends.systems import parse_locator
    from backends.taskcluster.resolve import resolve_task
    from backends.taskcluster.task_log import log_of_artifact, log_of_task

    settings = session.settings
    found = resolve_task(
        parse_locator(locator), session.http, settings.taskcluster_root_url, cancel, settings.treeherder_url
    )
    match found:
        case Task():
            return log_of_task(session.http, found, cancel)
        case Artifact():
            return log_of_artifact(session.http, found, cancel)
    raise UsageError(
        "This locator names several tasks, or none.", "Name one task, a run of it, or an artifact that is a text."
    )


def _read(session: Session, address: LogAddress, cancel: CancelToken, follow: bool) -> Iterator[bytes]:
    """The bytes; of a log that still grows those that are there, or with `follow` all until the task ends."""
    from backends.logs.sources import UntilNow, from_log

    source = from_log(session.http, address, session.open_downloader)
    if not address.live or follow:
        yield from source(cancel)
        return
    reading = UntilNow(source)
    yield from reading.chunks(cancel)
    if reading.early:
        say("note: the task still runs and writes; --follow goes on until it ends.")
