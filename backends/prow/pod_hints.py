"""Why a build's pod came to nothing, in one sentence, from the podinfo.json that Prow stores beside the build.

The rules and their order are those of Spyglass' metadata lens (prow pkg/spyglass/lenses/metadata), which shows them
where the build's own log has nothing to say; before them what the lens leaves to its reader: out of memory, evictions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backends.http.errors import sanitize
from backends.prow.build_state import Json, mapping
from backends.prow.gcs_source import epoch_ms

_PULLS = frozenset({"ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"})
_NOT_STARTED = frozenset({
    "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "ContainerCannotRun", "StartError",
})  # fmt: skip
_PODS = {  # the pod's own reason: words
    "Evicted": "The pod was evicted",
    "DeadlineExceeded": "The pod ran longer than it may",
    "MatchNodeSelector": "No node fits the pod's node selector",
    "NodeAffinity": "No node fits the pod's node selector",
    "NodeLost": "The pod's node was lost",
    "NodeShutdown": "The pod's node was shut down",
    "Shutdown": "The pod's node was shut down",
    "Terminated": "The pod was ended with its node",
    "Preempting": "The pod made room for another one",
    "UnexpectedAdmissionError": "The node refused the pod",
}
_BY_EVENT = (  # phase, reason of an event, words
    ("Pending", "FailedMount", "A volume of the pod could not be mounted"),
    ("Failed", "MatchNodeSelector", "No node fits the pod's node selector"),
    ("Pending", "FailedScheduling", "The pod could not be scheduled"),
    ("Failed", "Evicted", "The pod was evicted"),
    ("Failed", "Preempted", "The pod made room for another one"),
    ("", "FailedCreatePodSandBox", "The pod's sandbox could not be made"),
    ("", "FailedCreatePodSandbox", "The pod's sandbox could not be made"),
    ("", "FailedSync", "The pod could not be synchronised"),
)
_ENDINGS = {137: " (killed)", 139: " (segmentation fault)", 143: " (terminated)", 124: " (timed out)"}
_HELPERS = frozenset({"sidecar"})  # Prow's own container: it fails with the one that matters


def hint(podinfo: Json) -> str:
    """The sentence, "" where the pod succeeded or nothing but an exit code is known (see `exit_codes`)."""
    pod = mapping(podinfo.get("pod"))
    status = mapping(pod.get("status"))
    phase = status.get("phase")
    if phase == "Succeeded":
        return ""
    every = list(_containers(status, "containerStatuses", "initContainerStatuses"))
    if killed := [one for one in every if _out_of_memory(one)]:
        names = ", ".join(_name(one) for one in killed)
        return f"Out of memory: {names} was killed (OOMKilled)."
    why = status.get("reason")
    if phase == "Failed" and isinstance(why, str) and why:
        return _told(_PODS.get(why, f"The pod failed ({sanitize(why, 60)})"), status.get("message"))
    for container in every:
        waiting = mapping(mapping(container.get("state")).get("waiting"))
        if waiting.get("reason") in _PULLS:
            return _told(f"The image of {_name(container)} could not be pulled", waiting.get("message"))
    for container in every:
        state = mapping(container.get("state"))
        for part in (mapping(state.get("waiting")), mapping(state.get("terminated"))):
            if part.get("reason") in _NOT_STARTED:
                return _told(f"The container {_name(container)} could not start", part.get("message"))
    events = podinfo.get("events")
    events = [mapping(one) for one in events] if isinstance(events, list) else []
    events.sort(key=lambda one: epoch_ms(one.get("lastTimestamp")) or 0)
    for wanted, reason, words in _BY_EVENT:
        found = next((one for one in reversed(events) if one.get("reason") == reason), None)
        if found is not None and wanted in ("", phase):
            return _told(words, found.get("message"))
    for container in _containers(status, "initContainerStatuses"):
        if container.get("ready") is False and phase in ("Pending", "Failed"):
            return f"The init container {_name(container)} did not get ready."
    return ""


def exit_codes(podinfo: Json) -> str:
    """ "Container test ended with exit code 1.": all containers that failed, Prow's own one only if it is alone."""
    status = mapping(mapping(podinfo.get("pod")).get("status"))
    found: dict[str, int] = {}
    for container in _containers(status, "initContainerStatuses", "containerStatuses"):
        code = mapping(mapping(container.get("state")).get("terminated")).get("exitCode")
        if isinstance(code, int) and not isinstance(code, bool) and code:
            found[_name(container)] = code
    told = {name: code for name, code in found.items() if name not in _HELPERS} or found
    words = [f"{name} ended with exit code {code}{_ENDINGS.get(code, '')}" for name, code in told.items()]
    return f"Container {'; '.join(words)}." if words else ""


def _out_of_memory(container: Json) -> bool:
    states = (mapping(container.get("state")), mapping(container.get("lastState")))
    return any(mapping(one.get("terminated")).get("reason") == "OOMKilled" for one in states)


def _containers(status: Json, *names: str) -> Iterator[Json]:
    for name in names:
        found = status.get(name)
        yield from (mapping(one) for one in found) if isinstance(found, list) else ()


def _name(container: Json) -> str:
    name: Any = container.get("name")
    return sanitize(name, 60) if isinstance(name, str) else "a container"


def _told(words: str, message: Any) -> str:
    return f"{words}: {sanitize(message, 200)}" if isinstance(message, str) and message.strip() else f"{words}."
