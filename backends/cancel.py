"""Cancellation tokens: any thread may cancel the work that shares one; blocked readers are woken."""

from __future__ import annotations

import threading
from collections.abc import Callable

from backends.errors import OperationCancelledError


class CancelToken:
    """A stop signal shared by whoever started the work and the threads that do it.

    Work calls `check()` between pieces (raises `OperationCancelledError`), waits with `sleep(seconds)` instead of
    time.sleep, and registers with `on_cancel` what unblocks a read (closing a response). All methods are thread-safe.
    """

    def __init__(self) -> None:
        self._cancelled = False
        self._event: threading.Event | None = None  # for those who sleep; most tokens never have any
        self._lock = threading.Lock()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._next = 0

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            if self._event is not None:
                self._event.set()
            callbacks = list(self._callbacks.values())
            self._callbacks.clear()
        for callback in callbacks:
            callback()

    def check(self) -> None:
        if self._cancelled:
            raise OperationCancelledError

    def sleep(self, seconds: float) -> None:
        """Waits that long, or raises `OperationCancelledError` as soon as it is cancelled."""
        with self._lock:
            self.check()
            event = self._event = self._event or threading.Event()
        if event.wait(seconds):
            raise OperationCancelledError

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls `callback` once when it is cancelled (at once if it was); returns how to take that back."""
        with self._lock:
            if not self._cancelled:
                number = self._next = self._next + 1
                self._callbacks[number] = callback
                return lambda: self._forget(number)
        callback()
        return lambda: None

    def _forget(self, number: int) -> None:
        with self._lock:
            self._callbacks.pop(number, None)
