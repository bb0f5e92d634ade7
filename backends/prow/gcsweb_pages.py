"""What a gcsweb page lists: its rows, read from HTML in which nothing is escaped, and where its next page is.

Two generations are in use (test-infra gcsweb/cmd/gcsweb at 2019 and today). Rows look the same; only the older one
has pages, only the newer one has links to other tools below the rows, and it answers 200 for what does not exist.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qs, unquote, urlsplit

from backends.prow.source import Entry

# By what stands between the columns: a name may hold "<", "&", quotes and even tags of its own.
_ROW = re.compile(
    r'<li class="pure-g grid-row">\s*<div class="pure-u-2-5"><a href="(.*?)"><img src="/icons/(back|dir|file)\.png"> ?'
    r'(.*?)</a></div>\s*<div class="pure-u-1-5">(.*?)</div>\s*<div class="pure-u-2-5">(.*?)</div>\s*</li>',
    re.DOTALL,
)
_NEXT = re.compile(r'<a href="([^"]*[?&]marker=[^"]*)"[^>]*class="[^"]*next-button')
_TITLE = re.compile(r"<title>(?:GCS|S3) browser: ")


@dataclass(frozen=True)
class WebPage:
    """`marker`: what asks for the next page, "" on the last. `odd`: rows whose name and link contradict each other."""

    files: tuple[Entry, ...]
    folders: tuple[str, ...]
    marker: str = ""
    odd: int = 0


def is_listing(text: str) -> bool:
    """Whether this is one of gcsweb's own pages (and not an HTML file that it serves)."""
    return _TITLE.search(text[:4000]) is not None


def read_page(text: str, prefix: str) -> WebPage:
    """The rows of the page of the folder `prefix` (which ends in "/" or is empty); names are full names."""
    files: list[Entry] = []
    folders: list[str] = []
    odd = 0
    for href, icon, shown, size, modified in _ROW.findall(text):
        if icon == "back":
            continue
        name, agrees = _name(shown.rstrip("\r\n"), href)
        odd += not agrees
        if not name or "/" in name.rstrip("/"):
            odd += agrees
        elif icon == "dir":
            folders.append(f"{prefix}{name.rstrip('/')}/")
        else:
            files.append(
                Entry(prefix + name, int(size) if size.isascii() and size.isdigit() else None, _time(modified))
            )
    return WebPage(tuple(files), tuple(folders), _marker(text), odd)


def _name(shown: str, href: str) -> tuple[str, bool]:
    """The text is the name as it is; a page that does escape is noticed by its link, which then says another one."""
    tail = href.rstrip("/").rpartition("/")[2]
    bare = shown.rstrip("/")
    if tail in (bare, html.escape(bare)) or unquote(tail) == bare:
        return shown, True
    unescaped = html.unescape(shown)
    if unescaped != shown and unquote(html.unescape(tail)) == unescaped.rstrip("/"):
        return unescaped, True
    return shown, False


def _marker(text: str) -> str:
    found = _NEXT.search(text)
    if found is None:
        return ""
    return parse_qs(urlsplit(html.unescape(found[1])).query).get("marker", [""])[0]


def _time(text: str) -> int | None:
    """`02 Jan 2006 15:04:05` (2019, UTC) or RFC 1123."""
    try:
        at = datetime.strptime(text.strip(), "%d %b %Y %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        try:
            at = parsedate_to_datetime(text.strip())
        except (ValueError, TypeError):
            return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return int(at.timestamp() * 1000) if at.year > 1970 else None
