"""The last complete listing of each task group, kept as columns on disk: shown at once when a group is opened again.

Kept in the HTTP cache's store under a key with our version, the deployment and who we are to it. The bytes
are an Arrow IPC file and are distrusted when read: anything odd is dropped and listed anew.
"""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from backends.taskcluster.queue import RESOLVED
from backends.taskcluster.task_columns import TASKS

if TYPE_CHECKING:
    from backends.taskcluster.queue import Deployment

VERSION = 2  # of the columns and of what their cells mean; raise it when either changes


@dataclass(frozen=True)
class Listing:
    """A group as it was `age` seconds ago. `frame` has the schema `TASKS`."""

    frame: pl.DataFrame
    age: float
    sealed: bool
    expires_ms: int | None

    @property
    def final(self) -> bool:
        """Whether it cannot change any more.

        No task can be added (sealed or expired), none is unresolved (a state that we do not know is not resolved),
        and none can be run again (the queue refuses that after a task's deadline).
        """
        now = time.time() * 1000
        if not (self.sealed or (self.expires_ms is not None and self.expires_ms < now)):
            return False
        late = (pl.col("deadline").dt.timestamp("ms") < now).fill_null(False)
        return bool(self.frame.select((pl.col("state").is_in(list(RESOLVED)) & late).all()).item())


class Listings:
    """The stored listings of one deployment; without a store (caching is off) it remembers nothing."""

    def __init__(self, deployment: Deployment) -> None:
        self._store = deployment.http.blob_cache()
        self._prefix = f"taskcluster-group-v{VERSION}|{deployment.root}|{deployment.http.scope(deployment.root)}|"

    def read(self, group_id: str) -> Listing | None:
        """The group's last complete listing, None if there is none that can be read."""
        found = None if self._store is None else self._store.get(self._prefix + group_id)
        if self._store is None or found is None:
            return None
        frame = _frame(found.body)
        if frame is None:
            self._store.delete(self._prefix + group_id)
            return None
        expires = found.meta.get("expires_ms")
        return Listing(
            frame,
            age=max(time.time() - found.stored_at, 0.0),
            sealed=found.meta.get("sealed") is True,
            expires_ms=expires if isinstance(expires, int) else None,
        )

    def write(self, group_id: str, frame: pl.DataFrame, *, sealed: bool, expires_ms: int | None) -> None:
        if self._store is None:
            return
        target = io.BytesIO()
        frame.write_ipc(target, compression="lz4")
        self._store.put(self._prefix + group_id, target.getvalue(), {"sealed": sealed, "expires_ms": expires_ms})


def _frame(kept: bytes) -> pl.DataFrame | None:
    """The stored columns; None for bytes that are not (or no longer) these columns."""
    try:
        frame = pl.read_ipc(io.BytesIO(kept))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError):
        return None
    if frame.schema != pl.Schema(TASKS.polars()) or frame["task_id"].null_count():
        return None
    return frame
