"""Between the lists and the servers: records what was answered, or answers itself (see `backends.capsules`)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.http.caching import CacheableRequest
    from backends.http.downloads import Downloader
    from backends.http.response import Response


class Interceptor(Protocol):
    """Gets every request of an `Http` but those for the target of a redirect. Thread-safe.

    `send` asks the cache or the server; an interceptor that answers itself never calls it. `private`: we would say
    who we are. All raise what `send` raises. `now`: the time that requests count back from, the same for all of them.
    """

    now: float

    def get(self, asked: CacheableRequest, private: bool, send: Callable[[], Response]) -> Response: ...

    def post(self, url: str, content: bytes, accept: str, private: bool, send: Callable[[], Response]) -> Response: ...

    def open(
        self, url: str, offset: int, private: bool, cancel: CancelToken | None,
        send: Callable[[], AbstractContextManager[Any]],
    ) -> AbstractContextManager[Any]: ...  # fmt: skip


class InterceptedDownloader:
    """As `Downloader`, which is made only when something is sent; for one thread."""

    def __init__(
        self, make: Callable[[], Downloader], interceptor: Interceptor, is_private: Callable[[str], bool]
    ) -> None:
        self._make = make
        self._interceptor = interceptor
        self._is_private = is_private
        self._downloader: Downloader | None = None

    def open(
        self, url: str, *, offset: int = 0, cancel: CancelToken | None = None, **options: Any
    ) -> AbstractContextManager[Any]:
        """See `Downloader.open`."""

        def send() -> AbstractContextManager[Any]:
            self._downloader = self._downloader or self._make()
            return self._downloader.open(url, offset=offset, cancel=cancel, **options)

        return self._interceptor.open(url, offset, self._is_private(url), cancel, send)

    def close(self) -> None:
        if self._downloader is not None:
            self._downloader.close()

    def __enter__(self) -> InterceptedDownloader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
