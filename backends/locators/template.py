"""Locator templates: one text per list gives parsing, printing, syntax help, completion and the law test.

    treeherder:pushes/{repository:repository}?author={author}&from={start:day}&count={count}

A template is a path of literals and fields, then options. `[/{field}...]` at the end of the path may be left out;
options always may. An option without a name, `{flags:alert_flags}`, is a set of words, each written as `&word=1`. The
kind of a field (after the colon) defaults to what its annotation says: str -> text, int -> int, bool -> flag.

The law: `template.parse(template.format(x)) == x` for every x, even after the text was pasted with a full stop behind
it.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from backends.errors import UsageError
from backends.locators.base import InvalidLocatorError
from backends.locators.pasted import CLOSING, SCHEME, escape, split_url, unescape


@dataclass(frozen=True)
class FieldKind:
    """How values of a field are written in a locator.

    `pattern`: what a decoded value looks like; `noun`: for messages ("a day"); `placeholder`: for syntax help;
    `choices`: all values, or the set of words of an option without a name; `raw`: `parse` and `format` do the
    percent-encoding themselves (fields with separators of their own); `rest`: as the last field of a path it takes all
    that is left of it, bare slashes included; `option`: "module:function" that reads what a user types behind a command
    line option, where that may be more than the locator has ("14d" for 1209600). `parse` raises `ValueError` for what
    fits the pattern and still is not a value, e.g. 2026-02-30.
    """

    pattern: str
    noun: str
    placeholder: str
    parse: Callable[[str], Any] = str
    format: Callable[[Any], str] = str
    choices: tuple[str, ...] = ()
    raw: bool = False
    rest: bool = False
    option: str = ""

    def read_input(self, text: str, name: str = "") -> Any:
        """A value as a user types it in a command or a dialog. Raises `UsageError`."""
        if self.option:
            module, _, function = self.option.partition(":")
            return getattr(importlib.import_module(module), function)(text)
        try:
            if re.fullmatch(self.pattern, text, re.ASCII):
                return self.parse(text)
        except ValueError:
            pass
        raise UsageError(f"{name}{': ' if name else ''}{text[:60]!r} is not {self.noun}.")


def _server(text: str) -> str:
    if SCHEME.match(text) is None:
        raise InvalidLocatorError("A locator names its server as server=https://HOST.", "Add https:// before the host.")
    return split_url(text).server()


_WORD = r"[A-Za-z0-9_.-]{1,100}"
KINDS: dict[str, FieldKind] = {
    "text": FieldKind(r"(?s:.*)", "a text", "TEXT"),
    "word": FieldKind(_WORD, "a name", "NAME"),
    "int": FieldKind(r"[0-9]{1,15}", "a number", "N", int),
    "day": FieldKind(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "a day (YYYY-MM-DD)", "DAY", lambda text: date.fromisoformat(text).isoformat()
    ),
    "revision": FieldKind(r"[0-9a-f]{8,40}", "a revision (8 to 40 hex digits)", "REVISION"),
    "hash": FieldKind(r"[0-9a-f]{40}", "a hash (40 hex digits)", "HASH"),
    "repository": FieldKind(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", "a repository name", "REPOSITORY"),
    "all": FieldKind(_WORD, "a name or all", "NAME", lambda t: "" if t == "all" else t, lambda v: v or "all"),
    "flag": FieldKind("1", "1", "1", lambda _: True, lambda _: "1"),
    "server": FieldKind(r"(?s:.+)", "a server", "https://HOST", _server),
}
_FIELD = re.compile(r"(?:([\w-]+)=)?\{(\w+)(?::(\w+))?\}")
_BY_TYPE = {"str": "text", "int": "int", "bool": "flag"}


@dataclass(frozen=True)
class Segment:
    """One part of the path: a literal, or a field (then `kind` is set)."""

    text: str
    kind: FieldKind | None = None
    optional: bool = False


@dataclass(frozen=True)
class Option:
    """One option: `name=value`, or (name "") a set of words."""

    name: str
    field: str
    kind: FieldKind


class TemplateMismatchError(Exception):
    """Why a text does not match a template. `depth`: how many path segments matched, to choose the best message."""

    def __init__(self, reason: str, depth: int) -> None:
        super().__init__(reason)
        self.reason, self.depth = reason, depth


@dataclass(frozen=True)
class Template:
    """A compiled template. `annotations`: field -> annotation (as text), for the kinds that the template does not
    name."""

    text: str
    segments: tuple[Segment, ...]
    options: tuple[Option, ...]
    prefix: str = field(default="")

    @classmethod
    def compile(cls, text: str, annotations: Mapping[str, str], kinds: Mapping[str, FieldKind] = KINDS) -> Template:
        """Raises `ValueError` for a template that is malformed, or whose fields are not those of the locator."""
        path, _, query = text.partition("?")
        prefix, colon, body = path.partition(":")

        def kind_of(name: str, kind: str | None) -> FieldKind:
            if name not in annotations:
                raise ValueError(f"{text}: the locator has no field {name!r}")
            kind = kind or _BY_TYPE.get(annotations[name].removesuffix(" | None"))
            if kind is None or kind not in kinds:
                raise ValueError(f"{text}: field {name!r} needs a kind")
            return kinds[kind]

        segments, optional = [], False
        for part in body.rstrip("]").split("/"):
            match = _FIELD.fullmatch(part.rstrip("["))
            kind = kind_of(match[2], match[3]) if match else None
            segments.append(Segment(match[2] if match else part.rstrip("["), kind, optional))
            optional = optional or part.endswith("[")
        options = []
        for part in filter(None, query.split("&")):
            match = _FIELD.fullmatch(part)
            if match is None:
                raise ValueError(f"{text}: {part!r} is not an option")
            options.append(Option(match[1] or "", match[2], kind_of(match[2], match[3])))
        named = [s.text for s in segments if s.kind] + [o.field for o in options]
        if not colon or sorted(named) != sorted(annotations):
            raise ValueError(f"{text}: its fields are {sorted(named)}, the locator's are {sorted(annotations)}")
        return cls(text, tuple(segments), tuple(options), prefix)

    @property
    def head(self) -> str:
        """The literal that the path begins with; a system's templates are looked up by it."""
        return self.segments[0].text

    @property
    def path_fields(self) -> tuple[str, ...]:
        return tuple(segment.text for segment in self.segments if segment.kind)

    @property
    def syntax(self) -> str:
        """For help: perf:pushes/REPOSITORY[?author=TEXT&from=DAY&count=N]"""
        path = ""
        for segment in self.segments:
            shown = segment.text if segment.kind is None else segment.text.upper().replace("_", "-")
            path += f"[/{shown}" if segment.optional else f"/{shown}"
        path = path[1:] + "]" * sum(segment.optional for segment in self.segments)
        pairs = [part for option in self.options for part in _option_syntax(option)]
        return f"{self.prefix}:{path}" + (f"[?{'&'.join(pairs)}]" if pairs else "")

    def kind(self, name: str) -> FieldKind:
        return next(kind for field_name, kind in self._kinds() if field_name == name)

    def _kinds(self) -> Iterator[tuple[str, FieldKind]]:
        yield from ((s.text, s.kind) for s in self.segments if s.kind)
        yield from ((o.field, o.kind) for o in self.options)

    def format(self, values: Any) -> str:
        """The text of a locator (anything with the fields as attributes)."""
        path = []
        for segment in self.segments:
            if segment.kind is None:
                path.append(segment.text)
                continue
            text = segment.kind.format(getattr(values, segment.text))
            if segment.optional and not text:
                break
            path.append(text if segment.kind.raw else escape(text))
        pairs = []
        for option in self.options:
            value = getattr(values, option.field)
            if value is None or value is False or value in ("", ()):  # but 0 is a value
                continue
            if not option.name:
                pairs += [f"{word}=1" for word in value]
            else:
                text = option.kind.format(value)
                pairs.append(f"{option.name}={text if option.kind.raw else escape(text, safe=':')}")
        text = f"{self.prefix}:{'/'.join(path)}" + (f"?{'&'.join(pairs)}" if pairs else "")
        if text.endswith(tuple(CLOSING)):  # would be taken for the punctuation of the sentence that it is pasted from
            text += "&v=1" if pairs else "?v=1"
        return text

    def parse(self, body: str) -> dict[str, Any]:
        """The fields in the text behind the prefix. Raises `TemplateMismatchError`; `InvalidLocatorError` for what
        must not be opened."""
        path, _, query = body.partition("?")
        given, found = self._parts(path), dict[str, Any]()
        for depth, segment in enumerate(self.segments):
            if depth >= len(given):
                if segment.optional:
                    break
                raise TemplateMismatchError(f"{segment.text.upper()} is missing", depth)
            if segment.kind is None:
                if given[depth] != segment.text:
                    raise TemplateMismatchError(f"{given[depth]!r} is not {segment.text!r}", depth)
                continue
            found[segment.text] = _value(segment.kind, given[depth], segment.text, depth)
        if len(given) > len(self.segments):
            raise TemplateMismatchError(
                f"{unescape(given[len(self.segments)])!r} does not belong there", len(self.segments)
            )
        pairs = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
        known = {name for option in self.options for name in ((option.name,) if option.name else option.kind.choices)}
        if unknown := next((name for name in pairs if name not in known and name != "v"), None):
            raise TemplateMismatchError(f"it has no option {unescape(unknown)[:60]!r}", len(self.segments))
        for option in self.options:
            if not option.name:
                found[option.field] = tuple(word for word in option.kind.choices if pairs.get(word) == "1")
            elif pairs.get(option.name):
                found[option.field] = _value(option.kind, pairs[option.name], option.name, len(self.segments))
        return found

    def _parts(self, path: str) -> list[str]:
        """The segments of a path; the last field may take all that is left."""
        last = self.segments[-1].kind
        if last is not None and last.rest:
            return path.split("/", len(self.segments) - 1)
        return path.rstrip("/").split("/")

    def complete(self, text: str, values: Callable[[str], list[str]] = lambda name: []) -> list[str]:
        """Texts that continue `text` by one segment or option. `values(field)` offers values of a field."""
        path, mark, query = text.partition("?")
        if mark:
            *before, last = query.split("&")
            used = {pair.partition("=")[0] for pair in before}
            name, equals, start = last.partition("=")
            if equals:
                offered = [f"{name}={value}" for value in self._offered(name, values) if value.startswith(start)]
            else:
                names = [o.name for o in self.options if o.name] + [
                    c for o in self.options if not o.name for c in o.kind.choices
                ]
                offered = [f"{n}=" for n in names if n.startswith(name) and n not in used]
            return [f"{path}?{'&'.join([*before, one])}" for one in offered]
        given = path.partition(":")[2].split("/")
        if len(given) > len(self.segments) or any(
            s.kind is None and s.text != part for s, part in zip(self.segments, given[:-1], strict=False)
        ):
            return []
        segment, start = self.segments[len(given) - 1], given[-1]
        offered = [segment.text] if segment.kind is None else [escape(v) for v in values(segment.text)]
        return [path.removesuffix(start) + one for one in offered if one.startswith(start)]

    def _offered(self, name: str, values: Callable[[str], list[str]]) -> list[str]:
        for option in self.options:
            if option.name == name:
                return ["1"] if option.kind.pattern == "1" else list(option.kind.choices) or values(option.field)
        return ["1"]


def _option_syntax(option: Option) -> list[str]:
    return (
        [f"{option.name}={option.kind.placeholder}"] if option.name else [f"{word}=1" for word in option.kind.choices]
    )


def _value(kind: FieldKind, text: str, name: str, depth: int) -> Any:
    decoded = text if kind.raw else unescape(text)
    try:
        if re.fullmatch(kind.pattern, decoded, re.ASCII):
            return kind.parse(decoded)
    except ValueError:
        pass
    raise TemplateMismatchError(f"{name}: {decoded[:60]!r} is not {kind.noun}", depth)
