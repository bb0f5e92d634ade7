"""Values over time of up to six signatures: points, then what is known about them (alerts, candidates, tasks)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import polars as pl

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.frames.formats import format_value
from backends.frames.getters import iso_time
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import HttpError
from backends.http.response import Freshness
from backends.resources import LIST, PUSH, Chart, Entry, Link, LogAddress, Page, Row, digit_key
from backends.taskcluster.locators import PushGroup, Task, TaskMeasurements
from backends.treeherder.alerts import describe_change, signed_percent
from backends.treeherder.api import Result, UnknownItemError
from backends.treeherder.base import (
    Context,
    TreeherderList,
    as_number,
    epoch_of,
    id_column,
    log_of,
    map_in_parallel,
    require_marked,
    select_schema,
    task_ids,
    task_of,
    time_of,
    with_layout,
    with_sections,
)
from backends.treeherder.detection import ALERT_PERCENT, Candidate, find_candidates_by_push
from backends.treeherder.locators import (
    INTERVAL,
    AlertSummaries,
    AlertSummary,
    Compare,
    ComparedValues,
    PushJobs,
    Series,
    SeriesRef,
    Side,
)
from backends.treeherder.models import SeriesSummary, SeriesValue
from backends.treeherder.signatures import MOST_SERIES
from backends.treeherder.web_urls import graph_url

ALERT_PAGES = 3  # of 100 summaries: a series has had dozens of alerts in three years, not hundreds
AROUND = 14 * 86400
DAYS = (1, 7, 14, 30, 60, 90, 365)
# A median absolute deviation times this estimates a normal distribution's standard deviation (1 / 0.6745); the
# difference of two independent values spreads by sqrt(2) more than one.
_OF_NORMAL = 1.4826
_OF_DIFFERENCE = 2**0.5


class _Datum(msgspec.Struct, gc=False):
    """A value of a signature. `replicate`: its number among those of one run, None without replicates."""

    measured: SeriesValue
    signature_id: int
    replicate: int | None

    def key(self) -> str:
        number = "" if self.replicate is None else f"/{self.replicate}"
        return f"{self.signature_id}/{self.measured.id}{number}"


# The values of one signature in full.
DATA = Schema(
    (
        Column("push_time", Kind.TIME, "Pushed", get=iso_time("measured.push_timestamp")),
        Column("value", Kind.NUMBER, "Value", get="measured.value"),
        Column("revision", Kind.ID, "Revision", get="measured.revision"),
        id_column("push_id", "Push", get="measured.push_id"),
        id_column("job_id", "Job", get="measured.job_id"),
        id_column("datum_id", "Datum", get="measured.id"),
        id_column("signature_id", "Signature", get="signature_id"),
        Column("submit_time", Kind.TIME, "Submitted", get=iso_time("measured.submit_time")),
        Column("machine", Kind.TEXT, "Machine", get="measured.machine_name"),
        Column("replicate", Kind.COUNT, "Replicate", get="replicate"),
    ),
    key="key",
    key_get=_Datum.key,
)

# DATA with what a person wants to know of each point: the change, the alert, the candidate, the task.
SERIES = Schema(
    (
        Column("push_time", Kind.TIME, "Pushed"),
        Column("series", Kind.TEXT, "Series", width=26, keeps_end=True),
        Column("value", Kind.NUMBER, "Value"),
        Column("unit", Kind.TEXT, "Unit"),
        Column("delta_percent", Kind.NUMBER, "Δ %"),
        Column("alert", Kind.TEXT, "Alert", width=26),
        Column("candidate", Kind.TEXT, "Change-point candidate"),
        Column("delta", Kind.NUMBER, "Δ"),
        Column("revision", Kind.ID, "Revision", width=12),
        Column("retrigger", Kind.COUNT, "Run of push"),
        Column("task_id", Kind.ID, "Task"),
        Column("run", Kind.COUNT, "Run"),
        id_column("job_id", "Job"),
        Column("machine", Kind.TEXT, "Machine"),
        Column("submit_time", Kind.TIME, "Submitted"),
        id_column("push_id", "Push"),
        Column("better", Kind.TEXT, "Better"),
        Column("repository", Kind.TEXT, "Repository"),
        Column("replicate", Kind.COUNT, "Replicate", hidden=True),
        id_column("datum_id", "Datum", hidden=True),
        id_column("signature_id", "Signature", hidden=True),
        id_column("framework_id", "Framework id", hidden=True),
        id_column("alert_summary", "Alert summary", hidden=True),
    ),
    key="key",
)
SERIES = with_sections(
    SERIES, {"Point": [name for name in SERIES.names if name not in ("series", "framework_id", "alert_summary")]}
)
ONE_SERIES = with_layout(SERIES, hidden=("series",))  # which the title names


@dataclass(frozen=True)
class AlertMark:
    """An alert on a series: at which push, of which summary, in words."""

    push_id: str
    summary_id: str
    words: str


def data_frame(values: Sequence[SeriesValue], signature_id: int, *, replicates: bool = False) -> pl.DataFrame:
    """Rows of `DATA`, in the order of pushes: the endpoint has none.

    With `replicates` the rows of one datum share its id; `replicate` numbers them from 1 in the order of arrival.
    """
    rows: list[_Datum] = []
    count: dict[int, int] = {}
    for value in values:
        if value.id is not None and value.value is not None:
            count[value.id] = number = count.get(value.id, 0) + 1
            rows.append(_Datum(value, signature_id, number if replicates else None))
    return DATA.build(rows).sort(
        "push_time", as_number("push_id"), as_number("datum_id"), "replicate", nulls_last=False
    )


def label_series(summaries: Sequence[tuple[str, SeriesSummary]]) -> list[str]:
    """A name for each series (repository, signature): suite and test, then only what tells it from the others.

    Of a single one that is its platform; of several, in this order: the platforms, the options that not all of them
    have, the repositories, the applications, and if nothing else differs the ids.
    """
    several = [one for _, one in summaries]
    options = [(one.name or "").split() for one in several]
    shared = set(options[0]).intersection(*options[1:]) if options else set()
    columns = [
        [one.platform or "" for one in several],
        [
            " ".join(word for word in words if word not in shared | {one.suite, one.test})
            for words, one in zip(options, several, strict=True)
        ],
        [repository for repository, _ in summaries],
        [one.application or "" for one in several],
    ]  # fmt: skip
    names = [" ".join(dict.fromkeys(part for part in (one.suite, one.test) if part)) for one in several]
    for column in columns if len(several) > 1 else columns[:1]:
        if len(set(column)) > 1 or len(several) == 1:
            names = [f"{name} {part}".strip() for name, part in zip(names, column, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{name} {one.signature_id}".strip() for name, one in zip(names, several, strict=True)]
    return [name or str(one.signature_id) for name, one in zip(names, several, strict=True)]


def point_frame(data: pl.DataFrame, summary: SeriesSummary, repository: str, label: str) -> pl.DataFrame:
    """Rows of `SERIES` of one series (`data`: of `DATA`), without alerts, candidates and tasks.

    `delta`: to the mean of what the previous push with values measured, so that retriggers are compared with what came
    before their push and not with each other; `delta_percent` of that mean's size. `retrigger` numbers the values (or
    with replicates the runs) of a push.
    """
    pushes = (
        data.group_by("push_id", maintain_order=True)
        .agg(pl.col("value").mean().alias("_mean"))
        .with_columns(pl.col("_mean").shift(1).alias("_previous"))
        .select("push_id", "_previous")
    )
    delta = pl.col("value") - pl.col("_previous")
    points = data.join(pushes, on="push_id", how="left", nulls_equal=True, maintain_order="left").with_columns(
        pl.lit(label).alias("series"),
        pl.lit(summary.measurement_unit or None, pl.String).alias("unit"),
        delta.alias("delta"),
        pl.when(pl.col("_previous") != 0).then(100 * delta / pl.col("_previous").abs()).alias("delta_percent"),
        as_number("datum_id").rank("dense").over("push_id").cast(pl.Int64).alias("retrigger"),
        pl.lit("higher" if summary.lower_is_better is False else "lower").alias("better"),
        pl.lit(repository).alias("repository"),
        pl.lit(summary.framework_id, pl.Int64).cast(pl.String).alias("framework_id"),
    )
    return select_schema(points, SERIES)


def with_candidates(points: pl.DataFrame, summary: SeriesSummary) -> pl.DataFrame:
    """The column `candidate`, on all values of the push, as "t 9.3, +4.2 %"; by the signature's own threshold."""
    threshold = summary.alert_threshold if summary.alert_threshold else ALERT_PERCENT
    candidates = find_candidates_by_push(points, threshold=threshold, absolute=summary.alert_change_type == 1)
    return points.with_columns(
        _mapped("push_id", {push: _candidate_words(one) for push, one in candidates.items()}).alias("candidate")
    )


def _candidate_words(candidate: Candidate) -> str:
    return f"t {candidate.t:.1f}, {candidate.percent:+.1f} %"


def with_alerts(points: pl.DataFrame, marks: Sequence[AlertMark]) -> pl.DataFrame:
    """The columns `alert` and `alert_summary` on the values of the pushes that were alerted on."""
    return points.with_columns(
        _mapped("push_id", {mark.push_id: mark.words for mark in marks}).alias("alert"),
        _mapped("push_id", {mark.push_id: mark.summary_id for mark in marks}).alias("alert_summary"),
    )


def with_tasks(points: pl.DataFrame, tasks: Mapping[int, tuple[str, int]]) -> pl.DataFrame:
    """The columns `task_id` and `run`, by job."""
    return points.with_columns(
        _mapped("job_id", {str(job): task for job, (task, _) in tasks.items()}).alias("task_id"),
        _mapped("job_id", {str(job): run for job, (_, run) in tasks.items()}, pl.Int64()).alias("run"),
    )


def _mapped(column: str, values: Mapping[str, object], dtype: pl.DataType = pl.String()) -> pl.Expr:  # noqa: B008
    return pl.col(column).replace_strict(values, default=None, return_dtype=dtype)


def noise_percent(points: pl.DataFrame) -> float | None:
    """How much a series of one signature varies from push to push, in percent of its median, steps and drift left out.

    The spread of the differences between the means of consecutive pushes, by their median absolute deviation, over the
    square root of two. None with fewer than five pushes, or around a median of 0.
    """
    means = (
        points.sort("push_time", as_number("push_id"))
        .group_by("push_id", maintain_order=True)
        .agg(pl.col("value").mean())
    )
    steps = means["value"].diff().drop_nulls()
    middle, median = steps.median(), points["value"].median()
    if len(steps) < 4 or not isinstance(middle, float) or not isinstance(median, float) or median == 0:
        return None
    spread = (steps - middle).abs().median()
    return 100 * _OF_NORMAL * spread / _OF_DIFFERENCE / abs(median) if isinstance(spread, float) else None


@dataclass(frozen=True)
class SeriesRead:
    """What was read of a signature. `summary` has no id where its repository lacks it; `data`: rows of `DATA`."""

    ref: SeriesRef
    summary: SeriesSummary
    data: pl.DataFrame
    freshness: Freshness
    note: str


class MeasuredList(TreeherderList):
    """Base of lists with one row a measured value. Enter: the task that measured it, else the jobs of its push."""

    locator: Series | ComparedValues

    def __init__(self, locator: Series | ComparedValues, context: Context) -> None:
        super().__init__(locator, context)
        self._roots: dict[str, str] = {}  # repository -> Taskcluster deployment; known once read
        self._range: tuple[float, float] | None = None  # the lowest and the highest value; known once read

    def read_series(self, ref: SeriesRef, cancel: CancelToken, **period: Any) -> SeriesRead:
        """`period`: what `TreeherderClient.fetch_series` takes."""
        replicates = self.locator.replicates
        number = self.client.find_signature_id(ref.repository, ref.signature, cancel)
        found: Result[SeriesSummary] = Result([])
        if number is not None:
            found = self.client.fetch_series(ref.repository, number, replicates=replicates, cancel=cancel, **period)
        self._roots[ref.repository] = self.root_of(ref.repository, cancel)
        summary = found.items[0] if found.items else SeriesSummary()
        return SeriesRead(
            ref, summary, data_frame(summary.data, number or 0, replicates=replicates), found.freshness, found.note
        )

    def fetch_tasks(self, frame: pl.DataFrame, cancel: CancelToken) -> pl.DataFrame:
        """The rows with the tasks of their jobs."""
        jobs = frame["job_id"].drop_nulls().unique().to_list()
        return with_tasks(frame, self.client.fetch_tasks(map(int, jobs), cancel) if jobs else {})

    def root_of_row(self, row: Row) -> str:
        return self._roots.get(str(row.get("repository")), "")

    def open(self, row: Row) -> Task | PushJobs | None:
        return task_of(row, self.root_of_row(row)) or self.push_of_row(row)

    def push_of_row(self, row: Row) -> PushJobs | None:
        if row.get("push_id") is None:
            return None
        return PushJobs(str(row["repository"]), int(row["push_id"]), self.server, str(row.get("revision") or ""))

    def log(self, row: Row) -> LogAddress | None:
        return log_of(row, self.root_of_row(row))


class SeriesPoints(MeasuredList):
    """One row a value, in the order of pushes. Enter: the task that measured it, else the jobs of its push."""

    schema = SERIES
    noun = ("point", "points")
    empty_text = "Nothing was measured in this period; x offers longer ones."
    chart = Chart(x="push_time", y="value", by="series", marks="alert")
    locator: Series

    def __init__(self, locator: Series, context: Context) -> None:
        super().__init__(locator, context)
        self._name = ""
        self._frameworks: dict[SeriesRef, str] = {}  # known once read

    @property
    def title(self) -> str:
        count = len(self.locator.series)
        return self._name or ("series" if count == 1 else f"{count} series")

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """A page of points a series; then the same rows again, with candidates, alerts and tasks."""
        reads = self._read(cancel)
        self._frameworks = {one.ref: str(one.summary.framework_id or one.ref.framework) for one in reads}
        self._range = value_range(pl.concat([DATA.empty(), *(one.data for one in reads)]))
        names = label_series([(one.ref.repository, one.summary) for one in reads])
        others = f" and {len(names) - 1} more series" if len(names) > 1 else ""
        self._name = f"{names[0]}{others}" if names else ""
        note = self._note(reads)
        points: list[pl.DataFrame] = []
        for one, name in zip(reads, names, strict=True):
            points.append(point_frame(one.data, one.summary, one.ref.repository, name))
            self.first_key = self.first_key or first_point(points[-1], self.locator.at)
            yield Page(points[-1], one.freshness, note=note)

        def complete(place: int, own: CancelToken) -> Page:
            return self._complete(points[place], reads[place], note, own)

        pages = map_in_parallel(complete, range(len(points)), cancel)
        yield from dict(sorted(pages)).values()  # in the order of the series, whichever is completed first

    def _read(self, cancel: CancelToken) -> list[SeriesRead]:
        """Those of the series that their repositories have."""
        at = self.locator
        period = {
            "interval": at.interval or INTERVAL if at.start is None else None,
            "start": time_of(at.start),
            "end": time_of(at.end),
        }
        refs = list(dict.fromkeys(at.series[:MOST_SERIES]))
        by_ref = dict(map_in_parallel(lambda ref, own: self.read_series(ref, own, **period), refs, cancel))
        reads = [by_ref[ref] for ref in refs if by_ref[ref].summary.signature_id is not None]
        if refs and not reads:
            raise UnknownItemError(
                f"The repository {refs[0].repository} has no signature {refs[0].signature}.",
                "Signatures are found by their id, in the repository that they belong to.",
            )
        return reads

    def _complete(self, points: pl.DataFrame, read: SeriesRead, note: str, cancel: CancelToken) -> Page:
        """With candidates, alerts and tasks. What could not be had is said and leaves the points as they are."""
        freshness, notes = read.freshness, [note]
        if not self.locator.replicates:
            points = with_candidates(points, read.summary)
        try:
            marks, alerts_origin = self._alert_marks(int(read.summary.signature_id or 0), cancel)
            points, freshness = with_alerts(points, marks), freshness.worse(alerts_origin)
        except HttpError as error:
            notes.append(f"Alerts are not marked: {error.sentence}")
        try:
            points = self.fetch_tasks(points, cancel)
        except HttpError as error:
            notes.append(f"Tasks are not known: {error.sentence}")
        return Page(points, freshness, note=" ".join(filter(None, notes)))

    def _alert_marks(self, signature: int, cancel: CancelToken) -> tuple[list[AlertMark], Freshness]:
        marks: list[AlertMark] = []
        freshness = Freshness()
        for flags in ((), ("monitored",)):  # the server gives sheriffed summaries or monitored ones, never both
            filters = AlertSummaries(signature=signature, flags=flags)
            for number, page in enumerate(self.client.fetch_alert_summaries(filters, cancel=cancel)):
                pushes = {summary.id: summary.push_id for summary in page.items}
                for summary in page.items:
                    for alert in (*summary.alerts, *summary.related_alerts):
                        push = pushes.get(alert.summary_id) or summary.push_id
                        of_it = alert.series_signature is not None and alert.series_signature.id == signature
                        if of_it and push is not None and alert.id is not None and summary.id is not None:
                            percent = signed_percent(alert)
                            change = "" if percent is None else f" {percent:+.1f} %"
                            words = f"{summary.id} {describe_change(alert) or 'alert'}{change}"
                            marks.append(AlertMark(str(push), str(summary.id), words))
                freshness = freshness.worse(page.freshness)
                if number + 1 >= ALERT_PAGES:
                    break
        return marks, freshness

    def _note(self, reads: list[SeriesRead]) -> str:
        notes = [one.note for one in reads if one.note][:1]
        refs = {one.ref for one in reads}
        missing = [ref.signature for ref in self.locator.series[:MOST_SERIES] if ref not in refs]
        if missing:
            notes.append(f"Not found in their repository: {', '.join(missing)}.")
        more = len(self.locator.series) - MOST_SERIES
        if more > 0:
            notes.append(f"Only the first {MOST_SERIES} series are read; {more} more were named.")
        expired = sum(one.data["job_id"].null_count() for one in reads)
        if expired:
            notes.append(f"The jobs of {expired:,} points have expired (they are kept for 120 days).")
        return " ".join(notes)

    def measurements(self, rows: pl.DataFrame) -> TaskMeasurements | None:
        """Of points of one repository: its tasks are of one deployment."""
        repositories = rows["repository"].unique().to_list()
        ids = task_ids(rows)
        return TaskMeasurements(ids, self._roots.get(repositories[0], "")) if ids and len(repositories) == 1 else None

    def compare(self, rows: pl.DataFrame) -> Compare | ComparedValues:
        """Of points of two pushes: all that the framework measured on them. Of points of two series: the values of both
        between the first and the last point that is marked of each."""
        series = rows["signature_id"].unique(maintain_order=True).to_list()
        if len(series) == 2 and len(rows) > 2:
            base, new = (self._window(rows.filter(pl.col("signature_id") == one)) for one in series)
            return ComparedValues(base, new, self.locator.replicates, self.server)
        require_marked(rows, 2, "points of two pushes, or several points of each of two series")
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
        return Side(ref, start=epoch_of(rows["push_time"].min()), end=epoch_of(rows["push_time"].max()))

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        at = self.locator
        entries = [] if row is None else self._menu_of_point(row)
        entries.append(replicates_link(at))
        for number, days in enumerate(DAYS):
            if at.start is not None or days * 86400 != (at.interval or INTERVAL):
                label = "The last day" if days == 1 else f"The last {days} days"
                period = replace(at, interval=days * 86400, start=None, end=None)
                entries.append(Link(label, period, letter=digit_key(number), group=LIST))
        return entries

    def _menu_of_point(self, row: Row) -> list[Entry]:
        entries: list[Entry] = []
        repository, revision = str(row["repository"]), str(row.get("revision") or "")
        if row.get("alert_summary") is not None:
            summary = int(row["alert_summary"])
            entries.append(Link(f"Alert summary {summary}", AlertSummary(summary, self.server), letter="a"))
        push = self.push_of_row(row)
        if push is not None:
            entries.append(Link("The jobs of its push", push, letter="p", group=PUSH))
        if revision:
            group = PushGroup(repository, revision)
            entries.append(Link("The task group of its push", group, letter="g", group=PUSH))
            browser = self.jobs_url(repository, revision)
            entries.append(Link("Its push in the browser", browser, letter="o", group=PUSH))
        when = epoch_of(row.get("push_time"))
        if when is not None:
            ref = SeriesRef(repository, str(row["signature_id"]))
            sides = Side(ref, start=when - AROUND, end=when - 1), Side(ref, start=when, end=when + AROUND)
            values = ComparedValues(*sides, replicates=self.locator.replicates, server=self.server)
            entries.append(Link("Compare the two weeks before this push with those from it on", values, letter="v"))
        alerts = AlertSummaries(repository, signature=int(row["signature_id"]), server=self.server)
        return [*entries, Link("All alerts on this series", alerts, letter="s")]

    def row_title(self, row: Row) -> str:
        return str(row["series"])

    def web_url(self, row: Row | None = None) -> str:
        if row is not None and row.get("revision"):
            return self.job_url_of(row)
        at = self.locator
        refs = tuple(replace(ref, framework=self._frameworks.get(ref, ref.framework)) for ref in at.series)
        return graph_url(self.client.base, replace(at, series=refs), values=self._range)

    def summary(self, frame: pl.DataFrame) -> str:
        """ "2 alerts · 1 candidate · median 812 ms, noise 1.9 %": the counts first, 80 cells hold little more."""
        parts = []
        for column in ("alert", "candidate"):
            number = frame.filter(pl.col(column).is_not_null()).select("signature_id", "push_id").n_unique()
            parts += [f"{number} {column}{'' if number == 1 else 's'}"] if number else []
        for one in frame.partition_by("series", maintain_order=True)[:MOST_SERIES]:
            median, noise = format_value(one["value"].median(), SERIES["value"]), noise_percent(one)
            words = f"median {median} {one['unit'][0] or ''}".rstrip() + (f", noise {noise:.1f} %" if noise else "")
            parts.append(words if frame["series"].n_unique() == 1 else f"{_shorten(one['series'][0])}: {words}")
        return " · ".join(parts)


class OneSeries(SeriesPoints):
    """The same of a single series."""

    schema = ONE_SERIES


def replicates_link(at: Series | ComparedValues | Compare) -> Link:
    """The same list from all replicates, or from one value a run."""
    label = "One value a run, without replicates" if at.replicates else "All replicates"
    return Link(label, replace(at, replicates=not at.replicates), letter="R", group=LIST)


def first_point(frame: pl.DataFrame, at: int | None) -> str:
    """The key of the newest value of the push that was pushed then; "" if there is none."""
    found = frame.filter(pl.col("push_time").dt.epoch("s") == at) if at is not None else frame.clear()
    return "" if found.is_empty() else str(found["key"][-1])


def value_range(frame: pl.DataFrame) -> tuple[float, float] | None:
    """The lowest and the highest value, None if there is none."""
    values = frame["value"].drop_nulls()
    return None if values.is_empty() else (float(values.min()), float(values.max()))  # type: ignore[arg-type]


def _shorten(name: str) -> str:
    """Without its middle: what tells the series of a suite apart stands at the end."""
    return name if len(name) <= 28 else f"{name[:8]}…{name[-19:]}"
