"""Where build archives are read from: the interface that every kind of blob store implements.

    page = store.list("bucket", "logs/job/", cancel=cancel)          # one page; folders in `folders`, files in `files`
    info = store.stat("bucket", "logs/job/1/finished.json", cancel=cancel)
    with store.open("bucket", info, cancel=cancel) as body: ...      # the content, decoded, in pieces

All of it blocks and belongs in worker threads. Everything raises `AppError`s; a missing object is `NotFoundError`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from backends.cancel import CancelToken
from backends.http.errors import ResponseTooLargeError, sanitize
from backends.http.response import Freshness

PAGE_SIZE = 1000  # files and folders together; the storage gives no more
MAX_EMPTY_PAGES = 200  # in a row; one is usual where a filter leaves nothing of a page
MAX_JSON_BYTES = 8 << 20  # of a JSON file of a build that is read


@dataclass(frozen=True)
class BlobInfo:
    """One object as its store describes it.

    `size`: stored bytes, None if unknown; with `encoding` ("gzip") those are compressed. `generation`: changes with
    each overwrite, "" where the store has none. `md5`, `crc32c`: base64, of the stored bytes, "" if unknown. `link`:
    what Prow's link to a build says, where the store lists that beside it.
    """

    name: str
    size: int | None = None
    updated_ms: int | None = None
    content_type: str = ""
    encoding: str = ""
    generation: str = ""
    md5: str = ""
    crc32c: str = ""
    link: str = ""

    @property
    def is_compressed(self) -> bool:
        return self.encoding not in ("", "identity")

    @property
    def content_size(self) -> int | None:
        """Bytes of the content, None where only the compressed size is known."""
        return None if self.is_compressed else self.size


@dataclass(frozen=True)
class ListQuery:
    """Which names are listed: those that begin with `prefix`; `deep` descends into folders, else they are named.

    Only names from `start` (included) to `end` (not included), both full object names. `token`: for the next page.
    `max_age`: seconds for which a cached response is as good as a new one, None for ever, less than 0 caches none.
    """

    prefix: str
    deep: bool = False
    start: str = ""
    end: str = ""
    token: str = ""
    max_age: float | None = 0.0

    @property
    def folder(self) -> str:
        return self.prefix[: self.prefix.rfind("/") + 1]

    def matches(self, name: str) -> bool:
        """Whether a name is within the query; a folder (it ends in "/") is if one of its objects can be."""
        last = f"{name}\U0010ffff" if name.endswith("/") else name
        return name.startswith(self.prefix) and last >= self.start and (not self.end or name < self.end)


@dataclass(frozen=True)
class BlobPage:
    """One page of a listing. `folders`: full names that end in "/". `token`: asks for the next page, "" after the last.

    A page may have no entries at all and still have a token. `note`: a sentence about what is odd or missing.
    """

    files: tuple[BlobInfo, ...] = ()
    folders: tuple[str, ...] = ()
    token: str = ""
    freshness: Freshness = field(default_factory=Freshness)
    note: str = ""


@dataclass(frozen=True)
class BlobStream:
    """An open object as the worker of a transfer reads it, like a response over HTTP (`transfers.worker.Stream`)."""

    status: int
    headers: Mapping[str, str]
    body: Iterator[bytes]
    encoding: str = ""
    hops: tuple[tuple[str, Mapping[str, str]], ...] = ()

    def chunks(self) -> Iterator[bytes]:
        return self.body


class BlobStore(ABC):
    """One store. Thread-safe. `kind`: gcs, gcsweb, file or s3."""

    kind: str

    def list(self, bucket: str, prefix: str, *, cancel: CancelToken, **options: Any) -> BlobPage:
        """A page of what begins with `prefix`; `options`: the other fields of `ListQuery`."""
        return self.list_page(bucket, ListQuery(prefix, **options), cancel)

    @abstractmethod
    def list_page(self, bucket: str, query: ListQuery, cancel: CancelToken) -> BlobPage:
        """A page of what the query matches, in order of name."""

    @abstractmethod
    def stat(self, bucket: str, name: str, *, cancel: CancelToken) -> BlobInfo:
        """What is known about one object. Raises `NotFoundError`."""

    @abstractmethod
    def open(self, bucket: str, info: BlobInfo, *, cancel: CancelToken) -> AbstractContextManager[Iterator[bytes]]:
        """The content from its first byte, without content-encoding, in pieces of at most 1 MB.

        Only `info.name` need be known; with a generation it is that one or `NotFoundError`.
        """

    def lists_ranges(self, bucket: str) -> bool:
        """Whether `start` and `end` of a listing save anything; False where all of the folder is listed anyway."""
        return False

    def read(self, bucket: str, info: BlobInfo, *, cancel: CancelToken, max_bytes: int = MAX_JSON_BYTES) -> bytes:
        """The complete content. Raises `ResponseTooLargeError` beyond `max_bytes`."""
        pieces, count = [], 0
        with self.open(bucket, info, cancel=cancel) as body:
            for piece in body:
                count += len(piece)
                if count > max_bytes:
                    raise ResponseTooLargeError(
                        f"{sanitize(info.name)} has more than {max_bytes:,} bytes.", "Download it instead."
                    )
                pieces.append(piece)
        return b"".join(pieces)

    def tail(self, bucket: str, name: str, size: int, *, cancel: CancelToken) -> bytes | None:
        """The last `size` bytes of a longer content; None where only all of it can be read, e.g. of compressed ones."""
        return None

    def url(self, bucket: str, name: str) -> str:
        """Where curl gets the object, "" if nowhere."""
        return ""

    def version_query(self, info: BlobInfo) -> str:
        """What names this version of an object in a URL's query, "" if nothing does."""
        return ""

    def download_url(self, bucket: str, info: BlobInfo) -> tuple[str, str]:
        """Where a download gets this version of the object ("" if nowhere), and what names the version in that URL."""
        url, version = self.url(bucket, info.name), self.version_query(info)
        if not url or not version:
            return url, ""
        return f"{url}{'&' if '?' in url else '?'}{version}", version

    def choose_store(self, bucket: str, name: str, cancel: CancelToken) -> None:  # noqa: B027 - most have only one
        """Finds out (with one request for that object) where `url` leads, if that depends on which store responds.

        Whatever goes wrong is reported when the URL is used.
        """

    def web_page(self, bucket: str, path: str) -> str | None:
        """Where a browser shows it."""
        return None


def list_pages(store: BlobStore, bucket: str, prefix: str, *, max_pages: int = 0, **options: Any) -> Iterator[BlobPage]:
    """Page after page until there is no token; stops (with a note) where a token comes twice or after `max_pages`.

    `options`: those of `BlobStore.list`.
    """
    token, seen, number, empty = "", set[str](), 0, 0
    while True:
        options["cancel"].check()
        page = store.list(bucket, prefix, token=token, **options)
        number += 1
        empty = 0 if page.files or page.folders else empty + 1
        token, note = page.token, ""
        if token in seen:
            note = "The server repeated a page token; the listing may be incomplete."
        elif token and empty >= MAX_EMPTY_PAGES:
            note = "The server kept sending empty pages; the listing may be incomplete."
        elif token and max_pages and number >= max_pages:
            note = f"Only the first {number:,} pages of this listing were requested."
        if note:
            yield replace(page, token="", note=note)
            return
        yield page
        if not token:
            return
        seen.add(token)


def list_all(store: BlobStore, bucket: str, prefix: str, **options: Any) -> BlobPage:
    """All pages as one (see `list_pages`); the freshness is the least fresh of them."""
    files: list[BlobInfo] = []
    folders: dict[str, None] = {}
    freshness, note = None, ""
    for page in list_pages(store, bucket, prefix, **options):
        files += page.files
        folders.update(dict.fromkeys(page.folders))
        freshness = page.freshness if freshness is None else freshness.worse(page.freshness)
        note = note or page.note
    return BlobPage(tuple(files), tuple(folders), "", freshness or Freshness(), note)


def epoch_ms(value: Any) -> int | None:
    """Milliseconds of an RFC 3339 time, None for what is none."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        time = datetime.fromisoformat(value)
        return int(time.timestamp() * 1000) if time.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
