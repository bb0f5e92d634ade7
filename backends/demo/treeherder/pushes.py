"""Which pushes a repository has: when they came, who made them, and whether performance jobs ran on them.

Cadence of a working week, few at night; denser in the last month than before. As on a real sheriffed branch most
pushes run no performance job at all: about every third runs all of them, every tenth a few Speedometer ones.
"""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import NamedTuple

from backends.demo.seeds import generator, hexadecimal
from backends.demo.taskcluster.model import Group
from backends.demo.taskcluster.names import OWNERS
from backends.demo.treeherder.clock import DAY, NOW

# How many pushes in the last thirty days, and how many in the hundred and twenty days before.
_RECENT_DAYS, _OLDER_DAYS = 30, 120
_FILES = ("netwerk cache", "IPC channel", "DisplayListBuilder", "the style system", "GC nursery", "SessionStore")
_VERBS = ("Add test for", "Reduce allocations in", "Update", "Simplify", "Avoid locking in", "Remove dead code from")


class Push(NamedTuple):
    """`order` counts from the oldest. `perf`: "all", "speedometer", or "" for none; `builds`: it gave build metrics."""

    order: int
    id: int
    revision: str
    author: str
    time: int
    perf: str
    builds: bool
    group: Group | None = None  # the task group that its jobs are, if it is one of the synthetic Taskcluster's

    @property
    def name(self) -> str:
        return self.author.split("@")[0]


def make(seed: int, repository: str, first_id: int, recent: int, older: int, group: Group | None) -> list[Push]:
    """Oldest first. `group`: the finished task group, whose revision is one of these pushes."""
    random = generator(seed, "pushes", repository)
    times = {_moment(random, NOW - _RECENT_DAYS * DAY, NOW - 900) for _ in range(recent - 2)}
    times |= {_moment(random, NOW - (_OLDER_DAYS + _RECENT_DAYS) * DAY, NOW - _RECENT_DAYS * DAY) for _ in range(older)}
    times.add(NOW - 2400)  # its jobs still wait and run
    while len(times) < recent + older - (group is not None):
        times.add(_moment(random, NOW - _RECENT_DAYS * DAY, NOW - 900))
    if group is not None:
        times = {time for time in times if abs(time - group.epoch) > 600} | {int(group.epoch)}
    return [_push(seed, repository, first_id, index, time, group) for index, time in enumerate(sorted(times))]


def _moment(random: Random, begin: int, end: int) -> int:
    while True:
        second = random.randrange(begin, end)
        moment = datetime.fromtimestamp(second, UTC)
        busy = (0.35 if moment.weekday() > 4 else 1.0) * (0.25 if moment.hour < 6 else 1.0)
        if random.random() < busy:
            return second


def _push(seed: int, repository: str, first_id: int, index: int, time: int, group: Group | None) -> Push:
    random = generator(seed, "push", repository, index)
    owner, chance = random.choice(OWNERS), random.random()
    perf = "all" if chance < 0.36 else "speedometer" if chance < 0.46 else ""
    builds = perf == "all" or random.random() < 0.4
    if group is not None and time == int(group.epoch):
        return Push(index, first_id + index, group.revision, owner, time, "all", True, group)
    return Push(index, first_id + index, revision(seed, repository, index), owner, time, perf, builds)


def revision(seed: int, repository: str, index: int, commit: int = 0) -> str:
    return hexadecimal(40, seed, repository, "revision", index, *((commit,) if commit else ()))


def commits(seed: int, repository: str, push: Push) -> list[tuple[str, str, str]]:
    """Revision, author and message of each, the tip first; one push is a merge of more than are shown."""
    random = generator(seed, "commits", repository, push.order)
    count = 27 if push.order == 7 else random.choice((1, 1, 1, 1, 2, 2, 3, 5))
    bug = 1_900_000 + random.randrange(90_000)
    found = []
    for number in range(count):
        tip = push.revision if number == 0 else revision(seed, repository, push.order, number)
        text = f"Bug {bug - number} - {random.choice(_VERBS)} {random.choice(_FILES)}, r=reviewer{random.randrange(5)}"
        if push.order % 41 == 5:
            text = f"Bug {bug - number} - [bold]=cmd|' /C calc'!A0[/] \x1b[2J, r=me\n\nA second paragraph,\twith a tab."
        found.append((tip, f"{push.name} <{push.author}>", text))
    return found
