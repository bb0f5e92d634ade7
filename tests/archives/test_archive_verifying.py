"""An archive is kept only if it is whole and what was asked for."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.archives.fetch import WrongArchiveError, repack, verify_archive
from backends.archives.spec import ArchiveSpec
from backends.cancel import CancelToken
from backends.errors import FileError
from backends.extraction.limits import DamagedArchiveError, NotAnArchiveError

NODE = "0b445bf4228a963505183b157758c37664921791"
WHOLE = ArchiveSpec("https://hg.example", "projects/ash", NODE, "", "zip")
PART = ArchiveSpec("https://hg.example", "projects/ash", NODE, "testing/mozharness", "zip")
TOP = f"ash-{NODE[:12]}"
ACCOUNT = f"repo: {'1' * 40}\nnode: {NODE}\nbranch: default\n".encode()


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return path


def kind(pack: object) -> str:
    return "tar.gz" if pack is tarred else "zip"


GOOD = {f"{TOP}/.hg_archival.txt": ACCOUNT, f"{TOP}/a": b"a" * 5000, f"{TOP}/testing/mozharness/x": b"x"}


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_whole_archive_that_names_its_revision_is_confirmed(tmp_path: Path, pack: object) -> None:
    path = pack(tmp_path / "a", GOOD)  # type: ignore[operator]
    told = verify_archive(path, WHOLE.with_suffix(kind(pack)), CancelToken())
    assert (told.members, told.unpacked, told.confirmed) == (3, len(ACCOUNT) + 5001, True)
    assert not verify_archive(path, PART.with_suffix(kind(pack)), CancelToken()).confirmed


@pytest.mark.parametrize(
    ("members", "spec", "said"),
    [
        ({f"{TOP}/.hg_archival.txt": ACCOUNT.replace(b"0b445", b"1b445")}, WHOLE, "of revision 1b445bf4228a"),
        ({f"{TOP}/../../etc/passwd": b"x"}, WHOLE, "leads outside"),
        ({"/etc/passwd": b"x"}, WHOLE, "leads outside"),
        ({f"{TOP}/a": b"", "b/c": b""}, WHOLE, "several top directories"),
        ({"README": b""}, WHOLE, "no top directory"),
        ({f"{TOP}/testing/mozharness2/x": b""}, PART, "nothing of testing/mozharness"),
    ],
)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_another_archive_than_was_asked_for_is_refused(
    tmp_path: Path, pack: object, members: dict[str, bytes], spec: ArchiveSpec, said: str
) -> None:
    with pytest.raises(WrongArchiveError, match=said):
        verify_archive(pack(tmp_path / "a", members), spec.with_suffix(kind(pack)), CancelToken())  # type: ignore[operator]


def test_an_archive_without_members_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(DamagedArchiveError, match="empty"):
        verify_archive(zipped(tmp_path / "a.zip", {}), WHOLE, CancelToken())


def test_the_words_of_a_failing_server_behind_an_archive_are_noticed(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "a.zip", GOOD).read_bytes()
    (tmp_path / "b.zip").write_bytes(whole[: len(whole) * 2 // 3] + b"Internal Server Error")
    with pytest.raises(DamagedArchiveError):
        verify_archive(tmp_path / "b.zip", WHOLE, CancelToken())
    whole = tarred(tmp_path / "a.tar.gz", GOOD).read_bytes()
    (tmp_path / "b.tar.gz").write_bytes(whole + b"Internal Server Error")
    with pytest.raises(DamagedArchiveError):
        verify_archive(tmp_path / "b.tar.gz", WHOLE.with_suffix("tar.gz"), CancelToken())


def test_a_web_page_in_place_of_an_archive_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"<!doctype html><title>Sign in</title>" * 40)
    with pytest.raises((NotAnArchiveError, DamagedArchiveError)):
        verify_archive(tmp_path / "a.zip", WHOLE, CancelToken())


@settings(deadline=None, max_examples=60)
@given(cut=st.floats(0, 0.999), tar=st.booleans())
def test_no_beginning_of_an_archive_passes_for_it(
    tmp_path_factory: pytest.TempPathFactory, cut: float, tar: bool
) -> None:
    path = tmp_path_factory.mktemp("cut") / "a"
    whole = (tarred if tar else zipped)(path, GOOD).read_bytes()
    path.write_bytes(whole[: int(len(whole) * cut)])
    with pytest.raises(FileError):
        verify_archive(path, WHOLE.with_suffix("tar.gz" if tar else "zip"), CancelToken())


def write_archive(path: Path, packed_as: str) -> Path:
    """The same members in each kind of archive that a server might give."""
    if packed_as == "zip":
        return zipped(path, GOOD)
    mode: Any = {"tar": "w", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}[packed_as]
    with tarfile.open(path, mode) as archive:
        for name, content in GOOD.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return path


@pytest.mark.parametrize("asked", ["zip", "tar.gz", "tar.bz2"])
@pytest.mark.parametrize("came", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_an_archive_of_another_kind_than_its_name_says_is_refused(tmp_path: Path, asked: str, came: str) -> None:
    path = write_archive(tmp_path / "a", came)
    if asked == came:
        assert verify_archive(path, WHOLE.with_suffix(asked), CancelToken()).confirmed
        return
    with pytest.raises(WrongArchiveError, match=f"it is a {came}, not a {asked}"):
        verify_archive(path, WHOLE.with_suffix(asked), CancelToken())


def header(name: str, kind: bytes = tarfile.REGTYPE, leads_to: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(f"{TOP}/{name}")
    found.type, found.linkname = kind, leads_to
    return found


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ([header("a"), header("b", tarfile.LNKTYPE, f"{TOP}/a")], "hard link"),
        ([header("b", tarfile.LNKTYPE, "/etc/passwd")], "hard link"),
        ([header("d", tarfile.CHRTYPE)], "device"),
        ([header("d", tarfile.BLKTYPE)], "device"),
        ([header("p", tarfile.FIFOTYPE)], "named pipe"),
        ([header("l", tarfile.SYMTYPE, "/tmp"), header("l/x")], "a link have the same place"),
        ([header("l", tarfile.SYMTYPE, "/tmp"), header("l/d/x")], "a link have the same place"),
        ([header("l", tarfile.SYMTYPE, "/tmp"), header("./l//x")], "a link have the same place"),
        ([header("l/x"), header("l", tarfile.SYMTYPE, "/tmp")], "a link have the same place"),
        ([header("l", tarfile.SYMTYPE, "/tmp/x"), header("l")], "a link have the same place"),
        ([header("l", tarfile.SYMTYPE, "/tmp"), header("l/m", tarfile.SYMTYPE, "x")], "a link have the same place"),
    ],
)
def test_members_that_could_be_written_elsewhere_are_refused(
    tmp_path: Path, headers: list[tarfile.TarInfo], said: str
) -> None:
    with tarfile.open(tmp_path / "a", "w:gz") as archive:
        for one in headers:
            archive.addfile(one)
    with pytest.raises(WrongArchiveError, match=said):
        verify_archive(tmp_path / "a", WHOLE.with_suffix("tar.gz"), CancelToken())


def test_links_as_repositories_have_them_are_kept(tmp_path: Path) -> None:
    """Dangling ones and such that lead out of the tree are in real repositories; only unpacking decides about them."""
    with tarfile.open(tmp_path / "a", "w:gz") as archive:
        for one in (header("l", tarfile.SYMTYPE, "../../x"), header("d/l", tarfile.SYMTYPE, "/usr"), header("l2/x")):
            archive.addfile(one)
    assert verify_archive(tmp_path / "a", WHOLE.with_suffix("tar.gz"), CancelToken()).members == 3


def test_links_and_executables_survive_the_repacking(tmp_path: Path) -> None:
    source = tmp_path / "a.zip"
    with zipfile.ZipFile(source, "w") as archive:
        for name, mode, content in (("link", 0o120777, "a"), ("run", 0o100755, "x"), ("plain", 0o100644, "y")):
            entry = zipfile.ZipInfo(f"{TOP}/{name}")
            entry.external_attr = mode << 16
            archive.writestr(entry, content)
    with (tmp_path / "a.tar.gz").open("wb") as target:
        repack(source, target, "tar.gz", 1_400_000_000, CancelToken(), lambda count: None)
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        told = [(one.name.rpartition("/")[2], one.mode, one.issym(), one.linkname, one.mtime) for one in tar]
    assert told == [
        ("link", 0o777, True, "a", 1_400_000_000),
        ("run", 0o755, False, "", 1_400_000_000),
        ("plain", 0o644, False, "", 1_400_000_000),
    ]
