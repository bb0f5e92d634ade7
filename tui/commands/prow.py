"""`ciexplore prow VERB`: what the Builds pane does, without the app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from backends.errors import UsageError
from tui.commands.output import check_output, emit, output_options
from tui.commands.prow_session import (
    chosen_builds,
    common_options,
    filtered,
    gathered,
    opened,
    prow_session,
    window_options,
)

if TYPE_CHECKING:
    import polars as pl

    from backends.cancel import CancelToken
    from backends.resources import Resource
    from backends.session import Session


@click.group()
def prow() -> None:
    """Jobs, builds, files, completeness, logs, tests, search and downloads of Prow's archives."""


def matching_options(command: Any) -> Any:
    return click.option(
        "--match",
        "globs",
        metavar="GLOB",
        multiple=True,
        help="Only files whose path matches; repeatable. Without / it also matches the last part; !GLOB excludes.",
    )(command)


@prow.command()
@common_options
@click.option("--prefix", metavar="P", default="", help="Only jobs whose names begin so; asked of the server.")
@output_options
def jobs(
    locator: str,
    mode: str | None,
    gcs_url: str | None,
    gcsweb_url: str | None,
    bucket: str | None,
    text: str,
    prefix: str,
    **output: Any,
) -> None:
    """List the jobs of a bucket, such as gs://test-platform-results/logs/ or .../pr-logs/directory/."""
    from backends.locators.prow import Place, ProwPath, ProwView, View

    with prow_session(mode, gcs_url, gcsweb_url, bucket) as (session, cancel):
        resource = opened(session, cancel, locator)
        found = resource.locator
        if isinstance(found, ProwPath) and not found.path:
            found = ProwPath(found.bucket, "logs/", found.store)
        if not isinstance(found, ProwPath) or found.route.place is not Place.JOBS:
            raise UsageError(f"{locator} is no folder of jobs.", "Name one, such as gs://BUCKET/logs/.")
        view = ProwView(View.JOBS, found.bucket, found.path, (), (("prefix", prefix),) if prefix else (), found.store)
        resource = session.resource(view, cancel)
        check_output(resource.schema, output)
        emit(filtered(gathered(resource, cancel).frame, resource, text), resource.schema, **output)


@prow.command()
@common_options
@window_options
@click.option("--fast", is_flag=True, help="Only what ids and names say: one request instead of four a build.")
@output_options
def builds(
    locator: str,
    mode: str | None,
    gcs_url: str | None,
    gcsweb_url: str | None,
    bucket: str | None,
    text: str,
    count: int | None,
    since: str | None,
    fast: bool,
    **output: Any,
) -> None:
    """List the builds of a job or of a pull request, the newest first, with results, times and what was tested."""
    from backends.prow.build_columns import BUILDS

    with prow_session(mode, gcs_url, gcsweb_url, bucket) as (session, cancel):
        check_output(BUILDS, output)
        listing, frame = chosen_builds(session, cancel, locator, text, count, since, complete=not fast, some=False)
        emit(frame, listing.schema, **output)


@prow.command()
@common_options
@window_options
@matching_options
@click.option("--flat", is_flag=True, help="Of a folder: only its first level, with its folders.")
@click.option("--sizes", is_flag=True, help="Number and bytes of the files in each folder instead of the files.")
@output_options
def files(
    locator: str,
    mode: str | None,
    gcs_url: str | None,
    gcsweb_url: str | None,
    bucket: str | None,
    text: str,
    count: int | None,
    since: str | None,
    globs: tuple[str, ...],
    flat: bool,
    sizes: bool,
    **output: Any,
) -> None:
    """List the files of a build, a folder, or of the builds of a job that --count or --since choose; all levels."""
    with prow_session(mode, gcs_url, gcsweb_url, bucket) as (session, cancel):
        from backends.prow.folder_sizes import SIZES, folder_sizes

        if sizes:
            check_output(SIZES, output)
        resource = tree(session, cancel, locator, count, since, flat)
        if sizes:
            frame = matched(filtered(gathered(resource, cancel).frame, resource, text), globs)
            emit(folder_sizes(frame), SIZES, **output)
            return
        check_output(resource.schema, output)
        frame = filtered(gathered(resource, cancel).frame, resource, text)
        emit(matched(frame, globs), resource.schema, **output)


def tree(
    session: Session, cancel: CancelToken, locator: str, count: int | None, since: str | None, flat: bool = False
) -> Resource:
    """All files of what a locator names."""
    from backends.locators.prow import Place, ProwPath, ProwView, View

    found = opened(session, cancel, locator).locator
    if isinstance(found, ProwView) and found.view is not View.BUILDS:
        return session.resource(found, cancel)
    assert isinstance(found, ProwPath | ProwView)
    if isinstance(found, ProwPath) and found.route.place not in (Place.BUILDS, Place.LINKS, Place.PULL):
        folder = found.path if not found.path or found.path.endswith("/") else found.path.rpartition("/")[0] + "/"
        if flat:
            return session.resource(ProwPath(found.bucket, folder, found.store), cancel)
        return session.resource(ProwView(View.TREE, found.bucket, folder, (), (), found.store), cancel)
    listing, frame = chosen_builds(session, cancel, found.text(), "", count, since)
    several = listing.view(View.TREE, frame)
    if several is None:
        raise UsageError("These builds are of several jobs.", "Name one job of the pull request.")
    return session.resource(several, cancel)


def matched(frame: pl.DataFrame, globs: tuple[str, ...]) -> pl.DataFrame:
    from backends.transfers.files import matches_globs

    if not globs:
        return frame
    return frame.filter([matches_globs(name, globs) for name in frame["name"].to_list()])


def _add_others() -> None:
    from tui.commands import prow_content, prow_views

    for command in (*prow_content.COMMANDS, *prow_views.COMMANDS):
        prow.add_command(command)


_add_others()
