"""Files to download, as systems list them, and their selection by globs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from backends.locators import Locator


@dataclass(frozen=True)
class RemoteFile:
    """One file as the server names it; nothing in it is sanitized.

    `key`: identifies the content across sessions (for Taskcluster: root, task id, run, artifact name).
    `name`: the server's full name, which globs match (an artifact path).
    `url`: requested again on each try, so it may redirect to a signed URL that expires soon.
    `parts`: directory names and the file name of the target, as the server spells them; the planner makes them safe.
    `size`: decoded bytes, None if unknown.
    `skip`: why it cannot be fetched (an error artifact, a log still being written); it is planned and recorded as
    skipped with this reason.
    `unlisted`: it stands for files that could not even be listed, which is a failure, unlike other skips.
    `version`: the part of `url` that selects one version of the content ("generation=123"), "" if none does; what was
    fetched from a URL without it is fetched again.
    `origin`: what it is from, for people: the task's or the build's name. `listed_in`: the list that has it.
    """

    key: str
    url: str
    parts: tuple[str, ...]
    name: str = ""
    size: int | None = None
    content_type: str = ""
    skip: str = ""
    expires_ms: int | None = None
    version: str = ""
    unlisted: bool = False
    origin: str = ""
    listed_in: Locator | None = None


def matches_globs(name: str, globs: Sequence[str]) -> bool:
    """Whether any glob matches an artifact's name; without globs everything matches.

    `*`, `?` and `[...]` as in the shell, but `*` also matches "/". A glob without "/" also matches the file name
    alone: `perfherder-data.json` finds `public/test_info/perfherder-data.json`. A glob that starts with `!` excludes;
    the order does not matter.
    """
    included = [glob for glob in globs if not glob.startswith("!")]
    if any(_matches(name, glob[1:]) for glob in globs if glob.startswith("!")):
        return False
    return not included or any(_matches(name, glob) for glob in included)


def _matches(name: str, glob: str) -> bool:
    return fnmatchcase(name, glob) or ("/" not in glob and fnmatchcase(name.rsplit("/", 1)[-1], glob))


def select_files(files: Iterable[RemoteFile], globs: Sequence[str]) -> list[RemoteFile]:
    """The files that match, and those without a name, which stand for files that could not be listed."""
    return [file for file in files if not file.name or matches_globs(file.name, globs)]


def default_parts(group: str, task_name: str, task_id: str, run: int | None, artifact: str) -> tuple[str, ...]:
    """`RemoteFile.parts` of an artifact. The task id and run separate retriggers and reruns of one task name.

    The artifact's name is split at "/"; a doubled slash gives an empty part, which the planner keeps distinct. The
    task's name is one directory, even if it contains "/".
    """
    return (group, task_name, task_id, "latest" if run is None else str(run), *artifact.split("/"))
