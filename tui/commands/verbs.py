"""Headless verbs derived from declared locators: `ciexplore PREFIX VERB [ARGUMENT] [OPTIONS]`.

Each field of a locator becomes an option (its flag, type and help come from `param`), the verb's `argument` field a
positional argument that also takes a locator or URL. Every verb has --filter, --format, -o, --columns and the
connection options; `download` takes any locator of the system. Nothing here imports textual.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from backends.errors import UsageError
from backends.locators.base import InvalidLocatorError, Locator
from backends.locators.declared import DeclaredLocator, Verb
from backends.paths import expand_home
from backends.systems import System, load, parse_locator
from tui.commands.options import connection_options, download_options, filter_option, match_option, refuse_options
from tui.commands.output import OUTPUT_NAMES, check_output, emit, output_options

# System -> the click group with its hand-written verbs.
BUILT_IN = {
    "taskcluster": "tui.commands.taskcluster:taskcluster",
    "prow": "tui.commands.prow:prow",
    "treeherder": "tui.commands.treeherder:treeherder",
    "archives": "tui.commands.archives:archives",
    "submit": "tui.commands.submit:submit",
}


# Objects between two garbage collections instead of 700: imports and rows make many, and hardly any is garbage.
_GARBAGE = 100_000  # more than a command has when its list begins to arrive


class SystemGroup(click.Group):
    """The verbs of one system: hand-written ones, those derived from its locators, `list` and `download`."""

    def __init__(self, system: System) -> None:
        super().__init__(system.name, help=system.summary)
        self.system = system
        self.derived = {cls.verb.name: cls for cls in system.locator_classes if cls.verb is not None}
        written: click.Group | None = load(BUILT_IN[system.name]) if system.name in BUILT_IN else None
        self.written: dict[str, click.Command] = dict(written.commands) if written is not None else {}

    def invoke(self, ctx: click.Context) -> Any:
        gc.set_threshold(_GARBAGE)
        return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        general = ["list", "download"] if self.system.locator_classes else []
        return [*dict.fromkeys([*self.derived, *self.written, *self.system.commands, *general])]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, self._current_spelling(args))

    def _current_spelling(self, args: list[str]) -> list[str]:
        """The arguments with an old command line (`System.aliases`) replaced by today's."""
        for old, new in self.system.aliases.items():
            for words in (old[1:], ("=".join(old[1:]),)):
                while (start := _position(args, old[0], words)) is not None:
                    args = [*new, *args[1:start], *args[start + len(words) :]]
        return args

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.written:
            return self.written[cmd_name]
        if cmd_name in self.system.commands:
            found: click.Command = load(self.system.commands[cmd_name])
            return found
        if cmd_name in self.derived:
            return verb_of(self.system, self.derived[cmd_name])
        if cmd_name not in self.list_commands(ctx):
            return None
        return _list_verb(self.system) if cmd_name == "list" else _download_verb(self.system)


def _position(args: list[str], verb: str, words: tuple[str, ...]) -> int | None:
    """Where `words` stand in a command line of that verb, before a "--"."""
    end = args.index("--") if "--" in args else len(args)
    places = range(1, end - len(words) + 1) if args[:1] == [verb] else range(0)
    return next((place for place in places if tuple(args[place : place + len(words)]) == words), None)


def verb_of(system: System, cls: type[DeclaredLocator]) -> click.Command:
    """The command that lists what a locator class names."""
    verb = cls.verb
    assert verb is not None
    parameters: list[click.Parameter] = []
    for field in dataclasses.fields(cls):
        if field.name in ("server", verb.argument, *verb.hidden) or not field.compare:
            continue  # the server is an option of the system, see `_common`
        parameters += _options(cls, verb, field)
    if verb.argument:
        name = (
            next((f.metadata["metavar"] for f in dataclasses.fields(cls) if f.name == verb.argument), "")
            or verb.argument
        )
        parameters.append(
            click.Argument(
                [verb.argument],
                metavar=f"[{name.upper()}]" if verb.optional_argument else name.upper(),
                required=not verb.optional_argument,
            )
        )

    def run(**given: Any) -> None:
        output = {name: given.pop(name) for name in OUTPUT_NAMES}
        url, mode, text = given.pop("url", None), given.pop("mode"), given.pop("filter_text")
        _show(system, _locator(cls, verb, given), url, mode, text, output)

    syntax = f"The same as opening {cls.template.syntax}"
    help_text = f"{verb.help}\n\n{syntax}"
    return _common(system)(
        click.Command(verb.name, params=parameters, callback=run, help=help_text, short_help=verb.help)
    )


def _options(cls: type[DeclaredLocator], verb: Verb, field: dataclasses.Field[Any]) -> list[click.Parameter]:
    """The command line options of one field: a value, a flag, or one flag for each word of a set."""
    kind, meta = cls.template.kind(field.name), field.metadata
    flag = meta["flag"] or f"--{field.name.replace('_', '-')}"
    if kind.choices and not any(option.name for option in cls.template.options if option.field == field.name):
        return [
            click.Option(
                [f"--{word}", f"{field.name}__{word.replace('-', '_')}"],
                is_flag=True,
                help=f"{word.replace('-', ' ').capitalize()}.",
            )
            for word in kind.choices
        ]
    required = field.default is dataclasses.MISSING and field.name not in verb.defaults
    if kind.pattern == "1":
        return [click.Option([flag, field.name], is_flag=True, help=meta["help"])]
    default = {"default": verb.defaults[field.name], "show_default": True} if field.name in verb.defaults else {}
    return [
        click.Option(
            [flag, field.name], metavar=meta["metavar"] or kind.placeholder, required=required,
            help=meta["help"] or None, type=click.Choice(kind.choices) if kind.choices else str, **default,
        )
    ]  # fmt: skip


def _locator(cls: type[DeclaredLocator], verb: Verb, given: dict[str, Any]) -> Locator:
    """The locator that the options say. Raises `UsageError` that names the option."""
    words: dict[str, list[str]] = {}
    for name in [name for name in given if "__" in name]:
        if given.pop(name):
            words.setdefault(name.partition("__")[0], []).append(name.partition("__")[2].replace("_", "-"))
    text = given.pop(verb.argument, None) if verb.argument else None
    if text is not None and verb.read:
        flags = {name: tuple(chosen) for name, chosen in words.items()}
        found: Locator = load(verb.read)(text, {**given, **flags})
        others = [name for name, value in given.items() if str(getattr(found, name, value)) != str(value)]
        refuse_options(others, f"has no effect beside {text[:60]!r}, which says it itself")
        return found
    opened = _pasted(text, cls) if text is not None else None
    values: dict[str, Any] = {name: tuple(chosen) for name, chosen in words.items()}
    for name, value in {**given, **({verb.argument: text} if opened is None and text is not None else {})}.items():
        if value is not None and value is not False:
            values[name] = value if value is True else cls.template.kind(name).read_input(str(value), name)
    if opened is not None:  # what the options say besides; not what they say by default
        return dataclasses.replace(opened, **{name: value for name, value in values.items() if not _is_default(name)})
    return cls(**values)


def _is_default(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)


def _pasted(text: str, cls: type[DeclaredLocator]) -> DeclaredLocator | None:
    """A locator or URL in place of the argument."""
    if ":" not in text and "/" not in text:
        return None
    try:
        found = parse_locator(text)
    except InvalidLocatorError:
        return None
    if not isinstance(found, cls):
        raise UsageError(f"{text[:60]!r} does not open this list.", f"Syntax: {cls.template.syntax}")
    return found


def _common(system: System) -> Callable[[click.Command], click.Command]:
    def decorate(command: click.Command) -> click.Command:
        options: list[Any] = [
            filter_option,
            connection_options,
            output_options,
        ]
        if system.url_setting:
            flag = f"--{system.url_setting.replace('_', '-')}"
            options.insert(
                1, click.option(flag, "url", metavar="URL", help=f"Server [default: the setting {system.url_setting}].")
            )
        for option in options:
            command = option(command)
        return command

    return decorate


def _show(
    system: System, locator: Locator, url: str | None, mode: str | None, text: str, output: dict[str, Any]
) -> None:
    from tui.commands.common import open_and_read, open_session

    overrides = {system.url_setting: url} if system.url_setting else {}
    with open_session(None, mode, **overrides) as (session, cancel):
        resource, gathered = open_and_read(
            session, cancel, locator, text, prepare=lambda found: check_output(found.schema, output)
        )
        emit(gathered.frame, resource.schema, resource=resource, **output)


def _list_verb(system: System) -> click.Command:
    def run(locator: str, filter_text: str, mode: str | None, url: str | None = None, **output: Any) -> None:
        _show(system, _of_system(system, locator), url, mode, filter_text, output)

    syntax = "\n".join(f"  {form}" for form, _ in system.syntax())
    command = click.Command(
        "list", callback=run, params=[click.Argument(["locator"])], help=f"List what LOCATOR opens.\n\n\b\n{syntax}"
    )
    return _common(system)(command)


def _of_system(system: System, text: str) -> Locator:
    locator = parse_locator(text)
    if locator.system != system.name:
        raise UsageError(f"{text[:60]!r} is not a {system.name}: locator.", f"Use ciexplore {locator.system}.")
    return locator


def _download_verb(system: System) -> click.Command:
    def run(
        locator: str,
        output: str,
        globs: tuple[str, ...],
        filter_text: str,
        jobs: int | None,
        overwrite: bool,
        rehash: bool,
        dry_run: bool,
        mode: str | None,
    ) -> int:
        from backends.downloads import list_files
        from tui.commands.common import open_and_read, open_session
        from tui.commands.download import run_download

        with open_session(None, mode, jobs=jobs) as (session, cancel):
            resource, gathered = open_and_read(session, cancel, _of_system(system, locator), filter_text)
            files = list_files(resource, gathered.frame, globs, cancel)
            place = expand_home(output).absolute()
            return run_download(session, files, place, cancel=cancel, overwrite=overwrite, rehash=rehash, dry=dry_run)

    command: Any = click.Command(
        "download", callback=run, params=[click.Argument(["locator"])], help="Download the files of what LOCATOR lists."
    )
    for option in (match_option, filter_option, download_options, connection_options):
        command = option(command)
    return command  # type: ignore[no-any-return]
