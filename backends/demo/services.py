"""The synthetic systems beside Taskcluster: each an ASGI application on a port of its own."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

from backends.demo.options import DemoOptions
from backends.demo.replies import Receive, Scope, Send


class Service(Protocol):
    """One system. Made before its port is known; `ready` is told the address, then `settings` can be asked."""

    def ready(self, url: str) -> None: ...

    def settings(self) -> dict[str, str]:
        """Environment variables that lead to it."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


# Modules with `service(options) -> Service` and `locators(options) -> dict[str, str]`: names that begin with the
# system, and texts that `ciexplore LOCATOR` accepts once the settings above are in force.
MODULES: tuple[str, ...] = (
    "backends.demo.prow",
    "backends.demo.treeherder",
    "backends.demo.archives",
    "backends.demo.submit",
)


def services(options: DemoOptions) -> list[Service]:
    return [import_module(name).service(options) for name in MODULES]


def locators(options: DemoOptions) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in MODULES:
        found.update(import_module(name).locators(options))
    return found
