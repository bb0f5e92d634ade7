"""What a deployment's queue and index are asked, and how long each answer holds.

One `Deployment` for one root URL. Nothing here keeps a task group's pages: they are large, and the listing made of
them is kept instead (see `listings`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from backends.cancel import CancelToken
from backends.http.policies import CachePolicy
from backends.http.response import Freshness, Response
from backends.taskcluster import tolerant
from backends.taskcluster.models import (
    ArtifactEntry,
    Definition,
    GroupMembers,
    Status,
    StatusReply,
    TasksEnvelope,
)
from backends.taskcluster.paging import Paging
from backends.taskcluster.replies import ARTIFACTS, TASKS, NotTaskcluster, cut, value_of
from backends.taskcluster.roots import api_url, segment

if TYPE_CHECKING:
    from backends.http import Http

T = TypeVar("T")

PAGE = 1000  # what the queue gives at most; it answers `limit=0` with an empty page and no token
GROUP_PAGE_CAP = 512 << 20  # bytes of 1,000 tasks: 6 MB is usual, a definition may have 1 MB
NOT_KEPT = CachePolicy.never()
RESOLVED = frozenset({"completed", "failed", "exception"})  # of tasks and of runs; any other word may still change
DAY = 86400.0
_DEFINED = frozenset({"metadata", "payload", "taskQueueId", "provisionerId", "deadline"})  # a definition has all

DEFINITION = msgspec.json.Decoder(Definition)
STATUS = msgspec.json.Decoder(Status)
STATUS_REPLY = msgspec.json.Decoder(StatusReply)
ARTIFACT = msgspec.json.Decoder(ArtifactEntry)


@dataclass(frozen=True)
class TaskPage:
    """One page of a task group, its entries still JSON. `note` says what is wrong with the listing as a whole."""

    envelope: TasksEnvelope
    origin: Freshness
    note: str = ""


@dataclass(frozen=True)
class RunArtifacts:
    """All artifacts of one run, each name once. `note` says what is wrong with the listing."""

    entries: list[ArtifactEntry]
    origin: Freshness
    note: str = ""


class Deployment:
    """One Taskcluster, asked through `http`. All methods raise `AppError`s; all may be called from any thread."""

    def __init__(self, http: Http, root: str) -> None:
        self.http = http
        self.root = root

    def task_group(self, group_id: str, cancel: CancelToken | None = None) -> GroupMembers:
        """Whether there is such a group, until when, and whether it is sealed."""
        url = api_url(self.root, "queue", f"task-group/{segment(group_id)}")
        answer = self.http.get(url, policy=_if_it_has("taskGroupId", CachePolicy.short(300)), cancel=cancel)
        value = value_of(answer)
        if not isinstance(value, dict) or value.get("taskGroupId") != group_id:
            raise NotTaskcluster(answer.url, "it describes no task group")
        return GroupMembers(**{name: value.get(name) for name in GroupMembers.__struct_fields__})

    def iter_task_pages(
        self, group_id: str, cancel: CancelToken, policy: CachePolicy = NOT_KEPT
    ) -> Iterator[TaskPage]:  # fmt: skip
        """The group, page by page; while one is being looked at the next is on its way.

        Where it ends is said in `paging`.
        """
        url = api_url(self.root, "queue", f"task-group/{segment(group_id)}/list")
        own = CancelToken()
        forget = cancel.on_cancel(own.cancel)
        paging = Paging()

        def fetch(token: str) -> Response:
            params: dict[str, str | int] = {"limit": PAGE, **({"continuationToken": token} if token else {})}
            return self.http.get(url, policy=policy, cap=GROUP_PAGE_CAP, cancel=own, params=params)

        ahead = ThreadPoolExecutor(1, thread_name_prefix="task-pages")
        try:
            coming: Future[Response] | None = ahead.submit(fetch, "")
            while coming is not None:
                answer = coming.result()
                cancel.check()
                envelope = cut(answer, TASKS, "tasks")
                token = paging.after(envelope.continuationToken, len(envelope.tasks))
                coming = ahead.submit(fetch, token) if token else None
                yield TaskPage(envelope, answer.origin, paging.note)
        finally:
            forget()
            own.cancel()
            ahead.shutdown(wait=False, cancel_futures=True)

    def task(self, task_id: str, cancel: CancelToken | None = None) -> tuple[Definition, Freshness]:
        """The definition, which never changes."""
        answer, _ = self._definition(task_id, cancel)
        return _need(tolerant.read(answer.body, DEFINITION, tolerant.definition), answer), answer.origin

    def definition_value(self, task_id: str, cancel: CancelToken | None = None) -> dict[str, Any]:
        """The whole definition as JSON values."""
        return self._definition(task_id, cancel)[1]

    def _definition(self, task_id: str, cancel: CancelToken | None) -> tuple[Response, dict[str, Any]]:
        answer = self._get(f"task/{segment(task_id)}", _if_it_has("metadata", CachePolicy.immutable()), cancel)
        value = value_of(answer)
        if not isinstance(value, dict) or not _DEFINED.intersection(value):
            raise NotTaskcluster(answer.url, "it describes no task")
        return answer, value

    def status_value(self, task_id: str, cancel: CancelToken | None = None) -> dict[str, Any]:
        """The whole status as JSON values."""
        answer = self._get(f"task/{segment(task_id)}/status", status_policy, cancel)
        value = tolerant.members(value_of(answer)).get("status")
        if not isinstance(value, dict):
            raise NotTaskcluster(answer.url, "it describes no status of a task")
        return value

    def status(
        self, task_id: str, cancel: CancelToken | None = None, policy: CachePolicy | None = None
    ) -> tuple[Status, Freshness]:
        """The state and the runs. A resolved task may be run again, so even that holds for a minute only."""
        answer = self._get(f"task/{segment(task_id)}/status", policy or status_policy, cancel)
        return _need(read_status(answer), answer), answer.origin

    def artifacts(self, task_id: str, run: int, resolved: bool, cancel: CancelToken | None = None) -> RunArtifacts:
        """All artifacts of a run. A resolved run gets no new ones; for a day it is not asked again (they expire)."""
        policy = _if_it_has("artifacts", CachePolicy.short(DAY if resolved else 10))
        path = f"task/{segment(task_id)}/runs/{run}/artifacts"
        entries: dict[str, ArtifactEntry] = {}
        paging, origin, token, lost = Paging(), Freshness(), "", 0
        first = True
        while first or token:
            answer = self._get(path, policy, cancel, {"limit": PAGE, **({"continuationToken": token} if token else {})})
            envelope = cut(answer, ARTIFACTS, "artifacts")
            read = [tolerant.read(raw, ARTIFACT, tolerant.artifact) for raw in envelope.artifacts]
            lost += sum(one is None or not one.name for one in read)
            entries.update((one.name, one) for one in read if one is not None and one.name)
            origin = answer.origin if first else origin.worse(answer.origin)
            first, token = False, paging.after(envelope.continuationToken, len(envelope.artifacts))
        note = paging.note
        if lost:
            note = f"{note} {lost} entries without a name are not shown.".strip()
        return RunArtifacts(list(entries.values()), origin, note)

    def find(self, index_path: str, cancel: CancelToken | None = None) -> str:
        """The id of the task at an index path. Raises `NotFoundError` where there is none."""
        url = api_url(self.root, "index", f"task/{segment(index_path)}")
        answer = self.http.get(url, policy=_if_it_has("taskId", CachePolicy.short(60)), cancel=cancel)
        return _task_id(answer)

    def _get(
        self,
        path: str,
        policy: CachePolicy | Callable[[Response], CachePolicy],
        cancel: CancelToken | None,
        params: dict[str, str | int] | None = None,
    ) -> Response:
        return self.http.get(api_url(self.root, "queue", path), policy=policy, cancel=cancel, params=params)


def read_status(answer: Response) -> Status | None:
    try:
        raw = STATUS_REPLY.decode(answer.body).status
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return tolerant.status(tolerant.members(value_of(answer)).get("status"))
    return tolerant.read(raw, STATUS, tolerant.status)


def _if_it_has(member: str, policy: CachePolicy) -> Callable[[Response], CachePolicy]:
    """Keeps an answer only if it is what was asked for: the page of a wrong root URL or of a hotel's network is not."""

    def decide(answer: Response) -> CachePolicy:
        try:
            value = value_of(answer)
        except NotTaskcluster:
            return CachePolicy.never()
        return policy if isinstance(value, dict) and member in value else CachePolicy.never()

    return decide


def status_policy(answer: Response) -> CachePolicy:
    try:
        status = read_status(answer)
    except NotTaskcluster:
        return CachePolicy.never()
    return CachePolicy.short(60 if status is not None and status.state in RESOLVED else 10)


def _task_id(answer: Response) -> str:
    value = value_of(answer)
    task_id = value.get("taskId") if isinstance(value, dict) else None
    if not isinstance(task_id, str):
        raise NotTaskcluster(answer.url, "it names no task")
    return task_id


def _need(found: T | None, answer: Response) -> T:
    if found is None:
        raise NotTaskcluster(answer.url, "its JSON is of another shape")
    return found
