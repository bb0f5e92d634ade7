"""Findings, and what the schemas say about an entry: errors in jsonschema's words, and what to write instead.

Formats are checked with the schema and reported as warnings: Treeherder itself checks none, it parses the times later,
and what it cannot parse is lost then.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from typing import Any

from backends.http.errors import sanitize
from backends.json_schema import iter_violations, load_schema, quick_check
from backends.submit.entries import JobForm

LONGEST_MESSAGE = 1_000  # characters: jsonschema's messages quote the wrong value


class Level(StrEnum):
    """`error`: a server refuses or loses it. `warning`: it is taken, but not as meant. `info`: good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class LintFinding:
    """`path`: JSON path ("$" for the entry). `rule`: the schema's keyword, or a word of ours. `suggestion`: what to
    write there."""

    level: Level
    path: str
    rule: str
    message: str
    suggestion: str = ""


Findings = Iterator[LintFinding]


# Called as error(path, rule, message, suggestion="").
error = partial(LintFinding, Level.ERROR)
warning = partial(LintFinding, Level.WARNING)
info = partial(LintFinding, Level.INFO)


def _schema_file(form: JobForm) -> tuple[str, str]:
    return ("performance-artifact", "backends") if form is JobForm.PERFORMANCE else (str(form), "backends.submit")


def schema_of(form: JobForm) -> dict[str, Any]:
    """The schema of ONE entry of that form; the same object each time, not to be changed."""
    return load_schema(*_schema_file(form))


@cache
def quick_check_of(form: JobForm) -> Callable[[Any], bool]:
    """Says quickly whether a body has no `violations`; False: they have to be looked for."""
    return quick_check(*_schema_file(form))


def violations(body: Any, form: JobForm, prefix: str = "$") -> Findings:
    """The errors and format warnings of one body. `prefix`: its path within the entry."""
    for violation in iter_violations(body, *_schema_file(form)):
        for leaf in _leaves(violation):
            level = Level.WARNING if leaf.validator == "format" else Level.ERROR
            path = prefix + _json_path(leaf.absolute_path)
            message = sanitize(leaf.message, LONGEST_MESSAGE)
            yield LintFinding(level, path, leaf.validator, message, suggest(leaf, form))


def _leaves(violation: Any) -> Iterator[Any]:
    """The violation itself; for a `oneOf` those of the alternative that was meant, else it only says "none fits"."""
    if violation.validator != "oneOf" or not all("properties" in one for one in violation.validator_value):
        yield violation
        return
    alternatives: dict[int, list[Any]] = {}
    for inner in violation.context:
        alternatives.setdefault(inner.schema_path[0], []).append(inner)
    # Meant is the one whose `kind` is right, else the one with the fewest violations.
    wrong_kind = {n: any(list(one.path)[-1:] == ["kind"] for one in inner) for n, inner in alternatives.items()}
    meant = min(alternatives, key=lambda n: (wrong_kind[n], len(alternatives[n]), n))
    for inner in alternatives[meant]:
        yield from _leaves(inner)


def _json_path(steps: Iterable[str | int]) -> str:
    """`.a.b[0]` for the steps that lead to a value."""
    parts = []
    for step in steps:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", step):
            parts.append(f".{step}")
        else:
            quoted = sanitize(step, 80).replace("'", "\\'")
            parts.append(f"['{quoted}']")
    return "".join(parts)


# Suggestions: the rule in plain words, and the nearest valid value if there is one.

# What people write for a value -> what the message calls it: Treeherder's own words, Taskcluster's, other CIs'.
_VALUES = {
    "testfailed": "fail", "busted": "fail", "failed": "fail", "failure": "fail", "error": "exception",
    "usercancel": "canceled", "cancelled": "canceled", "aborted": "canceled", "passed": "success", "pass": "success",
    "ok": "success", "succeeded": "success", "done": "completed", "finished": "completed", "complete": "completed",
    "in-progress": "running", "started": "running", "queued": "pending", "scheduled": "pending", "tests": "test",
    "builds": "build",
}  # fmt: skip
_COLLECTION_VALUES = {
    **_VALUES, "fail": "testfailed", "failed": "testfailed", "canceled": "usercancel", "cancelled": "usercancel",
}  # fmt: skip
# Names of other forms -> their names in a message.
_MESSAGE_NAMES = {
    "job_guid": "taskId", "guid": "taskId", "project": "origin.project", "revision": "origin.revision",
    "name": "display.jobName", "job_symbol": "display.jobSymbol", "group_symbol": "display.groupSymbol",
    "group_name": "display.groupName", "product_name": "productName", "who": "owner", "desc": "jobInfo.summary",
    "submit_timestamp": "timeScheduled", "start_timestamp": "timeStarted", "end_timestamp": "timeCompleted",
    "machine": "runMachine.name", "build_platform": "buildMachine", "machine_platform": "runMachine",
    "option_collection": "labels", "log_references": "logs", "superseded": "coalesced", "os_name": "os",
    "description": "jobInfo.summary", "collection": "labels",
}  # fmt: skip
_NAMES_OF_2018 = frozenset({"kind", "pushLogID", "pullRequestID", "owner", "steps", "errorsTruncated", "extra"})
# Pattern -> in words, and (if values can be made valid by replacing characters) the characters that it refuses.
_PATTERNS = {
    r"^[\w-]+$": ("only letters, digits, _ and -", r"[^\w-]"),
    "^[A-Za-z0-9_-]+$": ("only letters, digits, _ and -", r"[^A-Za-z0-9_-]"),
    "^[A-Za-z0-9/+-]+$": ("only letters, digits, / + and -", r"[^A-Za-z0-9/+-]"),
    r"^[\w/+-]+$": ("only letters, digits, _ / + and -", r"[^\w/+-]"),
    "^[0-9a-f]+$": ("hexadecimal digits in lower case", ""),
    r"^[\w-]{1,50}$": ("1 to 50 letters, digits, _ and -", ""),
    "^[a-zA-Z0-9-]{1,24}$": ("1 to 24 letters, digits and -", ""),
    "^[0-9]+$": ("digits", ""),
}
_TIME = "a time, e.g. 2026-11-21T09:30:00Z"
# Rule -> what to write; `rule` is its value in the schema, `value` what was written, `schema` the schema around it.
_HINTS: dict[str, Callable[[Any, Any, Mapping[str, Any]], str]] = {
    "pattern": lambda rule, value, schema: _suggest_for_pattern(value, rule),
    "maxLength": lambda rule, value, schema: f"at most {rule} characters; it has {len(value)}",
    "minLength": lambda rule, value, schema: describe(schema),
    "type": lambda rule, value, schema: _suggest_for_type(value, schema),
    "minimum": lambda rule, value, schema: describe(schema),
    "maximum": lambda rule, value, schema: describe(schema),
    "format": lambda rule, value, schema: _suggest_for_format(value, rule),
    "minProperties": lambda rule, value, schema: "at least job_guid",
    "maxItems": lambda rule, value, schema: f"at most {rule} of them",
    "uniqueItems": lambda rule, value, schema: "each one once",
    "oneOf": lambda rule, value, schema: "seconds since 1970 as an integer",
}


def suggest(violation: Any, form: JobForm) -> str:
    """What to write instead, for one violation of jsonschema; "" where its message says it all."""
    rule, wanted, value, schema = (
        violation.validator, violation.validator_value, violation.instance, violation.schema
    )  # fmt: skip
    if rule == "required":
        return _suggest_for_missing(violation.message, schema, form)
    if rule == "enum":
        return _suggest_value(value, wanted, form)
    if rule == "additionalProperties":
        return _suggest_for_unknown(value, list(schema.get("properties", {})), form)
    hint = _HINTS[rule](wanted, value, schema) if rule in _HINTS else ""
    return f"{hint}; ? for no group" if rule == "minLength" and list(violation.path)[-1:] == ["groupSymbol"] else hint


def describe(schema: Mapping[str, Any]) -> str:
    """What a schema wants, in words."""
    if "enum" in schema:
        values = [str(value) for value in schema["enum"]]
        return values[0] if len(values) == 1 else f"one of {', '.join(values)}"
    if "oneOf" in schema and all("properties" in one for one in schema["oneOf"]):
        return "an object with kind, project and revision"
    match schema.get("type"):
        case "string":
            return _describe_text(schema)
        case "integer" | "number" as kind:
            noun = "an integer" if kind == "integer" else "a number"
            low, high = schema.get("minimum"), schema.get("maximum")
            if low is None:
                return noun
            return f"{noun} >= {low:g}" if high is None else f"{noun} from {low:g} to {high:g}"
        case "boolean":
            return "true or false"
        case "array":
            return "a list"
        case "object":
            names = schema.get("required")
            return f"an object with {', '.join(names)}" if names else "an object"
    return "seconds since 1970" if "oneOf" in schema or "$ref" in schema else "a value"


def _describe_text(schema: Mapping[str, Any]) -> str:
    if schema.get("format") == "date-time":
        return _TIME
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if schema.get("pattern") == "^[0-9a-f]+$" and least == most == 40:
        return "40 hexadecimal digits in lower case, the full revision"
    length = "" if most is None else f" of {least} to {most} characters" if least != most else f" of {most} characters"
    rule, _ = _PATTERNS.get(schema.get("pattern", ""), ("", ""))
    return f"a text{length}" + (f", {rule}" if rule else "")


def _suggest_for_missing(message: str, schema: Mapping[str, Any], form: JobForm) -> str:
    match = re.match(r"'(.*)' is a required property", message)
    name = match[1] if match else ""
    if name == "kind" and form is JobForm.PULSE_2018:
        return '"kind": hg.mozilla.org or github.com, or lint it as today\'s form: --form pulse'
    wanted = schema.get("properties", {}).get(name, {})
    return f'add "{name}": {describe({} if "$ref" in wanted else wanted)}'


def _suggest_value(value: Any, wanted: list[Any], form: JobForm) -> str:
    choices = describe({"enum": wanted})
    if not isinstance(value, str):
        return choices
    lower = value.strip().lower()
    synonyms = _COLLECTION_VALUES if form is JobForm.COLLECTION else _VALUES
    near = lower if lower in wanted else synonyms.get(lower)
    if near not in wanted:
        near = next(iter(difflib.get_close_matches(lower, [str(one) for one in wanted], 1, 0.75)), None)
    return f"{near}; {choices}" if near else choices


def _suggest_for_unknown(value: Mapping[str, Any], known: list[str], form: JobForm) -> str:
    unknown = [name for name in value if name not in known][:5]
    old = [name for name in unknown if form is JobForm.PULSE and name in _NAMES_OF_2018]
    hints = [_suggest_name(name, known, form) for name in unknown if name not in old]
    if old:
        hints.append(f"leave out {', '.join(old)}, or lint it as the form until 2018: --form pulse-2018")
    return "; ".join(hints)


def _suggest_name(name: str, known: list[str], form: JobForm) -> str:
    unknown = sanitize(str(name), 60)
    if form is JobForm.PULSE_2018 and name == "id":
        return "pushLogID or pullRequestID instead of id"
    if form.is_pulse and name in _MESSAGE_NAMES:
        return f"{_MESSAGE_NAMES[name]} instead of {unknown}"
    names = {_fold(one): one for one in known}
    near = difflib.get_close_matches(_fold(name), names, 1, 0.8)
    return f"{names[near[0]]} instead of {unknown}" if near else f"leave out {unknown}"


def _fold(name: str) -> str:
    return str(name).replace("_", "").replace("-", "").lower()


def _suggest_for_pattern(value: str, pattern: str) -> str:
    rule, refused = _PATTERNS.get(pattern, (f"a text that matches {pattern}", ""))
    if pattern == "^[0-9a-f]+$" and re.fullmatch("[0-9A-Fa-f]+", value):
        return f"{value.lower()}; {rule}"
    if refused and 0 < len(value) <= 120 and (valid := re.sub(refused, "-", value.strip()).strip("-")):
        return f"{sanitize(valid, 120)}; {rule}"
    return rule


def _suggest_for_type(value: Any, schema: Mapping[str, Any]) -> str:
    wanted, kind = describe(schema), schema.get("type")
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
        return f"a list, e.g. [{sanitize(repr(value), 60)}]".replace("'", '"')
    if kind == "array" and isinstance(value, Mapping):
        return "a list of such objects, also for one: [{...}]"
    return wanted


def _suggest_for_format(value: str, wanted: str) -> str:
    if wanted != "date-time":
        return "a complete URL, e.g. https://host/path"
    text = value.strip()
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}[ Tt]\d{2}:\d{2}:\d{2}(\.\d+)?", text, re.ASCII):
        return f"{text[:10]}T{text[11:]}Z, if that is UTC"
    return _TIME
