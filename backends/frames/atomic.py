"""How a file gets its name only when it is whole: written beside it, flushed to the disk, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from backends.problems import FileProblem

_HINTS = {
    errno.ENOSPC: "Free some space or choose another place.",
    errno.EDQUOT: "Free some space or choose another place.",
    errno.ENOENT: "Create the folder first or choose another place.",
    errno.ENOTDIR: "Choose a path whose parents are folders.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}


def disk_words(problem: OSError) -> str:
    """What the system said, as part of a sentence."""
    return (problem.strerror or type(problem).__name__).lower()


@contextlib.contextmanager
def atomic_file(target: Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """A binary file to write to, which becomes `target` when the block ends without an exception, else nothing.

    Raises `FileProblem` if there is such a file and not `overwrite` (also one that appeared meanwhile), or if the
    disk refuses. A symbolic link stays one: what it points to is replaced.
    """
    try:
        final = target.expanduser().resolve()
        if final.is_dir():
            raise FileProblem(f"{target} is a folder.", "Add a file name.")
        if final.exists() and not overwrite:
            raise _exists(target)
        part = final.with_name(f".{final.name[:200]}.{secrets.token_hex(4)}.part")
        try:
            with part.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            _name(part, final, target, overwrite)
        finally:
            part.unlink(missing_ok=True)
    except OSError as problem:
        hint = _HINTS.get(problem.errno or 0, "Choose another place or change its permissions.")
        raise FileProblem(f"{target} cannot be written: {disk_words(problem)}.", hint) from problem


def _name(part: Path, final: Path, target: Path, overwrite: bool) -> None:
    if overwrite:
        part.replace(final)
        return
    try:
        final.hardlink_to(part)  # unlike a rename it never replaces what appeared meanwhile
    except FileExistsError:
        raise _exists(target) from None
    except OSError:  # no links on this file system (FAT, some network mounts)
        if final.exists():
            raise _exists(target) from None
        part.replace(final)


def _exists(target: Path) -> FileProblem:
    return FileProblem(f"{target} exists.", "Allow to overwrite it or choose another name.")
