"""What is sent, how often, and what becomes of answers that are too big, broken or somebody else's."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backends import __version__
from backends.cancel import CancelToken
from backends.errors import OperationCancelledError, UsageError
from backends.http import CachePolicy, Http, Mode, errors
from backends.http.cache import cache_summary
from backends.http.httpx_loader import httpx
from backends.http.response import ResponseSource
from backends.http.waits import Waits

Make = Callable[..., Http]
URL = "https://ci.example/api/x"
NEVER = CachePolicy.never()


class Script:
    """Answers one after the other; an exception is raised; the last one stays."""

    def __init__(self, *steps: httpx.Response | Exception | Callable[[], httpx.Response]) -> None:
        self.steps = list(steps)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step() if callable(step) else step


def ok(body: bytes = b"{}", **headers: str) -> Callable[[], httpx.Response]:
    # An iterator, because httpx itself decodes what it is given as bytes.
    return lambda: httpx.Response(
        200, content=iter([body]), headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


def status(code: int, body: bytes = b"", **headers: str) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(code, content=body, headers={k.replace("_", "-"): v for k, v in headers.items()})


def test_a_server_can_tell_who_asks_and_what_it_may_send(client: Make) -> None:
    script = Script(ok())
    client(script).get(URL, policy=NEVER, params={"limit": 1000, "token": "a b"})
    request = script.requests[0]
    assert request.headers["user-agent"] == f"ciexplore/{__version__}"
    assert request.headers["accept"] == "application/json"
    assert request.headers["accept-encoding"].startswith("gzip")
    assert dict(request.url.params) == {"limit": "1000", "token": "a b"}
    assert set(request.extensions["timeout"]) == {"connect", "read", "write", "pool"}
    assert all(request.extensions["timeout"].values())


def test_headers_come_in_lower_case_and_without_cookies(client: Make) -> None:
    answer = client(Script(ok(b"{}", ETag='"1"', Set_Cookie="s=1", Link="<a>"))).get(URL, policy=NEVER)
    assert answer.headers["etag"] == '"1"' and answer.headers["link"] == "<a>"
    assert "set-cookie" not in answer.headers and answer.freshness.source is ResponseSource.NETWORK


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("x"),
        httpx.ConnectTimeout("x"),
        httpx.ReadTimeout("x"),
        httpx.RemoteProtocolError("x"),
        httpx.ReadError("x"),
        status(500),
        status(503),
        status(429),
    ],
)
def test_passing_trouble_is_not_shown_to_anybody(trouble: Any, client: Make) -> None:
    script = Script(trouble, trouble, ok(b"[1]"))
    assert client(script).get(URL, policy=NEVER).body == b"[1]"
    assert len(script.requests) == 3
    first, second = client.waits[-2:]  # type: ignore[attr-defined]
    assert 0 < first < 0.5 and first / 2 < second < 1.0


@pytest.mark.parametrize("code", [400, 401, 403, 404, 408, 410, 416, 424])
def test_an_answer_that_will_not_change_is_asked_for_once(code: int, client: Make) -> None:
    script = Script(status(code))
    with pytest.raises(errors.HttpError) as caught:
        client(script).get(URL, policy=NEVER)
    assert caught.value.status == code and len(script.requests) == 1


@pytest.mark.parametrize(
    ("trouble", "kind"), [(status(502), errors.ServerError), (httpx.ReadTimeout("x"), errors.RequestTimeoutError)]
)
def test_lasting_trouble_is_told_after_five_tries(trouble: Any, kind: type[Exception], client: Make) -> None:
    script = Script(trouble)
    with pytest.raises(kind):
        client(script).get(URL, policy=NEVER)
    assert len(script.requests) == 5


def test_retry_after_is_waited_for(client: Make) -> None:
    client(Script(status(429, retry_after="9"), ok())).get(URL, policy=NEVER)
    assert client.waits == [9.0]  # type: ignore[attr-defined]


def test_nobody_waits_an_hour_without_being_told(client: Make) -> None:
    script = Script(status(503, retry_after="3600"), ok())
    with pytest.raises(errors.ServerError) as caught:
        client(script).get(URL, policy=NEVER)
    assert caught.value.retry_after == 3600 and len(script.requests) == 1


@pytest.mark.parametrize("code", [429, 503])
def test_a_server_may_make_us_wait_two_minutes_and_not_a_second_more(code: int, client: Make) -> None:
    client(Script(status(code, retry_after="120"), ok())).get(URL, policy=NEVER)
    assert client.waits == [120.0]  # type: ignore[attr-defined]
    for seconds in ("121", "300", "1200"):
        script = Script(status(code, retry_after=seconds), ok())
        with pytest.raises(errors.HttpError) as caught:
            client(script).get(URL, policy=NEVER)
        assert len(script.requests) == 1 and client.waits == [120.0]  # type: ignore[attr-defined]
        assert caught.value.retry_after == int(seconds)
        assert f"{int(seconds):,} s" in caught.value.hint and "120 s" in caught.value.hint


def test_whoever_shows_progress_is_told_which_server_is_waited_for_and_why(client: Make) -> None:
    told: list[str] = []
    during: list[str] = []
    http = client(
        Script(status(429, retry_after="90"), status(503), ok()),
        pause=lambda seconds, cancel: during.append(http.waits.text()),
    )
    forget = http.with_mode(Mode.NO_CACHE).waits.subscribe(told.append)
    http.get(URL, policy=NEVER)
    assert told == ["waiting 90 s: ci.example asks for it (429)", ""], "half a second is not worth a word"
    assert during == ["waiting 90 s: ci.example asks for it (429)", ""]
    assert http.waits.text() == ""
    forget()
    client(Script(status(429, retry_after="90"), ok()), waits=http.waits).get(URL, policy=NEVER)
    assert len(told) == 2


def test_many_requests_that_wait_for_one_host_are_told_once_and_the_longest_wait_is_shown() -> None:
    told: list[str] = []
    now = [0.0]
    waits = Waits(clock=lambda: now[0])
    waits.subscribe(told.append)
    problem = errors.from_response("https://a/p", 429, {"retry-after": "60"}, b"")
    with waits.during("a", 60, problem), waits.during("a", 61, problem):
        with waits.during("b", 100, errors.from_response("https://b/p", 503, {}, b"")):
            assert told == ["waiting 60 s: a asks for it (429)", "waiting 100 s: b failed (503)"]
        now[0] = 20.0
        assert waits.text() == "waiting 41 s: a asks for it (429)"
    assert told[2:] == [""]


def test_a_signature_that_a_server_quotes_back_is_not_shown(client: Make) -> None:
    quoted = 'Hawk id="me", ts="1", nonce="n", mac="6R4rV5iE+NPoym+WwjeHzjAGXUtLNIxmo1vpMofpLAE="'
    for words in (quoted, "Bad mac=6R4rV5iE+NPoym+WwjeHzjAGXUtLNIxmo1vpMofpLAE= in it", 'mac: "6R4rV5iE+NPoym"'):
        script = Script(status(401, msgspec.json.encode({"message": f"Bad request: {words}"})))
        with pytest.raises(errors.AccessDeniedError) as caught:
            client(script).get(URL, policy=NEVER)
        assert "6R4rV5iE" not in str(caught.value) and "It says" in caught.value.sentence


def test_cancel_ends_the_wait_between_tries(client: Make) -> None:
    from backends.http.caching import pause

    cancel = CancelToken()
    script = Script(status(503, retry_after="100"))

    def cut(seconds: float, given: CancelToken | None) -> None:
        cancel.cancel()
        pause(seconds, given)

    with pytest.raises(OperationCancelledError):
        client(script, pause=cut).get(URL, policy=NEVER, cancel=cancel)
    assert len(script.requests) == 1


@pytest.mark.parametrize(("idempotent", "tries"), [(False, 1), (True, 5)])
def test_a_post_is_repeated_only_when_that_is_said_to_be_safe(idempotent: bool, tries: int, client: Make) -> None:
    script = Script(status(503))
    with pytest.raises(errors.ServerError):
        client(script).post(URL, b"{}", idempotent=idempotent)
    assert len(script.requests) == tries
    assert script.requests[0].method == "POST" and script.requests[0].content == b"{}"
    assert script.requests[0].headers["content-type"] == "application/json"


def test_a_post_is_never_repeated_at_another_address_nor_stored(client: Make) -> None:
    script = Script(status(307, location="https://other.example/"))
    with pytest.raises(errors.HttpError):
        client(script).post(URL, b"{}", idempotent=True)
    assert len(script.requests) == 1
    http = client(Script(ok(b"1"), ok(b"2")))
    assert [http.post(URL, b"").body, http.post(URL, b"").body] == [b"1", b"2"]


def endless(sent: list[int]) -> Iterator[bytes]:
    for _ in range(10_000):
        sent.append(65536)
        yield bytes(65536)


def test_a_body_without_an_end_is_dropped_at_the_cap(client: Make) -> None:
    sent: list[int] = []
    script = Script(lambda: httpx.Response(200, content=endless(sent)))
    with pytest.raises(errors.ResponseTooLargeError) as caught:
        client(script).get(URL, policy=NEVER, cap=1 << 20)
    assert sum(sent) <= (1 << 20) + 65536 and "1 MB" in caught.value.sentence
    assert len(script.requests) == 1, "too large stays too large"


def test_an_announced_length_above_the_cap_is_not_read_at_all(client: Make) -> None:
    sent: list[int] = []
    script = Script(lambda: httpx.Response(200, headers={"content-length": "655360000"}, content=endless(sent)))
    with pytest.raises(errors.ResponseTooLargeError):
        client(script).get(URL, policy=NEVER)
    assert not sent


def test_a_body_of_exactly_the_cap_is_given(client: Make) -> None:
    assert len(client(Script(ok(bytes(1000)))).get(URL, policy=NEVER, cap=1000).body) == 1000
    with pytest.raises(errors.ResponseTooLargeError):
        client(Script(ok(bytes(1001)))).get(URL, policy=NEVER, cap=1000)


def test_a_compressed_body_that_ends_early_is_tried_again_and_not_taken_for_whole(client: Make) -> None:
    packed = gzip.compress(b"[" + b"1," * 5000 + b"1]")
    script = Script(ok(packed[:-9], content_encoding="gzip"), ok(packed, content_encoding="gzip"))
    assert client(script).get(URL, policy=NEVER).body == gzip.decompress(packed)
    with pytest.raises(errors.IncompleteBodyError):
        client(Script(ok(packed[:-9], content_encoding="gzip"))).get(URL, policy=NEVER)


def test_a_body_that_the_server_itself_stores_cut_is_asked_for_twice_and_not_five_times(client: Make) -> None:
    script = Script(ok(gzip.compress(b"[1]")[:-9], content_encoding="gzip"))
    with pytest.raises(errors.IncompleteBodyError) as caught:
        client(script).get(URL, policy=NEVER)
    assert len(script.requests) == 2 and sum(client.waits) < 0.5  # type: ignore[attr-defined]
    assert "its end is missing" in caught.value.sentence


@pytest.mark.parametrize("encoding", ["gzip", "compress", "gzip, gzip, gzip", "zstd"])
def test_a_body_that_is_not_what_its_encoding_says_is_the_wrong_server(encoding: str, client: Make) -> None:
    with pytest.raises(errors.UnexpectedResponseError):
        client(Script(ok(b"plain text", content_encoding=encoding))).get(URL, policy=NEVER)


class Task(msgspec.Struct):
    taskId: str


def test_json_comes_decoded_as_what_was_asked_for(client: Make) -> None:
    http = client(Script(ok(b'{"taskId": "a", "more": 1}')))
    value, answer = http.json(URL, policy=NEVER, type=Task)
    assert value == Task("a") and answer.status == 200
    assert http.json(URL, policy=NEVER)[0] == {"taskId": "a", "more": 1}
    assert http.json(URL, policy=NEVER, type=dict[str, Any])[0]["more"] == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<!doctype html><title>Sign in</title>", "web page"),
        (b"\x00\x01garbage", "not JSON"),
        (b"", "not JSON"),
        (b'{"taskId": "a"', "not JSON"),
        (b'{"taskId": 3}', "another shape"),
        (b"[]", "another shape"),
        (b"[" * 100_000, "another shape"),
    ],
)
def test_what_is_no_json_of_that_shape_is_told_and_never_stored(
    body: bytes, words: str, client: Make, tmp_path: Path
) -> None:
    script = Script(ok(body), ok(b'{"taskId": "a"}'))
    http = client(script)
    with pytest.raises(errors.UnexpectedResponseError) as caught:
        http.json(URL, policy=CachePolicy.immutable(), type=Task)
    assert words in caught.value.sentence
    assert cache_summary(tmp_path / "cache")[0] == 0
    assert http.json(URL, policy=CachePolicy.immutable(), type=Task)[0] == Task("a")


def test_json_nested_a_hundred_thousand_deep_is_an_error_and_not_a_crash(client: Make) -> None:
    with pytest.raises(errors.UnexpectedResponseError):
        client(Script(ok(b"[" * 100_000))).json(URL, policy=NEVER)


def test_an_answer_stored_for_another_shape_is_asked_for_again(client: Make) -> None:
    script = Script(ok(b'{"id": "old"}'), ok(b'{"taskId": "new"}'))
    http = client(script)
    http.json(URL, policy=CachePolicy.immutable())
    assert http.json(URL, policy=CachePolicy.immutable(), type=Task)[0] == Task("new")
    assert len(script.requests) == 2


def test_offline_sends_nothing(client: Make) -> None:
    script = Script(ok())
    http = client(script, mode=Mode.OFFLINE)
    for ask in (
        lambda: http.get(URL, policy=NEVER),
        lambda: http.get(URL, policy=CachePolicy.immutable()),
        lambda: http.json(URL, policy=lambda answer: NEVER),
        lambda: http.post(URL, b""),
        lambda: http.locate(URL),
        lambda: http.downloader().open(URL),
    ):
        with pytest.raises(errors.OfflineError) as caught:
            ask()
        assert caught.value.hint
    assert not script.requests


def test_one_host_is_not_flooded_and_another_is_not_held_up(client: Make) -> None:
    lock, release = threading.Lock(), threading.Event()
    now, most = {"a.example": 0, "b.example": 0}, {"a.example": 0, "b.example": 0}
    arrived = threading.Semaphore(0)

    def handler(request: httpx.Request) -> httpx.Response:
        host = request.url.host
        with lock:
            now[host] += 1
            most[host] = max(most[host], now[host])
        arrived.release()
        assert release.wait(20)
        with lock:
            now[host] -= 1
        return httpx.Response(200, content=b"{}")

    http = client(handler, per_host=3)
    urls = [f"https://{host}/{number}" for number in range(8) for host in ("a.example", "b.example")]
    threads = [threading.Thread(target=http.get, args=(url,), kwargs={"policy": NEVER}) for url in urls]
    for thread in threads:
        thread.start()
    for _ in range(6):
        assert arrived.acquire(timeout=20)
    release.set()
    for thread in threads:
        thread.join(20)
    assert most == {"a.example": 3, "b.example": 3}


def test_cancel_wakes_who_waits_for_a_free_slot(client: Make) -> None:
    arrived, release = threading.Event(), threading.Event()

    def handler(request: httpx.Request) -> httpx.Response:
        arrived.set()
        assert release.wait(20)
        return httpx.Response(200, content=b"{}")

    http = client(handler, per_host=1)
    busy = threading.Thread(target=http.get, args=("https://h/1",), kwargs={"policy": NEVER})
    busy.start()
    assert arrived.wait(20)
    cancel = CancelToken()
    waiting = threading.Thread(target=cancel.cancel)
    found: list[BaseException] = []

    def ask() -> None:
        try:
            http.get("https://h/2", policy=NEVER, cancel=cancel)
        except OperationCancelledError as error:
            found.append(error)

    asker = threading.Thread(target=ask)
    asker.start()
    waiting.start()
    asker.join(20)
    assert found and not asker.is_alive()
    release.set()
    busy.join(20)


def test_a_cancelled_token_sends_nothing(client: Make) -> None:
    script = Script(ok())
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(OperationCancelledError):
        client(script).get(URL, policy=NEVER, cancel=cancel)
    assert not script.requests


def test_params_that_are_no_address_are_the_users_mistake(client: Make) -> None:
    with pytest.raises(UsageError):
        client(Script(ok())).get("https://h:port/", policy=NEVER)
