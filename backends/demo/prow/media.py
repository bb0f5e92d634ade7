"""How an object's bytes are sent: as stored, a range of them, or unpacked on the way for those who take no gzip.

Unpacking ("decompressive transcoding") ignores Range, tells no length and sends hashes that are not those of what
arrives; whoever accepts gzip and asks for a range gets a piece of the compressed bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from backends.demo.prow.bucket import Stored
from backends.demo.replies import Reply, Request

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
Refusal = Callable[[int, str, str], Reply]  # status, reason, message


def deliver(request: Request, stored: Stored, refuse: Refusal) -> Reply:
    if request.headers.get("if-none-match", "").strip('"') == stored.etag:
        return Reply(304, b"", (("ETag", f'"{stored.etag}"'),))
    headers = _headers(stored)
    if stored.encoding and not request.accepts_gzip and stored.cache_control != "no-transform":
        plain = stored.decoded
        told = (*headers, ("ETag", f'W/"{stored.etag}"'), ("Warning", "214 UploadServer gunzipped"))
        told += (("Accept-Ranges", "none"), ("Vary", "Accept-Encoding"))
        return Reply(200, b"", told, plain.chunks(0, plain.size), plain.size, chunked=True)
    headers += (("ETag", f'"{stored.etag}"'), ("Accept-Ranges", "bytes"))
    if stored.encoding:
        headers += (("Content-Encoding", stored.encoding), ("Vary", "Accept-Encoding"))
    size = stored.body.size
    wanted = _wanted(request.headers.get("range", ""), size)
    if wanted is None:
        return Reply(200, b"", headers, stored.body.chunks(0, size), size)
    start, stop = wanted
    if start >= stop:
        refused = refuse(416, "requestedRangeNotSatisfiable", "The requested range cannot be satisfied.")
        return Reply(416, refused.body, (*refused.headers, ("Content-Range", f"bytes */{size}")))
    told = (*headers, ("Content-Range", f"bytes {start}-{stop - 1}/{size}"))
    return Reply(206, b"", told, stored.body.chunks(start, stop), stop - start)


def _headers(stored: Stored) -> tuple[tuple[str, str], ...]:
    hashes = [f"crc32c={stored.crc32c}"] + [f"md5={stored.md5}"] * bool(stored.md5)
    headers = [
        ("Content-Type", stored.content_type),
        ("Last-Modified", stored.updated.strftime("%a, %d %b %Y %H:%M:%S GMT")),
        ("x-goog-generation", str(stored.generation)),
        ("x-goog-metageneration", "1"),
        ("x-goog-stored-content-encoding", stored.encoding or "identity"),
        ("x-goog-stored-content-length", str(stored.body.size)),
        ("x-goog-storage-class", "STANDARD"),
        *(("x-goog-hash", value) for value in hashes),
    ]
    if stored.cache_control:
        headers.append(("Cache-Control", stored.cache_control))
    if stored.entry.kind == "link":
        headers.append(("x-goog-meta-link", stored.decoded.whole().decode()))
    return tuple(headers)


def _wanted(asked: str, size: int) -> tuple[int, int] | None:
    """Start and stop; None for the whole object, an empty range for one that cannot be satisfied."""
    match = _RANGE.fullmatch(asked)
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return (max(size - int(last), 0), size) if int(last) else (size, size)
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1 if last else size, size)
