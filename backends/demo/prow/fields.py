"""What `fields=` leaves of an answer: the partial responses of Google's JSON APIs, `a,b(c,d),e/f` and `*`."""

from __future__ import annotations

import re
from typing import Any

Mask = dict[str, "Mask | None"]
_NAME = re.compile(r"[A-Za-z0-9_*-]+")


class BadMask(ValueError):
    """A selection that cannot be read."""


def mask(text: str) -> Mask:
    """Raises BadMask, whose text is the part that could not be read."""
    found, at = _parsed(text, 0)
    if at != len(text):
        raise BadMask(text[at:])
    return found


def _parsed(text: str, at: int) -> tuple[Mask, int]:
    found: Mask = {}
    while True:
        inside = found
        match = _NAME.match(text, at)
        while match and text.startswith("/", match.end()):
            deeper: Mask = inside.setdefault(match[0], {}) or {}
            inside[match[0]] = deeper
            inside = deeper
            match = _NAME.match(text, match.end() + 1)
        if match is None:
            raise BadMask(text[at:])
        at = match.end()
        below: Mask | None = None
        if text.startswith("(", at):
            below, at = _parsed(text, at + 1)
            if not text.startswith(")", at):
                raise BadMask(text[at:])
            at += 1
        inside[match[0]] = below
        if not text.startswith(",", at):
            return found, at
        at += 1


def chosen(value: Any, wanted: Mask | None) -> Any:
    """The value with only the selected fields; a selected field that it lacks is left out."""
    if wanted is None or wanted == {}:
        return value
    if isinstance(value, list):
        return [chosen(item, wanted) for item in value]
    if not isinstance(value, dict):
        return value
    if "*" in wanted:
        return {name: chosen(item, wanted["*"]) for name, item in value.items()}
    return {name: chosen(value[name], below) for name, below in wanted.items() if name in value}
