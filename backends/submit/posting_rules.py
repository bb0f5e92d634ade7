"""What a server of 2018 made of a posted job collection: what it generated, cut, ignored and lost.

The five posting rules are those of "Some Specific Collection POSTing Rules" in Treeherder's docs/submitting_data; where
the server's code (treeherder/etl/jobs.py before ecf4c4e3) did something else, the remark says so. They describe servers
up to September 2018; artifacts were last stored on 2020-05-07. The server answered 200 "Job successfully updated"
whatever became of the jobs, so the lint has to say what the server did not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import polars as pl

from backends.frames.schema import Column, Kind, Schema
from backends.submit.convert import DEFAULT_LOG, LOG_SUMMARY, to_collection
from backends.submit.entries import (
    JobEntry,
    JobForm,
    artifact_content,
    get_object,
    get_objects,
    numbered_objects,
    parse_time,
)
from backends.submit.validation import Findings, Level, LintFinding, error, info, violations, warning

BUGS = "Bug suggestions"
PARSED_LOGS = (DEFAULT_LOG, "builds-4h", "errorsummary_json")
# (state of the logs, has a text_log_summary, has Bug suggestions) -> (rule of the document, what is generated)
_RULES: dict[tuple[str, bool, bool], tuple[int, tuple[str, ...]]] = {
    ("pending", False, False): (1, (LOG_SUMMARY, BUGS)),
    ("pending", False, True): (1, (LOG_SUMMARY, BUGS)),
    ("parsed", True, False): (2, (BUGS,)),
    ("parsed", True, True): (3, ()),
    ("none", True, False): (4, (f"{BUGS} (if the job has none yet)",)),
    ("pending", True, False): (4, (f"{BUGS} (if the job has none yet)",)),
    ("none", True, True): (5, ()),
    ("pending", True, True): (5, ()),
}


@dataclass(frozen=True)
class PostingRule:
    """`rule`: 1 to 5, 0 if none applies. `generates`: the artifacts that the server makes."""

    rule: int
    generates: tuple[str, ...]
    remark: str = ""


def posting_rule(job: Mapping[str, Any]) -> PostingRule:
    """Which rule a collection's `job` falls under, and what the server then generates."""
    logs, artifacts = get_objects(job, "log_references"), {str(a.get("name")) for a in get_objects(job, "artifacts")}
    has_summary = LOG_SUMMARY in artifacts
    parsed = [log for log in logs if log.get("parse_status") == "parsed"]
    assumed = [log for log in logs if has_summary and log.get("name") == DEFAULT_LOG]
    state = "parsed" if parsed or assumed else "pending" if logs else "none"
    rule, generates = _RULES.get((state, has_summary, BUGS in artifacts), (0, ()))
    remark = ""
    if rule == 0 and state == "parsed":
        remark = f"parsed, but no {LOG_SUMMARY}: the log stays unreadable in the Log Viewer"
    elif rule == 0:
        remark = f"no log and no {LOG_SUMMARY}"
    elif rule == 1 and not any(log.get("name") in PARSED_LOGS for log in logs):
        remark = f"by rule 1 a summary; but the server parses only logs named {', '.join(PARSED_LOGS)}"
        generates = ()
    elif rule == 1 and any(log.get("parse_status") == "error" for log in logs):
        remark = "parse_status error counts as pending"
    elif state == "parsed" and not parsed:
        remark = f"a {DEFAULT_LOG} log that comes with its summary counts as parsed"
    return PostingRule(rule, generates, remark)


@dataclass(frozen=True)
class _RuleRow:
    entry: JobEntry
    job: Mapping[str, Any]
    found: PostingRule

    @property
    def rule(self) -> str:
        return str(self.found.rule or "-")

    @property
    def generates(self) -> str:
        return ", ".join(self.found.generates) or "nothing"

    @property
    def logs(self) -> str:
        logs = get_objects(self.job, "log_references")
        return ", ".join(f"{log.get('name')} ({log.get('parse_status') or 'no parse_status'})" for log in logs)

    @property
    def artifacts(self) -> str:
        return ", ".join(str(artifact.get("name")) for artifact in get_objects(self.job, "artifacts"))


POSTING_RULES = Schema(
    (
        Column("rule", Kind.TEXT, "Rule", get="rule", section="Job"),
        Column("generates", Kind.TEXT, "Treeherder will generate", width=36, get="generates", section="Job"),
        Column("job", Kind.ID, "Job", get="entry.job_id", section="Job"),
        Column("logs", Kind.TEXT, "Logs", get="logs", section="Job"),
        Column("artifacts", Kind.TEXT, "Artifacts", get="artifacts", section="Job"),
        Column("remark", Kind.TEXT, "Remark", get="found.remark", section="Job"),
        Column("place", Kind.TEXT, "Place", get="entry.place", section="Job"),
        Column("file", Kind.TEXT, "File", keeps_end=True, get="entry.file", section="Job"),
    ),
    key="entry",
    key_get="entry.key",
)


def posting_rules_frame(entries: Iterable[JobEntry]) -> pl.DataFrame:
    """One row per job that could be converted to a collection's entry (schema `POSTING_RULES`), in their order."""
    rows = []
    for entry in entries:
        if isinstance(entry.body, Mapping) and entry.form.is_job:
            body = entry.body if entry.form is JobForm.COLLECTION else to_collection(entry.body).body
            if isinstance(job := body.get("job"), Mapping):
                rows.append(_RuleRow(entry, job, posting_rule(job)))
    return POSTING_RULES.build(rows)


# What the lint says about an entry of a collection beyond its schema.

KNOWN_ARTIFACTS = ("Job Info", "buildapi", "performance_data", LOG_SUMMARY)
_CONTENT_TYPES = ("text", "link", "raw_html")
_STEP = ("name", "result", "started_linenumber", "finished_linenumber")
_DETAIL_LIMITS = {"title": 70, "value": 125, "url": 512}
_ARTIFACT = re.compile(r"\$\.job\.artifacts\[\d+\]", re.ASCII)
_STAMPS = ("submit_timestamp", "start_timestamp", "end_timestamp")
_TIMES_OF_A_STATE = {"completed": 3, "running": 2, "pending": 1}
_CUT_EFFECTS = {
    "maxLength": "the server cuts it",
    "oneOf": "the server makes 1970 of it",
    "enum": "the server falls back to another value",
    "maximum": "the server falls back to another value",
    "minimum": "the server falls back to another value",
}


def check_collection(body: Any) -> Findings:
    if not isinstance(body, Mapping):
        return
    yield from _check_revision(body.get("revision"))
    if body.get("coalesced"):
        yield warning("$.coalesced", "coalesced", "the server of 2018 reads only superseded", "superseded")
    job = body.get("job")
    if not isinstance(job, Mapping):
        return
    state, result = job.get("state"), job.get("result")
    if state == "completed" and not result:
        hint = 'add "result": success, testfailed, busted, ...'
        yield warning("$.job", "result", "completed without a result is shown as unknown", hint)
    elif state in ("pending", "running") and result not in (None, "", "unknown"):
        yield warning("$.job.result", "result", f"not shown while the job is {state}", "unknown")
    yield from check_times(job, _STAMPS, state, "$.job")
    for name in _STAMPS:
        value = job.get(name)
        if isinstance(value, int) and value > 100_000_000_000:
            hint = f"{value // 1000}, the seconds since 1970"
            yield warning(f"$.job.{name}", "times", "looks like milliseconds", hint)
    yield from _check_logs(job)
    for number, artifact in numbered_objects(job, "artifacts"):
        yield from _check_artifact(artifact, f"$.job.artifacts[{number}]")


def soften(finding: LintFinding) -> LintFinding:
    """A violation of the schema as what it meant: below `job` the server cut or fell back, it did not refuse."""
    unnamed = finding.rule == "required" and finding.message.startswith("'name' ") and _ARTIFACT.fullmatch(finding.path)
    if unnamed or (finding.rule == "minLength" and _ARTIFACT.fullmatch(finding.path.removesuffix(".name"))):
        message = "the server skips an artifact without a name, and stores the job"
        return warning(finding.path, finding.rule, message, f"a name, one of {', '.join(KNOWN_ARTIFACTS)}")
    effect = _CUT_EFFECTS.get(finding.rule)
    if effect and finding.path.startswith("$.job.") and finding.path != "$.job.job_guid":
        return replace(finding, level=Level.WARNING, message=f"{finding.message}; {effect}")
    return finding


def check_times(holder: Mapping[str, Any], names: tuple[str, str, str], state: Any, path: str) -> Findings:
    """Whether the times of a job (scheduled, started, completed) are there and in order."""
    needed = names[: _TIMES_OF_A_STATE.get(str(state), 0)]
    missing = ", ".join([name for name in needed if holder.get(name) is None])
    if missing:
        effect = "a duration" if state == "completed" else "it"
        yield warning(path, "times", f"{state}, but no {missing}: shown without {effect}", f"add {missing}")
    times = [parse_time(holder.get(name)) for name in names]
    for (earlier, before), (later, after) in pairwise(zip(names, times, strict=True)):
        if before is not None and after is not None and after < before:
            yield warning(f"{path}.{later}", "times", f"lies before {earlier}", "the times in order")


def _check_revision(revision: Any) -> Findings:
    if not isinstance(revision, str) or not revision:
        return
    if not re.fullmatch(r"[0-9a-fA-F]+", revision):
        hint = "the 40 hexadecimal digits of the push's top revision"
        yield error("$.revision", "revision", "is not a hexadecimal number: no push can have it", hint)
    elif len(revision) < 40 or revision != revision.lower():
        message = f"has {len(revision)} digits; only full ones in lower case are sure to find their push"
        yield warning("$.revision", "revision", message, "40 hexadecimal digits in lower case")


def _check_logs(job: Mapping[str, Any]) -> Findings:
    logs = list(numbered_objects(job, "log_references"))
    artifacts = get_objects(job, "artifacts")
    summaries = [artifact_content(artifact) for artifact in artifacts if artifact.get("name") == LOG_SUMMARY]
    lognames = {str(blob.get("logname", DEFAULT_LOG)) for blob in summaries if isinstance(blob, Mapping)}
    for number, log in logs:
        name, state, path = str(log.get("name")), log.get("parse_status"), f"$.job.log_references[{number}]"
        if state == "error":
            message = "the server does not know error and takes it for pending"
            yield warning(f"{path}.parse_status", "parse-status", message, "pending or parsed")
        if state == "parsed" and not summaries:
            message = f"parsed, but no {LOG_SUMMARY} comes with it: the log stays unreadable"
            yield warning(f"{path}.parse_status", "generation", message, f"pending, or add the {LOG_SUMMARY}")
        if state in (None, "pending") and not summaries and name not in PARSED_LOGS:
            hint = f"one of {', '.join(PARSED_LOGS)}, or send its {LOG_SUMMARY}"
            yield warning(f"{path}.name", "log-name", "the server never parses a log of this name", hint)
        if summaries and name != DEFAULT_LOG and name not in lognames:
            message = f"a custom name must also be the logname of the {LOG_SUMMARY}; the Log Viewer finds nothing"
            yield error(f"{path}.name", "custom-log-name", message, f'"logname": "{name}" in its blob')
    if logs and lognames and not lognames & {str(log.get("name")) for _, log in logs}:
        message = f"the summary is for {', '.join(sorted(lognames))}; no log has that name"
        yield error("$.job.artifacts", "custom-log-name", message, "the same name in log_references")
    found = posting_rule(job)
    if found.remark and found.rule in (2, 3):
        yield info("$.job.log_references", "generation", found.remark)


def _check_artifact(artifact: Mapping[str, Any], path: str) -> Findings:
    name, blob = artifact.get("name"), artifact_content(artifact)
    if name == "Job Info":
        yield from _check_job_info(blob, f"{path}.blob")
    elif name == LOG_SUMMARY:
        yield from _check_summary(blob, f"{path}.blob")
    elif name == "performance_data":
        for number, one in enumerate(blob if isinstance(blob, list) else [blob]):
            inner = one.get("performance_data", one) if isinstance(one, Mapping) else one
            index = f"[{number}]" if isinstance(blob, list) else ""
            yield from violations(inner, JobForm.PERFORMANCE, f"{path}.blob{index}")
    elif isinstance(name, str) and name and name not in KNOWN_ARTIFACTS:
        hint = f"one of {', '.join(KNOWN_ARTIFACTS)}"
        yield info(f"{path}.name", "artifact", "the server of 2018 ignores artifacts of this name", hint)


def _check_job_info(blob: Any, path: str) -> Findings:
    details = blob.get("job_details") if isinstance(blob, Mapping) else None
    if not isinstance(details, list):
        hint = '{"job_details": [{"title": ..., "value": ...}]}'
        yield error(path, "job-info", "a Job Info artifact needs job_details, a list", hint)
        return
    for number, detail in enumerate(details):
        yield from _check_detail(detail, f"{path}.job_details[{number}]")


def _check_detail(detail: Any, path: str) -> Findings:
    if not isinstance(detail, Mapping):
        yield error(path, "job-info", "is not an object", '{"title": ..., "value": ...}')
        return
    kind = detail.get("content_type")
    if not detail.get("title"):
        yield error(path, "job-info", "has no title, which every element needs", 'add "title"')
    if kind not in _CONTENT_TYPES:
        problem = "has no content_type" if kind is None else f"has the unknown content_type {kind!r}"
        yield info(path, "job-info", f"{problem}: shown as text", f"one of {', '.join(_CONTENT_TYPES)}")
    if kind == "link" and not detail.get("url"):
        yield error(path, "job-info", "is a link without url", 'add "url", or content_type text')
    if kind == "raw_html":
        yield info(path, "job-info", "raw_html is put into the page unchanged; here it is shown as text")
    for name, most in _DETAIL_LIMITS.items():
        value = detail.get(name)
        if isinstance(value, str) and len(value) > most:
            message = f"has {len(value)} characters; the server cuts it"
            yield warning(f"{path}.{name}", "job-info", message, f"at most {most} characters")


def _check_summary(blob: Any, path: str) -> Findings:
    steps = get_object(blob, "step_data").get("steps")
    if not isinstance(steps, list):
        hint = '{"step_data": {"steps": [...]}, "logurl": ...}'
        yield error(path, LOG_SUMMARY, "the server reads step_data.steps and fails without it", hint)
        return
    for number, step in enumerate(steps):
        missing = ", ".join(name for name in _STEP if not isinstance(step, Mapping) or name not in step)
        if missing:
            message = f"has no {missing}: the server fails on it"
            yield error(f"{path}.step_data.steps[{number}]", LOG_SUMMARY, message, f"add {missing}")
