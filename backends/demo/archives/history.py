"""The synthetic repositories: their revisions, who committed and pushed them, and what they are called."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from backends.demo.options import DemoOptions
from backends.demo.seeds import generator, hexadecimal
from backends.demo.taskcluster.world import FINISHED_AT, World

AUTOLAND, CENTRAL, TRY = "integration/autoland", "mozilla-central", "try"
_DESCRIBED = {
    AUTOLAND: "Where reviewed changes land first (embedded demo)",
    CENTRAL: "What nightly builds are made of (embedded demo)",
    TRY: "Pushes that are only tested (embedded demo)",
}
# More than the pane asks for at a time, so that its second page is seen; hg.mozilla.org has 900,000.
REVISIONS = 230
SHORT = 12
HEX = re.compile(r"[0-9a-f]{12,40}", re.ASCII)
_ABOVE = 3  # revisions that have landed after the finished group's push
_PEOPLE = ("Ada Berg", "Lin Okafor", "Jonas Weiß", "Mira Sato", "Piotr Nowak", "Zoë Laurent", "Sam Ortiz")
_PARTS = ("layout", "dom", "gfx", "netwerk", "js", "browser", "testing", "mozharness", "toolkit", "devtools")
_DEEDS = (
    "Do not paint twice after a resize", "Remove the last caller of the old allocator", "Cache parsed style sheets",
    "Update the pinned toolchain", "Enable the test on Android again", "Count retries in the harness",
    "Make the timer monotonic", "Rename the preference", "Fix a leak in the worker's shutdown", "Split a long function",
)  # fmt: skip


@dataclass(frozen=True)
class Revision:
    node: str
    number: int
    author: str
    seconds: int
    description: str
    push: int
    pusher: str
    parent: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Repository:
    """`revisions`: the oldest first. `elsewhere`: those of the embedded Treeherder's pushes, in no list here."""

    name: str
    description: str
    revisions: tuple[Revision, ...]
    elsewhere: Callable[[Repository], dict[str, Revision]] = field(repr=False, compare=False)

    def find(self, name: str) -> Revision | None:
        """By tip, branch, tag, number, or at least 6 digits of its node."""
        if name in ("tip", "default"):
            return self.revisions[-1]
        if name.isdecimal() and len(name) < 6:
            return self.revisions[int(name)] if int(name) < len(self.revisions) else None
        for one in self.revisions:
            if name in one.tags or (len(name) >= 6 and one.node.startswith(name)):
                return one
        pushed = self.elsewhere(self).get(name[:SHORT]) if HEX.fullmatch(name) else None
        return pushed if pushed is not None and pushed.node.startswith(name) else None


class Histories:
    """All repositories of one seed."""

    def __init__(self, options: DemoOptions) -> None:
        self._seed, self._options = options.seed, options
        self._of_pushes: dict[str, dict[str, Revision]] = {}
        self._world = World(options)

    @property
    def pushed(self) -> str:
        """The revision of the finished task group."""
        return self._world.finished.revision

    @cached_property
    def all(self) -> dict[str, Repository]:
        finished, running = self._world.finished, self._world.running
        return {
            AUTOLAND: self._made(AUTOLAND, finished.revision, finished.pushlog, _ABOVE),
            CENTRAL: self._made(CENTRAL, "", 40_000, 0),
            TRY: self._made(TRY, running.revision, running.pushlog, 0),
        }

    def _made(self, name: str, known: str, push: int, above: int) -> Repository:
        """`known` is the revision that is `above` places below the tip, in the push of that number."""
        random = generator(self._seed, "repository", name)
        at = REVISIONS - 1 - above
        # Whether a revision begins a push, and how long after the one before it came.
        begins = [index in (at, at + 1) or random.random() < 0.6 for index in range(REVISIONS)]
        waits = [random.randrange(240, 900) for _ in range(REVISIONS)]
        number, seconds = push - sum(begins[: at + 1]), int(FINISHED_AT) - 60 - sum(waits[: at + 1])
        found: list[Revision] = []
        for index in range(REVISIONS):
            node = known if known and index == at else hexadecimal(40, self._seed, name, "node", index)
            number += begins[index]
            seconds += waits[index]
            author, pusher = random.choice(_PEOPLE), random.choice(_PEOPLE)
            bug = 1_700_000 + random.randrange(200_000)
            part, deed = random.choice(_PARTS), random.choice(_DEEDS)
            reviewer = pusher.split()[0].lower()
            text = f"Bug {bug} - {deed}. r={reviewer}\n\nSeen in {part}; the tests say more than this message."
            tags = (*(("tip",) if index == REVISIONS - 1 else ()), *(("NIGHTLY_BASE",) if index == 100 else ()))
            parent = found[-1].node if found else "0" * 40
            found.append(
                Revision(node, index, f"{author} <{_mail(author)}>", seconds, text, number, _mail(pusher), parent, tags)
            )
        return Repository(name, _DESCRIBED[name], tuple(found), self._pushes)

    def _pushes(self, repository: Repository) -> dict[str, Revision]:
        """By the first digits. From a push one goes to its source; made when a revision is not known otherwise."""
        if repository.name not in self._of_pushes:
            from backends.demo.treeherder import pushes
            from backends.demo.treeherder.world import World as Treeherder

            name = repository.name.rpartition("/")[2]
            branch = Treeherder(self._options, self._world).branches.get(name)
            found = self._of_pushes[repository.name] = {}
            for push in branch.listed_pushes if branch is not None else ():
                number = bisect([one.seconds for one in repository.revisions], push.time)
                parent = repository.revisions[number - 1].node if number else "0" * 40
                found[push.revision[:SHORT]] = Revision(
                    push.revision, number, f"{push.name} <{push.author}>", push.time,
                    pushes.commits(self._options.seed, name, push)[0][2], push.id, push.author, parent,
                )  # fmt: skip
        return self._of_pushes[repository.name]


def _mail(name: str) -> str:
    letters = name.lower().replace("ß", "ss").replace("ë", "e").split()
    return f"{letters[0]}@example.org"
