"""The archives on this disk: never written through a link, whole after every kill, and not more than allowed."""

from __future__ import annotations

import hashlib
import json
import os
from itertools import count
from pathlib import Path

import pytest

from backends.archives.fetch import save_copy
from backends.archives.lists import Pins
from backends.archives.spec import ArchiveSpec
from backends.archives.store import ArchiveRecord, ArchiveStore, StoredArchive
from backends.atomic import SymlinkError
from backends.cancel import CancelToken
from backends.errors import FileError
from tests.archives.conftest import EngineFactory
from tests.archives.mercurial_server import Hgweb
from tests.commands.calling import Caller
from tests.crash_injection import run_killed

ASH = "projects/ash"
ROOT = "https://hg.example"


def keep(store: ArchiveStore, node: str, content: bytes = b"x" * 1000, suffix: str = "zip") -> StoredArchive:
    spec = ArchiveSpec(ROOT, ASH, node, "", suffix)
    with store.writing(spec) as (stream, _):
        stream.write(content)
    digest = hashlib.sha256(content).hexdigest()
    return store.keep(ArchiveRecord(ROOT, ASH, node, "", suffix, ROOT, len(content), digest, 1, len(content)))


def nodes(store: ArchiveStore) -> set[str]:
    return {kept.record.node[0] for kept in store.all()}


def aged(kept: StoredArchive, seconds: int) -> StoredArchive:
    os.utime(kept.path, (1_000_000_000 - seconds,) * 2)
    return kept


# Links that somebody planted.


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("dangling", [False, True])
def test_an_archive_is_never_written_through_a_link_in_the_output_directory(
    tmp_path: Path, overwrite: bool, dangling: bool
) -> None:
    store, outside, directory = ArchiveStore(tmp_path / "cache" / "archives"), tmp_path / "outside", tmp_path / "out"
    kept = keep(store, "a" * 40)
    directory.mkdir()
    if not dangling:
        outside.write_text("mine")
    (directory / kept.record.spec.file_name).symlink_to(outside)
    with pytest.raises(SymlinkError, match="nothing is written through links"):
        save_copy(store, kept, directory, CancelToken(), overwrite=overwrite)
    assert not outside.exists() if dangling else outside.read_text() == "mine"
    assert [path.name for path in directory.iterdir()] == [kept.record.spec.file_name]


def test_a_link_to_the_very_same_bytes_is_not_called_the_file(tmp_path: Path) -> None:
    store, directory = ArchiveStore(tmp_path / "cache" / "archives"), tmp_path / "out"
    kept = keep(store, "a" * 40)
    directory.mkdir()
    (directory / kept.record.spec.file_name).symlink_to(kept.path)
    with pytest.raises(SymlinkError):
        save_copy(store, kept, directory, CancelToken())


def test_an_output_directory_that_is_itself_a_link_is_the_user_s_choice(tmp_path: Path) -> None:
    store = ArchiveStore(tmp_path / "cache" / "archives")
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    _, new = save_copy(store, keep(store, "a" * 40), tmp_path / "out", CancelToken())
    assert new and len(list((tmp_path / "disk").iterdir())) == 1


def paths_written(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_a_link_planted_at_any_path_of_the_store_is_refused(hgweb: Hgweb, bench: EngineFactory, tmp_path: Path) -> None:
    """Files, directories and locks alike, and the link leads to a directory, a file, or nowhere."""
    seen = set[str]()
    made = bench(hgweb.url, cache="seen")

    def look(report: object) -> None:
        seen.update(paths_written(tmp_path / "seen"))

    from backends.archives.spec import ArchiveRequest

    made.engine.get(ArchiveRequest(ASH, "REL_1"), CancelToken(), look)
    look(None)
    names = sorted(name for name in seen if not name.endswith(".part"))
    assert {name.rpartition(".")[2] for name in names} >= {"archives", "zip", "json", "archives/locks"}, names
    assert sum(name.startswith("archives/locks/") for name in names) == 2, names
    for number, name in enumerate(names):
        for leads_to in ("directory", "file", "nothing"):
            cache = f"planted-{number}-{leads_to}"
            outside = tmp_path / "outside" / cache
            outside.parent.mkdir(exist_ok=True)
            if leads_to == "directory":
                outside.mkdir()
            elif leads_to == "file":
                outside.write_text("mine")
            link = tmp_path / cache / name
            link.parent.mkdir(parents=True)
            link.symlink_to(outside)
            with pytest.raises(FileError) as raised:
                bench(hgweb.url, cache=cache).get(ASH, "REL_1")
            assert "link" in raised.value.sentence, (name, leads_to, raised.value.sentence)
            assert link.is_symlink(), name
            if leads_to == "directory":
                assert list(outside.iterdir()) == [], name
            else:
                assert not outside.exists() if leads_to == "nothing" else outside.read_text() == "mine", name


def test_a_link_in_place_of_a_kept_archive_is_no_archive(tmp_path: Path) -> None:
    store = ArchiveStore(tmp_path / "cache" / "archives")
    kept = keep(store, "a" * 40)
    (tmp_path / "secret").write_bytes(kept.path.read_bytes())
    kept.path.unlink()
    kept.path.symlink_to(tmp_path / "secret")
    assert store.all() == [] and store.find(kept.record.spec) is None


def test_pinned_repositories_are_never_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "pinned-repositories.json").symlink_to(tmp_path / "outside")
    with pytest.raises(SymlinkError):
        Pins(tmp_path).toggle(ROOT, ASH)
    assert not (tmp_path / "outside").exists()


# Writers that are killed before each of their steps.

WRITE = """
from pathlib import Path
from backends.archives.fetch import save_copy
from backends.archives.store import ArchiveRecord, ArchiveStore
from backends.archives.spec import ArchiveSpec
from backends.cancel import CancelToken
import backends.transfers.recorder, hashlib
cache, out = map(Path, sys.argv[1:])
store, spec = ArchiveStore(cache / "archives"), ArchiveSpec("https://hg.example", "projects/ash", "a" * 40, "", "zip")
content = b"content" * 1000
start_counting()
with store.lock(spec, CancelToken()):
    kept = store.find(spec)
    if kept is None:
        with store.writing(spec) as (stream, _):
            stream.write(content)
        digest = hashlib.sha256(content).hexdigest()
        kept = store.keep(ArchiveRecord(spec.root, spec.repository, spec.node, "", "zip", "", 7000, digest, 1, 7000))
save_copy(store, kept, out, CancelToken())
"""


def test_an_archive_whose_writer_is_killed_at_any_step_is_whole_or_not_there(tmp_path: Path) -> None:
    """Kept, and then copied to where the user wants it; the next one completes both and leaves nothing half."""
    for step in count(1, 2):
        cache, out = tmp_path / f"cache{step}", tmp_path / f"out{step}"
        killed = run_killed(WRITE, str(cache), str(out), step=step)
        store = ArchiveStore(cache / "archives")
        for path in [*(kept.path for kept in store.all()), *(out.glob("*") if out.exists() else ())]:
            if path.suffix != ".part":
                assert path.read_bytes() == b"content" * 1000, step
        if killed:
            run_killed(WRITE, str(cache), str(out))
        (kept,) = store.all()
        (file,) = out.iterdir()
        assert file.read_bytes() == kept.path.read_bytes() == b"content" * 1000, step
        left = [name for name in paths_written(cache) if name.endswith(".part")]
        assert left == [], f"step {step} left {left}"
        if not killed:
            break
    assert step > 12


FETCH = """
from dataclasses import replace
from pathlib import Path
from backends import config
from backends.archives.engine import ArchiveEngine
from backends.archives.spec import ArchiveRequest
from backends.cancel import CancelToken
from backends.http import Http
import backends.transfers.recorder, backends.transfers.bodies, backends.archives.hosts, backends.extraction.members
url, cache = sys.argv[1:]
engine = ArchiveEngine(Http(tries=1), replace(config.load(), hg_url=url, cache_dir=cache))
start_counting()
engine.get(ArchiveRequest("projects/ash", "REL_1", suffix="tar.gz"), CancelToken())
"""


def test_a_fetch_and_its_repacking_that_are_killed_end_in_the_same_archive(
    zip_only: Hgweb, bench: EngineFactory, tmp_path: Path
) -> None:
    expected = bench(zip_only.url, cache="expected").get(ASH, "REL_1", suffix="tar.gz").archive.record.sha256
    for step in count(4, 9):  # an interpreter that imports all of this takes a second for each
        cache = f"cache{step}"
        killed = run_killed(FETCH, zip_only.url, str(tmp_path / cache), step=step)
        made = bench(zip_only.url, cache=cache)
        for kept in made.engine.store.all():
            assert hashlib.sha256(kept.path.read_bytes()).hexdigest() == kept.record.sha256, step
        assert made.get(ASH, "REL_1", suffix="tar.gz").archive.record.sha256 == expected
        made.get(ASH, "tip")
        left = [name for name in paths_written(tmp_path / cache) if name.endswith(".part")]
        assert left == [], f"step {step} left {left}"
        if not killed:
            break
    assert step > 12


UPLOAD = """
from backends.archives.buckets import BucketMirror
from backends.archives.store import ArchiveStore
from pathlib import Path
from dataclasses import replace
from backends.cancel import CancelToken
import json, os
url, cache, storage = sys.argv[1:]
from backends import config
from backends.archives.engine import ArchiveEngine
from backends.archives.spec import ArchiveRequest
from backends.http import Http
environment = {"AWS_ENDPOINT_URL": storage, "AWS_ACCESS_KEY_ID": "test-key", "AWS_SECRET_ACCESS_KEY": "test-secret"}
mirror = BucketMirror({"us-east-1": "killed-copies"}, url, environment)
engine = ArchiveEngine(Http(tries=1), replace(config.load(), hg_url=url, cache_dir=cache), mirror=mirror)
start_counting()
got = engine.get(ArchiveRequest("projects/ash", "REL_1"), CancelToken())
assert got.archive.record.regions == {"us-east-1": "killed-copies"}, got
"""


def test_a_copy_to_a_bucket_that_is_killed_is_completed_by_the_next(
    hgweb: Hgweb, storage: object, tmp_path: Path
) -> None:
    from tests.archives.storage import Storage

    assert isinstance(storage, Storage)
    for step in (5, 12, 0):
        for key in storage.keys("killed-copies"):
            storage._ask("DELETE", f"/killed-copies/{key}")
        storage.bucket("killed-copies")
        arguments = (hgweb.url, str(tmp_path / f"cache{step}"), storage.url)
        if run_killed(UPLOAD, *arguments, step=step):
            run_killed(UPLOAD, *arguments)
        (key,) = storage.keys("killed-copies")
        (kept,) = ArchiveStore(tmp_path / f"cache{step}" / "archives").all()
        size = storage.head("killed-copies", key).headers["content-length"]
        assert int(size) == kept.record.size, step


PIN = """
from pathlib import Path
from backends.archives.lists import Pins
start_counting()
Pins(Path(sys.argv[1])).toggle("https://hg.example", "projects/ash")
"""


def test_pins_killed_at_any_step_are_the_old_ones_or_the_new(tmp_path: Path) -> None:
    for step in count(1):
        directory = tmp_path / str(step)
        directory.mkdir()
        Pins(directory).toggle(ROOT, "mozilla-central")
        killed = run_killed(PIN, str(directory), step=step)
        assert Pins(directory).names(ROOT) in (["mozilla-central"], ["mozilla-central", ASH]), step
        if not killed:
            break
    assert step > 2


def test_what_killed_processes_left_goes_with_the_next_fetch_of_any_archive(tmp_path: Path) -> None:
    store = ArchiveStore(tmp_path / "cache" / "archives")
    keep(store, "a" * 40)
    part = store.directory / f".{'b' * 64}.zip.0123abcd.part"
    orphan = store.directory / f"{'c' * 64}.tar.gz"
    for path in (part, orphan):
        path.write_bytes(b"half")
    keep(store, "d" * 40)
    assert not part.exists() and not orphan.exists() and nodes(store) == {"a", "d"}


def test_what_another_process_writes_just_now_is_left_alone(tmp_path: Path) -> None:
    store, other = ArchiveStore(tmp_path / "cache" / "archives"), ArchiveStore(tmp_path / "cache" / "archives")
    spec = ArchiveSpec(ROOT, ASH, "a" * 40, "", "zip")
    with store.lock(spec, CancelToken()), store.writing(spec) as (stream, path):
        stream.write(b"half")
        keep(other, "b" * 40)
        assert other.clear() == 1
        assert path.exists()
    assert store.path(spec).read_bytes() == b"half"


# How many are kept.


def test_of_more_than_the_limit_those_go_that_were_not_used_for_longest(tmp_path: Path) -> None:
    store = ArchiveStore(tmp_path / "cache" / "archives", 3_500)
    for number, node in enumerate("abc"):
        aged(keep(store, node * 40), 100 - number)
    store.use(next(kept for kept in store.all() if kept.record.node[0] == "a"))
    keep(store, "d" * 40)
    assert nodes(store) == {"a", "c", "d"}
    assert len([path for path in store.directory.iterdir() if path.is_file()]) == 6


def test_saving_a_copy_is_a_use(tmp_path: Path) -> None:
    store = ArchiveStore(tmp_path / "cache" / "archives", 2_500)
    first, _ = (aged(keep(store, node * 40), 100) for node in "ab")
    save_copy(store, first, tmp_path / "out", CancelToken())
    keep(store, "c" * 40)
    assert nodes(store) == {"a", "c"}


def test_one_archive_that_is_bigger_than_the_limit_is_kept_alone(tmp_path: Path) -> None:
    store = ArchiveStore(tmp_path / "cache" / "archives", 500)
    keep(store, "a" * 40)
    keep(store, "b" * 40)
    assert nodes(store) == {"b"}


def test_an_archive_that_somebody_copies_just_now_is_not_taken_away(tmp_path: Path) -> None:
    store = ArchiveStore(tmp_path / "cache" / "archives", 1_500)
    kept = aged(keep(store, "a" * 40), 100)
    with store.lock(kept.record.spec, CancelToken()):
        keep(store, "b" * 40)
        assert nodes(store) == {"a", "b"}
    keep(store, "c" * 40)
    assert nodes(store) == {"c"}


def test_the_limit_is_that_of_the_cache(hgweb: Hgweb, bench: EngineFactory) -> None:
    made = bench(hgweb.url, cache_bytes=10_000_000)
    assert made.engine.store._limit == 10_000_000


def test_the_cache_counts_archives_and_clears_them(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    from backends import config

    ciexplore = Caller(capsysbinary)
    directory = config.load().cache_path / "archives"
    assert "archives   0, 0 B" in ciexplore("cache", "info").text
    store = ArchiveStore(directory)
    keep(store, "a" * 40, b"x" * 5_000_000)
    keep(store, "b" * 40)
    (directory / "mine.txt").write_text("mine")
    told = ciexplore("cache", "info").text
    assert "archives   2, 5" in told and "MB of at most 2" in told
    done = ciexplore("cache", "clear")
    assert done.code == 0 and "2 archives" in done.text
    assert [path.name for path in directory.iterdir() if path.is_file()] == ["mine.txt"]
    assert "archives   0, 0 B" in ciexplore("cache", "info").text


def test_a_clear_takes_the_locks_of_killed_processes_and_no_living_one_s(tmp_path: Path) -> None:
    store = ArchiveStore(tmp_path / "cache" / "archives")
    kept = keep(store, "a" * 40)
    locks = store.directory / "locks"
    with store.lock(kept.record.spec, CancelToken()):
        (locks / ("b" * 64)).touch()
        (locks / f"server-{'c' * 40}").touch()
        assert store.clear() == 0
        assert [path.name for path in locks.iterdir()] == [kept.record.spec.digest]
    assert store.clear() == 1 and list(locks.iterdir()) == []


def test_a_clear_takes_accounts_that_nobody_can_read(tmp_path: Path) -> None:
    store = ArchiveStore(tmp_path / "cache" / "archives")
    kept = keep(store, "a" * 40)
    record = kept.path.parent / f"{kept.record.spec.digest}.json"
    record.write_text(json.dumps({"version": 99}))
    store.clear()
    assert [path for path in store.directory.iterdir() if path.is_file()] == []
