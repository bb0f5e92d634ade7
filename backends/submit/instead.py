"""What to write instead of what a schema refuses: the rule in plain words, and the nearest right value where one is."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from backends.http.errors import sanitize
from backends.submit.forms import Form

# What people write for a value, and what the message calls it: Treeherder's own words, Taskcluster's, other CIs'.
_SYNONYMS = {
    "testfailed": "fail",
    "busted": "fail",
    "failed": "fail",
    "failure": "fail",
    "error": "exception",
    "usercancel": "canceled",
    "cancelled": "canceled",
    "aborted": "canceled",
    "passed": "success",
    "pass": "success",
    "ok": "success",
    "succeeded": "success",
    "done": "completed",
    "finished": "completed",
    "complete": "completed",
    "in-progress": "running",
    "started": "running",
    "queued": "pending",
    "scheduled": "pending",
    "tests": "test",
    "builds": "build",
}
_COLLECTION_SYNONYMS = {
    "fail": "testfailed",
    "failed": "testfailed",
    "canceled": "usercancel",
    "cancelled": "usercancel",
}
# Names of one form that were written in another.
_PULSE_NAMES = {
    "job_guid": "taskId",
    "guid": "taskId",
    "project": "origin.project",
    "revision": "origin.revision",
    "name": "display.jobName",
    "job_symbol": "display.jobSymbol",
    "group_symbol": "display.groupSymbol",
    "group_name": "display.groupName",
    "product_name": "productName",
    "who": "owner",
    "desc": "jobInfo.summary",
    "submit_timestamp": "timeScheduled",
    "start_timestamp": "timeStarted",
    "end_timestamp": "timeCompleted",
    "machine": "runMachine.name",
    "build_platform": "buildMachine",
    "machine_platform": "runMachine",
    "option_collection": "labels",
    "log_references": "logs",
    "superseded": "coalesced",
    "os_name": "os",
    "description": "jobInfo.summary",
    "collection": "labels",
}
_OF_2018 = frozenset({"kind", "pushLogID", "pullRequestID", "owner", "steps", "errorsTruncated", "extra"})
_PATTERNS = {
    r"^[\w-]+$": "only letters, digits, _ and -",
    "^[A-Za-z0-9_-]+$": "only letters, digits, _ and -",
    "^[A-Za-z0-9/+-]+$": "only letters, digits, / + and -",
    r"^[\w/+-]+$": "only letters, digits, _ / + and -",
    "^[0-9a-f]+$": "hexadecimal digits in lower case",
    r"^[\w-]{1,50}$": "1 to 50 letters, digits, _ and -",
    "^[a-zA-Z0-9-]{1,24}$": "1 to 24 letters, digits and -",
    "^[0-9]+$": "digits",
}
_BARRED = {
    r"^[\w-]+$": r"[^\w-]",
    "^[A-Za-z0-9_-]+$": r"[^A-Za-z0-9_-]",
    "^[A-Za-z0-9/+-]+$": r"[^A-Za-z0-9/+-]",
    r"^[\w/+-]+$": r"[^\w/+-]",
}


def instead_of(error: Any, form: Form) -> str:
    """The words for one error of the validator; "" where the message says it all."""
    rule, wanted, value, schema = error.validator, error.validator_value, error.instance, error.schema
    match rule:
        case "required":
            return _required(error.message, schema, form)
        case "enum":
            return _enum(value, wanted, form)
        case "additionalProperties":
            return _additional(value, schema, form)
        case "pattern":
            return _pattern(value, wanted)
        case "maxLength":
            return f"at most {wanted} characters; it has {len(value)}"
        case "minLength":
            return (
                f"{described(schema)}; ? for no group"
                if list(error.path)[-1:] == ["groupSymbol"]
                else described(schema)
            )
        case "type":
            return _type(value, schema)
        case "minimum" | "maximum":
            return described(schema)
        case "format":
            return _format(value, wanted)
        case "minProperties":
            return "at least job_guid"
        case "maxItems":
            return f"at most {wanted} of them"
        case "uniqueItems":
            return "each one once"
        case "oneOf":
            return "seconds since 1970 as a whole number"
    return ""


def described(schema: Mapping[str, Any]) -> str:
    """What a schema wants, in words."""
    if "enum" in schema:
        values = [str(value) for value in schema["enum"]]
        return values[0] if len(values) == 1 else f"one of {', '.join(values)}"
    if "oneOf" in schema and all("properties" in one for one in schema["oneOf"]):
        return "an object with kind, project and revision"
    match schema.get("type"):
        case "string":
            return _described_text(schema)
        case "integer" | "number" as kind:
            what = "a whole number" if kind == "integer" else "a number"
            low, high = schema.get("minimum"), schema.get("maximum")
            if low is None:
                return what
            return f"{what} from {low:g} on" if high is None else f"{what} from {low:g} to {high:g}"
        case "boolean":
            return "true or false"
        case "array":
            return "a list"
        case "object":
            names = schema.get("required")
            return f"an object with {', '.join(names)}" if names else "an object"
    return "seconds since 1970" if "oneOf" in schema or "$ref" in schema else "a value"


def _described_text(schema: Mapping[str, Any]) -> str:
    if schema.get("format") == "date-time":
        return "a time such as 2026-11-21T09:30:00Z"
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if schema.get("pattern") == "^[0-9a-f]+$" and least == most == 40:
        return "40 hexadecimal digits in lower case, the whole revision"
    length = "" if most is None else f" of {least} to {most} characters" if least != most else f" of {most} characters"
    rule = _PATTERNS.get(schema.get("pattern", ""), "")
    return f"a text{length}" + (f", {rule}" if rule else "")


def _required(message: str, schema: Mapping[str, Any], form: Form) -> str:
    match = re.match(r"'(.*)' is a required property", message)
    name = match[1] if match else ""
    wanted = schema.get("properties", {}).get(name, {})
    if "$ref" in wanted:
        wanted = {}
    if name == "kind" and form is Form.PULSE_2018:
        return '"kind": hg.mozilla.org or github.com, or lint it as today\'s form: --form pulse'
    return f'add "{name}": {described(wanted)}'


def _enum(value: Any, wanted: list[Any], form: Form) -> str:
    choices = described({"enum": wanted})
    if not isinstance(value, str):
        return choices
    lower = value.strip().lower()
    synonyms = {**_SYNONYMS, **_COLLECTION_SYNONYMS} if form is Form.COLLECTION else _SYNONYMS
    near = lower if lower in wanted else synonyms.get(lower)
    if near not in wanted:
        near = next(iter(difflib.get_close_matches(lower, [str(one) for one in wanted], 1, 0.75)), None)
    return f"{near}; {choices}" if near else choices


def _additional(value: Mapping[str, Any], schema: Mapping[str, Any], form: Form) -> str:
    known = list(schema.get("properties", {}))
    unknown = [name for name in value if name not in known][:5]
    old = [name for name in unknown if form is Form.PULSE and name in _OF_2018]
    words = [_name(name, known, form) for name in unknown if name not in old]
    if old:
        words.append(f"leave out {', '.join(old)}, or lint it as the form until 2018: --form pulse-2018")
    return "; ".join(words)


def _name(name: str, known: Iterable[str], form: Form) -> str:
    shown = sanitize(str(name), 60)
    if form is Form.PULSE_2018 and name == "id":
        return "pushLogID or pullRequestID instead of id"
    if form.is_pulse and name in _PULSE_NAMES:
        return f"{_PULSE_NAMES[name]} instead of {shown}"
    near = difflib.get_close_matches(_folded(name), {_folded(one): one for one in known}, 1, 0.8)
    names = {_folded(one): one for one in known}
    return f"{names[near[0]]} instead of {shown}" if near else f"leave out {shown}"


def _folded(name: str) -> str:
    return str(name).replace("_", "").replace("-", "").lower()


def _pattern(value: str, pattern: str) -> str:
    rule = _PATTERNS.get(pattern, f"what matches {pattern}")
    if pattern == "^[0-9a-f]+$" and re.fullmatch("[0-9A-Fa-f]+", value):
        return f"{value.lower()}; {rule}"
    if (barred := _BARRED.get(pattern)) and 0 < len(value) <= 120:
        mended = re.sub(barred, "-", value.strip()).strip("-")
        if mended:
            return f"{sanitize(mended, 120)}; {rule}"
    return rule


def _type(value: Any, schema: Mapping[str, Any]) -> str:
    wanted = described(schema)
    kind = schema.get("type")
    if value is None:
        return f"{wanted}; leave it out if there is none"
    if kind == "integer" and isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value.strip(), re.ASCII):
        return f"{int(value)} without quotes"
    if kind == "boolean" and isinstance(value, (str, int)):
        guess = {"true": "true", "false": "false", "1": "true", "0": "false"}.get(str(value).strip().lower())
        return f"{guess} without quotes" if guess else wanted
    if kind == "string" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return f'"{value}" in quotes'
    if kind == "array" and isinstance(value, str):
        return f"a list, such as [{sanitize(repr(value), 60)}]".replace("'", '"')
    if kind == "array" and isinstance(value, Mapping):
        return "a list of such objects, also for one: [{...}]"
    return wanted


def _format(value: str, wanted: str) -> str:
    if wanted != "date-time":
        return "a whole address, such as https://host/path"
    text = value.strip()
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}[ Tt]\d{2}:\d{2}:\d{2}(\.\d+)?", text, re.ASCII):
        return f"{text[:10]}T{text[11:]}Z, if that is UTC"
    return "a time such as 2026-11-21T09:30:00Z"
