"""One bucket as the lists of Prow read it, and which bucket a name means: public Prows, moved buckets, web pages."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

import msgspec

from backends.cancel import CancelToken
from backends.errors import AppError, UsageError
from backends.http.errors import HttpError, NotInCapsuleError, sanitize
from backends.http.policies import Mode
from backends.prow import store_local
from backends.prow.locators import BUCKET, ProwPath, ProwView, describe_file, page_path, route
from backends.prow.store import MAX_JSON_BYTES, BlobInfo, BlobPage, BlobStore, list_all, list_pages
from backends.prow.store_gcs import STORAGE, GcsStore
from backends.prow.store_gcsweb import FallbackStore, GcswebStore, StoreChoice
from backends.prow.store_s3 import S3Store
from backends.resources import Document, LogAddress

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Downloader, Http
    from backends.http.cache import BlobCache

TAIL_BYTES = 64 << 10  # asked for at first: 500 lines of usual length
_MAX_TAIL_BYTES = 8 << 20  # beyond, the complete log is read
_TAIL_FACTOR = 8
_MAX_DOCUMENT_BYTES = 64 << 20
_MAX_DOCUMENT_LINES = 10_000


@dataclass(frozen=True)
class PublicProw:
    """A public Prow. `moved`: names that its bucket had before (Deck rewrites them too)."""

    name: str
    bucket: str
    deck: str
    moved: tuple[str, ...] = ()


# openshift/release core-services/prow/02_config (bucket_aliases); kubernetes/test-infra issue 33381 (moved 2024).
PUBLIC_PROWS = (
    PublicProw("openshift", "test-platform-results", "https://prow.ci.openshift.org", ("origin-ci-test",)),
    PublicProw("kubernetes", "kubernetes-ci-logs", "https://prow.k8s.io", ("kubernetes-jenkins",)),
)


@dataclass(frozen=True)
class BucketReader:
    """One bucket: its store, the locators of what is in it, and where responses are cached.

    `store`: the locators' name of the store. `scope` tells cached responses of two servers apart, `user` those of two
    users (the public name of who we are to the server). `state_path`: the directory of the app's history. `now`: gives
    the time that lists count back from, in seconds since 1970.
    """

    blobs: BlobStore
    bucket: str
    store: str = ""
    cache: BlobCache | None = None
    scope: str = ""
    user: str = ""
    state_path: Path | None = None
    now: Callable[[], float] = time.time

    @property
    def cache_prefix(self) -> str:
        """Begins the keys of all that is cached of this bucket."""
        return f"{self.store}|{self.scope}{f'|{self.user}' if self.user else ''}"

    def list_pages(self, prefix: str, cancel: CancelToken, **options: Any) -> Iterator[BlobPage]:
        """See `store.list_pages`."""
        return list_pages(self.blobs, self.bucket, prefix, cancel=cancel, **options)

    def list_all(self, prefix: str, cancel: CancelToken, **options: Any) -> BlobPage:
        """See `store.list_all`."""
        return list_all(self.blobs, self.bucket, prefix, cancel=cancel, **options)

    def list_page(self, prefix: str, cancel: CancelToken, **options: Any) -> BlobPage:
        """The first page only."""
        return self.blobs.list(self.bucket, prefix, cancel=cancel, **options)

    def stat(self, name: str, cancel: CancelToken) -> BlobInfo:
        """Raises `NotFoundError`."""
        return self.blobs.stat(self.bucket, name, cancel=cancel)

    def tail(self, name: str, size: int, cancel: CancelToken) -> bytes | None:
        """The last bytes of a longer object, None where all of it has to be read."""
        return self.blobs.tail(self.bucket, name, size, cancel=cancel)

    def read(self, info: BlobInfo | str, cancel: CancelToken, max_bytes: int = MAX_JSON_BYTES) -> bytes:
        """The content of an object, by its description or its name alone."""
        info = BlobInfo(info) if isinstance(info, str) else info
        return self.blobs.read(self.bucket, info, cancel=cancel, max_bytes=max_bytes)

    def open(self, info: BlobInfo | str, cancel: CancelToken) -> AbstractContextManager[Iterator[bytes]]:
        """The content in pieces."""
        return self.blobs.open(self.bucket, BlobInfo(info) if isinstance(info, str) else info, cancel=cancel)

    def locator(self, path: str, lines: tuple[int, ...] = ()) -> ProwPath:
        return ProwPath(self.bucket, path, self.store, lines)

    def log(
        self, path: str, title: str, *, lines: tuple[int, ...] = (), final: bool = False, failed: bool = False
    ) -> LogAddress | None:
        """A text by its object's name; None where no URL leads to it. `final`, `failed`: see `LogAddress`.

        It is called by its job and build, or `title` if it is not in a build.
        """
        url = self.blobs.url(self.bucket, path)
        if not url:
            return None
        if len(lines) == 2 and lines[1] < lines[0]:
            lines = lines[:1]
        line, last = (*lines, None, None)[:2]
        title = describe_file(path) or title
        return LogAddress(url, title, self.locator(path, lines), line=line, final=final, failed=failed, last=last)

    def last_lines(self, path: str, count: int, cancel: CancelToken) -> list[bytes] | None:
        """The last `count` lines of a log with their ends; None where the complete log has to be read for them.

        That is the case for a compressed log, one shorter than `TAIL_BYTES`, lines of megabytes, and whatever goes
        wrong: reading the complete log reports that better.
        """
        size = TAIL_BYTES
        while size <= _MAX_TAIL_BYTES:
            try:
                tail = self.tail(path, size, cancel)
            except HttpError:
                return None
            if tail is None:
                return None
            lines = list(io.BytesIO(tail))[1:]  # the first may have lost its beginning
            if len(lines) >= count:
                return lines[-count:]
            size *= _TAIL_FACTOR
        return None

    def document(self, path: str, title: str) -> Document:
        """A JSON file as a tree, called `title` if it is not in a build."""
        return Document(
            describe_file(path) or title, self.locator(path), lambda cancel: self._read_document(path, cancel)
        )

    def _read_document(self, path: str, cancel: CancelToken) -> Any:
        """Raises `AppError` for what is not JSON, and the `HttpError`s of reading it."""
        content = self.read(path, cancel, _MAX_DOCUMENT_BYTES)
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return msgspec.json.decode(content)
        lines = [line for line in content.split(b"\n") if line.strip()]
        try:  # sidecar-logs.json is one object a line
            return [msgspec.json.decode(line) for line in lines[:_MAX_DOCUMENT_LINES]]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise AppError(
                f"{sanitize(path)} is not valid JSON: {sanitize(str(error), 120)}.", "Press l to read it as text."
            ) from None

    def web_page(self, path: str, view: str = "view") -> str | None:
        """Deck's page of a build (`view`) or of a job (`job-history`), else the store's."""
        return deck_page(self.bucket, path, view) or self.blobs.web_page(self.bucket, path)


def open_bucket(locator: ProwPath | ProwView, http: Http, settings: Settings) -> BucketReader:
    """The bucket of a locator. No I/O."""
    blobs = open_store(locator.store, http, settings)
    if locator.store:
        return BucketReader(blobs, locator.bucket, locator.store, state_path=settings.state_path, now=http.now)
    user = ""
    with suppress(UsageError):  # a wrong URL of the storage is reported where it is used
        user = http.scope(settings.gcs_url)
    return BucketReader(
        blobs, locator.bucket, "", http.blob_cache(), settings.gcs_url, user, settings.state_path, http.now
    )


# (storage, gcsweb) -> which of the two is used for a bucket; every list makes a store of its own.
_choices: dict[tuple[str, str], dict[str, StoreChoice]] = {}


def open_store(store: str, http: Http, settings: Settings) -> BlobStore:
    """What reads a locator's store; see `backends.prow.locators` for the names."""
    if store and http.mode is Mode.CAPSULE:
        raise NotInCapsuleError("Capsules do not cover S3 buckets and files.", "Open it without a capsule.")
    if store.startswith("file:"):
        return store_local.LocalStore(Path(store[5:]))
    if store == "s3":
        return S3Store()
    if settings.gcsweb_url:
        known = _choices.setdefault((settings.gcs_url, settings.gcsweb_url), {})
        return FallbackStore(GcsStore(http, settings.gcs_url), GcswebStore(http, settings.gcsweb_url), known)
    return GcsStore(http, settings.gcs_url)


class ObjectDownloader:
    """How downloads fetch everything: http: and https: URLs, objects of S3 buckets (s3:), files of this disk (file:).

    Used by one thread. `over_http`: fetches http: and https: URLs; `s3`: may be shared. A transfer's worker asks for a
    URL from a byte on, of a version that an ETag names. So parts are resumed, lengths and digests are checked, and
    files get their names in the same way whatever they come from.
    """

    def __init__(self, over_http: Downloader, s3: S3Store) -> None:
        self._over_http = over_http
        self._s3 = s3

    def open(
        self,
        url: str,
        *,
        offset: int = 0,
        if_range: str | None = None,
        cancel: CancelToken | None = None,
        **http_options: Any,
    ) -> AbstractContextManager[Any]:
        """`http_options`: options that only requests over HTTP have."""
        scheme = url.partition(":")[0]
        token = cancel or CancelToken()
        if scheme == "file":
            return store_local.open_download(unquote(urlsplit(url).path), offset, if_range, token)
        if scheme == "s3":
            return nullcontext(self._s3.open_download(url, offset, if_range, token, self._over_http))
        return self._over_http.open(url, offset=offset, if_range=if_range, cancel=cancel, **http_options)

    def __enter__(self) -> ObjectDownloader:
        return self

    def __exit__(self, *_: object) -> None:
        self._over_http.close()


def default_bucket(settings: Settings) -> str:
    """The bucket that is meant where no bucket is given. Raises `UsageError` for an invalid setting."""
    name = settings.prow_bucket.strip()
    known = {prow.name: prow.bucket for prow in PUBLIC_PROWS}
    if name.lower() in known:
        return known[name.lower()]
    if not BUCKET.fullmatch(name):
        raise UsageError(
            "The setting prow_bucket is neither a bucket name nor a known Prow.",
            f"Known: {', '.join(known)}; or a bucket.",
        )
    return name


def current_name(bucket: str, settings: Settings) -> str:
    """The bucket's name today. Only on Google's own storage: a mirror keeps the names it was made with."""
    if bucket in settings.prow_aliases:
        return settings.prow_aliases[bucket]
    if settings.gcs_url.rstrip("/") != STORAGE:
        return bucket
    return next((prow.bucket for prow in PUBLIC_PROWS if bucket in prow.moved), bucket)


def deck_page(bucket: str, path: str, view: str = "view") -> str | None:
    """Where the bucket's Deck shows a path: `view` of a build, `job-history` of a job (none below pr-logs/pull/)."""
    prow = next((prow for prow in PUBLIC_PROWS if bucket == prow.bucket or bucket in prow.moved), None)
    has_history = route(path).place.is_job and "pr-logs/pull/" not in path
    if prow is None or (view == "job-history" and not has_history):
        return None
    return f"{prow.deck}/{view}/gs/{bucket}/{page_path(path.rstrip('/'))}"


def deck_lines(bucket: str, path: str, lines: tuple[int, ...]) -> str | None:
    """Where the bucket's Deck shows lines of a file of a build, as its log lens links them."""
    base = route(path).base
    page = deck_page(bucket, base) if base and path != base else None
    if page is None:
        return None
    return f"{page}#1:{quote(path.removeprefix(base), errors='replace')}%3A{'-'.join(map(str, lines))}"


def live_log(bucket: str, job: str, build: str, storage: str) -> str:
    """Where Deck gives the log of a build that runs (its pod's own), "" where no Deck is known.

    Storage gets the log only when the build has ended. Deck knows nothing of what a mirror serves.
    """
    prow = next((prow for prow in PUBLIC_PROWS if bucket == prow.bucket), None)
    if prow is None or storage.rstrip("/") != STORAGE:
        return ""
    return f"{prow.deck}/log?job={quote(job, safe='')}&id={quote(build, safe='')}"
