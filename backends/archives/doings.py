"""What can be done with an archive from a list's menu: fetch it, save a copy, copy its address, delete it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from backends.archives.engine import Engine, store_of
from backends.archives.mirror import mirror_of
from backends.archives.placing import place
from backends.archives.reports import Report, Tell
from backends.archives.sources import source_for
from backends.archives.store import Account, Kept
from backends.archives.wanted import Request, Wanted
from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.frames.formats import format_bytes, safe_text
from backends.locators.archives import SUFFIXES, Revision
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
        what = safe_text(request.subdirectory or "the whole repository", 60)
        found: list[Entry] = []
        for suffix in suffixes:
            wanted = replace(request, suffix=suffix)
            found.append(Action(f"Fetch {what} as {suffix}", partial(self._fetched, [wanted]), _question([wanted])))
        return found

    def all_of(self, requests: list[Request]) -> Action | None:
        """One action for all of these archives: those that are not kept are fetched, copies of all are saved."""
        if not requests:
            return None
        archives = [self._archive(one) for one in requests]
        store = store_of(self._settings)
        missing = [one for one, archive in zip(requests, archives, strict=True) if store.find(archive) is None]
        what = safe_text(archives[0].words, 100) if len(requests) == 1 else f"{len(requests):,} archives"
        return Action(f"{'Fetch' if missing else 'Save'} {what}", partial(self._fetched, requests), _question(missing))

    def _archive(self, request: Request) -> Wanted:
        """Of a request by its full node."""
        root = source_for(request.root, self._http, self._settings).root
        return Wanted(root, request.repository, request.revision, request.subdirectory, request.suffix)

    def _fetched(self, requests: list[Request], cancel: CancelToken, progress: Progress) -> str:
        """One after the other. What went wrong with some of several is told at the end, when the others are there."""
        engine = Engine(self._http, self._settings, mirror=mirror_of(self._settings))
        words, failed = list[str](), list[AppError]()
        for number, request in enumerate(requests, 1):
            place = f"{number:,} of {len(requests):,}: " if len(requests) > 1 else ""
            try:
                words.append(self._one(engine, request, cancel, partial(_told, progress, place)))
            except OperationCancelledError:
                raise
            except AppError as problem:
                failed.append(problem)
        if len(requests) == 1 and failed:
            raise failed[0]
        if failed:
            raise AppError(
                f"{len(failed):,} of {len(requests):,} were not fetched: {failed[0].sentence}", failed[0].hint
            )
        return words[0] if len(words) == 1 else f"Verified, {len(words):,} archives in {self._settings.output_path}"

    def _one(self, engine: Engine, request: Request, cancel: CancelToken, tell: Tell) -> str:
        if self._settings.archiver_url:
            from backends.archives.protocol import ArchiverClient

            got = ArchiverClient(self._settings.archiver_url, engine).get(request, cancel, tell)
        else:
            got = engine.get(request, cancel, tell)
        return " ".join([self._saved(engine, got.kept, cancel), *got.notes])

    def _saved(self, engine: Engine, kept: Kept, cancel: CancelToken) -> str:
        path, _ = place(engine.store, kept, self._settings.output_path, cancel)
        return f"Verified, {format_bytes(kept.account.size)}: {path}"

    def of_kept(self, account: Account) -> list[Entry]:
        """For an archive that is kept here."""
        engine = Engine(self._http, self._settings)

        def save(cancel: CancelToken, progress: Progress) -> str:
            kept = engine.store.find(account.wanted)
            if kept is None:
                raise AppError("The archive is no longer kept.", "Fetch it again.")
            progress("Copying the archive.")
            return self._saved(engine, kept, cancel)

        def delete(cancel: CancelToken, progress: Progress) -> str:
            engine.store.forget(account.wanted)
            return f"Deleted the archive of {safe_text(account.wanted.words, 100)}."

        return [
            Action("Save a copy where downloads go", save),
            Action("Delete it here", delete, f"Delete the archive of {safe_text(account.wanted.words, 100)}?"),
        ]

    def addresses(self, wanted: Wanted) -> list[Entry]:
        """The archive's own address, and the page of the revision or of the directory of it."""
        source = source_for(wanted.root, self._http, self._settings)
        found: list[Entry] = []
        try:
            url = source.archive_url(wanted)
        except AppError:
            url = ""
        if url and source.refusal(wanted, None) is None:
            found.append(Link(f"The server's own {wanted.suffix} in the browser", url))
        shown = "The directory at that revision" if wanted.subdirectory else "The revision"
        page = Revision(wanted.repository, wanted.node, wanted.subdirectory, root=wanted.root).page()
        found.append(Link(f"{shown} in the browser", page))
        return found


def _told(progress: Progress, place: str, report: Report) -> None:
    progress(place + report.sentence)


def _question(requests: list[Request]) -> str:
    """What is asked before whole repositories are fetched; "" where parts are, whose size is known to be small."""
    whole = [one for one in requests if not one.subdirectory]
    if not whole:
        return ""
    what = f"the whole of {safe_text(whole[0].repository, 60)}"
    if len(whole) > 1:
        what = f"{len(whole):,} archives of whole repositories"
    return f"Fetch {what}? The size is not known before; big repositories have hundreds of MB each."
