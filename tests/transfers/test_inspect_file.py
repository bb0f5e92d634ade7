"""What kind of content a downloaded file has: by its first bytes, whatever its name promises."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from backends.downloads import ContentKind, inspect_file


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("live.log", b"line\n", ContentKind.TEXT),
        ("empty", b"", ContentKind.TEXT),
        ("live.log.gz", gzip.compress(b"line\n", mtime=0), ContentKind.TEXT),
        ("live.log.gz", gzip.compress(b"\0\1", mtime=0), ContentKind.OTHER),
        ("torn.log.gz", b"\x1f\x8b\x08garbage", ContentKind.OTHER),
        ("a.json", b'{"a": 1}', ContentKind.JSON),
        ("lines.json", b'{"a": 1}\n{"a": 2}\n', ContentKind.TEXT),
        ("binary.json", b"\0\0", ContentKind.OTHER),
        ("a.tgz", gzip.compress(b"text", mtime=0), ContentKind.OTHER),
        ("a.png", b"\x89PNG\r\n\x1a\n", ContentKind.IMAGE),
        ("a.jpeg", b"\xff\xd8\xff\xe0", ContentKind.IMAGE),
        ("a.png", b"<!doctype html>", ContentKind.TEXT),
        ("a.bin", b"\x89PNG\r\n\x1a\n", ContentKind.OTHER),
        ("program", b"\x7fELF\0", ContentKind.OTHER),
    ],
)
def test_content_is_told_by_name_and_first_bytes(tmp_path: Path, name: str, content: bytes, kind: ContentKind) -> None:
    (tmp_path / name).write_bytes(content)
    found = inspect_file(tmp_path / name)
    assert found.kind is kind
    assert found.value == ({"a": 1} if kind is ContentKind.JSON else None)


def test_what_is_no_file_is_missing_and_nothing_waits_for_it(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"secret")
    (tmp_path / "link.log").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "directory").mkdir()
    for name in ("link.log", "pipe.log", "directory", "nothing"):
        assert inspect_file(tmp_path / name).kind is ContentKind.MISSING, name
