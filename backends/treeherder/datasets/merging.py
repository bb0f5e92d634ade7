"""How rows that come again are joined with those that are there: no row twice, nothing known lost to a null."""

from __future__ import annotations

import polars as pl

from backends.treeherder.datasets.tables import EXPIRED, PAIRS, Table

_ENDED = "completed"


def merged(table: Table, old: pl.DataFrame, new: pl.DataFrame, listed: pl.Series | None = None) -> pl.DataFrame:
    """The rows of both, in the order of the table. Of rows with one key in `new` the later is the newer.

    `listed`: the summaries whose lists of alerts `new` tells anew, those whose list is empty included.
    """
    new = new.select(list(table.columns)).drop_nulls(list(table.key))
    if table.merging == "replace_listed":
        told = new["listed_in"] if listed is None else pl.concat([new["listed_in"], listed])
        rest = old.filter(~pl.col("listed_in").is_in(told.unique().to_list()))
        found = pl.concat([rest, new.unique(table.key, keep="last", maintain_order=True)])
    elif table.merging == "replace":
        newest = new.unique(table.key, keep="last", maintain_order=True)
        found = pl.concat([old.join(newest, on=table.key, how="anti"), newest])
    else:
        found = _filled(table, old, _without_rounding(old, new) if table is PAIRS else new)
    if table is PAIRS:
        found = _one_a_job(found)
    return found.sort(table.order, nulls_last=True)


def _without_rounding(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """`new` without the values that are but those of `old` rounded: all digits stay once they are known."""
    told = old.filter(pl.col("exact")).select("datum_id", pl.col("value").alias("all_digits"))
    if told.is_empty() or new.is_empty():
        return new
    rounded = (pl.col("value") - pl.col("all_digits")).abs() < 0.0051  # half a hundredth, and what a float adds
    same = (rounded & ~pl.col("exact").fill_null(False)).fill_null(False)
    return (
        new.join(told, on="datum_id", how="left", maintain_order="left")
        .with_columns(pl.when(~same).then(pl.col(name)).alias(name) for name in ("value", "exact"))
        .drop("all_digits")
    )


def _filled(table: Table, old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    key, rest = list(table.key), [name for name in table.columns if name not in table.key]
    if table.merging == "jobs":
        # The latest of several, unless an earlier one was further: what has ended stays so.
        new = new.sort(_progress(), maintain_order=True)
    newest = new
    if new.select(key).is_duplicated().any():
        latest = [pl.col(name).drop_nulls().last() for name in rest if name != "seen_at"]
        if "seen_at" in rest:
            latest.append(pl.col("seen_at").min())
        newest = new.group_by(key, maintain_order=True).agg(latest).select(list(table.columns))
    both = old.join(newest, on=key, how="left", suffix="_new", maintain_order="left")
    keep_old = pl.lit(False)
    if table.merging == "jobs":
        keep_old = (_progress() > _progress("state_new")) & pl.col("state").is_not_null()
    chosen = [
        pl.when(keep_old).then(pl.coalesce(name, f"{name}_new")).otherwise(pl.coalesce(f"{name}_new", name)).alias(name)
        for name in rest
        if name != "seen_at"
    ]
    first_seen = [pl.min_horizontal("seen_at", "seen_at_new").alias("seen_at")] if "seen_at" in rest else []
    updated = both.select(*key, *chosen, *first_seen).select(list(table.columns))
    return pl.concat([updated, newest.join(old, on=key, how="anti")])


def _progress(name: str = "state") -> pl.Expr:
    """An expired job tells nothing, one that has ended tells all."""
    state = pl.col(name)
    return pl.when(state == _ENDED).then(2).when(state == EXPIRED).then(0).when(state.is_null()).then(0).otherwise(1)


def _one_a_job(pairs: pl.DataFrame) -> pl.DataFrame:
    """A job gives a signature one value; were there two, counting pairs would no longer be counting jobs."""
    known = pl.col("job_id").is_not_null()
    first = pl.col("datum_id") == pl.col("datum_id").min().over("signature_id", "job_id")
    twice = pairs.lazy().filter(known).select("signature_id", "job_id").collect().is_duplicated().any()
    return pairs.filter(~known | first) if twice else pairs
