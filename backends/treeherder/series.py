"""Values over time of up to six signatures: points, then what is known about them (alerts, candidates, tasks)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import polars as pl

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.frames.formats import format_value
from backends.http.errors import HttpError
from backends.http.response import Freshness
from backends.locators.perfherder import (
    AlertSummaries,
    AlertSummary,
    Compare,
    ComparedValues,
    PushJobs,
    Series,
    SeriesRef,
    Side,
)
from backends.locators.perfherder_pages import graph_url
from backends.resources import Chart, Detail, Entry, Link, LogAddress, Page, Row
from backends.taskcluster.locators import Task, TaskMeasurements
from backends.treeherder.answers import Rows
from backends.treeherder.asking import NoSuchThing
from backends.treeherder.client import AlertFilters
from backends.treeherder.listed import (
    INTERVAL,
    TreeherderList,
    Where,
    epoch,
    group_of,
    log_of,
    need,
    task_ids,
    task_of,
    told,
)
from backends.treeherder.parallel import answers
from backends.treeherder.series_rows import (
    ONE_SERIES,
    SERIES,
    AlertMark,
    labels,
    noise_percent,
    point_frame,
    with_alerts,
    with_candidates,
    with_tasks,
)
from backends.treeherder.signatures import DAYS, MOST_SERIES
from backends.treeherder.structs import Summary

ALERT_PAGES = 3  # of 100 summaries: a series has had dozens of alerts in three years, not hundreds
AROUND = 14 * 86400


@dataclass(frozen=True)
class _Read:
    ref: SeriesRef
    summary: Summary
    rows: Rows


class SeriesPoints(TreeherderList):
    """One row a value, in the order of pushes. Enter: the task that measured it, else the jobs of its push."""

    schema = SERIES
    noun = ("point", "points")
    empty_text = "Nothing was measured in this period; x offers longer ones."
    chart = Chart(x="push_time", y="value", by="series", marks="alert")
    locator: Series

    def __init__(self, locator: Series, where: Where) -> None:
        super().__init__(locator, where)
        self._roots: dict[str, str] = {}  # repository -> Taskcluster deployment; known once read
        self._name = ""
        self._frameworks: dict[SeriesRef, str] = {}  # known once read
        self._values: tuple[float, float] | None = None  # the lowest and the highest

    @property
    def title(self) -> str:
        several = len(self.locator.series)
        return self._name or ("a series" if several == 1 else f"{several} series")

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """A page of points a series; then the same rows again, with candidates, alerts and tasks."""
        reads = self._read(cancel)
        known = [one for one in reads if one.summary.signature_id is not None]
        self._frameworks = {one.ref: str(one.summary.framework_id or one.ref.framework) for one in known}
        measured = pl.concat([pl.Series(dtype=pl.Float64), *(one.rows.frame["value"].drop_nulls() for one in known)])
        self._values = None if measured.is_empty() else (float(measured.min()), float(measured.max()))  # type: ignore[arg-type]
        names = labels([(one.ref.repository, one.summary) for one in known])
        self._name = names[0] if len(names) == 1 else ""
        note = self._note(known)
        framed: list[tuple[_Read, pl.DataFrame]] = []
        for one, name in zip(known, names, strict=True):
            points = point_frame(one.rows.frame, one.summary, one.ref.repository, name)
            framed.append((one, points))
            yield Page(points, one.rows.origin, note=note)
        asked = answers(lambda place, own: self._marked(*framed[place], note, own), range(len(framed)), cancel)
        yield from dict(sorted(asked)).values()  # in the order of the series, whichever is answered first

    def _read(self, cancel: CancelToken) -> list[_Read]:
        wanted = self.locator.series[:MOST_SERIES]
        found = dict(answers(self._ask, list(dict.fromkeys(wanted)), cancel))
        reads = [found[ref] for ref in dict.fromkeys(wanted)]
        missing = [one.ref for one in reads if one.summary.signature_id is None]
        if missing and len(missing) == len(reads):
            raise NoSuchThing(
                f"The repository {missing[0].repository} has no signature {missing[0].signature}.",
                "Signatures are found by their id, in the repository that they belong to.",
            )
        return reads

    def _ask(self, ref: SeriesRef, cancel: CancelToken) -> _Read:
        at = self.locator
        number = self._number(ref, cancel)
        if number is None:
            return _Read(ref, Summary(), Rows(SERIES.empty()))
        summary, rows = self.treeherder.series(
            ref.repository,
            number,
            interval=at.interval or INTERVAL if at.start is None else None,
            start=moment(at.start),
            end=moment(at.end),
            replicates=at.replicates,
            cancel=cancel,
        )
        self._roots[ref.repository] = self.root_of(ref.repository, cancel)
        return _Read(ref, summary or Summary(), rows)

    def _number(self, ref: SeriesRef, cancel: CancelToken) -> int | None:
        """Of a hash the id, which alone the endpoint of alerts knows."""
        if len(ref.signature) < 40:
            return int(ref.signature)
        frame = self.treeherder.signatures(ref.repository, hashes=(ref.signature,), cancel=cancel).frame
        return None if frame.is_empty() else max(map(int, frame["signature_id"]))

    def _marked(self, one: _Read, points: pl.DataFrame, note: str, cancel: CancelToken) -> Page:
        """What could not be asked about is said and leaves the points as they are."""
        origin, notes = one.rows.origin, [note]
        marked = with_candidates(points, one.summary) if not self.locator.replicates else points
        try:
            marks, told_by = self._alert_marks(int(one.summary.signature_id or 0), cancel)
            marked, origin = with_alerts(marked, marks), origin.worse(told_by)
        except HttpError as problem:
            notes.append(f"Alerts are not marked: {problem.sentence}")
        try:
            jobs = points["job_id"].drop_nulls().unique().to_list()
            marked = with_tasks(marked, self.treeherder.tasks_of_jobs(map(int, jobs), cancel) if jobs else {})
        except HttpError as problem:
            notes.append(f"Tasks are not known: {problem.sentence}")
        return Page(marked, origin, note=" ".join(part for part in notes if part))

    def _alert_marks(self, signature: int, cancel: CancelToken) -> tuple[list[AlertMark], Freshness]:
        marks: list[AlertMark] = []
        origin = Freshness()
        for monitored in (False, True):  # the server gives sheriffed summaries or monitored ones, never both
            filters = AlertFilters(signature=signature, monitored=monitored)
            for number, page in enumerate(self.treeherder.alert_summaries(filters, cancel)):
                pushes = dict(page.summaries.select("summary_id", "push_id").iter_rows())
                own = page.alerts.filter(pl.col("signature_id") == str(signature))
                for row in own.iter_rows(named=True):
                    push = pushes.get(row["summary_id"]) or pushes.get(row["listed_in"])
                    if push is not None:
                        marks.append(AlertMark(push, row["listed_in"], _words(row)))
                origin = origin.worse(page.origin)
                if number + 1 >= ALERT_PAGES:
                    break
        return marks, origin

    def _note(self, known: list[_Read]) -> str:
        notes = [one.rows.note for one in known if one.rows.note][:1]
        lacking = [ref.signature for ref in self.locator.series[:MOST_SERIES] if ref not in {one.ref for one in known}]
        if lacking:
            notes.append(f"Not found in their repository: {', '.join(lacking)}.")
        more = len(self.locator.series) - MOST_SERIES
        if more > 0:
            notes.append(f"Only the first {MOST_SERIES} series are read; {more} more were named.")
        expired = sum(int(one.rows.frame["job_id"].null_count()) for one in known)
        if expired:
            notes.append(f"The jobs of {expired:,} points have expired (they are kept for 120 days).")
        return " ".join(notes)

    def open(self, row: Row) -> Task | PushJobs | None:
        task = task_of(row, self._roots.get(str(row.get("repository")), ""))
        if task is not None:
            return task
        return self._push(row)

    def _push(self, row: Row) -> PushJobs | None:
        push = row.get("push_id")
        return (
            None
            if push is None
            else PushJobs(str(row["repository"]), int(push), self.server, str(row.get("revision") or ""))
        )

    def measurements(self, rows: pl.DataFrame) -> TaskMeasurements | None:
        """Of points of one repository: its tasks are of one deployment."""
        repositories = rows["repository"].unique().to_list()
        ids = task_ids(rows)
        return TaskMeasurements(ids, self._roots.get(repositories[0], "")) if ids and len(repositories) == 1 else None

    def log(self, row: Row) -> LogAddress | None:
        return log_of(row, self._roots.get(str(row.get("repository")), ""))

    def compare(self, rows: pl.DataFrame) -> Compare | ComparedValues:
        """Of points of two pushes: all that the framework measured on them. Of points of two series: the values of both
        between the first and the last point that is marked of each."""
        series = rows["signature_id"].unique(maintain_order=True).to_list()
        if len(series) == 2 and len(rows) > 2:
            base, new = (self._window(rows.filter(pl.col("signature_id") == one)) for one in series)
            return ComparedValues(base, new, self.locator.replicates, self.server)
        need(rows, 2, "points of two pushes, or several points of each of two series")
        before, after = rows.sort("push_time").iter_rows(named=True)
        if before["revision"] == after["revision"] or not before["revision"] or not after["revision"]:
            raise UsageError("Both points are of the same push.", "Mark points of two pushes.")
        return Compare(
            before["repository"], before["revision"], after["repository"], after["revision"],
            str(after["framework_id"] or ""), server=self.server,
        )  # fmt: skip

    def _window(self, rows: pl.DataFrame) -> Side:
        row = rows.row(0, named=True)
        ref = SeriesRef(str(row["repository"]), str(row["signature_id"]))
        return Side(ref, start=epoch(rows["push_time"].min()), end=epoch(rows["push_time"].max()))

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        found: list[Entry] = []
        if row is not None:
            found += self._of_point(row)
        at = self.locator
        words = "One value a run, without replicates" if at.replicates else "All replicates"
        found.append(Link(words, replace(at, replicates=not at.replicates)))
        longer = [days for days in DAYS if at.start is not None or days * 86400 != (at.interval or INTERVAL)]
        found += [
            Link(
                f"The last {days} {'day' if days == 1 else 'days'}",
                replace(at, interval=days * 86400, start=None, end=None),
            )
            for days in longer
        ]
        return found

    def _of_point(self, row: Row) -> list[Entry]:
        found: list[Entry] = []
        repository, revision = str(row["repository"]), str(row.get("revision") or "")
        if row.get("alert_summary") is not None:
            summary = int(row["alert_summary"])
            found.append(Link(f"Alert summary {summary}", AlertSummary(summary, self.server)))
        push = self._push(row)
        if push is not None:
            found.append(Link("The jobs of its push", push))
        if revision:
            found.append(Link("The task group of its push", group_of(repository, revision)))
            found.append(Link("Its push in the browser", self.jobs_url(repository, revision)))
        when = epoch(row.get("push_time"))
        if when is not None:
            ref = SeriesRef(repository, str(row["signature_id"]))
            sides = Side(ref, start=when - AROUND, end=when - 1), Side(ref, start=when, end=when + AROUND)
            values = ComparedValues(*sides, replicates=self.locator.replicates, server=self.server)
            found.append(Link("Compare the two weeks before this push with those from it on", values))
        alerts = AlertSummaries(repository, signature=int(row["signature_id"]), server=self.server)
        found.append(Link("All alerts on this series", alerts))
        return found

    def detail(self, row: Row) -> Detail:
        names = [name for name in SERIES.names if name not in ("series", "framework_id", "alert_summary")]
        return Detail(str(row["series"]), (("Point", told(row, SERIES, names)),))

    def web_url(self, row: Row | None = None) -> str:
        if row is not None and row.get("revision"):
            return self.jobs_url(
                str(row["repository"]), str(row["revision"]), str(row.get("task_id") or ""), row["run"]
            )
        at = self.locator
        refs = tuple(replace(ref, framework=self._frameworks.get(ref, ref.framework)) for ref in at.series)
        return graph_url(self.treeherder.base, replace(at, series=refs), values=self._values)

    def summary(self, frame: pl.DataFrame) -> str:
        """ "2 alerts · 1 candidate · median 812 ms, noise 1.9 %": the counts first, 80 cells hold little more."""
        parts = []
        for column, word in (("alert", "alert"), ("candidate", "candidate")):
            number = frame.filter(pl.col(column).is_not_null()).select("signature_id", "push_id").n_unique()
            parts += [f"{number} {word}{'' if number == 1 else 's'}"] if number else []
        for one in frame.partition_by("series", maintain_order=True)[:MOST_SERIES]:
            median, noise = format_value(one["value"].median(), SERIES["value"]), noise_percent(one)
            words = f"median {median} {one['unit'][0] or ''}".rstrip() + (f", noise {noise:.1f} %" if noise else "")
            parts.append(words if frame["series"].n_unique() == 1 else f"{_short(one['series'][0])}: {words}")
        return " · ".join(parts)


def _short(name: str) -> str:
    """Without its middle: what tells the series of a suite apart stands at the end."""
    return name if len(name) <= 28 else f"{name[:8]}…{name[-19:]}"


class OneSeries(SeriesPoints):
    """The same of a single series."""

    schema = ONE_SERIES


def _words(row: Row) -> str:
    """ "288 regression +31.8 %"."""
    percent = "" if row["percent"] is None else f" {row['percent']:+.1f} %"
    return f"{row['listed_in']} {row['change'] or 'alert'}{percent}"


def moment(seconds: int | None) -> datetime | None:
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"{seconds} is no moment in seconds since 1970.") from None
