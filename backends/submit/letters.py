"""What is put into the outbox for a route: each job in the form that its other side reads, and no broken one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from backends.config import Settings
from backends.errors import AppError, UsageError
from backends.http.errors import sanitize
from backends.submit.conversion import convert
from backends.submit.findings import Level, Report
from backends.submit.forms import Entry, Form
from backends.submit.lint import lint
from backends.submit.outbox import Letter
from backends.submit.preview import drawn
from backends.submit.publishing import Route

ROUTES = ("pulse", "hawk")
_FIELDS = ("project", "revision", "task")


class NotFit(AppError):
    """Some of the jobs have errors; nothing was queued."""


@dataclass(frozen=True)
class Fit:
    """`letters` to queue, and the reports of what is left out."""

    letters: list[Letter]
    left_out: list[Report]


def letters(entries: Sequence[Entry], route: Route, settings: Settings) -> Fit:
    """The letters of all entries without errors, converted to what the route's other side reads and linted again.

    A task or a performance artifact is no job: it is left out, with the reason. Raises `UsageError` for a routing
    key that cannot be one.
    """
    _check_template(settings.pulse_routing_key)
    found: list[Letter] = []
    left: list[Report] = []
    converted: list[Entry] = []
    for report in lint(entries):
        if report.verdict == "failed" or not report.entry.form.is_job:
            left.append(report)
        else:
            converted.append(_as_read(report.entry, route.name))
    for report in lint(converted):
        if report.verdict == "failed":
            left.append(report)
        else:
            found.append(_letter(report.entry, route, settings.pulse_routing_key))
    return Fit(found, left)


def refusal(fit: Fit) -> NotFit:
    """What to say when not all are fit."""
    first = fit.left_out[0]
    why = next((one for one in first.findings if one.level is Level.ERROR), None)
    where = " ".join(part for part in (first.entry.file, first.entry.place) if part)
    what = f"{why.path}: {why.message}" if why else f"a {first.entry.form} is no job"
    count = len(fit.left_out)
    jobs = "One job is" if count == 1 else f"{count:,} jobs are"
    return NotFit(
        f"{jobs} not fit to be published; nothing was queued. The first: "
        f"{sanitize(where, 160)}: {sanitize(what, 200)}.",
        "`ciexplore submit lint` says all; --skip-invalid publishes the others.",
    )


def _as_read(entry: Entry, route: str) -> Entry:
    form = Form.COLLECTION if route == "hawk" else entry.form if entry.form.is_pulse else Form.PULSE
    if form is entry.form:
        return entry
    return Entry(entry.file, entry.place, entry.number, form, convert(entry, form).body)


def _letter(entry: Entry, route: Route, template: str) -> Letter:
    one = drawn(entry)
    assert one is not None
    key = (
        template.format(project=one.project, revision=one.revision, task=entry.job_id) if route.name == "pulse" else ""
    )
    return Letter(route.name, route.destination, key, entry.job_id, one.project, one.symbol, entry.file, entry.body)


def _check_template(template: str) -> None:
    try:
        names = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError:
        names = {"{"}
    if not names <= set(_FIELDS) or not template:
        raise UsageError(
            "The routing key's template is wrong.",
            "It looks like treeherder.{project}._; known: {project}, {revision}, {task}.",
        )


def registration(exchange: str, template: str, projects: Sequence[str]) -> dict[str, Any]:
    """What a Treeherder's operator needs to bind an exchange: exchange, destinations, projects.

    The parts are those of the document's registration block; a server binds destination.project for every pair.
    """
    _check_template(template)
    destination, _, rest = template.partition(".")
    named = [rest.format(project=project, revision="*", task="*") for project in projects]
    return {"exchange": exchange, "destinations": [destination], "projects": named or ["#"]}
