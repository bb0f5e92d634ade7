"""How Treeherder would draw a job: its platform row, group and symbol, colour, tier, times and logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from backends.frames.schema import Column, Kind, Schema
from backends.submit.conversion import result_shown, to_collection
from backends.submit.conversion_parts import taken
from backends.submit.forms import Entry, Form
from backends.submit.generation import logs_of, objects
from backends.submit.loader_limits import UNKNOWN
from backends.submit.times import epoch_of

NO_GROUP = "?"

PREVIEW = Schema(
    (
        Column("symbol", Kind.TEXT, "Symbol"),
        Column("shown", Kind.STATE, "Shown as"),
        Column("platform", Kind.TEXT, "Platform row"),
        Column("changes", Kind.TEXT, "On the server"),
        Column("name", Kind.TEXT, "Job", width=30),
        Column("tier", Kind.COUNT, "Tier"),
        Column("colour", Kind.TEXT, "Colour"),
        Column("duration", Kind.DURATION, "Duration", "s"),
        Column("started", Kind.TIME, "Started"),
        Column("logs", Kind.TEXT, "Logs"),
        Column("project", Kind.TEXT, "Project"),
        Column("revision", Kind.ID, "Revision", width=12),
        Column("group", Kind.TEXT, "Group", hidden=True),
        Column("scheduled", Kind.TIME, "Scheduled", hidden=True),
        Column("ended", Kind.TIME, "Ended", hidden=True),
        Column("job", Kind.ID, "Job id", hidden=True),
        Column("place", Kind.TEXT, "Place", hidden=True),
        Column("file", Kind.TEXT, "File", hidden=True, keeps_end=True),
    ),
    key="entry",
)
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
class Drawn:
    """One job as it would be drawn. Times in seconds since 1970, `duration` in seconds."""

    project: str
    revision: str
    platform: str
    symbol: str
    group: str
    name: str
    shown: str
    tier: int | None
    scheduled: float | None
    started: float | None
    ended: float | None
    logs: str

    @property
    def colour(self) -> str:
        return COLOURS.get(self.shown, "grey")

    @property
    def duration(self) -> float | None:
        if self.started is None or self.ended is None or self.ended < self.started:
            return None
        return self.ended - self.started


def drawn(entry: Entry) -> Drawn | None:
    """None for what is no job."""
    if not isinstance(entry.body, Mapping) or not entry.form.is_job:
        return None
    if entry.form is Form.COLLECTION:
        return _drawn(entry.body, "")
    message = entry.body
    return _drawn(to_collection(message).body, result_shown(message), _extra_logs(message))


def _drawn(body: Mapping[str, Any], result: str, extra: tuple[str, ...] = ()) -> Drawn:
    job = taken(body, "job")
    state = str(job.get("state") or "unknown")
    shown = (result or str(job.get("result") or "unknown")) if state == "completed" else state
    times = [epoch_of(job.get(name)) for name in ("submit_timestamp", "start_timestamp", "end_timestamp")]
    group = _text(job.get("group_symbol")) or NO_GROUP
    return Drawn(
        project=_text(body.get("project")),
        revision=_text(body.get("revision")),
        platform=_platform(job),
        symbol=symbol(group, _text(job.get("job_symbol")) or UNKNOWN),
        group=_text(job.get("group_name")) or UNKNOWN,
        name=_text(job.get("name")) or UNKNOWN,
        shown=shown,
        tier=_tier(job.get("tier", 1)),
        scheduled=times[0] or None,
        started=times[1] or None,
        ended=times[2] or None,
        logs=", ".join([*(_text(log.get("name")) for log in logs_of(job)), *extra]),
    )


def symbol(group: str, job: str) -> str:
    """`SM(e)`; without a group (its symbol is ?) the job's symbol alone."""
    return job if group in ("", NO_GROUP) else f"{group}({job})"


def _platform(job: Mapping[str, Any]) -> str:
    """`linux64 opt`: the platform, preferably of the machine it was built for, and its options in their order."""
    machine = taken(job, "build_platform") or taken(job, "machine_platform")
    options = sorted(str(name) for name, on in taken(job, "option_collection").items() if on)
    return " ".join([_text(machine.get("platform")) or "unknown", *options])


def _extra_logs(message: Mapping[str, Any]) -> tuple[str, ...]:
    """Links whose text ends in _errorsummary.log are taken for logs, too (job_loader.py)."""
    links = objects(taken(message, "jobInfo").get("links"))
    return tuple("errorsummary_json" for link in links if str(link.get("linkText", "")).endswith("_errorsummary.log"))


def _tier(value: Any) -> int | None:
    return value if type(value) is int and abs(value) < 1 << 31 else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def preview_frame(entries: Iterable[Entry], changes: Mapping[str, str] | None = None) -> pl.DataFrame:
    """One row a job (schema `PREVIEW`), in their order. `changes`: job id -> what the server has else."""
    rows: list[tuple[object, ...]] = []
    for entry in entries:
        one = drawn(entry)
        if one is None:
            continue
        differs = (changes or {}).get(entry.job_id, "")
        rows.append(
            (
                entry.key,
                one.symbol,
                one.shown,
                one.platform,
                differs,
                one.name,
                one.tier,
                one.colour,
                one.duration,
                _ms(one.started),
                one.logs,
                one.project,
                one.revision,
                one.group,
                _ms(one.scheduled),
                _ms(one.ended),
                entry.job_id,
                entry.place,
                entry.file,
            )
        )
    return PREVIEW.frame(rows)


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
