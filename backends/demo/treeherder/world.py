"""Everything there is on one synthetic Treeherder; made in parts, each when something first asks for it."""

from __future__ import annotations

from functools import cached_property

from backends.demo.options import DemoOptions
from backends.demo.taskcluster.world import World as Tasks
from backends.demo.treeherder import alerts, lanes, signatures
from backends.demo.treeherder.alert_texts import AlertTexts
from backends.demo.treeherder.branches import SPECS, Branch
from backends.demo.treeherder.lanes import Lane
from backends.demo.treeherder.reference import AUTOLAND, TRY


class World:
    """The pushes, jobs and measurements around the task groups of the Taskcluster with the same options."""

    def __init__(self, options: DemoOptions, tasks: Tasks) -> None:
        self.options, self.seed, self.tasks = options, options.seed, tasks

    @cached_property
    def lanes(self) -> list[Lane]:
        return lanes.plan(self.seed)

    @cached_property
    def signatures(self) -> list[signatures.Signature]:
        return signatures.catalogue(self.lanes)

    @cached_property
    def branches(self) -> dict[str, Branch]:
        used = {signature.lane.index for signature in self.signatures}
        running = [lane for lane in self.lanes if lane.index in used]
        groups = {AUTOLAND: self.tasks.finished, TRY: self.tasks.running}
        found = {}
        for spec in SPECS:
            found[spec.name] = Branch(self.seed, spec, running, self.signatures, groups.get(spec.name))
        autoland = found[AUTOLAND]
        # The alerts are planned from what ran; the steps they are about must be there before any value is drawn.
        self._summaries = alerts.plan(self.seed, autoland)
        autoland.steps = alerts.steps(self.seed, self._summaries)
        return found

    @cached_property
    def alert_texts(self) -> AlertTexts:
        return AlertTexts(self.autoland, self.summaries)

    @property
    def autoland(self) -> Branch:
        return self.branches[AUTOLAND]

    @property
    def summaries(self) -> list[alerts.Summary]:
        """Of autoland; no other repository sends alerts here."""
        assert self.branches
        return self._summaries
