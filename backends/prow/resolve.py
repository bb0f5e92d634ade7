"""What a job's name, a pull request or a path turns out to be: asks the bucket what the text alone does not say."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.http.errors import HttpError, NotFoundError, OfflineError, sanitize
from backends.locators import InvalidLocatorError, Locator
from backends.pool import HOST_WORKERS, map_concurrently
from backends.prow.bucket import BucketReader, current_name, default_bucket, open_bucket
from backends.prow.build_listing import BuildListing
from backends.prow.build_reader import BuildReader, first_id_at, place_of
from backends.prow.jobs import visited_jobs
from backends.prow.locators import Place, ProwBuild, ProwJob, ProwPath, ProwPull, ProwView, route

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http


_FOLDERS = ("logs/{}/", "pr-logs/directory/{}/", "pr-logs/pull/batch/{}/")  # where a job's builds may be
_MAX_VISITED = 60
_IN_LINK = re.compile(r"((?:.*/)?pr-logs/directory/[^/]+/[0-9]{1,20})/(.+)", re.ASCII | re.DOTALL)


class UnresolvedError(AppError):
    """The bucket was readable, and has nothing by that name."""

    exit_code = 3


def resolve(locator: Locator, http: Http, settings: Settings, cancel: CancelToken | None = None) -> ProwPath | ProwView:
    """A `ProwPath` or a `ProwView` of a bucket under its name of today.

    Raises `UnresolvedError` with what was tried, and the `AppError`s of the requests.
    """
    cancel = cancel or CancelToken()
    if isinstance(locator, ProwPath | ProwView):
        if not locator.store:
            locator = replace(locator, bucket=current_name(locator.bucket, settings))
        if isinstance(locator, ProwView):
            return locator
        return _resolve_path(locator, open_bucket(locator, http, settings), cancel)
    if not isinstance(locator, ProwJob | ProwBuild | ProwPull):
        raise InvalidLocatorError(f"{locator.text()} does not belong to Prow.")
    name = current_name(locator.bucket or default_bucket(settings), settings)
    bucket = open_bucket(ProwPath(name), http, settings)
    match locator:
        case ProwPull():
            return _resolve_pull(bucket, locator, cancel)
        case ProwBuild(build):
            return _find_build(bucket, build, settings, cancel)
        case ProwJob(job, build):
            try:
                return _resolve_job(bucket, job, build, cancel)
            except HttpError:
                if (cached := _cached_job(bucket, job, build)) is None:
                    raise
                return cached


def _resolve_path(locator: ProwPath, bucket: BucketReader, cancel: CancelToken) -> ProwPath:
    if (match := _IN_LINK.fullmatch(locator.path)) is not None:
        build = _follow_link(bucket, replace(locator, path=match[1]), cancel)
        return replace(locator, path=f"{build.path}{match[2]}")
    path = route(locator.path)
    if path.place is Place.BUILD and not path.base:  # a link, as Deck takes it too
        return _follow_link(bucket, locator, cancel)
    if path.place is not Place.FILE:
        return locator
    if locator.lines:
        bucket.blobs.choose_store(bucket.bucket, locator.path, cancel)
        return locator
    try:
        bucket.stat(locator.path, cancel)
    except NotFoundError:
        # A page's URL often lacks the last slash of a folder.
        if _has_entries(bucket, f"{locator.path}/", cancel):
            return replace(locator, path=f"{locator.path}/")
        raise
    except OfflineError:
        return locator
    return locator


def _has_entries(bucket: BucketReader, folder: str, cancel: CancelToken, start: str = "") -> bool:
    page = bucket.list_page(folder, cancel, start=start)
    return bool(page.files or page.folders or page.token)


def _follow_link(bucket: BucketReader, locator: ProwPath, cancel: CancelToken) -> ProwPath:
    folder, _, name = locator.path.rpartition("/")
    place = place_of(f"{folder}/", name.removesuffix(".txt"))
    return replace(locator, path=BuildReader(bucket).folder_of(place, cancel))


def _resolve_job(bucket: BucketReader, job: str, build: str, cancel: CancelToken) -> ProwPath:
    """Periodic and postsubmit jobs are under logs/, the others have their links under pr-logs/directory/."""
    folders = [folder.format(job) for folder in _FOLDERS]
    if job.startswith(("pull-", "rehearse-")):
        folders = [folders[1], folders[2], folders[0]]
    # The first page of a job with 40,000 builds is 1,000 of its oldest: the last month first.
    recent = first_id_at((bucket.now() - 30 * 86400) * 1000)
    for folder in folders:
        if build:
            if (locator := _find_in_folder(bucket, folder, build, cancel)) is not None:
                return locator
        elif _has_entries(bucket, folder, cancel, start=folder + recent) or _has_entries(bucket, folder, cancel):
            return bucket.locator(folder)
    if build:
        raise UnresolvedError(
            f"The bucket {sanitize(bucket.bucket)} has no build {sanitize(build)} of a job {sanitize(job)}.",
            "Check the job, the id and the bucket (--bucket, CIEXPLORE_PROW_BUCKET); old builds are deleted.",
        )
    raise UnresolvedError(
        f"The bucket {sanitize(bucket.bucket)} has no builds of a job {sanitize(job)}.",
        "Check the name and the bucket: CIEXPLORE_PROW_BUCKET sets another one, gs://BUCKET/logs/ lists its jobs.",
    )


def _find_in_folder(bucket: BucketReader, folder: str, build: str, cancel: CancelToken) -> ProwPath | None:
    """A build of the job in that folder, None if it has none with that id."""
    if route(folder).place is Place.LINKS:
        try:
            return _follow_link(bucket, bucket.locator(f"{folder}{build}"), cancel)
        except NotFoundError:
            return None
    return bucket.locator(f"{folder}{build}/") if _has_entries(bucket, f"{folder}{build}/", cancel) else None


def _find_build(bucket: BucketReader, build: str, settings: Settings, cancel: CancelToken) -> ProwPath:
    """A build by its id: no listing is by id, so the jobs are tried, those that one has looked at first."""
    visited = [folder.format(job) for job in visited_jobs(settings.state_path, bucket.bucket) for folder in _FOLDERS]
    is_complete = True

    def find(folder: str, own: CancelToken) -> ProwPath | None:
        return _find_in_folder(bucket, folder, build, own)

    def find_first(folders: list[str]) -> ProwPath | None:
        for batch in map_concurrently(find, folders, cancel, HOST_WORKERS):
            if locator := next(filter(None, batch), None):
                return locator
        return None

    if (locator := find_first(visited[:_MAX_VISITED])) is not None:
        return locator
    for folder in _FOLDERS:
        jobs = bucket.list_page(folder.removesuffix("{}/"), cancel)
        if jobs.token:  # thousands of jobs: a request for each would take minutes
            is_complete = False
        elif (locator := find_first([job for job in jobs.folders if job not in visited])) is not None:
            return locator
    if not is_complete:
        raise UnresolvedError(
            f"The job of build {sanitize(build)} is unknown: the bucket {sanitize(bucket.bucket)} has too many jobs to "
            "try each.",
            f"Add the job: JOB/{sanitize(build)}.",
        )
    raise UnresolvedError(
        f"No job of the bucket {sanitize(bucket.bucket)} has a build {sanitize(build)}.",
        f"Check the id and the bucket (--bucket, CIEXPLORE_PROW_BUCKET), or add the job: JOB/{sanitize(build)}.",
    )


def _cached_job(bucket: BucketReader, job: str, build: str) -> ProwPath | None:
    """Where a job's builds were when they were last listed: offline, or while a server fails."""
    for folder in (folder.format(job) for folder in _FOLDERS):
        if BuildListing(bucket, folder).is_cached:
            if build and route(folder).place is Place.LINKS:
                return None
            return bucket.locator(f"{folder}{build}/" if build else folder)
    return None


def _resolve_pull(bucket: BucketReader, pull: ProwPull, cancel: CancelToken) -> ProwPath:
    """The three spellings of a repository's folder (prow path_strategy: explicit, legacy, single)."""
    repo = pull.repo.replace("/", "_")
    for middle in (f"{pull.org}_{repo}/", f"{repo}/", ""):
        folder = f"pr-logs/pull/{middle}{pull.number}/"
        if bucket.list_page(folder, cancel).folders:
            return bucket.locator(folder)
    raise UnresolvedError(
        f"The bucket {sanitize(bucket.bucket)} has no builds of {pull.org}/{pull.repo}#{pull.number}.",
        "Its jobs may store their builds elsewhere (CIEXPLORE_PROW_BUCKET), or the builds have been deleted.",
    )
