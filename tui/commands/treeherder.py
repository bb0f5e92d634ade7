"""Hand-written verbs of `ciexplore treeherder`: those whose arguments say more than the fields of a locator.

The others (`alerts`, `jobs`, ...) are derived from `backends/treeherder/locators.py` by `tui.commands.verbs`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from backends.errors import UsageError
from tui.commands.options import connection_options, filter_option, refuse_options
from tui.commands.output import check_output, emit, output_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from backends.locators import Locator
    from backends.resources import Resource
    from backends.treeherder.locators import Compare, CompareByHash, CompareByLandingJob, ComparedValues, Pushes, Series


@click.group()
def treeherder() -> None:
    """Performance signatures, series, alerts and comparisons; pushes and jobs of Treeherder."""


def _common(command: Any) -> Any:
    url = click.option("--treeherder-url", metavar="URL", help="Server [default: the setting treeherder_url].")
    for option in (filter_option, url, connection_options, output_options):
        command = option(command)
    return command


_interval = click.option("--interval", metavar="T", default="", help="How far back, e.g. 2d or 12w [default: 14d].")


def _show(
    locator: Locator,
    treeherder_url: str | None,
    mode: str | None,
    filter_text: str,
    prepare: Callable[[Resource], None] = lambda resource: None,
    **output: Any,
) -> None:
    from tui.commands.common import open_and_read, open_session

    def check(resource: Resource) -> None:
        prepare(resource)
        check_output(resource.schema, output)

    with open_session(None, mode, treeherder_url=treeherder_url) as (session, cancel):
        resource, gathered = open_and_read(session, cancel, locator, filter_text, check)
        emit(gathered.frame, resource.schema, resource=resource, **output)


def _seconds(text: str) -> int | None:
    from backends.treeherder.base import parse_seconds

    return parse_seconds(text) if text else None


@treeherder.command()
@_common
@click.option("--repository", metavar="R", default="autoland", show_default=True, help="The repository of the ids.")
@_interval
@click.option("--since", "start", metavar="WHEN", default="", help="Instead of --interval, e.g. 2026-11-01.")
@click.option("--until", "end", metavar="WHEN", default="", help="With --since [default: now].")
@click.option("--replicates", is_flag=True, help="One row a replicate instead of one a value.")
@click.argument("ids", metavar="ID", nargs=-1, required=True)
def series(
    ids: tuple[str, ...], repository: str, interval: str, start: str, end: str, replicates: bool, **options: Any
) -> None:
    """List the values of up to six signatures over time, with changes, alerts and change-point candidates.

    ID is a signature's id, REPOSITORY:ID, or the URL of a Perfherder graph.
    """
    if all(":" in text for text in ids):
        refuse_options(["repository"], "is of ids without one, and all of these name theirs")
    _show(_read_series(ids, repository, _seconds(interval), _read_period(start, end), replicates), **options)


def _read_period(start: str, end: str) -> tuple[int | None, int | None]:
    """Epoch seconds of two times as the filter language writes them; None for what is not given."""
    from backends.frames.formats import parse_quantity
    from backends.frames.schema import Kind

    if end and not start:
        raise UsageError("--until belongs to --since.", "Give --since too, or --interval.")
    first, last = (int(parse_quantity(text, Kind.TIME)) if text else None for text in (start, end))
    if first is not None and last is not None and first >= last:
        raise UsageError("--since is not before --until.", "Swap them.")
    return first, last


def _read_series(
    ids: tuple[str, ...], repository: str, interval: int | None, period: tuple[int | None, int | None], replicates: bool
) -> Series:
    from backends.treeherder.locators import HASH, NUMBER, REPOSITORY, Series, SeriesRef
    from backends.treeherder.urls import find_locator

    if interval is not None and period[0] is not None:
        raise UsageError("--interval and --since both say since when.", "Give one of them.")
    refs: list[SeriesRef] = []
    for text in ids:
        name, colon, signature = text.rpartition(":")
        name = name if colon else repository
        if (NUMBER.fullmatch(signature) or HASH.fullmatch(signature)) and REPOSITORY.fullmatch(name):
            refs.append(SeriesRef(name, signature))
            continue
        found = find_locator(text)
        if not isinstance(found, Series):
            raise UsageError(f"{text[:60]!r} is not a series.", "Write a signature's id, or REPOSITORY:ID.")
        if len(ids) == 1 and period[0] is None and interval is None:
            return replace(found, replicates=replicates or found.replicates)
        refs += found.series
    return Series(tuple(dict.fromkeys(refs)), interval, *period, replicates)


@treeherder.command()
@_common
@click.option("--repository", metavar="R", default="", help="E.g. autoland or try.")
@click.option("--author", metavar="A", default="", help="Pushed with this e-mail; -A excludes it.")
@click.option("--search", metavar="WORDS", default="", help="With these words in a commit's message.")
@click.option("--since", "start", metavar="DAY", default="", help="Since this day, e.g. 2026-11-01.")
@click.option("--until", "end", metavar="DAY", default="", help="Until this day, inclusive.")
@click.option("--from-revision", metavar="REV", default="", help="From this push on, inclusive.")
@click.option("--to-revision", metavar="REV", default="", help="Up to this push, inclusive.")
@click.option("--count", type=click.IntRange(1, 20_000), help="At most this many, the newest [default: 100].")
@click.argument("url", required=False)
def pushes(
    url: str | None, repository: str, author: str, search: str, start: str, end: str, from_revision: str,
    to_revision: str, count: int | None, **options: Any,
) -> None:  # fmt: skip
    """List the pushes of a repository with the results of their jobs, newest first.

    URL: of a page of jobs, e.g. of the range that an alert links to (.../jobs?repo=R&fromchange=A&tochange=B).
    The results take one request a push; with --columns they are fetched only if named.
    """
    from backends.treeherder.base import parse_day
    from backends.treeherder.locators import Pushes
    from backends.treeherder.pushes import COUNTS, PushList

    older, newer = _read_revision(from_revision), _read_revision(to_revision)
    since, until = (parse_day(text) if text else "" for text in (start, end))
    given = Pushes(repository, author, search, since, until, count, from_revision=older, to_revision=newer)
    columns, text = options["columns"], options["filter_text"]
    names = set(COUNTS) if columns is None else {name.strip() for name in columns.split(",")}
    with_counts = any(name in names or re.search(rf"\b{name}\b", text) for name in COUNTS)

    def prepare(resource: Resource) -> None:
        if isinstance(resource, PushList):
            resource.with_counts = with_counts

    _show(_read_pushes(url, given), prepare=prepare, **options)


def _read_revision(text: str) -> str:
    from backends.treeherder.locators import REVISION

    if text and not REVISION.fullmatch(text.lower()):
        raise UsageError(f"{text[:60]!r} is not a revision.", "Write 8 to 40 hex digits.")
    return text.lower()


def _read_pushes(text: str | None, given: Pushes) -> Pushes:
    """The list of pushes that a URL names, with what is `given` beside it; without one, what is given."""
    from backends.locators.pasted import PastedText
    from backends.treeherder.locators import LandoPush, Pushes
    from backends.treeherder.urls import find_locator, find_push

    if text is None:
        if not given.repository:
            raise UsageError("Which repository?", "Add --repository autoland, or another, or the URL of a page.")
        return given
    push = find_push(text)
    found = (
        find_locator(text)
        if push is None
        else Pushes(push.repository, server=push.server, from_revision=push.revision, to_revision=push.revision)
    )
    if isinstance(found, LandoPush):
        raise UsageError(
            "This URL is of one push, that of a landing job.", "`ciexplore treeherder jobs URL` lists its jobs."
        )
    if not isinstance(found, Pushes):
        raise UsageError(
            f"{PastedText(text).quote()} is not a list of pushes.",
            "Copy the URL of Treeherder's page of jobs, e.g. https://treeherder.mozilla.org/jobs?repo=autoland.",
        )
    names = ("repository", "author", "words", "start", "end", "count", "from_revision", "to_revision")
    return replace(found, **{name: value for name in names if (value := getattr(given, name))})


@treeherder.command()
@_common
@click.option("--framework", metavar="F", default="", help="By name or id, e.g. browsertime or 13.")
@click.option("--repository", metavar="R", default="try", show_default=True, help="Of revisions without REPOSITORY:.")
@click.option("--interval", metavar="T", default="", help="With BASE history: how far back [default: 14d].")
@click.option(
    "--replicates/--no-replicates",
    default=None,
    help="Judge by all replicates of the runs, or by one value a run [default: as the URL says, else one value].",
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
    BASE; the column "new" says which. BASE alone is a perf.compare URL.
    """
    seconds = _seconds(interval)
    if all(":" in text for text in (base, *new)):
        refuse_options(["repository"], "is of revisions without one, and all of these name theirs")
    locator = (
        _read_two_sides(base, new, repository, framework, seconds, bool(replicates), subtests_of)
        if new
        else _read_comparison(base, framework, seconds, replicates, subtests_of)
    )
    _show(locator, **options)


def _read_comparison(
    text: str, framework: str, interval: int | None, replicates: bool | None, parent: int | None
) -> Compare | CompareByHash | CompareByLandingJob | ComparedValues:
    """What a URL compares. `replicates` None: as it says. `parent`: a suite's id in any repository."""
    from backends.treeherder.locators import Compare, CompareByHash, CompareByLandingJob, ComparedValues
    from backends.treeherder.urls import find_locator

    found = find_locator(text)
    if isinstance(found, ComparedValues):
        names = ["framework", "interval", "replicates", "subtests_of"]
        refuse_options(names, "has no effect on this URL, which names the values that are compared")
        return found
    if not isinstance(found, Compare | CompareByHash | CompareByLandingJob):
        raise UsageError("There is nothing to compare BASE with.", "Give NEW too, or the URL of a comparison.")
    found = replace(
        found, framework=framework or found.framework, replicates=found.replicates if replicates is None else replicates
    )
    if isinstance(found, Compare):
        if parent is not None:
            found = replace(found, base_parent=parent, new_parent=parent)
        return found if interval is None else replace(found, interval=interval)
    if parent is not None or interval is not None:
        raise UsageError(
            "--subtests-of and --interval need revisions, which this URL does not name.",
            "Open the URL without them first.",
        )
    return found


def _read_two_sides(
    base: str,
    news: tuple[str, ...],
    repository: str,
    framework: str,
    interval: int | None,
    replicates: bool,
    parent: int | None,
) -> Compare:
    from backends.treeherder.locators import Compare
    from backends.treeherder.urls import find_push

    before, after = _read_side(base, repository), tuple(_read_side(new, repository) for new in news)
    if not all(revision for _, revision in after):
        raise UsageError("NEW must be a revision.", "Only BASE can be history.")
    if before[1] and interval is not None:
        raise UsageError("--interval belongs to BASE history.", "Leave it out, or write history for BASE.")
    named = [find_push(text) for text in (base, *news) if "://" in text]
    servers = {push.server for push in named if push is not None and push.server}
    if len(servers) > 1:
        raise UsageError("These URLs are of two servers.", "Compare pushes of one Treeherder.")
    return Compare(*before, *after[0], framework, parent, parent, interval, replicates, "".join(servers), after[1:])


def _read_side(text: str, repository: str) -> tuple[str, str]:
    """(repository, revision); the revision is "" for history."""
    from backends.treeherder.locators import REPOSITORY, REVISION
    from backends.treeherder.urls import find_push

    history = re.fullmatch(r"(?:([^:]+):)?history", text)
    if history is not None:
        return history[1] or repository, ""
    name, colon, revision = text.rpartition(":")
    name, revision = name if colon else repository, revision.lower()
    if REPOSITORY.fullmatch(name) and REVISION.fullmatch(revision):
        return name, revision
    push = find_push(text)
    if push is not None:
        return push.repository, push.revision
    raise UsageError(
        f"{text[:60]!r} is not a revision.",
        "Write 8 to 40 hex digits, REPOSITORY:REVISION, or the Treeherder URL of a push.",
    )
