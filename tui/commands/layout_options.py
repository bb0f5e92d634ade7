"""The options of `download --layout artifact-downloader`, and what they choose together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from backends.errors import UsageError

if TYPE_CHECKING:
    from backends.taskcluster.original_layout import Choices


def layout_options(command: Any) -> Any:
    for option in (
        click.option(
            "--continue",
            "resume",
            is_flag=False,
            flag_value="last",
            metavar="[RUN]",
            help="Go on in the last run, or in that one.",
        ),
        click.option(
            "--separator", type=click.Choice(["_", "+-+"]), help="Between task id and file name [default: _]."
        ),
        click.option("--chunks-together", is_flag=True, help="All chunks of a suite in one directory."),
        click.option("--include-failed", is_flag=True, help="Also the artifacts of failed tasks."),
        click.option("--unzip", is_flag=True, help="Unpack archives."),
        click.option(
            "--artifact",
            "artifacts",
            multiple=True,
            metavar="P",
            help="Part of the artifact's name; repeatable, the first that fits takes it [default: grcov].",
        ),
        click.option("--platform", metavar="P", help="Part of the task's name, or /regex/."),
        click.option("--all-suites", is_flag=True, help="Every suite."),
        click.option(
            "--suite", "suites", multiple=True, metavar="S", help="A suite: its name, a glob or /regex/; repeatable."
        ),
        click.option(
            "--layout",
            type=click.Choice(["artifact-downloader"]),
            help="That tool's directory tree; the options below go with it.",
        ),
    ):
        command = option(command)
    return command


def layout_choices(
    layout: str | None, resume: str | None, globs: Sequence[str], chosen: Mapping[str, Any]
) -> Choices | None:
    """What was chosen; None without --layout. Raises `UsageError` for options that do not go together."""
    from backends.taskcluster.original_layout import Choices

    if layout is None:
        if resume or any(chosen.values()):
            raise UsageError(
                "These options go with --layout artifact-downloader.", "Add it, or use --filter and --match."
            )
        return None
    if globs:
        raise UsageError("--match does not go with --layout.", "Use --artifact.")
    if not chosen["suites"] and not chosen["all_suites"]:
        raise UsageError("No suite is chosen.", "Name some with --suite S, or take --all-suites.")
    return Choices(
        suites=tuple(chosen["suites"]),
        all_suites=chosen["all_suites"],
        platform=chosen["platform"] or "",
        artifacts=tuple(chosen["artifacts"]) or ("grcov",),
        unzip=chosen["unzip"],
        include_failed=chosen["include_failed"],
        chunks_together=chosen["chunks_together"],
        separator=chosen["separator"] or "_",
    )
