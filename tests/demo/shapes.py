"""What shape a JSON value has, and where another value departs from it: keys, types, and which keys may be absent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

# Objects whose keys are ids or hashes are tables: all their values have one shape.
_TABLE_KEY = re.compile(r"[0-9]+|[0-9a-f]{40}")


@dataclass
class Shape:
    """`types` seen here; of objects the shapes by key and how often each was there; of lists that of all elements."""

    types: set[str] = field(default_factory=set)
    keys: dict[str, Shape] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    objects: int = 0
    elements: Shape | None = None

    def see(self, value: Any) -> Shape:
        if isinstance(value, dict) and value and all(_TABLE_KEY.fullmatch(key) for key in value):
            self.types.add("table")
            self.elements = self.elements or Shape()
            for one in value.values():
                self.elements.see(one)
        elif isinstance(value, dict):
            self.types.add("object")
            self.objects += 1
            for key, one in value.items():
                self.counts[key] = self.counts.get(key, 0) + 1
                self.keys.setdefault(key, Shape()).see(one)
        elif isinstance(value, list):
            self.types.add("list")
            self.elements = self.elements or Shape()
            for one in value:
                self.elements.see(one)
        else:
            self.types.add(type(value).__name__)
        return self


def shape(*values: Any) -> Shape:
    found = Shape()
    for value in values:
        found.see(value)
    return found


def departures(real: Shape, ours: Shape, path: str = "$") -> Iterator[str]:
    """Where ours is not as the real one; a place where the real one shows only null or nothing says nothing."""
    known = real.types - {"NoneType"}
    if not known:
        return
    for kind in sorted(ours.types - real.types):
        yield f"{path}: {kind} where there is only {sorted(real.types)}"
    for key, one in real.keys.items():
        if key not in ours.keys:
            yield f"{path}.{key}: missing"
            continue
        if real.counts[key] == real.objects and ours.counts[key] < ours.objects:
            yield f"{path}.{key}: left out at times"
        yield from departures(one, ours.keys[key], f"{path}.{key}")
    if real.keys:
        for key in ours.keys.keys() - real.keys.keys():
            yield f"{path}.{key}: not known there"
    if real.elements is not None and ours.elements is not None:
        yield from departures(real.elements, ours.elements, f"{path}[]")
