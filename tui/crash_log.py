"""What happens to an unforeseen error: a sentence for the user, the traceback in a file for the bug report."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from backends.errors import AppError

P = ParamSpec("P")
T = TypeVar("T")
_path: Path | None = None


def set_path(path: Path) -> None:
    """Names the file that tracebacks are appended to."""
    global _path
    _path = path


def record(error: Exception) -> AppError:
    """Appends the traceback to the file and returns what to show.

    The file gets where it happened, not the values that were involved: they may be private.
    """
    where = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" at {Path(where[0].filename).name}:{where[0].lineno}" if where else ""
    hint = "That should not happen; please report it."
    if _path is not None and _write(error, _path):
        hint = f"That should not happen; please report it with {_path}."
    return AppError(f"ciexplore itself failed: {type(error).__name__}{place}.", hint)


def attempt(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[T | None, AppError | None]:
    """(result, None), or (None, why it failed): for worker threads, where an unforeseen error must not end the app."""
    try:
        return work(*args, **kwargs), None
    except AppError as error:
        return None, error
    except Exception as error:
        return None, record(error)


def _write(error: Exception, path: Path) -> bool:
    lines = [f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {type(error).__name__}\n"]
    lines += traceback.format_tb(error.__traceback__)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("a", encoding="utf-8") as stream:
            stream.writelines(lines)
    except OSError:
        return False
    return True
