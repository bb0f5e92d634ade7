"""Which routes there are, what they are set to, and what a given Treeherder still reads."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from backends.cancel import CancelToken
from backends.config import Settings
from backends.errors import AppError, UsageError
from backends.frames.schema import Column, Kind, Schema
from backends.http import Http, Mode
from backends.http.errors import HttpError
from backends.submit.credentials import Ask, credentials
from backends.submit.outbox import NAME, Outbox
from backends.submit.publishing import Route

TODAY = (
    "Mozilla's Treeherder reads neither: it stopped taking signed POSTs on 2018-09-28 and messages from users' "
    "exchanges on 2019-10-10. Today it reads Taskcluster tasks only; lint their definitions here."
)

ROUTES = Schema(
    (
        Column("route", Kind.TEXT, "Route"),
        Column("destination", Kind.TEXT, "Goes to"),
        Column("state", Kind.STATE, "State"),
        Column("words", Kind.TEXT, "Remark"),
    ),
    key="route",
)


def open_outbox(settings: Settings) -> Outbox:
    return Outbox(settings.state_path / NAME)


def route_named(name: str, settings: Settings, http: Http, ask: Ask | None = None) -> Route:
    """The route as the settings say, with credentials; connects to nothing yet. Raises `UsageError`s and the
    problems of missing optional parts."""
    if http.mode is Mode.OFFLINE:
        raise UsageError("Offline, nothing is published.", "Leave offline mode; what is queued stays queued.")
    if name == "pulse":
        from backends.submit.pulse import library, pulse_route
        from backends.submit.pulse_address import broker

        library()
        return pulse_route(broker(settings.pulse_url), settings.pulse_exchange, credentials("pulse", settings, ask))
    if name == "hawk":
        from backends.submit.hawk_route import HawkRoute

        return HawkRoute(hawk_server(settings), credentials("hawk", settings, ask), http)
    raise UsageError(f"There is no route {name}.", "Routes: pulse, hawk.")


def hawk_server(settings: Settings) -> str:
    return settings.submit_url or settings.treeherder_url


@dataclass(frozen=True)
class Accepts:
    """What a server said about a route: "accepted", "refused", or why it could not be asked."""

    state: str
    words: str


def hawk_accepted(server: str, project: str, cancel: CancelToken) -> Accepts:
    from backends.http.hawk_posts import asks_for_hawk

    try:
        asked = asks_for_hawk(f"{server.rstrip('/')}/api/project/{project}/jobs/", cancel=cancel)
    except HttpError as problem:
        return Accepts("unknown", problem.sentence)
    if asked:
        return Accepts("accepted", "asks for Hawk credentials when jobs are posted")
    return Accepts("refused", "does not take posted jobs (Treeherder stopped on 2018-09-28)")


def routes_frame(settings: Settings, project: str, cancel: CancelToken) -> pl.DataFrame:
    """One row a route (schema `ROUTES`): where it goes, whether it is accepted there, as far as that can be asked."""
    from backends.submit.pulse_address import broker

    hawk = hawk_accepted(hawk_server(settings), project, cancel)
    try:
        pulse = broker(settings.pulse_url).shown
        exchange = settings.pulse_exchange or "exchange/USER/v1/jobs"
        words = f"{exchange}: a job that nobody reads is returned. Treeherder itself stopped reading on 2019-10-10"
        state = "unknown"
    except AppError as problem:
        pulse, words, state = settings.pulse_url, problem.sentence, "failed"
    rows = [
        (
            "taskcluster",
            "tc-treeherder.v2.PROJECT.REVISION.PUSH",
            "accepted",
            "what Mozilla's Treeherder reads today: a route and extra.treeherder in the task's definition",
        ),
        ("pulse", pulse, state, words),
        ("hawk", hawk_server(settings), hawk.state, hawk.words),
    ]
    return ROUTES.frame(rows)
