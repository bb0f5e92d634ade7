"""ciexplore as a library.

    import ciexplore

    with ciexplore.open("treeherder:pushes/autoland?count=20") as pushes:
        pushes.frame()                                        # a polars DataFrame
    ciexplore.open("treeherder:jobs/autoland/280").frame(filter="result:testfailed")
    ciexplore.open("taskcluster:group/fN1SbArXTPSVFNUvaOlinQ").download("out", match=["*.log"])
    ciexplore.open("gs://test-platform-results/logs/JOB/1364869749170769920/").log().search("error")

Errors are `ciexplore.AppError`s: a sentence, and a hint what to do. docs/notebook.md has more.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ciexplore._packages import find_shadowed

if TYPE_CHECKING:
    import polars as pl

    from backends.cancel import CancelToken
    from backends.errors import AppError
    from backends.frames.figures import Figure
    from backends.frames.schema import Schema
    from backends.locators import Locator
    from backends.progress_line import Progress
    from backends.resources import LogAddress, Page, Resource
    from backends.session import Session
    from backends.taskcluster.artifact_downloader.results import get_task_data, get_task_data_paths
    from ciexplore._log import Log, LogLine

__all__ = ["AppError", "Listing", "Log", "LogLine", "get_task_data", "get_task_data_paths", "open"]

_LAZY = {
    "AppError": "backends.errors",
    "Log": "ciexplore._log",
    "LogLine": "ciexplore._log",
    "get_task_data": "backends.taskcluster.artifact_downloader.results",
    "get_task_data_paths": "backends.taskcluster.artifact_downloader.results",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'ciexplore' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)


def open(
    locator: str | Locator = "",
    *,
    mode: str = "normal",
    capsule: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
    **more_settings: Any,
) -> Listing:
    """The listing of a locator or URL.

    `mode`: "normal", "refresh", "offline" or "no-cache". `capsule`: the file of a capsule (`ciexplore capsule create`)
    that answers instead of servers; of a capsule of one list the locator may be left out. `settings` override the
    settings file, by the names that `ciexplore config --show` prints; they can also be given as keywords. `progress`:
    say on a terminal or in a notebook how far reading and downloading are. Raises `AppError`s; `ImportError` where
    another package shadows ours.
    """
    if sentence := find_shadowed():
        raise ImportError(sentence)
    from backends import config
    from backends.session import Session, open_capsule_session

    overrides = _name_fields({**(settings or {}), **more_settings})
    if capsule is None:
        session = Session(config.load(overrides=overrides), mode=mode)
    else:
        _check_capsule(capsule, mode)
        session = open_capsule_session(Path(capsule), **overrides)
    try:
        if capsule is not None and locator == "":
            locator = _only_list(session)
        parsed = session.parse(locator) if isinstance(locator, str) else locator
        return Listing(session.resource(parsed), session, progress=progress)
    except BaseException:
        session.close()
        raise


def _check_capsule(capsule: object, mode: str) -> None:
    from backends.errors import UsageError

    if not isinstance(capsule, str | Path):
        raise UsageError(f"capsule is a {type(capsule).__name__}, not the path of a file.", "Give a text or a Path.")
    if mode != "normal":
        raise UsageError(f"The mode {mode[:40]!r} and a capsule exclude each other.", "A capsule asks no server.")


def _only_list(session: Session) -> str:
    """The locator of the list that a capsule holds. Raises `UsageError` where it holds several, or none."""
    from backends.errors import UsageError

    texts = [text for _, text, _ in session.examples]
    if len(texts) != 1:
        named = f"Name one of them: {', '.join(texts[:10])}." if texts else "Name what its logs or files are of."
        raise UsageError(f"This capsule holds {len(texts):,} lists.", named)
    return texts[0]


def _name_fields(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by the names of their fields, which a Python keyword can be, or by those of the file, with dots."""
    from backends.config import setting_names
    from backends.errors import UsageError

    fields = {name: field for field, _, toml in setting_names() for name in (field, toml)}
    for name in settings:
        if name not in fields:
            raise UsageError(f"There is no setting {name[:60]!r}.", "`ciexplore config --show` prints all of them.")
    return {fields[name]: value for name, value in settings.items()}


class Listing:
    """An open list. A context manager; closing it closes its connections.

    Every method asks again, and what may be cached comes from the cache. Safe from any thread: each call reads with an
    object of its own. Ctrl+C (in a notebook: interrupt) stops what is read.
    """

    def __init__(self, resource: Resource, session: Session, *, progress: bool = True) -> None:
        self._resource, self._session, self._shows_progress = resource, session, progress
        self._locator = resource.locator
        self._notes: tuple[str, ...] = ()

    @property
    def schema(self) -> Schema:
        """Its columns: names, kinds, units."""
        return self._resource.schema

    @property
    def title(self) -> str:
        """What it is called; of some lists that is known once they are read."""
        return self._resource.title

    @property
    def locator(self) -> Locator:
        return self._locator

    @property
    def notes(self) -> tuple[str, ...]:
        """What should be known about what was read last, in sentences. What is missing there is also a warning."""
        return self._notes

    # ---- rows ----------------------------------------------------------------------------------------------------

    def pages(self) -> Iterator[Page]:
        """The list as it arrives; a row whose key came before replaces the earlier one. Raises `AppError`s."""
        from backends.cancel import CancelToken

        cancel = CancelToken()
        return self._reopen(cancel).pages(cancel)

    def frame(self, filter: str = "") -> pl.DataFrame:
        """All rows, or those that match a filter (same syntax as in the app). Raises `AppError`s.

        The columns are those of `schema`, and before them its key where that is not one of them.
        """
        with self._working() as (cancel, progress):
            resource = self._reopen(cancel)
            rows = self._read(resource, filter, cancel, progress)
        self._resource = resource  # its title may say what only a server knows
        return rows

    def lazy(self, filter: str = "") -> pl.LazyFrame:
        """The same rows, read now, as the beginning of a lazy query."""
        return self.frame(filter).lazy()

    def sql(self, query: str, **tables: Listing | pl.DataFrame) -> pl.DataFrame:
        """What an SQL query gives of the table `rows`: these rows. `tables`: other lists or frames, by name.

        Raises `AppError`s: of the lists, and `UsageError` that says what is wrong with the query.
        """
        from backends.frames.schema import Schema
        from backends.queries.sql import Table, run_query

        known = {
            name: Table(one.schema, one.frame()) if isinstance(one, Listing) else Table(Schema((), key=""), one)
            for name, one in {"rows": self, **tables}.items()
        }
        found = run_query(query, known)
        return found.frame.select(found.schema.names)

    def plot(
        self, column: str | None = None, *, filter: str = "", file: str | Path | None = None, overwrite: bool = False
    ) -> Figure:
        """The distribution of a column; without one the chart of the list, or the histogram of its first number.

        A notebook draws what is returned. `file`: where to write it, too (.svg, .png). Raises `AppError`s.
        """
        from backends.frames.figures import write_figure
        from backends.frames.plots import plot_rows

        rows = self.frame(filter)
        figure = plot_rows(rows, self.schema, chart=self._resource.chart, column=column, title=self.title)
        if file is not None:
            write_figure(figure, Path(file), overwrite=overwrite)
        return figure

    def report(self, file: str | Path, *, filter: str = "", overwrite: bool = False) -> None:
        """Writes rows, statistics and charts as one HTML page without scripts. Raises `AppError`s."""
        from backends.frames.reports import write_report
        from backends.resources import describe_list

        rows = self.frame(filter)
        heading = describe_list(self._resource, filter=filter, notes=self._notes)
        write_report(rows, self.schema, Path(file), heading, overwrite=overwrite)

    # ---- what rows lead to ---------------------------------------------------------------------------------------

    def failures(self, filter: str = "") -> pl.DataFrame:
        """What failed in the tasks or builds among these rows, one row a failure: test, message, cluster, log line.

        Raises `AppError`s; `UsageError` where rows of this kind do not fail, or none of these did.
        """
        from backends.errors import UsageError
        from backends.failure_links import failures_of

        with self._working() as (cancel, progress):
            resource = self._reopen(cancel)
            source = resource.failures(self._read(resource, filter, cancel, progress))
            if source is None:
                raise UsageError(f"None of these {resource.noun[1]} failed, or they are nothing that can fail.")
            return self._read(self._session.resource(failures_of(source), cancel), "", cancel, progress)

    def log(self, row: Mapping[str, Any] | pl.DataFrame | None = None, *, follow: bool = False) -> Log:
        """The log of a row of `frame()`, or of what the locator itself names: a task, a run, a build, a text file.

        Of a log that still grows it has what there is now; with `follow` it ends when the task does. Raises
        `AppError`s; `UsageError` where there is none, or where several are meant.
        """
        from backends.logs.sources import UntilNow, from_log
        from ciexplore._log import Log
        from ciexplore._progress import make_progress

        with self._working() as (cancel, _):
            resource = self._reopen(cancel)
            address = self._own_log(resource, cancel) if row is None else _row_log(resource, row)
        source = from_log(self._session.http, address, self._session.open_downloader)
        reading = UntilNow(source).chunks if address.live and not follow else source
        return Log(address.title, address.url, reading, make_progress(self._shows_progress))

    def download(
        self, output: str | Path, *, match: Sequence[str] = (), filter: str = "", overwrite: bool = False
    ) -> list[Path]:
        """Downloads the files of the rows into a directory; returns the paths of those that are there and complete.

        Resumes what an earlier run began and verifies what arrived. `match`: globs of file names, "!GLOB" excludes.
        Raises `AppError`s, also if a file could not be downloaded; then the others are there.
        """
        from backends.downloads import download_files
        from backends.transfers.progress import describe_transfer

        with self._working() as (cancel, progress):
            resource = self._reopen(cancel)
            rows = self._read(resource, filter, cancel, progress)
            return download_files(
                self._session, resource, rows, Path(output), match, overwrite=overwrite, cancel=cancel,
                watch=lambda transfer: progress.show(lambda: describe_transfer(transfer.snapshot())),
            )  # fmt: skip

    # ---- within --------------------------------------------------------------------------------------------------

    def _reopen(self, cancel: CancelToken) -> Resource:
        """A list of its own for each call: what a list learns while it is read is not meant for two threads."""
        locator = self._locator
        if getattr(locator, "opened", ()):  # the lists that a query reads
            locator = self._session.parse(locator.text())
        return self._session.resource(locator, cancel)

    def _read(self, resource: Resource, filter: str, cancel: CancelToken, progress: Progress) -> pl.DataFrame:
        from backends.frames import filters
        from backends.loading import LoadingPace, describe_loading
        from backends.resources import read_list

        def show(rows: int, total: int | None) -> None:
            work = resource.work
            pace.update(rows, total, work)
            count = f"{rows:,}{f' of {total:,}' if total else ''} {noun} so far" if rows or work is None else ""
            progress.show(lambda: describe_loading(count, work, pace.text))

        parsed = filters.parse(filter, resource.schema)
        noun, pace = resource.noun[1], LoadingPace()
        found = read_list(resource, cancel, show)
        self._notes = found.notes
        if found.partial:
            warnings.warn(" ".join(found.notes) or f"Some {noun} could not be read.", stacklevel=3)
        return found.frame if parsed.is_empty else found.frame.filter(parsed.mask(found.frame))

    def _own_log(self, resource: Resource, cancel: CancelToken) -> LogAddress:
        """Of a text itself; of a task or a build that of its run: of several runs the last one that has a log."""
        from backends.errors import UsageError
        from backends.resources import read_list

        if resource.first_log is not None:
            return resource.first_log
        watched = resource.locator.watched()
        several = watched == resource.locator
        opened = resource if several else self._session.resource(watched, cancel)
        found: LogAddress | None = None
        run = getattr(resource.locator, "run", None)
        for row in read_list(opened, cancel).frame.iter_rows(named=True):
            address = opened.log(row) if run is None or row.get("run") == run else None
            if several and address is not None and found not in (None, address):
                raise UsageError(
                    f"These {resource.noun[1]} have logs of their own.", "Name a row: log(frame.row(0, named=True))."
                )
            found = address or found
        if found is None:
            raise UsageError(f"{resource.title} has no log.", "It is there once a run has begun, or a build has ended.")
        return found

    @contextmanager
    def _working(self) -> Iterator[tuple[CancelToken, Progress]]:
        from backends.cancel import CancelToken
        from backends.errors import OperationCancelledError
        from backends.interrupts import cancel_on_sigint
        from ciexplore._progress import make_progress

        cancel, progress = CancelToken(), make_progress(self._shows_progress)
        unsubscribe = self._session.waits.subscribe(lambda text: progress.show(text) if text else None)
        try:
            with cancel_on_sigint(cancel):
                yield cancel, progress
        except OperationCancelledError:
            raise KeyboardInterrupt from None
        finally:
            cancel.cancel()
            unsubscribe()
            progress.clear()

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Listing:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ciexplore.Listing {self.locator.text()}>"


def _row_log(resource: Resource, row: Mapping[str, Any] | pl.DataFrame) -> LogAddress:
    from backends.errors import UsageError

    if not isinstance(row, Mapping):
        if row.height != 1:
            raise UsageError(f"A log is of one row; these are {row.height:,}.", "Choose one of them.")
        row = row.row(0, named=True)
    if missing := [name for name in resource.schema.polars() if name not in row]:
        raise UsageError(f"This row has no column {missing[0]!r}.", "Take a row of frame() with all of its columns.")
    found = resource.log(dict(row))
    if found is None:
        raise UsageError(f"This {resource.noun[0]} has no log.")
    return found
