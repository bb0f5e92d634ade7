"""`ciexplore prow completeness | search | stats | over-time | reasons | events`: what is made of many builds."""

from __future__ import annotations

from typing import Any

import click

from backends.errors import UsageError
from tui.commands.output import check_output, emit, output_options
from tui.commands.prow_session import (
    chosen_builds,
    common_options,
    filtered,
    gathered,
    opened,
    prow_session,
    window_options,
)

_WHERE = click.option("--where", metavar="F", default="", help="Only these rows of the output; a filter as in the app.")


def _show(
    view: str, locator: str, session_options: dict[str, Any], chosen: dict[str, Any], options: dict[str, str],
    output: dict[str, Any], where: str,
) -> None:  # fmt: skip
    """That view of the builds that --filter, --count and --since choose."""
    from backends.frames import filters
    from backends.locators.prow import View

    with prow_session(**session_options) as (session, cancel):
        listing, frame = chosen_builds(session, cancel, locator, **chosen)
        found = listing.view(View(view), frame, **options)
        if found is None:
            raise UsageError("These builds are of several jobs.", "Name one job of the pull request.")
        resource = session.resource(found, cancel)
        filters.parse(where, resource.schema)  # a wrong one is said before anything is read
        check_output(resource.schema, output)
        emit(filtered(gathered(resource, cancel).frame, resource, where), resource.schema, **output)


def _split(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """(session's, builds', output's) options."""
    session = {name: given.pop(name) for name in ("mode", "gcs_url", "gcsweb_url", "bucket")}
    chosen = {name: given.pop(name) for name in ("text", "count", "since")}
    return session, chosen, given


@click.command()
@common_options
@window_options
@click.option("--level", type=click.Choice(["1", "2", "all"]), default="all", help="First level, artifacts/, or both.")
@click.option(
    "--by",
    type=click.Choice(["sets", "counts", "files"]),
    default="sets",
    help="Distinct sets of entries, numbers of entries, or each file by itself.",
)
@_WHERE
@output_options
def completeness(locator: str, level: str, by: str, where: str, **given: Any) -> None:
    """Count which sets of files builds have, at their first level and under artifacts/; --filter chooses builds."""
    session, chosen, output = _split(given)
    options = {"level": level if level != "all" else "", "by": "counts" if by == "counts" else ""}
    _show("presence" if by == "files" else "completeness", locator, session, chosen, options, output, where)


@click.command()
@common_options
@window_options
@click.option("--text", "pattern", metavar="REGEX", required=True, help="What to look for: a text or an expression.")
@click.option("--match", "globs", metavar="GLOB", multiple=True, help="In these files instead of the build logs.")
@click.option("--context", type=click.IntRange(0, 20), default=2, help="Lines around each, in columns before, after.")
@_WHERE
@output_options
def search(locator: str, pattern: str, globs: tuple[str, ...], context: int, where: str, **given: Any) -> None:
    """Look for a text in the logs, or in any matching files, of the builds of a job; one row a line."""
    session, chosen, output = _split(given)
    options = {"text": pattern, "match": "\n".join(globs), "lines": str(context)}
    _show("search", locator, session, chosen, options, output, where)


@click.command()
@common_options
@window_options
@_WHERE
@output_options
def stats(locator: str, where: str, **given: Any) -> None:
    """Measure the logs of builds: bytes, lines, words, longest line, beside durations."""
    session, chosen, output = _split(given)
    _show("logs", locator, session, chosen, {}, output, where)


@click.command()
@common_options
@window_options
@click.option(
    "--by",
    type=click.Choice(["tests", "matrix", "files"]),
    default="tests",
    help="Tests of each build, tests across builds, or the JUnit files themselves.",
)
@_WHERE
@output_options
def junit(locator: str, by: str, where: str, **given: Any) -> None:
    """List the test cases of builds, the newest build and its failures first, or each test across builds with pass
    rate and history.

    LOCATOR is a job, a build, a pull request's job, a folder, or one JUnit file; on this disk also ./FILE or ./DIR.
    """
    from backends.frames import filters
    from backends.locators.prow import Place, ProwPath, ProwView, View

    view = View.MATRIX if by == "matrix" else View.JUNIT
    options = {"by": "files"} if by == "files" else {}
    session, chosen, output = _split(given)
    with prow_session(**session) as (opened_session, cancel):
        found = opened(opened_session, cancel, locator).locator
        if isinstance(found, ProwPath) and (
            found.route.place is Place.FILE or (found.route.place is Place.FOLDER and (found.route.base or found.store))
        ):
            wanted = ProwView(view, found.bucket, found.path, (), tuple(options.items()), found.store)
            resource = opened_session.resource(wanted, cancel)
            filters.parse(where, resource.schema)
            check_output(resource.schema, output)
            emit(filtered(gathered(resource, cancel).frame, resource, where), resource.schema, **output)
            return
    _show(view, locator, session, chosen, options, output, where)


@click.command("over-time")
@common_options
@window_options
@click.option("--by", type=click.Choice(["day", "week", "month"]), default="day", help="One row for each.")
@_WHERE
@output_options
def over_time(locator: str, by: str, where: str, **given: Any) -> None:
    """Pass rate, results and durations of a job by day, week or month."""
    session, chosen, output = _split(given)
    _show("over-time", locator, session, chosen, {"by": by}, output, where)


@click.command()
@common_options
@window_options
@_WHERE
@output_options
def reasons(locator: str, where: str, **given: Any) -> None:
    """Why the builds of a job failed, and how often."""
    session, chosen, output = _split(given)
    _show("reasons", locator, session, chosen, {}, output, where)


@click.command()
@common_options
@window_options
@_WHERE
@output_options
def events(locator: str, where: str, **given: Any) -> None:
    """List the Kubernetes events of builds: of all files of a build, or of the builds of a job, that have any.

    LOCATOR is a job, a build, a folder, or one events.json or podinfo.json (then --filter is one of its rows).
    """
    from backends.frames import filters
    from backends.locators.prow import Place, ProwPath, ProwView, View

    session, chosen, output = _split(given)
    with prow_session(**session) as (opened_session, cancel):
        found = opened(opened_session, cancel, locator).locator
        if isinstance(found, ProwPath) and (
            found.route.place is Place.FILE or (found.route.place is Place.FOLDER and (found.route.base or found.store))
        ):
            found = ProwView(View.EVENTS, found.bucket, found.path, (), (), found.store)
        if isinstance(found, ProwView) and found.view is View.EVENTS:
            resource = opened_session.resource(found, cancel)
            for text in (wanted := [one for one in (chosen["text"], where) if one]):
                filters.parse(text, resource.schema)
            check_output(resource.schema, output)
            frame = gathered(resource, cancel).frame
            for text in wanted or [""]:
                frame = filtered(frame, resource, text)
            emit(frame, resource.schema, **output)
            return
    _show("events", locator, session, chosen, {}, output, where)


COMMANDS = (completeness, search, junit, stats, over_time, reasons, events)
