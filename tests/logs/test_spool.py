"""What a reader of a log would lose: a line, a byte, a place on disk, or the words about why it ends."""

from __future__ import annotations

import io
import os
import stat
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.errors import AppError, FileError, OperationCancelledError
from backends.logs import sources
from backends.logs import spool as spools
from backends.logs.spool import LINE_CAP, Line, LogSpool

PIECES = st.lists(
    st.sampled_from([b"a", b"\n", b"\r", b"\r\n", b"\0", b"\xff", "é漢".encode(), b"word " * 9, b"\n\n\n"])
)


def filled(*chunks: bytes) -> LogSpool:
    spool = LogSpool(sources.from_bytes(*chunks))
    spool.fill()
    return spool


def model(content: bytes) -> list[bytes]:
    lines = content.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


def cut(content: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(content) + 1) for place in at), len(content)]
    return [content[start:end] for start, end in pairwise(edges)]


@given(PIECES, st.lists(st.integers(0, 10_000), max_size=8), st.integers(0, 40), st.integers(0, 40))
def test_lines_are_the_same_however_the_bytes_arrive(
    pieces: list[bytes], edges: list[int], start: int, count: int
) -> None:
    content = b"".join(pieces)
    spool = filled(*cut(content, edges))
    expected = model(content)
    assert spool.line_count == len(expected)
    assert [line.content for line in spool.lines(start, count)] == expected[start : start + count]
    assert all(line.cut == 0 for line in spool.lines(start, count))


@given(
    st.lists(st.one_of(st.integers(0, 90), st.sampled_from([63, 64, 65, 127, 128, 129, 300])), max_size=30),
    st.booleans(),
    st.integers(1, 97),
)
def test_blocks_lines_and_chunks_of_every_size_fit_together(lengths: list[int], ended: bool, chunk: int) -> None:
    """With blocks of 64 bytes: lines that span blocks, end with them, or are longer than what is shown of one."""
    content = b"\n".join(bytes([97 + number % 26]) * length for number, length in enumerate(lengths))
    content += b"\n" if ended and content else b""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spools, "BLOCK", 64)
        patch.setattr(spools, "LINE_CAP", 64)
        spool = filled(*(content[at : at + chunk] for at in range(0, len(content), chunk)))
        expected = model(content)
        lines = spool.lines(0, len(expected) + 3)
        assert [line.content for line in lines] == [line[:64] for line in expected]
        assert [line.cut for line in lines] == [max(len(line) - 64, 0) for line in expected]
        offset = 0
        for number, line in enumerate(expected):
            assert spool.start_of(number) == offset
            assert spool.line_at(offset) == number == spool.line_at(offset + len(line)) or not content[offset:]
            assert spool.lines(number, 1) == lines[number : number + 1]
            offset += len(line) + 1


def test_a_line_of_ten_megabytes_is_cut_and_the_lines_around_it_are_not() -> None:
    spool = filled(b"before\n", b"x" * 10_000_000, b"\nafter\n")
    assert spool.lines(0, 3) == [
        Line(b"before"),
        Line(b"x" * LINE_CAP, 10_000_000 - LINE_CAP),
        Line(b"after"),
    ]
    assert spool.whole_line(1, 20_000_000) == b"x" * 10_000_000


def test_of_a_long_progress_bar_its_last_state_is_left() -> None:
    bar = b"\r".join(b"%6d of 99999" % number for number in range(20_000))
    spool = filled(bar + b"\r\ndone\n")
    assert spool.lines(0, 2) == [Line(b" 19999 of 99999"), Line(b"done")]


def test_lines_that_are_not_there_are_no_lines() -> None:
    spool = filled(b"one\ntwo")
    assert spool.lines(2, 5) == spool.lines(99, 1) == spool.lines(-1, 1) == spool.lines(0, 0) == []
    assert spool.start_of(99) == 7


def test_a_reader_sees_whole_lines_while_the_log_comes_in() -> None:
    gate = threading.Semaphore(0)
    chunks = [b"first\nsec", b"ond\n", b"third"]

    def slow(_cancel: CancelToken) -> Iterator[bytes]:
        for chunk in chunks:
            gate.acquire(timeout=30)
            yield chunk

    spool = LogSpool(slow)
    thread = threading.Thread(target=spool.fill)
    thread.start()
    seen = []
    for _ in chunks:
        size = spool.size
        gate.release()
        while not spool.wait(size, CancelToken(), seconds=30):
            assert not spool.complete
        seen.append([line.content for line in spool.lines(0, 9)])
    thread.join(30)
    assert seen == [[b"first", b"sec"], [b"first", b"second"], [b"first", b"second", b"third"]]
    assert spool.complete and spool.problem is None


def test_what_came_before_a_failure_stays_and_the_failure_has_words() -> None:
    def broken(_cancel: CancelToken) -> Iterator[bytes]:
        yield b"all that came\n"
        raise AppError("The server went away.", "Try again.")

    spool = LogSpool(broken)
    spool.fill()
    assert str(spool.problem) == "The server went away. Try again."
    assert spool.lines(0, 9) == [Line(b"all that came")]


def test_a_defect_of_a_source_does_not_leave_a_log_that_loads_for_ever() -> None:
    def defective(_cancel: CancelToken) -> Iterator[bytes]:
        yield b"x"
        raise RuntimeError("not for the user")

    spool = LogSpool(defective)
    spool.fill()
    assert spool.complete and "not for the user" not in str(spool.problem)


def test_a_full_disk_is_told_and_what_came_is_still_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    written = os.write

    def full(descriptor: int, chunk: bytes) -> int:
        if len(chunk) > 10:
            raise OSError(28, "No space left on device")
        return written(descriptor, chunk)

    monkeypatch.setattr(os, "write", full)
    spool = filled(b"fits\n", b"does not fit\n")
    assert isinstance(spool.problem, FileError) and "no space left" in spool.problem.sentence
    assert spool.lines(0, 9) == [Line(b"fits")]


def test_a_disk_that_takes_half_of_a_chunk_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    written = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, chunk: written(descriptor, bytes(chunk)[:3]))
    assert filled(b"one\ntwo\nthree\n").lines(0, 9) == [Line(b"one"), Line(b"two"), Line(b"three")]


def test_no_place_for_the_log_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileError):
        LogSpool(sources.from_bytes(), tmp_path / "missing")


def test_nobody_else_can_read_the_log_or_find_its_file(tmp_path: Path) -> None:
    spool = LogSpool(sources.from_bytes(b"secret\n"), tmp_path)
    spool.fill()
    assert list(tmp_path.iterdir()) == []
    assert stat.S_IMODE(os.fstat(spool._descriptor).st_mode) & 0o077 == 0


def test_saving_gives_every_byte_back() -> None:
    content = b"\x1b[31mred\r\n\0\xff\n" * 200_000 + b"end"
    spool, target = filled(content), io.BytesIO()
    assert spool.save(target, CancelToken()) == len(content)
    assert target.getvalue() == content


def test_saving_can_be_stopped_and_a_closed_log_is_never_saved_short() -> None:
    spool, stop = filled(b"x\n" * 10), CancelToken()
    stop.cancel()
    with pytest.raises(OperationCancelledError):
        spool.save(io.BytesIO(), stop)
    spool.discard()
    with pytest.raises(FileError):
        spool.save(io.BytesIO(), CancelToken())
    assert spool.lines(0, 5) == []
    assert os.fstat(spool._descriptor).st_size == 0


def test_closing_ends_a_source_that_waits_for_more() -> None:
    ended = threading.Event()

    def endless(cancel: CancelToken) -> Iterator[bytes]:
        try:
            yield b"begun\n"
            while True:
                cancel.sleep(60)
        finally:
            ended.set()

    spool = LogSpool(endless)
    thread = threading.Thread(target=spool.fill)
    thread.start()
    while not spool.wait(0, CancelToken(), seconds=30):
        pass
    spool.stop()
    thread.join(30)
    assert not thread.is_alive() and ended.is_set()
    assert spool.lines(0, 1) == [Line(b"begun")]
