"""`ciexplore submit VERB`: what the pane of job data does, without the app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui.commands.output import Progress, check_output, chosen_format, emit, output_options, say
from tui.commands.submit_files import FORMS, entries_of_files
from tui.commands.submit_publishing import publish, registration, routes, status

if TYPE_CHECKING:
    from backends.submit.findings import Report
    from backends.submit.forms import Entry


@click.group()
def submit() -> None:
    """Lint, preview and publish job data for Treeherder.

    FILE is JSON, JSON lines, YAML or CSV; - is standard input; submit:tasks/ID,ID?root=URL are Taskcluster tasks.
    """


for _command in (publish, status, routes, registration):
    submit.add_command(_command)


def form_option(command: Any) -> Any:
    return click.option(
        "--form",
        type=click.Choice(FORMS),
        help="What every entry is taken for [default: looked at; messages are today's pulse].",
    )(command)


@submit.command()
@form_option
@click.option("--generation", is_flag=True, help="Say instead what Treeherder would generate (posting rules 1 to 5).")
@click.option("--errors-only", is_flag=True, help="Leave out warnings and infos.")
@output_options
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def lint(files: tuple[str, ...], form: str | None, generation: bool, errors_only: bool, **output: Any) -> int:
    """Check job data: schema, what the reading code wants beyond it, names and posting rules.

    One row a finding, with its JSON path and what to write instead. Exit code 1 if there is an error.
    """
    from backends.submit.findings import FINDINGS, findings_frame
    from backends.submit.generation import GENERATION, generation_frame

    check_output(GENERATION if generation else FINDINGS, output)
    entries = entries_of_files(files, form, for_lint=not generation)
    if generation:
        emit(generation_frame(entries), GENERATION, **output)
        return 0
    reports = _linted(entries)
    frame = findings_frame(reports)
    shown = frame.filter(frame["level"] == "error") if errors_only else frame
    if shown.is_empty() and output["target"] is None and chosen_format(output["fmt"], None) == "table":
        say("Nothing to complain about.")
    else:
        emit(shown, FINDINGS, **output)
    say(_counted(reports))
    return 1 if any(report.verdict == "failed" for report in reports) else 0


@submit.command()
@form_option
@click.option("--against", metavar="URL", help="Compare with the jobs that this Treeherder has.")
@output_options
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def preview(files: tuple[str, ...], form: str | None, against: str | None, **output: Any) -> int:
    """Show how Treeherder would draw the jobs: platform row, group and symbol, colour, tier, duration, logs."""
    from backends.submit.preview import PREVIEW, preview_frame

    check_output(PREVIEW, output)
    entries = entries_of_files(files, form)
    changes = _changes(entries, against) if against else None
    frame = preview_frame(entries, changes)
    emit(frame, PREVIEW, **output)
    if len(frame) < len(entries):
        say(f"note: {len(entries) - len(frame):,} of {len(entries):,} entries are no jobs; lint says why.")
    return 0


@submit.command()
@form_option
@click.option("--to", "target_form", type=click.Choice(FORMS[:3]), required=True, help="The form to write.")
@click.option("-o", "target", metavar="FILE", help="Write to FILE; - is stdout.")
@click.option("--lines", is_flag=True, help="One job a line instead of a JSON list.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def convert(
    files: tuple[str, ...], form: str | None, target_form: str, target: str | None, lines: bool, overwrite: bool
) -> int:
    """Write jobs in another form; what has no counterpart there, and what had to be made up, is said on stderr."""
    import json
    from pathlib import Path

    from backends.frames.export import write_text
    from backends.submit.conversion import convert as converted
    from backends.submit.forms import Form

    bodies = []
    for entry in entries_of_files(files, form):
        found = converted(entry, Form(target_form))
        bodies.append(found.body)
        where = " ".join(part for part in (entry.file, entry.place) if part)
        for path, why in found.lost:
            say(f"lost: {where}: {path}: {why}")
        for path, value in found.made_up:
            say(f"made up: {where}: {path} = {value}")
    if lines:
        text = "".join(json.dumps(body, ensure_ascii=False) + "\n" for body in bodies)
    else:
        text = json.dumps(bodies, indent=2, ensure_ascii=False) + "\n"
    text = text.encode("utf-8", "backslashreplace").decode()  # half of a surrogate pair stays what it was, as \\udXXX
    if target is None or target == "-":
        click.echo(text, nl=False)
    else:
        write_text(text, Path(target), overwrite=overwrite)
    return 0


def _linted(entries: list[Entry]) -> list[Report]:
    from backends.submit.lint import lint as check

    progress = Progress()
    try:
        return check(entries, progress=lambda done: progress.show(f"{done:,} of {len(entries):,} jobs linted"))
    finally:
        progress.clear()


def _counted(reports: list[Report]) -> str:
    from backends.submit.findings import Level

    errors, warnings = (sum(one.count(level) for one in reports) for level in (Level.ERROR, Level.WARNING))
    failed = sum(one.verdict == "failed" for one in reports)
    entries = f"{len(reports):,} entr{'y' if len(reports) == 1 else 'ies'}"
    found = ", ".join(
        f"{count:,} {word}{'' if count == 1 else 's'}" for count, word in ((errors, "error"), (warnings, "warning"))
    )
    return f"{entries}, {failed:,} with errors ({found})."


def _changes(entries: list[Entry], against: str) -> dict[str, str]:
    from backends.submit.server_jobs import changes
    from tui.commands.listing import session_of

    with session_of(None, None) as (session, cancel):
        return changes(entries, session.http, against, cancel)
