"""How much performance testing each revision got: unique signatures, and signature groups, per commit or per push.

The original counts per commit of a list, of which only the heads of pushes can have results, and most pushes are not
meant to have any: Autoland runs nearly all performance tests on every 20th push or every four hours. So the honest
unit is the push, in one of three states, and zero is only a measurement where something was looked for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

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

    def holds(self, column: str) -> pl.Expr:
        bounds = pl.lit(True)
        if self.since is not None:
            bounds = bounds & (pl.col(column) >= self.since)
        if self.until is not None:
            bounds = bounds & (pl.col(column) <= self.until)
        return bounds


def _lists(rows: pl.LazyFrame, by: str, *columns: str) -> pl.DataFrame:
    """The values of each group as lists, duplicates and all: uniqueness is cheaper afterwards, list by list.

    At 20 million pairs 0.9 s of CPU where n_unique or unique inside the aggregation take 1.0 to 1.7 s.
    """
    return rows.group_by(by).agg(columns).collect(engine="streaming")


def per_commit(commits: pl.DataFrame, pushes: pl.LazyFrame, pairs: pl.LazyFrame, window: Window) -> pl.DataFrame:
    """The original's count. `commits`: revision, commit_ts (epoch seconds), each revision once.

    One row a commit of the window, in order of time: revision, commit_ts, total, signature_ids (sorted); zero where
    nothing was measured, which it always is for commits that are not the head of a push.
    """
    meant = commits.filter(window.holds("commit_ts"))
    heads = pushes.select("push_id", "revision").collect().join(meant, on="revision", how="semi").unique("push_id")
    here = pairs.filter(window.counts()).select("push_id", "signature_id")
    if len(heads) < pushes.select(pl.len()).collect().item():
        here = here.join(heads.lazy(), on="push_id", how="semi")
    lists = _lists(here, "push_id", "signature_id").join(heads, on="push_id")
    if lists["revision"].is_duplicated().any():  # no server lists a revision as two pushes, but nothing forbids it
        lists = lists.explode("signature_id").group_by("revision").agg("signature_id")
    found = lists.select("revision", pl.col("signature_id").list.unique().list.sort().alias("signature_ids"))
    return (
        meant.join(found, on="revision", how="left", maintain_order="left")
        .with_columns(pl.col("signature_ids").fill_null([]))
        .with_columns(pl.col("signature_ids").list.len().cast(pl.Int64).alias("total"))
        .sort("commit_ts", maintain_order=True)
        .select("revision", "commit_ts", "total", "signature_ids")
    )


def per_push(
    pushes: pl.LazyFrame, pairs: pl.LazyFrame, groups: pl.DataFrame, asked: pl.DataFrame, window: Window
) -> pl.DataFrame:
    """One row a push of the window, in order of time.

    push_id, revision, push_ts, author, commits, state, total (unique signatures that count), groups (of their groups),
    jobs (unique jobs that count), late (values left out because they were asked for later), job_expired (values without
    a job). `asked`: push_id, status as the ledger has it. `state`: scheduled (some job is known), job expired (values,
    but no job any more), not scheduled (asked for, and there is nothing), failed, not asked.
    """
    known, unique = pl.col("job_id").is_not_null(), {"signature_id": "total", "job_id": "jobs", "group": "groups"}
    numbered = groups.select("signature_id", pl.col("position").cast(pl.UInt32).alias("group"))
    here = pairs.filter(window.counts()).select("push_id", "signature_id", "job_id")
    lists = _lists(here.join(numbered.lazy(), on="signature_id", how="left"), "push_id", *unique)
    counted = lists.select(
        "push_id", *(pl.col(old).list.drop_nulls().list.n_unique().alias(new) for old, new in unique.items())
    )
    every = (
        pairs.group_by("push_id")
        .agg((~window.counts()).sum().alias("late"), (~known).sum().alias("job_expired"), known.any().alias("known"))
        .collect(engine="streaming")
    )
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
    *,
    excluded: Collection[int] = EXCLUDED_FRAMEWORKS,
) -> pl.DataFrame:
    """Counts in groups in place of signatures, as the original rectifies them.

    `counted`: rows with a list signature_ids; gives the same rows with signature_group_ids (positions, in order of
    first sight) for it, total (their number) and unknown (signatures in no group, which are left out). A group is
    excluded where the frameworks of all members are known and all among `excluded`.
    """
    kept = _kept_groups(groups, signatures, excluded)
    rows = counted.with_row_index("row")
    flat = rows.select("row", "signature_ids").explode("signature_ids").drop_nulls().rename(
        {"signature_ids": "signature_id"}
    )  # fmt: skip
    placed = flat.join(kept, on="signature_id", how="left", maintain_order="left")
    found = (
        placed.group_by("row", maintain_order=True).agg(
            pl.col("position").filter(pl.col("kept")).unique(maintain_order=True).alias("signature_group_ids"),
            pl.col("position").is_null().sum().cast(pl.Int64).alias("unknown"),
        )
    )  # fmt: skip
    return (
        rows.drop("signature_ids", "total", strict=False).join(found, on="row", how="left", maintain_order="left")
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
