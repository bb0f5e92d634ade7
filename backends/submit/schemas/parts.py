"""The few kinds of value that all these schemas are made of."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

DRAFT_06 = "http://json-schema.org/draft-06/schema#"
WORD = r"^[\w-]+$"
COUNT: Schema = {"type": "integer", "minimum": 0}
ORDINAL: Schema = {"type": "integer", "minimum": 1}
FLAG: Schema = {"type": "boolean"}
WHOLE: Schema = {"type": "integer"}
TEXT: Schema = {"type": "string"}
TIME: Schema = {"type": "string", "format": "date-time"}


def text(least: int, most: int, pattern: str = "", **more: Any) -> Schema:
    """A string of `least` to `most` characters."""
    found: Schema = {"type": "string", "minLength": least, "maxLength": most, **more}
    return {**found, "pattern": pattern} if pattern else found


def upto(most: int, **more: Any) -> Schema:
    return {"type": "string", "maxLength": most, **more}


def word(most: int, pattern: str = WORD) -> Schema:
    return text(1, most, pattern)


def one_of(*values: Any, kind: str = "string") -> Schema:
    return {"type": kind, "enum": list(values)}


def many(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def closed(required: str, **properties: Schema) -> Schema:
    """An object with these properties and no others; `required`: names, separated by blanks."""
    return {**opened(required, **properties), "additionalProperties": False}


def opened(required: str, **properties: Schema) -> Schema:
    found: Schema = {"type": "object", "properties": properties}
    return {**found, "required": required.split()} if required else found


def ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}
