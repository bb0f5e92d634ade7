"""Which servers we are waiting for before asking them again, for whoever shows progress.

`Http.waits` is one of these. A command subscribes, a status line asks `text()` when it is drawn:
"waiting 120 s: ci.example asks for it (429)".
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backends.http.errors import HttpError

LEAST_SHOWN = 5.0  # seconds; shorter waits, such as our own between tries, are over before they are read


class Waits:
    """Thread-safe. Subscribers are called in the thread that begins or ends its wait."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._current: dict[int, tuple[float, str, str]] = {}  # until when, which host, why
        self._subscribers: dict[int, Callable[[str], None]] = {}
        self._next = 0

    @contextmanager
    def during(self, host: str, seconds: float, problem: HttpError) -> Iterator[None]:
        """Within it, `host` is waited for."""
        if seconds < LEAST_SHOWN:
            yield
            return
        with self._lock:
            number = self._next = self._next + 1
            is_news = all(host != other for _, other, _ in self._current.values())
            self._current[number] = (self._clock() + seconds, host, _reason(problem))
        try:
            if is_news:
                self._publish()
            yield
        finally:
            with self._lock:
                del self._current[number]
                is_over = not self._current
            if is_over:
                self._publish()

    def text(self) -> str:
        """The longest wait that is under way, "" for none: "waiting 97 s: ci.example asks for it (429)"."""
        with self._lock:
            if not self._current:
                return ""
            until, host, reason = max(self._current.values())
        return wait_text(host, until - self._clock(), reason)

    def subscribe(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Calls `callback(text)` when a host begins to be waited for and, with "", when no one is; returns the end."""
        with self._lock:
            number = self._next = self._next + 1
            self._subscribers[number] = callback
        return lambda: self._unsubscribe(number)

    def _unsubscribe(self, number: int) -> None:
        with self._lock:
            self._subscribers.pop(number, None)

    def _publish(self) -> None:
        text = self.text()
        with self._lock:
            subscribers = list(self._subscribers.values())
        for callback in subscribers:
            callback(text)


def wait_text(host: str, seconds: float, reason: str) -> str:
    return f"waiting {max(1.0, seconds):.0f} s: {host} {reason}"


def _reason(problem: HttpError) -> str:
    if problem.retry_after is not None:
        return f"asks for it ({problem.status})"
    return f"failed ({problem.status})" if problem.status is not None else "has not answered"
