"""Publishing job collections by Hawk-signed POST to a server that takes them, and reading back that they are there.

The server of 2018 answered 200 also for jobs that it dropped (no push of that revision, for one), so only the reading
back counts. Sending a job again is safe: a completed one never changes, others are updated. It allowed a client 220
posts a minute.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.http import CachePolicy, Http
from backends.http.backoff import backoff_delays
from backends.http.errors import (
    AccessDeniedError,
    HttpError,
    NetworkError,
    NotFoundError,
    RateLimitedError,
    UnexpectedResponseError,
    sanitize,
)
from backends.http.hawk import HawkSigner
from backends.http.hawk_posts import HawkPoster
from backends.submit.credentials import Credentials
from backends.submit.outbox import Claimed, Outcome, State
from backends.submit.publishing import Desk, Route, RouteBroken, RouteProblem

CHUNK = 100  # jobs in a post
LOOK_UP = 50  # job ids in one address
POSTS_A_MINUTE = 220
TRIES = 5
LONGEST_WAIT = 120.0
ACCEPT = "application/json; version=1.0"


class HawkRoute(Route):
    """One server, as one client. `pace`: seconds between two posts."""

    name = "hawk"

    def __init__(self, server: str, credentials: Credentials, http: Http, *, pace: float = 60 / POSTS_A_MINUTE) -> None:
        self.destination = server.rstrip("/")
        self._http = http
        self._pace, self._next = pace, 0.0
        self._signer = HawkSigner(credentials.who, credentials.secret.reveal())

    def __repr__(self) -> str:
        return f"HawkRoute({self.destination!r})"

    def deliver(self, desk: Desk, cancel: CancelToken) -> None:
        with HawkPoster(self._signer) as self._poster:
            while letters := desk.take(CHUNK):
                for project, jobs in _by_project(letters):
                    self._post(project, jobs, desk, cancel)

    def url(self, project: str) -> str:
        return f"{self.destination}/api/project/{quote(project, safe='')}/jobs/"

    def _post(self, project: str, letters: list[Claimed], desk: Desk, cancel: CancelToken) -> None:
        content = b"[" + b",".join(letter.content for letter in letters) + b"]"
        try:
            self._patiently(project, content, desk, cancel)
        except NotFoundError:
            _settle(
                desk,
                letters,
                State.FAILED,
                f"the server has no repository {sanitize(project, 60)} that takes jobs (404)",
            )
        except HttpError as problem:
            if problem.status in (400, 413, 500) and len(letters) > 1:
                half = len(letters) // 2  # one job can spoil a post for all: find it
                self._post(project, letters[:half], desk, cancel)
                self._post(project, letters[half:], desk, cancel)
            elif problem.status is not None and (problem.status < 500 or problem.status == 500):
                _settle(desk, letters, State.FAILED, sanitize(problem.sentence, 300))
            else:
                raise RouteBroken(problem.sentence, problem.hint) from problem
        else:
            self._read_back(project, letters, desk, cancel)

    def _patiently(self, project: str, content: bytes, desk: Desk, cancel: CancelToken) -> None:
        waits = backoff_delays(first=1.0)
        for left in reversed(range(TRIES)):
            cancel.sleep(max(0.0, self._next - time.monotonic()))
            self._next = time.monotonic() + self._pace
            try:
                self._poster.post(self.url(project), content, accept=ACCEPT, cancel=cancel)
                return
            except (AccessDeniedError, UnexpectedResponseError) as problem:
                raise _not_taken(problem, self.destination) from None
            except NetworkError as problem:
                raise RouteBroken(problem.sentence, problem.hint) from problem
            except HttpError as problem:
                if problem.status == 405:
                    raise _not_taken(problem, self.destination) from None
                if not problem.retryable or left == 0 or problem.status == 500:
                    raise
                wait = problem.retry_after if problem.retry_after is not None else next(waits)
                if isinstance(problem, RateLimitedError):
                    desk.say(f"{problem.sentence} Waiting {min(wait, LONGEST_WAIT):.0f} s.")
                cancel.sleep(min(wait, LONGEST_WAIT))

    def _read_back(self, project: str, letters: list[Claimed], desk: Desk, cancel: CancelToken) -> None:
        try:
            there = seen(self._http, self.destination, project, [letter.job for letter in letters], cancel)
        except HttpError as problem:
            words = f"accepted, but it could not be read back: {sanitize(problem.sentence, 200)}"
            _settle(desk, letters, State.RETURNED, words)
            return
        for letter in letters:
            if letter.job not in there:
                words = "accepted (200), but not stored: perhaps no push has this revision"
            elif kept := _kept(letter, there[letter.job]):
                words = f"accepted (200), but the server keeps what it had under this id: {kept}"
            else:
                desk.settle(Outcome(letter.number, State.ACKNOWLEDGED, "read back"))
                continue
            desk.settle(Outcome(letter.number, State.RETURNED, words))


def seen(http: Http, server: str, project: str, jobs: list[str], cancel: CancelToken) -> dict[str, dict[str, Any]]:
    """Job id -> the job, for those that the server has. It ignores filters that it does not know, so the ids are
    compared here. Raises `HttpError`s."""
    found: dict[str, dict[str, Any]] = {}
    wanted = list(dict.fromkeys(jobs))
    url = f"{server.rstrip('/')}/api/project/{quote(project, safe='')}/jobs/"

    def ask(name: str, some: list[str]) -> None:
        params: dict[str, str | int] = {name: ",".join(some), "count": len(some)}
        answer, _ = http.json(url, policy=CachePolicy.never(), cancel=cancel, params=params)
        rows = answer.get("results") if isinstance(answer, dict) else None
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and row.get("job_guid") in some:
                found[row["job_guid"]] = row

    for at in range(0, len(wanted), LOOK_UP):
        some = wanted[at : at + LOOK_UP]
        ask("job_guid__in", some)
        missing = [job for job in some if job not in found]
        if missing:
            ask("job_guid", missing[:1])  # one that is there after all: this server does not know the other filter
            for job in missing[1:] if missing[0] in found else ():
                ask("job_guid", [job])
    return found


def _kept(letter: Claimed, row: Mapping[str, Any]) -> str:
    """What a server has instead of what was posted, "" where it is that. Only what every answer tells and no server
    makes up is compared: a dropped post leaves an earlier one of the same id, which is no proof of the later."""
    entry = json.loads(letter.content)
    job = entry["job"]
    ours = [("state", str(job.get("state"))), ("revision", str(entry.get("revision")))]
    if job.get("state") == "completed":
        ours.append(("result", str(job.get("result", "unknown"))))
    theirs = [(name, row[name], value) for name, value in ours if isinstance(row.get(name), str)]
    differing = [f"{name} {their}" for name, their, value in theirs if not their.startswith(value)]  # short revisions
    return sanitize(", ".join(differing), 120)


def _settle(desk: Desk, letters: list[Claimed], state: State, words: str) -> None:
    for letter in letters:
        desk.settle(Outcome(letter.number, state, words))


def _by_project(letters: list[Claimed]) -> Iterator[tuple[str, list[Claimed]]]:
    """In the order of queueing; one job's states never share a post, for a server may store a post in any order."""
    project, some, jobs = "", list[Claimed](), set[str]()
    for letter in letters:
        if some and (letter.project != project or letter.job in jobs):
            yield project, some
            some, jobs = [], set()
        project = letter.project
        some.append(letter)
        jobs.add(letter.job)
    if some:
        yield project, some


def _not_taken(problem: AppError, server: str) -> RouteProblem:
    status = getattr(problem, "status", None)
    if status == 401:
        return RouteProblem(problem.sentence, "Check the Hawk client id and key, and that they are approved there.")
    if status in (403, 405):
        return RouteProblem(
            f"{sanitize(server, 100)} does not take signed POSTs ({status}): Treeherder itself stopped on 2018-09-28.",
            "Set CIEXPLORE_SUBMIT_URL to a server that does; Treeherder itself reads Taskcluster tasks only.",
        )
    return RouteProblem(problem.sentence, problem.hint)
