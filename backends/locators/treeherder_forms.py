"""Which Taskcluster push or task a Treeherder address means.

Treeherder's pages name no Taskcluster deployment, so these locators mean the configured one. The job page's
`selectedTaskRun` is `<task id>.<run>` (treeherder ui/helpers/job.js); for some months of 2020 it had a `-` there.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from backends.locators.base import LocatorProblem
from backends.locators.pasted import Pasted, PastedUrl
from backends.locators.taskcluster import SLUGID, Push, Task, TaskclusterLocator

TASK_RUN = re.compile(rf"({SLUGID.pattern})(?:[.-]([0-9]{{1,4}}))?", re.ASCII)
REVISION = re.compile(r"[0-9a-f]{12,40}", re.ASCII)
REPOSITORY = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
PAGES = frozenset({"jobs", "logviewer", "logviewer.html"})


def recognise(pasted: Pasted) -> TaskclusterLocator | None:
    """The task or the push of a Treeherder job page or log viewer, None for any other text."""
    url = pasted.url
    if url is None or not url.is_web:
        return None
    page, query = _page(url)
    if page not in PAGES:
        return None
    selected = TASK_RUN.fullmatch(query.get("selectedTaskRun") or query.get("task") or "")
    if selected is not None:
        return Task(selected[1], None if selected[2] is None else int(selected[2]))
    repository, revision = query.get("repo", ""), query.get("revision", "").lower()
    if REPOSITORY.fullmatch(repository) and REVISION.fullmatch(revision):
        return Push(repository, revision)
    if not query.keys() & {"repo", "revision", "job_id", "selectedJob", "task"}:
        return None
    raise LocatorProblem(
        "This Treeherder address names neither one push nor one task.",
        "Select a job (the address then has selectedTaskRun=) or a push (revision= with 12 to 40 hex digits).",
    )


def _page(url: PastedUrl) -> tuple[str, dict[str, str]]:
    """The page's name and its query, which before 2021 both stood behind the #."""
    fragment = url.fragment.lstrip("/")
    path, mark, query = fragment.partition("?")
    if mark and path in PAGES:
        try:
            return path, {**url.query, **dict(reversed(parse_qsl(query, max_num_fields=200)))}
        except ValueError:
            return "", {}
    return url.path.strip("/"), url.query
