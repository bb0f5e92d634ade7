"""What is recorded and how it is written: the same bytes each time, complete or not at all, nothing that is secret."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zipfile
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.capsules.contents import describe
from backends.capsules.layout import SavedList, canonical_url, file_name, is_file_name, request_key
from backends.capsules.reader import open_capsule
from backends.capsules.recorder import Recorder
from backends.capsules.writer import write_capsule
from backends.errors import FileError, OperationCancelledError
from backends.http.response import Response
from tests.crash_injection import run_killed

NOW = 1_763_000_000.0


def record(recorder: Recorder, url: str, body: bytes = b"[]", content: bytes = b"", *, private: bool = False) -> None:
    headers = {"content-type": "application/json", "set-cookie": "canary", "authorization": "canary", "etag": '"1"'}
    recorder.post(url, content, "application/json", private, lambda: Response(url, 200, headers, body))


def written(path: Path, recorder: Recorder) -> bytes:
    write_capsule(path, recorder.entries, (), settings={"gcs_url": "https://ci.example"}, created=recorder.now)
    return path.read_bytes()


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    urls = [f"https://ci.example/{number}" for number in range(50)]
    made = []
    for order in (urls, urls[::-1]):
        with Recorder(clock=lambda: NOW) as recorder:
            for url in order:
                record(recorder, url, url.encode())
            made.append(written(tmp_path / f"{len(made)}.capsule", recorder))
    assert made[0] == made[1]


def test_a_later_response_replaces_an_earlier_one(tmp_path: Path) -> None:
    with Recorder(clock=lambda: NOW) as recorder:
        record(recorder, "https://ci.example/a", b"[1]")
        record(recorder, "https://ci.example/a", b"[2]")
        written(tmp_path / "a.capsule", recorder)
    with open_capsule(tmp_path / "a.capsule") as capsule:
        [entry] = capsule.manifest.entries
        assert b"".join(capsule.open_body(entry)) == b"[2]"
        assert capsule.verify() == []


def test_a_log_that_is_an_artifact_too_stays_a_log(tmp_path: Path) -> None:
    with Recorder(clock=lambda: NOW) as recorder:
        for kind in ("log", "artifact"):
            recorder.kind = kind  # type: ignore[assignment]
            record(recorder, "https://ci.example/a.log", b"a line")
        written(tmp_path / "a.capsule", recorder)
    with open_capsule(tmp_path / "a.capsule") as capsule:
        assert [entry.kind for entry in capsule.manifest.entries] == ["log"]


@pytest.mark.parametrize(
    ("logs", "artifacts", "words"),
    [
        (1, 0, ""),
        (1, 1, "its lists count 1 log and 1 artifact: a file that is both, or is in several lists, is held once"),
        (2, 0, "its lists count 2 logs and 0 artifacts: a file that is both, or is in several lists, is held once"),
    ],
)
def test_a_summary_that_counts_less_than_the_lists_says_why(
    tmp_path: Path, logs: int, artifacts: int, words: str
) -> None:
    with Recorder(clock=lambda: NOW) as recorder:
        recorder.kind = "log"
        record(recorder, "https://ci.example/a.log", b"a line")
        listed = SavedList("gs://a/", "a list", 1, "row", logs=logs, artifacts=artifacts)
        write_capsule(tmp_path / "a.capsule", recorder.entries, [listed], settings={}, created=recorder.now)
    with open_capsule(tmp_path / "a.capsule") as capsule:
        said = describe(capsule.manifest)
    assert said[1].startswith("0 responses, 1 log, 0 artifacts, ")
    assert [line.removeprefix("note: ").rstrip(".") for line in said[2:]] == ([words] if words else [])


@pytest.mark.parametrize(("encoding", "kept"), [("xx", 0), ("gzip", 1), ("", 1)])
def test_an_encoding_that_cannot_be_undone_is_not_kept(tmp_path: Path, encoding: str, kept: int) -> None:
    """Else the capsule would be refused."""
    body = gzip.compress(b"[]") if encoding == "gzip" else b"[]"
    sent: Any = SimpleNamespace(encoding=encoding, status=200, headers={}, hops=(), chunks=lambda: iter([body]))

    with Recorder(clock=lambda: NOW) as recorder:
        download: Any = recorder.open("https://ci.example/a", 0, False, None, lambda: sent)
        assert list(download.chunks()) == [body]
        written(tmp_path / "a.capsule", recorder)
    with open_capsule(tmp_path / "a.capsule") as capsule:
        assert len(capsule.manifest.entries) == kept
        assert capsule.verify() == []


def test_secrets_are_left_out(tmp_path: Path) -> None:
    with Recorder(clock=lambda: NOW) as recorder:
        record(recorder, "https://ci.example/a?X-Amz-Signature=canary&token=canary&page=2#canary")
        record(recorder, "https://ci.example/b", b'["canary"]', private=True)
        raw = written(tmp_path / "a.capsule", recorder)
    with zipfile.ZipFile(tmp_path / "a.capsule") as archive:
        assert not any(b"canary" in archive.read(name) or "canary" in name for name in archive.namelist())
    assert b"canary" not in raw
    with open_capsule(tmp_path / "a.capsule") as capsule:
        other = "https://ci.example/a?X-Amz-Signature=another&token=x&page=2"
        found = capsule.post(other, b"", "application/json", False, pytest.fail)
        assert found.body == b"[]"


def test_requests_that_only_secrets_tell_apart_are_not_mixed_up(tmp_path: Path) -> None:
    with Recorder(clock=lambda: NOW) as recorder:
        record(recorder, "https://ci.example/a?key=one", b"[1]")
        record(recorder, "https://ci.example/a?key=two", b"[2]")
        record(recorder, "https://ci.example/a?key=one", b"[1]")
        assert recorder.entries == []


def test_private_responses_are_kept_when_they_are_asked_for(tmp_path: Path) -> None:
    with Recorder(include_private=True, clock=lambda: NOW) as recorder:
        record(recorder, "https://ci.example/b", private=True)
        [(entry, _)] = recorder.entries
        assert entry.private


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://a/b?continuationToken=x&limit=1", "https://a/b?continuationToken=x&limit=1"),
        ("https://a/b?pageToken=x", "https://a/b?pageToken=x"),
        ("https://a/b?signature=12345&signature=67", "https://a/b?signature=12345&signature=67"),
        (f"https://a/b?parent_signature={'0a' * 20}", f"https://a/b?parent_signature={'0a' * 20}"),
        ("https://a/b?Signature=a%2Fb%3D&Expires=1", "https://a/b?Signature=…&Expires=1"),
        ("https://a/b?access_token=x#y", "https://a/b?access_token=…"),
        ("https://user:pass@a/b", "https://…@a/b"),
        ("https://a/b?", "https://a/b?"),
        ("https://a/b?alt=media&generation=7", "https://a/b?alt=media"),
    ],
)
def test_canonical_urls(url: str, kept: str) -> None:
    assert canonical_url(url) == kept
    assert canonical_url(kept) == kept


@given(st.text(), st.sampled_from(["response", "log", "artifact"]), st.text(max_size=10), st.text(max_size=10))
def test_every_name_is_safe(path: str, kind: str, content_type: str, encoding: str) -> None:
    url = f"https://ci.example/{path}"
    name = file_name(kind, request_key("GET", url, ""), url, content_type, encoding)  # type: ignore[arg-type]
    assert is_file_name(name)
    assert not is_file_name(f"../{name}")
    assert not is_file_name(f"{name}/..")


def test_cancelling_leaves_nothing(tmp_path: Path) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with Recorder(clock=lambda: NOW) as recorder:
        record(recorder, "https://ci.example/a")
        with pytest.raises(OperationCancelledError):
            write_capsule(tmp_path / "a", recorder.entries, (), settings={}, created=NOW, cancel=cancel)
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "a.capsule").symlink_to("target")
    for overwrite in (False, True):
        with pytest.raises(FileError, match="symbolic link"):
            write_capsule(tmp_path / "a.capsule", (), (), settings={}, created=NOW, overwrite=overwrite)
    assert (tmp_path / "target").read_text() == "mine"


def test_bodies_are_kept_nowhere_else() -> None:
    with Recorder() as recorder:
        record(recorder, "https://ci.example/a")
        assert os.fstat(recorder._spool._file.fileno()).st_nlink == 0
    assert recorder._spool._file.closed


WRITER = """
from pathlib import Path
from backends.capsules.recorder import Recorder
from backends.capsules.writer import write_capsule
from backends.http.response import Response
target = Path(sys.argv[1])
with Recorder(clock=lambda: 1763000000.0) as recorder:
    for number in range(3):
        url = f"https://ci.example/{number}"
        recorder.post(url, b"", "", False, lambda: Response(url, 200, {}, url.encode() * 1000))
    start_counting()
    write_capsule(target, recorder.entries, (), settings={}, created=recorder.now, overwrite=True)
"""


@pytest.mark.parametrize("before", [False, True])
def test_a_killed_writer_leaves_what_was_there_or_all_of_it(tmp_path: Path, before: bool) -> None:
    target = tmp_path / "a.capsule"
    digests = set[str]()
    for step in count(1):
        for path in tmp_path.iterdir():
            path.unlink()
        if before:
            target.write_bytes(b"earlier")
        killed = run_killed(WRITER, str(target), step=step)
        if target.exists() and target.read_bytes() != b"earlier":
            with open_capsule(target) as capsule:
                assert capsule.verify() == []
        elif killed:
            assert target.exists() == before
        run_killed(WRITER, str(target))
        assert [path.name for path in tmp_path.iterdir()] == ["a.capsule"]
        digests.add(hashlib.sha256(target.read_bytes()).hexdigest())
        if not killed:
            break
    assert step > 2
    assert len(digests) == 1


def test_the_manifest_comes_first_and_can_be_read_by_hand(tmp_path: Path) -> None:
    with Recorder(clock=lambda: NOW) as recorder:
        record(recorder, "https://ci.example/a")
        raw = written(tmp_path / "a.capsule", recorder)
    assert raw[30:42] == b"capsule.json"
    with zipfile.ZipFile(tmp_path / "a.capsule") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        manifest = json.loads(archive.read("capsule.json"))
        [entry] = manifest["entries"]
        body = archive.read(entry["file"])
    assert entry["sha256"] == hashlib.sha256(body).hexdigest()
    assert entry["headers"] == {"content-type": "application/json", "etag": '"1"'}
