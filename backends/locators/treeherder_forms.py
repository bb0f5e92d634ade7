"""Which Taskcluster push or task a Treeherder address means.

Treeherder's pages name no Taskcluster deployment, so these locators mean the configured one. The job page's
`selectedTaskRun` is `<task id>.<run>` (treeherder ui/helpers/job.js); for some months of 2020 it had a `-` there.
"""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import parse_qsl

from backends.locators.base import InvalidLocatorError
from backends.locators.pasted import PastedText, PastedUrl
from backends.locators.taskcluster import (
    PUBLIC_TREEHERDER,
    SLUGID,
    Push,
    Task,
    TaskclusterLocator,
    TreeherderJob,
)

TASK_RUN = re.compile(rf"({SLUGID.pattern})(?:[.-]([0-9]{{1,4}}))?", re.ASCII)
REVISION = re.compile(r"[0-9a-f]{12,40}", re.ASCII)
REPOSITORY = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
NUMBER = re.compile(r"[1-9][0-9]{0,14}", re.ASCII)
LINES = re.compile(r"([1-9][0-9]{0,11})(?:-([0-9]{1,12}))?", re.ASCII)
ONE_PUSH = ("revision", "selectedTaskRun", "selectedJob", "job_id", "task")
PAGES = frozenset({"jobs", "logviewer", "logviewer.html"})


def recognise(pasted: PastedText) -> TaskclusterLocator | None:
    """The task or the push of a Treeherder job page or log viewer, None for any other text."""
    url = pasted.url
    if url is None or not url.is_web:
        return None
    page, query = _page(url)
    if page not in PAGES:
        return None
    selected = TASK_RUN.fullmatch(query.get("selectedTaskRun") or query.get("task") or "")
    task_id, run = (selected[1], None if selected[2] is None else int(selected[2])) if selected else ("", None)
    repository, revision = _repository(page, query, url), query.get("revision", "").lower()
    job = _job(page, query, repository, revision, url)
    if job is not None and job.log:  # today's links name the task too: the log is what they show
        return replace(job, task_id=task_id, run=run)
    if selected is not None:
        if page != "jobs" and run is not None and (line := LINES.fullmatch(query.get("lineNumber", ""))):
            first, last = int(line[1]), int(line[2] or 0)
            server = "" if url.host == PUBLIC_TREEHERDER else url.server()
            end = last if last > first else None
            return TreeherderJob("", 0, True, "", server, first, end, task_id, run)
        return Task(task_id, run)
    if job is not None:
        return job
    if REPOSITORY.fullmatch(repository) and REVISION.fullmatch(revision):
        return Push(repository, revision)
    if not query.keys() & {"repo", "revision", "job_id", "selectedJob", "task"}:
        return None
    if page == "jobs" and REPOSITORY.fullmatch(repository) and not any(query.get(name) for name in ONE_PUSH):
        return None  # a list of pushes, of which Perfherder's forms say what is wrong with it
    raise InvalidLocatorError(
        "This Treeherder address names neither one push nor one task.",
        "Select a job (the address then has selectedTaskRun=) or a push (revision= with 12 to 40 hex digits).",
    )


def _repository(page: str, query: dict[str, str], url: PastedUrl) -> str:
    """What the page of jobs shows where none is named is autoland's."""
    return query.get("repo", "") or ("autoland" if page == "jobs" and url.host == PUBLIC_TREEHERDER else "")


def _job(page: str, query: dict[str, str], repository: str, revision: str, url: PastedUrl) -> TreeherderJob | None:
    """The job whose log a page shows, or that is selected on it, by its number."""
    log = page != "jobs"
    number = query.get("job_id" if log else "selectedJob", "")
    if not NUMBER.fullmatch(number) or not REPOSITORY.fullmatch(repository):
        return None
    lines = LINES.fullmatch(query.get("lineNumber", "")) if log else None
    line, last = (None, 0) if lines is None else (int(lines[1]), int(lines[2] or 0))
    return TreeherderJob(
        repository,
        int(number),
        log,
        revision if not log and REVISION.fullmatch(revision) else "",
        "" if url.host == PUBLIC_TREEHERDER else url.server(),
        line,
        last if line is not None and last > line else None,
    )


def _page(url: PastedUrl) -> tuple[str, dict[str, str]]:
    """The page's name and its query, which before 2021 both stood behind the #."""
    fragment = url.fragment.lstrip("/")
    path, mark, query = fragment.partition("?")
    path = path or url.path.strip("/")
    if mark and path in PAGES:
        try:
            return path, {**url.query, **dict(reversed(parse_qsl(query, max_num_fields=200)))}
        except ValueError:
            return "", {}
    return url.path.strip("/"), url.query
