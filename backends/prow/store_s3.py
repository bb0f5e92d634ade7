"""Buckets in Amazon's protocol through obstore, an extra: `pip install 'ciexplore[s3]'`.

Credentials come from the environment (AWS_ACCESS_KEY_ID and related variables); without them buckets are read
anonymously.
"""

from __future__ import annotations

import os
import re
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

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
from backends.logs.sources import decompress
from backends.net import is_loopback
from backends.prow.store import PAGE_SIZE, BlobInfo, BlobPage, BlobStore, BlobStream, ListQuery

if TYPE_CHECKING:
    from backends.http import Downloader


_MD5 = re.compile(r'"([0-9a-f]{32})"')  # of several parts it has a "-" and is the hash of their hashes
# With keys of its own a server returns a hash of the encrypted bytes, or nothing that means anything.
_OWN_KEYS = ("x-amz-server-side-encryption-customer-algorithm", "x-amz-server-side-encryption-aws-kms-key-id")
_STATUS = re.compile(r"status code: ([0-9]{3})\b")
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)  # fmt: skip


def open_store(bucket: str) -> Any:
    """obstore's store of a bucket. Raises `UsageError` where obstore is not installed."""
    try:
        from obstore.store import S3Store as ObstoreS3
    except ImportError:
        raise UsageError(
            "s3:// buckets need the package obstore.", "Install it with: pip install 'ciexplore[s3]'"
        ) from None
    # A download takes as long as it takes; a server that sends nothing for a minute is given up.
    options: Any = {"connect_timeout": "15s", "read_timeout": "60s", "timeout": "24h"}
    endpoint = urlsplit(os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "")
    if endpoint.scheme == "http" and is_loopback(endpoint.hostname or ""):
        options["allow_http"] = True
    retries: Any = {"max_retries": 3, "retry_timeout": timedelta(minutes=2)}
    if is_signed():
        return ObstoreS3(bucket, client_options=options, retry_config=retries)
    return ObstoreS3(bucket, config={"skip_signature": True}, client_options=options, retry_config=retries)


def is_signed() -> bool:
    """Whether there are credentials: a key, or a role of the machine that obstore asks for one."""
    return any(os.environ.get(name) for name in _CREDENTIALS)


class S3Store(BlobStore):
    """Buckets of Amazon or of AWS_ENDPOINT_URL. `open_store`: bucket -> obstore's store, for tests."""

    kind = "s3"

    def __init__(self, open_store: Callable[[str], Any] = open_store) -> None:
        self._open = open_store
        self._stores: dict[str, Any] = {}
        self._downloaded: set[str] = set()
        self._lock = threading.Lock()

    def list_page(self, bucket: str, query: ListQuery, cancel: CancelToken) -> BlobPage:
        """`token` is the last name before the page; without `deep` all of a folder is one page."""
        cancel.check()
        store = self._store(bucket)
        with _translate_errors(bucket, query.prefix):
            if not query.deep:
                result = store.list_with_delimiter(query.folder or None)
                files = [info for meta in result["objects"] if query.matches((info := _parse_blob_info(meta)).name)]
                folders = [f"{name.rstrip('/')}/" for name in result["common_prefixes"]]
                return BlobPage(tuple(files), tuple(filter(query.matches, folders)))
            offset = query.token or _before(query.start)
            chunks = store.list(query.folder or None, offset=offset or None, chunk_size=PAGE_SIZE)
            infos = [_parse_blob_info(meta) for meta in next(iter(chunks), [])]
            last = infos[-1].name if len(infos) >= PAGE_SIZE else ""
            is_last = query.end and last >= query.end
            infos = [info for info in _drop_folder_marks(store, infos) if query.matches(info.name)]
            return BlobPage(tuple(infos), (), "" if is_last else last)

    def stat(self, bucket: str, name: str, *, cancel: CancelToken) -> BlobInfo:
        cancel.check()
        with _translate_errors(bucket, name):
            return _parse_blob_info(self._store(bucket).head(name))

    @contextmanager
    def open(self, bucket: str, info: BlobInfo, *, cancel: CancelToken) -> Iterator[Iterator[bytes]]:
        cancel.check()
        with _translate_errors(bucket, info.name):
            result = self._store(bucket).get(info.name)
            yield decompress(_pieces(result, cancel))

    def url(self, bucket: str, name: str) -> str:
        return f"s3://{bucket}/{quote(name, errors='replace')}"

    def version_query(self, info: BlobInfo) -> str:
        return f"version={re.sub('[^A-Za-z0-9-]', '', info.generation)}" if info.generation else ""

    def open_download(
        self, url: str, offset: int, if_match: str | None, cancel: CancelToken, over_http: Downloader
    ) -> BlobStream:
        """What a download reads from byte `offset` on, of the version that the ETag `if_match` names.

        `over_http` is used to look at an object's encryption where a first try to verify its MD5 has failed.
        """
        split = urlsplit(url)
        bucket, name = split.netloc, unquote(split.path[1:])
        result = self._get(bucket, name, offset, if_match, cancel)
        size, (first, end) = int(result.meta["size"]), result.range
        headers = {"content-length": str(end - first), "etag": str(result.meta.get("e_tag") or "")}
        if offset:
            headers["content-range"] = f"bytes {first}-{end - 1}/{size}"
        match = _MD5.fullmatch(headers["etag"])
        if match is not None and self._is_md5(url, bucket, name, over_http):
            headers["repr-digest"] = f"md5=:{b64encode(bytes.fromhex(match[1])).decode()}:"
        encoding = str(result.attributes.get("Content-Encoding") or "")
        return BlobStream(206 if offset else 200, headers, _translated_pieces(result, bucket, name, cancel), encoding)

    def _get(self, bucket: str, name: str, offset: int, if_match: str | None, cancel: CancelToken) -> Any:
        cancel.check()
        options: dict[str, Any] = {"range": {"offset": offset}} if offset else {}
        if offset and if_match:
            options["if_match"] = if_match
        with _translate_errors(bucket, name):
            result = self._store(bucket).get(name, options=options)
        if "if_match" in options and result.meta.get("e_tag") != if_match:  # not every server knows If-Match
            raise _object_changed(bucket, name)
        return result

    def _is_md5(self, url: str, bucket: str, name: str, over_http: Downloader) -> bool:
        """Whether an ETag that looks like an MD5 is one. It is not where the object is encrypted with keys of the
        owner, which no listing says: that is looked up at the second download of a URL, after a first has failed."""
        with self._lock:
            is_repeated = url in self._downloaded
            self._downloaded.add(url)
        signed = self._sign(bucket, name) if is_repeated and is_signed() else ""
        if not signed:
            return True
        with suppress(HttpError), over_http.open(signed) as response:
            return not any(header in response.headers for header in _OWN_KEYS)
        return True

    def _sign(self, bucket: str, name: str) -> str:
        """A URL with which anybody gets the object for a minute."""
        from obstore import sign

        with _translate_errors(bucket, name):
            return str(sign(self._store(bucket), "GET", name, timedelta(minutes=1)))

    def _store(self, bucket: str) -> Any:
        with self._lock:
            if bucket not in self._stores:
                self._stores[bucket] = self._open(bucket)
            return self._stores[bucket]


def _drop_folder_marks(store: Any, infos: list[BlobInfo]) -> list[BlobInfo]:
    """Without what tools leave to mark a folder, an empty object called FOLDER/, which obstore lists as FOLDER."""
    objects = []
    for info, following in zip(infos, [*infos[1:], None], strict=True):
        is_mark = not info.size and following is not None and following.name.startswith(f"{info.name}/")
        if not info.size and not is_mark and "." not in info.name.rsplit("/", 1)[-1]:
            try:
                store.head(info.name)
            except FileNotFoundError:
                is_mark = True
        if not is_mark:
            objects.append(info)
    return objects


def _pieces(result: Any, cancel: CancelToken) -> Iterator[bytes]:
    for piece in result.stream(min_chunk_size=256 << 10):
        cancel.check()
        yield bytes(piece)


def _translated_pieces(result: Any, bucket: str, name: str, cancel: CancelToken) -> Iterator[bytes]:
    pieces = _pieces(result, cancel)
    while True:
        with _translate_errors(bucket, name):
            piece = next(pieces, b"")
        if not piece:
            return
        yield piece


def _before(start: str) -> str:
    """obstore's offset is not included: the greatest name below `start`, near enough."""
    return f"{start[:-1]}{chr(ord(start[-1]) - 1)}\U0010ffff" if start else ""


def _parse_blob_info(meta: Any) -> BlobInfo:
    modified = meta.get("last_modified")
    updated_ms = int(modified.timestamp() * 1000) if modified else None
    generation = str(meta.get("version") or meta.get("e_tag") or "")
    return BlobInfo(str(meta["path"]), meta.get("size"), updated_ms, generation=generation)


def _object_changed(bucket: str, name: str) -> UnexpectedResponseError:
    return UnexpectedResponseError(
        f"{sanitize(name)} has changed in {sanitize(bucket)} in the meantime.", "Download it from the start."
    )


@contextmanager
def _translate_errors(bucket: str, name: str) -> Iterator[None]:
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
            raise _object_changed(bucket, name) from None
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
