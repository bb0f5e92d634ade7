"""The archives of a finished download, each unpacked beside itself as `NAME.unpacked`: whole, or not at all.

>>> from backends.unpacking.downloads import unpack_downloads
>>> told = unpack_downloads(Path("out"), [file.key for file in plan.files], cancel)
>>> told.unpacked, told.kept, told.problems
(12, 3, [("group/task/0/public/broken.zip", "broken.zip is damaged: ...")])

What was unpacked from which content is remembered in OUTPUT/.ciexplore/unpacked.json, so that the same call again does
only what is missing, and a newer download replaces the tree of the older one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backends.atomic import atomic_file
from backends.cancel import Cancel
from backends.problems import FileProblem
from backends.transfers.manifest import Manifest
from backends.transfers.names import OWN_DIRECTORY, is_safe
from backends.transfers.outputs import Output
from backends.transfers.states import Entry, State
from backends.unpacking.kinds import is_archive
from backends.unpacking.limits import AlreadyThere, Limits
from backends.unpacking.unpack import unpack

SUFFIX = ".unpacked"
RECORD = "unpacked.json"
_HERE = (State.VERIFIED, State.UNCHANGED)
Progress = Callable[[int, int], None]  # (archives looked at, archives in all)


@dataclass
class UnpackedDownloads:
    """`unpacked` now, `kept` from an earlier call; `problems`: (archive, why) of those that were not unpacked;
    `skipped`: (archive, member, why) of what was left out of those that were.
    """

    unpacked: int = 0
    kept: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str, str]] = field(default_factory=list)


def unpack_downloads(
    output: Path,
    keys: Collection[str] | None,
    cancel: Cancel,
    progress: Progress | None = None,
    *,
    limits: Limits | None = None,
) -> UnpackedDownloads:
    """Unpacks the archives among the files with these keys (all of the directory's if None) that are there.

    One archive's failure does not stop the others. Raises `FileProblem` if another run has the directory, `Cancelled`.
    """
    told = UnpackedDownloads()
    with Manifest.open(output) as manifest, Output(output) as opened:
        entries = manifest.entries()
        chosen = None if keys is None else frozenset(keys)
        wanted = [entry for key, entry in sorted(entries.items()) if chosen is None or key in chosen]
        archives = [entry for entry in wanted if entry.state in _HERE and is_archive(entry.target)]
        known = _read(output)
        for number, entry in enumerate(archives):
            cancel.check()
            if progress is not None:
                progress(number, len(archives))
            try:
                _one(opened, entry, known, told, limits, cancel)
            except FileProblem as problem:
                told.problems.append((entry.target, problem.sentence))
        if progress is not None:
            progress(len(archives), len(archives))
    return told


def _one(
    opened: Output,
    entry: Entry,
    known: dict[str, str],
    told: UnpackedDownloads,
    limits: Limits | None,
    cancel: Cancel,
) -> None:
    parts = tuple(entry.target.split("/"))
    if not is_safe(parts):  # the manifest is a file and can be edited
        raise FileProblem("Its recorded place is not below the output directory.")
    opened.directory(parts[:-1])  # refuses links in between
    archive = opened.path.joinpath(*parts)
    target = archive.with_name(archive.name + SUFFIX)
    if archive.is_symlink() or not archive.is_file():
        raise FileProblem(f"{archive.name} is not there any more.", "Download it again.")
    old = None
    if target.exists() or target.is_symlink():
        if entry.target not in known or target.is_symlink() or not target.is_dir():
            raise AlreadyThere(f"{target.name} is there already, and not from here.", "Move it away, then try again.")
        if known[entry.target] == entry.sha256 != "":
            told.kept += 1
            return
        old = target.with_name(f".{target.name[:200]}.old")
    try:
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)
            target.rename(old)
        try:
            done = unpack(archive, target, limits=limits, cancel=cancel)
        except BaseException:
            if old is not None:
                old.rename(target)  # whole, if of an older download
            raise
    except OSError as error:
        raise FileProblem(f"{target.name} cannot be replaced: {error.strerror or error}.", "Make room?") from error
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
    told.unpacked += 1
    told.skipped += [(entry.target, name, why) for name, why in done.skipped]
    known[entry.target] = entry.sha256
    _write(opened.path, known)  # after each: a killed run must know its own trees again


def _read(output: Path) -> dict[str, str]:
    try:
        value = json.loads((output / OWN_DIRECTORY / RECORD).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(value, dict):
        return {}
    return {name: digest for name, digest in value.items() if isinstance(digest, str)}


def _write(output: Path, known: Mapping[str, str]) -> None:
    with atomic_file(output / OWN_DIRECTORY / RECORD, overwrite=True) as file:
        file.write(json.dumps(known, indent=1, sort_keys=True).encode() + b"\n")
