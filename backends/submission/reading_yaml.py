"""Jobs written as YAML, read so that what stands there is what JSON would say.

YAML 1.1 turns `2013-12-16T19:34:58Z` into a date, `no` into false, `010` into 8 and a revision of digits into a number;
a job message means texts. Here only true, false, null and plain decimal numbers are more than text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from backends.http.errors import clean
from backends.problems import FileProblem
from backends.submission.reading_json import DEEPEST, Found

MOST_NODES = 5_000_000  # 10,000 jobs have 600,000; a few lines of aliases can stand for more than fits in memory
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", "n~"),
    ("int", r"-?(0|[1-9][0-9]{0,17})", "-0123456789"),
    ("float", r"-?(0|[1-9][0-9]*)(\.[0-9]+([eE][+-]?[0-9]{1,3})?|[eE][+-]?[0-9]{1,3})", "-0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^$"), [""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])
_Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(node.value))
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value))


def from_yaml(name: str, text: str) -> Iterator[Found]:
    """The documents, or the elements of a document that is a list. Raises `FileProblem` where it is no YAML."""
    pieces = list(_pieces(text))
    if len(pieces) > 1:
        try:
            found = [one for piece, line in pieces for one in _read(piece, line)]
        except (yaml.YAMLError, ValueError, TypeError, RecursionError):
            pass  # the whole tells better what is wrong, or what these pieces were not
        else:
            yield from found
            return
    try:
        yield from _read(text, 0)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        words = clean(str(getattr(error, "problem", None) or error), 160)
        raise FileProblem(f"{name} is not valid YAML: {where}{words}.") from None
    except (ValueError, TypeError, RecursionError) as error:
        words = "nested too deeply" if isinstance(error, RecursionError) else clean(str(error), 160)
        raise FileProblem(f"{name} is not usable YAML: {words}.") from None


def _pieces(text: str) -> Iterator[tuple[str, int]]:
    """A long list of jobs in pieces of some, each with the number of lines before it.

    The parser holds the interpreter for as long as one document takes: 0.6 s for 2,000 jobs. An element of a list that
    is not indented begins where a line begins with a dash; what is joined by anchors, or is several documents, stays
    whole.
    """
    if not text.startswith("- ") or any(mark in text for mark in _JOINED):
        yield text, 0
        return
    begin, line, count = 0, 0, 0
    at = text.find("\n- ")
    while at >= 0:
        count += 1
        if count % _PIECE == 0:
            piece = text[begin : at + 1]
            yield piece, line
            begin, line = at + 1, line + piece.count("\n")
        at = text.find("\n- ", at + 1)
    yield text[begin:], line


_PIECE = 25  # jobs
_JOINED = (*tuple(f"{before}{sign}" for before in (" ", "\n", "[", "{", ",") for sign in "&*"), "\n---", "\n...", "\n%")


def _read(text: str, before: int) -> Iterator[Found]:
    """The values of a text that `before` lines precede. Raises what the parser raises, and ValueError."""
    loader = _Loader(text)
    budget = [MOST_NODES]
    try:
        while loader.check_node():
            node = loader.get_node()
            listed = isinstance(node, yaml.SequenceNode)
            for one in node.value if listed else [node]:
                _check(one, budget, 0)
                value = loader.construct_document(one)
                if value is None and not listed:
                    continue
                odd = tuple(
                    f"{clean(twice, 60)} is written more than once; the last one counts" for twice in _twice(one)
                )
                yield Found(value, f"line {before + one.start_mark.line + 1}", odd=odd)
    finally:
        loader.dispose()


def _check(node: Any, budget: list[int], level: int) -> None:
    """Raises ValueError for what is more than JSON can hold, or than memory can."""
    budget[0] -= 1
    if budget[0] < 0:
        raise ValueError("its aliases stand for more than can be held")
    if level > DEEPEST:
        raise ValueError(f"nested deeper than {DEEPEST} levels, or within itself")
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ValueError("a name that is a list or an object")
            if key.tag != "tag:yaml.org,2002:merge":
                key.tag = "tag:yaml.org,2002:str"  # JSON's names are texts, whatever they look like
            _check(value, budget, level + 1)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check(value, budget, level + 1)
    elif not node.tag.startswith("tag:yaml.org,2002:") or node.tag.rpartition(":")[2] not in _PLAIN:
        raise ValueError(f"a value of the kind {clean(node.tag.rpartition(':')[2], 40)}, which JSON has not")


_PLAIN = frozenset({"str", "int", "float", "bool", "null"})


def _twice(node: Any) -> Iterator[str]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.value
            seen.add(key.value)
            yield from _twice(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _twice(value)
