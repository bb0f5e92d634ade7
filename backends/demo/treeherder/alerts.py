"""Which alerts there are: some three hundred summaries in every status, and the steps in the series they are about.

A summary's status follows from its alerts' as the server derives it: any untriaged one makes it untriaged, all
invalid ones invalid, acknowledged ones investigating or what a sheriff has said since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from backends.demo.seeds import generator
from backends.demo.treeherder.branches import Branch
from backends.demo.treeherder.clock import NOW
from backends.demo.treeherder.pushes import Push
from backends.demo.treeherder.signatures import Signature

# The last thirty are of a framework that no sheriff watches: they show only when monitored alerts are asked for.
SUMMARIES, MONITORED = 330, 30
FIRST_SUMMARY, FIRST_ALERT = 46_001, 240_001
# The one whose tasks are those of the finished task group: the youngest, so that it has a fixed id.
FAVOURITE_SUMMARY = FIRST_SUMMARY + SUMMARIES
UNTRIAGED, DOWNSTREAM, REASSIGNED, INVALID, IMPROVEMENT = 0, 1, 2, 3, 4
INVESTIGATING, WONTFIX, FIXED, BACKED_OUT, INFRA = 5, 6, 7, 8, 9
ACKNOWLEDGED, ALERT_INFRA = 4, 5
# Of every twenty-five summaries, so many in each status.
_STATUSES = (0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9)
_FRAMEWORKS, _MONITORED_FRAMEWORKS = (13, 13, 13, 13, 13, 13, 1, 1, 1, 4, 12, 2, 11, 15), (6,)
# A change is seen when enough has been measured before and after.
_QUIET_BEFORE = 12


@dataclass(frozen=True)
class Alert:
    """`factor` is what the series is multiplied with from the summary's push on; 1.0 where nothing really happened."""

    id: int
    summary: int
    signature: Signature
    factor: float
    regression: bool
    status: int
    related: int | None = None


@dataclass(frozen=True)
class Summary:
    """`original` is the push that it was made for, before a sheriff moved it to `push`."""

    id: int
    push: Push
    before: Push
    original: Push
    original_before: Push
    framework: int
    created: float
    status: int
    alerts: tuple[Alert, ...]


def plan(seed: int, branch: Branch) -> list[Summary]:
    """In the order of their ids. Writes nothing: the steps are taken by `steps`."""
    candidates = [push for push in branch.pushes if push.perf == "all" and push.group is None][_QUIET_BEFORE:-1]
    ran: dict[int, set[int]] = {}
    for lane, found in branch.measured.items():
        for job in found:
            ran.setdefault(job.push.order, set()).add(lane)
    by_lane: dict[int, list[Signature]] = {}
    for signature in branch.live_signatures:
        by_lane.setdefault(signature.lane.index, []).append(signature)
    taken: set[tuple[int, int]] = set()
    drafts = []
    for number in range(SUMMARIES):
        random = generator(seed, "summary", number)
        frameworks = _FRAMEWORKS if number < SUMMARIES - MONITORED else _MONITORED_FRAMEWORKS
        push, lanes = _place(random, candidates, ran, by_lane, taken, frameworks)
        status = _STATUSES[number % len(_STATUSES)]
        signatures = [one for lane in lanes for one in _some(random, by_lane[lane])]
        drafts.append(_draft(random, branch, push, signatures, status, number))
    drafts.sort(key=lambda draft: draft.created)
    return _numbered([*drafts, _favourite(branch)])


def _favourite(branch: Branch) -> Summary:
    """Of the push that is the finished task group: alerts of its favourite lane, with an awkward name among them."""
    push = next(push for push in branch.pushes if push.group is not None)
    before, mine = branch.pushes[push.order - 1], [one for one in branch.signatures if one.lane.index == 0]
    chosen = [*mine[:4], next(one for one in mine if "markup" in one.metric.suite)]
    alerts = tuple(
        Alert(0, 0, one, 1.12, True, UNTRIAGED if place != 3 else ACKNOWLEDGED) for place, one in enumerate(chosen)
    )
    return Summary(0, push, before, push, before, 13, NOW - 3600, UNTRIAGED, alerts)


def _place(
    random: Random, candidates: Sequence[Push], ran: dict[int, set[int]], by_lane: dict[int, list[Signature]],
    taken: set[tuple[int, int]],
    frameworks: Sequence[int],
) -> tuple[Push, list[int]]:  # fmt: skip
    """A push that has no summary of that framework yet, and up to three lanes that ran on it."""
    while True:
        push, framework = random.choice(candidates), random.choice(frameworks)
        lanes = sorted(lane for lane in ran.get(push.order, ()) if _alerting(by_lane[lane][0], framework))
        if lanes and (push.order, framework) not in taken:
            taken.add((push.order, framework))
            return push, random.sample(lanes, min(random.choice((1, 1, 2, 3)), len(lanes)))


def _alerting(signature: Signature, framework: int) -> bool:
    return signature.lane.framework == framework and signature.lane.cadence != "weekly"


def _some(random: Random, signatures: list[Signature]) -> list[Signature]:
    plain = [signature for signature in signatures if signature.metric.alerts is not False]
    return sorted(random.sample(plain, min(random.choice((1, 1, 2, 3, 5)), len(plain))), key=lambda one: one.index)


def _draft(
    random: Random, branch: Branch, push: Push, signatures: Sequence[Signature], status: int, number: int
) -> Summary:
    alerts = []
    for place, signature in enumerate(signatures):
        improves = status == IMPROVEMENT or (status in (UNTRIAGED, INVESTIGATING) and random.random() < 0.2)
        size = min(random.lognormvariate(-2.7, 0.8) + 0.025, 0.9)
        worse = 1 + size if signature.metric.lower else 1 / (1 + size)
        factor = 1 / worse if improves else worse
        alerts.append(Alert(0, 0, signature, factor, not improves, _alert_status(random, status, place)))
    original = branch.pushes[push.order + (3 if number % 9 == 4 and push.order + 3 < len(branch.pushes) else 0)]
    created = push.time + random.lognormvariate(11.2, 0.9)
    if number % 97 == 50:  # moved to a later push by hand: older than what it is about
        created = push.time - 4 * 3600
    created = min(created, NOW - random.uniform(5400, 9000))
    before, original_before = branch.pushes[push.order - 1], branch.pushes[original.order - 1]
    framework = signatures[0].lane.framework
    return Summary(0, push, before, original, original_before, framework, created, status, tuple(alerts))


def _alert_status(random: Random, summary: int, place: int) -> int:
    if summary in (DOWNSTREAM, REASSIGNED, INVALID):
        return summary
    if summary == INFRA:
        return ALERT_INFRA
    if summary == UNTRIAGED:
        return UNTRIAGED if place == 0 or random.random() < 0.7 else ACKNOWLEDGED
    if summary == IMPROVEMENT or place == 0:
        return ACKNOWLEDGED
    return random.choice((ACKNOWLEDGED, ACKNOWLEDGED, ACKNOWLEDGED, INVALID, DOWNSTREAM, REASSIGNED))


def _numbered(drafts: Sequence[Summary]) -> list[Summary]:
    """With ids, and with downstream and reassigned alerts led to a summary of the same framework."""
    homes: dict[int, list[int]] = {}
    for place, draft in enumerate(drafts):
        if draft.status in (INVESTIGATING, WONTFIX, FIXED, BACKED_OUT):
            homes.setdefault(draft.framework, []).append(FIRST_SUMMARY + place)
    found, next_alert = [], FIRST_ALERT
    for place, draft in enumerate(drafts):
        id_, alerts = FIRST_SUMMARY + place, []
        for alert in draft.alerts:
            others = [home for home in homes.get(draft.framework, ()) if home != id_] or [FIRST_SUMMARY]
            near = min(others, key=lambda home: (abs(home - id_), home))
            related = near if alert.status in (DOWNSTREAM, REASSIGNED) else None
            alerts.append(replace(alert, id=next_alert, summary=id_, related=related))
            next_alert += 1
        found.append(replace(draft, id=id_, alerts=tuple(alerts)))
    return found


def steps(seed: int, summaries: Sequence[Summary]) -> dict[int, list[tuple[int, float]]]:
    """Per signature: from which push on its level changes. What was fixed or backed out goes back some pushes later."""
    found: dict[int, list[tuple[int, float]]] = {}
    for summary in summaries:
        random = generator(seed, "steps", summary.id)
        back = summary.push.order + random.randint(18, 45)
        for alert in summary.alerts:
            if alert.status == INVALID:
                continue
            taken = found.setdefault(alert.signature.index, [])
            taken.append((summary.push.order, alert.factor))
            if summary.status in (FIXED, BACKED_OUT, INFRA):
                taken.append((back, 1 / alert.factor))
    return found
