"""Which job data a text names: what begins with `submit:`, and a path that ends as files of job data do."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl

from backends.locators.base import InvalidLocatorError
from backends.locators.pasted import SCHEME, PastedText, split_url, unescape
from backends.locators.submit import VIEWS, JobFile, OutboxLocator, SubmissionLocator, TaskJobs
from backends.taskcluster.locators import SLUGID

PREFIX = "submit:"
FORMS = ("pulse", "pulse-2018", "collection", "task", "performance")
_PATH = re.compile(r"(?:\.{0,2}|~[^/]*)/.*\.(?:json|jsonl|ndjson|ya?ml|csv)", re.IGNORECASE | re.DOTALL)
# Files of a Prow build, which a downloaded tree has, too.
_OTHERS = ("started", "finished", "prowjob", "podinfo", "clone-records", "metadata", "events", "sidecar-logs")
_ENTRY = re.compile(r"[0-9]{1,7}", re.ASCII)


def recognise(pasted: PastedText) -> SubmissionLocator | None:
    """The locator of a `submit:` text, or of a path such as ./jobs.json; None for any other."""
    text = pasted.text
    if _PATH.fullmatch(text) and "\0" not in text and Path(text).stem not in _OTHERS:
        return JobFile(_absolute(text))
    if not text.lower().startswith(PREFIX) or text[len(PREFIX) :].startswith("//"):
        return None
    body, _, query = text[len(PREFIX) :].partition("?")
    options = _options(query)
    if body == "outbox" and not query:
        return OutboxLocator()
    if body.startswith("tasks/"):
        return _tasks(body.partition("/")[2], options)
    path = unescape(body)
    if not path.strip() or "\0" in path or "root" in options:
        raise InvalidLocatorError(
            "This submit: text names no file of jobs.",
            "Forms: submit:PATH, submit:PATH?view=lint|preview|generation, submit:tasks/ID,ID, submit:outbox.",
        )
    return JobFile(_absolute(path), options.get("view", "jobs"), _entry(options), options.get("form", ""))


def _absolute(path: str) -> str:
    try:
        return str(Path(path).expanduser().absolute())
    except RuntimeError as error:  # ~somebody who does not exist
        raise InvalidLocatorError("The home directory in this path is not known.", "Write the whole path.") from error


def _tasks(ids: str, options: dict[str, str]) -> TaskJobs:
    task_ids = tuple(ids.split(","))
    if not all(SLUGID.fullmatch(one) for one in task_ids) or "form" in options:
        raise InvalidLocatorError("submit:tasks/ wants the ids of tasks.", "submit:tasks/ID,ID[?root=https://HOST]")
    root = options.get("root", "")
    if root and SCHEME.match(root) is None:
        raise InvalidLocatorError("root= wants https://HOST.")
    server = split_url(root).server() if root else ""
    return TaskJobs(task_ids, server, options.get("view", "jobs"), _entry(options))


def _entry(options: dict[str, str]) -> int | None:
    return int(options["entry"]) if "entry" in options else None


def _options(query: str) -> dict[str, str]:
    try:
        pairs = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=10))
    except ValueError as error:
        raise InvalidLocatorError("This submit: text ends in something else than options.") from error
    allowed = {"view": VIEWS, "form": FORMS}
    for name, value in pairs.items():
        right = value in allowed[name] if name in allowed else name == "root" or _ENTRY.fullmatch(value)
        if name not in ("view", "form", "entry", "root") or not right:
            raise InvalidLocatorError(
                "This submit: text ends in an unknown option.",
                f"Known: view={'|'.join(VIEWS)}, form={'|'.join(FORMS)}, entry=NUMBER.",
            )
    return pairs
