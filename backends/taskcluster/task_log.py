"""Which text of a task or of an artifact can be read line by line, and where it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from backends.cancel import Cancel
from backends.locators.taskcluster import SLUGID, Artifact, Task
from backends.problems import Problem
from backends.resources import LogAddress, Row
from backends.taskcluster.queue import RESOLVED, Deployment
from backends.taskcluster.roots import artifact_url

if TYPE_CHECKING:
    from backends.http import Http

LIVE, BACKING = "public/logs/live.log", "public/logs/live_backing.log"
_TEXTS = ("text/", "application/json", "application/xml", "application/x-yaml", "application/yaml")
_ENDINGS = (
    ".log", ".txt", ".json", ".yml", ".yaml", ".xml", ".html", ".csv", ".list", ".checksums", ".py", ".sh", ".md",
    ".ini", ".toml", ".js", ".diff", ".patch", ".jsonl",
)  # fmt: skip


class NoLog(Problem):
    """There is no log to read (yet)."""


def is_text(name: str, content_type: str) -> bool:
    """By the type that the worker gave, else by the ending: many workers say application/octet-stream of a log."""
    kind = content_type.lower()
    return kind.startswith(_TEXTS) or (not kind.startswith(("image/", "video/")) and name.lower().endswith(_ENDINGS))


def artifact_log(
    root: str, task_id: str, run: int | None, name: str, *, live: bool, line: int | None = None
) -> LogAddress:
    """`line`, from 1: where to open it."""
    locator = Artifact(task_id, run, name, root, line)
    title = f"{name} of {task_id}" + ("" if run is None else f" run {run}")
    final = run is not None and not live
    return LogAddress(artifact_url(root, task_id, run, name), title, locator, live, final=final, line=line)


def task_log(root: str, row: Row) -> LogAddress | None:
    """The log of a task's last run that began: the live one while it runs, its copy afterwards.

    Their names are the workers' defaults; a task may configure others, which its list of artifacts shows.
    """
    task_id, state, runs = str(row.get("task_id") or ""), str(row.get("state") or ""), int(row.get("runs") or 0)
    if not SLUGID.fullmatch(task_id) or not runs or row.get("started") is None:
        return None
    live = state not in RESOLVED
    address = artifact_log(root, task_id, runs - 1, LIVE if live else BACKING, live=live)
    return replace(address, title=f"log of {row.get('name') or task_id}")


def log_of_task(http: Http, locator: Task, cancel: Cancel) -> LogAddress:
    """The log of one run, or of a task's last run that began. Raises `NoLog`, and the `Problem`s of the request."""
    deployment = Deployment(http, locator.root_url)
    runs = deployment.status(locator.task_id, cancel)[0].runs
    if locator.run is not None and locator.run >= len(runs):
        raise NoLog(f"Task {locator.task_id} has no run {locator.run}.", "Leave the run away for its last one.")
    numbers = reversed(range(len(runs))) if locator.run is None else [locator.run]
    number = next((one for one in numbers if runs[one].started), None)
    if number is None:
        raise NoLog(f"Task {locator.task_id} has not begun to run, so it has no log.", "It is there once a run begins.")
    live = runs[number].state not in RESOLVED
    return artifact_log(locator.root_url, locator.task_id, number, LIVE if live else BACKING, live=live)


def log_of_artifact(http: Http, locator: Artifact, cancel: Cancel) -> LogAddress:
    """An artifact as a text; of the latest run if the locator names none. Raises the `Problem`s of the request."""
    deployment = Deployment(http, locator.root_url)
    runs = deployment.status(locator.task_id, cancel)[0].runs
    number = len(runs) - 1 if locator.run is None else locator.run
    state = runs[number].state if 0 <= number < len(runs) else ""
    live = locator.name == LIVE and state not in RESOLVED
    run = number if number >= 0 else None
    return artifact_log(locator.root_url, locator.task_id, run, locator.name, live=live, line=locator.line)


def row_log(root: str, row: Row) -> LogAddress | None:
    """The text of one artifact, as the list of artifacts has it."""
    task_id, name = str(row.get("task_id") or ""), str(row.get("name") or "")
    readable = is_text(name, str(row.get("content_type") or "")) and row.get("storage") != "error"
    if not readable or not SLUGID.fullmatch(task_id):
        return None
    live = row.get("storage") == "reference" and row.get("run_state") not in RESOLVED
    return artifact_log(root, task_id, row.get("run"), name, live=live)
