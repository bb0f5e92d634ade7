"""What an id, an index path, a push or a job turns out to be: asks the client and returns what can be listed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.http.errors import NotFoundError, OfflineError
from backends.http.policies import CachePolicy
from backends.lenient_json import as_dict
from backends.locators import InvalidLocatorError, Locator
from backends.taskcluster.client import Client, parse_json
from backends.taskcluster.contents import with_columns
from backends.taskcluster.group_cache import GroupCache
from backends.taskcluster.index import FULL_REVISION, has_entries
from backends.taskcluster.locators import (
    PUBLIC_TREEHERDER,
    Artifact,
    ArtifactContents,
    GroupComparison,
    IndexedGroup,
    IndexNamespace,
    IndexPath,
    PushGroup,
    Task,
    TaskclusterLocator,
    TaskGroup,
    TaskOrGroup,
    TreeherderJob,
    compare_groups,
    is_perfherder_data,
    is_slugid,
)
from backends.taskcluster.logs import find_log
from backends.taskcluster.urls import normalise_root, quote_segment

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http

TRUST_DOMAINS = ("gecko", "comm", "mobile")  # the first parts of index paths that Mozilla's repositories use


class NotResolvedError(AppError):
    """The server responded to everything, and has nothing by that name."""

    exit_code = 3


def resolve_with_settings(locator: Locator, http: Http, settings: Settings, cancel: CancelToken) -> Locator:
    return resolve(locator, http, settings.taskcluster_root_url, cancel, settings.treeherder_url)


def resolve(
    locator: Locator, http: Http, root: str, cancel: CancelToken | None = None, treeherder: str = ""
) -> Locator:
    """A locator that can be listed, with its `root_url` set.

    `root`: the configured client (URL or profile name), for locators that name none; `treeherder`: the configured
    Treeherder, for jobs by their number. Asks the server only about what is not yet clear. Raises `NotResolvedError`
    with what was tried, and the `AppError`s of the requests.
    """
    if not isinstance(locator, TaskclusterLocator):
        raise InvalidLocatorError(f"{locator.text()} does not belong to Taskcluster.")
    client = Client(http, normalise_root(getattr(locator, "root_url", "") or root))
    match locator:
        case GroupComparison():
            return _comparison(client, locator, cancel)
        case ArtifactContents(view="table", name=name) if not is_perfherder_data(name):
            return with_columns(client, replace(locator, root_url=client.root), cancel)  # only it knows its columns
        case TaskOrGroup(slug):
            return _task_or_group(client, slug, cancel)
        case IndexPath():
            return _indexed(client, locator, cancel)
        case IndexedGroup():
            task_id = _find_indexed(client, locator.path, cancel)
            return TaskGroup(_group_of(client, task_id, cancel), client.root)
        case TreeherderJob(server=server):
            return _job(client, locator, (server or treeherder or f"https://{PUBLIC_TREEHERDER}").rstrip("/"), cancel)
        case PushGroup():
            return _push(client, locator.repository, locator.revision, cancel)
    with_root: Any = locator
    rooted: Locator = replace(with_root, root_url=client.root)
    return rooted


def resolve_task(
    locator: Locator, http: Http, root: str, cancel: CancelToken | None = None, treeherder: str = ""
) -> Locator:
    """As `resolve`, where one task is asked for: of an id or an index path that a decision task shares with its group
    it is the task, of the group that a selected job opens it is the job's."""
    found = resolve(locator, http, root, cancel, treeherder)
    if not isinstance(found, TaskGroup):
        return found
    if found.task or len(found.task_ids) == 1:
        return Task(found.task or found.task_ids[0], None, found.root_url)
    if isinstance(locator, TaskOrGroup | IndexPath):
        try:
            Client(http, found.root_url).fetch_definition(found.group_id, cancel)
        except NotFoundError:
            return found  # a group that somebody made without a decision task
        return Task(found.group_id, None, found.root_url)
    return found


def _comparison(client: Client, locator: GroupComparison, cancel: CancelToken | None) -> GroupComparison:
    """Both sides looked up; those of one deployment are spelled without it."""
    base, new = (
        _as_group(client, resolve(side, client.http, client.root, cancel), cancel)
        for side in (locator.base, locator.new)
    )
    return compare_groups(base, new, locator.measured, locator.series)


def _as_group(client: Client, side: Locator, cancel: CancelToken | None) -> TaskGroup:
    match side:
        case TaskGroup():
            return replace(side, search="", task="")
        case Task(task_id, _, root):
            return TaskGroup(_group_of(client.with_root(root), task_id, cancel), root, (task_id,))
    raise InvalidLocatorError(f"{side.text()[:100]} is neither a task group nor a task.", "Name a group or a push.")


def _task_or_group(client: Client, slug: str, cancel: CancelToken | None) -> Locator:
    """A group before a task: a decision task has its group's id, and the group is what one wants to see of it."""
    root = client.root
    missing: AppError | None = None
    try:
        client.fetch_group(slug, cancel)
        return TaskGroup(slug, root)
    except (NotFoundError, OfflineError) as error:
        if isinstance(error, OfflineError):
            missing = error
            if GroupCache(client).read(slug) is not None:
                return TaskGroup(slug, root)
    try:
        client.fetch_definition(slug, cancel)
        return Task(slug, None, root)
    except OfflineError as error:
        raise missing or error from None
    except NotFoundError:
        raise missing or NotResolvedError(
            f"{root} knows {slug} neither as a task group nor as a task.",
            "It may have expired, or belong to another deployment: paste its complete URL, or set "
            "TASKCLUSTER_ROOT_URL.",
        ) from None


def _indexed(client: Client, locator: IndexPath, cancel: CancelToken | None) -> Locator:
    """An artifact, a decision task's group, any other task itself, or a namespace."""
    try:
        task_id = client.find_task(locator.path, cancel)
    except NotFoundError:
        if not locator.artifact and has_entries(client, locator.path, cancel):
            return IndexNamespace(locator.path, client.root)
        raise _not_indexed(client, locator.path) from None
    if locator.artifact:
        return Artifact(task_id, None, locator.artifact, client.root)
    is_decision_task = client.fetch_definition(task_id, cancel)[0].taskGroupId == task_id
    return TaskGroup(task_id, client.root) if is_decision_task else Task(task_id, None, client.root)


def _find_indexed(client: Client, path: str, cancel: CancelToken | None) -> str:
    try:
        return client.find_task(path, cancel)
    except NotFoundError:
        raise _not_indexed(client, path) from None


def _not_indexed(client: Client, path: str) -> NotResolvedError:
    return NotResolvedError(
        f"The index of {client.root} has neither a task nor a namespace at {path[:300]}.",
        "Index entries expire with their tasks. taskcluster:namespace lists the index from its root.",
    )


def _group_of(client: Client, task_id: str, cancel: CancelToken | None) -> str:
    return client.fetch_definition(task_id, cancel)[0].taskGroupId or task_id


def _job(client: Client, job: TreeherderJob, base: str, cancel: CancelToken | None) -> Locator:
    """The log of the job's task, or the task in its group; where Treeherder has forgotten the job, its push."""
    if job.task_id:
        return _task_of(client, job, job.task_id, job.run, cancel)
    url = f"{base}/api/project/{quote_segment(job.repository)}/jobs/{job.number}/"
    try:
        value = as_dict(parse_json(client.http.get(url, policy=CachePolicy.short(60), cancel=cancel)))
    except NotFoundError:
        if job.revision and not job.log:
            return _push(client, job.repository, job.revision, cancel)
        raise NotResolvedError(
            f"Treeherder has no job {job.number} of {job.repository}.",
            "It forgets jobs after four months. Paste the URL of the task in Taskcluster.",
        ) from None
    members = {**as_dict(value.get("taskcluster_metadata")), **value}
    task_id, run = str(members.get("task_id") or ""), members.get("retry_id")
    if not is_slugid(task_id):
        raise NotResolvedError(
            f"Job {job.number} of {job.repository} is not a task of Taskcluster.", "Only tasks are shown."
        )
    try:
        return _task_of(client, job, task_id, run, cancel)
    except NotFoundError:
        named = f"Job {job.number} of {job.repository} is task {task_id}"
        raise NotResolvedError(
            f"{named}, which {client.root} does not have (any more).",
            "Tasks expire, on try after four weeks. If it is of another deployment, set TASKCLUSTER_ROOT_URL to that.",
        ) from None


def _task_of(client: Client, job: TreeherderJob, task_id: str, run: object, cancel: CancelToken | None) -> Locator:
    if not job.log:
        return TaskGroup(_group_of(client, task_id, cancel), client.root, task=task_id)
    number = run if isinstance(run, int) and not isinstance(run, bool) and run >= 0 else None
    found = find_log(client, task_id, number, cancel or CancelToken()).locator
    assert isinstance(found, Artifact)
    return replace(found, line=job.line, last=job.last)


def _push(client: Client, repository: str, revision: str, cancel: CancelToken | None) -> Locator:
    """The group of the push's decision task, which the index has by the full revision."""
    if FULL_REVISION.fullmatch(revision) is None:
        raise NotResolvedError(
            "Taskcluster's index finds a push by all 40 digits of its revision only; "
            f"{revision[:40]} has {len(revision)}.",
            f"Open the push in Treeherder, or hg.mozilla.org/…/{repository[:60]}/rev/{revision[:40]}, and paste the "
            "full one.",
        )
    first = repository.partition("-")[0]
    domains = sorted(TRUST_DOMAINS, key=lambda domain: domain != first)  # comm-central is in comm's index
    tried = [f"{domain}.v2.{repository}.revision.{revision}.taskgraph.decision" for domain in domains]
    for path in tried:
        try:
            task_id = client.find_task(path, cancel)
        except NotFoundError:
            continue
        return TaskGroup(_group_of(client, task_id, cancel), client.root)
    raise NotResolvedError(
        f"The index of {client.root} has no decision task of {repository[:100]} at {revision}. "
        f"Tried: {', '.join(path.partition('.revision.')[0] for path in tried)}.",
        "The push may be too new (its decision task has not finished), too old (it expired), or of another repository.",
    )
