"""What Enter shows of an artifact: by kind, bounded, and never more than is there."""

from __future__ import annotations

import gzip
import io
import itertools
import tarfile
import zipfile
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.demo import DemoServer
from backends.errors import AppError, FileError
from backends.frames.schema import Kind
from backends.http.errors import FailedDependencyError, ResponseTooLargeError, UnexpectedResponseError
from backends.resources import Document, ImageFile, LogAddress, read_list
from backends.taskcluster.artifacts import ArtifactList
from backends.taskcluster.contents import TableRowList
from backends.taskcluster.locators import ArtifactContents, Task
from backends.taskcluster.resolve import resolve
from tests.taskcluster.fake_queue import ROOT, FakeQueue, open_list

ROWS = [
    ("public/build/target.tests.zip", "application/zip", "archive"),
    ("public/target.tar.zst", "application/octet-stream", "archive"),
    ("public/a.tgz", "", "archive"),
    ("public/addon.xpi", "application/x-xpinstall", "archive"),
    ("public/x.csv", "application/octet-stream", "table"),
    ("public/x", "text/csv; charset=utf-8", "table"),
    ("public/test_info/perfherder-data.json", "application/json", "table"),
    ("public/perfherder-data-building.json", "application/octet-stream", "table"),
    ("public/task-graph.json", "application/octet-stream", "document"),
    ("public/x", "application/json", "document"),
    ("public/logs/live_backing.log", "text/plain", "log"),
    ("public/events.jsonl", "application/octet-stream", "log"),
    ("public/a.png", "image/png", "image"),
    ("public/a.webp", "application/octet-stream", "image"),
    ("public/a.mp4", "video/mp4", "none"),
    ("public/target.apk.idsig", "application/octet-stream", "none"),
    ("public/build/target.dmg", "application/octet-stream", "none"),
]


def row(name: str, content_type: str = "", **members: Any) -> dict[str, Any]:
    given = {"task_id": "fN1SbArXTPSVFNUvaOlinQ", "run": 0, "name": name, "content_type": content_type, "size": 10}
    return {**given, "storage": "s3", "run_state": "completed", "task_name": "t", **members}


def listing(queue: FakeQueue) -> ArtifactList:
    return open_list(Task("fN1SbArXTPSVFNUvaOlinQ"), queue.http(), ROOT)


@pytest.mark.parametrize(("name", "content_type", "shown"), ROWS)
def test_each_kind_is_shown_as_what_it_is(queue: FakeQueue, name: str, content_type: str, shown: str) -> None:
    found = listing(queue).shows(row(name, content_type))
    kinds = {Document: "document", LogAddress: "log", ImageFile: "image", type(None): "none"}
    assert (found.view if isinstance(found, ArtifactContents) else kinds[type(found)]) == shown
    detail = dict(listing(queue).detail(row(name, content_type)).sections[0][1])
    assert ("Content" in detail) is (shown == "none")
    if shown == "none":
        assert detail["Content"].startswith(f"{content_type}, 10 B; `o` opens it in the browser")


def test_what_has_no_content_or_is_too_large_for_a_tree_is_not_promised_as_one(queue: FakeQueue) -> None:
    assert listing(queue).shows(row("public/x.json", storage="error")) is None
    large = listing(queue).shows(row("public/full-task-graph.json", "application/json", size=200 << 20))
    assert isinstance(large, LogAddress)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here waits between two tries."""
    monkeypatch.setattr("backends.taskcluster.archive_members.backoff_delays", lambda: itertools.repeat(0.0))


@pytest.fixture
def content(queue: FakeQueue) -> Any:
    """Puts bytes behind an artifact's address, and gives the locator of what is in it."""

    def put(name: str, body: bytes, view: str, **headers: str) -> ArtifactContents:
        one = queue.task(1, [[{"name": name}]])
        queue.answers[f"/api/queue/v1/task/{one}/runs/0/artifacts/{name}"] = httpx.Response(
            200, content=body, headers=headers
        )
        return ArtifactContents(view, one, 0, name)

    return put


def opened(queue: FakeQueue, locator: ArtifactContents) -> Any:
    http = queue.http()
    return read_list(open_list(resolve(locator, http, ROOT), http, ROOT), CancelToken())


def zipped() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a/b.txt", "x" * 100)
        archive.writestr("../evil", "y")
    return target.getvalue()


def tarred() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        one = tarfile.TarInfo("link")
        one.type, one.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(one)
    return target.getvalue()


def test_an_archive_lists_its_members_as_it_spells_them(queue: FakeQueue, content: Any) -> None:
    found = opened(queue, content("public/a.zip", zipped(), "archive"))
    assert found.frame.select("name", "size", "kind").rows() == [("a/b.txt", 100, "file"), ("../evil", 1, "file")]
    found = opened(queue, content("public/a.tgz", tarred(), "archive"))
    assert found.frame.select("name", "kind").rows() == [("link", "symbolic link")]


def test_an_archive_that_was_compressed_once_more_on_the_way_is_read(queue: FakeQueue, content: Any) -> None:
    body = gzip.compress(tarred())
    found = opened(queue, content("public/a.tgz", body, "archive", **{"content-encoding": "gzip"}))
    assert found.frame.height == 1


def test_an_archive_that_is_none_or_cut_off_says_so(queue: FakeQueue, content: Any) -> None:
    for body in (b"<html>", zipped()[:-20], tarred()[:-9], b""):
        with pytest.raises(FileError):
            opened(queue, content("public/a.zip", body, "archive"))
    broken = gzip.compress(tarred())[:-9]
    with pytest.raises(AppError):
        opened(queue, content("public/a.tgz", broken, "archive", **{"content-encoding": "gzip"}))


def test_an_archive_above_the_cap_is_not_fetched_whole(
    queue: FakeQueue, content: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backends.taskcluster.archive_members.ARCHIVE_CAP", 50)
    with pytest.raises(ResponseTooLargeError):
        opened(queue, content("public/a.zip", zipped(), "archive"))


def test_nothing_is_left_of_a_spooled_archive(queue: FakeQueue, content: Any, tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    opened(queue, content("public/a.zip", zipped(), "archive"))
    with pytest.raises(FileError):
        opened(queue, content("public/a.zip", b"no zip", "archive"))
    assert list(tmp_path.iterdir()) == []


def test_a_name_of_slashes_and_dots_cannot_place_the_spool(queue: FakeQueue, content: Any) -> None:
    assert opened(queue, content("public/../../../tmp/x.zip", zipped(), "archive")).frame.height == 2


def test_a_table_has_its_own_columns_with_numbers_as_numbers(queue: FakeQueue, content: Any) -> None:
    body = b'\xef\xbb\xbfCPU %,Phase,row,CPU %\n1.5,"a, b",7,\n2,c,8,3\nx\n'
    http = queue.http()
    resource = open_list(resolve(content("public/x.csv", body, "table"), http, ROOT), http, ROOT)
    assert isinstance(resource, TableRowList)
    found = read_list(resource, CancelToken())
    assert [column.name for column in resource.schema][:3] == ["cpu", "phase", "row_3"]
    assert [column.kind for column in resource.schema][:3] == [Kind.TEXT, Kind.TEXT, Kind.NUMBER]
    assert len({column.name for column in resource.schema}) == 4
    assert found.frame["phase"].to_list() == ["a, b", "c", None]
    assert found.frame["row_3"].to_list() == [7.0, 8.0, None]


def test_a_table_divided_by_tabs_or_semicolons_is_read(queue: FakeQueue, content: Any) -> None:
    assert opened(queue, content("public/x.tsv", b"a\tb,c\n1\t2\n", "table")).frame["a"].to_list() == [1.0]
    assert opened(queue, content("public/x.csv", b"a;b\n1;x\n", "table")).frame["b"].to_list() == ["x"]


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_whatever_is_called_a_table_is_rows_or_words(body: bytes) -> None:
    queue = FakeQueue()
    one = queue.task(1, [[{"name": "public/x.csv"}]])
    url = f"/api/queue/v1/task/{one}/runs/0/artifacts/public/x.csv"
    queue.answers[url] = httpx.Response(200, content=body)
    try:
        found = opened(queue, ArtifactContents("table", one, 0, "public/x.csv"))
    except AppError:
        return
    assert found.frame["row"].is_unique().all()


def test_a_json_artifact_is_a_tree_and_a_cut_one_is_not(queue: FakeQueue, content: Any) -> None:
    for body, value in ((b'{"a": [1, null, NaN]}', 3), (b"null", None), (b'"\\ud800"', "?")):
        content("public/x.json", body, "archive")
        document = listing(queue).document(row("public/x.json", task_id=queue.task(1, [])))
        assert document is not None
        read = document.read(CancelToken())
        assert len(read["a"]) == value if isinstance(value, int) else True
    content("public/x.json", b'{"a": [1, ', "archive")
    document = listing(queue).document(row("public/x.json", task_id=queue.task(1, [])))
    assert document is not None
    with pytest.raises(UnexpectedResponseError):
        document.read(CancelToken())


def test_everything_in_the_embedded_cis_task_of_all_kinds_opens_or_says_why(demo: dict[str, str]) -> None:
    from backends.http import Http
    from backends.systems import parse_locator

    root = demo["taskcluster.artifact-kinds-task"].rpartition("/tasks/")[0]
    with Http() as http:
        resource = open_list(resolve(parse_locator(demo["taskcluster.artifact-kinds-task"]), http, root), http, root)
        frame = read_list(resource, CancelToken()).frame
        shown = {one["name"]: resource.shows(one) for one in frame.iter_rows(named=True)}
        table = shown["public/kinds/resource-use.csv"]
        assert isinstance(table, ArtifactContents)
        found = read_list(open_list(resolve(table, http, root), http, root), CancelToken()).frame
        assert found.height == 120 and found["second"].to_list() == list(range(120))
        assert all(shown[name] is None for name in shown if "/error-" in name)
        with pytest.raises(FailedDependencyError):
            http.locate(
                f"{root}/api/queue/v1/task/{frame['task_id'][0]}/runs/0/artifacts/public/kinds/error-file-missing-on-worker"
            )


def test_archives_of_the_embedded_ci_survive_its_faults() -> None:
    from backends.demo import DemoOptions
    from backends.demo import locators as demo_locators
    from backends.http import Http
    from backends.systems import parse_locator

    with (
        DemoServer(DemoOptions(tasks=20, fault=0.1), stall_seconds=0.01) as server,
        Http(pause=lambda seconds, cancel: None) as http,
    ):
        group = parse_locator(demo_locators(server.options, server.root_url)["taskcluster.finished-group"])
        tasks = open_list(resolve(group, http, server.root_url), http, server.root_url)
        marked = tasks.open_marked(read_list(tasks, CancelToken()).frame)
        assert marked is not None
        listed = read_list(open_list(marked, http, server.root_url), CancelToken()).frame
        archives = [one for one in listed.iter_rows(named=True) if one["name"].endswith((".zip", ".tgz", ".xz"))][:6]
        assert archives
        for one in archives:
            locator = ArtifactContents("archive", one["task_id"], one["run"], one["name"])
            assert read_list(open_list(locator, http, server.root_url), CancelToken()).frame.height > 0
