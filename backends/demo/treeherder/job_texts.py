"""How the server writes a job: 37 fields in a project's list, 18 in the global one, and a few more in a single job."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from uuid import UUID

from backends.demo.seeds import digest, number
from backends.demo.treeherder.clock import iso
from backends.demo.treeherder.jobs import Job
from backends.demo.treeherder.machines import machine_of
from backends.demo.treeherder.reference import Json, option_hash

# The order of the arrays that `return_type=list` and the global endpoint give.
PROJECT_FIELDS = (
    "build_architecture", "build_os", "build_platform", "build_platform_id", "build_system_type", "end_timestamp",
    "failure_classification_id", "id", "job_group_description", "job_group_id", "job_group_name", "job_group_symbol",
    "job_guid", "job_type_description", "job_type_id", "job_type_name", "job_type_symbol", "last_modified",
    "machine_name", "machine_platform_architecture", "machine_platform_os", "option_collection_hash", "platform",
    "push_id", "reason", "ref_data_name", "result", "result_set_id", "signature", "start_timestamp", "state",
    "submit_timestamp", "tier", "who", "task_id", "retry_id", "platform_option",
)  # fmt: skip
GLOBAL_FIELDS = (
    "failure_classification_id", "id", "job_group_name", "job_group_symbol", "job_type_name", "job_type_symbol",
    "last_modified", "platform", "push_id", "push_revision", "result", "signature", "state", "tier", "task_id",
    "retry_id", "duration", "platform_option",
)  # fmt: skip
_TC_ROOT = "https://firefox-ci-tc.services.mozilla.com"
FAILED = ("testfailed", "busted")


@lru_cache(maxsize=8192)
def reference_name(label: str) -> str:
    return hashlib.sha1(label.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def classification(seed: int, job: Job) -> int:
    """Half of the failures have been looked at: fixed by commit, intermittent, or infrastructure."""
    if job.result not in FAILED:
        return 1
    return (1, 1, 6, 2, 4, 4, 5, 4)[number(seed, "classified", job.id) % 8]


def last_modified(seed: int, job: Job) -> str:
    written = (job.end or job.start or job.submit) + number(seed, "written", job.id) % 90_000_000 / 1e6
    return iso(round(written, 6))


def project_text(seed: int, job: Job) -> Json:
    label, task = job.label, job.task_of(seed)
    architecture = "aarch64" if "aarch64" in label.machine else "x86" if "-32" in label.machine else "x86_64"
    group = label.group_name or "unknown"
    name = reference_name(label.name)
    return {
        "build_architecture": architecture,
        "build_os": label.os,
        "build_platform": label.machine,
        "build_platform_id": number("platform", label.machine) % 997,
        "build_system_type": "taskcluster",
        "end_timestamp": job.end,
        "failure_classification_id": classification(seed, job),
        "id": job.id,
        "job_group_description": "",
        "job_group_id": number("group", group) % 499,
        "job_group_name": group,
        "job_group_symbol": label.group_symbol or "?",
        "job_guid": f"{UUID(bytes=digest('guid', *task))}/{task[1]}",
        "job_type_description": "",
        "job_type_id": number("type", label.name) % 99_991,
        "job_type_name": label.name,
        "job_type_symbol": label.symbol,
        "last_modified": last_modified(seed, job),
        "machine_name": machine_of(seed, job) if job.start else "unknown",
        "machine_platform_architecture": architecture,
        "machine_platform_os": label.os,
        "option_collection_hash": option_hash(label.collection),
        "platform": label.machine,
        "push_id": job.push.id,
        "reason": "scheduled",
        "ref_data_name": name,
        "result": job.result,
        "result_set_id": job.push.id,
        "signature": name,
        "start_timestamp": job.start,
        "state": job.state,
        "submit_timestamp": job.submit,
        "tier": label.tier,
        "who": job.push.author,
        "task_id": task[0],
        "retry_id": task[1],
        "platform_option": label.collection,
    }


def global_row(seed: int, job: Job) -> list[object]:
    """The 18 fields of the global list; its duration is in whole minutes, and never none."""
    text = project_text(seed, job)
    begin, end = job.start or job.submit, job.end or job.start or job.submit
    text |= {"push_revision": job.push.revision, "duration": max(round((end - begin) / 60), 1)}
    return [text[name] for name in GLOBAL_FIELDS]


def detail_text(seed: int, project: str, job: Job) -> Json:
    text = project_text(seed, job)
    ends = {name: text.pop(name) for name in ("platform_option", "task_id", "retry_id")}
    task = {"task_id": ends["task_id"], "retry_id": ends["retry_id"]}
    logs = [{"name": name, "url": url} for name, url in log_urls(seed, job)]
    return {
        **{name: text[name] for name in PROJECT_FIELDS if name in text},
        "resource_uri": f"/api/project/{project}/jobs/{job.id}/",
        "logs": logs,
        **ends,
        "taskcluster_metadata": task,
    }


def log_urls(seed: int, job: Job) -> list[tuple[str, str]]:
    """None before the job has begun."""
    if not job.start:
        return []
    task, run = job.task_of(seed)
    base = f"{_TC_ROOT}/api/queue/v1/task/{task}/runs/{run}/artifacts/public"
    found = [("live_backing_log", f"{base}/logs/live_backing.log")]
    if job.measured:
        found.append(("perfherder-data.json", f"{base}/test_info/perfherder-data.json"))
    return found
