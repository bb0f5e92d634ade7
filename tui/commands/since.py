"""`ciexplore since LOCATOR`: since when something fails, and which pushes or builds may have begun it."""

from __future__ import annotations

from typing import Any

import click

from tui.commands.options import connection_options, filter_option
from tui.commands.output import check_output, emit, output_options, say


@click.command("since")
@click.option("--test", metavar="NAME", default="", help="Only this test, by its full name.")
@click.option("--cluster", metavar="ID", default="", help="Only failures of this cluster (see failures --by cluster).")
@click.option("--every", is_flag=True, help="Look at every earlier run, not only at those that decide.")
@click.option("--root-url", metavar="URL", help="Taskcluster deployment: a root URL, or firefox, or community.")
@filter_option
@connection_options
@click.argument("locator")
@output_options
def since(
    locator: str, test: str, cluster: str, every: bool, mode: str | None, root_url: str | None, filter_text: str,
    **output: Any,
) -> None:  # fmt: skip
    """List the pushes or builds that may have begun what fails in LOCATOR.

    LOCATOR: a task, a Prow build or job; with --test or --cluster also a task group, a push or any list of those.
    Earlier runs of the same job are looked at, few of them, back to the last pass. Tests that pass and fail in turn get
    their failure rate over time.
    """
    from backends.errors import UsageError
    from backends.failures.locators import SinceOf
    from tui.commands.common import open_and_read, open_session

    if cluster and (len(cluster) != 16 or not set(cluster) <= set("0123456789abcdef")):
        raise UsageError(f"{cluster[:40]!r} is not a cluster's id.", "It has 16 hex digits.")
    with open_session(root_url, mode) as (session, cancel):
        named = session.parse(locator)
        at = named if isinstance(named, SinceOf) else SinceOf(named.text(), test, cluster, every)
        resource, gathered = open_and_read(
            session, cancel, at, filter_text, lambda found: check_output(found.schema, output)
        )
        say(resource.title)
        emit(gathered.frame, resource.schema, **output)
