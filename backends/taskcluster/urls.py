"""Taskcluster's URLs: which locator a pasted text means, and the URLs of a deployment's API and pages.

The web URLs parsed are those of Taskcluster's ui/src/views/Tasks/routes.js, the API URLs those of the queue and index
references (v106), the old hosts those of before November 2019. Any host whose path has one of these shapes counts as
a deployment. Treeherder's pages of jobs and logs mean the task or the group behind them, on the configured deployment.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TypeVar
from urllib.parse import parse_qsl, quote

from backends.errors import UsageError
from backends.locators.base import InvalidLocatorError, Locator
from backends.locators.pasted import SCHEME, PastedText, PastedUrl, escape, split_url, unescape
from backends.net import is_loopback
from backends.taskcluster.locators import (
    CONTENT_VIEWS,
    GROUP_VIEWS,
    INDEX_PATH,
    PUBLIC_TREEHERDER,
    SLUGID,
    Artifact,
    ArtifactContents,
    GroupComparison,
    GroupView,
    IndexedGroup,
    IndexNamespace,
    IndexPath,
    PushGroup,
    Task,
    TaskclusterLocator,
    TaskGroup,
    TaskOrGroup,
    TaskRetriggers,
    TreeherderJob,
    is_slugid,
)

PROFILES = {
    "firefox": "https://firefox-ci-tc.services.mozilla.com",
    "community": "https://community-tc.services.mozilla.com",
}
# The deployments of the CDN and the retired hosts. "" is the configured one: https://taskcluster.net itself is gone,
# and its contents have expired, so asking the user's own server gives the clearer answer.
ARTIFACT_HOSTS = {"firefoxci.taskcluster-artifacts.net": PROFILES["firefox"], "public-artifacts.taskcluster.net": ""}
RETIRED_HOSTS = {"tools.taskcluster.net", "queue.taskcluster.net", "index.taskcluster.net", "taskcluster.net"}
SHORT_FORMS = (
    "group/ID[:TASK,TASK][/TASK][#TERM], task/ID[/RUN], artifact/ID/RUN|latest/NAME[#LLINE], artifacts/ID,ID, "
    "measurements/ID,ID, index/PATH, index-group/PATH, namespace/PATH, push/REPOSITORY/REVISION, runs/ID, "
    "dependencies/ID, dependents/ID, retriggers/ID, "
    "breakdown/GROUP/COLUMN, timeline/GROUP, critical-path/GROUP, compare/BASE..NEW, compare-measurements/BASE..NEW, "
    "archive/ID/RUN/NAME, table/ID/RUN/NAME"
)
# The short forms that are parsed here; the others are declared by templates.
_UNDECLARED = frozenset(
    {"group", "task", "artifact", "index", "copies", "compare", "compare-measurements", "values"}
    | {*GROUP_VIEWS, *CONTENT_VIEWS}
)
SERIES_PARTS = 7  # of `compare.SERIES`
RUN = re.compile(r"[0-9]{1,4}", re.ASCII)
# A line or a range of lines, as the log viewer of the web interface writes it behind the #.
LINES = re.compile(r"L([1-9][0-9]{0,11})(?:-L?([0-9]{1,12}))?", re.ASCII)
TASK_RUN = re.compile(rf"({SLUGID.pattern})[.]([0-9]{{1,4}})", re.ASCII)
BARE_INDEX_PATH = re.compile(rf"(?:index\.)?([A-Za-z0-9_-]+\.v[0-9]+\.{INDEX_PATH.pattern})")
PREFIXED_INDEX_PATH = re.compile(rf"index[.:]({INDEX_PATH.pattern})")
TRUST_DOMAIN = re.compile(r"(gecko|comm|mobile|app-services)\.v[0-9]+")  # a complete tree of the index
_POOL_PAGES = frozenset({"provisioners", "worker-manager"})
RUN_PAGES = frozenset({"", "details", "artifacts", "logs"})  # tools.taskcluster.net's tabs of a run
_SIDES = re.compile(r"\.\.(?!\.)")

T = TypeVar("T", bound=Locator)


def parse_text(pasted: PastedText) -> Locator | None:
    """The locator of an id, an index path, a short form without a template, or the URL of a page of Taskcluster or of
    Treeherder's jobs; None for every other text. Raises `InvalidLocatorError`."""
    return parse_taskcluster(pasted) or parse_treeherder_page(pasted)


def parse_taskcluster(pasted: PastedText) -> Locator | None:
    """The same without Treeherder's pages."""
    text = pasted.text
    if text.lower().startswith("taskcluster:") and not text.startswith("taskcluster://"):
        return _short_form(text.partition(":")[2])
    if is_slugid(text):
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
        return _at_lines(found, pasted.url.fragment) if isinstance(found, Artifact) else found
    return None


# ---- short forms ------------------------------------------------------------------------------------------------


def _short_form(text: str) -> Locator | None:
    """The locator of the text after `taskcluster:`; None if a template declares it. Raises `InvalidLocatorError`
    for everything else."""
    before, _, fragment = text.rpartition("#")
    if LINES.fullmatch(fragment) and text.startswith("artifact/"):
        found = _short_form(before)
        return _at_lines(found, fragment) if isinstance(found, Artifact) else found
    search = ""
    if text.startswith("group/"):
        text, _, fragment = text.partition("#")
        search = unescape(fragment).strip()
    body, _, query = text.partition("?")
    kind, slash, rest = body.partition("/")
    if kind not in _UNDECLARED and not is_slugid(kind):
        return None
    root = ""
    if query:
        key, _, value = query.partition("=")
        if key != "root" or SCHEME.match(unescape(value)) is None:
            raise InvalidLocatorError("A taskcluster: text may end in ?root=https://HOST and in nothing else.")
        root = split_url(unescape(value)).server()
    parts = rest.split("/") if slash else [""]
    found = _of_ids(kind, parts, root) or _of_names(kind, parts, root) or _comparison(kind, parts, root)
    if found is None:
        raise InvalidLocatorError(
            "Incomplete taskcluster: locator or invalid id.", f"Forms, after taskcluster: {SHORT_FORMS}."
        )
    return replace(found, search=search) if search and isinstance(found, TaskGroup) else found


def _of_ids(kind: str, parts: list[str], root: str) -> Locator | None:
    first = parts[0]
    match kind, len(parts):
        case "group", 1 if group := _group(first):
            return TaskGroup(group[0], root, group[1])
        case "group", 2 if is_slugid(parts[1]) and (group := _group(first)):
            return TaskGroup(group[0], root, group[1], task=parts[1])
        case "task", 1 if is_slugid(first):
            return Task(first, None, root)
        case "task", 2 if is_slugid(first) and RUN.fullmatch(parts[1]):
            return Task(first, int(parts[1]), root)
        case "copies", 1 if is_slugid(first):  # the spelling of earlier versions
            return TaskRetriggers(first, root)
        case view, count if view in GROUP_VIEWS and count == 1 + (view == "breakdown") and (group := _group(first)):
            return GroupView(view, group[0], unescape("".join(parts[1:])), group[1], root)
        case slug, 1 if not first and is_slugid(slug):
            return TaskOrGroup(slug, root)
    return None


def _of_names(kind: str, parts: list[str], root: str) -> Locator | None:
    first = parts[0]
    match kind, len(parts):
        case "artifact", count if count > 2:
            return _artifact_or_run(first, parts[1], parts[2:], root)
        case view, count if count > 2 and view in CONTENT_VIEWS:
            found = _artifact_or_run(first, parts[1], parts[2:], root)
            if isinstance(found, Artifact):
                return ArtifactContents(view, found.task_id, found.run, found.name, root)
        case "index", _ if first:
            return IndexPath(unescape(first), root, unescape("/".join(parts[1:])))
    return None


def _comparison(kind: str, parts: list[str], root: str) -> GroupComparison | None:
    series = tuple(unescape(part) for part in parts[1:])
    if kind not in ("compare", "compare-measurements", "values"):
        return None
    sides = _SIDES.split(parts[0])
    if len(sides) != 2 or len(series) != (SERIES_PARTS if kind == "values" else 0):
        return None
    base, new = map(_side, sides)
    return None if base is None or new is None else GroupComparison(base, new, kind != "compare", series, root)


def _side(text: str) -> Locator | None:
    if group := _group(text):
        return TaskGroup(group[0], "", group[1])
    inner = unescape(text)
    # A comparison of comparisons would be parsed recursively without end.
    if not inner or inner.startswith(("taskcluster:compare", "taskcluster:values")):
        return None
    from backends.systems import parse_locator

    try:
        found = parse_locator(inner)
    except InvalidLocatorError:
        return None
    if isinstance(found, TaskGroup):
        return replace(found, search="", task="")  # how a list is first shown is not compared
    is_side = isinstance(found, TaskclusterLocator) and not isinstance(found, GroupComparison | TreeherderJob)
    return found if is_side else None


def require_side(locator: Locator) -> Locator:
    """What a user enters as one side of a comparison. Raises `InvalidLocatorError` for what has no tasks."""
    if isinstance(locator, TaskGroup | Task | TaskOrGroup | PushGroup | IndexPath | IndexedGroup):
        return locator
    raise InvalidLocatorError(
        f"{locator.text()[:80]} is not a task group.", "Name a group, a push, an index path or a task, by any URL."
    )


def _group(text: str) -> tuple[str, tuple[str, ...]] | None:
    """(group id, the tasks of it that are meant: empty for all)"""
    group, colon, tasks = text.partition(":")
    ids = tuple(tasks.split(",")) if colon else ()
    return (group, ids) if is_slugid(group) and all(map(is_slugid, ids)) else None


def _artifact_or_run(task: str, run: str, name: list[str], root: str) -> Artifact | Task | None:
    """The artifact, or the run if there is no artifact name; None for an invalid run."""
    if not is_slugid(task) or not (run == "latest" or RUN.fullmatch(run)):
        return None
    number = None if run == "latest" else int(run)
    decoded = unescape("/".join(name))
    return Artifact(task, number, decoded, root) if decoded else Task(task, number, root)


def _at_lines(artifact: Artifact, fragment: str) -> Artifact:
    """The artifact at the line or the lines of the log viewer's fragment, if it has any."""
    match = LINES.fullmatch(fragment)
    if match is None:
        return artifact
    line, last = int(match[1]), int(match[2] or 0)
    return replace(artifact, line=line, last=last if last > line else None)


# ---- pages and API of a deployment ------------------------------------------------------------------------------


def _from_url(url: PastedUrl) -> Locator | None:
    segments = url.segments
    if url.host in ARTIFACT_HOSTS:
        found = _artifact_or_run(segments[0], segments[1], segments[2:], "") if len(segments) > 2 else None
        return None if found is None else replace(found, root_url=ARTIFACT_HOSTS[url.host])
    if url.host in RETIRED_HOSTS:
        service = "index" if url.host.startswith("index") else "queue"
        return _web_page(segments) or _api([service, *segments])
    if segments[0] in _POOL_PAGES and len(segments) > 1 and url.host.endswith(".services.mozilla.com"):
        raise InvalidLocatorError(
            "This page shows worker pools and workers, which are not listed here.",
            "Paste a task group, a task, an artifact or an index path.",
        )
    page = _api(segments[1:]) if segments[0] == "api" else _web_page(segments)
    return None if page is None else replace(page, root_url=url.server())  # type: ignore[type-var]


def _web_page(segments: list[str]) -> Locator | None:
    """A page of the web interface, by the part of its URL after the host."""
    if segments[0] == "tasks":
        segments = segments[1:]
    match segments:
        case ["groups", group, "tasks", task, *rest] if is_slugid(group):
            return _task_page(task, rest)
        case ["groups", group, *_] if is_slugid(group):
            return TaskGroup(group)
        case ["index"]:
            return IndexNamespace("")
        case ["index", *names, "task-group"] if len(names) > 1 and all(names):
            path = ".".join(unescape(name) for name in names)
            return IndexedGroup(path) if INDEX_PATH.fullmatch(path) else None
        case ["index", *names] if names and all(names):
            path = ".".join(unescape(name) for name in names)
            return IndexPath(path) if INDEX_PATH.fullmatch(path) else None
        case [task, *rest]:
            return _task_page(task, rest)
    return None


def _task_page(task: str, rest: list[str]) -> Locator | None:
    if not is_slugid(task):
        return None
    match rest:
        case ["runs", run, "logs", "live", *name] if name:
            return _log_page(task, run, name)
        case ["runs", run, "logs", *name] if name:
            return _log_page(task, run, name)
        case ["runs", run, page] if page in RUN_PAGES:
            return _artifact_or_run(task, run, [], "")
        case ["runs", run, *name]:
            return _artifact_or_run(task, run, name, "")
    return Task(task)


def _log_page(task: str, run: str, name: list[str]) -> Locator | None:
    """The log viewer's page; its name is the artifact's, or the complete URL that the artifact is fetched from."""
    log = unescape("/".join(name))
    if SCHEME.match(log) is None:
        return _artifact_or_run(task, run, name, "")
    inner: Locator | None
    try:
        inner = _from_url(split_url(log))
    except InvalidLocatorError:
        inner = None
    if isinstance(inner, Artifact) and inner.task_id == task and RUN.fullmatch(run):
        return Artifact(task, int(run), inner.name)
    return _artifact_or_run(task, run, [], "")


def _api(segments: list[str]) -> Locator | None:
    """An API URL, by the part of it from the service's name on."""
    match segments:
        case ["queue", "v1", "task-group", group, *_] if is_slugid(group):
            return TaskGroup(group)
        case ["queue", "v1", "task", task, *rest] if is_slugid(task):
            return _queue_task(task, rest)
        case ["index", "v1", "task", path, *rest] if INDEX_PATH.fullmatch(unescape(path)):
            name = unescape("/".join(rest[1:])) if rest[:1] == ["artifacts"] else ""
            return IndexPath(unescape(path), artifact=name)
        case ["index", "v1", "namespaces" | "tasks", *names] if len(names) < 2:
            path = unescape("".join(names))
            return IndexNamespace(path) if not path or INDEX_PATH.fullmatch(path) else None
    return None


def _queue_task(task: str, rest: list[str]) -> Locator | None:
    match rest:
        case ["runs", run, "artifacts" | "artifact-content" | "artifact-info", *name]:
            return _artifact_or_run(task, run, name, "")
        case ["runs", run, *_]:
            return _artifact_or_run(task, run, [], "")
        case ["artifacts" | "artifact-content" | "artifact-info", *name]:
            return _artifact_or_run(task, "latest", name, "")
    return Task(task)


# ---- Treeherder's pages of jobs and logs ------------------------------------------------------------------------

# `selectedTaskRun` is `<task id>.<run>` (treeherder ui/helpers/job.js); for some months of 2020 it had a `-` there.
SELECTED_TASK = re.compile(rf"({SLUGID.pattern})(?:[.-]([0-9]{{1,4}}))?", re.ASCII)
REVISION = re.compile(r"[0-9a-f]{12,40}", re.ASCII)
REPOSITORY = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
NUMBER = re.compile(r"[1-9][0-9]{0,14}", re.ASCII)
LINE_NUMBER = re.compile(r"([1-9][0-9]{0,11})(?:-([0-9]{1,12}))?", re.ASCII)
ONE_PUSH = ("revision", "selectedTaskRun", "selectedJob", "job_id", "task")
PAGES = frozenset({"jobs", "logviewer", "logviewer.html"})


def parse_treeherder_page(pasted: PastedText) -> Locator | None:
    """The task or the push of Treeherder's page of jobs or its log viewer, None for any other text."""
    url = pasted.url
    if url is None or not url.is_web:
        return None
    page, query = _page_and_query(url)
    if page not in PAGES:
        return None
    selected = SELECTED_TASK.fullmatch(query.get("selectedTaskRun") or query.get("task") or "")
    task_id, run = (selected[1], None if selected[2] is None else int(selected[2])) if selected else ("", None)
    repository, revision = _repository(page, query, url), query.get("revision", "").lower()
    job = _job(page, query, repository, revision, url)
    if job is not None and job.log:  # today's links have the task too: the log is what they show
        return replace(job, task_id=task_id, run=run)
    if selected is not None:
        line, last = _line_range(query)
        if page == "jobs" or run is None or line is None:
            return Task(task_id, run)
        return TreeherderJob("", 0, True, "", _server(url), line, last, task_id, run)
    if job is not None:
        return job
    if REPOSITORY.fullmatch(repository) and REVISION.fullmatch(revision):
        return PushGroup(repository, revision)
    if not query.keys() & {"repo", "revision", "job_id", "selectedJob", "task"}:
        return None
    if page == "jobs" and REPOSITORY.fullmatch(repository) and not any(query.get(name) for name in ONE_PUSH):
        return None  # a list of pushes: Treeherder's own parser says what is wrong with it
    raise InvalidLocatorError(
        "This Treeherder URL has neither one push nor one task.",
        "Select a job (the URL then has selectedTaskRun=) or a push (revision= with 12 to 40 hex digits).",
    )


def _server(url: PastedUrl) -> str:
    return "" if url.host == PUBLIC_TREEHERDER else url.server()


def _repository(page: str, query: dict[str, str], url: PastedUrl) -> str:
    """The public page of jobs shows autoland by default."""
    return query.get("repo", "") or ("autoland" if page == "jobs" and url.host == PUBLIC_TREEHERDER else "")


def _job(page: str, query: dict[str, str], repository: str, revision: str, url: PastedUrl) -> TreeherderJob | None:
    """The job whose log a page shows, or that is selected on it, by its number."""
    log = page != "jobs"
    number = query.get("job_id" if log else "selectedJob", "")
    if not NUMBER.fullmatch(number) or not REPOSITORY.fullmatch(repository):
        return None
    of_push = revision if not log and REVISION.fullmatch(revision) else ""
    line, last = _line_range(query) if log else (None, None)
    return TreeherderJob(repository, int(number), log, of_push, _server(url), line, last)


def _line_range(query: dict[str, str]) -> tuple[int | None, int | None]:
    """(first line, last line of a range) of the log viewer."""
    lines = LINE_NUMBER.fullmatch(query.get("lineNumber", ""))
    if lines is None:
        return None, None
    line, last = int(lines[1]), int(lines[2] or 0)
    return line, last if last > line else None


def _page_and_query(url: PastedUrl) -> tuple[str, dict[str, str]]:
    """The page's name and its query, which before 2021 both stood behind the #."""
    path, mark, query = url.fragment.lstrip("/").partition("?")
    path = path or url.path.strip("/")
    if mark and path in PAGES:
        try:
            return path, {**url.query, **dict(reversed(parse_qsl(query, max_num_fields=200)))}
        except ValueError:
            return "", {}
    return url.path.strip("/"), url.query


# ---- URLs of a deployment, as the taskcluster-urls library builds them ------------------------------------------


def normalise_root(text: str) -> str:
    """The root URL of a setting: a profile's name or a URL, without a slash at the end.

    Raises `UsageError`s for what is neither, has a password in it, or is plain http to another machine.
    """
    name = text.strip()
    hint = f"Set TASKCLUSTER_ROOT_URL to https://HOST, or to one of: {', '.join(PROFILES)}."
    if name.lower() in PROFILES:
        return PROFILES[name.lower()]
    if not name:
        raise UsageError("No Taskcluster deployment is set.", hint)
    if SCHEME.match(name) is None:
        host = name.partition("/")[0].rsplit(":", 1)[0].strip("[]").lower()
        if "." not in host and not is_loopback(host):
            raise UsageError("This is neither a root URL nor the name of a deployment.", hint)
        name = f"{'http' if is_loopback(host) else 'https'}://{name}"
    url = split_url(name)
    if not url.is_web or url.query or url.fragment:
        raise UsageError("A root URL is https://HOST and nothing else.", hint)
    return url.server() + url.path.rstrip("/")


def api_url(root: str, service: str, path: str) -> str:
    """A URL of the API; `path` is already encoded, see `quote_segment`."""
    return f"{root}/api/{service}/v1/{path}"


def quote_segment(text: str, safe: str = "") -> str:
    """One part of a path; whatever a server or a user wrote, it stays one part."""
    return quote(text, safe=safe, errors="replace")


def artifact_url(root: str, task_id: str, run: int | None, name: str) -> str:
    """The URL that responds with the artifact or a redirect to it; `run` None is the latest run.

    Slashes are not encoded, for readability: the queue takes `public/x` and `public%2Fx` alike. Only in a name with
    parts that a client would "simplify" away (`..`, `.`) they are.
    """
    plain = not any(part in (".", "..") for part in name.split("/"))
    runs = "" if run is None else f"runs/{run}/"
    quoted = quote_segment(name, "/" if plain else "")
    return api_url(root, "queue", f"task/{quote_segment(task_id)}/{runs}artifacts/{quoted}")


def group_page(root: str, group_id: str, search: str = "") -> str:
    """The page of a group, which keeps what its list is searched for behind the #."""
    return f"{root}/tasks/groups/{quote_segment(group_id)}" + (f"#{escape(search)}" if search else "")


def task_page(root: str, task_id: str, run: int | None = None) -> str:
    return f"{root}/tasks/{quote_segment(task_id)}" + ("" if run is None else f"/runs/{run}")


def artifact_page(root: str, task_id: str, run: int, name: str) -> str:
    """The page of an artifact. Pasted, it is that artifact again, whatever its name ends in: one that is called like a
    tab of the run's page has its first letter encoded, since no URL of a tab has."""
    shown = escape(name)
    if shown in RUN_PAGES and shown:
        shown = f"%{ord(shown[0]):02X}{shown[1:]}"
    return f"{task_page(root, task_id, run)}/{shown}"
