"""Private artifacts: downloaded with credentials, refused in plain words without, and nothing given away on the way."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.cancel import CancelToken
from backends.config import load
from backends.demo import DemoOptions, DemoServer, expected_bytes, locators
from backends.demo.taskcluster import service
from backends.errors import UsageError
from backends.http import Http
from backends.http.errors import AccessDeniedError, from_response
from backends.session import Session
from backends.systems import parse_locator
from backends.taskcluster.credentials import half_set, identities
from backends.taskcluster.urls import artifact_url
from backends.transfers.files import RemoteFile
from backends.transfers.plan import make_plan
from backends.transfers.transfer import Transfer
from tests.commands.calling import Caller

RIGHT = {"TASKCLUSTER_CLIENT_ID": service.CLIENT_ID, "TASKCLUSTER_ACCESS_TOKEN": service.ACCESS_TOKEN}
SECRET = "private/secret.txt"


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with DemoServer(DemoOptions(tasks=30)) as found:
        yield found


def private(server: DemoServer) -> tuple[str, str]:
    """(task id, address) of the demo's private artifact."""
    task = parse_locator(locators(server.options, server.root_url)["taskcluster.artifact-kinds-task"])
    task_id = task.task_id  # type: ignore[attr-defined]
    return task_id, artifact_url(server.root_url, task_id, 0, SECRET)


def test_a_private_artifact_is_downloaded_through_its_signed_address(server: DemoServer, tmp_path: Path) -> None:
    task_id, url = private(server)
    with Http(identities=identities(server.root_url, RIGHT)) as http:
        plan = make_plan([RemoteFile(key="one", url=url, parts=("secret.txt",), name=SECRET)], tmp_path)
        transfer = Transfer(plan, open_downloader=http.downloader, settings=http.downloader_settings())
        transfer.start()
        assert transfer.wait(30)
    assert (tmp_path / "secret.txt").read_bytes() == expected_bytes(server.options, task_id, 0, SECRET)


def test_without_credentials_the_missing_scope_is_named(server: DemoServer) -> None:
    _, url = private(server)
    with Http() as http, http.downloader() as downloader, pytest.raises(AccessDeniedError) as refused:
        downloader.open(url)
    assert "it needs the scope queue:get-artifact:private/secret.txt." in refused.value.sentence
    assert "TASKCLUSTER_CLIENT_ID" in refused.value.hint


def test_a_client_without_the_scope_hears_what_is_missing_and_not_all_that_is_required() -> None:
    message = (
        "Client ID demo/x does not have sufficient scopes and is missing the following scopes:\n\n```\n"
        '{"AnyOf": ["queue:get-artifact:private/x", "queue:get-artifact:private/*"]}\n```\n\n'
        'This request requires the client to satisfy the following scope expression:\n\n```\n"all:scopes"\n```\n\n---\n'
    )
    body = json.dumps({"code": "InsufficientScopes", "message": message}).encode()
    problem = from_response("https://tc.example/api/queue/v1/x", 403, {}, body)
    assert "queue:get-artifact:private/x or queue:get-artifact:private/*" in problem.sentence
    assert "all:scopes" not in problem.sentence


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b'{"code":"InsufficientScopes"}', b'{"code":"InsufficientScopes","message":5}', b"<html>"]
)
def test_any_other_refusal_is_told_as_before(body: bytes) -> None:
    assert "does not let you read" in from_response("https://tc.example/x", 403, {}, body).sentence


@pytest.mark.parametrize(
    "environment",
    [{}, {"TASKCLUSTER_CLIENT_ID": "x"}, {"TASKCLUSTER_ACCESS_TOKEN": "x"}, {**RIGHT, "TASKCLUSTER_CLIENT_ID": " "},
     {**RIGHT, "TASKCLUSTER_ACCESS_TOKEN": ""}],
)  # fmt: skip
def test_nothing_is_signed_with_half_of_the_credentials(environment: dict[str, str]) -> None:
    assert identities("https://tc.example", environment) == ()


CERTIFICATE = json.dumps({"version": 1, "expiry": 99999999999999, "signature": "s"})


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"TASKCLUSTER_CLIENT_ID": "x"}, "TASKCLUSTER_CLIENT_ID is set but TASKCLUSTER_ACCESS_TOKEN is not"),
        ({"TASKCLUSTER_ACCESS_TOKEN": "x"}, "TASKCLUSTER_ACCESS_TOKEN is set but TASKCLUSTER_CLIENT_ID is not"),
        ({**RIGHT, "TASKCLUSTER_CLIENT_ID": " "}, "TASKCLUSTER_ACCESS_TOKEN is set but TASKCLUSTER_CLIENT_ID is not"),
        ({"TASKCLUSTER_CERTIFICATE": CERTIFICATE}, "TASKCLUSTER_CLIENT_ID and TASKCLUSTER_ACCESS_TOKEN are not"),
        (
            {"TASKCLUSTER_CLIENT_ID": "x", "TASKCLUSTER_CERTIFICATE": "{}"},
            "are set but TASKCLUSTER_ACCESS_TOKEN is not",
        ),
        ({}, ""),
        (RIGHT, ""),
        ({**RIGHT, "TASKCLUSTER_CERTIFICATE": CERTIFICATE}, ""),
    ],
)
def test_credentials_that_are_set_in_part_are_said_to_be(environment: dict[str, str], words: str) -> None:
    assert words in half_set(environment) if words else half_set(environment) == ""


@pytest.mark.parametrize("certificate", ["x", "{", "[]", "null", '"x"'])
def test_a_certificate_that_is_none_is_said_to_be_before_anything_is_asked(certificate: str) -> None:
    (identity,) = identities("https://tc.example", {**RIGHT, "TASKCLUSTER_CERTIFICATE": certificate})
    with pytest.raises(UsageError, match="TASKCLUSTER_CERTIFICATE is not") as told:
        identity.sign("GET", "https://tc.example/")
    assert service.ACCESS_TOKEN not in str(told.value)


def test_a_command_says_that_they_are_set_in_part_and_ends_with_2_where_they_are_needed(
    server: DemoServer, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    for name, value in {**server.settings, "TASKCLUSTER_CLIENT_ID": service.CLIENT_ID}.items():
        monkeypatch.setenv(name, value)
    ciexplore = Caller(capsysbinary)
    task_id, url = private(server)
    done = ciexplore("taskcluster", "artifacts", f"taskcluster:task/{task_id}")
    assert done.code == 0 and done.rows and "TASKCLUSTER_ACCESS_TOKEN is not" in done.err
    assert "TASKCLUSTER" not in ciexplore("config").err  # which has nothing to do with them
    refused = ciexplore("taskcluster", "log", url)
    assert refused.code == 2 and "needs the scope" in refused.err and "TASKCLUSTER_ACCESS_TOKEN is not" in refused.err


def test_wrong_credentials_are_not_taken_for_none(server: DemoServer) -> None:
    wrong = {**RIGHT, "TASKCLUSTER_ACCESS_TOKEN": "not-it"}
    with Http(identities=identities(server.root_url, wrong)) as http, pytest.raises(AccessDeniedError, match="401"):
        http.locate(private(server)[1])


def test_the_token_is_in_no_text_that_is_printed_or_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in RIGHT.items():
        monkeypatch.setenv(name, value)
    (identity,) = identities("https://tc.example", RIGHT)
    said = f"{identity!r} {identity.sign!r} {load()!r} {Session(load())!r}"
    assert service.ACCESS_TOKEN not in said
    assert service.ACCESS_TOKEN not in str(identity.sign("GET", "https://tc.example/api/queue/v1/ping"))


def test_another_deployment_is_asked_as_nobody(server: DemoServer) -> None:
    with (
        Http(identities=identities("https://tc.example", RIGHT)) as http,
        pytest.raises(AccessDeniedError, match="403"),
    ):
        http.locate(private(server)[1])


def test_expired_temporary_credentials_say_so_before_anything_is_asked() -> None:
    certificate = json.dumps({"version": 1, "expiry": int((time.time() - 60) * 1000), "signature": "s"})
    (identity,) = identities("https://tc.example", {**RIGHT, "TASKCLUSTER_CERTIFICATE": certificate})
    with pytest.raises(UsageError, match="expired at"):
        identity.sign("GET", "https://tc.example/")


def test_temporary_credentials_send_their_certificate() -> None:
    certificate = json.dumps({"version": 1, "expiry": int((time.time() + 600) * 1000), "signature": "s"})
    (identity,) = identities("https://tc.example", {**RIGHT, "TASKCLUSTER_CERTIFICATE": certificate})
    assert 'ext="' in identity.sign("GET", "https://tc.example/")["authorization"]


def test_the_session_uses_them_for_the_configured_deployment(
    server: DemoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**RIGHT, **server.settings}.items():
        monkeypatch.setenv(name, value)
    session = Session(load())
    try:
        assert "/priv/" in session.http.locate(private(server)[1], cancel=CancelToken()).url
    finally:
        session.close()
    embedded = Session(load(), demo=True)
    try:
        with pytest.raises(AccessDeniedError):
            embedded.http.locate(private(server)[1])
    finally:
        embedded.close()
