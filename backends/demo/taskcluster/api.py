"""How every Taskcluster service answers: indented JSON, weak ETags, compressed, and errors that name their method.

An endpoint is a pattern, the query parameters it knows, and a function. What does not fit a pattern or a parameter's
form is refused before the function is called, in the words of the real services.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import msgspec

from backends.demo.codings import compress
from backends.demo.replies import Reply, Request
from backends.demo.taskcluster.hawk import AuthenticationFailed, authenticated

SLUGID = r"^[A-Za-z0-9_-]{8}[Q-T][A-Za-z0-9_-][CGKOSWaeimquy26-][A-Za-z0-9_-]{10}[AQgw]$"
RUN_ID = r"^[1-9]*[0-9]+$"
# The real services compress from a kilobyte on.
_LEAST_COMPRESSED = 1024
_ALWAYS = (
    ("Cache-Control", "no-store no-cache must-revalidate"),
    ("Content-Type", "application/json; charset=utf-8"),
    ("Vary", "Accept-Encoding"),
)
_STATUSES = {
    "InvalidRequestArguments": 400,
    "InputError": 400,
    "MalformedPayload": 400,
    "AuthenticationFailed": 401,
    "InsufficientScopes": 403,
    "ResourceNotFound": 404,
    "RequestConflict": 409,
    "ResourceExpired": 410,
}


class Refusal(Exception):
    """An answer of the service that is not a success: one of the codes above and a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class Endpoint:
    """One entry of a service. `slow` ones make content and are kept off the event loop."""

    name: str
    method: str
    pattern: re.Pattern[str]
    answer: Callable[[Request], Reply]
    query: Mapping[str, str]
    slow: bool = False


def endpoint(
    name: str, route: str, answer: Callable[[Request], Reply], query: Sequence[str] = (), *, slow: bool = False
) -> Endpoint:
    """`route` is `GET /task/:taskId/...`; `:name*` at the end takes slashes and anything else."""
    method, path = route.split(" ")
    pattern = re.sub(r":(\w+)\*", r"(?P<\1>.+)", path)
    pattern = re.sub(r":(\w+)", r"(?P<\1>[^/]+)", pattern)
    forms = {"limit": r"^[0-9]+$", "continuationToken": "", "bewit": ""}
    return Endpoint(
        name, method, re.compile(pattern, re.DOTALL), answer, {name: forms[name] for name in ("bewit", *query)}, slow
    )


def dispatch(endpoints: Sequence[Endpoint], request: Request, path: str) -> tuple[Endpoint | None, Request]:
    """The endpoint that `path` (without the service's prefix) belongs to, and the request with its parameters."""
    method = "GET" if request.method == "HEAD" else request.method
    for candidate in endpoints:
        if candidate.method == method and (match := candidate.pattern.fullmatch(path)):
            return candidate, replace(request, params=match.groupdict())
    return None, request


def run(chosen: Endpoint, request: Request) -> Reply:
    """The endpoint's answer, or the refusal in the services' own form."""
    try:
        _check(chosen, request)
        return chosen.answer(request)
    except Refusal as refusal:
        return _refused(chosen.name, request, refusal)
    except AuthenticationFailed as failure:
        return _refused(chosen.name, request, Refusal("AuthenticationFailed", str(failure)))


def _check(chosen: Endpoint, request: Request) -> None:
    problems = []
    for name, form in (("taskId", SLUGID), ("taskGroupId", SLUGID), ("runId", RUN_ID)):
        value = request.params.get(name)
        if value is not None and not re.search(form, value):
            problems.append(f"URL parameter '{name}' given as '{value}' must match regular expression: '/{form}/'")
    if problems:
        raise Refusal("InvalidRequestArguments", "\n".join(["Invalid URL patterns:", *problems]))
    for name, value in request.query.items():
        if name not in chosen.query:
            raise Refusal("InvalidRequestArguments", f"Query-string parameter: {name} is not supported!")
        if chosen.query[name] and not re.search(chosen.query[name], value):
            text = f'Query-string parameter: {name}="{value}" does not match expression: /{chosen.query[name]}/'
            raise Refusal("InvalidRequestArguments", text)
    authenticated(request)


def _refused(name: str, request: Request, refusal: Refusal) -> Reply:
    now = datetime.now(UTC)
    moment = now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"
    status = _STATUSES[refusal.code]
    message = (
        f"{refusal.message}\n\n---\n\n* method:     {name}\n* errorCode:  {refusal.code}\n"
        f"* statusCode: {status}\n* time:       {moment}"
    )
    details = {"method": name, "params": dict(request.params), "payload": _payload(request), "time": moment}
    return answer(request, {"code": refusal.code, "message": message, "requestInfo": details}, status)


def _payload(request: Request) -> Any:
    try:
        return msgspec.json.decode(request.body) if request.body else {}
    except msgspec.DecodeError:
        return {}


def encoded(value: object) -> bytes:
    """Compact JSON; numbers beyond 64 bits, which only hostile tasks have, take the slow way."""
    try:
        return msgspec.json.encode(value)
    except OverflowError:
        import json  # needed by two hostile tasks only

        return json.dumps(value, separators=(",", ":")).encode()


class Document:
    """A JSON body in all its forms, each made once: as big a page as 8 MB is served from here again and again."""

    def __init__(self, compact: bytes) -> None:
        self.identity = msgspec.json.format(compact, indent=2)
        self._compressed: dict[str, bytes] = {}

    def compressed(self, coding: str) -> bytes:
        if coding not in self._compressed:
            self._compressed[coding] = compress(self.identity, coding)
        return self._compressed[coding]

    @cached_property
    def etag(self) -> str:
        tag = b64encode(hashlib.sha1(self.identity, usedforsecurity=False).digest()).decode().rstrip("=")
        return f'W/"{len(self.identity):x}-{tag}"'

    @property
    def held(self) -> int:
        return len(self.identity) + sum(map(len, self._compressed.values()))


def answer(request: Request, value: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    return serve(request, Document(encoded(value)), status, headers)


def serve(request: Request, document: Document, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    every = (*_ALWAYS, *headers, ("ETag", document.etag))
    if status == 200 and request.headers.get("if-none-match") == document.etag:
        return Reply(304, b"", every)
    coding = request.coding if len(document.identity) >= _LEAST_COMPRESSED else ""
    if coding:
        # Compressed as it goes: the real services do not know the length beforehand either.
        return Reply(status, document.compressed(coding), (*every, ("Content-Encoding", coding)), chunked=True)
    return Reply(status, document.identity, every)
