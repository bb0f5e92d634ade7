"""Locators: typed values for what a person can paste, open, copy or come back to. `backends.systems` parses texts."""

from __future__ import annotations

from backends.locators.base import InvalidLocatorError as InvalidLocatorError
from backends.locators.base import Locator as Locator
