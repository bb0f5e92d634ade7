"""Makes a capsule of lists: reads them through a recorder, then the logs and artifacts that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.cancel import CancelToken
from backends.capsules.layout import SavedList, canonical_url, setting_names
from backends.capsules.manifest_checks import keep_settings
from backends.capsules.recorder import Recorder
from backends.capsules.writer import check_capsule_target, write_capsule
from backends.errors import AppError, OperationCancelledError, UsageError
from backends.frames.formats import format_bytes
from backends.http.content_encoding import is_known
from backends.http.errors import HttpError, redact_url, sanitize
from backends.logs.sources import from_log
from backends.pool import map_concurrently
from backends.resources import ImageFile, ListContents, LogAddress, Resource, Row, read_list
from backends.systems import open_resource
from backends.transfers.files import RemoteFile, select_files

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http
    from backends.locators import Locator

_MOST_NOTES = 20  # of one list, about logs and artifacts
Progress = Callable[[str], None]


@dataclass(frozen=True)
class CapsuleOptions:
    """`logs`: also the log of each row, and what Enter opens on it. `artifacts`: globs of files. `private`: also what
    is requested with credentials. `opened_logs`, `opened_images`: what was looked at, whatever list it is of.
    `lenient`: a list that cannot be saved is noted, unless it is the only one."""

    logs: bool = False
    artifacts: tuple[str, ...] = ()
    note: str = ""
    private: bool = False
    overwrite: bool = False
    opened_logs: tuple[LogAddress, ...] = ()
    opened_images: tuple[ImageFile, ...] = ()
    lenient: bool = False


@dataclass
class CapsuleSummary:
    """What was written. `notes`: what is missing, in sentences; `partial`: something that was asked for."""

    lists: list[SavedList] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    notes: list[str] = field(default_factory=list)
    partial: bool = False

    @property
    def sentence(self) -> str:
        """ "1 list, 247 files, 2.0 MB"."""
        count = len(self.lists)
        size = format_bytes(self.bytes)
        return f"{count:,} list{'s' * (count != 1)}, {self.files:,} file{'s' * (self.files != 1)}, {size}"


def create_capsule(
    target: Path,
    locators: Sequence[Locator],
    recorder: Recorder,
    http: Http,
    settings: Settings,
    options: CapsuleOptions,
    cancel: CancelToken,
    progress: Progress = lambda text: None,
) -> CapsuleSummary:
    """`http` sends through `recorder`; without `options.private` it has no credentials.

    Raises `UsageError` for a list that does not come from a server over HTTP (S3 buckets, files, what is stored on this
    machine), `FileError`, and the `AppError`s of reading the first list.
    """
    check_capsule_target(target, overwrite=options.overwrite)
    summary = CapsuleSummary()
    for locator in {canonical_url(one.text()): one for one in locators}.values():
        try:
            summary.lists.append(_save_list(locator, recorder, http, settings, options, cancel, progress, summary))
        except OperationCancelledError:
            raise
        except AppError as error:
            if not options.lenient or len(locators) == 1:
                raise
            summary.notes.append(f"{locator.text()}: {error.sentence}")
            summary.partial = True
    if options.opened_logs:
        recorder.kind = "log"
        _save_logs(options.opened_logs, http, cancel, progress, summary, summary.notes)
    if options.opened_images:
        recorder.kind = "artifact"
        images = options.opened_images
        chosen = [one for image in images if image.files is not None for batch in image.files(cancel) for one in batch]
        _save_artifacts(chosen, http, cancel, progress, summary, summary.notes)
    content = recorder.entries
    written = [entry for entry, _ in content if entry.file]
    write_capsule(
        target,
        content,
        summary.lists,
        settings=shown_settings(settings),
        created=recorder.now,
        note=options.note,
        private=any(entry.private for entry, _ in content),
        overwrite=options.overwrite,
        cancel=cancel,
        progress=lambda done, of: progress(f"{done:,} of {of:,} files written"),
    )
    summary.files, summary.bytes = len(written), sum(entry.size for entry in written)
    return summary


def shown_settings(settings: Settings) -> dict[str, str]:
    """The servers and buckets that are meant, without secrets and without what cannot be one."""
    return keep_settings({name: redact_url(str(getattr(settings, name))) for name in setting_names()})


def _save_list(
    locator: Locator,
    recorder: Recorder,
    http: Http,
    settings: Settings,
    options: CapsuleOptions,
    cancel: CancelToken,
    progress: Progress,
    summary: CapsuleSummary,
) -> SavedList:
    recorder.kind, before = "response", recorder.requests
    if locator.is_local:
        raise _not_covered(locator)
    resource = open_resource(locator, http, settings, cancel)
    found = _read_whole_list(resource, cancel, progress)
    if resource.quick_columns:
        _read_quick_columns(open_resource(locator, http, settings, cancel), cancel, progress)
    if recorder.requests == before:
        raise _not_covered(locator)
    notes, logs, files = list(found.notes), 0, 0
    if options.logs:
        rows = list(found.frame.iter_rows(named=True))
        addresses = [address for row in rows if (address := resource.log(row)) is not None]
        recorder.kind = "log"
        logs = _save_logs(addresses, http, cancel, progress, summary, notes)
        recorder.kind = "response"
        _read_what_rows_open(resource, rows, http, settings, cancel, progress)
    if options.artifacts:
        if not resource.downloadable:
            raise UsageError(f"{resource.noun[1].capitalize()} have no files to download.", "Leave out --artifacts.")
        batches = resource.files(found.frame, cancel)
        chosen = [one for batch in batches for one in select_files(batch, options.artifacts)]
        if not chosen:
            notes.append(f"No file matches {' or '.join(options.artifacts)}.")
        recorder.kind = "artifact"
        files = _save_artifacts(chosen, http, cancel, progress, summary, notes)
    summary.partial = summary.partial or found.partial
    title = sanitize(resource.title, 200)
    summary.notes += [f"{title}: {note}" for note in notes]
    return SavedList(
        canonical_url(locator.text()), title, found.frame.height, resource.noun[found.frame.height != 1],
        found.partial, logs, files, notes,
    )  # fmt: skip


def _not_covered(locator: Locator) -> UsageError:
    return UsageError(
        f"{locator.text()} does not come from a server over HTTP, so a capsule cannot hold it.",
        "Lists of S3 buckets, of files and of what is stored on this machine are not covered.",
    )


def _read_whole_list(resource: Resource, cancel: CancelToken, progress: Progress) -> ListContents:
    """All pages, and the cells that some lists fill in later."""

    def tell(rows: int, total: int | None) -> None:
        progress(f"{rows:,}{f' of {total:,}' if total else ''} {resource.noun[1]} so far")

    found = read_list(resource, cancel, tell)
    if resource.quick_columns and not found.frame.is_empty():
        for page in resource.complete(found.frame[resource.schema.key].to_list(), cancel):
            progress(f"{page.frame.height:,} {resource.noun[1]} completed")
    return found


def _read_quick_columns(resource: Resource, cancel: CancelToken, progress: Progress) -> None:
    """As who needs no more than the quick columns reads the list, which may take other requests."""
    resource.asked = frozenset(resource.quick_columns)
    read_list(resource, cancel, lambda rows, total: progress(f"{rows:,} {resource.noun[1]} so far"))


def _read_what_rows_open(
    resource: Resource, rows: Sequence[Row], http: Http, settings: Settings, cancel: CancelToken, progress: Progress
) -> None:
    """What Enter opens on rows that have a log: the way to it in the app, and to it by name on the command line."""
    locators = {found.text(): found for row in rows if resource.log(row) and (found := resource.open(row)) is not None}

    def read(locator: Locator, own: CancelToken) -> None:
        try:
            read_list(open_resource(locator, http, settings, own), own)
        except OperationCancelledError:
            raise
        except AppError:
            pass  # then it is not in the capsule

    _run(read, list(locators.values()), "lists of rows", cancel, progress)


def _save_logs(
    addresses: Sequence[LogAddress], http: Http, cancel: CancelToken, progress: Progress, summary: CapsuleSummary,
    notes: list[str],
) -> int:  # fmt: skip
    ended = [address for address in addresses if not address.live]
    if growing := len(addresses) - len(ended):
        words = (
            "1 log is still being written; it is"
            if growing == 1
            else f"{growing:,} logs are still being written; they are"
        )
        notes.append(f"{words} not in the capsule.")

    def read(address: LogAddress, own: CancelToken) -> None:
        for _ in from_log(http, address, http.downloader)(own):
            pass

    return _try_all(read, ended, "logs", lambda address: address.title, cancel, progress, summary, notes)


def _save_artifacts(
    files: Sequence[RemoteFile], http: Http, cancel: CancelToken, progress: Progress, summary: CapsuleSummary,
    notes: list[str],
) -> int:  # fmt: skip
    def read(file: RemoteFile, own: CancelToken) -> None:
        if file.skip:
            raise AppError(file.skip)
        with http.downloader() as connection, connection.open(file.url, cancel=own) as download:
            for _ in download.chunks():
                pass
            if not is_known(download.encoding):
                raise AppError(f"its encoding {sanitize(download.encoding, 40)} cannot be undone, so it is left out.")

    return _try_all(read, files, "artifacts", lambda file: file.name or file.key, cancel, progress, summary, notes)


def _try_all(
    work: Callable[[Any, CancelToken], None], items: Sequence[Any], noun: str, name: Callable[[Any], str],
    cancel: CancelToken, progress: Progress, summary: CapsuleSummary, notes: list[str],
) -> int:  # fmt: skip
    """How many could be read; `notes` gets the first that could not, in the order of the list.

    What was never made, e.g. the log of a task that has not begun, is no loss.
    """
    failed: dict[int, str] = {}

    def attempt(numbered: tuple[int, Any], own: CancelToken) -> None:
        number, item = numbered
        try:
            work(item, own)
        except OperationCancelledError:
            raise
        except AppError as error:
            failed[number] = f"{sanitize(name(item), 200)}: {error.sentence}"
            if isinstance(error, HttpError):
                summary.partial = True

    _run(attempt, list(enumerate(items)), noun, cancel, progress)
    notes += [failed[number] for number in sorted(failed)][:_MOST_NOTES]
    if len(failed) > _MOST_NOTES:
        notes.append(f"{len(failed) - _MOST_NOTES:,} more {noun} could not be read.")
    return len(items) - len(failed)


def _run(
    work: Callable[[Any, CancelToken], None], items: Sequence[Any], noun: str, cancel: CancelToken, progress: Progress
) -> None:
    done = 0
    batches: Iterator[list[None]] = map_concurrently(work, items, cancel)
    for batch in batches:
        done += len(batch)
        progress(f"{done:,} of {len(items):,} {noun}")
