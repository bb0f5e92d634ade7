"""How long to wait before asking a server again, and what its Retry-After says about that."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

FIRST = 0.25  # seconds
CAP = 30.0
RETRY_AFTER_CAP = 120.0  # what a server may make us wait; more than this is a pause for a person to decide on


def backoff_delays(
    *, first: float = FIRST, cap: float = CAP, jitter: Callable[[], float] = random.random
) -> Iterator[float]:
    """Endless: doubles from `first` to `cap` seconds, each up to a quarter shorter or longer.

    The jitter keeps sixteen workers that failed together from asking together again. `cap` holds for the result.
    """
    base = first
    while True:
        yield min(cap, base * (0.75 + 0.5 * jitter()))
        base = min(cap, base * 2)


def parse_retry_after(text: str, now: float | None = None) -> float | None:
    """Seconds from a Retry-After header, which is a number of seconds or an HTTP date; None if it is neither."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    if not text:
        return None
    from email.utils import parsedate_to_datetime  # 6 ms, for a header that hardly ever comes as a date

    try:
        at = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, OSError, IndexError):
        return None
    return max(0.0, at - (time.time() if now is None else now))


def is_too_long(retry_after: float | None) -> bool:
    """Whether the server asks for a longer wait than is begun without asking the user: then the request fails."""
    return retry_after is not None and retry_after > RETRY_AFTER_CAP


def with_retry_after(delay: float, retry_after: float | None) -> float:
    """The longer of our own delay and what the server asked for, the latter capped."""
    return delay if retry_after is None else max(delay, min(retry_after, RETRY_AFTER_CAP))
