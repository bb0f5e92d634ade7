"""Example job data, and a server that takes signed job collections as Treeherder did until 2018.

Like the server of 2018 it answers 200 also for jobs that it drops: those of a revision that begins with zeros, which is
not a known push.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from backends.demo.asgi import DemoReply, DemoRequest, compile_route, json_reply
from backends.demo.hawk import HawkRefusedError, verify_request

EXAMPLES = Path(__file__).parent / "examples"
CLIENT_ID = "demo/submitter"
KEY = "synthetic-key-of-the-embedded-submission-server"
REPOSITORIES = frozenset({"autoland", "mozilla-central", "mozilla-inbound", "try"})
MAX_JOBS = 100_000
_ROUTE = compile_route("/api/project/{project}/jobs/?")


class SubmissionServer:
    """Keeps jobs by guid while the demo runs."""

    def __init__(self) -> None:
        self._url = ""
        self._jobs: dict[str, dict[str, Any]] = {}
        self._nonces: set[tuple[str, str]] = set()

    def ready(self, url: str) -> None:
        self._url = url

    def settings(self) -> dict[str, str]:
        """The key is never written to a file; the broker is a local one, so that synthetic jobs cannot leave."""
        return {
            "CIEXPLORE_SUBMIT_URL": self._url,
            "CIEXPLORE_HAWK_CLIENT_ID": CLIENT_ID,
            "CIEXPLORE_HAWK_KEY": KEY,
            "CIEXPLORE_PULSE_URL": "amqp://127.0.0.1:5672",
        }

    def reply(self, request: DemoRequest) -> DemoReply:
        match = _ROUTE.fullmatch(request.path)
        if match is None:
            return json_reply({"detail": "Not found."}, 404)
        if match["project"] not in REPOSITORIES:
            return json_reply({"detail": f"No project with name {match['project']}"}, 404)
        return self._post(request) if request.method == "POST" else self._list(request)

    def _list(self, request: DemoRequest) -> DemoReply:
        guids = request.query.get("job_guid__in") or request.query.get("job_guid", "")
        count = request.query.get("count", "")
        limit = int(count) if count.isdigit() else 10
        jobs = [self._jobs[guid] for guid in (guids.split(",") if guids else self._jobs) if guid in self._jobs][:limit]
        return json_reply({"results": jobs, "meta": {"count": len(jobs), "offset": 0}})

    def _post(self, request: DemoRequest) -> DemoReply:
        try:
            receiver = verify_request(request, CLIENT_ID, KEY, with_body=True, seen_nonce=self._seen_nonce)
        except HawkRefusedError as error:
            return json_reply({"detail": str(error)}, 401, (("WWW-Authenticate", error.challenge),))
        try:
            jobs = [_stored_job(entry) for entry in json.loads(request.body)]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return json_reply({"detail": f"{type(error).__name__}: {error}"[:200]}, 500)
        for job in jobs:
            before = self._jobs.get(job["job_guid"])
            if job["revision"].startswith("000000") or len(self._jobs) >= MAX_JOBS:
                continue
            if before is None or before["state"] != "completed":  # a completed job never changes
                self._jobs[job["job_guid"]] = job
        reply = json_reply({"message": "Job successfully updated"})
        receiver.respond(content=reply.body, content_type="application/json")
        return DemoReply(200, reply.body, (*reply.headers, ("Server-Authorization", receiver.response_header)))

    def _seen_nonce(self, client_id: str, nonce: str, timestamp: str) -> bool:
        seen = (nonce, timestamp) in self._nonces
        self._nonces.add((nonce, timestamp))
        return seen


def _stored_job(entry: dict[str, Any]) -> dict[str, Any]:
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
        **{name: job.get(name, 0) for name in ("submit_timestamp", "start_timestamp", "end_timestamp")},
    }
