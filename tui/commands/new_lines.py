"""--new of the commands that print a log: only the lines that no passing run of the same job has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from backends.cancel import CancelToken
from backends.errors import AppError, UsageError
from backends.http.errors import OfflineError
from tui.commands.log_output import choose_lines, write_log
from tui.commands.output import Progress, say

if TYPE_CHECKING:
    from backends.resources import LogAddress
    from backends.session import Session

RUNS = 3


def new_lines_options(command: Any) -> Any:
    """--new, --against and --runs, whose values are `new`, `against` and `runs`."""
    for option in (
        click.option("--runs", type=click.IntRange(1, 10), help=f"--new: compare with so many [default: {RUNS}]."),
        click.option(
            "--against", metavar="LOCATOR", multiple=True, help="--new: compare with this run's log; repeatable."
        ),
        click.option("--new", is_flag=True, help="Only lines that no run of the job that passed has."),
    ):
        command = option(command)
    return command


def check_new_lines_options(new: bool, against: Sequence[str], runs: int | None, others: dict[str, object]) -> None:
    """`others`: options that do not go with --new, by their names. Raises `UsageError`."""
    if not new and (against or runs is not None):
        raise UsageError("--against and --runs belong to --new.", "Add --new.")
    if against and runs is not None:
        raise UsageError("--against names the runs; --runs has them searched for.", "Leave one of them out.")
    wrong = next((name for name, value in others.items() if new and value), "")
    if wrong:
        raise UsageError(f"--new and {wrong} cannot be combined.", "Leave one of them out.")


def write_new_lines(
    session: Session, cancel: CancelToken, log: LogAddress, pieces: Iterable[bytes], find: Callable[[str], LogAddress],
    against: Sequence[str], runs: int | None, target: str | None, *, overwrite: bool,
) -> None:  # fmt: skip
    """`pieces`: the text of `log`, of which the lines that it names are compared; `find`: the log that a locator of
    --against means. Raises `AppError`s."""
    from backends.failures.new_line_search import format_new_lines, read_passing_runs
    from backends.failures.new_lines import NewLineFinder, split_pieces
    from backends.failures.passing_runs import IndexReader, PassingRun, PassingRuns, find_passing_runs

    reader = IndexReader(session.http, session.open_downloader)
    with Progress().following(lambda: reader.describe() if reader.wanted else "looking for runs that passed"):
        if against:
            logs = [find(locator) for locator in against]
            found = PassingRuns(runs=[PassingRun(one.title, one) for one in logs])
        else:
            found = find_passing_runs(log.locator, session.http, session.settings, cancel, runs or RUNS)
        passing = read_passing_runs(found, reader, cancel) if found.runs else None
    for note in found.notes:
        say(f"note: {note}")
    if passing is None:
        if found.searched:
            raise OfflineError(found.describe(), "Name a run that is, with --against LOCATOR.")
        raise AppError(found.describe(), "Name one with --against LOCATOR.")
    named = ", ".join(run.name for run in found.runs) if against else found.describe()
    say(f"compared with {named}")
    finder = NewLineFinder(passing)
    chosen = split_pieces(choose_lines(pieces, log.line, log.last))
    write_log(format_new_lines(finder, chosen, first=log.line or 1), target, overwrite=overwrite)
    share = 100 * finder.new / max(finder.lines, 1)
    distinct = f" ({finder.distinct:,} different ones)" if finder.distinct != finder.new else ""
    say(f"{finder.new:,} of {finder.lines:,} lines are new, {share:.1f} %{distinct}")
    if finder.capped:
        say("note: there are too many different lines; those after the first million were not looked at.")
