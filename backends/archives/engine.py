"""Provides archives: from the cache, from a bucket, from the server, or repacked from the server's zip.

One fetch of an archive at a time on this machine; other callers wait and find it cached. One download at a time from
one server, because making archives is expensive there (hg.mozilla.org once disabled archives for it).
"""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
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
from backends.archives.hosts import SourceHost, UnsupportedSuffixError, host_for
from backends.archives.locators import HEX
from backends.archives.spec import ArchiveRequest, ArchiveSpec
from backends.archives.store import ArchiveStore, StoredArchive, now_ms
from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.extraction.limits import DamagedArchiveError, NotAnArchiveError
from backends.frames.formats import format_bytes
from backends.http.backoff import is_too_long, with_retry_after
from backends.http.errors import HttpError

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http

TRIES = 3
DAMAGED_TRIES = 2  # a damaged repository provides the same damaged archive again
_NODE_DIGITS = 40


@dataclass(frozen=True)
class FetchResult:
    """`fetched`: it was not cached before. `notes`: sentences for the user. `failed_copies`: the regions that it could
    not be copied to; the notes say why."""

    archive: StoredArchive
    fetched: bool
    notes: tuple[str, ...] = ()
    failed_copies: tuple[str, ...] = ()


@dataclass
class _Fetch:
    """One call of `ArchiveEngine.get`: what it is about, and what it has to report."""

    spec: ArchiveSpec
    source: SourceHost
    committed_ms: int | None
    cancel: CancelToken
    on_progress: ProgressCallback
    region: str
    notes: list[str] = field(default_factory=list)
    failed_copies: list[str] = field(default_factory=list)

    def report(self, sentence: str, state: ArchiveState = ArchiveState.STARTED, size: int = 0) -> None:
        self.on_progress(ProgressReport(state, sentence, size))


def archive_store(settings: Settings) -> ArchiveStore:
    """The archives cached on this machine, with the size limit of the HTTP cache, `cache.bytes`."""
    return ArchiveStore(settings.cache_path / "archives", settings.cache_bytes)


class ArchiveEngine:
    """Provides archives to the lists, the command and the server. Safe from any thread.

    `pause(seconds, cancel)`: how it waits between tries.
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
        """The verified archive. Raises `SourceNotFoundError` and the other `AppError`s on the way there."""
        return self.provide(*self.resolve(request, cancel, on_progress), cancel, on_progress, region)

    def provide(
        self,
        spec: ArchiveSpec,
        source: SourceHost,
        committed_ms: int | None,
        cancel: CancelToken,
        on_progress: ProgressCallback,
        region: str = "",
    ) -> FetchResult:
        """The same when the archive and its server are known."""
        fetch = _Fetch(spec, source, committed_ms, cancel, on_progress, region)
        cached = self.store.find(spec)
        is_new = cached is None
        archive = self._drop_missing_copies(cached) if cached is not None else None
        if archive is None or self._lacks_copies(archive):
            waiting = ProgressReport(ArchiveState.STARTED, "This archive is being fetched already; waiting for it.")
            with self.store.lock(spec, cancel, lambda: on_progress(waiting)):
                archive = self.store.find(spec)
                is_new = is_new and archive is None
                archive = archive or self._fetch_from_buckets(fetch) or self._make(fetch)
                archive = self._copy_to_buckets(archive, fetch)
        self.store.use(archive)
        if archive.record.repacked_from:
            fetch.notes.insert(
                0, f"Repacked from {archive.record.repacked_from}: the server provides no {spec.suffix}."
            )
        fetch.report(" ".join(["Verified.", *fetch.notes]), ArchiveState.SUCCESS, archive.record.size)
        return FetchResult(archive, is_new, tuple(fetch.notes), tuple(fetch.failed_copies))

    def resolve(
        self, request: ArchiveRequest, cancel: CancelToken, on_progress: ProgressCallback = no_progress
    ) -> tuple[ArchiveSpec, SourceHost, int | None]:
        """Which archive that is, its server, and when the revision was committed (epoch milliseconds).

        A revision given by at least 12 digits needs no request if it is cached, if only as zip; if it is in a bucket
        the server need not be reachable.
        """
        source = host_for(request.root, self.http, self.settings)
        if cached := self._find_cached(source.root, request):
            return _spec_of(source, request, cached.record.node), source, cached.record.committed_ms
        on_progress(
            ProgressReport(ArchiveState.PENDING, f"Looking up {request.revision[:60]} of {request.repository}.")
        )
        try:
            changeset = source.resolve(request.repository, request.revision, cancel)
        except HttpError:
            copy = self.find_copy(request, "")
            if copy is None or len(copy[1].node) != _NODE_DIGITS:
                raise
            return _spec_of(source, request, copy[1].node), source, copy[1].committed_ms
        return _spec_of(source, request, changeset.node), source, changeset.time_ms

    def _find_cached(self, root: str, request: ArchiveRequest) -> StoredArchive | None:
        if not HEX.fullmatch(request.revision):
            return None
        revision = root, request.repository, request.revision, request.subdirectory
        return self.store.find_short(*revision, request.suffix) or self.store.find_short(*revision, "zip")

    def find_cached(self, request: ArchiveRequest) -> StoredArchive | None:
        """The archive of a revision named by at least 12 digits, if it is cached. Sends no request."""
        archive = self._find_cached(host_for(request.root, self.http, self.settings).root, request)
        return archive if archive is not None and archive.record.suffix == request.suffix else None

    def short_spec(self, request: ArchiveRequest) -> ArchiveSpec:
        """The archive by the digits in the request, which is enough for its key in a bucket."""
        return _spec_of(host_for(request.root, self.http, self.settings), request, request.revision)

    def find_copy(self, request: ArchiveRequest, region: str) -> tuple[str, BucketArchive] | None:
        """The region whose bucket has the archive of such a revision, the preferred one first.

        A copy that is damaged, as far as its headers and the cached archive tell, does not count: the next fetch
        replaces it.
        """
        if self.mirror is None or not HEX.fullmatch(request.revision):
            return None
        spec, cached = self.short_spec(request), self.find_cached(request)
        for name in self.mirror.ordered_regions(region):
            with contextlib.suppress(AppError):
                copy = self.mirror.find(name, spec)
                if copy is not None and (cached is None or copy.is_of(cached.record)):
                    return name, replace(copy, node=copy.node or request.revision)
        return None

    def _make(self, fetch: _Fetch) -> StoredArchive:
        """From the server, or repacked from its zip."""
        zip_spec = fetch.spec.with_suffix("zip")
        try:
            return self._download_with_retries(fetch)
        except UnsupportedSuffixError as error:
            if not is_tar(fetch.spec.suffix):
                raise
            fetch.report(f"{error.sentence} Fetching the zip to repack it.")
        except HttpError as error:  # the server cannot be reached, but the same files may be cached as zip
            cached = self.store.find(zip_spec) if is_tar(fetch.spec.suffix) else None
            if cached is None:
                raise
            fetch.report(f"{error.sentence} Repacking the cached zip.")
            return self._repack(cached, fetch)
        with self.store.lock(zip_spec, fetch.cancel):  # it is cached, but not copied to buckets
            zipped = self.store.find(zip_spec) or self._download_with_retries(replace(fetch, spec=zip_spec))
        return self._repack(zipped, fetch)

    def _download_with_retries(self, fetch: _Fetch) -> StoredArchive:
        for number in range(1, TRIES + 1):
            try:
                return self._download(fetch)
            except (HttpError, DamagedArchiveError, NotAnArchiveError) as error:
                tries = TRIES if isinstance(error, HttpError) else DAMAGED_TRIES
                retry_after = error.retry_after if isinstance(error, HttpError) else None
                is_final = isinstance(error, HttpError) and not error.retryable
                if number >= tries or is_final or is_too_long(retry_after):
                    raise
                seconds = random.uniform(1, 2) * 2**number  # noqa: S311 - so that clients do not retry in step
                seconds = with_retry_after(seconds, retry_after)
                fetch.report(f"{error.sentence} Trying again in {seconds:.0f} s.", ArchiveState.RETRY)
                self._pause(seconds, fetch.cancel)
        raise AssertionError("unreachable")

    def _download(self, fetch: _Fetch) -> StoredArchive:
        spec, source = fetch.spec, fetch.source
        if refusal := source.refusal(spec, None):
            raise refusal
        url = source.archive_url(spec)
        waiting = ProgressReport(ArchiveState.PENDING, "Waiting for another download from this server.")
        with (
            self.store.lock_server(source.root, fetch.cancel, lambda: fetch.on_progress(waiting)),
            self.http.downloader() as downloader,
        ):
            try:
                return fetch_archive(
                    self.store, spec, url, url, downloader, fetch.cancel, fetch.on_progress, fetch.committed_ms
                )
            except HttpError as error:
                refusal = source.refusal(spec, error.status)
                if refusal is None:
                    raise
                raise refusal from error

    def _repack(self, zipped: StoredArchive, fetch: _Fetch) -> StoredArchive:
        """The zip stays cached: it is what the server provides."""
        spec, cancel, record = fetch.spec, fetch.cancel, zipped.record
        progress = ThrottledProgress(
            fetch.on_progress, lambda count: f"Repacking the zip as {spec.suffix}: {format_bytes(count)} done."
        )
        with self.store.writing(spec) as (stream, path):
            repack(zipped.path, stream, spec.suffix, (record.committed_ms or 0) // 1000, cancel, progress)
            stream.flush()
            verified = verify_archive(path, spec, cancel, ThrottledProgress.checking(fetch.on_progress))
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

    def _lacks_copies(self, archive: StoredArchive) -> bool:
        return self.mirror is not None and any(name not in archive.record.regions for name in self.mirror.regions)

    def _drop_missing_copies(self, archive: StoredArchive) -> StoredArchive:
        """Removes from the record the copies that are no longer in their buckets, or damaged."""
        if self.mirror is None:
            return archive
        regions = dict(archive.record.regions)
        for name in self.mirror.regions:
            if name in regions:
                with contextlib.suppress(AppError):  # a bucket that does not respond now may still have the archive
                    copy = self.mirror.find(name, archive.record.spec)
                    if copy is None or not copy.is_of(archive.record) or regions[name] != self.mirror.bucket(name):
                        del regions[name]
        return self._keep_regions(archive, regions)

    def _fetch_from_buckets(self, fetch: _Fetch) -> StoredArchive | None:
        """From the preferred region's bucket, else from any that has it; a bucket that fails is only noted."""
        if self.mirror is None:
            return None
        for name in self.mirror.ordered_regions(fetch.region):
            try:
                copy = self.mirror.find(name, fetch.spec)
                if not copy:
                    continue
                fetch.report(f"Copying the archive from the bucket in {name}.")
                with self.http.downloader() as downloader:
                    archive = fetch_archive(
                        self.store, fetch.spec, self.mirror.url(name, fetch.spec), copy.source_url, downloader,
                        fetch.cancel, fetch.on_progress, copy.committed_ms, {name: self.mirror.bucket(name)},
                    )  # fmt: skip
            except OperationCancelledError:
                raise
            except AppError as error:
                fetch.notes.append(f"Cannot copy from the bucket in {name}: {error.sentence}")
            else:
                if copy.repacked_from:
                    archive = self.store.keep(replace(archive.record, repacked_from=copy.repacked_from))
                return archive
        return None

    def _copy_to_buckets(self, archive: StoredArchive, fetch: _Fetch) -> StoredArchive:
        """Copies it to the buckets that lack it; failures are noted."""
        if self.mirror is None:
            return archive
        regions = dict(archive.record.regions)
        for name in self.mirror.regions:
            if name in regions:
                continue
            fetch.cancel.check()
            fetch.report(f"Copying the archive to the bucket in {name}.")
            try:
                self.mirror.upload(name, archive, fetch.cancel)
                regions[name] = self.mirror.bucket(name)
            except OperationCancelledError:
                raise
            except AppError as error:
                fetch.notes.append(f"It was not copied to {name}: {error.sentence}")
                fetch.failed_copies.append(name)
        return self._keep_regions(archive, regions)

    def _keep_regions(self, archive: StoredArchive, regions: dict[str, str]) -> StoredArchive:
        if regions == archive.record.regions:
            return archive
        return self.store.keep(replace(archive.record, regions=regions))


def _spec_of(source: SourceHost, request: ArchiveRequest, node: str) -> ArchiveSpec:
    return ArchiveSpec(source.root, request.repository, node, request.subdirectory, request.suffix)


def _sha256(path: Path, cancel: CancelToken) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            cancel.check()
            digest.update(piece)
    return digest.hexdigest()
