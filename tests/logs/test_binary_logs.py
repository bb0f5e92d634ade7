"""What is refused as a log, and what is a text however odd it is."""

from __future__ import annotations

import random
import zlib

import pytest

from backends.logs.binary import NotTextError, check_text, describe_binary

LINE = b"[task 2026-11-20T08:58:20.190Z] 08:58:20 ERROR - TEST-UNEXPECTED-FAIL | a.js | b\n"


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (random.Random(1).randbytes(4096), "binary data"),
        (zlib.compress(random.Random(2).randbytes(9000)), "binary data"),
        (b"MZ\x90\0" + bytes(300) + b"This program cannot be run in DOS mode.", "a Windows program"),
        (b"\x7fELF\x02\x01\x01" + bytes(200), "a Linux program"),
        (b"PK\x03\x04\x14\0\0\0" + random.Random(3).randbytes(500), "a zip archive"),
        (b"%PDF-1.7\n" + random.Random(4).randbytes(500), "a PDF document"),
        (b"name" + bytes(253) + b"ustar" + bytes(250), "a tar archive"),
        (bytes(500), "binary data"),
    ],
)
def test_no_text(head: bytes, words: str) -> None:
    assert describe_binary(head, "x") == words


@pytest.mark.parametrize(
    "head",
    [
        b"", b"\0", LINE * 20, b"\x1b[31mred\x1b[0m \x1b[1mbold\x1b[0m\r\n" * 50, LINE * 20 + b"\0" * 30,
        "ログの行\n".encode("shift-jis") * 50, "Zeile mit Umläuten äöü\n".encode("latin-1") * 50,
        LINE.decode().encode("utf-16"),
        "🜁 ✖ ★\n".encode() * 100, b"MZ is how this log begins\n" * 9,
        b"%PDF is mentioned\n" * 9, b"\t\x08\x0c\r\n" * 99,
    ],
    ids=range(12),
)  # fmt: skip
def test_a_text(head: bytes) -> None:
    assert describe_binary(head, "x.exe") == ""


def test_the_type_of_a_name_is_said() -> None:
    assert describe_binary(bytes(99), "https://ci.example/a.mp4") == "binary data (video/mp4)"


def test_the_pieces_stay_as_they_are() -> None:
    pieces = [b"", LINE, b"", LINE * 3]
    assert b"".join(check_text(pieces, "a log", "a.log", "")) == LINE * 4
    assert list(check_text([], "a log", "a.log", "")) == []
    with pytest.raises(NotTextError, match=r"the log is not a text but a Linux program.*Download it"):
        check_text([b"\x7fELF" + bytes(99)], "the log", "a", "Download it.")
