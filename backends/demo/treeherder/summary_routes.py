"""`/api/performance/summary/`: full values of one signature or rounded ones of many, and its inverted `no_subtests`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from backends.demo.treeherder import series
from backends.demo.treeherder.answers import Refusal, crash
from backends.demo.treeherder.branches import Branch, Datum
from backends.demo.treeherder.clock import NOW, iso
from backends.demo.treeherder.machines import machine_of
from backends.demo.treeherder.perf_routes import job_id
from backends.demo.treeherder.queries import Query, instant, whole
from backends.demo.treeherder.reference import Json
from backends.demo.treeherder.routing import Call, Route, route
from backends.demo.treeherder.signatures import Signature


def routes() -> list[Route]:
    return [route("performance/summary/", _summary)]


def _summary(call: Call) -> list[Json]:
    query = call.query
    branch = _branch(call)
    pushes = _window(query, branch)
    found = []
    for signature in chosen(query, branch):
        one = bool(query.last("signature")) and query.true("all_data")
        found.append(_row(query, branch, signature, branch.data(signature, pushes), all_data=one))
    return found


def _branch(call: Call) -> Branch:
    name = call.query.last("repository")
    if not name:
        raise Refusal(400, {"repository": ["This field is required."]})
    if name not in call.world.branches:
        raise Refusal(400, {"repository": [f"{name} does not exist."]})
    return call.world.branches[name]


def _window(query: Query, branch: Branch) -> range:
    """The pushes asked for, by their order: of a revision, or between two moments. Or the server's complaint."""

    def no_integer() -> Refusal:
        return Refusal(400, {"interval": ["A valid integer is required."]})

    for place, text in enumerate(query.all("framework")):
        whole(text, partial(Refusal, 400, {"framework": {str(place): ["A valid integer is required."]}}))
    if revision := query.last("revision"):
        push = branch.pushes_by_revision.get(revision)
        return range(push.order, push.order + 1) if push else range(0)
    if "startday" in query and "endday" in query:
        return branch.orders(instant(query.last("startday"), _no_date), instant(query.last("endday"), _no_date))
    if "interval" in query:
        return branch.orders(NOW - whole(query.last("interval"), no_integer), float("inf"))
    raise Refusal(400, {"non_field_errors": ["Required: revision, startday and endday or interval."]})


def _no_date() -> Refusal:
    return Refusal(400, {"startday": ["Datetime has wrong format. Use one of these formats instead: YYYY-MM-DD."]})


def chosen(query: Query, branch: Branch) -> list[Signature]:
    """The signatures of a summary: a named one, or either all with a parent or all without; never both kinds."""
    if name := query.last("signature"):
        if re.fullmatch(r"[0-9a-f]{40}", name):
            found = list(branch.by_hash.get(name, ()))
        else:
            one = branch.by_id.get(whole(name, crash))
            found = [one] if one else []
    else:
        top = query.true("no_subtests")
        found = [signature for signature in branch.live_signatures if (signature.parent is None) == top]
    if frameworks := {int(text) for text in query.all("framework")}:
        found = [signature for signature in found if signature.lane.framework in frameworks]
    if "parent_signature" in query:
        parent = whole(query.last("parent_signature"), crash)
        found = [signature for signature in found if branch.parent_id(signature) == parent]
    if "interval" in query and not query.true("all_data") and not query.last("revision"):
        begin = NOW - int(query.last("interval"))
        found = [signature for signature in found if branch.last_updated(signature) >= begin]
    return found


def _row(query: Query, branch: Branch, signature: Signature, data: list[Datum], *, all_data: bool) -> Json:
    metric = signature.metric
    measured = list(_expanded(query, branch, signature, data))
    if not all_data:
        measured.sort(key=lambda one: one[0].job.id)
    elif query.true("no_retriggers"):
        measured = list({datum.job.push.id: (datum, value) for datum, value in reversed(measured)}.values())[::-1]
    values = [] if all_data else measured
    names = (metric.suite, metric.test, signature.lane.label.collection, *metric.options)
    return {
        "signature_id": branch.id_of(signature),
        "framework_id": signature.lane.framework,
        "signature_hash": signature.hash,
        "platform": signature.lane.platform,
        "test": metric.test,
        "suite": metric.suite,
        "lower_is_better": metric.lower,
        "has_subtests": signature.has_subtests,
        "tags": " ".join(metric.tags),
        "values": [round(value, 2) for _, value in values],
        "name": " ".join(name for name in names if name),
        "parent_signature": branch.parent_id(signature),
        "job_ids": [job_id(datum.job) for datum, _ in values],
        "repository_name": branch.name,
        "repository_id": branch.id,
        "data": [_point(branch, datum, value) for datum, value in measured] if all_data else [],
        "measurement_unit": metric.unit,
        "application": signature.lane.application,
        "should_alert": _alerts(branch, signature),
        "alert_change_type": 1 if metric.unit == "bytes" and signature.lane.framework == 2 else None,
        "alert_threshold": _threshold(signature),
        "submit_times": [None if datum.job.expired else iso(datum.job.submit) for datum, _ in values],
    }


def _expanded(query: Query, branch: Branch, signature: Signature, data: list[Datum]) -> Iterator[tuple[Datum, float]]:
    """With `replicates` each of them is a row of its own, with the id of the datum that it belongs to."""
    for datum in data:
        if query.true("replicates"):
            for value in series.replicates(branch.seed, signature, datum.job, datum.value):
                yield datum, value
        else:
            yield datum, datum.value


def _alerts(branch: Branch, signature: Signature) -> bool | None:
    """A subtest without a wish of its own does not alert when its suite has values."""
    if signature.metric.alerts is None and signature.parent is not None:
        return False
    return signature.metric.alerts


def _threshold(signature: Signature) -> float | None:
    if signature.lane.framework == 2 and signature.metric.unit == "bytes":
        return 100_000.0
    return 0.25 if signature.lane.framework == 4 else None


def _point(branch: Branch, datum: Datum, value: float) -> Json:
    job = datum.job
    return {
        "job_id": job_id(job),
        "id": datum.id,
        "value": value,
        "push_timestamp": iso(job.push.time),
        "push_id": job.push.id,
        "revision": job.push.revision,
        "submit_time": None if job.expired else iso(job.submit),
        "machine_name": None if job.expired else machine_of(branch.seed, job),
    }
