"""Commits on GitHub: a server that answers as its API and its archive pages do."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from backends.archives.hosts import GitHubHost, SourceNotFoundError, host_for
from backends.archives.locators import GITHUB
from backends.archives.spec import ArchiveSpec
from backends.cancel import CancelToken
from backends.errors import UsageError
from tests.archives.conftest import EngineFactory, EngineUnderTest

SHA = "0b445bf4228a963505183b157758c37664921791"
COMMIT = {
    "sha": SHA,
    "commit": {"committer": {"name": "Ann", "date": "2026-11-20T08:00:00Z"}, "message": "Fix it\n\nProperly"},
}


def packed() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.comment = SHA.encode()
        archive.writestr(f"b-{SHA}/", "")
        archive.writestr(f"b-{SHA}/README.md", "read me\n")
    return target.getvalue()


@pytest.fixture
def site() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            answers = {
                f"/repos/a/b/commits/{SHA}": json.dumps(COMMIT).encode(),
                "/repos/a/b/commits/feature%2Fx": json.dumps(COMMIT).encode(),
                "/repos/a/b/commits": json.dumps([COMMIT]).encode(),
                f"/codeload/a/b/zip/{SHA}": packed(),
            }
            if path == f"/a/b/archive/{SHA}.zip":
                self.send_response(302)
                self.send_header("location", f"/codeload/a/b/zip/{SHA}")
                self.send_header("content-length", "0")
                self.end_headers()
                return
            body = answers.get(path)
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write(body or b'{"message": "Not Found"}')

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def github(made: EngineUnderTest, site: str) -> GitHubHost:
    return GitHubHost(made.engine.http, site, site)


def test_a_branch_is_resolved_and_its_archive_kept(site: str, bench: EngineFactory) -> None:
    made = bench(site)
    source = github(made, site)
    found = source.resolve("a/b", "feature/x")
    assert (found.node, found.author, found.time_ms) == (SHA, "Ann", 1_795_161_600_000)
    spec = ArchiveSpec(site, "a/b", found.node, "", "zip")
    got = made.engine.provide(spec, source, found.time_ms, CancelToken(), made.reports.append)
    assert got.archive.record.members == 2 and not got.archive.record.confirmed


def test_a_suffix_that_github_never_makes_is_repacked_without_asking_for_it(site: str, bench: EngineFactory) -> None:
    made = bench(site)
    source = github(made, site)
    spec = ArchiveSpec(site, "a/b", SHA, "", "tar.bz2")
    got = made.engine.provide(spec, source, 1_795_161_600_000, CancelToken(), made.reports.append)
    assert got.archive.record.repacked_from == "zip" and made.waits == []


def test_what_is_not_on_github_is_said(site: str, bench: EngineFactory) -> None:
    source = github(bench(site), site)
    with pytest.raises(SourceNotFoundError, match="GitHub has no nosuch in a/b"):
        source.resolve("a/b", "nosuch")
    with pytest.raises(SourceNotFoundError, match="no repository a/c"):
        list(source.log("a/c", CancelToken()))
    with pytest.raises(UsageError, match="complete repositories"):
        source.archive_url(ArchiveSpec(site, "a/b", SHA, "docs", "zip"))
    with pytest.raises(UsageError):
        source.repositories()
    ((page, _, note),) = source.log("a/b", CancelToken())
    assert [one.node for one in page] == [SHA] and note == ""


def test_a_locator_of_github_asks_github(bench: EngineFactory) -> None:
    made = bench("https://hg.example")
    source = host_for(GITHUB, made.engine.http, made.engine.settings)
    assert isinstance(source, GitHubHost)
    assert source.archive_url(ArchiveSpec(GITHUB, "a/b", SHA, "", "zip")) == f"https://github.com/a/b/archive/{SHA}.zip"


def test_github_is_not_asked_for_directories_and_the_list_says_so(bench: EngineFactory, site: str) -> None:
    from backends.archives.actions import ArchiveActions
    from backends.archives.lists import ONLY_COMPLETE, RevisionArchiveList
    from backends.archives.locators import SourceRevision
    from backends.resources import Question

    made = bench(site)
    locator = SourceRevision("a/b", SHA, "docs", root=GITHUB)
    archives = RevisionArchiveList(locator, ArchiveActions(made.engine.http, made.engine.settings))
    archives.source = github(made, site)
    (page,) = archives.pages(CancelToken())
    assert page.note == ONLY_COMPLETE and page.frame["subdirectory"].null_count() == 3
    assert not any(isinstance(one, Question) for one in archives.menu(page.frame.row(0, named=True), page.frame))
