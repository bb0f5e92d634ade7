"""Many requests at the same time: bounded, cancelled at once, results as they arrive, in order, or by priority.

    for batch in map_concurrently(fetch, ids, cancel): ...      # lists of results as they arrive
    for batch in map_in_order(fetch, ids, cancel): ...          # the same, in the order of the ids
    for item, result in map_pairs(fetch, ids, cancel): ...      # each item with its result
    for outcome in map_bisecting(fetch, batches, cancel): ...   # a batch that fails is tried again in halves
    with PriorityPool(fetch, cancel) as pool: ...               # keyed items, more of them at any time, some first

`fetch(item, cancel)` runs in worker threads and gets a token of its own, which the caller's cancels.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Generic, TypeVar

from backends.cancel import CancelToken

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = 8  # half of what Http allows to one host, so that the rest of the app is still served
HOST_WORKERS = 16  # all that Http allows to one host
_BATCH_SECONDS = 0.1  # results that arrive within this time form one batch: a table is not drawn more often


def map_concurrently(
    work: Callable[[Item, CancelToken], Result], items: Iterable[Item], cancel: CancelToken, workers: int = WORKERS
) -> Iterator[list[Result]]:
    """Batches of results as they arrive. The first exception ends it; so does `cancel`, and closing it."""
    own = CancelToken()
    unsubscribe = cancel.on_cancel(own.cancel)
    left = iter(items)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="pool")
    try:
        running: set[Future[Result]] = {pool.submit(work, item, own) for item in islice(left, 4 * workers)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            cancel.check()
            running |= {pool.submit(work, item, own) for item in islice(left, len(done))}
            yield [future.result() for future in done]
    finally:
        unsubscribe()
        own.cancel()
        pool.shutdown(wait=False, cancel_futures=True)


def map_pairs(
    work: Callable[[Item, CancelToken], Result], items: Iterable[Item], cancel: CancelToken, workers: int = WORKERS
) -> Iterator[tuple[Item, Result]]:
    """(item, result) pairs as they arrive; otherwise as `map_concurrently`."""

    def pair(item: Item, own: CancelToken) -> tuple[Item, Result]:
        return item, work(item, own)

    for batch in map_concurrently(pair, items, cancel, workers):
        yield from batch


def map_in_order(
    work: Callable[[Item, CancelToken], Result], items: Iterable[Item], cancel: CancelToken, workers: int = WORKERS
) -> Iterator[list[Result]]:
    """As `map_concurrently`, but the results come in the order of their items: the same output each time."""

    def number(pair: tuple[int, Item], own: CancelToken) -> tuple[int, Result]:
        return pair[0], work(pair[1], own)

    early, following = dict[int, Result](), 0
    for batch in map_concurrently(number, enumerate(items), cancel, workers):
        early.update(batch)
        ready = []
        while following in early:
            ready.append(early.pop(following))
            following += 1
        if ready:
            yield ready


class PriorityPool(Generic[Item, Result]):
    """Items by key, each worked on once, those that are preferred (on the screen) first.

    Use it in a `with`, which ends what still runs. What `work(item, cancel)` raises is raised by `completed` and
    `batches`.
    """

    def __init__(
        self,
        work: Callable[[Item, CancelToken], Result],
        cancel: CancelToken,
        workers: int = HOST_WORKERS,
        name: str = "pool",
    ) -> None:
        self._work = work
        self._outer = cancel
        self._own = CancelToken()
        self._workers = workers
        self._name = name
        self._changed = threading.Condition()
        self._waiting: dict[str, Item] = {}
        self._preferred: list[str] = []  # the next one last
        self._running = 0
        self._threads = 0
        self._results: list[Result] = []
        self._error: BaseException | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    def __enter__(self) -> PriorityPool[Item, Result]:
        self._unsubscribe = self._outer.on_cancel(self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        self._unsubscribe()
        self._stop()

    def _stop(self) -> None:
        self._own.cancel()
        with self._changed:
            self._waiting.clear()
            self._changed.notify_all()

    def submit(self, items: Iterable[tuple[str, Item]]) -> None:
        """Adds (key, item) pairs. Does not wait."""
        with self._changed:
            if self._own.cancelled:
                return
            self._waiting.update(items)
            for _ in range(min(self._workers, len(self._waiting)) - self._threads):
                self._threads += 1
                threading.Thread(target=self._run, name=f"{self._name} worker", daemon=True).start()
            self._changed.notify_all()

    def prefer(self, keys: Sequence[str]) -> None:
        """These next, as far as they still wait. Does not wait for any of them."""
        with self._changed:
            self._preferred = [key for key in reversed(keys) if key in self._waiting]

    def completed(self) -> list[Result]:
        """The results since the last call, without waiting."""
        with self._changed:
            return self._take_results()

    def batches(self) -> Iterator[list[Result]]:
        """Batches of results until all that was submitted is done. Raises `OperationCancelledError`, and what the
        work raised."""
        while True:
            with self._changed:
                while not self._results and self._error is None and (self._waiting or self._running):
                    self._changed.wait(0.5)
                    self._outer.check()
                self._outer.check()
                if not self._results and self._error is None:
                    return
            until = time.monotonic() + _BATCH_SECONDS
            with self._changed:
                while (
                    self._error is None
                    and (self._waiting or self._running)
                    and (seconds := until - time.monotonic()) > 0
                ):
                    self._changed.wait(seconds)
                results = self._take_results()
            self._outer.check()
            if results:
                yield results

    def batches_in_order(self, keys: Iterable[str], key_of: Callable[[Result], str]) -> Iterator[list[Result]]:
        """As `batches`, but the results come in the order of `keys`, each as soon as all before it are done.

        For what users are told: which result came first must not show.
        """
        left = iter(dict.fromkeys(keys))
        early: dict[str, Result] = {}
        following = next(left, None)
        for batch in self.batches():
            early.update((key_of(result), result) for result in batch)
            ready: list[Result] = []
            while following is not None and following in early:
                ready.append(early.pop(following))
                following = next(left, None)
            if ready:
                yield ready

    def _take_results(self) -> list[Result]:
        if self._error is not None:
            raise self._error
        results, self._results = self._results, []
        return results

    def _run(self) -> None:
        while (item := self._next_item()) is not None:
            try:
                result = self._work(item[0], self._own)
            except BaseException as error:
                with self._changed:
                    self._error = self._error or error
                    self._waiting.clear()
                    self._running -= 1
                    self._threads -= 1
                    self._changed.notify_all()
                return
            with self._changed:
                self._results.append(result)
                self._running -= 1
                # The reader needs the first result and the last: waking it for each would cost a switch of threads.
                if len(self._results) == 1 or not (self._waiting or self._running):
                    self._changed.notify_all()

    def _next_item(self) -> tuple[Item] | None:
        with self._changed:
            if not self._waiting or self._own.cancelled:
                self._threads -= 1
                self._changed.notify_all()
                return None
            while self._preferred:
                key = self._preferred.pop()
                if key in self._waiting:
                    break
            else:
                key = next(iter(self._waiting))
            self._running += 1
            return (self._waiting.pop(key),)
