r"""What a person searches for, as a regular expression that can neither hang nor hold up the interface.

The engine is Rust's regex through polars, not Python's `re`: it works in linear time whatever the pattern is (`(a+)+$`
on a line of 64 KB would keep `re`, and with it every key, busy for ever), it does not hold the interpreter while it
works, and it is 3 to 20 times faster on logs. The price: no look-around, no back-references.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from backends.errors import UsageError

_HELD_OPEN, _HELD_SHUT = "\ue000", "\ue001"  # private use: stands for nothing, so no log has a reason to hold it
MOST_SPANS = 200  # of one line; who looks for "e" on a line of 4,000 signs sees enough
_ESCAPED = re.compile(r"\\(?:[pP]\{[^}]*\}|[pP].|x\{[^}]*\}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_GROUP_NAME = re.compile(r"\(\?P?<[^>]*>")
# What means something else in a window of lines than in one line of it.
_WINDOW_SENSITIVE = re.compile(r"\\[Az]|\(\?[a-zA-Z]*-")
_LONGEST_PORTABLE = 500  # characters
_PUNCTUATION = r"\\[!-/:;=?@\[-`{-~]"
# Left out is what one of the two does not know or reads in another way: sets within sets, flags, `a++`, `\x{61}`,
# `{,3}`, what is not ASCII, and large counts or those of groups: making a program of them could take minutes.
_PORTABLE = re.compile(
    r"(?:[\t !-#%-',->@-Z\]_`a-z}~]"
    rf"|\\[dDwWsSbB]|{_PUNCTUATION}"
    rf"|\[(?![^\]]*--)\^?(?:[\t -%'-Z^-}}]|\\[dDwWsS]|{_PUNCTUATION})+\]"
    r"|(?:[*+?]|\{\d{1,2}(?:,\d{0,2})?\})\??(?![*+?{])"
    r"|\((?!\?)|\(\?(?::|P?<[a-zA-Z_]\w*>)"
    r"|\)(?!\{)|[|^$.])+",
    re.ASCII,
)
_ERROR = re.compile(r"^error: (.+)$", re.MULTILINE)
_PLAIN = {
    "look-around, including look-ahead and look-behind, is not supported": "look-ahead and look-behind are not known",
    "backreferences are not supported": "references back to a group are not known",
    "repetition operator missing expression": "there is nothing before the * + ? or { to repeat",
    "unclosed group": "a ( is not closed",
    "unopened group": "a ) has no (",
    "unclosed character class": "a [ is not closed",
    "unclosed counted repetition": "a { is not closed",
    "incomplete escape sequence, reached end of pattern prematurely": "it ends in a lone \\",
}


@dataclass(frozen=True)
class TextPattern:
    """`text` as typed; `regex` for one line, `window_regex` for many at once ("" where they could differ).

    `prefilter`: expressions for `backends.logs.prefilter`, to be read with or without a difference of case.
    """

    text: str
    regex: str
    window_regex: str
    prefilter: tuple[str, ...] = ()
    ignore_case: bool = False

    def lines(self, lines: pl.Series) -> pl.Series:
        """Which of the lines match, as Boolean."""
        return lines.str.contains(self.regex)

    def may_match(self, window: pl.Series) -> bool:
        """Whether lines of this window (one cell of text) can match: many times faster than to look at each."""
        return not self.window_regex or bool(window.str.contains(self.window_regex).item())

    def spans(self, lines: list[str]) -> list[list[tuple[int, int]]]:
        """Where in each line its first matches are; empty ones are left out."""
        marked = pl.Series(lines, dtype=pl.String).str.replace_all(self.regex, f"{_HELD_OPEN}${{0}}{_HELD_SHUT}")
        return [
            _unmark(line, plain) if len(line) > len(plain) else []
            for line, plain in zip(marked.to_list(), lines, strict=True)
        ]


def parse_pattern(text: str) -> TextPattern:
    """Case matters only if the pattern has a capital. Raises `UsageError` in words for one that is not right."""
    if not text:
        raise UsageError("There is nothing to search for.", "Type a word or a regular expression.")
    ignore_case = not has_capital(text)
    regex = f"(?i){text}" if ignore_case else text
    try:
        pl.Series([""]).str.contains(regex)
    except pl.exceptions.PolarsError as problem:
        raise UsageError(f"Not a regular expression: {_message(str(problem))}.", _hint(text)) from None
    window = "" if _WINDOW_SENSITIVE.search(text) else f"(?m){regex}"
    return TextPattern(text, regex, window, (text,) if is_portable(text) else (), ignore_case)


def is_portable(text: str) -> bool:
    """Whether a valid pattern means the same to the prefilter, which reads Perl's dialect, on a line of ASCII."""
    return len(text) <= _LONGEST_PORTABLE and _PORTABLE.fullmatch(text) is not None


def has_capital(text: str) -> bool:
    """Whether the pattern names a capital letter; the S of \\S and the names of groups are none."""
    bare = _ESCAPED.sub("", _GROUP_NAME.sub("", text))
    return bare != bare.lower()


def _message(said: str) -> str:
    found = _ERROR.search(said)
    if found:
        return _PLAIN.get(found[1], found[1].rstrip("."))
    return "it would need too much memory" if "size limit" in said else "it cannot be read"


def _hint(text: str) -> str:
    return "Put a \\ before a sign that is meant as it is." if re.search(r"[(\[{*+?|)\\]", text) else "Try another one."


def _unmark(marked: str, plain: str) -> list[tuple[int, int]]:
    if _HELD_OPEN in plain or _HELD_SHUT in plain:
        return []  # somebody's log does hold them: no marks rather than wrong ones
    found: list[tuple[int, int]] = []
    signs, at = 0, marked.find(_HELD_OPEN)
    while at >= 0 and len(found) < MOST_SPANS:
        end = marked.find(_HELD_SHUT, at)
        if end > at + 1:
            found.append((at - signs, end - signs - 1))
        signs += 2
        at = marked.find(_HELD_OPEN, end)
    return found
