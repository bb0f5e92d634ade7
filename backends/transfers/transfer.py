"""Runs a transfer plan: workers fetch, one recorder commits, interfaces poll `snapshot()` and `frame()`."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import polars as pl

from backends.atomic import disk_words
from backends.cancel import CancelToken
from backends.errors import AppError, FileError, OperationCancelledError
from backends.http import backoff
from backends.http.errors import HttpError, RateLimitedError
from backends.http.pycurl_loader import load_pycurl
from backends.transfers.curl_workers import CurlWorkers
from backends.transfers.output_directory import DISK_FULL_ERRNOS, describe_full_disk
from backends.transfers.plan import TransferPlan
from backends.transfers.progress import HostWait, TransferListing, TransferProgress, TransferSnapshot
from backends.transfers.recorder import WORTH_RESUMING, Recorder
from backends.transfers.states import NOTHING, PRESENT_STATES, FileResult, FileTransfer, PendingFile, TransferState
from backends.transfers.worker_pool import ConcurrencyLimiter, OpenDownloader, ThreadWorkers, WorkerPool

if TYPE_CHECKING:
    from backends.http.downloads import DownloaderSettings

MAX_TRIES = 5
OVERLOADED = (429, 503)
MIN_SHOWN_WAIT = 2.0  # seconds; shorter waits end before anyone reads them


def host_and_port(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


class Transfer:
    """Runs a plan. All methods may be called from any thread and none waits for the network, but `wait`.

    `jobs`: concurrent files; None chooses by their sizes and by what limits throughput. `open_downloader` is called
    once in each worker thread. `settings` (`Http.downloader_settings()`): for libcurl; without them, without pycurl, or
    if a file is not to be had over HTTP, threads do it all. `tries`, `delays` (seconds between them): of each file.
    `max_wait`: seconds that a server's Retry-After may hold back its files.
    `pause_when_full`: a full disk pauses the run until `resume()`; otherwise it stops the run and the remaining files
    are cancelled with the reason "disk-full".
    """

    def __init__(
        self,
        plan: TransferPlan,
        *,
        open_downloader: OpenDownloader,
        jobs: int | None = None,
        settings: DownloaderSettings | None = None,
        tries: int = MAX_TRIES,
        delays: Callable[[], Iterator[float]] = backoff.backoff_delays,
        max_wait: float = backoff.RETRY_AFTER_CAP,
        pause_when_full: bool = False,
    ) -> None:
        self._open_downloader = open_downloader
        self._jobs = jobs
        self._settings = settings
        self._tries = tries
        self._delays = delays
        self._max_wait = max_wait
        self._pause_when_full = pause_when_full
        self._lock = threading.Condition()
        self._starting = threading.Lock()
        self._finished = threading.Event()
        self._started = False
        self._paused = False
        self._resumes = 0  # how often `resume` was called
        self._error: AppError | None = None
        self._stopping: tuple[str, str] | None = None  # reason and sentence for files that are not fetched any more
        self._not_before: dict[str, float] = {}  # rate-limiting host -> when it may be asked again
        self._waits: dict[str, tuple[float, str]] = {}  # host that a file waits for -> until when, why
        self._sequence = itertools.count()
        self._recorder: Recorder  # set by the first `start`
        self._pool: WorkerPool | None = None
        self._measured_at = self._cpu = 0.0  # when the CPU time of this process was read, and its value
        self.limiter = ConcurrencyLimiter((), jobs)
        self._load_plan(plan)

    def _load_plan(self, plan: TransferPlan) -> None:
        self.plan = plan
        self._items = {row.file.key: FileTransfer(row) for row in plan.rows}
        self._progress = TransferProgress(self._items.values())
        self._ready = deque(item for item in self._items.values() if item.state is TransferState.PLANNED)
        self._later: list[tuple[float, int, FileTransfer]] = []
        self._running: dict[str, FileTransfer] = {}
        self._listing = TransferListing(list(self._items.values()))

    # worker_pool.Scheduler

    @property
    def parts(self) -> int:
        return self._recorder.parts

    @property
    def paused(self) -> bool:
        return self._paused

    @property
    def all_recorded(self) -> bool:
        return self._recorder.all_recorded

    @property
    def ready_count(self) -> int:
        return len(self._ready)

    def next_file(self) -> FileTransfer | None:
        with self._lock:
            recorder = self._recorder
            while not self._stopping and not recorder.all_recorded and recorder is self._recorder:
                if (item := self.take_file()) is not None:
                    return item
                self._lock.wait(self.seconds_until_due())
            return None

    def take_file(self) -> FileTransfer | None:
        with self._lock:
            now = time.monotonic()
            if self._stopping or self._paused:
                return None
            while self._later and self._later[0][0] <= now:
                self._ready.append(heapq.heappop(self._later)[2])
            self._defer_limited_hosts(now)
            if not self._ready or len(self._running) >= self.limiter.allowed:
                return None
            item = self._ready.popleft()
            item.cancel = CancelToken()
            item.tries += 1
            item.resumes = self._resumes
            self._progress.set_state(item, TransferState.RUNNING)
            self._running[item.key] = item
            return item

    def _defer_limited_hosts(self, now: float) -> None:
        """Postpones files of rate-limiting hosts, so that those of other hosts do not wait behind them."""
        while self._not_before and self._ready:
            host = host_and_port(self._ready[0].url)
            until = self._not_before.get(host, 0.0)
            if until <= now:
                self._not_before.pop(host, None)
                return
            heapq.heappush(self._later, (until, next(self._sequence), self._ready.popleft()))

    def seconds_until_due(self) -> float | None:
        with self._lock:
            if self._paused or self._stopping:
                return None
            now = time.monotonic()
            return max(0.0, self._later[0][0] - now) if self._later and not self._ready else None

    def adjust_limit(self) -> bool:
        with self._lock:
            if not self.limiter.is_due():
                return False
            now, used = time.monotonic(), time.process_time()
            self.limiter.adjust((used - self._cpu) / (now - self._measured_at))
            self._measured_at, self._cpu = now, used
            return True

    def check_pause(self, item: FileTransfer) -> None:
        if self._paused and (token := item.cancel) is not None:
            with self._lock:
                while self._paused and not token.cancelled:
                    self._lock.wait()
            token.check()
        self.record_part(item)

    def record_part(self, item: FileTransfer) -> None:
        if not item.noted and item.bytes >= WORTH_RESUMING:
            item.noted = True
            if item.etag:
                self._recorder.record_part(item)

    def handle_result(self, item: FileTransfer, result: PendingFile | Exception) -> None:
        if isinstance(result, PendingFile):
            item.stored = self._fill_checked_by(item, result)
            self._finish_running(item, TransferState.STORED)
        elif isinstance(result, OperationCancelledError):
            reason, detail = self._stopping or ("cancelled", "Stopped by the user.")
            self._finish_running(item, TransferState.CANCELLED, reason, detail)
        elif isinstance(result, HttpError):
            self._handle_http_error(item, result)
        elif isinstance(result, AppError):
            self._finish_running(item, TransferState.FAILED, "refused", str(result))
        elif isinstance(result, OSError) and result.errno in DISK_FULL_ERRNOS:
            with self._lock:  # once it is requeued, another worker may start it, and the user may resume
                is_news = item.resumes == self._resumes  # otherwise space may have been freed since
                if is_news and self._pause_when_full:
                    self._report_full_disk(result)
                self.requeue(item)
            if is_news and not self._pause_when_full:
                self._report_full_disk(result)
        elif isinstance(result, OSError):
            words = f"{item.row.target}: {disk_words(result, self.plan.output)}."
            self._finish_running(item, TransferState.FAILED, "disk", words)
        else:
            self._finish_running(item, TransferState.FAILED, "internal", f"{type(result).__name__}: {result}"[:300])

    def _fill_checked_by(self, item: FileTransfer, stored: PendingFile) -> PendingFile:
        """A part that was complete already was verified by the try that fetched it."""
        earlier = item.stored.checked_by if item.stored is not None else item.row.checked_by
        found = stored if stored.checked_by else replace(stored, checked_by=earlier or NOTHING)
        item.checked_by = found.checked_by
        return found

    def requeue(self, item: FileTransfer) -> None:
        """Undoes the try: a full disk is not the file's fault. Ends a file that was cancelled."""
        with self._lock:
            if item.cancel is not None and item.cancel.cancelled:
                reason, detail = self._stopping or ("cancelled", "Stopped by the user.")
                self._finish_running(item, TransferState.CANCELLED, reason, detail)
                return
            item.tries -= 1
            self._return_to_planned(item)
            self._ready.appendleft(item)
            self._notify()
            self._cancel_waiting()

    def abort(self, error: Exception) -> None:
        self._error = FileError(f"A download worker failed: {error!r}.", "Start the download again.")
        self._stop("internal", self._error.sentence)

    def _notify(self) -> None:
        """Wakes the workers and all waiting threads."""
        self._lock.notify_all()
        if self._pool is not None:
            self._pool.wake()

    def _handle_http_error(self, item: FileTransfer, error: HttpError) -> None:
        if not error.retryable or item.tries >= self._tries:
            self._finish_running(item, TransferState.FAILED, error.reason, str(error))
            return
        with self._lock:
            item.delays = item.delays or self._delays()
            retry_after = None if error.retry_after is None else min(error.retry_after, self._max_wait)
            delay = backoff.with_retry_after(next(item.delays), retry_after)
            due = time.monotonic() + delay
            overloaded = error.status in OVERLOADED and self.limiter.on_overload()
            host = host_and_port(item.url)
            if overloaded and isinstance(error, RateLimitedError):
                self._not_before[host] = max(self._not_before.get(host, 0.0), due)
            if delay >= MIN_SHOWN_WAIT and due > self._waits.get(host, (0.0, ""))[0]:
                self._waits[host] = (due, str(error.status or error.reason))
            item.reason, item.detail = error.reason, str(error)
            self._return_to_planned(item)
            heapq.heappush(self._later, (due, next(self._sequence), item))
            self._notify()
            self._cancel_waiting()

    def _host_waits(self) -> tuple[HostWait, ...]:
        """The hosts that files wait for, the longest wait first. Called under the lock."""
        now = time.monotonic()
        self._waits = {host: wait for host, wait in self._waits.items() if wait[0] > now and self._later}
        found = [HostWait(host, until - now, reason) for host, (until, reason) in self._waits.items()]
        return tuple(sorted(found, key=lambda one: -one.seconds))

    # How files end: `_finish_running` from the workers, `_finish` for files that wait.

    def _finish_running(self, item: FileTransfer, state: TransferState, reason: str = "", detail: str = "") -> None:
        with self._lock:
            self._running.pop(item.key, None)
            if state is TransferState.STORED:
                self.limiter.on_success()
            self._finish(item, state, reason, detail)
            if self.limiter.is_reduced:
                self._notify()  # there are more threads than may work: one waits for this

    def _finish(self, item: FileTransfer, state: TransferState, reason: str, detail: str) -> None:
        self._progress.add_received(item)
        item.reason, item.detail, item.cancel = reason, detail, None
        self._progress.set_state(item, state)
        self._recorder.submit([item])

    def _return_to_planned(self, item: FileTransfer) -> None:
        self._running.pop(item.key, None)
        self._progress.add_received(item)
        item.cancel = None
        self._progress.set_state(item, TransferState.PLANNED)

    def _stop(self, reason: str, detail: str) -> None:
        with self._lock:
            if not self._started or self._finished.is_set() or self._stopping:
                return
            self._stopping = (reason, detail)
            self._paused = False
            running = [item.cancel for item in self._running.values() if item.cancel is not None]
        self._cancel_waiting()
        for token in running:
            token.cancel()
        with self._lock:
            self._notify()

    def _cancel_waiting(self) -> None:
        """Once the run stops, ends all files that have not started."""
        with self._lock:
            if self._stopping is None:
                return
            waiting = [*self._ready, *(entry[2] for entry in self._later)]
            self._ready.clear()
            self._later.clear()
            for item in waiting:
                self._finish(item, TransferState.CANCELLED, *self._stopping)

    def _report_full_disk(self, error: OSError) -> None:
        """Pauses the run, or stops it if nobody is there to free disk space."""
        reason, sentence = describe_full_disk(error, self.plan.output)
        room = "Delete files there that are not needed" if reason == "no-inodes" else "Free disk space"
        then = "resume" if self._pause_when_full else "start the same download again"
        full = FileError(sentence, f"{room}, then {then}: nothing that has arrived is lost.")
        with self._lock:
            if self._error is None:
                self._error = full
                self._paused = self._pause_when_full
            self._notify()
        if not self._pause_when_full:
            self._stop(reason, full.sentence)

    def _wait_for_space(self, error: OSError) -> bool:
        """Waits until the user resumes; returns False if the run stops."""
        self._report_full_disk(error)
        with self._lock:
            while self._paused and not self._stopping:
                self._lock.wait()
            return not self._stopping

    def _run_recorder(self, recorder: Recorder, pool: WorkerPool) -> None:
        try:
            recorder.run(self._apply_results, self._wait_for_space)
        except Exception as error:
            self._error = FileError(f"The download could not be recorded: {error!r}.", "Start it again.")
            self._stop("internal", self._error.sentence)
        finally:
            with self._lock:
                self._progress.end()
                self._finished.set()
                self._lock.notify_all()
            pool.wake()

    def _apply_results(self, batch: list[FileTransfer], results: list[FileResult]) -> None:
        with self._lock:
            for result in results:
                item = self._items[result.key]
                item.reason, item.detail = result.reason, result.detail
                self._progress.set_state(item, result.state)
                if result.state not in PRESENT_STATES and item.stored is not None:
                    item.sha256 = item.stored.sha256  # its part is complete: another try need not fetch it
            for item in batch:
                item.recorded = True
            self._lock.notify_all()

    # For interfaces and commands.

    def start(self) -> None:
        """Locks the directory and starts. Raises `FileError` if it is not writable or another run uses it."""
        with self._starting:
            if self._started and not self._finished.is_set():
                return
            rerun = list(self._items.values()) if self._started else []
            recorder, plan = Recorder.open(self.plan, rerun)  # without the lock: snapshots work meanwhile
            with self._lock:
                if plan is not self.plan:
                    self._load_plan(plan)
                self._recorder = recorder
                self._started = True
                self._finished.clear()
                self._stopping = self._error = None
                self._progress.begin()
                self.limiter = ConcurrencyLimiter((item.file.size for item in self._ready), self._jobs)
                self._measured_at, self._cpu = time.monotonic(), time.process_time()
                pool = self._pool = self._make_pool()
            threading.Thread(
                target=self._run_recorder, args=(recorder, pool), name="transfer-recorder", daemon=True
            ).start()
            pool.start()

    def pause(self) -> None:
        """Starts no new file and suspends the running ones; if their connections die, they are resumed later."""
        with self._lock:
            self._paused = True
            self._notify()

    def resume(self) -> None:
        with self._lock:
            self._paused, self._error = False, None
            self._resumes += 1
            self._notify()

    def cancel(self) -> None:
        """Ends the run now. Complete and partial files are kept; the next run resumes them."""
        self._stop("cancelled", "Stopped by the user.")

    def cancel_one(self, key: str) -> bool:
        """Cancels one file; False if it has ended already."""
        with self._lock:
            item = self._items.get(key)
            if item is None or item.state not in (TransferState.PLANNED, TransferState.RUNNING):
                return False
            token = item.cancel
            if item.state is TransferState.PLANNED:
                self._ready = deque(one for one in self._ready if one is not item)
                self._later = [entry for entry in self._later if entry[2] is not item]
                heapq.heapify(self._later)
                self._finish(item, TransferState.CANCELLED, "cancelled", "Stopped by the user.")
        if token is not None:
            token.cancel()
            with self._lock:
                self._notify()  # its worker may wait in a pause
        return True

    def retry_failed(self, *, cancelled: bool = False) -> int:
        """Queues all failed files (with `cancelled`, cancelled ones too) again; returns how many."""
        states = (TransferState.FAILED, TransferState.CANCELLED) if cancelled else (TransferState.FAILED,)
        with self._lock:
            if not self._started:
                return 0
            ended = [item for item in self._items.values() if item.state in states]
            self._lock.wait_for(lambda: all(item.recorded for item in ended), 1.0)  # a batch takes 0.2 s
            retried = [item for item in ended if item.recorded and item.state in states]
            running = self._recorder.add_expected(len(retried))
            if not retried or (self._stopping and running):
                return 0
            for item in retried:
                item.tries, item.reason, item.detail, item.delays, item.recorded = 0, "", "", None, False
                self._progress.set_state(item, TransferState.PLANNED)
                self._ready.append(item)
            self._notify()
        if not running:
            self._finished.wait()  # at most the closing of the manifest
            self.start()
        return len(retried)

    def wait(self, timeout: float | None = None) -> bool:
        """Whether the run has finished, after at most `timeout` seconds."""
        return self._finished.wait(timeout)

    @property
    def finished(self) -> bool:
        return self._finished.is_set()

    def snapshot(self) -> TransferSnapshot:
        with self._lock:
            return self._progress.snapshot(
                list(self._running.values()), paused=self._paused, finished=self.finished, problem=self._error,
                waits=self._host_waits(),
            )  # fmt: skip

    def frame(self) -> pl.DataFrame:
        """All files in `TRANSFER_SCHEMA`, in the plan's order; takes about 3 ms for 10,000."""
        return self._listing.frame()

    def _make_pool(self) -> WorkerPool:
        is_http = all(item.url.startswith(("https:", "http:")) for item in self._ready)
        if self._settings is None or not is_http or load_pycurl()[0] is None:
            return ThreadWorkers(self, self._open_downloader)
        return CurlWorkers(self, self._settings)
