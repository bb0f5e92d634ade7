"""What a JUnit file says, as far as it can be read: its test cases, and what is missing from them.

JUnit has no standard. The files of CI are cut off, concatenated, of wrong encodings, hostile; a reader that wants
them well-formed loses a build's only failure. Whatever comes before the damage is read, the damage is put into words,
nothing raises. Elements and rules are those of TestGrid's metadata/junit (which ignores errors inside the root, too)
and of Spyglass' junit lens.

`XmlCleaner` turns bytes that claim to be XML into text that a strict parser takes: decoded, and rid of what would stop
it. Declarations, comments and document types go (so nothing can declare an entity), CDATA becomes text, characters
that XML 1.0 forbids, references to them and unknown entities become U+FFFD, a lone `&` or `<` is escaped. An escape
character becomes U+241B, for `strip_escapes` to take it out with the rest of its sequence. It works on pieces of any
size; line numbers stay those of the file.
"""

from __future__ import annotations

import codecs
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

from defusedxml import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from backends.logs import ansi

MAX_BYTES = 64 << 20  # larger ones are read up to here
MAX_CASES = 200_000
MAX_CHARACTERS = 10_000  # of one text, as TestGrid cuts them
_MAX_ALL_CHARACTERS = 32 << 20  # characters of a file's texts together; then they are cut to one line's length
NO_SUITE = "There is no test suite in it."
EMPTY = "The file is empty."
_SHORT_CHARACTERS = 200
_MAX_DEPTH = 64
_PIECE = 1 << 16
_ROOT = "junit-files"  # around everything, so that several documents in one file are one
_NUMBER = re.compile(r"[+-]?(\d[\d,]*)?(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
_TEXTS = ("failure", "error", "skipped", "system-out", "system-err")
# Failed runs before the one that counts, inside the same case (Surefire's rerunFailingTestsCount, Gradle, nextest).
_EARLIER = ("flakyFailure", "flakyError", "rerunFailure", "rerunError")


@dataclass(frozen=True, slots=True)
class JUnitCase:
    """One testcase element. `state` is "P", "F" or "S"; `seconds` None if absent or no finite number of at least 0.

    `suite`: the names of the suites around it, outermost first, joined by " / ". `message` and `text` are those of the
    failure, error or skip; `output` what a failed one printed. No text is longer than MAX_CHARACTERS, none has escape
    sequences. `reruns`: failed runs before this one that the case itself lists (`flakyFailure`, `rerunFailure`); where
    it passed in the end, the texts are those of the last of them.
    """

    suite: str
    classname: str
    name: str
    state: str
    seconds: float | None
    message: str = ""
    text: str = ""
    output: str = ""
    reruns: int = 0


@dataclass(frozen=True)
class JUnitContent:
    """The cases in the file's order.

    `missing`: a sentence for each thing that is not as the file has it. `partial`: there may be more tests in the file.
    """

    cases: tuple[JUnitCase, ...] = ()
    missing: tuple[str, ...] = ()
    partial: bool = False


class JUnitReader:
    """Takes a file piece by piece and gives its cases as they end: no more than one case is ever held.

    `limit`: bytes that are read. After `finish`, `missing` is complete.
    """

    def __init__(self, limit: int = MAX_BYTES) -> None:
        self._limit, self._read = limit, 0
        self._cleaner, self._handler = XmlCleaner(), _Handler()
        self._parser = _Parser(forbid_dtd=True, forbid_entities=True, forbid_external=True)
        self._parser.setContentHandler(self._handler)
        self._broken = ""
        self._finished = False
        self._parse(f"<{_ROOT}>")

    @property
    def is_done(self) -> bool:
        """Whether more pieces would change nothing."""
        return bool(self._broken) or self._read >= self._limit or self._full

    def feed(self, piece: bytes) -> Iterator[JUnitCase]:
        for start in range(0, len(piece), _PIECE):
            if self.is_done:
                self._read += len(piece) - start  # so that it is known that there was more
                return
            part = piece[start : start + min(_PIECE, self._limit - self._read)]
            self._read += len(part)
            self._parse(self._cleaner.feed(part))
            yield from self._handler.take_cases()
            if self._read >= self._limit and start + len(part) < len(piece):
                self._read += 1

    def finish(self) -> Iterator[JUnitCase]:
        if self._finished:
            return
        self._finished = True
        if not self._broken:
            self._parse(self._cleaner.finish())
            self._end()
        self._handler.cut_off()
        yield from self._handler.take_cases()

    def _end(self) -> None:
        if self._broken or self._read > self._limit or self._full:
            return
        if self._cleaner.inside or self._handler.depth > 1:
            self._broken = "It ends in the middle"
            return
        self._parse(f"</{_ROOT}>")
        if not self._broken and self._handler.depth:
            self._broken = "It ends in the middle"

    def _parse(self, text: str) -> None:
        if not text or self._broken:
            return
        try:
            self._parser.feed(text)
        except SAXParseException as error:
            self._broken = f"It is damaged at line {error.getLineNumber()} ({error.getMessage()})"
        except (SAXException, DefusedXmlException, ValueError) as error:
            self._broken = f"It cannot be read further ({type(error).__name__})"

    @property
    def partial(self) -> bool:
        """Whether there may be tests that were not read."""
        return bool(self._broken) or self._read > self._limit or self._handler.too_deep or self._full

    @property
    def _full(self) -> bool:
        return self._handler.count >= MAX_CASES

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not as in the file, in sentences."""
        sentences, handler = [], self._handler
        if self._broken:
            sentences.append(f"{self._broken}; {_count_words(handler.count)} before that.")
        elif self._read > self._limit:
            sentences.append(f"Only its first {self._limit:,} bytes were read: {_count_words(handler.count)}.")
        elif self._full:
            sentences.append(f"Only its first {MAX_CASES:,} tests were read.")
        elif self._finished and not handler.count and not handler.suites:
            sentences.append(NO_SUITE if self._read else EMPTY)
        if self._cleaner.declares_entities or self._cleaner.entities:
            sentences.append("It uses entities of its own, which are not expanded.")
        for count, one, many in (
            (self._cleaner.replaced, "invalid character was replaced", "invalid characters were replaced"),
            (handler.bad_times, "time is not a number", "times are not numbers"),
            (handler.unnamed, "test has no name", "tests have no name"),
            (handler.cut, "text was cut", "texts were cut"),
        ):
            if count:
                sentences.append(f"{count:,} {one if count == 1 else many}.")
        if handler.too_deep:
            sentences.append(f"What is nested more than {_MAX_DEPTH} deep was left out.")
        return tuple(sentences)


def read_junit(content: bytes | Iterable[bytes], *, limit: int = MAX_BYTES) -> JUnitContent:
    """All that can be read of a file, whole or in pieces. Raises nothing but what the iterable raises."""
    reader = JUnitReader(limit)
    cases: list[JUnitCase] = []
    for piece in (content,) if isinstance(content, bytes) else content:
        done = reader.is_done
        cases += reader.feed(piece)
        if done and piece:  # one piece more than is read, to know that there is one
            break
    cases += reader.finish()
    return JUnitContent(tuple(cases), reader.missing, reader.partial)


class _Parser(DefusedExpatParser):  # type: ignore[misc]
    """With text in pieces as large as they come: a call for every `&amp;` and line end doubled the time."""

    def reset(self) -> None:
        super().reset()
        self._parser.buffer_text = True


@dataclass
class _OpenCase:
    """A testcase whose end has not come yet. `texts`: by what they are; "earlier ..." those of the last earlier run."""

    depth: int
    suite: str
    classname: str
    name: str
    seconds: float | None
    marks: set[str] = field(default_factory=set)
    texts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    sizes: Counter[str] = field(default_factory=Counter)
    reruns: int = 0

    def drop_earlier(self) -> None:
        for name in ("earlier message", "earlier text", "earlier output"):
            self.texts[name].clear()
            self.sizes[name] = 0


class _Handler(ContentHandler):
    """Builds cases from elements; every list in it is bounded."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.count = self.suites = self.bad_times = self.unnamed = self.cut = 0
        self.too_deep = False
        self._around: list[tuple[int, str]] = []
        self._case: _OpenCase | None = None
        self._inside = ""
        self._inside_depth = 0
        self._printed_depth = 0  # of a system-out inside an earlier run
        self._room = _MAX_ALL_CHARACTERS
        self._cases: list[JUnitCase] = []

    def take_cases(self) -> list[JUnitCase]:
        cases, self._cases = self._cases, []
        return cases

    def startElement(self, name: str, attrs: AttributesImpl) -> None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            self.too_deep = True
            return
        kind = name.rpartition(":")[2]
        if kind in ("testsuite", "testsuites"):
            self.suites += 1
            self._around.append((self.depth, self._path(attrs.get("name", "") if kind == "testsuite" else "")))
        elif kind == "testcase" and self._case is None:
            self._begin(attrs)
        elif self._case is not None and kind in _TEXTS and not self._inside:
            self._inside, self._inside_depth = kind, self.depth
            self._case.marks.add(kind)
            if not kind.startswith("system-") and (message := self._limit(attrs.get("message", ""))):
                self._add("message", message)
        elif self._case is not None and kind in _EARLIER and not self._inside:
            self._inside, self._inside_depth = kind, self.depth
            self._case.reruns += 1
            self._case.drop_earlier()
            self._add("earlier message", self._limit(attrs.get("message", "")))
        elif self._case is not None and self._inside in _EARLIER and kind.startswith("system-"):
            self._printed_depth = self._printed_depth or self.depth

    def _path(self, name: str) -> str:
        """The suite's name behind those around it; made once, since all of its cases hold the same string."""
        above = self._around[-1][1] if self._around else ""
        return self._limit(f"{above} / {name}" if above and name else above or name)

    def _begin(self, attrs: AttributesImpl) -> None:
        if self.count >= MAX_CASES:
            return
        name = self._limit(attrs.get("name", "")).strip()
        self.unnamed += not name
        seconds = self._seconds(attrs.get("time", ""))
        suite = self._around[-1][1] if self._around else ""
        self._case = _OpenCase(self.depth, suite, self._limit(attrs.get("classname", "")), name, seconds)

    def _seconds(self, text: str) -> float | None:
        cleaned = text.strip()
        if not cleaned:
            return None
        match = _NUMBER.fullmatch(cleaned[:40])
        if match and (match[1] or match[2]):
            value = float(cleaned.replace(",", ""))
            if math.isfinite(value) and value >= 0:
                return value
        self.bad_times += 1
        return None

    def characters(self, content: str) -> None:
        if self._case is None or not self._inside:
            return
        if self._printed_depth:
            self._add("earlier output", content)
        elif self._inside in _EARLIER:
            self._add("earlier text", content)
        else:
            self._add("output" if self._inside.startswith("system-") else "text", content)

    def endElement(self, name: str) -> None:
        depth, self.depth = self.depth, self.depth - 1
        if depth > _MAX_DEPTH:
            return
        if depth == self._printed_depth:
            self._printed_depth = 0
        if self._inside and depth == self._inside_depth:
            self._inside = ""
        elif self._case is not None and depth == self._case.depth:
            self._close(self._case)
        elif self._around and depth == self._around[-1][0]:
            self._around.pop()

    def cut_off(self) -> None:
        """The file ended: a case that has failed by then has failed, of another nothing is known."""
        if self._case is not None and {"failure", "error"} & self._case.marks:
            self._close(self._case)

    def _close(self, case: _OpenCase) -> None:
        # The lens, too, takes a case for skipped that is marked as both.
        state = "S" if "skipped" in case.marks else "F" if {"failure", "error"} & case.marks else "P"
        # Of a test that passed in the end, the texts say why it did not at once.
        earlier = "earlier " if state == "P" and case.reruns > 0 else ""
        text = _join(case.texts[f"{earlier}text"])
        message = strip_escapes("\n".join(case.texts[f"{earlier}message"])).strip()
        message = message or text.strip().partition("\n")[0].strip()
        output = _join(case.texts[f"{earlier}output"] if earlier or state == "F" else ())
        self._cases.append(
            JUnitCase(case.suite, case.classname, case.name, state, case.seconds, message, text, output, case.reruns)
        )
        self._room -= len(text) + len(message) + len(output)
        self.count += 1
        self._case, self._inside, self._printed_depth = None, "", 0

    def _add(self, name: str, content: str) -> None:
        assert self._case is not None
        limit = MAX_CHARACTERS if self._room > 0 else _SHORT_CHARACTERS
        size = self._case.sizes[name]
        if size < limit:
            self._case.texts[name].append(content[: limit - size])
        if size <= limit < size + len(content):
            self.cut += 1
        self._case.sizes[name] += len(content)

    def _limit(self, text: str) -> str:
        text = strip_escapes(text)
        self.cut += len(text) > MAX_CHARACTERS
        return text[:MAX_CHARACTERS]


def _join(pieces: Iterable[str]) -> str:
    return strip_escapes("".join(pieces)).strip("\r\n")


def _count_words(count: int) -> str:
    return "1 test was read" if count == 1 else f"{count:,} tests were read" if count else "no test was read"


# What XML 1.0 (section 2.2) does not let a document hold.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# References that every file is full of are left to the parser: 60 MB with 3.6 million of them took 19 s, now 4.
_USUAL = (
    r"(?:amp|lt|gt|quot|apos|#(?:9|10|13|3[2-9]|[4-9]\d|1[01]\d|12[0-6])|#x(?:[9aAdD]|[2-6][0-9a-fA-F]|7[0-9a-eA-E]));"
)
_SPECIAL = re.compile(rf"<!\[CDATA\[|<!--|<\?|<!|<(?![A-Za-z_:/])|&(?!{_USUAL})")
_REFERENCE = re.compile(r"&(?:#(\d{1,9})|#[xX]([0-9a-fA-F]{1,8})|([A-Za-z_][\w.-]{0,40}));", re.ASCII)
_MAYBE_REFERENCE = re.compile(r"&[#\w.-]{0,41}", re.ASCII)
_MAYBE_MARKUP = re.compile(r"<(?:!(?:-|\[[CDAT]{0,5})?)?")
_DOCTYPE_END = re.compile(r"\]\s*>")
_DECLARED = re.compile(rb"""<\?xml[^>]{0,100}encoding\s*=\s*["']([A-Za-z0-9._-]{1,20})["']""")
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
        return self._clean(self._decoder.decode(piece), final=False)

    def finish(self) -> str:
        """What was held back."""
        piece = self._begin() if self._decoder is None else b""
        assert self._decoder is not None
        self._count_own(piece)
        return self._clean(self._decoder.decode(piece, final=True), final=True)

    def _count_own(self, piece: bytes) -> None:
        """A U+FFFD that the file itself holds was replaced by somebody before."""
        seen = self._before + piece
        self.replaced -= seen.count(_REPLACEMENT)
        self._before = seen[-len(_REPLACEMENT) + 1 :]

    def _begin(self) -> bytes:
        self._decoder = codecs.getincrementaldecoder(encoding_of(self._raw))("replace")
        piece, self._raw = self._raw, b""
        return piece

    def _clean(self, text: str, *, final: bool) -> str:
        text = _FORBIDDEN.sub("\ufffd", text.replace(_ESCAPE, _SYMBOL))
        self.replaced += text.count("\ufffd")
        text = self._held + text
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
        match = _SPECIAL.search(text, at)
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
        return match.end(), before

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
            return after, _section_text(text[at:end], closing)
        return after, _section_text(text[at:end], self._mode)


def strip_escapes(text: str) -> str:
    """The text without the escape sequences of terminals, however the file's writer spelled the escape character."""
    if _MAYBE_ESCAPES.search(text) is None:
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
    if mode == "<![CDATA[":
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
