"""Where the bytes of a log come from: a server, a file, or memory; compressed or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from backends.cancel import Cancel
from backends.http.decoding import EncodingBroken, EncodingCutShort, decode
from backends.problems import FileProblem, Problem

if TYPE_CHECKING:
    from backends.http import Downloader
    from backends.logs.spool import Source

_PIECE = 256 << 10
_GZIP, _ZSTD = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"
_ATTEMPTS = 5  # in a row that brought nothing new


def from_bytes(*chunks: bytes) -> Source:
    """These bytes, in these pieces, as they are."""
    return lambda _cancel: iter(chunks)


def from_path(path: Path) -> Source:
    """A local file, decompressed if its first bytes say so."""

    def read(cancel: Cancel) -> Iterator[bytes]:
        try:
            with path.open("rb", buffering=0) as stream:
                yield from decompressed(_pieces(stream.read, cancel))
        except OSError as problem:
            said = (problem.strerror or type(problem).__name__).lower()
            raise FileProblem(f"{path} cannot be read: {said}.", "Check its name and permissions.") from problem

    return read


def from_http(downloader: Callable[[], Downloader], url: str, *, live: bool = False) -> Source:
    """A log on a server; `downloader` makes the connection, such as `http.downloader`.

    A connection that breaks is opened again from the start and what was there already is passed over: a range of a
    compressed answer would be of no use. `live`: the answer is held open while the task runs, and silence is not an
    error; once the task has ended, the same URL leads to the finished log, which begins with the same bytes.
    """
    from backends.http.backoff import delays, honoured, is_too_long
    from backends.http.errors import HttpProblem

    def read(cancel: Cancel) -> Iterator[bytes]:
        done, failures, pauses = 0, 0, delays()
        while True:
            before = done
            try:
                for chunk in _skipped(_body(downloader, url, cancel, live), done):
                    done += len(chunk)
                    yield chunk
                return
            except HttpProblem as problem:
                failures = 1 if done > before else failures + 1
                quiet = live and done > 0 and problem.reason == "timeout"
                if not quiet and (not problem.retryable or failures >= _ATTEMPTS or is_too_long(problem.retry_after)):
                    raise
                if done > before:
                    pauses = delays()
                cancel.sleep(honoured(next(pauses), problem.retry_after))

    return read


def decompressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes, or what they are the gzip or zstd of. Raises `Problem` where they are damaged or cut short."""
    stream = iter(chunks)
    head = b""
    for chunk in stream:
        head += chunk
        if len(head) >= len(_ZSTD):
            break
    rest = chain([head] if head else [], stream)
    encoding = "gzip" if head.startswith(_GZIP) else "zstd" if head.startswith(_ZSTD) else ""
    return _in_words(decode(rest, encoding) if encoding else rest)


def _body(downloader: Callable[[], Downloader], url: str, cancel: Cancel, live: bool) -> Iterator[bytes]:
    # A log that is followed may be nearly silent for hours.
    with downloader() as connection, connection.open(url, cancel=cancel, check_speed=not live) as stream:
        chunks = stream.chunks()
        yield from decompressed(_in_words(decode(chunks, stream.encoding)) if stream.encoding else chunks)


def _in_words(chunks: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from chunks
    except EncodingCutShort:
        raise Problem(
            "The log ends before its end: it was compressed, and the rest is missing.", "Try again."
        ) from None
    except EncodingBroken as problem:
        raise Problem(f"The log is compressed in a way that cannot be read ({problem}).", "Download it.") from None


def _skipped(chunks: Iterator[bytes], count: int) -> Iterator[bytes]:
    for chunk in chunks:
        if count >= len(chunk):
            count -= len(chunk)
            continue
        yield chunk[count:] if count else chunk
        count = 0


def _pieces(read: Callable[[int], bytes], cancel: Cancel) -> Iterator[bytes]:
    while piece := read(_PIECE):
        cancel.check()
        yield piece
