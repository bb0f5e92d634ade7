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
from backends.errors import AppError, OperationCancelledError
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import HttpError, sanitize
from backends.http.response import Freshness
from backends.locators.prow import Place, ProwView, route
from backends.logs import ansi
from backends.prow.archive import Archive
from backends.prow.build_files import tree_of
from backends.prow.build_reading import BuildPlace
from backends.prow.build_state import mapping
from backends.prow.file_openings import is_events
from backends.prow.gcs_source import epoch_ms
from backends.prow.row_detail import row_detail
from backends.prow.source import Entry
from backends.prow.view_builds import counted, followed, places, read_each
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
        Column("file", Kind.TEXT, "File", keeps_end=True, width=36),
        Column("build", Kind.ID, "Build", width=19),
        Column("path", Kind.TEXT, "Path", hidden=True, searched=False),
        Column("order", Kind.ID, "Order", hidden=True, searched=False),
    ),
    key="key",
)
# The same columns where rows are of several builds.
EVENTS_OF_BUILDS = Schema((EVENTS["build"], *(one for one in EVENTS if one.name != "build")), key="key")


class NoEventsError(AppError):
    """The file is JSON, and has no list of events."""


def read_events(content: bytes, *, file: str = "", build: str = "", path: str = "", rank: int = 0) -> pl.DataFrame:
    """A frame of `EVENTS`, in order of time, of an EventList, a podinfo, a bare list of events, or e2e-events.

    Raises `AppError` for what is none of them; an event that is not as it should be keeps what can be read of it.
    """
    try:
        told = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise AppError(
            f"The events are not JSON: {sanitize(str(problem), 120)}.", "Press l to read it as a text."
        ) from None
    items = told if isinstance(told, list) else next(
        (one for name in ("items", "events") if isinstance(one := mapping(told).get(name), list)), None
    )  # fmt: skip
    if items is None:
        raise NoEventsError("There is no list of events in this file.", "Press t to look through it.")
    rows = []
    for number, item in enumerate(items):
        cells = _cells(mapping(item))
        last = cells[0] if isinstance(cells[0], int) else None
        order = f"{rank:05d}{max(last or 0, 0) if last is not None else 10**15 - 1:015d}{file}:{number:07d}"
        rows.append((f"{path or build}:{number}", *cells, file or None, build or None, path or None, order))
    return EVENTS.frame(rows).sort("order", maintain_order=True)


def _cells(event: Any) -> tuple[object, ...]:
    if "from" in event and "locator" in event:
        return _monitored(event)
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
        last, _text(event.get("type")), _text(event.get("reason")),
        f"{kind or '?'} {name}" if name else kind, _text(event.get("message") or event.get("note")),
        count if isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 1 << 62 else 1, first,
        _text(where), _text(about.get("namespace") or metadata.get("namespace")),
    )  # fmt: skip


def _monitored(event: Any) -> tuple[object, ...]:
    """What OpenShift's test monitor saw (level, locator, message, from, to); later versions have the last two in
    parts."""
    locator, message = event.get("locator"), event.get("message")
    keys = mapping(mapping(locator).get("keys"))
    about = _text(locator) or " ".join(f"{name}/{keys[name]}" for name in sorted(keys)) or None
    said = mapping(message)
    first, last = epoch_ms(event.get("from")), epoch_ms(event.get("to"))
    return (
        last if last is not None else first, _text(event.get("level")), _text(said.get("reason")), about,
        _text(message) or _text(said.get("humanMessage")), 1, first, _text(event.get("source")),
        _text(keys.get("namespace")),
    )  # fmt: skip


def _text(value: Any) -> str | None:
    return ansi.strip(value) or None if isinstance(value, str) else None


class EventList(Resource):
    """Columns are those of `EVENTS`; the locator's path is a file, a build's or a job's folder, or any other one."""

    schema = EVENTS
    noun = ("event", "events")
    default_sort: ClassVar[tuple[str, bool] | None] = ("order", False)
    chart = Chart("last", "count", by="reason")
    empty_text = "No events are in these files."

    def __init__(self, locator: ProwView, archive: Archive) -> None:
        super().__init__(locator)
        self.view = locator
        self.archive = archive
        self.path = locator.path
        self._lock = threading.Lock()
        self._files = 0
        self._failed: dict[tuple[int, str], AppError] = {}

    @property
    def title(self) -> str:
        if self.path.endswith("/") or not self.path:
            return f"events of {counted(self.view)}"
        return f"{self.path.rpartition('/')[2]} of {route(self.path).build or self.path}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        archive, path = self.archive, self.path
        if path and not path.endswith("/"):
            content = archive.source.read(archive.bucket, Entry(path), cancel=cancel, cap=_CAP)
            found = route(path)
            frame = read_events(content, file=path.removeprefix(found.base), build=found.build, path=path)
            yield Page(frame.select(self.schema.polars().keys()), Freshness())
            return
        self._files, self._failed = 0, {}
        wanted = places(archive, self.view, cancel)
        ranks = {place.key: rank for rank, place in enumerate(wanted)}

        def ask(place: BuildPlace, own: CancelToken) -> list[pl.DataFrame]:
            return self._build(place, ranks[place.key], own)

        for batch in read_each(wanted, ask, cancel):
            for frames in batch:
                for frame in frames:
                    yield Page(frame.select(self.schema.polars().keys()), Freshness())
        if self._failed and not self._files:
            raise self._failed[min(self._failed)]
        yield Page(self.schema.empty(), Freshness(), note=self._note(), partial=bool(self._failed))

    def _build(self, place: BuildPlace, rank: int, cancel: CancelToken) -> list[pl.DataFrame]:
        """What the files of one build hold; those that cannot be read are in `_failed`."""
        archive, frames = self.archive, list[pl.DataFrame]()
        try:
            folder = followed(archive, place, cancel)
        except HttpError as problem:
            return self._fail(rank, place.build, problem)
        tree = tree_of(archive, BuildPlace(place.key, place.job, place.build, folder), cancel)
        if tree.problem is not None:
            self._fail(rank, folder, tree.problem)
        for entry in (one for one in tree.files if is_events(one.name)):
            name = entry.name.removeprefix(folder)
            try:
                content = archive.source.read(archive.bucket, entry, cancel=cancel, cap=_CAP)
                frames.append(read_events(content, file=name, build=place.build, path=entry.name, rank=rank))
            except OperationCancelledError:
                raise
            except AppError as problem:
                # A podinfo.json without events is usual; of wider names, not all hold any.
                if not isinstance(problem, NoEventsError) or name.endswith("/events.json"):
                    self._fail(rank, name, problem)
                continue
            with self._lock:
                self._files += 1
        return frames

    def _fail(self, rank: int, name: str, problem: AppError) -> list[pl.DataFrame]:
        with self._lock:
            self._failed[rank, name] = problem
        return []

    def _note(self) -> str:
        if not self._failed:
            return ""
        rank, name = min(self._failed)
        words = "1 file or build" if len(self._failed) == 1 else f"{len(self._failed):,} files or builds"
        return f"{words} cannot be read, e.g. {sanitize(name, 200)}: {self._failed[rank, name].sentence}"

    def document(self, row: Row) -> Document:
        path = str(row["path"] or self.path)
        return self.archive.document(path, path.rpartition("/")[2])

    def log(self, row: Row) -> LogAddress | None:
        path = str(row["path"] or self.path)
        return self.archive.log(path, path)

    def detail(self, row: Row) -> Detail:
        return row_detail(self.schema, row, "Event", texts=("message",), without=("order", "path"))

    def summary(self, frame: pl.DataFrame) -> str:
        """ "12 FailedScheduling · 40 Pulled": the commonest reasons."""
        counts = frame.group_by("reason").agg(pl.col("count").sum()).sort("count", "reason", descending=[True, False])
        return " · ".join(f"{count:,} {reason or '(none)'}" for reason, count in counts.head(5).iter_rows())


class EventsOfBuilds(EventList):
    """The same of several builds: which one stands first."""

    schema = EVENTS_OF_BUILDS


def event_list(locator: ProwView, archive: Archive) -> EventList:
    of_a_job = locator.path.endswith("/") and route(locator.path).place in (Place.BUILDS, Place.LINKS)
    return (EventsOfBuilds if of_a_job and len(locator.builds) != 1 else EventList)(locator, archive)
