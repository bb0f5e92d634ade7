"""Synthetic tasks: a label, a planned history of runs, and the part of it that is visible at a given second.

A history is planned in advance (in seconds after the group's epoch), so a running group needs no clockwork and the same
second always looks the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from math import exp, log
from random import Random

# The finished group is always this one push, so that its bytes are the same on every day.
FINISHED_AT = datetime(2026, 11, 20, 8, 0, tzinfo=UTC).timestamp()
# Of a thousand tasks of a sheriffed branch about thirty fail and ten end in an exception.
_OUTCOMES = (
    ("completed", 0.946),
    ("failed", 0.032),
    ("retried-completed", 0.008),
    ("unscheduled", 0.004),
    ("intermittent", 0.002),
    ("claim-expired", 0.002),
    ("deadline-exceeded", 0.003),
    ("retried-lost", 0.002),
    ("canceled", 0.001),
)
# (state, reason, share of the full duration) of each run that a worker claims; of a retried-lost task the last run is
# never claimed, so the latest run has no artifacts.
_CLAIMED_RUNS: dict[str, tuple[tuple[str, str, float], ...]] = {
    "unscheduled": (),
    "deadline-exceeded": (),
    "canceled": (),
    "retried-completed": (("exception", "worker-shutdown", 0.4), ("completed", "completed", 1.0)),
    "retried-lost": (("exception", "worker-shutdown", 0.6),),
    "intermittent": (("exception", "intermittent-task", 0.3), ("completed", "completed", 1.0)),
    "claim-expired": (("exception", "claim-expired", 0.5), ("exception", "claim-expired", 0.5)),
}
_DEADLINE = 24 * 3600.0
_REGIONS = ("us-east1", "us-west1", "us-central1", "europe-west1")


@dataclass(frozen=True, slots=True)
class Label:
    """What all retriggers of a task share. `minutes` is the median duration."""

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
class DemoRun:
    """One planned run; times are seconds after the group's epoch, None for what never happens."""

    created_for: str
    scheduled: float
    started: float | None
    ended: float | None
    state: str
    reason: str
    worker_group: str = ""
    worker_id: str = ""

    def visible_at(self, now: float) -> DemoRun:
        """The run as the queue describes it at `now`."""
        if self.ended is not None and self.ended <= now:
            return self
        if self.started is not None and self.started <= now:
            return replace(self, ended=None, state="running", reason="")
        return replace(self, started=None, ended=None, state="pending", reason="", worker_group="", worker_id="")

    def compress(self, origin: float, factor: float) -> DemoRun:
        """The same run with all its times moved towards `origin`."""

        def move(second: float) -> float:
            return round(origin + (second - origin) * factor, 3)

        return replace(
            self,
            scheduled=move(self.scheduled),
            started=None if self.started is None else move(self.started),
            ended=None if self.ended is None else move(self.ended),
        )


@dataclass(frozen=True, slots=True)
class DemoTask:
    """One task and all of its runs, of which `runs_at` returns those that have begun.

    `fails_like`: the id of a task whose failures it repeats, in other words of the same causes.
    """

    id: str
    group_id: str
    index: int
    label: Label
    created: float
    history: tuple[DemoRun, ...]
    retries_left: int = 5
    retrigger: bool = False
    role: str = ""
    fails_like: str = ""

    def runs_at(self, now: float) -> tuple[DemoRun, ...]:
        return tuple(run.visible_at(now) for run in self.history if run.scheduled <= now)


def state_of(runs: Sequence[DemoRun]) -> str:
    return runs[-1].state if runs else "unscheduled"


@dataclass(frozen=True)
class DemoGroup:
    """A task group. `epoch` is the UTC timestamp of its second 0; `elapsed` returns the current second.

    `tasks_by_id` has also tasks that do not exist yet; `present()` returns those that do.
    """

    id: str
    project: str
    revision: str
    pushlog: int
    epoch: float
    elapsed: Callable[[], float]
    make: Callable[[], Sequence[DemoTask]]
    changes: bool = False
    owner: str = ""  # who pushed: the owner of its tasks, but of those that somebody else retriggered

    @cached_property
    def tasks(self) -> Sequence[DemoTask]:
        return self.make()

    @cached_property
    def tasks_by_id(self) -> dict[str, DemoTask]:
        """In the order in which the queue lists them: by id."""
        return {task.id: task for task in sorted(self.tasks, key=lambda task: task.id)}

    def present(self) -> list[DemoTask]:
        now = self.elapsed()
        return [task for task in self.tasks_by_id.values() if task.created <= now]

    def find(self, task_id: str) -> DemoTask | None:
        task = self.tasks_by_id.get(task_id)
        return task if task is not None and task.created <= self.elapsed() else None

    def stamp(self, second: float) -> str:
        """A second of the group as the queue formats times: UTC with milliseconds and a `Z`."""
        moment = datetime.fromtimestamp(round(self.epoch + second, 3), UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def draw_outcome(random: Random) -> str:
    chance = random.random()
    for outcome, share in _OUTCOMES:
        chance -= share
        if chance < 0:
            return outcome
    return "completed"


def _queue_seconds(random: Random, pool: str) -> float:
    """Hardware pools are scarce: minutes to hours; cloud pools start a machine in about two minutes."""
    median = 1500.0 if "hardware" in pool or "autophone" in pool else 240.0 if "win" in pool else 95.0
    return random.lognormvariate(log(median), 0.8)


def _run_seconds(random: Random, label: Label, outcome: str) -> float:
    """Log-normal around the suite's median, with a weight for each chunk; a failure ends early."""
    weight = exp(((label.chunk * 2654435761) % 97 / 97 - 0.5) * 0.5)
    seconds = label.minutes * 60 * weight * random.lognormvariate(0, 0.16)
    if outcome == "failed":
        return max(seconds * random.uniform(0.3, 1.0), 20.0)
    return max(seconds, 20.0)


def _worker(random: Random, label: Label) -> tuple[str, str]:
    if "hardware" in label.pool or "autophone" in label.pool:
        return "mdc1", f"{label.pool.split('-')[-1]}-{random.randint(1, 240):03d}"
    return random.choice(_REGIONS), str(random.randint(10**17, 10**19))


def plan_runs(random: Random, label: Label, outcome: str, scheduled: float, speed: float = 1.0) -> tuple[DemoRun, ...]:
    """The runs that lead to `outcome`, each scheduled when the previous one was resolved; `speed` below 1 shortens
    waiting and running."""
    runs: list[DemoRun] = []
    clock = scheduled

    def append(started: float | None, ended: float, state: str, reason: str, group: str = "", worker: str = "") -> None:
        nonlocal clock
        created_for = "scheduled"
        if runs:
            created_for = "task-retry" if runs[-1].reason == "intermittent-task" else "retry"
        begun = None if started is None else round(started, 3)
        runs.append(DemoRun(created_for, round(clock, 3), begun, round(ended, 3), state, reason, group, worker))
        clock = ended

    for state, reason, share in _CLAIMED_RUNS.get(outcome, ((outcome, outcome, 1.0),)):
        started = clock + _queue_seconds(random, label.pool) * speed
        ended = started + _run_seconds(random, label, state) * speed * share
        append(started, ended, state, reason, *_worker(random, label))
    if outcome in ("retried-lost", "deadline-exceeded"):
        append(None, clock + max(_DEADLINE * speed - clock, 60), "exception", "deadline-exceeded")
    elif outcome == "canceled":
        append(None, clock + 900 * speed, "exception", "canceled")
    return tuple(runs)
