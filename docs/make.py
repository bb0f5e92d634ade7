"""Writes docs/commands.md from the commands' own --help, and docs/pictures from the app on the embedded CI.

python docs/make.py            both
python docs/make.py commands   only the first
python docs/make.py pictures   only the second
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from tui.app import Explorer

HERE = Path(__file__).parent
PICTURES = HERE / "pictures"
SIZE = (112, 32)
NOW = 1_795_968_000.0  # 2026-11-29 16:00 UTC: what ages are counted from
PATIENCE = 60.0  # seconds
CALM = 6  # equal looks at the screen, one after the other
INTRODUCTION = """\
# Commands

Written by `python docs/make.py` from the commands' own `--help`; a test compares the two.
"""


def commands() -> str:
    """The page of all commands, as --help at 100 columns says them."""
    from tui.cli import cli

    parts = [INTRODUCTION]
    for path, command in _walk(cli, ("ciexplore",)):
        names = cli.context_settings["help_option_names"]
        command._help_option = None  # a command remembers the names that it was first asked for
        context = click.Context(
            command, info_name=" ".join(path), max_content_width=100, terminal_width=100, help_option_names=names
        )
        parts.append(f"## {' '.join(path)}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def _walk(command: click.Command, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], click.Command]]:
    found = [(path, command)]
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1])
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                found += _walk(below, (*path, name))
    return found


class Step(NamedTuple):
    """Keys to press once the words `ready` are on the screen."""

    ready: str
    keys: tuple[str, ...] = ()


_GROUP = "taskcluster.finished-group"
_JOB = "prow:matrix/gs/test-platform-results/logs/periodic-ci-openshift-release-master-ci-4.8-e2e-gcp/"
# Name of a picture: what is opened (a name of the demo's locators, or a locator), and what is done there.
SCREENS: dict[str, tuple[str, tuple[Step, ...]]] = {
    "start": ("", (Step("Quit"),)),
    "group": (_GROUP, (Step("1,200 tasks", ("h", "h")), Step("filters to", ("right",) * 2), Step("filters to"))),
    "log": (_GROUP, (Step("1,200 tasks", ("j", "j", "l")), Step("✖ "))),
    "clusters": (_GROUP, (Step("1,200 tasks", ("C",)), Step(" clusters"))),
    "transfers": (_GROUP, (
        Step("1,200 tasks", ("slash", *"browsertime state:failed,completed", "enter", "a", "d")),
        Step("to fetch", ("enter",)), Step("Download finished", ("f6",)), Step("Retry", ("2",)), Step("From▲"),
    )),
    "matrix": (_JOB, (Step("37 tests", ("down",)), Step("37 tests"))),
    "series": ("perf.series", (Step("94 points", ("G",)), Step("94 points"))),
    "comparison": ("perf.compare", (Step("226 tests"),)),
}  # fmt: skip


async def draw_pictures() -> dict[str, str]:
    """The screens as SVG, by name. The embedded CI, its clock and so the pictures are the same each time."""
    from backends import config
    from backends.demo import DemoOptions, DemoServer, locators
    from backends.demo.demo_locators import examples
    from backends.session import Session
    from tui.app import Explorer

    time.time = lambda: NOW
    os.environ |= {"COLORTERM": "truecolor", "TERM": "xterm-256color"}
    drawn = {}
    with tempfile.TemporaryDirectory() as own, DemoServer(DemoOptions(port=18_765)) as server:
        names = locators(server.options, server.settings["TASKCLUSTER_ROOT_URL"])
        for name, (start, steps) in SCREENS.items():
            directories = {
                "CIEXPLORE_CACHE_DIR": f"{own}/{name}/cache",
                "CIEXPLORE_STATE_DIR": f"{own}/{name}/state",
                "CIEXPLORE_CONFIG": f"{own}/none",
                "CIEXPLORE_OUTPUT": f"{own}/{name}/downloads",
            }
            settings = config.load({**server.settings, **directories})
            session = Session(settings, demo=True, examples=examples(names))
            app = Explorer(session, names.get(start, start) or None)
            async with app.run_test(size=SIZE, notifications=True) as pilot:
                for step in steps:
                    await _settle(app, pilot, step.ready)
                    await pilot.press(*step.keys)
                await _settle(app, pilot, steps[-1].ready)
                app.clear_notifications()
                await pilot.pause(0.1)
                picture = app.export_screenshot(title="ciexplore").replace(own, "/home/user")
                drawn[name] = re.sub(r"terminal-\d+-", f"{name}-", picture)  # a number of all text, the path included
                app.leave()
            session.close()
    return drawn


async def _settle(app: Explorer, pilot: Pilot[None], ready: str) -> None:
    """Until these words are on the screen and nothing changes any more."""
    from textual.widgets import Input

    for box in app.screen.query(Input):
        box.cursor_blink = False
    before, calm, deadline = "", 0, time.monotonic() + PATIENCE
    while calm < CALM:
        await pilot.pause(0.05)
        strips = app.screen._compositor.render_strips()
        now = "\n".join("".join(segment.text for segment in strip) for strip in strips)
        before, calm = now, calm + 1 if now == before and ready in now else 0
        if time.monotonic() > deadline:
            raise SystemExit(f"{ready!r} does not come:\n{now}")


def main() -> None:
    """Writes what the arguments name, or all."""
    wanted = sys.argv[1:] or ["commands", "pictures"]
    if "commands" in wanted:
        (HERE / "commands.md").write_text(commands(), "utf-8")
    if "pictures" in wanted:
        PICTURES.mkdir(exist_ok=True)
        for name, picture in asyncio.run(draw_pictures()).items():
            (PICTURES / f"{name}.svg").write_text(picture, "utf-8")


if __name__ == "__main__":
    main()
