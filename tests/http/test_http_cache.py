"""The directory of stored answers: safe to read, private, and never a reason for a request to fail."""

from __future__ import annotations

import os
import pickle
import sqlite3
import stat
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.http import CachePolicy, Http, Mode
from backends.http.cache import BlobCache, DiskCache, cache_summary, clear, pack, unpack
from backends.http.httpx_loader import httpx
from backends.http.response import ResponseSource

Make = Callable[..., Http]
URL = "https://ci.example/api/x"


class Bomb:
    """Pickled, it makes a directory when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.mark),)


def plant(directory: Path, statement: str, values: tuple[object, ...]) -> None:
    connection = sqlite3.connect(directory / "cache.db")
    connection.execute(statement, values)
    connection.commit()
    connection.close()


INSERT = (
    "INSERT INTO Cache(key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value)"
    " VALUES (?, ?, 0, NULL, 0, 0, NULL, 0, ?, ?, ?)"
)


def test_a_pickle_planted_as_a_value_is_not_loaded_but_thrown_away(tmp_path: Path) -> None:
    shelf = DiskCache(tmp_path / "c")
    assert shelf.put("seed", b"1")
    armed = pickle.dumps(Bomb(tmp_path / "boom"))
    plant(tmp_path / "c", INSERT, ("inline", 1, 4, None, armed))
    name = "ab/cd/" + "0" * 28 + ".val"
    (tmp_path / "c" / name).parent.mkdir(parents=True)
    (tmp_path / "c" / name).write_bytes(armed)
    plant(tmp_path / "c", INSERT, ("file", 1, 4, name, None))
    assert shelf.get("inline") is None and shelf.get("file") is None
    assert not (tmp_path / "boom").exists()
    assert cache_summary(tmp_path / "c")[0] == 1, "thrown away"
    assert shelf.get("seed") == b"1" and not shelf.note


def test_a_pickle_planted_as_a_key_is_not_loaded(tmp_path: Path) -> None:
    from backends.http.cache import _open

    shelf = DiskCache(tmp_path / "c")
    shelf.put("seed", b"1")
    plant(tmp_path / "c", INSERT, (pickle.dumps(Bomb(tmp_path / "boom")), 0, 1, None, b"x"))
    assert shelf.get("seed") == b"1"
    cache = _open(tmp_path / "c", 1 << 20)
    with pytest.raises(ValueError, match="refused"):
        list(cache)
    with pytest.raises(ValueError, match="refused"):
        cache.peekitem()
    assert cache_summary(tmp_path / "c")[0] == 2
    assert clear(tmp_path / "c") == 2
    assert not (tmp_path / "boom").exists()


def test_nothing_can_be_written_as_a_pickle(tmp_path: Path) -> None:
    from backends.http.cache import _open

    cache = _open(tmp_path / "c", 1 << 20)
    for key, value in [("k", [1]), ("k", None), ("k", {}), (("k",), b"v"), (1, b"v"), (b"k", b"v"), ("k", True)]:
        with pytest.raises(TypeError):
            cache.set(key, value)
    assert len(cache) == 0


def test_a_planted_row_cannot_read_or_delete_a_file_outside(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"private")
    shelf = DiskCache(tmp_path / "c")
    shelf.put("seed", b"1")
    for number, name in enumerate(["../victim", str(victim), "ab/../../../victim"]):
        plant(tmp_path / "c", INSERT, (f"row{number}", 1, 2, name, None))
        assert shelf.get(f"row{number}") is None
    plant(tmp_path / "c", INSERT, ("last", 1, 2, "../victim", None))
    clear(tmp_path / "c")
    assert victim.read_bytes() == b"private"


def test_what_others_store_later_is_read_over_the_connection_that_is_open(tmp_path: Path) -> None:
    ours, theirs = DiskCache(tmp_path / "c"), DiskCache(tmp_path / "c")
    values = {f"key{number}": bytes([number]) * (10 if number % 2 else 100_000) for number in range(20)}
    assert ours.get("key0") is None
    for key, value in values.items():
        theirs.put(key, value)
    with ThreadPoolExecutor(8) as pool:
        assert dict(zip(values, pool.map(ours.get, values), strict=True)) == values
    theirs.put("key0", b"newer")
    theirs.delete("key1")
    assert ours.get("key0") == b"newer" and ours.get("key1") is None
    clear(tmp_path / "c")
    assert ours.get("key2") is None and not ours.note


def test_a_value_whose_file_is_gone_is_missing(tmp_path: Path) -> None:
    shelf = DiskCache(tmp_path / "c")
    shelf.put("large", bytes(100_000))
    for path in (tmp_path / "c").glob("??/??/*.val"):
        path.unlink()
    assert shelf.get("large") is None and not shelf.note


def test_the_directory_is_private_even_if_it_was_not(tmp_path: Path) -> None:
    for name, before in (("new", None), ("open", 0o777)):
        directory = tmp_path / "deep" / name
        if before is not None:
            directory.mkdir(mode=before, parents=True)
            directory.chmod(before)
        DiskCache(directory).put("k", b"v")
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@given(
    st.binary(max_size=300), st.floats(0, 4e9), st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=4)
)
def test_what_is_packed_comes_back_and_what_is_cut_does_not(body: bytes, at: float, meta: dict[str, str]) -> None:
    row = pack(body, at, meta)
    found = unpack(row)
    assert found is not None and (found.body, found.stored_at, found.meta) == (body, at, meta)
    assert all(unpack(row[:size]) is None for size in range(len(row)))
    assert all(unpack(row[:at] + bytes([row[at] ^ 64]) + row[at + 1 :]) is None for at in range(4, len(row)))
    assert unpack(row + b"x") is None


@given(st.binary(max_size=80))
def test_garbage_is_no_stored_value(row: bytes) -> None:
    assert unpack(row) is None and unpack(b"cix1" + row) is None


def answering(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=b"fresh")


def garbage_file(directory: Path) -> None:
    directory.mkdir()
    (directory / "cache.db").write_bytes(b"this is not a database, " * 500)


def a_file_in_its_place(directory: Path) -> None:
    directory.write_text("a file")


def another_schema(directory: Path) -> None:
    directory.mkdir()
    connection = sqlite3.connect(directory / "cache.db")
    connection.execute("CREATE TABLE Settings (key TEXT, value)")
    connection.execute("CREATE TABLE Cache (other TEXT)")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("spoil", [a_file_in_its_place, another_schema])
def test_a_cache_that_cannot_be_opened_is_said_once_and_then_done_without(
    spoil: Callable[[Path], None], tmp_path: Path, client: Make
) -> None:
    spoil(tmp_path / "spoiled")
    http = client(answering, cache_dir=tmp_path / "spoiled")
    for _ in range(2):
        assert http.get(URL, policy=CachePolicy.immutable()).body == b"fresh"
    assert str(tmp_path / "spoiled") in http.cache_note
    store = http.blob_cache()
    assert store is not None
    store.put("k", b"v")
    assert store.get("k") is None
    assert cache_summary(tmp_path / "spoiled")[0] == 0


def filled(directory: Path) -> None:
    """A cache with small and large values, closed."""
    shelf = DiskCache(directory)
    for number in range(300):
        assert shelf.put(f"k{number}", pack(b"%d" % number * 500, 1.0, {}))
    assert shelf.put("large", pack(b"large" * 20_000, 1.0, {}))
    shelf.close()


def not_a_database(path: Path) -> None:
    path.write_bytes(b"this is not a database, " * 500)


def half_of_it(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeros_in_the_middle(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(len(content) - 8192) + content[-4096:])


@pytest.mark.parametrize("spoil", [not_a_database, half_of_it, zeros_in_the_middle])
def test_a_damaged_cache_is_begun_again_and_that_is_said_once(
    spoil: Callable[[Path], None], tmp_path: Path, client: Make
) -> None:
    directory = tmp_path / "spoiled"
    filled(directory)
    spoil(directory / "cache.db")
    (directory / "notes.txt").write_text("mine")
    http = client(answering, cache_dir=directory)
    for number in range(300):
        assert http.get(f"{URL}/{number}", policy=CachePolicy.immutable()).body == b"fresh"
    (note,) = http.notes
    assert str(directory) in note and "damaged" in note and "emptied" in note
    assert not list(directory.glob("??/??/*.val")), "nothing is left of values that no row names any more"
    again = client(answering, cache_dir=directory)
    assert again.get(f"{URL}/0", policy=CachePolicy.immutable()).freshness.source is ResponseSource.CACHE
    assert again.notes == () and (directory / "notes.txt").read_text() == "mine"
    again.close()
    assert clear(directory) == 300


def test_what_another_program_has_under_our_name_is_set_aside_and_not_deleted(tmp_path: Path) -> None:
    garbage_file(tmp_path / "c")
    shelf = DiskCache(tmp_path / "c")
    assert shelf.put("k", b"v") and shelf.get("k") == b"v" and "emptied" in shelf.note
    assert (tmp_path / "c" / "cache.db.damaged").read_bytes().startswith(b"this is not a database")


def test_looking_at_a_damaged_cache_changes_nothing(tmp_path: Path) -> None:
    garbage_file(tmp_path / "c")
    before = (tmp_path / "c" / "cache.db").read_bytes()
    assert cache_summary(tmp_path / "c") == (0, len(before))
    assert (tmp_path / "c" / "cache.db").read_bytes() == before


def test_two_processes_that_find_the_damage_begin_one_cache(tmp_path: Path) -> None:
    directory = tmp_path / "c"
    filled(directory)
    one, two = DiskCache(directory), DiskCache(directory)
    assert one.get("k1") is not None and two.get("k1") is not None
    for path in directory.glob("cache.db*"):
        path.unlink()
    garbage = b"this is not a database, " * 500
    (directory / "cache.db").write_bytes(garbage)
    error = sqlite3.DatabaseError("malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    one._trouble(error, "read")
    assert one.put("new", b"1")
    two._trouble(error, "read")
    assert two.get("new") == b"1", "the second one does not empty what the first one has begun"


@pytest.mark.parametrize("size", [100, 100_000])
@pytest.mark.parametrize("kind", ["cut", "altered"])
def test_a_stored_answer_that_is_cut_or_altered_is_fetched_again_and_that_is_said(
    kind: str, size: int, tmp_path: Path, client: Make
) -> None:
    body = b"x" * size
    http = client(lambda request: httpx.Response(200, content=body))
    http.get(URL, policy=CachePolicy.immutable())
    store = http.blob_cache()
    assert store is not None
    store.put("frame", body)
    http.close()
    spoilt = (lambda value: value[:-1]) if kind == "cut" else (lambda value: value[:-1] + b"y")
    for path in (tmp_path / "cache").glob("??/??/*.val"):
        path.write_bytes(spoilt(path.read_bytes()))
    connection = sqlite3.connect(tmp_path / "cache" / "cache.db")
    for rowid, value in connection.execute("SELECT rowid, value FROM Cache WHERE value IS NOT NULL").fetchall():
        connection.execute("UPDATE Cache SET value = ? WHERE rowid = ?", (spoilt(value), rowid))
    connection.commit()
    connection.close()
    again = client(lambda request: httpx.Response(200, content=body))
    answer = again.get(URL, policy=CachePolicy.immutable())
    assert answer.body == body and answer.freshness.source is ResponseSource.NETWORK
    store = again.blob_cache()
    assert store is not None and store.get("frame") is None
    assert len(again.notes) == 1 and "fetched again" in again.notes[0]
    assert again.get(URL, policy=CachePolicy.immutable()).freshness.source is ResponseSource.CACHE


def test_what_earlier_versions_stored_is_still_read() -> None:
    account = b'{"at":1.0,"meta":{"a":"b"}}'
    row = struct.pack("<4sIQ", b"cix1", len(account), 4) + account + b"body"
    found = unpack(row)
    assert found is not None and (found.body, found.stored_at, found.meta) == (b"body", 1.0, {"a": "b"})


def test_clearing_a_damaged_cache_makes_room_for_a_new_one_and_touches_nothing_else(tmp_path: Path) -> None:
    directory = tmp_path / "spoiled"
    garbage_file(directory)
    (directory / "notes.txt").write_text("mine")
    value = directory / "ab" / "cd" / ("0" * 28 + ".val")
    value.parent.mkdir(parents=True)
    value.write_bytes(b"x" * 100)
    (directory / "ab" / "cd" / "mine.val").write_bytes(b"mine")
    assert clear(directory) == 1
    assert not value.exists() and (directory / "notes.txt").read_text() == "mine"
    assert (directory / "ab" / "cd" / "mine.val").exists()
    shelf = DiskCache(directory)
    assert shelf.put("k", b"v") and shelf.get("k") == b"v" and not shelf.note


def test_a_cache_damaged_while_it_is_used_is_done_without(tmp_path: Path, client: Make) -> None:
    directory = tmp_path / "cache"
    http = client(answering)
    http.get(URL, policy=CachePolicy.immutable())
    for path in directory.glob("cache.db*"):
        path.write_bytes(b"\x00garbage" * 4000)
    found: list[bytes] = []
    # A new thread opens a connection of its own, which meets the damage.
    thread = threading.Thread(target=lambda: found.append(http.get(f"{URL}/2", policy=CachePolicy.immutable()).body))
    thread.start()
    thread.join(20)
    assert found == [b"fresh"] and http.cache_note


def test_a_cache_that_is_cut_short_while_it_is_used_does_not_end_the_process(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from backends.http.cache import DiskCache
shelf = DiskCache(Path(sys.argv[1]))
for number in range(2000):
    shelf.put(f"k{number}", b"x" * 2000)
    shelf.get(f"k{number}")
os.truncate(Path(sys.argv[1]) / "cache.db", 8192)
for number in range(2000):
    shelf.get(f"k{number}")
print("alive", shelf.put("new", b"1"))
"""
    command = [sys.executable, "-c", code, str(tmp_path / "c")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "alive True\n"), done.stderr


def test_a_full_disk_costs_the_entry_and_not_the_answer(tmp_path: Path) -> None:
    code = """
import resource, signal, sys
from pathlib import Path
from backends.http import Http, CachePolicy
from backends.http.httpx_loader import httpx
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
transport = httpx.MockTransport(lambda request: httpx.Response(200, content=bytes(900000)))
http = Http(cache_dir=Path(sys.argv[1]), transport=transport)
http.get("https://h/small", policy=CachePolicy.never())
http.blob_cache().put("seed", b"x")
resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000))
print(len(http.get("https://h/big", policy=CachePolicy.immutable()).body), bool(http.cache_note))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "c")], capture_output=True, text=True, check=False
    )
    assert done.stdout == "900000 True\n", done.stderr


def test_what_is_larger_than_an_eighth_of_the_cache_is_not_kept(tmp_path: Path, client: Make) -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, content=bytes(90_000 if request.url.path == "/small" else 130_000))

    http = client(handler, cache_bytes=1_000_000)
    for path in ("/small", "/small", "/big", "/big"):
        http.get(f"https://h{path}", policy=CachePolicy.immutable())
    assert asked == ["/small", "/big", "/big"]


def test_summary_and_clear_count_and_create_nothing(tmp_path: Path, client: Make) -> None:
    assert cache_summary(tmp_path / "none") == (0, 0) and clear(tmp_path / "none") == 0
    assert not (tmp_path / "none").exists()
    http = client(answering)
    for number in range(3):
        http.get(f"{URL}/{number}", policy=CachePolicy.immutable())
    entries, size = cache_summary(tmp_path / "cache")
    assert entries == 3 and size > 0
    assert clear(tmp_path / "cache") == 3
    assert cache_summary(tmp_path / "cache")[0] == 0
    assert http.get(f"{URL}/0", policy=CachePolicy.immutable()).freshness.source.value == "network"


def test_frames_are_kept_by_key_with_their_time_and_their_account(client: Make, clock: object) -> None:
    store = client(answering).blob_cache()
    assert store is not None and store.get("frame/1") is None
    store.put("frame/1", b"arrow", {"rows": 3})
    found = store.get("frame/1")
    assert found is not None
    assert (found.body, found.stored_at, found.meta) == (b"arrow", clock.now, {"rows": 3})  # type: ignore[attr-defined]
    store.put("frame/1", b"newer")
    assert store.get("frame/1").body == b"newer"  # type: ignore[union-attr]
    store.delete("frame/1")
    assert store.get("frame/1") is None


@pytest.mark.parametrize(
    ("mode", "reads", "writes"),
    [(Mode.NORMAL, 1, 1), (Mode.OFFLINE, 1, 0), (Mode.REFRESH, 0, 1), (Mode.NO_CACHE, 0, 0)],
)
def test_frames_follow_the_mode(mode: Mode, reads: int, writes: int, tmp_path: Path) -> None:
    shelf = DiskCache(tmp_path / "c")
    normal, other = BlobCache(shelf, Mode.NORMAL), BlobCache(shelf, mode)
    normal.put("a", b"1")
    assert (other.get("a") is not None) == bool(reads)
    other.put("b", b"2")
    assert (normal.get("b") is not None) == bool(writes)


def test_no_key_on_the_disk_tells_what_it_was_for(tmp_path: Path, client: Make) -> None:
    http = client(answering)
    http.get("https://ci.example/secretpath?bewit=TOPSECRET", policy=CachePolicy.immutable())
    http.blob_cache().put("SECRETKEY?X-Amz-Signature=TOPSECRET", b"v")  # type: ignore[union-attr]
    http.close()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file())
    for secret in (b"TOPSECRET", b"SECRETKEY", b"bewit", b"secretpath", b"ci.example"):
        assert secret not in stored


def test_without_a_directory_nothing_is_kept(client: Make) -> None:
    http = client(answering, cache_dir=None)
    assert http.blob_cache() is None and http.cache_note == ""
    assert http.get(URL, policy=CachePolicy.immutable()).body == b"fresh"
