"""A locator: one typed value for whatever a person can paste, open, copy or come back to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields, is_dataclass, replace
from typing import ClassVar

from backends.problems import UsageProblem


class Locator(ABC):
    """Base of all locators; subclasses are frozen dataclasses.

    `text()` is what the clipboard and a session file carry: `parse(locator.text()) == locator` always.
    """

    system: ClassVar[str]

    @abstractmethod
    def text(self) -> str: ...


def at_line(locator: Locator, line: int) -> Locator:
    """The locator of a line (from 1) of a text, where its system has such ones; else that of the text."""
    if is_dataclass(locator) and any(field.name == "line" for field in fields(locator)):
        return replace(locator, line=line)  # type: ignore[call-arg]
    return locator


class LocatorProblem(UsageProblem):
    """The text is nothing that can be opened, or something that must not be opened."""
