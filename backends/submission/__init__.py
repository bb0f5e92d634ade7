"""Job data for Treeherder: read, linted, previewed, kept in an outbox and published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.locators import Locator, LocatorProblem
from backends.locators.submission import JobFile, OutboxLocator, SubmissionLocator, TaskJobs

if TYPE_CHECKING:
    from backends.cancel import Cancel
    from backends.config import Settings
    from backends.http import Http
    from backends.resources import Resource


def resolve(locator: Locator, http: Http, settings: Settings, cancel: Cancel | None = None) -> SubmissionLocator:
    """The locator itself: a file, tasks or the outbox are known by name."""
    if not isinstance(locator, SubmissionLocator):
        raise LocatorProblem(f"{locator.text()} is no job data.")
    return locator


def resource_for(locator: Locator, http: Http, settings: Settings) -> Resource:
    """The list that a locator opens; nothing is read yet."""
    match locator:
        case JobFile() | TaskJobs():
            from backends.submission.job_list import LISTS

            return LISTS[locator.view](locator, http, settings)
        case OutboxLocator():
            from backends.submission.outbox_list import OutboxList

            return OutboxList(locator, http, settings)
    raise LocatorProblem(f"{locator.text()} is no job data.")
