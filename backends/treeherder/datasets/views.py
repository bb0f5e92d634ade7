"""The views of a dataset by name: what each shows, its columns, and how it is worked out from the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from backends.errors import UsageError
from backends.frames.schema import Column, Kind, Schema
from backends.treeherder.datasets import alert_views, job_views, revisions, signature_sets, signature_views
from backends.treeherder.datasets.commits import read_commits
from backends.treeherder.datasets.groups import signature_groups
from backends.treeherder.datasets.names import moment
from backends.treeherder.datasets.revisions import EXCLUDED_FRAMEWORKS, Window
from backends.treeherder.datasets.shared_rows import SharedRows, shared_rows
from backends.treeherder.datasets.store import Store


@dataclass(frozen=True)
class Options:
    """How views are worked out. `commits`: a list of commits to count by, in place of pushes. `tolerance`: the Jaccard
    index from which groups are joined; None: only equal sets. `excluded`: frameworks that are not counted."""

    window: Window = field(default_factory=Window)
    commits: Path | None = None
    tolerance: float | None = None
    excluded: tuple[int, ...] = EXCLUDED_FRAMEWORKS


class Dataset:
    """The tables of one repository of a store, and what several views need of them, worked out once."""

    def __init__(self, store: Store, repository: str, options: Options | None = None) -> None:
        self.store, self.repository, self.options = store, repository, options or Options()

    def table(self, name: str) -> pl.LazyFrame:
        """The rows of the window: pushes and values by the time of the push (with a list of commits also of the pushes
        that it dates within), alert summaries by that of theirs, the others by what of these they belong to."""
        rows, window = self.store.scan(name, self.repository), self.options.window
        if window.is_open:
            return rows
        if name in ("pushes", "pairs"):
            return rows.filter(window.holds("push_ts") | pl.col("push_id").is_in(self._dated_by_commits))
        if name == "alert_summaries":
            return rows.filter(window.holds(pl.coalesce("push_ts", "created_ts")))
        if name == "alerts":
            listed = self.table("alert_summaries").select(pl.col("summary_id").alias("listed_in"))
            return rows.join(listed, on="listed_in", how="semi")
        if name == "jobs":
            return rows.join(self.table("pairs").select("job_id"), on="job_id", how="semi")
        ids = [self.table(each).select("signature_id") for each in ("pairs", "alerts")]
        return rows.join(pl.concat(ids), on="signature_id", how="semi")

    @cached_property
    def _dated_by_commits(self) -> list[int]:
        """The pushes whose head is a commit of the window."""
        if self.options.commits is None:
            return []
        meant = self.commits.filter(self.options.window.holds("commit_ts")).lazy()
        heads = self.store.scan("pushes", self.repository).join(meant, on="revision", how="semi")
        return heads.select("push_id").collect()["push_id"].to_list()

    @cached_property
    def commits(self) -> pl.DataFrame:
        """The list of commits that was named, as `read_commits` gives it."""
        assert self.options.commits is not None
        return read_commits(self.options.commits)

    @cached_property
    def shared(self) -> SharedRows:
        whole = shared_rows(self.store, self.repository)
        window = self.options.window
        if window.is_open:
            return whole
        rows = whole.rows.filter(window.holds("push_ts") | pl.col("push_id").is_in(self._dated_by_commits))
        leaders = rows.select(pl.col("signature_id").unique().alias("leader")).collect(engine="streaming")
        return SharedRows(whole.members.join(leaders, on="leader", how="semi", maintain_order="left"), rows)

    @cached_property
    def busiest(self) -> tuple[int, str, int] | None:
        """push_id, revision, total of the busiest push of the window (`revisions.pushes_by_signatures`)."""
        pushes = self.table("pushes").select("push_id", "revision", "push_ts")
        if self.options.commits is not None:
            pushes = pushes.join(self.commits.lazy(), on="revision").rename({"commit_ts": "at"})
        else:
            pushes = pushes.with_columns(pl.col("push_ts").alias("at"))
        window = self.options.window
        pushes = pushes.filter(window.holds("at"))
        found = revisions.pushes_by_signatures(self.table("pairs"), pushes, window)
        if found.is_empty():
            return None
        number, total = found.row(0, named=True)["push_id"], found.row(0, named=True)["total"]
        return number, str(pushes.filter(pl.col("push_id") == number).collect()["revision"][0] or ""), total

    @cached_property
    def groups(self) -> pl.DataFrame:
        """As `signature_groups` gives them."""
        shared = self.shared
        return signature_groups(shared.rows, members=shared.members, tolerance=self.options.tolerance)

    @cached_property
    def counted(self) -> pl.DataFrame:
        """revision, at (epoch seconds), total, leaders: per commit of the list, or else per push."""
        window = self.options.window
        if self.options.commits is not None:
            found = revisions.per_commit(self.commits, self.table("pushes"), self.shared, window)
            return found.rename({"commit_ts": "at"})
        heads = (
            self.table("pushes").sort("push_ts", "push_id")
            .select("revision", pl.col("push_ts").alias("commit_ts")).collect()
        )  # fmt: skip
        heads = heads.drop_nulls().unique("revision", keep="first", maintain_order=True)
        return revisions.per_commit(heads, self.table("pushes"), self.shared, window).rename({"commit_ts": "at"})

    @cached_property
    def rectified(self) -> pl.DataFrame:
        """As `revisions.rectified` gives them, with at (epoch seconds) and all (signatures)."""
        counted = self.counted.with_columns(pl.col("total").alias("all"))
        excluded = self.options.excluded
        return revisions.rectified(counted, self.groups, self.table("signatures"), self.shared, excluded=excluded)

    def asked(self) -> pl.DataFrame:
        """push_id, status: how the question for its values ended; a success counts even if a later try failed."""
        rows: dict[int, str] = {}
        for endpoint in self.endpoints("pairs"):
            for key, known in self.store.ledger.known(self.repository, endpoint).items():
                status = known.status if known.fetched_at is None else "ok"
                if rows.get(int(key)) != "ok":
                    rows[int(key)] = status
        columns = {"push_id": list(rows), "status": list(rows.values())}
        return pl.DataFrame(columns, schema={"push_id": pl.UInt32, "status": pl.String})

    @cached_property
    def unasked(self) -> pl.Series:
        """Revisions of the pushes of which nothing is known: never asked for their values, or only in vain."""
        known = self.asked().filter(pl.col("status") != "error").select("push_id").lazy()
        some = self.shared.rows.select("push_id")  # an answer with other frameworks, or before a failure
        return (
            self.table("pushes").join(known, on="push_id", how="anti").join(some, on="push_id", how="anti")
            .select("revision").collect()["revision"].drop_nulls()
        )  # fmt: skip

    def known_only(self, counted: pl.DataFrame, *names: str) -> pl.DataFrame:
        """Numbers of revisions of which nothing is known are missing, not zero."""
        unknown = pl.col("revision").is_in(self.unasked.to_list())
        return counted.with_columns(pl.when(~unknown).then(pl.col(name)).alias(name) for name in names)

    def endpoints(self, name: str) -> list[str]:
        """The ledger's endpoints of that name, with whatever frameworks."""
        every = [row[1] for row in self.store.ledger.summary() if row[0] == self.repository]
        return [one for one in every if one.partition(":")[0] == name]


@dataclass(frozen=True)
class View:
    """`build` reads the store and calculates, up to seconds for 20 million pairs; it raises `AppError`s."""

    name: str
    about: str
    noun: tuple[str, str]
    schema: Schema
    build: Callable[[Dataset], pl.DataFrame]
    needs: tuple[str, ...]
    sort: tuple[str, bool] | None = None


def _revisions(dataset: Dataset) -> pl.DataFrame:
    found = revisions.per_push(
        dataset.table("pushes"), dataset.shared, dataset.groups, dataset.asked(), dataset.options.window
    )
    return signature_views.pushes(found)


def _commits(dataset: Dataset) -> pl.DataFrame:
    if dataset.options.commits is None:
        raise UsageError(
            "Treeherder does not list commits, only pushes.",
            "Name the list with --commits all_commits.jsonl, or look at the view `revisions`.",
        )
    counted = dataset.known_only(dataset.counted, "total")
    return signature_views.commits(counted.rename({"at": "commit_ts"}))


def _rectified(dataset: Dataset) -> pl.DataFrame:
    counted = dataset.rectified.rename({"all": "signatures"})
    return signature_views.rectified(dataset.known_only(counted, "total", "signatures", "unknown"))


COVERAGE = Schema(
    (
        Column("endpoint", Kind.TEXT, "Asked for"),
        Column("ok", Kind.COUNT, "With rows"),
        Column("empty", Kind.COUNT, "Empty"),
        Column("failed", Kind.COUNT, "Failed"),
        Column("since", Kind.TIME, "Covers from"),
        Column("until", Kind.TIME, "to"),
        Column("fetched", Kind.TIME, "Last fetched"),
        Column("reasons", Kind.TEXT, "Why it failed"),
    ),
    key="endpoint",
)


def _coverage(dataset: Dataset) -> pl.DataFrame:
    reasons: dict[str, set[str]] = {}
    for repository, endpoint, _, _, reason in dataset.store.ledger.failures():
        if repository == dataset.repository:
            reasons.setdefault(endpoint, set()).add(reason)
    rows = [
        (
            endpoint,
            ok,
            empty,
            failed,
            *(one and one * 1000 for one in times),
            ", ".join(sorted(reasons.get(endpoint, ()))),
        )
        for repository, endpoint, ok, empty, failed, *times in dataset.store.ledger.summary()
        if repository == dataset.repository
    ]
    return COVERAGE.frame(rows)


def job_horizon(dataset: Dataset) -> pl.DataFrame:
    """One row: first, since, until (times): the first push with a value, the first with a known job, the last push.

    Treeherder deletes jobs after 120 days: between the first two only values are known, no jobs, groups or waits.
    """
    return (
        dataset.table("pairs").select(
            pl.col("push_ts").min().alias("first"),
            pl.col("push_ts").filter(pl.col("job_id").is_not_null()).min().alias("since"),
            pl.col("push_ts").max().alias("until"),
        ).select(moment("first"), moment("since"), moment("until")).collect()
    )  # fmt: skip


_ALERTS = ("alert_summaries", "alerts")
_SUMMARY = ("alert summary", "alert summaries")
VIEWS = {
    view.name: view
    for view in (
        View("alerts", "Alert summaries", _SUMMARY, alert_views.SUMMARIES,
             lambda d: alert_views.summaries(d.table("alert_summaries"), d.table("alerts")), _ALERTS),
        View("bugs", "Regressions with a bug: tests, platforms, regressor", ("bug", "bugs"), alert_views.BUGS,
             lambda d: alert_views.bugs(d.table("alert_summaries"), d.table("alerts")), _ALERTS),
        View("failing", "Failing signatures per alert summary", _SUMMARY, alert_views.FAILING,
             lambda d: alert_views.failing(d.table("alert_summaries"), d.table("alerts")), _ALERTS),
        View("culprit", "Time to culprit: detect, triage, bug", _SUMMARY, alert_views.CULPRIT,
             lambda d: alert_views.time_to_culprit(d.table("alert_summaries"), d.table("alerts"), d.table("pushes")),
             _ALERTS),
        View("revisions", "Performance jobs per push", ("push", "pushes"), signature_views.PUSHES, _revisions,
             ("pushes", "pairs")),
        View("commits", "Performance jobs per commit of a list", ("commit", "commits"), signature_views.COMMITS,
             _commits, ("pushes", "pairs")),
        View("signatures", "Signatures and what they measure", ("signature", "signatures"),
             signature_views.SIGNATURES, lambda d: signature_views.signatures(d.table("signatures")), ("signatures",)),
        View("jobs", "Signatures per job and their common features", ("job", "jobs"), signature_views.JOBS,
             lambda d: signature_views.jobs(signature_sets.signatures_per_job(d.shared, d.table("signatures"))),
             ("pairs", "signatures")),
        View("groups", "Signatures that always come from the same jobs", ("group", "groups"), signature_views.GROUPS,
             lambda d: signature_views.groups(d.groups, d.table("signatures")), ("pairs", "signatures")),
        View("durations", "Job durations per signature group", ("group", "groups"), job_views.BY_GROUP,
             lambda d: job_views.durations_by_group(
                 d.shared.rows, d.table("jobs"), d.groups, d.table("signatures")),
             ("pairs", "jobs")),
        View("durations-by-signature", "Job durations per signature", ("signature", "signatures"),
             job_views.BY_SIGNATURE,
             lambda d: job_views.durations_by_signature(d.table("pairs"), d.table("jobs"), d.table("signatures")),
             ("pairs", "jobs")),
        View("waits", "Job wait times", ("job", "jobs"), job_views.WAITS,
             lambda d: job_views.waits(d.shared.rows, d.table("jobs"), d.table("pushes")), ("pairs", "jobs")),
        View("waits-by-push", "Job wait times per push", ("push", "pushes"), job_views.WAITS_BY_PUSH,
             lambda d: job_views.waits_by_push(d.shared.rows, d.table("jobs"), d.table("pushes")),
             ("pairs", "jobs")),
        View("waits-by-platform", "Job wait times per platform", ("platform", "platforms"),
             job_views.WAITS_BY_PLATFORM,
             lambda d: job_views.waits_by_platform(d.shared.rows, d.table("jobs")), ("pairs", "jobs")),
        View("waits-by-hour", "Job wait times per hour of the day", ("hour", "hours"), job_views.WAITS_BY_HOUR,
             lambda d: job_views.waits_by_hour(d.shared.rows, d.table("jobs")), ("pairs", "jobs")),
        View("rectified", "Signature groups per revision, some frameworks left out", ("revision", "revisions"),
             signature_views.RECTIFIED, _rectified, ("pushes", "pairs", "signatures")),
        View("coverage", "What was asked for, and what is missing", ("question", "questions"), COVERAGE, _coverage, ()),
    )
}  # fmt: skip


def view(name: str) -> View:
    """The view of that name. Raises `UsageError`."""
    try:
        return VIEWS[name]
    except KeyError:
        raise UsageError(f"There is no view {name[:40]!r}.", f"Views: {', '.join(VIEWS)}.") from None
