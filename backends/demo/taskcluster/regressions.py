"""Since when the failed tasks of the finished group fail: planted histories of their labels in the pushes before it.

What finds the push that began a failure is measured against `plan_histories`. Every label whose task failed has one; a
performance test has none, since its jobs have histories of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backends.demo.deterministic_random import fraction, generator, number, slugid
from backends.demo.taskcluster.catalogue import BUILDS, build_label, decision_label
from backends.demo.taskcluster.model import DemoTask, Label, plan_runs

FIRST_WITH_HISTORY = 3  # index of the first task of an earlier push that has one: before are its decision and builds
EARLIER = 24  # pushes before the finished group's that have such tasks
# "gaps": the job did not run on two pushes, the second of which began it; "once": only the finished group's task failed
KINDS = ("gaps", "intermittent", "regression", "once", "always")


@dataclass(frozen=True)
class PlantedHistory:
    """Of one label. `like`: its failed task in the finished group; `begun`: how many pushes before the finished group
    the push is that began it, 0 where none did (kinds "intermittent", "always", "once")."""

    label: Label
    like: DemoTask
    kind: str
    begun: int = 0

    def outcome(self, seed: int, before: int) -> str:
        """Of the task `before` pushes earlier: "failed", "completed", or "" where the job did not run."""
        match self.kind:
            case "regression":
                is_failed = before <= self.begun
            case "gaps":
                if before in (self.begun, self.begun + 1):
                    return ""
                is_failed = before < self.begun
            case "intermittent":
                is_failed = before == 3 or fraction(seed, self.label.name, before, "fails") < 0.3
            case _:
                is_failed = self.kind == "always"
        return "failed" if is_failed else "completed"


def plan_histories(seed: int, finished: Sequence[DemoTask]) -> dict[str, PlantedHistory]:
    """By the label's name. The task of the role "failed" fails since the push six pushes earlier."""
    found: dict[str, PlantedHistory] = {}
    for task in finished:
        name = task.label.name
        if task.history and task.history[-1].state == "failed" and not task.label.is_perf and name not in found:
            kind = KINDS[len(found) % len(KINDS)]
            begun = 3 + number(seed, name, "begun") % 9
            if task.role == "failed":
                kind, begun = "regression", 6
            found[name] = PlantedHistory(task.label, task, kind, begun if kind in ("regression", "gaps") else 0)
    return found


def earlier_tasks(seed: int, before: int, finished: Sequence[DemoTask]) -> list[DemoTask]:
    """The tasks of the push `before` pushes earlier: its decision, two builds, and those that have a history."""
    name = group_name(before)
    labels = [decision_label(), *(build_label(*entry) for entry in BUILDS[:2])]
    planned = [(label, "completed", "") for label in labels]
    for history in plan_histories(seed, finished).values():
        if outcome := history.outcome(seed, before):
            planned.append((history.label, outcome, history.like.id if outcome == "failed" else ""))
    tasks = []
    for index, (label, outcome, like) in enumerate(planned):
        created = 0.0 if index == 0 else 200.0
        runs = plan_runs(generator(seed, name, label.name), label, outcome, created + 0.4)
        ids = slugid(seed, name, index), slugid(seed, name, 0)
        tasks.append(DemoTask(*ids, index, label, created, runs, fails_like=like))
    return tasks


def group_name(before: int) -> str:
    return f"autoland-{before}"
