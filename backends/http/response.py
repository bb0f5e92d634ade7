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
        found = max(self, other, key=lambda origin: (order.index(origin.source), origin.age))
        return replace(found, age=max(self.age, other.age))


@dataclass(frozen=True)
class Response:
    """A whole answer. `headers` has lower-case names; `body` is decoded (no content-encoding left)."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    origin: Freshness = field(default_factory=Freshness)
