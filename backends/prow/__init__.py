"""Prow: jobs, builds and their files in any bucket, as resources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.locators import Locator, LocatorProblem
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
    remote = not locator.store
    return Archive(
        source, locator.bucket, locator.store, http.stored() if remote else None, settings.gcs_url if remote else ""
    )


def resource_for(locator: Locator, http: Http, settings: Settings) -> Resource:
    """The list that a locator opens; a file's locator opens its folder and then the file.

    Only `resolve` can open what the bucket must be asked about first (job names, pull requests, links).
    """
    match locator:
        case ProwPath():
            return _path(locator, archive_of(locator, http, settings), settings)
        case ProwView():
            return _view(locator, archive_of(locator, http, settings), settings)
    raise LocatorProblem(f"{locator.text()} has to be looked up before it can be listed.")


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
        listing.first_log = archive.log(locator.path, name, locator.line)
    return listing


def _view(locator: ProwView, archive: Archive, settings: Settings) -> Resource:
    from backends.prow.builds import BuildList
    from backends.prow.files import TreeFiles, places_of_view
    from backends.prow.jobs import JobList, visited_jobs

    match locator.view:
        case View.BUILDS:
            return BuildList(locator, archive)
        case View.JOBS:
            return JobList(locator, archive, visited_jobs(settings.state_path, locator.bucket))
        case View.TREE:
            return TreeFiles(locator, archive, places_of_view(archive, locator))
    raise LocatorProblem(f"{locator.text()} cannot be listed.")
