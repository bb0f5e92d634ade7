"""Completeness of builds as lists: which sets of files they have, and which file is missing how often."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from backends.cancel import CancelToken
from backends.http.response import Freshness
from backends.locators.prow import ProwView, View
from backends.prow.archive import Archive
from backends.prow.build_reading import BuildPlace
from backends.prow.completeness_reading import ARTIFACTS, FIRST, BuildEntries, read_entries
from backends.prow.completeness_sets import PRESENCE, SETS, counts, presence, sets
from backends.prow.row_detail import row_detail
from backends.prow.view_builds import builds_view, counted, places, read_each
from backends.resources import Detail, Entry, Link, Page, Resource, Row


class _Completeness(Resource):
    empty_text = "There are no builds to look at."

    def __init__(self, locator: ProwView, archive: Archive) -> None:
        super().__init__(locator)
        self.view = locator
        self.archive = archive
        wanted = locator.option("level")
        self.levels = (FIRST,) if wanted == "1" else (ARTIFACTS,) if wanted == "2" else (FIRST, ARTIFACTS)
        self.found: list[BuildEntries] = []

    def table(self, found: list[BuildEntries]) -> pl.DataFrame:
        raise NotImplementedError

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """The table of the builds listed so far, again and again until all are."""
        wanted = places(self.archive, self.view, cancel)
        ranks = {place.build: rank for rank, place in enumerate(wanted)}
        self.found = []

        def read(place: BuildPlace, own: CancelToken) -> BuildEntries:
            return read_entries(self.archive, place, self.levels, own)

        shown = 0
        for batch in read_each(wanted, read, cancel):
            self.found += batch
            # A table of 20,000 builds is not made again for each ten of them.
            if len(self.found) < max(shown * 1.5, 1) and len(self.found) < len(wanted):
                continue
            shown = len(self.found)
            self.found.sort(key=lambda one: ranks.get(one.build, 0))
            # How far it is is no note: those stay until the next load.
            note = self._note() if shown == len(wanted) else ""
            partial = any(one.problem for one in self.found)
            yield Page(self.table(self.found), Freshness(), replace=True, note=note, partial=partial)
        if not wanted:
            yield Page(self.schema.empty(), Freshness(), replace=True)

    def _note(self) -> str:
        failed = [one for one in self.found if one.problem]
        if failed:
            return f"{len(failed):,} of {len(self.found):,} builds could not be listed: {failed[0].problem}"
        return next((one.note for one in self.found if one.note), "")

    def open(self, row: Row) -> ProwView | None:
        return builds_view(self.view, row.get("build_ids"))

    def detail(self, row: Row) -> Detail:
        return row_detail(self.schema, row, str(row.get("name") or "Set"), without=("build_ids",))

    def _sibling(self, view: View, **options: str) -> ProwView:
        return ProwView(
            view, self.view.bucket, self.view.path, self.view.builds, tuple(options.items()), self.view.store
        )


class CompletenessSets(_Completeness):
    """Distinct sets of entries (schema `SETS`); with the option by=counts, how many entries they have."""

    schema = SETS
    noun = ("set", "sets")

    @property
    def title(self) -> str:
        return f"completeness of {counted(self.view)}"

    def table(self, found: list[BuildEntries]) -> pl.DataFrame:
        return (counts if self.view.option("by") == "counts" else sets)(found, self.levels)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        return [
            Link("Which file is missing how often", self._sibling(View.PRESENCE)),
            Link("Builds by number of entries", self._sibling(View.COMPLETENESS, by="counts")),
        ]

    def summary(self, frame: pl.DataFrame) -> str:
        """ "96.4 % of 140 builds have the commonest set"; of the first level that is shown."""
        if frame.is_empty():
            return ""
        level = frame.filter(pl.col("level") == frame["level"][0])
        whole, every = int(level.filter(pl.col("kind") == "ok")["builds"].sum()), int(level["builds"].sum())
        return f"{100 * whole / every:.1f} % of {every:,} builds are complete at {level['level'][0]}" if every else ""


class FilePresence(_Completeness):
    """Each name and how many builds have it (schema `PRESENCE`); Enter lists the builds that do not."""

    schema = PRESENCE
    noun = ("name", "names")

    @property
    def title(self) -> str:
        return f"files of {counted(self.view)}"

    def table(self, found: list[BuildEntries]) -> pl.DataFrame:
        return presence(found, self.levels)
