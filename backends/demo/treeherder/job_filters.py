"""Which jobs a query means: every field with its comparisons, checked by one endpoint and forgiven by the other."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from backends.demo.treeherder.answers import Refusal, crash
from backends.demo.treeherder.branches import Branch
from backends.demo.treeherder.job_texts import classification, last_modified, project_text
from backends.demo.treeherder.jobs import Job
from backends.demo.treeherder.queries import Query, instant, whole

_NO_CHOICE = "Select a valid choice. That choice is not one of the available choices."
_OPERATORS = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}
_NUMBERS = ("id", "push_id", "tier", "failure_classification_id", "job_type_id", "job_group_id", "retry_id")
_TIMES = ("last_modified", "submit_time", "start_time", "end_time")
_TEXTS = (
    "job_guid", "state", "result", "reason", "who", "job_type_name", "job_type_symbol", "job_group_name",
    "job_group_symbol", "platform", "build_platform", "build_os", "build_architecture", "machine_name",
    "machine_platform_os", "machine_platform_architecture", "option_collection_hash", "signature", "ref_data_name",
    "task_id",
)  # fmt: skip
_Test = Callable[[Job], bool]


def _field(seed: int, name: str) -> Callable[[Job], Any]:
    """Without writing the whole job, where that can be done."""
    quick: dict[str, Callable[[Job], Any]] = {
        "id": lambda job: job.id,
        "push_id": lambda job: job.push.id,
        "state": lambda job: job.state,
        "result": lambda job: job.result,
        "tier": lambda job: job.label.tier,
        "who": lambda job: job.push.author,
        "platform": lambda job: job.label.machine,
        "job_type_name": lambda job: job.label.name,
        "job_type_symbol": lambda job: job.label.symbol,
        "submit_time": lambda job: job.submit,
        "start_time": lambda job: job.start,
        "end_time": lambda job: job.end,
        "failure_classification_id": lambda job: classification(seed, job),
        "last_modified": lambda job: instant(last_modified(seed, job)),
        "task_id": lambda job: job.task_of(seed)[0],
        "retry_id": lambda job: job.task_of(seed)[1],
    }
    return quick.get(name) or (lambda job: project_text(seed, job)[name])


def lenient(branch: Branch, query: Query) -> list[Job]:
    """Of one repository: the last of repeated parameters counts; what cannot be read or is not known is ignored."""
    for name in ("submit_timestamp", "start_timestamp", "end_timestamp"):
        if name in query:
            whole(query.last(name))
    for name in query.values:
        if name.startswith("last_modified"):
            text = query.last(name)
            instant(text, partial(Refusal, 400, f"Invalid date value for `last_modified`: {text}"))
    tests: list[_Test] = []
    for name in query.values:
        try:
            test = _test(branch.seed, name, query.last(name))
        except Refusal:
            continue
        if test is not None:
            tests.append(test)
    return _kept(_narrowed(branch, query), tests)


def _narrowed(branch: Branch, query: Query) -> Iterable[Job]:
    """A push's jobs, or those with some ids, are found without looking at all; in the order they are stored in."""
    if "id__in" in query:
        ids = {int(part) for part in query.last("id__in").split(",") if part.isdecimal()}
        return branch.stored_jobs([job for id_ in ids if (job := branch.job(id_)) is not None])
    text = query.last("push_id")
    if text.isdecimal():
        return branch.stored_jobs(branch.jobs_of(int(text)))
    return [*branch.stored, *branch.live_jobs()]


def strict(branches: Iterable[Branch], query: Query) -> list[Job]:
    """Of all repositories, by id: what cannot be read is refused, by field."""
    tests: list[_Test] = []
    known = list(branches)
    for name in query.values:
        if name == "push_id":
            _check_push(known, query)
        test = _test(known[0].seed, name, query.last(name), partial(Refusal, 400, {name: ["Enter a number."]}))
        if test is not None:
            tests.append(test)
    pushes = {int(text) for text in query.last("push_id").split(",") if text.isdecimal()}
    found: list[Job] = []
    for branch in known:
        if pushes and pushes.isdisjoint(branch.pushes_by_id):
            continue
        groups = [branch.jobs_of(push) for push in pushes] if pushes else [branch.jobs, branch.live_jobs()]
        found += _kept((job for group in groups for job in group), tests)
    return sorted(found, key=lambda job: job.id)


def _check_push(branches: list[Branch], query: Query) -> None:
    text = query.last("push_id")
    if not text.isdecimal() or not any(int(text) in branch.pushes_by_id for branch in branches):
        raise Refusal(400, {"push_id": [_NO_CHOICE]})


def _kept(jobs: Iterable[Job], tests: list[_Test]) -> list[Job]:
    return [job for job in jobs if all(test(job) for test in tests)]


def _test(seed: int, name: str, text: str, refusal: Callable[[], Refusal] = crash) -> _Test | None:
    """None for a parameter that is no filter. Raises the refusal for what its field cannot be."""
    base, _, comparison = name.partition("__")
    if base in _NUMBERS:
        read: Callable[[str], Any] = partial(whole, refusal=refusal)
    elif base in _TIMES:
        read = partial(instant, refusal=refusal)
    elif base in _TEXTS:
        read = str
    else:
        return None
    field = _field(seed, base)
    if comparison == "in":
        wanted = {read(part) for part in text.split(",")}
        return lambda job: field(job) in wanted
    one = read(text)
    if not comparison:
        return lambda job: bool(field(job) == one)
    if comparison not in _OPERATORS:
        return None
    compare = _OPERATORS[comparison]
    return lambda job: bool(compare(field(job), one))
