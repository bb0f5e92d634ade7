from __future__ import annotations

import base64
import gzip
import hashlib
import os
import threading
from pathlib import Path

import pytest

from backends.errors import FileError
from backends.transfers import fetch
from backends.transfers.files import RemoteFile
from backends.transfers.manifest import Manifest
from backends.transfers.progress import TRANSFER_SCHEMA
from backends.transfers.recorder import WORTH_RESUMING
from backends.transfers.states import TransferState
from backends.transfers.transfer import Transfer
from tests.transfers.conftest import Runner, ends, file
from tests.transfers.site import Site, cut, etag, raw, send_file, stall, status

VERIFIED = ("verified", "")
BIG = os.urandom(WORTH_RESUMING) * 3
MD5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()


def recorded(runner: Runner) -> dict[str, tuple[str, str]]:
    with Manifest.read(runner.output) as manifest:
        return {key: (entry.state, entry.reason) for key, entry in manifest.entries().items()}


def test_every_file_ends_in_one_state_and_the_manifest_says_the_same(site: Site, runner: Runner) -> None:
    site.add("/good", b"x" * 100_000)
    site.add("/empty", b"")
    site.add("/old", b"old")
    runner.run(file(site, "/old"))
    found = runner.run(
        file(site, "/good"), file(site, "/empty"), file(site, "/old"), file(site, "/none"),
        file(site, "/skipped", skip="an error artifact"),
    )  # fmt: skip
    assert found == {
        "/good": VERIFIED, "/empty": VERIFIED, "/old": ("unchanged", ""), "/none": ("failed", "http-404"),
        "/skipped": ("skipped", "an error artifact"),
    }  # fmt: skip
    assert recorded(runner) == found
    assert runner.everything() == {"group/good", "group/empty", "group/old"} and runner.parts() == []
    assert site.count("/none") == 1, "a 404 is not asked for twice"
    with Manifest.read(runner.output) as manifest:
        entry = manifest.entries()["/good"]
    assert entry.sha256 == hashlib.sha256(b"x" * 100_000).hexdigest() and entry.size == 100_000


@pytest.mark.parametrize(
    "answer", [status(503), status(429, retry_after="0"), cut(500), lambda handler: handler.wfile.close()]
)
def test_passing_trouble_is_tried_again(site: Site, runner: Runner, answer: object) -> None:
    body = os.urandom(1000)
    site.add("/a", body, answer, answer)  # type: ignore[arg-type]
    assert runner.run(file(site, "/a")) == {"/a": VERIFIED}
    assert runner.read("group/a") == body and site.count("/a") >= 3


def test_lasting_trouble_ends_after_five_tries_and_leaves_nothing_behind(site: Site, runner: Runner) -> None:
    site.add("/a", b"x", *[status(500)] * 99)
    transfer = runner.start(file(site, "/a"))
    assert transfer.wait(20) and ends(transfer) == {"/a": ("failed", "http-500")}
    assert transfer.frame()["tries"].to_list() == [5] and site.count("/a") == 5
    assert runner.everything() == set() and "500" in transfer.frame()["detail"][0]


def test_interrupted_body_is_resumed_where_it_ended(site: Site, runner: Runner) -> None:
    site.add("/a", BIG, cut(2_000_000))
    assert runner.run(file(site, "/a", size=len(BIG))) == {"/a": VERIFIED}
    asked = site.last("/a")
    assert asked["range"].startswith("bytes=") and asked["range"] != "bytes=0-" and asked["if-range"] == etag(BIG)
    assert runner.read("group/a") == BIG


def test_file_that_changed_meanwhile_is_fetched_from_the_start(site: Site, runner: Runner) -> None:
    site.add("/a", BIG, cut(2_000_000))
    changed = BIG[::-1]

    def swap(handler: object) -> None:
        site.bodies["/a"] = changed
        send_file(handler)  # type: ignore[arg-type]

    site.answers["/a"].append(swap)
    assert runner.run(file(site, "/a")) == {"/a": VERIFIED}
    assert runner.read("group/a") == changed


@pytest.mark.parametrize(
    "answer",
    [
        status(416),
        lambda handler: handler.send(
            206, bytes(len(BIG) - 2_000_000), etag='"another"', content_range=f"bytes 2000000-{len(BIG) - 1}/{len(BIG)}"
        ),
        lambda handler: handler.send(206, handler.body[9:], content_range=f"bytes 9-{len(BIG) - 1}/{len(BIG)}"),
        lambda handler: handler.send(206, handler.body[9:]),
        lambda handler: handler.send(
            206, gzip.compress(b"x"), content_range="bytes 2000000-1/2", content_encoding="gzip"
        ),
    ],
)
def test_wrong_answer_to_a_range_means_the_whole_again(site: Site, runner: Runner, answer: object) -> None:
    site.add("/a", BIG, cut(2_000_000), answer)  # type: ignore[arg-type]
    assert runner.run(file(site, "/a")) == {"/a": VERIFIED}
    assert runner.read("group/a") == BIG


def test_weak_etag_is_not_resumed(site: Site, runner: Runner) -> None:
    site.add("/a", BIG, lambda handler: handler.send(200, BIG, send=BIG[:2_000_000], etag="W/" + etag(BIG)))
    assert runner.run(file(site, "/a")) == {"/a": VERIFIED}
    assert "range" not in site.last("/a")


def test_transfer_dress_is_undone_whatever_the_name(site: Site, runner: Runner) -> None:
    text, tgz = b"log line\n" * 10_000, gzip.compress(b"a tar")
    site.add("/live.log", text, raw(gzip.compress(text), content_encoding="gzip"))
    site.add("/a.tgz", tgz, raw(gzip.compress(tgz), content_encoding="gzip"))
    site.add("/b.tgz", tgz)
    files = [file(site, "/live.log", size=len(text)), file(site, "/a.tgz", size=len(tgz)), file(site, "/b.tgz")]
    assert set(runner.run(*files).values()) == {VERIFIED}
    assert runner.read("group/live.log") == text
    assert runner.read("group/a.tgz") == runner.read("group/b.tgz") == tgz


def test_encoded_body_cut_short_starts_over_and_never_counts(site: Site, runner: Runner) -> None:
    text = os.urandom(300_000)
    wire = gzip.compress(text)
    short = raw(wire[:-20], content_encoding="gzip", etag='"z"')  # an honest length, of a stream that has no end
    site.add("/a", text, short, raw(wire, content_encoding="gzip", etag='"z"'))
    site.add("/b", text, *[short] * 9)
    assert runner.run(file(site, "/a"), file(site, "/b")) == {"/a": VERIFIED, "/b": ("failed", "incomplete")}
    assert runner.everything() == {"group/a"} and "range" not in site.last("/a")


@pytest.mark.parametrize(
    ("answer", "size", "reason"),
    [
        (raw(b"12345"), 6, "wrong-length"),
        (raw(b"1234567"), 6, "wrong-length"),
        (raw(gzip.compress(b"1234567"), content_encoding="gzip"), 6, "wrong-length"),
        (raw(b"12345", content_md5=MD5), None, "wrong-digest"),
        (raw(b"12345", x_goog_hash=f"md5={MD5}"), 5, "wrong-digest"),
        (raw(gzip.compress(b"12345"), x_goog_hash=f"md5={MD5}", content_encoding="gzip"), 5, "wrong-digest"),
        (raw(gzip.compress(b"12345") + b"junk", content_encoding="gzip"), None, "bad-encoding"),
        (raw(b"12345", content_encoding="made-up"), None, "bad-encoding"),
        (status(403, b'{"message": "InsufficientScopes"}'), None, "http-403"),
        (status(410), None, "http-410"),
        (status(424, b'{"reason": "file-missing-on-worker"}'), None, "http-424"),
        (lambda handler: handler.send(206, b"34", content_range="bytes 2-3/5"), None, "wrong-server"),
    ],
)
def test_wrong_body_never_gets_the_final_name(
    site: Site, runner: Runner, answer: object, size: int | None, reason: str
) -> None:
    site.add("/a", b"12345", *[answer] * 9)  # type: ignore[list-item]
    state, said = runner.run(file(site, "/a", size=size))["/a"]
    assert state == "failed" and (said == reason or (reason == "wrong-server" and said == "http-206"))
    assert runner.everything() == set() and runner.parts() == []


def test_digest_on_the_redirect_is_checked(site: Site, runner: Runner) -> None:
    content = hashlib.sha256(b"what was uploaded").hexdigest()
    hop = {"location": "/real", "x_taskcluster_location_content_sha256": content}
    site.add("/good", b"", status(303, **hop))
    site.add("/real", b"what was uploaded")
    assert runner.run(file(site, "/good")) == {"/good": VERIFIED}
    site.add("/bad", b"", *[status(303, **hop)] * 9)
    site.bodies["/real"] = b"something else"
    assert runner.run(file(site, "/bad")) == {"/bad": ("failed", "wrong-digest")}


def test_cancel_wakes_a_blocked_read_and_the_next_run_resumes(site: Site, runner: Runner) -> None:
    release = threading.Event()
    site.add("/a", BIG, stall(2 * WORTH_RESUMING, release))
    site.add("/b", b"b")
    transfer = runner.start(file(site, "/a"), file(site, "/b"), jobs=1)
    wait_until_active(transfer, 2 * WORTH_RESUMING)
    transfer.cancel()
    assert transfer.wait(20), "the read was not woken"
    release.set()
    assert ends(transfer) == {"/a": ("cancelled", "cancelled"), "/b": ("cancelled", "cancelled")}
    assert recorded(runner) == ends(transfer) and runner.everything() == set()
    assert runner.run(file(site, "/a"), file(site, "/b")) == {"/a": VERIFIED, "/b": VERIFIED}
    assert site.last("/a")["range"] == f"bytes={2 * WORTH_RESUMING}-" and runner.read("group/a") == BIG


def test_one_file_can_be_taken_out(site: Site, runner: Runner) -> None:
    release = threading.Event()
    site.add("/a", BIG, stall(10, release))
    site.add("/b", b"b")
    site.add("/c", b"c")
    transfer = runner.start(file(site, "/a"), file(site, "/b"), file(site, "/c"), jobs=1)
    wait_until_active(transfer, 10)
    assert transfer.cancel_one("/b") and transfer.cancel_one("/a")
    assert transfer.wait(20) and not transfer.cancel_one("/c") and not transfer.cancel_one("nobody")
    release.set()
    cancelled = ("cancelled", "cancelled")
    assert ends(transfer) == {"/a": cancelled, "/b": cancelled, "/c": VERIFIED}
    assert site.count("/b") == 0


def test_pause_begins_nothing_new_and_resume_goes_on(site: Site, runner: Runner) -> None:
    files = [file(site, f"/{number}") for number in range(20)]
    for one in files:
        site.add(one.key, one.key.encode())
    plan = runner.plan(*files)
    transfer = Transfer(plan, open_downloader=runner.http.downloader)
    transfer.pause()
    transfer.start()
    runner.transfers.append(transfer)
    assert transfer.snapshot().paused and not transfer.wait(0) and site.requests == []
    transfer.resume()
    assert transfer.wait(20) and set(ends(transfer).values()) == {VERIFIED}


def test_cancel_while_paused_ends(site: Site, runner: Runner) -> None:
    release = threading.Event()
    site.add("/a", BIG, stall(10, release))
    site.add("/b", b"b")
    transfer = runner.start(file(site, "/a"), file(site, "/b"), jobs=2)
    wait_until_active(transfer, 10)
    transfer.pause()
    release.set()
    transfer.cancel()
    assert transfer.wait(20)


def test_failed_files_can_be_tried_again_after_the_end(site: Site, runner: Runner) -> None:
    site.add("/a", b"good")
    transfer = runner.start(file(site, "/a"), file(site, "/late"))
    assert transfer.wait(20) and ends(transfer)["/late"] == ("failed", "http-404")
    site.add("/late", b"there now")
    assert transfer.retry_failed() == 1
    assert transfer.wait(20) and set(ends(transfer).values()) == {VERIFIED}
    assert recorded(runner) == ends(transfer) and site.count("/a") == 1
    assert transfer.retry_failed() == 0


def test_failed_file_can_be_tried_again_while_others_run(site: Site, runner: Runner) -> None:
    release = threading.Event()
    site.add("/a", BIG, stall(10, release))
    transfer = runner.start(file(site, "/a"), file(site, "/late"), jobs=2)
    while not transfer.snapshot().failed:
        threading.Event().wait(0.001)
    site.add("/late", b"there now")
    assert transfer.retry_failed() == 1
    release.set()
    assert transfer.wait(20) and set(ends(transfer).values()) == {VERIFIED}


def test_name_that_is_no_text_is_one_file_that_fails_not_a_crash(site: Site, runner: Runner) -> None:
    site.add("/good", b"good")
    found = runner.run(RemoteFile("bad\ud800", site.url("/\ud800"), ("g", "\ud800.log")), file(site, "/good"))
    assert found["/good"] == VERIFIED and found["bad\\ud800"][0] == "failed"


def test_unwritable_directory_is_said_before_anything_starts(site: Site, runner: Runner) -> None:
    runner.output.write_bytes(b"a file")
    with pytest.raises(FileError, match="Cannot write into"):
        runner.start(file(site, "/a"))
    assert site.requests == []


def test_two_runs_on_one_directory_do_not_meet(site: Site, runner: Runner) -> None:
    release = threading.Event()
    site.add("/a", BIG, stall(10, release))
    first = runner.start(file(site, "/a"))
    with pytest.raises(FileError, match="Another ciexplore"):
        runner.start(file(site, "/a"))
    release.set()
    assert first.wait(20) and ends(first) == {"/a": VERIFIED}


def test_plan_made_before_another_run_finished_fetches_nothing_twice(site: Site, runner: Runner) -> None:
    site.add("/a", b"content")
    early = runner.plan(file(site, "/a"))
    runner.run(file(site, "/a"))
    late = Transfer(early, open_downloader=runner.http.downloader)
    late.start()
    assert late.wait(20) and ends(late) == {"/a": ("unchanged", "")} and site.count("/a") == 1


def test_file_that_appears_during_the_run_is_not_overwritten(site: Site, runner: Runner) -> None:
    release = threading.Event()
    site.add("/a", BIG, stall(10, release))
    transfer = runner.start(file(site, "/a"))
    wait_until_active(transfer, 10)
    (runner.output / "group").mkdir()
    (runner.output / "group" / "a").write_bytes(b"theirs")
    release.set()
    assert transfer.wait(20) and ends(transfer) == {"/a": ("failed", "exists")}
    assert runner.read("group/a") == b"theirs"
    (runner.output / "group" / "a").unlink()
    assert transfer.retry_failed() == 1 and transfer.wait(20)
    assert ends(transfer) == {"/a": VERIFIED} and site.count("/a") == 1, "its part was whole already"


def test_link_planted_during_the_run_does_not_lead_out(site: Site, runner: Runner, tmp_path: Path) -> None:
    release = threading.Event()
    outside = tmp_path / "outside"
    outside.mkdir()
    site.add("/a", BIG, stall(10, release))
    transfer = runner.start(file(site, "/a"))
    wait_until_active(transfer, 10)
    (runner.output / "group").symlink_to(outside)
    release.set()
    assert transfer.wait(20) and ends(transfer) == {"/a": ("failed", "symlink")}
    assert list(outside.iterdir()) == []


def test_after_the_manifest_is_lost_equal_files_are_adopted_and_others_left_alone(site: Site, runner: Runner) -> None:
    site.add("/a", b"aaa")
    site.add("/b", b"bbb")
    files = [file(site, "/a"), file(site, "/b")]
    runner.run(*files)
    (runner.output / "group" / "b").write_bytes(b"edited")
    (runner.output / ".ciexplore" / "manifest.sqlite").write_bytes(b"garbage" * 1000)
    assert any("damaged" in warning for warning in runner.plan(*files).warnings)
    assert runner.run(*files) == {"/a": VERIFIED, "/b": ("failed", "exists")}
    assert runner.read("group/b") == b"edited"


def test_snapshot_and_frame_add_up(site: Site, runner: Runner) -> None:
    release = threading.Event()
    site.add("/a", BIG, stall(WORTH_RESUMING, release))
    site.add("/b", b"b" * 1000)
    transfer = runner.start(file(site, "/a", size=len(BIG)), file(site, "/b", size=1000), file(site, "/c", skip="no"))
    wait_until_active(transfer, WORTH_RESUMING)
    while transfer.snapshot().counts[TransferState.VERIFIED] != 1:
        threading.Event().wait(0.001)
    shot = transfer.snapshot()
    assert (shot.bytes_done, shot.bytes_known, shot.unknown_sizes) == (WORTH_RESUMING + 1000, len(BIG) + 1000, 0)
    assert shot.rate > 0 and shot.eta is not None and (shot.total, shot.ended) == (2, 1)
    assert [(one.key, one.bytes, one.size) for one in shot.active] == [("/a", WORTH_RESUMING, len(BIG))]
    release.set()
    assert transfer.wait(20)
    shot = transfer.snapshot()
    assert shot.finished and shot.active == () and shot.bytes_done == shot.bytes_known == len(BIG) + 1000
    assert dict(transfer.frame().schema) == TRANSFER_SCHEMA.polars()


def test_downloader_that_cannot_be_opened_ends_the_run(site: Site, runner: Runner) -> None:
    def broken() -> fetch.DownloaderProtocol:
        raise RuntimeError("no sockets")

    transfer = Transfer(runner.plan(file(site, "/a")), open_downloader=broken)  # type: ignore[arg-type]
    transfer.start()
    assert transfer.wait(20) and ends(transfer)["/a"][0] == "cancelled"
    assert "no sockets" in str(transfer.snapshot().problem)


def wait_until_active(transfer: Transfer, count: int) -> None:
    """Until the first active file has that many bytes."""
    for _ in range(20_000):
        active = transfer.snapshot().active
        if any(one.bytes >= count for one in active):
            return
        threading.Event().wait(0.001)
    raise AssertionError(transfer.snapshot())
