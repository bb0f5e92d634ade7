"""One parser for everything that a person pastes.

`parse(text)` asks each recogniser of `recognisers.RECOGNISERS` in turn; a new system adds its function there and its
forms to `forms.FORMS`. They are loaded with the first text (13 ms), not with the start screen.
"""

from __future__ import annotations

from backends.locators.base import InvalidLocatorError as InvalidLocatorError
from backends.locators.base import Locator as Locator
from backends.locators.forms import FORMS


def parse(text: str) -> Locator:
    """The locator that `text` stands for. Raises `InvalidLocatorError`, and nothing else whatever the text."""
    from backends.locators.parsers import parse_text

    return parse_text(text)


def accepted_forms(system: str = "") -> list[tuple[str, str]]:
    """(form, what it opens) of everything that `parse` accepts, or that a system has of it, for the start screen."""
    return [form for name, forms in FORMS.items() if system in ("", name) for form in forms]
