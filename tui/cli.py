"""The command line: `ciexplore [LOCATOR]` opens the app, `ciexplore SYSTEM VERB` works without it.

Only click is imported here; each command's module is imported when that command runs, so that --help stays fast.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from backends import __version__
from backends.errors import AppError, UsageError
from backends.paths import expand_home, is_file
from backends.systems import load, system_of, systems
from tui.commands.options import CAPSULE, FAILURES, connection_options

# Beside the systems: name -> (module:attribute, one line for --help)
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("tui.commands.demo:demo", "Open the app on an embedded CI with synthetic data."),
    "verify": ("tui.commands.verify:verify", "Compare a downloaded directory with its record, without a server."),
    "sql": ("tui.commands.queries:sql", "Ask with SQL over one or more lists."),
    "pivot": ("tui.commands.queries:pivot", "Group and sum up a list, by one or two columns."),
    "watch": ("tui.commands.watch:watch", "Follow a group, push, task or build until it ends."),
    "capsule": ("tui.commands.capsule:capsule", "Save lists, logs and artifacts into one file; show them without CI."),
    "since": ("tui.commands.since:since", "Find the push or build since which something fails."),
    "cache": ("tui.commands.cache:cache", "Show or clear the cache."),
    "config": ("tui.commands.config:config", "Show the settings in force and where each came from."),
    "completion": ("tui.commands.completion:completion", "Print the completion script of a shell."),
}
# Slugids may begin with "-", which click would read as options (services/queue/schemas/constants.yml has the form).
_DASHED_SLUG = re.compile(r"-[A-Za-z0-9_-]{7}[Q-T][A-Za-z0-9_-][CGKOSWaeimquy26-][A-Za-z0-9_-]{10}[AQgw]")


class Commands(click.Group):
    """Imports a command when it is run; takes anything that is not a command for a locator."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*systems(), *COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command: click.Command
        if (system := system_of(cmd_name)) is not None:
            command = load(system.command) if system.command else load("tui.commands.verbs:SystemGroup")(system)
        elif cmd_name in COMMANDS:
            command = load(COMMANDS[cmd_name][0])
        else:
            return None
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [
            *((one.name, one.summary) for one in systems().values()),
            *((n, short) for n, (_, short) in COMMANDS.items()),
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] in COMMANDS:
            return super().resolve_command(ctx, args)
        if args and (system := system_of(args[0])) is not None:
            if args[0] != system.name:
                click.echo(f"note: `ciexplore {args[0]}` is now `ciexplore {system.name}`.", err=True)
            return super().resolve_command(ctx, [system.name, *args[1:]])
        return "open", _open, args[1:] if args[:1] == ["open"] else args


@click.command("open", hidden=True)
@click.argument("locator", required=False)
@click.option("--root-url", metavar="URL", help="Taskcluster deployment: a root URL, or firefox, or community.")
@click.option("--fresh", is_flag=True, help="Begin with the start screen, not where the app was left.")
@connection_options
def _open(locator: str | None, root_url: str | None, fresh: bool, mode: str | None) -> int:
    """Open the app."""
    from tui.launch import open_app

    capsule = click.get_current_context().find_root().meta.get(CAPSULE)
    if capsule is None and locator and _is_capsule(locator):
        capsule, locator = locator, None
    if capsule is not None:
        if mode is not None:
            raise UsageError(f"--{mode} and a capsule exclude each other.", "A capsule asks no server.")
        code: int = load("tui.commands.capsule:open_capsule_app")(Path(capsule), locator, root_url)
        return code
    from backends import config
    from backends.session import Session

    settings = config.load(overrides={"taskcluster_root_url": root_url})
    return open_app(Session(settings, mode=mode or "normal"), locator, fresh=fresh)


def _is_capsule(text: str) -> bool:
    """Whether what the user wrote is the name of a file that is a capsule."""
    try:
        path = expand_home(text)
    except AppError:
        return False
    if "://" in text or not is_file(path):
        return False
    found: bool = load("backends.capsules.reader:looks_like_capsule")(path)
    return found


@click.group(
    cls=Commands,
    invoke_without_command=True,
    subcommand_metavar="[LOCATOR | COMMAND ...]",
    context_settings={
        "help_option_names": ["-h", "--help"],
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
    },
)
@click.version_option(__version__, prog_name="ciexplore", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> int:
    """Find, read, download and measure what CI produced.

    With a LOCATOR (whatever you can paste: a task group or task URL, an id, a Treeherder push URL, an index path) or
    with nothing, the app opens: with nothing where it was left, or with --fresh on its start screen. The commands do
    the same without it. `ciexplore open --help` has the app's options: --offline, --capsule and others.
    """
    if ctx.invoked_subcommand is None:
        code: int = ctx.invoke(_open, locator=None, root_url=None, fresh=False, mode=None)
        return code
    return 0


@cli.result_callback()
@click.pass_context
def _ended(ctx: click.Context, /, code: object, **_: object) -> object:
    """A command that told of failures (`tui.commands.output`) ends with 1 even if it gave what it could."""
    return code or int(FAILURES in ctx.meta)


def run(arguments: Sequence[str]) -> int:
    """Runs the command line and returns the exit code: 0 done, 1 with failures, 2 usage, 3 server or network, 130."""
    words = [f"<{word}>" if _DASHED_SLUG.fullmatch(word) else word for word in arguments]
    if words and words[0].startswith("--") and words[0] not in ("--help", "--version"):
        words.insert(0, "open")  # options of the app before (or without) a locator
    try:
        result = cli.main(words, prog_name="ciexplore", standalone_mode=False)
    except click.exceptions.Abort:
        return 130
    except KeyboardInterrupt:
        return 130
    except SystemExit as leaving:
        if leaving.code == 1:  # what click makes of a broken pipe; ours are 128 and a signal's number
            return _reader_left()
        raise
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except AppError as problem:
        return _say(problem)
    except Exception as error:
        if isinstance(error, BrokenPipeError):
            return _reader_left()
        return _say(_unwritten(error) or _fault(error))
    return result if isinstance(result, int) else 0


def _reader_left() -> int:
    """The reader of a pipe went away (| head), which is its right."""
    _silence_stdout()
    return 0


def _silence_stdout() -> None:
    """Python's own flush at exit must not complain (again) of what cannot be written, and end with 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unwritten(error: Exception) -> AppError | None:
    """What is said of a full disk, such as one that the output goes to (`> FILE`); None for every other error."""
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return None
    from backends.atomic import disk_words
    from backends.errors import FileError

    what = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else "the output"
    return FileError(f"Writing {what} failed: {disk_words(error)}.", "Make room, or write to another place.")


def _fault(error: Exception) -> AppError:
    from backends import config
    from tui import crash_log

    with contextlib.suppress(Exception):  # the fault itself is what has to be said
        crash_log.set_path(config.load().state_path / "faults.log")
    return crash_log.record(error)


def _say(problem: AppError) -> int:
    click.echo(f"ciexplore: {problem.sentence}", err=True)
    if problem.hint:
        click.echo(f"  {problem.hint}", err=True)
    try:
        sys.stdout.flush()
    except OSError:
        _silence_stdout()
    return problem.exit_code
