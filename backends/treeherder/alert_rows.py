"""Alert summaries and their alerts as frames, with the words for their statuses and the three times that they took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from backends.treeherder.answers import epochs, iso_times
from backends.treeherder.columns import ALERT_STATUSES, ALERTS, BUG_STATUSES, SUMMARIES, SUMMARY_STATUSES
from backends.treeherder.signature_rows import fitted, words
from backends.treeherder.structs import Alert, AlertSeries, AlertSummary, TaskRef

_TIMES = {
    "created": "created", "triaged": "first_triaged", "bug_updated": "bug_updated", "triage_due": "triage_due_date",
    "bug_due": "bug_due_date",
}  # fmt: skip


def word(number: int | None, known: Sequence[str]) -> str | None:
    """The word for a status; a number that nobody knows yet is shown as it is."""
    if number is None:
        return None
    return known[number] if 0 <= number < len(known) else f"status {number}"


def summary_frame(found: Sequence[AlertSummary], frameworks: Mapping[int, str]) -> pl.DataFrame:
    """Rows of the schema `SUMMARIES`, in the order of arrival.

    `regressions`, `improvements`, `title`, `platforms` and `worst_percent` (the largest change, signed as the value
    moved) are of its own alerts and of those that other summaries handed to it. The three durations, in seconds:
    `detect` from the push to the alert, `triage` from there to the first triage, `bug_after` from the alert to the
    last change of its bug; null where it has not come to that, negative where the summary's push was changed later.
    """
    rows = [row for row in found if row.id is not None]
    every = [[*row.alerts, *row.related_alerts] for row in rows]
    columns = {
        "key": [str(row.id) for row in rows],
        "summary_id": [row.id for row in rows],
        "status": [word(row.status, SUMMARY_STATUSES) for row in rows],
        "title": [_distinct(alerts, "suite") for alerts in every],
        "framework": [_framework(row.framework, frameworks) for row in rows],
        "repository": [row.repository for row in rows],
        "regressions": [sum(alert.is_regression is True for alert in alerts) for alerts in every],
        "improvements": [sum(alert.is_regression is False for alert in alerts) for alerts in every],
        "worst_percent": [_worst(alerts) for alerts in every],
        "bug": [None if row.bug_number is None else str(row.bug_number) for row in rows],
        "bug_status": [word(row.bug_status, BUG_STATUSES) for row in rows],
        "assignee": [row.assignee_username or None for row in rows],
        "push_time": epochs("push_time", [row.push_timestamp for row in rows]),
        **{name: iso_times(name, [getattr(row, member) for row in rows]) for name, member in _TIMES.items()},
        "revision": [row.revision for row in rows],
        "tags": [words(row.performance_tags) for row in rows],
        "platforms": [_distinct(alerts, "machine_platform") for alerts in every],
        "related": [len(row.related_alerts) for row in rows],
        "notes": [row.notes or None for row in rows],
        "prev_revision": [row.prev_push_revision for row in rows],
        "original_revision": [row.original_revision for row in rows],
        "original_prev_revision": [row.original_prev_push_revision for row in rows],
        "push_id": [row.push_id for row in rows],
        "prev_push_id": [row.prev_push_id for row in rows],
        "issue_tracker": [row.issue_tracker for row in rows],
        "framework_id": [row.framework for row in rows],
        "assignee_email": [row.assignee_email or None for row in rows],
    }
    spans = {
        "detect": ("push_time", "created"),
        "triage": ("created", "triaged"),
        "bug_after": ("created", "bug_updated"),
    }
    made = pl.DataFrame([columns[name] for name in ("push_time", *_TIMES)])
    for name, (start, end) in spans.items():
        columns[name] = made.select(_seconds(start, end)).to_series()
    return fitted(columns, SUMMARIES.polars()).unique("key", keep="last", maintain_order=True)


def _seconds(start: str, end: str) -> pl.Expr:
    return ((pl.col(end) - pl.col(start)).dt.total_milliseconds() / 1000).cast(pl.Float64)


def _framework(number: int | None, frameworks: Mapping[int, str]) -> str | None:
    return None if number is None else frameworks.get(number, f"framework {number}")


def _distinct(alerts: Sequence[Alert], member: str) -> str | None:
    series = (alert.series_signature for alert in alerts if alert.series_signature is not None)
    return ", ".join(dict.fromkeys(name for one in series if (name := getattr(one, member)))) or None


def _worst(alerts: Sequence[Alert]) -> float | None:
    changes = [change for alert in alerts if (change := percent(alert)) is not None]
    return max(changes, key=abs, default=None)


def percent(alert: Alert) -> float | None:
    """The change with the sign of the value's movement; `amount_pct` itself is never negative."""
    size = alert.amount_pct
    if size is None:
        return None
    if alert.amount_abs:
        fell = alert.amount_abs < 0
    elif alert.prev_value is not None and alert.new_value is not None and alert.new_value != alert.prev_value:
        fell = alert.new_value < alert.prev_value
    elif alert.is_regression is not None:  # all three are rounded to two decimals: small values seem not to move
        lower_is_better = alert.series_signature is None or alert.series_signature.lower_is_better is not False
        fell = alert.is_regression != lower_is_better
    else:
        return size
    return -size if fell else size


@dataclass(frozen=True)
class _Listed:
    alert: Alert
    series: AlertSeries
    summary: AlertSummary
    related: bool


def alert_frame(found: Sequence[AlertSummary]) -> pl.DataFrame:
    """Rows of the schema `ALERTS`, one an alert of each summary, those of other summaries (`related_alerts`) too.

    `listed_in`: the summary that lists it; `relation`: own, or how another summary's alert came here. An alert that
    is listed by two summaries gives two rows. `repository` is that of its own summary, null for a related one.
    """
    listed = [
        _Listed(alert, alert.series_signature or AlertSeries(), summary, related)
        for summary in found
        for related, alerts in ((False, summary.alerts), (True, summary.related_alerts))
        for alert in alerts
        if alert.id is not None and summary.id is not None
    ]
    return fitted(
        {
            "key": [f"{row.summary.id}/{row.alert.id}" for row in listed],
            "change": [_change(row.alert) for row in listed],
            "status": [word(row.alert.status, ALERT_STATUSES) for row in listed],
            "suite": [row.series.suite for row in listed],
            "test": [row.series.test or None for row in listed],
            "platform": [row.series.machine_platform for row in listed],
            "options": [words(row.series.extra_options) for row in listed],
            "prev_value": [row.alert.prev_value for row in listed],
            "new_value": [row.alert.new_value for row in listed],
            "percent": [percent(row.alert) for row in listed],
            "amount": [row.alert.amount_abs for row in listed],
            "unit": [row.series.measurement_unit or None for row in listed],
            "t": [row.alert.t_value for row in listed],
            "noise": [row.alert.noise_profile for row in listed],
            "better": ["higher" if row.series.lower_is_better is False else "lower" for row in listed],
            "relation": [_relation(row) for row in listed],
            "starred": ["yes" if row.alert.starred else None for row in listed],
            "manual": ["yes" if row.alert.manually_created else None for row in listed],
            "classifier": [row.alert.classifier or None for row in listed],
            "alert_id": [row.alert.id for row in listed],
            "signature_id": [row.series.id for row in listed],
            "task_id": [_task(row.alert.taskcluster_metadata).task_id for row in listed],
            "task_run": [_task(row.alert.taskcluster_metadata).retry_id for row in listed],
            "prev_task_id": [_task(row.alert.prev_taskcluster_metadata).task_id for row in listed],
            "prev_task_run": [_task(row.alert.prev_taskcluster_metadata).retry_id for row in listed],
            "profile_url": [row.alert.profile_url or None for row in listed],
            "prev_profile_url": [row.alert.prev_profile_url or None for row in listed],
            "summary_id": [row.alert.summary_id for row in listed],
            "related_summary_id": [row.alert.related_summary_id for row in listed],
            "listed_in": [row.summary.id for row in listed],
            "framework_id": [row.series.framework_id for row in listed],
            "signature_hash": [row.series.signature_hash for row in listed],
            "repository": [None if row.related else row.summary.repository for row in listed],
            "tags": [words(row.series.tags) for row in listed],
        },
        ALERTS.polars(),
    ).unique("key", keep="last", maintain_order=True)


def _task(task: TaskRef | None) -> TaskRef:
    """Of a job that has expired the server gives an empty object."""
    return task or TaskRef()


def _change(alert: Alert) -> str | None:
    if alert.is_regression is None:
        return None
    return "regression" if alert.is_regression else "improvement"


def _relation(row: _Listed) -> str:
    if not row.related:
        return "own" if row.alert.related_summary_id is None else f"handed to {row.alert.related_summary_id}"
    how = word(row.alert.status, ALERT_STATUSES)
    return f"{how if how in ('downstream', 'reassigned') else 'related'}, from {row.alert.summary_id}"
