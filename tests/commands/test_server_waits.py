"""A server that asks us to wait must not make a command or the app look frozen."""

from __future__ import annotations

import pytest

from backends.http.errors import from_response
from tui.commands.common import open_session
from tui.widgets.status_line import ListStatus, format_status

BUSY = from_response("https://ci.example/x", 429, {"retry-after": "90"}, b"")


def test_a_command_says_which_server_it_waits_for(capsys: pytest.CaptureFixture[str]) -> None:
    with open_session(None, None) as (session, _), session.waits.during("ci.example", 90, BUSY):
        assert capsys.readouterr().err == "note: waiting 90 s: ci.example asks for it (429)\n"
    assert capsys.readouterr().err == ""


def test_the_app_says_it_at_the_beginning_of_its_status_line() -> None:
    with open_session(None, None) as (session, _), session.waits.during("ci.example", 90, BUSY):
        line = format_status(ListStatus(loading=True), 0, session.waits.text()).plain
    assert line.startswith("◌ waiting 90 s: ci.example asks for it (429) (Ctrl+X stops)")
