"""An HTTP client that counts what it is asked, for work that tells how many requests it took."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from backends.http.client import Http, RedirectTarget
from backends.http.downloads import Downloader
from backends.http.errors import HttpError, OfflineError
from backends.http.response import Response, ResponseSource

Result = TypeVar("Result")
_ASKED = (ResponseSource.NETWORK, ResponseSource.REVALIDATED)


class CountingHttp(Http):
    """The same client (connections, cache, limits, mode) as another one; `requests` counts those that went to a server
    through this one. A request that is redirected or tried again counts once."""

    def __init__(self, http: Http) -> None:
        self.__dict__.update(http.__dict__)
        self.requests = 0
        self._counting = threading.Lock()

    def get(self, url: str, **options: Any) -> Response:
        answer = self._count(lambda: super(CountingHttp, self).get(url, **options))
        if answer.freshness.source in _ASKED:
            self._add()
        return answer

    def json(self, url: str, **options: Any) -> tuple[Any, Response]:
        value, answer = self._count(lambda: super(CountingHttp, self).json(url, **options))
        if answer.freshness.source in _ASKED:
            self._add()
        return value, answer

    def post(self, url: str, content: bytes, **options: Any) -> Response:
        answer = self._count(lambda: super(CountingHttp, self).post(url, content, **options))
        self._add()
        return answer

    def locate(self, url: str, **options: Any) -> RedirectTarget:
        target = self._count(lambda: super(CountingHttp, self).locate(url, **options))
        self._add()
        return target

    def downloader(self) -> Downloader:
        self._add()
        return super().downloader()

    def _count(self, ask: Callable[[], Result]) -> Result:
        """A response that is an error took a request, too."""
        try:
            return ask()
        except OfflineError:
            raise
        except HttpError:
            self._add()
            raise

    def _add(self) -> None:
        with self._counting:
            self.requests += 1
