"""A plan carried out: a crew fetches, one recorder commits, whoever is interested polls `snapshot()`.

The crew is threads of this process (crews.py) or processes (processes.py); the recorder, a thread, alone touches the
manifest and the final names. Nothing calls back. Every file ends in exactly one of verified, unchanged, failed,
skipped, cancelled.
"""

from __future__ import annotations

import heapq
import os
import threading
import time
from collections import deque

import polars as pl

from backends.transfers import processes as worker_processes
from backends.transfers.concurrency_limiter import ConcurrencyLimiter
from backends.transfers.listing import TRANSFER_SCHEMA
from backends.transfers.progress import Snapshot
from backends.transfers.recorder import Recorder
from backends.transfers.runs import Run
from backends.transfers.states import State
from backends.transfers.worker import Downloader
from backends.transfers.worker_pool import Crew, Threads

__all__ = ["TRANSFER_SCHEMA", "Downloader", "Snapshot", "Transfer"]


class Transfer(Run):
    """Runs a plan. All methods may be called from any thread and none waits for the network, but `wait`.

    `jobs`: how many files at a time; None chooses by their sizes and by what limits. `open_downloader` is called once
    in each worker thread. `settings` (`Http.downloader_settings()`): how processes would download the same; without
    it there are only threads. `processes`: how many of them; None chooses, 0 is only threads. `pause_when_full`: a
    full disk pauses the run until `resume()` (an interface can say so); else it stops the run, with the rest
    cancelled for "disk-full".
    """

    # What the interface and the commands do with it.

    def start(self) -> None:
        """Takes the directory and begins. Raises `FileError` if it cannot be written or another run has it."""
        with self._starting:
            if self._started and not self._finished.is_set():
                return
            again = list(self._items.values()) if self._started else []
            recorder, plan = Recorder.open(self.plan, again)  # not under the lock: snapshots go on meanwhile
            with self._lock:
                if plan is not self.plan:
                    self._adopt(plan)
                self._recorder = recorder
                self._started = True
                self._finished.clear()
                self._stopping = self._problem = None
                self._progress.begin()
                self.pace = ConcurrencyLimiter((item.file.size for item in self._ready), self._jobs)
                self._looked, self._cpu = time.monotonic(), time.process_time()
                crew = self._crew = self._assembled()
            threading.Thread(target=self._record, args=(recorder, crew), name="transfer-recorder", daemon=True).start()
            crew.begin()

    def pause(self) -> None:
        """No new file begins, and those that run stand still. Their connections may die of it: they are resumed."""
        with self._lock:
            self._paused = True
            self._changed()

    def resume(self) -> None:
        with self._lock:
            self._paused, self._problem = False, None
            self._turn += 1
            self._changed()

    def cancel(self) -> None:
        """Ends the run now; what has arrived is kept and resumed by the next run."""
        self._stop("cancelled", "Stopped by the user.")

    def cancel_one(self, key: str) -> bool:
        """Takes one file out; False if it has ended already."""
        with self._lock:
            item = self._items.get(key)
            if item is None or item.state not in (State.PLANNED, State.RUNNING):
                return False
            token = item.cancel
            if item.state is State.PLANNED:
                self._ready = deque(one for one in self._ready if one is not item)
                self._later = [entry for entry in self._later if entry[2] is not item]
                heapq.heapify(self._later)
                self._end(item, State.CANCELLED, "cancelled", "Stopped by the user.")
        if token is not None:
            token.cancel()
            with self._lock:
                self._changed()  # it may stand still in a pause
        return True

    def retry_failed(self, *, cancelled: bool = False) -> int:
        """Puts all failed files (and, if asked, cancelled ones) back in line; returns how many."""
        wanted = (State.FAILED, State.CANCELLED) if cancelled else (State.FAILED,)
        with self._lock:
            if not self._started:
                return 0
            ended = [item for item in self._items.values() if item.state in wanted]
            self._lock.wait_for(lambda: all(item.recorded for item in ended), 1.0)  # a batch takes 0.2 s
            again = [item for item in ended if item.recorded and item.state in wanted]
            running = self._recorder.expect(len(again))
            if not again or (self._stopping and running):
                return 0
            for item in again:
                item.tries, item.reason, item.detail, item.delays, item.recorded = 0, "", "", None, False
                self._progress.moved(item, State.PLANNED)
                self._ready.append(item)
            self._changed()
        if not running:
            self._finished.wait()  # at most the closing of the manifest
            self.start()
        return len(again)

    def wait(self, timeout: float | None = None) -> bool:
        """Whether the run has finished, after at most `timeout` seconds."""
        return self._finished.wait(timeout)

    @property
    def finished(self) -> bool:
        return self._finished.is_set()

    def snapshot(self) -> Snapshot:
        with self._lock:
            return self._progress.snapshot(
                list(self._running.values()), paused=self._paused, finished=self.finished, problem=self._problem,
                waits=self._waiting_for(),
            )  # fmt: skip

    def frame(self) -> pl.DataFrame:
        """All files, in `listing.TRANSFER_SCHEMA`, in the plan's order; about 3 ms for 10,000."""
        return self._listing.frame()

    def _assembled(self) -> Crew:
        sizes = [item.file.size for item in self._ready]
        known = sum(size for size in sizes if size is not None)
        count = (
            self._processes if self._processes is not None else min(os.cpu_count() or 1, worker_processes.MOST_CHILDREN)
        )
        worth = self._processes is not None or worker_processes.is_worth_it(len(sizes), known, sizes.count(None))
        only_http = all(item.url.startswith(("https:", "http:")) for item in self._ready)  # all that processes know
        if self._settings is None or not count or not worth or not only_http:
            return Threads(self, self._open_downloader)
        return worker_processes.Processes(self, self._settings, self._open_downloader, min(count, self.pace.most))
