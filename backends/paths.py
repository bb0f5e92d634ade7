"""Paths as a user writes them: with ~, or with names that no file can have.

pathlib raises OSError where a name is too long, whatever is asked of it, and RuntimeError where ~NAME names no user.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from backends.errors import FileError


def expand_home(path: str | Path) -> Path:
    """`~` and `~NAME` as in a shell. Raises `FileError` where NAME has no home directory."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise FileError(f"{path} is not a path: there is no such home directory.", "Write the full path.") from None


def explain_impossible(path: str | Path) -> str:
    """Why no file can be called so: "file name too long"; "" if one can, whether there is one or not."""
    try:
        os.lstat(expand_home(path))
    except FileError:
        return "there is no such home directory"
    except ValueError:
        return "it holds a NUL character"
    except OSError as error:
        return (error.strerror or "").lower() if error.errno in (errno.ENAMETOOLONG, errno.ELOOP) else ""
    return ""


def is_file(path: str | Path) -> bool:
    """Whether there is a file; False for what no file can be called."""
    return os.path.isfile(path)  # noqa: PTH113


def is_directory(path: str | Path) -> bool:
    """Whether there is a directory; False for what none can be called."""
    return os.path.isdir(path)  # noqa: PTH112


def path_exists(path: str | Path) -> bool:
    """Whether there is anything; False for what nothing can be called."""
    return os.path.exists(path)  # noqa: PTH110


def is_link(path: str | Path) -> bool:
    """Whether there is a symbolic link; False for what nothing can be called."""
    return os.path.islink(path)  # noqa: PTH114
