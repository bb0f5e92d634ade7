"""How the tests talk to the synthetic Treeherder, and which of its things stand for those in the recorded answers."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from backends.demo import DemoServer, locators


class Perfherder:
    """A client, and ids by role: the favourite signature, a push with jobs, a job that failed, the compared pushes."""

    def __init__(self, server: DemoServer) -> None:
        self.server = server
        self.base = server.settings["CIEXPLORE_TREEHERDER_URL"]
        self.client = httpx.Client(base_url=self.base, timeout=60)
        self.locators = locators(server.options)

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self.client.get(url, **options)

    def json(self, url: str, **options: Any) -> Any:
        answer = self.get(url, **options)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json", answer.text[:200]
        return answer.json()

    def of(self, locator: str) -> dict[str, str]:
        """The parameters in a locator's address."""
        query = parse_qs(urlsplit(self.locators[locator]).query)
        return {name: values[0] for name, values in query.items()}

    @property
    def favourite(self) -> int:
        return int(self.of("perf.series")["series"].split(",")[1])

    @property
    def revision(self) -> str:
        return self.locators["perf.push"].rsplit("/", 1)[1]

    @property
    def push(self) -> dict[str, Any]:
        """The push that is the finished task group."""
        return self.json(f"/api/project/autoland/push/?revision={self.revision}")["results"][0]  # type: ignore[no-any-return]

    @property
    def summary(self) -> int:
        return int(self.of("perf.alert-summary")["id"])

    @property
    def compared_suite(self) -> int:
        return int(self.of("perf.compare-subtests")["originalSignature"])

    def jobs(self, push_id: int) -> list[dict[str, Any]]:
        return self.json(f"/api/project/autoland/jobs/?push_id={push_id}&count=2000")["results"]  # type: ignore[no-any-return]

    def series(self, signature: int, **more: str) -> list[dict[str, Any]]:
        asked = {"repository": "autoland", "signature": str(signature), "interval": "31536000", "all_data": "true"}
        return self.json("/api/performance/summary/", params=asked | more)[0]["data"]  # type: ignore[no-any-return]
