"""A file is complete or not there, and nobody's link leads a write elsewhere."""

from __future__ import annotations

import errno
import os
import threading
from itertools import count
from pathlib import Path

import pytest

from backends.atomic import SymlinkError, atomic_file, disk_words, open_directory
from backends.errors import FileError
from tests.crash_injection import run_killed


def write(target: Path, content: bytes = b"new", **options: object) -> None:
    with atomic_file(target, **options) as file:  # type: ignore[arg-type]
        file.write(content)


def test_a_write_killed_at_any_step_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    code = """
from pathlib import Path
from backends.atomic import atomic_file
start_counting()
with atomic_file(Path(sys.argv[1]), overwrite=True) as file:
    file.write(b"new")
"""
    target, steps = tmp_path / "file", 0
    for step in count(1):
        target.write_bytes(b"old")
        if not run_killed(code, str(target), step=step):
            break
        steps += 1
        assert target.read_bytes() in (b"old", b"new")
    assert steps >= 2
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_link_planted_below_an_output_directory_is_never_written_through(tmp_path: Path, overwrite: bool) -> None:
    outside, output = tmp_path / "outside", tmp_path / "output"
    outside.mkdir()
    output.mkdir()
    (outside / "file").write_bytes(b"theirs")
    (output / "dangling").symlink_to(outside / "new")
    (output / "file").symlink_to(outside / "file")
    (output / "directory").symlink_to(outside)
    for name in ("dangling", "file", "directory/file", "directory/new", "directory/deeper/new"):
        with pytest.raises(SymlinkError, match="symbolic link"):
            write(output / name, below=output, overwrite=overwrite)
    assert sorted(path.name for path in outside.iterdir()) == ["file"]
    assert (outside / "file").read_bytes() == b"theirs"


def test_the_directory_that_the_user_chose_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write(tmp_path / "link" / "a" / "b", below=tmp_path / "link")
    assert (tmp_path / "real" / "a" / "b").read_bytes() == b"new"


def test_a_name_that_climbs_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for name in ("../escaped", "a/../../escaped", "."):
        with pytest.raises(FileError, match="not below"):
            write(tmp_path / "out" / name, below=tmp_path / "out")
    with pytest.raises(FileError, match="not below"):
        open_directory(tmp_path, ["..", "x"], create=True)
    assert not (tmp_path / "escaped").exists()


def test_a_named_link_to_nothing_is_not_followed_and_one_to_a_file_only_to_overwrite_it(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to(tmp_path / "made")
    with pytest.raises(SymlinkError):
        write(tmp_path / "dangling", overwrite=True)
    assert not (tmp_path / "made").exists()
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(FileError, match="exists"):
        write(tmp_path / "link")
    write(tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


def test_devices_and_named_pipes_are_written_to_and_stay_what_they_are(tmp_path: Path) -> None:
    write(Path("/dev/null"))
    assert Path("/dev/null").is_char_device()
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write(pipe)
    reader.join(20)
    assert read == [b"new"]
    assert pipe.is_fifo()


def test_standard_output_by_its_path_is_the_one_that_the_shell_opened(capfd: pytest.CaptureFixture[str]) -> None:
    write(Path("/dev/stdout"), b"rows\n")
    write(Path("/dev/fd/2"), b"notes\n")
    assert capfd.readouterr() == ("rows\n", "notes\n")


def test_a_write_that_fails_leaves_nothing_beside_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(RuntimeError), atomic_file(tmp_path / "file", overwrite=True) as file:
        file.write(b"half")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="exists"), atomic_file(tmp_path / "file") as file:
        file.write(b"ours")
        (tmp_path / "file").write_bytes(b"theirs")
    assert (tmp_path / "file").read_bytes() == b"theirs"


def test_inodes_used_up_are_not_called_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/tmp/x")
    blocks = os.statvfs_result((4096, 4096, 1000, 500, 500, 1000, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: blocks)
    assert "inodes" in disk_words(full)
    assert disk_words(OSError(errno.EACCES, "Permission denied")) == "permission denied"
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((4096, 4096, 1000, 0, 0, 1000, 0, 0, 0, 255)))
    assert disk_words(full) == "no space left on device"


ABANDON = """
from pathlib import Path
from backends.atomic import atomic_file
start_counting()
with atomic_file(Path(sys.argv[1]), overwrite=True) as file:
    file.write(b"new")
"""


def test_what_a_killed_writer_left_is_removed_by_the_next_write_into_the_directory(tmp_path: Path) -> None:
    assert run_killed(ABANDON, str(tmp_path / "report.csv"), step=3)
    assert [path.name[:12] for path in tmp_path.iterdir()] == [".report.csv."]
    write(tmp_path / "other.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["other.csv"]


def test_a_part_that_is_still_written_and_files_that_are_not_ours_are_not_swept(tmp_path: Path) -> None:
    theirs = [
        ".notes.part",
        "notes.deadbeef.part",
        ".notes.DEADBEEF.part",
        ".notes.deadbeef.part.bak",
        ".deadbeef.part",
    ]
    for name in theirs:
        (tmp_path / name).write_bytes(b"theirs")
    (tmp_path / ".directory.deadbeef.part").mkdir()
    (tmp_path / ".link.deadbeef.part").symlink_to(tmp_path / ".notes.part")
    before = sorted(path.name for path in tmp_path.iterdir())
    with atomic_file(tmp_path / "slow.csv") as file:
        file.write(b"first half, ")
        write(tmp_path / "quick.csv")
        file.write(b"second half")
    assert (tmp_path / "slow.csv").read_bytes() == b"first half, second half"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*before, "quick.csv", "slow.csv"])


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127, "漢" * 85])
def test_a_name_as_long_as_the_disk_takes_can_be_written(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
