r"""A raw log line as text and colours: SGR is understood, every other escape sequence is taken out.

What is left may still hold control characters; `backends.frames.formats.safe_text` makes those visible when the text
is drawn, since tabs and widths are known only there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

# Each alternative stops at the next introducer, so that a line full of unfinished ones is still read in linear time.
# A string that is never finished loses only its introducer: nobody can hide the rest of a line behind one.
_BODY = r"[^\x07\x1b\x80-\x9f\n]*"
ESCAPES = (
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    rf"|(?:\x1b\]|\x9d){_BODY}(?:\x07|\x1b\\|\x9c)"
    rf"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f]){_BODY}(?:\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]?|[\x90\x98\x9b\x9d-\x9f]"
)
_SGR = r"(?:\x1b\[|\x9b)[0-9;:]*m"
_ANY = re.compile(ESCAPES)
_COLOUR = re.compile(r"(?:\x1b\[|\x9b)([0-9;:]*)m")
_OTHER = re.compile(rf"(?!{_SGR})(?:{ESCAPES})")
_MOST_PARAMETERS = 64
_MOST_SPANS = 100  # a line that changes colour more often is a picture; the rest of it is shown plain

Color = int | tuple[int, int, int]  # one of the 256, or red, green, blue


@dataclass(frozen=True)
class SgrState:
    """What SGR asked for. Colours None: the terminal's own."""

    foreground: Color | None = None
    background: Color | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False
    strike: bool = False


PLAIN = SgrState()


@dataclass(frozen=True)
class Span:
    """Characters `start` up to `end` look so."""

    start: int
    end: int
    look: SgrState


def decode_line(content: bytes) -> str:
    """A line as text: what its last carriage return left standing, U+FFFD for bytes that are not UTF-8."""
    if b"\r" in content:
        content = content.rstrip(b"\r")
        content = content[content.rfind(b"\r") + 1 :]
    return content.decode("utf-8", "replace")


def strip(text: str) -> str:
    """The text without escape sequences."""
    return _ANY.sub("", text) if _has_escapes(text) else text


def parse(text: str) -> tuple[str, tuple[Span, ...]]:
    """The text without escape sequences, and how its parts look. No look lasts longer than its line."""
    if not _has_escapes(text):
        return text, ()
    parts: list[str] = []
    spans: list[Span] = []
    look, length, position = PLAIN, 0, 0
    # What is no colour goes in one call: a line may hold thousands, and no part of one is left to make a new one with.
    text = _OTHER.sub("", text)
    for token in _COLOUR.finditer(text):
        if len(spans) >= _MOST_SPANS:
            look, text = PLAIN, text[:position] + strip(text[position:])
            break
        length = _add(text[position : token.start()], length, look, parts, spans)
        position = token.end()
        look = _apply_sgr(look, token[1])
    _add(text[position:], length, look, parts, spans)
    return "".join(parts), tuple(spans)


def _has_escapes(text: str) -> bool:
    return "\x1b" in text or not (text.isascii() or text.isprintable())


def _add(piece: str, length: int, look: SgrState, parts: list[str], spans: list[Span]) -> int:
    if not piece:
        return length
    parts.append(piece)
    end = length + len(piece)
    if look != PLAIN:
        if spans and spans[-1].end == length and spans[-1].look == look:
            spans[-1] = replace(spans[-1], end=end)
        else:
            spans.append(Span(length, end, look))
    return end


_SWITCHES: dict[int, dict[str, bool]] = {
    1: {"bold": True},
    2: {"dim": True},
    3: {"italic": True},
    4: {"underline": True},
    7: {"reverse": True},
    9: {"strike": True},
    21: {"underline": True},
    22: {"bold": False, "dim": False},
    23: {"italic": False},
    24: {"underline": False},
    27: {"reverse": False},
    29: {"strike": False},
}


@lru_cache(maxsize=1024)
def _apply_sgr(look: SgrState, parameters: str) -> SgrState:
    codes = iter(_codes(parameters))
    for code in codes:
        if code == 0:
            look = PLAIN
        elif code in _SWITCHES:
            look = replace(look, **_SWITCHES[code])
        elif code in (38, 48):
            colour = _extended(codes)
            if colour is not None:
                look = replace(look, foreground=colour) if code == 38 else replace(look, background=colour)
        elif 30 <= code <= 37 or 90 <= code <= 97:
            look = replace(look, foreground=code - 30 if code < 40 else code - 82)
        elif 40 <= code <= 47 or 100 <= code <= 107:
            look = replace(look, background=code - 40 if code < 50 else code - 92)
        elif code == 39:
            look = replace(look, foreground=None)
        elif code == 49:
            look = replace(look, background=None)
    return look


def _codes(parameters: str) -> list[int]:
    """The numbers; `38:2::r:g:b` of the standard becomes the `38;2;r;g;b` that everybody writes."""
    codes: list[int] = []
    for part in parameters.split(";")[:_MOST_PARAMETERS]:
        if ":" not in part:
            codes.append(_number(part))
            continue
        numbers = part.split(":")
        if len(numbers) == 6 and numbers[1] == "2":
            del numbers[2]  # the colour space, which nobody uses
        if numbers[0] in ("38", "48"):
            codes += [_number(number) for number in numbers]
        else:
            codes.append(_number(numbers[0]) if numbers[1:] != ["0"] else 24)
    return codes


def _number(digits: str) -> int:
    return int(digits) if 0 < len(digits) < 5 else 0 if not digits else -1


def _extended(codes: Iterator[int]) -> Color | None:
    kind = next(codes, -1)
    if kind == 5:
        number = next(codes, -1)
        return number if 0 <= number <= 255 else None
    if kind == 2:
        red, green, blue = next(codes, -1), next(codes, -1), next(codes, -1)
        return (red, green, blue) if all(0 <= part <= 255 for part in (red, green, blue)) else None
    return None
