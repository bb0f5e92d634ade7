"""What happens to an error that nobody foresaw: words for the user, the traceback in a file for the report."""

from __future__ import annotations

import time
import traceback
from pathlib import Path

from backends.errors import AppError

_report: Path | None = None


def report_to(path: Path) -> None:
    """Names the file that tracebacks are appended to."""
    global _report
    _report = path


def as_problem(error: Exception) -> AppError:
    """The fault in words. The file gets where it happened, not the values that were involved: they may be private."""
    where = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" at {Path(where[0].filename).name}:{where[0].lineno}" if where else ""
    hint = "That should not happen; please report it."
    if _report is not None and _write(error, _report):
        hint = f"That should not happen; please report it with {_report}."
    return AppError(f"ciexplore itself failed: {type(error).__name__}{place}.", hint)


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
