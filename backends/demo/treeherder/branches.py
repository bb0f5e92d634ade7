"""One repository of the synthetic Treeherder: pushes, jobs, signatures and series, each made when first asked for."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from backends.demo.seeds import fraction, generator
from backends.demo.taskcluster.model import Group
from backends.demo.taskcluster.names import OWNERS
from backends.demo.treeherder import jobs, pushes, series
from backends.demo.treeherder.jobs import Job
from backends.demo.treeherder.lanes import Lane
from backends.demo.treeherder.pushes import Push
from backends.demo.treeherder.reference import AUTOLAND, CENTRAL, REPOSITORY_IDS, TRY
from backends.demo.treeherder.signatures import Signature

# The two pushes of try that everything is compared between: six runs a lane, and some lanes on one side only.
BASE_PUSH, NEW_PUSH = 30, 31
_RUNS_ON_TRY = 6
# Ids of the running task group's push and jobs begin so far after the others'.
_LIVE_PUSH, _LIVE_JOB = 9_000, 900_000
_DATUMS = 64  # so many signatures has a lane at most
_Steps = dict[int, list[tuple[int, float]]]


@dataclass(frozen=True)
class Spec:
    """How big a repository is. One lane of `share` is measured there, the favourite always."""

    name: str
    recent: int
    older: int
    share: int
    first_push: int
    first_job: int
    first_signature: int


SPECS = (
    Spec(AUTOLAND, 190, 110, 1, 1_700_001, 533_000_000, 5_090_000),
    Spec(TRY, 42, 0, 3, 1_720_001, 535_000_000, 5_410_000),
    Spec(CENTRAL, 30, 20, 5, 1_740_001, 537_000_000, 4_770_000),
)


def signature_id(spec: Spec, index: int) -> int:
    """Ids are neither dense nor the same in two repositories."""
    return spec.first_signature + 3 * index + index % 2


class Datum(NamedTuple):
    """One measurement: `id` counts over all repositories and is beyond 32 bits, as the real ones are."""

    id: int
    job: Job
    value: float


class Branch:
    """`signatures` are those that this repository has; their ids and series are its own, their hashes everybody's."""

    def __init__(
        self, seed: int, spec: Spec, lanes: Sequence[Lane], signatures: Sequence[Signature], group: Group | None
    ) -> None:
        """`group`: the task group that one of the pushes is; a running one is the youngest, and measures nothing."""
        self.seed, self.spec, self.name, self.id = seed, spec, spec.name, REPOSITORY_IDS[spec.name]
        self.lanes = [lane for lane in lanes if not lane.index or fraction(seed, "share", lane.index) * spec.share < 1]
        wanted = {lane.index for lane in self.lanes}
        self.signatures = [signature for signature in signatures if signature.lane.index in wanted]
        self.all_signatures = signatures
        self._group = group if group is not None and not group.changes else None
        self._live = group if group is not None and group.changes else None
        self.steps: _Steps = _try_steps(seed, self.signatures) if spec.name == TRY else {}
        self._series: dict[int, array[float]] = {}

    @cached_property
    def pushes(self) -> list[Push]:
        spec = self.spec
        found = pushes.make(self.seed, spec.name, spec.first_push, spec.recent, spec.older, self._group)
        if spec.name == TRY:
            for index in (BASE_PUSH, NEW_PUSH):
                found[index] = found[index]._replace(perf="all", builds=True)
        return found

    @cached_property
    def live_push(self) -> Push | None:
        """The push of the running task group; its time is that of the day, so it is not one of `pushes`."""
        group, id_ = self._live, self.spec.first_push + _LIVE_PUSH
        if group is None:
            return None
        return Push(len(self.pushes), id_, group.revision, OWNERS[0], int(group.epoch), "", False, group)

    @cached_property
    def listed_pushes(self) -> list[Push]:
        return [*self.pushes, *([self.live_push] if self.live_push else ())]

    @cached_property
    def pushes_by_id(self) -> dict[int, Push]:
        return {push.id: push for push in self.listed_pushes}

    @cached_property
    def pushes_by_revision(self) -> dict[str, Push]:
        return {push.revision: push for push in self.listed_pushes}

    @cached_property
    def all_jobs(self) -> list[Job]:
        """Those that Treeherder has forgotten, too."""
        runs = _RUNS_ON_TRY if self.spec.name == TRY else 1
        found = jobs.make(self.seed, self.spec.name, self.pushes, self.lanes, self.spec.first_job, runs)
        return [job for job in found if not self._left_out(job)]

    def _left_out(self, job: Job) -> bool:
        if self.spec.name != TRY or job.lane <= 0:
            return False
        return (job.push.order == BASE_PUSH and job.lane % 13 == 5) or (
            job.push.order == NEW_PUSH and job.lane % 13 == 7
        )

    @cached_property
    def jobs(self) -> list[Job]:
        return [job for job in self.all_jobs if not job.expired]

    def stored_jobs(self, jobs: Sequence[Job]) -> list[Job]:
        """As the database happens to give them: nearly by id, but nobody should count on it."""
        return sorted(jobs, key=lambda job: (job.id // 64, job.id * 2_654_435_761 % 97))

    @cached_property
    def stored(self) -> list[Job]:
        return self.stored_jobs(self.jobs)

    @cached_property
    def _jobs_by_id(self) -> dict[int, Job]:
        return {job.id: job for job in self.jobs}

    def live_jobs(self) -> list[Job]:
        """Of the running task group, as they are at this moment."""
        push, group = self.live_push, self._live
        if push is None or group is None:
            return []
        first = self.spec.first_job + _LIVE_JOB
        places = {task.id: task.index for task in group.tasks}
        found = []
        for job in jobs.of_group(push, group, ()):
            task, run = job.task_of(self.seed)
            found.append(job._replace(id=first + 16 * places[task] + run))
        return found

    def job(self, id_: int) -> Job | None:
        if self._live is not None and id_ >= self.spec.first_job + _LIVE_JOB:
            return next((job for job in self.live_jobs() if job.id == id_), None)
        return self._jobs_by_id.get(id_)

    def jobs_of(self, push_id: int) -> list[Job]:
        if self.live_push is not None and push_id == self.live_push.id:
            return self.live_jobs()
        return self._jobs_by_push.get(push_id, [])

    @cached_property
    def _jobs_by_push(self) -> dict[int, list[Job]]:
        """By the push's id."""
        found: dict[int, list[Job]] = {}
        for job in self.jobs:
            found.setdefault(job.push.id, []).append(job)
        return found

    @cached_property
    def measured(self) -> dict[int, list[Job]]:
        """By lane: the jobs that gave values, in the order of their pushes; jobs that are forgotten among them."""
        found: dict[int, list[Job]] = {}
        for job in sorted(self.all_jobs, key=lambda job: (job.push.order, job.id)):
            if job.measured:
                found.setdefault(job.lane, []).append(job)
        return found

    @cached_property
    def measured_by_push(self) -> dict[int, list[Job]]:
        """By the push's id."""
        found: dict[int, list[Job]] = {}
        for job in self.all_jobs:
            if job.measured:
                found.setdefault(job.push.id, []).append(job)
        return found

    @cached_property
    def live_signatures(self) -> list[Signature]:
        """Those that were measured here at least once: a signature is made by its first datum."""
        return [signature for signature in self.signatures if signature.lane.index in self.measured]

    @cached_property
    def by_id(self) -> dict[int, Signature]:
        return {self.id_of(signature): signature for signature in self.live_signatures}

    @cached_property
    def by_hash(self) -> dict[str, list[Signature]]:
        found: dict[str, list[Signature]] = {}
        for signature in self.live_signatures:
            found.setdefault(signature.hash, []).append(signature)
        return found

    @cached_property
    def subtests(self) -> dict[int, list[Signature]]:
        """By the index of the parent."""
        found: dict[int, list[Signature]] = {}
        for signature in self.live_signatures:
            if signature.parent is not None:
                found.setdefault(signature.parent, []).append(signature)
        return found

    def id_of(self, signature: Signature) -> int:
        return signature_id(self.spec, signature.index)

    def parent_id(self, signature: Signature) -> int | None:
        return None if signature.parent is None else signature_id(self.spec, signature.parent)

    def parent_hash(self, signature: Signature) -> str | None:
        return None if signature.parent is None else self.all_signatures[signature.parent].hash

    def last_updated(self, signature: Signature) -> int:
        return self.measured[signature.lane.index][-1].push.time

    def orders(self, begin: float, end: float) -> range:
        """The orders of the pushes that came after `begin` and before `end`, both exclusive."""
        times = [push.time for push in self.pushes]
        return range(bisect_right(times, begin), bisect_left(times, end))

    @cached_property
    def _orders(self) -> dict[int, list[int]]:
        """By lane: the orders of the pushes of its measured jobs."""
        return {lane: [job.push.order for job in found] for lane, found in self.measured.items()}

    def data(self, signature: Signature, pushes: range | None = None) -> list[Datum]:
        """In the order of the pushes; of those whose order is in the range only."""
        measured = self.measured.get(signature.lane.index, [])
        values = self._series.get(signature.index)
        if values is None:
            steps = self.steps.get(signature.index, ())
            values = self._series[signature.index] = series.values(self.seed, self.name, signature, measured, steps)
        low, high = 0, len(measured)
        if pushes is not None and measured:
            orders = self._orders[signature.lane.index]
            low, high = bisect_left(orders, pushes.start), bisect_left(orders, pushes.stop)
        position = signature.position
        return [
            Datum(job.id * _DATUMS + position, job, value)
            for job, value in zip(measured[low:high], values[low:high], strict=True)
            if value == value  # NaN is not
        ]


def _try_steps(seed: int, signatures: Sequence[Signature]) -> _Steps:
    """The new push of the comparison changed a third of the lanes, for better and worse; nothing of it stays."""
    found: _Steps = {}
    for signature in signatures:
        lane = signature.lane.index
        factor = 1 + generator(seed, "try step", lane).choice((-0.3, -0.08, -0.03, 0.012, 0.03, 0.06, 0.12, 0.4))
        if lane == 0:
            factor = 1.12
        if lane == 0 or fraction(seed, "compared", lane) < 0.34:
            found[signature.index] = [(NEW_PUSH, factor), (NEW_PUSH + 1, 1 / factor)]
    return found
