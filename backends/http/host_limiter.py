"""How many requests may be under way to one host at a time."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

from backends.cancel import CancelToken


class HostLimiter:
    """A counter a host; waiting for a free one ends at once when the cancel token is pulled."""

    def __init__(self, per_host: int) -> None:
        self._per_host = max(1, per_host)
        self._taken: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def take(self, host: str, cancel: CancelToken | None) -> Iterator[None]:
        self._acquire(host, cancel)
        try:
            yield
        finally:
            with self._changed:
                self._taken[host] -= 1
                if not self._taken[host]:
                    del self._taken[host]
                self._changed.notify_all()

    def _acquire(self, host: str, cancel: CancelToken | None) -> None:
        with self._changed:
            if self._taken[host] < self._per_host:
                self._taken[host] += 1
                return
        forget = cancel.on_cancel(self._wake) if cancel is not None else None
        try:
            with self._changed:
                while self._taken[host] >= self._per_host:
                    if cancel is not None:
                        cancel.check()
                    self._changed.wait()
                self._taken[host] += 1
        finally:
            if forget is not None:
                forget()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
