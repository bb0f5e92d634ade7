"""What the schema says about an entry: every error with its path and rule, in the words of Treeherder's own validator.

jsonschema's Draft6Validator, because Treeherder asks the same library: faster ones stop at the first error or disagree
on `\\w` and `$`. Formats are checked in the same pass and given as warnings, for Treeherder itself checks none; it
parses the times later, and what it cannot parse is lost then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any

from jsonschema import Draft6Validator, FormatChecker

from backends.http.errors import sanitize
from backends.submit.findings import Finding, Level
from backends.submit.forms import Form
from backends.submit.instead import instead_of
from backends.submit.schemas import schema_of

# RFC 3339 section 5.6; `T` and `Z` in either case, a leap second allowed.
_RFC3339 = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII)
# RFC 3986: a scheme, then only characters that a URI has, % followed by two hex digits.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+", re.ASCII)
LONGEST = 1_000  # characters of a message: it quotes what is wrong


def is_time(value: object) -> bool:
    """Whether a text is an RFC 3339 time; what is no text is not for this check."""
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
    return not isinstance(value, str) or _URI.fullmatch(value) is not None


@cache
def validator(form: Form) -> Any:
    formats = FormatChecker(formats=())
    # An instance's own table: the class's would change what other users of the library get.
    formats.checkers = {"date-time": (is_time, ()), "uri": (is_uri, ())}
    return Draft6Validator(schema_of(form), format_checker=formats)


def violations(body: Any, form: Form, prefix: str = "$") -> Iterator[Finding]:
    """The errors and format warnings of one entry. `prefix`: the path of `body` within the entry."""
    for error in validator(form).iter_errors(body):
        for leaf in _leaves(error, body):
            yield _finding(leaf, form, prefix)


def _leaves(error: Any, body: Any) -> Iterator[Any]:
    """The error itself; of a `oneOf` the errors of the alternative that was meant, else it only says "none fits"."""
    if error.validator != "oneOf" or not all("properties" in one for one in error.validator_value):
        yield error
        return
    alternatives: dict[int, list[Any]] = {}
    for inner in error.context:
        alternatives.setdefault(inner.schema_path[0], []).append(inner)
    # Meant is the one whose `kind` is right, else the one with the fewest complaints.
    kinds = {n: any(list(one.path)[-1:] == ["kind"] for one in errors) for n, errors in alternatives.items()}
    chosen = min(alternatives, key=lambda n: (kinds[n], len(alternatives[n]), n))
    for inner in alternatives[chosen]:
        yield from _leaves(inner, body)


def _finding(error: Any, form: Form, prefix: str) -> Finding:
    level = Level.WARNING if error.validator == "format" else Level.ERROR
    path = prefix + json_path(error.absolute_path)
    message = sanitize(error.message, LONGEST)
    return Finding(level, path, error.validator, message, instead_of(error, form))


def json_path(steps: Any) -> str:
    """`.a.b[0]` of the steps that lead to a value."""
    parts = []
    for step in steps:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", step):
            parts.append(f".{step}")
        else:
            quoted = sanitize(step, 80).replace("'", "\\'")
            parts.append(f"['{quoted}']")
    return "".join(parts)
