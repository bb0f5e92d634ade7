"""How a task's runs come about: queue times by pool, durations by suite, failures, retries and lost workers.

A history is planned as a whole (seconds after the group's epoch); what has happened by now is cut from it by
`Run.at`, so a running group needs no clockwork, and the same second always looks the same.
"""

from __future__ import annotations

from math import exp, log
from random import Random

from backends.demo.taskcluster.model import Label, Run
from backends.demo.taskcluster.names import REGIONS

# A push of a sheriffed branch: of a thousand tasks about thirty fail and ten end in an exception.
_FATES = (
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
_DEADLINE = 24 * 3600.0


def draw_fate(random: Random) -> str:
    chance = random.random()
    for fate, share in _FATES:
        chance -= share
        if chance < 0:
            return fate
    return "completed"


def queue_seconds(random: Random, pool: str) -> float:
    """Hardware pools are scarce: minutes to hours of waiting; cloud pools start a machine in about two minutes."""
    median = 1500.0 if "hardware" in pool or "autophone" in pool else 240.0 if "win" in pool else 95.0
    return random.lognormvariate(log(median), 0.8)


def run_seconds(random: Random, label: Label, fate: str) -> float:
    """Log-normal about the suite's median, with chunks of their own weight; a failure ends early or at the limit."""
    weight = exp(((label.chunk * 2654435761) % 97 / 97 - 0.5) * 0.5)
    seconds = label.minutes * 60 * weight * random.lognormvariate(0, 0.16)
    if fate == "failed":
        return max(seconds * random.uniform(0.3, 1.0), 20.0)
    return max(seconds, 20.0)


def _worker(random: Random, label: Label) -> tuple[str, str]:
    if "hardware" in label.pool or "autophone" in label.pool:
        return "mdc1", f"{label.pool.split('-')[-1]}-{random.randint(1, 240):03d}"
    return random.choice(REGIONS), str(random.randint(10**17, 10**19))


class Planner:
    """Appends runs one after another, each scheduled when the one before it was resolved."""

    def __init__(self, random: Random, label: Label, scheduled: float, speed: float) -> None:
        self.random, self.label, self.speed = random, label, speed
        self.clock = scheduled
        self.runs: list[Run] = []

    def claimed(self, state: str, reason: str, share: float = 1.0) -> None:
        started = self.clock + queue_seconds(self.random, self.label.pool) * self.speed
        ended = started + run_seconds(self.random, self.label, state) * self.speed * share
        self._append(started, ended, state, reason, *_worker(self.random, self.label))

    def never_claimed(self, reason: str, after: float) -> None:
        self._append(None, self.clock + after, "exception", reason, "", "")

    def _append(self, started: float | None, ended: float, state: str, reason: str, group: str, worker: str) -> None:
        created_for = "scheduled"
        if self.runs:
            created_for = "task-retry" if self.runs[-1].reason == "intermittent-task" else "retry"
        scheduled = round(self.clock, 3)
        begun = None if started is None else round(started, 3)
        self.runs.append(Run(created_for, scheduled, begun, round(ended, 3), state, reason, group, worker))
        self.clock = ended


def history(random: Random, label: Label, fate: str, scheduled: float, speed: float = 1.0) -> tuple[Run, ...]:
    """The runs that lead to `fate`; `speed` below 1 shortens waiting and running alike."""
    planner = Planner(random, label, scheduled, speed)
    if fate == "unscheduled":
        return ()
    if fate == "retried-completed":
        planner.claimed("exception", "worker-shutdown", 0.4)
        planner.claimed("completed", "completed")
    elif fate == "retried-lost":
        # The run that matters has artifacts; the one that the queue calls the latest never began and has none.
        planner.claimed("exception", "worker-shutdown", 0.6)
        planner.never_claimed("deadline-exceeded", max(_DEADLINE * speed - planner.clock, 60))
    elif fate == "intermittent":
        planner.claimed("exception", "intermittent-task", 0.3)
        planner.claimed("completed", "completed")
    elif fate == "claim-expired":
        planner.claimed("exception", "claim-expired", 0.5)
        planner.claimed("exception", "claim-expired", 0.5)
    elif fate == "deadline-exceeded":
        planner.never_claimed("deadline-exceeded", max(_DEADLINE * speed - scheduled, 60))
    elif fate == "canceled":
        planner.never_claimed("canceled", 900 * speed)
    else:
        planner.claimed(fate, fate)
    return tuple(planner.runs)
