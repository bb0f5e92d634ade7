"""Menu actions for archives: fetch one, save a copy, open its URLs, delete it from the cache."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from backends.archives.buckets import configured_mirror
from backends.archives.client import ArchiverClient
from backends.archives.engine import ArchiveEngine, archive_store
from backends.archives.fetch import ProgressCallback, ProgressReport, save_copy
from backends.archives.hosts import SourceHost, host_for
from backends.archives.locators import SUFFIXES
from backends.archives.spec import ArchiveRequest, ArchiveSpec
from backends.archives.store import ArchiveRecord, StoredArchive
from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.frames.formats import format_bytes, safe_text
from backends.resources import ROWS, Action, Entry, Link, Progress, digit_key

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http


class ArchiveActions:
    """The menu entries of archives; also the context of the lists: client, settings, store and servers."""

    def __init__(self, http: Http, settings: Settings) -> None:
        self.http, self.settings = http, settings
        self.store = archive_store(settings)

    def host(self, root: str) -> SourceHost:
        return host_for(root, self.http, self.settings)

    def fetch_entries(self, request: ArchiveRequest, *, suffixes: tuple[str, ...] = SUFFIXES) -> list[Entry]:
        """One action for each suffix: fetch, verify, cache and copy to the downloads folder. Asks first for complete
        repositories."""
        what = safe_text(request.subdirectory or "the complete repository", 60)
        entries: list[Entry] = []
        for suffix in suffixes:
            requests = [replace(request, suffix=suffix)]
            run = partial(self._fetch, requests)
            letter = digit_key(SUFFIXES.index(suffix))
            entries.append(Action(f"Fetch {what} as {suffix}", run, _size_question(requests), letter=letter))
        return entries

    def fetch_all(self, requests: list[ArchiveRequest]) -> Action | None:
        """One action for all of these archives, named by full nodes: fetches those that are not cached, copies all to
        the downloads folder."""
        if not requests:
            return None
        specs = [self._spec(request) for request in requests]
        missing = [request for request, spec in zip(requests, specs, strict=True) if self.store.find(spec) is None]
        what = safe_text(specs[0].description, 100) if len(requests) == 1 else f"{len(requests):,} archives"
        run = partial(self._fetch, requests)
        return Action(f"{'Fetch' if missing else 'Save'} {what}", run, _size_question(missing), letter="", group=ROWS)

    def _spec(self, request: ArchiveRequest) -> ArchiveSpec:
        root = self.host(request.root).root
        return ArchiveSpec(root, request.repository, request.revision, request.subdirectory, request.suffix)

    def _fetch(self, requests: list[ArchiveRequest], cancel: CancelToken, progress: Progress) -> str:
        """One after the other. Failures of some of several are reported at the end, when the others are there."""
        engine = ArchiveEngine(self.http, self.settings, mirror=configured_mirror(self.settings))
        sentences, errors = list[str](), list[AppError]()
        for number, request in enumerate(requests, 1):
            position = f"{number:,} of {len(requests):,}: " if len(requests) > 1 else ""
            try:
                sentences.append(self._fetch_one(engine, request, cancel, partial(_report, progress, position)))
            except OperationCancelledError:
                raise
            except AppError as error:
                errors.append(error)
        if len(requests) == 1 and errors:
            raise errors[0]
        if errors:
            raise AppError(
                f"{len(errors):,} of {len(requests):,} were not fetched: {errors[0].sentence}", errors[0].hint
            )
        if len(sentences) == 1:
            return sentences[0]
        return f"Verified, {len(sentences):,} archives in {self.settings.output_path}"

    def _fetch_one(
        self, engine: ArchiveEngine, request: ArchiveRequest, cancel: CancelToken, on_progress: ProgressCallback
    ) -> str:
        server = self.settings.archiver_url
        result = (ArchiverClient(server, engine) if server else engine).get(request, cancel, on_progress)
        return " ".join([self._save(result.archive, cancel), *result.notes])

    def _save(self, archive: StoredArchive, cancel: CancelToken) -> str:
        path, _ = save_copy(self.store, archive, self.settings.output_path, cancel)
        return f"Verified, {format_bytes(archive.record.size)}: {path}"

    def cached_entries(self, record: ArchiveRecord) -> list[Entry]:
        """For an archive that is cached."""
        description = safe_text(record.spec.description, 100)

        def save(cancel: CancelToken, progress: Progress) -> str:
            archive = self.store.find(record.spec)
            if archive is None:
                raise AppError("The archive is no longer cached.", "Fetch it again.")
            progress("Copying the archive.")
            return self._save(archive, cancel)

        def delete(cancel: CancelToken, progress: Progress) -> str:
            self.store.delete(record.spec)
            return f"Deleted the archive of {description}."

        return [
            Action("Save to downloads folder", save, letter="s"),
            Action("Delete cached copy", delete, f"Delete the archive of {description}?", letter="D"),
        ]

    def browser_links(self, spec: ArchiveSpec) -> list[Entry]:
        """The archive's own URL, and the page of the revision or of the directory."""
        host = self.host(spec.root)
        links: list[Entry] = []
        try:
            url = host.archive_url(spec)
        except AppError:
            url = ""
        if url and host.refusal(spec, None) is None:
            links.append(Link(f"The server's own {spec.suffix} in the browser", url, letter="w"))
        page = "The directory at that revision" if spec.subdirectory else "The revision"
        return [*links, Link(f"{page} in the browser", spec.locator.web_url(), letter="o")]


def _report(progress: Progress, position: str, report: ProgressReport) -> None:
    progress(position + report.sentence)


def _size_question(requests: list[ArchiveRequest]) -> str:
    """The question before complete repositories are fetched; "" for directories, which are small."""
    complete = [request for request in requests if not request.subdirectory]
    if not complete:
        return ""
    what = f"all of {safe_text(complete[0].repository, 60)}"
    if len(complete) > 1:
        what = f"{len(complete):,} archives of complete repositories"
    return f"Fetch {what}? Size unknown; large repositories have hundreds of MB each."
