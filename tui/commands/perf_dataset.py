"""`ciexplore perf dataset VERB`: fill a store of performance data, look at it, hand it on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backends.errors import UsageError
from tui.commands.listing import say_none_fits, session_of
from tui.commands.output import Progress, check_output, emit, output_options, say

if TYPE_CHECKING:
    import polars as pl

    from backends.treeherder.datasets.update import Report
    from backends.treeherder.datasets.views import Dataset, Options
    from backends.treeherder.datasets.wanted import Wanted

TOLD = 10  # failures named on stderr; the view `coverage` counts all


@click.group()
def dataset() -> None:
    """Performance data of a repository as a local dataset: fill it, look at it, export it."""


_STORE = click.option(
    "--store", type=click.Path(file_okay=False, path_type=Path), required=True, metavar="DIR", help="The dataset."
)
_WINDOW = (
    click.option("--since", metavar="T", help="Only revisions from then on: 2026-11-20, 30d."),
    click.option("--until", metavar="T", help="Only revisions until then."),
    click.option(
        "--within", metavar="T", default="10m", show_default=True,
        help="Count only jobs that were asked for so soon after their push; `any`: backfills and retriggers, too.",
    ),
    click.option(
        "--without-expired", is_flag=True,
        help="Leave out values whose job has expired, for which --within cannot be told.",
    ),
    click.option(
        "--commits", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
        help="Count by the commits of this all_commits.jsonl (hg log -Tjson) in place of pushes.",
    ),
    click.option(
        "--tolerance", type=click.FloatRange(0, 1, min_open=True), metavar="J",
        help="Join signature groups whose sets of jobs have at least this Jaccard index.",
    ),
    click.option(
        "--exclude-framework-ids", "excluded", metavar="A,B,...", default="2,6,18", show_default=True,
        help="Frameworks that rectified counts and relabelling leave out.",
    ),
)  # fmt: skip


def _choices(command: Any) -> Any:
    for option in reversed(_WINDOW):
        command = option(command)
    return command


@dataset.command()
@click.option("--repository", metavar="R", default="autoland", show_default=True, help="As Treeherder names it.")
@_STORE
@click.option("--since", metavar="T", help="Pushes from then on: 2026-08-01, 90d.")
@click.option("--interval", metavar="T", help="The same, counted back from now: 90d. Default: 30d.")
@click.option("--frameworks", metavar="A,B,...", help="Only these, by name or id; default: all.")
@click.option(
    "--jobs", type=click.Choice(["sample", "all", "none"]), default="sample", show_default=True,
    help="Details of jobs: three a signature and the busiest push's, of all, or of none.",
)  # fmt: skip
@click.option(
    "--digits",
    type=click.Choice(["small", "all", "none"]),
    default="small",
    show_default=True,
    help="Values with all their digits, a request a signature: where some are below 1, of all, or of none. "
    "Else they have the two decimals that the server gives for whole pushes.",
)
@click.option("--no-alerts", is_flag=True, help="Leave the alerts alone.")
@click.option("--monitored", is_flag=True, help="Monitored alerts, too, which sheriffs do not look at.")
@click.option("--concurrency", type=click.IntRange(1, 16), default=4, show_default=True, help="Requests at a time.")
@click.option(
    "--rate", type=click.FloatRange(0), default=8.0, show_default=True, help="Requests a second; 0: no limit."
)
@click.option(
    "--fresh", metavar="T", default="10m", show_default=True, help="Do not ask again what was asked so lately."
)
@click.option(
    "--settle", metavar="T", default="7d", show_default=True,
    help="Ask again for pushes that were younger than this when asked: backfills and retriggers come late.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print how many requests it will take; keep nothing.")
@click.option(
    "--treeherder-url", "url", metavar="URL", help="Server [default: CIEXPLORE_TREEHERDER_URL, or Mozilla's]."
)
@output_options
def update(
    repository: str, store: Path, since: str | None, interval: str | None, frameworks: str | None, jobs: Any,
    digits: Any, no_alerts: bool, monitored: bool, concurrency: int, rate: float, fresh: str, settle: str,
    dry_run: bool, url: str | None, **output: Any,
) -> int:  # fmt: skip
    """Fill a dataset, or bring it up to date: only what is not known yet is asked for.

    May be stopped at any moment and run again, also by several at once.
    """
    from backends.treeherder.datasets.ledger import now
    from backends.treeherder.datasets.wanted import Wanted

    if since and interval:
        raise UsageError("--since and --interval say the same thing.", "Give one of them.")
    until = now()
    begin = _moment(since, "--since") if since else until - _seconds(interval or "30d", "--interval")
    if begin > until:
        raise UsageError("--since is in the future.", "Name the day of the oldest push that is meant.")
    wanted = Wanted(
        repository, begin, until, _frameworks(frameworks), jobs, not no_alerts, monitored,
        _seconds(fresh, "--fresh"), _seconds(settle, "--settle"), digits=digits,
    )  # fmt: skip
    if dry_run:
        _dry_run(store, wanted, rate, url, output)
        return 0
    report = _run(store, wanted, concurrency, rate, url)
    say(report.sentence)
    for note in report.notes:
        say(f"note: {note}")
    for what, why in report.problems[:TOLD]:
        say(f"failed: {what}: {why}")
    if len(report.problems) > TOLD:
        say(f"and {len(report.problems) - TOLD:,} more; run it again to ask for them anew.")
    return 1 if report.problems else 0


def _run(store: Path, wanted: Wanted, concurrency: int, rate: float, url: str | None) -> Report:
    from backends.treeherder.datasets.asking import Pace, Treeherder
    from backends.treeherder.datasets.store import Store, checked
    from backends.treeherder.datasets.update import Update

    checked(wanted.repository)
    progress = Progress()
    with session_of(None, None, treeherder_url=url) as (session, cancel), Store(store, create=True) as opened:
        server = Treeherder(session.http, session.settings.treeherder_url, wanted.repository, Pace(rate))
        work = Update(
            opened, server, wanted, cancel=cancel, concurrency=concurrency,
            progress=lambda words: progress.show(f"{server.requests:,} request{'s' * (server.requests != 1)}: {words}"),
        )  # fmt: skip
        try:
            return work.run()
        finally:
            progress.clear()


def _dry_run(store: Path, wanted: Wanted, rate: float, url: str | None, output: Any) -> None:
    import tempfile

    import polars as pl

    from backends.treeherder.datasets.asking import Pace, Treeherder
    from backends.treeherder.datasets.dry_run import STEPS, steps_of
    from backends.treeherder.datasets.store import LEDGER, Store, checked

    checked(wanted.repository)
    check_output(STEPS, output)
    with session_of(None, None, treeherder_url=url) as (session, cancel), tempfile.TemporaryDirectory() as empty:
        there = (store.expanduser() / LEDGER).is_file()
        with Store(store if there else Path(empty) / "store", create=not there) as opened:
            server = Treeherder(session.http, session.settings.treeherder_url, wanted.repository, Pace(rate))
            steps = steps_of(opened, server, wanted, cancel)
            asked = server.requests
    total = sum(step.requests for step in steps)
    rows = [(step.name, step.requests, step.sure, step.why) for step in steps]
    emit(pl.DataFrame(rows, schema=STEPS.polars(), orient="row"), STEPS, **output)
    say(f"{total:,} request{'s' * (total != 1)} in all; {asked:,} made to find out.")


@dataset.command()
@click.argument("name", metavar="VIEW", required=False)
@_STORE
@click.option("--repository", metavar="R", help="Which one, if the dataset has several.")
@click.option("--filter", "text", metavar="F", default="", help="Only these rows; as in the app.")
@_choices
@output_options
def show(
    name: str | None, store: Path, repository: str | None, text: str, since: str | None, until: str | None, within: str,
    without_expired: bool, commits: Path | None, tolerance: float | None, excluded: str, **output: Any,
) -> None:  # fmt: skip
    """Print a view of a dataset; without VIEW, which views there are and what they rest on."""
    from backends.cancel import CancelToken
    from backends.frames import filters
    from backends.locators.datasets import DatasetViews
    from backends.resources import gather
    from backends.treeherder.datasets.resources import LIST, DatasetList, view_note
    from backends.treeherder.datasets.store import Store
    from backends.treeherder.datasets.views import view

    if name is None:
        with Store(store) as opened_store:  # else there would be a list without rows, as in the app, where x fills it
            if repository is not None:
                opened_store.only_repository(repository)
        gathered = gather(DatasetList(DatasetViews(str(store), repository or "")), CancelToken())
        for note in gathered.notes:
            say(f"note: {note}")
        _emit(gathered.frame, LIST, text, output)
        return
    meant = view(name)
    filters.parse(text, meant.schema)  # a wrong one is said before anything is worked out
    check_output(meant.schema, output)
    options = _options(since, until, within, without_expired, commits, tolerance, excluded)
    with _dataset(store, repository, options) as opened:
        with opened.store.reading():
            frame, note = meant.build(opened), view_note(opened, meant.needs)
        if note:
            say(f"note: {note}")
    _emit(frame, meant.schema, text, output)


@dataset.command()
@_STORE
@click.option("--repository", metavar="R", help="Which one, if the dataset has several.")
@click.option(
    "--compat", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Write all files of the original scripts into DIR.",
)  # fmt: skip
@click.option("--view", "name", metavar="VIEW", help="Or write one view.")
@click.option("--mirror", metavar="URL", help="Or copy the dataset itself to s3://BUCKET/PREFIX or gs://BUCKET/PREFIX.")
@click.option(
    "--lists", type=click.Choice(["python", "json"]), default="python", show_default=True,
    help="--compat: how lists stand in CSV cells; the original's are Python's.",
)  # fmt: skip
@click.option(
    "--relabel", "structure", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="--compat: relabel this perf_llm_struc.jsonl, too, with a report.",
)  # fmt: skip
@_choices
@output_options
@click.pass_context
def export(
    ctx: click.Context, /, store: Path, repository: str | None, compat: Path | None, name: str | None,
    mirror: str | None, lists: Any,
    structure: Path | None, since: str | None, until: str | None, within: str, without_expired: bool,
    commits: Path | None, tolerance: float | None, excluded: str, **output: Any,
) -> None:  # fmt: skip
    """Write a dataset in the formats of the original scripts, or one view of it."""
    if sum(one is not None for one in (compat, name, mirror)) != 1:
        raise UsageError("Say what to export.", "One of --compat DIR, --view VIEW and --mirror URL.")
    if mirror is not None:
        _mirror(store, mirror)
        return
    if name is not None:
        ctx.invoke(
            show, name=name, store=store, repository=repository, text="", since=since, until=until, within=within,
            without_expired=without_expired, commits=commits, tolerance=tolerance, excluded=excluded, **output,
        )  # fmt: skip
        return
    from backends.treeherder.datasets.compat import export as exported

    assert compat is not None
    options = _options(since, until, within, without_expired, commits, tolerance, excluded)
    progress = Progress()
    with session_of(None, None) as (_, cancel), _dataset(store, repository, options) as opened:
        try:
            done = exported(
                opened, compat, lists=lists, structure=structure, overwrite=output["overwrite"], cancel=cancel,
                progress=progress.show,
            )  # fmt: skip
        finally:
            progress.clear()
    for note in done.notes:
        say(f"note: {note}")
    for file, what in done.files:
        click.echo(f"{what:10} {compat / file}")


@dataset.command()
@_STORE
def repair(store: Path) -> None:
    """Set damaged files of a dataset aside, note those that are missing; the next update fetches what they held.
    Asks no server."""
    from backends.cancel import CancelToken
    from backends.treeherder.datasets.repair import repair as repaired

    done = repaired(store, CancelToken())
    for one in done:
        gone = "  missing" if one.missing else "  removed"
        moved = f"  set aside as {store / one.moved_to}" if one.moved_to else gone
        click.echo(f"{store / one.name}{moved}  again: {one.again}")
    if done:
        say(f"{len(done):,} damaged or missing; `ciexplore perf dataset update` fetches what they held.")
    else:
        say("Every file of the dataset is whole.")


def _mirror(store: Path, url: str) -> None:
    from backends.frames.formats import format_bytes
    from backends.treeherder.datasets.mirror import mirror
    from backends.treeherder.datasets.store import Store

    progress = Progress()
    with session_of(None, None) as (_, cancel), Store(store) as opened:
        try:
            done = mirror(opened, url, cancel=cancel, progress=progress.show)
        finally:
            progress.clear()
    say(f"{done.copied:,} files copied ({format_bytes(done.size)}), {done.unchanged:,} were there.")


class _dataset:
    """A store's repository for a `with` block."""

    def __init__(self, store: Path, repository: str | None, options: Options) -> None:
        from backends.treeherder.datasets.store import Store

        self._store, self._repository, self._options = Store(store), repository, options

    def __enter__(self) -> Dataset:
        from backends.treeherder.datasets.views import Dataset

        return Dataset(self._store, self._store.only_repository(self._repository), self._options)

    def __exit__(self, *_: object) -> None:
        self._store.close()


def _emit(frame: pl.DataFrame, schema: Any, text: str, output: Any) -> None:
    from backends.frames import filters

    wanted = filters.parse(text, schema)
    chosen = frame if wanted.is_empty else frame.filter(wanted.mask(frame))
    if chosen.is_empty() and not frame.is_empty():
        say_none_fits(frame.height, ("rows", "rows"))
    emit(chosen, schema, **output)


def _options(
    since: str | None, until: str | None, within: str, without_expired: bool, commits: Path | None,
    tolerance: float | None, excluded: str,
) -> Options:  # fmt: skip
    from backends.treeherder.datasets.revisions import Window
    from backends.treeherder.datasets.views import Options

    window = Window(
        _moment(since, "--since") if since else None,
        _moment(until, "--until") if until else None,
        None if within == "any" else _seconds(within, "--within"),
        not without_expired,
    )
    if window.since is not None and window.until is not None and window.since > window.until:
        raise UsageError("--since is after --until.", "Swap them.")
    return Options(window, commits, tolerance, _numbers(excluded, "--exclude-framework-ids"))


def _seconds(text: str, option: str) -> int:
    return int(_quantity(text, option, "DURATION")) if text not in ("0", "0s") else 0


def _moment(text: str, option: str) -> int:
    return int(_quantity(text, option, "TIME"))


def _quantity(text: str, option: str, kind: str) -> float:
    from backends.frames.formats import QuantityError, parse_quantity
    from backends.frames.schema import Kind

    try:
        return parse_quantity(text, Kind[kind])
    except QuantityError as problem:
        raise UsageError(f"{option}: {problem.sentence}", problem.hint) from None


def _numbers(text: str, option: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise UsageError(f"{option} takes numbers with commas between them.", "Write it like this: 2,6,18.")
    return tuple(map(int, parts))


def _frameworks(text: str | None) -> tuple[int, ...]:
    from backends.treeherder.datasets.names import FRAMEWORK

    ids = {name: str(number) for number, name in FRAMEWORK.items()}
    words = [word.strip() for word in (text or "").split(",") if word.strip()]
    unknown = [word for word in words if word not in ids and not word.isdigit()]
    if unknown:
        raise UsageError(f"There is no framework {unknown[0]!r}.", f"Frameworks: {', '.join(ids)}.")
    return _numbers(",".join(ids.get(word, word) for word in words), "--frameworks")
