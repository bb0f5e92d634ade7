"""Since when something fails where servers answer oddly, logs have expired, and histories are hostile."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from backends import config
from backends.cancel import CancelToken
from backends.failures.boundary import FAILED, PASSED, SILENT
from backends.failures.build_history import describe_changes
from backends.failures.locators import SinceOf
from backends.failures.records import ERROR_LINE, Failure
from backends.failures.run_history import FLAKED, Target
from backends.failures.subjects import Outcome
from backends.http.counting import CountingHttp
from backends.http.errors import HttpError
from backends.http.policies import CachePolicy
from backends.resources import ListContents, read_list
from backends.systems import open_resource
from backends.taskcluster.locators import Task
from tests.taskcluster.fake_queue import ROOT, FakeQueue, body, entry, task_id

LABEL, REVISION = "test-linux/opt-suite", "a" * 40
SUMMARY = "public/test_info/x_errorsummary.log"
LINE = '{"action": "test_result", "test": "TEST", "status": "FAIL", "expected": "PASS", "message": "m"}\n'


def slug(number: int) -> str:
    return task_id(number)


class Pushes:
    """A queue, an index and a Treeherder with one task of a label on each push; number 100 is the newest."""

    def __init__(self, states: str, *, treeherder: bool = True) -> None:
        """`states`: of the newest push first: F, P, or E (failed, and its files have expired), O (another test)."""
        self.queue = FakeQueue()
        self.numbers = range(100, 100 - len(states), -1)
        jobs = []
        for number, state in zip(self.numbers, states, strict=True):
            task = slug(number)
            name = "completed" if state == "P" else "failed"
            one = entry(number, state=name, metadata={"name": LABEL}, tags={"label": LABEL, "kind": "test"})
            route = f"tc-treeherder.v2.autoland.{REVISION}.{number}"
            self.queue.answers[f"/api/queue/v1/task/{task}"] = {
                "taskGroupId": slug(number + 500), "metadata": {"name": LABEL, "owner": f"who-{number}"}, "tags": {},
                "routes": [route], "created": "2026-11-20T09:00:00.000Z", "deadline": "x",
            }  # fmt: skip
            self.queue.answers[f"/api/queue/v1/task/{slug(number + 500)}"] = self.queue.answers[
                f"/api/queue/v1/task/{task}"
            ]
            self.queue.answers[f"/api/queue/v1/task/{task}/status"] = {"status": one["status"]}
            path = f"/api/queue/v1/task/{task}/runs/0/artifacts"
            listed = [{"name": SUMMARY, "storageType": "s3", "contentType": "text/plain", "expires": "2030-01-01"}]
            self.queue.answers[path] = {"artifacts": listed}
            text = LINE.replace("TEST", "other.js" if state == "O" else "a.js")
            self.queue.answers[f"{path}/{SUMMARY}"] = (
                httpx.Response(410, json={"message": "gone"}) if state == "E" else body(text)
            )
            self.queue.answers[f"/api/index/v1/task/gecko.v2.autoland.pushlog-id.{number}.decision"] = {
                "taskId": slug(number + 500)
            }
            self.queue.answers[f"/api/queue/v1/task-group/{slug(number + 500)}/list"] = {
                "taskGroupId": slug(number + 500), "tasks": [one],
            }  # fmt: skip
            result = "success" if state == "P" else "testfailed"
            jobs.append(
                {"id": number, "push_id": number, "job_type_name": LABEL, "state": "completed", "result": result,
                 "task_id": task, "retry_id": 0, "submit_timestamp": 1_795_000_000 + number}
            )  # fmt: skip
        self.jobs: list[dict[str, Any]] = jobs
        if treeherder:
            project = "/api/project/autoland"
            self.queue.answers[f"{project}/jobs/"] = self._find_jobs
            self.queue.answers[f"{project}/jobs/100/similar_jobs/"] = lambda request: httpx.Response(
                200, json={"results": self.jobs[1:], "meta": {}}
            )
            self.queue.answers[f"{project}/push/"] = {"results": [self._push(number) for number in self.numbers]}
            for number in self.numbers:
                self.queue.answers[f"{project}/push/{number}/"] = self._push(number)
            self.queue.answers["/api/repository/"] = [{"name": "autoland", "url": "https://hg.example/autoland"}]

    def _find_jobs(self, request: httpx.Request) -> httpx.Response:
        task = request.url.params.get("task_id")
        return httpx.Response(
            200, json={"results": [one for one in self.jobs if one.get("task_id") == task], "meta": {}}
        )

    def _push(self, number: int) -> dict[str, Any]:
        revision = f"{number:040d}"
        commits = [{"revision": revision, "comments": f"Bug {number}\x1b[31m - text", "author": "a"}]
        return {"id": number, "revision": revision, "author": f"who-{number}", "revisions": commits,
                "revision_count": 1, "push_timestamp": 1_795_000_000 + number}  # fmt: skip

    def since(self, **options: Any) -> tuple[str, ListContents]:
        locator = SinceOf(Task(slug(100), 0, ROOT).text(), **options)
        resource = open_resource(locator, self.queue.http(), config.load(), CancelToken())
        found = read_list(resource, CancelToken())
        return resource.title, found


def revision(number: int) -> str:
    return f"{number:040d}"


@pytest.mark.parametrize("treeherder", [True, False])
def test_the_boundary_is_found_by_either_way_with_few_requests(treeherder: bool) -> None:
    pushes = Pushes("F" * 7 + "P" * 20, treeherder=treeherder)
    title, found = pushes.since(test="a.js")
    assert title.startswith("fails since ") and len(found.frame) == 1
    assert found.frame["author"].to_list() == ["who-94"]
    if treeherder:
        assert found.frame["revision"].to_list() == [revision(94)]
        assert found.frame["url"].to_list() == [f"https://hg.example/autoland/rev/{revision(94)}"]
    told = int(" ".join(found.notes).rpartition("; ")[2].split()[0])
    assert told == len(pushes.queue.asked)  # every request is counted, none twice
    assert told <= (20 if treeherder else 50)


def test_expired_summaries_tell_nothing_and_widen_the_range() -> None:
    title, found = Pushes("FFFEEEPPPPPPPPPPPPPPPP").since(test="a.js")
    assert title.startswith(f"fails since {revision(98)[:12]}")
    assert found.frame["state"].to_list() == ["failed", "unknown", "unknown", "unknown"]
    assert "3 pushes between gave no result" in " ".join(found.notes)


def test_runs_that_fail_by_another_test_count_as_passed() -> None:
    title, found = Pushes("FFFFF" + "O" * 10 + "PPPPPPPP").since(test="a.js")
    assert found.frame["revision"].to_list() == [revision(96)] and title.startswith("fails since")
    title, _ = Pushes("FOFOFOOFOFOFPPPP").since(test="a.js")
    assert title.startswith("intermittent: 6 of 16 runs")


def test_no_earlier_run_no_pass_and_nothing_that_can_be_read() -> None:
    assert Pushes("F").since()[0].startswith("no earlier runs")
    title, found = Pushes("F" * 30).since(test="a.js")
    assert title.startswith("no pass found in ") and set(found.frame["state"]) == {"failed"}
    title, found = Pushes("F" + "E" * 40).since(test="a.js")
    assert title.startswith("no pass found in 1 run:") and "gave no result" in " ".join(found.notes)


def test_a_push_in_which_it_passed_when_it_ran_again_is_intermittent() -> None:
    pushes = Pushes("FFFFFFPPPPPPPP")
    pushes.jobs.append({**pushes.jobs[2], "id": 700, "result": "success"})
    title, found = pushes.since(test="a.js")
    assert title.startswith("intermittent: ") and found.frame["revision"].is_null().all()


def test_an_answer_of_another_shape_leads_to_the_index() -> None:
    for answer in ([], {"results": "no"}, {"results": [{"id": 1}, None, 7]}, httpx.Response(500), body("<html>")):
        pushes = Pushes("FFFFFPPPPPPPPPPPP")
        pushes.queue.answers["/api/project/autoland/jobs/"] = answer
        title, found = pushes.since(test="a.js")
        assert title.startswith("fails since") and found.frame["author"].to_list() == ["who-96"]
        assert "The index was asked instead" in " ".join(found.notes)


def test_pushes_that_the_server_does_not_give_are_named_by_their_numbers() -> None:
    pushes = Pushes("FFFFFPPPPPPPPPPPP")
    for number in pushes.numbers:
        del pushes.queue.answers[f"/api/project/autoland/push/{number}/"]
    title, found = pushes.since(test="a.js")
    assert title.startswith("fails since push 96: ") and found.frame["name"].to_list() == ["push 96"]
    pushes = Pushes("FFFFFPPPPPPPPPPPP", treeherder=False)
    pushes.queue.answers[f"/api/queue/v1/task/{slug(96 + 500)}"] = httpx.Response(404, json={"message": "gone"})
    title, found = pushes.since(test="a.js")
    assert title.startswith("fails since push 96: ") and "404" in found.frame["message"][0]


def test_hostile_jobs_are_left_out() -> None:
    pushes = Pushes("FFFFFPPPPPPPPPPPP")
    odd: list[dict[str, Any]] = [
        {"id": 900, "push_id": None, "result": "success", "state": "completed"},
        {
            "id": 901,
            "push_id": 97,
            "result": "testfailed",
            "state": "completed",
            "task_id": "../../../etc",
            "retry_id": 0,
        },
        {"id": 902, "push_id": 97, "result": "exception", "state": "completed", "task_id": slug(97)},
        {"id": 903, "push_id": 10**12, "result": "success", "state": "completed"},  # a newer push
        {"id": 904, "push_id": 98, "result": "success", "state": "running"},
        {"id": "x", "push_id": "y"},
    ]
    pushes.jobs += odd
    title, found = pushes.since(test="a.js")
    assert title.startswith("fails since") and found.frame["revision"].to_list() == [revision(96)]
    assert not any("etc" in path for path in pushes.queue.asked)


def test_a_task_without_a_push_says_so() -> None:
    pushes = Pushes("FFPP")
    pushes.queue.answers[f"/api/queue/v1/task/{slug(100)}"] = {
        "taskGroupId": slug(600), "metadata": {"name": LABEL}, "routes": ["tc-treeherder.v2"], "deadline": "x",
    }  # fmt: skip
    title, found = pushes.since()
    assert title.startswith("no earlier runs") and "does not say which push" in " ".join(found.notes)


def test_what_a_failed_run_tells() -> None:
    def told(target: Target, *failures: Failure) -> object:
        return target.judge(Outcome(list(failures)))

    test, job = Target("a.js"), Target()
    one, other = Failure("a.js", "FAIL", "window 1 leaked"), Failure("b.js", "FAIL", "other words altogether")
    assert told(test, one, other) == FAILED and told(test, other) == PASSED
    assert told(test, Failure("a.js", "FAIL", retried="passed")) == FLAKED
    assert told(test, Failure("", ERROR_LINE, "exit 1")) == SILENT == told(test)
    assert told(test, other, Failure("", "unreadable", "no")) == SILENT  # the test may be in the other file
    assert told(job) == FAILED
    cluster = Target(texts=("window 77 leaked",))
    assert told(cluster, one) == FAILED and told(cluster, other) == PASSED
    assert told(cluster, Failure("", ERROR_LINE, "exit 1")) == SILENT


def test_links_to_changes_are_made_of_plain_names_and_hashes_only() -> None:
    old, new = {"org/repo": "1" * 40}, {"org/repo": "2" * 40}
    words, url = describe_changes(old, new)
    assert url == f"https://github.com/org/repo/compare/{'1' * 40}...{'2' * 40}"
    assert words == "org/repo: 111111111..222222222"
    assert describe_changes(old, old) == ("org/repo: no change", f"https://github.com/org/repo/commit/{'1' * 40}")
    for name in ("org", "org/../x", "org/..", "a/b c", "a/b?x", "", "/", "ü/b"):
        assert describe_changes({name: "1" * 40}, {name: "2" * 40}) == ("", "")
    assert describe_changes({"a/b": "1" * 40}, {"a/b": "2; rm"}) == ("", "") == describe_changes({}, new)


def test_requests_are_counted_where_they_go_to_a_server() -> None:
    queue = FakeQueue()
    queue.answers["/x"] = {"a": 1}
    http = CountingHttp(queue.http())
    http.get(f"{ROOT}/x", policy=CachePolicy.never())
    http.json(f"{ROOT}/x", policy=CachePolicy.never())
    with pytest.raises(HttpError):
        http.get(f"{ROOT}/missing", policy=CachePolicy.never())
    assert http.requests == 3 == len(queue.asked)
