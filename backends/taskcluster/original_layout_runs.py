"""Which run directory a download goes into: a new one, or one that is continued.

Only plain numbers count; other directories of the group are someone else's and are left alone. The higher the number,
the later the run; the first is 1.
"""

from __future__ import annotations

from pathlib import Path

from backends.atomic import disk_words
from backends.errors import FileError, UsageError
from backends.transfers.names import safe_name

LAST = "last"


def run_numbers(group: Path) -> list[int]:
    """The runs below a group's directory, in order; none if it is not there."""
    try:
        names = [path.name for path in group.iterdir() if path.name.isdecimal() and path.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise FileError(f"{group} cannot be read: {disk_words(error, group)}.", "Check its rights.") from error
    return sorted(int(name) for name in names if name.isascii() and len(name) < 10 and str(int(name)) == name)


def choose_run(output: Path, group_id: str, resume: str | None) -> int:
    """The run's number. `resume`: None begins a new run; "last" or a number goes on in that one.

    The last of none is the first. Raises `UsageError` for a run that is not there.
    """
    there = run_numbers(output / safe_name(group_id))
    if resume is None or (resume == LAST and not there):
        return max(there, default=0) + 1
    if resume == LAST:
        return there[-1]
    if resume not in map(str, there):
        known = f"It has {', '.join(map(str, there[-10:]))}." if there else "It has none yet."
        raise UsageError(f"There is no run {resume} of this group in {output}.", known)
    return int(resume)
