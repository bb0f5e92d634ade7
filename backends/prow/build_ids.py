"""What a build's id says without any request: when it was made, and where it stands among the others.

Ids are either snowflakes (bwmarrin/snowflake, node 1: prow pkg/pjutil/tot.go) or small counters of older instances.
Over 837 real builds the build began 1.4 s to 575 s (median 2.9 s) after the time in its id.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator

EPOCH_MS = 1288834974657
_NODE = 1
_FIRST_MS = 1483228800000  # 2017: Prow is not older
_DAY_MS = 86_400_000
_COMPARABLE_MS = 1527260000000  # 2018-05-25: since then ids have 19 digits, and their order as texts is that of time
_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)  # Prow's ids are signed 64-bit numbers: at most 19 digits
_LONGEST = 19
# Days back from now. At 27 builds a day, a busy periodic job, the first one fills a screen; the steps grow so that a
# job that sleeps for a year is found with five requests.
WINDOWS = (3, 15, 60, 365, 1500)


def is_build(text: str) -> bool:
    """Whether a folder's name can be a build's id."""
    return _DIGITS.fullmatch(text) is not None


def order(build: str) -> str:
    """A text that sorts as the number does: 9 before 10, and 010 with 10."""
    number = build.lstrip("0") or "0"
    return f"{len(number):02d}{number}"


def newest_first(builds: Iterable[str]) -> list[str]:
    """By number, each id once."""
    return sorted(set(builds), key=lambda build: (order(build), build), reverse=True)


def is_long(build: str) -> bool:
    """Whether it has all 19 digits, as every snowflake since May 2018: it is greater than any shorter id, and among
    its like the order of texts is that of numbers. So only these can be listed from the newest backwards."""
    return len(build) == _LONGEST and build[0] != "0"


def created_ms(build: str, now_ms: float | None = None) -> int | None:
    """When a snowflake was made, in epoch milliseconds; None for a counter and for what only looks like an id."""
    if not is_build(build) or not 17 <= len(build) <= 19:
        return None
    number = int(build)
    at = (number >> 22) + EPOCH_MS
    now = time.time() * 1000 if now_ms is None else now_ms
    if (number >> 12) & 0x3FF != _NODE or not _FIRST_MS <= at <= now + _DAY_MS:
        return None
    return at


def first_at(ms: float) -> str:
    """The smallest snowflake of that moment, as text: a bound for listings."""
    return str(max(int(ms) - EPOCH_MS, 0) << 22)


def windows(since_ms: float | None = None, now_ms: float | None = None) -> Iterator[tuple[str, str]]:
    """Pairs of ids (from, up to but not including), the newest first; "" is no bound.

    Together they cover every name once, whatever it is: the last one has no lower bound (unless `since_ms` sets one).
    """
    now = time.time() * 1000 if now_ms is None else now_ms
    above = ""
    for days in WINDOWS:
        at = now - days * _DAY_MS
        if at < _COMPARABLE_MS or (since_ms is not None and at <= since_ms):
            break
        yield first_at(at), above
        above = first_at(at)
    yield ("" if since_ms is None or since_ms < _COMPARABLE_MS else first_at(since_ms)), above
