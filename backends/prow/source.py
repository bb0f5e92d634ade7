"""Where build archives are read from: three questions (list, stat, open) that every kind of store answers.

    listing = source.list("bucket", "logs/job/", cancel=cancel)      # one page; folders in `folders`, files in `files`
    entry = source.stat("bucket", "logs/job/1/finished.json", cancel=cancel)
    with source.open("bucket", entry, cancel=cancel) as body: ...    # content, decoded, in pieces

All of it blocks and belongs in worker threads. Everything raises `AppError`s; a missing object is `NotFoundError`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from backends.cancel import CancelToken
from backends.http.errors import ResponseTooLargeError, sanitize
from backends.http.response import Freshness

PAGE = 1000  # entries and folders together; the storage gives no more
EMPTY_PAGES = 200  # in a row; one is usual where a filter leaves nothing of a page
SMALL = 8 << 20  # bytes of a JSON file of a build that are read at most


@dataclass(frozen=True)
class Entry:
    """One object as its store describes it.

    `size`: stored bytes, None if not said; with `encoding` ("gzip") those are compressed. `generation`: changes with
    each overwrite, "" where the store has none. `md5`, `crc32c`: base64, of the stored bytes, "" if not said.
    """

    name: str
    size: int | None = None
    updated_ms: int | None = None
    content_type: str = ""
    encoding: str = ""
    generation: str = ""
    md5: str = ""
    crc32c: str = ""

    @property
    def is_compressed(self) -> bool:
        return self.encoding not in ("", "identity")

    @property
    def content_size(self) -> int | None:
        """Bytes of the content, None where only the compressed size is known."""
        return None if self.is_compressed else self.size


@dataclass(frozen=True)
class Listing:
    """One page. `folders`: full names that end in "/". `token`: asks for the next page, "" after the last.

    A page may have no entries at all and still have a token. `note`: a sentence about what is odd or missing.
    """

    files: tuple[Entry, ...] = ()
    folders: tuple[str, ...] = ()
    token: str = ""
    origin: Freshness = field(default_factory=Freshness)
    note: str = ""


class Source(ABC):
    """One store. Thread-safe. `kind`: gcs, gcsweb, file or s3."""

    kind: str

    @abstractmethod
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
        """A page of what begins with `prefix`, in order of name; `deep` goes into folders, else they are named.

        Only names from `start` (included) to `end` (not included); both are whole object names. `hold`: seconds in
        which a stored answer is as good as a new one, None for ever, less than 0 stores none.
        """

    @abstractmethod
    def stat(self, bucket: str, name: str, *, cancel: CancelToken) -> Entry:
        """What is known about one object. Raises `NotFoundError`."""

    @abstractmethod
    def open(self, bucket: str, entry: Entry, *, cancel: CancelToken) -> AbstractContextManager[Iterator[bytes]]:
        """The content from its first byte, without content-encoding, in pieces of at most 1 MB.

        Only `entry.name` need be known; with a generation it is that one or `NotFoundError`.
        """

    def lists_ranges(self, bucket: str) -> bool:
        """Whether `start` and `end` of a listing save anything; False where all of the folder is listed anyway."""
        return False

    def read(self, bucket: str, entry: Entry, *, cancel: CancelToken, cap: int = SMALL) -> bytes:
        """The whole content. Raises `ResponseTooLargeError` beyond `cap` bytes."""
        pieces, count = [], 0
        with self.open(bucket, entry, cancel=cancel) as body:
            for piece in body:
                count += len(piece)
                if count > cap:
                    raise ResponseTooLargeError(
                        f"{sanitize(entry.name)} has more than {cap:,} bytes.", "Download it instead."
                    )
                pieces.append(piece)
        return b"".join(pieces)

    def tail(self, bucket: str, name: str, size: int, *, cancel: CancelToken) -> bytes | None:
        """The last `size` bytes of a longer content; None where only the whole can be read, as of compressed ones."""
        return None

    def address(self, bucket: str, name: str, generation: str = "") -> str:
        """Where curl gets the object, "" if nowhere."""
        return ""

    def download(self, bucket: str, entry: Entry) -> tuple[str, str]:
        """Where a download gets the object ("" if nowhere), and the piece of that address that names this version of
        it ("" if nothing does)."""
        return self.address(bucket, entry.name), ""

    def find_source(self, bucket: str, name: str, cancel: CancelToken) -> None:  # noqa: B027 - most have only one
        """Finds out (with one request for that object) where `address` leads, if that depends on who answers. Whatever
        goes wrong is said when the address is used."""

    def page(self, bucket: str, path: str) -> str | None:
        """Where a browser shows it."""
        return None


def pages(
    source: Source, bucket: str, prefix: str, *, cancel: CancelToken, deep: bool = False, start: str = "",
    end: str = "", hold: float | None = 0.0, most: int = 0,
) -> Iterator[Listing]:  # fmt: skip
    """Page after page until there is no token; stops (with a note) where a token comes twice or after `most` pages."""
    token, seen, number, empty = "", set[str](), 0, 0
    while True:
        cancel.check()
        listing = source.list(
            bucket, prefix, cancel=cancel, deep=deep, start=start, end=end, token=token, hold=hold
        )  # fmt: skip
        number += 1
        empty = 0 if listing.files or listing.folders else empty + 1
        token, note = listing.token, ""
        if token in seen:
            note = "The server repeated a page token; the listing may be incomplete."
        elif token and empty >= EMPTY_PAGES:
            note = "The server kept sending empty pages; the listing may be incomplete."
        elif token and most and number >= most:
            note = f"Only the first {number:,} pages of this listing were asked for."
        if note:
            yield Listing(listing.files, listing.folders, "", listing.origin, note)
            return
        yield listing
        if not token:
            return
        seen.add(token)


def whole(
    source: Source, bucket: str, prefix: str, *, cancel: CancelToken, deep: bool = False, hold: float | None = 0.0,
    most: int = 0,
) -> Listing:  # fmt: skip
    """All pages as one; the origin is the least fresh of them."""
    files: list[Entry] = []
    folders: dict[str, None] = {}
    origin, note = None, ""
    for listing in pages(source, bucket, prefix, cancel=cancel, deep=deep, hold=hold, most=most):
        files += listing.files
        folders.update(dict.fromkeys(listing.folders))
        origin = listing.origin if origin is None else origin.worse(listing.origin)
        note = note or listing.note
    return Listing(tuple(files), tuple(folders), "", origin or Freshness(), note)
