"""One stored answer: which headers are kept, whether it still holds, and how it becomes an answer again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from backends.http.decoding import EncodingError, TruncatedEncodingError, decode
from backends.http.errors import UnexpectedResponseError, cut_short, short_url, too_large
from backends.http.exchange import Reply
from backends.http.policies import CachePolicy
from backends.http.response import Freshness, Response
from backends.http.stores import CachedBlob, hashed, pack, unpack

# Nothing that says who we are (Set-Cookie) or where a signed address led (Location, Content-Location).
_KEPT = frozenset({"content-type", "content-disposition", "date", "etag", "last-modified", "link"})
_KEPT_PREFIXES = ("x-goog-", "x-taskcluster-", "x-amz-meta-", "x-amz-version-id")
_DROPPED = frozenset({"content-encoding", "content-length", "transfer-encoding", "set-cookie", "set-cookie2"})
_CLOCK_SLACK = 60.0  # seconds that a stored time may lie in the future before the clock is not believed


def key_of(method: str, url: str, accept: str, scope: str) -> str:
    return f"a:{hashed(method, url, accept, scope)}"


@dataclass(frozen=True)
class CacheEntry:
    """`wire`: the body as it came, still encoded: 2 MB of JSON are 47 KB. `until`: None for ever."""

    headers: Mapping[str, str]
    encoding: str
    wire: bytes
    vouched_at: float
    until: float | None

    @classmethod
    def made(cls, reply: Reply, wire: bytes, policy: CachePolicy, now: float) -> CacheEntry:
        kept = {name: value for name, value in reply.headers.items() if _is_kept(name)}
        encoding = reply.headers.get("content-encoding", "")
        return cls(kept, encoding, wire, now, None if policy.ttl is None else now + policy.ttl)

    @classmethod
    def unpacked(cls, row: bytes | None) -> CacheEntry | None:
        stored = unpack(row)
        if stored is None:
            return None
        try:
            return _entry(stored)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def packed(self) -> bytes:
        meta = {"headers": dict(self.headers), "encoding": self.encoding, "until": self.until}
        return pack(self.wire, self.vouched_at, meta)

    def age(self, now: float) -> float:
        return max(0.0, now - self.vouched_at)

    def holds(self, policy: CachePolicy | None, now: float) -> bool:
        """Whether it need not be asked for again, by what was decided when it came and by what is asked now.

        Both: what was stored of a running task does not hold for ever because the task is known to be resolved now.
        """
        if self.vouched_at > now + _CLOCK_SLACK:
            return False
        if self.until is not None and self.until <= now:
            return False
        return policy is None or policy.ttl is None or self.age(now) < policy.ttl

    def conditions(self) -> dict[str, str]:
        """The headers with which a server can say that nothing has changed."""
        wanted = {"if-none-match": self.headers.get("etag"), "if-modified-since": self.headers.get("last-modified")}
        return {name: value for name, value in wanted.items() if value}

    def vouched(self, headers: Mapping[str, str], policy: CachePolicy, now: float) -> CacheEntry:
        """The same body, said to be still right by a 304 with those headers."""
        newer = {name: value for name, value in headers.items() if _is_kept(name)}
        until = None if policy.ttl is None else now + policy.ttl
        return replace(self, headers={**self.headers, **newer}, vouched_at=now, until=until)

    def answer(self, url: str, cap: int, origin: Freshness) -> Response | None:
        """None when the stored bytes cannot be read any more. Raises `ResponseTooLargeError`."""
        try:
            body = _joined(decode([self.wire], self.encoding), url, cap) if self.encoding else self.wire
        except EncodingError:
            return None
        if len(body) > cap:
            raise too_large(url, cap)
        return Response(url, 200, self.headers, body, origin)


def _entry(stored: CachedBlob) -> CacheEntry:
    meta: Mapping[str, Any] = stored.meta
    headers = {str(name): str(value) for name, value in meta["headers"].items()}
    until = None if meta["until"] is None else float(meta["until"])
    return CacheEntry(headers, str(meta["encoding"]), stored.body, stored.stored_at, until)


def _is_kept(name: str) -> bool:
    return name in _KEPT or name.startswith(_KEPT_PREFIXES)


def read_whole(reply: Reply, url: str, cap: int) -> tuple[Response, bytes]:
    """The whole answer, decoded, and its body as it came. `url` is the one that was asked for.

    Never holds more than `cap` decoded bytes and one piece. Raises `ResponseTooLargeError`, `IncompleteBodyError`,
    `UnexpectedResponseError`.
    """
    announced = reply.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and len(announced) < 20 and int(announced) > cap:
        raise too_large(url, cap)
    wire: list[bytes] = []
    encoding = reply.headers.get("content-encoding", "").strip()
    try:
        body = _joined(decode(_kept(reply.chunks(), wire.append, url, cap), encoding), url, cap)
    except TruncatedEncodingError as error:
        raise cut_short(url) from error
    except EncodingError as error:
        raise UnexpectedResponseError(
            f"{short_url(url)} sent a body that cannot be decoded ({error}).",
            "Check the address; a proxy may be at fault.",
        ) from error
    headers = {name: value for name, value in reply.headers.items() if name not in _DROPPED}
    return Response(url, reply.status, headers, body), b"".join(wire) if encoding else body


def _kept(chunks: Iterator[bytes], keep: Callable[[bytes], None], url: str, cap: int) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > cap:
            raise too_large(url, cap)
        keep(chunk)
        yield chunk


def _joined(pieces: Iterator[bytes], url: str, cap: int) -> bytes:
    size, kept = 0, []
    for piece in pieces:
        size += len(piece)
        if size > cap:
            raise too_large(url, cap)
        kept.append(piece)
    return kept[0] if len(kept) == 1 else b"".join(kept)
