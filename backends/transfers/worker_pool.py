"""Worker pools of a transfer: threads, or worker processes, and the limit of files that are fetched at a time.

Processes do the same work without competing with the interface for its interpreter lock. Measured on two cores shared
with other work, so the numbers are rough. 2,000 x 100 KB from loopback: two processes 1.4-2.1 s and 1.2-1.3 ms of CPU
time a file (0.2 of it their start), threads 2.0-3.3 s and 0.8-1.6 ms. A thread of the interface that wants to wake
every 5 ms was late by at most 18-79 ms with processes, 15-262 ms with threads. On a slow link both are equally fast.
See benchmarks/downloads.py.
"""

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
SMALL = 2 << 20  # mean size in bytes; a few big files saturate any link
GROW_EVERY = 0.1  # seconds
BUSY_SHARE = 0.6  # of a core: a process gets no more when the server runs on the same machine
QUIET_TIME = 5.0  # seconds without an overload response before the limit grows again
REGROW_EVERY = 1.0  # seconds
SMOOTHING = 0.1  # weight of the latest response in the moving average
OVERLOAD_SHARE = 0.5  # of the responses: an overloaded server rejects most, a faulty one some
SHRINK_EVERY = 1.0  # seconds; requests sent together are rejected together and count once


class ConcurrencyLimiter:
    """AIMD limit of concurrent files: `allowed` may run now, `most` at any time. Not thread-safe: call it under a lock.

    `sizes`: bytes of the files to fetch, None if unknown. `fixed`: a limit set by the user, which never grows.
    """

    def __init__(self, sizes: Iterable[int | None], fixed: int | None, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        known = [size for size in sizes if size is not None]
        self.small = not known or sum(known) / len(known) <= SMALL
        self.most = max(1, fixed) if fixed is not None else JOBS_FOR_SMALL if self.small else JOBS
        self.allowed = min(self.most, JOBS) if fixed is None else self.most
        self._adjusted_at = clock()
        self._reduced_at: float | None = None
        self._overload_share = 0.0  # moving average over the latest responses

    @property
    def is_reduced(self) -> bool:
        """Whether a server was overloaded and the limit is not back at `most` yet."""
        return self._reduced_at is not None

    def is_due(self) -> bool:
        """Whether it is time to call `adjust`."""
        every = GROW_EVERY if self._reduced_at is None else REGROW_EVERY
        return self.allowed < self.most and self._clock() - self._adjusted_at >= every

    def adjust(self, busy: float) -> None:
        """Grows the limit. `busy`: share of a core that each fetching process used since the last call."""
        now = self._adjusted_at = self._clock()
        if self._reduced_at is None:
            if busy < BUSY_SHARE:
                self.allowed = min(self.most, 2 * self.allowed)
        elif now - self._reduced_at >= QUIET_TIME:
            self.allowed = min(self.most, self.allowed + max(1, self.allowed // 4))
            if self.allowed == self.most:
                self._reduced_at = None

    def on_success(self) -> None:
        """A server returned the file."""
        self._overload_share *= 1 - SMOOTHING

    def on_overload(self) -> bool:
        """A server returned 429 or 503. Returns whether it is overloaded (the limit is halved): seven responses in a
        row are enough, one in five is not.
        """
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
    """What a worker pool needs from its transfer. All methods may be called from any thread."""

    @property
    def parts(self) -> int:
        """Descriptor of the directory that parts are written into."""

    @property
    def paused(self) -> bool: ...
    @property
    def all_recorded(self) -> bool:
        """Whether every file has been recorded."""

    @property
    def limiter(self) -> ConcurrencyLimiter: ...
    @property
    def ready_count(self) -> int:
        """How many files could start now."""

    def next_file(self, is_stopped: Callable[[], bool], max_bytes: int | None) -> FileTransfer | None:
        """Waits for a file to fetch. None at the end of the run, if `is_stopped()`, or if the next file may have more
        than `max_bytes`.
        """

    def take_file(self, prefetch: int) -> FileTransfer | None:
        """A file to fetch now, or None. `prefetch`: how many files beyond the limit may be assigned."""

    def seconds_until_due(self) -> float | None:
        """Seconds until the next retry is due; None if none is waiting."""

    def adjust_limit(self, cpu: Callable[[], float], processes: int) -> bool:
        """Adjusts the limit if it is time; returns whether it did. `cpu`: CPU seconds used so far by all workers."""

    def check_pause(self, item: FileTransfer) -> None:
        """Called between chunks: records the part, waits while paused. Raises `OperationCancelledError`."""

    def record_part(self, item: FileTransfer) -> None: ...
    def handle_result(self, item: FileTransfer, result: PendingFile | Exception) -> None: ...
    def requeue(self, item: FileTransfer) -> None:
        """Queues the file again; this try does not count."""

    def abort(self, error: Exception) -> None:
        """The workers cannot continue: ends the run."""


class WorkerPool(Protocol):
    def start(self) -> None: ...
    def wake(self) -> None:
        """Something changed: a file is ready, a pause, the end. Never blocks; the scheduler's lock may be held."""


class ThreadWorkers:
    """Threads with one connection each. `max_bytes`: they take no file that may be larger."""

    def __init__(self, scheduler: Scheduler, open_downloader: OpenDownloader, max_bytes: int | None = None) -> None:
        self._scheduler = scheduler
        self._open_downloader = open_downloader
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._next_number = itertools.count()
        self._count = 0
        self._is_stopped = False

    def start(self) -> None:
        self.ensure_threads(min(self._scheduler.limiter.allowed, self._scheduler.ready_count))

    def ensure_threads(self, count: int) -> None:
        """Starts threads until there are that many."""
        with self._lock:
            new, self._count = max(0, count - self._count), max(count, self._count)
        for _ in range(new):
            threading.Thread(target=self._work, name=f"transfer-{next(self._next_number)}", daemon=True).start()

    def stop(self) -> None:
        """Each thread ends after its current file."""
        self._is_stopped = True

    def wake(self) -> None:
        """Nothing to do: the threads wait in `Scheduler.next_file`."""

    def _work(self) -> None:
        scheduler = self._scheduler
        try:
            with self._open_downloader() as downloader:
                while (item := scheduler.next_file(lambda: self._is_stopped, self._max_bytes)) is not None:
                    scheduler.handle_result(item, self._fetch(item, downloader))
                    if scheduler.adjust_limit(time.process_time, 1) and self._max_bytes is None:
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


# A worker process starts in 0.25 s and 0.2 s of CPU time, as much as 200 small files cost: fewer are not worth it.
MANY_FILES = 200
MANY_BYTES = 200_000_000
MANY_UNKNOWN = 20  # some of them may be large
MAX_PROCESSES = 4
MAX_RESTARTS = 3  # of worker processes in one run; then threads do the rest
BOOTSTRAP_THREADS = 16  # threads that fetch until the first process is up
BOOTSTRAP_BYTES = 256 << 10  # the largest file that they start
PREFETCH = 32  # small files assigned to a process beyond those it fetches
SHUTDOWN_TIMEOUT = 2.0  # seconds for a process to exit by itself


def are_processes_worthwhile(files: int, size: int, unknown: int) -> bool:
    """Whether these files are worth starting processes. `size`: known bytes; `unknown`: files of unknown size."""
    return files > MANY_FILES or size > MANY_BYTES or unknown > MANY_UNKNOWN


@dataclass(eq=False)
class _WorkerChannel:
    """A worker process, its pipes, and the jobs it has. `parts`: stamps of the parts it resumes, when it got them."""

    process: subprocess.Popen[bytes]
    inbox: Unpacker = field(default_factory=Unpacker)
    outbox: bytearray = field(default_factory=bytearray)
    items: dict[int, FileTransfer] = field(default_factory=dict)
    parts: dict[int, FileStamp | None] = field(default_factory=dict)
    ready: bool = False
    cpu: float = 0.0
    control: ControlMessage | None = None

    def __post_init__(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self.stdin, False)
        os.set_blocking(self.stdout, False)


class ProcessWorkers:
    """`count` worker processes that download with `settings`; one thread here talks to all of them.

    Threads with `open_downloader` fetch until the processes are up, and if none can be started.
    """

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
        self._ended_cpu = 0.0  # CPU seconds of processes that have exited
        self._lock = threading.Lock()
        self._recalled: list[tuple[_WorkerChannel, int]] = []  # jobs to be cancelled
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._parts = -1

    def start(self) -> None:
        self._parts = os.dup(self._scheduler.parts)  # the recorder closes its own earlier
        threading.Thread(target=self._run, name="transfer-children", daemon=True).start()
        self._bootstrap.ensure_threads(min(BOOTSTRAP_THREADS, self._scheduler.limiter.allowed))

    def wake(self) -> None:
        with self._lock:
            if self._wake_write >= 0:
                with contextlib.suppress(BlockingIOError):  # the pipe is full: it wakes anyway
                    os.write(self._wake_write, b"!")

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
        # -P: do not import modules from the current directory.
        command = [sys.executable, "-P", "-m", "backends.transfers.worker_process"]
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
        self._children.append(child)
        self._selector.register(child.stdout, selectors.EVENT_READ, child)
        self._send(child, InitMessage(self._parts, str(self._settings.mode), astuple(self._settings.timeouts)))
        self._flush(child)

    def _dispatch(self) -> None:
        """Assigns files to the processes and sends them what has changed."""
        scheduler, limiter = self._scheduler, self._scheduler.limiter
        ready = [child for child in self._children if child.ready]
        if not ready:
            return
        scheduler.adjust_limit(self._cpu_seconds, len(ready))
        share = -(-limiter.allowed // len(ready))
        prefetch = self._prefetch_count(len(ready))
        with self._lock:
            recalled, self._recalled = self._recalled, []
        for child in ready:
            control = ControlMessage(share, scheduler.paused, [number for one, number in recalled if one is child])
            if control != child.control:
                self._send(child, control)
                child.control = ControlMessage(share, scheduler.paused)
        while True:
            child = min(ready, key=lambda one: len(one.items))
            if len(child.items) >= share + prefetch or (item := scheduler.take_file(prefetch * len(ready))) is None:
                break
            self._assign(child, item)
        for child in ready:
            self._flush(child)

    def _prefetch_count(self, children: int) -> int:
        """How many files a process has beyond those that it fetches.

        Only small files, so that neither its threads nor the one here wake for each file: with 16 at a time that
        halved the CPU time of 100 KB files. None while a server is overloaded, and fewer towards the end, when one
        process would hold what another could fetch.
        """
        limiter = self._scheduler.limiter
        if limiter.is_reduced or not limiter.small:
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
        """Reads the reports of a process; False at the end of its output."""
        try:
            chunk = os.read(child.stdout, 1 << 16)
            for record in child.inbox.feed(chunk):
                report = msgspec.msgpack.decode(record, type=StatusReport)
                child.cpu = report.cpu
                if not child.ready:
                    child.ready = True
                    self._ended_cpu -= report.cpu  # its start does not count as load
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
        """A process died (out of memory, killed): its files go to another one."""
        self._close(child)
        self._exits += 1
        for number, item in child.items.items():
            # If it wrote to the part and did not report it, the part may be of another version than the ETag.
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

    def _send(self, child: _WorkerChannel, message: MessageToWorker) -> None:
        child.outbox += pack_message(message)

    def _flush(self, child: _WorkerChannel) -> None:
        """Writes as much as the pipe takes; the rest when the selector reports room."""
        try:
            while child.outbox:
                del child.outbox[: os.write(child.stdin, child.outbox)]
        except BlockingIOError:
            pass
        except OSError:
            child.outbox.clear()  # it is dead, which the end of its output will show
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
    """Our environment, with the path of this package if it runs from a checkout."""
    root = str(Path(backends.__file__).parent.parent)
    if Path(root).name in ("site-packages", "dist-packages"):
        return dict(os.environ)
    known = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": root + (os.pathsep + known if known else "")}
