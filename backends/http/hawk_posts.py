"""A POST whose body is signed with Hawk, and whose answer is checked: a wrong server cannot give a right one."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from backends.cancel import CancelToken
from backends.http.caching import read_body
from backends.http.client import CAP
from backends.http.errors import HttpError, UnexpectedResponseError, from_response, short_url
from backends.http.hawk import HawkSigner, mohawk
from backends.http.response import Response
from backends.http.sender import RawResponse, Sender
from backends.http.transport import Timeouts, Transport
from backends.http.urls import parse_url

_START = 64 << 10  # of an error's body


class HawkPoster:
    """Posts as one client. Not for several threads: it keeps the server's clock in the signer."""

    def __init__(self, signer: HawkSigner, timeouts: Timeouts | None = None) -> None:
        self._signer = signer
        self._wire = Transport()
        self._exchange = Sender(self._wire, timeouts=timeouts)

    def close(self) -> None:
        self._wire.close()

    def __enter__(self) -> HawkPoster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def post(
        self, url: str, content: bytes, *, accept: str = "application/json", cancel: CancelToken | None = None
    ) -> Response:
        """Sends JSON once (twice if our clock is wrong); never stored, redirects not followed.

        A 401 with the server's time, signed with our key, sets our clock by it. Raises `HttpError`s as `Http` does,
        and `UnexpectedResponseError` for an answer that its signature does not fit.
        """
        address = parse_url(url)
        for attempt in range(2):
            sender = self._signer.sender("POST", str(address), content, "application/json")
            headers = {"accept": accept, "content-type": "application/json", "authorization": sender.request_header}
            with self._exchange.send(
                "POST", address, headers=headers, content=content, cancel=cancel, follow=False
            ) as reply:
                if reply.status == 401 and attempt == 0 and self._set_clock(reply.headers.get("www-authenticate", "")):
                    reply.start(_START)
                    continue
                if not 200 <= reply.status < 300:
                    raise _error_of(str(address), reply)
                answer = read_body(reply, str(address), CAP)[0]
            self._check(sender, answer)
            return answer
        raise AssertionError("unreachable")

    def _set_clock(self, header: str) -> bool:
        """Whether the server told its time and proved that it knows our key; else anybody could make us sign for a day
        to come."""
        library = mohawk()
        try:
            told = library.util.parse_authorization_header(header)
            stamp = int(told["ts"])
            proof = library.util.calculate_ts_mac(told["ts"], self._signer.credentials).decode("ascii")
            right = library.util.strings_match(proof, told["tsm"])
        except (library.exc.HawkFail, KeyError, ValueError, IndexError):
            return False
        if right:
            self._signer.offset = stamp - int(time.time())
        return bool(right)

    def _check(self, sender: Any, answer: Response) -> None:
        """Servers need not sign what they answer; one that does must be right."""
        header = answer.headers.get("server-authorization", "")
        if not header:
            return
        library = mohawk()
        try:
            sender.accept_response(
                header,
                content=answer.body,
                content_type=answer.headers.get("content-type", ""),
                localtime_offset_in_seconds=self._signer.offset,
                timestamp_skew_in_seconds=600,  # of our own request: a slow answer is no forged one
            )
        except (library.exc.HawkFail, ValueError, IndexError):
            raise UnexpectedResponseError(
                f"The answer of {short_url(answer.url)} has a signature that does not fit.",
                "Something between here and the server changes answers, or it is another server.",
            ) from None


def asks_for_hawk(url: str, timeouts: Timeouts | None = None, cancel: CancelToken | None = None) -> bool:
    """Whether an unsigned POST of nothing is answered by asking for Hawk credentials. Raises `HttpError` where there
    is no server."""
    wire = Transport()
    try:
        with Sender(wire, timeouts=timeouts).send(
            "POST",
            parse_url(url),
            headers={"accept": "application/json", "content-type": "application/json"},
            content=b"[]",
            cancel=cancel,
            follow=False,
        ) as reply:
            with contextlib.suppress(HttpError):
                reply.start(_START)
            return reply.status == 401 and "hawk" in reply.headers.get("www-authenticate", "").lower()
    finally:
        wire.close()


def _error_of(url: str, reply: RawResponse) -> HttpError:
    return from_response(url, reply.status, reply.headers, reply.start(_START))
