"""How much performance testing each revision got: unique signatures, and signature groups, per commit or per push.

The original counts per commit of a list, of which only the heads of pushes can have results, and most pushes are not
meant to have any: Autoland runs nearly all performance tests on every 20th push or every four hours. So the honest
unit is the push, in one of three states, and zero is only a measurement where something was looked for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from backends.treeherder.datasets.shared_rows import SharedRows

TEN_MINUTES = 600
EXCLUDED_FRAMEWORKS = (2, 6, 18)  # build_metrics, platform_microbench, mozharness


@dataclass(frozen=True)
class Window:
    """Which revisions, and which of their values count.

    `since`, `until`: of commits or pushes, both included, epoch seconds; None is open. `within`: a value counts only
    if its job was submitted at most so many seconds after its push (None: always); one whose job has expired has no
    time of submission and counts always, which is the original's rule and makes an artificial step in any series that
    crosses the 120 days for which Treeherder keeps jobs. `expired`: False leaves such values out instead.
    """

    since: int | None = None
    until: int | None = None
    within: int | None = TEN_MINUTES
    expired: bool = True

    def counts(self) -> pl.Expr:
        """Over rows of pairs: whether the value counts."""
        late = pl.col("submit_ts") - pl.col("push_ts")
        timely = pl.lit(True) if self.within is None else late.is_between(0, self.within)
        return pl.when(pl.col("submit_ts").is_null()).then(pl.lit(self.expired)).otherwise(timely)

    @property
    def is_open(self) -> bool:
        """Whether every time is inside."""
        return self.since is None and self.until is None

    def holds(self, column: str | pl.Expr) -> pl.Expr:
        at = pl.col(column) if isinstance(column, str) else column
        bounds = pl.lit(True)
        if self.since is not None:
            bounds = bounds & (at >= self.since)
        if self.until is not None:
            bounds = bounds & (at <= self.until)
        return bounds


def pushes_by_signatures(pairs: pl.LazyFrame, pushes: pl.LazyFrame, window: Window) -> pl.DataFrame:
    """push_id, at, total, every: the pushes of which some job is still known, the one with most signatures first.

    `pushes`: push_id, at. `total` counts the signatures with a value that the window counts, `every` those with any
    value: retriggers and backfills of any age. Of equals the earliest comes first. The first is the busiest push: whose
    jobs an update asks for and whose waits are exported. One whose jobs have all expired would have none.
    """
    signature = pl.col("signature_id")
    return (
        pairs.group_by("push_id")
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


def _per_push(shared: SharedRows, window: Window, pushes: pl.DataFrame | None = None) -> pl.DataFrame:
    """push_id, leaders (sorted: the classes with a value that counts), total (how many signatures these are).

    `pushes`: only those; without any value that counts a push is absent. Uniqueness is cheapest where lists are few and
    long: of the pushes of a class, not of the classes of a push, nor of pairs (0.15, 0.8 and 0.5 s of CPU for 20
    million pairs).
    """
    here = shared.rows.filter(window.counts()).select("push_id", "signature_id")
    if pushes is not None:
        here = here.join(pushes.lazy().select("push_id"), on="push_id", how="semi")
    of_class = here.collect(engine="streaming").group_by("signature_id").agg(pl.col("push_id").unique())
    each = of_class.join(shared.sizes, on="signature_id").sort("signature_id").explode("push_id")
    return each.group_by("push_id").agg(pl.col("signature_id").alias("leaders"), pl.col("size").sum().alias("total"))


def per_commit(commits: pl.DataFrame, pushes: pl.LazyFrame, shared: SharedRows, window: Window) -> pl.DataFrame:
    """The original's count. `commits`: revision, commit_ts (epoch seconds), each revision once.

    One row a commit of the window, in order of time: revision, commit_ts, total, leaders (sorted; `with_signatures`
    gives all that they stand for); zero where nothing was measured, which it always is for commits that are not the
    head of a push.
    """
    meant = commits.filter(window.holds("commit_ts"))
    heads = pushes.select("push_id", "revision").collect().join(meant, on="revision", how="semi").unique("push_id")
    every = len(heads) == pushes.select(pl.len()).collect().item()
    found = _per_push(shared, window, None if every else heads).join(heads, on="push_id").drop("push_id")
    if found["revision"].is_duplicated().any():  # no server lists a revision as two pushes, but nothing forbids it
        each = found.select("revision", pl.col("leaders").alias("signature_id")).explode("signature_id").unique()
        found = each.join(shared.sizes, on="signature_id").sort("signature_id").group_by("revision").agg(
            pl.col("signature_id").alias("leaders"), pl.col("size").sum().alias("total")
        )  # fmt: skip
    return (
        meant.join(found, on="revision", how="left", maintain_order="left")
        .with_columns(pl.col("leaders").fill_null([]), pl.col("total").fill_null(0))
        .sort("commit_ts", maintain_order=True)
        .select("revision", "commit_ts", "total", "leaders")
    )


def with_signatures(counted: pl.DataFrame, shared: SharedRows) -> pl.DataFrame:
    """The rows with `signature_ids` (sorted) in place of `leaders`."""
    rows = counted.with_row_index("row")
    flat = rows.select("row", pl.col("leaders").alias("leader")).explode("leader").drop_nulls()
    of_class = flat.group_by("leader").agg("row")
    each = shared.members.join(of_class, on="leader").sort("signature_id").select("signature_id", "row").explode("row")
    found = each.group_by("row").agg(pl.col("signature_id").alias("signature_ids"))
    return (
        rows.drop("leaders").join(found, on="row", how="left", maintain_order="left").drop("row")
        .with_columns(pl.col("signature_ids").fill_null([]))
    )  # fmt: skip


def per_push(
    pushes: pl.LazyFrame, shared: SharedRows, groups: pl.DataFrame, asked: pl.DataFrame, window: Window
) -> pl.DataFrame:
    """One row a push of the window, in order of time.

    push_id, revision, push_ts, author, commits, state, total (unique signatures that count), groups (of their groups),
    jobs (unique jobs that count), late (values left out because they were asked for later), job_expired (values without
    a job). `asked`: push_id, status as the ledger has it. `state`: scheduled (some job is known), job expired (values,
    but no job any more), not scheduled (asked for, and there is nothing), failed, not asked.
    """
    known, size = pl.col("job_id").is_not_null(), pl.col("size")
    numbered = groups.select("signature_id", pl.col("position").cast(pl.UInt32).alias("group"))
    here = shared.rows.filter(window.counts()).select("push_id", "signature_id", "job_id")
    lists = (
        here.join(numbered.lazy(), on="signature_id", how="left").group_by("push_id").agg("job_id", "group")
        .collect(engine="streaming")
    )  # fmt: skip
    counted = lists.select(
        "push_id",
        *(
            pl.col(name).list.drop_nulls().list.n_unique().alias(f"{name.partition('_')[0]}s")
            for name in ("job_id", "group")
        ),
    ).join(_per_push(shared, window).drop("leaders"), on="push_id")
    every = (
        shared.rows.join(shared.sizes.lazy(), on="signature_id").group_by("push_id")
        .agg(size.filter(~window.counts()).sum().alias("late"), size.filter(~known).sum().alias("job_expired"),
             known.any().alias("known"))
        .collect(engine="streaming")
    )  # fmt: skip
    numbers = ["total", "groups", "jobs", "late", "job_expired"]
    return (
        pushes.filter(window.holds("push_ts")).select("push_id", "revision", "push_ts", "author", "commits").collect()
        .join(every, on="push_id", how="left").join(counted, on="push_id", how="left")
        .join(asked, on="push_id", how="left")
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


def rectified(
    counted: pl.DataFrame,
    groups: pl.DataFrame,
    signatures: pl.LazyFrame,
    shared: SharedRows,
    *,
    excluded: Collection[int] = EXCLUDED_FRAMEWORKS,
) -> pl.DataFrame:
    """Counts in groups in place of signatures, as the original rectifies them.

    `counted`: rows as `per_commit` gives them; gives the same rows with signature_group_ids (positions, in order of
    their lowest signature there) for leaders, total (their number) and unknown (signatures in no group, which are left
    out). A group is excluded where the frameworks of all members are known and all among `excluded`.
    """
    kept = _kept_groups(groups, signatures, excluded)
    classes = shared.sizes.join(kept, on="signature_id", how="left").rename({"signature_id": "leaders"})
    rows = counted.with_row_index("row")
    # A class is in one group as a whole, so that its leader, the lowest of it, stands for it in the order, too.
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


def _kept_groups(groups: pl.DataFrame, signatures: pl.LazyFrame, excluded: Collection[int]) -> pl.DataFrame:
    """signature_id, position, kept."""
    frameworks = signatures.select("signature_id", "framework_id").collect()
    numbers: Sequence[int] = sorted(excluded)
    out = pl.col("framework_id").is_in(numbers).fill_null(False)
    known = groups.select("signature_id", "position").join(frameworks, on="signature_id", how="left")
    return known.select("signature_id", "position", (~out.all().over("position")).alias("kept"))
