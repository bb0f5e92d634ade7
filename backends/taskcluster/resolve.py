"""What an id, an index path or a push turns out to be: asks the deployment and returns what can be listed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.http.errors import NotFoundError, OfflineError
from backends.http.policies import CachePolicy
from backends.locators import InvalidLocatorError, Locator
from backends.locators.taskcluster import (
    PUBLIC_TREEHERDER,
    SLUGID,
    Artifact,
    IndexPath,
    Push,
    Task,
    TaskArtifacts,
    TaskclusterLocator,
    TaskGroup,
    TaskMeasurements,
    TaskOrGroup,
    TreeherderJob,
)
from backends.locators.taskcluster_views import Comparison, Contents, GroupView, IndexNamespace, TaskRelation, compared
from backends.taskcluster import tolerant
from backends.taskcluster.index_namespaces import FULL_REVISION, has_entries
from backends.taskcluster.listings import Listings
from backends.taskcluster.queue import Deployment
from backends.taskcluster.replies import value_of
from backends.taskcluster.roots import normalise_root, segment
from backends.taskcluster.task_log import find_log

if TYPE_CHECKING:
    from backends.http import Http

TRUST_DOMAINS = ("gecko", "comm", "mobile")  # the first parts of index paths that Mozilla's repositories use


class NotResolved(AppError):
    """The server answered everything, and knows nothing by that name."""

    exit_code = 3


def resolve(
    locator: Locator, http: Http, root: str, cancel: CancelToken | None = None, treeherder: str = ""
) -> TaskclusterLocator:
    """A TaskGroup, Task, TaskArtifacts or Artifact with its `root_url` set.

    `root`: the configured deployment (URL or profile name), for locators that name none; `treeherder`: the configured
    Treeherder, for jobs by their number. Asks the server only about what is not yet clear. Raises `NotResolved` with
    what was tried, and the `AppError`s of the requests.
    """
    if not isinstance(locator, TaskclusterLocator):
        raise InvalidLocatorError(f"{locator.text()} does not belong to Taskcluster.")
    match locator:
        case TaskGroup(_, named) | TaskRelation(_, _, named) | IndexNamespace(_, named) | GroupView(root_url=named):
            return replace(locator, root_url=normalise_root(named or root))
        case Comparison(root_url=named):
            return _comparison(locator, http, normalise_root(named or root), cancel)
        case Contents(root_url=named):
            return _contents(Deployment(http, normalise_root(named or root)), locator, cancel)
        case Task(task_id, run, named):
            return Task(task_id, run, normalise_root(named or root))
        case Artifact(root_url=named):
            return replace(locator, root_url=normalise_root(named or root))
        case TaskArtifacts(task_ids, named):
            return TaskArtifacts(task_ids, normalise_root(named or root))
        case TaskMeasurements(task_ids, named):
            return TaskMeasurements(task_ids, normalise_root(named or root))
        case TaskOrGroup(slug, named):
            return _task_or_group(Deployment(http, normalise_root(named or root)), slug, cancel)
        case IndexPath(root_url=named):
            return _indexed(Deployment(http, normalise_root(named or root)), locator, cancel)
        case TreeherderJob(server=named):
            base = named or treeherder or f"https://{PUBLIC_TREEHERDER}"
            return _job(Deployment(http, normalise_root(root)), locator, base.rstrip("/"), cancel)
        case Push(repository, revision, named):
            return _push(Deployment(http, normalise_root(named or root)), repository, revision, cancel)
    raise InvalidLocatorError(f"{locator.text()} cannot be looked up.")


def resolve_task(
    locator: Locator, http: Http, root: str, cancel: CancelToken | None = None, treeherder: str = ""
) -> TaskclusterLocator:
    """As `resolve`, for who asks for one task: of an id or an index path that a decision task shares with its group
    the task is meant, of the group that a selected job opens the job's."""
    found = resolve(locator, http, root, cancel, treeherder)
    if not isinstance(found, TaskGroup):
        return found
    if found.task or len(found.task_ids) == 1:
        return Task(found.task or found.task_ids[0], None, found.root_url)
    if isinstance(locator, TaskOrGroup) or (isinstance(locator, IndexPath) and not locator.group):
        try:
            Deployment(http, found.root_url).task(found.group_id, cancel)
        except NotFoundError:
            return found  # a group that somebody made without a decision task
        return Task(found.group_id, None, found.root_url)
    return found


def _comparison(locator: Comparison, http: Http, root: str, cancel: CancelToken | None) -> Comparison:
    """Both sides looked up; those of one deployment are spelled without it."""
    sides = [_as_group(resolve(side, http, root, cancel), http, cancel) for side in (locator.base, locator.new)]
    return compared(sides[0], sides[1], locator.measured, locator.series)


def _as_group(found: TaskclusterLocator, http: Http, cancel: CancelToken | None) -> TaskGroup:
    match found:
        case TaskGroup():
            return replace(found, search="", task="")
        case Task(task_id, _, root):
            definition, _ = Deployment(http, root).task(task_id, cancel)
            return TaskGroup(definition.taskGroupId or task_id, root, (task_id,))
    raise InvalidLocatorError(f"{found.text()[:100]} is no task group and no task.", "Name a group, a push or a task.")


def _contents(deployment: Deployment, locator: Contents, cancel: CancelToken | None) -> Contents:
    """A CSV has to be looked at: only it knows its columns."""
    from backends.taskcluster.artifact_contents import is_measurements
    from backends.taskcluster.artifact_table import with_columns

    rooted = replace(locator, root_url=deployment.root)
    if locator.view != "table" or is_measurements(locator.name):
        return rooted
    return with_columns(deployment, rooted, cancel)


def _task_or_group(deployment: Deployment, slug: str, cancel: CancelToken | None) -> TaskclusterLocator:
    """A group before a task: a decision task has its group's id, and the group is what one wants to see of it."""
    root = deployment.root
    missing: AppError | None = None
    try:
        deployment.task_group(slug, cancel)
        return TaskGroup(slug, root)
    except (NotFoundError, OfflineError) as problem:
        if isinstance(problem, OfflineError):
            missing = problem
            if Listings(deployment).read(slug) is not None:
                return TaskGroup(slug, root)
    try:
        deployment.task(slug, cancel)
        return Task(slug, None, root)
    except OfflineError as problem:
        raise missing or problem from None
    except NotFoundError:
        raise missing or NotResolved(
            f"{root} knows {slug} neither as a task group nor as a task.",
            "It may have expired, or belong to another deployment: paste its whole address, or set "
            "TASKCLUSTER_ROOT_URL.",
        ) from None


def _indexed(deployment: Deployment, locator: IndexPath, cancel: CancelToken | None) -> TaskclusterLocator:
    path, artifact = locator.path, locator.artifact
    try:
        task_id = deployment.find(path, cancel)
    except NotFoundError:
        if not artifact and not locator.group and has_entries(deployment, path, cancel):
            return IndexNamespace(path, deployment.root)
        raise NotResolved(
            f"The index of {deployment.root} has neither a task nor a namespace at {path[:300]}.",
            "Index entries expire with their tasks. taskcluster:namespace/ lists the index from its root.",
        ) from None
    if artifact:
        return Artifact(task_id, None, artifact, deployment.root)
    if locator.group:
        return TaskGroup(_group_of(deployment, task_id, cancel), deployment.root)
    return _opened(deployment, task_id, cancel)


def _group_of(deployment: Deployment, task_id: str, cancel: CancelToken | None) -> str:
    return deployment.task(task_id, cancel)[0].taskGroupId or task_id


def _job(deployment: Deployment, job: TreeherderJob, base: str, cancel: CancelToken | None) -> TaskclusterLocator:
    """The log of the job's task, or the task in its group; where Treeherder has forgotten the job, its push."""
    if job.task_id:
        return _task_of(deployment, job, job.task_id, job.run, cancel)
    url = f"{base}/api/project/{segment(job.repository)}/jobs/{job.number}/"
    try:
        value = tolerant.members(value_of(deployment.http.get(url, policy=CachePolicy.short(60), cancel=cancel)))
    except NotFoundError:
        if job.revision and not job.log:
            return _push(deployment, job.repository, job.revision, cancel)
        raise NotResolved(
            f"Treeherder has no job {job.number} of {job.repository}.",
            "It forgets jobs after four months. Paste the address of the task in Taskcluster.",
        ) from None
    told = {**tolerant.members(value.get("taskcluster_metadata")), **value}
    task_id, run = str(told.get("task_id") or ""), told.get("retry_id")
    if not SLUGID.fullmatch(task_id):
        raise NotResolved(f"Job {job.number} of {job.repository} is no task of Taskcluster.", "Only tasks are shown.")
    try:
        return _task_of(deployment, job, task_id, run, cancel)
    except NotFoundError:
        named = f"Job {job.number} of {job.repository} is task {task_id}"
        raise NotResolved(
            f"{named}, which {deployment.root} does not have (any more).",
            "Tasks expire, on try after four weeks. If it is of another deployment, set TASKCLUSTER_ROOT_URL to that.",
        ) from None


def _task_of(
    deployment: Deployment, job: TreeherderJob, task_id: str, run: object, cancel: CancelToken | None
) -> TaskclusterLocator:
    if not job.log:
        return TaskGroup(_group_of(deployment, task_id, cancel), deployment.root, task=task_id)
    number = run if isinstance(run, int) and not isinstance(run, bool) and run >= 0 else None
    found = find_log(deployment, task_id, number, cancel or CancelToken()).locator
    assert isinstance(found, Artifact)
    return replace(found, line=job.line, last=job.last)


def _opened(deployment: Deployment, task_id: str, cancel: CancelToken | None) -> TaskclusterLocator:
    """A decision task's group, any other task itself."""
    definition, _ = deployment.task(task_id, cancel)
    if definition.taskGroupId == task_id:
        return TaskGroup(task_id, deployment.root)
    return Task(task_id, None, deployment.root)


def _push(deployment: Deployment, repository: str, revision: str, cancel: CancelToken | None) -> TaskclusterLocator:
    """The group of the push's decision task, which the index has by the full revision."""
    if FULL_REVISION.fullmatch(revision) is None:
        raise NotResolved(
            f"The index knows pushes by all 40 digits of their revision; {revision[:40]} has {len(revision)}.",
            f"Open the push in Treeherder, or hg.mozilla.org/…/{repository[:60]}/rev/{revision[:40]}, and paste the "
            "full one.",
        )
    first = repository.partition("-")[0]
    domains = sorted(TRUST_DOMAINS, key=lambda domain: domain != first)  # comm-central is in comm's index
    tried = [f"{domain}.v2.{repository}.revision.{revision}.taskgraph.decision" for domain in domains]
    for path in tried:
        try:
            task_id = deployment.find(path, cancel)
        except NotFoundError:
            continue
        definition, _ = deployment.task(task_id, cancel)
        return TaskGroup(definition.taskGroupId or task_id, deployment.root)
    raise NotResolved(
        f"The index of {deployment.root} has no decision task of {repository[:100]} at {revision}. "
        f"Tried: {', '.join(path.partition('.revision.')[0] for path in tried)}.",
        "The push may be too new (its decision task has not finished), too old (it expired), or of another repository.",
    )
