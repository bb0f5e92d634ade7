"""The queue and the index of one deployment: requests, how long each response stays fresh, and their decoding.

Task group pages are not cached: they are large, and the listing made of them is cached instead (see `group_cache`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from backends import lenient_json
from backends.cancel import CancelToken
from backends.http.errors import (
    AccessDeniedError,
    BadRequestError,
    GoneError,
    HttpError,
    NotFoundError,
    ResponseTooLargeError,
    UnexpectedResponseError,
    short_url,
)
from backends.http.policies import CachePolicy
from backends.http.response import Freshness, Response
from backends.lenient_json import as_dict
from backends.pool import map_concurrently
from backends.taskcluster.models import (
    ArtifactEntry,
    ArtifactsEnvelope,
    GroupMembers,
    IndexEntry,
    NamedDefinition,
    NamedStatus,
    NamespacesEnvelope,
    StatusEnvelope,
    StatusesEnvelope,
    TaskDefinition,
    TaskEntry,
    TasksEnvelope,
    TaskStatus,
)
from backends.taskcluster.urls import api_url, normalise_root, quote_segment

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http
    from backends.locators import Locator

T = TypeVar("T")
Envelope = TypeVar("Envelope", TasksEnvelope, ArtifactsEnvelope, StatusesEnvelope, NamespacesEnvelope)
Policy = CachePolicy | Callable[[Response], CachePolicy]

PAGE = 1000  # the queue's maximum; it responds to `limit=0` with an empty page and no token
DEFINED = 250  # definitions in a batch: 5 KB each as a rule, up to 1 MB
SMALL_PAGE = 50  # tasks of a page where a thousand are too large: 6 MB is usual, but a definition may have 1 MB
LIST_CAP = 512 << 20  # bytes of a thousand tasks where no fewer can be asked for
RESOLVED = frozenset({"completed", "failed", "exception"})  # of tasks and of runs; any other state may still change
DAY = 86400.0
_DEFINITION_KEYS = frozenset({"metadata", "payload", "taskQueueId", "provisionerId", "deadline"})

DEFINITION = msgspec.json.Decoder(TaskDefinition)
STATUS = msgspec.json.Decoder(TaskStatus)
STATUS_ENVELOPE = msgspec.json.Decoder(StatusEnvelope)
ARTIFACT = msgspec.json.Decoder(ArtifactEntry)
INDEX_ENTRY = msgspec.json.Decoder(IndexEntry)
NAMED_STATUS = msgspec.json.Decoder(NamedStatus)
NAMED_DEFINITION = msgspec.json.Decoder(NamedDefinition)
TASKS_ENVELOPE = msgspec.json.Decoder(TasksEnvelope)
STATUSES_ENVELOPE = msgspec.json.Decoder(StatusesEnvelope)
ARTIFACTS_ENVELOPE = msgspec.json.Decoder(ArtifactsEnvelope)
NAMESPACES_ENVELOPE = msgspec.json.Decoder(NamespacesEnvelope)

REPEATED = "The server repeated a page token; the listing may be incomplete."
ENDLESS = "The server kept sending empty pages; the listing may be incomplete."
UNUSABLE = "The server sent a page token that cannot be sent back; the listing is incomplete."
EMPTY_PAGES = 50  # in a row; the real queue sends one at most
LONGEST_TOKEN = 4000  # characters; real ones have 10 to 200, and the URL that carries it has to be accepted

# A batch is refused if one id of it is; single tasks may also have expired.
_BATCH_REFUSED = (BadRequestError, NotFoundError, AccessDeniedError, UnexpectedResponseError)
_UNAVAILABLE = (BadRequestError, NotFoundError, AccessDeniedError, GoneError)
_TOKEN = re.compile(rb'"continuationToken"\s*:\s*"([ !#-\[\]-~]+)"')
_TAIL = 2 * LONGEST_TOKEN  # bytes
_TOKENS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[][{},]', re.DOTALL)


class NotTaskclusterError(UnexpectedResponseError):
    """The server responds, but with a web page, another program's JSON, or a part of a response."""

    def __init__(self, url: str, what: str) -> None:
        super().__init__(
            f"{short_url(url)} does not respond as a Taskcluster deployment does: {what}.",
            "Check the root URL (TASKCLUSTER_ROOT_URL), or try again if the response was cut off.",
        )


@dataclass(frozen=True)
class TaskPage:
    """One page of a task group. `note` says what is wrong with the listing.

    The entries are still JSON, or what the caller's decoder made of them: see `Client.iter_group_pages`.
    """

    envelope: TasksEnvelope
    freshness: Freshness
    note: str = ""


@dataclass(frozen=True)
class RunArtifacts:
    """All artifacts of one run by name, each once. `note` says what is wrong with the listing."""

    entries: list[ArtifactEntry]
    freshness: Freshness
    note: str = ""


class _PageFetch:
    """A page that a thread of `pool` fetches; `drop` ends that, and so does `cancel`."""

    def __init__(
        self, token: str, get: Callable[[CancelToken], Response], pool: ThreadPoolExecutor, cancel: CancelToken
    ) -> None:
        self.token = token
        self._own = CancelToken()
        self._unsubscribe = cancel.on_cancel(self._own.cancel)
        self._future = pool.submit(get, self._own)

    def result(self) -> Response:
        """Waits for the page. Raises what fetching it raised."""
        try:
            return self._future.result()
        finally:
            self._unsubscribe()

    def drop(self) -> None:
        self._unsubscribe()
        self._own.cancel()


def client_of(locator: Locator, http: Http, settings: Settings) -> Client:
    """The client of the deployment that the locator names, or else of the configured one."""
    root = normalise_root(getattr(locator, "root_url", "") or settings.taskcluster_root_url)
    return Client(http, root, settings.treeherder_url)


class Client:
    """One deployment, by its root URL. All methods raise `AppError`s; all may be called from any thread.

    `treeherder`: the URL of the configured one, which knows what its pushes are about; "" for none.
    """

    def __init__(self, http: Http, root: str, treeherder: str = "") -> None:
        self.http = http
        self.root = root
        self.treeherder = treeherder

    def with_root(self, root: str) -> Client:
        return Client(self.http, root, self.treeherder)

    # ---- groups

    def fetch_group(self, group_id: str, cancel: CancelToken | None = None) -> GroupMembers:
        """Whether there is such a group, until when, and whether it is sealed."""
        path = f"task-group/{quote_segment(group_id)}"
        response = self._queue(path, _if_it_has("taskGroupId", CachePolicy.short(300)), cancel)
        value = parse_json(response)
        if not isinstance(value, dict) or value.get("taskGroupId") != group_id:
            raise NotTaskclusterError(response.url, "it describes no task group")
        return GroupMembers(**{name: value.get(name) for name in GroupMembers.__struct_fields__})

    def iter_group_pages(
        self,
        group_id: str,
        cancel: CancelToken,
        policy: CachePolicy | None = None,
        decoder: msgspec.json.Decoder[TasksEnvelope] = TASKS_ENVELOPE,
    ) -> Iterator[TaskPage]:
        """The group, page by page; the next page is fetched while this one is decoded and the caller works on it.

        `decoder`: of a whole page; where it refuses one, the entries of that page are still JSON.
        """
        url = api_url(self.root, "queue", f"task-group/{quote_segment(group_id)}/list")
        paging, limit = Paging(), PAGE
        ahead = ThreadPoolExecutor(1, thread_name_prefix="task-pages")

        def fetch(token: str) -> _PageFetch:
            def get(own: CancelToken) -> Response:
                nonlocal limit
                kept = policy or CachePolicy.never()
                try:
                    return self.http.get(url, policy=kept, cancel=own, params=_page_query(token, limit))
                except ResponseTooLargeError:
                    if limit < PAGE:
                        raise
                    limit = SMALL_PAGE
                    return self.http.get(url, policy=kept, cancel=own, params=_page_query(token, limit))

            return _PageFetch(token, get, ahead, cancel)

        coming: _PageFetch | None = fetch("")
        try:
            while coming is not None:
                response = coming.result()
                cancel.check()
                expected = find_token(response.body)
                coming = fetch(expected) if paging.is_usable(expected) else None
                envelope = decode_page(response, decoder)
                token = paging.next_token(envelope.continuationToken, len(envelope.tasks))
                if coming is not None and token != coming.token:
                    coming.drop()
                    coming = None
                if coming is None and token:
                    coming = fetch(token)
                yield TaskPage(envelope, response.freshness, paging.note)
        finally:
            if coming is not None:
                coming.drop()
            ahead.shutdown(wait=False, cancel_futures=True)

    # ---- one task

    def fetch_definition(self, task_id: str, cancel: CancelToken | None = None) -> tuple[TaskDefinition, Freshness]:
        """The definition, which never changes."""
        response, _ = self._definition(task_id, cancel)
        return _require(lenient_json.decode(response.body, DEFINITION), response), response.freshness

    def fetch_definition_json(self, task_id: str, cancel: CancelToken | None = None) -> dict[str, Any]:
        """The complete definition as JSON values."""
        return self._definition(task_id, cancel)[1]

    def _definition(self, task_id: str, cancel: CancelToken | None) -> tuple[Response, dict[str, Any]]:
        policy = _if_it_has("metadata", CachePolicy.immutable())
        response = self._queue(f"task/{quote_segment(task_id)}", policy, cancel)
        value = parse_json(response)
        if not isinstance(value, dict) or not _DEFINITION_KEYS.intersection(value):
            raise NotTaskclusterError(response.url, "it describes no task")
        return response, value

    def fetch_name(self, task_id: str, cancel: CancelToken | None = None) -> str:
        """Only the definition has it. "" where that cannot be had: a list without names is still a list."""
        try:
            return self.fetch_definition(task_id, cancel)[0].metadata.name
        except HttpError:
            return ""

    def fetch_status(
        self, task_id: str, cancel: CancelToken | None = None, policy: CachePolicy | None = None
    ) -> tuple[TaskStatus, Freshness]:
        """The state and the runs. A resolved task may be run again, so even that is fresh for a minute only."""
        response = self._queue(f"task/{quote_segment(task_id)}/status", policy or status_policy, cancel)
        return _require(_read_status(response), response), response.freshness

    def fetch_status_json(self, task_id: str, cancel: CancelToken | None = None) -> dict[str, Any]:
        """The complete status as JSON values."""
        response = self._queue(f"task/{quote_segment(task_id)}/status", status_policy, cancel)
        value = as_dict(parse_json(response)).get("status")
        if not isinstance(value, dict):
            raise NotTaskclusterError(response.url, "it describes no status of a task")
        return value

    def fetch_artifacts(
        self, task_id: str, run: int, resolved: bool, cancel: CancelToken | None = None
    ) -> RunArtifacts:
        """All artifacts of a run. A resolved run gets no new ones; it is cached for a day (artifacts expire)."""
        policy = _if_it_has("artifacts", CachePolicy.short(DAY if resolved else 10))
        path = f"task/{quote_segment(task_id)}/runs/{run}/artifacts"
        entries: dict[str, ArtifactEntry] = {}
        freshness, note, lost = None, "", 0

        def fetch(token: str) -> Response:
            return self._queue(path, policy, cancel, params=_page_query(token))

        for raws, latest, note in _follow(fetch, ARTIFACTS_ENVELOPE, "artifacts"):  # noqa: B007 - the last note
            decoded = [lenient_json.decode(raw, ARTIFACT) for raw in raws]
            lost += sum(one is None or not one.name for one in decoded)
            entries.update((one.name, one) for one in decoded if one is not None and one.name)
            freshness = latest if freshness is None else freshness.worse(latest)
        if lost:
            note = f"{note} {lost} entries without a name are not shown.".strip()
        by_name = sorted(entries.values(), key=lambda entry: entry.name)
        return RunArtifacts(by_name, freshness or Freshness(), note)

    def fetch_dependents(self, task_id: str, cancel: CancelToken) -> Iterator[tuple[list[msgspec.Raw], Freshness, str]]:
        """(entries as a group lists them, freshness, note) of the tasks that wait for this one, page by page."""

        def fetch(token: str) -> Response:
            path = f"task/{quote_segment(task_id)}/dependents"
            return self._queue(path, CachePolicy.never(), cancel, params=_page_query(token), cap=LIST_CAP)

        return _follow(fetch, TASKS_ENVELOPE, "tasks")

    # ---- many tasks: the queue calls both endpoints experimental, silently omits ids that it does not know, and
    # refuses a batch if one id of it may not be seen. What a batch does not give is then fetched one by one.

    def fetch_statuses(self, task_ids: Sequence[str], cancel: CancelToken) -> dict[str, TaskStatus]:
        """The status of each task that the queue knows and lets us see, a thousand in a request."""
        found: dict[str, TaskStatus] = {}
        for start in range(0, len(task_ids), PAGE):
            part = task_ids[start : start + PAGE]
            try:
                for raws, _, _ in _follow(self._batch("tasks/status", part, cancel), STATUSES_ENVELOPE, "statuses"):
                    for named in filter(None, (lenient_json.decode(raw, NAMED_STATUS) for raw in raws)):
                        if (status := lenient_json.decode(named.status, STATUS)) is not None:
                            found[named.taskId] = status
            except _BATCH_REFUSED:
                found |= _one_by_one(part, lambda one, own: self.fetch_status(one, own, CachePolicy.never())[0], cancel)
        return found

    def fetch_definitions(self, task_ids: Sequence[str], cancel: CancelToken) -> dict[str, TaskDefinition]:
        """The definition of each task that the queue knows and lets us see."""
        found: dict[str, TaskDefinition] = {}
        for start in range(0, len(task_ids), DEFINED):
            part = task_ids[start : start + DEFINED]
            try:
                for raws, _, _ in _follow(self._batch("tasks", part, cancel), TASKS_ENVELOPE, "tasks"):
                    for named in filter(None, (lenient_json.decode(raw, NAMED_DEFINITION) for raw in raws)):
                        if (definition := lenient_json.decode(named.task, DEFINITION)) is not None:
                            found[named.taskId] = definition
            except _BATCH_REFUSED:
                found |= _one_by_one(part, lambda one, own: self.fetch_definition(one, own)[0], cancel)
        return found

    def fetch_tasks(self, task_ids: Sequence[str], cancel: CancelToken) -> list[TaskEntry]:
        """These tasks as a group's listing has them, in their order, without those that are not available."""
        statuses = self.fetch_statuses(task_ids, cancel)
        definitions = self.fetch_definitions(list(statuses), cancel)
        return [
            TaskEntry(statuses[one], definitions.get(one, TaskDefinition()))
            for one in dict.fromkeys(task_ids)
            if one in statuses
        ]

    def _batch(self, path: str, task_ids: Sequence[str], cancel: CancelToken) -> Callable[[str], Response]:
        body = msgspec.json.encode({"taskIds": list(task_ids)})

        def fetch(token: str) -> Response:
            query = f"?continuationToken={quote_segment(token)}" if token else ""
            url = api_url(self.root, "queue", path) + query
            # Reading changes nothing, so the request may be repeated like any GET.
            return self.http.post(url, body, cap=LIST_CAP, cancel=cancel, idempotent=True)

        return fetch

    # ---- the index

    def find_task(self, index_path: str, cancel: CancelToken | None = None) -> str:
        """The id of the task at an index path. Raises `NotFoundError` where there is none."""
        url = api_url(self.root, "index", f"task/{quote_segment(index_path)}")
        response = self.http.get(url, policy=_if_it_has("taskId", CachePolicy.short(60)), cancel=cancel)
        task_id = as_dict(parse_json(response)).get("taskId")
        if not isinstance(task_id, str):
            raise NotTaskclusterError(response.url, "it has no task id")
        return task_id

    def fetch_index(
        self, kind: str, path: str, cancel: CancelToken | None
    ) -> Iterator[tuple[list[IndexEntry], Freshness, str]]:
        """(entries, freshness, note) of each page of `namespaces` or `tasks` directly below a path."""
        url = api_url(self.root, "index", f"{kind}/{quote_segment(path)}" if path else kind)

        def fetch(token: str) -> Response:
            policy = _if_it_has(kind, CachePolicy.short(60), list)
            return self.http.get(url, policy=policy, cancel=cancel, params=_page_query(token))

        decoder: Any = NAMESPACES_ENVELOPE if kind == "namespaces" else TASKS_ENVELOPE
        for raws, freshness, note in _follow(fetch, decoder, kind):
            decoded = (lenient_json.decode(raw, INDEX_ENTRY) for raw in raws)
            yield [one for one in decoded if one is not None and one.namespace], freshness, note

    def _queue(self, path: str, policy: Policy, cancel: CancelToken | None, **options: Any) -> Response:
        return self.http.get(api_url(self.root, "queue", path), policy=policy, cancel=cancel, **options)


def _page_query(token: str, limit: int = PAGE) -> dict[str, str | int]:
    return {"limit": limit, **({"continuationToken": token} if token else {})}


def _one_by_one(ids: Sequence[str], fetch: Callable[[str, CancelToken], T], cancel: CancelToken) -> dict[str, T]:
    def fetch_one(task_id: str, own: CancelToken) -> tuple[str, T | None]:
        try:
            return task_id, fetch(task_id, own)
        except _UNAVAILABLE:
            return task_id, None

    pairs = [pair for batch in map_concurrently(fetch_one, ids, cancel) for pair in batch]
    return {task_id: found for task_id, found in pairs if found is not None}


# ---- pages ------------------------------------------------------------------------------------------------------


class Paging:
    """Follows the page tokens of one listing. `note` says why it ended early, "" if it did not.

    The queue may send fewer entries than asked for, none, or a token with nothing after it; only a missing token means
    the end. A damaged token silently means the first page again, so that a server's mistake would never end.
    """

    def __init__(self) -> None:
        self.note = ""
        self._seen: set[str] = set()
        self._empty = 0

    def is_usable(self, token: str) -> bool:
        """Whether a page may be asked for by it."""
        return 0 < len(token) <= LONGEST_TOKEN and token not in self._seen

    def next_token(self, token: Any, entries: int) -> str:
        """What to send next, given a page's token and how many entries it had; "" ends the listing."""
        text = token_text(token)
        self._empty = 0 if entries else self._empty + 1
        if text in self._seen:
            self.note = REPEATED
        elif len(text) > LONGEST_TOKEN:
            self.note = UNUSABLE
        elif text and self._empty >= EMPTY_PAGES:
            self.note = ENDLESS
        if self.note:
            return ""
        if text:
            self._seen.add(text)
        return text


def find_token(body: bytes) -> str:
    """The page token that the end of a response seems to have, to fetch the next page before this one is decoded."""
    tail = body[-_TAIL:]
    found = _TOKEN.match(tail, max(tail.rfind(b'"continuationToken"'), 0))
    return found[1].decode() if found else ""


def token_text(token: Any) -> str:
    """The token as it is sent back, "" where there is none."""
    if isinstance(token, bool) or not isinstance(token, str | int | float):
        return ""
    return str(token) if token else ""


def _follow(
    fetch: Callable[[str], Response], decoder: msgspec.json.Decoder[Envelope], member: str
) -> Iterator[tuple[list[msgspec.Raw], Freshness, str]]:
    """(entries, freshness, note) of each page; `fetch` gets the page's token, "" for the first."""
    paging, token, first = Paging(), "", True
    while first or token:
        response = fetch(token)
        envelope = split_entries(response, decoder, member)
        entries: list[msgspec.Raw] = getattr(envelope, member)
        first, token = False, paging.next_token(envelope.continuationToken, len(entries))
        yield entries, response.freshness, paging.note


# ---- decoding ---------------------------------------------------------------------------------------------------


def split_entries(response: Response, decoder: msgspec.json.Decoder[Envelope], member: str) -> Envelope:
    """The response with its list of entries still in bytes. Raises `NotTaskclusterError` where there is no such list.

    `member` has to be there: an empty object or a null would otherwise pass for an empty task group.
    """
    try:
        envelope = decoder.decode(response.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _split_slowly(response, decoder, member)
    if not getattr(envelope, member) and member.encode() not in response.body[:4096]:
        raise NotTaskclusterError(response.url, f"its JSON has no “{member}”")
    return envelope


def decode_page(response: Response, decoder: msgspec.json.Decoder[TasksEnvelope]) -> TasksEnvelope:
    """In one pass where that can be: splitting first would read the 8 MB of a page twice."""
    try:
        envelope = decoder.decode(response.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        envelope = None
    # Without entries there may be no list at all.
    return envelope if envelope and envelope.tasks else split_entries(response, TASKS_ENVELOPE, "tasks")


def _split_slowly(response: Response, decoder: msgspec.json.Decoder[Envelope], member: str) -> Envelope:
    """One unreadable entry must not lose the page: splits at the brackets, whatever msgspec refuses between them.

    It refuses lone surrogates, NaN and 1,000 levels of nesting; a task's payload may hold any of these.
    """
    body, start = response.body, 0
    entries: list[msgspec.Raw] = []
    depth, key, inside, outside = 0, b"", False, [0]
    for token in _TOKENS.finditer(body):
        mark = body[token.start()]
        if mark in b"[{":
            if depth == 1 and key == b'"%s"' % member.encode() and mark in b"[":
                inside, start = True, token.end()
                outside.append(token.end())
            depth += 1
        elif mark in b"]}":
            depth -= 1
        elif mark in b'"' and depth == 1:
            key = token[0]
        if inside and ((mark in b"]}" and depth == 1) or (mark in b"," and depth == 2)):
            entry = body[start : token.start()].strip()
            entries += [msgspec.Raw(entry)] if entry else []
            start = token.end()
        if inside and depth == 1:
            inside = False
            outside.append(token.start())
    if len(outside) != 3:
        parse_json(response)  # raises where it is not even JSON
        raise NotTaskclusterError(response.url, f"its JSON has no list of {member}")
    rest = parse_json(replace(response, body=body[: outside[1]] + body[outside[2] :]))
    shape: Any = decoder.type
    others = {name: rest[name] for name in shape.__struct_fields__ if name in rest and name != member}
    envelope: Envelope = shape(**{member: entries}, **others)
    return envelope


def parse_json(response: Response) -> Any:
    """The response as JSON values. Raises `NotTaskclusterError`."""
    try:
        return lenient_json.loads(response.body)
    except ValueError as error:
        raise NotTaskclusterError(response.url, str(error)) from error


def _read_status(response: Response) -> TaskStatus | None:
    try:
        raw = STATUS_ENVELOPE.decode(response.body).status
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        status: TaskStatus | None = lenient_json.lenient(TaskStatus, as_dict(parse_json(response)).get("status"))
        return status
    return lenient_json.decode(raw, STATUS)


def status_policy(response: Response) -> CachePolicy:
    try:
        status = _read_status(response)
    except NotTaskclusterError:
        return CachePolicy.never()
    return CachePolicy.short(60 if status is not None and status.state in RESOLVED else 10)


def _if_it_has(member: str, policy: CachePolicy, kind: type = object) -> Callable[[Response], CachePolicy]:
    """Caches only what was asked for: not the page of a wrong root URL or of a captive portal."""

    def decide(response: Response) -> CachePolicy:
        try:
            value = as_dict(parse_json(response))
        except NotTaskclusterError:
            return CachePolicy.never()
        return policy if member in value and isinstance(value[member], kind) else CachePolicy.never()

    return decide


def _require(value: T | None, response: Response) -> T:
    if value is None:
        raise NotTaskclusterError(response.url, "its JSON has another shape")
    return value
