"""`XmlCleaner` turns bytes that claim to be XML into text that a strict parser takes.

It is decoded, and rid of what would stop the parser. Declarations, comments and document types go (so nothing can
declare an entity), CDATA becomes text (or stays where it follows a tag and no test case is in it), characters that XML
1.0 forbids, references to them and unknown entities become U+FFFD, a lone `&` or `<` is escaped. An escape character
becomes U+241B, for `strip_escapes` to take it out with the rest of its sequence. It works on pieces of any size; line
numbers stay those of the file. What needs no cleaning, which is most, is only looked through for signs that something
does.
"""

from __future__ import annotations

import codecs
import re
from typing import Literal

from backends.logs import ansi

# What XML 1.0 (section 2.2) does not let a document hold.
_CONTROLS = bytes({*range(0x20)} - set(b"\t\n\r"))
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# References that every file is full of are left to the parser: 60 MB with 3.6 million of them took 19 s, now 4.
_USUAL = (
    r"(?:amp|lt|gt|quot|apos|#(?:9|10|13|3[2-9]|[4-9]\d|1[01]\d|12[0-6])|#x(?:[9aAdD]|[2-6][0-9a-fA-F]|7[0-9a-eA-E]));"
)
# Two patterns, since one that begins with a certain character is looked for fifteen times faster.
_SPECIAL_MARKUP = re.compile(r"<(?:!\[CDATA\[|!--|[?!]|(?![A-Za-z_:/]))")
_SPECIAL_REFERENCE = re.compile(rf"&(?!{_USUAL})")
_REFERENCE = re.compile(r"&(?:#(\d{1,9})|#[xX]([0-9a-fA-F]{1,8})|([A-Za-z_][\w.-]{0,40}));", re.ASCII)
_MAYBE_REFERENCE = re.compile(r"&[#\w.-]{0,41}", re.ASCII)
_MAYBE_MARKUP = re.compile(r"<(?:!(?:-|\[[CDAT]{0,5})?)?")
_DOCTYPE_END = re.compile(r"\]\s*>")
_DECLARED = re.compile(rb"""<\?xml[^>]{0,100}encoding\s*=\s*["']([A-Za-z0-9._-]{1,20})["']""")
_CDATA = "<![CDATA["
# What is certainly the whole of a tag, so that content follows: there the parser takes CDATA as it is.
_TAG = re.compile(r'<[A-Za-z_][A-Za-z0-9_.-]*(?: +[A-Za-z_][A-Za-z0-9_.-]*="[^"<]*")*>')
_PREDEFINED = frozenset({"amp", "lt", "gt", "quot", "apos"})
# Only those that hold ASCII as it is, since the declaration itself was read as ASCII; Python has stranger codecs.
_ENCODINGS = re.compile(
    r"iso-?8859-\d{1,2}|latin-?1|windows-125\d|cp125\d|us-ascii|shift_jis|euc-jp|euc-kr|gb2312|gbk|gb18030|big5|koi8-r",
    re.IGNORECASE,
)
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_SNIFFED = 256
_REPLACEMENT = "\ufffd".encode()
_ESCAPE, _SYMBOL = "\x1b", "\u241b"  # no XML can hold the first
# Where a sequence begins: as it became above, as pytest writes it, or as Go's encoding/xml does. A lone symbol stays.
_BEGINS = re.compile(r"\u241b(?=[\[\]()PX^_=>])|#x1B(?=\[)|\ufffd(?=\[(?:[0-9;]+[A-HJKSTm]|[mK](?![A-Za-z\]])))")
_MAYBE_COLOUR = re.compile(r"\[[0-9;]*m")
_MAYBE_ESCAPES = re.compile("[\x1b\x90-\x9f\u241b]|#x1B\\[|\ufffd\\[|\\[[0-9;]*m")
# Colours whose escape characters the writer left out; they count as such only where one of them ends a colour.
_COLOUR = re.compile(r"\[(?:[0-9]{1,3}(?:;[0-9]{1,3})*)?m(?!\])", re.ASCII)
_COLOUR_ENDS = frozenset({"[m", "[0m", "[39m", "[22m", "[39;49m"})
_UNTIL_REPLACED = re.compile("\x1b\\][^\x1b\ufffd\n]*\ufffd")  # a link or title whose end (BEL) was replaced


class XmlCleaner:
    """Feed it bytes, get text. `replaced`, `entities` and `declares_entities` say what had to be done."""

    def __init__(self) -> None:
        self.replaced = 0
        self.entities = 0
        self.declares_entities = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._raw = self._before = b""
        self._held = ""
        self._mode = "text"
        self._is_raw = False  # a CDATA section that is given as it is
        # Where the next special things of the text in hand are; None: not looked for yet, False: nowhere.
        self._markup: re.Match[str] | Literal[False] | None = None
        self._entity: re.Match[str] | Literal[False] | None = None

    @property
    def inside(self) -> bool:
        """Whether what came so far ends inside a comment, a CDATA section or a declaration."""
        return self._mode != "text"

    def feed(self, piece: bytes) -> str:
        if self._decoder is None:
            self._raw += piece
            if len(self._raw) < _SNIFFED:
                return ""
            piece = self._begin()
        assert self._decoder is not None
        self._count_own(piece)
        return self._clean(self._replace_forbidden(self._decoder.decode(piece), piece), final=False)

    def finish(self) -> str:
        """What was held back."""
        piece = self._begin() if self._decoder is None else b""
        assert self._decoder is not None
        self._count_own(piece)
        return self._clean(self._replace_forbidden(self._decoder.decode(piece, final=True), piece), final=True)

    def _count_own(self, piece: bytes) -> None:
        """A U+FFFD that the file itself holds was replaced by somebody before."""
        seen = self._before + piece
        self.replaced -= seen.count(_REPLACEMENT)
        self._before = seen[-len(_REPLACEMENT) + 1 :]

    def _begin(self) -> bytes:
        self._decoder = codecs.getincrementaldecoder(encoding_of(self._raw))("replace")
        piece, self._raw = self._raw, b""
        return piece

    def _replace_forbidden(self, text: str, piece: bytes) -> str:
        """`piece` became `text`. In every encoding a control character ends with the byte of one; whether there is any
        is seen fastest by taking them out."""
        if len(piece.translate(None, _CONTROLS)) != len(piece) or "\ufffe" in text or "\uffff" in text:
            text = _FORBIDDEN.sub("\ufffd", text.replace(_ESCAPE, _SYMBOL))
        self.replaced += text.count("\ufffd")
        return text

    def _clean(self, text: str, *, final: bool) -> str:
        text = self._held + text
        self._markup = self._entity = None
        parts: list[str] = []
        position = 0
        while position < len(text):
            step = self._text if self._mode == "text" else self._other
            end, part = step(text, position, final)
            parts.append(part)
            if end == position and (self._mode == "text" or not part):
                break
            position = end
        self._held = text[position:]
        return "".join(parts)

    def _text(self, text: str, at: int, final: bool) -> tuple[int, str]:
        """One run of text and the special thing behind it."""
        match = self._next_special(text, at)
        if match is None:
            return len(text), text[at:]
        before, here = text[at : match.start()], match.start()
        # What might be cut off in its middle waits for the next piece.
        if not final and _may_continue(text, here):
            return here, before
        if match[0] == "&":
            end, replacement = self._reference(text, here)
            return end, before + replacement
        if match[0] == "<":
            return here + 1, before + "&lt;"
        self._mode = match[0]
        self._is_raw = match[0] == _CDATA and _TAG.fullmatch(before, max(before.rfind("<"), 0)) is not None
        return match.end(), before + _CDATA if self._is_raw else before

    def _next_special(self, text: str, at: int) -> re.Match[str] | None:
        """Each of the two patterns is searched again only behind where it was found; False: it is nowhere."""
        if self._markup is None or (self._markup and self._markup.start() < at):
            self._markup = _SPECIAL_MARKUP.search(text, at) or False
        if self._entity is None or (self._entity and self._entity.start() < at):
            self._entity = _SPECIAL_REFERENCE.search(text, at) or False
        found = [match for match in (self._markup, self._entity) if match]
        return min(found, key=lambda match: match.start(), default=None)

    def _reference(self, text: str, at: int) -> tuple[int, str]:
        match = _REFERENCE.match(text, at)
        if match is None:
            return at + 1, "&amp;"
        decimal, hexadecimal, name = match.groups()
        if name is not None:
            if name in _PREDEFINED:
                return match.end(), match[0]
            self.entities += 1
            return match.end(), "\ufffd"
        number = int(decimal) if decimal else int(hexadecimal, 16)
        if number == 0x1B:
            return match.end(), _SYMBOL
        if number > 0x10FFFF or _FORBIDDEN.match(chr(number)):
            self.replaced += 1
            return match.end(), "\ufffd"
        return match.end(), match[0]

    def _other(self, text: str, at: int, final: bool) -> tuple[int, str]:
        """Inside a section: up to its end, or all but what might begin the end."""
        end, after = _end(text, at, self._mode)
        if self._mode == "<!" and "<!ENTITY" in text[at : None if end < 0 else end]:
            self.declares_entities = True
        if end < 0:
            # A document type is looked for its end from its beginning, so all of it is held; it is dropped when large.
            is_held = self._mode == "<!" and len(text) - at < 1 << 16
            end = after = len(text) if final else at if is_held else max(at, len(text) - 8)
        else:
            closing, self._mode = self._mode, "text"
            return after, self._section(text[at:end], closing, is_last=True)
        part = text[at:end]
        if final and self._is_raw:
            part = part.removesuffix("\r")  # as the parser waits for what follows one
        return after, self._section(part, self._mode, is_last=final)

    def _section(self, text: str, mode: str, *, is_last: bool) -> str:
        if not self._is_raw:
            return _section_text(text, mode)
        if "<testcase" in text:
            self._is_raw = False
            return "]]>" + _section_text(text, mode)
        return f"{text}]]>" if is_last else text


def holds_escapes(text: str) -> bool:
    """Whether escape sequences may be in the text."""
    if text.isascii():
        return _ESCAPE in text or "#x1B[" in text or _MAYBE_COLOUR.search(text) is not None
    return _MAYBE_ESCAPES.search(text) is not None


def strip_escapes(text: str) -> str:
    """The text without the escape sequences of terminals, however the file's writer spelled the escape character."""
    if not holds_escapes(text):
        return text
    text = ansi.strip(_UNTIL_REPLACED.sub("", _BEGINS.sub(_ESCAPE, text)))
    colours = set(_COLOUR.findall(text))
    return _COLOUR.sub("", text) if colours & _COLOUR_ENDS and colours - _COLOUR_ENDS else text


def _end(text: str, at: int, mode: str) -> tuple[int, int]:
    """Where a section's content ends and where it goes on behind; -1 if neither is here yet."""
    if mode == "<!":
        close, bracket = text.find(">", at), text.find("[", at)
        if bracket >= 0 and (close < 0 or bracket < close):
            match = _DOCTYPE_END.search(text, bracket)
            return (match.start(), match.end()) if match else (-1, -1)
        return close, close + 1
    closing = {"<![CDATA[": "]]>", "<!--": "-->"}.get(mode, "?>")
    found = text.find(closing, at)
    return found, found + len(closing)


def _section_text(text: str, mode: str) -> str:
    if mode == _CDATA:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "\n" * text.count("\n")


def _may_continue(text: str, at: int) -> bool:
    """Whether the thing that begins here may go on behind the end of the text."""
    maybe = (_MAYBE_REFERENCE if text[at] == "&" else _MAYBE_MARKUP).match(text, at)
    return maybe is not None and maybe.end() == len(text)


def encoding_of(start: bytes) -> str:
    """The encoding of a document by its first bytes: byte order mark, else what it declares, else UTF-8."""
    for mark, name in _BYTE_ORDER_MARKS:
        if start.startswith(mark):
            return name
    declared = _DECLARED.search(start[:_SNIFFED])
    if declared and _ENCODINGS.fullmatch(name := declared[1].decode("ascii")):
        try:
            return codecs.lookup(name).name
        except LookupError:
            pass
    return "utf-8"
