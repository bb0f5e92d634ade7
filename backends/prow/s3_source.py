"""Buckets in Amazon's protocol through obstore, an extra: `pip install 'ciexplore[s3]'`.

Who we are comes from the environment (AWS_ACCESS_KEY_ID and its kin); without it buckets are read as anybody may.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.http.errors import (
    AccessDeniedError,
    HttpError,
    NetworkError,
    NotFoundError,
    UnexpectedResponseError,
    sanitize,
)
from backends.net import is_loopback
from backends.prow.source import PAGE, Entry, Listing, Source

_STATUS = re.compile(r"status code: ([0-9]{3})\b")
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)  # fmt: skip


def open_store(bucket: str) -> Any:
    """obstore's store of a bucket. Raises `UsageError` where obstore is not installed."""
    try:
        from obstore.store import S3Store
    except ImportError:
        raise UsageError(
            "s3:// buckets need the package obstore.", "Install it with: pip install 'ciexplore[s3]'"
        ) from None
    # A download takes as long as it takes; a server that says nothing for a minute is given up.
    options: Any = {"connect_timeout": "15s", "read_timeout": "60s", "timeout": "24h"}
    endpoint = urlsplit(os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "")
    if endpoint.scheme == "http" and is_loopback(endpoint.hostname or ""):
        options["allow_http"] = True
    retries: Any = {"max_retries": 3, "retry_timeout": timedelta(minutes=2)}
    if is_signed():
        return S3Store(bucket, client_options=options, retry_config=retries)
    return S3Store(bucket, config={"skip_signature": True}, client_options=options, retry_config=retries)


def is_signed() -> bool:
    """Whether there are credentials: a key, or a role of the machine that obstore asks for one."""
    return any(os.environ.get(name) for name in _CREDENTIALS)


class S3Source(Source):
    kind = "s3"

    def __init__(self, store: Callable[[str], Any] = open_store) -> None:
        self._open = store
        self._stores: dict[str, Any] = {}
        self._asked: set[str] = set()
        self._lock = threading.Lock()

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
        """`token` is the last name before the page; without `deep` all of a folder is one page."""
        cancel.check()
        store, folder = self._store(bucket), prefix[: prefix.rfind("/") + 1]
        with _in_words(bucket, prefix):
            if deep:
                offset = token or _before(start)
                found: Any = next(iter(store.list(folder or None, offset=offset or None, chunk_size=PAGE)), [])
                entries = [_entry(meta) for meta in found]
                last = entries[-1].name if len(entries) >= PAGE else ""
                entries = _without_marks(store, entries)
                kept = [one for one in entries if one.name.startswith(prefix) and (not end or one.name < end)]
                return Listing(tuple(kept), (), "" if end and last >= end else last)
            told = store.list_with_delimiter(folder or None)
        files = [_entry(meta) for meta in told["objects"]]
        folders = [f"{name.rstrip('/')}/" for name in told["common_prefixes"]]
        return Listing(
            tuple(one for one in files if one.name.startswith(prefix) and start <= one.name and _below(one.name, end)),
            tuple(
                one for one in folders if one.startswith(prefix) and f"{one}\U0010ffff" >= start and _below(one, end)
            ),
        )

    def stat(self, bucket: str, name: str, *, cancel: CancelToken) -> Entry:
        cancel.check()
        with _in_words(bucket, name):
            return _entry(self._store(bucket).head(name))

    @contextmanager
    def open(self, bucket: str, entry: Entry, *, cancel: CancelToken) -> Iterator[Iterator[bytes]]:
        from backends.logs.sources import decompress

        cancel.check()
        with _in_words(bucket, entry.name):
            found = self._store(bucket).get(entry.name)
            yield decompress(_pieces(found, cancel))

    def address(self, bucket: str, name: str, generation: str = "") -> str:
        return f"s3://{bucket}/{quote(name, errors='replace')}"

    def download(self, bucket: str, entry: Entry) -> tuple[str, str]:
        version = f"version={re.sub('[^A-Za-z0-9-]', '', entry.generation)}" if entry.generation else ""
        return self.address(bucket, entry.name) + (f"?{version}" if version else ""), version

    # ---- what `object_downloads` needs

    def get(self, bucket: str, name: str, offset: int, if_match: str | None, cancel: CancelToken) -> Any:
        """obstore's result from byte `offset` on of the version that the ETag `if_match` names."""
        cancel.check()
        options: dict[str, Any] = {"range": {"offset": offset}} if offset else {}
        if offset and if_match:
            options["if_match"] = if_match
        with _in_words(bucket, name):
            found = self._store(bucket).get(name, options=options)
        if "if_match" in options and found.meta.get("e_tag") != if_match:  # not every server knows If-Match
            raise _changed(bucket, name)
        return found

    def pieces(self, found: Any, bucket: str, name: str, cancel: CancelToken) -> Iterator[bytes]:
        pieces = _pieces(found, cancel)
        while True:
            with _in_words(bucket, name):
                piece = next(pieces, b"")
            if not piece:
                return
            yield piece

    def asked_before(self, url: str) -> bool:
        with self._lock:
            known = url in self._asked
            self._asked.add(url)
            return known

    def signed_url(self, bucket: str, name: str) -> str:
        """Where the object is for a minute for anybody who has the address, "" for a bucket that anybody may read."""
        if not is_signed():
            return ""
        from obstore import sign

        with _in_words(bucket, name):
            return str(sign(self._store(bucket), "GET", name, timedelta(minutes=1)))

    def _store(self, bucket: str) -> Any:
        with self._lock:
            if bucket not in self._stores:
                self._stores[bucket] = self._open(bucket)
            return self._stores[bucket]


def _without_marks(store: Any, entries: list[Entry]) -> list[Entry]:
    """Without what tools leave to mark a folder, an empty object called FOLDER/, which obstore lists as FOLDER."""
    kept = []
    for entry, following in zip(entries, [*entries[1:], None], strict=True):
        is_mark = not entry.size and following is not None and following.name.startswith(f"{entry.name}/")
        if not entry.size and not is_mark and "." not in entry.name.rsplit("/", 1)[-1]:
            try:
                store.head(entry.name)
            except FileNotFoundError:
                is_mark = True
        if not is_mark:
            kept.append(entry)
    return kept


def _pieces(found: Any, cancel: CancelToken) -> Iterator[bytes]:
    for piece in found.stream(min_chunk_size=256 << 10):
        cancel.check()
        yield bytes(piece)


def _before(start: str) -> str:
    """obstore's offset is not included: the greatest name below `start`, near enough."""
    return f"{start[:-1]}{chr(ord(start[-1]) - 1)}\U0010ffff" if start else ""


def _below(name: str, end: str) -> bool:
    return not end or name < end


def _entry(meta: Any) -> Entry:
    at = meta.get("last_modified")
    generation = str(meta.get("version") or meta.get("e_tag") or "")
    return Entry(str(meta["path"]), meta.get("size"), int(at.timestamp() * 1000) if at else None, generation=generation)


def _changed(bucket: str, name: str) -> UnexpectedResponseError:
    return UnexpectedResponseError(
        f"{sanitize(name)} has changed in {sanitize(bucket)} meanwhile.", "Download it from the start."
    )


@contextmanager
def _in_words(bucket: str, name: str) -> Iterator[None]:
    try:
        yield
    except (UsageError, HttpError):
        raise
    except Exception as error:
        if not type(error).__module__.startswith("obstore") and not isinstance(error, FileNotFoundError):
            raise
        kind, text = type(error).__name__, str(error)
        status = match[1] if (match := _STATUS.search(text)) else ""
        if "NoSuchBucket" in text or (status == "404" and not isinstance(error, FileNotFoundError)):
            raise NotFoundError(
                f"There is no bucket {sanitize(bucket)} (404).", "Check its name.", status=404
            ) from None
        if kind == "PreconditionError":
            raise _changed(bucket, name) from None
        if isinstance(error, FileNotFoundError):
            raise NotFoundError(
                f"There is no {sanitize(name)} in {sanitize(bucket)}.", "Check its name.", status=404
            ) from None
        if kind in ("PermissionDeniedError", "UnauthenticatedError") or status in ("401", "403"):
            raise AccessDeniedError(
                f"The bucket {sanitize(bucket)} does not let you read {sanitize(name)}.",
                "If it is private, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of somebody who may.",
                status=403,
            ) from None
        raise NetworkError(
            f"The bucket {sanitize(bucket)} cannot be read: {sanitize(text, 200)}.", "Try again."
        ) from None
