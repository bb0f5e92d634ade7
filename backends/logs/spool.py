"""A log as it arrives, spooled to a temporary file, with an index of its lines."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
import weakref
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from backends.atomic import disk_words
from backends.cancel import CancelToken
from backends.errors import AppError, FileError, OperationCancelledError

# A log of 1 GB has 16 K blocks, 128 KB of index; looking into one block costs some 30 µs.
BLOCK = 64 << 10
NEWLINE = b"\n"

Read = Callable[[int, int], bytes]  # (offset, size) -> what the file has there


class LineIndex:
    """Grows at its end by one thread; may be asked by any. `read` fetches the one block that an answer needs."""

    def __init__(self) -> None:
        self._before = array("Q", (0,))  # newlines before block i; the last entry belongs to the block that grows
        self._state = (0, 0, True)  # bytes, newlines, ends in one: exchanged as a whole, since readers do not wait

    def grow(self, chunk: bytes) -> None:
        """The next bytes of the file. What is asked meanwhile sees all of the chunk or nothing of it."""
        (size, newlines, _), position = self._state, 0
        while position < len(chunk):
            step = min(BLOCK - size % BLOCK, len(chunk) - position)
            newlines += chunk.count(NEWLINE, position, position + step)
            position += step
            size += step
            if size % BLOCK == 0:
                self._before.append(newlines)
        if chunk:
            self._state = (size, newlines, chunk.endswith(NEWLINE))

    @property
    def size(self) -> int:
        return self._state[0]

    @property
    def newlines(self) -> int:
        return self._state[1]

    @property
    def lines(self) -> int:
        """Also counts a last line that has no newline yet."""
        _, newlines, ended = self._state
        return newlines if ended else newlines + 1

    def start_of(self, line: int, read: Read) -> int:
        """The offset at which the line begins; the end of the file for a line that there is not."""
        if line <= 0:
            return 0
        size, newlines, _ = self._state
        if line > newlines:
            return size
        block = bisect_left(self._before, line) - 1
        content = read(block * BLOCK, BLOCK)
        return block * BLOCK + _after_newline(content, line - self._before[block])

    def line_at(self, offset: int, read: Read) -> int:
        """The number of the line that holds the byte."""
        block = min(offset // BLOCK, len(self._before) - 1)
        start = block * BLOCK
        return int(self._before[block]) + read(start, offset - start).count(NEWLINE)


def _after_newline(content: bytes, number: int) -> int:
    """Behind the newline of that number (from 1), found by halves: a block of blank lines has 65,536 of them."""
    low, high = 0, len(content)
    while high - low > 512:
        middle = (low + high) // 2
        here = content.count(NEWLINE, low, middle)
        if here >= number:
            high = middle
        else:
            low, number = middle, number - here
    for _ in range(number):
        found = content.find(NEWLINE, low)
        if found < 0:
            return len(content)
        low = found + 1
    return low


Source = Callable[[CancelToken], Iterator[bytes]]

LINE_CAP = BLOCK  # bytes of a line that are ever handed out to be looked at
_SAVED_AT_ONCE = 1 << 20


class Line(NamedTuple):
    """`content`: without its newline, not decoded; `cut`: how many of its bytes were left out."""

    content: bytes
    cut: int = 0


class LogSpool:
    """Filled by one thread, read by any. Its file has no name, mode 0600, and goes with the last who holds it."""

    def __init__(self, source: Source, folder: Path | None = None) -> None:
        """`folder`: where the bytes are kept (the system's folder for such files). Raises `FileError`."""
        try:
            # Unbuffered: each chunk is a write of its own, and readers use pread on the same descriptor.
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - lives as long as the spool
        except OSError as problem:
            raise _disk_error(problem) from problem
        weakref.finalize(self, self._file.close)
        self._descriptor = self._file.fileno()
        self._source = source
        self._index = LineIndex()
        self._changed = threading.Condition()
        self.cancel = CancelToken()
        self.complete = False
        self.problem: AppError | None = None
        self.discarded = False

    # ---- filling -----------------------------------------------------------------------------------------------

    def fill(self) -> None:
        """Reads the source to its end; blocks, so call it in a thread. Never raises: see `problem`."""
        chunks: Iterator[bytes] | None = None
        try:
            chunks = self._source(self.cancel)
            for chunk in chunks:
                self.cancel.check()
                self._append(chunk)
        except AppError as problem:
            self.problem = problem
        except OSError as problem:
            self.problem = _disk_error(problem)
        except Exception as problem:  # a defect of a source must not leave a view that loads for ever
            self.problem = AppError(f"The log could not be read: {type(problem).__name__}.", "Try it again.")
        finally:
            if chunks is not None and hasattr(chunks, "close"):
                with contextlib.suppress(Exception):
                    chunks.close()
            with self._changed:
                self.complete = True
                self._changed.notify_all()

    def _append(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:
            written = os.write(self._descriptor, rest)
            with self._changed:
                if self.discarded:
                    raise OperationCancelledError
                self._index.grow(bytes(rest[:written]) if written < len(chunk) else chunk)
                self._changed.notify_all()
            rest = rest[written:]

    def wait(self, seen: int, cancel: CancelToken, seconds: float = 0.2) -> bool:
        """Sleeps until there are more than `seen` bytes, no more will come, or the time is over: is there more?"""
        deadline = time.monotonic() + seconds
        with self._changed:
            while self._index.size <= seen and not self.complete and not cancel.cancelled:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
        cancel.check()
        return self._index.size > seen

    def stop(self) -> None:
        """No more bytes; what has come stays readable."""
        self.cancel.cancel()
        with self._changed:
            self._changed.notify_all()

    def discard(self) -> None:
        """Gives the disk space back at once; from now on there are no lines."""
        self.stop()
        with self._changed:
            self.discarded = True
            with contextlib.suppress(OSError, ValueError):
                os.ftruncate(self._descriptor, 0)

    # ---- reading -----------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._index.size

    @property
    def line_count(self) -> int:
        """Lines so far, with the last one even if its newline has not come yet."""
        return self._index.lines

    @property
    def ended_lines(self) -> int:
        """Lines whose newline is there."""
        return self._index.newlines

    def read(self, offset: int, size: int) -> bytes:
        """Bytes as they are; fewer at the end."""
        return os.pread(self._descriptor, max(min(size, self._index.size - offset), 0), offset)

    def start_of(self, line: int) -> int:
        return self._index.start_of(line, self.read)

    def line_at(self, offset: int) -> int:
        return self._index.line_at(offset, self.read)

    def lines(self, start: int, count: int) -> list[Line]:
        """Lines from number `start` (from 0) on; fewer at the end. Split at newlines only.

        Of a line longer than `LINE_CAP` comes its start, or what stands behind its last carriage return if that is
        near its end: the last state of a progress bar.
        """
        found: list[Line] = []
        count = min(count, self.line_count - start)
        if start < 0 or count <= 0:
            return found
        offset = self.start_of(start)
        while len(found) < count:
            piece = self.read(offset, BLOCK)
            if not piece:
                break
            parts = piece.split(NEWLINE, count - len(found))
            if len(parts) > 1:
                found += [Line(part) for part in parts[:-1]]
                offset += len(piece) - len(parts[-1])
                continue
            end = self.start_of(start + len(found) + 1)
            ended = self.read(end - 1, 1) == NEWLINE if end > offset else False
            found.append(self._long_line(offset, end - ended))
            offset = max(end, offset + 1)
        return found

    def _long_line(self, start: int, end: int) -> Line:
        if end - start <= LINE_CAP:
            return Line(self.read(start, end - start))
        tail = self.read(end - LINE_CAP, LINE_CAP).rstrip(b"\r")
        last = tail.rfind(b"\r")
        if last >= 0:
            return Line(tail[last + 1 :])  # what was overwritten is not cut
        return Line(self.read(start, LINE_CAP), end - start - LINE_CAP)

    def whole_line(self, line: int, most: int) -> bytes:
        """One line with all that it has, but no more than `most` bytes."""
        start, end = self.start_of(line), self.start_of(line + 1)
        return self.read(start, min(end - start, most)).rstrip(b"\r\n")

    def save(self, target: BinaryIO, cancel: CancelToken) -> int:
        """Copies what there is now; returns the number of bytes. Raises `OperationCancelledError`, `FileError`."""
        size, offset = self.size, 0
        while offset < size:
            cancel.check()
            piece = self.read(offset, min(_SAVED_AT_ONCE, size - offset))
            if not piece:
                raise FileError("The log was closed while it was being saved.", "Open it again.")
            target.write(piece)
            offset += len(piece)
        return size


def _disk_error(problem: OSError) -> FileError:
    said = disk_words(problem)
    folder = tempfile.gettempdir()
    return FileError(f"The log does not fit on the disk ({said}).", f"Free some space in {folder} and open it again.")
