"""What is wrong with entries of job data, and what to write instead: schema, the readers' code, and one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from backends.cancel import CancelToken
from backends.submit import rules_collection, rules_message, rules_task
from backends.submit.findings import Finding, Level, Report, ordered
from backends.submit.forms import Entry, Form
from backends.submit.loader_limits import as_validated
from backends.submit.quick import certainly_valid
from backends.submit.validation import violations

Progress = Callable[[int], None]


def lint(entries: Sequence[Entry], cancel: CancelToken | None = None, progress: Progress | None = None) -> list[Report]:
    """One report an entry, in order. Raises `OperationCancelledError`; nothing that an entry holds makes it fail."""
    seen: dict[tuple[str, str], Entry] = {}
    reports = []
    for number, entry in enumerate(entries):
        if number % 100 == 0:
            if cancel is not None:
                cancel.check()
            if progress is not None:
                progress(number)
        reports.append(Report(entry, ordered([*_of(entry), *_twice(entry, seen)])))
    return reports


def _of(entry: Entry) -> Iterator[Finding]:
    if entry.broken:
        yield Finding(Level.ERROR, "$", "syntax", entry.broken)
        return
    for words in entry.odd:
        yield Finding(Level.WARNING, "$", "twice", words, "each name once")
    try:
        yield from _rules(entry.body, entry.form)
    except RecursionError:
        yield Finding(Level.ERROR, "$", "syntax", "is nested too deeply to be looked through")


def _rules(body: Any, form: Form) -> Iterator[Finding]:
    if form is Form.TASK:
        yield from rules_task.demands(body)
        return
    if form.is_pulse:
        demands = list(rules_message.demands(body, form))
        lost = {one.path for one in demands if one.level is Level.ERROR}
        seen = as_validated(body) if form is Form.PULSE else body
        if not certainly_valid(form)(seen):  # what loses the job is said once, and not as a wrong format, too
            yield from (one for one in violations(seen, form) if one.rule != "format" or one.path not in lost)
        yield from demands
        return
    if not certainly_valid(form)(body):
        found = violations(body, form)
        yield from map(rules_collection.advisory, found) if form is Form.COLLECTION else found
    if form is Form.COLLECTION:
        yield from rules_collection.demands(body)


def _twice(entry: Entry, seen: dict[tuple[str, str], Entry]) -> Iterator[Finding]:
    job_id = entry.job_id
    if not job_id:
        return
    first = seen.setdefault((entry.form, job_id), entry)
    if first is not entry:
        where = f"{first.file}{f', {first.place}' if first.place else ''}"
        path = "$.job.job_guid" if entry.form is Form.COLLECTION else "$.taskId"
        yield Finding(
            Level.WARNING,
            path,
            "twice",
            f"the same job as in {where}: the later updates the earlier, and a completed one never changes",
            "an id of its own, if it is another job",
        )
