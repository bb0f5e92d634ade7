"""Locators of a dataset on this machine: the list of its views, and one view.

    treeherder:dataset/STORE[?repository=R]         treeherder:dataset/STORE/VIEW[?repository=R]

STORE is a path. Its slashes are printed as %2F and may be typed bare: the last part is the view if it is the name of
one.
"""

from __future__ import annotations

from typing import Any, ClassVar

from backends.locators.base import InvalidLocatorError, Locator
from backends.locators.declared import DeclaredLocator, param, parse_declared
from backends.locators.pasted import PastedText, unescape
from backends.locators.template import KINDS, FieldKind, Template, TemplateMismatchError

SYSTEM = "treeherder"
PREFIXES = (SYSTEM, "perf")
# The views of backends.treeherder.datasets.views, which a locator must not import; a test compares the two.
VIEW_NAMES = (
    "alerts", "bugs", "failing", "culprit", "revisions", "commits", "signatures", "jobs", "groups", "durations",
    "durations-by-signature", "waits", "waits-by-push", "waits-by-platform", "waits-by-hour", "rectified", "coverage",
)  # fmt: skip


class _PathTemplate(Template):
    """Reads a store's path also if its slashes are not escaped."""

    def parse(self, body: str) -> dict[str, Any]:
        path, _, query = body.partition("?")
        unknown = {pair.partition("=")[0] for pair in query.split("&") if pair} - {"repository", "v"}
        if unknown:
            raise InvalidLocatorError(
                "A dataset locator may end in ?repository=NAME and in nothing else.", f"Syntax: {self.syntax}"
            )
        head, _, store = path.partition("/")
        view = ""
        if "view" in self.path_fields:
            store, _, view = store.rpartition("/")
            if not store or unescape(view) not in VIEW_NAMES:
                raise TemplateMismatchError("VIEW is missing", 1)
        path = "/".join(filter(None, (head, store.replace("/", "%2F"), view)))
        return super().parse(f"{path}?{query}")


class DatasetLocator(DeclaredLocator):
    """Base of the two."""

    system: ClassVar[str] = SYSTEM
    kinds = {
        **KINDS,
        "store": FieldKind(r"[^\0]+", "a directory", "STORE"),
        "view": FieldKind("|".join(VIEW_NAMES), "a view", "VIEW"),
    }

    @property
    def is_local(self) -> bool:
        return True

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        cls.template = _PathTemplate(**vars(cls.template))


class DatasetView(
    DatasetLocator,
    template="treeherder:dataset/{store:store}/{view:view}?repository={repository:repository}",
    opens="backends.treeherder.datasets.lists:DatasetRows",
):
    """One view of a dataset; `repository` "" is the only one that it has."""

    store: str
    view: str
    repository: str = param(default="")


class DatasetViews(
    DatasetLocator,
    template="treeherder:dataset/{store:store}?repository={repository:repository}",
    opens="backends.treeherder.datasets.lists:DatasetList",
):
    """The views of the dataset in a directory, of one repository or of all."""

    store: str
    repository: str = param(default="")


LOCATORS: tuple[type[DatasetLocator], ...] = (DatasetView, DatasetViews)


def parse_dataset(pasted: PastedText) -> Locator | None:
    """The locator of a text treeherder:dataset/... or perf:dataset/...; None for every other text.

    Raises `InvalidLocatorError`.
    """
    prefix, _, body = pasted.text.partition(":")
    if prefix.lower() not in PREFIXES or body[:8].lower() != "dataset/":
        return None
    return parse_declared(SYSTEM, f"dataset/{body[8:]}", {"dataset": LOCATORS})
