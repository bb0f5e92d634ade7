"""Which text of a task or of an artifact can be read line by line, and where it is."""

from __future__ import annotations

from backends.locators.taskcluster import SLUGID, Artifact
from backends.resources import LogAddress, Row
from backends.taskcluster.queue import RESOLVED
from backends.taskcluster.roots import artifact_url

LIVE, BACKING = "public/logs/live.log", "public/logs/live_backing.log"
_TEXTS = ("text/", "application/json", "application/xml", "application/x-yaml", "application/yaml")
_ENDINGS = (
    ".log", ".txt", ".json", ".yml", ".yaml", ".xml", ".html", ".csv", ".list", ".checksums", ".py", ".sh", ".md",
    ".ini", ".toml", ".js", ".diff", ".patch", ".jsonl",
)  # fmt: skip


def is_text(name: str, content_type: str) -> bool:
    """By the type that the worker gave, else by the ending: many workers say application/octet-stream of a log."""
    kind = content_type.lower()
    return kind.startswith(_TEXTS) or (not kind.startswith(("image/", "video/")) and name.lower().endswith(_ENDINGS))


def artifact_log(root: str, task_id: str, run: int | None, name: str, *, live: bool) -> LogAddress:
    locator = Artifact(task_id, run, name, root)
    title = f"{name} of {task_id}" + ("" if run is None else f" run {run}")
    return LogAddress(artifact_url(root, task_id, run, name), title, locator, live)


def task_log(root: str, row: Row) -> LogAddress | None:
    """The log of a task's last run that began: the live one while it runs, its copy afterwards.

    Their names are the workers' defaults; a task may configure others, which its list of artifacts shows.
    """
    task_id, state, runs = str(row.get("task_id") or ""), str(row.get("state") or ""), int(row.get("runs") or 0)
    if not SLUGID.fullmatch(task_id) or not runs or row.get("started") is None:
        return None
    live = state not in RESOLVED
    address = artifact_log(root, task_id, runs - 1, LIVE if live else BACKING, live=live)
    return LogAddress(address.url, f"log of {row.get('name') or task_id}", address.locator, live)


def row_log(root: str, row: Row) -> LogAddress | None:
    """The text of one artifact, as the list of artifacts has it."""
    task_id, name = str(row.get("task_id") or ""), str(row.get("name") or "")
    readable = is_text(name, str(row.get("content_type") or "")) and row.get("storage") != "error"
    if not readable or not SLUGID.fullmatch(task_id):
        return None
    live = row.get("storage") == "reference" and row.get("run_state") not in RESOLVED
    return artifact_log(root, task_id, row.get("run"), name, live=live)
