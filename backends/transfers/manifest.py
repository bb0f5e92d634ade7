"""The manifest of a download directory: one SQLite file with one row per file."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from backends.atomic import SymlinkError, disk_words, is_symlink, open_directory
from backends.errors import FileError
from backends.transfers.names import OWN_DIRECTORY
from backends.transfers.output_directory import PARTS
from backends.transfers.states import FileResult, ManifestEntry, PendingFile, TransferState

VERSION = 1
FILE = "manifest.sqlite"
LOCK = "lock"
# SQLite opens these by path and would follow a symbolic link.
_OPENED_BY_SQLITE = (FILE, f"{FILE}-wal", f"{FILE}-shm", f"{FILE}-journal")
_COLUMNS = tuple(field.name for field in fields(ManifestEntry))
_TABLES = """
CREATE TABLE IF NOT EXISTS files (
    key TEXT PRIMARY KEY, url TEXT NOT NULL, target TEXT NOT NULL, state TEXT NOT NULL,
    size INTEGER, wire INTEGER, sha256 TEXT NOT NULL DEFAULT '', mtime_ns INTEGER,
    etag TEXT NOT NULL DEFAULT '', part_boot TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '', detail TEXT NOT NULL DEFAULT '', tries INTEGER NOT NULL DEFAULT 0,
    first_seen INTEGER NOT NULL DEFAULT 0, verified_at INTEGER, checked_by TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (revision INTEGER PRIMARY KEY, began INTEGER NOT NULL);
"""
_SECRET_PARAMETERS = frozenset(
    {"bewit", "signature", "sig", "token", "access_token", "id_token", "policy", "expires", "key-pair-id", "mac"}
    | {"awsaccesskeyid", "googleaccessid", "credential", "password", "secret", "api_key", "apikey", "key"}
)


_HARMLESS_URL = re.compile(r"https?://[A-Za-z0-9.:-]++/[A-Za-z0-9%/:!$&'()*+,;=~._-]*+")  # nothing of it would change


class DamagedManifestError(FileError):
    """The manifest exists and cannot be read."""


class Manifest:
    """The manifest of one output directory: `read` opens it read-only, `open` for a run. Close it after use."""

    def __init__(self, output: Path, connection: sqlite3.Connection | None, lock: int | None = None) -> None:
        self.output = output
        self._connection = connection
        self._lock = lock

    @classmethod
    def read(cls, output: Path) -> Manifest:
        """Opens it read-only. A directory without a manifest has an empty one."""
        path = output / OWN_DIRECTORY / FILE
        if not (path.is_file() or path.is_symlink()):
            return cls(output, None)
        with _describe_error(output, "read"):
            own = open_directory(output, (OWN_DIRECTORY,))
        try:
            _refuse_links(path.parent, own)
        finally:
            os.close(own)
        # With an empty log the file is complete, and "immutable" keeps SQLite from creating -wal and -shm.
        wal = path.with_name("manifest.sqlite-wal")
        quiet = not wal.exists() or wal.stat().st_size == 0
        return cls(output, _connect(path, "immutable=1" if quiet else "mode=ro"))

    @classmethod
    def open(cls, output: Path) -> Manifest:
        """Opens it for a run: creates what is missing and locks it. Raises `FileError` if another run has it."""
        directory = output / OWN_DIRECTORY
        with _describe_error(output, "write into"):
            output.mkdir(parents=True, exist_ok=True)
            os.close(open_directory(output, PARTS, create=True))
            own = open_directory(output, (OWN_DIRECTORY,))
            try:
                _refuse_links(directory, own)
                lock = _take_lock(own, output)
            finally:
                os.close(own)
        try:
            path = directory / FILE
            try:
                connection = _connect(path, "mode=rwc")
            except DamagedManifestError:
                _set_aside(path)
                connection = _connect(path, "mode=rwc")
            return cls(output, connection, lock)
        except BaseException:
            os.close(lock)
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Manifest:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def revision(self) -> int:
        """Grows with each run, so that a plan knows whether it is outdated."""
        if self._connection is None:
            return 0
        found = self._connection.execute("SELECT max(revision) FROM runs").fetchone()[0]
        return int(found or 0)

    def entries(self) -> dict[str, ManifestEntry]:
        """All rows by key. Raises `DamagedManifestError`."""
        if self._connection is None:
            return {}
        try:
            rows = self._connection.execute(f"SELECT {_columns(self._connection)} FROM files").fetchall()  # noqa: S608
        except sqlite3.DatabaseError as error:
            raise _damaged_error(self.output) from error
        return {entry.key: entry for entry in (ManifestEntry(*row) for row in rows)}

    # Writes of a run; each is one transaction.

    def begin_run(self, rows: Iterable[ManifestEntry]) -> None:
        """Records a new run with these files. What is known of a file downloaded before is kept, except its state."""
        now = _now()
        with self._transaction() as connection:
            connection.execute("INSERT INTO runs(began) VALUES (?)", (now,))
            connection.executemany(
                """INSERT INTO files(key, url, target, state, mtime_ns, reason, detail, first_seen, verified_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT(key) DO UPDATE SET url=excluded.url, target=excluded.target, state=excluded.state,
                reason=excluded.reason, detail=excluded.detail, tries=0,
                mtime_ns=coalesce(excluded.mtime_ns, mtime_ns), verified_at=coalesce(verified_at, excluded.verified_at)
                """,
                (
                    (row.key, without_secrets(row.url), row.target, row.state, row.mtime_ns, row.reason, row.detail,
                     now, now if row.state == TransferState.UNCHANGED else None)
                    for row in rows
                ),
            )  # fmt: skip

    def record_parts(self, parts: Iterable[tuple[str, str, str]]) -> None:
        """Records (key, strong etag, boot id) of parts that are worth resuming."""
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE files SET etag=?, part_boot=? WHERE key=?", ((etag, boot, key) for key, etag, boot in parts)
            )

    def record_pending(self, files: Iterable[PendingFile]) -> None:
        """Call it when the bytes are durable, before the files are renamed into place."""
        with self._transaction() as connection:
            connection.executemany(
                """UPDATE files SET state='stored', size=?, wire=?, sha256=?, mtime_ns=?, tries=?, checked_by=?
                WHERE key=?""",
                (
                    (file.size, file.wire, file.sha256, file.mtime_ns, file.tries, file.checked_by, file.key)
                    for file in files
                ),
            )

    def record_results(self, results: Iterable[FileResult]) -> None:
        """Call it when the names are durable too."""
        now = _now()
        with self._transaction() as connection:
            connection.executemany(
                """UPDATE files SET state=?, reason=?, detail=?, tries=?,
                verified_at=CASE WHEN ? IN ('verified', 'unchecked') THEN ? ELSE verified_at END WHERE key=?""",
                ((str(out.state), out.reason, out.detail, out.tries, str(out.state), now, out.key) for out in results),
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        assert self._connection is not None and self._lock is not None, "opened for reading"
        try:
            with self._connection:
                yield self._connection
        except sqlite3.OperationalError as error:
            if "full" in str(error):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            raise FileError(
                f"The manifest in {self.output / OWN_DIRECTORY} cannot be written: {error}.",
                "Check the directory's permissions, then try again.",
            ) from error


def without_secrets(url: str) -> str:
    """The URL without user, password, fragment, and query parameters that sign or authorise."""
    if _HARMLESS_URL.fullmatch(url):
        return url
    try:
        split = urlsplit(url)
        query = parse_qsl(split.query, keep_blank_values=True)
    except ValueError:
        return ""
    harmless = [
        (name, value)
        for name, value in query
        if name.lower() not in _SECRET_PARAMETERS and not name.lower().startswith(("x-amz-", "x-goog-"))
    ]
    cleaned = urlunsplit((split.scheme, split.netloc.rpartition("@")[2], split.path, urlencode(harmless), ""))
    return quote(cleaned, safe="%/:?#[]@!$&'()*+,;=~", errors="replace")


def _connect(path: Path, mode: str) -> sqlite3.Connection | None:
    """None if it is still empty: its first run was killed at once."""
    uri = f"{path.absolute().as_uri()}?{mode}"
    connection = None
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=5.0, check_same_thread=False)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            connection.close()
            raise FileError(f"{path} was written by a newer ciexplore.", "Update ciexplore, or use another directory.")
        if mode == "mode=rwc":
            connection.executescript(
                f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; BEGIN IMMEDIATE; {_TABLES}"
                f"PRAGMA user_version={VERSION}; COMMIT;"
            )
            if "''" in _columns(connection):  # created before this column existed
                connection.execute("ALTER TABLE files ADD COLUMN checked_by TEXT NOT NULL DEFAULT ''")
        elif version == 0:
            connection.close()
            return None
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        connection.execute(f"SELECT {_columns(connection)} FROM files LIMIT 1")  # noqa: S608
    except sqlite3.OperationalError as error:
        if connection is not None:
            connection.close()
        if "no such" in str(error):
            raise _damaged_error(path.parent.parent) from error
        raise FileError(f"{path} cannot be opened: {error}.", "Check the directory's permissions.") from error
    except sqlite3.DatabaseError as error:
        if connection is not None:
            connection.close()
        raise _damaged_error(path.parent.parent) from error
    if damage != "ok":
        connection.close()
        raise _damaged_error(path.parent.parent)
    return connection


def _columns(connection: sqlite3.Connection) -> str:
    """The columns of a `ManifestEntry`; "''" replaces one that earlier versions did not have."""
    known = {row[1] for row in connection.execute("PRAGMA table_info(files)")}
    return ", ".join("''" if name == "checked_by" and name not in known else name for name in _COLUMNS)


def _damaged_error(output: Path) -> DamagedManifestError:
    return DamagedManifestError(
        f"The manifest in {output / OWN_DIRECTORY} is damaged.",
        "The next run moves it aside and downloads again what it cannot recognize.",
    )


def _set_aside(path: Path) -> None:
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}.damaged-{number}")):
        number += 1
    path.rename(aside)
    for suffix in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _refuse_links(directory: Path, descriptor: int) -> None:
    for name in (*_OPENED_BY_SQLITE, LOCK):
        if is_symlink(name, descriptor):
            raise SymlinkError(directory / name)


def _take_lock(own: int, output: Path) -> int:
    lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644, dir_fd=own)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        os.close(lock)
        raise FileError(
            f"Another ciexplore{f' (process {holder})' if holder.isdigit() else ''} is downloading into {output}.",
            "Wait for it, stop it, or choose another directory.",
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


@contextlib.contextmanager
def _describe_error(output: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileError(
            f"Cannot {what} {output}: {disk_words(error, output)}.",
            "Choose another directory, or check its permissions.",
        ) from error


def _now() -> int:
    return int(time.time() * 1000)
