"""What can be done with an archive from a list's menu: fetch it, save a copy, copy its address, delete it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.archiver.engine import Engine
from backends.archiver.mirror import mirror_of
from backends.archiver.placing import place
from backends.archiver.reports import Report
from backends.archiver.sources import source_for
from backends.archiver.store import Account, Kept
from backends.archiver.wanted import Request, Wanted
from backends.cancel import Cancel
from backends.frames.formats import format_bytes, safe_text
from backends.locators.archive import SUFFIXES
from backends.problems import Problem
from backends.resources import Action, Entry, Link, Progress

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http


class Doings:
    """The menu's entries, over one client and one set of settings."""

    def __init__(self, http: Http, settings: Settings) -> None:
        self._http, self._settings = http, settings

    def fetching(self, request: Request, *, suffixes: tuple[str, ...] = SUFFIXES) -> list[Entry]:
        """One action a suffix: fetch, verify, keep, and save a copy where downloads go. Whole trees ask first."""
        return [self._fetch(request, suffix) for suffix in suffixes]

    def _fetch(self, request: Request, suffix: str) -> Action:
        what = safe_text(request.subdirectory or "the whole repository", 60)
        wanted = Request(request.repository, request.revision, request.subdirectory, suffix, request.root)
        confirm = ""
        if not request.subdirectory:
            confirm = (
                f"Fetch the whole of {safe_text(request.repository, 60)}? Its size is not known before; big "
                "repositories have hundreds of MB."
            )

        def run(cancel: Cancel, progress: Progress) -> str:
            def tell(report: Report) -> None:
                progress(report.sentence)

            engine = Engine(self._http, self._settings, mirror=mirror_of(self._settings))
            if self._settings.archiver_url:
                from backends.archiver.protocol import ArchiverClient

                got = ArchiverClient(self._settings.archiver_url, engine).get(wanted, cancel, tell)
            else:
                got = engine.get(wanted, cancel, tell)
            return " ".join([self._saved(engine, got.kept, cancel), *got.notes])

        return Action(f"Fetch {what} as {suffix}", run, confirm)

    def _saved(self, engine: Engine, kept: Kept, cancel: Cancel) -> str:
        path, _ = place(engine.store, kept, self._settings.output_path, cancel)
        return f"Verified, {format_bytes(kept.account.size)}: {path}"

    def of_kept(self, account: Account) -> list[Entry]:
        """For an archive that is kept here."""
        engine = Engine(self._http, self._settings)

        def save(cancel: Cancel, progress: Progress) -> str:
            kept = engine.store.find(account.wanted)
            if kept is None:
                raise Problem("The archive is no longer kept.", "Fetch it again.")
            progress("Copying the archive.")
            return self._saved(engine, kept, cancel)

        def delete(cancel: Cancel, progress: Progress) -> str:
            engine.store.forget(account.wanted)
            return f"Deleted the archive of {safe_text(account.wanted.words, 100)}."

        return [
            Action("Save a copy where downloads go", save),
            Action("Delete it here", delete, f"Delete the archive of {safe_text(account.wanted.words, 100)}?"),
        ]

    def addresses(self, wanted: Wanted) -> list[Entry]:
        """The archive's own address, and the revision's page."""
        source = source_for(wanted.root, self._http, self._settings)
        found: list[Entry] = []
        try:
            url = source.archive_url(wanted)
        except Problem:
            url = ""
        if url and source.refusal(wanted, None) is None:
            found.append(Link(f"The server's own {wanted.suffix} in the browser", url))
        found.append(Link("The revision in the browser", source.page(wanted.repository, wanted.node)))
        return found
