"""The embedded CI: deterministic synthetic data, served on loopback in the systems' own protocols.

Used by `ciexplore demo`, by the tests and by the benchmarks. Names are imported on first use, so that `DemoOptions` and
`DemoProcess` do not import a web server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backends.demo.options import DemoOptions as DemoOptions

if TYPE_CHECKING:
    from backends.demo.demo_locators import locators as locators
    from backends.demo.process import DemoProcess as DemoProcess
    from backends.demo.server import DemoServer as DemoServer
    from backends.demo.taskcluster.payloads import expected_bytes as expected_bytes
    from backends.demo.taskcluster.payloads import expected_sha256 as expected_sha256

_MODULES = {
    "DemoProcess": "backends.demo.process",
    "DemoServer": "backends.demo.server",
    "expected_bytes": "backends.demo.taskcluster.payloads",
    "expected_sha256": "backends.demo.taskcluster.payloads",
    "locators": "backends.demo.demo_locators",
}
__all__ = ["DemoOptions", "DemoProcess", "DemoServer", "expected_bytes", "expected_sha256", "locators"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(_MODULES[name]), name)
