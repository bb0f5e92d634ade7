"""Equal requests at the same time are one request: the first one flies, the others wait for what it brings."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from backends.cancel import CancelToken
from backends.http.errors import HttpError

T = TypeVar("T")


class _Flight(Generic[T]):
    def __init__(self) -> None:
        self.landed = threading.Condition()
        self.done = False
        self.found: list[T] = []
        self.problem: HttpError | None = None

    def wait(self, cancel: CancelToken | None) -> None:
        forget = cancel.on_cancel(self._wake) if cancel is not None else None
        try:
            with self.landed:
                while not self.done:
                    if cancel is not None:
                        cancel.check()
                    self.landed.wait()
        finally:
            if forget is not None:
                forget()

    def land(self) -> None:
        with self.landed:
            self.done = True
            self.landed.notify_all()

    def _wake(self) -> None:
        with self.landed:
            self.landed.notify_all()


class SingleFlight(Generic[T]):
    """One flight a key, from the moment it is asked for until its work (the storing included) is over.

    A problem that the server or the network made is everybody's. Anything else, above all that the first asker was
    cancelled, is its own: then one of those who wait takes over.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flying: dict[Hashable, _Flight[T]] = {}

    def run(self, key: Hashable, work: Callable[[], T], cancel: CancelToken | None = None) -> T:
        while True:
            with self._lock:
                flight = self._flying.get(key)
                if flight is None:
                    own = self._flying[key] = _Flight()
                    break
            flight.wait(cancel)
            if flight.found:
                return flight.found[0]
            if flight.problem is not None:
                raise copy.copy(flight.problem)  # a traceback belongs to one thread
            if cancel is not None:
                cancel.check()
        try:
            own.found.append(work())
        except HttpError as problem:
            own.problem = problem
            raise
        finally:
            with self._lock:
                del self._flying[key]
            own.land()
        return own.found[0]
