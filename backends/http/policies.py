"""Cache policies, run modes, and identities (credentials for one origin).

A policy says how long one response is cached; each client passes it with its requests, next to the endpoint that it is
about (search for `CachePolicy.` in `taskcluster/client.py`, `treeherder/client.py`, `prow/store_*.py`,
`archives/hosts.py`).
`caching.CacheEntry.is_fresh` applies it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Mode(StrEnum):
    NORMAL = "normal"
    OFFLINE = "offline"  # stored answers only, however old
    REFRESH = "refresh"  # stored answers are not read; new ones are stored
    NO_CACHE = "no-cache"  # neither read nor written
    CAPSULE = "capsule"  # what a capsule holds (see `backends.capsules`); lists ask for the same as they do online

    @property
    def reads(self) -> bool:
        return self in (Mode.NORMAL, Mode.OFFLINE)

    @property
    def is_offline(self) -> bool:
        """Whether no server is asked."""
        return self in (Mode.OFFLINE, Mode.CAPSULE)

    @property
    def writes(self) -> bool:
        return self in (Mode.NORMAL, Mode.REFRESH)


@dataclass(frozen=True)
class CachePolicy:
    """How long an answer holds.

    `store`: keep it at all. `ttl`: seconds in which it is not asked for again, None for ever. `stale_if_error`: when
    the server cannot be asked, the last known answer is given instead, marked with its age.
    """

    store: bool = True
    ttl: float | None = 60.0
    stale_if_error: bool = True

    @classmethod
    def immutable(cls) -> CachePolicy:
        """It cannot change any more: a resolved task, a finished build."""
        return cls(ttl=None)

    @classmethod
    def short(cls, seconds: float) -> CachePolicy:
        """Cached for so long; 0 asks each time, with the ETag, so that an unchanged body is not sent again."""
        return cls(ttl=seconds)

    @classmethod
    def never(cls) -> CachePolicy:
        """Neither read from nor written to the disk: credentials, signed addresses."""
        return cls(store=False, ttl=0.0, stale_if_error=False)


@dataclass(frozen=True)
class Identity:
    """Who we are to ONE origin.

    `origin`: "https://host[:port]". `scope`: a public name such as a clientId; answers are stored apart by it.
    `sign(method, url)`: the headers to add, made anew for each request because they hold a time and a nonce.
    `note()`: why nothing is signed although it should be, "" while all is well.
    """

    origin: str
    scope: str
    sign: Callable[[str, str], Mapping[str, str]] = field(repr=False, compare=False)
    note: Callable[[], str] = field(default=str, repr=False, compare=False)
