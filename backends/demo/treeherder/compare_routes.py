"""`/api/perfcompare/results/`: all signatures of two revisions side by side, by either of the server's methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median, stdev
from urllib.parse import urlencode

from backends.demo.treeherder import compare_statistics as statistics
from backends.demo.treeherder import series
from backends.demo.treeherder.answers import Refusal, crash
from backends.demo.treeherder.branches import Branch, Datum
from backends.demo.treeherder.clock import DAY, NOW
from backends.demo.treeherder.compare_ranks import ranks_text
from backends.demo.treeherder.pushes import Push
from backends.demo.treeherder.queries import Query, whole
from backends.demo.treeherder.reference import Json
from backends.demo.treeherder.routing import Call, Route, route
from backends.demo.treeherder.signatures import Signature

_RANGES = tuple(days * DAY for days in (1, 2, 7, 14, 30, 60, 90, 365))
_REQUIRED = ("base_repository", "new_repository", "new_revision", "framework")
_METHODS = ("student-t", "mann-whitney-u")


@dataclass(frozen=True)
class Side:
    """What one revision measured of one signature."""

    branch: Branch
    signature: Signature
    data: Sequence[Datum]

    @property
    def runs(self) -> list[float]:
        return [round(datum.value, 2) for datum in self.data]

    @property
    def values(self) -> list[float]:
        return [datum.value for datum in self.data]

    @property
    def replicates(self) -> list[float]:
        return [
            round(value, 2)
            for datum in self.data
            for value in series.replicates(self.branch.seed, self.signature, datum.job, datum.value)
        ]

    @property
    def jobs(self) -> list[int]:
        return [datum.job.id for datum in self.data if not datum.job.expired]


def routes() -> list[Route]:
    return [route("perfcompare/results/", _results)]


def _results(call: Call) -> list[Json]:
    query = call.query
    _check(call)
    base, new = (call.world.branches[query.last(f"{side}_repository")] for side in ("base", "new"))
    new_push = _push(new, query.last("new_revision"), "new")
    base_push = _push(base, query.last("base_revision"), "base") if query.last("base_revision") else None
    pushes = _base_pushes(query, base, base_push, new_push)
    ranked = query.last("test_version", _METHODS[0]) == _METHODS[1]
    found = []
    for signature in _signatures(query, base, new):
        if signature.lane.index not in new.measured or signature.lane.index not in base.measured:
            continue
        one = Side(base, signature, base.data(signature, pushes))
        other = Side(new, signature, new.data(signature, range(new_push.order, new_push.order + 1)))
        if not one.data and not other.data:
            continue
        shared = _shared(query, one, other, base_push, new_push)
        values = (one.replicates, other.replicates) if query.true("replicates") else (one.values, other.values)
        if ranked and all(values) and len({*values[0], *values[1]}) == 1:
            raise crash()  # of values that do not differ some tests are NaN, which the server cannot write as JSON
        text = ranks_text(signature, *values) if ranked else _t_text(signature, one.values, other.values)
        found.append({**shared, **text})
    return sorted(found, key=lambda row: str(row["header_name"]))


def _check(call: Call) -> None:
    query = call.query
    wrong = {name: ["This field is required."] for name in _REQUIRED if not query.last(name)}
    for name in ("base_repository", "new_repository"):
        if query.last(name) and query.last(name) not in call.world.branches:
            wrong[name] = [f"{query.last(name)} does not exist."]
    if query.last("test_version", _METHODS[0]) not in _METHODS:
        wrong["test_version"] = [f'"{query.last("test_version")}" is not a valid choice.']
    if wrong:
        raise Refusal(400, wrong)
    if not query.last("base_revision") and not query.last("interval"):
        raise Refusal(400, {"non_field_errors": ["Field required: interval."]})


def _push(branch: Branch, revision: str, side: str) -> Push:
    found = branch.pushes_by_revision.get(revision)
    if found is None:
        raise Refusal(400, f"No {side} push with revision {revision} from repo {branch.name}.")
    return found


def _base_pushes(query: Query, base: Branch, base_push: Push | None, new_push: Push) -> range:
    if base_push is not None:
        return range(base_push.order, base_push.order + 1)
    interval = whole(query.last("interval"), lambda: Refusal(400, {"interval": ["A valid integer is required."]}))
    return base.orders(new_push.time - interval, new_push.time)


def _signatures(query: Query, base: Branch, new: Branch) -> list[Signature]:
    """Of both sides; either those without a parent or those with one, or the subtests of the named parents."""
    framework = whole(query.last("framework"), lambda: Refusal(400, {"framework": ["A valid integer is required."]}))
    top, parents = query.true("no_subtests"), set[int]()
    for branch, side in ((base, "base"), (new, "new")):
        if text := query.last(f"{side}_parent_signature"):
            one = branch.by_id.get(int(text) if text.isdecimal() else -1)
            parents.add(one.index if one else -1)
    return [
        signature
        for signature in new.live_signatures
        if signature.lane.framework == framework
        and (signature.parent is None) == top
        and (not parents or signature.parent in parents)
    ]


def _shared(query: Query, one: Side, other: Side, base_push: Push | None, new_push: Push) -> Json:
    signature, metric = one.signature, one.signature.metric
    names = (metric.suite, metric.test, signature.lane.label.collection, *metric.options, signature.lane.application)
    return {
        "base_rev": base_push.revision if base_push else None,
        "new_rev": new_push.revision,
        "base_app": signature.lane.application,
        "new_app": signature.lane.application,
        "framework_id": signature.lane.framework,
        "platform": signature.lane.platform,
        "suite": metric.suite,
        "header_name": " ".join(name for name in names if name),
        "base_repository_name": one.branch.name,
        "new_repository_name": other.branch.name,
        "is_complete": bool(one.data and other.data),
        "base_measurement_unit": metric.unit,
        "new_measurement_unit": metric.unit,
        "base_retriggerable_job_ids": one.jobs,
        "new_retriggerable_job_ids": other.jobs,
        "base_runs": one.runs,
        "new_runs": other.runs,
        "base_runs_replicates": one.replicates,
        "new_runs_replicates": other.replicates,
        "test": metric.test,
        "option_name": signature.lane.label.collection,
        "extra_options": " ".join(metric.options),
        "graphs_link": _graphs_link(one, other, base_push, new_push),
        "lower_is_better": metric.lower,
        "base_parent_signature": one.branch.parent_id(signature),
        "new_parent_signature": other.branch.parent_id(signature),
        "base_signature_id": one.branch.id_of(signature),
        "new_signature_id": other.branch.id_of(signature),
        "has_subtests": signature.has_subtests,
    }


def _graphs_link(one: Side, other: Side, base_push: Push | None, new_push: Push) -> str:
    highlighted = [push.revision[:12] for push in (base_push, new_push) if push is not None]
    oldest = min(push.time for push in (base_push or new_push, new_push))
    branches = dict.fromkeys(branch.name for branch in (one.branch, other.branch))
    framework = one.signature.lane.framework
    parts = [
        *(("highlightedRevisions", revision) for revision in highlighted),
        *(("series", f"{name},{one.signature.hash},1,{framework}") for name in branches),
        ("timerange", str(next((span for span in _RANGES if NOW - oldest < span), _RANGES[-1]))),
    ]
    return f"https://treeherder.mozilla.org/perfherder/graphs?{urlencode(parts)}"


def _t_text(signature: Signature, base: list[float], new: list[float]) -> Json:
    mean_b, mean_n = mean(base) if base else 0.0, mean(new) if new else 0.0
    spread_b, spread_n = (stdev(values) if len(values) > 1 else 0.0 for values in (base, new))
    t = statistics.t_value(base, new)
    delta, both = mean_n - mean_b, bool(base and new)
    percent = 100 * delta / mean_b if mean_b else 0.0
    better = (signature.metric.lower and delta < 0) or (not signature.metric.lower and delta > 0)
    confident = (min(len(base), len(new)) > 1 and t >= 5) or (min(len(base), len(new)) >= 6 and t >= 3)
    sort = _class(mean_b, mean_n, t, better)
    numbers = {
        "base_avg_value": mean_b,
        "new_avg_value": mean_n,
        "base_median_value": median(base) if base else 0.0,
        "new_median_value": median(new) if new else 0.0,
        "base_stddev": spread_b,
        "new_stddev": spread_n,
        "base_stddev_pct": 100 * spread_b / mean_b if mean_b else 0.0,
        "new_stddev_pct": 100 * spread_n / mean_n if mean_n else 0.0,
        "confidence": t,
        "delta_value": delta,
        "delta_percentage": percent,
        "magnitude": min(abs(percent) * 5, 100.0),
    }
    return {
        **{name: round(float(number), 2) for name, number in numbers.items()},
        "confidence_text": statistics.confidence_text(t),
        "new_is_better": better,
        "is_confident": confident,
        "more_runs_are_needed": both and not confident and len(base) < 6,
        "noise_metric": False,
        "is_improvement": sort == "success",
        "is_regression": sort == "danger",
        # The server says the opposite of what the word means: true for what shows no change.
        "is_meaningful": sort == "",
    }


def _class(mean_b: float, mean_n: float, t: float, better: bool) -> str:
    """The colour of a row: none below 2 % or a t of 3, a warning below 5 for what is worse."""
    if not mean_b or not mean_n:
        return ""
    ratio = mean_n / mean_b
    if (1 / ratio if ratio < 1 else ratio) < 1.02 or t < 3:  # where the signs differ, always
        return ""
    if t < 5:
        return "" if better else "warning"
    return "success" if better else "danger"
