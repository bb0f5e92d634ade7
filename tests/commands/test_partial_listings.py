"""A listing that lacks something gives what it has, says what is missing and ends with 1: a script must be told."""

from __future__ import annotations

import pytest

from backends.cancel import CancelToken
from backends.demo import DemoOptions, DemoServer
from backends.http.errors import AccessDeniedError
from backends.taskcluster.client import Client
from tests.commands.calling import Caller, Ended


def listed(ciexplore: Caller, demo: dict[str, str]) -> Ended:
    group = demo["taskcluster.finished-group"]
    return ciexplore("taskcluster", "artifacts", group, "--filter", "kind:build", "--match", "*.log", "--no-cache")


def test_artifacts_of_tasks_of_which_one_cannot_be_listed_end_with_1(
    ciexplore: Caller, demo: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = listed(ciexplore, demo)
    assert whole.code == 0 and whole.rows
    missing, status = whole.rows[0]["task_id"], Client.fetch_status

    def refused(self: Client, task_id: str, *arguments: object) -> object:
        if task_id == missing:
            raise AccessDeniedError("It may not be read.")
        return status(self, task_id, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Client, "fetch_status", refused)
    part = listed(ciexplore, demo)
    assert part.code == 1
    assert "1 of " in part.err and "could not be listed: It may not be read." in part.err
    assert {row["task_id"] for row in part.rows} == {row["task_id"] for row in whole.rows} - {missing}


def test_builds_of_which_one_cannot_be_read_are_listed_and_end_with_1(
    ciexplore: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backends.prow.build_reader import BuildPlace, BuildReader, BuildRow, Part

    read, broken = BuildReader.read_row, set[str]()

    def read_row(self: BuildReader, place: BuildPlace, cancel: CancelToken, parts: Part) -> BuildRow:
        row = read(self, place, cancel, parts)
        if place.build in broken:
            row.state, row.note = None, "cannot be read: It fails."
        return row

    monkeypatch.setattr(BuildReader, "read_row", read_row)
    job = "gs://test-platform-results/logs/periodic-ci-openshift-release-master-ci-4.8-e2e-gcp/"
    with DemoServer(DemoOptions(tasks=20)) as server:
        for name, value in server.settings.items():
            monkeypatch.setenv(name, value)
        whole = ciexplore("prow", "builds", job, "--count", "12")
        assert (whole.code, len(whole.rows)) == (0, 12)
        broken.add(whole.rows[3]["build"])
        part = ciexplore("prow", "builds", job, "--count", "12", "--no-cache")
        assert (part.code, len(part.rows)) == (1, 12), part.err
        assert "cannot be read" in part.err
