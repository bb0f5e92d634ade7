"""Which system opens which locator; each is imported only when one of its locators is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backends.errors import UsageError

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.config import Settings
    from backends.http import Http
    from backends.locators import Locator
    from backends.resources import Resource


@dataclass(frozen=True)
class Opener:
    """How a system turns a locator into a resource. `resolve` may ask servers; `resource` does no I/O."""

    resolve: Callable[[Locator, Http, Settings, CancelToken], Locator]
    resource: Callable[[Locator, Http, Settings], Resource]


def _taskcluster() -> Opener:
    import backends.taskcluster as module

    return Opener(
        lambda locator, http, settings, cancel: module.resolve(
            locator, http, settings.taskcluster_root_url, cancel, settings.treeherder_url
        ),
        lambda locator, http, settings: module.resource_for(locator, http, settings.taskcluster_root_url),
    )


def _system(name: str) -> Callable[[], Opener]:
    """A system whose module has resolve(locator, http, settings, cancel) and resource_for(locator, http, settings)."""

    def found() -> Opener:
        import importlib

        module = importlib.import_module(f"backends.{name}")
        return Opener(module.resolve, module.resource_for)

    return found


# Locator.system -> how it is opened.
_OPENERS: dict[str, Callable[[], Opener]] = {
    "taskcluster": _taskcluster,
    "prow": _system("prow"),
    "treeherder": _system("treeherder"),
    "archives": _system("archiver"),
    "submit": _system("submission"),
}


def warm() -> None:
    """Imports what the first locator will most likely need: 0.2 s that its opening then does not take."""
    import backends.taskcluster.artifacts
    import backends.taskcluster.tasks  # noqa: F401


def opener(system: str) -> Opener:
    """The opener of a system. Raises `UsageError` if this version has none."""
    try:
        return _OPENERS[system]()
    except KeyError:
        raise UsageError(f"Nothing here opens {system} locators yet.") from None
