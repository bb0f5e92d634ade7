"""A kept archive gets a name where the user wants it."""

from __future__ import annotations

from pathlib import Path

from backends.archives.store import Kept, Store
from backends.cancel import CancelToken


def place(
    store: Store, kept: Kept, directory: Path, cancel: CancelToken, *, overwrite: bool = False
) -> tuple[Path, bool]:
    """The archive as a file in `directory`, and whether it was not there already; no link in it is followed. Raises as
    `Store.copy` does."""
    target = directory / kept.account.wanted.file_name
    return target, store.copy(kept, target, cancel, overwrite=overwrite, below=directory)
