"""What a download in ArtifactDownloader's layout holds, by suite: its `task_processor` for our trees and for its own.

>>> from backends.taskcluster.artifact_downloader import results
>>> results.get_task_data("SssyewAFQiKm40PIouxo_g", "analysis/", artifact="perfherder-data", run_number="4")
{"browsertime-tp6": [{"file": "analysis/.../0/TASKID_perfherder-data.json", "data": {...}}, ...], ...}

It reads trees whatever separator follows the task id (`_`, `|` or `+-+`). JSON files are parsed, text files are
lists of lines with their ends, anything else is bytes; `.gz`, `.bz2`, `.xz` and `.zst` are decompressed first, but for
archives, which are bytes. Unlike the original it prints nothing, changes no directory and never gives None.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from backends.atomic import disk_words
from backends.errors import FileError
from backends.extraction.limits import ArchiveKind, is_archive
from backends.taskcluster.artifact_downloader import data_directory, run_numbers
from backends.transfers.names import safe_name

DEFAULT_PLATFORM = "test-linux64-ccov"
LARGEST = 2 << 30  # bytes of a decompressed file, which is held in memory
_OWNER = re.compile(r"([A-Za-z0-9_-]{22})(?:\+-\+|\||_)(?=.)")
_UNFINISHED = re.compile(r"\.[0-9a-f]{16}\.new")  # a link that a killed run had not yet given its name
_DIGITS = re.compile(r"(\d+)")
_COMPRESSED = {
    ".gz": ArchiveKind.TAR_GZ,
    ".bz2": ArchiveKind.TAR_BZ2,
    ".xz": ArchiveKind.TAR_XZ,
    ".zst": ArchiveKind.TAR_ZST,
}


class NoResultsError(FileError):
    """There is no such group or run below the path."""


class UnreadableResultError(FileError):
    """A file of the results is damaged or cannot be read."""


def artifact_downloader(
    task_group_id: str,
    output_dir: str | os.PathLike[str] | None = None,
    test_suites: Sequence[str] = (),
    download_failures: bool = False,
    artifact_to_get: str | Sequence[str] = "grcov",
    unzip_artifact: bool = True,
    platform: str = DEFAULT_PLATFORM,
    ingest_continue: bool = False,
) -> tuple[str, str]:
    """Downloads as the original's function of this name does; returns the run's directory and GECKO_HEAD_REV.

    `output_dir` is the working directory if not given; "all" in `test_suites` is every suite. File names have the
    original's separator, `+-+`. The deployment is the configured one (TASKCLUSTER_ROOT_URL). Files that could not be
    had are named in a warning. Raises `UsageError` where no task is meant, and the other `AppError`s.
    """
    from backends.taskcluster.artifact_downloader.download import download

    return download(
        task_group_id,
        Path(output_dir) if output_dir is not None else Path.cwd(),
        (test_suites,) if isinstance(test_suites, str) else tuple(test_suites),
        (artifact_to_get,) if isinstance(artifact_to_get, str) else tuple(artifact_to_get),
        include_failed=download_failures,
        unzip=unzip_artifact,
        platform=platform,
        resume="last" if ingest_continue else None,
    )


def get_task_data_paths(
    task_group_id: str,
    path: str | os.PathLike[str],
    run_number: int | str | None = None,
    artifact: str | Sequence[str] = (),
    artifact_dir: str = "",
    suite_matcher: str = "",
    silent: bool = False,
) -> dict[str, list[str]]:
    """Suite -> paths of its files, in natural order (2 before 10); an empty list where a suite has none.

    `path` is the output directory. `run_number` None is the highest run that has suites. `artifact`: the pattern (or
    patterns) that the files were downloaded with; none means all. A directory whose name it is a part of, e.g. an
    unpacked browsertime-results, is given as itself. Where no directory of data is named so, the files whose names it
    is a part of. `artifact_dir` names the directory outright, `<artifact_dir>_data`; then `artifact` only
    chooses among its files. `suite_matcher` is a part of the suite's name. `silent` has no effect: nothing is
    printed. Raises `NoResultsError`.
    """
    run = _run(task_group_id, Path(path), run_number)
    wanted = [artifact] if isinstance(artifact, str) else list(artifact)
    found = {}
    for suite in _directories(run):
        paths = _paths(suite, [one for one in wanted if one], artifact_dir) if suite_matcher in suite.name else None
        if paths is not None:
            found[suite.name] = [str(path) for path in paths]
    return dict(sorted(found.items(), key=lambda item: _natural(item[0])))


def get_task_data(
    task_group_id: str,
    path: str | os.PathLike[str],
    run_number: int | str | None = None,
    artifact: str | Sequence[str] = (),
    artifact_dir: str = "",
    suite_matcher: str = "",
    silent: bool = False,
) -> dict[str, list[dict[str, Any]]]:
    """Suite -> [{"data": what the file holds, "file": its path}, ...]; parameters and order as in
    `get_task_data_paths`, of directories all files in them. Raises `NoResultsError`, `UnreadableResultError`.
    """
    paths = get_task_data_paths(task_group_id, path, run_number, artifact, artifact_dir, suite_matcher, silent)
    return {
        suite: [
            {"data": read(file), "file": str(file)}
            for entry in map(Path, entries)
            for file in (sorted(_below(entry), key=_natural_path) if entry.is_dir() else [entry])
        ]
        for suite, entries in paths.items()
    }


def task_id_of(file_name: str) -> str | None:
    """The task id that a file's name begins with, whichever separator follows; None if there is none."""
    found = _OWNER.match(file_name)
    return found[1] if found else None


def read(file: Path) -> Any:
    """JSON parsed, text as lines, anything else as bytes. Raises `UnreadableResultError`."""
    try:
        content, name = _content(file)
    except (OSError, FileError) as error:
        why = error.sentence if isinstance(error, FileError) else disk_words(error, file)
        raise UnreadableResultError(f"{file} cannot be read: {why}", "Download it again.") from error
    if name.lower().endswith(".json"):
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise UnreadableResultError(f"{file} is not JSON: {error}.", "Download it again.") from error
    try:
        return content if b"\0" in content else content.decode().splitlines(keepends=True)
    except UnicodeDecodeError:
        return content


def _content(file: Path) -> tuple[bytes, str]:
    """(the bytes, decompressed; the name without the ending of the compression)."""
    kind = _COMPRESSED.get(file.suffix.lower())
    if kind is None or is_archive(file.name) is not None:
        return file.read_bytes(), file.name
    from backends.extraction.members import decode_stream

    pieces, size = [], 0
    with file.open("rb") as raw:
        for piece in decode_stream(raw, kind, file.name):
            size += len(piece)
            if size > LARGEST:
                raise FileError(f"it holds more than {LARGEST >> 30} GB.")
            pieces.append(piece)
    return b"".join(pieces), file.stem


def _run(group_id: str, path: Path, run_number: int | str | None) -> Path:
    group = path / safe_name(group_id)
    if not group.is_dir() and path.name == group.name:
        group = path  # the original forbids to give the group's own directory; there is no reason to
    if not group.is_dir():
        raise NoResultsError(f"There is no group {group_id} in {path}.", "Give the output directory of the download.")
    numbers = run_numbers(group)
    if run_number is None:
        filled = [number for number in numbers if any(_directories(group / str(number)))]
        if not filled:
            raise NoResultsError(f"No run in {group} has any suite.", "Did the download finish?")
        return group / str(filled[-1])
    wanted = str(run_number).strip()
    if wanted not in map(str, numbers):
        known = f"It has {', '.join(map(str, numbers[-10:]))}." if numbers else "It has none."
        raise NoResultsError(f"There is no run {wanted} in {group}.", known)
    return group / wanted


def _paths(suite: Path, artifacts: Sequence[str], artifact_dir: str) -> list[Path] | None:
    """None if the suite has no directory for such data."""
    every = [one for one in _directories(suite) if one.name.endswith("_data")]
    named = [one for one in every if one.name in {data_directory(artifact) for artifact in artifacts}]
    if artifact_dir:
        every, named = [one for one in every if one.name in (data_directory(artifact_dir), f"{artifact_dir}_data")], []
    every = named or every
    takes_all = bool(named) or not artifacts  # of what has no pattern in its name
    found: list[Path] = []
    for number in (number for directory in every for number in _directories(directory) if number.name.isdecimal()):
        matches = list(_matching(number, artifacts))
        found += matches if matches or not takes_all else _below(number)
    is_known = not artifacts or any(part.replace(".", "") in one.name for part in artifacts for one in every)
    if not found and not (every and is_known):
        return None
    return sorted(found, key=lambda path: _natural(str(path.relative_to(suite))))


def _matching(directory: Path, artifacts: Sequence[str]) -> Iterator[Path]:
    """What has one of the patterns in its name, at any depth; nothing of what is in a directory that has."""
    for path in sorted(directory.iterdir()):
        if path.name.startswith(".") or path.is_symlink():
            continue
        if any(artifact in path.name for artifact in artifacts):
            yield path
        elif path.is_dir():
            yield from _matching(path, artifacts)


def _directories(above: Path) -> list[Path]:
    """Directories that are no links and not hidden: an unfinished one is."""
    return sorted(
        path for path in above.iterdir() if path.is_dir() and not path.is_symlink() and not path.name.startswith(".")
    )


def _below(directory: Path) -> Iterator[Path]:
    for above, directories, names in os.walk(directory):
        directories.sort()
        yield from (
            Path(above, name) for name in names if Path(above, name).is_file() and not _UNFINISHED.fullmatch(name)
        )


def _natural_path(path: Path) -> list[tuple[int, int, str]]:
    return _natural(str(path))


def _natural(text: str) -> list[tuple[int, int, str]]:
    """A key that counts: digits as numbers, before letters."""
    return [
        (0, int(part), part) if part.isascii() and part.isdecimal() else (1, 0, part)
        for part in _DIGITS.split(text)
        if part
    ]
