"""All groups, tasks and index entries of one server, including tasks that try what a hostile server could send.

hostile.json has one task per quirk: an ordinary task with another name or other artifacts, whose definition and status
are changed at dotted paths (`last` is the last element of a list) or lack members.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import inf, log
from pathlib import Path
from typing import Any

from backends.demo.deterministic_random import fraction, generator, hexadecimal, number, slugid
from backends.demo.options import DemoOptions
from backends.demo.taskcluster.catalogue import OWNERS, Planned, plan_tasks, source_test_label
from backends.demo.taskcluster.model import FINISHED_AT, DemoGroup, DemoRun, DemoTask, draw_outcome, plan_runs
from backends.demo.taskcluster.pushes import AUTOLAND, SPECS, plan_pushes
from backends.demo.taskcluster.regressions import EARLIER, earlier_tasks, group_name

RUNNING_TASKS = 240
# The running group is two minutes old when the server starts and done about ten minutes later.
RUNNING_HEAD_START = 120.0
RUNNING_SECONDS = 600.0
EARLIER_PUSHES = 3  # of the running group's project, finished: what its time left is estimated from
_QUIRKS = {quirk["role"]: quirk for quirk in json.loads((Path(__file__).parent / "hostile.json").read_bytes())}
_SEGMENTS = "".join(f"segment-{place:04d}/" for place in range(310))[:1_000]


@dataclass(frozen=True)
class DemoIndexEntry:
    namespace: str
    task_id: str
    rank: int = 0


class Fixtures:
    """`elapsed` returns the seconds since the server started; tests pass their own."""

    def __init__(self, options: DemoOptions, elapsed: Callable[[], float] | None = None) -> None:
        self.options = options
        self.seed = seed = options.seed
        begun, born = time.monotonic(), time.time()
        self.elapsed = elapsed or (lambda: time.monotonic() - begun)
        self.finished = self._group("finished", "autoland", partial(_finished_tasks, options))
        self.running = replace(
            self._group("running", "try", partial(_running_tasks, seed, "running")),
            epoch=born - RUNNING_HEAD_START,
            elapsed=lambda: self.elapsed() + RUNNING_HEAD_START,
            changes=True,
        )
        self.empty = self._group("empty", "try", lambda: ())
        self.hostile = self._group("hostile", "try", partial(_hostile_tasks, seed))
        self.earlier = tuple(
            replace(
                self._group(name, "try", partial(_running_tasks, seed, name)), pushlog=self.running.pushlog - number
            )
            for number, name in enumerate((f"earlier-{n}" for n in range(1, EARLIER_PUSHES + 1)), start=1)
        )

    @cached_property
    def groups(self) -> dict[str, DemoGroup]:
        groups = (self.finished, self.running, self.empty, self.hostile, *self.earlier, *self.before.values())
        return {group.id: group for group in groups}

    @cached_property
    def before(self) -> dict[int, DemoGroup]:
        """Groups of autoland's pushes before the finished group's, by how many pushes before it, with the tasks whose
        labels failed in it."""
        pushes = plan_pushes(self.seed, SPECS[0], self.finished)
        place = next(push.order for push in pushes if push.group is not None)
        found = {}
        for number_, push in enumerate(reversed(pushes[max(place - EARLIER, 0) : place]), start=1):
            make = partial(self._tasks_before, number_)
            group = self._group(group_name(number_), AUTOLAND, make)
            found[number_] = replace(
                group, revision=push.revision, pushlog=self.finished.pushlog - number_, epoch=float(push.time),
                owner=push.author,
            )  # fmt: skip
        return found

    def _tasks_before(self, before: int) -> list[DemoTask]:
        return earlier_tasks(self.seed, before, self.finished.tasks)

    def _group(self, name: str, project: str, make_tasks: Callable[[], Sequence[DemoTask]]) -> DemoGroup:
        """A finished group; its decision task, index 0, has the group's id."""
        revision = hexadecimal(40, self.seed, name, "revision")
        pushlog = 200_000 + number(self.seed, name, "pushlog") % 90_000
        group_id = slugid(self.seed, name, 0)
        owner = OWNERS[number(self.seed, group_id, "owner", 0) % len(OWNERS)]
        return DemoGroup(group_id, project, revision, pushlog, FINISHED_AT, lambda: inf, make_tasks, owner=owner)

    def find(self, task_id: str) -> tuple[DemoGroup, DemoTask] | None:
        for group in self.groups.values():
            task = group.find(task_id)
            if task is not None:
                return group, task
        return None

    def task_with_role(self, role: str) -> DemoTask:
        """A special task, e.g. `retried`: of the finished group, else of the running one."""
        return next(task for group in (self.finished, self.running) for task in group.tasks if task.role == role)

    @cached_property
    def index(self) -> dict[str, DemoIndexEntry]:
        """Decision tasks by revision, push and latest, and the finished group's builds."""
        entries: list[DemoIndexEntry] = []
        for group in (self.finished, self.running):
            root = f"gecko.v2.{group.project}"
            for path in (f"revision.{group.revision}.taskgraph", f"pushlog-id.{group.pushlog}", "latest.taskgraph"):
                entries.append(DemoIndexEntry(f"{root}.{path}.decision", group.id))
        for group in (*self.earlier, *self.before.values()):
            entries.append(DemoIndexEntry(f"gecko.v2.{group.project}.pushlog-id.{group.pushlog}.decision", group.id))
        for task in self.finished.tasks:
            if task.label.kind == "build" and not task.retrigger:
                product = task.label.platform.replace("/", "-").replace(".", "-")
                for path in ("latest.firefox", f"revision.{self.finished.revision}.firefox"):
                    entries.append(DemoIndexEntry(f"gecko.v2.autoland.{path}.{product}", task.id, int(FINISHED_AT)))
        return {entry.namespace: entry for entry in sorted(entries, key=lambda entry: entry.namespace)}


def _finished_tasks(options: DemoOptions) -> list[DemoTask]:
    return [_finished_task(options.seed, *item) for item in enumerate(plan_tasks(options.seed, options.tasks))]


def _finished_task(seed: int, index: int, planned: Planned) -> DemoTask:
    random = generator(seed, "finished", index)
    label = planned.label
    outcome, role = planned.outcome or draw_outcome(random), planned.role
    if outcome == "unscheduled":  # the group's deadline has passed: the queue ended what had not begun by then
        outcome, role = "deadline-exceeded", ""
    if label.kind == "decision-task":
        created, scheduled = 0.0, 0.4
    else:
        created = random.uniform(180, 240) if not planned.retrigger else random.uniform(9_000, 16_000)
        builds_done = 2_100.0 if label.kind == "test" and not planned.retrigger else 0.0
        scheduled = created + builds_done * random.lognormvariate(0, 0.2) + random.uniform(0.2, 3)
    runs = plan_runs(random, label, outcome, scheduled)
    lost = sum(run.reason in ("worker-shutdown", "claim-expired", "intermittent-task") for run in runs)
    return DemoTask(
        slugid(seed, "finished", index), slugid(seed, "finished", 0), index, label, round(created, 3), runs,
        max(5 - lost, 0), planned.retrigger, role,
    )  # fmt: skip


def _running_tasks(seed: int, name: str) -> list[DemoTask]:
    """Four fifths exist from the start, the rest are added later; all are resolved after ten minutes."""
    return [_running_task(seed, name, *item) for item in enumerate(plan_tasks(seed, RUNNING_TASKS))]


def _running_task(seed: int, name: str, index: int, planned: Planned) -> DemoTask:
    random = generator(seed, name, index)
    late = index > 20 and fraction(seed, "late", index) < 0.2
    created = 0.0 if index == 0 else random.uniform(RUNNING_HEAD_START, 460) if late else random.uniform(2, 20)
    if planned.label.kind == "test":
        scheduled = created + (random.uniform(20, 200) if not late else random.uniform(1, 20))
    else:
        scheduled = created + 0.4
    outcome = "retried-completed" if planned.role == "retried" else planned.outcome or draw_outcome(random)
    if outcome in ("deadline-exceeded", "retried-lost"):
        outcome = "canceled"
    runs = plan_runs(random, planned.label, outcome, scheduled, speed=0.1)
    role = "unscheduled" if planned.role == "unscheduled" else ""
    return DemoTask(
        slugid(seed, name, index), slugid(seed, name, 0), index, planned.label, round(created, 3),
        _limit_runs(runs, RUNNING_HEAD_START + RUNNING_SECONDS), role=role,
    )  # fmt: skip


def _limit_runs(runs: tuple[DemoRun, ...], limit: float) -> tuple[DemoRun, ...]:
    """The same runs, compressed so that the last one ends before `limit`; short runs stay as they are."""
    if not runs or runs[-1].ended is None or runs[-1].ended <= limit:
        return runs
    first = runs[0].scheduled
    # The logarithm keeps the order and leaves the long runs apart from each other instead of ending all at once.
    last = runs[-1].ended - first
    room = (limit - first) * (0.7 + 0.3 * min(log(last / (limit - first) + 1) / log(60), 1))
    return tuple(run.compress(first, room / last) for run in runs)


def _hostile_tasks(seed: int) -> list[DemoTask]:
    tasks = []
    for index, quirk in enumerate(_QUIRKS.values()):
        label = replace(source_test_label("mozlint-eslint"), name=_expand(quirk["name"]), symbol=f"H{index}")
        runs = plan_runs(generator(seed, "hostile", index), label, "completed", 1.0)
        ids = slugid(seed, "hostile", index), slugid(seed, "hostile", 0)
        tasks.append(DemoTask(*ids, index, label, 0.0, runs, role=quirk["role"]))
    return tasks


def _expand(text: str) -> str:
    """`{293*n}` is 293 times n."""
    text = text.replace("{segments}", _SEGMENTS)
    return re.sub(r"\{(\d+)\*(.)\}", lambda match: match[2] * int(match[1]), text)


def hostile_artifacts(role: str) -> list[str]:
    """The names that a hostile task lists instead of the usual artifacts."""
    return [_expand(name) for name in _QUIRKS.get(role, {}).get("artifacts", ())]


def apply_quirk(role: str, part: str, value: dict[str, Any]) -> None:
    """Changes the definition (part "task") or "status" of a hostile task; others stay as they are."""
    quirk = _QUIRKS.get(role, {})
    for path, changed in quirk.get(part, {}).items():
        *parents, last = path.split(".")
        target: Any = value
        for name in parents:
            target = target[-1] if name == "last" else target[name]
        target[last] = changed
    for name in quirk.get(f"{part}_lacks", ()):
        del value[name]
    if role == "hostile-times" and part == "status":
        run = value["runs"][-1]
        run["started"], run["resolved"] = run["resolved"], run["started"]
