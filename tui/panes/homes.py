"""Which panes of lists there are, behind which keys, and what each offers before anything is open."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Home:
    """A pane of lists. `pane`: its id; `system`: whose locators it opens (`Locator.system`); `label`: in the top bar.

    `roots`: (title, locator) of lists to begin with, offered below what was opened before.
    """

    pane: str
    key: str
    system: str
    label: str
    greeting: str
    roots: tuple[tuple[str, str], ...] = ()


HOMES: tuple[Home, ...] = (
    Home("taskcluster", "f1", "taskcluster", "Tasks", "Find, read, download and measure what CI produced"),
)
BY_SYSTEM = {home.system: home for home in HOMES}
BY_PANE = {home.pane: home for home in HOMES}
