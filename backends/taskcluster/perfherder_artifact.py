"""Whether Perfherder would take a perfherder-data file, and if not, what is wrong with it.

The rules are those of Treeherder's schemas/performance-artifact.json (`backends/schemas`). Treeherder refuses a file
for one broken rule; `measurements` reads what can be read and shows the broken rule with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from backends.json_schema import load_schema

_TYPES = {"string": str, "array": list, "object": dict, "boolean": bool}
_LIMITS = {
    "string": ("minLength", "maxLength", " characters"),
    "array": ("minItems", "maxItems", " entries"),
    "number": ("minimum", "maximum", ""),
    "integer": ("minimum", "maximum", ""),
}


def first_violation(value: Any) -> str:
    """The first of the `violations`; "" for a file without any."""
    return next(violations(value), "")


def violations(value: Any) -> Iterator[str]:
    """Where and how a decoded file breaks the rules: "suites[0].subtests[3].value is not a number". Raises nothing."""
    schema = load_schema("performance-artifact")
    return _violations(value, schema, schema.get("definitions", {}), "")


def _violations(value: Any, rule: Mapping[str, Any], definitions: Mapping[str, Any], place: str) -> Iterator[str]:
    rule = {**definitions[rule["$ref"].rpartition("/")[2]], **rule} if "$ref" in rule else rule
    here, kind = place or "the file", rule.get("type", "object")
    if not _has_type(value, kind):
        yield f"{here} is not {'an' if kind[0] in 'aio' else 'a'} {kind}"
        return
    least, most, unit = _LIMITS.get(kind, ("", "", ""))
    size = len(value) if isinstance(value, str | list) else value
    if least in rule and size < rule[least]:
        yield f"{here} is below {rule[least]:g}{unit}"
    if most in rule and size > rule[most]:
        yield f"{here} is above {rule[most]:g}{unit}"
    if "enum" in rule and value not in rule["enum"]:
        yield f"{here} is none of {', '.join(rule['enum'])}"
    if "pattern" in rule and not re.search(rule["pattern"], value):
        yield f"{here} does not match {rule['pattern']}"
    if rule.get("uniqueItems") and len({repr(item) for item in value}) < len(value):
        yield f"{here} has an entry twice"
    if "items" in rule:
        for number, item in enumerate(value):
            yield from _violations(item, rule["items"], definitions, f"{place}[{number}]")
    yield from (f"{here} has no {name}" for name in rule.get("required", ()) if name not in value)
    for name, inner in rule.get("properties", {}).items():
        if name in value:
            yield from _violations(value[name], inner, definitions, f"{place}.{name}" if place else name)


def _has_type(value: Any, kind: str) -> bool:
    if kind not in ("number", "integer"):
        return isinstance(value, _TYPES[kind])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return kind == "number" or isinstance(value, int) or value.is_integer()
