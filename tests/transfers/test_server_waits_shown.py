"""F6 and the command line tell which server is waited for, and how long."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.cancel import CancelToken
from backends.config import load
from backends.session import Session
from backends.transfers import transfer
from backends.transfers.plan import make_plan
from tests.driving import running, screen_text, until
from tests.transfers.conftest import file
from tests.transfers.site import Site, status
from tui.commands import download

FILES = 30


def refusing(site: Site, seconds: str) -> list[str]:
    paths = [f"/{number}" for number in range(FILES)]
    for path in paths:
        site.add(path, b"content", status(429, retry_after=seconds))
    return paths


async def test_the_transfers_pane_shows_the_wait_in_24_rows_of_80_columns(site: Site, tmp_path: Path) -> None:
    plan = make_plan([file(site, path) for path in refusing(site, "7200")], tmp_path / "out")
    async with running(None, size=(80, 24)) as (app, pilot):
        await pilot.press("f6")
        await until(pilot, lambda: app.transfers is not None and app.transfers.is_mounted)
        app.transfers.add("files", plan)
        host = site.base.removeprefix("http://")
        await until(pilot, lambda: f"s for {host} (429)" in screen_text(app))
        line = next(line for line in screen_text(app).splitlines() if "waiting" in line)
        assert 60 < int(line.split("waiting ")[1].split()[0]) <= 120
        app.transfers.cancel_everything()


async def test_while_it_runs_back_and_help_are_offered_and_esc_clears_the_filter_first(
    site: Site, tmp_path: Path
) -> None:
    site.add("/gone", b"", status(404))
    plan = make_plan([file(site, path) for path in ("/gone", *refusing(site, "7200"))], tmp_path / "out")
    async with running(None, size=(60, 15)) as (app, pilot):
        await pilot.press("f6")
        await until(pilot, lambda: app.transfers is not None and app.transfers.is_mounted)
        app.transfers.add("files", plan)
        await until(pilot, lambda: "Retry" in screen_text(app) and "Pause" in screen_text(app))
        footer = screen_text(app).splitlines()[-1]
        assert "Back" in footer and "? Help" in footer, footer
        app.transfers.enter()
        await pilot.press("slash", *"state:failed", "enter")
        await until(pilot, lambda: app.transfers.table.row_count == 1)
        await pilot.press("escape")
        await until(pilot, lambda: app.transfers.table.row_count == FILES + 1)
        assert app.transfers.display
        app.transfers.cancel_everything()


def test_a_headless_download_says_that_it_waits(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "MIN_SHOWN_WAIT", 0.5)
    files = [file(site, path) for path in refusing(site, "1")]
    session = Session(load())
    try:
        code = download.run_download(
            session, files, tmp_path / "out", cancel=CancelToken(), overwrite=False, rehash=False, dry=False
        )
    finally:
        session.close()
    assert code == 0
    told = capsys.readouterr().err
    assert f"note: waiting 1 s for {site.base.removeprefix('http://')} (429)" in told
    assert told.count("waiting") == 1, "once for each server"
