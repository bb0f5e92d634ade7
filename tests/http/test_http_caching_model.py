"""Whatever is asked in whatever order and mode: the answer, its source and its age are those of a naive model."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from backends.http import CachePolicy, Http, Mode, errors
from backends.http.httpx_loader import httpx
from backends.http.response import ResponseSource


class Server:
    """Gives its version with an ETag; can be down."""

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


class AgainstAModel(RuleBasedStateMachine):
    """Whatever is asked in whatever order: an answer is never younger than told, never older than allowed."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.server = Server()
        self.now = 1e6
        self.stored: dict[str, tuple[int, float, float | None]] = {}  # path -> version, vouched at, until
        self.http = Http(
            cache_dir=Path(self.directory.name) / "c",
            transport=httpx.MockTransport(self.server),
            pause=lambda seconds, cancel: None,
            clock=lambda: self.now,
        )

    def teardown(self) -> None:
        self.http.close()
        self.directory.cleanup()

    @rule(seconds=st.integers(1, 50))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def the_server_changes(self) -> None:
        self.server.version += 1

    @rule(down=st.sampled_from([None, None, 503, 404, httpx.ConnectError("x")]))
    def the_server_fails_or_recovers(self, down: Any) -> None:
        self.server.down = down

    @rule(
        path=st.sampled_from("ab"),
        ttl=st.sampled_from([0.0, 20.0, 60.0, None]),
        store=st.booleans(),
        stale=st.booleans(),
        late=st.booleans(),
        mode=st.sampled_from([Mode.NORMAL, Mode.NORMAL, Mode.NORMAL, *Mode]),
    )
    def somebody_asks(self, path: str, ttl: float | None, store: bool, stale: bool, late: bool, mode: Mode) -> None:
        policy = CachePolicy(store, ttl, stale)
        expected = self.expected(path, policy, late, mode)
        asked = len(self.server.requests)
        try:
            found = self.http.with_mode(mode).json(
                f"https://h/{path}", policy=(lambda answer: policy) if late else policy
            )
            outcome: Any = (found[0]["version"], found[1].freshness.source, found[1].freshness.age)
        except errors.HttpError as problem:
            outcome = type(problem)
        assert outcome == expected
        if isinstance(expected, tuple) and expected[1] is ResponseSource.CACHE:
            assert len(self.server.requests) == asked

    def expected(self, path: str, policy: CachePolicy, late: bool, mode: Mode) -> Any:
        readable = mode.reads and (late or policy.store)
        known = self.stored.get(path) if readable else None
        if known is not None:
            version, at, until = known
            limit = None if late else policy.ttl
            young = (until is None or self.now < until) and (limit is None or self.now - at < limit)
            if young or mode is Mode.OFFLINE:
                return version, ResponseSource.CACHE if young else ResponseSource.STALE, self.now - at
        if mode is Mode.OFFLINE:
            return errors.OfflineError
        if self.server.down is not None:
            if known is not None and (late or policy.stale_if_error) and self.server.down != 404:
                return known[0], ResponseSource.STALE, self.now - known[1]
            kinds = {503: errors.ServerError, 404: errors.NotFoundError}
            return kinds[self.server.down] if isinstance(self.server.down, int) else errors.NetworkError
        same = known is not None and known[0] == self.server.version
        if mode.writes and policy.store:
            until = None if policy.ttl is None else self.now + policy.ttl
            self.stored[path] = (self.server.version, self.now, until)
        return self.server.version, ResponseSource.REVALIDATED if same else ResponseSource.NETWORK, 0.0

    @invariant()
    def nobody_is_left_flying(self) -> None:
        assert not self.http._answering._flights._flying


TestAgainstAModel = AgainstAModel.TestCase
TestAgainstAModel.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
