"""How an archive is had: kept already, or copied from a bucket, or fetched from its server, or repacked from its zip.

One request for one archive at a time on this machine, whoever asks; the others wait and find it kept. One download at
a time from one server, because making an archive is dear there (hg.mozilla.org once switched archives off for it).
"""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from backends.archives.buckets import BucketArchive, BucketMirror
from backends.archives.fetch import (
    ArchiveState,
    ProgressCallback,
    ProgressReport,
    ThrottledProgress,
    fetch_archive,
    is_tar,
    no_progress,
    repack,
    verify_archive,
)
from backends.archives.hosts import Changeset, SourceHost, UnsupportedSuffixError, host_for
from backends.archives.locators import HEX
from backends.archives.spec import ArchiveRequest, ArchiveSpec
from backends.archives.store import ArchiveStore, StoredArchive, now_ms
from backends.cancel import CancelToken
from backends.errors import AppError
from backends.extraction.limits import DamagedArchiveError, NotAnArchiveError
from backends.frames.formats import format_bytes
from backends.http.backoff import is_too_long, with_retry_after
from backends.http.errors import HttpError

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http

TRIES = 3
DAMAGED_TRIES = 2  # a damaged repository gives the same damaged archive again
_FULL = 40


@dataclass(frozen=True)
class FetchResult:
    """`fetched`: it was not kept before. `notes`: what the user should know, in sentences. `failed_copies`: the regions
    that it should have been copied to; the notes say why it was not."""

    archive: StoredArchive
    fetched: bool
    notes: tuple[str, ...] = ()
    failed_copies: tuple[str, ...] = ()


def archive_store(settings: Settings) -> ArchiveStore:
    """The archives that are kept on this machine: at most as many bytes as answers, `cache.bytes`."""
    return ArchiveStore(settings.cache_path / "archives", settings.cache_bytes)


class ArchiveEngine:
    """Makes archives for the pane, the command and the server. Safe from any thread.

    `pause(seconds, cancel)` is how it waits between tries.
    """

    def __init__(
        self,
        http: Http,
        settings: Settings,
        *,
        mirror: BucketMirror | None = None,
        pause: Callable[[float, CancelToken], None] = lambda seconds, cancel: cancel.sleep(seconds),
    ) -> None:
        self.http, self.settings, self.mirror = http, settings, mirror
        self.store = archive_store(settings)
        self._pause = pause

    def get(
        self,
        request: ArchiveRequest,
        cancel: CancelToken,
        on_progress: ProgressCallback = no_progress,
        region: str = "",
    ) -> FetchResult:
        """The archive that is asked for, verified. Raises `SourceNotFoundError` and the other `AppError`s of the way there."""
        spec, source, committed_ms = self.resolve(request, cancel, on_progress)
        return self.have(spec, source, committed_ms, cancel, on_progress, region)

    def resolve(
        self, request: ArchiveRequest, cancel: CancelToken, on_progress: ProgressCallback = no_progress
    ) -> tuple[ArchiveSpec, SourceHost, int | None]:
        """Which archive that is. At least 12 digits of one that is kept, if only as zip, need not be asked about; nor
        need those of one that is in a bucket, when the server does not answer."""
        source = host_for(request.root, self.http, self.settings)
        if kept := self._kept(source.root, request):
            return _spec_of(source, request, kept.record.node), source, kept.record.committed_ms
        on_progress(
            ProgressReport(ArchiveState.PENDING, f"Looking up {request.revision[:60]} of {request.repository}.")
        )
        try:
            found: Changeset = source.resolve(request.repository, request.revision, cancel)
        except HttpError:
            copied = self.find_copy(request, "")
            if copied is None or len(copied[1].node) != _FULL:
                raise
            return _spec_of(source, request, copied[1].node), source, copied[1].committed_ms
        return _spec_of(source, request, found.node), source, found.time_ms

    def _kept(self, root: str, request: ArchiveRequest) -> StoredArchive | None:
        if not HEX.fullmatch(request.revision):
            return None
        where = root, request.repository, request.revision, request.subdirectory
        return self.store.find_short(*where, request.suffix) or self.store.find_short(*where, "zip")

    def find_kept(self, request: ArchiveRequest) -> StoredArchive | None:
        """The archive of a revision that is named by at least 12 digits, if it is on this disk. Asks nobody."""
        kept = self._kept(host_for(request.root, self.http, self.settings).root, request)
        return kept if kept is not None and kept.record.suffix == request.suffix else None

    def short_spec(self, request: ArchiveRequest) -> ArchiveSpec:
        """The archive by the digits that the request has, which is enough for its key in a bucket."""
        return _spec_of(host_for(request.root, self.http, self.settings), request, request.revision)

    def find_copy(self, request: ArchiveRequest, region: str) -> tuple[str, BucketArchive] | None:
        """The bucket's region that has the archive of such a revision, the preferred one first. What is damaged there,
        as far as its headers and our own copy on_progress, is not had; whoever makes the archive then puts it there again."""
        if self.mirror is None or not HEX.fullmatch(request.revision):
            return None
        spec, kept = self.short_spec(request), self.find_kept(request)
        for place in self.mirror.ordered(region):
            with contextlib.suppress(AppError):
                found = self.mirror.find(place, spec)
                if found is not None and (kept is None or found.is_of(kept.record)):
                    return place, replace(found, node=found.node or request.revision)
        return None

    def have(
        self,
        spec: ArchiveSpec,
        source: SourceHost,
        committed_ms: int | None,
        cancel: CancelToken,
        on_progress: ProgressCallback,
        region: str = "",
    ) -> FetchResult:
        """The same once it is known which archive that is and where it comes from."""

        def waiting() -> None:
            on_progress(ProgressReport(ArchiveState.STARTED, "This archive is being fetched already; waiting for it."))

        kept, notes = self.store.find(spec), list[str]()
        failed = list[str]()
        new = kept is None
        kept = self._looked_after(kept) if kept is not None else None
        if kept is None or self._missing(kept):
            with self.store.lock(spec, cancel, waiting):
                kept = self.store.find(spec)
                new = new and kept is None
                kept = kept or self._copied(spec, region, cancel, on_progress, notes)
                kept = kept or self._made(spec, source, committed_ms, cancel, on_progress)
                kept = self._mirrored(kept, cancel, on_progress, notes, failed)
        self.store.use(kept)
        if kept.record.repacked_from:
            notes.insert(0, f"Repacked from {kept.record.repacked_from}: the server gave no {spec.suffix}.")
        on_progress(ProgressReport(ArchiveState.SUCCESS, " ".join(["Verified.", *notes]), kept.record.size))
        return FetchResult(kept, new, tuple(notes), tuple(failed))

    def _made(
        self,
        spec: ArchiveSpec,
        source: SourceHost,
        committed_ms: int | None,
        cancel: CancelToken,
        on_progress: ProgressCallback,
    ) -> StoredArchive:
        try:
            return self._tried(spec, source, committed_ms, cancel, on_progress)
        except UnsupportedSuffixError as refused:
            if not is_tar(spec.suffix):
                raise
            on_progress(ProgressReport(ArchiveState.STARTED, f"{refused.sentence} Taking the zip and repacking it."))
        except HttpError as error:  # the server is away, but the same tree may be here
            zipped = self.store.find(spec.with_suffix("zip")) if is_tar(spec.suffix) else None
            if zipped is None:
                raise
            on_progress(ProgressReport(ArchiveState.STARTED, f"{error.sentence} Repacking the zip that is kept."))
            return self._repacked(zipped, spec, cancel, on_progress)
        return self._repacked(
            self._zip(spec.with_suffix("zip"), source, committed_ms, cancel, on_progress), spec, cancel, on_progress
        )

    def _zip(
        self,
        spec: ArchiveSpec,
        source: SourceHost,
        committed_ms: int | None,
        cancel: CancelToken,
        on_progress: ProgressCallback,
    ) -> StoredArchive:
        """What the server gives instead. It is kept, but nobody asked for copies of it in buckets."""
        with self.store.lock(spec, cancel):
            return self.store.find(spec) or self._tried(spec, source, committed_ms, cancel, on_progress)

    def _tried(
        self,
        spec: ArchiveSpec,
        source: SourceHost,
        committed_ms: int | None,
        cancel: CancelToken,
        on_progress: ProgressCallback,
    ) -> StoredArchive:
        for number in range(1, TRIES + 1):
            try:
                return self._fetched(spec, source, committed_ms, cancel, on_progress)
            except (HttpError, DamagedArchiveError, NotAnArchiveError) as error:
                most = TRIES if isinstance(error, HttpError) else DAMAGED_TRIES
                asked = error.retry_after if isinstance(error, HttpError) else None
                is_final = isinstance(error, HttpError) and not error.retryable
                if number >= most or is_final or is_too_long(asked):
                    raise
                seconds = random.uniform(1, 2) * 2**number  # noqa: S311 - so that many do not come back at once
                seconds = with_retry_after(seconds, asked)
                on_progress(ProgressReport(ArchiveState.RETRY, f"{error.sentence} Trying again in {seconds:.0f} s."))
                self._pause(seconds, cancel)
        raise AssertionError("unreachable")

    def _fetched(
        self,
        spec: ArchiveSpec,
        source: SourceHost,
        committed_ms: int | None,
        cancel: CancelToken,
        on_progress: ProgressCallback,
    ) -> StoredArchive:
        if refused := source.refusal(spec, None):
            raise refused
        url = source.archive_url(spec)
        busy = ProgressReport(ArchiveState.PENDING, "Waiting for another download from this server.")
        with (
            self.store.lock_server(source.root, cancel, lambda: on_progress(busy)),
            self.http.downloader() as downloader,
        ):
            try:
                return fetch_archive(self.store, spec, url, url, downloader, cancel, on_progress, committed_ms)
            except HttpError as error:
                refusal = source.refusal(spec, error.status)
                if refusal is None:
                    raise
                raise refusal from error

    def _repacked(
        self, zipped: StoredArchive, spec: ArchiveSpec, cancel: CancelToken, on_progress: ProgressCallback
    ) -> StoredArchive:
        """The zip stays: it is what the server gave."""
        record = zipped.record
        done = ThrottledProgress(
            on_progress, lambda count: f"Repacking the zip as {spec.suffix}: {format_bytes(count)} done."
        )
        mtime = (record.committed_ms or 0) // 1000
        with self.store.writing(spec) as (stream, path):
            repack(zipped.path, stream, spec.suffix, mtime, cancel, done)
            stream.flush()
            read = ThrottledProgress(on_progress, lambda count: f"Checking the archive: {format_bytes(count)} read.")
            verified = verify_archive(path, spec, cancel, read)
            size, digest = path.stat().st_size, _sha256(path, cancel)
        return self.store.keep(
            replace(
                record,
                suffix=spec.suffix,
                size=size,
                sha256=digest,
                members=verified.members,
                unpacked=verified.unpacked,
                kept_ms=now_ms(),
                confirmed=verified.confirmed,
                repacked_from="zip",
                regions={},
            )
        )

    def _missing(self, kept: StoredArchive) -> bool:
        return self.mirror is not None and any(one not in kept.record.regions for one in self.mirror.regions)

    def _looked_after(self, kept: StoredArchive) -> StoredArchive:
        """Without the copies that are noted and no longer there, or damaged."""
        if self.mirror is None:
            return kept
        regions = dict(kept.record.regions)
        for place in self.mirror.regions:
            if place in regions:
                with contextlib.suppress(AppError):  # a bucket that does not answer now is not without the archive
                    found = self.mirror.find(place, kept.record.spec)
                    if found is None or not found.is_of(kept.record) or regions[place] != self.mirror.bucket(place):
                        del regions[place]
        return kept if regions == kept.record.regions else self.store.keep(replace(kept.record, regions=regions))

    def _copied(
        self, spec: ArchiveSpec, region: str, cancel: CancelToken, on_progress: ProgressCallback, notes: list[str]
    ) -> StoredArchive | None:
        """From the preferred region's bucket, else from any that has it; a bucket that fails is only noted."""
        if self.mirror is None:
            return None
        for place in self.mirror.ordered(region):
            try:
                found = self.mirror.find(place, spec)
                if not found:
                    continue
                on_progress(ProgressReport(ArchiveState.STARTED, f"Copying the archive from the bucket in {place}."))
                with self.http.downloader() as downloader:
                    kept = fetch_archive(
                        self.store, spec, self.mirror.url(place, spec), found.source_url, downloader, cancel, on_progress,
                        found.committed_ms, {place: self.mirror.bucket(place)},
                    )  # fmt: skip
            except (HttpError, DamagedArchiveError, NotAnArchiveError) as error:
                notes.append(f"The bucket in {place} did not help: {error.sentence}")
            except AppError as error:
                if error.exit_code == 130:
                    raise
                notes.append(f"The bucket in {place} did not help: {error.sentence}")
            else:
                if found.repacked_from:
                    kept = self.store.keep(replace(kept.record, repacked_from=found.repacked_from))
                return kept
        return None

    def _mirrored(
        self,
        kept: StoredArchive,
        cancel: CancelToken,
        on_progress: ProgressCallback,
        notes: list[str],
        failed: list[str],
    ) -> StoredArchive:
        """Copied to the buckets that lack it; the archive is there whether that succeeds or not."""
        if self.mirror is None:
            return kept
        regions = dict(kept.record.regions)
        for place in self.mirror.regions:
            if place in regions:
                continue
            cancel.check()
            on_progress(ProgressReport(ArchiveState.STARTED, f"Copying the archive to the bucket in {place}."))
            try:
                self.mirror.upload(place, kept, cancel)
                regions[place] = self.mirror.bucket(place)
            except AppError as error:
                if error.exit_code == 130:
                    raise
                notes.append(f"It was not copied to {place}: {error.sentence}")
                failed.append(place)
        if regions == kept.record.regions:
            return kept
        return self.store.keep(replace(kept.record, regions=regions))


def _spec_of(source: SourceHost, request: ArchiveRequest, node: str) -> ArchiveSpec:
    return ArchiveSpec(source.root, request.repository, node, request.subdirectory, request.suffix)


def _sha256(path: Path, cancel: CancelToken) -> str:
    with path.open("rb") as stream:
        digest = hashlib.sha256()
        while piece := stream.read(1 << 20):
            cancel.check()
            digest.update(piece)
    return digest.hexdigest()
