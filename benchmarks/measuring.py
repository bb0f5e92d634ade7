"""What all measurements share: contenders take turns, wall and CPU time stand side by side, medians are compared.

`take_turns` runs every contender once per round, so that whatever else the machine does hits all of them. CPU time is
user + system, of this process and of the children it waited for. `fit_exponent` says how a cost grows with the size.
"""

from __future__ import annotations

import math
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

# Set in some shells; they would make every start compile its modules, or write each line by itself.
SLOWING_VARIABLES = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")


def clean_environment(**more: str) -> dict[str, str]:
    """The environment for programs that are measured."""
    return {**{name: text for name, text in os.environ.items() if name not in SLOWING_VARIABLES}, **more}


@dataclass(frozen=True)
class Cost:
    """Milliseconds of one run, or the medians of several."""

    wall: float
    cpu: float


def cpu_seconds() -> float:
    """User and system time of this process and of its children that have ended."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


def measure(work: Callable[[], object]) -> Cost:
    """One run of `work` in this process."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    work()
    return Cost((time.perf_counter() - wall) * 1000, (cpu_seconds() - cpu) * 1000)


def measure_command(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Cost:
    """One run of a program that ends by itself. Raises `CalledProcessError` if it fails."""

    def run() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment or clean_environment())

    return measure(run)


def take_turns(contenders: Mapping[str, Callable[[], Cost]], rounds: int) -> dict[str, Cost]:
    """The median costs of each contender over so many rounds."""
    found: dict[str, list[Cost]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            found[name].append(run())
    return {name: median(costs) for name, costs in found.items()}


def median(costs: Sequence[Cost]) -> Cost:
    return Cost(statistics.median(one.wall for one in costs), statistics.median(one.cpu for one in costs))


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the smallest value that at least `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def fit_exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The exponent of size ** x that fits best (least squares of the logarithms): 1 is linear, 2 quadratic."""
    xs, ys = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    return statistics.linear_regression(xs, ys).slope


def print_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A Markdown table; floats get one digit, or two below 10."""

    def cell(value: object) -> str:
        return f"{value:.{1 if abs(value) >= 10 else 2}f}" if isinstance(value, float) else str(value)

    print("| " + " | ".join(heads) + " |")
    print("|---" * len(heads) + "|")
    for row in rows:
        print("| " + " | ".join(cell(value) for value in row) + " |")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", file=sys.stderr)
