"""Why builds failed: what Prow said, else ci-operator's own reason in the log, else what the pod met with."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from backends.cancel import Cancel
from backends.frames.schema import Column, Kind, Schema
from backends.http.answers import Origin
from backends.http.errors import clean
from backends.locators.prow import ProwView
from backends.problems import Cancelled, Problem
from backends.prow.archive import Archive, log_names
from backends.prow.build_columns import SEPARATOR
from backends.prow.build_reading import BuildPlace, Row
from backends.prow.build_state import FAILED, INCOMPLETE, decoded
from backends.prow.builds import build_frame
from backends.prow.pod_hints import hint
from backends.prow.row_detail import row_detail
from backends.prow.source import Entry
from backends.prow.view_builds import builds_view, counted, places, read_each, unread
from backends.resources import Detail, Page, Resource
from backends.resources import Row as Cells

REASONS = Schema(
    (
        Column("state", Kind.STATE, "State", width=10),
        Column("builds", Kind.COUNT, "Builds"),
        Column("share", Kind.NUMBER, "Share", "%"),
        Column("reason", Kind.TEXT, "Reason", width=60),
        Column("first", Kind.TIME, "First"),
        Column("last", Kind.TIME, "Last"),
        Column("build_ids", Kind.TEXT, "Build ids", hidden=True, searched=False),
    ),
    key="key",
)
_GENERIC = re.compile(r"job (failed|succeeded|aborted|triggered)\.?", re.IGNORECASE)
_CI_OPERATOR = re.compile(rb"Reporting job state '\w+' with reason '([^']{1,300})'")
_CHANGING = re.compile(r"\b(?:[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{12,64}|[0-9]+(?:\.[0-9]+)?)(?=\b|[a-z]{1,2}\b)")
_PODINFO = "podinfo.json"
_READ = 256 << 20  # bytes of a log that are read for its last words
_KEPT = 64 << 10


def reasons(builds: pl.DataFrame) -> pl.DataFrame:
    """One row a state and reason of the failed builds among these (schema `BUILDS`), the commonest first.

    Numbers and ids within a reason count as the same. `share`: of the failed ones, in percent.
    """
    failed = builds.filter(pl.col("state").is_in(list(FAILED)))
    given = pl.coalesce("reason", "note")
    general = given.map_elements(_general, return_dtype=pl.String, skip_nulls=True)
    # The words about builds that never ended are our own, and their number of hours is always the same.
    told = failed.with_columns(reason=pl.when(pl.col("state") == INCOMPLETE).then(given).otherwise(general))
    found = (
        told.sort("order", descending=True)
        .group_by("state", "reason", maintain_order=True)
        .agg(
            pl.len().alias("builds"),
            pl.col("started").min().alias("first"),
            pl.col("started").max().alias("last"),
            pl.col("build").str.join(",").alias("build_ids"),
        )
        .with_columns(
            share=100 * pl.col("builds") / max(len(failed), 1),
            key=pl.concat_str("state", pl.lit("|"), pl.col("reason").fill_null("")),
        )
        .sort("builds", "last", descending=True, maintain_order=True)
    )
    return found.select(pl.col(name).cast(dtype) for name, dtype in REASONS.polars().items())


def _general(reason: str) -> str:
    return _CHANGING.sub("N", reason)


class FailureReasons(Resource):
    """Columns are those of `REASONS`. Enter lists the builds of a reason."""

    schema = REASONS
    noun = ("reason", "reasons")
    empty_text = "None of these builds failed."

    def __init__(self, locator: ProwView, archive: Archive) -> None:
        super().__init__(locator)
        self.view = locator
        self.archive = archive

    @property
    def title(self) -> str:
        return f"failures of {counted(self.view)}"

    def pages(self, cancel: Cancel) -> Iterator[Page]:
        wanted, found = places(self.archive, self.view, cancel), list[Row]()
        for batch in read_each(wanted, self._read, cancel):
            found += batch
            note = unread(found) if len(found) == len(wanted) else ""
            yield Page(reasons(build_frame(found)), Origin(), replace=True, note=note, partial=bool(note))

    def _read(self, place: BuildPlace, cancel: Cancel) -> Row:
        row = self.archive.reader.row(place, cancel)
        vague = row["reason"] is None or _GENERIC.fullmatch(row["reason"]) is not None
        if row["state"] in FAILED and vague and row["folder"]:
            try:
                row["reason"] = self._told(row, cancel) or row["reason"]
            except Cancelled:
                raise
            except Problem:
                pass  # then what Prow said has to do
        return row

    def _told(self, row: Row, cancel: Cancel) -> str | None:
        """What the build's own log says, else what became of its pod."""
        for name in log_names(row["names"])[:1]:
            if words := self._last_words(f"{row['folder']}{name}", row["log_compressed"] == "no", cancel):
                return words
        if _PODINFO not in str(row["names"]).split(SEPARATOR):
            return None
        entry = Entry(f"{row['folder']}{_PODINFO}")
        return hint(decoded(self.archive.source.read(self.archive.bucket, entry, cancel=cancel))) or None

    def _last_words(self, path: str, plain: bool, cancel: Cancel) -> str | None:
        """ci-operator ends its log with the path of reasons that it reports. Only of a `plain` log is the end asked
        for by itself: it would take a request to learn that another one cannot be had so."""
        tail = self.archive.source.tail(self.archive.bucket, path, _KEPT, cancel=cancel) if plain else None
        if tail is None:
            tail = self._end(path, cancel)
        found = _CI_OPERATOR.findall(tail)
        return clean(found[-1].decode("utf-8", "replace"), 300) if found else None

    def _end(self, path: str, cancel: Cancel) -> bytes:
        tail, count = b"", 0
        with self.archive.source.open(self.archive.bucket, Entry(path), cancel=cancel) as body:
            for piece in body:
                tail = (tail + piece)[-_KEPT:]
                count += len(piece)
                if count > _READ:
                    break
        return tail

    def detail(self, row: Cells) -> Detail:
        return row_detail(REASONS, row, "Reason", without=("build_ids",))

    def open(self, row: Cells) -> ProwView | None:
        return builds_view(self.view, row.get("build_ids"))
