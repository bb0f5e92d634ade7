"""What a JUnit file says, as far as it can be read: its test cases, and what is missing from them.

JUnit has no standard. The files of CI are cut off, concatenated, of wrong encodings, hostile; a reader that wants
them well-formed loses a build's only failure. Whatever comes before the damage is read, the damage is put into words,
nothing raises. Elements and rules are those of TestGrid's metadata/junit (which ignores errors inside the root, too)
and of Spyglass' junit lens.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

from defusedxml import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from backends.prow.junit_cleaning import Cleaner, without_escapes

MOST_BYTES = 64 << 20  # larger ones are read up to here
MOST_CASES = 200_000
MOST_CHARACTERS = 10_000  # of one text, as TestGrid cuts them
_MOST_OF_ALL_TEXTS = 32 << 20  # characters of a file's texts together; then they are cut to one line's length
NO_SUITE = "There is no test suite in it."
EMPTY = "The file is empty."
_SHORT = 200
_DEEPEST = 64
_PIECE = 1 << 16
_ROOT = "junit-files"  # around everything, so that several documents in one file are one
_NUMBER = re.compile(r"[+-]?(\d[\d,]*)?(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
_TEXTS = ("failure", "error", "skipped", "system-out", "system-err")
# Failed runs before the one that counts, inside the same case (Surefire's rerunFailingTestsCount, Gradle, nextest).
_EARLIER = ("flakyFailure", "flakyError", "rerunFailure", "rerunError")


@dataclass(frozen=True, slots=True)
class Case:
    """One testcase element. `state` is "P", "F" or "S"; `seconds` None if absent or no finite number of at least 0.

    `suite`: the names of the suites around it, outermost first, joined by " / ". `message` and `text` are those of the
    failure, error or skip; `output` what a failed one printed. No text is longer than MOST_CHARACTERS, none has escape
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
class Reading:
    """The cases in the file's order.

    `missing`: a sentence for each thing that is not as the file has it. `partial`: there may be more tests in the file.
    """

    cases: tuple[Case, ...] = ()
    missing: tuple[str, ...] = ()
    partial: bool = False


class JUnitReader:
    """Takes a file piece by piece and gives its cases as they end: no more than one case is ever held.

    `limit`: bytes that are read. After `finish`, `missing` is complete.
    """

    def __init__(self, limit: int = MOST_BYTES) -> None:
        self._limit, self._read = limit, 0
        self._cleaner, self._handler = Cleaner(), _Handler()
        self._parser = _Parser(forbid_dtd=True, forbid_entities=True, forbid_external=True)
        self._parser.setContentHandler(self._handler)
        self._broken = ""
        self._finished = False
        self._parse(f"<{_ROOT}>")

    @property
    def done(self) -> bool:
        """Whether more pieces would change nothing."""
        return bool(self._broken) or self._read >= self._limit or self._full

    def feed(self, piece: bytes) -> Iterator[Case]:
        for start in range(0, len(piece), _PIECE):
            if self.done:
                self._read += len(piece) - start  # so that it is known that there was more
                return
            part = piece[start : start + min(_PIECE, self._limit - self._read)]
            self._read += len(part)
            self._parse(self._cleaner.feed(part))
            yield from self._handler.taken()
            if self._read >= self._limit and start + len(part) < len(piece):
                self._read += 1

    def finish(self) -> Iterator[Case]:
        if self._finished:
            return
        self._finished = True
        if not self._broken:
            self._parse(self._cleaner.finish())
            self._end()
        self._handler.cut_off()
        yield from self._handler.taken()

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
        return self._handler.count >= MOST_CASES

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not as in the file, in sentences."""
        found, handler = [], self._handler
        if self._broken:
            found.append(f"{self._broken}; {_cases(handler.count)} before that.")
        elif self._read > self._limit:
            found.append(f"Only its first {self._limit:,} bytes were read: {_cases(handler.count)}.")
        elif self._full:
            found.append(f"Only its first {MOST_CASES:,} tests were read.")
        elif self._finished and not handler.count and not handler.suites:
            found.append(NO_SUITE if self._read else EMPTY)
        if self._cleaner.declares_entities or self._cleaner.entities:
            found.append("It uses entities of its own, which are not expanded.")
        for count, one, many in (
            (self._cleaner.replaced, "invalid character was replaced", "invalid characters were replaced"),
            (handler.bad_times, "time is not a number", "times are not numbers"),
            (handler.unnamed, "test has no name", "tests have no name"),
            (handler.cut, "text was cut", "texts were cut"),
        ):
            if count:
                found.append(f"{count:,} {one if count == 1 else many}.")
        if handler.too_deep:
            found.append(f"What is nested more than {_DEEPEST} deep was left out.")
        return tuple(found)


def read_junit(content: bytes | Iterable[bytes], *, limit: int = MOST_BYTES) -> Reading:
    """All that can be read of a file, whole or in pieces. Raises nothing but what the iterable raises."""
    reader = JUnitReader(limit)
    cases: list[Case] = []
    for piece in (content,) if isinstance(content, bytes) else content:
        done = reader.done
        cases += reader.feed(piece)
        if done and piece:  # one piece more than is read, to know that there is one
            break
    cases += reader.finish()
    return Reading(tuple(cases), reader.missing, reader.partial)


class _Parser(DefusedExpatParser):  # type: ignore[misc]
    """With text in pieces as large as they come: a call for every `&amp;` and line end doubled the time."""

    def reset(self) -> None:
        super().reset()
        self._parser.buffer_text = True


@dataclass
class _Open:
    """A testcase whose end has not come yet."""

    depth: int
    suite: str
    classname: str
    name: str
    seconds: float | None
    marks: set[str] = field(default_factory=set)
    message: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    reruns: int = 0
    earlier_message: list[str] = field(default_factory=list)
    earlier_text: list[str] = field(default_factory=list)
    earlier_output: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)


class _Handler(ContentHandler):
    """Builds cases from elements; every list in it is bounded."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.count = self.suites = self.bad_times = self.unnamed = self.cut = 0
        self.too_deep = False
        self._around: list[tuple[int, str]] = []
        self._case: _Open | None = None
        self._inside = ""
        self._inside_depth = 0
        self._printed_depth = 0  # of a system-out inside an earlier run
        self._room = _MOST_OF_ALL_TEXTS
        self._cases: list[Case] = []

    def taken(self) -> list[Case]:
        found, self._cases = self._cases, []
        return found

    def startElement(self, name: str, attrs: AttributesImpl) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
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
            if not kind.startswith("system-") and (message := self._limited(attrs.get("message", ""))):
                self._add("message", self._case.message, message)
        elif self._case is not None and kind in _EARLIER and not self._inside:
            self._inside, self._inside_depth = kind, self.depth
            self._case.reruns += 1
            for of, texts in (
                ("earlier message", self._case.earlier_message),
                ("earlier text", self._case.earlier_text),
                ("earlier output", self._case.earlier_output),
            ):  # the last one counts
                texts.clear()
                self._case.sizes[of] = 0
            self._add("earlier message", self._case.earlier_message, self._limited(attrs.get("message", "")))
        elif self._case is not None and self._inside in _EARLIER and kind.startswith("system-"):
            self._printed_depth = self._printed_depth or self.depth

    def _path(self, name: str) -> str:
        """The suite's name behind those around it; made once, since all of its cases hold the same string."""
        above = self._around[-1][1] if self._around else ""
        return self._limited(f"{above} / {name}" if above and name else above or name)

    def _begin(self, attrs: AttributesImpl) -> None:
        if self.count >= MOST_CASES:
            return
        name = self._limited(attrs.get("name", "")).strip()
        self.unnamed += not name
        seconds = self._seconds(attrs.get("time", ""))
        suite = self._around[-1][1] if self._around else ""
        self._case = _Open(self.depth, suite, self._limited(attrs.get("classname", "")), name, seconds)

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
            self._add("earlier output", self._case.earlier_output, content)
        elif self._inside in _EARLIER:
            self._add("earlier text", self._case.earlier_text, content)
        elif self._inside.startswith("system-"):
            self._add("output", self._case.output, content)
        else:
            self._add("text", self._case.text, content)

    def endElement(self, name: str) -> None:
        depth, self.depth = self.depth, self.depth - 1
        if depth > _DEEPEST:
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

    def _close(self, case: _Open) -> None:
        # The lens, too, takes a case for skipped that is marked as both.
        state = "S" if "skipped" in case.marks else "F" if {"failure", "error"} & case.marks else "P"
        # Passed in the end: what is told is why it did not at once.
        earlier = state == "P" and case.reruns > 0
        text = _joined(case.earlier_text if earlier else case.text)
        message = without_escapes("\n".join(case.earlier_message if earlier else case.message)).strip()
        message = message or text.strip().partition("\n")[0].strip()
        output = _joined(case.earlier_output if earlier else case.output if state == "F" else ())
        self._cases.append(
            Case(case.suite, case.classname, case.name, state, case.seconds, message, text, output, case.reruns)
        )
        self._room -= len(text) + len(message) + len(output)
        self.count += 1
        self._case, self._inside, self._printed_depth = None, "", 0

    def _add(self, which: str, to: list[str], content: str) -> None:
        assert self._case is not None
        most = MOST_CHARACTERS if self._room > 0 else _SHORT
        size = self._case.sizes.get(which, 0)
        if size < most:
            to.append(content[: most - size])
        if size <= most < size + len(content):
            self.cut += 1
        self._case.sizes[which] = size + len(content)

    def _limited(self, text: str) -> str:
        text = without_escapes(text)
        self.cut += len(text) > MOST_CHARACTERS
        return text[:MOST_CHARACTERS]


def _joined(pieces: Iterable[str]) -> str:
    return without_escapes("".join(pieces)).strip("\r\n")


def _cases(count: int) -> str:
    return "1 test was read" if count == 1 else f"{count:,} tests were read" if count else "no test was read"
