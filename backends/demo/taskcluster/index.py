"""The index service, version 1: tasks by path, and the tree of paths."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from backends.demo.replies import Reply, Request
from backends.demo.taskcluster.api import Endpoint, Refusal, answer, endpoint
from backends.demo.taskcluster.definitions import Json
from backends.demo.taskcluster.paging import offset_of, offset_token, page_size
from backends.demo.taskcluster.world import Indexed, World


class Paths(msgspec.Struct):
    indexes: list[str]


class Index:
    """`root_url` is where findArtifactFromTask redirects to: the queue under the same root."""

    def __init__(self, world: World, root_url: str) -> None:
        self._world, self._root_url = world, root_url

    def endpoints(self) -> list[Endpoint]:
        paged = ("limit", "continuationToken")
        return [
            endpoint("ping", "GET /ping", lambda request: answer(request, {"alive": True, "uptime": 1})),
            endpoint("findArtifactFromTask", "GET /task/:indexPath/artifacts/:name*", self.artifact),
            endpoint("findTask", "GET /task/:indexPath", self.find),
            endpoint("findTasksAtIndex", "POST /tasks/indexes", self.find_many, paged),
            endpoint("listNamespaces", "GET /namespaces", self.namespaces, paged),
            endpoint("listNamespaces", "GET /namespaces/:namespace", self.namespaces, paged),
            endpoint("listTasks", "GET /tasks", self.tasks, paged),
            endpoint("listTasks", "GET /tasks/:namespace", self.tasks, paged),
        ]

    def _entry(self, entry: Indexed) -> Json:
        return {
            "namespace": entry.namespace,
            "taskId": entry.task_id,
            "rank": entry.rank,
            "data": {},
            "expires": self._expires(),
        }

    def _expires(self) -> str:
        return self._world.finished.stamp(3650 * 86400.0)

    def _found(self, request: Request) -> Indexed:
        entry = self._world.index.get(request.params["indexPath"])
        if entry is None:
            raise Refusal("ResourceNotFound", "Indexed task not found")
        return entry

    def find(self, request: Request) -> Reply:
        return answer(request, self._entry(self._found(request)))

    def artifact(self, request: Request) -> Reply:
        name = quote(request.params["name"], safe="")
        url = f"{self._root_url}/api/queue/v1/task/{self._found(request).task_id}/artifacts/{name}"
        headers = (
            ("Cache-Control", "no-store no-cache must-revalidate"),
            ("Location", url),
            ("Vary", "Accept, Accept-Encoding"),
            ("Content-Type", "text/plain; charset=utf-8"),
        )
        return Reply(303, f"See Other. Redirecting to {url}".encode(), headers)

    def find_many(self, request: Request) -> Reply:
        try:
            paths = msgspec.json.decode(request.body, type=Paths).indexes
        except msgspec.MsgspecError as error:
            raise Refusal("MalformedPayload", f"The request body does not fit the schema: {error}") from error
        entries = [self._entry(self._world.index[path]) for path in sorted(set(paths)) if path in self._world.index]
        return self._page(request, "tasks", entries)

    def tasks(self, request: Request) -> Reply:
        """The tasks directly in a namespace."""
        inside = request.params.get("namespace", "")
        entries = [
            self._entry(entry) for entry in self._world.index.values() if entry.namespace.rpartition(".")[0] == inside
        ]
        return self._page(request, "tasks", entries)

    def namespaces(self, request: Request) -> Reply:
        """The namespaces directly in a namespace; a path whose last part is a task is not one."""
        inside = request.params.get("namespace", "")
        prefix = f"{inside}." if inside else ""
        names = sorted(
            {
                entry.namespace[len(prefix) :].split(".")[0]
                for entry in self._world.index.values()
                if entry.namespace.startswith(prefix) and "." in entry.namespace[len(prefix) :]
            }
        )
        entries = [{"namespace": prefix + name, "name": name, "expires": self._expires()} for name in names]
        return self._page(request, "namespaces", entries)

    def _page(self, request: Request, key: str, entries: list[Json]) -> Reply:
        size = page_size(request.query.get("limit"))
        try:
            offset = offset_of(request.query["continuationToken"]) if "continuationToken" in request.query else 0
        except ValueError as error:
            raise Refusal("InputError", "Invalid continuation token") from error
        body: Json = {key: entries[offset : offset + size]}
        if size and len(entries) > offset + size:
            body["continuationToken"] = offset_token(offset + size)
        return answer(request, body)
