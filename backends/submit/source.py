"""Where the entries of a locator come from: a file, or Taskcluster's queue."""

from __future__ import annotations

from backends.cancel import CancelToken
from backends.config import Settings
from backends.http import Http
from backends.locators.submit import JobFile, TaskJobs
from backends.submit.forms import Entry, Form
from backends.submit.preview import drawn
from backends.submit.reading import read_files


def entries_of(
    locator: JobFile | TaskJobs, http: Http, settings: Settings, cancel: CancelToken, *, for_lint: bool = False
) -> list[Entry]:
    """All entries. Tasks are given as the messages that Treeherder would make of them; `for_lint`: as they are, for
    it is their definitions that can be mended. Raises `AppError`s."""
    if isinstance(locator, JobFile):
        return read_files([locator.path], Form(locator.form) if locator.form else None)
    from backends.submit.task_jobs import as_messages, root_of, task_entries

    root = root_of(locator.root_url, settings.taskcluster_root_url)
    entries = task_entries(locator.task_ids, http, root, cancel)
    return entries if for_lint else list(as_messages(entries, root))


def named(entry: Entry) -> str:
    """A title for one entry: its symbol and name, else where it stands."""
    one = drawn(entry)
    words = f"{one.symbol} {one.name}".strip() if one is not None else ""
    return words or f"{entry.form} {entry.place}".strip()
