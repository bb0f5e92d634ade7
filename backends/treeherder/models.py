"""Entries of Treeherder's responses as its serializers write them; every member may be absent.

Members that are left out when they have the usual value have that value as their default here
(webapp/api/performance_data.py of commit dc3080dd, 2026-08-21).
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from backends.lenient_json import LARGEST

Int = Annotated[int, msgspec.Meta(ge=-LARGEST, le=LARGEST)]  # what JSON's readers agree on, and an Int64 column holds


class ApiEntry(msgspec.Struct, gc=False):
    """Base: no garbage collection, for an entry never refers to itself and 100,000 of them are read at once."""


class NamedId(ApiEntry):
    id: Int | None = None
    name: str | None = None


class TreeherderRepository(ApiEntry):
    id: Int | None = None
    name: str | None = None
    dvcs_type: str | None = None
    url: str | None = None
    codebase: str | None = None
    active_status: str | None = None
    is_try_repo: bool | None = None
    performance_alerts_enabled: bool | None = None
    tc_root_url: str | None = None
    repository_group: NamedId | None = None


class OptionCollection(ApiEntry):
    option_collection_hash: str | None = None
    options: list[NamedId] = []


class PerformanceSignature(ApiEntry):
    id: Int | None = None
    signature_hash: str | None = None
    framework_id: Int | None = None
    option_collection_hash: str | None = None
    machine_platform: str | None = None
    suite: str | None = None
    should_alert: bool | None = None
    lower_is_better: bool = True
    test: str = ""
    application: str | None = None
    has_subtests: bool = False
    tags: tuple[str, ...] = ()
    extra_options: tuple[str, ...] = ()
    parent_signature: str | None = None
    measurement_unit: str | None = None


class SeriesValue(ApiEntry):
    """A value of performance/summary with all_data (in full, push_timestamp as ISO text)."""

    id: Int | None = None
    job_id: Int | None = None
    push_id: Int | None = None
    revision: str | None = None
    push_timestamp: str | None = None
    submit_time: str | None = None
    machine_name: str | None = None
    value: float | None = None


class SeriesSummary(ApiEntry):
    signature_id: Int | None = None
    framework_id: Int | None = None
    platform: str | None = None
    test: str | None = None
    suite: str | None = None
    lower_is_better: bool | None = None
    has_subtests: bool | None = None
    values: list[float | None] = []
    name: str | None = None
    job_ids: list[Int | None] = []
    data: list[SeriesValue] = []
    measurement_unit: str | None = None
    application: str | None = None
    alert_change_type: Int | None = None
    alert_threshold: float | None = None


class AlertSignature(ApiEntry):
    id: Int | None = None
    framework_id: Int | None = None
    signature_hash: str | None = None
    machine_platform: str | None = None
    suite: str | None = None
    test: str | None = None
    lower_is_better: bool | None = None
    tags: list[str] = []
    extra_options: list[str] = []
    measurement_unit: str | None = None


class JobTaskMetadata(ApiEntry):
    task_id: str | None = None
    retry_id: Int | None = None


class PerformanceAlert(ApiEntry):
    id: Int | None = None
    status: Int | None = None
    series_signature: AlertSignature | None = None
    taskcluster_metadata: JobTaskMetadata | None = None
    prev_taskcluster_metadata: JobTaskMetadata | None = None
    profile_url: str | None = None
    prev_profile_url: str | None = None
    is_regression: bool | None = None
    prev_value: float | None = None
    new_value: float | None = None
    t_value: float | None = None
    amount_abs: float | None = None
    amount_pct: float | None = None
    summary_id: Int | None = None
    related_summary_id: Int | None = None
    manually_created: bool | None = None
    classifier: str | None = None
    starred: bool | None = None
    noise_profile: str | None = None


class PerformanceAlertSummary(ApiEntry):
    id: Int | None = None
    push_id: Int | None = None
    prev_push_id: Int | None = None
    revision: str | None = None
    prev_push_revision: str | None = None
    original_revision: str | None = None
    original_prev_push_revision: str | None = None
    created: str | None = None
    first_triaged: str | None = None
    triage_due_date: str | None = None
    bug_due_date: str | None = None
    bug_updated: str | None = None
    repository: str | None = None
    framework: Int | None = None
    alerts: list[PerformanceAlert] = []
    related_alerts: list[PerformanceAlert] = []
    status: Int | None = None
    bug_number: Int | None = None
    bug_status: Int | None = None
    issue_tracker: Int | None = None
    notes: str | None = None
    push_timestamp: Int | None = None
    assignee_username: str | None = None
    assignee_email: str | None = None
    performance_tags: list[str] = []


class PushCommit(ApiEntry):
    revision: str | None = None
    comments: str | None = None


class TreeherderPush(ApiEntry):
    id: Int | None = None
    revision: str | None = None
    author: str | None = None
    revisions: list[PushCommit] = []
    revision_count: Int | None = None
    push_timestamp: Int | None = None
    repository_id: Int | None = None


class PushJob(ApiEntry):
    id: Int | None = None
    push_id: Int | None = None
    job_guid: str | None = None
    job_type_name: str | None = None
    job_type_symbol: str | None = None
    job_group_name: str | None = None
    job_group_symbol: str | None = None
    platform: str | None = None
    platform_option: str | None = None
    build_platform: str | None = None
    machine_name: str | None = None
    state: str | None = None
    result: str | None = None
    reason: str | None = None
    who: str | None = None
    tier: Int | None = None
    failure_classification_id: Int | None = None
    submit_timestamp: Int | None = None
    start_timestamp: Int | None = None
    end_timestamp: Int | None = None
    last_modified: str | None = None
    task_id: str | None = None
    retry_id: Int | None = None


class JobTask(ApiEntry):
    job: Int | None = None
    task_id: str | None = None
    retry_id: Int | None = None


class TextLogError(ApiEntry):
    id: Int | None = None
    line: str | None = None
    line_number: Int | None = None
    new_failure: bool | None = None
