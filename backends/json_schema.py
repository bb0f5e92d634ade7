"""JSON Schemas that come as files, and whether a value is valid by them, quickly and in jsonschema's words.

jsonschema is the library that Treeherder itself validates with, so its verdict and its messages count; but it takes 190
to 400 µs for a job. A quicker answer may be stricter, never more lenient: what it accepts is valid, and what it refuses
is for jsonschema to judge. A schema that msgspec's types can express takes 8 µs, any other one 17 µs with
fastjsonschema, which compiles it to Python.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache, lru_cache, partial
from importlib.resources import files
from typing import Annotated, Any, Literal

import msgspec

# RFC 3339 section 5.6; `T` and `Z` in either case, a leap second allowed, no year 0. A day that its month has:
_DAY = (
    r"(?!0000)[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    r"|(?:0[13578]|1[02])-31)|(?!0000)(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29"
)
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
# RFC 3986: a scheme, then only characters that a URI has, % followed by two hex digits.
_PLAIN = r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]"
_FORMATS = {
    "date-time": rf"^(?:{_DAY})[Tt]{_CLOCK}:(?:[0-5][0-9]|60)(?:\.[0-9]+)?(?:[Zz]|[+-]{_CLOCK})\Z",
    "uri": rf"^[A-Za-z][A-Za-z0-9+.-]*:(?!\Z){_PLAIN}*(?:%[0-9A-Fa-f]{{2}}{_PLAIN}*)*\Z",
}
_TIME, _URI = re.compile(_FORMATS["date-time"]), re.compile(_FORMATS["uri"])
_NOTES = frozenset({"$schema", "description", "definitions", "title"})  # keywords that say nothing about a value


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
    schema = load_schema(name, package)
    check: Callable[[Any], Any]
    try:
        check = partial(msgspec.convert, type=_type_of(schema, schema.get("definitions", {})))
    except _InexpressibleError:
        import fastjsonschema

        formats = {"date-time": is_time, "uri": is_uri}
        check = fastjsonschema.compile(schema, formats=formats, use_default=False, detailed_exceptions=False)

    return _answer(check)


def _answer(check: Callable[[Any], Any]) -> Callable[[Any], bool]:
    """Whether a check raises nothing."""

    def is_valid(value: Any) -> bool:
        try:
            check(value)
        except Exception:  # also RecursionError, and what hostile values make the generated code raise
            return False
        return True

    return is_valid


def iter_violations(value: Any, name: str, package: str = "backends") -> Iterator[Any]:
    """All errors of jsonschema, in its order. It does not look again at properties that are certainly valid: a job with
    one wrong text takes a fraction of the time."""
    valid: frozenset[str] = frozenset()
    if isinstance(value, dict):
        checks = _property_checks(name, package)
        valid = frozenset(one for one in value.keys() & checks.keys() if checks[one](value[one]))
    yield from _validator_without(valid, name, package).iter_errors(value)


@lru_cache(maxsize=256)  # the jobs of a file are wrong in few different ways
def _validator_without(valid: frozenset[str], name: str, package: str) -> Any:
    """The validator that takes these properties for valid."""
    schema = load_schema(name, package)
    # `True` says the same as `{}`, and is what jsonschema makes no validator for.
    properties = {**schema.get("properties", {}), **dict.fromkeys(valid, True)}
    return (
        validator(name, package).evolve(schema={**schema, "properties": properties})
        if valid
        else validator(name, package)
    )


@cache
def _property_checks(name: str, package: str) -> dict[str, Callable[[Any], bool]]:
    """What says whether a property of that name is certainly valid, for those that msgspec can judge."""
    schema, checks = load_schema(name, package), {}
    for one, rules in schema.get("properties", {}).items():
        with suppress(_InexpressibleError):
            checks[one] = _answer(partial(msgspec.convert, type=_type_of(rules, schema.get("definitions", {}))))
    return checks


class _InexpressibleError(Exception):
    """A keyword, or a combination of them, that msgspec's types have no word for."""


def _type_of(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Any:
    """The type whose values are valid by the schema, for `msgspec.convert`. Raises `_InexpressibleError`."""
    rules = {rule: value for rule, value in schema.items() if rule not in _NOTES}
    if set(rules) == {"$ref"}:
        return _type_of(definitions[rules["$ref"].removeprefix("#/definitions/")], definitions)
    match rules.pop("type", None), rules:
        case "string" | "integer", {"enum": values} if len(rules) == 1:
            return Literal[tuple(values)]
        case "string", _:
            if "pattern" in rules and "format" in rules:
                raise _InexpressibleError
            patterns = {"pattern": _FORMATS[rules.pop("format")]} if "format" in rules else {}
            return _limit(str, rules | patterns, minLength="min_length", maxLength="max_length", pattern="pattern")
        case "integer", _:
            return _limit(int, rules, minimum="ge", maximum="le")
        case "boolean", _:
            return _limit(bool, rules)
        case "array", _:
            items = _type_of(rules.pop("items"), definitions) if "items" in rules else Any
            return _limit(list[items], rules, minItems="min_length", maxItems="max_length")  # type: ignore[valid-type]
        case "object", {"properties": properties, "additionalProperties": False}:
            if not rules.keys() <= {"properties", "additionalProperties", "required"}:
                raise _InexpressibleError
            return _struct_of(properties, rules.get("required", []), definitions)
    raise _InexpressibleError


def _limit(kind: Any, rules: Mapping[str, Any], **limits: str) -> Any:
    """`limits`: keyword of the schema -> msgspec's word for it."""
    if not rules.keys() <= limits.keys():
        raise _InexpressibleError
    return Annotated[kind, msgspec.Meta(**{limits[rule]: value for rule, value in rules.items()})] if rules else kind


def _struct_of(properties: Mapping[str, Any], required: list[str], definitions: Mapping[str, Any]) -> Any:
    if not all(name.isidentifier() and not keyword.iskeyword(name) for name in properties) or set(required) - set(
        properties
    ):
        raise _InexpressibleError
    fields: list[Any] = []
    for name, schema in properties.items():
        kind = _type_of(schema, definitions)
        fields.append((name, kind) if name in required else (name, kind | msgspec.UnsetType, msgspec.UNSET))
    return msgspec.defstruct("Valid", fields, kw_only=True, forbid_unknown_fields=True, gc=False)


def is_time(value: object) -> bool:
    """Whether a text is an RFC 3339 time; True for other values, which a format is not about."""
    return not isinstance(value, str) or _TIME.match(value) is not None


def is_uri(value: object) -> bool:
    """Whether a text is an absolute RFC 3986 URI; True for other values."""
    return not isinstance(value, str) or _URI.match(value) is not None
