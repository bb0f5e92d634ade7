"""What the verbs of all systems share: a session that Ctrl+C cancels, and the rows of a locator, with progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backends import config
from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.http.errors import sanitize
from backends.interrupts import cancel_on_sigint
from tui.commands.options import CAPSULE, NOTES
from tui.commands.output import Progress, done_with_failures, say, say_wait

if TYPE_CHECKING:
    import polars as pl

    from backends.locators import Locator
    from backends.resources import ListContents, Resource
    from backends.session import Session


@contextmanager
def open_session(root_url: str | None, mode: str | None, **overrides: Any) -> Iterator[tuple[Session, CancelToken]]:
    from backends.http.errors import AccessDeniedError

    session = new_session(mode, taskcluster_root_url=root_url, **overrides)
    cancel = CancelToken()
    session.waits.subscribe(say_wait)
    context = click.get_current_context(silent=True)
    asks_taskcluster = context is not None and "taskcluster" in context.command_path.split()
    note = session.credentials_note if asks_taskcluster else ""
    if note:
        say(f"note: {note}")
    with cancel_on_sigint(cancel):
        try:
            yield session, cancel
        except AccessDeniedError as problem:
            if not note:
                raise
            raise UsageError(problem.sentence, note) from problem
        finally:
            cancel.cancel()
            for other in session.notes:
                say(f"note: {sanitize(other, 1000)}")
            session.close()


def new_session(mode: str | None, **overrides: Any) -> Session:
    """Over servers, or over the file of --capsule. Raises `CapsuleError`."""
    from backends.session import Session, open_capsule_session

    context = click.get_current_context(silent=True)
    capsule = context.find_root().meta.get(CAPSULE) if context is not None else None
    if capsule is None:
        return Session(config.load(overrides=overrides), mode=mode or "normal")
    if mode is not None:
        raise UsageError(f"--{mode} and --capsule exclude each other.", "A capsule asks no server.")
    return open_capsule_session(Path(capsule), **overrides)


def open_and_read(
    session: Session,
    cancel: CancelToken,
    locator: str | Locator,
    filter_text: str = "",
    prepare: Callable[[Resource], None] | None = None,
) -> tuple[Resource, ListContents]:
    """Opens what the user wrote and lists it whole, with progress and with what should be known about it on stderr.
    `prepare` may say to the resource what of it is wanted.

    Gives the rows that the filter leaves; of an artifact's locator, that artifact alone.
    """
    from backends.frames import filters

    opened = session.parse(locator) if isinstance(locator, str) else locator
    resource = session.resource(opened, cancel)
    if prepare is not None:
        prepare(resource)
    if resource.first_filter:
        say(f"note: filtered by {resource.first_filter}, as the URL says.")
        filter_text = f"{resource.first_filter} {filter_text}".strip()
    wanted = filters.parse(filter_text, resource.schema)  # a wrong one is said before 10,000 tasks are listed
    gathered = read_with_progress(resource, cancel)
    frame = _select_artifact(gathered.frame, opened)
    chosen = frame if wanted.is_empty else frame.filter(wanted.mask(frame))
    if chosen.is_empty() and not frame.is_empty():
        warn_no_match(frame.height, resource.noun)
    elif frame.is_empty() and not gathered.notes:
        say(f"note: {resource.empty_text}")
    return resource, replace(gathered, frame=chosen)


def read_with_progress(resource: Resource, cancel: CancelToken) -> ListContents:
    """The whole list. Meanwhile a line on stderr says how far it is and how long it will take; then what should be
    known about it is told."""
    from backends.loading import LoadingPace, describe_loading
    from backends.resources import read_list

    pace, so_far = LoadingPace(), list[tuple[int, int | None]]()

    def describe() -> str:
        work = resource.work
        if not so_far and work is None:
            return ""
        rows, total = so_far[-1] if so_far else (0, None)
        pace.update(rows, total, work)
        counted = count_message(resource.noun[1], rows, total) if rows or work is None else ""
        return describe_loading(counted, work, pace.text)

    with Progress().following(describe):
        found = read_list(resource, cancel, lambda rows, total: so_far.append((rows, total)))
    print_notes(found)
    return found


def warn_no_match(count: int, noun: tuple[str, str]) -> None:
    say(f"note: no {noun[1]} match the filter (0 of {count:,}).")


def print_notes(gathered: ListContents) -> None:
    """Says on stderr what should be known about a listing; one that lacks something makes the command end with 1."""
    from backends.http.response import ResponseSource, describe_freshness

    stale = gathered.freshness.source is ResponseSource.STALE
    context = click.get_current_context(silent=True)
    said: set[str] = set() if context is None else context.find_root().meta.setdefault(NOTES, set())
    for note in gathered.notes:  # of two lists that a command reads, each may say the same
        if note not in said and (not stale or note != gathered.freshness.reason):
            say(f"note: {note}")
            said.add(note)
    if stale:
        say(f"note: {describe_freshness(gathered.freshness)}")
    if gathered.partial:
        done_with_failures()


def _select_artifact(frame: pl.DataFrame, opened: Locator) -> pl.DataFrame:
    """The app opens an artifact in the list of its run; a command means the artifact itself, of the latest run if none
    is named."""
    from backends.http.errors import NotFoundError
    from backends.taskcluster.locators import Artifact, IndexPath

    name = opened.name if isinstance(opened, Artifact) else opened.artifact if isinstance(opened, IndexPath) else ""
    if not name:
        return frame
    found = frame.filter(frame["name"] == name)
    if found.is_empty():
        raise NotFoundError(
            f"There is no artifact {sanitize(name)} in what the server lists.", "Check its name and its run."
        )
    return found.filter(found["run"].eq_missing(found["run"].max()))


def count_message(things: str, rows: int, total: int | None) -> str:
    return f"{rows:,}{f' of {total:,}' if total else ''} {things} so far"
