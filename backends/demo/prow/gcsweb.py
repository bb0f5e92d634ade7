"""gcsweb's pages in both generations, with what is wrong in them.

Today's (/gcsweb/gcs/...): one page for any folder, 200 and only ".." for one that does not exist, two more links at
the foot, and a Content-Type that calls gzip a character set. That of 2016 to 2020 (/gcsweb-2019/gcs/...): a thousand
entries a page, files linked at the storage, and a redirect there for what it does not find. Neither escapes names.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from backends.demo.prow import listing
from backends.demo.prow.bucket import Buckets, Stored
from backends.demo.replies import Reply, Request

CURRENT, OLD = "/gcsweb", "/gcsweb-2019"
_PATH = re.compile(rf"(?P<place>{CURRENT}|{OLD})/gcs/(?P<bucket>[^/]+)(?P<path>/.*)?", re.DOTALL)
_HTML = (("Content-Type", "text/html; charset=utf-8"),)


def owns(path: str) -> bool:
    return path.startswith((f"{CURRENT}/", f"{OLD}/"))


def answer(buckets: Buckets, request: Request) -> Reply:
    if request.method != "GET":
        return Reply(405, b"Method not allowed", (("Content-Type", "text/plain; charset=utf-8"),))
    if request.path.endswith("/robots.txt"):
        return Reply(200, b"User-agent: *\nDisallow: /\n", (("Content-Type", "text/plain; charset=utf-8"),))
    match = _PATH.fullmatch(unquote(request.raw_path))
    if match is None or buckets.names(match["bucket"]) is None:
        return _foreign(match["bucket"] if match else "", request.path)
    path = (match["path"] or "/").lstrip("/")
    if match["place"] == OLD:
        return _old(buckets, request, match["bucket"], path)
    stored = None if path.endswith("/") else buckets.stored(match["bucket"], path)
    if stored is not None:
        return _file(stored)
    return _whole_folder(buckets, match["bucket"], path.rstrip("/") + "/" if path.strip("/") else "")


def _foreign(bucket: str, path: str) -> Reply:
    """A bucket that this gcsweb was not told of."""
    if bucket and path.endswith("/"):
        where = f"https://console.cloud.google.com/storage/browser/{bucket}"
        return Reply(303, b"", (("Location", where), *_HTML))
    return Reply(404, b"404 page not found\n", (("Content-Type", "text/plain; charset=utf-8"),))


def _file(stored: Stored) -> Reply:
    """No length, no ranges, no ETag; always unpacked, and still of `charset=gzip`."""
    said = f"{stored.content_type}; charset={stored.encoding}" if stored.encoding else stored.content_type
    plain = stored.decoded
    return Reply(200, b"", (("Content-Type", said),), plain.chunks(0, plain.size), plain.size, chunked=True)


def _whole_folder(buckets: Buckets, bucket: str, prefix: str) -> Reply:
    folders: list[str] = []
    files: list[str] = []
    query = listing.Query(prefix, "/")
    while True:
        found = listing.page(buckets.names(bucket) or [], query)
        folders += found.prefixes
        files += found.names
        if not found.next:
            break
        query = listing.Query(prefix, "/", after=found.next)
    rows = [_row("dir", f"{CURRENT}/gcs/{bucket}/{name}", name.removeprefix(prefix)) for name in folders]
    for name in files:
        if name != prefix:
            stored = buckets.stored(bucket, name)
            assert stored is not None
            when = stored.updated.strftime("%a, %d %b %Y %H:%M:%S UTC")
            href = f"{CURRENT}/gcs/{bucket}/{name}"
            rows.append(_row("file", href, name.removeprefix(prefix), str(stored.body.size), when))
    return Reply(200, _page(CURRENT, bucket, prefix, rows, _DOWNLOAD.format(f"{bucket}/{prefix}")).encode(), _HTML)


def _old(buckets: Buckets, request: Request, bucket: str, path: str) -> Reply:
    prefix = path.rstrip("/") + "/" if path.strip("/") else ""
    found = listing.page(buckets.names(bucket) or [], listing.Query(prefix, "/", after=request.query.get("marker", "")))
    if prefix and not (found.names or found.prefixes):
        return Reply(307, b"", (("Location", f"{buckets.origin}/{bucket}/{_raw(request, bucket)}"), *_HTML))
    rows = [_row("dir", f"{OLD}/gcs/{bucket}/{name}", name.removeprefix(prefix)) for name in found.prefixes]
    for name in found.names:
        if name != prefix:
            stored = buckets.stored(bucket, name)
            assert stored is not None
            when = stored.updated.strftime("%d %b %Y %H:%M:%S")
            href = f"{buckets.origin}/{bucket}/{name}"
            rows.append(_row("file", href, name.removeprefix(prefix), str(stored.body.size), when))
    more = f"{OLD}/gcs/{bucket}/{prefix}?marker={found.next}" if found.next else ""
    return Reply(200, _page(OLD, bucket, prefix, rows, "", more).encode(), _HTML)


def _raw(request: Request, bucket: str) -> str:
    return request.raw_path.partition(f"/gcs/{bucket}")[2].lstrip("/")


def _page(place: str, bucket: str, prefix: str, rows: list[str], foot: str, more: str = "") -> str:
    button = _NEXT.format(more) if more else ""
    parent = f"{place}/gcs/{bucket}/{prefix.rstrip('/').rpartition('/')[0]}".rstrip("/") + "/"
    up = [_row("back", parent, "..")] if prefix else []
    head = _TOP.replace("{bucket}", bucket).replace("{path}", f"/{bucket}/{prefix}")
    return "".join([head, button, _GRID, *up, *rows, button, "</ul>", foot, "</body></html>"])


def _row(icon: str, href: str, name: str, size: str = "-", modified: str = "-") -> str:
    return (
        f'\n    <li class="pure-g grid-row">\n\t    <div class="pure-u-2-5"><a href="{href}">'
        f'<img src="/icons/{icon}.png"> {name}</a></div>\n\t    <div class="pure-u-1-5">{size}</div>\n'
        f'\t    <div class="pure-u-2-5">{modified}</div>\n\t</li>\n'
    )


_TOP = """
    <!doctype html>
   \t<html>
   \t<head>
   \t    <link rel="stylesheet" type="text/css" href="/styles/style.css">
   \t    <meta charset="utf-8">
   \t    <title>GCS browser: {bucket}</title>
   \t</head>
   \t<body>

    <header>
        <h1>{bucket}</h1>
        <h3>{path}</h3>
    </header>
    <ul class="resource-grid">
"""
_GRID = """
\t<li class="pure-g">
\t\t<div class="pure-u-2-5 grid-head">Name</div>
\t\t<div class="pure-u-1-5 grid-head">Size</div>
\t\t<div class="pure-u-2-5 grid-head">Modified</div>
\t</li>
"""
_NEXT = '\n    <a href="{}"\n\t   class="pure-button next-button">\n\t   Next page\n\t</a>\n'
_DOWNLOAD = """
<details>
\t<summary style="display: list-item; padding-left: 1em">Download</summary>
\t<div style="padding: 1em">
\t\tTo have all of it, use <a href="https://cloud.google.com/storage/docs/gsutil">gsutil</a>:
\t\t<pre>gsutil -m cp -r gs://{0} .</pre>
\t\tor the <a href="https://cloud.google.com/sdk/docs/install">gcloud storage</a> command:
\t\t<pre>gcloud storage cp -r gs://{0} .</pre>
\t</div>
</details>
"""
