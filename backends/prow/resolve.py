"""What a job's name, a pull request or a path turns out to be: asks the bucket what the text alone does not say."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.http.errors import HttpError, NotFoundError, OfflineError, sanitize
from backends.locators import InvalidLocatorError, Locator
from backends.locators.prow import Place, ProwBuild, ProwJob, ProwLocator, ProwPath, ProwPull, ProwView, route
from backends.prow.profiles import default_bucket, moved, source_of

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http
    from backends.prow.source import Source


_FOLDERS = ("logs/{}/", "pr-logs/directory/{}/", "pr-logs/pull/batch/{}/")  # where a job's builds may be
_MOST_VISITED = 60
_IN_LINK = re.compile(r"((?:.*/)?pr-logs/directory/[^/]+/[0-9]{1,20})/(.+)", re.ASCII | re.DOTALL)


class NotResolved(AppError):
    """The bucket answered everything, and has nothing by that name."""

    exit_code = 3


def resolve(locator: Locator, http: Http, settings: Settings, cancel: CancelToken | None = None) -> ProwLocator:
    """A `ProwPath` or a `ProwView` of a bucket under its name of today.

    Raises `NotResolved` with what was tried, and the `AppError`s of the requests.
    """
    cancel = cancel or CancelToken()
    match locator:
        case ProwView(bucket=bucket):
            return replace(locator, bucket=moved(bucket, settings) if not locator.store else bucket)
        case ProwPath(bucket=bucket, store=store):
            at = replace(locator, bucket=moved(bucket, settings)) if not store else locator
            return _path(at, source_of(store, http, settings), cancel)
        case ProwJob(job, build, bucket):
            name = moved(bucket or default_bucket(settings), settings)
            try:
                return _job(source_of("", http, settings), name, job, build, cancel)
            except HttpError:
                if (known := _known(name, job, build, http, settings)) is None:
                    raise
                return known
        case ProwBuild(build, bucket):
            name = moved(bucket or default_bucket(settings), settings)
            return _build_of_any_job(source_of("", http, settings), name, build, settings, cancel)
        case ProwPull(_, _, _, bucket):
            name = moved(bucket or default_bucket(settings), settings)
            return _pull(source_of("", http, settings), name, locator, cancel)
    raise InvalidLocatorError(f"{locator.text()} does not belong to Prow.")


def _path(at: ProwPath, source: Source, cancel: CancelToken) -> ProwPath:
    if (match := _IN_LINK.fullmatch(at.path)) is not None:
        build = _followed(source, replace(at, path=match[1]), cancel)
        return replace(at, path=f"{build.path}{match[2]}")
    found = route(at.path)
    if found.place is Place.BUILD and not found.base:  # a link, as Deck takes it too
        return _followed(source, at, cancel)
    if found.place is not Place.FILE:
        return at
    if at.line is not None:
        source.find_source(at.bucket, at.path, cancel)
        return at
    try:
        source.stat(at.bucket, at.path, cancel=cancel)
    except NotFoundError:
        # A page's address often lacks the last slash of a folder.
        folder = source.list(at.bucket, f"{at.path}/", cancel=cancel)
        if folder.files or folder.folders:
            return replace(at, path=f"{at.path}/")
        raise
    except OfflineError:
        return at
    return at


def _followed(source: Source, at: ProwPath, cancel: CancelToken) -> ProwPath:
    from backends.prow.archive import Archive, place_of

    folder, _, name = at.path.rpartition("/")
    place = place_of(f"{folder}/", name.removesuffix(".txt"))
    return replace(at, path=Archive(source, at.bucket, at.store).reader.followed(place, cancel))


def _job(source: Source, bucket: str, job: str, build: str, cancel: CancelToken) -> ProwPath:
    """Periodic and postsubmit jobs are under logs/, the others have their links under pr-logs/directory/."""
    tried = [folder.format(job) for folder in _FOLDERS]
    if job.startswith(("pull-", "rehearse-")):
        tried = [tried[1], tried[2], tried[0]]
    for folder in tried:
        if build:
            if (place := _build(source, bucket, folder, build, cancel)) is not None:
                return place
            continue
        found = source.list(bucket, folder, cancel=cancel, start=_recent(folder))
        if not (found.files or found.folders):
            found = source.list(bucket, folder, cancel=cancel)
        if found.files or found.folders or found.token:
            return ProwPath(bucket, folder)
    if build:
        raise NotResolved(
            f"The bucket {sanitize(bucket)} has no build {sanitize(build)} of a job {sanitize(job)}.",
            "Check the job, the id and the bucket (--bucket, CIEXPLORE_PROW_BUCKET); old builds are deleted.",
        )
    raise NotResolved(
        f"The bucket {sanitize(bucket)} has no builds of a job {sanitize(job)}.",
        "Check the name and the bucket: CIEXPLORE_PROW_BUCKET names another one, gs://BUCKET/logs/ lists its jobs.",
    )


def _build(source: Source, bucket: str, folder: str, build: str, cancel: CancelToken) -> ProwPath | None:
    """A build of the job in that folder, None if it has none with that id."""
    if route(folder).place is Place.LINKS:
        try:
            return _followed(source, ProwPath(bucket, f"{folder}{build}"), cancel)
        except NotFoundError:
            return None
    found = source.list(bucket, f"{folder}{build}/", cancel=cancel)
    return ProwPath(bucket, f"{folder}{build}/") if found.files or found.folders or found.token else None


def _build_of_any_job(source: Source, bucket: str, build: str, settings: Settings, cancel: CancelToken) -> ProwPath:
    """A build by its id: no listing is by id, so the jobs are asked, those that one has looked at first."""
    from backends.prow.jobs import visited_jobs
    from backends.prow.parallel import Turns

    visited = [folder.format(job) for job in visited_jobs(settings.state_path, bucket) for folder in _FOLDERS]
    complete = True

    def ask(folder: str, own: CancelToken) -> ProwPath | None:
        return _build(source, bucket, folder, build, own)

    def first(folders: list[str]) -> ProwPath | None:
        with Turns(ask, cancel, name="builds") as turns:
            turns.add((folder, folder) for folder in folders)
            for batch in turns.rest():
                if hits := [place for place in batch if place is not None]:
                    return hits[0]
        return None

    if (known := first(visited[:_MOST_VISITED])) is not None:
        return known
    for folder in _FOLDERS:
        jobs = source.list(bucket, folder.removesuffix("{}/"), cancel=cancel)
        if jobs.token:  # thousands of jobs: a request for each would take minutes
            complete = False
        elif (place := first([one for one in jobs.folders if one not in visited])) is not None:
            return place
    what = f"The job of build {sanitize(build)} cannot be told from its id"
    if not complete:
        raise NotResolved(
            f"{what}: the bucket {sanitize(bucket)} has more jobs than can be asked.",
            f"Add the job: JOB/{sanitize(build)}.",
        )
    raise NotResolved(
        f"No job of the bucket {sanitize(bucket)} has a build {sanitize(build)}.",
        f"Check the id and the bucket (--bucket, CIEXPLORE_PROW_BUCKET), or add the job: JOB/{sanitize(build)}.",
    )


def _known(bucket: str, job: str, build: str, http: Http, settings: Settings) -> ProwPath | None:
    """Where a job's builds were when they were last listed: there is no asking offline, or while a server fails."""
    from backends.prow import archive_of
    from backends.prow.build_listing import BuildListing

    for folder in (one.format(job) for one in _FOLDERS):
        at = ProwPath(bucket, folder)
        if BuildListing(archive_of(at, http, settings), folder).is_kept:
            if build and route(folder).place is Place.LINKS:
                return None
            return ProwPath(bucket, f"{folder}{build}/" if build else folder)
    return None


def _recent(folder: str) -> str:
    """Where the last month begins: the first page of a job with 40,000 builds is 1,000 of its oldest."""
    from backends.prow.build_ids import first_at

    return folder + first_at((time.time() - 30 * 86400) * 1000)


def _pull(source: Source, bucket: str, pull: ProwPull, cancel: CancelToken) -> ProwPath:
    """The three spellings of a repository's folder (prow path_strategy: explicit, legacy, single)."""
    repo = pull.repo.replace("/", "_")
    tried = [f"{pull.org}_{repo}/", f"{repo}/", ""]
    for middle in tried:
        folder = f"pr-logs/pull/{middle}{pull.number}/"
        found = source.list(bucket, folder, cancel=cancel)
        if found.folders:
            return ProwPath(bucket, folder)
    raise NotResolved(
        f"The bucket {sanitize(bucket)} has no builds of {pull.org}/{pull.repo}#{pull.number}.",
        "Its jobs may store their builds elsewhere (CIEXPLORE_PROW_BUCKET), or the builds have been deleted.",
    )
