"""The builds of a job or of a pull request, as a list: rows from one listing request, completed while one looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from backends.cancel import CancelToken
from backends.http.response import Freshness
from backends.locators.prow import Place, ProwPath, ProwView, View, route
from backends.prow.archive import BUILD_LOG, Archive, log_names, place_of
from backends.prow.build_columns import BUILDS, SEPARATOR, STATES
from backends.prow.build_detail import detail
from backends.prow.build_files import files_of
from backends.prow.build_listing import BuildListing
from backends.prow.build_menu import entries
from backends.prow.build_reading import BuildPlace, Row, cells, skeleton
from backends.prow.build_state import ENDED, INCOMPLETE, LIVE
from backends.prow.parallel import Turns
from backends.prow.profiles import deck_page, live_log
from backends.resources import Detail, Document, Entry, LogAddress, Page, Resource
from backends.transfers.files import RemoteFile


class BuildList(Resource):
    """Columns are those of `build_columns.BUILDS`. `builds`: only these ids; `count`, `since_ms`: only the newest.

    `complete` False leaves it at what ids and names say.
    """

    schema = BUILDS
    noun = ("build", "builds")
    default_sort = ("order", True)
    empty_text = "No builds are here: the job may never have run, or its builds have been deleted."
    poll_seconds = 60

    def __init__(
        self,
        locator: ProwPath | ProwView,
        archive: Archive,
        *,
        count: int = 0,
        since_ms: float | None = None,
        complete: bool = True,
    ) -> None:
        super().__init__(locator)
        self.archive = archive
        self.folder = locator.path
        self.builds = locator.builds if isinstance(locator, ProwView) else ()
        self.listing = BuildListing(archive, self.folder, count, since_ms)
        self._complete = complete
        self._turns: Turns[BuildPlace, Row] | None = None

    @property
    def title(self) -> str:
        found = route(self.folder)
        of = f"PR {found.pull}" if found.place is Place.PULL else found.job or self.folder
        return f"{len(self.builds):,} builds of {of}" if self.builds else of

    # ---- the list --------------------------------------------------------------------------------------------------

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """First what listings say, each page as it comes; then the same rows with what the builds' files say."""
        origin, failed = Freshness(), list[Row]()
        with Turns(self.archive.reader.row, cancel, name="builds") as turns:
            self._turns = turns
            for page in self._listed(cancel, turns, failed):
                origin = page.origin
                yield page
            for rows in turns.rest():
                failed += filter(_failed, rows)
                yield Page(build_frame(rows), origin, partial=bool(failed))
            if failed:  # once, with their number: which of them came when must not show
                yield Page(build_frame(()), origin, note=_note(len(failed)), partial=True)

    def _listed(self, cancel: CancelToken, turns: Turns[BuildPlace, Row], failed: list[Row]) -> Iterator[Page]:
        if self.builds:
            places = [place_of(self.folder, build) for build in dict.fromkeys(self.builds)]
            yield self._page(places, Freshness(), "", turns)
            return
        for one in self.listing.found(cancel):
            yield self._page(one.places, one.origin, one.note, turns)
            if rows := turns.ready():
                failed += filter(_failed, rows)
                yield Page(build_frame(rows), one.origin)

    def _page(self, places: list[BuildPlace], origin: Freshness, note: str, turns: Turns[BuildPlace, Row]) -> Page:
        if self._complete:
            turns.add((place.key, place) for place in places)
        return Page(build_frame(skeleton(place) for place in places), origin, note=note)

    def prefer(self, keys: Sequence[str]) -> None:
        if self._turns is not None:
            self._turns.prefer(keys)

    def updates(self, frame: pl.DataFrame, cancel: CancelToken) -> Page | None:
        """Builds that have begun since, and what has become of those that had not ended."""
        live = frame.filter(pl.col("state").is_in(list(LIVE)) | pl.col("state").is_null())
        again = [self._place(row) for row in live.iter_rows(named=True)]
        if self.builds and not again:
            return None
        if not self.builds:
            newest = max(frame["order"].to_list(), default="")[2:]
            again += self.listing.newer(newest, cancel)
        with Turns(self.archive.reader.row, cancel, name="builds") as turns:
            turns.add((place.key, place) for place in again)
            rows = [row for batch in turns.rest() for row in batch if not _failed(row)]
        return Page(build_frame(rows), Freshness())

    def _place(self, row: Row) -> BuildPlace:
        folder = row.get("folder")
        if folder:
            return BuildPlace(row["key"], row["job"], row["build"], folder)
        return place_of(self.folder, row["build"])

    # ---- what opens from it ----------------------------------------------------------------------------------------

    def open(self, row: Row) -> ProwPath:
        place = self._place(row)
        return self.archive.at(place.folder or place.link.removesuffix(".txt"))

    def open_marked(self, rows: pl.DataFrame) -> ProwView | None:
        return self.view(View.TREE, rows)

    def view(self, view: View, rows: pl.DataFrame, **options: str) -> ProwView | None:
        """That view of these builds; None where they are not all of one job."""
        folders = {self.folder}
        if route(self.folder).place is Place.PULL:
            folders = {self.job_folder(row) for row in rows.select("job", "build", "folder").iter_rows(named=True)}
        if len(folders) != 1 or rows.is_empty():
            return None
        pairs = tuple((name, value) for name, value in options.items() if value)
        return ProwView(
            view, self.archive.bucket, folders.pop(), tuple(rows["build"].to_list()), pairs, self.archive.store
        )

    def job_folder(self, row: Row) -> str:
        """The folder whose builds these are: a pull request's rows are of several jobs."""
        if route(self.folder).place is not Place.PULL or not row.get("folder"):
            return self.folder
        return str(row["folder"]).removesuffix(f"{row['build']}/")

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        return entries(self, row, rows)

    def log(self, row: Row) -> LogAddress | None:
        """The whole log; of several containers the first, the others are among the files. While it runs, Deck's."""
        folder, names = row.get("folder"), log_names(row.get("names"))
        if row.get("state") in LIVE and not names:
            url = live_log(self.archive.bucket, str(row["job"]), str(row["build"]), self.archive.scope)
            return LogAddress(url, f"log of {row['build']}", self.open(row), live=True) if url else None
        if not folder or (not names and row.get("names")):
            return None
        name = names[0] if names else BUILD_LOG
        return self.archive.log(f"{folder}{name}", f"{name} of {row['build']}", of=row)

    def document(self, row: Row) -> Document | None:
        folder, names = row.get("folder"), str(row.get("names") or "").split(SEPARATOR)
        name = next((one for one in ("prowjob.json", "finished.json", "started.json") if one in names), None)
        if not folder or name is None:
            return None
        return self.archive.document(f"{folder}{name}", f"{name} of {row['build']}")

    def files(self, rows: pl.DataFrame, cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        """All files of these builds, each build's tree as it becomes known."""
        return files_of(self.archive, [self._place(row) for row in rows.iter_rows(named=True)], cancel)

    def detail(self, row: Row) -> Detail:
        return detail(row)

    def web_url(self, row: Row | None = None) -> str | None:
        bucket = self.archive.bucket
        if row is not None and row.get("folder"):
            return deck_page(bucket, row["folder"]) or self.archive.source.page(bucket, row["folder"])
        if self.builds:
            return None  # no page shows some builds of a job
        return deck_page(bucket, self.folder, "job-history") or self.archive.source.page(bucket, self.folder)

    def summary(self, frame: pl.DataFrame) -> str:
        """ "12 success · 3 failure · 80.0 % passed": by state, and the share of those that ended."""
        counts = dict(frame["state"].drop_nulls().value_counts().iter_rows())
        known = [*(state for state in STATES if state in counts), *sorted(counts.keys() - set(STATES))]
        words = [f"{counts[state]:,} {state}" for state in known]
        ended = sum(counts.get(state, 0) for state in (*ENDED, INCOMPLETE))
        if ended:
            words.append(f"{100 * counts.get('success', 0) / ended:.1f} % passed")
        return " · ".join(words)


def build_frame(rows: Iterable[Row]) -> pl.DataFrame:
    """A frame of the schema `BUILDS`."""
    return BUILDS.frame(cells(row) for row in rows)


def _failed(row: Row) -> bool:
    return row["state"] is None


def _note(failed: int) -> str:
    if failed == 1:
        return "1 build cannot be read; its note says why."
    return f"{failed:,} builds cannot be read; their notes say why."
