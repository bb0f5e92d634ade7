"""Failures grouped by cause: equal signatures first, then texts whose message is the same and whose rest nearly so.

Two signatures belong together when

1. the words of their message (the lines before the first stack frame or log line) are equal. A word is a token of
   letters that does not look drawn at random: another word is another cause, an id of unknown shape is not; and
2. of messages with few words, the Indel distance (lines added or removed) of the lines behind, each as its words, is at
   most `REST` of both lengths, or one of the two texts was cut, so that its lines begin the other's.

Bound: texts of a and b lines with distance d share (a + b - d) / 2 lines, and d is at least |a - b|. With
d <= REST (a + b) they share at least a (1 - REST) / (1 + REST) lines of the one; so among its rarest a - that + 1 lines
(and those of the other) is a shared one. Only texts that share one of those are compared, and no near one is missed: a
prefix filter, not a time limit.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from math import ceil

import polars as pl

from backends.failures.signatures import MARK, PART_OF_WORD, signatures

REST = 0.3  # share of the lines of both texts behind the message
SPECIFIC = 6  # words: a message with as many decides alone
MESSAGE_LINES = 12  # at most
_LEAST_BEFORE_CUT = 2  # lines behind the message that a text which was cut must share
_MOST_BEGINNINGS = 200  # lines of a text that are looked at for that
Lines = tuple[int, ...]

# A frame or a log line: what stands behind a message. On normalised lines.
_BEHIND = (
    r"^\s*(?:at |File \"|#|goroutine|\S+@(?:chrome|resource|#|moz)|\S+\.go[:#]|[\w./()*-]+\(.*#.*\)\s*$|\.\.\.|"
    r"Traceback|stack|Stack trace|\[?(?:INFO|DEBUG|WARN|TRACE)\b|\||=+|-+)"
)
_TOKEN = r"[A-Za-z0-9_#-]+"  # noqa: S105 - a pattern
_PIECE = "[A-Za-z0-9]+"
_RANDOM_PART = 2.5  # characters: parts of words are longer ("VerifiedCanvas" 7), of ids with digits they have 1 to 2
_API_VERSION = "^v[0-9]+(?:alpha|beta)[0-9]+$"  # Kubernetes'


def cluster(texts: pl.Series) -> pl.DataFrame:
    """`texts` (String) -> signature (String), cluster (String, 16 hex digits), in the order of `texts`.

    The id is the hash of the cluster's most frequent signature (of equally frequent ones the first as text), so it is
    the same for the same failure on two days as long as that stays its most frequent text.
    """
    text = texts.fill_null("").alias("text").to_frame()
    counted = text.group_by("text").len().sort("text")  # equal texts are normalised once
    counted = counted.with_columns(signature=signatures(counted["text"]))
    distinct = counted.group_by("signature").agg(pl.col("len").sum())
    distinct = distinct.sort("len", "signature", descending=[True, False])
    leaders = pl.Series("leader", _leaders(distinct["signature"]), dtype=pl.UInt32)
    names = pl.Series(
        "cluster", [hashlib.blake2b(one.encode(), digest_size=8).hexdigest() for one in distinct["signature"]]
    )
    distinct = distinct.select("signature", cluster=names.gather(leaders))
    ids = counted.drop("len").join(distinct, on="signature", how="left")
    return text.join(ids, on="text", how="left", maintain_order="left").select("signature", "cluster")


def mark_varying(texts: list[str]) -> str:
    """The first text, which stands for all: «» around the words that differ in any other of them.

    Words are split at spaces; texts of another number of words in a line leave that line as it is.
    """
    lines = [text.split("\n") for text in texts]
    out = []
    for number, line in enumerate(lines[0]):
        words = line.split(" ")
        others = [other[number].split(" ") for other in lines[1:] if number < len(other)]
        varying = {
            place
            for other in others
            if len(other) == len(words)
            for place, (one, two) in enumerate(zip(words, other, strict=True))
            if one != two
        }
        out.append(" ".join(f"«{word}»" if place in varying else word for place, word in enumerate(words)))
    return "\n".join(out)


# ---- words -----------------------------------------------------------------------------------------------------------


def _words_of_tokens(tokens: pl.Series) -> pl.DataFrame:
    """Distinct tokens -> token, words (List(String)); tokens that look drawn at random are left out."""
    piece = pl.col("piece")
    pieces = (
        tokens.alias("token").to_frame()
        .with_columns(piece=pl.col("token").str.extract_all(_PIECE)).explode("piece").filter(piece.is_not_null())
        .with_columns(
            is_random=(piece.str.len_bytes() >= 8)
            & ~piece.str.contains(_API_VERSION)
            & (piece.str.contains("[0-9]") | piece.str.contains("[a-z][A-Z]"))
            & (
                (piece.str.len_bytes() < _RANDOM_PART * piece.str.count_matches(PART_OF_WORD))
                | piece.str.contains("^[0-9a-f]+$|^[0-9A-F]+$")
            ),
        )
        .with_columns(
            is_random=pl.col("is_random").any().over("token"),
            is_marked=pl.col("token").str.contains(MARK, literal=True),
        )
        .filter(
            ~pl.col("is_random")
            & (~pl.col("is_marked") | piece.str.contains("^[A-Z]?[a-z]{2,}$|^[A-Z]{2,}$|^[A-Za-z]{4,}$"))
        )
    )  # fmt: skip
    return pieces.group_by("token", maintain_order=True).agg(words=piece)


def _shapes(distinct: pl.Series) -> pl.DataFrame:
    """Per signature, in its order: head (UInt64, the words of its message), lines (List(UInt64), the words of each line
    behind it), specific (whether the message decides alone). Lines without a word are left out."""
    line = pl.col("line")
    frame = (
        distinct.alias("line").to_frame().with_row_index("place")
        .with_columns(line.str.split("\n")).explode("line")
        .with_columns(number=pl.int_range(pl.len()).over("place"), behind=line.str.contains(_BEHIND))
        .with_columns(
            behind=((pl.col("behind") & (pl.col("number") > 0)) | (pl.col("number") >= MESSAGE_LINES))
            .cum_max().over("place")
        )
    )  # fmt: skip
    tokens = (
        frame.select("line").unique(maintain_order=True)
        .with_columns(token=line.str.extract_all(_TOKEN)).explode("token").filter(pl.col("token").is_not_null())
    )  # fmt: skip
    words = (
        tokens.join(_words_of_tokens(tokens["token"].unique(maintain_order=True)), on="token", maintain_order="left")
        .group_by("line", maintain_order=True).agg(pl.col("words").explode())
        .select("line", hash=pl.col("words").list.join(" ").hash(seed=7), count=pl.col("words").list.len())
    )  # fmt: skip
    frame = frame.join(words, on="line", how="left", maintain_order="left").filter(pl.col("hash").is_not_null())
    is_message = ~pl.col("behind")
    shapes = frame.group_by("place").agg(
        head=pl.col("hash").filter(is_message).cast(pl.String).str.join("-").hash(seed=7),
        lines=pl.col("hash").filter(pl.col("behind")),
        specific=pl.col("count").filter(is_message).sum() >= SPECIFIC,
    )
    places = pl.int_range(len(distinct), eager=True, dtype=pl.UInt32).alias("place").to_frame()
    return places.join(shapes, on="place", how="left", maintain_order="left")


def _leaders(distinct: pl.Series) -> list[int]:
    """For each signature (most frequent first) the place of its cluster's representative, which comes before it."""
    shapes = _shapes(distinct)
    leader = list(range(len(distinct)))
    lines: list[Lines] = [
        () if specific else tuple(found or ())
        for found, specific in zip(shapes["lines"].to_list(), shapes["specific"].to_list(), strict=True)
    ]
    blocks = (
        shapes.filter(pl.col("head").is_not_null()).group_by("head").agg("place").filter(pl.col("place").list.len() > 1)
    )
    for members in blocks["place"].to_list():
        block = _Block(Counter(line for member in members for line in set(lines[member])))
        for member in sorted(members):
            leader[member] = block.join(member, lines[member])
    return leader


class _Block:
    """Representatives whose messages have the same words, found by the lines behind. `often`: how many of the block's
    texts have a line."""

    def __init__(self, often: Counter[int]) -> None:
        self._often = often
        self._exact: dict[Lines, int] = {}
        self._lines: dict[int, Lines] = {}
        self._by_line: dict[tuple[int, int], list[int]] = {}
        self._beginnings: dict[Lines, int] = {}  # of representatives, for texts that were cut
        self._cut: dict[Lines, int] = {}  # representatives without their last line, for longer texts

    def join(self, member: int, lines: Lines) -> int:
        """The representative of this text: an earlier one, the nearest within the limit, or the text itself."""
        if (found := self._exact.get(lines)) is None:
            found = self._nearest(lines)
            if found is None:
                found = self._same_but_cut(lines)
            if found is None:
                found = member
                self._add(member, lines)
            self._exact[lines] = found
        return found

    def _nearest(self, lines: Lines) -> int | None:
        from rapidfuzz.distance import Indel

        candidates = {head for key in self._rarest(lines) for head in self._by_line.get(key, ())}
        best: tuple[int, int] | None = None
        for head in sorted(candidates):
            limit = int(REST * (len(lines) + len(self._lines[head])))
            if abs(len(lines) - len(self._lines[head])) > limit:
                continue
            distance = Indel.distance(lines, self._lines[head], score_cutoff=limit)
            if distance <= limit and (best is None or distance < best[0]):
                best = distance, head
        return best[1] if best else None

    def _same_but_cut(self, lines: Lines) -> int | None:
        if len(lines) > _LEAST_BEFORE_CUT and (found := self._beginnings.get(lines[:-1])) is not None:
            return found
        lengths = range(min(len(lines), _MOST_BEGINNINGS), _LEAST_BEFORE_CUT - 1, -1)
        return next((self._cut[lines[:length]] for length in lengths if lines[:length] in self._cut), None)

    def _add(self, head: int, lines: Lines) -> None:
        self._lines[head] = lines
        for key in self._rarest(lines):
            self._by_line.setdefault(key, []).append(head)
        for length in range(_LEAST_BEFORE_CUT, min(len(lines), _MOST_BEGINNINGS) + 1):
            self._beginnings.setdefault(lines[:length], head)
        if len(lines) > _LEAST_BEFORE_CUT:
            self._cut.setdefault(lines[:-1], head)

    def _rarest(self, lines: Lines) -> list[tuple[int, int]]:
        """The lines, numbered where they repeat, of which a near text has at least one among its own."""
        nth: Counter[int] = Counter()
        keys = []
        for line in lines:
            keys.append((self._often[line], line, nth[line]))
            nth[line] += 1
        share = (1 - REST) / (1 + REST)
        return [(line, n) for _, line, n in sorted(keys)[: len(lines) - ceil(share * len(lines) - 1e-9) + 1]]
