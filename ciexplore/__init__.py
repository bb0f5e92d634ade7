"""ciexplore as a library.

    import ciexplore

    with ciexplore.open("treeherder:pushes/autoland?count=20") as pushes:
        pushes.frame()                                        # a polars DataFrame
    ciexplore.open("treeherder:jobs/autoland/280").frame(filter="result:testfailed")
    ciexplore.open("taskcluster:group/fN1SbArXTPSVFNUvaOlinQ").download("out", match=["*.log"])

Errors are `ciexplore.AppError`s: a sentence, and a hint what to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ciexplore._packages import find_shadowed

if TYPE_CHECKING:
    import polars as pl

    from backends.errors import AppError
    from backends.frames.schema import Schema
    from backends.locators import Locator
    from backends.resources import Page, Resource
    from backends.session import Session
    from backends.taskcluster.artifact_downloader.results import get_task_data, get_task_data_paths

__all__ = ["AppError", "Listing", "get_task_data", "get_task_data_paths", "open"]

_LAZY = {
    "AppError": "backends.errors",
    "get_task_data": "backends.taskcluster.artifact_downloader.results",
    "get_task_data_paths": "backends.taskcluster.artifact_downloader.results",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'ciexplore' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)


def open(locator: str | Locator, *, mode: str = "normal", **settings: Any) -> Listing:
    """The listing of a locator or URL.

    `mode`: "normal", "refresh", "offline" or "no-cache". `settings` override the settings file, by the names that
    `ciexplore config --show` prints. Raises `AppError`s; `ImportError` where another package shadows ours.
    """
    if sentence := find_shadowed():
        raise ImportError(sentence)
    from backends import config
    from backends.session import Session

    session = Session(config.load(overrides=settings), mode=mode)
    try:
        return Listing(session.resource(session.parse(locator) if isinstance(locator, str) else locator), session)
    except BaseException:
        session.close()
        raise


class Listing:
    """An open list. A context manager; closing it closes its connections."""

    def __init__(self, resource: Resource, session: Session) -> None:
        self._resource, self._session = resource, session

    @property
    def schema(self) -> Schema:
        """Its columns: names, kinds, units."""
        return self._resource.schema

    @property
    def title(self) -> str:
        return self._resource.title

    @property
    def locator(self) -> Locator:
        return self._resource.locator

    def pages(self) -> Iterator[Page]:
        """The list as it arrives; a row whose key came before replaces the earlier one. Raises `AppError`s."""
        from backends.cancel import CancelToken

        return self._resource.pages(CancelToken())

    def frame(self, filter: str = "") -> pl.DataFrame:
        """All rows, or those that match a filter (same syntax as in the app). Raises `AppError`s."""
        from backends.cancel import CancelToken
        from backends.frames import filters
        from backends.resources import read_list

        parsed = filters.parse(filter, self.schema)
        frame = read_list(self._resource, CancelToken()).frame
        return frame if parsed.is_empty else frame.filter(parsed.mask(frame))

    def download(
        self, output: str | Path, *, match: Sequence[str] = (), filter: str = "", overwrite: bool = False
    ) -> list[Path]:
        """Downloads the files of the rows into a directory; returns the paths of those that are there and complete.

        Resumes what an earlier run began and verifies what arrived. `match`: globs of file names, "!GLOB" excludes.
        Raises `AppError`s, also if a file could not be downloaded; then the others are there.
        """
        from backends.downloads import download_files

        return download_files(
            self._session, self._resource, self.frame(filter), Path(output), match, overwrite=overwrite
        )

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Listing:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ciexplore.Listing {self.locator.text()}>"
