"""Lists that are watched while one looks at others: at the first failure and at the end the app says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from tui import crash_log

if TYPE_CHECKING:
    from backends.locators import Locator
    from backends.resources import Resource, Row
    from backends.session import Session
    from backends.watching import Progress


_MAX_NAMED = 3  # rows that have failed, in one message


def _name_row(resource: Resource, row: Row) -> str:
    detail = resource.detail(row)
    return detail.title if detail is not None else str(row[resource.schema.key])


@dataclass
class WatchedList:
    """`progress`: how far it was when it was last looked at; None before that. `problem`: why it is lost."""

    title: str
    cancel: CancelToken = field(default_factory=CancelToken)
    progress: Progress | None = None
    problem: str = ""
    name_row: Callable[[Row], str] = lambda row: ""  # once the list is open

    @property
    def has_ended(self) -> bool:
        return bool(self.problem) or (self.progress is not None and self.progress.ended)

    @property
    def failed(self) -> int:
        return self.progress.total_failed if self.progress is not None else 0


class WatchedLists:
    """By the texts of their locators. `call(function, *arguments)` runs something in the interface's thread;
    `tell(title, text, failed)` says something there; `changed()` draws the badge anew."""

    def __init__(
        self,
        session: Session,
        call: Callable[..., None],
        tell: Callable[[str, str, bool], None],
        changed: Callable[[], None],
    ) -> None:
        self._session, self._call, self._tell, self._changed = session, call, tell, changed
        self._lists: dict[str, WatchedList] = {}

    @property
    def badge(self) -> str:
        """For the top bar: "", "◌ 2 watched", "✖ 3 red, 2 watched"."""
        if not self._lists:
            return ""
        red = [one for one in self._lists.values() if one.failed or one.problem]
        if red:
            failed = sum(one.failed for one in red)
            return f"✖ {failed:,} red, {len(self._lists)} watched"
        ended = all(one.has_ended for one in self._lists.values())
        return f"{'✔' if ended else '◌'} {len(self._lists)} watched"

    def is_watched(self, locator: Locator) -> bool:
        return locator.text() in self._lists

    def add(self, locator: Locator, title: str) -> Callable[[], None]:
        """Watches a list from now on; returns what has to run in a thread."""
        watched = self._lists[locator.text()] = WatchedList(title)
        self._changed()
        return lambda: self._watch(locator, watched)

    def remove(self, locator: Locator) -> None:
        watched = self._lists.pop(locator.text(), None)
        if watched is not None:
            watched.cancel.cancel()
        self._changed()

    def stop(self) -> None:
        """The app ends."""
        for watched in self._lists.values():
            watched.cancel.cancel()

    def _watch(self, locator: Locator, watched: WatchedList) -> None:
        """In a worker thread."""
        from backends.watching import open_watched, watch_list

        def follow() -> None:
            resource = open_watched(self._session, locator.text(), watched.cancel)
            watched.name_row = partial(_name_row, resource)
            for progress in watch_list(resource, watched.cancel):
                self._call(self._show, watched, progress)

        _, error = crash_log.attempt(follow)
        if error is not None and not isinstance(error, OperationCancelledError):
            self._call(self._lose, watched, error)

    def _show(self, watched: WatchedList, progress: Progress) -> None:
        before, watched.progress = watched.progress, progress
        if progress.total_failed and (before is None or not before.total_failed):
            names = [name for row in progress.failures[:_MAX_NAMED] if (name := watched.name_row(row))]
            more = progress.total_failed - len(names)
            lines = [progress.red_text, *names, *([f"and {more:,} more"] if names and more > 0 else [])]
            self._tell(f"Failed: {watched.title}", "\n".join(lines), True)
        if progress.ended:
            self._tell(f"Ended: {watched.title}", progress.text, bool(progress.total_failed))
        self._changed()

    def _lose(self, watched: WatchedList, error: AppError) -> None:
        watched.problem = error.sentence
        self._tell(f"No longer watched: {watched.title}", error.sentence, True)
        self._changed()
