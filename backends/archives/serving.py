"""The Archiver's protocol, served: for scripts that speak it, and to test clients of it against.

GET /archiver/hgmo/REPOSITORY/REVISION?subdir=&suffix=&preferred_region= is answered with 302 to the archive, or with
202 and the address of a task; GET /archiver/status/TASK says how that is doing. Without buckets the archives are given
from this machine's store, under the region "local". Nobody is asked who they are, so it belongs on the loopback.

As the original does, an archive is looked for by the first 12 digits of its revision, without asking the hgweb; only a
name is resolved first. Look-ups run in pools of their own and end after a time: whatever does not answer, the status
of tasks does.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, unquote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request as HttpRequest
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from backends.archives.engine import Engine, Got
from backends.archives.store import Kept
from backends.archives.tasks import Task, Tasks, TooBusyError
from backends.archives.wanted import Request
from backends.cancel import CancelToken
from backends.errors import AppError
from backends.locators.archives import HEX

if TYPE_CHECKING:
    from backends.archives.mirror import Mirror

DEFAULT_SUFFIX = "tar.gz"  # the protocol's
LOCAL = "local"
LOOKUP_SECONDS = 10.0
_POOLS = {"disk": 4, "buckets": 8, "signing": 4, "hgweb": 8}  # threads for each kind of look-up
Result = TypeVar("Result")
# A web page under another name must not reach us through its own DNS. (starlette cannot read [::1] in a Host.)
_LOOPBACK = ("127.0.0.1", "localhost")
_FILE = re.compile(r"([0-9a-f]{64})\.(zip|tar\.gz|tar\.bz2)", re.ASCII)
_UNKNOWN = {"state": "PENDING", "status": "no status available at this point.", "src_url": "", "s3_urls": {}}


class ArchiverService:
    """One server over an engine; `app` is the ASGI application. `close` ends its tasks.

    `note(kind, sentence)` gets what went wrong inside. A look-up has `seconds`.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        loopback: bool = True,
        note: Callable[[str, str], None] = lambda kind, sentence: None,
        seconds: float = LOOKUP_SECONDS,
    ) -> None:
        self.engine, self._note, self._seconds = engine, note, seconds
        self._pools = {name: ThreadPoolExecutor(size, thread_name_prefix=name) for name, size in _POOLS.items()}
        self._running = set[CancelToken]()
        self.mirror: Mirror | None = engine.mirror
        self.tasks = Tasks(engine, self._reachable)
        self.app = Starlette(
            routes=[
                Route("/archiver/hgmo/{path:path}", self._archive),
                Route("/archiver/status/{task:path}", self._status),
                Route("/archiver/files/{name}", self._file),
            ],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(_LOOPBACK))] if loopback else [],
            exception_handlers={404: _no_such_place, Exception: self._failed},
        )

    def close(self) -> None:
        for cancel in list(self._running):
            cancel.cancel()
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
        self.tasks.close()

    async def _look(self, pool: str, look: Callable[[CancelToken], Result], otherwise: Result) -> Result:
        """What a look-up finds; `otherwise` if it fails or takes too long, with waiting for its turn."""
        cancel = CancelToken()
        self._running.add(cancel)
        try:
            return await asyncio.wait_for(
                asyncio.get_running_loop().run_in_executor(self._pools[pool], look, cancel), self._seconds
            )
        except TimeoutError:
            self._note(pool, f"A look-up ({pool}) was given up after {self._seconds:.0f} s.")
            return otherwise
        except AppError:
            return otherwise  # the task will say what is wrong
        finally:
            self._running.discard(cancel)
            cancel.cancel()

    async def _archive(self, asked: HttpRequest) -> Response:
        request = _request(asked)
        if isinstance(request, Response):
            return request
        region = asked.query_params.get("preferred_region", "")
        found = await self._hit(request, region, str(asked.base_url))
        if found:
            return RedirectResponse(found, 302)
        try:
            task = self.tasks.started(request, region)
        except TooBusyError as problem:
            return _error(503, "Service Unavailable", str(problem), {"retry-after": "60"})
        where = f"{asked.base_url}archiver/status/{quote(task.id)}"
        return JSONResponse({"result": {}, "request_id": _id()}, 202, headers={"location": where})

    async def _status(self, asked: HttpRequest) -> Response:
        task = self.tasks.find(asked.path_params["task"])
        told: dict[str, Any] = dict(_UNKNOWN) if task is None else await self._told(task, str(asked.base_url))
        return JSONResponse({"result": told, "request_id": _id()})

    async def _file(self, asked: HttpRequest) -> Response:
        match = _FILE.fullmatch(asked.path_params["name"])
        kept = await self._look("disk", lambda cancel: self._named(match), None)
        if kept is None:
            return _error(404, "Not Found", "There is no such archive.")
        return FileResponse(kept.path, filename=kept.account.wanted.file_name)

    def _named(self, match: re.Match[str] | None) -> Kept | None:
        kept = self.engine.store.named(match[1]) if match else None
        if kept is None or match is None or kept.account.suffix != match[2]:
            return None
        self.engine.store.use(kept)
        return kept

    async def _told(self, task: Task, base: str) -> dict[str, Any]:
        told = {"state": str(task.report.state), "status": task.report.sentence, "src_url": "", "s3_urls": {}}
        if task.got is None:
            return told
        kept = task.got.kept
        nothing: dict[str, str] = {}
        urls = await self._look("signing", lambda cancel: self._urls(kept, base), nothing)
        if not urls:
            return {**told, "state": "STARTED", "status": "The archive is there; its URLs are being signed."}
        return {**told, "src_url": kept.account.source_url, "s3_urls": urls}

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

    async def _hit(self, request: Request, region: str, base: str) -> str:
        """The address of an archive that is there, in the preferred region if it is there; "" if there is none."""
        if not HEX.fullmatch(request.revision):
            resolved = await self._look("hgweb", lambda cancel: self.engine.resolve(request, cancel)[0].node, "")
            if not resolved:
                return ""
            request = replace(request, revision=resolved)
        if self.mirror is not None:
            return await self._look("buckets", lambda cancel: self._in_buckets(request, region), "")
        return await self._look("disk", lambda cancel: self._here(request, base), "")

    def _in_buckets(self, request: Request, region: str) -> str:
        assert self.mirror is not None
        found = self.engine.find_copy(request, region)
        return self.mirror.url(found[0], self.engine.named(request)) if found is not None else ""

    def _here(self, request: Request, base: str) -> str:
        kept = self.engine.find_kept(request)
        return self._urls(kept, base)[LOCAL] if kept is not None else ""

    def _failed(self, asked: HttpRequest, error: Exception) -> Response:
        self._note("failure", f"The server itself failed: {type(error).__name__}.")
        return _error(500, "Internal Server Error", "The server itself failed.")


def _request(asked: HttpRequest) -> Request | Response:
    """The path is split before it is decoded: a revision may have an encoded slash in it."""
    raw = asked.scope.get("raw_path", b"").decode("latin-1").partition("/archiver/hgmo/")[2]
    repository, _, revision = raw.rstrip("/").rpartition("/")
    query = asked.query_params
    try:
        return Request(
            unquote(repository), unquote(revision), query.get("subdir", ""), query.get("suffix", DEFAULT_SUFFIX)
        )
    except AppError as problem:
        return _error(400, "Bad Request", str(problem))


def _error(code: int, name: str, description: str, headers: dict[str, str] | None = None) -> Response:
    told = {"code": code, "name": name, "description": description}
    return JSONResponse({"error": told, "request_id": _id()}, code, headers)


def _no_such_place(asked: HttpRequest, error: Exception) -> Response:
    return _error(404, "Not Found", "There is /archiver/hgmo/REPOSITORY/REVISION and /archiver/status/TASK.")


def _id() -> str:
    return secrets.token_hex(4)
