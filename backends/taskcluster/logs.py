"""The log of a task or a run, and artifacts that can be read as text: which one it is, and where."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.http.errors import AccessDeniedError, GoneError, HttpError, NotFoundError, sanitize
from backends.lenient_json import as_dict
from backends.resources import LogAddress, Row
from backends.taskcluster.client import RESOLVED, Client
from backends.taskcluster.locators import Artifact, Task, is_slugid
from backends.taskcluster.models import ArtifactEntry, TaskRun
from backends.taskcluster.urls import artifact_url

if TYPE_CHECKING:
    from backends.http import Http

LIVE, BACKING = "public/logs/live.log", "public/logs/live_backing.log"
FAILED = frozenset({"failed", "exception"})
_WHOLE_LOGS = (LIVE.rpartition("/")[2], BACKING.rpartition("/")[2])
_TEXTS = ("text/", "application/json", "application/xml", "application/x-yaml", "application/yaml")
_ENDINGS = (
    ".log", ".txt", ".json", ".yml", ".yaml", ".xml", ".html", ".csv", ".list", ".checksums", ".py", ".sh", ".md",
    ".ini", ".toml", ".js", ".diff", ".patch", ".jsonl",
)  # fmt: skip


class NoLogError(AppError):
    """There is no log to read (yet)."""


def is_text(name: str, content_type: str) -> bool:
    """By the type that the worker gave, else by the ending: many workers say application/octet-stream of a log."""
    kind = content_type.lower()
    return kind.startswith(_TEXTS) or (not kind.startswith(("image/", "video/")) and name.lower().endswith(_ENDINGS))


def artifact_log(
    root: str, task_id: str, run: int | None, name: str, *, live: bool, line: int | None = None,
    last: int | None = None, task_name: str = "",
) -> LogAddress:  # fmt: skip
    """`line`, from 1: where to open it; `last`: the end of a range of lines; `task_name`: for the title, if known."""
    locator = Artifact(task_id, run, name, root, line, last)
    what = "log" if name in (LIVE, BACKING) else name.rpartition("/")[2]
    title = f"{what} of {task_name or f'task {task_id}'}" + ("" if run is None else f", run {run}")
    final = run is not None and not live
    return LogAddress(artifact_url(root, task_id, run, name), title, locator, live, final=final, line=line, last=last)


def task_log(client: Client, row: Row) -> LogAddress | None:
    """The log of a task's last run that began: the live one while it runs, its copy afterwards."""
    task_id, state, runs = str(row.get("task_id") or ""), str(row.get("state") or ""), int(row.get("runs") or 0)
    if not is_slugid(task_id) or not runs or row.get("started") is None:
        return None
    title = f"log of {row.get('name') or task_id}"
    # The last run of a task that was given up may never have begun: then only the server knows which one did.
    number = None if runs > 1 and state == "exception" else runs - 1
    return run_log(client, task_id, number, live=state not in RESOLVED, failed=state in FAILED, title=title)


def run_log(
    client: Client, task_id: str, run: int | None, *, live: bool, failed: bool = False, title: str = ""
) -> LogAddress:
    """By the workers' usual name, or else by the list of artifacts.

    `run` None: of the latest run, or of the last one that began.
    """
    address = artifact_log(client.root, task_id, run, LIVE if live else BACKING, live=live)

    def find(cancel: CancelToken) -> LogAddress:
        return find_log(client, task_id, run, cancel)

    return replace(address, title=title or address.title, failed=failed, elsewhere=find)


def log_of_task(http: Http, locator: Task, cancel: CancelToken) -> LogAddress:
    """The log of one run, or of a task's last run that began. Raises `NoLogError` and `AppError`s."""
    client = Client(http, locator.root_url)
    number, run = _run_of(client, locator.task_id, locator.run, cancel)
    return run_log(
        client, locator.task_id, number, live=run.state not in RESOLVED, failed=run.state in FAILED
    )  # fmt: skip


def log_of_artifact(http: Http, locator: Artifact, cancel: CancelToken) -> LogAddress:
    """An artifact as a text; of the latest run if the locator names none. Raises the `AppError`s of the request.

    The task's status may be missing: it may have expired before its artifacts (404), and a role may allow the artifact
    but not the status (403). Then the artifact is taken as complete.
    """
    client = Client(http, locator.root_url)
    try:
        runs = client.fetch_status(locator.task_id, cancel)[0].runs
    except (NotFoundError, AccessDeniedError, GoneError):
        runs = []
    number = len(runs) - 1 if locator.run is None and runs else locator.run
    state = runs[number].state if number is not None and 0 <= number < len(runs) else ""
    live = locator.name == LIVE and bool(runs) and state not in RESOLVED
    found = artifact_log(
        locator.root_url, locator.task_id, number, locator.name, live=live, line=locator.line, last=locator.last
    )
    return replace(found, failed=state in FAILED and locator.name.rpartition("/")[2] in _WHOLE_LOGS)


def find_log(client: Client, task_id: str, run: int | None, cancel: CancelToken) -> LogAddress:
    """The log of a run by its list of artifacts. Raises `NoLogError` with the reason where the run left none."""
    number, ran = _run_of(client, task_id, run, cancel)
    live = ran.state not in RESOLVED
    listed = client.fetch_artifacts(task_id, number, not live, cancel).entries
    readable = {one.name: one for one in listed if one.storageType != "error"}
    name = min((one for one in readable if _is_log(one)), key=_rank, default="")
    usual = _rank(name) == _rank(BACKING) or (live and name == LIVE)
    if not usual and (configured := _configured(client, task_id, live, cancel).intersection(readable)):
        name = min(configured, key=_rank)
    if not name:
        raise _no_log(task_id, number, ran, listed)
    growing = live and readable[name].storageType == "reference"
    found = artifact_log(client.root, task_id, number, name, live=growing)
    return replace(found, failed=ran.state in FAILED)


def _run_of(client: Client, task_id: str, run: int | None, cancel: CancelToken) -> tuple[int, TaskRun]:
    runs = client.fetch_status(task_id, cancel)[0].runs
    if run is not None and not 0 <= run < len(runs):
        raise NoLogError(f"Task {task_id} has no run {run}.", "Leave the run out for its last one.")
    numbers = reversed(range(len(runs))) if run is None else [run]
    number = next((one for one in numbers if runs[one].started), None)
    if number is None:
        raise NoLogError(f"Task {task_id} has not begun to run, so it has no log.", "It is there once a run begins.")
    return number, runs[number]


def _is_log(name: str) -> bool:
    return name.endswith(".log") or name.rpartition("/")[2] in ("log", "log.txt", "terminal")


def _rank(name: str) -> tuple[int, int, str]:
    """The most likely to have all that a run wrote comes first, then what a harness wrote, of that the most verbose."""
    last = name.rpartition("/")[2]
    kinds = (r"live_backing\.log", r"live\.log",
             r"(?:task|terminal|output|console|build)(?:_backing)?\.log|log|log\.txt",
             r".*_backing\..*", r"log_raw\.log", r"log_info\.log", r"(?!.*_errorsummary|log_).*\.log")  # fmt: skip
    kind = next((place for place, form in enumerate(kinds) if re.fullmatch(form, last)), len(kinds))
    return kind, 0 if "/logs/" in f"/{name}" else 1, name


def _configured(client: Client, task_id: str, live: bool, cancel: CancelToken) -> set[str]:
    """The names that the task's payload gives its log: generic-worker's `logs`, docker-worker's `log`."""
    try:
        payload = as_dict(client.fetch_definition_json(task_id, cancel).get("payload"))
    except HttpError:
        return set()
    logs, log = as_dict(payload.get("logs")), payload.get("log")
    names = [logs.get("live"), log] if live else [logs.get("backing")]
    if not live and isinstance(log, str):  # docker-worker's copy has _backing before its ending
        stem, dot, ending = log.rpartition(".")
        names.append(f"{stem}_backing.{ending}" if dot and "/" not in ending else f"{log}_backing")
    return {name for name in names if isinstance(name, str)}


def _no_log(task_id: str, number: int, run: TaskRun, listed: list[ArtifactEntry]) -> NoLogError:
    if run.state not in RESOLVED:
        return NoLogError(
            f"Run {number} of task {task_id} has no log yet.", "It is there once its worker has begun one."
        )
    why = f"{run.state} ({run.reasonResolved})" if run.reasonResolved not in (None, run.state) else run.state
    lost = next((one.name for one in listed if one.storageType == "error" and _is_log(one.name)), "")
    failure = f"; its worker could not store {sanitize(lost, 100)}" if lost else ""
    others = f"{len(listed):,} artifact{'s' * (len(listed) != 1)}"
    left = f"Its list of artifacts has {others}." if listed else "It has no artifacts."
    return NoLogError(f"Run {number} of task {task_id} left no log: it ended as {sanitize(why, 100)}{failure}.",
                 left + (f" Earlier runs may have one: open run {number - 1}." if number else ""))  # fmt: skip


def row_log(root: str, row: Row) -> LogAddress | None:
    """The text of one artifact, as the list of artifacts has it."""
    task_id, name = str(row.get("task_id") or ""), str(row.get("name") or "")
    readable = is_text(name, str(row.get("content_type") or "")) and row.get("storage") != "error"
    if not readable or not is_slugid(task_id):
        return None
    live = row.get("storage") == "reference" and row.get("run_state") not in RESOLVED
    failed = row.get("run_state") in FAILED and name.rpartition("/")[2] in _WHOLE_LOGS
    task_name = str(row.get("task_name") or "")
    found = artifact_log(root, task_id, row.get("run"), name, live=live, task_name=task_name)
    return replace(found, failed=failed)
