"""Options of the embedded CI: size, seed, latency and failures."""

from __future__ import annotations

from dataclasses import dataclass

from backends.errors import UsageError

# The finished group begins with one task of every special kind; all of them must fit.
MIN_TASKS = 20


@dataclass(frozen=True)
class DemoOptions:
    """`tasks` in the finished group; `latency_ms` before each first byte; `fault` rate of each kind of failure, 0 to 1.

    The same `seed` gives the same ids, states and bytes in every process. `port` 0 uses a free one.
    """

    tasks: int = 1200
    latency_ms: float = 0
    fault: float = 0.0
    seed: int = 20261121
    port: int = 0

    def __post_init__(self) -> None:
        """Raises `UsageError` for impossible values."""
        if self.tasks < MIN_TASKS:
            raise UsageError(f"The demo cannot have {self.tasks} tasks.", f"It needs at least {MIN_TASKS}.")
        if not 0 <= self.fault <= 1:
            raise UsageError(f"A fault rate of {self.fault} is not possible.", "It lies between 0 and 1.")
        if not 0 <= self.latency_ms <= 60_000:
            raise UsageError(f"A latency of {self.latency_ms} ms is not possible.", "It lies between 0 and 60000.")
        if not 0 <= self.port <= 65_535:
            raise UsageError(f"Port {self.port} is out of range.", "Ports end at 65535; 0 uses a free one.")
