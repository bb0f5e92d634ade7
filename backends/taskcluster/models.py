"""The few members of a task, a status and an artifact that are shown, read fast where they have the right shape.

A reply of the queue is cut into its entries first (`msgspec.Raw`: no copy, no objects), then each entry is read by
itself. An entry of another shape costs a slower reading (`tolerant`), never the page.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

# What a polars Int64 and a JavaScript client both hold exactly; beyond it `tolerant` drops the number.
WholeNumber = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]


class Run(msgspec.Struct, gc=False):
    state: str = ""
    reasonCreated: str = ""
    reasonResolved: str | None = None
    workerGroup: str | None = None
    workerId: str | None = None
    scheduled: str | None = None
    started: str | None = None
    resolved: str | None = None


class Status(msgspec.Struct, gc=False):
    taskId: str
    provisionerId: str | None = None
    workerType: str | None = None
    taskQueueId: str | None = None
    taskGroupId: str | None = None
    priority: str | None = None
    deadline: str | None = None
    expires: str | None = None
    state: str = ""
    runs: list[Run] = []


class Metadata(msgspec.Struct, gc=False):
    name: str = ""
    owner: str | None = None


class Chunks(msgspec.Struct, gc=False):
    current: WholeNumber | None = None
    total: WholeNumber | None = None


class Suite(msgspec.Struct, gc=False):
    name: str | None = None
    flavor: str | None = None


class Machine(msgspec.Struct, gc=False):
    platform: str | None = None


class Treeherder(msgspec.Struct, gc=False):
    tier: WholeNumber | None = None
    symbol: str | None = None
    groupSymbol: str | None = None
    machine: Machine | None = None
    collection: dict[str, bool] | None = None


class Extra(msgspec.Struct, gc=False):
    suite: str | Suite | None = None
    chunks: Chunks | None = None
    treeherder: Treeherder | None = None
    platform: str | None = msgspec.field(default=None, name="treeherder-platform")


class Definition(msgspec.Struct, gc=False):
    taskGroupId: str | None = None
    created: str | None = None
    deadline: str | None = None
    expires: str | None = None
    priority: str | None = None
    dependencies: list[str] = []
    routes: list[str] = []
    metadata: Metadata = msgspec.field(default_factory=Metadata)
    tags: dict[str, str] = {}
    extra: Extra = msgspec.field(default_factory=Extra)


class TaskEntry(msgspec.Struct, gc=False):
    status: Status
    task: Definition = msgspec.field(default_factory=Definition)


class ArtifactEntry(msgspec.Struct, gc=False):
    name: str
    storageType: str = ""
    contentType: str | None = None
    expires: str | None = None
    contentLength: WholeNumber | None = None


class StatusReply(msgspec.Struct, gc=False):
    status: msgspec.Raw


class GroupMembers(msgspec.Struct):
    """What a task group says about itself; any member may have any shape, see `tolerant.text`."""

    taskGroupId: Any = None
    schedulerId: Any = None
    expires: Any = None
    sealed: Any = None


class TasksEnvelope(GroupMembers):
    tasks: list[msgspec.Raw] = msgspec.field(default_factory=list)
    continuationToken: Any = None


class ArtifactsEnvelope(msgspec.Struct):
    artifacts: list[msgspec.Raw] = msgspec.field(default_factory=list)
    continuationToken: Any = None


class StatusesEnvelope(msgspec.Struct):
    statuses: list[msgspec.Raw] = msgspec.field(default_factory=list)
    continuationToken: Any = None


class DefinitionsEnvelope(msgspec.Struct):
    tasks: list[msgspec.Raw] = msgspec.field(default_factory=list)
    continuationToken: Any = None
