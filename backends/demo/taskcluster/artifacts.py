"""The artifacts of a run: names, storage types and sizes as the listing shows them, without their contents.

Most are rows of artifacts.json: a random size of the given `median`, or a fixed one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import log
from pathlib import Path

from backends.demo.deterministic_random import fraction, generator, hexadecimal
from backends.demo.taskcluster.failure_causes import has_test_summary
from backends.demo.taskcluster.fixtures import hostile_artifacts
from backends.demo.taskcluster.model import DemoGroup, DemoRun, DemoTask

LOG = "text/plain; charset=utf-8"
BINARY = "application/octet-stream"
MANY = 1_300
BIG_BYTES = 30_000_000
_EXPIRES = 3650 * 86400.0
_TABLES = json.loads((Path(__file__).parent / "artifacts.json").read_bytes())


@dataclass(frozen=True, slots=True)
class DemoArtifact:
    """One artifact of one run.

    `content` says how payloads.py generates its bytes; `size` is set where that needs it.
    `detail` is the target of a link or the reason of an error; `status` is the queue's response instead of it.
    """

    name: str
    content: str
    content_type: str
    size: int | None = None
    storage: str = "s3"
    gzipped: bool = False
    detail: str = ""
    status: int = 0

    @property
    def public(self) -> bool:
        return self.name.startswith("public/")


def list_artifacts(seed: int, group: DemoGroup, task: DemoTask, run_id: int) -> tuple[DemoArtifact, ...]:
    """What the queue lists for that run at this moment, by name; nothing before a worker has claimed it."""
    runs = task.runs_at(group.elapsed())
    run = runs[run_id]
    if run.started is None:
        return ()
    if run.ended is None:
        return (DemoArtifact("public/logs/live.log", "live", LOG, storage="reference"),)
    return _resolved_artifacts(seed, task, run_id)


@lru_cache(maxsize=4096)
def _resolved_artifacts(seed: int, task: DemoTask, run_id: int) -> tuple[DemoArtifact, ...]:
    artifacts = {artifact.name: artifact for artifact in _generate(seed, task, run_id, task.history[run_id])}
    return tuple(artifacts[name] for name in sorted(artifacts))


@lru_cache(maxsize=4096)
def artifacts_by_name(seed: int, task: DemoTask, run_id: int) -> dict[str, DemoArtifact]:
    """The artifacts of a resolved run."""
    return {artifact.name: artifact for artifact in _resolved_artifacts(seed, task, run_id)}


def find_artifact(seed: int, group: DemoGroup, task: DemoTask, run_id: int, name: str) -> DemoArtifact | None:
    """One artifact, if it is listed at this moment."""
    run = task.runs_at(group.elapsed())[run_id]
    if run.started is not None and run.ended is not None:
        return artifacts_by_name(seed, task, run_id).get(name)
    return next((one for one in list_artifacts(seed, group, task, run_id) if one.name == name), None)


def has_content_length(seed: int, task: DemoTask) -> bool:
    """Only workers of 2026 and later report lengths: about half of the tasks run on one."""
    return fraction(seed, task.id, "worker version") < 0.5


def expires(group: DemoGroup, task: DemoTask, artifact: DemoArtifact) -> str:
    """As the task, except what has expired already and is still listed."""
    return group.stamp(task.created + (86400.0 if artifact.status == 410 else _EXPIRES))


def _generate(seed: int, task: DemoTask, run_id: int, run: DemoRun) -> Iterator[DemoArtifact]:
    label, hostile = task.label, hostile_artifacts(task.role)
    if hostile:
        for name in hostile:
            content = next((content for content in ("evil.tar.gz", "evil.zip") if name.endswith(content)), "log")
            yield DemoArtifact(name, content, BINARY, 100 + len(name) if content == "log" else None)
        return
    yield from _log_artifacts(seed, task, run_id, run)
    if run.state == "exception":  # a worker that is shut down uploads its log and little else
        yield from _table_artifacts("exception", seed, task, run_id)
        if task.role == "retried-empty":
            yield from _table_artifacts("test", seed, task, run_id)
    elif label.kind in ("build", "spidermonkey"):
        yield from _table_artifacts("build", seed, task, run_id)
    elif label.kind in ("decision-task", "action-task"):
        yield from _table_artifacts("decision", seed, task, run_id)
    elif label.kind == "test":
        yield from _table_artifacts("perf" if label.is_perf else "test", seed, task, run_id)
    elif label.kind == "source-test" and run.state == "failed":
        yield from _table_artifacts("source-test", seed, task, run_id)
    if task.role == "many-artifacts":
        for number in range(MANY):
            yield DemoArtifact(f"public/test_info/screenshots/frame-{number:05d}.png", "png", "image/png")
    if task.role == "artifact-kinds":  # one artifact of each kind of response that the queue has
        yield from _table_artifacts("kinds", seed, task, run_id)
    # About one test in fifty has an artifact that cannot be downloaded, as in real groups.
    chance = fraction(seed, task.id, run_id, "mishap")
    if label.kind == "test" and chance < 0.012:
        lost, reason = "public/test_info/lost.json", "file-missing-on-worker"
        yield DemoArtifact(lost, "error", "application/binary", storage="error", detail=reason)
    elif label.kind == "test" and chance < 0.02:
        yield DemoArtifact("public/test_info/minidump.dmp", "random", BINARY, 60_000, status=410)


def _table_artifacts(section: str, seed: int, task: DemoTask, run_id: int) -> Iterator[DemoArtifact]:
    """Those of a section of artifacts.json whose condition (`when`) holds."""
    label = task.label
    conditions = {
        "": True,
        "windows": label.os == "windows",
        "decision": task.index == 0,
        "measured": task.role == "perf" or fraction(seed, task.id, "perfherder") < 0.98,
        "web-platform-tests": label.category == "web-platform-tests",
        "ccov": "ccov" in label.machine,
        "screenshot": label.category == "mochitest" and task.history[run_id].state == "failed",
        "test summary": has_test_summary(task) and task.history[run_id].state == "failed",
    }
    # One of the real harnesses writes a doubled slash.
    flavor = ("/" if label.suite == "mochitest-browser-chrome" else "") + (label.flavor or label.suite)
    token = hexadecimal(8, seed, task.id, run_id, "screenshot")  # as of a temporary file
    for row in _TABLES[section]:
        members = dict(row)
        if not conditions[members.pop("when", "")]:
            continue
        members["name"] = name = row["name"].format(suite=label.suite, flavor=flavor, token=token)
        if median := members.pop("median", None):
            members["size"] = _random_size(seed, task, run_id, members.pop("key", name), median)
            if task.role == "big" and name.endswith("installer.exe"):
                members["size"] = BIG_BYTES
        yield DemoArtifact(**members)


def _random_size(
    seed: int, task: DemoTask, run_id: int, name: str, median: float, least: int = 200, most: int = 1 << 30
) -> int:
    random = generator(seed, task.id, run_id, name, "size")
    return int(min(max(random.lognormvariate(log(median), 0.7), least), most))


def _log_artifacts(seed: int, task: DemoTask, run_id: int, run: DemoRun) -> Iterator[DemoArtifact]:
    backing = "public/logs/live_backing.log"
    size = _random_size(seed, task, run_id, backing, 600_000 if run.state == "failed" else 260_000, 50_000, 3_000_000)
    yield DemoArtifact(backing, "log", LOG, size, gzipped=True)
    yield DemoArtifact("public/logs/live.log", "link", LOG, storage="link", detail=backing)
    if task.label.worker == "docker-worker":
        name = "public/logs/certified.log"
        yield DemoArtifact(name, "log", "text/plain", _random_size(seed, task, run_id, name, 2_000), gzipped=True)
