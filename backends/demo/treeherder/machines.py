"""Which machine a job ran on: one of a numbered pool where the hardware is real, a long number in the cloud."""

from __future__ import annotations

from backends.demo.seeds import number
from backends.demo.treeherder.jobs import Job


def machine_of(seed: int, job: Job) -> str:
    drawn = number(seed, "machine", job.id)
    if "hardware" in job.label.pool or "autophone" in job.label.pool:
        return f"t-{job.label.os}-{drawn % 60 + 1:03d}"
    return str(drawn)
