"""A log that has been read whole is kept, so that it is there at once the next time, and offline.

In the store beside the answers, compressed; up to `CAP` bytes of text, which is what nearly every log of a task has.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from backends.cancel import CancelToken
from backends.http.decoding import EncodingError, decode
from backends.http.policies import Mode
from backends.logs.sources import from_http, from_path

if TYPE_CHECKING:
    from backends.http import Http
    from backends.logs.spool import Source

Downloaders = Callable[[], AbstractContextManager[Any]]
CAP = 32 << 20  # decoded bytes
_LEVEL = 1  # 100 MB/s and more, for a tenth to a twentieth of the size


def from_address(
    http: Http,
    url: str,
    *,
    live: bool = False,
    final: bool = True,
    downloader: Downloaders | None = None,
) -> Source:
    """A log on a server, kept as below, or on this disk by its file: address. `downloader`: opens what `http` cannot,
    such as s3: addresses; those are not kept.
    """
    if url.startswith("file:"):
        return from_path(Path(unquote(urlsplit(url).path)))
    if downloader is not None and not url.startswith(("http:", "https:")):
        return from_http(downloader, url)  # type: ignore[arg-type]
    return from_http_kept(http, url, live=live, final=final)


class Address(Protocol):
    """What is needed of `backends.resources.LogAddress`."""

    @property
    def url(self) -> str: ...
    @property
    def live(self) -> bool: ...
    @property
    def final(self) -> bool: ...
    @property
    def elsewhere(self) -> Callable[[CancelToken], Address] | None: ...


def from_log(http: Http, address: Address, downloader: Downloaders | None = None) -> Source:
    """The text of an address; where there is nothing at its URL, the one that `elsewhere` finds."""
    first = from_address(http, address.url, live=address.live, final=address.final, downloader=downloader)
    elsewhere = address.elsewhere
    if elsewhere is None:
        return first

    def read(cancel: CancelToken) -> Iterator[bytes]:
        from backends.http.errors import FailedDependencyError, GoneError, HttpError, NotFoundError

        begun = False
        try:
            for chunk in first(cancel):
                begun = True
                yield chunk
            return
        except HttpError as problem:
            # A live log is served by the worker itself: nobody listens there once the run is over.
            if begun or not (address.live or isinstance(problem, (NotFoundError, GoneError, FailedDependencyError))):
                raise
        found = elsewhere(cancel)
        yield from from_address(http, found.url, live=found.live, final=found.final, downloader=downloader)(cancel)

    return read


def from_http_kept(http: Http, url: str, *, live: bool = False, final: bool = True) -> Source:
    """As `sources.from_http`. `final`: what stands at `url` is never another text once it is whole; what is not is
    given from the store only when the server cannot be asked (offline). A `live` log is not kept: it has no end yet.
    """

    def read(cancel: CancelToken) -> Iterator[bytes]:
        store, key = http.stored(), f"log-v1|{http.scope(url)}|{url}"
        passing = f"{key}|passing"  # what was read while it could still change is never taken for the final text
        offline = http.mode is Mode.OFFLINE
        if store is not None and (offline or (final and not live)):
            found = store.get(key) or (store.get(passing) if offline else None)
            text = None if found is None else _text(found.body)
            if text is not None:
                cancel.check()
                yield from text
                return
        source = from_http(http.downloader, url, live=live)
        if store is None or live or offline:
            yield from source(cancel)
            return
        kept: list[bytes] | None = []
        size, packing = 0, zlib.compressobj(_LEVEL, wbits=31)
        for chunk in source(cancel):
            size += len(chunk)
            if size > CAP:
                kept = None
            if kept is not None:
                kept.append(packing.compress(chunk))
            yield chunk
        if kept is not None:
            store.put(key if final else passing, b"".join([*kept, packing.flush()]))

    return read


def _text(packed: bytes) -> list[bytes] | None:
    """The text in pieces; None for stored bytes that are damaged, which are then fetched anew."""
    pieces, size = [], 0
    try:
        for piece in decode([packed], "gzip"):
            size += len(piece)
            if size > CAP:
                return None
            pieces.append(piece)
    except EncodingError:
        return None
    return pieces
