"""A worker process of a run: takes errands on stdin, says on stdout how they went, ends when stdin ends.

The parent keeps all decisions (plan, tries, pauses, names, manifest). When it dies, however it dies, the pipe ends and
so do we, at once and in the middle of whatever is written: the next run waits for that (outputs.py).
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections import deque

import msgspec

from backends.cancel import CancelToken
from backends.http.downloads import DownloaderSettings
from backends.http.policies import Mode
from backends.http.sender import Timeouts
from backends.transfers import worker
from backends.transfers.messages import (
    NOT_BEGUN,
    Errand,
    Failure,
    Orders,
    Report,
    Setup,
    Standing,
    ToChild,
    Unpacker,
    failure,
    packed,
)

_STDIN, _STDOUT = 0, 1
NICE = 5  # where processors are short the interface comes first
TELL_EVERY = 0.1  # seconds between two reports of bytes
GATHER = 0.02  # seconds that a finished file waits for others: each report wakes the interface's process
SHORT = 0.002  # and when we have nothing else to do than what the answer to it will bring


class Bench:
    """The threads of this process, and what they have on their hands."""

    def __init__(self, setup: Setup) -> None:
        self._parts = setup.parts
        self._settings = DownloaderSettings(Mode(setup.mode), Timeouts(*setup.timeouts))
        self._errands: queue.SimpleQueue[Errand] = queue.SimpleQueue()
        self._going = threading.Event()
        self._going.set()
        self._tokens: dict[int, CancelToken] = {}
        self._active: dict[int, Errand] = {}
        self._told: dict[int, int] = {}
        self._ended: deque[Standing] = deque()
        self._news = threading.Event()
        self._jobs = 0
        self._threads = 0

    # Called by the thread that reads.

    def obey(self, message: ToChild) -> None:
        if isinstance(message, Errand):
            self._tokens[message.number] = CancelToken()
            self._errands.put(message)
        elif isinstance(message, Orders):
            self._jobs = message.jobs
            (self._going.clear if message.paused else self._going.set)()
            for number in message.stopped:
                if token := self._tokens.get(number):
                    token.cancel()
        for _ in range(min(self._jobs, len(self._tokens)) - self._threads):
            self._threads += 1
            threading.Thread(target=self._work, daemon=True).start()

    # The threads.

    def _work(self) -> None:
        with self._settings.open() as downloader:
            while True:
                errand = self._errands.get()
                self._active[errand.number] = errand
                standing = self._run(errand, downloader)
                del self._active[errand.number], self._tokens[errand.number]
                self._ended.append(standing)
                if standing.failure is not None and standing.failure.status in (429, 503):
                    self._give_back()
                if not self._news.is_set():
                    self._news.set()

    def _give_back(self) -> None:
        """A server wants to be left alone: what has not begun waits where the run decides when to ask again."""
        with contextlib.suppress(queue.Empty):
            while True:
                errand = self._errands.get_nowait()
                del self._tokens[errand.number]
                self._ended.append(_standing(errand, ended=True, failure=Failure(NOT_BEGUN, "")))

    def _run(self, errand: Errand, downloader: worker.Downloader) -> Standing:
        token = self._tokens[errand.number]
        try:
            self._hold(token)
            stored = worker.fetch(errand, downloader, self._parts, lambda: self._hold(token), token)
        except BaseException as error:
            return _standing(errand, ended=True, failure=failure(error))
        standing = _standing(
            errand, ended=True, mtime_ns=stored.mtime_ns, checked_by=stored.checked_by, note=stored.note
        )
        standing.bytes, standing.sha256 = stored.size, stored.sha256
        return standing

    def _hold(self, token: CancelToken) -> None:
        while not self._going.is_set():
            token.check()
            self._going.wait(0.05)  # a token that is pulled cannot wake an event

    # The thread that tells.

    def tell(self) -> None:
        try:
            _write(packed(Report(time.process_time())))  # we are up
            told = 0.0
            while True:
                if self._news.wait(TELL_EVERY):
                    time.sleep(GATHER if self._errands.qsize() > self._jobs // 2 else SHORT)
                self._news.clear()
                standings = [self._ended.popleft() for _ in range(len(self._ended))]
                if time.monotonic() - told >= TELL_EVERY:
                    told = time.monotonic()
                    standings += self._moved()
                if standings:
                    _write(packed(Report(time.process_time(), standings)))
        except BaseException:
            os._exit(1)

    def _moved(self) -> list[Standing]:
        before = self._told
        active = list(self._active.values())
        self._told = {errand.number: errand.wire for errand in active}
        return [_standing(one) for one in active if one.wire and one.wire != before.get(one.number)]


def _standing(errand: Errand, **end: object) -> Standing:
    return Standing(errand.number, errand.bytes, errand.wire, errand.size, errand.etag, errand.sha256, **end)  # type: ignore[arg-type]


def _write(record: bytes) -> None:
    left = memoryview(record)
    while left:
        left = left[os.write(_STDOUT, left) :]


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what Ctrl+C means is the parent's to decide
    os.nice(NICE)
    decoder = msgspec.msgpack.Decoder(ToChild)
    unpacker = Unpacker()
    bench: Bench | None = None
    try:
        while chunk := os.read(_STDIN, 1 << 16):
            for record in unpacker.feed(chunk):
                message = decoder.decode(record)
                if isinstance(message, Setup):
                    bench = Bench(message)
                    threading.Thread(target=bench.tell, daemon=True).start()
                elif bench is not None:
                    bench.obey(message)
    finally:
        # Not sys.exit: the parent is gone, and no thread may write another byte.
        os._exit(0 if sys.exc_info()[0] is None else 1)


if __name__ == "__main__":
    main()
