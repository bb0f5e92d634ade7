"""A dataset in the app: the list of its views with what each has, and each view as a list of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import polars as pl

from backends.cancel import CancelToken
from backends.frames.schema import Column, Kind, Schema
from backends.http.response import Freshness
from backends.locators import InvalidLocatorError, Locator
from backends.locators.datasets import DatasetView, DatasetViews
from backends.locators.perfherder import AlertSummary, PushJobs, PushOf, Series, SeriesRef
from backends.resources import Detail, Entry, Page, Resource, Row
from backends.taskcluster.locators import SLUGID, Task
from backends.treeherder.datasets.filling import fetching, repairing
from backends.treeherder.datasets.store import LEDGER, Store
from backends.treeherder.datasets.tables import EXPIRED, TABLES
from backends.treeherder.datasets.views import VIEWS, Dataset, job_horizon, view
from backends.treeherder.listed import told

if TYPE_CHECKING:
    from backends.http import Http

SERIES_AT_ONCE = 8  # of a group: as many as a graph can tell apart
LIST = Schema(
    (
        Column("view", Kind.TEXT, "View"),
        Column("rows", Kind.COUNT, "Stored rows"),
        Column("about", Kind.TEXT, "Shows", width=38),
        Column("repository", Kind.TEXT, "Repository"),
        Column("since", Kind.TIME, "Since"),
        Column("until", Kind.TIME, "Until"),
        Column("missing", Kind.TEXT, "Missing"),
    ),
    key="key",
)


def dataset_resource(locator: Locator, http: Http | None = None, url: str = "") -> Resource:
    """The list that a dataset's locator opens; `http`, `url`: where its menu fetches from.

    Raises `InvalidLocatorError` for any other locator, `UsageError` for an unknown view.
    """
    if isinstance(locator, DatasetViews):
        return DatasetList(locator, http, url)
    if isinstance(locator, DatasetView):
        return DatasetRows(locator)
    raise InvalidLocatorError(f"{locator.text()} is no dataset.")


class DatasetList(Resource):
    """The views of a store: one row a view and repository."""

    schema = LIST
    noun = ("view", "views")
    empty_text: ClassVar[str] = "There is nothing yet: x offers to fetch, or see `ciexplore perf dataset update`."

    def __init__(self, locator: DatasetViews, http: Http | None = None, url: str = "") -> None:
        super().__init__(locator)
        self._meant = locator
        self._http, self._url = http, url

    @property
    def title(self) -> str:
        return f"dataset {Path(self._meant.store).name}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        if not (Path(self._meant.store).expanduser() / LEDGER).is_file():
            yield Page(LIST.empty(), Freshness(), total=0)
            return
        with Store(Path(self._meant.store)) as store:
            named = self._meant.repository
            for repository in store.repositories():
                if named not in ("", repository):
                    continue
                cancel.check()
                with store.reading():
                    frame, note = _listed(store, repository), _note(store, repository)
                yield Page(frame, Freshness(), note=note)

    def open(self, row: Row) -> Locator | None:
        return DatasetView(self._meant.store, str(row["view"]), str(row["repository"]))

    def detail(self, row: Row) -> Detail:
        return Detail(str(row["view"]), ((str(row["about"]), told(row, LIST, LIST.names[2:])),))

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        repository = str(row["repository"]) if row else self._meant.repository or "autoland"
        if self._http is None:
            return []
        found = fetching(Path(self._meant.store), repository, self._http, self._url)
        there = (Path(self._meant.store).expanduser() / LEDGER).is_file()
        return [*found, *([repairing(Path(self._meant.store))] if there else [])]


def _listed(store: Store, repository: str) -> pl.DataFrame:
    """Rows of `LIST`: how many rows of its main table a view is made from, and which span of pushes they cover."""
    spans = {
        "pushes": ("push_ts", None),
        "pairs": ("push_ts", None),
        "alert_summaries": ("push_ts", None),
        "jobs": ("submit_timestamp", None),
    }
    counts, times = dict[str, int](), dict[str, tuple[int | None, int | None]]()
    for name in TABLES:
        counts[name] = store.count(name, repository)
        if name in spans:
            column = pl.col(spans[name][0])
            low, high = (
                store.scan(name, repository).select(column.min().alias("a"), column.max().alias("b")).collect().row(0)
            )
            times[name] = (low and low * 1000, high and high * 1000)
    failures = sum(one[0] == repository for one in store.ledger.failures())
    rows = []
    for one in VIEWS.values():
        table = one.needs[-1] if one.needs[-1:] == ("jobs",) else one.needs[0] if one.needs else ""
        missing = [name for name in one.needs if not counts[name]]
        words = f"{failures:,} failed" if not one.needs and failures else ", ".join(f"no {name}" for name in missing)
        rows.append((f"{one.name}/{repository}", one.name, counts.get(table), one.about, repository,
                     *times.get(table, (None, None)), words))  # fmt: skip
    return LIST.frame(rows)


def _note(store: Store, repository: str) -> str:
    found = job_horizon(Dataset(store, repository)).row(0, named=True)
    if found["first"] is None:
        return ""
    if found["since"] is None:
        return "No job of these values is known any more: there are no groups, durations or waits."
    if found["since"] > found["first"]:
        return (
            f"Before {found['since']:%Y-%m-%d} only values are known: their jobs had expired (after 120 days) when "
            "they were first fetched."
        )
    return ""


class DatasetRows(Resource):
    """One view of a store."""

    noun = ("row", "rows")
    schema: Schema  # type: ignore[misc]
    empty_text: ClassVar[str] = "The dataset has nothing of this yet; the view `coverage` tells what was asked for."

    def __init__(self, locator: DatasetView) -> None:
        super().__init__(locator)
        self._meant = locator
        self._repository = ""  # known once the store has been opened
        self._view = view(locator.view)
        self.schema = self._view.schema
        self.noun = self._view.noun  # type: ignore[misc]

    @property
    def title(self) -> str:
        return self._view.about

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        with Store(Path(self._meant.store)) as store:
            dataset = Dataset(store, store.only_repository(self._meant.repository or None))
            self._repository = dataset.repository
            cancel.check()
            with store.reading():
                frame, note = self._view.build(dataset), view_note(dataset, self._view.needs)
            yield Page(frame, Freshness(), total=len(frame), note=note)

    def open(self, row: Row) -> Locator | None:
        """Where the row came from: an alert summary, a push, a task, the series of a signature or of a group."""
        return _source(row, self._meant.repository or self._repository)

    def detail(self, row: Row) -> Detail:
        """All that the row has: at 80 columns most of it is out of sight, and lists of ids are hidden."""
        name = "position" if "position" in self._names else self._names[0]
        return Detail(f"{self.noun[0]} {row[name]}", ((self.title, told(row, self.schema, self._names)),))

    @property
    def _names(self) -> list[str]:
        return [name for name in self.schema.names if name != "key"]


def _source(row: Row, repository: str) -> Locator | None:
    summary, task, push = row.get("summary"), row.get("task"), row.get("push")
    if summary:
        return AlertSummary(int(summary))
    if task and SLUGID.fullmatch(task):
        return Task(task)
    if not repository:
        return None
    if push:
        return PushJobs(repository, int(push))
    ids = str(row.get("signature") or row.get("signatures") or "").split()[:SERIES_AT_ONCE]
    if (ids and "group_id" in row) or row.get("signature"):
        return Series(tuple(SeriesRef(repository, one) for one in ids))
    revision = str(row.get("revision") or "")
    return PushOf(repository, revision) if len(revision) == 40 else None


def view_note(dataset: Dataset, needs: tuple[str, ...]) -> str:
    """What must be known about a view's numbers, in sentences: which part of the time and of the jobs they cover."""
    missing = [name for name in needs if not dataset.store.count(name, dataset.repository)]
    if missing:
        return f"The dataset holds no {' and no '.join(missing)} of {dataset.repository}."
    if not dataset.options.window.is_open:
        empty = [name for name in needs if not dataset.table(name).select(pl.len()).collect(engine="streaming").item()]
        if empty:
            told = " and no ".join(name.replace("_", " ") for name in empty)
            return f"The dataset holds no {told} of these days; `show` without VIEW lists what it covers."
    notes = [_details_note(dataset)] if "jobs" in needs else []
    if "pairs" in needs:
        notes.append(_note(dataset.store, dataset.repository))
    return " ".join(filter(None, notes))


def _details_note(dataset: Dataset) -> str:
    every = dataset.shared.rows.filter(pl.col("job_id").is_not_null()).select("job_id").unique()
    known = dataset.table("jobs").filter(pl.col("state") != EXPIRED).select("job_id")
    total = every.select(pl.len()).collect(engine="streaming").item()
    detailed = every.join(known, on="job_id", how="semi").select(pl.len()).collect(engine="streaming").item()
    if detailed == total:
        return ""
    return f"A sample: {detailed:,} of {total:,} jobs (`update --jobs all` asks for all)."
