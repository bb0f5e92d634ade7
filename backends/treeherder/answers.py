"""How a Treeherder's answer is read: what it says, entry by entry, and how to tell that it is no answer of the API.

An address that the API does not have is answered with 200 and the web application's page, so the content type decides.
One odd entry loses at most its own odd members: 100,000 signatures must not depend on the shape of one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, TypeVar, get_args

import msgspec
import polars as pl

from backends.http.errors import NotFoundError, UnexpectedResponseError, short_url
from backends.http.policies import CachePolicy
from backends.http.response import Freshness, Response

T = TypeVar("T", bound=msgspec.Struct)

LARGEST = 2**53
Int = Annotated[int, msgspec.Meta(ge=-LARGEST, le=LARGEST)]  # what JSON's readers agree on, and an Int64 column holds
LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59
_ISO = "%Y-%m-%dT%H:%M:%S%.f"


class NotTreeherder(UnexpectedResponseError):
    """The address answers, but not with what this endpoint says."""

    def __init__(self, url: str, what: str) -> None:
        super().__init__(
            f"{short_url(url)} answered, but not as a Treeherder does: {what}.",
            "Check the address of the server (CIEXPLORE_TREEHERDER_URL), or try again if the answer was cut off.",
        )


class NoSuchEndpoint(NotFoundError):
    """200 with a web page: the server has no such part of the API (it answers so instead of 404)."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"{short_url(url)} is a web page: this server has no such part of Treeherder's API.",
            "Check the address of the server (CIEXPLORE_TREEHERDER_URL); an older or newer Treeherder may lack it.",
            status=200,
        )


@dataclass(frozen=True)
class Rows:
    """What an endpoint listed, as a frame; `origin` of its answer; `note`, a sentence about what could not be read."""

    frame: pl.DataFrame
    origin: Freshness = field(default_factory=Freshness)
    note: str = ""


@dataclass(frozen=True)
class Entries:
    """The entries of an answer, as `kind`s. `lost`: how many were none; `envelope`: the members beside the list."""

    items: list[Any]
    lost: int
    envelope: dict[str, Any]

    @property
    def note(self) -> str:
        return f"{self.lost:,} entries of the answer could not be read and are not shown." if self.lost else ""


def is_page(answer: Response) -> bool:
    return "html" in answer.headers.get("content-type", "").lower() or answer.body[:200].lstrip()[:1] == b"<"


Hold = CachePolicy | Callable[[Response], CachePolicy]


def kept(policy: Hold) -> Callable[[Response], CachePolicy]:
    """`policy` for an answer of the API; a web page in its place is not kept."""

    def hold(answer: Response) -> CachePolicy:
        if is_page(answer):
            return CachePolicy.never()
        return policy(answer) if callable(policy) else policy

    return hold


def value_of(answer: Response) -> Any:
    """The answer as plain JSON values. Raises `NoSuchEndpoint` for a web page, `NotTreeherder` for what is no JSON."""
    if is_page(answer):
        raise NoSuchEndpoint(answer.url)
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:  # takes lone surrogates and NaN, which msgspec refuses
        return _scrubbed(json.loads(answer.body.decode("utf-8", "replace"), parse_int=_integer))
    except (ValueError, RecursionError) as error:
        raise NotTreeherder(answer.url, "its JSON is damaged or cut off") from error


def _scrubbed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _scrubbed(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_scrubbed(part) for part in value]
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) and not value.isascii() else value


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) < 19 else None  # int() of 5,000 digits raises


def entries(answer: Response, kind: type[T], *, member: str = "", keyed: bool = False) -> Entries:
    """The list of an answer: of the whole answer, of its `member`, or (`keyed`) of an object's values.

    Raises what `value_of` raises, and `NotTreeherder` where there is no such list or nothing in it has the shape.
    """
    if not member and not is_page(answer):
        try:
            read = _decoder(kind, keyed).decode(answer.body)
            return Entries(list(read.values()) if keyed else read, 0, {})
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    value = value_of(answer)
    envelope: dict[str, Any] = {}
    if member:
        if not isinstance(value, dict) or member not in value:
            raise NotTreeherder(answer.url, f"its JSON has no “{member}”")
        envelope = {name: part for name, part in value.items() if name != member}
        value = value[member]
    if keyed and isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        raise NotTreeherder(answer.url, "its JSON is no list")
    found = [lenient(kind, item) for item in value if isinstance(item, dict)]
    if value and not found:
        raise NotTreeherder(answer.url, "its entries are of another kind")
    return Entries(found, len(value) - len(found), envelope)


@lru_cache(maxsize=64)
def _decoder(kind: type[msgspec.Struct], keyed: bool) -> msgspec.json.Decoder[Any]:
    shape: Any = dict[str, kind] if keyed else list[kind]  # type: ignore[valid-type]
    return msgspec.json.Decoder(shape)


def lenient(kind: type[T], item: dict[str, Any]) -> T:
    """`item` as a `kind`: members of another type become what they can be read as, or else the default."""
    try:
        return msgspec.convert(item, kind)
    except (msgspec.ValidationError, RecursionError):
        pass
    known: dict[str, Any] = {}
    for name, wanted, encoded in _fields(kind):
        if encoded in item:
            try:
                known[name] = msgspec.convert(item[encoded], wanted)
            except (msgspec.ValidationError, RecursionError):
                other = _as(item[encoded], wanted)
                if other is not None:
                    known[name] = other
    return kind(**known)


@lru_cache(maxsize=64)
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, Any, str], ...]:
    return tuple((one.name, one.type, one.encode_name) for one in msgspec.structs.fields(kind))


def _as(value: Any, wanted: Any) -> Any:
    """A number from its digits, a text from a number; None for anything else."""
    kinds = {getattr(part, "__origin__", part) for part in (get_args(wanted) or (wanted,))}
    if isinstance(value, bool):
        return None
    try:
        if int in kinds and isinstance(value, str | float):
            number = int(value)
            return number if abs(number) <= LARGEST else None
        if float in kinds and isinstance(value, str):
            return float(value)
    except (ValueError, OverflowError):
        return None
    return str(value) if str in kinds and isinstance(value, int | float) else None


def epochs(name: str, seconds: Iterable[int | None]) -> pl.Series:
    """A TIME column from epoch seconds. 0 is what a job that has not begun (or ended) has: it becomes null."""
    ticks = [one * 1000 if one is not None and 0 < one <= LAST_SECOND else None for one in seconds]
    return pl.Series(name, ticks, dtype=pl.Int64).cast(pl.Datetime("ms", "UTC"))


def iso_times(name: str, texts: Iterable[str | None]) -> pl.Series:
    """A TIME column from ISO texts, which Treeherder writes in UTC and without a zone; what is no time becomes null."""
    given = pl.Series(name, list(texts), dtype=pl.String)
    read = given.str.replace(" ", "T", literal=True).str.to_datetime(
        _ISO, time_unit="ms", time_zone="UTC", strict=False
    )
    if read.null_count() > given.null_count():
        other = [_milliseconds(text) if text else None for text in given.to_list()]
        read = read.fill_null(pl.Series(name, other, dtype=pl.Int64).cast(read.dtype))
    return read


def _milliseconds(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text[:40])
        found = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
    return found if 0 < found <= LAST_SECOND * 1000 else None
