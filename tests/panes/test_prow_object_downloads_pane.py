"""A tree on this disk and a bucket that refuses: what d does with them in the app."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.transfers.states import TransferState
from tests.driving import running, screen_text, until
from tests.prow.bucket_server import Bucket, serving
from tests.prow.making import JOB, NAME, build, snowflake
from tui.widgets.download_dialog import DownloadDialog


async def test_files_of_a_tree_on_this_disk_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIEXPLORE_OUTPUT", str(tmp_path / "out"))
    folder = tmp_path / "tree" / NAME / JOB / snowflake(86400)
    folder.mkdir(parents=True)
    for name in ("build-log.txt", "finished.json"):
        (folder / name).write_text('{"timestamp": 1, "passed": true}')
    async with running(f"file://{folder}/") as (app, pilot):
        await pilot.press("a", "d")
        await until(pilot, lambda: isinstance(app.screen, DownloadDialog) and app.screen._plan is not None)
        assert app.screen._plan.to_fetch == 2
        await pilot.press("enter")
        await until(pilot, lambda: app.transfers is not None and app.transfers.job is not None)
        await until(pilot, lambda: not app.transfers.active)
        await pilot.press("f6")
        await until(pilot, lambda: app.transfers.table.total_count == 2)
        assert app.transfers.table.frame["state"].unique().to_list() == [TransferState.VERIFIED]
    copies = [path for path in (tmp_path / "out").rglob("*.json") if ".ciexplore" not in path.parts]
    assert [path.read_bytes() for path in copies] == [(folder / "finished.json").read_bytes()]


async def test_builds_that_cannot_be_listed_are_counted_by_their_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Bucket()) as bucket:
        for number in range(3):
            made = build(bucket, snowflake((number + 1) * 86400))
            bucket.faults += [(f"prefix={made.replace('/', '%2F')}&", 403)] * 100
        monkeypatch.setenv("CIEXPLORE_GCS_URL", bucket.url)
        async with running(f"gs://{NAME}/{JOB}") as (app, pilot):
            await pilot.press("a", "d")
            await until(pilot, lambda: isinstance(app.screen, DownloadDialog) and app.screen._plan is not None)
            await until(pilot, lambda: "403, the bucket ci-logs refuses listing (3)" in screen_text(app))
