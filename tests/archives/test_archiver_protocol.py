"""The Archiver's protocol from both ends: our server on a real hgweb, and a server that answers as the original did."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from backends.archives.client import PATIENCE, ArchiverClient, TaskFailedError
from backends.archives.fetch import ProgressReport
from backends.archives.server import ArchiverServer
from backends.archives.spec import ArchiveRequest, bucket_key, task_id
from backends.cancel import CancelToken
from backends.errors import AppError
from backends.http.errors import HttpError, UnexpectedResponseError
from tests.archives.conftest import EngineFactory, EngineUnderTest
from tests.archives.mercurial_server import Hgweb
from tests.archives.original import TASK, Original, original, state
from tests.archives.storage import Storage
from tests.archives.test_archive_buckets import EAST, WEST, mirror

ASH = "projects/ash"


def client(made: EngineUnderTest, url: str) -> ArchiverClient:
    return ArchiverClient(url, made.engine, pause=lambda seconds, cancel: made.waits.append(seconds))


def ended(server: ArchiverServer, answer: httpx.Response) -> dict[str, object]:
    """What the task says when it has ended."""
    assert answer.status_code == 202 and answer.json()["result"] == {}
    for _ in range(3000):
        told: dict[str, object] = httpx.get(answer.headers["location"]).json()["result"]
        assert set(told) == {"state", "status", "src_url", "s3_urls"}
        if told["state"] in ("SUCCESS", "FAILURE"):
            return told
        threading.Event().wait(0.01)
    raise AssertionError(told)


@pytest.fixture
def server(zip_only: Hgweb, bench: EngineFactory) -> Iterator[ArchiverServer]:
    with ArchiverServer(bench(zip_only.url, cache="server").engine) as running:
        yield running


def test_the_documented_example_has_the_documented_names() -> None:
    key = bucket_key("projects/ash", "42bf8560b395", "tar.gz", "testing/mozharness")
    assert key == "projects/ash-42bf8560b395.tar.gz/testing/mozharness"
    assert task_id(key) == "projects_ash-42bf8560b395.tar.gz_testing_mozharness"


def test_202_then_success_then_302_then_the_bytes(server: ArchiverServer, zip_only: Hgweb) -> None:
    rev = zip_only.repositories.first[:12]
    asked = f"{server.url}/archiver/hgmo/{ASH}/{rev}?subdir=testing/mozharness&preferred_region=us-west-2"
    first = httpx.get(asked, headers={"accept": "application/json"})
    assert first.headers["location"] == f"{server.url}/archiver/status/projects_ash-{rev}.tar.gz_testing_mozharness"
    told = ended(server, first)
    assert told["state"] == "SUCCESS" and "Repacked from zip" in str(told["status"])
    urls = told["s3_urls"]
    assert isinstance(urls, dict) and list(urls) == ["local"]
    second = httpx.get(asked)
    assert second.status_code == 302 and second.headers["location"] == urls["local"]
    file = httpx.get(urls["local"])
    assert file.content[:2] == b"\x1f\x8b" and f"ash-{rev}" in file.headers["content-disposition"]


@pytest.mark.parametrize("path", [f"{ASH}/deadbeefdead", "nosuch/tip", f"{ASH}/tip?subdir=no/such"])
def test_what_cannot_be_made_is_a_failure_with_a_sentence(server: ArchiverServer, path: str) -> None:
    told = ended(server, httpx.get(f"{server.url}/archiver/hgmo/{path}"))
    assert told["state"] == "FAILURE" and told["s3_urls"] == {} and " has no" in f" {told['status']}"


@pytest.mark.parametrize("path", [f"{ASH}/tip?suffix=rar", "a/%2E%2E/b/tip", "tip"])
def test_what_cannot_be_asked_is_an_error_in_json(server: ArchiverServer, path: str) -> None:
    answer = httpx.get(f"{server.url}/archiver/hgmo/{path}")
    assert answer.status_code == 400 and set(answer.json()["error"]) == {"code", "name", "description"}


def test_an_unknown_task_is_pending_and_an_unknown_place_is_404(server: ArchiverServer) -> None:
    told = httpx.get(f"{server.url}/archiver/status/nosuch").json()["result"]
    assert told["state"] == "PENDING" and told["s3_urls"] == {}
    assert httpx.get(f"{server.url}/elsewhere").json()["error"]["code"] == 404
    assert httpx.get(f"{server.url}/archiver/files/{'0' * 64}.zip").status_code == 404


def test_a_name_that_leads_to_us_from_a_web_page_is_refused(server: ArchiverServer) -> None:
    answer = httpx.get(f"{server.url}/archiver/status/x", headers={"host": "rebound.example"})
    assert answer.status_code == 400


def test_a_revision_with_a_slash_is_asked_for_encoded(server: ArchiverServer, zip_only: Hgweb) -> None:
    answer = httpx.get(f"{server.url}/archiver/hgmo/{ASH}/feature%2Flong-branch-name?suffix=zip")
    told = ended(server, answer)
    assert told["state"] == "SUCCESS" and zip_only.repositories.second[:12] in str(told["src_url"])


def test_many_requests_for_one_archive_are_one_task(server: ArchiverServer, zip_only: Hgweb) -> None:
    before = zip_only.archives("zip")
    asked = f"{server.url}/archiver/hgmo/{ASH}/tip?suffix=zip"
    answers = [httpx.get(asked) for _ in range(8)]
    assert {answer.headers["location"] for answer in answers if answer.status_code == 202} <= {
        f"{server.url}/archiver/status/projects_ash-tip.zip"
    }
    ended(server, answers[0])
    assert zip_only.archives("zip") == before + 1


def test_two_archives_whose_names_differ_by_a_slash_have_two_tasks(server: ArchiverServer) -> None:
    one = httpx.get(f"{server.url}/archiver/hgmo/a_b/tip").headers["location"]
    other = httpx.get(f"{server.url}/archiver/hgmo/a/b/tip").headers["location"]
    assert one != other


def test_our_client_fetches_from_our_server(server: ArchiverServer, zip_only: Hgweb, bench: EngineFactory) -> None:
    made = bench(zip_only.url)
    got = client(made, server.url).get(
        ArchiveRequest(ASH, "REL_1", "testing", "tar.bz2"), CancelToken(), made.reports.append
    )
    assert got.fetched and got.archive.record.node == zip_only.repositories.first
    assert made.states[0] == "PENDING" and made.states[-1] == "SUCCESS"
    assert not client(made, server.url).get(ArchiveRequest(ASH, "REL_1", "testing", "tar.bz2"), CancelToken()).fetched


def test_with_buckets_the_redirect_is_signed_and_of_the_preferred_region(
    zip_only: Hgweb, storage: Storage, bench: EngineFactory
) -> None:
    for name in ("serve-east", "serve-west"):
        storage.bucket(name)
    place = mirror(storage, zip_only, east="serve-east", west="serve-west")
    with ArchiverServer(bench(zip_only.url, cache="server", mirror=place).engine) as running:
        asked = f"{running.url}/archiver/hgmo/{ASH}/tip?suffix=zip&preferred_region={WEST}"
        told = ended(running, httpx.get(asked))
        urls = told["s3_urls"]
        assert isinstance(urls, dict) and set(urls) == {EAST, WEST}
        location = httpx.get(asked).headers["location"]
        assert "/serve-west/" in location and "X-Amz-Signature" in location
        made = bench(zip_only.url)
        got = client(made, running.url).get(ArchiveRequest(ASH, "tip"), CancelToken(), made.reports.append, WEST)
        kept = got.archive.path.with_suffix(".json").read_text() + "".join(map(str, made.reports))
        assert "X-Amz" not in kept, "a signed URL was stored or reported"


def test_a_server_that_can_copy_to_no_bucket_does_not_call_that_a_success(
    zip_only: Hgweb, storage: Storage, bench: EngineFactory
) -> None:
    place = mirror(storage, zip_only, east="nosuchbucket", west="nosuchbucket")
    with ArchiverServer(bench(zip_only.url, cache="server", mirror=place).engine) as running:
        told = ended(running, httpx.get(f"{running.url}/archiver/hgmo/{ASH}/tip"))
    assert told["state"] == "FAILURE" and "NoSuchBucket" in str(told["status"])


# From here on the server is one that answers as the original did.


@pytest.fixture
def old() -> Iterator[Original]:
    with original() as server:
        yield server


@pytest.fixture(scope="module")
def content(hgweb: Hgweb) -> bytes:
    """The archive of the newest revision, as the hgweb provides it."""
    return httpx.get(f"{hgweb.url}/{ASH}/archive/{hgweb.repositories.second[:12]}.zip").content


def fetch(made: EngineUnderTest, old: Original, region: str = "") -> bytes:
    got = client(made, old.url).get(ArchiveRequest(ASH, "tip"), CancelToken(), made.reports.append, region)
    return bytes(got.archive.path.read_bytes())


def test_json_is_asked_for_and_the_revision_is_resolved_before(
    old: Original, hgweb: Hgweb, bench: EngineFactory, content: bytes
) -> None:
    old.first, old.files = [f"{old.url}/s3/x?Signature=s"], {"/s3/x": content}
    assert fetch(bench(hgweb.url), old, WEST) == content
    path, accept = old.asked[0]
    assert accept == "application/json"
    rev = hgweb.repositories.second[:12]
    assert path == f"/archiver/hgmo/{ASH}/{rev}?suffix=zip&preferred_region={WEST}"


def test_a_task_is_polled_until_it_ends_and_the_preferred_region_is_taken(
    old: Original, hgweb: Hgweb, bench: EngineFactory, content: bytes
) -> None:
    old.states = [
        state("PENDING"), state("STARTED"), state("RETRY", "Task has expired from pending for too long."),
        state("PROGRESS", "Downloading archive from hg.m.o"),
        state("SUCCESS", "Task completed!", **{EAST: f"{old.url}/s3/east?Signature=s", WEST: f"{old.url}/s3/west"}),
    ]  # fmt: skip
    old.files = {"/s3/east": b"other", "/s3/west": content}
    made = bench(hgweb.url)
    assert fetch(made, old, WEST) == content
    assert len(made.waits) == 4 and made.waits[3] > made.waits[0]
    assert any("Downloading archive from hg.m.o" in report.sentence for report in made.reports)


def test_success_without_anything_to_fetch_is_a_failure(old: Original, hgweb: Hgweb, bench: EngineFactory) -> None:
    old.states = [state("SUCCESS", "Could not get a valid response from src_url. Does x exist?")]
    with pytest.raises(TaskFailedError, match="Could not get a valid response"):
        fetch(bench(hgweb.url), old)


@pytest.mark.parametrize("name", ["FAILURE", "REVOKED"])
def test_a_task_that_failed_says_so_in_the_server_s_words(
    old: Original, hgweb: Hgweb, bench: EngineFactory, name: str
) -> None:
    old.states = [state(name, "{u'exc_message': u'fp is at EOF'}")]
    with pytest.raises(TaskFailedError, match="fp is at EOF"):
        fetch(bench(hgweb.url), old)


def test_a_signed_address_that_has_expired_is_asked_for_anew(
    old: Original, hgweb: Hgweb, bench: EngineFactory, content: bytes
) -> None:
    old.states = [state("SUCCESS", "done", **{EAST: f"{old.url}/s3/dead?Signature=s"})]
    old.first, old.files = ["202", f"{old.url}/s3/fresh?Signature=s"], {"/s3/fresh": content}
    assert fetch(bench(hgweb.url), old) == content


def test_the_status_is_asked_of_the_server_that_we_know(
    old: Original, hgweb: Hgweb, bench: EngineFactory, content: bytes
) -> None:
    """Behind a proxy the original names its inner address."""
    old.location = f"http://archiver.internal:8010/archiver/status/{TASK}"
    old.states = [state("SUCCESS", "done", **{EAST: f"{old.url}/s3/x"})]
    old.files = {"/s3/x": content}
    assert fetch(bench(hgweb.url), old) == content


def test_a_task_that_is_pending_for_ever_is_given_up(old: Original, hgweb: Hgweb, bench: EngineFactory) -> None:
    old.states = [state("PENDING")]
    made, clock = bench(hgweb.url), [0.0]
    asking = ArchiverClient(
        old.url, made.engine, pause=lambda seconds, cancel: clock.append(clock[-1] + seconds), clock=lambda: clock[-1]
    )
    with pytest.raises(TaskFailedError, match="still PENDING after 65 minutes"):
        asking.get(ArchiveRequest(ASH, "tip"), CancelToken())
    assert PATIENCE < clock[-1] < PATIENCE + 30 and len(clock) < 300


def asked_first(old: Original) -> int:
    return sum(path.startswith("/archiver/hgmo/") for path, _ in old.asked)


def timed(made: EngineUnderTest, old: Original) -> tuple[ArchiverClient, list[float]]:
    """A client whose waits pass at once, and the moments that they led to."""
    clock = [0.0]
    asking = ArchiverClient(
        old.url, made.engine, pause=lambda seconds, cancel: clock.append(clock[-1] + seconds), clock=lambda: clock[-1]
    )
    return asking, clock


def test_a_task_that_is_pending_for_more_than_a_minute_is_asked_for_again(
    old: Original, hgweb: Hgweb, bench: EngineFactory, content: bytes
) -> None:
    """A server that was restarted knows no task, and says PENDING for ever."""
    old.first, old.states = ["202", f"{old.url}/s3/x"], [state("PENDING")]
    old.files = {"/s3/x": content}
    asking, clock = timed(bench(hgweb.url), old)
    got = asking.get(ArchiveRequest(ASH, "tip"), CancelToken())
    assert got.archive.path.read_bytes() == content
    assert 60 <= clock[-1] < 100 and asked_first(old) == 3, "asked, asked again, fetched"


def test_a_task_that_is_pending_after_it_had_started_is_asked_for_again_at_once(
    old: Original, hgweb: Hgweb, bench: EngineFactory, content: bytes
) -> None:
    old.first, old.states = ["202", f"{old.url}/s3/x"], [state("STARTED"), state("PENDING")]
    old.files = {"/s3/x": content}
    asking, clock = timed(bench(hgweb.url), old)
    assert asking.get(ArchiveRequest(ASH, "tip"), CancelToken()).archive.path.read_bytes() == content
    assert clock[-1] < 10


@pytest.mark.parametrize("away", [1, 12])
def test_a_server_that_is_away_for_minutes_is_waited_for(
    old: Original, hgweb: Hgweb, bench: EngineFactory, content: bytes, away: int
) -> None:
    old.states = [state("STARTED"), *[state("away")] * away, state("SUCCESS", "done", **{EAST: f"{old.url}/s3/x"})]
    old.files = {"/s3/x": content}
    made = bench(hgweb.url)
    asking, clock = timed(made, old)
    reports = list[ProgressReport]()
    assert asking.get(ArchiveRequest(ASH, "tip"), CancelToken(), reports.append).archive.path.read_bytes() == content
    assert sum(report.state == "RETRY" for report in reports) == away
    assert clock[-1] < 200


def test_a_server_that_does_not_come_back_is_given_up_after_five_minutes(
    old: Original, hgweb: Hgweb, bench: EngineFactory
) -> None:
    old.states = [state("STARTED"), state("away")]
    asking, clock = timed(bench(hgweb.url), old)
    with pytest.raises(HttpError) as raised:
        asking.get(ArchiveRequest(ASH, "tip"), CancelToken())
    assert raised.value.exit_code == 3 and 300 < clock[-1] < 330


def test_a_server_that_was_never_there_is_said_at_once(old: Original, hgweb: Hgweb, bench: EngineFactory) -> None:
    old.first = ["away"]
    asking, clock = timed(bench(hgweb.url), old)
    with pytest.raises(HttpError):
        asking.get(ArchiveRequest(ASH, "tip"), CancelToken())
    assert clock == [0.0]


def test_an_archive_that_is_gone_when_it_is_fetched_is_made_again(
    old: Original, hgweb: Hgweb, bench: EngineFactory, content: bytes
) -> None:
    old.first = ["202", "202"]
    old.states = [
        state("SUCCESS", "done", **{EAST: f"{old.url}/s3/gone"}), state("STARTED"),
        state("SUCCESS", "done", **{EAST: f"{old.url}/s3/x"}),
    ]  # fmt: skip
    old.files = {"/s3/x": content}
    asking, _ = timed(bench(hgweb.url), old)
    assert asking.get(ArchiveRequest(ASH, "tip"), CancelToken()).archive.path.read_bytes() == content


def test_a_full_revision_is_asked_of_an_archiver_although_the_hgweb_is_away(
    old: Original, hgweb: Hgweb, bench: EngineFactory, content: bytes
) -> None:
    old.first, old.files = [f"{old.url}/s3/x"], {"/s3/x": content}
    made = bench("http://127.0.0.1:9")
    got = client(made, old.url).get(ArchiveRequest(ASH, hgweb.repositories.second), CancelToken())
    assert got.archive.record.confirmed and got.archive.path.read_bytes() == content
    with pytest.raises(HttpError, match=r"127\.0\.0\.1:9"):
        client(made, old.url).get(ArchiveRequest(ASH, "tip"), CancelToken())


def test_an_archive_that_can_never_be_fetched_is_a_failure(old: Original, hgweb: Hgweb, bench: EngineFactory) -> None:
    old.states = [state("SUCCESS", "done", **{EAST: f"{old.url}/s3/gone"})]
    asking, clock = timed(bench(hgweb.url), old)
    with pytest.raises(HttpError) as raised:
        asking.get(ArchiveRequest(ASH, "tip"), CancelToken())
    assert raised.value.status == 403 and asked_first(old) == 2 and clock == [0.0]


@pytest.mark.parametrize("came", ["tar", "zip", "tar.bz2"])
def test_an_archive_of_another_kind_than_was_asked_for_is_not_kept(
    old: Original, hgweb: Hgweb, bench: EngineFactory, tmp_path: Path, came: str
) -> None:
    made = bench(hgweb.url, cache="other")
    packed = made.get(ASH, "tip", suffix="tar.gz").archive.path.read_bytes()
    other = made.get(ASH, "tip", suffix=came).archive.path.read_bytes() if came != "tar" else gzip.decompress(packed)
    old.first, old.files = [f"{old.url}/s3/x"], {"/s3/x": other}
    made = bench(hgweb.url)
    with pytest.raises(AppError, match=f"it is a {came}, not a tar.gz"):
        client(made, old.url).get(ArchiveRequest(ASH, "tip", suffix="tar.gz"), CancelToken())
    assert made.engine.store.all() == []


def test_a_broken_archive_from_a_bucket_is_not_kept(old: Original, hgweb: Hgweb, bench: EngineFactory) -> None:
    old.first, old.files = [f"{old.url}/s3/x"], {"/s3/x": b"PK\x03\x04 and no more"}
    made = bench(hgweb.url)
    with pytest.raises(AppError, match="damaged"):
        fetch(made, old)
    assert made.engine.store.all() == []


def test_a_server_that_is_no_archiver_is_named(hgweb: Hgweb, bench: EngineFactory, old: Original) -> None:
    old.states = []
    with pytest.raises(UnexpectedResponseError, match="is not an Archiver server"):
        client(bench(hgweb.url), hgweb.url).get(ArchiveRequest(ASH, "tip"), CancelToken())


def test_reports_never_hold_a_signature(old: Original, hgweb: Hgweb, bench: EngineFactory, content: bytes) -> None:
    old.states = [state("STARTED", f"see {old.url}/x?Signature=topsecret&AWSAccessKeyId=k"),
                  state("SUCCESS", "done", **{EAST: f"{old.url}/s3/x?Signature=topsecret"})]  # fmt: skip
    old.files = {"/s3/x": content}
    made = bench(hgweb.url)
    fetch(made, old)
    told = "".join(str(report) for report in made.reports if isinstance(report, ProgressReport))
    assert "topsecret" not in told
