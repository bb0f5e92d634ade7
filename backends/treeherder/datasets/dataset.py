"""The tables of one repository within a window, and how much performance testing each revision got.

The original counts per commit of a list, of which only the heads of pushes can have results, and most pushes are not
meant to have any: Autoland runs nearly all performance tests on every 20th push or every four hours. So the natural
unit is the push, in one of several states, and zero is a measurement only where something was looked for.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import msgspec
import polars as pl

from backends.atomic import disk_words
from backends.errors import FileError, UsageError
from backends.paths import expand_home
from backends.treeherder.datasets.signature_groups import SharedRows, shared_rows, signature_groups
from backends.treeherder.datasets.store import DatasetStore

TEN_MINUTES = 600
EXCLUDED_FRAMEWORKS = (2, 6, 18)  # build_metrics, platform_microbench, mozharness


@dataclass(frozen=True)
class PushWindow:
    """Which revisions, and which of their values count.

    `since`, `until`: of commits or pushes, both included, epoch seconds; None is open. `within`: a value counts only if
    its job was submitted at most so many seconds after its push (None: always). A value whose job has expired has no
    submission time and always counts, as in the original: an artificial step in any series that crosses the 120 days
    for which Treeherder keeps jobs. `expired`: False leaves such values out instead.
    """

    since: int | None = None
    until: int | None = None
    within: int | None = TEN_MINUTES
    expired: bool = True

    def counts(self) -> pl.Expr:
        """Over rows of measurements: whether the value counts."""
        delay = pl.col("submit_ts") - pl.col("push_ts")
        timely = pl.lit(True) if self.within is None else delay.is_between(0, self.within)
        return pl.when(pl.col("submit_ts").is_null()).then(pl.lit(self.expired)).otherwise(timely)

    @property
    def is_open(self) -> bool:
        """Whether every time is inside."""
        return self.since is None and self.until is None

    def contains(self, column: str | pl.Expr) -> pl.Expr:
        time = pl.col(column) if isinstance(column, str) else column
        inside = pl.lit(True)
        if self.since is not None:
            inside = inside & (time >= self.since)
        if self.until is not None:
            inside = inside & (time <= self.until)
        return inside


@dataclass(frozen=True)
class ViewOptions:
    """How views are calculated. `commits`: a list of commits to count by, instead of pushes. `tolerance`: the Jaccard
    index from which groups are joined; None: only equal sets. `excluded`: frameworks that are not counted."""

    window: PushWindow = field(default_factory=PushWindow)
    commits: Path | None = None
    tolerance: float | None = None
    excluded: tuple[int, ...] = EXCLUDED_FRAMEWORKS


# What is calculated where an option counts: the name of the cached property of `Dataset`.
_OPTION_VALUES = {
    "since": "window",
    "until": "window",
    "within": "counted_window",
    "without_expired": "counted_window",
    "commits": "commits",
    "tolerance": "groups",
    "excluded": "rectified",
}


class Dataset:
    """The tables of one repository, and what several views need of them, calculated once."""

    def __init__(self, store: DatasetStore, repository: str, options: ViewOptions | None = None) -> None:
        self.store, self.repository, self.options = store, repository, options or ViewOptions()

    def ignored_options(self) -> list[str]:
        """The options, as the command line names them, that nothing which was calculated so far depends on."""
        return [option for option, value in _OPTION_VALUES.items() if value not in vars(self)]

    @cached_property
    def window(self) -> PushWindow:
        """Of what is selected by time."""
        return self.options.window

    @cached_property
    def counted_window(self) -> PushWindow:
        """Of what is counted, which jobs that came too late are left out of."""
        return self.options.window

    def table(self, name: str) -> pl.LazyFrame:
        """The rows of the window: pushes and values by the time of the push (with a list of commits also of the pushes
        that it dates within), alert summaries by that of theirs, the others by what they belong to."""
        rows, window = self.store.scan(name, self.repository), self.window
        if window.is_open:
            return rows
        if name in ("pushes", "pairs"):
            return rows.filter(self._in_window)
        if name == "alert_summaries":
            return rows.filter(window.contains(pl.coalesce("push_ts", "created_ts")))
        if name == "alerts":
            listed = self.table("alert_summaries").select(pl.col("summary_id").alias("listed_in"))
            return rows.join(listed, on="listed_in", how="semi")
        if name == "jobs":
            return rows.join(self.table("pairs").select("job_id"), on="job_id", how="semi")
        ids = [self.table(each).select("signature_id") for each in ("pairs", "alerts")]
        return rows.join(pl.concat(ids), on="signature_id", how="semi")

    @cached_property
    def _in_window(self) -> pl.Expr:
        """Over rows of pushes and measurements: in the window by the push's time, or by the commit list's."""
        window, dated = self.window, list[int]()
        if self.options.commits is not None:
            in_window = self.commits.filter(window.contains("commit_ts")).lazy()
            heads = self.store.scan("pushes", self.repository).join(in_window, on="revision", how="semi")
            dated = heads.select("push_id").collect()["push_id"].to_list()
        return window.contains("push_ts") | pl.col("push_id").is_in(dated)

    @cached_property
    def commits(self) -> pl.DataFrame:
        """revision, commit_ts (epoch seconds): of the list that the options name, or else the heads of the pushes."""
        if self.options.commits is not None:
            return read_commit_list(self.options.commits)
        heads = self.table("pushes").sort("push_ts", "push_id").select("revision", pl.col("push_ts").alias("commit_ts"))
        return heads.collect().drop_nulls().unique("revision", keep="first", maintain_order=True)

    @cached_property
    def shared(self) -> SharedRows:
        complete = shared_rows(self.store, self.repository)
        if self.window.is_open:
            return complete
        rows = complete.rows.filter(self._in_window)
        leaders = rows.select(pl.col("signature_id").unique().alias("leader")).collect(engine="streaming")
        return SharedRows(complete.members.join(leaders, on="leader", how="semi", maintain_order="left"), rows)

    @cached_property
    def busiest_push(self) -> tuple[int, str, int] | None:
        """push_id, revision, total of the push with most signatures in the window (`pushes_by_signatures`)."""
        pushes = self.table("pushes").select("push_id", "revision", pl.col("push_ts").alias("at"))
        if self.options.commits is not None:
            pushes = pushes.drop("at").join(self.commits.lazy(), on="revision").rename({"commit_ts": "at"})
        pushes = pushes.filter(self.window.contains("at"))
        ranked = pushes_by_signatures(self.table("pairs"), pushes, self.counted_window)
        if ranked.is_empty():
            return None
        number, total = ranked.select("push_id", "total").row(0)
        return number, str(pushes.filter(pl.col("push_id") == number).collect()["revision"][0] or ""), total

    @cached_property
    def groups(self) -> pl.DataFrame:
        """As `signature_groups` returns them."""
        shared = self.shared
        return signature_groups(shared.rows, members=shared.members, tolerance=self.options.tolerance)

    @cached_property
    def counts(self) -> pl.DataFrame:
        """revision, at (epoch seconds), total, leaders: per commit of the list, or else per push."""
        counts = count_per_commit(self.commits, self.table("pushes"), self.shared, self.counted_window)
        return counts.rename({"commit_ts": "at"})

    @cached_property
    def rectified(self) -> pl.DataFrame:
        """As `count_groups` returns them, with at (epoch seconds) and all (signatures)."""
        counts = self.counts.with_columns(pl.col("total").alias("all"))
        return count_groups(counts, self.groups, self.table("signatures"), self.shared, self.options.excluded)

    def fetch_status(self) -> pl.DataFrame:
        """push_id, status: how fetching its values ended; a success counts even if a later attempt failed."""
        status: dict[int, str] = {}
        for repository, endpoint, *_ in self.store.log.summary():
            if repository != self.repository or endpoint.partition(":")[0] != "pairs":
                continue
            for key, last in self.store.log.outcomes(self.repository, endpoint).items():
                if status.get(int(key)) != "ok":
                    status[int(key)] = last.status if last.fetched_at is None else "ok"
        columns = {"push_id": list(status), "status": list(status.values())}
        return pl.DataFrame(columns, schema={"push_id": pl.UInt32, "status": pl.String})

    @cached_property
    def unfetched(self) -> pl.Series:
        """Revisions of the pushes whose values were never fetched, or whose fetch failed."""
        known = self.fetch_status().filter(pl.col("status") != "error").select("push_id").lazy()
        measured = self.shared.rows.select("push_id")  # fetched for other frameworks, or before a failure
        return (
            self.table("pushes").join(known, on="push_id", how="anti").join(measured, on="push_id", how="anti")
            .select("revision").collect()["revision"].drop_nulls()
        )  # fmt: skip

    def nullify_unfetched(self, counts: pl.DataFrame, *names: str) -> pl.DataFrame:
        """Numbers of revisions that were not fetched are null, not zero."""
        unknown = pl.col("revision").is_in(self.unfetched.to_list())
        return counts.with_columns(pl.when(~unknown).then(pl.col(name)).alias(name) for name in names)


class _CommitLine(msgspec.Struct):
    node: str
    date: list[float]  # epoch seconds, offset from UTC


def read_commit_list(path: Path) -> pl.DataFrame:
    """all_commits.jsonl, as `hg log -Tjson` writes it: revision, commit_ts (epoch seconds), in the order of the file,
    each revision once (its last line counts).

    Raises `FileError`, `UsageError` for a line that is not a commit.
    """
    commits: dict[str, int] = {}
    try:
        with expand_home(path).open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    commit = msgspec.json.decode(line, type=_CommitLine)
                    commits[commit.node] = int(commit.date[0])
                except (msgspec.MsgspecError, UnicodeDecodeError, TypeError, ValueError, IndexError) as error:
                    raise UsageError(
                        f"Line {number} of {path} is not a commit: {error}.",
                        'Each line is an object of `hg log -Tjson`: {"node": ..., "date": [seconds, offset], ...}.',
                    ) from error
    except OSError as error:
        raise FileError(f"{path} cannot be read: {disk_words(error)}.") from error
    columns = {"revision": list(commits), "commit_ts": list(commits.values())}
    return pl.DataFrame(columns, schema={"revision": pl.String, "commit_ts": pl.Int64})


def pushes_by_signatures(measurements: pl.LazyFrame, pushes: pl.LazyFrame, window: PushWindow) -> pl.DataFrame:
    """push_id, at, total, every: the pushes of which some job is still known, the one with most signatures first.

    `pushes`: push_id, at. `total` counts the signatures with a value that counts in the window, `every` those with any
    value, also of retriggers and backfills. Of equals the earliest comes first. The first is the busiest push: an
    update fetches its jobs, and an export has their waits. One whose jobs have all expired would have none.
    """
    signature = pl.col("signature_id")
    return (
        measurements.group_by("push_id")
        .agg(
            signature.filter(window.counts()).n_unique().cast(pl.Int64).alias("total"),
            signature.n_unique().cast(pl.Int64).alias("every"),
            pl.col("job_id").is_not_null().any().alias("known"),
        )
        .filter(pl.col("known"))
        .join(pushes.select("push_id", "at"), on="push_id")
        .select("push_id", "at", "total", "every")
        .collect(engine="streaming")
        .sort(["total", "at", "push_id"], descending=[True, False, False])
    )


def _leaders_per_push(shared: SharedRows, window: PushWindow, pushes: pl.DataFrame | None = None) -> pl.DataFrame:
    """push_id, leaders (sorted: the classes with a value that counts), total (how many signatures these are).

    `pushes`: only those. A push without any value that counts is absent. Uniqueness is cheapest for few, long lists: of
    the pushes of a class, not of the classes of a push, nor of measurements (0.15, 0.8 and 0.5 s of CPU for 20
    million).
    """
    rows = shared.rows.filter(window.counts()).select("push_id", "signature_id")
    if pushes is not None:
        rows = rows.join(pushes.lazy().select("push_id"), on="push_id", how="semi")
    by_class = rows.collect(engine="streaming").group_by("signature_id").agg(pl.col("push_id").unique())
    each = by_class.join(shared.sizes, on="signature_id").sort("signature_id").explode("push_id")
    return each.group_by("push_id").agg(_LEADERS)


_LEADERS = (pl.col("signature_id").alias("leaders"), pl.col("size").sum().alias("total"))


def count_per_commit(
    commits: pl.DataFrame, pushes: pl.LazyFrame, shared: SharedRows, window: PushWindow
) -> pl.DataFrame:
    """The original's count. `commits`: revision, commit_ts (epoch seconds), each revision once.

    One row per commit of the window, in order of time: revision, commit_ts, total, leaders (sorted; `with_signatures`
    adds all signatures they stand for); zero where nothing was measured, always for commits that are not the head of a
    push.
    """
    commits = commits.filter(window.contains("commit_ts"))
    heads = pushes.select("push_id", "revision").collect().join(commits, on="revision", how="semi").unique("push_id")
    every = len(heads) == pushes.select(pl.len()).collect().item()
    counts = _leaders_per_push(shared, window, None if every else heads).join(heads, on="push_id").drop("push_id")
    if counts["revision"].is_duplicated().any():  # no server lists a revision as two pushes, but nothing forbids it
        each = counts.select("revision", pl.col("leaders").alias("signature_id")).explode("signature_id").unique()
        counts = each.join(shared.sizes, on="signature_id").sort("signature_id").group_by("revision").agg(_LEADERS)
    return (
        commits.join(counts, on="revision", how="left", maintain_order="left")
        .with_columns(pl.col("leaders").fill_null([]), pl.col("total").fill_null(0))
        .sort("commit_ts", maintain_order=True)
        .select("revision", "commit_ts", "total", "leaders")
    )


def with_signatures(counts: pl.DataFrame, shared: SharedRows) -> pl.DataFrame:
    """The rows with `signature_ids` (sorted) instead of `leaders`."""
    rows = counts.with_row_index("row")
    flat = rows.select("row", pl.col("leaders").alias("leader")).explode("leader").drop_nulls()
    by_class = flat.group_by("leader").agg("row")
    each = shared.members.join(by_class, on="leader").sort("signature_id").select("signature_id", "row").explode("row")
    ids = each.group_by("row").agg(pl.col("signature_id").alias("signature_ids"))
    return (
        rows.drop("leaders").join(ids, on="row", how="left", maintain_order="left").drop("row")
        .with_columns(pl.col("signature_ids").fill_null([]))
    )  # fmt: skip


def count_per_push(
    pushes: pl.LazyFrame, shared: SharedRows, groups: pl.DataFrame, fetched: pl.DataFrame, window: PushWindow
) -> pl.DataFrame:
    """One row per push of the window, in order of time.

    push_id, revision, push_ts, author, commits, state, total (unique signatures that count), groups (of their groups),
    jobs (unique jobs that count), late (values of jobs that were submitted too late to count), job_expired (values
    without a job). `fetched`: `Dataset.fetch_status`. `state`: scheduled (some job is known), job expired (values, but
    no job any more), not scheduled (fetched, and there is nothing), failed, not asked (not fetched).
    """
    known, size = pl.col("job_id").is_not_null(), pl.col("size")
    numbered = groups.select("signature_id", pl.col("position").cast(pl.UInt32).alias("group"))
    counting = shared.rows.filter(window.counts()).select("push_id", "signature_id", "job_id")
    lists = (
        counting.join(numbered.lazy(), on="signature_id", how="left").group_by("push_id").agg("job_id", "group")
        .collect(engine="streaming")
    )  # fmt: skip
    counts = lists.select(
        "push_id",
        pl.col("job_id").list.drop_nulls().list.n_unique().alias("jobs"),
        pl.col("group").list.drop_nulls().list.n_unique().alias("groups"),
    ).join(_leaders_per_push(shared, window).drop("leaders"), on="push_id")
    every = (
        shared.rows.join(shared.sizes.lazy(), on="signature_id").group_by("push_id")
        .agg(size.filter(~window.counts()).sum().alias("late"), size.filter(~known).sum().alias("job_expired"),
             known.any().alias("known"))
        .collect(engine="streaming")
    )  # fmt: skip
    numbers = ["total", "groups", "jobs", "late", "job_expired"]
    return (
        pushes.filter(window.contains("push_ts")).select("push_id", "revision", "push_ts", "author", "commits")
        .collect()
        .join(every, on="push_id", how="left").join(counts, on="push_id", how="left")
        .join(fetched, on="push_id", how="left")
        .with_columns(
            pl.when(pl.col("known")).then(pl.lit("scheduled"))
            .when(pl.col("known").is_not_null()).then(pl.lit("job expired"))
            .when(pl.col("status") == "error").then(pl.lit("failed"))
            .when(pl.col("status").is_not_null()).then(pl.lit("not scheduled"))
            .otherwise(pl.lit("not asked")).alias("state"),
        )
        .with_columns(
            pl.when(pl.col("state").is_in(["failed", "not asked"])).then(None)
            .otherwise(pl.col(name).fill_null(0)).cast(pl.Int64).alias(name) for name in numbers
        )
        .sort("push_ts", "push_id")
        .select("push_id", "revision", "push_ts", "author", "commits", "state", *numbers)
    )  # fmt: skip


def count_groups(
    counts: pl.DataFrame,
    groups: pl.DataFrame,
    signatures: pl.LazyFrame,
    shared: SharedRows,
    excluded: Collection[int],
) -> pl.DataFrame:
    """Counts of groups instead of signatures: the original's rectified counts.

    `counts`: rows of `count_per_commit`; the same rows with signature_group_ids (positions, in order of their lowest
    signature there) instead of leaders, total (their number) and unknown (signatures in no group, which are left out).
    A group is excluded if the frameworks of all members are known and in `excluded`.
    """
    frameworks = signatures.select("signature_id", "framework_id").collect()
    is_excluded = pl.col("framework_id").is_in(sorted(excluded)).fill_null(False)
    kept = groups.select("signature_id", "position").join(frameworks, on="signature_id", how="left").select(
        "signature_id", "position", (~is_excluded.all().over("position")).alias("kept")
    )  # fmt: skip
    classes = shared.sizes.join(kept, on="signature_id", how="left").rename({"signature_id": "leaders"})
    rows = counts.with_row_index("row")
    # A class belongs to one group, so that its leader, its lowest signature, stands for it in the order, too.
    flat = rows.select("row", "leaders").explode("leaders").drop_nulls()
    placed = flat.join(classes, on="leaders", how="left", maintain_order="left")
    ids = placed.filter(pl.col("kept")).group_by("row", maintain_order=True).agg(
        pl.col("position").unique(maintain_order=True).alias("signature_group_ids")
    )  # fmt: skip
    unknown = placed.filter(pl.col("position").is_null()).group_by("row").agg(pl.col("size").sum().alias("unknown"))
    return (
        rows.drop("leaders", "total", strict=False).join(ids, on="row", how="left", maintain_order="left")
        .join(unknown, on="row", how="left", maintain_order="left")
        .with_columns(pl.col("signature_group_ids").fill_null([]), pl.col("unknown").fill_null(0))
        .with_columns(pl.col("signature_group_ids").list.len().cast(pl.Int64).alias("total")).drop("row")
    )  # fmt: skip
