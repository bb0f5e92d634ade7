"""How the compatibility export writes: whole files, in a fixed order, never over others without leave."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from backends.atomic import OPEN_DIRECTORY, atomic_file, disk_words
from backends.cancel import CancelToken
from backends.errors import FileError

_SLICE = 50_000
_PART = re.compile(r"\.[a-z0-9_]+\.(csv|json|jsonl|png)\.[0-9a-f]{8}\.part", re.ASCII)


class _UnchangedError(Exception):
    """What was to be written is there already."""


class _Told(io.RawIOBase):
    """Passes on what is written and tells its digest. No descriptor: nothing may write past it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._hash = stream, hashlib.blake2b()

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._hash.update(content)
        return self._stream.write(content)

    @property
    def digest(self) -> bytes:
        return self._hash.digest()


def _digest(path: Path) -> bytes | None:
    """Of the file there, None if there is none."""
    found = hashlib.blake2b()
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as stream:
            while content := stream.read(1 << 20):
                found.update(content)
    except FileNotFoundError:
        return None
    return found.digest()


class Folder:
    """Where files are written to. `written`: (name, "written" or "unchanged"), in order."""

    def __init__(self, path: Path, *, overwrite: bool, cancel: CancelToken) -> None:
        self.path, self._overwrite, self._cancel = path.expanduser().absolute(), overwrite, cancel
        self.written: list[tuple[str, str]] = []
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._directory = os.open(self.path, OPEN_DIRECTORY)
        except OSError as problem:
            raise FileError(f"{path} cannot be made: {disk_words(problem)}.", "Choose another place.") from problem
        self._sweep()

    def close(self) -> None:
        os.close(self._directory)

    def _sweep(self) -> None:
        """Removes what an export that was killed left behind, unless another one is at work here."""
        with contextlib.suppress(OSError):
            fcntl.flock(self._directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with os.scandir(self._directory) as entries:
                left = [entry.name for entry in entries if _PART.fullmatch(entry.name)]
            for name in left:
                os.unlink(name, dir_fd=self._directory)

    def write(self, name: str, fill: Callable[[Any], object]) -> None:
        """A file that `fill` writes; one that is there and differs is only replaced with leave (`FileError`)."""
        self._cancel.check()
        target = self.path / name
        try:
            with atomic_file(target, overwrite=True, below=self.path) as stream:
                told = _Told(stream)
                fill(told)
                there = _digest(target)
                if there == told.digest:
                    raise _UnchangedError
                if there is not None and not self._overwrite:
                    raise FileError(f"{target} exists and differs.", "Add --overwrite, or choose another directory.")
        except _UnchangedError:
            self.written.append((name, "unchanged"))
            return
        self.written.append((name, "written"))

    def rows(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, line_end: str = "\r\n") -> None:
        """A CSV of Python values: None is an empty cell. The original's csv module ends lines with CR LF, its pandas
        with LF."""

        def fill(stream: BinaryIO) -> None:
            text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogatepass", newline="")
            writer = csv.writer(text, lineterminator=line_end)
            writer.writerow(columns)
            writer.writerows(rows)
            text.flush()
            text.detach()

        self.write(name, fill)

    def lines(self, name: str, frames: pl.DataFrame | Iterable[pl.DataFrame]) -> None:
        """JSON lines of the frames' rows, keys in the order of their columns."""

        def fill(stream: BinaryIO) -> None:
            for frame in [frames] if isinstance(frames, pl.DataFrame) else frames:
                for part in frame.iter_slices(_SLICE):
                    self._cancel.check()
                    buffer = io.BytesIO()
                    part.write_ndjson(buffer)
                    stream.write(buffer.getvalue())

        self.write(name, fill)

    def texts(self, name: str, texts: Iterable[str]) -> None:
        """Lines that are ready."""

        def fill(stream: BinaryIO) -> None:
            for text in texts:
                stream.write(text.encode("utf-8", "surrogatepass") + b"\n")

        self.write(name, fill)

    def json(
        self, name: str, content: Any, *, indent: int = 2, sort_keys: bool = False, line_end: bool = False
    ) -> None:
        text = json.dumps(content, indent=indent, sort_keys=sort_keys) + ("\n" if line_end else "")
        self.write(name, lambda stream: stream.write(text.encode()))
