"""Server of the Archiver's protocol: for scripts that speak it, and to test its clients.

GET /archiver/hgmo/REPOSITORY/REVISION?subdir=&suffix=&preferred_region= responds with 302 to the archive, or with 202
and the URL of a task; GET /archiver/status/TASK returns the state of the task. Without buckets the archives are served
from this machine's store, under the region "local". There is no authentication, so it belongs on the loopback.

As in the original, an archive is looked up by the first 12 digits of its revision, without a request to the hgweb;
only a name is resolved first. Look-ups run in pools of their own and have a timeout: whatever does not respond, the
status of tasks does.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote, unquote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request as HttpRequest
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from backends.archives.engine import ArchiveEngine, FetchResult
from backends.archives.fetch import FINAL, ArchiveState, ProgressReport
from backends.archives.locators import HEX
from backends.archives.spec import ArchiveRequest, bucket_key, task_id
from backends.archives.store import StoredArchive
from backends.atomic import disk_words
from backends.cancel import CancelToken
from backends.errors import AppError
from backends.listener import HEADER_SECONDS, QuietLog, Server, configure
from backends.net import is_loopback

if TYPE_CHECKING:
    from backends.archives.buckets import BucketMirror

KEPT_SECONDS = 3600.0  # after its end, as in the original
MOST_TASKS = 10_000
MOST_WAITING_TASKS = 1_000
AT_ONCE = 4  # from different servers; one server makes one archive at a time


class TooBusyError(AppError):
    """Too many archives are waiting."""

    exit_code = 3


@dataclass
class ServerTask:
    """One archive being made. `result` when it has succeeded."""

    id: str
    request: ArchiveRequest
    region: str
    report: ProgressReport = field(
        default_factory=lambda: ProgressReport(ArchiveState.PENDING, "Waiting for its turn.")
    )
    result: FetchResult | None = None
    ended: float | None = None

    @property
    def final(self) -> bool:
        return self.report.state in FINAL


class ServerTasks:
    """At most one task for each archive at a time.

    `reachable(result)`: why clients could not fetch the result, "" if they can: a success has something to fetch.
    """

    def __init__(self, engine: ArchiveEngine, reachable: Callable[[FetchResult], str]) -> None:
        self._engine, self._reachable = engine, reachable
        self._tasks: dict[str, ServerTask] = {}
        self._lock = threading.Lock()
        self._cancel = CancelToken()
        self._workers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="archives")

    def find(self, name: str) -> ServerTask | None:
        with self._lock:
            return self._tasks.get(name)

    def start(self, request: ArchiveRequest, region: str) -> ServerTask:
        """The task that makes this archive: the running one, or a new one. Raises `TooBusyError`."""
        key = bucket_key(request.repository, request.revision, request.suffix, request.subdirectory)
        with self._lock:
            self._sweep()
            name = task_id(key)
            # The original's ids are not injective: a_b and a/b have the same.
            number = 1
            while (known := self._tasks.get(name)) is not None and known.request != request:
                number += 1
                name = f"{task_id(key)}~{number}"
            if known is not None and not known.final:
                return known
            if sum(one.ended is None for one in self._tasks.values()) >= MOST_WAITING_TASKS:
                raise TooBusyError(f"{MOST_WAITING_TASKS:,} archives are being made or waiting.", "Try again later.")
            task = self._tasks[name] = ServerTask(name, request, region)
        self._workers.submit(self._run, task)
        return task

    def close(self) -> None:
        self._cancel.cancel()
        self._workers.shutdown(wait=True, cancel_futures=True)

    def _run(self, task: ServerTask) -> None:
        def on_progress(report: ProgressReport) -> None:
            if report.state not in FINAL:
                task.report = report

        try:
            result = self._engine.get(task.request, self._cancel, on_progress, task.region)
            why = self._reachable(result)
            task.result = None if why else result
            sentence = why or " ".join(["Task completed! Check 's3_urls' for upload locations.", *result.notes])
            end = ProgressReport(ArchiveState.FAILURE if why else ArchiveState.SUCCESS, sentence)
        except AppError as error:
            end = ProgressReport(ArchiveState.FAILURE, str(error))
        except Exception as error:  # the client must not wait for ever
            end = ProgressReport(ArchiveState.FAILURE, f"The server itself failed: {type(error).__name__}.")
        task.ended = time.monotonic()
        task.report = end

    def _sweep(self) -> None:
        now = time.monotonic()
        old = [one for one, task in self._tasks.items() if task.ended is not None and now - task.ended > KEPT_SECONDS]
        done = (
            [one for one, task in self._tasks.items() if task.ended is not None]
            if len(self._tasks) > MOST_TASKS
            else []
        )
        for one in {*old, *done}:
            del self._tasks[one]


DEFAULT_SUFFIX = "tar.gz"  # the protocol's
LOCAL = "local"
LOOKUP_SECONDS = 10.0
_POOLS = {"disk": 4, "buckets": 8, "signing": 4, "hgweb": 8}  # threads for each kind of look-up
Result = TypeVar("Result")
# A web page under another name must not reach this server through its own DNS. (starlette cannot read [::1] in a Host.)
_LOOPBACK = ("127.0.0.1", "localhost")
_FILE = re.compile(r"([0-9a-f]{64})\.(zip|tar\.gz|tar\.bz2)", re.ASCII)
_UNKNOWN = {"state": "PENDING", "status": "no status available at this point.", "src_url": "", "s3_urls": {}}


class ArchiverService:
    """One server over an engine; `app` is the ASGI application. `close` ends its tasks.

    `note(kind, sentence)` gets internal errors. `seconds`: timeout of a look-up.
    """

    def __init__(
        self,
        engine: ArchiveEngine,
        *,
        loopback: bool = True,
        note: Callable[[str, str], None] = lambda kind, sentence: None,
        seconds: float = LOOKUP_SECONDS,
    ) -> None:
        self.engine, self._note, self._seconds = engine, note, seconds
        self._pools = {name: ThreadPoolExecutor(size, thread_name_prefix=name) for name, size in _POOLS.items()}
        self._running = set[CancelToken]()
        self.mirror: BucketMirror | None = engine.mirror
        self.tasks = ServerTasks(engine, self._reachable)
        self.app = Starlette(
            routes=[
                Route("/archiver/hgmo/{path:path}", self._archive),
                Route("/archiver/status/{task:path}", self._status),
                Route("/archiver/files/{name}", self._file),
            ],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(_LOOPBACK))] if loopback else [],
            exception_handlers={404: _unknown_path, Exception: self._failed},
        )

    def close(self) -> None:
        for cancel in list(self._running):
            cancel.cancel()
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
        self.tasks.close()

    async def _look(self, pool: str, look: Callable[[CancelToken], Result], otherwise: Result) -> Result:
        """The result of a look-up; `otherwise` if it fails or takes too long, including the wait for a thread."""
        cancel = CancelToken()
        self._running.add(cancel)
        try:
            return await asyncio.wait_for(
                asyncio.get_running_loop().run_in_executor(self._pools[pool], look, cancel), self._seconds
            )
        except TimeoutError:
            self._note(pool, f"A look-up ({pool}) timed out after {self._seconds:.0f} s.")
            return otherwise
        except AppError:
            return otherwise  # the task will report it
        finally:
            self._running.discard(cancel)
            cancel.cancel()

    async def _archive(self, http_request: HttpRequest) -> Response:
        request = _read_request(http_request)
        if isinstance(request, Response):
            return request
        region = http_request.query_params.get("preferred_region", "")
        found = await self._find_url(request, region, str(http_request.base_url))
        if found:
            return RedirectResponse(found, 302)
        try:
            task = self.tasks.start(request, region)
        except TooBusyError as error:
            return _error_response(503, "Service Unavailable", str(error), {"retry-after": "60"})
        where = f"{http_request.base_url}archiver/status/{quote(task.id)}"
        return JSONResponse({"result": {}, "request_id": _request_id()}, 202, headers={"location": where})

    async def _status(self, http_request: HttpRequest) -> Response:
        task = self.tasks.find(http_request.path_params["task"])
        base = str(http_request.base_url)
        status = dict(_UNKNOWN) if task is None else await self._describe_task(task, base)
        return JSONResponse({"result": status, "request_id": _request_id()})

    async def _file(self, http_request: HttpRequest) -> Response:
        match = _FILE.fullmatch(http_request.path_params["name"])
        archive = await self._look("disk", lambda cancel: self._find_file(match), None)
        if archive is None:
            return _error_response(404, "Not Found", "There is no such archive.")
        return FileResponse(archive.path, filename=archive.record.spec.file_name)

    def _find_file(self, match: re.Match[str] | None) -> StoredArchive | None:
        archive = self.engine.store.find_by_digest(match[1]) if match else None
        if archive is None or match is None or archive.record.suffix != match[2]:
            return None
        self.engine.store.use(archive)
        return archive

    async def _describe_task(self, task: ServerTask, base: str) -> dict[str, Any]:
        status = {"state": str(task.report.state), "status": task.report.sentence, "src_url": "", "s3_urls": {}}
        if task.result is None:
            return status
        archive = task.result.archive
        nothing: dict[str, str] = {}
        urls = await self._look("signing", lambda cancel: self._urls(archive, base), nothing)
        if not urls:
            return {**status, "state": "STARTED", "status": "The archive is there; its URLs are being signed."}
        return {**status, "src_url": archive.record.source_url, "s3_urls": urls}

    def _urls(self, archive: StoredArchive, base: str) -> dict[str, str]:
        if self.mirror is None:
            return {LOCAL: f"{base}archiver/files/{archive.path.name}"}
        spec = archive.record.spec
        return {
            region: self.mirror.url(region, spec) for region in self.mirror.regions if region in archive.record.regions
        }

    def _reachable(self, result: FetchResult) -> str:
        if self.mirror is None or result.archive.record.regions:
            return ""
        return " ".join(["The archive was made and could not be copied to any bucket.", *result.notes])

    async def _find_url(self, request: ArchiveRequest, region: str, base: str) -> str:
        """The URL of an existing archive, in the preferred region if possible; "" if there is none."""
        if not HEX.fullmatch(request.revision):
            resolved = await self._look("hgweb", lambda cancel: self.engine.resolve(request, cancel)[0].node, "")
            if not resolved:
                return ""
            request = replace(request, revision=resolved)
        if self.mirror is not None:
            return await self._look("buckets", lambda cancel: self._bucket_url(request, region), "")
        return await self._look("disk", lambda cancel: self._local_url(request, base), "")

    def _bucket_url(self, request: ArchiveRequest, region: str) -> str:
        assert self.mirror is not None
        found = self.engine.find_copy(request, region)
        return self.mirror.url(found[0], self.engine.short_spec(request)) if found is not None else ""

    def _local_url(self, request: ArchiveRequest, base: str) -> str:
        archive = self.engine.find_cached(request)
        return self._urls(archive, base)[LOCAL] if archive is not None else ""

    def _failed(self, http_request: HttpRequest, error: Exception) -> Response:
        self._note("failure", f"The server itself failed: {type(error).__name__}.")
        return _error_response(500, "Internal Server Error", "The server itself failed.")


def _read_request(http_request: HttpRequest) -> ArchiveRequest | Response:
    """The path is split before it is decoded: a revision may contain an encoded slash."""
    raw = http_request.scope.get("raw_path", b"").decode("latin-1").partition("/archiver/hgmo/")[2]
    repository, _, revision = raw.rstrip("/").rpartition("/")
    query = http_request.query_params
    try:
        return ArchiveRequest(
            unquote(repository), unquote(revision), query.get("subdir", ""), query.get("suffix", DEFAULT_SUFFIX)
        )
    except AppError as error:
        return _error_response(400, "Bad Request", str(error))


def _error_response(code: int, name: str, description: str, headers: dict[str, str] | None = None) -> Response:
    error = {"code": code, "name": name, "description": description}
    return JSONResponse({"error": error, "request_id": _request_id()}, code, headers)


def _unknown_path(http_request: HttpRequest, error: Exception) -> Response:
    return _error_response(404, "Not Found", "There is /archiver/hgmo/REPOSITORY/REVISION and /archiver/status/TASK.")


def _request_id() -> str:
    return secrets.token_hex(4)


_START_SECONDS = 20.0


class ArchiverServer:
    """Serves between `start` and `stop`; also a context manager. `port` 0 takes a free one; `url` once it listens.

    `write` gets notes for the operator, at most one of a kind in a minute. `lookup_seconds`, `header_seconds` and
    `most` are for tests.
    """

    def __init__(
        self, engine: ArchiveEngine, host: str = "127.0.0.1", port: int = 0,
        write: Callable[[str], None] = lambda sentence: None, *,
        lookup_seconds: float = LOOKUP_SECONDS, header_seconds: float = HEADER_SECONDS, most: int | None = None,
    ) -> None:  # fmt: skip
        self._note = QuietLog(write)
        self.service = ArchiverService(
            engine, loopback=is_loopback(host) and ":" not in host, note=self._note, seconds=lookup_seconds
        )
        self._host, self._port = host, port
        self._header_seconds, self._most = header_seconds, most
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def start(self) -> None:
        """Raises `AppError` if it cannot listen."""
        try:
            listener = socket.create_server(
                (self._host, self._port), family=socket.AF_INET6 if ":" in self._host else socket.AF_INET
            )
        except OSError as error:
            raise AppError(
                f"Cannot listen on {self._host} port {self._port}: {disk_words(error)}.", "Choose another --port."
            ) from error
        self._port = listener.getsockname()[1]
        config = configure(
            self.service.app, self._note, most=self._most, header_seconds=self._header_seconds,
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        self._server = Server(config, self._note)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="archiver", daemon=True)
        self._thread.start()
        if not self._server.listening.wait(_START_SECONDS):
            raise AppError("The server did not start.", "Try again.")

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(_START_SECONDS)
            self._server = self._thread = None
        self.service.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
