"""The layout of a capsule: its manifest, the names of its files, and what two requests have in common.

`docs/capsules.md` describes it for those who read a capsule without this program.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import unquote, urlsplit

import msgspec

from backends.errors import FileError
from backends.http.errors import redact_url

FORMAT = "ciexplore-capsule"
VERSION = 1
MANIFEST = "capsule.json"
MANIFEST_BYTES = 256 << 20  # the description of 200,000 files has some 100 MB
HASH_CHARACTERS = 16  # of the key, in the name of a file
_SLUG_CHARACTERS = 100

Kind = Literal["response", "log", "artifact"]
FOLDERS: dict[Kind, str] = {"response": "responses", "log": "logs", "artifact": "artifacts"}
_FILE_NAME = re.compile(
    r"(?:responses|logs|artifacts)/[A-Za-z0-9][A-Za-z0-9._-]{0,120}/[0-9a-f]{16}-[A-Za-z0-9._-]{1,160}"
)
# Parameters that are no secrets although their names sound so: where a page of a list begins, and Perfherder's
# signatures (the id or the SHA-1 of what is measured).
_HARMLESS = re.compile(
    r"(?i)(?:(?:continuation|(?:next[_-]?)?page|start|next)[_-]?token)=.*"
    r"|(?:parent_|alerts__series_)?signatures?=(?:[0-9]{1,12}|[0-9a-f]{40})"
)
# The headers that are kept: they describe the content. None says who we are or where a signed URL led.
_HEADERS = frozenset(
    {
        "content-type", "content-disposition", "content-digest", "content-length", "content-md5", "digest",
        "etag", "last-modified", "link", "repr-digest", "x-amz-checksum-sha256", "x-amz-request-id",
        "x-amz-version-id",
    }
)  # fmt: skip
_HEADER_PREFIXES = (
    "x-goog-generation",
    "x-goog-hash",
    "x-goog-meta",
    "x-goog-stored-",
    "x-amz-meta-",
    "x-taskcluster-",
)
_SETTINGS = (
    "taskcluster_root_url", "treeherder_url", "gcs_url", "gcsweb_url", "prow_bucket", "hg_url", "archive_url_template",
)  # fmt: skip


class CapsuleError(FileError):
    """The file is not a capsule, is damaged, of a newer version, or made to do harm."""


class RecordedError(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a refusal of a server (4xx) was worded."""

    sentence: str
    hint: str = ""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One response. `url`: what was requested, with "…" for each value that could be a secret.

    `fetched`: when a server last vouched for it (ISO 8601, UTC). `file`, `size` (bytes), `sha256`: its body in the
    capsule, as it came; `encoding` is the content-encoding that is left on it. `request`: the SHA-256 of what was sent
    (POST). `hops`: headers of the redirects before it. `private`: it was requested with credentials.
    """

    kind: Kind
    method: Literal["GET", "POST"]
    url: str
    accept: str
    status: int
    fetched: str
    file: str = ""
    size: int = 0
    sha256: str = ""
    encoding: str = ""
    headers: dict[str, str] = {}
    hops: list[dict[str, str]] = []
    request: str = ""
    private: bool = False
    error: RecordedError | None = None

    @property
    def key(self) -> str:
        return request_key(self.method, self.url, self.accept, self.request)


class SavedList(msgspec.Struct, frozen=True, omit_defaults=True):
    """A list that was read. `partial`: some of its rows could not be had then."""

    locator: str
    title: str
    rows: int
    noun: str
    partial: bool = False
    logs: int = 0
    artifacts: int = 0
    notes: list[str] = []


class Manifest(msgspec.Struct, frozen=True):
    """`created`: when it was begun; what counts back from now does from then. `settings`: the servers that locators
    without one mean."""

    format: str
    version: int
    program: str
    created: str
    note: str
    private: bool
    settings: dict[str, str]
    lists: list[SavedList]
    entries: list[Entry]


class ManifestHead(msgspec.Struct):
    """What every version has."""

    format: str
    version: int


def setting_names() -> tuple[str, ...]:
    """The settings that a capsule has: which servers and buckets are meant."""
    return _SETTINGS


def canonical_url(url: str) -> str:
    """The URL as it is stored and compared: without fragment, user and version, with "…" for what may be a secret."""
    address, mark, query = without_version(url).partition("?")
    pairs = (pair if _HARMLESS.fullmatch(unquote(pair)) else redact_url(f"?{pair}")[1:] for pair in query.split("&"))
    return redact_url(address) + mark + "&".join(pairs)


def without_version(url: str) -> str:
    """Without the fragment and the generation of an object of Google's storage: a capsule has one of each object, and
    some lists ask for it by its name alone, others as the bucket listed it."""
    address, mark, query = url.partition("#")[0].partition("?")
    pairs = [pair for pair in query.split("&") if not pair.startswith("generation=")]
    return address + mark + "&".join(pairs)


def request_key(method: str, url: str, accept: str, request: str = "") -> str:
    """Equal for requests that get the same response. `url`: canonical."""
    return hashlib.sha256("\n".join((method, url, accept, request)).encode("utf-8", "surrogatepass")).hexdigest()


def file_name(kind: Kind, key: str, url: str, content_type: str, encoding: str) -> str:
    """Where a body is in the capsule: the folder of its kind, its host, and a name in which the path can be read."""
    parts = urlsplit(url)
    host = re.sub(r"[^A-Za-z0-9.-]+", "_", parts.netloc).lstrip("._-")[:100] or "host"
    slug = re.sub(r"[^A-Za-z0-9._]+", "-", unquote(parts.path)).strip("-.") or "index"
    slug = slug[-_SLUG_CHARACTERS:].lstrip("-.") or "index"
    if content_type.startswith("application/json") and not slug.endswith(".json"):
        slug += ".json"
    if encoding in ("gzip", "x-gzip") and not slug.endswith(".gz"):
        slug += ".gz"
    return f"{FOLDERS[kind]}/{host}/{key[:HASH_CHARACTERS]}-{slug}"


def is_file_name(name: str) -> bool:
    """Whether a name in a capsule is one that `file_name` could have made: relative, plain ASCII, two folders deep."""
    return _FILE_NAME.fullmatch(name) is not None


def kept_headers(headers: dict[str, str]) -> dict[str, str]:
    """Those headers of a response that describe its content, in the order of their names."""
    kept = (name for name in headers if name in _HEADERS or name.startswith(_HEADER_PREFIXES))
    return {name: redact_url(headers[name]) for name in sorted(kept)}


def format_time(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> float:
    """Raises `ValueError`."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
