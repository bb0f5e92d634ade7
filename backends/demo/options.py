"""What can be chosen about the embedded CI: its size, its seed, and how badly it behaves."""

from __future__ import annotations

from dataclasses import dataclass

# The finished group begins with one task of every kind that a test or a locator names; fewer would drop some.
LEAST_TASKS = 20


@dataclass(frozen=True)
class DemoOptions:
    """`tasks` in the finished group; `latency_ms` before each first byte; `fault` rate of each kind of failure, 0 to 1.

    The same `seed` gives the same ids, states and bytes in every process. `port` 0 takes a free one.
    """

    tasks: int = 1200
    latency_ms: float = 0
    fault: float = 0.0
    seed: int = 20261121
    port: int = 0

    def __post_init__(self) -> None:
        if self.tasks < LEAST_TASKS:
            raise ValueError(f"the demo needs at least {LEAST_TASKS} tasks, not {self.tasks}")
        if not 0 <= self.fault <= 1:
            raise ValueError(f"the fault rate lies between 0 and 1, not {self.fault}")
        if self.latency_ms < 0:
            raise ValueError(f"the latency cannot be negative: {self.latency_ms}")
