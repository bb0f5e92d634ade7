"""Buckets over Google's JSON API, as anybody may read the public ones: no sign-in, no client library.

Rules of https://cloud.google.com/storage/docs/json_api: a page has at most 1,000 entries and folders together, may
have none and still a token; sizes are strings; sizes and hashes of a compressed object are of its compressed bytes.
Objects are addressed with their generation where it is known, so that a stored answer can never be of another one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from backends.cancel import CancelToken
from backends.http.errors import SIGN_IN, AccessDeniedError, NotFoundError, UnexpectedResponseError, sanitize, short_url
from backends.http.policies import CachePolicy
from backends.locators.prow import page_path
from backends.prow.source import PAGE, SMALL, Entry, Listing, Source

if TYPE_CHECKING:
    from backends.http import Downloader, Http

STORAGE = "https://storage.googleapis.com"
_FIELDS = "name,size,updated,contentType,contentEncoding,generation,md5Hash,crc32c"
_LIST_CAP = 32 << 20  # bytes of a page: 1,000 names of 1,024 bytes with all fields have 3 MB
_LONGEST_TOKEN = 4000
_GONE = "Check its name; many buckets delete builds after some months."


def segment(name: str) -> str:
    """An object's name as one part of a path; a "%" in it (Prow writes "#" as "%23") is encoded once more."""
    return quote(name, safe="", errors="replace")


class GcsSource(Source):
    """The storage at `base`, which a test or a mirror may stand in for."""

    kind = "gcs"

    def __init__(self, http: Http, base: str = STORAGE) -> None:
        self.http = http
        self.base = base.rstrip("/")
        self._threads = threading.local()

    def list(
        self,
        bucket: str,
        prefix: str,
        *,
        cancel: CancelToken,
        deep: bool = False,
        start: str = "",
        end: str = "",
        token: str = "",
        hold: float | None = 0.0,
    ) -> Listing:
        fields = f"nextPageToken,prefixes,items({_FIELDS})"
        params: dict[str, str | int] = {"prefix": prefix, "maxResults": PAGE, "fields": fields, "projection": "noAcl"}
        optional = {"delimiter": "" if deep else "/", "startOffset": start, "endOffset": end, "pageToken": token}
        params |= {name: value for name, value in optional.items() if value}
        policy = CachePolicy.never() if hold is not None and hold < 0 else CachePolicy(ttl=hold)
        url = f"{self.base}/storage/v1/b/{segment(bucket)}/o"
        try:
            with self._hint_to_sign_in():
                told, answer = self.http.json(url, policy=policy, cap=_LIST_CAP, cancel=cancel, params=params)
        except NotFoundError:
            host = urlsplit(self.base).netloc
            raise NotFoundError(
                f"{host} has no bucket {sanitize(bucket)} (404).", "Check its name.", status=404
            ) from None
        if not isinstance(told, dict) or not all(
            isinstance(told.get(name, []), list) for name in ("items", "prefixes")
        ):
            raise UnexpectedResponseError(
                f"{short_url(url)} answered with something that is no listing.", "Check the storage's URL."
            )
        files = (entry_of(item) for item in told.get("items", []))
        folders = tuple(one for one in told.get("prefixes", []) if isinstance(one, str) and one != prefix)
        next_token = told.get("nextPageToken")
        following = next_token if isinstance(next_token, str) and len(next_token) <= _LONGEST_TOKEN else ""
        note = (
            "" if following or not next_token else "The server's page token cannot be sent back; entries are missing."
        )
        # An empty object whose name ends in "/" is a folder's own mark, which some tools leave.
        kept = tuple(one for one in files if one is not None and (one.size or one.name[-1] != "/"))
        return Listing(kept, folders, following, answer.origin, note)

    def lists_ranges(self, bucket: str) -> bool:
        return True

    def stat(self, bucket: str, name: str, *, cancel: CancelToken) -> Entry:
        url = f"{self.base}/storage/v1/b/{segment(bucket)}/o/{segment(name)}"
        try:
            with self._hint_to_sign_in():
                told, _ = self.http.json(url, policy=CachePolicy(ttl=0.0), cancel=cancel)
        except NotFoundError:
            raise _no_object(bucket, name) from None
        entry = entry_of(told)
        if entry is None:
            raise UnexpectedResponseError(
                f"{short_url(url)} answered with something that is no object.", "Check the storage's URL."
            )
        return entry

    @contextmanager
    def open(self, bucket: str, entry: Entry, *, cancel: CancelToken) -> Iterator[Iterator[bytes]]:
        from backends.logs import sources

        body = sources.from_http(self._downloader, self.address(bucket, entry.name, entry.generation))(cancel)
        try:
            with self._hint_to_sign_in():
                yield body
        except NotFoundError:
            raise _no_object(bucket, entry.name) from None
        finally:
            body.close()  # type: ignore[attr-defined]

    def tail(self, bucket: str, name: str, size: int, *, cancel: CancelToken) -> bytes | None:
        """Two requests: what the object is, then a range of the very generation that was told.

        A part of what is compressed is of no use, whether its metadata say so (then the storage ignores ranges, or
        gives compressed ones) or not: no text has a zero byte, and 64 KB of gzip or zstd always have one.
        """
        entry = self.stat(bucket, name, cancel=cancel)
        if entry.is_compressed or entry.size is None or entry.size <= size:
            return None
        url = self.address(bucket, name, entry.generation)
        with self._downloader() as connection, connection.open(url, offset=entry.size - size, cancel=cancel) as body:
            if body.status != 206 or body.encoding:
                return None
            found = bytearray()
            for piece in body.chunks():
                found += piece
                if len(found) > size:
                    return None
        return bytes(found) if len(found) == size and b"\0" not in found else None

    def read(self, bucket: str, entry: Entry, *, cancel: CancelToken, cap: int = SMALL) -> bytes:
        """Kept for ever by generation; without one asked for each time."""
        policy = CachePolicy.immutable() if entry.generation else CachePolicy(ttl=0.0)
        url = self.address(bucket, entry.name, entry.generation)
        try:
            with self._hint_to_sign_in():
                return self.http.get(url, policy=policy, accept="*/*", cap=cap, cancel=cancel).body
        except NotFoundError:
            raise _no_object(bucket, entry.name) from None

    def address(self, bucket: str, name: str, generation: str = "") -> str:
        pinned = f"&generation={segment(generation)}" if generation else ""
        return f"{self.base}/storage/v1/b/{segment(bucket)}/o/{segment(name)}?alt=media{pinned}"

    def download(self, bucket: str, entry: Entry) -> tuple[str, str]:
        version = f"generation={segment(entry.generation)}" if entry.generation else ""
        return self.address(bucket, entry.name, entry.generation), version

    def page(self, bucket: str, path: str) -> str | None:
        kind = "" if not path or path.endswith("/") else "_details/"
        return f"https://console.cloud.google.com/storage/browser/{kind}{segment(bucket)}/{page_path(path)}"

    @contextmanager
    def _hint_to_sign_in(self) -> Iterator[None]:
        """What to set where the bucket refuses us: it depends on whether we have said who we are."""
        try:
            yield
        except AccessDeniedError as problem:
            problem.hint = sign_in_hint(self.http, self.base, problem.status == 401)
            raise

    def _downloader(self) -> Downloader:
        """One for each thread: a connection of its own that the next file uses again."""
        if not hasattr(self._threads, "kept"):
            self._threads.kept = _Kept(self.http.downloader())
        kept: Any = self._threads.kept
        return kept  # type: ignore[no-any-return]


def sign_in_hint(http: Http, base: str, unknown: bool) -> str:
    """What to do where the storage at `base` refuses us; `unknown`: it does not know who we are (401)."""
    who = http.scope(base).partition(":")[2]
    if not who:
        return f"If the bucket is private, {SIGN_IN}."
    if unknown:
        return f"The storage does not accept the credentials ({sanitize(who)}): get new ones; {SIGN_IN}."
    return f"You are signed in ({sanitize(who)}): check that this account may read the bucket."


def _no_object(bucket: str, name: str) -> NotFoundError:
    return NotFoundError(f"There is no {sanitize(name, 200)} in {sanitize(bucket)} (404).", _GONE, status=404)


class _Kept:
    """A downloader that stays open when its user is done with it."""

    def __init__(self, downloader: Downloader) -> None:
        self.open = downloader.open

    def __enter__(self) -> _Kept:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def entry_of(item: Any) -> Entry | None:
    """An object's description as an entry; None for what has no name. Fields of a wrong type count as not given."""
    if not isinstance(item, dict) or not isinstance(item.get("name"), str) or not item["name"]:
        return None
    return Entry(
        item["name"],
        whole_number(item.get("size")),
        epoch_ms(item.get("updated")),
        _text(item.get("contentType")),
        _text(item.get("contentEncoding")).strip().lower(),
        _text(item.get("generation")),
        _text(item.get("md5Hash")),
        _text(item.get("crc32c")),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def whole_number(value: Any) -> int | None:
    """An int64 that JSON spells as a text (or as a number), None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < 1 << 63 else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return None


def epoch_ms(value: Any) -> int | None:
    """Milliseconds of an RFC 3339 time, None for what is none."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        at = datetime.fromisoformat(value)
        return int(at.timestamp() * 1000) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
