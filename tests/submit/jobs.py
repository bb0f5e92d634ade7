"""Job messages for tests: one that is valid, others made from it."""

from __future__ import annotations

import copy
import uuid
from typing import Any

MESSAGE: dict[str, Any] = {
    "taskId": "0d0c7a1e-5a3b-4f7e-8d61-2b8f6f0c1a11/0",
    "retryId": 0,
    "isRetried": False,
    "origin": {"project": "autoland", "revision": "c0ffee" * 6 + "c0ff"},
    "buildSystem": "ciexplore",
    "display": {"jobSymbol": "e", "groupSymbol": "SM", "jobName": "spidermonkey-sm-e", "groupName": "SpiderMonkey"},
    "state": "completed",
    "result": "success",
    "jobKind": "build",
    "tier": 2,
    "labels": ["opt"],
    "owner": "engine@example.com",
    "reason": "scheduled",
    "productName": "spidermonkey",
    "timeScheduled": "2026-11-21T09:00:00Z",
    "timeStarted": "2026-11-21T09:01:00Z",
    "timeCompleted": "2026-11-21T09:11:00Z",
    "runMachine": {"name": "worker-1", "platform": "linux64", "os": "linux", "architecture": "x86_64"},
    "logs": [{"url": "https://example.com/sm.log", "name": "live_backing_log"}],
    "version": 1,
}


def message(**changes: Any) -> dict[str, Any]:
    """A valid job message; a change of None leaves the name out."""
    found = {**copy.deepcopy(MESSAGE), **changes}
    return {name: value for name, value in found.items() if value is not None}


def messages(count: int) -> list[dict[str, Any]]:
    return [message(taskId=f"{uuid.uuid5(uuid.NAMESPACE_OID, str(number))}/0") for number in range(count)]
