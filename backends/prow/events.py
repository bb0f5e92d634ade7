"""Kubernetes' events of a build (events.json of ci-operator, podinfo.json of Prow) as a list, by time and reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import polars as pl

from backends.cancel import Cancel
from backends.frames.schema import Column, Kind, Schema
from backends.http.answers import Origin
from backends.http.errors import clean
from backends.locators.prow import ProwView, route
from backends.problems import Problem
from backends.prow.archive import Archive
from backends.prow.build_state import mapping
from backends.prow.gcs_source import epoch_ms
from backends.prow.row_detail import row_detail
from backends.prow.source import Entry
from backends.resources import Chart, Detail, Document, LogAddress, Page, Resource, Row

_CAP = 256 << 20
EVENTS = Schema(
    (
        Column("last", Kind.TIME, "Last"),
        Column("type", Kind.TEXT, "Type"),
        Column("reason", Kind.TEXT, "Reason"),
        Column("object", Kind.TEXT, "Object", keeps_end=True, width=36),
        Column("message", Kind.TEXT, "Message", width=60),
        Column("count", Kind.COUNT, "Count"),
        Column("first", Kind.TIME, "First"),
        Column("source", Kind.TEXT, "Source"),
        Column("namespace", Kind.TEXT, "Namespace", hidden=True),
    ),
    key="key",
)


def read_events(content: bytes) -> pl.DataFrame:
    """A frame of `EVENTS`, in order of time, of an EventList, a podinfo, or a bare list of events.

    Raises `Problem` for what is none of them; an event that is not as it should be keeps what can be read of it.
    """
    try:
        told = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise Problem(f"The events are no JSON: {clean(str(problem), 120)}.", "Press l to read it as a text.") from None
    items = told if isinstance(told, list) else next(
        (one for name in ("items", "events") if isinstance(one := mapping(told).get(name), list)), None
    )  # fmt: skip
    if items is None:
        raise Problem("There is no list of events in this file.", "Press t to look through it.")
    rows = [_cells(number, mapping(item)) for number, item in enumerate(items)]
    return EVENTS.frame(rows).sort("last", nulls_last=True, maintain_order=True)


def _cells(number: int, event: Any) -> tuple[object, ...]:
    metadata = mapping(event.get("metadata"))
    about = mapping(event.get("involvedObject") or event.get("regarding"))
    series = mapping(event.get("series"))
    times = [event.get("lastTimestamp"), series.get("lastObservedTime"), event.get("eventTime")]
    last = next((at for one in (*times, metadata.get("creationTimestamp")) if (at := epoch_ms(one)) is not None), None)
    first = epoch_ms(event.get("firstTimestamp")) or last
    count = event.get("count") or series.get("count")
    kind, name = _text(about.get("kind")), _text(about.get("name"))
    where = mapping(event.get("source")).get("component") or event.get("reportingComponent")
    return (
        str(number), last, _text(event.get("type")), _text(event.get("reason")),
        f"{kind or '?'} {name}" if name else kind, _text(event.get("message") or event.get("note")),
        count if isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 1 << 62 else 1, first,
        _text(where), _text(about.get("namespace") or metadata.get("namespace")),
    )  # fmt: skip


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


class EventList(Resource):
    """Columns are those of `EVENTS`; the locator's path is the file."""

    schema = EVENTS
    noun = ("event", "events")
    chart = Chart("last", "count", by="reason")
    empty_text = "No events are in this file."

    def __init__(self, locator: ProwView, archive: Archive) -> None:
        super().__init__(locator)
        self.archive = archive
        self.path = locator.path

    @property
    def title(self) -> str:
        return f"{self.path.rpartition('/')[2]} of {route(self.path).build or self.path}"

    def pages(self, cancel: Cancel) -> Iterator[Page]:
        content = self.archive.source.read(self.archive.bucket, Entry(self.path), cancel=cancel, cap=_CAP)
        yield Page(read_events(content), Origin())

    def document(self, row: Row) -> Document:
        return self.archive.document(self.path, self.path.rpartition("/")[2])

    def log(self, row: Row) -> LogAddress | None:
        return self.archive.log(self.path, self.path)

    def detail(self, row: Row) -> Detail:
        return row_detail(EVENTS, row, "Event", texts=("message",))

    def summary(self, frame: pl.DataFrame) -> str:
        """ "12 FailedScheduling · 40 Pulled": the commonest reasons."""
        counts = frame.group_by("reason").agg(pl.col("count").sum()).sort("count", "reason", descending=[True, False])
        return " · ".join(f"{count:,} {reason or '(none)'}" for reason, count in counts.head(5).iter_rows())
