"""How the server writes alerts and their summaries: rounded, with names it gives nowhere else, and due dates."""

from __future__ import annotations

from backends.demo.seeds import fraction, generator
from backends.demo.treeherder import alert_values
from backends.demo.treeherder.alerts import BACKED_OUT, FIXED, INVESTIGATING, UNTRIAGED, WONTFIX, Alert, Summary
from backends.demo.treeherder.branches import Branch, Datum
from backends.demo.treeherder.clock import DAY, NOW, iso, working_days_after
from backends.demo.treeherder.reference import FRAMEWORKS, TAGS, Json

_SHERIFFS = ("abena", "goran", "hana", "ilse")
_WITH_BUG = (INVESTIGATING, WONTFIX, FIXED, BACKED_OUT)
# Bugzilla's words by number: 0 NEW, 1 FIXED, 4 DUPLICATE, 5 WONTFIX, 6 WORKSFORME.
_BUG_STATUSES = {INVESTIGATING: (0, 0, 0, 4), WONTFIX: (5, 5, 6), FIXED: (1,), BACKED_OUT: (1, 1, 0)}
_NOTES = (
    None,
    None,
    None,
    "Confirmed by retriggers.",
    "=HYPERLINK(\"http://127.0.0.1/\") [b]see[/b] \x1b[31mbug\x1b[0m <a href='x'>",
    "Infra change on 2026-11-02,\nsecond line;\twith a tab",
)


class AlertTexts:
    """Writes each alert once: the values behind it do not change."""

    def __init__(self, branch: Branch, summaries: list[Summary]) -> None:
        self._branch, self._seed = branch, branch.seed
        self.summaries = {summary.id: summary for summary in summaries}
        self.alerts = {alert.id: alert for summary in summaries for alert in summary.alerts}
        self._related: dict[int, list[int]] = {}
        for alert in self.alerts.values():
            if alert.related is not None:
                self._related.setdefault(alert.related, []).append(alert.id)
        self._written: dict[int, Json] = {}

    def alert(self, id_: int) -> Json:
        if id_ not in self._written:
            alert = self.alerts[id_]
            self._written[id_] = self._alert(self.summaries[alert.summary], alert)
        return self._written[id_]

    def _alert(self, summary: Summary, alert: Alert) -> Json:
        change = alert_values.change(self._branch, summary, alert)
        difference = change.after - change.before
        sheriff = None if alert.status == 0 else _SHERIFFS[alert.id % len(_SHERIFFS)]
        return {
            "id": alert.id,
            "status": alert.status,
            "series_signature": self._signature(alert),
            "taskcluster_metadata": self._task(change.first_after),
            "prev_taskcluster_metadata": self._task(change.last_before),
            "profile_url": self._profile(alert, change.first_after),
            "prev_profile_url": self._profile(alert, change.last_before),
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
            "noise_profile": alert_values.noise_profile(self._seed, alert),
        }

    def _signature(self, alert: Alert) -> Json:
        signature, metric = alert.signature, alert.signature.metric
        return {
            "id": self._branch.id_of(signature),
            "framework_id": signature.lane.framework,
            "signature_hash": signature.hash,
            "machine_platform": signature.lane.platform,
            "suite": metric.suite,
            "test": metric.test,
            "lower_is_better": metric.lower,
            "has_subtests": signature.has_subtests,
            "option_collection_hash": signature.option_hash,
            # The stored text is cut at its blanks, and an empty text gives one empty piece.
            "tags": list(metric.tags) or [""],
            "extra_options": list(metric.options) or [""],
            "measurement_unit": metric.unit,
            "suite_public_name": None,
            "test_public_name": None,
        }

    def _task(self, datum: Datum | None) -> Json:
        """Nothing once Treeherder has forgotten the job."""
        if datum is None or datum.job.expired:
            return {}
        task, run = datum.job.task_of(self._seed)
        return {"task_id": task, "retry_id": run}

    def _profile(self, alert: Alert, datum: Datum | None) -> str | None:
        task = self._task(datum)
        if alert.signature.lane.framework != 13 or not alert.regression or alert.id % 3 or not task:
            return None
        return (
            f"https://firefox-ci-tc.services.mozilla.com/api/queue/v1/task/{task['task_id']}/runs/{task['retry_id']}"
            f"/artifacts/public/test_info/profile_{alert.signature.lane.suite}.zip"
        )

    def summary(self, summary: Summary) -> Json:
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
            "triage_due_date": iso(round(working_days_after(created, 2), 6)),
            "repository": self._branch.name,
            "framework": summary.framework,
            "alerts": [self.alert(alert.id) for alert in summary.alerts],
            "related_alerts": [self.alert(id_) for id_ in self._related.get(summary.id, ())],
            "status": status,
            "bug_number": random.randrange(1_900_000, 1_999_999) if bug else None,
            "bug_status": random.choice(_BUG_STATUSES[status]) if bug else None,
            "bug_due_date": iso(round(working_days_after(created, 4), 6)),
            "bug_updated": iso(round(filed, 6)) if bug else None,
            "issue_tracker": 2 if summary.id % 60 == 11 else 1,
            "notes": random.choice(_NOTES) if bug or summary.id % 5 == 0 else None,
            "revision": summary.push.revision,
            "push_timestamp": summary.push.time,
            "prev_push_revision": summary.before.revision,
            "original_prev_push_revision": summary.original_before.revision,
            "assignee_username": f"mozilla-ldap/{sheriff}@example.org" if sheriff else None,
            "assignee_email": f"{sheriff}@example.org" if sheriff else None,
            "performance_tags": sorted(random.sample(TAGS, random.choice((0, 0, 0, 1, 2)))),
            "duplicated_summaries": self._duplicates(summary),
        }

    def _duplicates(self, summary: Summary) -> list[Json]:
        """A few summaries of the same framework on the push before or after."""
        if fraction(self._seed, "duplicate", summary.id) > 0.08:
            return []
        others = [
            other
            for other in self.summaries.values()
            if other.framework == summary.framework and 0 < abs(other.push.order - summary.push.order) < 4
        ]
        return [{"id": other.id, "status": other.status} for other in others[:2]]


def sheriffed(summary: Summary) -> bool:
    return FRAMEWORKS[summary.framework] != "platform_microbench"
