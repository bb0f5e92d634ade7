"""How the storage lists: by name, one page at a time, folders as prefixes, and nothing in reverse.

maxResults counts prefixes, too, up to 1,000. A page may hold fewer entries or none and still have a successor: with
matchGlob the server looks at a bounded number of names per page. startOffset and endOffset compare names of objects,
so the prefix that contains startOffset is still listed.
"""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MOST = 1_000
_SCANNED = 5_000  # names per page while a glob is matched
_LAST = "\U0010ffff"


class BadQuery(ValueError):
    """A parameter that the storage refuses; the text is its answer's message."""


@dataclass(frozen=True)
class Query:
    prefix: str = ""
    delimiter: str = ""
    start: str = ""
    end: str = ""
    after: str = ""
    limit: int = MOST
    glob: str = ""
    # Whether names equal to delimiter-ended prefixes are listed as items, too (includeTrailingDelimiter).
    trailing: bool = False


@dataclass
class Listed:
    """One page: names of objects, prefixes, and where the next page begins ("" for none)."""

    names: list[str] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    next: str = ""


def query(asked: Mapping[str, str]) -> Query:
    """Raises BadQuery for what the JSON API answers 400 to."""
    limit = asked.get("maxResults", "")
    if limit and not re.fullmatch(r"\d{1,9}", limit):
        raise BadQuery(f"Invalid value at 'max_results' (TYPE_UINT32), \"{limit}\"")
    if asked.get("matchGlob") and asked.get("delimiter", "/") not in ("", "/"):
        raise BadQuery("Delimiter must be '/' or absent when a match glob is given.")
    return Query(
        asked.get("prefix", ""),
        asked.get("delimiter", ""),
        asked.get("startOffset", ""),
        asked.get("endOffset", ""),
        name_of(asked.get("pageToken", "")),
        min(int(limit or 0) or MOST, MOST),
        asked.get("matchGlob", ""),
        asked.get("includeTrailingDelimiter", "") == "true",
    )


def page(names: Sequence[str], asked: Query) -> Listed:
    """The next entries of the sorted names."""
    found = Listed()
    matches = glob(asked.glob) if asked.glob else None
    at = bisect_left(names, max(asked.prefix, asked.start))
    if asked.after:
        at = max(at, bisect_left(names, asked.after + ("" if _is_folder(asked, asked.after) else "\0")))
        if _is_folder(asked, asked.after):
            at = max(at, bisect_left(names, asked.after + _LAST))
    last, scanned = "", 0
    while at < len(names):
        name = names[at]
        if not name.startswith(asked.prefix) or (asked.end and name >= asked.end):
            break
        if len(found.names) + len(found.prefixes) == asked.limit or scanned == _SCANNED:
            found.next = last
            break
        last, at = _take(names, at, asked, found, matches)
        scanned += matches is not None
    return found


def _take(
    names: Sequence[str], at: int, asked: Query, found: Listed, matches: re.Pattern[str] | None
) -> tuple[str, int]:
    """Takes one entry in; returns it and the position behind it."""
    name = names[at]
    cut = name.find(asked.delimiter, len(asked.prefix)) if asked.delimiter else -1
    if cut < 0:
        if matches is None or matches.fullmatch(name):
            found.names.append(name)
        return name, at + 1
    folder = name[: cut + len(asked.delimiter)]
    if matches is not None:
        if matches.fullmatch(folder) and folder not in found.prefixes[-1:]:
            found.prefixes.append(folder)
        return name, at + 1
    found.prefixes.append(folder)
    if asked.trailing and name == folder:
        found.names.append(name)
    return folder, bisect_left(names, folder + _LAST, at)


def _is_folder(asked: Query, name: str) -> bool:
    return bool(asked.delimiter) and not asked.glob and asked.delimiter in name[len(asked.prefix) :]


def token(name: str) -> str:
    """The opaque token of the page after that name."""
    return urlsafe_b64encode(b"\x0a" + name.encode()).decode()


def name_of(text: str) -> str:
    """The name in a token, "" for no token. Raises BadQuery for any other text."""
    if not text:
        return ""
    try:
        raw = urlsafe_b64decode(text.encode())
        if raw[:1] == b"\x0a":
            return raw[1:].decode()
    except (binascii.Error, UnicodeError):
        pass
    raise BadQuery("Invalid argument.")


def glob(pattern: str) -> re.Pattern[str]:
    """`*` and `?` stop at slashes, `**` does not, `[a-z]` and `{a,b}` choose."""
    found, at, depth = [], 0, 0
    while at < len(pattern):
        letter = pattern[at]
        at += 1
        if letter == "*":
            double = pattern.startswith("*", at)
            at += double
            found.append(".*" if double else "[^/]*")
        elif letter == "?":
            found.append("[^/]")
        elif letter == "[" and "]" in pattern[at + 1 :]:
            end = pattern.index("]", at + 1)
            chosen = pattern[at:end]
            negated = "^" if chosen[:1] in "!^" else ""
            found.append(f"[{negated}{re.escape(chosen[len(negated) :]).replace(chr(92) + '-', '-')}]")
            at = end + 1
        elif letter == "{":
            depth += 1
            found.append("(?:")
        elif letter == "}" and depth:
            depth -= 1
            found.append(")")
        elif letter == "," and depth:
            found.append("|")
        else:
            found.append(re.escape(letter))
    return re.compile("".join(found) + ")" * depth, re.DOTALL)
