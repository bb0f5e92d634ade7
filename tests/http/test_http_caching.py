"""When a stored answer is given, when the server is asked, and what is told about it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backends.errors import UsageError
from backends.http import CachePolicy, Http, Identity, Mode, errors
from backends.http.cache import cache_summary
from backends.http.httpx_loader import httpx
from backends.http.response import Response, ResponseSource

Make = Callable[..., Http]
URL = "https://ci.example/api/x"


class Server:
    """Gives its version with an ETag; can be down, and counts."""

    def __init__(self) -> None:
        self.version = 1
        self.down: Exception | int | None = None
        self.requests: list[httpx.Request] = []
        self.headers: dict[str, str] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if isinstance(self.down, Exception):
            raise self.down
        if self.down is not None:
            return httpx.Response(self.down, content=b'{"message": "sorry"}')
        etag = f'"{self.version}"'
        if request.headers.get("if-none-match") == etag:
            return httpx.Response(304, headers={"etag": etag})
        body = json.dumps({"version": self.version, "path": request.url.path}).encode()
        return httpx.Response(200, content=body, headers={"etag": etag, **self.headers})


@pytest.fixture
def server() -> Server:
    return Server()


def test_what_cannot_change_is_fetched_once_in_a_life(server: Server, client: Make, clock: Any) -> None:
    first = client(server).get(URL, policy=CachePolicy.immutable())
    clock.now += 1e9
    again = client(server).get(URL, policy=CachePolicy.immutable())  # another session
    assert (again.body, again.url, again.status) == (first.body, first.url, 200)
    assert again.freshness.source is ResponseSource.CACHE and again.freshness.age == 1e9
    assert len(server.requests) == 1


def test_a_short_life_ends(server: Server, client: Make, clock: Any) -> None:
    http = client(server)
    http.get(URL, policy=CachePolicy.short(30))
    clock.now += 29
    assert http.get(URL, policy=CachePolicy.short(30)).freshness.source is ResponseSource.CACHE
    clock.now += 1
    server.version = 2
    answer = http.get(URL, policy=CachePolicy.short(30))
    assert b'"version": 2' in answer.body and answer.freshness.source is ResponseSource.NETWORK


def test_what_was_stored_while_it_ran_does_not_hold_for_ever_once_it_is_resolved(
    server: Server, client: Make, clock: Any
) -> None:
    http = client(server)
    http.get(URL, policy=CachePolicy.short(30))
    clock.now += 31
    server.version = 2
    assert b'"version": 2' in http.get(URL, policy=CachePolicy.immutable()).body


def test_a_reader_in_more_of_a_hurry_than_the_writer_asks_again(server: Server, client: Make, clock: Any) -> None:
    http = client(server)
    http.get(URL, policy=CachePolicy.immutable())
    clock.now += 10
    assert http.get(URL, policy=CachePolicy.short(5)).freshness.source is ResponseSource.REVALIDATED


def test_an_unchanged_body_is_not_sent_again(server: Server, client: Make, clock: Any) -> None:
    http = client(server)
    first = http.get(URL, policy=CachePolicy.short(0))
    clock.now += 100
    again = http.get(URL, policy=CachePolicy.short(0))
    assert again.body == first.body and again.status == 200
    assert again.freshness.source is ResponseSource.REVALIDATED and again.freshness.age == 0
    assert server.requests[1].headers["if-none-match"] == '"1"'
    server.version = 2
    assert http.get(URL, policy=CachePolicy.short(0)).freshness.source is ResponseSource.NETWORK
    server.down = 503
    stale = http.get(URL, policy=CachePolicy.short(0))
    assert stale.freshness.source is ResponseSource.STALE and b'"version": 2' in stale.body


def test_a_date_serves_where_there_is_no_etag(client: Make) -> None:
    seen: list[str | None] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("if-modified-since"))
        return httpx.Response(304 if seen[-1] else 200, headers={"last-modified": "Sat, 21 Nov 2026 22:00:00 GMT"})

    http = client(handler)
    http.get(URL, policy=CachePolicy.short(0))
    assert http.get(URL, policy=CachePolicy.short(0)).freshness.source is ResponseSource.REVALIDATED
    assert seen == [None, "Sat, 21 Nov 2026 22:00:00 GMT"]


@pytest.mark.parametrize("down", [500, 503, 429, httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.ReadError("x")])
def test_when_the_server_fails_the_last_known_answer_is_shown_with_its_age(
    down: Any, server: Server, client: Make, clock: Any
) -> None:
    http = client(server)
    http.get(URL, policy=CachePolicy.short(30))
    clock.now += 3600
    server.down = down
    answer = http.get(URL, policy=CachePolicy.short(30))
    assert b'"version": 1' in answer.body
    assert answer.freshness.source is ResponseSource.STALE and answer.freshness.age == 3600
    assert "ci.example" in answer.freshness.reason
    assert len(server.requests) == 3, "two tries are enough when there is something to show"


@pytest.mark.parametrize("down", [404, 403, 410])
def test_a_server_that_says_no_is_not_hidden_behind_an_old_answer(down: int, server: Server, client: Make) -> None:
    http = client(server)
    http.get(URL, policy=CachePolicy.short(0))
    server.down = down
    with pytest.raises(errors.HttpError):
        http.get(URL, policy=CachePolicy.short(0))


def test_who_wants_no_stale_answer_gets_the_error(server: Server, client: Make) -> None:
    http = client(server)
    http.get(URL, policy=CachePolicy(ttl=0, stale_if_error=False))
    server.down = 503
    with pytest.raises(errors.ServerError):
        http.get(URL, policy=CachePolicy(ttl=0, stale_if_error=False))


def test_offline_shows_what_there_is_however_old(server: Server, client: Make, clock: Any) -> None:
    client(server).get(URL, policy=CachePolicy.short(30))
    client(server).get(f"{URL}/fixed", policy=CachePolicy.immutable())
    clock.now += 1e7
    http = client(server, mode=Mode.OFFLINE)
    old, fixed = http.get(URL, policy=CachePolicy.short(30)), http.get(f"{URL}/fixed", policy=CachePolicy.immutable())
    assert (old.freshness.source, old.freshness.age, old.freshness.reason) == (ResponseSource.STALE, 1e7, "offline")
    assert fixed.freshness.source is ResponseSource.CACHE
    assert http.json(URL, policy=lambda answer: CachePolicy.never())[0]["version"] == 1
    assert len(server.requests) == 2
    with pytest.raises(errors.OfflineError):
        http.get(f"{URL}/unseen", policy=CachePolicy.immutable())


def test_refresh_asks_even_for_what_cannot_change_and_stores_it(server: Server, client: Make) -> None:
    http = client(server)
    http.get(URL, policy=CachePolicy.immutable())
    server.version = 2
    fresh = http.with_mode(Mode.REFRESH)
    assert b'"version": 2' in fresh.get(URL, policy=CachePolicy.immutable()).body
    assert "if-none-match" not in server.requests[-1].headers
    assert b'"version": 2' in http.get(URL, policy=CachePolicy.immutable()).body
    assert len(server.requests) == 2 and http.mode is Mode.NORMAL
    server.down = 503
    with pytest.raises(errors.ServerError):
        fresh.get(URL, policy=CachePolicy.immutable())


def test_no_cache_neither_reads_nor_writes(server: Server, client: Make) -> None:
    client(server).get(URL, policy=CachePolicy.immutable())
    server.version = 2
    http = client(server, mode=Mode.NO_CACHE)
    assert b'"version": 2' in http.get(URL, policy=CachePolicy.immutable()).body
    assert b'"version": 1' in client(server).get(URL, policy=CachePolicy.immutable()).body


def test_the_answer_itself_may_say_how_long_it_holds(server: Server, client: Make, clock: Any) -> None:
    def policy(answer: Response) -> CachePolicy:
        return CachePolicy.immutable() if json.loads(answer.body)["version"] > 1 else CachePolicy.short(10)

    http = client(server)
    http.get(URL, policy=policy)
    assert http.get(URL, policy=policy).freshness.source is ResponseSource.CACHE
    clock.now += 11
    assert http.get(URL, policy=policy).freshness.source is ResponseSource.REVALIDATED
    server.version = 2
    clock.now += 11
    assert http.get(URL, policy=policy).freshness.source is ResponseSource.NETWORK
    clock.now += 1e9
    assert http.get(URL, policy=policy).freshness.source is ResponseSource.CACHE
    assert len(server.requests) == 3


def test_an_answer_not_worth_keeping_leaves_the_last_good_one(server: Server, client: Make, clock: Any) -> None:
    http = client(server)
    http.get(URL, policy=CachePolicy.short(10))
    clock.now += 11
    server.version = 2  # say, a login page with status 200
    http.get(URL, policy=lambda answer: CachePolicy.never())
    server.down = httpx.ConnectError("x")
    assert b'"version": 1' in http.get(URL, policy=CachePolicy.short(10)).body


@pytest.mark.parametrize("status", [201, 203, 204, 206])
def test_only_a_plain_200_is_kept(status: int, tmp_path: Path, client: Make) -> None:
    client(lambda request: httpx.Response(status, content=b"1")).get(URL, policy=CachePolicy.immutable())
    assert cache_summary(tmp_path / "cache")[0] == 0


def test_a_body_that_ended_early_leaves_nothing_behind(tmp_path: Path, client: Make, serve: Any, say: Any) -> None:
    def talk(connection: Any, head: bytes) -> None:
        connection.sendall(say(b"x" * 100)[:-1])
        connection.close()

    with pytest.raises(errors.IncompleteBodyError):
        client(tries=2).get(f"{serve(talk).url}/x", policy=CachePolicy.immutable())
    assert cache_summary(tmp_path / "cache")[0] == 0


def test_the_body_stays_packed_on_the_disk_and_comes_back_whole(tmp_path: Path, client: Make) -> None:
    body = json.dumps([{"taskId": "x" * 22, "state": "completed"}] * 20_000).encode()
    packed = gzip.compress(body)

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=iter([packed]), headers={"content-encoding": "gzip"})

    http = client(handler)
    first, again = (http.get(URL, policy=CachePolicy.immutable()) for _ in range(2))
    assert first.body == again.body == body and again.freshness.source is ResponseSource.CACHE
    assert "content-encoding" not in first.headers and "content-encoding" not in again.headers
    assert cache_summary(tmp_path / "cache")[1] < 200_000
    with pytest.raises(errors.ResponseTooLargeError):
        http.get(URL, policy=CachePolicy.immutable(), cap=1_000_000)


def test_cookies_and_signed_targets_are_not_kept(tmp_path: Path, server: Server, client: Make) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == "ci.example":
            return httpx.Response(
                303, headers={"location": "https://cdn.example/f?Signature=SIGNED", "set-cookie": "c=C1"}
            )
        headers = {
            "set-cookie": "session=COOKIE",
            "content-location": "https://cdn.example/f?Signature=SIGNED",
            "authorization": "AUTH",
            "x-goog-generation": "17",
            "link": "<next>",
        }
        return httpx.Response(200, content=b"body", headers=headers)

    me = Identity("https://ci.example", "me", lambda method, url: {"authorization": "AUTH"})
    http = client(handler, identities=[me])
    http.get(URL, policy=CachePolicy.immutable())
    answer = http.get(URL, policy=CachePolicy.immutable())
    assert answer.freshness.source is ResponseSource.CACHE
    assert dict(answer.headers) == {"x-goog-generation": "17", "link": "<next>"}
    http.close()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert b"body" in stored
    for secret in (b"COOKIE", b"SIGNED", b"AUTH", b"C1", b"cdn.example"):
        assert secret not in stored


def test_what_one_may_see_is_not_shown_to_another(server: Server, client: Make) -> None:
    def as_whom(scope: str, token: str) -> list[Identity]:
        return [Identity("https://ci.example", scope, lambda method, url: {"authorization": token})]

    client(server, identities=as_whom("alice", "t1")).get(URL, policy=CachePolicy.immutable())
    client(server, identities=as_whom("alice", "t2")).get(URL, policy=CachePolicy.immutable())
    assert len(server.requests) == 1, "a new token of the same client is the same reader"
    client(server, identities=as_whom("bob", "t3")).get(URL, policy=CachePolicy.immutable())
    client(server).get(URL, policy=CachePolicy.immutable())
    assert len(server.requests) == 3


def test_another_accept_is_another_answer(server: Server, client: Make) -> None:
    http = client(server)
    http.get(URL, policy=CachePolicy.immutable())
    http.get(URL, policy=CachePolicy.immutable(), accept="text/html")
    assert len(server.requests) == 2


def test_a_clock_set_back_does_not_make_old_answers_young(server: Server, client: Make, clock: Any) -> None:
    http = client(server)
    http.get(URL, policy=CachePolicy.short(30))
    clock.now -= 86_400
    assert http.get(URL, policy=CachePolicy.short(30)).freshness.source is ResponseSource.REVALIDATED


def test_a_stored_body_that_cannot_be_unpacked_is_fetched_again(server: Server, client: Make, tmp_path: Path) -> None:
    http = client(server)
    http.get(URL, policy=CachePolicy.immutable())
    shelf = http._shelf
    assert shelf is not None
    from backends.http.caching import CacheEntry, key_of

    key = key_of("GET", URL, "application/json", "")
    entry = CacheEntry.from_row(shelf.get(key))
    assert entry is not None
    spoiled = CacheEntry(entry.headers, "gzip", b"\x1f\x8bnot gzip", entry.validated_at, entry.until)
    shelf.put(key, spoiled.packed())
    assert b'"version": 1' in http.get(URL, policy=CachePolicy.immutable()).body
    assert "if-none-match" not in server.requests[-1].headers
    assert b'"version": 1' in http.get(URL, policy=CachePolicy.immutable()).body
    for account in ({}, {"headers": 3, "encoding": "", "until": None}, {"headers": {}, "encoding": "", "until": "x"}):
        from backends.http.cache import pack

        shelf.put(key, pack(b"x", 1.0, account))
        assert b'"version": 1' in http.get(URL, policy=CachePolicy.immutable()).body


def test_an_etag_of_any_bytes_does_no_harm(client: Make, serve: Any) -> None:
    reply = b'HTTP/1.1 200 OK\r\netag: "\xc3\xa9\xff\xf0\x9f\x92\xa5"\r\ncontent-length: 1\r\n\r\nx'
    server = serve(lambda connection, head: connection.sendall(reply))
    http = client()
    for _ in range(2):
        assert http.get(f"{server.url}/x", policy=CachePolicy.short(0)).body == b"x"
    assert b"if-none-match: " in server.heads[1]


def test_an_identity_for_a_place_that_must_not_be_asked_is_the_users_mistake(client: Make) -> None:
    with pytest.raises(UsageError):
        client(Server(), identities=[Identity("http://ci.example", "me", lambda method, url: {})])
