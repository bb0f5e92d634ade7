"""The Hawk endpoint of the demo: checks signature, body, nonce and clock, stores jobs, and lists them.

As the server of 2018 it answers 200 also for jobs that it drops: those of a revision that begins with zeros, for it
knows no such push.
"""

from __future__ import annotations

import json
import time
from typing import Any

from backends.demo.replies import Receive, Reply, Request, Scope, Send, read, send_reply
from backends.demo.submit.hawk import CLIENT_ID, KEY, Refused, checked, signature

REPOSITORIES = frozenset({"autoland", "mozilla-central", "mozilla-inbound", "try"})
MOST_JOBS = 100_000


class Submissions:
    """Jobs by guid, kept while the demo runs."""

    def __init__(self) -> None:
        self._url = ""
        self._jobs: dict[str, dict[str, Any]] = {}
        self._nonces: dict[str, float] = {}

    def ready(self, url: str) -> None:
        self._url = url

    def settings(self) -> dict[str, str]:
        """With its key, in no file that a kill could leave behind; and a broker that can only be on this machine, so
        that synthetic jobs never go to the real one."""
        return {
            "CIEXPLORE_SUBMIT_URL": self._url,
            "CIEXPLORE_HAWK_CLIENT_ID": CLIENT_ID,
            "CIEXPLORE_HAWK_KEY": KEY,
            "CIEXPLORE_PULSE_URL": "amqp://127.0.0.1:5672",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await read(scope, receive)
        await send_reply(self._answer(request), receive, send, head=request.method == "HEAD")

    def _answer(self, request: Request) -> Reply:
        parts = request.path.strip("/").split("/")
        if len(parts) != 4 or (parts[0], parts[1], parts[3]) != ("api", "project", "jobs"):
            return _json({"detail": "Not found."}, 404)
        if parts[2] not in REPOSITORIES:
            return _json({"detail": f"No project with name {parts[2]}"}, 404)
        return self._post(request) if request.method == "POST" else self._list(request)

    def _list(self, request: Request) -> Reply:
        wanted = request.query.get("job_guid__in") or request.query.get("job_guid", "")
        guids = wanted.split(",") if wanted else list(self._jobs)
        count = int(request.query.get("count", "10")) if request.query.get("count", "10").isdigit() else 10
        found = [self._jobs[guid] for guid in guids if guid in self._jobs][:count]
        return _json({"results": found, "meta": {"count": len(found), "offset": 0}}, 200)

    def _post(self, request: Request) -> Reply:
        try:
            fields = checked(request, self._nonces, time.time())
        except Refused as refused:
            return _json({"detail": refused.words}, 401, ("WWW-Authenticate", refused.header))
        try:
            stored = [_listed(entry) for entry in json.loads(request.body)]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _json({"detail": f"{type(error).__name__}: {error}"[:200]}, 500)
        for job in stored:
            if not job["revision"].startswith("000000") and len(self._jobs) < MOST_JOBS:
                before = self._jobs.get(job["job_guid"])
                if before is None or before["state"] != "completed":  # a completed job never changes
                    self._jobs[job["job_guid"]] = job
        body = json.dumps({"message": "Job successfully updated"}).encode()
        return Reply(
            200,
            body,
            (
                ("Content-Type", "application/json"),
                ("Server-Authorization", signature(request, fields, body, "application/json")),
            ),
        )


def _listed(entry: dict[str, Any]) -> dict[str, Any]:
    job = entry["job"]
    platform = job.get("build_platform") or job.get("machine_platform") or {}
    completed = job.get("state") == "completed"
    return {
        "job_guid": str(job["job_guid"])[:50],
        "revision": str(entry["revision"]),
        "state": job.get("state", "unknown"),
        "result": job.get("result", "unknown") if completed else "unknown",
        "job_type_name": job.get("name", "unknown"),
        "job_type_symbol": job.get("job_symbol", "?"),
        "job_group_symbol": job.get("group_symbol", "?"),
        "platform": platform.get("platform", "unknown"),
        "platform_option": " ".join(sorted(name for name, on in (job.get("option_collection") or {}).items() if on)),
        "tier": job.get("tier", 1),
        "submit_timestamp": job.get("submit_timestamp", 0),
        "start_timestamp": job.get("start_timestamp", 0),
        "end_timestamp": job.get("end_timestamp", 0),
    }


def _json(value: Any, status: int, *headers: tuple[str, str]) -> Reply:
    return Reply(status, json.dumps(value).encode(), (("Content-Type", "application/json"), *headers))
