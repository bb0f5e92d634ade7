"""Which artifacts a run has: names, storage types and sizes as the listing shows them, without making any content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import log

from backends.demo.seeds import fraction, generator
from backends.demo.taskcluster import hostile
from backends.demo.taskcluster.model import Group, Run, Task
from backends.demo.taskcluster.names import words

LOG = "text/plain; charset=utf-8"
JSON = "application/json"
BINARY = "application/octet-stream"
GZIP = "application/x-gzip"
ZIP = "application/zip"
MANY = 1_300
BIG_BYTES = 30_000_000
_EXPIRES = 3650 * 86400.0


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact of one run.

    `content` names the recipe by which its bytes are made; `size` is set where the recipe is told the size.
    `detail` is what a link points to, or the reason of an error; `status` is what the queue answers instead of it.
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


def artifacts(seed: int, group: Group, task: Task, run_id: int) -> tuple[Artifact, ...]:
    """What the queue lists for that run at this moment, by name; nothing for a run that no worker has claimed."""
    runs = task.runs_at(group.elapsed())
    run = runs[run_id]
    if run.started is None:
        return ()
    if run.ended is None:
        return (Artifact("public/logs/live.log", "live", LOG, storage="reference"),)
    return _sorted(seed, task, run_id)


@lru_cache(maxsize=4096)
def _sorted(seed: int, task: Task, run_id: int) -> tuple[Artifact, ...]:
    found = {artifact.name: artifact for artifact in _resolved(seed, task, run_id, task.history[run_id])}
    return tuple(found[name] for name in sorted(found))


@lru_cache(maxsize=4096)
def by_name(seed: int, task: Task, run_id: int) -> dict[str, Artifact]:
    """The artifacts of a resolved run, for those who want one."""
    return {artifact.name: artifact for artifact in _sorted(seed, task, run_id)}


def find(seed: int, group: Group, task: Task, run_id: int, name: str) -> Artifact | None:
    """One artifact, if it is listed at this moment."""
    run = task.runs_at(group.elapsed())[run_id]
    if run.started is not None and run.ended is not None:
        return by_name(seed, task, run_id).get(name)
    return next((found for found in artifacts(seed, group, task, run_id) if found.name == name), None)


def listed_size(seed: int, task: Task) -> bool:
    """Only workers of 2026 and later tell the length of an artifact: about half of the tasks run on one."""
    return fraction(seed, task.id, "worker version") < 0.5


def expires(group: Group, task: Task, artifact: Artifact) -> str:
    """Everything lasts as long as the task, except what has expired already and is still listed."""
    return group.stamp(task.created + (86400.0 if artifact.status == 410 else _EXPIRES))


def _resolved(seed: int, task: Task, run_id: int, run: Run) -> Iterator[Artifact]:
    label = task.label
    names = hostile.artifact_names(task.role)
    if names:
        for name in names:
            content = _hostile_content(name)
            yield Artifact(name, content, BINARY, 100 + len(name) if content == "log" else None)
        return
    yield from _logs(seed, task, run_id, run)
    if run.state == "exception":
        # A worker that is shut down has time for its log and little else.
        yield _text(seed, task, run_id, "public/test_info/system-info.log", 3_000)
        if task.role == "retried-empty":
            yield from _test(seed, task, run_id)
    elif label.kind in ("build", "spidermonkey"):
        yield from _build(seed, task, run_id)
    elif label.kind in ("decision-task", "action-task"):
        yield from _decision(seed, task, run_id)
    elif label.is_perf:
        yield from _perf(seed, task, run_id)
    elif label.kind == "test":
        yield from _test(seed, task, run_id)
    if task.role == "many-artifacts":
        for number in range(MANY):
            yield Artifact(f"public/test_info/screenshots/frame-{number:05d}.png", "png", "image/png")
    if task.role == "artifact-kinds":
        yield from _kinds()
    yield from _mishaps(seed, task, run_id)


def _size(seed: int, task: Task, run_id: int, name: str, median: float, least: int = 200, most: int = 1 << 30) -> int:
    random = generator(seed, task.id, run_id, name, "size")
    return int(min(max(random.lognormvariate(log(median), 0.7), least), most))


def _text(seed: int, task: Task, run_id: int, name: str, median: float) -> Artifact:
    return Artifact(name, "log", "text/plain", _size(seed, task, run_id, name, median), gzipped=True)


def _logs(seed: int, task: Task, run_id: int, run: Run) -> Iterator[Artifact]:
    backing = "public/logs/live_backing.log"
    median = 600_000 if run.state == "failed" else 260_000
    size = _size(seed, task, run_id, backing, median, 50_000, 3_000_000)
    yield Artifact(backing, "log", LOG, size, gzipped=True)
    yield Artifact("public/logs/live.log", "link", LOG, storage="link", detail=backing)
    if task.label.worker == "docker-worker":
        yield _text(seed, task, run_id, "public/logs/certified.log", 2_000)


def _build(seed: int, task: Task, run_id: int) -> Iterator[Artifact]:
    prefix = "public/build/target."
    for name in words("awsy common cppunittest gtest mochitest reftest talos xpcshell perftests updater-dep fuzztest"):
        yield Artifact(f"{prefix}{name}.tests.zip", "zip", ZIP, _size(seed, task, run_id, name, 90_000))
    for name in ("jsshell", "crashreporter-symbols", "crashreporter-symbols-full", "generated-files"):
        yield Artifact(f"{prefix}{name}.zip", "zip", ZIP, _size(seed, task, run_id, name, 200_000))
    for name in ("json", "mozinfo.json", "test_packages.json", "buildhub.json"):
        yield Artifact(prefix + name, "json", JSON, gzipped=True)
    for name in ("checksums", "txt", "sha256sums"):
        yield _text(seed, task, run_id, prefix + name, 900)
    if task.label.os == "windows":
        size = BIG_BYTES if task.role == "big" else _size(seed, task, run_id, "installer", 400_000)
        yield Artifact(f"{prefix}installer.exe", "random", BINARY, size)
    yield Artifact(f"{prefix}tar.xz", "tar.xz", "application/x-xz")
    yield Artifact(f"{prefix}web-platform.tests.tar.gz", "tar.gz", GZIP)
    yield Artifact(f"{prefix}langpack.xpi", "zip", "application/x-xpinstall", 60_000)
    yield Artifact("public/build/mozharness.zip", "zip", ZIP, _size(seed, task, run_id, "mozharness", 150_000))
    for name in ("host/bin/mar", "host/bin/mbsdiff"):
        yield Artifact(f"public/build/{name}", "random", BINARY, _size(seed, task, run_id, name, 120_000))
    yield Artifact("public/build/toolchains.json", "json", JSON, gzipped=True)
    yield Artifact("public/build/perfherder-data-building.json", "build-metrics", JSON, gzipped=True)
    yield Artifact("public/chain-of-trust.json", "json", JSON, gzipped=True)
    yield Artifact("public/chain-of-trust.json.sig", "random", BINARY, 64)


def _decision(seed: int, task: Task, run_id: int) -> Iterator[Artifact]:
    if task.index == 0:
        for name in ("task-graph", "full-task-graph", "label-to-taskid", "target-tasks", "runnable-jobs"):
            yield Artifact(f"public/{name}.json", name, JSON, gzipped=True)
    yield Artifact("public/actions.json", "json", JSON, gzipped=True)
    yield _text(seed, task, run_id, "public/parameters.yml", 4_000)


def _perf(seed: int, task: Task, run_id: int) -> Iterator[Artifact]:
    prefix = "public/test_info/"
    if task.role == "perf" or fraction(seed, task.id, "perfherder") < 0.98:
        yield Artifact(f"{prefix}perfherder-data.json", "perfherder", JSON, gzipped=True)
    yield Artifact(f"{prefix}browsertime-results.tgz", "tar.gz", GZIP)
    yield Artifact(f"{prefix}profile_resource-usage.json", "json", JSON, gzipped=True)
    yield Artifact(f"{prefix}resource-usage.json", "json", JSON, gzipped=True)
    yield Artifact(f"{prefix}{task.label.suite}.png", "png", "image/png")
    for name in ("system-info.log", "raptor_raw.log", "raptor_errorsummary.log"):
        yield _text(seed, task, run_id, prefix + name, 6_000)
    yield Artifact("perftest/mitmproxy.log", "log", "text/plain", 20_000, gzipped=True)


def _test(seed: int, task: Task, run_id: int) -> Iterator[Artifact]:
    prefix, flavor = "public/test_info/", task.label.flavor or task.label.suite
    if task.label.category == "web-platform-tests":
        yield Artifact(f"{prefix}wptreport.json", "json", JSON, gzipped=True)
    # A doubled slash is what one of the real harnesses writes.
    doubled = "/" if task.label.suite == "mochitest-browser-chrome" else ""
    yield Artifact(f"{prefix}{doubled}{flavor}_errorsummary.log", "errorsummary", LOG, gzipped=True)
    yield _text(seed, task, run_id, f"{prefix}{doubled}{flavor}_raw.log", 120_000)
    if "ccov" in task.label.machine:
        for name in ("grcov", "jsvm"):
            yield Artifact(f"{prefix}code-coverage-{name}.zip", "zip", ZIP, _size(seed, task, run_id, name, 80_000))
    for name in ("system-info.log", "manifests.list", "tests_by_manifest.log"):
        yield _text(seed, task, run_id, prefix + name, 3_000)
    for name in ("critical", "error", "fatal", "info", "raw", "warning"):
        median = {"info": 60_000, "raw": 90_000}.get(name, 400)
        yield _text(seed, task, run_id, f"public/logs/log_{name}.log", median)
    yield Artifact("public/logs/localconfig.json", "json", JSON, gzipped=True)
    yield Artifact(f"{prefix}resource-usage.json", "json", JSON, gzipped=True)
    yield Artifact(f"{prefix}profile_resource-usage.json", "json", JSON, gzipped=True)


def _kinds() -> Iterator[Artifact]:
    """One of everything that the queue can answer."""
    prefix = "public/kinds/"
    yield Artifact(f"{prefix}s3-identity.bin", "random", BINARY, 250_000)
    yield Artifact(f"{prefix}s3-gzip.log", "log", LOG, 80_000, gzipped=True)
    yield Artifact(f"{prefix}empty.txt", "random", "text/plain", 0)
    yield Artifact(f"{prefix}resource-use.csv", "csv", "text/csv", gzipped=True)
    yield Artifact(f"{prefix}object.bin", "random", BINARY, 150_000, storage="object")
    yield Artifact(f"{prefix}object-unfinished.bin", "random", BINARY, 1_000, storage="object", status=404)
    yield Artifact(f"{prefix}reference.txt", "log", "text/plain", 5_000, storage="reference")
    yield Artifact(f"{prefix}link.log", "link", LOG, storage="link", detail=f"{prefix}s3-gzip.log")
    yield Artifact(f"{prefix}link-to-nothing", "link", LOG, storage="link", detail=f"{prefix}no-such-file")
    yield Artifact(f"{prefix}link-loop-a", "link", LOG, storage="link", detail=f"{prefix}link-loop-b")
    yield Artifact(f"{prefix}link-loop-b", "link", LOG, storage="link", detail=f"{prefix}link-loop-a")
    for reason in ("file-missing-on-worker", "invalid-resource-on-worker", "too-large-file-on-worker"):
        yield Artifact(f"{prefix}error-{reason}", "error", "application/binary", storage="error", detail=reason)
    yield Artifact(f"{prefix}expired.bin", "random", BINARY, 1_000, status=410)
    yield Artifact(f"{prefix}gone-from-storage.bin", "missing", BINARY, 1_000)
    yield Artifact("private/secret.txt", "log", "text/plain", 400)


def _mishaps(seed: int, task: Task, run_id: int) -> Iterator[Artifact]:
    """What goes wrong here and there in a real group: about one task in fifty has such an artifact."""
    chance = fraction(seed, task.id, run_id, "mishap")
    lost = Artifact("public/test_info/lost.json", "error", "application/binary", storage="error")
    if task.label.kind == "test" and chance < 0.012:
        yield replace(lost, detail="file-missing-on-worker")
    elif task.label.kind == "test" and chance < 0.02:
        yield Artifact("public/test_info/minidump.dmp", "random", BINARY, 60_000, status=410)


def _hostile_content(name: str) -> str:
    return "evil.tar.gz" if name.endswith(".tar.gz") else "evil.zip" if name.endswith(".zip") else "log"
