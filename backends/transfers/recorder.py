"""One thread records what arrived, makes it durable and renames it into place, in this order, in batches."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Sequence

from backends.atomic import BlockedPathError, disk_words
from backends.errors import FileError
from backends.transfers.manifest import Manifest
from backends.transfers.output_directory import (
    DISK_FULL_ERRNOS,
    SYNCED,
    FileStamp,
    OutputDirectory,
    current_boot_id,
    describe_full_disk,
    part_name,
    read_stamp,
    sync_directories,
    sync_files,
)
from backends.transfers.plan import TransferPlan
from backends.transfers.states import (
    NOTHING,
    PRESENT_STATES,
    FileResult,
    FileTransfer,
    ManifestEntry,
    PendingFile,
    PlanAction,
    TransferState,
)


def commit(batch: Sequence[FileTransfer], output: OutputDirectory, manifest: Manifest) -> list[FileResult]:
    """Records these parts as pending in the manifest, then renames them into place; returns how each ended.

    The results are not recorded yet. Raises OSError if the disk is full; then some files may have their final names,
    and all may be committed again.
    """
    if not batch:
        return []
    sync_files([item.part for item in batch], output.parts)
    manifest.record_pending(_pending(item) for item in batch)
    results, touched = [], set()
    for item in batch:
        results.append(_rename_into_place(item, output))
        if results[-1].state in PRESENT_STATES:
            touched.add(item.row.path[:-1])
    sync_directories((*touched, *output.created()), output.directory)
    return results


def _rename_into_place(item: FileTransfer, output: OutputDirectory) -> FileResult:
    stored = _pending(item)
    try:
        output.rename_part(item.part, item.row.path, _replaceable(item, stored, output))
    except (BlockedPathError, FileNotFoundError) as error:
        if _is_named(item, stored, output):  # by an earlier commit that ended with a full disk
            return _success(item, stored)
        if not isinstance(error, BlockedPathError):
            sentence = f"The part of {item.row.target} does not exist any more."
            return FileResult(item.key, TransferState.FAILED, "disk", sentence, item.tries)
        return FileResult(item.key, TransferState.FAILED, error.reason, str(error), item.tries)
    except OSError as error:
        if error.errno in DISK_FULL_ERRNOS:
            raise
        words = f"{item.row.target}: {disk_words(error, output.path)}."
        return FileResult(item.key, TransferState.FAILED, "disk", words, item.tries)
    return _success(item, stored)


def _success(item: FileTransfer, stored: PendingFile) -> FileResult:
    state = TransferState.UNCHECKED if stored.checked_by == NOTHING else TransferState.VERIFIED
    return FileResult(item.key, state, detail=stored.note, tries=item.tries)


def _replaceable(item: FileTransfer, stored: PendingFile, output: OutputDirectory) -> FileStamp | None:
    """What may be replaced: the file that the plan saw there, or, if the manifest was lost, one of the same content."""
    if item.row.keep_identical:
        there = read_stamp(item.row.path[-1], output.directory(item.row.path[:-1]))
        if there is not None and there[0] == stored.size and output.sha256(item.row.path) == stored.sha256:
            return there
    return item.row.replaces


def _is_named(item: FileTransfer, stored: PendingFile, output: OutputDirectory) -> bool:
    if read_stamp(item.part, output.parts) is not None:
        return False
    there = read_stamp(item.row.path[-1], output.directory(item.row.path[:-1]))
    return there == (stored.size, stored.mtime_ns)


def _pending(item: FileTransfer) -> PendingFile:
    assert item.stored is not None
    return item.stored


BATCH_SIZE = 256  # files; limits what is fetched again after a crash of the machine
BATCH_DELAY = 0.2  # seconds that the first file of a batch waits for others: each batch costs three syncs
WORTH_RESUMING = 1 << 20  # bytes; below it, requesting the rest costs as much as requesting all

OnRecorded = Callable[[list[FileTransfer], list[FileResult]], None]


class Recorder:
    """Records and renames finished files in batches. Holds the output directory and its lock until `run` returns."""

    def __init__(self, manifest: Manifest, output: OutputDirectory, expected: int) -> None:
        self._manifest = manifest
        self._output = output
        self._changed = threading.Condition()
        self._queue: list[FileTransfer] = []
        self._new_parts: list[FileTransfer] = []
        self._expected = expected
        self.parts = output.parts

    @classmethod
    def open(cls, plan: TransferPlan, rerun: Sequence[FileTransfer] = ()) -> tuple[Recorder, TransferPlan]:
        """Locks the directory. Returns the plan too, made again if another run has used the directory since.

        `rerun`: the files of this plan, if it is run a second time. Raises `FileError`.
        """
        manifest = Manifest.open(plan.output)
        output: OutputDirectory | None = None
        try:
            output = OutputDirectory(plan.output)
            if not rerun:
                was_damaged = plan.revision == -1 and manifest.revision == 0  # and has just been moved aside
                if plan.revision != manifest.revision and not was_damaged:
                    plan = plan.replan(manifest)
                manifest.begin_run(_make_entry(FileTransfer(row)) for row in plan.rows)
                _remove_stale_parts(plan, manifest, output)
            expected = sum(item.state is TransferState.PLANNED for item in rerun) if rerun else plan.to_fetch
            return cls(manifest, output, expected), plan
        except BaseException as error:
            manifest.close()
            if output is not None:
                output.close()
            if not isinstance(error, OSError):
                raise
            raise FileError(
                f"Cannot write into {plan.output}: {disk_words(error, plan.output)}.",
                "Free disk space, check its permissions, or choose another directory.",
            ) from error

    @property
    def all_recorded(self) -> bool:
        """Whether every expected file has been recorded."""
        return self._expected == 0

    def add_expected(self, count: int) -> bool:
        """Expects that many more files; False if the recorder has finished already."""
        with self._changed:
            if self.all_recorded:
                return False
            self._expected += count
            return True

    def submit(self, items: Iterable[FileTransfer]) -> None:
        """Adds files whose bytes are complete, or that ended otherwise."""
        with self._changed:
            self._queue += items
            if len(self._queue) >= min(BATCH_SIZE, self._expected) or len(self._queue) == 1:
                self._changed.notify()

    def record_part(self, item: FileTransfer) -> None:
        """Records the part of a big file, so that it can be resumed if we are killed."""
        with self._changed:
            self._new_parts.append(item)
            self._changed.notify()

    def run(self, on_recorded: OnRecorded, on_full: Callable[[OSError], bool]) -> None:
        """Records until every expected file is recorded.

        `on_recorded` gets each batch and the results of its pending files. `on_full` is called when the disk is full;
        it returns whether to try again.
        """
        try:
            while not self.all_recorded:
                batch, parts = self._next_batch()
                self._record_parts([(item.key, item.etag, current_boot_id()) for item in parts if item.etag])
                if batch:
                    self._record_batch(batch, on_recorded, on_full)
                    with self._changed:
                        self._expected -= len(batch)
        finally:
            self._output.close()
            self._manifest.close()

    def _next_batch(self) -> tuple[list[FileTransfer], list[FileTransfer]]:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._new_parts)
            if self._queue:
                self._changed.wait_for(lambda: len(self._queue) >= min(BATCH_SIZE, self._expected), BATCH_DELAY)
            batch, self._queue = self._queue, []
            parts, self._new_parts = self._new_parts, []
            return batch, parts

    def _record_batch(
        self, batch: list[FileTransfer], on_recorded: OnRecorded, on_full: Callable[[OSError], bool]
    ) -> None:
        stored = [item for item in batch if item.state is TransferState.STORED]
        others = [item for item in batch if item.state is not TransferState.STORED]
        while True:
            try:
                self._keep_parts(others)
                results = commit(stored, self._output, self._manifest)
                self._manifest.record_results([*results, *(item.result() for item in others)])
            except OSError as error:
                if error.errno in DISK_FULL_ERRNOS:
                    if on_full(error):
                        continue
                    reason, sentence = describe_full_disk(error, self._output.path)
                    state = TransferState.CANCELLED
                else:
                    words = disk_words(error, self._output.path)
                    reason, sentence, state = "disk", f"The disk reports: {words}.", TransferState.FAILED
                results = self._fail_batch(stored, others, state, reason, sentence)
            except Exception as error:
                sentence = f"{type(error).__name__}: {error}"[:300]
                results = self._fail_batch(stored, others, TransferState.FAILED, "internal", sentence)
            on_recorded(batch, results)
            return

    def _fail_batch(
        self, stored: list[FileTransfer], others: list[FileTransfer], state: TransferState, reason: str, sentence: str
    ) -> list[FileResult]:
        results = [FileResult(item.key, state, reason, sentence, item.tries) for item in stored]
        with contextlib.suppress(Exception):  # if nothing can be written, the next plan relies on what it finds
            self._manifest.record_results([*results, *(item.result() for item in others)])
        return results

    def _keep_parts(self, items: list[FileTransfer]) -> None:
        """Parts of files that did not arrive: syncs and records those worth resuming, removes the others."""
        resumable = [item for item in items if item.etag and item.bytes >= WORTH_RESUMING]
        sync_files([item.part for item in resumable], self._output.parts)
        self._record_parts([(item.key, item.etag, SYNCED) for item in resumable])
        for item in items:
            if item not in resumable and not item.sha256:
                self._output.remove_part(item.part)

    def _record_parts(self, parts: list[tuple[str, str, str]]) -> None:
        if parts:
            self._manifest.record_parts(parts)


def _make_entry(item: FileTransfer) -> ManifestEntry:
    row = item.row
    mtime = row.replaces[1] if row.action is PlanAction.UNCHANGED and row.replaces else None
    return ManifestEntry(
        item.key, item.file.url, row.target, item.state, mtime_ns=mtime, reason=item.reason, detail=item.detail
    )


def _remove_stale_parts(plan: TransferPlan, manifest: Manifest, output: OutputDirectory) -> None:
    """Removes parts that killed runs left behind and that cannot be resumed."""
    left = os.listdir(output.parts)  # noqa: PTH208 - by descriptor, not by name
    if not left:
        return
    resumed = {part_name(row.file.key) for row in plan.rows if row.action is PlanAction.RESUME}
    entries = {part_name(entry.key): entry for entry in manifest.entries().values()}
    for name in left:
        entry = entries.get(name)
        if read_stamp(name, output.parts) == (-1, -1):
            continue  # a link or directory of somebody else; the file that needs this name will report it
        if entry is not None and (entry.is_resumable or read_stamp(name, output.parts) == (entry.size, entry.mtime_ns)):
            continue
        if name not in resumed:
            output.remove_part(name)
