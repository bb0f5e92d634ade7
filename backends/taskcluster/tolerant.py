"""Reading an entry that is not as the queue's schema says: whatever has the right shape is kept, the rest is absent.

Every function takes any JSON value and raises nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from backends.taskcluster.models import (
    ArtifactEntry,
    Chunks,
    Definition,
    Extra,
    Machine,
    Metadata,
    Run,
    Status,
    Suite,
    TaskEntry,
    Treeherder,
)

T = TypeVar("T")
LARGEST = 2**53


def read(raw: msgspec.Raw | bytes, decoder: msgspec.json.Decoder[T], otherwise: Callable[[Any], T | None]) -> T | None:
    """The entry by its strict decoder, or else by `otherwise` from the plain JSON value; None if it is not JSON."""
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        value = _loosest(bytes(raw))
    return otherwise(value)


def _loosest(raw: bytes) -> Any:
    """What the standard library makes of it: it takes lone surrogates and NaN, which msgspec refuses."""
    try:
        return json.loads(raw.decode("utf-8", "replace"), parse_int=_integer)
    except (ValueError, RecursionError):
        return None


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) < 19 else None  # int() of 5,000 digits raises


def members(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def text(value: Any) -> str | None:
    """A string as it is (without what no UTF-8 can hold), a number as its digits, else None."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return str(value)


def whole(value: Any) -> int | None:
    """A whole number, also from digits in a string; None beyond 2**53."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and len(value) < 17:
        try:
            value = int(value)
        except ValueError:
            return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and -LARGEST <= value <= LARGEST else None


def texts(value: Any) -> dict[str, str]:
    return {text(key) or "": shown for key, one in members(value).items() if (shown := _shown(one)) is not None}


def _shown(value: Any) -> str | None:
    return ("true" if value else "false") if isinstance(value, bool) else text(value)


def run(value: Any) -> Run:
    given = members(value)
    return Run(
        state=text(given.get("state")) or "",
        reasonCreated=text(given.get("reasonCreated")) or "",
        reasonResolved=text(given.get("reasonResolved")),
        workerGroup=text(given.get("workerGroup")),
        workerId=text(given.get("workerId")),
        scheduled=text(given.get("scheduled")),
        started=text(given.get("started")),
        resolved=text(given.get("resolved")),
    )


def status(value: Any) -> Status | None:
    given = members(value)
    task_id = text(given.get("taskId"))
    if not task_id:
        return None
    return Status(
        taskId=task_id,
        provisionerId=text(given.get("provisionerId")),
        workerType=text(given.get("workerType")),
        taskQueueId=text(given.get("taskQueueId")),
        taskGroupId=text(given.get("taskGroupId")),
        priority=text(given.get("priority")),
        deadline=text(given.get("deadline")),
        expires=text(given.get("expires")),
        state=text(given.get("state")) or "",
        runs=[run(one) for one in items(given.get("runs"))],
    )


def definition(value: Any) -> Definition:
    given, metadata = members(value), members(members(value).get("metadata"))
    return Definition(
        taskGroupId=text(given.get("taskGroupId")),
        created=text(given.get("created")),
        deadline=text(given.get("deadline")),
        expires=text(given.get("expires")),
        priority=text(given.get("priority")),
        dependencies=[shown for one in items(given.get("dependencies")) if (shown := text(one)) is not None],
        routes=[shown for one in items(given.get("routes")) if (shown := text(one)) is not None],
        metadata=Metadata(name=text(metadata.get("name")) or "", owner=text(metadata.get("owner"))),
        tags=texts(given.get("tags")),
        extra=extra(given.get("extra")),
    )


def extra(value: Any) -> Extra:
    given = members(value)
    suite, chunks = given.get("suite"), members(given.get("chunks"))
    return Extra(
        suite=Suite(text(suite.get("name")), text(suite.get("flavor"))) if isinstance(suite, dict) else text(suite),
        chunks=Chunks(whole(chunks.get("current")), whole(chunks.get("total"))),
        treeherder=treeherder(given.get("treeherder")),
        platform=text(given.get("treeherder-platform")),
    )


def treeherder(value: Any) -> Treeherder:
    given = members(value)
    return Treeherder(
        tier=whole(given.get("tier")),
        symbol=text(given.get("symbol")),
        groupSymbol=text(given.get("groupSymbol")),
        machine=Machine(text(members(given.get("machine")).get("platform"))),
        collection={text(name) or "": bool(on) for name, on in members(given.get("collection")).items()},
    )


def entry(value: Any) -> TaskEntry | None:
    """None for an entry without a task id: it could neither be told from others nor opened."""
    given = members(value)
    found = status(given.get("status"))
    return None if found is None else TaskEntry(found, definition(given.get("task")))


def artifact(value: Any) -> ArtifactEntry | None:
    given = members(value)
    name = text(given.get("name"))
    if not name:
        return None
    return ArtifactEntry(
        name=name,
        storageType=text(given.get("storageType")) or "",
        contentType=text(given.get("contentType")),
        expires=text(given.get("expires")),
        contentLength=whole(given.get("contentLength")),
    )
