"""Publishing job collections by Hawk-signed POST to a server that takes them, and reading back that they are there.

The server of 2018 answered 200 also for jobs that it dropped (no push of that revision, for one), so only reading back
counts. Sending a job again is safe: a completed one never changes, others are updated. It allowed a client 220 posts a
minute.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from backends.cancel import CancelToken
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
from backends.submit.outbox import (
    ClaimedMessage,
    ConnectionLostError,
    DeliverySession,
    MessageState,
    Publisher,
    PublisherError,
    split_batches,
)

CHUNK = 100  # jobs in a post
LOOK_UP = 50  # job ids in one URL
POSTS_PER_MINUTE = 220
TRIES = 5
LONGEST_WAIT = 120.0
ACCEPT = "application/json; version=1.0"


class HawkPublisher(Publisher):
    """One server, as one client. `interval`: seconds between two posts."""

    name = "hawk"

    def __init__(
        self, server: str, credentials: Credentials, http: Http, *, interval: float = 60 / POSTS_PER_MINUTE
    ) -> None:
        self.destination = server.rstrip("/")
        self._http = http
        self._interval, self._next = interval, 0.0
        self._signer = HawkSigner(credentials.who, credentials.secret.reveal())

    def deliver(self, session: DeliverySession, cancel: CancelToken) -> None:
        with HawkPoster(self._signer) as self._poster:
            while messages := session.take(CHUNK):
                for batch in split_batches(messages, by_project=True):
                    self._post(batch, session, cancel)

    def _post(self, messages: list[ClaimedMessage], session: DeliverySession, cancel: CancelToken) -> None:
        """Posts messages of one project and reports what became of each."""
        project, content = messages[0].project, b"[" + b",".join(message.content for message in messages) + b"]"
        try:
            self._post_with_retries(project, content, session, cancel)
        except NotFoundError:
            words = f"the server has no repository {sanitize(project, 60)} that takes jobs (404)"
            _report_all(session, messages, MessageState.FAILED, words)
        except HttpError as error:
            if error.status in (400, 413, 500) and len(messages) > 1:
                half = len(messages) // 2  # one job can spoil a post for all: find it
                self._post(messages[:half], session, cancel)
                self._post(messages[half:], session, cancel)
            elif error.status is not None and error.status <= 500:
                _report_all(session, messages, MessageState.FAILED, sanitize(error.sentence, 300))
            else:
                raise ConnectionLostError(error.sentence, error.hint) from error
        else:
            self._read_back(messages, session, cancel)

    def _post_with_retries(self, project: str, content: bytes, session: DeliverySession, cancel: CancelToken) -> None:
        waits = backoff_delays(first=1.0)
        for left in reversed(range(TRIES)):
            cancel.sleep(max(0.0, self._next - time.monotonic()))
            self._next = time.monotonic() + self._interval
            try:
                self._poster.post(jobs_url(self.destination, project), content, accept=ACCEPT, cancel=cancel)
                return
            except (AccessDeniedError, UnexpectedResponseError) as error:
                raise _refusal(error, self.destination) from None
            except NetworkError as error:
                raise ConnectionLostError(error.sentence, error.hint) from error
            except HttpError as error:
                if error.status == 405:
                    raise _refusal(error, self.destination) from None
                if not error.retryable or left == 0 or error.status == 500:
                    raise
                wait = error.retry_after if error.retry_after is not None else next(waits)
                if isinstance(error, RateLimitedError):
                    session.tell(f"{error.sentence} Waiting {min(wait, LONGEST_WAIT):.0f} s.")
                cancel.sleep(min(wait, LONGEST_WAIT))

    def _read_back(self, messages: list[ClaimedMessage], session: DeliverySession, cancel: CancelToken) -> None:
        ids = [message.job for message in messages]
        try:
            there = fetch_jobs(self._http, self.destination, messages[0].project, ids, cancel)
        except HttpError as error:
            words = f"accepted, but it could not be read back: {sanitize(error.sentence, 200)}"
            _report_all(session, messages, MessageState.RETURNED, words)
            return
        for message in messages:
            if message.job not in there:
                words = "accepted (200), but not stored: perhaps no push has this revision"
            elif earlier := _earlier_values(message, there[message.job]):
                words = f"accepted (200), but the server keeps what it had under this id: {earlier}"
            else:
                session.report(message, MessageState.ACKNOWLEDGED, "read back")
                continue
            session.report(message, MessageState.RETURNED, words)


def jobs_url(server: str, project: str) -> str:
    return f"{server.rstrip('/')}/api/project/{quote(project, safe='')}/jobs/"


def fetch_jobs(
    http: Http, server: str, project: str, job_ids: Sequence[str], cancel: CancelToken
) -> dict[str, dict[str, Any]]:
    """Job id -> the job, for those that the server has. It ignores filters that it does not know, so the ids are
    compared here. Raises `HttpError`s."""
    jobs: dict[str, dict[str, Any]] = {}
    unique = list(dict.fromkeys(job_ids))

    def fetch(name: str, ids: list[str]) -> None:
        params: dict[str, str | int] = {name: ",".join(ids), "count": len(ids)}
        response, _ = http.json(jobs_url(server, project), policy=CachePolicy.never(), cancel=cancel, params=params)
        rows = response.get("results") if isinstance(response, dict) else None
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and row.get("job_guid") in ids:
                jobs[row["job_guid"]] = row

    for start in range(0, len(unique), LOOK_UP):
        ids = unique[start : start + LOOK_UP]
        fetch("job_guid__in", ids)
        missing = [job_id for job_id in ids if job_id not in jobs]
        if missing:
            fetch("job_guid", missing[:1])  # one that is there after all: this server does not know the other filter
            for job_id in missing[1:] if missing[0] in jobs else ():
                fetch("job_guid", [job_id])
    return jobs


def _earlier_values(message: ClaimedMessage, row: Mapping[str, Any]) -> str:
    """What a server has instead of what was posted, "" where it is that. Only what every response has and no server
    makes up is compared: a dropped post leaves an earlier one of the same id, which does not prove the later."""
    entry = json.loads(message.content)
    job = entry["job"]
    ours = [("state", str(job.get("state"))), ("revision", str(entry.get("revision")))]
    if job.get("state") == "completed":
        ours.append(("result", str(job.get("result", "unknown"))))
    theirs = [(name, row[name], value) for name, value in ours if isinstance(row.get(name), str)]
    differing = [f"{name} {their}" for name, their, value in theirs if not their.startswith(value)]  # short revisions
    return sanitize(", ".join(differing), 120)


def _report_all(session: DeliverySession, messages: list[ClaimedMessage], state: MessageState, words: str) -> None:
    for message in messages:
        session.report(message, state, words)


def _refusal(error: HttpError, server: str) -> PublisherError:
    if error.status == 401:
        return PublisherError(error.sentence, "Check the Hawk client id and key, and that they are approved there.")
    if error.status in (403, 405):
        return PublisherError(
            f"{sanitize(server, 100)} does not take signed POSTs ({error.status}): Treeherder itself stopped on "
            "2018-09-28.",
            "Set CIEXPLORE_SUBMIT_URL to a server that does; Treeherder itself reads Taskcluster tasks only.",
        )
    return PublisherError(error.sentence, error.hint)
