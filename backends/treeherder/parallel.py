"""Several small questions to one server at the same time, with the answers in the order in which they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from backends.cancel import Cancel

Question = TypeVar("Question")
Found = TypeVar("Found")

WORKERS = 6  # gunicorn's sync workers are few, and nothing but our own patience limits us


def answers(
    ask: Callable[[Question, Cancel], Found], questions: Sequence[Question], cancel: Cancel
) -> Iterator[tuple[Question, Found]]:
    """Each question with its answer. The first exception ends it; so do `cancel`, and closing it."""
    own = Cancel()
    forget = cancel.on_cancel(own.cancel)
    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="treeherder")
    try:
        asked = {pool.submit(ask, one, own): one for one in questions}
        for done in as_completed(asked):
            cancel.check()
            yield asked[done], done.result()
    finally:
        forget()
        own.cancel()
        pool.shutdown(wait=False, cancel_futures=True)
