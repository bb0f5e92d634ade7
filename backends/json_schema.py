"""JSON Schemas that come as files, and whether a value is valid by them, quickly and in jsonschema's words.

jsonschema is the library that Treeherder itself validates with, so its verdict and its messages count; but it takes 190
to 400 µs for a job. fastjsonschema compiles a schema to Python and answers in 17 µs; it may be stricter (`$` in a
pattern), never more lenient, so what it accepts is valid and what it refuses is for jsonschema to judge.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

# RFC 3339 section 5.6; `T` and `Z` in either case, a leap second allowed.
_RFC3339 = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII)
# RFC 3986: a scheme, then only characters that a URI has, % followed by two hex digits.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+", re.ASCII)


@cache
def load_schema(name: str, package: str = "backends") -> dict[str, Any]:
    """The schema in PACKAGE/schemas/NAME.json; the same object each time, not to be changed."""
    text = files(package).joinpath("schemas", f"{name}.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@cache
def validator(name: str, package: str = "backends") -> Any:
    """jsonschema's validator with the formats `date-time` and `uri`; `iter_errors(value)` gives all errors."""
    from jsonschema import Draft6Validator, FormatChecker

    formats = FormatChecker(formats=())
    # This object's own table: changing the class's would change what other users of the library get.
    formats.checkers = {"date-time": (is_time, ()), "uri": (is_uri, ())}
    return Draft6Validator(load_schema(name, package), format_checker=formats)


@cache
def quick_check(name: str, package: str = "backends") -> Callable[[Any], bool]:
    """A function that says whether a value is certainly valid, formats included; False: ask the `validator`."""
    import fastjsonschema

    compiled = fastjsonschema.compile(
        load_schema(name, package),
        formats={"date-time": is_time, "uri": is_uri},
        use_default=False,
        detailed_exceptions=False,
    )

    def check(value: Any) -> bool:
        try:
            compiled(value)
        except Exception:  # also RecursionError, and what hostile values make the generated code raise
            return False
        return True

    return check


def is_time(value: object) -> bool:
    """Whether a text is an RFC 3339 time; True for other values, which a format is not about."""
    if not isinstance(value, str):
        return True
    match = _RFC3339.fullmatch(value)
    if match is None:
        return False
    clock = match[2].replace(":60", ":59") if match[2].endswith(":60") else match[2]
    try:
        datetime.fromisoformat(f"{match[1]}T{clock}")
    except ValueError:
        return False
    return True


def is_uri(value: object) -> bool:
    """Whether a text is an absolute RFC 3986 URI; True for other values."""
    return not isinstance(value, str) or _URI.fullmatch(value) is not None
