"""The locators of a dataset on this machine: the list of its views, and one view."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from backends.locators.base import InvalidLocatorError, Locator
from backends.locators.pasted import PastedText, escape, unescape

_PREFIX = "perf:dataset/"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}", re.ASCII)
_REPOSITORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)


@dataclass(frozen=True)
class DatasetViews(Locator):
    """The views of the dataset in directory `store`; `repository` "" is the only one, or all."""

    system: ClassVar[str] = "treeherder"
    store: str
    repository: str = ""

    def text(self) -> str:
        return f"{_PREFIX}{escape(self.store)}" + (f"?repository={escape(self.repository)}" if self.repository else "")


@dataclass(frozen=True)
class DatasetView(Locator):
    """One view of it, by name."""

    system: ClassVar[str] = "treeherder"
    store: str
    view: str
    repository: str = ""

    def text(self) -> str:
        named = f"?repository={escape(self.repository)}" if self.repository else ""
        return f"{_PREFIX}{escape(self.store)}/{escape(self.view)}{named}"


def recognise(pasted: PastedText) -> DatasetViews | DatasetView | None:
    """perf:dataset/STORE[/VIEW][?repository=R], STORE being a path in which / may be written %2F.

    The last part is the view where it is the name of one, as `escape` never leaves a / bare. Raises
    `InvalidLocatorError`.
    """
    if pasted.text[: len(_PREFIX)].lower() != _PREFIX:
        return None
    body, _, query = pasted.text[len(_PREFIX) :].partition("?")
    key, _, value = query.partition("=")
    repository = unescape(value)
    if query and (key != "repository" or _REPOSITORY.fullmatch(repository) is None):
        raise InvalidLocatorError("A perf:dataset/ text may end in ?repository=NAME and in nothing else.")
    store, slash, view = body.rpartition("/")
    if not slash or not store or _NAME.fullmatch(unescape(view)) is None or unescape(view) not in NAMES:
        store, view = body, ""
    path = unescape(store)
    if not path or "\0" in path:
        raise InvalidLocatorError(
            "This perf:dataset/ text names no directory.",
            "Form: perf:dataset/STORE[/VIEW][?repository=R], such as perf:dataset/%2Fhome%2Fme%2Fperf/groups.",
        )
    return DatasetView(path, unescape(view), repository) if view else DatasetViews(path, repository)


# The views of backends.treeherder.datasets.views, which a locator must not import; a test compares the two.
NAMES = frozenset({
    "alerts", "bugs", "failing", "culprit", "revisions", "commits", "signatures", "jobs", "groups", "durations",
    "durations-by-signature", "waits", "waits-by-push", "waits-by-platform", "waits-by-hour", "rectified", "coverage",
})  # fmt: skip
