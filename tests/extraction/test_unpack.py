"""What honest archives become, and that a broken or stopped one leaves nothing behind."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import pytest

from backends.cancel import CancelToken
from backends.errors import FileError, OperationCancelledError
from backends.extraction.limits import DamagedArchiveError, NotAnArchiveError, is_archive
from backends.extraction.members import MEMBER_SCHEMA, list_members, read_member
from tests.extraction.making import COMPRESS, FORMS, extract, make_archive, tarred, tree, zipped

CONTENT = {"top/a.txt": b"one\n", "top/deep/er/b.bin": bytes(range(256)) * 3000, "top/empty": b""}


def honest(form: str) -> bytes:
    return make_archive(form, ("top/nothing-in-it", None), *CONTENT.items())


def write_archive(directory: Path, form: str, content: bytes) -> Path:
    path = directory / f"results.{form}"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_every_kind_unpacks_with_its_top_folder_kept(form: str, tmp_path: Path) -> None:
    unpacked = extract(write_archive(tmp_path, form, honest(form)), tmp_path / "out" / "here")
    found = tree(tmp_path / "out" / "here")
    assert {name: what[1] for name, what in found.items() if what[0] == "file"} == CONTENT
    assert found["top/nothing-in-it"] == ("directory",)
    assert dict(unpacked.files) == {name: len(content) for name, content in CONTENT.items()}
    assert unpacked.skipped == []
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["here"]


@pytest.mark.parametrize("form", FORMS)
def test_a_listing_says_what_is_in_it_without_unpacking(form: str, tmp_path: Path) -> None:
    before = tree(tmp_path)
    frame = list_members(write_archive(tmp_path, form, honest(form)))
    assert dict(frame.schema) == MEMBER_SCHEMA.polars()
    assert dict(frame.filter(frame["kind"] == "file").select("name", "size").iter_rows()) == {
        name: len(content) for name, content in CONTENT.items()
    }
    assert tree(tmp_path).keys() - before.keys() == {f"results.{form}"}


@pytest.mark.parametrize("form", FORMS)
def test_one_member_is_read_by_its_number_within_a_limit(form: str, tmp_path: Path) -> None:
    path = write_archive(tmp_path, form, honest(form))
    listed = list_members(path)
    files = dict(listed.filter(listed["kind"] == "file").select("number", "name").iter_rows())
    assert {name: read_member(path, int(number), 1 << 20) for number, name in files.items()} == CONTENT
    large = next(int(number) for number, name in files.items() if name.endswith("b.bin"))
    with pytest.raises(FileError, match="more than 1,000 bytes"):
        read_member(path, large, 1000)
    (folder,) = listed.filter(listed["kind"] == "directory")["number"].to_list()
    for number in (int(folder), 99):
        with pytest.raises(FileError, match="no file of number"):
            read_member(path, number, 1000)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_archive_leaves_nothing_under_any_name(form: str, kept: float, tmp_path: Path) -> None:
    content = honest(form)
    if form == "tar":
        content = content.rstrip(b"\0")  # beyond its end mark a tar is padded, and padding is no loss
    path = write_archive(tmp_path, form, content[: int(len(content) * kept)])
    with pytest.raises(FileError):
        extract(path, tmp_path / "out")
    with pytest.raises(FileError):
        list_members(path)
    assert tree(tmp_path).keys() == {path.name}


def test_a_tar_cut_between_two_members_is_not_taken_for_whole(tmp_path: Path) -> None:
    content = tarred(("a", b"1"), ("b", b"2"))
    path = write_archive(tmp_path, "tar.gz", COMPRESS["tar.gz"](content[:1024]))
    with pytest.raises(DamagedArchiveError):
        extract(path, tmp_path / "out")


def test_a_wrong_header_in_the_middle_is_not_taken_for_the_end(tmp_path: Path) -> None:
    content = bytearray(tarred(("a", b"1"), ("b", b"2")))
    content[1024 + 20] ^= 0xFF
    with pytest.raises(DamagedArchiveError):
        extract(write_archive(tmp_path, "tar", bytes(content)), tmp_path / "out")


@pytest.mark.parametrize("form", ["zip", "tar.gz", "tar.xz", "tar.bz2"])
def test_a_changed_byte_of_content_is_noticed(form: str, tmp_path: Path) -> None:
    noise = random.Random(7).randbytes(20_000)
    content = bytearray(make_archive(form, ("noise", noise)))
    content[len(content) // 2] ^= 1
    with pytest.raises(DamagedArchiveError):
        extract(write_archive(tmp_path, form, bytes(content)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", FORMS)
def test_whatever_bytes_are_wrong_nothing_is_half_unpacked(form: str, tmp_path: Path) -> None:
    """150 archives with up to four wrong bytes each: unpacked whole, or refused in words; nothing beside."""
    dice, content = (
        random.Random(form),
        make_archive(form, ("a.txt", b"one\n" * 50), ("d/b", b"two\n" * 9), ("d", None)),
    )
    for number in range(150):
        spoilt = bytearray(content)
        for _ in range(dice.randint(1, 4)):
            spoilt[dice.randrange(len(spoilt))] = dice.randrange(256)
        path = write_archive(tmp_path, form, bytes(spoilt))
        target = tmp_path / f"out-{number}"
        try:
            extract(path, target)
        except FileError as problem:
            assert not target.exists() and problem.sentence
    assert all(name.startswith(("out-", "results.")) for name in tree(tmp_path))


def test_several_streams_in_one_file_are_all_read(tmp_path: Path) -> None:
    content = tarred(("a", b"1" * 5000))
    for form in ("tar.gz", "tar.bz2", "tar.xz", "tar.zst"):
        compress = COMPRESS[form]
        path = write_archive(tmp_path, form, compress(content[:3000]) + compress(content[3000:]))
        assert extract(path, tmp_path / f"from-{form}").files == [("a", 5000)]


def test_an_archive_of_nothing_becomes_an_empty_directory(tmp_path: Path) -> None:
    assert extract(write_archive(tmp_path, "zip", zipped()), tmp_path / "z").files == []
    assert extract(write_archive(tmp_path, "tar", tarred()), tmp_path / "t").files == []
    assert tree(tmp_path / "z") == tree(tmp_path / "t") == {}


@pytest.mark.parametrize("form", FORMS)
def test_stopping_leaves_nothing(form: str, tmp_path: Path) -> None:
    cancel = CancelToken()
    cancel.cancel()
    path = write_archive(tmp_path, form, honest(form))
    with pytest.raises(OperationCancelledError):
        extract(path, tmp_path / "out", cancel=cancel)
    assert tree(tmp_path).keys() == {path.name}


def test_a_program_in_an_archive_can_be_run_and_has_no_other_rights(tmp_path: Path) -> None:
    content = tarred(("run", {"mode": 0o6777}), ("read", {"mode": 0o6666}))
    extract(write_archive(tmp_path, "tar", content), tmp_path / "out")
    assert (tmp_path / "out" / "run").stat().st_mode & 0o7100 == 0o100
    assert (tmp_path / "out" / "read").stat().st_mode & 0o7111 == 0


@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100, b"\x1f\x8b", b"PK\x03\x04", b"PK\x05\x06"])
def test_what_is_no_archive_is_said_to_be_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(FileError):
        extract(path, tmp_path / "out")


def test_a_compressed_log_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "live_backing.log.gz"
    path.write_bytes(COMPRESS["tar.gz"](b"a line of a log\n" * 1000))
    with pytest.raises(NotAnArchiveError):
        extract(path, tmp_path / "out")


def test_a_zip_behind_a_program_is_still_a_zip(tmp_path: Path) -> None:
    raw = io.BytesIO(b"#!/bin/sh\n")
    raw.seek(0, io.SEEK_END)
    with zipfile.ZipFile(raw, "a") as archive:
        archive.writestr("a", b"1")
    assert extract(write_archive(tmp_path, "zip", raw.getvalue()), tmp_path / "out").files == [("a", 1)]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("target.zip", "zip"), ("a.tgz", "tar.gz"), ("A.TAR.GZ", "tar.gz"), ("a.tar.zst", "tar.zst"), ("a.tar", "tar"),
        ("a.txz", "tar.xz"), ("a.tbz2", "tar.bz2"), ("a.log.gz", None), ("a.json", None), (".zip", None), ("zip", None),
    ],
)  # fmt: skip
def test_archives_are_known_by_their_names(name: str, kind: str | None) -> None:
    assert is_archive(name) == kind
