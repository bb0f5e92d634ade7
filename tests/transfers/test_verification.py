"""A downloaded directory compared with its record: what changed since, what is gone, and what never was checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.extraction.extractor import extract_downloads
from backends.transfers.files import RemoteFile
from backends.transfers.verification import Verification, verify_directory
from tests.commands.calling import Caller
from tests.taskcluster import test_artifact_downloader_killed as layout
from tests.transfers.conftest import Runner, file
from tests.transfers.site import Site, status
from tests.transfers.test_verified import unsized


@pytest.fixture
def ciexplore(capsysbinary: pytest.CaptureFixture[bytes]) -> Caller:
    return Caller(capsysbinary)


@pytest.fixture
def output(site: Site, runner: Runner) -> Path:
    for name in ("same", "changed", "resized", "gone", "linked", "below/link"):
        site.add(f"/{name}", name.encode() * 100)
    site.add("/unchecked", b"?", unsized(b"?"))
    site.add("/failed", b"", *[status(500)] * 9)
    names = ("same", "changed", "resized", "gone", "linked", "unchecked", "failed")
    below = RemoteFile("/below/link", site.url("/below/link"), ("group", "below", "link"))
    found = runner.run(*(file(site, f"/{name}") for name in names), file(site, "/skipped", skip="no"), below)
    assert {state for state, _ in found.values()} == {"verified", "unchecked", "failed", "skipped"}
    return runner.output


def findings(found: Verification) -> dict[str, str]:
    return dict(found.frame.select("target", "state").rows())


def test_a_directory_as_it_was_downloaded_is_right_and_says_what_was_never_checked(output: Path) -> None:
    before = sorted(path.name for path in output.rglob("*"))
    found = verify_directory(output, CancelToken(), extra=True)
    assert found.is_right
    assert findings(found).pop("group/unchecked") == "unchecked"
    assert set(findings(found).values()) == {"unchanged", "unchecked"}
    assert found.absent == 1
    assert sorted(path.name for path in output.rglob("*")) == before, "it writes nothing"


def test_what_changed_or_went_is_found_without_any_server(output: Path, site: Site, tmp_path: Path) -> None:
    site.stop()
    group = output / "group"
    times = (group / "changed").stat()
    (group / "changed").write_bytes(b"CHANGED" * 100)
    import os

    os.utime(group / "changed", ns=(times.st_atime_ns, times.st_mtime_ns))
    (group / "resized").write_bytes(b"short")
    (group / "gone").unlink()
    (group / "linked").rename(tmp_path / "linked")
    (group / "linked").symlink_to(tmp_path / "linked")
    (group / "below").rename(tmp_path / "below")
    (group / "below").symlink_to(tmp_path / "below")
    (group / "extra").write_bytes(b"mine")
    found = verify_directory(output, CancelToken())
    assert not found.is_right
    assert findings(found)["group/changed"] == "changed", "of the same size and time"
    assert findings(found)["group/resized"] == "changed"
    assert findings(found)["group/gone"] == "missing"
    assert findings(found)["group/linked"] == "changed", "a link to the very same content"
    assert findings(found)["group/below/link"] == "changed", "reached through a link"
    assert "group/extra" not in findings(found)
    assert findings(verify_directory(output, CancelToken(), extra=True))["group/extra"] == "extra"


def test_it_can_be_stopped_in_the_middle_of_a_file(output: Path) -> None:
    cancel = CancelToken()
    with pytest.raises(OperationCancelledError):
        verify_directory(output, cancel, lambda done, of, read: cancel.cancel() if read else None)


def test_the_command_lists_differences_and_its_exit_code_says_whether_there_are_any(
    output: Path, ciexplore: Caller
) -> None:
    right = ciexplore("verify", str(output), "--format", "json")
    assert right.code == 0
    assert [row["state"] for row in json.loads(right.out)] == ["unchecked"]
    assert "1 more was not downloaded" in right.err
    everything = ciexplore("verify", str(output), "--all", "--format", "json")
    assert {row["checked_by"] for row in json.loads(everything.out)} == {"length", "nothing"}
    (output / "group" / "same").write_bytes(b"other")
    wrong = ciexplore("verify", str(output), "--format", "csv", "--columns", "state,target")
    assert wrong.code == 1
    assert wrong.text.splitlines() == ["state,target", "changed,group/same", "unchecked,group/unchecked"]


def test_a_directory_without_a_record_is_wrong_usage(tmp_path: Path, ciexplore: Caller) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        found = ciexplore("verify", str(place))
        assert found.code == 2
        assert "no manifest of downloads" in found.err


def test_a_fifo_in_the_place_of_a_file_holds_nothing_up(output: Path) -> None:
    import os

    (output / "group" / "same").unlink()
    os.mkfifo(output / "group" / "same")
    assert findings(verify_directory(output, CancelToken()))["group/same"] == "changed"


def test_what_was_unpacked_or_placed_from_downloads_is_not_extra(tmp_path: Path, ciexplore: Caller) -> None:
    layout.downloaded(tmp_path, "new")
    layout.placed(tmp_path, False)
    layout.placed(tmp_path, True)
    extract_downloads(tmp_path, None, CancelToken())
    assert ciexplore("verify", str(tmp_path), "--extra").code == 0
    (tmp_path / "group" / "mine.txt").write_text("mine")
    found = ciexplore("verify", str(tmp_path), "--extra", "--format", "csv")
    assert found.code == 1
    assert [row["target"] for row in found.rows] == ["group/mine.txt"]
