"""Which bytes an object of a synthetic bucket holds, decoded: a function of seed, name, and the demo's start."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable

from backends.demo.prow import documents, junit, texts
from backends.demo.prow.builds import Build, kubernetes_builds
from backends.demo.prow.names import LONG_JOB
from backends.demo.prow.ropes import Rope, rope
from backends.demo.prow.trees import Entry
from backends.demo.seeds import digest, number

_HOSTILE_JUNIT = b"""<?xml version="1.0"?>
<!DOCTYPE testsuites [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">
<!ENTITY file SYSTEM "file:///etc/passwd">]>
<testsuites><testsuite name="[bold]hostile[/bold]"><testcase name="expands &c;" time="1"/>
<testcase name="reads &file;" time="NaN"/></testsuite></testsuites>
"""


def content(seed: int, entry: Entry, born: float) -> Rope:
    """`born`: UTC seconds when the demo was started, which a pending build's times depend on."""
    build = entry.build
    if entry.kind in _LOGS:
        return _LOGS[entry.kind](seed, entry)
    if entry.kind in ("started.json", "finished.json") and entry.detail:
        return rope(_step_status(entry))
    match entry.kind:
        case "started.json":
            return rope(documents.started(build, born))
        case "finished.json":
            return rope(documents.finished(build))
        case "prowjob.json":
            return rope(documents.prowjob(build, born))
        case "podinfo.json":
            return rope(documents.podinfo(seed, build))
        case "events":
            return rope(json.dumps(documents.events(seed, build), indent=4).encode())
        case "clone-records.json":
            return rope(documents.clone_records(build))
        case "results-cache":
            return rope(documents.results_cache(kubernetes_builds(seed)))
        case "ci-operator-step-graph.json":
            return rope(documents.step_graph(build))
        case "metadata.json":
            return rope(json.dumps({"job": build.job, "version": "v1.31.1", "os": "cos"}).encode())
        case "json" | "no-transform":
            return rope(documents.plain(seed, build, entry.detail))
        case _:
            return rope(_other(seed, entry))


def _other(seed: int, entry: Entry) -> bytes:
    build = entry.build
    match entry.kind:
        case "junit":
            part, _, parts = entry.detail.partition("/")
            return junit.suite_file(seed, build, int(part), int(parts))
        case "junit_operator.xml":
            return junit.operator_file(seed, build)
        case "junit_job.xml" | "junit-runner":
            return junit.job_file(build)
        case "junit-hostile":
            return _HOSTILE_JUNIT
        case "latest":
            return build.id.encode()
        case "damaged-latest":
            return build.id[:-1].encode()
        case "link":
            return link(build).encode()
        case "dangling-link":
            return link(build).replace(build.id, entry.detail).encode()
        case "html":
            return b"<!doctype html><title>timelines</title><script>alert(1)</script>"
        case "archive":
            return _tar(seed, build)
        case "empty":
            return b""
        case _:
            return f"{entry.name}\n".encode()


def link(build: Build) -> str:
    """What a presubmit's file under pr-logs/directory/ says."""
    return f"gs://{build.bucket}/{build.folder.rstrip('/')}"


def _build_log(seed: int, entry: Entry) -> Rope:
    if entry.build.job == LONG_JOB:
        return rope(texts.long_log(entry.build))
    return texts.build_log(seed, entry.build)


def _node_log(seed: int, entry: Entry) -> Rope:
    return texts.strung(seed, "kubelet", entry.build.id + entry.detail, number(entry.name) % 700_000)


def _container_log(_: int, entry: Entry) -> Rope:
    name = entry.name.rpartition("/")[2].removesuffix("-build-log.txt")
    return rope(f"container {name} of {entry.build.id}\nERROR: only one of several logs\n".encode())


def _sidecar_log(_: int, entry: Entry) -> Rope:
    lines = [{"component": "sidecar", "level": "info", "msg": f"wrote {name}"} for name in entry.build.entries]
    return rope(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


_LOGS: dict[str, Callable[[int, Entry], Rope]] = {
    "build-log.txt": _build_log,
    "step-log": lambda seed, entry: texts.step_log(seed, entry.build, entry.detail),
    "node-log": _node_log,
    "test-build-log.txt": _container_log,
    "proxy-build-log.txt": _container_log,
    "sidecar-logs.json": _sidecar_log,
    "clone-log.txt": lambda _, entry: rope(
        b"# Cloning kubernetes/kubernetes at master\n$ git init\nHEAD is now at 1f2e3d4\n"
    ),
    "ci-operator.log": lambda seed, entry: texts.strung(seed, "openshift", entry.name, 200_000),
}


def _step_status(entry: Entry) -> bytes:
    build = entry.build
    at = (build.started or build.created) + number(entry.name) % 600
    if entry.kind == "started.json":
        return json.dumps({"timestamp": at}).encode()
    failed = not build.passed and entry.detail == "openshift-e2e-test"
    return json.dumps(
        {"timestamp": at + 600, "passed": not failed, "result": "FAILURE" if failed else "SUCCESS"}
    ).encode()


def _tar(seed: int, build: Build) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for place in range(4):
            body = digest(seed, build.id, place) * (200 + place)
            member = tarfile.TarInfo(f"must-gather/namespaces/openshift-{place}/core/pods.yaml")
            member.size, member.mtime = len(body), build.created
            archive.addfile(member, io.BytesIO(body))
    return held.getvalue()
