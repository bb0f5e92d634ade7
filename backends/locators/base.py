"""A locator: one typed value for whatever a person can paste, open, copy or come back to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from backends.errors import UsageError


class Locator(ABC):
    """Base of all locators; subclasses are frozen dataclasses.

    `text()` is what the clipboard and a session file carry: `parse(locator.text()) == locator` always.
    """

    system: ClassVar[str]

    @abstractmethod
    def text(self) -> str: ...

    def listing(self) -> str:
        """ "module:Class" of the listing that opens it, constructed with the locator and its system's context; "" for
        none."""
        return ""

    @property
    def is_local(self) -> bool:
        """Whether it is read from this machine, e.g. a file or a store, and not from a server."""
        return False

    def watched(self) -> Locator:
        """The locator of the list whose states tell how far this is; by default its own."""
        return self

    def at_line(self, line: int) -> Locator:
        """Of a text: the locator of that line, from 1. Of whatever has no lines, itself."""
        return self


class InvalidLocatorError(UsageError):
    """The text is nothing that can be opened, or something that must not be opened."""
