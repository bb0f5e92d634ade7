"""All addresses that the synthetic Treeherder knows, in the order in which they are tried."""

from __future__ import annotations

from backends.demo.treeherder import (
    alert_routes,
    compare_routes,
    failures,
    job_routes,
    perf_routes,
    push_routes,
    reference_routes,
    summary_routes,
)
from backends.demo.treeherder.routing import Route

_MODULES = (
    reference_routes, perf_routes, summary_routes, alert_routes, push_routes, job_routes, failures, compare_routes,
)  # fmt: skip


def every() -> list[Route]:
    return [route for module in _MODULES for route in module.routes()]
