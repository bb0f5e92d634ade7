"""A storage in a few lines that does what no emulator does: pages that count folders, empty pages, faults, gcsweb."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit


@dataclass
class Stored:
    body: bytes
    encoding: str = ""
    generation: int = 1
    content_type: str = "text/plain; charset=utf-8"
    updated: str = "2026-11-20T10:00:00.000Z"
    md5: bool = True
    link: str = ""


@dataclass
class Bucket:
    """`objects`: name -> content. `faults`: how the next requests whose path and query hold `match` are answered:
    a status, or "broken" (half of the body), "damaged" (other bytes), "empty" (an empty page with a token). `page`:
    entries and folders of a page at most. `asked`: all requests."""

    objects: dict[str, Stored] = field(default_factory=dict)
    page: int = 1000
    faults: deque[tuple[str, Any]] = field(default_factory=deque)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    private: bool = False
    token: str = ""  # who has it may read a private bucket
    gcsweb: str = "current"
    url: str = ""
    latency: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, name: str, body: bytes | str | dict[str, Any], *, packed: bool = False, **more: Any) -> Stored:
        content = (
            json.dumps(body).encode() if isinstance(body, dict) else body.encode() if isinstance(body, str) else body
        )
        before = self.objects.get(name)
        stored = Stored(gzip.compress(content, mtime=0) if packed else content, "gzip" if packed else "", **more)
        stored.generation = before.generation + 1 if before else 1
        self.objects[name] = stored
        return stored

    def lists(self) -> list[str]:
        return [one for one in self.asked if one.split("?")[0].endswith("/o") and "prefix=" in one]

    def fault(self, path: str) -> Any:
        with self.lock:
            for number, (match, how) in enumerate(self.faults):
                if match in path:
                    del self.faults[number]
                    return how
        return None


def listing(bucket: Bucket, query: dict[str, str], page: int = 0) -> dict[str, Any]:
    """As the JSON API lists: folders count against maxResults, startOffset bounds objects, the token is opaque."""
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    start, end = query.get("startOffset", ""), query.get("endOffset", "")
    after = base64.b64decode(query["pageToken"]).decode() if "pageToken" in query else ""
    most = min(int(query.get("maxResults", 1000)), page or bucket.page)
    items: list[dict[str, Any]] = []
    prefixes: list[str] = []
    for name in sorted(bucket.objects):
        if not name.startswith(prefix) or name < start or (end and name >= end):
            continue
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        shown = name[: cut + 1] if cut >= 0 else name
        if shown <= after or (prefixes and prefixes[-1] == shown):
            continue
        if len(items) + len(prefixes) >= most:
            last = max([one["name"] for one in items] + prefixes)
            return _told(items, prefixes, base64.b64encode(last.encode()).decode())
        if cut >= 0:
            prefixes.append(shown)
        else:
            items.append(described(name, bucket.objects[name]))
    return _told(items, prefixes, "")


def _told(items: list[Any], prefixes: list[str], token: str) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": "storage#objects"}
    told |= {"items": items} if items else {}
    told |= {"prefixes": prefixes} if prefixes else {}
    return told | ({"nextPageToken": token} if token else {})


def described(name: str, stored: Stored) -> dict[str, Any]:
    told = {
        "name": name, "size": str(len(stored.body)), "generation": str(stored.generation), "updated": stored.updated,
        "contentType": stored.content_type, "crc32c": "AAAAAA==",
    }  # fmt: skip
    if stored.md5:
        told["md5Hash"] = base64.b64encode(hashlib.md5(stored.body).digest()).decode()
    if stored.link:
        told["metadata"] = {"link": stored.link}  # type: ignore[assignment]
    return told | ({"contentEncoding": stored.encoding} if stored.encoding else {})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        bucket = self.bucket
        bucket.asked.append(self.path)
        bucket.headers.append({name.lower(): value for name, value in self.headers.items()})
        if bucket.latency:
            time.sleep(bucket.latency)
        split = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(split.query, keep_blank_values=True).items()}
        how = bucket.fault(self.path)
        if isinstance(how, int):
            self._send(how, b'{"error":{"message":"told to fail"}}', {"retry-after": "0"} if how == 429 else {})
        elif isinstance(how, dict):
            self._json(how)
        elif split.path.startswith("/gcs/"):
            self._gcsweb(unquote(split.path[5:]), query)
        elif bucket.private and (not bucket.token or self.headers.get("authorization") != f"Bearer {bucket.token}"):
            self._send(403, b'{"error":{"message":"does not have storage.objects.list access"}}')
        else:
            self._storage(split.path, query, how)

    def _storage(self, path: str, query: dict[str, str], how: Any) -> None:
        parts = path.split("/")
        if path.endswith("/o"):
            if how == "empty":
                self._json({"kind": "storage#objects", "nextPageToken": base64.b64encode(b"!").decode()})
                return
            self._json(listing(self.bucket, query))
            return
        name = unquote(parts[-1])
        stored = self.bucket.objects.get(name)
        pinned = query.get("generation")
        if stored is None or (pinned is not None and pinned != str(stored.generation)):
            self._send(404, b'{"error":{"message":"No such object"}}')
        elif query.get("alt") == "media":
            self._media(stored, how)
        else:
            self._json(described(name, stored))

    def _media(self, stored: Stored, how: Any) -> None:
        """Compressed objects come as they are to who accepts gzip, else inflated and without regard to Range."""
        body, status = stored.body, 200
        headers = {"content-type": stored.content_type, "x-goog-generation": str(stored.generation)}
        hashes = [f"md5={base64.b64encode(hashlib.md5(stored.body).digest()).decode()}"] if stored.md5 else []
        headers["x-goog-hash"] = ",".join(["crc32c=AAAAAA==", *hashes]) if stored.md5 else ""
        headers["x-goog-stored-content-encoding"] = stored.encoding or "identity"
        if stored.encoding and "gzip" in self.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
        elif stored.encoding:
            body = gzip.decompress(body)
        asked = self.headers.get("range", "")
        if asked.startswith("bytes=") and not (stored.encoding and "content-encoding" not in headers):
            first = int(asked[6:].split("-")[0])
            status, whole = 206, len(body)
            headers["content-range"] = f"bytes {first}-{whole - 1}/{whole}"
            body = body[first:]
        if how == "damaged":
            body = bytes(byte ^ 1 for byte in body)
        self._send(status, body, headers, cut=how == "broken")

    def _gcsweb(self, path: str, query: dict[str, str]) -> None:
        bucket, _, prefix = path.partition("/")
        if prefix in self.bucket.objects:
            stored = self.bucket.objects[prefix]
            encoding = f"; charset={stored.encoding}" if stored.encoding else ""
            body = gzip.decompress(stored.body) if stored.encoding else stored.body
            if self.bucket.gcsweb == "2019":
                self._send(200, body, {"content-type": f"{stored.content_type}{encoding}"})
            else:
                self._send_chunked(body, f"{stored.content_type}{encoding}", cut=self.bucket.fault(f"body {prefix}"))
            return
        folder = f"{prefix.rstrip('/')}/" if prefix else ""
        told = listing(self.bucket, {"prefix": folder, "delimiter": "/", "maxResults": "100000"}, 100_000)
        names = sorted([*told.get("prefixes", []), *(one["name"] for one in told.get("items", []))])
        old, marker = self.bucket.gcsweb == "2019", ""
        if old and not names and prefix:
            self._send(307, b"", {"location": f"{self.bucket.url}/storage/v1/b/{bucket}/o/{quote(prefix, safe='')}"})
            return
        if old:
            names = [name for name in names if name > query.get("marker", "")]
            marker, names = (
                (names[self.bucket.page - 1] if len(names) > self.bucket.page else ""),
                names[: self.bucket.page],
            )
        self._send(200, self._page(bucket, folder, names, marker, old).encode(), {"content-type": "text/html"})

    def _send_chunked(self, body: bytes, content_type: str, *, cut: Any) -> None:
        """As Go's server sends what it copies from the storage: no length, no validator."""
        with contextlib.suppress(OSError):
            self.send_response(200)
            self.send_header("content-type", content_type)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for at in range(0, len(body), 32768):
                piece = body[at : at + 32768]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                if cut == "broken":
                    self.close_connection = True
                    return
            self.wfile.write(b"0\r\n\r\n")

    def _page(self, bucket: str, folder: str, names: list[str], marker: str, old: bool) -> str:
        rows = [f'<a href="/gcs/{bucket}/"><img src="/icons/back.png"> ..</a>|-|-']
        for name in names:
            icon, size = ("dir", "-") if name.endswith("/") else ("file", str(len(self.bucket.objects[name].body)))
            at = "-" if icon == "dir" else "20 Nov 2026 10:00:00" if old else "Fri, 20 Nov 2026 10:00:00 UTC"
            link = f'<a href="/gcs/{bucket}/{name}"><img src="/icons/{icon}.png"> {name.removeprefix(folder)}</a>'
            rows.append(f"{link}|{size}|{at}")
        items = []
        for row in rows:
            link, size, at = row.rsplit("|", 2)
            items.append(
                f'\n    <li class="pure-g grid-row">\n\t    <div class="pure-u-2-5">{link}</div>\n\t    '
                f'<div class="pure-u-1-5">{size}</div>\n\t    <div class="pure-u-2-5">{at}</div>\n\t</li>\n'
            )
        more = f'<a href="/gcs/{bucket}/{folder}?marker={quote(marker)}" class="pure-button next-button">Next page</a>'
        foot = "" if old else '<details><a href="https://x.example/gsutil">gsutil</a></details>'
        title = f"<title>GCS browser: {bucket}</title><h1>{bucket}</h1>"
        return f"<html>{title}{more if marker else ''}<ul>{''.join(items)}</ul>{more if marker else ''}{foot}</html>"

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"content-type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None, cut: bool = False) -> None:
        with contextlib.suppress(OSError):  # who asked may have gone
            self._write(status, body, headers or {}, cut)

    def _write(self, status: int, body: bytes, headers: dict[str, str], cut: bool) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.close_connection = True


@contextmanager
def serving(bucket: Bucket) -> Iterator[Bucket]:
    handler = type("Handler", (_Handler,), {"bucket": bucket})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    bucket.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield bucket
    finally:
        server.shutdown()
        server.server_close()
