"""The queue's artifact endpoints: listings page by page, and where the bytes are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backends.demo.replies import Reply, Request
from backends.demo.taskcluster.api import Endpoint, Refusal, answer, endpoint
from backends.demo.taskcluster.artifacts import Artifact, artifacts, expires, find, listed_size
from backends.demo.taskcluster.contents import Contents
from backends.demo.taskcluster.definitions import Json
from backends.demo.taskcluster.hawk import authenticated
from backends.demo.taskcluster.model import Group, Task
from backends.demo.taskcluster.paging import after, key_token, name_of, page_size
from backends.demo.taskcluster.queue import find_task
from backends.demo.taskcluster.world import World

_REASONS = {
    "file-missing-on-worker": "Could not read file '/builds/worker/artifacts/lost' as it does not exist",
    "invalid-resource-on-worker": "The artifact is neither a file nor a directory",
    "too-large-file-on-worker": "The file is larger than the worker may upload",
}


@dataclass(frozen=True)
class Place:
    """One artifact of one run of one task."""

    group: Group
    task: Task
    run_id: int
    artifact: Artifact


class ArtifactRoutes:
    """`sign(task, run, artifact)` gives the URL at the storage, valid for half an hour."""

    def __init__(self, world: World, contents: Contents, sign: Callable[[str, int, Artifact], str]) -> None:
        self._world, self._contents, self._sign = world, contents, sign

    def endpoints(self) -> list[Endpoint]:
        paged = ("limit", "continuationToken")
        found = []
        for prefix, latest in (("GET /task/:taskId/runs/:runId", ""), ("GET /task/:taskId", "Latest")):
            lower = "latestArtifact" if latest else "artifact"
            found += [
                endpoint(f"list{latest}Artifacts", f"{prefix}/artifacts", self.listing, paged, slow=True),
                endpoint(f"get{latest}Artifact", f"{prefix}/artifacts/:name*", self.redirect),
                endpoint(f"{lower}Info", f"{prefix}/artifact-info/:name*", self.info, slow=True),
                endpoint(lower, f"{prefix}/artifact-content/:name*", self.content),
            ]
        return found

    def _run(self, request: Request) -> tuple[Group, Task, int]:
        group, task = find_task(self._world, request.params["taskId"])
        runs = task.runs_at(group.elapsed())
        if "runId" in request.params:
            run_id = int(request.params["runId"])
            if run_id >= len(runs):
                raise Refusal(
                    "ResourceNotFound",
                    f"Task with taskId: `{task.id}` has no run with runId: {request.params['runId']}",
                )
            return group, task, run_id
        if not runs:
            raise Refusal("ResourceNotFound", "Task doesn't have any runs")
        return group, task, len(runs) - 1

    def listing(self, request: Request) -> Reply:
        group, task, run_id = self._run(request)
        found = artifacts(self._world.seed, group, task, run_id)
        size = page_size(request.query.get("limit"))
        start = after([artifact.name for artifact in found], name_of(_token(request), task.id, run_id))
        shown = found[start : start + size]
        body: Json = {"artifacts": [self._entry(Place(group, task, run_id, artifact)) for artifact in shown]}
        if shown and len(shown) == size:
            body["continuationToken"] = key_token(task.id, run_id, shown[-1].name)
        return answer(request, body)

    def _entry(self, place: Place) -> Json:
        artifact = place.artifact
        entry: Json = {
            "storageType": artifact.storage,
            "name": artifact.name,
            "expires": expires(place.group, place.task, artifact),
            "contentType": artifact.content_type,
        }
        if artifact.storage in ("s3", "object") and listed_size(self._world.seed, place.task):
            entry["contentLength"] = self._contents.length(place.group, place.task, place.run_id, artifact)
        return entry

    def _find(self, request: Request) -> Place:
        return self._named(request, *self._run(request), request.params["name"])

    def _named(self, request: Request, group: Group, task: Task, run_id: int, name: str) -> Place:
        # The hostile tasks' server gives away anything: `-rf` and `/etc/passwd` must reach those who save files.
        guarded = not name.startswith("public/") and not task.role.startswith("hostile-")
        if guarded and not authenticated(request):
            raise Refusal("InsufficientScopes", _scopes(name))
        artifact = find(self._world.seed, group, task, run_id, name)
        if artifact is None:
            raise Refusal("ResourceNotFound", "Artifact not found")
        return Place(group, task, run_id, artifact)

    def _followed(self, request: Request) -> Place:
        """The artifact behind all links, if it can be had."""
        place, trail = self._find(request), [request.params["name"]]
        while place.artifact.storage == "link":
            target = place.artifact.detail
            if target in trail:
                raise Refusal("InputError", "Artifact links form a cycle")
            trail.append(target)
            place = self._named(request, place.group, place.task, place.run_id, target)
        if place.artifact.status == 410:
            raise Refusal("ResourceExpired", "Artifact expired")
        if place.artifact.status == 404:
            raise Refusal("ResourceNotFound", "Artifact not found")
        return place

    def info(self, request: Request) -> Reply:
        return answer(request, self._entry(self._find(request)))

    def redirect(self, request: Request) -> Reply:
        place = self._followed(request)
        kind = ("x-taskcluster-artifact-storage-type", place.artifact.storage)
        if place.artifact.storage == "error":
            reason = place.artifact.detail
            return answer(request, {"reason": reason, "message": _REASONS[reason]}, 424, (kind,))
        url = self._sign(place.task.id, place.run_id, place.artifact)
        return answer(request, {"storageType": place.artifact.storage, "url": url}, 303, (kind, ("location", url)))

    def content(self, request: Request) -> Reply:
        place = self._followed(request)
        storage = place.artifact.storage
        if storage == "error":
            reason = place.artifact.detail
            return answer(request, {"storageType": storage, "reason": reason, "message": _REASONS[reason]})
        if storage == "object":
            name = f"t/{place.task.id}/{place.run_id}/{place.artifact.name}"
            credentials = {"clientId": "queue/object", "accessToken": "none", "certificate": "{}"}
            return answer(
                request, {"storageType": storage, "name": name, "projectId": "gecko", "credentials": credentials}
            )
        url = self._sign(place.task.id, place.run_id, place.artifact)
        return answer(request, {"storageType": storage, "url": url})


def _token(request: Request) -> str:
    return request.query.get("continuationToken", "")


def _scopes(name: str) -> str:
    expression = f'{{\n  "AllOf": [\n    "queue:get-artifact:{name}"\n  ]\n}}'
    return (
        "This request requires Taskcluster credentials that satisfy the following scope expression:\n\n"
        f"```\n{expression}\n```"
    )
