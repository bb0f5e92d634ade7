"""Job data for Treeherder: read, linted, previewed, kept in an outbox and published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.locators import InvalidLocatorError, Locator
from backends.locators.submit import JobFile, OutboxLocator, SubmissionLocator, TaskJobs

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.config import Settings
    from backends.http import Http
    from backends.resources import Resource


def resolve(locator: Locator, http: Http, settings: Settings, cancel: CancelToken | None = None) -> SubmissionLocator:
    """The locator itself: a file, tasks or the outbox are known by name."""
    if not isinstance(locator, SubmissionLocator):
        raise InvalidLocatorError(f"{locator.text()} is no job data.")
    return locator


def resource_for(locator: Locator, http: Http, settings: Settings) -> Resource:
    """The list that a locator opens; nothing is read yet."""
    match locator:
        case JobFile() | TaskJobs():
            from backends.submit.job_list import LISTS

            return LISTS[locator.view](locator, http, settings)
        case OutboxLocator():
            from backends.submit.outbox_list import OutboxList

            return OutboxList(locator, http, settings)
    raise InvalidLocatorError(f"{locator.text()} is no job data.")
