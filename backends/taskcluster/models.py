"""The members of a task, a status and an artifact that are shown, decoded fast where they have the right shape.

A page of a task group is decoded as a whole (`task_rows.LISTED_TASKS`). Where that fails, and for the other lists, a
response is split into its entries first (`msgspec.Raw`: no copy, no objects) and each is decoded on its own. An entry
of another shape is read by `backends.lenient_json`, which is slower; it never costs the page.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

# What a polars Int64 and a JavaScript client both hold exactly; beyond it `lenient_json` drops the number.
WholeNumber = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]


class TaskRun(msgspec.Struct, gc=False):
    state: str = ""
    reasonCreated: str = ""
    reasonResolved: str | None = None
    workerGroup: str | None = None
    workerId: str | None = None
    scheduled: str | None = None
    started: str | None = None
    resolved: str | None = None


class TaskStatus(msgspec.Struct, gc=False):
    taskId: str
    provisionerId: str | None = None
    workerType: str | None = None
    taskQueueId: str | None = None
    taskGroupId: str | None = None
    priority: str | None = None
    deadline: str | None = None
    expires: str | None = None
    state: str = ""
    runs: list[TaskRun] = []


class TaskMetadata(msgspec.Struct, gc=False):
    name: str = ""
    owner: str | None = None


class TaskChunks(msgspec.Struct, gc=False):
    current: WholeNumber | None = None
    total: WholeNumber | None = None


class SuiteExtra(msgspec.Struct, gc=False):
    name: str | None = None
    flavor: str | None = None


class MachineExtra(msgspec.Struct, gc=False):
    platform: str | None = None


class TreeherderExtra(msgspec.Struct, gc=False):
    tier: WholeNumber | None = None
    symbol: str | None = None
    groupSymbol: str | None = None
    machine: MachineExtra | None = None
    collection: dict[str, bool] | None = None


class TaskExtra(msgspec.Struct, gc=False):
    suite: str | SuiteExtra | None = None
    chunks: TaskChunks | None = None
    treeherder: TreeherderExtra | None = None
    platform: str | None = msgspec.field(default=None, name="treeherder-platform")


class TaskDefinition(msgspec.Struct, gc=False):
    # In the queue's order: a member that comes next is found at once.
    taskGroupId: str | None = None
    dependencies: list[str] = []
    routes: list[str] = []
    priority: str | None = None
    created: str | None = None
    deadline: str | None = None
    expires: str | None = None
    metadata: TaskMetadata = msgspec.field(default_factory=TaskMetadata)
    tags: dict[str, str] = {}
    extra: TaskExtra = msgspec.field(default_factory=TaskExtra)


class TaskEntry(msgspec.Struct, gc=False):
    status: TaskStatus
    task: TaskDefinition = msgspec.field(default_factory=TaskDefinition)


class ArtifactEntry(msgspec.Struct, gc=False):
    name: str
    storageType: str = ""
    contentType: str | None = None
    expires: str | None = None
    contentLength: WholeNumber | None = None


class IndexEntry(msgspec.Struct, gc=False):
    namespace: str
    taskId: str | None = None
    rank: float | None = None
    expires: str | None = None


class StatusEnvelope(msgspec.Struct, gc=False):
    status: msgspec.Raw


class NamedStatus(msgspec.Struct, gc=False):
    taskId: str
    status: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class NamedDefinition(msgspec.Struct, gc=False):
    taskId: str
    task: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class GroupMembers(msgspec.Struct):
    """The members of a response about a task group besides its tasks; each may have any shape."""

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


class NamespacesEnvelope(msgspec.Struct):
    namespaces: list[msgspec.Raw] = msgspec.field(default_factory=list)
    continuationToken: Any = None
