"""The state of one run: which file is where, what happens when a try ends, and how the run ends.

What crews (crews.Desk) and the recorder call; what the interface calls is in engine.py. One lock guards all of it.
"""

from __future__ import annotations

import heapq
import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from backends.atomic import disk_words
from backends.cancel import CancelToken
from backends.errors import AppError, FileError, OperationCancelledError
from backends.http import backoff
from backends.http.errors import HttpError, RateLimitedError
from backends.transfers.commit import FULL, full_words
from backends.transfers.concurrency_limiter import ConcurrencyLimiter
from backends.transfers.items import Item
from backends.transfers.listing import Listing
from backends.transfers.plan import Plan
from backends.transfers.progress import Progress, Wait
from backends.transfers.recorder import WORTH_RESUMING, Recorder
from backends.transfers.states import HERE, NOTHING, Outcome, State, Stored
from backends.transfers.worker_pool import Crew, OpenDownloader

if TYPE_CHECKING:
    from backends.http.downloads import DownloaderSettings

TRIES = 5
OVERLOADED = (429, 503)


LEAST_SHOWN = 2.0  # seconds; shorter waits are over before they are read


def host_of(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


class Run:
    """See `engine.Transfer`, which this is the inner half of."""

    def __init__(
        self,
        plan: Plan,
        *,
        open_downloader: OpenDownloader,
        jobs: int | None = None,
        settings: DownloaderSettings | None = None,
        processes: int | None = None,
        tries: int = TRIES,
        delays: Callable[[], Iterator[float]] = backoff.backoff_delays,
        pause_when_full: bool = False,
    ) -> None:
        self._open_downloader = open_downloader
        self._jobs = jobs
        self._settings = settings
        self._processes = processes
        self._tries = tries
        self._delays = delays
        self._pause_when_full = pause_when_full
        self._lock = threading.Condition()
        self._starting = threading.Lock()
        self._finished = threading.Event()
        self._started = False
        self._paused = False
        self._turn = 0  # how often it was resumed
        self._problem: AppError | None = None
        self._stopping: tuple[str, str] | None = None  # reason and sentence for what will not be fetched
        self._not_before: dict[str, float] = {}  # host that said 429 -> until when all workers leave it alone
        self._waits: dict[str, tuple[float, str]] = {}  # host that a file waits for -> until when, and why
        self._numbers = itertools.count()
        self._recorder: Recorder  # from the first start on
        self._crew: Crew | None = None
        self._looked = self._cpu = 0.0  # when, and how much processor time the crew had used by then
        self.pace = ConcurrencyLimiter((), jobs)
        self._adopt(plan)

    def _adopt(self, plan: Plan) -> None:
        self.plan = plan
        self._items = {row.file.key: Item(row) for row in plan.rows}
        self._progress = Progress(self._items.values())
        self._ready = deque(item for item in self._items.values() if item.state is State.PLANNED)
        self._later: list[tuple[float, int, Item]] = []
        self._running: dict[str, Item] = {}
        self._listing = Listing(list(self._items.values()))

    # What the crew asks for (crews.Desk).

    @property
    def parts(self) -> int:
        return self._recorder.parts

    @property
    def paused(self) -> bool:
        return self._paused

    @property
    def over(self) -> bool:
        return self._recorder.over

    @property
    def waiting(self) -> int:
        return len(self._ready)

    def next(self, leave: Callable[[], bool], most: int | None) -> Item | None:
        with self._lock:
            recorder = self._recorder
            while not self._stopping and not recorder.over and recorder is self._recorder and not leave():
                if most is not None and self._ready and (self._ready[0].file.size or math.inf) > most:
                    return None
                if (item := self.take(0)) is not None:
                    return item
                self._lock.wait(self.due())
            return None

    def take(self, beyond: int) -> Item | None:
        with self._lock:
            now = time.monotonic()
            if self._stopping or self._paused:
                return None
            while self._later and self._later[0][0] <= now:
                self._ready.append(heapq.heappop(self._later)[2])
            self._set_aside(now)
            if not self._ready or len(self._running) >= self.pace.allowed + beyond:
                return None
            item = self._ready.popleft()
            item.cancel = CancelToken()
            item.tries += 1
            item.turn = self._turn
            self._progress.moved(item, State.RUNNING)
            self._running[item.key] = item
            return item

    def _set_aside(self, now: float) -> None:
        """Files of hosts that are to be left alone wait; those of other hosts do not wait behind them."""
        while self._not_before and self._ready:
            host = host_of(self._ready[0].url)
            until = self._not_before.get(host, 0.0)
            if until <= now:
                self._not_before.pop(host, None)
                return
            heapq.heappush(self._later, (until, next(self._numbers), self._ready.popleft()))

    def due(self) -> float | None:
        with self._lock:
            if self._paused or self._stopping:
                return None
            now = time.monotonic()
            return max(0.0, self._later[0][0] - now) if self._later and not self._ready else None

    def look(self, cpu: Callable[[], float], processes: int) -> bool:
        with self._lock:
            if not self.pace.due():
                return False
            now, used = time.monotonic(), cpu()
            self.pace.look((used - self._cpu) / (now - self._looked) / processes)
            self._looked, self._cpu = now, used
            return True

    def hold(self, item: Item) -> None:
        if self._paused and (token := item.cancel) is not None:
            with self._lock:
                while self._paused and not token.cancelled:
                    self._lock.wait()
            token.check()
        self.note(item)

    def note(self, item: Item) -> None:
        if not item.noted and item.bytes >= WORTH_RESUMING:
            item.noted = True
            if item.etag:
                self._recorder.note(item)

    def ended(self, item: Item, how: Stored | Exception) -> None:
        if isinstance(how, Stored):
            item.stored = self._with_check(item, how)
            self._settle(item, State.STORED)
        elif isinstance(how, OperationCancelledError):
            reason, detail = self._stopping or ("cancelled", "Stopped by the user.")
            self._settle(item, State.CANCELLED, reason, detail)
        elif isinstance(how, HttpError):
            self._failed(item, how)
        elif isinstance(how, AppError):
            self._settle(item, State.FAILED, "refused", str(how))
        elif isinstance(how, OSError) and how.errno in FULL:
            with self._lock:  # once it is back, another worker may begin it, and the user may resume
                is_news = item.turn == self._turn  # else room may have been made since
                if is_news and self._pause_when_full:
                    self._tell_full(how)
                self.back(item)
            if is_news and not self._pause_when_full:
                self._tell_full(how)
        elif isinstance(how, OSError):
            self._settle(item, State.FAILED, "disk", f"{item.row.target}: {disk_words(how, self.plan.output)}.")
        else:
            self._settle(item, State.FAILED, "internal", f"{type(how).__name__}: {how}"[:300])

    def _with_check(self, item: Item, stored: Stored) -> Stored:
        """A part that was complete already was checked by the try that brought it."""
        earlier = item.stored.checked_by if item.stored is not None else item.row.checked_by
        found = stored if stored.checked_by else replace(stored, checked_by=earlier or NOTHING)
        item.checked_by = found.checked_by
        return found

    def back(self, item: Item) -> None:
        """As if it had not been tried: a full disk or a dead process is not the file's fault.

        One that the user has taken out meanwhile has ended.
        """
        with self._lock:
            if item.cancel is not None and item.cancel.cancelled:
                reason, detail = self._stopping or ("cancelled", "Stopped by the user.")
                self._settle(item, State.CANCELLED, reason, detail)
                return
            item.tries -= 1
            self._put_off(item)
            self._ready.appendleft(item)
            self._changed()
            self._sweep()

    def broke(self, error: Exception) -> None:
        self._problem = FileError(f"A download worker failed: {error!r}.", "Start the download again.")
        self._stop("internal", self._problem.sentence)

    def _changed(self) -> None:
        """Wakes whoever waits for work, for the end of a pause, or for the end."""
        self._lock.notify_all()
        if self._crew is not None:
            self._crew.wake()

    def _failed(self, item: Item, problem: HttpError) -> None:
        if not problem.retryable or item.tries >= self._tries:
            self._settle(item, State.FAILED, problem.reason, str(problem))
            return
        with self._lock:
            item.delays = item.delays or self._delays()
            delay = backoff.with_retry_after(next(item.delays), problem.retry_after)
            due = time.monotonic() + delay
            overloaded = problem.status in OVERLOADED and self.pace.complained()
            host = host_of(item.url)
            if overloaded and isinstance(problem, RateLimitedError):
                self._not_before[host] = max(self._not_before.get(host, 0.0), due)
            if delay >= LEAST_SHOWN and due > self._waits.get(host, (0.0, ""))[0]:
                self._waits[host] = (due, str(problem.status or problem.reason))
            item.reason, item.detail = problem.reason, str(problem)
            self._put_off(item)
            heapq.heappush(self._later, (due, next(self._numbers), item))
            self._changed()
            self._sweep()

    def _waiting_for(self) -> tuple[Wait, ...]:
        """The hosts that files wait for, the longest wait first. Under the lock."""
        now = time.monotonic()
        self._waits = {host: wait for host, wait in self._waits.items() if wait[0] > now and self._later}
        found = [Wait(host, until - now, reason) for host, (until, reason) in self._waits.items()]
        return tuple(sorted(found, key=lambda one: -one.seconds))

    # How files end. `_settle` is the workers' way, `_end` is for files that wait; both under the lock.

    def _settle(self, item: Item, state: State, reason: str = "", detail: str = "") -> None:
        with self._lock:
            self._running.pop(item.key, None)
            if state is State.STORED:
                self.pace.served()
            self._end(item, state, reason, detail)
            if self.pace.shrunk:
                self._changed()  # more threads than may work: one waits for this

    def _end(self, item: Item, state: State, reason: str, detail: str) -> None:
        self._progress.received(item)
        item.reason, item.detail, item.cancel = reason, detail, None
        self._progress.moved(item, state)
        self._recorder.hand([item])

    def _put_off(self, item: Item) -> None:
        self._running.pop(item.key, None)
        self._progress.received(item)
        item.cancel = None
        self._progress.moved(item, State.PLANNED)

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
            self._changed()

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

    def _tell_full(self, error: OSError) -> None:
        """A full disk pauses the run, or ends it if nobody is there to make room."""
        reason, sentence = full_words(error, self.plan.output)
        room = "Delete files there that are not needed" if reason == "no-inodes" else "Free some space"
        then = "resume" if self._pause_when_full else "start the same download again"
        problem = FileError(sentence, f"{room}, then {then}: nothing that has arrived is lost.")
        with self._lock:
            if self._problem is None:
                self._problem = problem
                self._paused = self._pause_when_full
            self._changed()
        if not self._pause_when_full:
            self._stop(reason, problem.sentence)

    # The recorder.

    def _disk_is_full(self, error: OSError) -> bool:
        """True when the recorder may try again: only after the user has said so."""
        self._tell_full(error)
        with self._lock:
            while self._paused and not self._stopping:
                self._lock.wait()
            return not self._stopping

    def _record(self, recorder: Recorder, crew: Crew) -> None:
        try:
            recorder.run(self._recorded, self._disk_is_full)
        except Exception as error:
            self._problem = FileError(f"The download could not be recorded: {error!r}.", "Start it again.")
            self._stop("internal", self._problem.sentence)
        finally:
            with self._lock:
                self._progress.end()
                self._finished.set()
                self._lock.notify_all()
            crew.wake()

    def _recorded(self, batch: list[Item], outcomes: list[Outcome]) -> None:
        with self._lock:
            for outcome in outcomes:
                item = self._items[outcome.key]
                item.reason, item.detail = outcome.reason, outcome.detail
                self._progress.moved(item, outcome.state)
                if outcome.state not in HERE and item.stored is not None:
                    item.sha256 = item.stored.sha256  # its part is whole: another try need not fetch it
            for item in batch:
                item.recorded = True
            self._lock.notify_all()
