"""What each kind of job data must look like, as JSON Schemas built from Python values."""

from __future__ import annotations

from functools import cache
from typing import Any

from backends.submit.forms import Form


@cache
def schema_of(form: Form) -> dict[str, Any]:
    """The schema of ONE entry of that form; the same object each time, not to be changed."""
    from backends.submit.schemas import collection, performance, pulse, taskcluster

    match form:
        case Form.PULSE:
            return pulse.current()
        case Form.PULSE_2018:
            return pulse.of_2018()
        case Form.COLLECTION:
            return collection.entry()
        case Form.TASK:
            return taskcluster.treeherder_config()
        case Form.PERFORMANCE:
            return performance.artifact()
