"""The plan of a download: compares files with the output directory and its manifest; a preview as a tree."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from backends.cancel import CancelToken
from backends.frames.formats import format_bytes
from backends.paths import is_directory
from backends.transfers import names
from backends.transfers.files import RemoteFile
from backends.transfers.manifest import DamagedManifestError, Manifest
from backends.transfers.output_directory import FileStamp, part_name, read_stamp
from backends.transfers.states import NOTHING, PRESENT_STATES, ManifestEntry, PlanAction, PlanRow


@dataclass
class _TreeNode:
    name: str
    depth: int
    count: int = 0
    known: int = 0
    unknown: int = 0
    below: dict[str, _TreeNode] = field(default_factory=dict)
    opened: bool = False

    @property
    def line(self) -> str:
        about = format_bytes(self.known) if self.known or not self.unknown else "size unknown"
        if self.known and self.unknown:
            about += f" and {count_files(self.unknown)} of unknown size"
        what = about if not self.below else f"{count_files(self.count)}, {about}"
        return f"{'  ' * self.depth}{self.name}{'/' if self.below else ''}  {what}"


def render_tree(root: str, paths: Iterable[tuple[tuple[str, ...], int | None]], max_lines: int) -> str:
    """A tree of `paths` (path, bytes or None); expands level by level while all of a directory fits."""
    top = _add_path(root, paths)
    lines, level = 1, [top]
    while level:
        deeper: list[_TreeNode] = []
        for node in level:
            if node.below and lines + len(node.below) <= max_lines:
                node.opened = True
                lines += len(node.below)
                deeper += node.below.values()
        level = deeper
    if not top.opened and top.below and max_lines > 2:  # the first level is too long: the first few, and how many more
        first = sorted(top.below)[: max_lines - 2]
        shown = [top.line, *(top.below[name].line for name in first)]
        return "\n".join([*shown, f"  … and {len(top.below) - len(first):,} more"])
    return "\n".join(_render(top))


def _add_path(root: str, paths: Iterable[tuple[tuple[str, ...], int | None]]) -> _TreeNode:
    top = _TreeNode(root, 0)
    for path, length in paths:
        node = top
        for name in (None, *path):
            if name is not None:
                node = node.below.setdefault(name, _TreeNode(name, node.depth + 1))
            node.count += 1
            node.known += length or 0
            node.unknown += length is None
    return top


def _render(node: _TreeNode) -> list[str]:
    lines = [node.line]
    if node.opened:
        for name in sorted(node.below):
            lines += _render(node.below[name])
    return lines


def count_files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


@dataclass(frozen=True)
class TransferPlan:
    """`rows` in the order of the input. `free`: bytes on the disk. `revision`: of the manifest, -1 if damaged."""

    output: Path
    rows: tuple[PlanRow, ...]
    warnings: tuple[str, ...] = ()
    free: int | None = None
    revision: int = 0
    overwrite: bool = False
    rehash: bool = False
    counts: Mapping[PlanAction, int] = field(default_factory=dict)

    @property
    def to_fetch(self) -> int:
        return self.counts.get(PlanAction.FETCH, 0) + self.counts.get(PlanAction.RESUME, 0)

    @functools.cached_property
    def bytes_to_fetch(self) -> int:
        """Bytes of the files whose size is known; `unknown_sizes` counts the others."""
        return sum(max(0, row.file.size - row.have) for row in self._moving() if row.file.size is not None)

    @functools.cached_property
    def unchecked(self) -> int:
        """Unchanged files that neither a digest nor a length has verified."""
        return sum(row.action is PlanAction.UNCHANGED and row.checked_by == NOTHING for row in self.rows)

    @functools.cached_property
    def unknown_sizes(self) -> int:
        return sum(row.file.size is None for row in self._moving())

    def tree(self, max_lines: int = 20) -> str:
        """Directories with counts and sizes, as deep as `max_lines` allow, without skipped files."""
        paths = ((row.path, row.file.size) for row in self.rows if row.action is not PlanAction.SKIP)
        return render_tree(str(self.output), paths, max_lines)

    def replan(self, manifest: Manifest | None = None) -> TransferPlan:
        """A plan of the same files for the directory as it is now."""
        files = [row.file for row in self.rows]
        return make_plan(files, self.output, manifest=manifest, overwrite=self.overwrite, rehash=self.rehash)

    def _moving(self) -> Iterator[PlanRow]:
        return (row for row in self.rows if row.action in (PlanAction.FETCH, PlanAction.RESUME))


def make_plan(
    files: Iterable[RemoteFile],
    output: Path,
    *,
    manifest: Manifest | None = None,
    cancel: CancelToken | None = None,
    overwrite: bool = False,
    rehash: bool = False,
) -> TransferPlan:
    """Plans a download of these files into `output`. Files with the same key are one file.

    `manifest`: read from `output` if not given. `overwrite`: also files not created by ciexplore. `rehash`: read
    existing files again even if size and time are as recorded. Raises `FileError` if the manifest cannot be read,
    except for damage, which is a warning; `OperationCancelledError`.
    """
    merged = _merge_files(files)
    warnings: list[str] = []
    entries: dict[str, ManifestEntry] = {}
    revision = 0
    try:
        record = manifest or Manifest.read(output)
        try:
            entries, revision = record.entries(), record.revision
        finally:
            if manifest is None:
                record.close()
    except DamagedManifestError as error:
        warnings.append(str(error))
        entries, revision = {}, -1
    taken = {key: tuple(entry.target.split("/")) for key, entry in entries.items()}
    targets = names.assign(((file.key, file.parts) for file in merged), taken)
    scan = _TargetScan(output, rehash=rehash, overwrite=overwrite, damaged=revision < 0, cancel=cancel or CancelToken())
    rows = tuple(scan.make_row(file, targets[file.key], entries.get(file.key)) for file in merged)
    counts = dict.fromkeys(PlanAction, 0)
    for row in rows:
        counts[row.action] += 1
    free = _free_space(output)
    plan = TransferPlan(output, rows, (), free, revision, overwrite, rehash, counts)
    return replace(plan, warnings=(*warnings, *_make_warnings(plan)))


def _merge_files(files: Iterable[RemoteFile]) -> list[RemoteFile]:
    """One file per key, the same one in any order of the input; its size may come from any of them."""
    found: dict[str, RemoteFile] = {}
    for file in map(_escape_surrogates, files):
        known = found.get(file.key)
        if known is None or known == file:
            found[file.key] = file
            continue
        first, second = sorted((known, file), key=lambda one: (one.parts, one.url, one.size or 0))
        found[file.key] = replace(first, size=first.size if first.size is not None else second.size)
    return list(found.values())


def _escape_surrogates(file: RemoteFile) -> RemoteFile:
    """Escapes lone surrogates, which JSON may contain: SQLite, polars and URLs do not accept them."""
    try:
        f"{file.key}{file.url}{file.skip}{file.content_type}{file.origin}".encode()
    except UnicodeEncodeError:
        words = {
            name: getattr(file, name).encode("utf-8", "backslashreplace").decode()
            for name in ("key", "url", "skip", "content_type", "origin")
        }
        return replace(file, **words)
    return file


class _TargetScan:
    """Compares files with the disk, looking at each directory only once."""

    def __init__(self, output: Path, *, rehash: bool, overwrite: bool, damaged: bool, cancel: CancelToken) -> None:
        self._output = output
        self._root = str(output)  # joined as text: pathlib costs more than the stat
        self._rehash = rehash
        self._overwrite = overwrite
        self._damaged = damaged
        self._cancel = cancel
        self._directories: dict[tuple[str, ...], str] = {(): "" if is_directory(output) else "missing"}

    def make_row(self, file: RemoteFile, path: names.Target, entry: ManifestEntry | None) -> PlanRow:
        self._cancel.check()
        target = "/".join(path)
        if file.skip:
            return PlanRow(file, target, PlanAction.SKIP, reason=file.skip)
        try:
            return self._compare(file, path, entry, target)
        except OSError:
            return PlanRow(file, target, PlanAction.CONFLICT, reason="unreadable")

    def _compare(self, file: RemoteFile, path: names.Target, entry: ManifestEntry | None, target: str) -> PlanRow:
        obstacle = self._obstacle(path[:-1])
        if obstacle not in ("", "missing"):
            return PlanRow(file, target, PlanAction.CONFLICT, reason=obstacle)
        found = None if obstacle else read_stamp(f"{self._root}/{target}")
        if found is None:
            return self._plan_fetch(file, target, entry)
        if found == (-1, -1):
            reason = "symlink" if self._output.joinpath(*path).is_symlink() else "exists"
            return PlanRow(file, target, PlanAction.CONFLICT, reason=reason)
        if entry is not None and self._is_as_recorded(file, path, entry, found):
            return PlanRow(
                file, target, PlanAction.UNCHANGED, have=found[0], replaces=found, checked_by=entry.checked_by
            )
        is_ours = entry is not None and entry.verified_at is not None
        if is_ours or self._overwrite or self._damaged:
            keep_identical = self._damaged and not self._overwrite
            return replace(
                self._plan_fetch(file, target, entry),
                replaces=None if keep_identical else found,
                keep_identical=keep_identical,
            )
        return PlanRow(file, target, PlanAction.CONFLICT, have=found[0], reason="exists")

    def _is_as_recorded(self, file: RemoteFile, path: names.Target, entry: ManifestEntry, found: FileStamp) -> bool:
        if entry.size != found[0] or not entry.sha256:
            return False
        if file.version:  # is better than a size, which may be that of compressed bytes
            if file.version not in entry.url:
                return False
        elif file.size is not None and file.size != entry.size:
            return False
        if entry.state in PRESENT_STATES and entry.mtime_ns == found[1] and not self._rehash:
            return True
        return _sha256(self._output.joinpath(*path), self._cancel) == entry.sha256

    def _plan_fetch(self, file: RemoteFile, target: str, entry: ManifestEntry | None) -> PlanRow:
        if entry is None or not (entry.sha256 or entry.is_resumable):
            return PlanRow(file, target, PlanAction.FETCH)
        part = read_stamp(f"{self._root}/{names.OWN_DIRECTORY}/parts/{part_name(file.key)}")
        if part is None or part[0] < 0:
            return PlanRow(file, target, PlanAction.FETCH)
        if entry.sha256 and part == (entry.size, entry.mtime_ns) and file.size in (None, entry.size):
            return PlanRow(
                file, target, PlanAction.RESUME, have=part[0], sha256=entry.sha256, checked_by=entry.checked_by
            )
        if not part[0] or not entry.is_resumable or (file.size is not None and part[0] > file.size):
            return PlanRow(file, target, PlanAction.FETCH)
        return PlanRow(file, target, PlanAction.RESUME, have=part[0], etag=entry.etag)

    def _obstacle(self, above: tuple[str, ...]) -> str:
        """Why nothing can be written into that directory; "" if it can, "missing" if it does not exist yet."""
        if above not in self._directories:
            known = self._obstacle(above[:-1])
            if not known:
                path = self._output.joinpath(*above)
                if path.is_symlink():
                    known = "symlink"
                elif not path.exists():
                    known = "missing"
                elif not path.is_dir():
                    known = "exists"
            self._directories[above] = known
        return self._directories[above]


def _sha256(path: Path, cancel: CancelToken) -> str:
    digest = hashlib.sha256()
    buffer = bytearray(1 << 20)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            cancel.check()
            digest.update(memoryview(buffer)[:count])
    return digest.hexdigest()


def _free_space(output: Path) -> int | None:
    for path in (output.absolute(), *output.absolute().parents):
        try:
            return shutil.disk_usage(path).free
        except OSError:
            continue
    return None


def _make_warnings(plan: TransferPlan) -> Sequence[str]:
    found: list[str] = []
    count = plan.counts.get(PlanAction.CONFLICT, 0)
    if count:
        found.append(f"{count_files(count)} will fail: their paths are taken by something else.")
    replaced = sum(row.replaces is not None for row in plan.rows if row.action in (PlanAction.FETCH, PlanAction.RESUME))
    if replaced:
        found.append(f"{count_files(replaced)} will be replaced: changed since, or overwriting is on.")
    if plan.free is not None and plan.bytes_to_fetch > plan.free:
        need, free = format_bytes(plan.bytes_to_fetch), format_bytes(plan.free)
        found.append(f"The files need {need}, and only {free} are free.")
    if plan.unknown_sizes:
        found.append(f"The size of {count_files(plan.unknown_sizes)} is not known.")
    now = time.time() * 1000
    expired = sum(row.file.expires_ms is not None and row.file.expires_ms < now for row in plan.rows)
    if expired:
        found.append(f"Expired, so the server may have deleted them: {count_files(expired)}.")
    return found
