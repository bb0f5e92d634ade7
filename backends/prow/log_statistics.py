"""How large the logs of builds are: bytes, lines, words, the longest line; read once through, nothing kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.frames.formats import format_bytes
from backends.frames.schema import Column, Kind, Schema
from backends.http.response import Freshness
from backends.locators.prow import ProwView
from backends.prow.archive import Archive, log_names
from backends.prow.build_reading import BuildPlace, Row
from backends.prow.row_detail import row_detail
from backends.prow.source import Entry
from backends.prow.view_builds import counted, places, read_each
from backends.resources import Detail, LogAddress, Page, Resource
from backends.resources import Row as Cells

_UNREAD = "cannot be read: "
LOGS = Schema(
    (
        Column("build", Kind.ID, "Build", width=19),
        Column("state", Kind.STATE, "State", width=10),
        Column("log", Kind.TEXT, "Log"),
        Column("bytes", Kind.BYTES, "Size", "B"),
        Column("lines", Kind.COUNT, "Lines"),
        Column("words", Kind.COUNT, "Words"),
        Column("longest", Kind.BYTES, "Longest line", "B"),
        Column("duration", Kind.DURATION, "Duration", "s"),
        Column("started", Kind.TIME, "Started"),
        Column("stored", Kind.BYTES, "Stored", "B"),
        Column("note", Kind.TEXT, "Note"),
        Column("path", Kind.TEXT, "Path", hidden=True, searched=False),
        Column("order", Kind.ID, "Order", hidden=True, searched=False),
    ),
    key="key",
)


@dataclass(frozen=True)
class Measured:
    """Of a text: bytes, lines (a last one without its end counts), words between white space, longest line in bytes."""

    bytes: int = 0
    lines: int = 0
    words: int = 0
    longest: int = 0


def measure(pieces: Iterable[bytes]) -> Measured:
    """Counts a text of any size in pieces; what `wc -lwc` and `wc -L` (in bytes) say, but for that last line."""
    size = lines = words = longest = current = 0
    in_word = False
    for piece in pieces:
        if not piece:
            continue
        size += len(piece)
        words += len(piece.split()) - (in_word and not piece[:1].isspace())
        in_word = not piece[-1:].isspace()
        parts = piece.split(b"\n")
        lines += len(parts) - 1
        longest = max(longest, current + len(parts[0]), *map(len, parts[1:-1])) if len(parts) > 1 else longest
        current = len(parts[-1]) if len(parts) > 1 else current + len(parts[0])
    return Measured(size, lines + (current > 0), words, max(longest, current))


class LogStatistics(Resource):
    """Columns are those of `LOGS`, one row a log; builds without one have a row that says so."""

    schema = LOGS
    noun = ("log", "logs")
    default_sort = ("order", True)
    empty_text = "There are no builds to look at."

    def __init__(self, locator: ProwView, archive: Archive) -> None:
        super().__init__(locator)
        self.view = locator
        self.archive = archive

    @property
    def title(self) -> str:
        return f"logs of {counted(self.view)}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        unread = LOGS.empty()
        for batch in read_each(places(self.archive, self.view, cancel), self._read, cancel):
            frame = LOGS.frame(cells for rows in batch for cells in rows)
            unread = unread.vstack(frame.filter(pl.col("note").str.starts_with(_UNREAD)))
            yield Page(frame, Freshness())
        if not unread.is_empty():
            first = unread.sort("order", "log", descending=True).row(0, named=True)
            words = "1 log" if len(unread) == 1 else f"{len(unread):,} logs"
            note = f"{words} cannot be read, e.g. of build {first['build']}: {first['note'].removeprefix(_UNREAD)}"
            yield Page(LOGS.empty(), Freshness(), note=note, partial=True)

    def _read(self, place: BuildPlace, cancel: CancelToken) -> list[tuple[object, ...]]:
        row = self.archive.reader.row(place, cancel)
        names = log_names(row["names"])
        if not names:
            return [_cells(row, "", None, row["note"] or "has no log")]
        return [self._measured(row, name, cancel) for name in names]

    def _measured(self, row: Row, name: str, cancel: CancelToken) -> tuple[object, ...]:
        try:
            entry = Entry(f"{row['folder']}{name}")
            with self.archive.source.open(self.archive.bucket, entry, cancel=cancel) as body:
                return _cells(row, name, measure(body), None)
        except OperationCancelledError:
            raise
        except AppError as problem:
            return _cells(row, name, None, f"{_UNREAD}{problem.sentence}")

    def detail(self, row: Cells) -> Detail:
        return row_detail(LOGS, row, "Log", without=("order",))

    def log(self, row: Cells) -> LogAddress | None:
        path = row.get("path")
        if not path:
            return None
        began, lasted = row["started"], row["duration"]
        ended = began + timedelta(seconds=lasted) if began is not None and lasted is not None else None
        of = {"state": row["state"], "finished": ended}
        return self.archive.log(str(path), f"{row['log']} of {row['build']}", of=of)

    def shows(self, row: Cells) -> LogAddress | None:
        return self.log(row)

    def summary(self, frame: pl.DataFrame) -> str:
        """ "1.2 GB in 12,345,678 lines"."""
        return f"{format_bytes(float(frame['bytes'].sum() or 0))} in {frame['lines'].sum() or 0:,} lines"


def _cells(row: Row, name: str, found: Measured | None, note: str | None) -> tuple[object, ...]:
    told = (found.bytes, found.lines, found.words, found.longest) if found else (None,) * 4
    path = f"{row['folder']}{name}" if name else None
    stored = row["log_size"] if name == "build-log.txt" else None
    return (
        f"{row['key']}/{name}", row["build"], row["state"], name or None, *told, row["duration"], row["started"],
        stored, note, path, row["order"],
    )  # fmt: skip
