"""Archives from a real hgweb: the right one, whole, once - or a sentence that says why not."""

from __future__ import annotations

import io
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from backends.archives.fetch import save_copy
from backends.archives.hosts import SourceNotFoundError
from backends.archives.spec import ArchiveRequest
from backends.archives.store import CorruptedArchiveError
from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError, UsageError
from backends.extraction.limits import DamagedArchiveError
from backends.http.errors import NetworkError
from backends.http.policies import Mode
from tests.archives.conftest import EngineFactory
from tests.archives.mercurial_server import DATE, Hgweb

ASH = "projects/ash"


@pytest.mark.parametrize("suffix", ["zip", "tar.gz", "tar.bz2"])
def test_every_suffix_that_the_server_allows_comes_from_it(hgweb: Hgweb, bench: EngineFactory, suffix: str) -> None:
    got = bench(hgweb.url).get(ASH, "REL_1", suffix=suffix)
    record = got.archive.record
    assert record.node == hgweb.repositories.first and record.confirmed and record.repacked_from == ""
    assert record.members == 6 and record.committed_ms == DATE * 1000
    assert got.archive.path.stat().st_size == record.size


def test_every_name_of_a_revision_leads_to_the_same_archive(hgweb: Hgweb, bench: EngineFactory) -> None:
    second = hgweb.repositories.second
    made = bench(hgweb.url)
    names = [second, second[:12], second[:7], "tip", "feature/long-branch-name", "2"]
    assert {made.get(ASH, name).archive.record.node for name in names} == {second}
    assert [made.get(ASH, name).fetched for name in names] == [False] * 6


def test_a_part_of_a_repository_holds_that_part_only(hgweb: Hgweb, bench: EngineFactory) -> None:
    got = bench(hgweb.url).get(ASH, "REL_1", "/testing//mozharness/")
    names = zipfile.ZipFile(got.archive.path).namelist()
    top = f"ash-{hgweb.repositories.first[:12]}/testing/mozharness"
    assert names == [f"{top}/README", f"{top}/configs/a.py"]
    assert got.archive.record.spec.file_name.endswith("-testing-mozharness.zip")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("nosuch", "tip"), "no repository nosuch"),
        ((ASH, "deadbeefdead"), "no revision deadbeefdead"),
        ((ASH, "ffffffffffff"), "no revision ffffffffffff"),
        ((ASH, "000000000000"), "no revision 000000000000"),
        ((ASH, "no/such/branch"), "no revision no/such/branch"),
        ((ASH, "tip", "no/such"), "nothing at no/such"),
        ((ASH, "tip", "testing/*"), "nothing at"),
    ],
)
def test_what_the_server_does_not_have_is_said_and_not_tried_again(
    hgweb: Hgweb, bench: EngineFactory, asked: tuple[str, ...], said: str
) -> None:
    made = bench(hgweb.url)
    with pytest.raises(SourceNotFoundError, match=said):
        made.get(*asked)
    assert made.waits == [] and made.engine.store.all() == []


@pytest.mark.parametrize("asked", [("a/../b", "tip"), ("", "tip"), ("a", ""), ("a", ".."), ("a", "tip", "../x")])
def test_names_that_no_server_can_have_are_never_sent(asked: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        ArchiveRequest(*asked)


def test_a_tar_from_a_server_that_allows_zip_only_is_what_mercurial_would_have_packed(
    hgweb: Hgweb, zip_only: Hgweb, bench: EngineFactory
) -> None:
    own = bench(hgweb.url, cache="own").get(ASH, "REL_1", suffix="tar.gz").archive
    repacked = bench(zip_only.url)
    got = repacked.get(ASH, "REL_1", suffix="tar.gz")
    assert got.archive.record.repacked_from == "zip" and "provides no tar.gz" in got.notes[0]
    assert any("to repack it" in report.sentence for report in repacked.reports)
    assert described(got.archive.path) == described(own.path)
    again = bench(zip_only.url, cache="again").get(ASH, "REL_1", suffix="tar.gz")
    assert again.archive.path.read_bytes() == got.archive.path.read_bytes(), (
        "the same archive has other bytes elsewhere"
    )
    bz2 = repacked.get(ASH, "REL_1", suffix="tar.bz2")
    assert described(bz2.archive.path) == described(own.path)
    assert repacked.engine.store.find(got.archive.record.spec.with_suffix("zip")) is not None


def test_a_kept_zip_is_repacked_where_the_server_is_away(zip_only: Hgweb, bench: EngineFactory) -> None:
    made = bench(zip_only.url)
    node = made.get(ASH, "REL_1").archive.record.node
    away = bench(zip_only.url)
    away.engine.http = away.engine.http.with_mode(Mode.OFFLINE)
    got = away.get(ASH, node, suffix="tar.gz")
    assert got.archive.record.repacked_from == "zip" and described(got.archive.path)
    with pytest.raises(AppError, match="Offline"):
        away.get(ASH, node, "testing", suffix="tar.gz")


def described(path: Path) -> list[tuple[object, ...]]:
    with tarfile.open(path) as tar:
        found = []
        for one in tar:
            content = tar.extractfile(one)
            body = content.read() if content is not None and one.isfile() else b""
            found.append((one.name, one.mode, one.mtime, one.type, one.linkname, body))
        return found


def test_a_server_that_fails_half_way_and_says_200_is_noticed(hgweb: Hgweb, bench: EngineFactory) -> None:
    import httpx

    node = hgweb.repositories.broken
    raw = httpx.get(f"{hgweb.url}/broken/archive/{node[:12]}.zip", timeout=60)
    assert raw.status_code == 200, "hgweb tells it today; then this test proves nothing"
    for suffix in ("zip", "tar.gz", "tar.bz2"):
        made = bench(hgweb.url)
        with pytest.raises(DamagedArchiveError):
            made.get("broken", node, suffix=suffix)
        assert made.states.count("RETRY") == 1 == len(made.waits)
        assert made.engine.store.all() == []
        left = [path.name for path in made.engine.store.directory.iterdir() if path.is_file()]
        assert left == [], "something of it stayed"


def test_many_who_want_one_archive_cause_one_fetch(hgweb: Hgweb, bench: EngineFactory) -> None:
    before = hgweb.archives("zip")
    benches = [bench(hgweb.url) for _ in range(6)]
    found: list[bytes] = []

    def ask(number: int) -> None:
        found.append(benches[number].get(ASH, "tip").archive.path.read_bytes())

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 6 and len(set(found)) == 1
    assert hgweb.archives("zip") == before + 1


def test_a_full_revision_that_is_kept_needs_no_server(hgweb: Hgweb, bench: EngineFactory) -> None:
    first = hgweb.repositories.first
    made = bench(hgweb.url)
    made.get(ASH, first)
    made.engine.http.mode = made.engine.http.mode.OFFLINE
    got = made.get(ASH, first)
    assert not got.fetched and got.archive.record.node == first


def test_a_server_that_is_away_is_tried_three_times(hgweb: Hgweb, bench: EngineFactory) -> None:
    made = bench(hgweb.url, archive_url_template="http://127.0.0.1:9/{repo}/archive/{rev}.{suffix}/{subdir}")
    with pytest.raises(NetworkError):
        made.get(ASH, "tip")
    assert len(made.waits) == 2 and made.waits[0] < made.waits[1]


def test_the_address_of_the_archive_is_made_as_the_original_setting_says(hgweb: Hgweb, bench: EngineFactory) -> None:
    got = bench(hgweb.url, archive_url_template=f"{hgweb.url}/{{repo}}/archive/{{rev}}.{{suffix}}/{{subdir}}").get(
        ASH, "REL_1", "testing/mozharness"
    )
    rev = hgweb.repositories.first[:12]
    assert got.archive.record.source_url == f"{hgweb.url}/projects/ash/archive/{rev}.zip/testing/mozharness"


def test_stopping_leaves_nothing_behind(hgweb: Hgweb, bench: EngineFactory) -> None:
    made, cancel = bench(hgweb.url), CancelToken()

    def stop(report: object) -> None:
        if "Downloading" in str(report):
            cancel.cancel()

    with pytest.raises(OperationCancelledError):
        made.engine.get(ArchiveRequest(ASH, "tip"), cancel, stop)
    assert made.engine.store.all() == [] and not list(made.engine.store.directory.glob(".*.part"))


def test_an_archive_that_rotted_on_the_disk_is_not_handed_out(
    hgweb: Hgweb, bench: EngineFactory, tmp_path: Path
) -> None:
    made = bench(hgweb.url)
    kept = made.get(ASH, "REL_1").archive
    content = bytearray(kept.path.read_bytes())
    content[100] ^= 1
    kept.path.write_bytes(content)
    with pytest.raises(CorruptedArchiveError):
        save_copy(made.engine.store, kept, tmp_path / "out", CancelToken())
    assert list((tmp_path / "out").iterdir()) == []
    fresh = made.get(ASH, "REL_1")
    assert fresh.fetched
    path, new = save_copy(made.engine.store, fresh.archive, tmp_path / "out", CancelToken())
    assert new and zipfile.ZipFile(io.BytesIO(path.read_bytes())).testzip() is None
    assert save_copy(made.engine.store, fresh.archive, tmp_path / "out", CancelToken()) == (path, False)


def test_a_single_file_can_be_asked_for(hgweb: Hgweb, bench: EngineFactory) -> None:
    got = bench(hgweb.url).get(ASH, "REL_1", "testing/mozharness/README")
    assert [name.partition("/")[2] for name in zipfile.ZipFile(got.archive.path).namelist()] == [
        "testing/mozharness/README"
    ]


def test_the_archive_of_a_name_that_is_no_ascii_is_whole(hgweb: Hgweb, zip_only: Hgweb, bench: EngineFactory) -> None:
    repacked = bench(zip_only.url).get(ASH, "REL_1", "testing/café", suffix="tar.gz").archive
    own = bench(hgweb.url, cache="own").get(ASH, "REL_1", "testing/café", suffix="tar.gz").archive
    assert described(repacked.path) == described(own.path)
