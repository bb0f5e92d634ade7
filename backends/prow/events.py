"""Kubernetes' events of builds as a list, by time and reason.

They are in events.json files (ci-operator's build-resources, gather-extra's of the tested cluster, cluster dumps), in
podinfo.json (of the build's own pod), and in the e2e-events*.json that OpenShift's tests write in a form of their own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec
import polars as pl

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import sanitize
from backends.http.response import Freshness
from backends.logs import ansi
from backends.prow.bucket import BucketReader
from backends.prow.build_listing import BuildView, ErrorHandler
from backends.prow.build_reader import BuildPlace, mapping
from backends.prow.files import is_events, list_tree
from backends.prow.locators import EventsView, describe_file, route
from backends.prow.store import epoch_ms
from backends.resources import Chart, Document, LogAddress, Page, Row

_MAX_BYTES = 256 << 20
_NO_TIME = 10**15 - 1  # sorts events without a time last


class EventRow(msgspec.Struct, gc=False, kw_only=True):
    """A row of `EVENTS`; times in epoch ms."""

    last: int | None
    first: int | None
    type: str | None
    reason: str | None
    object: str | None
    message: str | None
    count: int
    source: str | None
    namespace: str | None
    key: str = ""
    file: str | None = None
    build: str | None = None
    path: str | None = None
    order: str = ""


EVENTS = Schema(
    (
        Column("last", Kind.TIME, "Last", seconds=True, cell=pl.Int64(), get="last"),
        Column("type", Kind.TEXT, "Type", get="type"),
        Column("reason", Kind.TEXT, "Reason", get="reason"),
        Column("object", Kind.TEXT, "Object", is_name=True, keeps_end=True, width=36, get="object"),
        Column("message", Kind.TEXT, "Message", width=60, get="message"),
        Column("count", Kind.COUNT, "Count", get="count"),
        Column("first", Kind.TIME, "First", seconds=True, cell=pl.Int64(), get="first"),
        Column("source", Kind.TEXT, "Source", get="source"),
        Column("namespace", Kind.TEXT, "Namespace", hidden=True, get="namespace"),
        Column("file", Kind.TEXT, "File", keeps_end=True, width=36, get="file"),
        Column("build", Kind.ID, "Build", width=19, get="build"),
        Column("path", Kind.TEXT, "Path", hidden=True, searched=False, get="path"),
        Column("order", Kind.ID, "Order", hidden=True, searched=False, get="order"),
    ),
    key="key",
    key_get="key",
)
# The same columns where rows are of several builds.
EVENTS_OF_BUILDS = Schema((EVENTS["build"], *(column for column in EVENTS if column.name != "build")), key="key")


class NoEventsError(AppError):
    """The file is JSON, and has no list of events."""


def parse_events(content: bytes, *, file: str = "", build: str = "", path: str = "", rank: int = 0) -> pl.DataFrame:
    """A frame of `EVENTS`, in order of time, of an EventList, a podinfo, a bare list of events, or e2e-events.

    Raises `AppError` for what is none of them; an event that is not as it should be keeps what can be read of it.
    """
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise AppError(
            f"The events are not valid JSON: {sanitize(str(error), 120)}.", "Press l to read it as text."
        ) from None
    lists = [document, *(mapping(document).get(name) for name in ("items", "events"))]
    items = next((items for items in lists if isinstance(items, list)), None)
    if items is None:
        raise NoEventsError("There is no list of events in this file.", "Press t to look through it.")
    rows = []
    for number, item in enumerate(items):
        event = mapping(item)
        row = _parse_monitor_event(event) if "from" in event and "locator" in event else _parse_event(event)
        row.key, row.file, row.build, row.path = f"{path or build}:{number}", file or None, build or None, path or None
        time = max(row.last, 0) if row.last is not None else _NO_TIME
        row.order = f"{rank:05d}{time:015d}{file}:{number:07d}"
        rows.append(row)
    return EVENTS.build(rows).sort("order", maintain_order=True)


def _parse_event(event: Any) -> EventRow:
    metadata = mapping(event.get("metadata"))
    about = mapping(event.get("involvedObject") or event.get("regarding"))
    series = mapping(event.get("series"))
    times = [
        event.get("lastTimestamp"), series.get("lastObservedTime"), event.get("eventTime"),
        metadata.get("creationTimestamp"),
    ]  # fmt: skip
    last = next((ms for time in times if (ms := epoch_ms(time)) is not None), None)
    count = event.get("count") or series.get("count")
    kind, name = _text(about.get("kind")), _text(about.get("name"))
    return EventRow(
        last=last,
        first=epoch_ms(event.get("firstTimestamp")) or last,
        type=_text(event.get("type")),
        reason=_text(event.get("reason")),
        object=f"{kind or '?'} {name}" if name else kind,
        message=_text(event.get("message") or event.get("note")),
        count=count if isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 1 << 62 else 1,
        source=_text(mapping(event.get("source")).get("component") or event.get("reportingComponent")),
        namespace=_text(about.get("namespace") or metadata.get("namespace")),
    )


def _parse_monitor_event(event: Any) -> EventRow:
    """What OpenShift's test monitor saw (level, locator, message, from, to); later versions have locator and message
    in parts."""
    locator, message = event.get("locator"), event.get("message")
    keys, parts = mapping(mapping(locator).get("keys")), mapping(message)
    first, last = epoch_ms(event.get("from")), epoch_ms(event.get("to"))
    return EventRow(
        last=last if last is not None else first,
        first=first,
        type=_text(event.get("level")),
        reason=_text(parts.get("reason")),
        object=_text(locator) or " ".join(f"{name}/{keys[name]}" for name in sorted(keys)) or None,
        message=_text(message) or _text(parts.get("humanMessage")),
        count=1,
        source=_text(event.get("source")),
        namespace=_text(keys.get("namespace")),
    )


def _text(value: Any) -> str | None:
    return ansi.strip(value) or None if isinstance(value, str) else None


class EventList(BuildView):
    """Columns are those of `EVENTS`, of many builds in the order of `EVENTS_OF_BUILDS`.

    The locator's path is a file, a build's or a job's folder, or any other one.
    """

    schema = EVENTS
    noun = ("event", "events")
    default_sort: ClassVar[tuple[tuple[str, bool], ...]] = (("order", False),)
    chart = Chart("last", "count", by="reason")
    empty_text = "No events are in these files."
    detail_title = "Event"
    long_texts = ("message",)
    not_in_detail = ("order", "path")

    def __init__(self, locator: EventsView, bucket: BucketReader) -> None:
        super().__init__(locator, bucket)
        self.path = locator.path
        if locator.is_of_many_builds:
            self.schema = EVENTS_OF_BUILDS  # type: ignore[misc]
        self._lock = threading.Lock()
        self._files = 0
        self._errors: dict[tuple[int, str], AppError] = {}  # by rank of the build and name

    @property
    def title(self) -> str:
        if self.path.endswith("/") or not self.path:
            return f"events of {self.builds_title}"
        return describe_file(self.path) or self.path

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        columns = self.schema.polars().keys()
        if self.path and not self.path.endswith("/"):
            content, place = self.bucket.read(self.path, cancel, _MAX_BYTES), route(self.path)
            frame = parse_events(content, file=self.path.removeprefix(place.base), build=place.build, path=self.path)
            yield Page(frame.select(columns), Freshness())
            return
        self._files, self._errors = 0, {}
        places = self.find_places(cancel)
        ranks = {place.key: rank for rank, place in enumerate(places)}

        def read(place: BuildPlace, own: CancelToken) -> list[pl.DataFrame]:
            return self._read_build(place, ranks[place.key], own)

        for batch in self.read_each(places, read, cancel):
            for frames in batch:
                for frame in frames:
                    yield Page(frame.select(columns), Freshness())
        if self._errors and not self._files:
            raise self._errors[min(self._errors)]
        yield Page(self.schema.empty(), Freshness(), note=self._note(), partial=bool(self._errors))

    def _read_build(self, place: BuildPlace, rank: int, cancel: CancelToken) -> list[pl.DataFrame]:
        """What the files of one build hold; those that cannot be read are in `_errors`."""
        frames: list[pl.DataFrame] = []
        tree = list_tree(self.bucket, place, cancel)
        if tree.error is not None:
            self._errors[rank, tree.folder or place.build] = tree.error
        for info in (info for info in tree.files if is_events(info.name)):
            name = info.name.removeprefix(tree.folder)

            def record(error: AppError, name: str = name) -> None:
                # A podinfo.json without events is usual; of wider names, not all hold any.
                if not isinstance(error, NoEventsError) or name.endswith("/events.json"):
                    self._errors[rank, name] = error

            with ErrorHandler(record):
                content = self.bucket.read(info, cancel, _MAX_BYTES)
                frames.append(parse_events(content, file=name, build=place.build, path=info.name, rank=rank))
        with self._lock:
            self._files += len(frames)
        return frames

    def _note(self) -> str:
        if not self._errors:
            return ""
        rank, name = min(self._errors)
        words = "1 file or build" if len(self._errors) == 1 else f"{len(self._errors):,} files or builds"
        return f"{words} cannot be read, e.g. {sanitize(name, 200)}: {self._errors[rank, name].sentence}"

    def document(self, row: Row) -> Document:
        path = str(row["path"] or self.path)
        return self.bucket.document(path, path.rpartition("/")[2])

    def log(self, row: Row) -> LogAddress | None:
        path = str(row["path"] or self.path)
        return self.bucket.log(path, path)

    def summary(self, frame: pl.DataFrame) -> str:
        """ "12 FailedScheduling · 40 Pulled": the commonest reasons."""
        counts = frame.group_by("reason").agg(pl.col("count").sum()).sort("count", "reason", descending=[True, False])
        return " · ".join(f"{count:,} {reason or '(none)'}" for reason, count in counts.head(5).iter_rows())
