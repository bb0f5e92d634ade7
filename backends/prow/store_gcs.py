"""Buckets over Google's JSON API, as anybody may read the public ones: no sign-in, no client library.

Rules of https://cloud.google.com/storage/docs/json_api: a page has at most 1,000 objects and folders together, may
have none and still a token; sizes are strings; sizes and hashes of a compressed object are of its compressed bytes.
Objects are requested with their generation where it is known, so that a cached response is never of another one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from backends.cancel import CancelToken
from backends.http.errors import SIGN_IN, AccessDeniedError, NotFoundError, UnexpectedResponseError, sanitize, short_url
from backends.http.policies import CachePolicy
from backends.logs.sources import from_http
from backends.prow.locators import page_path
from backends.prow.store import MAX_JSON_BYTES, PAGE_SIZE, BlobInfo, BlobPage, BlobStore, ListQuery, epoch_ms

if TYPE_CHECKING:
    from backends.http import Http


STORAGE = "https://storage.googleapis.com"
_FIELDS = "name,size,updated,contentType,contentEncoding,generation,md5Hash,crc32c,metadata"
_MAX_PAGE_BYTES = 32 << 20  # 1,000 names of 1,024 bytes with all fields have 3 MB
_MAX_TOKEN = 4000
_MAX_LINK = 4096  # what Deck reads of one
_CHECK_NAME = "Check its name; many buckets delete builds after some months."


def quote_name(name: str) -> str:
    """An object's name as one part of a path; a "%" in it (Prow writes "#" as "%23") is encoded once more."""
    return quote(name, safe="", errors="replace")


class GcsStore(BlobStore):
    """The storage at `base`, which a test or a mirror may stand in for."""

    kind = "gcs"

    def __init__(self, http: Http, base: str = STORAGE) -> None:
        self.http = http
        self.base = base.rstrip("/")
        self._threads = threading.local()

    def list_page(self, bucket: str, query: ListQuery, cancel: CancelToken) -> BlobPage:
        params: dict[str, str | int] = {"prefix": query.prefix, "maxResults": PAGE_SIZE, "projection": "noAcl"}
        params["fields"] = f"nextPageToken,prefixes,items({_FIELDS})"
        offsets = {"startOffset": query.start, "endOffset": query.end}
        optional = {"delimiter": "" if query.deep else "/", **offsets, "pageToken": query.token}
        params |= {name: value for name, value in optional.items() if value}
        url = f"{self.base}/storage/v1/b/{quote_name(bucket)}/o"
        try:
            with self._with_sign_in_hint():
                reply, response = self.http.json(
                    url, policy=list_policy(query), cap=_MAX_PAGE_BYTES, cancel=cancel, params=params
                )
        except NotFoundError:
            host = urlsplit(self.base).netloc
            raise NotFoundError(
                f"{host} has no bucket {sanitize(bucket)} (404).", "Check its name.", status=404
            ) from None
        if not isinstance(reply, dict) or not all(
            isinstance(reply.get(name, []), list) for name in ("items", "prefixes")
        ):
            raise UnexpectedResponseError(
                f"{short_url(url)} returned something that is not a listing.", "Check the storage's URL."
            )
        files = (parse_blob_info(item) for item in reply.get("items", []))
        folders = tuple(name for name in reply.get("prefixes", []) if isinstance(name, str) and name != query.prefix)
        next_token = reply.get("nextPageToken")
        following = next_token if isinstance(next_token, str) and len(next_token) <= _MAX_TOKEN else ""
        note = (
            "" if following or not next_token else "The server's page token cannot be sent back; objects are missing."
        )
        # An empty object whose name ends in "/" is a folder's own mark, which some tools leave.
        objects = tuple(info for info in files if info is not None and (info.size or info.name[-1] != "/"))
        return BlobPage(objects, folders, following, response.freshness, note)

    def lists_ranges(self, bucket: str) -> bool:
        return True

    def stat(self, bucket: str, name: str, *, cancel: CancelToken) -> BlobInfo:
        url = f"{self.base}/storage/v1/b/{quote_name(bucket)}/o/{quote_name(name)}"
        try:
            with self._with_sign_in_hint():
                reply, _ = self.http.json(url, policy=CachePolicy(ttl=0.0), cancel=cancel)
        except NotFoundError:
            raise _object_not_found(bucket, name) from None
        info = parse_blob_info(reply)
        if info is None:
            raise UnexpectedResponseError(
                f"{short_url(url)} returned something that is not an object description.", "Check the storage's URL."
            )
        return info

    @contextmanager
    def open(self, bucket: str, info: BlobInfo, *, cancel: CancelToken) -> Iterator[Iterator[bytes]]:
        body = from_http(self._downloader, self.download_url(bucket, info)[0])(cancel)
        try:
            with self._with_sign_in_hint():
                yield body
        except NotFoundError:
            raise _object_not_found(bucket, info.name) from None
        finally:
            body.close()  # type: ignore[attr-defined]

    def tail(self, bucket: str, name: str, size: int, *, cancel: CancelToken) -> bytes | None:
        """Two requests: what the object is, then a range of the very generation that was described.

        A part of what is compressed is of no use, whether its metadata say so (then the storage ignores ranges, or
        gives compressed ones) or not: no text has a zero byte, and 64 KB of gzip or zstd always have one.
        """
        info = self.stat(bucket, name, cancel=cancel)
        if info.is_compressed or info.size is None or info.size <= size:
            return None
        url, _ = self.download_url(bucket, info)
        with self._downloader() as connection, connection.open(url, offset=info.size - size, cancel=cancel) as body:
            if body.status != 206 or body.encoding:
                return None
            tail = bytearray()
            for piece in body.chunks():
                tail += piece
                if len(tail) > size:
                    return None
        return bytes(tail) if len(tail) == size and b"\0" not in tail else None

    def read(self, bucket: str, info: BlobInfo, *, cancel: CancelToken, max_bytes: int = MAX_JSON_BYTES) -> bytes:
        """Cached for ever by generation; without one requested each time."""
        policy = CachePolicy.immutable() if info.generation else CachePolicy(ttl=0.0)
        url, _ = self.download_url(bucket, info)
        try:
            with self._with_sign_in_hint():
                return self.http.get(url, policy=policy, accept="*/*", cap=max_bytes, cancel=cancel).body
        except NotFoundError:
            raise _object_not_found(bucket, info.name) from None

    def url(self, bucket: str, name: str) -> str:
        return f"{self.base}/storage/v1/b/{quote_name(bucket)}/o/{quote_name(name)}?alt=media"

    def version_query(self, info: BlobInfo) -> str:
        return f"generation={quote_name(info.generation)}" if info.generation else ""

    def web_page(self, bucket: str, path: str) -> str | None:
        kind = "" if not path or path.endswith("/") else "_details/"
        return f"https://console.cloud.google.com/storage/browser/{kind}{quote_name(bucket)}/{page_path(path)}"

    @contextmanager
    def _with_sign_in_hint(self) -> Iterator[None]:
        """What to set where the bucket refuses us: it depends on whether we have said who we are."""
        try:
            yield
        except AccessDeniedError as error:
            error.hint = sign_in_hint(self.http, self.base, error.status == 401)
            raise

    def _downloader(self) -> Any:
        """One for each thread, left open: the next file uses its connection again."""
        if not hasattr(self._threads, "downloader"):
            self._threads.downloader = self.http.downloader()
        return nullcontext(self._threads.downloader)


def sign_in_hint(http: Http, base: str, unknown: bool) -> str:
    """What to do where the storage at `base` refuses us; `unknown`: it does not know who we are (401)."""
    who = http.scope(base).partition(":")[2]
    if not who:
        return f"If the bucket is private, {SIGN_IN}."
    if unknown:
        return f"The storage does not accept the credentials ({sanitize(who)}): get new ones; {SIGN_IN}."
    return f"You are signed in ({sanitize(who)}): check that this account may read the bucket."


def _object_not_found(bucket: str, name: str) -> NotFoundError:
    return NotFoundError(f"There is no {sanitize(name, 200)} in {sanitize(bucket)} (404).", _CHECK_NAME, status=404)


def list_policy(query: ListQuery) -> CachePolicy:
    """How the response to a listing is cached."""
    if query.max_age is not None and query.max_age < 0:
        return CachePolicy.never()
    return CachePolicy(ttl=query.max_age)


def parse_blob_info(item: Any) -> BlobInfo | None:
    """An object's description in JSON; None for what has no name. Fields of a wrong type count as not given."""
    if not isinstance(item, dict) or not isinstance(item.get("name"), str) or not item["name"]:
        return None
    return BlobInfo(
        item["name"],
        parse_size(item.get("size")),
        epoch_ms(item.get("updated")),
        _text(item.get("contentType")),
        _text(item.get("contentEncoding")).strip().lower(),
        _text(item.get("generation")),
        _text(item.get("md5Hash")),
        _text(item.get("crc32c")),
        _text(metadata.get("link"))[:_MAX_LINK] if isinstance(metadata := item.get("metadata"), dict) else "",
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def parse_size(value: Any) -> int | None:
    """An int64 that JSON spells as a string (or as a number), None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < 1 << 63 else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return None
