"""What a list of jobs offers to do with them: queue and publish them over either route, empty the outbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backends.cancel import CancelToken
from backends.config import Settings
from backends.errors import AppError
from backends.http import Http
from backends.resources import Action, Progress
from backends.submit.forms import Entry
from backends.submit.letters import ROUTES, letters, refusal
from backends.submit.publishing import publish
from backends.submit.routes import hawk_server, open_outbox, route_named

Entries = Callable[[CancelToken], Sequence[Entry]]


def publishings(entries: Entries, count: int, settings: Settings, http: Http) -> list[Action]:
    """Queue and publish `count` jobs; those with errors keep all from being queued."""
    jobs = "1 job" if count == 1 else f"{count:,} jobs"

    def action(name: str, label: str, where: str) -> Action:
        def run(cancel: CancelToken, progress: Progress) -> str:
            route = route_named(name, settings, http)
            fit = letters(entries(cancel), route, settings)
            if fit.left_out or not fit.letters:
                raise refusal(fit) if fit.left_out else AppError("There is no job to publish.")
            with open_outbox(settings) as outbox:
                outbox.add(fit.letters)
                return publish(outbox, route, cancel, progress).sentence

        return Action(f"Publish {jobs} via {label}", run, f"Publish {jobs} to {where}?")

    return [
        action("pulse", "Pulse", _pulse_place(settings)),
        action("hawk", "a signed POST (Hawk)", hawk_server(settings)),
    ]


def sendings(settings: Settings, http: Http) -> list[Action]:
    """Send what is queued, one action a route."""

    def action(name: str) -> Action:
        def run(cancel: CancelToken, progress: Progress) -> str:
            with open_outbox(settings) as outbox:
                return publish(outbox, route_named(name, settings, http), cancel, progress).sentence

        where = _pulse_place(settings) if name == "pulse" else hawk_server(settings)
        return Action(f"Send what is queued via {name}", run, f"Send what is queued for {where}?")

    return [action(name) for name in ROUTES]


def _pulse_place(settings: Settings) -> str:
    return f"{settings.pulse_url.partition('?')[0]} {settings.pulse_exchange or '(your own exchange)'}"
