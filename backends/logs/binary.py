"""Whether what is read as a log is a text at all: compressed data and programs have no lines."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Iterator
from itertools import chain

from backends.errors import UsageError

HEAD = 4096  # bytes that are looked at
_SHORTEST = 16  # bytes; fewer tell nothing
_CONTROL = bytes({*range(0x20), 0x7F} - {0x08, 0x09, 0x0A, 0x0C, 0x0D, 0x1B})
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_SIGNS = (
    (b"MZ", "a Windows program"), (b"\x7fELF", "a Linux program"), (b"\xca\xfe\xba\xbe", "a program"),
    (b"\xcf\xfa\xed\xfe", "a macOS program"), (b"PK\x03\x04", "a zip archive"), (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"), (b"\xfd7zXZ\0", "an xz archive"), (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"), (b"\x89PNG", "a PNG image"), (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"), (b"%PDF", "a PDF document"), (b"SQLite format 3\0", "an SQLite database"),
    (b"PAR1", "a Parquet file"), (b"\0asm", "a WebAssembly program"),
)  # fmt: skip


class NotTextError(UsageError):
    """What was named as a log has no lines."""


def check_text(pieces: Iterable[bytes], title: str, name: str, hint: str) -> Iterator[bytes]:
    """The same pieces. `title` and `name`: what they are called, for people and as a file.

    Raises `NotTextError` before the first piece is given, and what `pieces` raise.
    """
    rest = iter(pieces)
    first = next((piece for piece in rest if piece), b"")
    if kind := describe_binary(first[:HEAD], name):
        raise NotTextError(f"{title} is not a text but {kind}, so it has no lines.", hint)
    return chain((first,), rest) if first else iter(())


def describe_binary(head: bytes, name: str) -> str:
    """What a file is that begins so, e.g. "a zip archive", if it is not a text; "" for a text.

    A text has hardly any control characters. Encodings other than UTF-8 count as texts.
    """
    if len(head) < _SHORTEST or head.startswith(_UTF16):
        return ""
    control = 1 - len(head.translate(None, _CONTROL)) / len(head)
    odd = control + head.decode("utf-8", "replace").count("\ufffd") / len(head)
    sign = next((words for beginning, words in _SIGNS if head.startswith(beginning)), "")
    if head[257:262] == b"ustar":
        sign = "a tar archive"
    if not (control > 0.05 and odd > 0.2) and not (sign and control > 0.01):
        return ""
    kind = mimetypes.guess_type(name)[0]
    return sign or (f"binary data ({kind})" if kind else "binary data")
