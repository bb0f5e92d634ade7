"""What a job message needs beyond its schema: the demands of the code that reads it, and what would look wrong.

Sources: treeherder/etl/job_loader.py (owner is read before validation; taskId is split at its slash when something
goes wrong; errorsummary links become logs; times go through dateutil) and the loader's measured behaviour.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from backends.http.errors import sanitize
from backends.submit.findings import Finding, Level
from backends.submit.forms import Form
from backends.submit.loader_limits import UNKNOWN, beyond_the_schema
from backends.submit.times import epoch_of, stored_time
from backends.submit.validation import is_time

_TASK_RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/[0-9]+", re.IGNORECASE | re.ASCII)
PARSED_NAMES = {
    Form.PULSE: ("live_backing_log", "errorsummary_json"),
    Form.PULSE_2018: ("buildbot_text", "builds-4h", "errorsummary_json"),
}
_WORDS = ("taskId", "buildSystem", "owner", "reason", "productName")
_LOOKED_UP = {"project": "no repository", "revision": "no push"}  # of origin, and what is then not found


def demands(body: Any, form: Form) -> Iterator[Finding]:
    if not isinstance(body, Mapping):
        yield from _no_object(body)
        return
    if "payload" in body and "_meta" in body:
        yield Finding(
            Level.ERROR,
            "$",
            "envelope",
            "this is a Pulse envelope; a job message is the bare job",
            "what stands in payload, without payload and _meta",
        )
        return
    yield from _owner(body)
    if form is Form.PULSE:
        yield from beyond_the_schema(body)
    yield from _task_id(body)
    yield from _line_breaks(body)
    yield from _state_and_result(body, form)
    names = ("timeScheduled", "timeStarted", "timeCompleted")
    yield from _readable_times(body, names)
    yield from times((body.get(names[0]), body.get(names[1]), body.get(names[2])), body.get("state"), "$", names)
    yield from _look(body)
    yield from _logs(body, form)


def _no_object(body: Any) -> Iterator[Finding]:
    if isinstance(body, str):
        yield Finding(
            Level.ERROR,
            "$",
            "envelope",
            "the job is a text that holds JSON, not an object",
            "the object itself; a text would reach its reader as a text",
        )


def _owner(body: Mapping[str, Any]) -> Iterator[Finding]:
    if "owner" not in body:
        yield Finding(
            Level.ERROR,
            "$",
            "owner",
            "Treeherder reads owner before it validates: without it the job is lost",
            'add "owner": who submits it, a text of 1 to 50 characters',
        )


def _task_id(body: Mapping[str, Any]) -> Iterator[Finding]:
    task_id = body.get("taskId")
    if isinstance(task_id, str) and task_id and not _TASK_RUN.fullmatch(task_id):
        yield Finding(
            Level.WARNING,
            "$.taskId",
            "taskId",
            "no <uuid>/<run>: when the push is not known yet, Treeherder fails on it instead of waiting",
            "a UUID, a slash and the number of the run",
        )


def _line_breaks(body: Mapping[str, Any]) -> Iterator[Finding]:
    """`$` matches before a last line break, so the schema lets one pass. What is only stored is stored with it."""
    for name in _WORDS:
        value = body.get(name)
        if isinstance(value, str) and value.endswith("\n"):
            message = "ends with a line break, which is stored with it"
            yield Finding(Level.WARNING, f"$.{name}", "line-break", message, "the same without it")
    origin = body.get("origin")
    for name, found in _LOOKED_UP.items():
        value = origin.get(name) if isinstance(origin, Mapping) else None
        if isinstance(value, str) and value.endswith("\n"):
            message = f"ends with a line break: Treeherder finds {found} of that name, and the job is lost"
            yield Finding(Level.ERROR, f"$.origin.{name}", "line-break", message, "the same without it")


def _state_and_result(body: Mapping[str, Any], form: Form) -> Iterator[Finding]:
    state, result = body.get("state"), body.get("result")
    if state == "unscheduled" and form is Form.PULSE_2018:  # stored since bug 1066272
        yield Finding(
            Level.WARNING,
            "$.state",
            "state",
            "Treeherder dropped unscheduled jobs until 2026",
            "pending, once it is queued",
        )
    elif state == "completed" and "result" not in body and not body.get("isRetried"):
        yield Finding(
            Level.WARNING,
            "$",
            "result",
            "completed without a result is shown as unknown",
            'add "result": success, fail, exception, ...',
        )
    elif state in ("pending", "running") and result not in (None, "unknown"):
        yield Finding(
            Level.WARNING,
            "$.result",
            "result",
            f"not shown while the job is {state}",
            "leave result out, or state completed",
        )
    if body.get("isRetried") is True and result not in (None, "retry"):
        yield Finding(Level.INFO, "$.isRetried", "result", "isRetried outweighs result: it is shown as retry")
    if result == "retry" and form is Form.PULSE and body.get("isRetried") is not True:
        yield Finding(
            Level.WARNING,
            "$.result",
            "result",
            "the schema takes retry, older loaders fail on it",
            '"isRetried": true and the result of the run',
        )


def _readable_times(body: Mapping[str, Any], names: Iterable[str]) -> Iterator[Finding]:
    for name in names:
        value = body.get(name)
        if isinstance(value, str) and not _is_plain(value) and stored_time(value) is None:
            yield Finding(
                Level.ERROR,
                f"$.{name}",
                "times",
                f"{sanitize(value, 60)!r} is no time that Treeherder can read: it takes the message and loses the job",
                "a time such as 2026-11-21T09:30:00Z; leave it out if there is none",
            )


def _is_plain(value: str) -> bool:
    """An RFC 3339 time that surely is read: no leap second, no first or last year."""
    return is_time(value) and ":60" not in value and value[:4] not in ("0001", "9999")


Three = tuple[Any, Any, Any]
Names = tuple[str, str, str]


def times(given: Three, state: Any, at: str, names: Names) -> Iterator[Finding]:
    """Whether the three times of a job are there and in order. `at`, `names`: where they stand and their names."""
    found = dict(zip(names, map(epoch_of, given), strict=True))
    needed = {"completed": names, "running": names[:2], "pending": names[:1]}.get(str(state), ())
    missing = ", ".join(name for name, value in zip(names, given, strict=True) if name in needed and value is None)
    if missing:
        effect = "a duration" if state == "completed" else "it"
        message = f"{state}, but no {missing}: shown without {effect}"
        yield Finding(Level.WARNING, at, "times", message, f"add {missing}")
    for earlier, later in pairwise(names):
        before, after = found[earlier], found[later]
        if before is not None and after is not None and after < before:
            yield Finding(Level.WARNING, f"{at}.{later}", "times", f"lies before {earlier}", "the times in order")


def _look(body: Mapping[str, Any]) -> Iterator[Finding]:
    display = body.get("display")
    if isinstance(display, Mapping) and display.get("jobSymbol") == "" and "chunkId" not in display:
        yield Finding(
            Level.INFO,
            "$.display.jobSymbol",
            "symbol",
            f"an empty symbol is stored and shown as {UNKNOWN}",
            "one to four letters, or add chunkId",
        )
    if "buildMachine" not in body and "runMachine" not in body:
        yield Finding(
            Level.WARNING,
            "$",
            "platform",
            "without a machine the platform row is called unknown",
            'add "runMachine": {"platform": ..., "os": ..., "architecture": ...}',
        )
    if not body.get("labels"):
        yield Finding(
            Level.INFO, "$", "labels", "without labels the platform row has no opt, debug ...", 'add "labels": ["opt"]'
        )


def _logs(body: Mapping[str, Any], form: Form) -> Iterator[Finding]:
    logs = body.get("logs")
    for number, log in enumerate(logs if isinstance(logs, list) else ()):
        name = log.get("name") if isinstance(log, Mapping) else None
        if isinstance(name, str) and name not in PARSED_NAMES[form] and not log.get("steps"):
            yield Finding(
                Level.INFO,
                f"$.logs[{number}].name",
                "log-name",
                "linked, but not parsed for failure lines",
                f"one of {', '.join(PARSED_NAMES[form])}, if it shall be parsed",
            )
