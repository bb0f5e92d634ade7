"""Downloads the files of a list, without an interface."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from backends.cancel import CancelToken
from backends.errors import FileError, UsageError
from backends.resources import Resource
from backends.transfers.files import select_files
from backends.transfers.plan import make_plan
from backends.transfers.states import PRESENT_STATES
from backends.transfers.transfer import Transfer

if TYPE_CHECKING:
    import polars as pl

    from backends.session import Session
    from backends.transfers.files import RemoteFile


def list_files(resource: Resource, rows: pl.DataFrame, globs: Sequence[str], cancel: CancelToken) -> list[RemoteFile]:
    """The files of these rows whose names match. Raises `UsageError` if there are none."""
    if not resource.downloadable:
        raise UsageError(f"{resource.noun[1].capitalize()} have no files to download.")
    files = [file for batch in resource.files(rows, cancel) for file in select_files(batch, globs)]
    if not files:
        raise UsageError("No files match.", "Check the filter and the globs.")
    return files


def download_files(
    session: Session,
    resource: Resource,
    rows: pl.DataFrame,
    output: Path,
    match: Sequence[str] = (),
    *,
    overwrite: bool = False,
) -> list[Path]:
    """Downloads the files of these rows; returns the paths of the complete files. Raises `AppError`.

    If a file cannot be downloaded, `FileError` is raised after all others have been downloaded.
    """
    cancel = CancelToken()
    files = list_files(resource, rows, match, cancel)
    plan = make_plan(files, output.expanduser().absolute(), cancel=cancel, overwrite=overwrite)
    transfer = Transfer(
        plan,
        open_downloader=session.open_downloader,
        jobs=session.settings.jobs or None,
        settings=session.http.downloader_settings(),
    )
    transfer.start()
    try:
        while not transfer.wait(0.1):
            pass
    except BaseException:
        transfer.cancel()
        raise
    end, frame = transfer.snapshot(), transfer.frame()
    missing = frame.filter(~frame["state"].is_in(PRESENT_STATES))
    if end.problem is not None or not missing.is_empty():
        first = "" if missing.is_empty() else f"The first: {missing['target'][0]}: {missing['detail'][0]}"
        raise FileError(f"{len(missing):,} of {len(frame):,} files could not be downloaded.", str(end.problem or first))
    return [plan.output / target for target in frame["target"]]
