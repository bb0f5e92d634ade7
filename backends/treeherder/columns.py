"""The columns of what Treeherder lists, and the words for its numbers."""

from __future__ import annotations

from backends.frames.schema import Column, Kind, Schema

# Two enumerations that agree up to 3 and not beyond (perf/models.py: PerformanceAlertSummary, PerformanceAlert).
SUMMARY_STATUSES = (
    "untriaged", "downstream", "reassigned", "invalid", "improvement", "investigating", "wontfix", "fixed",
    "backedout", "infra",
)  # fmt: skip
ALERT_STATUSES = ("untriaged", "downstream", "reassigned", "invalid", "acknowledged", "infra")
BUG_STATUSES = (
    "NEW", "FIXED", "INVALID", "INACTIVE", "DUPLICATE", "WONTFIX", "WORKSFORME", "INCOMPLETE", "MOVED",
)  # fmt: skip
FAILED_RESULTS = ("busted", "testfailed", "exception")

REPOSITORIES = Schema(
    (
        Column("name", Kind.TEXT, "Repository", width=20),
        Column("group", Kind.TEXT, "Group"),
        Column("codebase", Kind.TEXT, "Codebase"),
        Column("alerts", Kind.TEXT, "Perf alerts"),
        Column("try", Kind.TEXT, "Try"),
        Column("dvcs", Kind.TEXT, "VCS"),
        Column("url", Kind.TEXT, "URL"),
        Column("status", Kind.STATE, "Status", hidden=True),
        Column("repository_id", Kind.COUNT, "Id", hidden=True),
        Column("tc_root_url", Kind.TEXT, "Taskcluster", hidden=True),
    ),
    key="name",
)

FRAMEWORKS = Schema(
    (
        Column("framework_id", Kind.COUNT, "Id"),
        Column("name", Kind.TEXT, "Framework", width=24),
    ),
    key="name",
)

SIGNATURES = Schema(
    (
        Column("suite", Kind.TEXT, "Suite", width=26),
        Column("test", Kind.TEXT, "Test", width=20),
        Column("platform", Kind.TEXT, "Platform", width=26, keeps_end=True),
        Column("option", Kind.TEXT, "Build"),
        Column("options", Kind.TEXT, "Options", width=24),
        Column("unit", Kind.TEXT, "Unit"),
        Column("better", Kind.TEXT, "Better"),
        Column("should_alert", Kind.TEXT, "Alerts"),
        Column("application", Kind.TEXT, "Application"),
        Column("tags", Kind.TEXT, "Tags"),
        Column("subtests", Kind.TEXT, "Subtests"),
        Column("framework", Kind.TEXT, "Framework"),
        Column("signature_id", Kind.COUNT, "Id"),
        Column("signature_hash", Kind.ID, "Hash", hidden=True),
        Column("parent_hash", Kind.ID, "Parent hash", hidden=True, searched=False),
        Column("framework_id", Kind.COUNT, "Framework id", hidden=True),
        Column("option_hash", Kind.ID, "Option hash", hidden=True, searched=False),
        Column("repository", Kind.TEXT, "Repository", hidden=True, searched=False),
    ),
    key="key",
)

DATA = Schema(
    (
        Column("push_time", Kind.TIME, "Pushed"),
        Column("value", Kind.NUMBER, "Value"),
        Column("revision", Kind.ID, "Revision"),
        Column("push_id", Kind.COUNT, "Push"),
        Column("job_id", Kind.COUNT, "Job"),
        Column("datum_id", Kind.COUNT, "Datum"),
        Column("signature_id", Kind.COUNT, "Signature"),
        Column("submit_time", Kind.TIME, "Submitted"),
        Column("machine", Kind.TEXT, "Machine"),
        Column("replicate", Kind.COUNT, "Replicate"),
    ),
    key="key",
)

VALUES = Schema(
    (
        Column("suite", Kind.TEXT, "Suite"),
        Column("test", Kind.TEXT, "Test"),
        Column("platform", Kind.TEXT, "Platform"),
        Column("name", Kind.TEXT, "Name"),
        Column("unit", Kind.TEXT, "Unit"),
        Column("application", Kind.TEXT, "Application"),
        Column("lower_is_better", Kind.TEXT, "Lower is better"),
        Column("subtests", Kind.TEXT, "Subtests"),
        Column("value", Kind.NUMBER, "Value"),
        Column("job_id", Kind.COUNT, "Job"),
        Column("submit_time", Kind.TIME, "Submitted"),
        Column("framework_id", Kind.COUNT, "Framework id"),
        Column("signature_id", Kind.COUNT, "Signature"),
        Column("parent_id", Kind.COUNT, "Parent"),
        Column("signature_hash", Kind.ID, "Hash"),
        Column("alert_threshold", Kind.NUMBER, "Alert threshold"),
        Column("alert_change_type", Kind.TEXT, "Alert change"),
        Column("repository", Kind.TEXT, "Repository"),
    ),
    key="key",
)

SUMMARIES = Schema(
    (
        Column("summary_id", Kind.COUNT, "Alert"),
        Column("status", Kind.STATE, "Status", width=14),
        Column("title", Kind.TEXT, "Suites", width=30),
        Column("framework", Kind.TEXT, "Framework"),
        Column("repository", Kind.TEXT, "Repository"),
        Column("regressions", Kind.COUNT, "Regr."),
        Column("improvements", Kind.COUNT, "Impr."),
        Column("worst_percent", Kind.NUMBER, "Largest %", "%"),
        Column("bug", Kind.TEXT, "Bug"),
        Column("bug_status", Kind.TEXT, "Bug status"),
        Column("assignee", Kind.TEXT, "Assignee"),
        Column("push_time", Kind.TIME, "Pushed"),
        Column("created", Kind.TIME, "Alerted"),
        Column("detect", Kind.DURATION, "To alert", "s"),
        Column("triage", Kind.DURATION, "To triage", "s"),
        Column("bug_after", Kind.DURATION, "To bug", "s"),
        Column("revision", Kind.ID, "Revision", width=12),
        Column("tags", Kind.TEXT, "Tags"),
        Column("platforms", Kind.TEXT, "Platforms", width=24),
        Column("related", Kind.COUNT, "Related"),
        Column("triaged", Kind.TIME, "Triaged", hidden=True),
        Column("bug_updated", Kind.TIME, "Bug updated", hidden=True),
        Column("triage_due", Kind.TIME, "Triage due", hidden=True),
        Column("bug_due", Kind.TIME, "Bug due", hidden=True),
        Column("notes", Kind.TEXT, "Notes", hidden=True),
        Column("prev_revision", Kind.ID, "Previous push", hidden=True),
        Column("original_revision", Kind.ID, "Original push", hidden=True),
        Column("push_id", Kind.COUNT, "Push", hidden=True),
        Column("prev_push_id", Kind.COUNT, "Previous push id", hidden=True),
        Column("issue_tracker", Kind.COUNT, "Tracker", hidden=True),
        Column("framework_id", Kind.COUNT, "Framework id", hidden=True),
        Column("original_prev_revision", Kind.ID, "Push before the original", hidden=True, searched=False),
        Column("assignee_email", Kind.TEXT, "Assignee's address", hidden=True),
    ),
    key="key",
)

ALERTS = Schema(
    (
        Column("change", Kind.STATE, "Change", width=12),
        Column("status", Kind.STATE, "Status", width=12),
        Column("suite", Kind.TEXT, "Suite", width=24),
        Column("test", Kind.TEXT, "Test", width=18),
        Column("platform", Kind.TEXT, "Platform", width=26, keeps_end=True),
        Column("options", Kind.TEXT, "Options"),
        Column("prev_value", Kind.NUMBER, "Before"),
        Column("new_value", Kind.NUMBER, "After"),
        Column("percent", Kind.NUMBER, "Δ %", "%"),
        Column("amount", Kind.NUMBER, "Δ"),
        Column("unit", Kind.TEXT, "Unit"),
        Column("t", Kind.NUMBER, "t (alert)"),
        Column("noise", Kind.TEXT, "Noise"),
        Column("better", Kind.TEXT, "Better"),
        Column("relation", Kind.TEXT, "Relation"),
        Column("starred", Kind.TEXT, "Starred"),
        Column("manual", Kind.TEXT, "Manual"),
        Column("classifier", Kind.TEXT, "Classifier"),
        Column("alert_id", Kind.COUNT, "Alert"),
        Column("signature_id", Kind.COUNT, "Signature"),
        Column("task_id", Kind.ID, "Task", hidden=True),
        Column("task_run", Kind.COUNT, "Run", hidden=True),
        Column("prev_task_id", Kind.ID, "Task before", hidden=True),
        Column("prev_task_run", Kind.COUNT, "Run before", hidden=True),
        Column("profile_url", Kind.TEXT, "Profile", hidden=True),
        Column("prev_profile_url", Kind.TEXT, "Profile before", hidden=True),
        Column("summary_id", Kind.COUNT, "Summary", hidden=True),
        Column("related_summary_id", Kind.COUNT, "Related summary", hidden=True),
        Column("listed_in", Kind.COUNT, "Listed in", hidden=True),
        Column("framework_id", Kind.COUNT, "Framework id", hidden=True),
        Column("signature_hash", Kind.ID, "Hash", hidden=True),
        Column("repository", Kind.TEXT, "Repository", hidden=True),
        Column("tags", Kind.TEXT, "Tags", hidden=True),
    ),
    key="key",
)

PUSHES = Schema(
    (
        Column("push_time", Kind.TIME, "Pushed"),
        Column("revision", Kind.ID, "Revision", width=12),
        Column("author", Kind.TEXT, "Author", width=26),
        Column("commits", Kind.COUNT, "Commits"),
        Column("message", Kind.TEXT, "Tip's message", width=50),
        Column("success", Kind.COUNT, "OK"),
        Column("failed", Kind.COUNT, "Failed"),
        Column("running", Kind.COUNT, "Running"),
        Column("pending", Kind.COUNT, "Pending"),
        Column("total", Kind.COUNT, "Jobs done"),
        Column("push_id", Kind.COUNT, "Push"),
        Column("exception", Kind.COUNT, "Exceptions", hidden=True),
        Column("other", Kind.COUNT, "Other results", hidden=True),
        Column("repository_id", Kind.COUNT, "Repository id", hidden=True),
    ),
    key="key",
)

JOBS = Schema(
    (
        Column("result", Kind.STATE, "Result", width=12),
        Column("symbol", Kind.TEXT, "Symbol", width=10),
        Column("name", Kind.TEXT, "Job", width=44, keeps_end=True),
        Column("platform", Kind.TEXT, "Platform", width=24, keeps_end=True),
        Column("option", Kind.TEXT, "Build"),
        Column("duration", Kind.DURATION, "Duration", "s"),
        Column("wait", Kind.DURATION, "Wait", "s"),
        Column("started", Kind.TIME, "Started"),
        Column("tier", Kind.COUNT, "Tier"),
        Column("classified", Kind.TEXT, "Classified"),
        Column("machine", Kind.TEXT, "Machine"),
        Column("who", Kind.TEXT, "Who"),
        Column("task_id", Kind.ID, "Task"),
        Column("run", Kind.COUNT, "Run"),
        Column("job_id", Kind.COUNT, "Job id"),
        Column("state", Kind.STATE, "State", hidden=True),
        Column("group", Kind.TEXT, "Group", hidden=True),
        Column("reason", Kind.TEXT, "Reason", hidden=True),
        Column("submitted", Kind.TIME, "Submitted", hidden=True),
        Column("ended", Kind.TIME, "Ended", hidden=True),
        Column("modified", Kind.TIME, "Row written", hidden=True),
        Column("push_id", Kind.COUNT, "Push", hidden=True),
        Column("job_guid", Kind.ID, "Guid", hidden=True),
        Column("classification_id", Kind.COUNT, "Classification", hidden=True),
    ),
    key="key",
)
