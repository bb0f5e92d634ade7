"""What a synthetic task is: a label, a planned history of runs, and what of it can be seen at a given second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Label:
    """What a task does: everything that all retriggers of it share. `minutes` is the median duration."""

    name: str
    kind: str
    platform: str
    machine: str
    collection: str
    os: str
    pool: str
    worker: str
    minutes: float
    symbol: str
    group_symbol: str = ""
    group_name: str = ""
    tier: int = 1
    suite: str = ""
    flavor: str = ""
    category: str = ""
    variant: str = ""
    chunk: int = 1
    chunks: int = 1

    @property
    def is_perf(self) -> bool:
        return self.category in ("browsertime", "talos", "awsy")


@dataclass(frozen=True, slots=True)
class Run:
    """One planned run; times are seconds after the group's epoch, None for what never happens."""

    created_for: str
    scheduled: float
    started: float | None
    ended: float | None
    state: str
    reason: str
    worker_group: str = ""
    worker_id: str = ""

    def at(self, now: float) -> Run:
        """The run as the queue would describe it at `now`."""
        if self.ended is not None and self.ended <= now:
            return self
        if self.started is not None and self.started <= now:
            return replace(self, ended=None, state="running", reason="")
        return replace(self, started=None, ended=None, state="pending", reason="", worker_group="", worker_id="")

    def squeezed(self, origin: float, factor: float) -> Run:
        """The same run with all its times drawn towards `origin`."""

        def draw(second: float) -> float:
            return round(origin + (second - origin) * factor, 3)

        return replace(
            self,
            scheduled=draw(self.scheduled),
            started=None if self.started is None else draw(self.started),
            ended=None if self.ended is None else draw(self.ended),
        )


@dataclass(frozen=True, slots=True)
class Task:
    """One task and its whole history, of which `runs_at` shows the part that has happened."""

    id: str
    group_id: str
    index: int
    label: Label
    created: float
    history: tuple[Run, ...]
    retries_left: int = 5
    retrigger: bool = False
    role: str = ""

    def runs_at(self, now: float) -> tuple[Run, ...]:
        return tuple(run.at(now) for run in self.history if run.scheduled <= now)


def state_of(runs: Sequence[Run]) -> str:
    return runs[-1].state if runs else "unscheduled"


@dataclass(frozen=True)
class Group:
    """A task group. `epoch` is the UTC timestamp of its second 0; `elapsed` says which second it is now.

    `tasks_by_id` hold tasks that do not exist yet, too: ask `present()` for those that do.
    """

    id: str
    project: str
    revision: str
    pushlog: int
    epoch: float
    elapsed: Callable[[], float]
    make: Callable[[], Sequence[Task]]
    changes: bool = False

    @cached_property
    def tasks(self) -> Sequence[Task]:
        return self.make()

    @cached_property
    def tasks_by_id(self) -> dict[str, Task]:
        """In the order in which the queue lists them: by id."""
        return {task.id: task for task in sorted(self.tasks, key=lambda task: task.id)}

    def present(self) -> list[Task]:
        now = self.elapsed()
        return [task for task in self.tasks_by_id.values() if task.created <= now]

    def find(self, task_id: str) -> Task | None:
        task = self.tasks_by_id.get(task_id)
        return task if task is not None and task.created <= self.elapsed() else None

    def stamp(self, second: float) -> str:
        """A second of the group as the queue writes times: UTC with milliseconds and a `Z`."""
        moment = datetime.fromtimestamp(round(self.epoch + second, 3), UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
