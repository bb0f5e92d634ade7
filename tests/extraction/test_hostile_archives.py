"""Archives that want to harm: whatever they hold, nothing outside the target changes and nothing but plain files and
directories is inside.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.errors import FileError
from backends.extraction.limits import DamagedArchiveError, ExtractionLimitError, ExtractionLimits
from backends.extraction.members import list_members
from backends.transfers import names
from tests.extraction.making import COMPRESS, Tree, extract, make_archive, tarred, tree, zipped

LINK, HARD, FIFO, CHAR, BLOCK = (
    {"type": kind, "linkname": "../../victim"}
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE)
)
ZIP_LINK = {"mode": 0o120777, "content": b"../../victim"}
UP, ZIP_UP = {**LINK, "linkname": ".."}, {**ZIP_LINK, "content": b".."}
# name -> (form, members, what is made of them)
CASES: dict[str, tuple[str, list[tuple[str, Any]], dict[str, bytes]]] = {
    "climbs": ("tar", [("../victim", b"!")], {}),
    "climbs in a zip": ("zip", [("../victim", b"!")], {}),
    "climbs from below": ("tar", [("a/b/../../../victim", b"!")], {}),
    "climbs and comes back": ("zip", [("../out/victim", b"!")], {}),
    "climbs far": ("zip", [("../" * 60 + "tmp/ciexplore-victim", b"!")], {}),
    "climbs with a directory": ("tar", [("../dir/", None)], {}),
    "climbs with a directory in a zip": ("zip", [("../dir", None)], {}),
    "is just two dots": ("tar", [("..", b"!")], {}),
    "is one dot": ("tar", [(".", b"!")], {}),
    "is absolute": ("tar", [("/tmp/ciexplore-victim", b"!")], {}),
    "is absolute in a zip": ("zip", [("/tmp/ciexplore-victim", b"!")], {}),
    "is absolute twice": ("zip", [("//tmp/ciexplore-victim", b"!")], {}),
    "has a drive": ("zip", [("C:\\victim", b"!"), ("c:victim", b"!"), ("C:/victim", b"!")], {}),
    "is a network path": ("zip", [("\\\\host\\share\\victim", b"!")], {}),
    "climbs with backslashes": ("zip", [("..\\..\\victim", b"!")], {}),
    "climbs with both": ("tar", [("a\\../..\\victim", b"!")], {}),
    "uses backslashes": ("zip", [("a\\b.txt", b"1")], {"a_b.txt": b"1"}),
    "has a symlink": ("tar", [("link", LINK)], {}),
    "writes through a symlink": ("tar", [("link", UP), ("link/victim", b"!")], {"link/victim": b"!"}),
    "writes over a symlink": ("tar", [("link", LINK), ("link", b"1")], {"link": b"1"}),
    "has a symlink in a zip": ("zip", [("link", ZIP_LINK)], {}),
    "writes through a symlink in a zip": ("zip", [("l", ZIP_UP), ("l/victim", b"!")], {"l/victim": b"!"}),
    "has a hard link": ("tar", [("hard", HARD)], {}),
    "has a hard link to itself": ("tar", [("a", b"1"), ("b", {**HARD, "linkname": "a"})], {"a": b"1"}),
    "has a pipe": ("tar", [("pipe", FIFO)], {}),
    "has a character device": ("tar", [("null", {**CHAR, "devmajor": 1, "devminor": 3})], {}),
    "has a block device": ("tar", [("disk", {**BLOCK, "devmajor": 8})], {}),
    "has a device in a zip": ("zip", [("null", {"mode": 0o020666, "content": b"1"})], {}),
    "has a pipe in a zip": ("zip", [("pipe", {"mode": 0o010666, "content": b"1"})], {}),
    "has an unknown type": ("tar", [("odd", {"type": b"Z"})], {}),
    "has a name twice": ("tar", [("a", b"first"), ("a", b"second")], {"a": b"first"}),
    "has a name twice in a zip": ("zip", [("a", b"first"), ("./a", b"second")], {"a": b"first"}),
    "has a name for a file and a directory": ("tar", [("a", b"1"), ("a/b", b"2")], {"a": b"1", "a~*/b": b"2"}),
    "has a name for a directory and a file": ("zip", [("a/b", b"1"), ("a", b"2")], {"a/b": b"1", "a~*": b"2"}),
    "differs in case": ("tar", [("Read.me", b"1"), ("read.ME", b"2")], {"Read.me": b"1", "read~*.ME": b"2"}),
    "differs in the case of a directory": ("zip", [("A/x", b"1"), ("a/x", b"2")], {"A/x": b"1", "a~*/x": b"2"}),
    "differs in normalisation": ("tar", [("\u00e9", b"1"), ("e\u0301", b"2")], {"\u00e9": b"1", "\u00e9~*": b"2"}),
    "is a device of Windows": ("zip", [("aux.txt", b"1"), ("NUL", b"2")], {"_aux.txt": b"1", "_NUL": b"2"}),
    "ends in dots and spaces": ("tar", [("a. .", b"1")], {"a___": b"1"}),
    "has escape sequences": ("tar", [("\x1b[31mred\x07\r\n", b"1")], {"_[31mred___": b"1"}),
    "turns the text around": ("zip", [("exe.\u202etxt", b"1")], {"exe._txt": b"1"}),
    "is not UTF-8": ("tar", [("\udcff\udcfe", b"1")], {"__": b"1"}),
    "has doubled slashes": ("tar", [("a//b///c", b"1")], {"a/b/c": b"1"}),
    "has an empty name": ("zip", [("", b"1")], {}),
    "looks like our own record": ("zip", [(".ciexplore/a.sqlite", b"!")], {".ciexplore~*/a.sqlite": b"!"}),
    "looks like what is being unpacked": ("tar", [(".out.unpacking-0/a", b"1")], {".out.unpacking-0/a": b"1"}),
    "is a name of 3,000 letters": ("tar", [("n" * 3000 + ".json", b"1")], {"n" * 24 + "*~*.json": b"1"}),
    "is 200 directories deep": ("tar", [("d/" * 200 + "f", b"1")], {"d/long-path~*/f": b"1"}),
    "hides something after a NUL": ("zip", [("a.txt\0/../../victim", b"1")], {"a.txt": b"1"}),
}  # fmt: skip


@pytest.fixture
def around(tmp_path: Path) -> Path:
    """A directory with a neighbour's files in it; the archive lies there and is unpacked into `in/out`."""
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "victim").write_text("mine")
    return tmp_path


def outside(root: Path) -> Tree:
    return {name: what for name, what in tree(root).items() if not f"{name}/".startswith("in/out/")}


def inside(root: Path) -> dict[str, bytes]:
    found = tree(root / "in" / "out")
    assert all(what[0] in ("file", "directory") for what in found.values()), found
    return {name: what[1] for name, what in found.items() if what[0] == "file"}


def fits(name: str, pattern: str) -> bool:
    from fnmatch import fnmatchcase

    return fnmatchcase(name, pattern.replace("[", "[[]"))


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 40


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.replace(" ", "-"))
def test_nothing_outside_the_target_changes(case: str, around: Path) -> None:
    form, members, wanted = CASES[case]
    honest = [] if form == "zip" and "empty name" in case else [("honest.txt", b"honest")]
    archive = around / "in" / f"hostile.{form}"
    archive.write_bytes(make_archive(form, *members, *honest))
    before = outside(around)
    unpacked = extract(archive, around / "in" / "out")
    assert outside(around) == before
    assert not os.path.lexists("/tmp/ciexplore-victim")
    made_files = inside(around)
    if honest:
        assert made_files.pop("honest.txt") == b"honest"
    assert len(made_files) == len(wanted)
    for pattern, content in wanted.items():
        assert [found for name, found in made_files.items() if fits(name, pattern)] == [content], made_files
    files = sum(what is not None for _, what in members)
    skipped = [why for _, why in unpacked.skipped]
    assert len(unpacked.files) - len(honest) + len(skipped) >= files and all(skipped), "every member is accounted for"
    list_members(archive)


NAMES = st.lists(
    st.one_of(
        st.text(max_size=12),
        st.text(alphabet="aA./\\:~ \u0301\u00e9\x00\x1b\u202e", max_size=12),
        st.sampled_from(["..", ".", "", "con", "../x", "/x", "a/b", "A/b", "a", "a/", "d/" * 70 + "f", "x" * 300]),
    ),
    max_size=8,
)


@settings(deadline=None)
@given(NAMES, st.sampled_from(["zip", "tar", "tar.gz"]))
def test_no_list_of_names_gets_out_or_loses_a_file_silently(wanted: list[str], form: str) -> None:
    members = []
    for number, name in enumerate(wanted):
        with contextlib.suppress(UnicodeEncodeError, ValueError):
            make_archive(form, (name, b"?"))
            members.append((name, b"%d" % number))
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        (root / "in").mkdir()
        archive = root / "in" / f"hostile.{form}"
        archive.write_bytes(make_archive(form, *members))
        before = outside(root)
        unpacked = extract(archive, root / "in" / "out")
        assert outside(root) == before
        files = inside(root)
        assert files.keys() == {name for name, _ in unpacked.files}
        folded = [names.fold(name) for name in files]
        assert len(set(folded)) == len(folded), "a disk that ignores case would lose one of them"
        # A zip's name ends at a NUL: "a/\0" is the directory "a/".
        stored = [name.partition("\0")[0] if form == "zip" else name for name, _ in members]
        directories = sum(name.endswith("/") for name in stored)
        assert len(files) + len(unpacked.skipped) >= len(members) - directories
        assert {name for name in files if not names.is_safe(tuple(name.split("/")))} == set()


SMALL = ExtractionLimits(file_bytes=1 << 20, total_bytes=4 << 20, entries=50, ratio=20, ratio_floor=1 << 18)


@pytest.mark.parametrize("form", ["zip", *COMPRESS])
@pytest.mark.parametrize(
    "members",
    [
        [("zeros", bytes(600_000))],
        [("large", os.urandom((1 << 20) + 1))],
        [(f"part-{number}", os.urandom(1 << 20)) for number in range(5)],
        [(f"entry-{number}", b"") for number in range(60)],
        [(f"directory-{number}", None) for number in range(60)],
    ],
    ids=["by-ratio", "one-file", "in-all", "by-entries", "by-directories"],
)
def test_a_bomb_is_refused_and_nothing_of_it_stays(members: list[tuple[str, Any]], form: str, around: Path) -> None:
    if form == "tar" and members[0][0] == "zeros":
        pytest.skip("what is not compressed does not grow")
    archive = around / f"bomb.{form}"
    archive.write_bytes(make_archive(form, *members))
    before = tree(around)
    with pytest.raises(ExtractionLimitError):
        extract(archive, around / "in" / "out", limits=SMALL)
    assert tree(around) == before


def test_a_member_that_is_skipped_counts_as_well(tmp_path: Path) -> None:
    archive = tmp_path / "bomb.tar.gz"
    archive.write_bytes(COMPRESS["tar.gz"](tarred(("../out", bytes(3 << 20)))))
    with pytest.raises(ExtractionLimitError):
        extract(archive, tmp_path / "out", limits=SMALL)
    with pytest.raises(ExtractionLimitError):
        list_members(archive, limits=SMALL)


def test_zeros_behind_the_end_of_a_tar_count_as_well(tmp_path: Path) -> None:
    archive = tmp_path / "bomb.tar.gz"
    archive.write_bytes(COMPRESS["tar.gz"](tarred(("a", b"1")) + bytes(8 << 20)))
    with pytest.raises(ExtractionLimitError):
        extract(archive, tmp_path / "out", limits=SMALL)


def test_a_hole_of_a_terabyte_is_no_way_round_the_limits(tmp_path: Path) -> None:
    """A sparse member: 1 KB of tar that claims a size of 1 TB, all of it a hole."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        one = tarfile.TarInfo("hole")
        one.pax_headers = {"GNU.sparse.size": str(1 << 40), "GNU.sparse.numblocks": "0", "GNU.sparse.map": "0,0"}
        archive.addfile(one)
    path = tmp_path / "hole.tar"
    path.write_bytes(raw.getvalue())
    with pytest.raises(ExtractionLimitError):
        extract(path, tmp_path / "out", limits=SMALL)
    assert not (tmp_path / "out").exists()


def test_a_zip_that_understates_a_size_is_not_believed(tmp_path: Path) -> None:
    content = bytearray(zipped(("a", bytes(100_000))))
    where = content.rfind(b"PK\x01\x02")
    content[where + 24 : where + 28] = struct.pack("<I", 10)
    path = tmp_path / "liar.zip"
    path.write_bytes(bytes(content))
    with pytest.raises(DamagedArchiveError):
        extract(path, tmp_path / "out", limits=SMALL)


def test_a_zip_whose_entries_share_their_bytes_is_refused_whole(tmp_path: Path) -> None:
    """Forty entries of the table of contents point at the same half megabyte."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", os.urandom(1 << 19))
        archive.filelist += [archive.filelist[0]] * 40
    path = tmp_path / "overlap.zip"
    path.write_bytes(raw.getvalue())
    with pytest.raises(DamagedArchiveError, match="Overlapped"):
        extract(path, tmp_path / "out", limits=ExtractionLimits(total_bytes=4 << 20, ratio=4, ratio_floor=1 << 18))
    assert list(tmp_path.iterdir()) == [path]


def test_an_encrypted_member_is_named_and_not_written(tmp_path: Path) -> None:
    content = bytearray(zipped(("secret", b"1"), ("open", b"2")))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        where = content.find(mark)
        content[where + at] |= 1
    path = tmp_path / "some.zip"
    path.write_bytes(bytes(content))
    unpacked = extract(path, tmp_path / "out")
    assert unpacked.files == [("open", 1)]
    assert [name for name, why in unpacked.skipped if "encrypted" in why] == ["secret"]


def test_headers_that_never_end_are_refused_with_little_memory(tmp_path: Path) -> None:
    """An extension of a header that claims 4 GB, and a chain of 5,000 extensions."""
    header = bytearray(tarred(("x", {"type": b"x", "size": 0}))[:512])
    header[124:136] = b"40000000000\0"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path = tmp_path / "long.tar.gz"
    path.write_bytes(COMPRESS["tar.gz"](bytes(header) + bytes(1 << 20)))
    with pytest.raises(FileError):
        extract(path, tmp_path / "out")
    chain = tarred(("x", {"type": b"x"}))[:512] * 5000
    path.write_bytes(COMPRESS["tar.gz"](chain + tarred(("a", b"1"))))
    with pytest.raises(FileError):
        extract(path, tmp_path / "out")


def test_a_dictionary_of_gigabytes_is_refused(tmp_path: Path) -> None:
    import zstandard

    parameters = zstandard.ZstdCompressionParameters(window_log=30, enable_ldm=True)
    path = tmp_path / "wide.tar.zst"
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    path.write_bytes(stream.compress(tarred(("a", os.urandom(1000)))) + stream.flush())
    with pytest.raises(DamagedArchiveError):
        extract(path, tmp_path / "out")


def test_the_table_of_contents_of_a_zip_is_bounded_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    path.write_bytes(zipped(*((f"{number:020}", b"") for number in range(2000)), method=zipfile.ZIP_STORED))
    with pytest.raises(ExtractionLimitError):
        extract(path, tmp_path / "out", limits=ExtractionLimits(entries=100))


@pytest.mark.parametrize(("count", "refused"), [(100, False), (101, True)])
def test_a_tar_may_have_a_hundred_global_headers_and_no_more(tmp_path: Path, count: int, refused: bool) -> None:
    """Each is kept for all members that follow: without a limit a small archive fills the memory."""
    raw = io.BytesIO()
    headers = {f"name{number}": "value" for number in range(count)}
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT, pax_headers=headers) as archive:
        archive.addfile(tarfile.TarInfo("a"))
    path = tmp_path / "global.tar.gz"
    path.write_bytes(COMPRESS["tar.gz"](raw.getvalue()))
    if refused:
        with pytest.raises(DamagedArchiveError, match="headers"):
            extract(path, tmp_path / "out")
        assert not (tmp_path / "out").exists()
    else:
        assert extract(path, tmp_path / "out").files == [("a", 0)]
