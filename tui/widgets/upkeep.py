"""What a list does by itself while it is looked at: tells which rows are on the screen, asks for what has changed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.resources import Page, Resource
from tui import crash_log

if TYPE_CHECKING:
    import polars as pl

    from tui.widgets.resource_view import ResourceView

LOOK = 0.3  # seconds between two looks at which rows are on the screen, while rows still arrive
LONGEST_PAUSE = 300.0  # seconds between two tries of a server that fails


class Upkeep:
    """Belongs to one view. `begin` after each complete load, `end` before the next one and when the view goes."""

    def __init__(self, view: ResourceView) -> None:
        self._view = view
        self._cancel = CancelToken()
        self._told: list[str] = []
        self._pause = 0.0
        self._changed = False  # since the list was loaded

    def watch_screen(self) -> None:
        """Begins to tell the resource which rows are seen."""
        self._view.set_interval(LOOK, self._look)

    def _look(self) -> None:
        view = self._view
        if not view.loading_now or view.resource is None or view.table is None:
            return
        keys = view.table.keys_in_sight()
        if keys != self._told:
            self._told = keys
            view.resource.prefer(keys)

    def begin(self, resource: Resource) -> None:
        self.end()
        self._cancel, self._changed = CancelToken(), False
        if resource.poll_seconds > 0 and self._view.session.mode == "normal":
            self._pause = resource.poll_seconds
            self._wait(resource, self._cancel)

    def end(self) -> None:
        self._cancel.cancel()

    def _wait(self, resource: Resource, cancel: CancelToken) -> None:
        self._view.set_timer(self._pause, partial(self._ask, resource, cancel))

    def _ask(self, resource: Resource, cancel: CancelToken) -> None:
        view = self._view
        if cancel.cancelled or not view.is_attached or view.table is None:
            return
        if not view.is_on_screen:  # another pane or list is shown: what nobody sees is not asked for
            self._wait(resource, cancel)
            return
        work = partial(self._work, resource, view.table.frame, cancel)
        view.run_worker(work, thread=True, group="poll", exit_on_error=False)

    def _work(self, resource: Resource, frame: pl.DataFrame, cancel: CancelToken) -> None:
        """In a worker thread."""
        page: Page | None = None
        problem: AppError | None = None
        try:
            page = resource.updates(frame, cancel)
        except OperationCancelledError:
            return
        except AppError as told:
            problem = told
        except Exception as error:
            problem = crash_log.as_problem(error)
        if not cancel.cancelled and self._view.is_attached and self._view.app.is_running:
            self._view.app.call_from_thread(self._back, resource, page, problem, cancel)

    def _back(self, resource: Resource, page: Page | None, problem: AppError | None, cancel: CancelToken) -> None:
        if cancel.cancelled or not self._view.is_attached:
            return
        if problem is not None:
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
            self._view.updated(None, f"could not be updated: {problem.sentence}")
        elif page is None:
            if self._changed:
                self._view.updated(None, "nothing here changes any more")
            return
        else:
            self._pause, self._changed = resource.resting_seconds or resource.poll_seconds, True
            self._view.updated(page, page.note)
        self._wait(resource, cancel)
