"""moto's S3 server as the tests use it: buckets, what is in them, and a switch that makes it look at credentials."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

KEYS = {"AWS_ACCESS_KEY_ID": "test-key", "AWS_SECRET_ACCESS_KEY": "test-secret"}


# moto looks whether a request is signed, not how.
_SIGNED = {
    "authorization": "AWS4-HMAC-SHA256 Credential=test-key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, "
    "Signature=0"
}


@dataclass
class Storage:
    url: str

    @classmethod
    def of(cls, server: subprocess.Popen[str]) -> Storage:
        """The address that it prints once it listens."""
        assert server.stdout is not None
        for line in server.stdout:
            if match := re.search(r"Running on (http://127\.0\.0\.1:\d+)", line):
                return cls(match[1])
        raise AssertionError("moto did not come up")

    @property
    def environment(self) -> dict[str, str]:
        return {"AWS_ENDPOINT_URL": self.url, **KEYS}

    def bucket(self, name: str) -> str:
        """Makes an empty bucket."""
        self._ask("DELETE", f"/{name}")
        assert self._ask("PUT", f"/{name}").status_code == 200
        return name

    def keys(self, bucket: str) -> list[str]:
        return re.findall(r"<Key>([^<]*)</Key>", self._ask("GET", f"/{bucket}?list-type=2").text)

    def head(self, bucket: str, key: str) -> httpx.Response:
        return self._ask("HEAD", f"/{bucket}/{key}")

    def put(self, bucket: str, key: str, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        given = {**_SIGNED, **(headers or {})}
        assert self._ask("PUT", f"/{bucket}/{key}", content=content, headers=given).status_code == 200

    def uploads(self, bucket: str) -> int:
        """Uploads in parts that were begun and not ended."""
        return self._ask("GET", f"/{bucket}?uploads").text.count("<UploadId>")

    def looks_at_credentials(self, yes: bool) -> None:
        answer = self._ask(
            "POST", "/moto-api/reset-auth", content=b"0" if yes else b"inf", headers={"content-type": "text/plain"}
        )
        assert answer.status_code == 200

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        return httpx.request(method, self.url + path, timeout=30, **{"headers": _SIGNED, **options})
