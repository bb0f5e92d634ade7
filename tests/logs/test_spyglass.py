"""What Prow's own log viewer would mark, and what it misses because of colours."""

from __future__ import annotations

import pytest

from backends.logs.spyglass import LONGEST, marks

MARKED = [
    b"timed out waiting for the condition",
    b"ERROR: no such image",
    b"--- FAIL: TestOpen (0.01s)",
    b"Failure [INSTALL_FAILED]",
    b"panic: runtime error",
    b"E0101 00:00:00.000]",
    b"error: some steps failed:",
    b'time="2021" level=error msg="x"',
    b"Step e2e failed after 10m0s.",
    b"Process exited: exit code 137",
    b"not ok 3 - reads the file",
]
PLAIN = [
    b"FAILED",
    b"failure",
    b"Error: x",
    b"I0101 00:00:00.000] ok",
    b"exit code 0",
    b"ok 3",
    b"panics are rare",
    b"",
]


@pytest.mark.parametrize("line", MARKED)
def test_lines_that_spyglass_marks(line: bytes) -> None:
    assert marks(line) and marks(line + b"\r\n") and marks(b"\x1b[31m" + line + b"\x1b[0m")


@pytest.mark.parametrize("line", PLAIN)
def test_lines_that_it_does_not(line: bytes) -> None:
    assert not marks(line)


def test_colours_in_the_middle_hide_nothing() -> None:
    assert marks(b"\x1b[31mERRO\x1b[0m[2021-04-08T17:52:09Z] Some steps failed:")


def test_very_long_lines_are_not_looked_at() -> None:
    assert not marks(b"ERROR: " + b"x" * LONGEST)
