"""Which jobs ran on a push: its performance lanes with retriggers, builds and tests; or the tasks of a task group.

Only what a datum or a filter needs is drawn here for all jobs at once (40,000 in a third of a second); the 37 fields
of a job are written by job_texts.py when somebody asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log
from random import Random
from typing import NamedTuple

from backends.demo.seeds import generator, slugid
from backends.demo.taskcluster import catalogue
from backends.demo.taskcluster.model import Group, Label, Run, Task
from backends.demo.taskcluster.names import BUILDS, PLATFORMS, SUITES
from backends.demo.treeherder.clock import DAY, JOBS_LIVE_DAYS, NOW
from backends.demo.treeherder.lanes import AGES, SHARES, Lane
from backends.demo.treeherder.pushes import Push

# Runs of one lane on one push: most have one, one in eight was retriggered.
_EXTRA_RUNS = (1, 1, 2, 4)
# Backfills and retriggers by hand come hours to days after the push, when an alert is looked into.
_BACKFILLS = 4
_RESULTS = (("success", 0.958), ("testfailed", 0.985), ("exception", 0.99), ("retry", 0.996), ("usercancel", 1.0))


class Job(NamedTuple):
    """Times are UTC seconds, 0 for not yet. `lane` is the index of the lane that it measures, -1 for none."""

    id: int
    push: Push
    lane: int
    label: Label
    run: int  # the how manieth of its lane and push
    submit: int
    start: int
    end: int
    state: str
    result: str
    task: tuple[str, int] | None = None  # of the synthetic Taskcluster; others get an id of their own

    @property
    def expired(self) -> bool:
        """Treeherder has forgotten it."""
        return self.submit < NOW - JOBS_LIVE_DAYS * DAY

    @property
    def measured(self) -> bool:
        return self.lane >= 0 and self.result == "success"

    def task_of(self, seed: int) -> tuple[str, int]:
        return self.task or (slugid(seed, "job", self.id), 0)


def make(
    seed: int, repository: str, pushes: Sequence[Push], lanes: Sequence[Lane], first_id: int, runs: int
) -> list[Job]:
    """In the order of their ids, which is that of submission: a backfill's id is far from its push's other jobs.

    `runs`: how often a lane usually runs on a push (developers ask for five on try).
    """
    drawn: list[Job] = []
    for push in pushes:
        random = generator(seed, "jobs", repository, push.order)
        if push.group is not None:
            drawn += of_group(push, push.group, lanes)
            continue
        drawn += _perf(random, push, lanes, runs)
        drawn += _others(random, push)
    drawn = sorted((job for job in drawn if job.submit <= NOW), key=lambda job: job.submit)
    return [job._replace(id=first_id + 3 * place + job.push.order % 3) for place, job in enumerate(drawn)]


def _perf(random: Random, push: Push, lanes: Sequence[Lane], runs: int) -> Iterator[Job]:
    backfilled = random.random() < 0.3
    for lane in lanes:
        if not _runs_on(random, push, lane):
            continue
        count = runs if runs > 1 else 1
        if runs > 1 and lane.index % 11 == 3:
            count = 1  # one run only: no spread to compare with
        elif runs == 1 and random.random() < 0.125:
            count += random.choice(_EXTRA_RUNS)
        for run in range(count):
            yield _drawn(random, push, lane.index, lane.label, run, _soon(random, push, run))
        if backfilled and runs == 1 and lane.cadence != "build" and random.random() < 0.08:
            late = push.time + random.uniform(3 * 3600, 3 * DAY)
            for run in range(count, count + _BACKFILLS):
                yield _drawn(random, push, lane.index, lane.label, run, int(late + 20 * run))


def _soon(random: Random, push: Push, run: int) -> int:
    # A retrigger is asked for when the first result is there, still within the ten minutes in half of the cases.
    return int(push.time + random.uniform(40, 400) + (random.uniform(60, 900) if run else 0))


def _runs_on(random: Random, push: Push, lane: Lane) -> bool:
    chance = random.random()
    if lane.cadence == "build":
        return push.builds
    if lane.cadence == "speedometer":
        return push.perf != ""
    youngest, oldest = AGES.get(lane.cadence, (-1, 999))
    if push.perf != "all" or not youngest <= (NOW - push.time) / DAY <= oldest:
        return False
    return chance < SHARES.get(lane.cadence, 1.0)


def _others(random: Random, push: Push) -> Iterator[Job]:
    """The decision task, a few builds, and tests of random suites: what most of a push really is."""
    yield _drawn(random, push, -1, catalogue.decision(), 0, push.time + 8)
    for entry in random.sample(BUILDS, 6):
        yield _drawn(random, push, -1, catalogue.build(*entry), 0, push.time + random.randint(150, 220))
    for _ in range(random.randint(8, 30)):
        platform, suite = random.choice(PLATFORMS), random.choice(SUITES)
        label = catalogue.test(platform, random.choice(platform.builds), suite, "", random.randint(1, suite.chunks))
        yield _drawn(random, push, -1, label, 0, push.time + random.randint(150, 400))


def _drawn(random: Random, push: Push, lane: int, label: Label, run: int, submit: int) -> Job:
    wait = random.lognormvariate(log(900 if lane >= 0 else 140), 0.9)
    # Machines that measure are few: at European and American working hours they have a queue.
    if lane >= 0 and 13 <= submit % DAY // 3600 <= 20:
        wait *= 1.8
    start = int(submit + wait)
    end = int(start + max(label.minutes * 60 * random.lognormvariate(0, 0.16), 20))
    chance = random.random()
    result = next(name for name, share in _RESULTS if chance < share)
    if result == "testfailed" and label.kind != "test":
        result = "busted"
    if start > NOW:
        return Job(0, push, lane, label, run, submit, 0, 0, "pending", "unknown")
    if end > NOW:
        return Job(0, push, lane, label, run, submit, start, 0, "running", "unknown")
    return Job(0, push, lane, label, run, submit, start, end, "completed", result)


def of_group(push: Push, group: Group, lanes: Sequence[Lane]) -> Iterator[Job]:
    """One job for each run that there is by now of each task; the label tells which lane it measures."""
    now = group.elapsed()
    of_label = {lane.label.name: lane.index for lane in lanes if lane.application != "chrome"}
    counted: dict[str, int] = {}
    for task in group.tasks:
        if task.created > now:
            continue
        lane = of_label.get(task.label.name, -1)
        for run_id, run in enumerate(task.runs_at(now)):
            count = counted[task.label.name] = counted.get(task.label.name, -1) + 1
            yield _of_run(push, group, lane, task, run_id, run, count)


def _of_run(push: Push, group: Group, lane: int, task: Task, run_id: int, run: Run, count: int) -> Job:
    def second(moment: float | None) -> int:
        return 0 if moment is None else int(group.epoch + moment)

    state = run.state if run.state in ("pending", "running") else "completed"
    return Job(
        0, push, lane, task.label, count, second(run.scheduled), second(run.started), second(run.ended), state,
        _result(task, run), (task.id, run_id),
    )  # fmt: skip


def _result(task: Task, run: Run) -> str:
    """Treeherder's word for how a run of Taskcluster ended."""
    if run.state in ("pending", "running"):
        return "unknown"
    if run.state == "completed":
        return "success"
    if run.state == "failed":
        return "testfailed" if task.label.kind == "test" else "busted"
    if run.reason == "canceled":
        return "usercancel"
    return "retry" if run is not task.history[-1] else "exception"
