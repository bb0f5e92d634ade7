"""What an entry of a job collection needs beyond its schema, so that the server shows what was meant.

It answered 200 "Job successfully updated" whatever became of the jobs: limits were applied by cutting, errors in one
job were swallowed (treeherder/etl/jobs.py before ecf4c4e3). So the lint has to say what the server did not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from backends.submit.findings import Finding, Level
from backends.submit.generation import DEFAULT_LOG, PARSED_LOGS, TLS, artifacts_of, blob_of, generation, logs_of
from backends.submit.rules_message import times

_KNOWN_ARTIFACTS = frozenset({"performance_data", "Job Info", TLS, "buildapi"})
_CONTENT_TYPES = ("text", "link", "raw_html")
_STEP = ("name", "result", "started_linenumber", "finished_linenumber")
_DETAIL_LIMITS = {"title": 70, "value": 125, "url": 512}
_ARTIFACT = re.compile(r"\$\.job\.artifacts\[\d+\]", re.ASCII)
_STAMPS = ("submit_timestamp", "start_timestamp", "end_timestamp")


def demands(body: Any) -> Iterator[Finding]:
    if not isinstance(body, Mapping):
        return
    yield from _revision(body.get("revision"))
    if body.get("coalesced"):
        yield Finding(
            Level.WARNING,
            "$.coalesced",
            "coalesced",
            "the server of 2018 reads only superseded",
            "superseded instead of coalesced",
        )
    job = body.get("job")
    if not isinstance(job, Mapping):
        return
    state, result = job.get("state"), job.get("result")
    if state == "completed" and not result:
        yield Finding(
            Level.WARNING,
            "$.job",
            "result",
            "completed without a result is shown as unknown",
            'add "result": success, testfailed, busted, ...',
        )
    elif state in ("pending", "running") and result not in (None, "", "unknown"):
        yield Finding(Level.WARNING, "$.job.result", "result", f"not shown while the job is {state}", "unknown")
    yield from times((job.get(_STAMPS[0]), job.get(_STAMPS[1]), job.get(_STAMPS[2])), state, "$.job", _STAMPS)
    yield from _timestamps(job)
    yield from _logs(job)
    for number, artifact in enumerate(artifacts_of(job)):
        yield from _artifact(artifact, f"$.job.artifacts[{number}]")


def advisory(finding: Finding) -> Finding:
    """A violation of the schema as what it meant: below `job` the server cut or fell back, it did not refuse."""
    if _is_unnamed_artifact(finding):
        return Finding(
            Level.WARNING,
            finding.path,
            finding.rule,
            "the server skips an artifact without a name, and stores the job",
            f"a name, one of {', '.join(sorted(_KNOWN_ARTIFACTS))}",
        )
    soft = finding.path.startswith("$.job.") and finding.path != "$.job.job_guid"
    if not soft or finding.rule not in ("maxLength", "enum", "oneOf", "maximum", "minimum"):
        return finding
    effect = {"maxLength": "the server cuts it", "oneOf": "the server makes 1970 of it"}.get(
        finding.rule, "the server falls back to another value"
    )
    return Finding(Level.WARNING, finding.path, finding.rule, f"{finding.message}; {effect}", finding.instead)


def _is_unnamed_artifact(finding: Finding) -> bool:
    if finding.rule == "required":
        return bool(_ARTIFACT.fullmatch(finding.path)) and finding.message.startswith("'name' ")
    return finding.rule == "minLength" and bool(_ARTIFACT.fullmatch(finding.path.removesuffix(".name")))


def _revision(revision: Any) -> Iterator[Finding]:
    if not isinstance(revision, str) or not revision:
        return
    if not re.fullmatch(r"[0-9a-fA-F]+", revision):
        yield Finding(
            Level.ERROR,
            "$.revision",
            "revision",
            "is no hexadecimal number: no push can have it",
            "the 40 hexadecimal digits of the push's top revision",
        )
    elif len(revision) < 40 or revision != revision.lower():
        yield Finding(
            Level.WARNING,
            "$.revision",
            "revision",
            f"has {len(revision)} digits; only whole ones in lower case are sure to find their push",
            "40 hexadecimal digits in lower case",
        )


def _timestamps(job: Mapping[str, Any]) -> Iterator[Finding]:
    for name in _STAMPS:
        value = job.get(name)
        if isinstance(value, int) and value > 100_000_000_000:
            yield Finding(
                Level.WARNING,
                f"$.job.{name}",
                "times",
                "looks like milliseconds",
                f"{value // 1000}, the seconds since 1970",
            )


def _logs(job: Mapping[str, Any]) -> Iterator[Finding]:
    found = generation(job)
    logs = logs_of(job)
    summaries = [blob_of(one) for one in artifacts_of(job) if one.get("name") == TLS]
    lognames = {str(blob.get("logname", DEFAULT_LOG)) for blob in summaries if isinstance(blob, Mapping)}
    for number, log in enumerate(logs):
        name, path = str(log.get("name")), f"$.job.log_references[{number}]"
        if log.get("parse_status") == "error":
            yield Finding(
                Level.WARNING,
                f"{path}.parse_status",
                "parse-status",
                "the server does not know error and takes it for pending",
                "pending or parsed",
            )
        if log.get("parse_status") == "parsed" and not summaries:
            yield Finding(
                Level.WARNING,
                f"{path}.parse_status",
                "generation",
                "parsed, but no text_log_summary comes with it: the log stays unreadable",
                "pending, or add the text_log_summary",
            )
        if log.get("parse_status") in (None, "pending") and not summaries and name not in PARSED_LOGS:
            yield Finding(
                Level.WARNING,
                f"{path}.name",
                "log-name",
                "the server never parses a log of this name",
                f"one of {', '.join(PARSED_LOGS)}, or send its text_log_summary",
            )
        if summaries and name != DEFAULT_LOG and name not in lognames:
            yield Finding(
                Level.ERROR,
                f"{path}.name",
                "custom-log-name",
                "a custom name must also be the logname of the text_log_summary; the Log Viewer finds nothing",
                f'"logname": "{name}" in its blob',
            )
    names = {str(log.get("name")) for log in logs}
    if logs and summaries and lognames and not lognames & names:
        yield Finding(
            Level.ERROR,
            "$.job.artifacts",
            "custom-log-name",
            f"the summary is of {', '.join(sorted(lognames))}; no log has that name",
            "the same name in log_references",
        )
    if found.remark and found.rule in (2, 3):
        yield Finding(Level.INFO, "$.job.log_references", "generation", found.remark)


def _artifact(artifact: Mapping[str, Any], path: str) -> Iterator[Finding]:
    name, blob = artifact.get("name"), blob_of(artifact)
    if name == "Job Info":
        yield from _job_info(blob, f"{path}.blob")
    elif name == TLS:
        yield from _summary(blob, f"{path}.blob")
    elif name == "performance_data":
        yield from _performance(blob, f"{path}.blob")
    elif isinstance(name, str) and name and name not in _KNOWN_ARTIFACTS:
        yield Finding(
            Level.INFO,
            f"{path}.name",
            "artifact",
            "the server of 2018 ignores artifacts of this name",
            f"one of {', '.join(sorted(_KNOWN_ARTIFACTS))}",
        )


def _performance(blob: Any, path: str) -> Iterator[Finding]:
    from backends.submit.forms import Form
    from backends.submit.validation import violations

    for number, one in enumerate(blob if isinstance(blob, list) else [blob]):
        inner = one.get("performance_data", one) if isinstance(one, Mapping) else one
        yield from violations(inner, Form.PERFORMANCE, path if not isinstance(blob, list) else f"{path}[{number}]")


def _job_info(blob: Any, path: str) -> Iterator[Finding]:
    details = blob.get("job_details") if isinstance(blob, Mapping) else None
    if not isinstance(details, list):
        yield Finding(
            Level.ERROR,
            path,
            "job-info",
            "a Job Info artifact needs job_details, a list",
            '{"job_details": [{"title": ..., "value": ...}]}',
        )
        return
    for number, detail in enumerate(details):
        yield from _detail(detail, f"{path}.job_details[{number}]")


def _detail(detail: Any, path: str) -> Iterator[Finding]:
    if not isinstance(detail, Mapping):
        yield Finding(Level.ERROR, path, "job-info", "is no object", '{"title": ..., "value": ...}')
        return
    kind = detail.get("content_type")
    if not detail.get("title"):
        yield Finding(Level.ERROR, path, "job-info", "has no title, which every element needs", 'add "title"')
    if kind not in _CONTENT_TYPES:
        what = "has no content_type" if kind is None else f"has the unknown content_type {kind!r}"
        yield Finding(Level.INFO, path, "job-info", f"{what}: shown as text", f"one of {', '.join(_CONTENT_TYPES)}")
    if kind == "link" and not detail.get("url"):
        yield Finding(Level.ERROR, path, "job-info", "is a link without url", 'add "url", or content_type text')
    if kind == "raw_html":
        yield Finding(Level.INFO, path, "job-info", "raw_html is put into the page as it is; here it is shown as text")
    for name, most in _DETAIL_LIMITS.items():
        value = detail.get(name)
        if isinstance(value, str) and len(value) > most:
            yield Finding(
                Level.WARNING,
                f"{path}.{name}",
                "job-info",
                f"has {len(value)} characters; the server cuts it",
                f"at most {most} characters",
            )


def _summary(blob: Any, path: str) -> Iterator[Finding]:
    data = blob.get("step_data") if isinstance(blob, Mapping) else None
    steps = data.get("steps") if isinstance(data, Mapping) else None
    if not isinstance(steps, list):
        yield Finding(
            Level.ERROR,
            path,
            TLS,
            "the server reads step_data.steps and fails without it",
            '{"step_data": {"steps": [...]}, "logurl": ...}',
        )
        return
    for number, step in enumerate(steps):
        missing = [name for name in _STEP if not isinstance(step, Mapping) or name not in step]
        if missing:
            yield Finding(
                Level.ERROR,
                f"{path}.step_data.steps[{number}]",
                TLS,
                f"has no {', '.join(missing)}: the server fails on it",
                f"add {', '.join(missing)}",
            )
