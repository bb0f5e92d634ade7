"""SQL over frames, by polars' SQLContext: only queries, only over the tables that were given, and errors in plain
words.

The syntax is polars' SQL (SELECT, WITH, joins, GROUP BY, window functions, set operations). What could read a file (the
table functions read_csv, read_parquet, ...) or change a table is refused before polars sees the text: its parser would
open files.
"""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from backends.errors import UsageError
from backends.frames.schema import Column, Kind, Schema

LONGEST = 20_000  # characters of a query
MOST_COLUMNS = 500  # of a result
LONGEST_PAD = 9_999  # characters that LPAD and RPAD fill up to
MOST_OPERATORS = 500  # polars takes a second for 800 in a row, and 20 for 3,000
# Refused wherever it stands, in strings, comments and quoted names, too: dialects disagree about where those end, and a
# text that hides a function from us must not show it to the parser.
_READS_FILES = re.compile(r"\b(?:read|scan)_[a-z0-9_]+", re.IGNORECASE)
_COMMENT = re.compile(r"\s+|--[^\n]*|/\*.*?\*/", re.DOTALL)
# Strings, quoted names and comments; then what says where the order of the rows stands.
_TOKEN = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|--[^\n]*|/\*.*?\*/|[();]|\border\s+by\b"""
    r"""|\b(?:limit|offset|fetch|union|except|intersect)\b""",
    re.IGNORECASE | re.DOTALL,
)
_MIXES_ROWS = re.compile(r"\b(?:group|distinct|union|except|intersect|join|order|limit|fetch|over)\b", re.IGNORECASE)
_OPERATORS = re.compile(r"[-+*/|<>=%]+|\b(?:and|or|case)\b", re.IGNORECASE)
# Memory that cannot be had ends the process, so what asks for gigabytes is refused.
_PADS_FAR = re.compile(r"\b([lr]pad)\s*\([^;]{0,1000}?,\s*0*[1-9][0-9]{4,}", re.IGNORECASE)
_PLACE = re.compile(r"at Line: (\d+), Column: (\d+)")
_QUERIES = ("select", "with", "(")
_NOUN = {
    pl.String: Kind.TEXT,
    pl.Categorical: Kind.TEXT,
    pl.Enum: Kind.TEXT,
    pl.Boolean: Kind.TEXT,
    pl.Float32: Kind.NUMBER,
    pl.Float64: Kind.NUMBER,
    pl.Decimal: Kind.NUMBER,
    pl.Datetime: Kind.TIME,
    pl.Date: Kind.TIME,
    pl.Duration: Kind.DURATION,
}


class QueryError(UsageError):
    """The query cannot be run: what is wrong with it, and where."""


@dataclass(frozen=True)
class Table:
    """Rows under a name, and what their columns mean."""

    schema: Schema
    frame: pl.DataFrame


def check_query(query: str) -> None:
    """Raises `QueryError` for what is no query, could read what was not given to it, or takes minutes to parse."""
    if len(query) > LONGEST:
        raise QueryError(f"This query has {len(query):,} characters; at most {LONGEST:,} are read.")
    start = query
    while match := _COMMENT.match(start):
        start = start[match.end() :]
    if not start:
        raise QueryError("The query is empty.", "For example: SELECT state, count(*) AS n FROM rows GROUP BY state")
    if not start.lower().startswith(_QUERIES):
        word = re.split(r"[^\w]", start, maxsplit=1)[0][:40] or start[:1]
        raise QueryError(f"{word!r} begins no query.", "A query begins with SELECT or WITH; nothing can be changed.")
    if match := _READS_FILES.search(query):
        raise QueryError(
            f"{match[0][:40]} would read a file, which a query cannot.",
            "Name lists with --from or list('LOCATOR'); a column of that name can only be had with *.",
        )
    if len(_OPERATORS.findall(query)) > MOST_OPERATORS:
        raise QueryError(f"This query has more than {MOST_OPERATORS} operators.", "Write lists of values as IN (...).")
    if match := _PADS_FAR.search(query):
        raise QueryError(
            f"{match[1].upper()} would make texts of more than {LONGEST_PAD:,} characters.", "Pad to fewer."
        )


def run_query(query: str, tables: Mapping[str, Table]) -> Table:
    """The result as a table of its own: columns that stand for a column of a table keep what that means, the key is the
    number of the row. Rows are in the order that the query gives them. Raises `QueryError`.

    Columns of other types become what a list can hold: truth values and nested values are texts, dates are times.
    """
    check_query(query)
    try:
        result = _execute(query, {name: table.frame for name, table in tables.items()})
    except pl.exceptions.PanicException as error:
        raise QueryError("polars failed on this query.", _one_line(str(error))) from None
    except (pl.exceptions.PolarsError, OSError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _describe(error, tables) from error
    if result.width > MOST_COLUMNS:
        raise QueryError(f"The result has {result.width:,} columns; at most {MOST_COLUMNS} can be shown.")
    if not result.width:
        raise QueryError("The query gives no columns.", "Name some: SELECT state, name FROM rows")
    return _as_table(result, tables)


def _execute(query: str, frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    context = pl.SQLContext(frames, eager=False)
    if _MIXES_ROWS.search(query):  # polars' groups come in another order each time
        dtypes = context.execute(query).collect_schema()
        places = [place for place, dtype in enumerate(dtypes.values(), start=1) if not dtype.is_nested()]
        with contextlib.suppress(pl.exceptions.PolarsError):  # where that is not possible, as it comes
            return context.execute(with_order(query, places)).collect()
    return context.execute(query).collect()


def with_order(query: str, places: Sequence[int]) -> str:
    """The query with the columns at these places (from 1) as the last keys of its order: rows that its own keys leave
    equal then always come in the same order."""
    by = ", ".join(map(str, places))
    depth, order, end = 0, 0, len(query)
    for match in _TOKEN.finditer(query):
        word = match[0].lower()
        depth += (word == "(") - (word == ")")
        if depth == 0 and word.startswith("order"):
            order = match.end()
        elif depth == 0 and word in ("limit", "offset", "fetch", ";", "union", "except", "intersect"):
            if word in ("union", "except", "intersect"):
                order, end = 0, len(query)
            else:
                end = min(end, match.start())
    if not by:
        return query
    return f"{query[:end]}\n{',' if order else 'ORDER BY'} {by} {query[end:]}"  # a comment may end the line before


def result_schema(query: str, schemas: Mapping[str, Schema]) -> Schema:
    """The columns of the result, without any rows. Raises `QueryError`."""
    return run_query(query, {name: Table(schema, schema.empty()) for name, schema in schemas.items()}).schema


# ---- the result ------------------------------------------------------------------------------------------------------


def _as_table(result: pl.DataFrame, tables: Mapping[str, Table]) -> Table:
    columns, cells = [], []
    if "" in result.columns:
        result = result.rename({"": "column"})
    for name, dtype in result.schema.items():
        column = _column(name, dtype, tables)
        columns.append(column)
        cells.append(_cast(pl.col(name), dtype, column).alias(name))
    key = "row"
    while key in result.columns:
        key += "_"
    frame = result.select(pl.int_range(1, pl.len() + 1).cast(pl.String).alias(key), *cells)
    return Table(Schema(tuple(columns), key=key), frame)


def _column(name: str, dtype: pl.DataType, tables: Mapping[str, Table]) -> Column:
    for table in tables.values():
        if name in table.schema and table.schema[name].dtype == dtype:
            known = table.schema[name]
            return Column(name, known.kind, known.label, known.unit, keeps_end=known.keeps_end, section="Row")
    kind = _NOUN.get(type(dtype)) or (Kind.COUNT if dtype.is_integer() else Kind.TEXT)
    return Column(name, kind, name, "s" if kind is Kind.DURATION else "", section="Row")


def _cast(cell: pl.Expr, dtype: pl.DataType, column: Column) -> pl.Expr:
    if dtype == column.dtype:
        return cell
    if isinstance(dtype, pl.Boolean):
        return pl.when(cell).then(pl.lit("true")).when(~cell).then(pl.lit("false"))
    if isinstance(dtype, pl.Duration):
        return cell.dt.total_microseconds() / 1e6
    if isinstance(dtype, pl.Datetime):
        aware = cell.dt.replace_time_zone("UTC") if dtype.time_zone is None else cell.dt.convert_time_zone("UTC")
        return aware.cast(column.dtype)
    if isinstance(dtype, pl.Date):
        return cell.cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")
    if isinstance(dtype, pl.List | pl.Array):
        return cell.cast(pl.List(pl.String), strict=False).list.join(", ", ignore_nulls=True)
    if isinstance(dtype, pl.Struct):
        return cell.struct.json_encode()
    if isinstance(dtype, pl.Null):
        return cell.cast(pl.String)
    if isinstance(dtype, pl.Binary | pl.Object):
        return pl.lit("(binary)")
    return cell.cast(column.dtype, strict=False)


# ---- errors in words -------------------------------------------------------------------------------------------------

_NO_TABLE = re.compile(r"(?:relation|table) ['\"`]?(.{1,80}?)['\"`]? (?:was not found|does not exist)")
_NO_FUNCTION = re.compile(
    r"['\"`]?([\w.]{1,60})['\"`]?(?:\(\))? is not a supported (?:table )?function"
    r"|unsupported function ['\"`]?([\w.]{1,60})"
)
_NO_COLUMN = re.compile(
    r"unable to find column ['\"`]?(.{1,80}?)['\"`]?[;,]|no column named ['\"`](.{1,80}?)['\"`]"
    r"|column ['\"`]?(\S{1,80}?)['\"`]? (?:was )?not found|^['\"`]?([\w .\-]{1,80})['\"`]?\s+not found"
)
_NOT_GROUPED = re.compile(r"^['\"`]?([\w .\-]{1,80}?)['\"`]? should participate in the GROUP BY")


def _describe(error: Exception, tables: Mapping[str, Table]) -> QueryError:
    text = str(error).strip()
    first = _one_line(text)
    if match := _NO_TABLE.search(first):
        return QueryError(f"There is no table {match[1]!r}.", _near(match[1], tables, "Tables"))
    columns = dict.fromkeys(name for table in tables.values() for name in table.schema.names)
    if isinstance(error, pl.exceptions.ColumnNotFoundError) or _NO_COLUMN.search(first):
        match = _NO_COLUMN.search(first)
        name = next((group for group in match.groups() if group), "") if match else first.partition("\n")[0]
        return QueryError(f"There is no column {name[:80]!r}.", _near(name, columns, "Columns"))
    match = _NOT_GROUPED.search(first)  # a misspelt one: polars looks at the groups first
    if match and match[1] not in columns and difflib.get_close_matches(match[1], list(columns), n=1, cutoff=0.7):
        return QueryError(f"There is no column {match[1]!r}.", _near(match[1], columns, "Columns"))
    if match := _NO_FUNCTION.search(first):
        return QueryError(f"There is no function {match[1] or match[2]}().")
    if place := _PLACE.search(first):
        what = _PLACE.sub("", first).replace("sql parser error:", "").strip().rstrip(".:,")
        return QueryError(
            f"The query cannot be read: {_lower_first(what)}, at character {place[2]}"
            + (f" of line {place[1]}." if place[1] != "1" else ".")
        )
    if "one (and only one) statement" in first:
        return QueryError("One query can be run at a time.", "Leave out what follows the semicolon.")
    return QueryError(f"The query cannot be run: {_lower_first(first)}".rstrip(".") + ".")


def _lower_first(sentence: str) -> str:
    """To stand behind a colon; "ORDER BY ..." stays."""
    sentence = sentence.removeprefix("sql parser error:").strip()
    return sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() else sentence


def _near(name: str, known: Mapping[str, object], what: str) -> str:
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    if near:
        return f"Did you mean {', '.join(near)}?"
    names: Sequence[str] = list(known)
    more = f", and {len(names) - 30} more" if len(names) > 30 else ""
    return f"{what}: {', '.join(names[:30])}{more}." if names else f"There are no {what.lower()}."


def _one_line(text: str) -> str:
    """The first sentence of what polars says; what it adds is the parser's own state."""
    line = " ".join(text.partition("\n\n")[0].split())
    line = re.sub(r"\bexpression \w+ \{.*", "an expression of it is not supported", line)
    return re.sub(r": *\w+ ?\(?\w* ?\{.*", "", line)[:300] or "it has no message"
