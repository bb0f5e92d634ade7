"""`ciexplore submit VERB`: lint, preview, convert and publish job data, and the outbox."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from backends.errors import AppError, UsageError
from backends.submit.locators import FORMS, PREFIX, JobFile, TaskJobs
from tui.commands.common import open_session
from tui.commands.options import FiniteRange, refuse_options
from tui.commands.output import OUTPUT_NAMES, Progress, check_output, chosen_format, emit, output_options, say

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.session import Session
    from backends.submit.entries import JobEntry
    from backends.submit.outbox import Publisher

STATES = ("queued", "sending", "acknowledged", "returned", "failed", "cancelled")


@click.group()
def submit() -> None:
    """Lint, preview and publish job data for Treeherder.

    FILE is JSON, JSON lines, YAML or CSV; - is standard input; submit:tasks/ID,ID?root=URL are Taskcluster tasks.
    """


def _read(
    session: Session, cancel: CancelToken, files: tuple[str, ...], form: str | None, *, for_lint: bool = False
) -> list[JobEntry]:
    """The entries of all files and `submit:` locators, numbered consecutively."""
    from dataclasses import replace

    from backends.submit.entries import JobForm
    from backends.submit.read import read_files, read_locator

    entries: list[JobEntry] = []
    for file in files:
        if file.lower().startswith(PREFIX):
            locator = session.parse(file)
            if not isinstance(locator, JobFile | TaskJobs):
                raise UsageError(f"{file} is not a list of jobs.", "Name a file, or submit:tasks/ID,ID.")
            found = read_locator(locator, session.http, session.settings, cancel, for_lint=for_lint)
        else:
            found = read_files([file], JobForm(form) if form else None)
        entries += [replace(entry, number=len(entries) + number) for number, entry in enumerate(found)]
    return entries


_files = click.argument("files", nargs=-1, required=True, metavar="FILE...")
_form_option = click.option(
    "--form", type=click.Choice(FORMS), help="Form of every entry [default: guessed; messages are today's pulse]."
)


def _publisher_options(command: Any) -> Any:
    for option in (
        click.option("--url", metavar="URL", help="Broker (pulse) or server (hawk) [default: the settings]."),
        click.option(
            "--exchange", "pulse_exchange", metavar="NAME", help="Pulse: the exchange [default: exchange/USER/v1/jobs]."
        ),
        click.option(
            "--routing-key", "pulse_routing_key", metavar="TEMPLATE", help="Pulse: e.g. treeherder.{project}._"
        ),
    ):
        command = option(command)
    return command


@submit.command()
@_form_option
@click.option("--generation", is_flag=True, help="Show what Treeherder would generate instead (posting rules 1 to 5).")
@click.option("--errors-only", is_flag=True, help="Leave out warnings and infos.")
@output_options
@_files
def lint(files: tuple[str, ...], form: str | None, generation: bool, errors_only: bool, **output: Any) -> int:
    """Check job data: schema, what Treeherder's code wants beyond it, names and posting rules.

    One row per finding, with its JSON path and what to write instead. Exit code 1 if there is an error.
    """
    from backends.submit.lint import FINDINGS, findings_frame
    from backends.submit.lint import lint as lint_entries
    from backends.submit.posting_rules import POSTING_RULES, posting_rules_frame
    from backends.submit.validation import Level

    if generation:
        refuse_options(["errors_only"], "is for findings, and --generation shows none", "Leave one of them out.")
    check_output(POSTING_RULES if generation else FINDINGS, output)
    with open_session(None, None) as (session, cancel):
        entries = _read(session, cancel, files, form, for_lint=not generation)
        if generation:
            emit(posting_rules_frame(entries), POSTING_RULES, **output)
            return 0
        progress = Progress()
        try:
            reports = lint_entries(
                entries, cancel, lambda done: progress.show(f"{done:,} of {len(entries):,} jobs linted")
            )
        finally:
            progress.clear()
    frame = findings_frame(reports)
    if errors_only:
        frame = frame.filter(frame["level"] == "error")
    if frame.is_empty() and output["target"] is None and chosen_format(output["fmt"], None) == "table":
        say("No problems found.")
    else:
        emit(frame, FINDINGS, **output)
    failed = sum(report.verdict == "failed" for report in reports)
    errors, warnings = (
        _count(sum(report.count(level) for report in reports), level) for level in (Level.ERROR, Level.WARNING)
    )
    say(f"{_count(len(reports), 'entry')}, {failed:,} with errors ({errors}, {warnings}).")
    return 1 if failed else 0


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun if count == 1 else 'entries' if noun == 'entry' else f'{noun}s'}"


@submit.command()
@_form_option
@click.option("--against", metavar="URL", help="Compare with the jobs that this Treeherder has.")
@output_options
@_files
def preview(files: tuple[str, ...], form: str | None, against: str | None, **output: Any) -> int:
    """Show how Treeherder would show the jobs: platform row, group and symbol, colour, tier, duration, logs."""
    from backends.submit.preview import PREVIEW, compare_with_server, preview_frame

    check_output(PREVIEW, output)
    with open_session(None, None) as (session, cancel):
        entries = _read(session, cancel, files, form)
        changes = compare_with_server(entries, session.http, against, cancel) if against else None
    frame = preview_frame(entries, changes)
    emit(frame, PREVIEW, **output)
    if len(frame) < len(entries):
        say(f"note: {len(entries) - len(frame):,} of {len(entries):,} entries are not jobs; see `lint`.")
    return 0


@submit.command()
@_form_option
@click.option("--to", "target_form", type=click.Choice(FORMS[:3]), required=True, help="The form to write.")
@click.option("-o", "target", metavar="FILE", help="Write to FILE; - is stdout.")
@click.option("--lines", is_flag=True, help="One job per line instead of a JSON list.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@_files
def convert(
    files: tuple[str, ...], form: str | None, target_form: str, target: str | None, lines: bool, overwrite: bool
) -> int:
    """Write jobs in another form; what has no counterpart there or had to be made up is reported on stderr."""
    import json
    from pathlib import Path

    from backends.frames.export import write_text
    from backends.submit.convert import convert as convert_entry
    from backends.submit.entries import JobForm

    with open_session(None, None) as (session, cancel):
        entries = _read(session, cancel, files, form)
    bodies = []
    for entry in entries:
        converted = convert_entry(entry, JobForm(target_form))
        bodies.append(converted.body)
        for path, reason in converted.lost:
            say(f"lost: {entry.location}: {path}: {reason}")
        for path, value in converted.made_up:
            say(f"made up: {entry.location}: {path} = {value}")
    if lines:
        text = "".join(json.dumps(body, ensure_ascii=False) + "\n" for body in bodies)
    else:
        text = json.dumps(bodies, indent=2, ensure_ascii=False) + "\n"
    text = text.encode("utf-8", "backslashreplace").decode()  # half of a surrogate pair is written as \\udXXX
    if target is None or target == "-":
        click.echo(text, nl=False)
    else:
        write_text(text, Path(target), overwrite=overwrite)
    return 0


@submit.command()
@click.option("--via", type=click.Choice(("pulse", "hawk")), required=True, help="How to send them.")
@click.option("--form", type=click.Choice(FORMS), help="Form of every entry [default: guessed].")
@click.option("--skip-invalid", is_flag=True, help="Publish the valid ones even if others have errors.")
@click.option("--queue-only", is_flag=True, help="Put them into the outbox; send nothing yet.")
@click.option("--dry-run", is_flag=True, help="Show what would be queued; queue and send nothing.")
@click.option(
    "--patience",
    type=FiniteRange(0, 86_400),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to retry while nothing gets through.",
)
@_publisher_options
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
    **settings: str | None,
) -> int:
    """Queue jobs and publish them; without FILE, what is still queued for that destination.

    Nothing is queued if a job has an error. Exit code 1 if a job was returned or refused; what could not be sent stays
    in the outbox, and the same command sends it.
    """
    from backends.submit.outbox import open_outbox
    from backends.submit.outbox import publish as publish_outbox
    from backends.submit.publishers import configured_publisher

    if via == "hawk":
        refuse_options(["pulse_exchange", "pulse_routing_key"], "is for --via pulse")
    settings["pulse_url" if via == "pulse" else "submit_url"] = url
    with open_session(None, None, **settings) as (session, cancel):
        publisher = configured_publisher(via, session.settings, session.http, _ask if sys.stdin.isatty() else None)
        entries = _read(session, cancel, files, form)
        left_out = _queue(session, publisher, entries, skip_invalid, dry_run) if entries else 0
        if queue_only or dry_run:
            return 1 if left_out else 0
        progress = Progress()
        with open_outbox(session.settings) as outbox:
            try:
                result = publish_outbox(outbox, publisher, cancel, progress.show, patience)
            except AppError:
                progress.clear()
                if waiting := outbox.waiting(publisher.destination):
                    say(f"{_count(waiting, 'job')} stay in the outbox; the same command sends them.")
                raise
            finally:
                progress.clear()
        say(f"{publisher.destination}: {result.sentence}")
        if result.returned or result.failed:
            say("See `ciexplore submit status --state returned,failed`.")
        return 1 if result.returned or result.failed or left_out else 0


def _queue(session: Session, publisher: Publisher, entries: list[JobEntry], skip_invalid: bool, dry_run: bool) -> int:
    """Queues the valid ones; returns how many are left out."""
    from backends.submit.outbox import open_outbox
    from backends.submit.publishers import describe_invalid, prepare_messages

    prepared = prepare_messages(entries, publisher, session.settings)
    if prepared.left_out and (not skip_invalid or not prepared.messages):
        raise describe_invalid(prepared)
    left_out = f", {len(prepared.left_out):,} left out" if prepared.left_out else ""
    if dry_run:
        say(f"{len(prepared.messages):,} would be sent to {publisher.destination}{left_out}.")
        return len(prepared.left_out)
    with open_outbox(session.settings) as outbox:
        queued, present = outbox.add(prepared.messages)
    say(f"{queued:,} queued{f', {present:,} there already' if present else ''}{left_out}.")
    return len(prepared.left_out)


def _ask(prompt: str, hidden: bool) -> str:
    return str(click.prompt(prompt, hide_input=hidden, err=True))


@submit.command()
@click.option("--state", "states", metavar="S,...", help=f"Only these: {', '.join(STATES)}.")
@click.option("--retry", is_flag=True, help="Queue the listed jobs again if returned, failed or cancelled.")
@click.option("--cancel", "cancel_jobs", is_flag=True, help="Cancel the listed jobs if not acknowledged.")
@click.option("--forget", is_flag=True, help="Remove the listed jobs if acknowledged or cancelled.")
@output_options
def status(states: str | None, retry: bool, cancel_jobs: bool, forget: bool, **output: Any) -> int:
    """List the outbox: each job, its destination, its state, and the response."""
    from backends.submit.lists import OUTBOX, outbox_frame
    from backends.submit.outbox import open_outbox

    selected = [state.strip() for state in states.split(",")] if states else list(STATES)
    if unknown := [state for state in selected if state not in STATES]:
        raise UsageError(f"Unknown state '{unknown[0]}'.", f"States: {', '.join(STATES)}.")
    if retry + cancel_jobs + forget > 1:
        raise UsageError("--retry, --cancel and --forget exclude each other.", "Use one of them.")
    if retry or cancel_jobs or forget:
        refuse_options(OUTPUT_NAMES, "is for the list, which --retry, --cancel and --forget do not print")
    check_output(OUTBOX, output)
    with open_session(None, None) as (session, _), open_outbox(session.settings) as outbox:
        frame = outbox_frame(outbox)
        frame = frame.filter(frame["state"].is_in(selected))
        numbers = [int(number) for number in frame["number"].to_list()]
        if retry:
            say(f"{outbox.retry(numbers):,} queued again.")
        elif cancel_jobs:
            say(f"{outbox.cancel(numbers):,} cancelled.")
        elif forget:
            say(f"{outbox.forget(numbers):,} removed.")
        else:
            emit(frame, OUTBOX, **output)
            counts = outbox.counts()
            say(", ".join(f"{counts[s]:,} {s}" for s in STATES if counts.get(s)) or "The outbox is empty.")
    return 0


@submit.command()
@click.option("--project", default="autoland", show_default=True, help="The repository to ask about.")
@_publisher_options
@output_options
def routes(
    project: str, url: str | None, pulse_exchange: str | None, pulse_routing_key: str | None, **output: Any
) -> int:
    """Show the routes to a Treeherder and which of them the configured server still accepts."""
    from backends.submit.publishers import ROUTES, TODAY, routes_frame

    check_output(ROUTES, output)
    settings = {"submit_url": url, "pulse_exchange": pulse_exchange, "pulse_routing_key": pulse_routing_key}
    with open_session(None, None, **settings) as (session, cancel):
        emit(routes_frame(session.settings, project, cancel), ROUTES, **output)
    say(TODAY)
    return 0


@submit.command()
@click.option("--project", "projects", multiple=True, metavar="NAME", help="A repository; repeatable [default: all].")
@click.option("--user", metavar="NAME", help="The Pulse user that owns the exchange [default: the credentials' user].")
@_publisher_options
def registration(projects: tuple[str, ...], user: str | None, url: str | None, **overrides: str | None) -> int:
    """Print the JSON that a Treeherder's operator needs to listen to your exchange."""
    import json
    import os

    from backends import config
    from backends.submit.publishers import exchange_config

    refuse_options(["url"], "has no effect: what is printed has no server in it")
    if overrides.get("pulse_exchange"):
        refuse_options(["user"], "and --exchange exclude each other: the exchange says whose it is")
    settings = config.load(overrides=overrides)
    user = user or os.environ.get("CIEXPLORE_PULSE_USER", "")
    if not settings.pulse_exchange and not user:
        raise UsageError("The owner of the exchange is unknown.", "Name it with --exchange, or its owner with --user.")
    name = settings.pulse_exchange or f"exchange/{user}/v1/jobs"
    click.echo(json.dumps(exchange_config(name, settings.pulse_routing_key, projects), indent=2))
    return 0
