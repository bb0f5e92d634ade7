"""Which groups, tasks and index entries exist: the one value that all routes of the synthetic Taskcluster read."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from math import inf, log

from backends.demo.options import DemoOptions
from backends.demo.seeds import fraction, generator, hexadecimal, number, slugid
from backends.demo.taskcluster import hostile
from backends.demo.taskcluster.catalogue import Planned, plan
from backends.demo.taskcluster.histories import draw_fate, history
from backends.demo.taskcluster.model import Group, Run, Task

# The finished group is always this one push, so that its bytes are the same on every day.
FINISHED_AT = datetime(2026, 11, 20, 8, 0, tzinfo=UTC).timestamp()
RUNNING_TASKS = 240
# The running group is two minutes old when the server starts and done about ten minutes later.
RUNNING_HEAD_START = 120.0
RUNNING_SECONDS = 600.0


@dataclass(frozen=True)
class Indexed:
    """One entry of the index."""

    namespace: str
    task_id: str
    rank: int = 0


class World:
    """All groups of one server. `elapsed` tells the seconds since the server started; tests hand in their own."""

    def __init__(self, options: DemoOptions, elapsed: Callable[[], float] | None = None) -> None:
        self.options = options
        self.seed = options.seed
        begun, born = time.monotonic(), time.time()
        self.elapsed = elapsed or (lambda: time.monotonic() - begun)
        seed = self.seed
        self.finished = self._group("finished", "autoland", FINISHED_AT, lambda: inf, partial(_finished_tasks, options))
        self.running = self._group(
            "running",
            "try",
            born - RUNNING_HEAD_START,
            lambda: self.elapsed() + RUNNING_HEAD_START,
            partial(_running_tasks, seed),
            changes=True,
        )
        self.empty = self._group("empty", "try", FINISHED_AT, lambda: inf, lambda: ())
        self.hostile = self._group("hostile", "try", FINISHED_AT, lambda: inf, partial(_hostile_tasks, seed))
        self.groups = {group.id: group for group in (self.finished, self.running, self.empty, self.hostile)}

    def _group(
        self,
        name: str,
        project: str,
        epoch: float,
        elapsed: Callable[[], float],
        make: Callable[[], Sequence[Task]],
        changes: bool = False,
    ) -> Group:
        revision = hexadecimal(40, self.seed, name, "revision")
        pushlog = 200_000 + number(self.seed, name, "pushlog") % 90_000
        return Group(_id(self.seed, name, 0), project, revision, pushlog, epoch, elapsed, make, changes)

    def find(self, task_id: str) -> tuple[Group, Task] | None:
        for group in self.groups.values():
            task = group.find(task_id)
            if task is not None:
                return group, task
        return None

    def role(self, role: str) -> Task:
        """The task that plays a named part, such as `retried`: of the finished group, else of the running one."""
        return next(task for group in (self.finished, self.running) for task in group.tasks if task.role == role)

    @cached_property
    def index(self) -> dict[str, Indexed]:
        """Decision tasks by revision, push and latest, and the finished group's builds."""
        entries: list[Indexed] = []
        for group in (self.finished, self.running):
            root = f"gecko.v2.{group.project}"
            for path in (f"revision.{group.revision}.taskgraph", f"pushlog-id.{group.pushlog}", "latest.taskgraph"):
                entries.append(Indexed(f"{root}.{path}.decision", group.id))
        for task in self.finished.tasks:
            if task.label.kind == "build" and not task.retrigger:
                product = task.label.platform.replace("/", "-").replace(".", "-")
                for path in ("latest.firefox", f"revision.{self.finished.revision}.firefox"):
                    entries.append(Indexed(f"gecko.v2.autoland.{path}.{product}", task.id, int(FINISHED_AT)))
        return {entry.namespace: entry for entry in sorted(entries, key=lambda entry: entry.namespace)}


def _id(seed: int, group: str, index: int) -> str:
    """The decision task, index 0, gives the group its id."""
    return slugid(seed, group, index)


def _finished_tasks(options: DemoOptions) -> list[Task]:
    group_id = _id(options.seed, "finished", 0)
    return [
        _finished_task(options.seed, group_id, index, entry)
        for index, entry in enumerate(plan(options.seed, options.tasks))
    ]


def _finished_task(seed: int, group_id: str, index: int, entry: Planned) -> Task:
    random = generator(seed, "finished", index)
    label = entry.label
    fate, role = entry.fate or draw_fate(random), entry.role
    if fate == "unscheduled":  # the group's deadline has passed: the queue ended what had not begun by then
        fate, role = "deadline-exceeded", ""
    if label.kind in ("decision-task",):
        created, scheduled = 0.0, 0.4
    else:
        created = random.uniform(180, 240) if not entry.retrigger else random.uniform(9_000, 16_000)
        builds_done = 2_100.0 if label.kind == "test" and not entry.retrigger else 0.0
        scheduled = created + builds_done * random.lognormvariate(0, 0.2) + random.uniform(0.2, 3)
    runs = history(random, label, fate, scheduled)
    lost = sum(run.reason in ("worker-shutdown", "claim-expired", "intermittent-task") for run in runs)
    return Task(
        _id(seed, "finished", index), group_id, index, label, round(created, 3), runs, max(5 - lost, 0),
        entry.retrigger, role,
    )  # fmt: skip


def _running_tasks(seed: int) -> list[Task]:
    """Four fifths exist from the start, the rest are added while one looks; all are resolved after ten minutes."""
    group_id = _id(seed, "running", 0)
    return [_running_task(seed, group_id, index, entry) for index, entry in enumerate(plan(seed, RUNNING_TASKS))]


def _running_task(seed: int, group_id: str, index: int, entry: Planned) -> Task:
    random = generator(seed, "running", index)
    late = index > 20 and fraction(seed, "late", index) < 0.2
    created = 0.0 if index == 0 else random.uniform(RUNNING_HEAD_START, 460) if late else random.uniform(2, 20)
    if entry.label.kind == "test":
        scheduled = created + (random.uniform(20, 200) if not late else random.uniform(1, 20))
    else:
        scheduled = created + 0.4
    fate = "retried-completed" if entry.role == "retried" else entry.fate or draw_fate(random)
    if fate in ("deadline-exceeded", "retried-lost"):
        fate = "canceled"
    runs = _within(history(random, entry.label, fate, scheduled, speed=0.1), RUNNING_HEAD_START + RUNNING_SECONDS)
    role = "unscheduled" if entry.role == "unscheduled" else ""
    return Task(_id(seed, "running", index), group_id, index, entry.label, round(created, 3), runs, role=role)


def _within(runs: tuple[Run, ...], limit: float) -> tuple[Run, ...]:
    """The same runs squeezed so that the last one ends before `limit`; short runs stay as they are."""
    if not runs or runs[-1].ended is None or runs[-1].ended <= limit:
        return runs
    first = runs[0].scheduled
    # log1p keeps the order and leaves the long ones apart from each other instead of ending all at once.
    last = runs[-1].ended - first
    room = (limit - first) * (0.7 + 0.3 * min(log(last / (limit - first) + 1) / log(60), 1))
    return tuple(run.squeezed(first, room / last) for run in runs)


def _hostile_tasks(seed: int) -> list[Task]:
    group_id = _id(seed, "hostile", 0)
    return [
        Task(
            _id(seed, "hostile", index),
            group_id,
            index,
            quirk.label(index),
            0.0,
            history(generator(seed, "hostile", index), quirk.label(index), "completed", 1.0),
            role=quirk.name,
        )
        for index, quirk in enumerate(hostile.QUIRKS)
    ]
