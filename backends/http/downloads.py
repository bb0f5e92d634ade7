"""Files as they are on the wire, for one worker thread: raw bytes, ranges, and the redirects on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from backends.cancel import CancelToken
from backends.http.errors import UnexpectedResponseError, from_response, offline, short_url
from backends.http.httpx_loader import httpx
from backends.http.policies import Identity, Mode
from backends.http.sender import RawResponse, Sender
from backends.http.transport import Timeouts, Transport
from backends.http.urls import parse_url

ERROR_BODY = 64 << 10  # bytes of an error's body that are read for words to show


class ResponseHead:
    """What is known of a download before its body.

    `status` 200 (from the start) or 206 (from `offset`), `headers` with lower-case names, `hops` the redirect
    answers as (url, headers), `encoding` the content-encoding that is left on the body.
    """

    def __init__(
        self, url: str, status: int, headers: Mapping[str, str], hops: tuple[tuple[str, Mapping[str, str]], ...]
    ) -> None:
        self.url = url
        self.status = status
        self.headers = headers
        self.hops = hops
        self.encoding = headers.get("content-encoding", "").strip().lower()
        if self.encoding == "identity":
            self.encoding = ""


class Download(ResponseHead):
    """An open download; close it or use it in a `with`."""

    def __init__(self, reply: RawResponse) -> None:
        super().__init__(str(reply.url), reply.status, reply.headers, reply.hops)
        self._reply = reply

    def chunks(self) -> Iterator[bytes]:
        """The undecoded bytes as they come in; may be asked for once.

        Raises `IncompleteBodyError` when the connection ends before the announced length or the last chunk,
        `RequestTimeoutError`,
        `OperationCancelledError` (also while it waits).
        """
        return self._reply.chunks()

    def close(self) -> None:
        self._reply.close()

    def __enter__(self) -> Download:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Downloader:
    """One request at a time, on a connection of its own that the next file from the same server uses again.

    One pool for all workers would look through all its connections at each event: 3.6 ms of CPU a file with 64 of
    them, 0.7 with one each. Up to four are kept, because a file often takes two servers: one that knows where it is
    and one that has it.
    """

    def __init__(
        self,
        *,
        mode: Mode = Mode.NORMAL,
        identities: Sequence[Identity] = (),
        timeouts: Timeouts | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._mode = mode
        self._own = None if transport is not None else Transport(max_connections=4, max_keepalive=4)
        self._exchange = Sender(transport or self._own or Transport(), identities=identities, timeouts=timeouts)

    def open(
        self,
        url: str,
        *,
        offset: int = 0,
        if_range: str | None = None,
        cancel: CancelToken | None = None,
        check_speed: bool = True,
    ) -> Download:
        """Asks for a file from byte `offset` on, of the version that `if_range` (an ETag or a date) names.

        A body below the lowest speed (see `Timeouts`) ends in `TooSlowError`, which may be tried again;
        `check_speed=False` is for a log that is followed live and may be silent.

        Raises `HttpError` for every answer that is neither 200 nor, with an offset, 206 for that offset.
        """
        address = parse_url(url)
        if self._mode is Mode.OFFLINE:
            raise offline(url)
        headers = request_headers(offset, if_range)
        reply = self._exchange.send("GET", address, headers=headers, cancel=cancel, check_speed=check_speed)
        try:
            if not is_accepted(reply.status, reply.headers, str(reply.url), offset):
                raise from_response(str(reply.url), reply.status, reply.headers, reply.start(ERROR_BODY))
        except BaseException:
            reply.close()
            raise
        return Download(reply)

    def close(self) -> None:
        if self._own is not None:
            self._own.close()

    def __enter__(self) -> Downloader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class DownloaderSettings:
    """What libcurl must know to download as `Downloader` does."""

    mode: Mode
    timeouts: Timeouts
    identities: tuple[Identity, ...] = ()


def request_headers(offset: int, if_range: str | None) -> dict[str, str]:
    """The headers that ask for a file from byte `offset` on, of that version."""
    headers = {"accept": "*/*"}
    if offset:
        headers["range"] = f"bytes={offset}-"
        if if_range:
            headers["if-range"] = if_range
    return headers


def is_accepted(status: int, headers: Mapping[str, str], url: str, offset: int) -> bool:
    """Whether a response brings what was requested. Raises `UnexpectedResponseError` for another range."""
    if status == 206 and offset:
        begins = headers.get("content-range", "").partition("-")[0]
        if begins.replace(" ", "").lower() == f"bytes{offset}":
            return True
        raise UnexpectedResponseError(
            f"{short_url(url)} sent another part than was asked for.", "Download it from the start."
        )
    return status == 200
