"""Datasets in the app: the list of a dataset's views, each view as a list, and the menus that open and fill one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import polars as pl

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.frames.formats import format_single
from backends.frames.schema import Column, Kind, Schema
from backends.http.response import Freshness
from backends.listings import Listing
from backends.locators import InvalidLocatorError, Locator
from backends.locators.pasted import PastedText
from backends.paths import expand_home, is_file
from backends.resources import LIST, Action, Detail, Entry, Page, Question, Row
from backends.taskcluster.locators import SLUGID, Task
from backends.treeherder.datasets.dataset import Dataset
from backends.treeherder.datasets.locators import DatasetLocator, DatasetView, DatasetViews, parse_dataset
from backends.treeherder.datasets.store import DAY, FETCH_LOG, DatasetStore, check_repository, repair
from backends.treeherder.datasets.tables import EXPIRED, TABLES
from backends.treeherder.datasets.views import VIEWS, build_frame, find_view
from backends.treeherder.locators import AlertSummary, PushJobs, PushOf, Series, SeriesRef

if TYPE_CHECKING:
    from backends.http import Http

SERIES_PER_GRAPH = 8  # of a group: as many as a graph can tell apart
MENU_DAYS = (30, 120)  # 120: as long as Treeherder keeps jobs
MENU_RATE = 8.0  # requests a second
VIEW_LIST = Schema(
    (
        Column("view", Kind.TEXT, "View"),
        Column("rows", Kind.COUNT, "Stored rows"),
        Column("about", Kind.TEXT, "Shows", width=38, section="View"),
        Column("repository", Kind.TEXT, "Repository", section="View"),
        Column("since", Kind.TIME, "Since", section="View"),
        Column("until", Kind.TIME, "Until", section="View"),
        Column("missing", Kind.TEXT, "Missing", section="View"),
    ),
    key="key",
)


@dataclass(frozen=True)
class DatasetContext:
    """The server from which a dataset's menu fetches; the context of Treeherder's other lists has the same fields."""

    http: Http
    base: str


class DatasetList(Listing):
    """The views of a store: one row per view and repository. Without a context its menu is empty."""

    schema = VIEW_LIST
    noun = ("view", "views")
    empty_text: ClassVar[str] = "Still empty: x offers to fetch, or see `ciexplore treeherder dataset update`."

    def __init__(self, locator: DatasetViews, context: DatasetContext | None = None) -> None:
        super().__init__(locator)
        self._path, self._repository = expand_home(locator.store), locator.repository
        self._store_text = locator.store
        self._context = context

    @property
    def title(self) -> str:
        return f"dataset {Path(self._store_text).name}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        if not is_file(self._path / FETCH_LOG):
            yield Page(VIEW_LIST.empty(), Freshness(), total=0)
            return
        with DatasetStore(self._path) as store:
            for repository in store.repositories():
                if self._repository not in ("", repository):
                    continue
                cancel.check()
                with store.reading():
                    frame, note = _list_views(store, repository), _horizon_note(Dataset(store, repository))
                yield Page(frame, Freshness(), note=note)

    def open(self, row: Row) -> Locator | None:
        return DatasetView(self._store_text, str(row["view"]), str(row["repository"]))

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        if self._context is None:
            return []
        repository = str(row["repository"]) if row else self._repository or "autoland"
        entries: list[Entry] = [self._fetch_action(repository, self._context, days) for days in MENU_DAYS]
        return [*entries, self._repair_action()] if is_file(self._path / FETCH_LOG) else entries

    def _fetch_action(self, repository: str, context: DatasetContext, days: int) -> Action:
        def run(cancel: CancelToken, progress: Callable[[str], None]) -> str:
            from backends.treeherder.datasets.client import DatasetClient, RateLimiter
            from backends.treeherder.datasets.fetch_log import now
            from backends.treeherder.datasets.update import update_dataset
            from backends.treeherder.datasets.update_plan import UpdateOptions

            options = UpdateOptions(check_repository(repository), now() - days * DAY, now())
            client = DatasetClient(context.http, context.base, repository, RateLimiter(MENU_RATE))
            report = update_dataset(self._path, client, options, cancel=cancel, progress=progress)
            failed = f" {len(report.failures):,} failed; the view `coverage` says why." if report.failures else ""
            return " ".join([report.sentence + failed, *report.notes])

        question = f"Fetch the performance data of the last {days} days from {context.base} into {self._path}?"
        letter = "f" if days == MENU_DAYS[0] else "F"
        return Action(f"Fetch the last {days} days of {repository}", run, question, letter=letter, group=LIST)

    def _repair_action(self) -> Action:
        def run(cancel: CancelToken, progress: Callable[[str], None]) -> str:
            progress("reading every file of the dataset")
            files = repair(self._path, cancel)
            if not files:
                return "No file of the dataset is damaged."
            named = ", ".join(file.name for file in files[:3])
            more = f" and {len(files) - 3:,} more" if len(files) > 3 else ""
            return f"{named}{more} set aside; fetch from this menu to restore what they held."

        question = f"Check every file of {self._path}, and set damaged ones aside, to be fetched again?"
        return Action("Set damaged files aside", run, question, letter="r", group=LIST)


def _list_views(store: DatasetStore, repository: str) -> pl.DataFrame:
    """Rows of `VIEW_LIST`: how many rows of its main table a view is calculated from, and the time they cover."""
    counts = {name: store.count(name, repository) for name in TABLES}
    times = dict.fromkeys(("pushes", "pairs", "alert_summaries"), "push_ts") | {"jobs": "submit_timestamp"}
    spans = {
        name: store.scan(name, repository)
        .select(pl.col(column).min().alias("since"), pl.col(column).max().alias("until"))
        .collect()
        .row(0, named=True)
        for name, column in times.items()
    }
    failures = sum(failure[0] == repository for failure in store.log.failures())
    rows = []
    for view in VIEWS.values():
        table = "jobs" if "jobs" in view.needs else next(iter(view.needs), "")
        missing = ", ".join(f"no {name}" for name in view.needs if not counts[name])
        rows.append(
            {
                "key": f"{view.name}/{repository}",
                "view": view.name,
                "rows": counts.get(table),
                "about": view.about,
                "repository": repository,
                **spans.get(table, {}),
                "missing": f"{failures:,} failed" if not view.needs and failures else missing,
            }
        )
    return build_frame(rows, VIEW_LIST)


class DatasetRows(Listing):
    """One view of a store."""

    noun = ("row", "rows")
    schema: Schema  # type: ignore[misc]
    empty_text: ClassVar[str] = "The dataset has no rows for this view; the view `coverage` lists what was fetched."

    def __init__(self, locator: DatasetView, context: object = None) -> None:
        super().__init__(locator)
        self._path, self._repository = Path(locator.store), locator.repository
        self._view = find_view(locator.view)
        self.schema = self._view.schema
        self.noun = self._view.noun  # type: ignore[misc]

    @property
    def title(self) -> str:
        return self._view.about

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        with DatasetStore(self._path) as store:
            dataset = Dataset(store, store.only_repository(self._repository or None))
            self._repository = dataset.repository
            cancel.check()
            with store.reading():
                frame, note = self._view.build(dataset), view_note(dataset, self._view.needs)
            yield Page(frame, Freshness(), total=len(frame), note=note)

    def open(self, row: Row) -> Locator | None:
        """Where the row comes from: an alert summary, a push, a task, the series of a signature or of a group."""
        if row.get("summary"):
            return AlertSummary(int(row["summary"]))
        if row.get("task") and SLUGID.fullmatch(row["task"]):
            return Task(row["task"])
        if not self._repository:
            return None
        if row.get("push"):
            return PushJobs(self._repository, int(row["push"]))
        ids = str(row.get("signature") or row.get("signatures") or "").split()[:SERIES_PER_GRAPH]
        if (ids and "group_id" in row) or row.get("signature"):
            return Series(tuple(SeriesRef(self._repository, number) for number in ids))
        revision = str(row.get("revision") or "")
        return PushOf(self._repository, revision) if len(revision) == 40 else None

    def detail(self, row: Row) -> Detail:
        """All cells of the row: at 80 columns most are out of sight, and lists of ids are hidden."""
        name = "position" if "position" in self.schema else self.schema.columns[0].name
        cells = ((column, row.get(column.name)) for column in self.schema)
        texts = ((column.label, format_single(value, column)) for column, value in cells if value not in (None, ""))
        return Detail(f"{self.noun[0]} {row[name]}", ((self.title, tuple(texts)),))


def view_note(dataset: Dataset, needs: tuple[str, ...]) -> str:
    """Which part of the time and of the jobs a view's numbers cover, in sentences; "" for all."""
    missing = [name for name in needs if not dataset.store.count(name, dataset.repository)]
    if missing:
        return f"The dataset has no {' and no '.join(missing)} of {dataset.repository}."
    if not dataset.options.window.is_open:
        empty = [name for name in needs if dataset.table(name).head(1).collect().is_empty()]
        if empty:
            names = " and no ".join(name.replace("_", " ") for name in empty)
            return f"The dataset has no {names} of these days; `show` without VIEW lists what it covers."
    notes = [_sample_note(dataset)] if "jobs" in needs else []
    if "pairs" in needs:
        notes.append(_horizon_note(dataset))
    return " ".join(filter(None, notes))


def _sample_note(dataset: Dataset) -> str:
    every = dataset.shared.rows.filter(pl.col("job_id").is_not_null()).select("job_id").unique()
    known = dataset.table("jobs").filter(pl.col("state") != EXPIRED).select("job_id")
    total = every.select(pl.len()).collect(engine="streaming").item()
    detailed = every.join(known, on="job_id", how="semi").select(pl.len()).collect(engine="streaming").item()
    if detailed == total:
        return ""
    return f"A sample: {detailed:,} of {total:,} jobs (`update --jobs all` fetches all)."


def _horizon_note(dataset: Dataset) -> str:
    """Treeherder deletes jobs after 120 days: before, only values are known, without jobs, groups or waits."""
    pushed, known = pl.col("push_ts"), pl.col("job_id").is_not_null()
    rows = dataset.store.scan("pairs", dataset.repository)
    first, with_job = rows.select(
        pl.from_epoch(pushed.min()).alias("first"), pl.from_epoch(pushed.filter(known).min()).alias("with_job")
    ).collect().row(0)  # fmt: skip
    if first is None:
        return ""
    if with_job is None:
        return "No job of these values is known any more: there are no groups, durations or waits."
    if with_job > first:
        return (
            f"Before {with_job:%Y-%m-%d} only values are known: their jobs had expired (after 120 days) when "
            "they were first fetched."
        )
    return ""


def dataset_question(repository: str, last: str) -> Question:
    """The menu entry that opens a dataset, of one repository or ("") of all; `last`: the directory to suggest."""

    def open_dataset(text: str) -> DatasetViews:
        if not text.strip() or "\0" in text:
            raise UsageError("Name a directory.", "One that does not exist yet can be filled from its menu.")
        return DatasetViews(str(expand_home(text.strip()).absolute()), repository)

    label = f"Dataset of {repository}…" if repository else "A dataset on this machine…"
    hint = "Its directory (a new one can be filled from there)"
    return Question(label, hint, open_dataset, last, letter="d", group=LIST)


def last_dataset(state: Path) -> str:
    """The directory of the dataset that the app showed last, from its history in that directory; "" for none."""
    try:
        history = json.loads((state / "history.json").read_text("utf-8"))
        visits = sorted(((float(visit["at"]), str(visit["text"])) for visit in history), reverse=True)
    except (OSError, ValueError, TypeError, KeyError):
        return ""
    for _, text in visits:
        try:
            locator = parse_dataset(PastedText(text))
        except InvalidLocatorError:
            continue
        if isinstance(locator, DatasetLocator):
            return str(locator.store)  # type: ignore[attr-defined]
    return ""
