"""Which bytes an artifact holds: a pure function of seed, task, run and name, made when asked for.

Large random files are never held: any range of them is cut from a seeded pool, so a resumed download sees the same
bytes as an uninterrupted one.
"""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from backends.demo.options import DemoOptions
from backends.demo.seeds import digest, generator, hexadecimal, number
from backends.demo.taskcluster import archives, measurements, texts
from backends.demo.taskcluster.artifacts import Artifact, find
from backends.demo.taskcluster.model import Group, Task
from backends.demo.taskcluster.world import World

BLOCK = 1 << 16
_POOL = 1 << 22
# Enough for the artifacts that one screen or one download wave asks for twice (HEAD or Range, then GET).
_KEPT_BYTES = 64 << 20


@dataclass(frozen=True)
class Body:
    """Bytes as the storage sends them: `size` and `chunks` are of the stored (perhaps gzipped) form."""

    content_type: str
    encoding: str
    size: int
    etag: str
    chunks: Callable[[int, int], Iterator[bytes]]


class Contents:
    """Makes contents and keeps the recent ones; safe to call from several threads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int, str], bytes] = OrderedDict()
        self._kept_bytes = 0
        self._lengths: dict[tuple[str, int, str], int] = {}

    def length(self, group: Group, task: Task, run_id: int, artifact: Artifact) -> int:
        """The length before content-encoding: what the queue lists as contentLength."""
        if artifact.size is not None:
            return artifact.size
        key = (task.id, run_id, artifact.name)
        if key not in self._lengths:
            self.body(group, task, run_id, artifact)
        return self._lengths[key]

    def body(self, group: Group, task: Task, run_id: int, artifact: Artifact) -> Body:
        key = (task.id, run_id, artifact.name)
        etag = f'"{hexadecimal(32, self._world.seed, *key)}"'
        if artifact.content == "random":
            name = f"{task.id}/{run_id}/{artifact.name}"
            size = artifact.size or 0
            return Body(
                artifact.content_type, "", size, etag,
                lambda start, stop: random_bytes(self._world.seed, name, start, stop),
            )  # fmt: skip
        stored = self._stored(key, group, task, run_id, artifact)
        return Body(
            artifact.content_type, "gzip" if artifact.gzipped else "", len(stored), etag,
            lambda start, stop: _pieces(stored, start, stop),
        )  # fmt: skip

    def ready(self, task_id: str, run_id: int, name: str) -> bool:
        """Whether asking for that body takes no work worth a thread."""
        return (task_id, run_id, name) in self._kept

    def _stored(self, key: tuple[str, int, str], group: Group, task: Task, run_id: int, artifact: Artifact) -> bytes:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        decoded = make(self._world, group, task, run_id, artifact)
        stored = gzip.compress(decoded, 6, mtime=0) if artifact.gzipped else decoded
        with self._lock:
            self._lengths[key] = len(decoded)
            if key not in self._kept:
                self._kept[key] = stored
                self._kept_bytes += len(stored)
            while self._kept_bytes > _KEPT_BYTES:
                self._kept_bytes -= len(self._kept.popitem(last=False)[1])
        return stored


def _pieces(stored: bytes, start: int, stop: int) -> Iterator[bytes]:
    yield stored if (start, stop) == (0, len(stored)) else stored[start:stop]


@lru_cache(maxsize=2)
def _pool(seed: int) -> bytes:
    """Four megabytes that do not compress."""
    return hashlib.shake_128(digest(seed, "pool")).digest(_POOL + BLOCK)


def random_bytes(seed: int, name: str, start: int, stop: int) -> Iterator[bytes]:
    """Bytes `start` to `stop` of an endless incompressible file, block by block."""
    pool = _pool(seed)
    position = start
    while position < stop:
        block, within = divmod(position, BLOCK)
        base = number(seed, name, block) % _POOL
        length = min(BLOCK - within, stop - position)
        yield pool[base + within : base + within + length]
        position += length


def make(world: World, group: Group, task: Task, run_id: int, artifact: Artifact) -> bytes:
    """The whole decoded content of one artifact."""
    seed, name = world.seed, artifact.name
    match artifact.content:
        case "random":
            return b"".join(random_bytes(seed, f"{task.id}/{run_id}/{name}", 0, artifact.size or 0))
        case "log" | "live":
            return texts.log_text(seed, group, task, run_id, name, artifact.size or 0)
        case "errorsummary":
            return texts.errorsummary(seed, task, run_id)
        case "perfherder":
            return _json(measurements.perfherder(seed, task, run_id))
        case "build-metrics":
            return _json(measurements.build_metrics(seed, task, run_id))
        case "csv":
            return _csv(seed, task, run_id, name)
        case "png":
            return archives.picture(number(seed, task.id, run_id, name))
        case "zip":
            return archives.zip_file(seed, task.id, run_id, name, artifact.size or 10_000)
        case "tar.gz" | "tar.xz":
            return archives.tarball(seed, task.id, run_id, name, artifact.content)
        case "evil.tar.gz":
            return archives.evil_tarball()
        case "evil.zip":
            return archives.evil_zip()
        case "label-to-taskid" | "target-tasks" | "task-graph" | "full-task-graph" | "runnable-jobs":
            return _json(_graph(group, artifact.content))
        case _:
            return _json(_some_json(seed, task, run_id, name))


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)


def _graph(group: Group, which: str) -> object:
    originals = [task for task in group.tasks if not task.retrigger and task.label.kind != "action-task"]
    if which == "label-to-taskid":
        return {task.label.name: task.id for task in originals}
    if which == "target-tasks":
        return [task.label.name for task in originals]
    return {
        task.id: {
            "kind": task.label.kind,
            "label": task.label.name,
            "attributes": {"build_platform": task.label.machine, "build_type": task.label.collection},
            "dependencies": {} if task.index == 0 else {"decision": group.id},
        }
        for task in originals
    }


def _some_json(seed: int, task: Task, run_id: int, name: str) -> object:
    random = generator(seed, task.id, run_id, name, "json")
    samples = [
        {"start": second, "cpu_percent": round(random.uniform(5, 100), 1), "memory": random.randint(10**8, 10**10)}
        for second in range(random.randint(10, 60))
    ]
    return {"name": name.rsplit("/", 1)[-1], "task": task.label.name, "run": run_id, "samples": samples}


def _csv(seed: int, task: Task, run_id: int, name: str) -> bytes:
    random = generator(seed, task.id, run_id, name, "csv")
    lines = ["Second,CPU %,Phase,Memory (B)"]
    for second in range(120):
        phase = "setup" if second < 20 else "test, first" if second < 80 else "test, second"
        lines.append(f'{second},{random.uniform(5, 100):.1f},"{phase}",{random.randint(10**8, 10**10)}')
    return ("\r\n".join(lines) + "\r\n").encode()


@lru_cache(maxsize=2)
def _world(options: DemoOptions) -> World:
    return World(options)


def _locate(options: DemoOptions, task_id: str, run_id: int, name: str) -> tuple[World, Group, Task, Artifact]:
    world = _world(options)
    found = world.find(task_id)
    if found is None:
        raise KeyError(task_id)
    group, task = found
    artifact = find(world.seed, group, task, run_id, name)
    if artifact is None:
        raise KeyError(name)
    return world, group, task, artifact


def expected_bytes(options: DemoOptions, task_id: str, run_id: int, name: str) -> bytes:
    """What a right download of that artifact holds, decoded; for tests. Links are not followed."""
    world, group, task, artifact = _locate(options, task_id, run_id, name)
    return make(world, group, task, run_id, artifact)


def expected_sha256(options: DemoOptions, task_id: str, run_id: int, name: str) -> str:
    """The same, as a hexadecimal SHA-256."""
    return hashlib.sha256(expected_bytes(options, task_id, run_id, name)).hexdigest()
