"""How the tests of the synthetic Prow archive talk to it: the storage's JSON protocol over loopback."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx

from backends.demo import DemoServer, locators
from backends.demo.prow.builds import OPENSHIFT_BUCKET


class Archive:
    """A client that follows no redirect and unpacks nothing unless told to."""

    def __init__(self, server: DemoServer) -> None:
        self.url = server.settings["CIEXPLORE_GCS_URL"]
        self.gcsweb = server.settings["CIEXPLORE_GCSWEB_URL"]
        self.client = httpx.Client(timeout=30)
        self.locators = locators(server.options, server.root_url)

    def list(self, bucket: str = OPENSHIFT_BUCKET, **params: Any) -> Any:
        answer = self.client.get(f"{self.url}/storage/v1/b/{bucket}/o", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def pages(self, bucket: str = OPENSHIFT_BUCKET, **params: Any) -> list[Any]:
        found = [self.list(bucket, **params)]
        while "nextPageToken" in found[-1]:
            found.append(self.list(bucket, **params, pageToken=found[-1]["nextPageToken"]))
        return found

    def items(self, bucket: str = OPENSHIFT_BUCKET, **params: Any) -> list[Any]:
        return [item for page in self.pages(bucket, **params) for item in page.get("items", ())]

    def prefixes(self, bucket: str = OPENSHIFT_BUCKET, **params: Any) -> list[str]:
        return [name for page in self.pages(bucket, **params) for name in page.get("prefixes", ())]

    def address(self, name: str, bucket: str = OPENSHIFT_BUCKET) -> str:
        return f"{self.url}/storage/v1/b/{bucket}/o/{quote(name, safe='')}"

    def get(self, name: str, bucket: str = OPENSHIFT_BUCKET, *, accept: str = "gzip", **headers: str) -> httpx.Response:
        """The object's bytes, unpacked by httpx if they are sent as gzip."""
        sent = {"Accept-Encoding": accept, **headers}
        return self.client.get(self.address(name, bucket), params={"alt": "media"}, headers=sent)

    def raw(self, name: str, bucket: str = OPENSHIFT_BUCKET, **headers: str) -> tuple[httpx.Response, bytes]:
        """The stored bytes."""
        sent = {"Accept-Encoding": "gzip", **headers}
        with self.client.stream("GET", self.address(name, bucket), params={"alt": "media"}, headers=sent) as answer:
            return answer, b"".join(answer.iter_raw())

    def folder(self, name: str) -> str:
        """The build folder behind the locator `prow.<name>`."""
        path = self.locators[f"prow.{name}"].partition("/logs/")[2].removesuffix("/build-log.txt").rstrip("/")
        return f"logs/{path}/"
