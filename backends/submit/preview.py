"""How Treeherder would show a job: its platform row, group and symbol, colour, tier, times and logs; and how that
differs from what a server has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl

from backends.cancel import CancelToken
from backends.frames.schema import Column, Kind, Schema
from backends.http import Http
from backends.http.errors import NotFoundError
from backends.submit.convert import shown_result, to_collection
from backends.submit.entries import UNKNOWN, JobEntry, JobForm, get_object, get_objects, parse_time
from backends.submit.hawk import fetch_jobs

NO_GROUP = "?"
# ui/helpers/job.js and the colours of ui/css/treeherder-job-buttons.css: failures of tests are orange, of builds red.
COLOURS = {
    "success": "green",
    "testfailed": "orange",
    "busted": "red",
    "exception": "purple",
    "retry": "dark blue",
    "usercancel": "pink",
    "superseded": "light blue",
    "skipped": "grey",
    "unknown": "grey",
    "running": "grey",
    "pending": "light grey",
    "unscheduled": "turquoise",
}


@dataclass(frozen=True)
class JobPreview:
    """One job as it would be shown. Times in milliseconds since 1970."""

    project: str = ""
    revision: str = ""
    platform: str = ""
    symbol: str = ""
    group: str = ""
    name: str = ""
    shown: str = ""
    tier: int | None = None
    scheduled: int | None = None
    started: int | None = None
    ended: int | None = None
    logs: str = ""

    @property
    def colour(self) -> str:
        return COLOURS.get(self.shown, "grey")

    @property
    def duration(self) -> float | None:
        """Seconds."""
        if self.started is None or self.ended is None or self.ended < self.started:
            return None
        return (self.ended - self.started) / 1000


class _PreviewRow(NamedTuple):
    entry: JobEntry
    job: JobPreview
    changes: str


def _time(name: str, label: str, *, hidden: bool = False) -> Column:
    return Column(name, Kind.TIME, label, hidden=hidden, get=f"job.{name}", cell=pl.Int64(), section="Job")


PREVIEW = Schema(
    (
        Column("symbol", Kind.TEXT, "Symbol", get="job.symbol", section="Job"),
        Column("shown", Kind.STATE, "Shown as", get="job.shown", section="Job"),
        Column("platform", Kind.TEXT, "Platform row", get="job.platform", section="Job"),
        Column("changes", Kind.TEXT, "On the server", get="changes", section="Job"),
        Column("name", Kind.TEXT, "Job", width=30, get="job.name", section="Job"),
        Column("tier", Kind.COUNT, "Tier", get="job.tier", section="Job"),
        Column("colour", Kind.TEXT, "Colour", get="job.colour", section="Job"),
        Column("duration", Kind.DURATION, "Duration", "s", get="job.duration", section="Job"),
        _time("started", "Started"),
        Column("logs", Kind.TEXT, "Logs", get="job.logs", section="Job"),
        Column("project", Kind.TEXT, "Project", get="job.project", section="Job"),
        Column("revision", Kind.ID, "Revision", width=12, get="job.revision", section="Job"),
        Column("group", Kind.TEXT, "Group", hidden=True, get="job.group", section="Job"),
        _time("scheduled", "Scheduled", hidden=True),
        _time("ended", "Ended", hidden=True),
        Column("job", Kind.ID, "Job id", hidden=True, get="entry.job_id", section="Job"),
        Column("place", Kind.TEXT, "Place", hidden=True, get="entry.place", section="Job"),
        Column("file", Kind.TEXT, "File", hidden=True, keeps_end=True, get="entry.file", section="Job"),
    ),
    key="entry",
    key_get="entry.key",
)


def preview_frame(entries: Iterable[JobEntry], changes: Mapping[str, str] | None = None) -> pl.DataFrame:
    """One row per job (schema `PREVIEW`), in their order. `changes`: see `compare_with_server`."""
    rows = []
    for entry in entries:
        job = preview_job(entry)
        if job is not None:
            rows.append(_PreviewRow(entry, job, (changes or {}).get(entry.job_id, "")))
    return PREVIEW.build(rows)


def preview_job(entry: JobEntry) -> JobPreview | None:
    """None for what is not a job."""
    if not isinstance(entry.body, Mapping) or not entry.form.is_job:
        return None
    if entry.form is JobForm.COLLECTION:
        return _preview(entry.body, "", [])
    # Links whose text ends in _errorsummary.log are taken for logs, too (job_loader.py).
    links = get_objects(get_object(entry.body, "jobInfo"), "links")
    logs = ["errorsummary_json" for link in links if str(link.get("linkText", "")).endswith("_errorsummary.log")]
    return _preview(to_collection(entry.body).body, shown_result(entry.body), logs)


def _preview(body: Mapping[str, Any], result: str, more_logs: list[str]) -> JobPreview:
    job = get_object(body, "job")
    state = str(job.get("state") or "unknown")
    scheduled, started, ended = map(
        _milliseconds, map(job.get, ("submit_timestamp", "start_timestamp", "end_timestamp"))
    )
    tier = job.get("tier", 1)
    return JobPreview(
        project=_text(body.get("project")),
        revision=_text(body.get("revision")),
        platform=_platform(job),
        symbol=join_symbol(_text(job.get("group_symbol")) or NO_GROUP, _text(job.get("job_symbol")) or UNKNOWN),
        group=_text(job.get("group_name")) or UNKNOWN,
        name=_text(job.get("name")) or UNKNOWN,
        shown=(result or str(job.get("result") or "unknown")) if state == "completed" else state,
        tier=tier if type(tier) is int and abs(tier) < 1 << 31 else None,
        scheduled=scheduled,
        started=started,
        ended=ended,
        logs=", ".join([*(_text(log.get("name")) for log in get_objects(job, "log_references")), *more_logs]),
    )


def join_symbol(group: str, job: str) -> str:
    """`SM(e)`; without a group (its symbol is ?) the job's symbol alone."""
    return job if group in ("", NO_GROUP) else f"{group}({job})"


def _platform(job: Mapping[str, Any]) -> str:
    """`linux64 opt`: the platform, preferably the one it was built for, and its options in alphabetical order."""
    machine = get_object(job, "build_platform") or get_object(job, "machine_platform")
    options = sorted(str(name) for name, on in get_object(job, "option_collection").items() if on)
    return " ".join([_text(machine.get("platform")) or "unknown", *options])


def _milliseconds(value: Any) -> int | None:
    """0 means "not yet" in a collection."""
    seconds = parse_time(value)
    return round(seconds * 1000) if seconds else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def compare_with_server(entries: Sequence[JobEntry], http: Http, server: str, cancel: CancelToken) -> dict[str, str]:
    """Job id -> "new", "same", or what would change on that Treeherder, e.g. "running → success; tier 1 → 2".

    Raises the `AppError`s of the requests; for a repository that the server does not know it is "no such repository".
    """
    jobs: dict[str, dict[str, JobPreview]] = {}
    for entry in entries:
        job = preview_job(entry)
        if job is not None and job.project and entry.job_id:
            jobs.setdefault(job.project, {})[entry.job_id] = job
    changes: dict[str, str] = {}
    for project, ours in jobs.items():
        try:
            theirs = fetch_jobs(http, server, project, list(ours), cancel)
        except NotFoundError:
            changes.update(dict.fromkeys(ours, "no such repository"))
            continue
        for job_id, job in ours.items():
            changes[job_id] = _difference(job, theirs[job_id]) if job_id in theirs else "new"
    return changes


def _difference(ours: JobPreview, row: Mapping[str, Any]) -> str:
    state, result = str(row.get("state")), str(row.get("result"))
    theirs = result if state == "completed" else state
    if state == "completed" and theirs != ours.shown:
        return f"stays {theirs}: a completed job never changes"
    platform = f"{row.get('platform')} {row.get('platform_option') or ''}".strip()
    pairs = [
        ("", theirs, ours.shown),
        ("", join_symbol(str(row.get("job_group_symbol")), str(row.get("job_type_symbol"))), ours.symbol),
        ("", platform, ours.platform),
        ("tier ", str(row.get("tier")), str(ours.tier)),
        ("started ", _second(_milliseconds(row.get("start_timestamp"))), _second(ours.started)),
        ("ended ", _second(_milliseconds(row.get("end_timestamp"))), _second(ours.ended)),
    ]
    return "; ".join(f"{name}{before} → {after}" for name, before, after in pairs if before != after) or "same"


def _second(milliseconds: int | None) -> str:
    return "-" if milliseconds is None else str(milliseconds // 1000)
