"""Which Taskcluster thing a text names: ids, index paths, our own short forms, and every address shape in use.

The web shapes are those of Taskcluster's ui/src/views/Tasks/routes.js, the API shapes those of the queue and index
references (v106), the old hosts those of before November 2019. Any host whose path has a shape counts as a deployment.
"""

from __future__ import annotations

import re
from dataclasses import replace

from backends.locators.base import InvalidLocatorError
from backends.locators.pasted import SCHEME, PastedText, PastedUrl, split_url, unescape
from backends.locators.taskcluster import (
    INDEX_PATH,
    SLUGID,
    Artifact,
    IndexPath,
    Task,
    TaskclusterLocator,
    TaskGroup,
    TaskOrGroup,
)
from backends.locators.taskcluster_short import RUN, artifact_or_run, at_lines, short_form
from backends.locators.taskcluster_views import IndexNamespace

# Where the CDN and the retired hosts belong. "" is the configured deployment: https://taskcluster.net itself is gone,
# and what it held has expired, so asking the user's own server gives the clearer answer.
ARTIFACT_HOSTS = {
    "firefoxci.taskcluster-artifacts.net": "https://firefox-ci-tc.services.mozilla.com",
    "public-artifacts.taskcluster.net": "",
}
RETIRED_HOSTS = {"tools.taskcluster.net", "queue.taskcluster.net", "index.taskcluster.net", "taskcluster.net"}
TASK_RUN = re.compile(rf"({SLUGID.pattern})[.]([0-9]{{1,4}})", re.ASCII)
BARE_INDEX_PATH = re.compile(rf"(?:index\.)?([A-Za-z0-9_-]+\.v[0-9]+\.{INDEX_PATH.pattern})")
PREFIXED_INDEX_PATH = re.compile(rf"index[.:]({INDEX_PATH.pattern})")
TRUST_DOMAIN = re.compile(r"(gecko|comm|mobile|app-services)\.v[0-9]+")  # a whole tree of the index
_POOL_PAGES = frozenset({"provisioners", "worker-manager"})
RUN_PAGES = frozenset({"", "details", "artifacts", "logs"})  # tools.taskcluster.net's tabs of a run


def recognise_all(pasted: PastedText) -> TaskclusterLocator | None:
    """The locator of a Taskcluster or Treeherder jobs page, an id or an index path; None for every other text."""
    from backends.locators import treeherder_forms

    return recognise(pasted) or treeherder_forms.recognise(pasted)


def recognise(pasted: PastedText) -> TaskclusterLocator | None:
    """The Taskcluster locator of a pasted text, None if it is not Taskcluster's."""
    text = pasted.text
    if text.lower().startswith("taskcluster:") and not text.startswith("taskcluster://"):
        return short_form(text.partition(":")[2], recognise)
    if SLUGID.fullmatch(text):
        return TaskOrGroup(text)
    if SCHEME.match(text) is None:
        if match := TASK_RUN.fullmatch(text):
            return Task(match[1], int(match[2]))
        if match := BARE_INDEX_PATH.fullmatch(text) or PREFIXED_INDEX_PATH.fullmatch(text):
            return IndexPath(match[1])
        if TRUST_DOMAIN.fullmatch(text):
            return IndexPath(text)
        if text == "index":
            return IndexNamespace("")
    if pasted.url is not None and pasted.url.is_web:
        found = _from_url(pasted.url)
        if isinstance(found, TaskGroup) and pasted.url.path.strip("/").startswith("tasks/groups/"):
            return replace(found, search=unescape(pasted.url.fragment).strip())
        return at_lines(found, pasted.url.fragment) if isinstance(found, Artifact) else found
    return None


def _from_url(url: PastedUrl) -> TaskclusterLocator | None:
    segments = url.segments
    found: TaskclusterLocator | None
    if url.host in ARTIFACT_HOSTS:
        found = artifact_or_run(segments[0], segments[1], segments[2:], "") if len(segments) > 2 else None
        return None if found is None else _rooted(found, ARTIFACT_HOSTS[url.host])
    if url.host in RETIRED_HOSTS:
        service = "index" if url.host.startswith("index") else "queue"
        return _web(segments) or _api([service, *segments])
    if segments[0] in _POOL_PAGES and len(segments) > 1 and url.host.endswith(".services.mozilla.com"):
        raise InvalidLocatorError(
            "This page shows worker pools and workers, which are not listed here.",
            "Paste a task group, a task, an artifact or an index path.",
        )
    found = _api(segments[1:]) if segments[0] == "api" else _web(segments)
    return None if found is None else _rooted(found, url.server())


def _web(segments: list[str]) -> TaskclusterLocator | None:
    """A page of the web interface, by the part of its address after the host."""
    if segments[0] == "tasks":
        segments = segments[1:]
    match segments:
        case ["groups", group, "tasks", task, *rest] if SLUGID.fullmatch(group):
            return _task_page(task, rest)
        case ["groups", group, *_] if SLUGID.fullmatch(group):
            return TaskGroup(group)
        case ["index"]:
            return IndexNamespace("")
        case ["index", *names, "task-group"] if len(names) > 1 and all(names):
            path = ".".join(unescape(name) for name in names)
            return IndexPath(path, group=True) if INDEX_PATH.fullmatch(path) else None
        case ["index", *names] if names and all(names):
            path = ".".join(unescape(name) for name in names)
            return IndexPath(path) if INDEX_PATH.fullmatch(path) else None
        case [task, *rest]:
            return _task_page(task, rest)
    return None


def _task_page(task: str, rest: list[str]) -> TaskclusterLocator | None:
    if not SLUGID.fullmatch(task):
        return None
    match rest:
        case ["runs", run, "logs", "live", *name] if name:
            return _log(task, run, name)
        case ["runs", run, "logs", *name] if name:
            return _log(task, run, name)
        case ["runs", run, page] if page in RUN_PAGES:
            return artifact_or_run(task, run, [], "")
        case ["runs", run, *name]:
            return artifact_or_run(task, run, name, "")
    return Task(task)


def _log(task: str, run: str, name: list[str]) -> TaskclusterLocator | None:
    """The log viewer's page; its name is the artifact's, or the whole address that the artifact is fetched from."""
    log = unescape("/".join(name))
    if SCHEME.match(log) is None:
        return artifact_or_run(task, run, name, "")
    inner: TaskclusterLocator | None
    try:
        inner = _from_url(split_url(log))
    except InvalidLocatorError:
        inner = None
    if isinstance(inner, Artifact) and inner.task_id == task and RUN.fullmatch(run):
        return Artifact(task, int(run), inner.name)
    return artifact_or_run(task, run, [], "")


def _api(segments: list[str]) -> TaskclusterLocator | None:
    """An API address, by its part from the service's name on."""
    match segments:
        case ["queue", "v1", "task-group", group, *_] if SLUGID.fullmatch(group):
            return TaskGroup(group)
        case ["queue", "v1", "task", task, *rest] if SLUGID.fullmatch(task):
            return _queue_task(task, rest)
        case ["index", "v1", "task", path, *rest] if INDEX_PATH.fullmatch(unescape(path)):
            name = unescape("/".join(rest[1:])) if rest[:1] == ["artifacts"] else ""
            return IndexPath(unescape(path), artifact=name)
        case ["index", "v1", "namespaces" | "tasks", *names] if len(names) < 2:
            path = unescape("".join(names))
            return IndexNamespace(path) if not path or INDEX_PATH.fullmatch(path) else None
    return None


def _queue_task(task: str, rest: list[str]) -> TaskclusterLocator | None:
    match rest:
        case ["runs", run, "artifacts" | "artifact-content" | "artifact-info", *name]:
            return artifact_or_run(task, run, name, "")
        case ["runs", run, *_]:
            return artifact_or_run(task, run, [], "")
        case ["artifacts" | "artifact-content" | "artifact-info", *name]:
            return artifact_or_run(task, "latest", name, "")
    return Task(task)


def _rooted(locator: TaskclusterLocator, root: str) -> TaskclusterLocator:
    match locator:
        case TaskGroup(group):
            return TaskGroup(group, root)
        case Task(task, run):
            return Task(task, run, root)
        case Artifact():
            return replace(locator, root_url=root)
        case IndexPath():
            return replace(locator, root_url=root)
        case IndexNamespace(path):
            return IndexNamespace(path, root)
    return locator
