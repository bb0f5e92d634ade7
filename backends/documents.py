"""What a JSON document looks like as a tree: its branches, how a path in it is written, where a text occurs in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import polars as pl

from backends.cancel import CancelToken
from backends.logs.patterns import TextPattern

Path = tuple[str | int, ...]
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CHECKED_EVERY = 4096  # nodes between two looks at the stop signal


def is_branch(value: Any) -> bool:
    """Whether there is something below it; an empty object or list is a leaf."""
    return isinstance(value, dict | list | tuple) and bool(value)


def children(value: Any) -> list[tuple[str | int, Any]]:
    """(key or number, value) of what is directly below; of a leaf, nothing."""
    if isinstance(value, dict):
        return [(str(key), below) for key, below in value.items()]
    return list(enumerate(value)) if isinstance(value, list | tuple) else []


def value_at(document: Any, path: Path) -> Any:
    """The value at a path that `walk` or `children` gave."""
    for key in path:
        document = document[key]
    return document


def leaf_text(value: Any) -> str:
    """A leaf as one reads it: texts bare, everything else as JSON writes it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def size_words(value: Any) -> str:
    """ "{12}" for an object of twelve, "[3]" for a list of three."""
    return f"{{{len(value)}}}" if isinstance(value, dict) else f"[{len(value)}]"


def format_path(path: Path) -> str:
    """The path as jq writes it: .payload.env.MOZ_X, .runs[0], ."odd name"; "." is the whole."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"{'' if text else '.'}[{key}]"
        elif _PLAIN_NAME.fullmatch(key):
            text += f".{key}"
        else:
            text += f".{json.dumps(key, ensure_ascii=False)}"
    return text or "."


def format_document(value: Any) -> str:
    """The value as indented JSON; a text as it is."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)


def walk(document: Any) -> Iterator[tuple[Path, Any]]:
    """Every node below the root with its path, in the order in which a tree shows them. Any depth."""
    waiting: list[tuple[Path, Any]] = [((key,), below) for key, below in reversed(children(document))]
    while waiting:
        path, value = waiting.pop()
        yield path, value
        waiting.extend(((*path, key), below) for key, below in reversed(children(value)))


class Nodes:
    """All nodes of a document, read once, for searches."""

    def __init__(self, document: Any, cancel: CancelToken) -> None:
        """Takes about a microsecond a node. Raises `OperationCancelledError`."""
        self.paths: list[Path] = []
        texts: list[str] = []
        for number, (path, value) in enumerate(walk(document)):
            if number % _CHECKED_EVERY == 0:
                cancel.check()
            self.paths.append(path)
            name = str(path[-1]) if isinstance(path[-1], str) else ""
            texts.append(name if is_branch(value) else f"{name}\n{leaf_text(value)}")
        self._texts = pl.Series(texts, dtype=pl.String)

    def find(self, pattern: TextPattern) -> list[int]:
        """Numbers (into `paths`) of the nodes whose name or text matches, in the order of the tree."""
        hits = self._texts.str.contains(f"(?m){pattern.regex}").arg_true()
        return list(hits.to_list())
