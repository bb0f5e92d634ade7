"""Files to download, as systems list them, and which of them globs select."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class RemoteFile:
    """One file as the server names it; nothing in it has been made safe yet.

    `key`: the same for the same content across sessions (for Taskcluster: root, task id, run, artifact name).
    `name`: the server's own full name of it, what globs match (an artifact path).
    `url`: asked anew on each try, so that it may redirect to a signed address that dies soon.
    `parts`: directory names and at last the file name of the target, as the server spelled them; the planner makes
    them safe. `size`: decoded bytes, None if the server did not say. `skip`: a reason why it cannot be fetched (an
    error artifact, a log still being written): it stays in the plan and in the manifest as skipped with this reason.
    `unlisted`: it stands for files of which the server would not even tell the names: a failure, other than a skip
    that follows from what the server told.
    `version`: the piece of `url` that pins one version of the content ("generation=123"), "" if nothing does: what was
    fetched from an address without it is fetched again.
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


def matches_globs(name: str, globs: Sequence[str]) -> bool:
    """Whether any glob matches an artifact's name; no glob matches everything.

    `*`, `?` and `[...]` as in the shell, but `*` also crosses "/", since artifact paths have no depth that anybody
    knows by heart. A glob without "/" is also tried on the last part alone: `perfherder-data.json` finds
    `public/test_info/perfherder-data.json`. A glob that starts with `!` takes away; order does not matter.
    """
    wanted = [glob for glob in globs if not glob.startswith("!")]
    unwanted = [glob[1:] for glob in globs if glob.startswith("!")]
    if any(_matches(name, glob) for glob in unwanted):
        return False
    return not wanted or any(_matches(name, glob) for glob in wanted)


def _matches(name: str, glob: str) -> bool:
    return fnmatchcase(name, glob) or ("/" not in glob and fnmatchcase(name.rsplit("/", 1)[-1], glob))


def select_files(files: Iterable[RemoteFile], globs: Sequence[str]) -> list[RemoteFile]:
    """The files whose names the globs mean, and what has no name: it stands for files that could not be listed."""
    return [file for file in files if not file.name or matches_globs(file.name, globs)]


def default_parts(group: str, task_name: str, task_id: str, run: int | None, artifact: str) -> tuple[str, ...]:
    """`RemoteFile.parts` of an artifact. The task id and run keep retriggers and reruns of one name apart.

    The artifact's name is a path and is split at "/"; a doubled slash gives an empty part, which the planner keeps
    apart from the single one. The task's name is one directory, "/" in it or not.
    """
    return (group, task_name, task_id, "latest" if run is None else str(run), *artifact.split("/"))
