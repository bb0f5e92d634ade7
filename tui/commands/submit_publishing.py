"""`ciexplore submit publish | status | routes | registration`: jobs on their way, and the ways there are."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from backends.errors import AppError, UsageError
from tui.commands.listing import session_of
from tui.commands.output import Progress, check_output, emit, output_options, say
from tui.commands.submit_files import FORMS, entries_with

if TYPE_CHECKING:
    from backends.session import Session
    from backends.submit.forms import Entry
    from backends.submit.publishing import Route

STATES = ("queued", "sending", "acknowledged", "returned", "failed", "cancelled")


def _settings(command: Any) -> Any:
    for option in (
        click.option("--url", metavar="URL", help="Broker (pulse) or server (hawk) [default: the settings]."),
        click.option("--exchange", metavar="NAME", help="Pulse: the exchange [default: exchange/USER/v1/jobs]."),
        click.option("--routing-key", metavar="TEMPLATE", help="Pulse: such as treeherder.{project}._"),
    ):
        command = option(command)
    return command


@click.command()
@click.option("--via", type=click.Choice(("pulse", "hawk")), required=True, help="How they go.")
@click.option("--form", type=click.Choice(FORMS), help="What every entry is taken for.")
@click.option("--skip-invalid", is_flag=True, help="Publish the valid ones even if others have errors.")
@click.option("--queue-only", is_flag=True, help="Put them into the outbox; send nothing yet.")
@click.option("--dry-run", is_flag=True, help="Say what would be queued; queue and send nothing.")
@click.option(
    "--patience",
    type=click.FloatRange(0, 86_400),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to try again while nothing gets through.",
)
@_settings
@click.argument("files", nargs=-1, metavar="[FILE...]")
def publish(
    files: tuple[str, ...],
    via: str,
    form: str | None,
    skip_invalid: bool,
    queue_only: bool,
    dry_run: bool,
    patience: float,
    url: str | None,
    exchange: str | None,
    routing_key: str | None,
) -> int:
    """Queue jobs and publish them; without FILE, what is still queued for that destination.

    Nothing is queued if a job has an error. Exit code 1 if a job was returned or refused; what could not be sent stays
    in the outbox, and the same command sends it.
    """
    from backends.submit.publishing import publish as send
    from backends.submit.routes import open_outbox, route_named

    overrides = {
        "pulse_url" if via == "pulse" else "submit_url": url,
        "pulse_exchange": exchange,
        "pulse_routing_key": routing_key,
    }
    with session_of(None, None, **overrides) as (session, cancel):
        route = route_named(via, session.settings, session.http, _ask if sys.stdin.isatty() else None)
        entries = entries_with(session, cancel, files, form)
        left_out = _queue(session, route, entries, skip_invalid, dry_run)
        if queue_only or dry_run:
            return 1 if left_out else 0
        progress = Progress()
        with open_outbox(session.settings) as outbox:
            try:
                tally = send(outbox, route, cancel, lambda words: progress.show(words), patience)
            except AppError as problem:
                progress.clear()
                waiting = sum(count for name, place, count in outbox.waiting() if place == route.destination)
                if waiting:
                    say(f"{waiting:,} job{'s' if waiting > 1 else ''} stay in the outbox; the same command sends them.")
                raise problem
            finally:
                progress.clear()
        say(f"{route.destination}: {tally.sentence}")
        if tally.returned or tally.failed:
            say("`ciexplore submit status --state returned,failed` says why.")
        return 1 if tally.returned or tally.failed or left_out else 0


def _queue(session: Session, route: Route, entries: list[Entry], skip_invalid: bool, dry: bool) -> int:
    from backends.submit.letters import letters, refusal
    from backends.submit.routes import open_outbox

    if not entries:
        return 0
    fit = letters(entries, route, session.settings)
    if fit.left_out and (not skip_invalid or not fit.letters):
        raise refusal(fit)
    left = f", {len(fit.left_out):,} left out" if fit.left_out else ""
    if dry:
        say(f"{len(fit.letters):,} would go to {route.destination}{left}.")
        return len(fit.left_out)
    with open_outbox(session.settings) as outbox:
        queued, present = outbox.add(fit.letters)
    there = f", {present:,} there already" if present else ""
    say(f"{queued:,} queued{there}{left}.")
    return len(fit.left_out)


def _ask(what: str, hidden: bool) -> str:
    return str(click.prompt(what, hide_input=hidden, err=True))


@click.command()
@click.option("--state", "states", metavar="S,...", help=f"Only these: {', '.join(STATES)}.")
@click.option(
    "--retry", is_flag=True, help="Queue again what these rows list, if it was returned, failed or cancelled."
)
@click.option("--cancel", "take_back", is_flag=True, help="Take back what these rows list, if it is not acknowledged.")
@click.option("--forget", is_flag=True, help="Remove what these rows list, if it is acknowledged or cancelled.")
@output_options
def status(states: str | None, retry: bool, take_back: bool, forget: bool, **output: Any) -> int:
    """List the outbox: each job, where it goes, its state, and the other side's words."""
    from backends.submit.outbox_list import OUTBOX, outbox_frame
    from backends.submit.routes import open_outbox

    wanted = [state.strip() for state in states.split(",")] if states else list(STATES)
    if unknown := [state for state in wanted if state not in STATES]:
        raise UsageError(f"'{unknown[0]}' is no state of a job in the outbox.", f"States: {', '.join(STATES)}.")
    if retry + take_back + forget > 1:
        raise UsageError("--retry, --cancel and --forget are three different things.", "Use one of them.")
    check_output(OUTBOX, output)
    with session_of(None, None) as (session, _), open_outbox(session.settings) as outbox:
        frame = outbox_frame(outbox)
        frame = frame.filter(frame["state"].is_in(wanted))
        numbers = [int(number) for number in frame["number"].to_list()]
        if retry:
            say(f"{outbox.retry(numbers):,} queued again.")
        elif take_back:
            say(f"{outbox.cancel(numbers):,} taken back.")
        elif forget:
            say(f"{outbox.forget(numbers):,} removed.")
        if retry or take_back or forget:
            return 0
        emit(frame, OUTBOX, **output)
        counts = outbox.counts()
        say(", ".join(f"{counts[state]:,} {state}" for state in STATES if counts.get(state)) or "The outbox is empty.")
    return 0


@click.command()
@click.option("--project", default="autoland", show_default=True, help="The repository to ask about.")
@_settings
@output_options
def routes(project: str, url: str | None, exchange: str | None, routing_key: str | None, **output: Any) -> int:
    """Say which routes there are and which of them the configured server still accepts."""
    from backends.submit.routes import ROUTES, TODAY, routes_frame

    with session_of(None, None, submit_url=url, pulse_exchange=exchange, pulse_routing_key=routing_key) as (
        session,
        cancel,
    ):
        check_output(ROUTES, output)
        emit(routes_frame(session.settings, project, cancel), ROUTES, **output)
    say(TODAY)
    return 0


@click.command()
@click.option("--project", "projects", multiple=True, metavar="NAME", help="A repository; repeatable [default: all].")
@click.option("--user", metavar="NAME", help="The Pulse user that owns the exchange [default: the credentials' user].")
@_settings
def registration(
    projects: tuple[str, ...], user: str | None, url: str | None, exchange: str | None, routing_key: str | None
) -> int:
    """Print the JSON that a Treeherder's operator needs to listen to your exchange."""
    import json
    import os

    from backends import config
    from backends.submit.letters import registration as block

    settings = config.load(overrides={"pulse_exchange": exchange, "pulse_routing_key": routing_key})
    name = settings.pulse_exchange
    if not name:
        who = user or os.environ.get("CIEXPLORE_PULSE_USER", "")
        if not who:
            raise UsageError("Whose exchange is it?", "Name it with --exchange, or its owner with --user.")
        name = f"exchange/{who}/v1/jobs"
    click.echo(json.dumps(block(name, settings.pulse_routing_key, projects), indent=2))
    return 0
