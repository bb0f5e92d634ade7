"""A worker pool over libcurl: one thread receives all files, small ones are written and hashed there as well.

While that thread is what limits, another one writes and hashes some of the small ones; more (recording them, say) would
only make the two wait for each other's interpreter lock.
What is large, encoded or resumed is decoded, written, hashed and verified by one of a few other threads, file by file
in order: SHA-256 costs as much as receiving, and the disk may be slow. Neither holds the interpreter's lock for long.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from backends.errors import OperationCancelledError
from backends.foreground import give_way
from backends.transfers import fetch
from backends.transfers.fetch import Reception
from backends.transfers.states import FileTransfer, PendingFile
from backends.transfers.worker_pool import Scheduler

if TYPE_CHECKING:
    from backends.http.curl import CurlClient, CurlRequest, SerialThread
    from backends.http.downloads import DownloaderSettings, ResponseHead

BLOCK = 512 << 10  # bytes that are written and hashed in one piece
MOST_WAITING = 4 << 20  # bytes of a file that wait for the disk before the server must wait, too
MANY_READY = 4  # servers that have sent something: then receiving is what limits
MOST_HANDED = 8  # small bodies that wait for a writer; more wait shorter in the receiving thread
FLUSH_EVERY = 0.1  # seconds after which a block that is not full is written


class CurlWorkers:
    """Fetches with `settings`. Everything but `start` and `wake` runs in the receiving thread or says otherwise."""

    def __init__(self, scheduler: Scheduler, settings: DownloaderSettings) -> None:
        from backends.http.curl import CurlClient, SerialThread

        self.scheduler = scheduler
        self.client: CurlClient = CurlClient(settings, http2=scheduler.limiter.small)
        self._writers = [SerialThread(f"transfer-writer-{number}") for number in range(min(2, os.cpu_count() or 1))]
        self._assigned = 0
        self._handed = 0  # small bodies that the first writer got and that are not settled
        self._taken: deque[tuple[_CurlFetch, Exception | None]] = deque()  # those that it is done with
        self.active: set[_CurlFetch] = set()
        self.is_paused = self.is_closing = False
        self._flush_at = 0.0

    def start(self) -> None:
        threading.Thread(target=self._run, name="transfer-libcurl", daemon=True).start()

    def wake(self) -> None:
        self.client.wake()

    def assign_writer(self) -> SerialThread:
        """A thread for the blocks of one more file."""
        self._assigned += 1
        return self._writers[self._assigned % len(self._writers)]

    def hand_over(self, one: _CurlFetch, body: bytes) -> bool:
        """Lets the first writer write and hash a complete body, if that is faster; `one` is settled here later."""
        if self.client.ready < MANY_READY or self._handed >= MOST_HANDED:
            return False
        self._handed += 1
        self._writers[0].do(functools.partial(self._take_body, one, body))
        return True

    def _take_body(self, one: _CurlFetch, body: bytes) -> None:
        """In the writer's thread."""
        self._taken.append((one, one.take_body(body)))
        self.client.call_soon(self._settle_taken)

    def _settle_taken(self) -> None:
        while self._taken:
            one, error = self._taken.popleft()
            self._handed -= 1
            one.settle(error)

    def _run(self) -> None:
        problem: Exception | None = None
        try:
            is_woken = True
            while not self.scheduler.all_recorded:
                self._follow_scheduler(look=is_woken)
                due = self.scheduler.seconds_until_due()
                is_woken = self.client.run_once(10.0 if due is None else due)
        except Exception as error:
            problem = error
        finally:
            self.is_closing = True
            for one in list(self.active):
                one.stop(problem or OperationCancelledError())
            if problem is not None:
                self.scheduler.abort(problem)
            self._writers[0].do(self._settle_taken)  # what it was doing meanwhile
            for writer in self._writers:
                writer.end()
            self.client.close()

    def _follow_scheduler(self, *, look: bool) -> None:
        """Begins what may begin. `look`: something may have been paused, resumed or cancelled."""
        scheduler, now = self.scheduler, time.monotonic()
        if look or now >= self._flush_at:
            self._flush_at = now + FLUSH_EVERY
            for one in list(self.active):
                one.look()
            if self.is_paused != scheduler.paused:
                self.is_paused = scheduler.paused
                for one in list(self.active):
                    one.follow_pause()
        scheduler.adjust_limit()
        while len(self.active) < scheduler.limiter.allowed and (item := scheduler.take_file()) is not None:
            give_way()
            _CurlFetch(self, item).start()


class _CurlFetch:
    """One try of a file: takes the responses to its requests. A `backends.http.curl.Receiver`.

    Without a writer everything is done in the receiving thread, and nothing is written before the body is complete.
    """

    def __init__(self, pool: CurlWorkers, item: FileTransfer) -> None:
        self._pool = pool
        assert item.cancel is not None
        self._item = item
        self._token = item.cancel
        self._request: CurlRequest | None = None  # while a response is received
        self._is_idle = False  # whether only `send` is due
        self._writer: SerialThread | None = None
        self._pieces: list[bytes] = []  # of the body, not handed to the writer yet
        self._held = 0  # bytes of them, if `_take` counts them
        self._given = self._written = 0  # bytes that the writer got, and that it is done with
        self._is_flushed = False  # since the last look
        self._failure: Exception | None = None  # of the writer

    def start(self) -> None:
        item, pool = self._item, self._pool
        try:
            self._reception = Reception(item, pool.scheduler.parts, self._token, gathers=False)
        except Exception as error:
            pool.scheduler.handle_result(item, error)
            return
        pool.active.add(self)
        if item.sha256:
            self._writer = pool.assign_writer()
            self._writer.do(self._take_complete_part)
        else:
            self._send()

    def stop(self, error: Exception) -> None:
        """Gives the try up; what has been received stays in the part."""
        if self._request is not None:
            self._pool.client.cancel(self._request)
            self.on_end(error)
        elif self._is_idle:
            self._is_idle = False
            self.settle(error)

    def _stop_failed(self, request: CurlRequest, error: Exception) -> None:
        """The writer could not do its part for this request, which may be over meanwhile."""
        if self._request is request:
            self.stop(error)

    def look(self) -> None:
        """Called several times a second: a block that has waited is written, a cancelled file given up."""
        if self._token.cancelled:
            self.stop(OperationCancelledError())
        elif self._writer is not None and not self._is_flushed:
            self._flush()
        self._is_flushed = False

    def follow_pause(self) -> None:
        """Stops or continues receiving. What waits is written first, so that a pause holds no memory."""
        if self._request is None:
            return
        if self._pool.is_paused and self._pieces:
            self._use_writer()
            self._flush()
        is_paused = self._pool.is_paused or self._given - self._written > MOST_WAITING
        if is_paused and not self._request.is_paused:
            self._pool.client.pause(self._request)
        elif self._request.is_paused and not is_paused:
            self._pool.client.resume(self._request)

    def on_head(self, head: ResponseHead) -> Callable[[bytes], object]:
        length = fetch.parse_length(head.headers.get("content-length"))
        if head.encoding or head.status != 200 or (length or 0) > fetch.AT_ONCE:
            self._use_writer()
        self._do(functools.partial(self._reception.begin, head))
        return self._take if self._writer is not None or length is None else self._pieces.append

    def _take(self, chunk: bytes) -> None:
        if self._writer is not None:
            self._token.check()
        self._pieces.append(chunk)
        self._held += len(chunk)
        if self._held >= BLOCK or (self._writer is None and self._held > fetch.AT_ONCE):
            self._use_writer()
            self._flush()

    def on_end(self, error: Exception | None) -> None:
        self._request = None
        if self._writer is not None:
            self._flush()
            self._writer.do(functools.partial(self.settle, error))
            return
        if error is None and self._pieces:
            body = b"".join(self._pieces)
            if self._pool.hand_over(self, body):
                return
            error = self.take_body(body)
        self.settle(error)

    def take_body(self, body: bytes) -> Exception | None:
        """Writes and hashes a complete body; returns what went wrong."""
        try:
            self._reception.take(body)
        except Exception as error:
            return error
        return None

    def _send(self) -> None:
        """Requests the file, or what is missing of it."""
        self._is_idle = False
        self._failure, self._held = None, 0
        self._pieces.clear()
        try:
            self._token.check()
            offset, condition = self._reception.next_request()
            if offset:
                self._use_writer()
            self._request = self._pool.client.request(self._item.url, self, offset, condition)
        except Exception as error:
            self.settle(error)
            return
        self.follow_pause()

    def _use_writer(self) -> None:
        if self._writer is None:
            self._writer = self._pool.assign_writer()

    def _do(self, work: Callable[[], None]) -> None:
        if self._writer is None:
            work()
        else:
            self._writer.do(functools.partial(self._step, work))

    def _flush(self) -> None:
        """Hands what has come to the writer."""
        if not self._pieces:
            return
        pieces, count = self._pieces.copy(), sum(map(len, self._pieces))
        self._pieces.clear()  # the list stays the same: libcurl appends to it
        self._held, self._is_flushed = 0, True
        self._given += count
        self._do(lambda: self._write(pieces, count))
        if self._given - self._written > MOST_WAITING:
            self.follow_pause()

    # In the writer's thread, or in the receiving one if there is no writer.

    def _write(self, pieces: list[bytes], count: int) -> None:
        try:
            self._reception.take(b"".join(pieces))
        finally:
            self._written += count
            if self._request is not None and self._request.is_paused:
                self._pool.client.call_soon(self.follow_pause)
        self._pool.scheduler.record_part(self._item)

    def _step(self, work: Callable[[], None]) -> None:
        if self._failure is not None:
            return
        try:
            work()
        except Exception as error:
            self._failure = error
            if (request := self._request) is not None:
                self._pool.client.call_soon(functools.partial(self._stop_failed, request, error))

    def _take_complete_part(self) -> None:
        try:
            complete = self._reception.take_complete_part()
        except Exception as error:
            self.settle(error)
            return
        if complete is not None:
            self._end(complete)
        else:
            self._send_soon()

    def settle(self, error: Exception | None) -> None:
        """The response is over: the file is complete, or requested once more, or the try has failed."""
        error = self._failure or error
        result: PendingFile | Exception
        try:
            if error is not None:
                raise error
            self._token.check()
            result = self._reception.finish()
        except Exception as problem:
            if self._reception.must_restart(problem) and not self._pool.is_closing:
                self._send_soon()
                return
            result = problem
        self._end(result)

    def _send_soon(self) -> None:
        self._is_idle = True
        self._pool.client.call_soon(self._send)

    def _end(self, result: PendingFile | Exception) -> None:
        self._reception.close()
        self._pool.active.discard(self)
        self._pool.scheduler.handle_result(self._item, result)
        if self._writer is not None:
            self._pool.wake()  # another file may begin
