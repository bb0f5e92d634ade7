"""`ciexplore taskcluster VERB`: what the Tasks pane does, without the app."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from backends.cancel import CancelToken
from backends.errors import AppError, UsageError
from backends.paths import expand_home
from tui.commands.artifact_downloader import collect_files, download_in_layout, layout_choices, layout_options
from tui.commands.common import open_and_read, open_session, read_with_progress
from tui.commands.new_lines import check_new_lines_options, new_lines_options, write_new_lines
from tui.commands.options import connection_options, download_options, filter_option, match_option, refuse_options
from tui.commands.output import check_output, emit, output_options, say

if TYPE_CHECKING:
    import polars as pl

    from backends.frames.figures import Figure
    from backends.frames.schema import Schema
    from backends.locators import Locator
    from backends.resources import Document, LogAddress, Resource
    from backends.session import Session
    from backends.taskcluster.measurements import MeasurementList
    from backends.transfers.files import RemoteFile


@click.group()
def taskcluster() -> None:
    """Tasks, artifacts, downloads and statistics of task groups."""


def _deployment_options(command: Any) -> Any:
    """--root-url and the connection options."""
    root_url = click.option("--root-url", metavar="URL", help="Deployment: a root URL, or firefox, or community.")
    return root_url(connection_options(command))


def _locator_options(command: Any) -> Any:
    """LOCATOR and --filter, with the deployment options."""
    return filter_option(_deployment_options(click.argument("locator")(command)))


def _row_options(command: Any) -> Any:
    """--where, and --filter for the tasks of a group, with the deployment and output options."""
    where = click.option("--where", metavar="F", default="", help="Filter rows of the output.")
    tasks = click.option("--filter", "filter_text", metavar="F", default="", help="Filter tasks of a group.")
    return where(tasks(_deployment_options(output_options(command))))


# ---- lists ------------------------------------------------------------------------------------------------------


@taskcluster.command("list")
@_locator_options
@output_options
def list_locator(locator: str, mode: str | None, root_url: str | None, filter_text: str, **output: Any) -> None:
    """List whatever LOCATOR opens: an index namespace, an archive, a table, a comparison, retriggers of a task, ..."""
    with open_session(root_url, mode) as (session, cancel):
        resource, gathered = open_and_read(session, cancel, locator, filter_text, _checked(output))
        emit(gathered.frame, resource.schema, resource=resource, **output)


@taskcluster.command("tasks")
@_locator_options
@output_options
def list_tasks(locator: str, mode: str | None, root_url: str | None, filter_text: str, **output: Any) -> None:
    """List the tasks of a group, one row a task."""
    with open_session(root_url, mode) as (session, cancel):
        resource, gathered = open_and_read(session, cancel, locator, filter_text, _checked(output))
        if resource.noun[0] != "task":
            raise UsageError(
                f"`tasks` lists tasks; this locator lists {resource.noun[1]}.",
                "Use `ciexplore taskcluster list` for it.",
            )
        emit(gathered.frame, resource.schema, resource=resource, **output)


def _checked(output: dict[str, Any]) -> Callable[[Resource], None]:
    return lambda resource: check_output(resource.schema, output)


@taskcluster.command("artifacts")
@_locator_options
@match_option
@output_options
def list_artifacts(
    locator: str, mode: str | None, root_url: str | None, filter_text: str, globs: tuple[str, ...], **output: Any
) -> None:
    """List the artifacts of a task, or of the tasks of a group that --filter leaves; of all runs."""
    from backends.taskcluster.artifacts import ARTIFACTS
    from backends.transfers.files import matches_globs

    def check(resource: Resource) -> None:
        check_output(ARTIFACTS if resource.noun[0] == "task" else resource.schema, output)

    with open_session(root_url, mode) as (session, cancel):
        resource, gathered = open_and_read(session, cancel, locator, filter_text, check)
        if resource.noun[0] == "task":
            if gathered.frame.is_empty():
                raise UsageError("No task is left to list artifacts of.", "Loosen --filter, or check the locator.")
            several = resource.open_marked(gathered.frame)
            assert several is not None
            resource, gathered = open_and_read(session, cancel, several)
        frame = gathered.frame
        if globs:
            frame = frame.filter([matches_globs(name, globs) for name in frame["name"].to_list()])
        emit(frame, resource.schema, resource=resource, **output)


@taskcluster.command("stats")
@_locator_options
@click.option("--column", "names", metavar="NAME", multiple=True, help="Only this numeric column; repeatable.")
@click.option("--by", metavar="NAME", help="One row per value of this text column, e.g. suite or platform.")
@output_options
def show_statistics(
    locator: str,
    mode: str | None,
    root_url: str | None,
    filter_text: str,
    names: tuple[str, ...],
    by: str | None,
    **output: Any,
) -> None:
    """Statistics of the numeric columns: n, missing, min, mean, median, p90, p95, p99, max, standard deviation.

    ∞, -∞ and NaN are in none of these; where there are any, "not finite" counts them.
    """
    from backends.frames import statistics

    def check(resource: Resource) -> None:
        empty = resource.schema.empty()
        check_output(statistics.report(empty, resource.schema, columns=names or None, by=by)[1], output)

    with open_session(root_url, mode) as (session, cancel):
        resource, gathered = open_and_read(session, cancel, locator, filter_text, check)
        table, schema = statistics.report(gathered.frame, resource.schema, columns=names or None, by=by)
        emit(table, schema, **output)


@taskcluster.command("runs")
@click.option("--filter", "filter_text", metavar="F", default="", help="Filter tasks of a group.")
@_deployment_options
@click.argument("locator")
@output_options
def list_runs(
    locator: str, mode: str | None, root_url: str | None, filter_text: str, columns: str | None, **output: Any
) -> None:
    """List the runs of a task, or of the tasks of a group that --filter leaves: worker, reasons, times."""
    from backends.taskcluster.runs import RUNS

    check_output(RUNS, {"columns": columns})
    with open_session(root_url, mode) as (session, cancel):
        several, frame = _runs(session, cancel, locator, filter_text)
        if several and columns is None:
            columns = ",".join(["task_id", *(column.name for column in RUNS if not column.hidden)])
        emit(frame, RUNS, columns=columns, **output)


def _runs(session: Session, cancel: CancelToken, locator: str, filter_text: str) -> tuple[bool, pl.DataFrame]:
    """(whether they are of several tasks, the rows)."""
    from backends.taskcluster.locators import TaskRuns
    from backends.taskcluster.runs import runs_of_tasks

    resource: Any = session.resource(session.parse(locator), cancel)
    if resource.noun[0] == "task":
        _, gathered = open_and_read(session, cancel, locator, filter_text)
        return True, runs_of_tasks(resource.client, gathered.frame["task_id"].to_list(), cancel)
    if filter_text:
        raise UsageError("--filter chooses tasks of a group; this locator is not a group.", "Leave --filter out.")
    task_id = getattr(resource.locator, "task_id", "")
    if not task_id:
        raise UsageError(f"This locator lists {resource.noun[1]}, which have no runs.", "Name a task or a group.")
    frame = open_and_read(session, cancel, TaskRuns(task_id, resource.client.root))[1].frame
    number = getattr(resource.locator, "run", None)
    return False, frame if number is None else frame.filter(frame["run"] == number)


# ---- one task or artifact ---------------------------------------------------------------------------------------


@taskcluster.command("show")
@_deployment_options
@click.argument("locator")
def show(locator: str, mode: str | None, root_url: str | None) -> None:
    """Print a task's definition and runs, or a JSON artifact, as indented JSON."""
    with open_session(root_url, mode) as (session, cancel):
        document = _document(session, cancel, locator)
        try:
            # ASCII: nothing in it reaches the terminal as anything else than text.
            text = json.dumps(document.read(cancel), indent=2).replace("\x7f", "\\u007f")
        except RecursionError:
            raise AppError("This is nested too deeply to be printed.", "Open it in the app.") from None
        click.echo(text)


def _resolve_task(session: Session, cancel: CancelToken, locator: str) -> Locator:
    from backends.taskcluster.resolve import resolve_task

    root, treeherder = session.settings.taskcluster_root_url, session.settings.treeherder_url
    return resolve_task(session.parse(locator), session.http, root, cancel, treeherder)


def _document(session: Session, cancel: CancelToken, locator: str) -> Document:
    from backends.taskcluster.client import Client
    from backends.taskcluster.contents import artifact_document, task_document
    from backends.taskcluster.locators import Artifact

    found: Any = _resolve_task(session, cancel, locator)
    row = {"task_id": getattr(found, "task_id", "")}
    document = None
    if row["task_id"]:
        client = Client(session.http, found.root_url)
        if isinstance(found, Artifact):
            document = artifact_document(client, {**row, "name": found.name, "run": found.run})
        else:
            document = task_document(client, row)
    if document is None:
        raise UsageError("This locator is neither a task nor a JSON artifact.", "`list` lists it, `log` prints texts.")
    return document


@taskcluster.command("log")
@click.option("--follow", is_flag=True, help="Continue while the task runs and writes.")
@click.option("--errors", is_flag=True, help="Only error lines, with five lines around each.")
@new_lines_options
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@click.option("-o", "--to", "target", metavar="FILE", help="Write the bytes as they are to FILE; - is stdout.")
@_deployment_options
@click.argument("locator")
def print_log(
    locator: str, mode: str | None, root_url: str | None, target: str | None, overwrite: bool, new: bool,
    against: tuple[str, ...], runs: int | None, errors: bool, follow: bool,
) -> None:  # fmt: skip
    """Print the log of a task's last run that began, of a run, or any text artifact.

    A URL that ends in #L120 is printed from that line on, one that ends in #L120-L130 up to that line.
    With --errors only lines that the app marks as errors, with five around each. With --new only lines that are not in
    the logs of runs of the same job that passed, times, ids and numbers aside, as grep -n writes them.
    Escape sequences and anything else that could affect a terminal are removed; with -o the bytes stay as they are.
    """
    from tui.commands.log_output import check_log, choose_lines, write_log

    check_new_lines_options(new, against, runs, {"--errors": errors, "--follow": follow})
    with open_session(root_url, mode) as (session, cancel):
        log = _find_log(session, cancel, locator)
        pieces: Iterable[bytes] = _read_log(session, log, cancel, follow)
        if new or errors or target is None:
            pieces = check_log(pieces, log)
        if new:
            find = partial(_find_log, session, cancel)
            write_new_lines(session, cancel, log, pieces, find, against, runs, target, overwrite=overwrite)
        elif errors:
            from backends.logs.rules import error_lines

            write_log(error_lines(choose_lines(pieces, log.line, log.last)), target, overwrite=overwrite)
        else:
            write_log(pieces, target, overwrite=overwrite, line=log.line, last=log.last)


def _find_log(session: Session, cancel: CancelToken, locator: str) -> LogAddress:
    from backends.taskcluster.locators import Artifact, Task
    from backends.taskcluster.logs import log_of_artifact, log_of_task

    match _resolve_task(session, cancel, locator):
        case Task() as task:
            return log_of_task(session.http, task, cancel)
        case Artifact() as artifact:
            return log_of_artifact(session.http, artifact, cancel)
    raise UsageError("This locator names several tasks, or none.", "Name one task, a run of it, or a text artifact.")


def _read_log(session: Session, log: LogAddress, cancel: CancelToken, follow: bool) -> Iterator[bytes]:
    """The bytes; of a log that still grows those that exist now, or with `follow` all until the task ends."""
    from backends.logs.sources import UntilNow, from_log

    source = from_log(session.http, log, session.open_downloader)
    if not log.live or follow:
        yield from source(cancel)
        return
    reading = UntilNow(source)
    yield from reading.chunks(cancel)
    if reading.early:
        say("note: the task still runs and writes; --follow continues until it ends.")


# ---- downloads --------------------------------------------------------------------------------------------------


@taskcluster.command("download")
@_locator_options
@match_option
@download_options
@click.option("--unpack", "unpacking", is_flag=True, help="Unpack each archive beside itself, as NAME.unpacked.")
@layout_options
def download(
    locator: str,
    mode: str | None,
    root_url: str | None,
    filter_text: str,
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

    choices = layout_choices(layout, resume, globs, chosen)
    if choices is not None and unpacking:
        raise UsageError("--unpack does not go with --layout.", "Use --unzip, which puts them where that tool does.")
    place = expand_home(output).absolute()
    with open_session(root_url, mode, jobs=jobs) as (session, cancel):
        if choices is not None:
            return download_in_layout(
                session, locator, choices, place, cancel=cancel, resume=resume, filter_text=filter_text,
                overwrite=overwrite, rehash=rehash, dry=dry_run,
            )  # fmt: skip
        files = _list_files(session, cancel, locator, filter_text, globs)
        code = run_download(session, files, place, cancel=cancel, overwrite=overwrite, rehash=rehash, dry=dry_run)
        if not unpacking or dry_run or code == 130:
            return code
        return extract_archives(files, place, cancel) or code


def _list_files(
    session: Session, cancel: CancelToken, locator: str, filter_text: str, globs: tuple[str, ...]
) -> list[RemoteFile]:
    from backends.transfers.files import select_files

    resource, gathered = open_and_read(session, cancel, locator, filter_text)
    files = collect_files(select_files(batch, globs) for batch in resource.files(gathered.frame, cancel))
    if not files:
        raise UsageError("There is nothing to download.", "Check --filter and --match against what `artifacts` lists.")
    return files


# ---- measurements, comparisons, statistics of a group -----------------------------------------------------------


@taskcluster.command("measurements")
@_row_options
@click.option("--replicates", is_flag=True, help="One row a replicate instead of one a value.")
@click.argument("locator")
def list_measurements(
    locator: str, mode: str | None, root_url: str | None, filter_text: str, where: str, replicates: bool, **output: Any
) -> None:
    """List what tasks measured: the values in their perfherder-data files, of all runs.

    LOCATOR is a task, a run, or a group, of which --filter chooses tasks.
    """
    from backends.frames.schema import Schema
    from backends.taskcluster.measurements import MEASUREMENTS, by_replicate

    keep = _row_filter(where, MEASUREMENTS)
    schema = MEASUREMENTS
    if replicates:
        schema = Schema(tuple(column for column in MEASUREMENTS if column.name != "replicates"), key="task_id")
    check_output(schema, output)
    with open_session(root_url, mode) as (session, cancel):
        frame = keep(_load_measurements(session, cancel, locator, filter_text))
        emit(by_replicate(frame) if replicates else frame, schema, **output)


@taskcluster.command("compare")
@_row_options
@click.option("--measurements", "measured", is_flag=True, help="Compare what the tasks measured, series by series.")
@click.option("--replicates", is_flag=True, help="With --measurements: judge by all replicates of the runs.")
@click.argument("base")
@click.argument("new")
def compare_groups(
    base: str,
    new: str,
    mode: str | None,
    root_url: str | None,
    filter_text: str,
    where: str,
    measured: bool,
    replicates: bool,
    **output: Any,
) -> None:
    """Compare two task groups: tasks by label (new, missing, states, durations), or their measurements.

    Per series: medians, Mann-Whitney's p, Cliff's delta, Welch's t with Perfherder's words of confidence.
    """
    from backends.taskcluster import compare

    if replicates and not measured:
        raise UsageError("--replicates belongs to --measurements.", "Add --measurements, or leave it out.")
    schema = compare.SERIES_CHANGES if measured else compare.TASK_CHANGES
    keep = _row_filter(where, schema)
    check_output(schema, output)
    with open_session(root_url, mode) as (session, cancel):
        load = _load_measurements if measured else _load_tasks
        sides = [load(session, cancel, locator, filter_text) for locator in (base, new)]
        if measured:
            rows = compare.compare_measurements(sides[0], sides[1], replicates=replicates)
        else:
            rows = compare.compare_tasks(sides[0], sides[1])
        emit(keep(rows), schema, **output)


@taskcluster.command("breakdown")
@_row_options
@click.option("--by", metavar="NAME", help="One row a suite, platform, worker_pool, kind, state, ... [default: suite].")
@click.option("--timeline", is_flag=True, help="Tasks running and pending over time instead.")
@click.option("--bins", type=click.IntRange(1, 10_000), default=120, show_default=True, help="Rows of --timeline.")
@click.option("--critical-path", is_flag=True, help="The chain of tasks that the end of the group waited for instead.")
@click.argument("locator")
def breakdown(
    locator: str,
    mode: str | None,
    root_url: str | None,
    filter_text: str,
    where: str,
    by: str | None,
    timeline: bool,
    bins: int,
    critical_path: bool,
    **output: Any,
) -> None:
    """Failures, retries, times and machine hours of a task group by suite (or --by), or over time."""
    from backends.taskcluster import group_stats

    if (by is not None) + timeline + critical_path > 1:
        raise UsageError("--by, --timeline and --critical-path are three different tables.", "Choose one of them.")
    if not timeline:
        refuse_options(["bins"], "is the number of rows of --timeline", "Add --timeline, or leave it out.")
    schema = group_stats.TIMELINE if timeline else group_stats.GROUP_STATISTICS
    schema = group_stats.CRITICAL_PATH if critical_path else schema
    keep = _row_filter(where, schema)
    check_output(schema, output)
    with open_session(root_url, mode) as (session, cancel):
        tasks = _load_tasks(session, cancel, locator, filter_text)
        if timeline:
            rows = group_stats.timeline(tasks, bins)
        elif critical_path:
            rows = group_stats.critical_path(tasks)
        else:
            rows = group_stats.group_statistics(tasks, by or "suite")
        shown = keep(rows)
        emit(shown, schema, **output, figure=(lambda: _plot_timeline(shown)) if timeline else None)


def _plot_timeline(bins: pl.DataFrame) -> Figure:
    from backends.frames.plots import plot_points
    from backends.taskcluster.group_stats import TIMELINE_CHART, TIMELINE_LINES, timeline_lines

    return plot_points(timeline_lines(bins), TIMELINE_LINES, TIMELINE_CHART, "Tasks running and pending")


def _row_filter(text: str, schema: Schema) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """The filter as a function of a frame; a wrong one is reported before anything is fetched."""
    from backends.frames import filters

    condition = filters.parse(text, schema)
    return lambda frame: frame.filter(condition.mask(frame))


def _load_tasks(session: Session, cancel: CancelToken, locator: str, filter_text: str) -> pl.DataFrame:
    """Those tasks of a group that the filter leaves."""
    resource, gathered = open_and_read(session, cancel, locator, filter_text)
    if resource.noun[0] != "task":
        raise UsageError(f"This locator lists {resource.noun[1]}, not tasks.", "Name a task group or a push.")
    return gathered.frame


def _load_measurements(session: Session, cancel: CancelToken, locator: str, filter_text: str) -> pl.DataFrame:
    return read_with_progress(_measurement_list(session, cancel, locator, filter_text), cancel).frame


def _measurement_list(session: Session, cancel: CancelToken, locator: str, filter_text: str) -> MeasurementList:
    from backends.taskcluster.locators import Task, TaskArtifacts, TaskMeasurements
    from backends.taskcluster.measurements import MeasurementList

    resource: Any = session.resource(session.parse(locator), cancel)
    if resource.noun[0] == "task":
        tasks = _load_tasks(session, cancel, locator, filter_text)
        if tasks.is_empty():
            raise UsageError("No task is left to read measurements of.", "Loosen --filter, or check the locator.")
        return MeasurementList.of_rows(tasks, resource.client)
    if filter_text:
        raise UsageError(
            "--filter chooses tasks of a group; this locator is not a group.", "Use --where for its values."
        )
    if isinstance(resource, MeasurementList):
        return resource
    match resource.locator:
        case Task() as task:
            return MeasurementList(task, resource.client)
        case TaskArtifacts(task_ids, root_url):
            return MeasurementList(TaskMeasurements(task_ids, root_url), resource.client)
    raise UsageError(f"This locator lists {resource.noun[1]}, which measure nothing.", "Name a task or a group.")
