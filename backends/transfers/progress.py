"""Progress of a transfer: counts, bytes, rate, remaining time, and the frame of its files.

The sums are updated file by file: walking 10,000 files for each snapshot would cost the interface 2 ms, five times a
second.
"""

from __future__ import annotations

import functools
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from backends.errors import AppError
from backends.frames.schema import Column, Kind, Schema
from backends.transfers.states import FINAL_STATES, FileTransfer, TransferState

_ARRIVED = frozenset({TransferState.STORED, TransferState.VERIFIED, TransferState.UNCHECKED})
WINDOW = 5.0  # seconds that the rate looks back


@dataclass(frozen=True, slots=True)
class ActiveFile:
    """A running file. `size` is None while unknown."""

    key: str
    name: str
    target: str
    bytes: int
    size: int | None
    tries: int


@dataclass(frozen=True, slots=True)
class HostWait:
    """A host that is not asked for so many seconds; `reason` is its status (429) or a word."""

    host: str
    seconds: float
    reason: str

    @property
    def text(self) -> str:
        return f"waiting {max(1, round(self.seconds))} s for {self.host} ({self.reason})"


@dataclass(frozen=True)
class TransferSnapshot:
    """A transfer at one moment.

    `bytes_done` of `bytes_known`: content of the files to fetch whose size is known; `unknown_sizes` counts the
    others. `rate`: received bytes per second, over the last seconds. `eta`: seconds, None if unknown. `problem`: what
    stopped or paused the run, e.g. a full disk. `waits`: hosts that asked for a pause; files of other hosts continue.
    """

    counts: Mapping[TransferState, int]
    total: int
    bytes_done: int
    bytes_known: int
    unknown_sizes: int
    rate: float
    eta: float | None
    elapsed: float
    paused: bool
    finished: bool
    problem: AppError | None
    active: tuple[ActiveFile, ...] = field(default=())
    waits: tuple[HostWait, ...] = field(default=())

    @property
    def ended(self) -> int:
        """Files that have ended, successfully or not."""
        return sum(count for state, count in self.counts.items() if state in FINAL_STATES)

    @property
    def failed(self) -> int:
        return self.counts.get(TransferState.FAILED, 0)


class TransferProgress:
    """The sums behind a snapshot. Not thread-safe: the transfer calls it under its lock."""

    def __init__(self, items: Iterable[FileTransfer]) -> None:
        self.counts = dict.fromkeys(TransferState, 0)
        self._waiting_known = 0
        self._waiting_unknown = 0
        self._settled = 0
        self._settled_files = 0
        self._wire = 0
        self._samples: deque[tuple[float, int]] = deque()
        self._began: float | None = None
        self._ended: float | None = None
        for item in items:
            self.counts[item.state] += 1
            self._count_waiting(item, item.state is TransferState.PLANNED)

    def begin(self) -> None:
        self._began, self._ended = time.monotonic(), None
        self._samples.clear()

    def end(self) -> None:
        self._ended = time.monotonic()

    def set_state(self, item: FileTransfer, state: TransferState) -> None:
        """Changes the state of a file and the sums with it."""
        if item.state is state:
            return
        before, item.state = item.state, state
        self.counts[before] -= 1
        self.counts[state] += 1
        self._count_waiting(item, (state is TransferState.PLANNED) - (before is TransferState.PLANNED))
        self._count_stored(item, (state in _ARRIVED) - (before in _ARRIVED))

    def add_received(self, item: FileTransfer) -> None:
        """A try has ended: moves its received bytes from the file to the sum."""
        self._wire += item.wire
        item.wire = 0

    def snapshot(
        self,
        running: Iterable[FileTransfer],
        *,
        paused: bool,
        finished: bool,
        problem: AppError | None,
        waits: tuple[HostWait, ...] = (),
    ) -> TransferSnapshot:
        active = tuple(
            ActiveFile(item.key, item.row.path[-1], item.row.target, item.bytes, item.size, item.tries)
            for item in running
        )
        wire = self._wire + sum(item.wire for item in running)
        done = self._settled + sum(one.bytes for one in active)
        known = self._settled + self._waiting_known + sum(max(one.size or 0, one.bytes) for one in active)
        unknown = self._waiting_unknown + sum(one.size is None for one in active)
        rate = self._rate(wire)
        eta = None if finished or paused else self._eta(known - done, rate)
        now = self._ended if self._ended is not None else time.monotonic()
        elapsed = 0.0 if self._began is None else now - self._began
        return TransferSnapshot(
            dict(self.counts), sum(self.counts.values()), done, known, unknown, 0.0 if finished else rate, eta, elapsed,
            paused, finished, problem, active, () if finished else waits,
        )  # fmt: skip

    def _rate(self, wire: int) -> float:
        now = time.monotonic()
        if self._began is None:
            return 0.0
        if not self._samples:
            self._samples.append((self._began, 0 if self._wire == 0 else self._wire))
        self._samples.append((now, wire))
        while len(self._samples) > 2 and self._samples[1][0] <= now - WINDOW:
            self._samples.popleft()
        then, before = self._samples[0]
        return max(0, wire - before) / (now - then) if now > then else 0.0

    def _eta(self, left: int, rate: float) -> float | None:
        if rate <= 0:
            return None
        if self._waiting_unknown:
            if not self._settled_files:
                return None
            left += self._waiting_unknown * self._settled // self._settled_files
        return left / rate

    def _count_waiting(self, item: FileTransfer, sign: int) -> None:
        if sign:
            if item.file.size is None:
                self._waiting_unknown += sign
            else:
                self._waiting_known += sign * item.file.size

    def _count_stored(self, item: FileTransfer, sign: int) -> None:
        if sign:
            self._settled += sign * item.bytes
            self._settled_files += sign


TRANSFER_SCHEMA = Schema(
    key="key",
    columns=(
        Column("state", Kind.STATE, "State"),
        Column("name", Kind.TEXT, "Name"),
        Column("bytes", Kind.BYTES, "Done"),
        Column("size", Kind.BYTES, "Size"),
        Column("tries", Kind.COUNT, "Tries"),
        Column("checked_by", Kind.TEXT, "Verified by"),
        Column("reason", Kind.TEXT, "Reason"),
        Column("target", Kind.TEXT, "File"),
        Column("detail", Kind.TEXT, "Why", hidden=True),
        Column("key", Kind.ID, "Key", hidden=True, searched=False),
    ),
)


class TransferListing:
    """The frame of a transfer's files. It reads without a lock: workers write each cell as one value."""

    def __init__(self, items: Sequence[FileTransfer]) -> None:
        self._items = items

    @functools.cached_property
    def _fixed(self) -> dict[str, pl.Series]:
        """The columns that never change: two thirds of the cost."""
        return {
            "key": pl.Series("key", [item.key for item in self._items], pl.String),
            "name": pl.Series("name", [item.row.path[-1] for item in self._items], pl.String),
            "target": pl.Series("target", [item.row.target for item in self._items], pl.String),
        }

    def frame(self) -> pl.DataFrame:
        """All files in `TRANSFER_SCHEMA`."""
        columns = [
            self._fixed[name] if name in self._fixed else self._read_column(name, dtype)
            for name, dtype in TRANSFER_SCHEMA.polars().items()
        ]
        return pl.DataFrame(columns)

    def _read_column(self, name: str, dtype: pl.DataType) -> pl.Series:
        return pl.Series(name, [getattr(item, name) for item in self._items], dtype)
