"""What a log says where no summary does."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

from backends.failures.log_errors import MAX_ERRORS, read_log
from backends.failures.records import Failure

HEAD = b"[taskcluster 2026-11-20T08:00:00.000Z] === Task Starting ===\n[task 2026-11-20T08:00:01.000Z] setting up\n"
TAIL = (
    b"[taskcluster 2026-11-20T08:09:00.000Z] === Task Finished ===\n"
    b"[taskcluster:error] 2026-11-20T08:09:00.000Z exit status 1\n"
)


def read(*lines: str) -> list[Failure]:
    body = b"".join(f"[task 2026-11-20T08:00:02.000Z] {line}\n".encode() for line in lines)
    return read_log([HEAD + body + TAIL], "log")


def test_first_distinct_errors_and_how_it_ended() -> None:
    found = read(
        "08:00:02    ERROR - cannot open a.db after 3 tries",
        "08:00:03     INFO - fine",
        "08:00:04    ERROR - cannot open a.db after 17 tries",
        "08:00:05    FATAL - gave up",
    )
    assert [(one.status, one.message, one.line) for one in found] == [
        ("error", "cannot open a.db after 3 tries", 3),
        ("error", "gave up", 6),
        ("ended", "[taskcluster:error] 2026-11-20T08:09:00.000Z exit status 1", 8),
    ]


def test_a_harness_line_names_its_test() -> None:
    [failure, _] = read("08:00:02    ERROR - TEST-UNEXPECTED-TIMEOUT | dom/a.html | Test timed out | more")
    assert (failure.test, failure.status, failure.message) == ("dom/a.html", "TIMEOUT", "Test timed out | more")


def test_a_reftest_and_a_crash_name_theirs() -> None:
    found = read(
        "08:00:02     INFO - REFTEST TEST-UNEXPECTED-FAIL | dom/b.html | load failed",
        "08:00:03    ERROR - PROCESS-CRASH | application crashed [@ libc.so + 0x1ccb5] | dom/c.html",
        "08:00:04    ERROR - PROCESS-CRASH | dom/d.html | application crashed [@ mozilla::Foo]",
    )
    assert [(one.test, one.status, one.message) for one in found[:-1]] == [
        ("dom/b.html", "FAIL", "load failed"),
        ("dom/c.html", "CRASH", "@ libc.so + 0x1ccb5"),
        ("dom/d.html", "CRASH", "@ mozilla::Foo"),
    ]


def test_every_unexpected_result_in_the_recorded_logs_is_listed(samples: Path) -> None:
    paths = sorted((samples / "failures").glob("*.log.gz"))
    assert paths
    for path in paths:
        raw = gzip.decompress(path.read_bytes())
        expected = {
            (match[1].decode(), match[2].decode().strip())
            for match in re.finditer(rb"TEST-UNEXPECTED-([A-Z]+) \| ([^|\n]+?) \|", raw)
        }
        found = read_log([raw], "log")
        assert {(one.status, one.test) for one in found if one.test and one.status != "CRASH"} == expected, path.name
        assert found[-1].status == "ended" and "Unsuccessful task run" in found[-1].message
        lines = raw.split(b"\n")
        assert all(one.line and one.message[:20].encode() in lines[one.line - 1] for one in found), path.name


def test_lines_without_a_word_are_not_listed() -> None:
    assert all(one.message != "---" for one in read("ERRO[2021-04-07T15:39:52Z] ---", "ERROR: ---"))


def test_where_no_line_is_an_error_the_last_one_is_given() -> None:
    found = read("waiting for the phone", "08:00:02     INFO - device R58M12 went away")
    assert [(one.status, one.message, one.line) for one in found] == [
        ("last line", "device R58M12 went away", 4),
        ("ended", "[taskcluster:error] 2026-11-20T08:09:00.000Z exit status 1", 6),
    ]


def test_there_is_a_bound_on_what_is_listed() -> None:
    words = ("a" * n for n in range(1, 100))
    assert len(read(*(f"08:00:02    ERROR - cannot {word}" for word in words))) == MAX_ERRORS + 1


def test_nothing_at_all() -> None:
    assert read_log([], "log") == [] and read_log([b"\n\n"], "log") == []
    assert [one.status for one in read_log([b"\x00\xff\x1b[31mlast words\x1b[0m"], "log")] == ["last line"]
