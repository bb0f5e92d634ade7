"""Perfherder datasets: what Treeherder measured, kept in a local store, and the views that are worked out from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http
    from backends.locators import Locator
    from backends.resources import Resource


def dataset_resource(locator: Locator, http: Http | None = None, url: str = "") -> Resource:
    """The list that a locator of `backends.locators.datasets` opens. It asks no server; with one (`url`) its menu
    offers to fetch from there."""
    from backends.treeherder.datasets.resources import dataset_resource as found

    return found(locator, http, url)


def open_dataset(locator: Locator, http: Http, settings: Settings) -> Resource:
    """The list that a locator opens, for `backends.systems`."""
    return dataset_resource(locator, http, settings.treeherder_url)
