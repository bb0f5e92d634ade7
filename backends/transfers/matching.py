"""Which files a person's globs mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from backends.transfers.files import RemoteFile


def matches(name: str, globs: Sequence[str]) -> bool:
    """Whether any glob matches an artifact's name; no glob matches everything.

    `*`, `?` and `[...]` as in the shell, but `*` also crosses "/", since artifact paths have no depth that anybody
    knows by heart. A glob without "/" is also tried on the last part alone: `perfherder-data.json` finds
    `public/test_info/perfherder-data.json`. A glob that starts with `!` takes away; order does not matter.
    """
    wanted = [glob for glob in globs if not glob.startswith("!")]
    unwanted = [glob[1:] for glob in globs if glob.startswith("!")]
    if any(_one(name, glob) for glob in unwanted):
        return False
    return not wanted or any(_one(name, glob) for glob in wanted)


def _one(name: str, glob: str) -> bool:
    return fnmatchcase(name, glob) or ("/" not in glob and fnmatchcase(name.rsplit("/", 1)[-1], glob))


def matching(files: Iterable[RemoteFile], globs: Sequence[str]) -> list[RemoteFile]:
    """The files whose names the globs mean, and what has no name: it stands for files that could not be listed."""
    return [file for file in files if not file.name or matches(file.name, globs)]
