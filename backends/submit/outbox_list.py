"""The outbox as a list: what was queued, where it goes, what became of it, and what can be done about it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, ClassVar

import polars as pl

from backends.cancel import CancelToken
from backends.config import Settings
from backends.frames.schema import Column, Kind, Schema
from backends.http import Http
from backends.http.response import Freshness
from backends.locators.submit import OutboxLocator
from backends.resources import Action, Detail, Document, Entry, Page, Progress, Resource, Row
from backends.submit.outbox import Outbox
from backends.submit.routes import open_outbox

OUTBOX = Schema(
    (
        Column("state", Kind.STATE, "State", width=14),
        Column("symbol", Kind.TEXT, "Symbol"),
        Column("words", Kind.TEXT, "What was said", width=40),
        Column("job", Kind.ID, "Job"),
        Column("project", Kind.TEXT, "Project"),
        Column("route", Kind.TEXT, "Via"),
        Column("destination", Kind.TEXT, "Goes to", keeps_end=True),
        Column("attempts", Kind.COUNT, "Tries"),
        Column("changed", Kind.TIME, "Changed"),
        Column("queued", Kind.TIME, "Queued", hidden=True),
        Column("routing_key", Kind.TEXT, "Routing key", hidden=True),
        Column("size", Kind.BYTES, "Size", hidden=True),
        Column("file", Kind.TEXT, "File", hidden=True, keeps_end=True),
    ),
    key="number",
)


def outbox_frame(outbox: Outbox, since: float = 0.0) -> pl.DataFrame:
    """One row a letter (schema `OUTBOX`), oldest first; only those that changed at or after `since`."""
    rows = []
    for (
        number,
        state,
        job,
        symbol,
        project,
        route,
        place,
        key,
        tries,
        words,
        queued,
        changed,
        file,
        size,
    ) in outbox.rows(since):
        rows.append(
            (
                str(number),
                state,
                symbol,
                words,
                job,
                project,
                route,
                place,
                tries,
                _ms(changed),
                _ms(queued),
                key,
                size,
                file,
            )
        )
    return OUTBOX.frame(rows)


class OutboxList(Resource):
    """What is in the outbox; looks again every second while it is shown."""

    schema: ClassVar[Schema] = OUTBOX
    noun: ClassVar[tuple[str, str]] = ("job in the outbox", "jobs in the outbox")
    empty_text: ClassVar[str] = "Nothing was queued yet: open a file of jobs (submit:FILE) and press x to publish."
    poll_seconds: ClassVar[float] = 1.0

    def __init__(self, locator: OutboxLocator, http: Http, settings: Settings) -> None:
        super().__init__(locator)
        self._http, self._settings = http, settings
        self._looked = 0.0

    @property
    def title(self) -> str:
        return "Outbox"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        self._looked = time.time()
        with open_outbox(self._settings) as outbox:
            frame = outbox_frame(outbox)
        yield Page(frame, Freshness(), len(frame), replace=True)

    def updates(self, frame: pl.DataFrame, cancel: CancelToken) -> Page | None:
        since, self._looked = self._looked, time.time()
        with open_outbox(self._settings) as outbox:
            return Page(outbox_frame(outbox, since - 0.001), Freshness())

    def shows(self, row: Row) -> Document | None:
        return self.document(row)

    def document(self, row: Row) -> Document | None:
        number = int(row["number"])

        def read(cancel: CancelToken) -> Any:
            with open_outbox(self._settings) as outbox:
                return outbox.body(number)

        return Document(f"{row['symbol']} {row['job']}".strip(), self.locator, read)

    def detail(self, row: Row) -> Detail | None:
        texts = [
            (name.capitalize().replace("_", " "), str(row[name]))
            for name in ("state", "words", "job", "project", "route", "destination", "routing_key", "file")
            if row.get(name)
        ]
        return Detail(f"{row['symbol']} {row['state']}", (("Job", tuple(texts)),))

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        from backends.submit.actions import sendings

        numbers = [int(number) for number in rows["number"].to_list()]
        states = set(rows["state"].to_list())
        entries: list[Entry] = []
        if states & {"returned", "failed", "cancelled"}:
            entries.append(self._change("Queue again (returned, failed, cancelled)", "retry", "queued again", numbers))
        if states & {"queued", "returned", "failed"}:
            entries.append(self._change("Take back (not yet acknowledged)", "cancel", "taken back", numbers, ask=True))
        if states & {"acknowledged", "cancelled"}:
            entries.append(self._change("Forget (acknowledged, cancelled)", "forget", "removed", numbers, ask=True))
        return [*entries, *sendings(self._settings, self._http)]

    def _change(self, label: str, method: str, done: str, numbers: list[int], *, ask: bool = False) -> Action:
        def run(cancel: CancelToken, progress: Progress) -> str:
            with open_outbox(self._settings) as outbox:
                return f"{getattr(outbox, method)(numbers):,} {done}."

        return Action(label, run, f"{label.partition(' (')[0]}: {len(numbers):,} rows?" if ask else "")

    def summary(self, frame: pl.DataFrame) -> str:
        counts = frame["state"].value_counts(sort=True).rows() if len(frame) else []
        return ", ".join(f"{count:,} {state}" for state, count in counts)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
