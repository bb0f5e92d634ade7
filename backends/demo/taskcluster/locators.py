"""What can be opened: a name for each interesting group, task and artifact, and the text that leads there."""

from __future__ import annotations

from urllib.parse import quote

from backends.demo.options import DemoOptions
from backends.demo.taskcluster.world import World


def locators(options: DemoOptions, root_url: str) -> dict[str, str]:
    """Names beginning with `taskcluster.`, values in the forms that the web interface of `root_url` has.

    The push is Treeherder's URL, which names no root: it means the configured one.
    """
    world = World(options)
    finished, running = world.finished, world.running
    tasks, groups = f"{root_url}/tasks", f"{root_url}/tasks/groups"
    perf = world.role("perf")
    big = world.role("big")
    found = {
        "finished-group": f"{groups}/{finished.id}",
        "running-group": f"{groups}/{running.id}",
        "empty-group": f"{groups}/{world.empty.id}",
        "hostile-group": f"{groups}/{world.hostile.id}",
        "push": f"https://treeherder.mozilla.org/jobs?repo={finished.project}&revision={finished.revision}",
        "running-push": f"https://treeherder.mozilla.org/jobs?repo={running.project}&revision={running.revision}",
        "index": f"{tasks}/index/gecko.v2.{finished.project}.latest.taskgraph/decision",
        "task": f"{tasks}/{perf.id}",
        "run": f"{tasks}/{perf.id}/runs/0",
        "artifact": f"{tasks}/{perf.id}/runs/0/public/test_info/perfherder-data.json",
        "log": f"{tasks}/{perf.id}/runs/0/logs/{quote('public/logs/live_backing.log', safe='')}",
        "big-artifact": f"{tasks}/{big.id}/runs/0/public/build/target.installer.exe",
    }
    for role in ("failed", "retried", "retried-empty", "unscheduled", "many-artifacts", "artifact-kinds"):
        found[f"{role}-task"] = f"{tasks}/{world.role(role).id}"
    return {f"taskcluster.{name}": locator for name, locator in found.items()}
