"""Progress of a transfer: counts, bytes, rate, remaining time, and the frame of its files.

The sums are updated file by file: walking 10,000 files for each snapshot would cost the interface 2 ms, five times a
second.
"""

from __future__ import annotations

import functools
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from backends.errors import AppError
from backends.frames.formats import format_bytes, safe_text
from backends.frames.schema import Column, Kind, Schema
from backends.loading import format_seconds_left
from backends.transfers.states import FINAL_STATES, PRESENT_STATES, FileTransfer, PlanRow, TransferState

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

    `total` and `ended` count the files of the plan that were to be had; the skipped ones are in `counts` only.

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
        return sum(count for state, count in self.counts.items() if state in FINAL_STATES - {TransferState.SKIPPED})

    @property
    def failed(self) -> int:
        return self.counts.get(TransferState.FAILED, 0)


def describe_transfer(now: TransferSnapshot) -> str:
    """How far it is, in one line: "12 of 35 files, 4.2 MB, 1.1 MB/s, 20 s left"."""
    left = f", {format_seconds_left(now.eta)} left" if now.eta is not None else ""
    if now.waits:
        left = f", {safe_text(now.waits[0].text)}"
    return f"{now.ended:,} of {now.total:,} files, {format_bytes(now.bytes_done)}, {format_bytes(now.rate)}/s{left}"


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
        total = sum(self.counts.values()) - self.counts[TransferState.SKIPPED]
        return TransferSnapshot(
            dict(self.counts), total, done, known, unknown, 0.0 if finished else rate, eta, elapsed, paused, finished,
            problem, active, () if finished else waits,
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
        # At 80 cells: the task, the file, how long it is and why it is not there.
        Column("origin", Kind.TEXT, "From", width=22, keeps_end=True),
        Column("name", Kind.TEXT, "File", width=16, keeps_end=True),
        Column("size", Kind.BYTES, "Size"),
        Column("reason", Kind.TEXT, "Reason"),
        Column("bytes", Kind.BYTES, "Done"),
        Column("tries", Kind.COUNT, "Tries", hidden=True),
        Column("checked_by", Kind.TEXT, "Verified by", hidden=True),
        Column("target", Kind.TEXT, "Path", hidden=True),
        Column("detail", Kind.TEXT, "Why", hidden=True),
        Column("key", Kind.ID, "Key", hidden=True, searched=False),
    ),
)


# Which files come first in a table: what went wrong, what is at work, what is to come, what is done.
_TABLE_ORDER = (
    TransferState.FAILED, TransferState.CANCELLED, TransferState.STORED, TransferState.RUNNING, TransferState.PLANNED,
    TransferState.UNCHECKED, TransferState.VERIFIED, TransferState.UNCHANGED, TransferState.SKIPPED,
)  # fmt: skip
_REASONS = {
    "http-401": "HTTP 401: not logged in",
    "http-403": "HTTP 403: not public",
    "http-404": "HTTP 404: not found",
    "http-410": "HTTP 410: expired",
    "http-424": "HTTP 424: never made",
    "http-429": "HTTP 429: too many requests",
    "disk-full": "disk full",
    "no-inodes": "disk full",
    "exists": "path taken",
    "html-page": "a web page instead",
    "symlink": "symbolic link",
    "unreadable": "path unreadable",
    "wrong-digest": "content differs",
    "wrong-length": "length differs",
}


def describe_reason(reason: str) -> str:
    """The short reason that a manifest records, in words: "http-403" is "HTTP 403: not public"."""
    if reason.startswith("http-5"):
        return f"HTTP {reason[5:]}: server error"
    return _REASONS.get(reason) or (reason.replace("http-", "HTTP ") if " " in reason else reason.replace("-", " "))


def order_for_table(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame in `TRANSFER_SCHEMA` as people read it: failed files first, reasons in words.

    The size of a file that is there is its own, whether or not the server said it; only others have a number of bytes.
    """
    ranks = {str(state): rank for rank, state in enumerate(_TABLE_ORDER)}
    reasons = {reason: describe_reason(reason) for reason in frame["reason"].unique().to_list() if reason}
    present = pl.col("state").is_in([str(state) for state in PRESENT_STATES])
    return frame.with_columns(
        pl.col("reason").replace(reasons),
        size=pl.when(present).then("bytes").otherwise("size"),
        bytes=pl.when(~present & (pl.col("bytes") > 0)).then("bytes"),
    ).sort(pl.col("state").replace_strict(ranks, return_dtype=pl.UInt8), maintain_order=True)


def label_files(rows: Sequence[PlanRow]) -> list[tuple[str, str]]:
    """(what the file is from, its name) of each row; no two are alike.

    Of files that would read alike, the name is the server's full one, then what they are from has those parts of their
    paths that differ (the ids of two retriggers of one task).
    """
    labels = [
        (row.file.origin or "/".join(row.path[:-1]), row.file.name.rpartition("/")[2] or row.path[-1]) for row in rows
    ]
    for name_alike in (_use_full_name, _use_path_parts, _use_path):
        alike = defaultdict(list)
        for place, label in enumerate(labels):
            alike[label].append(place)
        for places in alike.values():
            if len(places) > 1:
                same = [rows[place] for place in places]
                for place, label in zip(places, name_alike(labels[places[0]], same), strict=True):
                    labels[place] = label
    return labels


def _use_full_name(label: tuple[str, str], rows: Sequence[PlanRow]) -> list[tuple[str, str]]:
    origin, name = label
    return [(origin, row.file.name or name) for row in rows]


def _use_path_parts(label: tuple[str, str], rows: Sequence[PlanRow]) -> list[tuple[str, str]]:
    origin, name = label
    columns = zip(*(row.path for row in rows), strict=False)
    differing = [place for place, parts in enumerate(columns) if len(set(parts)) > 1]
    return [(" ".join((origin, *(row.path[place] for place in differing))), name) for row in rows]


def _use_path(label: tuple[str, str], rows: Sequence[PlanRow]) -> list[tuple[str, str]]:
    return [(label[0], row.target) for row in rows]


class TransferListing:
    """The frame of a transfer's files. It reads without a lock: workers write each cell as one value."""

    def __init__(self, items: Sequence[FileTransfer]) -> None:
        self._items = items

    @functools.cached_property
    def _fixed(self) -> dict[str, pl.Series]:
        """The columns that never change: two thirds of the cost."""
        labels = label_files([item.row for item in self._items])
        return {
            "key": pl.Series("key", [item.key for item in self._items], pl.String),
            "target": pl.Series("target", [item.row.target for item in self._items], pl.String),
            "origin": pl.Series("origin", [origin for origin, _ in labels], pl.String),
            "name": pl.Series("name", [name for _, name in labels], pl.String),
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
