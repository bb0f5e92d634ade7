"""Jobs, in both of the server's ways: a repository's, whose pages lose rows, and the global list, ordered by id."""

from __future__ import annotations

from backends.demo.treeherder.answers import Refusal, crash, detail, page
from backends.demo.treeherder.branches import Branch
from backends.demo.treeherder.failures import bug_map, error_lines, suggestions
from backends.demo.treeherder.job_filters import lenient, strict
from backends.demo.treeherder.job_texts import (
    GLOBAL_FIELDS,
    PROJECT_FIELDS,
    detail_text,
    global_row,
    log_urls,
    project_text,
)
from backends.demo.treeherder.jobs import Job
from backends.demo.treeherder.push_routes import no_project
from backends.demo.treeherder.queries import Query
from backends.demo.treeherder.reference import Json
from backends.demo.treeherder.routing import Call, Route, route

_DEFAULT, _MOST = 10, 2000
_SIMILAR = 50


def routes() -> list[Route]:
    job = "project/<project>/jobs/<id>/"
    return [
        route("project/<project>/jobs/", _jobs),
        route(job, _one),
        route(f"{job}similar_jobs/", _similar),
        route(f"{job}text_log_errors/", lambda call: error_lines(call.world.seed, _found(call)[1])),
        route(f"{job}bug_suggestions/", lambda call: suggestions(call.world.seed, _found(call)[1])),
        route("project/<project>/job-log-url/", _logs),
        route("project/<project>/bug-job-map/", _bugs),
        route("project/<project>/note/", lambda _: []),
        route("jobs/", _all_jobs),
        route("taskclustermetadata/", _tasks),
    ]


def _jobs(call: Call) -> Json:
    query, branch = call.query, call.branch(no_project)
    count, offset = _bound(query, "count", _DEFAULT), _bound(query, "offset", 0)
    if count > _MOST:
        raise detail(400, f"Specified count exceeds API MAX_JOBS_COUNT value: {_MOST}")
    if offset < 0 or count < 0:
        raise crash()
    chosen = as_stored(lenient(branch, query), offset)[offset : offset + count]
    found: Json = {"results": [project_text(branch.seed, job) for job in chosen]}
    if query.last("return_type") == "list":
        found["results"] = [[text[name] for name in PROJECT_FIELDS] for text in found["results"]]
        found["job_property_names"] = PROJECT_FIELDS
    found["meta"] = {"repository": branch.name, "offset": offset, "count": count}
    return found


def _bound(query: Query, name: str, absent: int) -> int:
    text = query.last(name, str(absent))
    try:
        return int(text)
    except ValueError:
        raise Refusal(400, "Invalid value for offset or count") from None


def as_stored(jobs: list[Job], offset: int) -> list[Job]:
    """Without an ORDER BY a later page comes from another plan: some rows have moved, are lost or there twice."""
    if not offset:
        return jobs
    moved = [job for job in jobs if job.id % 17 == 0]
    return [*moved, *(job for job in jobs if job.id % 17)]


def _found(call: Call) -> tuple[Branch, Job]:
    branch, id_ = call.branch(no_project), call.parts["id"]
    job = branch.job(int(id_))
    if job is None:
        raise Refusal(404, f"No job with id: {id_}")
    return branch, job


def _one(call: Call) -> Json:
    branch, job = _found(call)
    return detail_text(branch.seed, branch.name, job)


def _similar(call: Call) -> Json:
    """Of the same name, on other pushes, the youngest push first."""
    branch, job = _found(call)
    count, offset = _bound(call.query, "count", _SIMILAR), _bound(call.query, "offset", 0)
    same = [one for one in branch.jobs if one.label.name == job.label.name and one.id != job.id]
    same.sort(key=lambda one: (-one.push.time, one.id))
    shown = same[offset : offset + count]
    return {
        "results": [project_text(branch.seed, one) for one in shown],
        "meta": {"count": len(shown), "offset": offset, "repository": branch.name},
    }


def _ids(query: Query, name: str) -> list[int]:
    return [int(part) for text in query.all(name) for part in text.split(",") if part.isdecimal()]


def _logs(call: Call) -> list[Json]:
    branch = call.branch(no_project)
    if "job_id" not in call.query:
        raise detail(400, "The job_id parameter is mandatory for this endpoint")
    return [
        {"id": 2 * job.id + place, "job_id": job.id, "name": name, "url": url, "parse_status": "parsed"}
        for id_ in _ids(call.query, "job_id")
        if (job := branch.job(id_)) is not None
        for place, (name, url) in enumerate(log_urls(branch.seed, job))
    ]


def _bugs(call: Call) -> list[Json]:
    branch = call.branch(no_project)
    jobs = [job for id_ in _ids(call.query, "job_id") if (job := branch.job(id_)) is not None]
    return [entry for job in jobs for entry in bug_map(branch.seed, job)]


def _all_jobs(call: Call) -> object:
    query = call.query
    size = min(_bound(query, "count", _MOST), _MOST)
    found = strict(call.world.branches.values(), query)
    number = query.last("page", "1")
    envelope = page(call.request, call.base, found, int(number) if number.isdecimal() else 0, max(size, 1), {})
    assert isinstance(envelope, dict)
    envelope["results"] = [global_row(call.world.seed, job) for job in envelope["results"]]
    return {**envelope, "job_property_names": GLOBAL_FIELDS}


def _tasks(call: Call) -> list[Json]:
    found = []
    for id_ in sorted(_ids(call.query, "job_ids")):
        for branch in call.world.branches.values():
            if (job := branch.job(id_)) is not None:
                task, run = job.task_of(branch.seed)
                found.append({"job": job.id, "task_id": task, "retry_id": run})
    return found
