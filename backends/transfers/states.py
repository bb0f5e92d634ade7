"""What can become of a file in a transfer, and what the manifest and the engine say about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    PLANNED = "planned"  # waits for its turn (or for its next try)
    RUNNING = "running"  # bytes are arriving; in memory only
    STORED = "stored"  # whole and checked, not yet durable under its final name
    VERIFIED = "verified"
    UNCHECKED = "unchecked"  # arrived, and neither a digest nor a length says whether it is complete
    UNCHANGED = "unchanged"  # was there already, as we once verified it
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


HERE = frozenset({State.VERIFIED, State.UNCHECKED, State.UNCHANGED})  # the file is there under its name
FINAL = HERE | {State.FAILED, State.SKIPPED, State.CANCELLED}

# By what a file was verified: "digest sha256", "digest md5", ...; its length; or nothing.
DIGEST, LENGTH, NOTHING = "digest", "length", "nothing"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file's row in the manifest.

    `size`, `sha256`, `mtime_ns` describe the file that we last put (or, if STORED, are about to put) at `target`;
    `verified_at` (epoch ms) is None until we have. `wire`: bytes that came over the network. `etag` is the strong one
    of the part that can be resumed, `part_boot` the machine's boot in which its bytes were written ("synced" if they
    are on the disk whatever happened since). `checked_by`: what told that the file is complete, "" if not recorded.
    """

    key: str
    url: str
    target: str
    state: str
    size: int | None = None
    wire: int | None = None
    sha256: str = ""
    mtime_ns: int | None = None
    etag: str = ""
    part_boot: str = ""
    reason: str = ""
    detail: str = ""
    tries: int = 0
    first_seen: int = 0
    verified_at: int | None = None
    checked_by: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a file ended, for the manifest. `reason` is a short word, `detail` a sentence; empty when all is well."""

    key: str
    state: State
    reason: str = ""
    detail: str = ""
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """A file whose bytes are complete and checked: what the manifest must know before it gets its final name.

    `checked_by`: "" for a part that an earlier try had checked. `note`: what is odd about it, for the user.
    """

    key: str
    size: int
    wire: int
    sha256: str
    mtime_ns: int
    tries: int
    checked_by: str = ""
    note: str = ""
