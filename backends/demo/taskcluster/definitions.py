"""How a task reads in the queue's own words: its definition (about 5 KB, as Firefox's are) and its status."""

from __future__ import annotations

from typing import Any

import msgspec

from backends.demo.seeds import hexadecimal, number
from backends.demo.taskcluster import hostile
from backends.demo.taskcluster.model import Group, Run, Task, state_of
from backends.demo.taskcluster.names import OWNERS

Json = dict[str, Any]

# Nothing of the finished group may have expired when somebody runs the demo in a few years.
_LIFETIME = 3650 * 86400.0
_DEADLINE = 86400.0
_CLAIM = 20 * 60.0


def status(group: Group, task: Task) -> Json:
    """The task status structure at this moment."""
    runs = task.runs_at(group.elapsed())
    provisioner, worker_type = task.label.pool.split("/")
    found: Json = {
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
        "runs": [_run(group, number_, run) for number_, run in enumerate(runs)],
    }
    hostile.twist_status(task.role, found)
    return found


def _run(group: Group, run_id: int, run: Run) -> Json:
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


def definition(seed: int, group: Group, task: Task) -> Json:
    """The task definition, as `GET /task/:id` answers it."""
    label = task.label
    provisioner, worker_type = label.pool.split("/")
    repository = f"https://hg.mozilla.org/{'integration/autoland' if group.project == 'autoland' else group.project}"
    builder = _builder(group, task)
    owner = OWNERS[number(seed, group.id, "owner", task.index if task.retrigger else 0) % len(OWNERS)]
    found: Json = {
        "provisionerId": provisioner,
        "workerType": worker_type,
        "taskQueueId": label.pool,
        "schedulerId": "gecko-level-3",
        "projectId": "gecko",
        "taskGroupId": task.group_id,
        "dependencies": [] if task.index == 0 else sorted({group.id, builder}),
        "requires": "all-completed",
        "routes": [
            f"tc-treeherder.v2.{group.project}.{group.revision}.{group.pushlog}",
            *_index_routes(group, task),
        ],
        "priority": "highest" if task.index == 0 else "low",
        "retries": 5,
        "created": group.stamp(task.created),
        "deadline": group.stamp(task.created + _DEADLINE),
        "expires": group.stamp(task.created + _LIFETIME),
        "scopes": _scopes(group, task),
        "payload": _payload(seed, group, task, repository, builder),
        "metadata": {
            "name": label.name,
            "owner": owner,
            "source": f"{repository}/file/{group.revision}/taskcluster/kinds/{label.kind.removesuffix('-task')}",
            "description": f"{label.suite or label.kind} of the synthetic push "
            f"([Treeherder push](https://treeherder.mozilla.org/jobs?repo={group.project}&revision={group.revision}))",
        },
        "tags": _tags(task, group.project, owner),
        "extra": _extra(group, task),
    }
    hostile.twist_definition(task.role, found)
    return found


def _builder(group: Group, task: Task) -> str:
    """The build that a task needs: the push's first Linux or Windows build; a build itself needs only the decision."""
    if task.label.kind != "test" or len(group.tasks) < 3:
        return group.id
    return group.tasks[2 if task.label.os == "windows" else 1].id


def _index_routes(group: Group, task: Task) -> list[str]:
    root = f"index.gecko.v2.{group.project}"
    if task.label.kind == "decision-task":
        return [
            f"{root}.latest.taskgraph.decision",
            f"{root}.revision.{group.revision}.taskgraph.decision",
            f"{root}.pushlog-id.{group.pushlog}.decision",
        ]
    if task.label.kind == "build" and not task.retrigger:
        product = task.label.platform.replace("/", "-")
        return [f"{root}.latest.firefox.{product}", f"{root}.revision.{group.revision}.firefox.{product}"]
    return []


def _scopes(group: Group, task: Task) -> list[str]:
    cache = f"level-3-{group.project}"
    if task.label.worker == "docker-worker":
        return [
            "docker-worker:capability:device:loopbackVideo",
            f"docker-worker:cache:gecko-level-3-checkouts-hg58-v3-{group.revision[:20]}",
            f"docker-worker:cache:{cache}-test-workspace-v3-{group.revision[-20:]}",
            "queue:get-artifact:project/gecko/android-sdk/*",
            "secrets:get:project/taskcluster/gecko/hgfingerprint",
        ]
    return [f"generic-worker:cache:gecko-level-3-checkouts-{group.revision[:20]}", "generic-worker:os-group:*/Users"]


def _payload(seed: int, group: Group, task: Task, repository: str, builder: str) -> Json:
    label = task.label
    fetched = f"https://firefox-ci-tc.services.mozilla.com/api/queue/v1/task/{builder}/artifacts/public/build"
    expires = group.stamp(task.created + _LIFETIME)
    payload: Json = {
        "env": _environment(group, task, repository, fetched),
        "cache": {
            f"gecko-level-3-checkouts-hg58-v3-{group.revision[:20]}": "/builds/worker/checkouts",
            f"level-3-{group.project}-test-workspace-v3-{group.revision[-20:]}": "/builds/worker/workspace",
            f"gecko-level-3-tooltool-cache-v3-{group.revision[5:25]}": "/builds/worker/tooltool-cache",
        },
        "image": {"path": "public/image.tar.zst", "type": "task-image", "taskId": group.id},
        "command": _command(label.suite, label.os, task, fetched),
        "features": {"taskclusterProxy": True, "backingLog": True, "liveLog": True, "resourceMonitor": True},
        "artifacts": [
            {"name": "public/logs", "path": "logs", "type": "directory", "expires": expires},
            {"name": "public/test_info", "path": "build/blobber_upload_dir", "type": "directory", "expires": expires},
            {"name": "public/test", "path": "artifacts", "type": "directory", "expires": expires},
        ],
        "maxRunTime": 5400,
        "onExitStatus": {"retry": [4, 72, 137], "purgeCaches": [72]},
    }
    if label.worker == "generic-worker":
        payload["mounts"] = [
            {
                "file": "./run-task",
                "content": {"url": f"{repository}/raw-file/{group.revision}/taskcluster/scripts/run-task"},
            },
            {
                "file": "./fetch-content",
                "content": {"url": f"{repository}/raw-file/{group.revision}/taskcluster/scripts/misc/fetch-content"},
            },
            {
                "cacheName": f"gecko-level-3-checkouts-{hexadecimal(20, seed, 'cache')}",
                "directory": "build",
            },
        ]
    return payload


def _environment(group: Group, task: Task, repository: str, fetched: str) -> Json:
    label = task.label
    fetches = [
        {"artifact": "public/build/minidump-stackwalk.tar.zst", "extract": True, "task": group.id},
        {"artifact": "public/build/node.tar.zst", "extract": True, "task": group.id},
        {"artifact": "public/fix-stacks.tar.zst", "extract": True, "task": group.id},
    ]
    environment = {
        "GECKO_BASE_REPOSITORY": "https://hg.mozilla.org/mozilla-unified",
        "GECKO_HEAD_REPOSITORY": repository,
        "GECKO_HEAD_REV": group.revision,
        "GECKO_PATH": "/builds/worker/checkouts/gecko",
        "HG_STORE_PATH": "/builds/worker/checkouts/hg-store",
        "MOZ_AUTOMATION": "1",
        "MOZ_FETCHES": _compact(fetches),
        "MOZ_FETCHES_DIR": "fetches",
        "MOZ_NODE_PATH": "/builds/worker/fetches/node/bin/node",
        "MOZ_SCM_LEVEL": "3",
        "NEED_WINDOW_MANAGER": "true",
        "NEED_XVFB": "true",
        "PYTHONUNBUFFERED": "1",
        "SCCACHE_DISABLE": "1",
        "TASKCLUSTER_CACHES": "/builds/worker/checkouts;/builds/worker/tooltool-cache;/builds/worker/workspace",
        "TASKCLUSTER_VOLUMES": "/builds/worker/.cache;/builds/worker/checkouts;/builds/worker/tooltool-cache;"
        "/builds/worker/workspace",
        "TRY_SELECTOR": "auto",
    }
    if label.kind == "test":
        environment |= {
            "EXTRA_MOZHARNESS_CONFIG": _compact(
                {
                    "installer_url": f"{fetched}/target.tar.xz",
                    "test_packages_url": f"{fetched}/target.test_packages.json",
                }
            ),
            "MOZHARNESS_CONFIG": f"unittests/{label.os}_unittest.py remove_executables.py",
            "MOZHARNESS_SCRIPT": "desktop_unittest.py" if not label.is_perf else "raptor_script.py",
            "MOZHARNESS_URL": f"{fetched}/mozharness.zip",
            "MOZILLA_BUILD_URL": f"{fetched}/target.tar.xz",
        }
    return environment


def _command(suite: str, os: str, task: Task, fetched: str) -> list[str]:
    label = task.label
    command = ["/builds/worker/bin/run-task", "--gecko-checkout=/builds/worker/checkouts/gecko", "--"]
    if label.kind != "test":
        return [*command, "bash", "-cx", f"cd $GECKO_PATH && ./mach taskgraph run {label.name.replace(' ', '-')}"]
    return [
        *command,
        f"/builds/worker/bin/test-{os}.sh",
        f"--installer-url={fetched}/target.tar.xz",
        f"--test-packages-url={fetched}/target.test_packages.json",
        f"--{'test' if label.is_perf else label.category + '-suite'}={suite}",
        "--setpref=network.http.speculative-parallel-limit=0",
        "--allow-software-gl-layers",
        f"--total-chunk={label.chunks}",
        f"--this-chunk={label.chunk}",
        "--download-symbols=ondemand",
    ]


def _tags(task: Task, project: str, owner: str) -> Json:
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


def _extra(group: Group, task: Task) -> Json:
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


def _compact(value: object) -> str:
    return msgspec.json.encode(value).decode()
