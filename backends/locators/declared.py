"""Declared locators: a class with a template is a complete locator; what opens it and its verb stand beside it.

    class Pushes(TreeherderLocator,
                 template="treeherder:pushes/{repository:repository}?author={author}&count={count}",
                 opens="backends.treeherder.pushes:PushList",
                 verb=Verb("pushes", "List the pushes of a repository, newest first.")):
        repository: str = param(help="For example autoland or try.")
        author: str = param(default="", help="Pushed by this address.")
        count: int | None = param(default=None)

The class becomes a frozen dataclass. Nothing here imports a listing, polars, click or an HTTP client, so all templates
of a system can be shown, completed and parsed at start-up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, dataclass_transform

from backends.locators.base import InvalidLocatorError, Locator
from backends.locators.template import KINDS, FieldKind, Template, TemplateMismatchError


def param(
    *, default: Any = dataclasses.MISSING, help: str = "", flag: str = "", metavar: str = "", compare: bool = True
) -> Any:
    """A field of a locator. `help`, `flag` ("--search"), `metavar`: its command line option, see
    `tui.commands.verbs`. `compare` False: something known besides, neither written in the text nor compared."""
    return field(default=default, compare=compare, metadata={"help": help, "flag": flag, "metavar": metavar})


@dataclass(frozen=True)
class Verb:
    """The headless command of a list: `ciexplore SYSTEM NAME [ARGUMENT] [OPTIONS]`.

    `argument`: the field that is written without an option; a locator or URL of this list is accepted in its place.
    `read`: "module:function" that makes a locator of the argument's text where that can be more (a revision for a push
    id); it gets (text, values of the options) and returns a locator. `defaults`: of fields that have none. `hidden`:
    fields without an option.
    """

    name: str
    help: str
    argument: str = ""
    optional_argument: bool = False
    read: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()


@dataclass_transform(field_specifiers=(param,), frozen_default=True)
class DeclaredLocator(Locator):
    """Base of locators that are declared by a template. A system's base class sets `common` (options that all have)."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    template: ClassVar[Template]
    opens: ClassVar[str] = ""  # "module:Class" of the listing; "" for a locator that `System.resolve` replaces
    verb: ClassVar[Verb | None] = None
    common: ClassVar[str] = ""
    kinds: ClassVar[Mapping[str, FieldKind]] = KINDS

    def __init_subclass__(cls, template: str = "", opens: str = "", verb: Verb | None = None, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if not template:
            return
        dataclass(frozen=True)(cls)
        cls.opens, cls.verb = opens, verb
        annotations = {one.name: str(one.type) for one in dataclasses.fields(cls) if one.compare}
        if cls.common:
            template += ("&" if "?" in template else "?") + cls.common
        cls.template = Template.compile(template, annotations, cls.kinds)

    def text(self) -> str:
        return self.template.format(self)

    @classmethod
    def summary(cls) -> str:
        """What it opens, in one line."""
        return (cls.__doc__ or "").partition("\n")[0].rstrip(".")

    def listing(self) -> str:
        """ "module:Class" of the listing that opens it; a locator whose fields decide that overrides this."""
        return self.opens


def parse_declared(name: str, body: str, by_head: Mapping[str, tuple[type[DeclaredLocator], ...]]) -> Locator:
    """The locator of the text behind a system's prefix. `by_head`: head of the template -> locator classes.

    Raises `InvalidLocatorError` that names what is wrong and shows the syntax of the list that was meant.
    """
    head = body.partition("?")[0].partition("/")[0]
    best: tuple[int, str, str] | None = None
    for cls in by_head.get(head, ()):
        try:
            return cls(**cls.template.parse(body))
        except TemplateMismatchError as mismatch:
            if best is None or mismatch.depth > best[0]:
                best = mismatch.depth, mismatch.reason, cls.template.syntax
    if best is None:
        raise InvalidLocatorError(
            f"Incomplete {name}: locator, or an unknown list: {head[:60]!r}.",
            f"Known: {', '.join(sorted(by_head))}.",
        )
    raise InvalidLocatorError(f"Invalid {name}: locator: {best[1]}.", f"Syntax: {best[2]}")
