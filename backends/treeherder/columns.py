"""The columns of what Treeherder lists, and the words for its numbers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from backends.frames.schema import Column, Kind, Schema
from backends.locators.perfherder import STATUSES

# The server's numbers of things. They are texts here: nobody adds them up, and a table must not write 533,072,164.
NUMBERED = frozenset(
    (
        "repository_id", "framework_id", "signature_id", "push_id", "job_id", "datum_id", "parent_id", "summary_id",
        "prev_push_id", "alert_id", "related_summary_id", "listed_in", "issue_tracker", "classification_id",
        "alert_summary", "base_signature", "new_signature",
    )
)  # fmt: skip


def numbered(name: str, label: str, *, hidden: bool = False) -> Column:
    """A column of such numbers. Plain filter words do not look into it: 13 is a framework and part of everything."""
    return Column(name, Kind.ID, label, hidden=hidden, searched=False)


def redrawn(schema: Schema, *, hidden: Collection[str] = (), **widths: int) -> Schema:
    """The same columns in the same order, some not drawn at first, some as wide as is said."""
    columns = (
        replace(column, hidden=column.hidden or column.name in hidden, width=widths.get(column.name, column.width))
        for column in schema
    )
    return Schema(tuple(columns), schema.key)


# Two enumerations that agree up to 3 and not beyond (perf/models.py: PerformanceAlertSummary, PerformanceAlert).
SUMMARY_STATUSES = STATUSES
ALERT_STATUSES = ("untriaged", "downstream", "reassigned", "invalid", "acknowledged", "infra")
BUG_STATUSES = (
    "NEW", "FIXED", "INVALID", "INACTIVE", "DUPLICATE", "WONTFIX", "WORKSFORME", "INCOMPLETE", "MOVED",
)  # fmt: skip
FAILED_RESULTS = ("busted", "testfailed", "exception")

# Those columns come first by which rows are judged and told apart: of most lists 80 cells show five or six.
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
        numbered("repository_id", "Id", hidden=True),
        Column("tc_root_url", Kind.TEXT, "Taskcluster", hidden=True),
    ),
    key="name",
)

FRAMEWORKS = Schema(
    (
        numbered("framework_id", "Id"),
        Column("name", Kind.TEXT, "Framework", width=24),
    ),
    key="name",
)

SIGNATURES = Schema(
    (
        Column("suite", Kind.TEXT, "Suite", width=19),
        Column("test", Kind.TEXT, "Test", width=8),
        Column("platform", Kind.TEXT, "Platform", width=19),
        Column("options", Kind.TEXT, "Options", width=15),
        Column("application", Kind.TEXT, "Application"),
        Column("option", Kind.TEXT, "Build"),
        Column("unit", Kind.TEXT, "Unit"),
        Column("better", Kind.TEXT, "Better"),
        Column("should_alert", Kind.TEXT, "Alerts"),
        Column("tags", Kind.TEXT, "Tags"),
        Column("subtests", Kind.TEXT, "Subtests"),
        Column("framework", Kind.TEXT, "Framework"),
        numbered("signature_id", "Id"),
        Column("signature_hash", Kind.ID, "Hash", hidden=True),
        Column("parent_hash", Kind.ID, "Parent hash", hidden=True, searched=False),
        numbered("framework_id", "Framework id", hidden=True),
        Column("option_hash", Kind.ID, "Option hash", hidden=True, searched=False),
        Column("repository", Kind.TEXT, "Repository", hidden=True, searched=False),
    ),
    key="key",
)

SUBTESTS = redrawn(SIGNATURES, hidden=("suite",), test=26)  # of one suite, which the title names

DATA = Schema(
    (
        Column("push_time", Kind.TIME, "Pushed"),
        Column("value", Kind.NUMBER, "Value"),
        Column("revision", Kind.ID, "Revision"),
        numbered("push_id", "Push"),
        numbered("job_id", "Job"),
        numbered("datum_id", "Datum"),
        numbered("signature_id", "Signature"),
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
        numbered("job_id", "Job"),
        Column("submit_time", Kind.TIME, "Submitted"),
        numbered("framework_id", "Framework id"),
        numbered("signature_id", "Signature"),
        numbered("parent_id", "Parent"),
        Column("signature_hash", Kind.ID, "Hash"),
        Column("alert_threshold", Kind.NUMBER, "Alert threshold"),
        Column("alert_change_type", Kind.TEXT, "Alert change"),
        Column("repository", Kind.TEXT, "Repository"),
    ),
    key="key",
)

SUMMARIES = Schema(
    (
        numbered("summary_id", "Alert"),
        Column("status", Kind.STATE, "Status", width=14),
        Column("worst_percent", Kind.NUMBER, "Largest %"),
        Column("title", Kind.TEXT, "Suites", width=24),
        Column("framework", Kind.TEXT, "Framework"),
        Column("repository", Kind.TEXT, "Repository"),
        Column("regressions", Kind.COUNT, "Regr."),
        Column("improvements", Kind.COUNT, "Impr."),
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
        numbered("push_id", "Push", hidden=True),
        numbered("prev_push_id", "Previous push id", hidden=True),
        numbered("issue_tracker", "Tracker", hidden=True),
        numbered("framework_id", "Framework id", hidden=True),
        Column("original_prev_revision", Kind.ID, "Push before the original", hidden=True, searched=False),
        Column("assignee_email", Kind.TEXT, "Assignee's address", hidden=True),
    ),
    key="key",
)

ALERTS = Schema(
    (
        Column("change", Kind.STATE, "Change", width=12),
        Column("percent", Kind.NUMBER, "Δ %"),
        Column("suite", Kind.TEXT, "Suite", width=16),
        Column("test", Kind.TEXT, "Test", width=14),
        Column("platform", Kind.TEXT, "Platform", width=19),
        Column("status", Kind.STATE, "Status", width=12),
        Column("options", Kind.TEXT, "Options", width=20),
        Column("prev_value", Kind.NUMBER, "Before"),
        Column("new_value", Kind.NUMBER, "After"),
        Column("amount", Kind.NUMBER, "Δ"),
        Column("unit", Kind.TEXT, "Unit"),
        Column("t", Kind.NUMBER, "t (alert)"),
        Column("noise", Kind.TEXT, "Noise"),
        Column("better", Kind.TEXT, "Better"),
        Column("relation", Kind.TEXT, "Relation"),
        Column("starred", Kind.TEXT, "Starred"),
        Column("manual", Kind.TEXT, "Manual"),
        Column("classifier", Kind.TEXT, "Classifier"),
        numbered("alert_id", "Alert"),
        numbered("signature_id", "Signature"),
        Column("task_id", Kind.ID, "Task", hidden=True),
        Column("task_run", Kind.COUNT, "Run", hidden=True),
        Column("prev_task_id", Kind.ID, "Task before", hidden=True),
        Column("prev_task_run", Kind.COUNT, "Run before", hidden=True),
        Column("profile_url", Kind.TEXT, "Profile", hidden=True),
        Column("prev_profile_url", Kind.TEXT, "Profile before", hidden=True),
        numbered("summary_id", "Summary", hidden=True),
        numbered("related_summary_id", "Related summary", hidden=True),
        numbered("listed_in", "Listed in", hidden=True),
        numbered("framework_id", "Framework id", hidden=True),
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
        Column("author", Kind.TEXT, "Author", width=18),
        Column("failed", Kind.COUNT, "Failed"),
        Column("running", Kind.COUNT, "Running"),
        Column("message", Kind.TEXT, "Tip's message", width=50),
        Column("commits", Kind.COUNT, "Commits"),
        Column("success", Kind.COUNT, "OK"),
        Column("pending", Kind.COUNT, "Pending"),
        Column("total", Kind.COUNT, "Jobs done"),
        numbered("push_id", "Push"),
        Column("exception", Kind.COUNT, "Exceptions", hidden=True),
        Column("other", Kind.COUNT, "Other results", hidden=True),
        numbered("repository_id", "Repository id", hidden=True),
    ),
    key="key",
)

JOBS = Schema(
    (
        Column("result", Kind.STATE, "Result", width=12),
        Column("symbol", Kind.TEXT, "Symbol", width=10),
        Column("name", Kind.TEXT, "Job", width=34, keeps_end=True),
        Column("duration", Kind.DURATION, "Duration", "s"),
        Column("wait", Kind.DURATION, "Wait", "s"),
        Column("platform", Kind.TEXT, "Platform", width=24, keeps_end=True),
        Column("option", Kind.TEXT, "Build"),
        Column("started", Kind.TIME, "Started"),
        Column("tier", Kind.COUNT, "Tier"),
        Column("classified", Kind.TEXT, "Classified"),
        Column("machine", Kind.TEXT, "Machine"),
        Column("who", Kind.TEXT, "Who"),
        Column("task_id", Kind.ID, "Task"),
        Column("run", Kind.COUNT, "Run"),
        numbered("job_id", "Job id"),
        Column("state", Kind.STATE, "State", hidden=True),
        Column("group", Kind.TEXT, "Group", hidden=True),
        Column("reason", Kind.TEXT, "Reason", hidden=True),
        Column("submitted", Kind.TIME, "Submitted", hidden=True),
        Column("ended", Kind.TIME, "Ended", hidden=True),
        Column("modified", Kind.TIME, "Row written", hidden=True),
        numbered("push_id", "Push", hidden=True),
        Column("job_guid", Kind.ID, "Guid", hidden=True),
        numbered("classification_id", "Classification", hidden=True),
    ),
    key="key",
)
