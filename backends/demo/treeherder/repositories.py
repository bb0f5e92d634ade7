"""The repositories of the synthetic Treeherder: pushes, jobs and performance values, each generated on first use.

Its time is always the same moment, so that no response depends on the day. Pushes follow a working week, denser in the
last month; as on a real sheriffed branch most of them run no performance job: about every third runs all of them, every
tenth a few Speedometer ones. Of jobs only what a value or a filter needs is drawn for all at once (40,000 in a third of
a second).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from math import log, nan
from random import Random
from typing import Any, NamedTuple

from backends.demo.deterministic_random import fraction, generator, number, slugid
from backends.demo.taskcluster.catalogue import (
    BUILDS,
    PLATFORMS,
    SUITES,
    build_label,
    decision_label,
    test_label,
)
from backends.demo.taskcluster.fixtures import Fixtures
from backends.demo.taskcluster.model import DemoGroup, DemoRun, DemoTask, Label
from backends.demo.taskcluster.pushes import (
    AUTOLAND,
    DAY,
    NOW,
    REPOSITORY_IDS,
    SPECS,
    TRY,
    DemoPush,
    RepositorySpec,
    plan_pushes,
    revision,
)
from backends.demo.taskcluster.regressions import FIRST_WITH_HISTORY
from backends.demo.treeherder.test_configs import AGES, SHARES, PerfSignature, TestConfig, plan_configs, plan_signatures

Json = dict[str, Any]
StepsByIndex = dict[int, list[tuple[int, float]]]

JOBS_LIVE_DAYS = 120  # then Treeherder deletes jobs; their performance data stay, without a job
# The two pushes of try that are compared: six runs of each configuration, some of them on one side only.
BASE_PUSH, NEW_PUSH = 30, 31
_RUNS_ON_TRY = 6
# Alert summaries have consecutive ids; that of the finished task group is the youngest.
SUMMARIES, FIRST_SUMMARY = 330, 46_001
FAVORITE_SUMMARY = FIRST_SUMMARY + SUMMARIES
# Ids of the running task group's push and jobs begin so far after the others'.
_LIVE_PUSH, _LIVE_JOB = 9_000, 900_000
_JOB_BEFORE = 1_000_000  # the same of jobs with a planted history
_MAX_SIGNATURES = 64  # of a configuration
_FILES = ("netwerk cache", "IPC channel", "DisplayListBuilder", "the style system", "GC nursery", "SessionStore")
_VERBS = ("Add test for", "Reduce allocations in", "Update", "Simplify", "Avoid locking in", "Remove dead code from")
_EXTRA_RUNS = (1, 1, 2, 4)  # most configurations run once on a push, one in eight was retriggered
_BACKFILLS = 4  # hours to days after the push, when an alert is investigated
_RESULTS = (("success", 0.958), ("testfailed", 0.985), ("exception", 0.99), ("retry", 0.996), ("usercancel", 1.0))
# Most series behave, a tenth have two modes, some have outliers or a tail, few have no noise at all.
_NOISES = (("plain", 0.68), ("bimodal", 0.79), ("outliers", 0.86), ("skewed", 0.93), ("flat", 0.96), ("wide", 1.0))
_DRIFTING, _GAPPY = 0.10, 0.03


@lru_cache(maxsize=1 << 17)  # a large summary formats the same 60,000 submit times repeatedly
def iso(second: float) -> str:
    """Naive UTC, with microseconds only where there are any, as Django formats it."""
    return datetime.fromtimestamp(second, UTC).replace(tzinfo=None).isoformat()


class DemoJob(NamedTuple):
    """Times are UTC seconds, 0 for not yet. `config` is the index of the configuration that it measures, -1 for none.

    `task` (id and run) is set if it is a task of the synthetic Taskcluster.
    """

    id: int
    push: DemoPush
    config: int
    label: Label
    submit: int
    start: int
    end: int
    state: str
    result: str
    task: tuple[str, int] | None = None

    @property
    def expired(self) -> bool:
        return self.submit < NOW - JOBS_LIVE_DAYS * DAY

    @property
    def has_values(self) -> bool:
        return self.config >= 0 and self.result == "success"

    def task_of(self, seed: int) -> tuple[str, int]:
        return self.task or (slugid(seed, "job", self.id), 0)

    def machine(self, seed: int) -> str:
        """One of a numbered pool of real hardware, a long number in the cloud."""
        drawn = number(seed, "machine", self.id)
        if "hardware" in self.label.pool or "autophone" in self.label.pool:
            return f"t-{self.label.os}-{drawn % 60 + 1:03d}"
        return str(drawn)


class DemoDatum(NamedTuple):
    """One measurement: `id` counts over all repositories and is beyond 32 bits, as the real ones are."""

    id: int
    job: DemoJob
    value: float

    @property
    def job_id(self) -> int | None:
        return None if self.job.expired else self.job.id


# Pushes


def commits(seed: int, repository: str, push: DemoPush) -> list[tuple[str, str, str]]:
    """Revision, author and message of each, the tip first; one push is a merge of more than are listed."""
    random = generator(seed, "commits", repository, push.order)
    count = 27 if push.order == 7 else random.choice((1, 1, 1, 1, 2, 2, 3, 5))
    bug = 1_900_000 + random.randrange(90_000)
    found = []
    for place in range(count):
        tip = push.revision if place == 0 else revision(seed, repository, push.order, place)
        text = f"Bug {bug - place} - {random.choice(_VERBS)} {random.choice(_FILES)}, r=reviewer{random.randrange(5)}"
        if push.order % 41 == 5:
            text = f"Bug {bug - place} - [bold]=cmd|' /C calc'!A0[/] \x1b[2J, r=me\n\nA second paragraph,\twith a tab."
        found.append((tip, f"{push.name} <{push.author}>", text))
    return found


# Jobs


def _plan_jobs(
    seed: int, spec: RepositorySpec, pushes: Sequence[DemoPush], configs: Sequence[TestConfig], runs: int
) -> list[DemoJob]:
    """In the order of their ids, which is that of submission: a backfill's id is far from its push's other jobs.

    `runs`: how often a configuration usually runs on a push (developers ask for several on try).
    """
    jobs: list[DemoJob] = []
    for push in pushes:
        random = generator(seed, "jobs", spec.name, push.order)
        if push.group is not None:
            jobs += _jobs_of_group(push, push.group, configs)
        else:
            jobs += _perf_jobs(random, push, configs, runs)
            jobs += _other_jobs(random, push)
    jobs = sorted((job for job in jobs if job.submit <= NOW), key=lambda job: job.submit)
    return [job._replace(id=spec.first_job + 3 * place + job.push.order % 3) for place, job in enumerate(jobs)]


def _perf_jobs(random: Random, push: DemoPush, configs: Sequence[TestConfig], runs: int) -> Iterator[DemoJob]:
    backfilled = random.random() < 0.3
    for config in configs:
        if not _runs_on(random, push, config):
            continue
        count = runs
        if runs > 1 and config.index % 11 == 3:
            count = 1  # a single run has no spread to compare
        elif runs == 1 and random.random() < 0.125:
            count += random.choice(_EXTRA_RUNS)
        for run in range(count):
            # A retrigger is requested when the first result is there, in half of the cases within ten minutes.
            submit = int(push.time + random.uniform(40, 400) + (random.uniform(60, 900) if run else 0))
            yield _random_job(random, push, config.index, config.label, submit)
        if backfilled and runs == 1 and config.cadence != "build" and random.random() < 0.08:
            late = push.time + random.uniform(3 * 3600, 3 * DAY)
            for run in range(count, count + _BACKFILLS):
                yield _random_job(random, push, config.index, config.label, int(late + 20 * run))


def _runs_on(random: Random, push: DemoPush, config: TestConfig) -> bool:
    chance = random.random()
    if config.cadence == "build":
        return push.builds
    if config.cadence == "speedometer":
        return push.perf != ""
    youngest, oldest = AGES.get(config.cadence, (-1, 999))
    if push.perf != "all" or not youngest <= (NOW - push.time) / DAY <= oldest:
        return False
    return chance < SHARES.get(config.cadence, 1.0)


def _other_jobs(random: Random, push: DemoPush) -> Iterator[DemoJob]:
    """The decision task, a few builds, and tests of random suites."""
    yield _random_job(random, push, -1, decision_label(), push.time + 8)
    for entry in random.sample(BUILDS, 6):
        yield _random_job(random, push, -1, build_label(*entry), push.time + random.randint(150, 220))
    for _ in range(random.randint(8, 30)):
        platform, suite = random.choice(PLATFORMS), random.choice(SUITES)
        label = test_label(platform, random.choice(platform.builds), suite, "", random.randint(1, suite.chunks))
        yield _random_job(random, push, -1, label, push.time + random.randint(150, 400))


def _random_job(random: Random, push: DemoPush, config: int, label: Label, submit: int) -> DemoJob:
    wait = random.lognormvariate(log(900 if config >= 0 else 140), 0.9)
    # Machines that measure are few: during European and American working hours jobs queue for them.
    if config >= 0 and 13 <= submit % DAY // 3600 <= 20:
        wait *= 1.8
    start = int(submit + wait)
    end = int(start + max(label.minutes * 60 * random.lognormvariate(0, 0.16), 20))
    chance = random.random()
    result = next(name for name, share in _RESULTS if chance < share)
    if result == "testfailed" and label.kind != "test":
        result = "busted"
    if start > NOW:
        return DemoJob(0, push, config, label, submit, 0, 0, "pending", "unknown")
    if end > NOW:
        return DemoJob(0, push, config, label, submit, start, 0, "running", "unknown")
    return DemoJob(0, push, config, label, submit, start, end, "completed", result)


def _jobs_of_group(push: DemoPush, group: DemoGroup, configs: Sequence[TestConfig]) -> Iterator[DemoJob]:
    """One job for each run that there is by now of each task; the label says which configuration it measures."""

    def second(moment: float | None) -> int:
        return 0 if moment is None else int(group.epoch + moment)

    now = group.elapsed()
    by_label = {config.label.name: config.index for config in configs if config.application != "chrome"}
    for task in group.tasks:
        if task.created > now:
            continue
        config = by_label.get(task.label.name, -1)
        for run_id, run in enumerate(task.runs_at(now)):
            state = run.state if run.state in ("pending", "running") else "completed"
            times = second(run.scheduled), second(run.started), second(run.ended)
            yield DemoJob(0, push, config, task.label, *times, state, _result_of(task, run), (task.id, run_id))


def _result_of(task: DemoTask, run: DemoRun) -> str:
    """Treeherder's result for the state of a run in Taskcluster."""
    if run.state == "failed":
        return "testfailed" if task.label.kind == "test" else "busted"
    if run.state == "exception" and run.reason != "canceled":
        return "retry" if run is not task.history[-1] else "exception"
    return {"completed": "success", "exception": "usercancel"}.get(run.state, "unknown")


# Performance values


def noise_of(seed: int, signature: PerfSignature) -> str:
    if signature.metric.suite in ("constant", "zero"):
        return "flat"
    if signature.index == 0:
        return "plain"
    chance = fraction(seed, "noise", signature.index)
    return next(name for name, share in _NOISES if chance < share)


def _series_values(
    seed: int, repository: str, signature: PerfSignature, jobs: Sequence[DemoJob], steps: Sequence[tuple[int, float]]
) -> array[float]:
    """One per job, NaN where this subtest has no value. `steps`: from which push on, and by which factor."""
    noise = noise_of(seed, signature)
    random = generator(seed, "series", repository, signature.index)
    spread = 0.0 if noise == "flat" else random.uniform(0.003, 0.012) * (5 if noise == "wide" else 1)
    drift = random.uniform(-0.0012, 0.0012) if fraction(seed, "drift", signature.index) < _DRIFTING else 0.0
    gaps = 0.06 if fraction(seed, "gaps", signature.index) < _GAPPY else 0.0
    mode = random.uniform(0.06, 0.14)
    metric, values, ordered = signature.metric, array("d"), sorted(steps)
    integral = metric.unit == "bytes" or metric.typical == 118.0  # bytes and counts are whole numbers
    for job in jobs:
        level = metric.typical * (1 + drift * job.push.order / 3)
        for begin, factor in ordered:
            if job.push.order < begin:
                break
            level *= factor
        value = level * (1 + _random_error(random, noise, spread, mode))
        missing = gaps and random.random() < gaps
        values.append(nan if missing else float(round(value)) if integral else value)
    return values


def _random_error(random: Random, noise: str, spread: float, mode: float) -> float:
    error = random.gauss(0, spread) if spread else 0.0
    if noise == "bimodal" and random.random() < 0.35:
        return error + mode
    if noise == "outliers" and random.random() < 0.04:
        return error + random.uniform(0.2, 0.7)
    if noise == "skewed":
        return error / 3 + random.expovariate(1 / (spread * 2))
    return error


def replicates(seed: int, signature: PerfSignature, job: DemoJob, value: float) -> list[float]:
    """The measurements of which `value` is the mean; the value alone for a configuration without replicates."""
    count = signature.config.replicates
    if not count:
        return [value]
    random = generator(seed, "replicates", signature.index, job.id)
    drawn = [random.gauss(1, 0.035) for _ in range(count)]
    mean = sum(drawn) / count
    return [value * one / mean for one in drawn]


# Repositories


def signature_id(spec: RepositorySpec, index: int) -> int:
    """Ids are neither dense nor the same in two repositories."""
    return spec.first_signature + 3 * index + index % 2


class DemoRepository:
    """Signatures have ids and series of their own in each repository, but the same hashes.

    `steps`: by signature index, from which push on its level changes by which factor.
    """

    def __init__(
        self,
        seed: int,
        spec: RepositorySpec,
        configs: Sequence[TestConfig],
        signatures: Sequence[PerfSignature],
        group: DemoGroup | None,
        before: Mapping[int, DemoGroup],
    ) -> None:
        """`group`: the task group that one of the pushes is; a running one is the youngest, and measures nothing.

        `before`: the task groups of the pushes before it, by how many pushes before.
        """
        self.seed, self.spec, self.name, self.id = seed, spec, spec.name, REPOSITORY_IDS[spec.name]
        self.configs = [
            config for config in configs if not config.index or fraction(seed, "share", config.index) * spec.share < 1
        ]
        measured = {config.index for config in self.configs}
        self.signatures = [signature for signature in signatures if signature.config.index in measured]
        self._all_signatures = signatures
        self._finished_group = group if group is not None and not group.changes else None
        self._running_group = group if group is not None and group.changes else None
        self.steps: StepsByIndex = _steps_on_try(seed, self.signatures) if spec.name == TRY else {}
        self._series: dict[int, array[float]] = {}
        self._before = before

    @cached_property
    def pushes(self) -> list[DemoPush]:
        pushes = plan_pushes(self.seed, self.spec, self._finished_group)
        if self.name == TRY:
            for order in (BASE_PUSH, NEW_PUSH):
                pushes[order] = pushes[order]._replace(perf="all", builds=True)
        return pushes

    @cached_property
    def live_push(self) -> DemoPush | None:
        """The push of the running task group; its time is that of the day, so it is not one of `pushes`."""
        group, push_id = self._running_group, self.spec.first_push + _LIVE_PUSH
        if group is None:
            return None
        return DemoPush(len(self.pushes), push_id, group.revision, group.owner, int(group.epoch), "", False, group)

    @cached_property
    def listed_pushes(self) -> list[DemoPush]:
        return [*self.pushes, *([self.live_push] if self.live_push else ())]

    @cached_property
    def pushes_by_id(self) -> dict[int, DemoPush]:
        return {push.id: push for push in self.listed_pushes}

    @cached_property
    def pushes_by_revision(self) -> dict[str, DemoPush]:
        return {push.revision: push for push in self.listed_pushes}

    @cached_property
    def all_jobs(self) -> list[DemoJob]:
        """Including those that Treeherder has deleted since."""
        if self.name != TRY:
            return _plan_jobs(self.seed, self.spec, self.pushes, self.configs, 1)
        # Some configurations lack one of the two compared sides.
        missing = {(BASE_PUSH, 5), (NEW_PUSH, 7)}
        jobs = _plan_jobs(self.seed, self.spec, self.pushes, self.configs, _RUNS_ON_TRY)
        return [job for job in jobs if job.config <= 0 or (job.push.order, job.config % 13) not in missing]

    @cached_property
    def jobs(self) -> list[DemoJob]:
        return [job for job in self.all_jobs if not job.expired]

    @cached_property
    def _jobs_by_id(self) -> dict[int, DemoJob]:
        return {job.id: job for job in self.jobs}

    @cached_property
    def _jobs_by_push(self) -> dict[int, list[DemoJob]]:
        return _group_jobs(self.jobs, lambda job: job.push.id)

    def live_jobs(self) -> list[DemoJob]:
        """Those of the running task group, as they are at this moment."""
        push, group = self.live_push, self._running_group
        if push is None or group is None:
            return []
        first = self.spec.first_job + _LIVE_JOB
        places = {task.id: task.index for task in group.tasks}
        jobs = []
        for job in _jobs_of_group(push, group, ()):
            task, run = job.task_of(self.seed)
            jobs.append(job._replace(id=first + 16 * places[task] + run))
        return jobs

    @cached_property
    def jobs_before(self) -> dict[int, DemoJob]:
        """Those of the labels that failed in the finished task group, in the pushes before it, by id."""
        found: dict[int, DemoJob] = {}
        place = next((push.order for push in self.pushes if push.group is not None), 0)
        for number_, group in self._before.items():
            first = self.spec.first_job + _JOB_BEFORE + 1000 * number_
            places = {task.id: task.index for task in group.tasks}
            for job in _jobs_of_group(self.pushes[place - number_], group, ()):
                if (index := places[job.task_of(self.seed)[0]]) >= FIRST_WITH_HISTORY:
                    found[first + index] = job._replace(id=first + index)
        return found

    def jobs_like(self, job: DemoJob) -> list[DemoJob]:
        """Other jobs with its label. Of a label with a planted history only those that belong to it."""
        before = [one for one in self.jobs_before.values() if one.label.name == job.label.name]
        jobs = [one for one in self.jobs if one.label.name == job.label.name and (not before or one.task is not None)]
        return [one for one in (*jobs, *before) if one.id != job.id]

    def job(self, job_id: int) -> DemoJob | None:
        if self._running_group is not None and job_id >= self.spec.first_job + _LIVE_JOB:
            return next((job for job in self.live_jobs() if job.id == job_id), None)
        return self._jobs_by_id.get(job_id) or self.jobs_before.get(job_id)

    def jobs_of_push(self, push_id: int) -> list[DemoJob]:
        if self.live_push is not None and push_id == self.live_push.id:
            return self.live_jobs()
        before = [job for job in self.jobs_before.values() if job.push.id == push_id]
        return [*self._jobs_by_push.get(push_id, []), *before]

    @cached_property
    def measured_jobs(self) -> dict[int, list[DemoJob]]:
        """By configuration: the jobs with values, in the order of their pushes, including deleted ones."""
        jobs = sorted(self.all_jobs, key=lambda job: (job.push.order, job.id))
        return _group_jobs((job for job in jobs if job.has_values), lambda job: job.config)

    @cached_property
    def measured_by_push(self) -> dict[int, list[DemoJob]]:
        return _group_jobs((job for job in self.all_jobs if job.has_values), lambda job: job.push.id)

    @cached_property
    def live_signatures(self) -> list[PerfSignature]:
        """Those that were measured here at least once: a signature is created by its first value."""
        return [signature for signature in self.signatures if signature.config.index in self.measured_jobs]

    @cached_property
    def by_id(self) -> dict[int, PerfSignature]:
        return {self.id_of(signature): signature for signature in self.live_signatures}

    def id_of(self, signature: PerfSignature) -> int:
        return signature_id(self.spec, signature.index)

    def parent_id(self, signature: PerfSignature) -> int | None:
        return None if signature.parent is None else signature_id(self.spec, signature.parent)

    def parent_hash(self, signature: PerfSignature) -> str | None:
        return None if signature.parent is None else self._all_signatures[signature.parent].hash

    def last_updated(self, signature: PerfSignature) -> int:
        return self.measured_jobs[signature.config.index][-1].push.time

    def orders(self, begin: float, end: float) -> range:
        """The orders of the pushes after `begin` and before `end`, both exclusive."""
        times = [push.time for push in self.pushes]
        return range(bisect_right(times, begin), bisect_left(times, end))

    @cached_property
    def _orders_by_config(self) -> dict[int, list[int]]:
        return {config: [job.push.order for job in jobs] for config, jobs in self.measured_jobs.items()}

    def data(self, signature: PerfSignature, orders: range | None = None) -> list[DemoDatum]:
        """In the order of the pushes; only of those whose order is in the range."""
        measured = self.measured_jobs.get(signature.config.index, [])
        values = self._series.get(signature.index)
        if values is None:
            steps = self.steps.get(signature.index, ())
            values = self._series[signature.index] = _series_values(self.seed, self.name, signature, measured, steps)
        low, high = 0, len(measured)
        if orders is not None and measured:
            known = self._orders_by_config[signature.config.index]
            low, high = bisect_left(known, orders.start), bisect_left(known, orders.stop)
        return [
            DemoDatum(job.id * _MAX_SIGNATURES + signature.position, job, value)
            for job, value in zip(measured[low:high], values[low:high], strict=True)
            if value == value  # not NaN
        ]


def _group_jobs(jobs: Any, key: Any) -> dict[int, list[DemoJob]]:
    groups: dict[int, list[DemoJob]] = {}
    for job in jobs:
        groups.setdefault(key(job), []).append(job)
    return groups


def _steps_on_try(seed: int, signatures: Sequence[PerfSignature]) -> StepsByIndex:
    """The new push of the comparison changed a third of the configurations, for better and worse, and only there."""
    steps: StepsByIndex = {}
    for signature in signatures:
        config = signature.config.index
        factor = 1 + generator(seed, "try step", config).choice((-0.3, -0.08, -0.03, 0.012, 0.03, 0.06, 0.12, 0.4))
        if config == 0:
            factor = 1.12
        if config == 0 or fraction(seed, "compared", config) < 0.34:
            steps[signature.index] = [(NEW_PUSH, factor), (NEW_PUSH + 1, 1 / factor)]
    return steps


class TreeherderData:
    """All repositories around the task groups of the synthetic Taskcluster, and the alerts of autoland."""

    def __init__(self, fixtures: Fixtures) -> None:
        self._fixtures, self.seed = fixtures, fixtures.seed

    @cached_property
    def repositories(self) -> dict[str, DemoRepository]:
        configs = plan_configs(self.seed)
        signatures = plan_signatures(configs)
        used = {signature.config.index for signature in signatures}
        configs = [config for config in configs if config.index in used]
        groups = {AUTOLAND: self._fixtures.finished, TRY: self._fixtures.running}
        before = {AUTOLAND: self._fixtures.before}
        return {
            spec.name: DemoRepository(
                self.seed, spec, configs, signatures, groups.get(spec.name), before.get(spec.name, {})
            )
            for spec in SPECS
        }
