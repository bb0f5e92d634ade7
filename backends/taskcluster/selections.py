"""The rows of a group, or of some tasks of it, for whatever is computed from them as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from backends.cancel import CancelToken
from backends.http.policies import Mode
from backends.http.response import Freshness, ResponseSource
from backends.locators.taskcluster import TaskGroup
from backends.resources import gather
from backends.taskcluster.listings import Listing, Listings
from backends.taskcluster.queue import RESOLVED, Deployment

# Seconds for which a stored listing is not read again: it was shown when its view was asked for.
FRESH, FRESH_WHILE_RUNNING = 300.0, 30.0


@dataclass(frozen=True)
class Selected:
    """`frame` has the schema `TASKS`. `note`: what is missing or odd."""

    frame: pl.DataFrame
    origin: Freshness
    note: str = ""


def selected(deployment: Deployment, group: TaskGroup, cancel: CancelToken) -> Selected:
    """The tasks of `group` (or those that it names), listed anew only if the stored listing is old.

    Raises the `AppError`s of the listing.
    """
    from backends.taskcluster.tasks import TaskGroupTasks

    stored = Listings(deployment).read(group.group_id)
    offline = deployment.http.mode is Mode.OFFLINE
    if stored is not None and (stored.final or offline or stored.age < _holds(stored)):
        origin = Freshness(
            ResponseSource.STALE if offline else ResponseSource.CACHE, stored.age, "offline" if offline else ""
        )
        return Selected(only(stored.frame, group.task_ids), origin)
    gathered = gather(TaskGroupTasks(group, deployment.http, deployment.root), cancel)
    return Selected(gathered.frame, gathered.origin, " ".join(gathered.notes))


def _holds(stored: Listing) -> float:
    return FRESH if stored.frame["state"].is_in(list(RESOLVED)).all() else FRESH_WHILE_RUNNING


def only(frame: pl.DataFrame, task_ids: tuple[str, ...]) -> pl.DataFrame:
    """All rows, or those of the tasks that are named."""
    return frame.filter(pl.col("task_id").is_in(list(task_ids))) if task_ids else frame
