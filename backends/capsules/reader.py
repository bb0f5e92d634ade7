"""Opens a capsule that may come from anybody, and answers from it what would otherwise be requested.

What is refused before anything is used: what `backends.extraction` refuses of a zip, members that the manifest does not
describe or describes otherwise, newer versions. A body is given only if its length and SHA-256 are those of the
manifest. Nothing is extracted.
"""

from __future__ import annotations

import hashlib
import io
import os
import shlex
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from backends.atomic import disk_words
from backends.cancel import CancelToken
from backends.capsules.layout import (
    FORMAT,
    MANIFEST,
    MANIFEST_BYTES,
    VERSION,
    CapsuleError,
    Entry,
    Manifest,
    ManifestHead,
    canonical_url,
    is_file_name,
    parse_time,
    request_key,
    setting_names,
)
from backends.capsules.manifest_checks import check_manifest
from backends.capsules.recorder import DOWNLOADED
from backends.errors import AppError
from backends.extraction.limits import ExtractionBudget, ExtractionLimits
from backends.extraction.members import FILE, PARSER_ERRORS, zip_entry_kind
from backends.extraction.zip_directory import ZipDirectory
from backends.http.content_encoding import EncodingError, decode
from backends.http.errors import HttpError, from_response, not_in_capsule, sanitize, too_large
from backends.http.response import Freshness, Response, ResponseSource
from backends.paths import expand_home, is_file

if TYPE_CHECKING:
    from backends.http.caching import CacheableRequest

_PIECE = 1 << 18
_HEAD = 30 + len(MANIFEST)  # bytes of a local header with the manifest's name
_LAST_VERSION = 9_999  # beyond that it is no version
_HINT = "Ask whoever made it for another copy."


def looks_like_capsule(path: Path) -> bool:
    """Whether a file is named as a capsule or begins as one."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except (OSError, ValueError):
        return False
    return path.suffix == ".capsule" or (head.startswith(b"PK\x03\x04") and head.endswith(MANIFEST.encode()))


def open_capsule(path: Path, *, limits: ExtractionLimits | None = None) -> Capsule:
    """Raises `CapsuleError` for a file that cannot be read, is not a capsule, is damaged, or was made to do harm."""
    path = expand_home(path)
    stream: IO[bytes] | None = None
    try:
        if not is_file(path):
            raise CapsuleError(f"{path} is not a file.", "Name a capsule: ciexplore capsule create makes one.")
        stream = path.open("rb")
        return Capsule(path, stream, limits or ExtractionLimits())
    except BaseException as error:
        if stream is not None:
            stream.close()
        if isinstance(error, OSError):
            raise CapsuleError(f"{path} cannot be read: {disk_words(error)}.", "Check its permissions.") from error
        raise


class Capsule:
    """An interceptor that answers from the file alone. Thread-safe; made by `open_capsule`, and to be closed."""

    def __init__(self, path: Path, stream: IO[bytes], limits: ExtractionLimits) -> None:
        self.path = path
        self._stream = stream
        self._lock = threading.Lock()
        with _as_capsule_errors(path):
            self._directory = ZipDirectory(stream, path.name, limits)
            self._members = _check_members(self._directory, path, os.fstat(stream.fileno()).st_size, limits)
            self.manifest = self._read_manifest()
            check_manifest(self.manifest, limits.entries)
            _check_bodies(self.manifest, self._members)
        self.now = parse_time(self.manifest.created)
        self._by_key = {entry.key: entry for entry in self.manifest.entries}
        self._verified: set[str] = set()

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> Capsule:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def settings(self) -> dict[str, str]:
        """The servers that were meant when it was made, by the names of the settings."""
        return {name: text for name, text in self.manifest.settings.items() if name in setting_names()}

    # ---- as an interceptor -----------------------------------------------------------------------------------

    def get(self, asked: CacheableRequest, private: bool, send: Callable[[], Response]) -> Response:
        return self._answer(self._find("GET", str(asked.url), asked.accept), str(asked.url), asked.cap, asked.cancel)

    def post(self, url: str, content: bytes, accept: str, private: bool, send: Callable[[], Response]) -> Response:
        entry = self._find("POST", url, accept, hashlib.sha256(content).hexdigest())
        return self._answer(entry, url, entry.size)

    def open_body(self, entry: Entry, cancel: CancelToken | None = None) -> Iterator[bytes]:
        """A body in pieces as it came, verified before the first of them. Raises `CapsuleError`."""
        self._verify(entry, cancel)
        return self._pieces(entry, cancel)

    def open(
        self, url: str, offset: int, private: bool, cancel: CancelToken | None,
        send: Callable[[], AbstractContextManager[Any]],
    ) -> AbstractContextManager[Any]:  # fmt: skip
        entry = self._find("GET", url, DOWNLOADED)
        if offset and (offset >= entry.size or entry.encoding):
            raise from_response(url, 416, {}, b"")
        return _SavedDownload(self, entry, url, offset, cancel)

    def _find(self, method: str, url: str, accept: str, request: str = "") -> Entry:
        asked = canonical_url(url)
        found = self._by_key.get(request_key(method, asked, accept, request))
        if found is None and method == "GET":  # a file that was downloaded has what a list reads of it
            found = self._by_key.get(request_key(method, asked, DOWNLOADED))
        if found is None:
            raise not_in_capsule(url, shlex.quote(sanitize(str(self.path), 200)))
        if found.error is not None:
            raise _recorded_error(found, url)
        return found

    def _answer(self, entry: Entry, url: str, cap: int, cancel: CancelToken | None = None) -> Response:
        from backends.http.caching import CacheEntry

        if entry.size > cap:
            raise too_large(url, cap)
        body = b"".join(self._pieces(entry, cancel))
        self._check_digest(entry, len(body), hashlib.sha256(body).hexdigest())
        fetched = parse_time(entry.fetched)
        age = Freshness(ResponseSource.CACHE, max(0.0, time.time() - fetched))
        answer = CacheEntry(entry.headers, entry.encoding, body, fetched, None).answer(url, cap, age)
        if answer is None:
            raise _damaged(self.path, f"{entry.file} cannot be decoded")
        return Response(url, entry.status, entry.headers, answer.body, age)

    # ---- bodies ----------------------------------------------------------------------------------------------

    def verify(
        self, cancel: CancelToken | None = None, progress: Callable[[int, int], None] | None = None
    ) -> list[tuple[str, str]]:
        """Reads all of it, and decodes what is encoded; gives (file, what is wrong with it) of each body that is not
        what the manifest says."""
        wrong: list[tuple[str, str]] = []
        entries = [entry for entry in self.manifest.entries if entry.file]
        for number, entry in enumerate(entries):
            try:
                self._verify(entry, cancel)
            except CapsuleError as error:
                wrong.append((entry.file, error.sentence))
            if progress is not None:
                progress(number + 1, len(entries))
        return wrong

    def _verify(self, entry: Entry, cancel: CancelToken | None) -> None:
        if entry.key in self._verified:
            return
        digest, size = hashlib.sha256(), 0
        for piece in self._pieces(entry, cancel):
            digest.update(piece)
            size += len(piece)
        self._check_digest(entry, size, digest.hexdigest())
        try:
            for _ in decode(self._pieces(entry, cancel), entry.encoding) if entry.encoding else ():
                pass
        except EncodingError as error:
            raise _damaged(self.path, f"{entry.file} cannot be decoded") from error
        self._verified.add(entry.key)

    def _check_digest(self, entry: Entry, size: int, sha256: str) -> None:
        if size != entry.size or sha256 != entry.sha256:
            raise _damaged(self.path, f"{entry.file} is not what the manifest says (SHA-256)")

    def _pieces(self, entry: Entry, cancel: CancelToken | None) -> Iterator[bytes]:
        if not entry.file:
            return
        with _as_capsule_errors(self.path):
            with self._lock:
                member = self._directory.open(self._members[entry.file])
            with member:
                while True:
                    if cancel is not None:
                        cancel.check()
                    with self._lock:
                        piece = member.read(_PIECE)
                    if not piece:
                        return
                    yield piece

    def _read_manifest(self) -> Manifest:
        member = self._members.get(MANIFEST)
        if member is None:
            raise CapsuleError(f"{self.path} is not a capsule: it has no {MANIFEST}.", "Is it another kind of zip?")
        if member.file_size > MANIFEST_BYTES:
            raise _damaged(self.path, f"its {MANIFEST} is larger than {MANIFEST_BYTES >> 20} MiB")
        with self._directory.open(member) as stream:
            raw = stream.read(MANIFEST_BYTES + 1)
        try:
            head = msgspec.json.decode(raw, type=ManifestHead)
            if head.format != FORMAT:
                raise CapsuleError(f"{self.path} is not a capsule.", "Is it another kind of zip?")
            if not 1 <= head.version <= _LAST_VERSION:
                raise _damaged(self.path, f"its {MANIFEST} is of a version that cannot be")
            if head.version > VERSION:
                raise CapsuleError(
                    f"{self.path} is a capsule of version {head.version}; this ciexplore reads up to {VERSION}.",
                    "Update ciexplore.",
                )
            return msgspec.json.decode(raw, type=Manifest)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _damaged(self.path, f"its {MANIFEST} is invalid ({sanitize(str(error), 160)})") from error


class _SavedDownload:
    """As `backends.http.downloads.Download`, from byte `offset` on."""

    def __init__(self, capsule: Capsule, entry: Entry, url: str, offset: int, cancel: CancelToken | None) -> None:
        self.url = url
        self.status = 206 if offset else 200
        self.encoding = entry.encoding
        self.hops = tuple((url, headers) for headers in entry.hops)
        self.headers: Mapping[str, str] = {**entry.headers, "content-length": str(entry.size - offset)}
        if entry.encoding:
            self.headers = {**self.headers, "content-encoding": entry.encoding}
        if offset:
            self.headers = {**self.headers, "content-range": f"bytes {offset}-{entry.size - 1}/{entry.size}"}
        self._capsule, self._entry, self._offset, self._cancel = capsule, entry, offset, cancel

    def chunks(self) -> Iterator[bytes]:
        left = self._offset
        for piece in self._capsule.open_body(self._entry, self._cancel):
            if left >= len(piece):
                left -= len(piece)
                continue
            yield piece[left:] if left else piece
            left = 0

    def __enter__(self) -> _SavedDownload:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _check_members(
    directory: ZipDirectory, path: Path, archive_bytes: int, limits: ExtractionLimits
) -> dict[str, zipfile.ZipInfo]:
    """The members by name. A member is never read beyond the size that is stated here."""
    budget = ExtractionBudget(limits, archive_bytes, path.name)
    members: dict[str, zipfile.ZipInfo] = {}
    names = set[str]()
    for info in directory:
        budget.count_entry()
        budget.count_written(info.file_size, info.file_size)
        kind = zip_entry_kind(info, info.external_attr >> 16)
        shown = sanitize(info.filename, 100)
        if kind != FILE:
            raise _damaged(path, f"{shown} is a {kind}")
        if info.filename != MANIFEST and not is_file_name(info.filename):
            raise _damaged(path, f"it has a file of the name {shown}")
        if info.filename.lower() in names:
            twice = info.filename in members
            raise _damaged(path, f"it has {shown} twice" + ("" if twice else ", but for the case of its letters"))
        names.add(info.filename.lower())
        members[info.filename] = info
    return members


def _check_bodies(manifest: Manifest, members: Mapping[str, zipfile.ZipInfo]) -> None:
    """Raises `ValueError` where the members are not the files of the manifest."""
    files = [entry for entry in manifest.entries if entry.file]
    for entry in files:
        member = members.get(entry.file)
        if member is None or member.file_size != entry.size:
            raise ValueError(f"{sanitize(entry.file, 100)} is missing, or has another size than its manifest says")
    if len(files) != len(members) - 1:
        raise ValueError("it has files that its manifest does not describe")


def _recorded_error(entry: Entry, url: str) -> HttpError:
    assert entry.error is not None
    error = from_response(url, entry.status, {}, b"")
    error.sentence, error.hint = sanitize(entry.error.sentence, 1000), sanitize(entry.error.hint, 1000)
    error.args = (error.sentence,)
    error.retryable = False
    return error


@contextmanager
def _as_capsule_errors(path: Path) -> Iterator[None]:
    """What reading a zip raises, as a `CapsuleError`."""
    try:
        yield
    except CapsuleError:
        raise
    except AppError as error:
        if error.exit_code == 130:
            raise
        why = error.sentence.removeprefix(path.name).lstrip()
        for beginning in ("was not extracted: ", "is damaged: "):
            why = why.removeprefix(beginning)
        raise _damaged(path, why.rstrip(".")) from error
    except (*PARSER_ERRORS, io.UnsupportedOperation) as error:
        raise _damaged(path, sanitize(str(error).rstrip(".") or type(error).__name__, 160)) from error


def _damaged(path: Path, why: str) -> CapsuleError:
    return CapsuleError(f"{path} was refused: {why}.", _HINT)
