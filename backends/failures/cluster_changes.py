"""What failed on two sides (groups, pushes, builds of a job): clusters that are new, gone, grown or shrunk."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from backends.cancel import CancelToken
from backends.failures.clustering import mark_varying
from backends.failures.lists import (
    FAILURES,
    MAX_SAMPLES,
    FailureContext,
    FailureReader,
    cause_text,
    with_clusters,
)
from backends.failures.locators import ClusterChanges, ClustersOf, FailuresOf
from backends.frames.schema import Column, Kind, Schema
from backends.http.response import Freshness
from backends.listings import Listing
from backends.loading import LoadingWork
from backends.resources import LIST, Entry, Link, Page, Row

CHANGES = Schema(
    (
        Column("change", Kind.STATE, "Change", width=9, section="Cluster"),
        Column("base", Kind.COUNT, "Base", section="Cluster"),
        Column("new", Kind.COUNT, "New", section="Cluster"),
        Column("text", Kind.TEXT, "Text", width=60, section="Cluster"),
        Column("tests", Kind.COUNT, "Tests", section="Cluster"),
        Column("tasks", Kind.COUNT, "Tasks", section="Cluster"),
        Column("base_cluster", Kind.ID, "Cluster of the base", hidden=True, searched=False, section="Cluster"),
        Column("new_cluster", Kind.ID, "Cluster of the new side", hidden=True, searched=False, section="Cluster"),
        Column("cluster", Kind.ID, "Cluster", section="Cluster"),
    ),
    key="cluster",
)
_ORDER = {"new": 0, "grown": 1, "same": 2, "shrunk": 3, "gone": 4}


def compare_clusters(base: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """One row (`CHANGES`) for each cluster of the failures (`FAILURES`) of both sides, which are grouped together,
    since a cluster's id depends on what else is in it. New ones come first, then by how much they grew.

    `base`, `new`: failures of each side. `base_cluster`, `new_cluster`: the ids that the sides' own lists have.
    """
    sides = [
        with_clusters(frame).with_columns(side=pl.lit(name), own=pl.col("cluster"))
        for name, frame in (("base", base), ("new", new))
    ]
    rows = with_clusters(pl.concat(sides)).filter(pl.col("cluster").is_not_null()).with_columns(text=cause_text())
    if rows.is_empty():
        return CHANGES.empty()

    def own_id(side: str) -> pl.Expr:
        return pl.col("own").filter(pl.col("side") == side).drop_nulls().mode().sort().first()

    counted = rows.group_by("cluster", maintain_order=True).agg(
        *((pl.col("side") == side).sum().cast(pl.Int64).alias(side) for side in ("base", "new")),
        pl.col("test").drop_nulls().n_unique().cast(pl.Int64).alias("tests"),
        pl.col("task").n_unique().cast(pl.Int64).alias("tasks"),
        pl.col("text").unique(maintain_order=True).head(MAX_SAMPLES).alias("texts"),
        own_id("base").alias("base_cluster"),
        own_id("new").alias("new_cluster"),
    )
    change = (
        pl.when(pl.col("base") == 0).then(pl.lit("new"))
        .when(pl.col("new") == 0).then(pl.lit("gone"))
        .when(pl.col("new") > pl.col("base")).then(pl.lit("grown"))
        .when(pl.col("new") < pl.col("base")).then(pl.lit("shrunk"))
        .otherwise(pl.lit("same"))
    )  # fmt: skip
    texts = [mark_varying(one) for one in counted["texts"].to_list()]
    counted = counted.with_columns(change=change, text=pl.Series(texts, dtype=pl.String))
    order = pl.col("change").replace_strict(_ORDER)
    counted = counted.sort(order, pl.col("base") - pl.col("new"), "text", maintain_order=True)
    return counted.select(pl.col(name).cast(dtype) for name, dtype in CHANGES.polars().items())


class ClusterChangeList(Listing):
    """Columns are those of `CHANGES`. Enter lists the failures of a cluster, of the new side if it has any."""

    schema = CHANGES
    noun = ("cluster", "clusters")
    empty_text = "Nothing failed on either side."
    locator: ClusterChanges

    def __init__(self, locator: ClusterChanges, context: FailureContext) -> None:
        super().__init__(locator)
        self._base, self._new = (FailureReader(side, context) for side in (locator.base, locator.new))

    @property
    def work(self) -> LoadingWork | None:
        return self._new.work if self._new.found is not None else self._base.work

    @property
    def title(self) -> str:
        names = [side.found.title if side.found is not None else side.of for side in (self._base, self._new)]
        return f"failures of {names[1]} against {names[0]}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        frames, freshness = [], Freshness()
        for side in (self._base, self._new):
            parts = [FAILURES.empty()]
            for frame, latest in side.frames(cancel):
                parts.append(frame)
                freshness = freshness.worse(latest)
            frames.append(pl.concat(parts))
        changes = compare_clusters(*frames)
        note = f"Base: {self._base.notes()} New: {self._new.notes()}"
        partial = self._base.is_partial or self._new.is_partial
        yield Page(changes, freshness, len(changes), replace=True, note=note, partial=partial)

    def open(self, row: Row) -> FailuresOf:
        if row.get("new_cluster"):
            return FailuresOf(self.locator.new, str(row["new_cluster"]))
        return FailuresOf(self.locator.base, str(row["base_cluster"]))

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        return [
            Link("Clusters of the new side", ClustersOf(self.locator.new), letter="n", group=LIST),
            Link("Clusters of the base", ClustersOf(self.locator.base), letter="b", group=LIST),
            Link("Swap sides", ClusterChanges(self.locator.new, self.locator.base), letter="s", group=LIST),
        ]

    def row_title(self, row: Row) -> str:
        return str(row.get("text") or row["cluster"])

    def summary(self, frame: pl.DataFrame) -> str:
        """ "2 new · 1 grown · 4 gone"."""
        counts = dict(frame["change"].value_counts().iter_rows())
        return " · ".join(f"{counts[name]:,} {name}" for name in _ORDER if name in counts)
