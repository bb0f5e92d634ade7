"""What `t` shows as a tree: a task's definition and runs, or a JSON artifact."""

from __future__ import annotations

from typing import Any

from backends.cancel import CancelToken
from backends.http.policies import CachePolicy
from backends.http.response import Response
from backends.locators.taskcluster import SLUGID, Artifact, Task
from backends.resources import Document, Row
from backends.taskcluster import tolerant
from backends.taskcluster.queue import RESOLVED, Deployment
from backends.taskcluster.replies import ANY, NotTaskcluster
from backends.taskcluster.roots import artifact_url

JSON_CAP = 64 << 20  # bytes of a JSON artifact that become a tree; a full-task-graph.json may have 100 MB and more
_SECTIONS = ("metadata", "payload", "dependencies", "tags", "routes", "scopes", "extra")


def task_document(deployment: Deployment, row: Row) -> Document | None:
    """A row's task: state and runs, then the definition by its parts. The row needs `task_id`, may have a name."""
    task_id = str(row.get("task_id") or "")
    if not SLUGID.fullmatch(task_id):
        return None
    name = str(row.get("name") or "") if "state" in row else str(row.get("task_name") or "")

    def read(cancel: CancelToken) -> dict[str, Any]:
        return told(task_id, deployment.definition_value(task_id, cancel), deployment.status_value(task_id, cancel))

    return Document(f"task {name or task_id}", Task(task_id, None, deployment.root), read)


def told(task_id: str, definition: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    """What a person looks for first comes first; nothing of the two replies is left out or said twice."""
    rest = {name: value for name, value in definition.items() if name not in _SECTIONS}
    return {
        "taskId": task_id,
        "state": status.get("state"),
        "runs": status.get("runs"),
        **{name: definition[name] for name in _SECTIONS if name in definition},
        "definition": rest,
        "status": {name: value for name, value in status.items() if name not in ("taskId", "state", "runs")},
    }


def artifact_document(deployment: Deployment, row: Row) -> Document | None:
    """A row's JSON artifact (row of a list of artifacts); None if it is another kind, has no content or is too large
    for a tree."""
    task_id, name, run = str(row.get("task_id") or ""), str(row.get("name") or ""), row.get("run")
    too_large = (row.get("size") or 0) > JSON_CAP
    if too_large or row.get("storage") == "error" or not is_json(name, str(row.get("content_type") or "")):
        return None
    if not SLUGID.fullmatch(task_id):
        return None
    policy = artifact_policy(str(row.get("run_state") or ""))
    url = artifact_url(deployment.root, task_id, run, name)

    def read(cancel: CancelToken) -> Any:
        answer = deployment.http.get(url, policy=policy, accept="*/*", cap=JSON_CAP, cancel=cancel)
        return json_value(answer)

    return Document(f"{name} of {task_id}", Artifact(task_id, run, name, deployment.root), read)


def is_json(name: str, content_type: str) -> bool:
    return name.lower().endswith(".json") or content_type.lower().partition(";")[0].strip() == "application/json"


def artifact_policy(run_state: str) -> CachePolicy:
    """How long an artifact's content holds: that of a resolved run is final."""
    return CachePolicy.immutable() if run_state in RESOLVED else CachePolicy.short(10)


def json_value(answer: Response) -> Any:
    """The artifact as JSON. Raises `NotTaskcluster` for what is none, since it was cut off or only named so."""
    value = tolerant.read(answer.body, ANY, lambda value: value)
    if value is None and answer.body.strip() != b"null":
        raise NotTaskcluster(answer.url, "its content is no JSON, or only a part of it")
    return value
