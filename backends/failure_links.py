"""Links from any list to the failures of what it names, for menus and the key. Light: only texts of locators."""

from __future__ import annotations

from backends.locators import Locator
from backends.locators.pasted import escape
from backends.resources import ROW, ROWS, Entry, Link
from backends.systems import parse_locator

SINCE_LABEL = "Since when it fails, and what may have begun it"


def failures_of(source: Locator) -> Locator:
    """The failures of what `source` names; the system of failures knows its own locators."""
    return parse_locator(f"failures:of/{escape(source.text())}")


def failure_clusters(source: Locator) -> Locator:
    """The same in clusters."""
    return parse_locator(f"failures:clusters/{escape(source.text())}")


def since_entries(source: Locator | None, test: str = "", group: str = ROW) -> list[Entry]:
    """The menu entry of one task or build that failed, or of a test that failed in it: since when it fails."""
    if source is None:
        return []
    query = f"?test={escape(test)}" if test else ""
    since = parse_locator(f"failures:since/{escape(source.text())}{query}")
    return [Link(SINCE_LABEL, since, letter="S", group=group)]


def failure_entries(source: Locator | None, group: str = ROWS) -> list[Entry]:
    """Menu entries for what `Resource.failures` gives."""
    if source is None:
        return []
    return [
        Link("Failures in clusters", failure_clusters(source), letter="K", group=group),
        Link("Failures", failures_of(source), letter="Y", group=group),
    ]
