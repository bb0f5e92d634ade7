"""Taskcluster tasks as job messages: what Treeherder makes of a task and its latest run.

The mapping is that of treeherder/etl/taskcluster_pulse/handler.py: the slugid becomes a UUID, the run its suffix, the
worker the machine, extra.treeherder the display.
"""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.http import CachePolicy, Http
from backends.submit.conversion_parts import taken
from backends.submit.forms import Entry, Form
from backends.submit.rules_task import ROUTE, ROUTE_PARTS

AT_ONCE = 8
JOB_NAME = 139  # characters of the task's name that are kept
# The two deployments that the settings know by name.
_PROFILES = {
    "firefox": "https://firefox-ci-tc.services.mozilla.com",
    "community": "https://community-tc.services.mozilla.com",
}
_RESULTS = {"completed": "success", "failed": "fail"}
LOG = "public/logs/live_backing.log"


def root_of(named: str, configured: str) -> str:
    root = named or _PROFILES.get(configured.lower(), configured)
    if "://" not in root:
        raise UsageError("These tasks name no Taskcluster.", "Add ?root=https://HOST, or set TASKCLUSTER_ROOT_URL.")
    return root.rstrip("/")


def task_entries(task_ids: Sequence[str], http: Http, root: str, cancel: CancelToken) -> list[Entry]:
    """One entry a task (its definition and status), in the order of the ids. Raises the requests' `AppError`s."""

    def one(task_id: str) -> Mapping[str, Any]:
        address = f"{root}/api/queue/v1/task/{task_id}"
        definition, _ = http.json(address, policy=CachePolicy.immutable(), cancel=cancel)
        status, _ = http.json(f"{address}/status", policy=CachePolicy.short(30), cancel=cancel)
        return {"task": definition, **(status if isinstance(status, dict) else {})}

    with ThreadPoolExecutor(AT_ONCE) as pool:
        bodies = list(pool.map(one, task_ids))
    return [
        Entry(task_id, "", number, Form.TASK, body)
        for number, (task_id, body) in enumerate(zip(task_ids, bodies, strict=True))
    ]


def as_messages(entries: Sequence[Entry], root: str) -> Iterator[Entry]:
    """The job message of each task that has what Treeherder wants; the others stay tasks, for the lint to say why."""
    for entry in entries:
        found = message_of(entry.file, entry.body, root)
        yield entry if found is None else Entry(entry.file, "", entry.number, Form.PULSE, found)


def message_of(task_id: str, body: Mapping[str, Any], root: str) -> dict[str, Any] | None:
    """None where the task has no route, no extra.treeherder or no run yet."""
    task, status = taken(body, "task"), taken(body, "status")
    config = taken(taken(task, "extra"), "treeherder")
    listed = task.get("routes")
    routes = [
        route
        for route in (listed if isinstance(listed, list) else [])
        if isinstance(route, str) and route.split(".")[0] == ROUTE
    ]
    route = ROUTE_PARTS.fullmatch(routes[0]) if len(routes) == 1 else None
    runs = status.get("runs")
    if not config or route is None or not isinstance(runs, list) or not runs:
        return None
    run: Mapping[str, Any] = runs[-1] if isinstance(runs[-1], Mapping) else {}
    number = run.get("runId", len(runs) - 1)
    message = {
        "taskId": f"{_uuid_of(task_id)}/{number}",
        "retryId": number,
        "isRetried": False,
        "buildSystem": "taskcluster",
        "owner": str(taken(task, "metadata").get("owner", ""))[:50],
        "origin": {"project": route["project"], "revision": route["revision"]},
        "display": _display(config, taken(task, "metadata")),
        **_state(run),
        "tier": config.get("tier", 1),
        "jobKind": config.get("jobKind", "other"),
        "reason": config.get("reason", "scheduled"),
        "timeScheduled": task.get("created"),
        "timeStarted": run.get("started"),
        "timeCompleted": run.get("resolved"),
        "labels": list(config.get("labels") or taken(config, "collection") or ["opt"]),
        "buildMachine": _machine(task, config, run),
        "productName": config.get("productName"),
        "jobInfo": {"summary": taken(task, "metadata").get("description", ""), "links": []},
        "logs": [
            {"name": "live_backing_log", "url": f"{root}/api/queue/v1/task/{task_id}/runs/{number}/artifacts/{LOG}"}
        ]
        if run.get("state") in _RESULTS
        else None,
        "version": 1,
    }
    if route["push"] and route["push"].isdecimal():
        message["origin"]["id"] = int(route["push"])
    return {name: value for name, value in message.items() if value is not None}


def _display(config: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "jobSymbol": str(config.get("symbol", "?")),
        "groupSymbol": config.get("groupSymbol", "?"),
        "jobName": str(metadata.get("name", ""))[:JOB_NAME],
    }
    return {**found, "groupName": config["groupName"]} if config.get("groupName") else found


def _state(run: Mapping[str, Any]) -> dict[str, str]:
    state = str(run.get("state", "pending"))
    if state == "exception":
        reason = run.get("reasonResolved")
        return {"state": "completed", "result": reason if reason in ("canceled", "superseded") else "exception"}
    if state in _RESULTS:
        return {"state": "completed", "result": _RESULTS[state]}
    return {"state": state, "result": "unknown"}


def _machine(task: Mapping[str, Any], config: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, str]:
    machine = taken(config, "machine")
    worker_type = str(task.get("workerType") or str(task.get("taskQueueId", "unknown")).rpartition("/")[2])
    return {
        "name": str(run.get("workerId", "unknown"))[:50],
        "platform": str(machine.get("platform", worker_type)),
        "os": str(machine.get("os", "-")),
        "architecture": str(machine.get("architecture", "-")),
    }


def _uuid_of(slug: str) -> str:
    return str(uuid.UUID(bytes=urlsafe_b64decode(f"{slug}==")))
