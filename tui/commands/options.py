"""Command line options that several verbs have."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import click
from click.core import ParameterSource

from backends.errors import UsageError

NOTES = "ciexplore.notes"  # key in the context of a command line: what was said on stderr about its lists
FAILURES = "ciexplore.failures"  # key in the context of a command line whose command could not get all it was asked for


CAPSULE = "ciexplore.capsule"  # key in the context: the capsule that answers instead of servers


class FiniteRange(click.FloatRange):
    """Numbers between two; "nan", which no comparison refuses, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


def connection_options(command: Any) -> Any:
    """--no-cache, --refresh, --offline and --capsule: what every command that asks a server has."""
    option = click.option(
        "--capsule", metavar="FILE", expose_value=False, callback=_keep_capsule,
        help="Read from this capsule instead of servers (see `ciexplore capsule`).",
    )  # fmt: skip
    return cache_options(option(command))


def _keep_capsule(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.find_root().meta[CAPSULE] = value


def cache_options(command: Any) -> Any:
    """--no-cache, --refresh and --offline."""
    for name, words in (
        ("no-cache", "Bypass the cache."),
        ("refresh", "Refetch, ignoring the cache."),
        ("offline", "Cached data only, no network."),
    ):
        command = click.option(f"--{name}", is_flag=True, expose_value=False, callback=_keep_mode, help=words)(command)
    return command


def _keep_mode(context: click.Context, parameter: click.Parameter, chosen: bool) -> None:
    """The one that was given is the value of `mode`."""
    earlier = context.params.setdefault("mode", None)
    if not chosen:
        return
    mode = parameter.opts[0].removeprefix("--")
    if earlier is not None:
        raise UsageError(f"--{earlier} and --{mode} exclude each other.", "Leave one of them out.")
    context.params["mode"] = mode


def refuse_options(names: Iterable[str], reason: str, hint: str = "Leave it out.") -> None:
    """Raises `UsageError` "--OPTION REASON." where one of these parameters was written on the command line: what would
    have no effect must not be ignored."""
    context = click.get_current_context(silent=True)
    if context is None:
        return
    wanted = set(names)
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in wanted and source is ParameterSource.COMMANDLINE:
            raise UsageError(f"{max(parameter.opts, key=len)} {reason}.", hint)


def filter_option(command: Any) -> Any:
    """--filter."""
    option = click.option(
        "--filter", "filter_text", metavar="F", default="", help="Filter rows (same syntax as in the app)."
    )
    return option(command)


def match_option(command: Any) -> Any:
    """--match, repeatable: globs of file names."""
    option = click.option(
        "--match",
        "globs",
        metavar="GLOB",
        multiple=True,
        help="Only files whose path matches; repeatable. Matches the file name if it has no /; !GLOB excludes.",
    )
    return option(command)


def check_directory(context: click.Context, parameter: click.Parameter, text: str) -> str:
    """The name of a directory. Raises `UsageError` for an empty one, which is an unset variable of a shell."""
    if not text.strip():
        raise UsageError(f"{parameter.opts[0]} is empty.", "Name a directory; . is this one.")
    return text


def download_options(command: Any) -> Any:
    """What every download verb has: --output, --jobs, --overwrite, --rehash, --dry-run."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Show the plan; fetch and write nothing."),
        click.option("--rehash", is_flag=True, help="Verify existing files by their SHA-256."),
        click.option("--overwrite", is_flag=True, help="Replace existing files that ciexplore did not create."),
        click.option("--jobs", type=click.IntRange(1, 64), help="Parallel downloads [default: auto]."),
        click.option(
            "--output",
            metavar="DIR",
            required=True,
            callback=check_directory,
            help="Output directory (created if missing).",
        ),
    ):
        command = option(command)
    return command
