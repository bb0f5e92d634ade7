"""Why a build's pod came to nothing, in one sentence, from the podinfo.json that Prow stores beside the build.

The rules and their order are those of Spyglass' metadata lens (prow pkg/spyglass/lenses/metadata), which shows them
where the build's own log has nothing to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backends.http.errors import clean
from backends.prow.build_state import Json, mapping

_PULLS = frozenset({"ImagePullBackOff", "ErrImagePull"})
_BY_EVENT = (  # phase, reason of an event, words
    ("Pending", "FailedMount", "A volume of the pod could not be mounted"),
    ("Failed", "MatchNodeSelector", "No node fits the pod's node selector"),
    ("Pending", "FailedScheduling", "The pod could not be scheduled"),
    ("", "FailedCreatePodSandBox", "The pod's sandbox could not be made"),
    ("", "FailedCreatePodSandbox", "The pod's sandbox could not be made"),
    ("", "FailedSync", "The pod could not be synchronised"),
)


def hint(podinfo: Json) -> str:
    """The sentence, "" where the pod succeeded or nothing is known."""
    pod = mapping(podinfo.get("pod"))
    status = mapping(pod.get("status"))
    phase = status.get("phase")
    if phase == "Succeeded":
        return ""
    for container in _containers(status, "containerStatuses", "initContainerStatuses"):
        waiting = mapping(mapping(container.get("state")).get("waiting"))
        if waiting.get("reason") in _PULLS:
            return _told(f"The image of {_name(container)} could not be pulled", waiting.get("message"))
    events = podinfo.get("events")
    events = [mapping(one) for one in events] if isinstance(events, list) else []
    for wanted, reason, words in _BY_EVENT:
        found = next((one for one in reversed(events) if one.get("reason") == reason), None)
        if found is not None and wanted in ("", phase):
            return _told(words, found.get("message"))
    for container in _containers(status, "initContainerStatuses"):
        if container.get("ready") is False and phase in ("Pending", "Failed"):
            return f"The init container {_name(container)} did not get ready."
    return ""


def _containers(status: Json, *names: str) -> Iterator[Json]:
    for name in names:
        found = status.get(name)
        yield from (mapping(one) for one in found) if isinstance(found, list) else ()


def _name(container: Json) -> str:
    name: Any = container.get("name")
    return clean(name, 60) if isinstance(name, str) else "a container"


def _told(words: str, message: Any) -> str:
    return f"{words}: {clean(message, 200)}" if isinstance(message, str) and message.strip() else f"{words}."
