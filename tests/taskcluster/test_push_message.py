"""What a group's push is about comes from the Treeherder that may be asked, and from no other."""

from __future__ import annotations

import json

import httpx
import pytest

from backends.cancel import CancelToken
from backends.demo import DemoOptions, DemoServer, locators
from backends.http import Http
from backends.systems import parse_locator
from backends.taskcluster.client import Client
from backends.taskcluster.push_message import fetch_push_message
from backends.taskcluster.tasks import GroupTaskList

ROOT, OWN, PUBLIC = "https://tc.example", "https://th.example", "https://treeherder.mozilla.org"
FIREFOX = "https://firefox-ci-tc.services.mozilla.com"


def ask(comments: list[str] | None, root: str = ROOT, treeherder: str = OWN) -> tuple[str, list[httpx.URL]]:
    """The message, and what was asked of which server. `comments`: of the push's commits; None: the server fails."""
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        if comments is None:
            return httpx.Response(500)
        revisions = [{"comments": text} for text in comments]
        body = json.dumps({"results": [{"revisions": revisions}] if comments else []})
        return httpx.Response(200, content=body, headers={"content-type": "application/json"})

    with Http(transport=httpx.MockTransport(answer)) as http:
        message = fetch_push_message(Client(http, root, treeherder), "try", "ab" * 20, CancelToken())
    return message, asked


@pytest.mark.parametrize(
    ("comments", "message"),
    [
        (["Bug 1 - Fix it, r=me\n\nAt length.", "Bug 2 - Other"], "Bug 1 - Fix it, r=me"),
        (["try: -b do -p linux64", "Bug 1 - Fix it"], "Bug 1 - Fix it"),
        (["try: -b do"], "try: -b do"),
        (["", " \n"], ""),
        ([], ""),
        (None, ""),
    ],
)
def test_the_first_line_of_the_tip_below_the_options_of_try(comments: list[str] | None, message: str) -> None:
    found, asked = ask(comments)
    assert found == message
    assert asked[0].host == "th.example" and asked[0].params["revision"] == "ab" * 20


def test_the_public_treeherder_is_not_told_revisions_of_other_deployments() -> None:
    assert ask(["x"], ROOT, PUBLIC) == ("", [])
    assert ask(["x"], ROOT, "") == ("", [])
    assert ask(["x"], FIREFOX, PUBLIC)[0] == "x"


def test_the_header_of_a_group_and_its_push_name_the_same_author() -> None:
    """Of the demo, where both are made up."""
    with DemoServer(DemoOptions(tasks=60)) as server, Http() as http:
        for name in ("finished-group", "running-group"):
            locator = parse_locator(locators(server.options, server.root_url)[f"taskcluster.{name}"])
            group = GroupTaskList(locator, Client(http, server.root_url))  # type: ignore[arg-type]
            for _ in group.pages(CancelToken()):
                pass
            project, revision = group._pushed  # type: ignore[misc]
            treeherder = server.settings["CIEXPLORE_TREEHERDER_URL"]
            url = f"{treeherder}/api/project/{project}/push/"
            push = httpx.get(url, params={"revision": revision}, timeout=None).json()["results"][0]
            assert push["author"].partition("@")[0] == group.made_by
            assert {one["author"].partition(" ")[0] for one in push["revisions"]} == {group.made_by}
