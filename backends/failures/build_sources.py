"""The failures of a Prow build: its JUnit files, else its log and what its other files say of how it ended."""

from __future__ import annotations

from functools import partial

import polars as pl

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.failures.junit_failures import failures_of_cases, passed_tests
from backends.failures.log_errors import read_log
from backends.failures.records import REASON, Failure
from backends.failures.subjects import Outcome, Subject, read_subject
from backends.http.errors import HttpError, sanitize
from backends.prow.bucket import BucketReader
from backends.prow.build_listing import BuildView
from backends.prow.build_reader import BUILD_LOG, ENDED, FAILED, BuildPlace, BuildRow, Part, is_settled, list_logs
from backends.prow.builds import BuildList
from backends.prow.failure_reasons import FailureReasons
from backends.prow.files import FolderFiles
from backends.prow.junit import read_reports
from backends.prow.locators import BuildsView, FailureReasonsView, Place, ProwPath, ProwView, route
from backends.resources import read_list


def build_subjects(
    resource: BuildList | BuildView | FolderFiles, cancel: CancelToken
) -> tuple[list[Subject], int, tuple[str, ...], bool]:
    """(the builds that failed, newest first; of how many; notes; whether some could not be read). A build that is
    named is read even if it passed. Raises `AppError`s."""
    locator, bucket = resource.locator, resource.bucket
    if isinstance(locator, ProwPath) and route(locator.path).place is Place.PULL:
        rows = read_list(resource, cancel).frame.filter(pl.col("folder").is_not_null())
        folders = zip(rows["key"], rows["job"], rows["build"], rows["folder"], strict=True)
        places = [BuildPlace(*one) for one in folders]
        view = FailureReasons(FailureReasonsView(bucket.bucket, locator.path, (), bucket.store), bucket)
    else:
        view = FailureReasons(_reasons_of(locator, bucket), bucket)
        places = view.find_places(cancel)

    def read_ends(place: BuildPlace, own: CancelToken) -> tuple[BuildPlace, BuildRow]:
        return place, view.reader.read_row(place, own, Part.ENDS)

    rows_read: dict[str, BuildRow] = {}
    for batch in view.read_each(places, read_ends, cancel):
        rows_read.update((place.key, row) for place, row in batch)
    unread = [row for row in rows_read.values() if row.is_unread]
    notes = (
        (f"{len(unread):,} of {len(places):,} builds could not be read: {(unread[0].note or '').rstrip('.')}.",)
        if unread
        else ()
    )
    chosen = [place for place in places if rows_read[place.key].state in FAILED or len(places) == 1]
    found = [_subject(view, place, rows_read[place.key]) for place in chosen]
    return found, len(places), notes, bool(unread)


def read_build_failures(bucket: BucketReader, place: BuildPlace, row: BuildRow, cancel: CancelToken) -> Outcome:
    """What failed in one build, which `row` tells of, as its list of failures has it."""
    folder = row.folder or place.folder
    view = FailureReasons(
        FailureReasonsView(bucket.bucket, folder[: -len(place.build) - 1], (place.build,), bucket.store), bucket
    )
    return read_subject(_subject(view, place, row), bucket.cache, cancel)


def _reasons_of(locator: object, bucket: BucketReader) -> FailureReasonsView:
    """The builds that a Prow locator means. Raises `UsageError`."""
    if isinstance(locator, ProwPath):
        at = route(locator.path)
        if at.base:  # a build, or something in it
            return FailureReasonsView(bucket.bucket, at.base[: -len(at.build) - 1], (at.build,), bucket.store)
        if at.place.is_job:
            return FailureReasonsView(bucket.bucket, locator.path, (), bucket.store)
    if isinstance(locator, ProwView):
        return locator.change_view(FailureReasonsView, count=locator.count)
    raise UsageError("This folder has no builds.", "Open a job, a build or a pull request.")


def _subject(view: FailureReasons, place: BuildPlace, row: BuildRow) -> Subject:
    bucket = view.bucket
    folder = row.folder or place.folder
    job_folder = folder[: -len(place.build) - 1] if folder else view.locator.path
    opens = bucket.locator(folder) if folder else BuildsView(bucket.bucket, job_folder, (place.build,), bucket.store)
    settled = row.state in ENDED and row.finished is not None and is_settled(row.finished)
    key = f"prow|{bucket.blobs.kind}|{bucket.cache_prefix}|{bucket.bucket}|{folder}" if settled and folder else ""
    log = (
        bucket.log(f"{folder}{BUILD_LOG}", f"{BUILD_LOG} of {place.build}", failed=row.state in FAILED)
        if folder
        else None
    )
    ended = row.finished or row.started
    return Subject(place.build, place.job, partial(_read_build, view, place), opens, None, "", ended, log, key)


def _read_build(view: FailureReasons, place: BuildPlace, cancel: CancelToken) -> Outcome:
    outcome = Outcome()
    row = view.reader.read_row(place, cancel)
    if row.is_unread:
        outcome.note_unreadable("the build", str(row.note))
        outcome.error = HttpError(str(row.note))
        return outcome
    try:
        reports = read_reports(view.bucket, place, cancel)
    except HttpError as error:
        outcome.note_error("the list of its files", error)
        return outcome
    passed: dict[str, set[tuple[str, str, str]]] = {}
    for file in reports.files:
        passed.setdefault(file.folder, set()).update(passed_tests(file.content.cases))
    for file in reports.files:
        name = sanitize(file.path, 300)
        outcome.looked_at.append(name)
        outcome.failures += failures_of_cases(file.content.cases, name, passed[file.folder])
        if file.content.partial:
            outcome.note_unreadable(name, " ".join(file.content.missing))
    for note in reports.notes:
        outcome.note_unreadable("JUnit files", note)
    is_explained = any(f.retried != "passed" for f in outcome.failures) and outcome.has_reason
    if row.state in FAILED and not is_explained:
        _read_rest(view, row, outcome, cancel)
    return outcome


def _read_rest(view: FailureReasons, row: BuildRow, outcome: Outcome, cancel: CancelToken) -> None:
    """The log's errors, and the reason that Prow, the pod or ci-operator gave."""
    for name in list_logs(row.names)[:1]:
        outcome.looked_at.append(name)
        try:
            with view.bucket.open(f"{row.folder}{name}", cancel) as body:
                outcome.failures += read_log(body, name)
        except HttpError as error:
            outcome.note_error(name, error)
    try:
        reason = view.reason_in_files(row, cancel) or row.reason
    except HttpError as error:
        outcome.note_error("podinfo.json", error)
        reason = row.reason
    if reason and not any(reason.endswith(failure.message) for failure in outcome.failures):
        outcome.failures.append(Failure("", REASON, reason, source="the build's files"))
    if not any(failure.retried != "passed" for failure in outcome.failures):
        outcome.note_nothing()
