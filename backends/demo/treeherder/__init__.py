"""A synthetic Treeherder: pushes, jobs, performance series and alerts in the shapes of the real server's API."""

from __future__ import annotations

from backends.demo.options import DemoOptions
from backends.demo.services import Service


def service(options: DemoOptions) -> Service:
    from backends.demo.treeherder.application import Treeherder

    return Treeherder(options)


def locators(options: DemoOptions) -> dict[str, str]:
    from backends.demo.treeherder.addresses import locators as found

    return found(options)
