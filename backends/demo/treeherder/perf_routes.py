"""Signatures and data points: `/api/project/<p>/performance/`, which leaves out, rounds and merges in its own way."""

from __future__ import annotations

from collections.abc import Sequence

from backends.demo.treeherder.answers import Refusal, crash, detail, message
from backends.demo.treeherder.branches import Branch, Datum
from backends.demo.treeherder.clock import iso
from backends.demo.treeherder.jobs import Job
from backends.demo.treeherder.reference import Json
from backends.demo.treeherder.routing import Call, Route, route
from backends.demo.treeherder.signatures import Signature

_NEED = "Need to specify either signature_id, signatures, push_id, or job_id"
_NOT_BOTH = "Can't specify both signature_id and signatures in same query"


def routes() -> list[Route]:
    return [
        route("project/<project>/performance/signatures/", _signatures),
        route("project/<project>/performance/platforms/", _platforms),
        route("project/<project>/performance/data/", _data),
        route("project/<project>/performance/job-data/", _job_data),
    ]


def signature_text(branch: Branch, signature: Signature) -> Json:
    """What is the default is left out: only the first seven are always there."""
    metric = signature.metric
    found: Json = {
        "id": branch.id_of(signature),
        "signature_hash": signature.hash,
        "framework_id": signature.lane.framework,
        "option_collection_hash": signature.option_hash,
        "machine_platform": signature.lane.platform,
        "suite": metric.suite,
        "should_alert": metric.alerts,
    }
    if not metric.lower:
        found["lower_is_better"] = False
    if metric.test:
        found["test"] = metric.test
    if signature.lane.application:
        found["application"] = signature.lane.application
    if signature.has_subtests:
        found["has_subtests"] = True
    if metric.tags:
        found["tags"] = list(metric.tags)
    if signature.parent is not None:
        found["parent_signature"] = branch.parent_hash(signature)
    if metric.options:
        found["extra_options"] = list(metric.options)
    if metric.unit is not None:
        found["measurement_unit"] = metric.unit
    return found


def _signatures(call: Call) -> Json:
    branch = call.branch(lambda _: crash())
    found = _chosen(call, branch)
    return {str(branch.id_of(signature)): signature_text(branch, signature) for signature in found}


def _chosen(call: Call, branch: Branch) -> list[Signature]:
    query = call.query
    found: Sequence[Signature] = branch.live_signatures
    if ids := query.numbers("id", lambda: message("One or more id values invalid (must be integer)")):
        found = [branch.by_id[id_] for id_ in dict.fromkeys(ids) if id_ in branch.by_id]
    if frameworks := set(query.numbers("framework")):
        found = [one for one in found if one.lane.framework in frameworks]
    if hashes := set(query.all("signature")):
        found = [one for one in found if one.hash in hashes]
    if parents := set(query.all("parent_signature")):
        found = [one for one in found if branch.parent_hash(one) in parents]
    if "platform" in query:
        found = [one for one in found if one.lane.platform == query.last("platform")]
    if query.number("subtests") == 0:
        found = [one for one in found if one.parent is None]
    begin, end = query.span()
    if begin or end != float("inf"):
        found = [one for one in found if begin <= branch.last_updated(one) <= end]
    return sorted(found, key=lambda one: one.hash)  # no order that means anything


def _platforms(call: Call) -> list[str]:
    branch = call.branch(lambda _: crash())
    return sorted({one.lane.platform for one in _chosen(call, branch)}, key=lambda name: name[::-1])


def _data(call: Call) -> dict[str, list[Json]]:
    query, branch = call.query, call.branch(lambda _: crash())
    given = [name for name in ("signature_id", "signatures", "push_id", "job_id") if name in query]
    if not given:
        raise _listed(_NEED)
    if "signature_id" in query and "signatures" in query:
        raise _listed(_NOT_BOTH)
    jobs = set(query.numbers("job_id", lambda: message("Job id(s) must be specified as integers")))
    pushes, frameworks = set(query.numbers("push_id")), set(query.numbers("framework"))
    between = branch.orders(*query.span())
    found: dict[str, list[tuple[Signature, Datum]]] = {}
    for signature in _wanted(call, branch, pushes, jobs):
        if frameworks and signature.lane.framework not in frameworks:
            continue
        for datum in _of_pushes(branch, signature, pushes, between):
            if not jobs or (datum.job.id in jobs and not datum.job.expired):
                found.setdefault(signature.hash, []).append((signature, datum))
    if query.true("no_retriggers"):
        found = {hash_: _first_of_push(data) for hash_, data in found.items()}
    return {hash_: [_point(branch, *one) for one in _ordered(data)] for hash_, data in found.items()}


def _of_pushes(branch: Branch, signature: Signature, pushes: set[int], between: range) -> list[Datum]:
    if not pushes:
        return branch.data(signature, between)
    orders = sorted(branch.pushes_by_id[id_].order for id_ in pushes if id_ in branch.pushes_by_id)
    return [datum for order in orders if order in between for datum in branch.data(signature, range(order, order + 1))]


def _listed(text: str) -> Refusal:
    return Refusal(400, [text])


def _wanted(call: Call, branch: Branch, pushes: set[int], jobs: set[int]) -> list[Signature]:
    """Only signatures whose lane ran there, so that a push costs no more than what it measured."""
    query = call.query
    found = branch.live_signatures
    if ids := query.numbers("signature_id"):
        found = [branch.by_id[id_] for id_ in dict.fromkeys(ids) if id_ in branch.by_id]
    if hashes := query.all("signatures"):
        found = [one for hash_ in dict.fromkeys(hashes) for one in branch.by_hash.get(hash_, ())]
    if jobs:
        lanes = {job.lane for id_ in jobs if (job := branch.job(id_)) is not None}
        found = [one for one in found if one.lane.index in lanes]
    if pushes:
        ran = {job.lane for id_ in pushes for job in branch.measured_by_push.get(id_, ())}
        found = [one for one in found if one.lane.index in ran]
    return found


def _first_of_push(data: list[tuple[Signature, Datum]]) -> list[tuple[Signature, Datum]]:
    firsts: dict[int, tuple[Signature, Datum]] = {}
    for one in data:
        firsts.setdefault(one[1].job.push.id, one)
    return list(firsts.values())


def _ordered(data: list[tuple[Signature, Datum]]) -> list[tuple[Signature, Datum]]:
    return sorted(data, key=lambda one: (one[1].job.push.time, one[1].job.push.id, one[1].id))


def job_id(job: Job) -> int | None:
    return None if job.expired else job.id


def _point(branch: Branch, signature: Signature, datum: Datum) -> Json:
    push = datum.job.push
    return {
        "id": datum.id,
        "signature_id": branch.id_of(signature),
        "job_id": job_id(datum.job),
        "push_id": push.id,
        "revision": push.revision,
        "push_timestamp": push.time,
        "value": round(datum.value, 2),
    }


def _job_data(call: Call) -> Json:
    branch = call.branch(lambda name: detail(404, f"No project with name {name}"))
    job = branch.job(call.query.number("job_id") or 0)
    if job is None:
        raise message("No performance data for this job")
    rows = [
        {"id": datum.id, "signature_data": _brief(branch, signature), "value": round(datum.value, 2)}
        for signature in branch.live_signatures
        if signature.lane.index == job.lane
        for datum in branch.data(signature)
        if datum.job is job
    ]
    if not rows:
        raise message("No performance data for this job")
    return {
        "job_id": job.id,
        "push_id": job.push.id,
        "push_timestamp": iso(job.push.time),
        "revision": job.push.revision,
        "data": rows,
    }


def _brief(branch: Branch, signature: Signature) -> Json:
    metric = signature.metric
    return {
        "id": branch.id_of(signature),
        "signature_hash": signature.hash,
        "framework_id": signature.lane.framework,
        "option_collection_hash": signature.option_hash,
        "machine_platform": signature.lane.platform,
        "suite": metric.suite,
        "should_alert": metric.alerts,
        "lower_is_better": metric.lower,
        "test": metric.test,
        "extra_options": list(metric.options) or None,
        "measurement_unit": metric.unit,
    }
