"""“Open in browser” leads to the same thing: the page of an artifact, a run or a group, pasted, opens it again."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.http import Http
from backends.locators import Locator
from backends.systems import parse_locator
from backends.taskcluster.locators import Artifact, Task, TaskGroup
from tests.taskcluster.fake_queue import GROUP, ROOT, open_list, task_id

HTTP = Http(transport=httpx.MockTransport(lambda request: httpx.Response(500)))
TASK = task_id(1)
# What a sentence may end in, what a URL gives a meaning to, and what a run's page calls its tabs.
NAMES = [
    "public/notes.", "public/a..", "public/what?", "public/a,b;", "public/(x)", "public/100%", "public/a#b", "a b.txt",
    "public/logs/", "//x", "public/%41", "logs", "details", "artifacts", "logs/live", "public/é…",
]  # fmt: skip


def page_of_artifact(name: str, run: int) -> str | None:
    resource = open_list(Task(TASK, run, ROOT), HTTP, ROOT)
    return resource.web_url({"task_id": TASK, "run": run, "name": name})


@pytest.mark.parametrize("name", NAMES)
def test_the_page_of_an_artifact_is_that_artifact_when_it_is_pasted(name: str) -> None:
    assert parse_locator(str(page_of_artifact(name, 2))) == Artifact(TASK, 2, name, ROOT)


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1), st.integers(0, 9999))
def test_no_name_loses_anything_in_the_page_of_an_artifact(name: str, run: int) -> None:
    assert parse_locator(str(page_of_artifact(name, run))) == Artifact(TASK, run, name, ROOT)


@pytest.mark.parametrize(
    "locator",
    [TaskGroup(GROUP, ROOT), TaskGroup(GROUP, ROOT, search="xpcshell"), TaskGroup(GROUP, ROOT, search="a/b #1."),
     Task(TASK, None, ROOT), Task(TASK, 0, ROOT), Task(TASK, 3, ROOT)],
)  # fmt: skip
def test_the_page_of_a_list_is_that_list_when_it_is_pasted(locator: Locator) -> None:
    assert parse_locator(str(open_list(locator, HTTP, ROOT).web_url())) == locator
