"""Buckets through gcsweb's pages, for networks that reach nothing else: slower, one folder at a time, no hashes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING
from urllib.parse import quote

from backends.cancel import CancelToken
from backends.http.errors import NotFoundError, UnexpectedResponseError, sanitize, short_url
from backends.http.policies import CachePolicy
from backends.http.response import Response
from backends.locators.prow import page_path
from backends.prow.gcsweb_pages import is_listing, read_page
from backends.prow.source import SMALL, Entry, Listing, Source

if TYPE_CHECKING:
    from backends.http import Http

_PAGE_CAP = 128 << 20  # today's gcsweb puts a whole folder into one page: 40,000 builds have 16 MB
_HEAD = 4096


class GcswebSource(Source):
    """A gcsweb at `base`, such as https://gcsweb.k8s.io."""

    kind = "gcsweb"

    def __init__(self, http: Http, base: str) -> None:
        self.http = http
        self.base = base.rstrip("/").removesuffix("/gcs")

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
        if deep:
            return self._deep(bucket, prefix, cancel, hold)
        folder = prefix[: prefix.rfind("/") + 1]
        params: dict[str, str | int] = {"marker": token} if token else {}
        policy = CachePolicy.never() if hold is not None and hold < 0 else CachePolicy(ttl=hold)
        try:
            answer = self.http.get(
                self._url(bucket, folder), policy=policy, accept="text/html", cap=_PAGE_CAP, cancel=cancel,
                params=params,
            )  # fmt: skip
        except NotFoundError:  # the older one redirects to the storage, which has no object of that name
            return Listing()
        text = self._text(answer)
        page = read_page(text, folder)
        files = tuple(one for one in page.files if _wanted(one.name, prefix, start, end))
        folders = tuple(one for one in page.folders if _wanted(one, prefix, "", end) and f"{one}\U0010ffff" >= start)
        note = f"{page.odd:,} names on gcsweb's page cannot be read with certainty." if page.odd else ""
        return Listing(files, folders, page.marker, answer.origin, note)

    def _deep(self, bucket: str, prefix: str, cancel: CancelToken, hold: float | None) -> Listing:
        """gcsweb shows no tree: one folder after the other."""
        from backends.prow.source import whole

        files: list[Entry] = []
        left = [prefix]
        while left:
            found = whole(self, bucket, left.pop(0), cancel=cancel, hold=hold)
            files += found.files
            left += found.folders
        return Listing(tuple(sorted(files, key=lambda one: one.name)))

    def _text(self, answer: Response) -> str:
        text = answer.body.decode("utf-8", "replace")
        if not is_listing(text):
            raise UnexpectedResponseError(
                f"{short_url(answer.url)} is no page of a gcsweb.", "Check gcsweb's URL in the settings."
            )
        return text

    def stat(self, bucket: str, name: str, *, cancel: CancelToken) -> Entry:
        """From the folder's page: a request for the file itself is answered with 200 even if there is none."""
        from backends.prow.source import pages

        folder = name[: name.rfind("/") + 1]
        for listing in pages(self, bucket, folder, cancel=cancel):
            for entry in listing.files:
                if entry.name == name:
                    return entry
        raise NotFoundError(f"gcsweb lists no {sanitize(name)} in {sanitize(bucket)}.", "Check its name.")

    @contextmanager
    def open(self, bucket: str, entry: Entry, *, cancel: CancelToken) -> Iterator[Iterator[bytes]]:
        from backends.logs import sources

        body = sources.from_http(self.http.downloader, self._url(bucket, entry.name))(cancel)
        try:
            yield _checked(body, entry.name)
        finally:
            body.close()  # type: ignore[attr-defined]

    def read(self, bucket: str, entry: Entry, *, cancel: CancelToken, cap: int = SMALL) -> bytes:
        # Its answers have no validator and its pages no generation: a minute is as long as one of them may hold.
        url = self._url(bucket, entry.name)
        answer = self.http.get(url, policy=CachePolicy.short(60), accept="*/*", cap=cap, cancel=cancel)
        return b"".join(_checked(iter((answer.body,)), entry.name))

    def address(self, bucket: str, name: str, generation: str = "") -> str:
        return self._url(bucket, name)

    def download(self, bucket: str, entry: Entry) -> tuple[str, str]:
        """It knows no versions: what its page says of the object is one, in a query that it does not look at."""
        version = f"listed={entry.size}-{entry.updated_ms}"
        return f"{self._url(bucket, entry.name)}?{version}", version

    def page(self, bucket: str, path: str) -> str | None:
        return f"{self.base}/gcs/{quote(bucket, safe='')}/{page_path(path)}"

    def _url(self, bucket: str, path: str) -> str:
        return f"{self.base}/gcs/{quote(bucket, safe='')}/{quote(path, errors='replace')}"


def _wanted(name: str, prefix: str, start: str, end: str) -> bool:
    return name.startswith(prefix) and name >= start and (not end or name < end)


def _checked(body: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Today's gcsweb answers for a file that is not there with 200 and the page of an empty folder."""
    head = b""
    for piece in body:
        head += piece
        if len(head) >= _HEAD:
            break
    if is_listing(head[:_HEAD].decode("utf-8", "replace")):
        raise NotFoundError(
            f"gcsweb has no {sanitize(name)}: it answered with the page of an empty folder.", "Check its name."
        )
    yield from chain((head,) if head else (), body)
