"""What differs between two task groups, or two selections of tasks: the tasks by label, and what they measured.

Both comparisons are frames with a schema, sorted so that what changed comes first. The statistics, their words and
their sources are those of `backends.frames.comparison`.
"""

from __future__ import annotations

import polars as pl

from backends.frames.comparison import COMPARED, compare
from backends.frames.schema import Column, Kind, Schema
from backends.taskcluster.measurements_reading import by_replicate

SERIES = ("framework", "suite", "subtest", "platform", "build_type", "options", "application")

_OF_DURATION = {
    "median_base": "duration_base",
    "median_new": "duration_new",
    "n_base": "n_base",
    "n_new": "n_new",
    **{name: name for name in ("delta", "delta_percent", "p", "cliffs_delta", "effect", "cles", "t", "confidence")},
    "verdict": "shift",
}

TASK_CHANGES = Schema(
    (
        # At 80 cells: what changed, where, and the states of both sides, unless retriggers make them long.
        Column("change", Kind.STATE, "Change", width=14),
        Column("label", Kind.TEXT, "Label", width=34, keeps_end=True),
        Column("states_base", Kind.TEXT, "Base"),
        Column("states_new", Kind.TEXT, "New"),
        Column("duration_base", Kind.DURATION, "Duration base", "s"),
        Column("duration_new", Kind.DURATION, "Duration new", "s"),
        Column("delta", Kind.DURATION, "Δ", "s"),
        Column("delta_percent", Kind.NUMBER, "Δ %"),
        Column("shift", Kind.STATE, "Duration"),
        Column("p", Kind.NUMBER, "p (ranks)"),
        Column("cliffs_delta", Kind.NUMBER, "Cliff's δ"),
        Column("effect", Kind.TEXT, "Effect"),
        Column("cles", Kind.NUMBER, "P(base > new)", hidden=True),
        Column("t", Kind.NUMBER, "t"),
        Column("confidence", Kind.TEXT, "Confidence"),
        Column("tasks_base", Kind.COUNT, "Tasks base"),
        Column("tasks_new", Kind.COUNT, "Tasks new"),
        Column("n_base", Kind.COUNT, "Timed base", hidden=True),
        Column("n_new", Kind.COUNT, "Timed new", hidden=True),
        Column("suite", Kind.TEXT, "Suite"),
        Column("platform", Kind.TEXT, "Platform"),
        Column("kind", Kind.TEXT, "Kind", hidden=True),
        Column("task_base", Kind.ID, "Task base", hidden=True),
        Column("task_new", Kind.ID, "Task new", hidden=True),
    ),
    key="label",
)
_ORDER = {"new failure": 0, "missing": 1, "fixed": 2, "other states": 3, "new": 4, "same": 5}

_BY_HOW_MUCH = tuple(column for column in COMPARED if column.name == "delta_percent")
SERIES_CHANGES = Schema(
    (
        # At 80 cells: whether, what, by how much, and the beginning of where.
        COMPARED[0],
        Column("suite", Kind.TEXT, "Suite", width=16, keeps_end=True),
        Column("subtest", Kind.TEXT, "Subtest", width=20, keeps_end=True),
        *_BY_HOW_MUCH,
        Column("platform", Kind.TEXT, "Platform"),
        *(column for column in COMPARED[1:] if column not in _BY_HOW_MUCH),
        Column("unit", Kind.TEXT, "Unit"),
        Column("lower_is_better", Kind.TEXT, "Lower is better"),
        Column("options", Kind.TEXT, "Options"),
        Column("build_type", Kind.TEXT, "Build"),
        Column("framework", Kind.TEXT, "Framework"),
        Column("application", Kind.TEXT, "Application", hidden=True),
    ),
    key="key",
)


def compare_tasks(base: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """One row a label (schema `TASK_CHANGES`) of two frames of the schema `TASKS`; a task without label by its name.

    `change`: missing (not in new), new (not in base), new failure (a task of new failed or ended in an exception, none
    of base), fixed (some of base did, all of new completed), other states, or same. The states of a side, its
    retriggers together, read "5 completed, 1 failed". Durations are the medians of the completed tasks, for a failure
    ends early; `shift` is the verdict of the rank test over the retriggers, longer being a regression, None where a
    side has no completed task.
    """
    sides = [_by_label(side, name) for side, name in ((base, "base"), (new, "new"))]
    both = sides[0].join(sides[1], on="label", how="full", coalesce=True, maintain_order="left_right")
    shifts = compare(_timed(base), _timed(new), ["label"], value="duration").select(
        "label", *(pl.col(name).alias(shown) for name, shown in _OF_DURATION.items())
    )
    found = both.join(shifts, on="label", how="left", maintain_order="left").with_columns(
        _change().alias("change"),
        *(pl.coalesce(f"{name}_new", f"{name}_base").alias(name) for name in ("suite", "platform", "kind")),
        *(pl.col(name).fill_null(0) for name in ("tasks_base", "tasks_new", "n_base", "n_new")),
    )
    ordered = found.sort(
        pl.col("change").replace_strict(_ORDER, return_dtype=pl.Int8),
        pl.col("shift").replace_strict({"regression": 0, "improvement": 1}, default=2, return_dtype=pl.Int8),
        "label",
        maintain_order=True,
    )
    return _fitted(ordered, TASK_CHANGES)


def _label() -> pl.Expr:
    return pl.coalesce("label", "name", "task_id").alias("label")


def _by_label(tasks: pl.DataFrame, side: str) -> pl.DataFrame:
    named = tasks.sort("created", "task_id").with_columns(_label())
    counted = named.group_by("label", "state", maintain_order=True).len().sort("len", "state", descending=[True, False])
    alone = (pl.col("len") == 1) & (pl.len().over("label") == 1)  # one task of one state needs no number
    worded = counted.with_columns(words=pl.when(alone).then("state").otherwise(pl.format("{} {}", "len", "state")))
    states = worded.group_by("label", maintain_order=True).agg(pl.col("words").str.join(", ").alias(f"states_{side}"))
    return named.group_by("label", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias(f"tasks_{side}"),
        pl.col("state").is_in(["failed", "exception"]).any().alias(f"bad_{side}"),
        pl.col("state").unique().sort().str.join(" ").alias(f"set_{side}"),
        pl.col("task_id").last().alias(f"task_{side}"),
        *(pl.col(name).drop_nulls().first().alias(f"{name}_{side}") for name in ("suite", "platform", "kind")),
    ).join(states, on="label", maintain_order="left")  # fmt: skip


def _timed(tasks: pl.DataFrame) -> pl.DataFrame:
    return tasks.filter(pl.col("state") == "completed").select(_label(), "duration")


def _change() -> pl.Expr:
    before, after = pl.col("bad_base"), pl.col("bad_new")
    return (
        pl.when(after.is_null()).then(pl.lit("missing"))
        .when(before.is_null()).then(pl.lit("new"))
        .when(after & ~before).then(pl.lit("new failure"))
        .when(before & (pl.col("set_new") == "completed")).then(pl.lit("fixed"))
        .when(pl.col("set_base") != pl.col("set_new")).then(pl.lit("other states"))
        .otherwise(pl.lit("same"))
    )  # fmt: skip


def compare_measurements(base: pl.DataFrame, new: pl.DataFrame, *, replicates: bool = False) -> pl.DataFrame:
    """One row a series (schema `SERIES_CHANGES`) of two frames of the schema `MEASUREMENTS`.

    A series is what Perfherder takes for one: the columns of `SERIES`. Each run of a task gives one value, as in
    Perfherder's compare view, or with `replicates` all that it measured; only runs count as runs either way. A series
    of one side has no verdict. Those that changed by either verdict come first, the largest effect first.
    """
    if replicates:
        base, new = by_replicate(base), by_replicate(new)
    sides = [
        side.with_columns(
            _lower=pl.col("lower_is_better") != "no", _task_run=pl.concat_str("task_id", pl.lit("/"), "run")
        )
        for side in (base, new)
    ]
    compared = compare(sides[0], sides[1], SERIES, lower_is_better="_lower", run="_task_run")
    told = pl.concat(sides).group_by(SERIES).agg(pl.col("unit", "lower_is_better").drop_nulls().first())
    found = compared.join(told, on=SERIES, how="left", nulls_equal=True, maintain_order="left").with_columns(
        key=pl.concat_str([pl.col(name).fill_null("\0") for name in SERIES], separator="\x1f")
    )
    changed = pl.any_horizontal(
        pl.col(name).is_in(["regression", "improvement", "warning"]).fill_null(False)
        for name in ("verdict", "t_verdict")
    )
    ordered = found.sort(
        changed,
        pl.col("cliffs_delta").is_not_null(),
        pl.col("cliffs_delta").abs(),
        pl.col("delta_percent").abs(),
        descending=True,
        nulls_last=True,
        maintain_order=True,
    )
    return _fitted(ordered, SERIES_CHANGES)


def _fitted(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.polars().items())
