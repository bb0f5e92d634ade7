"""What came back: status, headers, body, and where it came from and how old it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class ResponseSource(StrEnum):
    NETWORK = "network"  # just fetched
    REVALIDATED = "revalidated"  # the server said that the stored one still holds
    CACHE = "cache"  # stored, and still fresh by its policy
    STALE = "stale"  # stored, past its time; shown because the server could not be asked


@dataclass(frozen=True)
class Freshness:
    """Where an answer came from. `age`: seconds since a server last vouched for it. `reason`: why it is stale."""

    source: ResponseSource = ResponseSource.NETWORK
    age: float = 0.0
    reason: str = ""

    def worse(self, other: Freshness) -> Freshness:
        """Of two, the one to tell the user about: stale before fresh, and as old as the older of them."""
        order = [ResponseSource.NETWORK, ResponseSource.REVALIDATED, ResponseSource.CACHE, ResponseSource.STALE]
        found = max(self, other, key=lambda freshness: (order.index(freshness.source), freshness.age))
        return replace(found, age=max(self.age, other.age))


@dataclass(frozen=True)
class Response:
    """A whole answer. `headers` has lower-case names; `body` is decoded (no content-encoding left)."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    freshness: Freshness = field(default_factory=Freshness)


def describe_freshness(freshness: Freshness, since: float = 0.0) -> str:
    """ "fetched 12 s ago", "stored 5 min ago", "⚠ stored copy, 2 h old: the server did not answer"."""
    age = format_age(freshness.age + since)
    if freshness.source is ResponseSource.STALE:
        return f"⚠ stored copy, {age} old" + (f": {freshness.reason}" if freshness.reason else "")
    if freshness.source is ResponseSource.CACHE:
        return f"stored {age} ago"
    return f"fetched {age} ago"


def format_age(seconds: float) -> str:
    """ "a moment", "35 s", "12 min", "5 h", "3 days"."""
    if seconds < 100:
        return f"{seconds // 5 * 5:.0f} s" if seconds >= 5 else "a moment"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86_400:.0f} days"
