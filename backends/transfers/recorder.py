"""The one thread that touches manifest and final names: gathers what workers finished, commits it in batches."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Sequence

from backends.atomic import disk_words
from backends.errors import FileError
from backends.transfers import boot_id, durability
from backends.transfers.commit import FULL, commit, full_words
from backends.transfers.items import Item
from backends.transfers.manifest import Manifest
from backends.transfers.outputs import Output, part_name, present
from backends.transfers.plan import Action, Plan, is_resumable
from backends.transfers.states import Entry, Outcome, State

BATCH = 256  # files; bounds what a crash of the machine makes us fetch again
LINGER = 0.2  # seconds that the first file of a batch waits for company: each batch costs three syncs
WORTH_RESUMING = 1 << 20  # bytes; below it asking for the rest costs as much as asking for all

Ended = Callable[[list[Item], list[Outcome]], None]


class Recorder:
    """Holds the output directory (and its lock) from `open` until `run` returns."""

    def __init__(self, manifest: Manifest, output: Output, expected: int) -> None:
        self._manifest = manifest
        self._output = output
        self._changed = threading.Condition()
        self._box: list[Item] = []
        self._notes: list[Item] = []
        self._expected = expected
        self.parts = output.parts

    @classmethod
    def open(cls, plan: Plan, again: Sequence[Item] = ()) -> tuple[Recorder, Plan]:
        """Takes the directory. The plan comes back as it must be now: made anew if another run was here since.

        `again`: the items of this very plan, if it is run a second time. Raises `FileError`.
        """
        manifest = Manifest.open(plan.output)
        output: Output | None = None
        try:
            output = Output(plan.output)
            output.claim()
            if not again:
                was_damaged = plan.revision == -1 and manifest.revision == 0  # and has just been set aside
                if plan.revision != manifest.revision and not was_damaged:
                    plan = plan.again(manifest)
                manifest.begin(_entry(Item(row)) for row in plan.rows)
                _tidy(plan, manifest, output)
            expected = sum(item.state is State.PLANNED for item in again) if again else plan.to_fetch
            return cls(manifest, output, expected), plan
        except BaseException as error:
            manifest.close()
            if output is not None:
                output.close()
            if not isinstance(error, OSError):
                raise
            raise FileError(
                f"Cannot write into {plan.output}: {disk_words(error, plan.output)}.",
                "Free some space, check its permissions, or choose another directory.",
            ) from error

    @property
    def over(self) -> bool:
        """Whether every expected file has been recorded."""
        return self._expected == 0

    def expect(self, count: int) -> bool:
        """That many more files will be handed over; False if it is too late for that."""
        with self._changed:
            if self.over:
                return False
            self._expected += count
            return True

    def hand(self, items: Iterable[Item]) -> None:
        """Files that were stored, or that ended otherwise."""
        with self._changed:
            self._box += items
            if len(self._box) >= min(BATCH, self._expected) or len(self._box) == 1:
                self._changed.notify()

    def note(self, item: Item) -> None:
        """A big file is under way and can be resumed if we are killed."""
        with self._changed:
            self._notes.append(item)
            self._changed.notify()

    def run(self, ended: Ended, full: Callable[[OSError], bool]) -> None:
        """Until every expected file is recorded.

        `ended` gets each batch and the outcomes of its stored files. `full` is told that the disk is full and returns
        True when it is worth trying again, False if the run is to end.
        """
        try:
            while not self.over:
                batch, notes = self._gather()
                if notes:
                    self._note([(item.key, item.etag, boot_id.this_boot()) for item in notes if item.etag])
                if batch:
                    self._settle(batch, ended, full)
                    with self._changed:
                        self._expected -= len(batch)
        finally:
            self._output.close()
            self._manifest.close()

    def _gather(self) -> tuple[list[Item], list[Item]]:
        with self._changed:
            self._changed.wait_for(lambda: self._box or self._notes)
            if self._box:
                self._changed.wait_for(lambda: len(self._box) >= min(BATCH, self._expected), LINGER)
            batch, self._box = self._box, []
            notes, self._notes = self._notes, []
            return batch, notes

    def _settle(self, batch: list[Item], ended: Ended, full: Callable[[OSError], bool]) -> None:
        stored = [item for item in batch if item.state is State.STORED]
        others = [item for item in batch if item.state is not State.STORED]
        while True:
            try:
                self._keep_parts(others)
                outcomes = commit(stored, self._output, self._manifest)
                self._manifest.finish([*outcomes, *(item.outcome() for item in others)])
            except OSError as error:
                if error.errno in FULL:
                    if full(error):
                        continue
                    reason, sentence = full_words(error, self._output.path)
                    state = State.CANCELLED
                else:
                    words = disk_words(error, self._output.path)
                    reason, sentence, state = "disk", f"The disk reports: {words}.", State.FAILED
                outcomes = self._given_up(stored, others, state, reason, sentence)
            except Exception as error:
                sentence = f"{type(error).__name__}: {error}"[:300]
                outcomes = self._given_up(stored, others, State.FAILED, "internal", sentence)
            ended(batch, outcomes)
            return

    def _given_up(
        self, stored: list[Item], others: list[Item], state: State, reason: str, sentence: str
    ) -> list[Outcome]:
        outcomes = [Outcome(item.key, state, reason, sentence, item.tries) for item in stored]
        with contextlib.suppress(Exception):  # if nothing can be written, the next plan goes by what it finds
            self._manifest.finish([*outcomes, *(item.outcome() for item in others)])
        return outcomes

    def _keep_parts(self, items: list[Item]) -> None:
        """Parts of files that did not end well: those worth resuming are synced and remembered, the others go."""
        kept = [item for item in items if item.etag and item.bytes >= WORTH_RESUMING]
        durability.sync_files([item.part for item in kept], self._output.parts)
        self._note([(item.key, item.etag, boot_id.SYNCED) for item in kept])
        for item in items:
            if item not in kept and not item.sha256:
                self._output.drop(item.part)

    def _note(self, parts: list[tuple[str, str, str]]) -> None:
        if parts:
            self._manifest.note_parts(parts)


def _entry(item: Item) -> Entry:
    row = item.row
    mtime = row.replaces[1] if row.action is Action.UNCHANGED and row.replaces else None
    return Entry(
        item.key, item.file.url, row.target, item.state, mtime_ns=mtime, reason=item.reason, detail=item.detail
    )


def _tidy(plan: Plan, manifest: Manifest, output: Output) -> None:
    """Removes what killed runs left behind and nobody can resume."""
    left = os.listdir(output.parts)  # noqa: PTH208 - by descriptor, not by name
    if not left:
        return
    wanted = {part_name(row.file.key) for row in plan.rows if row.action is Action.RESUME}
    entries = {part_name(entry.key): entry for entry in manifest.entries().values()}
    for name in left:
        entry = entries.get(name)
        if present(name, output.parts) == (-1, -1):
            continue  # a link or a directory that somebody put there: the file that wants this name says so
        if entry is not None and (is_resumable(entry) or present(name, output.parts) == (entry.size, entry.mtime_ns)):
            continue
        if name not in wanted:
            output.drop(name)
