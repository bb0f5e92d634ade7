"""The contents of a synthetic build's files: a function of the seed, the object and the time when the demo started.

JSON files have the members and the formatting of the programs that write them. Log sizes follow 837 real builds:
successes have 4 to 10 KB, test failures some MB, the largest 37.9 MB; the bulk of a log is a sequence of chunks from a
pool that all logs share.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from backends.demo.deterministic_random import digest, generator, hexadecimal, number
from backends.demo.pictures import screenshot
from backends.demo.prow import junit
from backends.demo.prow.builds import CATALOGUE, LONG_JOB, REGRESSION_JOB, STEPS, Build, kubernetes_builds
from backends.demo.prow.chunked_bytes import ByteChunk, ChunkedBytes, single_chunk

NODES = ("e2e-master-0", "e2e-minion-group-1xq4", "e2e-minion-group-7bzr")
BIG_BYTES = 37_900_000
_CHUNK_BYTES = 1 << 15
_POOL_CHUNKS = 32
_HOUR = 3_600
_HOSTILE_JUNIT = """<?xml version="1.0"?>
<!DOCTYPE testsuites [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">
<!ENTITY file SYSTEM "file:///etc/passwd">]>
<testsuites><testsuite name="[bold]hostile[/bold]"><testcase name="expands &c;" time="1"/>
<testcase name="reads &file;" time="NaN"/></testsuite></testsuites>
"""


@dataclass(frozen=True)
class ObjectEntry:
    """An object of a bucket. `kind` says what it contains, `build` whose it is, `detail` which step or part."""

    name: str
    kind: str
    build: Build
    detail: str = ""


def object_content(seed: int, entry: ObjectEntry, born: float) -> ChunkedBytes:
    """`born`: UTC seconds when the demo was started, on which a pending build's times depend."""
    build, kind, detail = entry.build, entry.kind, entry.detail
    contents: dict[str, Callable[[], ChunkedBytes | str | bytes]] = {
        "started.json": lambda: _step_started(entry) if detail else _started(build, born),
        "finished.json": lambda: _step_finished(entry) if detail else _finished(build),
        "prowjob.json": lambda: _prowjob(build, born),
        "podinfo.json": lambda: _podinfo(seed, build),
        "events": lambda: json.dumps(_events(seed, build), indent=4),
        "clone-records.json": lambda: _clone_records(build),
        "results-cache": lambda: _results_cache(kubernetes_builds(seed)),
        "metadata.json": lambda: json.dumps({"job": build.job, "version": "v1.31.1", "os": "cos"}),
        "json": lambda: _generic_json(seed, build, detail),
        "no-transform": lambda: _generic_json(seed, build, detail),
        "junit": lambda: junit.suite_file(seed, build, *map(int, detail.split("/"))),
        "junit_operator.xml": lambda: junit.operator_file(seed, build),
        "junit_job.xml": lambda: junit.job_file(build),
        "junit-runner": lambda: junit.job_file(build),
        "junit-hostile": lambda: _HOSTILE_JUNIT,
        "latest": lambda: build.id,
        "damaged-latest": lambda: build.id[:-1],
        "link": lambda: link_text(build),
        "dangling-link": lambda: link_text(build).replace(build.id, detail),
        "screenshot": lambda: screenshot(seed, build.id, entry.name),
        "html": lambda: "<!doctype html><title>timelines</title><script>alert(1)</script>",
        "archive": lambda: _tar(seed, build),
        "empty": lambda: "",
        "build-log.txt": lambda: _long_job_log(build) if build.job == LONG_JOB else _build_log(seed, build),
        "step-log": lambda: _step_log(seed, build, detail),
        "node-log": lambda: _assemble_log(seed, "kubelet", build.id + detail, number(entry.name) % 700_000),
        "test-build-log.txt": lambda: _container_log(entry),
        "proxy-build-log.txt": lambda: _container_log(entry),
        "sidecar-logs.json": lambda: _sidecar_log(build),
        "clone-log.txt": lambda: "# Cloning kubernetes/kubernetes at master\n$ git init\nHEAD is now at 1f2e3d4\n",
        "ci-operator.log": lambda: _assemble_log(seed, "openshift", entry.name, 200_000),
    }
    content = contents[kind]() if kind in contents else f"{entry.name}\n"
    if isinstance(content, ChunkedBytes):
        return content
    return single_chunk(content.encode() if isinstance(content, str) else content)


def link_text(build: Build) -> str:
    """The content of a presubmit's file below pr-logs/directory/."""
    return f"gs://{build.bucket}/{build.folder.rstrip('/')}"


# JSON files


def _started(build: Build, born: float) -> str:
    """A pending build has been running for 25 minutes when the demo starts."""
    content: dict[str, Any] = {"timestamp": round(born) - 1_500 if build.role == "pending" else build.started}
    if build.pull:
        content["pull"] = str(build.pull)
        revisions = f"master:{_sha(build, 'base')},{build.pull}:{_sha(build, 'head')}"
        content["repos"] = {f"kubernetes/{build.repo}": revisions}
        content["repo-commit"] = _sha(build, "base")
    if build.job == REGRESSION_JOB:
        content["repos"] = {f"kubernetes/{build.repo}": f"master:{build_commit(build)}"}
        content["repo-commit"] = build_commit(build)
    if build.role == "counter":
        content |= {"node": "jenkins-worker-1", "version": "v1.8.0-alpha.2", "job-version": "v1.8.0-alpha.2"}
    if build.role == "error":
        content["metadata"] = {"uploader": "crier"}
    return _compact(content)


def _finished(build: Build) -> str:
    content: dict[str, Any] = {"timestamp": build.ended, "passed": build.passed, "result": build.result}
    if build.pull or not build.openshift:
        content["revision"] = build_commit(build) if build.job == REGRESSION_JOB else _sha(build, "head")
    if build.openshift and build.result != "error":
        namespace = f"ci-op-{build.id[-8:]}"
        content["metadata"] = {"work-namespace": namespace, "pod": _uuid(build), "infra-commit": "8f3c1e2"}
    if build.role == "error":
        content["metadata"] = {"uploader": "crier"}
    return _compact(content)


def build_commit(build: Build) -> str:
    """What a build of REGRESSION_JOB tested."""
    return hexadecimal(40, build.job, "commit", (build.index + 1) // 2)


def _step_started(entry: ObjectEntry) -> str:
    return json.dumps({"timestamp": _step_time(entry)})


def _step_finished(entry: ObjectEntry) -> str:
    failed = not entry.build.passed and entry.detail == "openshift-e2e-test"
    result = "FAILURE" if failed else "SUCCESS"
    return json.dumps({"timestamp": _step_time(entry) + 600, "passed": not failed, "result": result})


def _step_time(entry: ObjectEntry) -> int:
    return (entry.build.started or entry.build.created) + number(entry.name) % 600


def _prowjob(build: Build, born: float) -> str:
    """Crier writes it with tabs, and rewrites it on every change of state."""
    kind = "batch" if build.role == "batch" else "presubmit" if build.pull else "periodic"
    openshift = build.openshift
    gcs = {
        "bucket": build.bucket,
        "path_strategy": "single" if openshift else "legacy",
        "default_org": "openshift" if openshift else "kubernetes",
        "default_repo": "origin" if openshift else "kubernetes",
    }
    spec: dict[str, Any] = {
        "type": kind,
        "agent": "kubernetes",
        "cluster": f"build{number(build.id) % 5 + 1:02}" if openshift else "k8s-infra-prow-build",
        "namespace": "ci",
        "job": build.job,
        "decoration_config": {"timeout": "4h0m0s", "grace_period": "1h0m0s", "gcs_configuration": gcs},
        **({"refs": _refs(build)} if build.pull else {}),
    }
    labels = {"build-id": build.id, "id": _uuid(build), "job": build.job[:63], "type": kind}
    metadata = {
        "name": _uuid(build),
        "namespace": "ci",
        "creationTimestamp": _stamp(build.created),
        "labels": {"created-by-prow": "true", **{f"prow.k8s.io/{name}": value for name, value in labels.items()}},
        "annotations": {"prow.k8s.io/job": build.job},
    }
    version = {"kind": "ProwJob", "apiVersion": "prow.k8s.io/v1"}
    content = {**version, "metadata": metadata, "spec": spec, "status": _prowjob_status(build, born)}
    return json.dumps(content, indent="\t")


# state and description by role or result
_PROWJOB_STATES = {
    "pending": ("pending", "Job triggered."),
    "never-started": ("aborted", "Aborted by trigger plugin."),
    "error": ("error", "Pod scheduling timeout."),
    "aborted": ("aborted", "Aborted as the newer version of the PR was created."),
}


def _prowjob_status(build: Build, born: float) -> dict[str, Any]:
    deck = "https://prow.ci.openshift.org" if build.openshift else "https://prow.k8s.io"
    state, description = ("success", "Job succeeded.") if build.passed else ("failure", "Job failed.")
    role = build.role or build.result
    if role in _PROWJOB_STATES:
        state, description = _PROWJOB_STATES[role]
    elif build.ended is None:
        state, description = _PROWJOB_STATES["pending"]
    pending_since = round(born) - 1_502 if build.role == "pending" else build.started or build.created
    status = {
        "startTime": _stamp(build.created),
        "pendingTime": _stamp(pending_since),
        "state": state,
        "description": description,
        "url": f"{deck}/view/gs/{build.bucket}/{build.folder.rstrip('/')}",
        "pod_name": _uuid(build),
        "build_id": build.id,
    }
    if state != "pending":
        status["completionTime"] = _stamp(build.ended or build.created + _HOUR)
    return status


def _podinfo(seed: int, build: Build) -> str:
    exit_code, reason = (0, "Completed") if build.passed else (1, "Error")
    state = {"terminated": {"exitCode": exit_code, "reason": reason}}
    node = f"ip-10-0-{number(build.id) % 250}-7"
    pod = {
        "metadata": {"name": _uuid(build), "namespace": "ci", "labels": {"prow.k8s.io/job": build.job[:63]}},
        "spec": {"nodeName": node, "containers": [{"name": "test", "image": "src:latest"}]},
        "status": {
            "phase": "Succeeded" if build.passed else "Failed",
            "containerStatuses": [{"name": "test", "ready": False, "state": state}],
        },
    }
    node_info = {"metadata": {"name": node}, "status": {"nodeInfo": {"kubeletVersion": "v1.31.1"}}}
    return json.dumps({"pod": pod, "events": _events(seed, build, 9)["items"], "node": node_info})


def _events(seed: int, build: Build, count: int = 224) -> dict[str, Any]:
    """A Kubernetes EventList; one real build had 224."""
    random = generator(seed, build.id, "events", count)
    items = []
    for place in range(count):
        kind, reason, object_kind, message = random.choices(
            CATALOGUE["events"], weights=(9, 8, 8, 8, 2, 1, 1, 2, 2, 1)
        )[0]
        time = _stamp((build.started or build.created) + place * 20)
        name = f"{build.test}-{random.choice(STEPS)}"
        item = {
            "metadata": {"name": f"{name}.{hexadecimal(16, build.id, place)}", "namespace": "ci-op"},
            "involvedObject": {"kind": object_kind, "namespace": "ci-op", "name": name},
            "reason": reason,
            "message": message,
            "type": kind,
            "count": random.randint(1, 4),
            "firstTimestamp": time,
            "lastTimestamp": time if place % 50 else None,  # newer events have eventTime instead
            "eventTime": None if place % 50 else time.replace("Z", ".000000Z"),
            "source": {"component": "kubelet", "host": random.choice(NODES)},
        }
        items.append(item)
    return {"kind": "EventList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}


def _clone_records(build: Build) -> str:
    command = "git fetch https://github.com/kubernetes/kubernetes.git --tags --prune"
    commands = [{"command": command, "output": "", "duration": 11_400_000_000}]
    refs = _refs(build) if build.pull else {"org": "kubernetes", "repo": "kubernetes", "base_ref": "master"}
    record = {"refs": refs, "commands": commands, "final_sha": _sha(build, "head"), "duration": 12_000_000_000}
    return _compact([record])


def _results_cache(builds: list[Build]) -> str:
    """jobResultsCache.json of the old bootstrap: the last 300 builds."""
    return _compact([
        {"version": "v1.31.1", "buildnumber": build.id, "passed": build.passed, "result": build.result}
        for build in builds[-300:]
    ])  # fmt: skip


def _generic_json(seed: int, build: Build, name: str) -> str:
    """Any other JSON: a list of objects of that kind."""
    random = generator(seed, build.id, name)
    items = [
        {
            "metadata": {"name": f"{name.partition('.')[0]}-{place}"},
            "status": {"phase": "Complete", "cpu": random.random()},
        }
        for place in range(random.randint(4, 30))
    ]
    return json.dumps({"kind": "List", "apiVersion": "v1", "items": items}, indent=4)


def _refs(build: Build) -> dict[str, Any]:
    authors, titles = CATALOGUE["authors"], CATALOGUE["titles"]
    pulls = [
        {
            "number": pull,
            "author": authors[pull % len(authors)],
            "sha": _sha(build, f"head{pull - build.pull or ''}"),
            "title": titles[pull % len(titles)],
            "link": f"https://github.com/kubernetes/{build.repo}/pull/{pull}",
        }
        for pull in range(build.pull, build.pull + (3 if build.role == "batch" else 1))
    ]
    base = {"org": "kubernetes", "repo": build.repo, "base_ref": "master", "base_sha": _sha(build, "base")}
    return {**base, "pulls": pulls}


def _sha(build: Build, which: str) -> str:
    return hexadecimal(40, build.repo, build.pull or build.id, which)


def _uuid(build: Build) -> str:
    return str(UUID(bytes=digest(build.bucket, build.id, "prowjob"), version=4))


def _stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _tar(seed: int, build: Build) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for place in range(4):
            body = digest(seed, build.id, place) * (200 + place)
            member = tarfile.TarInfo(f"must-gather/namespaces/openshift-{place}/core/pods.yaml")
            member.size, member.mtime = len(body), build.created
            archive.addfile(member, io.BytesIO(body))
    return buffer.getvalue()


# Logs


def _openshift_line(draw: float, low: int, chunk: int) -> str:
    test = junit.OPENSHIFT_TESTS[low % len(junit.OPENSHIFT_TESTS)]
    if draw < 0.4:
        return f'started: ({chunk % 9}/{low}/2543) "{test}"\n'
    clock = f"1{chunk % 10}:{low % 60:02}:{low % 59:02}"
    if draw < 0.8:
        return f'passed: ({low / 7:.1f}s) 2026-11-20T{clock} "{test}"\n'
    if draw < 0.83:
        return f'skipped: ({low / 100:.1f}s) 2026-11-20T{clock} "{test}"\n'
    if draw < 0.835:
        return f"Nov 20 {clock}.{low:03} E ns/openshift-etcd pod/etcd-{low % 3} ERROR: probe\n"
    return f"Nov 20 {clock}.{low:03} I ns/e2e-{low} pod/test-{low} node/worker-{low % 3} created\n"


def _kubernetes_line(draw: float, low: int, chunk: int) -> str:
    clock = f"1{chunk % 10}:{low % 60:02}:{low % 59:02}.{low:03}"
    if draw < 0.6:
        return f'Nov 20 {clock}: INFO: Waiting up to 5m0s for pod "pod-{low}" in namespace "e2e-{low % 97}"\n'
    if draw < 0.9:
        test = junit.KUBERNETES_TESTS[low % len(junit.KUBERNETES_TESTS)]
        return f"\x1b[1mSTEP:\x1b[0m {test} \x1b[38;5;243m{clock}\x1b[0m\n"
    if draw < 0.905:
        return f"E1120 {clock}000 {low} reflector.go:{low}] watch closed\n"
    return f"I1120 {clock}000   {low} util.go:{low}] Pod status: Pending\n"


def _kubelet_line(draw: float, low: int, chunk: int) -> str:
    level = "E" if draw < 0.01 else "W" if draw < 0.03 else "I"
    clock = f"1{chunk % 10}:{low % 60:02}:{low % 59:02}.{low:03}{chunk:03}"
    return f'{level}1120 {clock}    1432 kuberuntime_manager.go:{low}] "Syncing pod" pod="kube-system/pod-{low}"\n'


_LINES = {"openshift": _openshift_line, "kubernetes": _kubernetes_line, "kubelet": _kubelet_line}


@lru_cache(maxsize=8)
def _log_pool(seed: int, style: str) -> tuple[ByteChunk, ...]:
    """About a megabyte of lines of one style: "openshift", "kubernetes" or "kubelet"."""
    random = generator(seed, "prow log", style)
    chunks = []
    for chunk in range(_POOL_CHUNKS):
        lines: list[str] = []
        size = 0
        while size < _CHUNK_BYTES:
            draw, low = random.random(), random.randrange(1_000)
            lines.append(_LINES[style](draw, low, chunk))
            size += len(lines[-1])
        chunks.append(ByteChunk("".join(lines).encode()))
    return tuple(chunks)


def _assemble_log(seed: int, style: str, key: str, size: int, head: str = "", tail: str = "") -> ChunkedBytes:
    """About `size` bytes of the pool between two texts, in an order that depends on the key."""
    pool = _log_pool(seed, style) if size else ()
    order = number(seed, key, "order")
    places = ((order + place * 7 + (order >> place % 60)) % _POOL_CHUNKS for place in range(size // _CHUNK_BYTES))
    return ChunkedBytes([ByteChunk(head.encode()), *(pool[place] for place in places), ByteChunk(tail.encode())])


def _build_log(seed: int, build: Build) -> ChunkedBytes:
    size = BIG_BYTES if build.role == "big-log" else 0
    if build.openshift:
        if (
            not size
            and build.result in ("FAILURE", "SUCCESS")
            and "TEST/" in build.artifacts
            and build.test == "e2e-gcp"
        ):
            most = 500_000 if build.passed else 12_000_000
            size = 1_000_000 + int(most * (number(seed, build.id, "log bytes") / 2**64))
        head, tail = _operator_head(seed, build), _operator_tail(seed, build)
        return _assemble_log(seed, "openshift", build.id, size, head, tail)
    passed = build.passed
    size = size or 40_000 + number(seed, build.id) % (300_000 if passed else 4_000_000)
    head = f"wrapper.sh] [INFO] Wrapping Test Command: `runner.sh`\n{_stamp(build.started)} Checking out kubernetes\n"
    tail = f"Ginkgo ran 1 suite in {number(build.id) % 90}m2s\nTest Suite {'Passed' if passed else 'Failed'}\n"
    if not passed:
        tail += "\x1b[38;5;9m• [FAILED] [61.500 seconds]\x1b[0m\nERROR: exit status 1\nnot ok 1 e2e\n"
    tail += f"+ EXIT_VALUE=0 # {'SUCCESS' if passed else 'FAILURE'}\n"
    return _assemble_log(seed, "kubernetes", build.id, size, head, tail)


def _long_job_log(build: Build) -> str:
    verdict = "PASS" if build.passed else "--- FAIL: TestSync (0.02s)\nFAIL\nmake: *** [Makefile:192: test] Error 1"
    return f"+++ [1120 18:00:00] Running tests without code coverage\nok k8s.io/api 0.{build.index}s\n{verdict}\n"


def _step_log(seed: int, build: Build, step: str) -> ChunkedBytes:
    failed = step == "openshift-e2e-test" and not build.passed
    lines = [f"level=info msg=Step {step}, line {line}" for line in range(number(seed, build.id, step) % 60)]
    if failed:
        lines.append("error: 1 fail, 1523 pass, 1020 skip (27m30s)")
    head = "\n".join(["+ set -o nounset", *lines]) + "\n"
    return _assemble_log(seed, "openshift", build.id + step, 400_000 if failed else 0, head)


def _container_log(entry: ObjectEntry) -> str:
    name = entry.name.rpartition("/")[2].removesuffix("-build-log.txt")
    return f"container {name} of {entry.build.id}\nERROR: only one of several logs\n"


def _sidecar_log(build: Build) -> str:
    lines = [{"component": "sidecar", "level": "info", "msg": f"wrote {name}"} for name in build.entries]
    return "".join(json.dumps(line) + "\n" for line in lines)


def _operator_head(seed: int, build: Build) -> str:
    start, tags = build.started or build.created, number(seed, build.id, "tags") % 60 + 25
    messages = [
        "ci-operator version v20261118-7d9fcd2",
        "Loading configuration from https://config.ci.openshift.org for openshift/release@master [ci-4.8]",
        f"Using namespace https://console.build02.ci.openshift.org/k8s/cluster/projects/ci-op-{build.id[-8:]}",
        f"Running [input:origin-centos-8], [release:latest], [images], {build.test}",
        *(f"Tagging ocp/4.8:component-{place} into stable" for place in range(tags)),
        f"Running multi-stage test {build.test}",
    ]
    for place, step in enumerate(build.steps):
        messages.append(f"Running step {build.test}-{step}.")
        if build.passed or place < 3:
            messages.append(f"Step {build.test}-{step} succeeded after {place * 7 + 1}m10.04s.")
    lines = (f"\x1b[36mINFO\x1b[0m[{_stamp(start + place * 4)}] {text}  \n" for place, text in enumerate(messages))
    return "".join(lines)


def _operator_tail(seed: int, build: Build) -> str:
    end = build.ended or build.created + 600
    red, blue = (f"\x1b[{color}\x1b[0m[{_stamp(end)}] " for color in ("31mERRO", "36mINFO"))
    if build.passed:
        minutes = (end - build.started) // 60
        return f"{blue}Ran for {minutes}m12s                  \n{blue}Reporting job state 'succeeded'             \n"
    if build.result == "ABORTED":
        return f"{red}Received signal: terminated                  \n{blue}Reporting job state 'aborted'\n"
    return (
        f"{_failed_tests(seed, build)}{red}Some steps failed:                           \n"
        f'{red}  * could not run steps: step {build.test} failed: "{build.test}" test steps failed  \n'
        f"error: some steps failed:\n  * could not run steps: step {build.test} failed\n"
        f"{blue}Reporting job state 'failed' with reason 'executing_graph:step_failed:utilizing_lease'\n"
    )


def _failed_tests(seed: int, build: Build) -> str:
    """The last lines of openshift-tests: the tests that failed according to the build's JUnit file."""
    if "TEST/" not in build.artifacts:
        return ""
    cases = junit.test_cases(seed, build)
    passed = {case.name for case in cases if case.state == "P"}
    flaky = [case.name for case in cases if case.state == "F" and case.name in passed]
    failed = [case.name for case in cases if case.state == "F" and case.name not in passed]
    lists = [f"{what} tests:\n\n" + "\n".join(names) + "\n\n" for what, names in (("Flaky", flaky), ("Failing", failed))
             if names]  # fmt: skip
    return "".join(lists) + f"error: {len(failed)} fail, {len(passed)} pass, {len(flaky)} flaky (27m30s)\n"
