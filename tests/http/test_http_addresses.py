from __future__ import annotations

from collections.abc import Callable

import pytest

from backends.errors import UsageError
from backends.http import CachePolicy, Http, Identity
from backends.http.errors import TooManyRedirectsError, UnsafeRedirectError
from backends.http.httpx_loader import httpx
from backends.http.urls import parse_url, redirect_target
from backends.net import is_inside, is_loopback

Make = Callable[..., Http]
Serve = Callable[..., "object"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "localhost", "LOCALHOST.", "[::1]"])
def test_this_machine_is_known_in_all_its_spellings(host: str) -> None:
    assert is_loopback(host) and is_inside(host)


@pytest.mark.parametrize(
    "host",
    ["10.0.0.1", "192.168.1.1", "172.16.9.9", "169.254.169.254", "0.0.0.0", "0", "[::]", "[fe80::1]", "[fd00::1]",
     "[::ffff:10.0.0.1]", "[::ffff:127.0.0.1]", "100.64.0.1", "224.0.0.1", "a.localhost", "0xa9fea9fe"],
)  # fmt: skip
def test_the_network_around_us_is_known_in_all_its_spellings(host: str) -> None:
    assert is_inside(host)


@pytest.mark.parametrize("host", ["ci.example", "8.8.8.8", "[2606:4700::1111]", "127.0.0.1.example", "1.2.3.4.5"])
def test_public_hosts_are_not_taken_for_ours(host: str) -> None:
    assert not is_inside(host) and not is_loopback(host)


@pytest.mark.parametrize(
    "url",
    ["http://ci.example/x", "http://10.0.0.1/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "x", "", "https://",
     "https://u:p@ci.example/", "https://\x00/", "https://[::1", "http://127.0.0.1:99999/", "javascript:alert(1)"],
)  # fmt: skip
def test_what_must_not_be_asked_is_a_usage_problem_without_secrets(url: str, client: Make) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise AssertionError("asked")

    with pytest.raises(UsageError) as caught:
        client(handler).get(url, policy=CachePolicy.never())
    assert "u:p" not in str(caught.value)


def test_plain_http_to_this_machine_is_fine() -> None:
    assert str(parse_url("http://127.0.0.1:8080/a", {"limit": 5, "q": "a b&c"})).startswith(
        "http://127.0.0.1:8080/a?limit=5&q=a"
    )


def redirecting(steps: dict[str, str], seen: list[httpx.Request]) -> Callable[[httpx.Request], httpx.Response]:
    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        target = steps.get(str(request.url))
        if target is None:
            return httpx.Response(200, content=b"end")
        return httpx.Response(303, headers={"location": target}, content=b"{}")

    return handler


def identity(origin: str) -> Identity:
    return Identity(origin, "client/me", lambda method, url: {"authorization": f"Hawk {method} {url}", "x-me": "1"})


def test_credentials_never_follow_to_another_origin(client: Make) -> None:
    steps = {
        "https://ci.example/a": "https://ci.example/b",
        "https://ci.example/b": "https://cdn.example/c?Signature=s",
    }
    seen: list[httpx.Request] = []
    client(redirecting(steps, seen), identities=[identity("https://CI.example:443/")]).get(
        "https://ci.example/a", policy=CachePolicy.never()
    )
    assert [request.headers.get("authorization") for request in seen] == [
        "Hawk GET https://ci.example/a",
        "Hawk GET https://ci.example/b",
        None,
    ]
    assert "x-me" not in seen[2].headers and "cookie" not in seen[2].headers


@pytest.mark.parametrize("elsewhere", ["https://ci.example:8443/b", "https://sub.ci.example/b"])
def test_another_port_or_name_is_another_origin(elsewhere: str, client: Make) -> None:
    seen: list[httpx.Request] = []
    steps = {"https://ci.example/a": elsewhere}
    client(redirecting(steps, seen), identities=[identity("https://ci.example")]).get(
        "https://ci.example/a", policy=CachePolicy.never()
    )
    assert "authorization" not in seen[1].headers


def test_another_server_cannot_choose_what_we_sign(client: Make) -> None:
    seen: list[httpx.Request] = []
    steps = {"https://evil.example/a": "https://ci.example/secrets"}
    http = client(redirecting(steps, seen), identities=[identity("https://ci.example")])
    http.get("https://evil.example/a", policy=CachePolicy.never())
    steps["https://ci.example/x"] = "https://evil.example/a"
    http.get("https://ci.example/x", policy=CachePolicy.never())
    assert [str(request.url) for request in seen if "authorization" in request.headers] == ["https://ci.example/x"]


@pytest.mark.parametrize("hop", ["https://other.example/b", "https://ci.example:8443/b"])
def test_who_comes_back_from_another_origin_comes_back_as_nobody(hop: str, client: Make) -> None:
    seen: list[httpx.Request] = []
    steps = {"https://ci.example/a": hop, hop: "https://ci.example/c", "https://ci.example/c": "https://ci.example/d"}
    http = client(redirecting(steps, seen), identities=[identity("https://ci.example"), identity(hop[:-2])])
    http.get("https://ci.example/a", policy=CachePolicy.never())
    assert [("authorization" in request.headers, "x-me" in request.headers) for request in seen] == [
        (True, True),
        (False, False),
        (False, False),
        (False, False),
    ]
    assert not any("cookie" in request.headers for request in seen)


@pytest.mark.parametrize(
    ("first", "target"),
    [
        ("https://ci.example/a", "http://ci.example/b"),
        ("https://ci.example/a", "http://127.0.0.1/b"),
        ("https://ci.example/a", "https://127.0.0.1/b"),
        ("https://ci.example/a", "https://169.254.169.254/latest/meta-data"),
        ("https://ci.example/a", "https://2130706433/b"),
        ("https://ci.example/a", "https://[::ffff:10.0.0.1]/b"),
        ("https://ci.example/a", "https://localhost/b"),
        ("https://ci.example/a", "ftp://ci.example/b"),
        ("https://ci.example/a", "file:///etc/passwd"),
        ("https://ci.example/a", "https://u:p@cdn.example/b"),
        ("https://ci.example/a", "https://[broken/b"),
        ("http://127.0.0.1/a", "http://ci.example/b"),
    ],
)
def test_unsafe_redirects_are_refused(first: str, target: str, client: Make) -> None:
    seen: list[httpx.Request] = []
    with pytest.raises(UnsafeRedirectError) as caught:
        client(redirecting({first: target}, seen)).get(first, policy=CachePolicy.never())
    assert len(seen) == 1
    assert "u:p" not in str(caught.value)


def test_a_redirect_through_a_public_host_cannot_come_back_inside(client: Make) -> None:
    steps = {"https://ci.example/a": "https://cdn.example/b", "https://cdn.example/b": "https://10.0.0.1/c"}
    with pytest.raises(UnsafeRedirectError):
        client(redirecting(steps, [])).get("https://ci.example/a", policy=CachePolicy.never())


def test_a_local_server_may_redirect_within_this_machine(client: Make) -> None:
    seen: list[httpx.Request] = []
    steps = {"http://127.0.0.1:1/a": "http://localhost:2/b", "http://localhost:2/b": "/c"}
    answer = client(redirecting(steps, seen)).get("http://127.0.0.1:1/a", policy=CachePolicy.never())
    assert str(seen[-1].url) == "http://localhost:2/c"
    assert answer.url == "http://127.0.0.1:1/a", "where a redirect led may be signed and is not told"


def test_within_this_machine_https_may_lead_to_http() -> None:
    here = httpx.URL("https://127.0.0.1:8443/a")
    assert str(redirect_target(here, here, "http://localhost:8080/b")) == "http://localhost:8080/b"


@pytest.mark.parametrize(("length", "fine"), [(10, True), (11, False)])
def test_ten_redirects_are_followed_and_not_eleven(length: int, fine: bool, client: Make) -> None:
    steps = {f"https://h/{number}": f"/{number + 1}" for number in range(length)}
    http = client(redirecting(steps, []))
    if fine:
        assert http.get("https://h/0", policy=CachePolicy.never()).body == b"end"
    else:
        with pytest.raises(TooManyRedirectsError):
            http.get("https://h/0", policy=CachePolicy.never())


def test_locate_tells_where_it_leads_without_going_there(client: Make) -> None:
    seen: list[httpx.Request] = []
    http = client(redirecting({"https://h/a": "https://cdn.example/f?sig=1"}, seen))
    found = http.locate("https://h/a")
    assert (found.status, found.url, len(seen)) == (303, "https://cdn.example/f?sig=1", 1)
    assert http.locate("https://h/b").url == ""


def test_credentials_stay_away_from_another_port_on_real_sockets(serve, say, client: Make) -> None:  # type: ignore[no-untyped-def]
    second = serve(lambda connection, head: connection.sendall(say(b"end")))
    first = serve(lambda connection, head: connection.sendall(say(b"", "302 Found", location=f"{second.url}/b")))
    http = client(identities=[identity(first.url)])
    assert http.get(f"{first.url}/a", policy=CachePolicy.never()).body == b"end"
    assert b"authorization: hawk" in first.heads[0].lower()
    assert b"authorization" not in second.heads[0].lower() and b"x-me" not in second.heads[0].lower()


def test_an_identity_never_prints_its_secret() -> None:
    assert "sign" not in repr(identity("https://h")) and "client/me" in repr(identity("https://h"))
