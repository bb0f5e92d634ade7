"""Several small questions to one Treeherder at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from backends.cancel import CancelToken
from backends.pool import map_concurrently

Question = TypeVar("Question")
Found = TypeVar("Found")

WORKERS = 6  # gunicorn's sync workers are few, and nothing but our own patience limits us


def answers(
    ask: Callable[[Question, CancelToken], Found], questions: Sequence[Question], cancel: CancelToken
) -> Iterator[tuple[Question, Found]]:
    """Each question with its answer, as they come. The first exception ends it; so do `cancel`, and closing it."""

    def paired(question: Question, own: CancelToken) -> tuple[Question, Found]:
        return question, ask(question, own)

    for batch in map_concurrently(paired, questions, cancel, WORKERS):
        yield from batch
