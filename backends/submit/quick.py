"""Whether an entry is certainly valid, found out 15 times faster than by the validator that explains.

jsonschema takes 190 to 400 µs a job, 10,000 jobs 2 to 4 s of a core; nearly all of them are valid. These closures know
the keywords that our schemas use and answer only "certainly valid" or "ask the validator": they may be too strict,
never too lenient (a property test holds them to that).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from backends.submit.forms import Form
from backends.submit.schemas import schema_of
from backends.submit.validation import is_time, is_uri

Check = Callable[[Any], bool]
_KNOWN = frozenset(
    {"$schema", "definitions", "type", "properties", "required", "additionalProperties", "items", "pattern"}
    | {"minLength", "maxLength", "minimum", "maximum", "enum", "format", "$ref", "oneOf", "minProperties"}
    | {"uniqueItems", "minItems", "maxItems"}
)
_FORMATS: dict[str, Check] = {"date-time": is_time, "uri": is_uri}


@cache
def certainly_valid(form: Form) -> Check:
    schema = schema_of(form)
    return _compiled(schema, schema)


def _compiled(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Check:
    if schema.keys() - _KNOWN or schema.get("uniqueItems"):
        return lambda value: False  # a keyword that is not known here: the validator knows it
    if "$ref" in schema:
        return _compiled(root["definitions"][schema["$ref"].rpartition("/")[2]], root)
    if "oneOf" in schema:
        return _one_of([_compiled(one, root) for one in schema["oneOf"]])
    match schema.get("type"):
        case "object":
            return _object(schema, root)
        case "array":
            return _array(schema, root)
        case "string":
            return _text(schema)
        case "integer" | "number" as kind:
            return _number(schema, kind)
        case "boolean":
            return lambda value: value is True or value is False
    if "enum" in schema:
        values = frozenset(schema["enum"])
        return lambda value: isinstance(value, str) and value in values
    return lambda value: not schema


def _one_of(alternatives: list[Check]) -> Check:
    return lambda value: sum(check(value) for check in alternatives) == 1


def _object(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Check:
    required = frozenset(schema.get("required", ()))
    known = {name: _compiled(one, root) for name, one in schema.get("properties", {}).items()}
    others = schema.get("additionalProperties", True)
    rest: Check = (lambda value: others) if isinstance(others, bool) else _compiled(others, root)
    least = schema.get("minProperties", 0)

    def check(value: Any) -> bool:
        if type(value) is not dict or not required <= value.keys() or len(value) < least:
            return False
        return all(known.get(name, rest)(one) for name, one in value.items())

    return check


def _array(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Check:
    items = _compiled(schema["items"], root) if "items" in schema else lambda value: True
    least, most = schema.get("minItems", 0), schema.get("maxItems", float("inf"))
    return lambda value: type(value) is list and least <= len(value) <= most and all(map(items, value))


def _text(schema: Mapping[str, Any]) -> Check:
    least, most = schema.get("minLength", 0), schema.get("maxLength", float("inf"))
    found = re.compile(schema["pattern"]).search if "pattern" in schema else None
    values = frozenset(schema["enum"]) if "enum" in schema else None
    right = _FORMATS[schema["format"]] if "format" in schema else None

    def check(value: Any) -> bool:
        return (
            type(value) is str
            and least <= len(value) <= most
            and (values is None or value in values)
            and (found is None or found(value) is not None)
            and (right is None or right(value))
        )

    return check


def _number(schema: Mapping[str, Any], kind: str) -> Check:
    low, high = schema.get("minimum", float("-inf")), schema.get("maximum", float("inf"))
    values = frozenset(schema["enum"]) if "enum" in schema else None
    types = (int,) if kind == "integer" else (int, float)
    return lambda value: type(value) in types and low <= value <= high and (values is None or value in values)
