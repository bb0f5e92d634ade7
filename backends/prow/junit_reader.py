"""What a JUnit file says, as far as it can be read: its test cases, and what is missing from them.

JUnit has no standard. The files of CI are cut off, concatenated, of wrong encodings, hostile; a reader that wants
them well-formed loses a build's only failure. Whatever comes before the damage is read, the damage is put into words,
nothing raises. Elements and rules are those of TestGrid's metadata/junit (which ignores errors inside the root, too)
and of Spyglass' junit lens.

`XmlCleaner` makes text of the bytes that expat takes. Expat calls back for each element, which costs more than all else
in a file of 20,000 tests that pass: elements that follow one like them are matched by one pattern instead
(`_Handler.parse`), and a case without texts is three strings in three lists until it is given.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from typing import Any, NamedTuple
from xml.parsers import expat

from backends.prow.xml_cleaner import XmlCleaner, holds_escapes, strip_escapes

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
_USUAL_TIMES = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,20})?(?:\n[0-9]{1,15}(?:\.[0-9]{1,20})?)*", re.ASCII)
_TEXTS = ("failure", "error", "skipped", "system-out", "system-err")
# Failed runs before the one that counts, inside the same case (Surefire's rerunFailingTestsCount, Gradle, nextest).
_EARLIER = ("flakyFailure", "flakyError", "rerunFailure", "rerunError")
_PRINTED = frozenset({"system-out", "system-err"})
_KINDS = frozenset({"testcase", "testsuite", "testsuites", *_TEXTS, *_EARLIER})
_MAX_KINDS = 1000  # names of elements whose kinds are held


# A value is looked through where it is taken: `[^"]*` is matched four times faster than a set of several characters.
_ATTRIBUTE_NAMES = re.compile(r' ([A-Za-z_][A-Za-z0-9_.-]*)="[^"]*"')
_SKIPPED = r'[ \t\n]*<(skipped)(?: +message="([^"]*)")? *(?:/>|></skipped>)[ \t\n]*'
_SIMPLE_END = rf" *(?:/>|>(?:{_SKIPPED})?</testcase>)"
_SIMPLE_CASE = re.compile(rf'<testcase((?: +[A-Za-z_][A-Za-z0-9_.-]*="[^"]*")+){_SIMPLE_END}')
_NUMBERED = re.compile("&#(?:([0-9]+)|[xX]([0-9a-fA-F]+));")
_PREDEFINED = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))


@lru_cache(64)
def _run_pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    """A simple case with exactly these attributes, and the space before it."""
    attributes = "".join(f' +{re.escape(name)}="([^"]*)"' for name in names)
    return re.compile(rf"(?:[ \t\n]|\r\n)*<testcase{attributes}{_SIMPLE_END}")


def _resolve(value: str) -> str:
    """The value with characters for its references, all of which the cleaner found good."""
    if "&#" in value:
        value = _NUMBERED.sub(_read_numbered, value)
    for reference, character in _PREDEFINED:
        value = value.replace(reference, character)
    return value


def _read_numbered(match: re.Match[str]) -> str:
    character = chr(int(match[1]) if match[1] else int(match[2], 16))
    return "&amp;" if character == "&" else character


class JUnitCase(NamedTuple):
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
        self._cleaner, self._parser = XmlCleaner(), expat.ParserCreate()
        self._handler = _Handler(self._parser)
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
            self._parse("", is_last_piece=True)
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

    def _parse(self, text: str, *, is_last_piece: bool = False) -> None:
        if not (text or is_last_piece) or self._broken:
            return
        if is_last_piece and hasattr(self._parser, "SetReparseDeferralEnabled"):
            self._parser.SetReparseDeferralEnabled(False)  # newer expats may hold the last tokens back otherwise
        try:
            self._handler.parse(text)
        except expat.ExpatError as error:
            self._broken = f"It is damaged at line {error.lineno} ({expat.ErrorString(error.code)})"
        except ValueError as error:
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


class _Texts:
    """What a case holds that has more than attributes. `texts`, `sizes`: by what they are; "earlier ..." those of the
    last earlier run."""

    __slots__ = ("marks", "reruns", "sizes", "texts")

    def __init__(self, *marks: str) -> None:
        self.marks = set(marks)
        self.texts: dict[str, list[str]] = {}
        self.sizes: dict[str, int] = {}
        self.reruns = 0

    @property
    def has_failed(self) -> bool:
        return not self.marks.isdisjoint(("failure", "error"))

    def drop_earlier(self) -> None:
        for name in ("earlier message", "earlier text", "earlier output"):
            self.texts.pop(name, None)
            self.sizes.pop(name, None)


class DeclarationError(ValueError):
    """A document type or an entity is declared, which the cleaner should have taken out."""


def _refuse_declaration(*_: object) -> None:
    raise DeclarationError


class _Handler:
    """Builds cases from expat's elements; every list in it is bounded.

    What has to be done at an element's end stands in `_open`. Its characters are asked for only inside of texts.
    """

    def __init__(self, parser: Any) -> None:
        self._parser = parser
        parser.buffer_text = True  # a call for every `&amp;` and line end doubled the time
        parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = _refuse_declaration
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        self.count = self.suites = self.bad_times = self.unnamed = self.cut = 0
        self._open: list[str] = []  # what ends with each element that is open: a suite, case, text, print, or nothing
        self._deeper = 0  # elements that are open beyond the deepest that counts
        self.too_deep = False
        self._kinds = {"testcase": "testcase"}  # by name
        self._around: list[str] = []
        self._is_plain = self._is_piece_plain = False
        self._in_case = False
        self._suite = self._name = self._classname = self._time = ""
        self._case: _Texts | None = None
        self._inside = ""
        self._is_printing = False  # inside a system-out of an earlier run
        self._room = _MAX_ALL_CHARACTERS
        self._forget_cases()

    @property
    def depth(self) -> int:
        return len(self._open) + self._deeper

    # ---- the cases that have ended

    def _forget_cases(self) -> None:
        self._suites: list[str] = []
        self._classnames: list[str] = []
        self._names: list[str] = []
        self._times: list[str] = []
        self._told: dict[
            int, tuple[str, str, str, str, int]
        ] = {}  # state, texts, reruns of those that are no bare pass

    def take_cases(self) -> list[JUnitCase]:
        count = len(self._names)
        states, messages, texts, outputs, reruns = ["P"] * count, [""] * count, [""] * count, [""] * count, [0] * count
        for place, told in self._told.items():
            states[place], messages[place], texts[place], outputs[place], reruns[place] = told
        columns = (self._suites, self._classnames, self._names, states, self._read_times(), messages, texts, outputs)
        cases = list(map(partial(tuple.__new__, JUnitCase), zip(*columns, reruns, strict=True)))
        self._forget_cases()
        return cases

    def _read_times(self) -> list[float | None]:
        if _USUAL_TIMES.fullmatch("\n".join(self._times)):  # one look at all of them
            return list(map(float, self._times))
        return [self._seconds(text) if text else None for text in self._times]

    # ---- what expat calls

    def parse(self, text: str) -> None:
        """The next piece. Expat gets all of it but what follows a simple case and is like it: there it could only find
        more of the same. Raises `ExpatError`, and `ValueError` for a declaration."""
        # Names in a plain piece need not be looked at one by one; its first element may have begun in the one before.
        self._is_plain, self._is_piece_plain = False, "&#" not in text and not holds_escapes(text)
        parser, at = self._parser, 0
        parser.StartElementHandler = self._start_first
        while (first := _SIMPLE_CASE.search(text, at)) is not None:
            count = self.count
            parser.Parse(text[at : first.end()], False)
            at = first.end()
            if self.count > count and not self._in_case and self.depth < _MAX_DEPTH:
                end = self._take_run(text, at, first[1])
                parser.Parse("\n" * text.count("\n", at, end), False)  # for the numbers of the lines
                at = end
        parser.Parse(text[at:], False)

    def _take_run(self, text: str, at: int, attributes: str) -> int:
        """Takes the simple cases from `at` on that have the attributes of the one before; gives where they end."""
        names = tuple(_ATTRIBUTE_NAMES.findall(attributes))
        find = _run_pattern(names).scanner(text, at).match  # type: ignore[attr-defined]
        matches = list(islice(iter(find, None), MAX_CASES - self.count))
        rows = [match.groups("") for match in matches]
        joined = "".join(map("".join, rows))
        if not rows or any(sign in joined for sign in "<\t\n\r"):  # expat refuses the first and makes spaces of others
            return at
        values = dict(zip((*names, "", " message"), zip(*rows, strict=True), strict=True))
        if "&" in joined:
            values |= {
                name: tuple(_resolve(value) if "&" in value else value for value in column)
                for name, column in values.items()
            }
        blank = ("",) * len(rows)
        cases, classnames = values.get("name", blank), values.get("classname", blank)
        if not self._is_plain or max(map(len, cases)) > MAX_CHARACTERS or max(map(len, classnames)) > MAX_CHARACTERS:
            cases, classnames = (tuple(map(self._limit, column)) for column in (cases, classnames))
        cases = tuple(map(str.strip, cases))
        self.unnamed += cases.count("")
        for place, skipped in enumerate(values[""], len(self._names)):
            if skipped:
                self._tell_skipped(values[" message"][place - len(self._names)], place)
        self._names += cases
        self._classnames += classnames
        self._times += values.get("time", blank)
        self._suites += (self._around[-1] if self._around else "",) * len(rows)
        self.count += len(rows)
        return int(matches[-1].end())

    def _tell_skipped(self, message: str, place: int) -> None:
        """Of a case in a run."""
        message = self._limit(message)
        if self._room > 0:  # what `_tell` would make of it
            message = strip_escapes(message).strip()
            self._told[place] = ("S", message, "", "", 0)
            self._room -= len(message)
            return
        case = _Texts("skipped")
        if message:
            self._add(case, "message", message)
        self._tell(case, place)

    def _start_first(self, name: str, attributes: Mapping[str, str]) -> None:
        self._start(name, attributes)
        self._is_plain = self._is_piece_plain
        self._parser.StartElementHandler = self._start

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        kind = self._kinds.get(name)
        if kind is None:
            kind = self._learn(name)
        if len(self._open) >= _MAX_DEPTH:
            self.too_deep = True
            self._deeper += 1
        elif kind != "testcase":
            self._open.append(self._begin_other(kind, attributes) if kind else "")
        elif self._in_case or self.count >= MAX_CASES:
            self._open.append("")
        else:
            self._open.append("case")
            self._in_case = True
            case, classname = attributes.get("name", ""), attributes.get("classname", "")
            if not self._is_plain or len(case) > MAX_CHARACTERS or len(classname) > MAX_CHARACTERS:
                case, classname = self._limit(case), self._limit(classname)
            self._name = case = case.strip()
            if not case:
                self.unnamed += 1
            self._classname = classname
            self._suite = self._around[-1] if self._around else ""
            self._time = attributes.get("time", "")

    def _learn(self, name: str) -> str:
        """What kind of element it is, "" if none that matters."""
        kind = name.rpartition(":")[2]
        kind = kind if kind in _KINDS else ""
        if len(self._kinds) < _MAX_KINDS:
            self._kinds[name] = kind
        return kind

    def _begin_other(self, kind: str, attributes: Mapping[str, str]) -> str:
        if kind in ("testsuite", "testsuites"):
            self.suites += 1
            self._around.append(self._path(attributes.get("name", "") if kind == "testsuite" else ""))
            return "suite"
        if not self._in_case:
            return ""
        if not self._inside:
            return self._begin_text(kind, attributes)
        if self._inside in _EARLIER and kind.startswith("system-") and not self._is_printing:
            self._is_printing = True
            return "print"
        return ""

    def _begin_text(self, kind: str, attributes: Mapping[str, str]) -> str:
        case = self._case = self._case or _Texts()
        self._inside = kind
        self._parser.CharacterDataHandler = self._characters
        if kind in _EARLIER:
            case.reruns += 1
            case.drop_earlier()
            self._add(case, "earlier message", self._limit(attributes.get("message", "")))
        else:
            case.marks.add(kind)
            if not kind.startswith("system-") and (message := self._limit(attributes.get("message", ""))):
                self._add(case, "message", message)
        return "text"

    def _path(self, name: str) -> str:
        """The suite's name behind those around it; made once, since all of its cases hold the same string."""
        above = self._around[-1] if self._around else ""
        return self._limit(f"{above} / {name}" if above and name else above or name)

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

    def _characters(self, content: str) -> None:
        if self._case is None:
            return
        if self._is_printing:
            self._add(self._case, "earlier output", content)
        elif self._inside in _EARLIER:
            self._add(self._case, "earlier text", content)
        else:
            self._add(self._case, "output" if self._inside.startswith("system-") else "text", content)

    def _end(self, name: str) -> None:
        if self._deeper:
            self._deeper -= 1
            return
        ending = self._open.pop()
        if ending == "case":
            self._close()
        elif ending == "text":
            self._inside = ""
            self._parser.CharacterDataHandler = None
        elif ending == "suite":
            self._around.pop()
        elif ending == "print":
            self._is_printing = False

    def cut_off(self) -> None:
        """The file ended: a case that has failed by then has failed, of another nothing is known but its time."""
        if self._case is not None and self._case.has_failed:
            self._close()
        elif self._in_case:
            self._seconds(self._time)

    def _close(self) -> None:
        if self._case is not None:
            if self._case.reruns or not self._case.marks <= _PRINTED:  # what a bare pass printed is not told
                self._tell(self._case, len(self._names))
            self._case = None
        self._suites.append(self._suite)
        self._classnames.append(self._classname)
        self._names.append(self._name)
        self._times.append(self._time)
        self.count += 1
        self._in_case = False

    def _tell(self, case: _Texts, place: int) -> None:
        # The lens, too, takes a case for skipped that is marked as both.
        state = "S" if "skipped" in case.marks else "F" if case.has_failed else "P"
        # Of a test that passed in the end, the texts say why it did not at once.
        earlier = "earlier " if state == "P" and case.reruns > 0 else ""
        text = _join(case.texts.get(f"{earlier}text", ()))
        message = strip_escapes("\n".join(case.texts.get(f"{earlier}message", ()))).strip()
        message = message or text.strip().partition("\n")[0].strip()
        output = _join(case.texts.get(f"{earlier}output", ())) if earlier or state == "F" else ""
        self._told[place] = (state, message, text, output, case.reruns)
        self._room -= len(text) + len(message) + len(output)

    def _add(self, case: _Texts, name: str, content: str) -> None:
        limit = MAX_CHARACTERS if self._room > 0 else _SHORT_CHARACTERS
        size = case.sizes.get(name, 0)
        if size < limit:
            case.texts.setdefault(name, []).append(content[: limit - size])
        if size <= limit < size + len(content):
            self.cut += 1
        case.sizes[name] = size + len(content)

    def _limit(self, text: str) -> str:
        text = strip_escapes(text)
        self.cut += len(text) > MAX_CHARACTERS
        return text[:MAX_CHARACTERS]


def _join(pieces: Iterable[str]) -> str:
    return strip_escapes("".join(pieces)).strip("\r\n")


def _count_words(count: int) -> str:
    return "1 test was read" if count == 1 else f"{count:,} tests were read" if count else "no test was read"
