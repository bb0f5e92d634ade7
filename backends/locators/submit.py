"""Locators of job data: a file of jobs in one of its views, tasks taken for jobs, and the outbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from backends.locators.base import Locator
from backends.locators.pasted import escape

VIEWS = ("jobs", "lint", "preview", "generation")


@dataclass(frozen=True)
class SubmissionLocator(Locator):
    system: ClassVar[str] = "submit"


@dataclass(frozen=True)
class JobFile(SubmissionLocator):
    """The jobs of a file, or what the lint, the preview or the posting rules say of them.

    `path` is absolute. `entry`: only the one of that number (from 0). `form`: what every entry is taken for, "" looks.
    """

    path: str
    view: str = "jobs"
    entry: int | None = None
    form: str = ""

    def text(self) -> str:
        query = [f"view={self.view}"] if self.view != "jobs" else []
        query += [f"entry={self.entry}"] if self.entry is not None else []
        query += [f"form={self.form}"] if self.form else []
        return f"submit:{escape(self.path, safe='/')}{'?' if query else ''}{'&'.join(query)}"


@dataclass(frozen=True)
class TaskJobs(SubmissionLocator):
    """Taskcluster tasks as the jobs that Treeherder would make of them. `root_url` "" is the configured deployment."""

    task_ids: tuple[str, ...]
    root_url: str = ""
    view: str = "jobs"
    entry: int | None = None

    def text(self) -> str:
        query = [f"root={escape(self.root_url, safe=':/')}"] if self.root_url else []
        query += [f"view={self.view}"] if self.view != "jobs" else []
        query += [f"entry={self.entry}"] if self.entry is not None else []
        return f"submit:tasks/{','.join(self.task_ids)}{'?' if query else ''}{'&'.join(query)}"


@dataclass(frozen=True)
class OutboxLocator(SubmissionLocator):
    """What was queued for publishing and what became of it."""

    def text(self) -> str:
        return "submit:outbox"
