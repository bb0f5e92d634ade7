"""Two sides: which clusters are new, gone, grown or shrunk."""

from __future__ import annotations

import polars as pl

from backends import config
from backends.cancel import CancelToken
from backends.failures.cluster_changes import CHANGES, compare_clusters
from backends.failures.lists import FAILURES
from backends.failures.locators import ClusterChanges, ClustersOf, FailuresOf
from backends.resources import Question, read_list
from backends.session import Session
from backends.systems import parse_locator
from tests.commands.calling import Caller
from tests.failures.test_failures_command import ciexplore

__all__ = ["ciexplore"]


def failures(*messages: str) -> pl.DataFrame:
    rows = [
        {"key": str(n), "status": "FAIL", "message": text, "task": f"t{n}", "test": "a"}
        for n, text in enumerate(messages)
    ]
    return pl.DataFrame(rows, schema=FAILURES.polars())


def test_new_gone_grown_shrunk_and_the_same() -> None:
    base = failures("same 1", "grown 1", "shrunk 1", "shrunk 2", "gone 1")
    new = failures("same 2", "grown 2", "grown 3", "shrunk 3", "appeared 1")
    found = compare_clusters(base, new)
    assert list(found.select("change", "base", "new").iter_rows()) == [
        ("new", 0, 1), ("grown", 1, 2), ("same", 1, 1), ("shrunk", 2, 1), ("gone", 1, 0),
    ]  # fmt: skip
    assert found["text"].to_list()[1] == "grown «1»"
    swapped = compare_clusters(new, base)
    assert dict(zip(swapped["cluster"], swapped["base"], strict=True)) == dict(
        zip(found["cluster"], found["new"], strict=True)
    )


def test_nothing_failed() -> None:
    assert compare_clusters(FAILURES.empty(), FAILURES.empty()).equals(CHANGES.empty())
    assert compare_clusters(FAILURES.empty(), failures("x"))["change"].to_list() == ["new"]


def test_two_builds_of_the_demo_and_what_enter_opens(demo: dict[str, str]) -> None:
    locator = ClusterChanges(demo["prow.build-error"], demo["prow.build-failed"])
    assert parse_locator(locator.text()) == locator
    session = Session(config.load())
    try:
        resource = session.resource(locator)
        contents = read_list(resource, CancelToken())
        assert set(contents.frame["change"]) == {"new", "gone"}
        for row in contents.frame.to_dicts():
            opened = resource.open(row)
            assert isinstance(opened, FailuresOf)
            listed = read_list(session.resource(opened), CancelToken()).frame
            assert len(listed) == row["new"] + row["base"]
        assert "new" in resource.summary(contents.frame) and len(resource.menu(None, contents.frame)) == 3
    finally:
        session.close()


def test_the_command(ciexplore: Caller, demo: dict[str, str]) -> None:
    ended = ciexplore("failures", demo["prow.build-failed"], "--against", demo["prow.build-error"], "--format", "csv")
    assert {row["change"] for row in ended.rows} == {"new", "gone"}


def test_the_menu_of_clusters_asks_for_the_base(demo: dict[str, str]) -> None:
    session = Session(config.load())
    try:
        resource = session.resource(ClustersOf(demo["prow.build-failed"]))
        [question] = [entry for entry in resource.menu(None, CHANGES.empty()) if isinstance(entry, Question)]
        opened = question.opens(demo["prow.build-error"])
        assert isinstance(opened, ClusterChanges)
        assert session.parse(opened.base) == session.parse(demo["prow.build-error"])
        assert session.parse(opened.new) == session.parse(demo["prow.build-failed"])
    finally:
        session.close()
