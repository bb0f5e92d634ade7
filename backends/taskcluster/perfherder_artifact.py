"""Whether Perfherder would take a perfherder-data file, and if not, what is wrong with it.

The rules are those of Treeherder's schemas/performance-artifact.json. Treeherder refuses a file whole for one broken
rule; we read what can be read (see `measurements_reading`) and say this beside it. Members without a rule are free.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

LARGEST_VALUE = 1e12


@dataclass(frozen=True)
class Rule:
    """What one JSON value must be. `least` and `most`: of a number itself, of a text's length, of a list's."""

    kind: str
    least: float | None = None
    most: float | None = None
    words: tuple[str, ...] = ()
    pattern: str = ""
    unique: bool = False
    items: Rule | None = None
    members: Mapping[str, Rule] = field(default_factory=dict)
    required: tuple[str, ...] = ()


def violations(value: Any) -> Iterator[str]:
    """Where and how a decoded file breaks the rules: "suites[0].subtests[3].value is no number". Raises nothing."""
    return _broken(value, ARTIFACT, "")


def first_violation(value: Any) -> str:
    """ "" for a file without fault."""
    return next(islice(violations(value), 1), "")


def _broken(value: Any, rule: Rule, place: str) -> Iterator[str]:
    here = place or "the whole"
    if not _is(value, rule.kind):
        yield f"{here} is no {rule.kind}"
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
            yield from _broken(item, rule.items, f"{place}[{number}]")
    for name in rule.required:
        if name not in value:
            yield f"{here} has no {name}"
    for name, inner in rule.members.items():
        if name in value:
            yield from _broken(value[name], inner, f"{place}.{name}" if place else name)


def _is(value: Any, kind: str) -> bool:
    if kind in ("number", "integer"):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return kind == "number" or isinstance(value, int) or value.is_integer()
    return isinstance(value, {"text": str, "list": list, "object": dict, "yes or no": bool}[kind])


def _text(least: int | None = None, most: int | None = None, pattern: str = "", words: tuple[str, ...] = ()) -> Rule:
    return Rule("text", least, most, words, pattern)


_VALUE = Rule("number", -LARGEST_VALUE, LARGEST_VALUE)
_FLAG = Rule("yes or no")
_OPTIONS = Rule("list", most=8, unique=True, items=_text(most=100))
_COMMON = {
    "name": _text(most=80),
    "publicName": _text(most=30),
    "value": _VALUE,
    "unit": _text(1, 20),
    "lowerIsBetter": _FLAG,
    "shouldAlert": _FLAG,
    "alertChangeType": _text(words=("absolute", "percentage")),
    "alertThreshold": Rule("number", 0),
    "alertSeverity": _text(words=("critical", "subcritical", "normal")),
}
_WINDOWS = ("minBackWindow", "maxBackWindow", "foreWindow")
_SUBTEST = Rule(
    "object",
    members={**_COMMON, **{name: Rule("number", 1, 255) for name in _WINDOWS}},  # whole in a suite only
    required=("name", "value"),
)
_SUITE = Rule(
    "object",
    members={
        **_COMMON,
        **{name: Rule("integer", 1, 255) for name in _WINDOWS},
        "tags": Rule("list", most=14, unique=True, items=_text(pattern="^[a-zA-Z0-9-]{1,24}$")),
        "extraOptions": _OPTIONS,
        "alertNotifyEmails": _OPTIONS,
        "replicates": Rule("list", items=_VALUE),
        "monitor": _FLAG,
        "subtests": Rule("list", items=_SUBTEST),
    },
    required=("name", "subtests"),
)
_APPLICATIONS = (
    "firefox", "chrome", "chrome-m", "fennec", "geckoview", "refbrow", "fenix", "focus", "safari", "safari-tp",
    "custom-car", "cstm-car-m",
)  # fmt: skip
ARTIFACT = Rule(
    "object",
    members={
        "framework": Rule("object", members={"name": _text()}),
        "application": Rule(
            "object",
            members={"name": _text(most=10, words=_APPLICATIONS), "version": _text(most=40)},
            required=("name",),
        ),
        "os": Rule("object", members={"name": _text(1, 100), "platform_version": _text(1, 100)}),
        "suites": Rule("list", items=_SUITE),
    },
    required=("framework", "suites"),
)
