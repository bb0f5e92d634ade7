"""Whether Perfherder would take a perfherder-data file, and if not, what is wrong with it.

The rules are those of Treeherder's schemas/performance-artifact.json. Treeherder refuses a file for one broken rule;
`measurements` reads what can be read and shows the broken rule with it. Members without a rule are free.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

LARGEST_VALUE = 1e12
_TYPES = {"string": str, "array": list, "object": dict, "boolean": bool}


@dataclass(frozen=True)
class JsonRule:
    """What one JSON value must be. `least` and `most`: of a number itself, of a text's length, of a list's."""

    kind: str
    least: float | None = None
    most: float | None = None
    words: tuple[str, ...] = ()
    pattern: str = ""
    unique: bool = False
    items: JsonRule | None = None
    members: Mapping[str, JsonRule] = field(default_factory=dict)
    required: tuple[str, ...] = ()


def first_violation(value: Any) -> str:
    """The first of the `violations`; "" for a file without any."""
    return next(violations(value), "")


def violations(value: Any) -> Iterator[str]:
    """Where and how a decoded file breaks the rules: "suites[0].subtests[3].value is not a number". Raises nothing."""
    return _violations(value, ARTIFACT, "")


def _violations(value: Any, rule: JsonRule, place: str) -> Iterator[str]:
    here = place or "the file"
    if not _has_kind(value, rule.kind):
        yield f"{here} is not {'an' if rule.kind[0] in 'aio' else 'a'} {rule.kind}"
        return
    size = len(value) if isinstance(value, str | list) else value
    unit = " characters" if isinstance(value, str) else " entries" if isinstance(value, list) else ""
    if rule.least is not None and size < rule.least:
        yield f"{here} is below {rule.least:g}{unit}"
    if rule.most is not None and size > rule.most:
        yield f"{here} is above {rule.most:g}{unit}"
    if rule.words and value not in rule.words:
        yield f"{here} is none of {', '.join(rule.words)}"
    if rule.pattern and not re.search(rule.pattern, value):
        yield f"{here} does not match {rule.pattern}"
    if rule.unique and len({repr(item) for item in value}) < len(value):
        yield f"{here} has an entry twice"
    if rule.items is not None:
        for number, item in enumerate(value):
            yield from _violations(item, rule.items, f"{place}[{number}]")
    yield from (f"{here} has no {name}" for name in rule.required if name not in value)
    for name, inner in rule.members.items():
        if name in value:
            yield from _violations(value[name], inner, f"{place}.{name}" if place else name)


def _has_kind(value: Any, kind: str) -> bool:
    if kind not in ("number", "integer"):
        return isinstance(value, _TYPES[kind])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return kind == "number" or isinstance(value, int) or value.is_integer()


def _text(
    least: int | None = None, most: int | None = None, pattern: str = "", words: tuple[str, ...] = ()
) -> JsonRule:
    return JsonRule("string", least, most, words, pattern)


_VALUE = JsonRule("number", -LARGEST_VALUE, LARGEST_VALUE)
_FLAG = JsonRule("boolean")
_OPTIONS = JsonRule("array", most=8, unique=True, items=_text(most=100))
_COMMON = {
    "name": _text(most=80),
    "publicName": _text(most=30),
    "value": _VALUE,
    "unit": _text(1, 20),
    "lowerIsBetter": _FLAG,
    "shouldAlert": _FLAG,
    "alertChangeType": _text(words=("absolute", "percentage")),
    "alertThreshold": JsonRule("number", 0),
    "alertSeverity": _text(words=("critical", "subcritical", "normal")),
}
_WINDOWS = ("minBackWindow", "maxBackWindow", "foreWindow")
_SUBTEST = JsonRule(
    "object",
    members={**_COMMON, **{name: JsonRule("number", 1, 255) for name in _WINDOWS}},  # integers in a suite only
    required=("name", "value"),
)
_SUITE = JsonRule(
    "object",
    members={
        **_COMMON,
        **{name: JsonRule("integer", 1, 255) for name in _WINDOWS},
        "tags": JsonRule("array", most=14, unique=True, items=_text(pattern="^[a-zA-Z0-9-]{1,24}$")),
        "extraOptions": _OPTIONS,
        "alertNotifyEmails": _OPTIONS,
        "replicates": JsonRule("array", items=_VALUE),
        "monitor": _FLAG,
        "subtests": JsonRule("array", items=_SUBTEST),
    },
    required=("name", "subtests"),
)
_APPLICATIONS = (
    "firefox", "chrome", "chrome-m", "fennec", "geckoview", "refbrow", "fenix", "focus", "safari", "safari-tp",
    "custom-car", "cstm-car-m",
)  # fmt: skip
ARTIFACT = JsonRule(
    "object",
    members={
        "framework": JsonRule("object", members={"name": _text()}),
        "application": JsonRule(
            "object",
            members={"name": _text(most=10, words=_APPLICATIONS), "version": _text(most=40)},
            required=("name",),
        ),
        "os": JsonRule("object", members={"name": _text(1, 100), "platform_version": _text(1, 100)}),
        "suites": JsonRule("array", items=_SUITE),
    },
    required=("framework", "suites"),
)
