"""The JSON files of a synthetic build, in the field names and the formatting of those who write them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from backends.demo.prow.builds import Build
from backends.demo.prow.names import AUTHORS, NODES, STEPS, TITLES
from backends.demo.seeds import digest, generator, hexadecimal, number

_HOUR = 3_600
# (type, reason, kind of the object, message)
_EVENTS = (
    ("Normal", "Scheduled", "Pod", "Successfully assigned ci-op/test to ip-10-0-1-2"),
    ("Normal", "Pulled", "Pod", "Container image already present on machine"),
    ("Normal", "Created", "Pod", "Created container test"),
    ("Normal", "Started", "Pod", "Started container test"),
    ("Warning", "FailedScheduling", "Pod", "0/36 nodes are available: 36 Insufficient cpu."),
    ("Warning", "BackOff", "Pod", "Back-off pulling image \"registry.ci.openshift.org/ocp/4.8:cli\""),
    ("Warning", "FailedMount", "Pod", "MountVolume.SetUp failed for volume \"token\": secret not found"),
    ("Normal", "BuildStarted", "Build", "Build ci-op/src is now running"),
    ("Normal", "BuildCompleted", "Build", "Build ci-op/src completed successfully"),
    ("Normal", "TaintManagerEviction", "Pod", "Cancelling deletion of Pod"),
)  # fmt: skip


def started(build: Build, born: float) -> bytes:
    """A pending build has been running for 25 minutes whenever the demo was started."""
    at = round(born) - 1_500 if build.role == "pending" else build.started
    found: dict[str, Any] = {"timestamp": at}
    if build.pull:
        found["pull"] = str(build.pull)
        found["repos"] = {f"kubernetes/{build.repo}": _refs_text(build)}
        found["repo-commit"] = _sha(build, "base")
    if build.role == "counter":
        found |= {"node": "jenkins-worker-1", "version": "v1.8.0-alpha.2", "job-version": "v1.8.0-alpha.2"}
    if build.role == "error":
        found["metadata"] = {"uploader": "crier"}
    return _compact(found)


def finished(build: Build) -> bytes:
    found: dict[str, Any] = {"timestamp": build.ended, "passed": build.passed, "result": build.result}
    if build.pull or not build.openshift:
        found["revision"] = _sha(build, "head")
    if build.openshift and build.result != "error":
        found["metadata"] = {"work-namespace": f"ci-op-{build.id[-8:]}", "pod": _uuid(build), "infra-commit": "8f3c1e2"}
    if build.role == "error":
        found["metadata"] = {"uploader": "crier"}
    return _compact(found)


def prowjob(build: Build, born: float) -> bytes:
    """Crier writes it with tabs, and anew on every change of state."""
    kind = "batch" if build.role == "batch" else "presubmit" if build.pull else "periodic"
    labels = {
        "created-by-prow": "true",
        "prow.k8s.io/build-id": build.id,
        "prow.k8s.io/id": _uuid(build),
        "prow.k8s.io/job": build.job[:63],
        "prow.k8s.io/type": kind,
    }
    gcs = {"bucket": build.bucket, "path_strategy": "single" if build.openshift else "legacy"}
    gcs |= {"default_org": "openshift" if build.openshift else "kubernetes"}
    gcs |= {"default_repo": "origin" if build.openshift else "kubernetes"}
    spec: dict[str, Any] = {
        "type": kind,
        "agent": "kubernetes",
        "cluster": f"build{number(build.id) % 5 + 1:02}" if build.openshift else "k8s-infra-prow-build",
        "namespace": "ci",
        "job": build.job,
        "decoration_config": {"timeout": "4h0m0s", "grace_period": "1h0m0s", "gcs_configuration": gcs},
    }
    if build.pull:
        spec["refs"] = _refs(build)
    found = {
        "kind": "ProwJob",
        "apiVersion": "prow.k8s.io/v1",
        "metadata": {
            "name": _uuid(build),
            "namespace": "ci",
            "creationTimestamp": _stamp(build.created),
            "labels": labels,
            "annotations": {"prow.k8s.io/job": build.job},
        },
        "spec": spec,
        "status": _status(build, born),
    }
    return json.dumps(found, indent="\t").encode()


def _status(build: Build, born: float) -> dict[str, Any]:
    deck = "https://prow.ci.openshift.org" if build.openshift else "https://prow.k8s.io"
    status: dict[str, Any] = {
        "startTime": _stamp(build.created),
        "pendingTime": _stamp(build.started or build.created),
        "state": "success" if build.passed else "failure",
        "description": "Job succeeded." if build.passed else "Job failed.",
        "url": f"{deck}/view/gs/{build.bucket}/{build.folder.rstrip('/')}",
        "pod_name": _uuid(build),
        "build_id": build.id,
    }
    match build.role or build.result:
        case "pending":
            status |= {"state": "pending", "description": "Job triggered.", "pendingTime": _stamp(round(born) - 1_502)}
        case "never-started":
            status |= {"state": "aborted", "description": "Aborted by trigger plugin."}
        case "error":
            status |= {"state": "error", "description": "Pod scheduling timeout."}
        case "aborted":
            status |= {"state": "aborted", "description": "Aborted as the newer version of the PR was created."}
        case _ if build.ended is None:
            status |= {"state": "pending", "description": "Job triggered."}
    if status["state"] != "pending":
        status["completionTime"] = _stamp(build.ended or build.created + _HOUR)
    return status


def podinfo(seed: int, build: Build) -> bytes:
    phase = "Succeeded" if build.passed else "Failed"
    state = {"terminated": {"exitCode": 0 if build.passed else 1, "reason": "Completed" if build.passed else "Error"}}
    pod = {
        "metadata": {"name": _uuid(build), "namespace": "ci", "labels": {"prow.k8s.io/job": build.job[:63]}},
        "spec": {
            "nodeName": f"ip-10-0-{number(build.id) % 250}-7",
            "containers": [{"name": "test", "image": "src:latest"}],
        },
        "status": {"phase": phase, "containerStatuses": [{"name": "test", "ready": False, "state": state}]},
    }
    node = {"metadata": {"name": pod["spec"]["nodeName"]}, "status": {"nodeInfo": {"kubeletVersion": "v1.31.1"}}}  # type: ignore[index]
    return json.dumps({"pod": pod, "events": events(seed, build, 9)["items"], "node": node}).encode()


def events(seed: int, build: Build, count: int = 224) -> dict[str, Any]:
    """A Kubernetes EventList; 224 were in the one build that was looked into."""
    random = generator(seed, build.id, "events", count)
    items = []
    for place in range(count):
        kind, reason, of, message = random.choices(_EVENTS, weights=(9, 8, 8, 8, 2, 1, 1, 2, 2, 1))[0]
        at = _stamp((build.started or build.created) + place * 20)
        name = f"{build.test}-{random.choice(STEPS)}"
        item = {
            "metadata": {"name": f"{name}.{hexadecimal(16, build.id, place)}", "namespace": "ci-op"},
            "involvedObject": {"kind": of, "namespace": "ci-op", "name": name},
            "reason": reason,
            "message": message,
            "type": kind,
            "count": random.randint(1, 4),
            "firstTimestamp": at,
            "lastTimestamp": at if place % 50 else None,  # newer events have eventTime instead
            "eventTime": None if place % 50 else at.replace("Z", ".000000Z"),
            "source": {"component": "kubelet", "host": random.choice(NODES)},
        }
        items.append(item)
    return {"kind": "EventList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}


def clone_records(build: Build) -> bytes:
    command = "git fetch https://github.com/kubernetes/kubernetes.git --tags --prune"
    commands = [{"command": command, "output": "", "duration": 11_400_000_000}]
    refs = _refs(build) if build.pull else {"org": "kubernetes", "repo": "kubernetes", "base_ref": "master"}
    found = [{"refs": refs, "commands": commands, "final_sha": _sha(build, "head"), "duration": 12_000_000_000}]
    return _compact(found)


def results_cache(builds: list[Build]) -> bytes:
    """jobResultsCache.json of the old bootstrap: the last 300 builds."""
    rows = [
        {"version": "v1.31.1", "buildnumber": build.id, "passed": build.passed, "result": build.result}
        for build in builds[-300:]
    ]
    return _compact(rows)


def step_graph(build: Build) -> bytes:
    at = _stamp(build.started or build.created)
    return _compact([{"name": step, "description": f"Run {step}", "started_at": at, "failed": False} for step in STEPS])


def plain(seed: int, build: Build, name: str) -> bytes:
    """Any other JSON: a list of objects of that kind."""
    random = generator(seed, build.id, name)
    items = [
        {
            "metadata": {"name": f"{name.partition('.')[0]}-{place}"},
            "status": {"phase": "Complete", "cpu": random.random()},
        }
        for place in range(random.randint(4, 30))
    ]
    return json.dumps({"kind": "List", "apiVersion": "v1", "items": items}, indent=4).encode()


def _refs(build: Build) -> dict[str, Any]:
    pulls = [
        {
            "number": build.pull + place,
            "author": AUTHORS[(build.pull + place) % len(AUTHORS)],
            "sha": _sha(build, f"head{place or ''}"),
            "title": TITLES[(build.pull + place) % len(TITLES)],
            "link": f"https://github.com/kubernetes/{build.repo}/pull/{build.pull + place}",
        }
        for place in range(3 if build.role == "batch" else 1)
    ]
    base = {"org": "kubernetes", "repo": build.repo, "base_ref": "master", "base_sha": _sha(build, "base")}
    return {**base, "pulls": pulls}


def _refs_text(build: Build) -> str:
    return f"master:{_sha(build, 'base')},{build.pull}:{_sha(build, 'head')}"


def _sha(build: Build, which: str) -> str:
    return hexadecimal(40, build.repo, build.pull or build.id, which)


def _uuid(build: Build) -> str:
    return str(UUID(bytes=digest(build.bucket, build.id, "prowjob"), version=4))


def _stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
