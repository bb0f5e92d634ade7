"""How wire bytes become the bytes of the file: content-encoding undone, with its end checked and bombs stopped.

Content-Encoding is the dress that a body travels in, so it is always undone, also for a file called ``.gz``: the
file holds what its name promised before somebody compressed the transfer. A ``.tgz`` stored as itself comes without
Content-Encoding and stays as it is.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Protocol

from backends.http.errors import HttpError

# deflate reaches 1032:1, so only nested encodings and crafted streams get past this; a size that the server stated
# is the tighter limit where there is one, and a full disk stops the run.
BOMB_RATIO = 2000
BOMB_SLACK = 64 << 20
PIECE = 1 << 20  # decoded bytes held at a time: a 64 KB chunk can hold 64 MB


_HTML_TYPES = ("text/html", "application/xhtml+xml")
_HTML_ENDINGS = (".html", ".htm", ".xhtml", ".xht", ".shtml", ".mhtml", ".mht")
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".br")
# Files of these kinds never begin with a tag of HTML, whatever the server calls them.
_NEVER_HTML = (
    ".json", ".jsonl", ".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tzst", ".png", ".jpg", ".gif", ".webp", ".pdf",
    ".whl", ".apk", ".exe", ".dll", ".so", ".parquet", ".sqlite", ".mp4", ".webm", *_PACKED,
)  # fmt: skip
HEAD = 1024  # bytes that `starts_like_html` wants to see
_HTML_BEGINNING = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s|<!--.*?-->|<\?xml[^>]*\?>)*<(?:!doctype\s+html|html|head|body|title|script|meta|style)\b",
    re.IGNORECASE | re.DOTALL,
)
_TITLE = re.compile(rb"<title[^>]*>([^<]{1,200})", re.IGNORECASE)


class BadBodyError(HttpError):
    """The body arrived and is wrong: not what its headers or the listing promised."""


class BodyDecoder(Protocol):
    def feed(self, chunk: bytes) -> Iterator[bytes]: ...
    def finish(self) -> None:
        """Raises `BadBodyError` if the stream has not come to its end."""


def make_decoder(encoding: str, place: str) -> BodyDecoder | None:
    """What undoes this Content-Encoding; None for an unencoded body. `place` names the file in a `BadBodyError`."""
    layers = [name.strip().lower() for name in encoding.split(",")]
    layers = [name for name in layers if name not in ("", "identity")]
    if not layers:
        return None
    if len(layers) > 1 or layers[0] not in ("gzip", "x-gzip", "deflate"):
        raise _bad_body(
            "bad-encoding", f"{place} came with Content-Encoding {encoding[:40]!r}, which is not known here."
        )
    return _Deflate(place) if layers[0] == "deflate" else _Gzip(place)


class _Gzip:
    """Gzip of one or several members; zeros after the last one are padding, anything else is an error."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._stream = zlib.decompressobj(31)
        self._began = False  # whether the current member has got a byte
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
                raise _bad_body(
                    "bad-encoding", f"{self._place} is not the gzip stream that it claims to be."
                ) from error
            rest = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            # It may have taken all input and still hold output, and the end mark, back.
            is_full = len(piece) == PIECE and not self._stream.eof
            if piece:
                self._decoded += len(piece)
                self._check_bomb()
                yield piece

    def finish(self) -> None:
        if self._wire and not self._stream.eof and (self._began or not self._members):
            raise _bad_body("incomplete", f"{self._place} ends in the middle of its gzip stream.", retryable=True)

    def _next_stream(self) -> zlib._Decompress:
        return zlib.decompressobj(31)

    def _skip_padding(self, rest: bytes) -> bytes:
        bare = rest.lstrip(b"\0")
        self._padding = self._padding or len(bare) < len(rest)
        if self._padding and bare:
            raise _bad_body("bad-encoding", f"{self._place} has something else after its gzip stream.")
        return bare

    def _check_bomb(self) -> None:
        if self._decoded > BOMB_RATIO * self._wire + BOMB_SLACK:
            raise _bad_body("too-large", f"{self._place} decodes to more than {BOMB_RATIO} times what was sent.")


class _Deflate(_Gzip):
    """`deflate` is a zlib stream by the standard and a bare one from some servers: the first byte tells."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self._chosen = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        if chunk and not self._chosen:
            self._chosen = True
            self._stream = zlib.decompressobj(15 if chunk[0] & 0x0F == 8 else -15)
        yield from super().feed(chunk)

    def _next_stream(self) -> zlib._Decompress:
        raise _bad_body("bad-encoding", f"{self._place} has something else after its deflate stream.")


def _bad_body(reason: str, sentence: str, *, retryable: bool = False) -> BadBodyError:
    return BadBodyError(sentence, reason=reason, retryable=retryable)


def is_html(name: str, content_type: str = "") -> bool:
    """Whether a file is meant to be HTML, by its name and by the type that its listing declares."""
    lower = name.lower()
    for ending in _PACKED:
        lower = lower.removesuffix(ending)
    return lower.endswith(_HTML_ENDINGS) or _media_type(content_type) in _HTML_TYPES


def may_be_html_page(name: str, response_type: str) -> bool:
    """Whether a response could be a page about the file instead of the file: a login, an error, a list."""
    return _media_type(response_type) in _HTML_TYPES or name.lower().endswith(_NEVER_HTML)


def starts_like_html(head: bytes) -> bool:
    return _HTML_BEGINNING.match(head) is not None


def html_page_error(place: str, head: bytes) -> BadBodyError:
    """What is said of an HTML page that came where the file is none."""
    found = _TITLE.search(head)
    title = " ".join(found[1].decode("utf-8", "replace").split()) if found else ""
    return BadBodyError(
        f"The server sent an HTML page{f' (“{title[:80]}”)' if title else ''} instead of {place}.",
        "It may ask for a login or report an error: open the URL in a browser.",
        reason="html-page",
    )


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
