"""One parser for everything that a person pastes."""

from backends.locators.base import Locator as Locator
