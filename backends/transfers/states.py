"""A file in a transfer: what the plan does with it, its state, what the manifest records of it."""

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
    """The plan for one file. `target` is relative to the output directory, safe names joined by "/".

    `have`: bytes already on the disk (of the part, or of the unchanged file). `replaces`: the existing file that may
    be replaced. `keep_identical`: replace an existing file only by the same content. `etag`: of the part. `sha256`: of
    a complete part. `checked_by`: of the complete part, or of the unchanged file.
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
    PLANNED = "planned"  # waits to start, or for its next try
    RUNNING = "running"  # bytes are arriving; in memory only
    STORED = "stored"  # complete and verified, not yet renamed into place
    VERIFIED = "verified"
    UNCHECKED = "unchecked"  # arrived; without a digest or length to verify it by
    UNCHANGED = "unchanged"  # exists as it was downloaded before
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


PRESENT_STATES = frozenset(
    {TransferState.VERIFIED, TransferState.UNCHECKED, TransferState.UNCHANGED}
)  # the file is there under its name
FINAL_STATES = PRESENT_STATES | {TransferState.FAILED, TransferState.SKIPPED, TransferState.CANCELLED}

# `checked_by`: what verified a file: "digest sha256", "digest md5", ...; "length"; or "nothing".
DIGEST, LENGTH, NOTHING = "digest", "length", "nothing"


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One row of the manifest.

    `size`, `sha256`, `mtime_ns` describe the file that was last renamed (or, if STORED, will be renamed) to `target`;
    `verified_at` (epoch ms) is None until then. `wire`: bytes received. `etag`: the strong one of a resumable part.
    `part_boot`: id of the boot in which the part was written, "synced" if it is durable. `checked_by`: what verified
    the file, "" if not recorded.
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
    """How a file ended. `reason` is a short word, `detail` a sentence; both are empty if all is well."""

    key: str
    state: TransferState
    reason: str = ""
    detail: str = ""
    tries: int = 0


@dataclass(frozen=True, slots=True)
class PendingFile:
    """A complete, verified file that is not renamed into place yet: what the manifest must record before that.

    `checked_by`: "" for a part that an earlier try verified. `note`: a remark for the user.
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
    "exists": "A file not created by ciexplore already exists. Move it away, or replace it: --overwrite, "
    "or the tick box of the download dialog.",
    "symlink": "It or a directory above it is a symbolic link; links are not followed. Remove the link.",
    "unreadable": "Its target path cannot be read. Check its permissions.",
}


class FileTransfer:
    """A file while its transfer runs.

    `bytes`: of content on the disk. `wire`: received by this try. `size`: of the content, None if unknown so far. One
    worker writes these numbers without a lock. `etag`: the strong one of the part, "" if it cannot be resumed.
    `sha256`: of a complete part, from the manifest.
    """

    __slots__ = (
        "bytes", "cancel", "checked_by", "delays", "detail", "etag", "expected", "file", "is_html", "key", "name",
        "noted", "part", "reason", "recorded", "resumes", "row", "sha256", "size", "state", "stored", "tries", "url",
        "wire",
    )  # fmt: skip

    def __init__(self, row: PlanRow) -> None:
        self.row = row
        self.file: RemoteFile = row.file
        self.key = row.file.key
        self.url = row.file.url
        self.name = row.path[-1]
        self.expected = row.file.size
        self.is_html = is_html(self.name, row.file.content_type)
        self.state: TransferState = _FIRST_STATE[row.action]
        self.bytes = row.have
        self.wire = 0
        self.size: int | None = row.have if row.action is PlanAction.UNCHANGED else row.file.size
        self.tries = 0
        self.resumes = 0  # the run's count of resumes when this try started
        self.reason = row.reason
        self.detail = _SENTENCES.get(row.reason, "")
        self.etag = row.etag
        self.sha256 = row.sha256
        self.checked_by = row.checked_by if row.action is PlanAction.UNCHANGED else ""
        self.noted = False  # whether the manifest has the part
        self.recorded = self.state in FINAL_STATES  # whether the manifest has the result
        self.part = part_name(row.file.key)
        self.cancel: CancelToken | None = None
        self.delays: Iterator[float] | None = None
        self.stored: PendingFile | None = None

    def result(self) -> FileResult:
        return FileResult(self.key, self.state, self.reason, self.detail, self.tries)
