"""`ciexplore treeherder dataset VERB`: fill a local dataset of performance data, show its views, export it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backends.errors import UsageError
from backends.paths import expand_home, is_file
from tui.commands.common import open_session, warn_no_match
from tui.commands.options import FiniteRange, filter_option, refuse_options
from tui.commands.output import OUTPUT_NAMES, Progress, check_output, emit, output_options, say

if TYPE_CHECKING:
    import polars as pl

    from backends.cancel import CancelToken
    from backends.frames.schema import Schema
    from backends.treeherder.datasets.client import DatasetClient
    from backends.treeherder.datasets.dataset import Dataset, ViewOptions

MAX_FAILURES = 10  # named on stderr; the view `coverage` counts all
_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


def _read_by(read: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """The callback of an option whose text is read by a function; its errors name the option."""

    def callback(ctx: click.Context, param: click.Parameter, text: str | None) -> Any:
        try:
            return None if text is None else read(text)
        except UsageError as error:
            raise UsageError(f"{param.opts[0]}: {error.sentence}", error.hint) from None

    return callback


def _read_quantity(text: str, kind: str) -> int:
    from backends.frames.formats import parse_quantity
    from backends.frames.schema import Kind

    return int(parse_quantity(text, Kind[kind]))


def _read_duration(text: str) -> int:
    seconds = 0 if text in ("0", "0s") else _read_quantity(text, "DURATION")
    if seconds < 0:
        raise UsageError(f"{text[:40]!r} is negative.", "Write it like 10m or 7d.")
    return seconds


def _read_frameworks(text: str) -> tuple[int, ...]:
    """Ids, from names or ids with commas between them."""
    from backends.treeherder.datasets.tables import FRAMEWORK

    ids = {name: number for number, name in FRAMEWORK.items()}
    numbers = []
    for part in filter(None, map(str.strip, text.split(","))):
        if part not in ids and not (part.isascii() and part.isdigit() and len(part) < 10):
            raise UsageError(f"there is no framework {part[:40]!r}.", f"Frameworks: {', '.join(ids)}, or their ids.")
        numbers.append(ids[part] if part in ids else int(part))
    return tuple(numbers)


_TIME = _read_by(lambda text: _read_quantity(text, "TIME"))
_DURATION = _read_by(_read_duration)
_WITHIN = _read_by(lambda text: None if text == "any" else _read_duration(text))
_FRAMEWORKS = _read_by(_read_frameworks)


@click.group()
def dataset() -> None:
    """Local datasets of a repository's performance data: fill, show, export."""


_store_option = click.option("--store", type=_DIRECTORY, required=True, metavar="DIR", help="The dataset.")
_store_or_bucket_option = click.option(
    "--store", required=True, metavar="DIR|URL", help="The dataset; with --engine also s3://BUCKET/PREFIX or gs://..."
)
_repository_option = click.option("--repository", metavar="R", help="Which one, if the dataset has several.")


_VIEW_OPTIONS = ("since", "until", "within", "without_expired", "commits", "tolerance", "excluded")


def _view_options(command: Any) -> Any:
    """How views are calculated: see `_open_dataset`."""
    options = (
        click.option("--since", callback=_TIME, metavar="T", help="Only revisions from then on: 2026-11-20, 30d."),
        click.option("--until", callback=_TIME, metavar="T", help="Only revisions until then."),
        click.option("--within", callback=_WITHIN, metavar="T", default="10m", show_default=True,
                     help="Count only jobs submitted this soon after their push; `any`: all, with backfills and "
                     "retriggers."),
        click.option("--without-expired", is_flag=True,
                     help="Leave out values whose job has expired, to which --within cannot apply."),
        click.option("--commits", type=_FILE, metavar="FILE",
                     help="Count by the commits of this all_commits.jsonl (hg log -Tjson) instead of pushes."),
        click.option("--tolerance", type=FiniteRange(0, 1, min_open=True), metavar="J",
                     help="Join signature groups whose sets of jobs have at least this Jaccard index."),
        click.option("--exclude-framework-ids", "excluded", callback=_FRAMEWORKS, metavar="A,B,...", default="2,6,18",
                     show_default=True, help="Frameworks that rectified counts and relabelling leave out."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def _read_view_options(
    *, since: int | None, until: int | None, within: int | None, without_expired: bool, commits: Path | None,
    tolerance: float | None, excluded: tuple[int, ...], **output: Any,
) -> ViewOptions:  # fmt: skip
    from backends.treeherder.datasets.dataset import PushWindow, ViewOptions

    if since is not None and until is not None and since > until:
        raise UsageError("--since is after --until.", "Swap them.")
    return ViewOptions(PushWindow(since, until, within, not without_expired), commits, tolerance, excluded)


@contextlib.contextmanager
def _open_dataset(path: Path, repository: str | None, **options: Any) -> Iterator[Dataset]:
    from backends.treeherder.datasets.dataset import Dataset
    from backends.treeherder.datasets.store import DatasetStore

    view_options = _read_view_options(**options)
    with DatasetStore(path) as store:
        yield Dataset(store, store.only_repository(repository), view_options)


@contextlib.contextmanager
def _progress_line() -> Iterator[Progress]:
    progress = Progress()
    try:
        yield progress
    finally:
        progress.clear()


@contextlib.contextmanager
def _client(url: str | None, repository: str, rate: float) -> Iterator[tuple[DatasetClient, CancelToken]]:
    from backends.treeherder.datasets.client import DatasetClient, RateLimiter

    with open_session(None, None, treeherder_url=url) as (session, cancel):
        yield DatasetClient(session.http, session.settings.treeherder_url, repository, RateLimiter(rate)), cancel


@dataset.command()
@click.option("--repository", metavar="R", default="autoland", show_default=True, help="As Treeherder names it.")
@_store_option
@click.option("--since", callback=_TIME, metavar="T", help="Pushes from then on: 2026-08-01, 90d.")
@click.option("--interval", callback=_DURATION, metavar="T", help="The same, counted back from now: 90d. Default: 30d.")
@click.option("--frameworks", callback=_FRAMEWORKS, metavar="A,B,...", default="", help="By name or id [default: all].")
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
@click.option("--rate", type=FiniteRange(0), default=8.0, show_default=True, help="Requests/second; 0: no limit.")
@click.option(
    "--fresh", callback=_DURATION, metavar="T", default="10m", show_default=True, help="Minimum age before refetching."
)
@click.option(
    "--settle", callback=_DURATION, metavar="T", default="7d", show_default=True,
    help="Refetch pushes fetched within this time of being pushed: backfills and retriggers come late.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print how many requests it would make; store nothing.")
@click.option("--treeherder-url", "url", metavar="URL", help="Server [default: the setting treeherder_url].")
@output_options
def update(
    repository: str, store: Path, since: int | None, interval: int | None, frameworks: tuple[int, ...], jobs: Any,
    digits: Any, no_alerts: bool, monitored: bool, concurrency: int, rate: float, fresh: int, settle: int,
    dry_run: bool, url: str | None, **output: Any,
) -> int:  # fmt: skip
    """Fill a dataset, or bring it up to date: only what is missing is fetched.

    Can be stopped at any time and resumed; several may run at once.
    """
    from backends.treeherder.datasets.fetch_log import now
    from backends.treeherder.datasets.store import DAY, FETCH_LOG, DatasetStore, check_repository
    from backends.treeherder.datasets.update import update_dataset
    from backends.treeherder.datasets.update_plan import STEPS, UpdateOptions, planned_steps

    if since is not None and interval is not None:
        raise UsageError("--since and --interval exclude each other.", "Give one of them.")
    if not dry_run:
        refuse_options(OUTPUT_NAMES, "is for what --dry-run prints", "Add --dry-run, or leave it out.")
    if no_alerts:
        refuse_options(["monitored"], "includes alerts, and --no-alerts fetches none", "Leave one of them out.")
    until = now()
    start = since if since is not None else until - (30 * DAY if interval is None else interval)
    if start > until:
        raise UsageError("--since is in the future.", "Give the day of the oldest push to fetch.")
    options = UpdateOptions(
        check_repository(repository), start, until, frameworks, jobs, not no_alerts, monitored,
        min_refetch_interval=fresh, final_after=settle, digits=digits,
    )  # fmt: skip
    if dry_run:
        check_output(STEPS, output)
        with _client(url, repository, rate) as (client, cancel), tempfile.TemporaryDirectory() as empty:
            exists = is_file(expand_home(store) / FETCH_LOG)
            with DatasetStore(store if exists else Path(empty) / "store", create=not exists) as opened:
                steps = planned_steps(opened, client, options, cancel)
        emit(STEPS.build(steps), STEPS, **output)
        total = sum(step.requests for step in steps)
        say(f"{total:,} request{'s' * (total != 1)} in total; {client.requests:,} made to find out.")
        return 0
    with _client(url, repository, rate) as (client, cancel), _progress_line() as progress:
        report = update_dataset(store, client, options, cancel=cancel, concurrency=concurrency, progress=progress.show)
    say(report.sentence)
    for note in report.notes:
        say(f"note: {note}")
    for what, reason in report.failures[:MAX_FAILURES]:
        say(f"failed: {what}: {reason}")
    if len(report.failures) > MAX_FAILURES:
        say(f"and {len(report.failures) - MAX_FAILURES:,} more; run it again to retry them.")
    return 1 if report.failures else 0


@dataset.command()
@click.argument("name", metavar="VIEW", required=False)
@_store_or_bucket_option
@_repository_option
@click.option(
    "--engine", type=click.Choice(["polars", "duckdb", "spark"]), default="polars", show_default=True,
    help="Calculate the view here, in DuckDB (extra duckdb), or on the Spark cluster that SPARK_REMOTE names (extra "
    "spark).",
)  # fmt: skip
@filter_option
@_view_options
@output_options
def show(
    name: str | None, store: str, repository: str | None, engine: str, filter_text: str, **options: Any
) -> None:  # fmt: skip
    """Print a view of a dataset; without VIEW, list the views and the data behind them."""
    from backends.cancel import CancelToken
    from backends.resources import read_list
    from backends.treeherder.datasets.lists import VIEW_LIST, DatasetList
    from backends.treeherder.datasets.locators import DatasetViews
    from backends.treeherder.datasets.store import DatasetStore

    if engine != "polars":
        if name is None:
            raise UsageError(f"--engine {engine} calculates a view.", "Name one, or leave out --engine.")
        _print_sql_view(name, store, repository, engine, filter_text, options)
        return
    if name is None:
        refuse_options(_VIEW_OPTIONS, "says how a view is calculated, and none is named", "Name a view.")
    path = _DIRECTORY.convert(store, None, None)
    if "://" in store:
        raise UsageError("The engine polars reads a directory.", "Add --engine duckdb or --engine spark.")
    if name is not None:
        _print_view(name, path, repository, filter_text, options)
        return
    with DatasetStore(path) as opened:  # an error if there is none, where the app lists nothing and offers to fill it
        if repository is not None:
            opened.only_repository(repository)
    gathered = read_list(DatasetList(DatasetViews(str(path), repository or "")), CancelToken())
    for note in gathered.notes:
        say(f"note: {note}")
    _emit_filtered(gathered.frame, VIEW_LIST, filter_text, options)


def _print_sql_view(
    name: str, store: str, repository: str | None, engine: str, filter_text: str, options: dict[str, Any]
) -> None:
    from backends.frames import filters
    from backends.treeherder.datasets.duckdb_engine import open_duckdb
    from backends.treeherder.datasets.spark_engine import open_spark
    from backends.treeherder.datasets.sql_views import check_options, find_sql_view, ignored_options, run_view
    from backends.treeherder.datasets.store_files import open_store_files

    view = find_sql_view(name)
    filters.parse(filter_text, view.schema)
    check_output(view.schema, options)
    view_options = _read_view_options(**options)
    check_options(view_options)
    _refuse_ignored(name, ignored_options(view))
    open_engine: Any = open_spark if engine == "spark" else open_duckdb
    with open_store_files(store, repository, view_options.window) as files, open_engine(files) as opened:
        frame = run_view(view, opened, files, view_options)
    _emit_filtered(frame, view.schema, filter_text, options)


def _print_view(name: str, store: Path, repository: str | None, filter_text: str, options: dict[str, Any]) -> None:
    from backends.frames import filters
    from backends.treeherder.datasets.lists import view_note
    from backends.treeherder.datasets.views import find_view

    view = find_view(name)
    filters.parse(filter_text, view.schema)  # a wrong filter is reported before anything is calculated
    check_output(view.schema, options)
    with _open_dataset(store, repository, **options) as opened:
        with opened.store.reading():
            frame, note = view.build(opened), view_note(opened, view.needs)
        _refuse_ignored(name, opened.ignored_options())
        if note:
            say(f"note: {note}")
    _emit_filtered(frame, view.schema, filter_text, options)


def _refuse_ignored(view: str, options: list[str]) -> None:
    refuse_options(options, f"has no effect on the view {view}")


def _emit_filtered(frame: pl.DataFrame, schema: Schema, text: str, options: dict[str, Any]) -> None:
    from backends.frames import filters

    condition = filters.parse(text, schema)
    rows = frame if condition.is_empty else frame.filter(condition.mask(frame))
    if rows.is_empty() and not frame.is_empty():
        warn_no_match(frame.height, ("rows", "rows"))
    emit(rows, schema, **{name: options[name] for name in OUTPUT_NAMES})


@dataset.command()
@_store_option
@_repository_option
@click.option("--compat", type=_DIRECTORY, metavar="DIR", help="Write all files of the original scripts into DIR.")
@click.option("--view", "name", metavar="VIEW", help="Or write one view.")
@click.option("--mirror", metavar="URL", help="Or copy the dataset itself to s3://BUCKET/PREFIX or gs://BUCKET/PREFIX.")
@click.option(
    "--lists", type=click.Choice(["python", "json"]), default="python", show_default=True,
    help="--compat: list format in CSV cells; the original's is Python's.",
)  # fmt: skip
@click.option(
    "--relabel", "structure", type=_FILE, metavar="FILE", help="--compat: also relabel this perf_llm_struc.jsonl."
)
@_view_options
@output_options
def export(
    store: Path, repository: str | None, compat: Path | None, name: str | None, mirror: str | None, lists: Any,
    structure: Path | None, **options: Any,
) -> None:  # fmt: skip
    """Write a dataset in the formats of the original scripts, or one view of it."""
    from backends.treeherder.datasets import legacy_export

    if sum(target is not None for target in (compat, name, mirror)) != 1:
        raise UsageError("Say what to export.", "Give one of --compat DIR, --view VIEW, --mirror URL.")
    if compat is None:
        refuse_options(["lists", "structure"], "is for the files of --compat", "Add --compat DIR, or leave it out.")
    else:
        printed = [option for option in OUTPUT_NAMES if option != "overwrite"]
        refuse_options(printed, "is for --view; --compat writes files of their own")
    if mirror is not None:
        refuse_options(["repository", *_VIEW_OPTIONS, *OUTPUT_NAMES], "has no effect on --mirror, which copies all")
        _mirror(store, mirror)
    elif name is not None:
        _print_view(name, store, repository, "", options)
    elif compat is not None:
        with (
            open_session(None, None) as (_, cancel),
            _open_dataset(store, repository, **options) as opened,
            _progress_line() as progress,
        ):
            done = legacy_export.export(
                opened, compat, lists=lists, structure=structure, overwrite=options["overwrite"], cancel=cancel,
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

    with open_session(None, None) as (_, cancel), DatasetStore(store) as opened, _progress_line() as progress:
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
        click.echo(f"{store / file.name}  {state}; fetched again: {file.refetched}")
    if files:
        say(f"{len(files):,} damaged or missing; `ciexplore treeherder dataset update` fetches what they held.")
    else:
        say("No file of the dataset is damaged.")
