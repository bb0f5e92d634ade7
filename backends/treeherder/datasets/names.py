"""Treeherder's numbers in words: statuses of alerts and of their summaries, and the frameworks.

Statuses from treeherder/perf/models.py (infra since June 2026), frameworks from its fixtures. What is not known here is
shown as its number: servers are newer than programs.
"""

from __future__ import annotations

import polars as pl

SUMMARY_STATUS = {
    0: "untriaged",
    1: "downstream",
    2: "reassigned",
    3: "invalid",
    4: "improvement",
    5: "investigating",
    6: "wontfix",
    7: "fixed",
    8: "backedout",
    9: "infra",
}
FRAMEWORK = {
    1: "talos",
    2: "build_metrics",
    4: "awsy",
    5: "awfy",
    6: "platform_microbench",
    11: "js-bench",
    12: "devtools",
    13: "browsertime",
    14: "vcs",
    15: "mozperftest",
    16: "fxrecord",
    17: "telemetry",
    18: "mozharness",
}
BUG_STATUSES = (6, 7, 8)  # wontfix, fixed, backedout: what the original takes for a regression that is settled
HIDDEN_STATUSES = (1, 2, 3)  # hide_related_and_invalid


def named(column: str, names: dict[int, str]) -> pl.Expr:
    """The name of each number, the number itself where it has none."""
    number = pl.col(column)
    return number.replace_strict(names, default=number.cast(pl.String), return_dtype=pl.String)


def moment(column: str) -> pl.Expr:
    """Epoch seconds as a time."""
    return pl.from_epoch(pl.col(column) * 1000, "ms").dt.replace_time_zone("UTC").alias(column)
