"""What every Prow verb begins with: its options, and which builds of a job are meant."""

from __future__ import annotations

import os
import re
import time
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backends.errors import UsageError
from tui.commands.listing import counted, gather_shown, say_none_fits, session_of
from tui.commands.options import connection_options
from tui.commands.output import say

if TYPE_CHECKING:
    import polars as pl

    from backends.cancel import CancelToken
    from backends.locators import Locator
    from backends.prow.builds import BuildList
    from backends.resources import Gathered, Resource
    from backends.session import Session

DEFAULT_COUNT = 100
_AGE = re.compile(r"([0-9]{1,6})([hdw])")
_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400}


def common_options(command: Any) -> Any:
    """--filter, where the storage is, how stored answers are used, and LOCATOR."""
    for option in (
        click.option("--filter", "text", metavar="F", default="", help="Only these rows; a filter as in the app."),
        click.option("--gcsweb-url", metavar="URL", help="A gcsweb to list with where the storage does not let us."),
        click.option("--gcs-url", metavar="URL", help="The storage [default: Google's]."),
        click.option("--bucket", metavar="B", help="For bare job names: a bucket, or openshift, or kubernetes."),
        connection_options,
        click.argument("locator"),
    ):
        command = option(command)
    return command


def window_options(command: Any) -> Any:
    """--count and --since: which builds of a job."""
    for option in (
        click.option("--since", metavar="AGE|DATE", help="Only builds made since: 12h, 7d, 4w, or 2026-11-20."),
        click.option(
            "--count", type=click.IntRange(0, 20_000), help=f"The newest N builds; 0 is all [default: {DEFAULT_COUNT}]."
        ),
    ):
        command = option(command)
    return command


def prow_session(
    mode: str | None, gcs_url: str | None, gcsweb_url: str | None, bucket: str | None, **overrides: Any
) -> AbstractContextManager[tuple[Session, CancelToken]]:
    return session_of(None, mode, gcs_url=gcs_url, gcsweb_url=gcsweb_url, prow_bucket=bucket, **overrides)


def since_ms(text: str | None) -> float | None:
    """The moment that an age or a date (UTC) means. Raises `UsageError`."""
    if not text:
        return None
    if match := _AGE.fullmatch(text.strip().lower()):
        return (time.time() - int(match[1]) * _SECONDS[match[2]]) * 1000
    from datetime import UTC, datetime

    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--since {text} is neither an age nor a date.", "Write 12h, 7d, 4w or 2026-11-20.") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000


def opened(session: Session, cancel: CancelToken, text: str) -> Resource:
    """What a pasted text lists; where a bucket has moved, a word about it."""
    locator = _located(session, on_disk(text))
    resource = session.resource(locator, cancel)
    before, now = getattr(locator, "bucket", ""), getattr(resource.locator, "bucket", "")
    if before and before != now:
        say(f"note: the bucket {before} has moved to {now}")
    return resource


def on_disk(text: str) -> str:
    """The URL of a file (or, with a / in its name, a directory) of this disk that is called so; else the text."""
    path = Path(text).expanduser()
    try:
        there = "://" not in text and (path.is_file() or ("/" in text and path.is_dir()))
    except (OSError, ValueError):
        there = False
    if not there:
        return text
    # A link that a user names is meant; those inside a tree are not followed.
    path = path.resolve() if path.is_symlink() else Path(os.path.abspath(path))  # noqa: PTH100
    return path.as_uri() + ("/" if text.endswith("/") and path.is_dir() else "")


def _located(session: Session, text: str) -> Locator:
    """What a text stands for; any name is a job's where nothing else is meant, or where --bucket names a bucket, and a
    path that begins with logs/ or pr-logs/ is that bucket's."""
    from backends.config import Settings
    from backends.locators import InvalidLocatorError
    from backends.locators.prow import ROOTS, ProwPath, normal
    from backends.locators.prow_forms import recognise_name
    from backends.prow.profiles import default_bucket
    from backends.systems import parse_locator

    known = recognise_name(text)
    if known is None and text.partition("/")[0] in ROOTS:
        known = ProwPath(default_bucket(session.settings), normal(text))
    try:
        locator = parse_locator(text)
    except InvalidLocatorError:
        if known is None:
            raise
        return known
    if locator.system == "prow":
        return locator
    if known is not None and session.settings.prow_bucket != Settings().prow_bucket:
        return known
    raise UsageError(f"{locator.text()} belongs to {locator.system}.", f"Use `ciexplore {locator.system}` for it.")


def gathered(resource: Resource, cancel: CancelToken, noun: str = "") -> Gathered:
    """The whole list, with progress and what should be known about it on stderr."""
    found = gather_shown(resource, cancel, partial(counted, noun or resource.noun[1]))
    if found.frame.is_empty() and not found.notes:
        say(f"note: {resource.empty_text}")
    return found


def filtered(frame: pl.DataFrame, resource: Resource, text: str) -> pl.DataFrame:
    """The rows that --filter leaves, in the list's own order."""
    from backends.frames import filters

    wanted = filters.parse(text, resource.schema)
    if resource.default_sort is not None:
        column, descending = resource.default_sort
        frame = frame.sort(column, descending=descending, maintain_order=True, nulls_last=True)
    return frame if wanted.is_empty else frame.filter(wanted.mask(frame))


def chosen_builds(
    session: Session, cancel: CancelToken, locator: str, text: str, count: int | None, since: str | None,
    *, complete: bool | None = None, some: bool = True,
) -> tuple[BuildList, pl.DataFrame]:  # fmt: skip
    """The builds that a job's (or a build's) locator, --count, --since and --filter mean, the newest first.

    `complete` None reads their states only if the filter may need them. `some`: without any there is nothing to do,
    which is a `UsageError`; a list of none is still a list.
    """
    from backends.frames import filters
    from backends.locators.prow import Place, ProwPath, ProwView, View
    from backends.prow.build_columns import BUILDS
    from backends.prow.builds import BuildList

    filters.parse(text, BUILDS)  # a wrong one is said before 1,000 builds are listed
    found = opened(session, cancel, locator).locator
    if isinstance(found, ProwPath) and found.route.base:
        base, build = found.route.base, found.route.build
        found = ProwView(View.BUILDS, found.bucket, base[: -len(build) - 1], (build,), (), found.store)
    named = isinstance(found, ProwView) and found.builds
    listable = isinstance(found, ProwPath) and found.route.place in (Place.BUILDS, Place.LINKS, Place.PULL)
    if not named and not listable:
        raise UsageError(
            f"{locator} is neither a job nor a build nor a pull request.",
            "`prow jobs` and `prow files` list what is there.",
        )
    assert isinstance(found, ProwPath | ProwView)
    from backends.prow import archive_of

    listing = BuildList(
        found,
        archive_of(found, session.http, session.settings),
        count=DEFAULT_COUNT if count is None and since is None else count or 0,
        since_ms=since_ms(since),
        complete=bool(text.strip()) if complete is None else complete,
    )
    whole = gathered(listing, cancel).frame.sort(BUILDS.key)  # not in the order in which the builds answered
    frame = filtered(whole, listing, text)
    if frame.is_empty() and not some and not whole.is_empty():
        say_none_fits(len(whole), listing.noun)
    if frame.is_empty() and some:
        raise UsageError("No build is left.", "Loosen --filter, --since or --count, or check the locator.")
    return listing, frame
