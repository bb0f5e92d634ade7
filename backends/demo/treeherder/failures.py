"""Why tests failed: the lines of a job's log, the bugs they look like, and how often each bug came back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from backends.demo.seeds import number
from backends.demo.treeherder.answers import Refusal
from backends.demo.treeherder.branches import Branch
from backends.demo.treeherder.clock import DAY, iso
from backends.demo.treeherder.job_texts import FAILED, classification
from backends.demo.treeherder.jobs import Job
from backends.demo.treeherder.machines import machine_of
from backends.demo.treeherder.queries import Query, whole
from backends.demo.treeherder.reference import REPOSITORY_IDS, Json
from backends.demo.treeherder.routing import Call, Route, route

_BUGS, _FIRST_BUG = 40, 1_800_000
_INTERMITTENT = 4
_GROUPS = ("all", "trunk", "firefox-releases", "comm-releases")
_FORMAT = "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DD."
_MESSAGES = (
    "Test timed out. - ",
    'Uncaught exception: TypeError: can\'t access property "x" [b]of[/b] \x1b[31mnull\x1b[0m',
    "assertion count 1 is greater than expected 0",
)


def routes() -> list[Route]:
    return [
        route("failures/", _failures),
        route("failuresbybug/", _by_bug),
        route("failurecount/", _counts),
    ]


def _test_name(seed: int, job: Job) -> str:
    return f"dom/tests/test_synthetic_{number(seed, 'test', job.id) % _BUGS}.html"


def bug_of(seed: int, job: Job) -> int:
    return _FIRST_BUG + 37 * (number(seed, "test", job.id) % _BUGS)


def error_lines(seed: int, job: Job) -> list[Json]:
    if job.result not in FAILED:
        return []
    count = 1 + number(seed, "lines", job.id) % 3
    return [
        {
            "id": 4 * job.id + place,
            "line": f"TEST-UNEXPECTED-FAIL | {_test_name(seed, job)} | {_MESSAGES[(job.id + place) % len(_MESSAGES)]}",
            "line_number": 1000 + 37 * place + number(seed, "line", job.id) % 500,
            "new_failure": number(seed, "new", job.id) % 9 == 0,
            "job": job.id,
        }
        for place in range(count)
    ]


def suggestions(seed: int, job: Job) -> list[Json]:
    return [_suggestion(seed, job, line) for line in error_lines(seed, job)]


def _suggestion(seed: int, job: Job, line: Json) -> Json:
    test = _test_name(seed, job)
    bug = {
        "id": bug_of(seed, job),
        "status": "NEW",
        "resolution": "",
        "summary": f"Intermittent {test} | Test timed out.",
        "dupe_of": None,
        "crash_signature": "",
        "keywords": "intermittent-failure",
        "whiteboard": "",
        "internal_id": bug_of(seed, job) - _FIRST_BUG + 1,
        "occurrences": None,
    }
    return {
        "search": line["line"].strip(),
        "search_terms": [test.rsplit("/", 1)[1]],
        "path_end": test,
        "bugs": {"open_recent": [bug], "all_others": []},
        "line_number": line["line_number"],
        "counter": 0,
        "failure_new_in_rev": line["new_failure"],
    }


def bug_map(seed: int, job: Job) -> list[Json]:
    if classification(seed, job) != _INTERMITTENT:
        return []
    bug = bug_of(seed, job)
    return [
        {
            "job_id": job.id,
            "bug_id": bug,
            "bug_internal_id": bug - _FIRST_BUG + 1,
            "created": iso(job.end + 3600),
            "who": "hana@example.org",
        }
    ]


def _day(text: str) -> float | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _classified(call: Call, *needed: str) -> Iterator[tuple[Branch, Job]]:
    """The jobs of those days and that tree that have been given a bug. Raises one refusal for all wrong fields."""
    query = call.query
    checks: dict[str, Callable[[str], str | None]] = {
        "startday": lambda text: None if _day(text) is not None else _FORMAT,
        "endday": lambda text: None if _day(text) is not None else _FORMAT,
        "tree": lambda text: None if text in _GROUPS or text in REPOSITORY_IDS else f"{text} does not exist.",
    }
    wrong = {}
    for name in ("startday", "endday", "tree", *needed):
        text = query.last(name)
        check = checks.get(name)
        problem = (check(text) if check else None) if text else "This field is required."
        if problem:
            wrong[name] = [problem]
    if wrong:
        raise Refusal(400, wrong)
    begin, end, tree = _day(query.last("startday")) or 0, (_day(query.last("endday")) or 0) + DAY, query.last("tree")
    for branch in call.world.branches.values():
        if tree not in _GROUPS and tree != branch.name:
            continue
        for job in branch.jobs:
            if begin <= job.push.time < end and classification(branch.seed, job) == _INTERMITTENT:
                yield branch, job


def _of_bug(query: Query, found: Iterable[tuple[Branch, Job]]) -> list[tuple[Branch, Job]]:
    jobs = list(found)  # its refusals come first
    bug = whole(query.last("bug"), lambda: Refusal(400, {"bug": ["A valid integer is required."]}))
    return [(branch, job) for branch, job in jobs if bug_of(branch.seed, job) == bug]


def _failures(call: Call) -> list[Json]:
    counted = Counter(bug_of(branch.seed, job) for branch, job in _classified(call))
    return [{"bug_id": bug, "bug_count": count} for bug, count in counted.most_common()]


def _by_bug(call: Call) -> list[Json]:
    found = _of_bug(call.query, _classified(call, "bug"))
    found.sort(key=lambda pair: -pair[1].push.time)
    return [_occurrence(branch, job) for branch, job in found]


def _occurrence(branch: Branch, job: Job) -> Json:
    return {
        "push_time": iso(job.push.time).replace("T", " "),
        "platform": job.label.machine,
        "revision": job.push.revision,
        "test_suite": job.label.suite or job.label.name,
        "tree": branch.name,
        "build_type": job.label.collection,
        "job_id": job.id,
        "bug_id": bug_of(branch.seed, job),
        "machine_name": machine_of(branch.seed, job),
        "lines": [line["line"] for line in error_lines(branch.seed, job)],
        "task_id": job.task_of(branch.seed)[0],
    }


def _counts(call: Call) -> list[Json]:
    found = list(_classified(call))
    if call.query.last("bug"):
        found = _of_bug(call.query, found)
    failed = Counter(iso(job.push.time)[:10] for _, job in found)
    begin, end = _day(call.query.last("startday")) or 0, _day(call.query.last("endday")) or 0
    pushes = Counter(
        iso(push.time)[:10]
        for branch in call.world.branches.values()
        if call.query.last("tree") in (*_GROUPS, branch.name)
        for push in branch.pushes
    )
    days = [iso(begin + place * DAY)[:10] for place in range(int((end - begin) // DAY) + 1)]
    return [{"date": day, "test_runs": pushes[day], "failure_count": failed[day]} for day in days]
