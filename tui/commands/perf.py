"""`ciexplore perf VERB`: what the Performance pane lists, without the app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from backends.errors import UsageError
from tui.commands.options import connection_options
from tui.commands.output import check_output, emit, output_options
from tui.commands.treeherder_datasets import dataset

if TYPE_CHECKING:
    from collections.abc import Callable

    from backends.locators import Locator
    from backends.resources import Resource

REVISION_DIGITS = (8, 40)


@click.group()
def perf() -> None:
    """Performance signatures, series, alerts and comparisons; pushes and jobs of Treeherder."""


perf.add_command(dataset)


def _common(command: Any) -> Any:
    for option in (
        click.option("--filter", "text", metavar="F", default="", help="Only these rows; a filter as in the app."),
        click.option(
            "--treeherder-url", metavar="URL", help="Server [default: CIEXPLORE_TREEHERDER_URL, or Mozilla's]."
        ),
        connection_options,
        output_options,
    ):
        command = option(command)
    return command


def _repository(command: Any) -> Any:
    return click.option("--repository", metavar="R", required=True, help="Such as autoland or try.")(command)


def _framework(command: Any) -> Any:
    return click.option("--framework", metavar="F", default="", help="By name or id, such as browsertime or 13.")(
        command
    )


def _interval(command: Any) -> Any:
    return click.option("--interval", metavar="T", default="", help="How far back, such as 2d or 12w [default: 14d].")(
        command
    )


def _seconds(text: str) -> int | None:
    from backends.treeherder.narrowing import seconds

    return seconds(text) if text else None


def _show(
    locator: Locator,
    treeherder_url: str | None,
    mode: str | None,
    text: str,
    prepare: Callable[[Resource], None] | None = None,
    **output: Any,
) -> None:
    from tui.commands.listing import listed, session_of

    def check(found: Resource) -> None:
        if prepare is not None:
            prepare(found)
        check_output(found.schema, output)

    with session_of(None, mode, treeherder_url=treeherder_url) as (session, cancel):
        resource, gathered = listed(session, cancel, locator.text(), text, check)
        emit(gathered.frame, resource.schema, **output)


@perf.command()
@_common
def repositories(**options: Any) -> None:
    """List the active repositories."""
    from backends.locators.perfherder import Repositories

    _show(Repositories(), **options)


@perf.command()
@_common
def frameworks(**options: Any) -> None:
    """List the frameworks that measure: names and ids."""
    from backends.locators.perfherder import Frameworks

    _show(Frameworks(), **options)


@perf.command()
@_common
@_repository
@_framework
@_interval
@click.option("--subtests", is_flag=True, help="Also the subtests of suites.")
@click.option("--parent", metavar="HASH", default="", help="Only the subtests of the suite with this hash.")
@click.option("--platform", metavar="P", default="", help="Only of this platform, by its whole name.")
def signatures(
    repository: str, framework: str, interval: str, subtests: bool, parent: str, platform: str, **options: Any
) -> None:
    """List what a repository measured in the interval, one row a signature: suites, with --subtests all."""
    from backends.locators.perfherder import Signatures

    _show(Signatures(repository, framework, _seconds(interval), subtests, parent, platform), **options)


@perf.command()
@_common
@click.option("--repository", metavar="R", default="autoland", show_default=True, help="Whose ids these are.")
@_interval
@click.option("--since", "start", metavar="WHEN", default="", help="Instead of --interval, such as 2026-11-01.")
@click.option("--until", "end", metavar="WHEN", default="", help="With --since [default: now].")
@click.option("--replicates", is_flag=True, help="One row a replicate instead of one a value.")
@click.argument("ids", metavar="ID", nargs=-1, required=True)
def series(
    ids: tuple[str, ...], repository: str, interval: str, start: str, end: str, replicates: bool, **options: Any
) -> None:
    """List the values of up to six signatures over time, with changes, alerts and change-point candidates.

    ID is a signature's id, REPOSITORY:ID, or the address of a Perfherder graph.
    """
    from tui.commands.perf_places import period, series_of

    _show(series_of(ids, repository, _seconds(interval), period(start, end), replicates), **options)


@perf.command()
@_common
@click.option("--repository", metavar="R", default="", help="Only of this one, such as autoland.")
@_framework
@click.option("--status", metavar="S", default="", help="Such as untriaged, investigating, fixed, backedout.")
@click.option(
    "--text", "words", metavar="WORDS", default="", help="All words, in suite, test, platform, bug, revision."
)
@click.option("--assignee", metavar="NAME", default="", help="Of this person only.")
@click.option("--interval", metavar="T", default="", help="Of pushes of this time, such as 30d.")
@click.option("--signature", type=int, metavar="ID", help="On this signature only.")
@click.option("--hide", type=click.Choice(["improvements", "related"]), multiple=True, help="Repeatable.")
@click.option("--only", type=click.Choice(["untriaged-regressions", "untriaged-improvements"]), help="As on the page.")
@click.option("--monitored", is_flag=True, help="Those that are watched, not sheriffed.")
@click.argument("summary", required=False)
def alerts(
    summary: str | None, repository: str, framework: str, status: str, words: str, assignee: str, interval: str,
    signature: int | None, hide: tuple[str, ...], only: str | None, monitored: bool, **options: Any,
) -> None:  # fmt: skip
    """List alert summaries, newest first; of a SUMMARY (its number or address) the alerts in it.

    The address of a page of alerts lists what the page shows; options are used instead of its own.
    """
    from backends.locators.perfherder import AlertSummaries
    from tui.commands.perf_places import alerts_of

    flags = {*(f"hide-{one}" for one in hide), *([only] if only else []), *(["monitored"] if monitored else [])}
    given = AlertSummaries(
        repository, framework, status, words, assignee, _seconds(interval), signature, tuple(sorted(flags))
    )
    _show(alerts_of(summary, given), **options)


@perf.command()
@_common
@click.option("--repository", metavar="R", default="", help="E.g. autoland or try.")
@click.option("--author", metavar="A", default="", help="Pushed by this address; -A excludes it.")
@click.option("--search", metavar="WORDS", default="", help="With these words in a commit's message.")
@click.option("--since", "start", metavar="DAY", default="", help="Since this day, such as 2026-11-01.")
@click.option("--until", "end", metavar="DAY", default="", help="Until this day, itself included.")
@click.option("--from-revision", metavar="REV", default="", help="From this push on, itself included.")
@click.option("--to-revision", metavar="REV", default="", help="Up to this push, itself included.")
@click.option("--count", type=click.IntRange(1, 20_000), help="How many at most, the newest [default: 100].")
@click.argument("address", required=False)
def pushes(
    address: str | None, repository: str, author: str, search: str, start: str, end: str, from_revision: str,
    to_revision: str, count: int | None, **options: Any,
) -> None:  # fmt: skip
    """List the pushes of a repository with the results of their jobs, newest first.

    ADDRESS: of a page of jobs, e.g. of the range that an alert links to (.../jobs?repo=R&fromchange=A&tochange=B).
    The results take one request a push; with --columns they are fetched only if named.
    """
    from backends.locators.perfherder import Pushes
    from backends.treeherder.narrowing import day
    from backends.treeherder.pushes import PushList
    from tui.commands.perf_places import counts_asked_for, pushes_of, revision_of

    older, newer = revision_of(from_revision), revision_of(to_revision)
    given = Pushes(repository, author, search, day(start), day(end), count, from_revision=older, to_revision=newer)
    with_counts = counts_asked_for(options["columns"], options["text"])

    def prepare(resource: Resource) -> None:
        if isinstance(resource, PushList):
            resource.with_counts = with_counts

    _show(pushes_of(address, given), prepare=prepare, **options)


@perf.command()
@_common
@click.option("--repository", metavar="R", default="autoland", show_default=True)
@click.option("--similar", is_flag=True, help="PUSH is a job's id: list the jobs like it.")
@click.option("--failures", is_flag=True, help="PUSH is a job's id: list its failure lines and bugs like them.")
@click.argument("push")
def jobs(push: str, repository: str, similar: bool, failures: bool, **options: Any) -> None:
    """List the jobs of a PUSH (its id, its revision or its Treeherder address), failures first."""
    from tui.commands.perf_places import jobs_of

    if similar and failures:
        raise UsageError("--similar and --failures list different things.", "Choose one of them.")
    _show(jobs_of(push, repository, "similar" if similar else "failures" if failures else "jobs"), **options)


@perf.command()
@_common
@_framework
@click.option("--repository", metavar="R", default="try", show_default=True, help="Of revisions without REPOSITORY:.")
@click.option("--interval", metavar="T", default="", help="With BASE history: how far back [default: 14d].")
@click.option(
    "--replicates/--no-replicates",
    default=None,
    help="Judge by all replicates of the runs, or by one value a run [default: as the address says, else one value].",
)
@click.option(
    "--subtests-of",
    type=int,
    metavar="ID",
    help="The subtests of this suite instead of the suites; its id in either repository.",
)
@click.argument("base")
@click.argument("new", nargs=-1)
def compare(
    base: str, new: tuple[str, ...], framework: str, repository: str, interval: str, replicates: bool | None,
    subtests_of: int | None, **options: Any,
) -> None:  # fmt: skip
    """Compare what BASE and NEW measured, test by test, by both of Perfherder's methods.

    Each is a revision or REPOSITORY:REVISION; BASE may be [REPOSITORY:]history. Several NEW are each compared with
    BASE; the column "new" says which. BASE alone is a perf.compare address.
    """
    from tui.commands.perf_places import compared

    _show(compared(base, new, repository, framework, _seconds(interval), replicates, subtests_of), **options)
