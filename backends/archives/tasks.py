"""The tasks of an Archiver that runs here: at most one for one archive at a time, each with the state it is in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from backends.archives.engine import Engine, Got
from backends.archives.reports import FINAL, Report, State
from backends.archives.wanted import Request, key_of, task_id_of
from backends.cancel import CancelToken
from backends.errors import AppError

KEPT_SECONDS = 3600.0  # after its end, as the original's sweep
MOST = 10_000
MOST_WAITING = 1_000
AT_ONCE = 4  # of different servers; one server gives one archive at a time


class TooBusyError(AppError):
    """So many archives wait that no more are taken."""

    exit_code = 3


@dataclass
class Task:
    """One archive being made. `got` once it succeeded."""

    id: str
    request: Request
    region: str
    report: Report = field(default_factory=lambda: Report(State.PENDING, "Waiting for its turn."))
    got: Got | None = None
    ended: float | None = None

    @property
    def final(self) -> bool:
        return self.report.state in FINAL


class Tasks:
    """`reachable(got)`: why nobody could fetch what was made, "" if they can: a success has something to fetch."""

    def __init__(
        self, engine: Engine, reachable: Callable[[Got], str], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine, self._reachable, self._clock = engine, reachable, clock
        self._tasks: dict[str, Task] = {}
        self._lock = threading.Lock()
        self._cancel = CancelToken()
        self._workers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="archives")

    def find(self, task_id: str) -> Task | None:
        with self._lock:
            return self._tasks.get(task_id)

    def started(self, request: Request, region: str) -> Task:
        """The task that makes this archive: the one that runs, or a new one, also after one that has ended. Raises
        `TooBusyError`."""
        key = key_of(request.repository, request.revision, request.suffix, request.subdirectory)
        with self._lock:
            self._sweep()
            task_id = task_id_of(key)
            # The original's ids are not injective: a_b and a/b have the same.
            number = 1
            while (known := self._tasks.get(task_id)) is not None and known.request != request:
                number += 1
                task_id = f"{task_id_of(key)}~{number}"
            if known is not None and not known.final:
                return known
            if sum(one.ended is None for one in self._tasks.values()) >= MOST_WAITING:
                raise TooBusyError(f"{MOST_WAITING:,} archives are being made or wait for it.", "Ask again later.")
            task = self._tasks[task_id] = Task(task_id, request, region)
        self._workers.submit(self._run, task)
        return task

    def close(self) -> None:
        self._cancel.cancel()
        self._workers.shutdown(wait=True, cancel_futures=True)

    def _run(self, task: Task) -> None:
        def tell(report: Report) -> None:
            if report.state not in FINAL:
                task.report = report

        try:
            got = self._engine.get(task.request, self._cancel, tell, task.region)
            why = self._reachable(got)
            task.got = None if why else got
            sentence = why or " ".join(["Task completed! Check 's3_urls' for upload locations.", *got.notes])
            end = Report(State.FAILURE if why else State.SUCCESS, sentence)
        except AppError as problem:
            end = Report(State.FAILURE, str(problem))
        except Exception as error:  # whoever waits for the task must not wait for ever
            end = Report(State.FAILURE, f"The server itself failed: {type(error).__name__}.")
        task.ended = self._clock()
        task.report = end

    def _sweep(self) -> None:
        now = self._clock()
        old = [one for one, task in self._tasks.items() if task.ended is not None and now - task.ended > KEPT_SECONDS]
        done = [one for one, task in self._tasks.items() if task.ended is not None] if len(self._tasks) > MOST else []
        for one in {*old, *done}:
            del self._tasks[one]
