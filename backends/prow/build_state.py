"""How a build ended, from the three files that say so, none of which need be there, complete, or of one spelling.

The rules are the union of what Prow's own readers do (Spyglass, job-history, TestGrid's updater): the sidecar writes
SUCCESS, FAILURE or ABORTED, crier the ProwJob's state in lower case, and only `passed` decides what passed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

DAY_MS = 86_400_000
ENDED = frozenset({"success", "failure", "aborted", "error"})
WAITING = frozenset({"scheduling", "triggered", "pending"})
RUNNING, INCOMPLETE, UNKNOWN = "running", "incomplete", "unknown"
LIVE = frozenset({RUNNING, *WAITING})
FAILED = frozenset({"failure", "error", "aborted", INCOMPLETE})

_TOO_LATE = "did not complete within 24 hours"

Json = Mapping[str, Any]


def decoded(content: bytes | None) -> Json:
    """The object in a JSON file; an empty one for what is missing, broken, or of another kind."""
    if not content:
        return {}
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def mapping(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def seconds_ms(value: Any) -> int | None:
    """An epoch time in seconds as milliseconds; None for null, texts, NaN and what is no time of a build."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 4e9:
        return None
    return int(value * 1000)


def word(value: Any) -> str:
    return value.strip().lower()[:40] if isinstance(value, str) else ""


def state_of(
    started: Json, finished: Json, prowjob: Json, names: Collection[str], now_ms: float, created_ms: float | None = None
) -> tuple[str, str]:
    """The state in lower case, and a sentence about what is odd ("" if nothing is).

    `created_ms`: when the build was made, if its id says so. The times of the files say nothing: a copy has new ones.
    """
    status = mapping(prowjob.get("status"))
    job_state = word(status.get("state"))
    if seconds_ms(finished.get("timestamp")) is not None:
        return _finished(finished, job_state), ""
    if job_state in ENDED or status.get("completionTime"):
        odd = "finished.json has no time" if "finished.json" in names else "no finished.json"
        return job_state if job_state in ENDED else UNKNOWN, odd
    began = seconds_ms(started.get("timestamp"))
    if began is not None:
        if now_ms - began < DAY_MS:
            return RUNNING, ""
        return INCOMPLETE, _TOO_LATE
    if job_state in WAITING and created_ms is not None and now_ms - created_ms >= DAY_MS:
        return INCOMPLETE, _TOO_LATE
    if job_state in WAITING:
        return job_state, ""
    if "finished.json" in names and finished:
        return _finished(finished, job_state), "finished.json has no time"
    return UNKNOWN, "neither started.json nor prowjob.json tells" if names else "the folder is empty"


def _finished(finished: Json, job_state: str) -> str:
    result = word(finished.get("result"))
    passed = finished.get("passed")
    if passed is True or (passed is None and result == "success"):
        return "success"
    if result in ENDED and result != "success":
        return result
    return job_state if job_state in ENDED and job_state != "success" else "failure"


def may_change(state: str, now_ms: float, created_ms: float | None) -> bool:
    """Whether more files may come: it runs or waits, or nothing tells and its id says that it is younger than a day."""
    young = created_ms is not None and now_ms - created_ms < DAY_MS
    return state in LIVE or (state == UNKNOWN and young)
