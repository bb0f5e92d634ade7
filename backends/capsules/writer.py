"""Writes a capsule: the same bytes for the same content, under its name only when it is complete."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from backends import __version__
from backends.atomic import SymlinkError, atomic_file, check_target
from backends.cancel import CancelToken
from backends.capsules.layout import FORMAT, MANIFEST, VERSION, Entry, Manifest, SavedList, format_time
from backends.capsules.recorder import RecordedBody
from backends.errors import FileError
from backends.paths import expand_home, is_link

_FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can have; the manifest has the real ones
_REGULAR_FILE = 0o100644 << 16


def write_capsule(
    target: Path,
    content: Sequence[tuple[Entry, RecordedBody | None]],
    lists: Sequence[SavedList],
    *,
    settings: Mapping[str, str],
    created: float,
    note: str = "",
    private: bool = False,
    overwrite: bool = False,
    cancel: CancelToken | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """`content`: what a `Recorder` has. `created`: seconds since 1970. `progress(files written, files)`.

    Raises `FileError` where `target` exists and not `overwrite` or cannot be written, `SymlinkError` for a link.
    """
    check_capsule_target(target, overwrite=overwrite)
    entries = [entry for entry, _ in content]
    manifest = Manifest(
        format=FORMAT,
        version=VERSION,
        program=f"ciexplore {__version__}",
        created=format_time(created),
        note=note,
        private=private,
        settings=dict(sorted(settings.items())),
        lists=list(lists),
        entries=entries,
    )
    files = [(entry, body) for entry, body in content if body is not None]
    with atomic_file(target, overwrite=overwrite) as stream, zipfile.ZipFile(stream, "w", allowZip64=True) as archive:
        archive.writestr(_member(MANIFEST), msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
        for number, (entry, body) in enumerate(files):
            if cancel is not None:
                cancel.check()
            member = _member(entry.file)
            member.file_size = entry.size  # says whether zip64 is needed
            with archive.open(member, "w") as sink:
                for piece in body.pieces():
                    sink.write(piece)
            if progress is not None:
                progress(number + 1, len(files))


def check_capsule_target(target: Path, *, overwrite: bool = False) -> None:
    """Raises the `FileError`s of `write_capsule` that can be known before anything is read."""
    if str(target) == "-":
        raise FileError("A capsule is not written to stdout.", "Name a file.")
    named = expand_home(target)
    if is_link(named):
        raise SymlinkError(target)
    check_target(target, overwrite=overwrite)
    if named.exists() and not named.is_file():
        raise FileError(f"{target} is not a regular file.", "Name a file: a capsule cannot be written into a pipe.")


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _FIRST_DAY)
    info.compress_type = zipfile.ZIP_DEFLATED  # at zlib's own level
    info.create_system = 3
    info.external_attr = _REGULAR_FILE
    return info
