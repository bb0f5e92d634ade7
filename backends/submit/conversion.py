"""A job in another form: message to collection and back, one dialect to the other, and what has no counterpart.

The correspondence is the one that Treeherder's own loader used (treeherder/etl/job_loader.py): symbol and chunk become
one symbol, jobInfo becomes a Job Info artifact, log steps become a text_log_summary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backends.errors import UsageError
from backends.submit.conversion_parts import (
    artifacts_of_message,
    job_info_of,
    machine_from,
    platform_from,
    steps_of_summary,
    taken,
)
from backends.submit.forms import Body, Entry, Form
from backends.submit.generation import objects
from backends.submit.times import epoch_of, iso_of

BUILD_SYSTEM = "ciexplore"
_RESULTS = {
    "success": "success",
    "exception": "exception",
    "canceled": "usercancel",
    "superseded": "superseded",
    "unknown": "unknown",
    "retry": "retry",
}
_BACK = {
    "success": "success",
    "testfailed": "fail",
    "busted": "fail",
    "exception": "exception",
    "usercancel": "canceled",
    "superseded": "superseded",
    "unknown": "unknown",
}
_TIMES = (("timeScheduled", "submit_timestamp"), ("timeStarted", "start_timestamp"), ("timeCompleted", "end_timestamp"))
_SAME = (("owner", "who"), ("reason", "reason"), ("productName", "product_name"), ("tier", "tier"), ("state", "state"))
_DISPLAY = (("jobName", "name"), ("groupSymbol", "group_symbol"), ("groupName", "group_name"))


@dataclass(frozen=True)
class Converted:
    """`lost`: (JSON path, why) of what the other form has no place for; `made_up`: (path, value) it demanded."""

    body: Body = field(repr=False)
    lost: tuple[tuple[str, str], ...] = ()
    made_up: tuple[tuple[str, str], ...] = ()


def convert(entry: Entry, form: Form) -> Converted:
    """Raises `UsageError` for what is no job or cannot become that form; broken parts are carried over."""
    if entry.broken or not isinstance(entry.body, Mapping):
        raise UsageError(f"{entry.file} {entry.place} is no job that could be converted.", "Lint it first.")
    if not (entry.form.is_job and form.is_job):
        raise UsageError(f"A {entry.form} cannot become a {form}.", "Only jobs can: pulse, pulse-2018, collection.")
    if entry.form is form:
        return Converted(entry.body)
    if form is Form.COLLECTION:
        return to_collection(entry.body)
    if entry.form is Form.COLLECTION:
        return from_collection(entry.body, form)
    return to_2018(entry.body) if form is Form.PULSE_2018 else to_today(entry.body)


def result_shown(message: Mapping[str, Any]) -> str:
    """The result that Treeherder makes of a message: its own word (testfailed, busted, usercancel ...)."""
    if message.get("state") != "completed":
        return "unknown"
    if message.get("isRetried") is True:
        return "retry"
    result = message.get("result", "unknown")
    if result == "fail":
        return "testfailed" if message.get("jobKind") == "test" else "busted"
    return _RESULTS.get(result, "unknown") if isinstance(result, str) else "unknown"


def to_collection(message: Mapping[str, Any]) -> Converted:
    """The collection's entry of a message of either dialect."""
    lost: list[tuple[str, str]] = []
    origin, display = taken(message, "origin"), taken(message, "display")
    job: dict[str, Any] = {"job_guid": message.get("taskId")}
    _copy(message, job, _SAME)
    _copy(display, job, _DISPLAY)
    job["job_symbol"] = f"{display.get('jobSymbol', '')}{display.get('chunkId', '')}"
    job["result"] = result_shown(message)
    for name, stamp in _TIMES:
        seconds = epoch_of(message.get(name))
        if seconds is not None:
            job[stamp] = math.floor(seconds)
            if seconds % 1:
                lost.append((f"$.{name}", "the part of a second"))
        elif name in message:
            lost.append((f"$.{name}", "is no time"))
    _machines(message, job)
    if isinstance(message.get("labels"), list):
        job["option_collection"] = {str(label): True for label in message["labels"]}
    job["log_references"] = _log_references(message)
    if artifacts := artifacts_of_message(message):
        job["artifacts"] = artifacts
    for path, holder, name in _without_counterpart(message, origin, display):
        if name in holder:
            lost.append((path, "a collection has no place for it"))
    body = {
        "project": origin.get("project"),
        "revision": origin.get("revision"),
        "job": job,
        "superseded": message.get("coalesced", []),
    }
    return Converted({key: value for key, value in body.items() if value is not None}, tuple(lost))


def from_collection(entry: Mapping[str, Any], form: Form) -> Converted:
    """The message (of that dialect) of a collection's entry."""
    job = taken(entry, "job")
    lost: list[tuple[str, str]] = []
    made: list[tuple[str, str]] = []
    kind = {"testfailed": "test", "busted": "build"}.get(str(job.get("result")), "other")
    message: dict[str, Any] = {
        "taskId": job.get("job_guid"),
        "buildSystem": BUILD_SYSTEM,
        "jobKind": kind,
        "version": 1,
    }
    made += [("$.buildSystem", BUILD_SYSTEM), ("$.jobKind", kind)]
    message["origin"] = {name: entry[name] for name in ("project", "revision") if name in entry}
    if form is Form.PULSE_2018:
        message["origin"]["kind"] = "hg.mozilla.org"
        made.append(("$.origin.kind", "hg.mozilla.org"))
    for ours, theirs in _SAME:
        if theirs in job:
            message[ours] = job[theirs]
    display = {ours: job[theirs] for ours, theirs in _DISPLAY if theirs in job}
    display["jobSymbol"] = job.get("job_symbol", "?")
    for name, value in (("groupSymbol", "?"), ("jobName", str(job.get("job_symbol") or "unknown"))):
        if not display.get(name):
            display[name] = value
            made.append((f"$.display.{name}", value))
    message["display"] = display
    _result_back(job, message, lost)
    _times_back(job, message, lost)
    _machines_back(job, message, lost)
    _labels_back(job, message, lost)
    if entry.get("superseded"):
        message["coalesced"] = entry["superseded"]
    info, lost_info = job_info_of(job)
    if info:
        message["jobInfo"] = info
    logs, lost_logs = _logs_back(job, form)
    if logs:
        message["logs"] = logs
    lost += [*lost_info, *lost_logs]
    return Converted({k: v for k, v in message.items() if v is not None}, tuple(lost), tuple(made))


def to_2018(message: Mapping[str, Any]) -> Converted:
    """Today's message in the dialect that servers read until 2018."""
    body = dict(message)
    lost: list[tuple[str, str]] = []
    origin = dict(taken(message, "origin"))
    number = origin.pop("id", None)
    origin["kind"] = "hg.mozilla.org"
    if number is not None:
        origin["pushLogID"] = number
    body["origin"] = origin
    if body.get("result") == "retry":
        body["result"], body["isRetried"] = "unknown", True
        lost.append(("$.result", "retry is told by isRetried in that dialect"))
    return Converted(body, tuple(lost), (("$.origin.kind", "hg.mozilla.org"),))


def to_today(message: Mapping[str, Any]) -> Converted:
    """A message of the dialect of 2018 as today's schema wants it."""
    body = {key: value for key, value in message.items() if key != "extra"}
    lost = [("$.extra", "today's schema refuses it")] if "extra" in message else []
    origin = dict(taken(message, "origin"))
    numbers = [origin.pop(name) for name in ("pushLogID", "pullRequestID") if name in origin]
    if numbers:
        origin["id"] = numbers[0]
    for name in ("kind", "owner"):
        if origin.pop(name, None) is not None:
            lost.append((f"$.origin.{name}", "today's schema refuses it"))
    body["origin"] = origin
    logs = message.get("logs")
    if isinstance(logs, list):
        body["logs"] = [
            {k: v for k, v in log.items() if k in ("url", "name")} if isinstance(log, Mapping) else log for log in logs
        ]
        lost += [
            (f"$.logs[{n}].{name}", "today's schema refuses it")
            for n, log in enumerate(logs)
            for name in ("steps", "errorsTruncated")
            if isinstance(log, Mapping) and name in log
        ]
    return Converted(body, tuple(lost))


def _copy(source: Mapping[str, Any], target: dict[str, Any], pairs: tuple[tuple[str, str], ...]) -> None:
    for ours, theirs in pairs:
        if ours in source:
            target[theirs] = source[ours]


def _without_counterpart(message: Mapping[str, Any], origin: Mapping[str, Any], display: Mapping[str, Any]) -> Any:
    for name in ("retryId", "buildSystem", "extra"):
        yield f"$.{name}", message, name
    if result_shown(message) not in ("testfailed", "busted"):  # those two words say what kind of job it was
        yield "$.jobKind", message, "jobKind"
    for name in ("id", "kind", "pushLogID", "pullRequestID", "owner"):
        yield f"$.origin.{name}", origin, name
    yield "$.display.chunkCount", display, "chunkCount"


def _machines(message: Mapping[str, Any], job: dict[str, Any]) -> None:
    build, run = taken(message, "buildMachine"), taken(message, "runMachine")
    if name := (build.get("name") if build else run.get("name")):
        job["machine"] = name
    for stamp, machine in (("build_platform", build or run), ("machine_platform", run or build)):
        if machine:
            job[stamp] = platform_from(machine)


def _log_references(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for log in objects(message.get("logs")):
        state = "parsed" if log.get("steps") else "pending"
        found.append({"url": log.get("url"), "name": log.get("name"), "parse_status": state})
    return found


def _result_back(job: Mapping[str, Any], message: dict[str, Any], lost: list[tuple[str, str]]) -> None:
    result = job.get("result")
    if result is None:
        return
    if result == "retry":
        message["isRetried"] = True
    elif isinstance(result, str) and result in _BACK:
        message["result"] = _BACK[result]
    else:
        message["result"] = "unknown"
        lost.append(("$.job.result", f"a message has no result {result!r}"))


def _times_back(job: Mapping[str, Any], message: dict[str, Any], lost: list[tuple[str, str]]) -> None:
    for name, stamp in _TIMES:
        seconds = epoch_of(job.get(stamp))
        if seconds is not None and seconds > 0:  # 0 is what "not yet" was called
            message[name] = iso_of(seconds)
        elif job.get(stamp):
            lost.append((f"$.job.{stamp}", "is no time"))


def _machines_back(job: Mapping[str, Any], message: dict[str, Any], lost: list[tuple[str, str]]) -> None:
    for stamp, name in (("build_platform", "buildMachine"), ("machine_platform", "runMachine")):
        if platform := taken(job, stamp):
            message[name] = machine_from(platform, job.get("machine"))
    if job.get("machine") and not {"buildMachine", "runMachine"} & message.keys():
        lost.append(("$.job.machine", "a machine needs a platform"))


def _labels_back(job: Mapping[str, Any], message: dict[str, Any], lost: list[tuple[str, str]]) -> None:
    options = taken(job, "option_collection")
    if options:
        message["labels"] = [label for label, on in options.items() if on]
    lost += [(f"$.job.option_collection.{label}", "false means absent") for label, on in options.items() if not on]


def _logs_back(job: Mapping[str, Any], form: Form) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    logs, lost = [], []
    references = job.get("log_references")
    for number, log in enumerate(references if isinstance(references, list) else ()):
        if not isinstance(log, Mapping):
            continue
        one = {name: log[name] for name in ("url", "name") if name in log}
        steps = steps_of_summary(job, log) if form is Form.PULSE_2018 else None
        if steps:
            one.update(steps)
        elif log.get("parse_status") == "parsed":
            lost.append((f"$.job.log_references[{number}].parse_status", "a message's log is always pending"))
        logs.append(one)
    return logs, lost
