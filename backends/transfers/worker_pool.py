"""Workers of a transfer in threads: the scheduler that they ask for work, and how many there are."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from backends.transfers import worker
from backends.transfers.states import FileTransfer, PendingFile
from backends.transfers.worker import DownloaderProtocol

JOBS = 16
JOBS_FOR_SMALL = 64
SMALL = 2 << 20  # mean size in bytes; a few big files fill any link
GROW_EVERY = 0.1  # seconds
BUSY = 0.6  # of a core: what a process gets of it when the server runs on the same machine is no more
QUIET = 5.0  # seconds without a complaint before there may be more again
REGROW_EVERY = 1.0
WEIGHT = 0.1
MANY = 0.5  # of the answers: an overloaded server refuses most; a server with faults of its own some
SHRINK_EVERY = 1.0  # what was asked together is refused together, and that is one complaint


class ConcurrencyLimiter:
    """`allowed` files may be under way. The engine calls all methods under its lock."""

    def __init__(self, sizes: Iterable[int | None], fixed: int | None, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        known = [size for size in sizes if size is not None]
        self.small = not known or sum(known) / len(known) <= SMALL
        self.most = max(1, fixed) if fixed is not None else JOBS_FOR_SMALL if self.small else JOBS
        self.allowed = min(self.most, JOBS) if fixed is None else self.most
        self._looked = clock()
        self._shrank: float | None = None
        self._complaints = 0.0  # share of the latest answers, each counting WEIGHT less than the next

    @property
    def shrunk(self) -> bool:
        """Whether a server has complained and all may not yet be asked for again."""
        return self._shrank is not None

    def due(self) -> bool:
        """Whether it is time to say how busy we are."""
        every = GROW_EVERY if self._shrank is None else REGROW_EVERY
        return self.allowed < self.most and self._clock() - self._looked >= every

    def look(self, busy: float) -> None:
        """`busy`: which part of a core each process that fetches has used since the last look."""
        now = self._looked = self._clock()
        if self._shrank is None:
            if busy < BUSY:
                self.allowed = min(self.most, 2 * self.allowed)
        elif now - self._shrank >= QUIET:
            self.allowed = min(self.most, self.allowed + max(1, self.allowed // 4))
            if self.allowed == self.most:
                self._shrank = None

    def served(self) -> None:
        """A server gave what it was asked for."""
        self._complaints *= 1 - WEIGHT

    def complained(self) -> bool:
        """A server said 429 or 503. Whether it means us all: seven in a row do, one answer in five does not."""
        self._complaints += WEIGHT * (1 - self._complaints)
        if self._complaints < MANY:
            return False
        now = self._clock()
        if self._shrank is None or now - self._shrank >= SHRINK_EVERY:
            self.allowed = max(1, self.allowed // 2)
        self._shrank = self._looked = now
        return True


OpenDownloader = Callable[[], AbstractContextManager[DownloaderProtocol]]


class Scheduler(Protocol):
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

    def next(self, leave: Callable[[], bool], most: int | None) -> FileTransfer | None:
        """Waits for a file to try; None when the run is over, `leave()`, or it may have more than `most` bytes."""
        ...

    def take(self, beyond: int) -> FileTransfer | None:
        """A file to try now, if there is one; `beyond`: how many more than the pace allows may be under way."""
        ...

    def due(self) -> float | None:
        """Seconds until a file may become due; None if none waits for its time."""
        ...

    def look(self, cpu: Callable[[], float], processes: int) -> bool:
        """Adapts the pace, now and then; True if it has. `cpu`: seconds used so far by all who fetch."""
        ...

    def hold(self, item: FileTransfer) -> None:
        """Between chunks: notes what must be known of the part, waits in a pause. Raises `OperationCancelledError`."""
        ...

    def note(self, item: FileTransfer) -> None: ...
    def ended(self, item: FileTransfer, how: PendingFile | Exception) -> None: ...
    def back(self, item: FileTransfer) -> None:
        """A try that does not count: the file goes back in line."""
        ...

    def broke(self, error: Exception) -> None:
        """The crew cannot go on: the run ends."""
        ...


class WorkerPool(Protocol):
    def begin(self) -> None: ...
    def wake(self) -> None:
        """There may be something to do: a file, a pause, the end. Never waits; the desk's lock may be held."""
        ...


class ThreadWorkers:
    """Each thread has a connection of its own. `most`: these threads take no file that may have more bytes."""

    def __init__(self, desk: Scheduler, open_downloader: OpenDownloader, most: int | None = None) -> None:
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

    def _fetched(self, item: FileTransfer, downloader: DownloaderProtocol) -> PendingFile | Exception:
        token, desk = item.cancel, self._desk
        assert token is not None
        try:
            return worker.fetch(item, downloader, desk.parts, lambda: desk.hold(item), token)
        except Exception as error:
            return error
