"""What a job message needs beyond its schema: the demands of the code that reads it, and what would look wrong.

Sources: treeherder/etl/job_loader.py (owner is read before validation; unscheduled jobs are dropped; taskId is split at
its slash when something goes wrong; errorsummary links become logs) and the loader's measured behaviour.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from backends.submission.findings import Finding, Level
from backends.submission.forms import Form
from backends.submission.times import epoch_of

_TASK_RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/[0-9]+", re.IGNORECASE | re.ASCII)
PARSED_NAMES = {
    Form.PULSE: ("live_backing_log", "errorsummary_json"),
    Form.PULSE_2018: ("buildbot_text", "builds-4h", "errorsummary_json"),
}
OWNER_CUT = 49  # characters that are left of an owner of more than 50
_WORDS = ("taskId", "buildSystem", "owner", "reason", "productName")


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
    yield from _task_id(body)
    yield from _line_breaks(body)
    yield from _state_and_result(body, form)
    names = ("timeScheduled", "timeStarted", "timeCompleted")
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
    owner = body.get("owner")
    if "owner" not in body:
        yield Finding(
            Level.ERROR,
            "$",
            "owner",
            "Treeherder reads owner before it validates: without it the job is lost",
            'add "owner": who submits it, a text of 1 to 50 characters',
        )
    elif isinstance(owner, str) and len(owner) > OWNER_CUT + 1:
        yield Finding(Level.INFO, "$.owner", "owner", f"today's Treeherder keeps the first {OWNER_CUT} characters")


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
    """`$` matches before a last line break, so the schema lets one pass."""
    for name in _WORDS:
        value = body.get(name)
        if isinstance(value, str) and value.endswith("\n"):
            yield Finding(
                Level.ERROR,
                f"$.{name}",
                "line-break",
                "ends with a line break, which the schema overlooks",
                "the same without it",
            )


def _state_and_result(body: Mapping[str, Any], form: Form) -> Iterator[Finding]:
    state, result = body.get("state"), body.get("result")
    if state == "unscheduled":
        yield Finding(
            Level.WARNING, "$.state", "state", "Treeherder drops unscheduled jobs", "pending, once it is queued"
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
            Level.WARNING,
            "$.display.jobSymbol",
            "symbol",
            "an empty symbol leaves nothing to click on",
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
