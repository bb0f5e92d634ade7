"""Several questions at a time, answered in whatever order; one that is too much for the server is asked in halves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from backends.cancel import CancelToken
from backends.http.errors import (
    AccessDeniedError,
    HttpError,
    NetworkError,
    OfflineError,
    RateLimitedError,
    RequestTimeoutError,
)

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Outcome(Generic[Item, Result]):
    """What came of some items: `result`, or the `problem` that stays even when they are asked for one by one."""

    items: Sequence[Item]
    result: Result | None
    problem: HttpError | None = None


def ask_all(
    batches: Sequence[Sequence[Item]],
    ask: Callable[[Sequence[Item]], Result],
    *,
    concurrency: int,
    cancel: CancelToken,
) -> Iterator[Outcome[Item, Result]]:
    """The outcomes as they come. A batch that fails is asked again in halves, down to single items: Treeherder's
    requests end after 30 seconds, and how much fits into them nobody can know.

    Raises what would fail for every other batch, too: no network, no permission, too many requests, cancelled.
    """
    waiting = list(reversed(batches))
    running: dict[Future[Result], Sequence[Item]] = {}
    with ThreadPoolExecutor(max(1, concurrency), thread_name_prefix="dataset") as pool:
        try:
            while waiting or running:
                while waiting and len(running) < concurrency:
                    items = waiting.pop()
                    running[pool.submit(ask, items)] = items
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for one in done:
                    items = running.pop(one)
                    try:
                        yield Outcome(items, one.result())
                    except HttpError as problem:
                        if _hopeless(problem):
                            raise
                        if len(items) > 1:
                            waiting += [items[len(items) // 2 :], items[: len(items) // 2]]
                        else:
                            yield Outcome(items, None, problem)
                cancel.check()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _hopeless(problem: HttpError) -> bool:
    if isinstance(problem, AccessDeniedError | OfflineError | RateLimitedError):
        return True
    return isinstance(problem, NetworkError) and not isinstance(problem, RequestTimeoutError)


def batches(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
