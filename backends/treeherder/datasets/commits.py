"""The commits that the original counts by: all_commits.jsonl, as `hg log -Tjson` tells them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import polars as pl

from backends.atomic import disk_words
from backends.errors import FileError, UsageError

COMMITS = {"revision": pl.String(), "commit_ts": pl.Int64()}


class _Commit(msgspec.Struct):
    node: str
    date: list[float]  # epoch seconds, offset from UTC


def read_commits(path: Path) -> pl.DataFrame:
    """revision, commit_ts (epoch seconds), in the order of the file, each revision once (its last line counts).

    Raises `FileError`, `UsageError` for a line that is no commit.
    """
    known: dict[str, int] = {}
    try:
        with path.expanduser().open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    commit = msgspec.json.decode(line, type=_Commit)
                    known[commit.node] = int(commit.date[0])
                except (msgspec.MsgspecError, UnicodeDecodeError, TypeError, ValueError, IndexError) as error:
                    raise UsageError(
                        f"Line {number} of {path} is no commit: {error}.",
                        'Each line is an object of `hg log -Tjson`: {"node": ..., "date": [seconds, offset], ...}.',
                    ) from error
    except OSError as problem:
        raise FileError(f"{path} cannot be read: {disk_words(problem)}.") from problem
    return pl.DataFrame({"revision": list(known), "commit_ts": list(known.values())}, schema=COMMITS)
