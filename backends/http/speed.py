"""Whether a request still moves: a deadline for its headers and a lowest speed for its body.

A read timeout alone is not enough: a server that sends one byte before each of them holds a worker for ever. As with
curl's --speed-limit/--speed-time and aria2c's --lowest-speed-limit, a body fails that brings less than `lowest_speed`
bytes a second over `speed_time` seconds. Only time spent waiting for the server counts, so a slow disk or a paused
download is not the server's fault. What fails like this is tried again or resumed as after any other network failure.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import astuple, dataclass

from backends.http.errors import TooSlowError, UnexpectedResponseError

MOST_HEADER_BYTES = 1 << 20  # of all interim (1xx) responses and the headers; h11 limits each alone to 100 KB
clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Timeouts:
    """Seconds. `read` is the longest silence, not the longest response.

    `headers`: from the last byte of a request until its response's headers are complete, interim (1xx) ones included.
    A body slower than `lowest_speed` (bytes a second; 0: any speed will do) over `speed_time` seconds fails.
    """

    connect: float = 10.0
    read: float = 30.0
    write: float = 30.0
    pool: float = 30.0
    headers: float = 60.0
    lowest_speed: float = 1024.0
    speed_time: float = 30.0

    def extension(self) -> dict[str, float]:
        """As httpx wants them."""
        return dict(zip(("connect", "read", "write", "pool"), astuple(self), strict=False))


class Meter:
    """Measures one request; the stream that it is read from reports each write and read."""

    def __init__(self, host: str, timeouts: Timeouts, *, check_speed: bool = True) -> None:
        self._host = host
        self._timeouts = timeouts
        self._check_speed = check_speed and timeouts.lowest_speed > 0
        self._in_headers = True
        self._wrote_at = self._read_at = clock()
        self._bytes = 0
        self._waited = 0.0
        self._shortened = False  # whether the timeout of this read is what is left of the deadline

    def wrote(self) -> None:
        """A part of the request has been sent (to the proxy or to the server)."""
        self._wrote_at = clock()

    def end_headers(self) -> None:
        self._in_headers, self._bytes = False, 0

    def begin_read(self, timeout: float | None) -> float | None:
        """Called before each read with its timeout; returns the one to use."""
        self._read_at = clock()
        if not self._in_headers:
            return timeout
        left = self._timeouts.headers - (self._read_at - self._wrote_at)
        if left <= 0:
            raise self._late_headers()
        self._shortened = timeout is None or left < timeout
        return left if self._shortened else timeout

    def end_read(self, received: int) -> None:
        """Called after each read. Raises `TooSlowError`, or `UnexpectedResponseError` for headers without an end."""
        now = clock()
        self._bytes += received
        if self._in_headers:
            if self._bytes > MOST_HEADER_BYTES:
                raise UnexpectedResponseError(
                    f"{self._host} sends headers without an end.", "Check the URL of the system."
                )
            return
        self._waited += now - self._read_at
        if self._check_speed and self._waited >= self._timeouts.speed_time:
            if self._bytes < self._timeouts.lowest_speed * self._waited:
                raise self._slow_body()
            self._bytes, self._waited = 0, 0.0

    def timed_out(self) -> None:
        """Called when a read met its timeout. Raises `TooSlowError` if that is the deadline of the headers."""
        if self._in_headers and self._shortened:
            raise self._late_headers()

    def _late_headers(self) -> TooSlowError:
        return TooSlowError(
            f"{self._host} has not sent the headers of its response within {self._timeouts.headers:g} s.", "Try again."
        )

    def _slow_body(self) -> TooSlowError:
        return TooSlowError(
            f"{self._host} sends too slowly: {self._bytes:,} bytes in {self._waited:.0f} s, "
            f"less than {self._timeouts.lowest_speed:,.0f} bytes/s.",
            "Try again.",
        )
