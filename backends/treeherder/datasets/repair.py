"""What is damaged in a store is set aside and asked for again by the next update; nothing is asked now.

Marked first, then moved: a process that is killed between leaves a file that is still damaged, and still found.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from backends.atomic import open_directory
from backends.cancel import CancelToken
from backends.errors import FileError, UsageError
from backends.treeherder.datasets.ledger import Ledger
from backends.treeherder.datasets.parquet_files import is_whole, polars_words
from backends.treeherder.datasets.store import FILE, LEDGER, SHARED, Store
from backends.treeherder.datasets.tables import TABLES

DAMAGED = ".damaged"
_DAY = 86_400


@dataclass(frozen=True)
class SetAside:
    """A damaged file. `name`, `moved_to`: below the store; `again`: what the next update asks for in its place.
    `missing`: it was gone already."""

    name: str
    moved_to: str
    again: str
    missing: bool = False


def damaged_files(store: Path) -> list[Path]:
    """The files of the tables that cannot be read, in order."""
    found = {name: sorted((store / name).glob(f"repository=*/**/{FILE}")) for name in TABLES}
    return [path for name, paths in found.items() for path in paths if not is_whole(path, TABLES[name])]


def repair(store: Path, cancel: CancelToken) -> list[SetAside]:
    """Sets the damaged files of the dataset in that directory aside. Raises `FileError`, `UsageError`,
    `OperationCancelledError`."""
    store = store.expanduser().absolute()
    if not any((store / name).exists() for name in (LEDGER, *TABLES)):
        raise UsageError(f"There is no dataset in {store}.", "Name the directory of one.")
    done = []
    if (store / LEDGER).exists() and not Ledger.is_whole(store / LEDGER):
        done.append(_moved(store, store / LEDGER, "everything: the ledger said what was known; no row is lost"))
        for after in ("-wal", "-shm"):
            (store / f"{LEDGER}{after}").unlink(missing_ok=True)
    with Store(store, create=True) as opened:
        damaged, lost = damaged_files(store), opened.lost()
        with opened.ledger.exclusive(cancel):
            for path in lost:
                name = path.relative_to(store)
                done.append(SetAside(name.as_posix(), "", _forgotten(opened.ledger, name), missing=True))
            again = {path: _forgotten(opened.ledger, path.relative_to(store)) for path in damaged}
        with opened.ledger.exclusive(cancel):
            for path in damaged:
                if not is_whole(path, TABLES[path.relative_to(store).parts[0]]):
                    done.append(_moved(store, path, again[path]))
    for path in sorted((store / SHARED).glob("**/*.parquet")):
        if not is_whole(path):
            path.unlink(missing_ok=True)
            done.append(SetAside(path.relative_to(store).as_posix(), "", "nothing: it follows from the others"))
    return done


def _forgotten(ledger: Ledger, name: Path) -> str:
    """Takes out of the ledger what the file held; gives in words what is asked for again. Inside `exclusive`."""
    table, repository = name.parts[0], name.parts[1].partition("=")[2]
    if table == "pairs":
        day = datetime.fromisoformat(name.parts[2].partition("=")[2]).replace(tzinfo=UTC)
        first = int(day.timestamp())
        for endpoint in ("pairs", "submit_times", "digits"):
            ledger.forget(repository, endpoint, first, first + _DAY - 1)
        return f"the values of {day:%Y-%m-%d}{_since(first)}; those whose jobs have expired since come without them"
    if table == "jobs":
        return "the details of its jobs that `--jobs` means (sample, all)"
    endpoint = {"alert_summaries": "alerts", "alerts": "alerts"}.get(table, table)
    begun = ledger.forget(repository, endpoint)
    return f"all {table.replace('_', ' ')}{'' if begun is None else _since(begun)}"


def _since(seconds: int) -> str:
    return f" (update with --since {datetime.fromtimestamp(seconds, UTC):%Y-%m-%d} or earlier)"


def _moved(store: Path, path: Path, again: str) -> SetAside:
    name = path.relative_to(store).as_posix()
    place = f"{name.replace('/', '+')}.{secrets.token_hex(4)}"
    try:
        source = open_directory(store, path.relative_to(store).parts[:-1])
        try:
            target = open_directory(store, (DAMAGED,), create=True)
            try:
                os.rename(path.name, place, src_dir_fd=source, dst_dir_fd=target)
            finally:
                os.close(target)
        finally:
            os.close(source)
    except OSError as problem:
        raise FileError(
            f"{path} cannot be set aside: {polars_words(problem)}.", "Free some space or check its permissions."
        ) from problem
    return SetAside(name, f"{DAMAGED}/{place}", again)
