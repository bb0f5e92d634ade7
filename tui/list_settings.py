"""How a list is shown, as values that a file can hold: columns, sort, filter. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

MAX_NAMES = 400  # of columns; what a file says beyond that is ignored
MAX_TEXT = 4_000  # characters of a filter
_WIDTHS = range(3, 1_001)  # cells


@dataclass(frozen=True)
class ColumnArrangement:
    """`order`: the names of all columns; `hidden` and `frozen` are among them. `frozen`: None: the table's own choice.

    `widths`: (name, cells) of the columns that the user has widened or narrowed.
    """

    order: tuple[str, ...]
    hidden: frozenset[str] = frozenset()
    frozen: frozenset[str] | None = None
    widths: tuple[tuple[str, int], ...] = ()

    def to_json(self) -> dict[str, object]:
        return {
            "order": list(self.order),
            "hidden": sorted(self.hidden),
            "frozen": None if self.frozen is None else sorted(self.frozen),
            "widths": dict(self.widths),
        }

    @classmethod
    def from_json(cls, value: Any) -> ColumnArrangement | None:
        """None where the value names no columns."""
        if not isinstance(value, dict) or not (order := _names(value.get("order"))):
            return None
        frozen, widths = value.get("frozen"), value.get("widths")
        pairs = widths.items() if isinstance(widths, dict) else ()
        return cls(
            order,
            frozenset(_names(value.get("hidden"))),
            frozenset(_names(frozen)) if isinstance(frozen, list) else None,
            tuple((name, cells) for name, cells in pairs if type(cells) is int and cells in _WIDTHS)[:MAX_NAMES],
        )


@dataclass(frozen=True)
class ListSettings:
    """`columns`, `sort` ((column, descending), the first key first): None is what the list itself wants."""

    columns: ColumnArrangement | None = None
    sort: tuple[tuple[str, bool], ...] | None = None
    filter: str = ""

    def to_json(self) -> dict[str, object]:
        return {
            "columns": self.columns.to_json() if self.columns is not None else None,
            "sort": [list(key) for key in self.sort] if self.sort is not None else None,
            "filter": self.filter,
        }

    @classmethod
    def from_json(cls, value: Any) -> ListSettings:
        """Whatever in it makes no sense is left out: the file may be an older version's, or anybody's."""
        if not isinstance(value, dict):
            return cls()
        sort, text = value.get("sort"), value.get("filter")
        keys = None
        if isinstance(sort, list):
            pairs = [one for one in sort if isinstance(one, list) and len(one) == 2]
            keys = tuple((str(name), bool(down)) for name, down in pairs if is_plain_text(name))[:MAX_NAMES]
        kept = str(text) if is_plain_text(text, MAX_TEXT) else ""
        return cls(ColumnArrangement.from_json(value.get("columns")), keys, kept)

    def without_filter(self) -> ListSettings:
        return replace(self, filter="")

    def sort_by(self, names: Iterable[str]) -> tuple[tuple[str, bool], ...] | None:
        """The keys whose columns are among `names`; None where the list's own order is meant."""
        known = set(names)
        return None if self.sort is None else tuple(key for key in self.sort if key[0] in known)


def is_plain_text(value: object, limit: int = 200) -> bool:
    """Whether a value of a file is a text that can be shown and encoded."""
    return isinstance(value, str) and len(value) <= limit and value.isprintable()


def _names(value: object) -> tuple[str, ...]:
    found = [name for name in value if is_plain_text(name)] if isinstance(value, list) else []
    return tuple(dict.fromkeys(found))[:MAX_NAMES]
