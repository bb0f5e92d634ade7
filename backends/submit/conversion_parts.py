"""The pieces of a job that look different in a message and in a collection: machines, Job Info, log steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from backends.submit.generation import DEFAULT_LOG, TLS, artifacts_of, blob_of, objects
from backends.submit.times import epoch_of, iso_of

SUMMARY_TITLE = "Summary"
_STEP = (
    ("name", "name"),
    ("result", "result"),
    ("lineStarted", "started_linenumber"),
    ("lineFinished", "finished_linenumber"),
    ("timeStarted", "started"),
    ("timeFinished", "finished"),
)
_STEP_RESULTS = {"fail": "busted", "canceled": "usercancel"}
_LOST = "a message has no place for it"


def taken(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object of that name, an empty one where there is none or something else."""
    value = holder.get(name)
    return value if isinstance(value, Mapping) else {}


def platform_from(machine: Mapping[str, Any]) -> dict[str, Any]:
    pairs = (("platform", "platform"), ("os_name", "os"), ("architecture", "architecture"))
    return {theirs: machine[ours] for theirs, ours in pairs if ours in machine}


def machine_from(platform: Mapping[str, Any], name: Any) -> dict[str, Any]:
    pairs = (("platform", "platform"), ("os", "os_name"), ("architecture", "architecture"))
    machine = {ours: platform[theirs] for ours, theirs in pairs if theirs in platform}
    return {"name": name, **machine} if name else machine


def artifacts_of_message(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Job Info of `jobInfo`, and a text_log_summary for each log that has steps."""
    artifacts = []
    info = taken(message, "jobInfo")
    details: list[dict[str, Any]] = []
    if "summary" in info:
        details.append({"title": SUMMARY_TITLE, "value": info["summary"], "content_type": "text"})
    for link in objects(info.get("links")):
        shown = {"title": link.get("label"), "value": link.get("linkText"), "url": link.get("url")}
        details.append({**shown, "content_type": "link"})
    if details:
        artifacts.append({"type": "json", "name": "Job Info", "blob": {"job_details": details}})
    for log in objects(message.get("logs")):
        if log.get("steps"):
            artifacts.append({"type": "json", "name": TLS, "blob": _summary_of(log)})
    return artifacts


def _summary_of(log: Mapping[str, Any]) -> dict[str, Any]:
    steps = []
    for step in objects(log["steps"]):
        one = {theirs: step[ours] for ours, theirs in _STEP if ours in step}
        if "result" in one:
            one["result"] = _STEP_RESULTS.get(str(one["result"]), one["result"])
        steps.append({**one, "errors": step.get("errors", [])})
    data = {"steps": steps, "errors_truncated": bool(log.get("errorsTruncated"))}
    return {"step_data": data, "logurl": log.get("url"), "logname": log.get("name")}


def steps_of_summary(job: Mapping[str, Any], log: Mapping[str, Any]) -> dict[str, Any] | None:
    """`steps` and `errorsTruncated` of a log from the summary that belongs to it; None where none is complete."""
    for artifact in artifacts_of(job):
        blob = blob_of(artifact)
        if artifact.get("name") != TLS or not isinstance(blob, Mapping):
            continue
        if blob.get("logname", DEFAULT_LOG) != log.get("name"):
            continue
        data = taken(blob, "step_data")
        steps = [_step_back(step) for step in objects(data.get("steps"))]
        if not steps or any(step is None for step in steps):
            return None
        found: dict[str, Any] = {"steps": steps}
        if data.get("errors_truncated"):
            found["errorsTruncated"] = True
        return found
    return None


def _step_back(step: Mapping[str, Any]) -> dict[str, Any] | None:
    back = {value: key for key, value in _STEP_RESULTS.items()}
    found = {ours: step[theirs] for ours, theirs in _STEP if theirs in step}
    for name in ("timeStarted", "timeFinished"):
        seconds = epoch_of(found.get(name))
        if seconds is None:
            return None  # the message demands both times
        found[name] = iso_of(seconds)
    found["result"] = {"testfailed": "fail", **back}.get(str(step.get("result")), step.get("result"))
    if step.get("errors"):
        found["errors"] = step["errors"]
    return found


def job_info_of(job: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """`jobInfo` from the Job Info artifact and the description, and what of the artifacts is lost."""
    info: dict[str, Any] = {}
    lost: list[tuple[str, str]] = []
    for number, artifact in enumerate(artifacts_of(job)):
        path = f"$.job.artifacts[{number}]"
        if artifact.get("name") != "Job Info":
            lost.append((path, f"{_LOST}: {artifact.get('name')}"))
            continue
        details = taken({"blob": blob_of(artifact)}, "blob").get("job_details")
        for at, detail in _details(details):
            if detail.get("url"):
                link = {
                    "url": detail["url"],
                    "linkText": detail.get("value") or detail["url"],
                    "label": detail.get("title"),
                }
                info.setdefault("links", []).append(link)
            elif detail.get("title") == SUMMARY_TITLE and "summary" not in info:
                info["summary"] = detail.get("value")
            else:
                lost.append((f"{path}.blob.job_details[{at}]", f"{_LOST}: only links and one summary"))
    if job.get("desc"):
        if "summary" in info:
            lost.append(("$.job.desc", "the summary is taken"))
        else:
            info["summary"] = job["desc"]
    return info, lost


def _details(details: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for at, detail in enumerate(details if isinstance(details, list) else ()):
        if isinstance(detail, Mapping):
            yield at, detail
