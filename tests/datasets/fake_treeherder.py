"""A Treeherder in a few lines that fails, forgets and grows on demand: handed to `Http` as its transport."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from backends.http import Http, Mode
from backends.treeherder.datasets.client import DatasetClient, RateLimiter

DAY = 86_400
_ROUTES = {
    "performance/signatures": "signatures",
    "performance/data": "values",
    "performance/summary": "submitted",
    "performance/alertsummary": "alerts",
    "push": "pushed",
    "jobs": "jobs",
    "repository": "repositories",
}


@dataclass
class FakeTreeherder:
    """`pushes` (id -> time), `data` (rows of performance/data with submit as an extra), `jobs`, `summaries` by id.

    `fails(path, query)`: a status to answer with in place of the truth, 0 for none. `asked`: (path, query) of each.
    """

    pushes: dict[int, int] = field(default_factory=dict)
    data: list[dict[str, Any]] = field(default_factory=list)
    jobs: dict[int, dict[str, Any]] = field(default_factory=dict)
    summaries: list[dict[str, Any]] = field(default_factory=list)
    fails: Callable[[str, dict[str, list[str]]], int] = lambda path, query: 0
    asked: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)
    only_subtests: set[int] = field(default_factory=set)  # jobs without a value of their suite

    def measure(self, signature: int, job: int, push: int, *, after: int = 60, expired: bool = False) -> None:
        number = signature * 1_000_000 + job
        row = {"id": number, "signature_id": signature, "job_id": None if expired else job, "push_id": push,
               "revision": f"{push:040x}", "push_timestamp": self.pushes[push], "value": 1.25,
               "submit": self.pushes[push] + after}  # fmt: skip
        self.data.append(row)
        if not expired:
            submit = row["submit"]
            self.jobs[job] = {
                "id": job,
                "push_id": push,
                "state": "completed",
                "result": "success",
                "platform": "linux",
                "submit_timestamp": submit,
                "start_timestamp": submit + 30,
                "end_timestamp": submit + 630,
            }

    def expire(self, job: int) -> None:
        self.jobs.pop(job)
        for row in self.data:
            if row["job_id"] == job:
                row["job_id"] = None

    def server(self, repository: str = "autoland") -> DatasetClient:
        http = Http(mode=Mode.NO_CACHE, transport=httpx.MockTransport(self._answer), tries=1)
        return DatasetClient(http, "https://th.example", repository, RateLimiter(0))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        split = urlsplit(str(request.url))
        query = parse_qs(split.query)
        path = split.path.removeprefix("/api/").removeprefix("project/autoland/").strip("/")
        assert split.path.endswith("/"), "without it the server answers with a page"
        assert len(split.path) + len(split.query) < 4000, "gunicorn refuses longer request lines"
        self.asked.append((path, query))
        if status := self.fails(path, query):
            return httpx.Response(status, json={"detail": "no"})
        name = _ROUTES[path]
        return httpx.Response(200, json=getattr(self, f"_{name}")(query))

    def _repositories(self, query: dict[str, list[str]]) -> Any:
        return [{"id": 77, "name": "autoland"}, {"id": 4, "name": "try"}]

    def _signatures(self, query: dict[str, list[str]]) -> Any:
        ids = sorted({row["signature_id"] for row in self.data})
        return {str(one): {"id": one, "signature_hash": f"{one:040x}", "framework_id": 1 + one % 2, "suite": "amazon",
                           "machine_platform": "linux"} for one in ids}  # fmt: skip

    def _pushed(self, query: dict[str, list[str]]) -> Any:
        low, high = int(query["push_timestamp__gte"][0]), int(query["push_timestamp__lte"][0])
        found = sorted(((at, one) for one, at in self.pushes.items() if low <= at <= high), reverse=True)
        other = {"author": "me", "revision_count": 1, "revisions": []}
        some = found[: int(query["count"][0])]
        return {"results": [{"id": one, "revision": f"{one:040x}", "push_timestamp": at, **other} for at, one in some]}

    def _values(self, query: dict[str, list[str]]) -> Any:
        wanted = set(map(int, query["push_id"]))
        found: dict[str, list[Any]] = {}
        for row in self.data:
            if row["push_id"] in wanted:
                told = {name: value for name, value in row.items() if name != "submit"}
                told["value"] = round(row["value"], 2)
                found.setdefault(f"{row['signature_id']:040x}", []).append(told)
        return found

    def _submitted(self, query: dict[str, list[str]]) -> Any:
        if "signature" in query:
            return self._series(int(query["signature"][0]), query)
        assert query["no_subtests"] == ["true"]
        low, high = (_epoch(query[name][0]) for name in ("startday", "endday"))
        here = [
            row
            for row in self.data
            if row["job_id"] not in self.only_subtests
            and low < row["push_timestamp"] < high
            and 1 + row["signature_id"] % 2 == int(query["framework"][0])
        ]
        times = [None if row["job_id"] is None else _iso(row["submit"]) for row in here]
        return [{"signature_id": 1, "job_ids": [row["job_id"] for row in here], "submit_times": times, "values": []}]

    def _series(self, signature: int, query: dict[str, list[str]]) -> Any:
        """All digits, and machines: what no list has."""
        assert query["all_data"] == ["true"] and query["replicates"] == ["false"]
        low, high = (_epoch(query[name][0]) for name in ("startday", "endday"))
        data = [
            {"id": row["id"], "job_id": row["job_id"], "push_id": row["push_id"], "value": row["value"],
             "push_timestamp": _iso(row["push_timestamp"]), "revision": row["revision"],
             "submit_time": None if row["job_id"] is None else _iso(row["submit"]), "machine_name": "machine-1"}
            for row in self.data
            if row["signature_id"] == signature and low < row["push_timestamp"] < high
        ]  # fmt: skip
        return [{"signature_id": signature, "data": data, "values": []}]

    def _jobs(self, query: dict[str, list[str]]) -> Any:
        ids = [int(one) for one in query["id__in"][0].split(",")]
        return {"results": [self.jobs[one] for one in ids if one in self.jobs], "meta": {}}

    def _alerts(self, query: dict[str, list[str]]) -> Any:
        assert (query["repository"], query["ordering"]) == (["77"], ["id"])
        page, limit = int(query["page"][0]), int(query["limit"][0])
        found = sorted(self.summaries, key=lambda one: one["id"])
        return {"count": len(found), "next": None, "results": found[(page - 1) * limit : page * limit]}


def _epoch(said: str) -> float:
    return datetime.fromisoformat(said).replace(tzinfo=UTC).timestamp()


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
