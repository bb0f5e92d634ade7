"""A plan carried out: workers fetch, one recorder commits, whoever is interested polls `snapshot()`.

Threads: `jobs` workers, each with one connection; one recorder, which alone touches the manifest and the final names.
Nothing calls back. Every file ends in exactly one of verified, unchanged, failed, skipped, cancelled.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

import polars as pl

from backends.cancel import Cancel
from backends.http import backoff
from backends.http.errors import HttpProblem, RateLimited
from backends.problems import Cancelled, FileProblem, Problem
from backends.transfers import worker
from backends.transfers.commit import FULL
from backends.transfers.items import Item
from backends.transfers.listing import TRANSFER_SCHEMA, Listing
from backends.transfers.plan import Plan
from backends.transfers.progress import Progress, Snapshot
from backends.transfers.recorder import WORTH_RESUMING, Recorder
from backends.transfers.states import Outcome, State
from backends.transfers.worker import Downloader

__all__ = ["TRANSFER_SCHEMA", "Downloader", "Snapshot", "Transfer"]

# With 40 ms before each first byte and 1 Gbit/s, 2,000 x 100 KB: 16 workers 337 files/s, 64 as fast as aria2c's best
# (831 and 829). Where nothing waits, 16 are enough and 64 only fight for the interpreter (and with the interface's
# thread). So: begin with few, add more while files are small and the processor is not the limit.
JOBS = 16
JOBS_FOR_SMALL = 64
SMALL = 2 << 20  # mean size in bytes; a few big files fill any link
GROW_EVERY = 0.1  # seconds
BUSY = 0.9  # of a core
TRIES = 5


class Transfer:
    """Runs a plan. All methods may be called from any thread and none waits for the network, but `wait`.

    `jobs`: how many files at a time; None chooses by their sizes. `open_downloader` is called once in each worker
    thread. `pause_when_full`: a full disk pauses the run until `resume()` (an interface can say so); else it stops
    the run, with the rest cancelled for "disk-full".
    """

    def __init__(
        self,
        plan: Plan,
        *,
        open_downloader: Callable[[], AbstractContextManager[Downloader]],
        jobs: int | None = None,
        tries: int = TRIES,
        delays: Callable[[], Iterator[float]] = backoff.delays,
        pause_when_full: bool = False,
    ) -> None:
        self._open_downloader = open_downloader
        self._jobs = jobs
        self._tries = tries
        self._delays = delays
        self._pause_when_full = pause_when_full
        self._lock = threading.Condition()
        self._starting = threading.Lock()
        self._finished = threading.Event()
        self._started = False
        self._paused = False
        self._problem: Problem | None = None
        self._stopping: tuple[str, str] | None = None  # reason and sentence for what will not be fetched
        self._not_before = 0.0  # a server that said 429 is left alone by all workers until then
        self._numbers = itertools.count()
        self._spare = 0  # workers that may still be added
        self._looked = self._cpu = 0.0  # when, and how much processor time had been used by then
        self._adopt(plan)

    def _adopt(self, plan: Plan) -> None:
        self.plan = plan
        self._items = {row.file.key: Item(row) for row in plan.rows}
        self._progress = Progress(self._items.values())
        self._ready = deque(item for item in self._items.values() if item.state is State.PLANNED)
        self._later: list[tuple[float, int, Item]] = []
        self._running: dict[str, Item] = {}
        self._listing = Listing(list(self._items.values()))

    # What the interface and the commands do with it.

    def start(self) -> None:
        """Takes the directory and begins. Raises `FileProblem` if it cannot be written or another run has it."""
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
                most = _most_jobs(self._ready) if self._jobs is None else max(1, self._jobs)
                self._spare = most
                self._looked, self._cpu = time.monotonic(), time.process_time()
                first = min(most if self._jobs else JOBS, len(self._ready))
            threading.Thread(target=self._record, args=(recorder,), name="transfer-recorder", daemon=True).start()
            self._employ(recorder, first)

    def pause(self) -> None:
        """No new file begins, and those that run stand still. Their connections may die of it: they are resumed."""
        with self._lock:
            self._paused = True

    def resume(self) -> None:
        with self._lock:
            self._paused, self._problem = False, None
            self._lock.notify_all()

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
                self._lock.notify_all()  # it may stand still in a pause
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
            self._lock.notify_all()
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
                list(self._running.values()), paused=self._paused, finished=self.finished, problem=self._problem
            )

    def frame(self) -> pl.DataFrame:
        """All files, in `listing.TRANSFER_SCHEMA`, in the plan's order; about 3 ms for 10,000."""
        return self._listing.frame()

    # The workers.

    def _work(self, recorder: Recorder) -> None:
        try:
            with self._open_downloader() as downloader:
                while (item := self._next(recorder)) is not None:
                    self._attempt(item, downloader)
                    if self._spare and self._ready:
                        self._grow(recorder)
        except Exception as error:
            self._problem = FileProblem(f"A download worker failed: {error!r}.", "Start the download again.")
            self._stop("internal", self._problem.sentence)

    def _employ(self, recorder: Recorder, count: int) -> None:
        self._spare -= count
        for _ in range(count):
            name = f"transfer-{next(self._numbers)}"
            threading.Thread(target=self._work, args=(recorder,), name=name, daemon=True).start()

    def _grow(self, recorder: Recorder) -> None:
        with self._lock:
            now, cpu = time.monotonic(), time.process_time()
            passed = now - self._looked
            if passed < GROW_EVERY or self._stopping:
                return
            busy = (cpu - self._cpu) / passed
            self._looked, self._cpu = now, cpu
            if busy < BUSY:
                self._employ(recorder, min(JOBS, self._spare, len(self._ready)))

    def _next(self, recorder: Recorder) -> Item | None:
        """The next file to try, waiting for one to become due; None when the run is over."""
        with self._lock:
            while not self._stopping and not recorder.over:
                now = time.monotonic()
                wait = self._not_before - now
                if wait <= 0 and not self._paused:
                    while self._later and self._later[0][0] <= now:
                        self._ready.append(heapq.heappop(self._later)[2])
                    if self._ready:
                        item = self._ready.popleft()
                        item.cancel = Cancel()
                        item.tries += 1
                        self._progress.moved(item, State.RUNNING)
                        self._running[item.key] = item
                        return item
                    wait = self._later[0][0] - now if self._later else 0
                self._lock.wait(wait if wait > 0 and not self._paused else None)
            return None

    def _attempt(self, item: Item, downloader: Downloader) -> None:
        token = item.cancel
        assert token is not None

        def hold() -> None:
            if self._paused:
                self._hold(token)
            if not item.noted and item.bytes >= WORTH_RESUMING:
                item.noted = True
                if item.etag:
                    self._recorder.note(item)

        try:
            item.stored = worker.fetch(item, downloader, self._recorder.parts, hold, token)
        except Cancelled:
            reason, detail = self._stopping or ("cancelled", "Stopped by the user.")
            self._settle(item, State.CANCELLED, reason, detail)
        except HttpProblem as problem:
            self._failed(item, problem)
        except Problem as problem:
            self._settle(item, State.FAILED, "refused", str(problem))
        except OSError as error:
            if error.errno in FULL:
                self._put_back(item)
                self._disk_is_full()
            else:
                self._settle(item, State.FAILED, "disk", f"{item.row.target}: {error.strerror or error}.")
        except Exception as error:
            self._settle(item, State.FAILED, "internal", f"{type(error).__name__}: {error}"[:300])
        else:
            self._settle(item, State.STORED)

    def _failed(self, item: Item, problem: HttpProblem) -> None:
        if not problem.retryable or item.tries >= self._tries:
            self._settle(item, State.FAILED, problem.reason, str(problem))
            return
        with self._lock:
            item.delays = item.delays or self._delays()
            delay = backoff.honoured(next(item.delays), problem.retry_after)
            due = time.monotonic() + delay
            if isinstance(problem, RateLimited):
                self._not_before = max(self._not_before, due)
            item.reason, item.detail = problem.reason, str(problem)
            self._back(item)
            heapq.heappush(self._later, (due, next(self._numbers), item))
            self._lock.notify_all()
            self._sweep()

    def _hold(self, token: Cancel) -> None:
        with self._lock:
            while self._paused and not token.cancelled:
                self._lock.wait()
        token.check()

    # How files end. `_settle` is the workers' way, `_end` is for files that wait; both under the lock.

    def _settle(self, item: Item, state: State, reason: str = "", detail: str = "") -> None:
        with self._lock:
            self._running.pop(item.key, None)
            self._end(item, state, reason, detail)

    def _end(self, item: Item, state: State, reason: str, detail: str) -> None:
        self._progress.received(item)
        item.reason, item.detail, item.cancel = reason, detail, None
        self._progress.moved(item, state)
        self._recorder.hand([item])

    def _back(self, item: Item) -> None:
        self._running.pop(item.key, None)
        self._progress.received(item)
        item.cancel = None
        self._progress.moved(item, State.PLANNED)

    def _put_back(self, item: Item) -> None:
        """As if it had not been tried: the disk was full, which is not the file's fault."""
        with self._lock:
            item.tries -= 1
            self._back(item)
            self._ready.appendleft(item)

    def _stop(self, reason: str, detail: str) -> None:
        with self._lock:
            if not self._started or self._finished.is_set() or self._stopping:
                return
            self._stopping = (reason, detail)
            self._paused = False
            running = [item.cancel for item in self._running.values() if item.cancel is not None]
        self._sweep()
        for token in running:
            token.cancel()
        with self._lock:
            self._lock.notify_all()

    def _sweep(self) -> None:
        """Once stopping, nothing that waits will be fetched."""
        with self._lock:
            if self._stopping is None:
                return
            waiting = [*self._ready, *(entry[2] for entry in self._later)]
            self._ready.clear()
            self._later.clear()
            for item in waiting:
                self._end(item, State.CANCELLED, *self._stopping)

    def _disk_is_full(self) -> bool:
        """True when it is worth trying again: only after the user has said so. Called by workers and the recorder."""
        problem = FileProblem(
            f"The disk of {self.plan.output} is full.", "Make room, then go on: nothing that has arrived is lost."
        )
        with self._lock:
            if self._problem is None:
                self._problem = problem
                self._paused = self._pause_when_full
            if self._pause_when_full:
                while self._paused and not self._stopping:
                    self._lock.wait()
                return not self._stopping
        self._stop("disk-full", problem.sentence)
        self._sweep()
        return False

    # The recorder.

    def _record(self, recorder: Recorder) -> None:
        try:
            recorder.run(self._recorded, self._disk_is_full)
        except Exception as error:
            self._problem = FileProblem(f"The download could not be recorded: {error!r}.", "Start it again.")
            self._stop("internal", self._problem.sentence)
        finally:
            with self._lock:
                self._progress.end()
                self._finished.set()
                self._lock.notify_all()

    def _recorded(self, batch: list[Item], outcomes: list[Outcome]) -> None:
        with self._lock:
            for outcome in outcomes:
                item = self._items[outcome.key]
                item.reason, item.detail = outcome.reason, outcome.detail
                self._progress.moved(item, outcome.state)
                if outcome.state is not State.VERIFIED and item.stored is not None:
                    item.sha256 = item.stored.sha256  # its part is whole: another try need not fetch it
            for item in batch:
                item.recorded = True
            self._lock.notify_all()


def _most_jobs(items: Iterable[Item]) -> int:
    sizes = [item.file.size for item in items if item.file.size is not None]
    return JOBS if sizes and sum(sizes) / len(sizes) > SMALL else JOBS_FOR_SMALL
