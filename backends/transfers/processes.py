"""Files fetched by processes: the same work as threads do, without fighting the interface for its interpreter.

Two cores shared with other work, so the numbers are rough. 2,000 x 100 KB from loopback: two processes 1.4-2.1 s and
1.2-1.3 ms of processor time a file (0.2 of it their start), threads 2.0-3.3 s and 0.8-1.6 ms. A thread of the
interface that wants to wake every 5 ms was late at most by 18-79 ms with processes, by 15-262 ms with threads. On a
slow link both are as fast. See benchmarks/downloads.py.

One thread here speaks with all children. Until they are up, and if they cannot be had, threads fetch.
"""

from __future__ import annotations

import contextlib
import functools
import os
import selectors
import subprocess
import sys
import threading
import time
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import backends
from backends.transfers.outputs import FileStamp, read_stamp
from backends.transfers.states import FileTransfer, PendingFile
from backends.transfers.worker_pool import OpenDownloader, Scheduler, ThreadWorkers
from backends.transfers.worker_process import (
    NOT_BEGUN,
    ControlMessage,
    FetchJob,
    InitMessage,
    JobStatus,
    StatusReport,
    ToChild,
    Unpacker,
    make_error,
    pack_message,
)

if TYPE_CHECKING:
    from backends.http.downloads import DownloaderSettings

# A child is there after 0.25 s and 0.2 s of processor time, what 200 small files cost; below that it cannot pay.
MANY_FILES = 200
MANY_BYTES = 200_000_000
MANY_UNKNOWN = 20  # some of them may be big
MOST_CHILDREN = 4
MAX_RESTARTS = 3  # of children in one run; then threads do the rest
BOOTSTRAP_THREADS = 16  # threads that fetch until the first child is up
BOOTSTRAP_BYTES = 256 << 10  # the largest file that they begin
PREFETCH = 32
SHUTDOWN_TIMEOUT = 2.0  # seconds for a child to end by itself


def is_worth_it(files: int, size: int, unknown: int) -> bool:
    """Whether so many files deserve processes: `size` known bytes in all, and `unknown` files of unknown size."""
    return files > MANY_FILES or size > MANY_BYTES or unknown > MANY_UNKNOWN


@dataclass(eq=False)
class _Child:
    process: subprocess.Popen[bytes]
    inbox: Unpacker = field(default_factory=Unpacker)
    outbox: bytearray = field(default_factory=bytearray)
    items: dict[int, FileTransfer] = field(default_factory=dict)
    parts: dict[int, FileStamp | None] = field(default_factory=dict)  # as they were, of those that are resumed
    ready: bool = False
    cpu: float = 0.0
    orders: ControlMessage | None = None

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
        self, desk: Scheduler, settings: DownloaderSettings, open_downloader: OpenDownloader, count: int
    ) -> None:
        self._desk = desk
        self._settings = settings
        self._open_downloader = open_downloader
        self._count = max(1, count)
        self._vanguard = ThreadWorkers(desk, open_downloader, BOOTSTRAP_BYTES)
        self._children: list[_Child] = []
        self._deaths = 0
        self._numbers = 0
        self._spent = 0.0  # processor time of children that have ended
        self._lock = threading.Lock()
        self._stopped: list[tuple[_Child, int]] = []  # errands to be called back
        self._selector = selectors.DefaultSelector()
        self._woken, self._bell = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._bell, False)
        self._parts = -1

    def begin(self) -> None:
        self._parts = os.dup(self._desk.parts)  # the recorder closes its own before we are done
        threading.Thread(target=self._run, name="transfer-children", daemon=True).start()
        self._vanguard.employ(min(BOOTSTRAP_THREADS, self._desk.pace.allowed))

    def wake(self) -> None:
        with self._lock:
            if self._bell >= 0:
                with contextlib.suppress(BlockingIOError):  # full: it is awake anyway
                    os.write(self._bell, b"!")

    # The one thread.

    def _run(self) -> None:
        desk = self._desk
        try:
            self._selector.register(self._woken, selectors.EVENT_READ, None)
            for _ in range(self._count):
                self._hire()
            while self._children and not desk.over:
                self._hand_out()
                for key, _ in self._selector.select(desk.due()):
                    if key.data is None:
                        self._hush()
                    elif key.data not in self._children:
                        continue
                    elif key.fd == key.data.stdin:
                        self._send(key.data)
                    elif not self._hear(key.data):
                        self._bury(key.data)
            if not desk.over:
                self._vanguard.leave()
                ThreadWorkers(desk, self._open_downloader).begin()
        except Exception as error:
            desk.broke(error)
        finally:
            self._dismiss()

    def _hire(self) -> None:
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
        child = _Child(process)
        os.set_blocking(child.stdin, False)
        os.set_blocking(child.stdout, False)
        self._children.append(child)
        self._selector.register(child.stdout, selectors.EVENT_READ, child)
        self._say(child, InitMessage(self._parts, str(self._settings.mode), astuple(self._settings.timeouts)))
        self._send(child)

    def _hand_out(self) -> None:
        """Gives each child what it can have, and tells it what has changed."""
        desk, pace = self._desk, self._desk.pace
        ready = [child for child in self._children if child.ready]
        if not ready:
            return
        desk.look(self._cpu, len(ready))
        share = -(-pace.allowed // len(ready))
        spare = self._spare(len(ready))
        with self._lock:
            stopped, self._stopped = self._stopped, []
        for child in ready:
            orders = ControlMessage(share, desk.paused, [number for one, number in stopped if one is child])
            if orders != child.orders:
                self._say(child, orders)
                child.orders = ControlMessage(share, desk.paused)
        while True:
            child = min(ready, key=lambda one: len(one.items))
            if len(child.items) >= share + spare or (item := desk.take(spare * len(ready))) is None:
                break
            self._entrust(child, item)
        for child in ready:
            self._send(child)

    def _spare(self, children: int) -> int:
        """How many files a child has beyond those that it fetches.

        Small ones, so that neither its threads nor the one here wake for each file: with 16 at a time that halved
        the processor time of 100 KB. None when a server complains, and ever fewer towards the end, when one child
        would sit on what another could fetch.
        """
        pace = self._desk.pace
        if pace.shrunk or not pace.small:
            return 0
        return min(PREFETCH, self._desk.waiting // (2 * children))

    def _entrust(self, child: _Child, item: FileTransfer) -> None:
        self._numbers += 1
        number = self._numbers
        child.items[number] = item
        if item.etag:
            child.parts[number] = read_stamp(item.part, self._parts)
        self._say(
            child,
            FetchJob(
                number, item.key, item.url, item.name, item.part, item.expected, item.etag, item.sha256, item.tries,
                item.bytes, 0, item.size, item.is_html,
            ),
        )  # fmt: skip
        item.wire = 0
        assert item.cancel is not None
        item.cancel.on_cancel(functools.partial(self._call_back, child, number))

    def _call_back(self, child: _Child, number: int) -> None:
        with self._lock:
            self._stopped.append((child, number))
        self.wake()

    def _hear(self, child: _Child) -> bool:
        """Reads what a child says; False when it says nothing any more."""
        try:
            chunk = os.read(child.stdout, 1 << 16)
            for record in child.inbox.feed(chunk):
                report = msgspec.msgpack.decode(record, type=StatusReport)
                child.cpu = report.cpu
                if not child.ready:
                    child.ready = True
                    self._spent -= report.cpu  # its start says nothing about how busy it will be
                    self._vanguard.leave()
                for standing in report.standings:
                    self._note(child, standing)
        except BlockingIOError:
            return True
        except (OSError, ValueError, msgspec.DecodeError):
            return False
        return bool(chunk)

    def _note(self, child: _Child, standing: JobStatus) -> None:
        item = child.items.get(standing.number)
        if item is None:
            return
        item.bytes, item.wire, item.size = standing.bytes, standing.wire, standing.size
        item.etag = standing.etag
        if not standing.ended:
            self._desk.note(item)
            return
        del child.items[standing.number]
        child.parts.pop(standing.number, None)
        if standing.failure is not None:
            item.sha256 = standing.sha256
            if standing.failure.kind == NOT_BEGUN:
                self._desk.back(item)
                return
            self._desk.ended(item, make_error(standing.failure))
            return
        item.sha256 = ""
        stored = PendingFile(
            item.key, standing.bytes, standing.wire, standing.sha256, standing.mtime_ns, item.tries,
            standing.checked_by, standing.note,
        )  # fmt: skip
        self._desk.ended(item, stored)

    def _bury(self, child: _Child) -> None:
        """A child died (the kernel had no memory left, someone killed it): its files go to another one."""
        self._part_with(child)
        self._deaths += 1
        for number, item in child.items.items():
            # What it had not told yet: if it has touched the part, that may be of another version than the ETag.
            if item.etag and not item.wire and read_stamp(item.part, self._parts) != child.parts.get(number):
                item.etag = ""
            self._desk.back(item)
        if self._deaths <= MAX_RESTARTS:
            self._hire()

    def _part_with(self, child: _Child) -> None:
        self._children.remove(child)
        self._spent += child.cpu
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

    def _dismiss(self) -> None:
        for child in list(self._children):
            self._part_with(child)
        self._selector.close()
        with self._lock:
            for descriptor in (self._bell, self._woken, self._parts):
                os.close(descriptor)
            self._bell = -1

    # Pipes.

    def _say(self, child: _Child, message: ToChild) -> None:
        child.outbox += pack_message(message)

    def _send(self, child: _Child) -> None:
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

    def _hush(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, 1 << 12)

    def _cpu(self) -> float:
        return time.process_time() + self._spent + sum(child.cpu for child in self._children)


def _environment() -> dict[str, str]:
    """Ours, and where this very package is, if it runs from a checkout."""
    root = str(Path(backends.__file__).parent.parent)
    if Path(root).name in ("site-packages", "dist-packages"):
        return dict(os.environ)
    known = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": root + (os.pathsep + known if known else "")}
