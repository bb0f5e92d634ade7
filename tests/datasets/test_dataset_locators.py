"""Locators of datasets survive the clipboard, may be typed with bare slashes, and keep their old prefix."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.errors import UsageError
from backends.systems import parse_locator
from backends.treeherder.datasets.locators import LOCATORS, VIEW_NAMES, DatasetView, DatasetViews
from backends.treeherder.datasets.views import VIEWS

KNOWN: list[Any] = [
    DatasetViews("/home/me/perf"), DatasetViews("perf data", "try"), DatasetView("/a/b.c/groups", "groups", "autoland"),
    DatasetView("./d?x=1#y", "waits-by-hour"), DatasetViews("/ends/in/groups"), DatasetViews("/"),
]  # fmt: skip
PATHS = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=30)
REPOSITORIES = st.one_of(st.just(""), st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True))


@pytest.mark.parametrize("locator", KNOWN)
def test_a_locator_survives_the_clipboard(locator: Any) -> None:
    assert parse_locator(locator.text()) == locator
    assert locator.text().startswith("treeherder:dataset/")


@given(PATHS, st.sampled_from(["", *VIEW_NAMES]), REPOSITORIES)
def test_every_path_survives_the_clipboard(path: str, view: str, repository: str) -> None:
    locator = DatasetView(path, view, repository) if view else DatasetViews(path, repository)
    assert parse_locator(f"{locator.text()}. ") == parse_locator(locator.text()) == locator


def test_a_locator_may_be_typed_with_bare_slashes_and_with_the_old_prefix() -> None:
    assert parse_locator("treeherder:dataset//home/me/perf/groups") == DatasetView("/home/me/perf", "groups")
    assert parse_locator("perf:dataset//home/me/perf/groups") == DatasetView("/home/me/perf", "groups")
    assert parse_locator("perf:dataset/data/perf") == DatasetViews("data/perf")
    assert parse_locator("PERF:dataset/%2Fdata/jobs?repository=try") == DatasetView("/data", "jobs", "try")


@pytest.mark.parametrize("text", ["perf:dataset/", "perf:dataset/x?y=1", "perf:dataset/x?repository=../y"])
def test_a_broken_locator_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_locator(text)
    assert "treeherder:dataset/STORE" in f"{error.value.sentence} {error.value.hint}"


def test_the_locators_know_the_views_and_their_syntax() -> None:
    assert tuple(VIEWS) == VIEW_NAMES
    assert [cls.template.syntax for cls in LOCATORS] == [
        "treeherder:dataset/STORE/VIEW[?repository=REPOSITORY]",
        "treeherder:dataset/STORE[?repository=REPOSITORY]",
    ]
