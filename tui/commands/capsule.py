"""`ciexplore capsule VERB`: lists with their logs and artifacts in one file, shown without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tui.commands.options import cache_options
from tui.commands.output import Progress, emit, output_options, say


@click.group()
def capsule() -> None:
    """Save lists, logs and artifacts into one file, and show them after CI has deleted the originals."""


@capsule.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.argument("locators", metavar="LOCATOR...", nargs=-1, required=True)
@click.option("--logs", is_flag=True, help="Also the log of each row, and what Enter opens on it.")
@click.option(
    "--artifacts", "globs", metavar="GLOB", multiple=True,
    help="Also the files whose path matches; repeatable. Matches the file name if it has no /; !GLOB excludes.",
)  # fmt: skip
@click.option("--note", metavar="TEXT", default="", help="A sentence about what this is.")
@click.option("--include-private", is_flag=True, help="Also what can be read with your credentials only.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@click.option("--root-url", metavar="URL", help="Taskcluster deployment: a root URL, or firefox, or community.")
@cache_options
def create(
    file: Path, locators: tuple[str, ...], logs: bool, globs: tuple[str, ...], note: str, include_private: bool,
    overwrite: bool, root_url: str | None, mode: str | None,
) -> int:  # fmt: skip
    """Save what LOCATORs list into FILE.

    Credentials, cookies and signed URLs are left out. Servers are asked without credentials, so that what only you may
    read is left out too, unless --include-private says otherwise; the file then says that it has private content.
    """
    from backends.capsules.creation import CapsuleOptions, create_capsule
    from backends.capsules.recorder import Recorder
    from tui.commands.common import open_session

    options = CapsuleOptions(logs, globs, note, include_private, overwrite)
    progress = Progress()
    with open_session(root_url, mode) as (session, cancel), Recorder(include_private=include_private) as recorder:
        wanted = [session.parse(text) for text in locators]
        with session.recording_http(recorder) as http:
            try:
                made = create_capsule(
                    file, wanted, recorder, http, session.settings, options, cancel, progress.show
                )  # fmt: skip
            finally:
                progress.clear()
    for text in made.notes:
        say(f"note: {text}")
    say(f"{made.sentence} in {file}")
    return 1 if made.partial else 0


@capsule.command("open")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.argument("locator", required=False)
def open_(file: Path, locator: str | None) -> int:
    """Open FILE in the app: read-only, without any server. `ciexplore FILE` does the same."""
    return open_capsule_app(file, locator, None)


def open_capsule_app(file: Path, locator: str | None, root_url: str | None) -> int:
    """The app on a capsule. What it remembers is forgotten: the capsule's lists are not those of the servers."""
    from backends.session import open_capsule_session
    from tui.launch import open_app, temporary_home

    with temporary_home("ciexplore-capsule-") as own:
        session = open_capsule_session(file, taskcluster_root_url=root_url, state_dir=str(own), cache_dir=str(own))
        lists = session.examples
        return open_app(session, locator or (lists[0][1] if len(lists) == 1 else None), fresh=True)


@capsule.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
def verify(file: Path) -> int:
    """Read all of FILE and compare it with its manifest (sizes and SHA-256)."""
    from backends.cancel import CancelToken
    from backends.capsules.reader import open_capsule
    from backends.frames.formats import format_bytes
    from backends.interrupts import cancel_on_sigint

    progress, cancel = Progress(), CancelToken()
    with open_capsule(file) as opened, cancel_on_sigint(cancel):
        try:
            wrong = opened.verify(cancel, lambda done, of: progress.show(f"{done:,} of {of:,} files read"))
        finally:
            progress.clear()
        for _, sentence in wrong:
            say(sentence)
        files = [entry for entry in opened.manifest.entries if entry.file]
        size = format_bytes(sum(entry.size for entry in files))
        are = "file is" if len(files) == 1 else "files are"
        say(f"{len(files) - len(wrong):,} of {len(files):,} {are} as the manifest says ({size})")
    return 1 if wrong else 0


@capsule.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--files", is_flag=True, help="List the responses, logs and artifacts instead of the lists.")
@output_options
def info(file: Path, files: bool, columns: str | None, **options: Any) -> None:
    """Say what FILE holds: its lists, or with --files each response with its URL, time and SHA-256."""
    from backends.capsules.contents import FILE_SCHEMA, LIST_SCHEMA, describe
    from backends.capsules.reader import open_capsule

    with open_capsule(file) as opened:
        manifest = opened.manifest
    for line in describe(manifest):
        say(line)
    if files:
        emit(FILE_SCHEMA.build(manifest.entries), FILE_SCHEMA, columns=columns, **options)
    else:
        emit(LIST_SCHEMA.build(manifest.lists), LIST_SCHEMA, columns=columns, **options)
