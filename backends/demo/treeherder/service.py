"""The synthetic Treeherder: the endpoints that ciexplore uses, and the single-page application for every other path."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import inf
from pathlib import Path
from uuid import UUID

from backends.demo.asgi import DemoReply, DemoRequest, compile_route
from backends.demo.deterministic_random import digest, number
from backends.demo.taskcluster.fixtures import Fixtures
from backends.demo.taskcluster.pushes import AUTOLAND, DAY, NOW, REPOSITORY_IDS, DemoPush
from backends.demo.treeherder.alerts import DOWNSTREAM, INVALID, REASSIGNED, UNTRIAGED, AlertTable, DemoAlertSummary
from backends.demo.treeherder.api import Query, TreeherderError, html_page, json_answer, paginate
from backends.demo.treeherder.repositories import (
    DemoDatum,
    DemoJob,
    DemoRepository,
    Json,
    TreeherderData,
    commits,
    iso,
    replicates,
)
from backends.demo.treeherder.test_configs import PerfSignature, option_hash

_WEB_PAGE = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Treeherder (embedded demo)</title></head>
<body><div id="root">The embedded CI of ciexplore. It has an API, but no web interface.</div></body></html>
"""
_REFERENCE = json.loads((Path(__file__).parent / "reference.json").read_bytes())
_SHERIFFED_FRAMEWORKS = (1, 2, 4, 11, 12, 13, 15)
_TC_ROOT = "https://firefox-ci-tc.services.mozilla.com"
_FAILED = ("testfailed", "busted")
_PUSH_COUNT, _MAX_PUSHES = 10, 1000
_JOB_COUNT, _MAX_JOBS = 10, 2000
_SUMMARY_COUNT, _MAX_SUMMARIES = 10, 100
_COMMITS_LISTED = 20
# The order of the arrays that the global endpoint returns.
_GLOBAL_FIELDS = (
    "failure_classification_id", "id", "job_group_name", "job_group_symbol", "job_type_name", "job_type_symbol",
    "last_modified", "platform", "push_id", "push_revision", "result", "signature", "state", "tier", "task_id",
    "retry_id", "duration", "platform_option",
)  # fmt: skip
_BUGS, _FIRST_BUG = 40, 1_800_000
_MESSAGES = (
    "Test timed out. - ",
    'Uncaught exception: TypeError: can\'t access property "x" [b]of[/b] \x1b[31mnull\x1b[0m',
    "assertion count 1 is greater than expected 0",
)


@dataclass(frozen=True)
class _Call:
    """One request as an endpoint sees it; `url` is the server's own."""

    data: TreeherderData
    alerts: AlertTable
    request: DemoRequest
    query: Query
    params: Mapping[str, str]
    url: str

    @property
    def seed(self) -> int:
        return self.data.seed

    @property
    def repository(self) -> DemoRepository:
        name = self.params["project"]
        if name not in self.data.repositories:
            raise TreeherderError(404, {"detail": f"No project with name {name}"})
        return self.data.repositories[name]


class DemoTreeherder:
    def __init__(self, fixtures: Fixtures) -> None:
        self._fixtures = fixtures
        self._url = ""
        # Two first requests at once would generate everything twice; answers take milliseconds.
        self._lock = threading.Lock()

    @cached_property
    def _data(self) -> tuple[TreeherderData, AlertTable]:
        data = TreeherderData(self._fixtures)
        return data, AlertTable(data.repositories[AUTOLAND])

    def warm(self) -> None:
        """Generates everything now: a second or more of processor time."""
        with self._lock:
            self._data  # noqa: B018 - a cached property

    def ready(self, url: str) -> None:
        self._url = url

    def settings(self) -> dict[str, str]:
        return {"CIEXPLORE_TREEHERDER_URL": self._url}

    def reply(self, request: DemoRequest) -> DemoReply:
        try:
            for pattern, handle in _ROUTES:
                if match := pattern.fullmatch(request.path):
                    if request.method not in ("GET", "HEAD"):
                        raise TreeherderError(403, {"detail": "Authentication credentials were not provided."})
                    with self._lock:
                        call = _Call(*self._data, request, Query.parse(request), match.groupdict(), self._url)
                        return json_answer(request, handle(call))
        except TreeherderError as error:
            return error.reply(request)
        # A path without its slash at the end, an unknown and a removed one: all are the application.
        return html_page(_WEB_PAGE)


# Pushes


def _list_pushes(call: _Call) -> Json:
    query, repository = call.query, call.repository
    count = query.number("count", {"detail": "Valid count value required"})
    count = _PUSH_COUNT if count is None else count
    if count < 1:
        raise TreeherderError(400, {"detail": f"count requires a positive integer, not: {count}"})
    if count > _MAX_PUSHES:
        raise TreeherderError(400, {"detail": f"Specified count exceeds api limit: {_MAX_PUSHES}"})
    pushes = [push for push in repository.listed_pushes if _push_matches(repository, query, push)]
    pushes = sorted(pushes, key=lambda push: (-push.time, -push.id))[:count]
    meta: Json = {"count": len(pushes), "repository": repository.name, "filter_params": {}}
    for name, values in query.values.items():
        value = values[-1]
        if name in ("revision", "fromchange", "tochange", "commit_revision", "startdate", "enddate"):
            meta = {name: value, **meta}
        if name == "revision":
            name = "revisions_long_revision" if len(value) == 40 else "revisions_short_revision"
        meta["filter_params"][name] = value
    return {"meta": meta, "results": [_push_json(repository, push) for push in pushes]}


def _push_matches(repository: DemoRepository, query: Query, push: DemoPush) -> bool:
    reads_commits = not {"commit_revision", "search"}.isdisjoint(query.values)
    made = commits(repository.seed, repository.name, push) if reads_commits else []
    words = " ".join((push.author, *(part for commit in made for part in commit))).lower()
    # The server's own times for these take the place of the ones in the query: such a range cannot be paged by time.
    since = None if {"fromchange", "startdate"} & query.values.keys() else query.number("push_timestamp__gte")
    until = None if "tochange" in query else query.number("push_timestamp__lte")
    return (
        push.revision.startswith(query.text("revision"))
        and query.text("commit_revision") in ("", *(revision for revision, _, _ in made))
        and all(word in words for word in query.text("search").lower().split())
        and query.text("author") in ("", push.author)
        and query.text("author_contains").lower() in push.author
        and _id_of(repository, query.text("fromchange"), 0) <= push.id
        and _id_of(repository, query.text("tochange"), inf) >= push.id
        and (since is None or push.time >= since)
        and (until is None or push.time <= until)
        and ("startdate" not in query or push.time >= query.time("startdate"))
        and ("enddate" not in query or push.time < query.time("enddate") + DAY)
    )


def _id_of(repository: DemoRepository, revision: str, default: float) -> float:
    """An unknown revision crashes the server."""
    if not revision:
        return default
    for push in repository.listed_pushes:
        if push.revision.startswith(revision):
            return push.id
    raise TreeherderError(500)


def _push_json(repository: DemoRepository, push: DemoPush) -> Json:
    made = commits(repository.seed, repository.name, push)
    return {
        "id": push.id,
        "revision": push.revision,
        "author": push.author,
        "branch": None,
        "revisions": [
            {
                "result_set_id": push.id,
                "repository_id": repository.id,
                "revision": revision,
                "author": author,
                "comments": text,
            }
            for revision, author, text in made[:_COMMITS_LISTED]
        ],
        "revision_count": len(made),
        "push_timestamp": push.time,
        "repository_id": repository.id,
    }


def _find_push(call: _Call) -> DemoPush:
    push = call.repository.pushes_by_id.get(int(call.params["id"]))
    if push is None:
        raise TreeherderError(404, f"No push with id: {call.params['id']}")
    return push


def _get_push(call: _Call) -> Json:
    return _push_json(call.repository, _find_push(call))


def _push_status(call: _Call) -> Json:
    """`completed` is a total; tier 3 is left out, results are listed only where there are any."""
    jobs = [job for job in call.repository.jobs_of_push(_find_push(call).id) if job.label.tier < 3]
    states = Counter(job.state for job in jobs)
    results = Counter(job.result for job in jobs if job.state == "completed")
    return {"completed": states["completed"], "pending": states["pending"], "running": states["running"], **results}


def _revisions_of_hashes(call: _Call) -> Json:
    """The pushes whose messages contain hashes of `mach try perf`: no message here has one."""
    date, hash_ = (call.query.text(name) for name in ("newhashdate", "newhash"))
    raise TreeherderError(400, [f"The date and hash combination you provided({date} and {hash_}) is invalid"])


# Jobs


def _list_jobs(call: _Call) -> Json:
    """By push or ids, in an order that means nothing; a parameter that is not known or cannot be read is ignored."""
    query, repository = call.query, call.repository
    count = query.number("count", "Invalid value for offset or count")
    count = _JOB_COUNT if count is None else count
    if count > _MAX_JOBS:
        raise TreeherderError(400, {"detail": f"Specified count exceeds API MAX_JOBS_COUNT value: {_MAX_JOBS}"})
    jobs: Iterable[DemoJob]
    if "id__in" in query:
        jobs = [job for job_id in set(query.numbers("id__in")) if (job := repository.job(job_id)) is not None]
    elif "task_id" in query:
        task, run = query.text("task_id"), query.number("retry_id")
        all_jobs = (*repository.jobs, *repository.jobs_before.values(), *repository.live_jobs())
        jobs = [job for job in all_jobs if job.task is not None and job.task[0] == task and run in (None, job.task[1])]
    elif query.text("push_id").isdecimal():
        jobs = repository.jobs_of_push(int(query.text("push_id")))
    else:
        jobs = repository.jobs
    first, last = query.number("id__gte"), query.number("id__lte")
    jobs = [job for job in jobs if (first is None or job.id >= first) and (last is None or job.id <= last)]
    jobs.sort(key=lambda job: (job.id // 64, job.id * 2_654_435_761 % 97))
    return {
        "results": [_job_json(call.seed, job) for job in jobs[:count]],
        "meta": {"repository": repository.name, "offset": 0, "count": count},
    }


def _list_all_jobs(call: _Call) -> Json:
    """The jobs of a push by id, as arrays."""
    push_id = call.query.number("push_id") or 0
    jobs = [job for one in call.data.repositories.values() for job in one.jobs_of_push(push_id)]
    jobs.sort(key=lambda job: job.id)
    size = min(call.query.number("count") or _MAX_JOBS, _MAX_JOBS)
    page = paginate(call.request, call.url, jobs, call.query.number("page") or 1, size)
    rows = [_global_row(call.seed, job) for job in page["results"]]
    return {**page, "results": rows, "job_property_names": _GLOBAL_FIELDS}


def _find_job(call: _Call) -> DemoJob:
    job = call.repository.job(int(call.params["id"]))
    if job is None:
        raise TreeherderError(404, f"No job with id: {call.params['id']}")
    return job


def _get_job(call: _Call) -> Json:
    job = _find_job(call)
    fields = _job_json(call.seed, job)
    ends = {name: fields.pop(name) for name in ("platform_option", "task_id", "retry_id")}
    return {
        **fields,
        "resource_uri": f"/api/project/{call.repository.name}/jobs/{job.id}/",
        "logs": [{"name": name, "url": url} for name, url in _logs_of(call.seed, job)],
        **ends,
        "taskcluster_metadata": {"task_id": ends["task_id"], "retry_id": ends["retry_id"]},
    }


def _similar_jobs(call: _Call) -> Json:
    """Of the same name, the youngest push first."""
    repository, job = call.repository, _find_job(call)
    jobs = sorted(repository.jobs_like(job), key=lambda one: (-one.push.time, one.id))[
        : call.query.number("count") or 50
    ]
    meta = {"count": len(jobs), "offset": 0, "repository": repository.name}
    return {"results": [_job_json(call.seed, one) for one in jobs], "meta": meta}


def _tasks_of_jobs(call: _Call) -> list[Json]:
    tasks = []
    for job_id in sorted(call.query.numbers("job_ids")):
        for repository in call.data.repositories.values():
            if (job := repository.job(job_id)) is not None:
                task, run = job.task_of(call.seed)
                tasks.append({"job": job.id, "task_id": task, "retry_id": run})
    return tasks


@lru_cache(maxsize=8192)
def _reference_name(label: str) -> str:
    return hashlib.sha1(label.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def _job_json(seed: int, job: DemoJob) -> Json:
    label, (task, run) = job.label, job.task_of(seed)
    architecture = "aarch64" if "aarch64" in label.machine else "x86" if "-32" in label.machine else "x86_64"
    group, name = label.group_name or "unknown", _reference_name(label.name)
    modified = (job.end or job.start or job.submit) + number(seed, "written", job.id) % 90_000_000 / 1e6
    # Half of the failures are classified: fixed by commit, intermittent, or infrastructure.
    classification = 1
    if job.result in _FAILED:
        classification = (1, 1, 6, 2, 4, 4, 5, 4)[number(seed, "classified", job.id) % 8]
    return {
        "build_architecture": architecture,
        "build_os": label.os,
        "build_platform": label.machine,
        "build_platform_id": number("platform", label.machine) % 997,
        "build_system_type": "taskcluster",
        "end_timestamp": job.end,
        "failure_classification_id": classification,
        "id": job.id,
        "job_group_description": "",
        "job_group_id": number("group", group) % 499,
        "job_group_name": group,
        "job_group_symbol": label.group_symbol or "?",
        "job_guid": f"{UUID(bytes=digest('guid', task, run))}/{run}",
        "job_type_description": "",
        "job_type_id": number("type", label.name) % 99_991,
        "job_type_name": label.name,
        "job_type_symbol": label.symbol,
        "last_modified": iso(round(modified, 6)),
        "machine_name": job.machine(seed) if job.start else "unknown",
        "machine_platform_architecture": architecture,
        "machine_platform_os": label.os,
        "option_collection_hash": option_hash(label.collection),
        "platform": label.machine,
        "push_id": job.push.id,
        "reason": "scheduled",
        "ref_data_name": name,
        "result": job.result,
        "result_set_id": job.push.id,
        "signature": name,
        "start_timestamp": job.start,
        "state": job.state,
        "submit_timestamp": job.submit,
        "tier": label.tier,
        "who": job.push.author,
        "task_id": task,
        "retry_id": run,
        "platform_option": label.collection,
    }


def _global_row(seed: int, job: DemoJob) -> list[object]:
    """The duration is in minutes, at least one."""
    begin, end = job.start or job.submit, job.end or job.start or job.submit
    duration = max(round((end - begin) / 60), 1)
    fields = _job_json(seed, job) | {"push_revision": job.push.revision, "duration": duration}
    return [fields[name] for name in _GLOBAL_FIELDS]


def _logs_of(seed: int, job: DemoJob) -> list[tuple[str, str]]:
    """None before the job has begun."""
    if not job.start:
        return []
    task, run = job.task_of(seed)
    base = f"{_TC_ROOT}/api/queue/v1/task/{task}/runs/{run}/artifacts/public"
    logs = [("live_backing_log", f"{base}/logs/live_backing.log")]
    if job.has_values:
        logs.append(("perfherder-data.json", f"{base}/test_info/perfherder-data.json"))
    return logs


def _error_lines(call: _Call) -> list[Json]:
    seed, job = call.seed, _find_job(call)
    if job.result not in _FAILED:
        return []
    test = _failed_test(seed, job)
    return [
        {
            "id": 4 * job.id + place,
            "line": f"TEST-UNEXPECTED-FAIL | {test} | {_MESSAGES[(job.id + place) % len(_MESSAGES)]}",
            "line_number": 1000 + 37 * place + number(seed, "line", job.id) % 500,
            "new_failure": number(seed, "new", job.id) % 9 == 0,
            "job": job.id,
        }
        for place in range(1 + number(seed, "lines", job.id) % 3)
    ]


def _failed_test(seed: int, job: DemoJob) -> str:
    return f"dom/tests/test_synthetic_{number(seed, 'test', job.id) % _BUGS}.html"


def _bug_suggestions(call: _Call) -> list[Json]:
    job = _find_job(call)
    test, place = _failed_test(call.seed, job), 37 * (number(call.seed, "test", job.id) % _BUGS)
    bug = {
        "id": _FIRST_BUG + place,
        "status": "NEW",
        "resolution": "",
        "summary": f"Intermittent {test} | Test timed out.",
        "dupe_of": None,
        "crash_signature": "",
        "keywords": "intermittent-failure",
        "whiteboard": "",
        "internal_id": place + 1,
        "occurrences": None,
    }
    return [
        {
            "search": line["line"].strip(),
            "search_terms": [test.rsplit("/", 1)[1]],
            "path_end": test,
            "bugs": {"open_recent": [bug], "all_others": []},
            "line_number": line["line_number"],
            "counter": 0,
            "failure_new_in_rev": line["new_failure"],
        }
        for line in _error_lines(call)
    ]


# Signatures and performance data


def _list_signatures(call: _Call) -> Json:
    repository, query = call.repository, call.query
    signatures: Sequence[PerfSignature] = repository.live_signatures
    if ids := query.numbers("id"):
        signatures = [repository.by_id[one] for one in dict.fromkeys(ids) if one in repository.by_id]
    frameworks, hashes, parents = query.numbers("framework"), query.all("signature"), query.all("parent_signature")
    since = query.since()
    found = [
        one
        for one in signatures
        if (not frameworks or one.config.framework in frameworks)
        and (not hashes or one.hash in hashes)
        and (not parents or repository.parent_hash(one) in parents)
        and ("platform" not in query or one.config.platform == query.text("platform"))
        and (query.number("subtests") != 0 or one.parent is None)
        and repository.last_updated(one) >= since
    ]
    found.sort(key=lambda one: one.hash)  # in an order that means nothing
    return {str(repository.id_of(one)): _signature_json(repository, one) for one in found}


def _signature_json(repository: DemoRepository, signature: PerfSignature) -> Json:
    """Defaults are left out: only the first seven members are always there."""
    metric, config = signature.metric, signature.config
    optional: Json = {
        "lower_is_better": None if metric.lower else False,
        "test": metric.test or None,
        "application": config.application or None,
        "has_subtests": signature.has_subtests or None,
        "tags": list(metric.tags) or None,
        "parent_signature": repository.parent_hash(signature),
        "extra_options": list(metric.options) or None,
        "measurement_unit": metric.unit,
    }
    return {
        "id": repository.id_of(signature),
        "signature_hash": signature.hash,
        "framework_id": config.framework,
        "option_collection_hash": signature.option_hash,
        "machine_platform": config.platform,
        "suite": metric.suite,
        "should_alert": metric.alerts,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _performance_data(call: _Call) -> dict[str, list[Json]]:
    """The values of pushes by signature hash, rounded to two decimals."""
    query, repository = call.query, call.repository
    if "push_id" not in query:
        raise TreeherderError(400, ["Need to specify either signature_id, signatures, push_id, or job_id"])
    pushes, frameworks = set(query.numbers("push_id")), query.numbers("framework")
    configs = {job.config for push in pushes for job in repository.measured_by_push.get(push, ())}
    orders = sorted(repository.pushes_by_id[push].order for push in pushes if push in repository.pushes_by_id)
    found: dict[str, list[tuple[PerfSignature, DemoDatum]]] = {}
    for signature in repository.live_signatures:
        if signature.config.index in configs and (not frameworks or signature.config.framework in frameworks):
            for order in orders:
                for datum in repository.data(signature, range(order, order + 1)):
                    found.setdefault(signature.hash, []).append((signature, datum))
    return {
        hash_: [
            {
                "id": datum.id,
                "signature_id": repository.id_of(signature),
                "job_id": datum.job_id,
                "push_id": datum.job.push.id,
                "revision": datum.job.push.revision,
                "push_timestamp": datum.job.push.time,
                "value": round(datum.value, 2),
            }
            for signature, datum in sorted(data, key=lambda one: (one[1].job.push.time, one[1].id))
        ]
        for hash_, data in found.items()
    }


def _performance_summary(call: _Call) -> list[Json]:
    """All values of one signature (`all_data`) or rounded ones of many."""
    query, name = call.query, call.query.text("repository")
    if name not in call.data.repositories:
        raise TreeherderError(400, {"repository": [f"{name} does not exist." if name else "This field is required."]})
    repository = call.data.repositories[name]
    if revision := query.text("revision"):
        push = repository.pushes_by_revision.get(revision)
        orders = range(push.order, push.order + 1) if push else range(0)
    elif "startday" in query and "endday" in query:
        orders = repository.orders(query.time("startday"), query.time("endday"))
    elif "interval" in query:
        orders = repository.orders(query.since(), float("inf"))
    else:
        text = "Required: revision, startday and endday or interval."
        raise TreeherderError(400, {"non_field_errors": [text]})
    all_data = bool(query.text("signature")) and query.flag("all_data")
    return [
        _summary_row(call, repository, signature, repository.data(signature, orders), all_data=all_data)
        for signature in _summary_signatures(query, repository)
    ]


def _summary_signatures(query: Query, repository: DemoRepository) -> list[PerfSignature]:
    """One signature, or either all with a parent or all without; never both kinds."""
    if name := query.text("signature"):
        if re.fullmatch(r"[0-9a-f]{40}", name):
            found = [one for one in repository.live_signatures if one.hash == name]
        else:
            signature = repository.by_id.get(query.number("signature") or 0)
            found = [signature] if signature else []
    else:
        top = query.flag("no_subtests")
        found = [one for one in repository.live_signatures if (one.parent is None) == top]
    if frameworks := query.numbers("framework"):
        found = [one for one in found if one.config.framework in frameworks]
    if (parent := query.number("parent_signature")) is not None:
        found = [one for one in found if repository.parent_id(one) == parent]
    if "interval" in query and not query.flag("all_data") and not query.text("revision"):
        found = [one for one in found if repository.last_updated(one) >= query.since()]
    return found


def _summary_row(
    call: _Call, repository: DemoRepository, signature: PerfSignature, data: list[DemoDatum], *, all_data: bool
) -> Json:
    """With `replicates` each of them is a value of its own, with the id of the datum that it belongs to."""
    metric, config, seed = signature.metric, signature.config, call.seed
    values = [(datum, datum.value) for datum in data]
    if call.query.flag("replicates"):
        values = [(datum, one) for datum in data for one in replicates(seed, signature, datum.job, datum.value)]
    if not all_data:
        values.sort(key=lambda one: one[0].job.id)
    rounded = [] if all_data else values
    names = (metric.suite, metric.test, config.label.collection, *metric.options)
    size = metric.unit == "bytes" and config.framework == 2
    return {
        "signature_id": repository.id_of(signature),
        "framework_id": config.framework,
        "signature_hash": signature.hash,
        "platform": config.platform,
        "test": metric.test,
        "suite": metric.suite,
        "lower_is_better": metric.lower,
        "has_subtests": signature.has_subtests,
        "tags": " ".join(metric.tags),
        "values": [round(value, 2) for _, value in rounded],
        "name": " ".join(name for name in names if name),
        "parent_signature": repository.parent_id(signature),
        "job_ids": [datum.job_id for datum, _ in rounded],
        "repository_name": repository.name,
        "repository_id": repository.id,
        "data": [_full_datum(seed, datum, value) for datum, value in values] if all_data else [],
        "measurement_unit": metric.unit,
        "application": config.application,
        # A subtest does not alert by default if its suite has values.
        "should_alert": False if metric.alerts is None and signature.parent is not None else metric.alerts,
        "alert_change_type": 1 if size else None,
        "alert_threshold": 100_000.0 if size else 0.25 if config.framework == 4 else None,
        "submit_times": [None if datum.job.expired else iso(datum.job.submit) for datum, _ in rounded],
    }


def _full_datum(seed: int, datum: DemoDatum, value: float) -> Json:
    job = datum.job
    return {
        "job_id": datum.job_id,
        "id": datum.id,
        "value": value,
        "push_timestamp": iso(job.push.time),
        "push_id": job.push.id,
        "revision": job.push.revision,
        "submit_time": None if job.expired else iso(job.submit),
        "machine_name": None if job.expired else job.machine(seed),
    }


# Alerts


def _list_summaries(call: _Call) -> Json:
    query = call.query
    found = [one for one in call.alerts.summaries.values() if _summary_matches(query, one) and _text_matches(call, one)]
    found.sort(key=lambda one: (-one.created, -one.id))
    if query.text("ordering") == "id":
        found.sort(key=lambda one: one.id)
    size = min(query.number("limit") or _SUMMARY_COUNT, _MAX_SUMMARIES)
    page = paginate(call.request, call.url, found, query.number("page") or 1, size)
    return {**page, "results": [call.alerts.summary_json(summary) for summary in page["results"]]}


def _summary_matches(query: Query, summary: DemoAlertSummary) -> bool:
    status, framework, repository, timerange = (
        query.number(name, {name: ["Enter a number."]}) for name in ("status", "framework", "repository", "timerange")
    )
    regressions = [alert.regression for alert in summary.alerts]
    untriaged = summary.status == UNTRIAGED
    return (
        summary.sheriffed != query.flag("monitored_alerts")
        and status in (None, summary.status)
        and framework in (None, summary.framework)
        and repository in (None, REPOSITORY_IDS[AUTOLAND])
        and (timerange is None or summary.push.time >= NOW - timerange)
        and (any(regressions) or not query.flag("hide_improvements"))
        and (summary.status not in (DOWNSTREAM, REASSIGNED, INVALID) or not query.flag("hide_related_and_invalid"))
        and ((untriaged and any(regressions)) or not query.flag("untriaged_regressions"))
        and ((untriaged and not all(regressions)) or not query.flag("untriaged_improvements"))
        and (summary.framework in _SHERIFFED_FRAMEWORKS or not query.flag("show_sheriffed_frameworks"))
    )


def _text_matches(call: _Call, summary: DemoAlertSummary) -> bool:
    """The filters on the JSON: a series, an assignee, and words, which must all be in one alert."""
    series, person = call.query.number("alerts__series_signature"), call.query.text("with_assignee")
    words = call.query.text("filter_text").split()
    if series is None and not person and not words:
        return True
    fields = call.alerts.summary_json(summary)
    signatures = [alert["series_signature"] for alert in fields["alerts"]]
    ends = f"{fields['bug_number'] or ''} {fields['revision']}"
    texts = [
        " ".join((one["suite"], one["test"], one["machine_platform"], *one["extra_options"], ends))
        for one in signatures
    ]  # fmt: skip
    return (
        (series is None or any(one["id"] == series for one in signatures))
        and person in ("", fields["assignee_username"])
        and any(all(word in text for word in words) for text in texts)
    )


def _get_summary(call: _Call) -> Json:
    summary = call.alerts.summaries.get(int(call.params["id"]))
    if summary is None:
        raise TreeherderError(404, {"detail": "No PerformanceAlertSummary matches the given query."})
    return call.alerts.summary_json(summary)


_PROJECT, _JOB = "project/{project}", "project/{project}/jobs/{id:int}"
_ROUTES: list[tuple[re.Pattern[str], Callable[[_Call], object]]] = [
    (compile_route(f"/api/{path}/"), handle)
    for path, handle in (
        *((path, lambda _, path=path: _REFERENCE[path]) for path in _REFERENCE),
        (f"{_PROJECT}/push", _list_pushes),
        (f"{_PROJECT}/push/{{id:int}}", _get_push),
        (f"{_PROJECT}/push/{{id:int}}/status", _push_status),
        (f"{_PROJECT}/hash/tocommit", _revisions_of_hashes),
        (f"{_PROJECT}/jobs", _list_jobs),
        (_JOB, _get_job),
        (f"{_JOB}/similar_jobs", _similar_jobs),
        (f"{_JOB}/text_log_errors", _error_lines),
        (f"{_JOB}/bug_suggestions", _bug_suggestions),
        ("jobs", _list_all_jobs),
        ("taskclustermetadata", _tasks_of_jobs),
        (f"{_PROJECT}/performance/signatures", _list_signatures),
        (f"{_PROJECT}/performance/data", _performance_data),
        ("performance/summary", _performance_summary),
        ("performance/alertsummary", _list_summaries),
        ("performance/alertsummary/{id:int}", _get_summary),
    )
]
