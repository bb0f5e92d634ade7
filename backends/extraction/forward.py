"""What `tarfile` reads from: a stream that only goes forward, with a step back of one block and a bound on memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from backends.extraction.decoding import damaged

BLOCK = 512


class Forward:
    """`pieces` as a file. `tarfile` looks back by one byte at most (it reads the last one of a member again).

    `most`: the largest read that is allowed. tarfile reads a header's extension whole, and its regular expressions
    are quadratic in it (CVE-2024-6232): 32 KiB, far more than any real one has, take 0.5 s at worst.
    """

    def __init__(self, pieces: Iterator[bytes], name: str, heed: Callable[[int], None]) -> None:
        self._pieces, self._name, self._heed = pieces, name, heed
        self._held = bytearray()
        self._base = 0  # where in the stream `_held` begins
        self._position = 0
        self.most = 1 << 15

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self.most:
            raise damaged(self._name, "one of its headers is too large")
        self._fill(self._position + size)
        start = self._position - self._base
        out = bytes(self._held[start : start + size])
        self._position += len(out)
        self._forget()
        return out

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence or offset < self._base:
            raise damaged(self._name, "its headers contradict each other")
        while self._base + len(self._held) < offset and self._more():
            self._position = min(offset, self._base + len(self._held))
            self._forget()
        self._position = min(offset, self._base + len(self._held))
        return self._position

    def ends_with_a_zero_block(self) -> bool:
        """Whether the block just read is the mark that every whole tar ends with."""
        start = self._position - self._base - BLOCK
        return start >= 0 and not any(self._held[start : start + BLOCK])

    def drain(self) -> None:
        """Reads to the end, so that checksums at the end of a compressed stream are looked at."""
        while self._more():
            self._position = self._base + len(self._held)
            self._forget()

    def _fill(self, until: int) -> None:
        while self._base + len(self._held) < until and self._more():
            pass

    def _more(self) -> bool:
        piece = next(self._pieces, None)
        if piece is None:
            return False
        self._heed(len(piece))
        self._held += piece
        return True

    def _forget(self) -> None:
        """Only when it is worth moving what remains."""
        passed = self._position - self._base - BLOCK
        if passed > 1 << 16 or (passed > 0 and self._position == self._base + len(self._held)):
            del self._held[:passed]
            self._base += passed
