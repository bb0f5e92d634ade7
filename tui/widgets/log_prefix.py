"""What a CI and its tools write before the text of a line: the time, the component, the level.

    prefix = parse_prefix("[task 2026-11-20T08:14:53.502Z] 08:14:53     INFO - TEST-START | gfx")
    prefix.short, prefix.end, prefix.is_usual         "08:14:53 ", 54, True

A narrow terminal shows `short` in place of the first `end` characters; the text behind them is the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LOOKED_AT = 160  # characters; what stands further inside belongs to the text
_DATE = r"\d{4}[-/]\d\d[-/]\d\d"
_CLOCK = r"(?P<clock>[0-2]\d:[0-5]\d:\d\d)(?:[.,]\d{1,9})?(?P<zone>Z|[+-]\d\d:?\d\d)?"
_FORMS = tuple(
    re.compile(form, re.ASCII)
    for form in (
        # Taskcluster, with the time that mozharness repeats
        rf"\[(?P<component>\w[\w:]*) {_DATE}T{_CLOCK}\](?: \d\d:\d\d:\d\d(?= ))?",
        rf"\[(?P<component>\w[\w:]*)\] {_DATE}T{_CLOCK}(?=\s)",
        rf"(?P<level>[A-Z]{{4,5}})\[{_DATE}T{_CLOCK}\]",  # logrus
        rf"\[?{_DATE}[T ]{_CLOCK}\]?(?=\s|$)",
        rf"\[?{_CLOCK}\]?(?=\s)",
        rf"(?P<letter>[IWEF])\d{{4}} {_CLOCK}",  # klog
    )
)
_LEVEL = re.compile(r"\s+(?P<level>[A-Z]{4,8})(?:\s+-|:)?\s", re.ASCII)
_USUAL = frozenset({"INFO", "DEBUG", "I"})
_UNSAID = frozenset({"INFO", "I", ""})  # levels that a short prefix leaves out
_COMPONENT = "task"  # of Taskcluster, on nearly all lines
_LEVELS = _USUAL | {"TRACE", "NOTICE", "WARN", "WARNING", "ERROR", "CRITICAL", "FATAL", "PANIC", "W", "E", "F"}


@dataclass(frozen=True)
class LogPrefix:
    """`short` ends with a space unless it is empty; `end`: the characters of the line that it stands for; `is_usual`:
    whether the line says of itself that it is only information."""

    short: str
    end: int
    is_usual: bool


def parse_prefix(text: str) -> LogPrefix | None:
    """None for a line that does not begin with a time."""
    head = text[:_LOOKED_AT]
    for form in _FORMS:
        if found := form.match(head):
            break
    else:
        return None
    said = found.groupdict()
    level, end = said.get("level") or said.get("letter") or "", found.end()
    behind = _LEVEL.match(head, end) if not level else None
    if behind is not None and behind["level"] in _LEVELS:
        level, end = behind["level"], behind.end()
    parts = [said["clock"] + ("" if said["zone"] in (None, "Z") else said["zone"])]
    component = said.get("component") or _COMPONENT
    if component != _COMPONENT:
        parts.append(f"[{component}]")
    if level not in _UNSAID:
        parts.append(level)
    end += len(head[end:]) - len(head[end:].lstrip(" "))
    return LogPrefix(" ".join(parts) + " ", end, level in _USUAL)
