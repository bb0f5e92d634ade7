"""A worker process of a transfer, and its messages: msgpack records after four bytes of length."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator

import msgspec

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.http.downloads import DownloaderSettings
from backends.http.errors import HttpError, RateLimitedError
from backends.http.policies import Mode
from backends.http.sender import Timeouts
from backends.transfers import fetch
from backends.transfers.bodies import BadBodyError

_LENGTH = struct.Struct("<I")
NOT_STARTED = "not-started"  # a child gives an job back untried
MAX_MESSAGE = 16 << 20  # bytes of one record; a batch of results has a few KB


class InitMessage(msgspec.Struct, tag=True, array_like=True):
    """The first message to a process. `parts`: the inherited descriptor of the directory it writes into."""

    parts: int
    mode: str
    timeouts: tuple[float, ...]


class FetchJob(msgspec.Struct, tag=True, array_like=True):
    """One try to fetch one file; the fields are those of `fetch.FetchRequest`."""

    number: int
    key: str
    url: str
    name: str
    part: str
    expected: int | None
    etag: str
    sha256: str
    tries: int
    bytes: int = 0
    wire: int = 0
    size: int | None = None
    is_html: bool = False


class ControlMessage(msgspec.Struct, tag=True, array_like=True):
    """`jobs`: concurrent files. `stopped`: numbers of cancelled jobs."""

    jobs: int
    paused: bool
    stopped: list[int] = []


class FailureMessage(msgspec.Struct, array_like=True):
    """An exception. `kind`: http, body, cancelled, refused, disk, internal or NOT_STARTED; `number`: its errno."""

    kind: str
    sentence: str
    hint: str = ""
    status: int | None = None
    reason: str = ""
    retryable: bool = False
    retry_after: float | None = None
    number: int = 0


class JobStatus(msgspec.Struct, array_like=True):
    """Where an job is; with `ended` it is over, and then `describe_failure` or `mtime_ns` says how."""

    number: int
    bytes: int
    wire: int
    size: int | None
    etag: str
    sha256: str = ""
    ended: bool = False
    failure: FailureMessage | None = None
    mtime_ns: int = 0
    checked_by: str = ""
    note: str = ""


class StatusReport(msgspec.Struct, tag=True, array_like=True):
    """What has changed in a process. `cpu`: CPU seconds it has used so far."""

    cpu: float
    statuses: list[JobStatus] = []


MessageToWorker = InitMessage | FetchJob | ControlMessage
_encoder = msgspec.msgpack.Encoder()


def pack_message(message: MessageToWorker | StatusReport) -> bytes:
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


class Unpacker:
    """Splits a byte stream into records. Raises `ValueError` for one that is too long."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        self._held += chunk
        at = 0
        while len(self._held) - at >= _LENGTH.size:
            length = _LENGTH.unpack_from(self._held, at)[0]
            if length > MAX_MESSAGE:
                raise ValueError("the record is too long")
            begin = at + _LENGTH.size
            if len(self._held) < begin + length:
                break
            yield bytes(self._held[begin : begin + length])
            at = begin + length
        del self._held[:at]


def describe_failure(error: BaseException) -> FailureMessage:
    if isinstance(error, HttpError):
        kind = "body" if isinstance(error, BadBodyError) else "http"
        return FailureMessage(
            kind, _text(error.sentence), _text(error.hint), error.status, error.reason, error.retryable,
            error.retry_after,
        )  # fmt: skip
    if isinstance(error, AppError):
        return FailureMessage(
            "cancelled" if isinstance(error, OperationCancelledError) else "refused", _text(error.sentence), error.hint
        )
    if isinstance(error, OSError):
        return FailureMessage("disk", _text(error.strerror or str(error)), number=error.errno or 0)
    return FailureMessage("internal", _text(f"{type(error).__name__}: {error}"[:300]))


def make_error(said: FailureMessage) -> Exception:
    """The exception again, with all that a transfer looks at."""
    if said.kind in ("http", "body"):
        kind = BadBodyError if said.kind == "body" else RateLimitedError if said.status == 429 else HttpError
        return kind(
            said.sentence, said.hint, status=said.status, retry_after=said.retry_after, reason=said.reason,
            retryable=said.retryable,
        )  # fmt: skip
    if said.kind == "cancelled":
        return OperationCancelledError()
    if said.kind == "refused":
        return AppError(said.sentence, said.hint)
    if said.kind == "disk":
        return OSError(said.number, said.sentence)
    return RuntimeError(said.sentence)


def _text(words: str) -> str:
    return words.encode("utf-8", "backslashreplace").decode()


_STDIN, _STDOUT = 0, 1
NICE = 5  # the interface has priority on a busy machine
REPORT_EVERY = 0.1  # seconds between two reports of progress
REPORT_DELAY = 0.02  # seconds that a finished file waits for others: each report wakes the parent process
IDLE_REPORT_DELAY = 0.002  # the same when few jobs are left, and new ones only come in response


class WorkerProcess:
    """The threads of this process and their jobs."""

    def __init__(self, setup: InitMessage) -> None:
        self._parts = setup.parts
        self._settings = DownloaderSettings(Mode(setup.mode), Timeouts(*setup.timeouts))
        self._queue: queue.SimpleQueue[FetchJob] = queue.SimpleQueue()
        self._running = threading.Event()
        self._running.set()
        self._tokens: dict[int, CancelToken] = {}
        self._active: dict[int, FetchJob] = {}
        self._reported_bytes: dict[int, int] = {}
        self._finished: deque[JobStatus] = deque()
        self._has_news = threading.Event()
        self._jobs = 0
        self._threads = 0

    def handle(self, message: MessageToWorker) -> None:
        """Called by the thread that reads messages."""
        if isinstance(message, FetchJob):
            self._tokens[message.number] = CancelToken()
            self._queue.put(message)
        elif isinstance(message, ControlMessage):
            self._jobs = message.jobs
            (self._running.clear if message.paused else self._running.set)()
            for number in message.stopped:
                if token := self._tokens.get(number):
                    token.cancel()
        for _ in range(min(self._jobs, len(self._tokens)) - self._threads):
            self._threads += 1
            threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        with self._settings.open() as downloader:
            while True:
                job = self._queue.get()
                self._active[job.number] = job
                status = self._run(job, downloader)
                del self._active[job.number], self._tokens[job.number]
                self._finished.append(status)
                if status.failure is not None and status.failure.status in (429, 503):
                    self._requeue()
                if not self._has_news.is_set():
                    self._has_news.set()

    def _requeue(self) -> None:
        """A server is overloaded: returns the jobs that have not started, for the scheduler to retry them later."""
        with contextlib.suppress(queue.Empty):
            while True:
                job = self._queue.get_nowait()
                del self._tokens[job.number]
                self._finished.append(_make_status(job, ended=True, failure=FailureMessage(NOT_STARTED, "")))

    def _run(self, job: FetchJob, downloader: fetch.DownloaderProtocol) -> JobStatus:
        token = self._tokens[job.number]
        try:
            self._wait_while_paused(token)
            stored = fetch.fetch_file(job, downloader, self._parts, lambda: self._wait_while_paused(token), token)
        except BaseException as error:
            return _make_status(job, ended=True, failure=describe_failure(error))
        status = _make_status(job, ended=True, mtime_ns=stored.mtime_ns, checked_by=stored.checked_by, note=stored.note)
        status.bytes, status.sha256 = stored.size, stored.sha256
        return status

    def _wait_while_paused(self, token: CancelToken) -> None:
        while not self._running.is_set():
            token.check()
            self._running.wait(0.05)  # cancelling a token does not set the event

    def report(self) -> None:
        """The thread that reports."""
        try:
            _write(pack_message(StatusReport(time.process_time())))  # ready
            reported_at = 0.0
            while True:
                if self._has_news.wait(REPORT_EVERY):
                    time.sleep(REPORT_DELAY if self._queue.qsize() > self._jobs // 2 else IDLE_REPORT_DELAY)
                self._has_news.clear()
                statuses = [self._finished.popleft() for _ in range(len(self._finished))]
                if time.monotonic() - reported_at >= REPORT_EVERY:
                    reported_at = time.monotonic()
                    statuses += self._changed_statuses()
                if statuses:
                    _write(pack_message(StatusReport(time.process_time(), statuses)))
        except BaseException:
            os._exit(1)

    def _changed_statuses(self) -> list[JobStatus]:
        before = self._reported_bytes
        active = list(self._active.values())
        self._reported_bytes = {job.number: job.wire for job in active}
        return [_make_status(one) for one in active if one.wire and one.wire != before.get(one.number)]


def _make_status(job: FetchJob, **end: object) -> JobStatus:
    return JobStatus(job.number, job.bytes, job.wire, job.size, job.etag, job.sha256, **end)  # type: ignore[arg-type]


def _write(record: bytes) -> None:
    left = memoryview(record)
    while left:
        left = left[os.write(_STDOUT, left) :]


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl+C
    os.nice(NICE)
    decoder = msgspec.msgpack.Decoder(MessageToWorker)
    unpacker = Unpacker()
    worker: WorkerProcess | None = None
    try:
        while chunk := os.read(_STDIN, 1 << 16):
            for record in unpacker.feed(chunk):
                message = decoder.decode(record)
                if isinstance(message, InitMessage):
                    worker = WorkerProcess(message)
                    threading.Thread(target=worker.report, daemon=True).start()
                elif worker is not None:
                    worker.handle(message)
    finally:
        # Not sys.exit: the parent is gone, and no thread may write another byte.
        os._exit(0 if sys.exc_info()[0] is None else 1)


if __name__ == "__main__":
    main()
