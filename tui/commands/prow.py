"""`ciexplore prow VERB`: what the Prow pane does, without the app."""

from __future__ import annotations

import functools
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backends.errors import AppError, UsageError
from backends.paths import expand_home, is_directory, is_file
from backends.prow import locators
from backends.prow.locators import BuildsView, FileTreeView, Place, ProwPath, ProwView
from tui.commands.common import open_session, read_with_progress, warn_no_match
from tui.commands.log_output import check_log, choose_lines, write_log
from tui.commands.new_lines import check_new_lines_options, new_lines_options, write_new_lines
from tui.commands.options import connection_options, download_options, filter_option, match_option, refuse_options
from tui.commands.output import OUTPUT_NAMES, Progress, check_output, emit, output_columns, output_options, say

if TYPE_CHECKING:
    import polars as pl

    from backends.cancel import CancelToken
    from backends.locators import Locator
    from backends.prow.bucket import BucketReader
    from backends.prow.builds import BuildList
    from backends.resources import LogAddress, Resource
    from backends.session import Session
    from backends.transfers.files import RemoteFile

DEFAULT_COUNT = 100
_AGE = re.compile(r"([0-9]{1,6})([hdw])")
_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400}


@click.group()
def prow() -> None:
    """Jobs, builds, files, completeness, logs, tests, search and downloads of Prow's archives."""


# ---- what every verb begins with


def verb(
    *, window: bool = False, view: bool = False, table: bool = True, name: str | None = None
) -> Callable[[Any], click.Command]:
    """Makes a verb of a function that gets a `ProwRun` and the options of its own.

    Every verb has LOCATOR, --filter, the connection options and where the storage is; with `window` also --count and
    --since (which builds of a job), with `view` these and --where (which rows of the output), with `table` the options
    of what is printed.
    """

    def decorate(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        def run(**given: Any) -> Any:
            storage = {"gcs_url": given.pop("gcs_url"), "gcsweb_url": given.pop("gcsweb_url")}
            storage["prow_bucket"] = given.pop("bucket")
            output = {name: given.pop(name) for name in OUTPUT_NAMES} if table else {}
            jobs = {"jobs": given["jobs"]} if "jobs" in given else {}
            choice = {name: given.pop(name, None) for name in ("locator", "filter_text", "count", "since")}
            with open_session(None, given.pop("mode"), **storage, **jobs) as (session, cancel):
                return function(ProwRun(session=session, cancel=cancel, output=output, **choice), **given)

        command: Any = run
        options: list[Any] = [output_options] if table else []
        if view:
            options += [click.option("--where", metavar="F", default="", help="Filter the rows of the output.")]
        if window or view:
            options += [
                click.option("--since", metavar="AGE|DATE", help="Only builds made since: 12h, 7d, 4w, or 2026-11-20."),
                click.option(
                    "--count",
                    type=click.IntRange(0, 20_000),
                    help=f"The newest N builds; 0 is all [default: {DEFAULT_COUNT}].",
                ),
            ]
        options += [
            filter_option,
            click.option("--gcsweb-url", metavar="URL", help="A gcsweb to list with where the storage refuses."),
            click.option("--gcs-url", metavar="URL", help="The storage [default: Google's]."),
            click.option("--bucket", metavar="B", help="For bare job names: a bucket, or openshift, or kubernetes."),
            connection_options,
            click.argument("locator"),
        ]
        for option in options:
            command = option(command)
        return prow.command(name)(command)

    return decorate


@dataclass
class ProwRun:
    """One run of a verb: the session, and the options that choose what it is about."""

    session: Session
    cancel: CancelToken
    locator: str
    filter_text: str
    count: int | None
    since: str | None
    output: dict[str, Any]

    def open(self) -> Resource:
        """What LOCATOR lists; where a bucket has moved, a note about it."""
        locator = _parse(self.session, file_url(self.locator))
        resource = self.session.resource(locator, self.cancel)
        before, now = getattr(locator, "bucket", ""), getattr(resource.locator, "bucket", "")
        if before and before != now:
            say(f"note: the bucket {before} has moved to {now}")
        return resource

    def resource(self, locator: Locator) -> Resource:
        return self.session.resource(locator, self.cancel)

    def bucket(self, locator: ProwPath | ProwView) -> BucketReader:
        from backends.prow.bucket import open_bucket

        return open_bucket(locator, self.session.http, self.session.settings)

    def gather(self, resource: Resource) -> pl.DataFrame:
        """The complete list, with progress and what should be known about it on stderr."""
        found = read_with_progress(resource, self.cancel)
        if found.frame.is_empty() and not found.notes:
            say(f"note: {resource.empty_text}")
        return found.frame

    def emit_list(self, resource: Resource, *filters: str) -> None:
        """Prints the rows that all filters leave. Filters and columns are checked before anything is read."""
        from backends.frames.filters import parse

        for text in filters:
            parse(text, resource.schema)
        check_output(resource.schema, self.output)
        frame = self.gather(resource)
        for text in filters or ("",):
            frame = filter_rows(frame, resource, text)
        emit(frame, resource.schema, resource=resource, **self.output)

    def emit_view(self, view: type[ProwView], where: str, **options: Any) -> None:
        """Prints that view of the builds that --filter, --count and --since choose."""
        listing, frame = self.choose_builds()
        locator = listing.view(view, frame, **options)
        if locator is None:
            raise UsageError("These builds are of several jobs.", "Name one job of the pull request.")
        self.emit_list(self.resource(locator), where)

    def choose_builds(
        self, locator: Locator | None = None, *, filter_text: str | None = None, count: int | None = None,
        columns: Collection[str] = (), required: bool = True,
    ) -> tuple[BuildList, pl.DataFrame]:  # fmt: skip
        """The builds that a job's (or a build's) locator, --count, --since and --filter mean, the newest first.

        Read for them is what `columns` and the filter need. `required`: without any there is nothing to do, which is a
        `UsageError`; a list of none is still a list.
        """
        from backends.frames import filters
        from backends.prow.build_reader import BUILDS
        from backends.prow.builds import BuildList

        text = self.filter_text if filter_text is None else filter_text
        count = self.count if count is None else count
        chosen = filters.parse(text, BUILDS)  # an invalid one is reported before 1,000 builds are listed
        found = locator or self.open().locator
        if isinstance(found, ProwPath) and found.route.base:
            refuse_options(["since"], "chooses builds of a job, and this locator is one build")
            base, build = found.route.base, found.route.build
            found = BuildsView(found.bucket, base[: -len(build) - 1], (build,), found.store)
        names_builds = isinstance(found, BuildsView) and found.builds
        is_listable = isinstance(found, ProwPath) and found.route.place.lists_builds
        if not names_builds and not is_listable:
            raise UsageError(
                f"{self.locator} is not a job, a build or a pull request.",
                "`prow jobs` and `prow files` list what is there.",
            )
        assert isinstance(found, ProwPath | BuildsView)
        listing = BuildList(
            found,
            self.bucket(found),
            count=DEFAULT_COUNT if count is None and self.since is None else count or 0,
            since_ms=since_ms(self.since),
        )
        listing.asked = chosen.columns.union(columns)
        unfiltered = self.gather(listing).sort(BUILDS.key)  # not in the order in which the builds were read
        frame = filter_rows(unfiltered, listing, text)
        if frame.is_empty() and not required and not unfiltered.is_empty():
            warn_no_match(len(unfiltered), listing.noun)
        if frame.is_empty() and required:
            raise UsageError("No builds match.", "Loosen --filter, --since or --count, or check the locator.")
        return listing, frame


def filter_rows(frame: pl.DataFrame, resource: Resource, text: str) -> pl.DataFrame:
    """The rows that a filter leaves, in the list's own order; that failures come first is for the screen only."""
    from backends.frames import filters
    from backends.frames.schema import Kind

    rows = filters.parse(text, resource.schema)
    keys = [key for key in resource.default_sort if resource.schema[key[0]].kind is not Kind.STATE]
    if keys:
        columns, descending = [column for column, _ in keys], [down for _, down in keys]
        frame = frame.sort(columns, descending=descending, maintain_order=True, nulls_last=True)
    return frame if rows.is_empty else frame.filter(rows.mask(frame))


def since_ms(text: str | None) -> float | None:
    """The moment that an age or a date (UTC) means. Raises `UsageError`."""
    if not text:
        return None
    if match := _AGE.fullmatch(text.strip().lower()):
        return (time.time() - int(match[1]) * _SECONDS[match[2]]) * 1000
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--since {text} is not an age or a date.", "Use e.g. 12h, 7d, 4w or 2026-11-20.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000


def file_url(text: str) -> str:
    """The URL of a file (or, with a / in its name, a directory) of this disk that is called so; else the text."""
    try:
        path = expand_home(text)
    except AppError:
        return text
    if "://" in text or not (is_file(path) or ("/" in text and is_directory(path))):
        return text
    # A link that a user names is meant; those inside a tree are not followed.
    path = path.resolve() if path.is_symlink() else Path(os.path.abspath(path))  # noqa: PTH100
    return path.as_uri() + ("/" if text.endswith("/") and path.is_dir() else "")


def _parse(session: Session, text: str) -> Locator:
    """What a text stands for; any name is a job's where nothing else is meant, or where --bucket names a bucket, and a
    path that begins with logs/ or pr-logs/ is that bucket's."""
    from backends.config import Settings
    from backends.locators import InvalidLocatorError
    from backends.prow.bucket import default_bucket
    from backends.prow.urls import parse_name
    from backends.systems import parse_locator

    by_name: Locator | None = parse_name(text)
    if by_name is None and text.partition("/")[0] in locators.ROOTS:
        by_name = ProwPath(default_bucket(session.settings), locators.normal(text))
    try:
        locator = parse_locator(text)
    except InvalidLocatorError:
        if by_name is None:
            raise
        return by_name
    if locator.system == "prow":
        return locator
    if by_name is not None and session.settings.prow_bucket != Settings().prow_bucket:
        return by_name
    raise UsageError(f"{locator.text()} belongs to {locator.system}.", f"Use `ciexplore {locator.system}` for it.")


# ---- jobs, builds, files


@verb()
@click.option("--prefix", metavar="P", default="", help="Only jobs whose names begin so; filtered by the server.")
def jobs(run: ProwRun, prefix: str) -> None:
    """List the jobs of a bucket: gs://BUCKET/logs/ or gs://BUCKET/pr-logs/directory/."""
    found = run.open().locator
    if isinstance(found, ProwPath) and not found.path:
        found = ProwPath(found.bucket, "logs/", found.store)
    if not isinstance(found, ProwPath) or found.route.place is not Place.JOBS:
        raise UsageError(f"{run.locator} is not a folder of jobs.", "Use e.g. gs://BUCKET/logs/.")
    run.emit_list(
        run.resource(locators.JobsView(found.bucket, found.path, store=found.store, prefix=prefix)), run.filter_text
    )


@verb(window=True)
@click.option("--fast", is_flag=True, help="Only what ids and names say: no requests for single builds.")
def builds(run: ProwRun, fast: bool) -> None:
    """List the builds of a job or of a pull request, the newest first, with results and times.

    Those take two requests a build. --columns names others: pull, author, title, commit, base, cluster, type and
    reason take one more, log_size, log_compressed, entries and names another.
    """
    from backends.frames.export import select_columns
    from backends.frames.schema import Schema
    from backends.prow.build_reader import BUILDS, QUICK_COLUMNS

    quick = Schema(tuple(column for column in BUILDS if column.name in QUICK_COLUMNS), BUILDS.key)
    schema = quick if run.output["columns"] is None else BUILDS
    check_output(schema, run.output)
    columns = select_columns(schema, output_columns(run.output))
    if fast and (slow := next((name for name in columns if name not in QUICK_COLUMNS), None)):
        raise UsageError(f"--fast reads no build, and the column {slow} is read from each.", "Leave one of them out.")
    _, frame = run.choose_builds(columns=() if fast else columns, required=False)
    emit(frame, schema, **run.output)


@verb(window=True)
@match_option
@click.option("--flat", is_flag=True, help="Of a folder: only its first level, with its folders.")
@click.option("--sizes", is_flag=True, help="Number and bytes of the files in each folder instead of the files.")
def files(run: ProwRun, globs: tuple[str, ...], flat: bool, sizes: bool) -> None:
    """List the files of a build, a folder, or of the builds of a job that --count or --since choose; all levels."""
    from backends.prow.files import SIZES, sum_folders
    from backends.transfers.files import matches_globs

    resource = _file_list(run, flat)
    check_output(SIZES if sizes else resource.schema, run.output)
    frame = filter_rows(run.gather(resource), resource, run.filter_text)
    if globs:
        frame = frame.filter([matches_globs(name, globs) for name in frame["name"].to_list()])
    if sizes:
        frame = sum_folders(frame)
    emit(frame, SIZES if sizes else resource.schema, **run.output)


def _file_list(run: ProwRun, flat: bool) -> Resource:
    """All files of what LOCATOR names."""
    found = run.open().locator
    if isinstance(found, ProwView) and not isinstance(found, BuildsView):
        _refuse_builds_options(found, "flat")
        return run.resource(found)
    if isinstance(found, ProwPath) and not found.route.place.lists_builds:
        _refuse_builds_options(found)
        folder = found.path if not found.path or found.path.endswith("/") else found.path.rpartition("/")[0] + "/"
        if flat:
            return run.resource(ProwPath(found.bucket, folder, found.store))
        return run.resource(FileTreeView(found.bucket, folder, store=found.store))
    refuse_options(["flat"], "is for a folder, and this lists builds")
    listing, frame = run.choose_builds(found, filter_text="")
    trees = listing.view(FileTreeView, frame)
    if trees is None:
        raise UsageError("These builds are of several jobs.", "Name one job of the pull request.")
    return run.resource(trees)


def _refuse_builds_options(found: Locator, *more: str) -> None:
    """Raises `UsageError` for options that choose builds of a job, where LOCATOR names none. Of one build --count is
    true."""
    is_build = isinstance(found, ProwPath) and found.route.place is Place.BUILD
    names = ["since", *more] if is_build else ["count", "since", *more]
    refuse_options(names, "chooses builds of a job, and this locator is not a job")


# ---- logs


@verb(table=False)
@click.option("--container", metavar="NAME", help="Of a build with several containers, the log of this one.")
@click.option("--step", metavar="NAME", help="Of an OpenShift build, the log of the step whose path ends so.")
@click.option("--errors", is_flag=True, help="Only error lines, with five lines around each.")
@new_lines_options
@click.option("--tail", type=click.IntRange(1), help="Only the last N lines.")
@click.option("-o", "--to", "target", metavar="FILE", help="Write to FILE; - is stdout.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
def log(
    run: ProwRun, container: str | None, step: str | None, errors: bool, new: bool, against: tuple[str, ...],
    runs: int | None, tail: int | None, target: str | None, overwrite: bool,
) -> None:  # fmt: skip
    """Print the log of a build, or any text file.

    Escape sequences and what else could reach into a terminal are taken out; with -o the bytes stay as they are. A URL
    of a line is printed from that line on, one of a range of lines (…:101-103) as those lines. With --new only lines
    that are not in the logs of earlier builds that passed, times, ids and numbers aside, as grep -n writes them.
    """
    from backends.logs.rules import error_lines
    from backends.logs.sources import from_log

    check_new_lines_options(new, against, runs, {"--errors": errors, "--tail": tail})
    if container and step:
        raise UsageError("--container and --step exclude each other.", "A step's log has no containers of its own.")
    log = _find_log(run, container, step)
    if new:
        body = check_log(from_log(run.session.http, log, run.session.open_downloader)(run.cancel), log)

        def find(locator: str) -> LogAddress:
            return _find_log(replace(run, locator=locator), container, step)

        write_new_lines(run.session, run.cancel, log, body, find, against, runs, target, overwrite=overwrite)
        return
    pieces: Iterable[bytes] | None = None
    if tail is not None and not errors and log.line is None:
        pieces = _last_lines(run, log, tail)
    if pieces is None:
        pieces = from_log(run.session.http, log, run.session.open_downloader)(run.cancel)
    if errors or tail is not None or target is None:
        pieces = check_log(pieces, log)
    line, last = log.line, log.last
    if errors:
        pieces, line, last = error_lines(choose_lines(pieces, line, last)), None, None
    write_log(pieces, target, overwrite=overwrite, tail=tail, line=line, last=last)
    if target not in (None, "-"):
        say(f"{log.title} in {target}")


def _last_lines(run: ProwRun, log: LogAddress, count: int) -> list[bytes] | None:
    """The last lines without the others, where the storage can give them and they are not cached already."""

    found = log.locator
    if log.live or run.session.http.mode.is_offline or not isinstance(found, ProwPath):
        return None
    return run.bucket(found).last_lines(found.path, count, run.cancel)


def _find_log(run: ProwRun, container: str | None, step: str | None) -> LogAddress:
    from backends.prow.build_reader import container_of, list_logs

    resource = run.open()
    if resource.first_log is not None:
        refuse_options(["container", "step"], "chooses a log of a build, and this locator is a file")
        return resource.first_log
    found = resource.locator
    if not isinstance(found, ProwPath):
        raise UsageError(f"{run.locator} is not a build or a file.", "Name a build or a file of one.")
    if step:
        return _find_step_log(run, found, step)
    listing, frame = run.choose_builds(found, count=10)
    needed = ("state", "finished", "names")
    rows = (listing.complete_row(row, needed, run.cancel) for row in frame.iter_rows(named=True))
    row = newest = next(rows)
    if len(frame) != 1:
        row = next((row for row in chain([newest], rows) if list_logs(row["names"])), newest)
        say(f"note: of {len(frame):,} builds the newest with a log is {row['build']}")
    names = list_logs(row["names"])
    if container:
        name = f"{container}-build-log.txt"
        log = listing.named_log(row, name) if name in names else None
        if log is None:
            raise UsageError(
                f"Build {row['build']} has no log of a container {container}.",
                f"Its logs: {', '.join(names) or 'none'}.",
            )
        return log
    log = listing.log(row)
    if log is None:
        raise UsageError(
            f"Build {row['build']} ({row['state'] or 'unreadable'}) has no log.",
            "It is written when the build has ended; `prow files` lists what is there.",
        )
    if len(names) > 1:
        first, *others = map(container_of, names)
        words = f"{len(names):,} containers; this is the log of {first}"
        say(f"note: build {row['build']} has {words}. Others: {', '.join(others)} (--container NAME).")
    return log


def _find_step_log(run: ProwRun, found: ProwPath, step: str) -> LogAddress:
    from backends.resources import read_list

    base = found.route.base or found.path
    tree = run.resource(FileTreeView(found.bucket, base, store=found.store))
    names = [name for name in read_list(tree, run.cancel).frame["name"].to_list() if name.endswith("/build-log.txt")]
    fitting = [name for name in names if name.removesuffix("/build-log.txt").endswith(step)]
    if not fitting:
        steps = ", ".join(name.split("/")[-2] for name in names[:20])
        raise UsageError(f"No step of this build is called {step}.", f"Its steps: {steps or 'none'}.")
    if others := fitting[1:]:
        say(f"note: this is the log of {fitting[0]}; {len(others):,} more end so: {', '.join(others[:20])}")
    log = run.bucket(found).log(base + fitting[0], fitting[0])
    assert log is not None
    return log


# ---- downloads


@verb(window=True, table=False)
@match_option
@download_options
def download(
    run: ProwRun, globs: tuple[str, ...], output: str, jobs: int | None, overwrite: bool, rehash: bool, dry_run: bool
) -> int:
    """Download files of a build, a folder, or of builds of a job (--filter chooses builds), resumable.

    DIR mirrors the bucket: DIR/BUCKET/logs/JOB/BUILD/... can be opened as file:///DIR/BUCKET/logs/JOB. Hashes are
    checked on the bytes that the bucket stores; compressed ones are then unpacked.
    """
    from tui.commands.download import run_download

    target = expand_home(output).absolute()
    files = _list_downloads(run, globs)
    if own := [file for file in files if file.url.partition("?")[0] == target.joinpath(*file.parts).as_uri()]:
        words = "1 file is" if len(own) == 1 else f"{len(own):,} files are"
        raise UsageError(f"{words} in {target} already.", "Choose another directory.")
    return run_download(run.session, files, target, cancel=run.cancel, overwrite=overwrite, rehash=rehash, dry=dry_run)


def _list_downloads(run: ProwRun, globs: tuple[str, ...]) -> list[RemoteFile]:
    from backends.prow.build_reader import BuildPlace
    from backends.prow.files import list_files, remote_file
    from backends.transfers.files import matches_globs

    found = run.open().locator
    base = ""
    if isinstance(found, ProwPath) and found.route.place is Place.FILE:
        refuse_options(["count", "since", "filter_text"], "chooses builds of a job, and this locator is a file")
        if globs:
            raise UsageError("--match chooses files, and this locator is one.", "Leave it out.")
        bucket = run.bucket(found)
        return [remote_file(bucket, bucket.stat(found.path, run.cancel))]
    if isinstance(found, ProwPath) and found.route.place in (
        Place.BUILD,
        Place.FOLDER,
        Place.JOBS,
    ):
        _refuse_builds_options(found, "filter_text")
        base = found.path
        batches = list_files(run.bucket(found), [BuildPlace(base, "", "", base)], run.cancel)
    else:
        listing, frame = run.choose_builds(found)
        batches = listing.files(frame, run.cancel)
    progress, is_empty = Progress(), True
    files: list[RemoteFile] = []
    try:
        for batch in batches:
            is_empty = is_empty and not batch
            for file in batch:  # matched by the path within the build, as `prow files` shows it
                if file.unlisted or matches_globs(
                    file.name.removeprefix(locators.route(file.name).base or base), globs
                ):
                    files.append(file)
            progress.show(f"{len(files):,} files found")
    finally:
        progress.clear()
    if not files and is_empty:
        raise UsageError(f"No files are in {found.text()}.", "Check its name; builds are deleted after some months.")
    if not files:
        raise UsageError("There is nothing to download.", "Check --match against what `prow files` lists.")
    if all(file.unlisted for file in files):
        raise _nothing_listed(run, files, "folder" if base else "build", getattr(found, "store", ""))
    return files


def _nothing_listed(run: ProwRun, files: list[RemoteFile], noun: str, store: str) -> AppError:
    """Of a download that cannot even begin, with the reasons and how often each: "12 builds: 403, the bucket ..."."""
    from backends.http.errors import ServerError
    from backends.prow.store_gcs import sign_in_hint

    reasons = Counter(file.skip.partition(": ")[2] for file in files)
    words = "; ".join(
        f"{count:,} {noun}{'s' if count != 1 else ''}: {reason}" for reason, count in sorted(reasons.items())
    )
    hint = "Check the bucket's name."
    if "refuses" in words and store == "s3":
        hint = "If the bucket is private, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    elif "refuses" in words:
        hint = sign_in_hint(run.session.http, run.session.settings.gcs_url, "401" in words)
    return ServerError(f"Nothing can be downloaded. {words}.", hint)


# ---- what is made of many builds


@verb(view=True)
@click.option("--level", type=click.Choice(["1", "2", "all"]), default="all", help="First level, artifacts/, or both.")
@click.option(
    "--by",
    type=click.Choice(["sets", "counts", "files"]),
    default="sets",
    help="Distinct sets of entries, numbers of entries, or each file by itself.",
)
def completeness(run: ProwRun, level: str, by: str, where: str) -> None:
    """Count which sets of files builds have, at their first level and under artifacts/; --filter chooses builds."""
    level = level if level != "all" else ""
    if by == "files":
        run.emit_view(locators.MissingFilesView, where, level=level)
    else:
        run.emit_view(locators.CompletenessView, where, level=level, by="counts" if by == "counts" else "")


@verb(view=True)
@click.option("--text", "pattern", metavar="REGEX", required=True, help="A text or regular expression (smart case).")
@click.option("--match", "globs", metavar="GLOB", multiple=True, help="In these files instead of the build logs.")
@click.option("--context", type=click.IntRange(0, 20), default=2, help="Lines around each, in columns before, after.")
def search(run: ProwRun, pattern: str, globs: tuple[str, ...], context: int, where: str) -> None:
    """Search the logs, or any matching files, of the builds of a job; one row a line."""
    run.emit_view(locators.LogSearchView, where, pattern=pattern, match="\n".join(globs), context=context)


@verb(view=True)
def stats(run: ProwRun, where: str) -> None:
    """Measure the logs of builds: bytes, lines, words, longest line, beside durations."""
    run.emit_view(locators.LogStatisticsView, where)


@verb(view=True)
@click.option(
    "--by",
    type=click.Choice(["tests", "matrix", "files"]),
    default="tests",
    help="Tests of each build, tests across builds, or the JUnit files themselves.",
)
def junit(run: ProwRun, by: str, where: str) -> None:
    """List the test cases of builds, the newest build and its failures first, or each test across builds with pass
    rate and history.

    LOCATOR is a job, a build, a pull request's job, a folder, or one JUnit file; on this disk also ./FILE or ./DIR.
    """
    view: type[ProwView] = locators.JUnitMatrixView if by == "matrix" else locators.JUnitView
    options: dict[str, Any] = {"by": "files"} if by == "files" else {}
    if (found := _file_or_folder(run.open().locator)) is not None:
        _refuse_builds_options(found)
        listed = run.resource(view(found.bucket, found.path, store=found.store, **options))
        run.emit_list(listed, *filter(None, (run.filter_text, where)))
    else:
        run.emit_view(view, where, **options)


@verb(view=True, name="over-time")
@click.option("--by", type=click.Choice(["day", "week", "month"]), default="day", help="One row for each.")
def over_time(run: ProwRun, by: str, where: str) -> None:
    """Pass rate, results and durations of a job by day, week or month."""
    run.emit_view(locators.TrendsView, where, by=by)


@verb(view=True)
def reasons(run: ProwRun, where: str) -> None:
    """Why the builds of a job failed, and how often."""
    run.emit_view(locators.FailureReasonsView, where)


@verb(view=True)
def events(run: ProwRun, where: str) -> None:
    """List the Kubernetes events of builds: of all files of a build, or of the builds of a job, that have any.

    LOCATOR is a job, a build, a folder, or one events.json or podinfo.json (then --filter filters its rows).
    """
    locator = run.open().locator
    if (found := _file_or_folder(locator)) is not None:
        _refuse_builds_options(found)
        locator = locators.EventsView(found.bucket, found.path, store=found.store)
    if isinstance(locator, locators.EventsView):
        run.emit_list(run.resource(locator), *filter(None, (run.filter_text, where)))
    else:
        run.emit_view(locators.EventsView, where)


def _file_or_folder(locator: Locator) -> ProwPath | None:
    """The locator of a file, or of a folder inside a build or on this disk; None for others."""
    if not isinstance(locator, ProwPath):
        return None
    place = locator.route.place
    is_folder = place is Place.FOLDER and bool(locator.route.base or locator.store)
    return locator if place is Place.FILE or is_folder else None
