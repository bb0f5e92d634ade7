"""An archive comes from its server into the store: streamed, hashed, read to its end, and only then kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from backends.archives.reports import Counted, Report, State, Tell
from backends.archives.store import Account, Kept, Store, now_ms
from backends.archives.verifying import verify
from backends.archives.wanted import Wanted
from backends.cancel import CancelToken
from backends.frames.formats import format_bytes
from backends.http.errors import short_url
from backends.transfers.bodies import HEAD, html_page_error, make_decoder, starts_like_html

if TYPE_CHECKING:
    from backends.http import Downloader
    from backends.http.downloads import Download


def fetched(
    store: Store, wanted: Wanted, url: str, source_url: str, downloader: Downloader, cancel: CancelToken, tell: Tell,
    committed_ms: int | None = None, regions: dict[str, str] | None = None,
) -> Kept:  # fmt: skip
    """Keeps what `url` gives, if it is the archive. `url` may be signed and is told to nobody; `source_url` is kept.

    Raises `HttpError`s, `FileError`s (damaged, wrong, no room), `OperationCancelledError`; then nothing is kept.
    """
    host = short_url(source_url).partition("/")[0]
    with downloader.open(url, cancel=cancel) as download:
        tell(Report(State.STARTED, f"Downloading the archive from {host}."))
        with store.writing(wanted) as (stream, path):
            size, digest = _received(download, stream, short_url(source_url), cancel, tell)
            stream.flush()
            _refuse_page(path, wanted)
            read = Counted(tell, lambda count: f"Checking the archive: {format_bytes(count)} read.")
            verified = verify(path, wanted, cancel, read)
    return store.keep(
        Account(
            wanted.root,
            wanted.repository,
            wanted.node,
            wanted.subdirectory,
            wanted.suffix,
            source_url,
            size,
            digest,
            verified.members,
            verified.unpacked,
            committed_ms,
            now_ms(),
            verified.confirmed,
            regions=regions or {},
        )
    )


def _refuse_page(path: Path, wanted: Wanted) -> None:
    """Raises `HttpError` for what a login or a failing proxy sends with a 200."""
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    if starts_like_html(head):
        raise html_page_error(wanted.file_name, head)


def _received(download: Download, stream: BinaryIO, place: str, cancel: CancelToken, tell: Tell) -> tuple[int, str]:
    """How many bytes were written, and their SHA-256. The server does not say how many there will be."""
    digest, size = hashlib.sha256(), 0
    counted = Counted(tell, lambda count: f"Downloading the archive: {format_bytes(count)} so far.")
    for piece in _decoded(download, place):
        cancel.check()
        digest.update(piece)
        stream.write(piece)
        size += len(piece)
        counted(size)
    return size, digest.hexdigest()


def _decoded(download: Download, place: str) -> Iterator[bytes]:
    undo = make_decoder(download.encoding, place)
    for chunk in download.chunks():
        if undo is None:
            yield chunk
        else:
            yield from undo.feed(chunk)
    if undo is not None:
        undo.finish()
