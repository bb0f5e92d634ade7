"""What the manifest of a capsule must say to be one: times that exist, URLs of servers, counts that a list can have.

Its types are checked when it is decoded (`layout.Manifest`); this is about their meaning.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from backends.capsules.layout import (
    FOLDERS,
    HASH_CHARACTERS,
    Entry,
    Manifest,
    SavedList,
    canonical_url,
    parse_time,
    setting_names,
)
from backends.http.content_encoding import is_known
from backends.http.errors import sanitize
from backends.locators.base import InvalidLocatorError
from backends.systems import MAX_LENGTH, parse_locator

_MOST = 10**9  # rows, logs or artifacts of a list
_FIRST, _LAST = parse_time("2000-01-01T00:00:00Z"), parse_time("2199-12-31T23:59:59Z")
_SHA256 = re.compile("[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9._-]{0,200}")  # of a bucket, or a profile of a Taskcluster deployment
_QUOTED = 80  # characters of what is refused


def check_manifest(manifest: Manifest, most_entries: int) -> None:
    """Raises `ValueError` that says what cannot be, as the end of a sentence."""
    _check_time(manifest.created)
    if len(manifest.entries) > most_entries or len(manifest.lists) > most_entries:
        raise ValueError(f"its manifest describes more than {most_entries:,} responses or lists")
    for name in setting_names():
        if not is_setting(name, text := manifest.settings.get(name, "")):
            raise ValueError(f"its setting {name} is {_quote(text)}, which is not a server")
    if twice := _find_repeated(one.locator for one in manifest.lists):
        raise ValueError(f"it has the list {_quote(twice)} twice")
    for one in manifest.lists:
        _check_list(one)
    if _find_repeated(entry.key for entry in manifest.entries):
        raise ValueError("its manifest describes a request twice")
    if _find_repeated(entry.file.lower() for entry in manifest.entries if entry.file):
        raise ValueError("its manifest describes a file twice, or files whose names differ by case only")
    for entry in manifest.entries:
        _check_entry(entry)
        if entry.private and not manifest.private:
            raise ValueError("it has private content, and its manifest says that it has none")


def keep_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """Those that a capsule can have: a setting that means no server cannot have been used."""
    return {name: text for name, text in settings.items() if is_setting(name, text)}


def is_setting(name: str, text: str) -> bool:
    """Whether a server or a bucket can be called so; empty is none."""
    if name in ("prow_bucket", "taskcluster_root_url") and _NAME.fullmatch(text):
        return True
    return not text or _is_web_url(text)


def _check_list(one: SavedList) -> None:
    text = one.locator
    if not 0 < len(text) <= MAX_LENGTH or not text.isprintable():
        raise ValueError("it has a list whose locator is empty, too long, or not printable")
    try:
        is_local = parse_locator(text).is_local
    except InvalidLocatorError:  # of a system that is not installed here
        is_local = False
    if is_local:
        raise ValueError(f"its list {_quote(text)} would be read from this machine")
    if not all(0 <= count <= _MOST for count in (one.rows, one.logs, one.artifacts)):
        raise ValueError(f"its list {_quote(text)} has a number of rows, logs or artifacts that cannot be")


def _check_entry(entry: Entry) -> None:
    if not _is_web_url(entry.url) or canonical_url(entry.url) != entry.url:
        raise ValueError(f"its manifest has the URL {_quote(entry.url)}, which no server was asked for")
    _check_time(entry.fetched)
    if entry.size < 0:
        raise ValueError("its manifest has a file of a negative size")
    if (entry.method == "POST") != bool(entry.request) or (entry.request and not _SHA256.fullmatch(entry.request)):
        raise ValueError("its manifest has a request without a digest, or with one that is none")
    if any("\n" in text or "\r" in text or "\0" in text for text in _texts(entry)):
        raise ValueError("its manifest has a header of more than one line")
    if entry.encoding and not is_known(entry.encoding):
        raise ValueError(f"it has a body with the encoding {_quote(entry.encoding)}, which this program cannot undo")
    if entry.error is not None:
        if entry.file or entry.size or entry.sha256 or entry.encoding or not 400 <= entry.status < 500:
            raise ValueError("its manifest contradicts itself: a refusal has no body and a status of 400 to 499")
        return
    if not entry.file or not 200 <= entry.status < 400:
        raise ValueError("its manifest contradicts itself: a response has a body and a status of 200 to 399")
    if not _SHA256.fullmatch(entry.sha256):
        raise ValueError(f"its manifest has no SHA-256 of {_quote(entry.file)}")
    folder, _, name = entry.file.partition("/")
    if folder != FOLDERS[entry.kind] or name.rpartition("/")[2][:HASH_CHARACTERS] != entry.key[:HASH_CHARACTERS]:
        raise ValueError(f"{_quote(entry.file)} is not the name of what its manifest says it is")


def _texts(entry: Entry) -> Iterable[str]:
    yield from (entry.accept, entry.encoding)
    for headers in (entry.headers, *entry.hops):
        yield from headers
        yield from headers.values()


def _check_time(text: str) -> None:
    try:
        is_time = _FIRST <= parse_time(text) <= _LAST
    except (ValueError, OverflowError):
        is_time = False
    if not is_time:
        raise ValueError(f"its manifest has the time {_quote(text)}, which cannot be")


def _is_web_url(text: str) -> bool:
    """An http or https URL of a host, without a user, in printable characters."""
    if not text.startswith(("http://", "https://")) or not text.isprintable() or any(one.isspace() for one in text):
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and "@" not in parts.netloc and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _find_repeated(names: Iterable[str]) -> str:
    """One that comes more than once; "" if none does."""
    return next((name for name, count in Counter(names).items() if count > 1), "")


def _quote(text: str) -> str:
    return f"“{sanitize(text, _QUOTED)}”"
