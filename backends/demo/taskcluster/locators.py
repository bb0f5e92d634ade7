"""What can be opened: a name for each interesting group, task and artifact, and the text that leads there."""

from __future__ import annotations

from urllib.parse import quote

from backends.demo.options import DemoOptions
from backends.demo.taskcluster.world import World


def locators(options: DemoOptions, root_url: str = "") -> dict[str, str]:
    """Names beginning with `taskcluster.`, values in the forms that the web interface of `root_url` has.

    Without a root URL they are the short forms, which mean the configured deployment; so does the push, always.
    """
    world = World(options)
    finished, running = world.finished, world.running
    perf, big = world.role("perf").id, world.role("big").id
    found = {
        "finished-group": _group(root_url, finished.id),
        "running-group": _group(root_url, running.id),
        "empty-group": _group(root_url, world.empty.id),
        "hostile-group": _group(root_url, world.hostile.id),
        "push": _push(finished.project, finished.revision),
        "running-push": _push(running.project, running.revision),
        "index": _index(root_url, f"gecko.v2.{finished.project}.latest.taskgraph.decision"),
        "namespace": (f"{root_url}/tasks/index/" if root_url else "") + f"gecko.v2.{finished.project}",
        "comparison": f"taskcluster:compare/{finished.id}..{running.id}" + (f"?root={root_url}" if root_url else ""),
        "task": _task(root_url, perf),
        "run": f"{root_url}/tasks/{perf}/runs/0" if root_url else f"taskcluster:task/{perf}/0",
        "artifact": _artifact(root_url, perf, "public/test_info/perfherder-data.json"),
        "log": _log(root_url, perf, "public/logs/live_backing.log"),
        "big-artifact": _artifact(root_url, big, "public/build/target.installer.exe"),
    }
    for role in ("failed", "retried", "retried-empty", "unscheduled", "many-artifacts", "artifact-kinds"):
        found[f"{role}-task"] = _task(root_url, world.role(role).id)
    return {f"taskcluster.{name}": locator for name, locator in found.items()}


def _group(root_url: str, group_id: str) -> str:
    return f"{root_url}/tasks/groups/{group_id}" if root_url else f"taskcluster:group/{group_id}"


def _task(root_url: str, task_id: str) -> str:
    return f"{root_url}/tasks/{task_id}" if root_url else f"taskcluster:task/{task_id}"


def _artifact(root_url: str, task_id: str, name: str) -> str:
    return f"{root_url}/tasks/{task_id}/runs/0/{name}" if root_url else f"taskcluster:artifact/{task_id}/0/{name}"


def _log(root_url: str, task_id: str, name: str) -> str:
    if root_url:
        return f"{root_url}/tasks/{task_id}/runs/0/logs/{quote(name, safe='')}"
    return _artifact("", task_id, name)


def _index(root_url: str, path: str) -> str:
    namespace, _, last = path.rpartition(".")
    return f"{root_url}/tasks/index/{namespace}/{last}" if root_url else path


def _push(project: str, revision: str) -> str:
    return f"https://treeherder.mozilla.org/jobs?repo={project}&revision={revision}"
