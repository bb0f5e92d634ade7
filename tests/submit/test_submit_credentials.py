"""Credentials come from where they may, and show up nowhere."""

from __future__ import annotations

import io
import logging
import pickle
import traceback
from pathlib import Path

import pytest

from backends import config
from backends.cancel import CancelToken
from backends.errors import AppError, UsageError
from backends.submit.credentials import Credentials, Secret, load_credentials
from backends.submit.outbox import Message, Outbox, publish
from backends.submit.pulse import PulsePublisher, parse_broker
from tests.submit.rabbit import Rabbit

SECRET = "s3cr3t-that-must-not-show"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> config.Settings:
    for name in ("CIEXPLORE_PULSE_USER", "CIEXPLORE_PULSE_PASSWORD", "CIEXPLORE_HAWK_CLIENT_ID", "CIEXPLORE_HAWK_KEY"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "credentials.toml"
    path.write_text(f'[pulse]\nuser = "me"\npassword = "{SECRET}"\n[hawk]\nclient_id = "c"\nkey = "{SECRET}"\n')
    path.chmod(0o600)
    return config.load(overrides={"submit_credentials": str(path)})


def test_they_come_from_a_file_of_ones_own(settings: config.Settings) -> None:
    found = load_credentials("pulse", settings)
    assert (found.who, found.secret.reveal()) == ("me", SECRET)
    assert load_credentials("hawk", settings).who == "c"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused_unread(settings: config.Settings, mode: int) -> None:
    Path(settings.submit_credentials).chmod(mode)
    with pytest.raises(UsageError, match="chmod 600") as refused:
        load_credentials("pulse", settings)
    assert SECRET not in full_traceback(refused.value)


def test_the_environment_is_asked_first(settings: config.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIEXPLORE_PULSE_USER", "other")
    monkeypatch.setenv("CIEXPLORE_PULSE_PASSWORD", "else")
    found = load_credentials("pulse", settings)
    assert (found.who, found.secret.reveal()) == ("other", "else")


def test_a_secret_is_never_used_for_another_name(settings: config.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIEXPLORE_PULSE_USER", "somebody-else")
    with pytest.raises(UsageError, match="no Pulse credentials"):
        load_credentials("pulse", settings)
    asked = load_credentials("pulse", settings, lambda what, hidden: "typed" if hidden else "")
    assert (asked.who, asked.secret.reveal()) == ("somebody-else", "typed")


def test_without_any_the_names_to_set_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CIEXPLORE_HAWK_KEY", raising=False)
    settings = config.load(overrides={"submit_credentials": str(tmp_path / "none")})
    with pytest.raises(UsageError) as told:
        load_credentials("hawk", settings)
    assert "CIEXPLORE_HAWK_KEY" in str(told.value)


def test_a_file_that_is_no_toml_is_said_without_quoting_it(settings: config.Settings) -> None:
    Path(settings.submit_credentials).write_text(f'[pulse\npassword = "{SECRET}"')
    with pytest.raises(UsageError) as told:
        load_credentials("pulse", settings)
    assert SECRET not in full_traceback(told.value)


def test_a_secret_does_not_show_itself() -> None:
    found = Credentials("me", Secret(SECRET))
    assert SECRET not in f"{found} {found!r} {found.secret} {found.secret!r} {[found.secret]}"
    with pytest.raises(TypeError):
        pickle.dumps(found)


def full_traceback(error: BaseException) -> str:
    """All that a traceback says, with the local variables, as a crash report would hold it."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(report.format()) + repr(error)


def test_a_failing_publishing_shows_no_password_anywhere(
    rabbit: Rabbit, outbox: Outbox, capfd: pytest.CaptureFixture[str]
) -> None:
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        for url in (f"amqp://127.0.0.1:{rabbit.port}", "amqp://127.0.0.1:1", f"amqps://127.0.0.1:{rabbit.port}"):
            credentials = Credentials("ciuser", Secret(SECRET))
            to = PulsePublisher(parse_broker(url), "", credentials, connect_seconds=5)
            outbox.add([Message("pulse", to.destination, "k", "a", "p", "S", "f", {})])
            with pytest.raises(AppError) as failed:
                publish(outbox, to, CancelToken(), patience=0)
            assert SECRET not in full_traceback(failed.value)
    finally:
        logging.getLogger().removeHandler(handler)
        logging.getLogger().setLevel(logging.WARNING)
    assert SECRET not in heard.getvalue()
    out, err = capfd.readouterr()
    assert out == err == "", "nothing is printed over the screen"
    for path in outbox.path.parent.iterdir():
        assert SECRET.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("text", "host", "port", "tls", "vhost"),
    [
        ("amqps://pulse.example.com", "pulse.example.com", 5671, True, "/"),
        ("pulse.example.com:1234", "pulse.example.com", 1234, True, "/"),
        ("amqp://pulse.example.com:5671/?ssl=1", "pulse.example.com", 5671, True, "/"),
        ("amqps://h/", "h", 5671, True, "/"),
        ("amqps://h//", "h", 5671, True, "/"),
        ("amqps://h/%2F", "h", 5671, True, "/"),
        ("amqps://h/other", "h", 5671, True, "other"),
        ("amqp://localhost", "localhost", 5672, False, "/"),
        ("amqp://[::1]:7", "::1", 7, False, "/"),
    ],
)
def test_the_ways_to_write_a_broker(text: str, host: str, port: int, tls: bool, vhost: str) -> None:
    found = parse_broker(text)
    assert (found.host, found.port, found.tls, found.vhost) == (host, port, tls, vhost)


@pytest.mark.parametrize(
    "text",
    [f"amqps://me:{SECRET}@h", "amqps://me@h", "amqp://pulse.example.com", "https://h", "amqps://", "amqps://h:x"],
)
def test_an_address_that_would_show_a_password_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_broker(text)
    assert SECRET not in str(refused.value)
