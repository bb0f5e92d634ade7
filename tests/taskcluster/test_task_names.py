"""Suite, platform, build type, chunk and symbol come from where each year's tasks put them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from backends.taskcluster import task_rows
from backends.taskcluster.models import TaskDefinition

CASES: list[tuple[str, dict[str, Any], tuple[str | None, ...]]] = [
    (  # 2018
        "test-android-4.3-arm7-api-16/debug-jsreftest-80",
        {
            "tags": {"kind": "test", "test-type": "reftest"},
            "extra": {
                "chunks": {"current": 80, "total": 100},
                "suite": {"flavor": "jsreftest", "name": "reftest"},
                "treeherder": {
                    "groupSymbol": "R", "symbol": "J80", "collection": {"debug": True},
                    "machine": {"platform": "android-4-3-armv7-api16"},
                },
            },
        },
        ("jsreftest", "android-4-3-armv7-api16", "debug", "80/100", "R(J80)"),
    ),
    (  # 2019
        "test-linux64-asan/opt-web-platform-tests-e10s-1",
        {
            "extra": {
                "chunks": {"current": 1, "total": 18}, "suite": "web-platform-tests",
                "treeherder-platform": "linux64/asan",
                "treeherder": {"symbol": "wpt1", "groupSymbol": "W", "machine": {"platform": "linux64"}},
            }
        },
        ("web-platform-tests", "linux64", "asan", "1/18", "W(wpt1)"),
    ),
    (  # tags of today
        "test-linux2404-64/opt-mochitest-plain-3",
        {"tags": {"test-suite": "mochitest-plain", "test-platform": "linux2404-64/opt", "test-type": "mochitest"}},
        ("mochitest-plain", "linux2404-64", "opt", None, None),
    ),
    (  # only the name; the 7 is the suite's own
        "test-linux1804-64-shippable-qr/opt-raptor-tp6-7",
        {"tags": {"kind": "test"}},
        ("raptor-tp6-7", "linux1804-64-shippable-qr", "opt", None, None),
    ),
    (
        "test-linux64-qr/debug-mochitest-e10s-16",
        {"extra": {"chunks": {"current": 16, "total": 16}}},
        ("mochitest-e10s", "linux64-qr", "debug", "16/16", None),
    ),
    ("build-linux64/opt", {"tags": {"kind": "build"}}, (None, "linux64", "opt", None, None)),
    (
        "spidermonkey-sm-plain-win32/opt", {"tags": {"kind": "spidermonkey"}},
        (None, "sm-plain-win32", "opt", None, None),
    ),
    ("source-test-mozlint-yaml", {"tags": {"kind": "source-test"}}, (None, None, None, None, None)),
    ("Gecko Decision Task", {}, (None, None, None, None, None)),
    ("Action: Retrigger a/b c", {}, (None, None, None, None, None)),
    ("", {}, (None, None, None, None, None)),
    ("/", {}, (None, None, None, None, None)),
    (
        "x", {"extra": {"treeherder": {"symbol": "B", "groupSymbol": "?"}, "chunks": {"current": 1, "total": 1}}},
        (None, None, None, None, "B"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "members", "expected"), CASES, ids=[case[0] or "nameless" for case in CASES])
def test_a_task_is_named_as_treeherder_names_it(
    name: str, members: dict[str, Any], expected: tuple[str | None, ...]
) -> None:
    task = msgspec.convert(members, TaskDefinition)
    found = (
        task_rows.suite_of(task, name),
        *task_rows.platform_and_build(task, name),
        task_rows.format_chunk(task.extra),
        task_rows.format_symbol(task.extra.treeherder),
    )
    assert found == expected


def test_the_push_is_read_from_the_treeherder_route() -> None:
    assert task_rows.push_of_routes(["index.x", "tc-treeherder.v2.try.0b445bf.432115"]) == ("try", "0b445bf")
    assert task_rows.push_of_routes(["tc-treeherder.v2.try"]) == (None, None)
