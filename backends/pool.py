"""Asking many small questions at once: some at a time, stopped at once, answers in the order in which they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

from backends.cancel import CancelToken

Question = TypeVar("Question")
Found = TypeVar("Found")

WORKERS = 8  # half of what Http allows to one host, so that the rest of the app is still answered


def map_concurrently(
    ask: Callable[[Question, CancelToken], Found],
    questions: Iterable[Question],
    cancel: CancelToken,
    workers: int = WORKERS,
) -> Iterator[list[Found]]:
    """Batches of answers as they become known. The first exception ends it; so does `cancel`, and closing it."""
    own = CancelToken()
    forget = cancel.on_cancel(own.cancel)
    left = iter(questions)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="asking")
    try:
        asked: set[Future[Found]] = {pool.submit(ask, one, own) for one in islice(left, 4 * workers)}
        while asked:
            done, asked = wait(asked, return_when=FIRST_COMPLETED)
            cancel.check()
            asked |= {pool.submit(ask, one, own) for one in islice(left, len(done))}
            yield [one.result() for one in done]
    finally:
        forget()
        own.cancel()
        pool.shutdown(wait=False, cancel_futures=True)


def map_in_order(
    ask: Callable[[Question, CancelToken], Found],
    questions: Iterable[Question],
    cancel: CancelToken,
    workers: int = WORKERS,
) -> Iterator[list[Found]]:
    """As `map_concurrently`, but the answers come in the order of their questions: the same output each time."""

    def numbered(one: tuple[int, Question], own: CancelToken) -> tuple[int, Found]:
        return one[0], ask(one[1], own)

    early, following = dict[int, Found](), 0
    for batch in map_concurrently(numbered, enumerate(questions), cancel, workers):
        early.update(batch)
        ready = []
        while following in early:
            ready.append(early.pop(following))
            following += 1
        if ready:
            yield ready
