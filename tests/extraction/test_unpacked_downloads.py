"""Archives of a download: unpacked beside themselves once, again when they changed, and never over what is not ours."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.extraction.extractor import extract_downloads
from backends.extraction.limits import ExtractionLimits
from backends.transfers.manifest import Manifest
from backends.transfers.states import FileResult, ManifestEntry, PendingFile, TransferState


def zipped(**files: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def downloaded(output: Path, files: dict[str, bytes], digest: str = "1") -> None:
    """As a transfer leaves a directory: the files under their names, and the manifest that says so."""
    with Manifest.open(output) as manifest:
        manifest.begin_run(ManifestEntry(name, "https://tc.example/x", name, TransferState.PLANNED) for name in files)
        for name, content in files.items():
            path = output / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            manifest.record_pending(
                [PendingFile(name, len(content), len(content), digest + name, path.stat().st_mtime_ns, 1)]
            )
            manifest.record_results([FileResult(name, TransferState.VERIFIED)])


def test_every_archive_is_unpacked_once_and_the_others_are_left_alone(tmp_path: Path) -> None:
    downloaded(tmp_path, {"a/one.zip": zipped(x="1"), "a/two.zip": zipped(y="2"), "a/log.txt": b"text"})
    told = extract_downloads(tmp_path, None, CancelToken())
    assert (told.unpacked, told.kept, told.problems) == (2, 0, [])
    assert (tmp_path / "a/one.zip.unpacked/x").read_text() == "1"
    again = extract_downloads(tmp_path, None, CancelToken())
    assert (again.unpacked, again.kept) == (0, 2)


def test_only_the_files_of_this_download_are_unpacked(tmp_path: Path) -> None:
    downloaded(tmp_path, {"one.zip": zipped(x="1"), "two.zip": zipped(y="2")})
    assert extract_downloads(tmp_path, {"two.zip"}, CancelToken()).unpacked == 1
    assert not (tmp_path / "one.zip.unpacked").exists()


def test_a_newer_download_replaces_the_tree_of_the_older_one(tmp_path: Path) -> None:
    downloaded(tmp_path, {"one.zip": zipped(old="1")})
    extract_downloads(tmp_path, None, CancelToken())
    downloaded(tmp_path, {"one.zip": zipped(new="2")}, digest="2")
    assert extract_downloads(tmp_path, None, CancelToken()).unpacked == 1
    assert [path.name for path in (tmp_path / "one.zip.unpacked").iterdir()] == ["new"]
    assert not list(tmp_path.glob(".one*"))


def test_what_a_killed_run_left_is_taken_away_and_nothing_else(tmp_path: Path) -> None:
    downloaded(tmp_path, {"one.zip": zipped(x="1")})
    earlier, left = tmp_path / ".one.zip.unpacked.unpacking-0123abcd", tmp_path / ".one.zip.unpacked.0123abcd.new"
    other = tmp_path / ".one.zip.unpacked.unpacking-notes-of-mine"
    for directory in (earlier, left, other):
        directory.mkdir()
        (directory / "half").write_text("half")
    assert extract_downloads(tmp_path, None, CancelToken()).unpacked == 1
    assert not earlier.exists() and not left.exists() and other.exists()


def test_a_damaged_newer_archive_leaves_the_older_tree(tmp_path: Path) -> None:
    downloaded(tmp_path, {"one.zip": zipped(old="1")})
    extract_downloads(tmp_path, None, CancelToken())
    downloaded(tmp_path, {"one.zip": zipped(new="2")[:-30]}, digest="2")
    told = extract_downloads(tmp_path, None, CancelToken())
    assert told.unpacked == 0 and told.problems[0][0] == "one.zip"
    assert (tmp_path / "one.zip.unpacked/old").read_text() == "1"


def test_one_bad_archive_does_not_keep_the_others_packed(tmp_path: Path) -> None:
    downloaded(tmp_path, {"bad.zip": b"PK\x03\x04 no zip", "bomb.zip": zipped(x="0" * 9000), "good.zip": zipped(x="1")})
    told = extract_downloads(tmp_path, None, CancelToken(), limits=ExtractionLimits(file_bytes=1000))
    assert told.unpacked == 1 and {name for name, _ in told.problems} == {"bad.zip", "bomb.zip"}
    assert not (tmp_path / "bad.zip.unpacked").exists() and not (tmp_path / "bomb.zip.unpacked").exists()


@pytest.mark.parametrize("kind", ["directory", "file", "link"])
def test_what_the_user_put_there_is_not_replaced(tmp_path: Path, kind: str) -> None:
    downloaded(tmp_path, {"one.zip": zipped(x="1")})
    theirs = tmp_path / "one.zip.unpacked"
    if kind == "directory":
        theirs.mkdir()
    elif kind == "file":
        theirs.write_text("mine")
    else:
        theirs.symlink_to(tmp_path.parent)
    told = extract_downloads(tmp_path, None, CancelToken())
    assert told.unpacked == 0 and "not created by ciexplore" in told.problems[0][1]
    assert theirs.is_symlink() is (kind == "link")


def test_a_link_planted_above_an_archive_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    output = tmp_path / "out"
    output.mkdir()
    downloaded(output, {"a/one.zip": zipped(x="1")})
    (elsewhere / "one.zip").write_bytes(zipped(x="1"))
    (output / "a").rename(tmp_path / "was")
    (output / "a").symlink_to(elsewhere)
    assert extract_downloads(output, None, CancelToken()).unpacked == 0
    assert [path.name for path in elsewhere.iterdir()] == ["one.zip"]


def test_a_record_that_was_edited_leads_nowhere_else(tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    downloaded(output, {"one.zip": zipped(x="1")})
    with Manifest.open(output) as manifest:
        (tmp_path / "outside.zip").write_bytes(zipped(x="1"))
        manifest.begin_run([ManifestEntry("evil", "https://tc.example/x", "../outside.zip", TransferState.PLANNED)])
        manifest.record_results([FileResult("evil", TransferState.VERIFIED)])
    told = extract_downloads(output, None, CancelToken())
    assert told.unpacked == 1 and [name for name, _ in told.problems] == ["../outside.zip"]
    assert not (tmp_path / "outside.zip.unpacked").exists()


def test_a_damaged_record_of_unpacked_trees_overwrites_nothing(tmp_path: Path) -> None:
    downloaded(tmp_path, {"one.zip": zipped(x="1")})
    extract_downloads(tmp_path, None, CancelToken())
    (tmp_path / ".ciexplore" / "unpacked.json").write_text("[")
    told = extract_downloads(tmp_path, None, CancelToken())
    assert told.unpacked == 0 and len(told.problems) == 1
    assert (tmp_path / "one.zip.unpacked/x").read_text() == "1"


def test_stopping_leaves_no_half_of_a_tree(tmp_path: Path) -> None:
    downloaded(tmp_path, {"one.zip": zipped(x="1")})
    cancel = CancelToken()
    with pytest.raises(OperationCancelledError):
        extract_downloads(tmp_path, None, cancel, lambda done, of: cancel.cancel())
    assert not (tmp_path / "one.zip.unpacked").exists() and not list(tmp_path.glob(".one*"))
