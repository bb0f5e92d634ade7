"""The Archiver's protocol, served: for scripts that speak it, and to test clients of it against.

GET /archiver/hgmo/REPOSITORY/REVISION?subdir=&suffix=&preferred_region= is answered with 302 to the archive, or with
202 and the address of a task; GET /archiver/status/TASK says how that is doing. Without buckets the archives are given
from this machine's store, under the region "local". Nobody is asked who they are, so it belongs on the loopback.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request as HttpRequest
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from backends.archiver.engine import Engine, Got
from backends.archiver.store import Kept
from backends.archiver.tasks import Task, Tasks
from backends.archiver.wanted import Request, Wanted
from backends.cancel import Cancel
from backends.problems import Problem

if TYPE_CHECKING:
    from backends.archiver.mirror import Mirror

DEFAULT_SUFFIX = "tar.gz"  # the protocol's
LOCAL = "local"
# A web page under another name must not reach us through its own DNS. (starlette cannot read [::1] in a Host.)
_LOOPBACK = ("127.0.0.1", "localhost")
_FILE = re.compile(r"([0-9a-f]{64})\.(zip|tar\.gz|tar\.bz2)", re.ASCII)
_UNKNOWN = {"state": "PENDING", "status": "no status available at this point.", "src_url": "", "s3_urls": {}}


class ArchiverService:
    """One server over an engine; `app` is the ASGI application. `close` ends its tasks."""

    def __init__(self, engine: Engine, *, loopback: bool = True) -> None:
        self.engine = engine
        self.mirror: Mirror | None = engine.mirror
        self.tasks = Tasks(engine, self._reachable)
        self.app = Starlette(
            routes=[
                Route("/archiver/hgmo/{path:path}", self._archive),
                Route("/archiver/status/{task:path}", self._status),
                Route("/archiver/files/{name}", self._file),
            ],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(_LOOPBACK))] if loopback else [],
            exception_handlers={404: _no_such_place, Exception: _failed},
        )

    def close(self) -> None:
        self.tasks.close()

    # Plain functions, which starlette runs in worker threads: they look into the store, the buckets and the hgweb.
    def _archive(self, asked: HttpRequest) -> Response:
        request = _request(asked)
        if isinstance(request, Response):
            return request
        region = asked.query_params.get("preferred_region", "")
        found = self._hit(request, region, str(asked.base_url))
        if found:
            return RedirectResponse(found, 302)
        task = self.tasks.started(request, region)
        where = f"{asked.base_url}archiver/status/{quote(task.id)}"
        return JSONResponse({"result": {}, "request_id": _id()}, 202, headers={"location": where})

    def _status(self, asked: HttpRequest) -> Response:
        task = self.tasks.find(asked.path_params["task"])
        told: dict[str, Any] = dict(_UNKNOWN) if task is None else self._told(task, str(asked.base_url))
        return JSONResponse({"result": told, "request_id": _id()})

    def _file(self, asked: HttpRequest) -> Response:
        match = _FILE.fullmatch(asked.path_params["name"])
        kept = self.engine.store.named(match[1]) if match else None
        if kept is None or match is None or kept.account.suffix != match[2]:
            return _error(404, "Not Found", "There is no such archive.")
        return FileResponse(kept.path, filename=kept.account.wanted.file_name)

    def _told(self, task: Task, base: str) -> dict[str, Any]:
        account = task.got.kept.account if task.got is not None else None
        return {
            "state": str(task.report.state),
            "status": task.report.sentence,
            "src_url": account.source_url if account is not None else "",
            "s3_urls": self._urls(task.got.kept, base) if task.got is not None else {},
        }

    def _urls(self, kept: Kept, base: str) -> dict[str, str]:
        if self.mirror is None:
            return {LOCAL: f"{base}archiver/files/{kept.path.name}"}
        wanted = kept.account.wanted
        return {
            region: self.mirror.url(region, wanted) for region in self.mirror.regions if region in kept.account.regions
        }

    def _reachable(self, got: Got) -> str:
        if self.mirror is None or got.kept.account.regions:
            return ""
        return " ".join(["The archive was made and could not be copied to any bucket.", *got.notes])

    def _hit(self, request: Request, region: str, base: str) -> str:
        """The address of an archive that is there, in the preferred region if it is there; "" if there is none."""
        try:
            wanted, _, _ = self.engine.resolve(request, Cancel())
            return self._in_buckets(wanted, region) if self.mirror is not None else self._here(wanted, base)
        except Problem:
            return ""  # the task will say what is wrong

    def _in_buckets(self, wanted: Wanted, region: str) -> str:
        assert self.mirror is not None
        for place in self.mirror.ordered(region):
            try:
                if self.mirror.find(place, wanted) is not None:
                    return self.mirror.url(place, wanted)
            except Problem:
                continue
        return ""

    def _here(self, wanted: Wanted, base: str) -> str:
        kept = self.engine.store.find(wanted)
        return self._urls(kept, base)[LOCAL] if kept is not None else ""


def _request(asked: HttpRequest) -> Request | Response:
    """The path is split before it is decoded: a revision may have an encoded slash in it."""
    raw = asked.scope.get("raw_path", b"").decode("latin-1").partition("/archiver/hgmo/")[2]
    repository, _, revision = raw.rstrip("/").rpartition("/")
    query = asked.query_params
    try:
        return Request(
            unquote(repository), unquote(revision), query.get("subdir", ""), query.get("suffix", DEFAULT_SUFFIX)
        )
    except Problem as problem:
        return _error(400, "Bad Request", str(problem))


def _error(code: int, name: str, description: str) -> Response:
    return JSONResponse({"error": {"code": code, "name": name, "description": description}, "request_id": _id()}, code)


def _no_such_place(asked: HttpRequest, error: Exception) -> Response:
    return _error(404, "Not Found", "There is /archiver/hgmo/REPOSITORY/REVISION and /archiver/status/TASK.")


def _failed(asked: HttpRequest, error: Exception) -> Response:
    return _error(500, "Internal Server Error", "The server itself failed.")


def _id() -> str:
    return secrets.token_hex(4)
