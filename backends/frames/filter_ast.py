"""What one term of a filter is: its canonical text, and the polars expression that says which rows it keeps.

Nulls: a missing cell (null, or NaN in a column of numbers) never satisfies a term, only `column:` asks for it;
a term with a leading minus keeps exactly the rows that the same term without it drops, so also those with nulls.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import or_

import polars as pl

from backends.errors import UsageError
from backends.frames.formats import parse_quantity
from backends.frames.schema import Column, Kind

HAYSTACK = "\0haystack"  # the name of the joined column inside `Filter.mask`; no schema can have it
SEPARATOR = "\0"
_DAY, _HOUR, _MINUTE, _SECOND, _TICK = 86_400_000, 3_600_000, 60_000, 1_000, 1
_LARGEST_INT = 2.0**63


class FilterSyntaxError(UsageError):
    """The text is not a filter of these columns.

    `position`: index into the text where the wrong term starts. `incomplete`: only its end is missing (`size>`,
    `/abc`, an open quote), so an interface that filters while one types keeps the table and stays silent.
    """

    def __init__(self, sentence: str, hint: str = "", *, position: int = 0, incomplete: bool = False) -> None:
        super().__init__(sentence, hint)
        self.position = position
        self.incomplete = incomplete


# ---- the values that a column is asked for -------------------------------------------------------------------


@dataclass(frozen=True)
class Text:
    """A piece of text: contained (`:`) or equal (`=`, and `:` on states), without regard to case.

    `begins`: the end of a state that is being typed is still to come.
    """

    text: str
    begins: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return quoted_if_needed(self.text, value=True)

    def expression(self, column: Column, operator: str) -> pl.Expr:
        lowered, wanted = pl.col(column.name).str.to_lowercase(), self.text.lower()
        if operator == ":" and column.kind is not Kind.STATE:
            return lowered.str.contains(wanted, literal=True)
        return lowered.str.starts_with(wanted) if self.begins else lowered == wanted


@dataclass(frozen=True)
class Pattern:
    """A regular expression in the syntax of Rust's regex crate (linear time, so no look-around), case-insensitive."""

    pattern: str

    def __str__(self) -> str:
        return f"/{escaped_pattern(self.pattern)}/"

    def expression(self, column: Column, operator: str) -> pl.Expr:
        return pl.col(column.name).str.contains(f"(?i){self.pattern}")


@dataclass(frozen=True)
class Missing:
    """No value: null, an empty text, or NaN."""

    def __str__(self) -> str:
        return '""'

    def expression(self, column: Column, operator: str) -> pl.Expr:
        return ~present(column) | (pl.col(column.name) == "" if column.is_text else pl.lit(False))


@dataclass(frozen=True)
class Amount:
    """A number in the unit of the column, as typed (`30m`, `1.5GiB`)."""

    text: str
    value: float = field(compare=False)

    def __str__(self) -> str:
        return quoted_if_needed(self.text, value=True)

    def expression(self, column: Column, operator: str) -> pl.Expr:
        cell = pl.col(column.name)
        # An integer column is compared with an integer where that can be: above 2^53 a float would round the cell.
        whole = self.value.is_integer() and abs(self.value) < _LARGEST_INT and column.dtype == pl.Int64
        value: float = int(self.value) if whole else self.value
        match operator:
            case ">":
                return cell > value
            case ">=":
                return cell >= value
            case "<":
                return cell < value
            case "<=":
                return cell <= value
        return cell == value


@dataclass(frozen=True)
class Moment:
    """A point or a stretch of time, as typed; counted from the `now` of the moment in which the filter is applied.

    A day (`2026-11-20`, `today`), an hour, a minute (`2026-11-20T10:00`) and a second are stretches: `:` and `=`
    mean inside it, `>` after its first moment, `>=` from its first moment on, `<` before it, `<=` up to its end.
    A span back from now (`2h`, `3d ago`) is a point, and with `:` or `=` everything from that point on.
    """

    text: str

    def __str__(self) -> str:
        return quoted_if_needed(self.text, value=True)

    def start(self, now: datetime) -> int:
        """Epoch milliseconds."""
        return round(parse_quantity(self.text, Kind.TIME, now) * 1000)

    @property
    def length(self) -> int | None:
        """Milliseconds; None for a span back from now, which has no end."""
        word = self.text.strip().lower()
        if word in {"today", "yesterday"}:
            return _DAY
        if word == "now":
            return _TICK
        if not word[:4].isdigit():
            return None
        clock = word[10:].lstrip("t ").split("+")[0].split("-")[0]
        if not clock:
            return _DAY
        if clock.count(":") < 2:
            return _MINUTE if len(clock) > 2 else _HOUR
        return _TICK if "." in clock else _SECOND

    def expression(self, column: Column, operator: str, now: datetime) -> pl.Expr:
        cell, start = pl.col(column.name).dt.epoch("ms"), self.start(now)
        match operator:
            case ">":
                return cell > start
            case ">=":
                return cell >= start
            case "<":
                return cell < start
            case "<=":
                return cell < start + (self.length or _TICK)
        return cell >= start if self.length is None else (cell >= start) & (cell < start + self.length)


Choice = Text | Pattern | Missing | Amount | Moment

# ---- the terms -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Word:
    """Text that one of the searched columns contains."""

    text: str
    negated: bool = False

    def __str__(self) -> str:
        return "-" * self.negated + quoted_if_needed(self.text)

    def expression(self, searched: tuple[str, ...], now: datetime) -> pl.Expr:
        wanted = self.text.lower()
        if SEPARATOR in wanted:  # would reach from one column into the next
            found = any_of([pl.col(name).str.to_lowercase().str.contains(wanted, literal=True) for name in searched])
        else:
            found = pl.col(HAYSTACK).str.contains(wanted, literal=True)
        return ~found if self.negated else found


@dataclass(frozen=True)
class SearchTerm:
    """A regular expression that one of the searched columns matches."""

    pattern: Pattern
    negated: bool = False

    def __str__(self) -> str:
        return "-" * self.negated + str(self.pattern)

    def expression(self, searched: tuple[str, ...], now: datetime) -> pl.Expr:
        # Column by column and not on the joined text: ^ and $ are the ends of a cell.
        found = any_of([pl.col(name).str.contains(f"(?i){self.pattern.pattern}") for name in searched])
        return ~found if self.negated else found


@dataclass(frozen=True)
class Match:
    """A condition on one column: any of the choices for `:` and `=`, none of them for `!=`."""

    column: Column
    operator: str
    choices: tuple[Choice, ...]
    negated: bool = False

    def __str__(self) -> str:
        alone = self.operator == ":" and self.choices == (Missing(),)
        values = "" if alone else ",".join(map(str, self.choices))
        return f"{'-' * self.negated}{self.column.name}{self.operator}{values}"

    def expression(self, searched: tuple[str, ...], now: datetime) -> pl.Expr:
        operator = "=" if self.operator == "!=" else self.operator
        found = any_of([self._choice(choice, operator, now) for choice in self.choices])
        if self.operator == "!=":
            found = present(self.column) & ~found
        return ~found if self.negated else found

    def _choice(self, choice: Choice, operator: str, now: datetime) -> pl.Expr:
        if isinstance(choice, Missing):
            return choice.expression(self.column, operator)
        if isinstance(choice, Moment):
            return choice.expression(self.column, operator, now)
        found = choice.expression(self.column, operator)
        # polars orders NaN above every number; here it is a missing value and satisfies nothing.
        return found & present(self.column) if self.column.dtype.is_float() else found


Term = Word | SearchTerm | Match


def any_of(expressions: list[pl.Expr]) -> pl.Expr:
    """True where one of them is; null counts as false."""
    return reduce(or_, (expression.fill_null(False) for expression in expressions), pl.lit(False))


def present(column: Column) -> pl.Expr:
    cell = pl.col(column.name)
    return cell.is_not_null() & ~cell.is_nan().fill_null(False) if column.dtype.is_float() else cell.is_not_null()


# ---- canonical text ------------------------------------------------------------------------------------------


def quoted_if_needed(text: str, *, value: bool = False) -> str:
    """`text` so that the reader takes it for itself: bare, or in quotes where a bare one would mean something else.

    `value`: it stands behind an operator, where a comma separates but `-`, `:` and the like are plain.
    """
    special = '",' if value else '":=<>'
    plain = text and not text.startswith("/" if value else ("/", "-")) and not any(c in special for c in text)
    if plain and not any(c.isspace() for c in text) and not (value and text.startswith("=")):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def escaped_pattern(pattern: str) -> str:
    """The pattern with its slashes escaped, so that the first bare slash behind it ends it."""
    pieces, escape = [], False
    for sign in pattern:
        pieces.append("\\/" if sign == "/" and not escape else sign)
        escape = sign == "\\" and not escape
    return "".join(pieces)
