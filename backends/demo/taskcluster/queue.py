"""The queue service, version 1: task groups, tasks, statuses, and what their runs left behind."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from backends.demo.codings import OFFERED
from backends.demo.replies import Reply, Request
from backends.demo.taskcluster.api import Document, Endpoint, Refusal, answer, encoded, endpoint, serve
from backends.demo.taskcluster.definitions import Json, definition, status
from backends.demo.taskcluster.model import Group, Task
from backends.demo.taskcluster.paging import offset_of, offset_token, page_size
from backends.demo.taskcluster.world import World

T = TypeVar("T")

# Ten pages of a thousand Firefox tasks are 90 MB in both forms; what is beyond is made again.
_KEPT_BYTES = 160 << 20


class Ids(msgspec.Struct, rename="camel"):
    task_ids: list[str]


class Queue:
    """Groups and tasks; the artifacts of the queue are in `artifact_routes`."""

    def __init__(self, world: World, codings: tuple[str, ...] = OFFERED) -> None:
        self._world = world
        self._codings = codings
        self._pages: OrderedDict[tuple[str, int, int], Document] = OrderedDict()
        self._lock = threading.Lock()

    def endpoints(self) -> list[Endpoint]:
        paged = ("limit", "continuationToken")
        return [
            endpoint("ping", "GET /ping", lambda request: answer(request, {"alive": True, "uptime": 1})),
            endpoint("listTaskGroup", "GET /task-group/:taskGroupId/list", self.list_group, paged, slow=True),
            endpoint("getTaskGroup", "GET /task-group/:taskGroupId", self.group),
            endpoint("task", "GET /task/:taskId", self.task),
            endpoint("status", "GET /task/:taskId/status", self.status),
            endpoint("listDependentTasks", "GET /task/:taskId/dependents", self.dependents, paged, slow=True),
            endpoint("tasks", "POST /tasks", self.tasks, paged, slow=True),
            endpoint("statuses", "POST /tasks/status", self.statuses, paged, slow=True),
        ]

    def _group(self, request: Request) -> Group:
        group_id = request.params["taskGroupId"]
        group = self._world.groups.get(group_id)
        if group is None:
            raise Refusal("ResourceNotFound", f"No task-group with taskGroupId: `{group_id}`")
        return group

    def _task(self, request: Request) -> tuple[Group, Task]:
        return find_task(self._world, request.params["taskId"])

    def _head(self, group: Group) -> Json:
        return {
            "taskGroupId": group.id,
            "schedulerId": "gecko-level-3",
            "expires": group.stamp(3651 * 86400.0),
        }

    def group(self, request: Request) -> Reply:
        return answer(request, self._head(self._group(request)))

    def list_group(self, request: Request) -> Reply:
        group = self._group(request)
        size = page_size(request.query.get("limit"))
        offset = _offset(request)
        if group.changes:
            return serve(request, self._page(group, offset, size))
        key = (group.id, offset, size)
        with self._lock:
            document = self._pages.get(key)
        if document is None:
            document = self._page(group, offset, size)
            self._keep(key, document)
        return serve(request, document)

    def _keep(self, key: tuple[str, int, int], document: Document) -> None:
        with self._lock:
            self._pages[key] = document
            while sum(page.held for page in self._pages.values()) > _KEPT_BYTES and len(self._pages) > 1:
                self._pages.popitem(last=False)

    def _page(self, group: Group, offset: int, size: int) -> Document:
        shown = group.present()[offset : offset + size]
        entries = b",".join(
            encoded({"status": status(group, task), "task": definition(self._world.seed, group, task)})
            for task in shown
        )
        compact = encoded(self._head(group))[:-1] + b',"tasks":[' + entries + b"]"
        if size and len(shown) == size:
            # A full page has a token even if nothing follows: the next one is then empty.
            compact += b',"continuationToken":' + encoded(offset_token(offset + size))
        return Document(compact + b"}")

    def task(self, request: Request) -> Reply:
        group, task = self._task(request)
        return answer(request, definition(self._world.seed, group, task))

    def status(self, request: Request) -> Reply:
        group, task = self._task(request)
        return answer(request, {"status": status(group, task)})

    def dependents(self, request: Request) -> Reply:
        group, task = self._task(request)
        seed = self._world.seed
        found = [
            other for other in group.present() if task.id in (definition(seed, group, other).get("dependencies") or ())
        ]
        shown, more = _slice(request, found)
        tasks = [{"status": status(group, other), "task": definition(seed, group, other)} for other in shown]
        return answer(request, {"taskId": task.id, "tasks": tasks} | more)

    def tasks(self, request: Request) -> Reply:
        shown, more = _slice(request, self._asked(request))
        entries = [{"taskId": task.id, "task": definition(self._world.seed, group, task)} for group, task in shown]
        return answer(request, {"tasks": entries} | more)

    def statuses(self, request: Request) -> Reply:
        shown, more = _slice(request, self._asked(request))
        return answer(
            request, {"statuses": [{"taskId": task.id, "status": status(group, task)} for group, task in shown]} | more
        )

    def _asked(self, request: Request) -> list[tuple[Group, Task]]:
        """The tasks of the body's ids; those that nobody knows are left out without a word."""
        try:
            ids = msgspec.json.decode(request.body, type=Ids).task_ids
        except msgspec.MsgspecError as error:
            raise Refusal("MalformedPayload", f"The request body does not fit the schema: {error}") from error
        return [found for task_id in ids if (found := self._world.find(task_id)) is not None]

    def warm(self, size: int = 1_000) -> None:
        """Makes all pages of the finished group beforehand, so that a benchmark measures its client only."""
        group = self._world.finished
        for offset in range(0, len(group.tasks) + 1, size):
            document = self._page(group, offset, size)
            assert document.compressed(self._codings[0]) and document.etag
            self._keep((group.id, offset, size), document)


def find_task(world: World, task_id: str) -> tuple[Group, Task]:
    found = world.find(task_id)
    if found is None:
        text = f"`{task_id}` does not correspond to a task that exists."
        raise Refusal("ResourceNotFound", f"{text}\nAre you sure this task has already been submitted?")
    return found


def _offset(request: Request) -> int:
    token = request.query.get("continuationToken")
    try:
        return 0 if token is None else offset_of(token)
    except ValueError as error:
        raise Refusal("InputError", "Invalid continuation token") from error


def _slice(request: Request, found: Sequence[T]) -> tuple[Sequence[T], Json]:
    size, offset = page_size(request.query.get("limit")), _offset(request)
    more = {"continuationToken": offset_token(offset + size)} if size and len(found) > offset + size else {}
    return found[offset : offset + size], more
