"""Taskcluster as a system: how its locators are resolved and opened with the user's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import backends.taskcluster as taskcluster

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.config import Settings
    from backends.http import Http
    from backends.locators import Locator
    from backends.resources import Resource


def resolve(locator: Locator, http: Http, settings: Settings, cancel: CancelToken) -> Locator:
    return taskcluster.resolve(locator, http, settings.taskcluster_root_url, cancel, settings.treeherder_url)


def resource_for(locator: Locator, http: Http, settings: Settings) -> Resource:
    return taskcluster.resource_for(locator, http, settings.taskcluster_root_url)
