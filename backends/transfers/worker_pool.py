"""Workers of a transfer, in threads and in processes, and how many files they fetch at a time."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

import backends
from backends.transfers import fetch
from backends.transfers.fetch import DownloaderProtocol
from backends.transfers.output_directory import FileStamp, read_stamp
from backends.transfers.states import FileTransfer, PendingFile
from backends.transfers.worker_process import (
    NOT_STARTED,
    ControlMessage,
    FetchJob,
    InitMessage,
    JobStatus,
    MessageToWorker,
    StatusReport,
    Unpacker,
    make_error,
    pack_message,
)

if TYPE_CHECKING:
    from backends.http.downloads import DownloaderSettings

JOBS = 16
JOBS_FOR_SMALL = 64
SMALL = 2 << 20  # mean size in bytes; a few big files fill any link
GROW_EVERY = 0.1  # seconds
BUSY_SHARE = 0.6  # of a core: what a process gets of it when the server runs on the same machine is no more
QUIET_TIME = 5.0  # seconds without a complaint before there may be more again
REGROW_EVERY = 1.0
SMOOTHING = 0.1
OVERLOAD_SHARE = 0.5  # of the answers: an overloaded server refuses most; a server with faults of its own some
SHRINK_EVERY = 1.0  # what was asked together is refused together, and that is one complaint


class ConcurrencyLimiter:
    """`allowed` files may be under way. The engine calls all methods under its lock."""

    def __init__(self, sizes: Iterable[int | None], fixed: int | None, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        known = [size for size in sizes if size is not None]
        self.small = not known or sum(known) / len(known) <= SMALL
        self.most = max(1, fixed) if fixed is not None else JOBS_FOR_SMALL if self.small else JOBS
        self.allowed = min(self.most, JOBS) if fixed is None else self.most
        self._adjusted_at = clock()
        self._reduced_at: float | None = None
        self._overload_share = 0.0  # share of the latest answers, each counting WEIGHT less than the next

    @property
    def is_reduced(self) -> bool:
        """Whether a server has complained and all may not yet be asked for again."""
        return self._reduced_at is not None

    def is_due(self) -> bool:
        """Whether it is time to say how busy we are."""
        every = GROW_EVERY if self._reduced_at is None else REGROW_EVERY
        return self.allowed < self.most and self._clock() - self._adjusted_at >= every

    def adjust(self, busy: float) -> None:
        """`busy`: which part of a core each process that fetches has used since the last look."""
        now = self._adjusted_at = self._clock()
        if self._reduced_at is None:
            if busy < BUSY_SHARE:
                self.allowed = min(self.most, 2 * self.allowed)
        elif now - self._reduced_at >= QUIET_TIME:
            self.allowed = min(self.most, self.allowed + max(1, self.allowed // 4))
            if self.allowed == self.most:
                self._reduced_at = None

    def on_success(self) -> None:
        """A server gave what it was asked for."""
        self._overload_share *= 1 - SMOOTHING

    def on_overload(self) -> bool:
        """A server said 429 or 503. Whether it means us all: seven in a row do, one answer in five does not."""
        self._overload_share += SMOOTHING * (1 - self._overload_share)
        if self._overload_share < OVERLOAD_SHARE:
            return False
        now = self._clock()
        if self._reduced_at is None or now - self._reduced_at >= SHRINK_EVERY:
            self.allowed = max(1, self.allowed // 2)
        self._reduced_at = self._adjusted_at = now
        return True


OpenDownloader = Callable[[], AbstractContextManager[DownloaderProtocol]]


class Scheduler(Protocol):
    """What a crew asks of the run it works for. All may be called from any thread."""

    @property
    def parts(self) -> int:
        """The descriptor of the directory that parts are written into."""
        ...

    @property
    def paused(self) -> bool: ...
    @property
    def all_recorded(self) -> bool:
        """Whether every file has been recorded."""
        ...

    @property
    def limiter(self) -> ConcurrencyLimiter: ...
    @property
    def ready_count(self) -> int:
        """How many files could be begun now."""
        ...

    def next_file(self, leave: Callable[[], bool], most: int | None) -> FileTransfer | None:
        """Waits for a file to try; None when the run is over, `leave()`, or it may have more than `most` bytes."""
        ...

    def take_file(self, beyond: int) -> FileTransfer | None:
        """A file to try now, if there is one; `beyond`: how many more than the pace allows may be under way."""
        ...

    def seconds_until_due(self) -> float | None:
        """Seconds until a file may become due; None if none waits for its time."""
        ...

    def adjust_limit(self, cpu: Callable[[], float], processes: int) -> bool:
        """Adapts the pace, now and then; True if it has. `cpu`: seconds used so far by all who fetch."""
        ...

    def check_pause(self, item: FileTransfer) -> None:
        """Between chunks: notes what must be known of the part, waits in a pause. Raises `OperationCancelledError`."""
        ...

    def record_part(self, item: FileTransfer) -> None: ...
    def handle_result(self, item: FileTransfer, how: PendingFile | Exception) -> None: ...
    def requeue(self, item: FileTransfer) -> None:
        """A try that does not count: the file goes back in line."""
        ...

    def abort(self, error: Exception) -> None:
        """The crew cannot go on: the run ends."""
        ...


class WorkerPool(Protocol):
    def start(self) -> None: ...
    def wake(self) -> None:
        """There may be something to do: a file, a pause, the end. Never waits; the scheduler's lock may be held."""
        ...


class ThreadWorkers:
    """Each thread has a connection of its own. `most`: these threads take no file that may have more bytes."""

    def __init__(self, scheduler: Scheduler, open_downloader: OpenDownloader, most: int | None = None) -> None:
        self._scheduler = scheduler
        self._open_downloader = open_downloader
        self._most = most
        self._lock = threading.Lock()
        self._next_number = itertools.count()
        self._count = 0
        self._is_stopped = False

    def start(self) -> None:
        self.ensure_threads(min(self._scheduler.limiter.allowed, self._scheduler.ready_count))

    def ensure_threads(self, wanted: int) -> None:
        """Until there are that many."""
        with self._lock:
            new, self._count = max(0, wanted - self._count), max(wanted, self._count)
        for _ in range(new):
            threading.Thread(target=self._work, name=f"transfer-{next(self._next_number)}", daemon=True).start()

    def stop(self) -> None:
        """Each ends after the file it has begun."""
        self._is_stopped = True

    def wake(self) -> None:
        """They wait at the scheduler itself."""

    def _work(self) -> None:
        scheduler = self._scheduler
        try:
            with self._open_downloader() as downloader:
                while (item := scheduler.next_file(lambda: self._is_stopped, self._most)) is not None:
                    scheduler.handle_result(item, self._fetch(item, downloader))
                    if scheduler.adjust_limit(time.process_time, 1) and self._most is None:
                        self.ensure_threads(min(scheduler.limiter.allowed, self._count + scheduler.ready_count))
        except Exception as error:
            scheduler.abort(error)

    def _fetch(self, item: FileTransfer, downloader: DownloaderProtocol) -> PendingFile | Exception:
        token, scheduler = item.cancel, self._scheduler
        assert token is not None
        try:
            return fetch.fetch_file(item, downloader, scheduler.parts, lambda: scheduler.check_pause(item), token)
        except Exception as error:
            return error


# A child is there after 0.25 s and 0.2 s of processor time, what 200 small files cost; below that it cannot pay.
MANY_FILES = 200
MANY_BYTES = 200_000_000
MANY_UNKNOWN = 20  # some of them may be big
MAX_PROCESSES = 4
MAX_RESTARTS = 3  # of children in one run; then threads do the rest
BOOTSTRAP_THREADS = 16  # threads that fetch until the first child is up
BOOTSTRAP_BYTES = 256 << 10  # the largest file that they begin
PREFETCH = 32
SHUTDOWN_TIMEOUT = 2.0  # seconds for a child to end by itself


def are_processes_worthwhile(files: int, size: int, unknown: int) -> bool:
    """Whether so many files deserve processes: `size` known bytes in all, and `unknown` files of unknown size."""
    return files > MANY_FILES or size > MANY_BYTES or unknown > MANY_UNKNOWN


@dataclass(eq=False)
class _WorkerChannel:
    process: subprocess.Popen[bytes]
    inbox: Unpacker = field(default_factory=Unpacker)
    outbox: bytearray = field(default_factory=bytearray)
    items: dict[int, FileTransfer] = field(default_factory=dict)
    parts: dict[int, FileStamp | None] = field(default_factory=dict)  # as they were, of those that are resumed
    ready: bool = False
    cpu: float = 0.0
    control: ControlMessage | None = None

    @property
    def stdin(self) -> int:
        assert self.process.stdin is not None
        return self.process.stdin.fileno()

    @property
    def stdout(self) -> int:
        assert self.process.stdout is not None
        return self.process.stdout.fileno()


class ProcessWorkers:
    """A crew of `count` children that download as `settings` say. `open_downloader`: for the threads that stand in."""

    def __init__(
        self, scheduler: Scheduler, settings: DownloaderSettings, open_downloader: OpenDownloader, count: int
    ) -> None:
        self._scheduler = scheduler
        self._settings = settings
        self._open_downloader = open_downloader
        self._count = max(1, count)
        self._bootstrap = ThreadWorkers(scheduler, open_downloader, BOOTSTRAP_BYTES)
        self._children: list[_WorkerChannel] = []
        self._exits = 0
        self._next_number = 0
        self._ended_cpu = 0.0  # processor time of children that have ended
        self._lock = threading.Lock()
        self._recalled: list[tuple[_WorkerChannel, int]] = []  # jobs to be called back
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._parts = -1

    def start(self) -> None:
        self._parts = os.dup(self._scheduler.parts)  # the recorder closes its own before we are done
        threading.Thread(target=self._run, name="transfer-children", daemon=True).start()
        self._bootstrap.ensure_threads(min(BOOTSTRAP_THREADS, self._scheduler.limiter.allowed))

    def wake(self) -> None:
        with self._lock:
            if self._wake_write >= 0:
                with contextlib.suppress(BlockingIOError):  # full: it is awake anyway
                    os.write(self._wake_write, b"!")

    # The one thread.

    def _run(self) -> None:
        scheduler = self._scheduler
        try:
            self._selector.register(self._wake_read, selectors.EVENT_READ, None)
            for _ in range(self._count):
                self._spawn()
            while self._children and not scheduler.all_recorded:
                self._dispatch()
                for key, _ in self._selector.select(scheduler.seconds_until_due()):
                    if key.data is None:
                        self._drain()
                    elif key.data not in self._children:
                        continue
                    elif key.fd == key.data.stdin:
                        self._flush(key.data)
                    elif not self._read(key.data):
                        self._on_exit(key.data)
            if not scheduler.all_recorded:
                self._bootstrap.stop()
                ThreadWorkers(scheduler, self._open_downloader).start()
        except Exception as error:
            scheduler.abort(error)
        finally:
            self._shutdown()

    def _spawn(self) -> None:
        command = [
            sys.executable,
            "-P",
            "-m",
            "backends.transfers.worker_process",
        ]  # -P: not what lies in this directory
        try:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                pass_fds=(self._parts,),
                start_new_session=True,
            )
        except OSError:
            return
        child = _WorkerChannel(process)
        os.set_blocking(child.stdin, False)
        os.set_blocking(child.stdout, False)
        self._children.append(child)
        self._selector.register(child.stdout, selectors.EVENT_READ, child)
        self._send(child, InitMessage(self._parts, str(self._settings.mode), astuple(self._settings.timeouts)))
        self._flush(child)

    def _dispatch(self) -> None:
        """Gives each child what it can have, and tells it what has changed."""
        scheduler, pace = self._scheduler, self._scheduler.limiter
        ready = [child for child in self._children if child.ready]
        if not ready:
            return
        scheduler.adjust_limit(self._cpu_seconds, len(ready))
        share = -(-pace.allowed // len(ready))
        spare = self._prefetch_count(len(ready))
        with self._lock:
            stopped, self._recalled = self._recalled, []
        for child in ready:
            control = ControlMessage(share, scheduler.paused, [number for one, number in stopped if one is child])
            if control != child.control:
                self._send(child, control)
                child.control = ControlMessage(share, scheduler.paused)
        while True:
            child = min(ready, key=lambda one: len(one.items))
            if len(child.items) >= share + spare or (item := scheduler.take_file(spare * len(ready))) is None:
                break
            self._assign(child, item)
        for child in ready:
            self._flush(child)

    def _prefetch_count(self, children: int) -> int:
        """How many files a child has beyond those that it fetches.

        Small ones, so that neither its threads nor the one here wake for each file: with 16 at a time that halved
        the processor time of 100 KB. None when a server complains, and ever fewer towards the end, when one child
        would sit on what another could fetch.
        """
        pace = self._scheduler.limiter
        if pace.is_reduced or not pace.small:
            return 0
        return min(PREFETCH, self._scheduler.ready_count // (2 * children))

    def _assign(self, child: _WorkerChannel, item: FileTransfer) -> None:
        self._next_number += 1
        number = self._next_number
        child.items[number] = item
        if item.etag:
            child.parts[number] = read_stamp(item.part, self._parts)
        self._send(
            child,
            FetchJob(
                number, item.key, item.url, item.name, item.part, item.expected, item.etag, item.sha256, item.tries,
                item.bytes, 0, item.size, item.is_html,
            ),
        )  # fmt: skip
        item.wire = 0
        assert item.cancel is not None
        item.cancel.on_cancel(functools.partial(self._recall, child, number))

    def _recall(self, child: _WorkerChannel, number: int) -> None:
        with self._lock:
            self._recalled.append((child, number))
        self.wake()

    def _read(self, child: _WorkerChannel) -> bool:
        """Reads what a child says; False when it says nothing any more."""
        try:
            chunk = os.read(child.stdout, 1 << 16)
            for record in child.inbox.feed(chunk):
                report = msgspec.msgpack.decode(record, type=StatusReport)
                child.cpu = report.cpu
                if not child.ready:
                    child.ready = True
                    self._ended_cpu -= report.cpu  # its start says nothing about how busy it will be
                    self._bootstrap.stop()
                for status in report.statuses:
                    self._handle_status(child, status)
        except BlockingIOError:
            return True
        except (OSError, ValueError, msgspec.DecodeError):
            return False
        return bool(chunk)

    def _handle_status(self, child: _WorkerChannel, status: JobStatus) -> None:
        item = child.items.get(status.number)
        if item is None:
            return
        item.bytes, item.wire, item.size = status.bytes, status.wire, status.size
        item.etag = status.etag
        if not status.ended:
            self._scheduler.record_part(item)
            return
        del child.items[status.number]
        child.parts.pop(status.number, None)
        if status.failure is not None:
            item.sha256 = status.sha256
            if status.failure.kind == NOT_STARTED:
                self._scheduler.requeue(item)
                return
            self._scheduler.handle_result(item, make_error(status.failure))
            return
        item.sha256 = ""
        stored = PendingFile(
            item.key, status.bytes, status.wire, status.sha256, status.mtime_ns, item.tries,
            status.checked_by, status.note,
        )  # fmt: skip
        self._scheduler.handle_result(item, stored)

    def _on_exit(self, child: _WorkerChannel) -> None:
        """A child died (the kernel had no memory left, someone killed it): its files go to another one."""
        self._close(child)
        self._exits += 1
        for number, item in child.items.items():
            # What it had not told yet: if it has touched the part, that may be of another version than the ETag.
            if item.etag and not item.wire and read_stamp(item.part, self._parts) != child.parts.get(number):
                item.etag = ""
            self._scheduler.requeue(item)
        if self._exits <= MAX_RESTARTS:
            self._spawn()

    def _close(self, child: _WorkerChannel) -> None:
        self._children.remove(child)
        self._ended_cpu += child.cpu
        for stream in (child.process.stdin, child.process.stdout):
            assert stream is not None
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(stream.fileno())
            with contextlib.suppress(OSError):
                stream.close()
        try:
            child.process.wait(SHUTDOWN_TIMEOUT)
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()

    def _shutdown(self) -> None:
        for child in list(self._children):
            self._close(child)
        self._selector.close()
        with self._lock:
            for descriptor in (self._wake_write, self._wake_read, self._parts):
                os.close(descriptor)
            self._wake_write = -1

    # Pipes.

    def _send(self, child: _WorkerChannel, message: MessageToWorker) -> None:
        child.outbox += pack_message(message)

    def _flush(self, child: _WorkerChannel) -> None:
        """Writes as much as the pipe takes; the rest when the selector says so."""
        try:
            while child.outbox:
                del child.outbox[: os.write(child.stdin, child.outbox)]
        except BlockingIOError:
            pass
        except OSError:
            child.outbox.clear()  # it is dead, and the end of what it says will tell
        is_watched = child.stdin in self._selector.get_map()
        if child.outbox and not is_watched:
            self._selector.register(child.stdin, selectors.EVENT_WRITE, child)
        elif not child.outbox and is_watched:
            self._selector.unregister(child.stdin)

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 1 << 12)

    def _cpu_seconds(self) -> float:
        return time.process_time() + self._ended_cpu + sum(child.cpu for child in self._children)


def _environment() -> dict[str, str]:
    """Ours, and where this very package is, if it runs from a checkout."""
    root = str(Path(backends.__file__).parent.parent)
    if Path(root).name in ("site-packages", "dist-packages"):
        return dict(os.environ)
    known = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": root + (os.pathsep + known if known else "")}
