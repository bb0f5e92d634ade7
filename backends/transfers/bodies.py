"""Decodes bodies (Content-Encoding) with a limit against bombs, and recognizes HTML pages sent instead of a file.

Content-Encoding belongs to the transfer, so it is always decoded, also for a file called ``.gz``. A ``.tgz`` that is
stored as such comes without Content-Encoding and stays as it is.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Protocol

from backends.http.errors import HttpError

# deflate reaches 1032:1 at most, so only crafted streams exceed this. A size given by the server is a tighter limit,
# and a full disk stops the run.
BOMB_RATIO = 2000
BOMB_SLACK = 64 << 20
PIECE = 1 << 20  # decoded bytes in memory at a time: a 64 KB chunk can expand to 64 MB
_HTML_TYPES = ("text/html", "application/xhtml+xml")
_HTML_ENDINGS = (".html", ".htm", ".xhtml", ".xht", ".shtml", ".mhtml", ".mht")
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".br")
# Files with these extensions never begin with an HTML tag, whatever their content type.
_NEVER_HTML = (
    ".json", ".jsonl", ".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tzst", ".png", ".jpg", ".gif", ".webp", ".pdf",
    ".whl", ".apk", ".exe", ".dll", ".so", ".parquet", ".sqlite", ".mp4", ".webm", *_PACKED,
)  # fmt: skip
HEAD = 1024  # bytes that `starts_like_html` needs
_HTML_BEGINNING = re.compile(  # what has matched is not tried again: 40 comments in a row would take days otherwise
    rb"(?:\xef\xbb\xbf)?(?>\s|<!--.*?-->|<\?xml[^>]*\?>)*+<(?:!doctype\s+html|html|head|body|title|script|meta|style)\b",
    re.IGNORECASE | re.DOTALL,
)
_TITLE = re.compile(rb"<title[^>]*>([^<]{1,200})", re.IGNORECASE)


class BadBodyError(HttpError):
    """The body is wrong: it does not match its headers or the listing."""


class BodyDecoder(Protocol):
    def feed(self, chunk: bytes) -> Iterator[bytes]: ...
    def finish(self) -> None:
        """Raises `BadBodyError` if the stream is incomplete."""


def make_decoder(encoding: str, place: str) -> BodyDecoder | None:
    """The decoder of this Content-Encoding; None for an unencoded body. `place`: the file's name for errors."""
    if not encoding:
        return None
    layers = [name.strip().lower() for name in encoding.split(",")]
    layers = [name for name in layers if name not in ("", "identity")]
    if not layers:
        return None
    if len(layers) > 1 or layers[0] not in ("gzip", "x-gzip", "deflate"):
        raise _bad_body("bad-encoding", f"{place} has the unsupported Content-Encoding {encoding[:40]!r}.")
    return _Deflate(place) if layers[0] == "deflate" else _Gzip(place)


class _Gzip:
    """Gzip with one or more members. Zeros after the last one are padding, anything else is an error."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._stream = zlib.decompressobj(31)
        self._began = False  # whether the current member has received a byte
        self._members = 0
        self._padding = False
        self._wire = 0
        self._decoded = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        self._wire += len(chunk)
        rest, is_full = chunk, False
        while rest or is_full:
            if self._stream.eof:
                self._members += 1
                self._stream, self._began = self._next_stream(), False
            if not self._began and self._members:
                rest = self._skip_padding(rest)
                if not rest:
                    return
            self._began = True
            try:
                piece = self._stream.decompress(rest, PIECE)
            except zlib.error as error:
                raise _bad_body("bad-encoding", f"{self._place} is not a valid gzip stream.") from error
            rest = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            # It may have consumed all input and still hold back output and the end mark.
            is_full = len(piece) == PIECE and not self._stream.eof
            if piece:
                self._decoded += len(piece)
                self._check_bomb()
                yield piece

    def finish(self) -> None:
        if self._wire and not self._stream.eof and (self._began or not self._members):
            raise _bad_body("incomplete", f"{self._place} ends within its gzip stream.", retryable=True)

    def _next_stream(self) -> zlib._Decompress:
        return zlib.decompressobj(31)

    def _skip_padding(self, rest: bytes) -> bytes:
        bare = rest.lstrip(b"\0")
        self._padding = self._padding or len(bare) < len(rest)
        if self._padding and bare:
            raise _bad_body("bad-encoding", f"{self._place} has other data after its gzip stream.")
        return bare

    def _check_bomb(self) -> None:
        if self._decoded > BOMB_RATIO * self._wire + BOMB_SLACK:
            raise _bad_body("too-large", f"{self._place} decodes to more than {BOMB_RATIO} times its size.")


class _Deflate(_Gzip):
    """`deflate` is a zlib stream by the standard, and a raw one from some servers: the first byte tells."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self._chosen = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        if chunk and not self._chosen:
            self._chosen = True
            self._stream = zlib.decompressobj(15 if chunk[0] & 0x0F == 8 else -15)
        yield from super().feed(chunk)

    def _next_stream(self) -> zlib._Decompress:
        raise _bad_body("bad-encoding", f"{self._place} has other data after its deflate stream.")


def _bad_body(reason: str, sentence: str, *, retryable: bool = False) -> BadBodyError:
    return BadBodyError(sentence, reason=reason, retryable=retryable)


def is_html(name: str, content_type: str = "") -> bool:
    """Whether a file is meant to be HTML, by its name and the content type of its listing."""
    lower = name.lower()
    for ending in _PACKED:
        lower = lower.removesuffix(ending)
    return lower.endswith(_HTML_ENDINGS) or _media_type(content_type) in _HTML_TYPES


def may_be_html_page(name: str, response_type: str) -> bool:
    """Whether a response could be an HTML page instead of the file: a login, an error, a directory index."""
    return _media_type(response_type) in _HTML_TYPES or name.lower().endswith(_NEVER_HTML)


def starts_like_html(head: bytes) -> bool:
    return _HTML_BEGINNING.match(head) is not None


def html_page_error(place: str, head: bytes) -> BadBodyError:
    """The error for an HTML page that was sent instead of a file."""
    found = _TITLE.search(head)
    title = " ".join(found[1].decode("utf-8", "replace").split()) if found else ""
    return BadBodyError(
        f"The server sent an HTML page{f' (“{title[:80]}”)' if title else ''} instead of {place}.",
        "It may ask for a login or report an error: open the URL in a browser.",
        reason="html-page",
    )


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
