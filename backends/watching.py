"""Watching a list until nothing in it runs any more: counts by state, what has failed since, and when it will end.

Whatever a list can say about what changed (`Resource.updates`) can be watched: tasks of a group or of a push, runs of a
task, builds of a job.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import polars as pl

from backends.cancel import CancelToken
from backends.errors import AppError, UsageError
from backends.frames.formats import has_failed, has_not_ended, is_waiting
from backends.http.errors import HttpError
from backends.resources import Resource, Row, read_list
from backends.session import Session
from backends.time_left import Durations, TimeLeft

PATIENCE = 600.0  # seconds for which a server may fail before it counts as lost
_LONGEST_PAUSE = 120.0  # seconds between two tries of a server that fails
_QUIET_LOOKS = 3  # looks without a change after which what only waits is taken for never starting


class GivenUpError(AppError):
    """Nobody knows what became of what was watched. `event`: what a script is told."""

    exit_code = 3
    event: ClassVar[str]


class LostServerError(GivenUpError):
    """The server could not be asked for so long that what became of the rest is not known."""

    event = "lost"


class EmptyListError(GivenUpError):
    """There was nothing to watch for so long that it may never come."""

    event = "empty"


@dataclass(frozen=True)
class Progress:
    """How far a watched list is.

    `counts`: rows by state, the failed ones first, then what runs, then the rest. `failures`: rows that have failed
    since the last progress (of the first: all that have). `total_failed`, `unfinished`: counts of rows. `ended`:
    nothing will change any more. `problem`: why the server could not be asked; the counts are those of before.
    `waiting`: what a list without rows waits for.
    """

    counts: Mapping[str, int]
    total: int
    total_failed: int
    unfinished: int
    failures: tuple[Row, ...] = ()
    ended: bool = False
    stuck: int = 0  # rows that wait for what has failed
    problem: str = ""
    waiting: str = ""
    time_left: TimeLeft | None = field(default=None, compare=False)

    @property
    def red_text(self) -> str:
        """ "35 failed · 2 exception": the states that ended badly."""
        return " · ".join(f"{count:,} {state}" for state, count in self.counts.items() if has_failed(state))

    @property
    def text(self) -> str:
        """ "35 failed · 12 running · 1,153 completed of 1,200 · 4m to 9m left (...)"."""
        parts = [f"{count:,} {state}" for state, count in self.counts.items()]
        words = " · ".join(parts) or f"waiting: {self.waiting or 'there is nothing yet'}"
        if self.time_left is not None and not self.ended:
            words += f" · {self.time_left.text}"
        if self.stuck and self.ended:
            why = "what they need has failed" if self.total_failed else "nothing that they wait for runs"
            words += f" · {self.stuck:,} will not start: {why}"
        return words


def open_watched(session: Session, text: str, cancel: CancelToken) -> Resource:
    """The list to watch for what a user wrote: a task stands for its runs, a build for itself.

    Raises `AppError`s, `UsageError` for a list that nothing is known to change in.
    """
    resource = session.resource(session.parse(text), cancel)
    watched = resource.locator.watched()
    if watched != resource.locator:
        resource = session.resource(watched, cancel)
    if not resource.poll_seconds or resource.schema.state_column is None:
        raise UsageError(
            f"{resource.title} cannot be watched: nothing in this list runs.",
            "Name a task group, a task, a push, a Prow job or a build.",
        )
    return resource


def watch_list(
    resource: Resource,
    cancel: CancelToken,
    *,
    patience: float = PATIENCE,
    pause: Callable[[float], None] | None = None,
    known_durations: Callable[[pl.DataFrame], Durations | None] = lambda rows: None,
) -> Iterator[Progress]:
    """Each change as it is seen; the last one has `ended`.

    `pause(seconds)` waits between two looks (by default until cancelled). `known_durations(rows)`: what is known by now
    of how long such rows take. Raises `LostServerError`, `EmptyListError` where there was no row for `patience` seconds
    or none can come, and `AppError`s of the first reading.
    """
    wait = pause or cancel.sleep
    column = resource.schema.state_column or ""
    rows = resource.watched_rows(read_list(resource, cancel).frame)
    seen: set[str] = set()
    last: Progress | None = None
    quiet, lost_since, tries = 0, 0.0, 0
    at_end, empty_for = False, 0.0
    while True:
        now = _progress(resource, rows, column, seen)
        if not now.total:
            now = replace(now, waiting=_describe_wait(resource, cancel))
            if at_end or empty_for >= patience:
                raise _nothing_to_watch(resource, now.waiting, at_end)
        quiet = quiet + 1 if last is not None and now.counts == last.counts else 0
        only_waiting = now.unfinished and all(is_waiting(state) for state in now.counts if has_not_ended(state))
        ended = bool(now.total) and (at_end or not now.unfinished or bool(only_waiting and quiet >= _QUIET_LOOKS))
        if ended and not at_end:
            at_end = True  # unless the whole list, read once more, has rows that were added meanwhile
            with contextlib.suppress(HttpError):
                rows = resource.watched_rows(read_list(resource, cancel).frame)
                if (again := _progress(resource, rows, column, seen)).unfinished > now.unfinished:
                    at_end = ended = False
                now = replace(again, failures=now.failures + again.failures)
        durations = None if ended else known_durations(rows)
        left = resource.estimate_end(rows, durations) if durations is not None else None
        now = replace(now, ended=ended, stuck=now.unfinished if ended else 0, time_left=left)
        if now != last or left is not None:
            yield now
        last = replace(now, failures=())
        if ended:
            return
        while True:
            seconds = min(resource.poll_seconds * 2**tries, _LONGEST_PAUSE)
            left_of_patience = patience - (time.monotonic() - lost_since) if lost_since else seconds
            seconds = max(min(seconds, left_of_patience), 0.0)
            if not now.total:
                seconds = min(seconds, max(patience - empty_for, 0.0))
                empty_for += seconds
            wait(seconds)
            try:
                page = resource.updates(rows, cancel)
            except HttpError as error:
                lost_since, tries = lost_since or time.monotonic(), tries + 1
                if time.monotonic() - lost_since >= patience:
                    rest = f"{now.unfinished:,} {resource.noun[now.unfinished != 1]}"
                    raise LostServerError(
                        f"{error.sentence} What became of {rest} is not known.", error.hint
                    ) from error
                yield replace(last, problem=error.sentence)
                continue
            break
        lost_since, tries = 0.0, 0
        at_end = page is None
        if page is not None and not page.frame.is_empty():
            rows = resource.watched_rows(_with_changes(rows, page.frame, resource.schema.key))


def _describe_wait(resource: Resource, cancel: CancelToken) -> str:
    with contextlib.suppress(HttpError):
        return resource.describe_wait(cancel)
    return ""


def _nothing_to_watch(resource: Resource, waiting: str, at_end: bool) -> EmptyListError:
    why = f": {waiting}" if waiting else ""
    if at_end:
        return EmptyListError(f"There is nothing to watch in {resource.title}, and nothing can come{why}.")
    return EmptyListError(
        f"There is still nothing to watch in {resource.title}{why}.",
        "Check the locator; --patience says how long to wait.",
    )


def _with_changes(rows: pl.DataFrame, changed: pl.DataFrame, key: str) -> pl.DataFrame:
    return pl.concat([rows, changed.select(rows.columns)]).unique(key, keep="last", maintain_order=True)


def _progress(resource: Resource, rows: pl.DataFrame, column: str, seen: set[str]) -> Progress:
    """`seen`: keys of failed rows that were told already; those of this progress join them."""
    found: dict[str | None, int] = dict(
        rows[column].value_counts(sort=True).sort("count", column, descending=[True, False]).iter_rows()
    )
    counts = {state or "unknown": count for state, count in sorted(found.items(), key=_urgency)}
    failed = [state for state in found if state and has_failed(state)]
    failures: list[Any] = []
    for row in rows.filter(pl.col(column).is_in(failed)).iter_rows(named=True):
        if row[resource.schema.key] not in seen:
            seen.add(row[resource.schema.key])
            failures.append(row)
    return Progress(
        counts, rows.height, sum(found[state] for state in failed),
        sum(count for state, count in found.items() if state and has_not_ended(state)), tuple(failures),
    )  # fmt: skip


def _urgency(item: tuple[str | None, int]) -> tuple[int, int, str]:
    state, count = item[0] or "", item[1]
    return (0 if state and has_failed(state) else 1 if state and has_not_ended(state) else 2), -count, state
