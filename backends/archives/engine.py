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

from backends.archives.fetching import fetched
from backends.archives.mirror import Found, Mirror
from backends.archives.repacking import is_tar, repack
from backends.archives.reports import Counted, Report, State, Tell, silent
from backends.archives.sources import Changeset, Source, SuffixRefused, source_for
from backends.archives.store import Kept, Store, now_ms
from backends.archives.verifying import verify
from backends.archives.wanted import Request, Wanted
from backends.cancel import CancelToken
from backends.errors import AppError
from backends.extraction.limits import DamagedArchiveError, NotAnArchiveError
from backends.frames.formats import format_bytes
from backends.http.backoff import is_too_long, with_retry_after
from backends.http.errors import HttpError
from backends.locators.archives import HEX

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http

TRIES = 3
DAMAGED_TRIES = 2  # a damaged repository gives the same damaged archive again
_FULL = 40


@dataclass(frozen=True)
class Got:
    """`fetched`: it was not kept before. `notes`: what the user should know, in sentences. `failed_copies`: the regions
    that it should have been copied to; the notes say why it was not."""

    kept: Kept
    fetched: bool
    notes: tuple[str, ...] = ()
    failed_copies: tuple[str, ...] = ()


def store_of(settings: Settings) -> Store:
    """The archives that are kept on this machine: at most as many bytes as answers, `cache.bytes`."""
    return Store(settings.cache_path / "archives", settings.cache_bytes)


class Engine:
    """Makes archives for the pane, the command and the server. Safe from any thread.

    `pause(seconds, cancel)` is how it waits between tries.
    """

    def __init__(
        self,
        http: Http,
        settings: Settings,
        *,
        mirror: Mirror | None = None,
        pause: Callable[[float, CancelToken], None] = lambda seconds, cancel: cancel.sleep(seconds),
    ) -> None:
        self.http, self.settings, self.mirror = http, settings, mirror
        self.store = store_of(settings)
        self._pause = pause

    def get(self, request: Request, cancel: CancelToken, tell: Tell = silent, region: str = "") -> Got:
        """The archive that is asked for, verified. Raises `NotThere` and the other `AppError`s of the way there."""
        wanted, source, committed_ms = self.resolve(request, cancel, tell)
        return self.have(wanted, source, committed_ms, cancel, tell, region)

    def resolve(self, request: Request, cancel: CancelToken, tell: Tell = silent) -> tuple[Wanted, Source, int | None]:
        """Which archive that is. At least 12 digits of one that is kept, if only as zip, need not be asked about; nor
        need those of one that is in a bucket, when the server does not answer."""
        source = source_for(request.root, self.http, self.settings)
        if kept := self._kept(source.root, request):
            return _wanted(source, request, kept.account.node), source, kept.account.committed_ms
        tell(Report(State.PENDING, f"Looking up {request.revision[:60]} of {request.repository}."))
        try:
            found: Changeset = source.resolve(request.repository, request.revision, cancel)
        except HttpError:
            copied = self.find_copy(request, "")
            if copied is None or len(copied[1].node) != _FULL:
                raise
            return _wanted(source, request, copied[1].node), source, copied[1].committed_ms
        return _wanted(source, request, found.node), source, found.time_ms

    def _kept(self, root: str, request: Request) -> Kept | None:
        if not HEX.fullmatch(request.revision):
            return None
        where = root, request.repository, request.revision, request.subdirectory
        return self.store.find_short(*where, request.suffix) or self.store.find_short(*where, "zip")

    def find_kept(self, request: Request) -> Kept | None:
        """The archive of a revision that is named by at least 12 digits, if it is on this disk. Asks nobody."""
        kept = self._kept(source_for(request.root, self.http, self.settings).root, request)
        return kept if kept is not None and kept.account.suffix == request.suffix else None

    def named(self, request: Request) -> Wanted:
        """The archive by the digits that the request has, which is enough for its key in a bucket."""
        return _wanted(source_for(request.root, self.http, self.settings), request, request.revision)

    def find_copy(self, request: Request, region: str) -> tuple[str, Found] | None:
        """The bucket's region that has the archive of such a revision, the preferred one first. What is damaged there,
        as far as its headers and our own copy tell, is not had; whoever makes the archive then puts it there again."""
        if self.mirror is None or not HEX.fullmatch(request.revision):
            return None
        wanted, kept = self.named(request), self.find_kept(request)
        for place in self.mirror.ordered(region):
            with contextlib.suppress(AppError):
                found = self.mirror.find(place, wanted)
                if found is not None and (kept is None or found.is_of(kept.account)):
                    return place, replace(found, node=found.node or request.revision)
        return None

    def have(
        self,
        wanted: Wanted,
        source: Source,
        committed_ms: int | None,
        cancel: CancelToken,
        tell: Tell,
        region: str = "",
    ) -> Got:
        """The same once it is known which archive that is and where it comes from."""

        def waiting() -> None:
            tell(Report(State.STARTED, "This archive is being fetched already; waiting for it."))

        kept, notes = self.store.find(wanted), list[str]()
        failed = list[str]()
        new = kept is None
        kept = self._looked_after(kept) if kept is not None else None
        if kept is None or self._missing(kept):
            with self.store.lock(wanted, cancel, waiting):
                kept = self.store.find(wanted)
                new = new and kept is None
                kept = kept or self._copied(wanted, region, cancel, tell, notes)
                kept = kept or self._made(wanted, source, committed_ms, cancel, tell)
                kept = self._mirrored(kept, cancel, tell, notes, failed)
        self.store.use(kept)
        if kept.account.repacked_from:
            notes.insert(0, f"Repacked from {kept.account.repacked_from}: the server gave no {wanted.suffix}.")
        tell(Report(State.SUCCESS, " ".join(["Verified.", *notes]), kept.account.size))
        return Got(kept, new, tuple(notes), tuple(failed))

    def _made(self, wanted: Wanted, source: Source, committed_ms: int | None, cancel: CancelToken, tell: Tell) -> Kept:
        try:
            return self._tried(wanted, source, committed_ms, cancel, tell)
        except SuffixRefused as refused:
            if not is_tar(wanted.suffix):
                raise
            tell(Report(State.STARTED, f"{refused.sentence} Taking the zip and repacking it."))
        except HttpError as problem:  # the server is away, but the same tree may be here
            zipped = self.store.find(wanted.as_suffix("zip")) if is_tar(wanted.suffix) else None
            if zipped is None:
                raise
            tell(Report(State.STARTED, f"{problem.sentence} Repacking the zip that is kept."))
            return self._repacked(zipped, wanted, cancel, tell)
        return self._repacked(
            self._zip(wanted.as_suffix("zip"), source, committed_ms, cancel, tell), wanted, cancel, tell
        )

    def _zip(self, wanted: Wanted, source: Source, committed_ms: int | None, cancel: CancelToken, tell: Tell) -> Kept:
        """What the server gives instead. It is kept, but nobody asked for copies of it in buckets."""
        with self.store.lock(wanted, cancel):
            return self.store.find(wanted) or self._tried(wanted, source, committed_ms, cancel, tell)

    def _tried(self, wanted: Wanted, source: Source, committed_ms: int | None, cancel: CancelToken, tell: Tell) -> Kept:
        for number in range(1, TRIES + 1):
            try:
                return self._fetched(wanted, source, committed_ms, cancel, tell)
            except (HttpError, DamagedArchiveError, NotAnArchiveError) as problem:
                most = TRIES if isinstance(problem, HttpError) else DAMAGED_TRIES
                asked = problem.retry_after if isinstance(problem, HttpError) else None
                is_final = isinstance(problem, HttpError) and not problem.retryable
                if number >= most or is_final or is_too_long(asked):
                    raise
                seconds = random.uniform(1, 2) * 2**number  # noqa: S311 - so that many do not come back at once
                seconds = with_retry_after(seconds, asked)
                tell(Report(State.RETRY, f"{problem.sentence} Trying again in {seconds:.0f} s."))
                self._pause(seconds, cancel)
        raise AssertionError("unreachable")

    def _fetched(
        self, wanted: Wanted, source: Source, committed_ms: int | None, cancel: CancelToken, tell: Tell
    ) -> Kept:
        if refused := source.refusal(wanted, None):
            raise refused
        url = source.archive_url(wanted)
        busy = Report(State.PENDING, "Waiting for another download from this server.")
        with (
            self.store.lock_server(source.root, cancel, lambda: tell(busy)),
            self.http.downloader() as downloader,
        ):
            try:
                return fetched(self.store, wanted, url, url, downloader, cancel, tell, committed_ms)
            except HttpError as problem:
                refusal = source.refusal(wanted, problem.status)
                if refusal is None:
                    raise
                raise refusal from problem

    def _repacked(self, zipped: Kept, wanted: Wanted, cancel: CancelToken, tell: Tell) -> Kept:
        """The zip stays: it is what the server gave."""
        account = zipped.account
        done = Counted(tell, lambda count: f"Repacking the zip as {wanted.suffix}: {format_bytes(count)} done.")
        mtime = (account.committed_ms or 0) // 1000
        with self.store.writing(wanted) as (stream, path):
            repack(zipped.path, stream, wanted.suffix, mtime, cancel, done)
            stream.flush()
            read = Counted(tell, lambda count: f"Checking the archive: {format_bytes(count)} read.")
            verified = verify(path, wanted, cancel, read)
            size, digest = path.stat().st_size, _sha256(path, cancel)
        return self.store.keep(
            replace(
                account,
                suffix=wanted.suffix,
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

    def _missing(self, kept: Kept) -> bool:
        return self.mirror is not None and any(one not in kept.account.regions for one in self.mirror.regions)

    def _looked_after(self, kept: Kept) -> Kept:
        """Without the copies that are noted and no longer there, or damaged."""
        if self.mirror is None:
            return kept
        regions = dict(kept.account.regions)
        for place in self.mirror.regions:
            if place in regions:
                with contextlib.suppress(AppError):  # a bucket that does not answer now is not without the archive
                    found = self.mirror.find(place, kept.account.wanted)
                    if found is None or not found.is_of(kept.account) or regions[place] != self.mirror.bucket(place):
                        del regions[place]
        return kept if regions == kept.account.regions else self.store.keep(replace(kept.account, regions=regions))

    def _copied(self, wanted: Wanted, region: str, cancel: CancelToken, tell: Tell, notes: list[str]) -> Kept | None:
        """From the preferred region's bucket, else from any that has it; a bucket that fails is only noted."""
        if self.mirror is None:
            return None
        for place in self.mirror.ordered(region):
            try:
                found = self.mirror.find(place, wanted)
                if not found:
                    continue
                tell(Report(State.STARTED, f"Copying the archive from the bucket in {place}."))
                with self.http.downloader() as downloader:
                    kept = fetched(
                        self.store, wanted, self.mirror.url(place, wanted), found.source_url, downloader, cancel, tell,
                        found.committed_ms, {place: self.mirror.bucket(place)},
                    )  # fmt: skip
            except (HttpError, DamagedArchiveError, NotAnArchiveError) as problem:
                notes.append(f"The bucket in {place} did not help: {problem.sentence}")
            except AppError as problem:
                if problem.exit_code == 130:
                    raise
                notes.append(f"The bucket in {place} did not help: {problem.sentence}")
            else:
                if found.repacked_from:
                    kept = self.store.keep(replace(kept.account, repacked_from=found.repacked_from))
                return kept
        return None

    def _mirrored(self, kept: Kept, cancel: CancelToken, tell: Tell, notes: list[str], failed: list[str]) -> Kept:
        """Copied to the buckets that lack it; the archive is there whether that succeeds or not."""
        if self.mirror is None:
            return kept
        regions = dict(kept.account.regions)
        for place in self.mirror.regions:
            if place in regions:
                continue
            cancel.check()
            tell(Report(State.STARTED, f"Copying the archive to the bucket in {place}."))
            try:
                self.mirror.upload(place, kept, cancel)
                regions[place] = self.mirror.bucket(place)
            except AppError as problem:
                if problem.exit_code == 130:
                    raise
                notes.append(f"It was not copied to {place}: {problem.sentence}")
                failed.append(place)
        if regions == kept.account.regions:
            return kept
        return self.store.keep(replace(kept.account, regions=regions))


def _wanted(source: Source, request: Request, node: str) -> Wanted:
    return Wanted(source.root, request.repository, node, request.subdirectory, request.suffix)


def _sha256(path: Path, cancel: CancelToken) -> str:
    with path.open("rb") as stream:
        digest = hashlib.sha256()
        while piece := stream.read(1 << 20):
            cancel.check()
            digest.update(piece)
    return digest.hexdigest()
