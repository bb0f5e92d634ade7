"""Logs as servers and disks have them: compressed or not, whole or not, with connections that break."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.cancel import CancelToken
from backends.errors import AppError, FileError
from backends.http.errors import HttpError, NotFoundError, RequestTimeoutError
from backends.logs import sources
from backends.logs.spool import LogSpool, Source

LOG = b"".join(b"line %d of the log\n" % number for number in range(5000))
URL = "https://ci.example/log"


class Stream:
    """One answer: its chunks, then what goes wrong."""

    def __init__(self, chunks: list[bytes], encoding: str = "", problem: Exception | None = None) -> None:
        self.encoding = encoding
        self._chunks, self._problem = chunks, problem

    def chunks(self) -> Iterator[bytes]:
        yield from self._chunks
        if self._problem is not None:
            raise self._problem

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Server:
    """Gives its answers one after the other, as a Downloader does."""

    def __init__(self, *answers: Stream | Exception) -> None:
        self.answers = list(answers)

    def __call__(self) -> Server:
        return self

    def open(self, url: str, *, cancel: CancelToken, check_speed: bool = True) -> Stream:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Quick(CancelToken):
    """Does not wait between attempts."""

    def sleep(self, seconds: float) -> None:
        self.check()


def read(source: Source) -> tuple[bytes, str]:
    spool = LogSpool(source)
    spool.cancel = Quick()
    spool.fill()
    return spool.read(0, spool.size), str(spool.problem or "")


def pieces(content: bytes, size: int = 1000) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


def failure(kind: type[HttpError], *, retryable: bool = True, reason: str = "network") -> HttpError:
    problem = kind("The server did not answer.", "Try again.")
    problem.retryable, problem.reason = retryable, reason
    return problem


@pytest.mark.parametrize(
    "packed",
    [LOG, gzip.compress(LOG), gzip.compress(LOG[:999]) + gzip.compress(LOG[999:])],
    ids=["plain", "gzip", "two members"],  # the bytes hold the time
)
def test_a_file_is_read_as_it_is_or_unpacked(tmp_path: Path, packed: bytes) -> None:
    path = tmp_path / "build-log.txt"
    path.write_bytes(packed)
    assert read(sources.from_path(path)) == (LOG, "")


@pytest.mark.parametrize("content", [b"", b"x", b"\x1f", b"\x1f\x8b"])
def test_a_tiny_file_is_no_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    assert read(sources.from_path(path)) == (content, "")


def test_a_missing_file_is_said_in_words(tmp_path: Path) -> None:
    spool = LogSpool(sources.from_path(tmp_path / "missing"))
    spool.fill()
    assert isinstance(spool.problem, FileError) and "no such file" in str(spool.problem)


def test_of_a_damaged_archive_the_readable_part_is_shown_and_the_rest_explained(tmp_path: Path) -> None:
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(LOG)[:-2000])
    content, words = read(sources.from_path(path))
    assert content and LOG.startswith(content) and "missing" in words
    path.write_bytes(gzip.compress(LOG)[:500] + b"\0" * 500)
    assert "cannot be read" in read(sources.from_path(path))[1]


def test_a_server_may_send_it_compressed_twice_over() -> None:
    stream = Stream(pieces(gzip.compress(gzip.compress(LOG))), "gzip")
    assert read(sources.from_http(Server(stream), URL)) == (LOG, "")  # type: ignore[arg-type]


def test_after_a_break_the_log_goes_on_where_it_was() -> None:
    packed = gzip.compress(LOG, 0)
    server = Server(
        Stream(pieces(packed)[:20], "gzip", failure(RequestTimeoutError)),
        failure(RequestTimeoutError),
        Stream(pieces(packed, 777), "gzip"),
    )
    assert read(sources.from_http(server, URL)) == (LOG, "")  # type: ignore[arg-type]


def test_a_server_that_does_not_come_back_is_given_up_with_what_came() -> None:
    server = Server(Stream([LOG[:500]], problem=failure(RequestTimeoutError)), *[failure(RequestTimeoutError)] * 9)
    content, words = read(sources.from_http(server, URL))  # type: ignore[arg-type]
    assert content == LOG[:500] and words == "The server did not answer. Try again."
    assert server.answers


def test_a_log_that_is_not_there_is_asked_for_once() -> None:
    server = Server(failure(NotFoundError, retryable=False), Stream([LOG]))
    assert read(sources.from_http(server, URL))[0] == b"" and len(server.answers) == 1  # type: ignore[arg-type]


def test_silence_does_not_end_a_live_log() -> None:
    quiet = [
        Stream([LOG[:500]], problem=failure(RequestTimeoutError, retryable=False, reason="timeout")) for _ in range(20)
    ]
    server = Server(*quiet, Stream([LOG]))
    assert read(sources.from_http(server, URL, live=True)) == (LOG, "")  # type: ignore[arg-type]


def test_a_deflate_bomb_comes_in_bounded_pieces(tmp_path: Path) -> None:
    path = tmp_path / "log.gz"
    packer = zlib.compressobj(wbits=31)
    path.write_bytes(b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush())
    assert max(len(chunk) for chunk in sources.from_path(path)(CancelToken())) <= 1 << 20


def test_a_log_that_is_cut_off_or_damaged_says_which_and_keeps_what_was_read() -> None:
    whole = gzip.compress(b"line\n" * 10, mtime=0)
    for damaged, words in ((whole[:-9], "cut off"), (whole + b"\x1f\x8bjunkjunkjunk", "compressed bytes are damaged")):
        read = bytearray()
        with pytest.raises(AppError, match=words):
            for chunk in sources.decompress([damaged]):
                read += chunk
        assert bytes(read) == b"line\n" * 10
