"""Where line n begins, for a log of any size: how many newlines lie before each 64 KB block, and nothing else."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable

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
