"""What a task or an artifact holds: a task's definition or a JSON artifact as a tree, a CSV as a table.

What Enter shows of an artifact is decided by its name first: many workers say application/octet-stream of everything.
Which columns a CSV has only the file tells, so it is read once when its locator is resolved (`with_columns`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from backends import lenient_json
from backends.cancel import CancelToken
from backends.errors import AppError
from backends.extraction.limits import is_archive
from backends.frames.formats import format_bytes, with_unit
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import (
    sanitize,
)
from backends.http.policies import CachePolicy
from backends.http.response import Response
from backends.listings import Listing
from backends.locators import Locator
from backends.resources import Detail, Document, LogAddress, Page, Row
from backends.taskcluster.client import RESOLVED, Client, NotTaskclusterError
from backends.taskcluster.locators import Artifact, ArtifactContents, Task, is_perfherder_data, is_slugid
from backends.taskcluster.logs import row_log
from backends.taskcluster.urls import artifact_page, artifact_url

if TYPE_CHECKING:
    pass

JSON_CAP = 64 << 20  # bytes of a JSON artifact shown as a tree; a full-task-graph.json may have 100 MB and more
TABLE_CAP = 64 << 20
COLUMNS = 200  # of a table; a wider one is cut
_SECTIONS = ("metadata", "payload", "dependencies", "tags", "routes", "scopes", "extra")
_ZIPS = (".xpi", ".apk", ".aab", ".jar", ".whl", ".ipa")  # zips that a download leaves as they are
_KEY = "row"


class NotATableError(AppError):
    """The artifact cannot be read as lines of cells."""

    exit_code = 1


class ClientListing(Listing):
    """A list of one deployment. `t` shows the task of a row that has a `task_id`."""

    def __init__(self, locator: Locator, client: Client) -> None:
        super().__init__(locator)
        self.client = client

    def document(self, row: Row) -> Document | None:
        return task_document(self.client, row)


def slugids(rows: pl.DataFrame) -> tuple[str, ...]:
    """The valid task ids of rows."""
    return tuple(one for one in rows["task_id"].to_list() if is_slugid(one))


# ---- trees ------------------------------------------------------------------------------------------------------


def task_document(client: Client, row: Row) -> Document | None:
    """A row's task: state and runs, then the definition by its parts. The row needs `task_id`, may have a name."""
    task_id = str(row.get("task_id") or "")
    if not is_slugid(task_id):
        return None
    name = str(row.get("name") or "") if "state" in row else str(row.get("task_name") or "")

    def read(cancel: CancelToken) -> dict[str, Any]:
        definition = client.fetch_definition_json(task_id, cancel)
        return task_tree(task_id, definition, client.fetch_status_json(task_id, cancel))

    return Document(name or f"task {task_id}", Task(task_id, None, client.root), read)


def task_tree(task_id: str, definition: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    """What a user looks for first comes first; nothing of the two responses is left out or repeated."""
    return {
        "taskId": task_id,
        "state": status.get("state"),
        "runs": status.get("runs"),
        **{name: definition[name] for name in _SECTIONS if name in definition},
        "definition": {name: value for name, value in definition.items() if name not in _SECTIONS},
        "status": {name: value for name, value in status.items() if name not in ("taskId", "state", "runs")},
    }


def artifact_document(client: Client, row: Row) -> Document | None:
    """A row's JSON artifact (row of a list of artifacts); None if it has another type, no content, or is too large."""
    task_id, name, run = str(row.get("task_id") or ""), str(row.get("name") or ""), row.get("run")
    is_json = name.lower().endswith(".json") or _media_type(row) == "application/json"
    if not is_json or (row.get("size") or 0) > JSON_CAP or row.get("storage") == "error" or not is_slugid(task_id):
        return None
    policy = artifact_policy(str(row.get("run_state") or ""))
    url = artifact_url(client.root, task_id, run, name)

    def read(cancel: CancelToken) -> Any:
        return parse_artifact(client.http.get(url, policy=policy, accept="*/*", cap=JSON_CAP, cancel=cancel))

    of = row.get("task_name") or f"task {task_id}"
    return Document(f"{name.rpartition('/')[2]} of {of}", Artifact(task_id, run, name, client.root), read)


def parse_artifact(response: Response) -> Any:
    """The artifact as JSON. Raises `NotTaskclusterError` for what is not JSON: cut off, or only named so."""
    try:
        return lenient_json.loads(response.body)
    except ValueError as error:
        raise NotTaskclusterError(response.url, "its content is not JSON, or only a part of it") from error


def artifact_policy(run_state: str) -> CachePolicy:
    """How long an artifact's content stays fresh: that of a resolved run is final."""
    return CachePolicy.immutable() if run_state in RESOLVED else CachePolicy.short(10)


# ---- what Enter shows -------------------------------------------------------------------------------------------


def view_artifact(client: Client, row: Row) -> Locator | LogAddress | Document | None:
    """What Enter shows of a row of a list of artifacts; None where only its row can be shown."""
    task_id, name = str(row.get("task_id") or ""), str(row.get("name") or "")
    if row.get("storage") == "error" or not is_slugid(task_id) or not name:
        return None
    if is_archive(name) or name.lower().endswith(_ZIPS):
        return ArtifactContents("archive", task_id, row.get("run"), name, client.root)
    if _is_table(row):
        return ArtifactContents("table", task_id, row.get("run"), name, client.root)
    return artifact_document(client, row) or row_log(client.root, row)


def _is_table(row: Row) -> bool:
    name = str(row.get("name") or "")
    by_type = _media_type(row) in ("text/csv", "text/tab-separated-values")
    return is_perfherder_data(name) or name.lower().endswith((".csv", ".tsv")) or by_type


def _media_type(row: Row) -> str:
    return str(row.get("content_type") or "").lower().partition(";")[0].strip()


def describe_type(row: Row) -> str:
    """ "image/png, 12 kB; `o` opens it in the browser", of an artifact that nothing here shows."""
    kind, size = str(row.get("content_type") or "unknown type"), row.get("size")
    text = kind if size is None else f"{kind}, {format_bytes(size)}"
    return f"{text}; `o` opens it in the browser, `d` downloads it"


# ---- tables -----------------------------------------------------------------------------------------------------


class ContentList(ClientListing):
    """What is in one artifact."""

    def __init__(self, locator: ArtifactContents, client: Client) -> None:
        super().__init__(locator, client)
        self.contents = locator

    def web_url(self, row: Row | None = None) -> str:
        return artifact_page(self.client.root, self.contents.task_id, self.contents.run or 0, self.contents.name)


class TableRowList(ContentList):
    """The rows of a CSV or TSV, as they are in the file. Columns whose every cell is a number are numbers, all others
    text."""

    noun = ("row", "rows")
    empty_text = "This table has no rows."

    def __init__(self, locator: ArtifactContents, client: Client) -> None:
        super().__init__(locator, client)
        self.schema = _table_schema(locator.columns)  # type: ignore[misc]  # each file has its own

    @property
    def title(self) -> str:
        return self.contents.name.rpartition("/")[2]

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        response = _fetch_table(self.client, self.contents, cancel)
        frame = _read_cells(response, self.contents.name)
        known = self.contents.columns or _detect_columns(frame)
        columns = [
            (pl.col(raw).cast(pl.Float64, strict=False) if number else pl.col(raw)).alias(column.name)
            for raw, (_, number), column in zip(frame.columns, known, self.schema, strict=False)
        ]
        rows = frame.select(pl.int_range(pl.len()).cast(pl.String).alias(_KEY), *columns)
        left_out = len(frame.columns) - len(columns)
        note = f"{left_out:,} columns are left out." if left_out else ""
        yield Page(rows.select(list(self.schema.polars())), response.freshness, total=rows.height, note=note)

    def detail(self, row: Row) -> Detail:
        lines = with_unit(row, self.schema)
        return Detail(f"row {int(row.get(_KEY) or 0) + 1:,}", ((self.title, lines),))


def with_columns(client: Client, locator: ArtifactContents, cancel: CancelToken | None = None) -> ArtifactContents:
    """The locator with the columns of its file. Raises `NotATableError`, and the `AppError`s of the requests."""
    response = _fetch_table(client, locator, cancel)
    return replace(locator, columns=_detect_columns(_read_cells(response, locator.name)))


def _fetch_table(client: Client, locator: ArtifactContents, cancel: CancelToken | None) -> Response:
    url = artifact_url(client.root, locator.task_id, locator.run, locator.name)
    policy = CachePolicy.short(10)
    if locator.run is not None:
        runs = client.fetch_status(locator.task_id, cancel)[0].runs
        policy = artifact_policy(runs[locator.run].state if locator.run < len(runs) else "")
    return client.http.get(url, policy=policy, accept="*/*", cap=TABLE_CAP, cancel=cancel)


def _read_cells(response: Response, name: str) -> pl.DataFrame:
    """Every cell as text; the header as it is, made unique."""
    head = response.body.lstrip(b"\xef\xbb\xbf")[:65536].partition(b"\n")[0]
    if not head.strip():
        return pl.DataFrame()
    counts = {mark: head.count(mark.encode()) for mark in ("\t", ",", ";")}
    separator = "\t" if name.lower().endswith(".tsv") else max(counts, key=lambda mark: (counts[mark], mark == ","))
    try:
        return pl.read_csv(
            response.body, separator=separator, infer_schema=False, truncate_ragged_lines=True, encoding="utf8-lossy"
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, OverflowError) as error:
        raise NotATableError(
            f"{sanitize(name, 100)} cannot be read as a table: {sanitize(str(error).partition('.')[0], 120)}.",
            "Read it as text with l, or download it.",
        ) from error


def _detect_columns(frame: pl.DataFrame) -> tuple[tuple[str, bool], ...]:
    """(name, whether it holds numbers)"""
    return tuple((name, _is_number(frame[name])) for name in frame.columns[:COLUMNS])


def _is_number(cells: pl.Series) -> bool:
    numbers = cells.cast(pl.Float64, strict=False)
    return bool(numbers.is_finite().any()) and numbers.null_count() == cells.null_count()


def _table_schema(columns: tuple[tuple[str, bool], ...]) -> Schema:
    """Names that a filter can spell, labels as the file has them."""
    taken = {_KEY}
    schema = []
    for place, (label, number) in enumerate(columns):
        name = re.sub(r"\W+", "_", label.strip().lower(), flags=re.ASCII).strip("_")[:60] or f"column_{place + 1}"
        while name in taken:
            name = f"{name}_{place + 1}"
        taken.add(name)
        schema.append(Column(name, Kind.NUMBER if number else Kind.TEXT, label.strip()[:200] or name))
    return Schema(tuple(schema), key=_KEY)
