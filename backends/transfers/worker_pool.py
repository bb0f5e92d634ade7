"""Who fetches the files of a run: here, threads of this process; processes.py has the other way."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from backends.transfers import worker
from backends.transfers.concurrency_limiter import ConcurrencyLimiter
from backends.transfers.items import Item
from backends.transfers.states import Stored
from backends.transfers.worker import Downloader

OpenDownloader = Callable[[], AbstractContextManager[Downloader]]


class Desk(Protocol):
    """What a crew asks of the run it works for. All may be called from any thread."""

    @property
    def parts(self) -> int:
        """The descriptor of the directory that parts are written into."""
        ...

    @property
    def paused(self) -> bool: ...
    @property
    def over(self) -> bool:
        """Whether every file has been recorded."""
        ...

    @property
    def pace(self) -> ConcurrencyLimiter: ...
    @property
    def waiting(self) -> int:
        """How many files could be begun now."""
        ...

    def next(self, leave: Callable[[], bool], most: int | None) -> Item | None:
        """Waits for a file to try; None when the run is over, `leave()`, or it may have more than `most` bytes."""
        ...

    def take(self, beyond: int) -> Item | None:
        """A file to try now, if there is one; `beyond`: how many more than the pace allows may be under way."""
        ...

    def due(self) -> float | None:
        """Seconds until a file may become due; None if none waits for its time."""
        ...

    def look(self, cpu: Callable[[], float], processes: int) -> bool:
        """Adapts the pace, now and then; True if it has. `cpu`: seconds used so far by all who fetch."""
        ...

    def hold(self, item: Item) -> None:
        """Between chunks: notes what must be known of the part, waits in a pause. Raises `OperationCancelledError`."""
        ...

    def note(self, item: Item) -> None: ...
    def ended(self, item: Item, how: Stored | Exception) -> None: ...
    def back(self, item: Item) -> None:
        """A try that does not count: the file goes back in line."""
        ...

    def broke(self, error: Exception) -> None:
        """The crew cannot go on: the run ends."""
        ...


class Crew(Protocol):
    def begin(self) -> None: ...
    def wake(self) -> None:
        """There may be something to do: a file, a pause, the end. Never waits; the desk's lock may be held."""
        ...


class Threads:
    """Each thread has a connection of its own. `most`: these threads take no file that may have more bytes."""

    def __init__(self, desk: Desk, open_downloader: OpenDownloader, most: int | None = None) -> None:
        self._desk = desk
        self._open_downloader = open_downloader
        self._most = most
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._count = 0
        self._left = False

    def begin(self) -> None:
        self.employ(min(self._desk.pace.allowed, self._desk.waiting))

    def employ(self, wanted: int) -> None:
        """Until there are that many."""
        with self._lock:
            new, self._count = max(0, wanted - self._count), max(wanted, self._count)
        for _ in range(new):
            threading.Thread(target=self._work, name=f"transfer-{next(self._numbers)}", daemon=True).start()

    def leave(self) -> None:
        """Each ends after the file it has begun."""
        self._left = True

    def wake(self) -> None:
        """They wait at the desk itself."""

    def _work(self) -> None:
        desk = self._desk
        try:
            with self._open_downloader() as downloader:
                while (item := desk.next(lambda: self._left, self._most)) is not None:
                    desk.ended(item, self._fetched(item, downloader))
                    if desk.look(time.process_time, 1) and self._most is None:
                        self.employ(min(desk.pace.allowed, self._count + desk.waiting))
        except Exception as error:
            desk.broke(error)

    def _fetched(self, item: Item, downloader: Downloader) -> Stored | Exception:
        token, desk = item.cancel, self._desk
        assert token is not None
        try:
            return worker.fetch(item, downloader, desk.parts, lambda: desk.hold(item), token)
        except Exception as error:
            return error
