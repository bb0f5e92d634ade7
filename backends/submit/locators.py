"""Locators of job data, and the texts that stand for them: `submit:` texts and paths such as ./jobs.json.

Paths are written with bare slashes, which a locator template has no field for, so these are plain locators.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qsl

from backends.errors import FileError
from backends.locators.base import InvalidLocatorError, Locator
from backends.locators.pasted import SCHEME, PastedText, escape, split_url, unescape
from backends.paths import expand_home
from backends.taskcluster.locators import SLUGID

PREFIX = "submit:"
VIEWS = ("jobs", "lint", "preview", "generation")
FORMS = ("pulse", "pulse-2018", "collection", "task", "performance")  # the values of `entries.JobForm`
_PATH = re.compile(r"(?:\.{0,2}|~[^/]*)/.*\.(?:json|jsonl|ndjson|ya?ml|csv)", re.IGNORECASE | re.DOTALL)
# Files of a Prow build, which a downloaded tree has, too.
_PROW_FILES = ("started", "finished", "prowjob", "podinfo", "clone-records", "metadata", "events", "sidecar-logs")
_LISTINGS = {
    "jobs": "backends.submit.lists:JobEntryList",
    "lint": "backends.submit.lists:FindingList",
    "preview": "backends.submit.lists:PreviewList",
    "generation": "backends.submit.lists:PostingRuleList",
}


@dataclass(frozen=True)
class JobDataLocator(Locator):
    """Base of the locators of job data."""

    system: ClassVar[str] = "submit"


@dataclass(frozen=True)
class JobFile(JobDataLocator):
    """The jobs of a file, in one of the `VIEWS`.

    `path` is absolute. `entry`: only the one with that index. `form`: what every entry is taken for, "" guesses.
    """

    path: str
    view: str = "jobs"
    entry: int | None = None
    form: str = ""

    @property
    def is_local(self) -> bool:
        return True

    def text(self) -> str:
        pairs = [*_pairs(self), *([f"form={self.form}"] if self.form else [])]
        return f"{PREFIX}{escape(self.path, safe='/')}{'?' if pairs else ''}{'&'.join(pairs)}"

    def listing(self) -> str:
        return _LISTINGS[self.view]


@dataclass(frozen=True)
class TaskJobs(JobDataLocator):
    """Taskcluster tasks as the jobs that Treeherder would make of them. `root_url` "" is the configured deployment."""

    task_ids: tuple[str, ...]
    root_url: str = ""
    view: str = "jobs"
    entry: int | None = None

    def text(self) -> str:
        pairs = [*([f"root={escape(self.root_url, safe=':/')}"] if self.root_url else []), *_pairs(self)]
        return f"{PREFIX}tasks/{','.join(self.task_ids)}{'?' if pairs else ''}{'&'.join(pairs)}"

    def listing(self) -> str:
        return _LISTINGS[self.view]


@dataclass(frozen=True)
class OutboxLocator(JobDataLocator):
    """What was queued for publishing and what became of it."""

    @property
    def is_local(self) -> bool:
        return True

    def text(self) -> str:
        return f"{PREFIX}outbox"

    def listing(self) -> str:
        return "backends.submit.lists:OutboxList"


def _pairs(locator: JobFile | TaskJobs) -> list[str]:
    view = [f"view={locator.view}"] if locator.view != "jobs" else []
    return view + ([f"entry={locator.entry}"] if locator.entry is not None else [])


def parse_job_data(pasted: PastedText) -> JobDataLocator | None:
    """The locator of a `submit:` text, or of a path with the suffix of job data; None for other texts.

    Raises `InvalidLocatorError`.
    """
    text = pasted.text
    if _PATH.fullmatch(text) and "\0" not in text and Path(text).stem not in _PROW_FILES:
        return JobFile(_absolute(text))
    if not text.lower().startswith(PREFIX) or text[len(PREFIX) :].startswith("//"):
        return None
    body, _, query = text[len(PREFIX) :].partition("?")
    options = _options(query)
    if body == "outbox" and not query:
        return OutboxLocator()
    view, entry = options.get("view", "jobs"), int(options["entry"]) if "entry" in options else None
    if body.startswith("tasks/"):
        task_ids = tuple(body.partition("/")[2].split(","))
        if not all(SLUGID.fullmatch(task_id) for task_id in task_ids) or "form" in options:
            raise InvalidLocatorError(
                "A submit:tasks/ locator needs task ids.", "Syntax: submit:tasks/ID,ID[?root=https://HOST]"
            )
        return TaskJobs(task_ids, _server(options.get("root", "")), view, entry)
    path = unescape(body)
    if not path.strip() or "\0" in path or "root" in options:
        raise InvalidLocatorError(
            "Incomplete submit: locator: it needs a file of jobs.",
            "Syntax: submit:PATH, submit:PATH?view=lint|preview|generation, submit:tasks/ID,ID, submit:outbox.",
        )
    return JobFile(_absolute(path), view, entry, options.get("form", ""))


def _absolute(path: str) -> str:
    try:
        return str(expand_home(path).absolute())
    except FileError as error:
        raise InvalidLocatorError(error.sentence, error.hint) from error


def _server(root: str) -> str:
    if root and SCHEME.match(root) is None:
        raise InvalidLocatorError("root= needs https://HOST.")
    return split_url(root).server() if root else ""


def _options(query: str) -> dict[str, str]:
    try:
        pairs = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=10))
    except ValueError as error:
        raise InvalidLocatorError("Malformed options in a submit: locator.") from error
    allowed = {"view": "|".join(VIEWS), "form": "|".join(FORMS), "entry": "[0-9]{1,7}", "root": ".*"}
    if not all(re.fullmatch(allowed.get(name, "(?!)"), value, re.ASCII | re.DOTALL) for name, value in pairs.items()):
        raise InvalidLocatorError(
            "Unknown option in a submit: locator.",
            f"Known: view={'|'.join(VIEWS)}, form={'|'.join(FORMS)}, entry=NUMBER.",
        )
    return pairs
