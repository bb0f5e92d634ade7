"""`ciexplore failures LOCATOR`: what failed in tasks and builds of any system, and why, without the app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui.commands.options import connection_options, filter_option, refuse_options
from tui.commands.output import check_output, emit, output_options

if TYPE_CHECKING:
    from backends.locators import Locator


@click.command("failures")
@click.option(
    "--by", type=click.Choice(("failure", "cluster", "test", "task")), default="failure", show_default=True,
    help="One row a failure, or one for each cluster, test, or task or build.",
)  # fmt: skip
@click.option("--against", metavar="LOCATOR", help="The base: list clusters that are new, gone, grown or shrunk.")
@click.option("--root-url", metavar="URL", help="Taskcluster deployment: a root URL, or firefox, or community.")
@filter_option
@connection_options
@click.argument("locator")
@output_options
def failures(
    locator: str, by: str, against: str | None, mode: str | None, root_url: str | None, filter_text: str, **output: Any
) -> None:  # fmt: skip
    """List what failed in the tasks or builds that LOCATOR names, and why.

    LOCATOR: a task, a task group, a push, a Prow job, build or pull request, or any list of those; a job's newest 100
    builds. Read is the best source of each: mozlog's summaries, JUnit files, else the log's first errors and how it
    ended. A source that cannot be read is a row that says so.
    """
    from backends.failure_links import failure_clusters, failures_of
    from backends.failures.locators import ClusterChanges, FailuresOf
    from tui.commands.common import open_and_read, open_session

    if against is not None and by != "cluster":
        refuse_options(["by"], f"{by} and --against exclude each other: two sides are compared by clusters")
    with open_session(root_url, mode) as (session, cancel):
        named = session.parse(locator)
        source: Locator
        if against is not None:
            source = ClusterChanges(session.parse(against).text(), named.text())
        elif by == "cluster":
            source = failure_clusters(named)
        else:
            source = named if isinstance(named, FailuresOf) else failures_of(named)
        if against is not None or by in ("failure", "cluster"):
            resource, gathered = open_and_read(
                session, cancel, source, filter_text, lambda found: check_output(found.schema, output)
            )
            emit(gathered.frame, resource.schema, resource=resource, **output)
            return
        from backends.failures.lists import FAILURE_COUNTS, count_failures

        check_output(FAILURE_COUNTS, output)
        _, gathered = open_and_read(session, cancel, source, filter_text)
        emit(count_failures(gathered.frame, by), FAILURE_COUNTS, **output)
