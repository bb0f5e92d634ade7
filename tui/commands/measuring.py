"""`ciexplore taskcluster measurements | compare | breakdown`: numbers of tasks, and of two groups side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from backends.errors import UsageError
from tui.commands.listing import gather_shown, listed, session_of
from tui.commands.options import connection_options
from tui.commands.output import check_output, emit, output_options

if TYPE_CHECKING:
    import polars as pl

    from backends.cancel import CancelToken
    from backends.frames.schema import Schema
    from backends.session import Session
    from backends.taskcluster.measurements import MeasurementList


def _common(command: Any) -> Any:
    for option in (
        click.option("--where", metavar="F", default="", help="Only these rows of the output; a filter as in the app."),
        click.option("--filter", "text", metavar="F", default="", help="Only these tasks of a group."),
        click.option("--root-url", metavar="URL", help="Deployment: a root URL, or firefox, or community."),
        connection_options,
        output_options,
    ):
        command = option(command)
    return command


@click.command()
@_common
@click.option("--replicates", is_flag=True, help="One row a replicate instead of one a value.")
@click.argument("locator")
def measurements(
    locator: str, mode: str | None, root_url: str | None, text: str, where: str, replicates: bool, **output: Any
) -> None:
    """List what tasks measured: the values in their perfherder-data files, of all runs.

    LOCATOR is a task, a run, or a group, of which --filter chooses tasks.
    """
    from backends.frames.schema import Schema
    from backends.taskcluster.measurements_reading import MEASUREMENTS, by_replicate

    wanted = _filter(where, MEASUREMENTS)
    left = tuple(column for column in MEASUREMENTS if column.name != "replicates")
    schema = Schema(left, key="task_id") if replicates else MEASUREMENTS
    check_output(schema, output)
    with session_of(root_url, mode) as (session, cancel):
        frame = wanted(_measured(session, cancel, locator, text))
        emit(by_replicate(frame) if replicates else frame, schema, **output)


@click.command()
@_common
@click.option("--measurements", "measured", is_flag=True, help="Compare what the tasks measured, series by series.")
@click.option("--replicates", is_flag=True, help="With --measurements: judge by all replicates of the runs.")
@click.argument("base")
@click.argument("new")
def compare(
    base: str,
    new: str,
    mode: str | None,
    root_url: str | None,
    text: str,
    where: str,
    measured: bool,
    replicates: bool,
    **output: Any,
) -> None:
    """Compare two task groups: tasks by label (new, missing, states, durations), or their measurements.

    Per series: medians, Mann-Whitney's p, Cliff's delta, Welch's t with Perfherder's words of confidence.
    """
    from backends.taskcluster import group_comparison

    if replicates and not measured:
        raise UsageError("--replicates belongs to --measurements.", "Add --measurements, or leave it out.")
    schema = group_comparison.SERIES_CHANGES if measured else group_comparison.TASK_CHANGES
    wanted = _filter(where, schema)
    check_output(schema, output)
    with session_of(root_url, mode) as (session, cancel):
        if measured:
            sides = [_measured(session, cancel, locator, text) for locator in (base, new)]
            found = group_comparison.compare_measurements(sides[0], sides[1], replicates=replicates)
        else:
            sides = [_tasks(session, cancel, locator, text)[1] for locator in (base, new)]
            found = group_comparison.compare_tasks(sides[0], sides[1])
        emit(wanted(found), schema, **output)


@click.command()
@_common
@click.option("--by", metavar="NAME", help="One row a suite, platform, worker_pool, kind, state, ... [default: suite].")
@click.option("--timeline", is_flag=True, help="Tasks running and pending over time instead.")
@click.option("--bins", type=click.IntRange(1, 10_000), default=120, show_default=True, help="Rows of --timeline.")
@click.option("--critical-path", is_flag=True, help="The chain of tasks that the end of the group waited for instead.")
@click.argument("locator")
def breakdown(
    locator: str,
    mode: str | None,
    root_url: str | None,
    text: str,
    where: str,
    by: str | None,
    timeline: bool,
    bins: int,
    critical_path: bool,
    **output: Any,
) -> None:
    """Say how a task group did: failures, retries, times and machine hours by suite (or --by), or over time."""
    from backends.taskcluster import group_statistics, group_statistics_path, group_statistics_timeline

    if (by is not None) + timeline + critical_path > 1:
        raise UsageError("--by, --timeline and --critical-path are three different tables.", "Ask for one of them.")
    schema = (
        group_statistics_timeline.TIMELINE
        if timeline
        else group_statistics_path.CRITICAL_PATH
        if critical_path
        else group_statistics.GROUP_STATISTICS
    )
    wanted = _filter(where, schema)
    check_output(schema, output)
    with session_of(root_url, mode) as (session, cancel):
        _, tasks = _tasks(session, cancel, locator, text)
        if timeline:
            found = group_statistics_timeline.timeline(tasks, bins)
        elif critical_path:
            found = group_statistics_path.critical_path(tasks)
        else:
            found, _ = group_statistics.statistics_by(tasks, by or "suite")
        emit(wanted(found), schema, **output)


def _filter(text: str, schema: Schema) -> Any:
    """The filter as a function of a frame; a wrong one is said before anything is fetched."""
    from backends.frames import filters

    wanted = filters.parse(text, schema)

    def keep(frame: pl.DataFrame) -> pl.DataFrame:
        return frame if wanted.is_empty else frame.filter(wanted.mask(frame))

    return keep


def _tasks(session: Session, cancel: CancelToken, locator: str, text: str) -> tuple[Any, pl.DataFrame]:
    """The group and those of its tasks that the filter leaves."""

    resource, gathered = listed(session, cancel, locator, text)
    if resource.noun[0] != "task":
        raise UsageError(f"This locator lists {resource.noun[1]}, not tasks.", "Name a task group or a push.")
    return resource, gathered.frame


def _measured(session: Session, cancel: CancelToken, locator: str, text: str) -> pl.DataFrame:
    resource = _measurements_of(session, cancel, locator, text)
    total = len(resource.tasks)
    words = "task" if total == 1 else "tasks"
    return gather_shown(resource, cancel, lambda rows, _: f"{rows:,} values so far, of {total:,} {words}").frame


def _measurements_of(session: Session, cancel: CancelToken, locator: str, text: str) -> MeasurementList:
    from backends.locators.taskcluster import Task, TaskArtifacts, TaskMeasurements
    from backends.systems import parse_locator
    from backends.taskcluster.measurements import MeasurementList

    resource: Any = session.resource(parse_locator(locator), cancel)
    if resource.noun[0] == "task":
        group, tasks = _tasks(session, cancel, locator, text)
        if tasks.is_empty():
            raise UsageError("No task is left to read measurements of.", "Loosen --filter, or check the locator.")
        return MeasurementList.of_rows(tasks, session.http, group.deployment.root)
    if text:
        raise UsageError("--filter chooses tasks of a group; this locator is no group.", "Use --where for its values.")
    if isinstance(resource, MeasurementList):
        return resource
    if not isinstance(resource.locator, Task | TaskArtifacts):
        raise UsageError(f"This locator lists {resource.noun[1]}, which measure nothing.", "Name a task or a group.")
    several = resource.locator
    meant = several if isinstance(several, Task) else TaskMeasurements(several.task_ids, several.root_url)
    return MeasurementList(meant, session.http, resource.deployment.root)
