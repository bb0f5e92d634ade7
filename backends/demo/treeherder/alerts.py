"""Alert summaries in every status, the steps in the series that they are about, and their JSON.

A summary's status follows from those of its alerts as on the server: an untriaged one makes it untriaged, only invalid
ones invalid, acknowledged ones investigating or what a sheriff has set since. Values follow Perfherder's rule
(perfalert): up to 24 values before the push and 12 from it on, each weighted less the more pushes it is away; t is the
difference of the weighted means divided by the pooled standard error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from math import sqrt
from random import Random
from typing import NamedTuple

from backends.demo.deterministic_random import fraction, generator
from backends.demo.taskcluster.pushes import DAY, NOW, DemoPush
from backends.demo.treeherder.repositories import (
    FIRST_SUMMARY,
    SUMMARIES,
    DemoDatum,
    DemoRepository,
    Json,
    StepsByIndex,
    iso,
    noise_of,
)
from backends.demo.treeherder.test_configs import PerfSignature

# The last thirty are of a framework that is not sheriffed: they are listed only with monitored_alerts.
_MONITORED = 30
MONITORED_FRAMEWORK = 6
FIRST_ALERT = 240_001
UNTRIAGED, DOWNSTREAM, REASSIGNED, INVALID, IMPROVEMENT = 0, 1, 2, 3, 4
INVESTIGATING, WONTFIX, FIXED, BACKED_OUT, INFRA = 5, 6, 7, 8, 9
_ACKNOWLEDGED, _ALERT_INFRA = 4, 5  # statuses of alerts
_WITH_BUG = (INVESTIGATING, WONTFIX, FIXED, BACKED_OUT)
# Of every twenty-five summaries, so many in each status.
_STATUSES = (0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9)
_FRAMEWORKS = (13, 13, 13, 13, 13, 13, 1, 1, 1, 4, 12, 2, 11, 15)
# A change is detected when enough has been measured before and after.
_QUIET_BEFORE = 12
_BACK, _FORE = 24, 12
_MIN_T, _INFINITE_T = 7.0, 1000.0
_PROFILES = ("OK", "OK", "OK", "N/A", "MODAL", "OUTLIERS", "SKEWED")
_NOISE_PROFILES = {"bimodal": "MODAL", "outliers": "OUTLIERS", "skewed": "SKEWED"}
_SHERIFFS = ("abena", "goran", "hana", "ilse")
# Bugzilla's statuses by number: 0 NEW, 1 FIXED, 4 DUPLICATE, 5 WONTFIX, 6 WORKSFORME.
_BUG_STATUSES = {INVESTIGATING: (0, 0, 0, 4), WONTFIX: (5, 5, 6), FIXED: (1,), BACKED_OUT: (1, 1, 0)}
_TAGS = (
    "harness", "regression-backedout", "improvement", "regression", "regression-ftr", "early-beta-or-earlier",
    "multi-commits", "nightly-only",
)  # fmt: skip
_NOTES = (
    None,
    None,
    None,
    "Confirmed by retriggers.",
    "=HYPERLINK(\"http://127.0.0.1/\") [b]see[/b] \x1b[31mbug\x1b[0m <a href='x'>",
    "Infra change on 2026-11-02,\nsecond line;\twith a tab",
)


@dataclass(frozen=True)
class DemoAlert:
    """The series is multiplied by `factor` from the summary's push on; 1.0 where nothing really changed."""

    id: int
    summary: int
    signature: PerfSignature
    factor: float
    regression: bool
    status: int
    related: int | None = None


@dataclass(frozen=True)
class DemoAlertSummary:
    """`original` is the push for which it was created, before a sheriff moved it to `push`; each has the one before."""

    id: int
    push: DemoPush
    before: DemoPush
    original: DemoPush
    original_before: DemoPush
    framework: int
    created: float
    status: int
    alerts: tuple[DemoAlert, ...]

    @property
    def sheriffed(self) -> bool:
        return self.framework != MONITORED_FRAMEWORK


class AlertTable:
    """All alerts of a repository. Sets the repository's steps, so it has to be created before any value is drawn."""

    def __init__(self, repository: DemoRepository) -> None:
        self._repository, self._seed = repository, repository.seed
        summaries = _plan_summaries(repository)
        repository.steps = _plan_steps(self._seed, summaries)
        self.summaries = {summary.id: summary for summary in summaries}
        self._alerts = {alert.id: alert for summary in summaries for alert in summary.alerts}
        self._related: dict[int, list[int]] = {}
        for alert in self._alerts.values():
            if alert.related is not None:
                self._related.setdefault(alert.related, []).append(alert.id)
        self._alert_json: dict[int, Json] = {}

    def summary_json(self, summary: DemoAlertSummary) -> Json:
        random = generator(self._seed, "summary text", summary.id)
        created, status = summary.created, summary.status
        triaged = None if status == UNTRIAGED else min(created + random.lognormvariate(10.6, 0.9), NOW)
        bug = status in _WITH_BUG and random.random() < 0.92
        filed = min((triaged or created) + random.uniform(600, 4 * DAY), NOW)
        sheriff = random.choice(_SHERIFFS) if bug else None
        return {
            "id": summary.id,
            "push_id": summary.push.id,
            "prev_push_id": summary.before.id,
            "original_revision": summary.original.revision,
            "created": iso(round(created, 6 if summary.id % 8 else 0)),
            "first_triaged": None if triaged is None else iso(round(triaged, 6)),
            "triage_due_date": iso(round(_working_days_after(created, 2), 6)),
            "repository": self._repository.name,
            "framework": summary.framework,
            "alerts": [self._alert(alert.id) for alert in summary.alerts],
            "related_alerts": [self._alert(alert_id) for alert_id in self._related.get(summary.id, ())],
            "status": status,
            "bug_number": random.randrange(1_900_000, 1_999_999) if bug else None,
            "bug_status": random.choice(_BUG_STATUSES[status]) if bug else None,
            "bug_due_date": iso(round(_working_days_after(created, 4), 6)),
            "bug_updated": iso(round(filed, 6)) if bug else None,
            "issue_tracker": 2 if summary.id % 60 == 11 else 1,
            "notes": random.choice(_NOTES) if bug or summary.id % 5 == 0 else None,
            "revision": summary.push.revision,
            "push_timestamp": summary.push.time,
            "prev_push_revision": summary.before.revision,
            "original_prev_push_revision": summary.original_before.revision,
            "assignee_username": f"mozilla-ldap/{sheriff}@example.org" if sheriff else None,
            "assignee_email": f"{sheriff}@example.org" if sheriff else None,
            "performance_tags": sorted(random.sample(_TAGS, random.choice((0, 0, 0, 1, 2)))),
            "duplicated_summaries": self._duplicates(summary),
        }

    def _duplicates(self, summary: DemoAlertSummary) -> list[Json]:
        """A few have summaries of the same framework on the push before or after."""
        if fraction(self._seed, "duplicate", summary.id) > 0.08:
            return []
        others = [
            other
            for other in self.summaries.values()
            if other.framework == summary.framework and 0 < abs(other.push.order - summary.push.order) < 4
        ]
        return [{"id": other.id, "status": other.status} for other in others[:2]]

    def _alert(self, alert_id: int) -> Json:
        if alert_id not in self._alert_json:
            alert = self._alerts[alert_id]
            self._alert_json[alert_id] = self._make_alert_json(self.summaries[alert.summary], alert)
        return self._alert_json[alert_id]

    def _make_alert_json(self, summary: DemoAlertSummary, alert: DemoAlert) -> Json:
        change = _measure_change(self._repository, summary, alert)
        difference = change.after - change.before
        sheriff = None if alert.status == 0 else _SHERIFFS[alert.id % len(_SHERIFFS)]
        profile = _NOISE_PROFILES.get(noise_of(self._seed, alert.signature))
        return {
            "id": alert.id,
            "status": alert.status,
            "series_signature": self._signature(alert.signature),
            "taskcluster_metadata": self._task(change.first_after),
            "prev_taskcluster_metadata": self._task(change.last_before),
            "profile_url": self._profile_url(alert, change.first_after),
            "prev_profile_url": self._profile_url(alert, change.last_before),
            "is_regression": alert.regression,
            "prev_value": round(change.before, 2),
            "new_value": round(change.after, 2),
            # Alerts from before t was stored have none.
            "t_value": None if alert.id % 45 == 7 else round(change.t, 2),
            "amount_abs": round(difference, 2),
            "amount_pct": round(100 * abs(difference) / change.before, 2) if change.before else 0.0,
            "summary_id": summary.id,
            "related_summary_id": alert.related,
            "manually_created": change.manual,
            "classifier": f"mozilla-ldap/{sheriff}@example.org" if sheriff else None,
            "starred": alert.id % 19 == 3,
            "classifier_email": f"{sheriff}@example.org" if sheriff else None,
            "backfill_record": None,
            "side_by_side_available": summary.framework == 13 and alert.id % 4 == 0,
            "noise_profile": profile or generator(self._seed, "profile", alert.id).choice(_PROFILES),
        }

    def _signature(self, signature: PerfSignature) -> Json:
        metric = signature.metric
        return {
            "id": self._repository.id_of(signature),
            "framework_id": signature.config.framework,
            "signature_hash": signature.hash,
            "machine_platform": signature.config.platform,
            "suite": metric.suite,
            "test": metric.test,
            "lower_is_better": metric.lower,
            "has_subtests": signature.has_subtests,
            "option_collection_hash": signature.option_hash,
            # The server splits a stored text at blanks; an empty text gives one empty part.
            "tags": list(metric.tags) or [""],
            "extra_options": list(metric.options) or [""],
            "measurement_unit": metric.unit,
            "suite_public_name": None,
            "test_public_name": None,
        }

    def _task(self, datum: DemoDatum | None) -> Json:
        """Empty once Treeherder has deleted the job."""
        if datum is None or datum.job.expired:
            return {}
        task, run = datum.job.task_of(self._seed)
        return {"task_id": task, "retry_id": run}

    def _profile_url(self, alert: DemoAlert, datum: DemoDatum | None) -> str | None:
        config, task = alert.signature.config, self._task(datum)
        if config.framework != 13 or not alert.regression or alert.id % 3 or not task:
            return None
        queue = "https://firefox-ci-tc.services.mozilla.com/api/queue/v1"
        run = f"{queue}/task/{task['task_id']}/runs/{task['retry_id']}"
        return f"{run}/artifacts/public/test_info/profile_{config.suite}.zip"


def _working_days_after(second: float, days: int) -> float:
    """A due date after so many working days; a weekend counts from its Monday."""
    moment = datetime.fromtimestamp(second, UTC)
    while moment.weekday() > 4:
        moment += timedelta(days=1)
    while days:
        moment += timedelta(days=1)
        days -= moment.weekday() < 5
    return moment.timestamp()


# Which alerts there are


def _plan_summaries(repository: DemoRepository) -> list[DemoAlertSummary]:
    """In the order of their ids."""
    all_pushes = [push for push in repository.pushes if push.perf == "all" and push.group is None]
    pushes = all_pushes[_QUIET_BEFORE:-1]
    configs_by_push: dict[int, set[int]] = {}
    for config, jobs in repository.measured_jobs.items():
        for job in jobs:
            configs_by_push.setdefault(job.push.order, set()).add(config)
    by_config: dict[int, list[PerfSignature]] = {}
    for signature in repository.live_signatures:
        by_config.setdefault(signature.config.index, []).append(signature)
    used: set[tuple[int, int]] = set()  # push and framework
    drafts = []
    for number in range(SUMMARIES):
        random = generator(repository.seed, "summary", number)
        frameworks = _FRAMEWORKS if number < SUMMARIES - _MONITORED else (MONITORED_FRAMEWORK,)
        while True:
            push, framework = random.choice(pushes), random.choice(frameworks)
            configs = sorted(
                config
                for config in configs_by_push.get(push.order, ())
                if by_config[config][0].config.framework == framework
                and by_config[config][0].config.cadence != "weekly"
            )
            if configs and (push.order, framework) not in used:
                break
        used.add((push.order, framework))
        configs = random.sample(configs, min(random.choice((1, 1, 2, 3)), len(configs)))
        signatures = [signature for config in configs for signature in _sample(random, by_config[config])]
        drafts.append(_draft_summary(random, repository, push, signatures, number))
    drafts.sort(key=lambda draft: draft.created)
    return _assign_ids([*drafts, _favorite_summary(repository)])


def _sample(random: Random, signatures: list[PerfSignature]) -> list[PerfSignature]:
    alerting = [signature for signature in signatures if signature.metric.alerts is not False]
    sample = random.sample(alerting, min(random.choice((1, 1, 2, 3, 5)), len(alerting)))
    return sorted(sample, key=lambda signature: signature.index)


def _favorite_summary(repository: DemoRepository) -> DemoAlertSummary:
    """Of the finished task group's push: alerts of the favorite configuration, one with an awkward name."""
    push = next(push for push in repository.pushes if push.group is not None)
    before = repository.pushes[push.order - 1]
    favorites = [signature for signature in repository.signatures if signature.config.index == 0]
    awkward = next(signature for signature in favorites if "markup" in signature.metric.suite)
    alerts = tuple(
        DemoAlert(0, 0, signature, 1.12, True, UNTRIAGED if place != 3 else _ACKNOWLEDGED)
        for place, signature in enumerate([*favorites[:4], awkward])
    )
    return DemoAlertSummary(0, push, before, push, before, 13, NOW - 3600, UNTRIAGED, alerts)


def _draft_summary(
    random: Random, repository: DemoRepository, push: DemoPush, signatures: Sequence[PerfSignature], number: int
) -> DemoAlertSummary:
    status, pushes = _STATUSES[number % len(_STATUSES)], repository.pushes
    alerts = []
    for place, signature in enumerate(signatures):
        improves = status == IMPROVEMENT or (status in (UNTRIAGED, INVESTIGATING) and random.random() < 0.2)
        size = min(random.lognormvariate(-2.7, 0.8) + 0.025, 0.9)
        worse = 1 + size if signature.metric.lower else 1 / (1 + size)
        factor = 1 / worse if improves else worse
        alerts.append(DemoAlert(0, 0, signature, factor, not improves, _alert_status(random, status, place)))
    original = pushes[push.order + (3 if number % 9 == 4 and push.order + 3 < len(pushes) else 0)]
    created = push.time + random.lognormvariate(11.2, 0.9)
    if number % 97 == 50:  # moved to a later push by hand: older than its push
        created = push.time - 4 * 3600
    created = min(created, NOW - random.uniform(5400, 9000))
    before, original_before = pushes[push.order - 1], pushes[original.order - 1]
    framework = signatures[0].config.framework
    return DemoAlertSummary(0, push, before, original, original_before, framework, created, status, tuple(alerts))


def _alert_status(random: Random, summary: int, place: int) -> int:
    if summary in (DOWNSTREAM, REASSIGNED, INVALID):
        return summary
    if summary == INFRA:
        return _ALERT_INFRA
    if summary == UNTRIAGED:
        return UNTRIAGED if place == 0 or random.random() < 0.7 else _ACKNOWLEDGED
    if summary == IMPROVEMENT or place == 0:
        return _ACKNOWLEDGED
    return random.choice((_ACKNOWLEDGED, _ACKNOWLEDGED, _ACKNOWLEDGED, INVALID, DOWNSTREAM, REASSIGNED))


def _assign_ids(drafts: Sequence[DemoAlertSummary]) -> list[DemoAlertSummary]:
    """Downstream and reassigned alerts are related to a summary of the same framework."""
    targets: dict[int, list[int]] = {}
    for summary_id, draft in enumerate(drafts, FIRST_SUMMARY):
        if draft.status in _WITH_BUG:
            targets.setdefault(draft.framework, []).append(summary_id)
    summaries, next_alert = [], FIRST_ALERT
    for summary_id, draft in enumerate(drafts, FIRST_SUMMARY):
        others = [one for one in targets.get(draft.framework, ()) if one != summary_id] or [FIRST_SUMMARY]
        nearest = min(others, key=lambda one, summary_id=summary_id: (abs(one - summary_id), one))  # type: ignore[misc]
        alerts = []
        for alert in draft.alerts:
            related = nearest if alert.status in (DOWNSTREAM, REASSIGNED) else None
            alerts.append(replace(alert, id=next_alert, summary=summary_id, related=related))
            next_alert += 1
        summaries.append(replace(draft, id=summary_id, alerts=tuple(alerts)))
    return summaries


def _plan_steps(seed: int, summaries: Sequence[DemoAlertSummary]) -> StepsByIndex:
    """What was fixed or backed out returns to its level some pushes later."""
    steps: StepsByIndex = {}
    for summary in summaries:
        random = generator(seed, "steps", summary.id)
        back = summary.push.order + random.randint(18, 45)
        for alert in summary.alerts:
            if alert.status == INVALID:
                continue
            changes = steps.setdefault(alert.signature.index, [])
            changes.append((summary.push.order, alert.factor))
            if summary.status in (FIXED, BACKED_OUT, INFRA):
                changes.append((back, 1 / alert.factor))
    return steps


# Values


class _Change(NamedTuple):
    """`manual`: a person created the alert, since the rule would not have."""

    before: float
    after: float
    t: float
    manual: bool
    last_before: DemoDatum | None
    first_after: DemoDatum | None


def _measure_change(repository: DemoRepository, summary: DemoAlertSummary, alert: DemoAlert) -> _Change:
    data, order = repository.data(alert.signature), summary.push.order
    invalid = alert.status == INVALID  # noise, taken for a change: values as they looked on that day
    back, fore = _windows(data, summary.original.order if invalid else order)
    before, after = (_mean([value for values in window for value in values]) for window in (back, fore))
    last = next((datum for datum in reversed(data) if datum.job.push.order < order), None)
    first = next((datum for datum in data if datum.job.push.order >= order), None)
    t = _MIN_T + 2 * fraction(repository.seed, "t", alert.id) if invalid else _t_value(back, fore)
    as_planned = not invalid and (after - before) * (alert.factor - 1) > 0 and t >= _MIN_T
    if as_planned:
        return _Change(before, after, t, False, last, first)
    return _Change(before, before * alert.factor, t if invalid else _INFINITE_T, not invalid, last, first)


def _windows(data: Sequence[DemoDatum], order: int) -> tuple[list[list[float]], list[list[float]]]:
    """Values by push, the nearest push first, on both sides of the push with that order."""
    by_push = [
        (place, [datum.value for datum in of_push]) for place, of_push in groupby(data, lambda one: one.job.push.order)
    ]
    back = [values for place, values in reversed(by_push) if place < order]
    fore = [values for place, values in by_push if place >= order]
    return _first_values(back, _BACK), _first_values(fore, _FORE)


def _first_values(pushes: Sequence[list[float]], size: int) -> list[list[float]]:
    window: list[list[float]] = []
    for values in pushes:
        if sum(map(len, window)) >= size:
            break
        window.append(values)
    return window


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _t_value(back: Sequence[Sequence[float]], fore: Sequence[Sequence[float]]) -> float:
    """Zero where one side has fewer than two values."""
    (mean_back, variance_back, n_back), (mean_fore, variance_fore, n_fore) = _weighted(back), _weighted(fore)
    if n_back < 2 or n_fore < 2:
        return 0.0
    if variance_back == variance_fore == 0:
        return _INFINITE_T if mean_back != mean_fore else 0.0
    return min(abs(mean_fore - mean_back) / sqrt(variance_back / n_back + variance_fore / n_fore), _INFINITE_T)


def _weighted(pushes: Sequence[Sequence[float]]) -> tuple[float, float, int]:
    """Weighted mean, variance around it, and the number of values."""
    size = len(pushes)
    weighted = [((size - place) / size, value) for place, values in enumerate(pushes) for value in values]
    if len(weighted) < 2:
        return 0.0, 0.0, len(weighted)
    mean = sum(weight * value for weight, value in weighted) / sum(weight for weight, _ in weighted)
    variance = sum((value - mean) ** 2 for _, value in weighted) / (len(weighted) - 1)
    return mean, variance, len(weighted)
