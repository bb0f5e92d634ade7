"""Where the bytes are: an S3-like origin of its own, with signed URLs, ranges, stored gzip, and live logs.

As the real ones it refuses a request that carries credentials besides the signature, sends stored gzip to clients
that did not ask for it, and honours Range and If-Range by a strong ETag.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from urllib.parse import quote

from backends.demo.replies import Reply, Request
from backends.demo.seeds import digest
from backends.demo.taskcluster.artifacts import Artifact, by_name, find
from backends.demo.taskcluster.contents import Body, Contents
from backends.demo.taskcluster.model import Group, Task
from backends.demo.taskcluster.texts import log_text
from backends.demo.taskcluster.world import World

SIGNED_SECONDS = 30 * 60
_PATH = re.compile(r"/(?P<area>pub|priv|obj|ref|live)/(?P<task>[^/]+)/(?P<run>\d+)/(?P<name>.+)", re.DOTALL)
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_AREAS = {"object": "obj", "reference": "ref"}
# A live log grows a few times a second, as a worker's does.
_LIVE_POLL_SECONDS = 0.25


class Storage:
    """`origin` is this server's own `http://host:port`; `now` the UTC timestamp that expiry is judged by."""

    def __init__(self, world: World, contents: Contents, origin: str, now: Callable[[], float] = time.time) -> None:
        self._world, self._contents, self._origin, self._now = world, contents, origin, now
        self._secret = digest(world.seed, "storage secret")

    def sign(self, task_id: str, run_id: int, artifact: Artifact) -> str:
        """A URL for one artifact; all but references and live logs carry a signature good for half an hour."""
        key = f"{task_id}/{run_id}/{_encoded(artifact.name)}"
        if artifact.content == "live":
            return f"{self._origin}/live/{key}"
        area = _AREAS.get(artifact.storage) or ("pub" if artifact.public else "priv")
        path = f"/{area}/{key}"
        if area == "ref":
            return self._origin + path
        decoded = f"/{area}/{task_id}/{run_id}/{artifact.name}"
        stamp = datetime.fromtimestamp(self._now(), UTC).strftime("%Y%m%dT%H%M%SZ")
        return (
            f"{self._origin}{path}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=demo%2F{stamp[:8]}%2Fus-east-1"
            f"%2Fs3%2Faws4_request&X-Amz-Date={stamp}&X-Amz-Expires={SIGNED_SECONDS}"
            f"&X-Amz-Signature={self._signature(decoded, stamp)}&X-Amz-SignedHeaders=host"
        )

    def _signature(self, path: str, stamp: str) -> str:
        return hmac.new(self._secret, f"{path}\n{stamp}\n{SIGNED_SECONDS}".encode(), hashlib.sha256).hexdigest()

    def answer(self, request: Request) -> Reply:
        """The whole origin: anything that is not an artifact's URL is a missing key."""
        if request.method not in ("GET", "HEAD"):
            return _failure(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        if "authorization" in request.headers or "cookie" in request.headers:
            return _failure(400, "InvalidArgument", "Only one auth mechanism allowed")
        match = _PATH.fullmatch(request.path)
        if match is None:
            return _failure(404, "NoSuchKey", "The specified key does not exist.")
        if match["area"] in ("pub", "priv", "obj") and (refusal := self._unsigned(request)):
            return refusal
        found = self._find(match["task"], int(match["run"]), match["name"])
        if found is None:
            return _failure(404, "NoSuchKey", "The specified key does not exist.")
        group, task, artifact = found
        if artifact.content == "live":
            return self._live(group, task, int(match["run"]), artifact)
        body = self._contents.body(group, task, int(match["run"]), artifact)
        return deliver(request, body)

    def ready(self, request: Request) -> bool:
        """Whether the answer needs no content to be made first."""
        match = _PATH.fullmatch(request.path)
        return match is None or self._contents.ready(match["task"], int(match["run"]), match["name"])

    def _unsigned(self, request: Request) -> Reply | None:
        stamp = request.query.get("X-Amz-Date", "")
        expected = self._signature(request.path, stamp)
        if not hmac.compare_digest(expected, request.query.get("X-Amz-Signature", "")):
            return _failure(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
        signed = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        if self._now() > signed + SIGNED_SECONDS:
            return _failure(403, "AccessDenied", "Request has expired")
        return None

    def _find(self, task_id: str, run_id: int, name: str) -> tuple[Group, Task, Artifact] | None:
        found = self._world.find(task_id)
        if found is None or run_id >= len(found[1].runs_at(found[0].elapsed())):
            return None
        artifact = find(self._world.seed, *found, run_id, name)
        if artifact is None or artifact.content in ("missing", "link", "error"):
            return None
        return *found, artifact

    def _live(self, group: Group, task: Task, run_id: int, artifact: Artifact) -> Reply:
        run = task.history[run_id]
        backing = _backing(self._world, task, run_id)
        text = log_text(self._world.seed, group, task, run_id, backing.name, backing.size or 0)
        started, ended = run.started or 0.0, run.ended or 0.0
        return Reply(200, headers=(("Content-Type", artifact.content_type),), stream=_grow(group, text, started, ended))


def _backing(world: World, task: Task, run_id: int) -> Artifact:
    """The backing log that this run will have."""
    return by_name(world.seed, task, run_id)["public/logs/live_backing.log"]


async def _grow(group: Group, text: bytes, started: float, ended: float) -> AsyncIterator[bytes]:
    """The log's lines as they come, until the run is resolved: the connection stays open that long."""
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


def deliver(request: Request, body: Body) -> Reply:
    """A stored body, whole or the range that was asked for (of the stored bytes, so of the gzip if it is one)."""
    headers = (
        ("Content-Type", body.content_type),
        ("ETag", body.etag),
        ("Last-Modified", "Fri, 20 Nov 2026 08:00:00 GMT"),
        ("Accept-Ranges", "bytes"),
        *((("Content-Encoding", body.encoding),) if body.encoding else ()),
    )
    if request.headers.get("if-none-match") == body.etag:
        return Reply(304, b"", headers)
    wanted = _wanted(request, body)
    if wanted is None:
        return Reply(200, b"", headers, body.chunks(0, body.size), body.size)
    start, stop = wanted
    if start >= stop:
        range_ = (("Content-Range", f"bytes */{body.size}"),)
        return _failure(416, "InvalidRange", "The requested range is not satisfiable", range_)
    content_range = ("Content-Range", f"bytes {start}-{stop - 1}/{body.size}")
    return Reply(206, b"", (*headers, content_range), body.chunks(start, stop), stop - start)


def _wanted(request: Request, body: Body) -> tuple[int, int] | None:
    """The asked range as start and stop, None for the whole body; an empty one cannot be satisfied."""
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    if match is None or match.groups() == ("", ""):
        return None
    if request.headers.get("if-range", body.etag) != body.etag:
        return None
    first, last = match.groups()
    if not first:
        return max(body.size - int(last), 0), body.size if int(last) else 0
    return int(first), min(int(last) + 1 if last else body.size, body.size)


def _encoded(name: str) -> str:
    """Slashes stay, unless a client could take a part of the path for `.`, `..` or nothing and tidy it away."""
    if any(part in ("", ".", "..") for part in name.split("/")):
        return quote(name, safe="").replace(".", "%2E")
    return quote(name, safe="/")


def _failure(status: int, code: str, message: str, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Reply(status, body.encode(), (("Content-Type", "application/xml"), *headers))
