"""A glob finds what a person means by it."""

from __future__ import annotations

import pytest

from backends.transfers.files import matches_globs

NAME = "public/test_info/perfherder-data.json"


@pytest.mark.parametrize(
    ("globs", "found"),
    [
        ([], True),
        (["perfherder-data.json"], True),
        (["*.json"], True),
        (["public/*.json"], True),
        (["public/test_info/*"], True),
        (["*perf*"], True),
        (["test_info/*"], False),
        (["*.log"], False),
        (["*.log", "*.json"], True),
        (["!*.json"], False),
        (["*", "!*perf*"], False),
        (["!*.log"], True),
        (["PERF*"], False),
        (["perfherder-data.jso[mn]"], True),
    ],
)
def test_globs(globs: list[str], found: bool) -> None:
    assert matches_globs(NAME, globs) is found
