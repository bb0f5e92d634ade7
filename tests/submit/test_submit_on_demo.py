"""The pane and the commands on the demo: lint, preview, publish and look at what became of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends import config
from backends.cancel import CancelToken
from backends.errors import AppError
from backends.http import Http
from backends.resources import Action, Document, Link, ListContents, Resource, read_list
from backends.submit.credentials import VARIABLES
from backends.submit.locators import JobFile
from backends.systems import open_resource, parse_locator
from tests.commands.calling import Caller
from tests.submit.jobs import message


@pytest.fixture
def ciexplore(
    capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Caller]:
    monkeypatch.chdir(tmp_path)
    yield Caller(capsysbinary)


def open_list(text: str) -> tuple[Resource, ListContents]:
    resource = open_resource(parse_locator(text), Http(), config.load(), CancelToken())
    return resource, read_list(resource, CancelToken())


def actions(resource: Resource, gathered: ListContents) -> dict[str, Action]:
    return {one.label: one for one in resource.menu(None, gathered.frame) if isinstance(one, Action)}


def test_every_locator_of_the_demo_opens_and_copies_itself(demo: dict[str, str]) -> None:
    names = [name for name in demo if name.startswith("submit.")]
    assert len(names) >= 8
    for name in names:
        assert parse_locator(demo[name]).text() == demo[name]
        resource, gathered = open_list(demo[name])
        assert gathered.frame.schema == resource.schema.polars()
        assert len(gathered.frame) > 0 or name == "submit.outbox"
        assert resource.title
        for row in gathered.frame.to_dicts():
            assert resource.detail(row).sections
            document = resource.document(row)
            assert document is None or document.read(CancelToken()) is not None
            resource.menu(row, gathered.frame)


def test_the_jobs_of_a_file_with_their_state(demo: dict[str, str]) -> None:
    resource, gathered = open_list(demo["submit.example"])
    symbols = gathered.frame["symbol"].to_list()
    assert symbols[:3] == ["B", "SM(e)", "M(bc5)"]
    assert gathered.frame["shown"].to_list()[2:6] == ["testfailed", "exception", "running", "pending"]
    document = resource.shows(gathered.frame.to_dicts()[0])
    assert isinstance(document, Document)
    views = [one.opens for one in resource.menu(None, gathered.frame) if isinstance(one, Link)]
    assert [one.view for one in views if isinstance(one, JobFile)] == ["lint", "preview", "generation"]


def test_enter_on_a_broken_job_shows_its_findings_only(demo: dict[str, str]) -> None:
    resource, gathered = open_list(demo["submit.example-broken"].partition("?")[0])
    row = gathered.frame.to_dicts()[1]
    shown: Any = resource.shows(row)
    findings = open_list(shown.text())[1].frame
    assert set(findings["job"]) == {row["job"]}
    assert row["errors"] == (findings["level"] == "error").sum()


@pytest.mark.parametrize("view", ["jobs", "preview", "generation"])
def test_what_is_marked_in_any_view_of_the_jobs_can_be_published(demo: dict[str, str], view: str) -> None:
    """In the preview above all: whoever has seen what will be preview_job wants to send it."""
    path = demo["submit.example"].partition("?")[0]
    resource, gathered = open_list(f"{path}?view={view}" if view != "jobs" else path)
    labels = [one.label for one in resource.menu(None, gathered.frame.head(2)) if isinstance(one, Action)]
    assert labels == ["Publish 2 jobs via Pulse", "Publish 2 jobs via a signed POST (Hawk)"]


def test_publishing_from_the_pane_and_what_became_of_it(demo: dict[str, str]) -> None:
    resource, gathered = open_list(demo["submit.example"])
    publish = actions(resource, gathered)["Publish 8 jobs via a signed POST (Hawk)"]
    assert publish.confirm.startswith("Publish 8 jobs to http://127.0.0.1:")
    progress: list[str] = []
    assert publish.run(CancelToken(), progress.append) == "8 acknowledged."
    outbox, rows = open_list("submit:outbox")
    assert set(rows.frame["state"]) == {"acknowledged"} and outbox.summary(rows.frame) == "8 acknowledged"
    preview = open_list(demo["submit.example-preview"])[1].frame
    assert set(preview["changes"]) == {"same"}
    assert actions(outbox, rows)["Forget (acknowledged, cancelled)"].run(CancelToken(), progress.append) == "8 removed."


def test_a_broken_job_keeps_all_from_being_published(demo: dict[str, str]) -> None:
    resource, gathered = open_list(demo["submit.example-broken"].partition("?")[0])
    publish = actions(resource, gathered)["Publish 4 jobs via a signed POST (Hawk)"]
    with pytest.raises(AppError, match="nothing was queued"):
        publish.run(CancelToken(), lambda words: None)
    assert open_list("submit:outbox")[1].frame.is_empty()


def test_a_job_that_the_server_drops_comes_back_and_can_be_taken_back(demo: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "lost.json"
    path.write_text(json.dumps([message(origin={"project": "autoland", "revision": "0" * 40})]))
    resource, gathered = open_list(f"submit:{path}")
    publish = actions(resource, gathered)["Publish 1 job via a signed POST (Hawk)"]
    assert publish.run(CancelToken(), lambda words: None) == "0 acknowledged, 1 returned."
    outbox, rows = open_list("submit:outbox")
    assert "no push" in rows.frame["words"][0]
    document = outbox.shows(rows.frame.to_dicts()[0])
    assert isinstance(document, Document) and document.read(CancelToken())["project"] == "autoland"
    menu = actions(outbox, rows)
    menu["Queue again (returned, failed, cancelled)"].run(CancelToken(), lambda words: None)
    update = outbox.updates(rows.frame, CancelToken())
    assert update is not None and update.frame["state"].to_list() == ["queued"]
    assert menu["Cancel (not yet acknowledged)"].run(CancelToken(), lambda words: None) == "1 cancelled."


def test_tasks_of_the_taskcluster_pane_are_jobs(demo: dict[str, str]) -> None:
    task_id = demo["taskcluster.task"].rsplit("/", 1)[1]
    root = os.environ["TASKCLUSTER_ROOT_URL"]
    resource, gathered = open_list(f"submit:tasks/{task_id}?root={root}")
    assert resource.title == "job data of 1 task"
    (row,) = gathered.frame.to_dicts()
    assert row["form"] in ("pulse", "task")
    open_list(f"submit:tasks/{task_id}?root={root}&view=lint")


def test_lint_on_the_command_line(demo: dict[str, str], ciexplore: Caller) -> None:
    broken, good = (parse_locator(demo[name]).path for name in ("submit.example-broken", "submit.example"))  # type: ignore[attr-defined]
    ended = ciexplore("submit", "lint", broken)
    assert ended.code == 1 and {row["level"] for row in ended.rows} >= {"error", "warning"}
    assert all(row["instead"] for row in ended.rows if row["level"] == "error")
    assert ciexplore("submit", "lint", good).code == 0
    assert ciexplore("submit", "lint", good, "--form", "pulse-2018", "--errors-only").code == 1
    assert ciexplore("submit", "lint", "missing.json").code == 1
    assert ciexplore("submit", "lint").code == 2


def test_generation_and_preview_on_the_command_line(demo: dict[str, str], ciexplore: Caller) -> None:
    collection = parse_locator(demo["submit.example-collection"]).path  # type: ignore[attr-defined]
    rows = ciexplore("submit", "lint", "--generation", collection).rows
    assert [row["rule"] for row in rows[:5]] == ["1", "2", "3", "4", "5"]
    good = parse_locator(demo["submit.example"]).path  # type: ignore[attr-defined]
    rows = ciexplore("submit", "preview", good, "--against", os.environ["CIEXPLORE_SUBMIT_URL"]).rows
    assert rows[1]["symbol"] == "SM(e)" and rows[1]["colour"] == "green" and rows[1]["changes"]


def test_convert_says_what_is_lost_and_writes_what_lint_takes(demo: dict[str, str], ciexplore: Caller) -> None:
    collection = parse_locator(demo["submit.example-collection"]).path  # type: ignore[attr-defined]
    ended = ciexplore("submit", "convert", "--to", "pulse", collection, "-o", "out.json")
    assert ended.code == 0 and "lost: " in ended.err and "made up: " in ended.err
    assert ciexplore("submit", "lint", "out.json").code == 0
    assert ciexplore("submit", "convert", "--to", "collection", "out.json", "--lines").code == 0


def test_publish_and_status_on_the_command_line(demo: dict[str, str], ciexplore: Caller) -> None:
    good, broken = (parse_locator(demo[name]).path for name in ("submit.example-table", "submit.example-broken"))  # type: ignore[attr-defined]
    assert ciexplore("submit", "publish", broken, "--via", "hawk").code == 1
    assert ciexplore("submit", "publish", good, "--via", "hawk", "--dry-run").err.startswith("5 would be sent to http")
    ended = ciexplore("submit", "publish", good, "--via", "hawk", "--queue-only")
    assert ended.code == 0 and "5 queued" in ended.err
    assert [row["state"] for row in ciexplore("submit", "status").rows] == ["queued"] * 5
    ended = ciexplore("submit", "publish", "--via", "hawk")
    assert ended.code == 0 and "5 acknowledged" in ended.err
    ended = ciexplore("submit", "publish", good, broken, "--via", "hawk", "--skip-invalid")
    assert ended.code == 1 and "0 queued, 5 there already, 4 left out" in ended.err
    assert "5 acknowledged" in ciexplore("submit", "status", "--state", "returned,failed").err
    assert "5 removed" in ciexplore("submit", "status", "--forget").err
    assert ciexplore("submit", "status", "--state", "lost").code == 2


def test_a_server_that_is_down_is_exit_code_3_and_the_jobs_stay(demo: dict[str, str], ciexplore: Caller) -> None:
    good = parse_locator(demo["submit.example-table"]).path  # type: ignore[attr-defined]
    ended = ciexplore("submit", "publish", good, "--via", "hawk", "--url", "http://127.0.0.1:1", "--patience", "0")
    assert ended.code == 3 and "5 jobs stay in the outbox" in ended.err
    assert len(ciexplore("submit", "status", "--state", "queued").rows) == 5


def test_routes_and_registration(demo: dict[str, str], ciexplore: Caller) -> None:
    ended = ciexplore("submit", "routes", "--format", "json")
    states = {row["route"]: row["state"] for row in ended.json}
    assert states["hawk"] == states["taskcluster"] == "accepted"
    assert "Treeherder reads neither" in ended.err
    block = ciexplore("submit", "registration", "--user", "me", "--project", "autoland", "--project", "try").json
    assert block == {
        "exchange": "exchange/me/v1/jobs",
        "destinations": ["treeherder"],
        "projects": ["autoland._", "try._"],
    }
    assert ciexplore("submit", "registration").code == 2
    assert ciexplore("submit", "registration", "--user", "me", "--routing-key", "{x}").code == 2


def test_tasks_are_linted_and_published_on_the_command_line(demo: dict[str, str], ciexplore: Caller) -> None:
    task_id = demo["taskcluster.task"].rsplit("/", 1)[1]
    text = f"submit:tasks/{task_id}?root={os.environ['TASKCLUSTER_ROOT_URL']}"
    assert ciexplore("submit", "lint", text).code in (0, 1)
    assert ciexplore("submit", "preview", text).code == 0
    assert ciexplore("submit", "lint", "submit:outbox").code == 2


def test_without_credentials_nothing_is_queued(
    demo: dict[str, str], ciexplore: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    good = parse_locator(demo["submit.example-table"]).path  # type: ignore[attr-defined]
    for via in ("pulse", "hawk"):
        ended = ciexplore("submit", "publish", good, "--via", via)
        assert ended.code == 2 and "credentials" in ended.err
    assert ciexplore("submit", "status").rows == []
