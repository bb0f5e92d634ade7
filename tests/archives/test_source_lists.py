"""The pane's lists: repositories, revisions, archives - on the embedded CI, and on Mercurial's own plain hgweb."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from backends import config
from backends.archives.hosts import HG_PAGE
from backends.archives.locators import SourceRepository, SourceRevision
from backends.cancel import CancelToken
from backends.demo.archives import AUTOLAND, REVISIONS
from backends.errors import AppError, UsageError
from backends.http import Http
from backends.http.response import ResponseSource
from backends.locators import InvalidLocatorError
from backends.resources import Action, Document, Link, Question, Resource, Row, read_list
from backends.systems import open_resource, parse_locator
from tests.archives.mercurial_server import Hgweb

ListOpener = Callable[..., Resource]


@pytest.fixture
def open_list(tmp_path: Path) -> Iterator[ListOpener]:
    """A locator's list with the configured hgweb, or with the one that is named."""
    with Http(tries=1) as http:

        def open_(text: str, url: str = "") -> Resource:
            settings = replace(config.load(), output=str(tmp_path / "downloads"))
            settings = replace(settings, hg_url=url) if url else settings
            return open_resource(parse_locator(text), http, settings, CancelToken())

        yield open_


def read_rows(resource: Resource) -> pl.DataFrame:
    return read_list(resource, CancelToken()).frame


def row(resource: Resource, **spec: Any) -> Row:
    frame = read_rows(resource)
    for name, value in spec.items():
        frame = frame.filter(pl.col(name) == value)
    assert len(frame) == 1, frame
    return frame.row(0, named=True)


def entry(resource: Resource, at: Row | None, label: str) -> Any:
    found = [one for one in resource.menu(at, read_rows(resource)) if label in one.label]
    assert len(found) == 1, [one.label for one in resource.menu(at, read_rows(resource))]
    return found[0]


def do(action: Action) -> str:
    said: list[str] = []
    told = action.run(CancelToken(), said.append)
    return "\n".join([*said, told])


def test_every_archive_locator_of_the_demo_opens_a_list(demo: dict[str, str], open_list: ListOpener) -> None:
    ours = {name: text for name, text in demo.items() if name.startswith("archive.")}
    assert len(ours) == 5
    for name, text in ours.items():
        frame = read_rows(open_list(text))
        assert len(frame) > 0 or name == "archive.kept", name


def test_a_repository_opens_its_revisions_and_a_revision_its_archives(
    demo: dict[str, str], open_list: ListOpener
) -> None:
    repositories = open_list("archives:repositories")
    first = row(repositories, name=AUTOLAND)
    assert first["changed"] is not None and "embedded" in first["description"]
    locator = repositories.shows(first)
    assert isinstance(locator, SourceRepository)
    revisions = open_list(locator.text())
    pushed = demo["archive.revision"].rpartition("@")[2]
    found = row(revisions, node=pushed)
    assert found["pusher"].endswith("@example.org") and found["push"] > 0 and found["author"]
    chosen = revisions.shows(found)
    assert isinstance(chosen, SourceRevision) and chosen.revision == pushed
    archives = read_rows(open_list(chosen.text()))
    assert archives["suffix"].to_list() == ["zip", "tar.gz", "tar.bz2"]
    assert set(archives["state"]) == {"not kept"}


def test_all_pages_of_the_revisions_are_listed_once(demo: dict[str, str], open_list: ListOpener) -> None:
    frame = read_rows(open_list(demo["archive.repository"]))
    assert HG_PAGE < len(frame) == frame["node"].n_unique() == REVISIONS
    assert frame["date"].is_sorted(descending=True)


def test_the_demo_s_push_is_that_of_its_finished_task_group(demo: dict[str, str], open_list: ListOpener) -> None:
    from backends.archives.urls import of_project
    from backends.taskcluster.locators import PushGroup

    push = parse_locator(demo["taskcluster.push"])
    assert isinstance(push, PushGroup)
    locator = of_project(push.repository, push.revision)
    assert locator == parse_locator(demo["archive.revision"])
    assert len(read_rows(open_list(locator.text()))) == 3


def test_a_plain_hgweb_without_pushes_lists_all_the_same(hgweb: Hgweb, open_list: ListOpener) -> None:
    assert read_rows(open_list("archives:repositories", hgweb.url))["name"].to_list() == ["broken", "projects/ash"]
    frame = read_rows(open_list("archives:projects/ash", hgweb.url))
    assert frame["node"].to_list()[0] == hgweb.repositories.second
    assert frame["summary"].to_list() == [
        "two",
        "Added tag REL_1 for changeset " + hgweb.repositories.first[:12],
        "one",
    ]
    assert frame["push"].null_count() == 3
    assert frame["names"].to_list()[2] == "REL_1"


def test_a_server_that_cannot_be_asked_leaves_the_pinned_ones(hgweb: Hgweb, open_list: ListOpener) -> None:
    there = open_list("archives:repositories", hgweb.url)
    pin = entry(there, row(there, name="projects/ash"), "Pin")
    assert "is pinned" in do(pin)
    assert row(there, name="projects/ash")["pinned"] == "★"
    assert read_rows(there)["name"].to_list()[0] == "projects/ash"
    away = open_list(f"archives:repositories?root={hgweb.url}", hgweb.url)
    away.source._template = ""  # type: ignore[attr-defined]
    away.source.root = "http://127.0.0.1:9"  # type: ignore[attr-defined]
    with pytest.raises(AppError):
        read_rows(away)  # nothing of that server is pinned
    away._pins.toggle("http://127.0.0.1:9", "x")  # type: ignore[attr-defined]
    gathered = read_list(away, CancelToken())
    assert gathered.frame["name"].to_list() == ["x"] and gathered.freshness.source is ResponseSource.STALE
    assert "no longer" in do(entry(there, row(there, name="projects/ash"), "Unpin"))


def test_fetching_from_the_menu_asks_first_says_how_far_it_is_and_keeps_it(
    demo: dict[str, str], open_list: ListOpener, tmp_path: Path
) -> None:
    resource = open_list(demo["archive.revision"])
    at = row(resource, suffix="tar.gz")
    fetch = entry(resource, at, "Fetch the complete repository as tar.gz")
    assert "hundreds of MB" in fetch.confirm
    told = do(fetch)
    assert "Downloading" in told and "repacking" in told.lower() and "Verified, " in told
    assert [path.name for path in (tmp_path / "downloads").iterdir()] == [f"autoland-{at['revision']}.tar.gz"]
    kept = row(resource, suffix="tar.gz")
    assert kept["state"] == "kept" and kept["size"] > 0 and kept["age"] >= 0
    assert kept["note"] == "repacked from zip"
    assert row(resource, suffix="zip")["state"] == "kept"  # what the server gave
    revisions = open_list(demo["archive.repository"])
    assert row(revisions, node=at["node"])["archives"] == 2


def test_a_part_is_fetched_without_a_question_and_shows_what_is_in_it(
    demo: dict[str, str], open_list: ListOpener
) -> None:
    resource = open_list(demo["archive.directory"])
    fetch = entry(resource, row(resource, suffix="zip"), "Fetch testing/mozharness as zip")
    assert fetch.confirm == ""
    do(fetch)
    found = row(resource, suffix="zip")
    document = resource.shows(found)
    assert isinstance(document, Document)
    tree = document.read(CancelToken())
    top = tree["members"][f"autoland-{found['revision']}"]
    assert set(top["testing"]["mozharness"]) >= {"README.txt", "configs", "latest"}
    assert top["testing"]["mozharness"]["latest"] == "symbolic link"
    assert tree["archive"]["sha256"] == found["sha256"]
    locator = resource.open(found)
    assert locator is not None and parse_locator(locator.text()) == locator


def test_d_fetches_what_is_marked_asks_once_and_saves_what_is_kept(demo: dict[str, str], open_list: ListOpener) -> None:
    archives = open_list(demo["archive.revision"])
    frame = read_rows(archives)
    action = archives.download(frame)
    assert action is not None and "3 archives of complete repositories" in action.confirm
    told = do(action)
    assert "1 of 3: " in told and "Verified, 3 archives in " in told
    assert set(read_rows(archives)["state"]) == {"kept"}
    again = archives.download(read_rows(archives).head(1))
    assert again is not None and again.confirm == "" and again.label.startswith("Save")
    assert "autoland-16982c3917d4.zip" in do(again)
    part = open_list(demo["archive.directory"])
    alone = part.download(read_rows(part).head(1))
    assert alone is not None and alone.confirm == "" and ".zip" in do(alone)


def test_d_on_revisions_fetches_their_zips_and_says_which_could_not_be_had(
    demo: dict[str, str], open_list: ListOpener, tmp_path: Path
) -> None:
    revisions = open_list(demo["archive.repository"])
    some = read_rows(revisions).head(2)
    first, second = some["node"].to_list()
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / f"autoland-{first[:12]}.zip").write_text("mine")
    action = revisions.download(some)
    assert action is not None and "2 archives" in action.label and action.confirm
    with pytest.raises(AppError, match="1 of 2 were not fetched"):
        do(action)
    assert zipfile.ZipFile(tmp_path / "downloads" / f"autoland-{second[:12]}.zip").testzip() is None
    assert (tmp_path / "downloads" / f"autoland-{first[:12]}.zip").read_text() == "mine"


async def test_d_asks_and_fetches_in_the_app(
    demo: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.driving import running, screen_text, until
    from tui.widgets.dialogs import ConfirmDialog

    monkeypatch.setenv("CIEXPLORE_OUTPUT", str(tmp_path / "out"))
    async with running(demo["archive.revision"], size=(80, 24)) as (app, pilot):
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert "Fetch all of integration/autoland?" in screen_text(app)
        await pilot.press("y")
        await until(pilot, lambda: "1 kept" in screen_text(app))
        assert len(list((tmp_path / "out").iterdir())) == 1


def test_deleting_asks_first_and_takes_the_archive_and_nothing_else(
    demo: dict[str, str], open_list: ListOpener
) -> None:
    part = open_list(demo["archive.directory"])
    for suffix in ("zip", "tar.bz2"):
        do(entry(part, row(part, suffix=suffix), f"as {suffix}"))
    kept = open_list("archives:held")
    assert len(read_rows(kept)) == 2 and "2 kept" in kept.summary(read_rows(kept))
    gone = row(kept, suffix="zip")
    delete = entry(kept, gone, "Delete")
    assert delete.confirm.startswith("Delete the archive of testing/mozharness")
    assert do(delete).startswith("Deleted")
    assert read_rows(kept)["suffix"].to_list() == ["tar.bz2"]


def test_a_kept_archive_can_be_saved_again_and_its_addresses_opened(
    demo: dict[str, str], open_list: ListOpener, tmp_path: Path
) -> None:
    part = open_list(demo["archive.directory"])
    do(entry(part, row(part, suffix="zip"), "as zip"))
    (saved,) = (tmp_path / "downloads").iterdir()
    saved.unlink()
    at = row(part, suffix="zip")
    assert str(saved) in do(entry(part, at, "Save to downloads"))
    assert zipfile.ZipFile(saved).testzip() is None
    links = [one for one in part.menu(at, read_rows(part)) if isinstance(one, Link)]
    texts = [one.opens for one in links if isinstance(one.opens, str)]
    assert any(text.endswith(f"/archive/{at['revision']}.zip/testing/mozharness") for text in texts)
    assert part.web_url(at) in texts


def test_another_revision_or_a_directory_is_asked_for_and_checked(demo: dict[str, str], open_list: ListOpener) -> None:
    revisions = open_list(demo["archive.repository"])
    at = read_rows(revisions).row(0, named=True)
    other, part = entry(revisions, at, "Another revision"), entry(revisions, at, "one directory")
    assert isinstance(other, Question) and isinstance(part, Question)
    assert other.opens(" NIGHTLY_BASE ") == SourceRevision(AUTOLAND, "NIGHTLY_BASE", root=revisions.source.root)  # type: ignore[attr-defined]
    assert len(read_rows(open_list(other.opens("NIGHTLY_BASE").text()))) == 3
    assert part.opens("/testing/") == SourceRevision(AUTOLAND, at["node"], "testing", root=revisions.source.root)  # type: ignore[attr-defined]
    with pytest.raises(InvalidLocatorError):
        other.opens(" ")
    with pytest.raises(UsageError):
        part.opens("a/../b")


def test_details_say_what_the_row_has_no_room_for(demo: dict[str, str], open_list: ListOpener) -> None:
    revisions = open_list(demo["archive.repository"])
    at = read_rows(revisions).row(0, named=True)
    told = str(revisions.detail(at))
    assert at["node"] in told and "the tests say more than this message" in told
    repositories = open_list("archives:repositories")
    assert "demo@example.org" in str(repositories.detail(read_rows(repositories).row(0, named=True)))
    archives = open_list(demo["archive.revision"])
    assert "not kept" in str(archives.detail(read_rows(archives).row(0, named=True)))


async def test_enter_goes_from_the_repositories_to_the_archives_in_the_app(demo: dict[str, str]) -> None:
    from tests.driving import loaded, running, screen_text, shown_view, until

    async with running(None, size=(100, 30)) as (app, pilot):
        pane = app.current_list
        assert pane is not None
        await pane.open(parse_locator("archives:repositories"))
        await until(pilot, lambda: loaded(app))
        assert "integration/autoland" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: loaded(app) and shown_view(app).table.total_count == REVISIONS)
        assert "Pushed by" in screen_text(app) or "Summary" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: loaded(app) and shown_view(app).table.total_count == 3)
        await until(pilot, lambda: "tar.bz2" in screen_text(app) and "not kept" in screen_text(app))
