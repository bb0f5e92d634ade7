"""The pushes of the synthetic repositories: when, by whom, and which of them measure something.

Their time is always the same moment, so that no response depends on the day. Pushes follow a working week, denser in
the last month; as on a real sheriffed branch most of them run no performance job: about every third runs all of them,
every tenth a few Speedometer ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import NamedTuple

from backends.demo.deterministic_random import generator, hexadecimal
from backends.demo.taskcluster.catalogue import OWNERS
from backends.demo.taskcluster.model import FINISHED_AT, DemoGroup

AUTOLAND, TRY, CENTRAL = "autoland", "try", "mozilla-central"
REPOSITORY_IDS = {CENTRAL: 1, TRY: 4, AUTOLAND: 77}
DAY = 86_400
NOW = int(FINISHED_AT) + DAY * 3 // 2  # the finished task group's push is a day and a half old
_RECENT_DAYS, _OLDER_DAYS = 30, 120


class DemoPush(NamedTuple):
    """`order` counts from the oldest. `perf` is "all", "speedometer" or "" (no performance jobs); `builds`: it has
    build metrics; `group` is the task group of the synthetic Taskcluster that its jobs are, if any."""

    order: int
    id: int
    revision: str
    author: str
    time: int
    perf: str
    builds: bool
    group: DemoGroup | None = None

    @property
    def name(self) -> str:
        return self.author.split("@")[0]


@dataclass(frozen=True)
class RepositorySpec:
    """`recent` pushes in the last month, `older` ones before. One configuration of `share` is measured there."""

    name: str
    recent: int
    older: int
    share: int
    first_push: int
    first_job: int
    first_signature: int


SPECS = (
    RepositorySpec(AUTOLAND, 190, 110, 1, 1_700_001, 533_000_000, 5_090_000),
    RepositorySpec(TRY, 42, 0, 3, 1_720_001, 535_000_000, 5_410_000),
    RepositorySpec(CENTRAL, 30, 20, 5, 1_740_001, 537_000_000, 4_770_000),
)


def plan_pushes(seed: int, spec: RepositorySpec, group: DemoGroup | None) -> list[DemoPush]:
    """Oldest first. `group`: the finished task group, whose revision is one of these pushes."""
    random = generator(seed, "pushes", spec.name)
    recent = NOW - _RECENT_DAYS * DAY
    times = {_random_time(random, recent, NOW - 900) for _ in range(spec.recent - 2)}
    times |= {_random_time(random, recent - _OLDER_DAYS * DAY, recent) for _ in range(spec.older)}
    times.add(NOW - 2400)  # its jobs are still pending and running
    while len(times) < spec.recent + spec.older - (group is not None):
        times.add(_random_time(random, recent, NOW - 900))
    if group is not None:
        times = {time for time in times if abs(time - group.epoch) > 600} | {int(group.epoch)}
    return [_make_push(seed, spec, order, time, group) for order, time in enumerate(sorted(times))]


def _random_time(random: Random, begin: int, end: int) -> int:
    """Fewer on weekends and at night."""
    while True:
        second = random.randrange(begin, end)
        moment = datetime.fromtimestamp(second, UTC)
        busy = (0.35 if moment.weekday() > 4 else 1.0) * (0.25 if moment.hour < 6 else 1.0)
        if random.random() < busy:
            return second


def _make_push(seed: int, spec: RepositorySpec, order: int, time: int, group: DemoGroup | None) -> DemoPush:
    random = generator(seed, "push", spec.name, order)
    owner, chance = random.choice(OWNERS), random.random()
    perf = "all" if chance < 0.36 else "speedometer" if chance < 0.46 else ""
    builds = perf == "all" or random.random() < 0.4
    if group is not None and time == int(group.epoch):
        return DemoPush(order, spec.first_push + order, group.revision, group.owner, time, "all", True, group)
    return DemoPush(order, spec.first_push + order, revision(seed, spec.name, order), owner, time, perf, builds)


def revision(seed: int, repository: str, order: int, commit: int = 0) -> str:
    return hexadecimal(40, seed, repository, "revision", order, *((commit,) if commit else ()))
