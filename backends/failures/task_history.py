"""Earlier runs of a task's label: by Treeherder's similar jobs, else by the index, push by push.

Treeherder tells the results of all of them in one request, so only failed jobs are looked at, and of those only for a
test or cluster. By the index each push that is looked at costs a request and the listing of its task group.

A run that passed counts as a pass of every test: harnesses do not list the tests that passed. In suites with chunks the
test may have been in another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.failures.boundary import FAILED, SILENT, RunCounts
from backends.failures.find_subjects import runs_of_rows
from backends.failures.run_history import RUNS, History, Place, Suspect, Target
from backends.failures.subjects import read_subject
from backends.failures.task_sources import FailedRun, subject_of_run
from backends.frames.getters import iso_milliseconds
from backends.http.errors import HttpError, NotFoundError
from backends.taskcluster.client import Client
from backends.taskcluster.group_cache import load_tasks
from backends.taskcluster.locators import Task, TaskGroup, is_slugid
from backends.taskcluster.models import TaskDefinition
from backends.taskcluster.urls import normalise_root
from backends.treeherder.api import NotTreeherderError
from backends.treeherder.client import PUSHES_A_PAGE, TreeherderClient
from backends.treeherder.locators import PushJobs
from backends.treeherder.models import PushJob, TreeherderPush
from backends.treeherder.web_urls import push_url

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http

SIMILAR_JOBS = 2 * RUNS  # jobs like it that Treeherder is asked for, retriggers included
INDEXED = 30  # earlier pushes that are looked for in the index
_PUSH_ROUTE = "tc-treeherder.v2."
_FAILED_JOBS = ("testfailed", "busted")


def task_history(task: Task, target: Target, http: Http, settings: Settings, cancel: CancelToken) -> History:
    """Raises `AppError`s: of the task itself. Where Treeherder cannot help the index is asked, and the notes say so."""
    client = Client(http, normalise_root(task.root_url or settings.taskcluster_root_url))
    definition, _ = client.fetch_definition(task.task_id, cancel)
    name = definition.metadata.name
    route = next((one.split(".") for one in definition.routes if one.startswith(_PUSH_ROUTE)), [])
    if len(route) < 4:
        place = Place(task.task_id, lambda cancel: FAILED, FAILED)
        return History(
            [place], name, ["The task does not say which push it belongs to, so its earlier runs are unknown."]
        )
    project, revision, number = route[2], route[3], "".join(route[4:5])
    try:
        return _TreeherderHistory(task, project, target, client, settings, cancel)
    except OperationCancelledError:
        raise
    except AppError as error:
        notes = [f"Treeherder could not be asked for earlier jobs ({error.sentence}) The index was asked instead."]
    if not number.isdecimal():
        place = Place(revision[:12], lambda cancel: FAILED, FAILED)
        return History([place], name, [*notes, "The task does not say its push's number either."])
    return _IndexHistory(task, definition, project, int(number), target, client, notes)


def _count_runs(
    client: Client, target: Target, runs: Sequence[FailedRun], passed: int, cancel: CancelToken
) -> RunCounts:
    """What failed runs tell, beside `passed` ones."""
    counts = [RunCounts(passed)]
    for run in runs:
        counts.append(target.judge(read_subject(subject_of_run(client, run), client.http.blob_cache(), cancel)))
    return RunCounts(sum(one.runs for one in counts), sum(one.failures for one in counts))


class _TreeherderHistory(History):
    """Places are pushes, by their ids."""

    def __init__(
        self, task: Task, project: str, target: Target, client: Client, settings: Settings, cancel: CancelToken
    ) -> None:
        self.client, self.target, self.project = client, target, project
        self.treeherder = TreeherderClient(client.http, settings.treeherder_url)
        job = self.treeherder.find_job(project, task.task_id, task.run or 0, cancel)
        similar = self.treeherder.fetch_similar_jobs(project, job.id or 0, count=SIMILAR_JOBS, cancel=cancel)
        pushes: dict[int, list[PushJob]] = {}
        for one in {other.id: other for other in (job, *similar.items)}.values():
            if one.push_id is not None and one.push_id <= (job.push_id or 0) and one.state == "completed":
                pushes.setdefault(one.push_id, []).append(one)
        notes = [] if len(similar.items) < SIMILAR_JOBS else [f"Known are the newest {SIMILAR_JOBS:,} jobs like it."]
        places = [self._place(push, pushes[push], job) for push in sorted(pushes, reverse=True)[: RUNS + 1]]
        super().__init__(places, job.job_type_name or "", notes)

    def _place(self, push_id: int, jobs: Sequence[PushJob], job: PushJob) -> Place:
        passed = sum(one.result == "success" for one in jobs)
        failed = [one for one in jobs if one.result in _FAILED_JOBS and one.task_id and is_slugid(one.task_id)]
        known = None
        if self.target.is_job:
            known = RunCounts(passed + len(failed), len(failed))
        elif not failed:
            known = RunCounts(passed)
        times = [one.submit_timestamp for one in jobs if one.submit_timestamp]

        def look(cancel: CancelToken) -> RunCounts:
            others = [one for one in failed if one.id != job.id]
            runs = [
                FailedRun(one.task_id or "", one.retry_id or 0, "failed", "", one.job_type_name or "") for one in others
            ]
            counts = _count_runs(self.client, self.target, runs, passed, cancel)
            own = len(failed) - len(others)
            return RunCounts(counts.runs + own, counts.failures + own)

        if known is None and [one.id for one in failed] == [job.id]:
            known = RunCounts(passed + 1, 1)
        return Place(f"push {push_id}", look, known, min(times) * 1000 if times else None)

    def suspects(self, first_failure: int, last_pass: int, cancel: CancelToken) -> list[Suspect]:
        first, last = (self._push(place, cancel) for place in (first_failure, last_pass))
        first_id, last_id = (_push_id(self.places[place]) for place in (first_failure, last_pass))
        pushes = {}
        if first.push_timestamp and last.push_timestamp:
            found = self.treeherder.fetch_pushes(
                self.project, count=PUSHES_A_PAGE, since=last.push_timestamp, before=first.push_timestamp, cancel=cancel
            )
            pushes = {push.id: push for push in found.items if push.id is not None and last_id < push.id <= first_id}
        pushes[first_id] = first
        source = self.treeherder.find_repository_url(self.project, cancel)
        return [self._suspect(number, pushes[number], source) for number in sorted(pushes, reverse=True)]

    def describe(self, place: int, cancel: CancelToken) -> Suspect:
        return self._suspect(_push_id(self.places[place]), self._push(place, cancel), "")

    def _push(self, place: int, cancel: CancelToken) -> TreeherderPush:
        """The push; its id alone where the server does not give it."""
        push_id = _push_id(self.places[place])
        try:
            return self.treeherder.fetch_push(self.project, push_id, cancel)
        except (HttpError, NotTreeherderError):
            return TreeherderPush(id=push_id)

    def _suspect(self, push_id: int, push: TreeherderPush, source: str) -> Suspect:
        revision = push.revision or ""
        tip = next((one for one in push.revisions if one.revision == revision), None)
        message = ((tip.comments if tip is not None else None) or "").partition("\n")[0]
        jobs = PushJobs(self.project, push_id, "", revision)
        path = "commit" if source.startswith("https://github.com/") else "rev"
        return Suspect(
            f"push {push_id}", revision[:12] or f"push {push_id}",
            push.push_timestamp * 1000 if push.push_timestamp else None, push.author or "", message,
            push.revision_count if push.revision_count is not None else len(push.revisions), revision,
            f"{source}/{path}/{revision}" if source and revision else "", jobs.text(),
            push_url(self.treeherder.base, jobs) if revision else "",
        )  # fmt: skip


def _push_id(place: Place) -> int:
    return int(place.name.removeprefix("push "))


class _IndexHistory(History):
    """Places are pushes, by their numbers in the push log."""

    def __init__(
        self, task: Task, definition: TaskDefinition, project: str, number: int, target: Target, client: Client,
        notes: Sequence[str],
    ) -> None:  # fmt: skip
        self.client, self.target, self.project = client, target, project
        self.label = definition.metadata.name
        self.own_group = definition.taskGroupId or ""
        places = [Place(str(number), lambda cancel: FAILED, FAILED, iso_milliseconds(definition.created))]
        numbers = range(number - 1, max(number - INDEXED, 0) - 1, -1)
        places += [Place(str(one), lambda cancel, one=one: self._look(one, cancel)) for one in numbers]  # type: ignore[misc]
        super().__init__(places, self.label, notes)

    def _group(self, number: int, cancel: CancelToken) -> str:
        """The task group of a push, "" where the index has none (any more)."""
        try:
            found = self.client.find_task(f"gecko.v2.{self.project}.pushlog-id.{number}.decision", cancel)
        except NotFoundError:
            return ""
        return found if is_slugid(found) else ""

    def _look(self, number: int, cancel: CancelToken) -> RunCounts:
        try:
            group = self._group(number, cancel)
            if not group or group == self.own_group:
                return SILENT
            tasks = load_tasks(self.client, TaskGroup(group, self.client.root), cancel).frame
        except HttpError:
            return SILENT
        same = tasks.filter(pl.col("name") == self.label)
        passed = int((same["state"] == "completed").sum())
        failed = list(runs_of_rows(same.filter(pl.col("state") == "failed")))
        return _count_runs(self.client, self.target, failed, passed, cancel)

    def suspects(self, first_failure: int, last_pass: int, cancel: CancelToken) -> list[Suspect]:
        return [self.describe(place, cancel) for place in range(first_failure, last_pass)]

    def describe(self, place: int, cancel: CancelToken) -> Suspect:
        number = int(self.places[place].name)
        group = self.own_group if place == 0 else self._group(number, cancel)
        if not group:
            return Suspect(str(number), f"push {number}", message="This push has no decision task, or it has expired.")
        try:
            definition, _ = self.client.fetch_definition(group, cancel)
        except HttpError as error:
            return Suspect(str(number), f"push {number}", message=error.sentence)
        route = next((one.split(".") for one in definition.routes if one.startswith(_PUSH_ROUTE)), [])
        revision = "".join(route[3:4])
        return Suspect(
            str(number), revision[:12] or f"push {number}", iso_milliseconds(definition.created),
            definition.metadata.owner or "", "", None, revision, "", TaskGroup(group, self.client.root).text(),
        )  # fmt: skip
