"""Which tasks and builds a locator means: those that failed of a list, or the one that it names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.failures.build_sources import build_subjects
from backends.failures.locators import ClustersOf, FailuresOf, SinceOf
from backends.failures.subjects import Subject
from backends.failures.task_sources import FailedRun, subject_of_run
from backends.frames.getters import iso_milliseconds
from backends.http.response import Freshness
from backends.locators import Locator
from backends.pool import map_in_order
from backends.prow.build_listing import BuildView
from backends.prow.builds import BuildList
from backends.prow.files import FolderFiles
from backends.resources import Link, read_list
from backends.systems import open_resource, parse_locator
from backends.taskcluster.artifacts import ArtifactList
from backends.taskcluster.client import Client
from backends.taskcluster.logs import FAILED
from backends.taskcluster.task_rows import platform_and_build
from backends.taskcluster.tasks import TaskList
from backends.treeherder.base import FAILED_RESULTS
from backends.treeherder.jobs import PushJobList, SimilarJobList
from backends.treeherder.locators import JobFailures

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http


@dataclass
class Subjects:
    """The failed ones, in the order of the list, and of how many. `noun`: what the list has rows of."""

    subjects: list[Subject]
    total: int
    noun: tuple[str, str]
    title: str
    freshness: Freshness
    notes: tuple[str, ...] = ()
    partial: bool = False


def source_locator(text: str, settings: Settings) -> Locator:
    """The locator of what failures are asked of. Raises `InvalidLocatorError`."""
    found = parse_locator(text, settings)
    return source_locator(found.of, settings) if isinstance(found, FailuresOf | ClustersOf | SinceOf) else found


def find_subjects(text: str, http: Http, settings: Settings, cancel: CancelToken) -> Subjects:
    """Raises `AppError`s: of the list, and `UsageError` where its rows are not tasks, jobs or builds."""
    resource = open_resource(source_locator(text, settings), http, settings, cancel)
    match resource:
        case TaskList():
            return _of_tasks(resource, cancel)
        case ArtifactList():
            return _of_task_ids(resource, cancel)
        case PushJobList() | SimilarJobList():
            return _of_jobs(resource, http, cancel)
        case BuildList() | BuildView() | FolderFiles():
            found, total, notes, partial = build_subjects(resource, cancel)
            return Subjects(found, total, ("build", "builds"), resource.title, Freshness(), notes, partial)
    raise UsageError(
        f"This locator lists {resource.noun[1]}, which have no failures.",
        "Name a task, a task group, a push, a Prow job or a build.",
    )


def _of_tasks(resource: TaskList, cancel: CancelToken) -> Subjects:
    listed = read_list(resource, cancel)
    failed = listed.frame.filter(pl.col("state").is_in(list(FAILED))).sort("name", "task_id")
    subjects = [subject_of_run(resource.client, run) for run in runs_of_rows(failed)]
    return Subjects(
        subjects, len(listed.frame), ("task", "tasks"), resource.title, listed.freshness, listed.notes, listed.partial
    )


def runs_of_rows(failed: pl.DataFrame) -> Iterator[FailedRun]:
    """The last runs of rows of the schema `TASKS`."""
    columns = ("task_id", "runs", "state", "reason", "name", "platform", "build_type", "started", "resolved")
    for task_id, runs, state, reason, name, platform, build, started, ended in failed.select(columns).iter_rows():
        yield FailedRun(
            task_id, max((runs or 0) - 1, 0), state, reason or "", name or "",
            "/".join(part for part in (platform, build) if part), started is not None and bool(runs), _ms(ended),
        )  # fmt: skip


def _of_jobs(resource: PushJobList | SimilarJobList, http: Http, cancel: CancelToken) -> Subjects:
    """Of a Treeherder list of jobs: their tasks say what failed."""
    listed = read_list(resource, cancel)
    failed = listed.frame.filter(pl.col("result").is_in(list(FAILED_RESULTS)))
    subjects, others = list[Subject](), 0
    for row in failed.iter_rows(named=True):
        task = resource.open(row)
        if task is None or task.run is None:
            others += 1
            continue
        platform = "/".join(part for part in (row["platform"], row["option"]) if part)
        state = "exception" if row["result"] == "exception" else "failed"
        run = FailedRun(
            task.task_id,
            task.run,
            state,
            "",
            row["name"] or "",
            platform,
            row["started"] is not None,
            _ms(row["ended"]),
        )
        lines = JobFailures(resource.repository, int(row["job_id"]), resource.server)
        links = (Link("Its failure lines in Treeherder, and the bugs they look like", lines, letter="f"),)
        subjects.append(replace(subject_of_run(Client(http, task.root_url), run), links=links))
    notes = listed.notes
    if others:
        notes += (f"{others:,} failed jobs are not tasks of Taskcluster and were not read.",)
    return Subjects(
        subjects, len(listed.frame), ("job", "jobs"), resource.title, listed.freshness, notes,
        listed.partial or bool(others),
    )  # fmt: skip


def _of_task_ids(resource: ArtifactList, cancel: CancelToken) -> Subjects:
    """Of tasks that are named: the run that is named, else all runs that failed, else the last one."""
    client, only = resource.client, resource.run

    def read(task_id: str, own: CancelToken) -> tuple[list[Subject], Freshness]:
        status, freshness = client.fetch_status(task_id, own)
        definition, _ = client.fetch_definition(task_id, own)
        name = definition.metadata.name
        platform = "/".join(part for part in platform_and_build(definition, name) if part)
        runs = [
            FailedRun(
                task_id, number, run.state, run.reasonResolved or "", name, platform, run.started is not None,
                iso_milliseconds(run.resolved),
            )
            for number, run in enumerate(status.runs)
        ]  # fmt: skip
        chosen = [run for run in runs if (run.run == only if only is not None else run.state in FAILED)] or runs[-1:]
        return [subject_of_run(client, run) for run in chosen], freshness

    subjects, freshness = list[Subject](), Freshness()
    for batch in map_in_order(read, resource.task_ids, cancel):
        for found, latest in batch:
            subjects += found
            freshness = freshness.worse(latest)
    names = {subject.job for subject in subjects}
    title = names.pop() if len(names) == 1 else f"{len(resource.task_ids):,} tasks"
    return Subjects(subjects, len(resource.task_ids), ("task", "tasks"), title, freshness)


def _ms(time: datetime | None) -> int | None:
    return None if time is None else round(time.timestamp() * 1000)


def noun_for(count: int, noun: tuple[str, str]) -> str:
    return f"{count:,} {noun[count != 1]}"
