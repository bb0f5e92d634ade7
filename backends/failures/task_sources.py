"""The failures of a run of a task: its summaries, else its JUnit files, else its log, else how it ended.

Requests per run: the list of its artifacts, and each file that is read (two, where the queue redirects to a storage).
A run that ended without its worker (deadline, lost worker, cancelled) costs none: the queue's reason is the failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.failures.junit_failures import junit_failures
from backends.failures.log_errors import read_log
from backends.failures.records import REASON, Failure, SourceResult
from backends.failures.subjects import Outcome, Subject
from backends.failures.summaries import is_errorsummary, is_test_summary, read_errorsummary, read_test_summary
from backends.http.errors import HttpError, ResponseTooLargeError, sanitize
from backends.http.policies import CachePolicy
from backends.logs.sources import from_http
from backends.prow.files import is_junit
from backends.taskcluster.artifacts import skip_reason
from backends.taskcluster.client import RESOLVED, Client
from backends.taskcluster.locators import Task
from backends.taskcluster.logs import BACKING, FAILED, run_log
from backends.taskcluster.models import ArtifactEntry
from backends.taskcluster.urls import artifact_url

MAX_WHOLE = 8 << 20  # bytes that are taken over a kept connection; what is larger is read as it comes
MAX_FILES = 50  # of one kind in one run
# The queue's reasons that the run's own files cannot explain better.
_NO_WORKER = frozenset({
    "deadline-exceeded", "claim-expired", "worker-shutdown", "canceled", "superseded", "intermittent-task",
})  # fmt: skip


@dataclass(frozen=True)
class FailedRun:
    """One run of a task, as a list of tasks or of jobs knows it. `reason`: why it was resolved so."""

    task_id: str
    run: int
    state: str
    reason: str = ""
    name: str = ""
    platform: str = ""
    started: bool = True
    ended: int | None = None  # epoch ms


def subject_of_run(client: Client, run: FailedRun) -> Subject:
    failed = run.state in FAILED
    log = run_log(client, run.task_id, run.run, live=False, failed=failed, title=f"log of {run.name or run.task_id}")
    is_final = run.state in RESOLVED
    key = f"{client.root}|{client.http.scope(client.root)}|{run.task_id}/{run.run}|{run.state}" if is_final else ""
    return Subject(
        run.task_id, run.name, partial(_read_run, client, run), Task(run.task_id, run.run, client.root), run.run,
        run.platform, run.ended, log if run.started else None, key,
    )  # fmt: skip


def _read_run(client: Client, run: FailedRun, cancel: CancelToken) -> Outcome:
    outcome = Outcome()
    if run.state == "exception" and (not run.started or run.reason in _NO_WORKER):
        outcome.failures.append(_ended(run))
        return outcome
    try:
        listed = client.fetch_artifacts(run.task_id, run.run, run.state in RESOLVED, cancel)
    except HttpError as error:
        outcome.note_error("the list of artifacts", error)
        return outcome
    outcome.freshness = listed.freshness
    readers: tuple[tuple[Callable[[str], bool], Callable[[Iterable[bytes], str], SourceResult]], ...] = (
        (is_test_summary, read_test_summary),
        (is_errorsummary, read_errorsummary),
        (is_junit, junit_failures),
    )
    for is_kind, read in readers:
        entries = [entry for entry in listed.entries if is_kind(entry.name)]
        for entry in entries[:MAX_FILES]:
            _read_file(client, run, entry, read, outcome, cancel)
        if len(entries) > MAX_FILES:
            outcome.note_unreadable(entries[0].name, f"Only {MAX_FILES} of {len(entries):,} such files were read.")
        if outcome.has_reason:
            return outcome
    if run.state in FAILED:
        _read_log(client, run, listed.entries, outcome, cancel)
        if run.state == "exception":
            outcome.failures.append(_ended(run))
        if not outcome.has_reason:
            outcome.note_nothing()
    return outcome


def _ended(run: FailedRun) -> Failure:
    return Failure("", REASON, f"{run.state}: {run.reason or 'no reason given'}", source="the task's status")


def _read_file(
    client: Client, run: FailedRun, entry: ArtifactEntry, read: Callable[[Iterable[bytes], str], SourceResult],
    outcome: Outcome, cancel: CancelToken,
) -> None:  # fmt: skip
    name = sanitize(entry.name, 300)
    outcome.looked_at.append(name)
    if skip := skip_reason(entry.storageType, run.state):
        outcome.note_unreadable(name, f"It cannot be had: {skip}.")
        return
    try:
        result = read(_pieces(client, run, entry, cancel), name)
    except HttpError as error:
        outcome.note_error(name, error)
        return
    if result.is_other_kind:
        outcome.note_unreadable(name, f"It is not a summary: {result.first_broken}.")
        return
    outcome.failures += result.failures
    if result.broken:
        lines = "1 line" if result.broken == 1 else f"{result.broken:,} lines"
        outcome.note_unreadable(name, f"{lines} could not be read, the first is {result.first_broken}.")


def _read_log(
    client: Client, run: FailedRun, entries: list[ArtifactEntry], outcome: Outcome, cancel: CancelToken
) -> None:
    """The backing log; where there is none, the one that the list of artifacts names."""
    address = run_log(client, run.task_id, run.run, live=False)
    try:
        if all(entry.name != BACKING for entry in entries) and address.elsewhere is not None:
            address = replace(address.elsewhere(cancel), elsewhere=None)
        name = str(getattr(address.locator, "name", "log"))
        outcome.looked_at.append(sanitize(name, 300))
        outcome.failures += read_log(from_http(client.http.downloader, address.url)(cancel), name)
    except HttpError as error:
        outcome.note_error("the log", error)
    except AppError as error:  # the run left no log
        outcome.looked_at.append(f"the list of artifacts ({error.sentence})")


def _pieces(client: Client, run: FailedRun, entry: ArtifactEntry, cancel: CancelToken) -> Iterator[bytes]:
    """The artifact's content, not stored: what is read from it is."""
    url = artifact_url(client.root, run.task_id, run.run, entry.name)
    if (entry.contentLength or 0) <= MAX_WHOLE:
        try:
            body = client.http.get(url, policy=CachePolicy.never(), accept="*/*", cap=MAX_WHOLE, cancel=cancel).body
        except ResponseTooLargeError:
            pass
        else:
            yield body
            return
    yield from from_http(client.http.downloader, url)(cancel)
