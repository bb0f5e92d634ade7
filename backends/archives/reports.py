"""What is said about an archive while it is made: a state of the Archiver's protocol and a sentence."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    PENDING = "PENDING"  # waits for its turn
    STARTED = "STARTED"
    RETRY = "RETRY"  # something went wrong that may not do so again
    SUCCESS = "SUCCESS"  # there is something to fetch
    FAILURE = "FAILURE"


FINAL = frozenset({State.SUCCESS, State.FAILURE})


@dataclass(frozen=True)
class Report:
    """`bytes`: how many have come in, or have been read, in this step."""

    state: State
    sentence: str
    bytes: int = 0


Tell = Callable[[Report], None]


def silent(report: Report) -> None:
    """For callers that only want the end."""


class Counted:
    """Tells how far a step is, at most four times a second."""

    def __init__(self, tell: Tell, words: Callable[[int], str]) -> None:
        self._tell, self._words, self._last = tell, words, 0.0

    def __call__(self, count: int) -> None:
        now = time.monotonic()
        if now - self._last >= 0.25:
            self._last = now
            self._tell(Report(State.STARTED, self._words(count), count))
