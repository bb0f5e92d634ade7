"""Systems: what ciexplore can explore, and which of them a pasted text belongs to.

The built-in systems are the table in `backends.builtin_systems`; a package adds one by an entry point in the group
`ciexplore.systems` whose value is a `System`:

    [project.entry-points."ciexplore.systems"]
    buildkite = "ciexplore_buildkite:SYSTEM"

Modules are imported when first used: the table names them as "module:attribute".
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.errors import UsageError
from backends.locators.base import InvalidLocatorError, Locator

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.config import Settings
    from backends.http import Http
    from backends.locators.declared import DeclaredLocator
    from backends.locators.pasted import PastedText
    from backends.resources import Resource

GROUP = "ciexplore.systems"
MAX_LENGTH = (
    1 << 20
)  # characters: 45,000 task ids in one taskcluster:artifacts/… text; an artifact URL has at most 4,000


def load(reference: str) -> Any:
    """What "module:name" stands for."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


@dataclass(frozen=True)
class System:
    """One system. References ("module:name") are imported when first used.

    `name`: `Locator.system` of its locators, the prefix of their texts, its command group, the id of its pane.
    `locators`: its locator classes, or a reference to a tuple of them. `context(locator, http, settings)`: what its
    listings are constructed with, after the locator. `resolve(locator, http, settings, cancel)`: replaces a locator
    that a server has to be asked about. `urls(pasted)`: the locator of a pasted URL, or of a text with the prefix whose
    locator is not declared, None if it is not this system's;
    `settings_urls(pasted)`: the same for URLs of servers that only the settings name, asked before all systems' `urls`;
    `names(pasted)`: the same for bare names, asked last. `default`: what the bare prefix opens. `url_setting`: the
    setting that the option --NAME-url overrides. `old_names`: earlier prefixes, which keep working. `commands`:
    hand-written verbs beside the derived ones, name -> reference; `command`: one command in place of verbs.
    `aliases`: old command lines, e.g. ("jobs", "--similar") -> ("similar",). `label`,
    `key`, `summary`, `roots` (title, locator): its pane. `forms` (what can be pasted, what it opens): for the start
    screen.
    """

    name: str
    label: str
    summary: str
    locators: str | tuple[type[DeclaredLocator], ...] = ()
    context: str = ""
    resolve: str = ""
    urls: str = ""
    settings_urls: str = ""
    names: str = ""
    default: str = ""
    url_setting: str = ""
    old_names: tuple[str, ...] = ()
    commands: dict[str, str] = field(default_factory=dict)
    command: str = ""
    aliases: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    key: str = ""
    roots: tuple[tuple[str, str], ...] = ()
    forms: tuple[tuple[str, str], ...] = ()

    @cached_property
    def locator_classes(self) -> tuple[type[DeclaredLocator], ...]:
        if isinstance(self.locators, str):
            found: tuple[type[DeclaredLocator], ...] = load(self.locators)
            return found
        return self.locators

    @cached_property
    def _by_head(self) -> dict[str, tuple[type[DeclaredLocator], ...]]:
        found: dict[str, tuple[type[DeclaredLocator], ...]] = {}
        for cls in self.locator_classes:
            found[cls.template.head] = (*found.get(cls.template.head, ()), cls)
        return found

    def parse(self, pasted: PastedText) -> Locator | None:
        """The locator of a text with this system's prefix, or of its URLs; None for every other text.

        Raises `InvalidLocatorError`.
        """
        prefix, colon, body = pasted.text.partition(":")
        if self.locators and colon and prefix.lower() in (self.name, *self.old_names) and not body.startswith("//"):
            from backends.locators.declared import parse_declared

            other = _ask(self.urls, pasted)  # a locator with a syntax of its own
            if not body.partition("?")[0]:
                body = self.default + body
            return other or parse_declared(self.name, body, self._by_head)
        return _ask(self.urls, pasted)

    def syntax(self) -> list[tuple[str, str]]:
        """(syntax, what it opens) of every declared list."""
        return [(cls.template.syntax, cls.summary()) for cls in self.locator_classes]

    def complete(self, text: str, values: Callable[[str], list[str]] = lambda name: []) -> list[str]:
        """Texts that continue `text` by one part. `values(field)` offers values of a field."""
        return sorted({one for cls in self.locator_classes for one in cls.template.complete(text, values)})

    def resource(self, locator: Locator, http: Http, settings: Settings, cancel: CancelToken) -> Resource:
        """Resolves the locator (may ask servers, raises `AppError`s) and constructs its listing (no I/O)."""
        if self.resolve:
            locator = load(self.resolve)(locator, http, settings, cancel)
        reference = locator.listing()
        if not reference:
            raise UsageError(f"{locator.text()} cannot be listed.")
        found: Resource = load(reference)(locator, load(self.context)(locator, http, settings))
        return found


def _ask(reference: str, pasted: PastedText) -> Locator | None:
    found: Locator | None = load(reference)(pasted) if reference else None
    return found


@cache
def _built_in() -> dict[str, System]:
    found: tuple[System, ...] = load("backends.builtin_systems:SYSTEMS")
    return {system.name: system for system in found}


@cache
def systems() -> dict[str, System]:
    """Every system by name, built-in ones first. One that cannot be loaded is left out; see `broken_systems`."""
    return {name: system for name, system in _load_all().items() if isinstance(system, System)}


def broken_systems() -> dict[str, str]:
    """Entry points that could not be loaded -> why."""
    return {name: str(error) for name, error in _load_all().items() if isinstance(error, Exception)}


@cache
def _load_all() -> dict[str, System | Exception]:
    found: dict[str, System | Exception] = dict(_built_in())
    if not _is_group_declared():
        return found
    from importlib.metadata import entry_points

    taken = {name for system in _built_in().values() for name in (system.name, *system.old_names)}
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        try:
            if point.name in taken:
                raise UsageError(f"{point.value} would replace the system {point.name!r}.")
            system = point.load()
            if not isinstance(system, System) or system.name != point.name:
                raise UsageError(f"{point.value} is not a System named {point.name!r}.")
        except Exception as error:  # a broken package must not take the others with it
            found.setdefault(f"{point.name} ({point.value})", error)
        else:
            taken.add(point.name)
            found[point.name] = system
    return found


def _is_group_declared() -> bool:
    """Whether an installed package may declare a system: in 2 ms, where importlib.metadata takes 20 to say no."""
    for folder in sys.path:
        try:
            infos = [one.path for one in os.scandir(folder or ".") if one.name.endswith((".dist-info", ".egg-info"))]
        except NotADirectoryError:  # an archive: only importlib.metadata can read it
            return True
        except OSError:
            continue
        for info in infos:
            with contextlib.suppress(OSError):  # most have no such file
                if GROUP.encode() in Path(info, "entry_points.txt").read_bytes():
                    return True
    return False


def system_of(name: str) -> System | None:
    """The system with this name, or with this earlier name."""
    for group in (_built_in, systems):
        if (found := next((one for one in group().values() if name in (one.name, *one.old_names)), None)) is not None:
            return found
    return None


def parse_locator(text: str, settings: Settings | None = None) -> Locator:
    """The locator that `text` stands for. Raises `InvalidLocatorError`, and nothing else whatever the text.

    `settings` names servers that can be at any host and path: their URLs are recognized by that alone.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidLocatorError(
            f"A text of {len(text):,} characters is not a URL or an id.", "Paste one URL or one id."
        )
    from backends.locators.pasted import SCHEME, PastedText  # its expressions are not needed for the first paint

    pasted = PastedText(text, hgweb=settings.hg_url if settings is not None else "")
    if not pasted.text:
        raise InvalidLocatorError("Nothing to open: the text is empty.", _HINT)
    if pasted.addresses > 1 and SCHEME.match(pasted.text):  # else the first would be opened under a wrong name
        raise _several_urls(pasted)
    refusal: InvalidLocatorError | None = None
    for ask in _parsers():
        try:
            found = ask(pasted)
        except InvalidLocatorError as error:  # shown only if no other system knows better
            refusal = refusal or error
        else:
            if found is not None:
                return found
    if pasted.addresses:
        refusal = _several_urls(pasted)
    from backends.locators.choices import find_revision

    if refusal is None and find_revision(pasted.text) == pasted.text.lower():
        refusal = InvalidLocatorError(
            f"{pasted.quote()} is a revision, which does not say of which repository.",
            "Write taskcluster:push/REPOSITORY/REVISION for its tasks, treeherder:push/REPOSITORY/REVISION for its "
            "jobs, archives:REPOSITORY@REVISION for its source.",
        )
    raise refusal or InvalidLocatorError(f"Unrecognized: {pasted.quote()}.", _HINT)


def is_any_local(texts: Iterable[str]) -> bool:
    """Whether one of these locators is read from this machine; a text that is no locator is not read at all."""
    for text in texts:
        with contextlib.suppress(InvalidLocatorError):
            if parse_locator(text).is_local:
                return True
    return False


def _parsers() -> Iterator[Callable[[PastedText], Locator | None]]:
    """What to ask, in order: built-in systems before others, bare names last. Nothing is imported before its turn."""
    for group in (_built_in, systems):  # most texts belong to a built-in one: no entry point has to be looked for
        new = [one for one in group().values() if group is _built_in or one.name not in _built_in()]
        for one in new:
            yield partial(_ask, one.settings_urls)
        yield from (one.parse for one in new)
    for one in systems().values():
        yield partial(_ask, one.names)


def _several_urls(pasted: PastedText) -> InvalidLocatorError:
    return InvalidLocatorError(f"This text has {pasted.addresses:,} URLs in it.", "Paste one of them.")


_HINT = (
    "Accepted: a task or task group id, a URL of Taskcluster, Treeherder, Perfherder, perf.compare, Deck, "
    "gcsweb, hgweb or a bucket, an index path (e.g. gecko.v2.autoland.latest.taskgraph.decision), a Prow job."
)


def accepted_forms(system: str = "") -> list[tuple[str, str]]:
    """(form, what it opens) of what `parse_locator` accepts, of one system or of all."""
    return [form for one in systems().values() if system in ("", one.name) for form in one.forms]


def open_resource(locator: Locator, http: Http, settings: Settings, cancel: CancelToken) -> Resource:
    """The listing of any locator. Raises `AppError`s; over a capsule also for what is read from this machine, which a
    capsule from others must not lead to."""
    if locator.is_local and http.mode == "capsule":
        from backends.http.errors import NotInCapsuleError, sanitize

        raise NotInCapsuleError(
            f"Capsules do not cover what is read from this machine: {sanitize(locator.text(), 120)}.",
            "Open it without a capsule.",
        )
    system = _built_in().get(locator.system) or systems().get(locator.system)
    if system is None:
        raise UsageError(f"No installed system opens {locator.system} locators.")
    return system.resource(locator, http, settings, cancel)


def panes() -> tuple[System, ...]:
    """The systems with a pane of their own, in the order of their keys."""
    return tuple(system for system in systems().values() if system.key)
