"""How a batch of whole parts becomes verified files: durable bytes, then a record, then names, then durable names.

The order is what makes a kill at any moment harmless: before the record a part is just a part; after it the next plan
knows the SHA-256 of what it finds, under the old name or the new one; "verified" is said last.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

from backends.atomic import BlockedPathError, disk_words
from backends.transfers import durability
from backends.transfers.items import Item
from backends.transfers.manifest import Manifest
from backends.transfers.outputs import Output, Present, present
from backends.transfers.states import HERE, NOTHING, Outcome, State, Stored

FULL = (errno.ENOSPC, errno.EDQUOT)


def full_words(error: OSError, output: Path) -> tuple[str, str]:
    """The reason (one word) and a sentence for an error of `FULL`: bytes, inodes or a quota are used up."""
    if error.errno == errno.EDQUOT:
        return "disk-quota", f"The disk quota for {output} is used up."
    words = disk_words(error, output)
    if "inodes" in words:
        return "no-inodes", f"The disk of {output} takes no more files: {words}."
    return "disk-full", f"The disk of {output} is full."


def commit(batch: Sequence[Item], output: Output, manifest: Manifest) -> list[Outcome]:
    """Names the parts of these items and says how each ended; the manifest has their "stored", not yet these outcomes.

    Raises OSError if the disk is full; then some may have got their names, and all may be committed again.
    """
    if not batch:
        return []
    durability.sync_files([item.part for item in batch], output.parts)
    manifest.stored(_stored(item) for item in batch)
    outcomes, touched = [], set()
    for item in batch:
        outcomes.append(_named(item, output))
        if outcomes[-1].state in HERE:
            touched.add(item.row.path[:-1])
    durability.sync_directories((*touched, *output.created()), output.directory)
    return outcomes


def _named(item: Item, output: Output) -> Outcome:
    stored = _stored(item)
    try:
        output.put(item.part, item.row.path, _replaceable(item, stored, output))
    except (BlockedPathError, FileNotFoundError) as problem:
        if _is_named(item, stored, output):  # the second time, after a full disk, and the first had named it
            return _there(item, stored)
        if not isinstance(problem, BlockedPathError):
            return Outcome(item.key, State.FAILED, "disk", f"The part of {item.row.target} is gone.", item.tries)
        return Outcome(item.key, State.FAILED, problem.reason, str(problem), item.tries)
    except OSError as error:
        if error.errno in FULL:
            raise
        words = f"{item.row.target}: {disk_words(error, output.path)}."
        return Outcome(item.key, State.FAILED, "disk", words, item.tries)
    return _there(item, stored)


def _there(item: Item, stored: Stored) -> Outcome:
    state = State.UNCHECKED if stored.checked_by == NOTHING else State.VERIFIED
    return Outcome(item.key, state, detail=stored.note, tries=item.tries)


def _replaceable(item: Item, stored: Stored, output: Output) -> Present | None:
    """What may be at the target now: what the plan saw there, or, where all records were lost, the same content."""
    if item.row.adopt:
        there = present(item.row.path[-1], output.directory(item.row.path[:-1]))
        if there is not None and there[0] == stored.size and output.sha256(item.row.path) == stored.sha256:
            return there
    return item.row.replaces


def _is_named(item: Item, stored: Stored, output: Output) -> bool:
    if present(item.part, output.parts) is not None:
        return False
    there = present(item.row.path[-1], output.directory(item.row.path[:-1]))
    return there == (stored.size, stored.mtime_ns)


def _stored(item: Item) -> Stored:
    assert item.stored is not None
    return item.stored
