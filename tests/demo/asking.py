"""How the tests of the embedded CI talk to it: plain HTTP, and a clock that they turn."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from backends.demo import DemoOptions, DemoServer, locators

OPTIONS = DemoOptions(tasks=1250)


@dataclass
class Clock:
    """`elapsed` seconds since the server started; `now` as a UTC timestamp."""

    elapsed: float = 0.0
    now: float = field(default_factory=time.time)


class Demo:
    """The server, a client that follows no redirect, and the ids of what has a name."""

    def __init__(self, server: DemoServer, clock: Clock) -> None:
        self.server, self.clock = server, clock
        self.queue = f"{server.root_url}/api/queue/v1"
        self.index = f"{server.root_url}/api/index/v1"
        self.client = httpx.Client(timeout=30)
        self._locators = locators(server.options, server.root_url)

    def id(self, name: str) -> str:
        """The task or group id inside a locator."""
        path = self._locators[f"taskcluster.{name}"].removeprefix(f"{self.server.root_url}/tasks/")
        return path.removeprefix("groups/").split("/")[0]

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self.client.get(url if url.startswith("http") else self.queue + url, **options)

    def json(self, url: str, **options: Any) -> Any:
        answer = self.get(url, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def tasks(self, group_id: str, limit: int = 1000) -> list[Any]:
        """All pages of a group."""
        params: dict[str, Any] = {"limit": limit}
        found: list[Any] = []
        while True:
            page = self.json(f"/task-group/{group_id}/list", params=params)
            found += page["tasks"]
            if "continuationToken" not in page:
                return found
            params["continuationToken"] = page["continuationToken"]

    def artifacts(self, task_id: str, run: int | None = None) -> list[Any]:
        runs = "" if run is None else f"/runs/{run}"
        params: dict[str, Any] = {}
        found: list[Any] = []
        while True:
            page = self.json(f"/task/{task_id}{runs}/artifacts", params=params)
            found += page["artifacts"]
            if "continuationToken" not in page:
                return found
            params["continuationToken"] = page["continuationToken"]

    def locate(self, task_id: str, name: str, run: int = 0) -> str:
        """The URL at the storage."""
        answer = self.get(f"/task/{task_id}/runs/{run}/artifacts/{quote(name, safe='')}")
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]
