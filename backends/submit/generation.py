"""What Treeherder would generate from a job's logs and artifacts: the five posting rules of its document, and its code.

The rules are those of "Some Specific Collection POSTing Rules" in Treeherder's docs/submitting_data (until 2018); where
the server's code (treeherder/etl/jobs.py before ecf4c4e3) did something else, `remark` says so. They describe servers
up to September 2018; artifacts were last stored on 2020-05-07.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from backends.frames.schema import Column, Kind, Schema
from backends.submit.forms import Entry, Form

TLS = "text_log_summary"
BUGS = "Bug suggestions"
DEFAULT_LOG = "buildbot_text"
PARSED_LOGS = (DEFAULT_LOG, "builds-4h", "errorsummary_json")


@dataclass(frozen=True)
class Generation:
    """`rule`: 1 to 5, 0 where none applies. `generates`: the artifacts that the server makes."""

    rule: int
    generates: tuple[str, ...]
    remark: str = ""

    @property
    def sentence(self) -> str:
        return f"Treeherder will generate {' and '.join(self.generates) or 'nothing'}."


GENERATION = Schema(
    (
        Column("rule", Kind.TEXT, "Rule"),
        Column("generates", Kind.TEXT, "Treeherder will generate", width=36),
        Column("job", Kind.ID, "Job"),
        Column("logs", Kind.TEXT, "Logs"),
        Column("artifacts", Kind.TEXT, "Artifacts"),
        Column("remark", Kind.TEXT, "Remark"),
        Column("place", Kind.TEXT, "Place"),
        Column("file", Kind.TEXT, "File", keeps_end=True),
    ),
    key="entry",
)


def generation_frame(entries: Iterable[Entry]) -> pl.DataFrame:
    """One row a job that could be converted to a collection's entry (schema `GENERATION`), in their order."""
    rows: list[tuple[object, ...]] = []
    for entry in entries:
        job = _job(entry)
        if job is None:
            continue
        found = generation(job)
        logs = ", ".join(f"{log.get('name')} ({log.get('parse_status') or 'no parse_status'})" for log in logs_of(job))
        names = ", ".join(str(one.get("name")) for one in artifacts_of(job))
        rows.append(
            (
                entry.key,
                str(found.rule or "-"),
                ", ".join(found.generates) or "nothing",
                entry.job_id,
                logs,
                names,
                found.remark,
                entry.place,
                entry.file,
            )
        )
    return GENERATION.frame(rows)


def _job(entry: Entry) -> Mapping[str, Any] | None:
    if not isinstance(entry.body, Mapping) or not entry.form.is_job:
        return None
    if entry.form is Form.COLLECTION:
        job = entry.body.get("job")
        return job if isinstance(job, Mapping) else None
    from backends.submit.conversion import to_collection

    job = to_collection(entry.body).body.get("job")
    return job if isinstance(job, Mapping) else None


def generation(job: Mapping[str, Any]) -> Generation:
    """Which rule a collection's `job` falls under and what follows."""
    logs, names = logs_of(job), {str(one.get("name")) for one in artifacts_of(job)}
    has_summary, has_bugs = TLS in names, BUGS in names
    states = [_state(log, has_summary) for log in logs]
    if "parsed" in states:
        return _parsed(has_summary, has_bugs, logs)
    if has_summary:
        return Generation(5, ()) if has_bugs else Generation(4, (f"{BUGS} (if the job has none yet)",))
    if not logs:
        return Generation(0, (), "no log and no text_log_summary")
    if not any(log.get("name") in PARSED_LOGS for log in logs):
        names_shown = ", ".join(PARSED_LOGS)
        return Generation(1, (), f"by rule 1 a summary; but the server parses only logs named {names_shown}")
    odd = any(log.get("parse_status") == "error" for log in logs)
    return Generation(1, (TLS, BUGS), "parse_status error counts as pending" if odd else "")


def _parsed(has_summary: bool, has_bugs: bool, logs: list[Mapping[str, Any]]) -> Generation:
    if not has_summary:
        return Generation(0, (), "parsed, but no text_log_summary: the log stays unreadable in the Log Viewer")
    assumed = all(log.get("parse_status") != "parsed" for log in logs)
    remark = f"a {DEFAULT_LOG} log that comes with its summary counts as parsed" if assumed else ""
    return Generation(3, (), remark) if has_bugs else Generation(2, (BUGS,), remark)


def _state(log: Mapping[str, Any], has_summary: bool) -> str:
    if log.get("parse_status") == "parsed" or (has_summary and log.get("name") == DEFAULT_LOG):
        return "parsed"
    return "pending"


def logs_of(job: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return objects(job.get("log_references"))


def artifacts_of(job: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return objects(job.get("artifacts"))


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; none where it is no list."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def blob_of(artifact: Mapping[str, Any]) -> Any:
    """The content of an artifact; clients sent it as an object or as a text that holds JSON."""
    blob = artifact.get("blob")
    if isinstance(blob, str):
        try:
            return json.loads(blob)
        except (ValueError, RecursionError):
            return blob
    return blob
