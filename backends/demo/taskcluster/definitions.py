"""Tasks in the queue's format: their status, and definitions of about 5 KB (as Firefox's are) from a JSON template."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Any

import msgspec

from backends.demo.deterministic_random import hexadecimal, number
from backends.demo.taskcluster.catalogue import OWNERS
from backends.demo.taskcluster.fixtures import apply_quirk
from backends.demo.taskcluster.model import DemoGroup, DemoRun, DemoTask, state_of

Json = dict[str, Any]

_TEMPLATE = Template((Path(__file__).parent / "task_definition.json").read_text())
# Nothing of the finished group may have expired when somebody runs the demo in a few years.
_LIFETIME = 3650 * 86400.0
_DEADLINE = 86400.0
_CLAIM = 20 * 60.0
_BUILD_URL = "https://firefox-ci-tc.services.mozilla.com/api/queue/v1/task/{}/artifacts/public/build"


def task_status(group: DemoGroup, task: DemoTask) -> Json:
    """The task status structure at this moment."""
    runs = task.runs_at(group.elapsed())
    provisioner, worker_type = task.label.pool.split("/")
    status: Json = {
        "taskId": task.id,
        "provisionerId": provisioner,
        "workerType": worker_type,
        "taskQueueId": task.label.pool,
        "schedulerId": "gecko-level-3",
        "projectId": "gecko",
        "taskGroupId": task.group_id,
        "priority": "highest" if task.index == 0 else "low",
        "deadline": group.stamp(task.created + _DEADLINE),
        "expires": group.stamp(task.created + _LIFETIME),
        "retriesLeft": task.retries_left,
        "state": state_of(runs),
        "runs": [_run_status(group, run_id, run) for run_id, run in enumerate(runs)],
    }
    apply_quirk(task.role, "status", status)
    return status


def _run_status(group: DemoGroup, run_id: int, run: DemoRun) -> Json:
    entry: Json = {"runId": run_id, "state": run.state, "reasonCreated": run.created_for}
    if run.ended is not None:
        entry["reasonResolved"] = run.reason
    if run.started is not None:
        entry["workerGroup"] = run.worker_group
        entry["workerId"] = run.worker_id
        entry["takenUntil"] = group.stamp((run.ended if run.ended is not None else group.elapsed()) + _CLAIM / 2)
    entry["scheduled"] = group.stamp(run.scheduled)
    if run.started is not None:
        entry["started"] = group.stamp(run.started)
    if run.ended is not None:
        entry["resolved"] = group.stamp(run.ended)
    return entry


def task_definition(seed: int, group: DemoGroup, task: DemoTask) -> Json:
    """The task definition, as `GET /task/:id` returns it."""
    label, revision, builder = task.label, group.revision, _builder(group, task)
    provisioner, worker_type = label.pool.split("/")
    retriggers = OWNERS[number(seed, group.id, "owner", task.index) % len(OWNERS)]
    owner = retriggers if task.retrigger else group.owner
    project = "integration/autoland" if group.project == "autoland" else group.project
    parts = msgspec.json.decode(
        _TEMPLATE.substitute(
            provisioner=provisioner, worker_type=worker_type, group=group.id, project=group.project,
            repository=f"https://hg.mozilla.org/{project}", revision=revision, revision_head=revision[:20],
            revision_tail=revision[-20:], revision_middle=revision[5:25], pushlog=group.pushlog,
            priority="highest" if task.index == 0 else "low", created=group.stamp(task.created),
            deadline=group.stamp(task.created + _DEADLINE), expires=group.stamp(task.created + _LIFETIME),
            fetched=_BUILD_URL.format(builder), owner=owner, kind=label.kind.removesuffix("-task"),
            subject=label.suite or label.kind, os=label.os, suite=label.suite, chunks=label.chunks, chunk=label.chunk,
            suite_option="test" if label.is_perf else f"{label.category}-suite", cache=hexadecimal(20, seed, "cache"),
            script="raptor_script.py" if label.is_perf else "desktop_unittest.py",
        )
    )  # fmt: skip
    found: Json = parts["task"]
    payload: Json = found["payload"]
    found["dependencies"] = [] if task.index == 0 else sorted({group.id, builder})
    found["routes"] += _index_routes(group, task)
    found["scopes"] = parts["docker_scopes" if label.worker == "docker-worker" else "generic_scopes"]
    if label.kind == "test":
        payload["env"] |= parts["test_env"]
        payload["command"] = parts["test_command"]
    else:
        name = label.name.replace(" ", "-")
        payload["command"] = [*parts["other_command"], f"cd $GECKO_PATH && ./mach taskgraph run {name}"]
    if label.worker == "generic-worker":
        payload["mounts"] = parts["mounts"]
    found["metadata"]["name"] = label.name
    found["tags"] = _tags(task, group.project, owner)
    found["extra"] = _extra(group, task)
    apply_quirk(task.role, "task", found)
    return found


def _builder(group: DemoGroup, task: DemoTask) -> str:
    """The build that a task needs: the push's first Linux or Windows build; a build needs only the decision task."""
    if task.label.kind != "test" or len(group.tasks) < 3:
        return group.id
    return group.tasks[2 if task.label.os == "windows" else 1].id


def _index_routes(group: DemoGroup, task: DemoTask) -> list[str]:
    root, revision = f"index.gecko.v2.{group.project}", f"revision.{group.revision}"
    if task.label.kind == "decision-task":
        paths = ("latest.taskgraph", f"{revision}.taskgraph", f"pushlog-id.{group.pushlog}")
        return [f"{root}.{path}.decision" for path in paths]
    if task.label.kind == "build" and not task.retrigger:
        product = task.label.platform.replace("/", "-")
        return [f"{root}.latest.firefox.{product}", f"{root}.{revision}.firefox.{product}"]
    return []


def _tags(task: DemoTask, project: str, owner: str) -> Json:
    label = task.label
    tags = {"kind": label.kind, "createdForUser": owner}
    if label.kind in ("decision-task", "action-task"):
        return tags
    tags |= {
        "label": label.name,
        "os": label.os,
        "worker-implementation": label.worker,
        "project": project,
        "trust-domain": "gecko",
        "retrigger": "true" if task.retrigger else "false",
    }
    if label.kind == "test":
        tags |= {"test-type": label.category, "test-suite": label.suite, "test-platform": label.platform}
        if label.variant:
            tags["test-variant"] = label.variant
    return tags


def _extra(group: DemoGroup, task: DemoTask) -> Json:
    label = task.label
    treeherder: Json = {
        "jobKind": label.kind if label.kind in ("test", "build") else "other",
        "collection": {label.collection: True},
        "machine": {"platform": label.machine},
        "tier": label.tier,
        "symbol": label.symbol or str(label.chunk),
    }
    if label.group_symbol:
        treeherder |= {"groupSymbol": label.group_symbol, "groupName": label.group_name}
    extra: Json = {"index": {"rank": 0}, "parent": group.id, "treeherder": treeherder}
    if label.kind == "decision-task":
        return {"tasks_for": "hg-push", "treeherder": treeherder}
    if label.kind == "action-task":
        return extra | {"tasks_for": "action", "action": {"name": "retrigger", "context": {"taskGroupId": group.id}}}
    extra["treeherder-platform"] = label.platform
    if label.kind == "test":
        extra["chunks"] = {"current": label.chunk, "total": label.chunks}
        extra["suite"] = {"name": label.category, "flavor": label.flavor} if label.flavor else label.suite
    return extra
