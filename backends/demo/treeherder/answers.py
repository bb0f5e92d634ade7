"""How the server answers: compact JSON, its headers, gzip when asked, and its errors of five shapes beside HTML."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from backends.demo.replies import Reply, Request

_PAGE = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Treeherder (embedded demo)</title></head>
<body><div id="root">The embedded CI of ciexplore. It has an API, but no web interface.</div></body></html>
"""
_ERROR = """
<!doctype html>
<html lang="en">
<head>
  <title>{0}</title>
</head>
<body>
  <h1>{0}</h1><p></p>
</body>
</html>
"""
_LEAST_COMPRESSED = 200
_ALWAYS = (
    ("Allow", "GET, HEAD, OPTIONS"),
    ("Vary", "Cookie, Accept-Encoding, origin"),
    ("X-Frame-Options", "DENY"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "origin-when-cross-origin"),
)


class Refusal(Exception):
    """An answer that is not a success: `body` is any JSON, or None for the HTML that a crash in the server gives."""

    def __init__(self, status: int, body: object = None) -> None:
        super().__init__(status, body)
        self.status, self.body = status, body

    def reply(self, request: Request) -> Reply:
        if self.body is None:
            title = {403: "403 Forbidden"}.get(self.status, "Server Error (500)")
            return html(request, _ERROR.format(title).encode(), self.status)
        return answer(request, self.body, self.status)


def detail(status: int, text: str) -> Refusal:
    return Refusal(status, {"detail": text})


def message(text: str) -> Refusal:
    return Refusal(400, {"message": text})


def crash() -> Refusal:
    """What the server does with input that it does not check."""
    return Refusal(500)


def answer(request: Request, value: object, status: int = 200) -> Reply:
    return encoded(request, msgspec.json.encode(value), status)


def encoded(request: Request, body: bytes, status: int = 200) -> Reply:
    headers: list[tuple[str, str]] = [("Content-Type", "application/json"), *_ALWAYS]
    if "origin" in request.headers:
        headers.append(("access-control-allow-origin", "*"))
    if request.accepts_gzip and len(body) >= _LEAST_COMPRESSED:
        headers.append(("Content-Encoding", "gzip"))
        body = gzip.compress(body, 1, mtime=0)
    return Reply(status, body, tuple(headers))


def html(request: Request, body: bytes = _PAGE, status: int = 200) -> Reply:
    """With status 200 it is the single-page application, which every unknown path gives."""
    return Reply(status, body, (("Content-Type", "text/html; charset=utf-8"), *_ALWAYS[1:]))


def page(request: Request, base: str, rows: list[Any], number: int, size: int, extra: Mapping[str, object]) -> object:
    """The page-number envelope. `rows` are all rows; raises the server's 404 for a page that does not exist."""
    pages = max(-(-len(rows) // size), 1)
    if not 1 <= number <= pages:
        raise detail(404, "Invalid page.")
    return {
        "count": len(rows),
        "next": _page_url(request, base, number + 1) if number < pages else None,
        "previous": _page_url(request, base, number - 1) if number > 1 else None,
        "results": rows[(number - 1) * size : number * size],
        **extra,
    }


def _page_url(request: Request, base: str, number: int) -> str:
    """The same address with its parameters sorted; the first page has no number."""
    kept = [(key, value) for key, value in parse_qsl(request.raw_query, keep_blank_values=True) if key != "page"]
    if number > 1:
        kept.append(("page", str(number)))
    query = urlencode(sorted(kept))
    return f"{base}{request.path}" + (f"?{query}" if query else "")
