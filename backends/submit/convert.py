"""A job in another form: message to collection and back, one dialect to the other, Taskcluster task to message.

Messages and collections correspond as in Treeherder's own loader (treeherder/etl/job_loader.py): symbol and chunk are
joined, jobInfo becomes a Job Info artifact, log steps become a text_log_summary. What has no counterpart in the other
form is reported as lost.
"""

from __future__ import annotations

import math
import uuid
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backends.errors import UsageError
from backends.submit.entries import (
    TREEHERDER_ROUTE,
    JobEntry,
    JobForm,
    artifact_content,
    format_time,
    get_object,
    get_objects,
    numbered_objects,
    parse_time,
    stored_symbol,
)

BUILD_SYSTEM = "ciexplore"
DEFAULT_LOG = "buildbot_text"  # the name of a log that Treeherder assumed
LOG_SUMMARY = "text_log_summary"
_SUMMARY_TITLE = "Summary"
# Pairs of names: in a message, in a collection.
_TIMES = (("timeScheduled", "submit_timestamp"), ("timeStarted", "start_timestamp"), ("timeCompleted", "end_timestamp"))
_SAME = (("owner", "who"), ("reason", "reason"), ("productName", "product_name"), ("tier", "tier"), ("state", "state"))
_DISPLAY = (("jobName", "name"), ("groupSymbol", "group_symbol"), ("groupName", "group_name"))
_PLATFORM = (("platform", "platform"), ("os", "os_name"), ("architecture", "architecture"))
_STEP = (
    ("name", "name"),
    ("result", "result"),
    ("lineStarted", "started_linenumber"),
    ("lineFinished", "finished_linenumber"),
    ("timeStarted", "started"),
    ("timeFinished", "finished"),
)
_RESULTS = {
    "success": "success",
    "exception": "exception",
    "canceled": "usercancel",
    "superseded": "superseded",
    "unknown": "unknown",
    "retry": "retry",
}
_MESSAGE_RESULTS = {
    **{theirs: ours for ours, theirs in _RESULTS.items() if ours != "retry"},
    "testfailed": "fail",
    "busted": "fail",
}
_STEP_RESULTS = {"fail": "busted", "canceled": "usercancel"}
_MESSAGE_STEP_RESULTS = {"testfailed": "fail", "busted": "fail", "usercancel": "canceled"}
_NO_PLACE = "a message has no place for it"
_REFUSED = "today's schema refuses it"

Pairs = tuple[tuple[str, str], ...]
Losses = list[tuple[str, str]]


@dataclass(frozen=True)
class ConvertedJob:
    """`lost`: (JSON path, reason) of what the other form has no place for; `made_up`: (path, value) it required."""

    body: Any = field(repr=False)
    lost: Pairs = ()
    made_up: Pairs = ()


def convert(entry: JobEntry, form: JobForm) -> ConvertedJob:
    """Raises `UsageError` for what is not a job or cannot become that form; invalid parts are carried over."""
    if entry.parse_error or not isinstance(entry.body, Mapping):
        raise UsageError(f"{entry.location} is not a job and cannot be converted.", "Lint it first.")
    if not (entry.form.is_job and form.is_job):
        raise UsageError(f"A {entry.form} cannot become a {form}.", "Only jobs can: pulse, pulse-2018, collection.")
    if entry.form is form:
        return ConvertedJob(entry.body)
    if form is JobForm.COLLECTION:
        return to_collection(entry.body)
    if entry.form is JobForm.COLLECTION:
        return from_collection(entry.body, form)
    return to_dialect_2018(entry.body) if form is JobForm.PULSE_2018 else to_dialect_today(entry.body)


def shown_result(message: Mapping[str, Any]) -> str:
    """The result that Treeherder makes of a message, in its own words (testfailed, busted, usercancel ...)."""
    if message.get("state") != "completed":
        return "unknown"
    if message.get("isRetried") is True:
        return "retry"
    result = message.get("result", "unknown")
    if result == "fail":
        return "testfailed" if message.get("jobKind") == "test" else "busted"
    return _RESULTS.get(result, "unknown") if isinstance(result, str) else "unknown"


def to_collection(message: Mapping[str, Any]) -> ConvertedJob:
    """The collection's entry of a message of either dialect."""
    lost: Losses = []
    origin, display = get_object(message, "origin"), get_object(message, "display")
    job = {
        "job_guid": message.get("taskId"),
        **_renamed(message, _SAME),
        **_renamed(display, _DISPLAY),
        "job_symbol": stored_symbol(display),
        "result": shown_result(message),
    }
    for name, stamp in _TIMES:
        seconds = parse_time(message.get(name))
        if seconds is not None:
            job[stamp] = math.floor(seconds)
            if seconds % 1:
                lost.append((f"$.{name}", "the part of a second"))
        elif name in message:
            lost.append((f"$.{name}", "not a time"))
    build, run = get_object(message, "buildMachine"), get_object(message, "runMachine")
    if machine := (build or run).get("name"):
        job["machine"] = machine
    for stamp, platform in (("build_platform", build or run), ("machine_platform", run or build)):
        if platform:
            job[stamp] = _renamed(platform, _PLATFORM)
    if isinstance(message.get("labels"), list):
        job["option_collection"] = {str(label): True for label in message["labels"]}
    job["log_references"] = [
        {"url": log.get("url"), "name": log.get("name"), "parse_status": "parsed" if log.get("steps") else "pending"}
        for log in get_objects(message, "logs")
    ]
    if artifacts := _artifacts_of_message(message):
        job["artifacts"] = artifacts
    without_place = ["retryId", "buildSystem", "extra"]
    if job["result"] not in ("testfailed", "busted"):  # these results say what kind of job it was
        without_place.append("jobKind")
    paths = [f"$.{name}" for name in without_place if name in message]
    paths += [f"$.origin.{n}" for n in ("id", "kind", "pushLogID", "pullRequestID", "owner") if n in origin]
    paths += ["$.display.chunkCount"] if "chunkCount" in display else []
    lost += [(path, "a collection has no place for it") for path in paths]
    body = {
        "project": origin.get("project"),
        "revision": origin.get("revision"),
        "job": job,
        "superseded": message.get("coalesced", []),
    }
    return ConvertedJob(_without_none(body), tuple(lost))


def _artifacts_of_message(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Job Info of `jobInfo`, and a text_log_summary for each log that has steps."""
    job_info = get_object(message, "jobInfo")
    details: list[dict[str, Any]] = []
    if "summary" in job_info:
        details.append({"title": _SUMMARY_TITLE, "value": job_info["summary"], "content_type": "text"})
    details += [
        {"title": link.get("label"), "value": link.get("linkText"), "url": link.get("url"), "content_type": "link"}
        for link in get_objects(job_info, "links")
    ]
    artifacts = [{"type": "json", "name": "Job Info", "blob": {"job_details": details}}] if details else []
    for log in get_objects(message, "logs"):
        if log.get("steps"):
            steps = [
                {**_renamed({**step, **_step_result(step, _STEP_RESULTS)}, _STEP), "errors": step.get("errors", [])}
                for step in get_objects(log, "steps")
            ]
            data = {"steps": steps, "errors_truncated": bool(log.get("errorsTruncated"))}
            blob = {"step_data": data, "logurl": log.get("url"), "logname": log.get("name")}
            artifacts.append({"type": "json", "name": LOG_SUMMARY, "blob": blob})
    return artifacts


def _step_result(step: Mapping[str, Any], results: Mapping[str, str]) -> dict[str, Any]:
    return {"result": results.get(str(step["result"]), step["result"])} if "result" in step else {}


def from_collection(entry: Mapping[str, Any], form: JobForm) -> ConvertedJob:
    """The message (of that dialect) of a collection's entry."""
    job = get_object(entry, "job")
    kind = {"testfailed": "test", "busted": "build"}.get(str(job.get("result")), "other")
    lost: Losses = []
    made_up: Losses = [("$.buildSystem", BUILD_SYSTEM), ("$.jobKind", kind)]
    origin = {name: entry[name] for name in ("project", "revision") if name in entry}
    if form is JobForm.PULSE_2018:
        origin["kind"] = "hg.mozilla.org"
        made_up.append(("$.origin.kind", "hg.mozilla.org"))
    display = {**_renamed(job, _DISPLAY, back=True), "jobSymbol": job.get("job_symbol", "?")}
    for name, value in (("groupSymbol", "?"), ("jobName", str(job.get("job_symbol") or "unknown"))):
        if not display.get(name):
            display[name] = value
            made_up.append((f"$.display.{name}", value))
    message: dict[str, Any] = {
        "taskId": job.get("job_guid"),
        "buildSystem": BUILD_SYSTEM,
        "jobKind": kind,
        "version": 1,
        "origin": origin,
        **_renamed(job, _SAME, back=True),
        "display": display,
        **_message_result(job, lost),
    }
    for name, stamp in _TIMES:
        seconds = parse_time(job.get(stamp))
        if seconds is not None and seconds > 0:  # 0 means "not yet"
            message[name] = format_time(seconds)
        elif job.get(stamp):
            lost.append((f"$.job.{stamp}", "not a time"))
    for stamp, name in (("build_platform", "buildMachine"), ("machine_platform", "runMachine")):
        if platform := get_object(job, stamp):
            named = {"name": job["machine"]} if job.get("machine") else {}
            message[name] = {**named, **_renamed(platform, _PLATFORM, back=True)}
    if job.get("machine") and not {"buildMachine", "runMachine"} & message.keys():
        lost.append(("$.job.machine", "a machine needs a platform"))
    if options := get_object(job, "option_collection"):
        message["labels"] = [label for label, on in options.items() if on]
        lost += [(f"$.job.option_collection.{label}", "false means absent") for label, on in options.items() if not on]
    if entry.get("superseded"):
        message["coalesced"] = entry["superseded"]
    if job_info := _job_info_of_collection(job, lost):
        message["jobInfo"] = job_info
    if logs := _logs_of_collection(job, form, lost):
        message["logs"] = logs
    return ConvertedJob(_without_none(message), tuple(lost), tuple(made_up))


def _message_result(job: Mapping[str, Any], lost: Losses) -> dict[str, Any]:
    result = job.get("result")
    if result is None:
        return {}
    if result == "retry":
        return {"isRetried": True}
    if isinstance(result, str) and result in _MESSAGE_RESULTS:
        return {"result": _MESSAGE_RESULTS[result]}
    lost.append(("$.job.result", f"a message cannot have the result {result!r}"))
    return {"result": "unknown"}


def _job_info_of_collection(job: Mapping[str, Any], lost: Losses) -> dict[str, Any]:
    """`jobInfo` from the Job Info artifact and the description."""
    job_info: dict[str, Any] = {}
    for number, artifact in numbered_objects(job, "artifacts"):
        path = f"$.job.artifacts[{number}]"
        if artifact.get("name") != "Job Info":
            lost.append((path, f"{_NO_PLACE}: {artifact.get('name')}"))
            continue
        for index, detail in numbered_objects(artifact_content(artifact), "job_details"):
            url, title, value = detail.get("url"), detail.get("title"), detail.get("value")
            if url:
                link = {"url": url, "linkText": value or url, "label": title}
                job_info.setdefault("links", []).append(link)
            elif title == _SUMMARY_TITLE and "summary" not in job_info:
                job_info["summary"] = value
            else:
                lost.append((f"{path}.blob.job_details[{index}]", f"{_NO_PLACE}: only links and one summary"))
    if job.get("desc") and "summary" in job_info:
        lost.append(("$.job.desc", "there is a summary already"))
    elif job.get("desc"):
        job_info["summary"] = job["desc"]
    return job_info


def _logs_of_collection(job: Mapping[str, Any], form: JobForm, lost: Losses) -> list[dict[str, Any]]:
    logs = []
    for number, reference in numbered_objects(job, "log_references"):
        log = {name: reference[name] for name in ("url", "name") if name in reference}
        steps = _steps_of_summary(job, reference) if form is JobForm.PULSE_2018 else {}
        if not steps and reference.get("parse_status") == "parsed":
            lost.append((f"$.job.log_references[{number}].parse_status", "a message's log is always pending"))
        logs.append({**log, **steps})
    return logs


def _steps_of_summary(job: Mapping[str, Any], log: Mapping[str, Any]) -> dict[str, Any]:
    """`steps` and `errorsTruncated` of a log from its summary; {} if there is no complete one."""
    for artifact in get_objects(job, "artifacts"):
        summary = artifact_content(artifact)
        if artifact.get("name") != LOG_SUMMARY or not isinstance(summary, Mapping):
            continue
        if summary.get("logname", DEFAULT_LOG) != log.get("name"):
            continue
        data = get_object(summary, "step_data")
        steps = [_message_step(step) for step in get_objects(data, "steps")]
        if not steps or any(step is None for step in steps):
            return {}
        return {"steps": steps, **({"errorsTruncated": True} if data.get("errors_truncated") else {})}
    return {}


def _message_step(step: Mapping[str, Any]) -> dict[str, Any] | None:
    """None if it lacks one of the times that a message requires."""
    message_step = _renamed(step, _STEP, back=True)
    for name in ("timeStarted", "timeFinished"):
        seconds = parse_time(message_step.get(name))
        if seconds is None:
            return None
        message_step[name] = format_time(seconds)
    message_step["result"] = _MESSAGE_STEP_RESULTS.get(str(step.get("result")), step.get("result"))
    if step.get("errors"):
        message_step["errors"] = step["errors"]
    return message_step


def to_dialect_2018(message: Mapping[str, Any]) -> ConvertedJob:
    """Today's message in the dialect that servers read until 2018."""
    lost: Losses = []
    origin = {**get_object(message, "origin"), "kind": "hg.mozilla.org"}
    if (push := origin.pop("id", None)) is not None:
        origin["pushLogID"] = push
    body = {**message, "origin": origin}
    if body.get("result") == "retry":
        body["result"], body["isRetried"] = "unknown", True
        lost.append(("$.result", "that dialect says retry by isRetried"))
    return ConvertedJob(body, tuple(lost), (("$.origin.kind", "hg.mozilla.org"),))


def to_dialect_today(message: Mapping[str, Any]) -> ConvertedJob:
    """A message of the dialect of 2018 as today's schema wants it."""
    body = {key: value for key, value in message.items() if key != "extra"}
    lost = [("$.extra", _REFUSED)] if "extra" in message else []
    origin = dict(get_object(message, "origin"))
    pushes = [origin.pop(name) for name in ("pushLogID", "pullRequestID") if name in origin]
    if pushes:
        origin["id"] = pushes[0]
    lost += [(f"$.origin.{name}", _REFUSED) for name in ("kind", "owner") if origin.pop(name, None) is not None]
    body["origin"] = origin
    if isinstance(message.get("logs"), list):
        body["logs"] = [
            {k: v for k, v in log.items() if k in ("url", "name")} if isinstance(log, Mapping) else log
            for log in message["logs"]
        ]
        lost += [
            (f"$.logs[{number}].{name}", _REFUSED)
            for number, log in numbered_objects(message, "logs")
            for name in ("steps", "errorsTruncated")
            if name in log
        ]
    return ConvertedJob(body, tuple(lost))


def _renamed(holder: Mapping[str, Any], pairs: Pairs, *, back: bool = False) -> dict[str, Any]:
    """The values that are there, under the other name of each pair: a collection's, or (`back`) a message's."""
    if back:
        pairs = tuple((theirs, ours) for ours, theirs in pairs)
    return {new: holder[old] for old, new in pairs if old in holder}


def _without_none(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


# Taskcluster tasks: the mapping of treeherder/etl/taskcluster_pulse/handler.py. The slugid becomes a UUID, the run its
# suffix, the worker the machine, extra.treeherder the display.

NAME_LENGTH = 139  # characters of a task's name that Treeherder keeps
_LOG = "public/logs/live_backing.log"
_RUN_RESULTS = {"completed": "success", "failed": "fail"}


def message_from_task(task_id: str, body: Mapping[str, Any], root: str) -> dict[str, Any] | None:
    """The message that Treeherder makes of a task and its latest run. `body`: {"task": definition, "status": ...}.

    None where the task has no route to Treeherder, no extra.treeherder or no run yet.
    """
    task, runs = get_object(body, "task"), get_objects(get_object(body, "status"), "runs")
    config, metadata = get_object(get_object(task, "extra"), "treeherder"), get_object(task, "metadata")
    routes = treeherder_routes(task.get("routes"))
    route = TREEHERDER_ROUTE.fullmatch(routes[0][1]) if len(routes) == 1 else None
    if not config or route is None or not runs:
        return None
    run = runs[-1]
    number = run.get("runId", len(runs) - 1)
    state = str(run.get("state", "pending"))
    push = {"id": int(route["push"])} if route["push"] and route["push"].isdecimal() else {}
    log_url = f"{root}/api/queue/v1/task/{task_id}/runs/{number}/artifacts/{_LOG}"
    message = {
        "taskId": f"{uuid.UUID(bytes=urlsafe_b64decode(f'{task_id}=='))}/{number}",
        "retryId": number,
        "isRetried": False,
        "buildSystem": "taskcluster",
        "owner": str(metadata.get("owner", ""))[:50],
        "origin": {"project": route["project"], "revision": route["revision"], **push},
        "display": {
            "jobSymbol": str(config.get("symbol", "?")),
            "groupSymbol": config.get("groupSymbol", "?"),
            "jobName": str(metadata.get("name", ""))[:NAME_LENGTH],
            **({"groupName": config["groupName"]} if config.get("groupName") else {}),
        },
        **_run_state(state, run.get("reasonResolved")),
        "tier": config.get("tier", 1),
        "jobKind": config.get("jobKind", "other"),
        "reason": config.get("reason", "scheduled"),
        "timeScheduled": task.get("created"),
        "timeStarted": run.get("started"),
        "timeCompleted": run.get("resolved"),
        "labels": list(config.get("labels") or get_object(config, "collection") or ["opt"]),
        "buildMachine": _machine_of_run(task, config, run),
        "productName": config.get("productName"),
        "jobInfo": {"summary": metadata.get("description", ""), "links": []},
        "logs": [{"name": "live_backing_log", "url": log_url}] if state in _RUN_RESULTS else None,
        "version": 1,
    }
    return _without_none(message)


def treeherder_routes(routes: Any) -> list[tuple[int, str]]:
    """(index, route) of the routes that are Treeherder's."""
    return [
        (number, route)
        for number, route in enumerate(routes if isinstance(routes, list) else ())
        if isinstance(route, str) and route.split(".")[0] == "tc-treeherder"
    ]


def _run_state(state: str, reason: Any) -> dict[str, str]:
    if state == "exception":
        return {"state": "completed", "result": reason if reason in ("canceled", "superseded") else "exception"}
    if state in _RUN_RESULTS:
        return {"state": "completed", "result": _RUN_RESULTS[state]}
    return {"state": state, "result": "unknown"}


def _machine_of_run(task: Mapping[str, Any], config: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, str]:
    machine = get_object(config, "machine")
    worker_type = str(task.get("workerType") or str(task.get("taskQueueId", "unknown")).rpartition("/")[2])
    return {
        "name": str(run.get("workerId", "unknown"))[:50],
        "platform": str(machine.get("platform", worker_type)),
        "os": str(machine.get("os", "-")),
        "architecture": str(machine.get("architecture", "-")),
    }
