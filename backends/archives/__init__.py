"""Archiver: source archives at a revision - from hgweb or GitHub, verified, kept, copied to S3, served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.locators import InvalidLocatorError, Locator
from backends.locators.archives import ArchiveLocator, HeldArchives, Repositories, Repository, Revision

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.config import Settings
    from backends.http import Http
    from backends.resources import Resource


def resolve(locator: Locator, http: Http, settings: Settings, cancel: CancelToken | None = None) -> ArchiveLocator:
    """The same with the server that it is on. Asks nobody: a revision's name is looked up when its list is loaded,
    since it may lead elsewhere the next time."""
    root = settings.hg_url.rstrip("/")
    match locator:
        case Repositories(named):
            return Repositories(named or root)
        case Repository(repository, named):
            return Repository(repository, named or root)
        case Revision(repository, revision, subdirectory, suffix, named):
            return Revision(repository, revision, subdirectory, suffix, named or root)
        case HeldArchives():
            return locator
    raise InvalidLocatorError(f"{locator.text()} does not belong to an archiver.")


def resource_for(locator: Locator, http: Http, settings: Settings) -> Resource:
    """The list that a locator opens."""
    from backends.archives.archives import KeptArchives, RevisionArchives
    from backends.archives.repositories import RepositoryList
    from backends.archives.revisions import RevisionList

    match locator:
        case Repositories():
            return RepositoryList(locator, http, settings)
        case Repository():
            return RevisionList(locator, http, settings)
        case Revision():
            return RevisionArchives(locator, http, settings)
        case HeldArchives():
            return KeptArchives(locator, http, settings)
    raise InvalidLocatorError(f"{locator.text()} does not belong to an archiver.")
