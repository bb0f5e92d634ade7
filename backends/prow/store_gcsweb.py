"""Buckets through gcsweb's pages, for networks that reach nothing else: slower, one folder at a time, no hashes.

Two generations of gcsweb are in use (test-infra gcsweb/cmd/gcsweb at 2019 and today). Rows look the same; only the
older one has pages, only the newer one has links to other tools below the rows, and it returns 200 for what does not
exist. Nothing is escaped in its HTML. `FallbackStore` uses it where the storage itself cannot be read.
"""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import chain
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

from backends.cancel import CancelToken
from backends.http.errors import (
    AccessDeniedError,
    HttpError,
    NetworkError,
    NotFoundError,
    UnexpectedResponseError,
    sanitize,
    short_url,
)
from backends.http.policies import CachePolicy
from backends.http.response import Response
from backends.logs.sources import from_http
from backends.prow.locators import page_path
from backends.prow.store import MAX_JSON_BYTES, BlobInfo, BlobPage, BlobStore, ListQuery, list_all, list_pages
from backends.prow.store_gcs import list_policy

if TYPE_CHECKING:
    from backends.http import Http


_MAX_PAGE_BYTES = 128 << 20  # today's gcsweb puts a whole folder into one page: 40,000 builds have 16 MB
_HEAD = 4096


class GcswebStore(BlobStore):
    """A gcsweb at `base`, e.g. https://gcsweb.k8s.io."""

    kind = "gcsweb"

    def __init__(self, http: Http, base: str) -> None:
        self.http = http
        self.base = base.rstrip("/").removesuffix("/gcs")

    def list_page(self, bucket: str, query: ListQuery, cancel: CancelToken) -> BlobPage:
        if query.deep:
            return self._list_deep(bucket, query, cancel)
        params: dict[str, str | int] = {"marker": query.token} if query.token else {}
        try:
            response = self.http.get(
                self.url(bucket, query.folder), policy=list_policy(query), accept="text/html", cap=_MAX_PAGE_BYTES,
                cancel=cancel, params=params,
            )  # fmt: skip
        except NotFoundError:  # the older one redirects to the storage, which has no object of that name
            return BlobPage()
        page = parse_page(self._text(response), query.folder)
        files = tuple(info for info in page.files if query.matches(info.name))
        folders = tuple(filter(query.matches, page.folders))
        note = f"{page.ambiguous:,} names on gcsweb's page cannot be read with certainty." if page.ambiguous else ""
        return BlobPage(files, folders, page.marker, response.freshness, note)

    def _list_deep(self, bucket: str, query: ListQuery, cancel: CancelToken) -> BlobPage:
        """gcsweb shows no tree: one folder after the other."""
        files: list[BlobInfo] = []
        left = [query.prefix]
        while left:
            page = list_all(self, bucket, left.pop(0), cancel=cancel, max_age=query.max_age)
            files += page.files
            left += page.folders
        return BlobPage(tuple(sorted(files, key=lambda info: info.name)))

    def _text(self, response: Response) -> str:
        text = response.body.decode("utf-8", "replace")
        if not is_listing(text):
            raise UnexpectedResponseError(
                f"{short_url(response.url)} is not a page of gcsweb.", "Check gcsweb's URL in the settings."
            )
        return text

    def stat(self, bucket: str, name: str, *, cancel: CancelToken) -> BlobInfo:
        """From the folder's page: a request for the file itself returns 200 even if there is none."""
        folder = name[: name.rfind("/") + 1]
        for page in list_pages(self, bucket, folder, cancel=cancel):
            for info in page.files:
                if info.name == name:
                    return info
        raise NotFoundError(f"gcsweb lists no {sanitize(name)} in {sanitize(bucket)}.", "Check its name.")

    @contextmanager
    def open(self, bucket: str, info: BlobInfo, *, cancel: CancelToken) -> Iterator[Iterator[bytes]]:
        body = from_http(self.http.downloader, self.url(bucket, info.name))(cancel)
        try:
            yield _refuse_empty_page(body, info.name)
        finally:
            body.close()  # type: ignore[attr-defined]

    def read(self, bucket: str, info: BlobInfo, *, cancel: CancelToken, max_bytes: int = MAX_JSON_BYTES) -> bytes:
        # Its responses have no validator and its pages no generation: they are cached for a minute.
        url = self.url(bucket, info.name)
        response = self.http.get(url, policy=CachePolicy.short(60), accept="*/*", cap=max_bytes, cancel=cancel)
        return b"".join(_refuse_empty_page(iter((response.body,)), info.name))

    def url(self, bucket: str, name: str) -> str:
        return f"{self.base}/gcs/{quote(bucket, safe='')}/{quote(name, errors='replace')}"

    def version_query(self, info: BlobInfo) -> str:
        """gcsweb has no versions: what its page says of the object is one, in a query that it ignores."""
        return f"listed={info.size}-{info.updated_ms}"

    def web_page(self, bucket: str, path: str) -> str | None:
        return f"{self.base}/gcs/{quote(bucket, safe='')}/{page_path(path)}"


def _refuse_empty_page(body: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Today's gcsweb returns 200 and the page of an empty folder for a file that does not exist."""
    head = b""
    for piece in body:
        head += piece
        if len(head) >= _HEAD:
            break
    if is_listing(head[:_HEAD].decode("utf-8", "replace")):
        raise NotFoundError(
            f"gcsweb has no {sanitize(name)}: it returned the page of an empty folder.", "Check its name."
        )
    yield from chain((head,) if head else (), body)


# ---- pages ---------------------------------------------------------------------------------------------------------

# By what stands between the columns: a name may contain "<", "&", quotes and even tags of its own.
_ROW = re.compile(
    r'<li class="pure-g grid-row">\s*<div class="pure-u-2-5"><a href="(.*?)"><img src="/icons/(back|dir|file)\.png"> ?'
    r'(.*?)</a></div>\s*<div class="pure-u-1-5">(.*?)</div>\s*<div class="pure-u-2-5">(.*?)</div>\s*</li>',
    re.DOTALL,
)
_NEXT = re.compile(r'<a href="([^"]*[?&]marker=[^"]*)"[^>]*class="[^"]*next-button')
_TITLE = re.compile(r"<title>(?:GCS|S3) browser: ")


@dataclass(frozen=True)
class GcswebPage:
    """`marker`: what asks for the next page, "" on the last. `ambiguous`: rows whose name and link disagree."""

    files: tuple[BlobInfo, ...]
    folders: tuple[str, ...]
    marker: str = ""
    ambiguous: int = 0


def is_listing(text: str) -> bool:
    """Whether this is one of gcsweb's own pages (and not an HTML file that it serves)."""
    return _TITLE.search(text[:4000]) is not None


def parse_page(text: str, prefix: str) -> GcswebPage:
    """The rows of the page of the folder `prefix` (which ends in "/" or is empty); names are full names."""
    files: list[BlobInfo] = []
    folders: list[str] = []
    ambiguous = 0
    for href, icon, label, size, modified in _ROW.findall(text):
        if icon == "back":
            continue
        name, agrees = _name(label.rstrip("\r\n"), href)
        ambiguous += not agrees
        if not name or "/" in name.rstrip("/"):
            ambiguous += agrees
        elif icon == "dir":
            folders.append(f"{prefix}{name.rstrip('/')}/")
        else:
            files.append(
                BlobInfo(prefix + name, int(size) if size.isascii() and size.isdigit() else None, _time(modified))
            )
    return GcswebPage(tuple(files), tuple(folders), _marker(text), ambiguous)


def _name(label: str, href: str) -> tuple[str, bool]:
    """(name, whether the link agrees): the text is the name as it is, but for pages that escape it."""
    tail = href.rstrip("/").rpartition("/")[2]
    bare = label.rstrip("/")
    if tail in (bare, html.escape(bare)) or unquote(tail) == bare:
        return label, True
    unescaped = html.unescape(label)
    if unescaped != label and unquote(html.unescape(tail)) == unescaped.rstrip("/"):
        return unescaped, True
    return label, False


def _marker(text: str) -> str:
    match = _NEXT.search(text)
    if match is None:
        return ""
    return parse_qs(urlsplit(html.unescape(match[1])).query).get("marker", [""])[0]


def _time(text: str) -> int | None:
    """`02 Jan 2006 15:04:05` (2019, UTC) or RFC 1123."""
    try:
        time = datetime.strptime(text.strip(), "%d %b %Y %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        try:
            time = parsedate_to_datetime(text.strip())
        except (ValueError, TypeError):
            return None
    time = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return int(time.timestamp() * 1000) if time.year > 1970 else None


# ---- fallback ------------------------------------------------------------------------------------------------------

T = TypeVar("T")
_RETRY_AFTER = 600.0  # seconds after which new lists try the first store again
_NOTE = "The storage cannot be read ({}); this listing comes from gcsweb."


@dataclass
class StoreChoice:
    """What is known of a bucket's two stores: whether the first `worked`, or the `reason` why the second is used."""

    worked: bool = False
    reason: str = ""
    since: float = field(default_factory=time.monotonic)


class FallbackStore(BlobStore):
    """The storage first, gcsweb where the storage refuses or cannot be reached.

    Uses `first` until it fails for a reason that lasts; from then on only `second`. This is decided once for each
    bucket: all stores with the same two URLs share `known`. The two never share a listing: a page token of one means
    nothing to the other.
    """

    kind = "gcs"

    def __init__(self, first: BlobStore, second: BlobStore, known: dict[str, StoreChoice] | None = None) -> None:
        self.first, self.second = first, second
        self._known = {} if known is None else known
        self._chosen: dict[str, StoreChoice] = {}  # a list ends with the store that it began with

    def _call(self, bucket: str, call: Callable[[BlobStore], T]) -> T:
        choice = self._choice(bucket)
        if choice.reason:
            return call(self.second)
        try:
            result = call(self.first)
        except (AccessDeniedError, NetworkError, UnexpectedResponseError) as error:
            if choice.worked:  # it works in general: this failure is about one object
                raise
            try:
                result = call(self.second)
            except HttpError:  # then the error of the storage is the one to report
                raise error from None
            choice.reason = error.sentence.rstrip(".")
            return result
        choice.worked = True
        return result

    def list_page(self, bucket: str, query: ListQuery, cancel: CancelToken) -> BlobPage:
        page = self._call(bucket, lambda store: store.list_page(bucket, query, cancel))
        reason = self._choice(bucket).reason
        if not reason:
            return page
        return replace(page, note=f"{_NOTE.format(reason)} {page.note}".strip())

    def lists_ranges(self, bucket: str) -> bool:
        return self._current(bucket).lists_ranges(bucket)

    def stat(self, bucket: str, name: str, *, cancel: CancelToken) -> BlobInfo:
        return self._call(bucket, lambda store: store.stat(bucket, name, cancel=cancel))

    @contextmanager
    def open(self, bucket: str, info: BlobInfo, *, cancel: CancelToken) -> Iterator[Iterator[bytes]]:
        with ExitStack() as stack:

            def open_body(store: BlobStore) -> Iterator[bytes]:
                """With its first bytes: only they tell whether the store lets us read."""
                body = iter(stack.enter_context(store.open(bucket, info, cancel=cancel)))
                return chain([next(body, b"")], body)

            yield self._call(bucket, open_body)

    def tail(self, bucket: str, name: str, size: int, *, cancel: CancelToken) -> bytes | None:
        return self._call(bucket, lambda store: store.tail(bucket, name, size, cancel=cancel))

    def read(self, bucket: str, info: BlobInfo, *, cancel: CancelToken, max_bytes: int = MAX_JSON_BYTES) -> bytes:
        return self._call(bucket, lambda store: store.read(bucket, info, cancel=cancel, max_bytes=max_bytes))

    def url(self, bucket: str, name: str) -> str:
        """Of the store that is used for the bucket, if that is known by now; `choose_store` finds it out."""
        return self._current(bucket).url(bucket, name)

    def download_url(self, bucket: str, info: BlobInfo) -> tuple[str, str]:
        return self._current(bucket).download_url(bucket, info)

    def choose_store(self, bucket: str, name: str, cancel: CancelToken) -> None:
        choice = self._choice(bucket)
        if not choice.reason and not choice.worked:
            with suppress(HttpError):
                self.stat(bucket, name, cancel=cancel)

    def web_page(self, bucket: str, path: str) -> str | None:
        return self.second.web_page(bucket, path)

    def _current(self, bucket: str) -> BlobStore:
        return self.second if self._choice(bucket).reason else self.first

    def _choice(self, bucket: str) -> StoreChoice:
        if bucket not in self._chosen:
            known = self._known.get(bucket)
            if known is None or time.monotonic() - known.since > _RETRY_AFTER:
                known = self._known[bucket] = StoreChoice()
            self._chosen[bucket] = known
        return self._chosen[bucket]
