"""How downloads fetch what is not behind HTTP: objects of S3 buckets (s3:) and files of this disk (file:).

A transfer's worker asks for them as for anything else: from a byte on, of a version that an ETag names. So parts are
resumed, lengths and digests are checked, and files get their names in the same way whatever they come from.
"""

from __future__ import annotations

import os
import re
import stat as modes
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from backends.atomic import disk_words
from backends.cancel import CancelToken
from backends.http.errors import AccessDeniedError, HttpError, IncompleteBodyError, NotFoundError, sanitize

if TYPE_CHECKING:
    from backends.http import Downloader
    from backends.prow.s3_source import S3Source

_PIECE = 256 << 10
_MD5 = re.compile(r'"([0-9a-f]{32})"')  # of several parts it has a "-" and is the hash of their hashes
# With keys of its own a server tells a hash of the encrypted bytes, or nothing that means anything.
_OWN_KEYS = ("x-amz-server-side-encryption-customer-algorithm", "x-amz-server-side-encryption-aws-kms-key-id")


@dataclass(frozen=True)
class ObjectStream:
    """As an answer over HTTP looks to a worker (`backends.transfers.fetch.DownloadStream`)."""

    status: int
    headers: Mapping[str, str]
    body: Iterator[bytes]
    encoding: str = ""
    hops: tuple[tuple[str, Mapping[str, str]], ...] = ()

    def chunks(self) -> Iterator[bytes]:
        return self.body


class ObjectDownloader:
    """Used by one thread. `over_http`: fetches http: and https: addresses; `s3`: may be shared."""

    def __init__(self, over_http: Downloader, s3: S3Source) -> None:
        self._over_http = over_http
        self._s3 = s3

    def open(
        self,
        url: str,
        *,
        offset: int = 0,
        if_range: str | None = None,
        cancel: CancelToken | None = None,
        **over_http: Any,
    ) -> AbstractContextManager[Any]:
        """`over_http`: options that only requests over HTTP have."""
        scheme = url.partition(":")[0]
        token = cancel or CancelToken()
        if scheme == "file":
            return _local_file(unquote(urlsplit(url).path), offset, if_range, token)
        if scheme == "s3":
            return nullcontext(self._s3_object(url, offset, if_range, token))
        return self._over_http.open(url, offset=offset, if_range=if_range, cancel=cancel, **over_http)

    def __enter__(self) -> ObjectDownloader:
        return self

    def __exit__(self, *_: object) -> None:
        self._over_http.close()

    def _s3_object(self, url: str, offset: int, if_range: str | None, cancel: CancelToken) -> ObjectStream:
        split = urlsplit(url)
        bucket, name = split.netloc, unquote(split.path[1:])
        found = self._s3.get(bucket, name, offset, if_range, cancel)
        size, (first, end) = int(found.meta["size"]), found.range
        headers = {"content-length": str(end - first), "etag": str(found.meta.get("e_tag") or "")}
        if offset:
            headers["content-range"] = f"bytes {first}-{end - 1}/{size}"
        match = _MD5.fullmatch(headers["etag"])
        if match is not None and self._is_md5(bucket, name, again=self._s3.asked_before(url)):
            from base64 import b64encode

            headers["repr-digest"] = f"md5=:{b64encode(bytes.fromhex(match[1])).decode()}:"
        encoding = str(found.attributes.get("Content-Encoding") or "")
        body = self._s3.pieces(found, bucket, name, cancel)
        return ObjectStream(206 if offset else 200, headers, body, encoding)

    def _is_md5(self, bucket: str, name: str, *, again: bool) -> bool:
        """Whether an ETag that looks like an MD5 is one. It is not where the object is encrypted with keys of its
        own, which no listing says: that is looked up where a first try has failed."""
        url = self._s3.signed_url(bucket, name) if again else ""
        if not url:
            return True
        with suppress(HttpError), self._over_http.open(url) as answer:
            return not any(header in answer.headers for header in _OWN_KEYS)
        return True


@contextmanager
def _local_file(path: str, offset: int, if_range: str | None, cancel: CancelToken) -> Iterator[ObjectStream]:
    """No link is followed at its end, and what is no plain file (a pipe would be waited for) is refused."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"There is no file {sanitize(path)}.", "List the folder again.") from None
    except OSError as problem:
        raise _unreadable(path, problem) from None
    try:
        before = os.fstat(descriptor)
        if not modes.S_ISREG(before.st_mode):
            raise AccessDeniedError(f"{sanitize(path)} is not a plain file.", "Only plain files are copied.")
        etag, size = _version_of(before), before.st_size
        begin = offset if offset <= size and if_range == etag else 0
        headers = {"etag": etag, "content-length": str(size - begin)}
        if begin:
            headers["content-range"] = f"bytes {begin}-{size - 1}/{size}"
            os.lseek(descriptor, begin, os.SEEK_SET)
        yield ObjectStream(206 if begin else 200, headers, _read(descriptor, path, etag, cancel))
    finally:
        os.close(descriptor)


def _read(descriptor: int, path: str, etag: str, cancel: CancelToken) -> Iterator[bytes]:
    while True:
        cancel.check()
        try:
            piece = os.read(descriptor, _PIECE)
        except OSError as problem:
            raise _unreadable(path, problem) from None
        if not piece:
            break
        yield piece
    if _version_of(os.fstat(descriptor)) != etag:
        raise IncompleteBodyError(f"{sanitize(path)} was written to while it was copied.", "Copy it again.")


def _version_of(found: os.stat_result) -> str:
    return f'"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"'


def _unreadable(path: str, problem: OSError) -> HttpError:
    said = disk_words(problem)
    return AccessDeniedError(f"{sanitize(path)} cannot be read: {said}.", "Check its permissions.")
