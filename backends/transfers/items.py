"""One file while it is being transferred: what the worker changes and the interface looks at."""

from __future__ import annotations

from collections.abc import Iterator

from backends.cancel import CancelToken
from backends.transfers.bodies import is_html
from backends.transfers.files import RemoteFile
from backends.transfers.outputs import part_name
from backends.transfers.plan import Action, PlanRow
from backends.transfers.states import FINAL, Outcome, State, Stored

_FIRST_STATE = {
    Action.FETCH: State.PLANNED,
    Action.RESUME: State.PLANNED,
    Action.UNCHANGED: State.UNCHANGED,
    Action.SKIP: State.SKIPPED,
    Action.CONFLICT: State.FAILED,
}
_SENTENCES = {
    "exists": "Something is there already that no download put there. Move it away, or allow overwriting.",
    "symlink": "It or a directory above it is a symbolic link, and none is followed. Remove the link.",
    "unreadable": "The place where it should go cannot be looked at.",
}


class Item:
    """`bytes`, `wire`, `size` are written by one worker without a lock and read by anyone: each is one number.

    `bytes`: of the file's content, on the disk. `wire`: that this try got from the network. `size`: of the content
    if known by now. `etag`: strong, of the part on the disk, "" if that cannot be resumed. `sha256`: of a part that
    is whole, from the manifest.
    """

    __slots__ = (
        "bytes", "cancel", "checked_by", "delays", "detail", "etag", "file", "noted", "part", "reason", "recorded",
        "row", "sha256", "size", "state", "stored", "tries", "turn", "wire",
    )  # fmt: skip

    def __init__(self, row: PlanRow) -> None:
        self.row = row
        self.file: RemoteFile = row.file
        self.state: State = _FIRST_STATE[row.action]
        self.bytes = row.have
        self.wire = 0
        self.size: int | None = row.have if row.action is Action.UNCHANGED else row.file.size
        self.tries = 0
        self.turn = 0  # how often the run had been resumed when this try began
        self.reason = row.reason
        self.detail = _SENTENCES.get(row.reason, "")
        self.etag = row.etag
        self.sha256 = row.sha256
        self.checked_by = row.checked_by if row.action is Action.UNCHANGED else ""
        self.noted = False  # whether the manifest knows of the part
        self.recorded = self.state in FINAL  # whether it knows the end
        self.part = part_name(row.file.key)
        self.cancel: CancelToken | None = None
        self.delays: Iterator[float] | None = None
        self.stored: Stored | None = None

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

    def outcome(self) -> Outcome:
        return Outcome(self.key, self.state, self.reason, self.detail, self.tries)
