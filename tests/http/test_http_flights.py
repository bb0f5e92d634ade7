"""Two panes that ask for the same thing at the same time cost the server one request."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.http import CachePolicy, Http, errors
from backends.http.caching import SingleFlight
from backends.http.httpx_loader import httpx

Make = Callable[..., Http]
URL = "https://ci.example/api/x"


class Crowd:
    """Threads that ask, and what each of them got."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.got: dict[str, Any] = {}

    def ask(self, name: str, work: Callable[[], Any]) -> None:
        def run() -> None:
            try:
                self.got[name] = work()
            except Exception as error:
                self.got[name] = error

        thread = threading.Thread(target=run)
        self.threads.append(thread)
        thread.start()

    def join(self) -> None:
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()


class Gate:
    """A handler that waits inside until it is let go; `arrived` is released for each request."""

    def __init__(self, make: Callable[[], httpx.Response]) -> None:
        self.arrived, self.go = threading.Semaphore(0), threading.Event()
        self.count = 0
        self._make = make

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.count += 1
        self.arrived.release()
        assert self.go.wait(20)
        return self._make()


class Joined(CancelToken):
    """Tells when its owner has joined a flight: that is when it asks to be woken."""

    def __init__(self) -> None:
        super().__init__()
        self.joined = threading.Event()

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        forget = super().on_cancel(callback)
        self.joined.set()
        return forget


def wait_for(*tokens: Joined) -> None:
    for token in tokens:
        assert token.joined.wait(20)


def flights_of(http: Http) -> SingleFlight[Any]:
    return http._answering._flights


@pytest.mark.parametrize("policy", [CachePolicy.immutable(), CachePolicy.never()])
def test_equal_requests_at_once_are_one(policy: CachePolicy, client: Make) -> None:
    gate = Gate(lambda: httpx.Response(200, content=b"[1]"))
    http, crowd = client(gate), Crowd()
    tokens = [Joined() for _ in range(6)]
    for number, token in enumerate(tokens):
        crowd.ask(str(number), lambda token=token: http.json(URL, policy=policy, cancel=token))
    assert gate.arrived.acquire(timeout=20)
    wait_for(*tokens)
    gate.go.set()
    crowd.join()
    assert gate.count == 1
    assert [crowd.got[str(number)][0] for number in range(6)] == [[1]] * 6
    assert not flights_of(http)._flying


def test_a_request_holds_its_place_until_its_answer_is_stored(client: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    storing, go = threading.Event(), threading.Event()
    http, crowd = client(lambda request: httpx.Response(200, content=b"1")), Crowd()
    put = http._shelf.put  # type: ignore[union-attr]

    def slow(key: str, value: bytes) -> bool:
        storing.set()
        assert go.wait(20)
        return put(key, value)

    monkeypatch.setattr(http._shelf, "put", slow)
    crowd.ask("first", lambda: http.get(URL, policy=CachePolicy.immutable()))
    assert storing.wait(20)
    token = Joined()
    crowd.ask("second", lambda: http.get(URL, policy=CachePolicy.immutable(), cancel=token))
    wait_for(token)
    go.set()
    crowd.join()
    assert crowd.got["second"] is crowd.got["first"]


def test_those_who_wait_take_over_from_one_who_was_cancelled(client: Make, serve: Any, say: Any) -> None:
    first = threading.Event()

    def talk(connection: Any, head: bytes) -> None:
        if not first.is_set():
            first.set()  # and never an answer: only the cancel can end it
            return
        connection.sendall(say(b"[2]"))

    server = serve(talk)
    http, crowd, cancel = client(), Crowd(), CancelToken()
    crowd.ask("leader", lambda: http.json(f"{server.url}/x", policy=CachePolicy.immutable(), cancel=cancel))
    assert server.seen.acquire(timeout=20)
    tokens = {"a": Joined(), "b": Joined()}
    for name, token in tokens.items():
        crowd.ask(name, lambda token=token: http.json(f"{server.url}/x", policy=CachePolicy.immutable(), cancel=token))
    wait_for(*tokens.values())
    cancel.cancel()
    crowd.join()
    assert isinstance(crowd.got["leader"], OperationCancelledError)
    assert crowd.got["a"][0] == crowd.got["b"][0] == [2]
    assert len(server.heads) == 2, "one of the two took over, the other waited for it"


def test_one_who_waits_can_be_cancelled_alone(client: Make) -> None:
    gate = Gate(lambda: httpx.Response(200, content=b"1"))
    http, crowd, cancel = client(gate), Crowd(), Joined()
    crowd.ask("leader", lambda: http.get(URL, policy=CachePolicy.never()).body)
    assert gate.arrived.acquire(timeout=20)
    crowd.ask("waiter", lambda: http.get(URL, policy=CachePolicy.never(), cancel=cancel))
    wait_for(cancel)
    cancel.cancel()
    crowd.threads[1].join(20)
    assert isinstance(crowd.got["waiter"], OperationCancelledError) and "leader" not in crowd.got
    gate.go.set()
    crowd.join()
    assert crowd.got["leader"] == b"1"


def test_a_failure_is_everybodys_and_each_gets_an_error_of_its_own(client: Make) -> None:
    gate = Gate(lambda: httpx.Response(404, content=b'{"message": "no such"}'))
    http, crowd = client(gate), Crowd()
    tokens = {name: Joined() for name in "abc"}
    for name, token in tokens.items():
        crowd.ask(name, lambda token=token: http.get(URL, policy=CachePolicy.immutable(), cancel=token))
    assert gate.arrived.acquire(timeout=20)
    wait_for(*tokens.values())
    gate.go.set()
    crowd.join()
    assert gate.count == 1
    assert {type(crowd.got[name]) for name in "abc"} == {errors.NotFoundError}
    assert len({id(crowd.got[name]) for name in "abc"}) == 3
    assert len({str(crowd.got[name]) for name in "abc"}) == 1


def test_an_accident_of_one_is_not_the_others(client: Make) -> None:
    flights: SingleFlight[int] = SingleFlight()
    inside, go, crowd = threading.Event(), threading.Event(), Crowd()

    def broken() -> int:
        inside.set()
        assert go.wait(20)
        raise MemoryError

    crowd.ask("first", lambda: flights.run("k", broken))
    assert inside.wait(20)
    token = Joined()
    crowd.ask("second", lambda: flights.run("k", lambda: 2, token))
    wait_for(token)
    go.set()
    crowd.join()
    assert isinstance(crowd.got["first"], MemoryError) and crowd.got["second"] == 2


def test_different_requests_do_not_wait_for_each_other(client: Make) -> None:
    gate = Gate(lambda: httpx.Response(200, content=b"[]"))
    http, crowd = client(gate), Crowd()
    asks: list[Callable[[], Any]] = [
        lambda: http.get(URL, policy=CachePolicy.never()),
        lambda: http.get(f"{URL}?a=1", policy=CachePolicy.never()),
        lambda: http.get(URL, policy=CachePolicy.never(), accept="text/html"),
        lambda: http.get(URL, policy=CachePolicy.never(), cap=10),
        lambda: http.json(URL, policy=CachePolicy.never(), type=list[int]),
    ]
    for number, ask in enumerate(asks):
        crowd.ask(str(number), ask)
    for _ in asks:
        assert gate.arrived.acquire(timeout=20)
    gate.go.set()
    crowd.join()
    assert gate.count == len(asks)
