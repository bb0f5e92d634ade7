"""The bytes of artifacts: a pure function of seed, task, run and name, generated on request.

Logs have the line formats of Taskcluster and the test harnesses; measurements follow Treeherder's performance artifact
schema; archives and pictures are small valid files, plus two hostile archives. Large random files are never held: any
range of them is cut from a seeded pool, so a resumed download gets the same bytes as an uninterrupted one.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from random import Random
from statistics import geometric_mean, median
from typing import Any
from xml.sax.saxutils import quoteattr

import msgspec

from backends.demo.asgi import Chunks
from backends.demo.deterministic_random import digest, generator, hexadecimal, number
from backends.demo.options import DemoOptions
from backends.demo.pictures import gradient, screenshot
from backends.demo.taskcluster.artifacts import DemoArtifact, find_artifact
from backends.demo.taskcluster.failure_causes import log_cause, planted_failures, planted_log_lines
from backends.demo.taskcluster.fixtures import Fixtures
from backends.demo.taskcluster.model import DemoGroup, DemoTask

Json = dict[str, Any]

BLOCK = 1 << 16
_POOL_BYTES = 1 << 22
# Archives have this time stamp so that their bytes never change.
_STAMP = 1_795_161_600
_ZIP_STAMP = (2026, 11, 20, 8, 0, 0)
_DIRECTORIES = (
    "browser", "dom", "layout", "netwerk", "toolkit", "js/src", "gfx", "media", "testing/web-platform/tests",
    "devtools",
)  # fmt: skip
_WORDS = (
    "basic", "nested", "async", "load", "resize", "focus", "scroll", "paint", "fetch", "worker", "cache", "storage",
    "event", "layer", "frame",
)  # fmt: skip
# `typical` value and `spread` between replicates, relative to it
_METRICS = json.loads((Path(__file__).parent / "measurements.json").read_bytes())
_REPLICATES = 25
_TIERS = (("export", 0.05), ("compile", 0.75), ("libs", 0.12), ("package", 0.08))


@dataclass(frozen=True)
class Payload:
    """Bytes as the storage sends them: `size` and `chunks(start, stop)` are of the stored (perhaps gzipped) form."""

    content_type: str
    encoding: str
    size: int
    etag: str
    chunks: Chunks


class Payloads:
    """Generates payloads and keeps the recent ones; thread-safe."""

    def __init__(self, fixtures: Fixtures) -> None:
        self._fixtures = fixtures
        self._stored = lru_cache(maxsize=256)(self._generate)
        self._length = lru_cache(maxsize=None)(lambda *key: len(self._stored(*key)[0]))

    def length(self, task: DemoTask, run_id: int, artifact: DemoArtifact) -> int:
        """The length before content encoding: contentLength in the queue's lists."""
        return artifact.size if artifact.size is not None else self._length(task.id, run_id, artifact)

    def payload(self, task: DemoTask, run_id: int, artifact: DemoArtifact) -> Payload:
        key, seed = f"{task.id}/{run_id}/{artifact.name}", self._fixtures.seed
        etag = f'"{hexadecimal(32, seed, task.id, run_id, artifact.name)}"'
        if artifact.content == "random":
            size = artifact.size or 0
            return Payload(artifact.content_type, "", size, etag, partial(random_bytes, seed, key))
        _, stored = self._stored(task.id, run_id, artifact)
        encoding = "gzip" if artifact.gzipped else ""
        return Payload(artifact.content_type, encoding, len(stored), etag, lambda *ends: iter([stored[slice(*ends)]]))

    def _generate(self, task_id: str, run_id: int, artifact: DemoArtifact) -> tuple[bytes, bytes]:
        """The decoded and the stored content."""
        found = self._fixtures.find(task_id)
        assert found is not None
        decoded = generate_payload(self._fixtures, *found, run_id, artifact)
        return decoded, gzip.compress(decoded, 6, mtime=0) if artifact.gzipped else decoded


@lru_cache(maxsize=2)
def _pool(seed: int) -> bytes:
    """Four incompressible megabytes."""
    return hashlib.shake_128(digest(seed, "pool")).digest(_POOL_BYTES + BLOCK)


def random_bytes(seed: int, name: str, start: int, stop: int) -> Iterator[bytes]:
    """Bytes `start` to `stop` of an endless incompressible file, block by block."""
    pool = _pool(seed)
    position = start
    while position < stop:
        block, within = divmod(position, BLOCK)
        base = number(seed, name, block) % _POOL_BYTES
        length = min(BLOCK - within, stop - position)
        yield pool[base + within : base + within + length]
        position += length


def generate_payload(
    fixtures: Fixtures, group: DemoGroup, task: DemoTask, run_id: int, artifact: DemoArtifact
) -> bytes:
    """The complete decoded content of one artifact."""
    seed, name = fixtures.seed, artifact.name
    match artifact.content:
        case "random":
            return b"".join(random_bytes(seed, f"{task.id}/{run_id}/{name}", 0, artifact.size or 0))
        case "log" | "live":
            return log_text(seed, group, task, run_id, name, artifact.size or 0)
        case "errorsummary":
            return _errorsummary(seed, task, run_id)
        case "testsummary":
            return _test_summary(seed, task, run_id)
        case "junit":
            return _junit(seed, task, run_id)
        case "perfherder":
            return _encode(_perfherder_data(seed, task, run_id))
        case "build-metrics":
            return _encode(_build_metrics(seed, task, run_id))
        case "csv":
            return _csv(seed, task, run_id, name)
        case "png":
            return gradient(number(seed, task.id, run_id, name))
        case "screenshot":
            return screenshot(seed, task.id, run_id, name)
        case "zip":
            return _zip_file(seed, task.id, run_id, name, artifact.size or 10_000)
        case "tar.gz" | "tar.xz":
            return _tarball(seed, task.id, run_id, name, artifact.content)
        case "evil.tar.gz":
            return _evil_tarball()
        case "evil.zip":
            return _evil_zip()
        case "label-to-taskid" | "target-tasks" | "task-graph" | "full-task-graph" | "runnable-jobs":
            return _encode(_graph(group, artifact.content))
        case _:
            return _encode(_usage(seed, task, run_id, name))


def _encode(value: object) -> bytes:
    return msgspec.json.encode(value)


def _graph(group: DemoGroup, which: str) -> object:
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


def _usage(seed: int, task: DemoTask, run_id: int, name: str) -> object:
    random = generator(seed, task.id, run_id, name, "json")
    samples = [
        {"start": second, "cpu_percent": round(random.uniform(5, 100), 1), "memory": random.randint(10**8, 10**10)}
        for second in range(random.randint(10, 60))
    ]
    return {"name": name.rsplit("/", 1)[-1], "task": task.label.name, "run": run_id, "samples": samples}


def _csv(seed: int, task: DemoTask, run_id: int, name: str) -> bytes:
    random = generator(seed, task.id, run_id, name, "csv")
    lines = ["Second,CPU %,Phase,Memory (B)"]
    for second in range(120):
        phase = "setup" if second < 20 else "test, first" if second < 80 else "test, second"
        lines.append(f'{second},{random.uniform(5, 100):.1f},"{phase}",{random.randint(10**8, 10**10)}')
    return ("\r\n".join(lines) + "\r\n").encode()


_cached_fixtures = lru_cache(maxsize=2)(Fixtures)


def expected_bytes(options: DemoOptions, task_id: str, run_id: int, name: str) -> bytes:
    """The decoded content that a correct download of that artifact has; for tests. Links are not followed.

    Raises KeyError for an unknown task or artifact.
    """
    fixtures = _cached_fixtures(options)
    found = fixtures.find(task_id)
    artifact = None if found is None else find_artifact(fixtures.seed, *found, run_id, name)
    if found is None or artifact is None:
        raise KeyError(task_id, name)
    return generate_payload(fixtures, *found, run_id, artifact)


def expected_sha256(options: DemoOptions, task_id: str, run_id: int, name: str) -> str:
    """The same, as a hexadecimal SHA-256."""
    return hashlib.sha256(expected_bytes(options, task_id, run_id, name)).hexdigest()


# Logs

_LOG_HEAD = """[taskcluster {stamp}] Task ID: {task.id}
[taskcluster {stamp}] Run ID: {run_id}
[taskcluster {stamp}] Worker Pool: {task.label.pool}
[taskcluster {stamp}] Worker Group: {run.worker_group}
[taskcluster {stamp}] === Task Starting ===
[setup {stamp}] run-task started in /builds/worker/checkouts
[vcs {stamp}] updated to {revision}
"""
_LOG_TAILS = {
    "completed": """[taskcluster {stamp}] === Task Finished ===
[taskcluster {stamp}] Successful task run, exit 0
""",
    "failed": """[task {stamp}] {clock}    ERROR - # TBPL FAILURE #
[task {stamp}] {clock}    FATAL - Harness returned 1 for {suite}
[taskcluster {stamp}] === Task Finished ===
[taskcluster:error] {stamp} exit status 1
""",
}
_LOG_TAIL = "[taskcluster:error] {stamp} Task aborted: {run.reason}\n"


@lru_cache(maxsize=8)
def _log_lines(seed: int) -> tuple[tuple[str, str], ...]:
    """400 lines without time stamps, from which logs are drawn: harnesses repeat themselves, too. Where a line has two
    parts, the path of a test is between them, another one each time."""
    random = generator(seed, "log bodies", 0)
    bodies: list[tuple[str, str]] = []
    for _ in range(400):
        chance = random.random()
        if chance < 0.25:
            bodies.append(("    INFO - TEST-START | ", " "))
        elif chance < 0.45:
            bodies.append(("    INFO - TEST-OK | ", f" | took {random.randint(20, 9000)}ms"))
        elif chance < 0.8:
            bodies.append(("    INFO - TEST-PASS | ", f" | {' '.join(random.choices(_WORDS, k=6))}"))
        elif chance < 0.83:
            bodies.append((" WARNING - JavaScript warning: resource://", f", line {random.randint(1, 900)}"))
        else:
            words = " ".join(random.choices(_WORDS, k=9))
            bodies.append((f"    INFO - GECKO({random.randint(900, 9999)}) | {words}", ""))
    return tuple(bodies)


def _test_path(draw: int) -> str:
    """The path of one of thousands of tests."""
    folder, first = divmod(draw >> 8, len(_WORDS))
    folder, second = divmod(folder, len(_WORDS))
    return f"{_DIRECTORIES[folder % len(_DIRECTORIES)]}/test/test_{_WORDS[first]}_{_WORDS[second]}.html"


def log_text(seed: int, group: DemoGroup, task: DemoTask, run_id: int, name: str, size: int) -> bytes:
    """A log of exactly `size` bytes that ends with a newline, with its planted cause if the run failed."""
    if size <= 0:
        return b""
    run = task.history[run_id]
    started = run.started or 0.0
    duration = max((run.ended or started) - started, 1.0)
    end = group.stamp(started + duration)
    suite = task.label.suite or task.label.kind
    head = _LOG_HEAD.format(stamp=group.stamp(started), task=task, run_id=run_id, run=run, revision=group.revision)
    tail = _LOG_TAILS.get(run.state, _LOG_TAIL).format(stamp=end, clock=end[11:19], suite=suite, run=run)
    room = size - len(head) - len(tail)
    if room <= 0:
        return (head + tail)[: size - 1].encode("ascii", "replace") + b"\n"
    planted = ""
    if name == "public/logs/live_backing.log":
        stamp = group.stamp(started + duration)
        planted = "".join(f"[task {stamp}] {stamp[11:19]} {line}\n" for line in planted_log_lines(seed, task, run_id))
        room = max(room - len(planted), 0)
    pool = _log_lines(seed)
    draw = number(seed, task.id, run_id, name, "lines") & 0x7FFFFFFF
    lines: list[str] = []
    written, prefix = 0, ""
    while written < room:
        if len(lines) % 8 == 0:
            stamp = group.stamp(started + duration * written / room)
            prefix = f"[task {stamp}] {stamp[11:19]} "
        draw = (draw * 1103515245 + 12345) & 0x7FFFFFFF
        before, after = pool[(draw >> 8) % len(pool)]
        draw = (draw * 1103515245 + 12345) & 0x7FFFFFFF
        lines.append(f"{prefix}{before}{_test_path(draw) if after else ''}{after.rstrip(' ')}\n")
        written += len(lines[-1])
    body = "".join(lines)[: room - 1]
    whole = body.rfind("\n")  # the last line has blanks where another one does not fit
    body = body[: max(whole, 0)].ljust(room - 1) + "\n" if room else ""
    body += planted
    return f"{head}{body}{tail}".encode("ascii", "replace")


def _errorsummary(seed: int, task: DemoTask, run_id: int) -> bytes:
    """The harness's JSON lines: groups, their results, and an unexpected one if the run failed."""
    random = generator(seed, task.id, run_id, "errorsummary")
    planted = planted_failures(seed, task, run_id)
    bad = dict.fromkeys(failure.group for failure in planted)
    groups = [*bad, *(f"{random.choice(_DIRECTORIES)}/test/{word}.toml" for word in random.sample(_WORDS, 5))]
    lines: list[Json] = [{"action": "test_groups", "line": 0, "groups": groups}]
    for failure in planted:
        event: Json = {"test": failure.test, "group": failure.group, "line": len(lines)}
        if failure.status == "CRASH":
            lines.append({"action": "crash", **event, "signature": failure.message, "stackwalk_stderr": None})
            continue
        known = [failure.status] if failure.known else []
        result = {"subtest": failure.subtest or None, "status": failure.status, "expected": failure.expected}
        lines.append({
            "action": "test_result", **event, **result, "message": failure.message, "known_intermittent": known,
        })  # fmt: skip
    for group in groups:
        ended: Json = {"status": "ERROR" if group in bad else "OK", "duration": random.randint(100, 90_000)}
        lines.append({"action": "group_result", "group": group, **ended, "line": len(lines)})
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


def _test_summary(seed: int, task: DemoTask, run_id: int) -> bytes:
    """mozlog's events: each planted failure with its test, among tests that pass, one of them at the second try."""
    random = generator(seed, task.id, run_id, "summary")
    lines: list[Json] = []
    time = 1_795_160_000_000

    def run(test: str, group: str, *events: Json, **end: object) -> None:
        nonlocal time
        time += random.randint(20, 9_000)
        lines.append({"action": "test_start", "test": test, "group": group, "time": time})
        lines.extend({"action": "test_status", "test": test, **event} for event in events)
        lines.append({"action": "test_end", "test": test, "time": time + random.randint(1, 20), **end})

    for failure in planted_failures(seed, task, run_id):
        group, test = failure.group, failure.test
        lines.append({"action": "group_start", "name": group})
        run(test.replace(".js", "_before.js"), group, status="OK")
        unexpected = {"status": failure.status, "expected": failure.expected, "message": failure.message}
        if failure.status == "CRASH":
            lines.append({"action": "test_start", "test": test, "group": group, "time": time})
            lines.append({"action": "crash", "test": test, "signature": failure.message})
            lines.append({"action": "test_end", "test": test, "status": "CRASH", "expected": "OK"})
        elif failure.subtest:
            run(test, group, {"subtest": failure.subtest, **unexpected}, status="OK")
        else:
            run(test, group, **unexpected)
        lines.append({"action": "group_end", "name": group})
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


def _junit(seed: int, task: DemoTask, run_id: int) -> bytes:
    """Of a source test: its planted cause as a failed case beside cases that passed."""
    cause = log_cause(seed, task, run_id)
    cases = "".join(f'<testcase classname="lint" name="checks {word}" time="0.1"/>' for word in _WORDS[:5])
    if cause is not None:
        said = cause[1].partition(" - ")[2]
        cases += f'<testcase classname="lint" name="ends" time="2.5"><failure message={quoteattr(said)}/></testcase>'
    return f'<testsuite name="{task.label.name}">{cases}</testsuite>'.encode()


def _tarball(seed: int, task_id: str, run_id: int, name: str, form: str) -> bytes:
    """Like browsertime results: one folder with JSON per site, and a screenshot."""
    random = generator(seed, task_id, run_id, name, "tar")
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for number in range(1, random.randint(3, 6)):
            timings = [round(random.lognormvariate(6.6, 0.2), 1) for _ in range(200)]
            report = {"iteration": number, "timings": timings, "url": f"https://example.org/{number}"}
            _add_to_tar(archive, f"browsertime-results/site-{number}/browsertime.json", msgspec.json.encode(report))
        _add_to_tar(archive, "browsertime-results/screenshot.png", gradient(random.getrandbits(32)))
    if form == "tar.xz":
        return lzma.compress(raw.getvalue(), preset=0)
    return gzip.compress(raw.getvalue(), 6, mtime=_STAMP)


def _add_to_tar(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = len(content), _STAMP, 0o644
    archive.addfile(member, io.BytesIO(content))


def _zip_file(seed: int, task_id: str, run_id: int, name: str, size: int) -> bytes:
    """A valid zip of exactly `size` bytes (at least 400): a JSON member and a random one that fills the rest."""
    random = generator(seed, task_id, run_id, name, "zip")
    manifest = msgspec.json.encode({"task": task_id, "files": ["content.bin"]})
    empty = _zip([("manifest.json", manifest), ("content.bin", b"")])
    filling = random.randbytes(max(size - len(empty), 0))
    return _zip([("manifest.json", manifest), ("content.bin", filling)])


def _zip(members: list[tuple[str, bytes]]) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name, _ZIP_STAMP), content)
    return raw.getvalue()


def _evil_tarball() -> bytes:
    """Members outside the target folder, an absolute path, a link to the outside, a device, and a harmless file."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        _add_to_tar(archive, "../escaped.txt", b"escaped\n")
        _add_to_tar(archive, "/tmp/ciexplore-absolute.txt", b"escaped\n")  # noqa: S108 - never opened here
        link = tarfile.TarInfo("out")
        link.type, link.linkname, link.mtime = tarfile.SYMTYPE, "../..", _STAMP
        archive.addfile(link)
        _add_to_tar(archive, "out/through-link.txt", b"escaped\n")
        device = tarfile.TarInfo("device")
        device.type, device.mtime = tarfile.CHRTYPE, _STAMP
        archive.addfile(device)
        _add_to_tar(archive, "harmless.txt", b"harmless\n")
    return gzip.compress(raw.getvalue(), 6, mtime=_STAMP)


def _evil_zip() -> bytes:
    """The same for zip: parent, absolute and drive paths, and a harmless file."""
    names = ("../escaped.txt", "/tmp/ciexplore-absolute.txt", "C:\\escaped.txt", "..\\escaped.txt", "harmless.txt")  # noqa: S108
    return _zip([(name, b"harmless\n" if name == "harmless.txt" else b"escaped\n") for name in names])


def _perfherder_data(seed: int, task: DemoTask, run_id: int) -> Json:
    """The suites of one run. The level depends on the label, the noise on the run: retriggers differ only by noise."""
    label = task.label
    level = generator(seed, label.name, "level")
    noise = generator(seed, task.id, run_id, "noise")
    framework = "talos" if label.category == "talos" else "browsertime"
    name = label.suite.removeprefix("browsertime-tp6-firefox-").removeprefix("browsertime-benchmark-firefox-")
    options = ["fission", "webrender"] if label.variant != "nofis" else ["webrender"]
    metrics = _METRICS["benchmark" if "benchmark" in label.suite else "pageload"]
    suites: list[Json] = []
    for kind in ("cold", "warm") if "tp6" in label.suite else ("",):
        subtests = [_subtest(level, noise, metric, 0.7 if kind == "warm" else 1.0) for metric in metrics]
        suites.append(
            {
                "name": name.removeprefix("talos-"),
                "type": "benchmark" if "benchmark" in label.suite else "pageload",
                "extraOptions": [*options, *([kind] if kind else [])],
                "tags": ["synthetic"],
                "lowerIsBetter": True,
                "unit": "ms",
                "alertThreshold": 2.0,
                "value": round(geometric_mean([subtest["value"] for subtest in subtests]), 4),
                "subtests": subtests,
            }
        )
    if "benchmark" in label.suite:
        subtest = _subtest(level, noise, _METRICS["score"][0], 1.0)
        names = {"name": f"{name}-score", "extraOptions": options, "lowerIsBetter": False, "unit": "score"}
        values = {"value": subtest["value"], "replicates": subtest["replicates"], "subtests": [subtest]}
        suites.append(names | values)
    return {
        "framework": {"name": framework},
        "application": {"name": "firefox", "version": "147.0a1"},
        "os": {"name": label.os, "platform_version": "1"},
        "suites": suites,
    }


def _subtest(level: Random, noise: Random, metric: Json, factor: float) -> Json:
    center = metric["typical"] * factor * level.lognormvariate(0, 0.35)
    spread = metric["spread"]
    drift = noise.gauss(1, spread / 3)
    # A slow replicate now and then: real page loads are skewed to the right.
    replicates = [
        round(center * drift * noise.gauss(1, spread) * (1.6 if noise.random() < 0.03 else 1.0), 3)
        for _ in range(_REPLICATES)
    ]
    return {
        "name": metric["name"],
        "value": round(median(replicates), 4),
        "unit": metric["unit"],
        "lowerIsBetter": metric["lower"],
        "alertThreshold": 2.0,
        "shouldAlert": metric["unit"] == "ms",
        "replicates": replicates,
    }


def _build_metrics(seed: int, task: DemoTask, run_id: int) -> Json:
    """Sizes and times of a build, in the framework `build_metrics`."""
    level = generator(seed, task.label.name, "build level")
    noise = generator(seed, task.id, run_id, "build noise")
    sizes = [
        {"name": name, "value": int(level.uniform(1e6, 9e7)), "unit": "bytes", "lowerIsBetter": True}
        for name in ("libxul.so", "omni.ja", "browser/omni.ja", "installer")
    ]
    seconds = round(level.uniform(900, 2000) * noise.gauss(1, 0.06), 2)
    times = [{"name": f"tier-{tier}", "value": round(seconds * share, 2), "unit": "s"} for tier, share in _TIERS]
    return {
        "framework": {"name": "build_metrics"},
        "suites": [
            {
                "name": "installer size", "value": sum(int(size["value"]) for size in sizes),
                "lowerIsBetter": True, "subtests": sizes,
            },
            {"name": "build times", "value": seconds, "unit": "s", "lowerIsBetter": True, "subtests": times},
        ],
    }  # fmt: skip
