"""In which form a piece of job data is written, and what we call one entry of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from backends.errors import UsageError

Body = Any


class Form(StrEnum):
    """The shapes that job data come in; the words are those of --form."""

    PULSE = "pulse"  # the job message of today's schema
    PULSE_2018 = "pulse-2018"  # the job message of the schema until 2018
    COLLECTION = "collection"  # an entry of the REST job collection
    TASK = "task"  # a Taskcluster task definition
    PERFORMANCE = "performance"  # a performance artifact

    @property
    def is_pulse(self) -> bool:
        return self in (Form.PULSE, Form.PULSE_2018)

    @property
    def is_job(self) -> bool:
        """Whether it can be converted, drawn and published as a job."""
        return self.is_pulse or self is Form.COLLECTION


@dataclass(frozen=True)
class Entry:
    """One job (task, artifact) as it was read.

    `place`: where in the file, such as "line 12" or "row 3"; `number`: 0 for the first. `broken`: why it could not be
    read as data at all ("" for whole ones), with `body` None. `odd`: what the reading itself noticed.
    """

    file: str
    place: str
    number: int
    form: Form
    body: Body = field(repr=False)
    broken: str = ""
    odd: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.file}#{self.number}"

    @property
    def job_id(self) -> str:
        """What identifies the job on a server: taskId or job_guid; "" where it has none."""
        return identity(self.body, self.form)


def identity(body: Body, form: Form) -> str:
    if not isinstance(body, Mapping):
        return ""
    if form is Form.COLLECTION:
        job = body.get("job")
        found = job.get("job_guid") if isinstance(job, Mapping) else None
    else:
        found = body.get("taskId")
    return found if isinstance(found, str) else ""


def form_of(body: Body) -> Form:
    """The form that a value most likely is in. Job messages count as today's: only the user can say otherwise."""
    if not isinstance(body, Mapping):
        return Form.PULSE
    if "suites" in body and "taskId" not in body:
        return Form.PERFORMANCE
    if isinstance(body.get("task"), Mapping) or (
        "taskId" not in body and {"routes", "payload", "extra", "workerType", "taskQueueId"} & body.keys()
    ):
        return Form.TASK
    if "job" in body or ("job_guid" in body and "taskId" not in body):
        return Form.COLLECTION
    return Form.PULSE


def form_named(name: str) -> Form:
    """Raises `UsageError` for a word that is none."""
    try:
        return Form(name)
    except ValueError:
        raise UsageError(f"'{name}' is no form of job data.", f"Forms: {', '.join(Form)}.") from None
