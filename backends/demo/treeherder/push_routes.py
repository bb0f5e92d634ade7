"""Pushes: `/api/project/<p>/push/` with its many ranges, and what became of a push."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from functools import partial

from backends.demo.treeherder.answers import Refusal, crash, detail
from backends.demo.treeherder.branches import Branch
from backends.demo.treeherder.clock import DAY
from backends.demo.treeherder.pushes import Push, commits
from backends.demo.treeherder.queries import Query, whole
from backends.demo.treeherder.reference import TRY, Json
from backends.demo.treeherder.routing import Call, Route, route

_DEFAULT, _MOST = 10, 1000
_COMMITS_SHOWN = 20
_BOUNDS = {
    "__lt": lambda a, b: a < b, "__lte": lambda a, b: a <= b, "__gt": lambda a, b: a > b, "__gte": lambda a, b: a >= b,
}  # fmt: skip
# The server's own value for these takes the place of the one in the query, so that a range cannot be paged by time.
_REPLACED = {
    "push_timestamp__lte": ("tochange",),
    "push_timestamp__gte": ("fromchange", "startdate"),
    "push_timestamp__lt": ("enddate",),
}


def no_project(name: str) -> Refusal:
    return detail(404, f"No project with name {name}")


def routes() -> list[Route]:
    return [
        route("project/<project>/push/", _pushes),
        route("project/<project>/push/<id>/", _one),
        route("project/<project>/push/<id>/status/", _status),
        route("project/<project>/push/health_summary/", _health),
        route("project/<project>/push/decisiontask/", _decision_tasks),
        route("project/<project>/hash/tocommit/", _to_commit),
    ]


def push_text(branch: Branch, push: Push) -> Json:
    made = commits(branch.seed, branch.name, push)
    return {
        "id": push.id,
        "revision": push.revision,
        "author": push.author,
        "branch": None,
        "revisions": [
            {
                "result_set_id": push.id,
                "repository_id": branch.id,
                "revision": revision,
                "author": author,
                "comments": text,
            }
            for revision, author, text in made[:_COMMITS_SHOWN]
        ],
        "revision_count": len(made),
        "push_timestamp": push.time,
        "repository_id": branch.id,
    }


def _pushes(call: Call) -> Json:
    query, branch = call.query, call.branch(no_project)
    count = _count(query)
    branches = list(call.world.branches.values()) if query.true("all_repos") else [branch]
    found = [(one, push) for one in branches for push in one.listed_pushes]
    if "revision" in query:
        found = [(one, push) for one, push in found if push.revision.startswith(query.last("revision"))]
    if "commit_revision" in query:
        found = [(one, push) for one, push in found if _has_commit(one, push, query.last("commit_revision"))]
    low, high = _range(branch, query)
    found = [(one, push) for one, push in found if low <= push.id <= high]
    found = [(one, push) for one, push in found if _fits(query, push)]
    if "search" in query:
        found = [(one, push) for one, push in found if _mentions(one, push, query.last("search"))]
    found.sort(key=lambda pair: (-pair[1].time, -pair[1].id))
    found = found[:count]
    return {
        "meta": _meta(query, "all" if query.true("all_repos") else branch.name, len(found)),
        "results": [push_text(one, push) for one, push in found],
    }


def _count(query: Query) -> int:
    text = query.last("count", str(_DEFAULT))
    count = whole(text, lambda: detail(400, "Valid count value required"))
    if count < 1:
        raise detail(400, f"count requires a positive integer, not: {count}")
    if count > _MOST:
        raise detail(400, f"Specified count exceeds api limit: {_MOST}")
    return count


def _meta(query: Query, repository: str, count: int) -> Json:
    """A revision is told from its prefix by the name of its filter; every other parameter is repeated as it came."""
    found: Json = {"count": count, "repository": repository, "filter_params": {}}
    for name, values in query.values.items():
        value = values[-1]
        if name == "revision":
            found = {"revision": value, **found}
            name = "revisions_long_revision" if len(value) == 40 else "revisions_short_revision"
        elif name in ("fromchange", "tochange", "commit_revision", "startdate", "enddate"):
            found = {name: value, **found}
        found["filter_params"][name] = value
    return found


def _has_commit(branch: Branch, push: Push, revision: str) -> bool:
    return any(made[0] == revision for made in commits(branch.seed, branch.name, push))


def _mentions(branch: Branch, push: Push, words: str) -> bool:
    made = commits(branch.seed, branch.name, push)
    text = " ".join((push.author, *(part for commit in made for part in commit))).lower()
    return all(word in text for word in words.lower().split())


def _range(branch: Branch, query: Query) -> tuple[int, float]:
    """`fromchange` and `tochange`, both inclusive; a revision that is not known crashes the server."""

    def id_of(name: str, absent: float) -> float:
        if name not in query:
            return absent
        text = query.last(name)
        found = next((push.id for push in branch.listed_pushes if text and push.revision.startswith(text)), None)
        if found is None:
            raise crash()
        return found

    return int(id_of("fromchange", 0)), id_of("tochange", float("inf"))


def _fits(query: Query, push: Push) -> bool:
    for name, values in query.values.items():
        text = values[-1]
        if any(other in query for other in _REPLACED.get(name, ())):
            continue
        if name.startswith("push_timestamp__"):
            wanted = whole(text, partial(detail, 400, f"Invalid timestamp specified for {name}"))
            if not _BOUNDS[name.removeprefix("push_timestamp")](push.time, wanted):
                return False
        elif name == "id" or name == "id__in":
            if push.id not in {whole(part) for part in text.split(",")}:
                return False
        elif name.startswith("id__") and name[2:] in _BOUNDS:
            if not _BOUNDS[name[2:]](push.id, whole(text)):
                return False
        elif name == "author":
            if (push.author == text.removeprefix("-")) == text.startswith("-"):
                return False
        elif name == "author_contains":
            if text.lower() not in push.author:
                return False
        elif name in ("startdate", "enddate"):
            day = _day(text)
            if push.time < day if name == "startdate" else push.time >= day + DAY:
                return False
    return True


def _day(text: str) -> float:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise crash() from None


def _found(call: Call) -> tuple[Branch, Push]:
    branch, id_ = call.branch(no_project), call.parts["id"]
    push = branch.pushes_by_id.get(int(id_))
    if push is None:
        raise Refusal(404, f"No push with id: {id_}")
    return branch, push


def _one(call: Call) -> Json:
    return push_text(*_found(call))


def _status(call: Call) -> Json:
    return counts(*_found(call))


def counts(branch: Branch, push: Push) -> Json:
    """`completed` is a total; tier 3 and classified jobs are left out, results only where there are any."""
    jobs = [job for job in branch.jobs_of(push.id) if job.label.tier < 3]
    states = Counter(job.state for job in jobs)
    results = Counter(job.result for job in jobs if job.state == "completed")
    return {"completed": states["completed"], "pending": states["pending"], "running": states["running"], **results}


def _health(call: Call) -> list[Json]:
    branch = call.branch(no_project)
    found = []
    for revision in call.query.last("revision").split(","):
        push = branch.pushes_by_revision.get(revision)
        if push is None:
            raise Refusal(404, f"No push with revision: {revision}")
        status = counts(branch, push)
        tests, builds = status.get("testfailed", 0), status.get("busted", 0)
        running = status["running"] + status["pending"]
        found.append(
            {
                "revision": push.revision,
                "repository": branch.name,
                "testFailureCount": tests,
                "testInProgressCount": running,
                "buildFailureCount": builds,
                "buildInProgressCount": 0,
                "lintFailureCount": 0,
                "lintingInProgressCount": 0,
                "needInvestigation": tests,
                "status": {"exception": 0, "success": 0, "testfailed": 0, **status},
                "history": None,
                "metrics": {
                    "linting": {"name": "Linting", "result": "none"},
                    "tests": {"name": "Tests", "result": "fail" if tests else "pass"},
                    "builds": {"name": "Builds", "result": "fail" if builds else "pass"},
                },
            }
        )
    return found


def _decision_tasks(call: Call) -> Json:
    branch = call.branch(no_project)
    found: Json = {}
    for id_ in call.query.last("push_ids").split(","):
        for job in branch.jobs_of(whole(id_)):
            if job.label.kind == "decision-task":
                task, run = job.task_of(branch.seed)
                found[id_] = {"id": task, "run": str(run)}
    return found


def _to_commit(call: Call) -> Json:
    """The pushes of try whose messages contain two hashes, each around its day; whatever project is named."""
    query, wrong = call.query, {}
    for name in ("basehash", "newhash", "newhashdate", "basehashdate"):
        if not query.last(name):
            wrong[name] = ["This field is required."]
    for name in ("basehash", "newhash"):
        if name not in wrong and not query.last(name).lstrip("-").isdecimal():
            wrong[name] = ["A valid integer is required."]
    if wrong:
        raise Refusal(400, wrong)
    branch = call.world.branches[TRY]
    found = {
        side: _marked(branch, query.last(f"{side}hash"), query.last(f"{side}hashdate")) for side in ("new", "base")
    }
    return {"baseRevision": found["base"], "newRevision": found["new"]}


def _marked(branch: Branch, hash_: str, day: str) -> str:
    middle = _day(day)
    for push in branch.listed_pushes:
        if abs(push.time - middle) <= DAY:
            for revision, _, text in commits(branch.seed, branch.name, push):
                if hash_ in text:
                    return revision
    raise Refusal(400, [f"The date and hash combination you provided({day} and {hash_}) is invalid"])
