"""`ciexplore treeherder dataset VERB`: fill a local dataset of performance data, show its views, export it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backends.errors import UsageError
from tui.commands.listing import say_none_fits, session_of
from tui.commands.options import filter_option
from tui.commands.output import Progress, check_output, emit, output_options, say

if TYPE_CHECKING:
    import polars as pl

    from backends.frames.schema import Schema
    from backends.treeherder.datasets.dataset import Dataset
    from backends.treeherder.datasets.update_plan import UpdateOptions

MAX_FAILURES = 10  # named on stderr; the view `coverage` counts all


@click.group()
def dataset() -> None:
    """Local datasets of a repository's performance data: fill, show, export."""


_store_option = click.option(
    "--store", type=click.Path(file_okay=False, path_type=Path), required=True, metavar="DIR", help="The dataset."
)
_repository_option = click.option("--repository", metavar="R", help="Which one, if the dataset has several.")


def _view_options(command: Any) -> Any:
    """How views are calculated; the values of these options are the arguments of `_parse_view_options`."""
    options = (
        click.option("--since", metavar="T", help="Only revisions from then on: 2026-11-20, 30d."),
        click.option("--until", metavar="T", help="Only revisions until then."),
        click.option("--within", metavar="T", default="10m", show_default=True,
                     help="Count only jobs submitted this soon after their push; `any`: all, with backfills and "
                     "retriggers."),
        click.option("--without-expired", is_flag=True,
                     help="Leave out values whose job has expired, to which --within cannot apply."),
        click.option("--commits", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
                     help="Count by the commits of this all_commits.jsonl (hg log -Tjson) instead of pushes."),
        click.option("--tolerance", type=click.FloatRange(0, 1, min_open=True), metavar="J",
                     help="Join signature groups whose sets of jobs have at least this Jaccard index."),
        click.option("--exclude-framework-ids", "excluded", metavar="A,B,...", default="2,6,18", show_default=True,
                     help="Frameworks that rectified counts and relabelling leave out."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


_VIEW_OPTIONS = ("since", "until", "within", "without_expired", "commits", "tolerance", "excluded")


@dataset.command()
@click.option("--repository", metavar="R", default="autoland", show_default=True, help="As Treeherder names it.")
@_store_option
@click.option("--since", metavar="T", help="Pushes from then on: 2026-08-01, 90d.")
@click.option("--interval", metavar="T", help="The same, counted back from now: 90d. Default: 30d.")
@click.option("--frameworks", metavar="A,B,...", help="Only these, by name or id; default: all.")
@click.option(
    "--jobs", type=click.Choice(["sample", "all", "none"]), default="sample", show_default=True,
    help="Details of jobs: three per signature and those of the busiest push, of all, or of none.",
)  # fmt: skip
@click.option(
    "--digits", type=click.Choice(["small", "all", "none"]), default="small", show_default=True,
    help="Values with all their digits, one request per signature: signatures with values below 1, all, or none. "
    "Others have the two decimals that the server returns for pushes.",
)  # fmt: skip
@click.option("--no-alerts", is_flag=True, help="Do not fetch alerts.")
@click.option("--monitored", is_flag=True, help="Include monitored (unsheriffed) alerts.")
@click.option("--concurrency", type=click.IntRange(1, 16), default=4, show_default=True, help="Parallel requests.")
@click.option(
    "--rate", type=click.FloatRange(0), default=8.0, show_default=True, help="Requests per second; 0: no limit."
)
@click.option("--fresh", metavar="T", default="10m", show_default=True, help="Minimum age before refetching.")
@click.option(
    "--settle", metavar="T", default="7d", show_default=True,
    help="Refetch pushes fetched within this time of being pushed: backfills and retriggers come late.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print how many requests it would make; store nothing.")
@click.option(
    "--treeherder-url", "url", metavar="URL", help="Server [default: CIEXPLORE_TREEHERDER_URL, or Mozilla's]."
)
@output_options
def update(
    repository: str, store: Path, since: str | None, interval: str | None, frameworks: str | None, jobs: Any,
    digits: Any, no_alerts: bool, monitored: bool, concurrency: int, rate: float, fresh: str, settle: str,
    dry_run: bool, url: str | None, **output: Any,
) -> int:  # fmt: skip
    """Fill a dataset, or bring it up to date: only what is missing is fetched.

    Can be stopped at any time and resumed; several may run at once.
    """
    from backends.treeherder.datasets.fetch_log import now
    from backends.treeherder.datasets.store import check_repository
    from backends.treeherder.datasets.update_plan import UpdateOptions

    if since and interval:
        raise UsageError("--since and --interval exclude each other.", "Give one of them.")
    until = now()
    start = _parse_time(since, "--since") if since else until - _parse_seconds(interval or "30d", "--interval")
    if start > until:
        raise UsageError("--since is in the future.", "Give the day of the oldest push to fetch.")
    options = UpdateOptions(
        check_repository(repository), start, until, _parse_frameworks(frameworks), jobs, not no_alerts, monitored,
        _parse_seconds(fresh, "--fresh"), _parse_seconds(settle, "--settle"), digits=digits,
    )  # fmt: skip
    return (_print_plan if dry_run else _run_update)(store, options, rate, url, concurrency, output)


def _run_update(
    store: Path, options: UpdateOptions, rate: float, url: str | None, concurrency: int, output: dict[str, Any]
) -> int:
    from backends.treeherder.datasets.client import DatasetClient, RateLimiter
    from backends.treeherder.datasets.store import DatasetStore
    from backends.treeherder.datasets.update import DatasetUpdate

    with (
        session_of(None, None, treeherder_url=url) as (session, cancel),
        DatasetStore(store, create=True) as opened,
        _progress_line() as progress,
    ):
        server = session.settings.treeherder_url
        client = DatasetClient(session.http, server, options.repository, RateLimiter(rate))
        report = DatasetUpdate(
            opened, client, options, cancel=cancel, concurrency=concurrency,
            progress=lambda text: progress.show(f"{client.requests:,} request{'s' * (client.requests != 1)}: {text}"),
        ).run()  # fmt: skip
    say(report.sentence)
    for note in report.notes:
        say(f"note: {note}")
    for what, reason in report.failures[:MAX_FAILURES]:
        say(f"failed: {what}: {reason}")
    if len(report.failures) > MAX_FAILURES:
        say(f"and {len(report.failures) - MAX_FAILURES:,} more; run it again to retry them.")
    return 1 if report.failures else 0


def _print_plan(
    store: Path, options: UpdateOptions, rate: float, url: str | None, concurrency: int, output: dict[str, Any]
) -> int:
    from backends.treeherder.datasets.client import DatasetClient, RateLimiter
    from backends.treeherder.datasets.store import FETCH_LOG, DatasetStore
    from backends.treeherder.datasets.update_plan import STEPS, planned_steps

    check_output(STEPS, output)
    with session_of(None, None, treeherder_url=url) as (session, cancel), tempfile.TemporaryDirectory() as empty:
        exists = (store.expanduser() / FETCH_LOG).is_file()
        with DatasetStore(store if exists else Path(empty) / "store", create=not exists) as opened:
            server = session.settings.treeherder_url
            client = DatasetClient(session.http, server, options.repository, RateLimiter(rate))
            steps = planned_steps(opened, client, options, cancel)
    emit(STEPS.build(steps), STEPS, **output)
    total = sum(step.requests for step in steps)
    say(f"{total:,} request{'s' * (total != 1)} in total; {client.requests:,} made to find out.")
    return 0


@dataset.command()
@click.argument("name", metavar="VIEW", required=False)
@_store_option
@_repository_option
@filter_option
@_view_options
@output_options
def show(name: str | None, store: Path, repository: str | None, filter_text: str, **rest: Any) -> None:
    """Print a view of a dataset; without VIEW, list the views and the data behind them."""
    options, output = _split_options(rest)
    if name is None:
        _list_views(store, repository, filter_text, output)
    else:
        _print_view(name, store, repository, filter_text, options, output)


def _list_views(store: Path, repository: str | None, filter_text: str, output: dict[str, Any]) -> None:
    from backends.cancel import CancelToken
    from backends.resources import gather
    from backends.treeherder.datasets.lists import VIEW_LIST, DatasetList
    from backends.treeherder.datasets.locators import DatasetViews
    from backends.treeherder.datasets.store import DatasetStore

    with DatasetStore(store) as opened:  # an error if there is none, where the app lists nothing and offers to fill it
        if repository is not None:
            opened.only_repository(repository)
    gathered = gather(DatasetList(DatasetViews(str(store), repository or "")), CancelToken())
    for note in gathered.notes:
        say(f"note: {note}")
    _emit_filtered(gathered.frame, VIEW_LIST, filter_text, output)


def _print_view(
    name: str, store: Path, repository: str | None, filter_text: str, options: dict[str, Any], output: dict[str, Any]
) -> None:
    from backends.frames import filters
    from backends.treeherder.datasets.lists import view_note
    from backends.treeherder.datasets.views import find_view

    view = find_view(name)
    filters.parse(filter_text, view.schema)  # a wrong filter is reported before anything is calculated
    check_output(view.schema, output)
    with _open_dataset(store, repository, options) as opened:
        with opened.store.reading():
            frame, note = view.build(opened), view_note(opened, view.needs)
        if note:
            say(f"note: {note}")
    _emit_filtered(frame, view.schema, filter_text, output)


def _emit_filtered(frame: pl.DataFrame, schema: Schema, text: str, output: dict[str, Any]) -> None:
    from backends.frames import filters

    condition = filters.parse(text, schema)
    rows = frame if condition.is_empty else frame.filter(condition.mask(frame))
    if rows.is_empty() and not frame.is_empty():
        say_none_fits(frame.height, ("rows", "rows"))
    emit(rows, schema, **output)


@dataset.command()
@_store_option
@_repository_option
@click.option(
    "--compat", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Write all files of the original scripts into DIR.",
)  # fmt: skip
@click.option("--view", "name", metavar="VIEW", help="Or write one view.")
@click.option("--mirror", metavar="URL", help="Or copy the dataset itself to s3://BUCKET/PREFIX or gs://BUCKET/PREFIX.")
@click.option(
    "--lists", type=click.Choice(["python", "json"]), default="python", show_default=True,
    help="--compat: list format in CSV cells; the original's is Python's.",
)  # fmt: skip
@click.option(
    "--relabel", "structure", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="--compat: relabel this perf_llm_struc.jsonl, too, with a report.",
)  # fmt: skip
@_view_options
@output_options
def export(
    store: Path, repository: str | None, compat: Path | None, name: str | None, mirror: str | None, lists: Any,
    structure: Path | None, **rest: Any,
) -> None:  # fmt: skip
    """Write a dataset in the formats of the original scripts, or one view of it."""
    options, output = _split_options(rest)
    if sum(target is not None for target in (compat, name, mirror)) != 1:
        raise UsageError(
            "Say what to export.", "Give one of --compat DIR, --view VIEW, --mirror URL."
        )
    if mirror is not None:
        _mirror(store, mirror)
    elif name is not None:
        _print_view(name, store, repository, "", options, output)
    else:
        from backends.treeherder.datasets import legacy_export

        assert compat is not None
        with (
            session_of(None, None) as (_, cancel),
            _open_dataset(store, repository, options) as opened,
            _progress_line() as progress,
        ):
            done = legacy_export.export(
                opened, compat, lists=lists, structure=structure, overwrite=output["overwrite"], cancel=cancel,
                progress=progress.show,
            )  # fmt: skip
        for note in done.notes:
            say(f"note: {note}")
        for file, state in done.files:
            click.echo(f"{state:10} {compat / file}")


def _mirror(store: Path, url: str) -> None:
    from backends.frames.formats import format_bytes
    from backends.treeherder.datasets.mirror import mirror
    from backends.treeherder.datasets.store import DatasetStore

    with session_of(None, None) as (_, cancel), DatasetStore(store) as opened, _progress_line() as progress:
        done = mirror(opened, url, cancel=cancel, progress=progress.show)
    say(f"{done.copied:,} files copied ({format_bytes(done.size)}), {done.unchanged:,} unchanged.")


@dataset.command()
@_store_option
def repair(store: Path) -> None:
    """Set damaged files of a dataset aside and record missing ones, so that the next update fetches what they held.
    Asks no server."""
    from backends.cancel import CancelToken
    from backends.treeherder.datasets.store import repair as repair_store

    files = repair_store(store, CancelToken())
    for file in files:
        state = "missing" if file.missing else f"set aside as {store / file.moved_to}" if file.moved_to else "removed"
        click.echo(f"{store / file.name}  {state}  again: {file.refetched}")
    if files:
        say(f"{len(files):,} damaged or missing; `ciexplore treeherder dataset update` fetches what they held.")
    else:
        say("No file of the dataset is damaged.")


@contextlib.contextmanager
def _progress_line() -> Iterator[Progress]:
    progress = Progress()
    try:
        yield progress
    finally:
        progress.clear()


@contextlib.contextmanager
def _open_dataset(store: Path, repository: str | None, options: dict[str, Any]) -> Iterator[Dataset]:
    from backends.treeherder.datasets.dataset import Dataset, PushWindow, ViewOptions
    from backends.treeherder.datasets.store import DatasetStore

    since, until, within = options["since"], options["until"], options["within"]
    window = PushWindow(
        _parse_time(since, "--since") if since else None,
        _parse_time(until, "--until") if until else None,
        None if within == "any" else _parse_seconds(within, "--within"),
        not options["without_expired"],
    )
    if window.since is not None and window.until is not None and window.since > window.until:
        raise UsageError("--since is after --until.", "Swap them.")
    excluded = _parse_numbers(options["excluded"], "--exclude-framework-ids")
    with DatasetStore(store) as opened:
        view_options = ViewOptions(window, options["commits"], options["tolerance"], excluded)
        yield Dataset(opened, opened.only_repository(repository), view_options)


def _split_options(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(values of the options for views, of those for output)"""
    return {name: values.pop(name) for name in _VIEW_OPTIONS}, values


def _parse_seconds(text: str, option: str) -> int:
    return int(_parse_quantity(text, option, "DURATION")) if text not in ("0", "0s") else 0


def _parse_time(text: str, option: str) -> int:
    return int(_parse_quantity(text, option, "TIME"))


def _parse_quantity(text: str, option: str, kind: str) -> float:
    from backends.frames.schema import Kind
    from backends.frames.units import QuantityError, parse_quantity

    try:
        return parse_quantity(text, Kind[kind])
    except QuantityError as error:
        raise UsageError(f"{option}: {error.sentence}", error.hint) from None


def _parse_numbers(text: str, option: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise UsageError(f"{option} takes numbers separated by commas.", "Write it like this: 2,6,18.")
    return tuple(map(int, parts))


def _parse_frameworks(text: str | None) -> tuple[int, ...]:
    from backends.treeherder.datasets.tables import FRAMEWORK

    ids = {name: str(number) for number, name in FRAMEWORK.items()}
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    unknown = [name for name in names if name not in ids and not name.isdigit()]
    if unknown:
        raise UsageError(f"There is no framework {unknown[0]!r}.", f"Frameworks: {', '.join(ids)}.")
    return _parse_numbers(",".join(ids.get(name, name) for name in names), "--frameworks")
