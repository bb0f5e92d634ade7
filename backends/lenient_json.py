"""Reading JSON that is not as its schema says: what has the right shape is kept, the rest gets its default.

`decode` tries the strict decoder of a `msgspec.Struct` first. Where that fails, `lenient` reads the plain JSON value
field by field. Apart from `loads`, nothing here raises, whatever a server sent.
"""

from __future__ import annotations

import json
import types
from functools import cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec

T = TypeVar("T")

LARGEST = 2**53  # the largest integer that a JavaScript client and a polars Int64 both hold exactly
_FALSE = frozenset({"", "0", "false", "no"})
_REFUSED = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


def decode(raw: msgspec.Raw | bytes, decoder: msgspec.json.Decoder[T]) -> T | None:
    """The value by its strict decoder, or else by `lenient`; None for what is not JSON or lacks a required field."""
    try:
        return decoder.decode(raw)
    except _REFUSED:
        pass
    try:
        value = loads(bytes(raw))
    except ValueError:
        value = None
    found: T | None = lenient(decoder.type, value)
    return found


def loads(body: bytes) -> Any:
    """The JSON value. Takes lone surrogates, NaN and deep nesting, which msgspec refuses; an integer of 19 digits and
    more becomes None. Raises `ValueError` that says what the body is instead.
    """
    try:
        return msgspec.json.decode(body)
    except _REFUSED:
        pass
    if body[:200].lstrip().startswith(b"<"):
        raise ValueError("it is a web page")
    try:
        return json.loads(body.decode("utf-8", "replace"), parse_int=lambda text: int(text) if len(text) < 19 else None)
    except (ValueError, RecursionError) as error:
        raise ValueError("its JSON is damaged or cut off") from error


def lenient(kind: Any, value: Any) -> Any:
    """`value` (any JSON value) as `kind`: a struct, str, int, float, bool, list[...], dict[str, ...], a union of these,
    or Any. None for what cannot be read as that.

    A struct takes each field by its name in JSON; fields that cannot be read get their default. It is None only if a
    field without a default is missing or empty.
    """
    origin = get_origin(kind)
    if kind is Any or kind is object:
        return value
    if origin is Annotated:
        return lenient(get_args(kind)[0], value)
    if origin in (Union, types.UnionType):
        return _member_of_union(get_args(kind), value)
    if origin is list:
        items = (lenient(get_args(kind)[0], item) for item in as_list(value))
        return [item for item in items if item is not None]
    if origin is dict:
        return _mapping(get_args(kind)[1], value)
    if kind is msgspec.Raw:
        return msgspec.Raw(json.dumps(value).encode())  # which also takes NaN and lone surrogates
    readers = {str: as_text, int: as_integer, float: as_number, bool: as_flag}
    if kind in readers:
        return readers[kind](value)
    return _struct(kind, value) if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else None


def _member_of_union(kinds: tuple[Any, ...], value: Any) -> Any:
    """An object is read as a struct or dict, anything else as the first other kind that takes it."""
    if value is None:
        return None
    objects = [kind for kind in kinds if get_origin(kind) is dict or hasattr(kind, "__struct_fields__")]
    others = [kind for kind in kinds if kind not in objects and kind is not types.NoneType]
    for kind in [*objects, *others] if isinstance(value, dict) or not others else others:
        if (found := lenient(kind, value)) is not None:
            return found
    return None


def _mapping(kind: Any, value: Any) -> dict[str, Any]:
    found = {}
    for key, item in as_dict(value).items():
        if kind is str and isinstance(item, bool):
            item = "true" if item else "false"
        read = lenient(kind, item)
        if read is not None:
            found[as_text(key) or ""] = read
    return found


def _struct(kind: type[msgspec.Struct], value: Any) -> Any:
    given, fields = as_dict(value), dict[str, Any]()
    for name, key, member, required in _fields(kind):
        read = lenient(member, given[key]) if key in given else None
        if read is not None:
            fields[name] = read
        if required and read in (None, ""):
            return None
    return kind(**fields)


@cache
def _fields(kind: type[msgspec.Struct]) -> list[tuple[str, str, Any, bool]]:
    """(attribute, name in JSON, type, whether it has no default)"""
    return [(one.name, one.encode_name, one.type, one.required) for one in msgspec.structs.fields(kind)]


def as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str | None:
    """A string (lone surrogates replaced), or a number as its digits."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return str(value)


def as_integer(value: Any) -> int | None:
    """An integer of at most 2**53, also from digits in a string or from a float without a fraction."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and len(value) < 17:
        try:
            value = int(value)
        except ValueError:
            return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and -LARGEST <= value <= LARGEST else None


def as_number(value: Any) -> float | None:
    """A JSON number that is not NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return float(value) if abs(value) < 1e308 else None


def as_flag(value: Any) -> bool | None:
    if value is None:
        return None
    return value.strip().lower() not in _FALSE if isinstance(value, str) else bool(value)
