"""Perfherder datasets: what Treeherder measured, kept in a local store, and the views that are worked out from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backends.locators import Locator
    from backends.resources import Resource


def dataset_resource(locator: Locator, http: Any = None, settings: Any = None) -> Resource:
    """The list that a locator of `backends.locators.datasets` opens; it asks no server, so that it needs neither."""
    from backends.treeherder.datasets.resources import dataset_resource as found

    return found(locator)
