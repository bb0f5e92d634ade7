"""What "verified" means: by a digest, by a length, or it is not said; and a page about a file is not the file."""

from __future__ import annotations

import base64
import gzip
import hashlib
import sqlite3

import polars as pl
import pytest

from backends.transfers.manifest import Manifest
from backends.transfers.states import PlanAction
from tests.transfers.conftest import Runner, file
from tests.transfers.site import Answer, Handler, Site, raw, status

BODY = b"content of the artifact"
MD5_HEX = hashlib.md5(BODY).hexdigest()
OTHER = hashlib.sha256(b"other").digest()


def base(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def sha256(body: bytes = BODY) -> str:
    return base(hashlib.sha256(body).digest())


def unsized(body: bytes, **headers: str) -> Answer:
    """200 without a length: the end of the connection, or of the chunks, is the end of the file."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("transfer-encoding", "chunked")
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

    return answer


def checked_by(runner: Runner) -> dict[str, str]:
    with Manifest.read(runner.output) as manifest:
        return {key: entry.checked_by for key, entry in manifest.entries().items()}


@pytest.mark.parametrize(
    ("answer", "state", "by"),
    [
        (raw(BODY), "verified", "length"),
        (raw(BODY, repr_digest=f"sha-256=:{sha256()}:"), "verified", "digest sha256"),
        (raw(BODY, content_md5=base(hashlib.md5(BODY).digest())), "verified", "digest md5"),
        (raw(BODY, digest=f"sha-256={sha256()}"), "verified", "digest sha256"),
        (raw(BODY, digest=f"SHA-256={sha256()}, unknown=abc"), "verified", "digest sha256"),
        (raw(BODY, etag=f'"{MD5_HEX}"', x_amz_request_id="1"), "verified", "digest md5"),
        (raw(BODY, etag=f'"{MD5_HEX}-2"', x_amz_request_id="1"), "verified", "length"),
        (raw(gzip.compress(BODY), content_encoding="gzip"), "verified", "length"),
        (raw(gzip.compress(BODY), content_encoding="gzip", digest=f"sha-256={sha256()}"), "verified", "digest sha256"),
        (unsized(BODY), "unchecked", "nothing"),
        (unsized(gzip.compress(BODY), content_encoding="gzip"), "unchecked", "nothing"),
        (unsized(BODY, digest=f"sha-256={sha256()}"), "verified", "digest sha256"),
    ],
)
def test_it_is_said_by_what_a_file_was_verified(
    site: Site, runner: Runner, answer: Answer, state: str, by: str
) -> None:
    site.add("/a", BODY, answer)
    transfer = runner.start(file(site, "/a"))
    assert transfer.wait(20)
    assert transfer.frame().select("state", "checked_by", "reason").rows() == [(state, by, "")]
    assert checked_by(runner) == {"/a": by}
    assert runner.read("group/a") == BODY


def test_an_unchecked_file_is_counted_apart_and_is_still_there_the_next_time(site: Site, runner: Runner) -> None:
    site.add("/a", BODY, unsized(BODY))
    site.add("/b", BODY)
    assert runner.run(file(site, "/a"), file(site, "/b")) == {"/a": ("unchecked", ""), "/b": ("verified", "")}
    plan = runner.plan(file(site, "/a"), file(site, "/b"))
    assert [row.action for row in plan.rows] == [PlanAction.UNCHANGED] * 2
    assert plan.unchecked == 1
    assert runner.run(file(site, "/a"), file(site, "/b")) == {"/a": ("unchanged", ""), "/b": ("unchanged", "")}
    assert checked_by(runner) == {"/a": "nothing", "/b": "length"}, "being there already verifies nothing"
    assert site.count("/a") == 1


@pytest.mark.parametrize(
    ("answer", "state", "note"),
    [
        (raw(BODY, digest=f"sha-256={base(OTHER)}"), "verified", "Digest gives another SHA256"),
        (raw(BODY, etag=f'"{"0" * 32}"', x_amz_request_id="1"), "verified", "ETag gives another MD5"),
        (unsized(BODY, etag=f'"{"0" * 32}"', x_amz_request_id="1"), "unchecked", "ETag gives another MD5"),
        (raw(BODY, etag=f'"{"0" * 32}"'), "verified", ""),
        (raw(BODY, etag=f'"{"0" * 32}"', x_amz_request_id="1", x_amz_server_side_encryption="aws:kms"), "verified", ""),
    ],
)
def test_a_wrong_digest_of_a_kind_that_servers_fill_differently_is_noted(
    site: Site, runner: Runner, answer: Answer, state: str, note: str
) -> None:
    site.add("/a", BODY, answer)
    transfer = runner.start(file(site, "/a"))
    assert transfer.wait(20)
    ((found, detail),) = transfer.frame().select("state", "detail").rows()
    assert found == state
    assert note in detail
    assert bool(detail) is bool(note)


def test_a_wrong_digest_is_an_error_where_nothing_else_says_that_the_file_is_right(site: Site, runner: Runner) -> None:
    site.add("/a", BODY, *[unsized(BODY, digest=f"sha-256={base(OTHER)}")] * 9)
    assert runner.run(file(site, "/a")) == {"/a": ("failed", "wrong-digest")}
    assert runner.everything() == set()


LOGIN = b"\n<!-- sso --><!DOCTYPE html>\n<html><head><title>Sign in \xc2\xb7 Example</title></head></html>"
PAGE = raw(LOGIN, content_type="text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("perfherder-data.json", PAGE),
        ("live_backing.log", PAGE),
        ("build-log.txt", raw(b"\xef\xbb\xbf <HTML><body>502", content_type="TEXT/HTML")),
        ("target.zip", raw(LOGIN, content_type="application/octet-stream")),
        ("no-ending", PAGE),
        ("a.tar.gz", raw(gzip.compress(LOGIN), content_type="text/html", content_encoding="gzip")),
        ("chunked.json", unsized(LOGIN, content_type="text/html")),
    ],
)
def test_a_login_or_error_page_is_never_saved_as_the_artifact(
    site: Site, runner: Runner, name: str, answer: Answer
) -> None:
    site.add(f"/{name}", LOGIN, *[answer] * 9)
    transfer = runner.start(file(site, f"/{name}"))
    assert transfer.wait(20)
    ((state, reason, detail),) = transfer.frame().select("state", "reason", "detail").rows()
    assert (state, reason) == ("failed", "html-page")
    assert "HTML page" in detail
    assert runner.everything() == set()
    assert site.count(f"/{name}") == 1, "asking again gives the same page"


def test_the_page_is_named_by_its_title(site: Site, runner: Runner) -> None:
    site.add("/a.json", b"{}", PAGE)
    transfer = runner.start(file(site, "/a.json", size=2))
    assert transfer.wait(20)
    assert "“Sign in · Example”" in transfer.frame()["detail"][0]


@pytest.mark.parametrize(
    ("name", "declared", "answer"),
    [
        ("report.html", "", PAGE),
        ("report.HTM.gz", "", PAGE),
        ("report", "text/html", PAGE),
        ("index.xhtml", "", raw(LOGIN, content_type="application/xhtml+xml")),
        ("data.json", "", raw(b'{"a": "<html>"}', content_type="text/html")),
        ("console.log", "", raw(LOGIN, content_type="text/plain")),
        ("junit.xml", "", raw(b"<testsuites/>", content_type="text/html")),
        ("page.txt", "", raw(LOGIN, content_type="text/html", x_goog_hash=f"md5={base(hashlib.md5(LOGIN).digest())}")),
    ],
)
def test_an_artifact_that_is_html_or_only_called_so_by_the_server_is_kept(
    site: Site, runner: Runner, name: str, declared: str, answer: Answer
) -> None:
    site.add(f"/{name}", LOGIN, answer)
    assert runner.run(file(site, f"/{name}", content_type=declared)) == {f"/{name}": ("verified", "")}


def test_both_engines_say_the_same(site: Site, runner: Runner) -> None:
    site.add("/a", BODY, unsized(BODY))
    site.add("/b.json", LOGIN, PAGE)
    site.add("/c.html", LOGIN, PAGE)
    site.add("/d", BODY, raw(BODY, digest=f"sha-256={base(OTHER)}"))
    files = [file(site, path) for path in ("/a", "/b.json", "/c.html", "/d")]
    transfer = runner.start(*files)
    assert transfer.wait(30)
    found = transfer.frame().select("state", "checked_by", pl.col("detail") != "")
    assert found.rows() == [
        ("unchecked", "nothing", False), ("failed", "", True), ("verified", "length", False),
        ("verified", "length", True),
    ]  # fmt: skip


def test_a_manifest_of_an_earlier_version_is_read_and_continued(site: Site, runner: Runner) -> None:
    site.add("/a", BODY)
    runner.run(file(site, "/a"))
    path = runner.output / ".ciexplore" / "manifest.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("ALTER TABLE files DROP COLUMN checked_by")
    connection.close()
    assert checked_by(runner) == {"/a": ""}
    site.add("/b", BODY, status(503))
    assert runner.run(file(site, "/a"), file(site, "/b")) == {"/a": ("unchanged", ""), "/b": ("verified", "")}
    assert checked_by(runner) == {"/a": "", "/b": "length"}
