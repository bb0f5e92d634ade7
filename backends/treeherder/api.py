"""Treeherder's REST API: how its URLs are built and how its responses are read.

URLs end in a slash, parameters repeat, names are checked before they are sent: an unknown repository or a word where a
number belongs is a 500 of several views, which would be retried as if the server were ill. A URL that the API does not
have returns 200 and the web application's page, so the content type decides. One odd entry loses at most its own odd
members: 100,000 signatures must not depend on the shape of one.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from backends.errors import AppError
from backends.garbage import paused_collection
from backends.http.errors import NotFoundError, UnexpectedResponseError, short_url
from backends.http.policies import CachePolicy
from backends.http.response import Freshness, Response
from backends.lenient_json import lenient, loads

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.http import Http

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)
Value = str | int | bool | None
Params = Mapping[str, Value | Sequence[Value]]
Policy = CachePolicy | Callable[[Response], CachePolicy]

DAY = 86400.0
MAX_BYTES = 512 << 20  # decoded: all subtests of a month were 3.2 MB of a small server; production has 50 times that


class UnknownRepositoryError(AppError):
    """The server responds, and has no repository of that name."""

    exit_code = 3

    def __init__(self, name: str, known: Sequence[str]) -> None:
        near = difflib.get_close_matches(name, known, 3, 0.5)
        names = ", ".join(near or sorted(known)[:8])
        hint = f"Did you mean {names}?" if near else f"Some that it has: {names}." if names else ""
        printable = "".join(char if char.isprintable() else "�" for char in name[:60])
        super().__init__(f"Treeherder has no repository “{printable}”.", hint)


class UnknownItemError(AppError):
    """The server responds, and has nothing by that id or revision."""

    exit_code = 3


class NotTreeherderError(UnexpectedResponseError):
    """The URL responds, but not with what this endpoint returns."""

    def __init__(self, url: str, what: str) -> None:
        super().__init__(
            f"{short_url(url)} did not respond as a Treeherder does: {what}.",
            "Check the URL of the server (CIEXPLORE_TREEHERDER_URL), or try again if the response was cut off.",
        )


class MissingEndpointError(NotFoundError):
    """200 with a web page: the server has no such part of the API (it responds so instead of 404)."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"{short_url(url)} is a web page: this server has no such part of Treeherder's API.",
            "Check the URL of the server (CIEXPLORE_TREEHERDER_URL); an older or newer Treeherder may lack it.",
            status=200,
        )


class ApiClient:
    """One server. `base`: https://host, without /api."""

    def __init__(self, http: Http, base: str) -> None:
        self.http = http
        self.base = base.rstrip("/")

    def get(
        self, path: str, params: Params | None = None, *, policy: Policy, cancel: CancelToken | None = None
    ) -> Response:
        """The response of /api/PATH/. `policy` holds for JSON only: a web page in its place is not cached.

        Raises `AppError`s.
        """

        def choose(response: Response) -> CachePolicy:
            if is_page(response):
                return CachePolicy.never()
            return policy(response) if callable(policy) else policy

        return self.http.get(self.url(path, params), policy=choose, cap=MAX_BYTES, cancel=cancel)

    def url(self, path: str, params: Params | None = None) -> str:
        """The URL of /api/PATH/. None and empty lists are left out; booleans as the serializers read them."""
        query = urlencode([pair for name, value in (params or {}).items() for pair in _pairs(name, value)])
        return f"{self.base}/api/{path.strip('/')}/" + (f"?{query}" if query else "")


def project_path(repository: str, rest: str) -> str:
    return f"project/{quote(repository, safe='')}/{rest}"


def _pairs(name: str, value: Value | Sequence[Value]) -> list[tuple[str, str]]:
    values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return [(name, str(one).lower() if isinstance(one, bool) else str(one)) for one in values if one is not None]


@dataclass(frozen=True)
class Result(Generic[T]):
    """What an endpoint returned: its entries. `freshness`: of its response; `total`: how many there are on all pages;
    `note`: a sentence about what could not be read; `envelope`: the members beside the list."""

    items: list[T]
    freshness: Freshness = field(default_factory=Freshness)
    note: str = ""
    total: int | None = None
    envelope: Mapping[str, Any] = field(default_factory=dict)


def is_page(response: Response) -> bool:
    """Whether it is a web page."""
    return "html" in response.headers.get("content-type", "").lower() or response.body[:200].lstrip()[:1] == b"<"


def decode_json(response: Response) -> Any:
    """A response as plain JSON values. Raises `MissingEndpointError` for a web page, `NotTreeherderError` for what is
    not JSON."""
    if is_page(response):
        raise MissingEndpointError(response.url)
    try:
        return loads(response.body)
    except ValueError as error:
        raise NotTreeherderError(response.url, str(error)) from error


def decode_list(response: Response, kind: type[S], *, member: str = "", keyed: bool = False) -> Result[S]:
    """The entries of a response: of all of it, of its `member`, or (`keyed`) an object's values.

    Raises what `decode_json` raises, and `NotTreeherderError` where there is no such list or no entry has the shape.
    """
    if not member and not is_page(response):
        try:
            with paused_collection():
                entries = _decoder(kind, keyed).decode(response.body)
            return Result(list(entries.values()) if keyed else entries, response.freshness)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    value = decode_json(response)
    envelope: dict[str, Any] = {}
    if member:
        if not isinstance(value, dict) or member not in value:
            raise NotTreeherderError(response.url, f"its JSON has no “{member}”")
        envelope = {name: part for name, part in value.items() if name != member}
        value = value[member]
    if keyed and isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        raise NotTreeherderError(response.url, "its JSON is not a list")
    items = [lenient(kind, item) for item in value if isinstance(item, dict)]
    if value and not items:
        raise NotTreeherderError(response.url, "its entries are of another kind")
    skipped = len(value) - len(items)
    note = f"{skipped:,} entries of the response could not be read and are not shown." if skipped else ""
    total = envelope.get("count")
    return Result(items, response.freshness, note, total if isinstance(total, int) else None, envelope)


@lru_cache(maxsize=64)
def _decoder(kind: type[msgspec.Struct], keyed: bool) -> msgspec.json.Decoder[Any]:
    shape: Any = dict[str, kind] if keyed else list[kind]  # type: ignore[valid-type]
    return msgspec.json.Decoder(shape)
