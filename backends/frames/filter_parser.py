"""How the text of a filter becomes terms, and what is said about a text that cannot become any.

One pass from left to right; every error carries the position of its term and whether only the end is missing.
"""

from __future__ import annotations

import difflib
import re

import polars as pl

from backends.frames.filter_ast import (
    Amount,
    Choice,
    FilterSyntaxError,
    Match,
    Missing,
    Moment,
    Pattern,
    SearchTerm,
    Term,
    Text,
    Word,
    quoted_if_needed,
)
from backends.frames.formats import QuantityError, parse_quantity, safe_text
from backends.frames.schema import Column, Kind, Schema

_OPERATOR = re.compile(r'([^\s:<>="]*?)(>=|<=|!=|[:<>=])')
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(?![\d])")
_HALF_MOMENT = re.compile(r"[\d.:+ t-]*z?", re.IGNORECASE)
_UNITS = (
    "ms",
    "seconds",
    "minutes",
    "hrs",
    "hours",
    "days",
    "weeks",
    "kb",
    "mb",
    "gb",
    "tb",
    "kib",
    "mib",
    "gib",
    "tib",
)
_MOMENTS = ("today", "yesterday", "now")
_SHOWN = 40


class Reader:
    """Reads one text; `terms()` gives its terms or raises `FilterSyntaxError`."""

    def __init__(self, text: str, schema: Schema, typing: bool = False) -> None:
        """`typing`: the text may go on."""
        self.text = text
        self._typing = typing
        self.schema = schema
        self.at = 0
        self.unfinished = False  # the text ends in a bare `column:`, so its value may be about to be typed

    def terms(self) -> tuple[Term, ...]:
        found: list[Term] = []
        while self._skip_space():
            found.append(self._term())
        return tuple(found)

    # ---- scanning --------------------------------------------------------------------------------------------

    @property
    def _ended(self) -> bool:
        return self.at >= len(self.text)

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _skip_space(self) -> bool:
        while not self._ended and self._peek().isspace():
            self.at += 1
        return not self._ended

    def _run(self, stop: str = "") -> str:
        """The signs up to white space or one of `stop`."""
        start = self.at
        while not self._ended and not self._peek().isspace() and self._peek() not in stop:
            self.at += 1
        return self.text[start : self.at]

    def _read_string(self, position: int) -> str:
        self.at += 1
        pieces: list[str] = []
        while not self._ended:
            sign = self._peek()
            if sign == '"':
                self.at += 1
                return "".join(pieces)
            following = self.text[self.at + 1 : self.at + 2]
            if sign == "\\" and following and following in '"\\':
                sign = following
                self.at += 1
            pieces.append(sign)
            self.at += 1
        raise FilterSyntaxError("A quote is open.", 'End it with ".', position=position, incomplete=True)

    def _pattern(self, position: int, closers: str = "") -> Pattern:
        """A regular expression; the slash that ends it is followed by white space, the end or one of `closers`."""
        start = self.at
        self.at += 1
        pieces: list[str] = []
        while not self._ended:
            sign, following = self._peek(), self.text[self.at + 1 : self.at + 2]
            if sign == "/" and (not following or following.isspace() or following in closers):
                self.at += 1
                return _checked("".join(pieces), position)
            if sign == "\\" and following:
                self.at += 1
                sign = "/" if following == "/" else sign + following
            pieces.append(sign)
            self.at += 1
        shown = _quote_word(self.text[start:].split()[0])
        raise FilterSyntaxError(
            "A regular expression is open.", f"End it with /, or search for the text: {shown}", position=position,
            incomplete=True,
        )  # fmt: skip

    # ---- terms -----------------------------------------------------------------------------------------------

    def _term(self) -> Term:
        position = self.at
        negated = self._peek() == "-"
        self.at += negated
        sign = self._peek()
        if not sign or sign.isspace():
            raise FilterSyntaxError(
                "A minus stands alone.", 'Write -word without a space, or "-" for the sign.', position=position,
                incomplete=self._ended,
            )  # fmt: skip
        term: Term
        if sign == '"':
            text = self._read_string(position)
            if not text:
                raise FilterSyntaxError('"" looks for nothing.', "Write a word in the quotes.", position=position)
            term = Word(text, negated)
        elif sign == "/":
            term = SearchTerm(self._pattern(position), negated)
        elif found := _OPERATOR.match(self.text, self.at):
            term = self._match(position, negated, found[1], found[2])
        else:
            term = Word(self._run(), negated)
        if not self._ended and not self._peek().isspace():
            raise FilterSyntaxError(
                f"{self._run()[:_SHOWN]!r} follows a closed quote or expression.", "Put a space between them.",
                position=position,
            )  # fmt: skip
        return term

    def _match(self, position: int, negated: bool, name: str, operator: str) -> Match:
        start = self.at
        column = self._column(name)
        if column is None:
            raise self._unknown(position, name, operator, self._run_from(start))
        self.at += len(name) + len(operator)
        if operator in {">", ">=", "<", "<="}:
            if column.is_text:
                raise FilterSyntaxError(
                    f"{column.name} is text and has no order.", f"Write {column.name}:value.", position=position
                )
            return Match(column, operator, (self._bound(position, column, operator),), negated)
        return Match(column, operator, self._choices(position, column, operator), negated)

    def _run_from(self, start: int) -> str:
        self.at = start
        return self._run()

    def _column(self, name: str) -> Column | None:
        if name in self.schema:
            return self.schema[name]
        return next((column for column in self.schema if column.name.lower() == name.lower()), None)

    def _bound(self, position: int, column: Column, operator: str) -> Choice:
        text = self._read_string(position) if self._peek() == '"' else self._run()
        if not text:
            raise self._no_value(position, column, operator)
        return self._choice(position, column, text)

    def _choices(self, position: int, column: Column, operator: str) -> tuple[Choice, ...]:
        """Values separated by commas; an empty one counts only where it is alone or quoted."""
        found: list[Choice] = []
        while True:
            if self._peek() == '"':
                text = self._read_string(position)
                found.append(self._choice(position, column, text) if text else Missing())
            elif self._peek() == "/" and operator == ":" and column.is_text:
                found.append(self._pattern(position, closers=","))
            else:
                grouped = _GROUPED.match(self.text, self.at) if column.is_numeric else None
                text = grouped[0] if grouped else ""
                self.at += len(text)
                text += self._run(stop=",")
                if text:
                    begins = self._typing and self._ended and column.kind is Kind.STATE and operator == ":"
                    found.append(Text(text, begins=True) if begins else self._choice(position, column, text))
            if self._peek() != ",":
                break
            self.at += 1
        if not found and operator != ":":
            raise self._no_value(position, column, operator)
        self.unfinished = not found and self._ended
        return tuple(found) or (Missing(),)

    def _choice(self, position: int, column: Column, text: str) -> Choice:
        if column.is_text:
            return Text(text)
        try:
            value = parse_quantity(text, column.kind)
        except QuantityError as problem:
            raise FilterSyntaxError(
                f"{column.name}: {problem.sentence}", problem.hint, position=position,
                incomplete=self._ended and _could_go_on(text, column.kind),
            ) from None  # fmt: skip
        return Moment(text) if column.kind is Kind.TIME else Amount(text, value)

    # ---- problems --------------------------------------------------------------------------------------------

    def _no_value(self, position: int, column: Column, operator: str) -> FilterSyntaxError:
        return FilterSyntaxError(
            f"{column.name}{operator} has no value.", "Write the value without a space before it.", position=position,
            incomplete=self._ended,
        )  # fmt: skip

    def _unknown(self, position: int, name: str, operator: str, term: str) -> FilterSyntaxError:
        if not name:
            return FilterSyntaxError(
                f"{operator!r} has no column name before it.",
                f"Write a condition without spaces, e.g. {self._example()}, or quote the text: {_quote_word(term)}",
                position=position,
            )
        lowered = {column.name.lower(): column.name for column in self.schema}
        near = [lowered[match] for match in difflib.get_close_matches(name.lower()[:_SHOWN], lowered, n=3, cutoff=0.5)]
        columns = f"Did you mean {', '.join(near)}?" if near else f"Columns: {', '.join(self.schema.names)}."
        return FilterSyntaxError(
            f"There is no column {name[:_SHOWN]!r}.",
            f"{columns} To search for the text, quote it: {_quote_word(term)}",
            position=position,
        )

    def _example(self) -> str:
        for column in self.schema:
            if column.is_numeric:
                return f"{column.name}>10"
        return f"{self.schema.names[0]}:value" if self.schema.names else "column:value"


def _quote_word(text: str) -> str:
    """The text as a quoted word, cut and made safe to print."""
    return quoted_if_needed(safe_text(text, _SHOWN))


def _could_go_on(text: str, kind: Kind) -> bool:
    """Whether more keys could make a quantity of it: `1h3`, `2026-1`, `yes`, `-`."""
    if kind is Kind.TIME and (_HALF_MOMENT.fullmatch(text) or _begins(text, _MOMENTS)):
        return True
    units = re.findall(r"[a-z]+", text.lower())
    numbers = re.fullmatch(r"[+-]?(\d[\d.,:a-z ]*)?", text, re.IGNORECASE)
    return numbers is not None and all(_begins(unit, (*_UNITS, "ago")) for unit in units)


def _begins(text: str, words: tuple[str, ...]) -> bool:
    return any(word.startswith(text.lower()) for word in words)


def _checked(pattern: str, position: int) -> Pattern:
    """The pattern, if polars takes it: only the engine that will run it knows what it understands."""
    if not pattern:
        raise FilterSyntaxError("The regular expression is empty.", "Write /text/.", position=position, incomplete=True)
    try:
        pl.Series([""]).str.contains(f"(?i){pattern}")
    except pl.exceptions.PolarsError as problem:
        said = str(problem).split("\n\nThis error")[0]
        reason = said.rsplit("error: ", 1)[-1].strip().rstrip(".")
        raise FilterSyntaxError(
            f"/{safe_text(pattern, _SHOWN)}/ is not a regular expression: {safe_text(reason)}.",
            "Quote the text to search for it literally.",
            position=position,
        ) from None
    return Pattern(pattern)
