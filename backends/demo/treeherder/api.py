"""How the Treeherder reads queries and answers: parameters, errors, pages of results."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import parse_qs, parse_qsl, urlencode

import msgspec

from backends.demo.asgi import HTML, DemoReply, DemoRequest, Headers
from backends.demo.taskcluster.pushes import NOW
from backends.demo.treeherder.repositories import Json

T = TypeVar("T")

_LEAST_COMPRESSED = 200  # bytes
_HEADERS: Headers = (
    ("Allow", "GET, HEAD, OPTIONS"),
    ("Vary", "Cookie, Accept-Encoding, origin"),
    ("X-Frame-Options", "DENY"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "origin-when-cross-origin"),
)
_ERROR_PAGE = """
<!doctype html>
<html lang="en">
<head>
  <title>Server Error (500)</title>
</head>
<body>
  <h1>Server Error (500)</h1><p></p>
</body>
</html>
"""


class TreeherderError(Exception):
    """A response that is not a success: `body` is JSON, or None for the HTML page of a crash."""

    def __init__(self, status: int, body: object = None) -> None:
        super().__init__(status, body)
        self.status, self.body = status, body

    def reply(self, request: DemoRequest) -> DemoReply:
        if self.body is None:
            return DemoReply(self.status, _ERROR_PAGE.encode(), (*HTML, *_HEADERS[1:]))
        return json_answer(request, self.body, self.status)


def json_answer(request: DemoRequest, value: object, status: int = 200) -> DemoReply:
    """Compact JSON, gzipped for clients that accept it."""
    headers: Headers = (("Content-Type", "application/json"), *_HEADERS)
    body = msgspec.json.encode(value)
    if request.accepts_gzip and len(body) >= _LEAST_COMPRESSED:
        return DemoReply(status, gzip.compress(body, 1, mtime=0), (*headers, ("Content-Encoding", "gzip")))
    return DemoReply(status, body, headers)


def html_page(body: bytes) -> DemoReply:
    return DemoReply(200, body, (*HTML, *_HEADERS[1:]))


@dataclass(frozen=True)
class Query:
    """The parameters of a request, which may be repeated. A value that cannot be read crashes the server, unless the
    endpoint has an error for it."""

    values: dict[str, list[str]]

    @classmethod
    def parse(cls, request: DemoRequest) -> Query:
        return cls(parse_qs(request.raw_query, keep_blank_values=True))

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def all(self, name: str) -> list[str]:
        return self.values.get(name, [])

    def text(self, name: str, default: str = "") -> str:
        return self.values.get(name, [default])[-1]

    def flag(self, name: str) -> bool:
        return self.text(name).lower() in ("true", "1", "t", "yes", "on")

    def number(self, name: str, error: object = None) -> int | None:
        """None if it is absent or empty. `error`: the body of a 400 for anything that is not a number."""
        text = self.text(name)
        return _read(int, text, error) if text else None

    def numbers(self, name: str) -> list[int]:
        """Of repeated parameters or comma-separated lists."""
        return [_read(int, part) for text in self.all(name) for part in text.split(",")]

    def time(self, name: str) -> float:
        """A date or a time; without a zone it is UTC."""
        moment = _read(datetime.fromisoformat, self.text(name))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    def since(self) -> float:
        """The beginning of `interval`, which counts back from now; 0 without one."""
        interval = self.number("interval")
        return 0.0 if interval is None else NOW - interval


def _read(parse: Callable[[str], T], text: str, error: object = None) -> T:
    try:
        return parse(text)
    except ValueError:
        raise (TreeherderError(500) if error is None else TreeherderError(400, error)) from None


def paginate(request: DemoRequest, base: str, rows: Sequence[Any], page: int, size: int) -> Json:
    """The page-number envelope of all rows. Raises the server's 404 for a page that does not exist."""
    pages = max(-(-len(rows) // size), 1)
    if not 1 <= page <= pages:
        raise TreeherderError(404, {"detail": "Invalid page."})
    return {
        "count": len(rows),
        "next": _page_url(request, base, page + 1) if page < pages else None,
        "previous": _page_url(request, base, page - 1) if page > 1 else None,
        "results": rows[(page - 1) * size : page * size],
    }


def _page_url(request: DemoRequest, base: str, page: int) -> str:
    """The same URL with its parameters sorted; the first page has no number."""
    kept = [(key, value) for key, value in parse_qsl(request.raw_query, keep_blank_values=True) if key != "page"]
    if page > 1:
        kept.append(("page", str(page)))
    query = urlencode(sorted(kept))
    return f"{base}{request.path}" + (f"?{query}" if query else "")
