"""Writes docs/commands.md from the commands' own --help, and docs/ciexplore.svg from the app on the embedded CI.

python docs/make.py            both
python docs/make.py commands   only the first
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import click

HERE = Path(__file__).parent
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


async def picture() -> str:
    """The app at 140x36 with a filtered group, marks and the histogram."""
    from backends import config
    from backends.demo import DemoOptions, DemoProcess, locators
    from backends.session import Session
    from tui.app import Explorer

    with tempfile.TemporaryDirectory() as own, DemoProcess(DemoOptions()) as server:
        settings = config.load(
            {
                **server.settings,
                "CIEXPLORE_CACHE_DIR": own,
                "CIEXPLORE_STATE_DIR": own,
                "CIEXPLORE_CONFIG": f"{own}/none",
            }
        )
        group = locators(server.options, server.root_url)["taskcluster.finished-group"]
        app = Explorer(Session(settings, demo=True), None)
        async with app.run_test(size=(140, 36)) as pilot:
            from backends.systems import parse_locator

            app.open_locator(parse_locator(group))
            while True:
                await pilot.pause(0.05)
                top = app.current_list.top if app.current_list is not None else None
                if top is not None and top.is_mounted and top.table is not None and not top.is_loading:
                    break
            await pilot.press("slash", *"browsertime", "enter", "j", "space", "space", "j", "space", "u", "h")
            await app.workers.wait_for_complete()
            await pilot.pause(0.5)
            await pilot.press("right", "right", "left")
            await pilot.pause(0.5)
            return app.export_screenshot(title="ciexplore")


def main() -> None:
    (HERE / "commands.md").write_text(commands(), "utf-8")
    if sys.argv[1:] != ["commands"]:
        (HERE / "ciexplore.svg").write_text(asyncio.run(picture()), "utf-8")


if __name__ == "__main__":
    main()
