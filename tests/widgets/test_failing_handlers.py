"""A dialog of the library that fails cannot end the app (tests/terminal has more of it)."""

from __future__ import annotations

import pytest
from textual.command import CommandList, CommandPalette

from tests.driving import running, until


def closed(app: object) -> bool:
    return not isinstance(app.screen, CommandPalette)  # type: ignore[attr-defined]


@pytest.mark.parametrize("key", ["pagedown", "pageup"])
async def test_paging_in_a_palette_that_has_no_room_does_not_end_the_app(key: str) -> None:
    async with running(None, size=(80, 24)) as (app, pilot):
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette) and app.screen.query(CommandList))
        await pilot.resize_terminal(80, 4)
        for _ in range(3):
            await pilot.press("down", key)
        await pilot.resize_terminal(80, 24)
        if not closed(app):
            await pilot.press("escape")
        await until(pilot, lambda: closed(app))
        await pilot.press("f2")
        await until(pilot, lambda: app.query("#prow"))
