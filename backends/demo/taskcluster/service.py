"""The synthetic Taskcluster: queue and index services at the root URL, and the storage that has the artifacts' bytes.

The services answer indented JSON with weak ETags, compressed, and errors that name their method. As on the
real services a damaged page token means the first page, and one with impossible characters is refused.
"""

from __future__ import annotations

import asyncio
import binascii
import hashlib
import hmac
import json
import re
import time
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import TypeVar
from urllib.parse import quote

import msgspec

from backends.demo.asgi import (
    CODINGS,
    HTML,
    DemoReply,
    DemoRequest,
    Headers,
    choose_coding,
    compile_route,
    compress,
    ranged_reply,
)
from backends.demo.deterministic_random import digest, hexadecimal
from backends.demo.hawk import HawkRefusedError, verify_request
from backends.demo.taskcluster.artifacts import (
    DemoArtifact,
    artifacts_by_name,
    expires,
    find_artifact,
    has_content_length,
    list_artifacts,
)
from backends.demo.taskcluster.definitions import Json, task_definition, task_status
from backends.demo.taskcluster.fixtures import DemoIndexEntry, Fixtures
from backends.demo.taskcluster.model import DemoGroup, DemoTask
from backends.demo.taskcluster.payloads import Payload, Payloads, log_text

T = TypeVar("T")

CLIENT_ID = "demo/reader"
ACCESS_TOKEN = "synthetic-access-token-of-the-embedded-ci"  # noqa: S105 - grants access to synthetic data only
SLUGID = r"^[A-Za-z0-9_-]{8}[Q-T][A-Za-z0-9_-][CGKOSWaeimquy26-][A-Za-z0-9_-]{10}[AQgw]$"
_RUN_ID = r"^[1-9]*[0-9]+$"
_PATTERNS = {"taskId": SLUGID, "taskGroupId": SLUGID, "runId": _RUN_ID, "limit": "^[0-9]+$"}
_HAWK_SKEW = 15 * 60
PAGE = 1_000
_LEAST_COMPRESSED = 1024  # bytes
_CACHED_FROM = 1 << 20  # bytes
_STATUSES = {
    "InvalidRequestArguments": 400, "InputError": 400, "MalformedPayload": 400, "AuthenticationFailed": 401,
    "InsufficientScopes": 403, "ResourceNotFound": 404, "ResourceExpired": 410,
}  # fmt: skip
_HEADERS: Headers = (
    ("Cache-Control", "no-store no-cache must-revalidate"),
    ("Content-Type", "application/json; charset=utf-8"),
    ("Vary", "Accept-Encoding"),
)
_ARTIFACT_ERRORS = {
    "file-missing-on-worker": "Could not read file '/builds/worker/artifacts/lost' as it does not exist",
    "invalid-resource-on-worker": "The artifact is neither a file nor a directory",
    "too-large-file-on-worker": "The file is larger than the worker may upload",
}
_WEB_PAGE = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Taskcluster (embedded demo)</title></head>
<body><div id="root">The embedded CI of ciexplore. It has services, but no web interface.</div></body></html>
"""

SIGNED_SECONDS = 30 * 60
_STORAGE_PATH = compile_route("/(?P<area>pub|priv|obj|ref|live)/{task}/{run:int}/{name:path}")
_AREAS = {"object": "obj", "reference": "ref"}
_LIVE_POLL_SECONDS = 0.25  # a live log grows a few times a second, as a worker's does


class TaskclusterError(Exception):
    """A response of the service that is not a success: one of the codes above and a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class _Route:
    """`paged` ones have a limit and a continuation token."""

    name: str
    path: str
    handle: Callable[[DemoRequest], DemoReply]
    method: str = "GET"
    paged: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return compile_route(self.path)


_compress_page = lru_cache(maxsize=16)(compress)  # pages of 8 MB are served repeatedly


class Taskcluster:
    """Queue and index, version 1. `codings`: the content codings that the services offer, in order of preference."""

    def __init__(self, fixtures: Fixtures, storage: Storage, codings: tuple[str, ...] = CODINGS) -> None:
        self.fixtures, self._storage, self._codings = fixtures, storage, codings
        self._url = ""
        self._cached_page = lru_cache(maxsize=16)(self._group_page)
        queue, index = "/api/queue/v1", "/api/index/v1"
        group, task = f"{queue}/task-group/{{taskGroupId}}", f"{queue}/task/{{taskId}}"
        run = f"{task}/runs/{{runId}}"
        self._routes = [
            _Route("listTaskGroup", f"{group}/list", self._list_group, paged=True),
            _Route("getTaskGroup", group, self._get_group),
            _Route("task", task, self._get_task),
            _Route("status", f"{task}/status", self._get_status),
            _Route("listDependentTasks", f"{task}/dependents", self._list_dependents, paged=True),
            _Route("tasks", f"{queue}/tasks", self._get_tasks, "POST", paged=True),
            _Route("statuses", f"{queue}/tasks/status", self._get_statuses, "POST", paged=True),
            _Route("listArtifacts", f"{run}/artifacts", self._list_artifacts, paged=True),
            _Route("getArtifact", f"{run}/artifacts/{{name:path}}", self._get_artifact),
            _Route("listLatestArtifacts", f"{task}/artifacts", self._list_artifacts, paged=True),
            _Route("getLatestArtifact", f"{task}/artifacts/{{name:path}}", self._get_artifact),
            _Route("findTask", f"{index}/task/{{indexPath}}", self._find_indexed_task),
            _Route("listNamespaces", f"{index}/namespaces(?:/{{namespace}})?", self._list_namespaces, paged=True),
            _Route("listTasks", f"{index}/tasks(?:/{{namespace}})?", self._list_indexed_tasks, paged=True),
        ]

    def ready(self, url: str) -> None:
        self._url = url

    def settings(self) -> dict[str, str]:
        return {"TASKCLUSTER_ROOT_URL": self._url}

    def reply(self, request: DemoRequest) -> DemoReply:
        route, request = self._find_route(request)
        if route is None:
            if request.path.startswith("/api/"):
                return self._json(request, {"error": "Not found"}, 404)
            # Every other path is the single-page web interface: a client with a wrong root URL gets HTML and 200.
            return DemoReply(200, _WEB_PAGE, HTML)
        try:
            _check(route, request)
            return route.handle(request)
        except TaskclusterError as error:
            return self._error(route.name, request, error)

    def warm(self) -> None:
        """Generates all pages of the finished group, so that a benchmark measures its client only."""
        group = self.fixtures.finished
        for offset in range(0, len(group.tasks) + 1, PAGE):
            _compress_page(self._cached_page(group.id, offset, PAGE), self._codings[0])

    def _find_route(self, request: DemoRequest) -> tuple[_Route | None, DemoRequest]:
        method = "GET" if request.method == "HEAD" else request.method
        for route in self._routes:
            if route.method == method and (match := route.pattern.fullmatch(request.path)):
                params = {name: value for name, value in match.groupdict().items() if value is not None}
                return route, replace(request, params=params)
        return None, request

    # Replies

    def _json(self, request: DemoRequest, value: object, status: int = 200, headers: Headers = ()) -> DemoReply:
        return self._body(request, msgspec.json.format(_encode(value), indent=2), status, headers)

    def _body(self, request: DemoRequest, body: bytes, status: int = 200, headers: Headers = ()) -> DemoReply:
        sha1 = hashlib.sha1(body, usedforsecurity=False).digest()
        etag = f'W/"{len(body):x}-{b64encode(sha1).decode().rstrip("=")}"'
        headers = (*_HEADERS, *headers, ("ETag", etag))
        if status == 200 and request.headers.get("if-none-match") == etag:
            return DemoReply(304, b"", headers)
        coding = choose_coding(request.headers.get("accept-encoding", ""), self._codings)
        if coding and len(body) >= _LEAST_COMPRESSED:
            # The real services compress while sending and do not know the length beforehand either.
            encode = _compress_page if len(body) >= _CACHED_FROM else compress
            return DemoReply(status, encode(body, coding), (*headers, ("Content-Encoding", coding)), chunked=True)
        return DemoReply(status, body, headers)

    def _error(self, name: str, request: DemoRequest, error: TaskclusterError) -> DemoReply:
        now, status = datetime.now(UTC), _STATUSES[error.code]
        moment = now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"
        message = (
            f"{error.message}\n\n---\n\n* method:     {name}\n* errorCode:  {error.code}\n"
            f"* statusCode: {status}\n* time:       {moment}"
        )
        details = {"method": name, "params": dict(request.params), "payload": {}, "time": moment}
        return self._json(request, {"code": error.code, "message": message, "requestInfo": details}, status)

    # Groups and tasks

    def _group(self, request: DemoRequest) -> DemoGroup:
        group_id = request.params["taskGroupId"]
        group = self.fixtures.groups.get(group_id)
        if group is None:
            raise TaskclusterError("ResourceNotFound", f"No task-group with taskGroupId: `{group_id}`")
        return group

    def _task(self, request: DemoRequest) -> tuple[DemoGroup, DemoTask]:
        found = self.fixtures.find(request.params["taskId"])
        if found is None:
            text = f"`{request.params['taskId']}` does not correspond to a task that exists."
            raise TaskclusterError("ResourceNotFound", f"{text}\nAre you sure this task has already been submitted?")
        return found

    def _get_group(self, request: DemoRequest) -> DemoReply:
        return self._json(request, _group_head(self._group(request)))

    def _list_group(self, request: DemoRequest) -> DemoReply:
        group = self._group(request)
        make_page = self._group_page if group.changes else self._cached_page
        return self._body(request, make_page(group.id, _offset(request), _page_size(request)))

    def _group_page(self, group_id: str, offset: int, size: int) -> bytes:
        group = self.fixtures.groups[group_id]
        tasks = group.present()[offset : offset + size]
        entries = b",".join(_encode(self._entry(group, task)) for task in tasks)
        compact = _encode(_group_head(group))[:-1] + b',"tasks":[' + entries + b"]"
        if size and len(tasks) == size:
            # A full page has a token even if nothing follows: the next page is then empty.
            compact += b',"continuationToken":' + _encode(offset_token(offset + size))
        return msgspec.json.format(compact + b"}", indent=2)

    def _entry(self, group: DemoGroup, task: DemoTask) -> Json:
        return {"status": task_status(group, task), "task": task_definition(self.fixtures.seed, group, task)}

    def _get_task(self, request: DemoRequest) -> DemoReply:
        return self._json(request, task_definition(self.fixtures.seed, *self._task(request)))

    def _get_status(self, request: DemoRequest) -> DemoReply:
        return self._json(request, {"status": task_status(*self._task(request))})

    def _list_dependents(self, request: DemoRequest) -> DemoReply:
        group, task = self._task(request)
        definitions = [(other, task_definition(self.fixtures.seed, group, other)) for other in group.present()]
        dependents = [(other, one) for other, one in definitions if task.id in (one.get("dependencies") or ())]
        page = _page(request, "tasks", dependents)
        page["tasks"] = [{"status": task_status(group, other), "task": one} for other, one in page["tasks"]]
        return self._json(request, {"taskId": task.id} | page)

    def _get_tasks(self, request: DemoRequest) -> DemoReply:
        entries = [
            {"taskId": task.id, "task": task_definition(self.fixtures.seed, group, task)}
            for group, task in self._requested_tasks(request)
        ]
        return self._json(request, _page(request, "tasks", entries))

    def _get_statuses(self, request: DemoRequest) -> DemoReply:
        entries = [
            {"taskId": task.id, "status": task_status(group, task)} for group, task in self._requested_tasks(request)
        ]
        return self._json(request, _page(request, "statuses", entries))

    def _requested_tasks(self, request: DemoRequest) -> list[tuple[DemoGroup, DemoTask]]:
        """The tasks of the body's ids; unknown ones are left out."""
        try:
            ids = msgspec.json.decode(request.body, type=dict[str, list[str]])["taskIds"]
        except (msgspec.MsgspecError, KeyError) as error:
            raise TaskclusterError("MalformedPayload", f"The request body does not fit the schema: {error}") from error
        return [found for task_id in ids if (found := self.fixtures.find(task_id)) is not None]

    # Artifacts

    def _run(self, request: DemoRequest) -> tuple[DemoGroup, DemoTask, int]:
        group, task = self._task(request)
        runs = task.runs_at(group.elapsed())
        run_id = request.params.get("runId")
        if run_id is not None and int(run_id) >= len(runs):
            text = f"Task with taskId: `{task.id}` has no run with runId: {run_id}"
            raise TaskclusterError("ResourceNotFound", text)
        if not runs:
            raise TaskclusterError("ResourceNotFound", "Task doesn't have any runs")
        return group, task, len(runs) - 1 if run_id is None else int(run_id)

    def _list_artifacts(self, request: DemoRequest) -> DemoReply:
        group, task, run_id = self._run(request)
        seed, size = self.fixtures.seed, _page_size(request)
        after = _name_in_token(request.query.get("continuationToken", ""), task.id, run_id)
        artifacts = [one for one in list_artifacts(seed, group, task, run_id) if one.name > after or not after][:size]
        entries: list[Json] = []
        for artifact in artifacts:
            entry: Json = {
                "storageType": artifact.storage,
                "name": artifact.name,
                "expires": expires(group, task, artifact),
                "contentType": artifact.content_type,
            }
            if artifact.storage in ("s3", "object") and has_content_length(seed, task):
                entry["contentLength"] = self._storage.payloads.length(task, run_id, artifact)
            entries.append(entry)
        body: Json = {"artifacts": entries}
        if artifacts and len(artifacts) == size:
            token = msgspec.json.encode((task.id, run_id, artifacts[-1].name))
            body["continuationToken"] = b64encode(token).decode()
        return self._json(request, body)

    def _get_artifact(self, request: DemoRequest) -> DemoReply:
        group, task, run_id = self._run(request)
        names = [request.params["name"]]
        artifact = self._find_artifact(request, group, task, run_id, names[0])
        while artifact.storage == "link":
            if artifact.detail in names:
                raise TaskclusterError("InputError", "Artifact links form a cycle")
            names.append(artifact.detail)
            artifact = self._find_artifact(request, group, task, run_id, artifact.detail)
        if artifact.status == 410:
            raise TaskclusterError("ResourceExpired", "Artifact expired")
        if artifact.status == 404:
            raise TaskclusterError("ResourceNotFound", "Artifact not found")
        headers: Headers = (("x-taskcluster-artifact-storage-type", artifact.storage),)
        if artifact.storage == "error":
            reason = artifact.detail
            return self._json(request, {"reason": reason, "message": _ARTIFACT_ERRORS[reason]}, 424, headers)
        url = self._storage.sign(task.id, run_id, artifact)
        return self._json(request, {"storageType": artifact.storage, "url": url}, 303, (*headers, ("location", url)))

    def _find_artifact(
        self, request: DemoRequest, group: DemoGroup, task: DemoTask, run_id: int, name: str
    ) -> DemoArtifact:
        # The hostile tasks' artifacts are all public: `-rf` and `/etc/passwd` must reach those who save files.
        private = not name.startswith("public/") and not task.role.startswith("hostile-")
        if private and "authorization" not in request.headers:
            expression = f'{{\n  "AllOf": [\n    "queue:get-artifact:{name}"\n  ]\n}}'
            text = "This request requires Taskcluster credentials that satisfy the following scope expression:"
            raise TaskclusterError("InsufficientScopes", f"{text}\n\n```\n{expression}\n```")
        artifact = find_artifact(self.fixtures.seed, group, task, run_id, name)
        if artifact is None:
            raise TaskclusterError("ResourceNotFound", "Artifact not found")
        return artifact

    # The index

    def _index_entry(self, entry: DemoIndexEntry) -> Json:
        names = {"namespace": entry.namespace, "taskId": entry.task_id, "rank": entry.rank, "data": {}}
        return names | {"expires": self._index_expires()}

    def _index_expires(self) -> str:
        return self.fixtures.finished.stamp(3650 * 86400.0)

    def _find_indexed_task(self, request: DemoRequest) -> DemoReply:
        entry = self.fixtures.index.get(request.params["indexPath"])
        if entry is None:
            raise TaskclusterError("ResourceNotFound", "Indexed task not found")
        return self._json(request, self._index_entry(entry))

    def _list_indexed_tasks(self, request: DemoRequest) -> DemoReply:
        """The tasks directly in a namespace."""
        namespace, index = request.params.get("namespace", ""), self.fixtures.index
        entries = [one for one in index.values() if one.namespace.rpartition(".")[0] == namespace]
        return self._json(request, _page(request, "tasks", [self._index_entry(entry) for entry in entries]))

    def _list_namespaces(self, request: DemoRequest) -> DemoReply:
        """The namespaces directly in a namespace; a path whose last part is a task is not one."""
        namespace = request.params.get("namespace", "")
        prefix = f"{namespace}." if namespace else ""
        below = [name.removeprefix(prefix) for name in self.fixtures.index if name.startswith(prefix)]
        names = sorted({name.partition(".")[0] for name in below if "." in name})
        entries = [{"namespace": prefix + name, "name": name, "expires": self._index_expires()} for name in names]
        return self._json(request, _page(request, "namespaces", entries))


def _check(route: _Route, request: DemoRequest) -> None:
    """Refuses malformed ids, unknown query parameters and wrong credentials, in the words of the real services."""
    problems = []
    for name, value in request.params.items():
        if name in _PATTERNS and not re.search(_PATTERNS[name], value):
            expected = f"must match regular expression: '/{_PATTERNS[name]}/'"
            problems.append(f"URL parameter '{name}' given as '{value}' {expected}")
    if problems:
        raise TaskclusterError("InvalidRequestArguments", "\n".join(["Invalid URL patterns:", *problems]))
    for name, value in request.query.items():
        if not route.paged or name not in ("limit", "continuationToken"):
            raise TaskclusterError("InvalidRequestArguments", f"Query-string parameter: {name} is not supported!")
        if name in _PATTERNS and not re.search(_PATTERNS[name], value):
            text = f'Query-string parameter: {name}="{value}" does not match expression: /{_PATTERNS[name]}/'
            raise TaskclusterError("InvalidRequestArguments", text)
    if "authorization" in request.headers:
        try:
            verify_request(request, CLIENT_ID, ACCESS_TOKEN, skew=_HAWK_SKEW)
        except HawkRefusedError as error:
            raise TaskclusterError("AuthenticationFailed", str(error)) from error


def _encode(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except OverflowError:  # numbers beyond 64 bits, which only hostile tasks have
        return json.dumps(value, separators=(",", ":")).encode()


def _group_head(group: DemoGroup) -> Json:
    return {"taskGroupId": group.id, "schedulerId": "gecko-level-3", "expires": group.stamp(3651 * 86400.0)}


def _page_size(request: DemoRequest) -> int:
    return min(int(request.query.get("limit", PAGE)), PAGE)


def _page(request: DemoRequest, key: str, entries: Sequence[T]) -> Json:
    size, offset = _page_size(request), _offset(request)
    more = {"continuationToken": offset_token(offset + size)} if size and len(entries) > offset + size else {}
    return {key: entries[offset : offset + size]} | more


def _offset(request: DemoRequest) -> int:
    token = request.query.get("continuationToken")
    try:
        return 0 if token is None else offset_in_token(token)
    except ValueError as error:
        raise TaskclusterError("InputError", "Invalid continuation token") from error


def offset_token(offset: int) -> str:
    return f"{offset}x{hexadecimal(8, 'offset token', offset)}"


def offset_in_token(token: str) -> int:
    """The offset in a token, 0 if it is damaged. Raises ValueError for characters that no token has."""
    if not re.fullmatch("[A-Za-z0-9]+", token):
        raise ValueError(token)
    offset = token.partition("x")[0]
    return int(offset) if offset.isdecimal() and offset_token(int(offset)) == token else 0


def _name_in_token(token: str, task_id: str, run_id: int) -> str:
    """The artifact name after which the page starts, "" (the first page) if the token is damaged or of another run."""
    try:
        key = msgspec.json.decode(b64decode(token, validate=True), type=tuple[str, int, str])
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return key[2] if key[:2] == (task_id, run_id) else ""


class Storage:
    """Like S3: signed URLs, ranges, stored gzip, strong ETags, and live logs. `now` judges when signatures expire.

    As the real ones it refuses a request that has credentials besides the signature, and sends stored gzip to clients
    that did not ask for it.
    """

    def __init__(self, fixtures: Fixtures, now: Callable[[], float] = time.time) -> None:
        self._fixtures, self._now = fixtures, now
        self._url = ""
        self._secret = digest(fixtures.seed, "storage secret")
        self.payloads = Payloads(fixtures)

    def ready(self, url: str) -> None:
        self._url = url

    def settings(self) -> dict[str, str]:
        return {}

    def sign(self, task_id: str, run_id: int, artifact: DemoArtifact) -> str:
        """The URL of an artifact; all but references and live logs have a signature that is valid for half an hour."""
        key = f"{task_id}/{run_id}/{_quote_name(artifact.name)}"
        if artifact.content == "live":
            return f"{self._url}/live/{key}"
        area = _AREAS.get(artifact.storage) or ("pub" if artifact.public else "priv")
        if area == "ref":
            return f"{self._url}/ref/{key}"
        stamp = datetime.fromtimestamp(self._now(), UTC).strftime("%Y%m%dT%H%M%SZ")
        signature = self._signature(f"/{area}/{task_id}/{run_id}/{artifact.name}", stamp)
        return (
            f"{self._url}/{area}/{key}?X-Amz-Algorithm=AWS4-HMAC-SHA256"
            f"&X-Amz-Credential=demo%2F{stamp[:8]}%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date={stamp}"
            f"&X-Amz-Expires={SIGNED_SECONDS}&X-Amz-Signature={signature}&X-Amz-SignedHeaders=host"
        )

    def _signature(self, path: str, stamp: str) -> str:
        return hmac.new(self._secret, f"{path}\n{stamp}\n{SIGNED_SECONDS}".encode(), hashlib.sha256).hexdigest()

    def reply(self, request: DemoRequest) -> DemoReply:
        if request.method not in ("GET", "HEAD"):
            return _xml_error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        if "authorization" in request.headers or "cookie" in request.headers:
            return _xml_error(400, "InvalidArgument", "Only one auth mechanism allowed")
        match = _STORAGE_PATH.fullmatch(request.path)
        if match is not None and match["area"] in ("pub", "priv", "obj") and (error := self._check_signature(request)):
            return error
        found = None if match is None else self._fixtures.find(match["task"])
        if match is None or found is None or int(match["run"]) >= len(found[1].runs_at(found[0].elapsed())):
            return _xml_error(404, "NoSuchKey", "The specified key does not exist.")
        group, task, run_id = *found, int(match["run"])
        artifact = find_artifact(self._fixtures.seed, group, task, run_id, match["name"])
        if artifact is None or artifact.content in ("missing", "link", "error"):
            return _xml_error(404, "NoSuchKey", "The specified key does not exist.")
        if artifact.content != "live":
            return _send_payload(request, self.payloads.payload(task, run_id, artifact))
        backing = artifacts_by_name(self._fixtures.seed, task, run_id)["public/logs/live_backing.log"]
        text = log_text(self._fixtures.seed, group, task, run_id, backing.name, backing.size or 0)
        run = task.history[run_id]
        stream = _stream_live_log(group, text, run.started or 0.0, run.ended or 0.0)
        return DemoReply(200, headers=(("Content-Type", artifact.content_type),), stream=stream)

    def _check_signature(self, request: DemoRequest) -> DemoReply | None:
        stamp = request.query.get("X-Amz-Date", "")
        if not hmac.compare_digest(self._signature(request.path, stamp), request.query.get("X-Amz-Signature", "")):
            return _xml_error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
        signed = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        if self._now() > signed + SIGNED_SECONDS:
            return _xml_error(403, "AccessDenied", "Request has expired")
        return None


async def _stream_live_log(group: DemoGroup, text: bytes, started: float, ended: float) -> AsyncIterator[bytes]:
    """The log's lines as they are written, until the run is resolved: the connection stays open that long."""
    sent = 0
    while True:
        share = min((group.elapsed() - started) / max(ended - started, 1.0), 1.0)
        visible = len(text) if share >= 1 else text.rfind(b"\n", 0, int(len(text) * max(share, 0.0))) + 1
        if visible > sent:
            yield text[sent:visible]
            sent = visible
        if share >= 1:
            return
        await asyncio.sleep(_LIVE_POLL_SECONDS)


def _send_payload(request: DemoRequest, payload: Payload) -> DemoReply:
    """A stored payload or the requested range of it (of the stored bytes, so of the gzip file if it is one)."""
    headers: Headers = (
        ("Content-Type", payload.content_type),
        ("ETag", payload.etag),
        ("Last-Modified", "Fri, 20 Nov 2026 08:00:00 GMT"),
        ("Accept-Ranges", "bytes"),
        *((("Content-Encoding", payload.encoding),) if payload.encoding else ()),
    )
    if request.headers.get("if-none-match") == payload.etag:
        return DemoReply(304, b"", headers)
    unchanged = request.headers.get("if-range", payload.etag) == payload.etag
    asked = request.headers.get("range", "") if unchanged else ""
    error = _xml_error(416, "InvalidRange", "The requested range is not satisfiable")
    return ranged_reply(asked, headers, payload.size, payload.chunks, error)


def _quote_name(name: str) -> str:
    """Slashes stay, unless a client could normalise away a segment that is `.`, `..` or empty."""
    if any(part in ("", ".", "..") for part in name.split("/")):
        return quote(name, safe="").replace(".", "%2E")
    return quote(name, safe="/")


def _xml_error(status: int, code: str, message: str) -> DemoReply:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return DemoReply(status, body.encode(), (("Content-Type", "application/xml"),))
