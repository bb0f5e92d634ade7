"""How long the tasks of a group took in the pushes before: what the time left of a running group is estimated from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

import polars as pl

from backends.cancel import CancelToken
from backends.http.errors import HttpError, NotFoundError
from backends.taskcluster.client import RESOLVED, Client
from backends.taskcluster.group_cache import GroupCache, load_tasks
from backends.taskcluster.locators import TaskGroup, is_slugid
from backends.time_left import CERTAIN, Durations, TimeLeft, Work, estimate_time_left

LOOKED_UP = 15  # pushes before this one that the index is asked for; one request each, kept like all answers
MOST_TASKS = 30_000  # listed for this, some three groups of Firefox; what was listed before costs nothing
_PUSH_ROUTE = "tc-treeherder.v2."


def earlier_groups(client: Client, group_id: str, cancel: CancelToken) -> Iterator[pl.DataFrame]:
    """The tasks (schema `TASKS`) of pushes to the same project before this group's, the nearest first.

    Firefox's decision tasks carry their push's number in a route and are indexed by it as
    gecko.v2.PROJECT.pushlog-id.N.decision (taskcluster/config.yml of mozilla-central); a group without that route has
    none. What cannot be had is left out. Raises `OperationCancelledError`.
    """
    if client.http.mode.is_offline:
        return
    try:
        definition, _ = client.fetch_definition(group_id, cancel)
    except HttpError:
        return
    push = next((route.split(".") for route in definition.routes if route.startswith(_PUSH_ROUTE)), [])
    if len(push) < 5 or not push[4].isdecimal():
        return
    project, number = push[2], int(push[4])
    cache, found, listed = GroupCache(client), 0, 0
    for earlier in range(number - 1, max(number - LOOKED_UP, 0) - 1, -1):
        if found == CERTAIN:
            return
        try:
            other = client.find_task(f"gecko.v2.{project}.pushlog-id.{earlier}.decision", cancel)
        except NotFoundError:
            continue  # a push without a decision task, or one that has expired
        except HttpError:
            return
        if not is_slugid(other) or other == group_id:
            continue
        known = cache.read(other)
        if known is None and listed < MOST_TASKS:
            with contextlib.suppress(HttpError):
                frame = load_tasks(client, TaskGroup(other, client.root), cancel).frame
                listed, found = listed + frame.height, found + 1
                yield frame
        elif known is not None:
            yield known.frame
            found += 1


def durations_of(groups: Iterator[pl.DataFrame]) -> Durations:
    """Of completed and failed tasks: others say nothing about how long one takes."""
    by_label: dict[str, list[float]] = {}
    by_kind: dict[str, list[float]] = {}
    count = 0
    for frame in groups:
        count += 1
        ended = frame.filter(pl.col("state").is_in(["completed", "failed"]) & (pl.col("duration") > 0))
        for name, label, kind, seconds in ended.select("name", "label", "kind", "duration").iter_rows():
            by_label.setdefault(label or name or "", []).append(seconds)
            by_kind.setdefault(kind or "", []).append(seconds)
    return Durations(by_label, by_kind, count)


def work_of(frame: pl.DataFrame, now: datetime) -> list[Work]:
    """The tasks (schema `TASKS`) in an order in which what a task waits for comes before it."""
    rows = {
        row["task_id"]: row
        for row in frame.select(
            "task_id", "state", "name", "label", "kind", "duration", "started", "depends_on"
        ).iter_rows(named=True)
    }
    places: dict[str, int] = {}
    found: list[Work] = []
    for first in rows:
        # Depth first without recursion: a chain may be as long as the group, and a hostile one may be a circle.
        path, seen = [first], {first}
        while path:
            task_id = path[-1]
            waits_for = [one for one in (rows[task_id]["depends_on"] or "").split() if one in rows]
            missing = next((one for one in waits_for if one not in places and one not in seen), None)
            if task_id not in places and missing is not None:
                path.append(missing)
                seen.add(missing)
                continue
            path.pop()
            if task_id not in places:
                places[task_id] = len(found)
                found.append(_work(rows[task_id], [places[one] for one in waits_for if one in places], now))
    return found


def _work(row: dict[str, object], after: list[int], now: datetime) -> Work:
    done, ran, started = row["state"] in RESOLVED, row["duration"], row["started"]
    if not done and isinstance(started, datetime):
        ran = max((now - started).total_seconds(), 0.0) if row["state"] == "running" else None
    label = str(row["label"] or row["name"] or "")
    return Work(label, str(row["kind"] or ""), after, ran if isinstance(ran, float) else None, done)


def queue_times(frame: pl.DataFrame) -> list[float]:
    """Seconds that the tasks of today waited for a worker."""
    return [seconds for seconds in frame["queue_time"].drop_nulls().to_list() if seconds >= 0]


def estimate_group(frame: pl.DataFrame, known: Durations, now: datetime | None = None) -> TimeLeft | None:
    """When a group (schema `TASKS`) ends. Tasks that nothing can start any more, since what they need failed, are left
    out."""
    at = now or datetime.now(UTC)
    blocked = _blocked(frame)
    return estimate_time_left(work_of(frame.filter(~pl.col("task_id").is_in(blocked)), at), known, queue_times(frame))


def _blocked(frame: pl.DataFrame) -> list[str]:
    """Unscheduled tasks that wait, directly or not, for one that failed."""
    rows = frame.select("task_id", "state", "depends_on").rows()
    bad = {task_id for task_id, state, _ in rows if state in ("failed", "exception")}
    waiting = {task_id: (needs or "").split() for task_id, state, needs in rows if state == "unscheduled"}
    blocked: list[str] = []
    while more := [task_id for task_id, needs in waiting.items() if bad.intersection(needs)]:
        blocked += more
        bad.update(more)
        for task_id in more:
            del waiting[task_id]
    return blocked
