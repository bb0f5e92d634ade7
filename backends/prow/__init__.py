"""Prow: jobs, builds and their files in any bucket, as resources."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from backends.errors import UsageError
from backends.locators import InvalidLocatorError, Locator
from backends.locators.prow import Place, ProwPath, ProwView, View
from backends.prow.resolve import resolve as resolve

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http
    from backends.prow.archive import Archive
    from backends.resources import Resource


def archive_of(locator: ProwPath | ProwView, http: Http, settings: Settings) -> Archive:
    """The bucket of a locator as lists need it. No I/O."""
    from backends.prow.archive import Archive
    from backends.prow.profiles import source_of

    source = source_of(locator.store, http, settings)
    if locator.store:
        return Archive(source, locator.bucket, locator.store)
    who = ""
    with suppress(UsageError):  # a wrong URL of the storage is said where it is used
        who = http.scope(settings.gcs_url)
    return Archive(source, locator.bucket, "", http.blob_cache(), settings.gcs_url, who)


def resource_for(locator: Locator, http: Http, settings: Settings) -> Resource:
    """The list that a locator opens; a file's locator opens its folder and then the file.

    Only `resolve` can open what the bucket must be asked about first (job names, pull requests, links).
    """
    match locator:
        case ProwPath():
            return _path(locator, archive_of(locator, http, settings), settings)
        case ProwView():
            return _view(locator, archive_of(locator, http, settings), settings)
    raise InvalidLocatorError(f"{locator.text()} has to be looked up before it can be listed.")


def _path(locator: ProwPath, archive: Archive, settings: Settings) -> Resource:
    from backends.prow.builds import BuildList
    from backends.prow.file_openings import is_text
    from backends.prow.files import FolderFiles
    from backends.prow.jobs import JobList, visited_jobs

    match locator.route.place:
        case Place.JOBS:
            return JobList(locator, archive, visited_jobs(settings.state_path, locator.bucket))
        case Place.BUILDS | Place.LINKS | Place.PULL:
            return BuildList(locator, archive)
    listing = FolderFiles(locator, archive)
    if listing.folder != locator.path and is_text(locator.path, ""):
        name = locator.path.removeprefix(listing.folder)
        listing.first_log = archive.log(locator.path, name, locator.line, locator.last)
    return listing


def _view(locator: ProwView, archive: Archive, settings: Settings) -> Resource:
    match locator.view:
        case View.BUILDS:
            from backends.prow.builds import BuildList

            return BuildList(locator, archive)
        case View.JOBS:
            from backends.prow.jobs import JobList, visited_jobs

            return JobList(locator, archive, visited_jobs(settings.state_path, locator.bucket))
        case View.TREE:
            from backends.prow.files import TreeFiles, places_of_view
            from backends.prow.folder_sizes import FolderSizes

            kind = FolderSizes if locator.option("by") == "folders" else TreeFiles
            return kind(locator, archive, places_of_view(archive, locator))
        case View.COMPLETENESS | View.PRESENCE:
            from backends.prow.completeness import CompletenessSets, FilePresence

            return (CompletenessSets if locator.view is View.COMPLETENESS else FilePresence)(locator, archive)
        case View.EVENTS:
            from backends.prow.events import event_list

            return event_list(locator, archive)
    return _measured(locator, archive)


def _measured(locator: ProwView, archive: Archive) -> Resource:
    match locator.view:
        case View.OVER_TIME:
            from backends.prow.over_time import OverTime

            return OverTime(locator, archive)
        case View.REASONS:
            from backends.prow.reasons import FailureReasons

            return FailureReasons(locator, archive)
        case View.LOGS:
            from backends.prow.log_statistics import LogStatistics

            return LogStatistics(locator, archive)
        case View.SEARCH:
            from backends.prow.search import LogSearch

            return LogSearch(locator, archive)
        case View.JUNIT:
            from backends.prow.junit import junit_list

            return junit_list(locator, archive)
        case View.MATRIX:
            from backends.prow.junit import TestMatrix

            return TestMatrix(locator, archive)
    raise InvalidLocatorError(f"{locator.text()} cannot be listed.")
