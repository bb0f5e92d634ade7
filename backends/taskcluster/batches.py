"""Asking for many tasks at once: a thousand statuses in one request instead of a thousand requests.

The queue calls both endpoints experimental, leaves ids that it does not know out without a word, and refuses the
whole batch where one id is not ours to see. What a batch cannot give is asked for one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from backends.cancel import CancelToken
from backends.http.errors import AccessDeniedError, BadRequestError, GoneError, NotFoundError, UnexpectedResponseError
from backends.http.policies import CachePolicy
from backends.http.response import Freshness, Response
from backends.pool import map_concurrently
from backends.taskcluster import tolerant
from backends.taskcluster.models import Definition, Status, TaskEntry
from backends.taskcluster.paging import Paging
from backends.taskcluster.queue import DEFINITION, GROUP_PAGE_CAP, STATUS, Deployment
from backends.taskcluster.replies import DEFINITIONS, STATUSES, TASKS, cut
from backends.taskcluster.roots import api_url, segment

BATCH = 1000  # ids a request; beyond it the queue answers with a page and a token
DEFINED = 250  # definitions are large: 5 KB each as a rule, up to 1 MB
_REFUSED = (BadRequestError, NotFoundError, AccessDeniedError, UnexpectedResponseError)
_LOST = (BadRequestError, NotFoundError, AccessDeniedError, GoneError)
T = TypeVar("T")


class _NamedStatus(msgspec.Struct):
    taskId: str
    status: msgspec.Raw


class _NamedTask(msgspec.Struct):
    taskId: str
    task: msgspec.Raw


_NAMED_STATUS = msgspec.json.Decoder(_NamedStatus)
_NAMED_TASK = msgspec.json.Decoder(_NamedTask)


def statuses(deployment: Deployment, task_ids: Sequence[str], cancel: CancelToken) -> dict[str, Status]:
    """The status of each task that the queue knows and lets us see. Raises the `AppError`s of a server that fails."""
    found: dict[str, Status] = {}
    for start in range(0, len(task_ids), BATCH):
        part = task_ids[start : start + BATCH]
        try:
            found |= dict(_batch(deployment, "tasks/status", part, _status_pages, cancel))
        except _REFUSED:
            found |= _one_by_one(part, lambda one, own: deployment.status(one, own, CachePolicy.never())[0], cancel)
    return found


def definitions(deployment: Deployment, task_ids: Sequence[str], cancel: CancelToken) -> dict[str, Definition]:
    """The definition of each task that the queue knows and lets us see. Raises as `statuses` does."""
    found: dict[str, Definition] = {}
    for start in range(0, len(task_ids), DEFINED):
        part = task_ids[start : start + DEFINED]
        try:
            found |= dict(_batch(deployment, "tasks", part, _task_pages, cancel))
        except _REFUSED:
            found |= _one_by_one(part, lambda one, own: deployment.task(one, own)[0], cancel)
    return found


def entries(deployment: Deployment, task_ids: Sequence[str], cancel: CancelToken) -> list[TaskEntry]:
    """What a group's listing would say of these tasks, in their order, without those that cannot be had."""
    known = statuses(deployment, task_ids, cancel)
    defined = definitions(deployment, list(known), cancel)
    wanted = [one for one in dict.fromkeys(task_ids) if one in known]
    return [TaskEntry(known[one], defined.get(one, Definition())) for one in wanted]


def dependents(
    deployment: Deployment, task_id: str, cancel: CancelToken
) -> Iterator[tuple[list[msgspec.Raw], Freshness, str]]:
    """(entries as a group lists them, origin, what is odd) of the tasks that wait for this one, page by page."""
    url, paging, token, first = _url(deployment, f"task/{segment(task_id)}/dependents"), Paging(), "", True
    while first or token:
        params: dict[str, str | int] = {"limit": BATCH, **({"continuationToken": token} if token else {})}
        answer = deployment.http.get(url, policy=CachePolicy.never(), cap=GROUP_PAGE_CAP, cancel=cancel, params=params)
        envelope = cut(answer, TASKS, "tasks")
        first, token = False, paging.after(envelope.continuationToken, len(envelope.tasks))
        yield envelope.tasks, answer.origin, paging.note


def _batch(
    deployment: Deployment,
    path: str,
    task_ids: Sequence[str],
    read: Callable[[Response], tuple[list[tuple[str, T]], Any, int]],
    cancel: CancelToken,
) -> Iterator[tuple[str, T]]:
    body = msgspec.json.encode({"taskIds": list(task_ids)})
    paging, token, first = Paging(), "", True
    while first or token:
        query = f"?continuationToken={segment(token)}" if token else ""
        # Asking changes nothing, so that it may be tried again like any other question.
        answer = deployment.http.post(
            _url(deployment, path) + query, body, cap=GROUP_PAGE_CAP, cancel=cancel, idempotent=True
        )
        told, more, count = read(answer)
        first, token = False, paging.after(more, count)
        yield from told


def _status_pages(answer: Response) -> tuple[list[tuple[str, Status]], Any, int]:
    envelope = cut(answer, STATUSES, "statuses")
    named = [tolerant.read(raw, _NAMED_STATUS, _no_status) for raw in envelope.statuses]
    read = [(one.taskId, tolerant.read(one.status, STATUS, tolerant.status)) for one in named if one is not None]
    return [(name, one) for name, one in read if one is not None], envelope.continuationToken, len(named)


def _task_pages(answer: Response) -> tuple[list[tuple[str, Definition]], Any, int]:
    envelope = cut(answer, DEFINITIONS, "tasks")
    named = [tolerant.read(raw, _NAMED_TASK, _no_task) for raw in envelope.tasks]
    read = [(one.taskId, tolerant.read(one.task, DEFINITION, tolerant.definition)) for one in named if one is not None]
    return [(name, one) for name, one in read if one is not None], envelope.continuationToken, len(named)


def _no_status(value: Any) -> _NamedStatus | None:
    given = tolerant.members(value)
    name = tolerant.text(given.get("taskId"))
    return _NamedStatus(name, msgspec.Raw(msgspec.json.encode(given.get("status")))) if name else None


def _no_task(value: Any) -> _NamedTask | None:
    given = tolerant.members(value)
    name = tolerant.text(given.get("taskId"))
    return _NamedTask(name, msgspec.Raw(msgspec.json.encode(given.get("task")))) if name else None


def _one_by_one(ids: Sequence[str], ask: Callable[[str, CancelToken], T], cancel: CancelToken) -> dict[str, T]:
    def one(task_id: str, own: CancelToken) -> tuple[str, T | None]:
        try:
            return task_id, ask(task_id, own)
        except _LOST:
            return task_id, None

    pairs = [pair for batch in map_concurrently(one, ids, cancel) for pair in batch]
    return {task_id: found for task_id, found in pairs if found is not None}


def _url(deployment: Deployment, path: str) -> str:
    return api_url(deployment.root, "queue", path)
