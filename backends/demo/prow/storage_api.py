"""The synthetic storage of Prow: the JSON API as anonymous readers see it, plain object URLs, and gcsweb pages.

gcsweb comes in two generations with their real faults. Today's (/gcsweb/gcs/...): one page for any folder, 200 and
only ".." for one that does not exist, two more links at the foot, and a Content-Type that calls gzip a character set.
That of 2016 to 2020 (/gcsweb-2019/gcs/...): a thousand entries a page, files linked at the storage, and a redirect to
it for what it does not find. Neither escapes names.
"""

from __future__ import annotations

import binascii
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape

import msgspec

from backends.demo.asgi import HTML, DemoReply, DemoRequest, Headers, compile_route, ranged_reply
from backends.demo.prow.bucket import Buckets, StoredObject
from backends.demo.prow.builds import PRIVATE_BUCKET

MAX_RESULTS = 1_000
_LAST = "\U0010ffff"
_JSON: Headers = (("Content-Type", "application/json; charset=UTF-8"),)
_PLAIN: Headers = (("Content-Type", "text/plain; charset=utf-8"),)
_API_HTML: Headers = (("Content-Type", "text/html; charset=UTF-8"),)
_XML: Headers = (("Content-Type", "application/xml; charset=UTF-8"),)
_OBJECT_PATH = compile_route("/(?P<download>download/)?storage/v1/b/{bucket}(?:/o(?:/(?P<object>.*))?)?")
CURRENT_GCSWEB, OLD_GCSWEB = "/gcsweb", "/gcsweb-2019"
_GCSWEB_PATH = compile_route(rf"(?P<place>{CURRENT_GCSWEB}|{OLD_GCSWEB})/gcs/{{bucket}}(?P<path>/.*)?")
_HEAD, _GRID, _NEXT, _DOWNLOAD, _ROW = (Path(__file__).parent / "gcsweb.html").read_text().split("%%%")
_FIELD = re.compile(r"(\w+)(?:\(([\w,]+)\))?(?:,(?=\w)|$)")
ErrorReply = Callable[[int, str, str], DemoReply]  # status, reason, message


class ProwStorage:
    """`now` returns UTC seconds: a pending build has been running for 25 minutes when the demo starts."""

    def __init__(self, seed: int, now: Callable[[], float] = time.time) -> None:
        self.buckets = Buckets(seed, now())

    def ready(self, url: str) -> None:
        self.buckets.url = url

    def settings(self) -> dict[str, str]:
        url = self.buckets.url
        return {"CIEXPLORE_GCS_URL": url, "CIEXPLORE_GCSWEB_URL": url + CURRENT_GCSWEB}

    def reply(self, request: DemoRequest) -> DemoReply:
        if request.path.startswith((f"{CURRENT_GCSWEB}/", f"{OLD_GCSWEB}/")):
            return _gcsweb(self.buckets, request)
        if request.path.startswith(("/storage/v1/", "/download/storage/v1/")):
            return _json_api(self.buckets, request)
        return _plain_object(self.buckets, request)


# Listing


@dataclass
class ListPage:
    """One page: names of objects, prefixes (folders), and the last entry if another page follows ("" if not)."""

    names: list[str] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    next: str = ""


def list_page(
    names: Sequence[str],
    prefix: str = "",
    delimiter: str = "",
    *,
    start: str = "",
    end: str = "",
    after: str = "",
    limit: int = MAX_RESULTS,
) -> ListPage:
    """The entries of the sorted names behind `after`, from `start` to before `end`; the limit counts prefixes, too.

    `start` and `end` compare names of objects, so the prefix that contains `start` is still listed.
    """
    page, last = ListPage(), ""
    position = bisect_left(names, max(prefix, start))
    if after:
        is_folder = bool(delimiter) and delimiter in after[len(prefix) :]
        position = max(position, bisect_left(names, after + (_LAST if is_folder else "\0")))
    while position < len(names):
        name = names[position]
        if not name.startswith(prefix) or (end and name >= end):
            break
        if len(page.names) + len(page.prefixes) == limit:
            page.next = last
            break
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        if cut < 0:
            page.names.append(name)
            last, position = name, position + 1
        else:
            last = name[: cut + len(delimiter)]
            page.prefixes.append(last)
            position = bisect_left(names, last + _LAST, position)
    return page


def page_token(name: str) -> str:
    return urlsafe_b64encode(b"\x0a" + name.encode()).decode()


def name_in_token(token: str) -> str:
    """The name in a page token, "" for no token. Raises ValueError for any other text."""
    if not token:
        return ""
    try:
        raw = urlsafe_b64decode(token.encode())
        if raw[:1] == b"\x0a":
            return raw[1:].decode()
    except (binascii.Error, UnicodeError):
        pass
    raise ValueError("Invalid argument.")


# The JSON API


def _json_api(buckets: Buckets, request: DemoRequest) -> DemoReply:
    """The raw path is matched, since an object's slashes are %2F in it."""
    match = _OBJECT_PATH.fullmatch(request.raw_path)
    if match is None:
        return DemoReply(404, b"Not Found", _API_HTML)
    if request.method not in ("GET", "HEAD"):
        return _permission_error(f"storage.objects.{'delete' if request.method == 'DELETE' else 'create'}")
    bucket, name = unquote(match["bucket"]), unquote(match["object"] or "")
    if bucket == PRIVATE_BUCKET:
        return _permission_error("storage.objects.get" if name else "storage.objects.list")
    if buckets.names(bucket) is None:
        return _json_error(404, "notFound", "The specified bucket does not exist.")
    if name:
        return _json_object(buckets, request, bucket, name, download=bool(match["download"]))
    if not request.raw_path.rstrip("/").endswith("/o"):
        return _permission_error("storage.buckets.get")
    return _json_listing(buckets, request, bucket)


def _json_listing(buckets: Buckets, request: DemoRequest, bucket: str) -> DemoReply:
    query = request.query
    fields = query.get("fields", "")
    mask = dict(_FIELD.findall(fields))
    if _FIELD.sub("", fields):
        return _json_error(400, "invalidParameter", f"Invalid field selection {_FIELD.sub('', fields)}", "fields")
    limit = query.get("maxResults", "")
    if limit and not re.fullmatch(r"\d{1,9}", limit):
        return _json_error(400, "invalid", f"Invalid value at 'max_results' (TYPE_UINT32), \"{limit}\"")
    try:
        after = name_in_token(query.get("pageToken", ""))
    except ValueError as error:
        return _json_error(400, "invalid", str(error))
    page = list_page(
        buckets.names(bucket) or [],
        query.get("prefix", ""),
        query.get("delimiter", ""),
        start=query.get("startOffset", ""),
        end=query.get("endOffset", ""),
        after=after,
        limit=min(int(limit or 0) or MAX_RESULTS, MAX_RESULTS),
    )
    body: dict[str, Any] = {"kind": "storage#objects"}
    if page.next:
        body["nextPageToken"] = page_token(page.next)
    if page.prefixes:
        body["prefixes"] = page.prefixes
    # Without items in the selection their contents need not be generated.
    if page.names and (not mask or "items" in mask):
        body["items"] = [_select(buckets.resource(bucket, name), mask.get("items", "")) for name in page.names]
    return DemoReply(200, msgspec.json.encode(_select(body, ",".join(mask))), _JSON)


def _select(resource: dict[str, Any], fields: str) -> dict[str, Any]:
    """The fields of a comma-separated list, as far as they are there; all for an empty one."""
    return {name: resource[name] for name in fields.split(",") if name in resource} if fields else resource


def _json_object(buckets: Buckets, request: DemoRequest, bucket: str, name: str, *, download: bool) -> DemoReply:
    media = request.query.get("alt") == "media"
    error_reply = _media_error if media or download else _json_error
    stored = buckets.find(bucket, name)
    if stored is None or request.query.get("generation", str(stored.generation)) != str(stored.generation):
        return error_reply(404, "notFound", f"No such object: {bucket}/{name}")
    if media:
        return _send_object(request, stored, _media_error)
    return DemoReply(200, msgspec.json.encode(buckets.resource(bucket, name)), (*_JSON, ("ETag", stored.etag)))


def _json_error(status: int, reason: str, message: str, location: str = "") -> DemoReply:
    detail = {"message": message, "domain": "global", "reason": reason}
    if location:
        detail |= {"locationType": "parameter" if location == "fields" else "header", "location": location}
    return DemoReply(
        status, msgspec.json.encode({"error": {"code": status, "message": message, "errors": [detail]}}), _JSON
    )


def _media_error(status: int, reason: str, message: str) -> DemoReply:
    """With alt=media an error is a bare sentence with the type of HTML."""
    return DemoReply(status, message.encode(), _API_HTML)


def _permission_error(permission: str) -> DemoReply:
    message = (
        f"Anonymous caller does not have {permission} access to the Google Cloud Storage bucket. "
        f"Permission '{permission}' denied on resource (or it may not exist)."
    )
    return _json_error(401, "required", message, "Authorization")


# Plain object URLs, /bucket/object


def _plain_object(buckets: Buckets, request: DemoRequest) -> DemoReply:
    bucket, _, name = unquote(request.raw_path).lstrip("/").partition("/")
    if bucket == PRIVATE_BUCKET:
        return _xml_error("AccessDenied", 403, "AccessDenied", "Access denied.")
    stored = buckets.find(bucket, name)
    if stored is None:
        return _xml_error("NoSuchKey", 404, "NoSuchKey", f"No such object: {bucket}/{name}")
    return _send_object(request, stored, partial(_xml_error, "InvalidRange"))


def _xml_error(code: str, status: int, reason: str, message: str) -> DemoReply:
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>'
    )
    return DemoReply(status, body.encode(), _XML)


# Contents


def _send_object(request: DemoRequest, stored: StoredObject, error_reply: ErrorReply) -> DemoReply:
    """As stored, a range of it, or decompressed for clients that do not accept gzip.

    Decompression ignores Range, sends no length and hashes that are not those of what arrives; a client that accepts
    gzip and asks for a range gets a part of the compressed bytes.
    """
    etag = f'"{stored.etag}"'
    if request.headers.get("if-none-match", "").strip('"') == stored.etag:
        return DemoReply(304, b"", (("ETag", etag),))
    headers: Headers = (
        ("Content-Type", stored.content_type),
        ("Last-Modified", stored.updated.strftime("%a, %d %b %Y %H:%M:%S GMT")),
        ("x-goog-generation", str(stored.generation)),
        ("x-goog-metageneration", "1"),
        ("x-goog-stored-content-encoding", stored.encoding or "identity"),
        ("x-goog-stored-content-length", str(stored.body.size)),
        ("x-goog-storage-class", "STANDARD"),
        *(("x-goog-hash", f"{name}={value}") for name, value in stored.hashes.items()),
        *((("Cache-Control", stored.cache_control),) if stored.cache_control else ()),
        *((("x-goog-meta-link", stored.decoded.to_bytes().decode()),) if stored.entry.kind == "link" else ()),
    )
    if stored.encoding and not request.accepts_gzip and stored.cache_control != "no-transform":
        plain = stored.decoded
        headers += (("ETag", f"W/{etag}"), ("Warning", "214 UploadServer gunzipped"))
        headers += (("Accept-Ranges", "none"), ("Vary", "Accept-Encoding"))
        return DemoReply(200, b"", headers, plain.chunks(0, plain.size), plain.size, chunked=True)
    headers += (("ETag", etag), ("Accept-Ranges", "bytes"))
    if stored.encoding:
        headers += (("Content-Encoding", stored.encoding), ("Vary", "Accept-Encoding"))
    error = error_reply(416, "requestedRangeNotSatisfiable", "The requested range cannot be satisfied.")
    return ranged_reply(request.headers.get("range", ""), headers, stored.body.size, stored.body.chunks, error)


# gcsweb


def _gcsweb(buckets: Buckets, request: DemoRequest) -> DemoReply:
    if request.method != "GET":
        return DemoReply(405, b"Method not allowed", _PLAIN)
    match = _GCSWEB_PATH.fullmatch(unquote(request.raw_path))
    bucket = match["bucket"] if match else ""
    names = buckets.names(bucket)
    if match is None or names is None:
        if bucket and request.path.endswith("/"):  # this gcsweb is not configured for the bucket
            console = f"https://console.cloud.google.com/storage/browser/{bucket}"
            return DemoReply(303, b"", (("Location", console), *HTML))
        return DemoReply(404, b"404 page not found\n", _PLAIN)
    path = (match["path"] or "/").lstrip("/")
    prefix = path.rstrip("/") + "/" if path.strip("/") else ""
    if match["place"] == OLD_GCSWEB:
        page = list_page(names, prefix, "/", after=request.query.get("marker", ""))
        if prefix and not (page.names or page.prefixes):
            raw = request.raw_path.partition(f"/gcs/{bucket}")[2].lstrip("/")
            return DemoReply(307, b"", (("Location", f"{buckets.url}/{bucket}/{raw}"), *HTML))
        more = f"{OLD_GCSWEB}/gcs/{bucket}/{prefix}?marker={page.next}" if page.next else ""
        return DemoReply(200, _gcsweb_page(buckets, bucket, prefix, page, OLD_GCSWEB, more).encode(), HTML)
    stored = None if path.endswith("/") else buckets.find(bucket, path)
    if stored is not None:  # no length, no ranges, no ETag; always decompressed, but still "charset=gzip"
        content_type = stored.content_type + (f"; charset={stored.encoding}" if stored.encoding else "")
        plain = stored.decoded
        chunks = plain.chunks(0, plain.size)
        return DemoReply(200, b"", (("Content-Type", content_type),), chunks, plain.size, chunked=True)
    page = list_page(names, prefix, "/", limit=len(names))
    return DemoReply(200, _gcsweb_page(buckets, bucket, prefix, page, CURRENT_GCSWEB).encode(), HTML)


def _gcsweb_page(buckets: Buckets, bucket: str, prefix: str, page: ListPage, place: str, more: str = "") -> str:
    def row(icon: str, href: str, name: str, size: str = "-", modified: str = "-") -> str:
        return _ROW.format(icon=icon, href=href, name=name, size=size, modified=modified)

    base, current = f"{place}/gcs/{bucket}/", place == CURRENT_GCSWEB
    files = base if current else f"{buckets.url}/{bucket}/"
    time_format = "%a, %d %b %Y %H:%M:%S UTC" if current else "%d %b %Y %H:%M:%S"
    parent = f"{base}{prefix.rstrip('/').rpartition('/')[0]}".rstrip("/") + "/"
    rows = [row("back", parent, "..")] if prefix else []
    rows += [row("dir", base + name, name.removeprefix(prefix)) for name in page.prefixes]
    for name in page.names:
        stored = buckets.find(bucket, name)
        if stored is not None and name != prefix:  # a marker object of the folder itself is not listed in it
            size, modified = str(stored.body.size), stored.updated.strftime(time_format)
            rows.append(row("file", files + name, name.removeprefix(prefix), size, modified))
    button = _NEXT.format(url=more) if more else ""
    foot = _DOWNLOAD.format(path=f"{bucket}/{prefix}") if current else ""
    head = _HEAD.format(bucket=bucket, path=f"/{bucket}/{prefix}")
    return "".join([head, button, _GRID, *rows, button, "</ul>", foot, "</body></html>"])
