"""What FILE means on the command line: a file, standard input, or a submit: locator such as Taskcluster tasks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from backends.errors import UsageError

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.session import Session
    from backends.submit.forms import Entry, Form

FORMS = ("pulse", "pulse-2018", "collection", "task", "performance")


def entries_of_files(files: tuple[str, ...], form: str | None, *, for_lint: bool = False) -> list[Entry]:
    """The entries of all of them, numbered through. A server is asked only for what is a locator."""
    from tui.commands.listing import session_of

    if not any(file.lower().startswith("submit:") for file in files):
        from backends.submit.reading import read_files

        return read_files(files, _form(form))
    with session_of(None, None) as (session, cancel):
        return entries_with(session, cancel, files, form, for_lint=for_lint)


def entries_with(
    session: Session, cancel: CancelToken, files: tuple[str, ...], form: str | None, *, for_lint: bool = False
) -> list[Entry]:
    """The same with a session that is there already."""
    from backends.locators.submit import JobFile, TaskJobs
    from backends.submit.reading import read_files
    from backends.submit.source import entries_of
    from backends.systems import parse_locator

    entries: list[Entry] = []
    for file in files:
        if file.lower().startswith("submit:"):
            locator = parse_locator(file)
            if not isinstance(locator, JobFile | TaskJobs):
                raise UsageError(f"{file} is no list of jobs.", "Name a file, or submit:tasks/ID,ID.")
            found = entries_of(locator, session.http, session.settings, cancel, for_lint=for_lint)
        else:
            found = read_files([file], _form(form))
        entries += [replace(entry, number=len(entries) + number) for number, entry in enumerate(found)]
    return entries


def _form(form: str | None) -> Form | None:
    from backends.submit.forms import Form

    return Form(form) if form else None
