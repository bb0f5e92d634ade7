"""Many small questions at once, those that somebody looks at first: sixteen at a time, stopped at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from backends.cancel import CancelToken

Question = TypeVar("Question")
Found = TypeVar("Found")

WORKERS = 16  # what Http allows to one host
_GATHERED = 0.1  # seconds in which answers are put together: a table cannot be drawn more often anyway


class Turns(Generic[Question, Found]):
    """Questions by key, each asked once; use it in a `with`, which ends what is still being asked.

    `ask(question, cancel)` runs in worker threads; what it raises ends `rest` and `ready`.
    """

    def __init__(
        self,
        ask: Callable[[Question, CancelToken], Found],
        cancel: CancelToken,
        workers: int = WORKERS,
        name: str = "prow",
    ) -> None:
        self._ask = ask
        self._outer = cancel
        self._own = CancelToken()
        self._workers = workers
        self._name = name
        self._changed = threading.Condition()
        self._left: dict[str, Question] = {}
        self._first: list[str] = []
        self._busy = 0
        self._threads = 0
        self._answers: list[Found] = []
        self._failure: BaseException | None = None
        self._forget: Callable[[], None] = lambda: None

    def __enter__(self) -> Turns[Question, Found]:
        self._forget = self._outer.on_cancel(self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        self._forget()
        self._stop()

    def _stop(self) -> None:
        self._own.cancel()
        with self._changed:
            self._left.clear()
            self._changed.notify_all()

    def add(self, questions: Iterable[tuple[str, Question]]) -> None:
        with self._changed:
            if self._own.cancelled:
                return
            self._left.update(questions)
            for _ in range(min(self._workers, len(self._left)) - self._threads):
                self._threads += 1
                threading.Thread(target=self._work, name=f"{self._name} reader", daemon=True).start()
            self._changed.notify_all()

    def prefer(self, keys: Sequence[str]) -> None:
        """These next, as far as they are still to be asked. Does not wait for any of them."""
        with self._changed:
            self._first = [key for key in reversed(keys) if key in self._left]

    def ready(self) -> list[Found]:
        """The answers since the last time, without waiting."""
        with self._changed:
            return self._taken()

    def rest(self) -> Iterator[list[Found]]:
        """Batches until all that was asked is answered. Raises `OperationCancelledError`, and what asking raised."""
        while True:
            with self._changed:
                while not self._answers and self._failure is None and (self._left or self._busy):
                    self._changed.wait(0.5)
                    self._outer.check()
                self._outer.check()
                if not self._answers and self._failure is None:
                    return
            until = time.monotonic() + _GATHERED
            with self._changed:
                while self._failure is None and (self._left or self._busy) and (wait := until - time.monotonic()) > 0:
                    self._changed.wait(wait)
                found = self._taken()
            self._outer.check()
            if found:
                yield found

    def _taken(self) -> list[Found]:
        if self._failure is not None:
            raise self._failure
        found, self._answers = self._answers, []
        return found

    def _work(self) -> None:
        while (question := self._next()) is not None:
            try:
                found = self._ask(question[0], self._own)
            except BaseException as problem:
                with self._changed:
                    self._failure = self._failure or problem
                    self._left.clear()
                    self._busy -= 1
                    self._threads -= 1
                    self._changed.notify_all()
                return
            with self._changed:
                self._answers.append(found)
                self._busy -= 1
                # Who waits wants the first answer and the last: waking it for each one would cost a switch of threads.
                if len(self._answers) == 1 or not (self._left or self._busy):
                    self._changed.notify_all()

    def _next(self) -> tuple[Question] | None:
        with self._changed:
            if not self._left or self._own.cancelled:
                self._threads -= 1
                self._changed.notify_all()
                return None
            while self._first:
                key = self._first.pop()
                if key in self._left:
                    break
            else:
                key = next(iter(self._left))
            self._busy += 1
            return (self._left.pop(key),)


def in_order(
    batches: Iterable[list[Found]], keys: Iterable[str], key_of: Callable[[Found], str]
) -> Iterator[list[Found]]:
    """The answers in the order of their questions' `keys`, each as soon as all before it are there.

    For what is told to users: which answer came first must not show.
    """
    left = iter(dict.fromkeys(keys))
    waiting: dict[str, Found] = {}
    wanted = next(left, None)
    for batch in batches:
        waiting.update((key_of(found), found) for found in batch)
        ready: list[Found] = []
        while wanted is not None and wanted in waiting:
            ready.append(waiting.pop(wanted))
            wanted = next(left, None)
        if ready:
            yield ready
