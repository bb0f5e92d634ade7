"""What a resource says can be downloaded: one remote file, where it is to go and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass


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
