"""A zip's entries read one by one are those that `zipfile` finds, whatever the zip - at a fraction of the memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.extraction.limits import ExtractionLimits
from backends.extraction.zip_directory import ZipDirectory

LIMITS = ExtractionLimits(entries=1_000_000)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40)


def packed(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        archive.comment = comment
        for name, content in members:
            archive.writestr(name, content)
    return target.getvalue()


def read_names(content: bytes) -> list[tuple[str, int, int, bytes]]:
    directory = ZipDirectory(io.BytesIO(content), "x.zip", LIMITS)
    return [(one.filename, one.file_size, one.external_attr, directory.open(one).read()) for one in directory]


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(NAMES, st.binary(max_size=200)), max_size=12, unique_by=lambda one: one[0]),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    st.binary(max_size=40),
    st.binary(max_size=40).filter(lambda comment: b"PK" not in comment),
    st.booleans(),
)
def test_it_finds_what_zipfile_finds(
    members: list[tuple[str, bytes]], method: int, before: bytes, comment: bytes, wide: bool
) -> None:
    # Deflating may make a member longer than the limit that its writer looked at before.
    method = zipfile.ZIP_STORED if wide else method
    with mock.patch("zipfile.ZIP64_LIMIT", 20 if wide else (1 << 31) - 1):
        content = before + packed(members, method, comment)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        wanted = [(one.filename, one.file_size, one.external_attr, archive.read(one)) for one in archive.infolist()]
    assert read_names(content) == wanted


def test_a_table_longer_than_one_piece_is_read_whole() -> None:
    members = [(f"{'d' * 200}/{number}", b"") for number in range(5_000)]
    assert [name for name, *_ in read_names(packed(members, zipfile.ZIP_STORED))] == [name for name, _ in members]


@pytest.mark.parametrize("place", ["same", "inside"])
def test_entries_that_share_bytes_are_refused(place: str) -> None:
    """As in a zip bomb of David Fifield's kind (2019), whose entries quote one another."""
    content = bytearray(packed([("a", b"x" * 5_000), ("b", b"y")], zipfile.ZIP_STORED))
    second = content.rindex(b"PK\x01\x02")
    if place == "same":
        struct.pack_into("<L", content, second + 42, 0)
    else:
        struct.pack_into("<L", content, second + 42, 100)
    with pytest.raises(zipfile.BadZipFile, match="Overlapped"):
        read_names(bytes(content))


@pytest.mark.parametrize("cut", [1, 22, 60, 100])
def test_a_zip_that_was_cut_off_has_no_entries(cut: int) -> None:
    content = packed([("a", b"x" * 100), ("b", b"y")])
    from backends.extraction.limits import DamagedArchiveError

    with pytest.raises((zipfile.BadZipFile, DamagedArchiveError)):
        read_names(content[:-cut])


def test_many_entries_take_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    path.write_bytes(packed([(f"top/dir{n // 100}/file{n:06d}.html", b"") for n in range(20_000)], zipfile.ZIP_STORED))
    with path.open("rb") as raw:
        tracemalloc.start()
        try:
            count = sum(1 for _ in ZipDirectory(raw, "many.zip", LIMITS))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert count == 20_000 and peak < 3 << 20  # zipfile's own: 14 MB
