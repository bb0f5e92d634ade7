"""Where a task's artifact goes by default: group / task name / task id / run / artifact path."""

from __future__ import annotations


def default_parts(group: str, task_name: str, task_id: str, run: int | None, artifact: str) -> tuple[str, ...]:
    """`RemoteFile.parts` of an artifact. The task id and run keep retriggers and reruns of one name apart.

    The artifact's name is a path and is split at "/"; a doubled slash gives an empty part, which the planner keeps
    apart from the single one. The task's name is one directory, "/" in it or not.
    """
    return (group, task_name, task_id, "latest" if run is None else str(run), *artifact.split("/"))
