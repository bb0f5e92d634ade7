from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from backends.errors import FileError
from backends.transfers.manifest import DamagedManifestError, Manifest, without_secrets
from backends.transfers.states import FileResult, ManifestEntry, PendingFile, TransferState

HOLD = """
import sys
from pathlib import Path
from backends.transfers.manifest import Manifest
manifest = Manifest.open(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def entry(key: str, **fields: object) -> ManifestEntry:
    return ManifestEntry(key, f"https://host/{key}", f"d/{key}", TransferState.PLANNED, **fields)  # type: ignore[arg-type]


def test_second_run_is_told_who_has_the_directory_and_a_killed_one_blocks_nobody(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    with pytest.raises(FileError, match=f"process {holder.pid}"):
        Manifest.open(tmp_path)
    assert Manifest.read(tmp_path).entries() == {}
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    Manifest.open(tmp_path).close()


def test_what_a_run_recorded_is_read_back(tmp_path: Path) -> None:
    with Manifest.open(tmp_path) as manifest:
        manifest.begin_run([entry("a"), entry("b")])
        manifest.record_pending([PendingFile("a", 5, 3, "f" * 64, 77, 2)])
        manifest.record_results(
            [
                FileResult("a", TransferState.VERIFIED, tries=2),
                FileResult("b", TransferState.FAILED, "http-404", "Gone.", 1),
            ]
        )
    with Manifest.read(tmp_path) as manifest:
        found = manifest.entries()
    assert (found["a"].state, found["a"].size, found["a"].sha256, found["a"].mtime_ns) == ("verified", 5, "f" * 64, 77)
    assert found["a"].verified_at is not None and found["b"].verified_at is None
    assert (found["b"].reason, found["b"].detail, found["b"].tries) == ("http-404", "Gone.", 1)
    assert [one.target for one in found.values()] == ["d/a", "d/b"]


def test_new_run_keeps_what_is_known_of_files_put_there_before(tmp_path: Path) -> None:
    with Manifest.open(tmp_path) as manifest:
        manifest.begin_run([entry("a")])
        manifest.record_pending([PendingFile("a", 5, 3, "f" * 64, 77, 1)])
        manifest.record_results([FileResult("a", TransferState.VERIFIED)])
        first = manifest.revision
        manifest.begin_run([entry("a")])
        known = manifest.entries()["a"]
        assert (known.state, known.sha256, known.size, known.mtime_ns) == ("planned", "f" * 64, 5, 77)
        assert known.verified_at is not None and manifest.revision != first


def test_reading_writes_nothing(tmp_path: Path) -> None:
    Manifest.open(tmp_path).close()
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with Manifest.read(tmp_path) as manifest:
        assert manifest.entries() == {}
        assert sorted(path.name for path in tmp_path.rglob("*")) == before
    Manifest.read(tmp_path / "nowhere").close()
    assert not (tmp_path / "nowhere").exists()


def test_reader_sees_a_run_that_is_under_way(tmp_path: Path) -> None:
    with Manifest.open(tmp_path) as manifest:
        manifest.begin_run([entry("a")])
        with Manifest.read(tmp_path) as other:
            assert set(other.entries()) == {"a"}


@pytest.mark.parametrize("damage", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_damaged_manifest_is_said_and_set_aside_not_overwritten(tmp_path: Path, damage: bytes) -> None:
    Manifest.open(tmp_path).close()
    path = tmp_path / ".ciexplore" / "manifest.sqlite"
    path.write_bytes(damage)
    with pytest.raises(DamagedManifestError, match="damaged"):
        Manifest.read(tmp_path)
    with Manifest.open(tmp_path) as manifest:
        assert manifest.entries() == {}
    assert path.with_name("manifest.sqlite.damaged-1").read_bytes() == damage


def test_manifest_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    Manifest.open(tmp_path).close()
    path = tmp_path / ".ciexplore" / "manifest.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    before = path.read_bytes()
    for opened in (Manifest.read, Manifest.open):
        with pytest.raises(FileError, match="newer"):
            opened(tmp_path)
    assert path.read_bytes() == before


def test_run_killed_in_its_first_moment_leaves_an_empty_manifest_not_a_damaged_one(tmp_path: Path) -> None:
    (tmp_path / ".ciexplore").mkdir()
    (tmp_path / ".ciexplore" / "manifest.sqlite").touch()
    assert Manifest.read(tmp_path).entries() == {}
    Manifest.open(tmp_path).close()


def test_manifest_that_turns_read_only_is_a_sentence(tmp_path: Path) -> None:
    with Manifest.open(tmp_path) as manifest:
        assert manifest._connection is not None
        manifest._connection.execute("PRAGMA query_only=ON")
        with pytest.raises(FileError, match="cannot be written"):
            manifest.begin_run([entry("a")])


@pytest.mark.parametrize("link", [".ciexplore", ".ciexplore/parts", ".ciexplore/manifest.sqlite"])
def test_planted_link_does_not_lead_the_manifest_out(tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    path = tmp_path / "out" / link
    path.parent.mkdir(parents=True)
    path.symlink_to(outside)
    with pytest.raises(FileError):
        Manifest.open(tmp_path / "out")
    assert list(outside.iterdir()) == []


def test_directory_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="Cannot write into"):
        Manifest.open(tmp_path / "file" / "out")


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://me:pw@host/a?bewit=abc#frag", "https://host/a"),
        ("https://s3/a?X-Amz-Signature=1&X-Amz-Date=2&versionId=7", "https://s3/a?versionId=7"),
        ("https://gcs/a?generation=5&X-Goog-Signature=1", "https://gcs/a?generation=5"),
        ("https://cdn/a?Expires=1&Signature=2&Key-Pair-Id=3", "https://cdn/a"),
        ("https://host/a%20b/c", "https://host/a%20b/c"),
        ("https://host/?token=t&access_token=u&q=1", "https://host/?q=1"),
        ("https://[bad", ""),
    ],
)
def test_secrets_of_urls_are_not_kept(url: str, kept: str) -> None:
    assert without_secrets(url) == kept
