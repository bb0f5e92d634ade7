"""Signatures: failure messages with what varies between two runs of the same failure blanked.

    normalize(pl.Series(["pod web-7d4b9c6f5d-x2x9k: dial tcp 10.0.1.7:6443: refused after 1m3s"]))
        ["pod web#: dial tcp#: refused after#"]

Blanked: dates and times, durations, numbers, UUIDs, hashes, pointers, IP addresses and ports, hosts with a number in
their name, the scheme and host of URLs, temporary directories, suffixes of generated names (pods, nodes), the order of
the entries of Go maps. Kept: words, and the numbers that name a cause (exit codes, HTTP statuses, errno, signals).

One pass of one regular expression finds every kind and joins neighbours ("10, 12, 17" is one mark), so the time is
linear in the bytes. Laws: `normalize(normalize(x)) == normalize(x)`; a message with another word has another signature.
"""

from __future__ import annotations

import re

import polars as pl

MARK = "#"
MAX_CHARACTERS = 20_000  # of a text that is looked at: its first and its last half of them

_SUFFIX = "[bcdfghjklmnpqrstvwxz2456789]"  # Kubernetes' alphabet for generated names: no vowels, no 0, 1, 3
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}"
# Takes a number behind with it, whose blanking would make a boundary.
_ENDS = "(?:(?-u:\\b)|_-?[0-9][0-9A-Za-z]*|[0-9]{5,}[0-9A-Za-z]*)"
_PATH = "[!#-&*+./0-9=?@A-Z\\\\^_a-z|~-]"  # what a path is made of; ASCII alone keeps the automaton small
_SCHEME = "(?:https?|ftp|file|git|ssh|gs|s3|resource|chrome|jar|docker|oci|wss?|tcp|unix)"
_TOP = "(?:com|org|net|io|dev|internal|local|localdomain|test)"
_KINDS = (
    rf"(?-u:\b)(?:{_DAY},? +)?(?:{_MONTH} +[0-9]|[0-9]{{1,2}} {_MONTH}(?-u:\b))[0-9A-Za-z]*",
    rf"(?-u:\b){_SCHEME}://[0-9A-Za-z.:@_%\[\]-]*",  # scheme and host; the path stays
    # Hosts with a number in their name; one without may be the cause, as a registry that is down.
    rf"(?-u:\b)[A-Za-z-]*[0-9][0-9A-Za-z-]*(?:\.[0-9A-Za-z-]+)*\.{_TOP}{_ENDS}",
    rf"(?:/private)?(?:/var)?/(?:tmp|folders)/{_PATH}*",
    rf"[A-Za-z]:\\\\?Users\\\\?[^\\\s]+\\\\?AppData\\\\?Local\\\\?Temp{_PATH}*",
    r"(?-u:\b)[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}",
    rf"-[0-9a-z]{{8,10}}-{_SUFFIX}{{5}}{_ENDS}",  # pods of deployments
    rf"-{_SUFFIX}{{5}}{_ENDS}",  # pods of sets and jobs, nodes, generateName
    rf"(?-u:\b)ci-(?:op|ln)-[0-9a-z]{{7,8}}{_ENDS}",
    rf"(?-u:\b)[a-f]{{1,7}}[0-9][0-9a-f]{{6,}}{_ENDS}",  # hashes and container ids that begin with a letter
    r"(?:_-?|-|(?-u:\b))[0-9][0-9A-Za-z]*(?:[.,:/_-]+[0-9][0-9A-Za-z]*)*(?:%|µ[0-9A-Za-z]*)?",
    r"[0-9]{5,}[0-9A-Za-z]*",
    MARK,
)
_KIND = "(?:" + "|".join(_KINDS) + ")"
VARYING = rf"(?:[ \t,:;/|=+.-]*{_KIND})+"  # with the separators before a mark
# Numbers that name a cause are glued to their word, where VARYING leaves them: "exit code 137" is not "exit code 1".
_CODES = (
    r"((?-u:\b)(?:[Cc]ode|[Ss]tatus|[Ee]rrno|[Ee]rror|[Ss]ignal|exited with|rc))"
    r"(?:[ :\[(]{1,2}|=)(-?[0-9]{1,3})(?-u:\b)"
)
_HTTP = r"(?-u:\b)HTTP/[0-9.]+ ([0-9]{3})(?-u:\b)"
_SLUG, _SLUG_LENGTH = "[A-Za-z0-9_-]{20,}", 22  # Taskcluster's ids, of which VARYING alone would blank parts
PART_OF_WORD = "[A-Z]?[a-z]+|[A-Z]+|[0-9]+"
_MAP = re.compile(r"map\[([^\[\]\n]{1,2000})\]")
_ENTRY = re.compile(r" (?=[^\s:#]+[:#])")


def normalize(texts: pl.Series) -> pl.Series:
    """String to String of the same length; null stays null. Takes about 12 ms for a call and 10 ms per MB."""
    name = texts.name or "text"
    kept = pl.col(name).str.replace_all(_HTTP, "HTTP${1}").str.replace_all(_CODES, "${1}${2}")
    blanked = kept.str.replace_all(VARYING, MARK)
    found = texts.alias(name).to_frame().select(blanked).to_series()
    maps = found.str.contains("map[", literal=True).fill_null(False).arg_true()
    if len(maps):
        found = found.scatter(maps, [_sort_maps(text) for text in found.gather(maps)])
    return found


def _sort_maps(text: str) -> str:
    """Entries of innermost Go maps, "map[b:x a:y]", in order of their text: Go prints some of them in any order."""
    return _MAP.sub(lambda match: "map[" + " ".join(sorted(_ENTRY.split(match[1]))) + "]", text)


def signatures(texts: pl.Series) -> pl.Series:
    """As `normalize`, with Taskcluster's ids blanked and the middle of very long texts left out; null becomes ""."""
    half, text = MAX_CHARACTERS // 2, pl.col("text")
    frame = texts.fill_null("").alias("text").to_frame()
    if (frame["text"].str.len_bytes() > MAX_CHARACTERS).any():
        cut = text.str.slice(0, half) + "\n...\n" + text.str.tail(half)
        frame = frame.select(pl.when(text.str.len_chars() > MAX_CHARACTERS).then(cut).otherwise(text).alias("text"))
    ids = (
        frame.select(text.str.extract_all(_SLUG).list.explode().alias("text").unique())
        .drop_nulls()
        .filter(
            text.str.len_bytes() == _SLUG_LENGTH, text.str.contains("[a-z]"), text.str.contains("[A-Z]"),
            text.str.contains("[0-9]"), text.str.len_bytes() < 3 * text.str.count_matches(PART_OF_WORD),
        )["text"].to_list()
    )  # fmt: skip
    if ids:
        frame = frame.select(text.str.replace_many(ids, ["0"] * len(ids)))
    return normalize(frame["text"]).alias(texts.name or "text")
