"""Locators of lists that are made of other lists. Each of those is a source: a name, its locator, a filter or some
rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from backends.locators.declared import DeclaredLocator, param
from backends.locators.pasted import escape, unescape
from backends.locators.template import KINDS, FieldKind

_PART = "[^~,]"  # of what is written between separators; it is percent-encoded
TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_LIST = re.compile(r"""\blist\s*\(\s*'((?:[^']|'')+)'\s*\)""", re.IGNORECASE)
AGGREGATES = ("count", "sum", "mean", "median", "p95", "min", "max", "failed")  # failed: the share of rows, in percent


def _list_of(item: str) -> str:
    return f"{item}(,{item})*"


@dataclass(frozen=True)
class Source:
    """One list: the text of its locator, and which of its rows: those that a filter leaves, or those with these
    keys."""

    name: str
    locator: str
    filter: str = ""
    keys: tuple[str, ...] = ()

    def text(self) -> str:
        parts = [self.name, self.locator, self.filter, *self.keys]
        while parts[-1] == "":
            parts.pop()
        return "~".join(_escape(part) for part in parts)


@dataclass(frozen=True)
class Condition:
    """A column whose value, written as text, is (or is not) one of some; a missing one is "(none)"."""

    column: str
    values: tuple[str, ...]
    negated: bool = False

    def text(self) -> str:
        return "~".join(_escape(part) for part in ("!" * self.negated + self.column, *self.values))


def _escape(part: str) -> str:
    return escape(part).replace("~", "%7E")


def _parse_sources(text: str) -> tuple[Source, ...]:
    """`NAME~LOCATOR[~FILTER[~KEY...]]`, separated by commas. Raises `ValueError`."""
    found = []
    for part in text.split(","):
        name, locator, *rest = (unescape(one) for one in part.split("~"))
        if not TABLE_NAME.fullmatch(name) or not locator:
            raise ValueError
        while rest and not rest[-1]:
            rest.pop()
        found.append(Source(name, locator, rest[0] if rest else "", tuple(rest[1:])))
    return tuple(found)


def _parse_conditions(text: str) -> tuple[Condition, ...]:
    """`[!]COLUMN~VALUE[~VALUE...]`, separated by commas. Raises `ValueError`."""
    found = []
    for part in text.split(","):
        column, *values = (unescape(one) for one in part.split("~"))
        if not column.removeprefix("!") or not values:
            raise ValueError
        found.append(Condition(column.removeprefix("!"), tuple(values), column.startswith("!")))
    return tuple(found)


class QueryLocator(DeclaredLocator):
    """Base of the locators of queries."""

    system: ClassVar[str] = "query"
    kinds: ClassVar[Mapping[str, FieldKind]] = {
        **KINDS,
        "query": FieldKind(r"(?s:.+)", "a query", "QUERY"),
        "sources": FieldKind(
            _list_of(rf"{TABLE_NAME.pattern}~{_PART}+(~{_PART}*)*"),
            "sources (NAME~LOCATOR, separated by commas)",
            "NAME~LOCATOR",
            _parse_sources,
            lambda sources: ",".join(source.text() for source in sources),
            raw=True,
        ),
        "conditions": FieldKind(
            _list_of(rf"!?[^~,!]{_PART}*(~{_PART}*)+"),
            "conditions (COLUMN~VALUE, separated by commas)",
            "COLUMN~VALUE",
            _parse_conditions,
            lambda conditions: ",".join(one.text() for one in conditions),
            raw=True,
        ),
        "names": FieldKind(
            r"[^,]+(,[^,]+)*", "names of columns", "A,B", lambda text: tuple(text.split(",")), ",".join,
        ),
        "aggregate": FieldKind("|".join(AGGREGATES), f"one of {', '.join(AGGREGATES)}", "count"),
    }  # fmt: skip

    @property
    def is_local(self) -> bool:
        """Whether a list that it is made of is."""
        from backends.systems import is_any_local

        return is_any_local(one.locator for one in getattr(self, "sources", ()))


def find_lists(query: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The query with each `list('LOCATOR')` replaced by the name of a table, and (name, locator) of those."""
    found: dict[str, str] = {}

    def name_of(match: re.Match[str]) -> str:
        locator = match[1].replace("''", "'")
        return found.setdefault(locator, f"list_{len(found) + 1}")

    text = _LIST.sub(name_of, query)
    return text, tuple((name, locator) for locator, name in found.items())


class SqlQuery(
    QueryLocator,
    template="query:sql/{query:query}?from={sources:sources}",
    opens="backends.queries.derived_lists:SqlList",
):
    """What an SQL query gives of lists."""

    query: str = param()
    sources: tuple[Source, ...] = param(default=())
    opened: tuple[Any, ...] = param(default=(), compare=False)  # OpenSource, once its columns are known

    @property
    def is_local(self) -> bool:
        from backends.systems import is_any_local

        return super().is_local or is_any_local(text for _, text in find_lists(self.query)[1])


class PivotTable(
    QueryLocator,
    template="query:pivot/{rows:names}?columns={columns}&value={value}&by={aggregate:aggregate}&from={sources:sources}",
    opens="backends.queries.derived_lists:PivotList",
):
    """The rows of a list counted or summed up by one or more columns, and by the values of another."""

    rows: tuple[str, ...] = param()
    columns: str = param(default="")
    value: str = param(default="")
    aggregate: str = param(default="count")
    sources: tuple[Source, ...] = param(default=())
    opened: tuple[Any, ...] = param(default=(), compare=False)  # OpenSource, once its columns are known
    contents: Any = param(default=None, compare=False)  # SourceRows: the values of a column become columns


class ChosenRows(
    QueryLocator,
    template="query:rows/{conditions:conditions}?from={sources:sources}",
    opens="backends.queries.derived_lists:ChosenRowList",
):
    """The rows of a list that have certain values."""

    conditions: tuple[Condition, ...] = param()
    sources: tuple[Source, ...] = param(default=())
    opened: tuple[Any, ...] = param(default=(), compare=False)


LOCATORS: tuple[type[DeclaredLocator], ...] = (SqlQuery, PivotTable, ChosenRows)
