"""From a Taskcluster task, a Treeherder push and a Prow build, `x` leads to the archives of the source they tested."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends import config
from backends.archives.locators import GITHUB, SourceRepository, SourceRevision
from backends.archives.urls import of_project, of_repository
from backends.cancel import CancelToken
from backends.prow.builds import source_of
from backends.resources import Link, Resource, Row, read_list
from backends.session import Session
from backends.systems import parse_locator

REV = "16982c3917d48705cec95cd128fe1639072bb844"


@pytest.fixture
def session(demo: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("CIEXPLORE_OUTPUT", str(tmp_path / "out"))
    opened = Session(config.load())
    try:
        yield opened
    finally:
        opened.close()


def source_links(resource: Resource, row: Row) -> list[SourceRevision]:
    found = [one.opens for one in resource.menu(row, resource.schema.empty()) if isinstance(one, Link)]
    return [one for one in found if isinstance(one, SourceRevision)]


def first(session: Session, locator: str) -> tuple[Resource, Row]:
    resource = session.resource(parse_locator(locator), CancelToken())
    return resource, read_list(resource, CancelToken()).frame.row(0, named=True)


def test_a_task_leads_to_the_archives_of_its_push(session: Session, demo: dict[str, str]) -> None:
    resource = session.resource(parse_locator(demo["taskcluster.push"]), CancelToken())
    frame = read_list(resource, CancelToken()).frame
    row = frame.filter(frame["revision"] == REV).row(0, named=True)
    (source,) = source_links(resource, row)
    assert source == SourceRevision("integration/autoland", REV)
    archives = read_list(session.resource(source, CancelToken()), CancelToken()).frame
    assert archives["suffix"].to_list() == ["zip", "tar.gz", "tar.bz2"]


def test_a_task_of_no_push_leads_to_no_archives(session: Session, demo: dict[str, str]) -> None:
    resource, row = first(session, demo["taskcluster.push"])
    assert source_links(resource, {**row, "revision": None}) == []


def test_a_push_leads_to_the_archives_where_treeherder_says_its_repository_is(
    session: Session, demo: dict[str, str]
) -> None:
    resource = session.resource(parse_locator(demo["perf.pushes"]), CancelToken())
    frame = read_list(resource, CancelToken()).frame
    row = frame.filter(frame["revision"] == REV).row(0, named=True)
    (source,) = source_links(resource, row)
    assert source == SourceRevision("integration/autoland", REV)
    assert len(read_list(session.resource(source, CancelToken()), CancelToken()).frame) == 3
    other = frame.filter(frame["revision"] != REV).row(0, named=True)
    (source,) = source_links(resource, other)
    archives = session.resource(source, CancelToken())
    row = read_list(archives, CancelToken()).frame.row(0, named=True)
    assert row["node"] == other["revision"]
    action = archives.download(read_list(archives, CancelToken()).frame.head(1))
    assert action is not None and "Verified" in action.run(CancelToken(), print)


def test_a_build_leads_to_the_archives_of_the_commit_it_tested(session: Session, demo: dict[str, str]) -> None:
    resource = session.resource(parse_locator(demo["prow.pull-job"]), CancelToken())
    frame = read_list(resource, CancelToken()).frame
    row = frame.filter(frame["commit"].is_not_null() & frame["base"].is_not_null()).row(0, named=True)
    (source,) = source_links(resource, row)
    assert source == SourceRevision(row["base"].partition("@")[0], row["commit"], root=GITHUB)
    assert parse_locator(source.text()) == source


@pytest.mark.parametrize(
    ("base", "commit"),
    [
        (None, REV),
        ("openshift/origin@master", None),
        ("openshift/origin@master", "v4.8"),
        ("https://gerrit.example/x/repo@master", REV),
        ("../../x@master", REV),
        ("openshift@master", REV),
        ("openshift/ori\x1bgin@master", REV),
    ],
)
def test_a_build_that_does_not_say_what_it_tested_leads_nowhere(base: str | None, commit: str | None) -> None:
    assert source_of({"base": base, "commit": commit}) is None


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://hg.mozilla.org/releases/mozilla-beta", SourceRevision("releases/mozilla-beta", REV)),
        ("https://hg.mozilla.org/releases/mozilla-beta/", SourceRevision("releases/mozilla-beta", REV)),
        ("https://hg.example/x", SourceRevision("x", REV, root="https://hg.example")),
        ("https://github.com/servo/servo", SourceRevision("servo/servo", REV, root=GITHUB)),
        ("http://hg.example/x", None),
        ("https://me:secret@hg.example/x", None),
        ("https://git.example/x", None),
        ("javascript:alert(1)", None),
        ("", None),
    ],
)
def test_a_repository_s_address_is_taken_only_if_it_is_plainly_one(url: str, found: SourceRevision | None) -> None:
    assert of_repository(url, REV) == found


def test_every_repository_of_treeherder_is_where_its_name_says(samples: Path) -> None:
    """Taskcluster knows the names only: they must lead where Treeherder's recorded list says."""
    for one in json.loads((samples / "treeherder" / "repository.json").read_text()):
        assert isinstance(parse_locator(one["url"]), SourceRepository)
        assert of_project(one["name"], REV) == of_repository(one["url"], REV), one["name"]
