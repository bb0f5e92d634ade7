"""Which builds a view is of, and their rows, read in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from backends.cancel import CancelToken
from backends.http.errors import ServerError
from backends.locators.prow import Place, ProwView, View, route
from backends.prow.archive import Archive
from backends.prow.build_ids import order
from backends.prow.build_listing import BuildListing
from backends.prow.build_reading import BuildPlace, Row
from backends.prow.files import places_of_view
from backends.prow.parallel import Turns

Found = TypeVar("Found")
NEWEST = 100  # builds of a view that names none


def places(archive: Archive, locator: ProwView, cancel: CancelToken) -> list[BuildPlace]:
    """The builds that the view names, the newest first; of a job without any, the newest `NEWEST` (or its option
    `count`)."""
    named = sorted(places_of_view(archive, locator), key=lambda place: order(place.build), reverse=True)
    if named or route(locator.path).place not in (Place.BUILDS, Place.LINKS):
        return named
    wanted = locator.option("count")
    count = int(wanted) if wanted.isdecimal() and len(wanted) < 7 else NEWEST
    return [place for some in BuildListing(archive, locator.path, count).found(cancel) for place in some.places]


def read_each(
    places: list[BuildPlace], read: Callable[[BuildPlace, CancelToken], Found], cancel: CancelToken
) -> Iterator[list[Found]]:
    """What `read` makes of each build, in batches as it becomes known."""
    with Turns(read, cancel, name="builds") as turns:
        turns.add((place.key, place) for place in places)
        yield from turns.rest()


def rows(archive: Archive, places: list[BuildPlace], cancel: CancelToken) -> Iterator[list[Row]]:
    return read_each(places, archive.reader.row, cancel)


def unread(rows: list[Row]) -> str:
    """A sentence about the builds that could not be read, "" if all could. Raises a `AppError` if none could."""
    failed = sorted((row for row in rows if row["state"] is None), key=lambda row: str(row["order"]), reverse=True)
    if not failed:
        return ""
    why = str(failed[0]["note"] or "")
    if len(failed) == len(rows):
        raise ServerError(
            f"None of {len(rows):,} builds can be read: {why.removeprefix('cannot be read: ')}", "Try again."
        )
    verb, first = ("is", "") if len(failed) == 1 else ("are", ", the first")
    because = f"{first} because: {why.removeprefix('cannot be read: ')}"
    return f"{len(failed):,} of {len(rows):,} builds cannot be read and {verb} left out{because}"


def followed(archive: Archive, place: BuildPlace, cancel: CancelToken) -> str:
    """The build's folder, from its link file if need be. Raises `HttpError`s."""
    return archive.reader.followed(place, cancel) if place.link and not place.folder else place.folder


def builds_view(locator: ProwView, builds: str | None) -> ProwView | None:
    """The list of these builds (ids with commas between them), as a set or a day in a view opens it."""
    ids = tuple(one for one in (builds or "").split(",") if one)
    return ProwView(View.BUILDS, locator.bucket, locator.path, ids, (), locator.store) if ids else None


def job_name(locator: ProwView) -> str:
    return route(locator.path).job or locator.path.rstrip("/").rpartition("/")[2]


def counted(locator: ProwView) -> str:
    """ "136 builds of JOB", or "BUILD of JOB": for titles, which narrow screens cut at the end."""
    if len(locator.builds) == 1:
        return f"{locator.builds[0]} of {job_name(locator)}"
    number = f"{len(locator.builds):,}" if locator.builds else "the newest"
    return f"{number} builds of {job_name(locator)}"
