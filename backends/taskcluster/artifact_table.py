"""A CSV artifact as a list: its columns by its first line, its rows as they stand in it.

Which columns there are only the file tells, so it is read once when the locator is resolved (`with_columns`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.frames.formats import with_unit
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import sanitize
from backends.http.policies import CachePolicy
from backends.http.response import Response
from backends.locators.taskcluster_views import Contents
from backends.resources import Detail, Page, Resource, Row
from backends.taskcluster import roots
from backends.taskcluster.documents import artifact_policy
from backends.taskcluster.queue import Deployment

if TYPE_CHECKING:
    from backends.http import Http

TABLE_CAP = 64 << 20
COLUMNS = 200  # more than that is no table that anyone looks through; the rest is left out
_KEY = "row"


class NoTable(AppError):
    """The artifact cannot be read as lines of cells."""

    exit_code = 1


class ArtifactTable(Resource):
    """The rows of a CSV or TSV. Columns whose every cell is a number are numbers, all others text."""

    noun = ("row", "rows")
    empty_text = "This table has no rows."

    def __init__(self, locator: Contents, http: Http, root: str) -> None:
        super().__init__(locator)
        self.contents = locator
        self.deployment = Deployment(http, root)
        self.schema = _schema(locator.columns)  # type: ignore[misc]  # each file has its own

    @property
    def title(self) -> str:
        return self.contents.name.rpartition("/")[2]

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        answer = _asked(self.deployment, self.contents, cancel)
        frame = _cells(answer, self.contents.name)
        wanted = self.contents.columns or _columns(frame)
        columns = [
            (pl.col(raw).cast(pl.Float64, strict=False) if number else pl.col(raw)).alias(column.name)
            for raw, (_, number), column in zip(frame.columns, wanted, self.schema, strict=False)
        ]
        rows = frame.select(pl.int_range(pl.len()).cast(pl.String).alias(_KEY), *columns)
        left_out = len(frame.columns) - len(columns)
        note = f"{left_out:,} columns are left out." if left_out else ""
        yield Page(rows.select(list(self.schema.polars())), answer.origin, total=rows.height, note=note)

    def detail(self, row: Row) -> Detail:
        lines = with_unit(row, self.schema)
        return Detail(f"row {int(row.get(_KEY) or 0) + 1:,}", ((self.title, lines),))

    def web_url(self, row: Row | None = None) -> str:
        one = self.contents
        return roots.artifact_page(self.deployment.root, one.task_id, one.run or 0, one.name)


def with_columns(deployment: Deployment, locator: Contents, cancel: CancelToken | None = None) -> Contents:
    """The locator with the columns that its file has. Raises `NoTable`, and the `AppError`s of the requests."""
    answer = _asked(deployment, locator, cancel)
    return replace(locator, columns=_columns(_cells(answer, locator.name)))


def _asked(deployment: Deployment, locator: Contents, cancel: CancelToken | None) -> Response:
    url = roots.artifact_url(deployment.root, locator.task_id, locator.run, locator.name)
    policy = CachePolicy.short(10)
    if locator.run is not None:
        runs = deployment.status(locator.task_id, cancel)[0].runs
        policy = artifact_policy(runs[locator.run].state if locator.run < len(runs) else "")
    return deployment.http.get(url, policy=policy, accept="*/*", cap=TABLE_CAP, cancel=cancel)


def _cells(answer: Response, name: str) -> pl.DataFrame:
    """Every cell as text; the header as it is, made unique."""
    head = answer.body.lstrip(b"\xef\xbb\xbf")[:65536].partition(b"\n")[0]
    if not head.strip():
        return pl.DataFrame()
    counted = {mark: head.count(mark.encode()) for mark in ("\t", ",", ";")}
    separator = "\t" if name.lower().endswith(".tsv") else max(counted, key=lambda mark: (counted[mark], mark == ","))
    try:
        return pl.read_csv(
            answer.body, separator=separator, infer_schema=False, truncate_ragged_lines=True, encoding="utf8-lossy"
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, OverflowError) as error:
        raise NoTable(
            f"{sanitize(name, 100)} cannot be read as a table: {sanitize(str(error).partition('.')[0], 120)}.",
            "Read it as a text with l, or download it.",
        ) from error


def _columns(frame: pl.DataFrame) -> tuple[tuple[str, bool], ...]:
    return tuple((name, _is_number(frame[name])) for name in frame.columns[:COLUMNS])


def _is_number(cells: pl.Series) -> bool:
    numbers = cells.cast(pl.Float64, strict=False)
    return bool(numbers.is_finite().any()) and numbers.null_count() == cells.null_count()


def _schema(columns: tuple[tuple[str, bool], ...]) -> Schema:
    """Names that a filter can spell, labels as the file has them."""
    taken = {_KEY}
    found = []
    for place, (label, number) in enumerate(columns):
        name = re.sub(r"\W+", "_", label.strip().lower(), flags=re.ASCII).strip("_")[:60] or f"column_{place + 1}"
        while name in taken:
            name = f"{name}_{place + 1}"
        taken.add(name)
        found.append(Column(name, Kind.NUMBER if number else Kind.TEXT, label.strip()[:200] or name))
    return Schema(tuple(found), key=_KEY)
