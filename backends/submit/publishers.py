"""The publishers (Pulse and Hawk): as configured, what they are given to send, and what servers still accept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from string import Formatter
from typing import Any, NamedTuple

import polars as pl

from backends.cancel import CancelToken
from backends.config import Settings
from backends.errors import AppError, UsageError
from backends.frames.schema import Column, Kind, Schema
from backends.http import Http
from backends.http.errors import HttpError, sanitize
from backends.http.hawk_posts import asks_for_hawk
from backends.resources import LIST, ROWS, Action, Progress
from backends.submit.convert import convert
from backends.submit.credentials import Ask, load_credentials
from backends.submit.entries import JobEntry, JobForm
from backends.submit.hawk import HawkPublisher, jobs_url
from backends.submit.lint import LintReport, lint
from backends.submit.outbox import Message, Publisher, open_outbox, publish
from backends.submit.preview import preview_job
from backends.submit.pulse import PulsePublisher, parse_broker
from backends.submit.validation import Level

PUBLISHERS = ("pulse", "hawk")
TODAY = (
    "Mozilla's Treeherder reads neither: it stopped taking signed POSTs on 2018-09-28 and messages from users' "
    "exchanges on 2019-10-10. Today it reads Taskcluster tasks only; lint their definitions here."
)


def configured_publisher(name: str, settings: Settings, http: Http, ask: Ask | None = None) -> Publisher:
    """The publisher as the settings say, with credentials; connects to nothing yet.

    Raises `UsageError`s, and `AppError`s where an optional dependency is missing.
    """
    if http.mode.is_offline:
        raise UsageError("Cannot publish while offline.", "Leave offline mode; what is queued stays queued.")
    if name == "pulse":
        broker = parse_broker(settings.pulse_url)
        return PulsePublisher(broker, settings.pulse_exchange, load_credentials("pulse", settings, ask))
    if name == "hawk":
        return HawkPublisher(hawk_server(settings), load_credentials("hawk", settings, ask), http)
    raise UsageError(f"Unknown publisher {name!r}.", "Publishers: pulse, hawk.")


def hawk_server(settings: Settings) -> str:
    return settings.submit_url or settings.treeherder_url


# What is queued for a publisher: each job in the form that its receiver reads, and none with errors.


class InvalidJobsError(AppError):
    """Some of the jobs have errors; nothing was queued."""


@dataclass(frozen=True)
class PreparedMessages:
    """`messages` to queue, and the reports of what is left out."""

    messages: list[Message]
    left_out: list[LintReport]


def prepare_messages(entries: Sequence[JobEntry], publisher: Publisher, settings: Settings) -> PreparedMessages:
    """The messages of all entries without errors, converted to what the receiver reads and linted again.

    A task or a performance artifact is not a job: it is left out. Raises `UsageError` for an invalid routing key.
    """
    template = settings.pulse_routing_key
    _check_template(template)
    left_out: list[LintReport] = []
    converted: list[JobEntry] = []
    for report in lint(entries):
        if report.verdict == "failed" or not report.entry.form.is_job:
            left_out.append(report)
        else:
            converted.append(_convert_for(report.entry, publisher.name))
    messages: list[Message] = []
    for report in lint(converted):
        if report.verdict == "failed":
            left_out.append(report)
        else:
            messages.append(_message(report.entry, publisher, template))
    return PreparedMessages(messages, left_out)


def _convert_for(entry: JobEntry, publisher: str) -> JobEntry:
    pulse_form = entry.form if entry.form.is_pulse else JobForm.PULSE
    form = JobForm.COLLECTION if publisher == "hawk" else pulse_form
    return entry if form is entry.form else replace(entry, form=form, body=convert(entry, form).body)


def _message(entry: JobEntry, publisher: Publisher, template: str) -> Message:
    job = preview_job(entry)
    assert job is not None
    key = template.format(project=job.project, revision=job.revision, task=entry.job_id)
    key = key if publisher.name == "pulse" else ""
    destination = publisher.destination
    return Message(publisher.name, destination, key, entry.job_id, job.project, job.symbol, entry.file, entry.body)


def describe_invalid(prepared: PreparedMessages) -> InvalidJobsError:
    """Why nothing is queued where some entries are left out."""
    first, count = prepared.left_out[0], len(prepared.left_out)
    reason = next((one for one in first.findings if one.level is Level.ERROR), None)
    what = f"{reason.path}: {reason.message}" if reason else f"a {first.entry.form} is not a job"
    return InvalidJobsError(
        f"{count:,} job{'' if count == 1 else 's'} cannot be published; nothing was queued. The first: "
        f"{sanitize(first.entry.location, 160)}: {sanitize(what, 200)}.",
        "See `ciexplore submit lint`; --skip-invalid publishes the others.",
    )


def _check_template(template: str) -> None:
    try:
        names = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError:
        names = {"{"}
    if not names <= {"project", "revision", "task"} or not template:
        raise UsageError(
            "Invalid template of the routing key.",
            "E.g. treeherder.{project}._; fields: {project}, {revision}, {task}.",
        )


def exchange_config(exchange: str, template: str, projects: Sequence[str]) -> dict[str, Any]:
    """What a Treeherder's operator needs to bind an exchange: exchange, destinations, projects.

    The parts are those of the document's registration block; a server binds destination.project for every pair.
    """
    _check_template(template)
    destination, _, rest = template.partition(".")
    patterns = [rest.format(project=project, revision="*", task="*") for project in projects]
    return {"exchange": exchange, "destinations": [destination], "projects": patterns or ["#"]}


# Actions of the lists.


def publish_actions(
    read_entries: Callable[[CancelToken], Sequence[JobEntry]], count: int, settings: Settings, http: Http
) -> list[Action]:
    """Queue and publish `count` jobs, one action per publisher; errors in any of them keep all from being queued."""
    jobs = "1 job" if count == 1 else f"{count:,} jobs"

    def action(name: str, label: str) -> Action:
        def run(cancel: CancelToken, progress: Progress) -> str:
            publisher = configured_publisher(name, settings, http)
            prepared = prepare_messages(read_entries(cancel), publisher, settings)
            if prepared.left_out:
                raise describe_invalid(prepared)
            if not prepared.messages:
                raise AppError("There are no jobs to publish.")
            with open_outbox(settings) as outbox:
                outbox.add(prepared.messages)
                return publish(outbox, publisher, cancel, progress).sentence

        confirm = f"Publish {jobs} to {_destination(name, settings)}?"
        return Action(f"Publish {jobs} via {label}", run, confirm, letter=name[0], group=ROWS)

    return [action("pulse", "Pulse"), action("hawk", "a signed POST (Hawk)")]


def send_actions(settings: Settings, http: Http) -> list[Action]:
    """Send what is queued, one action per publisher."""

    def action(name: str) -> Action:
        def run(cancel: CancelToken, progress: Progress) -> str:
            with open_outbox(settings) as outbox:
                return publish(outbox, configured_publisher(name, settings, http), cancel, progress).sentence

        confirm = f"Send what is queued for {_destination(name, settings)}?"
        return Action(f"Send what is queued via {name}", run, confirm, letter=name[0], group=LIST)

    return [action(name) for name in PUBLISHERS]


def _destination(publisher: str, settings: Settings) -> str:
    if publisher == "hawk":
        return hawk_server(settings)
    return f"{settings.pulse_url.partition('?')[0]} {settings.pulse_exchange or '(your own exchange)'}"


# What is accepted where.


class _PublisherRoute(NamedTuple):
    route: str
    destination: str
    state: str
    words: str


ROUTES = Schema(
    (
        Column("route", Kind.TEXT, "Route", get="route"),
        Column("destination", Kind.TEXT, "Destination", get="destination"),
        Column("state", Kind.STATE, "State", get="state"),
        Column("words", Kind.TEXT, "Remark", get="words"),
    ),
    key="route",
)


def routes_frame(settings: Settings, project: str, cancel: CancelToken) -> pl.DataFrame:
    """One row per route to a Treeherder (schema `ROUTES`): its destination, and whether it is accepted there."""
    return ROUTES.build(
        [
            _PublisherRoute(
                "taskcluster",
                "tc-treeherder.v2.PROJECT.REVISION.PUSH",
                "accepted",
                "what Mozilla's Treeherder reads today: a route and extra.treeherder in the task's definition",
            ),
            _pulse_route(settings),
            _hawk_route(hawk_server(settings), project, cancel),
        ]
    )


def _pulse_route(settings: Settings) -> _PublisherRoute:
    try:
        broker = parse_broker(settings.pulse_url).label
    except AppError as error:
        return _PublisherRoute("pulse", settings.pulse_url, "failed", error.sentence)
    exchange = settings.pulse_exchange or "exchange/USER/v1/jobs"
    words = f"{exchange}: a job that nobody reads is returned. Treeherder itself stopped reading on 2019-10-10"
    return _PublisherRoute("pulse", broker, "unknown", words)


def _hawk_route(server: str, project: str, cancel: CancelToken) -> _PublisherRoute:
    try:
        accepted = asks_for_hawk(jobs_url(server, project), cancel=cancel)
    except HttpError as error:
        return _PublisherRoute("hawk", server, "unknown", error.sentence)
    if accepted:
        return _PublisherRoute("hawk", server, "accepted", "asks for Hawk credentials when jobs are posted")
    return _PublisherRoute("hawk", server, "refused", "does not take posted jobs (Treeherder stopped on 2018-09-28)")
