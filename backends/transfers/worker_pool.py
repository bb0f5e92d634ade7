"""Worker pools of a transfer: libcurl, or threads over httpx, and the limit of files that are fetched at a time."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from backends.transfers import fetch
from backends.transfers.fetch import DownloaderProtocol
from backends.transfers.states import FileTransfer, PendingFile

JOBS = 16
JOBS_FOR_SMALL = 64
SMALL = 2 << 20  # mean size in bytes; a few big files saturate any link
GROW_EVERY = 0.01  # seconds
BUSY_SHARE = 0.6  # of a core: we get no more when the server runs on the same machine
QUIET_TIME = 5.0  # seconds without an overload response before the limit grows again
REGROW_EVERY = 1.0  # seconds
SMOOTHING = 0.1  # weight of the latest response in the moving average
OVERLOAD_SHARE = 0.5  # of the responses: an overloaded server rejects most, a faulty one some
SHRINK_EVERY = 1.0  # seconds; requests sent together are rejected together and count once


class ConcurrencyLimiter:
    """AIMD limit of concurrent files: `allowed` may run now, `most` at any time. Not thread-safe: call it under a lock.

    `sizes`: bytes of the files to fetch, None if unknown. `fixed`: a limit set by the user, which never grows.
    """

    def __init__(self, sizes: Iterable[int | None], fixed: int | None, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        known = [size for size in sizes if size is not None]
        self.small = not known or sum(known) / len(known) <= SMALL
        self.most = max(1, fixed) if fixed is not None else JOBS_FOR_SMALL if self.small else JOBS
        self.allowed = min(self.most, JOBS) if fixed is None else self.most
        self._adjusted_at = clock()
        self._reduced_at: float | None = None
        self._overload_share = 0.0  # moving average over the latest responses

    @property
    def is_reduced(self) -> bool:
        """Whether a server was overloaded and the limit is not back at `most` yet."""
        return self._reduced_at is not None

    def is_due(self) -> bool:
        """Whether it is time to call `adjust`."""
        every = GROW_EVERY if self._reduced_at is None else REGROW_EVERY
        return self.allowed < self.most and self._clock() - self._adjusted_at >= every

    def adjust(self, busy: float) -> None:
        """Grows the limit. `busy`: share of a core that this process used since the last call."""
        now = self._adjusted_at = self._clock()
        if self._reduced_at is None:
            if busy < BUSY_SHARE:
                self.allowed = min(self.most, 2 * self.allowed)
        elif now - self._reduced_at >= QUIET_TIME:
            self.allowed = min(self.most, self.allowed + max(1, self.allowed // 4))
            if self.allowed == self.most:
                self._reduced_at = None

    def on_success(self) -> None:
        """A server returned the file."""
        self._overload_share *= 1 - SMOOTHING

    def on_overload(self) -> bool:
        """A server returned 429 or 503. Returns whether it is overloaded (the limit is halved): seven responses in a
        row are enough, one in five is not.
        """
        self._overload_share += SMOOTHING * (1 - self._overload_share)
        if self._overload_share < OVERLOAD_SHARE:
            return False
        now = self._clock()
        if self._reduced_at is None or now - self._reduced_at >= SHRINK_EVERY:
            self.allowed = max(1, self.allowed // 2)
        self._reduced_at = self._adjusted_at = now
        return True


OpenDownloader = Callable[[], AbstractContextManager[DownloaderProtocol]]


class Scheduler(Protocol):
    """What a worker pool needs from its transfer. All methods may be called from any thread."""

    @property
    def parts(self) -> int:
        """Descriptor of the directory that parts are written into."""

    @property
    def paused(self) -> bool: ...
    @property
    def all_recorded(self) -> bool:
        """Whether every file has been recorded."""

    @property
    def limiter(self) -> ConcurrencyLimiter: ...
    @property
    def ready_count(self) -> int:
        """How many files could start now."""

    def next_file(self) -> FileTransfer | None:
        """Waits for a file to fetch. None at the end of the run."""

    def take_file(self) -> FileTransfer | None:
        """A file to fetch now, or None."""

    def seconds_until_due(self) -> float | None:
        """Seconds until the next retry is due; None if none is waiting."""

    def adjust_limit(self) -> bool:
        """Adjusts the limit if it is time; returns whether it did."""

    def check_pause(self, item: FileTransfer) -> None:
        """Called between chunks: records the part, waits while paused. Raises `OperationCancelledError`."""

    def record_part(self, item: FileTransfer) -> None:
        """Called after each block: records the part when it is worth it."""

    def handle_result(self, item: FileTransfer, result: PendingFile | Exception) -> None: ...
    def abort(self, error: Exception) -> None:
        """The workers cannot continue: ends the run."""


class WorkerPool(Protocol):
    def start(self) -> None: ...
    def wake(self) -> None:
        """Something changed: a file is ready, a pause, the end. Never blocks; the scheduler's lock may be held."""


class ThreadWorkers:
    """Threads with one connection each, for all that libcurl does not fetch."""

    def __init__(self, scheduler: Scheduler, open_downloader: OpenDownloader) -> None:
        self._scheduler = scheduler
        self._open_downloader = open_downloader
        self._lock = threading.Lock()
        self._next_number = itertools.count()
        self._count = 0

    def start(self) -> None:
        self._ensure_threads(min(self._scheduler.limiter.allowed, self._scheduler.ready_count))

    def wake(self) -> None:
        """Nothing to do: the threads wait in `Scheduler.next_file`."""

    def _ensure_threads(self, count: int) -> None:
        """Starts threads until there are that many."""
        with self._lock:
            new, self._count = max(0, count - self._count), max(count, self._count)
        for _ in range(new):
            threading.Thread(target=self._work, name=f"transfer-{next(self._next_number)}", daemon=True).start()

    def _work(self) -> None:
        scheduler = self._scheduler
        try:
            with self._open_downloader() as downloader:
                while (item := scheduler.next_file()) is not None:
                    scheduler.handle_result(item, self._fetch(item, downloader))
                    if scheduler.adjust_limit():
                        self._ensure_threads(min(scheduler.limiter.allowed, self._count + scheduler.ready_count))
        except Exception as error:
            scheduler.abort(error)

    def _fetch(self, item: FileTransfer, downloader: DownloaderProtocol) -> PendingFile | Exception:
        token, scheduler = item.cancel, self._scheduler
        assert token is not None
        try:
            return fetch.fetch_file(item, downloader, scheduler.parts, lambda: scheduler.check_pause(item), token)
        except Exception as error:
            return error
