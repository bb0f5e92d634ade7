"""Whatever has the right shape is kept, everything else becomes its default, and nothing raises."""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.lenient_json import decode, lenient, loads


class Inner(msgspec.Struct):
    label: str | None = None


class Thing(msgspec.Struct):
    id: str
    count: Annotated[int, msgspec.Meta(ge=0)] | None = None
    rate: float = 0.5
    on: bool = False
    inner: Inner | None = None
    either: str | Inner | None = None
    items: list[Inner] = []
    tags: dict[str, str] = {}
    renamed: str | None = msgspec.field(default=None, name="re-named")
    anything: Any = None


DECODER = msgspec.json.Decoder(Thing)
ODD = {
    "id": 7, "count": "12", "rate": "fast", "on": 1, "inner": "x", "either": {"label": 3},
    "items": [{}, 5, {"label": "a"}], "tags": {"a": True, "b": 2, "c": None, "d": "e"}, "re-named": "y",
    "anything": [1],
}  # fmt: skip


def test_each_field_is_read_or_gets_its_default() -> None:
    assert decode(json.dumps(ODD).encode(), DECODER) == Thing(
        "7", 12, 0.5, True, Inner(), Inner("3"), [Inner(), Inner(), Inner("a")],
        {"a": "true", "b": "2", "d": "e"}, "y", [1],
    )  # fmt: skip


@pytest.mark.parametrize("value", [None, [], "x", {}, {"id": None}, {"id": ""}, {"id": []}])
def test_a_struct_without_its_required_field_is_none(value: Any) -> None:
    assert lenient(Thing, value) is None


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (int, 2**53 + 1, None), (int, 3.0, 3), (int, 3.5, None), (int, True, None), (int, "x", None),
        (float, 3, 3.0), (float, float("nan"), None), (float, "3", None), (str, True, None), (str, "\ud800", "?"),
        (bool, "false", False), (bool, None, None), (list[int], [1, "2", None, {}], [1, 2]), (list[int], {}, []),
    ],
)  # fmt: skip
def test_single_values(kind: Any, value: Any, expected: Any) -> None:
    assert lenient(kind, value) == expected


def test_what_strict_json_refuses_is_read() -> None:
    body = b'{"id": "\\ud800", "rate": NaN, "count": ' + b"9" * 5000 + b"}"
    assert decode(body, DECODER) == Thing("?")
    for broken, why in ((b" <html>", "web page"), (b'{"id": "x', "cut off"), (b"", "cut off")):
        with pytest.raises(ValueError, match=why):
            loads(broken)
        assert decode(broken, DECODER) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["label", *Thing.__struct_fields__]), inner)
    ),
    max_leaves=15,
)


@given(JSON)
def test_no_value_is_too_odd_and_a_valid_one_is_read_as_strictly(value: Any) -> None:
    found = lenient(Thing, value)
    assert found is None or isinstance(found, Thing)
    if found is not None:
        assert lenient(Thing, msgspec.to_builtins(found)) == found
        msgspec.json.encode(found)
