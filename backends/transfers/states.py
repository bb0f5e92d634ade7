"""States of a file in a transfer, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from backends.cancel import CancelToken
from backends.transfers.bodies import is_html
from backends.transfers.files import RemoteFile
from backends.transfers.output_directory import FileStamp, part_name, survives_reboot


class PlanAction(StrEnum):
    FETCH = "fetch"
    RESUME = "resume"
    UNCHANGED = "unchanged"
    SKIP = "skip"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class PlanRow:
    """What happens to one file. `target` is relative to the output directory, "/" between safe names.

    `have`: bytes already here (of the part, or of the unchanged file). `replaces`: the file there now that may be
    replaced. `keep_identical`: whatever is there is kept if it turns out to have the same content. `etag`: of the part.
    `sha256`: of a part that is complete already. `checked_by`: of that, or of the unchanged file.
    """

    file: RemoteFile
    target: str
    action: PlanAction
    have: int = 0
    reason: str = ""
    replaces: FileStamp | None = None
    keep_identical: bool = False
    etag: str = ""
    sha256: str = ""
    checked_by: str = ""

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(self.target.split("/"))


class TransferState(StrEnum):
    PLANNED = "planned"  # waits for its turn (or for its next try)
    RUNNING = "running"  # bytes are arriving; in memory only
    STORED = "stored"  # whole and checked, not yet durable under its final name
    VERIFIED = "verified"
    UNCHECKED = "unchecked"  # arrived, and neither a digest nor a length says whether it is complete
    UNCHANGED = "unchanged"  # was there already, as we once verified it
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


PRESENT_STATES = frozenset(
    {TransferState.VERIFIED, TransferState.UNCHECKED, TransferState.UNCHANGED}
)  # the file is there under its name
FINAL_STATES = PRESENT_STATES | {TransferState.FAILED, TransferState.SKIPPED, TransferState.CANCELLED}

# By what a file was verified: "digest sha256", "digest md5", ...; its length; or nothing.
DIGEST, LENGTH, NOTHING = "digest", "length", "nothing"


@dataclass(frozen=True, slots=True)
class ManifestEntry:
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

    @property
    def is_resumable(self) -> bool:
        """Whether enough is known of the part to request the rest of it."""
        return self.etag != "" and survives_reboot(self.part_boot)


@dataclass(frozen=True, slots=True)
class FileResult:
    """How a file ended, for the manifest. `reason` is a short word, `detail` a sentence; empty when all is well."""

    key: str
    state: TransferState
    reason: str = ""
    detail: str = ""
    tries: int = 0


@dataclass(frozen=True, slots=True)
class PendingFile:
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


_FIRST_STATE = {
    PlanAction.FETCH: TransferState.PLANNED,
    PlanAction.RESUME: TransferState.PLANNED,
    PlanAction.UNCHANGED: TransferState.UNCHANGED,
    PlanAction.SKIP: TransferState.SKIPPED,
    PlanAction.CONFLICT: TransferState.FAILED,
}
_SENTENCES = {
    "exists": "Something is there already that no download put there. Move it away, or allow overwriting.",
    "symlink": "It or a directory above it is a symbolic link, and none is followed. Remove the link.",
    "unreadable": "The place where it should go cannot be looked at.",
}


class FileTransfer:
    """`bytes`, `wire`, `size` are written by one worker without a lock and read by anyone: each is one number.

    `bytes`: of the file's content, on the disk. `wire`: that this try got from the network. `size`: of the content
    if known by now. `etag`: strong, of the part on the disk, "" if that cannot be resumed. `sha256`: of a part that
    is whole, from the manifest.
    """

    __slots__ = (
        "bytes", "cancel", "checked_by", "delays", "detail", "etag", "file", "noted", "part", "reason", "recorded",
        "row", "sha256", "size", "state", "stored", "tries", "resumes", "wire",
    )  # fmt: skip

    def __init__(self, row: PlanRow) -> None:
        self.row = row
        self.file: RemoteFile = row.file
        self.state: TransferState = _FIRST_STATE[row.action]
        self.bytes = row.have
        self.wire = 0
        self.size: int | None = row.have if row.action is PlanAction.UNCHANGED else row.file.size
        self.tries = 0
        self.resumes = 0  # how often the run had been resumed when this try began
        self.reason = row.reason
        self.detail = _SENTENCES.get(row.reason, "")
        self.etag = row.etag
        self.sha256 = row.sha256
        self.checked_by = row.checked_by if row.action is PlanAction.UNCHANGED else ""
        self.noted = False  # whether the manifest knows of the part
        self.recorded = self.state in FINAL_STATES  # whether it knows the end
        self.part = part_name(row.file.key)
        self.cancel: CancelToken | None = None
        self.delays: Iterator[float] | None = None
        self.stored: PendingFile | None = None

    @property
    def key(self) -> str:
        return self.file.key

    @property
    def url(self) -> str:
        return self.file.url

    @property
    def name(self) -> str:
        return self.row.path[-1]

    @property
    def expected(self) -> int | None:
        return self.file.size

    @property
    def is_html(self) -> bool:
        return is_html(self.name, self.file.content_type)

    def result(self) -> FileResult:
        return FileResult(self.key, self.state, self.reason, self.detail, self.tries)
