"""Jobs written as YAML, read so that what stands there is what JSON would say.

YAML 1.1 turns `2013-12-16T19:34:58Z` into a date, `no` into false, `010` into 8 and a revision of digits into a number;
a job message means texts. Here only true, false, null and plain decimal numbers are more than text.

The parser's events are put together here: libyaml's own putting together holds the interpreter, and with it the
interface, for as long as a document takes (0.6 s for 2,000 jobs), and with PyYAML's constructor takes 3.5 times as long
as this (2.0 s of a core instead of 0.6 s for 10,000 jobs).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from backends.errors import FileError
from backends.http.errors import sanitize
from backends.submit.reading_json import DEEPEST, Found

MOST_VALUES = 5_000_000  # 10,000 jobs have 600,000; a few lines of aliases can stand for more than fits in memory
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE = "tag:yaml.org,2002:"
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_INT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][+-]?[0-9]{1,2})?|[eE][+-]?[0-9]{1,2})", re.ASCII)
_TAGS: dict[str, Any] = {"int": int, "float": (int, float), "bool": bool, "null": type(None)}


def from_yaml(name: str, text: str) -> Iterator[Found]:
    """The documents, or the elements of a document that is a list. Raises `FileError` where it is no YAML."""
    parser = _Parser(text)
    try:
        yield from _Reader(parser.get_event).documents()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        words = sanitize(str(getattr(error, "problem", None) or error), 160)
        raise FileError(f"{name} is not valid YAML: {where}{words}.") from None
    except _Unusable as error:
        raise FileError(f"{name} is not usable YAML: line {error.line}: {sanitize(error.words, 160)}.") from None
    finally:
        parser.dispose()


class _Unusable(Exception):
    """YAML that is more than JSON can hold, or than memory can."""

    def __init__(self, event: Any, words: str) -> None:
        super().__init__(words)
        self.line, self.words = event.start_mark.line + 1, words


@dataclass
class _Anchor:
    """What a name stands for. `size`: the values in it, aliases written out; `depth`: the levels of it."""

    value: Any = None
    size: int = 0
    depth: int = 0
    whole: bool = False


class _Reader:
    """Makes values of events; `self._count` of values so far, `self._deepest` level since it was last set back."""

    def __init__(self, next_event: Any) -> None:
        self._next = next_event
        self._anchors: dict[str, _Anchor] = {}
        self._count = self._deepest = 0
        self._odd: list[str] = []

    def documents(self) -> Iterator[Found]:
        while not isinstance(event := self._next(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
            elif isinstance(event, yaml.SequenceStartEvent) and event.anchor is None:
                self._check_tag(event, "seq")
                while not isinstance(event := self._next(), yaml.SequenceEndEvent):
                    yield self._found(event)
            elif isinstance(event, yaml.NodeEvent):
                found = self._found(event)
                if isinstance(found.value, list):
                    yield from (Found(one, found.place, odd=found.odd) for one in found.value)
                elif found.value is not None:
                    yield found

    def _found(self, event: Any) -> Found:
        value = self._value(event, 0)
        odd, self._odd = tuple(self._odd), []
        return Found(value, f"line {event.start_mark.line + 1}", odd=odd)

    def _value(self, event: Any, level: int) -> Any:
        self._count += 1
        if self._count > MOST_VALUES:
            raise _Unusable(event, "its aliases stand for more than can be held")
        if level > DEEPEST:
            raise _Unusable(event, f"nested deeper than {DEEPEST} levels, or within itself")
        self._deepest = max(self._deepest, level)
        kind = type(event)
        if kind is yaml.AliasEvent:
            return self._alias(event, level)
        if event.anchor is None:
            return self._made(event, kind, level)
        anchor = self._anchors[event.anchor] = _Anchor()
        before, deepest, self._deepest = self._count, self._deepest, level
        anchor.value = self._made(event, kind, level)
        anchor.size, anchor.depth, anchor.whole = self._count - before, self._deepest - level, True
        self._deepest = max(deepest, self._deepest)
        return anchor.value

    def _made(self, event: Any, kind: Any, level: int) -> Any:
        if kind is yaml.ScalarEvent:
            return _scalar(event)
        if kind is yaml.SequenceStartEvent:
            self._check_tag(event, "seq")
            found = []
            while type(event := self._next()) is not yaml.SequenceEndEvent:
                found.append(self._value(event, level + 1))
            return found
        self._check_tag(event, "map")
        return self._mapping(level)

    def _mapping(self, level: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while type(event := self._next()) is not yaml.MappingEndEvent:
            name = self._name(event)
            value = self._value(self._next(), level + 1)
            if name == "<<" and type(event) is yaml.ScalarEvent and event.implicit[0]:
                merged = {**merged, **_merged(event, value)}
                continue
            if name in found:
                self._odd.append(f"{sanitize(name, 60)} is written more than once; the last one counts")
            found[name] = value
        return {**merged, **found} if merged else found

    def _name(self, event: Any) -> str:
        """JSON's names are texts, whatever they look like."""
        if type(event) is yaml.ScalarEvent:
            if event.anchor is not None:
                self._anchors[event.anchor] = _Anchor(event.value, whole=True)
            return str(event.value)
        name = self._alias(event, 0) if type(event) is yaml.AliasEvent else None
        if not isinstance(name, str):
            raise _Unusable(event, "a name that is a list or an object")
        return name

    def _alias(self, event: Any, level: int) -> Any:
        anchor = self._anchors.get(event.anchor)
        if anchor is None:
            raise _Unusable(event, f"*{event.anchor} stands for nothing: there is no &{event.anchor} before it")
        if not anchor.whole:
            raise _Unusable(event, f"*{event.anchor} is within itself")
        self._count += anchor.size
        self._deepest = max(self._deepest, level + anchor.depth)
        if self._deepest > DEEPEST:
            raise _Unusable(event, f"nested deeper than {DEEPEST} levels")
        return anchor.value

    @staticmethod
    def _check_tag(event: Any, kind: str) -> None:
        if event.tag not in (None, "!", f"{_CORE}{kind}"):
            raise _foreign(event)


def _scalar(event: Any) -> Any:
    tag, text = event.tag, event.value
    if tag is None:
        return _plain(text) if event.implicit[0] else text
    if tag in ("!", f"{_CORE}str"):
        return text
    value = _plain(text)
    kinds = _TAGS.get(tag.removeprefix(_CORE))
    if kinds is None or not isinstance(value, kinds):
        raise _foreign(event)
    return value


def _plain(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "-0123456789":
        if _INT.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


def _merged(event: Any, value: Any) -> dict[str, Any]:
    """What `<<: value` brings: of several objects the first that has a name counts (yaml.org/type/merge)."""
    found: dict[str, Any] = {}
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict):
            raise _Unusable(event, "<< wants an object, or a list of objects")
        found = {**one, **found}
    return found


def _foreign(event: Any) -> _Unusable:
    return _Unusable(event, f"a value of the kind {sanitize(event.tag.rpartition(':')[2], 40)}, which JSON has not")
