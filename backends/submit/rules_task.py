"""What a Taskcluster task needs so that Treeherder makes a job of it: today's only way into production.

Sources: treeherder/etl/taskcluster_pulse/{handler,parse_route}.py and a chain run end to end: exactly one
tc-treeherder route, a valid extra.treeherder, and metadata whose owner, name and description are read unasked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from backends.http.errors import sanitize
from backends.submit.findings import Finding, Level
from backends.submit.forms import Form
from backends.submit.loader_limits import product_too_long
from backends.submit.times import stored_time
from backends.submit.validation import violations

ROUTE = "tc-treeherder"
NAME_KEPT = 139  # characters of a task's name
ROUTE_PARTS = re.compile(
    r"tc-treeherder\.v2\.(?:(?P<owner>[\w-]+)/)?(?P<project>[\w-]+)\.(?P<revision>[^.]+)(?:\.(?P<push>[^.]+))?"
)
_SHAPE = "tc-treeherder.v2.<project>.<revision of 40 digits>[.<push id>], or <user>/<project> for GitHub"


def definition_of(body: Any) -> Any:
    """The task itself, where it came with its status around it."""
    return body["task"] if isinstance(body, Mapping) and isinstance(body.get("task"), Mapping) else body


def demands(body: Any) -> Iterator[Finding]:
    task = definition_of(body)
    at = "$" if task is body else "$.task"
    if not isinstance(task, Mapping):
        yield Finding(Level.ERROR, "$", "type", "is no task definition", "an object with routes, metadata and extra")
        return
    yield from _routes(task.get("routes"), at)
    yield from _metadata(task, at)
    extra = task.get("extra")
    config = extra.get("treeherder") if isinstance(extra, Mapping) else None
    if not config:
        yield Finding(
            Level.ERROR,
            f"{at}.extra",
            "treeherder",
            "no extra.treeherder: Treeherder passes over the task",
            'add "treeherder": {"symbol": ..., "machine": {"platform": ...}}',
        )
        return
    yield from violations(config, Form.TASK, f"{at}.extra.treeherder")
    if isinstance(config, Mapping):
        yield from _config(config, f"{at}.extra.treeherder")


def _routes(routes: Any, at: str) -> Iterator[Finding]:
    found = [
        (number, route)
        for number, route in enumerate(routes if isinstance(routes, list) else ())
        if isinstance(route, str) and route.split(".")[0] == ROUTE
    ]
    if len(found) != 1:
        what = "no" if not found else str(len(found))
        yield Finding(
            Level.ERROR, f"{at}.routes", "route", f"{what} {ROUTE} route: Treeherder wants exactly one", _SHAPE
        )
        return
    number, route = found[0]
    path, match = f"{at}.routes[{number}]", ROUTE_PARTS.fullmatch(route)
    if match is None:
        yield Finding(Level.ERROR, path, "route", "is not of the form that Treeherder reads", _SHAPE)
        return
    if not re.fullmatch("[0-9a-f]{40}", match["revision"]):
        yield Finding(Level.ERROR, path, "route", "its revision is not 40 hexadecimal digits in lower case", _SHAPE)
    if match["push"] is not None and not match["push"].isdecimal():
        yield Finding(Level.ERROR, path, "route", "its push id is no number", _SHAPE)
    if match["owner"] is None and match["push"] is None:
        yield Finding(Level.INFO, path, "route", "without a push id; Treeherder then finds the push by its revision")


def _metadata(task: Mapping[str, Any], at: str) -> Iterator[Finding]:
    metadata = task.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    for name in ("owner", "name", "description"):
        if not isinstance(metadata.get(name), str):
            yield Finding(
                Level.ERROR,
                f"{at}.metadata",
                "metadata",
                f"no {name}: Treeherder reads it unasked and fails",
                f'add "{name}", a text',
            )
    for name in ("owner", "name"):
        if metadata.get(name) == "":
            yield Finding(
                Level.ERROR,
                f"{at}.metadata.{name}",
                "metadata",
                "is empty: Treeherder's schema refuses the job",
                f"a text: {'who made it' if name == 'owner' else 'what it is called'}",
            )
    title = metadata.get("name")
    if isinstance(title, str) and len(title) > NAME_KEPT:
        yield Finding(
            Level.INFO, f"{at}.metadata.name", "metadata", f"Treeherder keeps the first {NAME_KEPT} characters"
        )
    created = task.get("created")
    if isinstance(created, str) and stored_time(created) is None:
        yield Finding(
            Level.ERROR,
            f"{at}.created",
            "times",
            f"{sanitize(created, 60)!r} is no time that Treeherder can read: the job is lost",
            "a time such as 2026-11-21T09:30:00Z",
        )
    owner = metadata.get("owner")
    if isinstance(owner, str) and len(owner) > 50:
        yield Finding(
            Level.WARNING, f"{at}.metadata.owner", "metadata", "longer than 50 characters: Treeherder cuts it"
        )
    for name, other in (("created", ""), ("workerType", "taskQueueId")):
        if name not in task and other not in task:
            yield Finding(
                Level.ERROR, at, "metadata", f"no {name}: Treeherder reads it unasked and fails", f'add "{name}"'
            )


def _config(config: Mapping[str, Any], path: str) -> Iterator[Finding]:
    product = config.get("productName")
    if isinstance(product, str) and len(product) > 100:
        yield product_too_long(f"{path}.productName", len(product))
    if "collection" in config and not config.get("labels"):
        yield Finding(Level.INFO, f"{path}.collection", "labels", "still read, as labels", '"labels": ["opt"]')
    if not config.get("labels") and not config.get("collection"):
        yield Finding(Level.INFO, path, "labels", "without labels the job is shown as opt")
    if "machine" not in config:
        yield Finding(
            Level.WARNING,
            path,
            "platform",
            "without a machine the row is named by the worker type",
            'add "machine": {"platform": ...}',
        )
